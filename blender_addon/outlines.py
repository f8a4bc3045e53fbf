# SPDX-License-Identifier: GPL-3.0-or-later
"""The outlines of a file's shapes, as rings in their own units. No bpy here.

Path data of large files are read ahead, many paths at once (see `path_reader`); what clones repeat is read once. All is
counted: what a file makes us draw has an end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .css import parse_length
from .drawing import Budget, Ring, SvgError
from .fill_rule import even_odd
from .notes import Notes
from .path_reader import PathError, TooLong, parse_path, parse_points, read_ahead
from .pen import ellipse, polygon, rectangle
from .svg_tree import Node

if TYPE_CHECKING:
    from .arrays import Runs

MAX_SEGMENTS = 200_000  # Bezier segments, of clones too
MAX_WORK = 2_000_000  # edges looked at to make even-odd of nonzero; half a second
MANY = 100_000  # characters of path data from which on they are read ahead; a portrait has a third of that
_BATCH, _TOO_LONG = 1 << 16, 1 << 21  # characters that are read at a time: as arrays of the former size stay in a cache

Groups = list[tuple[Ring, ...]]  #: of rings that are filled by even-odd, one group after the other


class Outlines:
    """Of the shapes of one file."""

    def __init__(self, root: Node, notes: Notes) -> None:
        self._notes = notes
        self._segments, self._work = Budget(MAX_SEGMENTS), Budget(MAX_WORK)
        self._read: dict[tuple[Node, bool], Groups] = {}
        self._batches = _batches([node for node in root.walk() if node.tag == "path"])
        self._runs: dict[Node, Runs | None] = {}

    def of(self, node: Node, viewport: complex, nonzero: bool) -> Groups:
        """The rings of a shape.

        viewport    see the module `viewport`
        nonzero     whether its fill follows that rule, of which even-odd is made here
        """
        if node.tag not in ("path", "polygon", "polyline"):
            rings = _basic_shape(node, viewport)
            return [rings] if rings else []
        groups = self._read.get((node, nonzero))
        try:
            if groups is None:
                groups = self._read[node, nonzero] = self._groups(node, nonzero)
            elif not self._segments.spend(sum(len(ring.points) // 3 for group in groups for ring in group)):
                raise TooLong("more segments than can be drawn")
        except TooLong:
            many = f"more than {MAX_SEGMENTS} curve segments (in {node.name})"
            raise SvgError(f"{many}; simplify it (Path > Simplify)") from None
        return groups

    def _groups(self, node: Node, nonzero: bool) -> Groups:
        rings = self._rings(node)
        if not rings:
            return []
        if not nonzero:
            return [rings]
        groups, exact = even_odd(rings, self._work)
        if not exact:
            self._notes.add("has parts that cross: fills may differ (Path > Union helps)", node)
        return groups

    def _rings(self, node: Node) -> tuple[Ring, ...]:
        try:
            if node.tag == "path":
                return parse_path(node.get("d") or "", self._segments, self._read_ahead(node))
            return polygon(parse_points(node.get("points") or "", self._segments), closed=node.tag == "polygon")
        except TooLong:
            raise
        except PathError as error:
            self._notes.add("its data break off: drawn up to there", node)
            return error.rings

    def _read_ahead(self, node: Node) -> Runs | None:
        """What read_ahead finds in a path's data: it reads many paths at once, each of them once."""
        batch = self._batches.pop(node, None)
        if batch is not None:
            for other in batch:
                self._batches.pop(other, None)
            self._runs.update(zip(batch, read_ahead([other.get("d") or "" for other in batch]), strict=True))
        return self._runs.pop(node, None)


def _batches(paths: Sequence[Node]) -> dict[Node, list[Node]]:
    """For every path those that are read together with it, in the order of the file; none in a file of few.

    A path that is as long as many is read alone, and one that is too long for that not ahead.
    """
    lengths = [len(path.get("d") or "") for path in paths]
    if sum(lengths) < MANY:
        return {}
    batches: dict[Node, list[Node]] = {}
    batch: list[Node] = []
    size = 0
    for path, length in zip(paths, lengths, strict=True):
        if size + length > _BATCH:
            batch, size = [], 0
        if length < _TOO_LONG:
            size += length
            batch.append(path)
            batches[path] = batch
    return batches


def _basic_shape(node: Node, viewport: complex) -> tuple[Ring, ...]:
    """The ring of a rectangle, circle, ellipse or line, in its own units."""
    across, down = viewport.real, viewport.imag
    diagonal = math.hypot(across, down) / math.sqrt(2)

    def length(name: str, whole: float) -> float:
        return parse_length(node.get(name), whole) or 0.0

    if node.tag == "line":
        ends = [complex(length("x1", across), length("y1", down)), complex(length("x2", across), length("y2", down))]
        return polygon(ends, closed=False)
    if node.tag == "rect":
        corner = complex(length("x", across), length("y", down))
        rx, ry = parse_length(node.get("rx"), across), parse_length(node.get("ry"), down)
        rx, ry = (ry if rx is None else rx), (rx if ry is None else ry)
        return rectangle(corner, length("width", across), length("height", down), rx or 0.0, ry or 0.0)
    center = complex(length("cx", across), length("cy", down))
    if node.tag == "circle":
        return ellipse(center, length("r", diagonal), length("r", diagonal))
    return ellipse(center, length("rx", across), length("ry", down))
