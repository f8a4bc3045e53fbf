"""The add-on in Blender: comes and goes without a trace, its options, its preferences and what its panels draw."""

from __future__ import annotations

import ast
import dataclasses
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import addon_utils
import bpy
import pytest
from conftest import ADDON, ROOT

from blender_addon import (
    command,
    grease_pencil,
    materials,
    options,
    panel,
    photo_operators,
    portraits,
    preferences,
    svg_operators,
)
from blender_addon.settings import CurveSettings

OPERATORS = {
    "portrait_from_photo", "cancel", "import_svg", "update_from_svg", "remove_missing", "open_svg", "export_svg",
    "look", "standard_view", "test_command", "preset",
}  # fmt: skip


@pytest.fixture(autouse=True)
def chosen_by_nobody() -> Iterator[None]:
    """The preferences as they are at first."""
    yield
    for name in ("command", "editor", *options.names(options.CommandOptions, options.CurveOptions)):
        stored().property_unset(name)


def stored() -> Any:
    return bpy.context.preferences.addons[ADDON].preferences


def traces() -> dict[str, Any]:
    """What of the add-on is to be found in Blender."""
    handlers = {
        name: [function.__name__ for function in value if "blender_addon" in function.__module__]
        for name, value in vars_of(bpy.app.handlers)
        if isinstance(value, list)
    }
    return {
        "types": [name for name in dir(bpy.types) if name.startswith("FACEPARSE")],
        "operators": set(dir(bpy.ops.faceparse)) & OPERATORS,
        "properties": [
            (kind, name)
            for kind in ("Scene", "Collection", "WindowManager", "Object", "Material")
            for name in dir(getattr(bpy.types, kind))
            if "faceparse" in name
        ],
        "menus": [
            name
            for name in ("TOPBAR_MT_file_import", "TOPBAR_MT_file_export")
            for function in getattr(getattr(bpy.types, name).draw, "_draw_funcs", ())
            if "blender_addon" in function.__module__
        ],
        "handlers": {name: found for name, found in handlers.items() if found},
        "timers": [preferences._tick] if bpy.app.timers.is_registered(preferences._tick) else [],
    }


def vars_of(thing: Any) -> list[tuple[str, Any]]:
    return [(name, getattr(thing, name)) for name in dir(thing)]


# --- it comes and goes -------------------------------------------------------------------------------------------


def test_registered_and_unregistered_twice_it_leaves_no_trace() -> None:
    there = traces()
    assert there["operators"] == OPERATORS
    assert there["menus"] == ["TOPBAR_MT_file_import", "TOPBAR_MT_file_export"]
    assert there["handlers"]
    for _ in range(2):
        addon_utils.disable(ADDON)
        assert not any(traces().values()), traces()
        addon_utils.enable(ADDON)
        assert traces() == there


def test_half_registered_is_not_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules[ADDON]
    module.unregister()
    try:

        def fails() -> None:
            raise RuntimeError("no")

        with monkeypatch.context() as patch:
            patch.setattr(panel, "register", fails)
            with pytest.raises(RuntimeError, match="no"):
                module.register()
        assert not any(traces().values())
    finally:
        module.register()


def test_another_version_over_this_one_brings_its_modules_with_it(tmp_path: Path) -> None:
    """Blender runs __init__ again where its file is newer; the other modules must be new then, too."""
    import importlib
    import shutil

    folder = tmp_path / "other_faceparse"
    shutil.copytree(ROOT / "blender_addon", folder, ignore=shutil.ignore_patterns("__pycache__"))
    addon_utils.disable(ADDON)  # both have the same operators
    sys.path.insert(0, os.fspath(tmp_path))
    try:
        for label in ("Older", "The newest"):
            text = (folder / "view_operators.py").read_text("utf-8")
            text = text.replace('bl_label = "Look at the portrait"', f'bl_label = "{label}"').replace(
                '"Older"', f'"{label}"'
            )
            (folder / "view_operators.py").write_text(text, "utf-8")
            os.utime(folder / "__init__.py", (1e9, 1e9) if label == "Older" else (2e9, 2e9))
            importlib.invalidate_caches()
            assert addon_utils.enable("other_faceparse")
            assert bpy.ops.faceparse.look.get_rna_type().name == label
            addon_utils.disable("other_faceparse")
    finally:
        sys.path.remove(os.fspath(tmp_path))
        for name in [name for name in sys.modules if name.startswith("other_faceparse")]:
            del sys.modules[name]
        addon_utils.enable(ADDON)


