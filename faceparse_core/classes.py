"""Class maps: what the classes of a network with other classes than ours stand for.

A class map is a file that names every class of the network, in their order from 0 on: one name a line

    background
    head          # `#` begins a comment
    brow

or as JSON, `["background", "head", "brow"]` or `{"0": "background", "1": "head", "2": "brow"}`. The names are those of
`--parts`, and `background` for all that is no part; `brow`, `eye`, `ear` stand for both sides, which are told apart by
the place where they lie. Several classes may stand for one part. The head there must be: by it a face is known.

Of a model with parts of its own the map is an object that describes those, too (`parts.own_parts` says how). As
NAME.parts.json beside NAME.onnx it is found without being asked for; training writes it there:

    {"classes": ["background", "head", "sticker"], "own": {"sticker": {"above": "nose", "color": [230, 40, 60]}}}
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceparse_core.cache import whole_file
from faceparse_core.errors import FaceParseError, ModelError, printable
from faceparse_core.parts import BACKGROUND, BY_PLANE, HEAD, PAIRS, PARTS, STANDARD, PartTable, own_parts

ClassMap = tuple[tuple[int, ...], ...]  #: for each class of the network the part ids that it stands for

_PAIRS: dict[str, tuple[int, ...]] = {PARTS[pair[0]].name.removesuffix("-left"): pair for pair in PAIRS}

BESIDE = ".parts.json"  #: how the name of the file beside a model ends

#: The classes of face-parsing.PyTorch, and with the beard ours: each its own part.
OUR_CLASSES: dict[int, ClassMap] = {count: tuple((part.id,) for part in PARTS[:count]) for count in (19, 20)}


@dataclass(frozen=True)
class Classes:
    """What the classes of a network stand for, in the order of its scores."""

    meanings: ClassMap = OUR_CLASSES[len(PARTS)]
    table: PartTable = STANDARD  #: with the parts that are the network's own

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The word of a class map for each class."""
        words = {parts: word for word, parts in _words(self.table).items()}
        return tuple(words[parts] for parts in self.meanings)

    @cached_property
    def of_part(self) -> dict[int, int]:
        """For the id of each part the class that the network sees it as, and for BACKGROUND.

        What it does not know it takes for the head where it lies on that, else for background. Of several classes that
        stand for a part the first is named.
        """
        known = {part: k for k, parts in reversed(list(enumerate(self.meanings))) for part in parts}
        return {part.id: known.get(part.id, known[HEAD if part.on_head else BACKGROUND]) for part in self.table.parts}


_FAR = 1e4  #: log probability's distance: what no class stands for is never the best


def classes_beside(model: str | Path) -> Classes | None:
    """What NAME.parts.json says that lies beside a model's file, None where there is none. Raises as `read_classes`."""
    path = Path(model).with_suffix(BESIDE)
    return read_classes(path) if path.is_file() else None


def read_classes(path: Path) -> Classes:
    """Raises ModelError where the file cannot be read or is no class map."""
    shown = printable(str(path))
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ModelError(f"{shown}: the class map cannot be read ({reason})") from error
    if text.lstrip().startswith(("[", "{")):
        try:
            holds = json.loads(text, object_pairs_hook=_each_once)
        except FaceParseError as error:
            raise ModelError(f"{shown}: {error}") from error
        except (ValueError, RecursionError) as error:
            raise ModelError(f"{shown}: no JSON ({error})") from error
        return classes_of(holds, shown)
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return named_classes([line for line in lines if line], shown)


def classes_of(holds: object, shown: str) -> Classes:
    """What a class map says that is no text any more. Raises ModelError, which names its source `shown`."""
    own: object = {}
    if isinstance(holds, dict) and {"classes", "own"} & holds.keys():
        if unknown := sorted(holds.keys() - {"classes", "own"}):
            raise ModelError(f"{shown}: nothing is called {printable(unknown[0])!r} here; there are classes and own")
        own, holds = holds.get("own", {}), holds.get("classes")
    if isinstance(holds, dict):
        if missing := [k for k in range(len(holds)) if str(k) not in holds]:
            raise ModelError(f"{shown}: class {missing[0]} has no name; the classes are numbered from 0 on")
        holds = [holds[str(k)] for k in range(len(holds))]
    if not isinstance(holds, list) or not all(isinstance(word, str) for word in holds):
        raise ModelError(f"{shown}: a class map names the classes of a network, each by one word")
    try:
        table = own_parts(own)
    except FaceParseError as error:
        raise ModelError(f"{shown}: {error}") from error
    classes = named_classes(holds, shown, table)
    if unused := [part.name for part in table.own if part.name not in holds]:
        raise ModelError(f"{shown}: no class is called {unused[0]!r}, and the file describes it as a part of its own")
    return classes


def described(classes: Classes) -> dict[str, Any]:
    """The class map that `classes_of` reads as these classes; what JSON can hold."""
    return {"classes": list(classes.names), "own": classes.table.described()}


def write_beside(classes: Classes, model: Path) -> None:
    """Writes NAME.parts.json beside a model's file, or removes it where the classes are ours. Raises OSError."""
    path = model.with_suffix(BESIDE)
    if classes == Classes():
        path.unlink(missing_ok=True)  # of another network that lay here before
        return
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(described(classes), indent=2) + "\n", encoding="utf-8")


def named_classes(words: Sequence[str], shown: str, table: PartTable = STANDARD) -> Classes:
    """What classes of these names stand for, in their order. Raises ModelError, which names its source `shown`."""
    names = _words(table)
    for word in words:
        if word not in names:
            raise ModelError(
                f"{shown}: no part is called {printable(word)!r}; choose from: {', '.join(names)}; "
                f"parts of a model's own are described in a NAME{BESIDE}"
            )
    classes = tuple(names[word] for word in words)
    if not {(BACKGROUND,), (HEAD,)} <= set(classes):
        raise ModelError(f"{shown}: a class map names at least background and head, one name a line")
    return Classes(classes, table)


def _words(table: PartTable) -> dict[str, tuple[int, ...]]:
    """What each word of a class map stands for."""
    return {part.name: (part.id,) for part in table.parts} | _PAIRS


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of a name that stands twice in it one would be lost unseen."""
    names = [name for name, _ in pairs]
    if twice := [name for k, name in enumerate(names) if name in names[:k]]:
        raise FaceParseError(f"{printable(twice[0])!r} stands twice in one object; keep one of the two")
    return dict(pairs)


def known_parts(classes: ClassMap) -> frozenset[int]:
    """The ids of the parts that a network with these classes can find."""
    return frozenset(part for parts in classes for part in parts) - {BACKGROUND}


def to_parts(scores: NDArray[np.float32], classes: ClassMap) -> NDArray[np.float32]:
    """Scores by class (n, len(classes), h, w) as scores by part (n, parts, h, w): the planes are those of BY_PLANE.

    There are as many as the last part needs that a class stands for. Of several classes that stand for a part the best
    counts; a part that none stands for is never the best.
    """
    planes = [[BY_PLANE.index(part) for part in parts] for parts in classes]
    if planes == [[plane] for plane in range(len(classes))]:
        return scores
    highest = max(plane for found in planes for plane in found)
    out = np.empty((len(scores), highest + 1, *scores.shape[2:]), np.float32)
    out[:] = scores.min((1, 2, 3), keepdims=True) - _FAR  # each crop's own: no other one's may count
    for index, found in enumerate(planes):
        for plane in found:
            np.maximum(out[:, plane], scores[:, index], out=out[:, plane])
    return out
