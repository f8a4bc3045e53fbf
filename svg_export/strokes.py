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

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from faceparse_core.arrays import distinct
from svg_export.curves import Bools, Complexes, Floats, Ints, Lines, as_complex, corners, smooth, unit
from svg_export.junctions import NONE, Ends, Junctions, leading, meeting, smoothed_through
from svg_export.trace import OUTSIDE_RANK, PlanarMap

_HOLD = 0.6  # how much the pixels' corner counts, where three lines meet, beside one of them
_SHORTEST = 5  # points: shorter lines lead nowhere
_STAY = 0.05  # how much a knot wants to stay where it is, beside a line that carries it along


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


#: Smoothed lines, and the ranks on both sides of each point -> how far to move each along its normal, and the normals.
Settle = Callable[[Lines, Ints, Ints], tuple[Floats, Floats]]


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
    pieces = Lines(_close_to(raw.points, smooth(raw, piece_sigma), most), piece_starts, piece_closed)
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
        _move(arcs, strokes, junctions, settle)
    _place_junctions(arcs, strokes, junctions)
    return strokes


def _move(arcs: PlanarMap, strokes: Strokes, junctions: Junctions, settle: Settle) -> None:
    """Move all pieces along their normals, in place; where pieces meet, they go on meeting."""
    pieces = strokes.pieces
    owner, lower = _sides(arcs, strokes)
    offset, normal = settle(pieces, owner, lower)
    smoothed = pieces.points.copy()
    moved = smoothed + offset[:, None] * normal
    first, last = pieces.starts[:-1], pieces.starts[1:] - 1
    moved[last[pieces.closed]] = moved[first[pieces.closed]]
    open_ = np.flatnonzero(~pieces.closed)
    ends = np.concatenate([first[open_], last[open_]])
    knot = _knots(strokes, junctions)[np.concatenate([open_, open_ + len(pieces)])]
    shift = _shifts(knot, normal[ends], offset[ends])
    on_frame = arcs.tail[arcs.owner == OUTSIDE_RANK]
    shift[np.isin(-1 - knot, on_frame[on_frame >= 0])] = 0
    shift[np.isin(as_complex(strokes.lattice[ends]), _touching(arcs))] = 0
    for node, (frame, most) in frame_nodes(arcs).items():
        for end in np.flatnonzero(knot == -1 - node).tolist():
            facing = float(normal[ends[end]] @ frame)
            slide = offset[ends[end]] * facing / max(facing**2, 0.25)
            shift[end] = frame * np.clip(slide, -most, most)
    pieces.points[:] = moved
    for end, inward, piece, target in zip(
        ends.tolist(),
        np.repeat([1, -1], len(open_)).tolist(),
        np.tile(open_, 2).tolist(),
        strokes.raw.points[ends] + shift,
        strict=True,
    ):
        _pull(strokes, piece, end, inward, target)
    strokes.raw.points[:] += pieces.points - smoothed


def _sides(arcs: PlanarMap, strokes: Strokes) -> tuple[Ints, Ints]:
    """The ranks on the right and on the left of each point of the pieces."""
    owner, lower = (np.full(len(strokes.pieces.points), -1) for _ in range(2))
    for arc, samples in strokes.samples.items():
        owner[samples], lower[samples] = arcs.owner[arc], arcs.lower[arc]
    unset = np.flatnonzero(owner < 0)  # the repeated ends of pieces: the next piece begins there, or it is a ring's end
    source = np.where(np.isin(unset, strokes.pieces.starts[:-1]), unset + 1, unset - 1)
    owner[unset], lower[unset] = owner[source], lower[source]
    return owner, lower


def _knots(strokes: Strokes, junctions: Junctions) -> Ints:
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
    cut = np.flatnonzero(junctions.cut)
    _, piece = _ends(strokes, junctions.arc[cut], junctions.at_head[cut])
    knot[piece + count * junctions.at_head[cut]] = -1 - junctions.node[cut, None]
    return knot