def test_registered_without_being_enabled_it_works_with_the_defaults(face_svg: Path) -> None:
    """As a script may do that calls register() itself: then there are no preferences."""
    addons = bpy.context.preferences.addons
    addons.remove(addons[ADDON])
    try:
        assert preferences.stored(bpy.context) is None
        assert vars(preferences.chosen(bpy.context)) == vars(options.defaults())
        assert bpy.ops.faceparse.import_svg(filepath=os.fspath(face_svg)) == {"FINISHED"}
        drawn = draw_all()
        assert "Enable the add-on to choose options" in drawn.texts
    finally:
        addons.new().module = ADDON


def test_what_blender_is_told_is_there_and_short() -> None:
    for name in OPERATORS - {"preset"}:
        kind = getattr(bpy.ops.faceparse, name).get_rna_type()
        assert kind.description, name
        assert not kind.description.endswith("."), name  # Blender adds the full stop
        for prop in kind.properties:
            assert prop.description or prop.is_hidden or prop.identifier == "rna_type", (name, prop.identifier)


@pytest.mark.skipif(not hasattr(bpy.types, "FileHandler"), reason="this Blender has no file handlers yet")
def test_files_can_be_dropped_onto_the_viewport() -> None:
    photo, svg = bpy.types.FACEPARSE_FH_photo, bpy.types.FACEPARSE_FH_svg
    assert set(photo.bl_file_extensions.split(";")) == set(command.PHOTO_SUFFIXES)
    assert svg.bl_file_extensions == ".svg"
    for handler in (photo, svg):
        name = handler.bl_import_operator.partition(".")[2]
        assert "filepath" in getattr(bpy.ops.faceparse, name).get_rna_type().properties
        assert handler.poll_drop(SimpleNamespace(space_data=SimpleNamespace(type="VIEW_3D")))
        assert not handler.poll_drop(SimpleNamespace(space_data=SimpleNamespace(type="IMAGE_EDITOR")))
        assert not handler.poll_drop(SimpleNamespace(space_data=None))


def test_nothing_is_written_into_the_add_ons_folder() -> None:
    """No module opens a file there: none asks where it lies."""
    for file in (ROOT / "blender_addon").glob("*.py"):
        words = {node.id for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Name)}
        assert "__file__" not in words, file.name


# --- options -----------------------------------------------------------------------------------------------------


def test_the_options_are_the_settings_own() -> None:
    fields = {field.name: field.default for field in dataclasses.fields(CurveSettings)}
    assert set(options.names(options.CurveOptions)) == set(fields)
    assert options.curve_settings(options.defaults()) == CurveSettings()
    assert options.request(options.defaults()) == command.Request()
    chosen = options.defaults()
    for heads, said in (("all", "all"), ("number", "2")):
        chosen.heads = heads
        assert options.request(chosen).heads == said
    rounded = dataclasses.asdict(options.curve_settings(stored()))  # Blender's numbers are of single precision
    assert rounded == pytest.approx(dataclasses.asdict(CurveSettings()))
    assert options.request(stored()) == command.Request()


def test_every_option_is_in_the_preferences_and_in_the_operators() -> None:
    both = set(options.names(options.CommandOptions, options.CurveOptions))
    assert both < set(stored().bl_rna.properties.keys())
    assert both < set(bpy.ops.faceparse.portrait_from_photo.get_rna_type().properties.keys())
    some = set(options.names(options.CurveOptions))
    assert some < set(bpy.ops.faceparse.import_svg.get_rna_type().properties.keys())


def test_what_the_command_is_asked(tmp_path: Path) -> None:
    chosen = options.defaults()
    chosen.parts, chosen.custom_parts = "custom", {"hair", "eye-left", "head"}
    chosen.joins, chosen.style, chosen.background, chosen.model = "cutout", "cel", True, " parser "
    assert options.request(chosen) == command.Request("head,eye-left,hair", "cutout", "cel", True, "parser")
    chosen.custom_parts = {"head", "own"}
    assert options.request(chosen).parts == "head,own"
    chosen.custom_parts = set()
    with pytest.raises(command.CommandError, match="No part is chosen"):
        options.request(chosen)
    bpy.ops.wm.save_as_mainfile(filepath=os.fspath(tmp_path / "a.blend"))
    chosen.parts, chosen.model = "all", "//models/parser.onnx"  # as Blender's file dialog writes it
    assert options.request(chosen).model == os.fspath(tmp_path / "models" / "parser.onnx")


