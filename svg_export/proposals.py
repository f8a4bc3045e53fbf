"""What a hidden outline is proposed to be: a cranium, a bridge, a neck, an arch behind it, an ear, an eye or a brow.

A hidden outline runs from where a part's outline goes under to where it comes out again, a **gap**. A proposal is a
curve that goes on as the visible outline does at both ends: of a head a cranium in the proportions of the face, or,
where it does not lead over the top, a plain bridge; of a neck a column; of hair that falls behind the neck an arch
behind it; of an ear, an eye or a brow the outline that it usually has, fitted to what is seen (`templates`). Whether
it stays hidden is not asked here (`completion`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import shapely

from svg_export.beziers import flatten, straight
from svg_export.curves import Floats, travelled, unit
from svg_export.proportions import Proportions
from svg_export.templates import BROW, EAR, EYE, Template, fit_template

Kind = Literal["head", "neck", "hair-back", "ear", "eye", "brow"]


@dataclass(frozen=True)
class Plan:
    """How the hidden outlines of one part are completed."""

    kind: Kind
    beneath: frozenset[int]  #: ranks of the parts beneath which they are
    face: Proportions | None
    left: bool = False  #: the subject's left one of a pair

    @property
    def stands_for_all(self) -> bool:
        """Whether of a part in pieces the largest is completed for all of them."""
        return self.kind != "hair-back"


@dataclass(frozen=True)
class Gap:
    """A hidden stretch of an outline, which is walked with the part on the right (clockwise on the screen)."""

    border: Floats  #: (n, 2) px: the visible border, from where the outline goes under to where it comes out
    sides: Floats  #: (m, 2) px: the same, as coarse as the outline of `Space.part`, whose points these are
    going: Floats  #: (2,) unit vector: how the visible outline runs before the gap; zero where it is not seen
    coming: Floats  #: (2,) and after it
    seen: Floats  #: (m, 2) px: what is seen of the whole outline
    covered: Floats  #: (k, 2) px: and what is not, this and other gaps
    closed: bool  #: nothing of the outline is seen


TEMPLATES: dict[str, Template] = {"ear": EAR, "eye": EYE, "brow": BROW}
_EVENLY = 0.02  # units of the face between two points that a template is fitted to
_LIKE = 0.2  # of its lesser length: how far the outline may lie from the template that stands for it


def propose(plan: Plan, gap: Gap, ground: Callable[[], shapely.Geometry] | None) -> list[Floats]:
    """Lines (n, 2) from where the outline goes under to where it comes out, to be tried in turn.

    ground  what the part keeps to, if to anything
    """
    if plan.kind in TEMPLATES:
        return list(_likeness(plan, gap, ground))
    return list(_PROPOSE[plan.kind](gap, plan.face))


# of large parts ----------------------------------------------------------------------------------------------------

_UP = np.array([0.0, 1.0])
_QUARTER = 0.5523  # handles of a cubic that is a quarter of an ellipse
_SIZES = (
    (1.0, 1.0),
    (0.93, 0.95),
    (0.86, 0.9),
    (0.78, 0.86),
)  # of the crown's height and the cranium's width, tried in turn
_CROWN = 0.70  # above the brows, in units from brow to chin (0.42 / 0.58 by the book, less as hair is thin on top)
_NECK = -0.5  # how high it reaches: the lower end of the ears
_WIDEST = 0.12  # the cranium is widest this far above the brows


def _cranium(gap: Gap, face: Proportions | None) -> Iterator[Floats]:
    """The head over its top: up the temples, widest above the ears, round over the crown."""
    if face is None:
        return
    border = face.to_face(gap.border)
    start, end = border[0], border[-1]
    if not _leads_over(border, (face.right - face.left) / 2):
        yield from _bridge(gap, face)
        return
    mirror = np.array([-1.0, 1.0])
    going, coming = (np.array([each @ [-face.up[1], face.up[0]], each @ face.up]) for each in (gap.going, gap.coming))
    for height, width in _SIZES:
        crown = np.array([(face.right - face.left) / 2 * width, max(_CROWN * height, border[:, 1].max() + 0.06)])
        # ends far below the widest place say nothing of where the top is
        least, most = (x if y > _WIDEST - 0.5 else side * np.inf for (x, y), side in ((start, -1), (end, 1)))
        crown[0] = np.clip(crown[0], least + 0.1, most - 0.1)
        left = _temple(start, going, face.left * width, crown)
        right = _temple(end * mirror, -coming * mirror, face.right * width, crown * mirror)
        curves = np.concatenate([left, (right * mirror)[::-1, ::-1]])
        yield face.to_picture(flatten(curves, 16))


def _leads_over(border: Floats, middle: float) -> bool:
    """Whether a border (n, 2) in the face's frame, walked clockwise, leads over the face from left to right.

    A strand that falls to the chin may take an end of it to the wrong side.
    """
    x, y = border.T
    steps = np.diff((x > middle).astype(np.int64))
    return bool(x[0] < middle < x[-1] or steps[y[1:] > _NECK].sum() == 1)


def _temple(start: Floats, going: Floats, width: float, crown: Floats) -> Floats:
    """Cubics from where the left outline of a face goes under, to the crown; in the face's frame."""
    if start[1] > _WIDEST - 0.2:
        going = _turned_towards(_UP, going, -20.0, 30.0)
        rise, run = crown[1] - start[1], crown[0] - start[0]
        return _cubic(start, going * _QUARTER * rise, crown, np.array([_QUARTER * run, 0.0]))[None]
    rise = _WIDEST - start[1]
    side = np.array([-np.clip(width, 0.01 - start[0], 0.02 - start[0] + 0.35 * rise**2), _WIDEST])
    reach = 0.4 * float(np.hypot(*(side - start)))
    going = _turned_towards(side - start, going, -45.0, 45.0)
    cheek = _cubic(start, going * reach, side, _UP * reach)
    over = _cubic(side, _UP * _QUARTER * (crown[1] - side[1]), crown, np.array([_QUARTER * (crown[0] - side[0]), 0.0]))
    return np.stack([cheek, over])


