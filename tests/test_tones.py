"""Light and shadow: where the photo has them, within their parts, and beneath them the part as it is without."""

from __future__ import annotations

import dataclasses
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import cv2
import numpy as np
import pytest
import shapely
from command import Capture, leftovers, one_line, run
from hypothesis import given, settings
from hypothesis import strategies as st
from rings import points

from blender_addon.svg_reader import parse_svg
from blender_addon.svg_writer import write_svg
from faceparse_core.colors import srgb_to_oklab
from faceparse_core.errors import FaceParseError
from faceparse_core.parts import CLOTH, HAIR, HEAD, NOSE, PARTS, PRESETS
from svg_export import options
from svg_export.check import INKSCAPE, SVG, check_svg, on_points
from svg_export.export import Drawn, draw
from svg_export.layers import TraceSettings
from svg_export.looks import TONED, LookSettings
from svg_export.palette import read_palette, write_palette
from svg_export.preview import paint
from svg_export.shapes import Face, Layer, Shape, Tone
from svg_export.subpixel import Evidence

ALL = PRESETS["all"]
COLORS = {part.id: part.color for part in PARTS}


def lit(labels: np.ndarray, left: float = 0.4, right: float = 1.4) -> np.ndarray:
    """A photo of the map in the table's colours, with light from the right."""
    gain = np.linspace(left, right, labels.shape[1])[None, :, None]
    colors = np.array([part.color for part in PARTS], float)[labels] * 0.7
    return np.clip(colors * gain, 0, 255).astype(np.uint8)


def shaded(labels: np.ndarray, rgb: np.ndarray, joins: str = "underlap", **options: object) -> Drawn:
    trace = TraceSettings(joins=joins)  # type: ignore[arg-type]
    look, evidence = LookSettings(style="cel"), Evidence(rgb)
    return draw(labels, COLORS, ALL, trace, look, title="t", evidence=evidence, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("style", ["cel", "cel+outline", "flat+outline", "outline"])
def test_a_budget_of_nodes_is_that_of_all_that_is_drawn(face: np.ndarray, style: str) -> None:
    """The nodes told are those in the file, tones and lines among them."""
    look, evidence = LookSettings(style=style), Evidence(lit(face))  # type: ignore[arg-type]

    def drawn(most: int | None) -> Drawn:
        return draw(face, COLORS, ALL, TraceSettings(max_nodes=most), look, title="t", evidence=evidence)

    plain = drawn(None)
    most = int(0.8 * plain.nodes)
    kept = drawn(most)
    assert 0.5 * most < kept.nodes <= most
    for each in (plain, kept):
        ends = re.findall(rb' d="([^"]+)"', each.svg)
        corners = sum(len(list(on_points(data.decode()))) for data in ends)
        assert abs(corners - each.nodes) <= 2 * sum(data.count(b"M") for data in ends)  # M, and what z closes


def region(shapes: tuple[Shape, ...]) -> shapely.Geometry:
    rings = [[points(ring) for ring in shape.rings] for shape in shapes]
    return shapely.union_all([shapely.make_valid(shapely.Polygon(each[0], each[1:])) for each in rings])


def tones_of(drawn: Drawn) -> dict[tuple[int, str], Tone]:
    return {(layer.part, tone.name): tone for layer in drawn.layers for tone in layer.tones}


def lightness(color: tuple[int, int, int]) -> float:
    return float(srgb_to_oklab(np.array([color], np.uint8))[0, 0])


def test_light_from_the_right(face: np.ndarray) -> None:
    drawn = shaded(face, lit(face))
    assert check_svg(drawn.svg) == []
    found = tones_of(drawn)
    for part in (HEAD, HAIR, CLOTH):
        base = next(layer for layer in drawn.layers if layer.part == part)
        shadow, light = found[part, "shadow"], found[part, "light"]
        assert lightness(shadow.fill) < lightness(base.fill) - 0.03
        assert lightness(light.fill) > lightness(base.fill) + 0.03
        assert region(shadow.shapes).centroid.x < 150
        assert region(light.shapes).centroid.x > 210
        assert sum(len(ring.lines) for tone in (shadow, light) for s in tone.shapes for ring in s.rings) < 80
    assert {part for part, _ in found} <= TONED


def test_beneath_the_tones_the_parts_are_what_they_are_without(face: np.ndarray) -> None:
    flat = draw(face, COLORS, ALL, title="t", evidence=Evidence(lit(face)))
    for layer, plain in zip(shaded(face, lit(face)).layers, flat.layers, strict=True):
        assert layer.part == plain.part
        for one, other in zip(layer.shapes, plain.shapes, strict=True):
            assert all((a.points == b.points).all() for a, b in zip(one.rings, other.rings, strict=True))


def test_under_even_light_there_are_no_tones(face: np.ndarray) -> None:
    rgb = lit(face, 1, 1)
    rgb = np.clip(rgb + np.random.default_rng(0).normal(0, 6, rgb.shape), 0, 255).astype(np.uint8)
    assert tones_of(shaded(face, rgb)) == {}


def test_head_and_nose_are_one_surface(face: np.ndarray) -> None:
    fills = {layer.part: layer for layer in shaded(face, lit(face, 0.4, 1.4)).layers}
    assert fills[HEAD].fill == fills[NOSE].fill
    tones = {part: {tone.name: tone.fill for tone in fills[part].tones} for part in (HEAD, NOSE)}
    assert tones[NOSE].items() <= tones[HEAD].items()


def stays_inside(drawn: Drawn, head_size: float) -> None:
    for layer in drawn.layers:
        whole = region(layer.shapes)
        for tone in layer.tones:
            beyond = region(tone.shapes).difference(whole.buffer(0.02)).area
            assert beyond < 1e-3 * head_size, (PARTS[layer.part].name, tone.name, beyond)


@pytest.mark.parametrize("joins", options.JOINS)
def test_no_tone_leaves_its_part(face: np.ndarray, joins: str) -> None:
    drawn = shaded(face, lit(face), joins)
    assert check_svg(drawn.svg) == []
    stays_inside(drawn, 300)


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.sampled_from(options.JOINS))
def test_any_map_and_any_photo(seed: int, joins: str) -> None:
    rng = np.random.default_rng(seed)
    labels = np.kron(rng.integers(0, 20, (4, 5)), np.ones((16, 16))).astype(np.uint8)
    rgb = cv2.resize(rng.integers(0, 256, (5, 4, 3)).astype(np.uint8), (80, 64), interpolation=cv2.INTER_CUBIC)
    drawn = shaded(labels, rgb, joins, head_size=60.0)
    assert check_svg(drawn.svg) == []
    stays_inside(drawn, 60)
    assert drawn.svg == shaded(labels, rgb, joins, head_size=60.0).svg


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 200), (64, 64)])
@pytest.mark.parametrize("head_size", [2.0, 50.0, 5000.0])
def test_odd_sizes(size: tuple[int, int], head_size: float) -> None:
    labels = np.full(size, HAIR, np.uint8)
    drawn = shaded(labels, lit(labels, 0.2, 1.4), head_size=head_size)
    assert check_svg(drawn.svg) == []
    stays_inside(drawn, 60)


