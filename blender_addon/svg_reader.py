# SPDX-License-Identifier: GPL-3.0-or-later
"""An SVG file -> a `Drawing`: layers of shapes of cubic rings in photo pixels. No bpy here.

It reads what faceparse-svg writes, what Inkscape makes of that, and much of what other programs write. In five steps:

1. The XML becomes a tree of plain nodes. What could blow up (nesting, entities, sheer number) ends in SvgError here.
2. Layers are Inkscape's; nested ones are layers of their own. In a file without any, as Inkscape's "plain SVG",
   whatever stands at the top level is one: a group, or a single shape. Names come from the label, the title or the id.
3. Paths and basic shapes become rings; transforms, units and the viewBox are applied; clones are drawn.
4. Styles are inherited and resolved to a flat fill and stroke. Holes become even-odd whatever the fill rule was.
5. What has no counterpart (text, filters, clips, pictures, gradients) is left out or made flat, and a note says so.

Limits, each far above what an illustrator draws: see the constants below.
"""

from __future__ import annotations

import cmath
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from xml.parsers import expat

from .css import parse_color, parse_length, parse_share, parse_sheet, parse_style, parse_transform
from .drawing import Affine, Color, Drawing, Layer, Ring, Shape, SvgError, label_from_id, unique
from .fill_rule import even_odd
from .path_data import PathError, TooLong, ellipse, parse_numbers, parse_path, polygon, rectangle

MAX_BYTES = 256 << 20  # an embedded photo of 48 megapixels takes 90 MB
MAX_DEPTH = 200  # elements within elements
MAX_ELEMENTS = 60_000  # clones counted as often as they are drawn
MAX_SEGMENTS = 300_000  # Bezier segments, of clones too
MAX_ENTITY_TEXT = 1 << 20  # bytes that a file's own entities may expand to
MAX_NOTED = 3  # ids that a note names

SVG = "http://www.w3.org/2000/svg"
INKSCAPE = "{http://www.inkscape.org/namespaces/inkscape}"
SODIPODI = "{http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd}"
XLINK = "{http://www.w3.org/1999/xlink}"

#: Properties that an element passes on to what it holds.
_INHERITED = (
    "fill", "fill-opacity", "fill-rule", "stroke", "stroke-opacity", "stroke-width", "visibility", "color",
)  # fmt: skip
_PROPERTIES = (*_INHERITED, "opacity", "display", "filter", "clip-path", "mask", "transform")
_SHAPES = {"path", "rect", "circle", "ellipse", "line", "polyline", "polygon"}
_GROUPS = {"g", "a", "switch", "svg", "use"}
#: What is drawn in an SVG but cannot become curves, with what to say.
_LEFT_OUT = {
    "text": "text left out; turn it into paths first (Path > Object to Path)",
    "flowRoot": "text left out; turn it into paths first (Path > Object to Path)",
    "foreignObject": "foreign content left out",
}
_IGNORED = {
    "filter": "its filter (blur, shadow) was left away",
    "clip-path": "its clip was left away: it shows whole",
    "mask": "its mask was left away: it shows whole",
}
_LARGEST = 1e9  # px
_SMALLEST = 1e-3  # px
_URL = re.compile(r"url\(\s*['\"]?#([^'\")]+)['\"]?\s*\)\s*(.*)")


def read_svg(path: str | os.PathLike[str]) -> Drawing:
    """The drawing in a file. Raises SvgError, with what to do next, on a file that is missing or no SVG."""
    name = os.path.basename(os.fspath(path))
    try:
        if os.path.getsize(path) > MAX_BYTES:
            raise SvgError(f"{name}: larger than {MAX_BYTES >> 20} MB; link the photo instead of embedding it")
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise SvgError(f"{name}: {error.strerror or error}") from None
    return parse_svg(data, name)


def parse_svg(data: bytes, name: str = "SVG") -> Drawing:
    """The drawing in the bytes of a file; `name` stands in messages and, without its suffix, for a missing title.

    Raises SvgError, and nothing else.
    """
    try:
        return _Reader(_parse_xml(data)).drawing(os.path.splitext(name)[0])
    except SvgError as error:
        raise SvgError(f"{name}: {error}") from None


# 1. XML -> nodes


@dataclass
class _Node:
    tag: str  #: local name of an SVG element; `{namespace}name` of others
    attributes: dict[str, str]
    children: list[_Node] = field(default_factory=list)
    text: str = ""

    @property
    def id(self) -> str:
        return self.attributes.get("id", "")

    def get(self, name: str) -> str | None:
        return self.attributes.get(name)

    def find(self, tag: str) -> _Node | None:
        return next((child for child in self.children if child.tag == tag), None)


