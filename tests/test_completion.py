"""What lies beneath hair, hat and head: whole, simple, and never to be seen."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import cv2
import numpy as np
import pytest
import shapely
from command import run
from conftest import draw_face
from hypothesis import given, settings
from hypothesis import strategies as st
from test_layers import blocks, polygon, region

from faceparse_core.parts import BY_NAME, LAYER_ORDER, MIRRORED, PRESETS
from svg_export.check import on_points
from svg_export.layers import TraceSettings, build_layers
from svg_export.proportions import measure
from svg_export.proposals import _temple
from svg_export.shapes import Layer

ALL = PRESETS["all"]
HEAD, BROW_LEFT, EYE_LEFT, GLASSES, EAR_LEFT, EAR_RIGHT, NECK, HAIR, HAT = 1, 2, 4, 6, 7, 8, 14, 17, 18
SIZE = (480, 360)


def drawn(labels: np.ndarray, complete: bool = True, **more: object) -> dict[int, Layer]:
    found = build_layers(labels, {}, ALL, TraceSettings(complete=complete, **more))  # type: ignore[arg-type]
    return {layer.part: layer for layer in found}


def ellipse(labels: np.ndarray, part: int, x: float, y: float, rx: float, ry: float, turned: float = 0) -> None:
    cv2.ellipse(labels, (round(x), round(y)), (round(rx), round(ry)), turned, 0, 360, part, -1)


def with_fringe() -> np.ndarray:
    """A face whose forehead and temples lie beneath the hair."""
    labels = draw_face(SIZE)
    covered = np.zeros(SIZE, np.uint8)
    ellipse(covered, 1, 180, 160, 128, 110)
    ellipse(covered, 0, 180, 250, 85, 90)
    labels[(covered > 0) & np.isin(labels, [HEAD, EAR_LEFT, 8])] = HAIR
    return labels


def newly_seen(labels: np.ndarray) -> float:
    """The largest area, px, by which completion changes what is seen of a part."""
    before, after = drawn(labels, False), drawn(labels, True)
    assert list(before) == list(after)
    height, width = labels.shape
    upper: shapely.Geometry = shapely.Polygon()
    most = 0.0
    for part in reversed(LAYER_ORDER):
        if part in after:
            now = region(after[part])
            changed = now.symmetric_difference(region(before[part])).difference(upper)
            most = max(most, changed.intersection(shapely.box(0, 0, width, height)).area)
            upper = upper.union(now)
    return most


def test_the_head_is_whole_beneath_the_hair():
    labels = with_fringe()
    before, after = (region(drawn(labels, complete)[HEAD]) for complete in (False, True))
    face = measure(labels, 300.0)
    assert face is not None
    crown = face.to_face(np.array([[180.0, after.bounds[1]]]))[0, 1]
    assert 0.55 < crown < 0.8  # of the distance from brow to chin, above the brows
    assert after.area > 1.15 * before.area
    assert after.area > 0.96 * after.convex_hull.area  # no box, no dents
    assert newly_seen(labels) < 1.0


def test_the_skull_takes_few_nodes():
    labels = with_fringe()
    (shape,) = drawn(labels)[HEAD].shapes
    nodes = shape.rings[0].points[::3]
    assert (nodes[:, 1] < 170).sum() <= 5  # above the brows


@pytest.mark.parametrize(("at", "heading"), [(-0.7, (-0.5, 0.8)), (-0.2, (-0.1, 1.0)), (0.1, (0.2, 1.0))])
def test_the_skull_goes_on_as_the_face_does(at, heading):
    going = np.array(heading) / np.hypot(*heading)
    curves = _temple(np.array([-0.45, at]), going, 0.57, np.array([0.0, 0.7]))
    handle = curves[0, 1] - curves[0, 0]
    assert handle / np.hypot(*handle) == pytest.approx(going)
    assert curves[-1, 3] == pytest.approx([0.0, 0.7])
    assert curves[-1, 2, 1] == pytest.approx(0.7)  # level at the crown
    assert np.array_equal(curves[:-1, 3], curves[1:, 0])


@pytest.mark.parametrize("chin", [165])
def test_the_head_is_whole_though_a_strand_cuts_the_face(chin):
    labels = with_fringe()
    cv2.line(labels, (270, 60), (chin, 420), HAIR, 7)  # the larger piece ends left of the chin
    after = region(drawn(labels)[HEAD])
    face = measure(labels, 300.0)
    assert face is not None
    assert 0.55 < face.to_face(np.array([[180.0, after.bounds[1]]]))[0, 1] < 0.8
    assert after.area > 0.95 * after.convex_hull.area
    assert newly_seen(labels) < 1.0


@pytest.mark.parametrize("side", ["left", "right"])
def test_hair_over_one_eye_does_not_move_the_face(side):
    labels = with_fringe()
    whole = measure(labels, 300.0)
    labels[np.isin(labels, [BY_NAME[f"eye-{side}"].id, BY_NAME[f"brow-{side}"].id])] = HAIR
    half = measure(labels, 300.0)
    assert whole is not None
    assert half is not None
    assert np.hypot(*whole.to_face(half.origin[None])[0]) < 0.05
    assert half.up @ whole.up > 0.999


def test_a_hat_that_is_low_holds_the_skull():
    labels = draw_face(SIZE)
    labels[labels == HAIR] = 0
    hat = np.zeros(SIZE, np.uint8)
    ellipse(hat, 1, 180, 160, 120, 70)
    labels[(hat > 0) & (np.arange(480)[:, None] < 165)] = HAT
    assert newly_seen(labels) < 1.0
    assert region(drawn(labels)[HEAD]).bounds[1] > 90


def with_a_brim() -> np.ndarray:
    """A head beneath a hat whose brim ends on the head's own outline."""
    labels = np.zeros((200, 200), np.uint8)
    ellipse(labels, HEAD, 100, 120, 40, 60, -3)
    for side, x in ((0, 80), (1, 120)):
        ellipse(labels, BROW_LEFT + side, x, 100, 10, 2)
        ellipse(labels, EYE_LEFT + side, x, 108, 8, 3)
    ellipse(labels, 12, 100, 150, 14, 4)
    brim = [(165, 40), (144, 108), (117, 71), (59, 109), (27, 87)]
    cv2.fillPoly(labels, [np.array([(30, 0), (170, 0), *brim])], HAT)
    return labels


