"""Parts that a model has of its own, from the file beside it to the drawing."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from any_maps import Labels, evidence_of, faults, maps
from command import Capture, one_line, run
from conftest import draw_face
from hypothesis import given, settings
from hypothesis import strategies as st
from own_networks import DATA, GREEN, STICKERS, describe, is_green, stickered, twenty_one

from faceparse_core import contours, load_parser, mask, parse_photo, read_photo
from faceparse_core.classes import Classes, classes_beside, read_classes, to_parts
from faceparse_core.clean import clean_labels, upsample_labels
from faceparse_core.colors import srgb_to_oklab
from faceparse_core.errors import FaceParseError, LabelMapError, ModelError
from faceparse_core.group import PER_FACE, Claim, count_faces, faces_of, join_maps, labels_of, parts_of
from faceparse_core.parse import measure_head
from faceparse_core.parts import (
    BY_NAME,
    BY_PLANE,
    HEAD,
    LAYER_ORDER,
    MOST_OWN,
    OWN,
    PAINT_ORDER,
    PARTS,
    PRESETS,
    STANDARD,
    PartTable,
    own_parts,
    select_labels,
    select_parts,
)
from faceparse_core.photo import read_label_map
from svg_export.check import check_svg
from svg_export.export import Sitter, draw, draw_group
from svg_export.layers import TraceSettings, trace_map
from svg_export.looks import LookSettings
from svg_export.palette import read_palette, write_palette
from svg_export.preview import png

TWO = own_parts({"sticker": {"above": "nose"}, "headphones": {"on_head": False, "color": [1, 2, 3]}})
STICKER, HEADPHONES = OWN, OWN + 1


def names(order: tuple[int, ...], table: PartTable) -> list[str]:
    return [table.layers[part].name for part in order]


# the table ------------------------------------------------------------------------------------------------------------


def test_without_own_parts_the_table_is_the_table() -> None:
    assert (STANDARD.layer_order, STANDARD.paint_order, STANDARD.presets) == (LAYER_ORDER, PAINT_ORDER, PRESETS)
    assert STANDARD.parts == PARTS
    assert own_parts({}) == STANDARD
    assert STANDARD.described() == {}


def test_what_is_not_said_of_an_own_part() -> None:
    sticker, headphones = TWO.own
    assert (sticker.id, sticker.name, sticker.label, sticker.on_head) == (OWN, "sticker", "Sticker", True)
    assert (headphones.id, headphones.color, headphones.on_head) == (OWN + 1, (1, 2, 3), False)
    assert own_parts(TWO.described()) == TWO
    assert hash(own_parts(TWO.described())) == hash(TWO)
    plain = own_parts({"on-top": {}, "beside": {"on_head": False}})
    assert [part.above for part in plain.own] == ["glasses", "hat"]
    assert plain.own[0].label == "On top"
    assert plain.own[0].color != plain.own[1].color


def test_own_parts_have_their_place_in_the_paint_order() -> None:
    table = own_parts({
        "first": {"above": "nose"}, "upon-first": {"above": "first"}, "second": {"above": "nose"},
        "behind-all": {"on_head": False, "above": "background"},
        "before": {"above": "later"}, "later": {"above": "head"},
    })  # fmt: skip
    order = names(table.layer_order, table)
    at = order.index("nose")
    assert order[at : at + 4] == ["nose", "first", "upon-first", "second"]
    assert order[:2] == ["behind-all", "hair-back"]
    at = order.index("head")
    assert order[at : at + 4] == ["head", "later", "before", "beard"]
    assert [name for name in order if name in BY_NAME] == names(LAYER_ORDER, STANDARD)
    assert table.paint_order == tuple(part for part in table.layer_order if part != BY_NAME["hair-back"].id)


def test_own_parts_are_parts_of_the_presets() -> None:
    assert select_parts("portrait", table=TWO) - PRESETS["portrait"] == {STICKER, HEADPHONES}
    assert select_parts("all", table=TWO) - PRESETS["all"] == {STICKER, HEADPHONES}
    assert select_parts("face", table=TWO) - PRESETS["face"] == {STICKER}
    assert select_parts("contour", table=TWO) == PRESETS["contour"]
    assert select_labels("own,hair", TWO) == {STICKER, HEADPHONES, 17}
    assert select_parts("sticker", table=TWO) == {STICKER}
    assert select_parts("own,hair") == {17}  # of a model that has none
    with pytest.raises(FaceParseError, match="no own parts are known"):
        select_parts("own")
    with pytest.raises(FaceParseError, match="unknown part 'sticker'"):
        select_parts("sticker")


def test_marks_tell_own_parts_from_all_others() -> None:
    table = own_parts({f"own-{letter}": {} for letter in "abcdefgh"})
    lab = srgb_to_oklab(np.array([part.mark for part in table.parts], np.uint8))
    apart = np.linalg.norm(lab[:, None] - lab, axis=2) + np.eye(len(lab))
    assert apart.min() > 0.08


# the file -------------------------------------------------------------------------------------------------------------


def written(folder: Path, own: object, classes: object = ("background", "head", "sticker")) -> Path:
    path = folder / "mine.parts.json"
    path.write_text(json.dumps({"classes": classes, "own": own}), "utf-8")
    return path


def test_the_file_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, {"sticker": {"above": "nose", "label": "Zähne", "color": [230, 40, 60]}})
    found = read_classes(path)
    assert found.meanings == ((0,), (1,), (STICKER,))
    assert (found.table.own[0].label, found.table.own[0].color) == ("Zähne", (230, 40, 60))
    assert classes_beside(tmp_path / "mine.onnx") == found
    assert classes_beside(tmp_path / "other.onnx") is None
    assert read_classes(written(tmp_path, {}, ["background", "head"])) == Classes(((0,), (1,)))


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"Sticker": {}}, "'Sticker' is no name for a part: lower-case words"),
        ({"hair-1": {}}, "no name for a part"),
        ({"a--b": {}}, "no name for a part"),
        ({"a" * 32: {}}, "no name for a part.*at most 31"),
        ({"": {}}, "no name for a part"),
        ({"hair": {}}, "an own part cannot be called 'hair'"),
        ({"hair-back": {}}, "cannot be called"),
        ({"face": {}}, "cannot be called"),
        ({"own": {}}, "cannot be called"),
        ({"eye": {}}, "cannot be called"),
        ({"outline": {}}, "cannot be called"),
        ({"hair-light": {}}, "cannot be called"),
        ({"face2-hair": {}}, "cannot be called"),
        ({"glove-left": {}}, "own parts have no sides: make 'glove-left' and its other side one part"),
        ({"sticker": {"above": "noze"}}, "sticker lies above 'noze', which is no part; choose from: background, head"),
        ({"sticker": {"above": "neck"}}, "sticker lies on the head and so above it, not above neck"),
        ({"sticker": {"above": "sticker"}}, "in a circle: sticker"),
        ({"sticker": {"above": ["nose"]}}, "is no part"),
        ({"sticker": {"color": [0, 0, 256]}}, "the color of sticker is not"),
        ({"sticker": {"color": "#ff0000"}}, "the color of sticker is not"),
        ({"sticker": {"color": [True, 0, 0]}}, "the color of sticker is not"),
        ({"sticker": {"label": ""}}, "the label of sticker"),
        ({"sticker": {"label": "a\nb"}}, "the label of sticker"),
        ({"sticker": {"on_head": 1}}, "on_head of sticker is neither true nor false"),
        ({"sticker": {"colour": [0, 0, 0]}}, "sticker has no property 'colour'"),
        ({"sticker": 4}, "sticker has to be an object"),
        ({f"own-{letter}": {} for letter in "abcdefghi"}, "9 own parts are too many; a model has at most 8"),
        ([], "own parts are an object"),
        ({"sticker": {}, "scar": {}}, "no class is called 'scar'"),
        ({}, "no part is called 'sticker'"),
    ],
    ids=str,
)
def test_what_is_wrong_in_the_file_is_said_on_one_line(tmp_path: Path, own: object, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        read_classes(written(tmp_path, own))
    assert str(caught.value).startswith(str(tmp_path / "mine.parts.json"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"classes": ["background", "head"], "own": {', "no JSON"),
        ('{"classes": ["background", "head"], "own": {"a": {}, "a": {}}}', "'a' stands twice in one object"),
        ('{"classes": ["background", "head"], "parts": {}}', "nothing is called 'parts' here"),
        ('{"own": {"a": {}}}', "names the classes of a network"),
        ('{"classes": {"0": "background", "2": "head"}, "own": {}}', "class 1 has no name"),
    ],
)
def test_a_file_that_is_no_description(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mine.parts.json"
    path.write_text(text, "utf-8")
    with pytest.raises(ModelError, match=words) as caught:
        read_classes(path)
    assert "\n" not in str(caught.value)


# scores and label maps ------------------------------------------------------------------------------------------------


def test_scores_of_own_classes_become_their_labels() -> None:
    rng = np.random.default_rng(1)
    classes = ((HEADPHONES,), (0,), (17,), (STICKER,), (1,))
    scores = rng.normal(0, 3, (2, 5, 8, 8)).astype(np.float32)
    out = to_parts(scores, classes)
    assert out.shape == (2, 22, 8, 8)
    said = np.array([part for (part,) in classes])[scores[0].argmax(0)]
    assert (np.array(BY_PLANE)[out[0].argmax(0)] == said).all()
    assert (upsample_labels(out[0], (0, 0, 8, 8), (8, 8)) == said).all()
    whole = tuple((part,) for part in BY_PLANE[:21])
    ours = np.zeros((1, 21, 2, 2), np.float32)
    assert to_parts(ours, whole) is ours


def blob(labels: np.ndarray, part: int, x: int, y: int, radius: int) -> np.ndarray:
    out = labels.copy()
    cv2.circle(out, (x, y), radius, part, -1)
    return out


def test_own_parts_are_cleaned(face: np.ndarray) -> None:
    wanted = blob(clean_labels(face, measure_head(face)), STICKER, 120, 290, 12)
    labels = wanted.copy()
    labels[288:291, 118:121] = 1  # a hole
    labels[320:322, 200:202] = STICKER  # an island on the chin
    labels[70:90, 170:190] = STICKER  # on the hair alone
    labels[470:479, 0:9] = STICKER  # beside her
    cleaned = clean_labels(labels, measure_head(face), table=TWO)
    assert (cleaned == wanted).all()


def test_an_own_part_on_the_head_is_face(face: np.ndarray) -> None:
    """Beneath a mask from the nose to below the chin a face is as high as before."""
    masked = face.copy()
    masked[(face > 0) & (np.arange(480)[:, None] > 255) & np.isin(face, [*PRESETS["face"]])] = STICKER
    before, after = measure_head(face), measure_head(masked, table=TWO)
    assert (after.x, after.y, after.size) == (before.x, before.y, before.size)
    cleaned = clean_labels(masked, before, table=TWO)
    assert (cleaned[masked == STICKER] == STICKER).all()


@given(st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_maps_of_several_heads_hold_own_parts(count: int, seed: int) -> None:
    """As `group` says that it is encoded; a file of it is read again."""
    rng = np.random.default_rng(seed)
    parts = rng.choice([0, 1, 10, 17, 19, *range(OWN, OWN + MOST_OWN)], (40, 41)).astype(int)
    faces = rng.integers(1, count + 1, parts.shape)
    parts[0, :count], faces[0, :count] = 1, np.arange(1, count + 1)
    own = parts >= OWN
    if count == 1:
        group = parts.astype(np.uint8)
    else:
        wide = np.where(own, 0x8000 + 16 * (faces - 1) + parts - OWN, parts + 20 * (faces - 1))
        group = np.where(parts > 0, wide, 0).astype(np.uint16)
    assert count_faces(group) == count
    assert (parts_of(group) == parts).all()
    assert (faces_of(group) == np.where(parts > 0, faces, 0)).all()
    for face in range(1, count + 2):
        assert (labels_of(group, face) == np.where(faces == face, parts, 0)).all()
    table = own_parts({f"own-{letter}": {} for letter in "abcdefgh"})
    again = read_label_map(png(group), table)
    assert again.dtype == group.dtype
    assert (again == group).all()


def test_heads_side_by_side_keep_their_own_parts(face: np.ndarray) -> None:
    one, other = blob(face, STICKER, 120, 290, 12), blob(face, STICKER, 230, 280, 14)
    rgb = np.full((480, 720, 3), 128, np.uint8)
    claims = [Claim(labels, left, 0, shifted(labels, left)) for labels, left in ((one, 0), (other, 360))]
    group = join_maps(rgb, claims, table=TWO)
    assert group.dtype == np.uint16
    assert (labels_of(group, 1)[:, :360] == one).all()
    assert (labels_of(group, 2)[:, 360:] == other).all()
    assert (
        join_maps(rgb, [Claim(face, 0, 0, measure_head(face)), Claim(face, 360, 0, shifted(face, 360))]).dtype
        == np.uint8
    )
    overlapping = [claims[0], Claim(one, 40, 0, shifted(one, 40))]  # one is in the other's crop
    joined = join_maps(np.full((480, 400, 3), 128, np.uint8), overlapping, table=TWO)
    assert set(np.unique(parts_of(joined))) <= {*np.unique(one).tolist()}
    alone = join_maps(rgb, claims[:1], table=TWO)
    assert alone.dtype == np.uint8
    assert (alone[:, :360] == one).all()


def shifted(labels: np.ndarray, left: int) -> Any:
    import dataclasses

    head = measure_head(labels)
    return dataclasses.replace(head, x=head.x + left)


def test_a_label_map_with_own_ids_wants_their_names(tmp_path: Path, face: np.ndarray) -> None:
    labels = blob(face, STICKER, 120, 290, 12)
    assert (read_label_map(png(labels), TWO) == labels).all()
    sixteen = read_label_map(png(labels.astype(np.uint16)), TWO)  # as some programs save whatever they are given
    assert sixteen.dtype == np.uint8
    assert (sixteen == labels).all()
    with pytest.raises(LabelMapError, match=r"own part has the id 240 \(\d+ px\).*NAME.parts.json with --classes"):
        read_label_map(png(labels))
    labels[0, 0] = 247
    with pytest.raises(LabelMapError, match=r"247 \(1 px\)"):
        read_label_map(png(labels), TWO)
    labels[0, 0] = 250
    with pytest.raises(LabelMapError, match="no part has the id 250"):
        read_label_map(png(labels), TWO)
    second = np.where(face > 0, face + PER_FACE, 0).astype(np.uint16)
    second[0, 0] = 0x8000 + 16 * 5
    with pytest.raises(LabelMapError, match="no part has the id 32848"):
        read_label_map(png(second), TWO)
    thirteen = np.arange(1, 1 + 20 * 13, dtype=np.uint16)[None].repeat(2, 0)
    thirteen[thirteen % PER_FACE == 0] = 0
    thirteen[thirteen > 250] = 0  # fits in 8 bits, and is none
    assert (read_label_map(png(thirteen), TWO) == thirteen).all()
    assert count_faces(read_label_map(png(thirteen), TWO)) == 13


# drawings -------------------------------------------------------------------------------------------------------------


@st.composite
def tables(draw: st.DrawFn) -> PartTable:
    described: dict[str, dict[str, Any]] = {}
    for letter in "abcdefgh"[: draw(st.integers(1, MOST_OWN))]:
        on_head = draw(st.booleans())
        order = names((0, *LAYER_ORDER), STANDARD)
        known = [*order[order.index("head") if on_head else 0 :]]
        known += [name for name, own in described.items() if own["on_head"] or not on_head]
        described[f"own-{letter}"] = {"on_head": on_head, "above": draw(st.sampled_from(known))}
    return own_parts(described)


@st.composite
def own_maps(draw: st.DrawFn) -> tuple[Labels, PartTable]:
    """A map of any kind in which own parts stand in for some of the others."""
    labels, table = draw(maps()), draw(tables())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    there = [part for part in np.unique(labels).tolist() if part]
    own = rng.permutation([part.id for part in table.own]).tolist()
    swapped = np.arange(256, dtype=np.uint8)
    for part, other in zip(rng.permutation(there).tolist(), own, strict=False):
        swapped[part] = other
    return swapped[labels], table


@settings(max_examples=25)
@given(own_maps(), st.sampled_from(("bezier", "polygon")), st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("joins", ["underlap", "stacked", "cutout"])
def test_any_map_with_own_parts_is_drawn_without_a_seam(
    joins: str, known: tuple[Labels, PartTable], curves: str, seed: int
) -> None:
    labels, table = known
    trace = TraceSettings(joins=joins, curves=curves, speck=0.0, sliver=0.0)  # type: ignore[arg-type]
    evidence = evidence_of(labels, np.random.default_rng(seed))
    parts = frozenset(table.paint_order)
    for what, moved in ((None, 0.0), (evidence, 4.0)):
        found = trace_map(labels, {}, parts, trace, 260.0, what, table)
        assert found.crossings == 0
        order = [layer.part for layer in found.layers]
        assert order == [part for part in table.layer_order if part in order]
        # what is painted where is told by rank: `faults` paints ids, which own parts' are, too
        assert faults(found.layers, labels, trace, moved) == []
    if labels.any():
        drawn = draw(labels, {}, parts, trace, title="own", head_size=260.0, table=table)
        assert check_svg(drawn.svg) == []
        assert drawn.names == names(tuple(layer.part for layer in drawn.layers), table)


def test_what_is_not_drawn_of_own_parts_shows_what_they_lie_on(face: np.ndarray) -> None:
    labels = blob(blob(face, STICKER, 120, 290, 12), HEADPHONES, 80, 250, 30)
    drawn = draw(labels, {}, PRESETS["portrait"], title="t", table=TWO)
    assert not {"sticker", "headphones"} & {*drawn.names}
    as_head = np.where(labels == STICKER, 1, np.where(labels == HEADPHONES, 0, labels)).astype(np.uint8)
    plain = draw(as_head, {}, PRESETS["portrait"], title="t")
    assert drawn.layers[0].part == plain.layers[0].part
    assert [len(layer.shapes) for layer in drawn.layers] == [len(layer.shapes) for layer in plain.layers]
    with pytest.raises(LabelMapError, match="from 240 on they are a model's own"):
        draw(labels, {}, PRESETS["portrait"], title="t")


def test_what_an_own_part_hides_goes_on_beneath_it(face: np.ndarray) -> None:
    """An ear half beneath headphones is as whole as beneath hair; the head is solid beneath a sticker at its edge."""
    import shapely
    from any_maps import polygon

    def area(labels: np.ndarray, part: int) -> shapely.Geometry:
        layers = {
            layer.part: layer for layer in trace_map(labels, {}, select_parts("all", table=TWO), table=TWO).layers
        }
        return shapely.union_all([polygon(shape) for shape in layers[part].shapes])

    ear = BY_NAME["ear-left"].id
    beneath = {}
    for upper in (HEADPHONES, BY_NAME["hair"].id):
        covered = face.copy()
        covered[:232, 270:] = upper  # the upper part of the ear
        beneath[upper] = area(covered, ear).area
    assert (covered == ear).sum() < 0.7 * (face == ear).sum()
    assert beneath[HEADPHONES] == pytest.approx(beneath[BY_NAME["hair"].id], rel=0.01)
    assert beneath[HEADPHONES] > 1.5 * (covered == ear).sum()
    edge = shapely.Point(80, 300)  # beside the cheek
    assert not area(face, HEAD).contains(edge)
    assert area(blob(face, STICKER, 95, 300, 25), HEAD).contains(edge)
    assert not area(blob(face, HEADPHONES, 95, 300, 25), HEAD).contains(edge)


@pytest.mark.parametrize("style", ["flat", "outline", "flat+outline", "cel", "cel+outline"])
def test_a_drawing_with_own_parts_keeps_the_contract(face: np.ndarray, style: str) -> None:
    from svg_export.subpixel import Evidence

    one = blob(face, STICKER, 120, 290, 12).astype(np.uint16)
    other = np.where(one > 0, one + PER_FACE, 0)
    other[one == STICKER] = 0x8000 + 16
    one[one == STICKER] = 0x8000
    labels = np.hstack([one, other]).astype(np.uint16)
    rgb = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (480, 720, 3)).astype(np.uint8), (0, 0), 40)
    photo = Evidence(np.asarray(cv2.normalize(rgb, None, 0, 255, cv2.NORM_MINMAX), np.uint8))
    sitters = [Sitter(evidence=photo)] * 2
    drawn = draw_group(
        labels, sitters, select_parts("all", table=TWO), None, LookSettings(style=style), title="two", table=TWO,
        swatches={"sticker": (1, 2, 3), "face2-sticker": (4, 5, 6)},
    )  # fmt: skip
    assert check_svg(drawn.svg) == []
    if style != "outline":
        assert {"sticker", "face2-sticker"} <= {*drawn.names}
        assert (drawn.palette["sticker"], drawn.palette["face2-sticker"]) == ((1, 2, 3), (4, 5, 6))


def test_the_check_asks_the_file_for_its_own_parts(face: np.ndarray) -> None:
    svg = draw(blob(face, STICKER, 120, 290, 12), {}, select_parts("portrait", table=TWO), title="t", table=TWO).svg
    assert check_svg(svg) == []
    note = json.dumps({"own": TWO.described()})[1:-1]
    assert svg.count(note.encode()) == 1
    assert any("'sticker' is not in the table" in found for found in check_svg(svg.replace(note.encode(), b'"x": 0')))
    moved = note.replace('"above": "nose"', '"above": "hat"')
    assert any("not in paint order" in found for found in check_svg(svg.replace(note.encode(), moved.encode())))
    broken = note.replace('"above": "nose"', '"above": 7')
    assert any("own parts wrongly" in found for found in check_svg(svg.replace(note.encode(), broken.encode())))
    assert b'"own"' not in draw(face, {}, PRESETS["portrait"], title="t").svg


def test_palettes_name_own_parts(tmp_path: Path) -> None:
    table = own_parts({"teeth": {"label": "Zähne oben", "above": "mouth"}})
    colors = {"face2-teeth": (9, 9, 9), "hair": (3, 3, 3), "teeth": (250, 250, 240), "mouth": (1, 1, 1)}
    path = tmp_path / "mine.gpl"
    path.write_bytes(write_palette(colors, "mine", table))
    assert list(read_palette(path, table)) == ["mouth", "teeth", "hair", "face2-teeth"]
    assert read_palette(path, table) == colors
    path = tmp_path / "label.json"
    path.write_text('{"Zähne oben": "#fff"}', "utf-8")
    assert read_palette(path, table) == {"teeth": (255, 255, 255)}
    with pytest.raises(FaceParseError, match="is no part or layer"):
        read_palette(path)


# from photo to drawing ------------------------------------------------------------------------------------------------


def by_colour(folder: Path, **own: object) -> Path:
    """The network of three classes, and what lies beside it."""
    model = Path(shutil.copy(DATA / "sticker.onnx", folder))
    describe(model, ["background", "head", "sticker"], {"sticker": own})
    return model


def read(path: Path) -> np.ndarray:
    return cv2.imread(os.fspath(path), cv2.IMREAD_UNCHANGED)


def test_a_model_with_its_own_part_from_photo_to_files(astronaut: Path, tmp_path: Path, capsys: Capture) -> None:
    model, photo = by_colour(tmp_path, label="Zähne"), stickered(astronaut, tmp_path)
    kinds = ("mask", "heatmap", "heatmap-parts", "colorize", "colorize-over", "gallery", "preview", "save-palette")
    assert run(photo, "--model", model, "--save-labels", *(f"--{kind}" for kind in kinds)) == 0
    svg = (tmp_path / "stickered.svg").read_bytes()
    assert check_svg(svg) == []
    assert 'id="sticker" inkscape:groupmode="layer" inkscape:label="Zähne"' in svg.decode()
    labels, green = read(tmp_path / "stickered.labels.png"), is_green(photo)
    assert set(np.unique(labels)) == {0, HEAD, STICKER}
    for x, y, _ in STICKERS:
        assert labels[2 * y, 2 * x] == STICKER
    assert ((labels == STICKER) & green).sum() > 0.85 * green.sum()
    shown = read(tmp_path / "stickered.mask.png") > 0
    assert (shown == (labels > 0)).all()  # the face is skin and what lies on it
    assert read(tmp_path / "stickered.heatmap-sticker.png")[labels == STICKER].mean() > 200
    assert f"{GREEN[0]:3d} {GREEN[1]:3d} {GREEN[2]:3d}\tsticker" in (tmp_path / "stickered.gpl").read_text()
    # and what a program gets
    parser = load_parser(os.fspath(model))
    parsing = parse_photo(read_photo(photo), parser)
    assert (parsing.labels == labels).all()
    assert sorted(contours(parsing)) == ["head", "sticker"]
    assert len(contours(parsing)["sticker"]) == 3
    assert (mask(parsing, "sticker") == 255 * (labels == STICKER)).all()
    alone = tmp_path / "alone.svg"
    assert run(photo, "--model", model, "--parts", "sticker", "-o", alone) == 0
    assert alone.read_text("utf-8").count('groupmode="layer"') == 1


def test_a_saved_label_map_is_drawn_again(astronaut: Path, tmp_path: Path, capsys: Capture) -> None:
    model, photo = by_colour(tmp_path), stickered(astronaut, tmp_path)
    assert run(photo, "--model", model, "--save-labels", "--no-svg") == 0
    labels, beside = tmp_path / "stickered.labels.png", tmp_path / "sticker.parts.json"
    capsys.readouterr()
    assert run(labels, "--from-labels") == 1
    said = one_line(capsys)
    assert "own part has the id 240" in said
    assert "--classes" in said
    assert run(labels, "--from-labels", "--classes", beside, "--mask", "--colorize", "--preview") == 0
    drawn = (tmp_path / "stickered.svg").read_text("utf-8")
    assert '<g id="sticker"' in drawn
    assert check_svg(drawn.encode()) == []
    shown = read(tmp_path / "stickered.colorize.png")
    mark = own_parts({"sticker": {}}).own[0].mark
    assert (shown[read(labels) == STICKER] == mark[::-1]).all()
    plain = describe(tmp_path / "plain.onnx", ["background", "head"], {})
    assert run(labels, "--from-labels", "--classes", plain) == 2
    assert "--classes does not go with --from-labels" in one_line(capsys)


def test_a_broken_file_beside_the_model_is_one_line(astronaut: Path, tmp_path: Path, capsys: Capture) -> None:
    model, photo = by_colour(tmp_path), stickered(astronaut, tmp_path)
    beside = tmp_path / "sticker.parts.json"
    for text, words in (
        ("{", "no JSON"),
        ('{"classes": ["background", "head"], "own": {}}', "has 3 classes, and the class map names 2"),
        ('{"classes": ["background", "head", "scar"], "own": {}}', "no part is called 'scar'"),
    ):
        beside.write_text(text, "utf-8")
        assert run(photo, "--model", model) == 2
        assert words in one_line(capsys)
    beside.unlink()
    assert run(photo, "--model", model) == 2
    assert "its 3 classes are not the 19 of face-parsing.PyTorch" in (said := one_line(capsys))
    assert "sticker.parts.json beside it" in said
    assert not list(tmp_path.glob("*.svg"))


def test_a_model_of_one_part(astronaut: Path, tmp_path: Path, capsys: Capture) -> None:
    """background and head alone: whatever else is asked for is said, and not drawn."""
    model, photo = Path(shutil.copy(DATA / "sticker.onnx", tmp_path)), stickered(astronaut, tmp_path)
    describe(model, ["background", "head", "background"], {})
    out = tmp_path / "out"
    out.mkdir()
    assert run(photo, "--model", model, "-o", out, "--mask") == 0
    assert '<g id="head"' in (svg := (out / "stickered.svg").read_text("utf-8"))
    assert svg.count('groupmode="layer"') == 1
    found = read(out / "stickered.mask.png")
    assert set(np.unique(found)) == {0, 255}
    assert run(photo, "--model", model, "-o", out, "--no-svg", "--mask", "--parts", "head", "--force") == 0
    assert (read(out / "stickered.mask.png") == found).all()
    capsys.readouterr()
    assert run(photo, "--model", model, "-o", out, "--parts", "head,hair,hair-back", "--force") == 0
    assert "note: sticker.onnx knows no hair, no hair-back; it knows: head" in capsys.readouterr().err
    assert run(photo, "--model", model, "-o", out, "--parts", "hair", "--force") == 1
    assert "none of the parts asked for is in this picture; there is: head" in one_line(capsys)


@pytest.mark.torch
def test_twenty_one_classes(astronaut: Path, tmp_path: Path, capsys: Capture) -> None:
    """All that our network knows, and the sticker above the nose, of two heads and in every style."""
    model = twenty_one(tmp_path / "mine.onnx", above="nose")
    photo = stickered(astronaut, tmp_path, heads=2)
    green = is_green(photo)
    assert run(photo, "--model", model, "--heads", "all", "--parts", "all", "--save-labels", "--mask") == 0
    group = read_label_map(tmp_path / "stickered.labels.png", read_classes(tmp_path / "mine.parts.json").table)
    assert group.dtype == np.uint16
    assert count_faces(group) == 2
    assert {1, 2} == set(np.unique(faces_of(group)[parts_of(group) == STICKER]).tolist())
    assert ((parts_of(group) == STICKER) & green).sum() > 0.9 * green.sum()
    assert ((parts_of(group) == STICKER) & ~green).sum() < 0.3 * green.sum()
    drawn = (tmp_path / "stickered.svg").read_bytes()
    assert check_svg(drawn) == []
    for prefix in ("", "face2-"):
        places = [drawn.index(f'<g id="{prefix}{name}"'.encode()) for name in ("head", "nose", "sticker", "mouth")]
        assert places == sorted(places)
    before = drawn
    again = ("--from-labels", "--classes", tmp_path / "mine.parts.json", "--force", "--parts", "all")
    assert run(tmp_path / "stickered.labels.png", *again) == 0
    assert (tmp_path / "stickered.svg").read_bytes().count(b"<path") == before.count(b"<path")
    for style in ("outline", "cel+outline"):
        assert run(photo, "--model", model, "--heads", "all", "--style", style, "--force", "--json") == 0
        assert check_svg((tmp_path / "stickered.svg").read_bytes()) == []
        said = json.loads(capsys.readouterr().out.splitlines()[-2])
        assert ("face2-sticker" in said["layers"]) == (style != "outline")


def test_what_is_drawn_without_own_parts_knows_nothing_of_them() -> None:
    svg = draw(draw_face(), {}, PRESETS["all"], title="plain").svg
    assert svg == draw(draw_face(), {}, PRESETS["all"], title="plain", table=own_parts({})).svg
