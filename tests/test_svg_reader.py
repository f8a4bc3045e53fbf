"""The add-on's reader: every way in which an SVG may say what becomes curves, and what it must say no to."""

from __future__ import annotations

import cmath
import gzip
import itertools
import json
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import Point, Polygon
from shapely.ops import unary_union

from blender_addon.css import parse_color, parse_length, parse_style, parse_transform
from blender_addon.drawing import (
    Affine,
    Budget,
    Color,
    Drawing,
    Layer,
    Ring,
    Shape,
    SvgError,
    face_and_part,
    label_from_id,
    unique,
)
from blender_addon.path_reader import PathError, TooLong, parse_path
from blender_addon.path_writer import write_path
from blender_addon.sheets import parted
from blender_addon.svg_reader import parse_svg, read_svg
from blender_addon.svg_writer import write_svg
from faceparse_core.parts import BY_NAME, PRESETS
from svg_export.check import INKSCAPE, SVG, on_points
from svg_export.export import Drawn, draw

NAMESPACES = (
    'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    ' xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape"'
    ' xmlns:sodipodi="http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd"'
)
BOX = 'viewBox="0 0 100 200"'
SQUARE = "M0 0h10v10h-10z"


def read(body: str, attributes: str = BOX) -> Drawing:
    return parse_svg(f"<svg {NAMESPACES} {attributes}>{body}</svg>".encode())


def only(body: str, attributes: str = BOX) -> Shape:
    """The one shape of a file."""
    (layer,) = read(body, attributes).layers
    (shape,) = layer.shapes
    return shape


def knots(data: str) -> list[list[complex]]:
    """The points that path data goes through, ring by ring."""
    return [near(ring.points[::3]) for ring in parse_path(data)]


def near(points: tuple[complex, ...]) -> list[complex]:
    return [complex(round(point.real, 6) + 0, round(point.imag, 6) + 0) for point in points]


def hexes(drawing: Drawing) -> list[str | None]:
    return [shape.fill and shape.fill.hex for layer in drawing.layers for shape in layer.shapes]


def flat(ring: Ring, pieces: int = 64) -> list[tuple[float, float]]:
    """Points on a ring, by the definition of a cubic."""
    path = []
    for p, q, r, s in ring.segments():
        for k in range(pieces):
            t = k / pieces
            z = (1 - t) ** 3 * p + 3 * (1 - t) ** 2 * t * q + 3 * (1 - t) * t * t * r + t**3 * s
            path.append((z.real, z.imag))
    return path if ring.closed else [*path, (ring.points[-1].real, ring.points[-1].imag)]


# Path data


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("M1 2L3 4H5V6Z", [[1 + 2j, 3 + 4j, 5 + 4j, 5 + 6j]]),
        ("m1 2l3 4h5v6z", [[1 + 2j, 4 + 6j, 9 + 6j, 9 + 12j]]),
        ("M1,2 3,4 5,0", [[1 + 2j, 3 + 4j, 5]]),
        ("m1 2 3 4 5 0", [[1 + 2j, 4 + 6j, 9 + 6j]]),
        ("M0 0h1v1zm5 5h1v1z", [[0, 1, 1 + 1j], [5 + 5j, 6 + 5j, 6 + 6j]]),
        ("M0 0h1v1zl5 5", [[0, 1, 1 + 1j], [0, 5 + 5j]]),
        ("M.5.5-.3-2e0", [[0.5 + 0.5j, -0.3 - 2j]]),
        ("M1e-5 0L1e2+1e1", [[0.00001, 100 + 10j]]),
        ("M1.E1 0 2,,3", [[10, 2 + 3j]]),
        ("\n M\t0,0\r\nL 1 ,1", [[0, 1 + 1j]]),
        ("M0 0H1 2 3", [[0, 1, 2, 3]]),
        ("M0 0v1 2h0", [[0, 1j, 3j]]),
        ("M0 0A1 1 0 0 1 1 1", [[0, 1 + 1j]]),
        ("M0 0a1 1 0 012 0z", [[0, 1 - 1j, 2]]),
        ("M0 0A0 5 0 0 1 3 4", [[0, 3 + 4j]]),
        ("M5 5A5 5 0 0 1 5 5L6 6", [[5 + 5j, 6 + 6j]]),
        ("M0 0L0 0L1 1l0 0", [[0, 1 + 1j]]),  # no segments without length
        ("M0 0C1 1 2 1 0 0z", [[0]]),
        ("M1 1z", []),
        ("", []),
        (" \n", []),
        ("M1 1", []),
    ],
)  # fmt: skip
def test_path_data(data: str, expected: list[list[complex]]) -> None:
    assert knots(data) == expected


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        ("L1 1", 0),
        ("1 1", 0),
        ("M0 0L1 1 2", 2),
        ("M0 0L1 1 2 2 x 3 3", 3),
        ("M0 0L1 1q", 2),
        ("M0 0L1 1z5 5L9 9", 2),
        ("M0 0L1 1L 1e10 0L5 5", 2),
        ("M0 0L1 1LNaN 0", 2),
        ("M0 0L1 1Linf 0", 2),
        ("M0 0h1A5 5 0 2 1 3 3", 2),
        ("M0 0h1A5 5 0 1 1 3", 2),
        ("M0 0h1a1 1 0 1.5.5", 2),  # a flag is 0 or 1, alone
        ("M0 0h1L1 - 1", 2),
        ("M0 0h1L1 .", 2),
        ("M0 0h1L1 1e", 3),
        ("M0 0h1b5 5", 2),
        ("M0 0h1L٣ 3", 2),
    ],
)
def test_what_stands_before_an_error_is_drawn(data: str, kept: int) -> None:
    with pytest.raises(PathError) as raised:
        parse_path(data)
    assert sum(len(ring.points[::3]) for ring in raised.value.rings) == kept
    assert "\n" not in str(raised.value)
    shapes = read(f'<path id="p" d="{data}"/>')
    assert bool(shapes.layers) == bool(kept)
    assert shapes.notes == ("p: its data break off: drawn up to there",)


def test_smooth_and_quadratic() -> None:
    (ring,) = parse_path("M0 0C0 1 1 2 2 2S4 3 4 4s1 1 2 2")
    assert ring.points[4:6] == (3 + 2j, 4 + 3j)
    assert ring.points[7:9] == (4 + 5j, 5 + 5j)
    (ring,) = parse_path("M0 0L1 1S2 2 3 3")  # nothing to mirror
    assert ring.points[4] == 1 + 1j
    (ring,) = parse_path("M0 0Q3 3 6 0T12 0t6 0")
    assert near(ring.points) == [0, 2 + 2j, 4 + 2j, 6, 8 - 2j, 10 - 2j, 12, 14 + 2j, 16 + 2j, 18]
    (ring,) = parse_path("M0 0q3 3 6 0 3-3 6 0")
    assert near(ring.points[::3]) == [0, 6, 12]
    (ring,) = parse_path("M0 0C0 1 1 2 2 2T4 4")  # a T behind a C begins straight
    assert near(ring.points[3:]) == [2 + 2j, 2 + 2j, near((8 / 3 + 8j / 3,))[0], 4 + 4j]


