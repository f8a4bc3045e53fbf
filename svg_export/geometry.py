"""Points, lines and areas: what is near what, what lies within, which line meets which."""

from __future__ import annotations

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
    """Points (n, 2), of which those in a box are asked for time and again: kept in bands, from left to right in each.

    What is asked of one box costs as much as there are points near it, however large the picture.
    """

    def __init__(self, points: Floats) -> None:
        self.points = points
        self._origin = points.min(axis=0) if len(points) else np.zeros(2)
        x, band = self._place(points)
        self._width = float(x.max(initial=0.0)) + 1.0
        key = band * self._width + x
        self._order = np.argsort(key, kind="stable")
        self._key, self._last = key[self._order], int(band.max(initial=0))

    def _place(self, points: Floats) -> tuple[Floats, Ints]:
        """Their distances from the left (n,), and the bands (n,) in which they are."""
        x, y = (points - self._origin).T
        return x, np.floor(y / _BAND).astype(np.int64)

    def near(self, line: Floats | Ints, margin: float = 0.0) -> Ints:
        """The indices of those in the box around a line, and `margin` px more, in order."""
        low, high = line.min(axis=0) - margin, line.max(axis=0) + margin
        x, band = self._place(np.stack([low, high]))
        bands = np.arange(max(band[0], 0), min(band[1], self._last) + 1) * self._width
        left, right = np.clip(x, -0.5, self._width - 0.5)  # between the bands there is 1 px
        start = np.searchsorted(self._key, bands + left, "right")
        at = self._order[spread(start, np.searchsorted(self._key, bands + right, "left") - start)]
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
