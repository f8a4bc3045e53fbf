"""The run of a photo, step by step."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import bpy
import pytest
from commands import Fake, Window, everything, finish, layer_ids
from conftest import DATA
from processes import gone, wait_until

from blender_addon import layer_objects, portraits
from blender_addon import run as run_module
from blender_addon.command import Command, CommandError, Request
from blender_addon.run import PortraitRun, Stage
from blender_addon.settings import CurveSettings
from blender_addon.svg_reader import read_svg


def test_a_photo_becomes_a_portrait(fake: Fake, photo: Path) -> None:
    command = fake("say('note', message='2 heads found')\nwrite()")
    run = finish(PortraitRun(command, os.fspath(photo), Request(), CurveSettings()))
    assert run.stage == Stage.DONE, run.error
    assert run.notes == ["2 heads found"]
    assert run.fraction == 1
    assert portraits.portrait_of(bpy.context) == run.collection
    assert portraits.source_of(run.collection) == os.fspath(photo.with_suffix(".svg"))
    assert set(layer_ids()) == {layer.id for layer in read_svg(DATA / "face.svg").layers}
    assert sorted(path.name for path in photo.parent.iterdir()) == ["astronaut.jpg", "astronaut.svg"]


def test_progress_only_rises_and_every_stage_is_named(fake: Fake, photo: Path) -> None:
    command = fake("for step in ('read', 'parse', 'trace', 'write'): say('step', step=step); time.sleep(0.05)\nwrite()")
    run = PortraitRun(command, os.fspath(photo), Request(), CurveSettings())
    seen = [(run.fraction, run.doing)]
    while not run.over:
        run.step(bpy.context, 0)  # a layer each
        if not run.over:
            seen.append((run.fraction, run.doing))
        time.sleep(0.001)
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] < fractions[-1] < 1
    doing = dict.fromkeys(text for _, text in seen)
    assert {"Finding the parts", "Tracing the borders", "Building the curves"} <= set(doing)
    assert len([fraction for fraction, text in seen if text == "Building the curves"]) >= 10, "all layers at once"


def test_no_file_is_overwritten(fake: Fake, photo: Path) -> None:
    photo.with_suffix(".svg").write_text("mine")
    run = finish(PortraitRun(fake(), os.fspath(photo), Request(), CurveSettings()))
    assert photo.with_suffix(".svg").read_text() == "mine"
    assert portraits.source_of(run.collection) == os.fspath(photo.with_name("astronaut-2.svg"))


def test_an_svg_that_is_not_kept_is_gone(fake: Fake, photo: Path, temporary: Path) -> None:
    options_ = {"keep_svg": False, "temporary": os.fspath(temporary)}
    run = PortraitRun(fake(), os.fspath(photo), Request(), CurveSettings(), **options_)
    assert len(list(temporary.iterdir())) == 1
    finish(run)
    assert run.stage == Stage.DONE
    assert portraits.source_of(run.collection) == ""
    assert not list(temporary.iterdir())
    assert [path.name for path in photo.parent.iterdir()] == ["astronaut.jpg"]


def test_beside_the_photo_nothing_can_be_written(
    fake: Fake, photo: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "can_write", lambda folder: False)  # modes of folders do not stop root
    run = PortraitRun(fake(), os.fspath(photo), Request(), CurveSettings(), temporary=os.fspath(temporary))
    finish(run)
    assert run.stage == Stage.DONE
    (note,) = run.notes
    assert "cannot be written to, so the SVG is not kept" in note
    assert [path.name for path in photo.parent.iterdir()] == ["astronaut.jpg"]
    assert not list(temporary.iterdir())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_folder_that_is_read_only(fake: Fake, photo: Path, temporary: Path) -> None:
    photo.parent.chmod(0o555)
    try:
        run = PortraitRun(fake(), os.fspath(photo), Request(), CurveSettings(), temporary=os.fspath(temporary))
        finish(run)
    finally:
        photo.parent.chmod(0o755)
    assert run.stage == Stage.DONE
    assert run.notes


@pytest.mark.parametrize("what", ["missing.jpg", ".", "no program", "no disk"])
def test_what_cannot_begin_says_so_and_leaves_nothing(
    what: str, fake: Fake, photo: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command, path = fake(), photo
    if what == "no program":
        command = Command(os.fspath(photo.parent / "gone"))
    elif what == "no disk":
        temporary.rmdir()
    else:
        path = photo.parent / what
    with pytest.raises(CommandError) as caught:
        PortraitRun(
            command, os.fspath(path), Request(), CurveSettings(), keep_svg=False, temporary=os.fspath(temporary)
        )
    assert str(caught.value).count("\n") == 0
    if what != "no disk":
        assert not list(temporary.iterdir())


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("say('error', message='no face found'); sys.exit(1)", "astronaut.jpg: no face found"),
        ("print('rubbish')", "astronaut.jpg: faceparse-svg ended without an SVG"),
        ("sys.exit('ImportError: numpy')", "astronaut.jpg: ImportError: numpy"),
        ("open(svg, 'w').write('<svg'); say('written')", "astronaut.svg"),
        ("open(svg, 'w').write('{}'); say('written')", "astronaut.svg"),
    ],
)
@pytest.mark.parametrize("keep", [True, False])
def test_it_fails_in_the_commands_words(
    body: str, says: str, keep: bool, fake: Fake, photo: Path, temporary: Path
) -> None:
    before = everything()
    run = finish(
        PortraitRun(
            fake(body),
            os.fspath(photo),
            Request(),
            CurveSettings(),
            keep_svg=keep,
            temporary=os.fspath(temporary),
        )
    )
    assert run.stage == Stage.FAILED
    assert says in run.error
    assert run.error.count("\n") == 0
    assert everything() == before
    assert not list(temporary.iterdir())


def test_it_is_cancelled_while_the_command_runs(fake: Fake, photo: Path, temporary: Path) -> None:
    command = fake("say('step', step='parse')\ntime.sleep(600)")
    chosen = {"keep_svg": False, "temporary": os.fspath(temporary)}
    run = PortraitRun(command, os.fspath(photo), Request(), CurveSettings(), **chosen)
    wait_until(lambda: run.step(bpy.context) and run.doing == "Finding the parts")
    run.cancel()
    assert run.stage == Stage.CANCELLED
    wait_until(lambda: gone(run.job.pid))
    assert not list(temporary.iterdir())
    assert run.step(bpy.context) == Stage.CANCELLED, "it went on"


@pytest.mark.parametrize("photo_behind", [False, True])
@pytest.mark.parametrize("layers", [0, 1, 5])
def test_it_is_cancelled_while_curves_are_built(layers: int, photo_behind: bool, fake: Fake, photo: Path) -> None:
    bpy.data.objects.new("mine", bpy.data.curves.new("mine", "CURVE"))
    bpy.context.scene.view_settings.view_transform = "Raw"
    before = everything()
    settings = CurveSettings(photo_behind=photo_behind)
    run = PortraitRun(fake(), os.fspath(photo), Request(), settings)
    wait_until(lambda: run.step(bpy.context, 0) == Stage.BUILDING or run.over)
    assert run.stage == Stage.BUILDING, run.error
    for _ in range(layers):
        run.step(bpy.context, 0)
    assert len(everything()) > len(before) or not layers
    run.cancel()
    assert everything() == before
    assert bpy.context.scene.view_settings.view_transform == "Raw"
    assert [path.name for path in photo.parent.iterdir()] == ["astronaut.jpg"], "the SVG that nobody wants any longer"


def test_a_bug_while_curves_are_built_is_told_and_nothing_is_left(
    fake: Fake, photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real, calls = layer_objects.add, []

    def fails(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 4:
            raise ZeroDivisionError("division by\nzero")
        return real(*arguments)

    monkeypatch.setattr(layer_objects, "add", fails)
    before = everything()
    run = finish(PortraitRun(fake(), os.fspath(photo), Request(), CurveSettings()))
    assert run.stage == Stage.FAILED
    assert run.error == "ZeroDivisionError: division by zero (a bug; the system console shows where)"
    assert "Traceback" in capsys.readouterr().err
    assert everything() == before
    assert photo.with_suffix(".svg").exists(), "it can still be imported"


def test_it_waits_for_object_mode(fake: Fake, photo: Path) -> None:
    window = Window(mode="EDIT_CURVE")
    run = PortraitRun(fake(), os.fspath(photo), Request(), CurveSettings())
    wait_until(lambda: run.step(window) and (run.waits or run.over))
    assert run.waits, run.error
    assert run.doing == "Waiting for Object Mode"
    assert not bpy.data.objects
    window.mode = "OBJECT"
    assert finish(run, window).stage == Stage.DONE
    assert not run.waits


def test_closed_twice_is_closed(fake: Fake, photo: Path) -> None:
    run = PortraitRun(fake("time.sleep(600)"), os.fspath(photo), Request(), CurveSettings())
    run.close(wait=5)
    assert gone(run.job.pid)
    run.close()
    run.cancel()
    assert run.stage == Stage.CANCELLED
