"""Lines of pixel corners -> few cubic Beziers: smoothing, corners, fitting.

Approach. All lines of a picture are handled at once, in flat arrays with a table of starts.

Smoothing is a Gaussian along the line, applied twice over (2 G - G G): that removes the staircase and, unlike a plain
Gaussian, leaves the radius of a curve as it is to second order, so that small round parts do not shrink. Ends are
fixed: the line is continued there by its own point reflection.

Corners are where a line turns by more than a threshold within a short reach; lines are cut there.

Fitting chooses the nodes over the whole line. Every span between two candidate nodes asks for one cubic whose ends
and end tangents are those of the smoothed line; the two lengths that remain are found by least squares with one
correction of the parameters. Which spans fit is searched for all candidates at once (doubling, then bisection), and the
cheapest chain of spans is found by dynamic programming: the number of segments first, then the squared errors. Nodes
inside a line share their tangent, so curves run smoothly through them.

Limits. A span's error is measured at a dozen points per span, so a narrow bump in a long smooth span can be missed; the
bumps that survive the smoothing are wider than that. That longer spans fit worse is assumed by the search, not
guaranteed: a chain can have a segment more than the true minimum. Lines that cross each other after fitting are not
seen here (see `layers`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats32 = NDArray[np.float32]


@dataclass(frozen=True)
class Lines:
    """Polylines in one flat array: line `k` is `points[starts[k]:starts[k + 1]]`.

    A closed line repeats its first point at its end.
    """

    points: Floats  #: (n, 2)
    starts: Ints  #: (lines + 1,)
    closed: Bools  #: (lines,)

    def __len__(self) -> int:
        return len(self.closed)

    @property
    def lengths(self) -> Ints:
        """Points in each line."""
        return np.diff(self.starts)

    def padded(self, reach: int, chosen: Ints) -> tuple[Floats, Ints]:
        """The chosen lines, each continued by `reach` points at both ends, and where their own points lie in that.

        Closed lines go round again; open ones are continued by their reflection through the end point.
        """
        count = self.lengths[chosen]
        wide = count + 2 * reach
        line = np.repeat(np.arange(len(chosen)), wide)
        place = np.arange(int(wide.sum())) - np.repeat(np.cumsum(wide) - wide, wide) - reach
        last = (count - 1)[line]
        base = self.starts[chosen][line]
        mirrored = np.where(place < 0, -place, np.where(place > last, 2 * last - place, place))
        mirrored = np.clip(mirrored, 0, last)
        round_again = place % np.maximum(last, 1)
        values = self.points[base + np.where(self.closed[chosen][line], round_again, mirrored)]
        outside = ((place < 0) | (place > last)) & ~self.closed[chosen][line]
        if outside.any():
            end = base[outside] + np.where(place[outside] < 0, 0, last[outside])
            values[outside] = 2 * self.points[end] - values[outside]
        return values, np.flatnonzero((place >= 0) & (place <= last))


def smooth(lines: Lines, sigma: Floats) -> Floats:
    """Smoothed points (n, 2), ends fixed; `sigma` (lines,) in points of the line, next to 0 leaves it alone."""
    points = lines.points.copy()
    for width, chosen in _classes(sigma):
        if width > 0.25:
            kernel = _gaussian(width)
            twice = -np.convolve(kernel, kernel)
            reach = len(twice) // 2
            middle = reach - len(kernel) // 2
            twice[middle : middle + len(kernel)] += 2 * kernel
            values, own = lines.padded(reach, chosen)
            points[_spread(lines.starts[chosen], lines.lengths[chosen])] = _convolved(values, twice)[own]
    ends = np.concatenate([lines.starts[:-1][~lines.closed], lines.starts[1:][~lines.closed] - 1])
    points[ends] = lines.points[ends]  # equal already but for the last bits
    points[lines.starts[1:][lines.closed] - 1] = points[lines.starts[:-1][lines.closed]]
    return points


def tangents(lines: Lines, sigma: Floats) -> Floats:
    """Unit tangents (n, 2), averaged over a Gaussian of `sigma` (lines,) points."""
    found = np.zeros_like(lines.points)
    for width, chosen in _classes(sigma):
        slope = np.gradient(_gaussian(width, int(np.ceil(3 * width)) + 1))
        values, own = lines.padded(len(slope) // 2, chosen)
        found[_spread(lines.starts[chosen], lines.lengths[chosen])] = _convolved(values, slope)[own]
    return unit(found)


def corners(lines: Lines, reach: Ints, threshold: float) -> Ints:
    """Indices into `lines.points` where a line turns by more than `threshold` (radians) within `reach` (lines,) points.

    Ends of open lines are none; of a closed line the end that repeats the start is never listed.
    """
    found = []
    for wide in np.unique(reach):
        chosen = np.flatnonzero((reach == wide) & (lines.lengths > wide))
        if not len(chosen):
            continue
        wide = int(wide)
        values, own = lines.padded(2 * wide, chosen)
        turn = np.zeros(len(values))
        before, after = values[wide:-wide] - values[: -2 * wide], values[2 * wide :] - values[wide:-wide]
        turn[wide:-wide] = _angle(before, after)
        highest = turn.copy()
        for shift in range(1, wide + 1):
            np.maximum(highest[shift:], turn[:-shift], out=highest[shift:])
            np.maximum(highest[:-shift], turn[shift:], out=highest[:-shift])
        # of equals the first: a tiny tilt makes later ones lower
        peak = (turn > threshold) & (turn >= highest)
        hit = np.flatnonzero(peak[own])
        index = _spread(lines.starts[chosen], lines.lengths[chosen])[hit]
        found.append(index)
    index = np.sort(np.concatenate(found)) if found else np.zeros(0, np.int64)
    line = np.searchsorted(lines.starts, index, "right") - 1
    first, last = lines.starts[line], lines.starts[line + 1] - 1
    inner = np.where(lines.closed[line], index < last, (index > first) & (index < last))
    index, line = index[inner], line[inner]
    near = np.zeros(len(index), np.bool_)
    near[1:] = (np.diff(index) < reach[line][1:]) & (np.diff(line) == 0)
    return index[~near]


def unit(vectors: Floats) -> Floats:
    """Vectors (n, 2) scaled to length 1; zero stays zero."""
    length = np.hypot(vectors[:, 0], vectors[:, 1])
    return cast(Floats, vectors / np.maximum(length, 1e-12)[:, None])


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
    samples = _Samples.of(lines, direction, tolerance)
    candidates, line = _candidates(lines, spacing)
    source, target, error = _spans(samples, candidates, line)
    chosen = _cheapest(len(candidates), line, source, target, 1.0 + 0.25 * error.astype(np.float64) ** 2)
    start, end = candidates[source[chosen]], candidates[target[chosen]]
    control = _final(lines.points, direction, start, end)
    return Fitted(control, line[source[chosen]], start, end)


def evaluate(control: Floats, t: Floats) -> Floats:
    """Points (n, m, 2) of cubics (n, 4, 2) at parameters (n, m) or (m,)."""
    t = np.broadcast_to(t, (len(control), np.shape(t)[-1]))[..., None]
    u = 1 - t
    p = control[:, None]
    value = u**3 * p[:, :, 0] + 3 * u * u * t * p[:, :, 1] + 3 * u * t * t * p[:, :, 2] + t**3 * p[:, :, 3]
    return cast(Floats, value)


def split(control: Floats, t: float) -> tuple[Floats, Floats]:
    """De Casteljau: one cubic (4, 2) as two."""
    a, b, c, d = control
    ab, bc, cd = a + t * (b - a), b + t * (c - b), c + t * (d - c)
    abc, bcd = ab + t * (bc - ab), bc + t * (cd - bc)
    middle = abc + t * (bcd - abc)
    return np.stack([a, ab, abc, middle]), np.stack([middle, bcd, cd, d])


def nearest(control: Floats, points: Floats, t: Floats) -> Floats:
    """Parameters (n,) of the feet of `points` (n, 2) on cubics (n, 4, 2), by Newton's steps from `t`."""
    for _ in range(4):
        u = (1 - t)[:, None]
        v = t[:, None]
        edge = np.diff(control, axis=1) * 3
        bend = np.diff(edge, axis=1) * 2
        place = evaluate(control, t[:, None])[:, 0] - points
        speed = u * u * edge[:, 0] + 2 * u * v * edge[:, 1] + v * v * edge[:, 2]
        turn = u * bend[:, 0] + v * bend[:, 1]
        down = (speed * speed).sum(1) + (place * turn).sum(1)
        down = np.where(down > 1e-12, down, np.maximum((speed * speed).sum(1), 1e-12))
        t = np.clip(t - (place * speed).sum(1) / down, 0.0, 1.0)
    return t


