"""What an upper part hides of a lower one, as an illustrator would draw it.

A hidden outline runs from where a part's outline goes under to where it comes out again, a **gap**. In between it is
proposed as a curve that goes on as the visible outline does at both ends: of a head as a cranium in the proportions of
the face, or, where it does not lead over the top, as a plain bridge; of a neck as a column; of hair that falls behind
the neck as an arch behind it; of an ear, an eye or a brow as it usually looks, fitted to what is seen (`templates`).

A proposal that is hidden wherever it goes is united with the part, and the outline of both is the new hidden line. One
that is not is held to what is hidden: of large parts what lies well within the parts painted later is kept of it. Ears,
eyes and brows would lose their shape so, they stay as they were (`underlap`). So nothing comes into sight.

Limits. What is hidden bounds the skull: beneath thin hair or a tight hat it follows their outline. Where a proposal
would go around a hole in the hair, through which the page is seen, smaller ones are tried, then none. Pieces are looked
at one by one (`bridges` joins them afterwards). Curves are fitted to a tolerance: among specks and slivers a pixel or
two may change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import shapely

from svg_export.beziers import flatten, straight
from svg_export.curves import Floats, Lines, smooth, travelled, unit
from svg_export.proportions import Proportions
from svg_export.stitch import Hidden
from svg_export.templates import BROW, EAR, EYE, Template, fit_template
from svg_export.underlap import cut_ends, distance, meets, near

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


@dataclass(frozen=True)
class Space:
    """Where the part may be."""

    part: shapely.Polygon  #: the part itself, to its visible border
    allowed: Callable[[], shapely.Geometry]  #: the part, and what is painted later
    danger: Floats  #: (k, 2) points of outlines beside which nothing of the part may show
    others: list[Floats]  #: the part's other hidden borders and completed lines, points (m, 2) each
    underlap: float  #: px: the least that the part reaches beneath the upper ones
    margin: float  #: px to keep from danger, but for the gap's ends
    clear: float  #: px to keep from `others`
    rim: float  #: px that the part reaches beneath the upper ones where there is room and nothing better proposed
    frame: tuple[float, float]  #: px: width and height of the picture
    ground: Callable[[], shapely.Geometry] | None  #: what lies on the head keeps to this: the head, completed


@dataclass(frozen=True)
class _Manner:
    """How closely the outline of a completed part is followed, px."""

    step: float  # between two points
    sigma: float  # steps: of the Gaussian along the line
    margin: float  # to keep from danger
    stray: float  # of the curve from the line at most


def complete(
    plan: Plan, gap: Gap, laid: Callable[[], tuple[Floats, Floats]], space: Space, step: float
) -> Hidden | None:
    """The completed hidden line; None where there is nothing to complete.

    laid   gives the hidden line that lies a little beneath the upper parts, points (m, 2), and its tolerance
    step   px between two points of a large part, less where it must be
    """
    feature = plan.kind in TEMPLATES
    if gap.closed and not feature:
        return None
    if gap.closed and plan.kind in ("eye", "brow"):  # seen whole, through a lens: as it is, with its corners
        whole = space.part.buffer(1.3 * space.underlap, join_style="mitre", mitre_limit=2.5)
        return _outlined(whole, gap, space, _Manner(1.0, 1.0, space.underlap, 0.5))
    proposals = list(_likeness(plan, gap, space) if feature else _PROPOSE[plan.kind](gap, plan.face))
    manner = _Manner(step, 3.0, space.margin, 0.8 * space.margin)
    if feature and proposals:
        step = max(1.0, 0.02 * float(np.hypot(*np.ptp(proposals[0], axis=0))))
        manner = _Manner(step, 1.0, space.underlap, 0.5 * step)
    for line in proposals:
        if not _is_hidden(line, gap, space, manner.margin):
            continue
        whole = space.part.union(_region(line, gap))
        if feature and not _is_likely(whole, plan, space):
            return None
        found: Hidden | None = None
        if _is_shallow(line, gap, space) or meets(line, gap.border):  # the upper part is thin there
            found = _outlined(whole.union(_rim(gap, space)), gap, space, manner)
            if found is None or _is_shallow(found.line, gap, space):
                found, whole = None, whole.union(_region(laid()[0], gap))
        found = found or _outlined(whole, gap, space, manner)
        if found:
            return found
        break  # it is not the proposal that does not go
    return None if feature or not proposals else _clipped(proposals, gap, laid, space, manner)


def _clipped(
    proposals: list[Floats], gap: Gap, laid: Callable[[], tuple[Floats, Floats]], space: Space, manner: _Manner
) -> Hidden | None:
    """What of a proposal is hidden, of that which is hidden best."""
    space, allowed = _cut_out(space, np.concatenate([*proposals, gap.border]))
    safe = _safe(gap, space, allowed)
    part = space.part.union(_rim(gap, space).intersection(safe))
    strip: shapely.Geometry | None = None
    shapes = [valid(shapely.Polygon(proposal)) for proposal in proposals]
    for shape in _by_fit(shapes, part.union(safe)) if len(shapes) > 1 else shapes:
        whole = part.union(shape.intersection(safe))
        found = _outlined(whole, gap, space, manner, allowed)
        if found is None or _is_shallow(found.line, gap, space):
            strip = strip or _region(laid()[0], gap).intersection(allowed)
            found = _outlined(whole.union(strip), gap, space, manner, allowed)
        if found:
            return found
    return None


def _by_fit(shapes: list[shapely.Geometry], home: shapely.Geometry) -> list[shapely.Geometry]:
    """The shapes, first that which `home` holds best; of those that it holds alike (to a percent) the earlier."""
    lost: list[int] = []
    for shape in shapes:
        lost.append(int(100 * (1 - shape.intersection(home).area / max(shape.area, 1e-9))))
        if not lost[-1]:
            break
    return [shapes[at] for at in np.argsort(lost, kind="stable").tolist()]


# what is proposed --------------------------------------------------------------------------------------------------

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


# what of it is hidden ----------------------------------------------------------------------------------------------

_SLOPE = 0.35  # how fast the distance to danger grows from a gap's ends, where outlines part at an angle


def _cut_out(space: Space, points: Floats) -> tuple[Space, shapely.Geometry]:
    """What of a space is near some points, and of where the part may be: all that follows is faster so."""
    wide = 2 * space.margin
    low, high = points.min(axis=0) - wide, points.max(axis=0) + wide
    danger = near(space.danger, points, wide)
    return replace(space, danger=danger), shapely.clip_by_rect(space.allowed(), *low, *high)


def _safe(gap: Gap, space: Space, allowed: shapely.Geometry) -> shapely.Geometry:
    """Where a proposal is well hidden: `margin` from danger, less towards the gap's ends."""
    pieces = [allowed.buffer(-space.margin, quad_segs=2)]
    reach = space.margin / _SLOPE
    for end in gap.border[[0, -1]]:
        away = np.hypot(*(space.danger - end).T)
        # each point with its circle, the larger the fewer of them
        close = (away < 1.2 * reach) & (np.arange(len(away)) % np.maximum(_SLOPE * away, 1).astype(np.int64) == 0)
        circles = shapely.buffer(shapely.points(space.danger[close]), _SLOPE * away[close], quad_segs=2)
        disk = shapely.Point(end).buffer(reach, quad_segs=4)
        pieces.append(disk.intersection(allowed).difference(shapely.union_all(circles)))
    safe = shapely.union_all(pieces)
    if space.others:
        safe = safe.difference(
            shapely.union_all([shapely.LineString(each).buffer(space.clear) for each in space.others])
        )
    return safe