def test_no_page_shows_where_the_skull_goes_under_a_brim():
    labels = with_a_brim()
    layers = [region(layer) for layer in drawn(labels).values()]
    inside = cv2.erode((labels > 0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    y, x = np.nonzero(inside)
    near = np.hypot(x - 137, y - 99) < 15
    pixels = shapely.box(x[near], y[near], x[near] + 1, y[near] + 1)
    seen = np.ones(len(pixels))  # of the page, where edges are smoothed: layers are painted one upon the other
    for layer in layers:
        seen *= 1 - shapely.area(shapely.intersection(pixels, layer))
    assert seen.max() < 0.002


def test_the_example_has_a_whole_skull(photo: Path) -> None:
    assert run(photo) == 0
    root = ET.parse(photo.with_suffix(".svg")).getroot()

    def top(layer: str) -> float:
        paths = [path for group in root if group.get("id") == layer for path in group]
        return min(y for path in paths for _, y in on_points(path.get("d", "")))

    down_to_the_mouth = top("lip-upper") - top("brow-left")
    assert top("brow-left") - top("head") > 0.45 * down_to_the_mouth  # a forehead alone ends at the hair: 0.34


def test_bald_heads_stay_as_they_are():
    labels = draw_face(SIZE)
    labels[labels == HAIR] = 0
    before, after = drawn(labels, False)[HEAD], drawn(labels, True)[HEAD]
    assert all(
        np.array_equal(one.points, two.points)
        for a, b in zip(before.shapes, after.shapes, strict=True)
        for one, two in zip(a.rings, b.rings, strict=True)
    )


@pytest.mark.parametrize("joins", ["stacked", "cutout"])
def test_other_joins_stay_as_they_are(joins):
    labels = with_fringe()
    before, after = (drawn(labels, complete, joins=joins) for complete in (False, True))
    for part in before:
        assert region(before[part]).equals(region(after[part]))


def test_pieces_of_forehead_between_strands_become_fewer():
    labels = draw_face(SIZE)
    for x in (140, 180, 220):
        cv2.line(labels, (x, 40), (x + 25, 185), HAIR, 7)
    cv2.line(labels, (70, 180), (290, 180), HAIR, 7)
    assert len(drawn(labels, True)[HEAD].shapes) < len(drawn(labels, False)[HEAD].shapes)
    assert newly_seen(labels) < 1.0


def test_the_neck_goes_on_beneath_the_head():
    labels = draw_face(SIZE)
    before, after = (region(drawn(labels, complete)[NECK]) for complete in (False, True))
    assert after.bounds[1] < before.bounds[1] - 20
    assert newly_seen(labels) < 1.0


@pytest.mark.parametrize(
    "gone", [("eye-left", "eye-right"), ("nose",), ("lip-upper", "lip-lower", "mouth"), ("lip-upper", "mouth", "nose",
             "lip-lower", "eye-left", "eye-right", "brow-left", "brow-right"), ("eye-left", "brow-left")]
)  # fmt: skip
def test_faces_that_lack_something(gone):
    labels = with_fringe()
    labels[np.isin(labels, [BY_NAME[name].id for name in gone])] = HEAD
    assert newly_seen(labels) < 1.0


def with_ears(covered: float = 0.0) -> np.ndarray:
    """A face with short hair and ears that stand off, of which the hair covers so much from above."""
    labels = draw_face(SIZE)
    labels[(labels == HAIR) & (np.arange(480)[:, None] > 150)] = 0
    for part, x, turned in ((EAR_RIGHT, 72, -6), (EAR_LEFT, 288, 6)):
        ear = np.zeros(SIZE, np.uint8)
        ellipse(ear, 1, x, 228, 18, 46, turned)
        labels[(ear > 0) & (labels == 0)] = part
        hair = (ear > 0) & (np.arange(480)[:, None] < 182 + 92 * covered)
        labels[hair & (labels != HEAD)] = HAIR
    covers = np.zeros(SIZE, np.uint8)
    for x in (66, 294):
        ellipse(covers, 1, x, 182, 36, max(1, 92 * covered))
    labels[(covers > 0) & ~np.isin(labels, [HEAD])] = HAIR
    return labels


def overlap(one: shapely.Geometry, two: shapely.Geometry) -> float:
    return float(one.intersection(two).area / one.union(two).area)


@pytest.mark.parametrize("covered", [0.35, 0.5])
def test_ears_are_whole_beneath_the_hair(covered):
    labels = with_ears(covered)
    whole = {part: region(drawn(with_ears())[part]) for part in (EAR_LEFT, EAR_RIGHT)}
    before, after = drawn(labels, False), drawn(labels, True)
    for part, ear in whole.items():
        gained = overlap(region(after[part]), ear) - overlap(region(before[part]), ear)
        assert gained > (0.03 if covered > 0.4 else -0.01)  # there is little to gain where little is hidden
        assert region(after[part]).area > 0.95 * region(after[part]).convex_hull.area  # an egg
    assert newly_seen(labels) < 1.0


def test_what_is_hidden_of_an_ear_takes_few_nodes():
    labels = with_ears(0.35)
    (shape,) = drawn(labels)[EAR_LEFT].shapes
    nodes = shape.rings[0].points[::3]
    assert (nodes[:, 1] < 205).sum() <= 4


def test_an_ear_of_which_next_to_nothing_is_seen_stays_as_it_is():
    labels = with_ears(0.9)
    for part in (EAR_LEFT, EAR_RIGHT):
        if (labels == part).any():
            assert region(drawn(labels)[part]).area < 4 * (labels == part).sum() + 200
    assert newly_seen(labels) < 1.0


def with_glasses(lenses: bool) -> np.ndarray:
    """Glasses whose rims cut the eyes and the brows; with `lenses`, dark ones on which the eyes lie whole."""
    labels = draw_face(SIZE)
    eyes = np.isin(labels, [4, 5])
    for x in (133, 227):
        glasses = np.zeros(SIZE, np.uint8)
        cv2.ellipse(glasses, (x, 205), (34, 28), 0, 0, 360, 1, -1 if lenses else 7)
        glasses[:, :x] = glasses[:, :x] * (1 if lenses else np.arange(480)[:, None] < 230)
        labels[(glasses > 0) & ~(lenses & eyes)] = GLASSES
    return labels


def test_an_eye_on_a_dark_lens_keeps_its_shape_beneath_it():
    labels = with_glasses(True)
    for part in (EYE_LEFT, 5):
        eye = region(drawn(labels)[part])
        assert overlap(eye, shapely.convex_hull(region(drawn(draw_face(SIZE))[part]))) > 0.6  # not swollen
        assert eye.buffer(-1.0).area < (labels == part).sum() * 1.25
    assert newly_seen(labels) < 1.0


@pytest.mark.parametrize("part", [EYE_LEFT, BROW_LEFT])
def test_eyes_and_brows_go_on_beneath_a_lock(part):
    labels = draw_face(SIZE)
    whole = region(drawn(labels)[part])
    right = np.nonzero((labels == part).any(axis=0))[0][-1]
    lock = np.zeros(SIZE, np.uint8)
    cv2.line(lock, (right + 2, 60), (right + 4, 250), 1, 28)
    labels[(lock > 0) & (labels > 0)] = HAIR
    before, after = (region(drawn(labels, complete)[part]) for complete in (False, True))
    assert overlap(after, whole) > 0.8
    assert whole.bounds[2] - 4 < after.bounds[2] < whole.bounds[2] + 12
    assert before.bounds[2] < after.bounds[2]
    assert newly_seen(labels) < 1.0


def with_a_lock(part: int, width: int, lean: int = 10) -> np.ndarray:
    """A face with a lock of hair over the middle of a part."""
    labels = draw_face(SIZE)
    rows, columns = np.nonzero(labels == part)
    x, y = int(columns.mean()), int(rows.mean())
    lock = np.zeros(SIZE, np.uint8)
    cv2.line(lock, (x + lean, y - 60), (x - lean, y + 60), 1, width)
    cv2.line(lock, (x + lean, y - 60), (x + lean, 40), 1, width)
    labels[(lock > 0) & (labels > 0)] = HAIR
    return labels


@pytest.mark.parametrize("curves", ["bezier", "polygon"])
@pytest.mark.parametrize("part", [BROW_LEFT, EYE_LEFT, 12])
def test_what_a_lock_cuts_in_two_is_one_shape_beneath_it(part, curves):
    labels = with_a_lock(part, 9)
    before, after = (drawn(labels, complete, curves=curves)[part] for complete in (False, True))
    assert len(before.shapes) == 2
    assert len(after.shapes) == 1
    assert overlap(region(after), region(drawn(draw_face(SIZE))[part])) > 0.9  # as if there were no lock
    assert sum(len(ring.lines) for ring in after.shapes[0].rings) <= sum(
        len(ring.lines) for shape in before.shapes for ring in shape.rings
    )
    assert newly_seen(labels) < 1.0


def test_a_bridge_stays_beneath_what_hides_it():
    labels = with_a_lock(BROW_LEFT, 9)
    labels[labels == HEAD] = 0  # so that the page would be seen
    assert len(drawn(labels)[BROW_LEFT].shapes) == 1
    assert newly_seen(labels) < 1.0
    labels = draw_face(SIZE)  # two brows beside one lock that ends above them: nothing to be hidden by
    rows, columns = np.nonzero(labels == BROW_LEFT)
    x, y = int(columns.mean()), int(rows.mean())
    labels[y - 12 : y + 13, x - 5 : x + 6] = HEAD
    assert len(drawn(labels)[BROW_LEFT].shapes) == 2


def test_a_wide_gap_is_left_alone():
    assert len(drawn(with_a_lock(BROW_LEFT, 34))[BROW_LEFT].shapes) == 2


@pytest.mark.parametrize("joins", ["stacked", "cutout"])
def test_nothing_is_joined_where_shapes_abut(joins):
    labels = with_a_lock(BROW_LEFT, 9)
    before, after = (drawn(labels, complete, joins=joins)[BROW_LEFT] for complete in (False, True))
    assert region(before).equals(region(after))


def test_one_eye_behind_dark_glasses():
    labels = with_glasses(True)
    labels[(labels == 5)] = GLASSES
    assert newly_seen(labels) < 1.0


def test_eyes_stay_on_the_head():
    """Where the head does not go on far enough beneath the hair, neither do they."""
    labels = with_fringe()
    ellipse(labels, HAIR, 280, 190, 50, 110)
    layers = drawn(labels)
    for part in (BROW_LEFT, EYE_LEFT):
        if part in layers:
            assert region(layers[part]).difference(region(layers[HEAD]).buffer(1.5)).area < 1.0


@pytest.mark.parametrize("part", [EAR_LEFT, EYE_LEFT, BROW_LEFT, NECK, HAIR])
def test_completion_takes_no_part_out_of_the_picture(part):
    labels = np.roll(with_ears(0.35), 90, axis=1)[:, :335]
    labels = np.ascontiguousarray(labels)
    frame = shapely.box(0, 0, labels.shape[1], labels.shape[0])
    before, after = (region(drawn(labels, complete)[part]).difference(frame).area for complete in (False, True))
    assert after < before + 0.1
    assert newly_seen(labels) < 1.0


@pytest.mark.parametrize("part", [HEAD, HAIR, EAR_LEFT, EYE_LEFT, GLASSES])
def test_maps_of_next_to_nothing(part):
    for size in ((1, 1), (2, 3), (6, 6), (12, 9)):
        labels = np.zeros(size, np.uint8)
        labels[: (size[0] + 1) // 2] = HAIR
        labels[size[0] // 2 :, : (size[1] + 1) // 2] = part
        assert list(drawn(labels)) == list(drawn(labels, False))


def test_a_face_without_skin_and_one_beneath_hair_alone():
    labels = draw_face(SIZE)
    labels[labels == HEAD] = 0
    assert newly_seen(labels) < 1.0
    labels = draw_face(SIZE)
    labels[np.isin(labels, [HEAD, NECK, EAR_LEFT, EAR_RIGHT])] = HAIR
    assert newly_seen(labels) < 1.0


def test_a_mirrored_map_gives_the_mirrored_head():
    labels = with_fringe()
    ellipse(labels, HAIR, 90, 260, 40, 90)
    mirrored = np.ascontiguousarray(np.array(MIRRORED, np.uint8)[labels][:, ::-1])
    here, there = region(drawn(labels)[HEAD]), region(drawn(mirrored)[HEAD])
    there = shapely.transform(there, lambda points: np.array([SIZE[1], 0]) + points * [-1, 1])
    assert here.symmetric_difference(there).area < 0.02 * here.area


@settings(max_examples=40)
@given(st.integers(0, 10_000))
def test_nothing_comes_into_sight(seed):
    """Strands, holes, hats, glasses and frames at random: completion changes nothing that is seen."""
    rng = np.random.default_rng(seed)
    labels = draw_face(SIZE)
    for part in rng.choice([HAIR, HAIR, HAT, 0, 6, 16, 9], rng.integers(1, 7)):
        x, y = rng.uniform([40, 20], [320, 330])
        ellipse(labels, int(part), x, y, rng.uniform(3, 90), rng.uniform(3, 70), rng.uniform(0, 180))
    top, left = rng.integers(0, 140), rng.integers(0, 140)
    if rng.random() < 0.4:
        labels = np.ascontiguousarray(labels[top:, left:])
    assert newly_seen(labels) < 4.0  # of 170,000: slivers, to the tolerance of the fit
    for layer in drawn(labels).values():
        for shape in layer.shapes:
            assert polygon(shape).is_valid or not polygon(shape).buffer(0).is_empty


@settings(max_examples=40)
@given(st.integers(0, 5000), st.integers(3, 30))
def test_any_map_is_completed(seed, cell):
    labels = blocks(seed, cell)
    assert list(drawn(labels)) == list(drawn(labels, False))


@pytest.mark.parametrize("turned", [0, 25, 90, 180])
def test_the_crown_is_where_the_face_points(turned):
    labels = draw_face((480, 480))
    turn = cv2.getRotationMatrix2D((240, 240), turned, 1)
    labels = cv2.warpAffine(labels, turn, (480, 480), flags=cv2.INTER_NEAREST)
    face = measure(labels, 300.0)
    assert face is not None
    assert face.up == pytest.approx([-np.sin(np.radians(turned)), -np.cos(np.radians(turned))], abs=0.05)
    there = np.array([[10.0, 20.0], [300.0, 4.0]])
    assert face.to_picture(face.to_face(there)) == pytest.approx(there)


def test_no_face_no_proportions():
    assert measure(np.zeros((50, 50), np.uint8), 25.0) is None
    assert measure(np.full((50, 50), HEAD, np.uint8), 50.0) is None
