"""Planar map -> the closed outlines of every layer, as cubic Beziers.

The outline of a layer is walked arc by arc and falls into **runs**: strokes (what the part shows of its outline, from
`strokes`), hidden runs beneath parts painted later (from `underlap`), and runs along the frame. All strokes and hidden
runs of a picture are fitted at once; then the strokes' ends are put onto the fitted strokes that they meet. What
`crossings` finds in the outlines put together is tightened, until nothing crosses, or nothing can be, or it has been
done often enough; what is left then is told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Literal

import numpy as np
import shapely

from faceparse_core.arrays import distinct
from svg_export.beziers import drag, evaluate, straight
from svg_export.bridges import Cut, bridges, leeway
from svg_export.budget import within_budget
from svg_export.completion import Gap, Plan, Space, around, complete, valid
from svg_export.crossings import Crossing, crossings
from svg_export.curves import Bools, Floats, Ints, unit
from svg_export.stitch import Hidden, Stitched
from svg_export.strokes import Settle, build_strokes, frame_nodes
from svg_export.trace import BACKGROUND_RANK, OUTSIDE_RANK, PlanarMap, rings
from svg_export.underlap import Room, Scattered, hidden_line

_THIN = 0.25  #: of its thickness: what lies on the head reaches no farther beneath others
_TINT = 0.4  # px: a rim of another colour so thin, and as short, that it is hardly seen
#: of repair at most: a stretch goes four levels up at worst, a hidden line is laid closer twice and given up, and then
#: comes what these touch in turn. Of 900 maps of noise, checkerboards and so on none took over 23, photos take 8
_ROUNDS = 40
_AS_NEAR = 0.1  # px: of two arcs of a stroke, both count that are so nearly as far from a point
_BESIDE = 2.0  # px: farther from its border a hidden line is not beside it

Joins = Literal["underlap", "stacked", "cutout"]
Walk = list[tuple[int, bool]]  # arcs of a ring, and whether each is walked forward


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
class Outline:
    """A ring of cubics, each starting where the one before ends."""

    control: Floats  #: (n, 4, 2)
    straight: Bools  #: (n,)
    source: Ints  #: (n,) what each was made of: a stroke (its number), a hidden line (after all strokes), or FRAME


@dataclass(frozen=True)
class Edge:
    """A border between parts, from where it comes out from beneath a later part to where it goes under again."""

    control: Floats  #: (n, 4, 2) cubics, each starting where the one before ends
    closed: bool
    owner: int  #: rank of the part whose edge it is, the one painted later


@dataclass(frozen=True)
class Outlines:
    """All that is drawn of a planar map."""

    shapes: dict[int, list[list[Outline]]]  #: rank -> its shapes, largest first, each an outer ring and its holes
    edges: list[Edge]  #: each visible border once, but for the frame; in paint order
    curves: Stitched
    crossings: int  #: places where outlines cross and could not be helped

    @property
    def nodes(self) -> int:
        return sum(len(ring.straight) for plan in self.shapes.values() for shape in plan for ring in shape)


def draw_outlines(
    arcs: PlanarMap,
    lengths: Lengths,
    joins: Joins,
    frame: tuple[int, int],
    head: int,
    carried: frozenset[int],
    completed: Mapping[int, Plan],
    bridged: Mapping[int, frozenset[int]],
    max_nodes: int | None = None,
    settle: Settle | None = None,
) -> Outlines:
    """The outlines of all layers, and the borders that show.

    frame      (width, height)
    head       the rank of the head, and `carried` the ranks that it is solid beneath
    completed  ranks whose hidden outlines are completed, where `joins` is underlap, and how
    bridged    ranks of which pieces are joined beneath others, and beneath which
    max_nodes  where there would be more, the tolerance is raised until there are not, if it can be
    settle     where the borders lie by what else is known of the picture
    """
    sheet = _Sheet(arcs, lengths, frame, settle)
    ranks = [rank for rank in distinct(np.concatenate([arcs.owner, arcs.lower])).tolist() if 0 < rank < OUTSIDE_RANK]
    plans: dict[int, list[_Shape]] = {}
    for rank in ranks:
        if joins == "underlap":
            members = frozenset({rank}) | (carried if rank == head else frozenset())
            on_head, covers = head if rank in carried else None, bridged.get(rank, frozenset())
            plans[rank] = sheet.underlapping(rank, members, completed.get(rank), covers, on_head)
        elif joins == "stacked":
            plans[rank] = sheet.exact(frozenset(r for r in ranks if r >= rank), rank)
        else:
            plans[rank] = sheet.exact(frozenset({rank}), rank)
    # sheets of paper say nothing of the order of their edges, where these share their ends; what each shows does
    faces = {rank: sheet.exact(frozenset({rank}), rank) for rank in ranks if joins == "stacked"}
    hidden = np.arange(len(sheet.strokes.arcs) + len(sheet.hidden)) >= len(sheet.strokes.arcs)
    spacing, limit = max(2.0, lengths.spacing), np.array(frame, np.float64)

    def drawn(slack: float) -> Outlines:
        allowed = slack * lengths.slack * sheet.tolerance, slack * lengths.slack * lengths.drift
        curves = Stitched(arcs, sheet.strokes, *allowed, sheet.hidden, spacing, lengths.decimals, lengths.polygon)
        leeway = sheet.leeway if joins == "underlap" else None

        def outlined(layout: dict[int, list[_Shape]]) -> dict[int, list[list[Outline]]]:
            return {
                r: [[_outline(ring, curves, limit) for ring in rings] for each in plan for rings in each.drawn(curves)]
                for r, plan in layout.items()
            }

        def looked_at() -> tuple[dict[int, list[list[Outline]]], list[Crossing]]:
            shapes = outlined(plans)
            return shapes, crossings([*shapes.values(), *outlined(faces).values()], frame, hidden, leeway)

        shapes, places = looked_at()
        for _ in range(_ROUNDS):
            if not places or not curves.tighten(places):
                break
            shapes, places = looked_at()
        strokes = sheet.strokes
        order = np.argsort(strokes.owner, kind="stable").tolist()
        edges = [
            Edge(np.clip(curves.stroke(k), 0.0, limit), bool(strokes.closed[k]), int(strokes.owner[k])) for k in order
        ]
        return Outlines(shapes, edges, curves, len(places))

    if max_nodes is None:
        return drawn(1.0)
    return within_budget(drawn, lambda outlines: outlines.nodes, max_nodes)


def _outline(runs: list[_Run], curves: Stitched, page: Floats) -> Outline:
    """The curves of a ring, end to end; `page`: (width, height)."""
    runs = [part for run in runs for part in (_exact(run) if run.index in curves.given_up else [run])]
    parts: list[Floats] = []
    for at, run in enumerate(runs):
        if run.kind == "stroke":
            parts.append(curves.stroke(run.index))
        elif run.kind == "hidden":
            parts.append(_on_page(curves.hidden(run.index), page))
        elif run.kind == "arc":
            part = curves.arc(run.index)
            parts.append(part if run.forward else part[::-1, ::-1])
        elif run.corners is not None:
            corners = run.corners.copy()
            for side, inner, node, beside in ((0, 1, run.nodes[0], at - 1), (-1, -2, run.nodes[1], at + 1)):
                corners[side] = curves.on_frame.get(node, corners[side])
                if _lies_beneath(runs[beside % len(runs)]):  # there, too, it reaches beneath the upper part
                    corners[side] += run.beyond[side] * unit((corners[side] - corners[inner])[None])[0]
            parts.append(straight(corners))
    if len(runs) > 1:
        for at, run in enumerate(runs):  # hidden runs begin and end where the runs beside them do
            if run.kind == "hidden":
                drag(parts[at][0], 0, parts[at - 1][-1, 3])
                drag(parts[at][-1], 3, parts[(at + 1) % len(parts)][0, 0])
    control = np.concatenate(parts)
    source = np.repeat([curves.source(run.kind, run.index) for run in runs], [len(part) for part in parts])
    if curves.polygon:
        lines = straight(np.concatenate([control[:, 0], control[:1, 0]]))
        return Outline(lines, np.ones(len(control), np.bool_), source)
    flags = [np.full(len(part), run.kind == "frame") for run, part in zip(runs, parts, strict=True)]
    return Outline(control, np.concatenate(flags), source)


def _on_page(control: Floats, page: Floats) -> Floats:
    """A copy of some cubics in which those that leave the page, by as little as their tolerance, do not."""
    if control.min() >= 0 and (control <= page).all():  # nor do the curves then
        return control.copy()
    points = evaluate(control, np.arange(17) / 16)
    out: Bools = np.any((points < 0) | (points > page), axis=(1, 2))
    kept: Floats = np.where(out[:, None, None], np.clip(control, 0.0, page), control)
    return kept


def _lies_beneath(run: _Run) -> bool:
    """Whether a run goes on beneath what is painted later, and not within what the head carries."""
    return run.kind == "hidden" and bool(run.border) and not run.border[0][1]


def _exact(run: _Run) -> list[_Run]:
    """A hidden run as the border itself."""
    return [_Run("arc", arc, forward) for arc, forward in run.border] if run.kind == "hidden" else [run]


@dataclass(frozen=True)
class _Run:
    """A stretch of a ring."""

    kind: Literal["stroke", "hidden", "frame", "arc"]
    index: int = -1  # of the stroke, the hidden line or the arc
    forward: bool = True  # arcs only
    corners: Floats | None = None  # frame only: (n, 2), of the lattice
    nodes: tuple[int, int] = (-1, -1)  # frame only: the junctions at its ends ...
    beyond: tuple[float, float] = (0.0, 0.0)  # ... and how far it may go on beneath what is painted later, px
    border: Walk = field(default_factory=list)  # hidden only: the arcs that it is hidden by


@dataclass(frozen=True)
class _Shape:
    """An outer ring and its holes."""

    rings: list[list[_Run]]
    size: float = 0.0  # px squared that the outer ring shows
    bridges: frozenset[int] = frozenset()  # hidden lines by which it was joined ...
    apart: tuple[_Shape, ...] = ()  # ... of these, which are drawn instead where a bridge was given up

    def drawn(self, curves: Stitched) -> list[list[list[_Run]]]:
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
    visible: Floats  # (n, 2) outlines beside which nothing of the part may show
    danger: Scattered  # some of these points, enough for what lies near the border
    allowed: Callable[[], shapely.Geometry]  # where it is, or something that is painted later
    # shapes with what completion adds to them at one border each, and the numbers of those hidden lines
    gained: list[Callable[[], shapely.Geometry]] = field(default_factory=list)
    completed: list[int] = field(default_factory=list)


class _Sheet:
    """One picture's strokes and hidden lines while its layers are laid out."""

    def __init__(self, arcs: PlanarMap, lengths: Lengths, frame: tuple[int, int], settle: Settle | None = None) -> None:
        self.arcs, self.lengths, self.frame = arcs, lengths, frame
        before = np.concatenate([arcs.points[:-1], arcs.points[-1:]])
        cross = before[:-1, 0] * arcs.points[1:, 1] - arcs.points[1:, 0] * before[:-1, 1]
        cross[arcs.starts[1:-1] - 1] = 0  # not a step: from one arc to the next
        total = np.concatenate([[0], np.cumsum(cross), [np.sum(cross)]])
        self.area = (total[arcs.starts[1:] - 1] - total[arcs.starts[:-1]]) / 2
        self.length = np.diff(arcs.starts) - 1
        self.thickness = thickness = self._thickness()
        thin = np.minimum(thickness[arcs.owner], thickness[arcs.lower])
        sigma = np.clip(0.2 * thin, 1.2, max(lengths.smoothing, 1.2)) if lengths.slack > 0 else np.zeros(len(arcs))
        sigma = sigma * lengths.smoothing_by[arcs.owner]
        # the silhouette is looked at hardest
        most = np.where(arcs.lower == BACKGROUND_RANK, 0.85, 1.0) * lengths.tolerance
        self.tolerance = np.clip(0.056 * thin, 0.4, np.maximum(most, 0.4))
        reach = np.clip(0.6 * thin, 2, max(lengths.corner_reach, 3)).astype(np.int64)
        self.strokes = build_strokes(arcs, sigma, reach, lengths.corner, settle)
        self.slides = frame_nodes(arcs)
        self.smoothed = {arc: self.strokes.pieces.points[at] for arc, at in self.strokes.samples.items()}
        self.hidden: list[Hidden] = []
        self.wholes: dict[int, Callable[[], shapely.Geometry]] = {}  #: by rank: completed parts, the largest shape
        self.beneath: list[int] = []  #: the rank of the part whose each hidden line is
        step = max(1.0, 1.1 * lengths.underlap)
        self.clearances = (lengths.underlap, lengths.margin, 1.2 * lengths.hidden_reach)
        self.room = Room(lengths.underlap, lengths.hidden_reach, 0.7 * lengths.underlap, step)
        self.stride = max(1, int(step))  # of points that need not all be asked

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
        away = shapely.distance([shapely.LineString(self._smooth(arc, True)) for arc in arcs], at)
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

    # layout ----------------------------------------------------------------------------------------------------------

    def exact(self, members: frozenset[int], rank: int) -> list[_Shape]:
        """The union of `members` with exactly its own outline; of its pieces those that hold something of `rank`."""
        walks = self._walks(members)
        shapes = self._grouped(walks)
        if members != {rank}:
            own: Floats = np.array([self._probe(walk) for walk in self._walks(frozenset({rank}))]).reshape(-1, 2)
            pieces = Scattered(own)
            shapes = [shape for shape in shapes if len(pieces.inside(self._lattice(shape[0])))]
        return [_Shape([self._exact_runs(walk) for walk in shape]) for shape in shapes]

    def underlapping(
        self,
        rank: int,
        members: frozenset[int],
        plan: Plan | None,
        covers: frozenset[int] = frozenset(),
        on_head: int | None = None,
    ) -> list[_Shape]:
        """What `rank` shows, reaching beneath what is painted later, solid beneath `members`.

        covers   the ranks beneath which its pieces are joined
        on_head  the rank of the head where the part lies on it: what is completed of it keeps to that
        """
        part = self._part(rank, members, plan, on_head)
        layout: list[_Shape] = []
        cuts: list[tuple[int, int, Cut]] = []
        outlines: list[Floats] = []
        for shape in self._grouped(self._filled(rank, self._walks(members))):
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
            outlines.append(np.concatenate([self._coarse(*step) for step in shape[0]]) if found else np.zeros((0, 2)))
            layout.append(_Shape(runs, self._area(shape[0])))
            self._hide(part, shape, borders)
        if part.gained:
            self.wholes[rank] = part.gained[0] if len(part.gained) == 1 else cache(partial(_together, part.gained))
        return self._joined(part, layout, cuts, outlines)

    def _joined(
        self, part: _Part, layout: list[_Shape], cuts: list[tuple[int, int, Cut]], outlines: list[Floats]
    ) -> list[_Shape]:
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
            layout[home[one]] = _Shape(
                [ring, *first.rings[1:], *second.rings[1:]],
                first.size + second.size,
                first.bridges | second.bridges | {there.index, back.index},
                (first.apart or (first,)) + (second.apart or (second,)),
            )
            gone = home[two]
            home = [home[one] if each == gone else each for each in home]
        return sorted((layout[at] for at in sorted(set(home))), key=lambda shape: -shape.size)

    def _bridge(self, part: _Part, line: Floats) -> _Run:
        """The run of a line that leads from one piece of a part to another."""
        self.hidden.append(
            Hidden(
                line,
                leeway(line, part.visible, self.lengths.tolerance),
                closed=False,
                border=line,
                closer=lambda _: (line, np.full(len(line), 0.15)),
            )
        )
        self.beneath.append(part.rank)
        return _Run("hidden", len(self.hidden) - 1)

    def _part(self, rank: int, members: frozenset[int], plan: Plan | None, on_head: int | None) -> _Part:
        """What the hidden outlines of a part are laid by."""
        arcs, reach = self.arcs, self.room.reach
        if on_head:  # no page can shine through, and an eye behind glasses would swell
            reach = max(self.room.underlap, min(reach, _THIN * self.thickness[rank]))
        later = (arcs.owner > rank) & (arcs.owner != OUTSIDE_RANK) & ~_isin(arcs.owner, members)
        visible = [self._smooth(arc, True) for arc in np.flatnonzero(later & (arcs.lower < rank)).tolist()]
        none = np.zeros((0, 2))
        return _Part(
            rank,
            plan,
            on_head,
            replace(self.room, reach=reach),
            np.concatenate([none, *visible]),
            Scattered(np.concatenate([none, *(points[:: self.stride] for points in visible)])),
            cache(partial(self._area_of, rank)),
        )

    def _hide(self, part: _Part, shape: list[Walk], borders: list[_Border]) -> None:
        """Lay the hidden outlines of one shape along its `borders`, completed where they can be."""
        polygon = cache(partial(self._polygon, [shape[0]]))
        completed: list[Floats] = []
        # a shape must not lie on itself either: the even-odd rule would make a hole of it
        coarse = [np.concatenate([border.points[:: self.stride], border.points[-1:]]) for border in borders]
        own = Scattered(np.concatenate([np.zeros((0, 2)), *coarse]))
        of = np.repeat(np.arange(len(borders)), [len(points) for points in coarse])
        room, wide = part.room, 3 * max(part.room.reach, part.room.underlap)
        for at, border in enumerate(borders):
            beside = own.near(border.points, wide)
            dangers = part.danger.points[part.danger.near(border.points, wide)]
            keep_off = np.concatenate([dangers, own.points[beside[of[beside] != at]]])
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

    def _filled(self, rank: int, walks: list[Walk]) -> list[Walk]:
        """The rings of a part less the holes that later parts cover, and less what lies within those."""
        arcs = self.arcs
        stray = np.flatnonzero((arcs.owner >= rank) & (arcs.owner != OUTSIDE_RANK) & (arcs.lower < rank))
        stray_points = Scattered(arcs.points[arcs.starts[stray]].astype(np.float64) + 0.5)
        kept, filled = [], []
        for walk in walks:
            covered = all(arcs.owner[arc] > rank and not self._is_frame(arc) and not forward for arc, forward in walk)
            if covered and self._area(walk) < 0:
                lattice = self._lattice(walk)
                if not len(stray_points.inside(lattice)):
                    filled.append(lattice)
                    continue
            kept.append(walk)
        if filled:
            probes = Scattered(np.array([self._probe(walk) for walk in kept]).reshape(-1, 2))
            gone = set(np.concatenate([probes.inside(lattice) for lattice in filled]).tolist())
            kept = [walk for at, walk in enumerate(kept) if at not in gone]
        return kept

    def _closer(self, border: _Border, danger: Floats, room: Room, again: int) -> tuple[Floats, Floats]:
        """A hidden line with less reach: `underlap`, and then less than that."""
        least = room.underlap * (1.0, 0.4)[again]
        room = replace(room, underlap=least, reach=least, inset=min(room.inset, least))
        return hidden_line(border.points, border.inset, border.closed, danger, self.frame, room)

    def _lies_within(self, shape: list[Walk], regions: list[Callable[[], shapely.Geometry]]) -> bool:
        """Whether a shape lies well within one of some regions."""
        outline = self._polygon([shape[0]])
        return any(
            region().covers(outline) and region().boundary.distance(outline) >= self.lengths.margin
            for region in regions
        )

    def _area_of(self, rank: int) -> shapely.Geometry:
        """The smoothed area of a part and of all that are painted later."""
        walks = rings(self.arcs, lambda ranks: (ranks >= rank) & (ranks != OUTSIDE_RANK))
        shapes = [self._polygon(shape) for shape in self._grouped(walks)]
        return shapes[0] if len(shapes) == 1 else shapely.union_all(shapes)

    def _polygon(self, shape: list[Walk]) -> shapely.Geometry:
        outer, *holes = (np.concatenate([self._coarse(*step) for step in walk]) for walk in shape)
        return valid(shapely.Polygon(outer, holes))

    def _coarse(self, arc: int, forward: bool) -> Floats:
        """Every fourth point of an arc, and both ends: enough where a few tenths of a pixel do not matter."""
        points = self._lattice([(arc, forward)]) if self._is_frame(arc) else self._smooth(arc, forward)
        if len(points) <= 12:  # around a pixel alone: a few of these would be no ring
            return points.astype(np.float64, copy=False)
        return np.concatenate([points[:-1:4], points[-1:]])

    def _walks(self, members: frozenset[int]) -> list[Walk]:
        return rings(self.arcs, lambda ranks: _isin(ranks, members))

    def _grouped(self, walks: list[Walk]) -> list[list[Walk]]:
        """Outer rings, largest first, each followed by its holes."""
        outer = sorted((walk for walk in walks if self._area(walk) > 0), key=lambda walk: -self._area(walk))
        groups = [[walk] for walk in outer]
        holes = [walk for walk in walks if self._area(walk) <= 0]
        if holes:
            probes = Scattered(np.array([self._probe(walk) for walk in holes]))
            home = np.zeros(len(holes), np.int64)
            for index, walk in enumerate(outer):  # the last that holds it is the smallest
                home[probes.inside(self._lattice(walk))] = index
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

    def _runs(
        self,
        walk: Walk,
        rank: int,
        borders: list[_Border],
        plan: Plan | None,
        covers: frozenset[int],
        cuts: dict[int, Cut],
    ) -> list[_Run]:
        """A ring's runs; what must be hidden of it is added to `borders` (of the shape).

        What lies beneath `covers` alone is added to `cuts`, by the number of the hidden line.
        """
        kinds = []
        for arc, forward in walk:
            own = forward and int(self.arcs.owner[arc]) == rank
            hidden = -2 if forward else -1  # forward: what the head carries, beyond the head's own border
            kinds.append(-3 if self._is_frame(arc) else self.strokes.stroke_of[arc] if own else hidden)
        runs = []
        stretches = _stretches(walk, kinds)
        shown = [self._smooth(arc, forward) for (arc, forward), kind in zip(walk, kinds, strict=True) if kind >= 0]
        not_shown = [self._smooth(arc, forward) for (arc, forward), kind in zip(walk, kinds, strict=True) if kind == -1]
        seen, covered = (np.concatenate([np.zeros((0, 2)), *parts]) for parts in (shown, not_shown))
        for at, stretch in enumerate(stretches):
            arc, forward = stretch[0]
            if self._is_frame(arc):
                runs.append(self._frame_run(stretch))
            elif forward and int(self.arcs.owner[arc]) == rank:
                runs.append(_Run("stroke", self.strokes.stroke_of[arc]))
            else:
                parts = [self._smooth(*step) for step in stretch]
                points = np.concatenate([parts[0], *(part[1:] for part in parts[1:])])
                runs.append(_Run("hidden", len(self.hidden) + len(borders), border=stretch))
                self.beneath.append(rank)
                gap = None
                closed = len(stretch) == len(walk)
                upper = {int(self.arcs.owner[arc]) for arc, _ in stretch}
                before, after = stretches[at - 1], stretches[(at + 1) % len(stretches)]
                going = np.zeros(2) if closed else self._heading(before, -1)
                coming = np.zeros(2) if closed else self._heading(after, 0)
                if covers >= upper and not closed:
                    cuts[len(self.hidden) + len(borders)] = Cut(points, going, coming)
                if plan and not forward and plan.beneath & upper:
                    sides = np.concatenate([self._coarse(*step) for step in stretch])
                    gap = Gap(points, sides, going, coming, seen, covered, closed)
                borders.append(_Border(points, forward, closed, gap))
        return runs

    def _heading(self, stretch: Walk, side: Literal[0, -1]) -> Floats:
        """How a visible stretch runs at its start (0) or end (-1): a unit vector, zero where it is the frame."""
        if self._is_frame(stretch[0][0]):
            return np.zeros(2)
        points = np.concatenate([self._smooth(*step) for step in stretch])
        count = max(2, min(len(points), int(self.lengths.heading)))
        part = points[:count] if side == 0 else points[-count:]
        heading: Floats = unit((part[-1] - part[0])[None])[0]
        return heading

    def _frame_run(self, stretch: Walk) -> _Run:
        points = self._lattice(stretch).astype(np.float64)
        step = np.diff(points, axis=0)
        turn = np.any(step[1:] != step[:-1], axis=1)
        corners = points[np.concatenate([[True], turn, [True]])]
        (first, forward), (last, onward) = stretch[0], stretch[-1]
        start = int((self.arcs.tail if forward else self.arcs.head)[first])
        end = int((self.arcs.head if onward else self.arcs.tail)[last])
        return _Run("frame", corners=corners, nodes=(start, end), beyond=(self._beyond(start), self._beyond(end)))

    def _beyond(self, node: int) -> float:
        """px that what ends on the frame may go on beneath what is painted later."""
        return min(self.lengths.underlap, self.slides[node][1]) if node in self.slides else 0.0

    def _is_frame(self, arc: int) -> bool:
        return bool(self.arcs.owner[arc] == OUTSIDE_RANK)

    def _area(self, walk: Walk) -> float:
        return float(sum(self.area[arc] if forward else -self.area[arc] for arc, forward in walk))

    def _lattice(self, walk: Walk) -> Ints:
        """Pixel corners (n, 2) along a ring or a part of one."""
        parts = [self.arcs.arc(arc) if forward else self.arcs.arc(arc)[::-1] for arc, forward in walk]
        return np.concatenate([parts[0], *(part[1:] for part in parts[1:])])

    def _smooth(self, arc: int, forward: bool) -> Floats:
        return self.smoothed[arc] if forward else self.smoothed[arc][::-1]

    def _probe(self, walk: Walk) -> Floats:
        """The centre of a pixel just inside a ring."""
        arc, forward = walk[0]
        points = self.arcs.arc(arc)[:2] if forward else self.arcs.arc(arc)[:-3:-1]
        dx, dy = (points[1] - points[0]) / 2
        middle: Floats = points.mean(axis=0) + np.array([-dy, dx])
        return middle


def _opened(ring: list[_Run], index: int) -> list[_Run]:
    """A ring's runs from behind a hidden line to before it."""
    at = next(at for at, run in enumerate(ring) if run.kind == "hidden" and run.index == index)
    return ring[at + 1 :] + ring[:at]


def _with(shape: Callable[[], shapely.Geometry], ring: Floats) -> shapely.Geometry:
    """A shape and what lies within a ring (n, 2)."""
    return shape().union(valid(shapely.Polygon(ring)))


def _together(shapes: list[Callable[[], shapely.Geometry]]) -> shapely.Geometry:
    return shapely.union_all([shape() for shape in shapes])


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
