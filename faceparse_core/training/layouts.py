"""How data sets of faces lie on a disk, told by what lies in a folder or a tar, and what their labels mean.

| layout | what lies there | terms |
|---|---|---|
| our tars | celebamask/train-*.tar, celebamask/val.tar, facesynthetics/train.tar: NAME.webp + NAME.png, ids of the parts | as of the sets they hold |
| CelebAMask-HQ (Lee et al., arXiv 1907.11922; github.com/switchablenorms/CelebAMask-HQ) | CelebA-HQ-img/N.jpg, CelebAMask-HQ-mask-anno/*/NNNNN_PART.png, a mask a part | non-commercial research and education |
| LaPa (Liu et al., AAAI 2020; github.com/jd-opensource/lapa-dataset) | train, val, test / images/NAME.jpg, labels/NAME.png, 11 ids | non-commercial research |
| iBugMask (Lin et al., arXiv 2102.02717; github.com/hhj1897/face_parsing) | train, test / NAME.jpg + NAME.png, the same 11 ids | non-commercial research |
| FaceSynthetics (Wood et al., arXiv 2109.15102; github.com/microsoft/FaceSynthetics) | NNNNNN.png + NNNNNN_seg.png, 19 ids, 255 = ignore | Microsoft Research Use of Data Agreement: non-commercial research |
| plain pairs | NAME.jpg, .png or .webp with labels/NAME.png, NAME_labels.png or NAME.labels.png; NAME.jpg or .webp with NAME.png | yours |

Plain pairs have the ids of `faceparse_core.parts`, 255 for unknown, unless a classes.json beside them says otherwise: an
object that names for each id a part, or a list of the parts that it may stand for, the likeliest first, or null for
unknown: {"0": "background", "1": ["head", "beard"], "9": null}.
"""  # noqa: E501

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from faceparse_core.errors import FaceParseError, printable
from faceparse_core.parts import BEARD, BY_NAME, HEAD, NOSE, PARTS
from faceparse_core.training.data import (
    DataSet,
    Pair,
    PairError,
    decode_labels,
    decode_photo,
    same_size,
)
from faceparse_core.training.files import Files, open_files
from faceparse_core.training.frame import resized, to_celeba_frame
from faceparse_core.training.labels import CELEBAMASK, EXACT, UNKNOWN, Meanings, coarse

_LIPS = (BY_NAME["lip-upper"].id, BY_NAME["lip-lower"].id)
_Names = tuple[tuple[str, str], ...]  # of photos and their label maps
PHOTOS = (".jpg", ".jpeg", ".png", ".webp")
SPLITS = {"train": ("train",), "test": ("val", "test")}  #: what to learn from, and what to measure on


def _ids(**names: str) -> dict[int, int]:
    return {int(key.removeprefix("_")): BY_NAME[name].id for key, name in names.items()}


def _parts(*names: str) -> tuple[int, ...]:
    return tuple(BY_NAME[name].id for name in names)


#: CelebAMask-HQ's masks in the order in which they are painted over each other (face-parsing.PyTorch,
#: `prepropess_data.py`). Its l and r are the subject's.
CELEBAMASK_PARTS = {
    "skin": "head", "l_brow": "brow-left", "r_brow": "brow-right", "l_eye": "eye-left", "r_eye": "eye-right",
    "eye_g": "glasses", "l_ear": "ear-left", "r_ear": "ear-right", "ear_r": "earring", "nose": "nose",
    "mouth": "mouth", "u_lip": "lip-upper", "l_lip": "lip-lower", "neck": "neck", "neck_l": "necklace",
    "cloth": "cloth", "hair": "hair", "hat": "hat",
}  # fmt: skip
#: Masks that every photo has: of 5124 pairs none is without. Where another is missing the part is hidden.
CELEBAMASK_ALWAYS = ("skin", "nose")
#: CelebA's own division, by the number that a photo has there: 1 to 162770 are to train on (Liu et al., ICCV 2015).
CELEBA_TRAIN = 162771