def _shifts(knot: Ints, normal: Floats, offset: Floats) -> Floats:
    """Where lines that end in one knot carry it when each moves by its `offset`: least squares, (n, 2)."""
    _, index = np.unique(knot, return_inverse=True)
    count = int(index.max(initial=-1)) + 1
    matrix, right = np.zeros((count, 2, 2)), np.zeros((count, 2))
    np.add.at(matrix, index, normal[:, :, None] * normal[:, None])
    np.add.at(right, index, normal * offset[:, None])
    shift = np.linalg.solve(matrix + _STAY * np.eye(2), right[..., None])
    return np.asarray(shift[index, :, 0], np.float64)


def _touching(arcs: PlanarMap) -> Complexes:
    """The corners at which two borders touch, or one itself, without a junction: there is no room to either side."""
    ends = np.concatenate([arcs.starts[:-1][arcs.tail >= 0], arcs.starts[1:] - 1])  # of closed ones the first again
    passed, times = np.unique(as_complex(np.delete(arcs.points, ends, axis=0).astype(np.float64)), return_counts=True)
    return passed[times > 1]


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


def _place_junctions(arcs: PlanarMap, strokes: Strokes, junctions: Junctions) -> None:
    """Find where arcs meet, and move the ends of the pieces there, later painted ones first."""
    _slide_on_frame(arcs, strokes)
    _meet(strokes, junctions)
    _join(strokes, junctions)
    strokes.corners.update(_junction_places(arcs, strokes))
    _slide(arcs, strokes, junctions)
    strokes.places.update(_junction_places(arcs, strokes))
    place, points, starts = strokes.places, strokes.pieces.points, strokes.pieces.starts
    for stroke in np.argsort(-strokes.owner, kind="stable").tolist():
        for node, piece, from_start in (
            (int(strokes.start_node[stroke]), int(strokes.first_piece[stroke]), True),
            (int(strokes.end_node[stroke]), int(strokes.first_piece[stroke + 1]) - 1, False),
        ):
            if node not in place:
                continue
            end = int(starts[piece]) if from_start else int(starts[piece + 1]) - 1
            _pull(strokes, piece, end, 1 if from_start else -1, points[place[node]])


def _meet(strokes: Strokes, junctions: Junctions) -> None:
    """Bring together what meets in a junction that nothing goes through, where the three lines lead."""
    chosen = np.flatnonzero(junctions.pair == NONE)
    if not len(chosen):
        return
    ends, piece = _ends(strokes, junctions.arc[chosen], junctions.at_head[chosen])
    sigma, row = strokes.sigma[piece], np.arange(len(chosen))
    lines = [leading(strokes.pieces.points, ends.chosen(row, row * 0 + k), sigma[:, k]) for k in range(3)]
    place, direction = (np.stack([line[k] for line in lines], axis=1) for k in range(2))
    start = strokes.pieces.points[ends.at].mean(axis=1)
    moved = _close_to(start, meeting(place, direction, start, _HOLD), sigma.mean(axis=1))
    for k in range(3):
        _pull_all(strokes, ends.chosen(row, row * 0 + k), piece[:, k], moved)


def _join(strokes: Strokes, junctions: Junctions) -> None:
    """Smooth as one line what goes through a junction from one part's outline to another's; the third ends on it."""
    chosen = np.flatnonzero(junctions.cut & (junctions.pair != NONE))
    if not len(chosen):
        return
    both, third = junctions.pairs(chosen)
    row = np.arange(len(chosen))
    ends, piece = _ends(strokes, junctions.arc[chosen], junctions.at_head[chosen])
    pair = ends.chosen(row[:, None], both)
    sigma = strokes.sigma[np.take_along_axis(piece, both, axis=1)].mean(axis=1)
    lines, joint, along = smoothed_through(strokes.raw.points, pair, sigma)
    points = strokes.pieces.points
    for k in row.tolist():
        reach = min(int(joint[k] - lines.starts[k]), max(1, round(4 * float(sigma[k]))))
        share = np.clip(2 - 2 * np.arange(reach) / reach, 0, 1)[:, None]
        for side, step in ((0, -1), (1, 1)):
            own = pair.at[k, side] + pair.inward[k, side] * np.arange(reach)
            points[own] += share * (lines.points[joint[k] + step * np.arange(reach)] - points[own])
    strokes.heading.update(zip(pair.at[:, 0].tolist(), -pair.inward[:, :1] * along, strict=True))
    strokes.heading.update(zip(pair.at[:, 1].tolist(), pair.inward[:, 1:] * along, strict=True))
    _pull_all(strokes, ends.chosen(row, third), piece[row, third], lines.points[joint])


