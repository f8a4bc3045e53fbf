"""The add-on's way to the command: found, run, listened to, cancelled. Commands made for the test stand in for ours."""

from __future__ import annotations

import json
import os
import signal
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from processes import gone, wait_until

from blender_addon import command as addon
from blender_addon import editor, files
from blender_addon import job as job_module
from blender_addon.command import Command, CommandError, Request, find_command, version
from blender_addon.editor import EditorError, editor_command, open_in_editor
from blender_addon.job import Job
from faceparse_core.parts import LAYER_ORDER, LAYERS, PRESETS
from svg_export import __version__, options
from svg_export.check import check_svg
from svg_export.files import PHOTO_SUFFIXES
from svg_export.layers import TraceSettings

posix = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")

PRELUDE = f"""#!{sys.executable}
import json, os, signal, subprocess, sys, time

def say(event, **fields):
    print(json.dumps({{"event": event, **fields}}), flush=True)

def write():
    with open(svg, "w") as file:
        file.write("<svg/>")
    say("written", svg=svg)

photo = sys.argv[-1]
svg = sys.argv[sys.argv.index("-o") + 1] if "-o" in sys.argv else None
"""

Fake = Callable[..., Command]


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    """Writes a command whose body is given, in Python."""

    def write(body: str, name: str = "bin/faceparse-svg") -> Command:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(PRELUDE + textwrap.dedent(body), "utf-8")
        path.chmod(0o755)
        return Command(os.fspath(path))

    return write


@pytest.fixture
def real(fake: Fake) -> Command:
    """Ours, with this Python."""
    return fake("from svg_export.cli import main\nsys.exit(main())")


def job(command: Command, tmp_path: Path, request: Request | None = None) -> Job:
    photo = tmp_path / "a.jpg"
    photo.touch()
    return Job(command, os.fspath(photo), os.fspath(tmp_path / "a.svg"), request or Request())


def finish(job: Job) -> Job:
    """Wait until it has ended by itself."""
    wait_until(lambda: not job.poll(), 60)
    return job


def error_of(job: Job) -> str:
    """What a run that failed says: one line."""
    finish(job.start())
    assert job.error
    assert job.error.splitlines() == [job.error]
    return job.error


def one_process_of(folder: Path) -> int:
    """The number that a command wrote into the file `pid`."""
    wait_until(lambda: (folder / "pid").exists() and (folder / "pid").read_text())
    return int((folder / "pid").read_text())


# --- what stands twice agrees ------------------------------------------------------------------------------------


def test_it_knows_the_parts_and_the_photos() -> None:
    assert tuple((LAYERS[i].name, LAYERS[i].label) for i in LAYER_ORDER) == addon.PARTS
    assert addon.OWN[0] in PRESETS
    assert set(addon.PHOTO_SUFFIXES) == PHOTO_SUFFIXES


@pytest.mark.parametrize(
    "request_",
    [Request(), Request("head,hair", "cutout", "cel", True, "-odd name.onnx"), Request("contour", "stacked")],
)
def test_the_command_takes_what_is_asked(request_: Request) -> None:
    arguments = options.build_parser().parse_args([*request_.arguments(), "photo.jpg"])
    assert arguments.parts == request_.parts
    assert (arguments.joins, arguments.style) == (request_.joins, request_.style)
    assert arguments.background == request_.background
    assert (arguments.model or "") == request_.model


def test_the_defaults_are_the_commands_own() -> None:
    assert Request().parts == options.DRAWN
    assert Request().joins == TraceSettings().joins
    assert Request().style == options.STYLES[0]
    assert Request().background == options.build_parser().get_default("background")
    assert Request().heads == options.HEADS[0]


@pytest.mark.parametrize(("heads", "given"), [("largest", None), ("all", "all"), ("3", 3)])
def test_heads_are_asked_for_where_there_is_a_wish(heads: str, given: str | int | None) -> None:
    words = Request(heads=heads).arguments()
    assert options.build_parser().parse_args([*words, "photo.jpg"]).heads == given


# --- where it is ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", ["", "bin", "bin/faceparse-svg", "bin/python", "bin/python3.11"])
def test_it_is_found_in_an_environment(
    setting: str, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.fspath(tmp_path / "empty"))
    monkeypatch.setenv("HOME", os.fspath(tmp_path))
    command = fake("")
    for name in ("python", "python3.11"):
        (tmp_path / "bin" / name).touch()
    for folder in (os.fspath(tmp_path), "~"):
        assert find_command(f" {folder}/{setting}") == command


