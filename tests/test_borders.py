"""Where borders lie: between pixels by the scores, on the photo's edges, and straight on through junctions."""

from __future__ import annotations

from dataclasses import fields

import cv2
import numpy as np
import pytest
import shapely
from conftest import draw_face
from hypothesis import given
from hypothesis import strategies as st

from faceparse_core.errors import LabelMapError, SettingsError
from faceparse_core.parts import LAYERS, PARTS, PRESETS
from svg_export.beziers import flatten
from svg_export.junctions import NONE, Junctions, meeting
from svg_export.layers import Traced, TraceSettings, trace_map
from svg_export.policy import POLICIES, Policy
from svg_export.shapes import Line
from svg_export.subpixel import Evidence, rank_scores
from svg_export.trace import planar_map

ALL = PRESETS["all"]
HEAD, EYE, HAIR, CLOTH, BEARD = 1, 4, 17, 16, 19
SIZE = 200
Y, X = np.mgrid[:SIZE, :SIZE] + 0.5
DARK, LIGHT = (40, 40, 60), (220, 190, 160)


def curves(line: Line) -> np.ndarray:
    """(n, 4, 2)"""
    count = (len(line.points) - 1) // 3
    return np.stack([line.points[3 * np.arange(count) + k] for k in range(4)], axis=1)


def along(line: Line) -> np.ndarray:
    return flatten(curves(line), 16)


def drawn(labels: np.ndarray, evidence: Evidence | None = None, head: float = 250.0, **more: float) -> Traced:
    return trace_map(labels, {}, ALL, TraceSettings(**more), head, evidence)  # type: ignore[arg-type]


def scores_of(inside, cells: int = 100) -> Evidence:
    """Scores of background and hair at cell centres, equal where `inside` (px, > 0 inside) is 0."""
    cell = SIZE / cells
    y, x = (np.mgrid[:cells, :cells] + 0.5) * cell
    scores = np.zeros((len(PARTS), cells, cells), np.float32)
    scores[2:] = -50
    scores[0], scores[1] = -50, -50
    scores[0], scores[HAIR] = -inside(x, y) / 2, inside(x, y) / 2
    return Evidence(scores=scores, box=(0.0, 0.0, SIZE, SIZE))


@given(st.floats(-0.5, 0.5), st.floats(0, np.pi))
def test_scores_place_a_straight_border_between_pixels(shift, turn):
    normal = np.array([np.cos(turn), np.sin(turn)])

    def inside(x, y):
        return (x - SIZE / 2) * normal[0] + (y - SIZE / 2) * normal[1] + shift

    labels = np.where(inside(X, Y) > 0, HAIR, 0).astype(np.uint8)
    (line,) = drawn(labels, scores_of(inside), tolerance_px=0.05).lines
    points = along(line)
    points = points[(np.abs(points - SIZE / 2) < SIZE / 2 - 12).all(axis=1)]  # the frame holds the ends
    assert np.abs(inside(*points.T)).mean() < 0.06
    assert np.abs(inside(*points.T)).max() < 0.13


@pytest.mark.parametrize("radius", [20.3, 55.7])
def test_scores_place_a_round_border_between_pixels(radius):
    def inside(x, y):
        return radius - np.hypot(x - 99.7, y - 100.2)

    labels = np.where(inside(X, Y) > 0, HAIR, 0).astype(np.uint8)
    lines = (drawn(labels, known, tolerance_px=0.05).lines[0] for known in (None, scores_of(inside)))
    off = [np.abs(inside(*along(line).T)).mean() for line in lines]
    assert off[1] < 0.1
    assert off[1] < off[0]


def test_scores_that_do_not_explain_a_border_leave_it():
    labels = np.where(X > 100, HAIR, 0).astype(np.uint8)
    far = drawn(labels, scores_of(lambda x, y: x - 130))  # cleaning has put it elsewhere
    assert np.array_equal(far.lines[0].points, drawn(labels).lines[0].points)


def test_of_classes_drawn_as_one_the_best_counts():
    scores = np.array([[[0.0]], [[1.0]], [[3.0]]], np.float32)
    planes, row = rank_scores(scores, np.array([0, 7, 7] + [0] * 253, np.uint8))
    assert planes[row[7]] == 3.0
    assert row[5] == -1


def waving(part: int, high: float, cells: int, waves: int = 11) -> np.ndarray:
    """How far a disc's outline, drawn with waves of `high` px by scores of `cells` cells, is from round; px (n,)."""

    def inside(x, y):
        turn = np.arctan2(y - 100, x - 100)
        return 70 + high * np.sin(waves * turn) - np.hypot(x - 100, y - 100)

    labels = np.where(inside(X, Y) > 0, part, 0).astype(np.uint8)
    known = scores_of(inside, cells)
    assert known.scores is not None
    known.scores[[HAIR, part]] = known.scores[[part, HAIR]]
    return np.hypot(*(along(drawn(labels, known, head=400.0).lines[0]) - 100).T) - 70


