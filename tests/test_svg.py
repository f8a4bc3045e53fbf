"""The file: exact bytes for a small drawing, no rounding apart on shared borders, every promise checked."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from faceparse_core.parts import BY_NAME, LAYER_ORDER, LAYERS
from svg_export.check import INKSCAPE, SVG, check_svg, on_points
from svg_export.shapes import Face, Layer, Ring, Shape
from svg_export.svg import decimals_for, path_data, svg_bytes

HEAD, HAIR = BY_NAME["head"].id, BY_NAME["hair"].id


def polygon(*corners: tuple[float, float]) -> Ring:
    """A ring of straight lines."""
    on = np.array(corners, float)
    step = np.roll(on, -1, axis=0) - on
    return Ring(np.stack([on, on + step / 3, on + step * 2 / 3], 1).reshape(-1, 2), np.ones(len(on), bool))


def blob(seed: int, n: int = 7) -> Ring:
    """A ring of n curves with awkward coordinates inside 600 x 600."""
    points = np.random.default_rng(seed).uniform(1, 599, (3 * n, 2))
    return Ring(points, np.zeros(n, bool))


def reverse(ring: Ring) -> Ring:
    """The same curve as the neighbour on its other side walks it."""
    return Ring(np.roll(ring.points, -1, axis=0)[::-1], ring.lines[::-1])


HOLED = Shape((polygon((10, 10), (50, 10), (50, 40), (10, 40)), polygon((20, 20), (30, 30), (20, 30))))
ARCH = np.array([[10, 10], [15.25, -0.004], [40, 0.5], [50, 10], [40, 10], [20, 10]])  # one curve, and a line back
SMALL = (
    Layer(HEAD, (HOLED,), (224, 172, 138)),
    Layer(HAIR, (Shape((Ring(ARCH, np.array([False, True])),)),), (0, 0, 255)),
)

SMALL_SVG = """\
<?xml version="1.0" encoding="UTF-8"?>
<svg height="13.2292mm" role="img" version="1.1" viewBox="0 0 64 50" width="16.9333mm" \
xmlns="http://www.w3.org/2000/svg" xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" \
xmlns:sodipodi="http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd" xmlns:xlink="http://www.w3.org/1999/xlink">
 <title>Tom &amp; &lt;Jerry&gt;</title>
 <desc>Layers, bottom to top: Head, Hair.</desc>
 <metadata>{"generator": "test"}</metadata>
 <sodipodi:namedview id="namedview" inkscape:document-units="px" />
 <g id="head" inkscape:groupmode="layer" inkscape:label="Head">
  <path d="M10 10h40v30h-40zM20 20l10 10h-10z" id="head-1" style="fill:#e0ac8a;fill-rule:evenodd" />
 </g>
 <g id="hair" inkscape:groupmode="layer" inkscape:label="Hair">
  <path d="M10 10c5.25-10.004 30-9.5 40 0z" id="hair-1" style="fill:#0000ff;fill-rule:evenodd" />
 </g>
