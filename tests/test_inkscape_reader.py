"""The add-on reads our file as Inkscape's own actions left it: saved as its SVG and as plain SVG, in px and in mm."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_inkscape import inkscape

from blender_addon.drawing import Affine, Drawing, Layer, Shape
from blender_addon.svg_reader import parse_svg, read_svg
from faceparse_core.parts import PRESETS
from svg_export.export import draw

pytestmark = pytest.mark.inkscape

MM = 25.4 / 96


@pytest.fixture(scope="module")
def ours(face: np.ndarray) -> bytes:
    return draw(face, {}, PRESETS["portrait"], title="A <face> & more", background=True).svg


@pytest.fixture(params=["px", "mm"])
def svg(request: pytest.FixtureRequest, tmp_path: Path, ours: bytes) -> Path:
    """The file as we write it, and as Inkscape's document properties turn it into millimetres."""
    text = ours.decode()
    if request.param == "mm":
        text = text.replace('viewBox="0 0 360 480"', f'viewBox="0 0 {360 * MM:.6f} {480 * MM:.6f}"')
        text = re.sub(r'(<g id="[^"]*")', rf'\1 transform="scale({MM:.9f})"', text)
        text = text.replace('document-units="px"', 'document-units="mm"')
        assert text.count("scale(") > 10
    path = tmp_path / "face.svg"
    path.write_text(text, "utf-8")
    return path


