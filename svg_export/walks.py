"""Rings of arcs: what they enclose, in pixels' corners and along the smooth borders."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import shapely

from svg_export.curves import Bools, Floats, Ints
from svg_export.geometry import Scattered, valid
from svg_export.trace import BACKGROUND_RANK, OUTSIDE_RANK, PlanarMap, rings

Walk = list[tuple[int, bool]]  #: arcs of a ring or of a part of one, and whether each is walked forward


def arc_areas(arcs: PlanarMap) -> Floats:
    """(arcs,) px squared: what each arc adds to the area of a ring that walks it forward."""
    before = np.concatenate([arcs.points[:-1], arcs.points[-1:]])
    cross = before[:-1, 0] * arcs.points[1:, 1] - arcs.points[1:, 0] * before[:-1, 1]
    cross[arcs.starts[1:-1] - 1] = 0  # not a step: from one arc to the next
    total = np.concatenate([[0], np.cumsum(cross), [np.sum(cross)]])
    areas: Floats = (total[arcs.starts[1:] - 1] - total[arcs.starts[:-1]]) / 2
    return areas


def thickness(arcs: PlanarMap, areas: Floats) -> Floats:
    """Mean width of each part, px (256,) by rank: area over half the length of its outline; `areas`: `arc_areas`."""
    length = np.diff(arcs.starts) - 1
    area, border = np.zeros(256), np.zeros(256)
    np.add.at(area, arcs.owner, areas)
    np.add.at(area, arcs.lower, -areas)
    np.add.at(border, arcs.owner, length)
    np.add.at(border, arcs.lower, length)
    width = np.where(border > 0, 2 * area / np.maximum(border, 1), np.inf)
    width[[BACKGROUND_RANK, OUTSIDE_RANK]] = np.inf
    return width


class Walks:
    """The rings of a planar map. A shape is an outer ring, followed by its holes."""

    def __init__(self, arcs: PlanarMap, areas: Floats, smoothed: Mapping[int, Floats]) -> None:
        """`areas`: `arc_areas`; `smoothed`: points (n, 2) of the smooth border along each arc, but for the frame's."""
        self.arcs, self._areas, self._smoothed = arcs, areas, smoothed

    def around(self, members: frozenset[int]) -> list[Walk]:
        """The outlines of the union of some ranks: see `rings`."""
        return rings(self.arcs, lambda ranks: isin(ranks, members))

    def grouped(self, walks: list[Walk]) -> list[list[Walk]]:
        """Outer rings, largest first, each followed by its holes."""
        outer = sorted((walk for walk in walks if self.area(walk) > 0), key=lambda walk: -self.area(walk))
        groups = [[walk] for walk in outer]
        holes = [walk for walk in walks if self.area(walk) <= 0]
        if holes:
            probes = Scattered(np.array([self.probe(walk) for walk in holes]))
            home = np.zeros(len(holes), np.int64)
            for index, walk in enumerate(outer):  # the last that holds it is the smallest
                home[probes.inside(self.lattice(walk))] = index
            for walk, index in zip(holes, home.tolist(), strict=True):
                groups[index].append(walk)
        return groups

    def filled(self, rank: int, walks: list[Walk]) -> list[Walk]:
        """The rings of a part less the holes that later parts cover, and less what lies within those."""
        arcs = self.arcs
        covered = [
            at
            for at, walk in enumerate(walks)
            if self.area(walk) < 0
            and all(arcs.owner[arc] > rank and not self.is_frame(arc) and not forward for arc, forward in walk)
        ]
        if not covered:
            return walks
        stray = np.flatnonzero((arcs.owner >= rank) & (arcs.owner != OUTSIDE_RANK) & (arcs.lower < rank))
        stray_points = Scattered(arcs.points[arcs.starts[stray]].astype(np.float64) + 0.5)
        lattices = [self.lattice(walks[at]) for at in covered]
        filled = [n for n, lattice in enumerate(lattices) if not len(stray_points.inside(lattice))]
        probes = Scattered(np.array([self.probe(walk) for walk in walks]))
        within = (probes.inside(lattices[n]).tolist() for n in filled)
        gone = {covered[n] for n in filled}.union(*within)
        return [walk for at, walk in enumerate(walks) if at not in gone]

    def region(self, rank: int) -> shapely.Geometry:
        """The smoothed area of a part and of all that are painted later."""
        walks = rings(self.arcs, lambda ranks: (ranks >= rank) & (ranks != OUTSIDE_RANK))
        shapes = [self.polygon(shape) for shape in self.grouped(walks)]
        return shapes[0] if len(shapes) == 1 else shapely.union_all(shapes)

    def polygon(self, shape: list[Walk]) -> shapely.Geometry:
        """What a shape encloses, as coarse as `coarse`."""
        outer, *holes = (np.concatenate([self.coarse(*step) for step in walk]) for walk in shape)
        return valid(shapely.Polygon(outer, holes))

    def area(self, walk: Walk) -> float:
        """px squared that a ring encloses: positive of an outer ring, negative of a hole."""
        return float(sum(self._areas[arc] if forward else -self._areas[arc] for arc, forward in walk))

    def probe(self, walk: Walk) -> Floats:
        """The centre of a pixel just inside a ring."""
        arc, forward = walk[0]
        points = self.arcs.arc(arc)[:2] if forward else self.arcs.arc(arc)[:-3:-1]
        dx, dy = (points[1] - points[0]) / 2
        middle: Floats = points.mean(axis=0) + np.array([-dy, dx])
        return middle

    def lattice(self, walk: Walk) -> Ints:
        """Pixel corners (n, 2) along a ring or a part of one."""
        parts = [self.arcs.arc(arc) if forward else self.arcs.arc(arc)[::-1] for arc, forward in walk]
        return np.concatenate([parts[0], *(part[1:] for part in parts[1:])])

    def smooth(self, arc: int, forward: bool) -> Floats:
        """Points (n, 2) of the smooth border along an arc."""
        return self._smoothed[arc] if forward else self._smoothed[arc][::-1]

    def line(self, stretch: Walk) -> Floats:
        """Points (n, 2) of the smooth border along some arcs, one after the other."""
        parts = [self.smooth(*step) for step in stretch]
        return np.concatenate([parts[0], *(part[1:] for part in parts[1:])])

    def coarse(self, arc: int, forward: bool) -> Floats:
        """Every fourth point of an arc, and both ends: enough where a few tenths of a pixel do not matter."""
        points = self.lattice([(arc, forward)]) if self.is_frame(arc) else self.smooth(arc, forward)
        if len(points) <= 12:  # around a pixel alone: a few of these would be no ring
            return points.astype(np.float64, copy=False)
        return np.concatenate([points[:-1:4], points[-1:]])

    def is_frame(self, arc: int) -> bool:
        """Whether an arc runs along the picture's frame."""
        return bool(self.arcs.owner[arc] == OUTSIDE_RANK)


def isin(ranks: Ints, members: frozenset[int]) -> Bools:
    """Which of `ranks` (n,) are in `members`."""
    table = np.zeros(256, np.bool_)
    table[list(members)] = True
    return table[ranks]


def stretches(walk: Walk, kinds: list[int]) -> list[Walk]:
    """A ring cut where the kind changes."""
    first = next((at for at in range(len(walk)) if kinds[at] != kinds[at - 1]), 0)
    found: list[Walk] = []
    for at in range(first, first + len(walk)):
        step = walk[at % len(walk)]
        if at > first and kinds[at % len(walk)] == kinds[(at - 1) % len(walk)]:
            found[-1].append(step)
        else:
            found.append([step])
    return found
