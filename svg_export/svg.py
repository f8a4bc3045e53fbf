"""Layers -> the bytes of one SVG file. This docstring is the file's contract; `check.check_svg` reads it back.

    <svg viewBox="0 0 W H" width="..mm" height="..mm" role="img">    user units are photo pixels, origin top-left
      <title>, <desc>                                               the photo's name; the layers in words
      <metadata>{"generator": ..}</metadata>                        one JSON object; no dates, no paths
      <sodipodi:namedview inkscape:document-units="px"/>
      <g id="photo" .. sodipodi:insensitive="true"><image id="photo-1"/></g>        only where asked for, locked
      <g id="background" ..><path id="background-1" ../></g>                        only where asked for, locked
      <g id="head" inkscape:groupmode="layer" inkscape:label="Head">                a layer per part, bottom to top
        <path id="head-1" style="fill:#e0ac8a;fill-rule:evenodd" d="M..z"/>         a path per shape, holes by evenodd
        <g id="head-shadow" inkscape:groupmode="layer" inkscape:label="Head shadow"><path id="head-shadow-1" ../></g>
        <g id="head-light" ..                                       only where asked for, on the part and inside of it
      </g> ..
      <g id="outline" inkscape:groupmode="layer" inkscape:label="Outline">          only where asked for, on top
        <path id="outline-1" d="M..c.."                             a path per border, each visible border once
          style="fill:none;stroke:#2b2528;stroke-width:2.6;stroke-linejoin:round;stroke-linecap:round"/>
      </g>
    </svg>

Several heads are a layer each, the largest, face 1, on top, and their parts are layers in it:

      <g id="face2" inkscape:groupmode="layer" inkscape:label="Face 2">        only where there are several heads
        <g id="face2-hair" inkscape:groupmode="layer" inkscape:label="Hair"><path id="face2-hair-1" ../></g> ..
        <g id="face2-outline" ..
      </g>
      <g id="face1" inkscape:groupmode="layer" inkscape:label="Face 1">        its parts have the ids of an only head
        <g id="head" inkscape:groupmode="layer" inkscape:label="Head"> ..

Layer ids are the names of `faceparse_core.parts` (`head` is the shape of the whole head, solid beneath its features;
`hair-back` is what of the hair falls behind neck and shoulders, where the map shows it, in the hair's colour);
those of face 2 and on take a prefix, `face2-hair`. Where a model has parts of its own, `own` in the JSON describes them
as `parts.own_parts` reads it: their names, and what each lies above. Every path has an id of its own. A path's data is
`M`, then relative `c h v l`, then `z`, per ring, and nothing else (a path of the outline is one line, and has its `z`
only where that is closed); no transform, class, gradient or clip stands on a part.

Width and height are in mm at 96 px per inch: Blender's importer takes bare px for 1/90 inch, mm is right everywhere.
The fill stands inside `style`: Blender's importer paints a path black that has a style without a fill.

Absolute coordinates are rounded once, to a grid, and differences are taken between rounded ones: two shapes that share
a border still share every point of it. The grid is fine against the picture, not against the pixel (`decimals_for`).
"""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

import numpy as np
import svgwrite
from numpy.typing import NDArray

from faceparse_core.parts import STANDARD, PartTable, Rgb
from svg_export.shapes import Face, Line, LineWork, Ring, Shape

INKSCAPE = "http://www.inkscape.org/namespaces/inkscape"
SODIPODI = "http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd"
MM_PER_PX = 25.4 / 96

