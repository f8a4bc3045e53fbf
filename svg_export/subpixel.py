"""Where borders really lie: between pixels, by the parser's scores, and on the photo's own edges.

Approach. Every border starts as the smoothed cracks of the label map and is moved along its normals, twice; then what
is no more than a ripple of the scores' grid is taken out.

1. Scores. A label map knows borders to a pixel; the scores that it was decided by are smooth. Along each normal the
   place is found where the two parts' interpolated scores are equal. Where there is none nearby (cleaning has moved
   the border, or a third part was painted over) the border stays.
2. Photo. Across each border a profile of the photo is read, in CIE Lab, averaged along the border. Beyond the reach of
   the search, where the label map can be trusted, the profiles tell the colours on both sides; what lies between is
   measured by how far it has come from the one colour to the other. So an edge between the right two colours counts,
   and a stronger one between others (a strand of hair, a wrinkle) does not. The best step near the border is taken,
   with a confidence: how clean the step is, and how the contrast stands against the spread of the colours.
   Offsets are made coherent along the border by normalised convolution (Knutsson and Westin, "Normalized and
   differential convolution", CVPR 1993): offset = G * (c o) / (G * c + lambda), so that confident stretches lead,
   doubtful ones follow, and where there is no contrast nothing moves.
3. Calm. The scores are a coarse grid, each cell as wide as several pixels, and an outline that is interpolated from it
   ripples at that pace; of hair that frays, all the way round. No eye takes these for locks, and each costs a node or
   two. So borders of broad parts are smoothed over some cells; but where they stand out farther from a run that is
   smoother still (a tip, a lock), they stay as they are. Label maps without scores know no such grid.

None of them moves a border by more than a third of the way to the next one. What crosses all the same, where lines
meet, `crossings` finds.

All is done on arrays of border points: the cost follows the length of the borders (in the head's units, for large
photos are read at intervals), never the photo's pixels.

Limits. The photo cannot tell which of two equal edges within reach is meant; and a part whose colours vary as much as
they differ from its neighbour's stays where the scores put it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceparse_core.arrays import distinct
from faceparse_core.errors import SettingsError
from faceparse_core.parts import BY_PLANE, HAIR, HAIR_BACK
from svg_export.curves import Bools, Floats, Ints, Lines, smooth, tangents, unit

Floats32 = NDArray[np.float32]


@dataclass(frozen=True)
class Evidence:
    """What is known of a picture besides its label map. All in the label map's coordinates."""

    rgb: NDArray[np.uint8] | None = None  #: the photo (H, W, 3), as large as the label map
    #: (parts, h, w) in the order of `parts.BY_PLANE`, any that differ from log probabilities by a shift a cell
    scores: Floats32 | None = None
    box: tuple[float, float, float, float] | None = None  #: x0, y0, x1, y1, px: what the scores cover

    def __post_init__(self) -> None:
        """Raises SettingsError."""
        if (self.scores is None) != (self.box is None):
            there, missing = ("scores", "box") if self.box is None else ("box", "scores")
            raise SettingsError(f"evidence with {there} needs the {missing} too: scores cover a box of the picture")
        if self.scores is not None and self.box is not None:
            if self.scores.ndim != 3 or not np.isfinite(self.scores).all():
                raise SettingsError(f"scores are finite (classes, height, width); these are {self.scores.shape}")
            if not (self.box[0] < self.box[2] and self.box[1] < self.box[3]):
                raise SettingsError(f"the box of the scores is x0, y0, x1, y1 in px; {self.box} holds nothing")
        if self.rgb is not None and (self.rgb.ndim != 3 or self.rgb.shape[2] != 3 or self.rgb.dtype != np.uint8):
            raise SettingsError(f"the photo is uint8 (height, width, 3); this is {self.rgb.dtype} {self.rgb.shape}")


