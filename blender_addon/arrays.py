# SPDX-License-Identifier: GPL-3.0-or-later
"""What large drawings take most time for, on numpy's arrays: some 100,000 numbers at once. No bpy here.

Blender's own builds bring numpy, Linux distributions' may not: this is the one module that needs it, and whoever
imports it can do without. All here has a twin in plain Python, whose results it gives to the last bit, but that a zero
may have another sign. For that products and quotients are written out in real numbers: those of numpy's complex ones
are rounded otherwise, and not on every processor alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np

from .areas import Box
from .drawing import LARGEST, Affine, Ring
from .sheets import ALIGNED, FREE, NEARLY, STRAIGHT, VECTOR, Frame, Spline

Array = np.ndarray[Any, Any]

_FOREIGN, _SEPARATOR, _LETTER, _MINUS, _DIGIT, _DOT = range(6)
_KINDS = np.zeros(256, np.uint8)
for _kind, _characters in ((_SEPARATOR, b" \t\r\n\f,"), (_MINUS, b"-"), (_DIGIT, b"0123456789"), (_DOT, b".")):
    _KINDS[list(_characters)] = _kind
_ARITY = np.zeros(256, np.int64)
for _letters, _arity in ((b"HVhv", 1), (b"MLTmlt", 2), (b"SQsq", 4), (b"Cc", 6), (b"Zz", 0)):
    _KINDS[list(_letters)] = _LETTER
    _ARITY[list(_letters)] = _arity
_ALONE = np.isin(np.arange(256), list(b"MmZz"))  # commands of which one does not continue another
_DIGITS = 15  # of a number: so many make an integer that a float holds, and its quotient is the float next to the text
_POWERS = 10.0 ** np.arange(_DIGITS + 1)


class Points(Sequence[complex]):
    """A tuple of complex numbers, as far as anyone can tell, that has them as an array: never changed."""

    __slots__ = ("_all", "array")

    def __init__(self, array: Array) -> None:
        self.array = array
        self._all: tuple[complex, ...] | None = None

    def __len__(self) -> int:
        return len(self.array)

    @overload
    def __getitem__(self, index: int) -> complex: ...
    @overload
    def __getitem__(self, index: slice) -> Points: ...
    def __getitem__(self, index: int | slice) -> complex | Points:
        return Points(self.array[index]) if isinstance(index, slice) else complex(self.array[index])

    def __iter__(self) -> Iterator[complex]:
        return iter(self._tuple())

    def __eq__(self, other: object) -> bool:
        return self._tuple() == (other._tuple() if isinstance(other, Points) else other)

    def __hash__(self) -> int:
        return hash(self._tuple())

    def __repr__(self) -> str:
        return repr(self._tuple())

    def _tuple(self) -> tuple[complex, ...]:
        if self._all is None:
            self._all = tuple(self.array.tolist())
        return self._all

    def coordinates(self) -> bytes:
        return (self.array.view(float) + 0.0).astype(np.float32).tobytes()

    def in_measure(self) -> bool:
        return bool(np.maximum.reduce(np.abs(self.array)) < LARGEST)  # nor where it is NaN

    def mapped(self, transform: Affine) -> Points:
        a, b, t = map(complex, transform)
        x, y = self.array.real, self.array.imag
        row = np.empty_like(self.array)
        row.real = a.real * x - a.imag * y + (b.real * x + b.imag * y) + t.real
        row.imag = a.real * y + a.imag * x + (b.imag * x - b.real * y) + t.imag
        return Points(row)


# Path data


class Runs:
    """The commands of one path data: a letter, and the numbers of all its repetitions.

    letters     (n,) their characters
    spans       (n, 2) where their numbers begin and end among the values
    """

    __slots__ = ("_letters", "_spans", "_values")

    def __init__(self, letters: Array, spans: Array, values: Array) -> None:
        self._letters, self._spans, self._values = letters, spans, values

    def __iter__(self) -> Iterator[tuple[str, Array]]:
        for letter, (first, last) in zip(self._letters.tobytes().decode("ascii"), self._spans.tolist(), strict=True):
            yield letter, self._values[first:last]


def read_runs(texts: Sequence[str]) -> list[Runs | None]:
    """The commands of many path data, each with its numbers; None for what takes the grammar itself to be read.

    That is what has arcs, exponents, plus signs, two points in a word or errors: whatever comes back has none.
    """
    texts = [text if text.isascii() else "?" for text in texts]
    data = np.frombuffer(" ".join([*texts, ""]).encode("ascii"), np.uint8)
    ends = np.cumsum([len(text) + 1 for text in texts])  # of every text
    kinds = _KINDS[data]
    starts, values, sound = _numbers(data, kinds)
    broken = np.concatenate([np.flatnonzero(kinds == _FOREIGN), starts[~sound]])
    places = np.flatnonzero(kinds == _LETTER)
    if not len(places):
        return [None] * len(texts)
    letters = data[places]
    text_of = np.repeat(np.arange(len(texts)), np.diff(np.searchsorted(places, ends), prepend=0))
    past = np.searchsorted(starts, ends)  # the number behind each text's own
    seen = np.zeros(len(data), np.int32)
    seen[starts] = 1
    firsts = np.cumsum(seen)[places]  # the number behind each letter,
    lasts = np.minimum(np.append(firsts[1:], len(starts)), past[text_of])  # and behind its own
    counts, arity = lasts - firsts, _ARITY[letters]
    # As many numbers as the command takes, once or again and again; none behind a Z.
    fits = np.where(arity == 0, counts == 0, (counts > 0) & (counts % np.maximum(arity, 1) == 0))
    fresh = np.append(True, text_of[1:] != text_of[:-1])  # the first letter of its text: an M, with nothing before it
    fits &= ~fresh | (((letters | 32) == ord("m")) & (firsts == np.append(0, past)[text_of]))
    bad = np.zeros(len(texts), bool)
    bad[np.searchsorted(ends, broken, "right")] = True
    bad[text_of[~fits]] = True
    # A letter that stands again before every segment, as some programs write it, says nothing.
    begins = np.flatnonzero(fresh | np.append(True, letters[1:] != letters[:-1]) | _ALONE[letters])
    spans = np.stack([firsts[begins], lasts[np.append(begins[1:], len(letters)) - 1]], 1)
    bounds = np.searchsorted(text_of[begins], np.arange(len(texts) + 1)).tolist()
    return [
        None if broke or one == other else Runs(letters[begins[one:other]], spans[one:other], values)
        for broke, one, other in zip(bad.tolist(), bounds, bounds[1:], strict=False)
    ]


def _numbers(data: Array, kinds: Array) -> tuple[Array, Array, Array]:
    """(where each number begins, its value, whether it is one): what stands between separators, signs and letters.

    A number is its digits as an integer, by a power of ten: rounded once, as `float` does it.
    """
    inside = kinds >= _MINUS
    begins, closes = inside.copy(), inside.copy()
    begins[1:] &= ~inside[:-1] | (kinds[1:] == _MINUS)
    closes[:-1] &= ~inside[1:] | (kinds[1:] == _MINUS)
    marks = np.flatnonzero(begins | (kinds == _DOT))
    words = np.flatnonzero(begins[marks])  # among the marks: all others are points within a word
    starts, lasts = marks[words], np.flatnonzero(closes)
    if not len(starts):
        return starts, np.zeros(0), np.zeros(0, bool)
    first = kinds[starts]
    points = np.diff(words, append=len(marks)) - (first != _DOT)
    lengths = lasts - starts + 1 - (first == _MINUS) - points
    sound = (points <= 1) & (lengths > 0) & (lengths <= _DIGITS)
    pointed = sound & (points == 1)
    point = np.where(first == _DOT, starts, marks[np.minimum(words + 1, len(marks) - 1)])
    decimals = np.where(pointed, lasts - point, _DIGITS)
    whole = np.zeros(len(starts))
    shortest, longest = int(lengths.min()), min(int(lengths.max()), _DIGITS)
    for place in range(longest):  # from the last digit to the first, over the point
        if place < shortest:
            whole += (data[lasts - place - (decimals <= place)] - ord("0")) * _POWERS[place]
        else:
            some = np.flatnonzero(lengths > place)
            whole[some] += (data[lasts[some] - place - (decimals[some] <= place)] - ord("0")) * _POWERS[place]
    values = whole / _POWERS[np.where(pointed, decimals, 0)]
    np.negative(values, out=values, where=first == _MINUS)
    sound &= np.abs(values) < LARGEST
    return starts, values, sound


def cubics(at: complex, points: Array, relative: bool) -> Array:
    """`at`, and from there the points of cubics; `relative`: to where each of them begins."""
    row = np.empty(len(points) + 1, complex)
    row[0], row[1:] = at, points
    if relative:
        knots = row[::3]
        np.add.accumulate(knots, out=knots)
        row[1::3] += knots[:-1]
        row[2::3] += knots[:-1]
    return row


def lines(at: complex, ends: Array, relative: bool) -> Array:
    """The same for lines to `ends`."""
    row = np.empty(3 * len(ends) + 1, complex)
    knots = row[::3]
    knots[0], knots[1:] = at, ends
    if relative:
        np.add.accumulate(knots, out=knots)
    thirds = ((knots[1:] - knots[:-1]).view(float) / 3).view(complex)
    row[1::3], row[2::3] = knots[:-1] + thirds, knots[1:] - thirds
    return row


def stands(row: Array) -> bool:
    """Whether a cubic of a row ends where it begins."""
    return bool((row[3::3] == row[:-3:3]).any())


def joined(rows: Sequence[list[complex] | Array]) -> Points:
    return Points(np.concatenate(rows) if len(rows) > 1 else np.asarray(rows[0]))


# Rings


def boxes(areas: Sequence[Sequence[Ring]]) -> list[Box]:
    """Of all the points of each set of rings."""
    rows = [row_of(ring) for rings in areas for ring in rings]
    sizes = [sum(len(ring.points) for ring in rings) for rings in areas]
    plane, firsts = np.concatenate(rows), np.cumsum([0, *sizes[:-1]])
    corners = [reach.reduceat(each, firsts) for reach in (np.minimum, np.maximum) for each in (plane.real, plane.imag)]
    return list(zip(*(corner.tolist() for corner in corners), strict=True))


def row_of(ring: Ring) -> Array:
    return np.array(ring.points) if isinstance(ring.points, tuple) else ring.points.array


def splines(rings: Sequence[Ring], frame: Frame) -> list[Spline]:
    """What `sheets` makes of each ring, by the same formulas, of all of them at once."""
    rows = []
    for ring in rings:
        row = row_of(ring)
        rows.append(row if ring.closed else np.append(row, [row[-1], row[0]]))
    lasts = np.cumsum([len(row) // 3 for row in rows]) - 1
    firsts = np.append(0, lasts[:-1] + 1)
    knots, after, arriving = np.concatenate(rows).reshape(-1, 3).T

    def following(values: Array) -> Array:
        """For every knot the value at the next of its ring."""
        turned = np.empty_like(values)
        turned[:-1], turned[lasts] = values[1:], values[firsts]
        return turned

    def preceding(values: Array) -> Array:
        turned = np.empty_like(values)
        turned[1:], turned[firsts] = values[:-1], values[lasts]
        return turned

    before = preceding(arriving)
    forth, middle, last = after - knots, arriving - after, following(knots) - arriving
    bends = _length(middle - forth), _length(last - middle)
    back = before - knots
    along = back.real * forth.real + back.imag * forth.imag
    area = back.imag * forth.real - back.real * forth.imag
    aligned = (along < 0) & (np.abs(area) < NEARLY * np.minimum(_length(back), _length(forth)))
    types = np.where(aligned, ALIGNED, FREE)
    straight = (bends[0] < STRAIGHT) & (bends[1] < STRAIGHT)
    straight[lasts[[not ring.closed for ring in rings]]] = False
    arrived = preceding(straight)
    curved = np.where(arrived | straight, FREE, types)
    left_types = np.where(arrived, VECTOR, curved).tolist()
    right_types = np.where(straight, VECTOR, curved).tolist()
    co, left, right = (_flat(each, frame) for each in (knots, before, after))
    bent = np.maximum.reduceat(np.maximum(*bends), firsts).tolist()
    low, high = (reach.reduceat(co, firsts).tolist() for reach in (np.minimum, np.maximum))
    return [
        Spline(
            co[i:j].ravel(),
            left[i:j].ravel(),
            right[i:j].ravel(),
            left_types[i:j],
            right_types[i:j],
            ring.closed,
            bend,
            (*least[:2], *most[:2]),
        )
        for ring, i, j, bend, least, most in zip(
            rings, firsts.tolist(), (lasts + 1).tolist(), bent, low, high, strict=True
        )
    ]


def _length(values: Array) -> Array:
    """As Python's `abs` has it."""
    length: Array = np.hypot(values.real, values.imag)
    return length


def _flat(points: Array, frame: Frame) -> Array:
    """x, y, 0 of every point, in Blender units: shape (n, 3), single floats."""
    flat = np.zeros((len(points), 3), np.float32)
    flat[:, 0] = (points.real - frame.origin.real) * frame.unit
    flat[:, 1] = (frame.origin.imag - points.imag) * frame.unit
    return flat