#: LaPa's ids, which are iBugMask's, too. Which of the two brows and eyes is the left one is told by their places.
LAPA = _ids(
    _0="background", _1="head", _2="brow-left", _3="brow-right", _4="eye-left", _5="eye-right", _6="nose",
    _7="lip-upper", _8="mouth", _9="lip-lower", _10="hair",
)  # fmt: skip
#: What they have no word for, by the part that their label goes by: beards, glasses (lenses are eyes or skin), ears,
#: neck and all that is worn.
LAPA_SETS = {
    0: _parts("glasses", "ear-left", "ear-right", "earring", "neck", "necklace", "cloth", "hat"),
    1: _parts("beard", "glasses", "ear-left", "ear-right", "earring", "neck"),
    2: _parts("glasses"), 3: _parts("glasses"), 4: _parts("glasses"), 5: _parts("glasses"),
    10: _parts("glasses"),
    17: _parts("hat", "beard", "earring"),
}  # fmt: skip

FACESYNTHETICS = _ids(
    _0="background", _1="head", _2="nose", _3="eye-right", _4="eye-left", _5="brow-right", _6="brow-left",
    _7="ear-right", _8="ear-left", _9="mouth", _10="lip-upper", _11="lip-lower", _12="neck", _13="hair", _14="beard",
    _15="cloth", _16="glasses", _17="hat",
) | {18: UNKNOWN}  # facewear: a mask is no part of ours  # fmt: skip


# -------------------------------------------------------------------------------------------------------------- layouts


_Reader = Callable[[Files, str], list[DataSet]]


def find_sets(path: Path, split: str = "train") -> list[DataSet]:
    """The data sets in a folder or a tar, told by what lies in it. `split` is `train` or `test`.

    To test on are the pairs that a data set holds out itself; where it holds none out, all of it.

    Raises FaceParseError where nothing there is known.
    """
    files = open_files(path)
    names = files.names

    def some(pattern: str) -> bool:
        return any(re.search(pattern, name) for name in names)

    published: list[tuple[bool, str, _Reader]] = [
        (some(r"(^|/)\d{5}_(skin|nose|hair)\.png$"), "CelebAMask-HQ", _celebamask),
        (some(r"(^|/)(train|val|test)/labels/[^/]+$"), "LaPa", _lapa),
        (some(r"(^|/)\d{6}_seg\.png$"), "FaceSynthetics", _facesynthetics),
        (some(r"(^|/)(train|test)/[^/]+\.jpg$"), "iBugMask", _ibugmask),
    ]
    kinds: list[tuple[bool, _Reader]] = [
        ("classes.json" in names, _plain),
        (some(r"^(celebamask|facesynthetics)/[^/]+\.tar$"), _our_tars),
        (path.is_file() and path.parent.name in ("celebamask", "facesynthetics"), _our_tar),
        *((found, read) for found, _, read in published),
    ]
    read = next((read for found, read in kinds if found), None)
    there = [name for found, name, _ in published if found]
    if len(there) > 1 and read in [each for _, _, each in published]:
        raise FaceParseError(
            f"{files.shown}: several data sets ({', '.join(there)}); name the folder of each with a --data of its own"
        )
    if read is None and names and all(name.endswith(".tar") for name in names):
        return [one for name in names for one in find_sets(path / name, split)]
    found = (read or _plain)(files, split)
    if not any(one.names or one.broken for one in found):
        where = f" in a folder {' or '.join(SPLITS[split])}" if read in (_lapa, _ibugmask) else ""
        raise FaceParseError(
            f"{files.shown}: no pairs of photo and label map to {split} on{where}; "
            "docs/training.md lists the known layouts"
        )
    return found


def rendered_held_out(path: Path) -> list[DataSet]:
    """Of the rendered pairs beside our tars of people's, in a folder, those to measure the beard on; [] without any."""
    tar = path / "facesynthetics" / "train.tar"
    sets = _our_tar(open_files(tar), "test") if tar.is_file() else []
    return [one for one in sets if one.names]


