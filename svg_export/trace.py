"""Label map -> planar map: every border between two parts, found once.

Approach. The borders of a label map run along the cracks between pixels: unit steps on the lattice of pixel corners.
Each crack belongs to exactly one **arc**, a chain of cracks with the same two parts on its sides, from **junction**
(a corner where three or four parts meet) to junction, or closed. Parts are compared by their rank in the paint order;
the part painted later **owns** the arc, and the arc runs so that its owner lies on the right (clockwise on the screen
around the owner). What lies outside the picture is the last painted of all, so the frame is a border like any other.

Where two equal pixels touch only at a corner (a checkerboard) the corner is taken apart: the scarcer part stays
connected, which keeps thin diagonal parts (glasses, necklaces) whole. Only corners with four different parts remain
junctions of four arcs.

Everything is done on arrays of cracks, but for one walk along the chains to put them in order, so the cost follows the
length of the borders, plus one comparison per pixel.

Limits. Arcs here are the raw staircase; nothing is smoothed or dropped. Specks are the business of the cleaning that
comes before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from svg_export.curves import spread

BACKGROUND_RANK = 0
OUTSIDE_RANK = 255  #: what lies beyond the frame: above everything

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class PlanarMap:
    """Arcs of a label map, all in one set of flat arrays.

    Arc `a` is `points[starts[a]:starts[a + 1]]`: int64 (n, 2), x and y of pixel corners, both ends included.
    """

    points: Ints
    starts: Ints  #: (arcs + 1,)
    owner: Ints  #: (arcs,) rank of the part on the right of the arc, the one painted later
    lower: Ints  #: (arcs,) rank of the part on the left
    tail: Ints  #: (arcs,) junction where the arc starts; -1 where the arc is closed and meets no junction
    head: Ints  #: (arcs,) junction where it ends
    degree: Ints  #: (junctions,) how many arcs meet there: 3, or 4 where four parts meet

    def __len__(self) -> int:
        return len(self.owner)

    def arc(self, index: int) -> Ints:
        """Pixel corners (n, 2) of one arc."""
        return self.points[self.starts[index] : self.starts[index + 1]]


def planar_map(ranks: NDArray[np.uint8]) -> PlanarMap:
    """Find every border of `ranks`, uint8 (H, W): 0 is background, higher is painted later, 255 is not allowed."""
    padded, left, top = _crop_and_pad(ranks)
    cracks = _Cracks.find(padded)
    degree = np.bincount(np.concatenate([cracks.tail, cracks.head]), minlength=1)
    order, starts, first, last = _chains(cracks.tail, cracks.head, degree)
    length = np.diff(starts)
    # n cracks have n + 1 corners: every arc gets one more slot than it has cracks
    slots = np.arange(len(order)) + np.repeat(np.arange(len(length)), length)
    points = np.empty((len(order) + len(length), 2), np.int64)
    points[slots] = cracks.corner[cracks.tail[order] >> 1]
    ends = starts[1:] + np.arange(len(length))
    points[ends] = cracks.corner[cracks.head[last] >> 1]
    points += np.array([left, top])
    tail, head = cracks.tail[first], cracks.head[last]
    at_junction = degree[tail] != 2
    named, index = np.unique(np.concatenate([tail[at_junction], head[at_junction]]), return_inverse=True)
    tails, heads = np.full(len(first), -1), np.full(len(first), -1)
    tails[at_junction], heads[at_junction] = np.split(index, 2)
    return PlanarMap(
        points, starts + np.arange(len(starts)), cracks.owner[first], cracks.lower[first], tails, heads, degree[named]
    )


def rings(arcs: PlanarMap, inside: Callable[[Ints], NDArray[np.bool_]]) -> list[list[tuple[int, bool]]]:
    """Closed outlines of the union of the parts whose ranks satisfy `inside`.

    Each ring is a list of (arc, forward): walked in this order the union lies on the right, so outer rings are
    clockwise on the screen and holes anticlockwise. Where two pieces touch at one corner only, they stay two rings, and
    so do an outer ring and a hole that do.
    Of the background, rings that run along the frame are left out.
    """
    owns, lies_below = inside(arcs.owner), inside(arcs.lower)
    forward = owns & ~lies_below
    chosen = np.flatnonzero(owns != lies_below)
    leaving: dict[int, list[int]] = {}
    for arc in chosen.tolist():
        leaving.setdefault(int(arcs.tail[arc] if forward[arc] else arcs.head[arc]), []).append(arc)
    found: list[list[tuple[int, bool]]] = []
    used: set[int] = set()
    for first in chosen.tolist():
        if first in used:
            continue
        ring: list[tuple[int, bool]] = []
        arc = first
        while arc >= 0 and arc not in used:
            used.add(arc)
            ring.append((arc, bool(forward[arc])))
            node = int(arcs.head[arc] if forward[arc] else arcs.tail[arc])
            ways = leaving.get(node, []) if node >= 0 else [first]
            if len(ways) > 1:
                arc = _right_most(arcs, arc, bool(forward[arc]), ways, forward)
            else:
                arc = ways[0] if ways else -1
        if arc == first:  # else it is the background, which is not followed along the frame
            found += _without_touching(arcs, ring)
    return found


def _without_touching(arcs: PlanarMap, ring: list[tuple[int, bool]]) -> list[list[tuple[int, bool]]]:
    """A ring that comes back to a junction, cut there: what it encloses at one corner only is a hole, or has one."""
    found: list[list[tuple[int, bool]]] = []
    path: list[tuple[int, bool]] = []
    passed: dict[int, int] = {}  # junction -> where in the path it was passed
    for arc, forward in ring:
        node = int(arcs.tail[arc] if forward else arcs.head[arc])
        if node in passed:
            at = passed[node]
            found.append(path[at:])
            passed = {junction: place for junction, place in passed.items() if place < at}
            del path[at:]
        if node >= 0:
            passed[node] = len(path)
        path.append((arc, forward))
    return [path, *found]


def _right_most(arcs: PlanarMap, arc: int, along: bool, ways: list[int], forward: NDArray[np.bool_]) -> int:
    """Of the arcs that leave a junction of four, the one that turns right: it stays with the same piece."""
    steps = arcs.arc(arc) if along else arcs.arc(arc)[::-1]
    dx, dy = (steps[-1] - steps[-2]).tolist()

    def turns_right(way: int) -> int:
        out = arcs.arc(way) if forward[way] else arcs.arc(way)[::-1]
        ex, ey = (out[1] - out[0]).tolist()
        return int(dx * ey - dy * ex)

    return max(ways, key=turns_right)


def _crop_and_pad(ranks: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int, int]:
    """Cut to what is not background, plus a rim of one: background, or OUTSIDE where that is the picture's frame."""
    height, width = ranks.shape
    rows = np.flatnonzero(ranks.any(axis=1))
    if not len(rows):
        return np.zeros((2, 2), np.uint8), 0, 0
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(ranks[top:bottom].any(axis=0))
    left, right = int(columns[0]), int(columns[-1]) + 1
    # one more ring of background, so that the frame counts only where a part touches it
    top, bottom, left, right = max(top - 1, 0), min(bottom + 1, height), max(left - 1, 0), min(right + 1, width)
    padded = np.zeros((bottom - top + 2, right - left + 2), np.uint8)
    padded[1:-1, 1:-1] = ranks[top:bottom, left:right]
    if top == 0:
        padded[0] = OUTSIDE_RANK
    if bottom == height:
        padded[-1] = OUTSIDE_RANK
    if left == 0:
        padded[:, 0] = OUTSIDE_RANK
    if right == width:
        padded[:, -1] = OUTSIDE_RANK
    return padded, left, top