small = st.floats(-100, 100).map(lambda value: round(value, 3))


@given(
    st.builds(complex, small, small), st.builds(complex, small, small), st.floats(0.1, 90), st.floats(0.1, 90),
    st.floats(-400, 400), st.booleans(), st.booleans(),
)  # fmt: skip
def test_arcs_keep_to_their_ellipse(
    start: complex, end: complex, rx: float, ry: float, degrees: float, large: bool, clockwise: bool
) -> None:
    """Against SVG 1.1, appendix F.6.5, in its own words."""
    if abs(end - start) < 0.01:
        return
    data = f"M{start.real} {start.imag}A{rx} {ry} {degrees} {large:d} {clockwise:d} {end.real} {end.imag}"
    ((ring,), phi) = parse_path(data), math.radians(degrees)
    cos, sin = math.cos(phi), math.sin(phi)
    dx, dy = (start.real - end.real) / 2, (start.imag - end.imag) / 2
    x1, y1 = cos * dx + sin * dy, -sin * dx + cos * dy
    grown = math.sqrt(max(1.0, (x1 / rx) ** 2 + (y1 / ry) ** 2))
    rx, ry = rx * grown, ry * grown
    inner = (rx * ry) ** 2 - (rx * y1) ** 2 - (ry * x1) ** 2
    root = math.sqrt(max(0.0, inner / ((rx * y1) ** 2 + (ry * x1) ** 2))) * (-1 if large == clockwise else 1)
    cx, cy = root * rx * y1 / ry, -root * ry * x1 / rx
    turned, tolerance = 0.0, 5e-4 + 1e-9 * max(rx / ry, ry / rx) * max(rx, ry)
    before: complex | None = None
    for x, y in flat(ring, 16):
        x, y = x - (start.real + end.real) / 2, y - (start.imag + end.imag) / 2
        on_circle = complex((cos * x + sin * y - cx) / rx, (-sin * x + cos * y - cy) / ry)
        assert abs(on_circle) == pytest.approx(1, abs=max(tolerance, 2e-3 if grown > 1 else 0))
        if before is not None:
            turned += cmath.phase(on_circle / before)
        before = on_circle
    assert (turned > 0) == clockwise
    if grown == 1 and abs(abs(turned) - math.pi) > 1e-3:
        assert (abs(turned) > math.pi) == large
    assert ring.points[0] == start
    assert ring.points[-1] == end
    assert not ring.closed


def test_a_short_arc_on_a_vast_circle_is_all_but_a_line() -> None:
    (ring,) = parse_path("M0 0A9e8 9e8 0 0 1 1e-6 0")
    assert len(ring.points) == 4
    assert all(abs(point) < 2e-6 for point in ring.points)


def test_relative_steps_that_come_back_need_no_line_to_close() -> None:
    (ring,) = parse_path("M.1.1" + "l.1 .2" * 10 + "l-1-2z")
    assert ring.closed
    assert len(ring.points) == 3 * 11


@given(st.lists(st.builds(complex, small, small), min_size=7, max_size=7))
def test_what_is_written_is_read_back(points: list[complex]) -> None:
    for ring in (Ring(tuple(points), False), Ring(tuple(points[:6]), True)):
        data = write_path([ring], 3)
        # A ring that comes back to its start is closed, whether or not it says so.
        assert write_path(parse_path(data), 3).rstrip("z") == data.rstrip("z")
        for back in parse_path(data):
            assert abs(back.area() - ring.area()) < 1e-3 * (1 + max(map(abs, points))) * 8


def test_as_many_segments_as_there_is_room_for() -> None:
    left = Budget(10)
    assert parse_path("M0 0h1h1h1", left)
    assert left.left == 6  # a move counts too: rings without segments have an end as well
    with pytest.raises(TooLong):
        parse_path("M0 0h1 1 1 1 1 1", left)
    for data in ("h0 " * 50, "z" * 50, "M1 1" * 50, "a1 1 0 0 1 1 1" * 5, "h" + "0 " * 200_000, "L"):
        with pytest.raises((TooLong, PathError)):
            parse_path("M0 0" + data, Budget(10))


# Basic shapes


def area(shape: Shape) -> float:
    return abs(sum(ring.area() for ring in shape.rings))


@pytest.mark.parametrize(
    ("element", "expected", "points"),
    [
        ('<rect x="1" y="2" width="30" height="40"/>', 1200, 4),
        ('<rect width="30" height="40" rx="5"/>', 1200 - 25 * (4 - math.pi), 8),
        ('<rect width="30" height="40" ry="5"/>', 1200 - 25 * (4 - math.pi), 8),
        ('<rect width="30" height="40" rx="3" ry="6"/>', 1200 - 18 * (4 - math.pi), 8),
        ('<rect width="30" height="40" rx="500" ry="500"/>', 15 * 20 * math.pi, 4),
        ('<rect width="30" height="40" rx="0" ry="6"/>', 1200, 4),
        ('<rect width="50%" height="50%"/>', 5000, 4),
        ('<circle cx="20" cy="20" r="10"/>', 100 * math.pi, 4),
        ('<circle cx="20" cy="20" r="3in"/>', 288**2 * math.pi, 4),
        ('<ellipse cx="20" cy="20" rx="10" ry="5"/>', 50 * math.pi, 4),
        ('<polygon points="0,0 10,0 10,10"/>', 50, 3),
        ('<polygon points="0 0 10-0,10 10 5"/>', 50, 3),
        ('<polyline points="0,0 10,0 10,10"/>', 50, 3),
        ('<line x1="1" y1="2" x2="3" y2="4" stroke="red"/>', 0, 2),
        ('<g><svg x="5" width="50" height="100"><rect width="50%" height="50%"/></svg></g>', 1250, 4),
    ],
)  # fmt: skip
def test_basic_shapes(element: str, expected: float, points: int) -> None:
    shape = only(element)
    assert area(shape) == pytest.approx(expected, rel=1e-3, abs=1e-9)
    assert len(shape.rings[0].points[::3]) == points
    assert shape.rings[0].closed == (element.split()[0] not in ("<line", "<polyline"))


