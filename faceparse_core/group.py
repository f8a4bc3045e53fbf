"""Several heads in one picture: one label map for all of them, and whose each pixel is.

Such a map holds `part + PER_FACE * (face - 1)`, and 0 where there is nobody: a map of one head is an ordinary one, and
no pixel can be two heads' at once. It is uint8 for up to 12 heads, uint16 beyond. Parts of a model's own, of which the
ids are OWN + k, are that in uint8, where face 1 alone can have any, and in uint16 WIDE_OWN + WIDE_PER_FACE * (face - 1)
+ k. Nobody else knows of this encoding.

Each head is parsed in a crop of its own, and a crop often shows a neighbour's hair, too, or a shoulder. Who has what
is settled in three steps:

1. By the maps. What one head alone claims is that head's. Where several do, or where one claims what another's crop
   does not reach, the place counts: distances are in face heights, of hair, hats and faces from the head, of cloth,
   neck and necklace from the chest. Who is clearly nearer (`GroupSettings.sure`) has the pixel; but hair waves about:
   only what lies on the crown is settled so.
2. By the photo, where none is: from the pixels settled so far the heads grow over the rest, along what looks alike
   (watershed: F. Meyer, "Color image segmentation", 1992, as OpenCV has it), so that they meet on an edge if there is
   one, and half way if not.
3. By pieces: each head's map is cleaned again; what does not hang together with it goes to another that claims it, or
   is nobody's.

Limits. Hair of one colour that lies on hair of the same colour is parted about half way. Two faces of which one covers
the other's features are told apart only if the finder saw both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faceparse_core.arrays import looked_up, window_of
from faceparse_core.clean import Box, CleanSettings, clean_labels
from faceparse_core.parts import (
    BEARD,
    CLOTH,
    EARS,
    FACE,
    MOST_OWN,
    NECK,
    NECKLACE,
    OWN,
    PARTS,
    STANDARD,
    PartTable,
)

if TYPE_CHECKING:
    from faceparse_core.heads import Head

PER_FACE = 20  #: what face 2's ids lie above face 1's. It stands in files: never change it
WIDE_OWN, WIDE_PER_FACE = 0x8000, 16  #: and so do these
assert len(PARTS) <= PER_FACE
assert OWN % PER_FACE == 0
_NARROW_FACES = OWN // PER_FACE  # 12, that uint8 can hold

GroupMap = NDArray[np.uint8] | NDArray[np.uint16]

_ENOUGH = 2_000_000  # px: in so many neighbours are told apart
_UNSEEN = 255  # in a head's map, where its crop does not reach
_BODY = (NECK, NECKLACE, CLOTH)
_SKIN = (*FACE, BEARD, *EARS)


@dataclass(frozen=True)
class GroupSettings:
    """Lengths in face heights of the head in question."""

    sure: float = 0.4  # who is nearer than this times the next one's distance has the pixel without more ado; ...
    sure_face: float = 0.9  # ... of skin and features, whose place is plain, ...
    close: float = 0.5  # ... and of hair and hats that several claim, only where it lies no farther than this
    crown: float = 0.25  # the head's centre lies this far above the face's, ...
    chest: float = 1.0  # ... and the body's this far below
    detail: float = 80.0  # px of the smallest face in which neighbours are looked at
    blur: float = 0.01  # sigma of the Gaussian before the photo's edges are taken


@dataclass(frozen=True)
class Claim:
    """What one head's own label map says, in the part of the photo that its crop covers."""

    labels: NDArray[np.uint8]  #: (h, w) part ids, cleaned
    left: int  #: px, where that part lies in the photo
    top: int
    head: Head  #: where its face is, as measured in its map


def labels_of(group: GroupMap, face: int) -> NDArray[np.uint8]:
    """The label map (H, W) of one of the faces, 1 the first; 0 where it is not."""
    if group.dtype == np.uint8:
        codes = np.arange(256, dtype=np.uint8)
        return looked_up(np.where(faces_of(codes) == face, parts_of(codes), 0).astype(np.uint8), group)
    first, own = PER_FACE * (face - 1), WIDE_OWN + WIDE_PER_FACE * (face - 1)
    inside = (group > first) & (group < first + PER_FACE)
    labels = np.where(inside, group - np.uint16(first), 0).astype(np.uint8)
    inside = (group >= own) & (group < own + MOST_OWN)
    labels[inside] = (group[inside] - own + OWN).astype(np.uint8)
    return labels