@dataclass(frozen=True)
class Settler:
    """Moves the borders of one picture."""

    evidence: Evidence
    ranks: NDArray[np.uint8]  #: (H, W) what is drawn where
    rank_of: NDArray[np.uint8]  #: (256,) part id -> rank
    reach: Floats  #: (256,) px, by rank: how far the photo may move a border of the part
    calm: Bools  #: (256,) by rank: whether ripples of the scores' grid are taken out of a border of the part
    size: float  #: px, the head's

    def __call__(self, lines: Lines, owner: Ints, lower: Ints) -> tuple[Floats, Floats]:
        """How far to move each point of smoothed `lines`, px (n,), and in which direction, unit vectors (n, 2).

        owner, lower  (n,) ranks of the parts on the right and on the left
        """
        if not len(lines):
            return np.zeros(0), np.zeros((0, 2))
        along = tangents(lines, np.minimum(np.full(len(lines), 2.0), lines.lengths / 6))
        normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
        offset = np.zeros(len(lines.points))
        found = self.evidence
        if found.scores is not None and found.box is not None:
            planes, row = rank_scores(found.scores, self.rank_of)
            offset = by_scores(Borders(lines, normal, owner, lower), planes, row, found.box, self.ranks)
        if found.rgb is not None and max(found.rgb.shape[:2]) < _LONGEST:
            settled = Lines(lines.points + offset[:, None] * normal, lines.starts, lines.closed)
            reach = np.minimum(self.reach[owner], self.reach[lower])
            offset += by_photo(Borders(settled, normal, owner, lower), found.rgb, self.ranks, reach, self.size)
        if found.scores is not None and found.box is not None and min(found.scores.shape[1:]) > 1:
            cell = min((found.box[2] - found.box[0]) / found.scores.shape[2], _COARSEST * self.size)
            calm = self.calm[owner] & self.calm[lower]
            calming = calmed(Borders(lines, normal, owner, lower), offset, self.ranks, cell, calm)
            whole = offset[:, None] * normal + calming
            stirred: Bools = np.any(calming, axis=1)
            offset = np.where(stirred, np.hypot(*whole.T), offset)
            normal = np.where(stirred[:, None], unit(whole), normal)
        return offset, normal


@dataclass(frozen=True)
class Borders:
    """Lines that run between two parts."""

    lines: Lines
    normal: Floats  #: (n, 2) unit vectors towards the owner
    owner: Ints  #: (n,) rank of the part on the right
    lower: Ints  #: (n,)


# scores ---------------------------------------------------------------------------------------------------------------

_CELLS = 0.25  #: score cells (and a pixel) from the crack at most: so much do interpolations differ
_UNKNOWN = 0.1  #: lambda of the normalised convolution: with no place in sight there is no offset
_LOOKS = 12  #: places on each side at which another border is looked for
_COHERENT = 0.4  #: score cells: sigma of the Gaussian along the border, over which offsets by scores are made coherent


def rank_scores(scores: Floats32, rank_of: NDArray[np.uint8]) -> tuple[Floats32, Ints]:
    """Scores (ranks, h, w) of what is drawn, each the best of its parts, and rank -> row, -1 where there is none."""
    of_plane = rank_of[list(BY_PLANE[: len(scores)])]
    ranks = distinct(of_plane.astype(np.int64))
    row = np.full(256, -1)
    row[ranks] = np.arange(len(ranks))
    best = np.full((len(ranks), *scores.shape[1:]), -np.inf, np.float32)
    for plane, at in zip(scores, row[of_plane].tolist(), strict=True):
        np.maximum(best[at], plane, out=best[at])
    if rank_of[HAIR_BACK]:  # parted from the hair, which is one class
        row[rank_of[HAIR_BACK]] = row[rank_of[HAIR]]
    return best, row


