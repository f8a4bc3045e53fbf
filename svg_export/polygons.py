"""Lines -> straight segments.

Approach. The borders of a picture bound faces that share them, a coverage. `shapely.coverage_simplify` (the corner with
the smallest triangle goes first, as Visvalingam and Whyatt do it) takes corners away from all borders at once, so that
none tears and none crosses another. What is left of each line are its corners; where a line strays further than its
tolerance, its worst point becomes a corner too, until none does (as Douglas and Peucker do it). Hidden outlines, which
bound no face, are done by the second half alone.

Limits. The first half knows one tolerance for the picture, and measures areas: it is a good start, and the second
half keeps the promise.
"""

from __future__ import annotations

import numpy as np
import shapely

from faceparse_core.errors import FaceParseError
from svg_export.curves import Bools, Floats, Ints, Lines
from svg_export.fitting import Fitted

_AREA = 5.0  # tolerances: the side of the square as large as a triangle that may go
_LEAST = 1e-3  # px


def simplified(lines: Lines, tolerance: Floats, borders: list[Floats], shown: int) -> Fitted:
    """Straight segments within `tolerance` (n,) px of the lines' points.

    borders  lines (m, 2) that meet at their ends and bound the faces, made of the lines' points and of the frame's
    shown    how many points, from the first on, are on borders
    """
    kept = _ends(lines)
    simplify = getattr(shapely, "coverage_simplify", None)
    if simplify is None:
        raise FaceParseError(
            f"polygons need shapely 2.1 or later, this is {shapely.__version__}: pip install -U shapely"
        )
    faces = shapely.get_parts(shapely.polygonize([shapely.LineString(_exact(border)) for border in borders]))
    if shown and len(faces):
        coarse = simplify(faces, _AREA * float(np.median(tolerance[:shown])))
        corners = shapely.get_coordinates(coarse).view(np.complex128)
        kept[:shown] |= np.isin(_exact(lines.points[:shown]).view(np.complex128), corners)[:, 0]
    return _segments(lines, _refined(lines, kept, tolerance, np.ones(len(kept), np.bool_)))


def refined(lines: Lines, tolerance: Floats, fitted: Fitted, which: Ints) -> Fitted:
    """The same segments, with more corners in the lines `which`, until they keep to `tolerance` (n,)."""
    kept = _ends(lines)
    kept[fitted.start] = kept[fitted.end] = True
    return _segments(lines, _refined(lines, kept, tolerance, np.isin(lines.line, which)))


def _ends(lines: Lines) -> Bools:
    kept = np.zeros(len(lines.points), np.bool_)
    kept[lines.starts[:-1]] = kept[lines.starts[1:] - 1] = True
    return kept


def _exact(points: Floats) -> Floats:
    """Points that are the same but for the last bits become the same."""
    return np.ascontiguousarray(np.round(points, 6)) + 0.0


def _refined(lines: Lines, kept: Bools, tolerance: Floats, judged: Bools) -> Bools:
    """`kept`, with more points of the lines that are `judged` (n,) until all are within the tolerance."""
    points, tolerance = lines.points, np.maximum(tolerance, _LEAST)
    while True:
        at = np.flatnonzero(kept)
        segment = np.repeat(np.arange(len(at)), np.diff(at, append=len(points)))
        start = points[at][segment]
        chord = points[np.append(at[1:], at[-1])][segment] - start
        to = points - start
        share = np.clip((to * chord).sum(1) / np.maximum((chord * chord).sum(1), 1e-12), 0.0, 1.0)
        off = np.where(judged, np.hypot(*(to - share[:, None] * chord).T) / tolerance, 0.0)
        worst = np.maximum.reduceat(off, at)[segment]
        hit = np.flatnonzero((off == worst) & (worst > 1) & ~kept)
        if not len(hit):
            return kept
        kept = kept.copy()
        kept[hit[np.unique(segment[hit], return_index=True)[1]]] = True


def _segments(lines: Lines, kept: Bools) -> Fitted:
    at = np.flatnonzero(kept)
    start, end = at[:-1], at[1:]
    line = lines.line
    same = line[start] == line[end]
    start, end = start[same], end[same]
    one, two = lines.points[start], lines.points[end]
    third = (two - one) / 3
    return Fitted(np.stack([one, one + third, two - third, two], axis=1), line[start], start, end)