@pytest.mark.parametrize(
    "element",
    ['<rect width="0" height="9"/>', '<rect width="-3" height="9"/>', '<rect/>', '<circle r="0"/>', '<circle r="x"/>',
     '<ellipse rx="3"/>', '<polygon points="3 4"/>', '<polygon points=""/>', '<polygon/>', "<path/>",
     '<path d="M1 1"/>', '<line stroke="red"/>'],
)  # fmt: skip
def test_shapes_that_hold_nothing(element: str) -> None:
    assert read(element).layers == ()


# Transforms and the page


def test_transforms_multiply_from_the_outside_in() -> None:
    shape = only(
        '<g transform="translate(10 20)"><g transform="rotate(90)"><path transform="scale(2,3)" d="M0 0h1v1"/></g></g>'
    )
    assert near(shape.rings[0].points[::3]) == [10 + 20j, 10 + 22j, 7 + 22j]


@pytest.mark.parametrize(
    ("text", "point", "image"),
    [
        ("translate(3)", 1 + 1j, 4 + 1j),
        ("translate(3-4)", 1 + 1j, 4 - 3j),
        ("scale(2)", 1 + 1j, 2 + 2j),
        ("scale(-1 1)", 1 + 1j, -1 + 1j),
        ("rotate(90)", 1, 1j),
        ("rotate(90,1,1)", 2 + 1j, 1 + 2j),
        ("skewX(45)", 1j, 1 + 1j),
        ("skewY(45)", 1, 1 + 1j),
        ("matrix(1 2 3 4 5 6)", 1 + 10j, 36 + 48j),
        (" translate(1,0) , scale(2) ", 1, 3),
        ("translate(1,0)scale(2)", 1, 3),
        ("", 1, 1),
    ],
)
def test_transforms(text: str, point: complex, image: complex) -> None:
    assert parse_transform(text)(point) == pytest.approx(image)


@pytest.mark.parametrize(
    "text", ["spin(3)", "scale()", "rotate(1,2)", "translate(1", "matrix(1 2 3)", "scale(x)", "scale(1)" * 17]
)
def test_what_is_no_transform_is_left_out_and_said(text: str) -> None:
    with pytest.raises(PathError):
        parse_transform(text)
    drawing = read(f'<path id="p" transform="{text}" d="{SQUARE}"/>')
    assert drawing.layers[0].shapes[0].rings == only(f'<path d="{SQUARE}"/>').rings
    assert drawing.notes == ("p: its transform cannot be read: drawn without",)


numbers = st.floats(-10, 10)


@given(st.lists(numbers, min_size=6, max_size=6), st.lists(numbers, min_size=6, max_size=6), numbers, numbers)
def test_maps_are_matrices(first: list[float], second: list[float], x: float, y: float) -> None:
    def matrix(m: list[float]) -> np.ndarray:
        return np.array([[m[0], m[2], m[4]], [m[1], m[3], m[5]], [0, 0, 1]])

    ours = Affine.matrix(*first) @ Affine.matrix(*second)
    point = matrix(first) @ matrix(second) @ [x, y, 1]
    assert ours(complex(x, y)) == pytest.approx(complex(point[0], point[1]), abs=1e-6)
    assert ours.determinant == pytest.approx(np.linalg.det(matrix(first) @ matrix(second)), abs=1e-6)


@pytest.mark.parametrize(
    ("attributes", "size", "corner", "far"),
    [
        ('viewBox="0 0 100 200"', (200, 100), 0, 10 + 10j),
        ('viewBox="0,0,100,200" width="26.4583mm" height="52.9167mm"', (200, 100), 0, 10 + 10j),
        ('viewBox="0 0 26.458333 52.916667" width="26.458333mm" height="52.916667mm"', (200, 100), 0, 37.795 + 37.795j),
        ('viewBox="-5 5 100 200"', (200, 100), 5 - 5j, 15 + 5j),
        ('width="50" height="60px"', (60, 50), 0, 10 + 10j),
        ('width="1in" height="2in"', (192, 96), 0, 10 + 10j),
        ('viewBox="0 0 100 200" width="200"', (400, 200), 0, 20 + 20j),
        ('viewBox="0 0 100 200" height="100"', (100, 50), 0, 5 + 5j),
        ('viewBox="0 0 100 200" width="50%" height="50%"', (100, 50), 0, 5 + 5j),
        ('viewBox="0 0 100 200" width="0" height="-5"', (200, 100), 0, 10 + 10j),
        ('viewBox="0 0 100 200" width="200" height="200"', (200, 200), 50, 60 + 10j),
        ('viewBox="0 0 100 200" width="200" height="200" preserveAspectRatio="none"', (200, 200), 0, 20 + 10j),
        ('viewBox="0 0 100 200" width="200" height="200" preserveAspectRatio="xMaxYMid"', (200, 200), 100, 110 + 10j),
        ('viewBox="0 0 100 200" width="200" height="200" preserveAspectRatio="xMinYMin"', (200, 200), 0, 10 + 10j),
        ('viewBox="0 0 100 200" width="200" height="200" preserveAspectRatio="xMidYMid slice"',
         (200, 200), -100j, 20 - 80j),
        ('viewBox="0 0 100 200" transform="scale(2)"', (200, 100), 0, 20 + 20j),
        ("", (10, 10), 0, 10 + 10j),
        ('viewBox="0 0 NaN 5"', (10, 10), 0, 10 + 10j),
        ('viewBox="0 0 -4 5" width="9" height="9"', (9, 9), 0, 10 + 10j),
        ('viewBox="1 2 3" width="100%"', (10, 10), 0, 10 + 10j),
    ],
)  # fmt: skip
def test_the_page(attributes: str, size: tuple[float, float], corner: complex, far: complex) -> None:
    drawing = read(f'<path d="{SQUARE}"/>', attributes)
    assert drawing.size == pytest.approx(size, rel=1e-5)
    points = drawing.layers[0].shapes[0].rings[0].points
    assert points[0] == pytest.approx(corner, abs=1e-3)
    assert points[6] == pytest.approx(far, abs=1e-3)
    assert bool(drawing.notes) == (not attributes or any(word in attributes for word in ("NaN", "-4", "1 2 3")))


@pytest.mark.parametrize("attributes", ['viewBox="0 0 1e-9 5"', 'width="1e-5" height="5"'])
def test_no_picture_has_that_size(attributes: str) -> None:
    with pytest.raises(SvgError, match="cannot be"):
        read("", attributes)


def test_what_is_drawn_beyond_all_measure_is_left_out_and_said() -> None:
    drawing = read(f'<g transform="scale(1e8)"><path id="far" d="M0 0h1e8v1e8z"/></g><path d="{SQUARE}"/>')
    assert len(drawing.layers) == 1
    assert drawing.notes == ("far: left out, its coordinates are beyond all measure",)
    deep = '<g transform="scale(9e8)">' * 50 + f'<path id="p" stroke="red" d="{SQUARE}"/>' + "</g>" * 50
    assert read(deep).notes == drawing.notes[:0] + ("p: left out, its coordinates are beyond all measure",)


