"""What a label may stand for, and what a network tells apart.

Data sets name faces in their own ways: people who painted CelebAMask-HQ called a beard skin, LaPa has no word for a
neck. So a label stands for a set of parts, one of them the part that it goes by. A pair's label map holds the ids that
its labels go by; a data set's `Meanings` say which of them may be more. What a network is to tell apart are `Classes`,
those of `faceparse_core.classes`. A `Legend` brings the two together: it numbers the labels of training grids.

    0 .. classes - 1    exactly that class
    128 .. 254          one label of one data set: a set of classes
    255                 unknown
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceparse_core.classes import OUR_CLASSES, Classes, classes_beside, known_parts
from faceparse_core.errors import FaceParseError, ModelError, printable
from faceparse_core.parts import BACKGROUND, BEARD, HEAD, MIRRORED, PARTS

UNKNOWN = 255  #: label of pixels that nobody labelled; every loss and score leaves them out
OTHER = 254  #: in pairs' label maps: nobody knows which part, but not the one that a user painted
SKIN_OR_BEARD = 253  #: in pairs' label maps: either of them
NAMELESS = (SKIN_OR_BEARD, OTHER)  #: these are no part's id
SETS = 128  #: labels of training grids from here on stand for sets of classes

#: Part id that a label goes by -> all ids that it may stand for. A label that is missing stands for itself alone.
#: SKIN_OR_BEARD and one that may be the head and may be background go by none.
Meanings = Mapping[int, frozenset[int]]

EXACT: Meanings = {}  #: every label is one part, and all parts have labels

#: Label of a mirrored picture for each label, in pairs' label maps: left and right change places.
SIDES = np.arange(256, dtype=np.uint8)
SIDES[: len(MIRRORED)] = MIRRORED


def coarse(sets: Mapping[int, Sequence[int]], labels: Sequence[int]) -> Meanings:
    """The meanings of a data set that has `labels` and no others, of which `sets` may be more than they go by."""
    return {label: frozenset({label, *sets.get(label, ())}) for label in labels}


#: People's labels of CelebAMask-HQ: they call a beard skin.
CELEBAMASK = coarse({HEAD: [BEARD]}, range(BEARD))


#: The face against all else: skin and what lies on it, taken together as `head`.
FACE_ALONE = Classes(((BACKGROUND,), (HEAD,)))


def network_classes(path: Path) -> Classes:
    """The classes of an exported .onnx: what lies beside it says, else those of the table. Raises ModelError."""
    return trainable(classes_beside(path) or Classes(), printable(os.fspath(path)))


def trainable(classes: Classes, shown: str) -> Classes:
    """`classes`, if networks that are trained here have such: the table's parts in its order, with or without the
    beard, and own parts after them; or the face alone. Raises ModelError, which names their source `shown`."""
    parts, base = classes.meanings, OUR_CLASSES[BEARD]
    if classes != FACE_ALONE and (parts[: len(base)] != base or len(set(parts)) < len(parts)):
        raise ModelError(f"{shown}: the classes of another network than those that are trained here")
    return classes


def growth(old: Classes, new: Classes) -> NDArray[np.float32]:
    """How the last layer of a network with classes `old` becomes that of one with `new`: float32 (new, old).

    Each new class starts as the mean of the old ones whose parts it has; one that has none is a row of zeros.
    """
    rows = np.zeros((len(new.meanings), len(old.meanings)), np.float32)
    told = {old.table.layers[part].name for part in known_parts(old.meanings) | {BACKGROUND}}
    for part in new.table.parts:
        if part.name in told:
            rows[new.of_part[part.id], old.of_part[old.table.by_name[part.name].id]] = 1
    return rows / np.maximum(rows.sum(1, keepdims=True), 1)


@dataclass(frozen=True)
class Legend:
    """The labels of training grids for some classes and some data sets."""

    classes: Classes
    grids: NDArray[np.uint8]  #: (data sets, 256): id in a pair's label map -> label in the grid
    allowed: NDArray[np.bool_]  #: (256, classes): which classes a label may stand for
    goes_by: NDArray[np.int64]  #: (256,): the class that it goes by; -1: none
    spoken: NDArray[np.bool_]  #: (256, classes, classes): [label, class, c]: whether that label's data set calls c so


def make_legend(classes: Classes, spaces: Sequence[Meanings]) -> Legend:
    """Numbers the labels of data sets with these meanings; data sets of equal meaning share theirs.

    Raises FaceParseError where left and right of a data set mean different things, or where there are too many labels.
    """
    count = len(classes.meanings)
    grids = np.full((len(spaces), 256), UNKNOWN, np.uint8)
    allowed = np.zeros((256, count), bool)
    goes_by = np.full(256, -1, np.int64)
    spoken = np.zeros((256, count, count), bool)
    allowed[:count] = np.eye(count, dtype=bool)
    allowed[UNKNOWN] = True
    goes_by[:count] = np.arange(count)
    spoken[:count] = np.eye(count, dtype=bool)
    number = SETS
    of_part = classes.of_part
    anything = {of_part[BACKGROUND], of_part[HEAD]}
    seen: list[tuple[dict[int, frozenset[int]], int]] = []
    for index, meanings in enumerate(spaces):
        sets = _closed(meanings)
        if (same := next((first for other, first in seen if other == sets), None)) is not None:
            grids[index] = grids[same]
            continue
        seen.append((sets, index))
        grids[index, list(of_part)] = list(of_part.values())
        known = {label: frozenset(of_part[part] for part in parts) for label, parts in sets.items()}
        goes = {
            label: -1 if label == SKIN_OR_BEARD or anything <= parts else of_part[label]
            for label, parts in known.items()
        }
        if all(parts == {goes[label]} for label, parts in known.items() if goes[label] >= 0):
            known = {label: parts for label, parts in known.items() if goes[label] < 0}
            calls = np.eye(count, dtype=bool)
        else:
            calls = np.zeros((count, count), bool)
            for label, parts in known.items():
                if goes[label] >= 0:
                    calls[goes[label], list(parts)] = True
        nameless: dict[frozenset[int], int] = {}  # what goes by no class needs no number of its own
        for label, parts in sorted(known.items()):
            if number == UNKNOWN:
                raise FaceParseError("too many labels; train on fewer kinds of data sets, or add fewer parts at once")
            if goes[label] < 0 and parts in nameless:
                grids[index, label] = nameless[parts]
                continue
            grids[index, label] = number
            if goes[label] < 0:
                nameless[parts] = number
            allowed[number, list(parts)] = True
            goes_by[number] = goes[label]
            spoken[number] = calls
            number += 1
    return Legend(classes, grids, allowed, goes_by, spoken)


def _closed(meanings: Meanings) -> dict[int, frozenset[int]]:
    """`meanings` with those of the mirrored pictures: where a left eye may be either, so may a right one."""
    sets = dict(meanings)
    for label, parts in meanings.items():
        other, mirrored = int(SIDES[label]), frozenset(int(SIDES[part]) for part in parts)
        if sets.setdefault(other, mirrored) != mirrored:
            name = PARTS[label].name  # only the table's parts have sides
            raise FaceParseError(f"what {name} may stand for differs from its other side; give both the same parts")
    return sets


def also(meanings: Meanings, over: Mapping[int, frozenset[int]]) -> Meanings:
    """`meanings` of photos in which nobody looked for a user's own parts.

    over    label of the own part -> ids of the parts that it was seen on: there it may be unnoticed, nowhere else
    """
    if not over:
        return meanings
    named = meanings or {part.id: frozenset({part.id}) for part in PARTS}
    return {label: parts | {own for own, on in over.items() if parts & on} for label, parts in named.items()}


def said_as(meanings: Meanings, labels: NDArray[np.uint8], said: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What was `said`, uint8 (H, W), in the words of a data set that labelled the same picture `labels`, uint8 (H, W).

    Where the label may stand for what was said, both agree; elsewhere a part that the data set has no label of its own
    for counts as the first that may be it. So a beard is skin where people labelled.
    """
    if not meanings:
        return said
    meanings = {label: parts for label, parts in meanings.items() if label not in NAMELESS}
    words = np.arange(256, dtype=np.uint8)
    for label in sorted(meanings, reverse=True):
        words[[part for part in meanings[label] if part not in meanings]] = label
    out = words[said]
    for label, parts in meanings.items():
        fits = (labels == label) & np.isin(said, list(parts))
        out[fits] = label
    return out
