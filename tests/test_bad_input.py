"""Bad input, full disks, Ctrl-C: one clear line each, the exit status as promised, and nothing is ever lost."""

from __future__ import annotations

import errno
import json
import os
import shlex
import signal
import struct
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from command import COMMAND, Capture, leftovers, maps, one_line, run
from conftest import ROOT

from svg_export import files
from svg_export.check import check_svg

AT_HOME = {**os.environ, "PYTHONPATH": os.fspath(ROOT)}  #: `python -m svg_export` in any folder


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a.jpg", "--parts", "moustache"],
        ["a.jpg", "--parts", ""],
        ["a.jpg", "--joins", "glue"],
        ["a.jpg", "b.jpg", "-o", "one.svg"],
        ["a.jpg", "-o", "missing-folder"],
        ["a.jpg", "-o", "missing-folder/a.svg"],
        ["a.jpg", "-o", ""],
        ["a.jpg", "--palette", "missing.gpl"],
        ["a.jpg", "--heads", "two"],
        ["a.jpg", "--mask", "--mask-threshold", "much"],
        ["a.png", "--from-labels", "--device", "cuda"],
        ["a.png", "--from-labels", "--mask", "--mask-threshold", "0"],
        ["-", "--json"],
        ["-", "--preview"],
        ["-", "a.jpg"],
        ["-", "--photo-layer", "link", "-o", "a.svg"],
        ["a.png", "--from-labels", "--model", "x"],
        ["a.png", "--from-labels", "--save-labels"],
        ["a.png", "--from-labels", "--photo-layer", "embed"],
        ["a.jpg", "--no-svg", "--mask", "--photo-layer", "embed"],
        ["a.jpg", "--no-svg", "--mask", "--background"],
        ["a.jpg", "--no-svg", "--mask", "-o", "-"],
        ["a.jpg", "--curves", "polygon", "--tolerance", "0", "--max-nodes", "9"],
        ["a.jpg", "--model", "no-such-model"],
        ["a.jpg", "--model", "no-such-model.onnx"],
    ],
)
def test_wrong_usage(arguments: list[str], capsys: Capture) -> None:
    assert run(*arguments) == 2
    line = one_line(capsys)
    assert line.startswith("faceparse-svg: ")
    assert "invalid _" not in line, "argparse names the function that read the number"


def test_an_empty_name_is_no_folder(capsys: Capture) -> None:
    assert run("") == 1
    assert "''" in one_line(capsys)


def test_a_label_map_is_not_parsed_as_a_photo(tmp_path: Path, capsys: Capture) -> None:
    maps(tmp_path, "a.labels.png", "a.preview.png")
    assert run(tmp_path / "a.labels.png") == 1
    assert "--from-labels" in one_line(capsys)
    assert run(tmp_path / "*.png") == 1
    assert "no file matches" in one_line(capsys)
    assert list(tmp_path.glob("*.svg")) == []


def test_a_drawing_is_no_photo(face_png: Path, capsys: Capture) -> None:
    drawing = face_png.with_name("drawn.svg")
    drawing.write_bytes(b"<svg/>")
    for words, what in (((), "photo"), (("--force",), "photo"), (("--from-labels",), "label map")):
        assert run(drawing, *words) == 1
        assert f"a drawing, not a {what}; name the one that it was made of" in one_line(capsys)
    assert run(face_png.with_name("*.svg")) == 1
    assert "no file matches" in one_line(capsys)
    assert drawing.read_bytes() == b"<svg/>"


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell closes and fills the streams")
@pytest.mark.parametrize("words", ["a.png --from-labels -o - >&-", "- -o . <&-", "models >/dev/full"])
def test_streams_that_are_closed_or_full(words: str, tmp_path: Path) -> None:
    maps(tmp_path, "a.png")
    if "full" in words and not Path("/dev/full").exists():
        pytest.skip("this system has no full device")
    command = f"{shlex.join(COMMAND)} {words}"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, timeout=120, env=AT_HOME)
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1, done.stderr
    assert b"a bug in" not in done.stderr