@dataclass(frozen=True)
class _Cracks:
    """All unit borders. A node is a pixel corner; it has two names, 2 k and 2 k + 1, because it may be taken apart."""

    tail: Ints  # (n,) node names
    head: Ints
    owner: Ints  # (n,) higher rank, on the right
    lower: Ints
    corner: Ints  # (nodes, 2) x, y in the crop

    @classmethod
    def find(cls, padded: NDArray[np.uint8]) -> _Cracks:
        columns = padded.shape[1] - 1  # corners in a row
        pixels = padded.ravel()
        # counted in one run and not in rows and columns: finding what is not zero is many times faster so
        y, x = np.divmod(np.flatnonzero(padded[:-1, 1:-1] != padded[1:, 1:-1]), columns - 1)
        across, above = y * columns + x, y * (columns + 1) + x + 1  # from the corner (x, y) to (x + 1, y)
        y, x = np.divmod(np.flatnonzero(padded[1:-1, :-1] != padded[1:-1, 1:]), columns)
        down, west = y * columns + x, (y + 1) * (columns + 1) + x  # from the corner (x, y) to (x, y + 1)
        # the side on the left when going right or down, and the other
        one = pixels[np.concatenate([above, west + 1])]
        two = pixels[np.concatenate([above + columns + 1, west])]
        lattice = np.concatenate([across, down, across + 1, down + columns])
        met = np.zeros(len(pixels), np.bool_)
        met[lattice] = True
        corners = np.flatnonzero(met)
        number = np.empty(len(pixels), np.int32)
        number[corners] = np.arange(len(corners))
        index = number[lattice].astype(np.int64)
        count = np.bincount(index, minlength=len(corners))
        y, x = np.divmod(corners, columns)
        main, anti = _taken_apart(padded, y, x, count)
        n, h = len(one), len(across)
        # of the four cracks at a corner that is taken apart: north keeps the first name, south takes the second;
        # east and west go with whichever of them bounds the same pixel
        second = np.zeros(2 * n, np.bool_)
        second[:h] = anti[index[:h]]  # the east crack
        second[h:n] = (main | anti)[index[h:n]]  # the south crack
        second[n : n + h] = main[index[n : n + h]]  # the west crack
        name = index * 2 + second
        ahead = two > one
        tail, head = np.where(ahead, name[:n], name[n:]), np.where(ahead, name[n:], name[:n])
        owner, lower = np.maximum(one, two).astype(np.int64), np.minimum(one, two).astype(np.int64)
        return cls(tail, head, owner, lower, np.stack([x, y], axis=1))


