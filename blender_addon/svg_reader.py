# SPDX-License-Identifier: GPL-3.0-or-later
"""An SVG file -> a `Drawing`: layers of shapes of cubic rings in photo pixels. No bpy here.

It reads what faceparse-svg writes, what Inkscape makes of that, and much of what other programs write. In five steps:

1. The XML becomes a tree of plain nodes. What could blow up (nesting, entities, sheer number) ends in SvgError here.
2. Layers are Inkscape's; nested ones are layers of their own. In a file without any, as Inkscape's "plain SVG",
   whatever stands at the top level is one: a group, or a single shape. Names come from the label, the title or the id.
3. Paths and basic shapes become rings; transforms, units and the viewBox are applied; clones are drawn.
4. Styles are inherited and resolved to a flat fill and stroke. Holes become even-odd whatever the fill rule was.
5. What has no counterpart (text, filters, clips, pictures, gradients) is left out or made flat, and a note says so.

Hostile files end soon, whatever they hold: every element, segment, character and entity counts against a limit far
above what an illustrator draws (the constants below), and what a clone repeats is read once.
"""

from __future__ import annotations

import json
import math
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.parsers import expat

from .css import Sheet, parse_color, parse_length, parse_share, parse_style, parse_transform, parse_url
from .drawing import LARGEST, Affine, Budget, Color, Drawing, Layer, Ring, Shape, SvgError, face_number, label_from_id
from .fill_rule import even_odd
from .path_data import (
    PathError,
    TooLong,
    ellipse,
    parse_numbers,
    parse_path,
    parse_points,
    polygon,
    read_ahead,
    rectangle,
)

if TYPE_CHECKING:
    from .arrays import Runs

MAX_BYTES = 256 << 20  # an embedded photo of 48 megapixels takes 90 MB
MAX_MARKUP = 16 << 20  # bytes without the embedded pictures
MAX_ATTRIBUTES = 400_000  # estimated by their =
MAX_ATTRIBUTE = 1 << 16  # characters of an attribute that is neither a shape's points nor a link
MAX_ENTITIES, MAX_ENTITY_TEXT = 200, 1 << 20  # of a file's own, and what they may expand to, characters
MAX_DEPTH = 200  # elements within elements, clones followed
MAX_ELEMENTS = 30_000  # clones counted as often as they are drawn
MAX_LAYERS = 2_000
MAX_SEGMENTS = 200_000  # Bezier segments, of clones too
MAX_WORK = 2_000_000  # edges looked at to make even-odd of nonzero; half a second
MAX_NOTED = 3  # ids that a note names
MAX_NAME = 200  # characters of a title, or of an id in a note

SVG = "http://www.w3.org/2000/svg"
LABEL = "{http://www.inkscape.org/namespaces/inkscape}label"
GROUP_MODE = "{http://www.inkscape.org/namespaces/inkscape}groupmode"
INSENSITIVE = "{http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd}insensitive"
XLINK_HREF = "{http://www.w3.org/1999/xlink}href"

_LONG, _SHORT = {"d", "points", "href", XLINK_HREF}, {"id", "class", "style", "transform"}
_FOREIGN = {LABEL, GROUP_MODE, INSENSITIVE, XLINK_HREF}  # what we read of other namespaces
_WITH_TEXT = {"title", "metadata", "style"}
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
_GROUPS = {"g", "a", "switch", "svg", "use"}
_SHAPES = {"path", "rect", "circle", "ellipse", "line", "polyline", "polygon"}
#: What is drawn in an SVG but cannot become curves, with what to say.
_LEFT_OUT = {
    "text": "text left out; turn it into paths first (Path > Object to Path)",
    "flowRoot": "text left out; turn it into paths first (Path > Object to Path)",
    "foreignObject": "foreign content left out",
}
_DRAWN = {*_GROUPS, *_SHAPES, *_LEFT_OUT, "image"}
_CLONED = {*_DRAWN, "symbol"}
# An embedded picture. Expat would take a second for 30 MB of it.
_PICTURE = re.compile(rb"""(["'])(data:[^"'<&]{4096,})\1""")
_SMALLEST = 1e-3  # px, of a drawing's sides
_MAX_REFERENCES = 10  # from a gradient to the one that has the colours
MANY = 100_000  # characters of path data from which on they are read ahead; a portrait has a third of that
_BATCH, _TOO_LONG = 1 << 16, 1 << 21  # characters that are read at a time: as arrays of the former size stay in a cache
_UNKNOWN = Color(0.5, 0.5, 0.5)  # of a pattern


