"""A part of one's own: photos and, beside each, a mask that was painted over it.

In the folder lies NAME.jpg (.png, .webp) and beside it NAME.png or NAME_mask.png of the same size. Painted is what is
opaque where the mask has transparency, else what is not black; with one flat colour either way. A mask in which nothing
is painted says that the photo does not show the part.

The photos have no other labels. What was not painted may be anything but the part, says the label; what it is the
network says that training starts from, and it is kept to its word (`losses.memory_loss`). So it forgets little.

Other photos, in which nobody looked for the part, may show it unnoticed, but only where it was seen to lie: on parts of
which at least OVER of the paint covers some. There their labels may be the part, too, as skin may be a beard.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceparse_core.classes import Classes, known_parts
from faceparse_core.errors import FaceParseError, PhotoError, printable
from faceparse_core.heads import CELEBA_SIDE, Head, crop_box, find_heads, same_place
from faceparse_core.parse import measure_head, shows_face
from faceparse_core.parts import BACKGROUND, BEARD, BY_NAME, MOST_OWN, PARTS, own_parts
from faceparse_core.photo import read_photo
from faceparse_core.training.data import DataSet, Pair, PairError
from faceparse_core.training.frame import LARGEST, cut_square
from faceparse_core.training.labels import FACE_ALONE, OTHER, SIDES, UNKNOWN, also
from faceparse_core.training.layouts import PHOTOS
from faceparse_core.training.teacher import Teacher

OVER = 0.02  #: share of the paint
FLAT = 28  #: of 255: how far painted pixels may differ from the commonest colour of the paint


#: What may hold a photo, too: left out without a word it would leave its mask to be taken for one.
_NOT_READ = (".heic", ".heif", ".avif", ".tif", ".tiff", ".bmp", ".gif")


@dataclass(frozen=True)
class Named:
    """What `--add NAME=FOLDER` names."""

    part: str
    folder: Path
    facts: Mapping[str, Any]  #: what FOLDER/part.json tells of the part, as `parts.own_parts` reads it


@dataclass(frozen=True)
class OwnFolder:
    """What a folder teaches."""

    part: str
    pairs: tuple[Pair, ...]  #: a head each; labels: the part's own, elsewhere the teacher's
    over: frozenset[int]  #: ids of the parts that the paint covers
    broken: tuple[str, ...]  #: a line for each photo that cannot be learnt from


def named_folder(word: str) -> Named:
    """What `NAME=FOLDER` names, with what FOLDER/part.json tells of the part. Raises FaceParseError.

    NAME is a part of one's own, or the beard: that one is in the table of parts, but not every network knows it.
    """
    name, equals, rest = word.partition("=")
    folder = Path(rest)
    if not equals or not rest:
        raise FaceParseError(f"--add {printable(word)}: write NAME=FOLDER, such as sticker=photos/sticker")
    if not folder.is_dir():
        raise FaceParseError(f"--add {printable(word)}: there is no folder {printable(rest)}")
    facts, path = {}, folder / "part.json"
    if path.exists():
        try:
            facts = json.loads(path.read_text("utf-8-sig"))
        except (OSError, ValueError, RecursionError) as error:
            raise FaceParseError(f"{printable(os.fspath(path))}: cannot be read as JSON") from error
    shown = printable(os.fspath(path)) if facts else f"--add {printable(word)}"
    if name == PARTS[BEARD].name:
        if facts:
            raise FaceParseError(f"{shown}: the beard's name, place and colour are known; remove the file")
        return Named(name, folder, {})
    try:
        own_parts({name: facts})
    except FaceParseError as error:
        raise FaceParseError(f"{shown}: {error}") from error
    return Named(name, folder, facts)


def with_added(classes: Classes, added: Sequence[Named]) -> Classes:
    """`classes` of the network that training starts from and these parts; one that it knows is taught further.

    Raises FaceParseError.
    """
    if len({one.part for one in added}) < len(added):
        raise FaceParseError("--add names a part twice; put its photos into one folder")
    if classes == FACE_ALONE:
        raise FaceParseError("a network of one part cannot learn others; start --from one with all parts")
    own = classes.table.described()
    for one in added:
        if one.part not in BY_NAME:
            own[one.part] = {**own.get(one.part, {}), **one.facts}
    if len(own) > MOST_OWN:
        raise FaceParseError(f"a network has {MOST_OWN} own parts at most; train a second one for the others")
    table = own_parts(own)
    new = tuple((table.by_name[one.part].id,) for one in added if one.part not in classes.names)
    return Classes(classes.meanings + new, table)


def read_own(named: Named, classes: Classes, teacher: Teacher, teach: bool = True) -> OwnFolder:
    """Reads the photos and masks in a folder, finds the heads, and labels what was not painted.

    classes    which its part is one of
    teach      False: what was not painted has no part's label but OTHER, to measure by

    Raises FaceParseError where there is no photo with paint.
    """
    label = classes.table.by_name[named.part].id
    shown = printable(os.fspath(named.folder))
    pairs: list[Pair] = []
    painted = np.zeros(256, np.int64)
    found, broken = _find(named.folder, shown)
    for photo, mask in found:
        try:
            for pair, beneath in _read(photo, mask, label, teacher, teach):
                pairs.append(pair)
                painted += np.bincount(beneath, minlength=256)
        except PairError as error:
            broken.append(str(error))
    if not any((pair.labels == label).any() for pair in pairs):
        why = f"; {broken[0]}" if broken else ""
        raise FaceParseError(f"{shown}: no photo has anything painted for {named.part}{why}")
    on = np.flatnonzero(painted[: len(PARTS)] >= OVER * painted.sum()).tolist()
    over = frozenset(int(side) for part in on for side in (part, SIDES[part]))  # what lies on one eye lies on both
    return OwnFolder(named.part, tuple(pairs), over, tuple(broken))


def own_sets(folders: Sequence[OwnFolder], classes: Classes, teach: bool = True) -> list[DataSet]:
    """A data set of each folder. In the photos of one the parts of the others may be unnoticed."""
    labels = {part.name: part.id for part in classes.table.own} | {one.part: _label(one, classes) for one in folders}
    table = frozenset(part.id for part in PARTS) - {*labels.values()}
    sets = []
    for one in folders:
        mine = labels[one.part]
        rest = {labels[each.part]: each.over for each in folders if each is not one} if teach else {}
        meanings = {part: table | {label for label, over in rest.items() if part in over} for part in table}
        meanings |= {label: table | rest.keys() for label in (OTHER, *labels.values()) if label != mine}
        meanings[mine] = frozenset({mine})
        names = tuple(pair.name for pair in one.pairs)
        sets.append(DataSet(one.part, names, one.pairs.__getitem__, meanings, own=True, broken=one.broken))
    return sets


def unnoticed(sets: Sequence[DataSet], folders: Sequence[OwnFolder], classes: Classes) -> list[DataSet]:
    """Others' data sets, in which the own parts may be where they were seen to lie."""
    over = {_label(one, classes): one.over for one in folders}
    return [replace(one, meanings=also(one.meanings, over)) for one in sets]