# Styles


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('<path fill="red" d="{}"/>', "#ff0000"),
        ('<path style="fill:red" fill="blue" d="{}"/>', "#ff0000"),
        ('<path style="FILL : #F00 ;;stroke" d="{}"/>', "#ff0000"),
        ('<path style="fill:blue;fill:red !important" d="{}"/>', "#ff0000"),
        ('<path style="/* ; */fill:red/* : */" d="{}"/>', "#ff0000"),
        ('<g fill="red"><path d="{}"/></g>', "#ff0000"),
        ('<g style="fill:red"><g fill="inherit"><path fill="inherit" d="{}"/></g></g>', "#ff0000"),
        ('<g fill="red"><path style="fill:inherit" fill="blue" d="{}"/></g>', "#ff0000"),
        ('<path d="{}"/>', "#000000"),
        ('<g color="red"><path fill="currentColor" d="{}"/></g>', "#ff0000"),
        ('<style>path{{fill:red}}</style><path fill="blue" d="{}"/>', "#ff0000"),
        ('<style>.a{{fill:red}}</style><path class="b a" d="{}"/>', "#ff0000"),
        ('<style>.a{{fill:blue}}.b{{fill:red}}</style><path class="b a" d="{}"/>', "#ff0000"),
        ('<style>.a{{fill:red}}path{{fill:blue}}*{{fill:lime}}</style><path class="a" d="{}"/>', "#ff0000"),
        ('<style>#p{{fill:red}}.a{{fill:blue}}</style><path id="p" class="a" d="{}"/>', "#ff0000"),
        ('<style>path.a{{fill:red}}.a{{fill:blue}}rect.a{{fill:lime}}</style><path class="a" d="{}"/>', "#ff0000"),
        ('<style>.a,.b{{fill:red}}</style><style>.b{{stroke:red}}</style><path class="b" d="{}"/>', "#ff0000"),
        ('<style><![CDATA[ @import "x"; .a {{ fill : red }} ]]></style><path class="a" d="{}"/>', "#ff0000"),
        ('<style>/* .a{{fill:blue}} */.a{{fill:red}}@media print{{.a{{fill:blue}}}}</style><path class="a" d="{}"/>',
         "#ff0000"),
        ('<style>.a{{fill:blue}}</style><path class="a" style="fill:red" d="{}"/>', "#ff0000"),
        ('<style>.a{{fill:red}}</style><g class="a"><path d="{}"/></g>', "#ff0000"),
        ('<path fill="none" stroke="red" d="{}"/>', None),
        ('<path fill="nonsense" d="{}"/>', "#000000"),
        ('<path fill="url(#nothing) red" d="{}"/>', "#ff0000"),
        ('<path fill="url(#nothing)" d="{}"/>', "#808080"),
        ('<path fill="url(#nothing) none" stroke="red" d="{}"/>', None),
    ],
)  # fmt: skip
def test_where_a_colour_comes_from(body: str, expected: str | None) -> None:
    assert hexes(read(body.format(SQUARE))) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#fff", (1, 1, 1, 1)),
        ("#FF000080", (1, 0, 0, 128 / 255)),
        ("#f008", (1, 0, 0, 136 / 255)),
        ("rgb(255, 0 ,51)", (1, 0, 0.2, 1)),
        ("rgb(100%,0%,20%)", (1, 0, 0.2, 1)),
        ("rgba(255,0,51,.5)", (1, 0, 0.2, 0.5)),
        ("rgb(255 0 51 / 50%)", (1, 0, 0.2, 0.5)),
        ("rgb(300,-5,0)", (1, 0, 0, 1)),
        ("hsl(120,100%,50%)", (0, 1, 0, 1)),
        ("HSLA(480deg 100% 50% / 0.5)", (0, 1, 0, 0.5)),
        ("RebeccaPurple", (0.4, 0.2, 0.6, 1)),
        ("transparent", (0, 0, 0, 0)),
        ("#ff0000 icc-color(x, 1, 2)", (1, 0, 0, 1)),
        *((text, None) for text in ("", "#ff", "#ggg", "rgb(1,2)", "rgb(a,b,c)", "hsl(nan,1,1)", "none", "red " * 99)),
    ],
)
def test_colours(text: str, expected: tuple[float, ...] | None) -> None:
    assert parse_color(text) == (expected if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5", 5), (" 5px ", 5), ("1in", 96), ("25.4mm", 96), ("2.54 cm", 96), ("72pt", 96), ("6pc", 96), ("50%", 100),
     ("1e1", 10), ("-.5", -0.5), ("101.6Q", 96), ("1em", 16), ("5furlong", None), ("", None), (None, None),
     ("NaN", None), ("inf", None), ("1e999", None), ("1e10", None), ("5" * 999, None), ("5 5", None), ("٣", None)],
)  # fmt: skip
def test_lengths(text: str | None, expected: float | None) -> None:
    assert parse_length(text, 200) == (expected if expected is None else pytest.approx(expected))


def test_opacities_multiply() -> None:
    shape = only(
        f'<g opacity=".5"><g style="opacity:50%"><path opacity="0.8" fill="#ff000080" fill-opacity=".5" stroke="red"'
        f' stroke-opacity="2" stroke-width="3" d="{SQUARE}"/></g></g>'
    )
    assert shape.fill is not None
    assert shape.stroke is not None
    assert shape.fill.alpha == pytest.approx(0.2 * 0.5 * 128 / 255)
    assert shape.stroke.alpha == pytest.approx(0.2)


def test_strokes() -> None:
    shape = only(f'<g transform="scale(2)" stroke="red" style="stroke-width:1mm"><path d="{SQUARE}"/></g>')
    assert shape.stroke == Color(1, 0, 0)
    assert shape.stroke_width == pytest.approx(2 * 96 / 25.4)
    for width, expected in (("0", None), ("-1", None), ("nonsense", 1.0), ("2", 2.0)):
        found = only(f'<path stroke="red" stroke-width="{width}" d="{SQUARE}"/>')
        assert (found.stroke_width if found.stroke else None) == expected


def test_what_shows_nothing_is_left_out_and_said() -> None:
    drawing = read(
        f'<g id="a"><path id="b" fill="none" d="{SQUARE}"/><path id="c" display="none" d="{SQUARE}"/>'
        f'<path id="d" visibility="hidden" d="{SQUARE}"/><path id="e" opacity="0" d="{SQUARE}"/>'
        f'<g style="display:none"><path id="f" d="{SQUARE}"/></g><path id="g" d="{SQUARE}"/></g><g/>'
    )
    assert [shape.id for layer in drawing.layers for shape in layer.shapes] == ["g"]
    assert set(drawing.notes) == {
        "b, e: left out, having neither fill nor stroke",
        "c, d, <g>: left out, being hidden",
    }