def whole_tar(tar: Path) -> list[Pair]:
    """All pairs of one of our tars, by name, as they lie there: none held out, none cut to a frame.

    Raises FaceParseError on a missing or broken tar.
    """
    files = open_files(tar)
    pairs, broken = _our_pairs(files)
    if broken:
        raise PairError(broken[0])
    meanings = EXACT if _is_rendered(files) else CELEBAMASK
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # OpenCV decodes outside of Python's lock
        read = pool.map(partial(_decoded, files, pairs, None), range(len(pairs)))
        return [replace(pair, meanings=meanings) for pair in read]


def celebamask_val(folder: Path) -> list[Pair]:
    """The pairs that people labelled, to measure on."""
    return whole_tar(folder / "celebamask" / "val.tar")


def _our_tars(files: Files, split: str) -> list[DataSet]:
    wanted = r"(celebamask/train-.*|facesynthetics/train)\.tar" if split == "train" else r"celebamask/val\.tar"
    return [
        one
        for name in files.names
        if re.fullmatch(wanted, name)
        for one in _our_tar(open_files(files.path / name), split)
    ]


def _our_tar(files: Files, split: str) -> list[DataSet]:
    rendered = _is_rendered(files)
    pairs, broken = _our_pairs(files)
    if rendered:
        held_out = _every_third_beard(files, pairs)
        pairs = tuple(pair for pair in pairs if (pair in held_out) == (split == "test"))
    read = partial(_read_pair, files, pairs, None, rendered)
    return [_named(files, pairs, read, EXACT if rendered else CELEBAMASK, broken, rendered)]


def _is_rendered(files: Files) -> bool:
    return files.path.parent.name == "facesynthetics"


def _our_pairs(files: Files) -> tuple[_Names, tuple[str, ...]]:
    photos, maps = _with_suffix(files.names, ".webp"), _with_suffix(files.names, ".png")
    return _partners(files, photos, maps, lambda stem: [f"{stem}.png"])


def _every_third_beard(files: Files, pairs: _Names) -> frozenset[tuple[str, str]]:
    """Of rendered pairs those to measure on: every third, from the largest beard to none."""

    def share(pair: tuple[str, str]) -> float:
        try:
            return float((decode_labels(files.read(pair[1]), pair[1]) == BEARD).mean())
        except PairError:
            return 0.0  # it is told when the pair is read

    return frozenset(sorted(pairs, key=lambda pair: (-share(pair), pair[0]))[2::3])


