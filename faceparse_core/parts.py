"""The table of parts: ids, names, sides, paint order, presets. Everything else asks here.

Ids 0 to 18 are those of face-parsing.PyTorch (https://github.com/zllrunning/face-parsing.PyTorch,
`prepropess_data.py`), so that its checkpoints fit; 19, the beard, is ours: CelebAMask-HQ labels it as skin.
Left and right are the subject's own: the left eye lies on the right of the picture.

A model may know parts of its own, such as teeth or headphones: a `PartTable` has them beside the 20, with the ids 240
to 247 in the order of its file. It is passed along with what holds such ids (a parser, a parsing, a drawing); where
none is given there are none. Nothing is registered anywhere: two models' own parts do not meet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from faceparse_core.errors import FaceParseError, printable, quoted

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

BACKGROUND, HEAD, GLASSES, EARRING, NOSE = 0, 1, 6, 9, 10
NECK, NECKLACE, CLOTH, HAIR, HAT, BEARD = 14, 15, 16, 17, 18, 19

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
#: Mouth, upper and lower lip.
MOUTH: tuple[int, ...] = (11, 12, 13)

#: (left, right) ids of the parts that come in pairs.
BROWS, EYES, EARS = (2, 3), (4, 5), (7, 8)
PAIRS: tuple[tuple[int, int], ...] = (BROWS, EYES, EARS)

#: Words that stand for two parts: ear, brow, eye, lip.
BOTH: dict[str, frozenset[int]] = {
    word: frozenset(part.id for part in PARTS if part.name.startswith(f"{word}-"))
    for word in dict.fromkeys(part.name.partition("-")[0] for part in PARTS if "-" in part.name)
}

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

# parts of a model's own -----------------------------------------------------------------------------------------------

OWN = 240  #: the id of the first part of a model's own. It stands in files: never change it
MOST_OWN = 8  #: parts that a model may have of its own
#: By the planes of a parser's scores, which have no gaps, the parts' ids.
BY_PLANE: tuple[int, ...] = (*(part.id for part in PARTS), *range(OWN, OWN + MOST_OWN))

#: Where a file names none: told from all parts and from one another, as `Part.mark` has to be.
_OWN_COLORS: tuple[Rgb, ...] = (
    (150, 0, 255), (135, 90, 150), (90, 255, 255), (0, 135, 165),
    (30, 0, 195), (255, 105, 0), (0, 255, 0), (165, 0, 105),
)  # fmt: skip
_OWN_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*")
_LONGEST_NAME, _LONGEST_LABEL = 31, 60
_PRESETS = ("face", "contour", "portrait", "all", "own")
#: What other layers, swatches and classes are called.
_TAKEN = {*BY_NAME, *_PRESETS, "photo", "outline", "skin", *BOTH}
_TAKEN_TOO = re.compile(rf"face\d+(-.*)?|({'|'.join(sorted(_TAKEN))})-(shadow|light)")


@dataclass(frozen=True)
class OwnPart(Part):
    """A part that only one model knows."""

    above: str = ""  #: name of the part directly beneath it in the paint order


@dataclass(frozen=True)
class PartTable:
    """The parts that there are: the 20, and those that a model has of its own, by id."""

    own: tuple[OwnPart, ...] = ()

    @cached_property
    def layers(self) -> dict[int, Part]:
        """By id, all that can be a layer, and the background."""
        return LAYERS | {part.id: part for part in self.own}

    @cached_property
    def by_name(self) -> dict[str, Part]:
        return {part.name: part for part in self.layers.values()}

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """All that a label map can hold."""
        return (*PARTS, *self.own)

    @cached_property
    def layer_order(self) -> tuple[int, ...]:
        """Bottom to top. Of own parts above the same part the later in the table is the upper one."""
        order, waiting = [BACKGROUND, *LAYER_ORDER], list(self.own)
        while waiting:
            placed = next((each for each in waiting if self.by_name[each.above].id in order), None)
            if placed is None:
                names = ", ".join(part.name for part in waiting)
                raise FaceParseError(f"each of these parts lies above another one of them, in a circle: {names}")
            at = order.index(self.by_name[placed.above].id) + 1
            while order[at : at + 1] and self._stands_on(order[at], placed.above):
                at += 1
            order.insert(at, placed.id)
            waiting.remove(placed)
        return tuple(order[1:])

    def _stands_on(self, part: int, name: str) -> bool:
        """Whether an own part lies above the named one, or with own parts alone between them."""
        own = self.layers[part]
        return isinstance(own, OwnPart) and (own.above == name or self._stands_on(self.by_name[own.above].id, name))

    @cached_property
    def paint_order(self) -> tuple[int, ...]:
        """Bottom to top, as the parts of a label map are painted."""
        return tuple(part for part in self.layer_order if part != HAIR_BACK)

    @cached_property
    def on_head(self) -> frozenset[int]:
        return frozenset(part.id for part in self.parts if part.on_head)

    @cached_property
    def own_on_head(self) -> frozenset[int]:
        return frozenset(part.id for part in self.own if part.on_head)

    @cached_property
    def presets(self) -> dict[str, frozenset[int]]:
        own = frozenset(part.id for part in self.own)
        return {
            "face": self.on_head | {HEAD},  # and nothing beside the head
            "contour": frozenset(BY_NAME[name].id for name in _CONTOUR),
            "portrait": frozenset(BY_NAME[name].id for name in _PORTRAIT) | own,
            "all": frozenset(self.layer_order),  # where neck and cloth are drawn, hair can fall behind them
            "own": own,
        }

    def described(self) -> dict[str, dict[str, Any]]:
        """The own parts as `own_parts` reads them, nothing left out; what JSON can hold."""
        return {
            part.name: {"label": part.label, "on_head": part.on_head, "above": part.above, "color": list(part.color)}
            for part in self.own
        }


def own_parts(described: object) -> PartTable:
    """The table with the parts that a model has of its own, by their description: name -> its properties.

    All properties may be missing: `label` (str), `on_head` (bool, true), `above` (the name of the part directly beneath
    it: the glasses, or the hat where it does not lie on the head) and `color` ([red, green, blue]).
    Raises FaceParseError, one line.
    """
    if not isinstance(described, Mapping):
        raise FaceParseError('own parts are an object, {"sticker": {"on_head": true}}')
    if len(described) > MOST_OWN:
        raise FaceParseError(f"{len(described)} own parts are too many; a model has at most {MOST_OWN}")
    names = list(described)
    for name in names:
        good = isinstance(name, str) and len(name) <= _LONGEST_NAME and _OWN_NAME.fullmatch(name)
        if not good:
            raise FaceParseError(
                f"{quoted(name)} is no name for a part: lower-case words with hyphens between, each beginning with a "
                f"letter, at most {_LONGEST_NAME} characters"
            )
        if name in _TAKEN or _TAKEN_TOO.fullmatch(name):
            raise FaceParseError(f"an own part cannot be called {quoted(name)}: something else is; choose another name")
        if name.endswith(("-left", "-right")):  # photos are mirrored, in training and after it
            raise FaceParseError(f"own parts have no sides: make {quoted(name)} and its other side one part")
    table = PartTable(tuple(_own_part(k, name, described[name], names) for k, name in enumerate(names)))
    order = table.layer_order
    for part in table.own:
        if part.on_head and order.index(part.id) < order.index(HEAD):
            raise FaceParseError(f"{part.name} lies on the head and so above it, not above {part.above} beneath it")
    return table


def _own_part(index: int, name: str, given: object, names: list[str]) -> OwnPart:
    if not isinstance(given, Mapping):
        raise FaceParseError(f"{name} has to be an object of label, on_head, above and color, or of none of them: {{}}")
    if unknown := [word for word in given if word not in ("label", "on_head", "above", "color")]:
        raise FaceParseError(f"{name} has no property {quoted(unknown[0])}; there are label, on_head, above and color")
    label, on_head = given.get("label", name.replace("-", " ").capitalize()), given.get("on_head", True)
    text = label.strip() if isinstance(label, str) else ""
    if not 0 < len(text) <= _LONGEST_LABEL or printable(text) != text:
        raise FaceParseError(f"the label of {name} is no text of 1 to {_LONGEST_LABEL} characters on one line")
    if not isinstance(on_head, bool):
        raise FaceParseError(f"on_head of {name} is neither true nor false")
    above = given.get("above", "glasses" if on_head else "hat")
    if not isinstance(above, str) or above not in (*BY_NAME, *names):
        raise FaceParseError(f"{name} lies above {quoted(above)}, which is no part; choose from: {', '.join(BY_NAME)}")
    color = given.get("color", list(_OWN_COLORS[index]))
    if not (isinstance(color, list) and len(color) == 3 and all(type(c) is int and 0 <= c <= 255 for c in color)):
        raise FaceParseError(f"the color of {name} is not [red, green, blue], each a whole number from 0 to 255")
    return OwnPart(OWN + index, name, text, on_head, (color[0], color[1], color[2]), _OWN_COLORS[index], above=above)


STANDARD = PartTable()  #: without parts of a model's own
PRESETS = STANDARD.presets

# what is asked for ----------------------------------------------------------------------------------------------------


def select_parts(names: str | Iterable[str], derived: bool = True, table: PartTable = STANDARD) -> frozenset[int]:
    """Part ids that a preset's name or a list of parts (`"hair,head"`) asks for; `"eye"` is both eyes.

    derived  whether presets hold the layers, too, that are made out of other parts (`hair-back`); a label map that
             somebody painted is drawn as it is, a layer an id, unless they are asked for by name

    Presets and parts may be mixed. Raises FaceParseError on an unknown or empty list.
    """
    words = names.split(",") if isinstance(names, str) else list(names)
    wanted: set[int] = set()
    for word in (word.strip() for word in words):
        if word in table.presets:
            wanted |= table.presets[word] if derived else table.presets[word] & frozenset(table.paint_order)
        elif word in table.by_name and table.by_name[word].id in table.layer_order:
            wanted.add(table.by_name[word].id)
        elif word in BOTH:
            wanted |= BOTH[word]
        else:
            known = ", ".join([*table.presets, *BOTH, *(table.layers[i].name for i in table.layer_order)])
            raise FaceParseError(f"unknown part {quoted(word)}; choose from: {known}")
    if not words:
        raise FaceParseError("no part is named; `portrait` is what is drawn as a rule, `all` everything")
    if not wanted:
        raise FaceParseError("no own parts are known: they are those of a model with a NAME.parts.json beside it")
    return frozenset(wanted)


def select_labels(names: str | Iterable[str], table: PartTable = STANDARD) -> frozenset[int]:
    """As `select_parts`, but the ids that a label map can hold: what of the hair falls behind is hair there.

    Raises FaceParseError where that part of the hair alone is asked for.
    """
    wanted = select_parts(names, table=table)
    if HAIR_BACK in wanted and HAIR not in wanted:
        name, hair = LAYERS[HAIR_BACK].name, LAYERS[HAIR].name
        raise FaceParseError(f"{name} is a layer of drawings; in a label map all of it is {hair}: ask for {hair}")
    return wanted - {HAIR_BACK}