def test_gradients() -> None:
    drawing = read(
        '<defs><linearGradient id="swatch"><stop style="stop-color:#123456;stop-opacity:.5"/></linearGradient>'
        '<radialGradient id="mean" xlink:href="#stops"/><linearGradient id="stops"><stop stop-color="#000"/>'
        '<stop stop-color="#fff"/></linearGradient><linearGradient id="self" xlink:href="#self"/>'
        '<style>.s{stop-color:red}</style><linearGradient id="class"><stop class="s"/></linearGradient>'
        '<pattern id="dots"/></defs><g>'
        + "".join(
            f'<path id="p{n}" fill="url(#{n})" d="{SQUARE}"/>' for n in ("swatch", "mean", "self", "class", "dots")
        )
        + "</g>"
    )
    assert hexes(drawing) == ["#123456", "#808080", "#808080", "#ff0000", "#808080"]
    assert drawing.layers[0].shapes[0].fill == pytest.approx((18 / 255, 52 / 255, 86 / 255, 0.5))
    assert set(drawing.notes) == {
        "pmean: a gradient became its mean colour",
        "pself, pdots: a pattern, or a gradient without colours, became grey",
    }


# Fill rules


def ring(x: float, y: float, size: float, clockwise: bool = True) -> str:
    return f"M{x} {y}h{size}v{size}h{-size}z" if clockwise else f"M{x} {y}v{size}h{size}v{-size}z"


def filled(drawing: Drawing) -> float:
    """The area that the shapes paint, each by even-odd, one over the other."""
    painted = []
    for shape in drawing.layers[0].shapes:
        whole = Polygon()
        for one in shape.rings:
            whole = whole.symmetric_difference(Polygon(flat(one, 8)).buffer(0))
        painted.append(whole)
    return float(unary_union(painted).area)


@pytest.mark.parametrize(
    ("data", "nonzero", "evenodd", "said"),
    [
        (ring(0, 0, 10) + ring(2, 2, 6), 100, 64, False),
        (ring(0, 0, 10) + ring(2, 2, 6, False), 64, 64, False),
        (ring(0, 0, 10) + ring(2, 2, 6) + ring(4, 4, 2, False), 100, 68, False),
        (ring(0, 0, 10) + ring(2, 2, 6, False) + ring(4, 4, 2), 68, 68, False),
        (ring(0, 0, 10) + ring(2, 2, 6, False) + ring(4, 4, 2, False), 68, 68, False),
        (ring(0, 0, 10) + ring(5, 5, 10), 175, 150, False),
        (ring(0, 0, 10) + ring(5, 0, 10), 150, 100, False),
        (ring(0, 0, 10) + ring(5, 5, 10, False), 150, 150, True),
        (ring(0, 0, 10) + ring(0, 0, 10), 100, 0, False),
        (ring(0, 0, 10) + ring(20, 20, 10), 200, 200, False),
        ("M0 0h10v10h-10" + ring(2, 2, 6), 100, 64, False),  # open, but filled
    ],
)
def test_fill_rules(data: str, nonzero: float, evenodd: float, said: bool) -> None:
    for mirrored in ("", ' transform="scale(-1 1)"'):
        drawing = read(f'<path{mirrored} d="{data}"/>')
        assert filled(drawing) == pytest.approx(nonzero)
        assert bool(drawing.notes) == said
        for rule in ('fill-rule="evenodd"', 'style="fill-rule:evenodd"'):
            assert filled(read(f'<g {rule}><path{mirrored} d="{data}"/></g>')) == pytest.approx(evenodd)


def test_rings_that_meet_in_a_point_are_parted_into_themselves() -> None:
    """And no others: where they share a side there would be a gap."""
    data = ring(0, 0, 40) + ring(10, 10, 10) + ring(20, 20, 8, False) + ring(30, 5, 10) + ring(32, 32, 8)
    (shape,) = read(f'<path fill-rule="evenodd" d="{data}"/>').layers[0].shapes
    outer, one, two, beside, corner = parted(shape.rings, 0.5)
    assert (outer, one, beside) == tuple(shape.rings[k] for k in (0, 1, 3))  # the largest, and a knot on a side
    diagonal = 0.5 * cmath.exp(0.25j * cmath.pi)
    assert two.points[0] == pytest.approx(20 + 20j + diagonal)
    assert two.points[3:-1] == pytest.approx(shape.rings[2].points[3:-1])
    assert corner.points[6] == pytest.approx(40 + 40j - diagonal)
    sides = read(f'<path fill-rule="evenodd" d="{ring(0, 0, 10) + ring(10, 0, 10) + ring(0, 0, 10)}"/>').layers[0]
    assert parted(sides.shapes[0].rings, 0.5) == list(sides.shapes[0].rings)


squares = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(1, 40), st.booleans())


@given(st.lists(squares, min_size=1, max_size=5))
def test_nonzero_is_right_or_said_to_be_doubtful(squares: list[tuple[int, int, int, bool]]) -> None:
    # Off the grid by different amounts, so that no two share a border.
    placed = [(x + k * 0.11, y + k * 0.13, size + k * 0.17, way) for k, (x, y, size, way) in enumerate(squares)]
    drawing = read(f'<path d="{"".join(ring(*one) for one in placed)}"/>')
    expected = 0.0
    xs = sorted({edge for x, _, size, _ in placed for edge in (x, x + size)})
    ys = sorted({edge for _, y, size, _ in placed for edge in (y, y + size)})
    for (left, right), (top, bottom) in itertools.product(itertools.pairwise(xs), itertools.pairwise(ys)):
        at = ((left + right) / 2, (top + bottom) / 2)
        around = sum((1 if way else -1) for x, y, size, way in placed if x < at[0] < x + size and y < at[1] < y + size)
        expected += (right - left) * (bottom - top) * (around != 0)
    if not drawing.notes:
        assert filled(drawing) == pytest.approx(expected)


# Layers and names


def outline(drawing: Drawing) -> list[tuple[str, str, list[str]]]:
    return [(layer.id, layer.label, [shape.id for shape in layer.shapes]) for layer in drawing.layers]


def layer(name: str, label: str, body: str, more: str = "") -> str:
    return f'<g id="{name}" inkscape:groupmode="layer" inkscape:label="{label}" {more}>{body}</g>'


def path(name: str) -> str:
    return f'<path id="{name}" d="{SQUARE}"/>'


