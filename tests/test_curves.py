"""Smoothing keeps size and ends, corners are found, the fit is tight and needs few nodes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svg_export.beziers import between, evaluate, nearest, split, straight
from svg_export.curves import Lines, corners, smooth, tangents
from svg_export.fitting import Fitted, _worst, fit
from svg_export.polish import Chain, polish
from svg_export.trace import planar_map


def line(points: np.ndarray, closed: bool = False) -> Lines:
    return Lines.one(np.asarray(points, float), closed)


def disc(radius: float) -> Lines:
    y, x = np.mgrid[: int(2 * radius + 9), : int(2 * radius + 9)] + 0.5
    middle = radius + 4.2
    ranks = (np.hypot(x - middle, y - middle) < radius).astype(np.uint8)
    return line(planar_map(ranks).arc(0), closed=True)


def fitted(lines: Lines, tolerance: float, spacing: int = 3) -> Fitted:
    direction = tangents(lines, np.full(len(lines), 2.0))
    return fit(lines, direction, np.full(len(lines.points), tolerance), np.full(len(lines), spacing))


def drawn(control: np.ndarray) -> np.ndarray:
    return evaluate(control, np.linspace(0, 1, 400)).reshape(-1, 2)


@pytest.mark.parametrize("radius", [4.0, 8.0, 30.0, 120.0])
def test_smoothing_does_not_shrink_a_disc(radius):
    ring = smooth(disc(radius), np.array([min(1.4, 0.2 * radius)]))
    after = np.roll(ring[:-1], -1, axis=0)
    area = abs(float((ring[:-1, 0] * after[:, 1] - after[:, 0] * ring[:-1, 1]).sum())) / 2
    assert area == pytest.approx(np.pi * radius**2, rel=0.03)


def test_smoothing_keeps_the_ends_of_a_line_and_takes_its_stairs():
    stairs = np.array([[(k + 1) // 2, k // 2] for k in range(60)])
    soft = smooth(line(stairs), np.array([1.4]))
    assert np.array_equal(soft[[0, -1]], stairs[[0, -1]])
    off = (soft[:, 0] - soft[:, 1]) / np.sqrt(2)
    assert np.ptp(off[5:-5]) < 0.05
    assert np.ptp((stairs[:, 0] - stairs[:, 1]) / np.sqrt(2)) > 0.7


def test_a_closed_line_stays_closed():
    ring = smooth(disc(20), np.array([2.0]))
    assert np.array_equal(ring[0], ring[-1])


def test_lines_are_smoothed_each_on_its_own():
    one, two = disc(10), disc(25)
    both = Lines(
        np.concatenate([one.points, two.points]),
        np.array([0, len(one.points), len(one.points) + len(two.points)]),
        np.array([True, True]),
    )
    sigma = np.array([1.0, 1.0])
    assert np.array_equal(smooth(both, sigma), np.concatenate([smooth(one, sigma[:1]), smooth(two, sigma[:1])]))


def test_corners_of_a_square_are_found_and_a_disc_has_none():
    ranks = np.zeros((50, 50), np.uint8)
    ranks[10:40, 10:40] = 1
    square = line(planar_map(ranks).arc(0), closed=True)
    found = square.points[corners(square, np.array([5]), np.radians(60))]
    assert sorted(map(tuple, found.tolist())) == [(10, 10), (10, 40), (40, 10), (40, 40)]
    round_one = Lines(smooth(disc(15), np.array([1.0])), disc(15).starts, np.array([True]))
    assert len(corners(round_one, np.array([5]), np.radians(60))) == 0


@pytest.mark.parametrize("radius", [6.0, 20.0, 100.0])
def test_a_disc_needs_few_curves_and_they_are_true(radius):
    raw = disc(radius)
    ring = Lines(smooth(raw, np.array([1.4])), raw.starts, raw.closed)
    found = fitted(ring, 0.7)
    middle = raw.points[:-1].mean(axis=0)
    assert 2 <= len(found.control) <= 5
    assert np.abs(np.hypot(*(drawn(found.control) - middle).T) - radius).max() < 1.0


@given(st.lists(st.floats(-3, 3), min_size=4, max_size=10), st.floats(0.2, 2))
def test_every_point_of_a_line_is_within_the_tolerance(heights, tolerance):
    x = np.arange(20.0 * (len(heights) - 1) + 1)
    y = np.interp(x, np.arange(len(heights)) * 20.0, np.array(heights) * 4)
    raw = line(np.stack([x, y], axis=1))
    soft = Lines(smooth(raw, np.array([4.0])), raw.starts, raw.closed)
    found = fitted(soft, tolerance)
    curve = drawn(found.control)
    off = np.hypot(*(soft.points[:, None] - curve).transpose(2, 0, 1)).min(axis=1)
    assert off.max() < 1.25 * tolerance + 0.1  # `drawn` is made of points
    assert np.array_equal(found.control[1:, 0], found.control[:-1, 3])
    assert np.array_equal(found.control[[0, -1], [0, 3]], soft.points[[0, -1]])


def test_curves_run_smoothly_through_inner_nodes():
    x = np.arange(300.0)
    soft = line(np.stack([x, 30 * np.sin(x / 25)], axis=1))
    control = fitted(soft, 0.3).control
    assert 4 < len(control) < 12
    arriving, leaving = control[:-1, 3] - control[:-1, 2], control[1:, 1] - control[1:, 0]
    cross = arriving[:, 0] * leaving[:, 1] - arriving[:, 1] * leaving[:, 0]
    assert np.abs(cross / np.hypot(*arriving.T) / np.hypot(*leaving.T)).max() < 1e-6


def test_polishing_brings_nodes_to_where_they_fit_better():
    x = np.arange(300.0)
    soft = line(np.stack([x, 30 * np.sin(x / 25) + 6 * np.sin(x / 9)], axis=1))
    start = np.array([0, 33, 90, 130, 200, 244])
    end = np.array([33, 90, 130, 200, 244, 299])
    straight_off = straight(soft.points[np.append(start, 299)])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(soft.points, axis=0).T))])
    chain = Chain(straight_off.copy(), start, end)
    tolerance = np.ones(len(x))
    before = _worst(soft.points, tolerance, along, chain.control, start, end)[1].max()
    for _ in range(5):
        polish(chain, soft.points, tolerance, along, np.arange(len(start)), 3)
    after = _worst(soft.points, tolerance, along, chain.control, start, end)[1].max()
    assert after < 0.7 * before
    assert np.allclose(chain.control[1:, 0], chain.control[:-1, 3])
    assert np.array_equal(chain.control[0, 0], straight_off[0, 0])
    assert np.array_equal(chain.control[-1, 3], straight_off[-1, 3])


@given(st.integers(0, 1000))
def test_curves_stay_within_the_tolerance_of_any_smooth_line(seed):
    rng = np.random.default_rng(seed)
    turn = np.convolve(rng.normal(0, 0.06, 330), np.ones(20) / 4, "valid")[:300]
    soft = line(np.cumsum(np.stack([np.cos(np.cumsum(turn)), np.sin(np.cumsum(turn))], axis=1), axis=0))
    curves = drawn(fitted(soft, 0.5).control)
    gap = np.hypot(*(soft.points[:, None] - curves).transpose(2, 0, 1)).min(axis=1)
    assert gap.max() < 0.8


def test_a_tighter_tolerance_needs_no_fewer_curves():
    x = np.arange(400.0)
    wave = line(np.stack([x, 20 * np.sin(x / 15) + 5 * np.sin(x / 6)], axis=1))
    counts = [len(fitted(wave, tolerance).control) for tolerance in (4.0, 1.0, 0.25)]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_splitting_a_cubic_draws_the_same_curve():
    control = np.array([[0, 0], [3, 9], [9, 9], [12, 1.0]])
    one, two = split(control, 0.3)
    assert np.allclose(one[-1], two[0])
    assert np.allclose(evaluate(one[None], np.array([0.5])), evaluate(control[None], np.array([0.15])))
    assert np.allclose(evaluate(two[None], np.array([0.5])), evaluate(control[None], np.array([0.65])))


@given(st.floats(0, 3), st.floats(0, 3))
def test_between_two_places_of_a_chain_lies_the_same_curve(start, end):
    chain = straight(np.array([[0, 0], [6, 0], [6, 6], [0, 6.0]]))
    part = between(chain, start, end)
    if end - start < 1e-9:
        assert end <= start or len(part)
        return

    def at(place: float) -> np.ndarray:
        return evaluate(chain[[min(int(place), 2)]], np.array([place - min(int(place), 2)]))[0, 0]

    assert np.allclose(part[0, 0], at(start))
    assert np.allclose(part[-1, 3], at(end))


def test_nearest_finds_the_foot_of_a_point():
    control = np.array([[[0, 0], [3, 9], [9, 9], [12, 1.0]]])
    t = nearest(control, np.array([[6.0, 20.0]]), np.array([0.3]))
    foot = evaluate(control, t[:, None])[0, 0]
    thick = evaluate(control, np.linspace(0, 1, 2001))[0]
    assert np.hypot(*(thick - [6, 20]).T).min() == pytest.approx(np.hypot(*(foot - [6, 20])), abs=1e-3)