def _is_shallow(line: Floats, gap: Gap, space: Space) -> bool:
    """Whether a hidden line runs so close to the border that the page might shine through between two parts."""
    from_end = np.minimum(*(np.hypot(*(line - end).T) for end in line[[0, -1]]))
    return bool((distance(line, gap.border[::2]) < np.minimum(0.9 * space.underlap, 0.3 * from_end)).any())


def _rim(gap: Gap, space: Space) -> shapely.Geometry:
    """A little around a gap's border, less towards its ends."""
    inner = cut_ends(gap.sides, 1.5 * space.rim)
    line = inner if len(inner) > 1 and not gap.closed else gap.sides
    return shapely.LineString(line).simplify(0.3).buffer(space.rim, quad_segs=4)


def _region(line: Floats, gap: Gap) -> shapely.Geometry:
    """What lies between a gap's border and a line beneath it."""
    return valid(shapely.Polygon(around(line, gap)))


def valid(polygon: shapely.Polygon) -> shapely.Geometry:
    """The polygon, and what is left of it where it crosses itself."""
    return polygon if polygon.is_valid else polygon.buffer(0)


def around(line: Floats, gap: Gap) -> Floats:
    """The outline (n, 2) of what lies between a gap's border and a line beneath it."""
    return line if gap.closed else np.concatenate([line, gap.sides[::-1]])