@pytest.fixture(params=["inkscape", "plain"])
def saved_as(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def edit(svg: Path, saved_as: str, *steps: str) -> Drawing:
    """The drawing after Inkscape took these steps: ids, then what is done to them."""
    actions = [action for step in steps for action in ("select-clear", "select-by-id:" + step)]
    edited, saved = svg.with_name("edited.svg"), svg.with_name("saved.svg")
    inkscape(f"--actions={';'.join(actions)};export-filename:{edited};export-do", os.fspath(svg), folder=svg.parent)
    if saved_as == "inkscape":
        return read_svg(edited)
    inkscape("--export-plain-svg", f"--export-filename={saved}", os.fspath(edited), folder=svg.parent)
    return read_svg(saved)


def shapes(drawing: Drawing) -> Iterator[tuple[Layer, Shape]]:
    return ((layer, shape) for layer in drawing.layers for shape in layer.shapes)


def named(drawing: Drawing, name: str) -> Shape:
    (found,) = (shape for _, shape in shapes(drawing) if shape.id == name)
    return found


def area(shape: Shape) -> float:
    return abs(sum(ring.area() for ring in shape.rings))


def moved(shape: Shape, transform: Affine) -> Shape:
    return replace(shape, rings=tuple(ring.mapped(transform) for ring in shape.rings))


def assert_same(one: Shape, two: Shape, within: float = 2e-3) -> None:
    """The same knots and handles, to what eight digits leave; a ring may begin elsewhere only by being another."""
    assert (one.fill, one.stroke) == (two.fill, two.stroke)
    for ours, theirs in zip(one.rings, two.rings, strict=True):
        assert ours.closed == theirs.closed
        assert np.abs(np.array(ours.points) - np.array(theirs.points)).max() < within


def test_a_save_changes_nothing(svg: Path, saved_as: str, ours: bytes) -> None:
    before, after = parse_svg(ours), edit(svg, saved_as, "head-1")
    assert after.title == before.title
    assert after.size == pytest.approx(before.size, abs=1e-3)
    assert after.metadata == before.metadata
    assert after.notes == ()
    assert after.layered == (saved_as == "inkscape")
    assert [layer.id for layer in after.layers] == [layer.id for layer in before.layers]
    assert [layer.label for layer in after.layers] == [layer.label for layer in before.layers]
    assert [layer.locked for layer in after.layers] == [layer.locked and after.layered for layer in before.layers]
    for (_, one), (_, two) in zip(shapes(before), shapes(after), strict=True):
        assert one.id == two.id
        assert_same(one, two)


def test_an_afternoon_of_edits(svg: Path, saved_as: str, ours: bytes) -> None:
    before = parse_svg(ours)
    after = edit(
        svg,
        saved_as,
        "hair-1;object-set-property:fill,#123456",
        "nose-1;object-set-property:fill-opacity,0.5",
        "hair;object-set-attribute:inkscape:label,My hair",
        "nose-1;transform-translate:10,20",
        "mouth-1;object-flip-horizontal",
        "eye-left;selection-hide",
        "eye-right;selection-lock",
        "brow-left-1;selection-group;object-set-attribute:id,extra;object-set-attribute:inkscape:groupmode,layer;"
        "object-set-attribute:inkscape:label,A new layer;selection-top",
        "ear-left;selection-top",
        "brow-right-1;delete",
        "head-1;path-simplify",
    )
    assert after.notes == ()
    layers = {layer.id: layer for layer in after.layers}
    kept = [layer.id for layer in before.layers if layer.id not in ("ear-left", "brow-left", "brow-right")]
    new = "extra" if saved_as == "inkscape" else "brow-left"  # a plain save knows no layers within layers
    assert list(layers) == [*kept[:-1], new, kept[-1], "ear-left"]
    assert [shape.id for shape in layers[new].shapes] == ["brow-left-1"]
    assert layers["hair"].label == ("My hair" if saved_as == "inkscape" else "Hair")
    if saved_as == "inkscape":
        assert layers["extra"].label == "A new layer"
        assert [name for name, layer in layers.items() if layer.locked] == ["background", "eye-right"]
    assert [name for name, layer in layers.items() if not layer.visible] == ["eye-left"]

    untouched = {"ear-left-1", "ear-right-1", "lip-upper-1", "lip-lower-1", "eye-left-1", "eye-right-1", "brow-left-1"}
    for name in untouched:
        assert_same(named(before, name), named(after, name))
    hair = named(after, "hair-1")
    assert hair.fill is not None
    assert hair.fill.hex == "#123456"
    assert_same(replace(hair, fill=named(before, "hair-1").fill), named(before, "hair-1"))
    nose = named(after, "nose-1")
    assert nose.fill is not None
    assert nose.fill.alpha == pytest.approx(0.5)
    assert_same(replace(nose, fill=named(before, "nose-1").fill), moved(named(before, "nose-1"), Affine(t=10 + 20j)))
    mouth = named(before, "mouth-1")
    t = np.linspace(0, 1, 200)
    across = np.array([
        ((1 - t) ** 3 * p + 3 * t * (1 - t) ** 2 * q + 3 * t * t * (1 - t) * r + t**3 * s).real
        for ring in mouth.rings
        for p, q, r, s in ring.segments()
    ])  # fmt: skip
    mirrored = moved(mouth, Affine(0, -1, complex(across.min() + across.max())))
    assert_same(named(after, "mouth-1"), mirrored, within=0.02)  # where its middle is, is measured here
    head, simplified = named(before, "head-1"), named(after, "head-1")
    assert area(simplified) == pytest.approx(area(head), rel=0.02)
    assert simplified.rings[0].points != head.rings[0].points


def test_paths_that_were_operated_on(svg: Path, saved_as: str, ours: bytes) -> None:
    before = parse_svg(ours)
    after = edit(
        svg,
        saved_as,
        "lip-lower-1,lip-upper-1;path-union",
        "eye-left-1,brow-left-1;path-combine",
        "nose-1,head-1;path-difference",
    )
    area_of = {shape.id: area(shape) for _, shape in shapes(before)}
    lips = next(shape for _, shape in shapes(after) if shape.id in ("lip-lower-1", "lip-upper-1"))
    assert max(area_of["lip-lower-1"], area_of["lip-upper-1"]) < area(lips)
    assert area(lips) < area_of["lip-lower-1"] + area_of["lip-upper-1"]
    combined = next(shape for _, shape in shapes(after) if shape.id in ("eye-left-1", "brow-left-1"))
    assert sum(abs(ring.area()) for ring in combined.rings) == pytest.approx(
        area_of["eye-left-1"] + area_of["brow-left-1"], rel=1e-3
    )
    holed = next(shape for _, shape in shapes(after) if shape.id in ("head-1", "nose-1"))
    assert area(holed) == pytest.approx(area_of["head-1"] - area_of["nose-1"], rel=2e-3)


def test_clones_and_groups_with_transforms(svg: Path, saved_as: str, ours: bytes) -> None:
    before = parse_svg(ours)
    after = edit(
        svg,
        saved_as,
        "ear-left-1;clone;transform-translate:-50,0",
        "eye-right-1,eye-left-1;selection-group;transform-translate:5,6;transform-rotate:30",
    )
    clone = next(shape for layer, shape in shapes(after) if layer.id == "ear-left" and shape.id != "ear-left-1")
    assert_same(clone, moved(named(before, "ear-left-1"), Affine(t=-50)))
    eyes = [named(after, name) for name in ("eye-left-1", "eye-right-1")]
    areas = [area(named(before, name)) for name in ("eye-left-1", "eye-right-1")]
    assert [area(eye) for eye in eyes] == pytest.approx(areas, rel=1e-4)
    one, two = (eye.rings[0].points[0] for eye in eyes)
    left, right = (named(before, name).rings[0].points[0] for name in ("eye-left-1", "eye-right-1"))
    turn = (two - one) / (right - left)
    assert abs(abs(np.angle(turn, deg=True)) - 30) < 0.01
    assert abs(turn) == pytest.approx(1, rel=1e-4)