def parts_of(group: GroupMap) -> NDArray[np.uint8]:
    """Part ids, whoever's they are, of a map (H, W) or of some of its values (n,)."""
    if group.dtype == np.uint8:
        codes = np.arange(256, dtype=np.uint8)
        return looked_up(np.where(codes >= OWN, codes, codes % PER_FACE).astype(np.uint8), group)
    parts = (group % PER_FACE).astype(np.uint8)
    own = group >= WIDE_OWN
    if own.any():
        parts[own] = ((group[own] - WIDE_OWN) % WIDE_PER_FACE + OWN).astype(np.uint8)
    return parts


def faces_of(group: GroupMap) -> NDArray[np.uint16]:
    """Whose each pixel of a map (H, W), or each of some of its values (n,), is: 1 the first face's, 0 nobody's."""
    if group.dtype == np.uint8:
        codes = np.arange(256, dtype=np.uint8)
        numbers = np.where(codes >= OWN, 1, codes // PER_FACE + 1).astype(np.uint8)
        numbers[0] = 0
        return looked_up(numbers, group).astype(np.uint16)
    own = group >= WIDE_OWN
    numbers16 = np.where(own, (group - WIDE_OWN) // WIDE_PER_FACE, group // PER_FACE) + 1
    return np.where(group > 0, numbers16, 0).astype(np.uint16)


def count_faces(group: GroupMap) -> int:
    """How many faces the map numbers; 1 for an ordinary map."""
    if group.dtype == np.uint8 and group.max(initial=0) < OWN:
        return int(group.max(initial=0)) // PER_FACE + 1
    return max(1, int(faces_of(group).max(initial=0)))


def narrowed(group: GroupMap) -> GroupMap:
    """The same map in 8 bits where those can hold it.

    Programs save 8 bits as 16: where there is no face 12, without which there is none 13, 240 and on are own parts.
    """
    if group.dtype == np.uint8:
        return group
    most = int(group.max(initial=0))
    if most < OWN or (most < 256 and not (group // PER_FACE == _NARROW_FACES - 1).any()):
        return group.astype(np.uint8)
    return labels_of(group, 1) if count_faces(group) == 1 else group


def join_maps(
    rgb: NDArray[np.uint8],
    claims: Sequence[Claim],
    settings: GroupSettings = GroupSettings(),
    cleaning: CleanSettings | None = None,
    table: PartTable = STANDARD,
) -> GroupMap:
    """The map (H, W) of all heads, face 1 the first of `claims`, from the photo (H, W, 3) and what each claims.

    A face that loses its skin to another, which it was a mistake for, is not in it.
    """
    own = len(claims) > 1 and any((claim.labels >= OWN).any() for claim in claims)
    out: GroupMap = np.zeros(rgb.shape[:2], np.uint8 if len(claims) <= _NARROW_FACES and not own else np.uint16)
    for members in _neighbours(claims):
        near = [claims[k] for k in members]
        if len(near) == 1:
            _write(out, near[0].labels, near[0].left, near[0].top, members[0])
            continue
        frame = _frame(near)
        owner = _owners(rgb, near, frame, settings, table)
        anyone = _anyone([_placed(claim, frame) for claim in near])
        map_of = partial(
            _own_map, owner=owner, anyone=anyone, frame=frame, photo=out.shape, cleaning=cleaning, table=table
        )
        maps = [map_of(claim, k) for k, claim in enumerate(near, 1)]
        if _hand_on(owner, maps, near, frame):
            maps = [map_of(claim, k) for k, claim in enumerate(near, 1)]
        for (labels, rows, columns), k in zip(maps, members, strict=True):
            _write(out, labels, frame[0] + columns.start, frame[1] + rows.start, k)
    return out


OwnMap = tuple[NDArray[np.uint8], slice, slice]  # labels (h, w), and the rows and columns of the frame that they cover


def _own_map(
    claim: Claim,
    number: int,
    owner: NDArray[np.uint16],
    anyone: NDArray[np.uint8],
    frame: Box,
    photo: tuple[int, ...],
    cleaning: CleanSettings | None,
    table: PartTable,
) -> OwnMap:
    """What one head has by `owner`, cleaned of what does not hang together with it. `photo` is the photo's (H, W)."""
    if not (owner == number).any():
        return np.zeros((0, 0), np.uint8), slice(0, 0), slice(0, 0)
    rows, columns = window_of(owner == number)
    x, y = frame[0] + columns.start, frame[1] + rows.start
    mine = owner[rows, columns] == number
    own = _placed(claim, (x, y, frame[0] + columns.stop, frame[1] + rows.stop))
    labels = np.where(mine, np.where(_claimed(own), own, anyone[rows, columns]), 0).astype(np.uint8)
    head = replace(claim.head, x=claim.head.x - x, y=claim.head.y - y)
    height, width = labels.shape
    edges = (x == 0, y == 0, x + width == photo[1], y + height == photo[0])
    labels = clean_labels(labels, head, cleaning or CleanSettings(), table, edges)
    labels[~mine & (owner[rows, columns] > 0)] = 0  # cleaning fills holes, which may be another's
    return labels, rows, columns


def _hand_on(owner: NDArray[np.uint16], maps: Sequence[OwnMap], claims: Sequence[Claim], frame: Box) -> bool:
    """Give what was cleaned away from one head to another that claims it, in `owner`; whether there was any."""
    handed = False
    before = owner.copy()
    for number, (labels, rows, columns) in enumerate(maps, 1):
        view = owner[rows, columns]
        lost = (before[rows, columns] == number) & (labels == 0)
        box = (frame[0] + columns.start, frame[1] + rows.start, frame[0] + columns.stop, frame[1] + rows.stop)
        for other, claim in enumerate(claims, 1):
            if other == number or not lost.any():
                continue
            taken = lost & _claimed(_placed(claim, box))
            view[taken] = other
            lost &= ~taken
            handed |= bool(taken.any())
    return handed


def _write(out: GroupMap, labels: NDArray[np.uint8], left: int, top: int, index: int) -> None:
    view = out[top : top + labels.shape[0], left : left + labels.shape[1]]
    own = labels >= OWN
    np.add(labels, view.dtype.type(PER_FACE * index), out=view, where=(labels > 0) & ~own)
    if own.any():
        first = OWN if view.dtype == np.uint8 else WIDE_OWN + WIDE_PER_FACE * index
        view[own] = labels[own].astype(view.dtype) - OWN + first


def _box(claim: Claim) -> Box:
    height, width = claim.labels.shape
    return claim.left, claim.top, claim.left + width, claim.top + height


def _frame(claims: Sequence[Claim]) -> Box:
    lefts, tops, rights, bottoms = zip(*map(_box, claims), strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _neighbours(claims: Sequence[Claim]) -> list[list[int]]:
    """Indices of claims in groups, such that the crops of different groups have no pixel in common."""
    groups: list[list[int]] = []
    for k, claim in enumerate(claims):
        left, top, right, bottom = _box(claim)
        joined, apart = [k], []
        for group in groups:
            boxes = [_box(claims[j]) for j in group]
            meets = any(left < r and lft < right and top < b and t < bottom for lft, t, r, b in boxes)
            if meets:
                joined += group
            else:
                apart.append(group)
        groups = [*apart, sorted(joined)]
    return groups


def _placed(claim: Claim, frame: Box, step: int = 1) -> NDArray[np.uint8]:
    """A claim's labels on every `step`-th pixel of the frame, _UNSEEN where its crop does not reach."""
    left, top, right, bottom = frame
    out = np.full((-(-(bottom - top) // step), -(-(right - left) // step)), _UNSEEN, np.uint8)
    x, y = claim.left - left, claim.top - top
    row, column = max(0, -(-y // step)), max(0, -(-x // step))
    room = out[row:, column:]
    seen = claim.labels[row * step - y :: step, column * step - x :: step][: room.shape[0], : room.shape[1]]
    room[: seen.shape[0], : seen.shape[1]] = seen
    return out


def _claimed(placed: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a claim, as `_placed` gives it, names a part."""
    return np.asarray((placed > 0) & (placed != _UNSEEN), bool)


def _anyone(maps: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """What the first head says that claims a pixel; 0 where none does."""
    said = np.zeros_like(maps[0])
    for other in maps:
        np.copyto(said, other, where=(said == 0) & (other != _UNSEEN))
    return said


def _owners(
    rgb: NDArray[np.uint8], claims: Sequence[Claim], frame: Box, s: GroupSettings, table: PartTable
) -> NDArray[np.uint16]:
    """(h, w) of the frame: which head each pixel belongs to, 1 the first of `claims`, 0 none."""
    import cv2

    left, top, right, bottom = frame
    smallest = min(claim.head.size for claim in claims)
    step = max(1, int(smallest / s.detail), math.ceil(math.sqrt((right - left) * (bottom - top) / _ENOUGH)))
    maps = [_placed(claim, frame, step) for claim in claims]
    anyone = _anyone(maps)
    claimed = anyone > 0
    nearest, next_one = (np.full(claimed.shape, np.inf, np.float32) for _ in range(2))
    owner, label, claimants = (np.zeros(claimed.shape, kind) for kind in (np.uint16, np.uint8, np.uint16))
    for number, (claim, own) in enumerate(zip(claims, maps, strict=True), 1):
        said = np.where(own == _UNSEEN, anyone, own).astype(np.uint8)
        distance = np.where(said > 0, _distance(claim, said, (left, top), step, s), np.float32(np.inf))
        nearer = distance < nearest
        next_one = np.where(nearer, nearest, np.minimum(next_one, distance))
        nearest = np.where(nearer, distance, nearest)
        owner[nearer], label[nearer] = number, said[nearer]
        claimants += _claimed(own)
    skin = np.isin(label, [*_SKIN, *table.own_on_head])
    sure = claimed & (nearest <= np.where(skin, s.sure_face, s.sure) * next_one)
    waves = (claimants > 1) & ~skin & ~np.isin(label, _BODY)
    sure &= ~waves | (nearest <= s.close)
    if not sure.all(where=claimed):
        view = rgb[top:bottom, left:right]
        if step > 1:
            view = cv2.resize(view, (claimed.shape[1], claimed.shape[0]), interpolation=cv2.INTER_AREA)
        view = cv2.GaussianBlur(view, (0, 0), max(0.5, s.blur * smallest / step))
        view = np.pad(view, ((1, 1), (1, 1), (0, 0)), mode="edge")  # OpenCV leaves the outermost pixels out
        markers = np.pad(np.where(sure, owner, 0).astype(np.int32), 1)
        grown = cv2.watershed(np.ascontiguousarray(view, np.uint8), markers)[1:-1, 1:-1]
        for number, own in enumerate(maps, 1):
            owner[claimed & ~sure & (grown == number) & (own > 0)] = number
    return owner if step == 1 else _upscaled(owner, claims, frame, step)


def _distance(
    claim: Claim, said: NDArray[np.uint8], origin: tuple[int, int], step: int, s: GroupSettings
) -> NDArray[np.float32]:
    """(h, w) how far each pixel lies from the head, or from the chest where it is of the body, in face heights."""
    rows, columns = np.ogrid[: said.shape[0], : said.shape[1]]
    x = ((columns * step + origin[0] - claim.head.x) / claim.head.size).astype(np.float32)
    y = ((rows * step + origin[1] - claim.head.y) / claim.head.size).astype(np.float32)
    body = np.isin(said, _BODY)
    return np.hypot(x, np.where(body, y - np.float32(s.chest), y + np.float32(s.crown)))


def _upscaled(owner: NDArray[np.uint16], claims: Sequence[Claim], frame: Box, step: int) -> NDArray[np.uint16]:
    """Owners of every pixel of the frame from those of every `step`-th, with smooth borders."""
    import cv2

    left, top, right, bottom = frame
    out, most = np.zeros((bottom - top, right - left), np.uint16), np.zeros((bottom - top, right - left), np.uint8)
    claimed = _anyone([_placed(claim, frame) for claim in claims]) > 0
    for number, claim in enumerate(claims, 1):
        if not (owner == number).any():
            continue
        rows, columns = window_of(cv2.dilate((owner == number).astype(np.uint8), np.ones((3, 3), np.uint8)))
        mask = (owner[rows, columns] == number).astype(np.uint8) * np.uint8(254)
        size = (mask.shape[1] * step, mask.shape[0] * step)
        area = slice(rows.start * step, rows.stop * step), slice(columns.start * step, columns.stop * step)
        # A blur of a cell, for a border that was found among strands of hair is ragged.
        share = np.asarray(
            cv2.resize(cv2.GaussianBlur(mask, (0, 0), 1.0), size, interpolation=cv2.INTER_LINEAR), np.uint8
        )
        share = share[: out[area].shape[0], : out[area].shape[1]]
        x, y = left + columns.start * step, top + rows.start * step
        own = _placed(claim, (x, y, x + share.shape[1], y + share.shape[0]))
        better = claimed[area] & (own > 0) & (share > most[area])
        out[area][better] = number
        most[area][better] = share[better]
    for number, claim in enumerate(claims, 1):  # slivers that were not seen at this size are whose they can be
        out[(out == 0) & _claimed(_placed(claim, frame))] = number
    return out
