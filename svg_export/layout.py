"""What the outlines of every layer are made of: strokes, hidden lines and runs along the frame.

The outline of a layer is walked arc by arc and falls into **runs**: strokes (what the part shows of its outline, from
`strokes`), hidden runs beneath parts painted later (from `underlap`, `completion` and `bridges`), and runs along the
frame. `outlines` makes curves of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from typing import Literal

import numpy as np
import shapely

from svg_export.bridges import Cut, bridges, leeway
from svg_export.completion import Space, around, complete
from svg_export.curves import Floats, unit
from svg_export.geometry import Scattered, valid
from svg_export.hidden import Hidden
from svg_export.placement import Settle, frame_nodes
from svg_export.proposals import Gap, Plan
from svg_export.stitch import Stitched
from svg_export.strokes import build_strokes
from svg_export.trace import BACKGROUND_RANK, OUTSIDE_RANK, PlanarMap
from svg_export.underlap import Room, hidden_line
from svg_export.walks import Walk, Walks, arc_areas, isin, stretches, thickness

_THIN = 0.25  #: of its thickness: what lies on the head reaches no farther beneath others
_TINT = 0.4  # px: a rim of another colour so thin, and as short, that it is hardly seen
_AS_NEAR = 0.1  # px: of two arcs of a stroke, both count that are so nearly as far from a point
_BESIDE = 2.0  # px: farther from its border a hidden line is not beside it

Joins = Literal["underlap", "stacked", "cutout"]


@dataclass(frozen=True)
class Lengths:
    """`TraceSettings` in px of the picture at hand."""

    tolerance: float
    drift: float
    slack: float  #: what tolerance and drift are multiplied by, in every part
    smoothing: float
    smoothing_by: Floats  #: (256,) factor, by rank
    corner: Floats  #: (256,) radians, by rank
    corner_reach: float
    underlap: float
    hidden_reach: float
    spacing: float  #: between two candidates for a node
    heading: float  #: over which the direction of a visible outline is taken where it goes under
    margin: float  #: what a completed outline keeps from all that it must not show beside
    polygon: bool  #: straight lines alone
    decimals: int


@dataclass(frozen=True)
class Run:
    """A stretch of a ring."""

    kind: Literal["stroke", "hidden", "frame", "arc"]
    index: int = -1  # of the stroke, the hidden line or the arc
    forward: bool = True  # arcs only
    corners: Floats | None = None  # frame only: (n, 2), of the lattice
    nodes: tuple[int, int] = (-1, -1)  # frame only: the junctions at its ends ...
    beyond: tuple[float, float] = (0.0, 0.0)  # ... and how far it may go on beneath what is painted later, px
    border: Walk = field(default_factory=list)  # hidden only: the arcs that it is hidden by
    stretch: tuple[int, int | None] = (0, None)  # arcs only: the first and the last point, counted from the tail
    piece: int = 0  # hidden only: which of its stretches


@dataclass(frozen=True)
class LaidShape:
    """An outer ring and its holes."""

    rings: list[list[Run]]
    size: float = 0.0  # px squared that the outer ring shows
    bridges: frozenset[int] = frozenset()  # hidden lines by which it was joined ...
    apart: tuple[LaidShape, ...] = ()  # ... of these, which are drawn instead where a bridge was given up

    def drawn(self, curves: Stitched) -> list[list[list[Run]]]:
        """The rings of the shape, or of its pieces."""
        return [each.rings for each in self.apart] if self.bridges & curves.given_up else [self.rings]


@dataclass(frozen=True)
class _Border:
    """What a hidden line is to be laid along."""

    points: Floats  # (n, 2)
    inset: bool
    closed: bool
    gap: Gap | None  # where it is to be completed


@dataclass(frozen=True)
class _Part:
    """A part while its hidden outlines are laid."""

    rank: int
    plan: Plan | None  # how what is hidden of it is completed
    on_head: int | None  # the rank of the head where the part lies on it
    room: Room
    shown: list[Floats]  # outlines (n, 2) beside which nothing of the part may show
    stride: int  # of their points that are asked for
    allowed: Callable[[], shapely.Geometry]  # where it is, or something that is painted later
    # shapes with what completion adds to them at one border each, and the numbers of those hidden lines
    gained: list[Callable[[], shapely.Geometry]] = field(default_factory=list)
    completed: list[int] = field(default_factory=list)

    @cached_property
    def visible(self) -> Floats:
        """The points of `shown`, (n, 2)."""
        return np.concatenate([np.zeros((0, 2)), *self.shown])

    @cached_property
    def danger(self) -> Scattered:
        """Some of these points, enough for what lies near the border."""
        return Scattered(np.concatenate([np.zeros((0, 2)), *(points[:: self.stride] for points in self.shown)]))


class Layout:
    """One picture's strokes and hidden lines while its layers are laid out."""

    def __init__(self, arcs: PlanarMap, lengths: Lengths, frame: tuple[int, int], settle: Settle | None = None) -> None:
        self.arcs, self.lengths, self.frame = arcs, lengths, frame
        areas = arc_areas(arcs)
        self.thickness = thickness(arcs, areas)  #: px, by rank
        thin = np.minimum(self.thickness[arcs.owner], self.thickness[arcs.lower])
        sigma = np.clip(0.2 * thin, 1.2, max(lengths.smoothing, 1.2)) if lengths.slack > 0 else np.zeros(len(arcs))
        sigma = sigma * lengths.smoothing_by[arcs.owner]
        # the silhouette is looked at hardest
        most = np.where(arcs.lower == BACKGROUND_RANK, 0.85, 1.0) * lengths.tolerance
        self.tolerance = np.clip(0.056 * thin, 0.4, np.maximum(most, 0.4))
        reach = np.clip(0.6 * thin, 2, max(lengths.corner_reach, 3)).astype(np.int64)
        self.strokes = build_strokes(arcs, sigma, reach, lengths.corner, settle)
        self.slides = frame_nodes(arcs)
        smoothed = {arc: self.strokes.pieces.points[at] for arc, at in self.strokes.samples.items()}
        self.walks = Walks(arcs, areas, smoothed)
        self.hidden: list[Hidden] = []
        self.wholes: dict[int, Callable[[], shapely.Geometry]] = {}  #: by rank: completed parts, the largest shape
        self.beneath: list[int] = []  #: the rank of the part whose each hidden line is
        step = max(1.0, 1.1 * lengths.underlap)
        self.clearances = (lengths.underlap, lengths.margin, 1.2 * lengths.hidden_reach)
        self.room = Room(lengths.underlap, lengths.hidden_reach, 0.7 * lengths.underlap, step)
        self.stride = max(1, int(step))  # of points that need not all be asked
        self._line_of = cache(lambda arc: shapely.LineString(self.walks.smooth(arc, True)))

    def leeway(self, hidden: int, stroke: int, point: Floats | None) -> float:
        """How far, px, a hidden line may come out from beneath a stroke (sources) at a point (2,); None: at any."""
        index = hidden - len(self.strokes.arcs)
        rank, arcs = self.beneath[index], self.strokes.arcs[stroke]
        lowers = self.arcs.lower[arcs]
        if lowers.min() > rank:  # it is beneath what is on both sides
            return math.inf
        if point is None:
            return 0.0
        at = shapely.Point(point)
        away = shapely.distance([self._line_of(arc) for arc in arcs], at)
        # where two of its arcs meet both count: they are as near
        return min(self._leeway(index, lower, at) for lower in lowers[away < away.min() + _AS_NEAR].tolist())

    def _leeway(self, index: int, lower: int, point: shapely.Point) -> float:
        """`leeway` where the stroke divides its part from that of rank `lower`."""
        rank = self.beneath[index]
        if lower > rank:
            return math.inf
        if lower < rank:
            return _TINT
        # between two pieces of its part it may be seen; beside its own border there would be a gap
        return 0.0 if shapely.LineString(self.hidden[index].border).distance(point) < _BESIDE else math.inf

    def exact(self, members: frozenset[int], rank: int) -> list[LaidShape]:
        """The union of `members` with exactly its own outline; of its pieces those that hold something of `rank`."""
        walks = self.walks.around(members)
        shapes = self.walks.grouped(walks)
        if members != {rank}:
            own: Floats = np.array([self.walks.probe(walk) for walk in self.walks.around(frozenset({rank}))]).reshape(
                -1, 2
            )
            pieces = Scattered(own)
            shapes = [shape for shape in shapes if len(pieces.inside(self.walks.lattice(shape[0])))]
        return [LaidShape([self._exact_runs(walk) for walk in shape]) for shape in shapes]

    def underlapping(
        self,
        rank: int,
        members: frozenset[int],
        plan: Plan | None,
        covers: frozenset[int] = frozenset(),
        on_head: int | None = None,
    ) -> list[LaidShape]:
        """What `rank` shows, reaching beneath what is painted later, solid beneath `members`.

        covers   the ranks beneath which its pieces are joined
        on_head  the rank of the head where the part lies on it: what is completed of it keeps to that
        """
        part = self._part(rank, members, plan, on_head)
        layout: list[LaidShape] = []
        cuts: list[tuple[int, int, Cut]] = []
        outlines: list[Floats] = []
        for shape in self.walks.grouped(self.walks.filled(rank, self.walks.around(members))):
            if part.gained and self._lies_within(shape, part.gained):
                # a piece of forehead between strands of hair: it is there already
                for at in part.completed:
                    self.hidden[at] = replace(self.hidden[at], closer=None)
                continue
            borders: list[_Border] = []
            # of what is in pieces the largest stands for the whole
            planned = plan if plan and not (layout and plan.stands_for_all) else None
            found: dict[int, Cut] = {}
            runs = [self._runs(walk, rank, borders, planned, covers, found) for walk in shape]
            cuts += [(len(layout), index, cut) for index, cut in found.items()]
            outlines.append(
                np.concatenate([self.walks.coarse(*step) for step in shape[0]]) if found else np.zeros((0, 2))
            )
            layout.append(LaidShape(runs, self.walks.area(shape[0])))
            if borders:
                self._hide(part, shape, borders)
        if part.gained:
            self.wholes[rank] = part.gained[0] if len(part.gained) == 1 else cache(partial(_together, part.gained))
        return self._joined(part, layout, cuts, outlines)

    def _joined(
        self, part: _Part, layout: list[LaidShape], cuts: list[tuple[int, int, Cut]], outlines: list[Floats]
    ) -> list[LaidShape]:
        """The shapes of a part, where a later one cuts it in two as one.

        cuts      what of their outer rings may be bridged: number of the shape, of the hidden line there, and the line
        outlines  of each shape that has some
        """
        options = []
        for at, (one, index, cut) in enumerate(cuts):
            for two, other, facing in cuts[at + 1 :]:
                if one != two:
                    away = float(np.hypot(*(cut.border[0] - facing.border[-1])))
                    options.append((away, one, two, index, other, cut, facing))
        home, used = list(range(len(layout))), set[int]()
        for _, one, two, index, other, cut, facing in sorted(options, key=lambda option: option[0]):
            if home[one] == home[two] or {index, other} & used:
                continue
            found = bridges(
                cut, facing, (outlines[one], outlines[two]), part.visible, part.allowed(), self.lengths.underlap / 2
            )
            if not found:
                continue
            used |= {index, other}
            there, back = (self._bridge(part, line) for line in found)
            first, second = layout[home[one]], layout[home[two]]
            ring = [*_opened(first.rings[0], index), there, *_opened(second.rings[0], other), back]
            layout[home[one]] = LaidShape(
                [ring, *first.rings[1:], *second.rings[1:]],
                first.size + second.size,
                first.bridges | second.bridges | {there.index, back.index},
                (first.apart or (first,)) + (second.apart or (second,)),
            )
            gone = home[two]
            home = [home[one] if each == gone else each for each in home]
        return sorted((layout[at] for at in sorted(set(home))), key=lambda shape: -shape.size)

    def _bridge(self, part: _Part, line: Floats) -> Run:
        """The run of a line that leads from one piece of a part to another."""
        self.hidden.append(
            Hidden(
                line,
                leeway(line, part.visible, self.lengths.tolerance),
                closed=False,
                border=line,
                bridge=True,
                closer=lambda *_: (line, np.full(len(line), 0.15)),
            )
        )
        self.beneath.append(part.rank)
        return Run("hidden", len(self.hidden) - 1)

    def _part(self, rank: int, members: frozenset[int], plan: Plan | None, on_head: int | None) -> _Part:
        """What the hidden outlines of a part are laid by."""
        arcs, reach = self.arcs, self.room.reach
        if on_head:  # no page can shine through, and an eye behind glasses would swell
            reach = max(self.room.underlap, min(reach, _THIN * self.thickness[rank]))
        later = (arcs.owner > rank) & (arcs.owner != OUTSIDE_RANK) & ~isin(arcs.owner, members)
        return _Part(
            rank,
            plan,
            on_head,
            replace(self.room, reach=reach),
            [self.walks.smooth(arc, True) for arc in np.flatnonzero(later & (arcs.lower < rank)).tolist()],
            self.stride,
            cache(partial(self.walks.region, rank)),
        )

    def _hide(self, part: _Part, shape: list[Walk], borders: list[_Border]) -> None:
        """Lay the hidden outlines of one shape along its `borders`, completed where they can be."""
        polygon = cache(partial(self.walks.polygon, [shape[0]]))
        completed: list[Floats] = []
        # a shape must not lie on itself either: the even-odd rule would make a hole of it
        coarse = [np.concatenate([border.points[:: self.stride], border.points[-1:]]) for border in borders]
        own = Scattered(np.concatenate(coarse)) if len(borders) > 1 else None
        of = np.repeat(np.arange(len(borders)), [len(points) for points in coarse])
        room, wide = part.room, 3 * max(part.room.reach, part.room.underlap)
        for at, border in enumerate(borders):
            keep_off = part.danger.points[part.danger.near(border.points, wide)]
            if own:
                beside = own.near(border.points, wide)
                keep_off = np.concatenate([keep_off, own.points[beside[of[beside] != at]]])
            near = cache(partial(hidden_line, border.points, border.inset, border.closed, keep_off, self.frame, room))
            closer = partial(self._closer, border, keep_off, room)
            hidden: Hidden | None = None
            if part.plan and border.gap and len(border.points) > 2 * room.reach:
                space = self._space(part, polygon(), coarse[:at] + coarse[at + 1 :] + completed)
                hidden = complete(part.plan, border.gap, near, space, 2 * room.step)
            if hidden and border.gap:
                hidden = replace(hidden, closer=closer)
                completed.append(hidden.line)
                part.completed.append(len(self.hidden))
                part.gained.append(cache(partial(_with, polygon, around(hidden.line, border.gap))))
            plain = partial(Hidden, closed=border.closed, border=border.points, closer=closer)
            self.hidden.append(hidden or plain(*near()))

    def _space(self, part: _Part, polygon: shapely.Geometry, others: list[Floats]) -> Space:
        """Where what is completed of one shape may be; `others`: the shape's other borders and completed lines."""
        rim = min(self.lengths.hidden_reach, max(self.lengths.underlap, 0.1 * self.thickness[part.rank]))
        ground = None if part.on_head is None else self.wholes.get(part.on_head)
        return Space(polygon, part.allowed, part.visible, others, *self.clearances, rim, self.frame, ground)

    def _closer(
        self, border: _Border, danger: Floats, room: Room, again: int, first: int, last: int
    ) -> tuple[Floats, Floats]:
        """A hidden line along a stretch of its border; `again`: how often it was laid anew before.

        At first the whole line comes closer, to `underlap`; what is left of it where it is cut then reaches as far as
        the line that was laid first, and where it is cut once more no farther than `underlap`.
        """
        if again != 1:
            room = replace(room, reach=room.underlap, inset=min(room.inset, room.underlap))
        points = border.points[first : last + 1]
        closed = border.closed and len(points) == len(border.points)
        return hidden_line(points, border.inset, closed, danger, self.frame, room)

    def _lies_within(self, shape: list[Walk], regions: list[Callable[[], shapely.Geometry]]) -> bool:
        """Whether a shape lies well within one of some regions."""
        outline = self.walks.polygon([shape[0]])
        return any(
            region().covers(outline) and region().boundary.distance(outline) >= self.lengths.margin
            for region in regions
        )

    def _exact_runs(self, walk: Walk) -> list[Run]:
        runs = []
        for stretch in stretches(walk, [0 if self.walks.is_frame(arc) else 1 + at for at, (arc, _) in enumerate(walk)]):
            if self.walks.is_frame(stretch[0][0]):
                runs.append(self._frame_run(stretch))
            else:
                runs.append(Run("arc", stretch[0][0], stretch[0][1]))
        return runs

    def _runs(
        self,
        walk: Walk,
        rank: int,
        borders: list[_Border],
        plan: Plan | None,
        covers: frozenset[int],
        cuts: dict[int, Cut],
    ) -> list[Run]:
        """A ring's runs; what must be hidden of it is added to `borders` (of the shape).

        What lies beneath `covers` alone is added to `cuts`, by the number of the hidden line.
        """
        kinds = []
        for arc, forward in walk:
            own = forward and int(self.arcs.owner[arc]) == rank
            hidden = -2 if forward else -1  # forward: what the head carries, beyond the head's own border
            kinds.append(-3 if self.walks.is_frame(arc) else self.strokes.stroke_of[arc] if own else hidden)
        runs = []
        parts = stretches(walk, kinds)
        shown = [self.walks.smooth(arc, forward) for (arc, forward), kind in zip(walk, kinds, strict=True) if kind >= 0]
        not_shown = [
            self.walks.smooth(arc, forward) for (arc, forward), kind in zip(walk, kinds, strict=True) if kind == -1
        ]
        seen, covered = (np.concatenate([np.zeros((0, 2)), *lines]) for lines in (shown, not_shown))
        for at, stretch in enumerate(parts):
            arc, forward = stretch[0]
            if self.walks.is_frame(arc):
                runs.append(self._frame_run(stretch))
            elif forward and int(self.arcs.owner[arc]) == rank:
                runs.append(Run("stroke", self.strokes.stroke_of[arc]))
            else:
                points = self.walks.line(stretch)
                runs.append(Run("hidden", len(self.hidden) + len(borders), border=stretch))
                self.beneath.append(rank)
                gap = None
                closed = len(stretch) == len(walk)
                upper = {int(self.arcs.owner[arc]) for arc, _ in stretch}
                before, after = parts[at - 1], parts[(at + 1) % len(parts)]
                going = np.zeros(2) if closed else self._heading(before, -1)
                coming = np.zeros(2) if closed else self._heading(after, 0)
                if covers >= upper and not closed:
                    cuts[len(self.hidden) + len(borders)] = Cut(points, going, coming)
                if plan and not forward and plan.beneath & upper:
                    sides = np.concatenate([self.walks.coarse(*step) for step in stretch])
                    gap = Gap(points, sides, going, coming, seen, covered, closed)
                borders.append(_Border(points, forward, closed, gap))
        return runs

    def _heading(self, stretch: Walk, side: Literal[0, -1]) -> Floats:
        """How a visible stretch runs at its start (0) or end (-1): a unit vector, zero where it is the frame."""
        if self.walks.is_frame(stretch[0][0]):
            return np.zeros(2)
        points = np.concatenate([self.walks.smooth(*step) for step in stretch])
        count = max(2, min(len(points), int(self.lengths.heading)))
        part = points[:count] if side == 0 else points[-count:]
        heading: Floats = unit((part[-1] - part[0])[None])[0]
        return heading

    def _frame_run(self, stretch: Walk) -> Run:
        points = self.walks.lattice(stretch).astype(np.float64)
        step = np.diff(points, axis=0)
        turn = np.any(step[1:] != step[:-1], axis=1)
        corners = points[np.concatenate([[True], turn, [True]])]
        (first, forward), (last, onward) = stretch[0], stretch[-1]
        start = int((self.arcs.tail if forward else self.arcs.head)[first])
        end = int((self.arcs.head if onward else self.arcs.tail)[last])
        return Run("frame", corners=corners, nodes=(start, end), beyond=(self._beyond(start), self._beyond(end)))

    def _beyond(self, node: int) -> float:
        """px that what ends on the frame may go on beneath what is painted later."""
        return min(self.lengths.underlap, self.slides[node][1]) if node in self.slides else 0.0


def _opened(ring: list[Run], index: int) -> list[Run]:
    """A ring's runs from behind a hidden line to before it."""
    at = next(at for at, run in enumerate(ring) if run.kind == "hidden" and run.index == index)
    return ring[at + 1 :] + ring[:at]


def _with(shape: Callable[[], shapely.Geometry], ring: Floats) -> shapely.Geometry:
    """A shape and what lies within a ring (n, 2)."""
    return shape().union(valid(shapely.Polygon(ring)))


def _together(shapes: list[Callable[[], shapely.Geometry]]) -> shapely.Geometry:
    return shapely.union_all([shape() for shape in shapes])