def _parse_xml(data: bytes) -> _Node:
    """The root. Expat reads no external entity unless told to; the file's own are counted before they can explode."""
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    root = _Node("", {})
    stack = [root]
    count = expanded = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(stack) > MAX_DEPTH:
            raise SvgError(f"elements stand more than {MAX_DEPTH} deep in each other; this is no drawing")
        if count > MAX_ELEMENTS:
            raise SvgError(f"more than {MAX_ELEMENTS} elements; split the drawing, or simplify it")
        node = _Node(_local(tag), {f"{{{key}" if "}" in key else key: value for key, value in attributes.items()})
        stack[-1].children.append(node)
        stack.append(node)

    def end(_tag: str) -> None:
        stack.pop()

    def text(words: str) -> None:
        stack[-1].text += words

    def entity(name: str, _parameter: bool, value: str | None, *_rest: Any) -> None:
        nonlocal expanded
        if value is None or "&" in value or "%" in value or b"<!ENTITY" not in data:
            raise SvgError("it defines entities that refer to others or to files; save it as plain SVG")
        expanded += len(value) * data.count(b"&" + name.encode() + b";")
        if expanded > MAX_ENTITY_TEXT:
            raise SvgError("its entities expand without measure; save it as plain SVG")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.EntityDeclHandler = text, entity
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise SvgError(f"no XML, or broken: {error}; open it in Inkscape and save it again") from None
    except (ValueError, LookupError) as error:  # an encoding that Python does not know
        raise error if isinstance(error, SvgError) else SvgError(f"no XML that can be read: {error}") from None
    if root.children[0].tag != "svg":
        raise SvgError(f"an XML file, but no SVG: its root is <{root.children[0].tag[:40]}>")
    return root.children[0]


def _local(tag: str) -> str:
    namespace, brace, name = tag.rpartition("}")
    return name if namespace in ("", SVG) else f"{{{namespace}{brace}{name}"


# 2. to 5. Nodes -> layers


@dataclass(eq=False)
class _Owner:
    """The node that became a layer."""

    id: str
    label: str
    visible: bool
    locked: bool


@dataclass(frozen=True)
class _Context:
    """What a node has from those around it, and, once entered, from itself."""

    transform: Affine
    style: Mapping[str, str]
    opacity: float = 1.0
    owner: _Owner | None = None


