# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in attributes: colours, lengths, style lists, transforms, selectors of a class or an id. No bpy here."""

from __future__ import annotations

import colorsys
import math
import re
from collections.abc import Container
from functools import lru_cache

from .drawing import LARGEST, Affine, Color
from .path_reader import NUMBER, PathError, parse_numbers

PX = {"": 1.0, "px": 1.0, "in": 96.0, "mm": 96 / 25.4, "cm": 96 / 2.54, "q": 96 / 101.6, "pt": 96 / 72, "pc": 16.0}
_EM = 16.0  # px; no drawing program writes em, so the browsers' usual size will do
_MAX_CLASSES = 100  # of one element
_MAX_DECLARATIONS = 200  # of a style
_MAX_RULES = 20_000  # of a file
_MAX_FUNCTIONS = 16  # of a transform
_LONGEST_VALUE = 200  # characters of a colour or a length; whatever is longer is none
# None of these patterns can match the same text in two ways: so none takes longer than the text is long.
_LENGTH = re.compile(rf"({NUMBER})\s*([a-zA-Z]+|%)?", re.ASCII)
_HEX = re.compile(r"#([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})(?![0-9a-f])", re.IGNORECASE)
_FUNCTION = re.compile(r"(rgba?|hsla?)\(([^()]*)\)", re.IGNORECASE | re.ASCII)
_TRANSFORM = re.compile(r"[\s,]*([a-zA-Z]+)\s*\(([^()]*)\)")
_URL = re.compile(r"url\(\s*['\"]?#([^'\")\s]+)['\"]?\s*\)(.*)")
_SELECTOR = re.compile(r"\*|[\w-]*(?:[.#][\w-]+)?")

#: CSS Color Module Level 4, section 6.1.
_TABLE = """
    aliceblue:f0f8ff antiquewhite:faebd7 aqua:00ffff aquamarine:7fffd4 azure:f0ffff beige:f5f5dc bisque:ffe4c4
    black:000000 blanchedalmond:ffebcd blue:0000ff blueviolet:8a2be2 brown:a52a2a burlywood:deb887 cadetblue:5f9ea0
    chartreuse:7fff00 chocolate:d2691e coral:ff7f50 cornflowerblue:6495ed cornsilk:fff8dc crimson:dc143c cyan:00ffff
    darkblue:00008b darkcyan:008b8b darkgoldenrod:b8860b darkgray:a9a9a9 darkgreen:006400 darkgrey:a9a9a9
    darkkhaki:bdb76b darkmagenta:8b008b darkolivegreen:556b2f darkorange:ff8c00 darkorchid:9932cc darkred:8b0000
    darksalmon:e9967a darkseagreen:8fbc8f darkslateblue:483d8b darkslategray:2f4f4f darkslategrey:2f4f4f
    darkturquoise:00ced1 darkviolet:9400d3 deeppink:ff1493 deepskyblue:00bfff dimgray:696969 dimgrey:696969
    dodgerblue:1e90ff firebrick:b22222 floralwhite:fffaf0 forestgreen:228b22 fuchsia:ff00ff gainsboro:dcdcdc
    ghostwhite:f8f8ff gold:ffd700 goldenrod:daa520 gray:808080 green:008000 greenyellow:adff2f grey:808080
    honeydew:f0fff0 hotpink:ff69b4 indianred:cd5c5c indigo:4b0082 ivory:fffff0 khaki:f0e68c lavender:e6e6fa
    lavenderblush:fff0f5 lawngreen:7cfc00 lemonchiffon:fffacd lightblue:add8e6 lightcoral:f08080 lightcyan:e0ffff
    lightgoldenrodyellow:fafad2 lightgray:d3d3d3 lightgreen:90ee90 lightgrey:d3d3d3 lightpink:ffb6c1
    lightsalmon:ffa07a lightseagreen:20b2aa lightskyblue:87cefa lightslategray:778899 lightslategrey:778899
    lightsteelblue:b0c4de lightyellow:ffffe0 lime:00ff00 limegreen:32cd32 linen:faf0e6 magenta:ff00ff maroon:800000
    mediumaquamarine:66cdaa mediumblue:0000cd mediumorchid:ba55d3 mediumpurple:9370db mediumseagreen:3cb371
    mediumslateblue:7b68ee mediumspringgreen:00fa9a mediumturquoise:48d1cc mediumvioletred:c71585
    midnightblue:191970 mintcream:f5fffa mistyrose:ffe4e1 moccasin:ffe4b5 navajowhite:ffdead navy:000080
    oldlace:fdf5e6 olive:808000 olivedrab:6b8e23 orange:ffa500 orangered:ff4500 orchid:da70d6 palegoldenrod:eee8aa
    palegreen:98fb98 paleturquoise:afeeee palevioletred:db7093 papayawhip:ffefd5 peachpuff:ffdab9 peru:cd853f
    pink:ffc0cb plum:dda0dd powderblue:b0e0e6 purple:800080 rebeccapurple:663399 red:ff0000 rosybrown:bc8f8f
    royalblue:4169e1 saddlebrown:8b4513 salmon:fa8072 sandybrown:f4a460 seagreen:2e8b57 seashell:fff5ee
    sienna:a0522d silver:c0c0c0 skyblue:87ceeb slateblue:6a5acd slategray:708090 slategrey:708090 snow:fffafa
    springgreen:00ff7f steelblue:4682b4 tan:d2b48c teal:008080 thistle:d8bfd8 tomato:ff6347 turquoise:40e0d0
    violet:ee82ee wheat:f5deb3 white:ffffff whitesmoke:f5f5f5 yellow:ffff00 yellowgreen:9acd32
"""
_NAMED = dict(pair.split(":") for pair in _TABLE.split())


