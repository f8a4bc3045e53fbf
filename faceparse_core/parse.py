"""The recipe: photo -> the label map and the colours of its largest head, or of several."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from faceparse_core.arrays import window_of
from faceparse_core.clean import Box, CleanSettings, across, clean_labels, middle_of, upsample_labels
from faceparse_core.colors import part_colors
from faceparse_core.errors import NoFaceError
from faceparse_core.group import Claim, GroupMap, GroupSettings, join_maps, labels_of, parts_of
from faceparse_core.parts import (
    BACKGROUND,
    BEARD,
    BROWS,
    BY_PLANE,
    EYES,
    FACE,
    GLASSES,
    HEAD,
    MIRRORED,
    MOUTH,
    NOSE,
    PARTS,
    STANDARD,
    PartTable,
    Rgb,
)

if TYPE_CHECKING:
    from faceparse_core.heads import Head
    from faceparse_core.parser import ModelInfo, Parser
    from faceparse_core.photo import Photo

#: Kinds of feature: brows; eyes or glasses; nose; mouth.
_KINDS = (frozenset(BROWS), frozenset((*EYES, GLASSES)), frozenset((NOSE,)), frozenset(MOUTH))
_FEATURES = frozenset().union(*_KINDS)
#: Their area as a share of the skin's, at least; and where there are neither brows nor eyes. Sixty portraits and 100
#: faces with things drawn before them (`covered` in `benchmarks/robustness.py`) all have some of both, if they are
#: found, and 0.049 or more. The back of an eye that was taken for a face had 0.025, a blurred clock 0.059.
_LEAST = (0.035, 0.08)
#: Where the nose's middle lies on a whole face, in units of the way from the mouth's middle to that of brows and eyes:
#: how far up, and at most how far aside. Of sixty portraits 0.43 to 0.69, and up to 0.30 aside; in an engine that
#: seemed a face 0.72 and 0.35.
_NOSE_UP, _NOSE_ASIDE = (0.4, 0.71), 0.33


@dataclass(frozen=True)
class Settings:
    """Every default of the way from photo to label map."""

    wider: float = 1.5  # the second crop in sides of the first, for hair, hats and shoulders that the first cut off
    seam: float = 0.06  # of the first crop's side, over which the two are blended
    again_size: float = 1.25  # the head is parsed again where the finder was off by this factor in size ...
    again_shift: float = 0.2  # ... or by this many face heights in place
    level: float = 25.0  # degrees: a head that tilts by more is parsed again, turned upright
    guesses: int = 6  # of the finder's that are looked into where it is sure of no head
    mirror: bool = True  # parse the mirrored crop too and take the mean: a little better, twice the time
    clean: CleanSettings = field(default_factory=CleanSettings)
    group: GroupSettings = field(default_factory=GroupSettings)  # of several heads


@dataclass(frozen=True)
class Parsing:
    """What is where in a photo, for its largest head."""

    labels: NDArray[np.uint8]  #: (H, W) part ids, the photo's size
    colors: dict[int, Rgb]  #: the colour of each part that is there, and of the background
    head_size: float  #: the face's height in px; what all lengths are relative to
    heads: int  #: how many heads the photo shows
    model: ModelInfo
    scores: NDArray[np.float32]  #: (parts, h, w) what the labels were decided by, before cleaning; borders lie ...
    box: Box  #: ... between pixels, where two parts' scores are equal. What of the photo they cover
    table: PartTable = STANDARD  #: the parts that there are; scores are in the order of `parts.BY_PLANE`


@dataclass(frozen=True)
class Face:
    """One of the heads in a photo, but for its label map."""

    colors: dict[int, Rgb]  #: the colour of each part that it has, and of the photo's background
    head_size: float  #: the face's height in px
    scores: NDArray[np.float32]  #: (classes, h, w), as of a `Parsing`
    box: Box


@dataclass(frozen=True)
class GroupParsing:
    """What is where in a photo, for one or more of its heads, the largest first."""

    labels: GroupMap  #: (H, W), see `group`; of one head plain part ids
    faces: tuple[Face, ...]  #: face 1, face 2, ..
    heads: int  #: how many heads the finder saw
    model: ModelInfo
    table: PartTable = STANDARD

    def each(self) -> tuple[Parsing, ...]:
        """Every face by itself, as if it were the only one."""
        several = len(self.faces) > 1
        return tuple(
            Parsing(
                labels_of(self.labels, number) if several else np.asarray(self.labels, np.uint8),
                face.colors, face.head_size, self.heads, self.model, face.scores, face.box,
                self.table,
            )
            for number, face in enumerate(self.faces, 1)
        )  # fmt: skip


def parse_photo(photo: Photo, parser: Parser | None = None, settings: Settings = Settings()) -> Parsing:
    """Find the largest head, parse it in a crop of its own, clean the map. Raises NoFaceError, ModelError."""
    return parse_heads(photo, parser, settings, most=1).each()[0]


def parse_heads(
    photo: Photo, parser: Parser | None = None, settings: Settings = Settings(), *, most: int | None = None
) -> GroupParsing:
    """Find the heads, parse each in a crop of its own, settle whose is what. Raises NoFaceError, ModelError.

    most  the largest so many, as the finder measures them, of those that the parser confirms; None: all
    """
    from faceparse_core.heads import find_heads, guess_heads, same_place
    from faceparse_core.parser import load_parser

    parser = parser or load_parser()
    heads = find_heads(photo.rgb)
    found: list[_Found] = []
    for head in heads:  # usually the first; where the finder mistook a hand for a head, the next
        if len(found) == most:
            break
        one = _confirmed(photo.rgb, head, parser, settings, shows_face)
        if one and not any(same_place(one.claim.head, other.claim.head) for other in found):
            found.append(one)
    if not found:
        guesses = guess_heads(photo.rgb)[: settings.guesses]
        confirmed = (_confirmed(photo.rgb, head, parser, settings, shows_whole_face) for head in guesses)
        found = list(islice(filter(None, confirmed), 1))
        heads = heads or tuple(each.claim.head for each in found)
    if not found:
        raise NoFaceError("no face found; try a photo in which the face is larger, upright and uncovered")
    while True:
        group = join_maps(photo.rgb, [each.claim for each in found], settings.group, settings.clean, parser.table)
        kept = [each for k, each in enumerate(found, 1) if shows_face(labels_of(group, k), parser.parts)] or found[:1]
        if len(kept) == len(found):
            break
        found = kept  # one was a neighbour's, seen twice
    return GroupParsing(group, _faces(photo.rgb, group, found), len(heads), parser.info, parser.table)


@dataclass(frozen=True)
class _Found:
    """A head that the parser confirms."""

    claim: Claim
    scores: NDArray[np.float32]
    box: Box


def _confirmed(
    rgb: NDArray[np.uint8],
    head: Head,
    parser: Parser,
    settings: Settings,
    shown: Callable[[NDArray[np.uint8], frozenset[int]], bool],
) -> _Found | None:
    """What the parser makes of a head, framed anew where it was framed badly; None where a face is not `shown`."""
    labels, scores, box = parse_head(rgb, head, parser, settings)
    if not shown(labels, parser.parts):
        return None
    measured = measure_head(labels, settings.level, parser.table)
    if _framed_badly(head, measured, settings):
        labels, scores, box = parse_head(rgb, measured, parser, settings)
        if not shown(labels, parser.parts):
            return None
        measured = measure_head(labels, settings.level, parser.table)
    return _Found(_claim(labels, box, measured), scores, box)


def _claim(labels: NDArray[np.uint8], box: Box, head: Head) -> Claim:
    """What a head's map (H, W) says within its crop: more would be kept for nothing."""
    x0, y0, x1, y1 = max(0, box[0]), max(0, box[1]), box[2], box[3]
    rows, columns = window_of(labels)  # cleaning may have drawn a pixel or two beyond
    x0, y0, x1, y1 = min(x0, columns.start), min(y0, rows.start), max(x1, columns.stop), max(y1, rows.stop)
    return Claim(labels[y0:y1, x0:x1].copy(), x0, y0, head)


