# SPDX-License-Identifier: GPL-3.0-or-later
"""The styles of a file's elements: inherited, and resolved to flat colours. No bpy here."""

from __future__ import annotations

from collections.abc import Mapping

from .css import StyleSheet, parse_color, parse_share, parse_style, parse_url
from .drawing import Color
from .notes import Notes
from .svg_tree import MAX_NAME, Node

Style = Mapping[str, str]  #: property -> value, as written

#: Properties that an element passes on to what it holds.
_INHERITED = (
    "fill", "fill-opacity", "fill-rule", "stroke", "stroke-opacity", "stroke-width", "visibility", "color",
)  # fmt: skip
#: What is left away of what is drawn, with what to say.
_IGNORED = {
    "filter": "its filter (blur, shadow) was left away",
    "clip-path": "its clip was left away: it shows whole",
    "mask": "its mask was left away: it shows whole",
    "mix-blend-mode": "its blend mode was left away",
    "stroke-dasharray": "its dashes were left away: the stroke is whole",
    "marker-start": "its markers were left away",
    "marker-mid": "its markers were left away",
    "marker-end": "its markers were left away",
}
_PROPERTIES = {*_INHERITED, *_IGNORED, "opacity", "display", "stop-color", "stop-opacity"}
_MAX_REFERENCES = 10  # from a gradient to the one that has the colours
_PATTERN = Color(0.5, 0.5, 0.5)  # what becomes of one


class Styles:
    """Of the elements of one file. What many share, as clones and gradients do, is read once."""

    def __init__(self, root: Node, by_id: Mapping[str, Node], notes: Notes) -> None:
        self._by_id, self._notes = by_id, notes
        self._sheet = StyleSheet(_PROPERTIES)
        for node in root.walk():
            if node.tag == "style":
                self._sheet.read(node.text)
        if self._sheet.skipped:
            notes.add("style rules with selectors of several steps, or for certain media, were left out")
        self._own: dict[Node, dict[str, str]] = {}
        self._swatches: dict[str, tuple[Color | None, bool]] = {}

    def of(self, node: Node, around: Style) -> dict[str, str]:
        """What holds for an element: what it says itself, and what it has from those `around` it."""
        style = {name: around[name] for name in _INHERITED if name in around}
        style.update((name, value) for name, value in self._said(node).items() if value != "inherit")
        return style

    def note_ignored(self, node: Node, style: Style) -> None:
        if _IGNORED.keys().isdisjoint(style):
            return
        for name, what in _IGNORED.items():
            if style.get(name, "none") not in ("none", "normal"):
                self._notes.add(what, node)

    def fill(self, node: Node, style: Style, opacity: float) -> Color | None:
        """The flat colour of its inside; None for none, and for what is wholly transparent.

        opacity     of the groups around it and of itself
        """
        return self._paint(node, style, "fill", "black", opacity)

    def stroke(self, node: Node, style: Style, opacity: float) -> Color | None:
        """The same of its outline."""
        return self._paint(node, style, "stroke", "none", opacity)

    def _said(self, node: Node) -> dict[str, str]:
        """The properties that stand on an element itself."""
        style = self._own.get(node)
        if style is None:
            style = dict(node.attributes)
            style.update(self._sheet.style(node.tag, node.get("class") or "", node.id))
            style.update(parse_style(node.get("style") or ""))
            # What is longer is no value of a property, but a clone would have it read again and again.
            style = {key: value for key, value in style.items() if key in _PROPERTIES and len(value) <= MAX_NAME}
            self._own[node] = style
        return style

    def _paint(self, node: Node, style: Style, name: str, default: str, opacity: float) -> Color | None:
        text = style.get(name, default)
        if text.lower() == "currentcolor":
            text = style.get("color", "black")
        target, fallback = parse_url(text) if "(" in text else ("", "")
        if target and target not in self._by_id and fallback:
            target, text = "", fallback
        if text.lower() == "none":
            return None
        color = self._server(node, target) if target else parse_color(text)
        if color is None:
            self._notes.add(f"its {name} is no colour that can be read: {default} instead", node)
            color = parse_color(default)
        if color is None:
            return None
        alpha = color.alpha * share(style, f"{name}-opacity") * opacity
        return color._replace(alpha=alpha) if alpha > 0 else None

    def _server(self, node: Node, target: str) -> Color:
        """The colour that a gradient or pattern becomes. Inkscape's swatches have one stop: those are exact."""
        if target not in self._swatches:
            self._swatches[target] = self._swatch(target)
        color, mixed = self._swatches[target]
        if color is None:
            self._notes.add("a pattern, or a gradient without colours, became grey", node)
            return _PATTERN
        if mixed:
            self._notes.add("a gradient became its mean colour", node)
        return color

    def _swatch(self, name: str) -> tuple[Color | None, bool]:
        """(mean of a gradient's stops, whether they differ)."""
        colors = {color: None for stop in self._stops(name) if (color := self._stop(stop)) is not None}
        mean = Color(*(sum(part) / len(colors) for part in zip(*colors, strict=True))) if colors else None
        return mean, len(colors) > 1

    def _stops(self, name: str) -> list[Node]:
        for _ in range(_MAX_REFERENCES):  # gradients refer to others for their stops
            gradient = self._by_id.get(name)
            if gradient is None or not gradient.tag.endswith("Gradient"):
                break
            stops = [child for child in gradient.children if child.tag == "stop"]
            if stops:
                return stops
            name = gradient.href.removeprefix("#")
        return []

    def _stop(self, node: Node) -> Color | None:
        style = self._said(node)
        color = parse_color(style.get("stop-color", "black"))
        return color and color._replace(alpha=color.alpha * share(style, "stop-opacity"))


def share(style: Style, name: str) -> float:
    """An opacity, 0 to 1; 1 where none is said that can be read."""
    found = parse_share(style[name]) if name in style else None
    return 1.0 if found is None else found


def is_hidden(style: Style) -> bool:
    """By `visibility`, which its own children may undo."""
    return style.get("visibility") in ("hidden", "collapse")
