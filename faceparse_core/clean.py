"""Class scores -> label map of the photo -> cleaned label map of one head.

Lengths are fractions of the head's size (the face's height in px), so that a small and a large photo look the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faceparse_core.arrays import distinct, window_of
from faceparse_core.parts import (
    BACKGROUND,
    BEARD,
    BROWS,
    BY_PLANE,
    CLOTH,
    EARRING,
    EARS,
    EYES,
    FACE,
    HAIR,
    HAT,
    HEAD,
    MOUTH,
    NECKLACE,
    NOSE,
    OWN,
    PAIRS,
    PARTS,
    STANDARD,
    PartTable,
)

if TYPE_CHECKING:
    from faceparse_core.heads import Head

Labels = NDArray[np.uint8]
Box = tuple[int, int, int, int]  # x0, y0, x1, y1 in photo px; may reach beyond the photo
Sides = tuple[bool, bool, bool, bool]  # left, top, right, bottom

_ENOUGH = 400_000  #: pixels
_TILE = 120  #: pixels, about: what is computed at once stays in the processor's cache
#: Parts that are small by nature.
_SMALL = frozenset((*BROWS, *EYES, EARRING, *MOUTH, NECKLACE))
_OF_THE_HEAD = (*FACE, BEARD, HAIR, HAT, EARRING, *EARS)
_LARGE = frozenset((CLOTH, HAIR, HAT))
#: Parts of which a head shows one piece; whatever else is called so is a mistake.
_SINGLE = frozenset((*EYES, *EARS, NOSE))


@dataclass(frozen=True)
class CleanSettings:
    """Lengths in face heights; the square of one is the area that is meant."""

    speck: float = 0.05  # pieces and holes smaller than this squared are filled from around; ...
    tuft: float = 0.11  # ... of hair, hat and clothes, which come in large pieces, smaller than this; ...
    patch: float = 0.06  # ... of a beard, which thins out in patches, smaller than this; ...
    small_speck: float = 0.018  # ... of earrings, necklaces, brows, eyes, lips and own parts, smaller than this
    cut: float = 0.018  # ... and of what the photo's edge cuts off, whose rest may be large
    torn: float = 0.45  # background smaller than this squared is clothes where it lies within them, and ...
    rim: float = 0.9  # ... more than this share of its neighbours is clothes
    least: float = 0.3  # where the largest piece of the face is smaller than this squared there is none
    reach: float = 0.35  # the box of a piece of the face lies no farther than this from the face's centre, ...
    near: float = 0.75  # ... and its middle no farther than this; skin that lies farther is not this head's
    stray: float = 0.25  # ... and where it is smaller than this squared it is no other head, but a mistake in this one
    loose: float = 0.4  # hair and the like that does not hang together with the face, and is smaller, is a mistake
    beard: float = 0.15  # a piece of beard further from the mouth is a shadow; those of 18 portraits are within 0.13
    faint: float = 0.145  # so is what is smaller than this squared, all of a beard that is no patch, ...
    counted: float = 0.11  # ... which is what is smaller than this squared (models/parser.md)
    side: float = 0.04  # how far on the wrong side of the nose a piece must lie to be renamed


def upsample_labels(scores: NDArray[np.float32], box: Box, shape: tuple[int, int]) -> Labels:
    """Label map (H, W) = `shape` from scores (parts, h, w) that cover `box` of the photo; 0 outside of the box."""
    best = best_planes(scores, box, shape)
    return np.array(BY_PLANE, np.uint8)[best] if len(scores) > len(PARTS) else best


def best_planes(scores: NDArray[np.float32], box: Box, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Which of the planes of scores (n, h, w) that cover `box` is highest at each pixel, (H, W) = `shape`.

    The scores are interpolated bilinearly at every pixel's centre before the argmax, so that borders come out smooth
    at the photo's resolution. It goes by tiles of score cells, and in each only the classes are weighed that no
    single other class outdoes at every cell: one that is outdone there is outdone between cells too.
    """
    out = np.zeros(shape, np.uint8)
    first = scores.argmax(0)
    for tile in tiles(scores.shape[1:], box, shape):
        winners = distinct(first[tile.cells])
        if len(winners) == 1:
            out[tile.pixels] = winners[0]
            continue
        here = scores[(slice(None), *tile.cells)]
        rivals = _rivals(here.reshape(len(here), -1))
        out[tile.pixels] = _winners(rivals, tile.upsample(here[rivals]))
    return out


