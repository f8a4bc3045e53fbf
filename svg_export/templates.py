"""Ears, eyes and brows as they usually are, and fitted to what is seen of one.

A template is a closed outline in a box of one by one. It is put into the face's frame (`Proportions`) with a middle, a
length along each of its axes and a tilt: those of the mean face, moved by what is seen. The outline that is seen should
lie on it, and what a later part cuts off should lie within it: least squares, a few Gauss-Newton steps from the mean.

The means are those of the label maps of CelebAMask-HQ, which this project holds out for tests, in units from brow to
chin (eyes: 352 that are whole, brows: 218, ears: 58 of which at most a third lies beneath hair). So are the shapes, but
for the ear's, which is an egg: seen from the front it is about anything, and hair cuts most of them.

Limits. Spreads are taken as independent. A face in profile has its features elsewhere: there the seen outline decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from svg_export.beziers import flatten
from svg_export.curves import Floats, Ints, as_complex, unit

_STEPS = 5  # Gauss-Newton: the last changes nothing that is seen
_STRAY = 0.012  # units: how far a seen outline lies from the template, in the mean
_ROBUST = 2.5  # strays: what lies farther counts less


@dataclass(frozen=True)
class Template:
    """The left one of a pair. x to the left of the face (the picture's right), y to the crown."""

    nodes: tuple[tuple[float, ...], ...]  #: clockwise: x, y, and the handles into it and out of it, relative
    mean: tuple[float, float, float, float, float]  #: middle x and y, width, height, units; tilt, radians
    spread: tuple[float, float, float, float, float]  #: standard deviations; of width and height as a share

    @cached_property
    def outline(self) -> Floats:
        """Points (n, 2) of the closed outline, clockwise, the first not repeated."""
        node = np.array(self.nodes)
        start, end = node, np.roll(node, -1, axis=0)
        curves = np.stack([start[:, :2], start[:, :2] + start[:, 4:], end[:, :2] + end[:, 2:4], end[:, :2]], axis=1)
        points: Floats = flatten(curves, 10)[:-1]
        return points


EAR = Template(
    (
        (0.05, 0.5, -0.24, 0.02, 0.26, -0.02),
        (0.5, 0.13, 0.0, 0.2, 0.0, -0.22),
        (-0.15, -0.5, 0.2, 0.0, -0.16, 0.0),
        (-0.45, -0.1, -0.03, -0.24, 0.03, 0.3),
    ),
    (0.576, -0.257, 0.133, 0.449, -0.19),
    (0.12, 0.1, 0.36, 0.18, 0.12),
)
EYE = Template(
    (
        (-0.5, -0.16, 0.1, -0.06, 0.08, 0.28),
        (0.0, 0.5, -0.26, 0.0, 0.24, 0.0),
        (0.5, -0.1, -0.12, 0.26, -0.1, -0.12),
        (0.03, -0.48, 0.2, 0.0, -0.2, 0.0),
    ),
    (0.242, -0.126, 0.193, 0.07, 0.04),
    (0.08, 0.04, 0.15, 0.25, 0.09),
)
BROW = Template(
    (
        (-0.48, -0.15, 0.0, -0.2, 0.0, 0.2),
        (0.1, 0.45, -0.25, 0.0, 0.22, 0.0),
        (0.52, -0.49, -0.04, 0.3, -0.14, 0.2),
        (0.1, -0.18, 0.12, 0.0, -0.15, 0.0),
        (-0.41, -0.37, 0.12, 0.02, -0.05, -0.01),
    ),
    (0.26, 0.01, 0.359, 0.099, 0.05),
    (0.08, 0.03, 0.16, 0.25, 0.15),
)


@dataclass(frozen=True)
class Fitted:
    """A template in its place."""

    ring: Floats  #: (n, 2) units of the face, clockwise, the first not repeated
    stray: float  #: units: how far what is seen lies from it, root of the mean square
    width: float  #: units: the lesser of its two lengths


def fit_template(template: Template, left: bool, seen: Floats, covered: Floats) -> Fitted:
    """The template where it fits best.

    seen     (n, 2) points of the outline, in the face's frame, evenly spread
    covered  (m, 2) points that a later part cuts off, evenly spread as well: the outline goes around them
    """
    mirror = np.array([1.0 if left else -1.0, 1.0])
    points = np.concatenate([seen, covered]) * mirror
    is_seen = np.arange(len(points)) < len(seen)
    shape = template.outline
    mean = np.array(template.mean)
    prior = np.array([mean[0], mean[1], np.log(mean[2]), np.log(mean[3]), mean[4]])
    precision = np.diag(1 / np.array(template.spread) ** 2)
    place = prior.copy()
    place[:2] += np.clip(points.mean(axis=0) - place[:2], -2 * precision[0, 0] ** -0.5, 2 * precision[0, 0] ** -0.5)
    for _ in range(_STEPS):
        ring, turn = _placed(shape, place)
        at, normal, out = _beside(ring, points)
        weight = np.where(is_seen | (out > 0), 1 / np.maximum(1.0, np.abs(out) / (_ROBUST * _STRAY)), 0.0) / _STRAY**2
        grown = np.exp(place[2:4]) * shape[at]
        slope = np.zeros((len(points), 5))
        slope[:, :2] = normal
        slope[:, 2] = (normal @ turn[:, 0]) * grown[:, 0]
        slope[:, 3] = (normal @ turn[:, 1]) * grown[:, 1]
        slope[:, 4] = (normal * ((ring[at] - place[:2]) @ np.array([[0.0, 1.0], [-1.0, 0.0]]))).sum(axis=1)
        left_side = slope.T @ (weight[:, None] * slope) + precision
        right_side = slope.T @ (weight * out) - precision @ (place - prior)
        place = place + np.clip(np.linalg.solve(left_side, right_side), -0.3, 0.3)
    ring, _ = _placed(shape, place)
    _, _, out = _beside(ring, points)
    stray = np.where(is_seen, out, np.maximum(out, 0.0))
    ring = ring * mirror
    root = float(np.sqrt((stray**2).mean()))
    return Fitted(ring if left else ring[::-1], root, float(np.exp(place[2:4]).min()))


def _placed(shape: Floats, place: Floats) -> tuple[Floats, Floats]:
    """An outline moved, stretched and turned; and the turn (2, 2), by columns."""
    cos, sin = np.cos(place[4]), np.sin(place[4])
    turn = np.array([[cos, -sin], [sin, cos]])
    return place[:2] + (np.exp(place[2:4]) * shape) @ turn.T, turn


def _beside(ring: Floats, points: Floats) -> tuple[Ints, Floats, Floats]:
    """For each of n points its nearest of a ring, the ring's normal there (n, 2), outwards, and how far out it lies."""
    at: Ints = np.abs(as_complex(points)[:, None] - as_complex(ring)).argmin(axis=1)
    along = unit(ring[(at + 1) % len(ring)] - ring[at - 1])
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1)  # clockwise with y up: the inside is on the right
    return at, normal, ((points - ring[at]) * normal).sum(axis=1)
