# SPDX-License-Identifier: GPL-3.0-or-later
"""A drawing -> one Grease Pencil object with a layer for every layer. Version 3 of it: Blender 4.3 and later.

Its fills know no holes: a ring with holes becomes one that runs in to each hole and out again along the same line.
Its strokes are polygons with as many points as the curves would have: it shows Bezier strokes, which it can hold, by
their knots alone (seen in 4.5 and 5.0).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import bpy

from .areas import contains
from .drawing import Color, Drawing, Layer, Ring
from .materials import to_scene
from .portraits import GREASE_PENCIL
from .settings import CurveSettings
from .sheets import Frame, is_straight, splines_of, steps

AVAILABLE = bpy.app.version >= (4, 3, 0)


def build(collection: bpy.types.Collection, drawing: Drawing, frame: Frame, settings: CurveSettings) -> Iterator[str]:
    """Add the object to the collection, a layer a step; yields the layer's label."""
    blocks = bpy.data.grease_pencils if bpy.app.version >= (5, 0, 0) else bpy.data.grease_pencils_v3
    data = blocks.new(drawing.title)
    target = bpy.data.objects.new(drawing.title, data)
    target[GREASE_PENCIL] = True
    collection.objects.link(target)
    for order, layer in enumerate(drawing.layers):
        _add(data, layer, drawing.name(layer), frame, order * settings.step)
        yield layer.label


def keyhole(rings: Sequence[Ring]) -> list[Ring]:
    """Closed rings without holes that cover what `rings` cover by even-odd; rings must not cross each other.

    The way into a hole and out again is the line between the two nearest knots.
    """
    depths = [sum(contains(other, ring.points[0]) for other in rings if other is not ring) for ring in rings]
    outlines: list[Ring] = []
    for outer, depth in zip(rings, depths, strict=True):
        if depth % 2 == 0:
            outline = outer
            for hole, other in zip(rings, depths, strict=True):
                if other == depth + 1 and contains(outer, hole.points[0]):
                    outline = _with_way_into(outline, hole)
            outlines.append(outline)
    return outlines


def _with_way_into(outline: Ring, hole: Ring) -> Ring:
    """Both closed rings as one: around the outline, in, around the hole against it, out."""
    if (outline.area() > 0) == (hole.area() > 0):
        hole = Ring((hole.points[0], *reversed(hole.points[1:])), True)
    _, i, j = min((abs(p - q), i, j) for i, p in enumerate(outline.points[::3]) for j, q in enumerate(hole.points[::3]))
    outer = [*outline.points[3 * i :], *outline.points[: 3 * i]]
    inner = [*hole.points[3 * j :], *hole.points[: 3 * j]]
    there, back = outer[0], inner[0]
    step = (back - there) / 3
    way_in = [there, there + step, back - step]
    way_out = [back, back - step, there + step]
    return Ring((*outer, *way_in, *inner, *way_out), True)


class _Stroke(NamedTuple):
    points: list[complex]  #: Blender units
    cyclic: bool
    slot: int
    radius: float


def _stroke(ring: Ring, frame: Frame, slot: int, radius: float = 0.0) -> _Stroke:
    chords = steps(splines_of([ring], frame), frame.unit)
    points: list[complex] = []
    for p, q, r, s in ring.segments():
        cuts = range(1 if is_straight(p, q, r, s) else chords)
        for t in (cut / chords for cut in cuts):
            u = 1 - t
            points.append(u * u * u * p + 3 * u * u * t * q + 3 * u * t * t * r + t * t * t * s)
    if not ring.closed:
        points.append(ring.points[-1])
    return _Stroke([frame.there(point) for point in points], ring.closed, slot, radius)


def _add(data: bpy.types.GreasePencil, layer: Layer, name: str, frame: Frame, z: float) -> None:
    made = data.layers.new(name)
    made.hide, made.lock = not layer.visible, layer.locked
    made.use_lights = False  # flat, as drawn
    made.translation.z = z
    slots: dict[tuple[Color, bool], int] = {}
    strokes: list[_Stroke] = []
    for shape in layer.shapes:
        if shape.fill is not None:
            slot = _slot(data, slots, layer, shape.fill, True)
            closed = [ring.closed_up() for ring in shape.rings]
            strokes += [_stroke(ring, frame, slot) for ring in keyhole(closed)]
        if shape.stroke is not None:
            slot, radius = _slot(data, slots, layer, shape.stroke, False), shape.stroke_width / 2 * frame.unit
            strokes += [_stroke(ring, frame, slot, radius) for ring in shape.rings]
    _write(made.frames.new(bpy.context.scene.frame_current).drawing, strokes)


def _slot(
    data: bpy.types.GreasePencil, slots: dict[tuple[Color, bool], int], layer: Layer, color: Color, filled: bool
) -> int:
    """The material slot for a fill, or a stroke, of this colour."""
    if (color, filled) not in slots:
        made = bpy.data.materials.new(layer.label)
        bpy.data.materials.create_gpencil_data(made)
        style = made.grease_pencil
        style.show_fill, style.show_stroke = filled, not filled
        style.color = style.fill_color = (*to_scene(color)[:3], color.alpha)
        slots[color, filled] = len(data.materials)
        data.materials.append(made)
    return slots[color, filled]


def _write(drawing: bpy.types.GreasePencilDrawing, strokes: Sequence[_Stroke]) -> None:
    """Everything at once, as attributes: the strokes' own accessors take a call a point."""
    if not strokes:
        return
    drawing.add_strokes([len(stroke.points) for stroke in strokes])
    positions, radii = array("f"), array("f")
    for stroke in strokes:
        for point in stroke.points:
            positions.extend((point.real, point.imag, 0.0))
        radii.extend([stroke.radius] * len(stroke.points))
    _attribute(drawing, "position", "FLOAT_VECTOR", "POINT").foreach_set("vector", positions)
    _attribute(drawing, "radius", "FLOAT", "POINT").foreach_set("value", radii)
    _attribute(drawing, "cyclic", "BOOLEAN", "CURVE").foreach_set("value", [stroke.cyclic for stroke in strokes])
    slots = array("i", [stroke.slot for stroke in strokes])
    _attribute(drawing, "material_index", "INT", "CURVE").foreach_set("value", slots)
    drawing.tag_positions_changed()


def _attribute(drawing: bpy.types.GreasePencilDrawing, name: str, kind: str, domain: str) -> bpy.types.Attribute:
    found = drawing.attributes.get(name)
    return (found if found is not None else drawing.attributes.new(name, kind, domain)).data
