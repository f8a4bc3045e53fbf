"""Shapes cut to other shapes, curves kept: what is left of a region within a part runs along the part's very curves.

1. Both are flattened into fine polygons, oriented alike, and shapely takes what they have in common.
2. Every side of the result lies on a side of one of the two, and so on a stretch of one of their curves.
3. Stretches that follow each other on a ring are joined, and cut from its curves (de Casteljau).
4. Where a stretch of the region meets one of the part, it is put onto its end.
5. Where curves cross now, which were that near each other, the shortest stretches are left out. If that does not help,
   the piece stays a polygon.

Limits. Crossings are found on the polygons, a hundredth of a pixel off. A stretch that begins next to a node begins at
the node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry.polygon import orient

from svg_export.beziers import between, drag, evaluate, straight
from svg_export.curves import Bools, Floats, Ints
from svg_export.shapes import Ring, Shape

_FLAT = 0.01  # px: how far the sides of a polygon may lie off a half circle that they stand for
_GAP = 0.01  # of a curve: what follows nearer than this goes on
_SHORTEST = (0.0, 0.5, 2.0, 5.0)  # px: shorter stretches are left out, tried in this order
_SNAP = 0.25  # px: a stretch that begins so close to a node begins there


def clip(region: Sequence[Shape], part: Sequence[Shape], min_area: float, min_width: float) -> tuple[Shape, ...]:
    """What `region` and `part` have in common, largest first, less pieces that are small or thin.

    min_area   px squared
    min_width  px, of the mean width
    """
    ours, theirs = _Edges(region), _Edges(part)
    found = shapely.intersection(ours.area, theirs.area)
    pieces = [piece for piece in shapely.get_parts(found).tolist() if isinstance(piece, shapely.Polygon) and piece.area]
    pieces = [piece for piece in pieces if piece.area >= min_area and 2 * piece.area >= min_width * piece.length]
    shapes = []
    for piece in sorted(pieces, key=lambda piece: (-piece.area, piece.bounds)):
        piece = orient(piece)
        holes = [hole for hole in piece.interiors if shapely.Polygon(hole).area >= min_area]
        shapes.append(_shape([shapely.get_coordinates(ring) for ring in (piece.exterior, *holes)], ours, theirs))
    return tuple(shapes)


def _shape(rings: list[Floats], ours: _Edges, theirs: _Edges) -> Shape:
    """The rings (n, 2) of a piece as curves, less stretches so short that the curves would cross because of them."""
    first = None
    for shortest in _SHORTEST:
        shape = Shape(tuple(_ring(points, ours, theirs, shortest) for points in rings))
        if _Edges([shape]).sound:
            return shape
        first = first or shape
    if first and not theirs.sound:  # the part crosses itself, and so does what runs along it
        return first
    polygon = shapely.Polygon(rings[0], rings[1:]).simplify(_SNAP / 2)
    return Shape(tuple(_straight(ring) for ring in (polygon.exterior, *polygon.interiors)))


def _straight(ring: shapely.LinearRing) -> Ring:
    control = straight(shapely.get_coordinates(ring))
    return Ring(control[:, :3].reshape(-1, 2), np.ones(len(control), np.bool_))


class _Edges:
    """Shapes as their curves and, side by side, as polygons: the outer ring anticlockwise in x, y; holes clockwise."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        self.controls: list[Floats] = []
        self.lines: list[Bools] = []
        sides, rings, at, polygons = [], [], [], []
        for shape in shapes:
            corners = []
            for number, ring in enumerate(shape.rings):
                control, lines = _oriented(ring, positive=number == 0)
                count = np.where(lines, 1, _sides(control))
                places = np.concatenate([np.arange(n) / n + k for k, n in enumerate(count.tolist())])
                curve = places.astype(np.int64)
                share: Floats = places - curve
                points = evaluate(control[curve], share[:, None])[:, 0]
                points = np.concatenate([points, points[:1]])
                corners.append(points)
                sides.append(np.stack([points[:-1], points[1:]], axis=1))
                at.append(np.stack([places, np.append(places[1:], len(control))], axis=1))
                rings.append(np.full(len(places), len(self.controls)))
                self.controls.append(control)
                self.lines.append(lines)
            polygons.append(shapely.Polygon(corners[0], corners[1:]))
        self.sound = all(polygon.is_valid for polygon in polygons)
        polygons = [shapely.make_valid(polygon) for polygon in polygons]
        self.area = shapely.union_all([each for each in polygons if each.area])
        self.sides: Floats = np.concatenate(sides)  # (n, 2, 2)
        self.at: Floats = np.concatenate(at)  # (n, 2) where each side begins and ends, counted in curves of its ring
        self.ring: Ints = np.concatenate(rings)
        self.tree = shapely.STRtree(shapely.linestrings(self.sides))

    def nearest(self, points: Floats) -> tuple[Ints, Floats]:
        """For each of (n, 2) points the side that is nearest, the first of equals, and the distance.

        Further than _SNAP nothing is looked for: the distance is infinite there, and the side any.
        """
        found = self.tree.query_nearest(shapely.points(points), max_distance=_SNAP, return_distance=True)
        (point, near), distance = found
        order = np.lexsort((near, point))
        reached, first = np.unique(point[order], return_index=True)
        side, apart = np.zeros(len(points), np.int64), np.full(len(points), np.inf)
        side[reached], apart[reached] = near[order][first], distance[order][first]
        return side, apart

    def place(self, side: Ints, points: Floats) -> Floats:
        """Where on the curves of their rings points (n, 2) of the given sides lie."""
        start, along = self.sides[side, 0], self.sides[side, 1] - self.sides[side, 0]
        share = ((points - start) * along).sum(1) / np.maximum((along * along).sum(1), 1e-18)
        found: Floats = self.at[side, 0] + np.clip(share, 0, 1) * (self.at[side, 1] - self.at[side, 0])
        return found

    def stretch(self, ring: int, start: float, end: float) -> tuple[Floats, Bools]:
        """Cubics of a ring from `start` on to `end`, and which of them are straight."""
        control, lines = self.controls[ring], self.lines[ring]
        if end < start:
            end += len(control)
        near = self._snapped(ring, start), self._snapped(ring, end)
        if near[1] > near[0]:
            start, end = near
        found = between(np.concatenate([control, control]), start, end)
        return found, np.tile(lines, 2)[int(start) : int(start) + len(found)]

    def _snapped(self, ring: int, place: float) -> float:
        """The place, or the node next to it."""
        node = round(place)
        curve = self.controls[ring][int(place) % len(self.controls[ring])]
        length = float(np.hypot(*np.diff(curve, axis=0).T).sum())
        return node if abs(place - node) * length < _SNAP else place


