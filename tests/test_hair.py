"""Hair that falls behind is told from hair that falls in front."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import shapely
from conftest import draw_face
from test_layers import region

from faceparse_core.parts import BY_NAME, CLOTH, HAIR, HAIR_BACK, HEAD, LAYERS, MIRRORED, NECK, PRESETS, select_parts
from svg_export.check import check_svg
from svg_export.export import draw
from svg_export.hair import hair_behind
from svg_export.layers import TraceSettings, build_layers
from svg_export.looks import LookSettings
from svg_export.proportions import measure
from svg_export.subpixel import Evidence

ALL = PRESETS["all"]
SIZE = (480, 360)


def long_hair(front: bool = False) -> np.ndarray:
    """Hair down to the shoulders: behind jaw and neck, or in front of them."""
    labels = np.zeros(SIZE, np.uint8)
    cv2.ellipse(labels, (180, 190), (135, 165), 0, 0, 360, HAIR, -1)
    cv2.rectangle(labels, (45, 190), (315, 480), HAIR, -1)
    cv2.rectangle(labels, (130, 300), (230, 480), NECK, -1)
    face = draw_face(SIZE)
    labels = np.where(np.isin(face, [0, CLOTH, NECK, HAIR]), labels, face)
    if front:
        for x in (95, 265):
            cv2.rectangle(labels, (x - 50, 180), (x + 50, 480), HAIR, -1)
    return labels


def behind(labels: np.ndarray) -> np.ndarray | None:
    return hair_behind(labels, measure(labels, 300.0))


def drawn(labels: np.ndarray, parts: frozenset[int] = ALL) -> dict[int, shapely.Geometry]:
    return {layer.part: region(layer) for layer in build_layers(labels, {}, parts)}


def test_hair_behind_jaw_and_neck_is_found():
    labels = long_hair()
    found = behind(labels)
    assert found is not None
    assert (labels[found] == HAIR).all()
    rows = np.nonzero(found.any(axis=1))[0]
    assert rows[0] > 200  # below the ears
    assert rows[-1] == SIZE[0] - 1
    assert found[:, :180].any()
    assert found[:, 180:].any()


def test_hair_in_front_stays_one():
    assert behind(long_hair(front=True)) is None


def test_short_hair_stays_one():
    assert behind(draw_face(SIZE)) is None


def test_hair_that_ends_on_cloth_stays_one():
    labels = long_hair()
    labels[440:] = CLOTH
    labels[300:440, :125] = np.where(labels[300:440, :125] == 0, CLOTH, labels[300:440, :125])
    found = behind(labels)
    assert found is None or not found[:, :125].any()


def test_no_face_no_telling():
    labels = long_hair()
    labels[np.isin(labels, [4, 5, 10, 11, 12, 13])] = HEAD
    assert behind(labels) is None
    assert hair_behind(np.full((9, 9), HAIR, np.uint8), None) is None


@pytest.mark.parametrize("turned", [90, 180])
def test_a_head_that_does_not_stand_upright(turned):
    labels = np.ascontiguousarray(np.rot90(long_hair(), turned // 90))
    assert behind(labels) is None


def test_mirrored_hair_falls_mirrored():
    labels = long_hair()
    labels[300:, 230:] = np.where(labels[300:, 230:] == HAIR, 0, labels[300:, 230:])
    one = behind(labels)
    two = behind(np.ascontiguousarray(np.array(MIRRORED, np.uint8)[labels][:, ::-1]))
    assert one is not None
    assert two is not None
    assert (one != two[:, ::-1]).mean() < 0.01


def test_the_layer_reaches_beneath_neck_and_head_and_changes_nothing_that_is_seen():
    labels = long_hair()
    whole, split = drawn(labels, ALL - {HAIR_BACK}), drawn(labels)
    assert HAIR_BACK not in whole
    assert next(iter(split)) == HAIR_BACK
    assert split[HAIR_BACK].intersection(split[NECK]).area > 0.5 * split[NECK].area  # an arch behind it
    assert split[HAIR_BACK].intersection(split[HAIR]).area > 200
    upper: shapely.Geometry = shapely.Polygon()
    for part in reversed(list(split)):
        if part != HAIR_BACK:
            upper = upper.union(split[part])
    seen = shapely.union_all([split[HAIR_BACK].difference(upper), split[HAIR]])
    others = shapely.union_all([shape for part, shape in whole.items() if part != HAIR])
    assert seen.symmetric_difference(whole[HAIR]).difference(others.buffer(1.0)).area < 0.01 * whole[HAIR].area


def test_it_is_a_layer_where_it_is_asked_for():
    labels = long_hair()
    for names, expected in (
        ("all", True),
        ("portrait", False),
        ("contour", False),
        ("hair", False),
        ("hair,hair-back", True),
    ):
        file = draw(labels, {}, select_parts(names), title="t")
        assert ("hair-back" in file.names) == expected
        assert check_svg(file.svg) == []


def test_a_painted_map_is_drawn_a_layer_an_id():
    assert HAIR_BACK in select_parts("all")
    assert HAIR_BACK not in select_parts("all", derived=False)
    assert HAIR_BACK in select_parts("all,hair-back", derived=False)


def test_it_has_the_colours_of_the_hair():
    labels = long_hair()
    rgb = np.zeros((*SIZE, 3), np.uint8) + np.linspace(30, 220, SIZE[1]).astype(np.uint8)[None, :, None]
    colors = {HAIR: (1, 2, 3)}
    assert draw(labels, colors, ALL, title="t").palette["hair-back"] == (1, 2, 3)
    assert draw(labels, colors, ALL, title="t", swatches={"hair": (9, 9, 9)}).palette["hair-back"] == (9, 9, 9)
    own = draw(labels, colors, ALL, title="t", swatches={"hair": (9, 9, 9), "hair-back": (7, 7, 7)}).palette
    assert (own["hair"], own["hair-back"]) == ((9, 9, 9), (7, 7, 7))
    cel = draw(labels, {}, ALL, None, LookSettings(style="cel"), title="t", evidence=Evidence(rgb))
    assert check_svg(cel.svg) == []
    fills = {layer.part: layer.fill for layer in cel.layers}
    assert fills[HAIR_BACK] == fills[HAIR]


@pytest.mark.parametrize("style", ["outline", "flat+outline"])
def test_its_parting_is_no_line(style):
    file = draw(long_hair(), {}, ALL, None, LookSettings(style=style), title="t")
    assert "hair-back" not in file.names


def test_the_table_says_so():
    assert LAYERS[HAIR_BACK] is BY_NAME["hair-back"]
    assert LAYERS[HAIR_BACK].color == LAYERS[HAIR].color


@pytest.mark.parametrize("joins", ["stacked", "cutout"])
def test_all_joins_have_it(joins):
    found = build_layers(long_hair(), {}, ALL, TraceSettings(joins=joins))
    assert found[0].part == HAIR_BACK
