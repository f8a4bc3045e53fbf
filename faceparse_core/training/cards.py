"""What the classes of an exported network are, in a file beside it: of mine.onnx in mine.parts.json.

    {"classes": ["background", "head", .., "beard", "sticker"],
     "own": {"sticker": {"label": "Sticker", "on_head": true, "above": "nose", "color": [230, 40, 60]}}}

`classes` names a part for each class, in their order; `own` tells of the parts that the table of parts does not have.
All that is told of one may be missing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faceparse_core.cache import whole_file
from faceparse_core.classes import BESIDE
from faceparse_core.errors import FaceParseError, ModelError, printable
from faceparse_core.parts import PARTS, own_parts
from faceparse_core.training.labels import Classes, OwnPart, one_part, with_own


def card_path(onnx_path: Path) -> Path:
    """Where the card of an .onnx lies."""
    return onnx_path.with_suffix(BESIDE)


def card_of(classes: Classes) -> dict[str, Any]:
    """The card as it stands in the file."""
    own = {
        part.name: {
            key: list(value) if isinstance(value, tuple) else value
            for key in ("label", "on_head", "above", "color")
            if (value := getattr(part, key)) is not None
        }
        for part in classes.own
    }
    return {"classes": list(classes.names), "own": own}


def classes_of(card: Mapping[str, Any], shown: str) -> Classes:
    """The classes that a card names. Raises ModelError, which names its source `shown`."""
    names, own = card.get("classes"), card.get("own", {})
    if names == list(one_part("face").names):
        return one_part("face")
    if not isinstance(names, list) or not isinstance(own, dict) or names[: len(PARTS)] != [part.name for part in PARTS]:
        raise ModelError(f"{shown}: the classes of another network than those that are trained here")
    added = names[len(PARTS) :]
    try:
        return with_own([own_part(str(name), own.get(name, {}), shown) for name in added])
    except FaceParseError as error:
        raise ModelError(str(error)) from error


def write_card(classes: Classes, onnx_path: Path) -> Path | None:
    """Writes the card of an .onnx whose classes are not just the table's; returns its path. Raises OSError."""
    path = card_path(onnx_path)
    if classes == Classes():
        path.unlink(missing_ok=True)  # of another network that lay here before
        return None
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(card_of(classes), indent=2) + "\n", encoding="utf-8")
    return path


def read_card(onnx_path: Path) -> Classes:
    """The classes of an .onnx: those of its card, or the table's where there is none. Raises ModelError."""
    path = card_path(onnx_path)
    if not path.exists():
        return Classes()
    shown = printable(os.fspath(path))
    try:
        card = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{shown}: cannot be read as JSON; export the network again") from error
    if not isinstance(card, dict):
        raise ModelError(f"{shown}: not an object of classes; export the network again")
    return classes_of(card, shown)


def own_part(name: str, facts: Any, shown: str) -> OwnPart:
    """An own part of this name with what a part.json or a card tells of it. Raises FaceParseError."""
    try:
        own_parts({name: facts})
    except FaceParseError as error:
        raise FaceParseError(f"{shown}: {error}") from error
    color = facts.get("color")
    return OwnPart(name, facts.get("label"), facts.get("on_head"), facts.get("above"), tuple(color) if color else None)