def read_svg(path: str | os.PathLike[str]) -> Drawing:
    """The drawing in a file, .svg or .svgz. Raises SvgError, with what to do next, where there is none."""
    name = os.path.basename(os.fspath(path))
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SvgError(f"{name}: {error.strerror or error}") from None
    except ValueError as error:  # a path with a null byte
        raise SvgError(f"{name}: {error}") from None
    return parse_svg(data, name)


def parse_svg(data: bytes, name: str = "SVG") -> Drawing:
    """The drawing in the bytes of a file; `name` stands in messages and, without its suffix, for a missing title.

    Raises SvgError, and nothing else.
    """
    try:
        if data.startswith(b"\x1f\x8b"):
            data = _unpacked(data)
        if len(data) > MAX_BYTES:
            raise SvgError(f"larger than {MAX_BYTES >> 20} MB; link the photo instead of embedding it")
        return _Reader(_parse_xml(data)).drawing(os.path.splitext(name)[0])
    except SvgError as error:
        raise SvgError(f"{name}: {error}") from None


def _unpacked(data: bytes) -> bytes:
    """What a .svgz holds, and no more of it than is wanted."""
    try:
        return zlib.decompressobj(wbits=31).decompress(data, MAX_BYTES + 1)
    except zlib.error as error:
        raise SvgError(f"compressed, and broken ({error}); save it again as SVG") from None


# 1. XML -> nodes


@dataclass(eq=False)
class _Node:
    tag: str  #: local name of an SVG element; `{namespace}name` of others
    attributes: dict[str, str]
    children: list[_Node] = field(default_factory=list)
    words: list[str] = field(default_factory=list)  #: its text, in pieces; of a few elements only

    @property
    def id(self) -> str:
        return self.attributes.get("id", "")

    @property
    def text(self) -> str:
        return "".join(self.words)

    @property
    def href(self) -> str:
        return self.attributes.get("href") or self.attributes.get(XLINK_HREF) or ""

    @cached_property
    def drawn(self) -> list[_Node]:
        """The children that draw something, bottom to top; of a <switch> the first that needs no other program."""
        children = [child for child in self.children if child.tag in _DRAWN]
        if self.tag == "switch":
            children = [child for child in children if child.get("requiredExtensions") is None][:1]
        return children

    def get(self, name: str) -> str | None:
        return self.attributes.get(name)

    def find(self, tag: str) -> _Node | None:
        return next((child for child in self.children if child.tag == tag), None)


def _parse_xml(data: bytes) -> _Node:
    """The root. Raises SvgError on what is no SVG, and on what is more than a drawing has."""
    pictures: dict[str, str] = {}

    def take_out(match: re.Match[bytes]) -> bytes:
        name = f"data:,{len(pictures)}"
        pictures[name] = match[2].decode("latin-1")
        return match[1] + name.encode() + match[1]

    if b"data:" in data:
        data = _PICTURE.sub(take_out, data)
    if len(data) > MAX_MARKUP:
        raise SvgError(f"more than {MAX_MARKUP >> 20} MB without its pictures; split the drawing, or simplify it")
    if data.count(b"=") > MAX_ATTRIBUTES:
        raise SvgError(f"more than {MAX_ATTRIBUTES} attributes; split the drawing, or simplify it")
    builder = _Builder(data, pictures)
    parser = expat.ParserCreate(namespace_separator="}")  # reads no external entity unless told to
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = builder.start, builder.end
    parser.CharacterDataHandler, parser.EntityDeclHandler = builder.text, builder.entity
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise SvgError(f"no XML, or broken: {error}; open it in Inkscape and save it again") from None
    except SvgError:
        raise
    except (ValueError, LookupError) as error:  # an encoding that Python does not know
        raise SvgError(f"no XML that can be read: {error}") from None
    root = builder.top.children[0]
    if root.tag != "svg":
        raise SvgError(f"an XML file, but no SVG: its root is <{root.tag[:40]}>")
    return root