def test_ripples_of_the_grid_are_taken_out_of_hair():
    fine, coarse = (waving(HAIR, 1.5, cells) for cells in (200, 25))  # waves of 5 cells of 8 px
    assert np.abs(fine).max() > 1.2
    assert np.abs(coarse).max() < 0.7
    assert len(coarse) < 0.7 * len(fine)  # of its nodes


def test_a_lock_is_no_ripple_nor_is_what_waves_in_a_feature():
    locks = [np.abs(waving(part, 9.0, 25, waves=7)).max() for part in (HAIR, EYE)]  # the coarse grid blunts both
    assert locks[0] > 0.95 * locks[1] > 6.0
    assert np.abs(waving(EYE, 1.5, 25)).max() > 1.0


def test_what_is_calmed_leaves_room_to_the_next_border():
    labels = np.zeros((SIZE, SIZE), np.uint8)
    labels[np.abs(Y - 100 - 2.5 * np.sin(X / 40 * 2 * np.pi)) < 1.6] = (
        HAIR  # a strand that waves by more than it is wide
    )
    known = scores_of(lambda x, y: 1.6 - np.abs(y - 100 - 2.5 * np.sin(x / 40 * 2 * np.pi)), cells=25)
    traced = drawn(labels, known, head=400.0, speck=0.0, sliver=0.0)
    assert traced.crossings == 0
    (shape,) = (shape for layer in traced.layers for shape in layer.shapes)
    (ring,) = shape.rings
    ends = np.concatenate([ring.points, ring.points[:1]])
    drawn_ring = flatten(
        np.stack([ends[k : len(ends) - 3 + k + 1 : 3][: len(ring.lines)] for k in range(4)], axis=1), 8
    )
    assert shapely.Polygon(drawn_ring).area == pytest.approx((labels == HAIR).sum(), rel=0.25)


def photo_with_edge(at: float) -> np.ndarray:
    """Dark right of x = `at`, light left of it, its pixels mixed there."""
    share = np.clip(X + 0.5 - at, 0, 1)[..., None]
    return np.rint(share * DARK + (1 - share) * LIGHT).astype(np.uint8)


@pytest.mark.parametrize("off", [-2.0, -1.0, 1.3, 2.0])
def test_the_border_settles_on_the_edge_nearby(off):
    labels = np.where(X > 100, HAIR, 0).astype(np.uint8)
    (line,) = drawn(labels, Evidence(photo_with_edge(100 + off)), head=400.0).lines
    points = along(line)
    assert np.abs(points[(points[:, 1] > 10) & (points[:, 1] < 190), 0] - 100 - off).max() < 0.35
    assert points[:, 1].min() == 0  # and its ends slide along the frame
    assert points[:, 1].max() == SIZE


def test_the_border_stays_where_the_photo_shows_no_edge():
    labels = np.where(np.hypot(X - 100, Y - 100) < 60, HAIR, 0).astype(np.uint8)
    noise = np.random.default_rng(0).integers(118, 138, (SIZE, SIZE, 1)).repeat(3, axis=2).astype(np.uint8)
    plain = along(drawn(labels).lines[0])
    for photo in (np.full_like(noise, 128), noise):
        moved = along(drawn(labels, Evidence(photo)).lines[0])
        assert shapely.LinearRing(plain).hausdorff_distance(shapely.LinearRing(moved)) < 0.5


def test_a_stronger_edge_between_other_colours_does_not_count():
    labels = np.where(X > 100, HAIR, 0).astype(np.uint8)
    photo = photo_with_edge(101)
    photo[:, 97:99] = 255  # a bright hair: its rim is steeper
    points = along(drawn(labels, Evidence(photo), head=400.0).lines[0])
    assert np.abs(points[(points[:, 1] > 10) & (points[:, 1] < 190), 0] - 101).max() < 0.6


def test_borders_side_by_side_do_not_cross():
    labels = np.full((SIZE, SIZE), HEAD, np.uint8)
    labels[:, 98:101] = HAIR  # both of its borders see the other's edge
    photo = photo_with_edge(99.5)
    left, right = sorted((along(line) for line in drawn(labels, Evidence(photo)).lines), key=lambda p: p[:, 0].mean())
    assert left[:, 0].max() < right[:, 0].min()