def _turned_towards(aim: Floats, heading: Floats, least: float, most: float) -> Floats:
    """A heading, between `least` and `most` degrees clockwise of where it should lead; straight there if it is zero."""
    aim = aim / np.hypot(*aim)
    left = np.array([-aim[1], aim[0]])
    angle = np.degrees(np.arctan2(-(heading @ left), heading @ aim)) if heading.any() else 0.0
    angle = np.radians(np.clip(angle, least, most))
    turned: Floats = np.cos(angle) * aim - np.sin(angle) * left
    return turned


def _cubic(start: Floats, out: Floats, end: Floats, into: Floats) -> Floats:
    """One cubic (4, 2) with the handles `out` at its start and `into` at its end, both pointing along it."""
    return np.stack([start, start + out, end - into, end])


def _bridge(gap: Gap, face: Proportions | None) -> Iterator[Floats]:
    """One curve that goes on as the outline does at both ends, as round as it must be."""
    if not (gap.going.any() and gap.coming.any()):
        return
    start, end = gap.border[0], gap.border[-1]
    handle = float(np.hypot(*(end - start))) * _roundness(gap.going, gap.coming)
    yield flatten(_cubic(start, gap.going * handle, end, gap.coming * handle)[None], 32)


def _roundness(going: Floats, coming: Floats) -> float:
    """The handles of an arc of a circle that turns so, as a share of its chord."""
    turn = np.arctan2(going[0] * coming[1] - going[1] * coming[0], float(going @ coming))
    if turn < -0.5:
        turn += 2 * np.pi  # rather all the way around than hollow
    if turn < 0.3:
        return 1 / 3
    return float(min(4 / 3 * np.tan(turn / 4) / (2 * np.sin(turn / 2)), 0.85))


def _neck(gap: Gap, face: Proportions | None) -> Iterator[Floats]:
    """The column of a neck, up to the ears: its sides go on as they come, and close in a flat arch."""
    if face is None:
        return
    border = face.to_face(gap.border)
    start, end = border[0], border[-1]
    if end[0] - start[0] < 0.2:
        return
    top = np.array([[each[0] + lean, max(_NECK, each[1] + 0.05)] for each, lean in ((start, 0.02), (end, -0.02))])
    left = _cubic(start, 0.5 * (top[0] - start), top[0], 0.3 * (top[0] - start))
    arch = _cubic(top[0], np.array([0.1, 0.2]), top[1], np.array([0.1, -0.2]))
    right = _cubic(top[1], 0.3 * (end - top[1]), end, 0.5 * (end - top[1]))
    yield face.to_picture(flatten(np.stack([left, arch, right]), 16))