class _Builder:
    """What expat calls. Whatever could blow up is counted here."""

    def __init__(self, data: bytes, pictures: Mapping[str, str]) -> None:
        self.top = _Node("", {})
        self._stack = [self.top]
        self._pictures = pictures
        self._elements, self._entities = Budget(MAX_ELEMENTS), Budget(MAX_ENTITIES)
        self._characters = Budget(len(data) + MAX_ENTITY_TEXT)  # entities grow, and a DTD gives attributes to all
        self._references = data.count(b"&")
        self._longest_entity = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._stack) > MAX_DEPTH:
            raise SvgError(f"elements stand more than {MAX_DEPTH} deep in each other; this is no drawing")
        if not self._elements.spend(1):
            raise SvgError(f"more than {MAX_ELEMENTS} elements; split the drawing, or simplify it")
        self._count(sum(map(len, attributes.values())))
        kept: dict[str, str] = {}
        for key, value in attributes.items():
            if "}" in key:
                key = "{" + key
                if key not in _FOREIGN:
                    continue
            if len(value) > MAX_ATTRIBUTE and key not in _LONG:
                if key in _SHORT:
                    raise SvgError(f"an attribute {key} of {len(value)} characters; this is no drawing")
                continue  # an animation's values, or a note of another program's
            kept[key] = self._pictures.get(value, value) if key in ("href", XLINK_HREF) else value
        node = _Node(_local(tag), kept)
        self._stack[-1].children.append(node)
        self._stack.append(node)

    def end(self, _tag: str) -> None:
        self._stack.pop()

    def text(self, words: str) -> None:
        self._count(len(words))
        node = self._stack[-1]
        if node.tag in _WITH_TEXT:
            node.words.append(words)

    def entity(self, _name: str, parameter: bool, value: str | None, *_rest: Any) -> None:
        if value is None or parameter or "&" in value or not self._entities.spend(1):
            raise SvgError("it defines entities that refer to others or to files, or many; save it as plain SVG")
        # Before expat builds it: an attribute is handed to us only when it is whole.
        self._longest_entity = max(self._longest_entity, len(value))
        if self._longest_entity * self._references > MAX_ENTITY_TEXT:
            raise SvgError("its entities expand without measure; save it as plain SVG")

    def _count(self, length: int) -> None:
        if not self._characters.spend(length):
            raise SvgError("it expands without measure; save it as plain SVG")


def _local(tag: str) -> str:
    namespace, _, name = tag.rpartition("}")
    return name if namespace in ("", SVG) else f"{{{namespace}}}{name}"


# 2. to 5. Nodes -> layers


@dataclass(eq=False)
class _Owner:
    """What became a layer."""

    node: _Node
    id: str
    label: str
    visible: bool
    locked: bool
    face: int  #: the number of the face whose group it is, or stands in; 0 for none


@dataclass(eq=False)
class _Run:
    """What a layer draws without another layer in between: a layer of the drawing."""

    owner: _Owner
    id: str
    shapes: list[Shape]


class _Context(NamedTuple):
    """What a node has from those around it, and, once entered, from itself."""

    transform: Affine
    style: Mapping[str, str]
    viewport: complex  #: width + height*1j, in user units: what percentages are of
    opacity: float = 1.0
    owner: _Owner | None = None


