"""Label map -> layers: borders once, no seams, nothing lost, nothing invented."""

import cv2
import numpy as np
import pytest
from conftest import draw_face
from hypothesis import given, settings
from hypothesis import strategies as st

from faceparse_core.errors import LabelMapError
from faceparse_core.parts import PAINT_ORDER, PRESETS
from svg_export.layers import TraceSettings, build_layers
from svg_export.trace import OUTSIDE_RANK, planar_map

ALL = PRESETS["all"]
CUTOUT = TraceSettings(joins="cutout")
STACKED = TraceSettings(joins="stacked")


def flatten(ring, steps=24):
    """Points along a ring, (n, 2)."""
    nodes = np.concatenate([ring.points, ring.points[:1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    parts = []
    for k in range(0, len(ring.points), 3):
        a, b, c, d = nodes[k : k + 4]
        parts.append((1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d)
    return np.concatenate(parts)


def paint(layers, shape, fine=4):
    """What is seen of `layers`: uint8 (H, W) part ids."""
    seen = np.zeros((shape[0] * fine, shape[1] * fine), np.uint8)
    for layer in layers:
        for one in layer.shapes:
            rings = [np.rint(flatten(ring) * fine * 256 - 128).astype(np.int32) for ring in one.rings]
            cv2.fillPoly(seen, rings, layer.part, shift=8)
    return seen[fine // 2 :: fine, fine // 2 :: fine]


def area(layer):
    total = 0.0
    for one in layer.shapes:
        for ring in one.rings:
            x, y = flatten(ring).T
            total += 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))
    return abs(total)


def segments(layers):
    return sum(len(ring.lines) for layer in layers for one in layer.shapes for ring in one.rings)


@pytest.mark.parametrize("settings", [TraceSettings(), STACKED, CUTOUT], ids=lambda s: s.joins)
def test_what_is_seen_is_the_label_map(face, settings):
    seen = paint(build_layers(face, {}, ALL, settings), face.shape)
    assert (seen == face).mean() > 0.985
    for part in np.unique(face)[1:]:
        both, either = ((seen == part) & (face == part)).sum(), ((seen == part) | (face == part)).sum()
        assert both / either > 0.8, part


def test_few_nodes_say_it(face):
    assert segments(build_layers(face, {}, ALL)) < 150


def test_layers_come_in_paint_order(face):
    parts = [layer.part for layer in build_layers(face, {}, ALL)]
    assert parts == [part for part in PAINT_ORDER if part in set(np.unique(face))]


def test_cutout_shapes_share_the_area_without_overlap(face):
    layers = build_layers(face, {}, ALL, CUTOUT)
    total = sum(area(layer) for layer in layers)
    assert total == pytest.approx((face > 0).sum(), rel=0.01)


def test_lower_layers_reach_beneath_upper_ones(face):
    cutout = {layer.part: area(layer) for layer in build_layers(face, {}, ALL, CUTOUT)}
    underlap = {layer.part: area(layer) for layer in build_layers(face, {}, ALL)}
    stacked = {layer.part: area(layer) for layer in build_layers(face, {}, ALL, STACKED)}
    assert all(underlap[part] >= cutout[part] - 1 for part in cutout)
    assert underlap[1] > 1.02 * cutout[1]  # the head is solid beneath its features
    assert stacked[16] > underlap[16] + 100  # the cloth goes on beneath all that is above


def test_no_page_shines_through(face):
    """With every layer in one colour the portrait is one piece without a hole."""
    layers = build_layers(face, {}, ALL)
    cover = paint(layers, face.shape, fine=8) > 0
    solid = cv2.morphologyEx((face > 0).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    inside = cv2.erode(solid, np.ones((7, 7), np.uint8)) > 0
    assert cover[inside].all()


def test_parts_that_are_not_drawn_become_head_or_nothing(face):
    layers = build_layers(face, {}, frozenset({1, 17}))
    assert [layer.part for layer in layers] == [1, 17]
    seen = paint(layers, face.shape)
    assert (seen[face == 10] == 1).mean() > 0.99  # the nose is head
    assert not seen[(face == 16)].all()  # the cloth is gone


def test_colours_are_those_asked_for(face):
    layers = build_layers(face, {1: (1, 2, 3)}, frozenset({1, 17}))
    assert layers[0].fill == (1, 2, 3)


def test_the_same_map_gives_the_same_numbers(face):
    for first, second in zip(*(build_layers(face, {}, ALL) for _ in range(2)), strict=True):
        for one, two in zip(first.shapes, second.shapes, strict=True):
            assert all((a.points == b.points).all() for a, b in zip(one.rings, two.rings, strict=True))


def test_a_shifted_map_gives_shifted_shapes(face):
    there = build_layers(np.pad(face, 40)[20:-20, 20:-20], {}, ALL, head_size=200.0)
    moved = build_layers(np.pad(face, 40)[17:-23, 13:-27], {}, ALL, head_size=200.0)
    for one, two in zip(there, moved, strict=True):
        assert area(two) == pytest.approx(area(one), rel=0.02, abs=4)


@pytest.mark.parametrize("flip", [np.s_[:, ::-1], np.s_[::-1]], ids=["sides", "upside down"])
def test_a_mirrored_map_gives_the_mirrored_drawing(face, flip):
    plain, mirrored = build_layers(face, {}, ALL), build_layers(np.ascontiguousarray(face[flip]), {}, ALL)
    assert segments(mirrored) == pytest.approx(segments(plain), rel=0.1)
    assert (paint(mirrored, face.shape)[flip] != paint(plain, face.shape)).mean() < 0.006


def test_size_does_not_matter():
    small, large = draw_face((240, 180)), draw_face((960, 720))
    few, many = (build_layers(labels, {}, ALL) for labels in (small, large))
    assert segments(many) < 1.6 * segments(few)


@pytest.mark.parametrize(
    "labels",
    [
        np.zeros((0, 0), np.uint8),
        np.zeros((1, 1), np.uint8),
        np.ones((1, 1), np.uint8),
        np.zeros((30, 30), np.uint8),
        np.full((30, 30), 17, np.uint8),
        np.indices((24, 24)).sum(0).astype(np.uint8) % 2,
        np.indices((24, 24)).sum(0).astype(np.uint8) % 4,
        np.eye(40, dtype=np.uint8) * 6,
        np.kron(np.arange(16, dtype=np.uint8).reshape(4, 4), np.ones((9, 9), np.uint8)),
    ],
    ids=["none", "empty pixel", "pixel", "empty", "full", "checkerboard", "four parts", "diagonal", "tiles"],
)
@pytest.mark.parametrize("joins", ["underlap", "stacked", "cutout"])
def test_degenerate_maps(labels, joins):
    layers = build_layers(labels, {}, ALL, TraceSettings(joins=joins))
    assert {layer.part for layer in layers} <= set(np.unique(labels))
    for layer in layers:
        for one in layer.shapes:
            assert all(np.isfinite(ring.points).all() and len(ring.points) == 3 * len(ring.lines) for ring in one.rings)
    if not labels.any():
        assert layers == ()


def test_a_filled_frame_is_the_frame():
    (layer,) = build_layers(np.full((30, 50), 17, np.uint8), {}, ALL)
    assert area(layer) == pytest.approx(1500)
    corners = {tuple(point) for point in layer.shapes[0].rings[0].points[::3].tolist()}
    assert {(0, 0), (50, 0), (50, 30), (0, 30)} <= corners


def test_islands_in_lakes():
    labels = np.zeros((120, 120), np.uint8)
    for part, inset in ((17, 8), (0, 24), (17, 40), (0, 54)):
        labels[inset : 120 - inset, inset : 120 - inset] = part
    (layer,) = build_layers(labels, {}, ALL)
    assert sorted(len(one.rings) for one in layer.shapes) == [2, 2]
    assert area(layer) == pytest.approx((labels > 0).sum(), rel=0.03)


@pytest.mark.parametrize(
    "labels",
    [np.full((4, 4), 20, np.uint8), np.zeros((4, 4), np.int32), np.zeros((4, 4, 3), np.uint8), [[0, 1]]],
    ids=["unknown id", "type", "dimensions", "list"],
)
def test_what_is_no_label_map_is_refused(labels):
    with pytest.raises(LabelMapError):
        build_layers(labels, {}, ALL)


@settings(max_examples=12)
@given(st.integers(0, 5000), st.integers(2, 6))
def test_any_map_is_drawn(seed, cell):
    rng = np.random.default_rng(seed)
    labels = np.kron(rng.integers(0, 20, (8, 8)), np.ones((cell, cell))).astype(np.uint8)
    for joins in ("underlap", "cutout"):
        for layer in build_layers(labels, {}, ALL, TraceSettings(joins=joins), head_size=40.0):
            for one in layer.shapes:
                assert all(np.isfinite(ring.points).all() for ring in one.rings)


@given(st.integers(0, 5000))
def test_every_crack_lies_on_one_arc(seed):
    """The planar map holds every border between two pixels, each exactly once, with the right parts on its sides."""
    rng = np.random.default_rng(seed)
    ranks = np.kron(rng.integers(0, 4, (7, 9)), np.ones((2, 2))).astype(np.uint8)
    ranks = np.pad(ranks, 1)
    arcs = planar_map(ranks)
    found = {}
    for index in np.flatnonzero(arcs.owner != OUTSIDE_RANK).tolist():  # the frame is a border like any other
        points = arcs.arc(index)
        assert (np.abs(np.diff(points, axis=0)).sum(1) == 1).all()
        for a, b in zip(points[:-1].tolist(), points[1:].tolist(), strict=True):
            crack = tuple(sorted((tuple(a), tuple(b))))
            assert crack not in found
            found[crack] = {int(arcs.owner[index]), int(arcs.lower[index])}
    expected = {}
    for y, x in np.argwhere(ranks[:, 1:] != ranks[:, :-1]).tolist():
        expected[((x + 1, y), (x + 1, y + 1))] = {int(ranks[y, x]), int(ranks[y, x + 1])}
    for y, x in np.argwhere(ranks[1:] != ranks[:-1]).tolist():
        expected[((x, y + 1), (x + 1, y + 1))] = {int(ranks[y, x]), int(ranks[y + 1, x])}
    assert found == expected


def test_every_ring_has_two_nodes_or_more():
    """Of one, Blender fills nothing."""
    labels = np.zeros((40, 40), np.uint8)
    labels[20, 20] = 17
    labels[5:8, 5:8] = 17
    for joins in ("underlap", "stacked", "cutout"):
        settings = TraceSettings(speck=0.0, sliver=0.0, joins=joins)
        (layer,) = build_layers(labels, {}, settings=settings, head_size=260.0)
        assert [len(shape.rings[0].lines) >= 2 for shape in layer.shapes] == [True, True]
