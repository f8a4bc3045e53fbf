"""What the buttons do: a photo as one operator, and the operators around an SVG."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest
from commands import Fake, Window, everything, layer_ids, stored
from conftest import ADDON
from mathutils import Vector
from processes import gone, wait_until

from blender_addon import (
    curves,
    grease_pencil,
    materials,
    options,
    photo_operators,
    portraits,
    preferences,
    svg_operators,
)
from blender_addon import run as run_module
from blender_addon.command import Command, CommandError, Request
from blender_addon.run import PortraitRun, Stage
from blender_addon.settings import CurveSettings
from blender_addon.svg_reader import read_svg


def import_face(path: Path, **chosen: Any) -> bpy.types.Collection:
    assert bpy.ops.faceparse.import_svg(filepath=os.fspath(path), **chosen) == {"FINISHED"}
    return portraits.portrait_of(bpy.context)


class Pressed:
    """Stands in for an operator that Blender would make: its properties, what it reports, its methods."""

    def __init__(self, kind: type, **properties: Any) -> None:
        self._kind = kind
        self.reports: list[tuple[str, str]] = []
        self.__dict__.update(options.defaults().__dict__)
        self.filepath = ""
        self.__dict__.update(properties)
        self.properties = SimpleNamespace(is_property_set=lambda name: name in properties)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._kind, name)
        return value.__get__(self) if hasattr(value, "__get__") else value

    def report(self, kind: set[str], text: str) -> None:
        (word,) = kind
        self.reports.append((word, text))


TIMER, ESCAPE, MOUSE = (
    SimpleNamespace(type=key, value=value)
    for key, value in (("TIMER", "NOTHING"), ("ESC", "PRESS"), ("MOUSEMOVE", "NOTHING"))
)


def press(photo: Path, **properties: Any) -> tuple[Pressed, Window]:
    pressed, window = Pressed(photo_operators.FACEPARSE_OT_portrait_from_photo, **properties), Window()
    window.scene.faceparse_photo = os.fspath(photo)
    assert pressed.invoke(window, MOUSE) == {"RUNNING_MODAL"}
    return pressed, window


def go_on(pressed: Pressed, window: Window, until: Stage | None = None) -> set[str]:
    """Timer events, until the run is in a stage, or over: what modal said last."""
    said = {"RUNNING_MODAL"}

    def there() -> bool:
        nonlocal said
        said = pressed.modal(window, TIMER)
        return bool(said & {"FINISHED", "CANCELLED"}) or pressed.own.run.stage == until

    wait_until(there, 60)
    return said


def nothing_runs(temporary: Path | None = None) -> bool:
    """No session, no text in a status bar that we can see, no temporary folder."""
    return photo_operators.session is None and not (temporary and list(temporary.iterdir()))


# --- the button ----------------------------------------------------------------------------------------------------


def test_the_real_command_from_a_script(real: str, photo: Path) -> None:
    """In background mode the operator waits until the portrait is there."""
    chosen = {"parts": "custom", "custom_parts": {"hair", "head"}, "height": 2.0}
    assert bpy.ops.faceparse.portrait_from_photo(filepath=os.fspath(photo), **chosen) == {"FINISHED"}
    assert layer_ids() == ["head", "hair"]
    assert photo.with_suffix(".svg").is_file()
    assert nothing_runs()


@pytest.mark.parametrize("name", ["a b.jpg", "-o.jpg", 'it\'s "a" $HOME.jpg', "ünï 🙂.jpg", "two\nlines.jpg"])
def test_any_name_of_a_photo(name: str, fake: Fake, photo: Path) -> None:
    renamed = photo.rename(photo.with_name(name))
    fake("os.stat(photo)\nwrite()")
    assert bpy.ops.faceparse.portrait_from_photo(filepath=os.fspath(renamed)) == {"FINISHED"}
    assert renamed.with_suffix(".svg").is_file()


def test_no_face_no_portrait(real: str, tmp_path: Path) -> None:
    image = bpy.data.images.new("sky", 400, 300)
    image.filepath_raw, image.file_format = os.fspath(tmp_path / "sky.png"), "PNG"
    image.save()
    with pytest.raises(RuntimeError, match=r"sky\.png: .*no face"):
        bpy.ops.faceparse.portrait_from_photo(filepath=os.fspath(tmp_path / "sky.png"))
    assert not bpy.data.objects


@pytest.mark.skipif(sys.platform != "linux", reason="names are text here")
def test_a_name_that_is_no_text(fake: Fake, photo: Path, face_svg: Path) -> None:
    """Such a path cannot even be given to an operator; a drop or a script may still bring one."""
    path = os.fsencode(photo.parent / "x") + b"\xff.jpg"
    os.link(os.fsencode(photo), path)
    with pytest.raises(CommandError, match="not UTF-8"):
        PortraitRun(Command("x"), os.fsdecode(path), Request(), CurveSettings())


def test_an_export_needs_a_name_and_is_the_next_updates_ancestor(face_svg: Path, tmp_path: Path) -> None:
    collection = import_face(face_svg)
    with pytest.raises(RuntimeError, match="Give the file a name"):
        bpy.ops.faceparse.export_svg(filepath=os.fspath(tmp_path) + os.sep)
    bpy.data.objects["Nose"].location.x += 0.2
    assert bpy.ops.faceparse.export_svg(filepath=os.fspath(tmp_path / "out.svgz")) == {"FINISHED"}
    assert portraits.source_of(collection) == os.fspath(tmp_path / "out.svg")
    before = [tuple(knot.co) for knot in bpy.data.objects["Nose"].data.splines[0].bezier_points]
    assert bpy.ops.faceparse.update_from_svg() == {"FINISHED"}
    assert [tuple(knot.co) for knot in bpy.data.objects["Nose"].data.splines[0].bezier_points] == before
    assert bpy.data.objects["Nose"].location.x == pytest.approx(0.2)


def test_an_svg_beside_a_project_that_was_moved_is_found(face_svg: Path, tmp_path: Path) -> None:
    collection = import_face(face_svg)
    project = tmp_path / "moved"
    project.mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=os.fspath(project / "a.blend"))
    shutil.move(face_svg, project)
    assert portraits.source_path(collection) == os.fspath(project / face_svg.name)


def test_a_linked_portrait_is_left_to_its_own_file(face_svg: Path, tmp_path: Path) -> None:
    name = import_face(face_svg).name
    library = os.fspath(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=library)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(library, link=True) as (_, wanted):
        wanted.collections = [name]
    bpy.context.scene.collection.children.link(bpy.data.collections[name])
    assert portraits.portrait_of(bpy.context) == bpy.data.collections[name]
    assert not bpy.ops.faceparse.update_from_svg.poll()
    assert not bpy.ops.faceparse.export_svg.poll()


def test_without_the_command_the_error_says_what_to_do(photo: Path) -> None:
    stored().command = "/no/such/place"
    with pytest.raises(RuntimeError, match=r"no such file or folder\. Correct it in the add-on's preferences"):
        bpy.ops.faceparse.portrait_from_photo(filepath=os.fspath(photo))


def test_no_part_is_chosen(fake: Fake, photo: Path) -> None:
    fake()
    with pytest.raises(RuntimeError, match="No part is chosen"):
        bpy.ops.faceparse.portrait_from_photo(filepath=os.fspath(photo), parts="custom", custom_parts=set())


def test_pressed_in_the_window_it_never_blocks(real: str, photo: Path) -> None:
    """The same steps as in Blender's window, driven by made-up events, with the real command."""
    began = time.perf_counter()
    pressed, window = press(photo)
    longest = time.perf_counter() - began
    assert window.handlers == [pressed]
    assert photo_operators.session is pressed.own
    assert not bpy.ops.faceparse.portrait_from_photo.poll(), "two at a time"
    said: set[str] = set()
    while not said & {"FINISHED", "CANCELLED"}:
        began = time.perf_counter()
        said = pressed.modal(window, TIMER)
        longest = max(longest, time.perf_counter() - began)
        building = pressed.own.run.stage == Stage.BUILDING
        assert said & {"FINISHED", "CANCELLED"} or said == ({"RUNNING_MODAL"} if building else {"PASS_THROUGH"})
        time.sleep(0.02)
    assert said == {"FINISHED"}, pressed.reports
    assert longest < 0.1
    assert pressed.reports[0][0] == "INFO"
    assert "a portrait of" in pressed.reports[0][1]
    assert nothing_runs()
    assert bpy.ops.faceparse.portrait_from_photo.poll()


