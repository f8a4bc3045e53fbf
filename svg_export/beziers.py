"""Cubic Beziers as arrays of control points (n, 4, 2)."""

from __future__ import annotations

import numpy as np

from svg_export.curves import Floats, as_complex


def straight(corners: Floats) -> Floats:
    """The sides of an open polyline (n, 2) as n - 1 cubics, their controls at the thirds."""
    third = np.diff(corners, axis=0) / 3
    return np.stack([corners[:-1], corners[:-1] + third, corners[1:] - third, corners[1:]], axis=1)


def drag(curve: Floats, side: int, point: Floats) -> None:
    """Move one end (0 or 3) of a cubic (4, 2), with its handle, in place."""
    shift = point - curve[side]
    curve[side] = point
    curve[1 if side == 0 else 2] += shift


def between(control: Floats, start: float, end: float) -> Floats:
    """The stretch of n connected cubics from `start` to `end`, which count in curves: 2.25 is a quarter into the third.

    Empty where `end` is not beyond `start`.
    """
    first, last = int(start), min(int(np.ceil(end)), len(control))
    if end <= start or first >= last:
        return control[:0]
    found = control[first:last].copy()
    if end < last:
        found[-1] = split(found[-1], end - (last - 1))[0]
    if start > first:
        whole = min(end, first + 1) - first  # how much of the first curve is left
        found[0] = split(found[0], (start - first) / whole)[1]
    return found


def along(control: Floats, point: Floats) -> float:
    """Where n connected cubics pass a point (2,) most closely, counted as in `between`."""
    each = nearest(control, np.broadcast_to(point, (len(control), 2)), np.full(len(control), 0.5))
    feet = evaluate(control, each[:, None])[:, 0]
    best = int(np.hypot(*(feet - point).T).argmin())
    return best + float(each[best])


def flatten(control: Floats, steps: int = 8) -> Floats:
    """Points (n * steps + 1, 2) along n connected cubics."""
    points = evaluate(control, np.arange(steps) / steps).reshape(-1, 2)
    return np.concatenate([points, control[-1:, 3]])


def evaluate(control: Floats, t: Floats) -> Floats:
    """Points (n, m, 2) of cubics (n, 4, 2) at parameters (n, m) or (m,)."""
    t = np.broadcast_to(t, (len(control), np.shape(t)[-1]))[..., None]
    u = 1 - t
    p = control[:, None]
    uu, tt = u * u, t * t
    value: Floats = uu * u * p[:, :, 0] + 3 * uu * t * p[:, :, 1] + 3 * u * tt * p[:, :, 2] + tt * t * p[:, :, 3]
    return value


def split(control: Floats, t: float) -> tuple[Floats, Floats]:
    """De Casteljau: one cubic (4, 2) as two."""
    a, b, c, d = control
    ab, bc, cd = a + t * (b - a), b + t * (c - b), c + t * (d - c)
    abc, bcd = ab + t * (bc - ab), bc + t * (cd - bc)
    middle = abc + t * (bcd - abc)
    return np.stack([a, ab, abc, middle]), np.stack([middle, bcd, cd, d])


def nearest(control: Floats, points: Floats, t: Floats, steps: int = 4) -> Floats:
    """Parameters (n,) of the feet of `points` (n, 2) on cubics (n, 4, 2), by Newton's steps from `t`."""
    p0, p1, p2, p3 = as_complex(control).T
    a, b, c, d = p3 - p0 + 3 * (p1 - p2), 3 * (p0 - 2 * p1 + p2), 3 * (p1 - p0), p0 - as_complex(points)
    for _ in range(steps):
        away = ((a * t + b) * t + c) * t + d
        speed, turn = (3 * a * t + 2 * b) * t + c, 6 * a * t + 2 * b
        squared = (speed * np.conj(speed)).real
        down = squared + (np.conj(away) * turn).real
        down = np.where(down > 1e-12, down, np.maximum(squared, 1e-12))
        t = np.minimum(np.maximum(t - (np.conj(away) * speed).real / down, 0.0), 1.0)
    return t