</svg>
"""


def small(title: str = "Tom & <Jerry>", **options: object) -> bytes:
    return svg_bytes([Face(SMALL)], (50, 64), title=title, metadata={"generator": "test"}, **options)  # type: ignore[arg-type]


def test_a_small_drawing_to_the_byte() -> None:
    assert small().decode() == SMALL_SVG
    assert check_svg(small()) == []


@pytest.mark.parametrize("decimals", [0, 1, 2, 3])
def test_what_is_read_back_is_what_was_rounded(decimals: int) -> None:
    for seed in range(20):
        ring = blob(seed)
        want = np.rint(ring.points[::3] * 10**decimals).astype(int)
        got = np.rint(np.array(list(on_points(path_data(Shape((ring,)), decimals)))) * 10**decimals).astype(int)
        assert (got[:-1] == want).all()
        assert (got[-1] == want[0]).all()


def test_both_sides_of_a_border_hold_the_same_points() -> None:
    """Control points too: rounding differences instead of coordinates would pull them apart along the way."""

    def absolute(data: str) -> set[tuple[float, float]]:
        numbers = data[1:-1].replace("-", " -").replace("c", " ").split()
        x, y = map(float, numbers[:2])
        points = {(x, y)}
        for k in range(2, len(numbers), 6):
            piece = np.array(numbers[k : k + 6], float).reshape(3, 2) + (x, y)
            points |= {(round(a, 2), round(b, 2)) for a, b in piece.tolist()}
            x, y = piece[2]
        return points

    for seed in range(20):
        ring = blob(seed, 40)
        here, there = (absolute(path_data(Shape((side,)), 2)) for side in (ring, reverse(ring)))
        assert here == there
        assert len(here) == 120


def test_lines_are_written_as_lines_and_nothing_is_written_of_what_vanishes() -> None:
    assert path_data(Shape((polygon((0, 0), (4, 0), (4, 3), (1, 5)),)), 2) == "M0 0h4v3l-3 2z"
    assert path_data(Shape((polygon((1.001, 1), (1.002, 1.001), (1, 1.002)),)), 2) == ""
    speck = Layer(HAIR, (Shape((polygon((1, 1), (1.0001, 1), (1, 1.0001)),)),), (0, 0, 0))
    data = svg_bytes([Face((SMALL[0], speck))], (50, 64), title="t", metadata={"generator": "test"})
    assert check_svg(data) == []
    assert b"hair" not in data


def test_the_grid_follows_the_size_of_the_picture() -> None:
    sides = (64, 512, 1000, 3500, 7000, 100_000)
    assert [decimals_for((side, side)) for side in sides] == [3, 2, 2, 2, 1, 0]
    for side in (10, *sides[:-1]):
        assert 10.0 ** -decimals_for((side, side)) <= side * 2**0.5 / 50_000


@pytest.mark.parametrize(
    ("title", "read"),
    [
        ("a \"b\" & <c> 'd'", "a \"b\" & <c> 'd'"),
        ("]]> -- <!--", "]]> -- <!--"),
        ("grüße 🧑‍🎨 名前", "grüße 🧑‍🎨 名前"),
        ("bell\x07 null\x00 \x1b[31m", "bell\ufffd null\ufffd \ufffd[31m"),
        ("not utf-8 \udcff \ufffe", "not utf-8 \ufffd \ufffd"),
        ("", "Portrait"),
    ],
)
def test_titles_survive(title: str, read: str) -> None:
    data = svg_bytes([Face(SMALL)], (50, 64), title=title, metadata={"generator": "test", "note": title})
    assert check_svg(data) == []
    root = ET.fromstring(data)
    assert root.findtext(f"{SVG}title") == read
    assert json.loads(root.findtext(f"{SVG}metadata") or "")["generator"] == "test"


def test_photo_and_background_lie_locked_at_the_bottom() -> None:
    data = small(photo_href="a%20b.jpg", background=(1, 2, 3))
    assert check_svg(data) == []
    root = ET.fromstring(data)
    assert [group.get("id") for group in root.findall(f"{SVG}g")] == ["photo", "background", "head", "hair"]
    assert root.find(f"{SVG}g/{SVG}image").get("{http://www.w3.org/1999/xlink}href") == "a%20b.jpg"  # type: ignore[union-attr]


def test_every_part_has_its_layer_in_paint_order() -> None:
    layers = tuple(Layer(part, SMALL[0].shapes, LAYERS[part].color) for part in LAYER_ORDER)
    data = svg_bytes([Face(layers)], (50, 64), title="t", metadata={"generator": "test"})
    assert check_svg(data) == []
    labels = [group.get(f"{INKSCAPE}label") for group in ET.fromstring(data).findall(f"{SVG}g")]
    assert labels == [LAYERS[part].label for part in LAYER_ORDER]


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("</svg>", "", "not XML"),
        ('viewBox="0 0 64 50"', 'viewBox="0 0 64.5 50"', "viewBox"),
        ('viewBox="0 0 64 50"', 'viewBox="0 0 100% a"', "viewBox"),
        ('width="16.9333mm"', 'width="64"', "width"),
        ('width="16.9333mm"', 'width="16.93.33mm"', "width"),
        ('role="img"', 'role="image"', "role"),
        ("Layers, bottom to top: Head, Hair.", "", "desc"),
        ('"generator"', '"author"', "generator"),
        ("document-units", "units", "document units"),
        ('id="hair-1"', 'id="hair-2"', "should be"),
        ('id="hair-1"', 'id="head-1"', "stands twice"),
        ('id="hair" ', 'id="wig" ', "not in the table"),
        ('id="hair" ', 'id="neck" ', "not in paint order"),
        ('id="hair" ', 'id="hair" transform="scale(2)" ', "carries transform"),
        ('inkscape:label="Hair"', "", "label"),
        (' inkscape:label="Hair"', ' inkscape:label="Hair" sodipodi:insensitive="true"', "locked"),
        ("fill:#0000ff", "fill:blue", "style"),
        (' id="hair-1"', ' id="hair-1" class="a"', "nothing else"),
        ("M10 10c5.25", "m10 10c5.25", "rings"),
        ("40 0z", "40 0", "rings"),
        ("40 0z", "40 0s1 1 2 2z", "command"),
        ("40 0z", "40z", "numbers"),
        ("h40v30", "h90v30", "leaves the frame"),
        (' <g id="hair"', " <rect /><g id=\"hair\"", "no place"),
    ],
)  # fmt: skip
def test_the_check_finds_every_broken_promise(before: str, after: str, complaint: str) -> None:
    assert SMALL_SVG.count(before) == 1, "the test would change more than it says"
    assert any(complaint in found for found in check_svg(SMALL_SVG.replace(before, after).encode()))