@lru_cache(1024)
def parse_color(text: str) -> Color | None:
    """`#fff`, `#ffffff80`, `rgb(..)`, `hsl(..)` or a name. None for what is no colour. `transparent` has alpha 0."""
    if len(text) > _LONGEST_VALUE:
        return None
    text = text.strip()
    found = _HEX.match(text)  # what may follow, icc-color(..), repeats it for printers
    if found:
        digits = found[1] if len(found[1]) > 4 else "".join(digit * 2 for digit in found[1])
        return Color(*(int(digits[i : i + 2], 16) / 255 for i in range(0, len(digits), 2)))
    function = _FUNCTION.match(text)
    if function:
        return _color_function(function[1].lower(), re.split(r"[\s,/]+", function[2].strip()))
    word = text.lower()
    if word == "transparent":
        return Color(0.0, 0.0, 0.0, 0.0)
    return parse_color("#" + _NAMED[word]) if word in _NAMED else None


def _color_function(name: str, words: list[str]) -> Color | None:
    if len(words) not in (3, 4):
        return None
    try:
        alpha = _share(words[3], 1.0) if len(words) == 4 else 1.0
        if name.startswith("hsl"):
            hue = float(words[0].lower().removesuffix("deg")) / 360
            if not math.isfinite(hue):
                return None
            red, green, blue = colorsys.hls_to_rgb(hue % 1, _share(words[2], 100.0), _share(words[1], 100.0))
            return Color(red, green, blue, alpha)
        red, green, blue = (_share(word, 255.0) for word in words[:3])
        return Color(red, green, blue, alpha)
    except ValueError:
        return None


def parse_share(text: str) -> float | None:
    """An opacity, `.5` or `50%`, as 0 to 1. None for what is none."""
    try:
        return _share(text.strip(), 1.0)
    except ValueError:
        return None


def _share(word: str, whole: float) -> float:
    value = float(word[:-1]) / 100 if word.endswith("%") else float(word) / whole
    if math.isnan(value):
        raise ValueError("not a number")
    return min(max(value, 0.0), 1.0)


def parse_length(text: str | None, whole: float = math.nan) -> float | None:
    """A length in px (96 to the inch), a percentage of `whole`. None for what is none, and beyond 1e9."""
    return None if text is None or len(text) > _LONGEST_VALUE else _short_length(text, whole)


@lru_cache(256)  # a drawing says the same of shape after shape
def _short_length(text: str, whole: float) -> float | None:
    found = _LENGTH.fullmatch(text.strip())
    if not found:
        return None
    unit = (found[2] or "").lower()
    scale = whole / 100 if unit == "%" else _EM if unit == "em" else PX.get(unit, math.nan)
    value = float(found[1]) * scale
    return value if abs(value) < LARGEST else None


def parse_url(text: str) -> tuple[str, str]:
    """(id, fallback) of a paint like `url(#gradient) black`; both empty for what is none."""
    found = _URL.match(text) if len(text) <= _LONGEST_VALUE else None
    return (found[1], found[2].strip()) if found else ("", "")


def parse_style(text: str) -> dict[str, str]:
    """`fill:#fff; stroke:none` as a dictionary; the later of two wins."""
    return dict(_short_style(text)) if len(text) <= _LONGEST_VALUE else _read_style(text)


