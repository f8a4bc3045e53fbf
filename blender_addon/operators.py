# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be pressed. Thin: the work is done by run.py, curves.py, svg_reader.py and svg_writer.py."""
# ruff: noqa: RUF012 -- Blender wants plain sets and lists in its classes

import math
import os
import time
import traceback
from collections.abc import Iterable

import bpy
from bpy.app.handlers import persistent
from bpy.props import BoolProperty, StringProperty
from bpy.types import Operator
from bpy_extras.io_utils import ExportHelper, ImportHelper
from mathutils import Quaternion, Vector

from . import curves, export, materials, options, portraits, preferences
from .command import PHOTO_SUFFIXES, PROGRAM, CommandError
from .drawing import Drawing, SvgError
from .editor import EditorError, open_in_editor
from .files import is_text, one_line, write_whole
from .options import CommandOptions, CurveOptions
from .run import PortraitRun, Stage
from .svg_reader import parse_svg, read_svg
from .svg_writer import write_svg

#: Seconds between two looks at what the program says.
INTERVAL = 0.1

#: Seconds that the program has to end by itself where Blender quits or loads a file: nobody would end it later.
PATIENCE = 0.5


class Session:
    """A run in the window: its timer, its line in the status bar. There is at most one, `session`."""

    def __init__(self, run: PortraitRun, context: bpy.types.Context) -> None:
        self.run = run
        self._timer = context.window_manager.event_timer_add(INTERVAL, window=context.window)
        self._workspaces: set[str] = set()  # the user may change to another meanwhile
        self._said: tuple[float, str] | None = None
        self.longest = 0.0  #: s, the longest of its steps on the main thread

    @property
    def text(self) -> str:
        return f"{self.run.doing} ({100 * self.run.fraction:.0f} %)"

    def tick(self, context: bpy.types.Context) -> None:
        began = time.perf_counter()
        self.run.step(context)
        said = (self.run.fraction, self.run.doing)
        if said != self._said and not self.run.over:
            self._said = said
            if context.workspace is not None:
                set_status(context.workspace.name, f"{self.run.name}: {self.text}   |   ESC: Cancel")
                self._workspaces.add(context.workspace.name)
            redraw()
        self.longest = max(self.longest, time.perf_counter() - began)

    def end(self, wait: float = 0.0) -> None:
        """Leave no timer, no text and nothing of an unfinished run, whatever the way out; once is as good as twice."""
        global session
        if session is self:
            session = None
        if self._timer is not None:
            bpy.context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        for name in self._workspaces:
            set_status(name, None)
        self._workspaces.clear()
        self.run.close(wait)
        redraw()


session: Session | None = None


def set_status(workspace: str, text: str | None) -> None:
    """What the status bar says; None: what Blender says there. By name, as a workspace may be removed."""
    found = bpy.data.workspaces.get(workspace)
    if found is not None:
        found.status_text_set(text)


def redraw() -> None:
    """Draw the sidebars anew: the panel shows how far the run is."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


def poll_object_mode(cls: type[Operator], context: bpy.types.Context) -> bool:
    """Outside of Object Mode a new object is no undo step of its own."""
    if context.mode != "OBJECT":
        cls.poll_message_set("Go to Object Mode first")
        return False
    return True


def poll_portrait(cls: type[Operator], context: bpy.types.Context) -> bool:
    if portraits.portrait_of(context) is None:
        cls.poll_message_set("Select a layer of a portrait, or make its collection the active one")
        return False
    return True


def poll_editable(cls: type[Operator], context: bpy.types.Context) -> bool:
    if not poll_layers(cls, context):
        return False
    if not portraits.is_editable(portraits.portrait_of(context)):
        cls.poll_message_set("This portrait is linked from another file: change it there")
        return False
    return True


def poll_layers(cls: type[Operator], context: bpy.types.Context) -> bool:
    if not poll_portrait(cls, context):
        return False
    if not portraits.has_layers(portraits.portrait_of(context)):
        cls.poll_message_set("This portrait has no curves, it is Grease Pencil or was emptied: import its SVG again")
        return False
    return True


def refused_name(operator: Operator, path: str) -> bool:
    """Whether Blender's data cannot hold this path; then it has been said."""
    if is_text(path):
        return False
    operator.report(
        {"ERROR"}, f"{one_line(path)}: a name that is not UTF-8, which Blender cannot hold. Rename the file"
    )
    return True


