# SPDX-License-Identifier: GPL-3.0-or-later
"""`Portrait from photo`: the program's run in the window, its progress, and its end however that comes."""
# ruff: noqa: RUF012 -- Blender wants plain sets and lists in its classes

import math
import time

import bpy
from bpy.app.handlers import persistent
from bpy.props import BoolProperty, StringProperty
from bpy.types import Operator

from . import options, polls, preferences, reports
from .command import PHOTO_SUFFIXES, PROGRAM, CommandError
from .options import CommandOptions, CurveOptions
from .run import PortraitRun, Stage

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
        free = polls.allowed(cls, session is None, "A photo is being drawn already: wait for it, or cancel it")
        return free and polls.object_mode(cls, context)

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
        self.report({"INFO"}, f"{run.name}: a portrait of {reports.counted(run.layers, 'layer')}")
        run.notes += reports.lacking(self, bpy.context, run.collection)
        reports.warn(self, run.name, run.notes)
        return {"FINISHED"}


class FACEPARSE_OT_cancel(Operator):
    bl_idname = "faceparse.cancel"
    bl_label = "Cancel"
    bl_description = "End the program that draws the photo, and take back what was made so far"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return polls.allowed(cls, session is not None, "No photo is being drawn")

    def execute(self, context: bpy.types.Context) -> set[str]:
        session.run.cancel()  # the modal operator finds it so at its next tick
        return {"FINISHED"}


CLASSES = [FACEPARSE_OT_portrait_from_photo, FACEPARSE_OT_cancel]

if hasattr(bpy.types, "FileHandler"):  # Blender 4.1 and later

    class FACEPARSE_FH_photo(bpy.types.FileHandler):
        bl_idname = "FACEPARSE_FH_photo"
        bl_label = "Portrait from photo"
        bl_import_operator = FACEPARSE_OT_portrait_from_photo.bl_idname
        bl_file_extensions = ";".join(PHOTO_SUFFIXES)

        @classmethod
        def poll_drop(cls, context: bpy.types.Context) -> bool:
            return polls.over_3d_view(context)

    CLASSES.append(FACEPARSE_FH_photo)


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
    bpy.app.handlers.load_pre.append(_before_load)


def unregister() -> None:
    if session is not None:
        session.end(PATIENCE)
    bpy.app.handlers.load_pre.remove(_before_load)
    del bpy.types.Scene.faceparse_photo
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
