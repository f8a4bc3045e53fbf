"""Shapes cut to shapes: the right area, and along the part its very curves."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from rings import points

from svg_export.clip import clip
from svg_export.shapes import Ring, Shape


def square(low: float, high: float) -> Ring:
    on = np.array([[low, low], [high, low], [high, high], [low, high]], float)
    step = np.roll(on, -1, axis=0) - on
    return Ring(np.stack([on, on + step / 3, on + step * 2 / 3], 1).reshape(-1, 2), np.ones(4, bool))


def blob(seed: int, x: float, y: float, size: float, nodes: int = 7) -> Ring:
    """A smooth ring around (x, y)."""
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, nodes, endpoint=False)
    on = np.array([x, y]) + (size * rng.uniform(0.7, 1.3, nodes))[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    handle = (np.roll(on, -1, axis=0) - np.roll(on, 1, axis=0)) / 6
    controls = [on, on + handle, np.roll(on - handle, -1, axis=0)]
    return Ring(np.stack(controls, 1).reshape(-1, 2), np.zeros(nodes, bool))


def reverse(ring: Ring) -> Ring:
    return Ring(np.roll(ring.points, -1, axis=0)[::-1], ring.lines[::-1])


def area(shapes: list[Shape] | tuple[Shape, ...]) -> shapely.Geometry:
    polygons = [shapely.Polygon(points(s.rings[0]), [points(ring) for ring in s.rings[1:]]) for s in shapes]
    assert all(each.is_valid for each in polygons)
    return shapely.union_all(polygons)


def cut(region: list[Shape], part: list[Shape], **limits: float) -> tuple[Shape, ...]:
    return clip(region, part, **{"min_area": 0.0, "min_width": 0.0, **limits})


def test_all_within_all_around_and_apart() -> None:
    part = [Shape((blob(1, 50, 50, 30),))]
    (inside,) = cut([Shape((square(40, 60),))], part)
    assert area([inside]).symmetric_difference(shapely.box(40, 40, 60, 60)).area < 1e-6
    assert inside.rings[0].lines.all()
    (around,) = cut([Shape((square(-50, 150),))], part)
    assert {tuple(p) for p in around.rings[0].points} == {tuple(p) for p in part[0].rings[0].points}
    assert cut([Shape((square(200, 210),))], part) == ()


@given(st.integers(0, 10_000), st.booleans(), st.booleans())
def test_what_two_blobs_have_in_common(seed: int, turned: bool, holed: bool) -> None:
    one, two = blob(seed, 100, 100, 40), blob(seed + 1, 100 + seed % 90, 110, 40, nodes=9)
    hole = reverse(blob(seed + 2, 100, 100, 15))
    part = [Shape((one, hole) if holed else (one,))]
    region = [Shape((reverse(two) if turned else two,))]
    found = cut(region, part)
    want = area(part).intersection(area(region))
    assert area(found).symmetric_difference(want).area < 0.02 * want.area + 0.5
    assert area(found).difference(area(part).buffer(0.05)).area < 1e-6
    # every node is one of the part's, one of the region's, or lies where they cross
    edges = [shapely.LinearRing(points(ring)) for shape in (*part, *region) for ring in shape.rings]
    for shape in found:
        for ring in shape.rings:
            nodes = shapely.points(ring.points[::3])
            assert (np.min([shapely.distance(edge, nodes) for edge in edges], axis=0) < 0.05).all()
        assert sum(len(ring.lines) for ring in shape.rings) <= 16 + 7 + 12


def test_along_the_part_it_is_the_parts_curve() -> None:
    """To the last bit but for rounding: flattened finely, each point lies on the part's outline."""
    part = [Shape((blob(5, 100, 100, 60),))]
    (half,) = cut([Shape((square(100, 300),))], part)
    outline = shapely.LinearRing(points(part[0].rings[0], 4000))
    along = shapely.points(points(half.rings[0]))
    off = shapely.distance(outline, along)
    straight = shapely.distance(shapely.box(100, 100, 300, 300).exterior, along)
    assert np.minimum(off, straight).max() < 0.02  # the region's side is put onto the end of the part's
    assert (off < 1e-3).sum() > 400


def test_the_straight_stays_straight() -> None:
    (corner,) = cut([Shape((blob(3, 0, 0, 30),))], [Shape((square(0, 100),))])
    assert corner.rings[0].lines.sum() == 2
    thirds = corner.rings[0].points.reshape(-1, 3, 2)[corner.rings[0].lines]
    assert (np.abs(thirds[:, 0] - thirds[:, 1]).min(axis=1) == 0).all()


def test_what_is_small_or_thin_is_left_out() -> None:
    part = [Shape((square(0, 100),))]
    sliver = Shape((square(99, 200),))
    assert len(cut([sliver], part)) == 1
    assert cut([sliver], part, min_area=2.0) == ()
    thin = Shape((Ring(square(0, 100).points * [0.02, 1], np.ones(4, bool)),))
    assert cut([thin], part, min_width=2.5) == ()
    assert len(cut([thin], part, min_width=1.5)) == 1


@pytest.mark.parametrize("shift", [0.0, 1e-9, 1e-3, 0.5])
def test_shapes_that_share_their_edge(shift: float) -> None:
    ring = blob(7, 100, 100, 50)
    found = cut([Shape((Ring(ring.points + shift, ring.lines),))], [Shape((ring,))])
    assert sum(each.area for each in [area(found)]) == pytest.approx(area([Shape((ring,))]).area, rel=0.02)
