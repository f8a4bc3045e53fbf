"""What a drawing is made of: layers of filled shapes, and lines. Coordinates are px, origin top left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceparse_core.parts import Rgb
from svg_export.looks import ToneName


@dataclass(frozen=True)
class Ring:
    """A closed outline of n cubic Beziers."""

    points: NDArray[np.float64]  #: (3 n, 2) px: on, control, control, on, ..; the last segment ends at points[0]
    lines: NDArray[np.bool_]  #: (n,) segments that are straight (their controls lie at the thirds)


@dataclass(frozen=True)
class Shape:
    """One path, filled by the even-odd rule: an outer ring, then its holes."""

    rings: tuple[Ring, ...]


@dataclass(frozen=True)
class Tone:
    """The light or the shadow on a part, painted upon it."""

    name: ToneName
    shapes: tuple[Shape, ...]  #: largest first
    fill: Rgb


@dataclass(frozen=True)
class Layer:
    """All that is drawn of one part."""

    part: int  #: id in the table of parts
    shapes: tuple[Shape, ...]  #: largest first
    fill: Rgb
    tones: tuple[Tone, ...] = ()  #: bottom to top


@dataclass(frozen=True)
class Line:
    """A border that shows, as one path that is stroked."""

    points: NDArray[np.float64]  #: (3 n + 1, 2) px: on, control, control, on, .., on; of a closed one the first again
    closed: bool

    @property
    def nodes(self) -> int:
        return len(self.points) // 3 + (not self.closed)


@dataclass(frozen=True)
class LineWork:
    """The lines of a drawing, on a layer of their own above all others."""

    lines: tuple[Line, ...]
    color: Rgb
    width: float  #: px


@dataclass(frozen=True)
class Face:
    """What is drawn of one head."""

    layers: tuple[Layer, ...]  #: bottom to top
    outline: LineWork | None = None

    @property
    def nodes(self) -> int:
        """Of its shapes, of light and shadow upon them, and of its lines."""
        shapes = [shape for layer in self.layers for shape in layer.shapes]
        shapes += [shape for layer in self.layers for tone in layer.tones for shape in tone.shapes]
        lines = self.outline.lines if self.outline else ()
        return sum(len(ring.lines) for shape in shapes for ring in shape.rings) + sum(line.nodes for line in lines)