def test_a_part_at_the_frame_is_toned_up_to_the_frame() -> None:
    labels = np.full((300, 300), HAIR, np.uint8)
    drawn = shaded(labels, lit(labels), head_size=250.0)
    light = region(tones_of(drawn)[HAIR, "light"].shapes)
    left, top, right, bottom = light.bounds
    assert (top, right, bottom) == pytest.approx((0, 300, 300))
    assert light.area == pytest.approx(300 * (300 - left), rel=0.05)


def test_the_size_of_the_photo_does_not_matter(face: np.ndarray) -> None:
    large = cv2.resize(face, None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST)
    here, there = tones_of(shaded(face, lit(face))), tones_of(shaded(large, lit(large)))
    assert here.keys() == there.keys()
    for key in here:
        assert region(there[key].shapes).area == pytest.approx(9 * region(here[key].shapes).area, rel=0.1)


def test_the_picture_shows_the_light(face: np.ndarray) -> None:
    rgb = lit(face)
    size = (face.shape[0], face.shape[1])
    inside = np.isin(face, [HEAD, HAIR, CLOTH])

    def error(drawn: Drawn) -> float:
        return float(np.abs(paint(drawn.faces, size, size).astype(int) - rgb)[inside].mean())

    assert error(shaded(face, rgb)) < 0.7 * error(draw(face, COLORS, ALL, title="t"))


def test_tones_are_layers_within_their_part(face: np.ndarray) -> None:
    root = ET.fromstring(shaded(face, lit(face)).svg)
    hair = next(group for group in root.findall(f"{SVG}g") if group.get("id") == "hair")
    assert [child.get("id") for child in hair] == ["hair-1", "hair-shadow", "hair-light"]
    assert [group.get(f"{INKSCAPE}label") for group in hair.findall(f"{SVG}g")] == ["Hair shadow", "Hair light"]


def test_blender_reads_tones_and_lines_as_layers(face: np.ndarray) -> None:
    look = LookSettings(style="cel+outline")
    layers = parse_svg(draw(face, COLORS, ALL, None, look, title="t", evidence=Evidence(lit(face))).svg).layers
    names = [layer.id for layer in layers]
    at = names.index("hair")
    assert names[at : at + 3] == ["hair", "hair-shadow", "hair-light"]
    assert names[-1] == "outline"
    assert all(shape.fill is None and shape.stroke_width > 0 for shape in layers[-1].shapes)


def test_blender_writes_tones_into_their_part(face: np.ndarray) -> None:
    read = parse_svg(shaded(face, lit(face)).svg)
    written = write_svg(read)
    assert check_svg(written) == []
    assert [(each.id, each.label) for each in parse_svg(written).layers] == [
        (each.id, each.label) for each in read.layers
    ]


