"""The benchmarks' figures: right where the answer is known."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from conftest import ROOT

pytest.importorskip("resvg_py")
sys.path.append(str(ROOT / "benchmarks"))

import scoring
import trace_quality
import tracers


def boxes(*layers: tuple[str, str]) -> bytes:
    body = "".join(f'<g id="{name}"><path d="{data}"/></g>' for name, data in layers)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 60">{body}</svg>'.encode()


@pytest.fixture
def two() -> np.ndarray:
    labels = np.zeros((60, 60), np.uint8)
    labels[10:50, 10:30], labels[10:50, 30:50] = 17, 16
    return labels


def test_a_perfect_drawing_is_perfect(two: np.ndarray) -> None:
    found = scoring.score(boxes(("cloth", "M30 10h20v40h-20z"), ("hair", "M10 10h20v40h-20z")), two)
    assert (found.miou, found.bf, found.leaks, found.wrong, found.segments) == (1, 1, 0, 0, 8)


def test_gaps_leak_and_wrong_parts_are_counted(two: np.ndarray) -> None:
    found = scoring.score(boxes(("cloth", "M30.5 10h19.5v40h-19.5z"), ("hair", "M10 10h20v40h-20z")), two)
    assert found.leaks == 34  # the column from 3 px below the top to 3 px above the bottom
    found = scoring.score(boxes(("cloth", "M30 10h20v40h-20z"), ("hair", "M10 10h30v40h-30z")), two)
    assert found.wrong == 7 * 35  # 10 x 40 less what lies within 2.5 px of a border
    assert 0.5 < found.miou < 0.7
    assert found.bf < 0.9


def test_segments_are_counted_in_any_notation() -> None:
    assert scoring.count_segments("M0 0 10 0L10 10 0 10Z") == 4
    assert scoring.count_segments("M0 0c1 1 2 2 3 3 1-1 2-2 3-3h4v-5.5.5z") == 6


def test_what_we_draw_scores_well(face: np.ndarray) -> None:
    found = scoring.score(tracers.ours(face), face)
    assert found.miou > 0.96
    assert found.bf > 0.99
    assert (found.leaks, found.wrong) == (0, 0)
    assert scoring.score(tracers.contours(face), face).leaks > 100


def test_paths_are_flattened_in_any_notation() -> None:
    (one,) = trace_quality.flattened("M1 2h3v4H1z")
    assert one.tolist() == [[1, 2], [4, 2], [4, 6], [1, 6], [1, 2]]
    (curve,) = trace_quality.flattened("m0 0c0 1 1 2 2 2", steps=2)
    assert curve.tolist() == [[0, 0], [0.625, 1.375], [2, 2]]


def test_the_plot_is_a_picture() -> None:
    text = trace_quality.plot({"ours": [(100, 0.01, 0.001), (200, 0.005, 0.0005)], "potrace": [(300, 0.02, 0.002)]})
    assert text.count("<polyline") == 4
    assert text.count("<circle") == 6
