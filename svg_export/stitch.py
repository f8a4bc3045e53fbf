"""Strokes and hidden lines -> curves that fit together.

All lines of a picture are fitted at once. Then the ends of strokes are put onto the fitted strokes that they meet, so
that borders which meet in the plane meet in the drawing. A stroke can be taken whole, or cut into the arcs that it was
linked from. Lines that are found to cross (`crossings`) are fitted again more tightly where they do, and in the end are
the pixels' own border there, which crosses nothing; hidden lines are laid anew.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import shapely

from faceparse_core.arrays import distinct
from svg_export.beziers import along, between, drag, evaluate, nearest, straight
from svg_export.crossings import FRAME, Crossing
from svg_export.curves import Floats, Ints, Lines, tangents, travelled
from svg_export.fitting import Fitted, fit, refit
from svg_export.hidden import Hidden, Relaid, Stretches, laid_anew
from svg_export.polygons import refined, simplified
from svg_export.strokes import Strokes
from svg_export.trace import OUTSIDE_RANK, PlanarMap

_LEAST = 0.35  # of the drift: no tolerance becomes smaller than that
# how closely a point of a line is fitted, its level: from _LOOSE, the tolerance as it was asked for, to _BORDER
_LOOSE, _CLOSE, _CLOSER, _CLOSEST, _BORDER = range(5)
_SHARES = np.array([1.0, 0.5, 0.2, 0.05, 0.002])  # of the tolerance, by level
#: hidden lines, and what they cross, go no further than _CLOSER; at _BORDER a line is the pixels' own border
_NO_ROOM = 1.5  # px
_REACH = (8, 6, 4, 3, 2)  # points: how far around a crossing the level is raised, by level
_LOOSELY = 4.0  # points between two candidates for a node of a hidden line, whose points are few
_FLAT = 32  # straight steps for a cubic where the error is measured


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
        spacing     px between two candidates for a node of a stroke
        decimals    coordinates are rounded to these
        polygon     straight lines instead of curves
        """
        self.polygon = polygon
        self._arcs, self._strokes, self._hidden, self._decimals = arcs, strokes, hidden, decimals
        #: hidden lines instead of which the border itself is to be drawn: those without room, from the start
        self.given_up = {
            index for index, each in enumerate(hidden) if each.closer and travelled(each.border)[-1] < _NO_ROOM
        }
        self._relaid: dict[int, Relaid] = {}
        self._cut: dict[int, dict[int, Floats]] = {}
        self.on_frame: dict[int, Floats] = {}  #: where strokes end that end on no other: junction -> (2,) px
        self._crossed: dict[int, tuple[int, float]] = {}  # junction -> curve and parameter on the stroke through it
        self._junction: dict[int, Floats] = {}
        self._lines, self._direction, self._tolerance = self._to_fit(tolerance, drift)
        apart = np.concatenate([np.full(len(strokes.pieces), spacing), np.full(len(hidden), _LOOSELY)])
        # a short line needs a choice of nodes too
        self._apart = np.clip(np.minimum(apart, self._lines.lengths / 8), 1, None).astype(np.int64)
        self._level = np.full(len(self._lines.points), _LOOSE)
        self._fitted = self._fit()
        self._control, self._bounds = self._put_together()

    def stroke(self, index: int) -> Floats:
        """Cubics (n, 4, 2) of a whole stroke."""
        first, last = self._strokes.first_piece[index], self._strokes.first_piece[index + 1]
        curves = self._control[self._bounds[first] : self._bounds[last]]
        return straight(np.concatenate([curves[:, 0], curves[-1:, 3]])) if self.polygon else curves

    def hidden(self, index: int, stretch: int = 0) -> Floats:
        """Cubics (n, 4, 2) of a hidden line, or of its piece along one of the `stretches`."""
        if index in self._relaid:
            return self._relaid[index].control[stretch]
        line = len(self._strokes.pieces) + index
        return self._control[self._bounds[line] : self._bounds[line + 1]]

    def stretches(self, index: int) -> Stretches | None:
        """Between which points of its border a hidden line is drawn, the rest being the border; None: all along it."""
        if index in self.given_up:
            return []
        return self._relaid[index].stretches if index in self._relaid else None

    def arc(self, index: int, start: int = 0, end: int | None = None) -> Floats:
        """Cubics (n, 4, 2) of an arc, from its tail to its head: the part of its stroke between two junctions.

        Of that what lies between two points of its smoothed border, counted from its tail; None: its head.
        """
        stroke = self._strokes.stroke_of[index]
        if stroke not in self._cut:
            self._cut[stroke] = self._cut_stroke(stroke)
        curves, steps = self._cut[stroke][index], self.steps(index)
        end = steps if end is None else end
        if (start, end) == (0, steps):
            return curves
        border = self._strokes.pieces.points[self._strokes.samples[index]]
        first = 0.0 if start == 0 else along(curves, border[start])
        last = float(len(curves)) if end == steps else along(curves, border[end])
        return np.round(between(curves, first, last), self._decimals)

    def steps(self, index: int) -> int:
        """How many steps from point to point an arc's smoothed border has."""
        return len(self._strokes.samples[index]) - 1

    def source(self, kind: str, index: int) -> int:
        """What curves were made of: the number of a stroke (of an arc its stroke's), after all strokes hidden lines."""
        if kind == "arc":
            return self._strokes.stroke_of[index]
        return FRAME if kind == "frame" else index + (len(self._strokes.arcs) if kind == "hidden" else 0)

    def _to_fit(self, arc_tolerance: Floats, drift: float) -> tuple[Lines, Floats, Floats]:
        """All pieces of strokes, then all hidden lines; and of each point its tangent (n, 2) and tolerance (n,)."""
        pieces, strokes, hidden = self._strokes.pieces, self._strokes, self._hidden
        tolerance = np.full(len(pieces.points), np.inf)
        for arc, samples in strokes.samples.items():
            tolerance[samples] = np.minimum(tolerance[samples], arc_tolerance[arc])
        unset = np.flatnonzero(np.isinf(tolerance))  # the repeated ends of pieces
        tolerance[unset] = tolerance[np.maximum(unset - 1, 0)]
        smoothed_away = np.hypot(*(pieces.points - strokes.raw.points).T)
        tolerance = np.minimum(tolerance, np.maximum(drift - smoothed_away, _LEAST * drift))
        count = np.array([len(each.line) for each in hidden], np.int64)
        lines = Lines(
            np.concatenate([pieces.points, *(each.line for each in hidden)]),
            np.concatenate([pieces.starts, pieces.starts[-1] + np.cumsum(count)]),
            np.concatenate([pieces.closed, np.array([each.closed for each in hidden], np.bool_)]),
        )
        tolerance = np.concatenate([tolerance, *(each.tolerance for each in hidden)])
        sigma = np.concatenate([np.maximum(1.5 * strokes.sigma, 0.8), np.full(len(hidden), 1.5)])
        direction = tangents(lines, np.minimum(sigma, lines.lengths / 6))
        direction[list(strokes.heading)] = np.reshape(list(strokes.heading.values()), (-1, 2))
        return lines, direction, tolerance

    def _fit(self) -> Fitted:
        """All lines, for the first time."""
        lines, pieces, arcs = self._lines, self._strokes.pieces, self._arcs
        if not len(lines):
            none = np.zeros(0, np.int64)
            return Fitted(np.zeros((0, 4, 2)), none, none, none)
        if not self.polygon:
            return fit(lines, self._direction, self._tolerance, self._apart)
        frame = [arcs.arc(arc).astype(np.float64) for arc in np.flatnonzero(arcs.owner == OUTSIDE_RANK).tolist()]
        borders = [pieces.points[samples] for samples in self._strokes.samples.values()]
        return simplified(lines, self._tolerance, borders + frame, len(pieces.points))

    def _fit_again(self, which: Ints) -> None:
        """Fit lines once more, as closely as their levels ask for."""
        lines, firm = self._lines, self._level == _BORDER
        tolerance = _SHARES[self._level] * self._tolerance
        if self.polygon:
            fitted = refined(lines, tolerance, self._fitted, which)
        else:
            fitted = refit(lines, self._direction, tolerance, self._apart, self._fitted, which)
            loose = np.concatenate([[0], np.cumsum(~firm)])
            along = np.flatnonzero(loose[fitted.end + 1] == loose[fitted.start])
            third = (fitted.control[along, 3] - fitted.control[along, 0]) / 3
            fitted.control[along, 1] = fitted.control[along, 0] + third
            fitted.control[along, 2] = fitted.control[along, 3] - third
        self._fitted = fitted
        self._control, self._bounds = self._put_together()

    def tighten(self, crossed: list[Crossing]) -> bool:
        """Bring lines closer to the borders that they were fitted to, where they cross; whether any could be.

        Of a hidden and a visible line first the hidden one, as a whole, then the visible one, a little; then the
        hidden one is laid anew, and at last given up for the border itself.
        Visible lines come closer around the crossing, step by step, and in the end are the pixels' own border; at the
        very last so is what they end on.
        """
        before, count = self._level.copy(), len(self._strokes.arcs)
        retreating: dict[int, list[Floats]] = {}  # hidden lines, and where they cross
        for one, two, point in crossed:
            beneath = [source for source in {one, two} if source >= count]
            shown = [source for source in {one, two} if 0 <= source < count]
            spans = [self._span(source) for source in beneath]
            if any(before[first] < _CLOSER for first, _ in spans):
                for first, last in spans:
                    self._level[first:last] = np.minimum(before[first] + 1, _CLOSER)
                continue
            at = [self._beside(source, point) for source in shown]
            if beneath and all(before[each] >= _CLOSER for each in at):
                for source in beneath:
                    retreating.setdefault(source - count, []).append(point)
                continue
            for source, middle in zip(shown, at, strict=True):
                level = int(before[middle])
                if level < _BORDER:
                    self._raise(source, middle, _REACH[level], level + 1)
                else:  # where it is the border already, what lies beside it must be too
                    first, last = self._span(source)
                    self._raise(source, middle, max(_REACH[-1], int((before[first:last] == level).sum())), level)
        changed = self._fit_changed(before)
        closer = [self._retreat(index, places) for index, places in sorted(retreating.items())]
        if changed or any(closer):
            return True
        for source in {source for one, two, _ in crossed for source in (one, two) if 0 <= source < count}:
            for node in (int(self._strokes.start_node[source]), int(self._strokes.end_node[source])):
                corner = self._strokes.corners.get(node)
                if corner is not None:
                    self._raise(self._source_of(corner), corner, _REACH[-1], _BORDER)
        return self._fit_changed(before)

    def _beside(self, source: int, point: Floats) -> int:
        """The index of a source's point that is nearest to a point (2,)."""
        first, last = self._span(source)
        return first + int(np.hypot(*(self._lines.points[first:last] - point).T).argmin())

    def _raise(self, source: int, middle: int, reach: int, level: int) -> None:
        """Give a stroke's points, up to `reach` from the one at `middle`, at least this level."""
        first, last = self._span(source)
        window = np.arange(middle - reach, middle + reach + 1) - first
        closed = self._strokes.closed[source]
        window = window % (last - first) if closed else np.clip(window, 0, last - first - 1)
        self._level[first + window] = np.maximum(self._level[first + window], level)

    def _fit_changed(self, before: Ints) -> bool:
        """Fit again the lines whose levels are no longer those of `before` (n,); whether there are any."""
        ends, starts, border = self._middle
        self._level[ends] = self._level[starts] = np.maximum(self._level[ends], self._level[starts])
        at, node = self._tied
        highest = np.zeros(int(node.max(initial=-1)) + 1, np.int64)
        np.maximum.at(highest, node, self._level[at])
        self._level[at] = highest[node]
        firm = np.flatnonzero(self._level[: len(border)] == _BORDER)
        self._lines.points[firm] = border[firm]
        changed = distinct(self._lines.line[self._level != before])
        if len(changed):
            self._fit_again(changed)
        return len(changed) > 0

    def _retreat(self, index: int, crossed: list[Floats]) -> bool:
        """Lay a hidden line anew, or give it up for the border itself; whether that could be done.

        crossed    where it crosses what it must not
        """
        hidden = self._hidden[index]
        if hidden.closer is None or index in self.given_up:
            return False
        relaid = laid_anew(hidden, self._relaid.get(index), crossed, self._decimals, self.polygon)
        if relaid is None:
            self.given_up.add(index)
        else:
            self._relaid[index] = relaid
        return True

    def _span(self, source: int) -> tuple[int, int]:
        """The first and the last point, and one more, of a source."""
        strokes, starts = self._strokes, self._lines.starts
        if source < len(strokes.arcs):
            return int(starts[strokes.first_piece[source]]), int(starts[strokes.first_piece[source + 1]])
        line = len(strokes.pieces) + source - len(strokes.arcs)
        return int(starts[line]), int(starts[line + 1])

    def _source_of(self, point: int) -> int:
        """The stroke on which a point of the lines lies."""
        piece = int(np.searchsorted(self._strokes.pieces.starts, point, "right")) - 1
        return int(np.searchsorted(self._strokes.first_piece, piece, "right")) - 1

    @cached_property
    def _middle(self) -> tuple[Ints, Ints, Floats]:
        """Where strokes go on from piece to piece (indices of the end and of the start), and their border, (n, 2).

        The border leads through the middles of the cracks between pixels and so past every corner that borders of other
        parts pass too: it is as jagged as it must be, and touches no other.
        """
        strokes, raw = self._strokes, self._strokes.raw
        ends, starts = [], []
        for stroke, closed in enumerate(strokes.closed.tolist()):
            pieces = np.arange(strokes.first_piece[stroke], strokes.first_piece[stroke + 1])
            ends.append(pieces if closed else pieces[:-1])
            starts.append(np.roll(pieces, -1) if closed else pieces[1:])
        one, two = raw.starts[np.concatenate(ends) + 1] - 1, raw.starts[np.concatenate(starts)]
        index = np.arange(len(raw.points))
        before, after = index - 1, index + 1
        ends_at = np.concatenate([raw.starts[:-1], raw.starts[1:] - 1])
        before[ends_at] = after[ends_at] = ends_at  # they stay where they are, but those at which a stroke goes on
        before[one], after[one], before[two], after[two] = one - 1, two + 1, one - 1, two + 1
        border = strokes.lattice
        return one, two, (border[before] + 2 * border + border[after]) / 4

    @cached_property
    def _tied(self) -> tuple[Ints, Ints]:
        """Ends of strokes that end on no other: indices of the points, and the junctions where they must stay together.

        (Those that end on another stroke are put onto it, wherever it is.)
        """
        strokes, starts = self._strokes, self._lines.starts
        at = np.concatenate([starts[strokes.first_piece[:-1]], starts[strokes.first_piece[1:]] - 1])
        node = np.concatenate([strokes.start_node, strokes.end_node])
        tied = (node >= 0) & ~np.isin(node, list(strokes.places))
        return at[tied], node[tied]

    def _put_together(self) -> tuple[Floats, Ints]:
        """The curves, rounded, ends of strokes put onto the strokes that they meet, later painted ones first.

        And where those of each line begin, (lines + 1,).
        """
        fitted, strokes = self._fitted, self._strokes
        control = np.round(fitted.control, self._decimals)
        bounds = np.searchsorted(fitted.line, np.arange(len(strokes.pieces) + len(self._hidden) + 1))
        self._cut, self._crossed, self._junction = {}, {}, {}
        starts = fitted.start[: bounds[len(strokes.pieces)]]
        first_points = np.zeros(len(self._lines.points) + 1, np.bool_)
        first_points[strokes.pieces.starts] = True
        ends: dict[int, list[tuple[int, int, int]]] = {}  # owner -> junction, curve, side
        for stroke, owner in enumerate(strokes.owner.tolist()):
            first, last = strokes.first_piece[stroke], strokes.first_piece[stroke + 1]
            for node, curve, side in (
                (int(strokes.start_node[stroke]), int(bounds[first]), 0),
                (int(strokes.end_node[stroke]), int(bounds[last]) - 1, 3),
            ):
                if node in strokes.places:
                    ends.setdefault(owner, []).append((node, curve, side))
                elif node >= 0:
                    self.on_frame[node] = control[curve, side]
        for owner in sorted(ends, reverse=True):
            sample = np.array([self._place(node) for node, _, _ in ends[owner]])
            on_curve = np.searchsorted(starts, sample, "right") - 1
            guess = (sample - fitted.start[on_curve]) / (fitted.end[on_curve] - fitted.start[on_curve])
            t = nearest(control[on_curve], self._lines.points[sample], np.minimum(np.maximum(guess, 0.0), 1.0))
            t[first_points[sample]], t[first_points[sample + 1]] = 0.0, 1.0  # a piece's own ends are nodes
            points = np.round(evaluate(control[on_curve], t[:, None])[:, 0], self._decimals)
            for (node, curve, side), on, at, point in zip(
                ends[owner], on_curve.tolist(), t.tolist(), points, strict=True
            ):
                self._crossed[node], self._junction[node] = (on, at), point
                drag(control[curve], side, point)
                if self.polygon:
                    control[curve] = straight(control[curve, [0, 3]])[0]
        return control, bounds

    def _place(self, node: int) -> int:
        """Where a junction stands on the stroke that runs through it, an index into the lines' points.

        Where that is the pixels' own border, on the pixels' own corner: all that ends there meets nothing before.
        """
        corner = self._strokes.corners[node]
        return corner if self._level[corner] == _BORDER else self._strokes.places[node]

    def error(self) -> float:
        """px: the farthest that a smoothed border lies from its curve."""
        pieces = self._strokes.pieces
        if not len(pieces):
            return 0.0
        flat, line = self._flattened()
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
            places = [self._place(node) for node in inner]
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
