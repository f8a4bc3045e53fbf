"""Strokes and hidden lines -> curves that fit together.

All lines of a picture are fitted at once. Then the ends of strokes are put onto the fitted strokes that they meet, so
that borders which meet in the plane meet in the drawing, and lines that cross where they should not are fitted again
more tightly. A stroke can be taken whole, or cut into the arcs that it was linked from.

Limits. After two rounds what still crosses is left as it is: that happens where borders run a pixel apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from svg_export.beziers import between, drag, evaluate, nearest, straight
from svg_export.curves import Floats, Ints, Lines, tangents
from svg_export.fitting import Fitted, fit, refit
from svg_export.polygons import refined, simplified
from svg_export.strokes import Strokes, junction_places
from svg_export.trace import OUTSIDE_RANK, PlanarMap

_NEAR = 0.7  # px: lines may meet this close to their ends
_CLOSEST = 0.35  # of the drift: no tolerance becomes smaller than that
_FLAT = 8  # straight steps for a cubic where crossings are looked for


@dataclass(frozen=True)
class Hidden:
    """A hidden outline before it is fitted."""

    line: Floats  #: (n, 2)
    tolerance: Floats  #: (n,)
    closed: bool
    border: Floats  #: (m, 2) the smoothed border that it belongs to and must not meet
    step: float  #: px between its points


class Stitched:
    """The curves of one picture: of strokes, of hidden lines, and of arcs."""

    def __init__(
        self,
        arcs: PlanarMap,
        strokes: Strokes,
        tolerance: Floats,
        drift: float,
        hidden: list[Hidden],
        spacing: float,
        decimals: int,
        polygon: bool = False,
    ) -> None:
        """Fit everything.

        tolerance   (arcs,) px from the smoothed border
        drift       px from the pixels' own border: where smoothing has gone far, fitting must stay close
        spacing     px between two candidates for a node
        decimals    coordinates are rounded to these
        polygon     straight lines instead of curves
        """
        self.polygon = polygon
        self._arcs, self._strokes, self._hidden, self._decimals = arcs, strokes, hidden, decimals
        self._places = junction_places(arcs, strokes)
        self._cut: dict[int, dict[int, Floats]] = {}
        if len(strokes.pieces) + len(hidden):
            self._fit(tolerance, drift, spacing)

    def stroke(self, index: int) -> Floats:
        """Cubics (n, 4, 2) of a whole stroke."""
        first, last = self._strokes.first_piece[index], self._strokes.first_piece[index + 1]
        curves = self._control[self._bounds[first] : self._bounds[last]]
        return straight(np.concatenate([curves[:, 0], curves[-1:, 3]])) if self.polygon else curves

    def hidden(self, index: int) -> Floats:
        """Cubics (n, 4, 2) of a hidden line."""
        line = len(self._strokes.pieces) + index
        return self._control[self._bounds[line] : self._bounds[line + 1]]

    def arc(self, index: int) -> Floats:
        """Cubics (n, 4, 2) of an arc, from its tail to its head: the part of its stroke between two junctions."""
        stroke = self._strokes.stroke_of[index]
        if stroke not in self._cut:
            self._cut[stroke] = self._cut_stroke(stroke)
        return self._cut[stroke][index]

    def _fit(self, arc_tolerance: Floats, drift: float, spacing: float) -> None:
        pieces, strokes, hidden = self._strokes.pieces, self._strokes, self._hidden
        tolerance = np.full(len(pieces.points), np.inf)
        for arc, samples in strokes.samples.items():
            tolerance[samples] = np.minimum(tolerance[samples], arc_tolerance[arc])
        unset = np.flatnonzero(np.isinf(tolerance))  # the repeated ends of pieces
        tolerance[unset] = tolerance[np.maximum(unset - 1, 0)]
        smoothed_away = np.hypot(*(pieces.points - strokes.raw.points).T)
        tolerance = np.minimum(tolerance, np.maximum(drift - smoothed_away, _CLOSEST * drift))
        count = np.array([len(each.line) for each in hidden], np.int64)
        lines = Lines(
            np.concatenate([pieces.points, *(each.line for each in hidden)]),
            np.concatenate([pieces.starts, pieces.starts[-1] + np.cumsum(count)]),
            np.concatenate([pieces.closed, np.array([each.closed for each in hidden], np.bool_)]),
        )
        tolerance = np.concatenate([tolerance, *(each.tolerance for each in hidden)])
        step = np.concatenate([np.ones(len(pieces)), np.array([each.step for each in hidden])])
        sigma = np.concatenate([np.maximum(1.5 * strokes.sigma, 0.8), np.full(len(hidden), 1.5)])
        direction = tangents(lines, np.minimum(sigma, lines.lengths / 6))
        direction[list(strokes.heading)] = np.reshape(list(strokes.heading.values()), (-1, 2))
        # a short line needs a choice of nodes too
        apart = np.clip(np.minimum(spacing / step, lines.lengths / 8), 1, None).astype(np.int64)
        if self.polygon:
            frame = [
                self._arcs.arc(arc).astype(np.float64)
                for arc in np.flatnonzero(self._arcs.owner == OUTSIDE_RANK).tolist()
            ]
            borders = [pieces.points[samples] for samples in strokes.samples.values()]
            fitted = simplified(lines, tolerance, borders + frame, len(pieces.points))
        else:
            fitted = fit(lines, direction, tolerance, apart)
        self._take(fitted)
        for share in (0.5, 0.2):
            crossing = self._crossing()
            if not len(crossing):
                break
            if self.polygon:
                fitted = refined(lines, share * tolerance, fitted, crossing)
            else:
                fitted = refit(lines, direction, tolerance, apart, fitted, crossing, share)
            self._take(fitted)

    def _take(self, fitted: Fitted) -> None:
        """Round the curves, and put ends of strokes onto the strokes that they meet, later painted ones first."""
        self._control = np.round(fitted.control, self._decimals)
        self._bounds = np.searchsorted(fitted.line, np.arange(len(self._strokes.pieces) + len(self._hidden) + 1))
        self._crossed: dict[int, tuple[int, float]] = {}  # junction -> curve and parameter on the stroke through it
        self._junction: dict[int, Floats] = {}
        strokes = self._strokes
        starts = fitted.start[: self._bounds[len(strokes.pieces)]]
        ends: dict[int, list[tuple[int, int, int]]] = {}  # owner -> junction, curve, side
        for stroke, owner in enumerate(strokes.owner.tolist()):
            first, last = strokes.first_piece[stroke], strokes.first_piece[stroke + 1]
            for node, curve, side in (
                (int(strokes.start_node[stroke]), int(self._bounds[first]), 0),
                (int(strokes.end_node[stroke]), int(self._bounds[last]) - 1, 3),
            ):
                if node in self._places:
                    ends.setdefault(owner, []).append((node, curve, side))
        for owner in sorted(ends, reverse=True):
            sample = np.array([self._places[node] for node, _, _ in ends[owner]])
            through = np.searchsorted(starts, sample, "right") - 1
            guess = (sample - fitted.start[through]) / (fitted.end[through] - fitted.start[through])
            t = nearest(self._control[through], strokes.pieces.points[sample], np.clip(guess, 0.0, 1.0))
            # a piece's own ends are nodes
            t = np.where(np.isin(sample, strokes.pieces.starts), 0.0, t)
            t = np.where(np.isin(sample + 1, strokes.pieces.starts), 1.0, t)
            points = np.round(evaluate(self._control[through], t[:, None])[:, 0], self._decimals)
            for (node, curve, side), on, at, point in zip(
                ends[owner], through.tolist(), t.tolist(), points, strict=True
            ):
                self._crossed[node], self._junction[node] = (on, at), point
                drag(self._control[curve], side, point)

    def _crossing(self) -> Ints:
        """Lines that cross another or themselves, or, if hidden, their border, other than at their ends."""
        flat, line = self._flattened()
        simple = shapely.is_simple(shapely.linestrings(flat, indices=line))
        bad = set(np.flatnonzero(~simple).tolist())
        first = np.searchsorted(line, np.arange(line[-1] + 1))
        last = np.searchsorted(line, np.arange(line[-1] + 1), "right") - 1
        far = np.minimum(np.hypot(*(flat - flat[first[line]]).T), np.hypot(*(flat - flat[last[line]]).T)) > _NEAR
        far &= np.bincount(line[far], minlength=len(first))[line] > 1
        kept, index = np.unique(line[far], return_inverse=True)
        inner = shapely.linestrings(flat[far], indices=index)
        shown = int(np.searchsorted(kept, len(self._strokes.pieces)))
        one, two = shapely.STRtree(inner[:shown]).query(inner[:shown], predicate="intersects")
        bad |= set(kept[np.concatenate([one[one != two], two[one != two]])].tolist())
        beneath = kept[shown:] - len(self._strokes.pieces)
        if len(beneath):
            borders = [self._hidden[each].border for each in beneath.tolist()]
            index = np.repeat(np.arange(len(borders)), [len(border) for border in borders])
            met = shapely.intersects(inner[shown:], shapely.linestrings(np.concatenate(borders), indices=index))
            bad |= set(kept[shown:][met].tolist())
        return np.array(sorted(bad), np.int64)

    def error(self) -> float:
        """px: the farthest that a smoothed border lies from its curve."""
        pieces = self._strokes.pieces
        if not len(pieces):
            return 0.0
        flat, line = self._flattened(4 * _FLAT)
        curves = shapely.linestrings(flat, indices=line)
        return float(shapely.distance(shapely.points(pieces.points), curves[pieces.line]).max())

    def _flattened(self, steps: int = _FLAT) -> tuple[Floats, Ints]:
        """All lines as polylines: points (n, 2) and the line of each."""
        count = np.diff(self._bounds)
        points = evaluate(self._control, np.arange(steps + 1) / steps)
        keep = np.ones(points.shape[:2], np.bool_)
        keep[:, -1] = False
        keep[self._bounds[1:] - 1, -1] = True  # a curve's end is the next one's start
        line = np.broadcast_to(np.repeat(np.arange(len(count)), count)[:, None], keep.shape)
        return points[keep], line[keep]

    def _cut_stroke(self, stroke: int) -> dict[int, Floats]:
        """The curves of each of a stroke's arcs. Junctions stand where the strokes that end there were put."""
        chain, curves, closed = self._strokes.arcs[stroke], self.stroke(stroke), bool(self._strokes.closed[stroke])
        nodes = self._arcs.tail[chain].tolist()
        if closed and nodes[0] < 0:
            return {chain[0]: curves}
        origin = int(self._bounds[self._strokes.first_piece[stroke]])
        inner = nodes if closed else nodes[1:]
        at = [self._crossed[node][0] - origin + self._crossed[node][1] for node in inner]
        points = [self._junction[node] for node in inner]
        if closed:
            # once around from the first junction; where the places step back the ring's own start was passed
            places = [self._places[node] for node in inner]
            turns = np.cumsum(np.diff(places, prepend=places[0]) < 0)
            at = [*(np.array(at) + turns * len(curves)).tolist(), at[0] + len(curves)]
            points.append(points[0])
            curves = np.concatenate([curves, curves])
        else:
            at = [0.0, *at, float(len(curves))]
            points = [curves[0, 0], *points, curves[-1, 3]]
        at = np.maximum.accumulate(at).tolist()  # junctions closer than the tolerance may have changed places
        found = {}
        for arc, start, end, first, last in zip(chain, at[:-1], at[1:], points[:-1], points[1:], strict=True):
            part = np.round(between(curves, start, end), self._decimals)
            if len(part):
                part[0, 0], part[-1, 3] = first, last
            else:
                part = straight(np.stack([first, last]))
            found[arc] = part
        return found