def test_layers_stand_bottom_to_top_with_label_visibility_and_lock() -> None:
    drawing = read(
        layer("hair", "My  hair", path("hair-1") + path("hair-2"))
        + layer("layer1", "New", path("p"), 'style="display:none"')
        + layer("lips", "", path("q"), 'sodipodi:insensitive="true"')
        + layer("face2-ear-left", "Ear", path("r"), 'visibility="hidden"')
        + layer("empty", "Nothing", "")
    )
    assert outline(drawing) == [
        ("hair", "My hair", ["hair-1", "hair-2"]),
        ("layer1", "New", ["p"]),
        ("lips", "Lips", ["q"]),
        ("face2-ear-left", "Ear", ["r"]),
    ]
    assert [layer.visible for layer in drawing.layers] == [True, False, True, False]
    assert [layer.locked for layer in drawing.layers] == [False, False, True, False]
    assert [(layer.face, layer.part) for layer in drawing.layers] == [
        (1, "hair"), (1, "layer1"), (1, "lips"), (2, "ear-left"),
    ]  # fmt: skip
    assert drawing.layered


FACES = layer("photo", "Photo", "") + layer("backdrop", "Backdrop", path("b"))
FACES += layer("face2", "Anna", layer("face2-hair", "Hair", path("p")) + layer("layer7", "Bow", path("q")))
FACES += layer("face1", "Face 1", layer("hair", "Hair", path("r")) + layer("face3-hat", "Hat", path("s")))


def test_groups_of_faces() -> None:
    """What was drawn into a face's group is that face's, whatever its id; what stands in none is nobody's."""
    drawing = read(FACES + layer("face2-2", "Anna", layer("face2-hat", "Hat", path("t"))))
    assert [(one.id, one.face, drawing.name(one)) for one in drawing.layers] == [
        ("backdrop", 0, "Backdrop"),
        ("face2-hair", 2, "Anna Hair"),
        ("layer7", 2, "Anna Bow"),
        ("hair", 1, "Hair"),
        ("face3-hat", 1, "Hat"),  # moved there
        ("face2-hat", 2, "Anna Hat"),
    ]
    assert drawing.faces == {2: "Anna", 1: "Face 1"}
    inner = layer("face2-hair", "Hair", path("p"))
    hidden = read(layer("face2", "Face 2", inner, 'style="display:none"'))
    assert not hidden.layers[0].visible


def test_faces_of_a_plain_svg_keep_their_parts() -> None:
    """Inkscape's plain SVG knows neither layers nor labels."""
    body = "".join(
        f'<g id="{face}"><g id="{prefix}head">{path(prefix + "a")}</g><g id="{prefix}hair">{path(prefix + "b")}</g></g>'
        for face, prefix in (("face2", "face2-"), ("face1", ""))
    )
    drawing = read(body)
    assert [(one.id, one.face) for one in drawing.layers] == [
        ("face2-head", 2), ("face2-hair", 2), ("head", 1), ("hair", 1),
    ]  # fmt: skip


def test_layers_of_faces_without_groups_are_told_by_their_ids() -> None:
    drawing = read(
        layer("background", "B", path("a")) + layer("hair", "H", path("b")) + layer("face2-hair", "H", path("c"))
    )
    assert [one.face for one in drawing.layers] == [0, 1, 2]
    assert [drawing.name(one) for one in drawing.layers] == ["B", "H", "H"]
    assert drawing.faces == {}


def test_faces_are_written_as_groups_and_read_again() -> None:
    drawing = read(FACES + layer("face2-2", "Anna", layer("face2-hat", "Hat", path("t"))))
    again = parse_svg(write_svg(drawing))
    assert outline(again) == outline(drawing)
    assert [one.face for one in again.layers] == [one.face for one in drawing.layers]
    assert again.faces == drawing.faces
    assert write_svg(again) == write_svg(drawing)


def test_nested_layers_are_layers_of_their_own_and_inherit() -> None:
    inner = layer("inner", "Inner", path("b"))
    drawing = read(
        layer(
            "outer",
            "Outer",
            path("a") + f'<g id="group" fill="red">{inner}</g>' + path("c"),
            'display="none" sodipodi:insensitive="true"',
        )
    )
    assert outline(drawing) == [("outer", "Outer", ["a"]), ("inner", "Inner", ["b"]), ("outer-2", "Outer", ["c"])]
    assert not any(layer.visible for layer in drawing.layers)
    assert all(layer.locked for layer in drawing.layers)
    assert hexes(drawing) == ["#000000", "#ff0000", "#000000"]


def test_a_path_that_was_moved_is_where_it_was_moved_to() -> None:
    drawing = read(layer("hair", "Hair", path("hair-1")) + layer("head", "Head", path("head-1") + path("hair-2")))
    assert outline(drawing) == [("hair", "Hair", ["hair-1"]), ("head", "Head", ["head-1", "hair-2"])]


def test_what_stands_beside_layers_is_a_layer_of_its_own() -> None:
    drawing = read(path("loose") + layer("hair", "Hair", path("hair-1")) + f"<g>{path('x')}</g>")
    assert outline(drawing) == [
        ("loose", "Loose", ["loose-1"]), ("hair", "Hair", ["hair-1"]), ("layer", "Layer", ["x"]),
    ]  # fmt: skip
    assert [layer.loose for layer in drawing.layers] == [True, False, False]


def test_plain_svg_goes_by_ids_and_titles() -> None:
    drawing = read(
        f'<g id="ear-left">{path("ear-left-1")}</g><g id="g5"><title>The hair</title>{path("p")}</g>{path("nose")}'
        f'<g>{path("q")}</g><g>{path("r")}</g><path d="{SQUARE}"/>'
    )
    assert outline(drawing) == [
        ("ear-left", "Ear left", ["ear-left-1"]), ("g5", "The hair", ["p"]), ("nose", "Nose", ["nose-1"]),
        ("layer", "Layer", ["q"]), ("layer-2", "Layer", ["r"]), ("layer-3", "Layer", ["layer-3-1"]),
    ]  # fmt: skip
    assert not drawing.layered


def test_a_single_group_that_wraps_groups_is_looked_into() -> None:
    inner = f'<g id="a">{path("a1")}</g><g id="b">{path("b1")}</g>'
    for wrapped in (
        f'<g style="fill:none" transform="translate(1 1)"><g>{inner}</g></g>',
        f"<switch><foreignObject requiredExtensions='x'/><g>{inner}</g></switch>",
    ):
        drawing = read(f"<title>t</title><defs/>{wrapped}".replace("fill:none", "fill:red"))
        assert [layer.id for layer in drawing.layers] == ["a", "b"]
    assert [layer.id for layer in read(f'<g id="w" display="none">{inner}</g>').layers] == ["w"]
    assert [layer.id for layer in read(f'<g id="w">{path("a")}{path("b")}</g>').layers] == ["w"]
    assert read(f'<g id="w" filter="url(#f)">{inner}</g>').notes == ("w: its filter (blur, shadow) was left away",)


