"""What numpy has, faster for the small whole numbers that label maps are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def distinct(values: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """The values of an array of any shape (none below 0) in order, each once: np.unique by counting, not by sorting."""
    return np.bincount(values.ravel()).nonzero()[0]


def looked_up(table: NDArray[np.uint8], values: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.uint8]:
    """table[values], ten times as fast; `table` is (256,), `values` uint8 of two axes."""
    import cv2

    return np.asarray(cv2.LUT(values, table), np.uint8).reshape(values.shape)


def window_of(mask: NDArray[np.bool_] | NDArray[np.uint8]) -> tuple[slice, slice]:
    """The rows and columns of a map (H, W) that hold all that is not 0, which must be something."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
