"""Arcs -> strokes: what a part shows of its outline in one go, smoothed.

Where three parts meet, the outline of the one painted last runs on through the junction, and the border of the other
two ends on it, as things in front of each other look (a T-junction). So the arcs that a part owns are joined through
junctions to **strokes**, and a stroke is smoothed and fitted as one line, from where the part comes out from beneath a
later one to where it goes under again. The end of a stroke is then moved onto the smoothed stroke that it meets.

The frame is a stroke of what lies outside and stays as it is. Junctions of four parts stay where they are and cut all
strokes there; so do corners.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from svg_export.curves import Bools, Floats, Ints, Lines, corners, smooth
from svg_export.trace import OUTSIDE_RANK, PlanarMap

_STAY = 0.05  # how much a knot wants to stay where it is, beside a line that carries it along


@dataclass(frozen=True)
class Strokes:
    """Strokes, cut at their corners into pieces.

    A piece is a line of `pieces`; consecutive pieces belong to one stroke. Places on a stroke are indices into its raw
    points; `piece_of` and `place_of` lead from arcs to smoothed points.
    """

    arcs: list[list[int]]  #: arcs of each stroke, in order
    owner: Ints  #: (strokes,) rank
    closed: Bools  #: (strokes,)
    first_piece: Ints  #: (strokes + 1,) pieces of each stroke
    pieces: Lines  #: smoothed
    raw: Lines  #: the same points on the lattice
    sigma: Floats  #: (pieces,) px, what the piece was smoothed with
    stroke_of: dict[int, int]  #: arc -> stroke
    samples: dict[int, Ints]  #: arc -> indices into pieces.points, tail to head
    start_node: Ints  #: (strokes,) junction, -1 where closed
    end_node: Ints


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


#: Smoothed lines, and the ranks on both sides of each point -> how far to move each along its normal, and the normals.
Settle = Callable[[Lines, Ints, Ints], tuple[Floats, Floats]]


def build_strokes(
    arcs: PlanarMap, sigma: Floats, corner_reach: Ints, corner_angle: float, settle: Settle | None = None
) -> Strokes:
    """Link, cut at corners, smooth, settle; then move the strokes' ends onto the strokes that they meet.

    sigma         (arcs,) px of Gaussian smoothing that each arc bears
    corner_reach  (arcs,) px over which a turn counts as a corner
    corner_angle  radians
    settle        where the borders lie by what else is known of the picture
    """
    chains = link(arcs)
    length = np.diff(arcs.starts) - 1
    lines = _joined(arcs, chains)
    weight = np.array([length[chain].sum() for chain in chains], np.float64)
    stroke_sigma = np.array([(sigma[chain] * length[chain]).sum() for chain in chains]) / weight
    stroke_reach = np.rint(np.array([(corner_reach[chain] * length[chain]).sum() for chain in chains]) / weight).astype(
        np.int64
    )
    rough = Lines(smooth(lines, np.minimum(stroke_sigma, 1.0)), lines.starts, lines.closed)
    cut = corners(rough, np.maximum(stroke_reach, 2), corner_angle)
    gather, piece_starts, piece_closed, first_piece = _cut(lines, rough, cut, np.maximum(stroke_reach, 2))
    piece_stroke = np.repeat(np.arange(len(chains)), np.diff(first_piece))
    raw = Lines(lines.points[gather], piece_starts, piece_closed)
    # what is short is smoothed less, or the reflections at its ends would rule it
    piece_sigma = np.minimum(stroke_sigma[piece_stroke], raw.lengths / 5)
    most = np.maximum(0.7 * piece_sigma, 0.8)[raw.line]
    pieces = Lines(_close_to(raw.points, smooth(raw, piece_sigma), most), piece_starts, piece_closed)
    samples = _arc_samples(arcs, chains, lines, gather, raw)
    ends = np.array([[arcs.tail[chain[0]], arcs.head[chain[-1]]] for chain in chains], np.int64).reshape(-1, 2)
    strokes = Strokes(
        chains,
        arcs.owner[[chain[0] for chain in chains]],
        lines.closed,
        first_piece,
        pieces,
        raw,
        piece_sigma,
        {arc: stroke for stroke, chain in enumerate(chains) for arc in chain},
        samples,
        np.where(lines.closed, -1, ends[:, 0]),
        np.where(lines.closed, -1, ends[:, 1]),
    )
    if settle:
        _settle(arcs, strokes, settle)
    _move_ends(arcs, strokes)
    return strokes


def _settle(arcs: PlanarMap, strokes: Strokes, settle: Settle) -> None:
    """Move all pieces along their normals, in place; where pieces meet, they go on meeting."""
    pieces = strokes.pieces
    owner, lower = _sides(arcs, strokes)
    offset, normal = settle(pieces, owner, lower)
    moved = pieces.points + offset[:, None] * normal
    first, last = pieces.starts[:-1], pieces.starts[1:] - 1
    moved[last[pieces.closed]] = moved[first[pieces.closed]]
    open_ = np.flatnonzero(~pieces.closed)
    ends = np.concatenate([first[open_], last[open_]])
    knot = _knots(strokes)[np.concatenate([open_, open_ + len(pieces)])]
    shift = _shifts(knot, normal[ends], offset[ends])
    on_frame = np.unique(arcs.tail[arcs.owner == OUTSIDE_RANK])
    shift[np.isin(-1 - knot, on_frame)] = 0
    pieces.points[:] = moved
    for end, inward, piece, target in zip(
        ends.tolist(),
        np.repeat([1, -1], len(open_)).tolist(),
        np.tile(open_, 2).tolist(),
        strokes.raw.points[ends] + shift,
        strict=True,
    ):
        _pull(strokes, piece, end, inward, target)


def _sides(arcs: PlanarMap, strokes: Strokes) -> tuple[Ints, Ints]:
    """The ranks on the right and on the left of each point of the pieces."""
    owner, lower = (np.full(len(strokes.pieces.points), -1) for _ in range(2))
    for arc, samples in strokes.samples.items():
        owner[samples], lower[samples] = arcs.owner[arc], arcs.lower[arc]
    unset = np.flatnonzero(owner < 0)  # the repeated ends of pieces: the next piece begins there, or it is a ring's end
    source = np.where(np.isin(unset, strokes.pieces.starts[:-1]), unset + 1, unset - 1)
    owner[unset], lower[unset] = owner[source], lower[source]
    return owner, lower


def _knots(strokes: Strokes) -> Ints:
    """What the pieces' starts, then their ends, are tied to (2 pieces,): equal numbers stay in one place."""
    count = len(strokes.pieces)
    knot = np.arange(2 * count) + count
    for stroke in range(len(strokes.arcs)):
        first, last = int(strokes.first_piece[stroke]), int(strokes.first_piece[stroke + 1]) - 1
        knot[first + 1 : last + 1] = knot[count + first : count + last]
        if strokes.closed[stroke]:
            knot[first] = knot[count + last]
        else:  # junctions have numbers below zero, others end on themselves
            knot[first], knot[count + last] = -1 - strokes.start_node[stroke], -1 - strokes.end_node[stroke]
    return knot