def _outlined(
    whole: shapely.Geometry, gap: Gap, space: Space, manner: _Manner, allowed: shapely.Geometry | None = None
) -> Hidden | None:
    """The hidden part of the outline of `whole`; None where that does not go, or is next to nothing.

    allowed  where it may be, if that is known
    """
    if whole.geom_type == "MultiPolygon":
        whole = max(whole.geoms, key=lambda piece: piece.area)
    if whole.geom_type != "Polygon" or whole.area - space.part.area < min(4 * space.margin**2, 0.1 * space.part.area):
        return None
    line = shapely.get_coordinates(shapely.orient_polygons(shapely.Polygon(whole.exterior)).exterior)
    ends = gap.border[[0, -1]]
    if not gap.closed:
        at = [int(np.hypot(*(line[:-1] - end).T).argmin()) for end in ends]
        if any(np.hypot(*(line[index] - end)) > 0.3 for index, end in zip(at, ends, strict=True)):
            return None
        line = np.concatenate([line[:-1], line])[at[0] : at[1] + 1 + (len(line) - 1 if at[1] < at[0] else 0)]
    if len(line) < 3:
        return None
    for fine in (1.0, 0.4):
        points = _sampled(line, fine * manner.step, gap.closed)
        sigma = np.array([min(manner.sigma, len(points) / 6)])
        points = smooth(Lines(points, np.array([0, len(points)]), np.array([gap.closed])), sigma)
        if not gap.closed:
            points[[0, -1]] = ends
        if len(cut_ends(points, 0.7)) < 2 or not shapely.LineString(points).is_simple or meets(points, gap.border):
            continue
        if allowed is not None:
            hidden = _region(points, gap).difference(allowed).area < 0.3
        else:
            hidden = _is_hidden(points, gap, space, 0.5 * space.underlap)
        if hidden:
            tolerance = _tolerance(points, gap, space, manner.stray)
            return Hidden(points, tolerance, gap.closed, gap.border)
    return None


def _sampled(line: Floats, step: float, closed: bool) -> Floats:
    """The same line with a point every `step` px, and more of them near its ends, where there is little room."""
    along = travelled(line)
    if closed:
        at = np.linspace(0.0, along[-1], max(8, round(along[-1] / step)) + 1) % along[-1]
        return np.stack([np.interp(at, along, line[:, axis]) for axis in (0, 1)], axis=1)
    close = np.arange(0.0, min(5 * step, along[-1] / 3), 0.2 * step)
    inner = np.linspace(0.0, along[-1], max(4, round(along[-1] / step)))
    inner = inner[(inner > close[-1]) & (inner < along[-1] - close[-1])]
    at = np.concatenate([close, inner, along[-1] - close[::-1]])
    return np.stack([np.interp(at, along, line[:, axis]) for axis in (0, 1)], axis=1)


_SPARED = 0.6  # of the way to danger: so far a curve may stray


def _tolerance(line: Floats, gap: Gap, space: Space, most: float) -> Floats:
    """How far the curve may stray from each point, px (n,): not to the border, nor to danger."""
    own = distance(line, gap.border[::2])
    danger = near(space.danger[::2], line, most / _SPARED)
    spare = np.minimum(own - np.minimum(space.underlap, 0.6 * own), _SPARED * distance(line, danger))
    return np.clip(spare, 0.1, most)


def _is_hidden(line: Floats, gap: Gap, space: Space, margin: float) -> bool:
    """Whether nothing is seen of a part that reaches to `line`, and that keeps its margin, but for the gap's ends."""
    if not ((line >= 0) & (line <= np.array(space.frame))).all():
        return False
    danger = np.concatenate([near(each, line, margin) for each in (space.danger, gap.seen, *space.others)])
    room = np.full(len(line), margin)
    if not gap.closed:
        from_end = np.minimum(*(np.hypot(*(line - end).T) for end in gap.border[[0, -1]]))
        room = np.minimum(margin, _SLOPE * from_end)
    if (distance(line, danger[::2]) < room - 0.3).any():
        return False
    region = shapely.Polygon(around(line, gap))
    within = danger[shapely.contains_xy(region, danger)]
    return not len(within) or bool((shapely.distance(shapely.points(within), region.boundary) < 1.0).all())


# ears, eyes and brows ----------------------------------------------------------------------------------------------

TEMPLATES: dict[str, Template] = {"ear": EAR, "eye": EYE, "brow": BROW}
_EVENLY = 0.02  # units of the face between two points that a template is fitted to
_LIKE = 0.2  # of its lesser length: how far the outline may lie from the template that stands for it
_LARGEST = 2.5  # of what is seen: nothing more is made up
_EGG = 0.92  # of its convex hull: an ear that came out with more dents is none


def _likeness(plan: Plan, gap: Gap, space: Space) -> Iterator[Floats]:
    """An ear, an eye or a brow: a template goes on where the seen outline goes under."""
    if plan.face is None:
        return
    step = _EVENLY * plan.face.unit
    seen, covered = (plan.face.to_face(_spaced(points, step)) for points in (gap.seen, gap.covered))
    fitted = fit_template(TEMPLATES[plan.kind], plan.left, seen, covered)
    line = _followed(plan.face.to_picture(fitted.ring), gap) if fitted.stray < _LIKE * fitted.width else None
    if line is None:
        return
    if space.ground is None or (shapely.distance(shapely.points(line), space.ground()) < 1.0).all():
        yield line


def _is_likely(whole: shapely.Geometry, plan: Plan, space: Space) -> bool:
    """Whether enough of it is seen, and it came out as smooth as it should."""
    if plan.kind == "ear" and whole.area < _EGG * whole.convex_hull.area:
        return False
    return bool(1.1 < whole.area / space.part.area < _LARGEST)


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
