"""What a parser gets right and wrong, as a page to look at: scores, what is taken for what, the best and the worst."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceparse_core.classes import Classes
from faceparse_core.errors import FaceParseError, printable
from faceparse_core.parser import Parser
from faceparse_core.parts import BEARD
from faceparse_core.training.data import Pair
from faceparse_core.training.evaluate import Scores, confusion, say, truth
from faceparse_core.training.labels import UNKNOWN
from faceparse_core.training.saving import save_bytes, written

_SIDE = 256  #: px of a picture on a sheet
_ACROSS = 4  #: pairs beside each other on a sheet


def write_report(
    parser: Parser,
    pairs: Sequence[Pair],
    mirror: bool,
    path: Path,
    shown: int = 20,
    classes: Classes = Classes(),  # noqa: B008 - frozen
    bearded: Sequence[Pair] = (),
) -> tuple[Scores, Scores | None]:
    """Write `path`, a page in Markdown, and beside it sheets of pictures; returns the scores of all pairs.

    classes  what `parser.run` tells apart
    shown    how many of the worst and of the best pairs are on the sheets: photo, labels, what the parser says; of the
             bearded ones twice as many, the worst
    bearded  pairs on which the beard is measured, for in the others it may be called skin; their scores are second

    Raises FaceParseError where they cannot be written.
    """
    with written(path):  # a folder that cannot be written to is found out before all is measured
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise FaceParseError(f"{printable(os.fspath(path))}: a folder lies there; name a file, such as report.md")
    measured = _Measured.of(parser, pairs, mirror, classes)
    scores, count = measured.scores, max(1, min(shown, len(pairs) // 2))
    order = np.argsort([np.nan_to_num(one.mean_f1, nan=1.0) for one in measured.each], kind="stable")
    lines = [
        f"# {parser.info.name}",
        "",
        f"SHA-256 `{parser.info.sha256}`, whole frames of {len(pairs)} pairs read at {parser.size} px"
        + (", mean with the mirrored picture" if mirror else ""),
        "",
        "```",
        scores.table(),
        "```",
        "",
        "In percent: what is labelled as a part is taken for, and what is said to be the part is really.",
        "",
        *confusions(scores),
    ]
    for title, chosen in (("worst", order[:count]), ("best", order[::-1][:count])):
        lines += ["", f"## The {title}", "", *measured.shown(chosen, path.with_name(f"{path.stem}-{title}.png"))]
        lines += [f"- {pairs[k].name}: {_rounded(measured.each[k].mean_f1)}" for k in chosen]
    beards = _Measured.of(parser, bearded, mirror, classes) if bearded else None
    if beards:
        ious = np.array([one.iou(BEARD) for one in beards.each])
        order = np.argsort(np.nan_to_num(ious, nan=1.0), kind="stable")[: 2 * shown]
        lines += [
            "",
            f"## Beards, on {len(bearded)} pair{'s' * (len(bearded) > 1)}",
            "",
            f"IoU {beards.scores.iou(BEARD):.4f}, F1 {beards.scores.f1(BEARD):.4f}; the worst comes first.",
            "",
            *confusions(beards.scores, parts=(BEARD,)),
            "",
            *beards.shown(order, path.with_name(f"{path.stem}-beards.png")),
            *[f"- {bearded[k].name}: IoU {_rounded(ious[k])}" for k in order],
        ]
    save_bytes(("\n".join(lines) + "\n").encode(), path)
    return scores, beards.scores if beards else None


@dataclass(frozen=True)
class _Measured:
    """Pairs, what is true of each and what the parser says, and the scores of each and of all."""

    pairs: Sequence[Pair]
    true: list[NDArray[np.uint8]]
    said: list[NDArray[np.uint8]]
    each: list[Scores]
    scores: Scores
    classes: Classes

    @classmethod
    def of(cls, parser: Parser, pairs: Sequence[Pair], mirror: bool, classes: Classes) -> _Measured:
        said = [say(parser, pair, mirror, classes) for pair in pairs]
        true = [truth(pair, classes) for pair in pairs]
        counts = [confusion(*maps, len(classes.names)) for maps in zip(true, said, strict=True)]
        each = [Scores(one, classes.names) for one in counts]
        return cls(pairs, true, said, each, Scores(np.sum(counts, axis=0), classes.names), classes)

    def shown(self, chosen: NDArray[np.int64], sheet: Path) -> list[str]:
        """Lines of Markdown that show the chosen pairs, drawn on `sheet`."""
        rows = [(self.pairs[k].rgb, self.true[k], self.said[k]) for k in chosen.tolist()]
        save_bytes(cv2.imencode(".png", draw_sheet(rows, self.classes)[..., ::-1])[1].tobytes(), sheet)
        return [f"![photo, labels, what the parser says]({sheet.name})", ""]


def _rounded(score: float) -> str:
    return "nothing there, nothing found" if np.isnan(score) else f"{score:.3f}"


def confusions(scores: Scores, least: float = 0.01, parts: Sequence[int] | None = None) -> list[str]:
    """A table in Markdown: for each part what it is taken for and what is taken for it, from a share of `least` on."""
    rows = ["| part | right | is taken for | is said of |", "|---|---|---|---|"]
    for part in scores.scored if parts is None else parts:
        truth, said = scores.confusion[part], scores.confusion[:, part]
        if not truth.sum():
            continue
        sides = (", ".join(_shares(counts, part, least, scores.names)) for counts in (truth, said))
        rows.append(f"| {scores.names[part]} | {100 * truth[part] / truth.sum():.1f} | {' | '.join(sides)} |")
    return rows


def _shares(counts: NDArray[np.int64], part: int, least: float, names: Sequence[str]) -> list[str]:
    if not counts.any():
        return []
    others = [k for k in np.argsort(-counts, kind="stable").tolist() if k != part and counts[k] >= least * counts.sum()]
    return [f"{names[k]} {100 * counts[k] / counts.sum():.1f}" for k in others]


def draw_sheet(
    pictures: Sequence[tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]], classes: Classes
) -> NDArray[np.uint8]:
    """Photo, classes, what is said, a row of three each; uint8 RGB."""
    palette = np.full((256, 3), 128, np.uint8)
    palette[: len(classes.names)] = [classes.table.by_name[name].mark for name in classes.names]
    tiles = []
    for rgb, true, said in pictures:
        row = [rgb, palette[true], palette[np.where(true == UNKNOWN, UNKNOWN, said)]]
        tiles.append(np.hstack([cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA) for picture in row]))
    while len(tiles) % _ACROSS:
        tiles.append(np.full_like(tiles[0], 255))
    return np.vstack([np.hstack(tiles[k : k + _ACROSS]) for k in range(0, len(tiles), _ACROSS)]).astype(np.uint8)
