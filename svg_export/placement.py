"""Smoothed pieces of strokes brought to where they belong, in place: onto the photo's edges, and onto each other.

First all move with what else is known of the picture (`move`), each along its normals; then the places of the junctions
are found, and the ends of the pieces moved there (`place_junctions`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from svg_export.curves import Bools, Complexes, Floats, Ints, Lines, as_complex, unit
from svg_export.junctions import NONE, Ends, Junctions, leading, meeting, smoothed_through
from svg_export.trace import OUTSIDE_RANK, PlanarMap

if TYPE_CHECKING:
    from svg_export.strokes import Strokes

_HOLD = 0.6  # how much the pixels' corner counts, where three lines meet, beside one of them
_SHORTEST = 5  # points: shorter lines lead nowhere
_STAY = 0.05  # how much a knot wants to stay where it is, beside a line that carries it along

#: Smoothed lines, and the ranks on both sides of each point -> how far to move each, and in which direction.
Settle = Callable[[Lines, Ints, Ints], tuple[Floats, Floats]]


def move(arcs: PlanarMap, strokes: Strokes, junctions: Junctions, settle: Settle) -> None:
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


def place_junctions(arcs: PlanarMap, strokes: Strokes, junctions: Junctions) -> None:
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
    moved = close_to(start, meeting(place, direction, start, _HOLD), sigma.mean(axis=1))
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
    length = np.diff(arcs.starts)[junctions.arc[chosen]] - 1
    corner = arcs.points[np.where(junctions.at_head, arcs.starts[junctions.arc + 1] - 1, arcs.starts[junctions.arc])]
    settled = np.hypot(*(strokes.raw.points[ends.at[:, 0]] - corner[chosen, 0]).T)
    most = np.minimum(settled, 0.4 * length[:, 1:].min(axis=1)) * (length[:, 0] > _SHORTEST)
    if not most.any():
        return
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
    across = points[:, int(points[0, 1] == points[1, 1])]
    bent = np.flatnonzero(across != across[0])
    return int(bent[0]) - 1 if len(bent) else len(points) - 1


def _junction_places(arcs: PlanarMap, strokes: Strokes) -> dict[int, int]:
    """Junction -> index into pieces.points, for junctions that a stroke runs through."""
    place = {}
    for stroke, chain in enumerate(strokes.arcs):
        for arc in chain[1:] if not strokes.closed[stroke] else chain:
            node = int(arcs.tail[arc])
            if node >= 0:
                place[node] = int(strokes.samples[arc][0])
    return place


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


def close_to(points: Floats, moved: Floats, most: Floats) -> Floats:
    """`moved`, but nowhere more than `most` (n,) from `points`: smoothing is there to remove stairs, not details."""
    shift = moved - points
    length = np.hypot(*shift.T)[:, None]
    kept: Floats = points + shift * np.minimum(1.0, most[:, None] / np.maximum(length, 1e-9))
    return kept
