# SPDX-License-Identifier: GPL-3.0-or-later
"""Rings of cubic Beziers -> path data, as short as the grid allows. No bpy here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .drawing import Ring


def write_path(rings: Iterable[Ring], decimals: int) -> str:
    """Path data: `M`, relative `c` and `l`, `z`, on a grid of 10^-decimals; empty where nothing is left on it."""
    return "".join(_write_ring(ring, decimals) for ring in rings)


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
