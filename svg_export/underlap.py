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

from svg_export.curves import Bools, Floats, Ints, Lines, smooth, tangents


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
    outward = _left(tangents(_one(line, closed), np.array([min(1.5, count / 6)])))
    wanted = np.where(inside, -room.inset, np.minimum(room.reach, 0.45 * _distance(line, danger)))
    if not closed:  # leave the ends at an angle
        from_end = np.minimum(np.arange(count), np.arange(count)[::-1]) * room.step
        wanted = np.clip(wanted, -0.7 * from_end, 1.5 * from_end)
    laid = line + wanted[:, None] * outward
    for _ in range(3):
        crowded = np.flatnonzero(_distance(laid, line) < 0.8 * np.abs(wanted) - 1e-6)
        if not len(crowded):
            break
        wanted[crowded] /= 2
        laid[crowded] = line[crowded] + wanted[crowded, None] * outward[crowded]
    laid, at = _even(laid, room.step)
    laid = smooth(_one(laid, closed), np.array([min(1.2, len(laid) / 6)]))
    laid = np.clip(laid, 0.0, np.array(frame))
    own = _distance(laid, line)
    # keep `underlap` beneath the upper part where there is that much room, half of it elsewhere
    spare = np.minimum(own - np.minimum(room.underlap, 0.5 * own), 0.7 * _distance(laid, danger))
    return laid, np.maximum(np.where(inside[at], 0.6 * own, spare), 0.3)


def _one(points: Floats, closed: bool) -> Lines:
    return Lines(points, np.array([0, len(points)]), np.array([closed]))


def _left(along: Floats) -> Floats:
    return np.stack([along[:, 1], -along[:, 0]], axis=1)


def _even(points: Floats, step: float) -> tuple[Floats, Ints]:
    """The same line with its points evenly spread, about `step` apart, and for each of them the old point before it."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.linspace(0.0, along[-1], max(len(points), round(along[-1] / step) + 1))
    even = np.stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)], axis=1)
    return even, np.clip(np.searchsorted(along, at, "right") - 1, 0, len(points) - 1)


def _length(points: Floats) -> float:
    return float(np.hypot(*np.diff(points, axis=0).T).sum())


def _distance(points: Floats, others: Floats) -> Floats:
    """Distance from each of `points` (n, 2) to the nearest of `others` (m, 2); infinite where there are none."""
    if not len(others):
        return np.full(len(points), np.inf)
    middle = points.mean(axis=0)  # single precision is enough close to the origin
    a, b = (points - middle).astype(np.float32), (others - middle).astype(np.float32)
    squared = (b * b).sum(1) - 2 * a @ b.T
    nearest = squared.min(axis=1) + (a * a).sum(1)
    return np.sqrt(np.maximum(nearest, 0.0)).astype(np.float64)


def inside_ring(ring: Ints, points: Floats) -> Bools:
    """Which of `points` (n, 2), none of them on it, lie inside the lattice ring (m, 2), by counting crossings."""
    start, end = ring[:-1], ring[1:]
    upright = np.flatnonzero(start[:, 1] != end[:, 1])
    x, low = start[upright, 0], np.minimum(start[upright, 1], end[upright, 1])
    crossed = (low <= points[:, 1:]) & (points[:, 1:] < low + 1) & (x > points[:, :1])
    return crossed.sum(axis=1) % 2 == 1  # type: ignore[no-any-return]