def test_it_is_found_on_path_and_in_the_usual_places(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", os.fspath(tmp_path / "home"))
    assert find_command("", {"PATH": os.fspath(Path(fake("").path).parent)}) == Command(fake("").path)
    (tmp_path / "home").mkdir()
    usual = tmp_path / "home" / ".local" / "bin" / "faceparse-svg"
    usual.parent.mkdir(parents=True)
    usual.write_text("#!/bin/sh\n")
    usual.chmod(0o755)
    assert find_command("", {"PATH": os.fspath(tmp_path / "empty")}) == Command(os.fspath(usual))


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("", "was not found. Install it, or say in the add-on's preferences"),
        ("missing", "no such file or folder"),
        ("empty", "no faceparse-svg in this folder"),
        ("empty/python3", "this Python has no faceparse-svg"),
        ("plain.txt", "is no program"),
        ("two\nlines", "no such file"),
    ],
)
def test_where_it_is_not_found_the_error_says_what_to_do(
    setting: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addon, "_usual_places", lambda environ: [])
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "python3").touch()
    (tmp_path / "plain.txt").touch()
    with pytest.raises(CommandError) as caught:
        find_command(os.fspath(tmp_path / setting) if setting else "")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_its_version(real: Command) -> None:
    assert version(real) == __version__


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("print('ImageMagick 7')", "does not answer as faceparse-svg does: ImageMagick 7"),
        ("sys.exit('ImportError: no numpy')", "does not answer as faceparse-svg does: ImportError: no numpy"),
        ("print('faceparse-svg 1.0'); sys.exit(3)", "does not answer"),
        ("pass", "does not answer as faceparse-svg does"),
        ("time.sleep(600)", "did not answer within 0.5 s"),
    ],
)
def test_a_program_that_is_another(body: str, says: str, fake: Fake) -> None:
    with pytest.raises(CommandError, match=says):
        version(fake(body), timeout=0.5 if "sleep" in body else 30)


# --- its run ---------------------------------------------------------------------------------------------------------


def test_a_photo_becomes_an_svg(real: Command, photo: Path) -> None:
    target = photo.with_suffix(".svg")
    job = Job(real, os.fspath(photo), os.fspath(target)).start()
    assert job.alive
    seen = {}
    while job.poll():
        seen.setdefault(job.doing, job.fraction)
        time.sleep(0.001)
    assert job.error is None
    assert check_svg(target.read_bytes()) == []
    assert list(seen.values()) == sorted(seen.values()), "progress went back"
    assert {"Starting", "Loading the networks", "Finding the parts"} <= set(seen)
    assert job.fraction == 1
    assert not job.alive


@pytest.mark.parametrize("suffix", ["", "-o x", "; rm *", "--force"])
@pytest.mark.parametrize("name", ["-a", "a b", 'it\'s "a" $HOME `b`', "two\nlines", "ünï cödé 🙂", "a[1]*?", "%s{}"])
def test_any_name_of_a_photo_arrives_as_it_is(name: str, suffix: str, fake: Fake, tmp_path: Path) -> None:
    photo = tmp_path / f"{name}{suffix}.jpg"
    photo.touch()
    svg = files.free_path(os.fspath(photo), os.fspath(tmp_path))
    job = finish(Job(fake("assert os.path.samefile(photo, svg[:-4] + '.jpg')\nwrite()"), os.fspath(photo), svg).start())
    assert job.error is None
    assert os.path.isfile(svg)


@posix
def test_a_name_that_is_no_text(fake: Fake, tmp_path: Path) -> None:
    photo = os.fsencode(tmp_path) + b"/\xff\xfe.jpg"
    try:
        os.close(os.open(photo, os.O_CREAT))
    except OSError:
        pytest.skip("this file system takes text only")
    job = finish(Job(fake("os.stat(photo)\nwrite()"), os.fsdecode(photo), os.fspath(tmp_path / "a.svg")).start())
    assert job.error is None


