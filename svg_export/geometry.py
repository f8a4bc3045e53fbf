"""Points, lines and areas: what is near what, what lies within, which line meets which."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import shapely

from svg_export.curves import Bools, Floats, Ints, spread

_BAND = 16.0  # px


def near(points: Floats, line: Floats, margin: float) -> Floats:
    """Those of `points` within the box around a line and `margin` px more: the others need not be asked."""
    (left, top), (right, bottom) = line.min(axis=0) - margin, line.max(axis=0) + margin
    x, y = points.T
    inside: Floats = points[(x > left) & (x < right) & (y > top) & (y < bottom)]
    return inside


def distance(points: Floats, others: Floats) -> Floats:
    """Distance from each of `points` (n, 2) to the nearest of `others` (m, 2); infinite where there are none."""
    if not len(others):
        return np.full(len(points), np.inf)
    origin = points[len(points) // 2]  # single precision is enough close to it
    a, b = (points - origin).astype(np.float32), (others - origin).astype(np.float32)
    squared = a @ (-2 * b.T)
    squared += np.einsum("ij,ij->i", b, b)
    nearest = squared.min(axis=1) + np.einsum("ij,ij->i", a, a)
    found: Floats = np.sqrt(np.maximum(nearest, 0.0)).astype(np.float64)
    return found


def inside_ring(ring: Ints, points: Floats) -> Bools:
    """Which of `points` (n, 2), none of them on it, lie inside the lattice ring (m, 2), by counting crossings."""
    start, end = ring[:-1], ring[1:]
    upright = np.flatnonzero(start[:, 1] != end[:, 1])
    x, low = start[upright, 0], np.minimum(start[upright, 1], end[upright, 1])
    crossed = (low <= points[:, 1:]) & (points[:, 1:] < low + 1) & (x > points[:, :1])
    return crossed.sum(axis=1) % 2 == 1  # type: ignore[no-any-return]


class Scattered:
    """Points (n, 2), of which those in a box are asked for, mostly time and again.

    The first time all are looked at; from the second time on they are kept in bands, from left to right in each: then
    what is asked of one box costs as much as there are points near it, however large the picture.
    """

    def __init__(self, points: Floats) -> None:
        self.points = points
        self._asked = False

    @cached_property
    def _bands(self) -> tuple[Floats, float, Ints, Floats, int]:
        """Where the bands begin, how wide they are, the points in their order and their places in it; the last band."""
        origin = self.points.min(axis=0) if len(self.points) else np.zeros(2)
        x, y = (self.points - origin).T
        width = float(x.max(initial=0.0)) + 1.0
        band = np.floor(y / _BAND)
        key = band * width + x
        order = np.argsort(key, kind="stable")
        return origin, width, order, key[order], int(band.max(initial=0.0))

    def near(self, line: Floats | Ints, margin: float = 0.0) -> Ints:
        """The indices of those in the box around a line, and `margin` px more, in order."""
        low, high = line.min(axis=0) - margin, line.max(axis=0) + margin
        if not self._asked:
            self._asked = True
            x, y = self.points.T
            return np.flatnonzero((x > low[0]) & (x < high[0]) & (y > low[1]) & (y < high[1]))
        origin, width, order, places, last = self._bands
        (left, top), (right, bottom) = low - origin, high - origin
        bands = np.arange(max(int(top // _BAND), 0), min(int(bottom // _BAND), last) + 1) * width
        # between the bands there is 1 px
        start = np.searchsorted(places, bands + min(max(left, -0.5), width - 0.5), "right")
        end = np.searchsorted(places, bands + min(max(right, -0.5), width - 0.5), "left")
        at = order[spread(start, end - start)]
        y = self.points[at, 1]
        return np.sort(at[(y > low[1]) & (y < high[1])])

    def inside(self, ring: Ints) -> Ints:
        """The indices of those inside a lattice ring, on which none may lie, in order."""
        at = self.near(ring)
        return at[inside_ring(ring, self.points[at])] if len(at) else at


def meets(laid: Floats, border: Floats) -> bool:
    """Whether a hidden line meets its border elsewhere than at its ends."""
    inner = cut_ends(laid, 0.7)
    return len(inner) > 1 and bool(shapely.LineString(inner).intersects(shapely.LineString(border)))


def cut_ends(points: Floats, length: float) -> Floats:
    """A line less its points within `length` of its ends, measured straight."""
    far = np.minimum(np.hypot(*(points - points[0]).T), np.hypot(*(points - points[-1]).T)) > length
    at = np.flatnonzero(far)
    return points[at[0] : at[-1] + 1] if len(at) else points[:0]


def valid(polygon: shapely.Polygon) -> shapely.Geometry:
    """The polygon, and what is left of it where it crosses itself."""
    return polygon if polygon.is_valid else polygon.buffer(0)
