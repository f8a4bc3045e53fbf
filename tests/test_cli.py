"""The command: what it writes, where to, and what it says. (test_bad_input.py: how it fails.)"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import socket
import struct
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from command import COMMAND, Capture, leftovers, maps, one_line, process, run, without_notes

from faceparse_core.parts import PARTS
from svg_export import __version__, files, options
from svg_export.check import check_svg

# --- what it writes -------------------------------------------------------------------------------------------------


def test_a_photo_becomes_a_sound_svg_beside_it(photo: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", offline)
    assert run(photo) == 0
    svg = photo.with_suffix(".svg")
    assert capsys.readouterr().out == f"wrote {svg}\n"
    assert check_svg(svg.read_bytes()) == []
    for layer in ("head", "hair", "eye-left", "eye-right", "nose", "lip-upper", "lip-lower"):
        assert f'<g id="{layer}" '.encode() in svg.read_bytes()
    assert leftovers(photo.parent) == []


def test_the_same_photo_gives_the_same_bytes(photo: Path, tmp_path: Path) -> None:
    assert run(photo) == 0
    assert run(photo, "-o", tmp_path / "again.svg") == 0
    assert (tmp_path / "again.svg").read_bytes() == photo.with_suffix(".svg").read_bytes()


def test_labels_and_preview_come_beside_it_and_the_labels_can_be_traced_again(photo: Path) -> None:
    assert run(photo, "--save-labels", "--preview", "--parts", "all") == 0
    labels = cv2.imread(os.fspath(photo.with_name("astronaut.labels.png")), cv2.IMREAD_UNCHANGED)
    assert labels.shape == (512, 512)
    assert labels.dtype == np.uint8
    preview = cv2.imread(os.fspath(photo.with_name("astronaut.preview.png")))
    assert preview.shape == (512, 1024, 3)
    assert np.abs(preview[:, :512].astype(int) - cv2.imread(os.fspath(photo))).mean() < 1
    first = photo.with_suffix(".svg").read_bytes()
    photo.with_suffix(".svg").unlink()
    assert run(photo.with_name("astronaut.labels.png"), "--from-labels", "--parts", "all") == 0
    again = photo.with_suffix(".svg").read_bytes()
    assert check_svg(again) == []
    assert again.count(b"<g ") == first.count(b"<g ")


@pytest.mark.parametrize(("parts", "layers"), [
    ("hair", {"hair"}),
    ("contour", {"ear-right", "ear-left", "head", "hair"}),
    ("hair, eye-left", {"hair", "eye-left"}),
])  # fmt: skip
def test_parts_choose_the_layers(face_png: Path, parts: str, layers: set[str]) -> None:
    assert run(face_png, "--from-labels", "--parts", parts) == 0
    svg = face_png.with_name("drawn.svg").read_text("utf-8")
    assert {part.name for part in PARTS if f'<g id="{part.name}"' in svg} == layers


@pytest.mark.parametrize("joins", options.JOINS)
def test_every_way_of_joining_is_sound(face_png: Path, joins: str) -> None:
    assert run(face_png, "--from-labels", "--joins", joins, "--background") == 0
    svg = face_png.with_name("drawn.svg").read_bytes()
    assert check_svg(svg) == []
    assert f'"joins": "{joins}"'.encode() in svg


def test_the_photo_as_a_layer(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    renamed = photo.rename(tmp_path / "ä & b.jpg")
    assert run(renamed, "-o", tmp_path / "out", "--photo-layer", "link") == 0
    svg = (tmp_path / "out" / "ä & b.svg").read_bytes()
    assert check_svg(svg) == []
    assert b'xlink:href="../%C3%A4%20%26%20b.jpg"' in svg
    assert run(renamed, "--photo-layer", "embed") == 0
    assert b"data:image/jpeg;base64," in renamed.with_suffix(".svg").read_bytes()


def test_a_link_to_a_photo_on_its_side_is_refused(tmp_path: Path, astronaut: Path, capsys: Capture) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[274] = 6
    Image.open(astronaut).rotate(90, expand=True).save(tmp_path / "phone.jpg", exif=exif)
    assert run(tmp_path / "phone.jpg", "--photo-layer", "link") == 1
    assert "embed" in one_line(capsys)
    assert run(tmp_path / "phone.jpg", "--photo-layer", "embed") == 0


@pytest.mark.parametrize(("suffix", "shown"), [("webp", False), ("tif", False), ("gif", True), ("png", True)])
def test_a_link_is_to_what_every_program_shows(
    suffix: str, shown: bool, tmp_path: Path, astronaut: Path, capsys: Capture
) -> None:
    from PIL import Image

    Image.open(astronaut).save(tmp_path / f"a.{suffix}")
    assert run(tmp_path / f"a.{suffix}", "--photo-layer", "link") == (0 if shown else 1)
    if not shown:
        assert "use --photo-layer embed" in one_line(capsys)


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links")
def test_a_link_leads_there_from_where_the_drawing_really_lies(tmp_path: Path, photo: Path) -> None:
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "near").symlink_to(tmp_path / "far" / "away")
    assert run(photo, "--photo-layer", "link", "-o", tmp_path / "near") == 0
    svg = tmp_path / "far" / "away" / photo.with_suffix(".svg").name
    link = re.search(rb'xlink:href="([^"]+)"', svg.read_bytes())
    assert link
    assert (svg.parent / link[1].decode()).resolve() == photo.resolve()


# --- where from and where to ----------------------------------------------------------------------------------------


def test_folders_and_patterns(tmp_path: Path, capsys: Capture) -> None:
    maps(tmp_path / "in", "a10.labels.png", "a2.labels.png", ".hidden.labels.png", "other.png", "deep/b.labels.png")
    assert run(tmp_path / "in", "--from-labels") == 0
    wrote = [Path(line).name for line in capsys.readouterr().out.splitlines()]
    assert wrote == ["a2.svg", "a10.svg"]
    assert run(tmp_path / "in" / "**" / "b*.png", tmp_path / "in" / "other.png", "--from-labels") == 0
    assert (tmp_path / "in" / "deep" / "b.svg").exists()
    assert (tmp_path / "in" / "other.svg").exists()


def test_a_folder_of_photos_leaves_out_what_the_command_wrote(tmp_path: Path) -> None:
    for name in ("b.jpg", "c.gif", "a.PNG", "a.labels.png", "a.preview.png", "a.svg", "notes.txt"):
        (tmp_path / name).touch()
    sources, complaints = files.find_inputs([os.fspath(tmp_path), os.fspath(tmp_path / "b.jpg")])
    assert [Path(source).name for source in sources] == ["a.PNG", "b.jpg", "c.gif"]
    assert complaints == []


def test_a_file_with_brackets_in_its_name_is_itself(tmp_path: Path) -> None:
    maps(tmp_path, "shot[1].labels.png")
    assert run(tmp_path / "shot[1].labels.png", "--from-labels") == 0
    assert (tmp_path / "shot[1].svg").exists()


@pytest.mark.parametrize(
    "name", ["with space", 'it\'s "q"', "a & b", "<x>", "🧑‍🎨 grüße", "-dash", "new\nline", "100%", "a.b.c", "x" * 240]
)
def test_names(tmp_path: Path, name: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    maps(tmp_path, f"{name}.png")
    assert run("--from-labels", "--", f"{name}.png") == 0
    assert check_svg(Path(f"{name}.svg").read_bytes()) == []
    assert capsys.readouterr().out.count("\n") == 1
    assert run("--from-labels", f"./{name}.png", "--force") == 0


@pytest.mark.parametrize("words", [("ok.jpg", "--photo.jpg"), ("-photo.jpg",)])
def test_a_dash_in_front_is_explained(words: tuple[str, ...], capsys: Capture) -> None:
    assert run(*words) == 2
    assert "dash goes behind --" in one_line(capsys)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are not bytes here")
def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    maps(tmp_path, "plain.png")
    name = os.fsencode(tmp_path) + b"/\xff\xfe.png"
    os.rename(tmp_path / "plain.png", name)
    for extra in ((), ("--json", "--force")):
        done = process(os.fsdecode(name), "--from-labels", *extra)
        assert (done.returncode, done.stderr) == (0, b"")
    assert check_svg(Path(os.fsdecode(name[:-4] + b".svg")).read_bytes()) == []


def test_two_photos_for_one_name(tmp_path: Path, capsys: Capture) -> None:
    maps(tmp_path, "a.png")
    (tmp_path / "a.bmp").write_bytes(b"never read")
    assert run(tmp_path / "a.png", tmp_path / "a.bmp", "--from-labels") == 1
    assert "a.bmp" in one_line(capsys)
    assert (tmp_path / "a.svg").exists()


def test_output_folder_and_file(face_png: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert run(face_png, "--from-labels", "-o", tmp_path / "out") == 0
    assert (tmp_path / "out" / "drawn.svg").exists()
    assert run(face_png, "--from-labels", "-o", tmp_path / "other name.svg", "--preview") == 0
    assert (tmp_path / "other name.svg").exists()
    assert (tmp_path / "other name.preview.png").exists()


def test_stdin_and_stdout(astronaut: Path, tmp_path: Path) -> None:
    done = process("-", input=astronaut.read_bytes())
    assert (done.returncode, without_notes(done.stderr.decode())) == (0, "")
    assert check_svg(done.stdout) == []
    done = process("-", "-o", tmp_path, "--json", input=astronaut.read_bytes())
    assert done.returncode == 0
    assert check_svg((tmp_path / "stdin.svg").read_bytes()) == []
    done = process("-", input=b"no picture")
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.count(b"\n") == 1


# --- what it says ---------------------------------------------------------------------------------------------------


def test_a_budget_of_nodes_is_told(face_png: Path, capsys: Capture) -> None:
    svg = face_png.with_name("drawn.svg")
    assert run(face_png, "--from-labels", "--max-nodes", "90") == 0
    told = rf"wrote {re.escape(str(svg))} \(([78]\d|90) nodes, within [\d.]+ px\)\n"
    assert re.fullmatch(told, capsys.readouterr().out)
    assert run(face_png, "--from-labels", "--force", "--max-nodes", "1", "--tolerance", "1.5", "--json") == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (written,) = (event for event in events if event["event"] == "written")
    (note,) = (event for event in events if event["event"] == "note")
    assert note["message"].startswith(f"{written['nodes']} nodes, more than asked for")
    assert written["error"] > 1.5


@pytest.mark.parametrize(
    "words", ["--tolerance 0", "--tolerance=-1", "--tolerance nan", "--tolerance x", "--max-nodes 0", "--max-nodes 1.5"]
)
def test_tolerance_and_nodes_that_mean_nothing_are_refused(words: str, face_png: Path, capsys: Capture) -> None:
    assert run(face_png, "--from-labels", *words.split()) == 2
    assert words.replace("=", " ").split()[0] in one_line(capsys)


def test_what_still_crosses_after_all_repair_is_told(
    face_png: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[int] = []

    def never_content(*_: object) -> list[tuple[int, int, np.ndarray]]:
        rounds.append(1)
        return [(0, -1, np.array([180.0, 200.0]))]

    monkeypatch.setattr("svg_export.outlines.crossings", never_content)
    monkeypatch.setattr("svg_export.outlines._ROUNDS", 3)
    assert run(face_png, "--from-labels") == 0
    assert "note: outlines cross and could not be kept apart, places: 1" in capsys.readouterr().err
    assert len(rounds) == 4


def test_json_ends_where_there_is_no_model(photo: Path, capsys: Capture) -> None:
    assert run(photo, "--json", "--model", photo.with_name("none.onnx")) == 2
    captured = capsys.readouterr()
    assert [json.loads(line)["event"] for line in captured.out.splitlines()] == ["start", "error", "done"]
    assert captured.err.count("\n") == 1


def test_json_tells_every_step(photo: Path, capsys: Capture) -> None:
    broken = photo.with_name("broken.jpg")
    broken.write_bytes(b"")
    assert run(photo, broken, photo.parent / "none*.jpg", "--json", "--save-labels") == 1
    captured = capsys.readouterr()
    events = [event for event in map(json.loads, captured.out.splitlines()) if event["event"] != "note"]
    assert [event["event"] for event in events] == [
        "start", "error", "photo", "step", "step", "step", "step", "written", "photo", "step", "error", "done",
    ]  # fmt: skip
    assert [event["step"] for event in events if event["event"] == "step"] == [
        "read",
        "parse",
        "trace",
        "write",
        "read",
    ]
    assert events[0] == {"event": "start", "version": __version__, "photos": 2}
    written = next(event for event in events if event["event"] == "written")
    assert written["photo"] == os.fspath(photo)
    assert written["svg"] == os.fspath(photo.with_suffix(".svg"))
    assert written["labels"] == os.fspath(photo.with_name("astronaut.labels.png"))
    assert written["preview"] is None
    assert written["heads"] >= 1
    assert written["size"] == [512, 512]
    assert {"head", "hair"} <= set(written["layers"])
    assert events[-1] == {"event": "done", "written": 1, "failed": 2}
    assert without_notes(captured.err).count("\n") == 2


def test_several_heads_are_noted(photo: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    from faceparse_core import parse

    real = parse.parse_heads
    monkeypatch.setattr(
        parse, "parse_heads", lambda *given, most: dataclasses.replace(real(*given, most=most), heads=3)
    )
    assert run(photo, "--json") == 0
    captured = capsys.readouterr()
    assert captured.err == f"{photo}: note: 3 heads found; the largest one is drawn (--heads all draws all)\n"
    assert sum(json.loads(line).get("heads") == 3 for line in captured.out.splitlines()) == 1


def test_who_reads_the_list_of_models_may_stop_early() -> None:
    with subprocess.Popen([*COMMAND, "models"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as listing:
        assert listing.stdout is not None
        assert listing.stderr is not None
        listing.stdout.close()
        assert listing.stderr.read() == b""
    assert listing.returncode == 0


def test_a_reader_that_goes_away_stops_nothing(tmp_path: Path) -> None:
    maps(tmp_path, *(f"m{k}.labels.png" for k in range(4)))
    with subprocess.Popen(
        [*COMMAND, os.fspath(tmp_path), "--from-labels", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout and child.stderr  # noqa: PT018
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 0
    assert len(list(tmp_path.glob("*.svg"))) == 4


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_an_svg_that_does_not_fit_into_stdout_is_a_failure(astronaut: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*COMMAND, astronaut, "-o", "-"], stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1
    assert without_notes(done.stderr.decode()).count("\n") == 1
    assert b"No space left" in done.stderr


def test_a_bar_on_a_terminal_and_plain_lines_in_a_pipe(tmp_path: Path) -> None:
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))
    maps(tmp_path, *(f"m{k}.labels.png" for k in range(3)))
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    done = subprocess.run([*COMMAND, tmp_path, "--from-labels"], stdout=subprocess.PIPE, stderr=theirs, timeout=60)
    assert done.returncode == 0
    os.set_blocking(ours, False)
    said = os.read(ours, 100_000)
    os.close(theirs)
    os.close(ours)
    assert b"photo" in said
    assert b"/3" in said
    assert done.stdout.count(b"wrote ") == 3
    done = process(tmp_path, "--from-labels", "--force")
    assert (done.stdout.count(b"\n"), done.stderr) == (3, b"")


def test_version_and_help(capsys: Capture) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"faceparse-svg {__version__}\n"
    assert run("--help") == 0
    assert "--from-labels" in capsys.readouterr().out