def _label(one: OwnFolder, classes: Classes) -> int:
    return classes.table.by_name[one.part].id


# ------------------------------------------------------------------------------------------------------ photos, masks


def _find(folder: Path, shown: str) -> tuple[list[tuple[Path, Path]], list[str]]:
    """[(photo, mask), ..] by name, and a line for each that lacks the other. Raises FaceParseError where nothing is."""
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in PHOTOS and not p.name.startswith("."))
    if not files:
        raise FaceParseError(f"{shown}: no photos there; put NAME.jpg and its mask NAME.png into it")
    photos_of_others = {p.stem for p in files if p.suffix.lower() != ".png"}
    masks = {
        p.stem: p
        for p in files
        if p.suffix.lower() == ".png" and (p.stem.endswith("_mask") or p.stem in photos_of_others)
    }
    found: list[tuple[Path, Path]] = []
    lines = [
        f"{printable(os.fspath(other))}: not read here; export the photo as JPEG"
        for other in sorted(folder.iterdir())
        if other.suffix.lower() in _NOT_READ and not other.name.startswith(".")
        if other.stem not in photos_of_others and f"{other.stem}_mask" not in masks  # else it is so exported
    ]
    strange = [p for p in files if p.stem.endswith("_mask") and p.suffix.lower() != ".png"]
    lines += [f"{printable(os.fspath(mask))}: the mask is no PNG; export it again as PNG" for mask in strange]
    for photo in files:
        if photo in masks.values() or photo in strange:
            continue
        mask = masks.get(f"{photo.stem}_mask") or masks.get(photo.stem)
        if mask is None:
            lines.append(f"{printable(os.fspath(photo))} {_no_mask(photo)}")
        else:
            found.append((photo, mask))
    left = sorted({*masks.values()} - {mask for _, mask in found})
    return found, lines + [f"{printable(os.fspath(mask))} has no photo beside it" for mask in left]


def _no_mask(photo: Path) -> str:
    """What to say of a picture without a mask; it may be one."""
    name = printable(photo.stem)
    perhaps = "; if this is the mask, call it as its photo, NAME_mask.png" if photo.suffix.lower() == ".png" else ""
    return f"has no mask beside it; paint {name}_mask.png, an empty one where the photo does not show the part{perhaps}"