@dataclass(frozen=True)
class Tile:
    """A rectangle of the photo, and how its pixels are interpolated from a grid of cells."""

    pixels: tuple[slice, slice]  #: rows and columns of the photo
    cells: tuple[slice, slice]  #: rows and columns of the grid that are needed for them
    row_weights: NDArray[np.float32]  #: (rows of pixels, rows of cells)
    column_weights: NDArray[np.float32]  #: (columns of pixels, columns of cells)

    def upsample(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, *pixels) from (n, *cells), bilinearly."""
        return np.asarray(self.row_weights @ planes @ self.column_weights.T, np.float32)


def tiles(grid: tuple[int, ...], box: Box, shape: tuple[int, int]) -> Iterator[Tile]:
    """The pixels of a photo (H, W) = `shape` that lie in `box`, which a grid of (h, w) cells covers, tile by tile."""
    rows, columns = grid
    tile = int(np.clip(_TILE * rows / (box[3] - box[1]), 1, 8))  # score cells
    bands_y = [_band(top, tile, rows, box[1], box[3], shape[0]) for top in range(0, rows, tile)]
    bands_x = [_band(left, tile, columns, box[0], box[2], shape[1]) for left in range(0, columns, tile)]
    for ys, row_cells, row_weights in bands_y:
        for xs, column_cells, column_weights in bands_x:
            if ys.stop > ys.start and xs.stop > xs.start:
                yield Tile((ys, xs), (row_cells, column_cells), row_weights, column_weights)


def _winners(rivals: NDArray[np.intp], values: NDArray[np.float32]) -> Labels:
    """rivals[values.argmax(0)], in a third of the time: one running maximum."""
    best = values[0].copy()
    out = np.full(best.shape, rivals[0], np.uint8)
    for rival, challenger in zip(rivals[1:], values[1:], strict=True):
        np.copyto(out, np.uint8(rival), where=challenger > best)
        np.maximum(best, challenger, out=best)
    return out


def _rivals(scores: NDArray[np.float32]) -> NDArray[np.intp]:
    """Classes of `scores` (classes, cells) that no other class reaches or beats at every cell; of equals, the first."""
    reached = (scores[None] >= scores[:, None]).all(2)  # [k, j]: j reaches k everywhere
    equal = reached & reached.T
    outdone = (reached & ~equal) | np.tril(equal, -1)
    return np.flatnonzero(~outdone.any(1))


def _band(first: int, tile: int, cells: int, start: float, stop: float, limit: int) -> tuple[
    slice, slice, NDArray[np.float32]
]:  # fmt: skip
    """Pixels whose centres lie in `tile` cells from `first` on, the cells they draw from, their weights (px, cells)."""
    cell = (stop - start) / cells  # px
    edges = start + first * cell, start + min(first + tile, cells) * cell
    low, high = (int(np.clip(np.ceil(edge - 0.5), 0, limit)) for edge in edges)
    drawn = slice(max(0, first - 1), min(cells, first + tile + 1))
    position = (np.arange(low, high) + 0.5 - start) / cell - 0.5  # in cells, 0 = the first cell's centre
    distance = np.abs(np.clip(position, 0, cells - 1)[:, None] - np.arange(drawn.start, drawn.stop))
    return slice(low, high), drawn, np.maximum(0, 1 - distance).astype(np.float32)


def clean_labels(
    labels: Labels,
    head: Head,
    settings: CleanSettings = CleanSettings(),
    table: PartTable = STANDARD,
    edges: Sides = (True, True, True, True),
) -> Labels:
    """A copy of `labels` (H, W) that holds this one head, its hair, hat, ears, neck and clothes, without specks.

    edges   which sides of the map are sides of the photo

    Returns a map without any HEAD where nothing at `head` looks like a face.
    """
    out = labels.copy()
    if not out.any():
        return out
    box = _box(out)
    whole = out[box]
    ends = (box[1].start == 0, box[0].start == 0, box[1].stop >= out.shape[1], box[0].stop >= out.shape[0])
    left, top, right, bottom = (edge and end for edge, end in zip(edges, ends, strict=True))
    # What is cleaned away is large or small beside the head, so some hundred thousand pixels are enough to see it in.
    step = max(1, round((whole.size / _ENOUGH) ** 0.5))
    view = np.ascontiguousarray(whole[::step, ::step]) if step > 1 else whole
    before = view.copy() if step > 1 else view
    centre, size = np.array([head.x - box[1].start, head.y - box[0].start]) / step, head.size / step
    _keep_this_head(view, centre, size, settings, table)
    _drop_loose_pieces(view, centre, size, settings)
    _drop_far_beard(view, size, settings)
    _mend_clothes(view, size, settings)
    _fill_specks(view, size, settings, (left, top, right, bottom))
    _drop_faint_beard(view, size, settings, (left, top, right, bottom))
    _keep_features_on_head(view, table)
    _name_sides(view, centre, size, settings)
    if step > 1:
        _carry_over(before, view, whole, step)
    return out


def _carry_over(before: Labels, after: Labels, whole: Labels, step: int) -> None:
    """Make in `whole` the changes from `before` to `after`, which hold every `step`-th pixel of it."""
    import cv2

    changed = cv2.dilate((before != after).view(np.uint8), np.ones((3, 3), np.uint8))
    size = (after.shape[1] * step, after.shape[0] * step)
    height, width = whole.shape
    mask = cv2.resize(changed, size, interpolation=cv2.INTER_NEAREST)[:height, :width]
    np.copyto(whole, cv2.resize(after, size, interpolation=cv2.INTER_NEAREST)[:height, :width], where=mask.view(bool))


def _pieces(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """4-connected pieces of `mask`: their map (0 = none), (x, y, width, height, area) and centroids (x, y)."""
    import cv2

    _, index, stats, centroids = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=4, ltype=cv2.CV_32S)
    return index.astype(np.int32, copy=False), stats.astype(np.int32, copy=False), centroids


def _keep_this_head(view: Labels, centre: NDArray[np.float64], size: float, s: CleanSettings, table: PartTable) -> None:
    """Background in place of faces further off, and of whatever does not hang together with this head."""
    face = np.isin(view, [*FACE, BEARD, *table.own_on_head])
    index, stats, centroids = _pieces(face)
    if len(stats) == 1:
        view[:] = BACKGROUND
        return
    # How far the piece's box is from the face's centre, 0 inside: a face cut in two by hair keeps both halves.
    low, high = stats[:, :2], stats[:, :2] + stats[:, 2:4]
    gap = np.hypot(*(np.maximum(0, np.maximum(low - centre, centre - high))).T)
    lies = np.hypot(*(centroids - centre).T)
    own = (gap < s.reach * size) & (lies < s.near * size)
    own[0] = False
    if not own.any():
        view[:] = BACKGROUND
        return
    largest = np.flatnonzero(own)[stats[own, 4].argmax()]
    if stats[largest, 4] < (s.least * size) ** 2:
        view[:] = BACKGROUND
        return
    foreign = ~own
    foreign[0] = False
    mine = own[index]
    small = foreign & (stats[:, 4] < (s.stray * size) ** 2)
    view[(foreign & ~small)[index]] = BACKGROUND
    _fill(view, small[index])
    pieces, _, _ = _pieces(view != BACKGROUND)
    hangs = np.zeros(pieces.max() + 1, bool)
    hangs[pieces[mine]] = True
    view[~hangs[pieces]] = BACKGROUND


def _drop_loose_pieces(view: Labels, centre: NDArray[np.float64], size: float, s: CleanSettings) -> None:
    """What is called hair, hat, skin or ear on the chest or in the background takes the label of what is around it."""
    group = np.isin(view, _OF_THE_HEAD)
    index, stats, centroids = _pieces(group)
    loose = np.ones(len(stats), bool)
    loose[0] = False
    loose[index[np.isin(view, FACE) & _near(view.shape, centre, s.near * size)]] = False
    loose &= stats[:, 4] < (s.loose * size) ** 2  # long hair that an arm cuts in two stays
    earrings = np.bincount(index[view == EARRING], minlength=len(stats)) > stats[:, 4] / 2
    loose &= ~(earrings & (np.hypot(*(centroids - centre).T) < size))  # they hang a little off
    _fill(view, loose[index])
    index, _, centroids = _pieces(view == HAT)
    low = centroids[:, 1] > centre[1]
    low[0] = False
    _fill(view, low[index])  # nobody wears a hat beneath the face


def _drop_far_beard(view: Labels, size: float, s: CleanSettings) -> None:
    """A beard grows around the mouth: pieces far from it take the label of what is around them."""
    import cv2

    mouth = np.isin(view, MOUTH)
    if not mouth.any() or not (view == BEARD).any():
        return
    away = cv2.distanceTransform((~mouth).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    index, stats, _ = _pieces(view == BEARD)
    nearest = np.full(len(stats), np.inf)
    np.minimum.at(nearest, index.ravel(), away.ravel())
    nearest[0] = 0
    _fill(view, (nearest > s.beard * size)[index])


def _drop_faint_beard(view: Labels, size: float, s: CleanSettings, edges: Sides) -> None:
    """A beard so small is an upper lip's shadow, or a jaw's: it takes the label of what is around it, but for features.

    Patches do not count: shadows come in several. What the photo's edge cuts off may be larger.
    """
    index, stats, _ = _pieces(view == BEARD)
    whole = slice(0, view.shape[0]), slice(0, view.shape[1])
    cut = _ends_at(edges, view.shape, whole, stats)
    counted = stats[:, 4] >= (s.counted * size) ** 2
    counted[0] = cut[0] = False
    if (cut.any() and counted.any()) or stats[counted, 4].sum() >= (s.faint * size) ** 2:
        return
    beard = (view == BEARD) & ~cut[index]
    if beard.any():
        around = view.copy()
        _fill(around, beard | np.isin(view, [part for part in FACE if part != HEAD]))
        view[beard] = around[beard]


def _near(shape: tuple[int, ...], centre: NDArray[np.float64], reach: float) -> NDArray[np.bool_]:
    """Pixels of a map within `reach` of `centre` (x, y)."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return np.asarray((columns - centre[0]) ** 2 + (rows - centre[1]) ** 2 <= reach**2)