def _slide(arcs: PlanarMap, strokes: Strokes, junctions: Junctions) -> None:
    """Where a line that settled ends on another that goes through, carry it on straight: the other is divided there.

    No further than it settled: without evidence the pixels' corner is as good a place along the other line as any.
    """
    chosen = np.flatnonzero(~junctions.cut)
    if not len(chosen):
        return
    node, points, starts = junctions.node[chosen], strokes.pieces.points, strokes.pieces.starts
    ends, piece = _ends(strokes, junctions.arc[chosen, :1], junctions.at_head[chosen, :1])
    row = np.arange(len(chosen))
    place, direction = leading(points, ends.chosen(row, 0 * row), strokes.sigma[piece[:, 0]])
    at = np.array([strokes.corners[each] for each in node.tolist()])
    line = np.searchsorted(starts, at, "right") - 1
    along = points[np.minimum(at + 1, starts[line + 1] - 1)] - points[np.maximum(at - 1, starts[line])]
    spacing = np.hypot(*along.T) / 2
    along = unit(along)
    rise = along[:, 0] * direction[:, 1] - along[:, 1] * direction[:, 0]
    off = place - points[at]
    shift = (off[:, 0] * direction[:, 1] - off[:, 1] * direction[:, 0]) / np.where(np.abs(rise) < 0.5, np.inf, rise)
    length = np.diff(arcs.starts)[junctions.arc[chosen]] - 1
    corner = arcs.points[np.where(junctions.at_head, arcs.starts[junctions.arc + 1] - 1, arcs.starts[junctions.arc])]
    settled = np.hypot(*(strokes.raw.points[ends.at[:, 0]] - corner[chosen, 0]).T)
    most = np.minimum(settled, 0.4 * length[:, 1:].min(axis=1)) * (length[:, 0] > _SHORTEST)
    shift = np.clip(shift, -most, most) / np.maximum(spacing, 0.2)
    on = np.clip(at + shift, starts[line], starts[line + 1] - 1)
    for each, old, new, first, last in zip(
        chosen.tolist(), at.tolist(), on.tolist(), starts[line].tolist(), (starts[line + 1] - 1).tolist(), strict=True
    ):
        before, after = junctions.passing(each)
        if before == after:  # a loop has both its ends here
            continue
        index = _divide(strokes, before, after, old, round(new))
        if first < index < last:  # the point itself goes the rest of the way
            other = index + (1 if new > index else -1)
            points[index] += abs(new - index) * (points[other] - points[index])


def _divide(strokes: Strokes, before: int, after: int, old: int, new: int) -> int:
    """Let two arcs of a stroke meet at another point of it than `old`, in place: at `new`, or where both keep two."""
    one, two = strokes.samples[before], strokes.samples[after]
    new = min(max(new, old - len(one) + 2), old + len(two) - 2)
    if new >= old:
        one, two = np.concatenate([one, np.arange(old + 1, new + 1)]), two[new - old :]
    else:
        one, two = one[: new - old], np.concatenate([np.arange(new, old), two])
    strokes.samples[before], strokes.samples[after] = one, two
    return new


