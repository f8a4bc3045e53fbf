"""The planar map: every border once, areas that add up, junctions, checkerboards, the frame."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from svg_export.specks import absorb
from svg_export.trace import OUTSIDE_RANK, PlanarMap, planar_map, rings

small_maps = arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 4))


def ring_points(arcs: PlanarMap, ring: list[tuple[int, bool]]) -> np.ndarray:
    return np.concatenate([arcs.arc(arc)[:-1] if ahead else arcs.arc(arc)[:0:-1] for arc, ahead in ring])


def area(points: np.ndarray) -> float:
    after = np.roll(points, -1, axis=0)
    return float((points[:, 0] * after[:, 1] - after[:, 0] * points[:, 1]).sum()) / 2


@given(small_maps)
def test_every_crack_belongs_to_one_arc(ranks):
    arcs = planar_map(ranks)
    steps = [np.sort(np.stack([arcs.arc(a)[:-1], arcs.arc(a)[1:]], 1), axis=1) for a in range(len(arcs))]
    cracks = np.concatenate(steps).reshape(-1, 4) if steps else np.zeros((0, 4))
    assert len(np.unique(cracks, axis=0)) == len(cracks)
    assert (np.abs(cracks[:, 2:] - cracks[:, :2]).sum(1) == 1).all()
    inner = (ranks[1:] != ranks[:-1]).sum() + (ranks[:, 1:] != ranks[:, :-1]).sum()
    edge = sum(np.count_nonzero(side) for side in (ranks[0], ranks[-1], ranks[:, 0], ranks[:, -1]))
    background = ((arcs.owner == OUTSIDE_RANK) & (arcs.lower == 0)).nonzero()[0]
    assert len(cracks) - sum(len(arcs.arc(a)) - 1 for a in background) == inner + edge


@given(small_maps)
def test_rings_enclose_each_part_s_pixels(ranks):
    arcs = planar_map(ranks)
    for rank in range(1, 5):
        found = [ring_points(arcs, ring) for ring in rings(arcs, lambda values, rank=rank: values == rank)]
        assert sum(map(area, found)) == np.count_nonzero(ranks == rank)


@given(small_maps)
def test_the_union_of_parts_has_the_union_s_rings(ranks):
    arcs = planar_map(ranks)
    found = rings(arcs, lambda values: (values >= 2) & (values != OUTSIDE_RANK))
    assert sum(area(ring_points(arcs, ring)) for ring in found) == np.count_nonzero(ranks >= 2)


def test_the_owner_is_the_part_painted_later_and_lies_on_the_right():
    ranks = np.zeros((9, 9), np.uint8)
    ranks[3:6, 3:6] = 7
    arcs = planar_map(ranks)
    assert (len(arcs), arcs.owner[0], arcs.lower[0], arcs.tail[0]) == (1, 7, 0, -1)
    assert area(arcs.arc(0)[:-1]) == 9  # clockwise on the screen


def test_three_parts_meet_in_a_junction_of_three_arcs():
    ranks = np.full((6, 6), 1, np.uint8)
    ranks[:, 3:] = 2
    ranks[3:, 3:] = 3
    arcs = planar_map(np.pad(ranks, 2))
    inner = [node for node in range(len(arcs.degree)) if ((arcs.tail == node) | (arcs.head == node)).sum() == 3]
    assert len(inner) == len(arcs.degree) == 4
    assert (arcs.degree == 3).all()


def test_four_parts_meet_in_a_junction_of_four_arcs():
    ranks = np.array([[1, 2], [3, 4]], np.uint8).repeat(3, 0).repeat(3, 1)
    assert sorted(planar_map(np.pad(ranks, 1)).degree.tolist()) == [3, 3, 3, 3, 4]


@pytest.mark.parametrize("flip", [False, True])
def test_at_a_checkerboard_the_scarcer_part_stays_in_one_piece(flip):
    ranks = np.full((8, 8), 1, np.uint8)
    ranks[range(2, 6), range(2, 6)] = 2  # a thread of single pixels
    ranks = ranks[:, ::-1] if flip else ranks
    found = rings(planar_map(ranks), lambda values: values == 2)
    assert len(found) == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (4, 6)])
def test_one_part_that_fills_the_frame(shape):
    arcs = planar_map(np.full(shape, 3, np.uint8))
    (ring,) = rings(arcs, lambda values: values == 3)
    assert area(ring_points(arcs, ring)) == shape[0] * shape[1]
    assert (arcs.owner == OUTSIDE_RANK).all()


def test_an_empty_map_has_no_arcs():
    assert len(planar_map(np.zeros((5, 8), np.uint8))) == 0


@given(small_maps, st.integers(1, 3), st.integers(1, 3))
def test_moving_a_map_moves_its_borders(ranks, down, right):
    here, there = planar_map(np.pad(ranks, 2)), planar_map(np.pad(ranks, ((2 + down, 2), (2 + right, 2))))
    assert np.array_equal(here.points + np.array([right, down]), there.points)
    assert np.array_equal(here.owner, there.owner)


def test_specks_and_slivers_go_to_the_part_they_touch_most():
    ranks = np.full((40, 40), 1, np.uint8)
    ranks[:, 20:] = 2
    ranks[5:35, 20] = 0  # a thread of background between the two
    ranks[10, 10] = 3
    ranks[0:12, 30:38] = 0  # no sliver
    arcs = absorb(ranks, planar_map(ranks), 4.0, 1.6, frozenset({0, 1, 2}))
    assert set(np.unique(ranks).tolist()) == {0, 1, 2}
    assert np.count_nonzero(ranks == 0) == 96
    assert 3 not in arcs.owner


def test_a_strip_along_the_frame_and_a_long_thread_of_a_part_stay():
    ranks = np.full((40, 60), 1, np.uint8)
    ranks[-1] = 0
    ranks[10:12, 5:55] = 2
    before = ranks.copy()
    absorb(ranks, planar_map(ranks), 4.0, 2.2, frozenset({0, 1, 2}))
    assert np.array_equal(ranks, before)


def test_a_thin_part_is_no_sliver():
    ranks = np.full((40, 40), 1, np.uint8)
    ranks[20, 3:37] = 5  # the arm of a pair of glasses
    absorb(ranks, planar_map(ranks), 4.0, 1.6, frozenset({0, 1}))
    assert np.count_nonzero(ranks == 5) == 34
