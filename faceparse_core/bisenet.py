"""BiSeNet for face parsing, in torch. Needs the `torch` extra.

The network of Yu et al., "BiSeNet: Bilateral Segmentation Network" (ECCV 2018, arXiv 1808.00897), in the form that
face-parsing.PyTorch gave it: a ResNet-18 whose 1/8 features stand for the spatial path. One class by width; at width
1 with 19 classes and without the detail branch its state dict has the names and shapes of the published checkpoint
`79999_iter.pth`. The embedded networks are half as wide and have the detail branch: it takes the scores from 1/8 to
1/4 of the input with the help of the stem and of the first residual stage, where brows and lips are still more than a
pixel thick.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Blocks = tuple[int, int, int, int]
RESNET18: Blocks = (2, 2, 2, 2)  #: blocks of each stage (He et al., arXiv 1512.03385, table 1)
EMBEDDED: Blocks = (2, 3, 4, 2)  #: ours: more where the field of view is wide and a block is cheap

_BLOCK = re.compile(r"cp\.resnet\.layer([1-4])\.(\d+)\.conv1\.weight")


def blocks_of(names: Iterable[str]) -> Blocks:
    """The blocks of each stage that weights of these names have; one where there is none."""
    stages = [match[1] for name in names if (match := _BLOCK.fullmatch(name))]
    one, two, three, four = (max(1, stages.count(stage)) for stage in "1234")
    return one, two, three, four


class ConvBNReLU(nn.Module):
    """A convolution that keeps the size but for its stride, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions and a shortcut (He et al., arXiv 1512.03385)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        nn.init.zeros_(self.bn2.weight)  # at first a block does nothing: it can join a network trained without it
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + shortcut)


class ResNet(nn.Module):
    """Features at 1/2, 1/4, 1/8, 1/16 and 1/32 of the input."""

    def __init__(self, base: int, blocks: Blocks) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, base, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(base)
        stages = [(base, base, 1), (base, 2 * base, 2), (2 * base, 4 * base, 2), (4 * base, 8 * base, 2)]
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            nn.Sequential(
                BasicBlock(inputs, outputs, stride), *(BasicBlock(outputs, outputs, 1) for _ in range(count - 1))
            )
            for (inputs, outputs, stride), count in zip(stages, blocks, strict=True)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        feat2 = F.relu(self.bn1(self.conv1(x)))
        feat4 = self.layer1(F.max_pool2d(feat2, 3, 2, 1))
        feat8 = self.layer2(feat4)
        feat16 = self.layer3(feat8)
        return feat2, feat4, feat8, feat16, self.layer4(feat16)


class AttentionRefinement(nn.Module):
    """Weighs the channels by what the whole picture holds."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = ConvBNReLU(inputs, outputs)
        self.conv_atten = nn.Conv2d(outputs, outputs, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        feat = self.conv(x)
        return feat * torch.sigmoid(self.bn_atten(self.conv_atten(feat.mean((2, 3), keepdim=True))))


class ContextPath(nn.Module):
    """The ResNet's features at 1/2, 1/4 and 1/8, and what it says of the whole, brought back to 1/8 and 1/16."""

    def __init__(self, base: int, blocks: Blocks) -> None:
        super().__init__()
        self.resnet = ResNet(base, blocks)
        self.arm16 = AttentionRefinement(4 * base, 2 * base)
        self.arm32 = AttentionRefinement(8 * base, 2 * base)
        self.conv_head32 = ConvBNReLU(2 * base, 2 * base)
        self.conv_head16 = ConvBNReLU(2 * base, 2 * base)
        self.conv_avg = ConvBNReLU(8 * base, 2 * base, kernel=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        feat2, feat4, feat8, feat16, feat32 = self.resnet(x)
        whole = self.conv_avg(feat32.mean((2, 3), keepdim=True))
        up32 = self.conv_head32(F.interpolate(self.arm32(feat32) + whole, scale_factor=2.0, mode="nearest"))
        up16 = self.conv_head16(F.interpolate(self.arm16(feat16) + up32, scale_factor=2.0, mode="nearest"))
        return feat2, feat4, feat8, up16, up32


class FeatureFusion(nn.Module):
    """Joins the spatial features with the context, and weighs the channels by what the whole picture holds."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convblk = ConvBNReLU(inputs, outputs, kernel=1)
        self.conv1 = nn.Conv2d(outputs, outputs // 4, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs // 4, outputs, 1, bias=False)

    def forward(self, spatial: Tensor, context: Tensor) -> Tensor:
        feat = self.convblk(torch.cat([spatial, context], 1))
        weight = torch.sigmoid(self.conv2(F.relu(self.conv1(feat.mean((2, 3), keepdim=True)))))
        return feat * weight + feat


class Output(nn.Module):
    """Scores at the size of the features."""

    def __init__(self, inputs: int, middle: int, classes: int) -> None:
        super().__init__()
        self.conv = ConvBNReLU(inputs, middle)
        self.conv_out = nn.Conv2d(middle, classes, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv_out(self.conv(x))
        return out


class DetailOutput(nn.Module):
    """Scores at 1/4 of the input from the fused 1/8 features, those of the first stage at 1/4 and the stem's at 1/2."""

    def __init__(self, fused: int, early: int, middle: int, classes: int) -> None:
        super().__init__()
        self.conv = ConvBNReLU(fused, fused)
        self.reduce = nn.Conv2d(fused, middle, 1)
        self.lateral = nn.Conv2d(early, middle, 1)
        self.stem = nn.Conv2d(4 * early, middle, 1, bias=False)
        self.block = BasicBlock(middle, middle, 1)
        nn.init.zeros_(self.stem.weight)  # it joins a network that was trained without it: at first it does nothing
        self.merge = ConvBNReLU(middle, middle)
        self.conv_out = nn.Conv2d(middle, classes, 1)

    def forward(self, fused: Tensor, early: Tensor, stem: Tensor) -> Tensor:
        coarse = F.interpolate(self.reduce(self.conv(fused)), scale_factor=2.0, mode="bilinear", align_corners=False)
        detail = F.relu(coarse + self.lateral(early) + self.stem(F.pixel_unshuffle(stem, 2)))
        out: Tensor = self.conv_out(self.merge(self.block(detail)))
        return out


class BiSeNet(nn.Module):
    """Normalised RGB, float32 (n, 3, h, w), h and w multiples of 32, to class scores.

    width    1.0 is the published network, 0.5 has a quarter of its weights
    detail   scores at 1/4 of the input instead of 1/8
    blocks   of each residual stage: RESNET18 is the published network

    In training `forward` returns three maps of scores: the main one, and those of the two auxiliary heads (1/8 and
    1/16 of the input); in evaluation only the main one.
    """

    def __init__(self, classes: int, width: float = 1.0, detail: bool = False, blocks: Blocks = RESNET18) -> None:
        super().__init__()
        base = round(64 * width)
        self.cp = ContextPath(base, blocks)
        self.ffm = FeatureFusion(4 * base, 4 * base)
        self.conv_out: nn.Module = (
            DetailOutput(4 * base, base, 2 * base, classes) if detail else Output(4 * base, 4 * base, classes)
        )
        self.conv_out16 = Output(2 * base, base, classes)
        self.conv_out32 = Output(2 * base, base, classes)
        self.detail = detail

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        feat2, feat4, feat8, context8, context16 = self.cp(x)
        fused = self.ffm(feat8, context8)
        scores: Tensor = self.conv_out(fused, feat4, feat2) if self.detail else self.conv_out(fused)
        if not self.training:
            return scores
        return scores, self.conv_out16(context8), self.conv_out32(context16)
