"""Lines -> few cubic Beziers.

Approach. The nodes are chosen over the whole line. Every span between two candidate nodes asks for one cubic whose ends
and end tangents are those of the line; the two lengths that remain are found by least squares with one correction of
the parameters. How far one cubic can reach is searched from all candidates of all lines at once (doubling, then cutting
what is left in four); jumping along those reaches gives the fewest segments and the room of each node, and dynamic
programming over that room gives the best fitting chain. Nodes inside a line share their tangent, so curves run smoothly
through them. Then the nodes are moved to where they fit best (`polish`); that brings curves back that strayed, so the
search may be bold. At the end every point of the line is checked, and a segment that strays is split where it is worst.

Limits. That longer spans fit worse is assumed by the search, not guaranteed: a chain can have a segment more than the
true minimum. Lines that cross each other after fitting are not seen here (see `stitch`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceparse_core.arrays import distinct
from svg_export.curves import Floats, Ints, Lines, spread, travelled, unit
from svg_export.polish import Chain, polish

Floats32 = NDArray[np.float32]
Reals = NDArray[np.floating[Any]]  # the search runs in single precision, the last step in double


@dataclass(frozen=True)
class Fitted:
    """Cubic Beziers, in the order of the lines they were fitted to."""

    control: Floats  #: (segments, 4, 2)
    line: Ints  #: (segments,) index of the line
    start: Ints  #: (segments,) index into the line's points where the segment starts
    end: Ints  #: (segments,)


def fit(lines: Lines, direction: Floats, tolerance: Floats, spacing: Ints) -> Fitted:
    """The fewest cubics (nearly) that stay within `tolerance` of the points.

    direction   (n, 2) unit vectors along the line
    tolerance   (n,) px
    spacing     (lines,) points between two candidate nodes
    """
    along = travelled(lines.points)
    candidates, first = _candidates(lines, spacing)
    samples = _Samples.of(lines, direction, _LOOSE * tolerance, along, candidates)
    start, end = (candidates[each] for each in _nodes(samples, first, _reaches(samples, first)))
    points, direction = lines.points.copy(), direction.copy()
    chain = Chain(np.zeros((len(start), 4, 2)), start, end)
    # a ring has two nodes at least: of one, Blender fills nothing, and its handles would have to do too much
    rings = np.flatnonzero((points[start] == points[end]).all(axis=1) & (end - start > 1))
    _split(chain, rings, (start[rings] + end[rings]) // 2)
    chain.control = _final(points, direction, along, chain.start, chain.end)
    fresh = np.arange(len(chain.start))
    rounds = _ROUNDS
    while len(fresh):
        polish(chain, lines.points, tolerance, along, fresh, rounds)
        rounds = max(rounds - 1, 1)  # what is polished later has neighbours that are in place
        moved = np.flatnonzero(chain.end[:-1] == chain.start[1:])  # a curve that is split keeps its polished ends
        points[chain.end[moved]] = chain.control[moved, 3]
        direction[chain.end[moved]] = unit(chain.control[moved + 1, 1] - chain.control[moved + 1, 0])
        touched = distinct(np.clip(np.concatenate([fresh - 1, fresh, fresh + 1]), 0, len(chain.start) - 1))
        control, start, end = chain.control[touched], chain.start[touched], chain.end[touched]
        worst, error = _worst(lines.points, tolerance, along, control, start, end)
        bad = (error > _STRAY) & (end - start > 1)
        fresh = _split(chain, touched[bad], worst[bad])
        chain.control[fresh] = _final(points, direction, along, chain.start[fresh], chain.end[fresh])
    return Fitted(chain.control, np.searchsorted(lines.starts, chain.start, "right") - 1, chain.start, chain.end)


def _split(chain: Chain, which: Ints, at: Ints) -> Ints:
    """Split the curves `which` at the points `at`, in place; where the new ones stand, not yet fitted."""
    parts = np.ones(len(chain.start), np.int64)
    parts[which] = 2
    second = which + np.arange(1, len(which) + 1)
    start, end = np.repeat(chain.start, parts), np.repeat(chain.end, parts)
    start[second] = end[second - 1] = at
    chain.start, chain.end, chain.control = start, end, np.repeat(chain.control, parts, axis=0)
    return np.sort(np.concatenate([second - 1, second]))


def refit(lines: Lines, direction: Floats, tolerance: Floats, spacing: Ints, fitted: Fitted, which: Ints) -> Fitted:
    """The same curves, but those of the lines `which` fitted again."""
    points = spread(lines.starts[which], lines.lengths[which])
    starts = np.concatenate([[0], np.cumsum(lines.lengths[which])])
    some = Lines(lines.points[points], starts, lines.closed[which])
    again = fit(some, direction[points], tolerance[points], np.maximum(spacing[which] // 2, 1))
    kept = ~np.isin(fitted.line, which)
    control = np.concatenate([fitted.control[kept], again.control])
    start = np.concatenate([fitted.start[kept], points[again.start]])
    end = np.concatenate([fitted.end[kept], points[again.end]])
    line = np.concatenate([fitted.line[kept], which[again.line]])
    order = np.argsort(start, kind="stable")
    return Fitted(control[order], line[order], start[order], end[order])


_LOOSE = 1.7  # the search may stray that much further: polishing brings it back
_STRAY = 1.2  # of the tolerance: what strays further is split
_ROUNDS = 4  # of polishing, at first
_INNER = 12  # points at which a span is measured
_TRIES = 7  # places tried for each node
_AT = ((np.arange(_INNER) + 1) / (_INNER + 1)).astype(np.float32)
_FINE = 0.5  # px between the samples of a line


@dataclass(frozen=True)
class _Samples:
    """The lines as the search reads them, in single precision: evenly sampled, and the candidates on them."""

    x: Floats32  # (samples,)
    y: Floats32
    weight: Floats32  # 1 / tolerance
    place: Floats32  # (candidates,) where they stand among the samples
    nodes: Floats32  # (4, candidates) x, y and the unit tangent of each

    @classmethod
    def of(cls, lines: Lines, direction: Floats, tolerance: Floats, along: Floats, candidates: Ints) -> _Samples:
        points = lines.points - lines.points[:1]  # the same whatever lines follow
        at = np.arange(int(along[-1] / _FINE) + 2) * _FINE
        x, y, weight = (np.interp(at, along, each).astype(np.float32) for each in (*points.T, 1 / tolerance))
        nodes = np.concatenate([points[candidates], direction[candidates]], axis=1).T
        place = along[candidates] / _FINE
        return cls(x, y, weight, place.astype(np.float32), np.ascontiguousarray(nodes, np.float32))


def _candidates(lines: Lines, spacing: Ints) -> tuple[Ints, Ints]:
    """Where nodes may stand: indices into the points, evenly spread over each line; where each line's begin, and n."""
    pieces = np.maximum(np.ceil((lines.lengths - 1) / spacing).astype(np.int64), 1)
    count = pieces + 1
    first = np.concatenate([[0], np.cumsum(count)])
    line = np.repeat(np.arange(len(lines)), count)
    place = np.arange(first[-1]) - first[line]
    return lines.starts[line] + np.rint(place * (lines.lengths[line] - 1) / pieces[line]).astype(np.int64), first