class _Reader:
    def __init__(self, root: _Node) -> None:
        self._root = root
        self._by_id: dict[str, _Node] = {}
        self._sheet: dict[str, dict[str, str]] = {}
        self._layered = False
        for node in _walk(root):
            if node.id:
                self._by_id.setdefault(node.id, node)
            self._layered |= _is_layer(node)
            if node.tag == "style":
                self._sheet.update(parse_sheet(node.text))
        self._runs: list[tuple[_Owner, list[Shape]]] = []
        self._notes: dict[str, list[str]] = {}
        self._visited = self._segments = 0
        self._cloning: list[str] = []
        self._photo: str | None = None

    def drawing(self, name: str) -> Drawing:
        root = self._root
        size, view = self._view()
        top, context = root, self._enter(root, _Context(view, {}))
        while not self._layered and (inner := _only_group(top)) is not None:
            top, context = inner, self._enter(inner, context)
        for child in top.children:
            self._visit(child, context, top=True)
        title = root.find("title")
        taken: set[str] = set()
        layers: list[Layer] = []
        for owner, shapes in self._runs:
            layer_id = unique(owner.id, taken)
            taken.add(layer_id)
            layers.append(Layer(layer_id, owner.label, tuple(shapes), owner.visible, owner.locked))
        return Drawing(
            title=" ".join((title.text if title else "").split()) or name,
            size=size or _extent(layers),
            layers=tuple(layers),
            photo=self._photo,
            layered=self._layered,
            metadata=_json_object(root.find("metadata")),
            notes=tuple(_sentence(what, ids) for what, ids in self._notes.items()),
        )

    def _view(self) -> tuple[tuple[float, float] | None, Affine]:
        """The drawing's (height, width) in px, where the file says one, and the map from user units to px."""
        root = self._root
        try:
            box = parse_numbers(root.get("viewBox") or "")
        except PathError:
            box = []
        if len(box) != 4 or not all(map(math.isfinite, box)) or box[2] <= 0 or box[3] <= 0:
            if root.get("viewBox") is not None:
                self._note("its viewBox is none that can be read: sizes may be off")
            width, height = parse_length(root.get("width")), parse_length(root.get("height"))
            if not (width and height and width > 0 and height > 0):
                self._note("it has neither viewBox nor size: the size was taken from what is drawn")
                return None, Affine()
            return _sound_size(width, height), Affine()
        left, top, across, down = box
        width = parse_length(root.get("width"), across)
        height = parse_length(root.get("height"), down)
        if not width or width <= 0:
            width = across * (height / down if height and height > 0 else 1.0)
        if not height or height <= 0:
            height = down * (width / across)
        size = _sound_size(width, height)
        x, y = width / across, height / down
        if abs(x - 1) < 1e-4 and abs(y - 1) < 1e-4:  # millimetres as rounded in the file: these are our pixels
            return (down, across), Affine(t=complex(-left, -top))
        if "none" not in (root.get("preserveAspectRatio") or ""):
            x = y = min(x, y)
        offset = complex(width - across * x, height - down * y) / 2
        return size, Affine.matrix(x, 0, 0, y, -left * x, -top * y)._replace(t=complex(-left * x, -top * y) + offset)

    def _visit(self, node: _Node, around: _Context, top: bool = False) -> None:
        self._visited += 1
        if self._visited > MAX_ELEMENTS:
            raise SvgError(f"more than {MAX_ELEMENTS} elements with its clones; unlink them (Edit > Clone)")
        tag = node.tag
        if tag in _LEFT_OUT:
            if _LEFT_OUT[tag]:
                self._note(_LEFT_OUT[tag], node)
            return
        if tag not in _GROUPS and tag not in _SHAPES and tag != "image":
            return
        try:
            context = self._enter(node, around)
        except PathError:
            self._note("left out, its transform cannot be read", node)
            return
        hidden = context.style.get("display") == "none"
        if top or _is_layer(node):
            context = self._own(node, context)
        elif hidden:
            self._note("left out, being hidden", node)
            return
        for name, what in _IGNORED.items():
            if context.style.get(name, "none") != "none":
                self._note(what, node)
        if tag == "image":
            self._see_image(node, context)
        elif tag in _SHAPES:
            self._draw(node, context)
        elif tag == "use":
            self._clone(node, context)
        elif tag == "switch":
            first = next((child for child in node.children if child.tag in _GROUPS or child.tag in _SHAPES), None)
            if first:
                self._visit(first, context)
        else:
            for child in node.children:
                self._visit(child, context)

    def _enter(self, node: _Node, around: _Context) -> _Context:
        """The context inside a node. Raises PathError on a transform that is none."""
        own = {name: value for name in _PROPERTIES if (value := node.get(name)) is not None}
        if self._sheet:
            selectors = [node.tag, *(f".{word}" for word in (node.get("class") or "").split()), f"#{node.id}"]
            for selector in selectors:
                own.update(self._sheet.get(selector, {}))
        written = node.get("style")
        if written:
            own.update(parse_style(written))
        style = {name: around.style[name] for name in _INHERITED if name in around.style}
        style.update((name, value) for name, value in own.items() if value != "inherit")
        opacity = parse_share(style.get("opacity", "1"))
        transform = around.transform
        if node.get("transform"):
            transform @= parse_transform(node.get("transform") or "")
        if node.tag in ("svg", "use") and node is not self._root:
            x, y = parse_length(node.get("x")), parse_length(node.get("y"))
            transform @= Affine(t=complex(x or 0.0, y or 0.0))
            if node.tag == "svg":
                transform @= _inner_view(node)
        if not transform.is_finite():
            raise PathError("the transform is beyond all numbers")
        return replace(
            around, transform=transform, style=style, opacity=around.opacity * (1.0 if opacity is None else opacity)
        )

    def _own(self, node: _Node, context: _Context) -> _Context:
        """The context of a node that becomes a layer."""
        above = context.owner
        name = node.id or unique("layer", (owner.id for owner, _ in self._runs))
        title = node.find("title")
        label = node.get(f"{INKSCAPE}label") or (title.text if title else "")
        hidden = context.style.get("display") == "none" or context.style.get("visibility") in ("hidden", "collapse")
        owner = _Owner(
            id=name,
            label=" ".join(label.split()) or label_from_id(name),
            visible=not hidden and (above is None or above.visible),
            locked=node.get(f"{SODIPODI}insensitive") == "true" or (above is not None and above.locked),
        )
        # What the layer hides is the layer's, not the shape's, or it would be left out below.
        style = {key: value for key, value in context.style.items() if key not in ("display", "visibility")}
        return replace(context, owner=owner, style=style)

    def _clone(self, node: _Node, context: _Context) -> None:
        href = node.get("href") or node.get(f"{XLINK}href") or ""
        target = self._by_id.get(href.removeprefix("#")) if href.startswith("#") else None
        if target is None or target.id in self._cloning:
            self._note("a clone left out, its original is not in the file", node)
            return
        self._cloning.append(target.id)
        if target.tag == "symbol":
            inside = self._enter(target, context)
            for child in target.children:
                self._visit(child, inside)
        else:
            self._visit(target, context)
        self._cloning.pop()

    def _see_image(self, node: _Node, context: _Context) -> None:
        href = node.get(f"{XLINK}href") or node.get("href")
        if href and context.owner and context.owner.id == "photo" and self._photo is None:
            self._photo = href
        else:
            self._note("picture left out; only shapes become curves", node)

    def _draw(self, node: _Node, context: _Context) -> None:
        if context.style.get("visibility") in ("hidden", "collapse"):
            self._note("left out, being hidden", node)
            return
        try:
            rings = _rings(node, MAX_SEGMENTS)
        except PathError as error:
            if isinstance(error, TooLong):
                raise SvgError(f"{node.id or 'a path'} has {error}; simplify it (Path > Simplify)") from None
            self._note(f"path data that break off ({error}): drawn up to there", node)
            rings = error.rings
        self._segments += sum(len(ring.points) for ring in rings) // 3
        if self._segments > MAX_SEGMENTS:
            raise SvgError(f"more than {MAX_SEGMENTS} curve segments; simplify it (Path > Simplify)")
        if not rings:
            return
        fill = None if node.tag == "line" else self._paint(node, context, "fill", "black")
        stroke = self._paint(node, context, "stroke", "none")
        width = parse_length(context.style.get("stroke-width", "1"), 0.0) or 0.0
        width *= math.sqrt(abs(context.transform.determinant))
        if stroke is not None and width <= 0:
            stroke = None
        if fill is None and stroke is None:
            self._note("left out, having neither fill nor stroke", node)
            return
        mapped = tuple(ring.mapped(context.transform) for ring in rings)
        if not all(cmath.isfinite(point) and abs(point) < _LARGEST for ring in mapped for point in ring.points):
            self._note("left out, its coordinates are beyond all measure", node)
            return
        groups = [mapped]
        if fill is not None and len(mapped) > 1 and context.style.get("fill-rule", "nonzero") != "evenodd":
            groups, exact = even_odd(mapped)
            if not exact:
                self._note("has parts that cross: fills may differ (Path > Union helps)", node)
        owner = context.owner
        assert owner is not None  # whatever is drawn stands in something at the top
        if not self._runs or self._runs[-1][0] is not owner:
            self._runs.append((owner, []))
        shapes = self._runs[-1][1]
        for group in groups:
            name = node.id or f"{owner.id}-{len(shapes) + 1}"
            shapes.append(Shape(name, group, fill, stroke, width if stroke else 0.0))

    def _paint(self, node: _Node, context: _Context, name: str, default: str) -> Color | None:
        """The flat colour of a fill or stroke; None for none, and for what is wholly transparent."""
        text = context.style.get(name, default).strip()
        if text.lower() == "currentcolor":
            text = context.style.get("color", "black")
        color: Color | None = None
        url = _URL.match(text)
        if text == "none" or (url and url[2].strip() == "none" and url[1] not in self._by_id):
            return None
        if url:
            color = self._gradient(node, url[1]) or parse_color(url[2])
            if color is None:
                self._note("a pattern, or a gradient without colours, became grey", node)
                color = Color(0.5, 0.5, 0.5)
        else:
            color = parse_color(text)
            if color is None:
                self._note(f"{name} {text[:40]!r} is no colour: {default} instead", node)
                color = parse_color(default)
        share = parse_share(context.style.get(f"{name}-opacity", "1"))
        if color is None:
            return None
        alpha = color.alpha * (1.0 if share is None else share) * context.opacity
        return color._replace(alpha=alpha) if alpha > 0 else None

    def _gradient(self, node: _Node, name: str) -> Color | None:
        """The mean of a gradient's stops. Inkscape's swatches are gradients of one stop: those are exact."""
        for _ in range(10):  # gradients refer to others for their stops
            gradient = self._by_id.get(name)
            if gradient is None or not gradient.tag.endswith("Gradient"):
                return None
            stops = [child for child in gradient.children if child.tag == "stop"]
            if stops:
                colors = [color for stop in stops if (color := _stop(stop)) is not None]
                if len(colors) > 1:
                    self._note("a gradient became its mean colour", node)
                return Color(*(sum(part) / len(colors) for part in zip(*colors, strict=True))) if colors else None
            name = (gradient.get("href") or gradient.get(f"{XLINK}href") or "").removeprefix("#")
        return None

    def _note(self, what: str, node: _Node | None = None) -> None:
        self._notes.setdefault(what, []).append((node.id or f"<{node.tag}>") if node else "")


