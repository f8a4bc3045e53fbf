# SPDX-License-Identifier: GPL-3.0-or-later
"""The nonzero fill rule in terms of even-odd, the only one that Blender's filled curves know. No bpy here.

A ring is an edge of the painted area where the winding numbers on its two sides are zero and not zero. Of rings that do
not cross each other, the others bound nothing and are left out. Rings that cross, all running the same way (letters and
strokes combined into one path), paint their union: each is filled on its own. Rings that cross and run different ways
are left as they are, and said.

The winding number of one ring around another is taken from the polygon of its knots and its segments' middles, at some
of the other's: not a proof, but right for whatever does not run within a hair of itself. A ring that crosses itself is
taken for one that does not: Blender fills none of those right, whatever the rule.
"""

from __future__ import annotations

from collections.abc import Sequence

from .drawing import Budget, Ring

_PROBES = 16  # points of a ring, and up to twice as many, at which the others' winding is taken
_WORK = 2_000_000  # edges looked at before we give up; half a second

Box = tuple[float, float, float, float]
Edge = tuple[complex, complex]


def even_odd(rings: Sequence[Ring], work: Budget) -> tuple[list[tuple[Ring, ...]], bool]:
    """(groups, exact): filled by even-odd one after the other, the groups paint what `rings` paint by nonzero.

    work    how many edges may be looked at; what is looked at is taken off
    """
    rings = list(dict.fromkeys(rings))  # twice the same ring paints what one paints; even-odd it would cancel
    if len(rings) < 2:
        return [tuple(rings)], True
    if not work.spend(len(rings) ** 2 // 4):  # pairs of boxes are looked at in less time than edges
        return [tuple(rings)], False
    polygons = [_polygon(ring) for ring in rings]
    boxes = [_box(polygon) for polygon in polygons]
    signs = [1 if ring.area() > 0 else -1 for ring in rings]
    edges: list[Ring] = []
    crossing = False
    for i, ring in enumerate(rings):
        probes = polygons[i][:: max(1, len(polygons[i]) // _PROBES)]
        outside = [0] * len(probes)
        for j in [j for j, box in enumerate(boxes) if j != i and _meet(boxes[i], box)]:
            if not work.spend(len(polygons[j]) * len(probes)):
                return [tuple(rings)], False
            for k, probe in enumerate(probes):
                outside[k] += _winding(polygons[j], probe)
        if len(set(outside)) > 1:
            crossing = True
        if (outside[0] != 0) != (outside[0] + signs[i] != 0):
            edges.append(ring)
    if not crossing:
        return [tuple(edges)], True
    if len(set(signs)) == 1:
        return [(ring,) for ring in rings], True
    return [tuple(rings)], False


def parted(rings: Sequence[Ring], apart: float) -> list[Ring]:
    """The rings of a shape; of those that meet in a point, all but the largest draw back into themselves by `apart`.

    Blender takes corners that lie next to nothing apart for one, and then fills less or more than what is within an
    odd number of rings. Only knots that meet are seen, and rings with a side in common are left as they are.
    """
    if len(rings) < 2:
        return list(rings)
    places = [[(round(knot.real, 3), round(knot.imag, 3)) for knot in ring.points[::3]] for ring in rings]
    through: dict[tuple[float, float], set[int]] = {}  # the rings that have a knot there
    for i, knots in enumerate(places):
        for place in knots:
            through.setdefault(place, set()).add(i)
    drawn: dict[int, list[complex]] = {}
    areas: dict[int, float] = {}
    for i, knots in enumerate(places):
        for k, place in enumerate(knots):
            others = through[place] - {i}
            if not others or others & (through[knots[k - 1]] | through[knots[(k + 1) % len(knots)]]):
                continue
            areas |= {j: rings[j].area() for j in (i, *others) if j not in areas}
            if i == max(sorted(through[place]), key=lambda j: abs(areas[j])):
                continue
            points = drawn.setdefault(i, list(rings[i].points))
            before, at, after = 3 * k - 1, 3 * k, 3 * k + 1
            ahead = points[after] - points[before]
            inwards = ahead / abs(ahead) * (1j if areas[i] > 0 else -1j) if ahead else 0j
            for each in (before, at, after):
                points[each] += apart * inwards
    return [Ring(tuple(drawn[i]), ring.closed) if i in drawn else ring for i, ring in enumerate(rings)]


def _polygon(ring: Ring) -> list[complex]:
    """Two points a segment: its start and its middle."""
    polygon: list[complex] = []
    for p, q, r, s in ring.segments():
        polygon += (p, (p + 3 * q + 3 * r + s) / 8)
    return polygon if ring.closed else [*polygon, ring.points[-1]]


def _box(polygon: Sequence[complex]) -> Box:
    xs, ys = [point.real for point in polygon], [point.imag for point in polygon]
    return min(xs), min(ys), max(xs), max(ys)


def _meet(one: Box, two: Box) -> bool:
    return one[0] <= two[2] and two[0] <= one[2] and one[1] <= two[3] and two[1] <= one[3]


def _winding(polygon: Sequence[complex], point: complex) -> int:
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
            if not _meet(boxes[i], boxes[j]):
                continue
            one, two = (polygons.setdefault(k, [_polygon(ring) for ring in areas[k]]) for k in (i, j))
            if _share(one, two, work):
                found[i].add(j)
                found[j].add(i)
        open_.append(i)
    return found


def _boxes(areas: Sequence[Sequence[Ring]]) -> list[Box]:
    if all(isinstance(ring.points, tuple) for rings in areas for ring in rings):
        return [_box([point for ring in rings for point in ring.points]) for rings in areas]
    from . import arrays

    return arrays.boxes(areas)


def _share(ones: Sequence[Sequence[complex]], twos: Sequence[Sequence[complex]], work: Budget) -> bool:
    """Whether two areas overlap: a point of one lies in the other, or, as in a cross, only edges cross."""
    sizes = sum(map(len, ones)), sum(map(len, twos))
    for probed, other, size in ((ones, twos, sizes[1]), (twos, ones, sizes[0])):
        for polygon in probed:
            for probe in polygon[:: max(1, len(polygon) // _PROBES)]:
                if not work.spend(size) or _inside(probe, other):
                    return True
    for one in ones:
        for two in twos:
            left, top, right, bottom = _common(_box(one), _box(two))
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
    return sum(_winding(polygon, point) for polygon in polygons) % 2 == 1


def _cross(ones: Sequence[Edge], twos: Sequence[Edge]) -> bool:
    """Whether an edge properly crosses another; touching is not crossing."""
    return any(
        _side(p, q, r) * _side(p, q, s) < 0 and _side(r, s, p) * _side(r, s, q) < 0 for p, q in ones for r, s in twos
    )


def _side(p: complex, q: complex, r: complex) -> float:
    """Twice the signed area of the triangle."""
    return (q.real - p.real) * (r.imag - p.imag) - (q.imag - p.imag) * (r.real - p.real)


def contains(ring: Ring, point: complex) -> bool:
    """Whether a point lies within a ring, by even-odd, seen through its polygon."""
    return _inside(point, [_polygon(ring)])
