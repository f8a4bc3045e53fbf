# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws rings of cubic Beziers: with the strokes that SVG's paths know, and as whole basic shapes. No bpy here.

What is drawn with numpy's arrays (see `arrays`) becomes a ring that has its points as an array.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from itertools import accumulate
from operator import add, eq, sub
from typing import TYPE_CHECKING

from .drawing import Affine, Ring

if TYPE_CHECKING:
    from .arrays import Array, Points

_QUARTER = math.pi / 2  # an arc is cut into pieces no longer: as a cubic each is within 3e-4 of its radius
_HOPELESS = 1e100  # an arc's chord in radii: the radii are zero but for the rounding


def polygon(points: Sequence[complex], closed: bool) -> tuple[Ring, ...]:
    """The ring of straight segments through `points`."""
    if len(points) < 2:
        return ()
    pen = Pen()
    pen.move(points[0])
    for point in points[1:]:
        pen.line(point)
    if closed:
        pen.close()
    return pen.finish()


def ellipse(center: complex, rx: float, ry: float) -> tuple[Ring, ...]:
    """The ring of an ellipse, as four cubics. Nothing where a radius is not positive."""
    if not (rx > 0 and ry > 0):
        return ()
    pen = Pen()
    pen.move(center + rx)
    for turn in (1j, -1, -1j, 1):
        pen.arc(rx, ry, 0.0, False, True, center + complex(rx * turn.real, ry * complex(turn).imag))
    pen.close()
    return pen.finish()


def rectangle(corner: complex, width: float, height: float, rx: float, ry: float) -> tuple[Ring, ...]:
    """The ring of a rectangle with rounded corners. Nothing where a side is not positive."""
    if not (width > 0 and height > 0):
        return ()
    rx, ry = min(max(rx, 0.0), width / 2), min(max(ry, 0.0), height / 2)
    left, top, right, bottom = corner.real, corner.imag, corner.real + width, corner.imag + height
    if not (rx and ry):
        return polygon([corner, complex(right, top), complex(right, bottom), complex(left, bottom)], True)
    pen = Pen()
    pen.move(complex(left + rx, top))
    for side, end in (
        (complex(right - rx, top), complex(right, top + ry)),
        (complex(right, bottom - ry), complex(right - rx, bottom)),
        (complex(left + rx, bottom), complex(left, bottom - ry)),
        (complex(left, top + ry), complex(left + rx, top)),
    ):
        pen.line(side)
        pen.arc(rx, ry, 0.0, False, True, end)
    pen.close()
    return pen.finish()


