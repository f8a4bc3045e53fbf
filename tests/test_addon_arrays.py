"""What the add-on does on numpy's arrays it does without them, to the last bit: each way beside the other."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blender_addon import arrays, outlines, path_reader, sheets, svg_reader
from blender_addon.areas import box_of, overlaps
from blender_addon.drawing import Affine, Budget, Drawing, Ring
from blender_addon.path_reader import PathError, TooLong, parse_path
from blender_addon.sheets import Frame, sheets_of, splines_of, steps

DATA = Path(__file__).parent
FILES = [*sorted((DATA / "data").glob("*.svg")), *sorted((DATA / "blender" / "data").glob("*.svg"))]
ARITY = {"m": 2, "l": 2, "h": 1, "v": 1, "c": 6, "s": 4, "q": 4, "t": 2, "z": 0, "a": 7}

numbers = st.one_of(
    st.integers(-9, 9).map(str),
    st.floats(-1000, 1000).map(lambda value: f"{value:.2f}"),
    st.floats(-1, 1).map(lambda value: f"{value:.3f}".replace("0.", ".")),
    st.sampled_from(["0", "-0", "5.", "-.5", "0.1", "000.10", "123456789.123456", "999999999.9", "3e1", "+2"]),
    st.sampled_from(["1000000000", "12345678901234567", ".12345678901234567", ".", "-", "1.2.3", "--1", "nan", "٣"]),
)


@st.composite
def commands(draw: st.DrawFn) -> str:
    """One command with its numbers: mostly as many as it takes, in any of the ways to part them."""
    name = draw(st.sampled_from("MmLlHhVvCcSsQqTtZzlc" + "a" * draw(st.integers(0, 1))))
    repeats = draw(st.integers(1, 12))
    words = [draw(numbers) for _ in range(ARITY[name.lower()] * repeats + draw(st.sampled_from([0] * 30 + [1])))]
    text = words[0] if words else ""
    for word in words[1:]:
        text += ("" if word.startswith("-") else draw(st.sampled_from([" ", ",", "\n", " , "]))) + word
    return name + draw(st.sampled_from(["", " "])) + text


paths = st.lists(commands(), max_size=6).map(lambda found: "M" + "1 2" + "".join(found))


def bits(points: object) -> list[tuple[str, str]]:
    """Every bit, but that zero has no sign."""
    assert isinstance(points, tuple | arrays.Points)
    assert all(type(point) is complex for point in points)
    return [((point.real + 0.0).hex(), (point.imag + 0.0).hex()) for point in points]


def both(monkeypatch: pytest.MonkeyPatch, data: bytes) -> tuple[Drawing, Drawing]:
    """A drawing as read on arrays, however small, and as read without."""
    monkeypatch.setattr(path_reader, "_ROW", 1)
    monkeypatch.setattr(outlines, "MANY", 0)
    quick = svg_reader.parse_svg(data)
    monkeypatch.setattr(path_reader, "_arrays", lambda: None)
    plain = svg_reader.parse_svg(data)
    monkeypatch.undo()
    return quick, plain


def rings(drawing: Drawing) -> list[Ring]:
    return [ring for layer in drawing.layers for shape in layer.shapes for ring in shape.rings]


def big(count: int = 60) -> bytes:
    """Paths of all kinds on two layers, filled and stroked, mapped and not."""
    chance = random.Random(7)

    def words(amount: int) -> str:
        return " ".join(f"{chance.uniform(-9, 9):.{chance.randint(0, 3)}f}" for _ in range(amount))

    shapes = []
    for index in range(count):
        data = f"M{chance.uniform(100, 900):.2f},{chance.uniform(100, 900):.2f}"
        data += "c1 1 2 0 3 0" * 9
        for name in chance.choices("ccCllLhvsqtzm", k=4):
            data += name + words(ARITY[name.lower()] * chance.choice([1, 2, 30]))
        place = chance.choice(["", "translate(3.5 4.25)", "scale(-2 .5)"])
        style = chance.choice(["fill:#123;fill-rule:evenodd", "fill:#456", "fill:none;stroke:#f00;stroke-width:2"])
        shapes.append(f'<path id="p{index}" transform="{place}" style="{style}" d="{data}{chance.choice("zZ ")}"/>')
    half = count // 2
    layers = f'<g id="a">{"".join(shapes[:half])}</g><g id="b" transform="translate(.5 0)">{"".join(shapes[half:])}</g>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 1000">{layers}</svg>'.encode()


@given(st.lists(paths, min_size=1, max_size=4))
def test_many_paths_are_read_as_each_alone(texts: list[str]) -> None:
    for text, runs in zip(texts, arrays.read_runs(texts), strict=True):
        if runs is None:
            continue
        expected = parse_path(text)  # sound: nothing with an error is read ahead
        written = [float(word) for word in re.findall(path_reader.NUMBER, text)]
        assert [value.hex() for _, values in runs for value in values.tolist()] == [value.hex() for value in written]
        row = path_reader._ROW
        for path_reader._ROW in (1, row):
            read = parse_path(text, runs=runs)
            assert [ring.closed for ring in read] == [ring.closed for ring in expected]
            assert [bits(ring.points) for ring in read] == [bits(ring.points) for ring in expected]


@given(paths, st.integers(1, 80))
def test_what_is_drawn_is_counted_alike(text: str, most: int) -> None:
    runs = arrays.read_runs([text])[0]
    if runs is None:
        return
    left = []
    for ahead in (None, runs):
        budget = Budget(most)
        try:
            parse_path(text, budget, ahead)
        except TooLong:
            left.append(-1)
        else:
            left.append(budget.left)
    assert left[0] == left[1]


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "5 5", "L1 2", "M", "M1", "M1 2 3", "1M1 2", "M1 2L3", "M1 2L3 4 5", "M1 2L1L2", "M1 2z3",
        "M1 2 1e3 4", "M1 2 a1 1 0 0 1 2 2", "M+1 2", "M1 2.3.4", "M1 2 . 3", "M1 2 - 3", "M1 2 --3 4",
        "M1 2 1000000000 4", "M1 2 1234567890123456 4", "M1 2x", "M1 2 3 ٣", "M1 2\u20283 4", "M1 2;3 4", "M1 2 h",
        "m1 2 c1 2 3 4 5",
    ],
)  # fmt: skip
def test_what_is_out_of_the_ordinary_is_left_to_the_grammar(text: str) -> None:
    sound = "M1 2L3 4z"
    before, runs, after = arrays.read_runs([sound, text, sound])
    assert runs is None
    for each in (before, after):
        assert each is not None
        assert [(name, values.tolist()) for name, values in each] == [("M", [1, 2]), ("L", [3, 4]), ("z", [])]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_files_are_read_alike(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick, plain = both(monkeypatch, file.read_bytes())
    assert quick == plain
    assert any(isinstance(ring.points, arrays.Points) for ring in rings(quick))
    assert not any(isinstance(ring.points, arrays.Points) for ring in rings(plain))


def test_all_kinds_of_paths_become_the_same_splines(monkeypatch: pytest.MonkeyPatch) -> None:
    quick, plain = both(monkeypatch, big())
    assert quick == plain
    frame = Frame(0.001, 500 + 500j)
    assert sum(isinstance(ring.points, arrays.Points) for ring in rings(quick)) > 50
    types = set()
    for one, other in zip(quick.layers, plain.layers, strict=True):
        for a, b in zip(sheets_of(one), sheets_of(other), strict=True):
            assert a.digest() == b.digest()
            assert a.slots == b.slots
            ours, theirs = splines_of(a.rings(frame.unit), frame), splines_of(b.rings(frame.unit), frame)
            types |= {kind for spline in theirs for kind in spline.left_types}
            for spline, expected in zip(ours, theirs, strict=True):
                for field in ("co", "left", "right"):
                    assert bytes(getattr(spline, field)) == getattr(expected, field).tobytes()
                assert spline[3:] == expected[3:]
            assert steps(ours, frame.unit) == steps(theirs, frame.unit)
    assert types == {sheets.FREE, sheets.VECTOR, sheets.ALIGNED}


def test_boxes_and_what_lies_across_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    quick, plain = ([shape.rings for shape in one.layers[0].shapes] for one in both(monkeypatch, big()))
    assert arrays.boxes(quick) == [box_of([point for ring in rings for point in ring.points]) for rings in plain]
    assert overlaps(quick) == overlaps(plain)


def test_shapes_that_bulge_into_each_other_overlap() -> None:
    """A curve that bulges between its ends and its middle: what overlaps there is seen, what only comes near is not."""
    bulge = Ring((0j, 20 + 0j, -12 + 10j, 10j, 20j / 3, 10j / 3), True)
    along = [
        3 * t * (1 - t) ** 2 * 20 + 3 * t**2 * (1 - t) * (-12 + 10j) + t**3 * 10j for t in (k / 100 for k in range(101))
    ]
    far = max(along, key=lambda place: place.real)
    for shift, seen in ((-0.5, True), (0.5, False)):
        corners = [far + shift, far + shift + 4 - 3j, far + shift + 4 + 3j]
        ends = [*corners[1:], corners[0]]
        thirds = [p + k * (q - p) / 3 for p, q in zip(corners, ends, strict=True) for k in range(3)]
        assert overlaps([[bulge], [Ring(tuple(thirds), True)]]) == ([{1}, {0}] if seen else [set(), set()])


def test_a_file_of_few_paths_is_read_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """numpy is not imported for a portrait; and where there is none, a large file is read all the same."""
    few, many = big(4), big(300)
    assert len(few) < outlines.MANY < len(many)
    assert not any(isinstance(ring.points, arrays.Points) for ring in rings(svg_reader.parse_svg(few)))
    assert any(isinstance(ring.points, arrays.Points) for ring in rings(svg_reader.parse_svg(many)))
    monkeypatch.setattr(path_reader, "_arrays", lambda: None)
    assert not any(isinstance(ring.points, arrays.Points) for ring in rings(svg_reader.parse_svg(many)))


def test_points_are_a_tuple_to_everyone() -> None:
    (ring,) = parse_path("M0 0c1 0 2 1 3 3l4 4 5-9z", runs=arrays.read_runs(["M0 0" + "c1 0 2 1 3 3" * 20 + "z"])[0])
    points = tuple(ring.points)
    assert isinstance(ring.points, arrays.Points)
    assert (ring.points, ring) == (points, Ring(points, True))
    assert hash(ring) == hash(Ring(points, True))
    assert ring.points != points[:-1]
    assert (ring.points[3:7], ring.points[-1], repr(ring.points)) == (points[3:7], points[-1], repr(points))
    assert ring.area() == Ring(points, True).area()
    turned = Affine(1j, 0.5, 3 + 4j)
    assert ring.mapped(turned) == Ring(points, True).mapped(turned)
    assert ring.in_measure()
    assert not ring.mapped(Affine(1e9)).in_measure()
    assert not ring.mapped(Affine(complex("nan"))).in_measure()


@pytest.mark.parametrize("name", ["c0 0 0 0 0 0", "l0 0", "c1 1 2 2 3 3 0 0 0 0 0 0"])
def test_segments_without_length_are_left_away(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path_reader, "_ROW", 1)
    text = f"M1 1{name * 3}l3 4 5 6 7-9"
    assert [bits(ring.points) for ring in parse_path(text, runs=arrays.read_runs([text])[0])] == [
        bits(ring.points) for ring in parse_path(text)
    ]


def test_errors_are_those_of_the_grammar() -> None:
    """A path with an error among sound ones, in a large file, is drawn up to there, and a note says so."""
    sound = "M1 1" + "c1 0 2 1 3 3" * 100
    shapes = "".join(f'<path id="p{index}" d="{sound}"/>' for index in range(outlines.MANY // len(sound) + 1))
    shapes += '<path id="bad" d="M1 1L5 5 6"/>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><g>{shapes}</g></svg>'
    drawing = svg_reader.parse_svg(svg.encode())
    assert drawing.notes == ("bad: its data break off: drawn up to there",)
    assert isinstance(drawing.layers[0].shapes[0].rings[0].points, arrays.Points)
    with pytest.raises(PathError):
        parse_path("M1 1L5 5 6")