def _slide_on_frame(arcs: PlanarMap, strokes: Strokes) -> None:
    """Carry lines that end on the frame on straight to there."""
    frame, starts = frame_nodes(arcs), strokes.pieces.starts
    node = np.concatenate([strokes.start_node, strokes.end_node])
    piece = np.concatenate([strokes.first_piece[:-1], strokes.first_piece[1:] - 1])
    here = np.flatnonzero(np.isin(node, list(frame)))
    if not len(here):
        return
    at_start, piece = here < len(strokes.start_node), piece[here]
    room, sigma = starts[piece + 1] - starts[piece], strokes.sigma[piece]
    ends = Ends(np.where(at_start, starts[piece], starts[piece + 1] - 1), np.where(at_start, 1, -1), room)
    along = np.array([frame[each][0] for each in node[here].tolist()])
    most = np.minimum(sigma, [frame[each][1] for each in node[here].tolist()])
    start = strokes.pieces.points[ends.at]
    place, direction = leading(strokes.pieces.points, ends, sigma)
    rise = along[:, 0] * direction[:, 1] - along[:, 1] * direction[:, 0]
    off = place - start
    shift = (off[:, 0] * direction[:, 1] - off[:, 1] * direction[:, 0]) / np.where(rise == 0, np.inf, rise)
    moved = (room > _SHORTEST) & (np.abs(rise) >= 0.5)
    target = start + along * np.clip(shift, -most, most)[:, None]
    _pull_all(strokes, ends.chosen(moved), piece[moved], target[moved])


def frame_nodes(arcs: PlanarMap) -> dict[int, tuple[Floats, float]]:
    """Junctions of three on the frame but for its corners: the frame's direction there, and how far to slide, px."""
    frame = np.flatnonzero((arcs.owner == OUTSIDE_RANK) & (arcs.tail >= 0))
    leaving = {int(arcs.tail[arc]): arcs.arc(arc) for arc in frame.tolist()}
    arriving = {int(arcs.head[arc]): arcs.arc(arc) for arc in frame.tolist()}
    found = {}
    for node, ahead in leaving.items():
        behind = arriving.get(node)
        step = ahead[1] - ahead[0]
        if arcs.degree[node] == 3 and behind is not None and (step == behind[-1] - behind[-2]).all():
            found[node] = step.astype(np.float64), 0.4 * min(_straight(ahead), _straight(behind[::-1]))
    return found


def _straight(points: Ints) -> int:
    """How many steps a line of the lattice runs straight from its start."""
    bent = np.flatnonzero(np.any(np.diff(points, axis=0) != points[1] - points[0], axis=1))
    return int(bent[0]) if len(bent) else len(points) - 1


def _ends(strokes: Strokes, arc: Ints, at_head: Bools) -> tuple[Ends, Ints]:
    """The ends of pieces at which arcs end (n, k), and the pieces."""
    next_to = np.array(
        [
            strokes.samples[a][-2 if head else 1]
            for a, head in zip(arc.ravel().tolist(), at_head.ravel().tolist(), strict=True)
        ],
        np.int64,
    ).reshape(arc.shape)
    starts = strokes.pieces.starts
    piece = np.searchsorted(starts, next_to, "right") - 1
    at = np.where(at_head, starts[piece + 1] - 1, starts[piece])
    return Ends(at, np.where(at_head, -1, 1), starts[piece + 1] - starts[piece]), piece


def _pull_all(strokes: Strokes, ends: Ends, piece: Ints, targets: Floats) -> None:
    for at, inward, own, target in zip(ends.at.tolist(), ends.inward.tolist(), piece.tolist(), targets, strict=True):
        _pull(strokes, own, at, inward, target)


def _pull(strokes: Strokes, piece: int, end: int, inward: int, target: Floats) -> None:
    """Move an end of a piece to a point, and what is next to it with it, less and less."""
    points, starts = strokes.pieces.points, strokes.pieces.starts
    count = int(starts[piece + 1] - starts[piece])
    reach = min(count - 1, max(2, round(4 * float(strokes.sigma[piece]))))
    own = end + inward * np.arange(reach)
    points[own] += ((1 - np.arange(reach) / reach) ** 2)[:, None] * (target - points[end])


def _junction_places(arcs: PlanarMap, strokes: Strokes) -> dict[int, int]:
    """Junction -> index into pieces.points, for junctions that a stroke runs through."""
    place = {}
    for stroke, chain in enumerate(strokes.arcs):
        for arc in chain[1:] if not strokes.closed[stroke] else chain:
            node = int(arcs.tail[arc])
            if node >= 0:
                place[node] = int(strokes.samples[arc][0])
    return place