def _celebamask(files: Files, split: str) -> list[DataSet]:
    """CelebAMask-HQ as published: photos of 1024 px, of each a mask a part of 512 px."""
    mask = re.compile(r"(?:.*/)?(\d{5})_([a-z_]+)\.png")
    masks: dict[int, dict[str, str]] = {}
    broken = []
    for name in files.names:
        if match := mask.fullmatch(name):
            if match[2] in CELEBAMASK_PARTS:
                masks.setdefault(int(match[1]), {})[match[2]] = name
            else:
                broken.append(f"{files.shown}/{printable(name)}: no part of CelebAMask-HQ is called {match[2]}")
    photos = {int(m[1]): name for name in files.names if (m := re.fullmatch(r"(?:.*/)?CelebA-HQ-img/(\d+)\.jpg", name))}
    broken += [
        f"{files.shown}: CelebA-HQ-img/{k}.jpg has no masks, such as {k:05}_skin.png"
        for k in sorted(photos.keys() - masks.keys())
    ]
    broken += [
        f"{files.shown}: the masks of {k:05} have no photo CelebA-HQ-img/{k}.jpg"
        for k in sorted(masks.keys() - photos.keys())
    ]
    numbers = sorted(photos.keys() & masks.keys())
    for word in CELEBAMASK_ALWAYS:
        lacking = [k for k in numbers if word not in masks[k]]
        broken += [f"{files.shown}: CelebA-HQ-img/{k}.jpg lacks the mask {k:05}_{word}.png" for k in lacking]
        numbers = sorted({*numbers} - {*lacking})
    held_out = _held_out(files)
    if held_out:
        numbers = [k for k in numbers if (k in held_out) == (split == "test")]
    every = tuple((photos[k], masks[k]) for k in numbers)

    def read(index: int) -> Pair:
        photo, parts = every[index]
        rgb = decode_photo(files.read(photo), f"{files.shown}/{photo}")
        labels: NDArray[np.uint8] | None = None
        for word, part in CELEBAMASK_PARTS.items():
            if word not in parts:
                continue
            flags = np.ones(256, np.int64)
            flags[:128] = 0  # black and white, hard or soft edges
            inside = decode_labels(files.read(parts[word]), f"{files.shown}/{parts[word]}", flags) > 0
            labels = np.zeros(inside.shape, np.uint8) if labels is None else labels
            if inside.shape != labels.shape:
                raise PairError(f"{files.shown}/{parts[word]}: the mask differs in size from the others of its photo")
            labels[inside] = BY_NAME[part].id
        assert labels is not None  # of a photo without masks there is no pair
        if not (labels == HEAD).any():
            raise PairError(f"{files.shown}/{parts['skin']}: the mask is empty; inside it is 255, outside 0")
        if rgb.shape[0] * labels.shape[1] != rgb.shape[1] * labels.shape[0]:
            same_size(rgb, labels, f"{files.shown}/{photo}")
        return resized(Pair(photo, rgb, labels))

    return [DataSet(files.shown, tuple(photo for photo, _ in every), read, CELEBAMASK, broken=tuple(broken))]


def _held_out(files: Files) -> frozenset[int]:
    """The numbers of the photos that CelebA's own division does not train on, where the file that tells it is there."""
    mapping = next((n for n in files.names if n.endswith("CelebA-HQ-to-CelebA-mapping.txt")), None)
    if mapping is None:
        return frozenset()
    lines = [line.split() for line in files.read(mapping).decode("ascii", "replace").splitlines()]
    return frozenset(int(w[0]) for w in lines if len(w) > 1 and w[0].isdigit() and int(w[1]) >= CELEBA_TRAIN)


def _lapa(files: Files, split: str) -> list[DataSet]:
    inside = _of_split(files, split)
    photos = [name for name in _with_suffix(inside, ".jpg", ".jpeg") if "/images/" in f"/{name}"]
    maps = [name for name in _with_suffix(inside, ".png") if "/labels/" in f"/{name}"]
    return _eleven_ids(files, photos, maps, lambda stem: [f"{_in_labels(stem)}.png"])


def _ibugmask(files: Files, split: str) -> list[DataSet]:
    inside = _of_split(files, split)
    photos, maps = _with_suffix(inside, ".jpg", ".jpeg"), _with_suffix(inside, ".png")
    return _eleven_ids(files, photos, maps, lambda stem: [f"{stem}.png"])


def _of_split(files: Files, split: str) -> list[str]:
    return [name for name in files.names if set(PurePosixPath(name).parts[:-1]) & set(SPLITS[split])]


def _in_labels(stem: str) -> str:
    """`images/NAME` -> `labels/NAME`, whatever folder that lies in."""
    return re.sub(r"(^|/)images/([^/]+)$", r"\1labels/\2", stem)


def _eleven_ids(files: Files, photos: list[str], maps: list[str], partner: Callable[[str], list[str]]) -> list[DataSet]:
    pairs, broken = _partners(files, photos, maps, partner)
    ids = _id_table(LAPA)
    if _left_is_left_in_the_picture(files, pairs, ids):
        ids = _id_table({k: {2: 3, 3: 2, 4: 5, 5: 4}.get(part, part) for k, part in LAPA.items()})
    read = partial(_read_pair, files, pairs, ids, True)
    return [_named(files, pairs, read, coarse(LAPA_SETS, list(LAPA.values())), broken)]