# ---------------------------------------------------------------------------------------------------------------------

_INNER = 12  # points at which a span is measured
_AT = ((np.arange(_INNER) + 1) / (_INNER + 1)).astype(np.float32)


@dataclass(frozen=True)
class _Samples:
    """The lines' points as the search reads them: single precision, with the length along the line."""

    x: Floats32
    y: Floats32
    tx: Floats32
    ty: Floats32
    along: Floats32
    weight: Floats32  # 1 / tolerance

    @classmethod
    def of(cls, lines: Lines, direction: Floats, tolerance: Floats) -> _Samples:
        points = lines.points - lines.points.mean(axis=0) if len(lines.points) else lines.points
        columns = (*points.T, *direction.T, _along(lines.points), 1 / tolerance)
        return cls(*(np.ascontiguousarray(column, np.float32) for column in columns))


def _along(points: Floats) -> Floats:
    step = np.hypot(*np.diff(points, axis=0).T)
    return np.concatenate([[0.0], np.cumsum(step)])


def _candidates(lines: Lines, spacing: Ints) -> tuple[Ints, Ints]:
    """Where nodes may stand: indices into the points, evenly spread over each line, and the line of each."""
    pieces = np.maximum(np.ceil((lines.lengths - 1) / spacing).astype(np.int64), 1)
    count = pieces + 1
    line = np.repeat(np.arange(len(lines)), count)
    place = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    index = lines.starts[line] + np.rint(place * (lines.lengths[line] - 1) / pieces[line]).astype(np.int64)
    return index, line


