"""The preview: photo and result side by side as one PNG, painted here from the layers, without an SVG renderer.

Good for a glance: edges are smoothed by painting large and averaging down, which is near what a browser shows and not
pixel for pixel the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from faceparse_core.errors import PhotoError
from faceparse_core.parts import PARTS, Rgb

if TYPE_CHECKING:
    from svg_export.layers import Layer, Ring

SIDE = 1600  #: px, the longer side of each half, at most
_FINER = 3  # the result is painted this much larger and averaged down
_STEPS = 12  # straight pieces that a curve becomes
_SHIFT = 4  # fillPoly takes integers with this many bits behind the point


def preview_png(rgb: NDArray[np.uint8], layers: Sequence[Layer], page: Rgb = (255, 255, 255)) -> bytes:
    """PNG bytes: `rgb` (H, W, 3) on the left, the layers over `page` on the right, at most SIDE px each."""
    height, width = rgb.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    small = (max(1, round(height * scale)), max(1, round(width * scale)))
    photo = cv2.resize(rgb, small[::-1], interpolation=cv2.INTER_AREA)
    drawn = paint(layers, (height, width), small, page)
    return png(np.hstack([photo, drawn]))


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Grey (H, W) or RGB (H, W, 3) as the bytes of a PNG."""
    written, data = cv2.imencode(".png", pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    if not written:
        raise PhotoError("is too large to be written as a PNG")
    return bytes(data)


def paint_labels(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A label map (H, W) in the table's colours, (H, W, 3): stands in for the photo where there is none."""
    return np.array([part.color for part in PARTS], np.uint8)[labels]


def paint(
    layers: Sequence[Layer], size: tuple[int, int], pixels: tuple[int, int], page: Rgb = (255, 255, 255)
) -> NDArray[np.uint8]:
    """The layers of a picture of `size` (height, width), bottom to top, painted uint8 (*pixels, 3), RGB."""
    canvas = np.full((pixels[0] * _FINER, pixels[1] * _FINER, 3), page, np.uint8)
    scale = np.array([canvas.shape[1] / size[1], canvas.shape[0] / size[0]])
    for layer in layers:
        for shape in layer.shapes:
            # fillPoly's coordinates are those of pixel centres, ours those of pixel corners: half a pixel apart.
            rings = [np.rint((flatten(ring) * scale - 0.5) * 2**_SHIFT).astype(np.int32) for ring in shape.rings]
            if rings:
                cv2.fillPoly(canvas, rings, layer.fill, shift=_SHIFT)  # several rings at once: evenodd
    return np.asarray(cv2.resize(canvas, pixels[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def flatten(ring: Ring) -> NDArray[np.float64]:
    """The ring as a polygon (m, 2), in the photo's pixels: lines as they are, curves as _STEPS pieces."""
    control = ring.points.reshape(-1, 3, 2)
    start, end = control[:, 0, None], np.roll(control[:, 0, None], -1, axis=0)
    first, second = control[:, 1, None], control[:, 2, None]
    t = (np.arange(_STEPS) / _STEPS)[:, None]
    curve = (1 - t) ** 3 * start + 3 * (1 - t) ** 2 * t * first + 3 * (1 - t) * t**2 * second + t**3 * end
    keep = np.ones(curve.shape[:2], bool)
    keep[ring.lines, 1:] = False
    return np.asarray(curve[keep], np.float64)
