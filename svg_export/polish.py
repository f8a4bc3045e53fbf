"""Chains of cubics, each node moved to where the curves on its two sides fit best.

Approach. The search for nodes takes them from the points of a line and their tangents from its slope; both are a
little off. Here every inner node may move across its line and turn, and the four handles of the two curves beside it
may change their lengths: six numbers a node, found by damped least squares in which the worst points count most. Every
second node is moved at a time, so that no curve is changed from both ends at once; a step that makes the larger of the
two errors larger is taken back. That takes about a seventh of the nodes away at the same error.

Limits. Ends of lines and corners stay, and so does the node at which a closed line begins. It is a descent from where
the search left off, not a search of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faceparse_core.arrays import distinct
from svg_export.curves import Bools, Complexes, Floats, Ints, as_complex

_POINTS = 16  # at which a curve is measured
_TURN = 0.2  # radians a step at most
_STRETCH = 0.3  # of a handle's length a step at most
_DAMPING = 0.02
_SHORT, _LONG = 0.04, 1.0  # a handle's length, relative to its curve's


@dataclass
class Chain:
    """Cubics fitted to stretches of lines, in order; changed in place."""

    control: Floats  # (n, 4, 2)
    start: Ints  # (n,) indices into the lines' points
    end: Ints  # (n,)


def polish(chain: Chain, points: Floats, tolerance: Floats, along: Floats, fresh: Ints, rounds: int) -> None:
    """Move the nodes on both sides of the curves `fresh`.

    points      (m, 2) of the lines
    tolerance   (m,) px
    along       (m,) length along the lines
    rounds      how many steps each node makes
    """
    start, end = chain.start, chain.end
    meets = end[:-1] == start[1:]
    near = np.zeros(len(start) + 1, np.bool_)
    near[fresh] = near[fresh + 1] = True
    left = np.flatnonzero(meets & near[1:-1])  # the curve before each node; the one after it is the next
    if not len(left):
        return
    used = distinct(np.concatenate([left, left + 1]))
    place = (np.arange(_POINTS) + 0.5) / _POINTS
    index = (start[used, None] + (end - start)[used, None] * place + 0.5).astype(np.int64)
    length = np.maximum(along[end[used]] - along[start[used]], 1e-9)
    t = (along[index] - along[start[used], None]) / length[:, None]
    fit = _Fit(as_complex(chain.control[used]), t, as_complex(points)[index], 1 / tolerance[index], length)
    first = np.searchsorted(used, left)
    run = np.concatenate([[0], np.cumsum(np.diff(left) != 1)])
    colour = (np.arange(len(left)) - np.searchsorted(run, run)) % 2
    # a step that was taken back would be again, until one of the two curves has changed
    tried, changed = np.full(len(left), -1), np.zeros(len(used), np.int64)
    for step in range(2 * rounds):
        some = np.flatnonzero((colour == step % 2) & (np.maximum(changed[first], changed[first + 1]) > tried))
        if len(some):
            before = first[some]
            moved = before[fit.move(before)]
            tried[some], changed[moved], changed[moved + 1] = step, step + 1, step + 1
    chain.control[used] = fit.control.view(np.float64).reshape(-1, 4, 2)


class _Fit:
    """The curves being polished, n of them, and the m points that each should pass."""

    def __init__(self, control: Complexes, t: Floats, target: Complexes, weight: Floats, length: Floats) -> None:
        self.control = control  # (n, 4)
        self.target, self.weight = target, weight  # (n, m)
        self.length = length  # (n,) of each curve, px
        self.t, self.normal, self.off = _feet(control, _feet(control, t, target)[0], target)

    def move(self, before: Ints) -> Bools:
        """One step for the nodes between the k curves `before` and those after them; (k,) which were moved."""
        both = np.stack([before, before + 1])  # (2, k), the first two axes of most that follows
        weight, target, t = self.weight[both], self.target[both], self.t[both]
        normal, rest = self.normal[both], self.off[both] * weight
        error = np.abs(rest).max(axis=(0, 2))
        one, two = self.control[both].transpose(0, 2, 1)  # (4, k) each
        first, back, ahead, last = one[1] - one[0], one[3] - one[2], two[1] - two[0], two[3] - two[2]
        across = 1j * ahead / np.maximum(np.abs(ahead), 1e-12)

        # how far each point's curve moves across itself, for a step of one in each of the six numbers
        count, points = len(before), t.shape[2]
        slope = np.zeros((count, 6, 2, points))
        u = 1 - t
        middle = 3 * u * t
        b1, b2 = middle * u, middle * t  # of a cubic's two handles
        left, right = zip(weight * normal.real, weight * normal.imag, strict=True)
        slope[:, 0, 0] = (b2[0] + t[0] * t[0] * t[0]) * _along(left, across)
        slope[:, 0, 1] = (u[1] * u[1] * u[1] + b1[1]) * _along(right, across)
        # its handles turn, and grow, and then the far ones grow
        slope[:, 1, 0], slope[:, 1, 1] = b2[0] * _across(left, back), -b1[1] * _across(right, ahead)
        slope[:, 2, 0], slope[:, 3, 1] = -b2[0] * _along(left, back), b1[1] * _along(right, ahead)
        slope[:, 4, 0], slope[:, 5, 1] = b1[0] * _along(left, first), -b2[1] * _along(right, last)

        worst = np.maximum(error, 1e-9)[:, None]
        emphasis = 0.3 + (rest / worst) ** 2
        pull = (slope * emphasis.transpose(1, 0, 2)[:, None]).reshape(count, 6, -1)
        square = pull @ slope.reshape(count, 6, -1).transpose(0, 2, 1)
        diagonal = square.reshape(-1, 36)[:, ::7]  # a view
        diagonal += _DAMPING / 6 * diagonal.sum(axis=1, keepdims=True) + 1e-9
        step = np.linalg.solve(square, pull @ rest.transpose(1, 0, 2).reshape(count, -1, 1))[..., 0]
        step = np.minimum(np.maximum(step, -_LIMIT), _LIMIT).T

        node = one[3] + across * step[0]
        turn = np.exp(1j * step[1])
        back, ahead = back * turn * (1 + step[2]), ahead * turn * (1 + step[3])
        first, last = first * (1 + step[4]), last * (1 + step[5])
        new = np.empty((2, count, 4), np.complex128)
        new[0, :, 0], new[0, :, 1], new[0, :, 2], new[0, :, 3] = one[0], one[0] + first, node - back, node
        new[1, :, 0], new[1, :, 1], new[1, :, 2], new[1, :, 3] = node, node + ahead, two[3] - last, two[3]
        t, normal, off = _feet(new, t, target)
        handles = np.abs(np.stack([first, back, ahead, last])).reshape(2, 2, count) / self.length[both][:, None]
        sane = ((handles > _SHORT) & (handles < _LONG)).all(axis=(0, 1))
        better: Bools = sane & (np.abs(off * weight).max(axis=(0, 2)) <= error)
        which = both[:, better]
        self.control[which] = new[:, better]
        self.t[which], self.normal[which], self.off[which] = t[:, better], normal[:, better], off[:, better]
        return better


_LIMIT = np.array([1.0, _TURN, *[_STRETCH] * 4])


def _feet(control: Complexes, t: Floats, target: Complexes) -> tuple[Floats, Complexes, Floats]:
    """Where m targets (.., m) lie beside cubics (.., 4), seen from the points at the parameters t (.., m).

    Returns the parameters after one step towards the targets' feet (.., m); and before it the unit normals (.., m) and
    how far the targets lie along those (.., m).
    """
    p0, p1, p2, p3 = (control[..., k, None] for k in range(4))
    c, b = 3 * (p1 - p0), 3 * (p0 - 2 * p1 + p2)  # powers of t: ((a t + b) t + c) t + p0
    a = p3 - p0 - b - c
    at = a * t
    miss = target - (((at + b) * t + c) * t + p0)
    velocity = (3 * at + 2 * b) * t + c
    speed = np.maximum(np.abs(velocity), 1e-9)
    heading = velocity / speed
    seen = np.conj(heading) * miss  # along the curve and across it
    after = np.minimum(np.maximum(t + seen.real / speed, 0.0), 1.0)
    return after, 1j * heading, seen.imag


def _along(direction: tuple[Floats, Floats], vector: Complexes) -> Floats:
    """The scalar products of directions, x and y (k, m) each, with one vector (k,) a row."""
    x, y = direction
    return x * vector.real[:, None] + y * vector.imag[:, None]


def _across(direction: tuple[Floats, Floats], vector: Complexes) -> Floats:
    """And with the vectors turned back by a right angle."""
    x, y = direction
    return x * vector.imag[:, None] - y * vector.real[:, None]
