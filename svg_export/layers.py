"""Label map (and scores, and photo, where given) -> layers. One pure path; `trace_map` is the whole of it.

In five steps, each linear in the length of the borders but for one comparison a pixel:

1. Planar map (`trace`, `specks`): every border between two parts is found once, as an arc of cracks between pixels
   from junction to junction; pieces too small or too thin to be meant go to their neighbours.
2. Smooth borders (`strokes`, `junctions`, `placement`, `curves`, `subpixel`): arcs that go straight on through a
   junction are one line; staircases are smoothed by the width of the part, corners kept; with evidence, borders move to
   where the parser's scores are equal and settle on the photo's own edges. `policy` says how, part by part.
3. Layout (`layout`, `underlap`, `proposals`, `completion`, `bridges`, `hair`): paint order; what of each outline shows,
   and how it goes on beneath what is painted later: a little, or as the whole head, ear, eye that it is.
4. Curves (`fitting`, `polish`, `stitch`, `outlines`, `budget`): as few cubic Beziers as the tolerance allows, chosen
   over the whole line; nodes moved to where they fit best; both sides of a border share its curve.
5. Check (`crossings`): the outlines, put together and rounded, are looked at; what crosses is fitted
   again more tightly, around the crossing.

Three ways for neighbours to meet, `joins`:

underlap  (default) each part shows its outline where it lies above its neighbour, and reaches a little beneath the
          parts painted later, so that no page shines through. The head is solid beneath what it carries, and with
          `complete` a whole head beneath hair and hat; so are the neck beneath the head, and ears, eyes and brows
          beneath hair, hat and glasses (`completion`); features that a lock of hair cuts in two are one (`bridges`).
          Hair that falls behind the neck is a layer of its own (`hair`).
stacked   each layer also fills everything painted after it, edge under edge, like stacked sheets of paper.
cutout    the shapes abut exactly and share their curves: nothing lies beneath anything.

Limits. Two pieces of one part may overlap beneath what hides them. A mirrored map gives the mirrored drawing within the
tolerance, but not the same nodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from faceparse_core.arrays import distinct, looked_up
from faceparse_core.errors import LabelMapError, SettingsError
from faceparse_core.parts import (
    BACKGROUND,
    BY_NAME,
    FACE,
    HAIR_BACK,
    HEAD,
    OWN,
    PAINT_ORDER,
    PARTS,
    STANDARD,
    PartTable,
    Rgb,
)
from svg_export.hair import hair_behind
from svg_export.layout import Joins, Lengths
from svg_export.outlines import Edge, Outline, draw_outlines
from svg_export.policy import Policy, policies
from svg_export.proportions import Proportions, measure
from svg_export.proposals import Kind, Plan
from svg_export.shapes import Layer, Line, Ring, Shape
from svg_export.specks import absorb
from svg_export.stitch import Stitched
from svg_export.subpixel import Evidence, Settler
from svg_export.trace import BACKGROUND_RANK, planar_map

Curves = Literal["bezier", "polygon"]


@dataclass(frozen=True)
class Traced:
    """What a label map becomes."""

    layers: tuple[Layer, ...]  #: bottom to top
    lines: tuple[Line, ...]  #: every border between two parts, or a part and the background, once; in paint order
    head_size: float  #: px, what lengths are relative to
    curves: Stitched | None = None  #: what layers and lines were made of
    crossings: int = 0  #: places where outlines cross and could not be helped

    @property
    def nodes(self) -> int:
        """Of all layers together; lines are the layers' own borders."""
        return sum(len(ring.lines) for layer in self.layers for shape in layer.shapes for ring in shape.rings)

    @property
    def error(self) -> float:
        """px: the farthest that a part's smoothed border lies from its curve."""
        return self.curves.error() if self.curves else 0.0