def _left_is_left_in_the_picture(files: Files, pairs: _Names, ids: NDArray[np.int64], looked_at: int = 64) -> bool:
    """Whether what a data set calls the left brow and eye lies left in most of its pictures: on the subject's right."""
    votes = 0
    for _, name in pairs[:looked_at]:
        try:
            labels = decode_labels(files.read(name), name, ids)
        except PairError:
            continue  # told when the pair is read
        for left, right in ((2, 3), (4, 5)):
            places = [np.nonzero(labels == part)[1] for part in (left, right)]
            if all(len(place) for place in places):
                votes += 1 if places[0].mean() < places[1].mean() else -1
    return votes > 0


def _facesynthetics(files: Files, split: str) -> list[DataSet]:
    maps = [name for name in files.names if re.search(r"(^|/)\d{6}_seg\.png$", name)]
    photos = [name for name in files.names if re.search(r"(^|/)\d{6}\.png$", name)]
    pairs, broken = _partners(files, photos, maps, lambda stem: [f"{stem}_seg.png"])
    read = partial(_read_pair, files, pairs, _id_table(FACESYNTHETICS), True)
    return [_named(files, pairs, read, EXACT, broken, rendered=True)]


def _plain(files: Files, split: str) -> list[DataSet]:
    others = {str(PurePosixPath(name).with_suffix("")) for name in _with_suffix(files.names, ".jpg", ".jpeg", ".webp")}

    def is_map(name: str) -> bool:
        path = PurePosixPath(name)
        named = "labels" in path.parts[:-1] or path.stem.endswith(("_labels", ".labels"))
        return path.suffix == ".png" and (named or str(path.with_suffix("")) in others)

    def partner(stem: str) -> list[str]:
        path = PurePosixPath(stem)
        inside = str(path.parent / "labels" / path.name)
        return [f"{way}.png" for way in (inside, f"{stem}_labels", f"{stem}.labels", _in_labels(stem), stem)]

    maps = [name for name in files.names if is_map(name)]
    photos = [name for name in _with_suffix(files.names, *PHOTOS) if not is_map(name)]
    pairs, broken = _partners(files, photos, maps, partner)
    ids, meanings = None, EXACT
    if "classes.json" in files.names:
        ids, meanings = _read_classes(files)
    elif _other_ids(files, pairs):
        raise FaceParseError(
            f"{files.shown}: the ids of the label maps are not ours, 10 is no nose there; a classes.json names them, "
            "and of LaPa and iBugMask name the folder above train with --data: docs/training.md"
        )
    return [_named(files, pairs, partial(_read_pair, files, pairs, ids, True), meanings, broken)]


def _other_ids(files: Files, pairs: _Names, looked_at: int = 64) -> bool:
    """Whether the parts lie in most label maps where our ids would put them on no face: the nose beyond the skin, or
    lips that begin above it. So it is with LaPa's ids, FaceSynthetics', and those of CelebAMask-HQ's own scripts."""
    votes = 0
    for _, name in pairs[:looked_at]:
        try:
            labels = decode_labels(files.read(name), name)
        except PairError:
            continue  # told when the pair is read
        skin, nose, lips = (np.argwhere(np.isin(labels, parts)) for parts in (HEAD, NOSE, _LIPS))
        if len(skin) and len(nose):
            inside = (nose.min(0) >= skin.min(0)).all() and (nose.max(0) <= skin.max(0)).all()
            below = not len(lips) or lips[:, 0].min() > nose[:, 0].min()
            votes += -1 if inside and below else 1
    return votes > 0