def test_presets_keep_options_in_the_users_folder() -> None:
    chosen = stored()
    chosen.parts, chosen.custom_parts, chosen.step, chosen.lit = "custom", {"hat", "hair"}, 0.125, True
    assert bpy.ops.faceparse.preset(name="My hats") == {"FINISHED"}
    (kept,) = Path(bpy.utils.user_resource("SCRIPTS", path="presets/faceparse")).iterdir()
    for name in options.names(options.CommandOptions, options.CurveOptions):
        chosen.property_unset(name)
    bpy.ops.script.execute_preset(filepath=os.fspath(kept), menu_idname="FACEPARSE_MT_presets")
    assert (chosen.parts, chosen.custom_parts, chosen.step, chosen.lit) == ("custom", {"hat", "hair"}, 0.125, True)
    assert bpy.ops.faceparse.preset(remove_active=True) == {"FINISHED"}
    assert not kept.exists()


# --- what is drawn ---------------------------------------------------------------------------------------------------


ICONS = set(bpy.types.UILayout.bl_rna.functions["prop"].parameters["icon"].enum_items.keys())


class Layout:
    """Stands in for a UILayout: notes what is drawn, and refuses what Blender would complain of."""

    def __init__(self, noted: SimpleNamespace | None = None) -> None:
        self.__dict__["noted"] = noted or SimpleNamespace(texts=[], operators=[], properties=[], progress=[], menus=[])

    def __setattr__(self, name: str, value: Any) -> None:
        assert name in bpy.types.UILayout.bl_rna.properties, name

    def __getattr__(self, name: str) -> Any:
        if name in ("row", "column", "box", "grid_flow"):
            return self.inner
        raise AttributeError(name)

    def inner(self, **_: Any) -> Layout:
        return Layout(self.noted)

    def separator(self) -> None:
        pass

    def label(self, text: str, icon: str = "NONE") -> None:
        assert icon in ICONS, icon
        assert "\n" not in text
        self.noted.texts.append(text)

    def prop(self, data: Any, name: str, text: str | None = None, icon: str = "NONE", slider: bool = False) -> None:
        assert icon in ICONS, icon
        assert name in data.bl_rna.properties, name
        getattr(data, name)
        self.noted.properties.append(name)

    def operator(self, name: str, text: str | None = None, icon: str = "NONE") -> SimpleNamespace:
        assert icon in ICONS, icon
        group, _, action = name.partition(".")
        getattr(getattr(bpy.ops, group), action).get_rna_type()
        self.noted.operators.append(name)
        return SimpleNamespace()

    def menu(self, name: str, text: str) -> None:
        assert hasattr(bpy.types, name)
        self.noted.menus.append(name)


if hasattr(bpy.types.UILayout, "progress"):

    def progress(self: Layout, factor: float, text: str) -> None:
        self.noted.progress.append((factor, text))

    Layout.progress = progress  # type: ignore[attr-defined]


def draw(kind: type) -> SimpleNamespace:
    layout = Layout()
    if getattr(kind, "poll", None) is None or kind.poll(bpy.context):
        kind.draw(SimpleNamespace(layout=layout), bpy.context)
    return layout.noted


def draw_all() -> SimpleNamespace:
    """What the sidebar's tab shows."""
    panels = (panel.FACEPARSE_PT_main, panel.FACEPARSE_PT_portrait, panel.FACEPARSE_PT_options)
    drawn = [draw(kind) for kind in panels]
    return SimpleNamespace(**{name: [what for one in drawn for what in vars(one)[name]] for name in vars(drawn[0])})


@pytest.fixture
def found(tmp_path: Path) -> None:
    """A command that is there."""
    program = tmp_path / "faceparse-svg"
    program.write_text(f"#!{sys.executable}\nimport time; time.sleep(600)")
    program.chmod(0o755)
    stored().command = os.fspath(program)


def test_the_sidebar_at_first(found: None) -> None:
    drawn = draw_all()
    assert drawn.properties[0] == "faceparse_photo"
    assert drawn.operators[:2] == ["faceparse.portrait_from_photo", "faceparse.import_svg"]
    assert drawn.texts == []
    assert "faceparse.update_from_svg" not in drawn.operators
    assert drawn.menus == ["FACEPARSE_MT_presets"]
    chosen = set(options.names(options.CommandOptions, options.CurveOptions)) - {"custom_parts", "head_count"}
    if not grease_pencil.AVAILABLE:
        chosen.remove("as_grease_pencil")
    assert set(drawn.properties) == chosen | {"faceparse_photo"}
    stored().parts = "custom"
    assert "custom_parts" in draw_all().properties