def png_header(width: int, height: int) -> bytes:
    """A PNG that announces a size and holds no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def encoded(pixels: np.ndarray, suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


def landscape() -> np.ndarray:
    """Sky, hills and a sun: no face."""
    picture = np.full((300, 400, 3), (235, 190, 140), np.uint8)
    cv2.circle(picture, (320, 60), 25, (120, 230, 255), -1)
    cv2.fillPoly(
        picture, [np.array([(0, 200), (120, 130), (260, 210), (400, 150), (400, 300), (0, 300)])], (60, 120, 50)
    )
    return picture


BAD_PHOTOS = {
    "missing.jpg": None,
    "empty.jpg": b"",
    "text.jpg": b"This is no picture.\n" * 50,
    "one.png": encoded(np.zeros((1, 1, 3), np.uint8)),
    "bomb.png": png_header(60_000, 60_000),
    "landscape.png": encoded(landscape()),
    "black.png": encoded(np.zeros((200, 300, 3), np.uint8)),
}


@pytest.mark.parametrize("name", BAD_PHOTOS)
def test_a_bad_photo_fails_alone_and_in_one_line(name: str, photo: Path, tmp_path: Path, capsys: Capture) -> None:
    content = BAD_PHOTOS[name]
    bad = tmp_path / name
    if content is not None:
        bad.write_bytes(content)
    assert run(bad, photo) == 1
    line = one_line(capsys)
    assert line.startswith(f"faceparse-svg: {bad}: ")
    assert line.count(name) == 1, "the name is said once"
    assert not bad.with_suffix(".svg").exists()
    assert check_svg(photo.with_suffix(".svg").read_bytes()) == []


def test_a_cut_off_jpeg_says_so(photo: Path, capsys: Capture) -> None:
    photo.write_bytes(photo.read_bytes()[:30_000])
    assert run(photo) == 1
    assert "cut off" in one_line(capsys)
    assert not photo.with_suffix(".svg").exists()


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((50, 50), 77, np.uint8),
        np.full((50, 50), 30_000, np.uint16),
        np.full((50, 50, 3), 1, np.uint8),
        np.zeros((50, 50), np.uint8),
    ],
    ids=["unknown ids", "16 bit, of a face 1501 without the others", "colour", "nothing but background"],
)
def test_a_bad_label_map(pixels: np.ndarray, tmp_path: Path, capsys: Capture) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(encoded(pixels))
    assert run(bad, "--from-labels") == 1
    one_line(capsys)
    assert not bad.with_suffix(".svg").exists()


def test_a_folder_without_photos(tmp_path: Path, capsys: Capture) -> None:
    assert run(tmp_path) == 1
    assert "no photos" in one_line(capsys)


@pytest.mark.parametrize("suffix", [".svg", ".preview.png"])
def test_nothing_is_overwritten_without_force(face_png: Path, suffix: str, capsys: Capture) -> None:
    precious = face_png.with_name(f"drawn{suffix}")
    precious.write_bytes(b"an evening's edits")
    before = set(face_png.parent.iterdir())
    assert run(face_png, "--from-labels", "--preview") == 1
    assert "--force" in one_line(capsys)
    assert precious.read_bytes() == b"an evening's edits"
    assert set(face_png.parent.iterdir()) == before
    assert run(face_png, "--from-labels", "--preview", "--force") == 0
    assert precious.read_bytes() != b"an evening's edits"


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "a.svg"
    target.write_bytes(b"old")
    with pytest.raises(files.OutputError):
        files.write_files({target: b"new"}, force=False)
    assert target.read_bytes() == b"old"
    assert leftovers(tmp_path) == []


def test_writers_side_by_side_write_each_their_own(tmp_path: Path) -> None:
    def write(number: int) -> None:
        for turn in range(20):
            files.write_files({tmp_path / f"{number}-{turn}.svg": b"%d" % number * 1000}, force=False)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert leftovers(tmp_path) == []
    for path in tmp_path.glob("*.svg"):
        assert path.read_bytes() == path.name.partition("-")[0].encode() * 1000
    assert len(list(tmp_path.glob("*.svg"))) == 160


def test_no_other_photo_is_written_over(tmp_path: Path, capsys: Capture) -> None:
    maps(tmp_path, "a.png", "a.preview.png")
    before = (tmp_path / "a.preview.png").read_bytes()
    both = tmp_path / "a.png", tmp_path / "a.preview.png"
    assert run(*both, "--from-labels", "--preview", "--force") == 1
    assert "is the file of" in one_line(capsys)
    assert (tmp_path / "a.preview.png").read_bytes() == before
    assert (tmp_path / "a.preview.svg").is_file()


def test_the_photo_itself_is_never_written(tmp_path: Path, capsys: Capture) -> None:
    maps(tmp_path, "a.preview.png")
    before = (tmp_path / "a.preview.png").read_bytes()
    assert run(tmp_path / "a.preview.png", "--from-labels", "--preview", "--force", "-o", tmp_path / "a.svg") == 1
    one_line(capsys)
    assert (tmp_path / "a.preview.png").read_bytes() == before


def test_a_disk_that_fills_up_leaves_the_old_files_whole(
    face_png: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(face_png, "--from-labels", "--preview") == 0
    svg, preview = face_png.with_name("drawn.svg"), face_png.with_name("drawn.preview.png")
    old = svg.read_bytes(), preview.read_bytes()
    capsys.readouterr()
    count = 0

    def full(_: int) -> None:
        nonlocal count
        count += 1
        if count == 2:  # the first file of the two still fits
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert run(face_png, "--from-labels", "--preview", "--force", "--parts", "hair") == 1
    assert "No space left" in one_line(capsys)
    assert (svg.read_bytes(), preview.read_bytes()) == old
    assert leftovers(face_png.parent) == []


def test_a_file_that_was_moved_into_place_before_another_failed_is_told(
    face_png: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def picky(source: str, target: str) -> None:
        if os.fspath(target).endswith(".png"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        replace(source, target)

    monkeypatch.setattr(os, "replace", picky)
    assert run(face_png, "--from-labels", "--preview") == 1
    assert "drawn.svg is written" in one_line(capsys)
    assert face_png.with_name("drawn.svg").is_file()
    assert leftovers(face_png.parent) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_a_write_that_the_system_cuts_short(face_png: Path) -> None:
    svg = face_png.with_name("drawn.svg")
    svg.write_bytes(b"old")
    limit = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
    code = limit + "from svg_export.cli import main; sys.exit(main(sys.argv[1:]))"
    arguments = [sys.executable, "-c", code, face_png, "--from-labels", "--force"]
    done = subprocess.run(arguments, capture_output=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1, done.stderr
    assert svg.read_bytes() == b"old"
    assert leftovers(face_png.parent) == []


def test_a_read_only_folder(face_png: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = face_png.parent / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    if os.geteuid() == 0:  # root may write anyway: let the system say what it says to others
        monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert run(face_png, "--from-labels", "-o", folder) == 1
    assert "cannot be written" in one_line(capsys)
    folder.chmod(0o755)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")
def test_permissions_and_links_stay(face_png: Path, tmp_path: Path) -> None:
    real = tmp_path / "real.svg"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link = face_png.with_name("drawn.svg")
    link.symlink_to(real)
    assert run(face_png, "--from-labels", "--force") == 0
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert check_svg(real.read_bytes()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_in_the_middle_of_a_folder(tmp_path: Path, number: int, status: int) -> None:
    maps(tmp_path, *(f"m{k}.labels.png" for k in range(200)))
    with subprocess.Popen(
        [*COMMAND, os.fspath(tmp_path), "--from-labels", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell's background jobs ignore SIGINT, and so do their children, the tests' too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as child:
        assert child.stdout and child.stderr  # noqa: PT018
        for line in child.stdout:
            if json.loads(line)["event"] == "written":
                break
        time.sleep(0.05)
        child.send_signal(number)
        said = child.stdout.read()
        error = child.stderr.read()
    assert child.returncode == status, error
    assert error.count(b"\n") == (1 if number == signal.SIGINT else 0), error
    written = list(tmp_path.glob("*.svg"))
    assert 0 < len(written) < 200
    assert json.loads(said.splitlines()[-1])["event"] == "interrupted"
    assert all(check_svg(path.read_bytes()) == [] for path in written)
    assert leftovers(tmp_path) == []


def test_a_bug_is_one_line_too(face_png: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("svg_export.export.draw_group", broken)
    assert run(face_png, "--from-labels") == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "ZeroDivisionError" in error
    monkeypatch.setenv("FACEPARSE_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        run(face_png, "--from-labels")
