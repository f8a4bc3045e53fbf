"""Planar map -> the closed outlines of every layer, as cubic Beziers.

All strokes and hidden lines of a picture's `layout` are fitted at once; then the strokes' ends are put onto the fitted
strokes that they meet. What `crossings` finds in the outlines put together is tightened, until nothing crosses, or
nothing can be, or it has been done often enough; what is left then is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from faceparse_core.arrays import distinct
from svg_export.beziers import drag, evaluate, straight
from svg_export.budget import within_budget
from svg_export.crossings import Crossing, crossings
from svg_export.curves import Bools, Floats, Ints, unit
from svg_export.layout import Joins, LaidShape, Layout, Lengths, Run
from svg_export.placement import Settle
from svg_export.proposals import Plan
from svg_export.stitch import Stitched
from svg_export.trace import OUTSIDE_RANK, PlanarMap
from svg_export.walks import Walk

#: of repair at most: a stretch goes four levels up at worst, a hidden line is laid anew until nothing of it is left,
#: and then comes what these touch in turn. Of 509 label maps of photos none took over 10; noise of many parts may
_ROUNDS = 40


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
    layout = Layout(arcs, lengths, frame, settle)
    ranks = [rank for rank in distinct(np.concatenate([arcs.owner, arcs.lower])).tolist() if 0 < rank < OUTSIDE_RANK]
    plans: dict[int, list[LaidShape]] = {}
    for rank in ranks:
        if joins == "underlap":
            members = frozenset({rank}) | (carried if rank == head else frozenset())
            on_head, covers = head if rank in carried else None, bridged.get(rank, frozenset())
            plans[rank] = layout.underlapping(rank, members, completed.get(rank), covers, on_head)
        elif joins == "stacked":
            plans[rank] = layout.exact(frozenset(r for r in ranks if r >= rank), rank)
        else:
            plans[rank] = layout.exact(frozenset({rank}), rank)
    # sheets of paper say nothing of the order of their edges, where these share their ends; what each shows does
    faces = {rank: layout.exact(frozenset({rank}), rank) for rank in ranks if joins == "stacked"}
    hidden = np.arange(len(layout.strokes.arcs) + len(layout.hidden)) >= len(layout.strokes.arcs)
    spacing, limit = max(2.0, lengths.spacing), np.array(frame, np.float64)

    def drawn(slack: float) -> Outlines:
        allowed = slack * lengths.slack * layout.tolerance, slack * lengths.slack * lengths.drift
        curves = Stitched(arcs, layout.strokes, *allowed, layout.hidden, spacing, lengths.decimals, lengths.polygon)
        leeway = layout.leeway if joins == "underlap" else None

        def outlined(laid: dict[int, list[LaidShape]]) -> dict[int, list[list[Outline]]]:
            return {
                r: [[_outline(ring, curves, limit) for ring in rings] for each in plan for rings in each.drawn(curves)]
                for r, plan in laid.items()
            }

        def looked_at() -> tuple[dict[int, list[list[Outline]]], list[Crossing]]:
            shapes = outlined(plans)
            return shapes, crossings([*shapes.values(), *outlined(faces).values()], frame, hidden, leeway)

        shapes, places = looked_at()
        for _ in range(_ROUNDS):
            if not places or not curves.tighten(places):
                break
            shapes, places = looked_at()
        strokes = layout.strokes
        order = np.argsort(strokes.owner, kind="stable").tolist()
        edges = [
            Edge(np.clip(curves.stroke(k), 0.0, limit), bool(strokes.closed[k]), int(strokes.owner[k])) for k in order
        ]
        return Outlines(shapes, edges, curves, len(places))

    if max_nodes is None:
        return drawn(1.0)
    return within_budget(drawn, lambda outlines: outlines.nodes, max_nodes)


def _outline(runs: list[Run], curves: Stitched, page: Floats) -> Outline:
    """The curves of a ring, end to end; `page`: (width, height)."""
    runs = [part for run in runs for part in _laid(run, curves)]
    parts: list[Floats] = []
    for at, run in enumerate(runs):
        if run.kind == "stroke":
            parts.append(curves.stroke(run.index))
        elif run.kind == "hidden":
            parts.append(_on_page(curves.hidden(run.index, run.piece), page))
        elif run.kind == "arc":
            part = curves.arc(run.index, *run.stretch)
            parts.append(part if run.forward else part[::-1, ::-1])
        elif run.corners is not None:
            corners = run.corners.copy()
            for side, inner, node, beside in ((0, 1, run.nodes[0], at - 1), (-1, -2, run.nodes[1], at + 1)):
                corners[side] = curves.on_frame.get(node, corners[side])
                if _lies_beneath(runs[beside % len(runs)]):  # there, too, it reaches beneath the upper part
                    corners[side] += run.beyond[side] * unit((corners[side] - corners[inner])[None])[0]
            parts.append(straight(corners))
    kept = [at for at, part in enumerate(parts) if len(part)]  # a stretch of an arc may be no longer than a point
    runs, parts = [runs[at] for at in kept], [parts[at] for at in kept]
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


def _lies_beneath(run: Run) -> bool:
    """Whether a run goes on beneath what is painted later, and not within what the head carries."""
    return run.kind == "hidden" and bool(run.border) and not run.border[0][1]


def _laid(run: Run, curves: Stitched) -> list[Run]:
    """A run as it is drawn: of a hidden one some stretches may be the border itself, or all of it."""
    stretches = curves.stretches(run.index) if run.kind == "hidden" else None
    if stretches is None:
        return [run]
    runs, end = [], 0
    for piece, (first, last) in enumerate(stretches):
        runs += [*_along(run.border, end, first, curves), replace(run, piece=piece)]
        end = last
    return runs + _along(run.border, end, None, curves)


def _along(border: Walk, first: int, last: int | None, curves: Stitched) -> list[Run]:
    """The runs along a border between two of its points; None: its last."""
    runs, passed = [], 0
    for arc, forward in border:
        count = curves.steps(arc)
        start, end = max(first - passed, 0), count if last is None else min(last - passed, count)
        if start < end:
            runs.append(Run("arc", arc, forward, stretch=(start, end) if forward else (count - end, count - start)))
        passed += count
    return runs