def by_scores(
    borders: Borders, scores: Floats32, row: Ints, box: tuple[float, float, float, float], ranks: NDArray[np.uint8]
) -> Floats:
    """How far along each normal (n,) the two parts' scores are equal, px.

    Where there is no such place on a stretch of the border (cleaning drew it), nothing moves; in between it goes over.

    ranks  uint8 (H, W): what is drawn where
    """
    if min(scores.shape[1:]) < 2:  # there is no between
        return np.zeros(len(borders.owner))
    cell = np.array([(box[2] - box[0]) / scores.shape[2], (box[3] - box[1]) / scores.shape[1]])
    reach = 1.0 + _CELLS * float(cell.mean())
    rows = row[borders.owner], row[borders.lower]
    start = (borders.lines.points - (box[0], box[1])) / cell - 0.5  # in cells, 0 = the first one's centre
    step = borders.normal / cell
    height, width = scores.shape[1:]
    known: Bools = (rows[0] >= 0) & (rows[1] >= 0)
    known &= ((start > 0) & (start < (width - 1, height - 1))).all(axis=1)

    def lead(offset: Floats | float) -> Floats:
        place = start + step * np.reshape(offset, (-1, 1))
        return _interpolated(scores, rows[0], place) - _interpolated(scores, rows[1], place)

    low, high = np.full(len(start), -reach), np.full(len(start), reach)
    at_low, at_high = lead(-reach), lead(reach)
    known &= (at_low < 0) & (at_high > 0)
    offset = np.zeros(len(start))
    for _ in range(3):  # regula falsi, from the middle
        here = lead(offset)
        behind = here < 0
        low, at_low = np.where(behind, offset, low), np.where(behind, here, at_low)
        high, at_high = np.where(behind, high, offset), np.where(behind, at_high, here)
        rise = np.where(known, at_high - at_low, 1.0)
        offset = np.where(known, low - at_low * (high - low) / np.maximum(rise, 1e-12), 0.0)
    sigma = max(1.0, _COHERENT * float(cell.mean()))
    along = _Along(borders.lines.starts, borders.lines.closed, int(3 * sigma) + 1)
    inside = along.blurred(known[:, None].astype(np.float64), sigma)[:, 0]  # 0.5 where a stretch ends
    trust = known * np.clip(2 * inside - 1, 0.0, 1.0)
    sums = along.blurred(np.stack([offset * trust, trust], axis=1), sigma)
    coherent = sums[:, 0] / (sums[:, 1] + _UNKNOWN * (1 - trust))
    most_in, most_out = _room(borders, ranks, reach)
    kept: Floats = np.clip(coherent, -most_out, most_in)
    return kept


def _room(borders: Borders, ranks: NDArray[np.uint8], reach: float) -> tuple[Floats, Floats]:
    """How far, px (n,), each point may move towards its owner and away: `reach`, less where another border is near."""
    step = reach / _APART / _LOOKS
    far = np.broadcast_to(np.arange(-_LOOKS, _LOOKS + 1) * step, (len(borders.owner), 2 * _LOOKS + 1))
    points, normal = borders.lines.points, borders.normal
    x, y = (points[:, axis, None] + normal[:, axis, None] * far for axis in (0, 1))
    clear = _clear(ranks, x, y, far, borders.owner, borders.lower)
    most_in, most_out = (_APART * step * clear[:, side].sum(axis=1) for side in (far[0] > 0, far[0] < 0))
    return most_in, most_out


def _interpolated(scores: Floats32, row: Ints, place: Floats) -> Floats:
    """Bilinear values (n,) of the planes `row` (n,) at `place` (n, 2), x and y in cells."""
    _, height, width = scores.shape
    x, y = np.clip(place[:, 0], 0, width - 1.001), np.clip(place[:, 1], 0, height - 1.001)
    left, top = x.astype(np.int64), y.astype(np.int64)
    fx, fy = x - left, y - top
    flat, at = scores.ravel(), (row * height + top) * width + left
    upper = flat[at] * (1 - fx) + flat[at + 1] * fx
    below = flat[at + width] * (1 - fx) + flat[at + width + 1] * fx
    value: Floats = upper * (1 - fy) + below * fy
    return value


# calm -----------------------------------------------------------------------------------------------------------------

_OVER = 1.8  #: score cells: sigma of the Gaussian along the border; waves of 5 cells go
_RIPPLE = 0.45  #: score cells: what stands out so far from a run twice as smooth, r.m.s., stays; half as far, it goes
_GRADUAL = 0.5  #: score cells: sigma over which the one goes over into the other
_COARSEST = 0.03  #: of the head's size: cells of the parser's crop take up 0.017; what is larger still is no ripple
_PER_CELL = 2  #: places at which other borders are looked for