def _spans(samples: _Samples, candidates: Ints, line: Ints) -> tuple[Ints, Ints, Floats32]:
    """Spans (source, target: indices of candidates) that fit, with their errors relative to the tolerance."""
    n = len(candidates)
    here = np.arange(n)
    last = np.searchsorted(line, line, "right") - 1  # the last candidate of the same line
    asked: list[tuple[Ints, Ints, Floats32]] = []

    def fits(source: Ints, target: Ints) -> Bools:
        error = _errors(samples, candidates[source], candidates[target])
        good = (error <= 1) | (target == source + 1)  # neighbours always count: a chain must exist
        asked.append((source[good], target[good], error[good]))
        return good

    reach, fail = here.copy(), last + 1
    active = np.flatnonzero(here < last)
    step = 1
    while len(active):
        target = np.minimum(active + step, last[active])
        good = fits(active, target)
        reach[active[good]] = target[good]
        fail[active[~good]] = target[~good]
        active = active[good]
        active = active[reach[active] < last[active]]
        step *= 2
    active = np.flatnonzero(fail - reach > 1)
    while len(active):
        target = (reach[active] + fail[active]) // 2
        good = fits(active, target)
        reach[active[good]] = target[good]
        fail[active[~good]] = target[~good]
        active = active[fail[active] - reach[active] > 1]
    for share in (0.92, 0.84, 0.76, 0.68, 0.6):  # a shorter span may put the nodes where they serve better
        target = here + np.rint((reach - here) * share).astype(np.int64)
        useful = np.flatnonzero((target > here + 1) & (target < reach))
        if len(useful):
            fits(useful, target[useful])
    source, target, error = (np.concatenate(column) for column in zip(*asked, strict=True))
    return source, target, error


