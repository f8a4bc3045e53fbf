"""The outlines of parts, by name: closed polygons in photo pixels, finer than the pixel where the scores say more.

Approach. Marching squares on the label map, for all parts at once. Between two neighbouring pixels of different parts
lies a **crossing**, on the line from centre to centre: where the two parts' interpolated scores are equal, or half way
where the scores do not tell (cleaning drew the border, the photo ends). In a square of four pixel centres two crossings
are joined straight; where three parts meet, or two across the corner, all are joined through their mean. Both sides of
a border use the same crossings, so outlines of neighbours share every point: they neither overlap nor leave gaps; and
every pixel's centre lies inside of the outline of its own part and of no other.

The cost follows the length of the borders, plus one comparison per pixel around the parts.

Limits. The points are dense, one or two a pixel, and not smoothed: where cleaning drew a border, or in a label map of
which no scores are known, it is a staircase with its corners cut. `cv2.approxPolyDP` thins them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faceparse_core.arrays import window_of
from faceparse_core.masks import Words
from faceparse_core.parts import BACKGROUND, BY_PLANE, select_labels

if TYPE_CHECKING:
    from faceparse_core.clean import Box
    from faceparse_core.parse import Parsing

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Scores = NDArray[np.float32]

_OUTSIDE = 255  # what lies beyond the photo
#: Whether the corner (second index) is the right or the lower one of the two on a side (first index), see `_links`.
_SECOND = np.array([[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
_PLANE = np.full(256, 255)  # part id -> plane of the scores
_PLANE[list(BY_PLANE)] = np.arange(len(BY_PLANE))
_NEAREST = 0.01  # px from a pixel's centre to a crossing, at least: the centre stays on its side


def contours(parsing: Parsing, parts: Words = "all") -> dict[str, list[Floats]]:
    """The outlines of each part that is in the photo: part's name -> its rings, float64 (N, 2), x and y.

    In photo pixels: the origin is the photo's top-left corner, y runs down, and the centre of the first pixel is
    (0.5, 0.5). A ring is closed, its last point is not its first again. Outer rings run clockwise as seen on the
    screen, holes anticlockwise, so that the part always lies on the right; by the shoelace formula areas of outer rings
    are positive, those of holes negative. The largest ring comes first; parts come bottom to top.

    A pixel belongs to one part alone: the eyes are holes in `head`, and the glasses in both.
    Raises FaceParseError on unknown parts.
    """
    table = parsing.table
    wanted = select_labels(parts, table)
    found = find_rings(parsing.labels, parsing.scores, parsing.box)
    return {table.layers[part].name: found[part] for part in table.paint_order if part in wanted and part in found}


def find_rings(
    labels: NDArray[np.uint8], scores: Scores | None = None, box: Box | None = None
) -> dict[int, list[Floats]]:
    """The rings of each part in a label map (H, W), by id, as `contours` describes them; the background has none.

    scores  (classes, h, w) what the map was decided by, and `box`, x0, y0, x1, y1, what of the photo they cover
    """
    padded, left, top = _crop_and_pad(labels)
    crossings = _Crossings.find(padded, left, top)
    points = crossings.points
    if scores is not None and box is not None:
        points = points + _shifts(crossings, scores, box)[:, None] * crossings.across
    follow, via, middles = _links(padded, left, top, crossings, points)
    # Each crossing is seen from two parts: as two nodes, which lie at the same place.
    part, place = np.concatenate([crossings.one, crossings.two]), np.concatenate([points, points])
    found: dict[int, list[Floats]] = {}
    for cycle in _cycles(follow, (part != BACKGROUND) & (part != _OUTSIDE)):
        bent = via[cycle] >= 0
        ring = np.repeat(place[cycle], 1 + bent, axis=0)
        ring[(np.cumsum(1 + bent) - 1)[bent]] = middles[via[cycle][bent]]
        found.setdefault(int(part[cycle[0]]), []).append(ring)
    for rings in found.values():
        rings.sort(key=lambda ring: -abs(_area(ring)))  # stable: of equals, the one that begins further up
    return found


def _area(ring: Floats) -> float:
    """By the shoelace formula; positive where the ring runs clockwise on the screen."""
    x, y = (ring - ring[0]).T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def _crop_and_pad(labels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int, int]:
    """Cut to what is not background and a pixel around it, which is _OUTSIDE where the photo ends; and x, y of it."""
    if not labels.any():
        return np.zeros((2, 2), np.uint8), 0, 0
    rows, columns = window_of(labels)
    top, left = rows.start, columns.start
    padded = np.full((rows.stop - top + 2, columns.stop - left + 2), _OUTSIDE, np.uint8)
    inside = labels[max(top - 1, 0) : rows.stop + 1, max(left - 1, 0) : columns.stop + 1]
    y, x = int(top == 0), int(left == 0)
    padded[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    return padded, left - 1, top - 1


@dataclass(frozen=True)
class _Crossings:
    """Where a border passes between two neighbouring pixels of a padded map (h, w): beside, then below each other."""

    beside: Ints  #: r (w - 1) + c for the pixels (r, c) and (r, c + 1), ...
    below: Ints  #: ... r w + c for (r, c) and (r + 1, c); both in order
    one: NDArray[np.uint8]  #: (n,) the part of the pixel on the left, or above
    two: NDArray[np.uint8]  #: (n,) on the right, or below
    points: Floats  #: (n, 2) half way between the two centres, in photo pixels
    across: Floats  #: (n, 2) from the first centre to the second: (1, 0) or (0, 1)

    @classmethod
    def find(cls, padded: NDArray[np.uint8], left: int, top: int) -> _Crossings:
        width = padded.shape[1]
        beside = np.flatnonzero(padded[:, :-1] != padded[:, 1:])
        below = np.flatnonzero(padded[:-1] != padded[1:])
        (r, c), (s, d) = np.divmod(beside, width - 1), np.divmod(below, width)
        one, two = np.concatenate([padded[r, c], padded[s, d]]), np.concatenate([padded[r, c + 1], padded[s + 1, d]])
        points = np.stack([np.concatenate([c + 1.0, d + 0.5]), np.concatenate([r + 0.5, s + 1.0])], axis=1)
        across = np.repeat([[1.0, 0.0], [0.0, 1.0]], [len(beside), len(below)], axis=0)
        return cls(beside, below, one, two, points + (left, top), across)


def _shifts(crossings: _Crossings, scores: Scores, box: Box) -> Floats:
    """How far from half way (n,) the scores of the two parts are equal, px; 0 where they do not tell."""
    cell = (box[2] - box[0]) / scores.shape[2]
    planes = np.stack([_PLANE[crossings.one], _PLANE[crossings.two]])
    known = planes.max(axis=0) < len(scores)
    lead = []
    for way in (-0.5, 0.5):
        place = crossings.points + way * crossings.across
        known &= ((place >= box[:2]) & (place <= box[2:])).all(axis=1)
        cells = (place - box[:2]) / cell - 0.5  # 0 = the first cell's centre
        one, two = (_interpolated(scores, np.minimum(plane, len(scores) - 1), cells) for plane in planes)
        lead.append(one - two)
    known &= (lead[0] >= 0) & (lead[1] <= 0) & (lead[0] > lead[1])
    share = lead[0] / np.where(known, lead[0] - lead[1], 1.0)
    return np.where(known, np.clip(share, _NEAREST, 1 - _NEAREST) - 0.5, 0.0)


def _interpolated(scores: Scores, classes: Ints, cells: Floats) -> Floats:
    """Bilinear scores (n,) of `classes` (n,) at places (n, 2), x and y in cells; beyond the grid those of its edge."""
    _, height, width = scores.shape
    x, y = np.clip(cells[:, 0], 0, width - 1), np.clip(cells[:, 1], 0, height - 1)
    left, top = np.minimum(x.astype(np.int64), width - 2), np.minimum(y.astype(np.int64), height - 2)
    fx, fy = x - left, y - top
    upper = scores[classes, top, left] * (1 - fx) + scores[classes, top, left + 1] * fx
    lower = scores[classes, top + 1, left] * (1 - fx) + scores[classes, top + 1, left + 1] * fx
    value: Floats = upper * (1 - fy) + lower * fy
    return value


def _links(
    padded: NDArray[np.uint8], left: int, top: int, crossings: _Crossings, points: Floats
) -> tuple[Ints, Ints, Floats]:
    """How rings go on, square by square.

    A node is a crossing seen from one of its parts: `k` from `one`, `n + k` from `two`. Returns for each node the next
    one of its ring, and of which middle the ring passes in between, -1 where it goes straight; and the middles (m, 2).
    """
    count, width = len(points), padded.shape[1]
    r, c = _squares(crossings, padded.shape)
    # Clockwise from the top left: corners, and the side from each corner to the next.
    corner = np.stack([padded[r, c], padded[r, c + 1], padded[r + 1, c + 1], padded[r + 1, c]])
    above = len(crossings.beside)  # crossings between pixels above each other come after those
    side = np.stack([
        np.searchsorted(crossings.beside, r * (width - 1) + c),
        np.searchsorted(crossings.below, r * width + c + 1) + above,
        np.searchsorted(crossings.beside, (r + 1) * (width - 1) + c),
        np.searchsorted(crossings.below, r * width + c) + above,
    ])  # fmt: skip
    differs = corner != np.roll(corner, -1, axis=0)
    ends = (corner == _OUTSIDE).any(axis=0)
    crossed = differs.sum(axis=0)
    total = np.stack([np.where(differs, points[np.minimum(side, count - 1), axis], 0.0).sum(axis=0) for axis in (0, 1)])
    middles = np.where(ends, np.stack([c + left + 1, r + top + 1]), total / np.maximum(crossed, 1)).T
    # Joined straight, but where more than two parts meet; a corner of the photo is a corner.
    bent = (crossed > 2) | (ends & (differs[0] != differs[2]))

    follow, via = np.full(2 * count, -1), np.full(2 * count, -1)
    for out in range(4):  # the side by which a part's corners end, clockwise; they begin one to three corners before
        ours = [corner[out - back] == corner[out] for back in (1, 2)]
        back = np.where(ours[0], np.where(ours[1], 2, 1), 0)
        first = (out - back) % 4  # the first corner, and the side before it
        leaves = side[out] + count * _SECOND[out, out]
        enter = (first - 1) % 4
        arrives = side[enter, np.arange(len(r))] + count * _SECOND[enter, first]
        here = differs[out]
        follow[leaves[here]] = arrives[here]
        via[leaves[here]] = np.where(bent, np.arange(len(r)), -1)[here]
    return follow, via, middles


def _squares(crossings: _Crossings, shape: tuple[int, ...]) -> tuple[Ints, Ints]:
    """Rows and columns (m,) of the top-left pixels of all 2 x 2 squares through which a border passes, in order."""
    height, width = shape
    (r, c), (s, d) = np.divmod(crossings.beside, width - 1), np.divmod(crossings.below, width)
    rows, columns = np.concatenate([r, r - 1, s, s]), np.concatenate([c, c, d, d - 1])
    whole = (rows >= 0) & (rows < height - 1) & (columns >= 0) & (columns < width - 1)
    rows, columns = np.divmod(np.unique(rows[whole] * width + columns[whole]), width)
    return rows, columns


def _cycles(follow: Ints, wanted: NDArray[np.bool_]) -> list[Ints]:
    """The nodes of each closed chain, each chain beginning at its lowest."""
    ahead = follow.tolist()  # for steps one by one, lists are faster than arrays
    passed = (~wanted).tolist()
    found = []
    for first in np.flatnonzero(wanted).tolist():
        if passed[first]:
            continue
        cycle, node = [], first
        while not passed[node]:
            passed[node] = True
            cycle.append(node)
            node = ahead[node]
        found.append(np.array(cycle))
    return found
