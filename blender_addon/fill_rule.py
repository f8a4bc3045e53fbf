# SPDX-License-Identifier: GPL-3.0-or-later
"""The nonzero fill rule in terms of even-odd, the only one that Blender's filled curves know. No bpy here.

A ring is an edge of the painted area where the winding numbers on its two sides are zero and not zero. Of rings that do
not cross each other, the others bound nothing and are left out. Rings that cross, all running the same way (letters and
strokes combined into one path), paint their union: each is filled on its own. Rings that cross and run different ways
are left as they are, and said.

The winding number of one ring around another is taken at some points of the other, by their polygons (see `areas`). A
ring that crosses itself is taken for one that does not: Blender fills none of those right, whatever the rule.
"""

from __future__ import annotations

from collections.abc import Sequence

from .areas import box_of, meet, polygon_of, probes_of, winding
from .drawing import Budget, Ring


def even_odd(rings: Sequence[Ring], work: Budget) -> tuple[list[tuple[Ring, ...]], bool]:
    """(groups, exact): filled by even-odd one after the other, the groups paint what `rings` paint by nonzero.

    work    how many edges may be looked at; what is looked at is taken off
    """
    rings = list(dict.fromkeys(rings))  # twice the same ring paints what one paints; even-odd it would cancel
    if len(rings) < 2:
        return [tuple(rings)], True
    if not work.spend(len(rings) ** 2 // 4):  # pairs of boxes are looked at in less time than edges
        return [tuple(rings)], False
    polygons = [polygon_of(ring) for ring in rings]
    boxes = [box_of(polygon) for polygon in polygons]
    signs = [1 if ring.area() > 0 else -1 for ring in rings]
    edges: list[Ring] = []
    crossing = False
    for i, ring in enumerate(rings):
        probes = probes_of(polygons[i])
        outside = [0] * len(probes)
        for j in [j for j, box in enumerate(boxes) if j != i and meet(boxes[i], box)]:
            if not work.spend(len(polygons[j]) * len(probes)):
                return [tuple(rings)], False
            for k, probe in enumerate(probes):
                outside[k] += winding(polygons[j], probe)
        if len(set(outside)) > 1:
            crossing = True
        if (outside[0] != 0) != (outside[0] + signs[i] != 0):
            edges.append(ring)
    if not crossing:
        return [tuple(edges)], True
    if len(set(signs)) == 1:
        return [(ring,) for ring in rings], True
    return [tuple(rings)], False