def _faces(rgb: NDArray[np.uint8], labels: GroupMap, found: list[_Found]) -> tuple[Face, ...]:
    """The faces of a map (H, W) for all of them, with their colours."""
    if len(found) == 1:
        colors = [part_colors(rgb, np.asarray(labels, np.uint8))]
    else:
        behind = part_colors(rgb, parts_of(labels)).get(BACKGROUND)
        colors = []
        for k in range(1, len(found) + 1):
            mine = labels_of(labels, k)
            window = window_of(mine)  # of a small head in a large photo few pixels would be looked at
            of_parts = part_colors(rgb[window], mine[window])
            of_parts.pop(BACKGROUND, None)
            colors.append(of_parts if behind is None else {BACKGROUND: behind, **of_parts})
    sizes = [each.claim.head.size for each in found]
    return tuple(
        Face(of_parts, size, each.scores, each.box) for of_parts, size, each in zip(colors, sizes, found, strict=True)
    )


def parse_head(
    rgb: NDArray[np.uint8], head: Head, parser: Parser, settings: Settings = Settings()
) -> tuple[NDArray[np.uint8], NDArray[np.float32], Box]:
    """The cleaned label map (H, W) of one head, and the scores (classes, h, w) that it came from, and their box.

    Without any skin where nothing at `head` looks like a face.
    """
    scores, box = score_head(rgb, head, parser, settings)
    labels = upsample_labels(scores, box, rgb.shape[:2])
    return clean_labels(labels, head, settings.clean, parser.table), scores, box


