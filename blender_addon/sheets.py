# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers -> sheets, each of which one curve object can show; rings -> the numbers that a spline takes. No bpy here.

A 2D curve of Blender fills its splines by even-odd, material slot by material slot, all in one plane. So the shapes of
a layer share a sheet as long as none lies on one of another colour; what does goes to the next sheet, a little higher.
Shapes of one colour that overlap get a slot each (of the same material), or Blender would fill the overlap by even-odd.
What is stroked goes to a sheet of its own on top. Layers that faceparse-svg writes need one sheet with one slot.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, NamedTuple

from .drawing import Color, Layer, Ring, Shape
from .fill_rule import overlap

#: Chord and curve may differ by this share of the layer's own diagonal: a layer that fills the screen looks smooth, and
#: the area of the smallest eye is right within 1 %.
CHORD_ERROR = 1 / 2000
STEPS = (3, 16)  # the fewest and most chords a segment; Blender's own default is 12
_ALIGNED = 0.02  # px that a handle may be off the line through its knot and still be called aligned

FREE, VECTOR, ALIGNED = "FREE", "VECTOR", "ALIGNED"
Kind = Literal["fill", "stroke"]


class Frame(NamedTuple):
    """Where photo pixels lie in Blender: `origin` (px) at (0, 0), `unit` Blender units a pixel, y up."""

    unit: float
    origin: complex

    def there(self, point: complex) -> complex:
        return ((point - self.origin) * self.unit).conjugate()

    def back(self, point: complex) -> complex:
        return point.conjugate() / self.unit + self.origin


@dataclass(frozen=True)
class Sheet:
    """The shapes of one object, and for each the index of its slot in `colors`."""

    kind: Kind
    tier: int  #: 0 for the lowest of its kind in the layer
    shapes: tuple[Shape, ...]
    slots: tuple[int, ...]
    colors: tuple[Color, ...]

    @property
    def width(self) -> float:
        """The widest stroke, px."""
        return max((shape.stroke_width for shape in self.shapes), default=0.0)

    def digest(self) -> str:
        """Changes whenever a curve does, by more than 1/1000 px, not with colours."""
        text = repr([
            (slot, round(shape.stroke_width, 3), [(ring.closed, _rounded(ring)) for ring in shape.rings])
            for slot, shape in zip(self.slots, self.shapes, strict=True)
        ])  # fmt: skip
        return blake2b(text.encode(), digest_size=12).hexdigest()


def sheets_of(layer: Layer) -> list[Sheet]:
    """The sheets of a layer, bottom to top; none for a layer without shapes."""
    tiers: list[list[Shape]] = []
    for shape in layer.shapes:
        if shape.fill is None:
            continue
        above = 0
        for tier, lower in enumerate(tiers, 1):
            if any(one.fill != shape.fill and overlap(one.rings, shape.rings) for one in lower):
                above = tier
        if above == len(tiers):
            tiers.append([])
        tiers[above].append(shape)
    sheets = [_filled(tier, shapes) for tier, shapes in enumerate(tiers)]
    stroked = [shape for shape in layer.shapes if shape.stroke is not None and shape.stroke_width > 0]
    if stroked:
        colors = tuple(dict.fromkeys(shape.stroke for shape in stroked if shape.stroke is not None))
        slots = tuple(colors.index(shape.stroke) for shape in stroked if shape.stroke is not None)
        sheets.append(Sheet("stroke", 0, tuple(stroked), slots, colors))
    return sheets


def _filled(tier: int, shapes: Sequence[Shape]) -> Sheet:
    slots: list[int] = []
    colors: list[Color] = []
    held: list[list[Shape]] = []  # the shapes of each slot
    for shape in shapes:
        assert shape.fill is not None
        for slot, color in enumerate(colors):
            if color == shape.fill and not any(overlap(one.rings, shape.rings) for one in held[slot]):
                break
        else:
            slot = len(colors)
            colors.append(shape.fill)
            held.append([])
        held[slot].append(shape)
        slots.append(slot)
    return Sheet("fill", tier, tuple(shapes), tuple(slots), tuple(colors))


