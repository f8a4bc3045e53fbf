"""Where the heads are: a small network looks at the whole photo and marks the faces' centres and heights.

Small ones it looks at a second time, from nearer: flags, lamps and ears seem faces only from afar.

The network is ours (`training/finder.py`). It takes the photo fitted into a square with grey beside it, `rgb` float32
(n, 3, 192, 192), 0..255, and answers for each of 24 x 24 cells:

    heat   (n, 1, 24, 24)  how sure it is that a face's centre lies here, 0..1
    size   (n, 1, 24, 24)  that face's height as a fraction of the square
    shift  (n, 2, 24, 24)  how many cells the centre lies right of and below the cell's own centre
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faceparse_core.models import folder as MODELS
from faceparse_core.onnx_session import load_session

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

SQUARE = 192  #: side of the network's input in pixels
PADDING = 128  #: grey beside a photo that is not square
SURE_ENOUGH = 0.4  #: heat from which on a peak is a head
GUESS = 0.15  #: heat from which on it is worth a second look, nearer ...
SURE_NEARER = 0.55  #: ... the heat that a second look at something small wants: much looks like a small face ...
SURE_LARGE = 0.35  #: ... and at something large, of which the first look had a guess
FAINT = 0.2  #: ... and from which on a large face is a guess that the parser may confirm, where no head is sure
SMALL = 0.25  #: of the photo's longer side: a face lower than this is looked at again, nearer
NEARER = 3.0  #: side of the square for the second look, in face heights
MOST = 48  #: second looks at a photo, the hottest peaks first: a crowd must not take seconds
APART = 0.5  #: two centres nearer than this, in heights of the larger face, are one head found twice

#: CelebAMask-HQ's framing in face heights: the crop's side, and how far its centre lies above the face's.
CELEBA_SIDE, CELEBA_LIFT = 1.34, 0.074


@dataclass(frozen=True)
class Head:
    """A face in a photo: centre and height, in its pixels, of the box around all `parts.FACE`; score 0..1.

    `roll`: degrees by which it tilts, clockwise as one sees the photo. The box then tilts with it. The finder knows of
    none; `parse.measure_head` does.
    """

    x: float
    y: float
    size: float
    score: float
    roll: float = 0.0


@dataclass(frozen=True)
class Crop:
    """A square of the photo, in its pixels. It may reach beyond the photo's edge."""

    left: float
    top: float
    side: float


def find_heads(rgb: NDArray[np.uint8], model: str | None = None, threads: int = 0) -> tuple[Head, ...]:
    """The heads in uint8 RGB (H, W, 3), the largest first; () where there are none.

    model    path of another finder's .onnx; None takes the embedded one
    threads  of ONNX Runtime, 0 = one per core

    Raises ModelError where the model cannot be run.
    """
    session = _session(model, threads)
    longer = max(rgb.shape[:2])
    heads = []
    for head in _look(session, rgb, GUESS)[:MOST]:
        small = head.size < SMALL * longer and longer > 2 * SQUARE  # there is more to be seen than the first look saw
        if small or head.score < SURE_ENOUGH:
            heads += _look_again(session, rgb, head, SURE_NEARER if small else SURE_LARGE)
        else:
            heads.append(head)
    return tuple(sorted(_once_each(heads), key=lambda head: -head.size))


def guess_heads(rgb: NDArray[np.uint8], model: str | None = None, threads: int = 0) -> tuple[Head, ...]:
    """Large faces of which the finder has no more than a guess, as `find_heads` takes it: for a parser to confirm.

    Profiles and faces seen from below are rare among those that it learnt from, and some it knows better lying. First
    come the guesses at the photo as it is, then those at the photo turned, as upright heads and as heads that lie so;
    of each the hottest first.
    """
    session = _session(model, threads)
    middle, least = np.array(rgb.shape[1::-1]) / 2, SMALL * max(rgb.shape[:2])
    upright: list[Head] = []
    turned: list[Head] = []
    lying: list[Head] = []
    for turns, (cos, sin) in enumerate(((1, 0), (0, 1), (-1, 0), (0, -1))):  # quarters, counter-clockwise
        view = np.ascontiguousarray(np.rot90(rgb, turns))
        for head in _look(session, view, FAINT):
            if head.size < least:
                continue
            right, down = np.array((head.x, head.y)) - np.array(view.shape[1::-1]) / 2
            x, y = middle + (cos * right - sin * down, sin * right + cos * down)
            here = Head(float(x), float(y), head.size, head.score)
            (turned if turns else upright).append(here)
            if turns:
                lying.append(replace(here, roll=(90.0, 180.0, -90.0)[turns - 1]))
    return tuple(head for each in (upright, turned, lying) for head in sorted(each, key=lambda head: -head.score))


def same_place(one: Head, other: Head) -> bool:
    """Whether two are one head found twice: its centre lies within the larger one's face."""
    return bool(np.hypot(one.x - other.x, one.y - other.y) <= APART * max(one.size, other.size))


