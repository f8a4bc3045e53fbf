# SPDX-License-Identifier: GPL-3.0-or-later
"""A portrait as it was edited in Blender -> a drawing, for `svg_writer`."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

import bpy
from mathutils import Matrix

from . import materials, portraits
from .drawing import Affine, Color, Drawing, Layer, Ring, Shape, unique
from .layer_objects import imported
from .pen import polygon
from .portraits import ID, LABEL, MADE_FOR, METADATA, ORDER, PART, PHOTO, SIZE, TITLE, Imported, is_visible
from .sheets import Frame, Kind, ring_of, sheets_of

_GREY = Color(0.8, 0.8, 0.8)
_SAME = 1e-3  # px that a transform may move any point of the drawing and still be none


class _Placed(NamedTuple):
    """A curve object, and where it lies."""

    target: bpy.types.Object
    z: float  #: above the portrait's own place
    transform: Affine  #: from its own pixels to the drawing's


class _Entry(NamedTuple):
    """One object and what becomes of it."""

    target: bpy.types.Object
    layer: str  #: the id of its layer
    transform: Affine
    shapes: list[Shape]


class _Spline(NamedTuple):
    ring: Ring  #: in the drawing's pixels
    slot: int
    radius: float


def read_portrait(collection: bpy.types.Collection) -> Drawing:
    """The portrait as it was edited in Blender: names, order in z, curves with their objects' transforms, colours.

    A transform that most layers share is where the portrait stands and no edit. Modifiers are not applied; what is no
    curve is left out, with a note.
    """
    return _read(collection)[0]


def mark_exported(collection: bpy.types.Collection, written: Drawing, path: str) -> None:
    """Make a file that was just written the portrait's own: what it says of every layer is what is so in Blender.

    written     the file, read again
    """
    entries = _read(collection)[1]
    known: list[portraits.Key] = []
    for number, layer in enumerate(written.layers):
        sheets = sheets_of(layer)
        mine = sorted((entry for entry in entries if entry.layer == layer.id), key=_kind)
        alike = list(map(_kind, mine)) == [sheet.kind for sheet in sheets]
        for i, entry in enumerate(mine):
            target = entry.target
            if alike:
                said = imported(layer, sheets[i], target.name)
                _accept(target, said.colors)
            else:  # put together otherwise in the file: the next update draws it anew
                kind = _kind(entry)
                tier = sum(_kind(other) == kind for other in mine[:i])
                said = Imported(kind, tier, target.name, layer.label, layer.visible, layer.locked, "", [])
            replace(said, baked=portraits.parts_of(entry.transform)).write(target)
            target[ID], target[PART], target[LABEL] = layer.id, layer.part, layer.label
            target[ORDER], target[MADE_FOR] = number + i / len(mine), collection
            known.append((layer.id, said.kind, said.tier))
    portraits.set_known(collection, known)
    portraits.set_source(collection, path)


def _face_label(home: bpy.types.Collection) -> str:
    """What a face's group is called in the file: as it was there, unless its collection has been renamed here."""
    said = home.get(LABEL, "")
    return said if portraits.same_name(home.name, said) else home.name


def _kind(entry: _Entry) -> Kind:
    return "fill" if any(shape.fill for shape in entry.shapes) else "stroke"


def _accept(target: bpy.types.Object, colors: Iterable[str]) -> None:
    """Colours that were changed here, of materials of ours, are what the file says now."""
    for slot, color in zip(target.material_slots, colors, strict=False):
        found = slot.material
        if found is not None and materials.FILL in found and materials.written(materials.color_of(found)) == color:
            materials.paint(found, materials.color_of(found))