def _walk(root: _Node) -> Iterator[_Node]:
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(node.children))


def _is_layer(node: _Node) -> bool:
    return node.tag == "g" and node.get(f"{INKSCAPE}groupmode") == "layer"


def _only_group(node: _Node) -> _Node | None:
    """The one group that wraps everything, as other programs write it, if what it holds are groups again."""
    drawn = [child for child in node.children if child.tag in _GROUPS or child.tag in _SHAPES or child.tag in _LEFT_OUT]
    drawn = [child for child in drawn if _LEFT_OUT.get(child.tag, "drawn")]
    if len(drawn) != 1 or drawn[0].tag != "g" or "none" in (drawn[0].get("style") or drawn[0].get("display") or ""):
        return None
    return drawn[0] if any(child.tag == "g" for child in drawn[0].children) else None


def _rings(node: _Node, limit: int) -> tuple[Ring, ...]:
    """The rings of a shape, in its own units. Raises PathError."""
    if node.tag == "path":
        return parse_path(node.get("d") or "", limit)
    if node.tag in ("polygon", "polyline"):
        values = parse_numbers(node.get("points") or "")
        points = [complex(*pair) for pair in zip(values[::2], values[1::2], strict=False)]
        return polygon(points, closed=node.tag == "polygon")

    def length(name: str, default: float | None = 0.0) -> float:
        value = parse_length(node.get(name))
        return (default or 0.0) if value is None else value

    if node.tag == "line":
        return polygon([complex(length("x1"), length("y1")), complex(length("x2"), length("y2"))], closed=False)
    if node.tag == "rect":
        rx, ry = parse_length(node.get("rx")), parse_length(node.get("ry"))
        rx, ry = (ry if rx is None else rx), (rx if ry is None else ry)
        corner = complex(length("x"), length("y"))
        return rectangle(corner, length("width"), length("height"), rx or 0.0, ry or 0.0)
    center = complex(length("cx"), length("cy"))
    rx, ry = (length("r"), length("r")) if node.tag == "circle" else (length("rx"), length("ry"))
    return ellipse(center, rx, ry)


