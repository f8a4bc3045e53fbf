"""Looks: lines that run along every border once."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections import Counter
from typing import Any

import numpy as np
import pytest
import shapely
from command import Capture, one_line, run
from hypothesis import given
from hypothesis import strategies as st

from faceparse_core.errors import SettingsError
from faceparse_core.parts import CLOTH, HEAD, PRESETS
from svg_export import options
from svg_export.check import INKSCAPE, SODIPODI, SVG, check_svg
from svg_export.export import Drawn, draw
from svg_export.layers import TraceSettings, trace_map
from svg_export.looks import INK, LookSettings
from svg_export.preview import paint
from svg_export.shapes import Line

ALL = PRESETS["all"]


def drawing(labels: np.ndarray, style: str, **options: object) -> Drawn:
    return draw(labels, {}, ALL, None, LookSettings(style=style), title="t", **options)  # type: ignore[arg-type]


def layers_of(svg: bytes) -> list[str]:
    return [group.get("id", "") for group in ET.fromstring(svg).findall(f"{SVG}g")]


def curves(points: np.ndarray) -> list[tuple[float, ...]]:
    """The cubics of an open line (3 n + 1, 2), each in the direction that comes first."""
    found = [points[k : k + 4] for k in range(0, len(points) - 1, 3)]
    return [min(tuple(each.ravel().tolist()) for each in (curve, curve[::-1])) for curve in found]


def along(line: Line, steps: int = 16) -> shapely.LineString:
    t = np.linspace(0, 1, steps)[:, None]
    parts = [
        (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t * t * c + t**3 * d
        for a, b, c, d in (line.points[k : k + 4] for k in range(0, len(line.points) - 1, 3))
    ]
    return shapely.LineString(np.concatenate(parts))


def borders(labels: np.ndarray) -> shapely.Geometry:
    """The cracks between pixels of different parts, less those along the frame."""
    sides = []
    for axis, (first, second) in enumerate(((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1]))):
        for y, x in np.argwhere(first != second).tolist():
            sides.append([(x, y + 1), (x + 1, y + 1)] if axis == 0 else [(x + 1, y), (x + 1, y + 1)])
    return shapely.union_all(shapely.linestrings(sides))


def test_lines_alone_and_lines_on_top(face: np.ndarray) -> None:
    flat, lines, both = (drawing(face, style) for style in ("flat", "outline", "flat+outline"))
    for drawn in (flat, lines, both):
        assert check_svg(drawn.svg) == []
    assert layers_of(lines.svg) == ["outline"]
    assert layers_of(both.svg) == [*layers_of(flat.svg), "outline"]
    assert both.names == [*flat.names, "outline"]
    below = both.svg.partition(b"<g ")[2].partition(b'<g id="outline"')[0]
    assert below.strip() == flat.svg.partition(b"<g ")[2].partition(b"</svg>")[0].strip()
    group = ET.fromstring(both.svg).findall(f"{SVG}g")[-1]
    assert group.get(f"{INKSCAPE}label") == "Outline"
    assert group.get(f"{SODIPODI}insensitive") is None
    assert {path.get("style", "").split(";")[0] for path in group} == {"fill:none"}
    assert b"bottom to top: Outline.</desc>" in lines.svg


def test_lines_follow_every_border_and_nothing_else(face: np.ndarray) -> None:
    lines = shapely.union_all([along(line) for line in trace_map(face, {}).lines])
    there = borders(face)
    assert there.difference(lines.buffer(2.2)).length < 0.01 * there.length
    assert lines.difference(there.buffer(2.2)).length < 0.01 * lines.length


@given(st.integers(0, 300), st.sampled_from(options.JOINS))
def test_every_border_is_drawn_once(seed: int, joins: str) -> None:
    rng = np.random.default_rng(seed)
    labels = np.kron(rng.integers(0, 20, (5, 5)), np.ones((12, 12))).astype(np.uint8)
    labels = np.pad(labels, 4, constant_values=CLOTH)
    traced = trace_map(labels, {}, ALL, TraceSettings(joins=joins))  # type: ignore[arg-type]
    drawn = Counter(curve for line in traced.lines for curve in curves(line.points))
    assert max(drawn.values()) == 1
    for line in traced.lines:
        assert not line.closed or (line.points[0] == line.points[-1]).all()
    total = sum(along(line).length for line in traced.lines)
    assert total == pytest.approx(borders(labels).length, rel=0.15)  # corners are rounded


def test_lines_are_the_very_edges_of_the_shapes(face: np.ndarray) -> None:
    traced = trace_map(face, {})
    edges = set()
    for layer in traced.layers:
        for shape in layer.shapes:
            for ring in shape.rings:
                edges |= set(curves(np.concatenate([ring.points, ring.points[:1]])))
    lines = {curve for line in traced.lines for curve in curves(line.points)}
    assert lines <= edges


def test_a_line_that_ends_at_the_frame_is_open_and_the_frame_is_no_line() -> None:
    labels = np.zeros((60, 80), np.uint8)
    labels[:30] = HEAD
    labels[40:50, 20:40] = CLOTH
    svg = drawing(labels, "outline", head_size=40.0).svg
    assert check_svg(svg) == []
    data = re.findall(r' d="([^"]*)"', svg.decode())
    assert sorted(each.endswith("z") for each in data) == [False, True]


def test_the_weight_follows_the_head(face: np.ndarray) -> None:
    def width(size: float, weight: float) -> float:
        look = LookSettings(style="outline", weight=weight)
        svg = draw(face, {}, ALL, None, look, title="t", head_size=size).svg
        return float(re.findall(rb"stroke-width:([\d.]+)", svg)[0])

    assert width(200.0, 0.01) == 2.0
    assert width(300.0, 0.02) == 6.0


def test_the_palette_colours_the_lines(face: np.ndarray) -> None:
    drawn = drawing(face, "outline", swatches={"outline": (1, 2, 3), "hair": (9, 9, 9)})
    assert b"stroke:#010203" in drawn.svg
    assert drawn.palette == {"outline": (1, 2, 3)}
    assert drawing(face, "flat+outline").palette["outline"] == INK


def test_the_preview_shows_lines(face: np.ndarray) -> None:
    drawn = drawing(face, "outline")
    size = (face.shape[0], face.shape[1])
    seen = (paint(drawn.faces, size, size) < 128).all(axis=2)
    lines = shapely.union_all([along(line) for line in drawn.faces[0].outline.lines])  # type: ignore[union-attr]
    width = drawn.faces[0].outline.width  # type: ignore[union-attr]
    assert seen.sum() == pytest.approx(lines.buffer(width / 2).area, rel=0.1)


def test_lines_reach_the_svg_as_the_command_is_told(face_png, capsys: Capture) -> None:
    assert run(face_png, "--from-labels", "--style", "flat+outline", "--weight", "0.02", "--preview") == 0
    svg = face_png.with_name("drawn.svg").read_bytes()
    assert check_svg(svg) == []
    assert b'"style": "flat+outline", "weight": 0.02' in svg
    assert layers_of(svg)[-1] == "outline"


@pytest.mark.parametrize("arguments", [
    ["--style", "oil"],
    ["--style", "flat", "--weight", "0.01"],
    ["--weight", "0.01"],
    ["--style", "outline", "--weight", "0"],
    ["--style", "outline", "--weight", "nan"],
    ["--style", "outline", "--weight", "2px"],
])  # fmt: skip
def test_wrong_looks(arguments: list[str], capsys: Capture) -> None:
    assert run("never-read.jpg", *arguments) == 2
    one_line(capsys)


@pytest.mark.parametrize("wrong", [{"style": "Outline"}, {"weight": 0.0}, {"weight": math.nan}, {"weight": 1.0}])
def test_looks_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        LookSettings(**wrong)


@pytest.mark.parametrize(("pattern", "after", "complaint"), [
    ("stroke-linecap:round", "stroke-linecap:butt", "style"),
    ("stroke-width:[0-9.]+", "stroke-width:0", "style"),
    ("fill:none;", "fill:#000000;", "style"),
    (r'd="(M[^"z]*)z?"', r'd="\1zM1 1h2z"', "not one line"),
    ('<g id="outline"', '<g id="background"', "paint order"),
    ("outline-1", "outline-7", "should be"),
])  # fmt: skip
def test_the_check_reads_lines(face: np.ndarray, pattern: str, after: str, complaint: str) -> None:
    svg = drawing(face, "outline", background=True).svg.decode()
    head, lines = svg.split('<g id="outline"')
    broken = head + re.sub(pattern, after, '<g id="outline"' + lines, count=1)
    assert any(complaint in found for found in check_svg(broken.encode())), check_svg(broken.encode())