@dataclass
class _Stretch:
    """Sides of the result that follow each other on one ring."""

    whose: _Edges
    ring: int
    start: float
    end: float


def _ring(points: Floats, ours: _Edges, theirs: _Edges, shortest: float) -> Ring:
    """A ring of the result (n, 2), whose first point is repeated, as curves.

    Stretches that end less than `shortest` px from where they begin are left out, as long as others remain.
    """
    runs = _stretches(points, ours, theirs)
    parts = [run.whose.stretch(run.ring, run.start, run.end) for run in runs]
    short = [len(part) == 1 and float(np.hypot(*(part[0, 3] - part[0, 0]))) < shortest for part, _ in parts]
    if not all(short):  # else it is one dot, and as good as it is
        runs = [run for run, gone in zip(runs, short, strict=True) if not gone]
        parts = [part for part, gone in zip(parts, short, strict=True) if not gone]
    runs, parts = [run for run, part in zip(runs, parts, strict=True) if len(part[0])], [p for p in parts if len(p[0])]
    for at, run in enumerate(runs):
        if run.whose is ours and len(runs) > 1:
            drag(parts[at][0][0], 0, parts[at - 1][0][-1, 3])
            drag(parts[at][0][-1], 3, parts[(at + 1) % len(parts)][0][0, 0])
    if not parts:
        return _straight(shapely.LinearRing(points))
    control = np.concatenate([part[0] for part in parts])
    return Ring(control[:, :3].reshape(-1, 2), np.concatenate([part[1] for part in parts]))


def _stretches(points: Floats, ours: _Edges, theirs: _Edges) -> list[_Stretch]:
    """A ring of the result cut where it passes from one ring to another."""
    middle = (points[:-1] + points[1:]) / 2
    places, rings, apart = [], [], []
    for edges in (ours, theirs):
        side, distance = edges.nearest(middle)
        places.append(np.stack([edges.place(side, points[:-1]), edges.place(side, points[1:])], axis=1))
        rings.append(edges.ring[side])
        apart.append(distance)
    on_part = apart[1] <= apart[0]
    place = np.where(on_part[:, None], places[1], places[0])
    ring = np.where(on_part, rings[1], rings[0])
    whose = [theirs if each else ours for each in on_part.tolist()]
    count = np.array([len(edges.controls[each]) for edges, each in zip(whose, ring.tolist(), strict=True)])
    gap = np.abs(place[:, 0] - np.roll(place[:, 1], 1))
    gap = np.minimum(gap, count - gap)  # rings go round
    new = (ring != np.roll(ring, 1)) | (on_part != np.roll(on_part, 1)) | (gap > _GAP)
    first = np.flatnonzero(new)
    if not len(first):
        return [_Stretch(whose[0], int(ring[0]), 0.0, float(count[0]))]
    last = np.roll(first, -1) - 1  # of the last stretch the one before the first: rings go round
    return [
        _Stretch(whose[a], int(ring[a]), float(place[a, 0]), float(place[b, 1]))
        for a, b in zip(first.tolist(), last.tolist(), strict=True)
    ]


def _sides(control: Floats) -> Ints:
    """How many sides are to stand for each of n cubics: a half circle of length L in k sides is pi L / (8 k^2) off."""
    length = np.hypot(*np.moveaxis(np.diff(control, axis=1), 2, 0)).sum(axis=1)
    sides: Ints = np.ceil(np.sqrt(np.pi / 8 * length / _FLAT)).astype(np.int64)
    return np.clip(sides, 4, 1000)


def _oriented(ring: Ring, positive: bool) -> tuple[Floats, Bools]:
    """The ring's cubics (n, 4, 2), turned round where its area has the other sign."""
    control = ring.points.reshape(-1, 3, 2)
    control = np.concatenate([control, np.roll(control[:, :1], -1, axis=0)], axis=1)
    x, y = evaluate(control, np.arange(4) / 4).reshape(-1, 2).T
    area = float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())
    if (area > 0) == positive:
        return control, ring.lines
    return control[::-1, ::-1], ring.lines[::-1]