def crop_box(head: Head, side: float = CELEBA_SIDE) -> Crop:
    """The square around a head whose side is `side` face heights.

    The default is the framing of CelebAMask-HQ, which cuts high and long hair off; about 2 keeps most of it. Of a head
    that tilts it is the square to be turned by `roll` about its middle.
    """
    length, lift = side * head.size, CELEBA_LIFT * head.size
    x, y = head.x + lift * math.sin(math.radians(head.roll)), head.y - lift * math.cos(math.radians(head.roll))
    return Crop(x - length / 2, y - length / 2, length)


@lru_cache(maxsize=2)
def _session(model: str | None, threads: int) -> InferenceSession:
    if model is None:
        return load_session((MODELS / "heads.onnx").read_bytes(), threads)
    return load_session(model, threads)


def _look(session: InferenceSession, rgb: NDArray[np.uint8], least: float) -> list[Head]:
    """One look at a whole picture: its peaks of heat `least` or more, each once, the hottest first.

    The mean over the picture and its mirror image: what looks like a face by chance rarely does so both ways.
    """
    square, scale, (left, top) = _fit(rgb)
    one = square.transpose(2, 0, 1)[None].astype(np.float32)
    heat, size, shift = session.run(["heat", "size", "shift"], {"rgb": np.concatenate([one, one[..., ::-1]])})
    weight = np.stack([heat[0], heat[1, ..., ::-1]]) + 1e-6
    weight /= weight.sum(0)
    size = np.exp((weight * np.log(np.stack([size[0], size[1, ..., ::-1]]))).sum(0))
    mirrored = shift[1, ..., ::-1] * np.array([-1, 1], np.float32)[:, None, None]
    shift = weight[0] * shift[0] + weight[1] * mirrored
    heat = (heat[0, 0] + heat[1, 0, :, ::-1]) / 2

    cell = SQUARE / heat.shape[1]
    heads = []
    for row, column in _peaks(heat, least):
        x = (column + 0.5 + float(shift[0, row, column])) * cell
        y = (row + 0.5 + float(shift[1, row, column])) * cell
        height = float(size[0, row, column]) * SQUARE
        heads.append(Head((x - left) / scale, (y - top) / scale, height / scale, float(heat[row, column])))
    return _once_each(heads)


def _look_again(session: InferenceSession, rgb: NDArray[np.uint8], head: Head, least: float) -> list[Head]:
    """`head` as it is seen from nearer, where more of it can be made out; none where it is not seen again."""
    import cv2

    side = NEARER * head.size
    scale = min(1.0, 2 * SQUARE / side)  # more than the network sees need not be copied
    left, top = head.x - side / 2, head.y - side / 2
    x0, y0 = max(round(left), 0), max(round(top), 0)
    inner = rgb[y0 : max(y0, round(top + side)), x0 : max(x0, round(left + side))]
    if not inner.size:
        return []
    if scale < 1:
        size = max(1, round(inner.shape[1] * scale)), max(1, round(inner.shape[0] * scale))
        inner = cv2.resize(inner, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    near = np.full((max(1, round(side * scale)),) * 2 + (3,), PADDING, np.uint8)
    x, y = round((x0 - left) * scale), round((y0 - top) * scale)
    room = near[y : y + inner.shape[0], x : x + inner.shape[1]]
    room[:] = inner[: room.shape[0], : room.shape[1]]
    for seen in _look(session, near, least):
        again = Head(seen.x / scale + left, seen.y / scale + top, seen.size / scale, seen.score)
        close = np.hypot(again.x - head.x, again.y - head.y) < APART * head.size
        if close and 0.5 < again.size / head.size < 2:
            return [again]
    return []


def _fit(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float, tuple[int, int]]:
    """The photo in a SQUARE of grey, by how much it was scaled, and where its left top corner came to lie."""
    import cv2

    height, width = rgb.shape[:2]
    scale = SQUARE / max(height, width)
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    left, top = (SQUARE - small[0]) // 2, (SQUARE - small[1]) // 2
    square = np.full((SQUARE, SQUARE, 3), PADDING, np.uint8)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    square[top : top + small[1], left : left + small[0]] = cv2.resize(rgb, small, interpolation=way)
    return square, scale, (left, top)


def _peaks(heat: NDArray[np.float32], least: float) -> list[tuple[int, int]]:
    """(row, column) of the cells of (h, w) that are hot, and no cooler than any of their eight neighbours."""
    h, w = heat.shape
    padded = np.pad(heat, 1)
    neighbours = np.stack([padded[dy : dy + h, dx : dx + w] for dy in range(3) for dx in range(3)])
    rows, columns = np.nonzero((heat >= least) & (heat >= neighbours.max(0)))
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def _once_each(heads: list[Head]) -> list[Head]:
    """Leaves out every head whose centre lies within one of which the network is surer."""
    kept: list[Head] = []
    for head in sorted(heads, key=lambda head: -head.score):
        if not any(same_place(head, other) for other in kept):
            kept.append(head)
    return kept
