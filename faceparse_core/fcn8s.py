"""FCN-8s for faces, in torch. Needs the `torch` extra.

The network of Nirkin et al., "On Face Segmentation, Face Swapping, and Face Perception" (FG 2018, arXiv 1704.06729):
the FCN-8s of Long et al. (CVPR 2015, arXiv 1411.4038) on VGG-16, with its 21 classes of Pascal VOC. The state dict has
the names and shapes of the published Caffe model, as face_segmentation_pytorch keeps them: `conv1_1.weight` ..
`upscore8.weight`. As there, pooling drops an odd last row or column, where Caffe would keep it; a hundred pixels of
padding lie between that and the picture.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: What the network was trained to have subtracted: the mean of ImageNet's blue, green and red, 0..255.
MEAN_BGR = (104.00699, 116.66877, 122.67892)

_DEPTHS = (2, 2, 3, 3, 3)  # convolutions before each pooling: VGG-16's (Simonyan and Zisserman, arXiv 1409.1556)
_PADDING = 100  # of the first convolution: even a small picture is large enough for the 7 x 7 of fc6
# How far into the padded picture, in cells of each stage, the unpadded one begins: what the crops cut off.
_CROP_POOL4, _CROP_POOL3, _CROP = 5, 9, 31


class Scale(nn.Module):
    """Each channel times a number: Caffe's layer of that name."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight[:, None, None]


class FCN8s(nn.Module):
    """BGR less `MEAN_BGR`, float32 (n, 3, h, w), to class scores (n, classes, h, w). Class 0 is the background.

    h and w may be anything from 64 on; the network was trained at 500 x 500.

    base     channels of the first convolutions
    hidden   channels of fc6 and fc7
    """

    def __init__(self, classes: int = 21, base: int = 64, hidden: int = 4096) -> None:
        super().__init__()
        channels = [3, base, 2 * base, 4 * base, 8 * base, 8 * base]
        for stage, depth in enumerate(_DEPTHS, 1):
            for place in range(1, depth + 1):
                inputs = channels[stage - 1] if place == 1 else channels[stage]
                padding = _PADDING if (stage, place) == (1, 1) else 1
                self.add_module(f"conv{stage}_{place}", nn.Conv2d(inputs, channels[stage], 3, padding=padding))
        self.fc6 = nn.Conv2d(channels[5], hidden, 7)
        self.fc7 = nn.Conv2d(hidden, hidden, 1)
        self.score_fr = nn.Conv2d(hidden, classes, 1)
        self.upscore2 = nn.ConvTranspose2d(classes, classes, 4, 2, bias=False)
        self.scale_pool4 = Scale(channels[4])
        self.score_pool4 = nn.Conv2d(channels[4], classes, 1)
        self.upscore_pool4 = nn.ConvTranspose2d(classes, classes, 4, 2, bias=False)
        self.scale_pool3 = Scale(channels[3])
        self.score_pool3 = nn.Conv2d(channels[3], classes, 1)
        self.upscore8 = nn.ConvTranspose2d(classes, classes, 16, 8, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        pooled = [x]
        for stage, depth in enumerate(_DEPTHS, 1):
            y = pooled[-1]
            for place in range(1, depth + 1):
                y = F.relu(self.get_submodule(f"conv{stage}_{place}")(y))
            pooled.append(F.max_pool2d(y, 2))
        up = self.upscore2(self.score_fr(F.relu(self.fc7(F.relu(self.fc6(pooled[5]))))))
        up = self.upscore_pool4(up + _crop(self.score_pool4(self.scale_pool4(pooled[4])), up, _CROP_POOL4))
        up = self.upscore8(up + _crop(self.score_pool3(self.scale_pool3(pooled[3])), up, _CROP_POOL3))
        return _crop(up, x, _CROP)


def _crop(x: Tensor, like: Tensor, start: int) -> Tensor:
    """As much of `x`, from row and column `start` on, as `like` is high and wide."""
    return x[:, :, start : start + like.shape[2], start : start + like.shape[3]]


def stretch(rgb: Tensor) -> Tensor:
    """Each picture of (n, 3, h, w) so that its darkest value is 0 and its brightest 255; an even one becomes black."""
    low, high = rgb.amin((1, 2, 3), keepdim=True), rgb.amax((1, 2, 3), keepdim=True)
    return (rgb - low) * (255.0 / (high - low).clamp(min=1e-6))


def face_scores(scores: Tensor) -> Tensor:
    """Scores (n, classes, h, w) as (n, 2, h, w): the background's, and the best of all others', the face's.

    The softmax of the two is the face's probability.
    """
    return torch.cat([scores[:, :1], scores[:, 1:].amax(1, keepdim=True)], 1)
