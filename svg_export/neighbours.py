"""Where two heads meet: the one behind goes on a little beneath the one in front, so that no seam shows between them.

Each head is traced on its own, from its own pixels, so that nothing is drawn twice; two curves along one border would
leave hairlines between them, or overlap. So a head's map reaches beneath those painted above it, by as much as a part
reaches beneath another (`TraceSettings.hidden_reach`): what shows of the border is the curve of the head in front.
In a drawing of lines alone nothing is in front: there the lines that would be covered are cut away.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from faceparse_core.arrays import looked_up, window_of
from faceparse_core.group import GroupMap, faces_of, labels_of, parts_of
from faceparse_core.parts import STANDARD, PartTable
from svg_export.beziers import between, evaluate
from svg_export.layers import TraceSettings, shown_parts
from svg_export.shapes import Line

_ENOUGH = 1_000_000  # px: in so many the way to the next pixel of a head is measured
_STEPS = 8  # a cubic is looked at in so many places


def reach_beneath(
    group: GroupMap,
    face: int,
    parts: frozenset[int],
    settings: TraceSettings,
    head_size: float | None,
    table: PartTable = STANDARD,
) -> NDArray[np.uint8]:
    """The label map (H, W) of one face, grown beneath what is drawn (of `parts`) of the faces above it.

    With `cutout`, where nothing lies beneath anything, it is not grown.
    """
    labels = labels_of(group, face)
    if face == 1 or settings.joins == "cutout" or not labels.any():
        return labels
    rows, columns = window_of(labels)
    height, width = rows.stop - rows.start, columns.stop - columns.start
    reach = settings.hidden_reach * (head_size or height / 2)
    margin = math.ceil(reach) + 1
    area = (
        slice(max(0, rows.start - margin), rows.stop + margin),
        slice(max(0, columns.start - margin), columns.stop + margin),
    )
    above = _in_front(group[area], face, parts, table)
    if not above.any():
        return labels
    step = max(1, min(int(reach / 4), math.ceil(math.sqrt(height * width / _ENOUGH))))
    own = np.ascontiguousarray(labels[area][::step, ::step])
    far, nearest = cv2.distanceTransformWithLabels(
        (own == 0).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    label_at = np.zeros(int(nearest.max()) + 1, np.uint8)
    label_at[nearest[own > 0]] = own[own > 0]
    grown = np.where(far * step <= reach, label_at[nearest], 0).astype(np.uint8)
    if step > 1:
        size = (grown.shape[1] * step, grown.shape[0] * step)
        grown = np.asarray(cv2.resize(grown, size, interpolation=cv2.INTER_NEAREST), np.uint8)
        grown = grown[: above.shape[0], : above.shape[1]]
    np.copyto(labels[area], grown, where=above)
    return labels


def uncovered(
    lines: Sequence[Line], group: GroupMap, face: int, parts: frozenset[int], table: PartTable = STANDARD
) -> tuple[Line, ...]:
    """Those pieces of a face's lines that do not lie on what is drawn (of `parts`) of the faces above it."""
    if face == 1 or not lines:
        return tuple(lines)
    above = _in_front(group, face, parts, table)
    if not above.any():
        return tuple(lines)
    return tuple(piece for line in lines for piece in _pieces(line, above))


def _in_front(group: GroupMap, face: int, parts: frozenset[int], table: PartTable) -> NDArray[np.bool_]:
    """Where something of a face above this one is drawn."""
    drawn = looked_up(shown_parts(parts, table), parts_of(group))
    return np.asarray((drawn > 0) & (faces_of(group) < face), np.bool_)


def _pieces(line: Line, above: NDArray[np.bool_]) -> list[Line]:
    """What of a line lies beside `above` (H, W), cut where it comes to lie on it."""
    control = np.concatenate([line.points[:-1].reshape(-1, 3, 2), line.points[3::3, None]], axis=1)
    at = evaluate(control, (np.arange(_STEPS) + 0.5) / _STEPS).reshape(-1, 2).astype(int)
    shows = ~above[np.clip(at[:, 1], 0, above.shape[0] - 1), np.clip(at[:, 0], 0, above.shape[1] - 1)]
    if shows.all():
        return [line]
    changes = np.flatnonzero(np.diff(np.concatenate([[False], shows, [False]]).astype(np.int8)))
    found = [between(control, first / _STEPS, last / _STEPS) for first, last in changes.reshape(-1, 2).tolist()]
    if line.closed and len(found) > 1 and shows[0] and shows[-1]:  # it began in the middle of a piece
        found[0] = np.concatenate([found.pop(), found[0]])
    return [Line(np.concatenate([piece[:, :3].reshape(-1, 2), piece[-1:, 3]]), False) for piece in found]