def _mend_clothes(view: Labels, size: float, s: CleanSettings) -> None:
    """Background that clothes alone surround is clothes: low in a crop, where training shows few, they have holes."""
    import cv2

    if not (view == CLOTH).any():
        return
    box = _box(view == CLOTH)
    area = view[box]
    index, stats, _ = _pieces(area == BACKGROUND)
    height, width = area.shape
    left, top, right, bottom = stats[:, 0], stats[:, 1], stats[:, 0] + stats[:, 2], stats[:, 1] + stats[:, 3]
    inside = (left > 0) & (top > 0) & (right < width) & (bottom < height) & (stats[:, 4] < (s.torn * size) ** 2)
    inside[0] = False
    for piece in np.flatnonzero(inside).tolist():
        hole = slice(top[piece] - 1, bottom[piece] + 1), slice(left[piece] - 1, right[piece] + 1)
        mask = (index[hole] == piece).view(np.uint8)
        rim = (cv2.dilate(mask, np.ones((3, 3), np.uint8)) > mask) & (area[hole] != BACKGROUND)
        if (area[hole][rim] == CLOTH).mean() > s.rim:
            area[hole][mask > 0] = CLOTH


def _fill_specks(view: Labels, size: float, s: CleanSettings, edges: Sides) -> None:
    """Small pieces of every part, the background's included, take the label of the nearest pixel that stays.

    A piece that the photo cuts off, at one of the `edges` of `view` that are its, may be the rest of a large one.
    """
    specks = np.zeros(view.shape, bool)
    for part in distinct(view).tolist():
        if part in _SMALL or part >= OWN:
            fraction = s.small_speck
        else:
            fraction = s.tuft if part in _LARGE else s.patch if part == BEARD else s.speck
        box = _box(view == part)
        index, stats, _ = _pieces(view[box] == part)
        cut = _ends_at(edges, view.shape, box, stats) if part != BACKGROUND else False
        small = stats[:, 4] < (np.where(cut, min(fraction, s.cut), fraction) * size) ** 2
        small[0] = False
        if part in _SINGLE and len(stats) > 2:
            small |= stats[:, 4] < stats[1:, 4].max()
            small[0] = False
        if small.any():
            specks[box] |= small[index]
    _fill(view, specks)


