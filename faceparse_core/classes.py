"""Class maps: what the classes of a network with other classes than ours stand for.

A class map is a file that names every class of the network, in their order from 0 on: one name a line

    background
    head          # `#` begins a comment
    brow

or as JSON, `["background", "head", "brow"]` or `{"0": "background", "1": "head", "2": "brow"}`. The names are those of
`--parts`, and `background` for all that is no part; `brow`, `eye`, `ear` stand for both sides, which are told apart by
the place where they lie. Several classes may stand for one part. The head there must be: by it a face is known.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceparse_core.errors import ModelError, printable
from faceparse_core.parts import BACKGROUND, HEAD, PAIRS, PARTS

ClassMap = tuple[tuple[int, ...], ...]  #: for each class of the network the part ids that it stands for

_NAMES: dict[str, tuple[int, ...]] = {part.name: (part.id,) for part in PARTS}
_NAMES |= {PARTS[pair[0]].name.removesuffix("-left"): pair for pair in PAIRS}

#: The classes of face-parsing.PyTorch, and with the beard ours: each its own part.
OUR_CLASSES: dict[int, ClassMap] = {count: tuple((part.id,) for part in PARTS[:count]) for count in (19, 20)}

_FAR = 1e4  #: log probability's distance: what no class stands for is never the best


def read_classes(path: Path) -> ClassMap:
    """Raises ModelError where the file cannot be read or is no class map."""
    shown = printable(str(path))
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ModelError(f"{shown}: the class map cannot be read ({reason})") from error
    if text.lstrip().startswith(("[", "{")):
        words = _from_json(text, shown)
    else:
        lines = (line.split("#")[0].strip() for line in text.splitlines())
        words = [line for line in lines if line]
    return named_classes(words, shown)


def named_classes(words: Sequence[str], shown: str) -> ClassMap:
    """The class map that these names make, in the classes' order. Raises ModelError, which names its source `shown`."""
    for word in words:
        if word not in _NAMES:
            raise ModelError(f"{shown}: no part is called {printable(word)!r}; choose from: {', '.join(_NAMES)}")
    classes = tuple(_NAMES[word] for word in words)
    if not {(BACKGROUND,), (HEAD,)} <= set(classes):
        raise ModelError(f"{shown}: a class map names at least background and head, one name a line")
    return classes


def _from_json(text: str, shown: str) -> list[str]:
    try:
        holds = json.loads(text)
        if isinstance(holds, dict):
            holds = [holds.pop(str(number)) for number in range(len(holds))]
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{shown}: no JSON ({error})") from error
    except KeyError as error:
        raise ModelError(f"{shown}: class {error.args[0]} has no name; the classes are numbered from 0 on") from error
    if not all(isinstance(word, str) for word in holds):
        raise ModelError(f"{shown}: a class map names the classes of a network, each by one word")
    return list(holds)


def known_parts(classes: ClassMap) -> frozenset[int]:
    """The ids of the parts that a network with these classes can find."""
    return frozenset(part for parts in classes for part in parts) - {BACKGROUND}


def to_parts(scores: NDArray[np.float32], classes: ClassMap) -> NDArray[np.float32]:
    """Scores by class (n, len(classes), h, w) as scores by part id (n, parts, h, w), up to the highest id there is.

    Of several classes that stand for a part the best counts; a part that none stands for is never the best.
    """
    if classes == tuple((part,) for part in range(len(classes))):
        return scores
    highest = max(part for parts in classes for part in parts)
    out = np.empty((len(scores), highest + 1, *scores.shape[2:]), np.float32)
    out[:] = scores.min((1, 2, 3), keepdims=True) - _FAR  # each crop's own: no other one's may count
    for index, parts in enumerate(classes):
        for part in parts:
            np.maximum(out[:, part], scores[:, index], out=out[:, part])
    return out