def _errors(samples: _Samples, start: Ints, end: Ints) -> Floats32:
    """Largest distance from the cubic over each span, relative to the tolerance there."""
    error = np.empty(len(start), np.float32)
    for first in range(0, len(start), 2048):  # chunks stay in the processor's cache
        part = slice(first, first + 2048)
        error[part] = _chunk_errors(samples, start[part], end[part])
    return error


def _chunk_errors(samples: _Samples, start: Ints, end: Ints) -> Floats32:
    s = samples
    index = (start[:, None] + (end - start)[:, None] * _AT + np.float32(0.5)).astype(np.int64)
    x0, y0 = s.x[start][:, None], s.y[start][:, None]
    length = (s.along[end] - s.along[start])[:, None]
    t = (s.along[index] - s.along[start][:, None]) / np.maximum(length, np.float32(1e-6))
    qx, qy = s.x[index] - x0, s.y[index] - y0
    dx, dy = s.x[end][:, None] - x0, s.y[end][:, None] - y0
    ax, ay, bx, by = s.tx[start][:, None], s.ty[start][:, None], -s.tx[end][:, None], -s.ty[end][:, None]
    alpha, beta = _lengths(t, qx, qy, dx, dy, ax, ay, bx, by, length)
    t = _nearer(t, qx, qy, dx, dy, ax * alpha, ay * alpha, bx * beta, by * beta)[0]
    alpha, beta = _lengths(t, qx, qy, dx, dy, ax, ay, bx, by, length)
    _, ex, ey = _nearer(t, qx, qy, dx, dy, ax * alpha, ay * alpha, bx * beta, by * beta)
    off: Floats32 = (ex * ex + ey * ey) * s.weight[index] ** 2
    return cast(Floats32, np.sqrt(off.max(axis=1)))


def _lengths(
    t: Floats32, qx: Floats32, qy: Floats32, dx: Floats32, dy: Floats32,
    ax: Floats32, ay: Floats32, bx: Floats32, by: Floats32, length: Floats32,
) -> tuple[Floats32, Floats32]:  # fmt: skip
    """Least squares for the lengths of the two handles, given the parameters; a third of the span where that fails."""
    u = 1 - t
    b1, b2 = 3 * u * u * t, 3 * u * t * t
    b23 = b2 + t * t * t
    rx, ry = qx - b23 * dx, qy - b23 * dy
    a11 = (b1 * b1).sum(1, keepdims=True)
    a22 = (b2 * b2).sum(1, keepdims=True)
    a12 = (b1 * b2).sum(1, keepdims=True) * (ax * bx + ay * by)
    r1 = (b1 * (rx * ax + ry * ay)).sum(1, keepdims=True)
    r2 = (b2 * (rx * bx + ry * by)).sum(1, keepdims=True)
    det = a11 * a22 - a12 * a12
    safe = np.where(np.abs(det) < 1e-6 * a11 * a22 + 1e-12, np.inf, det)
    alpha, beta = (r1 * a22 - r2 * a12) / safe, (a11 * r2 - a12 * r1) / safe
    third = length / 3
    bad = (alpha < 0.05 * length) | (beta < 0.05 * length) | (alpha > length) | (beta > length)
    return np.where(bad, third, alpha), np.where(bad, third, beta)


def _nearer(
    t: Floats32, qx: Floats32, qy: Floats32, dx: Floats32, dy: Floats32,
    ax: Floats32, ay: Floats32, bx: Floats32, by: Floats32,
) -> tuple[Floats32, Floats32, Floats32]:  # fmt: skip
    """Parameters moved towards the feet of the points, and what is left of the distance across the curve."""
    u = 1 - t
    b1, b2 = 3 * u * u * t, 3 * u * t * t
    b23 = b2 + t * t * t
    ex, ey = qx - (b23 * dx + b1 * ax + b2 * bx), qy - (b23 * dy + b1 * ay + b2 * by)
    c0, c1, c2 = 3 * u * u, 6 * u * t, 3 * t * t
    # handles are a and d + b: differences of the control points are a, d + b - a, -b
    vx, vy = c0 * ax + c1 * (dx + bx - ax) - c2 * bx, c0 * ay + c1 * (dy + by - ay) - c2 * by
    speed = vx * vx + vy * vy + np.float32(1e-9)
    step = (ex * vx + ey * vy) / speed
    moved = np.clip(t + step, 0, 1)
    step = moved - t
    return moved, ex - step * vx, ey - step * vy