def test_panels_stand_where_they_should() -> None:
    for kind in (panel.FACEPARSE_PT_main, panel.FACEPARSE_PT_portrait, panel.FACEPARSE_PT_options):
        assert (kind.bl_space_type, kind.bl_region_type, kind.bl_category) == ("VIEW_3D", "UI", "FaceParse")
    assert panel.FACEPARSE_PT_options.bl_options == {"DEFAULT_CLOSED"}


def test_the_sidebar_without_the_command() -> None:
    stored().command = "/no/such/place"
    drawn = draw_all()
    assert "Command not found" in drawn.texts
    assert "preferences.addon_show" in drawn.operators
    assert "faceparse.import_svg" in drawn.operators


def test_the_sidebar_with_a_portrait(found: None, face_svg: Path) -> None:
    bpy.ops.faceparse.import_svg(filepath=os.fspath(face_svg))
    collection = portraits.portrait_of(bpy.context)
    drawn = draw_all()
    assert {"name", "faceparse_step"} <= set(drawn.properties)
    assert drawn.texts == ["face.svg"]
    for name in ("update_from_svg", "open_svg", "export_svg", "look", "standard_view"):
        assert f"faceparse.{name}" in drawn.operators
    assert "faceparse.remove_missing" not in drawn.operators
    portraits.set_source(collection, "")
    assert draw_all().texts == ["No SVG"]

    for layer in portraits.layers_of(collection)[:7]:
        layer[portraits.MISSING] = True
    drawn = draw_all()
    assert "faceparse.remove_missing" in drawn.operators
    assert "and 2 more" in drawn.texts

    view = bpy.context.scene.view_settings
    view.view_transform = "AgX" if bpy.app.version >= (4, 0) else "Filmic"
    assert not materials.is_exact(bpy.context.scene)
    assert "Colours are graded" in draw_all().texts


def test_the_sidebar_while_a_photo_is_drawn(found: None, photo: Path) -> None:
    run = photo_operators.PortraitRun(
        preferences.command(bpy.context), os.fspath(photo), command.Request(), CurveSettings()
    )
    photo_operators.session = photo_operators.Session(run, bpy.context)
    try:
        run.job.step = "parse"
        drawn = draw_all()
        assert "faceparse.cancel" in drawn.operators
        assert "faceparse.portrait_from_photo" not in drawn.operators
        assert "astronaut.jpg" in drawn.texts
        if hasattr(Layout, "progress"):
            assert drawn.progress == [(pytest.approx(0.45), "Finding the parts (45 %)")]
        else:
            assert "Finding the parts" in drawn.texts
            assert "faceparse_progress" in drawn.properties
        assert bpy.context.window_manager.faceparse_progress == pytest.approx(45)
    finally:
        photo_operators.session.end(wait=5)
    assert bpy.context.window_manager.faceparse_progress == 0


def test_the_preferences(found: None) -> None:
    layout = Layout()
    draw_preferences = preferences.FACEPARSE_AP_preferences.draw
    it = SimpleNamespace(**{name: getattr(stored(), name, None) for name in dict(stored().bl_rna.properties)})
    it.layout, it.bl_rna = layout, stored().bl_rna
    draw_preferences(it, bpy.context)
    assert {"command", "editor", "parts", "height"} <= set(layout.noted.properties)
    assert layout.noted.operators == ["faceparse.test_command"]
    assert layout.noted.texts == ["Default options"]
    stored().command = "/no/such/place"
    draw_preferences(it, bpy.context)
    assert any("no such file or folder" in text for text in layout.noted.texts)


def test_the_menus_of_file() -> None:
    for menu, name in ((svg_operators._import_menu, "import_svg"), (svg_operators._export_menu, "export_svg")):
        layout = Layout()
        menu(SimpleNamespace(layout=layout), bpy.context)
        assert layout.noted.operators == [f"faceparse.{name}"]


def test_the_file_dialogs_show_the_options() -> None:
    for kind in (photo_operators.FACEPARSE_OT_portrait_from_photo, svg_operators.FACEPARSE_OT_import_svg):
        layout = Layout()
        it = SimpleNamespace(layout=layout, bl_rna=stored().bl_rna, **vars(options.defaults()))
        kind.draw(it, bpy.context)
        assert "height" in layout.noted.properties
        assert ("parts" in layout.noted.properties) == (kind is photo_operators.FACEPARSE_OT_portrait_from_photo)
