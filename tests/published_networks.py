"""The published networks a second time, for tests: from the papers and the names and shapes in the checkpoints alone.

Nothing here knows the code under test. Weights are a dict by name, as `torch.load` gives it; a network is a function
of them. Channels can be divided by `thin`, which keeps every name.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

Weights = dict[str, Tensor]
Shapes = dict[str, tuple[int, ...]]


# BiSeNet (Yu et al. 2018) as 79999_iter.pth has it --------------------------------------------------------------------


def bisenet_shapes(blocks: tuple[int, ...] = (2, 2, 2, 2), classes: int = 19, thin: int = 1) -> Shapes:
    shapes: Shapes = {}

    def conv(name: str, out: int, into: int, kernel: int) -> None:
        shapes[f"{name}.weight"] = (out, into, kernel, kernel)

    def norm(name: str, channels: int) -> None:
        for kind in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{kind}"] = (channels,)
        shapes[f"{name}.num_batches_tracked"] = ()

    def conv_norm(name: str, out: int, into: int, kernel: int) -> None:
        conv(f"{name}.conv", out, into, kernel)
        norm(f"{name}.bn", out)

    c64, c128, c256, c512 = (count // thin for count in (64, 128, 256, 512))
    conv("cp.resnet.conv1", c64, 3, 7)
    norm("cp.resnet.bn1", c64)
    into = c64
    for stage, (count, channels) in enumerate(zip(blocks, (c64, c128, c256, c512), strict=True), 1):
        for block in range(count):
            name = f"cp.resnet.layer{stage}.{block}"
            conv(f"{name}.conv1", channels, into, 3)
            norm(f"{name}.bn1", channels)
            conv(f"{name}.conv2", channels, channels, 3)
            norm(f"{name}.bn2", channels)
            if into != channels:
                conv(f"{name}.downsample.0", channels, into, 1)
                norm(f"{name}.downsample.1", channels)
            into = channels
    for name, channels in (("cp.arm16", c256), ("cp.arm32", c512)):
        conv_norm(f"{name}.conv", c128, channels, 3)
        conv(f"{name}.conv_atten", c128, c128, 1)
        norm(f"{name}.bn_atten", c128)
    conv_norm("cp.conv_head32", c128, c128, 3)
    conv_norm("cp.conv_head16", c128, c128, 3)
    conv_norm("cp.conv_avg", c128, c512, 1)
    conv_norm("ffm.convblk", c256, c256, 1)
    conv("ffm.conv1", c64, c256, 1)
    conv("ffm.conv2", c256, c64, 1)
    for name, channels, middle in (("conv_out", c256, c256), ("conv_out16", c128, c64), ("conv_out32", c128, c64)):
        conv_norm(f"{name}.conv", middle, channels, 3)
        conv(f"{name}.conv_out", classes, middle, 1)
    return shapes


def yakhyo_names(weights: Weights) -> Weights:
    """The same weights under the names of yakhyo/face-parsing, with the classifier that its backbone keeps."""
    names = {
        "cp.resnet.": "fpn.backbone.", "cp.": "fpn.", "ffm.convblk.": "ffm.conv_block.",
        ".conv.bn.": ".conv_block.norm.", ".conv.conv.": ".conv_block.conv.", "_block.bn.": "_block.norm.",
        ".conv_atten.": ".attention.0.", ".bn_atten.": ".attention.1.", ".conv_out.": ".conv.",
        "head32.bn.": "head32.norm.", "head16.bn.": "head16.norm.", "conv_avg.bn.": "conv_avg.norm.",
    }  # fmt: skip
    renamed = {}
    for name, value in weights.items():
        for ours, theirs in names.items():
            name = name.replace(ours, theirs)
        renamed[name] = value
    last = weights["cp.resnet.layer4.0.conv1.weight"].shape[0]
    return renamed | {"fpn.backbone.fc.weight": torch.zeros(1000, last), "fpn.backbone.fc.bias": torch.zeros(1000)}


def bisenet(w: Weights, rgb: Tensor) -> Tensor:
    """RGB 0..255 (n, 3, h, w), sides multiples of 32, to scores (n, classes, h, w)."""

    def conv(name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = w[f"{name}.weight"]
        return F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)

    def norm(name: str, x: Tensor) -> Tensor:
        kinds = ("running_mean", "running_var", "weight", "bias")
        mean, var, scale, shift = (w[f"{name}.{kind}"][:, None, None] for kind in kinds)
        return (x - mean) / torch.sqrt(var + 1e-5) * scale + shift

    def conv_norm(name: str, x: Tensor) -> Tensor:
        return torch.relu(norm(f"{name}.bn", conv(f"{name}.conv", x)))

    def pooled(x: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(x, 1)

    def arm(name: str, x: Tensor) -> Tensor:
        x = conv_norm(f"{name}.conv", x)
        return x * torch.sigmoid(norm(f"{name}.bn_atten", conv(f"{name}.conv_atten", pooled(x))))

    def out(name: str, x: Tensor) -> Tensor:
        return conv(f"{name}.conv_out", conv_norm(f"{name}.conv", x))

    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    deviation = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    x = (rgb / 255 - mean) / deviation
    x = F.max_pool2d(torch.relu(norm("cp.resnet.bn1", conv("cp.resnet.conv1", x, 2))), 3, 2, 1)
    features = []
    for stage in range(1, 5):
        block = 0
        while f"cp.resnet.layer{stage}.{block}.conv1.weight" in w:
            name, stride = f"cp.resnet.layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            y = torch.relu(norm(f"{name}.bn1", conv(f"{name}.conv1", x, stride)))
            y = norm(f"{name}.bn2", conv(f"{name}.conv2", y))
            if f"{name}.downsample.0.weight" in w:
                x = norm(f"{name}.downsample.1", conv(f"{name}.downsample.0", x, stride))
            x = torch.relu(x + y)
            block += 1
        features.append(x)
    _, feat8, feat16, feat32 = features
    whole = conv_norm("cp.conv_avg", pooled(feat32))
    up32 = F.interpolate(arm("cp.arm32", feat32) + whole, feat16.shape[2:], mode="nearest")
    up32 = conv_norm("cp.conv_head32", up32)
    up16 = F.interpolate(arm("cp.arm16", feat16) + up32, feat8.shape[2:], mode="nearest")
    up16 = conv_norm("cp.conv_head16", up16)
    fused = conv_norm("ffm.convblk", torch.cat([feat8, up16], 1))
    fused = fused + fused * torch.sigmoid(conv("ffm.conv2", torch.relu(conv("ffm.conv1", pooled(fused)))))
    return F.interpolate(out("conv_out", fused), rgb.shape[2:], mode="bilinear", align_corners=True)


# FCN-8s (Long et al. 2015) as face_seg_fcn8s has it -------------------------------------------------------------------

VGG = {"conv1": (2, 64), "conv2": (2, 128), "conv3": (3, 256), "conv4": (3, 512), "conv5": (3, 512)}


def fcn8s_shapes(thin: int = 1) -> Shapes:
    shapes: Shapes = {}

    def conv(name: str, out: int, into: int, kernel: int) -> None:
        shapes[f"{name}.weight"] = (out, into, kernel, kernel)
        shapes[f"{name}.bias"] = (out,)

    into = 3
    for stage, (depth, channels) in VGG.items():
        for place in range(1, depth + 1):
            conv(f"{stage}_{place}", channels // thin, into, 3)
            into = channels // thin
    conv("fc6", 4096 // thin, into, 7)
    conv("fc7", 4096 // thin, 4096 // thin, 1)
    conv("score_fr", 21, 4096 // thin, 1)
    for name, kernel in (("upscore2", 4), ("upscore_pool4", 4), ("upscore8", 16)):
        shapes[f"{name}.weight"] = (21, 21, kernel, kernel)
    for name, channels in (("pool4", 512 // thin), ("pool3", 256 // thin)):
        shapes[f"scale_{name}.weight"] = (channels,)
        conv(f"score_{name}", 21, channels, 1)
    return shapes


def fcn8s(w: Weights, rgb: Tensor) -> Tensor:
    """RGB (3, h, w) to the face's probability (h, w)."""
    x = (rgb - rgb.min()) / (rgb.max() - rgb.min()) * 255
    x = x[[2, 1, 0]] - torch.tensor([104.00699, 116.66877, 122.67892])[:, None, None]
    x, height, width = x[None], *rgb.shape[1:]

    def conv(name: str, x: Tensor, padding: int = 0) -> Tensor:
        return F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], padding=padding)

    pools = {}
    for stage, (depth, _) in VGG.items():
        for place in range(1, depth + 1):
            x = torch.relu(conv(f"{stage}_{place}", x, 100 if (stage, place) == ("conv1", 1) else 1))
        x = pools[stage] = F.max_pool2d(x, 2)
    x = conv("score_fr", torch.relu(conv("fc7", torch.relu(conv("fc6", x)))))
    x = F.conv_transpose2d(x, w["upscore2.weight"], stride=2)
    for name, stage, offset, stride in (("pool4", "conv4", 5, 2), ("pool3", "conv3", 9, 8)):
        skip = conv(f"score_{name}", pools[stage] * w[f"scale_{name}.weight"][None, :, None, None])
        x = x + skip[..., offset : offset + x.shape[2], offset : offset + x.shape[3]]
        x = F.conv_transpose2d(x, w["upscore_pool4.weight" if name == "pool4" else "upscore8.weight"], stride=stride)
    x = x[0, :, 31 : 31 + height, 31 : 31 + width]
    return torch.softmax(torch.stack([x[0], x[1:].max(0).values]), 0)[1]


# weights --------------------------------------------------------------------------------------------------------------


def random_weights(shapes: Shapes, seed: int = 0) -> Weights:
    """Weights that keep what goes through a network as large as it comes in, and scores of about 1 to 10."""
    random = torch.Generator().manual_seed(seed)
    weights: Weights = {}
    for name, shape in shapes.items():
        kind = name.rsplit(".", 1)[1]
        if kind == "num_batches_tracked":
            weights[name] = torch.tensor(80000)
        elif kind == "running_var" or (kind == "weight" and len(shape) == 1):
            weights[name] = 0.5 + torch.rand(shape, generator=random)
        elif len(shape) == 1:
            weights[name] = 0.1 * torch.randn(shape, generator=random)
        else:
            into = shape[1] * shape[2] * shape[3]
            if name.startswith("up"):  # a deconvolution: every output pixel is made of (kernel / stride)^2 taps
                into = shape[0] * 4
            weights[name] = torch.randn(shape, generator=random) * (2 / into) ** 0.5
        if name.endswith("bn2.weight"):
            weights[name] *= 0.15  # residuals, which add up
        if name.startswith("score_"):
            weights[name] *= 0.01  # of pictures of 0 to 255
    return weights
