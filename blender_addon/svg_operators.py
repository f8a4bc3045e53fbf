# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators about an SVG and its portrait: import, update, edit, export. Thin: other modules do the work."""
# ruff: noqa: RUF012 -- Blender wants plain sets and lists in its classes

import os

import bpy
from bpy.props import StringProperty
from bpy.types import Operator
from bpy_extras.io_utils import ExportHelper, ImportHelper

from . import curves, export, options, polls, portraits, preferences, reports, update
from .drawing import Drawing, SvgError
from .editor import EditorError, open_in_editor
from .files import one_line, write_whole
from .options import CurveOptions
from .svg_reader import parse_svg, read_svg
from .svg_writer import write_svg


class FACEPARSE_OT_import_svg(CurveOptions, Operator, ImportHelper):
    bl_idname = "faceparse.import_svg"
    bl_label = "Import SVG"
    bl_description = (
        "Import an SVG with layers, as faceparse-svg writes it or Inkscape saves it: one curve for each layer"
    )
    bl_options = {"REGISTER", "UNDO", "PRESET"}

    filename_ext = ".svg"
    filepath: StringProperty(name="SVG", description="The SVG", subtype="FILE_PATH", options={"HIDDEN", "SKIP_SAVE"})
    filter_glob: StringProperty(default="*.svg", options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return polls.object_mode(cls, context)

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.use_property_split = True
        options.draw_curves(self.layout, self)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        options.take(self, preferences.chosen(context))
        if self.filepath:  # dropped onto the viewport
            return self.execute(context)
        return ImportHelper.invoke(self, context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = os.path.abspath(bpy.path.abspath(self.filepath))
        name = one_line(os.path.basename(path))
        drawing = _read_layers(self, path)
        if drawing is None:
            return {"CANCELLED"}
        try:
            collection = curves.import_drawing(context, drawing, options.curve_settings(self), path)
        except Exception as error:  # it has taken back what it made
            return _failed(self, name, error)
        self.report({"INFO"}, f"{name}: {reports.counted(len(drawing.layers), 'layer')}")
        reports.warn(self, name, reports.lacking(self, context, collection))
        reports.warn(self, name, drawing.notes)
        return {"FINISHED"}


class FACEPARSE_OT_update_from_svg(Operator):
    bl_idname = "faceparse.update_from_svg"
    bl_label = "Update from SVG"
    bl_description = (
        "Read the portrait's SVG again: curves and colours that changed in it, and new layers. Your materials, "
        "modifiers, transforms and parents stay"
    )
    bl_options = {"UNDO"}

    filepath: StringProperty(
        name="SVG",
        description="Another SVG, which is the portrait's from then on. Empty: the one that it came from",
        subtype="FILE_PATH",
        options={"HIDDEN", "SKIP_SAVE"},
    )
    filter_glob: StringProperty(default="*.svg", options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return polls.editable(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if not self.filepath and not os.path.isfile(portraits.source_path(portraits.portrait_of(context))):
            context.window_manager.fileselect_add(self)  # it was moved, or never kept
            return {"RUNNING_MODAL"}
        return self.execute(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        collection = portraits.portrait_of(context)
        path = os.path.abspath(bpy.path.abspath(self.filepath)) if self.filepath else portraits.source_path(collection)
        if not path:
            self.report({"ERROR"}, "This portrait has no SVG. Export one, or choose one")
            return {"CANCELLED"}
        name = one_line(os.path.basename(path))
        drawing = _read_layers(self, path, so=", so nothing was changed")
        if drawing is None:
            return {"CANCELLED"}
        try:
            done = update.update_portrait(collection, drawing)
        except Exception as error:
            return _failed(self, name, error)
        if self.filepath:
            portraits.set_source(collection, path)
        reports.warn(self, name, drawing.notes)
        if done.missing:
            missing = ", ".join(map(one_line, done.missing))
            self.report({"WARNING"}, f"{name}: not in it any longer: {missing}. The sidebar offers to remove them")
        lists = (
            ("new", done.added),
            ("changed", done.changed),
            ("removed here before", done.deleted),
            ("another colour in the file, the material here stays", done.painted),
            ("another shape in the file, no plain curve here", done.reshaped),
        )
        said = [f"{what}: {', '.join(map(one_line, found))}" for what, found in lists if found]
        if said or not done.missing:
            self.report({"INFO"}, f"{name}: {'; '.join(said) or 'nothing changed'}")
        return {"FINISHED"}


class FACEPARSE_OT_remove_missing(Operator):
    bl_idname = "faceparse.remove_missing"
    bl_label = "Remove layers not in the SVG"
    bl_description = "Remove those layers of the portrait that the last update did not find in its SVG"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return polls.editable(cls, context) and polls.allowed(
            cls,
            bool(portraits.missing(portraits.portrait_of(context))),
            "Every layer is in the SVG, as far as the last update knows",
        )

    def execute(self, context: bpy.types.Context) -> set[str]:
        removed = update.remove_missing(portraits.portrait_of(context))
        self.report({"INFO"}, f"{reports.counted(removed, 'object')} removed")
        return {"FINISHED"}


class FACEPARSE_OT_open_svg(Operator):
    bl_idname = "faceparse.open_svg"
    bl_label = "Open SVG in editor"
    bl_description = (
        "Open the portrait's SVG in the editor that the preferences name, or in Inkscape. Save it there, "
        "then press Update from SVG"
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return polls.portrait(cls, context) and polls.allowed(
            cls, bool(portraits.source_of(portraits.portrait_of(context))), "This portrait has no SVG: export one first"
        )

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = portraits.source_path(portraits.portrait_of(context))
        name = one_line(os.path.basename(path))
        if not os.path.isfile(path):
            self.report({"ERROR"}, f"{one_line(path)}: no such file. Export the SVG, or choose it with Update from SVG")
            return {"CANCELLED"}
        try:
            editor = open_in_editor(preferences.editor(context), path)
        except EditorError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"{name}: opened in {editor}")
        return {"FINISHED"}


class FACEPARSE_OT_export_svg(Operator, ExportHelper):
    bl_idname = "faceparse.export_svg"
    bl_label = "Export SVG"
    bl_description = (
        "Write the portrait as an SVG: its layers, their order, names, colours and curves as they are in Blender. "
        "That file is the portrait's own from then on"
    )
    bl_options = {"UNDO"}

    filename_ext = ".svg"
    filepath: StringProperty(name="SVG", description="The SVG", subtype="FILE_PATH", options={"HIDDEN", "SKIP_SAVE"})
    filter_glob: StringProperty(default="*.svg", options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return polls.editable(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if not self.filepath:
            collection = portraits.portrait_of(context)
            name = bpy.path.clean_name(collection.name) + self.filename_ext
            self.filepath = portraits.source_path(collection) or os.path.join(os.path.dirname(bpy.data.filepath), name)
        return ExportHelper.invoke(self, context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        collection = portraits.portrait_of(context)
        path = os.path.abspath(bpy.path.abspath(self.filepath))
        if not self.filepath or os.path.isdir(path):
            self.report({"ERROR"}, "Give the file a name")
            return {"CANCELLED"}
        if path.lower().endswith(".svgz"):
            path = path[:-1]  # what is written is not compressed
        path = bpy.path.ensure_ext(path, self.filename_ext)
        name = one_line(os.path.basename(path))
        if reports.refused_name(self, path):
            return {"CANCELLED"}
        try:
            drawing = export.read_portrait(collection)
            data = write_svg(drawing)
            written = parse_svg(data)
            write_whole(path, data)
        except OSError as error:
            self.report({"ERROR"}, f"{one_line(path)}: {error.strerror or error}. Choose another place")
            return {"CANCELLED"}
        except Exception as error:
            return _failed(self, name, error)
        export.mark_exported(collection, written, path)
        self.report({"INFO"}, f"{name}: {reports.counted(len(drawing.layers), 'layer')} written")
        reports.warn(self, name, drawing.notes)
        return {"FINISHED"}


def _read_layers(operator: Operator, path: str, so: str = "") -> Drawing | None:
    """The drawing in a file; None, and it has been said why, where there is none with layers. `so`: what follows."""
    if reports.refused_name(operator, path):
        return None
    try:
        drawing = read_svg(path)
    except SvgError as error:
        operator.report({"ERROR"}, one_line(str(error)))
        return None
    if not drawing.layers:
        name = one_line(os.path.basename(path))
        notes = f" ({'; '.join(map(one_line, drawing.notes))})" if drawing.notes else ""
        operator.report({"ERROR"}, f"{name}: there are no shapes in it{so}{notes}")
        return None
    return drawing


def _failed(operator: Operator, name: str, error: Exception) -> set[str]:
    operator.report({"ERROR"}, f"{name}: {reports.bug(error)}")
    return {"CANCELLED"}


CLASSES = [
    FACEPARSE_OT_import_svg,
    FACEPARSE_OT_update_from_svg,
    FACEPARSE_OT_remove_missing,
    FACEPARSE_OT_open_svg,
    FACEPARSE_OT_export_svg,
]

if hasattr(bpy.types, "FileHandler"):  # Blender 4.1 and later

    class FACEPARSE_FH_svg(bpy.types.FileHandler):
        bl_idname = "FACEPARSE_FH_svg"
        bl_label = "Portrait SVG as layers"
        bl_import_operator = FACEPARSE_OT_import_svg.bl_idname
        bl_file_extensions = ".svg"

        @classmethod
        def poll_drop(cls, context: bpy.types.Context) -> bool:
            return polls.over_3d_view(context)

    CLASSES.append(FACEPARSE_FH_svg)


def _import_menu(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.operator(FACEPARSE_OT_import_svg.bl_idname, text="Portrait SVG as layers (.svg)")


def _export_menu(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.operator(FACEPARSE_OT_export_svg.bl_idname, text="Portrait SVG (.svg)")


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.TOPBAR_MT_file_import.append(_import_menu)
    bpy.types.TOPBAR_MT_file_export.append(_export_menu)


def unregister() -> None:
    bpy.types.TOPBAR_MT_file_export.remove(_export_menu)
    bpy.types.TOPBAR_MT_file_import.remove(_import_menu)
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
