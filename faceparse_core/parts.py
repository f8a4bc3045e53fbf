"""The table of parts: ids, names, sides, paint order, presets. Everything else asks here.

Ids 0 to 18 are those of face-parsing.PyTorch (https://github.com/zllrunning/face-parsing.PyTorch,
`prepropess_data.py`), so that its checkpoints fit; 19, the beard, is ours: CelebAMask-HQ labels it as skin.
Left and right are the subject's own: the left eye lies on the right of the picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from faceparse_core.errors import FaceParseError

Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class Part:
    """One row of the table."""

    id: int
    name: str  #: the layer's id in the SVG and the word in ``--parts``
    label: str  #: the layer's name as an illustrator reads it
    on_head: bool  #: lies on the head: where it has no layer of its own, the head shows
    color: Rgb  #: fill where no photo gives one (``--from-labels``)
    mark: Rgb  #: in pictures of the label map, where every part has to be told from every other
    side: Literal["left", "right"] | None = None


PARTS: tuple[Part, ...] = (
    Part(0, "background", "Background", False, (255, 255, 255), (255, 255, 255)),
    Part(1, "head", "Head", False, (224, 172, 138), (255, 176, 112)),
    Part(2, "brow-left", "Brow left", True, (84, 58, 42), (98, 0, 138), "left"),
    Part(3, "brow-right", "Brow right", True, (84, 58, 42), (196, 130, 240), "right"),
    Part(4, "eye-left", "Eye left", True, (236, 232, 226), (0, 92, 230), "left"),
    Part(5, "eye-right", "Eye right", True, (236, 232, 226), (96, 184, 255), "right"),
    Part(6, "glasses", "Glasses", True, (52, 56, 64), (70, 70, 70)),
    Part(7, "ear-left", "Ear left", False, (212, 152, 120), (0, 120, 50), "left"),
    Part(8, "ear-right", "Ear right", False, (212, 152, 120), (120, 210, 90), "right"),
    Part(9, "earring", "Earring", False, (218, 184, 92), (255, 225, 25)),
    Part(10, "nose", "Nose", True, (214, 156, 124), (225, 30, 60)),
    Part(11, "mouth", "Mouth", True, (110, 40, 44), (120, 0, 20)),
    Part(12, "lip-upper", "Lip upper", True, (186, 92, 88), (235, 40, 200)),
    Part(13, "lip-lower", "Lip lower", True, (200, 106, 100), (255, 150, 220)),
    Part(14, "neck", "Neck", False, (206, 150, 118), (170, 105, 40)),
    Part(15, "necklace", "Necklace", False, (222, 196, 120), (0, 205, 190)),
    Part(16, "cloth", "Cloth", False, (92, 110, 140), (150, 160, 185)),
    Part(17, "hair", "Hair", False, (72, 50, 38), (10, 10, 110)),
    Part(18, "hat", "Hat", False, (120, 86, 92), (128, 128, 0)),
    Part(19, "beard", "Beard", True, (96, 68, 52), (90, 45, 10)),
)

BACKGROUND, HEAD, NOSE, NECK, NECKLACE, CLOTH, HAIR, HAT, BEARD = 0, 1, 10, 14, 15, 16, 17, 18, 19

#: A layer that no label map has: what of the hair falls behind the neck and the shoulders, told from the hair's place.
HAIR_BACK = 20
#: By id, all that can be a layer, and the background.
LAYERS: dict[int, Part] = {
    part.id: part
    for part in (*PARTS, Part(HAIR_BACK, "hair-back", "Hair back", False, PARTS[HAIR].color, PARTS[HAIR].mark))
}
BY_NAME: dict[str, Part] = {part.name: part for part in LAYERS.values()}

#: Parts whose bounding box is the face: skin, brows, eyes, glasses, nose, mouth, lips.
FACE: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 10, 11, 12, 13)

#: (left, right) ids of the parts that come in pairs.
PAIRS: tuple[tuple[int, int], ...] = ((2, 3), (4, 5), (7, 8))

_OTHER_SIDE = {**dict(PAIRS), **{right: left for left, right in PAIRS}}
#: For each id the one that stands for it in a mirrored picture: left and right change places.
MIRRORED: tuple[int, ...] = tuple(_OTHER_SIDE.get(part.id, part.id) for part in PARTS)

#: Bottom to top, as the parts of a label map are painted.
PAINT_ORDER: tuple[int, ...] = tuple(
    BY_NAME[name].id
    for name in (
        "cloth", "neck", "necklace", "ear-left", "ear-right", "earring", "head", "beard", "nose", "mouth",
        "lip-lower", "lip-upper", "eye-left", "eye-right", "brow-left", "brow-right", "glasses", "hair", "hat",
    )
)  # fmt: skip
#: And as all layers are.
LAYER_ORDER: tuple[int, ...] = (HAIR_BACK, *PAINT_ORDER)

_CONTOUR = ("ear-left", "ear-right", "head", "beard", "hair", "hat")
_PORTRAIT = (*_CONTOUR, "earring", *(part.name for part in PARTS if part.on_head and part.name != "beard"))
PRESETS: dict[str, frozenset[int]] = {
    "face": frozenset(part.id for part in PARTS if part.id == HEAD or part.on_head),  # and nothing beside the head
    "contour": frozenset(BY_NAME[name].id for name in _CONTOUR),
    "portrait": frozenset(BY_NAME[name].id for name in _PORTRAIT),
    "all": frozenset(LAYER_ORDER),  # where neck and cloth are drawn, hair can fall behind them
}


def select_parts(names: str | Iterable[str], derived: bool = True) -> frozenset[int]:
    """Part ids that a preset's name or a list of parts (`"hair,head"`) asks for.

    derived  whether presets hold the layers, too, that are made out of other parts (`hair-back`); a label map that
             somebody painted is drawn as it is, a layer an id, unless they are asked for by name

    Presets and parts may be mixed. Raises FaceParseError on an unknown or empty list.
    """
    words = names.split(",") if isinstance(names, str) else list(names)
    wanted: set[int] = set()
    for word in (word.strip() for word in words):
        if word in PRESETS:
            wanted |= PRESETS[word] if derived else PRESETS[word] & frozenset(PAINT_ORDER)
        elif word in BY_NAME and BY_NAME[word].id in LAYER_ORDER:
            wanted.add(BY_NAME[word].id)
        else:
            known = ", ".join([*PRESETS, *(LAYERS[i].name for i in LAYER_ORDER)])
            raise FaceParseError(f"unknown part {word!r}; choose from: {known}")
    return frozenset(wanted)


def select_labels(names: str | Iterable[str]) -> frozenset[int]:
    """As `select_parts`, but the ids that a label map can hold: what of the hair falls behind is hair there.

    Raises FaceParseError where that part of the hair alone is asked for.
    """
    wanted = select_parts(names)
    if HAIR_BACK in wanted and HAIR not in wanted:
        name, hair = LAYERS[HAIR_BACK].name, LAYERS[HAIR].name
        raise FaceParseError(f"{name} is a layer of drawings; in a label map all of it is {hair}: ask for {hair}")
    return wanted - {HAIR_BACK}
