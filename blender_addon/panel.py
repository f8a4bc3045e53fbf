# SPDX-License-Identifier: GPL-3.0-or-later
"""The tab `FaceParse` in the sidebar of the 3D view."""
# ruff: noqa: RUF012 -- Blender wants plain sets and lists in its classes

import os

import bpy
from bl_operators.presets import AddPresetBase
from bpy.props import FloatProperty
from bpy.types import Menu, Operator, Panel

from . import materials, options, photo_operators, portraits, preferences, svg_operators, view_operators
from .files import one_line


class FACEPARSE_PT_main(Panel):
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FaceParse"
    bl_label = "FaceParse"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        session = photo_operators.session
        if session is not None:
            draw_progress(layout, context, session)
        else:
            layout.prop(context.scene, "faceparse_photo")
            row = layout.row()
            row.scale_y = 1.6
            row.operator(photo_operators.FACEPARSE_OT_portrait_from_photo.bl_idname, icon="USER")
        if preferences.command_problem(context):
            box = layout.box()
            box.label(text="Command not found", icon="ERROR")
            draw_preferences_button(box, context, "Say where it is")
        layout.operator(svg_operators.FACEPARSE_OT_import_svg.bl_idname, icon="IMPORT")
        if not materials.is_exact(context.scene) and portraits.in_scene(context.scene):
            box = layout.box()
            box.label(text="Colours are graded", icon="INFO")
            box.operator(view_operators.FACEPARSE_OT_standard_view.bl_idname, icon="COLOR")


def draw_progress(layout: bpy.types.UILayout, context: bpy.types.Context, session: photo_operators.Session) -> None:
    layout.label(text=session.run.name)
    if hasattr(layout, "progress"):  # Blender 4.0 and later
        layout.progress(factor=session.run.fraction, text=session.text)
    else:
        layout.label(text=session.run.doing)
        layout.prop(context.window_manager, "faceparse_progress", slider=True)
    row = layout.row()
    row.scale_y = 1.6
    row.operator(photo_operators.FACEPARSE_OT_cancel.bl_idname, icon="CANCEL")


def draw_preferences_button(layout: bpy.types.UILayout, context: bpy.types.Context, text: str) -> None:
    if preferences.stored(context) is None:  # registered by a script: there are none to show
        layout.operator("screen.userpref_show", text=text, icon="PREFERENCES")
    else:
        layout.operator("preferences.addon_show", text=text, icon="PREFERENCES").module = __package__


class FACEPARSE_PT_portrait(Panel):
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FaceParse"
    bl_parent_id = "FACEPARSE_PT_main"
    bl_label = "Portrait"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return portraits.portrait_of(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        collection = portraits.portrait_of(context)
        column = layout.column()
        column.prop(collection, "name", text="", icon="OUTLINER_COLLECTION")
        path = portraits.source_path(collection)
        column.label(text=one_line(os.path.basename(path)) if path else "No SVG", icon="FILE")
        row = layout.row()
        row.use_property_split = True
        row.prop(collection, "faceparse_step")
        missing = portraits.missing(collection)
        if missing:
            box = layout.box()
            box.label(text="Not in the SVG:", icon="INFO")
            for name in missing[:5]:
                box.label(text=name, icon="BLANK1")
            if len(missing) > 5:
                box.label(text=f"and {len(missing) - 5} more", icon="BLANK1")
            box.operator(svg_operators.FACEPARSE_OT_remove_missing.bl_idname, text="Remove them", icon="TRASH")
        column = layout.column(align=True)
        column.operator(svg_operators.FACEPARSE_OT_open_svg.bl_idname, icon="GREASEPENCIL")
        column.operator(svg_operators.FACEPARSE_OT_update_from_svg.bl_idname, icon="FILE_REFRESH")
        column.operator(svg_operators.FACEPARSE_OT_export_svg.bl_idname, icon="EXPORT")
        column = layout.column(align=True)
        column.operator(view_operators.FACEPARSE_OT_look.bl_idname, icon="HIDE_OFF")
        column.operator(view_operators.FACEPARSE_OT_standard_view.bl_idname, icon="COLOR")


class FACEPARSE_PT_options(Panel):
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FaceParse"
    bl_parent_id = "FACEPARSE_PT_main"
    bl_label = "Options"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 1

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        chosen = preferences.stored(context)
        if chosen is None:
            layout.label(text="Enable the add-on to choose options", icon="INFO")
            return
        row = layout.row(align=True)
        row.menu(FACEPARSE_MT_presets.__name__, text=FACEPARSE_MT_presets.bl_label)
        row.operator(FACEPARSE_OT_preset.bl_idname, text="", icon="ADD")
        row.operator(FACEPARSE_OT_preset.bl_idname, text="", icon="REMOVE").remove_active = True
        layout.use_property_split = True
        layout.use_property_decorate = False
        options.draw_command(layout, chosen)
        layout.separator()
        options.draw_curves(layout, chosen)


class FACEPARSE_MT_presets(Menu):
    bl_label = "Presets"
    preset_subdir = "faceparse"
    preset_operator = "script.execute_preset"
    draw = Menu.draw_preset


class FACEPARSE_OT_preset(AddPresetBase, Operator):
    bl_idname = "faceparse.preset"
    bl_label = "Preset"
    bl_description = "Keep these options under a name, or forget the preset that is chosen"
    bl_options = {"INTERNAL"}

    preset_menu = FACEPARSE_MT_presets.__name__
    preset_subdir = FACEPARSE_MT_presets.preset_subdir
    # The preferences by a name that stays, however the add-on was installed, and in full: a short name of our own
    # (preset_defines) is lost under Python 3.13, as Debian builds Blender 4.3 with.
    preset_values = [
        f"bpy.context.window_manager.faceparse_options.{name}"
        for name in options.names(options.CommandOptions, options.CurveOptions)
    ]


CLASSES = (
    FACEPARSE_PT_main,
    FACEPARSE_PT_portrait,
    FACEPARSE_PT_options,
    FACEPARSE_MT_presets,
    FACEPARSE_OT_preset,
)


def _fraction(_: bpy.types.WindowManager) -> float:
    return 100 * photo_operators.session.run.fraction if photo_operators.session is not None else 0.0


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    manager = bpy.types.WindowManager
    manager.faceparse_progress = FloatProperty(
        name="Done",
        description="How far the photo is",
        subtype="PERCENTAGE",
        min=0,
        max=100,
        precision=0,
        get=_fraction,
    )
    manager.faceparse_options = property(lambda self: preferences.stored(bpy.context))


def unregister() -> None:
    del bpy.types.WindowManager.faceparse_options
    del bpy.types.WindowManager.faceparse_progress
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