def _curtain(gap: Gap, face: Proportions | None) -> Iterator[Floats]:
    """Hair that falls behind one side of the neck goes on to its middle, in an arch, and over the back of the head."""
    if face is None:
        return
    border = face.to_face(gap.border)
    falling = border[0, 1] < border[-1, 1]  # its outer side is walked downwards: it is the one at the right
    side = np.array([1.0 if falling else -1.0, 1.0])
    low, high = (border[[0, -1]] if falling else border[[-1, 0]]) * side
    for middle in _MIDDLES:
        if high[0] < middle + 0.2:
            continue
        inner = np.array([middle, min(low[1] + 0.15, high[1])])
        top = np.array([middle, max(high[1], inner[1]) + 0.4])
        arch = _cubic(low, np.array([(inner[0] - low[0]) / 2, 0.03]), inner, np.array([0.0, 0.08]))
        up = straight(np.stack([inner, top]))[0]
        over = _cubic(top, np.array([_QUARTER * (high[0] - top[0]), 0.0]), high, _QUARTER * (high[1] - top[1]) * _UP)
        line = flatten(np.stack([arch, up, over]), 12) * side
        yield face.to_picture(line if falling else line[::-1])


_MIDDLES = (-0.05, 0.15, 0.3)  # units from the middle of the face, tried in turn

_PROPOSE: dict[str, Callable[[Gap, Proportions | None], Iterator[Floats]]] = {
    "head": _cranium,
    "neck": _neck,
    "hair-back": _curtain,
}


# of ears, eyes and brows ---------------------------------------------------------------------------------------------


def _likeness(plan: Plan, gap: Gap, ground: Callable[[], shapely.Geometry] | None) -> Iterator[Floats]:
    """An ear, an eye or a brow: a template goes on where the seen outline goes under."""
    if plan.face is None:
        return
    step = _EVENLY * plan.face.unit
    seen, covered = (plan.face.to_face(_spaced(points, step)) for points in (gap.seen, gap.covered))
    fitted = fit_template(TEMPLATES[plan.kind], plan.left, seen, covered)
    line = _followed(plan.face.to_picture(fitted.ring), gap) if fitted.stray < _LIKE * fitted.width else None
    if line is None:
        return
    if ground is None or _keeps_to(ground(), line):
        yield line


def _keeps_to(ground: shapely.Geometry, line: Floats) -> bool:
    """Whether no point of a line (n, 2) lies 1 px or more outside."""
    outside = line[~shapely.contains_xy(ground, line)]
    return not len(outside) or bool((shapely.distance(shapely.points(outside), ground) < 1.0).all())


def _followed(ring: Floats, gap: Gap) -> Floats | None:
    """A ring (n, 2) from where the seen outline goes under to where it comes out, led smoothly into both."""
    if gap.closed:
        return np.concatenate([ring, ring[:1]])
    along = unit(np.roll(ring, -1, axis=0) - np.roll(ring, 1, axis=0))
    ends, headings = gap.border[[0, -1]], (gap.going, gap.coming)
    found: list[int] = []
    for end, heading in zip(ends, headings, strict=True):
        same = along @ heading > 0.3 if heading.any() else np.ones(len(ring), np.bool_)
        if not same.any():
            return None
        found.append(int(np.where(same, np.hypot(*(ring - end).T), np.inf).argmin()))
    first, last = found
    if last <= first:
        last += len(ring)
    at = np.arange(first, last + 1) % len(ring)
    if len(at) < 4 or len(at) > 0.9 * len(ring):
        return None
    line, heads = ring[at], along[at]
    way = travelled(line)
    reach = 0.5 * way[-1]
    for end, heading, side in zip(ends, headings, (0, -1), strict=True):
        share = np.clip((way if side == 0 else way[-1] - way) / reach, 0.0, 1.0)[:, None]
        turn = (heading - heads[side]) * (1 if side == 0 else -1) if heading.any() else np.zeros(2)
        shift = end - ring[at[side]]
        line = line + (1 + 2 * share) * (1 - share) ** 2 * shift + reach * share * (1 - share) ** 2 * turn
    return line


def _spaced(points: Floats, step: float) -> Floats:
    """Of points along lines some that lie `step` apart, about."""
    if len(points) < 2:
        return points
    apart = float(np.median(np.hypot(*np.diff(points, axis=0).T)))
    return points[:: max(1, round(step / max(apart, 1e-9)))]