def _shifts(knot: Ints, normal: Floats, offset: Floats) -> Floats:
    """Where lines that end in one knot carry it when each moves by its `offset`: least squares, (n, 2)."""
    _, index = np.unique(knot, return_inverse=True)
    count = int(index.max(initial=-1)) + 1
    matrix, right = np.zeros((count, 2, 2)), np.zeros((count, 2))
    np.add.at(matrix, index, normal[:, :, None] * normal[:, None])
    np.add.at(right, index, normal * offset[:, None])
    found: Floats = np.linalg.solve(matrix + _STAY * np.eye(2), right[..., None])[index, :, 0]
    return found


def _close_to(points: Floats, moved: Floats, most: Floats) -> Floats:
    """`moved`, but nowhere more than `most` (n,) from `points`: smoothing is there to remove stairs, not details."""
    shift = moved - points
    length = np.hypot(*shift.T)[:, None]
    kept: Floats = points + shift * np.minimum(1.0, most[:, None] / np.maximum(length, 1e-9))
    return kept


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


def _arc_samples(
    arcs: PlanarMap, chains: list[list[int]], lines: Lines, gather: Ints, pieces: Lines
) -> dict[int, Ints]:
    """For each arc the indices of its points in the pieces."""
    where = np.zeros(len(lines.points), np.int64)
    where[gather[::-1]] = np.arange(len(gather))[::-1]  # of a point that stands twice, the first
    ends = lines.starts[1:] - 1
    where[ends[lines.closed]] = where[lines.starts[:-1][lines.closed]]
    samples = {}
    for line, chain in enumerate(chains):
        at = int(lines.starts[line])
        for arc in chain:
            count = int(arcs.starts[arc + 1] - arcs.starts[arc])
            samples[arc] = where[at : at + count]
            at += count - 1
    return samples


def _move_ends(arcs: PlanarMap, strokes: Strokes) -> None:
    """Move every stroke's ends onto the smoothed stroke that runs through the junction, later painted ones first."""
    place = junction_places(arcs, strokes)
    points, starts = strokes.pieces.points, strokes.pieces.starts
    for stroke in np.argsort(-strokes.owner, kind="stable").tolist():
        for node, piece, from_start in (
            (int(strokes.start_node[stroke]), int(strokes.first_piece[stroke]), True),
            (int(strokes.end_node[stroke]), int(strokes.first_piece[stroke + 1]) - 1, False),
        ):
            if node not in place:
                continue
            end = int(starts[piece]) if from_start else int(starts[piece + 1]) - 1
            _pull(strokes, piece, end, 1 if from_start else -1, points[place[node]])


def _pull(strokes: Strokes, piece: int, end: int, inward: int, target: Floats) -> None:
    """Move an end of a piece to a point, and what is next to it with it, less and less."""
    points, starts = strokes.pieces.points, strokes.pieces.starts
    count = int(starts[piece + 1] - starts[piece])
    reach = min(count - 1, max(2, round(4 * float(strokes.sigma[piece]))))
    own = end + inward * np.arange(reach)
    points[own] += ((1 - np.arange(reach) / reach) ** 2)[:, None] * (target - points[end])


def junction_places(arcs: PlanarMap, strokes: Strokes) -> dict[int, int]:
    """Junction -> index into pieces.points, for junctions that a stroke runs through."""
    place = {}
    for stroke, chain in enumerate(strokes.arcs):
        for arc in chain[1:] if not strokes.closed[stroke] else chain:
            node = int(arcs.tail[arc])
            if node >= 0:
                place[node] = int(strokes.samples[arc][0])
    return place
