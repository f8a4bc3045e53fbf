"""Photo -> what is where in it: label map, probabilities, outlines. Pixels alone: nothing here knows SVG.

`docs/api.md` shows all of this at work. Nothing heavy is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from faceparse_core.errors import FaceParseError, LabelMapError, ModelError, NoFaceError, PhotoError, SettingsError
from faceparse_core.lazy import names_from

if TYPE_CHECKING:
    from faceparse_core.batches import parse_photos
    from faceparse_core.classes import read_classes
    from faceparse_core.masks import colorize, heatmap, mask
    from faceparse_core.parse import Parsing, Settings, parse_photo
    from faceparse_core.parser import Parser, load_parser
    from faceparse_core.parts import own_parts
    from faceparse_core.photo import Photo, read_label_map, read_photo
    from faceparse_core.rings import contours

__all__ = [
    "FaceParseError",
    "LabelMapError",
    "ModelError",
    "NoFaceError",
    "Parser",
    "Parsing",
    "Photo",
    "PhotoError",
    "Settings",
    "SettingsError",
    "colorize",
    "contours",
    "heatmap",
    "load_parser",
    "mask",
    "own_parts",
    "parse_photo",
    "parse_photos",
    "read_classes",
    "read_label_map",
    "read_photo",
]

_HOMES = {
    "batches": ("parse_photos",),
    "classes": ("read_classes",),
    "masks": ("colorize", "heatmap", "mask"),
    "parse": ("Parsing", "Settings", "parse_photo"),
    "parser": ("Parser", "load_parser"),
    "parts": ("own_parts",),
    "photo": ("Photo", "read_label_map", "read_photo"),
    "rings": ("contours",),
}
__getattr__ = names_from(__name__, {name: module for module, names in _HOMES.items() for name in names})


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
