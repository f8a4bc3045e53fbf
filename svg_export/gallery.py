"""The contact sheet of one photo: the photo, its parts in colours, and their outlines over it, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from faceparse_core.parse import Parsing
from faceparse_core.parts import Rgb
from faceparse_core.rings import contours

SIDE = 800  #: px, the longer side of each of the three, at most
_GAP = 8  # px of white between them
_PALE = 0.6  # how far the photo goes towards white beneath the outlines
_FINER = 3  # lines are drawn this much larger and averaged down ...
_LINE = 2  # ... to this many px
_SHIFT = 4  # cv2.polylines takes integers with this many bits behind the point


def contact_sheet(
    rgb: NDArray[np.uint8],
    colorized: NDArray[np.uint8],
    parsings: Sequence[Parsing],
    parts: str | Iterable[str],
    colors: Sequence[Mapping[str, Rgb]],
) -> NDArray[np.uint8]:
    """uint8 RGB (h, w, 3) of a photo (H, W, 3) and what was found of `parts` in it, each at most SIDE px.

    colorized  (H, W, 3), the parts in their colours
    parsings   one for each face
    colors     of each face's outlines, by part's name; they win over the table's
    """
    height, width = rgb.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    photo = _shrunk(rgb, small)
    lines = photo
    for index, (parsing, own) in enumerate(zip(parsings, colors, strict=True)):
        marks = {name: own.get(name, part.mark) for name, part in parsing.table.by_name.items()}
        lines = outlined(lines, contours(parsing, parts), scale, marks, 0.0 if index else _PALE)
    gap = np.full((small[1], _GAP, 3), 255, np.uint8)
    return np.hstack([photo, gap, _shrunk(colorized, small), gap, lines])


def outlined(
    photo: NDArray[np.uint8],
    rings: Mapping[str, Sequence[NDArray[np.float64]]],
    scale: float,
    marks: Mapping[str, Rgb],
    pale: float = _PALE,
) -> NDArray[np.uint8]:
    """`photo` (h, w, 3), by `pale` towards white, with the rings in their parts' colours.

    The rings' pixels are `scale` of the photo's own.
    """
    paler = np.rint(photo * (1 - pale) + 255 * pale).astype(np.uint8)
    canvas = cv2.resize(paler, None, fx=_FINER, fy=_FINER, interpolation=cv2.INTER_NEAREST)
    for name, shapes in rings.items():
        # OpenCV counts from a pixel's centre, and we from its corner: half a pixel apart.
        fixed = [np.rint((ring * scale * _FINER - 0.5) * 2**_SHIFT).astype(np.int32) for ring in shapes]
        cv2.polylines(canvas, fixed, True, marks[name], _FINER * _LINE, cv2.LINE_AA, _SHIFT)
    return _shrunk(np.asarray(canvas, np.uint8), (photo.shape[1], photo.shape[0]))


def _shrunk(rgb: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """`rgb` at (width, height)."""
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