def calmed(borders: Borders, offset: Floats, ranks: NDArray[np.uint8], cell: float, calm: Bools) -> Floats:
    """How to move each point from where it has settled, px (n, 2), so that no ripple is left; ends of lines stay.

    offset  (n,) px along each normal, to where the border has settled
    ranks   uint8 (H, W): what is drawn where
    cell    px, of the scores' grid
    calm    (n,) whether the border is to be calmed there
    """
    over = _OVER * cell
    starts, closed, normal = borders.lines.starts, borders.lines.closed, borders.normal
    lines = Lines(borders.lines.points + offset[:, None] * normal, starts, closed)
    shift, out = (smooth(lines, np.minimum(sigma, lines.lengths / 6)) - lines.points for sigma in (over, 2 * over))
    along = _Along(starts, closed, int(3 * over) + 1)
    stir = np.sqrt(along.blurred((out**2).sum(axis=1)[:, None], over))
    share = along.blurred(np.clip(2 - 2 * stir / (_RIPPLE * cell), 0, 1) * calm[:, None], _GRADUAL * cell)[:, 0]
    at, some = _profiled(borders.lines, max(1.0, cell / _PER_CELL))
    looked_from = Lines(borders.lines.points[at], some, closed)
    rooms = _room(Borders(looked_from, normal[at], borders.owner[at], borders.lower[at]), ranks, cell)
    most_in, most_out = (np.interp(np.arange(len(offset)), at, room) for room in rooms)
    across = (shift * normal).sum(axis=1)
    room = np.maximum(np.where(across > 0, most_in - offset, most_out + offset), 0)
    moved: Floats = shift * np.minimum(share, room / np.maximum(np.abs(across), 1e-9))[:, None]
    return moved


# photo ----------------------------------------------------------------------------------------------------------------

_TAPS = 6  #: samples from the border to the end of its reach; as many again tell the colours
_HALF = 3  #: samples on each side of a step
_STRIDE = 0.008  #: of the head's size: between two profiles
_ALONG = 0.004  #: of the head's size: sigma, along the border, over which profiles are averaged ...
_COLOURS = 0.02  #: ... the colours of both sides ...
_OFFSETS = 0.016  #: ... and offsets made coherent
_PRIOR = 0.6  #: of the reach: sigma of how far edges are expected
_NOISE = 6.0  #: CIE Lab: contrasts around this one are doubtful even where colours are even
_DOUBT = 0.1  #: lambda of the normalised convolution: a confidence that moves nothing far
_LEAST = 0.1  #: of a clean step: what is less is none
_PLAIN, _PLAINEST = 0.6, 0.9  #: a clean step of a high contrast: from here on in doubt no more
_CLIP = 0.75  #: of the way from the one colour to the other, 0.5 is there: what is stranger counts as no more
_APART = 1 / 3  #: of the way to the next border
_ROWS = 16384  #: cv2.remap takes fewer than 32767 rows of places ...
_LONGEST = 32767  #: ... and no photo with a longer side: such a panorama is drawn by the scores alone

_OFFSET = np.arange(-2 * _TAPS, 2 * _TAPS + 1)  # the samples of a profile, in steps from the border
_IN, _OUT = _OFFSET > 0, _OFFSET < 0