@dataclass(frozen=True)
class TraceSettings:
    """How borders become curves. Lengths are fractions of the head's size (the height of the face)."""

    tolerance: float = 0.0019  #: 0.5 px of a 260 px head: how far a curve may stray from the smoothed border
    drift: float = 1.5  #: tolerances: how far from the pixels' own border, smoothing and fitting together
    smoothing: float = 0.0055  #: 1.4 px: sigma of the Gaussian along the border
    corner: float | None = None  #: degrees: what turns more within `corner_reach` stays a corner; None: by the part
    corner_reach: float = 0.018  #: 4.7 px
    joins: Joins = "underlap"
    underlap: float = 0.0065  #: 1.7 px: how far a part reaches beneath a later one at least, where there is room
    hidden_reach: float = 0.025  #: 6.5 px: how far at most; the more, the simpler the hidden outlines
    complete: bool = True  #: (underlap) what is hidden of head, neck, ears, eyes and brows is drawn
    speck: float = 0.00006  #: of the head's size squared, 4 px: smaller pieces go to their neighbours ...
    sliver: float = 0.006  #: 1.6 px: ... and so do thinner ones, of parts that are broad by nature
    #: px of the picture: how far a curve may stray, instead of `tolerance`. 0, with polygons: the pixels' own border
    tolerance_px: float | None = None
    curves: Curves = "bezier"  #: smooth curves, or straight lines alone
    max_nodes: int | None = None  #: of the whole drawing; where there would be more, the tolerance is raised
    decimals: int = 2  #: coordinates are rounded to this many; `export.draw` takes no more than the file has

    def __post_init__(self) -> None:
        """Raises SettingsError."""
        if not (0 < self.tolerance < math.inf and 0 <= (self.tolerance_px or 0) < math.inf):
            raise SettingsError(f"no curve can stay within {self.tolerance} of the head, {self.tolerance_px} px")
        if self.tolerance_px == 0 and self.curves != "polygon":
            raise SettingsError("a tolerance of 0 px follows the pixels' own borders: it goes with curves='polygon'")
        if self.max_nodes is not None and self.max_nodes < 1:
            raise SettingsError(f"a drawing has 1 node or more, not {self.max_nodes}")
        if self.tolerance_px == 0 and self.max_nodes is not None:
            raise SettingsError("a budget of nodes raises the tolerance: it does not go with one of 0 px")
        for word, words in ((self.joins, get_args(Joins)), (self.curves, get_args(Curves))):
            if word not in words:
                raise SettingsError(f"{word!r} is none of {', '.join(words)}")


#: Name of a part, how it is completed, and beneath which parts.
_COMPLETED: tuple[tuple[str, Kind, tuple[str, ...]], ...] = (
    ("head", "head", ("hair", "hat", "glasses")),
    ("neck", "neck", ("head", "beard", "hair")),
    ("hair-back", "hair-back", ("cloth", "neck", "head", "hair")),
    *((f"ear-{side}", "ear", ("hair", "hat")) for side in ("left", "right")),
    *((f"eye-{side}", "eye", ("glasses", "hair", "hat")) for side in ("left", "right")),
    *((f"brow-{side}", "brow", ("glasses", "hair", "hat")) for side in ("left", "right")),
)
#: What hides a part in stripes, and the parts that are one shape beneath it: they are never in two pieces by nature.
_STRIPES = ("glasses", "hair", "hat")
_BRIDGED = (
    *(f"{name}-{side}" for name in ("eye", "brow") for side in ("left", "right")),
    *("lip-upper", "lip-lower", "mouth", "nose", "glasses", "necklace"),
)
EVERY_PART = frozenset(PAINT_ORDER)  #: of a label map; HAIR_BACK is made where it is asked for

#: px. Tolerance and smoothing are in proportion to heads up to this size; beyond, they grow with the square root only:
#: larger pictures are looked at more closely, and the stairs in their borders are one pixel high all the same.
_USUAL_HEAD = 330.0

_SHARP = 0.6  #: px: of no use is a drift that tells the pixels' stairs from the smooth border


def build_layers(
    labels: NDArray[np.uint8],
    colors: Mapping[int, Rgb],
    parts: frozenset[int] = EVERY_PART,
    settings: TraceSettings = TraceSettings(),
    head_size: float | None = None,
) -> tuple[Layer, ...]:
    """The layers of a label map, bottom to top: `trace_map` without the lines."""
    return trace_map(labels, colors, parts, settings, head_size).layers


