# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies in what, and what lies across what: areas of rings, seen through polygons. No bpy here.

The polygon of a ring has two points a segment or more. What it says is no proof, but right for whatever does not run
within a hair of itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from .drawing import Budget, Ring

_PROBES = 16  # points of a ring, and up to twice as many, at which other rings are asked about it
_POINTS = 32  # along a ring, about, where its segments are few: two chords of one that bends say little of it
_WORK = 2_000_000  # edges looked at before we give up; half a second

Box = tuple[float, float, float, float]  #: least x and y, largest x and y
Edge = tuple[complex, complex]


def polygon_of(ring: Ring) -> list[complex]:
    """Points along a ring: the start and the middle of every segment, and of a ring of few segments more of each."""
    segments = list(ring.segments())
    parts = max(2, _POINTS // max(1, len(segments)))
    shares = [k / parts for k in range(1, parts)]
    polygon: list[complex] = []
    for p, q, r, s in segments:
        polygon.append(p)
        for t in shares:
            u = 1 - t
            polygon.append(u * u * u * p + 3 * u * u * t * q + 3 * u * t * t * r + t * t * t * s)
    return polygon if ring.closed else [*polygon, ring.points[-1]]


def probes_of(polygon: Sequence[complex]) -> Sequence[complex]:
    return polygon[:: max(1, len(polygon) // _PROBES)]


def box_of(polygon: Sequence[complex]) -> Box:
    xs, ys = [point.real for point in polygon], [point.imag for point in polygon]
    return min(xs), min(ys), max(xs), max(ys)


def meet(one: Box, two: Box) -> bool:
    return one[0] <= two[2] and two[0] <= one[2] and one[1] <= two[3] and two[1] <= one[3]


def winding(polygon: Sequence[complex], point: complex) -> int:
    """How often a polygon runs around a point, clockwise as seen counted positive (y points down)."""
    x, y = point.real, point.imag
    total = 0
    before = polygon[-1]
    for after in polygon:
        if (before.imag <= y) != (after.imag <= y):
            across = (after.real - before.real) * (y - before.imag) - (x - before.real) * (after.imag - before.imag)
            if (after.imag > before.imag) == (across > 0):
                total += 1 if after.imag > before.imag else -1
        before = after
    return total


def contains(ring: Ring, point: complex) -> bool:
    """Whether a point lies within a ring, by even-odd, seen through its polygon."""
    return _inside(point, [polygon_of(ring)])


def overlaps(areas: Sequence[Sequence[Ring]]) -> list[set[int]]:
    """For every set of rings the indices of the others whose even-odd areas share more than a border with its own.

    Seen through their polygons, and as far as _WORK goes: where there are more edges than that, boxes that meet count.
    """
    found: list[set[int]] = [set() for _ in areas]
    if len(areas) < 2:
        return found
    boxes = _boxes(areas)
    polygons: dict[int, list[list[complex]]] = {}
    work = Budget(_WORK)
    open_: list[int] = []  # those that the sweep from left to right has reached and not passed
    for i in sorted(range(len(areas)), key=lambda index: boxes[index]):
        open_ = [j for j in open_ if boxes[j][2] >= boxes[i][0]]
        for j in open_:
            if not meet(boxes[i], boxes[j]):
                continue
            one, two = (polygons.setdefault(k, [polygon_of(ring) for ring in areas[k]]) for k in (i, j))
            if _share(one, two, work):
                found[i].add(j)
                found[j].add(i)
        open_.append(i)
    return found


def _boxes(areas: Sequence[Sequence[Ring]]) -> list[Box]:
    if all(isinstance(ring.points, tuple) for rings in areas for ring in rings):
        return [box_of([point for ring in rings for point in ring.points]) for rings in areas]
    from . import arrays

    return arrays.boxes(areas)


def _share(ones: Sequence[Sequence[complex]], twos: Sequence[Sequence[complex]], work: Budget) -> bool:
    """Whether two areas overlap: a point of one lies in the other, or, as in a cross, only edges cross."""
    sizes = sum(map(len, ones)), sum(map(len, twos))
    for probed, other, size in ((ones, twos, sizes[1]), (twos, ones, sizes[0])):
        for polygon in probed:
            for probe in probes_of(polygon):
                if not work.spend(size) or _inside(probe, other):
                    return True
    for one in ones:
        for two in twos:
            left, top, right, bottom = _common(box_of(one), box_of(two))
            near, far = (_edges(polygon, left, top, right, bottom) for polygon in (one, two))
            if near and far and (not work.spend(len(near) * len(far)) or _cross(near, far)):
                return True
    return False


def _common(one: Box, two: Box) -> Box:
    return max(one[0], two[0]), max(one[1], two[1]), min(one[2], two[2]), min(one[3], two[3])


def _edges(polygon: Sequence[complex], left: float, top: float, right: float, bottom: float) -> list[Edge]:
    """The edges whose own boxes meet a box."""
    return [
        (p, q)
        for p, q in zip(polygon, [*polygon[1:], polygon[0]], strict=True)
        if max(p.real, q.real) >= left
        and min(p.real, q.real) <= right
        and max(p.imag, q.imag) >= top
        and min(p.imag, q.imag) <= bottom
    ]


def _inside(point: complex, polygons: Sequence[Sequence[complex]]) -> bool:
    return sum(winding(polygon, point) for polygon in polygons) % 2 == 1


def _cross(ones: Sequence[Edge], twos: Sequence[Edge]) -> bool:
    """Whether an edge properly crosses another; touching is not crossing."""
    return any(
        _side(p, q, r) * _side(p, q, s) < 0 and _side(r, s, p) * _side(r, s, q) < 0 for p, q in ones for r, s in twos
    )


def _side(p: complex, q: complex, r: complex) -> float:
    """Twice the signed area of the triangle."""
    return (q.real - p.real) * (r.imag - p.imag) - (q.imag - p.imag) * (r.real - p.real)
