"""Arcs -> strokes: what a part shows of its outline in one go, smoothed.

Where three parts meet, the outline of the one painted last usually runs on through the junction, and the border of the
other two ends on it, as things in front of each other look (a T-junction; `junctions` tells where it is otherwise). So
the arcs that a part owns are joined through junctions to **strokes**, and a stroke is smoothed and fitted as one line,
from where the part comes out from beneath a later one to where it goes under again. The end of a stroke is then moved
onto the smoothed stroke that it meets.

The frame is in no stroke and stays as it is; what ends on it slides along it. Junctions of four parts
stay where they are and cut all strokes there; so do corners, and junctions through which another line goes, or none.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from faceparse_core.arrays import distinct
from svg_export.curves import Bools, Floats, Ints, Lines, corners, smooth
from svg_export.junctions import Junctions
from svg_export.placement import Settle, close_to, move, place_junctions
from svg_export.trace import OUTSIDE_RANK, PlanarMap


@dataclass(frozen=True)
class Strokes:
    """Strokes, cut at their corners into pieces.

    A piece is a line of `pieces`; consecutive pieces belong to one stroke. Places on a stroke are indices into its raw
    points; `stroke_of` and `samples` lead from arcs to smoothed points.
    """

    arcs: list[list[int]]  #: arcs of each stroke, in order
    owner: Ints  #: (strokes,) rank
    closed: Bools  #: (strokes,)
    first_piece: Ints  #: (strokes + 1,) pieces of each stroke
    pieces: Lines  #: smoothed
    raw: Lines  #: the same points on the lattice, moved with what settles
    lattice: Floats  #: and where they were: the pixels' own border, which crosses nothing
    sigma: Floats  #: (pieces,) px, what the piece was smoothed with
    stroke_of: dict[int, int]  #: arc -> stroke
    samples: dict[int, Ints]  #: arc -> indices into pieces.points, tail to head
    start_node: Ints  #: (strokes,) junction, -1 where closed
    end_node: Ints
    #: Junction -> index into pieces.points, for junctions that a stroke runs through ...
    places: dict[int, int] = field(default_factory=dict)
    corners: dict[int, int] = field(default_factory=dict)  #: ... and where it was before it was carried along
    #: Index of a piece's end -> its tangent, where it goes on in a piece of another stroke
    heading: dict[int, Floats] = field(default_factory=dict)


def link(arcs: PlanarMap) -> list[list[int]]:
    """Chains of arcs of one owner, joined through junctions of three. The frame's arcs are in none."""
    leaving = {
        (node, owner): arc
        for arc, (node, owner) in enumerate(zip(arcs.tail.tolist(), arcs.owner.tolist(), strict=True))
        if node >= 0 and owner != OUTSIDE_RANK and arcs.degree[node] == 3
    }
    heads, owners = arcs.head.tolist(), arcs.owner.tolist()
    after = {arc: leaving.get((heads[arc], owners[arc])) for arc in range(len(arcs)) if owners[arc] != OUTSIDE_RANK}
    followers = set(after.values())
    chains, used = [], set()
    for first in [arc for arc in after if arc not in followers] + list(after):
        chain: list[int] = []
        arc: int | None = first
        while arc is not None and arc not in used:
            used.add(arc)
            chain.append(arc)
            arc = after[arc]
        if chain:
            chains.append(chain)
    return chains


def build_strokes(
    arcs: PlanarMap, sigma: Floats, corner_reach: Ints, corner_angle: Floats, settle: Settle | None = None
) -> Strokes:
    """Link, cut at corners, smooth, settle; then place the junctions, and the strokes' ends on them.

    sigma         (arcs,) px of Gaussian smoothing that each arc bears
    corner_reach  (arcs,) px over which a turn counts as a corner
    corner_angle  (256,) radians, by the rank of the part whose outline it is
    settle        where the borders lie by what else is known of the picture
    """
    chains = link(arcs)
    owner = arcs.owner[[chain[0] for chain in chains]]
    junctions = Junctions.find(arcs, float(corner_reach.max(initial=0)))
    length = np.diff(arcs.starts) - 1
    lines = _joined(arcs, chains)
    weight = np.array([length[chain].sum() for chain in chains], np.float64)
    stroke_sigma = np.array([(sigma[chain] * length[chain]).sum() for chain in chains]) / weight
    stroke_reach = np.rint(np.array([(corner_reach[chain] * length[chain]).sum() for chain in chains]) / weight).astype(
        np.int64
    )
    rough = Lines(smooth(lines, np.minimum(stroke_sigma, 1.0)), lines.starts, lines.closed)
    cut = corners(rough, np.maximum(stroke_reach, 2), corner_angle[owner])
    tails = _tails(arcs, chains, lines)
    cut = _with_junctions(lines, cut, stroke_reach, tails[junctions.leaving()[junctions.cut]])
    gather, piece_starts, piece_closed, first_piece = _cut(lines, rough, cut, np.maximum(stroke_reach, 2))
    piece_stroke = np.repeat(np.arange(len(chains)), np.diff(first_piece))
    raw = Lines(lines.points[gather], piece_starts, piece_closed)
    # what is short is smoothed less, or the reflections at its ends would rule it
    piece_sigma = np.minimum(stroke_sigma[piece_stroke], raw.lengths / 5)
    most = np.maximum(0.7 * piece_sigma, 0.8)[raw.line]
    pieces = Lines(close_to(raw.points, smooth(raw, piece_sigma), most), piece_starts, piece_closed)
    samples = _arc_samples(arcs, chains, lines, gather, tails)
    ends = np.array([[arcs.tail[chain[0]], arcs.head[chain[-1]]] for chain in chains], np.int64).reshape(-1, 2)
    strokes = Strokes(
        chains,
        owner,
        lines.closed,
        first_piece,
        pieces,
        raw,
        raw.points.copy(),
        piece_sigma,
        {arc: stroke for stroke, chain in enumerate(chains) for arc in chain},
        samples,
        np.where(lines.closed, -1, ends[:, 0]),
        np.where(lines.closed, -1, ends[:, 1]),
    )
    if settle:
        move(arcs, strokes, junctions, settle)
    place_junctions(arcs, strokes, junctions)
    return strokes