def measure_head(labels: NDArray[np.uint8], level: float = Settings.level, table: PartTable = STANDARD) -> Head:
    """Where the face lies in a label map, by the box of its parts: more exact than the finder, which looks once.

    A tilt, from mouth to brows, of more than `level` degrees counts as `roll`.
    """
    from faceparse_core.heads import Head

    step = _step(labels)
    view = labels[::step, ::step]
    rows, columns = np.nonzero(np.isin(view, [*FACE, BEARD, *table.own_on_head]))
    if not len(rows):
        return Head(labels.shape[1] / 2, labels.shape[0] / 2, 1.0, 0.0)
    axis = across(view)
    roll = math.degrees(math.atan2(axis[1], axis[0]))
    if abs(roll) <= level:
        axis, roll = np.array([1.0, 0.0]), 0.0
    along, down = columns * axis[0] + rows * axis[1], rows * axis[0] - columns * axis[1]
    (left, right), (top, bottom) = ((float(way.min()) * step, (float(way.max()) + 1) * step) for way in (along, down))
    u, v = (left + right) / 2, (top + bottom) / 2
    return Head(u * axis[0] - v * axis[1], u * axis[1] + v * axis[0], bottom - top, 1.0, roll)


def _framed_badly(found: Head, measured: Head, s: Settings) -> bool:
    """Whether the crop made for `found` was too large, too small, off or askew for the face that showed in it."""
    ratio = max(found.size / measured.size, measured.size / found.size)
    off = np.hypot(found.x - measured.x, found.y - measured.y) / measured.size
    return bool(ratio > s.again_size or off > s.again_shift or found.roll != measured.roll)


def shows_face(labels: NDArray[np.uint8], known: frozenset[int] = frozenset(range(1, len(PARTS)))) -> bool:
    """Whether the map holds skin with at least two kinds of feature on it, or as many as are `known` to its parser.

    Of a parser that knows all features they must amount to something beside the skin, too (`_LEAST`).
    """
    step = _step(labels)
    counts = np.bincount(labels[::step, ::step].ravel(), minlength=len(PARTS))
    kinds = [kind & known for kind in _KINDS if kind & known]
    areas = [int(counts[list(kind)].sum()) for kind in kinds]
    skin = int(counts[HEAD] + counts[BEARD])
    if not skin or sum(area > 0 for area in areas) < min(2, len(kinds)):
        return False
    if not known >= _FEATURES:
        return True
    blind = not areas[0] + areas[1]
    return bool(sum(areas) >= _LEAST[blind] * skin)


