"""How a drawing looks: filled shapes, lines, light and shadow. What is chosen here changes no curve of the parts."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from faceparse_core.errors import SettingsError
from faceparse_core.parts import BY_NAME, Rgb

ToneName = Literal["shadow", "light"]
TONES: tuple[ToneName, ...] = ("shadow", "light")  #: bottom to top
Style = Literal["flat", "outline", "flat+outline", "cel", "cel+outline"]
#: Parts broad enough to show them.
TONED = frozenset(
    BY_NAME[name].id
    for name in ("cloth", "neck", "ear-left", "ear-right", "head", "beard", "nose", "hair", "hair-back", "hat")
)
WEIGHTS = (0.0001, 0.2)  #: of lines, in fractions of the head's size: the least and the most
INK: Rgb = (43, 37, 40)  #: lines where no palette names a colour: a warm dark, softer than black


@dataclass(frozen=True)
class ToneSettings:
    """Where light and shadow begin. Lengths are fractions of the head's size; L is Oklab's lightness, 0 to 1."""

    blur: float = 0.035  #: 9 px of a 260 px head: sigma of the blur; the more, the fewer and rounder the shapes
    rim: float = 0.02  #: 5 px: pixels so close to a part's edge are not asked, the lens mixes them
    spread: float = 0.9  #: light and shadow begin so many standard deviations from the part's median ...
    least: float = 0.03  #: ... but no less than so much L away ...
    most: float = 0.1  #: ... and no more
    contrast: float = 0.045  #: L: a tone that differs less from the rest of the part is left out ...
    share: float = 0.04  #: ... and so is one that covers less of the part than this
    speck: float = 0.003  #: of the head's size squared, 200 px: smaller pieces of a tone, and holes in it, are left out
    crumb: float = 0.0006  #: of the head's size squared, 40 px: smaller remains of a tone on one part go too
    thin: float = 0.012  #: 3 px of mean width: and so does what is thinner
    beyond: float = 0.024  #: 6 px: how far beyond the part a tone is traced before it is cut
    tolerance: float = 0.006  #: 1.6 px: how far the curve of a tone may stray
    smoothing: float = 0.012  #: 3 px: sigma of the Gaussian along it
    corner: float = 100.0  #: degrees: it has hardly any corners


@dataclass(frozen=True)
class LookSettings:
    """What is drawn of the curves."""

    style: Style = "flat"
    weight: float = 0.01  #: of the lines, in fractions of the head's size: 2.6 px of a 260 px head
    tones: ToneSettings = field(default_factory=ToneSettings)  #: of cel

    def __post_init__(self) -> None:
        """Raises SettingsError."""
        if self.style not in get_args(Style):
            raise SettingsError(f"{self.style!r} is none of {', '.join(get_args(Style))}")
        least, most = WEIGHTS
        if not least <= self.weight <= most:
            raise SettingsError(f"lines are {least} to {most} of the head's height wide, not {self.weight}")

    @property
    def filled(self) -> bool:
        return self.style != "outline"

    @property
    def lined(self) -> bool:
        return "outline" in self.style

    @property
    def shaded(self) -> bool:
        return "cel" in self.style

    def used(self) -> dict[str, Any]:
        """Those of the settings that this style asks, as plain values."""
        asked = {"style": True, "weight": self.lined, "tones": self.shaded}
        return {name: value for name, value in dataclasses.asdict(self).items() if asked[name]}
