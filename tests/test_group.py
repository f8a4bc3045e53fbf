"""Several heads: one map for all, whose each pixel is, and what the command makes of it."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import cv2
import numpy as np
import pytest
from command import Capture, one_line, run
from conftest import ROOT, draw_face
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from faceparse_core.group import PER_FACE, Claim, count_faces, join_maps, labels_of, parts_of
from faceparse_core.heads import Head
from faceparse_core.parse import measure_head, parse_heads, parse_photo
from faceparse_core.parser import load_parser
from faceparse_core.parts import BY_NAME, HAIR, PARTS, PRESETS
from faceparse_core.photo import Photo, read_label_map, read_photo
from svg_export.check import INKSCAPE, SVG, check_svg
from svg_export.export import Sitter, draw, draw_group, sitters_in
from svg_export.layers import TraceSettings
from svg_export.looks import LookSettings
from svg_export.neighbours import reach_beneath
from svg_export.palette import read_palette
from svg_export.preview import paint
from svg_export.subpixel import Evidence

ASTRONAUT, HOPPER = (ROOT / "examples" / name for name in ("astronaut.jpg", "grace_hopper.jpg"))
ALL = PRESETS["all"]


def claim(labels: NDArray[np.uint8], left: int = 0, top: int = 0) -> Claim:
    at = measure_head(labels)
    return Claim(labels, left, top, Head(at.x + left, at.y + top, at.size, 1.0))


def painted(group: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A photo in which every face and part has a colour of its own."""
    colors = np.random.default_rng(0).integers(30, 255, (256, 3)).astype(np.uint8)
    return colors[group]


def two(apart: int, size: tuple[int, int] = (240, 180)) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The truth of two drawn heads so many px apart, the right one in front, and a photo of it."""
    face = draw_face(size)
    truth = np.zeros((size[0], size[1] + apart), np.uint8)
    truth[:, : size[1]] = face
    right = truth[:, apart:]
    right[face > 0] = face[face > 0] + PER_FACE
    return truth, painted(truth)


# ---------------------------------------------------------------------------------------------------- maps of several


@given(st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_a_map_of_several_is_taken_apart_and_put_together(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = rng.integers(0, len(PARTS), (9, 11))
    faces = rng.integers(1, count + 1, (9, 11))
    kind = np.uint8 if count <= 12 else np.uint16
    group = np.where(parts > 0, parts + PER_FACE * (faces - 1), 0).astype(kind)
    assert count_faces(group) <= count
    assert (parts_of(group) == parts).all()
    again = np.zeros_like(group)
    for face in range(1, count + 1):
        own = labels_of(group, face)
        assert own.dtype == np.uint8
        assert (own == np.where(faces == face, parts, 0)).all()
        again[own > 0] = own[own > 0].astype(kind) + kind(PER_FACE * (face - 1))
    assert (again == group).all()


# ------------------------------------------------------------------------------------------------------------ whose


def test_one_head_has_what_it_claims(face: NDArray[np.uint8]) -> None:
    rgb = np.zeros((*face.shape, 3), np.uint8)
    assert (join_maps(rgb, [claim(face)]) == face).all()


def test_heads_far_from_each_other_have_what_they_claim(face: NDArray[np.uint8]) -> None:
    truth = np.hstack([face, np.where(face > 0, face + PER_FACE, 0).astype(np.uint8)])
    joined = join_maps(painted(truth), [claim(face), claim(face, left=face.shape[1])])
    assert (joined == truth).all()


@pytest.mark.parametrize("apart", [110, 120, 150])
def test_overlapping_crops_are_parted_where_the_heads_meet(apart: int) -> None:
    """Both crops show both heads, but the other's face; the photo tells whose hair is whose."""
    truth, rgb = two(apart)
    skin = np.isin(parts_of(truth), [1, 2, 3, 4, 5, 10, 11, 12, 13])
    claims = []
    for number in (1, 2):
        seen = parts_of(truth)
        seen[skin & (labels_of(truth, number) == 0)] = 0
        at = measure_head(labels_of(truth, number))
        claims.append(Claim(seen, 0, 0, at))
    joined = join_maps(rgb, claims)
    for number in (1, 2):
        mine, right = labels_of(joined, number), labels_of(truth, number)
        assert (mine > 0)[right > 0].mean() > 0.97
        assert (right > 0)[mine > 0].mean() > 0.97
        face = np.isin(right, [1, 4, 5, 10, 12, 13])
        assert (mine == right)[face].mean() > 0.97