def shows_whole_face(labels: NDArray[np.uint8], known: frozenset[int] = frozenset(range(1, len(PARTS)))) -> bool:
    """Whether the map shows a face with brows, eyes, nose and mouth, the nose between the others.

    It takes a parser that knows them all.
    """
    step = _step(labels)
    view = labels[::step, ::step]
    if not known >= _FEATURES or not all(np.isin(view, list(kind)).any() for kind in _KINDS[:2]):
        return False
    upper, nose, mouth = (middle_of(view, parts) for parts in ((*BROWS, *EYES, GLASSES), (NOSE,), MOUTH))
    if upper is None or nose is None or mouth is None:
        return False
    (x, y), way = nose - mouth, upper - mouth
    far = float(way @ way) or 1.0
    up, aside = (x * way[0] + y * way[1]) / far, abs(x * way[1] - y * way[0]) / far
    return bool(_NOSE_UP[0] <= up <= _NOSE_UP[1] and aside <= _NOSE_ASIDE) and shows_face(labels, known)


def _step(labels: NDArray[np.uint8]) -> int:
    """Every how many-th pixel is enough to count and to measure by: a megapixel in all."""
    return max(1, int((labels.size / 1_000_000) ** 0.5))


def score_head(
    rgb: NDArray[np.uint8], head: Head, parser: Parser, settings: Settings = Settings()
) -> tuple[NDArray[np.float32], Box]:
    """Class scores (classes, h, w) around `head` and the box of the photo that they cover.

    Where hair, a hat or clothes reach the crop's edge inside of the photo, a wider crop is parsed too: it lends what
    lies outside of the first, on the same grid of cells. A head that tilts is parsed upright, in both crops, and what
    they say is turned back.
    """
    from faceparse_core.heads import crop_box

    crop = crop_box(head, parser.frame)
    x0, y0, side = round(crop.left), round(crop.top), max(2, round(crop.side))
    box = (x0, y0, x0 + side, y0 + side)
    scores = score_box(rgb, box, parser, settings.mirror, head.roll)
    if not head.roll and not _cut_off(scores, box, rgb.shape[:2]):
        return scores, box
    return _widen(scores, box, rgb, parser, settings, head.roll)


def score_box(rgb: NDArray[np.uint8], box: Box, parser: Parser, mirror: bool, roll: float = 0.0) -> NDArray[np.float32]:
    """Scores (classes, h, w) of a square box; what lies beyond the photo repeats its edge.

    roll    degrees, clockwise, by which the box is turned about its middle
    """
    turn = math.radians(roll)
    reach = math.ceil((abs(math.cos(turn)) + abs(math.sin(turn)) - 1) / 2 * (box[2] - box[0])) if roll else 0
    x0, y0, x1, y1 = box[0] - reach, box[1] - reach, box[2] + reach, box[3] + reach
    side = round(parser.size * (x1 - x0) / (box[2] - box[0]))
    crop = _resized(_cut(rgb, (x0, y0, x1, y1)), side)
    if roll:
        crop = _turned(crop, roll, parser.size)
    batch = np.ascontiguousarray(crop.transpose(2, 0, 1)[None], np.float32)
    scores: NDArray[np.float32] = parser.run(batch)[0]
    if mirror:
        swapped = mirrored_classes(len(scores))
        turned = parser.run(np.ascontiguousarray(batch[..., ::-1]))[0]
        scores = np.float32(0.5) * (scores + turned[swapped][..., ::-1])
    return scores