def by_photo(borders: Borders, rgb: NDArray[np.uint8], ranks: NDArray[np.uint8], reach: Floats, size: float) -> Floats:
    """How far along each normal (n,) the photo's own edge lies, px; 0 where none is seen.

    ranks  uint8 (H, W): what is drawn where
    reach  (n,) px: how far to search
    size   px, the head's
    """
    lines = borders.lines
    every = max(1.0, _STRIDE * size)
    at, starts = _profiled(lines, every)
    along = _Along(starts, lines.closed, int(3 * _COLOURS * size / every) + 1)
    step = reach[at] / _TAPS
    far = _OFFSET * step[:, None]
    x = lines.points[at, :1] + borders.normal[at, :1] * far
    y = lines.points[at, 1:] + borders.normal[at, 1:] * far
    clear = _clear(ranks, x, y, far, borders.owner[at], borders.lower[at])
    lab = along.blurred(_lab(rgb, x, y).reshape(len(at), -1), _ALONG * size / every).reshape(*far.shape, 3)
    share, contrast = _shares(lab, clear, along, _COLOURS * size / every)
    most_in, most_out = (np.minimum(_APART * clear[:, side].sum(axis=1), _TAPS) for side in (_IN, _OUT))
    found, trust = _best_step(share, contrast, most_in, most_out)
    sums = along.blurred(np.stack([trust * found * step, trust], axis=1), _OFFSETS * size / every)
    offset = np.clip(sums[:, 0] / (sums[:, 1] + _DOUBT), -most_out * step, most_in * step)
    offset = along.blurred(offset[:, None], 0.5 * _OFFSETS * size / every)[:, 0]  # where neighbours come close suddenly
    everywhere: Floats = np.interp(np.arange(len(lines.points)), at, offset)
    return everywhere


def _profiled(lines: Lines, every: float) -> tuple[Ints, Ints]:
    """Points of the lines, about `every` so many, both ends among them: their indices, and where each line's begin."""
    pieces = np.maximum(np.ceil((lines.lengths - 1) / every).astype(np.int64), 1)
    starts = np.concatenate([[0], np.cumsum(pieces + 1)])
    line = np.repeat(np.arange(len(lines)), pieces + 1)
    place = np.arange(starts[-1]) - starts[line]
    return lines.starts[line] + np.rint(place * ((lines.lengths - 1) / pieces)[line]).astype(np.int64), starts


def _shares(lab: Floats32, clear: Bools, along: _Along, sigma: float) -> tuple[Floats32, Floats32]:
    """Where each sample (n, taps) stands between the colours outside (-0.5) and inside (0.5), 0 where not `clear`.

    And how the contrast of the two colours stands against their spread, 0 to 1 (n,).
    """
    weight = clear * (np.abs(_OFFSET) / _OFFSET[-1]).astype(np.float32)
    means, spread = [], np.float32(_NOISE**2)
    for side in (_OUT, _IN):
        w, values = weight[:, side, None], lab[:, side]
        squares = (w * values**2).sum(axis=(1, 2))[:, None]
        sums = along.blurred(np.concatenate([w.sum(axis=1), (w * values).sum(axis=1), squares], axis=1), sigma)
        sums /= np.maximum(sums[:, :1], 1e-6)
        means.append(sums[:, 1:4])
        spread = spread + np.maximum(sums[:, 4] - (sums[:, 1:4] ** 2).sum(axis=1), 0)
    between = means[1] - means[0]
    contrast = (between**2).sum(axis=1)
    middle = (means[0] + means[1]) / 2
    share = np.einsum("ptc,pc->pt", lab - middle[:, None], between / np.maximum(contrast, 1e-6)[:, None])
    return np.clip(share, -_CLIP, _CLIP) * clear, contrast / (contrast + spread)


def _best_step(share: Floats32, contrast: Floats32, most_in: Floats, most_out: Floats) -> tuple[Floats, Floats]:
    """Where (n,), in samples from the border, the profile steps from outside to inside, and how sure that is.

    What is doubtful is drawn to the border by the prior, in its place and in its weight; what is plain to see is not.
    """
    total = np.cumsum(np.pad(share, ((0, 0), (1, 0))), axis=1)
    offset = np.arange(-_TAPS, _TAPS + 1)
    at = offset + 2 * _TAPS
    rise = (total[:, at + _HALF + 1] - total[:, at + 1] - total[:, at] + total[:, at - _HALF]) / _HALF
    rise[(offset > most_in[:, None]) | (offset < -most_out[:, None])] = -1.0
    likely = rise * np.exp(-0.5 * (offset / (_PRIOR * _TAPS)) ** 2)
    best, row = likely.argmax(axis=1), np.arange(len(rise))
    place, peak = _peak(likely, best)
    beside = np.clip(best[:, None] + np.arange(-_HALF, _HALF + 1), 0, len(offset) - 1)
    plain_place, plain_peak = _peak(rise, beside[row, rise[row[:, None], beside].argmax(axis=1)])
    plain = np.clip((plain_peak * contrast - _PLAIN) / (_PLAINEST - _PLAIN), 0, 1)
    trust = np.maximum(peak - _LEAST, 0.0) / (1 - _LEAST) * contrast
    return place + plain * (plain_place - place) - _TAPS, trust + 2 * plain


