# SPDX-License-Identifier: GPL-3.0-or-later
"""An SVG file -> a `Drawing`: layers of shapes of cubic rings in photo pixels. No bpy here.

It reads what faceparse-svg writes, what Inkscape makes of that, and much of what other programs write. In five steps:

1. The XML becomes a tree of plain nodes (`svg_tree`).
2. Layers are Inkscape's; nested ones are layers of their own. In a file without any, as Inkscape's "plain SVG",
   whatever stands at the top level is one: a group, or a single shape. Names come from the label, the title or the id.
3. Paths and basic shapes become rings (`outlines`); transforms, units and the viewBox (`viewport`) are applied; clones
   are drawn. Holes become even-odd whatever the fill rule was (`fill_rule`).
4. Styles are inherited and resolved to a flat fill and stroke (`styles`).
5. What has no counterpart (text, filters, clips, pictures, gradients) is left out or made flat, and a note says so.

Hostile files end soon, whatever they hold: every element, segment, character and entity counts against a limit far
above what an illustrator draws, and what a clone repeats is read once.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from .css import parse_length, parse_transform
from .drawing import Affine, Budget, Color, Drawing, Layer, Ring, Shape, SvgError, face_number, label_from_id
from .notes import Notes
from .outlines import Outlines
from .path_reader import PathError
from .styles import Style, Styles, is_hidden, share
from .svg_tree import (
    DRAWN,
    INSENSITIVE,
    LABEL,
    MAX_ATTRIBUTE,
    MAX_DEPTH,
    MAX_ELEMENTS,
    SHAPES,
    Node,
    beginning,
    parse_tree,
    read_file,
)
from .viewport import SMALLEST, inner_view, page_of

MAX_LAYERS = 2_000

#: What is drawn in an SVG but cannot become curves, with what to say.
_LEFT_OUT = {
    "text": "text left out; turn it into paths first (Path > Object to Path)",
    "flowRoot": "text left out; turn it into paths first (Path > Object to Path)",
    "foreignObject": "foreign content left out",
}
_CLONED = {*DRAWN, "symbol"}


def read_svg(path: str | os.PathLike[str]) -> Drawing:
    """The drawing in a file, .svg or .svgz. Raises SvgError, with what to do next, where there is none."""
    name = os.path.basename(os.fspath(path))
    try:
        data = read_file(path)
    except SvgError as error:
        raise SvgError(f"{name}: {error}") from None
    return parse_svg(data, name)


def parse_svg(data: bytes, name: str = "SVG") -> Drawing:
    """The drawing in the bytes of a file; `name` stands in messages and, without its suffix, for a missing title.

    Raises SvgError, and nothing else.
    """
    try:
        return _Reader(parse_tree(data)).drawing(os.path.splitext(name)[0])
    except SvgError as error:
        raise SvgError(f"{name}: {error}") from None


@dataclass(eq=False)
class _Owner:
    """What became a layer."""

    node: Node
    id: str
    label: str
    visible: bool
    locked: bool
    face: int  #: the number of the face whose group it is, or stands in; 0 for none


@dataclass(eq=False)
class _Piece:
    """What a layer draws without another layer in between: a layer of the drawing."""

    owner: _Owner
    id: str
    shapes: list[Shape]


class _Context(NamedTuple):
    """What a node has from those around it, and, once entered, from itself."""

    transform: Affine
    style: Style
    viewport: complex  #: see the module `viewport`
    opacity: float = 1.0
    owner: _Owner | None = None


class _Reader:
    def __init__(self, root: Node) -> None:
        self._root = root
        self._by_id: dict[str, Node] = {}
        for node in root.walk():
            if node.id:
                self._by_id.setdefault(node.id, node)
        self._layered = any(node.is_layer for node in root.walk())
        self._notes = Notes()
        self._styles = Styles(root, self._by_id, self._notes)
        self._outlines = Outlines(root, self._notes)
        self._transforms: dict[Node, Affine] = {}
        self._pieces: list[_Piece] = []
        self._faces: dict[int, str] = {}  # what the groups of faces are called
        self._photo: str | None = None
        self._layer_nodes: set[Node] = set()  # that become layers
        self._inside: list[Node] = []  # the node being visited and those around it, clones followed
        self._clones = 0  # how many of these are clones
        self._visits = Budget(MAX_ELEMENTS)  # clones counted as often as they are drawn
        self._names: set[str] = set()  # given away
        self._numbers: dict[str, int] = {}  # the last one put behind a name

    def drawing(self, name: str) -> Drawing:
        root = self._root
        page = page_of(root, self._notes)
        top, context = self._top(_Context(page.transform, {}, page.viewport))
        self._layer_nodes = _layer_nodes(top, self._layered)
        for child in top.drawn:
            self._visit(child, context)
        layers = tuple(self._layer(piece) for piece in self._pieces)
        return Drawing(
            title=root.title or name,
            size=page.size or _extent(layers),
            layers=layers,
            photo=self._photo,
            layered=self._layered,
            metadata=_json_object(root.find("metadata")),
            faces=self._faces,
            notes=self._notes.sentences(),
        )

    def _top(self, around: _Context) -> tuple[Node, _Context]:
        """What the layers stand in, with the context inside: the root, or what else wraps everything."""
        top, context = self._root, self._enter(self._root, around)
        while not self._layered and (inner := _only_group(top)) is not None:
            entered = self._enter(inner, context)
            if entered.style.get("display") == "none":
                break
            self._styles.note_ignored(inner, entered.style)
            top, context = inner, entered
        return top, context

    def _layer(self, piece: _Piece) -> Layer:
        owner = piece.owner
        return Layer(
            piece.id,
            owner.label,
            tuple(piece.shapes),
            owner.visible,
            owner.locked,
            loose=owner.node.tag in SHAPES,
            within=owner.face if self._faces else None,
        )

    def _visit(self, node: Node, around: _Context) -> None:
        if not self._visits.spend(1):
            raise SvgError(f"more than {MAX_ELEMENTS} elements with its clones; unlink them (Edit > Clone)")
        if len(self._inside) > MAX_DEPTH:
            raise SvgError(f"elements and clones stand more than {MAX_DEPTH} deep in each other; this is no drawing")
        if node.tag in _LEFT_OUT:
            self._notes.add(_LEFT_OUT[node.tag], node)
            return
        context = self._enter(node, around)
        if node in self._layer_nodes and not self._clones:
            context = self._own(node, context)
        elif context.style.get("display") == "none":
            self._notes.add("left out, being hidden", node)
            return
        self._styles.note_ignored(node, context.style)
        self._inside.append(node)
        if node.tag == "image":
            self._see_image(node, context)
        elif node.tag in SHAPES:
            self._draw(node, context)
        elif node.tag == "use":
            self._clone(node, context)
        else:
            for child in node.drawn:
                self._visit(child, context)
        self._inside.pop()

    def _enter(self, node: Node, around: _Context) -> _Context:
        """The context inside a node."""
        style = self._styles.of(node, around.style)
        transform, viewport = around.transform, around.viewport
        if "transform" in node.attributes:
            transform @= self._transform(node)
        if node.tag in ("svg", "use") and node is not self._root:
            x, y = parse_length(node.get("x"), viewport.real), parse_length(node.get("y"), viewport.imag)
            transform @= Affine(t=complex(x or 0.0, y or 0.0))
            if node.tag == "svg":
                fit, viewport = inner_view(node, node, viewport)
                transform @= fit
        return _Context(transform, style, viewport, around.opacity * share(style, "opacity"), around.owner)

    def _transform(self, node: Node) -> Affine:
        text = node.get("transform")
        if not text:
            return Affine()
        transform = self._transforms.get(node)
        if transform is None:
            try:
                transform = parse_transform(text)
            except PathError:
                self._notes.add("its transform cannot be read: drawn without", node)
                transform = Affine()
            self._transforms[node] = transform
        return transform

    def _own(self, node: Node, context: _Context) -> _Context:
        """The context of a node that becomes a layer."""
        above = context.owner
        name = node.id or "layer"
        face = face_number(node.id) if node.tag == "g" and not (above and above.face) else 0
        hidden = context.style.get("display") == "none" or is_hidden(context.style)
        owner = _Owner(
            node=node,
            id=name,
            label=beginning(node.get(LABEL)) or node.title or label_from_id(name),
            visible=not hidden and (above is None or above.visible),
            locked=node.get(INSENSITIVE) == "true" or (above is not None and above.locked),
            face=face or (above.face if above is not None else 0),
        )
        if face:
            self._faces.setdefault(face, owner.label)
        # What the layer hides is the layer's, not the shape's, or it would be left out below.
        style = {key: value for key, value in context.style.items() if key not in ("display", "visibility")}
        return context._replace(owner=owner, style=style)

    def _clone(self, node: Node, context: _Context) -> None:
        target = self._by_id.get(node.href[1:]) if node.href.startswith("#") else None
        if target is None or target in self._inside or target.tag not in _CLONED:
            self._notes.add("a clone left out, its original is not in the file", node)
            return
        self._clones += 1
        if target.tag == "symbol":
            inside = self._enter(target, context)
            fit, viewport = inner_view(target, node, inside.viewport)
            inside = inside._replace(transform=inside.transform @ fit, viewport=viewport)
            self._inside.append(target)
            for child in target.drawn:
                self._visit(child, inside)
            self._inside.pop()
        else:
            self._visit(target, context)
        self._clones -= 1

    def _see_image(self, node: Node, context: _Context) -> None:
        if node.href and context.owner and context.owner.id == "photo" and self._photo is None:
            self._photo = node.href
        else:
            self._notes.add("picture left out; only shapes become curves", node)

    def _draw(self, node: Node, context: _Context) -> None:
        if is_hidden(context.style):
            self._notes.add("left out, being hidden", node)
            return
        fill = None if node.tag == "line" else self._styles.fill(node, context.style, context.opacity)
        stroke = self._styles.stroke(node, context.style, context.opacity)
        width = parse_length(context.style.get("stroke-width", "1"), 0.0)
        width = (1.0 if width is None else width) * math.sqrt(abs(context.transform.determinant))
        if stroke is not None and width <= 0:
            stroke = None
        if fill is None and stroke is None:
            self._notes.add("left out, having neither fill nor stroke", node)
            return
        nonzero = fill is not None and context.style.get("fill-rule", "nonzero") != "evenodd"
        groups = [
            tuple(ring.mapped(context.transform) for ring in group)
            for group in self._outlines.of(node, context.viewport, nonzero)
        ]
        if not all(ring.in_measure() for group in groups for ring in group):
            self._notes.add("left out, its coordinates are beyond all measure", node)
        elif groups:
            self._add(node, context, groups, fill, stroke, width if stroke else 0.0)

    def _add(
        self,
        node: Node,
        context: _Context,
        groups: list[tuple[Ring, ...]],
        fill: Color | None,
        stroke: Color | None,
        width: float,
    ) -> None:
        """A shape for each group of rings, on the layer that is drawn on."""
        piece = self._piece(context)
        for group in groups:
            if node.id and node is not piece.owner.node:
                name = self._name(node.id, own=not self._clones)
            else:
                name = self._name(f"{piece.id}-{len(piece.shapes) + 1}", own=False)
            piece.shapes.append(Shape(name, group, fill, stroke, width))

    def _piece(self, context: _Context) -> _Piece:
        """The layer that is drawn on: the last one, unless another's shapes came in between."""
        owner = context.owner
        assert owner is not None  # whatever is drawn stands in something at the top
        if not self._pieces or self._pieces[-1].owner is not owner:
            if len(self._pieces) == MAX_LAYERS:
                raise SvgError(f"more than {MAX_LAYERS} layers; put what belongs together in groups (Object > Group)")
            self._pieces.append(_Piece(owner, self._name(owner.id, own=bool(owner.node.id)), []))
        return self._pieces[-1]

    def _name(self, wanted: str, own: bool) -> str:
        """`wanted`, or with a number behind it: unique in the drawing, and no other element's `own` id."""
        name, number = wanted, self._numbers.get(wanted, 1)
        while name in self._names or (name in self._by_id and not (own and name == wanted)):
            number += 1
            name = f"{wanted}-{number}"
        self._numbers[wanted] = number
        self._names.add(name)
        return name