def _joined(arcs: PlanarMap, chains: list[list[int]]) -> Lines:
    """The raw points of each stroke."""
    parts, count = [], []
    for chain in chains:
        pieces = [arcs.arc(chain[0])] + [arcs.arc(arc)[1:] for arc in chain[1:]]
        parts += pieces
        count.append(sum(map(len, pieces)))
    points = np.concatenate(parts).astype(np.float64) if parts else np.zeros((0, 2))
    starts = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    closed = np.array([bool((points[a] == points[b - 1]).all()) and _same_end(arcs, chain) for a, b, chain in zip(
        starts[:-1], starts[1:], chains, strict=True)], np.bool_)  # fmt: skip
    return Lines(points, starts, closed)


def _same_end(arcs: PlanarMap, chain: list[int]) -> bool:
    """Whether a chain that comes back to its start runs on there, or is cut there by a junction of four."""
    node = int(arcs.tail[chain[0]])
    return node < 0 or (int(arcs.head[chain[-1]]) == node and int(arcs.degree[node]) == 3)


def _cut(lines: Lines, rough: Lines, cut: Ints, reach: Ints) -> tuple[Ints, Ints, Bools, Ints]:
    """Cut lines at `cut` (indices of points): for each point of each piece the index of the line's point."""
    gather, count, closed, first_piece = [], [], [], [0]
    line_of = np.searchsorted(lines.starts, cut, "right") - 1
    begin, end = np.searchsorted(line_of, [np.arange(len(lines)), np.arange(len(lines)) + 1])
    for line in range(len(lines)):
        start, stop = int(lines.starts[line]), int(lines.starts[line + 1])
        at = cut[begin[line] : end[line]]
        if not lines.closed[line]:
            bounds = [start, *at.tolist(), stop - 1]
            found = [np.arange(a, b + 1) for a, b in zip(bounds[:-1], bounds[1:], strict=True)]
            closed += [False] * len(found)
        else:
            period = stop - 1 - start
            smooth_ring = not len(at)
            if smooth_ring:
                at = np.array([start + _sharpest(rough.points[start : stop - 1], int(reach[line]))])
            bounds = [*at.tolist(), int(at[0]) + period]
            places = [np.arange(a, b + 1) for a, b in zip(bounds[:-1], bounds[1:], strict=True)]
            found = [start + (place - start) % period for place in places]
            closed += [smooth_ring] * len(found)
        gather += found
        count += [len(piece) for piece in found]
        first_piece.append(len(count))
    points = np.concatenate(gather) if gather else np.zeros(0, np.int64)
    starts = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    return points, starts, np.array(closed, np.bool_), np.array(first_piece, np.int64)


def _sharpest(ring: Floats, reach: int) -> int:
    """Where a ring bends most: a good place for a node."""
    before, after = ring - np.roll(ring, reach, axis=0), np.roll(ring, -reach, axis=0) - ring
    cross = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    return int(np.argmax(np.round(np.abs(np.arctan2(cross, (before * after).sum(1))), 6)))


def _tails(arcs: PlanarMap, chains: list[list[int]], lines: Lines) -> Ints:
    """Where each arc begins (arcs,), an index into the lines' points; -1 of the frame's."""
    tails = np.full(len(arcs), -1)
    for line, chain in enumerate(chains):
        steps = arcs.starts[np.array(chain) + 1] - arcs.starts[chain] - 1
        tails[chain] = lines.starts[line] + np.cumsum(steps) - steps
    return tails


def _with_junctions(lines: Lines, cut: Ints, reach: Ints, at: Ints) -> Ints:
    """`cut`, and lines cut at the junctions `at` too; corners close to one are the junction's."""
    line, at = np.searchsorted(lines.starts, cut, "right") - 1, np.sort(at)
    begin, end = np.searchsorted(at, lines.starts[line]), np.searchsorted(at, lines.starts[line + 1])
    after = np.searchsorted(at, cut)
    apart = np.full(len(cut), np.inf)
    for other in (after - 1, after, begin, end - 1):  # around a ring the first and the last may be the nearest
        own = np.flatnonzero((other >= begin) & (other < end))
        steps = np.abs(cut[own] - at[other[own]])
        around = np.where(lines.closed[line[own]], lines.lengths[line[own]] - 1 - steps, np.inf)
        apart[own] = np.minimum(apart[own], np.minimum(steps, around))
    cut = cut[apart > reach[line]]
    found: Ints = distinct(np.concatenate([cut, at]))
    return found


def _arc_samples(arcs: PlanarMap, chains: list[list[int]], lines: Lines, gather: Ints, tails: Ints) -> dict[int, Ints]:
    """For each arc the indices of its points in the pieces."""
    where = np.zeros(len(lines.points), np.int64)
    where[gather[::-1]] = np.arange(len(gather))[::-1]  # of a point that stands twice, the first
    ends = lines.starts[1:] - 1
    where[ends[lines.closed]] = where[lines.starts[:-1][lines.closed]]
    return {
        arc: where[tails[arc] : tails[arc] + arcs.starts[arc + 1] - arcs.starts[arc]]
        for chain in chains
        for arc in chain
    }
