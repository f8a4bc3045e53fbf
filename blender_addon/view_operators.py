# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators that change how a portrait is seen: from the front, and in its own colours."""
# ruff: noqa: RUF012 -- Blender wants plain sets and lists in its classes

import bpy
from bpy.types import Operator
from mathutils import Quaternion, Vector

from . import materials, polls, portraits


class FACEPARSE_OT_look(Operator):
    bl_idname = "faceparse.look"
    bl_label = "Look at the portrait"
    bl_description = "Turn this 3D view so that the portrait is seen from the front, as large as it can be"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        seen = polls.allowed(cls, polls.over_3d_view(context), "This works in a 3D view")
        return seen and polls.portrait(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        collection = portraits.portrait_of(context)
        solid = [target for target in collection.all_objects if target.type != "EMPTY"]  # also Grease Pencil
        layers = portraits.layers_of(collection) or solid
        shown = [layer for layer in layers if layer.visible_get()] or layers
        if not shown:
            self.report({"ERROR"}, "This portrait has no layers")
            return {"CANCELLED"}
        view = context.space_data.region_3d
        region = next((region for region in context.area.regions if region.type == "WINDOW"), None)
        aspect = region.width / region.height if region is not None and region.height else 1.0
        location, rotation, size = front_view(shown, aspect)
        view.view_perspective = "ORTHO"
        view.view_location, view.view_rotation = location, rotation
        # An orthographic view shows 72 mm (twice a sensor of 36) over the lens of its distance in its longer side.
        view.view_distance = 1.1 * size * context.space_data.lens / 72
        return {"FINISHED"}


class FACEPARSE_OT_standard_view(Operator):
    bl_idname = "faceparse.standard_view"
    bl_label = "Show exact colours"
    bl_description = (
        "Set the scene's view transform to Standard, as others (Filmic, AgX) grade colours, and its exposure and gamma "
        "back; and, where this 3D view is solid, its light to Flat, as others shade them"
    )
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        other = not materials.is_exact(context.scene) or bool(_shades(context))
        return polls.allowed(cls, other, "Colours look as they do in the SVG already")

    def execute(self, context: bpy.types.Context) -> set[str]:
        if _shades(context):
            shading = context.space_data.shading
            shading.light, shading.color_type = "FLAT", "MATERIAL"
        materials.undo_grading(context.scene)
        if not materials.show_exact(context.scene):
            self.report({"WARNING"}, "This colour configuration (OCIO) has no view called Standard")
        return {"FINISHED"}


def front_view(layers: list[bpy.types.Object], aspect: float) -> tuple[Vector, Quaternion, float]:
    """(where to look, from which side, what the longer side of the window must show) to see layers from the front.

    aspect  width / height of the window
    """
    rotation = layers[0].matrix_world.to_quaternion()
    placed = (layer.matrix_world @ Vector(corner) for layer in layers for corner in layer.bound_box)
    corners = [rotation.inverted() @ corner for corner in placed]
    low = Vector(min(corner[i] for corner in corners) for i in range(3))
    high = Vector(max(corner[i] for corner in corners) for i in range(3))
    width, height, _ = high - low
    size = max(width, height * aspect) if aspect >= 1 else max(width / aspect, height)
    return rotation @ ((low + high) / 2), rotation, max(size, 1e-6)


def _shades(context: bpy.types.Context) -> bool:
    """Whether this is a solid 3D view that shows other colours than the materials'."""
    if not polls.over_3d_view(context) or context.space_data.shading.type != "SOLID":
        return False
    shading = context.space_data.shading
    return (shading.light, shading.color_type) != ("FLAT", "MATERIAL")


CLASSES = (FACEPARSE_OT_look, FACEPARSE_OT_standard_view)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