def _peak(values: Floats, at: Ints) -> tuple[Floats, Floats]:
    """Where the parabola through (n, m) `values` at `at` (n,) and beside has its peak, and the value at `at`."""
    row = np.arange(len(values))
    here, before, after = (values[row, np.clip(at + shift, 0, values.shape[1] - 1)] for shift in (0, -1, 1))
    bend = np.minimum(before - 2 * here + after, -1e-9)
    place: Floats = at.astype(np.float64) + np.clip(0.5 * (before - after) / bend, -0.5, 0.5)
    return place, here


def _clear(ranks: NDArray[np.uint8], x: Floats, y: Floats, far: Floats, owner: Ints, lower: Ints) -> Bools:
    """Which samples (n, taps) belong to the border: on each side the right part, with no other border in between."""
    height, width = ranks.shape
    column, row = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    seen = ranks[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
    right = np.where(far > 0, owner[:, None], lower[:, None])
    good: Bools = inside & (
        (seen == right) | ((np.abs(far) < 1.5) & ((seen == owner[:, None]) | (seen == lower[:, None])))
    )
    middle = far.shape[1] // 2
    good[:, middle:] = np.logical_and.accumulate(good[:, middle:], axis=1)
    good[:, middle::-1] = np.logical_and.accumulate(good[:, middle::-1], axis=1)
    return good


def _lab(rgb: NDArray[np.uint8], x: Floats, y: Floats) -> Floats32:
    """CIE Lab (n, taps, 3) of the photo at places in px."""
    across, down = (x - 0.5).astype(np.float32), (y - 0.5).astype(np.float32)
    found = np.concatenate([
        cv2.remap(rgb, across[at:][:_ROWS], down[at:][:_ROWS], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for at in range(0, len(x), _ROWS)
    ])  # fmt: skip
    lab: Floats32 = cv2.cvtColor(found.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2Lab)
    return lab


class _Along:
    """Weighted means along many lines at once; open lines end, closed ones go round.

    Unlike `curves.smooth`, which moves points, continues open lines by their reflection and holds their ends: what is
    known of a border (colours, offsets, how sure they are) has no value beyond its ends, and any number of columns.
    """

    def __init__(self, starts: Ints, closed: Bools, reach: int) -> None:
        self.reach = reach
        counts = np.diff(starts)
        wide = counts + 2 * reach
        line = np.repeat(np.arange(len(counts)), wide)
        place = np.arange(int(wide.sum())) - np.repeat(np.cumsum(wide) - wide, wide) - reach
        period = np.where(closed, np.maximum(counts - 1, 1), 1)[line]  # the last point of a closed line is the first
        inside = (place >= 0) & (place < counts[line])
        self.source = np.where(inside, starts[line] + place, np.where(closed[line], starts[line] + place % period, -1))
        self.own = np.flatnonzero(inside)

    def blurred(self, values: NDArray[np.floating[Any]], sigma: float) -> Floats32:
        """Means of `values` (n, c) with the weights of a Gaussian; beyond an open end there is nothing."""
        ready = np.concatenate([values, np.zeros((1, values.shape[1]))]).astype(np.float32)[self.source]
        there = (self.source >= 0).astype(np.float32)[:, None]
        size = (1, 2 * min(self.reach, int(np.ceil(3 * sigma))) + 1)
        total, mass = (
            cv2.GaussianBlur(each, size, sigma, sigma, borderType=cv2.BORDER_CONSTANT) for each in (ready, there)
        )
        found: Floats32 = total.reshape(ready.shape)[self.own] / mass.reshape(-1, 1)[self.own]
        return found
