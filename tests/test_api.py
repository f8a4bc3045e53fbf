"""The public names, and the examples of the documentation, which are run as they stand there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from command import run
from conftest import ROOT

import faceparse_core
import svg_export
from svg_export.check import check_svg

FENCE = re.compile(r"^```python ?(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(page: str) -> list[tuple[str, str]]:
    """(word behind `python`, code) of a page's examples, with as many lines in front as the page has there."""
    text = (ROOT / page).read_text("utf-8")
    return [(found[1], "\n" * text.count("\n", 0, found.start(2)) + found[2]) for found in FENCE.finditer(text)]


@pytest.fixture
def folder(tmp_path: Path, astronaut: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a portrait, and with points where a face mesh would have them, as MediaPipe gives them."""
    shutil.copy(astronaut, tmp_path / "portrait.jpg")
    angle, far = np.meshgrid(np.linspace(0, 2 * np.pi, 36, endpoint=False), np.linspace(0.1, 1, 13))
    x, y = 224 + 40 * far * np.cos(angle), 122 + 52 * far * np.sin(angle)
    np.save(tmp_path / "mesh.npy", np.stack([x.ravel() / 512, y.ravel() / 512, np.zeros(468)], axis=1))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_of_the_interface_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for word, code in examples("docs/api.md"):
        program = compile(code, "docs/api.md", "exec")
        if word != "mediapipe":
            assert word == ""
            exec(program, names)
    said = capsys.readouterr().out
    for words in ("(512, 512, 3) uint8", "no such file", "no face found", "exists already"):
        assert words in said
    assert names["face"].shape == names["probability"].shape == (512, 512)
    assert set(np.unique(names["careful"]).tolist()) == {0, 255}
    assert cv2.imread("outlines.png").shape == (512, 512, 3)
    assert len(names["names"]) == 468
    assert {"head", "nose"} <= set(names["names"])
    assert "background" not in names["names"]
    assert len(names["triangles"]) > 900
    assert check_svg(Path("portrait.svg").read_bytes()) == []
    assert names["drawn"].names == ["outline"]
    assert names["drawn"].nodes <= 150


def test_what_the_page_draws_with_opencv_is_where_the_label_map_has_it(folder: Path) -> None:
    names: dict[str, Any] = {}
    for word, code in examples("docs/api.md"):
        if not word and ("parse_photo(photo" in code or "contours(parsing)" in code or "def fixed" in code):
            exec(code, names)
            if "def fixed" in code:
                break
    labels = names["parsing"].labels
    drawn = np.zeros(labels.shape, np.uint8)
    cv2.fillPoly(drawn, names["fixed"](names["outlines"]["hair"]), 1, shift=4)
    hair = labels == 17
    differing = (drawn > 0) != hair
    inner = cv2.erode(hair.astype(np.uint8), np.ones((3, 3))) > 0
    outer = cv2.dilate(hair.astype(np.uint8), np.ones((3, 3))) > 0
    assert not (differing & (inner | ~outer)).any()
    assert not (drawn == 0)[hair].any()


def test_the_readmes_example_runs(folder: Path) -> None:
    ((word, code),) = examples("README.md")
    assert not word
    Path("examples").mkdir()
    shutil.copy("portrait.jpg", "examples/astronaut.jpg")
    exec(code, {})
    assert check_svg(Path("portrait.svg").read_bytes()) == []


def test_write_svg_writes_what_the_command_writes(folder: Path) -> None:
    photo = faceparse_core.read_photo("portrait.jpg")
    drawn = svg_export.write_svg("ours.svg", photo, faceparse_core.parse_photo(photo))
    assert run("portrait.jpg") == 0
    assert Path("ours.svg").read_bytes() == drawn.svg == Path("portrait.svg").read_bytes()


def test_write_svg_keeps_what_is_there(folder: Path) -> None:
    photo = faceparse_core.read_photo("portrait.jpg")
    parsing = faceparse_core.parse_photo(photo)
    Path("a.svg").write_bytes(b"an evening's edits")
    with pytest.raises(faceparse_core.FaceParseError, match="exists already"):
        svg_export.write_svg("a.svg", photo, parsing)
    with pytest.raises(faceparse_core.FaceParseError, match="there is: "):
        svg_export.write_svg("a.svg", photo, parsing, "hat", force=True)
    assert Path("a.svg").read_bytes() == b"an evening's edits"
    svg_export.write_svg("a.svg", photo, parsing, force=True)
    assert check_svg(Path("a.svg").read_bytes()) == []
    with pytest.raises(faceparse_core.FaceParseError, match="missing"):
        svg_export.write_svg("missing/a.svg", photo, parsing)


@pytest.mark.parametrize("package", [faceparse_core, svg_export])
def test_public_names_are_there_and_documented(package: Any) -> None:
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    for name in package.__all__:
        assert getattr(package, name).__doc__, name
        assert name in dir(package)
        assert re.search(rf"\b{name}\b", page), f"docs/api.md does not name {name}"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = package.nothing
