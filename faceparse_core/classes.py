"""Class maps: what the classes of a network with other classes than ours stand for.

A class map is a file that names every class of the network, in their order from 0 on: one name a line

    background
    head          # `#` begins a comment
    brow

or as JSON, `["background", "head", "brow"]` or `{"0": "background", "1": "head", "2": "brow"}`. The names are those of
`--parts`, and `background` for all that is no part; `brow`, `eye`, `ear` stand for both sides, which are told apart by
the place where they lie. Several classes may stand for one part. The head there must be: by it a face is known.

Of a model with parts of its own the map is an object that describes those, too (`parts.own_parts` says how). As
NAME.parts.json beside NAME.onnx it is found without being asked for:

    {"classes": ["background", "head", "sticker"], "own": {"sticker": {"above": "nose", "color": [230, 40, 60]}}}
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceparse_core.errors import FaceParseError, ModelError, printable
from faceparse_core.parts import BACKGROUND, BY_PLANE, HEAD, PAIRS, PARTS, STANDARD, PartTable, own_parts

ClassMap = tuple[tuple[int, ...], ...]  #: for each class of the network the part ids that it stands for

_PAIRS: dict[str, tuple[int, ...]] = {PARTS[pair[0]].name.removesuffix("-left"): pair for pair in PAIRS}

BESIDE = ".parts.json"  #: how the name of the file beside a model ends


@dataclass(frozen=True)
class Classes:
    """What the classes of a network stand for."""

    meanings: ClassMap
    table: PartTable = STANDARD  #: with the parts that are the network's own


#: The classes of face-parsing.PyTorch, and with the beard ours: each its own part.
OUR_CLASSES: dict[int, ClassMap] = {count: tuple((part.id,) for part in PARTS[:count]) for count in (19, 20)}

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
    own: object = {}
    if text.lstrip().startswith(("[", "{")):
        words, own = _from_json(text, shown)
    else:
        lines = (line.split("#")[0].strip() for line in text.splitlines())
        words = [line for line in lines if line]
    try:
        table = own_parts(own)
    except FaceParseError as error:
        raise ModelError(f"{shown}: {error}") from error
    classes = named_classes(words, shown, table)
    if unused := [part.name for part in table.own if part.name not in words]:
        raise ModelError(f"{shown}: no class is called {unused[0]!r}, and the file describes it as a part of its own")
    return classes


def named_classes(words: Sequence[str], shown: str, table: PartTable = STANDARD) -> Classes:
    """What classes of these names stand for, in their order. Raises ModelError, which names its source `shown`."""
    names = {part.name: (part.id,) for part in table.parts} | _PAIRS
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


def _from_json(text: str, shown: str) -> tuple[list[str], object]:
    """The names of the classes, and the description of the own parts."""
    own: object = {}
    try:
        holds = json.loads(text, object_pairs_hook=_each_once)
        if isinstance(holds, dict) and {"classes", "own"} & holds.keys():
            if unknown := sorted(holds.keys() - {"classes", "own"}):
                raise FaceParseError(f"nothing is called {printable(unknown[0])!r} here; there are classes and own")
            own = holds.get("own", {})
            holds = holds.get("classes")
        if isinstance(holds, dict):
            holds = [holds.pop(str(number)) for number in range(len(holds))]
    except FaceParseError as error:
        raise ModelError(f"{shown}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{shown}: no JSON ({error})") from error
    except KeyError as error:
        raise ModelError(f"{shown}: class {error.args[0]} has no name; the classes are numbered from 0 on") from error
    if not isinstance(holds, list) or not all(isinstance(word, str) for word in holds):
        raise ModelError(f"{shown}: a class map names the classes of a network, each by one word")
    return holds, own


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