def _read_classes(files: Files) -> tuple[NDArray[np.int64], Meanings]:
    """What a classes.json says: the id that each id of the label maps goes by, and what else it may stand for."""
    shown = f"{files.shown}/classes.json"
    try:
        holds = json.loads(files.read("classes.json"))
        entries = {int(key): value for key, value in holds.items()}
    except (ValueError, AttributeError, RecursionError) as error:
        raise FaceParseError(f'{shown}: not an object of ids and parts, as {{"1": ["head", "beard"]}}') from error
    ids: dict[int, int] = {}
    sets: dict[int, tuple[int, ...]] = {}
    for key, value in entries.items():
        words = value if isinstance(value, list) else [] if value is None else [value]
        strange = [w for w in words if not isinstance(w, str) or w not in BY_NAME or BY_NAME[w].id >= len(PARTS)]
        if strange or not 0 <= key < 256:
            raise FaceParseError(
                f"{shown}: {key} is {printable(str(value))}; an id is 0 to 255 and stands for parts, background or null"
            )
        ids[key] = BY_NAME[words[0]].id if words else UNKNOWN
        if words:
            sets[ids[key]] = (*sets.get(ids[key], ()), *_parts(*words))
    ids.setdefault(UNKNOWN, UNKNOWN)
    labels = [label for label in ids.values() if label != UNKNOWN]
    exact = set(labels) == set(range(len(PARTS))) and all(set(parts) == {label} for label, parts in sets.items())
    return _id_table(ids), EXACT if exact else coarse(sets, labels)


# --------------------------------------------------------------------------------------------------------------- pairs


def _partners(
    files: Files, photos: Iterable[str], maps: Iterable[str], partner: Callable[[str], list[str]]
) -> tuple[_Names, tuple[str, ...]]:
    """((photo, label map), ..) by name, and a line for every photo or label map without its partner.

    partner    of a photo's name without its suffix: the names that its label map may have
    """
    there = set(maps)
    found: dict[str, str] = {}
    lines = []
    for photo in photos:
        stem = photo[: -len(PurePosixPath(photo).suffix)]
        labels = next((name for name in partner(stem) if name in there), None)
        if labels is None:
            either = ", or, if it is one, no photo" if photo in partner(stem) else ""
            lines.append(f"{files.shown}: {printable(photo)} has no label map beside it{either}")
        else:
            found[photo] = labels
    left = sorted(there - set(found.values()))
    lines += [f"{files.shown}: the label map {printable(name)} has no photo beside it" for name in left]
    return tuple(found.items()), tuple(lines)


def _with_suffix(names: Iterable[str], *suffixes: str) -> list[str]:
    return [name for name in names if PurePosixPath(name).suffix.lower() in suffixes]


def _named(
    files: Files, pairs: _Names, read: Callable[[int], Pair], meanings: Meanings,
    broken: tuple[str, ...], rendered: bool = False,
) -> DataSet:  # fmt: skip
    return DataSet(files.shown, tuple(photo for photo, _ in pairs), read, meanings, rendered, broken=broken)


def _decoded(files: Files, pairs: _Names, ids: NDArray[np.int64] | None, index: int) -> Pair:
    photo, partner = pairs[index]
    rgb = decode_photo(files.read(photo), f"{files.shown}/{photo}")
    labels = decode_labels(files.read(partner), f"{files.shown}/{partner}", ids)
    same_size(rgb, labels, f"{files.shown}/{photo}")
    stem = str(PurePosixPath(photo).with_suffix(""))
    return Pair(f"{files.path.stem}/{stem}", rgb, labels)


def _read_pair(files: Files, pairs: _Names, ids: NDArray[np.int64] | None, framed: bool, index: int) -> Pair:
    pair = _decoded(files, pairs, ids, index)
    if not framed:
        return resized(pair)
    try:
        return resized(to_celeba_frame(pair))
    except PairError as error:
        raise PairError(f"{files.shown}: {error}") from error


def _id_table(ids: Mapping[int, int]) -> NDArray[np.int64]:
    table = np.full(256, -1, np.int64)
    table[UNKNOWN] = UNKNOWN
    for key, part in ids.items():
        table[key] = part
    return table