def trace_map(
    labels: NDArray[np.uint8],
    colors: Mapping[int, Rgb],
    parts: frozenset[int] = EVERY_PART,
    settings: TraceSettings = TraceSettings(),
    head_size: float | None = None,
    evidence: Evidence | None = None,
    table: PartTable = STANDARD,
) -> Traced:
    """The layers of a label map, and the lines between them.

    labels     uint8 (H, W) of part ids
    colors     part id -> fill; the table's colour where there is none
    parts      ids to draw; of the others, what lies on the head becomes head, the rest background
    head_size  height of the face in px; None: that of the face in `labels`
    evidence   what moves borders to where they really lie: scores and photo; without, the label map is all there is
    table      with the parts that the label map's model has of its own

    Coordinates are px of the label map, origin top left. The same input gives the same numbers. Raises LabelMapError.
    """
    _check(labels, table)
    if evidence and evidence.rgb is not None and evidence.rgb.shape[:2] != labels.shape:
        raise LabelMapError(f"the photo is {evidence.rgb.shape[:2]} px, the label map {labels.shape}: they must agree")
    if not labels.any():
        return Traced((), (), 0.0)
    rank_of = _rank_of(table)
    shown = _ranks(parts, table)
    ranks = looked_up(shown, labels)
    plain = _without_own(labels, table)
    size = head_size or _head_size(plain)
    face = measure(plain, size)
    behind = hair_behind(plain, face) if HAIR_BACK in parts else None
    if behind is not None:
        ranks[behind] = rank_of[HAIR_BACK]
    rows = policies(table)
    broad = frozenset(rank_of.get(part, BACKGROUND_RANK) for part, policy in rows.items() if policy.broad)
    arcs = absorb(ranks, planar_map(ranks), settings.speck * size**2, settings.sliver * size, broad)
    if not len(arcs):
        return Traced((), (), size)
    carried = frozenset(rank_of[part] for part, policy in rows.items() if policy.carried)

    def by_rank(column: Callable[[Policy], float]) -> NDArray[np.float64]:
        """A column of the table of policies, (256,) by rank."""
        values = np.zeros(256)
        for part, policy in rows.items():
            values[rank_of.get(part, BACKGROUND_RANK)] = column(policy)
        return values

    calm = min(size, math.sqrt(size * _USUAL_HEAD))
    lengths = Lengths(
        tolerance=settings.tolerance * calm,
        drift=settings.drift * max(settings.tolerance * calm, _SHARP),
        slack=1.0 if settings.tolerance_px is None else settings.tolerance_px / (settings.tolerance * calm),
        smoothing=settings.smoothing * calm,
        smoothing_by=by_rank(lambda policy: policy.smoothing),
        corner=np.radians(by_rank(lambda policy: policy.corner if settings.corner is None else settings.corner)),
        corner_reach=settings.corner_reach * size,
        underlap=settings.underlap * size,
        hidden_reach=settings.hidden_reach * size,
        spacing=0.012 * size,  # 3 px of a 260 px head
        heading=0.03 * size,
        margin=0.02 * size,
        polygon=settings.curves == "polygon",
        decimals=settings.decimals,
    )
    whole = settings.complete and settings.joins == "underlap"
    completed = _completions(face, table) if whole else {}
    bridged = _bridged(table) if whole else {}
    frame = (labels.shape[1], labels.shape[0])
    settle = None
    if evidence and settings.tolerance_px != 0:  # there the pixels' own borders are asked for
        reach = size * by_rank(lambda policy: policy.photo_reach)
        settle = Settler(evidence, ranks, shown, reach, by_rank(lambda policy: policy.calm) > 0, size)
    drawn = draw_outlines(
        arcs, lengths, settings.joins, frame, rank_of[HEAD], carried, completed, bridged, settings.max_nodes, settle
    )
    shapes = drawn.shapes
    layers = tuple(
        Layer(part, tuple(_shape(rings) for rings in shapes[rank]), colors.get(part, table.layers[part].color))
        for part, rank in rank_of.items()
        if shapes.get(rank)
    )
    return Traced(layers, tuple(_line(edge) for edge in drawn.edges), size, drawn.curves, drawn.crossings)


