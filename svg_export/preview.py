"""The preview: photo and result side by side as one PNG, painted here from the layers, without an SVG renderer.

Good for a glance: edges are smoothed by painting large and averaging down, which is near what a browser shows and not
pixel for pixel the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray

from faceparse_core.errors import PhotoError
from faceparse_core.group import GroupMap, parts_of
from faceparse_core.parts import STANDARD, PartTable, Rgb
from svg_export.shapes import Face, Layer, Ring, Tone

SIDE = 1600  #: px, the longer side of each half, at most
_FINER = 3  # the result is painted this much larger and averaged down
_STEPS = 12  # straight pieces that a curve becomes
_SHIFT = 4  # fillPoly takes integers with this many bits behind the point


def preview_png(
    rgb: NDArray[np.uint8],
    faces: Sequence[Face],
    page: Rgb = (255, 255, 255),
) -> bytes:
    """PNG bytes: `rgb` (H, W, 3) on the left, the drawing over `page` on the right, at most SIDE px each."""
    height, width = rgb.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    small = (max(1, round(height * scale)), max(1, round(width * scale)))
    photo = cv2.resize(rgb, small[::-1], interpolation=cv2.INTER_AREA)
    drawn = paint(faces, (height, width), small, page)
    return png(np.hstack([photo, drawn]))


def png(pixels: GroupMap) -> bytes:
    """Grey (H, W), of 8 or 16 bits, or RGB (H, W, 3) as the bytes of a PNG."""
    written, data = cv2.imencode(".png", pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    if not written:
        raise PhotoError("is too large to be written as a PNG")
    return bytes(data)


def paint_labels(labels: GroupMap, table: PartTable = STANDARD) -> NDArray[np.uint8]:
    """A label map (H, W) in the table's colours, (H, W, 3): stands in for the photo where there is none."""
    colors = np.zeros((256, 3), np.uint8)
    colors[[part.id for part in table.parts]] = [part.color for part in table.parts]
    return colors[parts_of(labels)]


def paint(
    faces: Sequence[Face],
    size: tuple[int, int],
    pixels: tuple[int, int],
    page: Rgb = (255, 255, 255),
) -> NDArray[np.uint8]:
    """The faces of a picture of `size` (height, width), the first on top, painted uint8 (*pixels, 3), RGB."""
    canvas = np.full((pixels[0] * _FINER, pixels[1] * _FINER, 3), page, np.uint8)
    scale = np.array([canvas.shape[1] / size[1], canvas.shape[0] / size[0]])
    for face in reversed(faces):
        _paint_face(canvas, face, scale)
    return np.asarray(cv2.resize(canvas, pixels[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def _paint_face(canvas: NDArray[np.uint8], face: Face, scale: NDArray[np.float64]) -> None:
    """Paint what is drawn of one head onto the canvas, which is larger than the picture by `scale`, x and y."""
    filled = [(each.shapes, each.fill) for layer in face.layers for each in _painted(layer)]
    for shapes, fill in filled:
        for shape in shapes:
            rings = [_fixed(flatten(ring), scale) for ring in shape.rings]
            if rings:
                cv2.fillPoly(canvas, rings, fill, shift=_SHIFT)  # several rings at once: evenodd
    if outline := face.outline:
        paths = [_along(line.points[:-1].reshape(-1, 3, 2), line.points[3::3]) for line in outline.lines]
        reach = max(outline.width / 2 - 0.5 / scale.mean(), 0.01)  # fillPoly paints half a pixel beyond every edge
        for band in shapely.buffer([shapely.LineString(path) for path in paths], reach).tolist():
            rings = [_fixed(shapely.get_coordinates(ring), scale) for ring in (band.exterior, *band.interiors)]
            cv2.fillPoly(canvas, rings, outline.color, shift=_SHIFT)


def _painted(layer: Layer) -> list[Layer | Tone]:
    """A layer and what lies upon it, bottom to top."""
    return [layer, *layer.tones]


def flatten(ring: Ring) -> NDArray[np.float64]:
    """The ring as a polygon (m, 2), in the photo's pixels: lines as they are, curves as _STEPS pieces."""
    control = ring.points.reshape(-1, 3, 2)
    curve = _bent(control, np.roll(control[:, 0], -1, axis=0))
    keep = np.ones(curve.shape[:2], bool)
    keep[ring.lines, 1:] = False
    return np.asarray(curve[keep], np.float64)


def _along(control: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points along an open line, its last one too."""
    return np.concatenate([_bent(control, ends).reshape(-1, 2), ends[-1:]])


def _bent(control: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """_STEPS points (n, _STEPS, 2) along each of n curves: start and controls (n, 3, 2), ends (n, 2)."""
    start, first, second, end = (*(control[:, k, None] for k in range(3)), ends[:, None])
    t = (np.arange(_STEPS) / _STEPS)[:, None]
    curve: NDArray[np.float64] = (
        (1 - t) ** 3 * start + 3 * (1 - t) ** 2 * t * first + 3 * (1 - t) * t**2 * second + t**3 * end
    )
    return curve


def _fixed(points: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.int32]:
    """Points in OpenCV's integers, which count from a pixel's centre, and ours from its corner: half a pixel apart."""
    return np.asarray(np.rint((points * scale - 0.5) * 2**_SHIFT), np.int32)
