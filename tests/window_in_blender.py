"""What runs inside Blender's window for test_window.py: it prepares the scene, and tells what goes on.

    blender --factory-startup --python tests/window_in_blender.py -- FOLDER

FOLDER/setup.json says what to prepare. FOLDER/state.json is written again and again: whether Blender is alive, what
is in the file, where the sidebar is. FOLDER/orders holds words that `ORDERS` below knows, one a line. Nothing here
presses a button of the add-on: the test does, with a mouse.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import addon_utils
import bpy

FOLDER = Path(sys.argv[sys.argv.index("--") + 1])
SETUP = json.loads((FOLDER / "setup.json").read_text("utf-8"))
ADDON = "faceparse_svg"  # installed before the start
TICK = 0.02  # s
MARK = (1.0, 0.0, 1.0)  # a colour that Blender's themes don't have

state = {"ticks": 0, "longest": 0.0, "longest_without_layers": 0.0, "longest_step": 0.0, "drawn": 0, "orders": 0}
last = None
before = {}


def prepare() -> None:
    """The add-on enabled, an empty scene seen from above, the sidebar open, a photo and the command chosen."""
    preferences = bpy.context.preferences
    preferences.view.show_splash = False
    preferences.view.smooth_view = 0

    def fail(error: Exception) -> None:
        raise error

    assert addon_utils.enable(ADDON, default_set=True, handle_error=fail)
    use_real_command()
    for item in list(bpy.data.objects):
        bpy.data.objects.remove(item)
    choose_photo()
    _, space = view()
    space.show_region_ui = True
    space.shading.type = "SOLID"
    space.shading.color_type = "MATERIAL"
    space.shading.light = "FLAT"
    watch_panel()
    watch_steps()


def view() -> tuple[bpy.types.Area, bpy.types.SpaceView3D]:
    window = bpy.context.window_manager.windows[0]
    (area,) = (area for area in window.screen.areas if area.type == "VIEW_3D")
    return area, area.spaces.active


def watch_panel() -> None:
    """Count how often the add-on's first panel is drawn: only while its tab is in front."""

    def drawn(self: bpy.types.Panel, context: bpy.types.Context) -> None:
        state["drawn"] += 1

    for name in dir(bpy.types):
        kind = getattr(bpy.types, name)
        if getattr(kind, "bl_category", "") == "FaceParse" and not getattr(kind, "bl_parent_id", ""):
            kind.append(drawn)
            return
    raise AssertionError("no panel stands on a tab FaceParse")


def watch_steps() -> None:
    """Note the longest step that the add-on takes on the main thread; what Blender draws afterwards is not in it."""
    kind = sys.modules[f"{ADDON}.run"].PortraitRun
    step = kind.step

    def timed(*arguments: object, **options: object) -> object:
        began = time.perf_counter()
        try:
            return step(*arguments, **options)
        finally:
            state["longest_step"] = max(state["longest_step"], time.perf_counter() - began)

    kind.step = timed


def redraw() -> None:
    for area in bpy.context.window_manager.windows[0].screen.areas:
        area.tag_redraw()


# Orders


def mark_buttons() -> None:
    """Buttons in a colour that can be found in a screenshot, text and all."""
    colors = bpy.context.preferences.themes[0].user_interface.wcol_tool
    for name in ("inner", "outline", "text", "text_sel", "inner_sel"):
        value = getattr(colors, name)
        before[name] = tuple(value)
        setattr(colors, name, (*MARK, 1.0)[: len(value)])
    before["roundness"], colors.roundness = colors.roundness, 0.0
    redraw()


def unmark_buttons() -> None:
    colors = bpy.context.preferences.themes[0].user_interface.wcol_tool
    for name, value in before.items():
        setattr(colors, name, value)
    redraw()


def forget_gaps() -> None:
    """Only what comes now counts; starting up is slow."""
    global last
    state["longest"] = state["longest_without_layers"] = state["longest_step"] = 0.0
    last = None


def choose_photo() -> None:
    bpy.context.scene.faceparse_photo = SETUP["photo"]


def use_slow_command() -> None:
    bpy.context.preferences.addons[ADDON].preferences.command = SETUP["slow_command"]


def use_real_command() -> None:
    bpy.context.preferences.addons[ADDON].preferences.command = SETUP["command"]


def look() -> None:
    """The portrait seen from the front, as large as may be."""
    area, space = view()
    region = next(region for region in area.regions if region.type == "WINDOW")
    place = {"window": bpy.context.window_manager.windows[0], "area": area, "region": region, "space_data": space}
    with bpy.context.temp_override(**place):
        assert bpy.ops.faceparse.look() == {"FINISHED"}
        bpy.ops.object.select_all(action="DESELECT")
    redraw()


def show_short_name() -> None:
    """As Blender shows a photo beside the saved file; the test's own folder has too long a name for a picture."""
    bpy.context.scene.faceparse_photo = "//" + os.path.basename(SETUP["photo"])
    redraw()


def show_preferences() -> None:
    """The add-on's preferences in their window, with the command found in an environment."""
    bpy.context.preferences.addons[ADDON].preferences.command = "~/faceparse"
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.preferences.addon_show(module=ADDON)
        bpy.ops.faceparse.test_command()


MAY_BE_ORDERED = (
    mark_buttons, unmark_buttons, forget_gaps, choose_photo, use_slow_command, use_real_command, look, show_short_name,
    show_preferences,
)  # fmt: skip
ORDERS = {order.__name__: order for order in MAY_BE_ORDERED}


def obey() -> None:
    try:
        orders = (FOLDER / "orders").read_text("utf-8").split()
    except FileNotFoundError:
        return
    for name in orders[state["orders"] :]:
        state["orders"] += 1
        ORDERS[name]()


def tell() -> None:
    window = bpy.context.window_manager.windows[0]
    area, _ = view()
    (sidebar,) = (region for region in area.regions if region.type == "UI")
    state["window"] = [window.width, window.height]
    state["sidebar"] = [sidebar.x, sidebar.y, sidebar.width, sidebar.height]
    state["view"] = [area.x, area.y, area.width, area.height]
    state["collections"] = [item.name for item in bpy.data.collections]
    state["layers"] = [item.get("faceparse_id", "") for item in bpy.data.objects if item.type == "CURVE"]
    state["colors"] = {item.name: list(item.diffuse_color) for item in bpy.data.materials}
    text = json.dumps(state)
    (FOLDER / "state.tmp").write_text(text, "utf-8")
    os.replace(FOLDER / "state.tmp", FOLDER / "state.json")


def tick() -> float:
    global last
    now = time.perf_counter()
    if last is not None:
        kinds = ["longest"] if bpy.data.curves else ["longest", "longest_without_layers"]
        for kind in kinds:
            state[kind] = max(state[kind], now - last)
    state["ticks"] += 1
    try:
        obey()
        if state["ticks"] % 5 == 0:
            tell()
    except Exception as error:  # the test must learn of it
        state["error"] = repr(error)
        (FOLDER / "state.json").write_text(json.dumps(state), "utf-8")
        raise
    last = time.perf_counter()
    return TICK


prepare()
bpy.app.timers.register(tick, first_interval=0.5, persistent=True)
