"""Do the outlines of a drawing keep clear of each other? Looked at on what was drawn, rounded and put together.

What must hold: every shape is a valid polygon on the page; no two borders that show cross; a hidden outline comes out
from beneath the parts that cover it nowhere but at its ends.

All is flattened at once, a border that two outlines share into the same points, whichever way they walk it. Most
drawings are sound, and that is cheap to see; curves that cross are looked for where a shape is not valid.

Limits. Seen on _STEPS straight steps a curve: curves that run within a hundredth of a pixel of each other may still
cross. Within _NEAR of its ends a hidden outline may lie beside its cover.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import shapely

from faceparse_core.arrays import distinct
from svg_export.beziers import evaluate
from svg_export.curves import Bools, Floats, Ints

if TYPE_CHECKING:
    from svg_export.outlines import Outline

FRAME = -1  #: the source of what runs along the picture's frame

_STEPS = 16
_NEAR = 0.8  # px from its ends, where a hidden line is next to what covers it
_SHORT = 0.02  # of a stroke's length: and so may strokes that meet, which at worst is a tint
_TOUCH = 0.05  # px
_BEYOND = 1e-6  # px

#: What two crossing curves were made of (the second may be FRAME, or the first), and where they cross, (2,) px.
Crossing = tuple[int, int, Floats]
Leeway = Callable[[int, int, Floats | None], float]


def crossings(
    layers: Sequence[list[list[Outline]]],
    page: tuple[float, float],
    hidden: Bools,
    leeway: Leeway | None,
) -> list[Crossing]:
    """What crosses, or else is at fault.

    layers  shapes of each, a shape being an outer ring and its holes
    page    (width, height)
    hidden  (sources,) which sources are hidden lines
    leeway  how far, px, a hidden line (source) may come out from beneath a stroke (source) where they cross, at a
            point (2,); at None: wherever it is, at least. None: layers abut, there are no hidden lines
    """
    flat = _Flat.of(layers)
    if flat is None:
        return []
    hidden = np.append(hidden, False)  # the frame is not
    found = flat.beyond(page, 0.0 if leeway is None else _BEYOND, hidden)
    broken = flat.broken()
    if leeway is None:
        found += flat.crossing(np.flatnonzero(flat.source != FRAME))  # borders end on the frame's sides
    else:
        for shape in broken:
            found += flat.crossing(flat.of_shape(shape))
        found += flat.out_of_order(hidden, leeway)
    if not found:  # nothing crosses, and still: rings that touch, or that lie where they do not belong
        for shape, points in broken.items():
            found += [(source, FRAME, point) for point in points for source in flat.to_blame(point, shape, hidden)]
    return found


@dataclass(frozen=True)
class _Flat:
    """All outlines as polylines."""

    points: Floats  # (n, 2), of each ring in order; the last is followed by the first
    ring: Ints  # (n,)
    shape: Ints  # (n,) counted through all layers
    source: Ints  # (n,) of the side that begins at the point
    starts: Ints  # (rings + 1,)
    shape_of_ring: Ints

    @classmethod
    def of(cls, layers: Sequence[list[list[Outline]]]) -> _Flat | None:
        each = [shape for layer in layers for shape in layer]
        rings = [ring for shape in each for ring in shape]
        if not rings:
            return None
        control = np.concatenate([ring.control for ring in rings])
        source = np.concatenate([ring.source for ring in rings])
        straight = np.concatenate([ring.straight for ring in rings])
        turned = (control[:, 3, 0] < control[:, 0, 0]) | (
            (control[:, 3, 0] == control[:, 0, 0]) & (control[:, 3, 1] < control[:, 0, 1])
        )
        control[turned] = control[turned, ::-1]
        points = evaluate(control, np.arange(_STEPS + 1) / _STEPS)
        points[turned] = points[turned, ::-1]
        keep = np.ones((len(points), _STEPS), np.bool_)
        keep[straight, 1:] = False
        count = keep.sum(axis=1)
        per_ring = np.add.reduceat(count, np.cumsum([0, *(len(ring.control) for ring in rings[:-1])]))
        ring = np.repeat(np.arange(len(rings)), per_ring)
        shape_of_ring = np.repeat(np.arange(len(each)), [len(shape) for shape in each])
        return cls(
            points[:, :-1][keep],
            ring,
            shape_of_ring[ring],
            np.repeat(source, count),
            np.concatenate([[0], np.cumsum(per_ring)]),
            shape_of_ring,
        )

    @cached_property
    def _after(self) -> Ints:
        """The point that follows each."""
        after = np.arange(1, len(self.points) + 1)
        after[self.starts[1:] - 1] = self.starts[:-1]
        return after

    def beyond(self, page: tuple[float, float], slack: float, hidden: Bools) -> list[Crossing]:
        """Where strokes leave the page by more than `slack`, or by none touch its frame other than at their ends."""
        before = np.arange(len(self.points)) - 1
        before[self.starts[:-1]] = self.starts[1:] - 1
        out = ((self.points <= -slack) | (self.points >= np.array(page) + slack)).any(axis=1)
        out &= ~hidden[self.source]  # those are kept on it
        out &= (self.source != FRAME) & (self.source[before] != FRAME)
        return [(int(self.source[at]), FRAME, self.points[at]) for at in np.flatnonzero(out).tolist()]

    def broken(self) -> dict[int, list[Floats]]:
        """The shapes that are no valid polygons, or inside out, and points (2,) where they are not sound."""
        found: dict[int, list[Floats]] = {}
        x, y = self.points.T
        area = np.add.reduceat(x * y[self._after] - x[self._after] * y, self.starts[:-1])
        outer = np.diff(self.shape_of_ring, prepend=-1) > 0
        # those of fewer than three points hold nothing either
        for flat in np.flatnonzero(np.where(outer, area, -area) <= 0).tolist():
            found.setdefault(int(self.shape_of_ring[flat]), []).append(self.points[self.starts[flat]])
        wanted = ~np.isin(self.shape_of_ring, list(found))
        if wanted.any():
            place = np.cumsum(wanted) - 1
            kept = wanted[self.ring]
            rings = shapely.linearrings(self.points[kept], indices=place[self.ring[kept]])
            shapes, index = np.unique(self.shape_of_ring[wanted], return_inverse=True)
            polygons = shapely.polygons(rings, indices=index)
            for at in np.flatnonzero(~shapely.is_valid(polygons)).tolist():
                where = re.search(r"\[(\S+) (\S+)\]", shapely.is_valid_reason(polygons[at]))
                point = [float(number) for number in where.groups()] if where else polygons[at].exterior.coords[0]
                found[int(shapes[at])] = [np.array(point)]
        return found

    def of_shape(self, shape: int) -> Ints:
        """The indices of a shape's points: they follow one another, so that many broken shapes are soon looked at."""
        return np.arange(*np.searchsorted(self.shape, [shape, shape + 1]))

    def crossing(self, at: Ints) -> list[Crossing]:
        """Where the sides that begin at these points (k,) meet elsewhere than at a corner that they share."""
        sides = np.stack([self.points[at], self.points[self._after[at]]], axis=1)
        low = np.lexsort((sides[:, :, 1], sides[:, :, 0]), axis=1)
        sides = np.take_along_axis(sides, low[:, :, None], axis=1).reshape(-1, 4)
        sides, first = np.unique(sides, axis=0, return_index=True)  # a border of two parts is there twice
        source = self.source[at[first]]
        lines = shapely.linestrings(sides.reshape(-1, 2, 2))
        one, two = shapely.STRtree(lines).query(lines, predicate="intersects")
        a, b = sides[one], sides[two]
        share = np.zeros(len(one), np.bool_)
        for i in (0, 2):
            for j in (0, 2):
                share |= (a[:, i : i + 2] == b[:, j : j + 2]).all(axis=1)
        hit = np.flatnonzero((one < two) & ~share & ((source[one] != FRAME) | (source[two] != FRAME)))
        one, two = one[hit], two[hit]
        met = shapely.intersection(lines[one], lines[two])
        met = np.where(shapely.is_empty(met), shapely.points(sides[one, :2]), met)  # they only just meet
        places = shapely.get_coordinates(shapely.centroid(met))
        return list(zip(source[one].tolist(), source[two].tolist(), places, strict=True))

    def to_blame(self, point: Floats, shape: int, hidden: Bools) -> list[int]:
        """The sources of the sides of a shape that pass a point, or of all where none does; and of its hidden lines.

        (Where a hidden line leaves out a whole hole it need not pass there.)
        """
        at = self.of_shape(shape)
        at = at[self.source[at] != FRAME]
        sides = shapely.linestrings(np.stack([self.points[at], self.points[self._after[at]]], axis=1))
        passing = shapely.distance(sides, shapely.Point(point)) < _TOUCH
        blamed = self.source[at[passing | hidden[self.source[at]] | ~passing.any()]]
        return list(distinct(blamed).tolist())

    def out_of_order(self, hidden: Bools, leeway: Leeway) -> list[Crossing]:
        """Where strokes cross each other, and where hidden lines come out from beneath what covers them."""
        new = np.ones(len(self.points), np.bool_)
        new[1:] = (np.diff(self.source) != 0) | (np.diff(self.ring) != 0)
        source = self.source[new]
        # each run of one source, with the point where the next one begins
        run = np.concatenate([np.cumsum(new) - 1, np.arange(len(source))])
        last = np.append(np.flatnonzero(new)[1:], len(self.points)) - 1
        order = np.argsort(run, kind="stable")
        run, points = run[order], np.concatenate([self.points, self.points[self._after[last]]])[order]
        length = np.bincount(run[1:], np.hypot(*np.diff(points, axis=0).T) * (run[1:] == run[:-1]), len(source))
        near = np.minimum(_NEAR, np.where(hidden[source], 2, 1) * _SHORT * length)
        points, run, far = _divided(points, run, near)
        far &= np.bincount(run[far], minlength=len(source))[run] > 1
        kept, index = np.unique(run[far], return_inverse=True)
        source, lines = source[kept], shapely.linestrings(points[far], indices=index)
        drawn, shown = np.flatnonzero(source != FRAME), np.flatnonzero((source != FRAME) & ~hidden[source])
        one, two = shapely.STRtree(lines[shown]).query(lines[drawn], predicate="intersects")
        found = []
        for a, b in zip(drawn[one].tolist(), shown[two].tolist(), strict=True):
            first, second = int(source[a]), int(source[b])
            if first == second or (b < a and not hidden[first]):
                continue  # a stroke stands twice where a hidden line was given up for it
            if hidden[first] and leeway(first, second, None) == np.inf:
                continue
            points = shapely.get_coordinates(shapely.intersection(lines[a], lines[b]))
            for point in points:
                free = leeway(first, second, point) if hidden[first] else 0.0
                if free == 0.0 or (free < np.inf and _comes_out(lines[a], lines[b], point) > free):
                    found.append((first, second, point))
        return found


