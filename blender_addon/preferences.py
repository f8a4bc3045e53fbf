# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences: where the program is, which editor opens an SVG, and the default options."""
# ruff: noqa: RUF012 -- Blender wants plain sets and lists in its classes

import os
import threading
import time
from dataclasses import dataclass

import bpy
from bpy.props import StringProperty
from bpy.types import AddonPreferences, Operator

from . import options, polls
from .command import PROGRAM, Command, CommandError, find_command, version
from .options import CommandOptions, CurveOptions


def stored(context: bpy.types.Context) -> "FACEPARSE_AP_preferences | None":
    """The preferences; None where the add-on is registered without being enabled, as a script may do."""
    addon = context.preferences.addons.get(__package__)
    return addon.preferences if addon else None


def chosen(context: bpy.types.Context) -> object:
    """The default options: those of the preferences where there are any."""
    return stored(context) or options.defaults()


def command(context: bpy.types.Context) -> Command:
    """The program. Raises CommandError, with what to do next, where it is not to be found."""
    return find_command(_setting(context, "command"))


def editor(context: bpy.types.Context) -> str:
    return _setting(context, "editor")


def command_problem(context: bpy.types.Context) -> str:
    """Why the program cannot be run; empty where it can. For drawing: it looks on the disk every few seconds only."""
    setting = _setting(context, "command")
    if _looked.setting != setting or time.monotonic() - _looked.at > 3.0:
        try:
            find_command(setting)
            _looked.problem = ""
        except CommandError as error:
            _looked.problem = str(error)
        _looked.setting, _looked.at = setting, time.monotonic()
    return _looked.problem


@dataclass
class _Looked:
    setting: str | None = None
    at: float = 0.0
    problem: str = ""


_looked = _Looked()


def _setting(context: bpy.types.Context, name: str) -> str:
    preferences = stored(context)
    return bpy.path.abspath(getattr(preferences, name)) if preferences else ""


class FACEPARSE_AP_preferences(CommandOptions, CurveOptions, AddonPreferences):
    bl_idname = __package__

    command: StringProperty(
        name="Command",
        description=f"The program {PROGRAM}, or the folder of the environment that it is installed in. "
        "Empty: it is looked for on PATH and in the usual places",
        subtype="FILE_PATH",
        update=lambda self, context: _test.forget(),
    )
    editor: StringProperty(
        name="Editor",
        description="The program that opens an SVG. Empty: Inkscape where it is found, else what the system opens "
        "an SVG with",
        subtype="FILE_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        row = layout.row(align=True)
        row.prop(self, "command")
        row.operator(FACEPARSE_OT_test_command.bl_idname)
        if _test.text:
            layout.label(text=_test.text, icon=_test.icon)
        elif problem := command_problem(context):
            layout.label(text=problem, icon="ERROR")
        layout.prop(self, "editor")
        layout.separator()
        layout.label(text="Default options")
        columns = layout.grid_flow(columns=2, even_columns=True)
        options.draw_command(columns.column(), self)
        options.draw_curves(columns.column(), self)


class _Test:
    """The last press of the button: what it said. The program is asked in a thread, as it may take its time."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.text, self.icon = "", "NONE"
        self._thread: threading.Thread | None = None
        self._answer: list[tuple[bool, str]] = []

    @property
    def running(self) -> bool:
        return self._thread is not None

    def start(self, program: Command) -> None:
        self.forget()
        self.text, self.icon = "Asking the program", "SORTTIME"
        self._thread = threading.Thread(target=_ask, args=(program, self._answer), name=f"{PROGRAM} test", daemon=True)
        self._thread.start()

    def tick(self) -> float | None:
        """For Blender's timer: when to come again, in seconds, or None where the answer is there."""
        if self._thread is None:  # forgotten meanwhile
            return None
        if self._thread.is_alive():
            return 0.1
        self._thread = None
        self.say(*self._answer[0])
        return None

    def say(self, right: bool, text: str) -> None:
        self.text, self.icon = text, "CHECKMARK" if right else "ERROR"
        _redraw_preferences()


_test = _Test()


def _ask(program: Command, answer: list[tuple[bool, str]]) -> None:
    try:
        answer.append((True, _introduced(program)))
    except Exception as error:  # whatever it is, the button must say it
        answer.append((False, str(error)))


def _introduced(program: Command) -> str:
    """Its version, and which one it is. Raises CommandError where it does not answer."""
    home, path = os.path.expanduser("~"), os.fspath(program.path)
    short = "~" + path[len(home) :] if path.startswith(home + os.sep) else path
    return f"{PROGRAM} {version(program)}: {short}"


def _tick() -> float | None:
    return _test.tick()


def _redraw_preferences() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()


class FACEPARSE_OT_test_command(Operator):
    bl_idname = "faceparse.test_command"
    bl_label = "Test"
    bl_description = f"Ask {PROGRAM} for its version"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return polls.allowed(cls, not _test.running, "The program has been asked and has not answered yet")

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        try:
            _test.start(command(context))
        except CommandError as error:
            _test.say(False, str(error))
            return {"CANCELLED"}
        bpy.app.timers.register(_tick, first_interval=0.1)
        return {"FINISHED"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """For scripts: waits for the answer."""
        try:
            answer = _introduced(command(context))
        except CommandError as error:
            _test.say(False, str(error))
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        _test.say(True, answer)
        self.report({"INFO"}, answer)
        return {"FINISHED"}


CLASSES = (FACEPARSE_OT_test_command, FACEPARSE_AP_preferences)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    _test.forget()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
