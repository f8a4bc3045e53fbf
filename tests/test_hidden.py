"""Hidden outlines that cross something give way there, and nowhere else: elsewhere the page would shine through."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import shapely
from any_maps import polygon
from numpy.typing import NDArray

from faceparse_core.parts import BY_NAME
from svg_export.hidden import Hidden, Relaid, laid_anew
from svg_export.layers import trace_map

SHOWN = 0.35  # px: shapes that overlap by twice as much are still one when they shrink by it
Floats = NDArray[np.float64]


def blots(seed: int, size: int = 96) -> NDArray[np.uint8]:
    """A label map of blots with frayed edges that meet at all angles."""
    rng = np.random.default_rng(seed)
    parts = [BY_NAME[name].id for name in ("background", "cloth", "neck", "head", "hair", "ear-left")]

    def noise(sigma: float) -> Floats:
        return cv2.GaussianBlur(rng.normal(size=(size, size)), (0, 0), sigma)

    planes = [noise(6.0) + 0.02 * noise(1.0) for _ in parts]
    return np.array(parts, np.uint8)[np.argmax(planes, axis=0)]


@pytest.mark.parametrize("seed", [4, 8, 11, 34])
def test_hardly_any_border_is_bare(seed: int) -> None:
    found = trace_map(blots(seed), {}, head_size=260.0)
    shapes = [polygon(shape) for layer in found.layers for shape in layer.shapes]
    whole = shapely.union_all(shapes)
    smaller = shapely.union_all([shape.buffer(-SHOWN) for shape in shapes])
    bare = whole.buffer(-2 * SHOWN).difference(smaller).area / (2 * SHOWN)
    assert found.crossings == 0
    assert bare < 10  # px of border; 25 to 104 where a line that crosses is left out whole


def straight(tries: list[int]) -> Hidden:
    """A hidden line 2 px beside its border, straight, 40 px long; it notes the tries to lay it anew."""
    border = np.stack([np.linspace(0, 40, 41), np.zeros(41)], axis=1)

    def closer(again: int, first: int, last: int) -> tuple[Floats, Floats]:
        tries.append(again)
        points = border[first : last + 1].copy()
        points[1:-1, 1] -= 2.0
        return points, np.full(len(points), 0.5)

    return Hidden(*closer(0, 0, 40), closed=False, border=border, closer=closer)


def again(hidden: Hidden, before: Relaid | None, *crossed: tuple[float, float]) -> Relaid | None:
    return laid_anew(hidden, before, [np.array(point) for point in crossed], 2, polygon=False)


def test_it_is_laid_closer_first_then_cut_where_it_crosses() -> None:
    tries: list[int] = []
    hidden = straight(tries)
    first = again(hidden, None, (20.0, -2.0))
    assert first is not None
    assert first.stretches == [(0, 40)]
    second = again(hidden, first, (20.0, -2.0))
    assert second is not None
    assert second.stretches == [(0, 19), (21, 40)]
    ends = [curves[[0, -1], [0, 3]].tolist() for curves in second.control]
    assert ends == [[[0, 0], [19, 0]], [[21, 0], [40, 0]]]
    assert tries[1:] == [0, 1, 1]


def test_what_is_left_of_it_is_worth_drawing() -> None:
    hidden = straight([])
    cut = again(hidden, again(hidden, None), (3.0, -1.0))
    assert cut is not None
    assert cut.stretches == [(4, 40)]
    for _ in range(5):  # each time the cuts are wider; in the end it is given up
        assert cut is not None
        cut = again(hidden, cut, (20.0, -2.0))
    assert cut is None


def test_a_bridge_is_never_cut() -> None:
    plain = straight([])
    hidden = Hidden(plain.line, plain.tolerance, False, plain.border, bridge=True, closer=plain.closer)
    closer = again(hidden, None, (20.0, -2.0))
    assert closer is not None
    assert closer.stretches == [(0, 40)]
    assert again(hidden, closer, (20.0, -2.0)) is None


def test_a_ring_is_opened_where_it_crosses() -> None:
    angle = np.linspace(0, 2 * np.pi, 101)
    border = 20 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    border[-1] = border[0]

    def closer(_: int, first: int, last: int) -> tuple[Floats, Floats]:
        return 1.1 * border[first : last + 1], np.full(last + 1 - first, 0.5)

    hidden = Hidden(*closer(0, 0, 100), closed=True, border=border, closer=closer)
    whole = again(hidden, None)
    assert whole is not None
    opened = again(hidden, whole, (22.0, 0.0))  # at its start, which is its end
    assert opened is not None
    assert opened.stretches == [(1, 99)]
