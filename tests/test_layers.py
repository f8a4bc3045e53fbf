"""What must hold between the layers: shared curves, straight frames, hidden outlines that stay hidden."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import shapely
from conftest import draw_face
from hypothesis import example, given
from hypothesis import strategies as st

from faceparse_core.errors import FaceParseError
from faceparse_core.parts import BY_NAME, PAINT_ORDER, PRESETS
from svg_export.budget import within_budget
from svg_export.geometry import inside_ring
from svg_export.layers import TraceSettings, build_layers, trace_map
from svg_export.shapes import Layer, Ring, Shape
from svg_export.underlap import Room, hidden_line

ALL = PRESETS["all"]
HEAD, EYE, NOSE, NECK, CLOTH, HAIR, HAT, BEARD, EARRING = 1, 4, 10, 14, 16, 17, 18, 19, 9


def curves(ring: Ring) -> np.ndarray:
    """(n, 4, 2)"""
    thirds = ring.points.reshape(-1, 3, 2)
    return np.concatenate([thirds, np.roll(thirds[:, :1], -1, axis=0)], axis=1)


def polygon(shape: Shape, steps: int = 24) -> shapely.Polygon:
    t = np.linspace(0, 1, steps, endpoint=False)[:, None, None]
    rings = []
    for ring in shape.rings:
        a, b, c, d = (curves(ring)[:, k] for k in range(4))
        points = (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t * t * c + t**3 * d
        rings.append(points.transpose(1, 0, 2).reshape(-1, 2))
    return shapely.Polygon(rings[0], rings[1:])


def region(layer: Layer) -> shapely.Geometry:
    return shapely.union_all([polygon(shape).buffer(0) for shape in layer.shapes])


def by_part(labels: np.ndarray, **settings: object) -> dict[int, Layer]:
    return {layer.part: layer for layer in build_layers(labels, {}, ALL, TraceSettings(**settings))}  # type: ignore[arg-type]


def blocks(seed: int, cell: int = 12, parts: int = 20) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.kron(rng.integers(0, parts, (5, 5)), np.ones((cell, cell))).astype(np.uint8)


@given(st.integers(0, 300))
def test_in_cutouts_every_curve_inside_is_drawn_by_both_of_its_parts(seed):
    labels = np.pad(blocks(seed), 4, constant_values=CLOTH)  # no part but cloth meets the frame
    drawn: Counter[tuple[float, ...]] = Counter()
    for layer in by_part(labels, joins="cutout").values():
        for shape in layer.shapes:
            for ring in shape.rings:
                for curve, line in zip(curves(ring), ring.lines, strict=True):
                    if not line:
                        ways = (curve, curve[::-1])
                        drawn[min(tuple(way.ravel().tolist()) for way in ways)] += 1
    background = (labels == 0).any()
    assert set(drawn.values()) <= ({1, 2} if background else {2})
    assert drawn


@given(st.integers(0, 300))
def test_cutouts_of_a_full_frame_add_up_to_the_frame(seed):
    labels = blocks(seed, cell=16)
    labels[labels == 0] = CLOTH
    regions = [region(layer) for layer in by_part(labels, joins="cutout").values()]
    assert sum(each.area for each in regions) == pytest.approx(labels.size, rel=0.003)
    assert shapely.union_all(regions).area == pytest.approx(labels.size, rel=0.003)


@pytest.mark.parametrize("joins", ["underlap", "stacked", "cutout"])
def test_rings_do_not_cross_themselves(face, joins):
    for layer in by_part(face, joins=joins).values():
        for shape in layer.shapes:
            assert polygon(shape).is_valid, (layer.part, shapely.is_valid_reason(polygon(shape)))


@pytest.mark.parametrize("joins", ["underlap", "stacked", "cutout"])
def test_the_frame_is_straight_and_nothing_leaves_it(joins):
    labels = draw_face((300, 200))[40:-40, 50:-50]
    height, width = labels.shape
    on_frame = 0
    for layer in by_part(labels, joins=joins).values():
        for shape in layer.shapes:
            for ring in shape.rings:
                nodes = ring.points[::3]
                assert (nodes >= 0).all()
                assert (nodes <= [width, height]).all()
                for curve in curves(ring)[ring.lines]:
                    on_frame += 1
                    assert any((curve[:, axis] == side).all() for axis, side in
                               ((0, 0), (0, width), (1, 0), (1, height)))  # fmt: skip
    assert on_frame >= 4


def test_on_the_frame_too_a_part_reaches_beneath_the_later_one():
    labels = np.full((120, 160), BY_NAME["neck"].id, np.uint8)
    labels[:, 80:] = BY_NAME["hair"].id
    layers = {layer.part: layer for layer in build_layers(labels, {}, PRESETS["all"], head_size=260.0)}
    nodes = layers[BY_NAME["neck"].id].shapes[0].rings[0].points[::3]
    for y in (0.0, 120.0):
        assert 81.0 < nodes[nodes[:, 1] == y, 0].max() < 82.0


def test_hidden_outlines_never_show_beside_the_upper_part():
    labels = np.zeros((200, 200), np.uint8)
    labels[40:160, 30:100] = HEAD
    labels[30:170, 96:104] = HAIR  # a strand that is thin for the reach
    drawn = by_part(labels)
    beyond = region(drawn[HEAD]).difference(shapely.box(30, 40, 100, 160).union(region(drawn[HAIR])).buffer(0.6))
    assert beyond.area < 0.5
    assert region(drawn[HEAD]).intersection(region(drawn[HAIR])).area > 100


def test_a_gap_between_two_branches_of_a_part_is_not_crossed_twice():
    """Two arms of the cloth reach beneath a strand from both sides: by the even-odd rule an overlap were a hole."""
    labels = np.zeros((160, 160), np.uint8)
    labels[60:150, 10:150] = CLOTH
    labels[10:140, 78:82] = HAIR
    (layer,) = [layer for layer in by_part(labels).values() if layer.part == CLOTH]
    assert all(polygon(shape).is_valid for shape in layer.shapes)
    covered = region(layer).union(region(by_part(labels)[HAIR]))
    assert shapely.box(12, 62, 148, 148).difference(covered.buffer(0.01)).area < 0.1


def test_the_head_is_solid_beneath_a_beard_but_does_not_peep_out():
    labels = np.zeros((260, 200), np.uint8)
    y, x = np.mgrid[:260, :200]
    head = ((x - 100) / 70.0) ** 2 + ((y - 120) / 95.0) ** 2 < 1
    labels[head] = HEAD
    labels[head & (y > 150)] = BEARD
    drawn = by_part(labels)
    head_region, beard = region(drawn[HEAD]), region(drawn[BEARD])
    assert head_region.intersection(beard).area > 0.85 * beard.area
    assert head_region.difference(beard.union(shapely.box(0, 0, 200, 151.5))).area < 1.0  # the tolerance
    assert len(drawn[HEAD].shapes[0].rings) == 1


def test_what_lies_in_a_hole_of_the_hair_is_not_painted_over():
    labels = np.zeros((200, 200), np.uint8)
    labels[20:180, 20:180] = HEAD
    labels[50:150, 50:150] = HAIR
    labels[90:110, 90:110] = 0  # the page shows through head and hair
    drawn = by_part(labels)
    for part in (HEAD, HAIR):
        assert region(drawn[part]).intersection(shapely.box(92, 92, 108, 108)).area < 1.0


def test_thin_parts_keep_their_area():
    labels = np.zeros((300, 300), np.uint8)
    labels[20:280, 20:280] = HEAD
    y, x = np.mgrid[:300, :300]
    eye = ((x - 100) / 20.0) ** 2 + ((y - 100) / 6.0) ** 2 < 1
    brow = (np.abs(y - 70 - ((x - 100) / 12.0) ** 2 / 2) < 3) & (np.abs(x - 100) < 28)
    labels[eye], labels[brow] = EYE, 2
    drawn = by_part(labels)
    assert region(drawn[EYE]).area == pytest.approx(eye.sum(), rel=0.06)
    assert region(drawn[2]).area == pytest.approx(brow.sum(), rel=0.06)


def test_turning_the_map_upside_down_draws_the_same_regions(face):
    here, there = (by_part(np.ascontiguousarray(labels), joins="cutout") for labels in (face, face[::-1]))
    for part in here:
        flipped = shapely.transform(region(there[part]), lambda points: np.array([0, len(face)]) + points * [1, -1])
        both = region(here[part]).symmetric_difference(flipped).area
        assert both < 0.04 * region(here[part]).area + 30


def test_the_largest_shape_comes_first():
    labels = np.zeros((200, 200), np.uint8)
    labels[10:30, 10:30] = HAIR
    labels[60:180, 60:180] = HAIR
    (layer,) = build_layers(labels, {}, ALL)
    areas = [polygon(shape).area for shape in layer.shapes]
    assert areas == sorted(areas, reverse=True)
    assert len(areas) == 2


def test_coordinates_are_rounded_as_asked(face):
    for layer in build_layers(face, {}, ALL, TraceSettings(decimals=1)):
        for shape in layer.shapes:
            for ring in shape.rings:
                assert np.allclose(ring.points * 10, np.rint(ring.points * 10), atol=1e-6) or ring.lines.any()


def test_a_tighter_tolerance_takes_more_curves(face):
    def count(tolerance: float) -> int:
        drawn = by_part(face, joins="cutout", tolerance=tolerance)
        return sum(len(ring.lines) for layer in drawn.values() for shape in layer.shapes for ring in shape.rings)

    assert count(0.0015) > count(0.003) > count(0.01)


def test_order_is_the_paint_order_whatever_the_labels():
    labels = np.array(PAINT_ORDER, np.uint8).repeat(20)[None].repeat(30, 0)
    assert [layer.part for layer in build_layers(labels, {}, ALL)] == list(PAINT_ORDER)


ROOM = Room(underlap=1.6, reach=6.0, inset=1.0, step=1.8)
BOX = (400.0, 400.0)


def test_a_hidden_line_lies_to_the_left_of_its_border_within_reach():
    x = np.arange(50.0, 350.0)
    border = np.stack([x, 200 + 20 * np.sin(x / 20)], axis=1)
    line, tolerance = hidden_line(border, False, False, np.zeros((0, 2)), BOX, ROOM)
    assert np.array_equal(line[[0, -1]], border[[0, -1]])
    gap = np.hypot(*(line[:, None] - border).transpose(2, 0, 1)).min(axis=1)
    assert gap.max() < 6.5
    assert gap[5:-5].min() > ROOM.underlap
    assert (tolerance < gap + 0.2).all()
    assert not shapely.LineString(line[1:-1]).intersects(shapely.LineString(border))
    below = shapely.Polygon([*border, [350, 400], [50, 400]])  # the part lies on the right: below
    assert not shapely.intersects_xy(below, line[2:-2, 0], line[2:-2, 1]).any()


def test_a_hidden_line_keeps_half_way_to_the_danger():
    x = np.arange(50.0, 350.0)
    border, danger = np.stack([x, np.full(300, 200.0)], axis=1), np.stack([x, np.full(300, 196.0)], axis=1)
    line, tolerance = hidden_line(border, False, False, danger, BOX, ROOM)
    assert (line[:, 1] - tolerance > 196).all()
    assert line[20:-20, 1].max() < 199


def test_a_narrow_cove_is_filled_rather_than_followed():
    cove = [[50, 200], [150, 200], [150, 300], [153, 300], [153, 200], [250, 200]]
    border = np.concatenate([np.linspace(a, b, 100, endpoint=False) for a, b in zip(cove, cove[1:], strict=False)])
    line, _ = hidden_line(np.array(border), False, False, np.zeros((0, 2)), BOX, ROOM)
    assert line[:, 1].max() < 205
    assert shapely.LineString(line).is_simple


def test_where_there_is_no_room_a_hidden_line_is_its_border_and_takes_nothing_away():
    corner = np.array([[7.0, 6.0], [8.0, 6.0], [8.0, 7.0], [7.0, 7.0]])  # clockwise: the part is one pixel
    for danger in (np.array([[8.0, 7.0]]), corner, np.array([[8.0, 6.5], [8.1, 7.1], [7.5, 7.05]])):
        line, _ = hidden_line(corner, False, False, danger, BOX, ROOM)
        assert shapely.Polygon(line).area >= shapely.Polygon(corner).area


def test_points_in_a_lattice_ring():
    ring = np.array([[0, 0], [1, 0], [2, 0], [2, 1], [1, 1], [1, 2], [0, 2], [0, 1], [0, 0]])
    points = np.array([[0.5, 0.5], [1.5, 0.5], [0.5, 1.5], [1.5, 1.5], [-0.5, 0.5], [2.5, 0.5]])
    assert inside_ring(ring, points).tolist() == [True, True, True, False, False, False]


def nodes(face, **settings):
    return trace_map(face, {}, ALL, TraceSettings(**settings))


def test_more_tolerance_means_fewer_nodes_and_the_error_says_so(face):
    found = [nodes(face, tolerance_px=px) for px in (0.1, 0.5, 2.0, 8.0)]
    counts, errors = [each.nodes for each in found], [each.error for each in found]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 2 * counts[-1]
    assert errors == sorted(errors)
    assert all(error < 1.5 * px + 0.1 for error, px in zip(errors, (0.1, 0.5, 2.0, 8.0), strict=True))


def test_a_budget_of_nodes_is_kept_and_used(face):
    plain = nodes(face)
    for most in (plain.nodes - 1, round(0.8 * plain.nodes), round(0.65 * plain.nodes)):
        drawn = nodes(face, max_nodes=most)
        assert 0.9 * most <= drawn.nodes <= most
        assert drawn.error > 0.9 * plain.error
    assert nodes(face, max_nodes=10_000).nodes == plain.nodes


def test_a_budget_that_is_too_small_gives_the_fewest(face):
    least = nodes(face, max_nodes=1)
    assert 1 < least.nodes < nodes(face).nodes
    assert least.nodes == nodes(face, max_nodes=2).nodes
    assert {layer.part for layer in least.layers} == set(np.unique(face)) - {0}


@given(st.integers(0, 5000), st.integers(10, 80), st.sampled_from(["underlap", "stacked", "cutout"]))
def test_any_map_is_drawn_within_a_budget_or_with_the_fewest(seed, most, joins):
    rng = np.random.default_rng(seed)
    labels = np.kron(rng.integers(0, 4, (3, 3)), np.ones((16, 16))).astype(np.uint8)
    drawn = trace_map(labels, {}, ALL, TraceSettings(joins=joins, max_nodes=most), head_size=100.0)
    plain = trace_map(labels, {}, ALL, TraceSettings(joins=joins), head_size=100.0)
    assert drawn.nodes <= max(most, plain.nodes)
    assert all(np.isfinite(ring.points).all() for layer in drawn.layers for one in layer.shapes for ring in one.rings)


def test_the_budget_search_takes_the_least_slack_that_suffices():
    asked = []

    def draw(slack):
        asked.append(slack)
        return slack

    found = within_budget(draw, lambda slack: int(np.ceil(100 / slack)), 30)
    assert 3.33 < found < 3.5
    assert len(asked) < 10
    assert within_budget(draw, lambda slack: 100, 30) in asked


def test_the_budget_search_looks_below_the_highest_slack_too():
    """What crosses at a high tolerance is repaired with nodes of its own: the fewest may lie somewhere between."""

    def nodes(slack):
        return round(100 / slack + 6 * slack)

    assert nodes(16) > 2 * 49  # as many, nearly, as with none
    assert nodes(within_budget(lambda slack: slack, nodes, 50)) == 49
    assert nodes(within_budget(lambda slack: slack, nodes, 30)) == 49
    jumps = {1.0: 100, 8.0: 40, 5.6: 41}  # as with others in between
    assert within_budget(lambda slack: slack, lambda slack: jumps.get(slack, 90), 50) == 5.6


@pytest.mark.parametrize("joins", ["underlap", "stacked", "cutout"])
def test_polygons_are_straight_few_and_as_close(face, joins):
    drawn = nodes(face, curves="polygon", joins=joins, tolerance_px=0.8)
    assert drawn.error < 1.0
    rings = [ring for layer in drawn.layers for shape in layer.shapes for ring in shape.rings]
    assert all(ring.lines.all() for ring in rings)
    for ring in rings:
        control = curves(ring)
        assert np.allclose(control[:, 1] - control[:, 0], (control[:, 3] - control[:, 0]) / 3)
    assert drawn.nodes < 0.3 * nodes(face, curves="polygon", joins=joins, tolerance_px=0.0).nodes


def test_polygons_that_abut_tear_nowhere(face):
    drawn = nodes(face, curves="polygon", joins="cutout", tolerance_px=1.5)
    shapes = [shapely.Polygon(r[0], r[1:]) for r in (
        [ring.points[::3] for ring in shape.rings] for layer in drawn.layers for shape in layer.shapes)]  # fmt: skip
    assert all(shape.is_valid for shape in shapes)
    assert shapely.coverage_is_valid(np.array(shapes))


@given(st.integers(0, 5000), st.sampled_from(["underlap", "stacked", "cutout"]))
@example(2944, "underlap")  # what the head carries ends on the frame, and beyond it is the page
def test_at_zero_tolerance_polygons_are_the_label_map(seed, joins):
    rng = np.random.default_rng(seed)
    labels = np.kron(rng.integers(0, 4, (5, 4)), np.ones((3, 3))).astype(np.uint8) + 0
    settings = TraceSettings(curves="polygon", tolerance_px=0.0, joins=joins, speck=0.0, sliver=0.0)
    seen = np.zeros(labels.shape, np.uint8)
    y, x = np.mgrid[: labels.shape[0], : labels.shape[1]] + 0.5
    for layer in build_layers(labels, {}, ALL, settings, head_size=100.0):
        for shape in layer.shapes:
            inside = np.zeros(labels.shape, np.bool_)
            for ring in shape.rings:  # even-odd
                inside ^= shapely.contains_xy(shapely.Polygon(ring.points[::3]), x, y)
            seen[inside] = layer.part
    assert np.array_equal(seen, labels)


def test_an_old_shapely_is_told(face, monkeypatch):
    monkeypatch.delattr(shapely, "coverage_simplify")
    with pytest.raises(FaceParseError, match=r"shapely 2\.1"):
        nodes(face, curves="polygon")