def _reaches(samples: _Samples, first: Ints) -> Ints:
    """The farthest candidate that one cubic reaches from each; the last of a line reaches itself.

    Searched from every fourth candidate, by doubling and then by cutting in four what is left; the others reach at
    least as far as the one before and at most as far as the one after. All are asked at once, and several steps ahead:
    a few large questions cost less than many small ones.
    """
    count = np.diff(first)
    line = np.repeat(np.arange(len(count)), count)
    here, last = np.arange(first[-1]), first[1:][line] - 1
    reach: Ints = np.minimum(here + 1, last)
    fail = last + 1

    def ask(source: Ints, targets: Ints) -> None:
        """Try increasing targets (n, k) for the sources (n,); those between `reach` and `fail` count."""
        asked = (targets > reach[source, None]) & (targets < fail[source, None])
        asked[:, 1:] &= targets[:, 1:] > targets[:, :-1]
        good = ~asked
        row, column = np.nonzero(asked)
        good[asked] = _errors(samples, source[row], targets[row, column]) <= 1
        passed = np.logical_and.accumulate(good, axis=1)
        reach[source] = np.maximum(reach[source], np.where(asked & passed, targets, 0).max(axis=1))
        fail[source] = np.minimum(fail[source], np.where(asked & ~good, targets, fail[source, None]).min(axis=1))

    def narrow(active: Ints) -> None:
        while len(active := active[fail[active] - reach[active] > 1]):
            low, high = reach[active, None], fail[active, None]
            ask(active, low + (high - low) * np.arange(1, 4) // 4)

    sparse = (here - first[line]) % 4 == 0
    coarse = active = np.flatnonzero(sparse & (reach < last))
    steps = np.array([4, 8, 16])
    while len(active):
        ask(active, np.minimum(active[:, None] + steps, last[active, None]))
        active = active[(reach[active] < last[active]) & (fail[active] > last[active])]
        steps = steps * 8
    narrow(coarse)
    before = np.maximum.accumulate(np.where(sparse, here, 0))
    after = before + 4
    inner = np.flatnonzero(~sparse & (here < last))
    reach[inner] = np.maximum(reach[inner], reach[before[inner]])
    known = inner[after[inner] <= last[inner]]
    fail[known] = np.minimum(fail[known], np.maximum(reach[after[known]], reach[known]) + 1)
    narrow(inner)
    return reach


def _nodes(samples: _Samples, first: Ints, reach: Ints) -> tuple[Ints, Ints]:
    """Start and end (candidates) of each segment: the fewest, and of those the best fitting.

    Jumping as far as possible gives the least number of segments and how far along each node may stand; how far back
    it may stand is where the rest can still be done in the segments left. Between the two, a few places for each
    node are tried with all of the next node, and the chain with the least sum of squared errors is taken.
    """
    farthest, nearest, segments = _rooms(first, reach)
    room = np.maximum(farthest - nearest, 0)[:, None]
    tries, number = np.minimum(room, _TRIES - 1), np.arange(_TRIES)
    place = farthest[:, None] - number * room // np.maximum(tries, 1)  # (nodes, _TRIES)
    tried = number <= tries

    line = np.repeat(np.arange(len(segments)), segments + 1)
    before = np.flatnonzero(line[1:] == line[:-1])  # the node at the start of each segment
    source, target = np.broadcast_arrays(place[before, :, None], place[before + 1, None, :])
    possible = tried[before, :, None] & tried[before + 1, None, :] & (source < target)
    error = _errors(samples, source[possible], target[possible]).astype(np.float64)
    cost = np.full(source.shape, np.inf)  # (segments, places of its start, places of its end)
    cost[possible] = error**2 + np.where(error > 1.0, 20.0, 0.0)

    # all lines at once: the first segment of each, the second of each ..
    origin = np.cumsum(segments) - segments
    rounds = [np.flatnonzero(segments > depth) for depth in range(int(segments.max(initial=0)))]
    best = np.zeros((len(segments), _TRIES))
    via = np.zeros((len(before), _TRIES), np.int64)
    for depth, some in enumerate(rounds):
        chains = best[some, :, None] + cost[origin[some] + depth]
        via[origin[some] + depth], best[some] = chains.argmin(axis=1), chains.min(axis=1)
    start, end = np.zeros(len(before), np.int64), np.zeros(len(before), np.int64)
    chosen = np.zeros(len(segments), np.int64)  # the place of the segment's end
    for depth, some in reversed(list(enumerate(rounds))):
        segment = origin[some] + depth
        end[segment] = place[before[segment] + 1, chosen[some]]
        chosen[some] = via[segment, chosen[some]]
        start[segment] = place[before[segment], chosen[some]]
    return start, end


def _rooms(first: Ints, reach: Ints) -> tuple[Ints, Ints, Ints]:
    """Between which candidates each node may stand, line after line with its ends; and the segments of each line."""
    jumps = reach.tolist()
    left = [0] * len(jumps)  # segments from here to the line's end
    farthest, nearest, segments = [], [], []
    for begin, stop in zip(first[:-1].tolist(), first[1:].tolist(), strict=True):
        closest: list[int] = []  # from where on the end is 0 segments away at most, or 1 ..
        for at in range(stop - 1, begin - 1, -1):
            if at < stop - 1:
                left[at] = left[jumps[at]] + 1
            if left[at] == len(closest):
                closest.append(at)
            closest[-1] = at
        at, total = begin, left[begin]
        segments.append(total)
        nearest += [begin, *closest[:total][::-1]]
        farthest.append(at)
        for _ in range(total):
            at = jumps[at]
            farthest.append(at)
    return np.array(farthest), np.array(nearest), np.array(segments)


def _errors(samples: _Samples, start: Ints, end: Ints) -> Floats32:
    """Largest distance from the cubic over each span, from candidate to candidate, relative to the tolerance there."""
    error = np.empty(len(start), np.float32)
    for first in range(0, len(start), 2048):  # chunks stay in the processor's cache
        part = slice(first, first + 2048)
        error[part] = _chunk_errors(samples, start[part], end[part])
    return error


def _chunk_errors(samples: _Samples, start: Ints, end: Ints) -> Floats32:
    s = samples
    before = s.place[start]
    length = s.place[end] - before
    index = (before + length * _AT[:, None] + np.float32(0.5)).astype(np.int64)
    (x0, y0, ax, ay), (x1, y1, bx, by) = s.nodes[:, start], s.nodes[:, end]
    span = _Span(
        _AT[:, None], s.x[index] - x0, s.y[index] - y0,
        x1 - x0, y1 - y0, ax, ay, -bx, -by, np.maximum(length * np.float32(_FINE), np.float32(1e-6)),
    )  # fmt: skip
    weight = s.weight[index] ** 2
    error = (span.first_guess() * weight).max(axis=0)
    again = np.flatnonzero((error > 1) & (error < 4))  # parameters by length along the line are only a first guess
    if len(again):
        closer = span.only(again)
        closer.solve()
        error[again] = (closer.correct() * weight[:, again]).max(axis=0)
    distance: Floats32 = np.sqrt(error)
    return distance


@dataclass
class _Span:
    """Many spans with their cubics, at m points each: arrays (m, spans) and (spans,). Origin: the span's start."""

    t: Reals  # (m, spans) parameters of the points
    qx: Reals
    qy: Reals
    dx: Reals  # (spans,) the span's end
    dy: Reals
    ax: Reals  # unit tangent at the start
    ay: Reals
    bx: Reals  # unit tangent at the end, pointing back
    by: Reals
    length: Reals  # along the line
    alpha: Reals | None = None  # lengths of the handles
    beta: Reals | None = None

    def only(self, which: Ints) -> _Span:
        return _Span(
            self.t[:, which], self.qx[:, which], self.qy[:, which],
            *(each[which] for each in (self.dx, self.dy, self.ax, self.ay, self.bx, self.by, self.length)),
        )  # fmt: skip

    def solve(self) -> None:
        """Least squares for the handles' lengths at the present parameters."""
        t, u = self.t, 1 - self.t
        b1 = 3 * u * t
        b2 = b1 * t
        b1 = b1 * u
        b23 = b2 + t * t * t
        rx, ry = self.qx - b23 * self.dx, self.qy - b23 * self.dy
        squares = ((one * two).sum(0) for one, two in ((b1, b1), (b1, b2), (b2, b2)))
        self._handles(*squares, *((basis * each).sum(0) for basis in (b1, b2) for each in (rx, ry)))

    def correct(self) -> Reals:
        """Move the parameters to the feet of the points on the cubics; squared distances (m, spans) from there."""
        ax, ay, bx, by = self._drawn
        # as powers of t: the cubic from 0 over a and d + b to d
        cx, cy = 3 * (self.dx + bx - 2 * ax), 3 * (self.dy + by - 2 * ay)
        fx, fy = 3 * (ax - bx) - 2 * self.dx, 3 * (ay - by) - 2 * self.dy
        t, ax, ay = self.t, 3 * ax, 3 * ay
        ex, ey = self.qx - ((fx * t + cx) * t + ax) * t, self.qy - ((fy * t + cy) * t + ay) * t
        fx, fy, cx, cy = 3 * fx, 3 * fy, 2 * cx, 2 * cy
        return self._moved(ex, ey, (fx * t + cx) * t + ax, (fy * t + cy) * t + ay)

    def first_guess(self) -> Reals:
        """`solve` and `correct` where the parameters are _AT: of matrices that are the same for all spans."""
        bases, squares = _BASES[:2], _BASES[:2] @ _BASES.T
        r1x, r2x = bases @ self.qx - squares[:, 2:] * self.dx
        r1y, r2y = bases @ self.qy - squares[:, 2:] * self.dy
        self._handles(squares[0, 0], squares[0, 1], squares[1, 1], r1x, r1y, r2x, r2y)
        ax, ay, bx, by = self._drawn
        x, y = np.stack([ax, bx, self.dx]), np.stack([ay, by, self.dy])
        return self._moved(self.qx - _BASES.T @ x, self.qy - _BASES.T @ y, _SPEEDS.T @ x, _SPEEDS.T @ y)

    def _handles(self, s11: Reals, s12: Reals, s22: Reals, r1x: Reals, r1y: Reals, r2x: Reals, r2y: Reals) -> None:
        """The handles from the sums of the normal equations; a third of the span where they are not sane."""
        s12 = s12 * (self.ax * self.bx + self.ay * self.by)
        r1, r2 = r1x * self.ax + r1y * self.ay, r2x * self.bx + r2y * self.by
        det = s11 * s22 - s12 * s12
        det = np.where(np.abs(det) < 1e-6 * s11 * s22 + 1e-12, np.inf, det)
        alpha, beta = (r1 * s22 - r2 * s12) / det, (s11 * r2 - s12 * r1) / det
        sane = (np.minimum(alpha, beta) >= 0.05 * self.length) & (np.maximum(alpha, beta) <= self.length)
        third = self.length / 3
        self.alpha, self.beta = np.where(sane, alpha, third), np.where(sane, beta, third)

    @property
    def _drawn(self) -> tuple[Reals, Reals, Reals, Reals]:
        """The handles as vectors."""
        assert self.alpha is not None
        assert self.beta is not None
        return self.ax * self.alpha, self.ay * self.alpha, self.bx * self.beta, self.by * self.beta

    def _moved(self, ex: Reals, ey: Reals, vx: Reals, vy: Reals) -> Reals:
        """Take a step along the cubics from where they miss the points by e; what is left, squared (m, spans)."""
        step = (ex * vx + ey * vy) / (vx * vx + vy * vy + np.float32(1e-9))
        t = np.minimum(np.maximum(self.t + step, 0), 1)
        step = t - self.t
        self.t = t
        ex -= step * vx
        ey -= step * vy
        squared: Reals = ex * ex + ey * ey
        return squared


# The cubic from 0 over a and d + b to d, and its speed, at _AT: of a, b and d (3, m).
_BASES = np.stack([3 * _AT * (1 - _AT) ** 2, 3 * _AT**2 * (1 - _AT), 3 * _AT**2 - 2 * _AT**3])
_SPEEDS = np.stack([3 * (1 - _AT) * (1 - 3 * _AT), 3 * _AT * (2 - 3 * _AT), 6 * _AT * (1 - _AT)])


def _final(points: Floats, direction: Floats, along: Floats, start: Ints, end: Ints) -> Floats:
    """The chosen spans once more in double precision, with more points: controls (n, 4, 2)."""
    index = (start + (end - start) * ((np.arange(24) + 0.5) / 24)[:, None] + 0.5).astype(np.int64)
    length = np.maximum(along[end] - along[start], 1e-9)
    q, d = points[index] - points[start], points[end] - points[start]
    span = _Span(
        (along[index] - along[start]) / length, q[..., 0], q[..., 1], d[:, 0], d[:, 1],
        direction[start, 0], direction[start, 1], -direction[end, 0], -direction[end, 1], length,
    )  # fmt: skip
    span.solve()
    span.correct()
    span.solve()
    assert span.alpha is not None
    assert span.beta is not None
    first = points[start] + direction[start] * span.alpha[:, None]
    second = points[end] - direction[end] * span.beta[:, None]
    return np.stack([points[start], first, second, points[end]], axis=1)


def _worst(
    points: Floats, tolerance: Floats, along: Floats, control: Floats, start: Ints, end: Ints
) -> tuple[Ints, Floats]:
    """The point within each segment farthest from its curve for its tolerance, and how far, relative to that.

    The search looks at a dozen points of a span; here every point counts.
    """
    count = end - start
    segment = np.repeat(np.arange(len(start)), count)
    index = spread(start, count)
    t = (along[index] - along[start][segment]) / np.maximum(along[end] - along[start], 1e-9)[segment]
    p = control.transpose(1, 2, 0)
    # powers of t: ((a t + b) t + c) t + start
    a, b, c = p[3] - p[0] + 3 * (p[1] - p[2]), 3 * (p[0] - 2 * p[1] + p[2]), 3 * (p[1] - p[0])
    ax, ay, bx, by, cx, cy = (each[axis][segment] for each in (a, b, c) for axis in (0, 1))
    x, y = (points[index] - control[segment, 0]).T
    for _ in range(2):  # towards the foot of the point, then what is left across the curve
        ex, ey = x - ((ax * t + bx) * t + cx) * t, y - ((ay * t + by) * t + cy) * t
        vx, vy = (3 * ax * t + 2 * bx) * t + cx, (3 * ay * t + 2 * by) * t + cy
        step = (ex * vx + ey * vy) / (vx * vx + vy * vy + 1e-9)
        step = np.clip(t + step, 0.0, 1.0) - t
        t = t + step
    off = np.hypot(ex - step * vx, ey - step * vy) / tolerance[index]
    off[index == start[segment]] = 0
    error = np.maximum.reduceat(off, np.cumsum(count) - count)
    first = np.flatnonzero(off == error[segment])
    return index[first[np.searchsorted(segment[first], np.arange(len(start)))]], error