class _Reader:
    def __init__(self, root: _Node) -> None:
        self._root = root
        self._by_id: dict[str, _Node] = {}
        self._sheet = Sheet(_PROPERTIES)
        self._layered = False
        for node in _walk(root):
            if node.id:
                self._by_id.setdefault(node.id, node)
            self._layered |= _is_layer(node)
            if node.tag == "style":
                self._sheet.read(node.text)
        self._runs: list[_Run] = []
        self._faces: dict[int, str] = {}  # what the groups of faces are called
        self._notes: dict[str, list[str]] = {}
        self._photo: str | None = None
        self._inside: list[_Node] = []  # the node being visited and those around it, clones followed
        self._clones = 0  # how many of these are clones
        self._visits, self._segments, self._work = Budget(MAX_ELEMENTS), Budget(MAX_SEGMENTS), Budget(MAX_WORK)
        self._names: set[str] = set()  # given away
        self._numbers: dict[str, int] = {}  # the last one put behind a name
        # What was read once, for clones, and for gradients that many use:
        self._styles: dict[_Node, dict[str, str]] = {}
        self._transforms: dict[_Node, Affine] = {}
        self._outlines: dict[tuple[_Node, bool], list[tuple[Ring, ...]]] = {}
        self._batches = _batches([node for node in _walk(root) if node.tag == "path"])
        self._runs_of: dict[_Node, Runs | None] = {}
        self._swatches: dict[str, tuple[Color | None, bool]] = {}

    def drawing(self, name: str) -> Drawing:
        root = self._root
        size, context = self._page()
        top, context = root, self._enter(root, context)
        while not self._layered and (inner := _only_group(top)) is not None:
            entered = self._enter(inner, context)
            if entered.style.get("display") == "none":
                break
            self._note_ignored(inner, entered)
            top, context = inner, entered
        for child in top.drawn:
            self._visit(child, context, top=True)
        if self._sheet.skipped:
            self._note("style rules with selectors of several steps, or for certain media, were left out")
        layers = tuple(
            Layer(
                run.id,
                run.owner.label,
                tuple(run.shapes),
                run.owner.visible,
                run.owner.locked,
                loose=run.owner.node.tag in _SHAPES,
                within=run.owner.face if self._faces else None,
            )
            for run in self._runs
        )
        return Drawing(
            title=_title(root) or name,
            size=size or _extent(layers),
            layers=layers,
            photo=self._photo,
            layered=self._layered,
            metadata=_json_object(root.find("metadata")),
            faces=self._faces,
            notes=tuple(_sentence(what, ids) for what, ids in self._notes.items()),
        )

    def _page(self) -> tuple[tuple[float, float] | None, _Context]:
        """The drawing's (height, width) in px, where the file says one, and the context around the root."""
        root = self._root
        box = _view_box(root)
        if box is None:
            if root.get("viewBox") is not None:
                self._note("its viewBox is none that can be read: sizes may be off")
            width, height = parse_length(root.get("width")), parse_length(root.get("height"))
            if not (width and height and width > 0 and height > 0):
                self._note("it has neither viewBox nor size: the size was taken from what is drawn")
                return None, _Context(Affine(), {}, 0j)
            return _sound_size(width, height), _Context(Affine(), {}, complex(width, height))
        _, _, across, down = box
        width, height = parse_length(root.get("width"), across), parse_length(root.get("height"), down)
        if not width or width <= 0:
            width = across * (height / down if height and height > 0 else 1.0)
        if not height or height <= 0:
            height = down * (width / across)
        if abs(width / across - 1) < 1e-4 and abs(height / down - 1) < 1e-4:
            width, height = across, down  # millimetres as rounded in the file: these are our pixels
        size = _sound_size(width, height)
        fit = _fit(box, width, height, root.get("preserveAspectRatio"))
        return size, _Context(fit, {}, complex(across, down))

    def _visit(self, node: _Node, around: _Context, top: bool = False) -> None:
        if not self._visits.spend(1):
            raise SvgError(f"more than {MAX_ELEMENTS} elements with its clones; unlink them (Edit > Clone)")
        if len(self._inside) > MAX_DEPTH:
            raise SvgError(f"elements and clones stand more than {MAX_DEPTH} deep in each other; this is no drawing")
        if node.tag in _LEFT_OUT:
            self._note(_LEFT_OUT[node.tag], node)
            return
        context = self._enter(node, around)
        hidden = context.style.get("display") == "none"
        if top or (_is_layer(node) and not self._clones):
            context = self._own(node, context)
        elif hidden:
            self._note("left out, being hidden", node)
            return
        self._note_ignored(node, context)
        self._inside.append(node)
        if node.tag == "image":
            self._see_image(node, context)
        elif node.tag in _SHAPES:
            self._draw(node, context)
        elif node.tag == "use":
            self._clone(node, context)
        else:
            # In a plain SVG nothing says what a layer is, but what stands in a face's group are its parts.
            parted = top and not self._layered and face_number(node.id) > 0
            for child in node.drawn:
                self._visit(child, context, top=parted)
        self._inside.pop()

    def _enter(self, node: _Node, around: _Context) -> _Context:
        """The context inside a node."""
        style = {name: around.style[name] for name in _INHERITED if name in around.style}
        style.update((name, value) for name, value in self._style(node).items() if value != "inherit")
        transform, viewport = around.transform, around.viewport
        if "transform" in node.attributes:
            transform @= self._transform(node)
        if node.tag in ("svg", "use") and node is not self._root:
            across, down = viewport.real, viewport.imag
            x, y = parse_length(node.get("x"), across) or 0.0, parse_length(node.get("y"), down) or 0.0
            transform @= Affine(t=complex(x, y))
            if node.tag == "svg":
                width = parse_length(node.get("width") or "100%", across)
                height = parse_length(node.get("height") or "100%", down)
                fit, viewport = _inner_view(node, width, height, viewport)
                transform @= fit
        return _Context(transform, style, viewport, around.opacity * _opacity(style, "opacity"), around.owner)

    def _style(self, node: _Node) -> dict[str, str]:
        """The properties that stand on a node itself."""
        style = self._styles.get(node)
        if style is None:
            style = dict(node.attributes)
            style.update(self._sheet.style(node.tag, node.get("class") or "", node.id))
            style.update(parse_style(node.get("style") or ""))
            # What is longer is no value of a property, but a clone would have it read again and again.
            style = {key: value for key, value in style.items() if key in _PROPERTIES and len(value) <= MAX_NAME}
            self._styles[node] = style
        return style

    def _transform(self, node: _Node) -> Affine:
        text = node.get("transform")
        if not text:
            return Affine()
        transform = self._transforms.get(node)
        if transform is None:
            try:
                transform = parse_transform(text)
            except PathError:
                self._note("its transform cannot be read: drawn without", node)
                transform = Affine()
            self._transforms[node] = transform
        return transform

    def _own(self, node: _Node, context: _Context) -> _Context:
        """The context of a node that becomes a layer."""
        above = context.owner
        name = node.id or "layer"
        face = face_number(node.id) if node.tag == "g" and not (above and above.face) else 0
        hidden = context.style.get("display") == "none" or context.style.get("visibility") in ("hidden", "collapse")
        owner = _Owner(
            node=node,
            id=name,
            label=_line(node.get(LABEL)) or _title(node) or label_from_id(name),
            visible=not hidden and (above is None or above.visible),
            locked=node.get(INSENSITIVE) == "true" or (above is not None and above.locked),
            face=face or (above.face if above is not None else 0),
        )
        if face:
            self._faces.setdefault(face, owner.label)
        # What the layer hides is the layer's, not the shape's, or it would be left out below.
        style = {key: value for key, value in context.style.items() if key not in ("display", "visibility")}
        return context._replace(owner=owner, style=style)

    def _clone(self, node: _Node, context: _Context) -> None:
        target = self._by_id.get(node.href[1:]) if node.href.startswith("#") else None
        if target is None or target in self._inside or target.tag not in _CLONED:
            self._note("a clone left out, its original is not in the file", node)
            return
        self._clones += 1
        if target.tag == "symbol":
            inside = self._enter(target, context)
            across, down = inside.viewport.real, inside.viewport.imag
            width = parse_length(node.get("width") or "100%", across)
            height = parse_length(node.get("height") or "100%", down)
            fit, viewport = _inner_view(target, width, height, inside.viewport)
            inside = inside._replace(transform=inside.transform @ fit, viewport=viewport)
            self._inside.append(target)
            for child in target.drawn:
                self._visit(child, inside)
            self._inside.pop()
        else:
            self._visit(target, context)
        self._clones -= 1

    def _see_image(self, node: _Node, context: _Context) -> None:
        if node.href and context.owner and context.owner.id == "photo" and self._photo is None:
            self._photo = node.href
        else:
            self._note("picture left out; only shapes become curves", node)

    def _draw(self, node: _Node, context: _Context) -> None:
        if context.style.get("visibility") in ("hidden", "collapse"):
            self._note("left out, being hidden", node)
            return
        fill = None if node.tag == "line" else self._paint(node, context, "fill", "black")
        stroke = self._paint(node, context, "stroke", "none")
        width = parse_length(context.style.get("stroke-width", "1"), 0.0)
        width = (1.0 if width is None else width) * math.sqrt(abs(context.transform.determinant))
        if stroke is not None and width <= 0:
            stroke = None
        if fill is None and stroke is None:
            self._note("left out, having neither fill nor stroke", node)
            return
        nonzero = fill is not None and context.style.get("fill-rule", "nonzero") != "evenodd"
        groups = [
            tuple(ring.mapped(context.transform) for ring in group) for group in self._outline(node, context, nonzero)
        ]
        if not groups:
            return
        if not all(ring.in_measure() for group in groups for ring in group):
            self._note("left out, its coordinates are beyond all measure", node)
            return
        run = self._run(context)
        for group in groups:
            if node.id and node is not run.owner.node:
                name = self._name(node.id, own=not self._clones)
            else:
                name = self._name(f"{run.id}-{len(run.shapes) + 1}", own=False)
            run.shapes.append(Shape(name, group, fill, stroke, width if stroke else 0.0))

    def _run(self, context: _Context) -> _Run:
        """The layer that is drawn on: the last one, unless another's shapes came in between."""
        owner = context.owner
        assert owner is not None  # whatever is drawn stands in something at the top
        if not self._runs or self._runs[-1].owner is not owner:
            if len(self._runs) == MAX_LAYERS:
                raise SvgError(f"more than {MAX_LAYERS} layers; put what belongs together in groups (Object > Group)")
            self._runs.append(_Run(owner, self._name(owner.id, own=bool(owner.node.id)), []))
        return self._runs[-1]

    def _name(self, wanted: str, own: bool) -> str:
        """`wanted`, or with a number behind it: unique in the drawing, and no other element's `own` id."""
        name, number = wanted, self._numbers.get(wanted, 1)
        while name in self._names or (name in self._by_id and not (own and name == wanted)):
            number += 1
            name = f"{wanted}-{number}"
        self._numbers[wanted] = number
        self._names.add(name)
        return name

    def _outline(self, node: _Node, context: _Context, nonzero: bool) -> list[tuple[Ring, ...]]:
        """The rings of a shape, in its own units, in groups that are filled by even-odd one after the other."""
        if node.tag not in ("path", "polygon", "polyline"):
            rings = _basic_shape(node, context.viewport)
            return [rings] if rings else []
        groups = self._outlines.get((node, nonzero))
        try:
            if groups is None:
                groups = self._outlines[node, nonzero] = self._read_outline(node, nonzero)
            elif not self._segments.spend(sum(len(ring.points) // 3 for group in groups for ring in group)):
                raise TooLong("more segments than can be drawn")
        except TooLong:
            many = f"more than {MAX_SEGMENTS} curve segments (in {_short(node)})"
            raise SvgError(f"{many}; simplify it (Path > Simplify)") from None
        return groups

    def _read_outline(self, node: _Node, nonzero: bool) -> list[tuple[Ring, ...]]:
        try:
            if node.tag == "path":
                rings = parse_path(node.get("d") or "", self._segments, self._read_ahead(node))
            else:
                rings = polygon(parse_points(node.get("points") or "", self._segments), closed=node.tag == "polygon")
        except TooLong:
            raise
        except PathError as error:
            self._note("its data break off: drawn up to there", node)
            rings = error.rings
        if not rings:
            return []
        if not nonzero:
            return [rings]
        groups, exact = even_odd(rings, self._work)
        if not exact:
            self._note("has parts that cross: fills may differ (Path > Union helps)", node)
        return groups

    def _read_ahead(self, node: _Node) -> Runs | None:
        """What read_ahead finds in a path's data: it reads many paths at once, each of them once."""
        batch = self._batches.pop(node, None)
        if batch is not None:
            for other in batch:
                self._batches.pop(other, None)
            self._runs_of.update(zip(batch, read_ahead([other.get("d") or "" for other in batch]), strict=True))
        return self._runs_of.pop(node, None)

    def _paint(self, node: _Node, context: _Context, name: str, default: str) -> Color | None:
        """The flat colour of a fill or stroke; None for none, and for what is wholly transparent."""
        text = context.style.get(name, default)
        if text.lower() == "currentcolor":
            text = context.style.get("color", "black")
        target, fallback = parse_url(text) if "(" in text else ("", "")
        if target and target not in self._by_id and fallback:
            target, text = "", fallback
        if text.lower() == "none":
            return None
        color: Color | None
        if target:
            color, mixed = self._swatch(target)
            if color is None:
                self._note("a pattern, or a gradient without colours, became grey", node)
                color = _UNKNOWN
            elif mixed:
                self._note("a gradient became its mean colour", node)
        else:
            color = parse_color(text)
            if color is None:
                self._note(f"its {name} is no colour that can be read: {default} instead", node)
                color = parse_color(default)
        if color is None:
            return None
        alpha = color.alpha * _opacity(context.style, f"{name}-opacity") * context.opacity
        return color._replace(alpha=alpha) if alpha > 0 else None

    def _swatch(self, name: str) -> tuple[Color | None, bool]:
        """(mean of a gradient's stops, whether they differ). Inkscape's swatches have one stop: those are exact."""
        if name not in self._swatches:
            colors = {color: None for stop in self._stops(name) if (color := self._stop(stop)) is not None}
            mean = Color(*(sum(part) / len(colors) for part in zip(*colors, strict=True))) if colors else None
            self._swatches[name] = mean, len(colors) > 1
        return self._swatches[name]

    def _stops(self, name: str) -> list[_Node]:
        for _ in range(_MAX_REFERENCES):  # gradients refer to others for their stops
            gradient = self._by_id.get(name)
            if gradient is None or not gradient.tag.endswith("Gradient"):
                break
            stops = [child for child in gradient.children if child.tag == "stop"]
            if stops:
                return stops
            name = gradient.href.removeprefix("#")
        return []

    def _stop(self, node: _Node) -> Color | None:
        style = self._style(node)
        color = parse_color(style.get("stop-color", "black"))
        return color and color._replace(alpha=color.alpha * _opacity(style, "stop-opacity"))

    def _note_ignored(self, node: _Node, context: _Context) -> None:
        if _IGNORED.keys().isdisjoint(context.style):
            return
        for name, what in _IGNORED.items():
            if context.style.get(name, "none") not in ("none", "normal"):
                self._note(what, node)

    def _note(self, what: str, node: _Node | None = None) -> None:
        self._notes.setdefault(what, []).append(_short(node) if node else "")


def _walk(root: _Node) -> Iterator[_Node]:
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(node.children))


def _batches(paths: Sequence[_Node]) -> dict[_Node, list[_Node]]:
    """For every path those that are read together with it, in the order of the file; none in a file of few.

    A path that is as long as many is read alone, and one that is too long for that not ahead.
    """
    lengths = [len(path.get("d") or "") for path in paths]
    batches: dict[_Node, list[_Node]] = {}
    batch: list[_Node] = []
    size = 0
    for path, length in zip(paths, lengths, strict=True) if sum(lengths) >= MANY else ():
        if size + length > _BATCH:
            batch, size = [], 0
        if length < _TOO_LONG:
            size += length
            batch.append(path)
            batches[path] = batch
    return batches


def _is_layer(node: _Node) -> bool:
    return node.tag == "g" and node.get(GROUP_MODE) == "layer"


def _opacity(style: Mapping[str, str], name: str) -> float:
    share = parse_share(style[name]) if name in style else None
    return 1.0 if share is None else share


def _only_group(node: _Node) -> _Node | None:
    """The one group that wraps everything, as other programs write it, if what it holds are groups again."""
    if len(node.drawn) != 1 or node.drawn[0].tag not in ("g", "switch"):
        return None
    return node.drawn[0] if any(child.tag == "g" for child in node.drawn[0].drawn) else None


def _basic_shape(node: _Node, viewport: complex) -> tuple[Ring, ...]:
    """The ring of a rectangle, circle, ellipse or line, in its own units."""
    across, down = viewport.real, viewport.imag
    diagonal = math.hypot(across, down) / math.sqrt(2)

    def length(name: str, whole: float) -> float:
        return parse_length(node.get(name), whole) or 0.0

    if node.tag == "line":
        ends = [complex(length("x1", across), length("y1", down)), complex(length("x2", across), length("y2", down))]
        return polygon(ends, closed=False)
    if node.tag == "rect":
        corner = complex(length("x", across), length("y", down))
        rx, ry = parse_length(node.get("rx"), across), parse_length(node.get("ry"), down)
        rx, ry = (ry if rx is None else rx), (rx if ry is None else ry)
        return rectangle(corner, length("width", across), length("height", down), rx or 0.0, ry or 0.0)
    center = complex(length("cx", across), length("cy", down))
    if node.tag == "circle":
        return ellipse(center, length("r", diagonal), length("r", diagonal))
    return ellipse(center, length("rx", across), length("ry", down))


def _view_box(node: _Node) -> tuple[float, float, float, float] | None:
    """(left, top, width, height) in user units; None where there is none to go by."""
    try:
        left, top, width, height = parse_numbers((node.get("viewBox") or "")[:MAX_NAME])
    except ValueError:  # PathError, or not four
        return None
    return (left, top, width, height) if width > 0 and height > 0 else None


def _fit(box: tuple[float, float, float, float], width: float, height: float, aspect: str | None) -> Affine:
    """The map of a viewBox onto a viewport, by the rules of preserveAspectRatio."""
    left, top, across, down = box
    x, y = width / across, height / down
    aspect = aspect or "xMidYMid meet"
    if "none" in aspect:
        return Affine.matrix(x, 0, 0, y, -left * x, -top * y)
    scale = max(x, y) if "slice" in aspect else min(x, y)
    right = 0.0 if "xMin" in aspect else 1.0 if "xMax" in aspect else 0.5
    below = 0.0 if "YMin" in aspect else 1.0 if "YMax" in aspect else 0.5
    spare = complex((width - across * scale) * right, (height - down * scale) * below)
    return Affine(complex(scale), 0, spare - scale * complex(left, top))


def _inner_view(node: _Node, width: float | None, height: float | None, around: complex) -> tuple[Affine, complex]:
    """(map, viewport) within an <svg> or <symbol> of a size."""
    if not (width and height and width > 0 and height > 0):
        return Affine(), around
    box = _view_box(node)
    if box is None:
        return Affine(), complex(width, height)
    return _fit(box, width, height, node.get("preserveAspectRatio")), complex(box[2], box[3])


def _sound_size(width: float, height: float) -> tuple[float, float]:
    """(height, width). Raises SvgError where no picture has that size."""
    if not (_SMALLEST < width < LARGEST and _SMALLEST < height < LARGEST):
        raise SvgError(f"a drawing of {width:g} x {height:g} px cannot be; set its size in the document's properties")
    return height, width


def _extent(layers: Iterable[Layer]) -> tuple[float, float]:
    """(height, width) of what is drawn, from the origin, for a file that says no size."""
    points = [point for layer in layers for shape in layer.shapes for ring in shape.rings for point in ring.points]
    width = max((point.real for point in points), default=0.0)
    height = max((point.imag for point in points), default=0.0)
    return (height, width) if width > _SMALLEST and height > _SMALLEST else (1.0, 1.0)


def _json_object(node: _Node | None) -> dict[str, Any]:
    text = node.text if node else ""
    try:
        value = json.loads(text) if len(text) <= MAX_ATTRIBUTE else {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _line(text: str | None) -> str:
    """The beginning of a text, on one line."""
    return " ".join((text or "")[:MAX_NAME].split())


def _title(node: _Node) -> str:
    title = node.find("title")
    return _line(title.text) if title else ""


def _short(node: _Node) -> str:
    return _line(node.id) or f"<{node.tag}>"


def _sentence(what: str, ids: list[str]) -> str:
    named = ", ".join(filter(None, ids[:MAX_NOTED]))
    more = f" and {len(ids) - MAX_NOTED} more" if len(ids) > MAX_NOTED else ""
    return f"{named}{more}: {what}" if named else what
