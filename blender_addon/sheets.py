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
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from operator import sub
from typing import TYPE_CHECKING, Literal, NamedTuple

from .areas import overlaps
from .drawing import Color, Layer, Ring, Shape

if TYPE_CHECKING:
    from .arrays import Array

#: Chord and curve may differ by this share of the layer's own diagonal: a layer that fills the screen looks smooth, and
#: the area of the smallest eye is right within 1 %.
CHORD_ERROR = 1 / 2000
STEPS = (3, 16)  # the fewest and most chords a segment; Blender's own default is 12
STRAIGHT = 1e-5  # px that the second differences of a line's points may have
NEARLY = 0.04  # px that a handle may be off the line through its knot and still be called aligned

APART = 1e-4  # Blender units between rings that meet in a point; its fill takes corners less than 3e-5 apart for one

FREE, VECTOR, ALIGNED = 0, 2, 3  # handle types as Blender numbers them
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

    @property
    def count(self) -> int:
        """How many rings there are."""
        return sum(len(shape.rings) for shape in self.shapes)

    def rings(self, unit: float) -> list[Ring]:
        """Those of all shapes; of a fill all closed, and parted where they meet. `unit`: Blender units of a pixel."""
        if self.kind == "stroke":
            return [ring for shape in self.shapes for ring in shape.rings]
        closed = ([ring.closed_up() for ring in shape.rings] for shape in self.shapes)
        return [ring for rings in closed for ring in parted(rings, APART / unit)]

    def digest(self) -> str:
        """Changes whenever a curve, a stroke's width or a slot does; not with colours."""
        said = blake2b(digest_size=8)
        for slot, one in zip(self.slots, self.shapes, strict=True):
            said.update(repr((slot, one.stroke_width, [ring.closed for ring in one.rings])).encode())
            for ring in one.rings:
                said.update(ring.coordinates())
        return said.hexdigest()


def sheets_of(layer: Layer) -> list[Sheet]:
    """The sheets of a layer, bottom to top; none for a layer without shapes."""
    filled = [shape for shape in layer.shapes if shape.fill is not None]
    meets = overlaps([shape.rings for shape in filled])
    tiers: list[int] = []
    for i, shape in enumerate(filled):
        tiers.append(max((tiers[j] + 1 for j in meets[i] if j < i and filled[j].fill != shape.fill), default=0))
    sheets = [
        _filled(tier, [i for i, other in enumerate(tiers) if other == tier], filled, meets)
        for tier in range(max(tiers, default=-1) + 1)
    ]
    stroked = [shape for shape in layer.shapes if shape.stroke is not None and shape.stroke_width > 0]
    if stroked:
        colors = tuple(dict.fromkeys(shape.stroke for shape in stroked if shape.stroke is not None))
        slots = tuple(colors.index(shape.stroke) for shape in stroked if shape.stroke is not None)
        sheets.append(Sheet("stroke", 0, tuple(stroked), slots, colors))
    return sheets


def _filled(tier: int, members: Sequence[int], shapes: Sequence[Shape], meets: Sequence[set[int]]) -> Sheet:
    """One sheet of those `shapes` that are its members; each takes the first slot of its colour that has room."""
    slots: list[int] = []
    colors: list[Color] = []
    held: list[set[int]] = []  # the members in each slot
    for i in members:
        fill = shapes[i].fill
        assert fill is not None
        for slot, color in enumerate(colors):
            if color == fill and held[slot].isdisjoint(meets[i]):
                break
        else:
            slot = len(colors)
            colors.append(fill)
            held.append(set())
        held[slot].add(i)
        slots.append(slot)
    return Sheet("fill", tier, tuple(shapes[i] for i in members), tuple(slots), tuple(colors))


def parted(rings: Sequence[Ring], apart: float) -> list[Ring]:
    """The rings of a shape; of those that meet in a point, all but the largest draw back into themselves by `apart`.

    Blender takes corners that lie next to nothing apart for one, and then fills less or more than what is within an
    odd number of rings. Only knots that meet are seen, and rings with a side in common are left as they are.
    """
    if len(rings) < 2:
        return list(rings)
    places = [[(round(knot.real, 3), round(knot.imag, 3)) for knot in ring.points[::3]] for ring in rings]
    through: dict[tuple[float, float], set[int]] = {}  # the rings that have a knot there
    for i, knots in enumerate(places):
        for place in knots:
            through.setdefault(place, set()).add(i)
    drawn: dict[int, list[complex]] = {}
    areas: dict[int, float] = {}
    for i, knots in enumerate(places):
        for k, place in enumerate(knots):
            others = through[place] - {i}
            if not others or others & (through[knots[k - 1]] | through[knots[(k + 1) % len(knots)]]):
                continue
            areas |= {j: rings[j].area() for j in (i, *others) if j not in areas}
            if i == max(sorted(through[place]), key=lambda j: abs(areas[j])):
                continue
            points = drawn.setdefault(i, list(rings[i].points))
            before, at, after = 3 * k - 1, 3 * k, 3 * k + 1
            ahead = points[after] - points[before]
            inwards = ahead / abs(ahead) * (1j if areas[i] > 0 else -1j) if ahead else 0j
            for each in (before, at, after):
                points[each] += apart * inwards
    return [Ring(tuple(drawn[i]), ring.closed) if i in drawn else ring for i, ring in enumerate(rings)]


