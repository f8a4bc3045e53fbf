"""How a drawing looks: filled shapes, lines, or both. What is chosen here changes no curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from faceparse_core.parts import Rgb

INK: Rgb = (43, 37, 40)  #: lines where no palette names a colour: a warm dark, softer than black


@dataclass(frozen=True)
class LookSettings:
    """What is drawn of the curves."""

    style: Literal["flat", "outline", "flat+outline"] = "flat"
    weight: float = 0.01  #: of the lines, in fractions of the head's size: 2.6 px of a 260 px head

    @property
    def filled(self) -> bool:
        return self.style != "outline"

    @property
    def lined(self) -> bool:
        return "outline" in self.style
