"""Parts of a photo as pixels: masks, heatmaps, and the picture of the parts, all as large as the photo.

Parts are named as in `parts`: a preset, or names with commas between. They are those of the label map, where a pixel
belongs to one part alone: `head` is bare skin, and the preset `face` all that a face is made of: skin, brows, eyes,
glasses, nose, mouth, lips and beard, without ears, hair and neck.

Probabilities are the softmax of the parser's scores, which are first interpolated at each pixel's centre as they are
for the label map. So of two parts that meet, each has the probability 0.5 or more where it stands in the label map, as
long as no third is likely there and the cleaning agrees with the network. Where the parser did not look, they are 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faceparse_core.clean import Tile, tiles
from faceparse_core.errors import FaceParseError
from faceparse_core.parts import BACKGROUND, BY_PLANE, PARTS, STANDARD, PartTable, Rgb, select_labels

if TYPE_CHECKING:
    from faceparse_core.parse import Parsing

Words = str | Iterable[str]

_NEGLIGIBLE = 16.0  #: a class whose score stays so far below another's everywhere: of e^-16, 1e-7, nothing is seen
_OVER = 0.5  #: share of the marks where the photo lies beneath them


def mask(parsing: Parsing, parts: Words = "face", threshold: float | None = None) -> NDArray[np.uint8]:
    """uint8 (H, W): 255 where one of `parts` is, 0 elsewhere.

    threshold  0..1; None: what stands in the label map. Else: where the probability of `parts` is this or more, but
               for pieces that hold nothing of them in the label map, such as a second face in the crop

    Raises FaceParseError on unknown parts and on thresholds beyond 0..1.
    """
    ids = select_labels(parts, parsing.table)
    named = label_mask(parsing.labels, ids)
    if threshold is None:
        return named
    if not 0 <= threshold <= 1:
        raise FaceParseError(f"the threshold {threshold} is no probability; it lies from 0 to 1")
    if threshold == 0:
        return np.full_like(named, 255)
    likely = np.zeros_like(named)
    for tile, probability in _probabilities(parsing, ids):
        likely[tile.pixels] = np.where(probability >= threshold, 255, 0)
    return _touching(likely, named)


def heatmap(parsing: Parsing, parts: Words = "face") -> NDArray[np.uint8]:
    """uint8 (H, W): the probability that a pixel is one of `parts`, 255 times, rounded.

    It is the network's word, before anything is cleaned. Raises FaceParseError on unknown parts.
    """
    out = np.zeros_like(parsing.labels)
    for tile, probability in _probabilities(parsing, select_labels(parts, parsing.table)):
        out[tile.pixels] = np.rint(probability * 255)
    return out


def colorize(
    labels: NDArray[np.uint8],
    parts: Words = "all",
    rgb: NDArray[np.uint8] | None = None,
    colors: Mapping[str, Rgb] | None = None,
    table: PartTable = STANDARD,
) -> NDArray[np.uint8]:
    """uint8 RGB (H, W, 3): each of `parts` in a label map (H, W) in a colour of its own, all else white.

    rgb     the photo (H, W, 3): the colours lie half over it, and it is seen where they are not
    colors  by part's name; they win over the table's
    table   of a model with parts of its own that of its `Parsing`

    Raises FaceParseError on unknown parts and on a photo of another size.
    """
    wanted = select_labels(parts, table)
    if rgb is not None and rgb.shape != (*labels.shape, 3):
        raise FaceParseError(f"the photo's shape {rgb.shape} is not that of the label map, {labels.shape}, in RGB")
    marks = np.full((256, 3), PARTS[BACKGROUND].mark, np.uint8)
    for part in table.parts:
        if part.id in wanted:
            marks[part.id] = (colors or {}).get(part.name, part.mark)
    if rgb is None:
        return marks[labels]
    import cv2

    out = np.asarray(cv2.addWeighted(marks[labels], _OVER, rgb, 1 - _OVER, 0), np.uint8)
    np.copyto(out, rgb, where=(label_mask(labels, wanted) == 0)[..., None])
    return out


def label_mask(labels: NDArray[np.uint8], ids: Iterable[int]) -> NDArray[np.uint8]:
    """uint8 (H, W): 255 where a label map (H, W) holds one of `ids`, 0 elsewhere."""
    values = np.zeros(256, np.uint8)
    values[list(ids)] = 255
    return values[labels]


def _probabilities(parsing: Parsing, ids: frozenset[int]) -> Iterator[tuple[Tile, NDArray[np.float32]]]:
    """For each tile of the photo that the parser saw, the probability (rows, columns) of `ids` together."""
    scores = parsing.scores
    ours = np.isin(BY_PLANE[: len(scores)], list(ids))
    for tile in tiles(scores.shape[1:], parsing.box, parsing.labels.shape):
        here = scores[(slice(None), *tile.cells)]
        here = here - here.max(0)  # the softmax is the same, and scores of different cells can be compared
        counts = here.max((1, 2)) > here.min((1, 2)).max() - _NEGLIGIBLE
        chosen = ours[counts]
        if chosen.all() or not chosen.any():
            shape = (len(tile.row_weights), len(tile.column_weights))
            yield tile, np.full(shape, float(chosen.any()), np.float32)
            continue
        values = tile.upsample(here[counts])
        values -= values.max(0)
        np.exp(values, out=values)
        yield tile, values[chosen].sum(0) / values.sum(0)


def _touching(pieces: NDArray[np.uint8], seeds: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Of the connected `pieces` of a mask (H, W) those that hold a pixel of `seeds` (H, W)."""
    import cv2

    number, index = cv2.connectedComponents(pieces, connectivity=8)
    keep = np.zeros(number, np.uint8)
    keep[index[(seeds > 0) & (pieces > 0)]] = 255
    kept: NDArray[np.uint8] = keep[index]
    return kept
