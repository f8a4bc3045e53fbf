"""Hidden outlines, and how they are laid anew where they cross what they must not.

They are laid by the smoothed borders, which curves follow to a tolerance; so a hidden line may come out where there was
next to no room for it. It is then laid closer to its border. Where it still crosses something the border itself is
drawn instead, over a pixel or two, so that the page can hardly shine through; where that does not help, over twice as
much each time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from svg_export.beziers import straight
from svg_export.curves import Floats, Lines, tangents, travelled
from svg_export.fitting import fit

_CLEAR = 0.8  # px: so far from a crossing the border itself is drawn at first
_PIECE = 4.0  # px of the border: a shorter piece of a hidden line is hardly beneath anything

Stretches = list[tuple[int, int]]  #: of a border: the first and the last point of each


@dataclass(frozen=True)
class Hidden:
    """A hidden outline before it is fitted."""

    line: Floats  #: (n, 2)
    tolerance: Floats  #: (n,)
    closed: bool
    border: Floats  #: (m, 2) the smoothed border that it belongs to and must not meet
    bridge: bool = False  #: there is no border that could be drawn instead
    #: line and tolerance laid anew along a stretch of the border (its first and its last point), at the first try, at
    #: the second ..; None: it must stay as it is
    closer: Callable[[int, int, int], tuple[Floats, Floats]] | None = None


@dataclass(frozen=True)
class Relaid:
    """A hidden line that was laid anew."""

    tries: int  #: so many times
    stretches: Stretches  #: of its border, along which it lies
    control: list[Floats]  #: cubics (n, 4, 2) along each


def laid_anew(
    hidden: Hidden, before: Relaid | None, crossed: list[Floats], decimals: int, polygon: bool
) -> Relaid | None:
    """A hidden line laid once more; None where there is no room for it.

    before     how it was laid last; None: as it was first
    crossed    points (2,) where it crossed something
    decimals   coordinates are rounded to these
    polygon    straight lines instead of curves
    """
    assert hidden.closer
    tries, stretches = (before.tries, before.stretches) if before else (0, [(0, len(hidden.border) - 1)])
    if tries and hidden.bridge:
        return None
    if tries:
        stretches = _clear_of(crossed, stretches, hidden, _CLEAR * 2 ** (tries - 1))
    control, drawn = [], []
    for first, last in stretches:
        points, tolerance = hidden.closer(tries, first, last)
        if tries and np.array_equal(points, hidden.border[first : last + 1]):
            continue  # there is no room beneath
        whole = last - first == len(hidden.border) - 1
        drawn.append((first, last))
        control.append(straight(points) if polygon else _fitted(points, tolerance, hidden.closed and whole))
    return Relaid(tries + 1, drawn, [np.round(each, decimals) for each in control]) if drawn else None


def _fitted(points: Floats, tolerance: Floats, closed: bool) -> Floats:
    line = Lines.one(points, closed)
    direction = tangents(line, np.array([min(1.5, len(points) / 6)]))
    return fit(line, direction, tolerance, np.ones(1, np.int64)).control


def _clear_of(crossed: list[Floats], stretches: Stretches, hidden: Hidden, clear: float) -> Stretches:
    """Stretches of a hidden line's border without what lies within `clear` px of where it crossed something."""
    away = travelled(hidden.border)
    ring = hidden.closed and stretches == [(0, len(away) - 1)]
    for point in crossed:
        at = away[int(np.hypot(*(hidden.border - point).T).argmin())]
        for turn in (-away[-1], 0.0, away[-1]) if ring else (0.0,):
            before = int(np.searchsorted(away, at + turn - clear, "right")) - 1
            after = int(np.searchsorted(away, at + turn + clear))
            left = {(first, min(last, before)) for first, last in stretches}
            right = {(max(first, after), last) for first, last in stretches}
            stretches = sorted((first, last) for first, last in left | right if last > first)
    return [(first, last) for first, last in stretches if away[last] - away[first] > _PIECE]