def read_mask(path: Path, size: tuple[int, int]) -> NDArray[np.bool_]:
    """What is painted, bool (H, W) = `size`. Raises PairError."""
    from PIL import Image

    shown = printable(os.fspath(path))
    try:
        with Image.open(path) as image:
            image.load()
            clear = image.has_transparency_data
            rgba = np.asarray(image.convert("RGBA"))
    except Exception as error:  # Pillow's decoders raise whatever they stumble over
        raise PairError(f"{shown}: the mask cannot be read; export it again as PNG") from error
    if rgba.shape[:2] != size:
        sizes = f"{rgba.shape[1]} x {rgba.shape[0]} px, the photo {size[1]} x {size[0]}"
        raise PairError(f"{shown}: the mask has {sizes}; export it at the photo's size")
    transparent = clear and bool((rgba[..., 3] < 128).any())
    there = rgba[..., 3] >= 128 if transparent else rgba[..., :3].max(2) > FLAT
    if not there.any():
        bright = rgba[..., :3].max(2)
        if not transparent and bright.min() < bright.max():
            raise PairError(f"{shown}: what is painted is nearly black; paint with a bright colour, such as white")
        return there
    colors, counts = np.unique(rgba[there][:, :3], axis=0, return_counts=True)
    paint = colors[counts.argmax()].astype(int)
    if not transparent:  # soft edges are half way to black
        there &= rgba[..., :3].max(2) >= paint.max() / 2
    near = (np.abs(rgba[there][:, :3].astype(int) - paint) <= FLAT).all(1).mean()
    if near < 0.8:
        raise PairError(
            f"{shown}: the mask has many colours; paint with one flat colour on black or on a transparent layer, and "
            "hide the photo when you export it"
        )
    if there.mean() > 0.8:
        raise PairError(f"{shown}: nearly all of the mask is painted; paint the part alone, on black or transparent")
    return there


def _read(
    path: Path, mask_path: Path, label: int, teacher: Teacher, teach: bool
) -> list[tuple[Pair, NDArray[np.uint8]]]:
    """A pair for each head of a photo that matters, and what the teacher sees beneath the paint there."""
    try:
        photo = read_photo(path)
    except PhotoError as error:
        raise PairError(str(error)) from error
    painted = read_mask(mask_path, photo.rgb.shape[:2])
    heads = confirmed_heads(photo.rgb, teacher)
    if not heads:
        raise PairError(f"{printable(os.fspath(path))}: no face is found in it; take another photo")
    out = []
    for number, head in enumerate(heads):
        pair, beneath = _framed(photo.rgb, painted, head, label, teacher, teach)
        if number == 0 or (pair.labels == label).any():  # of a group those that wear it, and the largest
            out.append((replace(pair, name=path.stem), beneath))
    if painted.any() and not any((pair.labels == label).any() for pair, _ in out):
        raise PairError(f"{printable(os.fspath(mask_path))}: what is painted lies far from every face that is found")
    return out


def confirmed_heads(rgb: NDArray[np.uint8], teacher: Teacher) -> list[Head]:
    """The heads that the finder sees and the teacher confirms, the largest first; else one that fills the photo."""
    side = max(rgb.shape[:2])
    guesses = [*find_heads(rgb), Head(rgb.shape[1] / 2, rgb.shape[0] / 2, side / teacher.parser.frame, 0.0)]
    found: list[Head] = []
    for guess in guesses:
        if guess.score == 0.0 and found:
            break
        x, y, length = _frame(guess, teacher.parser.frame)
        square, inside = cut_square(rgb, np.zeros(rgb.shape[:2], np.uint8), x, y, length)
        seen = teacher.parts[teacher.probabilities(square, 256).argmax(0)]
        seen[cv2.resize(inside, (256, 256), interpolation=cv2.INTER_NEAREST) == UNKNOWN] = BACKGROUND
        if not shows_face(seen, known_parts(teacher.classes.meanings)):
            continue
        head, scale = measure_head(seen, math.inf, teacher.classes.table), length / 256
        head = Head(x + head.x * scale, y + head.y * scale, head.size * scale, 1.0)
        if not any(same_place(head, other) for other in found):
            found.append(head)
    return sorted(found, key=lambda head: -head.size)


def _frame(head: Head, frame: float) -> tuple[int, int, int]:
    crop = crop_box(head, frame)
    return round(crop.left), round(crop.top), max(2, round(crop.side))


def _framed(
    rgb: NDArray[np.uint8], painted: NDArray[np.bool_], head: Head, label: int, teacher: Teacher, teach: bool
) -> tuple[Pair, NDArray[np.uint8]]:
    frame = teacher.parser.frame
    square, names = cut_square(rgb, np.where(painted, label, OTHER).astype(np.uint8), *_frame(head, frame))
    if len(square) != LARGEST:
        way = cv2.INTER_AREA if len(square) > LARGEST else cv2.INTER_LINEAR
        square = np.asarray(cv2.resize(square, (LARGEST, LARGEST), interpolation=way), np.uint8)
        names = np.asarray(cv2.resize(names, (LARGEST, LARGEST), interpolation=cv2.INTER_NEAREST), np.uint8)
    said = teacher.probabilities(square, LARGEST)
    first = teacher.parts[said.argmax(0)]
    if teach:
        said[teacher.parts == label] = 0  # where one that is taught further was seen before, and not painted
        names = np.where(names == OTHER, teacher.parts[said.argmax(0)], names).astype(np.uint8)
    return Pair("", square, names, frame / CELEBA_SIDE), first[(names == label)]