def test_events_of_others_pass(fake: Fake, photo: Path) -> None:
    fake("time.sleep(600)")
    pressed, window = press(photo)
    for event in (MOUSE, SimpleNamespace(type="ESC", value="RELEASE"), SimpleNamespace(type="Z", value="PRESS"), TIMER):
        assert pressed.modal(window, event) == {"PASS_THROUGH"}
    assert pressed.modal(window, ESCAPE) == {"CANCELLED"}
    wait_until(lambda: gone(pressed.own.run.job.pid))


@pytest.mark.parametrize("how", ["escape", "button", "cancel", "load", "disable"])
@pytest.mark.parametrize("stage", [Stage.DRAWING, Stage.BUILDING])
def test_every_way_out_leaves_nothing(
    how: str, stage: Stage, fake: Fake, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "BUDGET", 0)
    monkeypatch.setattr(PortraitRun.step, "__defaults__", (0,))  # a layer each
    fake("time.sleep(600)" if stage == Stage.DRAWING else "write()")
    stored().keep_svg = False
    temporary = Path(bpy.app.tempdir)
    there = set(temporary.iterdir())
    before = everything()
    pressed, window = press(photo)
    go_on(pressed, window, stage)
    session, run = pressed.own, pressed.own.run
    assert run.stage == stage
    assert len(set(temporary.iterdir()) - there) == 1
    if how == "escape":
        assert pressed.modal(window, ESCAPE) == {"CANCELLED"}
    elif how == "button":
        assert bpy.ops.faceparse.cancel() == {"FINISHED"}
        assert pressed.modal(window, TIMER) == {"CANCELLED"}
    elif how == "cancel":
        pressed.cancel(window)
    elif how == "load":
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    elif how == "disable":
        import addon_utils

        addon_utils.disable(ADDON)
        addon_utils.enable(ADDON)
    assert run.over
    assert run.stage == Stage.CANCELLED
    assert session._timer is None
    assert not session._workspaces
    assert nothing_runs()
    wait_until(lambda: gone(run.job.pid))
    assert set(temporary.iterdir()) == there
    assert everything() == before
    assert pressed.modal(window, TIMER) == {"CANCELLED"}, "Blender may still send an event"
    assert bpy.ops.faceparse.portrait_from_photo.poll()


