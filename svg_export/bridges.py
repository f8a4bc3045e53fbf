"""What a lock of hair cuts in two, drawn as one shape beneath it.

Where two pieces of a brow, an eye, a lip or a pair of glasses face one another across what is painted later, and the
gap between them is narrow for their size, the outline of each goes on to that of the other in two curves: the
**bridges**. So the part is one shape with one outline, which an illustrator can move and reshape as a whole.

Nothing of it may come into sight: what lies between the pieces must be hidden, and the bridges keep away from where
something else than the part itself is seen beside what hides them.

Limits. Pieces are joined where each goes under what covers it in one stretch of its outline: a lower lip, which also
lies beneath the upper one there, stays in pieces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from svg_export.beziers import flatten
from svg_export.curves import Floats
from svg_export.geometry import distance, meets, near

_WIDE = 0.45  # of the joined part's length: a wider gap may as well be between two things
_LEAST = 0.25  # of the gap's square: a smaller piece leads nowhere
_LEANING = np.cos(np.radians(60))  # a visible outline leads to the other piece, more or less
_HANDLE = 0.36  # of the chord: an arc that turns a little
_SLOPE = 0.35  # how fast the distance to danger grows from the ends of a bridge
_CLOSE = 0.6  # of the way to danger: so far its curve may stray


@dataclass(frozen=True)
class Cut:
    """A stretch of a piece's outline that lies beneath a later part."""

    border: Floats  #: (n, 2) px, walked with the piece on the right
    going: Floats  #: (2,) unit vector: how the visible outline runs before it; zero where it is not seen
    coming: Floats  #: (2,) and after it


def bridges(
    one: Cut, two: Cut, pieces: tuple[Floats, Floats], danger: Floats, allowed: shapely.Geometry, margin: float
) -> tuple[Floats, Floats] | None:
    """The lines (n, 2) from where `one` goes under to where `two` comes out, and back; None where they are not plain.

    pieces   the outlines (m, 2) of both pieces
    danger   (k, 2) points of outlines beside which nothing of the part may show
    allowed  the part, and what is painted later
    margin   px to keep from danger, but for the bridges' ends
    """
    if not _are_one(one, two, pieces):
        return None
    there, back = _bridge(one, two), _bridge(two, one)
    region = shapely.Polygon(np.concatenate([there, two.border[::-1][1:], back[1:], one.border[::-1][1:]]))
    if not region.is_valid or region.difference(allowed).area > 0.3:
        return None
    for line in (there, back):
        from_end = np.minimum(*(np.hypot(*(line - end).T) for end in line[[0, -1]]))
        room = np.minimum(margin, _SLOPE * from_end)
        if (distance(line, near(danger, line, 2 * margin)) < room - 0.3).any():
            return None
        if meets(line, one.border) or meets(line, two.border):
            return None
    return there, back


def leeway(line: Floats, danger: Floats, most: float) -> Floats:
    """How far the curve may stray from each point of a bridge, px (n,)."""
    found: Floats = np.clip(_CLOSE * distance(line, near(danger, line, most / _CLOSE)), 0.15, most)
    return found


def _are_one(one: Cut, two: Cut, pieces: tuple[Floats, Floats]) -> bool:
    """Whether two pieces are plainly one: the gap is narrow, and the outline of each leads to the other."""
    chords = two.border[-1] - one.border[0], one.border[-1] - two.border[0]
    gaps = [float(np.hypot(*chord)) for chord in chords]
    if min(gaps) < 1e-6:
        return False
    if max(gaps) > _WIDE * float(np.hypot(*np.ptp(np.concatenate(pieces), axis=0))):
        return False
    if min(shapely.Polygon(each).area for each in pieces) < _LEAST * max(gaps) ** 2:
        return False
    for chord, gap, before, after in zip(chords, gaps, (one, two), (two, one), strict=True):
        if min(before.going @ chord, after.coming @ chord) < _LEANING * gap:
            return False
    return True


def _bridge(one: Cut, two: Cut) -> Floats:
    """One cubic that goes on as the outlines do."""
    start, end = one.border[0], two.border[-1]
    handle = _HANDLE * float(np.hypot(*(end - start)))
    return flatten(np.stack([start, start + handle * one.going, end - handle * two.coming, end])[None], 16)