@pytest.mark.parametrize(
    ("style", "said"),
    [
        ("mix-blend-mode:multiply", "its blend mode was left away"),
        ("stroke-dasharray:2,1", "its dashes were left away: the stroke is whole"),
        ("marker-end:url(#m)", "its markers were left away"),
        ("mix-blend-mode:normal;stroke-dasharray:none", None),
    ],
)
def test_what_a_stroke_loses_is_said(style: str, said: str | None) -> None:
    drawing = read(f'<g id="g"><path id="p" style="fill:none;stroke:red;{style}" d="M0 0h9v9"/></g>')
    assert drawing.notes == ((f"p: {said}",) if said else ())


def test_ids_are_unique_and_the_files_own_go_first() -> None:
    drawing = read(
        f'<g id="a">{path("a")}<path d="{SQUARE}"/>{path("p")}</g><g id="a">{path("p")}</g>'
        f'<g id="a-2">{path("p-2")}</g><g id="b"><path d="{SQUARE}"/></g>{path("b-1")}'
    )
    assert outline(drawing) == [
        ("a", "A", ["a-3", "a-2-2", "p"]), ("a-4", "A", ["p-3"]), ("a-2", "A 2", ["p-2"]),
        ("b", "B", ["b-1-2"]), ("b-1", "B 1", ["b-1-1"]),
    ]  # fmt: skip


def test_the_photo_layer_gives_the_photo() -> None:
    photo = layer("photo", "Photo", '<image id="photo-1" xlink:href="a%20b.jpg" width="9" height="9"/>')
    drawing = read(photo + layer("hair", "Hair", path("hair-1") + '<image id="i" href="x.png"/>'))
    assert drawing.photo == "a%20b.jpg"
    assert [layer.id for layer in drawing.layers] == ["hair"]
    assert drawing.notes == ("i: picture left out; only shapes become curves",)


@pytest.mark.parametrize("quote", ['"', "'"])
def test_an_embedded_photo_comes_whole(quote: str) -> None:
    url = "data:image/jpeg;base64," + "QUJD" * 100_000
    for href in (url, url + "\n" + url, "data:,0"):
        drawing = read(layer("photo", "Photo", f"<image xlink:href={quote}{href}{quote}/>"))
        assert (drawing.photo or "").split() == href.split()


# Clones and containers


def test_clones() -> None:
    drawing = read(
        f'<defs><path id="p" d="{SQUARE}"/><symbol id="s" viewBox="0 0 10 10"><path d="{SQUARE}"/></symbol></defs>'
        '<g id="g"><use href="#p" x="5" y="6" fill="red"/><use id="u" xlink:href="#p" transform="scale(2)"/>'
        '<use href="#s" x="1" width="20" height="20"/><use href="#q"/><use id="out" href="other.svg#p"/></g>'
    )
    shapes = drawing.layers[0].shapes
    assert [near(shape.rings[0].points[::6]) for shape in shapes] == [
        [5 + 6j, 15 + 16j], [0, 20 + 20j], [1, 21 + 20j],
    ]  # fmt: skip
    assert [shape.id for shape in shapes] == ["p-2", "p-3", "g-3"]
    assert shapes[0].fill == Color(1, 0, 0)
    assert drawing.notes == ("<use>, out: a clone left out, its original is not in the file",)


def test_clones_of_layers_stay_where_they_are() -> None:
    drawing = read(layer("a", "A", path("a-1")) + layer("b", "B", '<use href="#a" x="9"/>'))
    assert outline(drawing) == [("a", "A", ["a-1"]), ("b", "B", ["a-1-2"])]


def test_clones_of_what_holds_them_end() -> None:
    drawing = read(
        f'<g id="a">{path("p")}<use id="u" href="#a"/></g><use id="v" href="#v"/>'
        '<use id="w" href="#x"/><use id="x" href="#w"/>'
    )
    assert [shape.id for layer in drawing.layers for shape in layer.shapes] == ["p"]
    assert drawing.notes == ("u, v, x and 1 more: a clone left out, its original is not in the file",)


def test_long_attributes_that_are_not_ours_do_no_harm() -> None:
    assert only(f'<path data-x="{"x" * 99_999}" d="{SQUARE}"><animate values="{"0;" * 99_999}"/></path>').rings


def test_svg_in_svg_and_switch() -> None:
    shape = only(f'<svg x="10" y="20" width="50" height="50" viewBox="0 0 10 5">{path("p")}</svg>')
    assert near(shape.rings[0].points[::6]) == [10 + 32.5j, 60 + 82.5j]
    shape = only(f'<svg x="50%" viewBox="0 0 10 20">{path("p")}</svg>')  # as large as what is around it
    assert near(shape.rings[0].points[::6]) == [50, 150 + 100j]
    assert len(read(f"<switch>{path('a')}{path('b')}</switch>").layers[0].shapes) == 1
    assert only(f'<a href="https://example.org">{path("p")}</a>').id == "p"


def test_what_cannot_become_curves_is_said() -> None:
    drawing = read(
        f'<g id="g" filter="url(#f)"><text id="t">x</text><flowRoot id="r"/><foreignObject id="o"/>'
        f'<path id="c" clip-path="url(#c)" mask="url(#m)" d="{SQUARE}"/>'
        f'<path id="n" clip-path="none" d="{SQUARE}"/></g>'
    )
    assert [shape.id for shape in drawing.layers[0].shapes] == ["c", "n"]
    assert set(drawing.notes) == {
        "g: its filter (blur, shadow) was left away",
        "t, r: text left out; turn it into paths first (Path > Object to Path)",
        "o: foreign content left out",
        "c: its clip was left away: it shows whole",
        "c: its mask was left away: it shows whole",
    }
    many = read("<g>" + "".join(f'<text id="t{n}"/>' for n in range(9)) + "</g>")
    assert many.notes == ("t0, t1, t2 and 6 more: text left out; turn it into paths first (Path > Object to Path)",)
    assert "style rules" in read("<style>g > path{fill:red}</style>").notes[0]


# The file as a file


def test_titles_metadata_and_names() -> None:
    drawing = read('<title> A &lt;face&gt;\n &amp; more </title><metadata>{"generator": "x"}</metadata>')
    assert drawing.title == "A <face> & more"
    assert drawing.metadata == {"generator": "x"}
    for metadata in ("", "[1]", "{", "[" * 50_000, "<rdf xmlns='r'/>", '{"a": 1}' + " " * 70_000):
        assert read(f"<metadata>{metadata}</metadata>").metadata == {}
    plain = f"<svg {NAMESPACES} {BOX}/>".encode()
    assert parse_svg(plain, "some.photo.svg").title == "some.photo"
    assert len(read(f"<title>{'x' * 9999}</title>").title) < 1000


