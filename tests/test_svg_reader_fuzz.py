"""Whatever the file: a sound drawing or SvgError, and soon. Grown files, mutated real ones, and hostile ones."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import math
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon import svg_reader, svg_tree
from blender_addon.css import parse_color, parse_length, parse_share, parse_style, parse_transform
from blender_addon.drawing import LARGEST, Drawing, Ring, SvgError
from blender_addon.path_reader import PathError, parse_numbers, parse_path
from blender_addon.svg_reader import parse_svg
from faceparse_core.parts import PRESETS
from svg_export.export import draw

DATA = Path(__file__).parent / "data"  # the drawn face, as Inkscape 1.2 saved it after some edits
HANGS = 60  # s, a hundred times what the slowest takes on an old machine


@pytest.fixture(autouse=True)
def alarm() -> Iterator[None]:
    """A hang ends as a failure. Where there are no alarms (Windows) it hangs."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def ring(*_: object) -> None:
        raise TimeoutError(f"still reading after {HANGS} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(HANGS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def check_rings(rings: tuple[Ring, ...]) -> None:
    for ring in rings:
        assert len(ring.points) % 3 == (0 if ring.closed else 1)
        assert len(ring.points) >= (3 if ring.closed else 4)
        assert all(math.isfinite(point.real) and math.isfinite(point.imag) for point in ring.points)


def check(drawing: Drawing) -> None:
    """What everyone who is handed a drawing may rely on."""
    assert all(math.isfinite(side) and 0 < side < LARGEST for side in drawing.size)
    layer_ids = [layer.id for layer in drawing.layers]
    shape_ids = [shape.id for layer in drawing.layers for shape in layer.shapes]
    assert len({*layer_ids, *shape_ids}) == len(layer_ids) + len(shape_ids)
    assert "" not in (*layer_ids, *shape_ids)
    for layer in drawing.layers:
        assert layer.shapes
        assert layer.label == " ".join(layer.label.split())
        for shape in layer.shapes:
            assert shape.rings
            check_rings(shape.rings)
            assert all(ring.in_measure() for ring in shape.rings)
            assert shape.fill or shape.stroke
            for color in filter(None, (shape.fill, shape.stroke)):
                assert all(0 <= part <= 1 for part in color)
                assert re.fullmatch("#[0-9a-f]{6}", color.hex)
            assert 0 <= shape.stroke_width < math.inf
            assert bool(shape.stroke) == bool(shape.stroke_width)
    assert drawing.title == " ".join(drawing.title.split())
    assert all("\n" not in note and len(note) < 1500 for note in drawing.notes)
    assert len(drawing.notes) < 30


def outcome(data: bytes) -> Drawing | str:
    """A drawing that was checked, or what SvgError said."""
    try:
        drawing = parse_svg(data)
    except SvgError as error:
        said = str(error)
    else:
        check(drawing)
        return drawing
    assert "\n" not in said
    assert len(said) < 400
    return said


# Grown


number = st.one_of(
    st.integers(-300, 300).map(str),
    st.floats(-1e3, 1e3).map(lambda value: f"{value:.3g}"),
    st.sampled_from([*"0 1e-5 .5.5 -.3-2 1e9 1e400 -1e308 1e-400 NaN inf 1_0 ٣".split(), "5" * 70]),
)
word = st.one_of(number, st.sampled_from(list("MmLlHhVvCcSsQqTtAaZz01,- .eE\nx")))


@given(st.lists(word, max_size=40).map(" ".join) | st.lists(word, max_size=40).map("".join) | st.text())
@settings(max_examples=150)
def test_path_data(words: str) -> None:
    for data in (words, "M0 0" + words):
        try:
            check_rings(parse_path(data))
        except PathError as error:
            check_rings(error.rings)


@given(st.text() | st.text("0123456789.+-eE%#()rgbahslurl,;:/* \tpxmtranslemixk!"))
@settings(max_examples=200)
def test_attributes(text: str) -> None:
    color, length, share = parse_color(text), parse_length(text, 100.0), parse_share(text)
    assert color is None or all(0 <= part <= 1 for part in color)
    assert length is None or abs(length) < LARGEST
    assert share is None or 0 <= share <= 1
    assert all(isinstance(value, str) for value in parse_style(text).values())
    for parse in (parse_transform, parse_numbers):
        for written in (text, f"matrix({text})", f"rotate({text})", f"scale(1e9){text}"):
            with contextlib.suppress(PathError):
                parse(written)


paint = st.sampled_from([*"red #12345680 none url(#a) currentColor rgb(1,2,3) ? inherit".split(), "url(#b) red"])
names = st.sampled_from(["a", "b", "c", "a-2", "hair", "photo", "ü\u2028"])
transform = st.lists(
    st.builds("{}({})".format, st.sampled_from(["translate", "scale", "rotate", "skewX", "matrix", "spin"]),
              st.lists(number, max_size=6).map(" ".join)), max_size=3,
).map(" ".join)  # fmt: skip
values: dict[str, st.SearchStrategy[str]] = {
    "id": names,
    "class": names,
    "inkscape:label": st.text("a \n&<\x85\u2028", max_size=4),
    "inkscape:groupmode": st.just("layer"),
    "sodipodi:insensitive": st.just("true"),
    "href": names.map("#{}".format),
    "xlink:href": names.map("#{}".format),
    "transform": transform,
    "style": st.lists(st.builds("{}:{}".format, st.sampled_from(["fill", "display", "stroke"]), paint)).map(";".join),
    "fill": paint,
    "stroke": paint,
    "stop-color": paint,
    "fill-rule": st.sampled_from(["evenodd", "nonzero"]),
    "display": st.sampled_from(["none", "inline"]),
    "visibility": st.sampled_from(["hidden", "visible"]),
    "d": st.lists(word, max_size=30).map(" ".join).map("M0 0h9v9z{}".format),
    "points": st.lists(number, max_size=9).map(" ".join),
    "viewBox": st.lists(number, min_size=3, max_size=5).map(" ".join),
    "preserveAspectRatio": st.sampled_from(["none", "xMinYMax slice", "?"]),
    **{
        name: number | number.map("{}%".format) | number.map("{}mm".format)
        for name in "x y width height rx ry r cx cy x1 y2 opacity stroke-width fill-opacity".split()
    },
}  # fmt: skip
tags = (
    "g g g a switch svg use use symbol defs path path path rect circle ellipse line polyline polygon image text style"
    " title metadata stop linearGradient radialGradient pattern clipPath foreignObject"
).split()
attributes = st.lists(
    st.sampled_from(sorted(values)).flatmap(lambda name: st.tuples(st.just(name), values[name])),
    max_size=6, unique_by=lambda pair: pair[0],
)  # fmt: skip


#: What an element needs to be seen at all, where it does not say otherwise.
NEEDED = {
    "path": {"d": "M1 1h9v9q-9 9-9-9z"},
    "rect": {"width": "9", "height": "8"},
    "circle": {"r": "9"},
    "ellipse": {"rx": "9", "ry": "8"},
    "polygon": {"points": "1 1 9 1 9 9"},
    "polyline": {"points": "1 1 9 1 9 9"},
    "line": {"x2": "9", "stroke": "red"},
}


def element(tag: str, pairs: list[tuple[str, str]], children: list[str]) -> str:
    pairs = list((NEEDED.get(tag, {}) | dict(pairs)).items())
    written = "".join(f' {name}="{_ESCAPED.sub(escape, value)}"' for name, value in pairs)
    return f"<{tag}{written}>{''.join(children)}</{tag}>"


_ESCAPED = re.compile('[&<"\x00-\x1f]')


def escape(found: re.Match[str]) -> str:
    return f"&#{max(ord(found[0]), 10)};"


tree = st.recursive(
    st.builds(element, st.sampled_from(tags), attributes, st.just([])) | st.sampled_from([".a{fill:red}", "x", "{}"]),
    lambda inner: st.builds(element, st.sampled_from(tags), attributes, st.lists(inner, max_size=4)),
    max_leaves=12,
)


@given(attributes, st.lists(tree, max_size=5))
@settings(max_examples=50)
def test_grown_files(pairs: list[tuple[str, str]], children: list[str]) -> None:
    namespaces = [("xmlns:inkscape", "http://www.inkscape.org/namespaces/inkscape"),
                  ("xmlns:sodipodi", "http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd"),
                  ("xmlns:xlink", "http://www.w3.org/1999/xlink")]  # fmt: skip
    said = outcome(element("svg", namespaces + pairs, children).encode())
    assert isinstance(said, Drawing) or "cannot be" in said, "the grammar writes XML"


# Mutated


@pytest.fixture(scope="module")
def real(face: np.ndarray) -> list[bytes]:
    ours = draw(face, {}, PRESETS["portrait"], title="A face", background=True, photo_href="a%20photo.jpg").svg
    return [
        ours,
        ours.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        *(path.read_bytes() for path in sorted(DATA.glob("*.svg"))),
    ]


def test_real_files_are_sound(real: list[bytes]) -> None:
    assert len(real) == 4
    for data in real:
        drawing = outcome(data)
        assert isinstance(drawing, Drawing)
        assert len(drawing.layers) >= 12
        assert drawing.notes == ()


NASTY = (
    b"NaN", b"1e999", b"-", b"0", b"<g>", b"</g>", b"<!--", b"]]>", b"<![CDATA[", b"&amp;", b"&x;", b"\x00",
    b"\xff\xfe", b'"', b"'", b">", b"/>", b"url(#hair)", b"#hair", b"transform='scale(1e9)'", b"display:none", b"use",
    b"M", b"a1 1 0 011 1",
)  # fmt: skip
place = st.floats(0, 1)


change = st.tuples(place, st.integers(0, 60), st.sampled_from(NASTY) | place)


@given(which=st.integers(0, 3), changes=st.lists(change, min_size=1, max_size=6))
@settings(max_examples=250)
def test_mutated_files(real: list[bytes], which: int, changes: list[tuple[float, int, bytes | float]]) -> None:
    """Pieces overwritten by what hurts, or by pieces from elsewhere in the file."""
    data = real[which]
    for where, length, what in changes:
        at = round(where * len(data))
        if isinstance(what, float):
            start = round(what * len(data))
            what = data[start : start + 20 * length]
        data = data[:at] + what + data[at + length :]
    outcome(data)


@given(which=st.integers(0, 3), where=place)
def test_files_that_break_off(real: list[bytes], which: int, where: float) -> None:
    data = real[which]
    said = outcome(data[: round(where * (len(data) - 4))])
    assert isinstance(said, str)
    assert "no XML" in said


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    outcome(data)
    outcome(b"\x1f\x8b\x08\x00" + data)


# Hostile


NAMESPACE = 'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100"'


def svg(body: str, doctype: str = "") -> bytes:
    return f"{doctype and f'<!DOCTYPE svg [{doctype}]>'}<svg {NAMESPACE}>{body}</svg>".encode()


def entities(*pairs: tuple[str, str]) -> str:
    return "".join(f'<!ENTITY {name} "{value}">' for name, value in pairs)


LAUGHS = entities(("a", "lol"), *((name, f"&{before};" * 10) for before, name in itertools.pairwise("abcdefghi")))
LONG = entities(("a", "x" * 9999))
PATH = '<path d="M0 0h1v1z"/>'
MB = 1 << 20

ENTITIES = {
    "billion laughs": (svg("<title>&i;</title>", LAUGHS), "entities that refer"),
    "in an attribute": (svg('<g id="&i;"/>', LAUGHS), "entities that refer"),
    "hidden in UTF-16": (svg("<title>&i;</title>", LAUGHS).decode().encode("utf-16"), "entities that refer"),
    "one, often": (svg("&a;" * 9999, LONG), "without measure"),
    "one, often, in UTF-16": (svg("&a;" * 9999, LONG).decode().encode("utf-16"), "without measure"),
    "one, often, in an attribute": (svg(f'<path d="{"&a;" * 9999}"/>', LONG), "without measure"),
    "external": (svg("<title>&a;</title>", '<!ENTITY a SYSTEM "file:///etc/hostname">'), "entities that refer"),
    "parameter": (svg("", "<!ENTITY % a '<!ENTITY b \"x\">'>%a;"), "entities that refer"),
    "a parameter that is a file": (svg("", '<!ENTITY % a SYSTEM "file:///etc/hostname">%a;'), "entities that refer"),
    "a million of them": (svg("", entities(*((f"a{n}", "x") for n in range(30_000)))), "or many"),
    "attributes for all": (svg("<path/>" * 9999, f'<!ATTLIST path d CDATA "{"M" * 9999}">'), "without measure"),
    "links for all": (svg("<use/>" * 9999, f'<!ATTLIST use href CDATA "{"#" * 9999}">'), "without measure"),
}


@pytest.mark.parametrize("case", ENTITIES)
def test_entities(case: str) -> None:
    data, said = ENTITIES[case]
    assert said in str(outcome(data))


def test_no_file_is_read_but_the_one() -> None:
    secret = DATA / "inkscape.svg"
    url = secret.as_uri()
    data = svg(f'<title>&a;</title><use href="{url}#hair"/>', "").replace(
        b"<svg", f'<!DOCTYPE svg SYSTEM "{url}"><svg'.encode(), 1
    )
    assert "hair" not in str(outcome(data)).replace("#hair", "")


#: What has too much of something, and the end that it comes to.
TOO_MUCH = {
    "groups in groups": ("<g>" * MB, "deep in each other"),
    "siblings": (PATH * 40_000, "elements"),
    "siblings, each a layer": (PATH * 20_000, "layers"),
    "markup": ("<desc>" + "x" * 17 * MB + "</desc>", "without its pictures"),
    "attributes": ("<g " + " ".join(f'a{n}=""' for n in range(401_000)) + "/>", "attributes"),
    "a style": (f'<path style="{"fill:red;" * 9999}"/>', "attribute style"),
    "a transform": (f'<path transform="{"scale(1)" * 9999}"/>', "attribute transform"),
    "an id": (f'<path id="{"a" * 99_999}"/>', "attribute id"),
    "path data": (f'<path d="M0 0{"h1" * 400_000}"/>', "segments"),
    "path data in one command": (f'<path d="M0 0h{"1 " * 400_000}"/>', "segments"),
    "segments without length": (f'<path d="M0 0h{"0 " * 900}"/>' * 999, "segments"),
    "rings without segments": (f'<path d="{"M0 0z" * 400_000}"/>', "segments"),
    "arcs": (f'<path d="M0 0a{"1 1 0 0 1 1 1 " * 100_000}"/>', "segments"),
    "points": (f'<polygon points="{"1 " * 800_000}"/>', "segments"),
    "clones of clones": (
        "<g id='a0'/>" + "".join(f"<g id='a{n}'>" + f"<use href='#a{n - 1}'/>" * 9 + "</g>" for n in range(1, 9)),
        "clones",
    ),
    "a chain of clones": ("".join(f"<g id='a{n}'><use href='#a{n + 1}'/></g>" for n in range(999)), "clones .* deep"),
    "clones of a long path": (
        f"<defs><path id='p' d='M0 0h{'1 ' * 9999}'/></defs><g>" + "<use href='#p'/>" * 99 + "</g>", "segments",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TOO_MUCH)
def test_too_much(case: str) -> None:
    body, said = TOO_MUCH[case]
    assert re.search(f"more than .*{said}|{said}", str(outcome(svg(body))))


def many(element: str, count: int = 300) -> str:
    return f"<g>{element * count}</g>"


#: What tries to take long on its way to a drawing: each is quadratic, or worse, for a reader that is not careful.
SLOW = {
    "arc digits": f'<path d="M0 0A{"2" * 9999}"/>',
    "arc blanks": f'<path d="M0 0A{"2 " * 9999}"/>',
    "length blanks": many(f'<rect width="1{" " * 9999}!" height="9"/>'),
    "url blanks": many(f'<rect width="9" height="9" fill="url(#{" " * 9999}"/>'),
    "transform blanks": many(f'<rect width="9" height="9" transform="{" " * 9999}!"/>'),
    "colour digits": many(f'<rect width="9" height="9" fill="rgb({"1," * 9999})"/>'),
    "style comments": many(f'<path style="{"/*" * 9999}"/>'),
    "style declarations": many(f'<path style="{"a:;" * 9999}"/>'),
    "sheet comments": f"<style>{'/*' * MB}</style>",
    "sheet braces": f"<style>{'{' * MB}</style><style>{'}' * MB}</style>",
    "sheet rules": f"<style>{'.a{fill:red}' * 30_000}</style>" + many('<path class="a" d="M0 0h1v1z"/>', 2500),
    "sheet selectors": f"<style>{'.a,' * 99_999}.b{{fill:red}}</style>",
    "classes": "<style>.a{fill:red}</style>" + many(f'<path class="{"a " * 9999}" d="M0 0h1v1z"/>'),
    "text in pieces": "<title>" + "a\n&#10;" * MB + "</title>",
    "metadata": f"<metadata>{'[' * 60_000}</metadata>",
    "the same id": many('<path id="a" d="M0 0h1v1z"/>', 2500),
    "no id": many(PATH, 2500),
    "layers in turn": many(f"<g>{PATH}</g>{PATH}", 900).replace("<g>", "<g id='a'>"),
    "stops": "<linearGradient id='a'>" + "<stop/>" * 9999 + "</linearGradient>"
    + many("<rect width='9' height='9' fill='url(#a)'/>", 2500),
    "clones of what draws nothing": f"<defs><g id='a'>{'<desc/>' * 9999}</g></defs>" + many("<use href='#a'/>", 2500),
    "clones of no segments": f"<defs><path id='a' d='M0 0h{'0 ' * 99_999}'/></defs>" + many("<use href='#a'/>", 2500),
    "clones of a style": f"<defs><path id='a' d='M0 0h1v1z' style='{'a:b;' * 9999}' transform='{'scale(1)' * 7999}'/>"
     "</defs>" + many("<use href='#a'/>", 2500),
    "notes": "<g>" + "".join(f"<text id='{n}{'x' * 500}'/>" for n in range(9999)) + "</g>",
    "rings apart": '<path d="' + "".join(f"M{n % 300} {n // 300}h.5v.5z" for n in range(9000)) + '"/>',
    "rings in rings": '<path d="' + "".join(f"M0 0h{n}v{n}z" for n in range(1, 3000)) + '"/>',
    "transforms that multiply": "<g transform='scale(1e9)'>" * 100 + PATH + "</g>" * 100,
    "gradients in a ring": "<linearGradient id='a' href='#b'/><linearGradient id='b' href='#a'/>"
    + many("<rect width='9' height='9' fill='url(#a)'/>", 2500),
}  # fmt: skip


@pytest.mark.parametrize("case", SLOW)
def test_slow(case: str) -> None:
    assert isinstance(outcome(svg(SLOW[case])), Drawing)


def test_large_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compressed file is not taken apart further than one that is not may be long."""
    monkeypatch.setattr(svg_tree, "MAX_BYTES", MB)
    bomb = gzip.compress(svg(" " * 9 * MB))
    for data in (bomb, gzip.decompress(bomb)):
        assert "larger than 1 MB" in str(outcome(data))
    path = tmp_path / "a.svg"
    path.write_bytes(gzip.decompress(bomb))
    with pytest.raises(SvgError, match=r"^a\.svg: larger than 1 MB"):
        svg_reader.read_svg(path)
    if os.path.exists("/dev/zero"):
        with pytest.raises(SvgError):
            svg_reader.read_svg("/dev/zero")


def test_an_embedded_photo_of_30_megabytes() -> None:
    photo = "data:image/jpeg;base64," + "QUJD" * (30 * MB // 4)
    drawing = outcome(svg(f'<g id="photo"><image href="{photo}"/></g>'))
    assert isinstance(drawing, Drawing)
    assert drawing.photo == photo


@pytest.mark.parametrize("value", ["NaN", "inf", "-inf", "1e400", "-1e400", "1e-400", "9" * 150, "-0", "1e9", "1e300"])
def test_numbers_that_are_none(value: str) -> None:
    for name in "x width height rx opacity stroke-width fill fill-opacity transform style".split():
        sides = "".join(f' {side}="9"' for side in ("width", "height") if side != name)
        outcome(svg(f'<rect{sides} stroke="red" {name}="{value}"/>'))
    for data in (
        f"L{value} 1",
        f"a{value} 1 0 0 1 5 5",
        f"a5 5 {value} 0 1 5 5",
        f"h{value}h{value}z",
        f"t{value} 1 2",
    ):
        outcome(svg(f'<path d="M0 0{data}"/><path d="M{value} 0{data}"/>'))
    for box in (f"0 0 {value} 9", f"{value} 0 9 9", f"0 0 9 {value}"):
        for width in ("9", value, "9mm"):
            outcome(f'<svg viewBox="{box}" width="{width}"><g transform="scale({value})">{PATH}</g></svg>'.encode())