def _ends_at(
    edges: Sides, shape: tuple[int, ...], box: tuple[slice, slice], stats: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Which pieces of the map's `box`, as `_pieces` measures them, touch one of those `edges` of the map (h, w)."""
    left, top = box[1].start + stats[:, 0], box[0].start + stats[:, 1]
    touch = (left == 0, top == 0, left + stats[:, 2] == shape[1], top + stats[:, 3] == shape[0])
    return np.asarray(np.any([there & edge for there, edge in zip(touch, edges, strict=True)], axis=0), bool)


def _fill(view: Labels, holes: NDArray[np.bool_]) -> None:
    """Give every pixel of `holes` the label of the nearest pixel outside of them."""
    if not holes.any() or holes.all():
        return
    import cv2

    box = _box(holes)
    area = view[box]
    _, nearest = cv2.distanceTransformWithLabels(
        holes[box].view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    known = ~holes[box]
    by_index = np.zeros(int(nearest.max()) + 1, np.uint8)
    by_index[nearest[known]] = area[known]
    area[~known] = by_index[nearest[~known]]


def _box(mask: NDArray[np.bool_] | Labels) -> tuple[slice, slice]:
    """The bounding box of what is not 0, which must be something, with a pixel around it where there is one."""
    rows, columns = window_of(mask)
    return slice(max(0, rows.start - 1), rows.stop + 1), slice(max(0, columns.start - 1), columns.stop + 1)


def _keep_features_on_head(view: Labels, table: PartTable) -> None:
    """Features that touch neither the head nor a feature that does are filled from around."""
    index, _, _ = _pieces(np.isin(view, [HEAD, *table.on_head]))
    carried = np.zeros(index.max() + 1, bool)
    carried[index[view == HEAD]] = True
    carried[0] = True
    _fill(view, ~carried[index])


def _name_sides(view: Labels, centre: NDArray[np.float64], size: float, s: CleanSettings) -> None:
    """Rename brows, eyes and ears by the side of the nose on which they lie: the subject's left is on our right."""
    nose = middle_of(view, (NOSE,))
    middle = centre if nose is None else nose
    axis = across(view)
    for left, right in PAIRS:
        for wrong, name in ((left, right), (right, left)):
            if not (view == wrong).any():
                continue
            box = _box(view == wrong)
            index, _, centroids = _pieces(view[box] == wrong)
            offset = np.array([box[1].start, box[0].start]) - middle
            place = (centroids + offset) @ axis / size  # > 0: on the picture's right, the subject's left
            stray = place < -s.side if wrong == left else place > s.side
            stray[0] = False
            view[box][stray[index]] = name


def middle_of(view: Labels, parts: Sequence[int]) -> NDArray[np.float64] | None:
    """(x, y) of the middle of all pixels of some parts; None where there are none."""
    rows, columns = np.nonzero(np.isin(view, parts))
    return np.array([columns.mean(), rows.mean()]) if len(rows) else None


def across(view: Labels) -> NDArray[np.float64]:
    """Unit vector (x, y) along the head's own horizontal, to the picture's right: mouth to brows, turned."""
    low, high = middle_of(view, MOUTH), middle_of(view, (*BROWS, *EYES))
    if low is None or high is None:
        return np.array([1.0, 0.0])
    up = high - low
    return np.array([-up[1], up[0]]) / max(1e-9, float(np.hypot(*up)))
