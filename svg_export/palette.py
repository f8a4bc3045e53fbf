"""Palettes: colours by the names of parts, read from .gpl (GIMP, Inkscape) or .json, and written as .gpl.

A name is a part's (`hair`, `ear-left`) or its label (`Ear left`), in any case; `ear`, `brow`, `eye` and `lip` stand for
both of a pair, `skin` for head, ears, nose and neck, and a swatch of fewer parts wins over one of more. `hair-shadow`
and `hair-light` are tones.
Of several heads `face2-hair` is that of face 2; what has no number is for every face without its own.
A .json is one object, `{"hair": "#4a3226", "lip": [186, 92, 88]}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from faceparse_core.errors import FaceParseError, printable, quoted
from faceparse_core.parts import (
    BACKGROUND,
    BOTH,
    EARS,
    HEAD,
    LAYER_ORDER,
    LAYERS,
    NECK,
    NOSE,
    STANDARD,
    PartTable,
    Rgb,
)
from svg_export.looks import TONED, TONES

_MOST_BYTES = 1_000_000  # far beyond any palette; a photo given by mistake is not read to its end
_GPL_HEADER = "GIMP Palette"
_GPL_SWATCH = re.compile(r"(\d{1,3})[ \t]+(\d{1,3})[ \t]+(\d{1,3})(?:[ \t]+(.*))?")
_HEX = re.compile(r"#?(?:[0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE)

_OF_A_FACE = re.compile(r"face-?([1-9]\d{0,3})-")

_TONED = [LAYERS[part].name for part in LAYER_ORDER if part in TONED]


@cache
def _names(table: PartTable) -> tuple[str, ...]:
    tones = {part: [f"{part}-{tone}" for tone in TONES] for part in _TONED}
    parts = [table.layers[part].name for part in (BACKGROUND, *table.layer_order)]
    names = [name for part in parts for name in (part, *tones.get(part, ()))]
    return (*names, "outline")


def _groups() -> dict[str, tuple[str, ...]]:
    """`ear` -> ear-left, ear-right; `skin-light` -> head-light, nose-light; and so on: those of fewer names first."""
    found: dict[str, tuple[str, ...]] = {}
    for word, parts in {**BOTH, "skin": frozenset((HEAD, *EARS, NOSE, NECK))}.items():
        for tone in ("", *(f"-{tone}" for tone in TONES)):
            names = [LAYERS[part].name + tone for part in LAYER_ORDER if part in parts]
            if toned := tuple(name for name in names if name in NAMES):
                found[word + tone] = toned
    return found


#: What a swatch can be called, bottom to top, but for parts of a model's own. `outline` is the colour of lines.
NAMES: tuple[str, ...] = _names(STANDARD)
GROUPS = _groups()


class PaletteError(FaceParseError):
    """A palette cannot be read, or names what is no part."""


def read_palette(path: Path, table: PartTable = STANDARD) -> dict[str, Rgb]:
    """Name (one of NAMES, an own part's, or `face2-` and one) -> colour, in paint order, face by face.

    Raises PaletteError, which names the file.
    """
    readers = {".gpl": _read_gpl, ".json": _read_json}
    reader = readers.get(path.suffix.lower())
    try:
        if reader is None:
            raise PaletteError("a palette is a .gpl or a .json")
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise PaletteError("is too large to be a palette")
        return _by_name(reader(data.decode("utf-8-sig")), table)
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error}); check the name"
    except UnicodeDecodeError:
        reason = "is no palette: it is not text in UTF-8"
    except PaletteError as error:
        reason = str(error)
    raise PaletteError(f"{printable(str(path))}: {reason}")


def write_palette(colors: Mapping[str, Rgb], title: str, table: PartTable = STANDARD) -> bytes:
    """A .gpl with these swatches in paint order, face by face: the same bytes for the same colours."""
    lines = [_GPL_HEADER, f"Name: {printable(title)}", "Columns: 1", "#"]
    for name in sorted(colors, key=_order_in(table)):
        red, green, blue = colors[name]
        lines.append(f"{red:3d} {green:3d} {blue:3d}\t{name}")
    return ("\n".join(lines) + "\n").encode()


def _read_gpl(text: str) -> list[tuple[str, Rgb]]:
    lines = re.split("\r\n|\r|\n", text)
    if lines[0].strip() != _GPL_HEADER:
        raise PaletteError(f"is no GIMP palette: its first line is not '{_GPL_HEADER}'")
    found: list[tuple[str, Rgb]] = []
    for number, line in enumerate(lines[1:], 2):
        line = line.strip()
        if not line or line.startswith("#") or re.match(r"(Name|Columns):", line):
            continue
        swatch = _GPL_SWATCH.fullmatch(line)
        if not swatch or any(int(value) > 255 for value in swatch.groups()[:3]):
            raise PaletteError(f"line {number} is no swatch; one reads '72 50 38 hair', red, green and blue up to 255")
        red, green, blue = (int(value) for value in swatch.groups()[:3])
        found.append((swatch[4] or "", (red, green, blue)))
    return found


def _read_json(text: str) -> list[tuple[str, Rgb]]:
    try:
        # pairs, or of a name that stands twice one would be lost unseen
        found = json.loads(text, object_pairs_hook=_Object)
    except (ValueError, RecursionError) as error:
        raise PaletteError(f"is no JSON: {error}") from None
    if not isinstance(found, _Object):
        raise PaletteError('is no palette: one is an object, {"hair": "#4a3226"}')
    return [(name, _json_color(name, value)) for name, value in found.pairs]


class _Object:
    """A JSON object as its pairs."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


def _json_color(name: str, value: object) -> Rgb:
    if isinstance(value, str) and _HEX.fullmatch(value):
        digits = value.removeprefix("#")
        if len(digits) == 3:
            digits = "".join(2 * digit for digit in digits)
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
    if isinstance(value, list) and len(value) == 3 and all(type(each) is int and 0 <= each <= 255 for each in value):
        return value[0], value[1], value[2]
    raise PaletteError(f"the colour of {quoted(name)} is neither '#rrggbb' nor [red, green, blue] up to 255")


def face_and_name(text: str) -> tuple[int, str]:
    """Whose swatch it is, and of what: `Face 2 Hair` -> (2, "hair"); `hair` -> (0, "hair"), of every face."""
    name = "-".join(re.split(r"[\s_-]+", text.strip().lower()))
    found = _OF_A_FACE.match(name)
    return (int(found[1]), name[found.end() :]) if found else (0, name)


def _order_in(table: PartTable) -> Callable[[str], tuple[int, int]]:
    def order(name: str) -> tuple[int, int]:
        face, part = face_and_name(name)
        return face, _names(table).index(part)

    return order


def _by_name(swatches: list[tuple[str, Rgb]], table: PartTable) -> dict[str, Rgb]:
    names = _names(table)
    labels = {face_and_name(part.label)[1]: part.name for part in table.own}
    if not swatches:
        raise PaletteError("holds no swatch")
    given: dict[tuple[int, str], Rgb] = {}
    for text, color in swatches:
        face, name = face_and_name(text)
        if name not in names and name not in GROUPS:
            name = labels.get(name, name)
        if name not in names and name not in GROUPS:
            tones = {f"{part}-{tone}" for part in (*_TONED, *GROUPS) for tone in TONES}
            known = ", ".join(name for name in (*GROUPS, *names) if name not in tones)
            toned = f"and of {', '.join(_TONED)} with {' or '.join(f'-{tone}' for tone in TONES)} behind it"
            what = f"{quoted(text)} is no part or layer" if name else "a swatch has no name"
            raise PaletteError(f"{what}; call it one of: {known}; {toned}")
        if given.setdefault((face, name), color) != color:
            raise PaletteError(f"{quoted(text)} has two colours; keep one")
    for word, members in GROUPS.items():
        for face in [face for face, name in given if name == word]:
            for name in members:
                given.setdefault((face, name), given[face, word])
    found = {(f"face{face}-" if face else "") + name: color for (face, name), color in given.items() if name in names}
    return {name: found[name] for name in sorted(found, key=_order_in(table))}