def read_layers(operator: Operator, path: str, so: str = "") -> Drawing | None:
    """The drawing in a file; None, and it has been said why, where there is none with layers. `so`: what follows."""
    if refused_name(operator, path):
        return None
    try:
        drawing = read_svg(path)
    except SvgError as error:
        operator.report({"ERROR"}, one_line(str(error)))
        return None
    if not drawing.layers:
        name = one_line(os.path.basename(path))
        operator.report({"ERROR"}, f"{name}: there are no shapes in it{so}{noted(drawing.notes)}")
        return None
    return drawing


def warn(operator: Operator, name: str, notes: Iterable[str]) -> None:
    for note in notes:
        operator.report({"WARNING"}, f"{name}: {one_line(note)}")


def source_path(collection: bpy.types.Collection) -> str:
    """The portrait's SVG as an absolute path; empty where it has none."""
    source = portraits.source_of(collection)
    path = os.path.abspath(bpy.path.abspath(source)) if source else ""
    if path and bpy.data.filepath and not os.path.exists(path):
        beside = os.path.join(os.path.dirname(bpy.data.filepath), os.path.basename(path))
        if os.path.exists(beside):  # the project's folder was moved
            return beside
    return path


def counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


class FACEPARSE_OT_portrait_from_photo(CommandOptions, CurveOptions, Operator):
    bl_idname = "faceparse.portrait_from_photo"
    bl_label = "Portrait from photo"
    bl_description = (
        f"Turn a photo into a portrait of curves on layers: the program {PROGRAM} draws it as an SVG, which is then "
        "imported. Blender can be used meanwhile; ESC cancels"
    )
    # Not REGISTER: the panel for adjusting the last operation would run the program again at every change.
    bl_options = {"UNDO", "PRESET"}

    filepath: StringProperty(
        name="Photo", description="The photo", subtype="FILE_PATH", options={"HIDDEN", "SKIP_SAVE"}
    )
    filter_glob: StringProperty(
        default=";".join(f"*{suffix}" for suffix in PHOTO_SUFFIXES), options={"HIDDEN", "SKIP_SAVE"}
    )
    filter_image: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    in_window = False  # set by invoke: execute after the file dialog must not wait for the program
    own: Session | None = None

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if session is not None:
            cls.poll_message_set("A photo is being drawn already: wait for it, or cancel it")
            return False
        return poll_object_mode(cls, context)

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        options.draw_command(layout, self, in_file_dialog=True)
        layout.separator()
        options.draw_curves(layout, self)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        options.take(self, preferences.chosen(context))
        self.in_window = True
        if not self.filepath:
            self.filepath = context.scene.faceparse_photo
        if self.filepath:
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        global session
        try:
            run = PortraitRun(
                preferences.command(context),
                bpy.path.abspath(self.filepath),
                options.request(self),
                options.curve_settings(self),
                keep_svg=self.keep_svg,
                temporary=bpy.app.tempdir or None,
            )
        except CommandError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if self.in_window and context.window is not None:
            session = self.own = Session(run, context)
            context.window_manager.modal_handler_add(self)
            self.own.tick(context)
            return {"RUNNING_MODAL"}
        try:  # a script: to the end
            while not run.over:
                run.step(context, math.inf)
                if run.stage in (Stage.DRAWING, Stage.READING):
                    time.sleep(0.01)
        finally:
            run.close()
        return self._tell(run)

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        run = self.own.run
        try:
            if event.type == "ESC" and event.value == "PRESS":
                run.cancel()
            elif event.type == "TIMER" and not run.over:
                self.own.tick(context)
        except BaseException:
            self.own.end()
            raise
        if run.over:  # also where it was ended elsewhere: the Cancel button, another file, the add-on switched off
            self.own.end()
            return self._tell(run)
        # For the moment that curves are built in, nothing else may happen to the file: an undo would pull it away.
        return {"RUNNING_MODAL"} if run.stage == Stage.BUILDING else {"PASS_THROUGH"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends it: another file is loaded, the window is closed, Blender quits."""
        if self.own is not None:
            self.own.end(PATIENCE)

    def _tell(self, run: PortraitRun) -> set[str]:
        if run.stage == Stage.FAILED:
            self.report({"ERROR"}, run.error)
            return {"CANCELLED"}
        if run.stage == Stage.CANCELLED:
            self.report({"INFO"}, f"{run.name}: cancelled")
            return {"CANCELLED"}
        self.report({"INFO"}, f"{run.name}: a portrait of {counted(run.layers, 'layer')}")
        run.notes += lacking(self, bpy.context, run.collection)
        warn(self, run.name, run.notes)
        return {"FINISHED"}


class FACEPARSE_OT_cancel(Operator):
    bl_idname = "faceparse.cancel"
    bl_label = "Cancel"
    bl_description = "End the program that draws the photo, and take back what was made so far"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if session is None:
            cls.poll_message_set("No photo is being drawn")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        session.run.cancel()  # the modal operator finds it so at its next tick
        return {"FINISHED"}


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
        return poll_object_mode(cls, context)

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
        drawing = read_layers(self, path)
        if drawing is None:
            return {"CANCELLED"}
        try:
            collection = curves.import_drawing(context, drawing, options.curve_settings(self), path)
        except Exception as error:  # it has taken back what it made
            return bug(self, name, error)
        self.report({"INFO"}, f"{name}: {counted(len(drawing.layers), 'layer')}")
        warn(self, name, lacking(self, context, collection))
        warn(self, name, drawing.notes)
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
        return poll_object_mode(cls, context) and poll_editable(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if not self.filepath and not os.path.isfile(source_path(portraits.portrait_of(context))):
            context.window_manager.fileselect_add(self)  # it was moved, or never kept
            return {"RUNNING_MODAL"}
        return self.execute(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        collection = portraits.portrait_of(context)
        path = os.path.abspath(bpy.path.abspath(self.filepath)) if self.filepath else source_path(collection)
        if not path:
            self.report({"ERROR"}, "This portrait has no SVG. Export one, or choose one")
            return {"CANCELLED"}
        name = one_line(os.path.basename(path))
        drawing = read_layers(self, path, so=", so nothing was changed")
        if drawing is None:
            return {"CANCELLED"}
        try:
            update = curves.update_portrait(collection, drawing)
        except Exception as error:
            return bug(self, name, error)
        if self.filepath:
            portraits.set_source(collection, path)
        warn(self, name, drawing.notes)
        if update.missing:
            missing = ", ".join(map(one_line, update.missing))
            self.report({"WARNING"}, f"{name}: not in it any longer: {missing}. The sidebar offers to remove them")
        lists = (
            ("new", update.added),
            ("changed", update.changed),
            ("removed here before", update.deleted),
            ("another colour in the file, the material here stays", update.painted),
            ("another shape in the file, no plain curve here", update.reshaped),
        )
        said = [f"{what}: {', '.join(map(one_line, found))}" for what, found in lists if found]
        if said or not update.missing:
            self.report({"INFO"}, f"{name}: {'; '.join(said) or 'nothing changed'}")
        return {"FINISHED"}


class FACEPARSE_OT_remove_missing(Operator):
    bl_idname = "faceparse.remove_missing"
    bl_label = "Remove layers not in the SVG"
    bl_description = "Remove those layers of the portrait that the last update did not find in its SVG"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not (poll_object_mode(cls, context) and poll_editable(cls, context)):
            return False
        if not portraits.missing(portraits.portrait_of(context)):
            cls.poll_message_set("Every layer is in the SVG, as far as the last update knows")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        removed = curves.remove_missing(portraits.portrait_of(context))
        self.report({"INFO"}, f"{counted(removed, 'object')} removed")
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
        if not poll_portrait(cls, context):
            return False
        if not portraits.source_of(portraits.portrait_of(context)):
            cls.poll_message_set("This portrait has no SVG: export one first")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = source_path(portraits.portrait_of(context))
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
        return poll_object_mode(cls, context) and poll_editable(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if not self.filepath:
            collection = portraits.portrait_of(context)
            name = bpy.path.clean_name(collection.name) + self.filename_ext
            self.filepath = source_path(collection) or os.path.join(os.path.dirname(bpy.data.filepath), name)
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
        if refused_name(self, path):
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
            return bug(self, name, error)
        export.mark_exported(collection, written, path)
        self.report({"INFO"}, f"{name}: {counted(len(drawing.layers), 'layer')} written")
        warn(self, name, drawing.notes)
        return {"FINISHED"}


class FACEPARSE_OT_look(Operator):
    bl_idname = "faceparse.look"
    bl_label = "Look at the portrait"
    bl_description = "Turn this 3D view so that the portrait is seen from the front, as large as it can be"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.space_data is None or context.space_data.type != "VIEW_3D":
            cls.poll_message_set("This works in a 3D view")
            return False
        return poll_portrait(cls, context)

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
        if materials.is_exact(context.scene) and not _shades(context):
            cls.poll_message_set("Colours look as they do in the SVG already")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        if _shades(context):
            shading = context.space_data.shading
            shading.light, shading.color_type = "FLAT", "MATERIAL"
        if not materials.show_exact(context.scene, wholly=True):
            self.report({"WARNING"}, "This colour configuration (OCIO) has no view called Standard")
        return {"FINISHED"}


def _shades(context: bpy.types.Context) -> bool:
    """Whether this is a solid 3D view that shows other colours than the materials'."""
    space = context.space_data
    if space is None or space.type != "VIEW_3D" or space.shading.type != "SOLID":
        return False
    return (space.shading.light, space.shading.color_type) != ("FLAT", "MATERIAL")


def lacking(chosen: CurveOptions, context: bpy.types.Context, collection: bpy.types.Collection) -> list[str]:
    """What was chosen and could not be done."""
    said = []
    if chosen.exact_colors and not materials.is_exact(context.scene):
        said.append("something in the scene's colour management grades the colours (Show exact colours takes it back)")
    if chosen.photo_behind and not any(target.get(portraits.PART) == "photo" for target in collection.objects):
        said.append("the SVG refers to no photo that is there, so none lies behind")
    return said


def noted(notes: tuple[str, ...]) -> str:
    return f" ({'; '.join(map(one_line, notes))})" if notes else ""


def bug(operator: Operator, name: str, error: Exception) -> set[str]:
    traceback.print_exception(error)
    text = f"{name}: {type(error).__name__}: {one_line(str(error))} (a bug; the system console shows where)"
    operator.report({"ERROR"}, text)
    return {"CANCELLED"}


CLASSES = [
    FACEPARSE_OT_portrait_from_photo,
    FACEPARSE_OT_cancel,
    FACEPARSE_OT_import_svg,
    FACEPARSE_OT_update_from_svg,
    FACEPARSE_OT_remove_missing,
    FACEPARSE_OT_open_svg,
    FACEPARSE_OT_export_svg,
    FACEPARSE_OT_look,
    FACEPARSE_OT_standard_view,
]

if hasattr(bpy.types, "FileHandler"):  # Blender 4.1 and later

    def _over_3d_view(context: bpy.types.Context) -> bool:
        return context.space_data is not None and context.space_data.type == "VIEW_3D"

    class FACEPARSE_FH_photo(bpy.types.FileHandler):
        bl_idname = "FACEPARSE_FH_photo"
        bl_label = "Portrait from photo"
        bl_import_operator = FACEPARSE_OT_portrait_from_photo.bl_idname
        bl_file_extensions = ";".join(PHOTO_SUFFIXES)

        @classmethod
        def poll_drop(cls, context: bpy.types.Context) -> bool:
            return _over_3d_view(context)

    class FACEPARSE_FH_svg(bpy.types.FileHandler):
        bl_idname = "FACEPARSE_FH_svg"
        bl_label = "Portrait SVG as layers"
        bl_import_operator = FACEPARSE_OT_import_svg.bl_idname
        bl_file_extensions = ".svg"

        @classmethod
        def poll_drop(cls, context: bpy.types.Context) -> bool:
            return _over_3d_view(context)

    CLASSES += [FACEPARSE_FH_photo, FACEPARSE_FH_svg]


def _import_menu(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.operator(FACEPARSE_OT_import_svg.bl_idname, text="Portrait SVG as layers (.svg)")


def _export_menu(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.operator(FACEPARSE_OT_export_svg.bl_idname, text="Portrait SVG (.svg)")


@persistent
def _before_load(*_: object) -> None:
    if session is not None:
        session.end(PATIENCE)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.faceparse_photo = StringProperty(
        name="Photo",
        description="The photo for Portrait from photo. Empty: the button asks for one",
        subtype="FILE_PATH",
    )
    bpy.types.TOPBAR_MT_file_import.append(_import_menu)
    bpy.types.TOPBAR_MT_file_export.append(_export_menu)
    bpy.app.handlers.load_pre.append(_before_load)


def unregister() -> None:
    if session is not None:
        session.end(PATIENCE)
    bpy.app.handlers.load_pre.remove(_before_load)
    bpy.types.TOPBAR_MT_file_export.remove(_export_menu)
    bpy.types.TOPBAR_MT_file_import.remove(_import_menu)
    del bpy.types.Scene.faceparse_photo
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