def _cheapest(n: int, line: Ints, source: Ints, target: Ints, cost: Floats) -> Ints:
    """Indices of the spans that lead from every line's first candidate to its last at the least cost."""
    order = np.lexsort((target, source))
    best = [float("inf")] * n
    via = [-1] * n
    firsts = np.flatnonzero(np.diff(line, prepend=-1))
    for first in firsts.tolist():
        best[first] = 0.0
    for span, a, b, c in zip(
        order.tolist(), source[order].tolist(), target[order].tolist(), cost[order].tolist(), strict=True
    ):
        value = best[a] + c
        if value < best[b]:
            best[b] = value
            via[b] = span
    chosen = []
    sources = source.tolist()
    starts = set(firsts.tolist())
    for last in [*(firsts[1:] - 1).tolist(), n - 1][::-1] if n else []:
        at = last
        while at not in starts:
            chosen.append(via[at])
            at = sources[via[at]]
    return np.array(chosen[::-1], np.int64)


def _final(points: Floats, direction: Floats, start: Ints, end: Ints) -> Floats:
    """The chosen spans once more in double precision, with more points and corrections: controls (n, 4, 2)."""
    at = (np.arange(24) + 0.5) / 24
    index = (start[:, None] + (end - start)[:, None] * at + 0.5).astype(np.int64)
    along = _along(points)
    length = (along[end] - along[start])[:, None]
    t = (along[index] - along[start][:, None]) / np.maximum(length, 1e-9)
    origin, chord = points[start], points[end] - points[start]
    q = points[index] - origin[:, None]
    dx, dy = chord[:, :1], chord[:, 1:]
    ax, ay, bx, by = direction[start][:, :1], direction[start][:, 1:], -direction[end][:, :1], -direction[end][:, 1:]
    alpha, beta = _lengths(t, q[..., 0], q[..., 1], dx, dy, ax, ay, bx, by, length)  # type: ignore[arg-type]
    for _ in range(4):
        handles = (ax * alpha, ay * alpha, bx * beta, by * beta)
        t = _nearer(t, q[..., 0], q[..., 1], dx, dy, *handles)[0]  # type: ignore[arg-type]
        alpha, beta = _lengths(t, q[..., 0], q[..., 1], dx, dy, ax, ay, bx, by, length)  # type: ignore[arg-type]
    first = points[start] + direction[start] * alpha
    second = points[end] - direction[end] * beta
    return np.stack([points[start], first, second, points[end]], axis=1)


def _gaussian(sigma: float, reach: int | None = None) -> Floats:
    reach = max(1, int(np.ceil(3 * sigma))) if reach is None else reach
    weight = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return cast(Floats, weight / weight.sum())


def _classes(sigma: Floats) -> list[tuple[float, Ints]]:
    """Lines by their sigma: a Gaussian for each line would be slow, and sigmas a fifth apart are as good as equal."""
    steps = np.rint(np.log(np.maximum(sigma, 0.2)) / np.log(1.2)).astype(np.int64)
    return [(1.2 ** float(step), np.flatnonzero(steps == step)) for step in np.unique(steps)]


def _convolved(values: Floats, kernel: Floats) -> Floats:
    return np.stack([np.convolve(values[:, axis], kernel, "same") for axis in (0, 1)], axis=1)


def _spread(starts: Ints, counts: Ints) -> Ints:
    """Indices of the runs starts..starts + counts, one after the other."""
    before = np.cumsum(counts) - counts
    return np.arange(int(counts.sum())) + np.repeat(starts - before, counts)


def _angle(one: Floats, two: Floats) -> Floats:
    """Unsigned angle between vectors (n, 2), radians."""
    cross = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]
    return cast(Floats, np.abs(np.arctan2(cross, (one * two).sum(1))))
