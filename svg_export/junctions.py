"""Junctions of three arcs: which two of them are one line, and where they meet.

Where two arcs go on nearly straight from one to the other, they are one line, and the third ends on it (a T-junction).
Usually these two are the outline of the part painted last, as of a thing in front of the others. But where a beard
ends at the jaw, the silhouette goes on from cheek to beard, and the beard's own outline turns away from it. Where no
two go on (a Y-junction), the three meet where their lines lead, not on the pixels' corner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svg_export.curves import Bools, Floats, Ints, Lines, smooth, tangents, unit
from svg_export.trace import OUTSIDE_RANK, PlanarMap

_STRAIGHT = np.radians(40)  # what turns less goes through
_SILHOUETTE = np.radians(30)  # so much straighter another pair must be than the outline of the part painted last
_SHORT = 6  # points: the direction of a shorter arc says nothing
_LEADING = 8  # points, about 6 sigma, whose straight line leads to a junction
_OWN, NONE = 0, 3  # of `Junctions.pair`


@dataclass(frozen=True)
class Junctions:
    """Junctions of three parts A < B < C within the picture: the ends of the arcs B|A, C|A and C|B, in this order."""

    node: Ints  #: (n,)
    arc: Ints  #: (n, 3)
    at_head: Bools  #: (n, 3) whether the arc ends here; else it starts here
    pair: Ints  #: (n,) which two are one line: C's outline, A's, B's, or NONE

    @classmethod
    def find(cls, arcs: PlanarMap, reach: float) -> Junctions:
        """`reach`: px, over which an arc's direction is taken."""
        count = np.arange(len(arcs))
        framed = arcs.tail[arcs.owner == OUTSIDE_RANK]
        of_three = arcs.degree == 3
        of_three[framed[framed >= 0]] = False
        node = np.concatenate([arcs.tail, arcs.head])
        simple = np.append(of_three, False)[node]  # closed arcs meet no junction, -1
        arc, at_head = np.tile(count, 2)[simple], np.repeat([False, True], len(arcs))[simple]
        node = node[simple]
        order = np.lexsort((arcs.lower[arc], arcs.owner[arc], node))
        arc, at_head, node = arc[order].reshape(-1, 3), at_head[order].reshape(-1, 3), node[order][::3]
        outward = _outward(arcs, arc, at_head, max(_SHORT, round(2 * reach)))
        turn = np.stack([_turn(outward[:, one], outward[:, two]) for one, two in _PAIRS], axis=1)
        turn[:, _OWN] -= _SILHOUETTE
        pair = turn.argmin(axis=1)
        pair[turn[np.arange(len(pair)), pair] > np.where(pair == _OWN, _STRAIGHT - _SILHOUETTE, _STRAIGHT)] = NONE
        short = (np.diff(arcs.starts)[arc] <= _SHORT).any(axis=1)
        pair[short] = _OWN
        return cls(node, arc, at_head, pair)

    @property
    def cut(self) -> Bools:
        """(n,) Where C's own outline does not go through."""
        cut: Bools = self.pair != _OWN
        return cut

    def pairs(self, chosen: Ints) -> tuple[Ints, Ints]:
        """Of some junctions with a pair the two ends of one line (n, 2), and the third (n,), as columns of `arc`."""
        both = np.array(_PAIRS)[self.pair[chosen]]
        return both, 3 - both.sum(axis=1)

    def leaving(self) -> Ints:
        """(n,) The arc by which C's outline leaves the junction."""
        return np.where(self.at_head[:, 1], self.arc[:, 2], self.arc[:, 1])

    def passing(self, index: int) -> tuple[int, int]:
        """The arcs by which C's outline comes to a junction, and leaves it."""
        one, two = self.arc[index, 1:].tolist()
        return (one, two) if self.at_head[index, 1] else (two, one)


#: Of the ends in the order of `Junctions.arc`, those that go through: C's outline, A's, B's.
_PAIRS = ((1, 2), (0, 1), (0, 2))