# What XML 1.0 cannot hold: control characters, lone surrogates (a file name that is not UTF-8), two non-characters.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def svg_bytes(
    faces: Sequence[Face],
    size: tuple[int, int],
    *,
    title: str,
    metadata: Mapping[str, Any],
    photo_href: str | None = None,
    background: Rgb | None = None,
    table: PartTable = STANDARD,
) -> bytes:
    """The SVG file, UTF-8, the same bytes for the same arguments.

    faces       face 1, which lies on top, face 2, ..; a layer whose shapes all vanish in the rounding is left out
    size        (height, width) of the photo, px
    title       any text; what XML cannot hold becomes U+FFFD
    metadata    what JSON can hold
    photo_href  a URL (relative or data:) of the photo, which becomes the locked layer `photo`
    background  the colour of a locked layer `background` that fills the frame
    table       with the parts that the model has of its own; `metadata` has to describe them
    """
    height, width = size
    decimals = decimals_for(size)
    # svgwrite's validator (debug) rejects role and inkscape:label, and takes 0.7 s on a path of 20k nodes.
    drawing = svgwrite.Drawing(
        size=(_millimetres(width), _millimetres(height)),
        viewBox=f"0 0 {width} {height}",
        role="img",
        debug=False,
        **{"xmlns:inkscape": INKSCAPE, "xmlns:sodipodi": SODIPODI},
    )
    if photo_href is not None:
        group = drawing.add(drawing.g(id="photo", **_layer_attributes("Photo", locked=True)))
        group.add(drawing.image(photo_href, insert=(0, 0), size=(width, height), id="photo-1"))
    if background is not None:
        group = drawing.add(drawing.g(id="background", **_layer_attributes("Background", locked=True)))
        frame = f"M0 0h{width}v{height}h-{width}z"
        group.add(drawing.path(d=frame, id="background-1", style=_style(background)))
    several = len(faces) > 1
    shown: list[str] = []
    for number, face in reversed([*enumerate(faces, 1)]):
        home = drawing.g(id=f"face{number}", **_layer_attributes(f"Face {number}")) if several else drawing
        labels = _add_face(drawing, home, face, prefix_of(number), decimals, table)
        if several and labels:
            drawing.add(home)
            labels = [f"Face {number} ({', '.join(labels)})"]
        shown += labels
    drawing.set_desc(title=xml_text(title) or "Portrait", desc=f"Layers, bottom to top: {', '.join(shown) or 'none'}.")
    return _to_bytes(drawing.get_xml(), metadata)


def _add_face(drawing: Any, home: Any, face: Face, prefix: str, decimals: int, table: PartTable) -> list[str]:
    """Put a face's layers into `home`, svgwrite's; what their ids begin with is `prefix`. Returns their labels."""
    shown: list[str] = []
    for layer in face.layers:
        part = table.layers[layer.part]
        paths = [data for data in (path_data(shape, decimals) for shape in layer.shapes) if data]
        if not paths:
            continue
        group = home.add(drawing.g(id=prefix + part.name, **_layer_attributes(part.label)))
        for number, data in enumerate(paths, 1):
            group.add(drawing.path(d=data, id=f"{prefix}{part.name}-{number}", style=_style(layer.fill)))
        for tone in layer.tones:
            paths = [data for data in (path_data(shape, decimals) for shape in tone.shapes) if data]
            name = f"{prefix}{part.name}-{tone.name}"
            if paths:
                inner = group.add(drawing.g(id=name, **_layer_attributes(f"{part.label} {tone.name}")))
            for number, data in enumerate(paths, 1):
                inner.add(drawing.path(d=data, id=f"{name}-{number}", style=_style(tone.fill)))
        shown.append(part.label)
    outline = face.outline
    lines = [data for data in (line_data(line, decimals) for line in outline.lines) if data] if outline else []
    if outline and lines:
        group = home.add(drawing.g(id=f"{prefix}outline", **_layer_attributes("Outline")))
        for number, data in enumerate(lines, 1):
            group.add(drawing.path(d=data, id=f"{prefix}outline-{number}", style=_stroke_style(outline)))
        shown.append("Outline")
    return shown


def prefix_of(face: int) -> str:
    """What the ids of a face's layers begin with."""
    return f"face{face}-" if face > 1 else ""


def path_data(shape: Shape, decimals: int) -> str:
    """The `d` of one shape; empty where nothing of it is left on the grid of 10^-decimals px."""
    return "".join(_ring_data(ring, decimals) for ring in shape.rings)


