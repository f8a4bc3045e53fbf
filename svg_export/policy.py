"""How each part's borders are drawn: one row a part, beside the core's table, which knows of pixels alone.

A border is drawn by the row of the part that is painted later, whose outline it is; what both have to bear (how far
the photo may move it, how thin a piece may be) by the stricter of the two.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from faceparse_core.parts import BY_NAME, PartTable


@dataclass(frozen=True)
class Policy:
    """One row of the table."""

    corner: float = 60.0  #: degrees: where its outline turns more, it keeps a corner
    smoothing: float = 1.0  #: of what its own width and the head's size ask for
    photo_reach: float = 0.012  #: of the head's size: how far the photo may move its border
    broad: bool = False  #: never thin by nature: slivers of it are mistakes
    calm: bool = False  #: broad and smooth enough that what ripples like the parser's grid is that and no more
    carried: bool = False  #: the head is solid beneath it, even where it reaches past the head's own pixels


_SKIN = Policy(corner=90.0, broad=True, calm=True)  # round: no chin turns so sharply
_TIPPED = Policy(smoothing=1.1, photo_reach=0.010, broad=True, calm=True)  # strands, brims and collars end in tips
_BROW = Policy(corner=75.0, photo_reach=0.008, carried=True)  # brows, eyes and lips keep the corners at their ends
_EYE = Policy(corner=75.0, photo_reach=0.007, carried=True)
_LIP = Policy(corner=75.0, photo_reach=0.006, carried=True)
_JEWEL = Policy(photo_reach=0.006)

POLICIES: dict[int, Policy] = {
    BY_NAME[name].id: policy
    for name, policy in {
        "background": Policy(broad=True, calm=True),
        "head": replace(_SKIN, photo_reach=0.009),
        "brow-left": _BROW,
        "brow-right": _BROW,
        "eye-left": _EYE,
        "eye-right": _EYE,
        "glasses": Policy(photo_reach=0.010),  # they stand off the face: not carried
        "ear-left": _SKIN,
        "ear-right": _SKIN,
        "earring": _JEWEL,
        "nose": Policy(corner=90.0, photo_reach=0.007, carried=True),
        "mouth": _LIP,
        "lip-upper": _LIP,
        "lip-lower": _LIP,
        "neck": _SKIN,
        "necklace": _JEWEL,
        "cloth": _TIPPED,
        "hair": _TIPPED,
        "hair-back": _TIPPED,
        "hat": _TIPPED,
        "beard": Policy(smoothing=1.1, calm=True, carried=True),
    }.items()
}

#: Of a part that only one model knows: nobody said what it is, so little is taken for granted. It may be thin, its
#: corners stay, and the photo moves its borders no farther than a feature's.
_OWN = Policy(photo_reach=0.007)


def policies(table: PartTable) -> dict[int, Policy]:
    """By id, how each part of a table is drawn."""
    return POLICIES | {part.id: replace(_OWN, carried=part.on_head) for part in table.own}
