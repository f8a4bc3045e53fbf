# SPDX-License-Identifier: GPL-3.0-or-later
"""What passes between the SVG and Blender: a drawing of layers of shapes of rings. No bpy here.

A point of the plane is a complex number, x + y*1j, in photo pixels: origin top-left, y down.
"""

from __future__ import annotations

import cmath
import re
from array import array
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .arrays import Points

LARGEST = 1e9  #: px, or units; beyond it Blender's single precision holds nothing of a drawing
_LAYER_ID = re.compile(r"(?:face(\d+)-)?(.+)", re.DOTALL)
_FACE_ID = re.compile(r"face(\d{1,9})(?:-\d+)?")  # with a number behind: what of the face lies above another's layer


class SvgError(ValueError):
    """A file that cannot be read. The text, one line, says why and what to do next."""


class Color(NamedTuple):
    """sRGB as written in files, and opacity; all 0 to 1."""

    red: float
    green: float
    blue: float
    alpha: float = 1.0

    @property
    def hex(self) -> str:
        """``#rrggbb``, without the opacity."""
        return "#" + "".join(f"{round(min(max(value, 0.0), 1.0) * 255):02x}" for value in self[:3])


class Affine(NamedTuple):
    """The map z -> a z + b conj(z) + t: every affine map of the plane, in complex numbers."""

    a: complex = 1
    b: complex = 0
    t: complex = 0

    @classmethod
    def matrix(cls, a: float, b: float, c: float, d: float, e: float, f: float) -> Affine:
        """SVG's matrix(a b c d e f): x' = a x + c y + e, y' = b x + d y + f."""
        return cls(complex(a + d, b - c) / 2, complex(a - d, b + c) / 2, complex(e, f))

    def __call__(self, point: complex) -> complex:
        return self.a * point + self.b * point.conjugate() + self.t

    def __matmul__(self, first: Affine) -> Affine:
        """`self @ first`: first `first`, then self."""
        return Affine(
            self.a * first.a + self.b * first.b.conjugate(),
            self.a * first.b + self.b * first.a.conjugate(),
            self(first.t),
        )

    def inverse(self) -> Affine:
        """Raises ZeroDivisionError where the map flattens the plane."""
        size = self.determinant
        a, b = complex(self.a).conjugate() / size, -complex(self.b) / size
        return Affine(a, b, -(a * self.t + b * complex(self.t).conjugate()))

    @property
    def determinant(self) -> float:
        """By how much areas grow; negative where the map mirrors."""
        a, b = complex(self.a), complex(self.b)
        # Not by abs and **: those raise where a product only becomes infinite.
        return a.real * a.real + a.imag * a.imag - b.real * b.real - b.imag * b.imag


class Ring(NamedTuple):
    """A chain of n cubic Bezier segments: start, control, control, start, control, control ...

    Closed: 3 n points, the last segment ends where the first begins. Open: 3 n + 1 points.
    A straight segment has its control points at a third and two thirds of it.
    """

    points: tuple[complex, ...] | Points  #: what is large may have them as an array
    closed: bool

    def segments(self) -> Iterator[tuple[complex, complex, complex, complex]]:
        points = (*self.points, self.points[0]) if self.closed else self.points
        for i in range(0, len(points) - 1, 3):
            yield points[i], points[i + 1], points[i + 2], points[i + 3]

    def closed_up(self) -> Ring:
        """The same, closed by a straight segment where it is open: what a fill covers."""
        if self.closed:
            return self
        step = (self.points[0] - self.points[-1]) / 3
        return Ring((*self.points, self.points[-1] + step, self.points[0] - step), True)

    def coordinates(self) -> bytes:
        """x, y, x, y ... as single floats, as Blender keeps them; without negative zeros."""
        if not isinstance(self.points, tuple):
            return self.points.coordinates()
        flat = array("f", bytes(8 * len(self.points)))
        flat[::2] = array("f", [point.real + 0.0 for point in self.points])
        flat[1::2] = array("f", [point.imag + 0.0 for point in self.points])
        return flat.tobytes()

    def in_measure(self) -> bool:
        """Whether every coordinate is a number, and none beyond 1e9."""
        if not isinstance(self.points, tuple):
            return self.points.in_measure()
        try:
            # Whole lists in the interpreter's own loops; the sum is for NaN, which the maximum does not see.
            return cmath.isfinite(sum(self.points)) and max(map(abs, self.points)) < LARGEST
        except OverflowError:
            return False

    def area(self) -> float:
        """Signed area in px^2, exact; positive where the ring runs clockwise as seen (y points down)."""
        # Green's theorem on a cubic: the integral of x dy - y dx, per segment, in closed form.
        total = 0.0
        for p, q, r, s in self.segments():
            total += 6 * _cross(p, q) + 3 * _cross(p, r) + _cross(p, s) + 3 * _cross(q, r) + 3 * _cross(q, s)
            total += 6 * _cross(r, s)
        if not self.closed:
            total += 10 * _cross(self.points[-1], self.points[0])
        return total / 20

    def mapped(self, transform: Affine) -> Ring:
        a, b, t = transform
        if a == 1 and b == 0 and t == 0:
            return self
        if not isinstance(self.points, tuple):
            return Ring(self.points.mapped(transform), self.closed)
        if b == 0:  # no mirroring, no shear: the common case, in half the time
            points = tuple([a * point + t for point in self.points])
        else:
            points = tuple([a * point + b * point.conjugate() + t for point in self.points])
        return Ring(points, self.closed)