def line_data(line: Line, decimals: int) -> str:
    """The `d` of one line; empty where nothing of it is left on the grid of 10^-decimals px."""
    grid: NDArray[np.int64] = np.rint(line.points * 10**decimals).astype(np.int64)
    data = _data(grid[::3], grid[:-1].reshape(-1, 3, 2), [False] * (len(grid) // 3), decimals)
    return data + "z" if data and line.closed else data


def decimals_for(size: tuple[int, int]) -> int:
    """Decimals of a coordinate such that the grid is at most 1/50000 of the diagonal of (height, width).

    512 x 512 -> 2 (0.01 px), 3000 x 4000 -> 1, 6000 x 8000 -> 1: more digits would make the file longer and show
    nowhere.
    """
    return min(4, max(0, math.ceil(math.log10(50_000 / math.hypot(*size)))))


def xml_text(text: str) -> str:
    """`text` with every character that XML 1.0 cannot hold replaced by U+FFFD. (Escaping is the writer's work.)"""
    return _NOT_XML.sub("\ufffd", text)


def _ring_data(ring: Ring, decimals: int) -> str:
    grid: NDArray[np.int64] = np.rint(ring.points * 10**decimals).astype(np.int64).reshape(-1, 3, 2)
    nodes = np.concatenate([grid[:, 0], grid[:1, 0]])
    data = _data(nodes, grid, ring.lines.tolist(), decimals, closed=True)
    return data + "z" if data else ""


def _data(
    nodes: NDArray[np.int64], grid: NDArray[np.int64], lines: list[bool], decimals: int, closed: bool = False
) -> str:
    """`M` and relative commands through `nodes` (n + 1, 2), with the controls grid[:, 1:] (n, 3, 2)."""
    # (n, 3, 2): both control points and the segment's end, relative to its start.
    relative = np.stack([grid[:, 1], grid[:, 2], nodes[1:]], axis=1) - nodes[:-1, None]
    segments = list(_segments(relative.reshape(-1, 6).tolist(), lines))
    if closed and segments and segments[-1][0] != "c":
        segments.pop()  # z draws the last line
    if not segments:
        return ""
    text = ["M", _numbers(nodes[0].tolist(), decimals).removeprefix(" ")]
    for command, run in groupby(segments, key=itemgetter(0)):
        numbers = chain.from_iterable(values for _, values in run)
        text += [command, _numbers(numbers, decimals).removeprefix(" ")]
    return "".join(text)


def _segments(relative: list[list[int]], lines: list[bool]) -> Iterator[tuple[str, list[int]]]:
    """Commands and their integers; segments that shrank to a point on the grid are left out."""
    for values, straight in zip(relative, lines, strict=True):
        x, y = values[4:]
        if not any(values) or (straight and not x and not y):
            continue
        if not straight:
            yield "c", values
        elif y == 0:
            yield "h", [x]
        elif x == 0:
            yield "v", [y]
        else:
            yield "l", [x, y]


def _numbers(values: Iterable[int], decimals: int) -> str:
    """Integers on the grid as the shortest text: `1234, -50` with two decimals is ` 12.34-.5`."""
    return "".join([_number(value, decimals) for value in values])


@lru_cache(maxsize=1 << 15)  # most are small, and come again and again
def _number(value: int, decimals: int) -> str:
    """One of them, and what parts it from the one before: its sign, or a space."""
    whole, part = divmod(abs(value), 10**decimals)
    fraction = f"{part:0{decimals}d}".rstrip("0")
    text = (str(whole) if whole or not fraction else "") + (f".{fraction}" if fraction else "")
    return f"-{text}" if value < 0 else f" {text}"


def _millimetres(px: int) -> str:
    return f"{px * MM_PER_PX:.4f}".rstrip("0").rstrip(".") + "mm"


def _style(fill: Rgb) -> str:
    return f"fill:{_hex(fill)};fill-rule:evenodd"


def _stroke_style(outline: LineWork) -> str:
    width = f"{max(outline.width, 0.01):.2f}".rstrip("0").rstrip(".")
    return f"fill:none;stroke:{_hex(outline.color)};stroke-width:{width};stroke-linejoin:round;stroke-linecap:round"


def _hex(color: Rgb) -> str:
    red, green, blue = color
    return f"#{red:02x}{green:02x}{blue:02x}"


def _layer_attributes(label: str, locked: bool = False) -> dict[str, str]:
    attributes = {"inkscape:groupmode": "layer", "inkscape:label": label}
    return attributes | {"sodipodi:insensitive": "true"} if locked else attributes


def _to_bytes(root: ET.Element, metadata: Mapping[str, Any]) -> bytes:
    """Serialise svgwrite's tree, with the two elements that svgwrite does not know, less what nobody reads."""
    for name in ("baseProfile", "xmlns:ev"):
        root.attrib.pop(name, None)
    note = ET.Element("metadata")
    note.text = xml_text(json.dumps(metadata, ensure_ascii=False))
    view = ET.Element("sodipodi:namedview", {"id": "namedview", "inkscape:document-units": "px"})
    root.remove(root.findall("defs")[0])  # empty
    root.insert(2, note)
    root.insert(3, view)
    ET.indent(root, " ")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + bytes(ET.tostring(root, encoding="utf-8")) + b"\n"
