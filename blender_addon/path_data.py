# SPDX-License-Identifier: GPL-3.0-or-later
"""Path data and basic shapes -> rings of cubic Beziers, and back. No bpy here.

The grammar is that of SVG 1.1, section 8.3: what stands before an error in the data is kept, the rest is not.

Three ways lead from text to pen, from the quickest to the one that reads everything. `read_ahead` reads the commands of
many paths at once, where there is numpy and enough to read. `_draw_plainly` reads one run of lines or cubics. `_draw`
reads one command, errors and all. Each leaves to the next what is out of the ordinary, and all draw with the same pen.
"""

from __future__ import annotations

import cmath
import math
import re
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from itertools import accumulate, cycle, groupby, islice
from operator import add, eq, sub
from typing import TYPE_CHECKING, Any

from .drawing import LARGEST, Affine, Budget, Ring

if TYPE_CHECKING:
    from .arrays import Array, Points, Runs

_COMMAND = re.compile(r"([MmZzLlHhVvCcSsQqTtAa])")
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_NUMBER = re.compile(NUMBER, re.ASCII)
_NOT_IN_NUMBERS = re.compile(r"[^-+0-9.eE, \t\r\n\f]")
_SEPARATORS = " \t\r\n\f,"
_NO_SEPARATORS = str.maketrans("", "", _SEPARATORS)
_ITEM = re.compile(f"[{_SEPARATORS}]*({NUMBER})[{_SEPARATORS}]*", re.ASCII)
_FLAG = re.compile(f"[{_SEPARATORS}]*([01])[{_SEPARATORS}]*")
#: rx, ry, angle, two flags, x, y. Flags need no separator: `a5 5 0 01.5.5` is 5, 5, 0, 0, 1, .5, .5.
_ARC = (_ITEM, _ITEM, _ITEM, _FLAG, _FLAG, _ITEM, _ITEM)
_ARITY = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": len(_ARC), "Z": 0}
MAX_SEGMENTS = 1_000_000
_SEGMENT_LENGTH = 60  # characters that a segment takes on average, at the very most
_LONG = 100_000  # characters; of longer text no more words are taken than can be drawn
_ARC_SEGMENTS = 4  # that an arc may take
_ROW = 48  # numbers from which on an array is drawn sooner than a list
_QUARTER = math.pi / 2  # an arc is cut into pieces no longer: as a cubic each is within 3e-4 of its radius

_HOPELESS = 1e100  # an arc's chord in radii: the radii are zero but for the rounding


class PathError(ValueError):
    """Path data that breaks the grammar. `rings` holds what stood before."""

    def __init__(self, message: str, rings: tuple[Ring, ...] = ()) -> None:
        super().__init__(message)
        self.rings = rings


class TooLong(PathError):
    """More segments than the caller wants."""


def read_ahead(texts: Sequence[str]) -> list[Runs | None]:
    """The commands and numbers of many paths' `d`, for parse_path; None for a path that it has to read itself."""
    arrays = _arrays()
    return arrays.read_runs(texts) if arrays else [None] * len(texts)


@cache
def _arrays() -> Any:
    """The module that does it with numpy; None where there is no numpy, and nothing missing but its speed."""
    try:
        from . import arrays
    except ImportError:
        return None
    return arrays


def parse_path(data: str, segments: Budget | None = None, runs: Runs | None = None) -> tuple[Ring, ...]:
    """The rings of a path's `d`, in the path's own units.

    segments    how many may be drawn, those without length counted too: what is drawn is taken off
    runs        what read_ahead found in `data`

    Raises PathError on what breaks the grammar and on numbers beyond 1e9, TooLong on more than `segments`.
    """
    segments = Budget(MAX_SEGMENTS) if segments is None else segments
    if len(data) > segments.left * _SEGMENT_LENGTH:
        raise TooLong("more segments than can be drawn")
    pen = _Pen()
    if runs is not None:
        for command, values in runs:
            _draw_run(pen, command, values, segments)
        return pen.finish()
    try:
        data = data.lstrip(_SEPARATORS)
        if data and data[0] not in "Mm":
            raise PathError("path data does not begin with M")
        pieces = _COMMAND.split(data, segments.left + 2)[1:]  # each spends one at least
        position = 0
        for command, run in groupby(pieces[::2]):
            end = position + 2 * sum(1 for _ in run)
            arguments = pieces[position + 1 : end : 2]
            position = end
            if not _draw_plainly(pen, command, " ".join(arguments), segments):
                for each in arguments:
                    _draw(pen, command, each, segments)
    except TooLong:
        raise
    except PathError as error:
        raise PathError(str(error), pen.finish()) from None
    return pen.finish()


def parse_numbers(text: str) -> list[float]:
    """Numbers separated by white space, commas, or only by their signs and points.

    Raises PathError on anything else, and on numbers beyond 1e9.
    """
    words = _NUMBER.findall(text)
    if sum(map(len, words)) != len(text.translate(_NO_SEPARATORS)):
        raise PathError(f"{text.strip()[:40]!r} is no list of numbers")
    return _values(words)


