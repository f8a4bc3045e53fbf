"""Outlines by name: exact on label maps, finer than the pixel with scores, and the same on both sides of a border."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import draw_face
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from faceparse_core import FaceParseError, contours, parse_photo, read_photo
from faceparse_core.parse import Parsing
from faceparse_core.parser import ModelInfo
from faceparse_core.parts import HEAD, PARTS
from faceparse_core.rings import find_rings

SMALL_MAPS = hnp.arrays(
    np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.sampled_from([0, 1, 10, 17])
)


def area(ring: np.ndarray) -> float:
    x, y = ring.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def covers(ring: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Which pixel centres of a map lie inside of a ring: a ray to the right crosses it an odd number of times."""
    y = np.arange(shape[0])[:, None] + 0.5
    x = np.arange(shape[1])[:, None] + 0.5
    inside = np.zeros(shape, bool)
    for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        rows = np.flatnonzero((y0 <= y[:, 0]) != (y1 <= y[:, 0]))
        if len(rows):
            at = x0 + (y[rows, 0] - y0) * (x1 - x0) / (y1 - y0)
            inside[rows] ^= x[:, 0] < at[:, None]
    return inside


def assert_exact(labels: np.ndarray, rings: dict[int, list[np.ndarray]]) -> None:
    for part in range(len(PARTS)):
        inside = np.zeros(labels.shape, bool)
        for ring in rings.get(part, []):
            inside ^= covers(ring, labels.shape)
        assert (inside == ((labels == part) & (part > 0))).all(), part


@given(SMALL_MAPS)
def test_every_pixels_centre_lies_in_its_own_part_alone(labels: np.ndarray) -> None:
    rings = find_rings(labels)
    assert set(rings) == set(np.unique(labels).tolist()) - {0}
    assert_exact(labels, rings)


@given(SMALL_MAPS)
def test_outlines_tile_the_plane(labels: np.ndarray) -> None:
    """What the parts' areas leave of the photo is the background's, whose outline is that of a part of its own."""
    swapped = np.where(labels == 0, np.uint8(4), labels)
    rings = find_rings(swapped)
    total = sum(area(ring) for shapes in rings.values() for ring in shapes)
    assert total == pytest.approx(labels.size)
    steps = [
        (tuple(a), tuple(b))
        for shapes in rings.values()
        for ring in shapes
        for a, b in zip(ring, np.roll(ring, -1, axis=0), strict=True)
    ]
    inside = [step for step in steps if not on_frame(step, labels.shape)]
    assert sorted(inside) == sorted((b, a) for a, b in inside), "each border is passed once each way"


def on_frame(step: tuple[tuple[float, float], ...], shape: tuple[int, int]) -> bool:
    return any(a[axis] == b[axis] and a[axis] in (0, shape[1 - axis]) for a, b in [step] for axis in (0, 1))


def test_orientation_holes_and_order() -> None:
    labels = np.zeros((20, 30), np.uint8)
    labels[2:12, 3:23] = HEAD
    labels[4:8, 6:10] = 0
    labels[14:17, 2:5] = HEAD
    outer, hole, island = find_rings(labels)[HEAD]
    assert (area(outer), area(hole), area(island)) == (pytest.approx(199.5), pytest.approx(-15.5), pytest.approx(8.5))
    assert outer.dtype == np.float64
    assert outer.min(0).tolist() == [3, 2]
    assert outer.max(0).tolist() == [23, 12]
    assert not (outer[0] == outer[-1]).all(), "the first point is not said again"


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (4, 3)])
def test_a_part_that_fills_the_photo_ends_at_its_frame(shape: tuple[int, int]) -> None:
    (ring,) = find_rings(np.full(shape, HEAD, np.uint8))[HEAD]
    assert area(ring) == pytest.approx(shape[0] * shape[1])
    assert {tuple(point) for point in ring} >= {(0, 0), (shape[1], 0), (shape[1], shape[0]), (0, shape[0])}


def test_nothing_has_no_outline() -> None:
    assert find_rings(np.zeros((7, 9), np.uint8)) == {}