def test_without_evidence_nothing_changes(face):
    rgb = np.full((*face.shape, 3), 128, np.uint8)
    plain = drawn(face)
    for evidence in (Evidence(), Evidence(rgb=rgb)):
        for one, two in zip(plain.lines, drawn(face, evidence).lines, strict=True):
            assert np.array_equal(one.points, two.points)


def test_the_same_evidence_gives_the_same_drawing(face):
    rgb = np.random.default_rng(1).integers(0, 255, (*face.shape, 3)).astype(np.uint8)
    rgb = cv2.GaussianBlur(rgb, (0, 0), 3)
    one, two = (drawn(face, Evidence(rgb)) for _ in range(2))
    assert all(np.array_equal(a.points, b.points) for a, b in zip(one.lines, two.lines, strict=True))


def test_mirrored_evidence_draws_the_mirrored_borders():
    labels = np.zeros((SIZE, SIZE), np.uint8)
    labels[np.hypot(X - 90, Y - 100) < 60] = HEAD
    labels[np.hypot(X - 90, Y - 70) < 45] = HAIR
    rgb = np.where(np.hypot(X - 91, Y - 101)[..., None] < 60, LIGHT, DARK)
    rgb = np.where(np.hypot(X - 91, Y - 69)[..., None] < 45, (120, 60, 30), rgb).astype(np.uint8)
    here = drawn(labels, Evidence(rgb))
    there = drawn(np.ascontiguousarray(labels[:, ::-1]), Evidence(np.ascontiguousarray(rgb[:, ::-1])))
    one = shapely.MultiLineString([along(line) for line in here.lines])
    two = shapely.MultiLineString([along(line) * (-1, 1) + (SIZE, 0) for line in there.lines])
    assert one.hausdorff_distance(two) < 1.0


def bearded() -> np.ndarray:
    """A head whose lower half is beard: the silhouette goes through where the two meet."""
    labels = np.zeros((260, 200), np.uint8)
    y, x = np.mgrid[:260, :200] + 0.5
    inside = ((x - 100) / 70) ** 2 + ((y - 120) / 95) ** 2 < 1
    labels[inside] = HEAD
    labels[inside & (y > 150)] = BEARD
    return labels


def junctions(traced: Traced) -> dict[tuple[float, float], list[np.ndarray]]:
    """Where three curves have the very same end, and the directions in which they leave it."""
    ends: dict[tuple[float, float], list[np.ndarray]] = {}
    for line in traced.lines:
        for part in curves(line):
            for at, way in ((part[0], part[1] - part[0]), (part[3], part[2] - part[3])):
                ends.setdefault(tuple(at), []).append(way / np.hypot(*way))
    return {at: ways for at, ways in ends.items() if len(ways) == 3}


def test_at_a_t_junction_what_goes_through_is_smooth():
    found = junctions(drawn(bearded()))
    assert len(found) == 2
    for ways in found.values():
        turns = sorted(
            np.degrees(np.arccos(-(one @ two))) for one, two in zip(ways, np.roll(ways, 1, axis=0), strict=True)
        )
        assert turns[0] < 1.0
        assert turns[1] > 45


def test_where_three_lines_meet_is_between_the_pixels():
    ours, corners = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        centre = 48 + rng.uniform(-0.5, 0.5, 2)
        angles = rng.uniform(0, 2 * np.pi) + np.array([0, 2, 4]) * np.pi / 3 + rng.uniform(-0.03, 0.03, 3)
        y, x = np.mgrid[:96, :96] + 0.5
        sector = ((np.arctan2(y - centre[1], x - centre[0]) - angles[:, None, None]) % (2 * np.pi)).argmin(axis=0)
        arcs = planar_map((sector + 1).astype(np.uint8))
        found = Junctions.find(arcs, 7)
        assert found.pair.tolist() == [NONE]
        arc, at_head = found.arc[0, 0], found.at_head[0, 0]
        corners.append(np.hypot(*(arcs.arc(arc)[-1 if at_head else 0] - centre)))
        (junction,) = junctions(drawn(np.array([CLOTH, HEAD, HAIR], np.uint8)[sector], head=260.0))
        ours.append(np.hypot(*(junction - centre)))
    assert max(ours) < 0.75
    assert np.mean(ours) < 0.7 * np.mean(corners)