def _inner_view(node: _Node) -> Affine:
    """The map that the viewBox of an <svg> within the drawing makes."""
    box = parse_numbers(node.get("viewBox") or "")
    width, height = parse_length(node.get("width")), parse_length(node.get("height"))
    if len(box) != 4 or not (box[2] > 0 and box[3] > 0 and width and height):
        return Affine()
    scale = min(width / box[2], height / box[3])
    offset = complex(width - box[2] * scale, height - box[3] * scale) / 2
    return Affine(complex(scale), 0, offset - scale * complex(box[0], box[1]))


def _stop(node: _Node) -> Color | None:
    style = {name: value for name in ("stop-color", "stop-opacity") if (value := node.get(name)) is not None}
    style.update(parse_style(node.get("style") or ""))
    color = parse_color(style.get("stop-color", "black"))
    share = parse_share(style.get("stop-opacity", "1"))
    return color and color._replace(alpha=color.alpha * (1.0 if share is None else share))


def _sound_size(width: float, height: float) -> tuple[float, float]:
    """(height, width). Raises SvgError where no picture has that size."""
    if not (_SMALLEST < width < _LARGEST and _SMALLEST < height < _LARGEST):
        raise SvgError(f"a drawing of {width:g} x {height:g} px cannot be; set its size in the document's properties")
    return height, width


def _extent(layers: list[Layer]) -> tuple[float, float]:
    """(height, width) of what is drawn, from the origin, for a file that says no size."""
    points = [point for layer in layers for shape in layer.shapes for ring in shape.rings for point in ring.points]
    width = max((point.real for point in points), default=0.0)
    height = max((point.imag for point in points), default=0.0)
    return (height, width) if width > _SMALLEST and height > _SMALLEST else (1.0, 1.0)


def _json_object(node: _Node | None) -> dict[str, Any]:
    try:
        value = json.loads(node.text if node else "")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _sentence(what: str, ids: list[str]) -> str:
    named = ", ".join(filter(None, ids[:MAX_NOTED]))
    more = f" and {len(ids) - MAX_NOTED} more" if len(ids) > MAX_NOTED else ""
    return f"{named}{more}: {what}" if named else what
