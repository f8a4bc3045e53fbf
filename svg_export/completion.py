"""What an upper part hides of a lower one, as an illustrator would draw it.

Where a part's outline goes under, `proposals` says how it might go on to where it comes out again; here that becomes a
hidden line, or not.

A proposal that is hidden wherever it goes is united with the part, and the outline of both is the new hidden line. One
that is not is held to what is hidden: of large parts what lies well within the parts painted later is kept of it. Ears,
eyes and brows would lose their shape so, they stay as they were (`underlap`). So nothing comes into sight.

Limits. What is hidden bounds the skull: beneath thin hair or a tight hat it follows their outline. Where a proposal
would go around a hole in the hair, through which the page is seen, smaller ones are tried, then none. Pieces are looked
at one by one (`bridges` joins them afterwards). Curves are fitted to a tolerance: among specks and slivers a pixel or
two may change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
import shapely

from svg_export.curves import Floats, Lines, smooth, travelled
from svg_export.geometry import cut_ends, distance, meets, near, valid
from svg_export.hidden import Hidden
from svg_export.proposals import TEMPLATES, Gap, Plan, propose


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
    proposals = propose(plan, gap, space.ground)
    manner = _Manner(step, 3.0, space.margin, 0.8 * space.margin)
    rim, strip = partial(_rim, gap, space), partial(_strip, laid, gap)
    if feature and proposals:
        step = max(1.0, 0.02 * float(np.hypot(*np.ptp(proposals[0], axis=0))))
        manner = _Manner(step, 1.0, space.underlap, 0.5 * step)
    for line in proposals:
        if not _is_hidden(line, gap, space, manner.margin):
            continue
        whole = space.part.union(_region(line, gap))
        if feature and not _is_likely(whole, plan, space):
            return None
        deep = _depth(line, gap, space) >= 1.0 and not meets(line, gap.border)
        found = _deepest(whole, [_nothing, strip] if deep else [rim, strip], gap, space, manner)
        if found and feature and not deep and _depth(found.line, gap, space) < 1.0:
            return None  # an ear beneath a thin cover would come out dented
        if found:
            return found
        break  # it is not the proposal that does not go
    return None if feature or not proposals else _clipped(proposals, gap, laid, space, manner)


def _deepest(
    whole: shapely.Geometry,
    wider: list[Callable[[], shapely.Geometry]],
    gap: Gap,
    space: Space,
    manner: _Manner,
    allowed: shapely.Geometry | None = None,
) -> Hidden | None:
    """The outline of `whole` and the first of what may be added that lies deep enough, or else of the deepest.

    Where all are so shallow that the page might shine through, that with the last, which was to help: a whole head is
    worth it. None where that is none.
    """
    found, best, deepest = None, None, _SHALLOW / space.underlap
    for more in wider:
        found = _outlined(whole if more is _nothing else whole.union(more()), gap, space, manner, allowed)
        depth = _depth(found.line, gap, space) if found else 0.0
        if depth > deepest:
            best, deepest = found, depth
        if depth >= 1.0:
            break
    return best or found


def _clipped(
    proposals: list[Floats], gap: Gap, laid: Callable[[], tuple[Floats, Floats]], space: Space, manner: _Manner
) -> Hidden | None:
    """What of a proposal is hidden, of that which is hidden best."""
    space, allowed = _cut_out(space, np.concatenate([*proposals, gap.border]))
    safe = _safe(gap, space, allowed)
    part = space.part.union(_rim(gap, space).intersection(safe))
    strip = cache(lambda: _strip(laid, gap).intersection(allowed))
    shapes = [valid(shapely.Polygon(proposal)) for proposal in proposals]
    for shape in _by_fit(shapes, part.union(safe)) if len(shapes) > 1 else shapes:
        whole = part.union(shape.intersection(safe))
        found = _deepest(whole, [_nothing, strip], gap, space, manner, allowed)
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


# what of it is hidden ----------------------------------------------------------------------------------------------

_nothing = shapely.Polygon  # an empty one
_ENOUGH = 0.9  # of the underlap: so deep a hidden line may do
_SHALLOW = 0.7  # px: what is less deep lets the page shine through
_RISE = 0.3  # how fast it gets there from a gap's ends
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


def _depth(line: Floats, gap: Gap, space: Space) -> float:
    """How far beneath the upper parts a hidden line runs, of what keeps the page from shining through: 1 is enough."""
    from_end = np.minimum(*(np.hypot(*(line - end).T) for end in line[[0, -1]]))
    wanted = np.minimum(_ENOUGH * space.underlap, _RISE * from_end)
    return float((distance(line, gap.border[::2]) / np.maximum(wanted, 1e-9))[1:-1].min(initial=1.0))


def _rim(gap: Gap, space: Space) -> shapely.Geometry:
    """A little around a gap's border, less towards its ends."""
    inner = cut_ends(gap.sides, 1.5 * space.rim)
    line = inner if len(inner) > 1 and not gap.closed else gap.sides
    return shapely.LineString(line).simplify(0.3).buffer(space.rim, quad_segs=4)


def _strip(laid: Callable[[], tuple[Floats, Floats]], gap: Gap) -> shapely.Geometry:
    """What lies between a gap's border and the hidden line a little beneath the upper parts."""
    return _region(laid()[0], gap)


def _region(line: Floats, gap: Gap) -> shapely.Geometry:
    """What lies between a gap's border and a line beneath it."""
    return valid(shapely.Polygon(around(line, gap)))


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
        points = smooth(Lines.one(points, gap.closed), sigma)
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
    danger = near(np.concatenate([space.danger, gap.seen, *space.others]), line, margin)
    room = np.full(len(line), margin)
    if not gap.closed:
        from_end = np.minimum(*(np.hypot(*(line - end).T) for end in gap.border[[0, -1]]))
        room = np.minimum(margin, _SLOPE * from_end)
    if (distance(line, danger[::2]) < room - 0.3).any():
        return False
    region = shapely.Polygon(around(line, gap))
    within = danger[shapely.contains_xy(region, danger)]
    return not len(within) or bool((shapely.distance(shapely.points(within), region.boundary) < 1.0).all())


_LARGEST = 2.5  # of what is seen: nothing more is made up
_EGG = 0.92  # of its convex hull: an ear that came out with more dents is none


def _is_likely(whole: shapely.Geometry, plan: Plan, space: Space) -> bool:
    """Whether enough of it is seen, and it came out as smooth as it should."""
    if plan.kind == "ear" and whole.area < _EGG * whole.convex_hull.area:
        return False
    return bool(1.1 < whole.area / space.part.area < _LARGEST)