@lru_cache(256)
def _short_style(text: str) -> dict[str, str]:
    return _read_style(text)


def _read_style(text: str) -> dict[str, str]:
    style: dict[str, str] = {}
    for declaration in _without_comments(text).split(";", _MAX_DECLARATIONS)[:_MAX_DECLARATIONS]:
        name, colon, value = declaration.partition(":")
        if colon:
            style[name.strip().lower()] = value.partition("!")[0].strip()
    return style


class StyleSheet:
    """The rules of <style> elements for `element`, `.class`, `#id`, `element.class`, and `*`."""

    def __init__(self, properties: Container[str]) -> None:
        self.skipped = False  #: whether there were rules with other selectors, or for other media
        self._properties = properties  # others are not kept: a file may hold a million of them
        self._rules: dict[str, dict[str, tuple[int, str]]] = {}  # selector -> property -> place in the file, value
        self._place = 0

    def read(self, text: str) -> None:
        """Add the rules of one more <style>."""
        depth = 0  # of open braces
        room = max(_MAX_RULES - self._place, 0)
        for rule in _without_comments(text).split("}", room)[:room]:
            self._place += 1
            depth += rule.count("{")
            if depth == 1 and "{" in rule:
                selectors, _, body = rule.partition("{")
                self._add(selectors.rpartition(";")[2], body)  # before a ; stood an @import, @charset or @namespace
            elif depth > 1:
                self.skipped = True  # within @media
            depth = max(depth - 1, 0)

    def _add(self, selectors: str, body: str) -> None:
        style = parse_style(body)
        placed = {name: (self._place, value) for name, value in style.items() if name in self._properties}
        room = max(_MAX_RULES - self._place, 0)
        for selector in map(str.strip, selectors.split(",", room)[:room]):
            self._place += 1
            if selector and _SELECTOR.fullmatch(selector):
                self._rules.setdefault(selector, {}).update(placed)
            elif not selector.startswith("@font-face"):
                self.skipped = True

    def style(self, tag: str, classes: str, name: str) -> dict[str, str]:
        """What the rules say of an element; the more specific wins, then the later."""
        if not self._rules:
            return {}
        words = classes.split(None, _MAX_CLASSES)[:_MAX_CLASSES]
        by_rank = (
            ["*"],
            [tag],
            [f".{word}" for word in words],
            [f"{tag}.{word}" for word in words],
            [f"#{name}", f"{tag}#{name}"],
        )
        found: dict[str, tuple[int, int, str]] = {}
        for rank, selectors in enumerate(by_rank):
            for selector in selectors:
                for key, (place, value) in self._rules.get(selector, {}).items():
                    found[key] = max(found.get(key, (0, 0, "")), (rank, place, value))
        return {key: value for key, (_, _, value) in found.items()}


def _without_comments(text: str) -> str:
    kept, *rest = text.split("/*")
    return kept + "".join(part.partition("*/")[2] for part in rest)


def parse_transform(text: str) -> Affine:
    """`translate(1 2) rotate(30)` as one map. Raises PathError on what is none."""
    whole, position, count = Affine(), 0, 0
    while match := _TRANSFORM.match(text, position):
        whole @= _transform(match[1], parse_numbers(match[2]))
        position = match.end()
        count += 1
        if count > _MAX_FUNCTIONS:
            raise PathError(f"more than {_MAX_FUNCTIONS} transforms in a row")
    if text[position:].strip():
        raise PathError(f"{text[position:].strip()[:40]!r} is no transform")
    return whole


def _transform(name: str, values: list[float]) -> Affine:
    count = len(values)
    if name == "matrix" and count == 6:
        return Affine.matrix(*values)
    if name == "translate" and count in (1, 2):
        return Affine(t=complex(*values))
    if name == "scale" and count in (1, 2):
        return Affine.matrix(values[0], 0, 0, values[-1], 0, 0)
    if name == "rotate" and count in (1, 3):
        angle = math.radians(values[0])
        about = complex(*values[1:])
        turn = complex(math.cos(angle), math.sin(angle))
        return Affine(turn, 0, about - turn * about)
    if name == "skewX" and count == 1:
        return Affine.matrix(1, 0, math.tan(math.radians(values[0])), 1, 0, 0)
    if name == "skewY" and count == 1:
        return Affine.matrix(1, math.tan(math.radians(values[0])), 0, 1, 0, 0)
    raise PathError(f"{name} with {count} numbers is no transform")
