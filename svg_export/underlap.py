"""Outlines that nobody sees: how far a part reaches beneath the parts painted later.

Two shapes that only abut let the page shine through when they are rendered with anti-aliasing, so a lower part reaches
beneath an upper one. Its outline there is hidden: it may lie anywhere between the border and whatever else it must not
show beside (the **danger**: outlines that later parts show against parts painted earlier than this one). It is laid
between the two, at most `reach` from the border, and given all the room there is as tolerance, so that it needs hardly
any nodes.

Limits. Offsetting is done point by point along smoothed normals, with a check of the distances afterwards, and not by an
exact offset curve: in a narrow cove the outline stays closer to the border than it might.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svg_export.curves import Bools, Floats, Ints, Lines, smooth, unit


@dataclass(frozen=True)
class Room:
    """The lengths of hidden outlines, px."""

    underlap: float  #: the least that a lower part reaches beneath an upper one, where there is room
    reach: float  #: the most
    inset: float  #: how far the head stays inside the outline of what it carries
    step: float  #: distance between two samples


def hidden_line(
    border: Floats, inset: Bools, closed: bool, danger: Floats, frame: tuple[float, float], room: Room
) -> tuple[Floats, Floats]:
    """An outline beneath upper parts: points (n, 2) and the tolerance (n,) of each.

    border   (m, 2) the smoothed border, walked with the part on the right; first and last point stay where they are
    inset    (m,) where the part already fills what lies beyond the border and must keep inside, to the right
    closed   the border is a ring (its first point is repeated)
    danger   (k, 2) points of outlines beside which nothing of the part may show
    frame    (width, height): the outline stays in the picture
    """
    count = max(4 if closed else 2, round(_length(border) / room.step) + 1)
    pick = np.rint(np.linspace(0, len(border) - 1, count)).astype(np.int64)
    line, inside = border[pick], inset[pick]
    lines = Lines(line, np.array([0, count]), np.array([closed]))
    calm = smooth(lines, np.array([min(room.reach / room.step, count / 6)]))
    padded = np.concatenate([calm[-2:-1], calm, calm[1:2]]) if closed else np.concatenate([calm[:1], calm, calm[-1:]])
    along = unit(padded[2:] - padded[:-2])
    outward = np.stack([along[:, 1], -along[:, 0]], axis=1)
    free = _distance(line, danger)
    wanted = np.where(inside, -room.inset, np.minimum(room.reach, 0.45 * free))
    if not closed:  # leave the ends at an angle
        from_end = np.minimum(np.arange(count), np.arange(count)[::-1]) * room.step
        wanted = np.clip(wanted, -0.7 * from_end, 1.5 * from_end)
    for _ in range(4):
        laid = line + wanted[:, None] * outward
        crowded = _distance(laid, line) < 0.8 * np.abs(wanted) - 1e-9
        if not crowded.any():
            break
        wanted = np.where(crowded, wanted / 2, wanted)
    laid = line + wanted[:, None] * outward
    lines = Lines(laid, np.array([0, count]), np.array([closed]))
    laid = smooth(lines, np.array([min(1.5, count / 6)]))
    laid = np.clip(laid, 0.0, np.array(frame))
    own, other = _distance(laid, line), _distance(laid, danger)
    # keep `underlap` beneath the upper part where there is that much room, half of it elsewhere
    keep = np.minimum(room.underlap, 0.5 * own)
    tolerance = np.where(inside, 0.6 * own, np.minimum(own - keep, 0.7 * other))
    return laid, np.maximum(tolerance, 0.3)


def _length(points: Floats) -> float:
    return float(np.hypot(*np.diff(points, axis=0).T).sum())


def _distance(points: Floats, others: Floats) -> Floats:
    """Distance from each of `points` (n, 2) to the nearest of `others` (m, 2); infinite where there are none."""
    if not len(others):
        return np.full(len(points), np.inf)
    middle = others.mean(axis=0)
    a, b = points - middle, others - middle
    squared = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T
    return np.sqrt(np.maximum(squared.min(axis=1), 0.0))


def inside_ring(ring: Ints, points: Floats) -> Bools:
    """Which of `points` (n, 2), none of them on it, lie inside the lattice ring (m, 2), by counting crossings."""
    start, end = ring[:-1], ring[1:]
    upright = np.flatnonzero(start[:, 1] != end[:, 1])
    x, low = start[upright, 0], np.minimum(start[upright, 1], end[upright, 1])
    crossed = (low <= points[:, 1:]) & (points[:, 1:] < low + 1) & (x > points[:, :1])
    return crossed.sum(axis=1) % 2 == 1  # type: ignore[no-any-return]