class Spline(NamedTuple):
    """What one Bezier spline of n knots takes: x, y, 0 per knot in `co`, `left`, `right`; a type per handle."""

    co: array[float] | Array  #: single floats, as a buffer
    left: array[float] | Array
    right: array[float] | Array
    left_types: list[int]
    right_types: list[int]
    cyclic: bool
    bend: float  #: the largest second difference of a segment's points, px: see `steps`
    box: tuple[float, float, float, float]  #: of the knots: least x and y, largest x and y

    def __len__(self) -> int:
        return len(self.left_types)


def splines_of(rings: Sequence[Ring], frame: Frame) -> list[Spline]:
    if all(isinstance(ring.points, tuple) for ring in rings):
        return [_spline(ring, frame) for ring in rings]
    from . import arrays

    return arrays.splines(rings, frame)


def _spline(ring: Ring, frame: Frame) -> Spline:
    """Whole lists at a time, in the interpreter's own loops: a drawing has ten thousands of knots."""
    points, cyclic = list(ring.points), ring.closed
    if not cyclic:  # the outer handles of both ends lie on their knots
        points += (points[-1], points[0])
    knots, after = points[::3], points[1::3]
    before = [points[-1], *points[2:-1:3]]
    ends, arriving = [*knots[1:], knots[0]], [*before[1:], before[0]]  # of the segment that begins at each knot
    forth, middle, last = list(map(sub, after, knots)), list(map(sub, arriving, after)), list(map(sub, ends, arriving))
    bends = list(map(abs, map(sub, middle, forth))), list(map(abs, map(sub, last, middle)))
    # The product of one handle and the other's conjugate: their scalar product, and as imaginary part the area between.
    back = list(map(sub, before, knots))
    turns = [p * q.conjugate() for p, q in zip(back, forth, strict=True)]
    types = [
        ALIGNED if turn.real < 0 and abs(turn.imag) < NEARLY * min(abs(p), abs(q)) else FREE
        for turn, p, q in zip(turns, back, forth, strict=True)
    ]
    left_types = right_types = types
    if min(bends[0]) < STRAIGHT:
        straight = [one < STRAIGHT and other < STRAIGHT for one, other in zip(*bends, strict=True)]
        if not cyclic:
            straight[-1] = False
        arrived = [straight[-1], *straight[:-1]]
        # A handle along a line is a vector; what is opposite one is not kept on its line.
        curved = [FREE if one or other else kind for kind, one, other in zip(types, arrived, straight, strict=True)]
        left_types = [VECTOR if line else kind for line, kind in zip(arrived, curved, strict=True)]
        right_types = [VECTOR if line else kind for line, kind in zip(straight, curved, strict=True)]
    co, left, right = (_flat(each, frame) for each in (knots, before, after))
    xs, ys = co[::3], co[1::3]
    box = min(xs), min(ys), max(xs), max(ys)
    return Spline(co, left, right, left_types, right_types, cyclic, max(map(max, bends)), box)


def ring_of(co: Sequence[float], left: Sequence[float], right: Sequence[float], cyclic: bool, frame: Frame) -> Ring:
    """The ring of a Bezier spline's x, y, z triples; z is dropped."""
    knots, before, after = (_points(values, frame) for values in (co, left, right))
    points: list[complex] = []
    for i, knot in enumerate(knots):
        points += (knot, after[i], before[(i + 1) % len(knots)])
    return Ring(tuple(points if cyclic else points[:-2]), cyclic)


def steps(splines: Sequence[Spline], unit: float) -> int:
    """Into how many chords to cut every segment, such that none is off by more than CHORD_ERROR of all splines' extent.

    A cubic is off its n chords by at most max|B''| / (8 n^2), where |B''| is at most 6 times the larger of its two
    second differences.
    """
    left, bottom, right, top = zip(*(spline.box for spline in splines), strict=True)
    size = math.hypot(max(right) - min(left), max(top) - min(bottom)) / unit
    bend = max(spline.bend for spline in splines)
    needed = math.ceil(math.sqrt(6 * bend / (8 * CHORD_ERROR * size))) if size else 1
    return min(max(needed, STEPS[0]), STEPS[1])


def is_straight(p: complex, q: complex, r: complex, s: complex) -> bool:
    """Whether a segment is a line as rings hold it: its control points at the thirds."""
    return abs(p - 2 * q + r) < STRAIGHT and abs(q - 2 * r + s) < STRAIGHT


def _flat(points: Sequence[complex], frame: Frame) -> array[float]:
    """x, y, 0 of every point, in Blender units: `Frame.there`, written out."""
    unit, left, top = frame.unit, frame.origin.real, frame.origin.imag
    flat = array("f", bytes(12 * len(points)))
    flat[::3] = array("f", [(point.real - left) * unit for point in points])
    flat[1::3] = array("f", [(top - point.imag) * unit for point in points])
    return flat


def _points(values: Sequence[float], frame: Frame) -> list[complex]:
    return [frame.back(complex(x, y)) for x, y in zip(values[::3], values[1::3], strict=True)]
