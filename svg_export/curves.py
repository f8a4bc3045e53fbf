"""Lines of pixel corners, many at once: smoothing, tangents, corners.

All lines of a picture are handled together, in flat arrays with a table of starts.

Smoothing is a Gaussian along the line, applied twice over (2 G - G G): that removes the staircase and, unlike a plain
Gaussian, leaves the radius of a curve as it is to second order, so that small round parts do not shrink. Ends are
fixed: the line is continued there by its own point reflection.

Corners are where a line turns by more than a threshold within a short reach; lines are cut there.

Limits. A corner within three points of the end of a line is not seen, and rounded off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from faceparse_core.arrays import distinct

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
#: Points and vectors of the plane as x + iy: where arrays are small, what costs is the number of operations
Complexes = NDArray[np.complex128]


_CORNER_FROM_END = 3  #: points; closer to an end, a step of the staircase looks like a corner


@dataclass(frozen=True)
class Lines:
    """Polylines in one flat array: line `k` is `points[starts[k]:starts[k + 1]]`.

    A closed line repeats its first point at its end.
    """

    points: Floats  #: (n, 2)
    starts: Ints  #: (lines + 1,)
    closed: Bools  #: (lines,)

    @classmethod
    def one(cls, points: Floats, closed: bool) -> Lines:
        """A single line of points (n, 2)."""
        return cls(points, np.array([0, len(points)]), np.array([closed]))

    def __len__(self) -> int:
        return len(self.closed)

    @property
    def lengths(self) -> Ints:
        """Points in each line."""
        return self.starts[1:] - self.starts[:-1]

    @property
    def line(self) -> Ints:
        """The line of each point."""
        return np.arange(len(self)).repeat(self.lengths)

    def padded(self, reach: int, chosen: Ints, mirror: bool = True) -> tuple[Floats, Ints, Ints]:
        """The chosen lines, each continued by `reach` points at both ends; where their own lie there, and in `points`.

        Closed lines go round again; open ones are continued by their reflection through the end point, or by the end
        point itself where not `mirror`.
        """
        count = self.lengths[chosen]
        wide = count + 2 * reach
        first = (wide.cumsum() - wide + reach)[:, None]
        own = spread(first[:, 0], count)
        values = np.empty((int(wide.sum()), 2))
        here = spread(self.starts[chosen], count)
        values[own] = self.points[here]
        step, last = np.arange(1, reach + 1), (count - 1)[:, None]
        closed, start = self.closed[chosen][:, None], self.starts[chosen][:, None]
        around, bounce = np.maximum(last, 1), step if mirror else 0
        before = self.points[start + np.where(closed, -step % around, np.minimum(bounce, last))]
        after = self.points[start + np.where(closed, (last + step) % around, np.maximum(last - bounce, 0))]
        if mirror:
            bent = ~closed[:, 0]
            before[bent] = 2 * self.points[start[bent]] - before[bent]
            after[bent] = 2 * self.points[start[bent] + last[bent]] - after[bent]
        values[first - step], values[first + last + step] = before, after
        return values, own, here

    def padded_one(self, reach: int) -> Floats:
        """`padded` where there is one line: hidden outlines come one at a time, and less is to be done for them."""
        points, last = self.points, len(self.points) - 1
        if self.closed[0]:
            return np.asarray(points[np.arange(-reach, last + reach + 1) % max(last, 1)])
        step = np.arange(1, reach + 1)
        before, after = np.minimum(step[::-1], last), np.maximum(last - step, 0)
        return np.concatenate([2 * points[0] - points[before], points, 2 * points[last] - points[after]])


def smooth(lines: Lines, sigma: Floats) -> Floats:
    """Smoothed points (n, 2), ends fixed; `sigma` (lines,) in points of the line, next to 0 leaves it alone."""
    points = lines.points.copy()
    for width, chosen in _classes(sigma):
        if width > 0.25:
            _convolve(lines, chosen, _twicing(width), points)
    if len(lines) == 1:
        points[[0, -1]] = points[0] if lines.closed[0] else lines.points[[0, -1]]
        return points
    ends = np.concatenate([lines.starts[:-1][~lines.closed], lines.starts[1:][~lines.closed] - 1])
    points[ends] = lines.points[ends]  # equal already but for the last bits
    points[lines.starts[1:][lines.closed] - 1] = points[lines.starts[:-1][lines.closed]]
    return points


def tangents(lines: Lines, sigma: Floats) -> Floats:
    """Unit tangents (n, 2), averaged over a Gaussian of `sigma` (lines,) points."""
    found = np.zeros_like(lines.points)
    for width, chosen in _classes(sigma):
        _convolve(lines, chosen, _slope(width), found)
    return unit(found)


def corners(lines: Lines, reach: Ints, threshold: Floats | float) -> Ints:
    """Indices into `lines.points` where a line turns by more than `threshold` within `reach`, radians and points.

    Both are (lines,). Ends of open lines are none; of a closed line the end that repeats the start is never listed.
    """
    found = []
    for wide in distinct(reach).tolist():
        chosen = np.flatnonzero((reach == wide) & (lines.lengths > wide))
        if not len(chosen):
            continue
        values, own, at = lines.padded(2 * wide, chosen, mirror=False)
        turn = np.zeros(len(values))
        before, after = values[wide:-wide] - values[: -2 * wide], values[2 * wide :] - values[wide:-wide]
        turn[wide:-wide] = _angle(before, after)
        limit = np.repeat(np.broadcast_to(threshold, len(lines))[chosen], lines.lengths[chosen])
        hit = np.flatnonzero(turn[own] > limit)
        beside = turn[own[hit, None] + np.arange(-wide, wide + 1)]
        hit = hit[turn[own[hit]] >= beside.max(axis=1)]
        found.append(at[hit])
    index: Ints = np.sort(np.concatenate(found)) if found else np.zeros(0, np.int64)
    line = np.searchsorted(lines.starts, index, "right") - 1
    first, last = lines.starts[line], lines.starts[line + 1] - 1
    inner = np.where(lines.closed[line], index < last, np.minimum(index - first, last - index) >= _CORNER_FROM_END)
    index, line = np.asarray(index[inner], np.int64), line[inner]
    near = np.zeros(len(index), np.bool_)  # of equals side by side the first
    near[1:] = (np.diff(index) < reach[line][1:]) & (np.diff(line) == 0)
    return index[~near]


def unit(vectors: Floats) -> Floats:
    """Vectors (n, 2) scaled to length 1; zero stays zero."""
    length = np.hypot(vectors[:, 0], vectors[:, 1])
    scaled: Floats = vectors / np.maximum(length, 1e-12)[:, None]
    return scaled


def spread(starts: Ints, counts: Ints) -> Ints:
    """Indices of the runs starts..starts + counts, one after the other."""
    after = counts.cumsum()
    index: Ints = (starts - after + counts).repeat(counts)
    index += np.arange(len(index))
    return index


def as_complex(points: Floats) -> Complexes:
    """x and y, the last axis, as one complex number."""
    return np.ascontiguousarray(points).view(np.complex128)[..., 0]


def travelled(points: Floats) -> Floats:
    """Length along a line (n, 2) at each of its points, (n,), from 0."""
    step = points[1:] - points[:-1]
    length = np.zeros(len(points))
    np.cumsum(np.hypot(step[:, 0], step[:, 1]), out=length[1:])
    return length


def _gaussian(sigma: float, reach: int) -> Floats:
    weight = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel: Floats = weight / weight.sum()
    return kernel


@cache  # there are few sigmas, see `_classes`
def _twicing(sigma: float) -> Floats:
    """2 G - G G."""
    kernel = _gaussian(sigma, max(1, int(np.ceil(3 * sigma))))
    twice: Floats = -np.convolve(kernel, kernel)
    reach = len(kernel) // 2
    twice[reach:-reach] += 2 * kernel
    return twice


@cache
def _slope(sigma: float) -> Floats:
    slope: Floats = np.gradient(_gaussian(sigma, int(np.ceil(3 * sigma)) + 1))
    return slope


def _classes(sigma: Floats) -> list[tuple[float, Ints]]:
    """Lines by their sigma: a Gaussian for each line would be slow, and sigmas a fifth apart are as good as equal."""
    if len(sigma) == 1:  # hidden outlines come one at a time
        return [(1.2 ** round(math.log(max(float(sigma[0]), 0.2)) / math.log(1.2)), np.zeros(1, np.int64))]
    steps: Ints = np.rint(np.log(np.maximum(sigma, 0.2)) / np.log(1.2)).astype(np.int64)
    return [(1.2 ** float(step), np.flatnonzero(steps == step)) for step in sorted(set(steps.tolist()))]


def _convolve(lines: Lines, chosen: Ints, kernel: Floats, found: Floats) -> None:
    """Write the chosen lines, convolved with a kernel, into `found` (n, 2)."""
    if len(lines) == 1:
        x, y = lines.padded_one(len(kernel) // 2).T
        found[:, 0], found[:, 1] = np.convolve(x, kernel, "valid"), np.convolve(y, kernel, "valid")
        return
    values, own, at = lines.padded(len(kernel) // 2, chosen)
    for axis in (0, 1):
        found[at, axis] = np.convolve(values[:, axis], kernel, "same")[own]


def _angle(one: Floats, two: Floats) -> Floats:
    """Unsigned angle between vectors (n, 2), radians."""
    cross = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]
    angle: Floats = np.abs(np.arctan2(cross, (one * two).sum(1)))
    return angle