def disc(shape: tuple[int, int], centre: tuple[float, float], radius: float) -> np.ndarray:
    """Scores (2, H, W), a cell a pixel, whose border is a circle."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    inside = (radius - np.hypot(x - centre[0], y - centre[1])).astype(np.float32)
    return np.stack([-inside, inside])


def parsing_of(labels: np.ndarray, scores: np.ndarray, box: tuple[int, int, int, int]) -> Parsing:
    return Parsing(labels, {}, 30.0, 1, ModelInfo("t", ""), scores, box)


def test_scores_say_where_between_pixels_a_border_lies() -> None:
    scores = disc((40, 50), (24.3, 19.8), 13.4)
    labels = scores.argmax(0).astype(np.uint8)
    (ring,) = contours(parsing_of(labels, scores, (0, 0, 50, 40)))["head"]
    off = np.abs(np.hypot(*(ring - (24.3, 19.8)).T) - 13.4)
    assert off.max() < 0.02
    (rough,) = find_rings(labels)[HEAD]
    assert np.abs(np.hypot(*(rough - (24.3, 19.8)).T) - 13.4).max() > 0.3, "a label map alone cannot tell"
    assert area(ring) == pytest.approx(np.pi * 13.4**2, rel=0.005)


def test_scores_of_a_crop_beyond_the_photos_edge() -> None:
    """Cells of 4 px, a box that begins outside of the photo, and a disc that its left edge cuts."""
    scores = disc((20, 20), (5.0, 10.0), 4.0)
    box = (-20, -20, 60, 60)  # the disc: centre (0, 20), radius 16
    y, x = (np.mgrid[:50, :40] + 0.5 + 20) / 4 - 0.5
    planes = [cv2.remap(plane, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR) for plane in scores]
    labels = np.argmax(planes, axis=0).astype(np.uint8)
    (ring,) = contours(parsing_of(labels, scores, box))["head"]
    free = ring[(ring[:, 0] > 0.6)]
    assert np.abs(np.hypot(*(free - (0, 20)).T) - 16).max() < 0.4
    assert (ring[:, 0] >= 0).all()
    assert ((ring[:, 0] == 0) | (ring[:, 0] > 0.4)).all()


def test_what_cleaning_changed_is_drawn_half_way() -> None:
    scores = disc((30, 30), (15, 15), 8.0)
    labels = np.zeros((30, 30), np.uint8)
    labels[5:25, 5:25] = HEAD  # not what the scores say
    (ring,) = contours(parsing_of(labels, scores, (0, 0, 30, 30)))["head"]
    assert (ring * 2 == np.rint(ring * 2)).all()
    assert_exact(labels, {HEAD: [ring]})


@pytest.fixture(scope="module")
def parsed(astronaut: Path) -> Parsing:
    return parse_photo(read_photo(astronaut))


def test_a_photos_outlines_agree_with_its_label_map(parsed: Parsing) -> None:
    by_name = contours(parsed)
    there = {PARTS[part].name for part in np.unique(parsed.labels).tolist() if part}
    assert set(by_name) == there
    assert_exact(parsed.labels, {part.id: by_name[part.name] for part in PARTS if part.name in by_name})
    assert all(area(rings[0]) > 0 for rings in by_name.values())
    assert list(by_name).index("head") < list(by_name).index("nose") < list(by_name).index("hair"), "bottom to top"


def test_parts_can_be_chosen(parsed: Parsing) -> None:
    assert set(contours(parsed, "hair,nose")) == {"hair", "nose"}
    assert contours(parsed, "hat") == {}
    with pytest.raises(FaceParseError, match="moustache"):
        contours(parsed, "moustache")
    with pytest.raises(FaceParseError, match="ask for hair"):
        contours(parsed, "hair-back")


def test_the_cost_follows_the_borders() -> None:
    """16 megapixels with a face on them: a fraction of a second, and seconds if every pixel took its time."""
    labels = draw_face((4600, 3500))
    began = time.process_time()
    rings = find_rings(labels)
    assert time.process_time() - began < 5
    assert set(rings) == set(np.unique(labels).tolist()) - {0}
