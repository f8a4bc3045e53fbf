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
    candidates, first = _candidates(lines, spacing)
    reach = _reaches(samples, candidates, first)
    start, end = _nodes(samples, candidates, first, reach)
    control = _final(lines.points, direction, start, end)
    for _ in range(4):
        worst, error = _worst(lines.points, tolerance, control, start, end)
        again = (error > 1.25) & (end - start > 1)
        if not again.any():
            break
        start = np.sort(np.concatenate([start, worst[again]]))
        end = np.sort(np.concatenate([end, worst[again]]))
        control = _final(lines.points, direction, start, end)
    return Fitted(control, np.searchsorted(lines.starts, start, "right") - 1, start, end)


def refit(
    lines: Lines, direction: Floats, tolerance: Floats, spacing: Ints, fitted: Fitted, which: Ints, share: float
) -> Fitted:
    """The same curves, but those of the lines `which` fitted again with a `share` of the tolerance."""
    points = _spread(lines.starts[which], lines.lengths[which])
    starts = np.concatenate([[0], np.cumsum(lines.lengths[which])])
    some = Lines(lines.points[points], starts, lines.closed[which])
    again = fit(some, direction[points], share * tolerance[points], np.maximum(spacing[which] // 2, 1))
    kept = ~np.isin(fitted.line, which)
    control = np.concatenate([fitted.control[kept], again.control])
    start = np.concatenate([fitted.start[kept], points[again.start]])
    end = np.concatenate([fitted.end[kept], points[again.end]])
    line = np.concatenate([fitted.line[kept], which[again.line]])
    order = np.argsort(start, kind="stable")
    return Fitted(control[order], line[order], start[order], end[order])


def flatten(control: Floats, steps: int = 8) -> Floats:
    """Points (n * steps + 1, 2) along n connected cubics."""
    points = evaluate(control, np.arange(steps) / steps).reshape(-1, 2)
    return np.concatenate([points, control[-1:, 3]])


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


def nearest(control: Floats, points: Floats, t: Floats, steps: int = 4) -> Floats:
    """Parameters (n,) of the feet of `points` (n, 2) on cubics (n, 4, 2), by Newton's steps from `t`."""
    for _ in range(steps):
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
_TRIES = 7  # places tried for each node
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
    """Where nodes may stand: indices into the points, evenly spread over each line; where each line's begin, and n."""
    pieces = np.maximum(np.ceil((lines.lengths - 1) / spacing).astype(np.int64), 1)
    count = pieces + 1
    first = np.concatenate([[0], np.cumsum(count)])
    line = np.repeat(np.arange(len(lines)), count)
    place = np.arange(first[-1]) - first[line]
    return lines.starts[line] + np.rint(place * (lines.lengths[line] - 1) / pieces[line]).astype(np.int64), first


def _reaches(samples: _Samples, candidates: Ints, first: Ints) -> Ints:
    """The farthest candidate that one cubic reaches from each; the last of a line reaches itself.

    Searched from every fourth candidate, by doubling and bisection; the others reach at least as far as the one before
    and at most as far as the one after.
    """
    count = np.diff(first)
    line = np.repeat(np.arange(len(count)), count)
    here, last = np.arange(first[-1]), first[1:][line] - 1
    reach, fail = np.minimum(here + 1, last), last + 1

    def ask(source: Ints, target: Ints) -> Bools:
        good = _errors(samples, candidates[source], candidates[target]) <= 1
        reach[source[good]] = target[good]
        fail[source[~good]] = target[~good]
        return good

    def bisect(active: Ints) -> None:
        while len(active := active[fail[active] - reach[active] > 1]):
            ask(active, (reach[active] + fail[active]) // 2)

    sparse = (here - first[line]) % 4 == 0
    coarse = active = np.flatnonzero(sparse & (reach < last))
    step = 4
    while len(active):
        active = active[ask(active, np.minimum(active + step, last[active]))]
        active = active[reach[active] < last[active]]
        step *= 2
    bisect(coarse)
    before = np.maximum.accumulate(np.where(sparse, here, 0))
    after = before + 4
    inner = np.flatnonzero(~sparse & (here < last))
    reach[inner] = np.maximum(reach[inner], reach[before[inner]])
    known = inner[after[inner] <= last[inner]]
    fail[known] = np.minimum(fail[known], np.maximum(reach[after[known]], reach[known]) + 1)
    bisect(inner)
    return reach


def _nodes(samples: _Samples, candidates: Ints, first: Ints, reach: Ints) -> tuple[Ints, Ints]:
    """Start and end (indices of points) of each segment: the fewest, and of those the best fitting.

    Jumping as far as possible gives the least number of segments and how far along each node may stand; how far back
    it may stand is where the rest can still be done in the segments left. Between the two, a few places for each
    node are tried with all of the next node, and the chain with the least sum of squared errors is taken.
    """
    jumps = reach.tolist()
    left = [0] * len(jumps)  # segments from here to the line's end
    windows: list[list[Ints]] = []
    sources, targets = [], []
    for begin, stop in zip(first[:-1].tolist(), first[1:].tolist(), strict=True):
        end = stop - 1
        for at in range(end - 1, begin - 1, -1):
            left[at] = left[jumps[at]] + 1
        backwards = np.array(left[begin:stop][::-1])
        total, farthest = left[begin], begin
        window = [np.array([begin])]
        for node in range(1, total):
            farthest = jumps[farthest]
            nearest_possible = stop - int(np.searchsorted(backwards, total - node, "right"))
            spread = max(farthest - nearest_possible, 0)
            tries = min(spread, _TRIES - 1)
            window.append(farthest - (np.arange(tries + 1) * spread) // max(tries, 1))
        window.append(np.array([end]))
        windows.append(window)
        for one, two in zip(window[:-1], window[1:], strict=True):
            sources.append(np.repeat(one, len(two)))
            targets.append(np.tile(two, len(one)))
    source, target = np.concatenate(sources), np.concatenate(targets)
    error = _errors(samples, candidates[source], candidates[np.maximum(target, source)]).astype(np.float64)
    cost = error**2 + np.where(error > 1.0, 20.0, 0.0) + np.where(target <= source, np.inf, 0.0)
    starts, ends = [], []
    at = 0
    for window in windows:
        best, via = np.zeros(1), []
        for one, two in zip(window[:-1], window[1:], strict=True):
            table = best[:, None] + cost[at : at + len(one) * len(two)].reshape(len(one), len(two))
            at += len(one) * len(two)
            via.append(table.argmin(axis=0))
            best = table.min(axis=0)
        place, chain = 0, []
        for node in range(len(window) - 1, 0, -1):
            chain.append(int(window[node][place]))
            place = int(via[node - 1][place])
        chain = [*chain[::-1]]
        starts += [int(window[0][0]), *chain[:-1]]
        ends += chain
    return candidates[starts], candidates[ends]


def _errors(samples: _Samples, start: Ints, end: Ints) -> Floats32:
    """Largest distance from the cubic over each span, relative to the tolerance there."""
    error = np.empty(len(start), np.float32)
    for first in range(0, len(start), 2048):  # chunks stay in the processor's cache
        part = slice(first, first + 2048)
        error[part] = _chunk_errors(samples, start[part], end[part])
    return error


def _chunk_errors(samples: _Samples, start: Ints, end: Ints) -> Floats32:
    s = samples
    span = _Span.of(s, start, end)
    span.solve()
    off = span.correct() * s.weight[span.index] ** 2
    error = off.max(axis=0)
    again = np.flatnonzero((error > 1) & (error < 100))  # parameters by length along the line are only a first guess
    if len(again):
        closer = span.only(again)
        closer.solve()
        error[again] = (closer.correct() * s.weight[closer.index] ** 2).max(axis=0)
    return cast(Floats32, np.sqrt(error))


@dataclass
class _Span:
    """Many spans with their cubics, at m points each: arrays (m, spans) and (spans,). Origin: the span's start."""

    index: Ints  # (m, spans) of the points
    t: Floats32  # (m, spans) their parameters
    qx: Floats32
    qy: Floats32
    dx: Floats32  # (spans,) the span's end
    dy: Floats32
    ax: Floats32  # unit tangent at the start
    ay: Floats32
    bx: Floats32  # unit tangent at the end, pointing back
    by: Floats32
    length: Floats32  # along the line
    alpha: Floats32 | None = None  # lengths of the handles
    beta: Floats32 | None = None

    @classmethod
    def of(cls, s: _Samples, start: Ints, end: Ints) -> _Span:
        index = (start + (end - start) * _AT[:, None] + np.float32(0.5)).astype(np.int64)
        x0, y0, before = s.x[start], s.y[start], s.along[start]
        length = np.maximum(s.along[end] - before, np.float32(1e-6))
        return cls(
            index, (s.along[index] - before) / length, s.x[index] - x0, s.y[index] - y0, s.x[end] - x0, s.y[end] - y0,
            s.tx[start], s.ty[start], -s.tx[end], -s.ty[end], length,
        )  # fmt: skip

    def only(self, which: Ints) -> _Span:
        fields = (self.index, self.t, self.qx, self.qy, self.dx, self.dy, self.ax, self.ay, self.bx, self.by, self.length)
        return _Span(*(field[..., which] for field in fields))

    def solve(self) -> None:
        """Least squares for the lengths of the handles at the present parameters; a third of the span where it fails."""
        t, u = self.t, 1 - self.t
        b1 = 3 * u * t
        b2 = b1 * t
        b1 = b1 * u
        b23 = b2 + t * t * t
        rx, ry = self.qx - b23 * self.dx, self.qy - b23 * self.dy
        a11, a22 = np.einsum("ij,ij->j", b1, b1), np.einsum("ij,ij->j", b2, b2)
        a12 = np.einsum("ij,ij->j", b1, b2) * (self.ax * self.bx + self.ay * self.by)
        r1 = np.einsum("ij,ij->j", b1, rx) * self.ax + np.einsum("ij,ij->j", b1, ry) * self.ay
        r2 = np.einsum("ij,ij->j", b2, rx) * self.bx + np.einsum("ij,ij->j", b2, ry) * self.by
        det = a11 * a22 - a12 * a12
        det = np.where(np.abs(det) < 1e-6 * a11 * a22 + 1e-12, np.inf, det)
        alpha, beta = (r1 * a22 - r2 * a12) / det, (a11 * r2 - a12 * r1) / det
        least, most = 0.05 * self.length, self.length
        bad = (alpha < least) | (beta < least) | (alpha > most) | (beta > most)
        self.alpha, self.beta = np.where(bad, self.length / 3, alpha), np.where(bad, self.length / 3, beta)

    def correct(self) -> Floats32:
        """Move the parameters to the feet of the points on the cubics; squared distances (m, spans) from there."""
        assert self.alpha is not None and self.beta is not None
        ax, ay, bx, by = self.ax * self.alpha, self.ay * self.alpha, self.bx * self.beta, self.by * self.beta
        # as powers of t: the cubic from 0 over a and d + b to d
        cx, cy = self.dx + bx - 2 * ax, self.dy + by - 2 * ay
        fx, fy = 3 * ax - 3 * bx - 2 * self.dx, 3 * ay - 3 * by - 2 * self.dy
        t = self.t
        ex = self.qx - ((fx * t + 3 * cx) * t + 3 * ax) * t
        ey = self.qy - ((fy * t + 3 * cy) * t + 3 * ay) * t
        vx, vy = (3 * fx * t + 6 * cx) * t + 3 * ax, (3 * fy * t + 6 * cy) * t + 3 * ay
        step = (ex * vx + ey * vy) / (vx * vx + vy * vy + np.float32(1e-9))
        self.t = np.clip(t + step, 0, 1)
        step = self.t - t
        ex -= step * vx
        ey -= step * vy
        return cast(Floats32, ex * ex + ey * ey)


def _final(points: Floats, direction: Floats, start: Ints, end: Ints) -> Floats:
    """The chosen spans once more in double precision, with more points and corrections: controls (n, 4, 2)."""
    along = _along(points)
    index = (start + (end - start) * ((np.arange(24) + 0.5) / 24)[:, None] + 0.5).astype(np.int64)
    length = np.maximum(along[end] - along[start], 1e-9)
    q, d = points[index] - points[start], points[end] - points[start]
    span = _Span(
        index, (along[index] - along[start]) / length, q[..., 0], q[..., 1], d[:, 0], d[:, 1],
        direction[start, 0], direction[start, 1], -direction[end, 0], -direction[end, 1], length,
    )  # type: ignore[arg-type]  # fmt: skip
    span.solve()
    for _ in range(4):
        span.correct()
        span.solve()
    assert span.alpha is not None and span.beta is not None
    first = points[start] + direction[start] * span.alpha[:, None]
    second = points[end] - direction[end] * span.beta[:, None]
    return np.stack([points[start], first, second, points[end]], axis=1)


def _worst(points: Floats, tolerance: Floats, control: Floats, start: Ints, end: Ints) -> tuple[Ints, Floats]:
    """The point within each segment farthest from its curve for its tolerance, and how far, relative to that.

    The search looks at a dozen points of a span; here every point counts.
    """
    count = end - start
    segment = np.repeat(np.arange(len(start)), count)
    index = _spread(start, count)
    along = _along(points)
    t = (along[index] - along[start][segment]) / np.maximum(along[end] - along[start], 1e-9)[segment]
    curves = control[segment]
    t = nearest(curves, points[index], t, steps=2)
    off = np.hypot(*(evaluate(curves, t[:, None])[:, 0] - points[index]).T) / tolerance[index]
    off[index == start[segment]] = 0
    begin = np.cumsum(count) - count
    error = np.maximum.reduceat(off, begin)
    first = np.flatnonzero(off == error[segment])
    return index[first[np.searchsorted(segment[first], np.arange(len(start)))]], error


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