class Pen:
    """Draws rings. `at` is where it stands."""

    def __init__(self) -> None:
        self.at: complex = 0j
        self._control: tuple[str, complex] = ("", 0j)  # of the last curve, for the smooth one that may follow
        self._start: complex = 0j
        self._points: list[complex] = []  # of the ring being drawn; empty before its first segment
        self._rows: list[list[complex] | Array] = []  # what came before these points, where arrays were drawn
        self._rings: list[Ring] = []

    def move(self, to: complex) -> None:
        self._end(closed=False)
        self.at = self._start = to
        self._control = ("", to)

    def line(self, to: complex) -> None:
        step = (to - self.at) / 3
        self.cubic(self.at + step, to - step, to)
        self._control = ("", to)

    def cubic(self, first: complex, second: complex, to: complex) -> None:
        self._control = ("C", second)
        at = self.at
        if first == second == to == at:
            return
        if not self._begun:
            self._points.append(at)
        self._points += (first, second, to)
        self.at = to

    def cubics(self, points: list[complex] | Array, relative: bool) -> None:
        """Many `cubic`s: control, control, end, again and again; `relative` to where each of them begins."""
        if isinstance(points, list):
            self._extend(_cubics(self.at, points, relative))
        else:
            from . import arrays

            self._extend(arrays.cubics(self.at, points, relative))

    def lines(self, ends: list[complex] | Array, relative: bool) -> None:
        """Many `line`s."""
        if isinstance(ends, list):
            self._extend(_lines(self.at, ends, relative))
        else:
            from . import arrays

            self._extend(arrays.lines(self.at, ends, relative))
        self._control = ("", self.at)

    def _extend(self, row: list[complex] | Array) -> None:
        """Draw cubics from where the pen stands: the first point of the row."""
        if _stands(row):
            each = [complex(point) for point in row]
            for i in range(1, len(each), 3):
                self.cubic(*each[i : i + 3])  # leaves away what has no length
            return
        new = row[1:] if self._begun else row
        if isinstance(new, list):
            self._points += new
        else:
            self._rows += [self._points, new] if self._points else [new]
            self._points = []
        self.at, self._control = complex(row[-1]), ("C", complex(row[-2]))

    @property
    def _begun(self) -> bool:
        """Whether the ring has a segment."""
        return bool(self._points or self._rows)

    def quadratic(self, control: complex, to: complex) -> None:
        self.cubic(self.at + (control - self.at) * 2 / 3, to + (control - to) * 2 / 3, to)
        self._control = ("Q", control)

    def smooth_cubic(self, second: complex, to: complex) -> None:
        self.cubic(self._reflected("C"), second, to)

    def smooth_quadratic(self, to: complex) -> None:
        self.quadratic(self._reflected("Q"), to)

    def _reflected(self, kind: str) -> complex:
        """The last curve's control point, mirrored at its end; the end itself where the last was of another kind."""
        last, control = self._control
        return 2 * self.at - control if last == kind else self.at

    def arc(self, rx: float, ry: float, degrees: float, large: bool, clockwise: bool, to: complex) -> None:
        """SVG's elliptical arc; clockwise as seen, with y down. SVG 1.1, appendix F.6, in complex numbers."""
        rx, ry = abs(rx), abs(ry)
        at = self.at
        if at == to:
            return
        if not (rx and ry):
            self.line(to)
            return
        turn = cmath.rect(1, math.radians(degrees))
        # Into the plane where the ellipse is the unit circle, and back.
        there = Affine.matrix(1 / rx, 0, 0, 1 / ry, 0, 0) @ Affine(turn.conjugate())
        back = Affine(turn) @ Affine.matrix(rx, 0, 0, ry, 0, 0)
        begin, end = there(at), there(to)
        half = (end - begin) / 2
        length = math.hypot(half.real, half.imag)
        if not 0 < length < _HOPELESS:
            self.line(to)
            return
        radius = max(length, 1.0)  # radii too small for the chord grow until they fit
        height = math.sqrt(radius * radius - length * length)
        center = (begin + end) / 2 + 1j * half / length * (-height if large == clockwise else height)
        first = cmath.phase(begin - center)
        # From the chord, not from the end's own angle: that of a short arc on a large circle would drown in rounding.
        sweep = 2 * math.atan2(length, height)
        sweep = (2 * math.pi - sweep if large else sweep) * (1 if clockwise else -1)
        pieces = max(1, math.ceil(abs(sweep) / _QUARTER - 1e-9))
        bow = 4 / 3 * math.tan(sweep / pieces / 4) * 1j
        for piece in range(1, pieces + 1):
            here = cmath.rect(radius, first + sweep * (piece - 1) / pieces)
            next_ = cmath.rect(radius, first + sweep * piece / pieces)
            last = to if piece == pieces else back(center + next_)
            self.cubic(back(center + here * (1 + bow)), back(center + next_ * (1 - bow)), last)
        self._control = ("", to)

    def close(self) -> None:
        if self._begun and not _same(self.at, self._start):
            self.line(self._start)
        self._end(closed=True)
        self.at = self._start
        self._control = ("", self.at)

    def finish(self) -> tuple[Ring, ...]:
        self._end(closed=False)
        return tuple(self._rings)

    def _end(self, closed: bool) -> None:
        points: list[complex] | Points = self._points
        if self._rows:
            from . import arrays

            points = arrays.joined([*self._rows, self._points] if self._points else self._rows)
        self._points, self._rows = [], []
        if len(points) < 4:
            return
        # A ring that comes back to its start is closed, whether or not it says so.
        if closed or (len(points) > 4 and _same(points[-1], points[0])):
            points, closed = points[:-1], True
        self._rings.append(Ring(tuple(points) if isinstance(points, list) else points, closed))


def _cubics(at: complex, points: list[complex], relative: bool) -> list[complex]:
    """`at`, and from there the points of cubics; `relative`: to where each of them begins."""
    if relative:
        knots = list(accumulate(points[2::3], initial=at))
        points[::3] = map(add, points[::3], knots)
        points[1::3] = map(add, points[1::3], knots)
        points[2::3] = knots[1:]
    return [at, *points]


def _lines(at: complex, ends: list[complex], relative: bool) -> list[complex]:
    """The same for lines to `ends`."""
    knots = list(accumulate(ends, initial=at)) if relative else [at, *ends]
    thirds = [chord / 3 for chord in map(sub, knots[1:], knots)]
    row = [at] * (3 * len(ends) + 1)
    row[1::3], row[2::3], row[3::3] = map(add, knots, thirds), map(sub, knots[1:], thirds), knots[1:]
    return row


def _stands(row: list[complex] | Array) -> bool:
    """Whether a cubic of a row ends where it begins."""
    if isinstance(row, list):
        return any(map(eq, row[::3], row[3::3]))
    from . import arrays

    return arrays.stands(row)


def _same(p: complex, q: complex) -> bool:
    """Relative steps as written in decimals come back to their start only so nearly."""
    return abs(p - q) <= 1e-9 * (1 + abs(p))