def _outward(arcs: PlanarMap, arc: Ints, at_head: Bools, reach: int) -> Floats:
    """Directions (n, 3, 2) in which arcs leave their ends: to the mean of their first points."""
    first = np.where(at_head, arcs.starts[arc + 1] - 1, arcs.starts[arc])
    steps = np.arange(1, reach + 1)
    last = (arcs.starts[arc + 1] - arcs.starts[arc] - 1)[..., None]
    index = first[..., None] + np.where(at_head, -1, 1)[..., None] * np.minimum(steps, last)
    away: Floats = arcs.points[index].mean(axis=2) - arcs.points[first]
    return away


def _turn(one: Floats, two: Floats) -> Floats:
    """By how much (n,) a line turns that comes in against `one` and goes out along `two` (n, 2), radians."""
    cross = two[:, 0] * one[:, 1] - two[:, 1] * one[:, 0]
    turn: Floats = np.abs(np.arctan2(cross, -(one * two).sum(axis=1)))
    return turn


@dataclass(frozen=True)
class Ends:
    """Ends of lines, as indices of points: `at[k] + inward[k]` is the next point of the line."""

    at: Ints  #: (..)
    inward: Ints  #: 1 or -1
    room: Ints  #: points in the line

    def chosen(self, *index: Ints | Bools) -> Ends:
        """Some of them: of a table of ends those at a row and a column, which broadcast."""
        return Ends(self.at[index], self.inward[index], self.room[index])


def smoothed_through(points: Floats, ends: Ends, sigma: Floats) -> tuple[Lines, Ints, Floats]:
    """Pairs of ends (n, 2), each smoothed as one line: the smoothed points of both sides, and where the joints stand.

    Returns the lines, the index of each one's joint, and the tangents there (n, 2) from the first to the second end.
    """
    side = np.minimum(np.ceil(6 * sigma).astype(np.int64) + 2, ends.room.min(axis=1) - 1)
    starts = np.concatenate([[0], np.cumsum(2 * side + 1)])
    line = np.repeat(np.arange(len(side)), 2 * side + 1)
    place = np.arange(starts[-1]) - (starts[:-1] + side)[line]
    which = (place > 0).astype(np.int64)
    index = ends.at[line, which] + ends.inward[line, which] * np.abs(place)
    rough = points[index]
    joint = starts[:-1] + side
    rough[joint] = points[ends.at].mean(axis=1)
    lines = Lines(rough, starts, np.zeros(len(side), np.bool_))
    smoothed = Lines(smooth(lines, np.minimum(sigma, side / 3)), starts, lines.closed)
    return smoothed, joint, tangents(smoothed, np.minimum(1.5 * sigma, side / 3))[joint]


def leading(points: Floats, ends: Ends, sigma: Floats) -> tuple[Floats, Floats]:
    """The straight lines by which lines lead to their ends (n,): a point on each and its direction, (n, 2) both."""
    steps = np.rint(0.75 * np.maximum(sigma, 1.0)[:, None] * np.arange(1, _LEADING + 1)).astype(np.int64)
    near = points[ends.at[:, None] + ends.inward[:, None] * np.minimum(steps, ends.room[:, None] - 1)]
    half = _LEADING // 2
    return near.mean(axis=1), unit(near[:, half:].mean(axis=1) - near[:, :half].mean(axis=1))


def meeting(place: Floats, direction: Floats, start: Floats, hold: float) -> Floats:
    """Where lines (n, lines, 2) meet, by least squares; `hold` is how much `start` (n, 2) counts beside a line."""
    across = np.stack([-direction[..., 1], direction[..., 0]], axis=-1)
    matrix = np.einsum("nki,nkj->nij", across, across) + hold * np.eye(2)
    off = ((place - start[:, None]) * across).sum(axis=-1)
    right = (across * off[..., None]).sum(axis=1)
    return start + np.linalg.solve(matrix, right[..., None])[..., 0]
