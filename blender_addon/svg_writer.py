# SPDX-License-Identifier: GPL-3.0-or-later
"""A `Drawing` -> the bytes of an SVG that keeps faceparse-svg's contract, so that the way round is closed. No bpy here.

    <svg viewBox="0 0 W H" width="..mm" height="..mm" role="img">    user units are photo pixels
      <title>, <desc>, <metadata>{"generator": ..}, <sodipodi:namedview inkscape:document-units="px"/>
      <g id="hair" inkscape:groupmode="layer" inkscape:label="Hair">  a layer each, bottom to top; hidden: display:none
        <path id="hair-1" style="fill:#..;fill-rule:evenodd" d=".."/>

The light and the shadow of a part, `hair-light` and `hair-shadow`, are layers in the part's own, above its paths.
Of several faces each is a layer, `face2`, that holds those of its parts; where another's lie between, there are more of
it, `face2-2`. What is nobody's, as a background, stands beside them.
Coordinates are rounded to the grid of faceparse-svg (at most 1/50000 of the diagonal): every point of what was not
touched comes out as it came in, to the last digit. The same drawing gives the same bytes.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from .drawing import Color, Drawing, Layer, Shape, unique
from .path_writer import write_path

MM_PER_PX = 25.4 / 96
# What XML 1.0 cannot hold: control characters, lone surrogates, two non-characters.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_svg(drawing: Drawing) -> bytes:
    """The file, UTF-8. Layers that hold nothing on the grid are left out; ids that stand twice are made unique."""
    return ("\n".join(_lines(drawing)) + "\n").encode("utf-8")


def decimals_for(size: tuple[float, float]) -> int:
    """Decimals such that a coordinate's grid is at most 1/50000 of the diagonal of (height, width), at most 4."""
    return min(4, max(0, math.ceil(math.log10(50_000 / math.hypot(*size)))))


def _lines(drawing: Drawing) -> Iterator[str]:
    height, width = drawing.size
    metadata = {"generator": "faceparse-svg", **drawing.metadata}
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
        ' xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape"'
        ' xmlns:sodipodi="http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd" version="1.1"'
        f' width="{_plain(width * MM_PER_PX)}mm" height="{_plain(height * MM_PER_PX)}mm"'
        f' viewBox="0 0 {_plain(width)} {_plain(height)}" role="img">'
    )
    names = ", ".join(layer.label for layer in drawing.layers)
    yield f" <title>{_text(drawing.title) or 'Portrait'}</title>"
    yield f" <desc>Layers, bottom to top: {_text(names) or 'none'}.</desc>"
    yield f" <metadata>{_text(json.dumps(metadata, ensure_ascii=False))}</metadata>"
    yield ' <sodipodi:namedview id="namedview" inkscape:document-units="px" />'
    if drawing.photo:
        yield ' <g id="photo" inkscape:groupmode="layer" inkscape:label="Photo" sodipodi:insensitive="true">'
        size = f'width="{_plain(width)}" height="{_plain(height)}"'
        yield f'  <image id="photo-1" x="0" y="0" {size} xlink:href={_attribute(drawing.photo)} />'
        yield " </g>"
    taken = {"namedview", "photo", "photo-1"} if drawing.photo else {"namedview"}
    several = len({layer.face for layer in drawing.layers} - {0}) > 1
    inside = 0  # the face whose group is open
    for group in _groups(drawing):
        face = group.layer.face if several else 0
        if inside != face:
            if inside:
                yield " </g>"
            if face:
                label = _attribute(drawing.face_label(face))
                yield f' <g id={_id(f"face{face}", taken)} inkscape:groupmode="layer" inkscape:label={label}>'
            inside = face
        yield from (f"  {line}" if inside else f" {line}" for line in _layer(group, taken))
    if inside:
        yield " </g>"
    yield "</svg>"


class _Group(NamedTuple):
    """A layer as it is written."""

    layer: Layer
    paths: list[tuple[Shape, str]]  #: with their data
    tones: list[_Group]


def _groups(drawing: Drawing) -> list[_Group]:
    """The layers that hold anything on the grid, bottom to top, those of tones in their part's."""
    decimals = decimals_for(drawing.size)
    groups: list[_Group] = []
    for layer in drawing.layers:
        paths = [(shape, data) for shape in layer.shapes if (data := write_path(shape.rings, decimals))]
        if paths:
            is_tone = groups and _is_tone(layer, groups[-1].layer)
            (groups[-1].tones if is_tone else groups).append(_Group(layer, paths, []))
    return groups


def _is_tone(layer: Layer, part: Layer) -> bool:
    """Whether a layer is a tone of the part beneath, and the part's own layer would neither hide it nor lock it."""
    named = layer.id in (f"{part.id}-shadow", f"{part.id}-light") and layer.face == part.face
    return named and (part.visible or not layer.visible) and (layer.locked or not part.locked)


def _layer(group: _Group, taken: set[str]) -> Iterator[str]:
    layer = group.layer
    attributes = ['inkscape:groupmode="layer"', f"inkscape:label={_attribute(layer.label)}"]
    if layer.locked:
        attributes.append('sodipodi:insensitive="true"')
    if not layer.visible:
        attributes.append('style="display:none"')
    yield f"<g id={_id(layer.id, taken)} {' '.join(attributes)}>"
    for shape, data in group.paths:
        yield f' <path id={_id(shape.id, taken)} style="{_style(shape)}" d="{data}" />'
    for tone in group.tones:
        yield from (f" {line}" for line in _layer(tone, taken))
    yield "</g>"


def _style(shape: Shape) -> str:
    style = f"{_paint('fill', shape.fill)};fill-rule:evenodd"
    if shape.stroke is not None:
        style += f";{_paint('stroke', shape.stroke)};stroke-width:{_plain(shape.stroke_width)}"
    return style


def _paint(name: str, color: Color | None) -> str:
    if color is None:
        return f"{name}:none"
    opacity = f";{name}-opacity:{_plain(color.alpha, 3)}" if color.alpha < 0.9995 else ""
    return f"{name}:{color.hex}{opacity}"


def _id(name: str, taken: set[str]) -> str:
    """As an attribute's value, unique in the file."""
    name = unique(name, taken)
    taken.add(name)
    return _attribute(name)


def _plain(number: float, decimals: int = 4) -> str:
    return f"{number:.{decimals}f}".rstrip("0").rstrip(".") or "0"


def _text(text: str) -> str:
    return escape(_NOT_XML.sub("\ufffd", text))


def _attribute(text: str) -> str:
    return quoteattr(_NOT_XML.sub("\ufffd", text))
