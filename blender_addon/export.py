# SPDX-License-Identifier: GPL-3.0-or-later
"""A portrait as it was edited in Blender -> a drawing, for `svg_writer`."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from array import array
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import bpy
from mathutils import Matrix

from . import materials, portraits
from .curves import said_of
from .drawing import Affine, Color, Drawing, Layer, Ring, Shape, unique
from .pen import polygon
from .portraits import ID, LABEL, MADE_FOR, METADATA, ORDER, PART, PHOTO, SIZE, TITLE, Imported, is_visible
from .sheets import Frame, Kind, ring_of, sheets_of

_GREY = Color(0.8, 0.8, 0.8)
_SAME = 1e-3  # px that a transform may move any point of the drawing and still be none


class _Entry(NamedTuple):
    """One object and what becomes of it."""

    target: bpy.types.Object
    layer: str  #: the id of its layer
    transform: Affine  #: from its own pixels to the drawing's
    shapes: list[Shape]


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
                said = said_of(layer, sheets[i], target.name)
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
    own = portraits.layers_of(collection)
    own += [target for target in portraits.own_objects(collection) if ID not in target and target.type != "EMPTY"]
    stands, _ = portraits.common_placement([target for target in own if ID in target], frame.unit)
    away = stands.inverted_safe()
    placed: list[tuple[float, bpy.types.Object, Affine]] = []
    for target in own:
        if target.type != "CURVE":
            notes.append(f"{target.name}: left out, only curves become layers")
            continue
        local = away @ portraits.world_matrix(target)
        placed.append((local.translation.z, target, _in_pixels(local, frame, size)))
    placed.sort(key=lambda entry: entry[0])
    homes = portraits.homes(collection)
    layers: list[Layer] = []
    entries: list[_Entry] = []
    taken: set[portraits.Key] = set()
    for _, target, transform in placed:
        before = Imported.of(target)
        name = target.get(ID) or _slug(target.name)
        kind, tier = (before.kind, before.tier) if before else ("fill", 0)
        names = [layer.id for layer in layers]
        if (name, kind, tier) in taken or (name in names and names[-1] != name):
            name = unique(name, names)  # a copy made in Blender, or what now lies above another layer
        taken.add((name, kind, tier))
        shapes = _shapes(target, before, name, transform, frame, notes)
        if not shapes:
            continue
        entries.append(_Entry(target, name, transform, shapes))
        if names and names[-1] == name:
            layers[-1] = replace(layers[-1], shapes=_joined(layers[-1].shapes, shapes))
            continue
        renamed = before is None or not portraits.same_name(target.name, before.name)
        label = target.name if renamed else before.label
        within = None
        if homes:
            within = next((face for face, home in homes.items() if target.name in home.objects), 0)
            within = portraits.face_of(target) if ID in target else within
        layers.append(Layer(name, label, tuple(shapes), is_visible(target), target.hide_select, within=within))
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


def _in_pixels(local: Matrix, frame: Frame, size: tuple[float, float]) -> Affine:
    """The map of the drawing's pixels that a matrix makes, seen from above."""
    flat = Affine.matrix(local[0][0], local[1][0], local[0][1], local[1][1], local[0][3], local[1][3])
    there = Affine(0, frame.unit, -(frame.origin * frame.unit).conjugate())  # `Frame.there`
    back = Affine(0, 1 / frame.unit, frame.origin)
    transform = back @ flat @ there
    height, width = size
    corners = (0j, complex(width, 0), complex(0, height), complex(width, height))
    return Affine() if max(abs(transform(corner) - corner) for corner in corners) < _SAME else transform


def _shapes(
    target: bpy.types.Object, before: Imported | None, name: str, transform: Affine, frame: Frame, notes: list[str]
) -> list[Shape]:
    """The paths of one object: those that it was imported with, if it still has as many splines; else one a slot."""
    curve = target.data
    rings: list[tuple[int, Ring, float]] = []
    for spline in curve.splines:
        ring = _ring(spline, frame)
        if ring is None:
            notes.append(f"{target.name}: a {spline.type} spline left out, convert it to Bezier")
        else:
            rings.append((spline.material_index, ring.mapped(transform), _radius(spline)))
    counts = [(str(name), int(count)) for name, count in before.shapes] if before else []
    if sum(count for _, count in counts) != len(rings) or len(rings) != len(curve.splines):
        slots = sorted({slot for slot, _, _ in rings})
        rings.sort(key=lambda entry: entry[0])
        counts = [(f"{name}-{slot}", sum(entry[0] == slot for entry in rings)) for slot in slots]
    shapes: list[Shape] = []
    filled = curve.fill_mode != "NONE" if curve.dimensions == "2D" else not curve.bevel_depth and not curve.extrude
    filled = filled and all(ring.closed for _, ring, _ in rings)
    grown = math.sqrt(abs(transform.determinant))
    for shape_id, count in counts:
        mine, rings = rings[:count], rings[count:]
        slot, _, radius = mine[0]
        slots = target.material_slots
        surface = slots[min(slot, len(slots) - 1)].material if len(slots) else None
        color = materials.color_of(surface) if surface else _GREY
        outline = tuple(ring for _, ring, _ in mine)
        if filled:
            shapes.append(Shape(shape_id, outline, color))
        else:
            width = 2 * curve.bevel_depth * radius / frame.unit * grown or 1.0
            shapes.append(Shape(shape_id, outline, None, color, width))
    return shapes


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