def test_an_exception_in_a_step_ends_the_session(fake: Fake, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake("time.sleep(600)")
    pressed, window = press(photo)

    def fails(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(PortraitRun, "step", fails)
    with pytest.raises(KeyboardInterrupt):
        pressed.modal(window, TIMER)
    assert nothing_runs()
    wait_until(lambda: gone(pressed.own.run.job.pid))


def test_an_error_and_notes_are_reported(fake: Fake, photo: Path) -> None:
    fake("say('error', message='no face found'); sys.exit(1)")
    pressed, window = press(photo)
    assert go_on(pressed, window) == {"CANCELLED"}
    assert pressed.reports == [("ERROR", "astronaut.jpg: no face found")]
    fake("say('note', message='2 heads found; the largest one is drawn')\nwrite()")
    pressed, window = press(photo)
    assert go_on(pressed, window) == {"FINISHED"}
    assert ("WARNING", "astronaut.jpg: 2 heads found; the largest one is drawn") in pressed.reports


def test_a_photo_that_is_dropped_wins_over_the_panels(fake: Fake, photo: Path) -> None:
    fake()
    dropped = photo.with_name("dropped.jpg")
    dropped.touch()
    pressed, window = press(photo, filepath=os.fspath(dropped))
    go_on(pressed, window)
    assert dropped.with_suffix(".svg").exists()
    assert not photo.with_suffix(".svg").exists()


def test_without_a_photo_it_asks_for_one(fake: Fake, photo: Path) -> None:
    fake()
    pressed, window = Pressed(photo_operators.FACEPARSE_OT_portrait_from_photo), Window()
    assert pressed.invoke(window, MOUSE) == {"RUNNING_MODAL"}
    assert window.dialogs == [pressed]
    assert photo_operators.session is None
    pressed.filepath = os.fspath(photo)  # as the dialog does, which then calls execute: that must not wait
    assert pressed.execute(window) == {"RUNNING_MODAL"}
    assert window.handlers == [pressed]
    assert go_on(pressed, window) == {"FINISHED"}


def test_the_options_of_the_preferences_are_the_defaults(fake: Fake, photo: Path) -> None:
    stored().height, stored().step, stored().parts = 3.0, 0.5, "contour"
    fake("assert '--parts=contour' in sys.argv\nwrite()")
    pressed, window = press(photo, step=0.25)
    assert go_on(pressed, window) == {"FINISHED"}, pressed.reports
    assert pressed.own.run.settings == dataclasses.replace(CurveSettings(), height=3.0, step=0.25)


def test_the_status_bar_tells_and_is_given_back(fake: Fake, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: dict[str, list[str | None]] = {}
    real = photo_operators.set_status

    def noted(workspace: str, text: str | None) -> None:
        said.setdefault(workspace, []).append(text)
        real(workspace, text)

    monkeypatch.setattr(photo_operators, "set_status", noted)
    here, other = bpy.data.workspaces["Layout"], bpy.data.workspaces["Modeling"]
    fake("say('step', step='parse')\ntime.sleep(0.5)\nsay('step', step='trace')\ntime.sleep(600)")
    pressed, window = press(photo)
    window.workspace = here
    wait_until(lambda: pressed.modal(window, TIMER) and pressed.own.run.doing == "Finding the parts")
    window.workspace = other  # the user goes elsewhere
    wait_until(lambda: pressed.modal(window, TIMER) and pressed.own.run.doing == "Tracing the borders")
    pressed.modal(window, ESCAPE)
    assert said["Layout"][-2:] == ["astronaut.jpg: Finding the parts (45 %)   |   ESC: Cancel", None]
    assert said["Modeling"] == ["astronaut.jpg: Tracing the borders (78 %)   |   ESC: Cancel", None]


# --- import, update, open, export ----------------------------------------------------------------------------------


def test_import(face_svg: Path) -> None:
    collection = import_face(face_svg, height=2.0)
    assert portraits.source_of(collection) == os.fspath(face_svg)
    assert layer_ids() == [layer.id for layer in read_svg(face_svg).layers]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "a.svg"),
        (b"<html/>", "a.svg"),
        (b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>', "there are no shapes in it"),
        (None, "a.svg"),
    ],
)
def test_what_cannot_be_imported(content: bytes | None, says: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "a.svg").write_bytes(content)
    before = everything()
    with pytest.raises(RuntimeError, match=says):
        bpy.ops.faceparse.import_svg(filepath=os.fspath(tmp_path / "a.svg"))
    assert everything() == before


def test_a_bug_in_the_import_is_told_and_nothing_is_left(
    face_svg: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: Any) -> None:
        raise ZeroDivisionError("no")

    before = everything()
    monkeypatch.setattr(curves, "_select", fails)  # the last that an import does
    with pytest.raises(RuntimeError, match=r"face\.svg: ZeroDivisionError: no \(a bug"):
        bpy.ops.faceparse.import_svg(filepath=os.fspath(face_svg))
    assert "Traceback" in capsys.readouterr().err
    assert everything() == before


def test_what_was_left_out_is_a_warning(face_svg: Path) -> None:
    text = '<text id="t" x="9" y="9">Hi</text></svg>'
    face_svg.write_text(face_svg.read_text("utf-8").replace("</svg>", text), "utf-8")
    pressed = Pressed(svg_operators.FACEPARSE_OT_import_svg, filepath=os.fspath(face_svg))
    assert pressed.execute(bpy.context) == {"FINISHED"}
    assert [word for word, _ in pressed.reports] == ["INFO", "WARNING"]
    assert "text" in pressed.reports[1][1]


def test_a_dropped_svg_is_imported_and_otherwise_one_is_asked_for(face_svg: Path) -> None:
    stored().step = 0.5
    window = Window()
    pressed = Pressed(svg_operators.FACEPARSE_OT_import_svg, filepath=os.fspath(face_svg))
    assert pressed.invoke(window, MOUSE) == {"FINISHED"}
    assert portraits.portrait_of(bpy.context).faceparse_step == pytest.approx(0.5)
    assert Pressed(svg_operators.FACEPARSE_OT_import_svg).invoke(window, MOUSE) == {"RUNNING_MODAL"}
    assert len(window.dialogs) == 1


def test_update_tells_what_it_did_and_missing_layers_can_be_removed(face_svg: Path) -> None:
    collection = import_face(face_svg)
    layers = read_svg(face_svg).layers
    text = face_svg.read_text("utf-8")
    start = text.index('<g id="hair"')
    end = text.index("</g>", start) + len("</g>")
    hair = text[start:end]
    changed = text.replace(hair, hair.replace("hair", "wig").replace("Hair", "Wig"))
    nose = changed[changed.index('<g id="nose"') :].split("</g>")[0]
    face_svg.write_text(changed.replace(nose, nose.replace("fill:#", "fill:#123456;x:")), "utf-8")

    assert not bpy.ops.faceparse.remove_missing.poll()
    pressed = Pressed(svg_operators.FACEPARSE_OT_update_from_svg)
    assert pressed.invoke(bpy.context, MOUSE) == {"FINISHED"}
    assert dict(pressed.reports) == {
        "INFO": "face.svg: new: Wig; changed: Nose",
        "WARNING": "face.svg: not in it any longer: Hair. The sidebar offers to remove them",
    }
    assert portraits.missing(collection) == ["Hair"]
    assert bpy.ops.faceparse.remove_missing() == {"FINISHED"}
    assert set(layer_ids()) == {layer.id for layer in layers} - {"hair"} | {"wig"}
    assert not bpy.ops.faceparse.remove_missing.poll()


def test_update_from_a_file_that_moved(face_svg: Path) -> None:
    collection = import_face(face_svg)
    moved = face_svg.rename(face_svg.with_name("moved.svg"))
    with pytest.raises(RuntimeError, match=r"face\.svg"):
        bpy.ops.faceparse.update_from_svg()
    window = Window()
    assert Pressed(svg_operators.FACEPARSE_OT_update_from_svg).invoke(window, MOUSE) == {"RUNNING_MODAL"}
    assert len(window.dialogs) == 1
    assert bpy.ops.faceparse.update_from_svg(filepath=os.fspath(moved)) == {"FINISHED"}
    assert portraits.source_of(collection) == os.fspath(moved)


def test_an_svg_that_became_empty_changes_nothing(face_svg: Path) -> None:
    import_face(face_svg)
    ids = layer_ids()
    face_svg.write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"/>')
    with pytest.raises(RuntimeError, match="nothing was changed"):
        bpy.ops.faceparse.update_from_svg()
    assert layer_ids() == ids


def test_export_and_import_again(face_svg: Path, tmp_path: Path) -> None:
    collection = import_face(face_svg)
    target = tmp_path / "out.svg"
    target.write_text("older")
    assert bpy.ops.faceparse.export_svg(filepath=os.fspath(target)) == {"FINISHED"}
    assert [layer.id for layer in read_svg(target).layers] == layer_ids()
    assert portraits.source_of(collection) == os.fspath(target), "what is edited next is that file"
    assert {path.name for path in tmp_path.iterdir()} == {"out.svg", "face.svg"}


def test_export_to_nowhere(face_svg: Path, tmp_path: Path) -> None:
    collection = import_face(face_svg)
    with pytest.raises(RuntimeError, match=r"No such file or directory\. Choose another place"):
        bpy.ops.faceparse.export_svg(filepath=os.fspath(tmp_path / "no" / "out.svg"))
    assert portraits.source_of(collection) == os.fspath(face_svg)


@pytest.mark.parametrize("source", [True, False])
def test_export_proposes_the_portraits_own_file(source: bool, face_svg: Path) -> None:
    collection = import_face(face_svg)
    if not source:
        portraits.set_source(collection, "")
    window = Window()
    pressed = Pressed(svg_operators.FACEPARSE_OT_export_svg)
    assert pressed.invoke(window, MOUSE) == {"RUNNING_MODAL"}
    assert window.dialogs == [pressed]
    assert pressed.filepath == (os.fspath(face_svg) if source else bpy.path.clean_name(collection.name) + ".svg")


def test_open_in_an_editor(face_svg: Path, tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    said = tmp_path / "said"
    editor.write_text(f'#!/bin/sh\nprintf %s "$1" > "{said}.tmp" && mv "{said}.tmp" "{said}"\n')
    editor.chmod(0o755)
    stored().editor = os.fspath(editor)
    collection = import_face(face_svg)
    assert bpy.ops.faceparse.open_svg() == {"FINISHED"}
    wait_until(said.exists)
    assert said.read_text() == os.fspath(face_svg)
    stored().editor = os.fspath(tmp_path / "gone")
    with pytest.raises(RuntimeError, match="could not be started"):
        bpy.ops.faceparse.open_svg()
    face_svg.unlink()
    with pytest.raises(RuntimeError, match=r"no such file\. Export the SVG"):
        bpy.ops.faceparse.open_svg()
    portraits.set_source(collection, "")
    with pytest.raises(RuntimeError, match="This portrait has no SVG: export one first"):
        bpy.ops.faceparse.open_svg()


@pytest.mark.skipif(not grease_pencil.AVAILABLE, reason="this Blender has no Grease Pencil of version 3")
def test_a_portrait_of_grease_pencil_can_be_looked_at_and_opened(face_svg: Path) -> None:
    import_face(face_svg, as_grease_pencil=True)
    for name in ("update_from_svg", "export_svg", "remove_missing"):
        with pytest.raises(RuntimeError, match="This portrait has no curves"):
            getattr(bpy.ops.faceparse, name)()
    assert bpy.ops.faceparse.open_svg.poll()
    area = next(area for area in bpy.context.window.screen.areas if area.type == "VIEW_3D")
    with bpy.context.temp_override(area=area):
        assert bpy.ops.faceparse.look() == {"FINISHED"}


# --- the view --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("turn", [(0.0, 0.0, 0.0), (1.5, 0.0, 0.3)])
@pytest.mark.parametrize("lens", [50.0, 85.0])
def test_look_shows_the_whole_portrait_from_the_front(
    turn: tuple[float, float, float], lens: float, face_svg: Path
) -> None:
    collection = import_face(face_svg, height=3.0)
    parent = bpy.data.objects.new("turned", None)
    bpy.context.scene.collection.objects.link(parent)
    parent.rotation_euler, parent.location = turn, (5.0, -2.0, 1.0)
    layers = portraits.layers_of(collection)
    for layer in layers:
        layer.parent = parent
    bpy.context.view_layer.update()
    assert not bpy.ops.faceparse.look.poll(), "there is no 3D view here"
    area = max((a for a in bpy.context.window.screen.areas if a.type == "VIEW_3D"), key=lambda area: area.width)
    area.spaces.active.lens = lens
    with bpy.context.temp_override(area=area):
        assert bpy.ops.faceparse.look() == {"FINISHED"}
    view = area.spaces.active.region_3d
    assert view.view_perspective == "ORTHO"
    normal = layers[0].matrix_world.to_3x3().col[2]
    assert (view.view_rotation.to_matrix().col[2] - normal).length < 1e-4, "not from the front"
    # As Blender's view shows it: a window on the plane through view_location, its longer side 72 mm / lens of distance.
    window = next(region for region in area.regions if region.type == "WINDOW")
    longer = view.view_distance * 72 / lens
    right, up = longer / 2, longer / 2 * window.height / window.width
    assert window.width > window.height
    seen = [
        view.view_rotation.inverted() @ (layer.matrix_world @ Vector(corner) - view.view_location)
        for layer in layers
        for corner in layer.bound_box
    ]
    filled = max(max(abs(corner.x) / right, abs(corner.y) / up) for corner in seen)
    assert 0.85 < filled < 1


def test_exact_colours(face_svg: Path) -> None:
    import_face(face_svg)
    assert not bpy.ops.faceparse.standard_view.poll(), "the import has done it"
    grade()
    assert bpy.ops.faceparse.standard_view() == {"FINISHED"}
    assert materials.is_exact(bpy.context.scene)
    area = next(area for area in bpy.context.window.screen.areas if area.type == "VIEW_3D")
    shading = area.spaces.active.shading
    shading.type, shading.light = "SOLID", "STUDIO"
    with bpy.context.temp_override(area=area):
        assert bpy.ops.faceparse.standard_view() == {"FINISHED"}
        assert (shading.light, shading.color_type) == ("FLAT", "MATERIAL")
        assert not bpy.ops.faceparse.standard_view.poll()


def grade() -> None:
    """Blender's own view transform."""
    bpy.context.scene.view_settings.view_transform = "AgX" if bpy.app.version >= (4, 0) else "Filmic"
    assert not materials.is_exact(bpy.context.scene)


# --- undo, and what is greyed out ----------------------------------------------------------------------------------


def undone(action: Callable[[], object]) -> tuple[set, set, set]:
    """What there is before an action, after it, and after one undo, which would take the mark away if it were two."""
    bpy.data.objects.new("mark", None)
    bpy.ops.ed.undo_push(message="before")
    before = everything()
    action()
    after = everything()
    bpy.ops.ed.undo()
    marks = {item for item in before if "mark" in item[1]}
    assert marks <= everything(), "it went back further, or the action made no step"
    return before, after, everything()


def test_each_is_one_undo_step(face_svg: Path, tmp_path: Path, fake: Fake, photo: Path) -> None:
    fake()
    before, after, again = undone(lambda: bpy.ops.faceparse.import_svg(True, filepath=os.fspath(face_svg)))
    assert before < after
    assert again == before
    path = os.fspath(photo)
    before, after, again = undone(lambda: bpy.ops.faceparse.portrait_from_photo(True, filepath=path))
    assert before < after
    assert again == before

    bpy.ops.faceparse.import_svg(True, filepath=os.fspath(face_svg))
    text = face_svg.read_text("utf-8")
    face_svg.write_text(text.replace('id="hair"', 'id="wig"').replace('id="hair-1"', 'id="wig-1"'), "utf-8")
    before, after, again = undone(lambda: bpy.ops.faceparse.update_from_svg(True))
    assert before < after
    assert again == before
    bpy.ops.faceparse.update_from_svg(True)
    before, after, again = undone(lambda: bpy.ops.faceparse.remove_missing(True))
    assert after < before
    assert again == before

    source = portraits.source_of(portraits.portrait_of(bpy.context))
    undone(lambda: bpy.ops.faceparse.export_svg(True, filepath=os.fspath(tmp_path / "b.svg")))
    assert portraits.source_of(portraits.portrait_of(bpy.context)) == source
    grade()
    undone(lambda: bpy.ops.faceparse.standard_view(True))
    assert not materials.is_exact(bpy.context.scene)


def test_what_is_greyed_out_says_why(face_svg: Path) -> None:
    portrait = "Select a layer of a portrait"
    for name in ("update_from_svg", "remove_missing", "open_svg", "export_svg"):
        with pytest.raises(RuntimeError, match=portrait):
            getattr(bpy.ops.faceparse, name)()
    with pytest.raises(RuntimeError, match="works in a 3D view"):
        bpy.ops.faceparse.look()
    with pytest.raises(RuntimeError, match="No photo is being drawn"):
        bpy.ops.faceparse.cancel()
    collection = import_face(face_svg)
    with pytest.raises(RuntimeError, match="Every layer is in the SVG"):
        bpy.ops.faceparse.remove_missing()
    with pytest.raises(RuntimeError, match="Colours look as they do in the SVG already"):
        bpy.ops.faceparse.standard_view()
    portraits.set_source(collection, "")
    with pytest.raises(RuntimeError, match="has no SVG: export one first"):
        bpy.ops.faceparse.open_svg()
    bpy.ops.object.mode_set(mode="EDIT")
    for name in ("portrait_from_photo", "import_svg", "update_from_svg", "remove_missing", "export_svg"):
        with pytest.raises(RuntimeError, match="Go to Object Mode first"):
            getattr(bpy.ops.faceparse, name)()


# --- the Test button -------------------------------------------------------------------------------------------------


def test_the_test_button_tells_the_version(real: str) -> None:
    assert bpy.ops.faceparse.test_command() == {"FINISHED"}
    assert preferences._test.icon == "CHECKMARK"
    assert preferences._test.text.startswith("faceparse-svg 0.")


def test_the_test_button_asks_without_waiting(fake: Fake) -> None:
    fake("time.sleep(0.3)\nprint('faceparse-svg 7.8.9')")
    pressed = Pressed(preferences.FACEPARSE_OT_test_command)
    assert pressed.invoke(bpy.context, MOUSE) == {"FINISHED"}
    assert bpy.app.timers.is_registered(preferences._tick)
    assert preferences._test.text == "Asking the program"
    assert not bpy.ops.faceparse.test_command.poll()
    wait_until(lambda: preferences._tick() is None)
    assert preferences._test.text.startswith("faceparse-svg 7.8.9: ")
    assert bpy.ops.faceparse.test_command.poll()
    fake("print('something else')")  # another command is named: what the last one said is no longer true
    assert preferences._test.text == ""
    bpy.app.timers.unregister(preferences._tick)


def test_the_test_button_tells_what_is_wrong(fake: Fake) -> None:
    fake("sys.exit('no numpy')")
    with pytest.raises(RuntimeError, match="does not answer as faceparse-svg does: no numpy"):
        bpy.ops.faceparse.test_command()
    assert preferences._test.icon == "ERROR"
    stored().command = "/no/such/place"
    assert Pressed(preferences.FACEPARSE_OT_test_command).invoke(bpy.context, MOUSE) == {"CANCELLED"}
    assert "no such file" in preferences._test.text