def _read(collection: bpy.types.Collection) -> tuple[Drawing, list[_Entry]]:
    frame = portraits.frame_of(collection)
    size: tuple[float, float] = tuple(collection[SIZE])
    notes: list[str] = []
    homes = portraits.homes(collection)
    layers: list[Layer] = []
    entries: list[_Entry] = []
    taken: set[portraits.Key] = set()
    for placed in _placed(collection, frame, size, notes):
        name = _layer_id(placed.target, layers, taken)
        shapes = _shapes(placed, name, frame, notes)
        if not shapes:
            continue
        entries.append(_Entry(placed.target, name, placed.transform, shapes))
        if layers and layers[-1].id == name:
            layers[-1] = replace(layers[-1], shapes=_joined(layers[-1].shapes, shapes))
        else:
            layers.append(_layer(placed.target, name, shapes, homes))
    drawing = Drawing(
        title=collection.get(TITLE) or collection.name,
        size=size,
        layers=tuple(_renumbered(layer) for layer in layers),
        photo=collection.get(PHOTO) or None,
        metadata=json.loads(collection.get(METADATA) or "{}"),
        faces={face: _face_label(home) for face, home in homes.items()},
        notes=tuple(notes),
    )
    return drawing, entries


def _placed(
    collection: bpy.types.Collection, frame: Frame, size: tuple[float, float], notes: list[str]
) -> list[_Placed]:
    """The portrait's curves, bottom to top: those of its layers, and what else was put into its collection."""
    layers = portraits.layers_of(collection)
    others = [target for target in portraits.own_objects(collection) if ID not in target and target.type != "EMPTY"]
    stands, _ = portraits.common_placement(layers, frame.unit)
    away = stands.inverted_safe()
    placed: list[_Placed] = []
    for target in (*layers, *others):
        if target.type == "CURVE":
            local = away @ portraits.world_matrix(target)
            placed.append(_Placed(target, local.translation.z, _in_pixels(local, frame, size)))
        else:
            notes.append(f"{target.name}: left out, only curves become layers")
    return sorted(placed, key=lambda one: one.z)


def _layer_id(target: bpy.types.Object, below: Sequence[Layer], taken: set[portraits.Key]) -> str:
    """Of the layer that an object belongs to: its own, or a new one for a copy, and for what lies above another layer.

    taken   the objects that are in the file already; this one is added
    """
    name = target.get(ID) or _slug(target.name)
    before = Imported.of(target)
    kind, tier = (before.kind, before.tier) if before else ("fill", 0)
    names = [layer.id for layer in below]
    if (name, kind, tier) in taken or (name in names and names[-1] != name):
        name = unique(name, names)
    taken.add((name, kind, tier))
    return name


def _layer(
    target: bpy.types.Object, name: str, shapes: Sequence[Shape], homes: Mapping[int, bpy.types.Collection]
) -> Layer:
    before = Imported.of(target)
    renamed = before is None or not portraits.same_name(target.name, before.name)
    label = target.name if renamed else before.label
    within = None
    if homes and ID in target:
        within = portraits.face_of(target)
    elif homes:
        within = next((face for face, home in homes.items() if target.name in home.objects), 0)
    return Layer(name, label, tuple(shapes), is_visible(target), target.hide_select, within=within)


def _in_pixels(local: Matrix, frame: Frame, size: tuple[float, float]) -> Affine:
    """The map of the drawing's pixels that a matrix makes, seen from above."""
    flat = Affine.matrix(local[0][0], local[1][0], local[0][1], local[1][1], local[0][3], local[1][3])
    there = Affine(0, frame.unit, -(frame.origin * frame.unit).conjugate())  # `Frame.there`
    back = Affine(0, 1 / frame.unit, frame.origin)
    transform = back @ flat @ there
    height, width = size
    corners = (0j, complex(width, 0), complex(0, height), complex(width, height))
    return Affine() if max(abs(transform(corner) - corner) for corner in corners) < _SAME else transform