def parse_points(text: str, segments: Budget) -> list[complex]:
    """The `points` of a polygon or polyline, up to what breaks the grammar. Raises as parse_path does."""
    words = _items(text, (_ITEM,), 2 * segments.left + 2)
    if not segments.spend(len(words) // 2):
        raise TooLong("more segments than can be drawn")
    values = _values(words)
    return [complex(x, y) for x, y in zip(values[::2], values[1::2], strict=False)]


_step = lru_cache(maxsize=1 << 14)(float)


def _plain_values(text: str, short: bool) -> list[float] | None:
    """The numbers of a text, in a third of the time that the grammar takes; None where only the grammar can tell.

    short: steps rather than places, of which most come again and again
    """
    if _NOT_IN_NUMBERS.search(text):
        return None
    try:
        return list(map(_step if short else float, text.replace("-", " -").replace(",", " ").split()))
    except ValueError:  # `1e-5`, `.5.5`, or what is no number
        return None


def _values(words: Sequence[str]) -> list[float]:
    values = list(map(float, words))
    if not _in_range(values):
        raise PathError("a number beyond 1e9")
    return values


def _in_range(values: Sequence[float]) -> bool:
    return not values or (max(values) < LARGEST and min(values) > -LARGEST)


def _items(text: str, kinds: Sequence[re.Pattern[str]], most: int) -> list[str]:
    """The words at the beginning of a text, of these kinds in turn, but no more than `most`."""
    words: list[str] = []
    position = 0
    for kind in islice(cycle(kinds), most):
        match = kind.match(text, position)
        if not match:
            break
        words.append(match[1])
        position = match.end()
    return words


def polygon(points: Sequence[complex], closed: bool) -> tuple[Ring, ...]:
    """The ring of straight segments through `points`."""
    if len(points) < 2:
        return ()
    pen = _Pen()
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
    pen = _Pen()
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
    pen = _Pen()
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


def write_path(rings: Iterable[Ring], decimals: int) -> str:
    """Path data: `M`, relative `c` and `l`, `z`, on a grid of 10^-decimals; empty where nothing is left on it."""
    return "".join(_write_ring(ring, decimals) for ring in rings)


class _Pen:
    """Draws rings. `at` is where it stands."""

    def __init__(self) -> None:
        self.at: complex = 0j
        self._control: tuple[str, complex] = ("", 0j)  # of the last curve, for the smooth one that may follow
        self._start: complex = 0j
        self._points: list[complex] = []  # of the ring being drawn; empty before its first segment
        self._rows: list[Any] = []  # what came before these points, where arrays were drawn
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
            self._extend(_arrays().cubics(self.at, points, relative))

    def lines(self, ends: list[complex] | Array, relative: bool) -> None:
        """Many `line`s."""
        if isinstance(ends, list):
            self._extend(_lines(self.at, ends, relative))
        else:
            self._extend(_arrays().lines(self.at, ends, relative))
        self._control = ("", self.at)

    def _extend(self, row: list[complex] | Array) -> None:
        """Draw cubics from where the pen stands: the first point of the row."""
        plain = isinstance(row, list)
        if any(map(eq, row[::3], row[3::3])) if plain else _arrays().stands(row):  # without length: one by one
            each = [complex(point) for point in row]
            for i in range(1, len(each), 3):
                self.cubic(*each[i : i + 3])
            return
        begun = self._begun
        if plain:
            self._points += row[1:] if begun else row
        else:
            self._rows += [self._points, row[1:]] if self._points else [row[1:] if begun else row]
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
            points = _arrays().joined([*self._rows, points] if points else self._rows)
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


def _same(p: complex, q: complex) -> bool:
    """Relative steps as written in decimals come back to their start only so nearly."""
    return abs(p - q) <= 1e-9 * (1 + abs(p))


def _draw_run(pen: _Pen, command: str, values: Array, segments: Budget) -> None:
    """One command of those that `read_ahead` has read, with all its repetitions."""
    kind = command.upper()
    if not segments.spend(max(1, len(values) // (_ARITY[kind] or 1))):
        raise TooLong("more segments than can be drawn")
    if kind == "Z":
        pen.close()
    elif kind == "M":
        to = complex(*values[:2].tolist())
        pen.move(pen.at + to if command == "m" else to)
        if len(values) > 2:  # further points are lines
            _draw_many(pen, chr(ord(command) - 1), values[2:])
    elif kind in "CL":
        _draw_many(pen, command, values)
    else:
        _draw_numbers(pen, command, values.tolist())


def _draw_plainly(pen: _Pen, command: str, arguments: str, segments: Budget) -> bool:
    """Draw many lines or cubics in a few strokes of the interpreter's own loops: what nearly all of a drawing is.

    A letter that stands again before every segment, as some programs write it, says nothing: it has been left away.
    False, and nothing drawn, where it is another command or anything out of the ordinary.
    """
    kind = command.upper()
    if kind not in "CL" or len(arguments) > _LONG:
        return False
    values = _plain_values(arguments, short=command != kind)
    if not values or len(values) % _ARITY[kind] or not _in_range(values):
        return False
    if not segments.spend(len(values) // _ARITY[kind]):
        raise TooLong("more segments than can be drawn")
    _draw_many(pen, command, values)
    return True


def _draw_many(pen: _Pen, command: str, values: list[float] | Array) -> None:
    """Lines or cubics."""
    if not isinstance(values, list) and len(values) < _ROW:
        values = values.tolist()
    if isinstance(values, list):
        points: list[complex] | Array = list(map(complex, values[::2], values[1::2]))
    else:
        points = values.view(complex)
    (pen.cubics if command in "Cc" else pen.lines)(points, relative=command.islower())


def _draw(pen: _Pen, command: str, arguments: str, segments: Budget) -> None:
    """One command letter with all its repetitions. What stands before an error is drawn."""
    kind = command.upper()
    if not segments.spend(1):
        raise TooLong("more segments than can be drawn")
    if kind == "Z":
        pen.close()
        if arguments.strip(_SEPARATORS):
            raise PathError("numbers stand behind Z")
        return
    arity = _ARITY[kind]
    kinds, pieces = (_ARC, _ARC_SEGMENTS) if kind == "A" else ((_ITEM,), 1)
    most = arity * (segments.left // pieces + 2)
    words = _NUMBER.findall(arguments) if pieces == 1 and len(arguments) < _LONG else _items(arguments, kinds, most)
    if not segments.spend(len(words) // arity * pieces - 1):
        raise TooLong("more segments than can be drawn")
    broken = sum(map(len, words)) != len(arguments.translate(_NO_SEPARATORS))
    if broken and pieces == 1:
        words = _items(arguments, kinds, most)
    values = _values(words)
    _draw_numbers(pen, command, values)
    if broken or not values or len(values) % arity:
        raise PathError(f"{command} does not take {arguments.strip(_SEPARATORS)[-40:]!r}")


def _draw_numbers(pen: _Pen, command: str, values: Sequence[float]) -> None:
    """One command letter with all its repetitions, one by one."""
    kind = command.upper()
    arity, relative = _ARITY[kind], command != kind
    for i in range(0, len(values) - arity + 1, arity):
        at = pen.at if relative else 0j
        if kind == "H":
            pen.line(complex(at.real + values[i], pen.at.imag))
        elif kind == "V":
            pen.line(complex(pen.at.real, at.imag + values[i]))
        elif kind == "A":
            rx, ry, degrees, large, clockwise, x, y = values[i : i + arity]
            pen.arc(rx, ry, degrees, large == 1, clockwise == 1, at + complex(x, y))
        else:
            points = [at + complex(values[k], values[k + 1]) for k in range(i, i + arity, 2)]
            if kind == "C":
                pen.cubic(*points)
            elif kind == "L" or (kind == "M" and i):
                pen.line(*points)
            elif kind == "M":
                pen.move(*points)
            elif kind == "S":
                pen.smooth_cubic(*points)
            elif kind == "Q":
                pen.quadratic(*points)
            else:
                pen.smooth_quadratic(*points)


def _write_ring(ring: Ring, decimals: int) -> str:
    scale = 10**decimals
    grid = [(round(point.real * scale), round(point.imag * scale)) for point in ring.points]
    segments: list[tuple[str, list[int]]] = []
    ends = [*grid, grid[0]] if ring.closed else grid
    for i in range(0, len(ends) - 1, 3):
        (x, y), *rest = ends[i : i + 4]
        values = [part for px, py in rest for part in (px - x, py - y)]
        if not any(values):
            continue
        straight = _is_straight(values)
        if straight and not (values[4] or values[5]):
            continue
        segments.append(("l", values[4:]) if straight else ("c", values))
    if ring.closed and segments and segments[-1][0] == "l":
        segments.pop()  # z draws the last line
    if not segments:
        return ""
    text = ["M", _words(grid[0], decimals)]
    previous = "M"
    for command, values in segments:
        if command == "l" and not (values[0] and values[1]):
            command, values = ("h", values[:1]) if values[0] else ("v", values[1:])
        words = _words(values, decimals)
        if command != previous:
            text.append(command)
        elif not words.startswith("-"):
            text.append(" ")
        text.append(words)
        previous = command
    return "".join(text) + ("z" if ring.closed else "")


def _is_straight(values: Sequence[int]) -> bool:
    """Whether both control points stand at the thirds of the chord, give or take one step of the grid."""
    x, y = values[4], values[5]
    thirds = (x / 3, y / 3, x * 2 / 3, y * 2 / 3)
    return all(abs(value - third) <= 1 for value, third in zip(values, thirds, strict=False))


def _words(values: Sequence[int], decimals: int) -> str:
    """Integers on the grid as the shortest text: `1234, -50` with two decimals is `12.34-.5`."""
    words: list[str] = []
    for value in values:
        whole, part = divmod(abs(value), 10**decimals)
        fraction = f"{part:0{decimals}d}".rstrip("0")
        word = (str(whole) if whole or not fraction else "") + (f".{fraction}" if fraction else "")
        sign = "-" if value < 0 else " " if words else ""
        words.append(sign + word)
    return "".join(words)
