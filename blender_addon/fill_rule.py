# SPDX-License-Identifier: GPL-3.0-or-later
"""The nonzero fill rule in terms of even-odd, the only one that Blender's filled curves know. No bpy here.

A ring is an edge of the painted area where the winding numbers on its two sides are zero and not zero. Of rings that do
not cross each other, the others bound nothing and are left out. Rings that cross, all running the same way (letters and
strokes combined into one path), paint their union: each is filled on its own. Rings that cross and run different ways
are left as they are, and said.

The winding number of one ring around another is taken from the polygon of its knots and control points' midpoints, at
sixteen knots of the other at most: not a proof, but right for whatever does not run within a hair of itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from .drawing import Ring

_PROBES = 16  # knots of a ring at which the others' winding is taken
_WORK = 2_000_000  # edges looked at before we give up; half a second

Box = tuple[float, float, float, float]


def even_odd(rings: Sequence[Ring]) -> tuple[list[tuple[Ring, ...]], bool]:
    """(groups, exact): filled by even-odd one after the other, the groups paint what `rings` paint by nonzero."""
    rings = list(dict.fromkeys(rings))  # twice the same ring paints what one paints; even-odd it would cancel
    if len(rings) < 2:
        return [tuple(rings)], True
    polygons = [_polygon(ring) for ring in rings]
    boxes = [_box(polygon) for polygon in polygons]
    signs = [1 if ring.area() > 0 else -1 for ring in rings]
    work = 0
    edges: list[Ring] = []
    crossing = False
    for i, ring in enumerate(rings):
        knots = ring.points[::3]
        probes = knots[:: max(1, len(knots) // _PROBES)]
        outside = [0] * len(probes)
        for j, polygon in enumerate(polygons):
            if i == j or not _meet(boxes[i], boxes[j]):
                continue
            work += len(polygon) * len(probes)
            if work > _WORK:
                return [tuple(rings)], False
            for k, probe in enumerate(probes):
                outside[k] += _winding(polygon, probe)
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
