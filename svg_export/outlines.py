"""Planar map -> the closed outlines of every layer, as cubic Beziers.

The outline of a layer is walked arc by arc and falls into **runs**: strokes (what the part shows of its outline, from
`strokes`), hidden runs beneath parts painted later (from `underlap`), and runs along the frame. All strokes and hidden
runs of a picture are fitted at once; then the strokes' ends are put onto the fitted strokes that they meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import shapely

from svg_export.curves import (
    Bools, Fitted, Floats, Ints, Lines, evaluate, fit, flatten, nearest, refit, split, tangents,
)  # fmt: skip
from svg_export.strokes import build_strokes, junction_places
from svg_export.trace import BACKGROUND_RANK, OUTSIDE_RANK, PlanarMap, rings
from svg_export.underlap import Room, cut_ends, hidden_line, inside_ring, meets

Joins = Literal["underlap", "stacked", "cutout"]
Walk = list[tuple[int, bool]]  # arcs of a ring, and whether each is walked forward


@dataclass(frozen=True)
class Lengths:
    """`TraceSettings` in px of the picture at hand."""

    tolerance: float
    smoothing: float
    corner: float  #: radians
    corner_reach: float
    underlap: float
    hidden_reach: float
    decimals: int


@dataclass(frozen=True)
class Outline:
    """A ring of cubics, each starting where the one before ends."""

    control: Floats  #: (n, 4, 2)
    straight: Bools  #: (n,)


def draw_outlines(
    arcs: PlanarMap, lengths: Lengths, joins: Joins, frame: tuple[int, int], head: int, carried: frozenset[int]
) -> dict[int, list[list[Outline]]]:
    """Rank -> its shapes, largest first, each an outer ring and its holes.

    frame    (width, height)
    head     the rank of the head, and `carried` the ranks that it is solid beneath
    """
    sheet = _Sheet(arcs, lengths, frame)
    ranks = [rank for rank in np.unique(np.concatenate([arcs.owner, arcs.lower])).tolist() if 0 < rank < OUTSIDE_RANK]
    plans: dict[int, list[list[list[_Run]]]] = {}
    for rank in ranks:
        if joins == "underlap":
            plans[rank] = sheet.underlapping(rank, frozenset({rank}) | (carried if rank == head else frozenset()))
        elif joins == "stacked":
            plans[rank] = sheet.exact(frozenset(r for r in ranks if r >= rank), rank)
        else:
            plans[rank] = sheet.exact(frozenset({rank}), rank)
    sheet.fit()
    return {rank: [[sheet.outline(ring) for ring in shape] for shape in plan] for rank, plan in plans.items()}


@dataclass(frozen=True)
class _Run:
    """A stretch of a ring."""

    kind: Literal["stroke", "hidden", "frame", "arc"]
    index: int = -1  # of the stroke, the hidden line or the arc
    forward: bool = True  # arcs only
    corners: Floats | None = None  # frame only: (n, 2)


@dataclass(frozen=True)
class _Hidden:
    """A hidden outline before it is fitted."""

    line: Floats  # (n, 2)
    tolerance: Floats  # (n,)
    closed: bool
    border: Floats  # (m, 2) the smoothed border that it is the hidden side of


class _Sheet:
    """One picture's strokes and hidden lines while its layers are laid out."""

    def __init__(self, arcs: PlanarMap, lengths: Lengths, frame: tuple[int, int]) -> None:
        self.arcs, self.lengths, self.frame = arcs, lengths, frame
        before = np.concatenate([arcs.points[:-1], arcs.points[-1:]])
        cross = before[:-1, 0] * arcs.points[1:, 1] - arcs.points[1:, 0] * before[:-1, 1]
        cross[arcs.starts[1:-1] - 1] = 0  # not a step: from one arc to the next
        total = np.concatenate([[0], np.cumsum(cross), [np.sum(cross)]])
        self.area = (total[arcs.starts[1:] - 1] - total[arcs.starts[:-1]]) / 2
        self.length = np.diff(arcs.starts) - 1
        thickness = self._thickness()
        thin = np.minimum(thickness[arcs.owner], thickness[arcs.lower])
        sigma = np.clip(0.15 * thin, 0.6, max(lengths.smoothing, 1.0))
        self.tolerance = np.clip(0.07 * thin, 0.3, max(lengths.tolerance, 0.35))
        reach = np.clip(0.6 * thin, 2, max(lengths.corner_reach, 3)).astype(np.int64)
        self.strokes = build_strokes(arcs, sigma, reach, lengths.corner)
        self.stride = max(1, int(1.4 * lengths.underlap))
        self.hidden: list[_Hidden] = []
        self.room = Room(lengths.underlap, lengths.hidden_reach, lengths.underlap * 0.7, max(1.0, 1.1 * lengths.underlap))

    def _thickness(self) -> Floats:
        """Mean width of each part, px (256,): area over half the length of its outline."""
        arcs = self.arcs
        area, border = np.zeros(256), np.zeros(256)
        np.add.at(area, arcs.owner, self.area)
        np.add.at(area, arcs.lower, -self.area)
        np.add.at(border, arcs.owner, self.length)
        np.add.at(border, arcs.lower, self.length)
        thickness = np.where(border > 0, 2 * area / np.maximum(border, 1), np.inf)
        thickness[[BACKGROUND_RANK, OUTSIDE_RANK]] = np.inf
        return thickness

    # layout ----------------------------------------------------------------------------------------------------------

    def exact(self, members: frozenset[int], rank: int) -> list[list[list[_Run]]]:
        """The union of `members` with exactly its own outline; of its pieces those that hold something of `rank`."""
        walks = self._walks(members)
        shapes = self._grouped(walks)
        if members != {rank}:
            own = np.array([self._probe(walk) for walk in self._walks(frozenset({rank}))]).reshape(-1, 2)
            shapes = [shape for shape in shapes if inside_ring(self._lattice(shape[0]), own).any()]
        return [[self._exact_runs(walk) for walk in shape] for shape in shapes]

    def underlapping(self, rank: int, members: frozenset[int]) -> list[list[list[_Run]]]:
        """What `rank` shows, reaching beneath what is painted later, solid beneath `members`."""
        arcs = self.arcs
        later = (arcs.owner > rank) & (arcs.owner != OUTSIDE_RANK) & ~_isin(arcs.owner, members)
        danger_arcs = np.flatnonzero(later & (arcs.lower < rank))
        stray = np.flatnonzero((arcs.owner >= rank) & (arcs.owner != OUTSIDE_RANK) & (arcs.lower < rank))
        stray_points = arcs.points[arcs.starts[stray]] + 0.5
        walks, filled = [], []
        for walk in self._walks(members):
            covered = all(arcs.owner[arc] > rank and not self._is_frame(arc) and not forward for arc, forward in walk)
            if covered and self._area(walk) < 0:
                lattice = self._lattice(walk)
                if not inside_ring(lattice, stray_points).any():
                    filled.append(lattice)
                    continue
            walks.append(walk)
        if filled:  # what lies within a hole that is filled now is filled with it
            probes = np.array([self._probe(walk) for walk in walks]).reshape(-1, 2)
            gone = np.any([inside_ring(lattice, probes) for lattice in filled], axis=0)
            walks = [walk for walk, lost in zip(walks, gone.tolist(), strict=True) if not lost]
        danger = np.concatenate([np.zeros((0, 2)), *(self._smooth(int(arc), True)[:: self.stride] for arc in danger_arcs)])
        return [[self._runs(walk, rank, danger) for walk in shape] for shape in self._grouped(walks)]

    def _walks(self, members: frozenset[int]) -> list[Walk]:
        return rings(self.arcs, lambda ranks: _isin(ranks, members))

    def _grouped(self, walks: list[Walk]) -> list[list[Walk]]:
        """Outer rings, largest first, each followed by its holes."""
        outer = sorted((walk for walk in walks if self._area(walk) > 0), key=lambda walk: -self._area(walk))
        groups = [[walk] for walk in outer]
        holes = [walk for walk in walks if self._area(walk) <= 0]
        if holes:
            probes = np.array([self._probe(walk) for walk in holes])
            home = np.zeros(len(holes), np.int64)
            for index, walk in enumerate(outer):  # the last that holds it is the smallest
                home[inside_ring(self._lattice(walk), probes)] = index
            for walk, index in zip(holes, home.tolist(), strict=True):
                groups[index].append(walk)
        return groups

    def _exact_runs(self, walk: Walk) -> list[_Run]:
        runs = []
        for stretch in _stretches(walk, [0 if self._is_frame(arc) else 1 + at for at, (arc, _) in enumerate(walk)]):
            if self._is_frame(stretch[0][0]):
                runs.append(self._frame_run(stretch))
            else:
                runs.append(_Run("arc", stretch[0][0], stretch[0][1]))
        return runs

    def _runs(self, walk: Walk, rank: int, danger: Floats) -> list[_Run]:
        kinds = []
        for arc, forward in walk:
            shown = forward and int(self.arcs.owner[arc]) == rank
            hidden = -2 if forward else -1  # forward: what the head carries, beyond the head's own border
            kinds.append(-3 if self._is_frame(arc) else self.strokes.stroke_of[arc] if shown else hidden)
        runs = []
        for stretch in _stretches(walk, kinds):
            arc, forward = stretch[0]
            if self._is_frame(arc):
                runs.append(self._frame_run(stretch))
            elif forward and int(self.arcs.owner[arc]) == rank:
                runs.append(_Run("stroke", self.strokes.stroke_of[arc]))
            else:
                runs.append(self._hidden_run(stretch, len(stretch) == len(walk), danger))
        return runs

    def _frame_run(self, stretch: Walk) -> _Run:
        points = self._lattice(stretch).astype(np.float64)
        step = np.diff(points, axis=0)
        turn = np.any(step[1:] != step[:-1], axis=1)
        return _Run("frame", corners=points[np.concatenate([[True], turn, [True]])])

    def _hidden_run(self, stretch: Walk, closed: bool, danger: Floats) -> _Run:
        parts = [self._smooth(arc, forward) for arc, forward in stretch]
        border = np.concatenate([parts[0], *(part[1:] for part in parts[1:])])
        line, tolerance = hidden_line(border, stretch[0][1], closed, danger, self.frame, self.room)
        self.hidden.append(_Hidden(line, tolerance, closed, border))
        return _Run("hidden", len(self.hidden) - 1)

    def _is_frame(self, arc: int) -> bool:
        return bool(self.arcs.owner[arc] == OUTSIDE_RANK)

    def _area(self, walk: Walk) -> float:
        return float(sum(self.area[arc] if forward else -self.area[arc] for arc, forward in walk))

    def _lattice(self, walk: Walk) -> Ints:
        """Pixel corners (n, 2) along a ring or a part of one."""
        parts = [self.arcs.arc(arc) if forward else self.arcs.arc(arc)[::-1] for arc, forward in walk]
        return np.concatenate([parts[0], *(part[1:] for part in parts[1:])])

    def _smooth(self, arc: int, forward: bool) -> Floats:
        points = self.strokes.pieces.points[self.strokes.samples[arc]]
        return points if forward else points[::-1]

    def _probe(self, walk: Walk) -> Floats:
        """The centre of a pixel just inside a ring."""
        arc, forward = walk[0]
        points = self.arcs.arc(arc)[:2] if forward else self.arcs.arc(arc)[:-3:-1]
        dx, dy = (points[1] - points[0]) / 2
        middle: Floats = points.mean(axis=0) + np.array([-dy, dx])
        return middle

    # fitting ---------------------------------------------------------------------------------------------------------

    def fit(self) -> None:
        """Fit all strokes and hidden lines, and put the strokes' ends onto the strokes that they meet."""
        pieces, strokes = self.strokes.pieces, self.strokes
        tolerance = np.full(len(pieces.points), np.inf)
        for arc, samples in strokes.samples.items():
            tolerance[samples] = np.minimum(tolerance[samples], self.tolerance[arc])
        unset = np.flatnonzero(np.isinf(tolerance))
        tolerance[unset] = tolerance[np.maximum(unset - 1, 0)]
        count = [len(hidden.line) for hidden in self.hidden]
        lines = Lines(
            np.concatenate([pieces.points, *(hidden.line for hidden in self.hidden)]),
            np.concatenate([pieces.starts, pieces.starts[-1] + np.cumsum(count)]).astype(np.int64),
            np.concatenate([pieces.closed, np.array([hidden.closed for hidden in self.hidden], np.bool_)]),
        )
        tolerance = np.concatenate([tolerance, *(hidden.tolerance for hidden in self.hidden)])
        sigma = np.concatenate([np.maximum(1.5 * strokes.sigma, 0.8), np.full(len(count), 1.5)])
        direction = tangents(lines, np.minimum(sigma, lines.lengths / 6))
        unit = self.lengths.smoothing / 1.4
        spacing = np.concatenate([np.full(len(pieces), 3.0 * unit), np.full(len(count), 3.0 * unit / self.room.step)])
        # a short line needs a choice too
        spacing = np.clip(np.minimum(spacing, lines.lengths / 8), 1, None).astype(np.int64)
        fitted = fit(lines, direction, tolerance, spacing)
        self._take(fitted)
        for share in (0.5, 0.2):
            crossing = self._crossing_lines()
            if not len(crossing):
                break
            fitted = refit(lines, direction, tolerance, spacing, fitted, crossing, share)
            self._take(fitted)

    def _take(self, fitted: Fitted) -> None:
        self.fitted, self.control = fitted, np.round(fitted.control, self.lengths.decimals)
        self.bounds = np.searchsorted(fitted.line, np.arange(len(self.strokes.pieces) + len(self.hidden) + 1))
        self._snap()

    def _crossing_lines(self) -> Ints:
        """Lines that cross another or themselves, or, if hidden, their border, other than at their ends."""
        flat = [flatten(self.control[a:b]) for a, b in zip(self.bounds[:-1], self.bounds[1:], strict=True)]
        count = len(self.strokes.pieces)
        curves = [shapely.LineString(line) for line in flat]
        bad = set(np.flatnonzero(~shapely.is_simple(np.array(curves))).tolist())
        # strokes meet at their ends, and end on others
        inner = [shapely.LineString(cut) if len(cut := cut_ends(line, 0.7)) > 1 else None for line in flat[:count]]
        one, two = shapely.STRtree(inner).query(inner, predicate="intersects")
        crossing = one != two
        bad |= {*one[crossing].tolist(), *two[crossing].tolist()}
        bad |= {count + at for at, hidden in enumerate(self.hidden) if meets(flat[count + at], hidden.border)}
        return np.array(sorted(bad), np.int64)

    def _snap(self) -> None:
        """Where a stroke ends on another: its end becomes a point of that curve."""
        strokes, fitted = self.strokes, self.fitted
        self.crossing: dict[int, tuple[int, float]] = {}  # junction -> segment and parameter on the stroke through it
        self.junction: dict[int, Floats] = {}
        places = junction_places(self.arcs, strokes)
        segment_of = {
            node: int(np.searchsorted(fitted.start[: self.bounds[len(strokes.pieces)]], sample, "right")) - 1
            for node, sample in places.items()
        }
        ends: dict[int, list[tuple[int, int]]] = {}
        for stroke, owner in enumerate(strokes.owner.tolist()):
            for node, side in ((int(strokes.start_node[stroke]), 0), (int(strokes.end_node[stroke]), 3)):
                if node in places:
                    ends.setdefault(owner, []).append((node, self._end_segment(stroke, side)))
                    ends[owner][-1] = (node, self._end_segment(stroke, side) * 4 + side)
        for owner in sorted(ends, reverse=True):
            nodes = [node for node, _ in ends[owner]]
            segment = np.array([segment_of[node] for node in nodes])
            sample = np.array([places[node] for node in nodes])
            span = fitted.end[segment] - fitted.start[segment]
            guess = np.clip((sample - fitted.start[segment]) / span, 0.0, 1.0)
            t = nearest(self.control[segment], self.strokes.pieces.points[sample], guess)
            points = np.round(evaluate(self.control[segment], t[:, None])[:, 0], self.lengths.decimals)
            for (node, end), where, at, point in zip(ends[owner], segment.tolist(), t.tolist(), points, strict=True):
                self.crossing[node], self.junction[node] = (where, at), point
                _drag(self.control[end // 4], end % 4, point)

    def _end_segment(self, stroke: int, side: int) -> int:
        first, last = self.strokes.first_piece[stroke], self.strokes.first_piece[stroke + 1]
        return int(self.bounds[first]) if side == 0 else int(self.bounds[last]) - 1

    def _stroke_curves(self, stroke: int) -> Floats:
        first, last = self.strokes.first_piece[stroke], self.strokes.first_piece[stroke + 1]
        return self.control[self.bounds[first] : self.bounds[last]]

    # assembly --------------------------------------------------------------------------------------------------------

    def outline(self, runs: list[_Run]) -> Outline:
        """The curves of a ring, end to end."""
        parts: list[Floats] = []
        straight: list[Bools] = []
        for run in runs:
            if run.kind == "stroke":
                curves = self._stroke_curves(run.index)
            elif run.kind == "hidden":
                piece = len(self.strokes.pieces) + run.index
                curves = self.control[self.bounds[piece] : self.bounds[piece + 1]].copy()
            elif run.kind == "frame":
                assert run.corners is not None
                curves = _straight(run.corners)
            else:
                curves = self._arc_curves(run.index)
                curves = curves if run.forward else curves[::-1, ::-1]
            parts.append(curves)
            straight.append(np.full(len(curves), run.kind == "frame"))
        for at, run in enumerate(runs):  # hidden runs begin and end where the strokes beside them do
            if run.kind == "hidden" and len(runs) > 1:
                _drag(parts[at][0], 0, parts[at - 1][-1, 3])
                _drag(parts[at][-1], 3, parts[(at + 1) % len(parts)][0, 0])
        return Outline(np.concatenate(parts), np.concatenate(straight))

    def _arc_curves(self, arc: int) -> Floats:
        """The part of a stroke's curves between the two junctions of an arc."""
        curves = self._all_arc_curves.get(arc)
        if curves is None:
            self._cut_stroke(self.strokes.stroke_of[arc])
            curves = self._all_arc_curves[arc]
        return curves

    @property
    def _all_arc_curves(self) -> dict[int, Floats]:
        return self.__dict__.setdefault("_arc_curves_cache", {})

    def _cut_stroke(self, stroke: int) -> None:
        chain = self.strokes.arcs[stroke]
        curves = self._stroke_curves(stroke)
        first = int(self.bounds[self.strokes.first_piece[stroke]])
        cuts = []
        for arc in chain if self.strokes.closed[stroke] else chain[1:]:
            node = int(self.arcs.tail[arc])
            if node >= 0:
                segment, t = self.crossing[node]
                cuts.append((segment - first, t, self.junction[node]))
        if not cuts:
            self._all_arc_curves[chain[0]] = curves
            return
        pieces: list[Floats] = []
        rest: list[Floats] = []
        order = sorted(range(len(cuts)), key=lambda k: cuts[k][:2])
        bounds: list[list[Floats]] = [[]]
        at = 0
        for segment, curve in enumerate(curves):
            left, done = curve, 0.0
            while at < len(order) and cuts[order[at]][0] == segment:
                _, t, point = cuts[order[at]]
                share = (t - done) / (1 - done) if done < 1 else 1.0
                one, left = split(left, min(max(share, 0.0), 1.0))
                one, left = np.round(one, self.lengths.decimals), np.round(left, self.lengths.decimals)
                one[3] = left[0] = point
                bounds[-1].append(one)
                bounds.append([])
                done, at = t, at + 1
            bounds[-1].append(left)
        stretches = [np.stack(part) for part in bounds]
        if self.strokes.closed[stroke]:
            stretches = [np.concatenate([stretches[-1], stretches[0]]), *stretches[1:-1]]
            # the stretch before the first cut belongs to the arc that ends there
            ring = [chain[(order[0] - 1) % len(chain)]]
            ring += [chain[k] for k in order[:-1]]
            for arc, part in zip(ring, stretches, strict=True):
                self._all_arc_curves[arc] = _without_points(part)
        else:
            for arc, part in zip(chain, stretches, strict=True):
                self._all_arc_curves[arc] = _without_points(part)
        del pieces, rest


def _without_points(curves: Floats) -> Floats:
    """Curves less those that a cut left without extent."""
    extent = np.abs(curves - curves[:, :1]).max(axis=(1, 2)) > 0
    return curves[extent] if extent.any() else curves[:1]


def _isin(ranks: Ints, members: frozenset[int]) -> Bools:
    table = np.zeros(256, np.bool_)
    table[list(members)] = True
    return table[ranks]


def _stretches(walk: Walk, kinds: list[int]) -> list[Walk]:
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


def _straight(corners: Floats) -> Floats:
    step = np.diff(corners, axis=0) / 3
    return np.stack([corners[:-1], corners[:-1] + step, corners[1:] - step, corners[1:]], axis=1)


def _drag(curve: Floats, side: int, point: Floats) -> None:
    """Move one end (0 or 3) of a cubic (4, 2), with its handle."""
    shift = point - curve[side]
    curve[side] = point
    curve[1 if side == 0 else 2] += shift