def _layer_nodes(top: Node, layered: bool) -> set[Node]:
    """What becomes a layer: Inkscape's layers, and whatever stands at the top."""
    nodes = {node for node in top.walk() if node.is_layer} | set(top.drawn)
    if layered:
        return nodes
    # In a plain SVG nothing says what a layer is, but what stands in a face's group are its parts.
    faces = list(top.drawn)
    while faces:
        node = faces.pop()
        if face_number(node.id) > 0:
            nodes.update(node.drawn)
            faces += node.drawn
    return nodes


def _only_group(node: Node) -> Node | None:
    """The one group that wraps everything, as other programs write it, if what it holds are groups again."""
    if len(node.drawn) != 1 or node.drawn[0].tag not in ("g", "switch"):
        return None
    return node.drawn[0] if any(child.tag == "g" for child in node.drawn[0].drawn) else None


def _extent(layers: Iterable[Layer]) -> tuple[float, float]:
    """(height, width) of what is drawn, from the origin, for a file that says no size."""
    points = [point for layer in layers for shape in layer.shapes for ring in shape.rings for point in ring.points]
    width = max((point.real for point in points), default=0.0)
    height = max((point.imag for point in points), default=0.0)
    return (height, width) if width > SMALLEST and height > SMALLEST else (1.0, 1.0)


def _json_object(node: Node | None) -> dict[str, Any]:
    text = node.text if node else ""
    try:
        value = json.loads(text) if len(text) <= MAX_ATTRIBUTE else {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