class Budget:
    """How much may still be done for one file: what a file makes us do has an end, however it is put together."""

    def __init__(self, amount: int) -> None:
        self.left = amount

    def spend(self, amount: int) -> bool:
        """Whether there was as much left."""
        self.left -= amount
        return self.left >= 0


@dataclass(frozen=True)
class Shape:
    """One path: rings that are filled together, holes by even-odd, and stroked."""

    id: str
    rings: tuple[Ring, ...]
    fill: Color | None
    stroke: Color | None = None
    stroke_width: float = 0.0  #: px


@dataclass(frozen=True)
class Layer:
    """What becomes one object. Ids are unique in a drawing: `hair`, or `face2-hair` of a second head."""

    id: str
    label: str  #: the name that people read
    shapes: tuple[Shape, ...]  #: bottom to top
    visible: bool = True
    locked: bool = False
    loose: bool = False  #: a single shape that stood in no group
    #: the number of the face whose group it stands in, 0 for none; None where the file has no such groups
    within: int | None = None

    @property
    def face(self) -> int:
        """The number of the head that it belongs to; 0 where it is nobody's, as a background."""
        number, part = face_and_part(self.id)
        if self.within or number > 1:
            return self.within or number
        return 0 if self.within == 0 or part in ("background", "photo") else 1

    @property
    def part(self) -> str:
        return face_and_part(self.id)[1]


@dataclass(frozen=True)
class Drawing:
    """A file. Layers stand bottom to top."""

    title: str
    size: tuple[float, float]  #: (height, width), px
    layers: tuple[Layer, ...]
    layered: bool = True  #: whether the file says which layers are locked and what they are called; plain SVGs don't
    photo: str | None = None  #: the link, or data: URL, of the photo layer's image
    metadata: Mapping[str, Any] = field(default_factory=dict)
    faces: Mapping[int, str] = field(default_factory=dict)  #: what the groups of several faces are called, by number
    notes: tuple[str, ...] = ()  #: what could not be read, a sentence each

    def face_label(self, face: int) -> str:
        return self.faces.get(face, f"Face {face}")

    def name(self, layer: Layer) -> str:
        """What the layer is called where those of all faces stand beside each other."""
        if layer.face < 2 or not layer.within:
            return layer.label
        return f"{self.face_label(layer.face)} {layer.label}"


def face_number(group_id: str) -> int:
    """Of a face's group the number: `face2` -> 2. 0 for what is none."""
    found = _FACE_ID.fullmatch(group_id)
    return int(found[1]) if found else 0


def face_and_part(layer_id: str) -> tuple[int, str]:
    """`hair` -> (1, "hair"); `face2-hair` -> (2, "hair")."""
    found = _LAYER_ID.fullmatch(layer_id)
    if found is None:
        return 1, layer_id
    return int((found[1] or "1")[:9]), found[2]


def label_from_id(name: str) -> str:
    """A name for people where a file gives only an id: `ear-left` -> `Ear left`."""
    words = " ".join(re.split(r"[-_\s]+", name)).strip()
    return words[:1].upper() + words[1:]


def unique(name: str, taken: Container[str]) -> str:
    """`name`, or `name-2`, `name-3` ... where it is taken."""
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def _cross(p: complex, q: complex) -> float:
    return p.real * q.imag - p.imag * q.real