def _completions(face: Proportions | None, table: PartTable) -> dict[int, Plan]:
    """Rank -> how what is hidden of the part is completed: beneath own parts that are painted above it, too.

    (But the head is solid beneath what lies on it.)
    """
    rank_of = _rank_of(table)
    plans = {}
    for name, kind, covers in _COMPLETED:
        part = BY_NAME[name]
        beneath = {rank_of[BY_NAME[cover].id] for cover in covers}
        beneath |= {rank_of[own.id] for own in table.own if kind != "head" or not own.on_head}
        upper = frozenset(rank for rank in beneath if rank > rank_of[part.id])
        plans[rank_of[part.id]] = Plan(kind, upper, face, part.side == "left")
    return plans


def _bridged(table: PartTable) -> dict[int, frozenset[int]]:
    """Rank -> the ranks beneath which pieces of the part are joined."""
    rank_of = _rank_of(table)
    stripes = frozenset(rank_of[BY_NAME[name].id] for name in _STRIPES)
    return dict.fromkeys((rank_of[BY_NAME[name].id] for name in _BRIDGED), stripes)


def _shape(rings: list[Outline]) -> Shape:
    return Shape(tuple(Ring(ring.control[:, :3].reshape(-1, 2), ring.straight) for ring in rings))


def _line(edge: Edge) -> Line:
    return Line(np.concatenate([edge.control[:, :3].reshape(-1, 2), edge.control[-1:, 3]]), edge.closed)


def _check(labels: NDArray[np.uint8], table: PartTable) -> None:
    if not isinstance(labels, np.ndarray) or labels.ndim != 2 or labels.dtype != np.uint8:
        what = f"{labels.dtype} {labels.shape}" if isinstance(labels, np.ndarray) else type(labels).__name__
        raise LabelMapError(f"a label map is uint8 (height, width), one part id a pixel; this is {what}")
    known = [part.id for part in table.parts]
    strange = np.ones(256, np.uint8)
    strange[known] = 0
    if labels.size and looked_up(strange, labels).any():
        unknown = sorted({*distinct(labels).tolist()} - {*known})
        own = f", {known[len(PARTS)]} to {known[-1]}" if table.own else ""
        raise LabelMapError(
            f"the label map has unknown part ids {unknown}; known are 0 to {len(PARTS) - 1}{own}"
            + ("; from 240 on they are a model's own: give its table" if unknown[-1] >= OWN and not own else "")
        )


def _without_own(labels: NDArray[np.uint8], table: PartTable) -> NDArray[np.uint8]:
    """The label map as it is without own parts: those on the head are head, the others stay what nobody knows."""
    if not table.own_on_head:
        return labels
    plain = np.arange(256, dtype=np.uint8)
    plain[list(table.own_on_head)] = HEAD
    return looked_up(plain, labels)


@cache
def _rank_of(table: PartTable) -> dict[int, int]:
    """Part id -> place in the paint order, bottom to top from 1 on."""
    return {part: rank for rank, part in enumerate(table.layer_order, 1)}


def shown_parts(parts: frozenset[int], table: PartTable = STANDARD) -> NDArray[np.uint8]:
    """Part id -> the part in whose layer it is drawn, uint8 (256,): its own, the head's, or none (background)."""
    by_rank = np.array([BACKGROUND, *table.layer_order], np.uint8)
    return by_rank[_ranks(parts, table)]


def _ranks(parts: frozenset[int], table: PartTable) -> NDArray[np.uint8]:
    """Part id -> rank in the paint order, uint8 (256,), of parts that are not drawn that of what shows instead."""
    ranks, rank_of = np.zeros(256, np.uint8), _rank_of(table)
    for part in table.layer_order:
        shown = part if part in parts else HEAD if table.layers[part].on_head and HEAD in parts else BACKGROUND
        ranks[part] = rank_of.get(shown, 0)
    return ranks


def _head_size(labels: NDArray[np.uint8]) -> float:
    """Height of the face in the label map, px; where there is none, half of what there is."""
    is_face = np.zeros(256, np.uint8)
    is_face[list(FACE)] = 1
    rows = np.flatnonzero(looked_up(is_face, labels).any(axis=1))
    if len(rows):
        return float(rows[-1] - rows[0] + 1)
    rows = np.flatnonzero(labels.any(axis=1))
    return float(rows[-1] - rows[0] + 1) / 2
