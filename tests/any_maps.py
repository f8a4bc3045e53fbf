"""Label maps of every kind that hypothesis draws, and what must hold of the layers of any of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product

import cv2
import numpy as np
import shapely
from hypothesis import strategies as st
from numpy.typing import NDArray

from faceparse_core.parts import BY_PLANE, LAYERS, OWN, PARTS
from svg_export.layers import TraceSettings
from svg_export.shapes import Layer, Line, Ring, Shape
from svg_export.subpixel import Evidence

Labels = NDArray[np.uint8]

NEAR = 2.5  # px from a border, within which a smoothed border may lie anywhere
SEAM = 0.1  # px wide: next to its ends (0.7 px) a hidden outline may lie beside what covers it by less
ROUNDING = 0.01  # px squared: coordinates have two decimals, and curves are looked at in straight steps


# kinds of maps ------------------------------------------------------------------------------------------------------


def blobs(rng: np.random.Generator, height: int, width: int, parts: int) -> Labels:
    """Soft noise, the highest of a few hills at each pixel."""
    hills = np.stack([cv2.GaussianBlur(rng.normal(size=(height, width)), (0, 0), 2.5) for _ in range(parts)])
    return _painted(hills.argmax(axis=0), rng)


def noise(rng: np.random.Generator, height: int, width: int, parts: int) -> Labels:
    return _painted(rng.integers(0, parts, (height, width)), rng)


def stripes(rng: np.random.Generator, height: int, width: int, parts: int) -> Labels:
    """Bands of one to four pixels at any angle."""
    angle, wide = rng.uniform(0, np.pi), rng.uniform(1, 4)
    y, x = np.indices((height, width))
    return _painted(np.floor((x * np.cos(angle) + y * np.sin(angle)) / wide).astype(int) % parts, rng)


def nested(rng: np.random.Generator, height: int, width: int, parts: int) -> Labels:
    """Rings in rings, round or square, one to four pixels wide."""
    y, x = np.indices((height, width))
    away = np.stack([abs(x - rng.uniform(0, width)), abs(y - rng.uniform(0, height))])
    away = away.max(axis=0) if rng.random() < 0.5 else np.hypot(*away)
    return _painted(np.floor(away / rng.uniform(1, 4)).astype(int) % parts, rng)


def checkerboard(rng: np.random.Generator, height: int, width: int, parts: int) -> Labels:
    cell = int(rng.integers(1, 4))
    y, x = np.indices((height, width)) // cell
    return _painted((x + y) % parts, rng)


def pixels(rng: np.random.Generator, height: int, width: int, parts: int) -> Labels:
    """Parts of one pixel upon another one."""
    found = np.where(rng.random((height, width)) < 0.1, rng.integers(1, parts + 1, (height, width)), 0)
    return _painted(found, rng)


def fan(rng: np.random.Generator, height: int, width: int, parts: int) -> Labels:
    """Many wedges that meet in one point."""
    y, x = np.indices((height, width))
    turn = np.arctan2(y - rng.uniform(0, height), x - rng.uniform(0, width)) / (2 * np.pi) + 0.5
    return _painted(np.floor(turn * rng.integers(3, 16)).astype(int) % parts, rng)


def corners(rng: np.random.Generator, height: int, width: int, parts: int) -> Labels:
    """Blocks of which diagonal ones touch at a corner, up to the frame."""
    rows, columns = (np.sort(rng.integers(0, side + 1, 4)) for side in (height, width))
    y, x = np.indices((height, width))
    return _painted((np.searchsorted(rows, y) + np.searchsorted(columns, x)) % parts, rng)


def tiles(rng: np.random.Generator, height: int, width: int, parts: int) -> Labels:
    """Tiles of which four, of four parts, meet in each corner."""
    cell = int(rng.integers(1, 7))
    y, x = np.indices((height, width)) // cell
    return _painted(rng.integers(0, parts, (height, width))[y, x], rng)


def one(rng: np.random.Generator, height: int, width: int, parts: int) -> Labels:
    return _painted(np.ones((height, width), int), rng)


KINDS = (blobs, noise, stripes, nested, checkerboard, pixels, fan, corners, tiles, one)


def _painted(numbers: NDArray[np.int64], rng: np.random.Generator) -> Labels:
    """Numbers as ids of parts drawn at random, often with the background among them."""
    ids = rng.permutation(np.arange(1, len(PARTS)))
    if rng.random() < 0.7:
        ids = np.concatenate([[0], ids])
    return ids[numbers % len(ids)].astype(np.uint8)


@st.composite
def maps(draw: st.DrawFn, largest: int = 26) -> Labels:
    """A label map of any kind and of any size up to `largest`."""
    kind = draw(st.sampled_from(KINDS))
    side = st.integers(1, largest) | st.sampled_from([1, largest])
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return kind(rng, draw(side), draw(side), draw(st.integers(2, 6) | st.just(19)))


# what is known of them ------------------------------------------------------------------------------------------------


def evidence_of(labels: Labels, rng: np.random.Generator) -> Evidence:
    """Scores that agree with the map, or nearly, or not at all; and a photo that does, or not. Of both sometimes none.

    The scores' cells are smaller or larger than pixels, and lie askew; now and then there is only one of them.
    """
    (height, width), planes = labels.shape, BY_PLANE[: len(PARTS) if labels.max(initial=0) < OWN else None]
    count = len(planes)
    scores = box = rgb = None
    kind = rng.choice(["none", "alike", "doubtful", "others"])
    if kind != "none":
        cell = rng.choice([0.7, 1.0, 2.0, 4.0, 9.0], size=2 if rng.random() < 0.2 else 1) * np.ones(2)
        columns, rows = (int(np.ceil(side / step)) for side, step in zip((width, height), cell, strict=True))
        left, top = (cell * rng.uniform(-2, 2, 2)).tolist()
        box = (left, top, left + columns * float(cell[0]), top + rows * float(cell[1]))
        scores = rng.normal(0, 4, (count, rows, columns)).astype(np.float32)
        if kind != "others":
            soft = [cv2.GaussianBlur((labels == part).astype(np.float32), (0, 0), 1.0) for part in planes]
            soft = [cv2.resize(each, (columns, rows), interpolation=cv2.INTER_AREA) for each in soft]
            share = 0.4 if kind == "doubtful" else 0.0
            scores = np.log(np.stack(soft).reshape(scores.shape) + np.float32(1e-3)) + np.float32(share) * scores
    kind = rng.choice(["none", "noise", "smooth", "alike"])
    if kind == "noise":
        rgb = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    elif kind == "smooth":
        coarse = rng.integers(0, 256, (4, 4, 3)).astype(np.uint8)
        rgb = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).reshape(height, width, 3)
    elif kind == "alike":  # the parts' own colours, some pixels off
        moved = np.roll(labels, tuple(rng.integers(-3, 4, 2).tolist()), axis=(0, 1))
        colors = rng.integers(0, 256, (count, 3)).astype(np.uint8)
        rgb = cv2.GaussianBlur(colors[np.searchsorted(planes, moved)], (0, 0), 0.8).reshape(height, width, 3)
    return Evidence(rgb, scores, box)


@st.composite
def known_maps(draw: st.DrawFn, largest: int = 26) -> tuple[Labels, Evidence]:
    """A label map of any kind, and what else is known of the picture."""
    labels = draw(maps(largest))
    return labels, evidence_of(labels, np.random.default_rng(draw(st.integers(0, 2**32 - 1))))


def mirrored(labels: Labels, evidence: Evidence | None) -> tuple[Labels, Evidence | None]:
    """Both turned around; the parts keep their sides."""
    turned = np.ascontiguousarray(labels[:, ::-1])
    if evidence is None:
        return turned, None
    rgb = None if evidence.rgb is None else np.ascontiguousarray(evidence.rgb[:, ::-1])
    scores = None if evidence.scores is None else np.ascontiguousarray(evidence.scores[:, :, ::-1])
    box = None
    if evidence.box is not None:
        box = labels.shape[1] - evidence.box[2], evidence.box[1], labels.shape[1] - evidence.box[0], evidence.box[3]
    return turned, Evidence(rgb, scores, box)


# what must hold -----------------------------------------------------------------------------------------------------


def faults(layers: Sequence[Layer], labels: Labels, settings: TraceSettings, moved: float = 0.0) -> list[str]:
    """What is wrong with the layers of a label map, one sentence each.

    moved  px by which evidence may have moved borders
    """
    found = []
    areas: dict[int, shapely.Geometry] = {}
    stack: list[tuple[int, list[shapely.Polygon]]] = []
    for layer in layers:
        for shape in layer.shapes:
            for ring in shape.rings:
                if not (np.isfinite(ring.points).all() and len(ring.points) == 3 * len(ring.lines) > 0):
                    found.append(f"{_name(layer.part)}: a ring that is not closed and finite")
                if settings.curves == "polygon" and not ring.lines.all():
                    found.append(f"{_name(layer.part)}: not straight")
        shapes = [polygon(shape) for shape in layer.shapes]
        crossed = [each for each in shapes if abs(shapely.make_valid(each).area - each.area) > ROUNDING]
        found += [f"{_name(layer.part)}: {shapely.is_valid_reason(each)}" for each in crossed]
        shapes = [shapely.make_valid(each) for each in shapes]
        areas[layer.part] = shapely.union_all(shapes)
        stack.append((layer.part, shapes))
    if found:
        return found
    if settings.joins == "cutout":
        polygons = [each for _, shapes in stack for each in shapes]
        if settings.curves == "polygon" and not shapely.coverage_is_valid(polygons):
            bad = [each.wkt[:150] for each in shapely.coverage_invalid_edges(polygons) if not each.is_empty]
            found.append(f"no coverage: {bad[:2]}")
        if sum(each.area for each in polygons) > shapely.union_all(polygons).area + ROUNDING:
            found.append("layers overlap")
    elif settings.joins == "stacked":
        for (lower, below), (upper, above) in combinations(stack, 2):
            for beneath, upon in product(below, above):
                if upon.intersection(beneath).area > ROUNDING and upon.difference(beneath).area > ROUNDING:
                    found.append(f"{_name(upper)} lies half beyond {_name(lower)}")
    page = shapely.box(0, 0, labels.shape[1], labels.shape[0])
    background = shapely.multipoints(np.argwhere(labels == 0)[:, ::-1] + 0.5)
    gaps = shapely.get_parts(page.difference(shapely.union_all(list(areas.values())))).tolist()
    gaps = [gap for gap in gaps if gap.area > ROUNDING and not gap.buffer(-SEAM / 2).is_empty]
    # the distance is nan where there is no background
    found += [f"a seam: {gap.wkt[:150]}" for gap in gaps if not gap.distance(background) < 1]
    seen = painted(layers, labels.shape)
    wrong = (seen != labels) & (distance_to_borders(labels) > NEAR + moved)
    if wrong.any():
        found.append(f"{wrong.sum()} px wrong, at {np.argwhere(wrong)[0]}")
    return found


def _name(part: int) -> str:
    return LAYERS[part].name if part in LAYERS else f"own part {part}"


def polygon(shape: Shape) -> shapely.Polygon:
    outer, *holes = (flat(ring) for ring in shape.rings)
    return shapely.Polygon(outer, holes)


def flat(ring: Ring, steps: int = 24) -> NDArray[np.float64]:
    """Points along a ring. Neighbours walk a curve that they share in opposite ways, and get the very same points."""
    control = np.concatenate([ring.points, ring.points[:1]])
    control = np.stack([control[at : len(ring.points) + at : 3] for at in range(4)], axis=1)
    return _flat(control, np.asarray(ring.lines), steps)


def flat_line(line: Line, steps: int = 24) -> NDArray[np.float64]:
    points = line.points
    control = np.stack([points[at : len(points) - 1 + at : 3][: len(points) // 3] for at in range(4)], axis=1)
    return np.concatenate([_flat(control, np.zeros(len(control), bool), steps), points[-1:]])


def _flat(control: NDArray[np.float64], lines: NDArray[np.bool_], steps: int) -> NDArray[np.float64]:
    t = np.linspace(0, 1, steps + 1)[:, None]
    u = 1 - t
    found = []
    for curve, straight in zip(control, lines.tolist(), strict=True):
        if straight:
            found.append(curve[:1])
            continue
        turned = tuple(curve[3]) < tuple(curve[0])
        a, b, c, d = curve[::-1] if turned else curve
        points = u**3 * a + 3 * u * u * t * b + 3 * u * t * t * c + t**3 * d
        points[[0, -1]] = a, d
        found.append((points[::-1] if turned else points)[:-1])
    return np.concatenate(found)


def painted(layers: Sequence[Layer], size: tuple[int, ...]) -> Labels:
    """The part seen at each pixel's centre."""
    y, x = np.indices(size)
    centres = shapely.points(x.ravel() + 0.5, y.ravel() + 0.5)
    seen = np.zeros(size, np.uint8)
    for layer in layers:
        for shape in layer.shapes:
            area = shapely.make_valid(polygon(shape))
            shapely.prepare(area)
            seen[shapely.covers(area, centres).reshape(size)] = layer.part
    return seen


def distance_to_borders(labels: Labels) -> NDArray[np.float32]:
    """px from each pixel's centre to the nearest pixel of another part."""
    away = np.full(labels.shape, np.inf, np.float32)
    for part in np.unique(labels):
        mine = np.pad(labels == part, 1, constant_values=True).astype(np.uint8)
        if mine.all():
            continue
        inside = cv2.distanceTransform(mine, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
        away[labels == part] = inside[labels == part]
    return away
