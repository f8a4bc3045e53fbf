# SPDX-License-Identifier: GPL-3.0-or-later
"""One layer -> its curve objects: a 2D curve for each of its `sheets`, which is one but for shapes of other colours.

What the file says of an object is written on it (`portraits.Imported`), for updates.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import bpy
from mathutils import Matrix

from . import materials, portraits
from .drawing import Color, Drawing, Layer
from .portraits import FACE, ID, LABEL, MADE_FOR, ORDER, PART, SETTINGS, SOURCE, Imported, Key
from .settings import CurveSettings
from .sheets import ALIGNED, FREE, VECTOR, Frame, Sheet, Spline, sheets_of, steps

FLAT = 1e-3  # an outline's tube is pressed flat, or it would stick out between the layers above


@dataclass(frozen=True)
class Site:
    """What the objects of one portrait have in common."""

    portrait: bpy.types.Collection
    source: str  #: its SVG's path
    frame: Frame
    settings: CurveSettings
    made: list[bpy.types.Material] = field(default_factory=list)  #: materials, by this import or update
    loose: dict[Color, bpy.types.Material] = field(default_factory=dict)  #: of shapes that stand in no layer

    @staticmethod
    def of(collection: bpy.types.Collection) -> Site:
        settings = portraits.from_json(CurveSettings, collection.get(SETTINGS, "")) or CurveSettings()
        settings = replace(settings, step=collection.faceparse_step)
        return Site(collection, portraits.source_of(collection), portraits.frame_of(collection), settings)


@dataclass(frozen=True)
class Plan:
    """What one object shall be."""

    layer: Layer
    sheet: Sheet
    name: str
    z: float  #: in steps

    @property
    def key(self) -> Key:
        return (self.layer.id, self.sheet.kind, self.sheet.tier)

    def imported(self, name: str) -> Imported:
        """What the file says of the object, which is called `name` in Blender."""
        return imported(self.layer, self.sheet, name)


def plans_of(layer: Layer, drawing: Drawing, order: int) -> list[Plan]:
    """The objects of a layer, bottom to top: the lowest `order` steps high, all below the next layer's."""
    name, sheets = drawing.name(layer), sheets_of(layer)
    alone = len(sheets) == 1
    return [
        Plan(layer, sheet, _name(name, sheet, alone), order + number / len(sheets))
        for number, sheet in enumerate(sheets)
    ]


def imported(layer: Layer, sheet: Sheet, name: str) -> Imported:
    """What a file that has this layer says of the object called `name`."""
    shapes: list[list[object]] = [[shape.id, len(shape.rings)] for shape in sheet.shapes]
    colors = [materials.written(color) for color in sheet.colors]
    return Imported(
        sheet.kind, sheet.tier, name, layer.label, layer.visible, layer.locked, sheet.digest(), shapes, colors
    )


def add(home: bpy.types.Collection, plan: Plan, site: Site, splines: Sequence[Spline]) -> bpy.types.Object:
    """The object, new in the collection `home`; `splines` are those of the plan's sheet."""
    layer, sheet, settings = plan.layer, plan.sheet, site.settings
    curve = bpy.data.curves.new(plan.name, "CURVE")
    curve.dimensions = "2D"
    curve.fill_mode = "BOTH" if sheet.kind == "fill" else "NONE"
    if sheet.kind == "fill":
        curve.extrude, curve.bevel_depth = settings.extrude, settings.bevel
    for found in _materials(layer, sheet, site):
        curve.materials.append(found)
    made = bpy.data.objects.new(plan.name, curve)
    home.objects.link(made)
    scale = (1, 1, FLAT) if sheet.kind == "stroke" else (1, 1, 1)
    # matrix_world is of use before Blender's next update, too.
    made.matrix_world = Matrix.LocRotScale((0, 0, plan.z * settings.step), None, scale)
    made[ID], made[PART], made[LABEL], made[ORDER] = layer.id, layer.part, layer.label, plan.z
    made[SOURCE], made[MADE_FOR] = site.source, site.portrait
    if layer.within is not None:
        made[FACE] = layer.face
    if not layer.visible:
        portraits.set_visible(made, False)
    if layer.locked:
        made.hide_select = True
    draw(curve, sheet, splines, site.frame.unit)
    plan.imported(made.name).write(made)
    return made


def draw(
    curve: bpy.types.Curve, sheet: Sheet, splines: Sequence[Spline], unit: float, stroke_scale: float = 1.0
) -> None:
    """Replace a curve's splines by a sheet's; all else about the curve stays. `unit`: Blender units of a pixel."""
    filled, widest = sheet.kind == "fill", sheet.width
    curve.splines.clear()
    curve.resolution_u = resolution = steps(splines, unit)
    if not filled:
        curve.bevel_depth = widest / 2 * unit * stroke_scale
    of = [(shape, slot) for shape, slot in zip(sheet.shapes, sheet.slots, strict=True) for _ in shape.rings]
    for (shape, slot), spline in zip(of, splines, strict=True):
        made = curve.splines.new("BEZIER")
        made.resolution_u, made.material_index, made.use_cyclic_u = resolution, slot, spline.cyclic
        points = made.bezier_points
        points.add(len(spline) - 1)
        _set_types(points, "handle_left_type", spline.left_types)
        _set_types(points, "handle_right_type", spline.right_types)
        points.foreach_set("co", spline.co)
        points.foreach_set("handle_left", spline.left)
        points.foreach_set("handle_right", spline.right)
        if not filled and shape.stroke_width != widest:
            points.foreach_set("radius", array("f", [shape.stroke_width / widest] * len(spline)))


def material(layer: Layer, sheet: Sheet, color: Color, number: int, site: Site) -> bpy.types.Material:
    """That of one of a sheet's colours: a part has its own; shapes that stand in no layer share one a colour.

    number  of the colour among those of the sheet
    """
    if layer.loose and color in site.loose:
        return site.loose[color]
    part = layer.part if sheet.kind == "fill" else f"{layer.part} outline"
    part = f"{part} {number + 1}" if number else part
    settings = site.settings
    like = site.made[0] if site.made else None
    found = materials.material(part, layer.label, color, settings.share_materials, settings.lit, like)
    if found.users == 0:  # a new one, and not another portrait's
        site.made.append(found)
    if layer.loose:
        site.loose[color] = found
    return found


def _materials(layer: Layer, sheet: Sheet, site: Site) -> list[bpy.types.Material]:
    """One a slot, the same for slots of one colour."""
    found: dict[Color, bpy.types.Material] = {}
    for color in sheet.colors:
        if color not in found:
            found[color] = material(layer, sheet, color, len(found), site)
    return [found[color] for color in sheet.colors]


def _name(layer_name: str, sheet: Sheet, alone: bool) -> str:
    """`alone`: the layer has no other sheet; if it is one of outlines it may say so already."""
    if sheet.kind == "stroke":
        return layer_name if alone and layer_name.lower().endswith("outline") else f"{layer_name} outline"
    return f"{layer_name} {sheet.tier + 1}" if sheet.tier else layer_name


def _set_types(points: bpy.types.SplineBezierPoints, name: str, types: Sequence[int]) -> None:
    if bpy.app.version >= (4, 2, 0):
        points.foreach_set(name, types)
        return
    names = {FREE: "FREE", VECTOR: "VECTOR", ALIGNED: "ALIGNED"}
    for point, kind in zip(points, types, strict=True):  # Blender 3.4 takes no enums in foreach_set, and says nothing
        setattr(point, name, names[kind])
