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

from svg_export.curves import Floats, Ints, unit

_ROUNDS = 3  # of both colours
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


def polish(chain: Chain, points: Floats, tolerance: Floats, along: Floats, fresh: Ints) -> None:
    """Move the nodes on both sides of the curves `fresh`.

    points      (m, 2) of the lines
    tolerance   (m,) px
    along       (m,) length along the lines
    """
    start, end = chain.start, chain.end
    meets = end[:-1] == start[1:]
    near = np.zeros(len(start) + 1, np.bool_)
    near[fresh] = near[fresh + 1] = True
    left = np.flatnonzero(meets & near[1:-1])  # the curve before each node; the one after it is the next
    if not len(left):
        return
    used = np.unique(np.concatenate([left, left + 1]))
    place = (np.arange(_POINTS)[:, None] + 0.5) / _POINTS
    index = (start[used] + (end - start)[used] * place + 0.5).astype(np.int64)
    length = np.maximum(along[end[used]] - along[start[used]], 1e-9)
    fit = _Fit(chain.control[used], (along[index] - along[start[used]]) / length, points[index], tolerance[index])
    first = np.searchsorted(used, left)
    run = np.concatenate([[0], np.cumsum(np.diff(left) != 1)])
    colour = (np.arange(len(left)) - np.searchsorted(run, run)) % 2
    for _ in range(_ROUNDS):
        for each in (0, 1):
            before = first[colour == each]
            if len(before):
                fit.move(before, length)
    chain.control[used] = fit.control


class _Fit:
    """The curves being polished, with the points that they should pass: arrays (m, n) of m points on n curves."""

    def __init__(self, control: Floats, t: Floats, target: Floats, tolerance: Floats) -> None:
        self.control, self.t, self.target, self.weight = control, t, target, 1 / tolerance

    def move(self, before: Ints, length: Floats) -> None:
        """One step for the nodes between the curves `before` and those after them."""
        n, both = len(before), np.concatenate([before, before + 1])
        weight, target = self.weight[:, both], self.target[:, both]
        t, basis, normal, off = _feet(self.control[both], self.t[:, both], target)
        one, two = self.control[before], self.control[before + 1]
        back, ahead = one[:, 3] - one[:, 2], two[:, 1] - two[:, 0]
        first, last = one[:, 1] - one[:, 0], two[:, 3] - two[:, 2]
        across = _turned(unit(ahead))

        def felt(side: int, controls: list[int], shift: Floats) -> Floats:
            """How much the curves of a side move across themselves where some of their controls are shifted."""
            part = slice(n * side, n * side + n)
            share: Floats = basis[controls, :, part].sum(0) * (normal[:, part] * shift).sum(-1)
            return share

        none = np.zeros((_POINTS, n))
        slope = np.stack(
            [  # columns: across, turning, the handles at the node, the handles at the far ends
                np.concatenate([felt(0, [2, 3], across), felt(1, [0, 1], across)]),
                np.concatenate([felt(0, [2], -_turned(back)), felt(1, [1], _turned(ahead))]),
                np.concatenate([felt(0, [2], -back), none]),
                np.concatenate([none, felt(1, [1], ahead)]),
                np.concatenate([felt(0, [1], first), none]),
                np.concatenate([none, felt(1, [2], -last)]),
            ],
            axis=-1,
        ).transpose(1, 0, 2)  # (n, 2 m, 6)
        heavy = np.concatenate([weight[:, :n], weight[:, n:]]).T
        rest = np.concatenate([off[:, :n], off[:, n:]]).T * heavy
        slope = slope * heavy[..., None]
        worst = np.abs(rest).max(axis=1)
        pull = slope * (0.3 + (rest / np.maximum(worst, 1e-9)[:, None]) ** 2)[..., None]
        square = pull.transpose(0, 2, 1) @ slope
        damping = _DAMPING * np.trace(square, axis1=1, axis2=2) / square.shape[-1] + 1e-9
        square = square + damping[:, None, None] * np.eye(square.shape[-1])
        step = np.linalg.solve(square, pull.transpose(0, 2, 1) @ rest[..., None])[..., 0]
        limit = np.array([1.0, _TURN, *[_STRETCH] * 4])
        step = np.clip(step, -limit, limit)

        cos, sin = np.cos(step[:, 1:2]), np.sin(step[:, 1:2])
        node = one[:, 3] + across * step[:, :1]
        back, ahead = back * cos + _turned(back) * sin, ahead * cos + _turned(ahead) * sin
        first, back, ahead, last = (
            handle * (1 + step[:, at : at + 1]) for handle, at in ((first, 4), (back, 2), (ahead, 3), (last, 5))
        )
        new = np.concatenate(
            [
                np.stack([one[:, 0], one[:, 0] + first, node - back, node], axis=1),
                np.stack([node, node + ahead, two[:, 3] - last, two[:, 3]], axis=1),
            ]
        )
        then = np.abs(off * weight).max(axis=0)
        after, _, _, left_over = _feet(new, t, target)
        now = np.abs(left_over * weight).max(axis=0)
        handles = np.hypot(*np.stack([first, back, ahead, last]).transpose(2, 0, 1))
        spans = length[np.stack([before, before, before + 1, before + 1])]
        sane = ((handles > _SHORT * spans) & (handles < _LONG * spans)).all(axis=0)
        better = sane & (np.maximum(now[:n], now[n:]) <= np.maximum(then[:n], then[n:]))
        better = np.concatenate([better, better])
        self.control[both[better]] = new[better]
        self.t[:, both] = np.where(better, after, t)


def _feet(control: Floats, t: Floats, target: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """One step towards the feet of targets (m, n, 2) on cubics (n, 4, 2).

    Returns the parameters (m, n) after it; and before it the basis (4, m, n), the unit normals (m, n, 2) and how far
    the targets lie along those (m, n).
    """
    u = 1 - t
    uu, ut, tt = u * u, u * t, t * t
    x, y = control.transpose(2, 1, 0)
    basis = np.stack([uu * u, 3 * uu * t, 3 * ut * t, tt * t])
    ex, ey = target[..., 0] - (basis * x[:, None]).sum(0), target[..., 1] - (basis * y[:, None]).sum(0)
    vx, vy = (3 * (uu * (p[1] - p[0]) + 2 * ut * (p[2] - p[1]) + tt * (p[3] - p[2])) for p in (x, y))
    squared = vx * vx + vy * vy + 1e-9
    speed = np.sqrt(squared)
    nx, ny = -vy / speed, vx / speed
    after = np.clip(t + (ex * vx + ey * vy) / squared, 0.0, 1.0)
    return after, basis, np.stack([nx, ny], axis=-1), ex * nx + ey * ny


def _turned(vectors: Floats) -> Floats:
    """Turned by a right angle."""
    return np.stack([-vectors[:, 1], vectors[:, 0]], axis=1)
