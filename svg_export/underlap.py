"""Outlines that nobody sees: how far a part reaches beneath the parts painted later.

Two shapes that only abut let the page shine through when they are rendered with anti-aliasing, so a lower part reaches
beneath an upper one. Its outline there is hidden: it may lie anywhere between the border and whatever else it must not
show beside (the **danger**: outlines that later parts show against parts painted earlier than this one). It is laid
between the two, at most `reach` from the border, and given all the room there is as tolerance, so that it needs hardly
any nodes.

Limits. Offsetting is done point by point along smoothed normals, with a check of the distances afterwards, and not by
an exact offset curve: in a narrow cove the outline stays closer to the border than it might.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import shapely

from faceparse_core.arrays import distinct
from svg_export.curves import Bools, Floats, Ints, Lines, as_complex, smooth, tangents, travelled
from svg_export.geometry import distance, meets, near

_HELD = 0.3  # of its distance to the border: how far the curve may stray from a hidden outline at the picture's frame


@dataclass(frozen=True)
class Room:
    """The lengths of hidden outlines, px."""

    underlap: float  #: the least that a lower part reaches beneath an upper one, where there is room
    reach: float  #: the most
    inset: float  #: how far the head stays inside the outline of what it carries
    step: float  #: distance between two samples


def hidden_line(
    border: Floats, inset: bool, closed: bool, danger: Floats, frame: tuple[float, float], room: Room
) -> tuple[Floats, Floats]:
    """An outline beneath upper parts: points (n, 2) and the tolerance (n,) of each.

    border   (m, 2) the smoothed border, walked with the part on the right; first and last point stay where they are
    inset    whether the part already fills what lies beyond the border and must keep inside, to the right
    closed   the border is a ring (its first point is repeated)
    danger   (k, 2) points of outlines beside which nothing of the part may show
    frame    (width, height): the outline stays in the picture
    """
    if not _length(border):  # two junctions came to lie on one another
        return border[[0, -1]], np.full(2, 0.15)
    best = border, np.full(len(border), 0.15)
    for reach in (room.reach, room.underlap, 0.4 * room.underlap):
        laid, tolerance = _laid(border, inset, closed, danger, frame, replace(room, reach=reach))
        if (_beyond(laid, border) > 0) == inset:
            continue
        if _is_simple(laid) and not meets(laid, border):
            return laid, tolerance
        best = laid, tolerance  # it will be cut where it crosses something (`hidden`)
    return best


def _beyond(laid: Floats, border: Floats) -> float:
    """px squared by which the part is larger when it ends at `laid`, which does not cross the border."""
    return _area(border) - _area(laid)


def _area(line: Floats) -> float:
    """px squared between a line and its chord, positive to its left."""
    x, y = (line - line[0]).T
    return float((x[1:] * y[:-1] - x[:-1] * y[1:]).sum()) / 2


def _laid(
    border: Floats, inset: bool, closed: bool, danger: Floats, frame: tuple[float, float], room: Room
) -> tuple[Floats, Floats]:
    """`hidden_line`, which may still cross itself."""
    tangent = tangents(Lines.one(border, closed), np.array([min(room.step, len(border) / 6)]))
    pick, heading = _fanned(_picked(len(border), _length(border), closed, room.step), tangent)
    line, outward = border[pick], np.stack([np.sin(heading), -np.cos(heading)], axis=1)
    count = len(line)
    danger = near(danger, line, 3 * room.reach)
    free = distance(line, danger)
    wanted = np.full(count, -room.inset) if inset else _clearance(line, outward, free, danger, room.reach)
    if not closed:  # leave the ends at an angle
        along = travelled(line)
        from_end = np.minimum(along, along[-1] - along)
        wanted = np.clip(wanted, -0.7 * from_end, 1.5 * from_end)
    laid = line + wanted[:, None] * outward
    reach, underlap = room.reach, room.underlap
    kept = ~_within(laid, line, np.minimum(np.abs(wanted), np.inf if inset else free), closed)
    if closed and kept.sum() > 3:
        first = int(np.argmax(kept[:-1]))
        order = np.concatenate([np.arange(first, count - 1), np.arange(first + 1)])
        line, laid, wanted, kept = line[order], laid[order], wanted[order], kept[order]
    elif closed:
        kept[:] = True
    kept[[0, -1]] = True
    if not closed and not inset:  # near the ends the circles are of unlike sizes, and too much may have gone
        _put_back(kept, laid, line, np.where(from_end < 2 * reach, np.minimum(0.5 * wanted, 0.6 * underlap), -np.inf))
    laid = _even(_without_spikes(_without_loops(laid[kept]), room.step), room.step)
    laid = smooth(Lines.one(laid, closed), np.array([min(1.2, len(laid) / 6)]))
    laid = _without_loops(np.clip(laid, 0.0, np.array(frame)))
    own = distance(laid, line)
    if inset:
        return laid, np.maximum(0.6 * own, 0.15)
    # keep `underlap` beneath the upper part where there is that much room, a part of it elsewhere
    spare = np.minimum(own - np.minimum(room.underlap, 0.6 * own), 0.7 * distance(laid, danger))
    # curves are held on the page by their handles, which may carry them as far again and farther
    held = ((laid <= 0.0) | (laid >= np.array(frame))).any(axis=1)
    spare[held] = np.minimum(spare[held], _HELD * own[held])
    return laid, np.maximum(spare, 0.15)


def _picked(count: int, length: float, closed: bool, step: float) -> Ints:
    """Indices of the samples of a border: `step` px apart, closer at its ends."""
    samples = max(4 if closed else 2, round(length / step) + 1)
    pick = np.rint(np.linspace(0, count - 1, samples)).astype(np.int64)
    if not closed:
        near = np.rint(np.arange(1, 4) * step / 2 * (count - 1) / max(length, 1e-9)).astype(np.int64)
        pick = np.concatenate([pick, near, count - 1 - near])
    return distinct(np.clip(pick, 0, count - 1))


def _fanned(pick: Ints, along: Floats) -> tuple[Ints, Floats]:
    """Samples and the heading (radians) of the border at each, with more of them around the tips that stick out.

    pick    (n,) indices of samples
    along   (m, 2) unit tangents at all points
    """
    tangent = as_complex(along)
    turn = tangent.copy()
    turn[1:] *= np.conj(tangent[:-1])
    heading = np.cumsum(np.angle(turn))
    parts = np.maximum(np.ceil(np.diff(heading[pick]) / 0.6), 1).astype(np.int64)  # a turn to the right is a tip
    first = np.repeat(np.arange(len(parts)), parts)
    share = (np.arange(len(first)) - np.repeat(np.cumsum(parts) - parts, parts)) / parts[first]
    at = pick[first] + np.rint(share * (pick[first + 1] - pick[first])).astype(np.int64)
    angle = heading[pick[first]] + share * (heading[pick[first + 1]] - heading[pick[first]])
    return np.concatenate([at, pick[-1:]]), np.concatenate([angle, heading[pick[-1:]]])


def _clearance(line: Floats, outward: Floats, free: Floats, danger: Floats, reach: float) -> Floats:
    """How far to go from each point: at most `reach`, in steps too short to meet the danger, keeping a margin to it.

    free   distance of each point to the danger
    """
    gone = np.minimum(0.5 * free, reach)
    for _ in range(3):
        more = np.flatnonzero(gone < reach)
        if not len(more):
            break
        room = distance(line[more] + gone[more, None] * outward[more], danger)
        gone[more] = np.minimum(gone[more] + 0.5 * np.maximum(room - 0.5 * gone[more], 0.0), reach)
    return gone


def _within(laid: Floats, line: Floats, radius: Floats, closed: bool) -> Bools:
    """Which points, offset from `line`, lie well within the circle of `radius` around some point of the line.

    Without them what remains is the outline of all the circles together.
    """
    along = travelled(line).astype(np.float32)
    apart = np.abs(along[:, None] - along)
    if closed:
        apart = np.minimum(apart, along[-1] - apart)
    # near by, circles that grow along the line hold each other's points; far off, it is the other bank of a cove
    radius = radius.astype(np.float32)
    reach = np.where(apart > 2.5 * radius, 0.97 * radius, 0.8 * radius)
    middle = line.mean(axis=0)
    (px, py), (qx, qy) = (laid - middle).astype(np.float32).T, (line - middle).astype(np.float32).T
    return cast(Bools, ((px[:, None] - qx) ** 2 + (py[:, None] - qy) ** 2 < reach * reach - 1e-4).any(axis=1))


def _put_back(kept: Bools, laid: Floats, line: Floats, depth: Floats) -> None:
    """Mark more points as kept until the line through those kept has all of `line` at `depth` to its right."""
    for _ in range(3):
        gone = np.flatnonzero(~kept)
        if not len(gone):
            return
        stay = np.flatnonzero(kept)
        after = np.searchsorted(stay, gone)
        start, end = laid[stay[after - 1]], laid[stay[after]]
        chord, to = end - start, line[gone] - start
        length = np.maximum(np.hypot(*chord.T), 1e-9)
        across = (chord[:, 0] * to[:, 1] - chord[:, 1] * to[:, 0]) / length
        beside = np.abs((chord * to).sum(1) / length - length / 2) < length / 2 + np.maximum(depth[gone], 0.0)
        short = beside & (across < depth[gone] - 1e-9)
        if not short.any():
            return
        kept[gone[short]] = True


def _is_simple(points: Floats) -> bool:
    return bool(shapely.LineString(points).is_simple)


def _without_loops(points: Floats) -> Floats:
    """The line without the loops that offsetting leaves in coves: small ones, and those that run anticlockwise."""
    for _ in range(20):
        if _is_simple(points):
            break
        cut = _first_loop(points)
        if cut is None:
            break
        start, end, crossing = cut
        points = np.concatenate([points[: start + 1], crossing[None], points[end + 1 :]])
    return points


def _without_spikes(points: Floats, width: float) -> Floats:
    """The line without what goes out and comes back by the same way."""
    for _ in range(100):
        place = as_complex(points)
        step = place[1:] - place[:-1]
        length = np.abs(step)
        back = (np.conj(step[:-1]) * step[1:]).real < -0.8 * length[:-1] * length[1:]
        back &= np.abs(place[2:] - place[:-2]) < width
        back[1:] &= ~back[:-1]
        if not back.any() or len(points) < 6:
            break
        points = points[np.concatenate([[True], ~back, [True]])]
    return points


def _first_loop(points: Floats) -> tuple[int, int, Floats] | None:
    """The shortest loop of a line: it crosses itself between points start, start + 1 and end, end + 1; and where."""
    sides = shapely.linestrings(np.stack([points[:-1], points[1:]], axis=1))
    one, two = shapely.STRtree(sides).query(sides, predicate="intersects")
    met = two - one > 1
    if (points[0] == points[-1]).all():  # a ring's ends meet, that is no loop
        met &= two - one < len(sides) - 1
    one, two = one[met], two[met]
    for at in np.lexsort((one, two - one)).tolist():
        start, end = int(one[at]), int(two[at])
        a, d, e = points[start], points[start + 1] - points[start], points[end + 1] - points[end]
        cross = d[0] * e[1] - d[1] * e[0]
        if abs(cross) < 1e-12:
            continue
        gap = points[end] - a
        crossing: Floats = a + (gap[0] * e[1] - gap[1] * e[0]) / cross * d
        loop = np.concatenate([crossing[None], points[start + 1 : end + 1]])
        after = np.roll(loop, -1, axis=0)
        if end - start < 8 or float((loop[:, 0] * after[:, 1] - loop[:, 1] * after[:, 0]).sum()) < 0:
            return start, end, crossing
    return None


def _even(points: Floats, step: float) -> Floats:
    """The same line with its points evenly spread, about `step` apart."""
    along = travelled(points)
    at = np.linspace(0.0, along[-1], max(len(points), round(along[-1] / step) + 1))
    return np.stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)], axis=1)


def _length(points: Floats) -> float:
    return float(travelled(points)[-1])