def test_what_one_claims_beyond_the_others_crop_is_the_nearer_ones() -> None:
    """A child's jacket that only the parent's wide crop reaches is the child's."""
    truth, rgb = two(240)
    left, right = labels_of(truth, 1), labels_of(truth, 2)
    cut = 200  # the right head's crop ends above its clothes
    small = claim(right[:cut].copy())
    wide = Claim(parts_of(truth) * ~np.isin(right, [1, 2, 3, 4, 5, 10, 11, 12, 13]), 0, 0, measure_head(left))
    joined = join_maps(rgb, [wide, small])
    cloth = (right == BY_NAME["cloth"].id) & (np.arange(len(right))[:, None] > cut)
    assert (labels_of(joined, 2) > 0)[cloth].mean() > 0.9


def test_the_same_claims_give_the_same_map() -> None:
    truth, rgb = two(110)
    claims = [Claim(parts_of(truth), 0, 0, measure_head(labels_of(truth, number))) for number in (1, 2)]
    assert (join_maps(rgb, claims) == join_maps(rgb, claims)).all()


@pytest.mark.parametrize("scale", [1, 3])
def test_a_large_photo_is_parted_like_a_small_one(scale: int) -> None:
    truth, rgb = two(110)
    large = np.kron(truth, np.ones((scale, scale), np.uint8))
    claims = [Claim(parts_of(large), 0, 0, measure_head(labels_of(large, number))) for number in (1, 2)]
    joined = join_maps(np.kron(rgb, np.ones((scale, scale, 1), np.uint8)), claims)
    mine = (joined > 0) & (joined // PER_FACE == large // PER_FACE)
    assert mine[large > 0].mean() > 0.97


# ---------------------------------------------------------------------------------------------------------- of photos


@pytest.fixture(scope="module")
def pair() -> Photo:
    """The two examples beside each other, the second one smaller."""
    left, right = (read_photo(path).rgb for path in (ASTRONAUT, HOPPER))
    right = cv2.resize(right, (right.shape[1] * left.shape[0] // right.shape[0], left.shape[0]))
    return Photo(np.ascontiguousarray(np.hstack([left, right.astype(np.uint8)])), "pair")


@pytest.fixture(scope="module")
def parser():
    return load_parser()


def test_every_head_is_found_the_largest_first(pair: Photo, parser) -> None:
    group = parse_heads(pair, parser)
    assert len(group.faces) == count_faces(group.labels) == group.heads == 2
    assert group.faces[0].head_size > group.faces[1].head_size
    for number, face in enumerate(group.faces, 1):
        own = labels_of(group.labels, number)
        assert set(np.unique(own).tolist()) - {0} == set(face.colors) - {0}
        assert measure_head(own).size == pytest.approx(face.head_size, rel=0.1)
    assert group.faces[0].colors[0] == group.faces[1].colors[0]  # the background is everybody's


def test_the_n_largest_and_no_more_runs_of_the_network(pair: Photo, parser) -> None:
    alone, one, all_ = (parse_heads(pair, parser, most=most) for most in (1, 1, None))
    assert (alone.labels == one.labels).all()
    assert (parse_photo(pair, parser).labels == one.labels).all()
    assert len(one.faces) == 1
    assert len(parse_heads(pair, parser, most=5).faces) == len(all_.faces) == 2


def test_one_head_is_the_same_however_it_is_asked_for(parser) -> None:
    photo = read_photo(ASTRONAUT)
    one, every = parse_heads(photo, parser, most=1), parse_heads(photo, parser)
    assert (one.labels == every.labels).all()
    assert one.faces[0].colors == every.faces[0].colors


def test_a_head_that_is_found_twice_is_one(parser, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = read_photo(ASTRONAUT)
    at = measure_head(parse_photo(photo, parser).labels)
    twice = (at, Head(at.x + 0.6 * at.size, at.y, at.size, 0.5))  # what was taken for a second head shows the same face
    monkeypatch.setattr("faceparse_core.heads.find_heads", lambda *_: twice)
    group = parse_heads(photo, parser)
    assert (group.heads, len(group.faces)) == (2, 1)


# ---------------------------------------------------------------------------------------------------------- the file


def layers_in(data: bytes) -> dict[str, list[str]]:
    """Group -> the ids of its layers, bottom to top; of those in no group under ""."""
    found: dict[str, list[str]] = {}
    for group in ET.fromstring(data).findall(f"{SVG}g"):
        inner = group.findall(f"{SVG}g")
        if re.fullmatch(r"face\d+", group.get("id", "")):
            found[group.get("id", "")] = [each.get("id", "") for each in inner]
        else:
            found.setdefault("", []).append(group.get("id", ""))
    return found


@pytest.mark.parametrize("style", ["flat", "outline", "flat+outline", "cel", "cel+outline"])
@pytest.mark.parametrize("joins", ["underlap", "stacked", "cutout"])
def test_every_face_is_a_group_of_named_layers(style, joins) -> None:
    truth, rgb = two(120)
    look, trace = LookSettings(style=style), TraceSettings(joins=joins)
    sitters = tuple(Sitter(evidence=Evidence(rgb)) for _ in sitters_in(truth))
    drawn = draw_group(truth, sitters, ALL, trace, look, title="two", background=True)
    assert check_svg(drawn.svg) == []
    found = layers_in(drawn.svg)
    assert list(found) == ["", "face2", "face1"]  # face 1 on top
    assert found[""] == ["background"]
    assert "face2-hair" in found["face2"] or style == "outline"
    assert all(name.startswith("face2-") for name in found["face2"])
    assert not any(name.startswith("face") for name in found["face1"])
    assert [*found["face2"], *found["face1"]] == drawn.names
    root = ET.fromstring(drawn.svg)
    labels = [group.get(f"{{{INKSCAPE[1:-1]}}}label") for group in root.findall(f"{SVG}g")]
    assert labels == ["Background", "Face 2", "Face 1"]
    assert "Face 2 (" in root.findtext(f"{SVG}desc", "")
    assert json.loads(root.findtext(f"{SVG}metadata", ""))["faces"] == 2


def test_one_face_is_the_file_that_it_was(face: NDArray[np.uint8]) -> None:
    one = draw(face, {}, ALL, title="x").svg
    assert draw_group(face, [Sitter()], ALL, title="x").svg == one
    assert list(layers_in(one)) == [""]
    assert b"faces" not in one


def test_a_face_without_what_is_asked_for_is_left_out(face: NDArray[np.uint8]) -> None:
    hatted = face.copy()
    hatted[:60][hatted[:60] == HAIR] = BY_NAME["hat"].id
    truth = np.hstack([face, np.where(hatted > 0, hatted + PER_FACE, 0).astype(np.uint8)])
    drawn = draw_group(truth, sitters_in(truth), frozenset({BY_NAME["hat"].id}), title="x")
    assert check_svg(drawn.svg) == []
    assert layers_in(drawn.svg) == {"face2": ["face2-hat"]}


@pytest.mark.parametrize("apart", [105, 120])
def test_no_page_shines_through_between_two_heads(apart: int) -> None:
    truth, _ = two(apart)
    sides = {1: {17: (200, 0, 0)}, 2: {17: (0, 0, 200)}}
    drawn = draw_group(truth, [Sitter(sides[k]) for k in (1, 2)], ALL, title="x")
    size = truth.shape
    page = (255, 0, 255)
    fine = (size[0] * 3, size[1] * 3)
    seen = paint(drawn.faces, size, fine, page).reshape(size[0], 3, size[1], 3, 3)
    shines = (seen == page).all(axis=4).any(axis=(1, 3))
    inside = cv2.erode((truth > 0).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    assert not shines[inside].any()


def test_beneath_another_head_goes_only_a_rim_and_only_where_that_is_drawn() -> None:
    truth, _ = two(105)
    truth = np.where(truth > 0, (truth + PER_FACE) % (2 * PER_FACE), 0).astype(np.uint8)  # face 2 is behind
    parts = frozenset({HAIR})
    plain = labels_of(truth, 2)
    size = 100.0
    grown = reach_beneath(truth, 2, parts, TraceSettings(), size)
    more = (grown != plain) & (grown > 0)
    assert more.any()
    assert (labels_of(truth, 1)[more] == HAIR).all()
    far = cv2.distanceTransform((plain == 0).astype(np.uint8), cv2.DIST_L2, 5)
    assert far[more].max() <= TraceSettings().hidden_reach * size + 1
    assert (grown[plain > 0] == plain[plain > 0]).all()
    assert (reach_beneath(truth, 2, parts, TraceSettings(joins="cutout"), size) == plain).all()
    assert (reach_beneath(truth, 1, parts, TraceSettings(), size) == labels_of(truth, 1)).all()


def test_lines_alone_show_no_head_through_another() -> None:
    """Every line of the head behind keeps off the one in front."""
    truth, _ = two(105)
    truth = np.where(truth > 0, (truth + PER_FACE) % (2 * PER_FACE), 0).astype(np.uint8)
    drawn = draw_group(truth, sitters_in(truth), ALL, None, LookSettings(style="outline"), title="x")
    behind = drawn.faces[1]
    assert behind.outline is not None
    front = cv2.erode((labels_of(truth, 1) > 0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    places = np.concatenate([line.points[::3] for line in behind.outline.lines]).astype(int)
    x, y = np.clip(places[:, 0], 0, front.shape[1] - 1), np.clip(places[:, 1], 0, front.shape[0] - 1)
    assert not front[y, x].any()
    assert any(not line.closed for line in behind.outline.lines)


def test_a_budget_is_one_for_all_heads() -> None:
    truth, _ = two(170)
    free = draw_group(truth, sitters_in(truth), ALL, title="x")
    most = round(0.7 * free.nodes)
    kept = draw_group(truth, sitters_in(truth), ALL, TraceSettings(max_nodes=most), title="x")
    assert kept.nodes <= most
    assert kept.error is not None
    least = draw_group(truth, sitters_in(truth), ALL, TraceSettings(max_nodes=10), title="x")
    assert 10 < least.nodes < kept.nodes
    plenty = draw_group(truth, sitters_in(truth), ALL, TraceSettings(max_nodes=100_000), title="x")
    assert plenty.nodes == free.nodes


def test_every_face_has_colours_of_its_own_and_a_palette_may_name_them() -> None:
    truth, _ = two(170)
    sitters = [Sitter({HAIR: (1, 2, 3)}), Sitter({HAIR: (4, 5, 6)})]
    plain = draw_group(truth, sitters, ALL, title="x").palette
    assert (plain["hair"], plain["face2-hair"]) == ((1, 2, 3), (4, 5, 6))
    given = {"hair": (9, 9, 9), "face2-head": (7, 7, 7), "face2-hair": (8, 8, 8)}
    named = draw_group(truth, sitters, ALL, title="x", swatches=given).palette
    assert (named["hair"], named["face2-hair"], named["face2-head"]) == ((9, 9, 9), (8, 8, 8), (7, 7, 7))
    assert named["head"] == plain["head"]
    common = draw_group(truth, sitters, ALL, title="x", swatches={"hair": (9, 9, 9)}).palette
    assert common["hair"] == common["face2-hair"] == (9, 9, 9)


def test_the_check_sees_what_is_wrong_with_groups() -> None:
    truth, _ = two(170)
    good = draw_group(truth, sitters_in(truth), PRESETS["contour"], title="x").svg.decode()
    assert check_svg(good.encode()) == []
    head, second, first, tail = re.split(r'(?= <g id="face[12]")|(?=</svg>)', good)
    assert any("order" in each for each in check_svg((head + first + second + tail).encode()))
    assert any("lies in face 2" in each for each in check_svg(good.replace('"face2-', '"').encode()))
    assert any("no Inkscape layer" in each for each in check_svg(good.replace(' inkscape:label="Face 2"', "").encode()))
    assert any("face1-hair" in each for each in check_svg(good.replace('id="hair"', 'id="face1-hair"').encode()))


# -------------------------------------------------------------------------------------------------------- the command


@pytest.fixture
def pair_file(tmp_path: Path, pair: Photo) -> Path:
    path = tmp_path / "pair.png"
    cv2.imwrite(str(path), pair.rgb[..., ::-1])
    return path


def test_all_heads_in_one_svg_and_back_from_their_labels(pair_file: Path, tmp_path: Path, capsys: Capture) -> None:
    extra = ("--save-labels", "--save-palette", "--preview", "--json", "--parts", "all", "--style", "cel+outline")
    assert run(pair_file, "--heads", "all", *extra) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (written,) = (each for each in events if each["event"] == "written")
    assert (written["heads"], written["faces"]) == (2, 2)
    assert {"hat", "face2-hair"} <= set(written["layers"])
    data = pair_file.with_suffix(".svg").read_bytes()
    assert check_svg(data) == []
    assert list(layers_in(data)) == ["face2", "face1"]
    assert {"hat", "face2-hair", "outline", "face2-outline"} <= set(read_palette(pair_file.with_suffix(".gpl")))
    assert cv2.imread(str(tmp_path / "pair.preview.png")) is not None
    labels = read_label_map(tmp_path / "pair.labels.png")
    assert count_faces(labels) == 2
    (tmp_path / "again").mkdir()
    assert run(tmp_path / "pair.labels.png", "--from-labels", "-o", tmp_path / "again", "--parts", "all") == 0
    again = (tmp_path / "again" / "pair.svg").read_bytes()
    assert check_svg(again) == []
    assert list(layers_in(again)) == ["face2", "face1"]


def test_one_head_asked_for_by_number_is_the_largest(pair_file: Path, tmp_path: Path, capsys: Capture) -> None:
    for words in ((), ("--heads", "largest"), ("--heads", "1")):
        out = tmp_path / f"{len(words)}{words[-1:]}.svg"
        assert run(pair_file, *words, "-o", out) == 0
    said = capsys.readouterr().err
    assert said.count("2 heads found; the largest one is drawn (--heads all draws all)") == 2
    one, two_, three = sorted(path.read_bytes() for path in tmp_path.glob("*.svg"))
    assert one == two_ == three


def test_fewer_heads_than_asked_for_are_drawn_and_said(photo: Path, capsys: Capture) -> None:
    assert run(photo, "--heads", "3") == 0
    assert "3 heads asked for; there is 1" in capsys.readouterr().err
    assert list(layers_in(photo.with_suffix(".svg").read_bytes())) == [""]


@pytest.mark.parametrize("word", ["0", "-2", "some", "2.5"])
def test_heads_that_are_no_number(photo: Path, capsys: Capture, word: str) -> None:
    assert run(photo, f"--heads={word}") == 2
    assert f"'{word}' is no number of heads from 1 on, nor one of: largest, all" in one_line(capsys)
    assert not photo.with_suffix(".svg").exists()


def test_heads_are_those_of_a_photo(face_png: Path, capsys: Capture) -> None:
    assert run(face_png, "--from-labels", "--heads", "all") == 2
    assert "every head of the map is drawn" in one_line(capsys)