class Spline(NamedTuple):
    """What one Bezier spline of n knots takes: x, y, 0 per knot in `co`, `left`, `right`; a type per handle."""

    co: array[float]
    left: array[float]
    right: array[float]
    left_types: list[str]
    right_types: list[str]
    cyclic: bool

    def __len__(self) -> int:
        return len(self.left_types)


def spline_of(ring: Ring, frame: Frame, closed: bool) -> Spline:
    """`closed`: close the ring if it is open, as a fill does."""
    points = list(ring.points)
    if not ring.closed:
        if closed:
            last, first = points[-1], points[0]
            points += (last + (first - last) / 3, first - (first - last) / 3)
        else:  # the outer handles of both ends lie on their knots
            points += (points[-1], points[0])
    cyclic = ring.closed or closed
    knots, after = points[::3], points[1::3]
    before = [points[-1], *points[2:-1:3]]
    straight = [
        is_straight(knots[i], after[i], before[(i + 1) % len(knots)], knots[(i + 1) % len(knots)])
        for i in range(len(knots))
    ]
    if not cyclic:
        straight[-1] = False
    left_types, right_types = [], []
    for i, knot in enumerate(knots):
        smooth = not straight[i] and not straight[i - 1] and _is_aligned(before[i], knot, after[i])
        left_types.append(VECTOR if straight[i - 1] else ALIGNED if smooth else FREE)
        right_types.append(VECTOR if straight[i] else ALIGNED if smooth else FREE)
    return Spline(_flat(knots, frame), _flat(before, frame), _flat(after, frame), left_types, right_types, cyclic)


def ring_of(co: Sequence[float], left: Sequence[float], right: Sequence[float], cyclic: bool, frame: Frame) -> Ring:
    """The ring of a Bezier spline's x, y, z triples; z is dropped."""
    knots, before, after = (_points(values, frame) for values in (co, left, right))
    points: list[complex] = []
    for i, knot in enumerate(knots):
        points += (knot, after[i], before[(i + 1) % len(knots)])
    return Ring(tuple(points if cyclic else points[:-2]), cyclic)


def steps(rings: Iterable[Ring]) -> int:
    """Into how many chords to cut every segment, such that none is off by more than CHORD_ERROR.

    A cubic is off its n chords by at most max|B''| / (8 n^2), where |B''| is at most 6 times the larger of its two
    second differences.
    """
    rings = list(rings)
    points = [point for ring in rings for point in ring.points]
    if not points:
        return STEPS[0]
    xs, ys = [point.real for point in points], [point.imag for point in points]
    size = math.hypot(max(xs) - min(xs), max(ys) - min(ys))
    bend = max(max(abs(p - 2 * q + r), abs(q - 2 * r + s)) for ring in rings for p, q, r, s in ring.segments())
    needed = math.ceil(math.sqrt(6 * bend / (8 * CHORD_ERROR * size))) if size else 1
    return min(max(needed, STEPS[0]), STEPS[1])


def is_straight(p: complex, q: complex, r: complex, s: complex) -> bool:
    """Whether a segment is a line as rings hold it: its control points at the thirds."""
    third = (s - p) / 3
    slack = 1e-6 * (1 + abs(s - p))
    return abs(q - p - third) < slack and abs(s - r - third) < slack


def _is_aligned(before: complex, knot: complex, after: complex) -> bool:
    """Whether the knot is smooth: its handles on one line, on different sides."""
    back, forth = before - knot, after - knot
    longer = max(abs(back), abs(forth))
    if min(abs(back), abs(forth)) < 1e-9 * (1 + longer):
        return False
    across = abs(back.real * forth.imag - back.imag * forth.real)
    along = back.real * forth.real + back.imag * forth.imag
    return along < 0 and across / min(abs(back), abs(forth)) < _ALIGNED


def _flat(points: Sequence[complex], frame: Frame) -> array[float]:
    flat = array("f", bytes(12 * len(points)))
    there = [frame.there(point) for point in points]
    flat[::3] = array("f", [point.real for point in there])
    flat[1::3] = array("f", [point.imag for point in there])
    return flat


def _points(values: Sequence[float], frame: Frame) -> list[complex]:
    return [frame.back(complex(x, y)) for x, y in zip(values[::3], values[1::3], strict=True)]


def _rounded(ring: Ring) -> list[tuple[int, int]]:
    return [(round(point.real * 1000), round(point.imag * 1000)) for point in ring.points]