def test_a_photo_and_an_svg_by_relative_paths(fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-a.jpg").touch()
    command = fake("assert os.path.isabs(photo) and os.path.isabs(svg)\nos.stat(photo)\nwrite()")
    assert finish(Job(command, "-a.jpg", "-a.svg").start()).error is None
    assert (tmp_path / "-a.svg").is_file()


def test_what_is_asked_and_nothing_else_is_passed_on(fake: Fake, tmp_path: Path) -> None:
    command = fake("say('note', message=json.dumps(sys.argv[1:]))\nwrite()")
    done = finish(job(command, tmp_path, Request("head", "stacked", "cel", True, "m.onnx")).start())
    words = ["--parts=head", "--joins=stacked", "--style=cel", "--background", "--model=m.onnx", "--json", "-o"]
    words += [done.svg, done.photo]
    assert done.notes == [str(words).replace("'", '"')]


def test_notes_are_kept(fake: Fake, tmp_path: Path) -> None:
    done = finish(job(fake("say('note', message='2 heads found;\\n the largest')\nwrite()"), tmp_path).start())
    assert done.notes == ["2 heads found; the largest"]


def test_blenders_python_does_not_lead_it_astray(fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONHOME", "PYTHONPATH", "PYTHONINSPECT", "__PYVENV_LAUNCHER__"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("KEPT", "1")
    kept = "assert os.environ['KEPT'] and os.environ['FACEPARSE_OFFLINE']"  # nothing is downloaded from inside Blender
    command = fake(f"assert not {{'PYTHONHOME', 'PYTHONPATH'}} & set(os.environ)\n{kept}\nwrite()")
    assert finish(job(command, tmp_path).start()).error is None


def test_nobody_is_asked_on_stdin(fake: Fake, tmp_path: Path) -> None:
    read, write = os.pipe()
    ours = os.dup(0)
    os.dup2(read, 0)  # as in a terminal: whoever reads there would wait
    try:
        assert finish(job(fake("assert sys.stdin.read() == ''\nwrite()"), tmp_path).start()).error is None
    finally:
        os.dup2(ours, 0)
        for handle in (read, write, ours):
            os.close(handle)


def test_what_it_says_last_is_heard(fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it is gone before anybody listens."""
    read = Job._read

    def slow(self: Job, name: str) -> None:
        time.sleep(0.5)
        read(self, name)

    monkeypatch.setattr(Job, "_read", slow)
    assert finish(job(fake("write()"), tmp_path).start()).error is None
    (tmp_path / "a.svg").unlink()
    assert error_of(job(fake("sys.exit('last words')"), tmp_path)) == "last words"


# --- how it fails ----------------------------------------------------------------------------------------------------


def test_the_commands_own_words(real: Command, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    target = os.fspath(tmp_path / "a.svg")
    assert "empty" in error_of(Job(real, os.fspath(tmp_path / "a.jpg"), target))
    # Wrong usage ends with a line on stderr and no event.
    assert "unknown part 'wing'" in error_of(Job(real, os.fspath(tmp_path / "a.jpg"), target, Request("wing")))
    assert os.listdir(tmp_path / "bin") == ["faceparse-svg"]
    assert not os.path.exists(target)


def test_a_photo_without_a_face(real: Command, tmp_path: Path) -> None:
    cv2.imwrite(os.fspath(tmp_path / "sky.jpg"), np.full((300, 400, 3), (235, 190, 140), np.uint8))
    assert "no face" in error_of(Job(real, os.fspath(tmp_path / "sky.jpg"), os.fspath(tmp_path / "a.svg")))


def test_an_svg_that_appears_meanwhile_is_not_overwritten(real: Command, photo: Path) -> None:
    photo.with_suffix(".svg").write_text("mine")
    assert "exists already" in error_of(Job(real, os.fspath(photo), os.fspath(photo.with_suffix(".svg"))))
    assert photo.with_suffix(".svg").read_text() == "mine"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("say('error', message='no face\\nat all'); sys.exit(1)", "no face at all"),
        ("say('error'); sys.exit(1)", "faceparse-svg failed and did not say why"),
        ("say('error', message='first'); say('error', message='second'); sys.exit(1)", "first"),
        ("say('error', message='odd'); sys.exit(0)", "odd"),
        ("print('x'); print('Traceback:', file=sys.stderr); sys.exit('ImportError: numpy')", "ImportError: numpy"),
        ("sys.exit('faceparse-svg: unknown part')", "unknown part"),
        ("print('only on stdout'); sys.exit(9)", "only on stdout"),
        ("sys.exit(7)", "faceparse-svg failed (status 7) and did not say why"),
        ("pass", "ended without an SVG"),
        ("print('<html>' * 1000)", "ended without an SVG"),
        ("say('written', svg=svg)", "ended without an SVG"),  # it is not there
        ("open(svg, 'w').close()", "ended without an SVG"),  # not ours, or not whole: it would have said so
        ("write(); sys.exit(1)", "(status 1)"),
        ("write(); os.remove(svg)", "ended without an SVG"),
        ("sys.stdout.buffer.write(b'\\xff\\xfe{\\x00'); sys.exit(1)", "\ufffd"),
        ("print('{\"event\": '); print('[1]'); print('{}'); print('{' * 9999); sys.exit(1)", "{{{"),
    ],
)
def test_it_fails_and_one_line_says_why(body: str, says: str, fake: Fake, tmp_path: Path) -> None:
    assert says in error_of(job(fake(body), tmp_path))


@posix
def test_it_is_killed_from_outside(fake: Fake, tmp_path: Path) -> None:
    assert "(signal 9)" in error_of(job(fake("os.kill(os.getpid(), signal.SIGKILL)"), tmp_path))


def test_odd_events_do_no_harm(fake: Fake, tmp_path: Path) -> None:
    command = fake(
        """
        for event in (None, 3, [], {}, "step", "photo"):
            say(event, step={}, message=[], photo=None)
        say("step", step=["read"]); say("step", step="levitate"); say("note", message=None)
        write()
        """
    )
    assert finish(job(command, tmp_path).start()).error is None


def test_a_flood_of_words_costs_little(fake: Fake, tmp_path: Path) -> None:
    command = fake(
        """
        for _ in range(300):
            sys.stdout.write("no event\\n" * 1000)
            sys.stderr.write("x" * 10000)
        for _ in range(3000):
            say("note", message="again")
        write()
        """
    )
    done = finish(job(command, tmp_path).start())
    assert done.error is None
    assert sum(map(len, done._lines["stdout"])) < 100_000
    assert sum(map(len, done._lines["stderr"])) < 100_000


def test_a_command_that_is_gone_or_cannot_run(fake: Fake, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="could not be started: No such file"):
        job(Command(os.fspath(tmp_path / "gone")), tmp_path).start()
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"\x7fELF nonsense")
    garbage.chmod(0o755)
    with pytest.raises(CommandError, match="could not be started"):
        job(Command(os.fspath(garbage)), tmp_path).start()
    with pytest.raises(CommandError, match="could not be started"):
        version(Command(os.fspath(garbage)))


# --- how it is cancelled -------------------------------------------------------------------------------------------


def test_a_command_that_hangs_is_cancelled_and_gone(fake: Fake, tmp_path: Path) -> None:
    running = job(fake("say('step', step='parse')\ntime.sleep(600)"), tmp_path).start()
    wait_until(lambda: running.poll() and running.step == "parse")
    began = time.perf_counter()
    for _ in range(100):
        assert running.poll()
    running.cancel()
    assert time.perf_counter() - began < 5, "it waited for the command"
    assert not running.running
    assert not running.poll()
    wait_until(lambda: gone(running.pid))
    running.cancel()  # once more does no harm
    assert running.error is None
    assert running.cancelled


def test_what_was_written_since_the_last_poll_is_known_when_it_is_cancelled(fake: Fake, tmp_path: Path) -> None:
    running = job(fake("write()\ntime.sleep(600)"), tmp_path).start()
    wait_until(lambda: bool(running._events))
    running.cancel()
    assert running.written
    wait_until(lambda: gone(running.pid))


@posix
@pytest.mark.parametrize("how", ["cancel", "end"])
def test_one_that_does_not_listen_is_ended(
    how: str, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "_GRACE", 0.2)
    command = fake("signal.signal(signal.SIGTERM, signal.SIG_IGN)\nsay('step', step='parse')\ntime.sleep(600)")
    running = job(command, tmp_path).start()
    wait_until(lambda: running.poll() and running.step == "parse")
    if how == "end":
        running.end(0.2)
        assert gone(running.pid), "end waits for it"
    else:
        running.cancel()
    wait_until(lambda: gone(running.pid))


@posix
def test_what_it_started_itself_ends_with_it(fake: Fake, tmp_path: Path) -> None:
    command = fake(
        f"""
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        with open({os.fspath(tmp_path / "pid")!r}, "w") as file:
            file.write(str(child.pid))
        child.wait()
        """
    )
    running = job(command, tmp_path).start()
    child = one_process_of(tmp_path)
    running.cancel()
    wait_until(lambda: gone(running.pid))
    # An orphan is reaped by init, or, where there is none, by nobody: then it is a zombie.
    wait_until(lambda: gone(child) or "Z" in Path(f"/proc/{child}/stat").read_text().rpartition(")")[2])


@posix
def test_one_that_leaves_a_process_behind_is_not_waited_for(fake: Fake, tmp_path: Path) -> None:
    command = fake(
        f"""
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])  # it keeps our stdout open
        with open({os.fspath(tmp_path / "pid")!r}, "w") as file:
            file.write(str(child.pid))
        write()
        """
    )
    try:
        assert finish(job(command, tmp_path).start()).error is None
    finally:
        os.kill(one_process_of(tmp_path), signal.SIGKILL)


def test_ours_stops_where_it_is_told_to(real: Command, photo: Path) -> None:
    """At whatever moment: no SVG, or a whole one, and nothing else."""
    for step in ("start", "parse", "trace"):
        target = photo.with_name(f"{step}.svg")
        running = Job(real, os.fspath(photo), os.fspath(target)).start()
        wait_until(lambda: running.step == step or not running.poll())  # noqa: B023
        running.cancel()
        wait_until(lambda: gone(running.pid))  # noqa: B023
        assert not target.exists() or check_svg(target.read_bytes()) == []
        assert {path.suffix for path in photo.parent.iterdir() if path.is_file()} <= {".jpg", ".svg"}


# --- editors ---------------------------------------------------------------------------------------------------------


def test_which_editor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(editor.shutil, "which", lambda name: "/usr/bin/inkscape")
    assert editor_command("", "a.svg", "linux") == ["/usr/bin/inkscape", "a.svg"]
    assert editor_command("/opt/draw it", "a.svg", "linux") == ["/opt/draw it", "a.svg"]
    assert editor_command("/Applications/X.app/", "a.svg", "darwin") == [
        "open",
        "-a",
        "/Applications/X.app/",
        "a.svg",
    ]
    monkeypatch.setattr(editor.shutil, "which", lambda name: None)
    assert editor_command("", "a.svg", "linux") == ["xdg-open", "a.svg"]
    assert editor_command("", "a.svg", "darwin") == ["open", "a.svg"]
    assert editor_command("", "a.svg", "win32") is None


@posix
def test_the_editor_lives_on_its_own(fake: Fake, tmp_path: Path) -> None:
    said = tmp_path / "said"
    program = fake(
        f"""
        text = json.dumps([sys.argv[1:], os.getpid(), os.getsid(0)])
        with open({os.fspath(said)!r} + ".tmp", "w") as file:
            file.write(text)
        os.rename({os.fspath(said)!r} + ".tmp", {os.fspath(said)!r})
        """,
        "bin/my editor",
    )
    assert open_in_editor(program.path, os.fspath(tmp_path / "-a b.svg")) == "my editor"
    wait_until(said.exists)
    words, pid, session = json.loads(said.read_text())
    assert words == [os.fspath(tmp_path / "-a b.svg")]
    assert session == pid != os.getsid(0), "Blender's end would be its end"
    wait_until(lambda: gone(pid))


def test_an_editor_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EditorError, match="Choose an editor in the add-on's preferences"):
        open_in_editor(os.fspath(tmp_path / "gone"), "a.svg")


def test_windows_without_a_program_for_svgs(monkeypatch: pytest.MonkeyPatch) -> None:
    def startfile(path: str) -> None:
        raise OSError(1155, "No application is associated with the specified file")

    monkeypatch.setattr(editor, "editor_command", lambda setting, svg: None)
    monkeypatch.setattr(os, "startfile", startfile, raising=False)
    with pytest.raises(EditorError, match=r"a\.svg could not be started: No application .* Choose an editor"):
        open_in_editor("", "a.svg")
