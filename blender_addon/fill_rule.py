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


def overlap(one: Sequence[Ring], two: Sequence[Ring]) -> bool:
    """Whether the areas that two sets of rings fill by even-odd share more than a border, seen through their polygons.

    True also where there are more edges than is worth looking at.
    """
    ones, twos = [_polygon(ring) for ring in one], [_polygon(ring) for ring in two]
    boxes = [_box(polygon) for polygon in twos]
    pairs = [
        (p, q) for p in ones for box in [_box(p)] for q, other in zip(twos, boxes, strict=True) if _meet(box, other)
    ]
    if not pairs:
        return False
    if sum(len(p) * len(q) for p, q in pairs) > _WORK:
        return True
    return any(_cross(p, q) for p, q in pairs) or _inside(ones[0][0], twos) or _inside(twos[0][0], ones)


def _inside(point: complex, polygons: Sequence[Sequence[complex]]) -> bool:
    return sum(_winding(polygon, point) for polygon in polygons) % 2 == 1


def _cross(one: Sequence[complex], two: Sequence[complex]) -> bool:
    """Whether an edge of one polygon properly crosses one of the other; touching is not crossing."""
    left, top, right, bottom = _box(two)
    others = list(zip(two, [*two[1:], two[0]], strict=True))
    for p, q in zip(one, [*one[1:], one[0]], strict=True):
        if max(p.real, q.real) < left or min(p.real, q.real) > right:
            continue
        if max(p.imag, q.imag) < top or min(p.imag, q.imag) > bottom:
            continue
        for r, s in others:
            if _side(p, q, r) * _side(p, q, s) < 0 and _side(r, s, p) * _side(r, s, q) < 0:
                return True
    return False


def _side(p: complex, q: complex, r: complex) -> float:
    """Twice the signed area of the triangle."""
    return (q.real - p.real) * (r.imag - p.imag) - (q.imag - p.imag) * (r.real - p.real)


def contains(ring: Ring, point: complex) -> bool:
    """Whether a point lies within a ring, by even-odd, seen through its polygon."""
    return _inside(point, [_polygon(ring)])