def _shapes(placed: _Placed, name: str, frame: Frame, notes: list[str]) -> list[Shape]:
    """The paths of one object: those that it was imported with, if it still has as many splines; else one a slot."""
    target, curve = placed.target, placed.target.data
    splines = _splines(placed, frame, notes)
    before = Imported.of(target)
    paths = [(str(path), int(count)) for path, count in before.shapes] if before else []
    if not sum(count for _, count in paths) == len(splines) == len(curve.splines):
        splines.sort(key=lambda spline: spline.slot)
        paths = [(f"{name}-{slot}", len(list(alike))) for slot, alike in groupby(spline.slot for spline in splines)]
    filled = _is_filled(curve) and all(spline.ring.closed for spline in splines)
    grown = math.sqrt(abs(placed.transform.determinant))
    shapes: list[Shape] = []
    for path, count in paths:
        mine, splines = splines[:count], splines[count:]
        color, outline = _color(target, mine[0].slot), tuple(spline.ring for spline in mine)
        if filled:
            shapes.append(Shape(path, outline, color))
        else:
            width = 2 * curve.bevel_depth * mine[0].radius / frame.unit * grown or 1.0
            shapes.append(Shape(path, outline, None, color, width))
    return shapes


def _splines(placed: _Placed, frame: Frame, notes: list[str]) -> list[_Spline]:
    found: list[_Spline] = []
    for spline in placed.target.data.splines:
        ring = _ring(spline, frame)
        if ring is None:
            notes.append(f"{placed.target.name}: a {spline.type} spline left out, convert it to Bezier")
        else:
            found.append(_Spline(ring.mapped(placed.transform), spline.material_index, _radius(spline)))
    return found


def _is_filled(curve: bpy.types.Curve) -> bool:
    """Whether it is a surface rather than a line; a 3D curve has none but where nothing gives it a thickness."""
    return curve.fill_mode != "NONE" if curve.dimensions == "2D" else not curve.bevel_depth and not curve.extrude


def _color(target: bpy.types.Object, slot: int) -> Color:
    slots = target.material_slots
    surface = slots[min(slot, len(slots) - 1)].material if len(slots) else None
    return materials.color_of(surface) if surface else _GREY


def _joined(lower: Iterable[Shape], upper: Iterable[Shape]) -> tuple[Shape, ...]:
    """Shapes of two objects of a layer; a path that was both filled and stroked is one again, if both still agree."""
    joined = list(lower)
    for shape in upper:
        for i, other in enumerate(joined):
            if shape.stroke and not other.stroke and (shape.id, shape.rings) == (other.id, other.rings):
                joined[i] = replace(other, stroke=shape.stroke, stroke_width=shape.stroke_width)
                break
        else:
            joined.append(shape)
    return tuple(joined)


def _ring(spline: bpy.types.Spline, frame: Frame) -> Ring | None:
    cyclic = spline.use_cyclic_u
    if spline.type == "BEZIER":
        points = spline.bezier_points
        arrays = []
        for name in ("co", "handle_left", "handle_right"):
            values = array("f", bytes(12 * len(points)))
            points.foreach_get(name, values)
            arrays.append(values)
        if len(points) < 2:
            return None
        return ring_of(*arrays, cyclic, frame)
    if spline.type == "POLY" and len(spline.points) > 1:
        corners = [frame.back(complex(point.co.x, point.co.y)) for point in spline.points]
        return next(iter(polygon(corners, cyclic)), None)
    return None


def _radius(spline: bpy.types.Spline) -> float:
    points = spline.bezier_points if spline.type == "BEZIER" else spline.points
    return points[0].radius if len(points) else 1.0


def _renumbered(layer: Layer) -> Layer:
    """Path ids as the file's contract wants them, `hair-1` ..., unless the file had others of its own."""
    ours = re.compile(re.escape(layer.id) + r"-\d+")
    if not all(ours.fullmatch(shape.id) for shape in layer.shapes):
        return layer
    return replace(layer, shapes=tuple(replace(shape, id=f"{layer.id}-{n}") for n, shape in enumerate(layer.shapes, 1)))


def _slug(name: str) -> str:
    """An id for a layer that was made in Blender: `My Hat.001` -> `my-hat-001`."""
    return re.sub(r"[\W_]+", "-", unicodedata.normalize("NFC", name).lower()).strip("-") or "layer"