def _cut(rgb: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """A box of the photo, with the edge's pixels repeated beyond it."""
    import cv2

    x0, y0, x1, y1 = box
    height, width = rgb.shape[:2]
    x, y = min(max(x0, 0), width - 1), min(max(y0, 0), height - 1)  # one pixel stays where the box lies wholly outside
    inner = rgb[y : max(min(height, y1), y + 1), x : max(min(width, x1), x + 1)]
    top, left = max(0, min(-y0, y1 - y0 - 1)), max(0, min(-x0, x1 - x0 - 1))
    bottom, right = y1 - y0 - inner.shape[0] - top, x1 - x0 - inner.shape[1] - left
    return np.asarray(cv2.copyMakeBorder(inner, top, bottom, left, right, cv2.BORDER_REPLICATE), np.uint8)


def _resized(crop: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    import cv2

    way = cv2.INTER_AREA if crop.shape[0] > side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(crop, (side, side), interpolation=way), np.uint8)


def _turned(picture: NDArray[Any], roll: float, side: int) -> NDArray[Any]:
    """The middle `side` x `side` of a picture (h, w) or (h, w, c), as it is seen by who tilts by `roll` degrees."""
    import cv2

    turn = math.radians(roll)
    linear = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    middle = (np.array(picture.shape[1::-1]) - 1) / 2
    offset = middle - linear @ np.full(2, (side - 1) / 2)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    matrix = np.hstack([linear, offset[:, None]])
    return np.asarray(
        cv2.warpAffine(picture, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE), picture.dtype
    )


def mirrored_classes(classes: int) -> list[int]:
    """For each plane of the scores the one that stands for it in a mirrored picture: left and right change places."""
    return [*MIRRORED, *range(len(PARTS), len(BY_PLANE))][:classes]


def _cut_off(scores: NDArray[np.float32], box: Box, shape: tuple[int, int]) -> bool:
    """Whether anything but background lies on an edge of the crop that is not an edge of the photo."""
    x0, y0, x1, y1 = box
    edges = (
        (x0 > 0, scores[:, :, 0]),
        (y0 > 0, scores[:, 0]),
        (x1 < shape[1], scores[:, :, -1]),
        (y1 < shape[0], scores[:, -1]),
    )
    return any(inside and (edge.argmax(0) != BACKGROUND).any() for inside, edge in edges)


def _widen(
    scores: NDArray[np.float32], box: Box, rgb: NDArray[np.uint8], parser: Parser, s: Settings, roll: float
) -> tuple[NDArray[np.float32], Box]:
    """The scores of a crop `box` within those of a wider one, on one grid, and the wider box."""
    import cv2

    cells = scores.shape[1]
    more = round(cells * (s.wider - 1) / 2)  # cells on every side
    cell = (box[2] - box[0]) / cells
    margin = round(more * cell)
    wide_box = (box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin)
    wide = score_box(rgb, wide_box, parser, False, roll)  # far from the face the second opinion is not worth its time
    total = cells + 2 * more
    canvas = np.empty((len(wide), total, total), np.float32)
    for plane, stretched in zip(wide, canvas, strict=True):
        cv2.resize(plane, (total, total), dst=stretched, interpolation=cv2.INTER_LINEAR)
    inner = canvas[:, more : more + cells, more : more + cells]
    ramp = np.clip((np.minimum(np.arange(cells), np.arange(cells)[::-1]) + 0.5) / max(1, s.seam * cells), 0, 1)
    share = np.minimum(ramp[:, None], ramp).astype(np.float32)
    # Logits of two passes need not agree in size: what is blended are log probabilities. Elsewhere logits do as well,
    # for the two differ by a shift a cell, which changes no border.
    seam = share < 1
    blended = share[seam] * _log_probabilities(scores[:, seam])
    blended += (1 - share[seam]) * _log_probabilities(inner[:, seam])
    inner[:] = scores
    inner[:, seam] = blended
    if roll:
        canvas = np.stack([_turned(plane, -roll, total) for plane in canvas])
    return canvas, wide_box


def _log_probabilities(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    peak = scores - scores.max(0)
    out: NDArray[np.float32] = peak - np.log(np.exp(peak).sum(0))
    return out