def _divided(points: Floats, run: Ints, near: Floats) -> tuple[Floats, Ints, Bools]:
    """Polylines, each point's number in `run` (n,), with their sides divided where they come `near` (runs,) an end.

    Returns points, runs, and which points (m,) are no nearer to their ends. Straight lines have few of their own.
    """
    first, last = np.flatnonzero(np.diff(run, prepend=-1)), np.flatnonzero(np.diff(run, append=-1))

    def away(points: Floats, run: Ints) -> Floats:
        one, two = (np.hypot(*(points - ends[run]).T) for ends in (start, end))
        distance: Floats = np.minimum(one, two)
        return distance

    start, end = points[first], points[last]
    distance = away(points, run)
    side = points[1:] - points[:-1]
    length = np.hypot(*side.T)
    limit = near[run[:-1]]
    close = np.minimum(distance[1:], distance[:-1]) <= limit
    at = np.flatnonzero(close & (run[1:] == run[:-1]) & (length > 2.1 * limit))
    share = (limit[at] / np.maximum(length[at], 1e-12))[:, None] * 1.001
    between = np.stack([points[at] + share * side[at], points[at + 1] - share * side[at]], axis=1).reshape(-1, 2)
    where = np.repeat(at + 1, 2)
    points, run = np.insert(points, where, between, axis=0), np.insert(run, where, run[where])
    return points, run, away(points, run) > near[run]


def _comes_out(line: shapely.LineString, cover: shapely.LineString, crossing: Floats) -> float:
    """How far, px, a line lies to the left of another around a crossing; those that cover run with it on the right."""
    box = shapely.box(*(crossing - 2 * _NEAR), *(crossing + 2 * _NEAR))
    near = shapely.segmentize(shapely.intersection(line, box), _NEAR / 4)
    points, corners = shapely.get_coordinates(near), shapely.get_coordinates(cover)
    start, along = corners[:-1], np.diff(corners, axis=0)
    to = points[:, None] - start
    share = np.clip((to * along).sum(-1) / np.maximum((along * along).sum(-1), 1e-12), 0.0, 1.0)
    apart = to - share[..., None] * along
    nearest = np.hypot(apart[..., 0], apart[..., 1]).argmin(axis=1)
    each = np.arange(len(points))
    side = along[nearest, 0] * to[each, nearest, 1] - along[nearest, 1] * to[each, nearest, 0]
    away = np.hypot(*apart[each, nearest].T)
    return float(np.where(side < 0, away, 0.0).max(initial=0.0))