@pytest.mark.parametrize("change", [{"visible": False}, {"locked": True}])
def test_what_blender_hides_or_locks_takes_no_tones_with_it(change: dict[str, bool], face: np.ndarray) -> None:
    read = parse_svg(shaded(face, lit(face)).svg)
    layers = tuple(dataclasses.replace(each, **change) if each.id == "hair" else each for each in read.layers)
    again = parse_svg(write_svg(dataclasses.replace(read, layers=layers)))
    assert [(each.id, each.visible, each.locked) for each in again.layers] == [
        (each.id, each.visible, each.locked) for each in layers
    ]


def test_colours_of_a_palette(face: np.ndarray) -> None:
    photo = tones_of(shaded(face, lit(face)))
    swatches = {"hair": (20, 60, 200), "head-light": (1, 2, 3)}
    drawn = shaded(face, lit(face), swatches=swatches)
    found = tones_of(drawn)
    assert drawn.palette["hair"] == (20, 60, 200)
    assert found[HEAD, "light"].fill == (1, 2, 3)
    assert found[HEAD, "shadow"].fill == photo[HEAD, "shadow"].fill
    assert lightness(found[HAIR, "shadow"].fill) < lightness((20, 60, 200)) < lightness(found[HAIR, "light"].fill)
    red, _, blue = found[HAIR, "light"].fill
    assert blue > red + 80


def test_the_palette_of_a_shaded_drawing_draws_it_again(face: np.ndarray, tmp_path: Path) -> None:
    drawn = shaded(face, lit(face))
    (tmp_path / "p.gpl").write_bytes(write_palette(drawn.palette, "t"))
    assert {"hair", "hair-shadow", "hair-light"} <= drawn.palette.keys()
    again = shaded(face, lit(face), swatches=read_palette(tmp_path / "p.gpl"))
    assert again.svg == drawn.svg


def test_without_its_photo_it_is_refused(face: np.ndarray) -> None:
    for evidence in (None, Evidence(), Evidence(lit(face)[1:])):
        with pytest.raises(FaceParseError, match="photo"):
            draw(face, COLORS, ALL, None, LookSettings(style="cel"), title="t", evidence=evidence)


@pytest.mark.parametrize("style", ["cel", "cel+outline"])
def test_the_command_shades(photo: Path, style: str, capsys: Capture) -> None:
    assert run(photo, "--style", style, "--preview", "--save-palette", "--json") == 0
    svg = photo.with_suffix(".svg").read_bytes()
    assert check_svg(svg) == []
    assert b'<g id="hair-light"' in svg
    assert (b'<g id="outline"' in svg) == (style == "cel+outline")
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "hair" in next(event for event in events if event["event"] == "written")["layers"]
    assert "hair-light" in read_palette(photo.with_suffix(".gpl"))
    other = photo.with_suffix(".gpl").rename(photo.with_name("other.gpl"))
    assert run(photo, "--style", style, "--palette", other, "--force") == 0
    assert photo.with_suffix(".svg").read_bytes() == svg
    assert leftovers(photo.parent) == []


def test_not_from_labels(face_png: Path, capsys: Capture) -> None:
    assert run(face_png, "--from-labels", "--style", "cel") == 2
    assert "photo" in one_line(capsys)


TONE = '<g id="hair-light" inkscape:groupmode="layer" inkscape:label="Hair light">'


@pytest.mark.parametrize(("before", "after", "complaint"), [
    (TONE, TONE.replace("hair-light", "hair-glow"), "hair-glow"),
    (TONE, TONE.replace("hair-light", "head-light"), "head-light"),
    (TONE, TONE.replace('inkscape:label="Hair light"', ""), "label"),
    (TONE, TONE[:-1] + ' transform="scale(2)">', "carries transform"),
    ('id="hair-light-1"', 'id="hair-light-2"', "should be"),
    ('id="hair-shadow"', 'id="hair-light2"', "hair-light2"),
])  # fmt: skip
def test_the_check_reads_tones(face: np.ndarray, before: str, after: str, complaint: str) -> None:
    svg = shaded(face, lit(face)).svg.decode()
    assert svg.count(before) == 1
    assert any(complaint in found for found in check_svg(svg.replace(before, after).encode()))


def test_the_check_wants_shadow_before_light_and_paths_before_both(face: np.ndarray) -> None:
    svg = shaded(face, lit(face)).svg.decode()
    shadow, light = (re.search(rf'  <g id="hair-{tone}".*?</g>\n', svg, re.DOTALL)[0] for tone in ("shadow", "light"))  # type: ignore[index]
    assert any("in this order" in found for found in check_svg(svg.replace(shadow + light, light + shadow).encode()))
    path = re.search(r'  <path [^>]*id="hair-1"[^>]*/>\n', svg)[0]  # type: ignore[index]
    moved = svg.replace(path, "").replace(light, light + path)
    assert check_svg(moved.encode())
    empty = Layer(HAIR, (), (0, 0, 0))
    assert paint([Face((empty,))], (10, 10), (10, 10)).min() == 255