def test_lines_meet_by_least_squares():
    place = np.array([[[0.0, 5.0], [5.0, 0.0], [4.0, 4.0]]])
    direction = np.array([[[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]]) / np.array([1, 1, np.sqrt(2)])[None, :, None]
    assert meeting(place, direction, np.array([[0.4, -0.3]]), 1e-9) == pytest.approx(np.zeros((1, 2)), abs=1e-6)


def test_every_part_has_a_policy_of_sane_values():
    assert set(POLICIES) == set(LAYERS)
    for policy in POLICIES.values():
        assert 0 < policy.photo_reach <= 0.015
        assert 45 <= policy.corner <= 180
        assert 0.5 <= policy.smoothing <= 2
    assert {field.name for field in fields(Policy)} == {
        "corner",
        "smoothing",
        "photo_reach",
        "broad",
        "calm",
        "carried",
    }


def test_a_chin_is_round():
    for line in drawn(draw_face((480, 360)), head=230.0).lines:
        parts = curves(line)
        one, two = parts[:-1, 3] - parts[:-1, 2], parts[1:, 1] - parts[1:, 0]
        turn = np.degrees(np.arctan2(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0], (one * two).sum(axis=1)))
        jaw = parts[1:, 0, 1] > 355
        assert np.abs(turn[jaw]).max(initial=0) < 8


def test_at_zero_tolerance_the_borders_are_the_pixels_own_whatever_the_photo_shows():
    labels = np.where(np.hypot(X - 100, Y - 100) < 60, HAIR, 0).astype(np.uint8)
    settings = TraceSettings(tolerance_px=0, curves="polygon", joins="cutout")
    traced = trace_map(labels, {}, settings=settings, evidence=Evidence(photo_with_edge(102)))
    (shape,) = traced.layers[0].shapes
    corners = shape.rings[0].points[::3]
    assert np.array_equal(corners, np.rint(corners))


def test_a_photo_of_another_size_is_refused():
    with pytest.raises(LabelMapError, match="must agree"):
        trace_map(np.full((9, 9), HAIR, np.uint8), {}, evidence=Evidence(np.zeros((5, 5, 3), np.uint8)))


def test_half_of_what_the_scores_say_is_refused():
    scores = np.zeros((len(PARTS), 5, 5), np.float32)
    with pytest.raises(SettingsError, match="needs the box"):
        Evidence(scores=scores)
    with pytest.raises(SettingsError, match="needs the scores"):
        Evidence(box=(0.0, 0.0, 9.0, 9.0))


@pytest.mark.parametrize(
    "known",
    [
        {"scores": np.zeros((5, 5), np.float32), "box": (0.0, 0.0, 9.0, 9.0)},
        {"scores": np.full((19, 5, 5), np.nan, np.float32), "box": (0.0, 0.0, 9.0, 9.0)},
        {"scores": np.zeros((19, 5, 5), np.float32), "box": (9.0, 0.0, 9.0, 9.0)},
        {"rgb": np.zeros((9, 9), np.uint8)},
        {"rgb": np.zeros((9, 9, 3))},
    ],
)
def test_evidence_that_says_nothing_is_refused(known):
    with pytest.raises(SettingsError):
        Evidence(**known)


def test_scores_of_one_cell_say_nothing_of_borders():
    labels = np.where(X > 100, HAIR, 0).astype(np.uint8)
    one = Evidence(scores=np.zeros((len(PARTS), 1, 1), np.float32), box=(0.0, 0.0, SIZE, SIZE))
    assert np.array_equal(drawn(labels, one).lines[0].points, drawn(labels).lines[0].points)


def test_a_map_without_borders_has_none_to_move():
    labels = np.full((SIZE, SIZE), HAIR, np.uint8)
    (layer,) = drawn(labels, Evidence(photo_with_edge(100))).layers
    assert layer.shapes[0].rings[0].lines.all()


def test_scores_leave_room_to_the_next_border():
    labels = np.zeros((SIZE, SIZE), np.uint8)
    labels[:, 99:102] = HAIR
    wide = scores_of(lambda x, y: 2.3 - np.abs(x - 100.5), cells=200)
    sides = sorted(along(line)[:, 0].mean() for line in drawn(labels, wide, speck=0.0, sliver=0.0).lines)
    assert sides == pytest.approx([98.2, 102.8], abs=0.1)
    narrow = scores_of(lambda x, y: 0.35 - np.abs(x - 100.5), cells=200)
    sides = sorted(along(line)[:, 0].mean() for line in drawn(labels, narrow, speck=0.0, sliver=0.0).lines)
    assert 99.8 < sides[0] < 100.03  # a third of the way, and not to 100.15
    assert 100.97 < sides[1] < 101.2


@pytest.mark.parametrize(
    "options",
    [
        {"tolerance_px": 0.0},
        {"tolerance_px": -1.0, "curves": "polygon"},
        {"tolerance_px": float("nan")},
        {"tolerance": 0.0},
        {"max_nodes": 0},
        {"joins": "overlap"},
        {"curves": "line"},
    ],
)
def test_settings_that_make_no_sense_are_refused(options):
    with pytest.raises(SettingsError):
        TraceSettings(**options)
