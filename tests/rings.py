"""What tests of curves share."""

from __future__ import annotations

import numpy as np

from svg_export.shapes import Ring


def points(ring: Ring, steps: int = 200) -> np.ndarray:
    """Points along a ring, so many a curve."""
    thirds = ring.points.reshape(-1, 3, 2)
    a, b, c, d = thirds[:, 0], thirds[:, 1], thirds[:, 2], np.roll(thirds[:, 0], -1, axis=0)
    t = np.linspace(0, 1, steps, endpoint=False)[:, None, None]
    curve = (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t * t * c + t**3 * d
    return curve.transpose(1, 0, 2).reshape(-1, 2)