@pytest.mark.parametrize(
    "data",
    [
        f'<svg:svg xmlns:svg="http://www.w3.org/2000/svg" {BOX}><svg:path d="{SQUARE}"/></svg:svg>'.encode(),
        f'<svg {BOX}><path d="{SQUARE}"/></svg>'.encode(),
        f'<?xml version="1.0" encoding="UTF-16"?><svg {BOX}><path d="{SQUARE}"/></svg>'.encode("utf-16"),
        f'\ufeff<svg {BOX}><path d="{SQUARE}"/></svg>'.encode(),
        f'<?xml version="1.0" encoding="windows-1252"?><svg {BOX}><desc>ä</desc>'
        f'<path d="{SQUARE}"/></svg>'.encode("cp1252"),
        gzip.compress(f'<svg {BOX}><path d="{SQUARE}"/></svg>'.encode()),
        f'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd"><svg {BOX}>'
        f'<path d="{SQUARE}"/></svg>'.encode(),
        f'<!DOCTYPE svg [<!ENTITY ns "http://www.w3.org/2000/svg"><!ENTITY d "{SQUARE}">]><svg xmlns="&ns;" {BOX}>'
        '<path d="&d;"/></svg>'.encode(),
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:i="urn:i" {BOX}><i:path d="M0 0h9v9"/><i:g><path d="M0 0h9v9"/>'
        f'</i:g><path i:d="M1 1" d="{SQUARE}"/></svg>'.encode(),
    ],
)  # fmt: skip
def test_ways_to_write_the_same_file(data: bytes, tmp_path: Path) -> None:
    drawing = parse_svg(data)
    assert [near(s.rings[0].points[::3]) for x in drawing.layers for s in x.shapes] == knots(SQUARE)
    file = tmp_path / "a.svg"
    file.write_bytes(data)
    assert read_svg(file).layers == drawing.layers


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no XML"),
        (b"\x89PNG\r\n", "no XML"),
        (b"<svg>", "no XML, or broken"),
        (b"<html/>", "no SVG: its root is <html>"),
        (b'<x:svg xmlns:x="urn:x"/>', "no SVG"),
        (b'<?xml version="1.0" encoding="klingon"?><svg/>', "no XML"),
        (b'<?xml version="1.0" encoding="utf-7"?><svg/>', "no XML"),
        (b"\x1f\x8b\x08broken", "compressed, and broken"),
        (b'<svg inkscape:label="x"/>', "no XML, or broken: unbound prefix"),
    ],
)
def test_what_is_no_svg_says_so(data: bytes, said: str) -> None:
    with pytest.raises(SvgError, match=f"^a.svg: .*{said}") as raised:
        parse_svg(data, "a.svg")
    assert "\n" not in str(raised.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for file in (tmp_path / "none.svg", tmp_path, "a\0b"):
        with pytest.raises(SvgError):
            read_svg(file)


# What our own exporter writes


@pytest.fixture(scope="module")
def drawn(face: np.ndarray) -> Drawn:
    return draw(face, {}, PRESETS["portrait"], title="A <face> & more", background=True)


def test_our_own_files_come_point_by_point(drawn: Drawn, face: np.ndarray) -> None:
    drawing = parse_svg(drawn.svg)
    root = ET.fromstring(drawn.svg)
    assert drawing.notes == ()
    assert drawing.title == "A <face> & more"
    assert drawing.size == face.shape
    assert drawing.metadata["generator"] == "faceparse-svg"
    assert [layer.id for layer in drawing.layers] == ["background", *drawn.names]
    assert [layer.label for layer in drawing.layers[1:]] == [BY_NAME[name].label for name in drawn.names]
    assert [layer.locked for layer in drawing.layers] == [True] + [False] * len(drawn.names)
    for group, layer in zip(root.findall(f"{SVG}g"), drawing.layers, strict=True):
        assert group.get(f"{INKSCAPE}label") == layer.label
        for element, shape in zip(group, layer.shapes, strict=True):
            assert shape.id == element.get("id")
            assert shape.fill is not None
            assert f"fill:{shape.fill.hex};fill-rule:evenodd" == element.get("style")
            rings = re.findall("M[^M]*", element.get("d") or "")
            for data, ring in zip(rings, shape.rings, strict=True):
                assert near(ring.points[::3]) == list(knots_of(data))


def knots_of(data: str) -> Iterator[complex]:
    """As `check.on_points` reads them, each once."""
    points = [complex(round(x, 6) + 0, round(y, 6) + 0) for x, y in on_points(data)]
    last = points[0]
    yield last
    for point in points[1:]:
        if point not in (last, points[0]):
            yield point
        last = point


def test_our_own_areas(drawn: Drawn) -> None:
    """Against the curves before they were written: the grid of two decimals is all that lies between."""
    read_back = {layer.id: layer for layer in parse_svg(drawn.svg).layers}
    for traced, name in zip(drawn.layers, drawn.names, strict=True):
        shapes = read_back[name].shapes
        assert len(shapes) == len(traced.shapes)
        for ours, theirs in zip(shapes, traced.shapes, strict=True):
            for ring, other in zip(ours.rings, theirs.rings, strict=True):
                points = tuple(complex(*point) for point in other.points.tolist())
                expected = Polygon(flat(Ring(points, True)))
                assert abs(ring.area()) == pytest.approx(expected.area, rel=1e-3, abs=0.5)
                inside = expected.representative_point()
                assert Polygon(flat(ring)).buffer(0.02).contains(Point(inside.x, inside.y))


def test_areas_are_exact() -> None:
    (circle,) = parse_path("M20 10A10 10 0 0 1 0 10A10 10 0 0 1 20 10z")
    assert circle.area() == pytest.approx(Polygon(flat(circle, 4000)).area, rel=1e-6)
    (half,) = parse_path("M0 0H10V10")
    assert half.area() == pytest.approx(50)
    assert json.dumps(half.area())  # a float, not numpy's


# Small parts


def test_names() -> None:
    assert label_from_id("ear-left") == "Ear left"
    assert label_from_id("") == ""
    assert face_and_part("face12-hair") == (12, "hair")
    assert face_and_part("face-hair") == (1, "face-hair")
    assert face_and_part("") == (1, "")
    assert unique("a", {"a", "a-2"}) == "a-3"
    assert Color(2, -1, 0.5).hex == "#ff0080"
    assert parse_style("a:b;;c;d : e:f ") == {"a": "b", "d": "e:f"}
    assert Layer("x", "X", ()).part == "x"