def _taken_apart(
    padded: NDArray[np.uint8], y: Ints, x: Ints, count: Ints
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """At which corners the pixels on the main or on the other diagonal are to be joined, bool (nodes,) each."""
    main, anti = np.zeros(len(y), np.bool_), np.zeros(len(y), np.bool_)
    four = np.flatnonzero(count == 4)
    if len(four):
        fy, fx = y[four], x[four]
        north_west, south_east = padded[fy, fx], padded[fy + 1, fx + 1]
        north_east, south_west = padded[fy, fx + 1], padded[fy + 1, fx]
        falling, rising = north_west == south_east, north_east == south_west
        area = np.zeros(256, np.int64)
        for part in {*north_west.tolist(), *north_east.tolist()}:
            area[part] = np.count_nonzero(padded == part)
        scarcer = (area[north_west] < area[north_east]) | (
            (area[north_west] == area[north_east]) & (north_west > north_east)
        )
        main[four] = falling & (~rising | scarcer)
        anti[four] = rising & ~main[four]
    return main, anti


def _chains(tail: Ints, head: Ints, degree: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Put directed links in chains through every node that has exactly one link in and one out: `degree` 2.

    Returns order (n,): links, chain after chain, each from start to end; starts (chains + 1,): where chains begin in
    `order`; and the first and last link of each chain. Closed chains begin at their lowest link.
    """
    n = len(tail)
    if not n:
        none = np.zeros(0, np.int64)
        return none, np.zeros(1, np.int64), none, none
    arriving = np.full(len(degree), -1)
    arriving[head] = np.arange(n)
    before = np.where(degree[tail] == 2, arriving[tail], -1)
    after = np.full(n, n)  # no link, at the end of an open chain
    after[before[before >= 0]] = np.flatnonzero(before >= 0)
    follow = after.tolist()  # for steps one by one, lists are faster than arrays
    walked: list[int] = []
    starts: list[int] = []
    for first in np.flatnonzero(before < 0).tolist():
        starts.append(len(walked))
        link = first
        while link < n:
            walked.append(link)
            link = follow[link]
    order = np.array(walked, np.int64)
    closed = np.ones(n, np.bool_)  # what no open chain reaches
    closed[order] = False
    left = dict.fromkeys(np.flatnonzero(closed).tolist())
    around: list[int] = []
    while left:
        starts.append(len(walked) + len(around))
        link = next(iter(left))  # the lowest
        while link in left:
            del left[link]
            around.append(link)
            link = follow[link]
    order = np.concatenate([order, np.array(around, np.int64)])
    begin, end = np.array(starts), np.array([*starts[1:], n])
    chains = np.argsort(order[begin])  # by their first links
    order = order[spread(begin[chains], (end - begin)[chains])]
    begin = np.concatenate([[0], np.cumsum((end - begin)[chains])])
    return order, begin, order[begin[:-1]], order[begin[1:] - 1]
