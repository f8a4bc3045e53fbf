"""Pairs brought to one frame: square, of a size that training takes, the face where CelebAMask-HQ has it."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from faceparse_core.parts import BACKGROUND, BEARD, FACE
from faceparse_core.training.data import Pair, PairError
from faceparse_core.training.labels import UNKNOWN

LARGEST = 512  #: px: larger frames are shrunk to it; crops in training have 448 at most
SMALLEST = 192  #: px: smaller ones are enlarged to it: augmentation takes pieces of up to 160 px out of them


def resized(pair: Pair) -> Pair:
    """A square pair whose photo is as large as its label map, and both of SMALLEST to LARGEST."""
    side = max(SMALLEST, min(LARGEST, pair.labels.shape[0]))
    rgb, labels = pair.rgb, pair.labels
    if rgb.shape[0] != side:
        way = cv2.INTER_AREA if rgb.shape[0] > side else cv2.INTER_LINEAR
        rgb = cv2.resize(rgb, (side, side), interpolation=way).astype(np.uint8)
    if labels.shape[0] != side:
        labels = cv2.resize(labels, (side, side), interpolation=cv2.INTER_NEAREST).astype(np.uint8)
    return replace(pair, rgb=rgb, labels=labels)


def to_celeba_frame(pair: Pair) -> Pair:
    """`pair` cropped so that the face has the size and place that CelebAMask-HQ gives it.

    There the box of skin and features is 0.744 of the frame high and its centre lies at 0.555 of the height. What lies
    beyond the photo repeats its edge, and is unknown. Raises PairError where the labels show no face.
    """
    rows, columns = np.nonzero(np.isin(pair.labels, [*FACE, BEARD]))
    if len(rows) < 16:
        masked = set(np.unique(pair.labels).tolist()) == {BACKGROUND, UNKNOWN}
        hint = "; 255 stands for unknown: a mask's face is 1, or 255 where a classes.json says so" if masked else ""
        raise PairError(f"{pair.name}: the label map shows no face{hint}")
    height = float(rows.max() - rows.min() + 1)
    side = round(height / 0.744)
    x = round((columns.min() + columns.max() + 1) / 2 - side / 2)
    y = round((rows.min() + rows.max() + 1) / 2 - 0.555 * side)
    return Pair(pair.name, *cut_square(pair.rgb, pair.labels, x, y, side))


def cut_square(
    rgb: NDArray[np.uint8], labels: NDArray[np.uint8], x: int, y: int, side: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A square of a photo (H, W, 3) and its label map (H, W); beyond the photo its edge goes on, and is unknown."""
    height, width = labels.shape
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)
    margins = (y0 - y, y + side - y1, x0 - x, x + side - x1)
    inner = (slice(y0, y1), slice(x0, x1))
    photo = cv2.copyMakeBorder(np.ascontiguousarray(rgb[inner]), *margins, cv2.BORDER_REPLICATE)
    names = cv2.copyMakeBorder(np.ascontiguousarray(labels[inner]), *margins, cv2.BORDER_CONSTANT, value=(UNKNOWN,))
    return np.asarray(photo, np.uint8), np.asarray(names, np.uint8)
