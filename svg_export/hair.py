"""Which of the hair falls behind the neck and the shoulders.

The hair of a label map is one part. Long hair hangs at both sides of the neck, and where it hangs behind them an
illustrator draws it on a layer of its own, below all others. What is in front of what shows where three parts meet: of
their borders two run on as one, the outline of the nearer part, and the third ends there (a T-junction). So a lock
beside the neck lies behind if the outline of jaw, ear, neck or shoulder runs on over it somewhere, and its own outline
runs on over them nowhere. (`junctions` tells the same of junctions, but of another map and for another end: there
the outline painted later is believed unless another pair is straighter by far, for a line has to be drawn through
somewhere; here paint order is what is asked for, no pair is preferred, and what is not plain stays open.)

Limits. Hair is parted along a straight line, at the height of the lobes of the ears. In doubt it stays one: without a
face, without a neck beside it, where all borders part at like angles, and where the head is turned on its side.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from faceparse_core.arrays import looked_up
from faceparse_core.parts import BACKGROUND, BY_NAME, CLOTH, HAIR, HEAD, NECK, PARTS
from svg_export.curves import Floats
from svg_export.proportions import Proportions
from svg_export.trace import OUTSIDE_RANK, PlanarMap, planar_map

_LOBES = -0.5  # units: the lower end of the ears, as high as the base of the nose
_UPRIGHT = 0.85  # cosine: a head that leans by more than 30 degrees has its hair hang elsewhere
_BESIDE = 0.15  # units of border with the neck, at least
_LOCK = 0.02  # square units: less is no lock of hair
_REACH = 0.1  # units: over which a border shows its direction
_STRAIGHT = 35.0  # degrees: what runs on turns by no more
_CLEARER = 20.0  # degrees: and by so much less than the other two would

_GROUND, _HAIR, _NECK, _HEAD, _CLOTH, _EAR, _OTHER = range(7)
_ON_TOP = (_NECK, _HEAD, _CLOTH, _EAR)


def _kinds() -> NDArray[np.uint8]:
    table = np.full(256, _OTHER, np.uint8)
    for part in PARTS:
        if part.on_head:
            table[part.id] = _HEAD
    for name, kind in (("ear-left", _EAR), ("ear-right", _EAR), ("necklace", _NECK)):
        table[BY_NAME[name].id] = kind
    table[[BACKGROUND, HAIR, NECK, HEAD, CLOTH]] = [_GROUND, _HAIR, _NECK, _HEAD, _CLOTH]
    return table


_KIND = _kinds()


def hair_behind(labels: NDArray[np.uint8], face: Proportions | None) -> NDArray[np.bool_] | None:
    """Where the hair of a label map (H, W) falls behind, bool (H, W); None where it does nowhere, or may not."""
    if face is None or face.up[1] > -_UPRIGHT:
        return None
    (x, y), (right, up), unit = face.origin, face.up, face.unit
    # only the rows that the line crosses, and those below it
    crossed = [y + (_LOBES * unit - right * (column - x)) / up for column in (0, labels.shape[1])]
    top = int(np.clip(min(crossed) - _REACH * unit, 0, len(labels)))
    labels = labels[top:]
    rows, columns = np.arange(len(labels), dtype=np.float32)[:, None] + 0.5, np.arange(labels.shape[1]) + 0.5
    limit = (_LOBES * unit - up * (rows + top - y)).astype(np.float32)
    low = (labels == HAIR) & ((right * (columns - x)).astype(np.float32) < limit)
    if not low.any():
        return None
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(low.astype(np.uint8), connectivity=4)
    large = [k for k in range(1, count) if stats[k, cv2.CC_STAT_AREA] > _LOCK * unit**2]
    large = [k for k in large if _border(labels, pieces, k, stats[k], _NECK) > _BESIDE * unit]
    if not large:
        return None
    arcs = planar_map(looked_up(_KIND, labels))
    behind, before = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    # hair that ends on cloth may lie on it
    in_doubt = [_border(labels, pieces, k, stats[k], _CLOTH) > _BESIDE * unit for k in range(count)]
    for place, kinds, nearer in _junctions(arcs, _REACH * unit):
        column, row = place
        around = pieces[max(row - 1, 0) : row + 1, max(column - 1, 0) : column + 1]
        piece = int(around.max())
        if piece and _HAIR in kinds:
            if nearer == _HAIR:
                before[piece] |= any(kind in _ON_TOP for kind in kinds)
            else:
                behind[piece] |= nearer in _ON_TOP
                in_doubt[piece] &= nearer != _CLOTH
    found = behind & ~before & ~np.array(in_doubt)
    found[[k for k in range(count) if k not in large]] = False
    if not found.any():
        return None
    return np.concatenate([np.zeros((top, labels.shape[1]), np.bool_), found[pieces]])


def _border(
    labels: NDArray[np.uint8], pieces: NDArray[np.int32], piece: int, stats: NDArray[np.int32], kind: int
) -> int:
    """px of border between a piece of hair and the neck, or the cloth."""
    left, top, width, height = stats[:4].tolist()
    window = np.s_[max(top - 1, 0) : top + height + 1, max(left - 1, 0) : left + width + 1]
    mine, its = pieces[window] == piece, _KIND[labels[window]] == kind
    beside = np.count_nonzero(mine[:, 1:] & its[:, :-1]) + np.count_nonzero(mine[:, :-1] & its[:, 1:])
    return int(beside + np.count_nonzero(mine[1:] & its[:-1]) + np.count_nonzero(mine[:-1] & its[1:]))


def _junctions(arcs: PlanarMap, reach: float) -> list[tuple[list[int], set[int], int]]:
    """Of each junction of three where one border ends on another: its place, the three parts, and the nearest one."""
    leaving: dict[int, list[tuple[Floats, int, int]]] = {}
    count = max(2, int(reach))
    for arc in np.flatnonzero(arcs.tail >= 0).tolist():
        points = arcs.arc(arc).astype(np.float64)
        for node, way in ((int(arcs.tail[arc]), points[: count + 1]), (int(arcs.head[arc]), points[: -count - 2 : -1])):
            leaving.setdefault(node, []).append((way, int(arcs.owner[arc]), int(arcs.lower[arc])))
    found = []
    for node, ways in leaving.items():
        if arcs.degree[node] != 3 or any(owner == OUTSIDE_RANK or len(way) < count / 2 for way, owner, _ in ways):
            continue
        headings = [way[1:].mean(axis=0) - way[0] for way, _, _ in ways]
        angles = [float(np.degrees(np.arctan2(heading[1], heading[0]))) for heading in headings]
        turns = []
        for one, two in ((0, 1), (0, 2), (1, 2)):
            between = abs((angles[one] - angles[two] + 180) % 360 - 180)
            turns.append((180 - between, one, two))
        (least, one, two), (next_least, _, _) = sorted(turns)[:2]
        if least < _STRAIGHT and next_least - least > _CLEARER:
            kinds = [{owner, lower} for _, owner, lower in ways]
            (nearest,) = kinds[one] & kinds[two]
            found.append((ways[0][0][0].astype(int).tolist(), set.union(*kinds), nearest))
    return found
