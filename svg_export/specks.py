"""Specks and slivers: pieces of a label map too small to be drawn go to the neighbour that they touch most.

The cleaning of a parsed photo (faceparse_core.clean) leaves none; label maps drawn by hand have them, mostly threads of
background between two parts that should touch.

Limits. Only whole pieces are judged: a thin tail of a large piece stays. A piece that touches nothing but the frame
stays too, and so does what is inside of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceparse_core.arrays import distinct
from svg_export.trace import BACKGROUND_RANK, OUTSIDE_RANK, PlanarMap, planar_map, rings

_LONG, _SHORT = 30, 8


def absorb(
    ranks: NDArray[np.uint8], arcs: PlanarMap, min_area: float, min_width: float, broad: frozenset[int]
) -> PlanarMap:
    """The planar map without pieces below `min_area` (px squared); `ranks` (H, W) is changed in place.

    Of the ranks in `broad`, which are never thin by nature, pieces of a mean width below `min_width` (px) go as well,
    up to _SHORT squares of that width; of the background up to _LONG, but strips along the frame stay.
    """
    looked_at = set(distinct(np.concatenate([arcs.owner, arcs.lower])).tolist()) - {OUTSIDE_RANK}
    for _ in range(3):  # specks may lie within specks
        # of those that are painted others can become small pieces, but of no other part
        looked_at = _fill(ranks, arcs, looked_at, min_area, min_width, broad)
        if not looked_at:
            break
        arcs = planar_map(ranks)
    return arcs


def _fill(
    ranks: NDArray[np.uint8],
    arcs: PlanarMap,
    looked_at: set[int],
    min_area: float,
    min_width: float,
    broad: frozenset[int],
) -> set[int]:
    """Repaint the small pieces of the ranks `looked_at`; the ranks that they were given."""
    found = []
    lengths = np.diff(arcs.starts) - 1
    for rank in sorted(looked_at & set(distinct(np.concatenate([arcs.owner, arcs.lower])).tolist())):
        # a piece of n pixels has at most 2 n + 2 steps around it
        longest = 2 * max(min_area, _LONG * min_width**2 if rank in broad else 0.0) + 2
        if lengths[(arcs.owner == rank) | (arcs.lower == rank)].min() > longest:
            continue
        for walk in rings(arcs, lambda values, rank=rank: values == rank):  # type: ignore[misc]
            length = int(sum(lengths[arc] for arc, _ in walk))
            if length > longest:
                continue
            ring = np.concatenate([arcs.arc(arc)[:-1] if ahead else arcs.arc(arc)[:0:-1] for arc, ahead in walk])
            x, y = np.concatenate([ring, ring[:1]]).T
            area = float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum()) / 2
            squares = _LONG if rank == BACKGROUND_RANK else _SHORT
            at_frame = sum(lengths[arc] for arc, ahead in walk if not ahead and arcs.owner[arc] == OUTSIDE_RANK)
            thin = rank in broad and 2 * area < min_width * length and area < squares * min_width**2
            thin = thin and 4 * at_frame < length
            if area <= 0 or not (area < min_area or thin):
                continue
            touching = np.zeros(256)
            for arc, ahead in walk:
                touching[arcs.lower[arc] if ahead else arcs.owner[arc]] += lengths[arc]
            touching[OUTSIDE_RANK] = 0
            if touching[1:].any():  # a part rather than the page
                touching[BACKGROUND_RANK] = 0
            if touching.any():
                found.append((area, ring, int(touching.argmax())))
    for _, ring, neighbour in sorted(found, key=lambda piece: -piece[0]):
        _paint(ranks, ring, neighbour)
    return {neighbour for _, _, neighbour in found}


def _paint(ranks: NDArray[np.uint8], ring: NDArray[np.int64], rank: int) -> None:
    """Fill a closed lattice ring (n, 2): a pixel is inside where an odd number of upright steps lies left of it."""
    left, top = ring.min(axis=0)
    right, bottom = ring.max(axis=0)
    after = np.roll(ring, -1, axis=0)
    upright = ring[:, 1] != after[:, 1]
    crossings = np.zeros((bottom - top, right - left + 1), np.int64)
    np.add.at(crossings, (np.minimum(ring, after)[upright, 1] - top, ring[upright, 0] - left), 1)
    inside = np.cumsum(crossings, axis=1)[:, :-1] % 2 == 1
    ranks[top:bottom, left:right][inside] = rank
