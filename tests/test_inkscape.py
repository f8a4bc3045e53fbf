"""Inkscape itself reads our files: layers by name, one alone as PNG, ids and labels through its own save."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceparse_core.parts import BY_NAME, LAYER_ORDER, LAYERS, PRESETS
from svg_export.check import INKSCAPE, SVG
from svg_export.export import Drawn, draw, embed_photo, link_photo
from svg_export.preview import paint
from svg_export.shapes import Face

pytestmark = pytest.mark.inkscape


def inkscape(*arguments: str, folder: Path) -> str:
    """Run Inkscape with a profile of its own; what it says on stdout."""
    program = shutil.which("inkscape")
    assert program, "inkscape is not installed"  # not skipped: this session is there for it
    environment = os.environ | {"INKSCAPE_PROFILE_DIR": os.fspath(folder / "profile"), "HOME": os.fspath(folder)}
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def drawn(face: np.ndarray) -> Drawn:
    return draw(face, {}, PRESETS["portrait"], title="A <face> & more", background=True)


@pytest.fixture
def svg(tmp_path: Path, drawn: Drawn) -> Path:
    path = tmp_path / "face.svg"
    path.write_bytes(drawn.svg)
    return path


def test_it_lists_our_layers_by_name(svg: Path, drawn: Drawn) -> None:
    said = inkscape("--actions=select-all:layers;select-list", os.fspath(svg), folder=svg.parent)
    listed = [line.split()[0] for line in said.splitlines() if line.strip()]
    assert [name for name in listed if name in BY_NAME] == ["background", *drawn.names]
    assert drawn.names == [LAYERS[part].name for part in LAYER_ORDER if LAYERS[part].name in drawn.names]


def test_it_measures_as_many_photo_pixels_as_the_photo_has(svg: Path, face: np.ndarray) -> None:
    said = inkscape("--query-id=background-1", "--query-width", "--query-height", os.fspath(svg), folder=svg.parent)
    width, height = (float(word) for word in said.split())
    assert (height, width) == pytest.approx(face.shape, abs=0.01)


def test_it_exports_one_layer_alone(svg: Path, drawn: Drawn, face: np.ndarray) -> None:
    png = svg.with_name("hair.png")
    inkscape(
        "--export-id=hair", "--export-id-only", "--export-area-page", "--export-type=png",
        f"--export-filename={png}", os.fspath(svg), folder=svg.parent,
    )  # fmt: skip
    alpha = cv2.imread(os.fspath(png), cv2.IMREAD_UNCHANGED)[..., 3]
    assert alpha.shape == face.shape
    hair = tuple(layer for layer in drawn.layers if LAYERS[layer.part].name == "hair")
    ours = paint([Face(hair)], (face.shape[0], face.shape[1]), (face.shape[0], face.shape[1])) != 255
    assert ((alpha > 127) != ours.any(axis=2)).mean() < 0.01
    assert (alpha[face == BY_NAME["hair"].id] > 127).mean() > 0.97


@pytest.mark.parametrize("how", ["link", "embed"])
def test_it_shows_the_photo_layer(tmp_path: Path, face: np.ndarray, astronaut: Path, how: str) -> None:
    photo = tmp_path / "a photo & more.jpg"
    photo.write_bytes(astronaut.read_bytes())
    rgb = cv2.cvtColor(cv2.imread(os.fspath(photo)), cv2.COLOR_BGR2RGB)
    svg, png = tmp_path / "out" / "face.svg", tmp_path / "photo.png"
    svg.parent.mkdir()
    href = link_photo(os.fspath(photo), svg) if how == "link" else embed_photo(rgb)
    labels = cv2.resize(face, (512, 512), interpolation=cv2.INTER_NEAREST)
    svg.write_bytes(draw(labels, {}, PRESETS["contour"], title="t", photo_href=href).svg)
    inkscape(
        "--export-id=photo", "--export-id-only", "--export-area-page", "--export-type=png",
        f"--export-filename={png}", os.fspath(svg), folder=tmp_path,
    )  # fmt: skip
    assert np.abs(cv2.imread(os.fspath(png)).astype(int) - cv2.imread(os.fspath(photo))).mean() < 2


def test_names_survive_its_own_save(svg: Path) -> None:
    saved = svg.with_name("saved.svg")
    inkscape("--export-type=svg", f"--export-filename={saved}", os.fspath(svg), folder=svg.parent)

    def names(path: Path) -> list[tuple[str | None, ...]]:
        groups = ET.parse(path).getroot().findall(f"{SVG}g")
        keys = ("id", f"{INKSCAPE}label", f"{INKSCAPE}groupmode")
        return [(*(g.get(key) for key in keys), *(shape.get("id") for shape in g)) for g in groups]

    assert names(saved) == names(svg)
    assert len(names(svg)) > 10
    for path in (svg, saved):
        root = ET.parse(path).getroot()
        assert root.findtext(f"{SVG}title") == "A <face> & more"
        assert json.loads(root.findtext(f"{SVG}metadata") or "")["generator"] == "faceparse-svg"
