# SPDX-License-Identifier: GPL-3.0-or-later
"""Path data -> rings of cubic Beziers. No bpy here.

The grammar is that of SVG 1.1, section 8.3: what stands before an error in the data is kept, the rest is not.

Three ways lead from text to pen, from the quickest to the one that reads everything. `read_ahead` reads the commands of
many paths at once, where there is numpy and enough to read. `_draw_plainly` reads one run of lines or cubics. `_draw`
reads one command, errors and all. Each leaves to the next what is out of the ordinary, and all draw with the same pen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from itertools import cycle, groupby, islice
from typing import TYPE_CHECKING, Any

from .drawing import LARGEST, Budget, Ring
from .pen import Pen

if TYPE_CHECKING:
    from .arrays import Array, Runs

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
MAX_SEGMENTS = 1_000_000  # of one path, where the caller has no budget of its own

_COMMAND = re.compile(r"([MmZzLlHhVvCcSsQqTtAa])")
_NUMBER = re.compile(NUMBER, re.ASCII)
_NOT_IN_NUMBERS = re.compile(r"[^-+0-9.eE, \t\r\n\f]")
_SEPARATORS = " \t\r\n\f,"
_NO_SEPARATORS = str.maketrans("", "", _SEPARATORS)
_ITEM = re.compile(f"[{_SEPARATORS}]*({NUMBER})[{_SEPARATORS}]*", re.ASCII)
_FLAG = re.compile(f"[{_SEPARATORS}]*([01])[{_SEPARATORS}]*")
#: rx, ry, angle, two flags, x, y. Flags need no separator: `a5 5 0 01.5.5` is 5, 5, 0, 0, 1, .5, .5.
_ARC = (_ITEM, _ITEM, _ITEM, _FLAG, _FLAG, _ITEM, _ITEM)
_ARITY = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": len(_ARC), "Z": 0}
_SEGMENT_LENGTH = 60  # characters that a segment takes on average, at the very most
_LONG = 100_000  # characters; of longer text no more words are taken than can be drawn
_ARC_SEGMENTS = 4  # that an arc may take
_ROW = 48  # numbers from which on an array is drawn sooner than a list


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
    pen = Pen()
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
    if not _is_all(words, text):
        raise PathError(f"{text.strip()[:40]!r} is no list of numbers")
    return _values(words)


def parse_points(text: str, segments: Budget) -> list[complex]:
    """The `points` of a polygon or polyline, up to what breaks the grammar. Raises as parse_path does."""
    words = _items(text, (_ITEM,), 2 * segments.left + 2)
    _spend(segments, len(words) // 2)
    values = _values(words)
    return [complex(x, y) for x, y in zip(values[::2], values[1::2], strict=False)]


def _draw_run(pen: Pen, command: str, values: Array, segments: Budget) -> None:
    """One command of those that `read_ahead` has read, with all its repetitions."""
    kind = command.upper()
    _spend(segments, max(1, len(values) // (_ARITY[kind] or 1)))
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


def _draw_plainly(pen: Pen, command: str, arguments: str, segments: Budget) -> bool:
    """Draw many lines or cubics in a few strokes of the interpreter's own loops: what nearly all of a drawing is.

    A letter that stands again before every segment, as some programs write it, says nothing: it has been left away.
    False, and nothing drawn, where it is another command or anything out of the ordinary.
    """
    kind = command.upper()
    if kind not in "CL" or len(arguments) > _LONG:
        return False
    values = _plain_values(arguments, float if command == kind else _step)
    if not values or len(values) % _ARITY[kind] or not _in_range(values):
        return False
    _spend(segments, len(values) // _ARITY[kind])
    _draw_many(pen, command, values)
    return True


def _draw(pen: Pen, command: str, arguments: str, segments: Budget) -> None:
    """One command letter with all its repetitions. What stands before an error is drawn."""
    kind = command.upper()
    _spend(segments, 1)
    if kind == "Z":
        pen.close()
        if arguments.strip(_SEPARATORS):
            raise PathError("numbers stand behind Z")
        return
    arity, pieces = _ARITY[kind], _ARC_SEGMENTS if kind == "A" else 1
    words = _arguments(kind, arguments, arity * (segments.left // pieces + 2))
    _spend(segments, len(words) // arity * pieces - 1)
    values = _values(words)
    _draw_numbers(pen, command, values)
    if not values or len(values) % arity or not _is_all(words, arguments):
        raise PathError(f"{command} does not take {arguments.strip(_SEPARATORS)[-40:]!r}")


def _draw_many(pen: Pen, command: str, values: list[float] | Array) -> None:
    """Lines or cubics."""
    if not isinstance(values, list) and len(values) < _ROW:
        values = values.tolist()
    if isinstance(values, list):
        points: list[complex] | Array = list(map(complex, values[::2], values[1::2]))
    else:
        points = values.view(complex)
    (pen.cubics if command in "Cc" else pen.lines)(points, relative=command.islower())


def _draw_numbers(pen: Pen, command: str, values: Sequence[float]) -> None:
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


_step = lru_cache(maxsize=1 << 14)(float)  # of steps, unlike places, most come again and again


def _plain_values(text: str, number: Callable[[str], float]) -> list[float] | None:
    """The numbers of a text, in a third of the time that the grammar takes; None where only the grammar can tell."""
    if _NOT_IN_NUMBERS.search(text):
        return None
    try:
        return list(map(number, text.replace("-", " -").replace(",", " ").split()))
    except ValueError:  # `1e-5`, `.5.5`, or what is no number
        return None


def _arguments(kind: str, text: str, most: int) -> list[str]:
    """The words behind a command letter, up to what breaks the grammar, but no more than `most` of a long text."""
    if kind == "A":
        return _items(text, _ARC, most)
    if len(text) < _LONG:
        words = _NUMBER.findall(text)  # sooner than one by one
        if _is_all(words, text):
            return words
    return _items(text, (_ITEM,), most)


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


def _is_all(words: Sequence[str], text: str) -> bool:
    """Whether nothing but separators stands between the words that were found."""
    return sum(map(len, words)) == len(text.translate(_NO_SEPARATORS))


def _values(words: Sequence[str]) -> list[float]:
    values = list(map(float, words))
    if not _in_range(values):
        raise PathError("a number beyond 1e9")
    return values


def _in_range(values: Sequence[float]) -> bool:
    return not values or (max(values) < LARGEST and min(values) > -LARGEST)


def _spend(segments: Budget, amount: int) -> None:
    if not segments.spend(amount):
        raise TooLong("more segments than can be drawn")
