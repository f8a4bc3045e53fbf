"""Scores of a parser on labelled pairs: F1 and IoU per part, pixels pooled over the set."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceparse_core.clean import upsample_labels
from faceparse_core.parse import score_box
from faceparse_core.parser import Parser
from faceparse_core.parts import BEARD, HEAD, PAIRS, PARTS
from faceparse_core.training.data import Pair
from faceparse_core.training.labels import UNKNOWN

SCORED = tuple(part.id for part in PARTS if part.id not in (0, BEARD))  #: the 18 parts of CelebAMask-HQ


@dataclass(frozen=True)
class Scores:
    """confusion[truth, said] in pixels."""

    confusion: NDArray[np.int64]

    def f1(self, part: int) -> float:
        """2 TP / (2 TP + FP + FN)."""
        hit, total = self._counts(part)
        return 2 * hit / total if total else float("nan")

    def iou(self, part: int) -> float:
        hit, total = self._counts(part)
        return hit / (total - hit) if total else float("nan")

    @property
    def mean_f1(self) -> float:
        return float(np.nanmean([self.f1(part) for part in SCORED]))

    def merged(self) -> Scores:
        """The same with the left of every pair counted as the right."""
        confusion = self.confusion.copy()
        for left, right in PAIRS:
            confusion[right] += confusion[left]
            confusion[:, right] += confusion[:, left]
            confusion[left] = confusion[:, left] = 0
        return Scores(confusion)

    def _counts(self, part: int) -> tuple[int, int]:
        return int(self.confusion[part, part]), int(self.confusion[part].sum() + self.confusion[:, part].sum())

    def table(self) -> str:
        rows = [f"{PARTS[p].name:12} {self.f1(p):.4f} {self.iou(p):.4f}" for p in SCORED]
        means = [f"mean F1 over the {len(SCORED)} parts {self.mean_f1:.4f}"]
        means.append(f"mean F1 with sides merged    {self.merged().mean_f1:.4f}")
        return "\n".join([f"{'part':12} {'F1':6} {'IoU':6}", *rows, *means])


def say(parser: Parser, pair: Pair, mirror: bool) -> NDArray[np.uint8]:
    """The label map of the pair's whole frame, at its own size. A beard is called skin, as the data set has it."""
    height, width = pair.labels.shape
    box = (0, 0, width, height)
    said = upsample_labels(score_box(pair.rgb, box, parser, mirror), box, (height, width))
    said[said == BEARD] = HEAD
    return said


def confusion(labels: NDArray[np.uint8], said: NDArray[np.uint8]) -> NDArray[np.int64]:
    """[truth, said] in pixels, (parts, parts); what is UNKNOWN does not count."""
    known = labels != UNKNOWN
    index = labels[known].astype(np.int64) * len(PARTS) + said[known]
    return np.bincount(index, minlength=len(PARTS) ** 2).reshape(len(PARTS), len(PARTS))


def evaluate(parser: Parser, pairs: Iterable[Pair], mirror: bool) -> Scores:
    """Parse the whole frame of every pair and count."""
    total = np.zeros((len(PARTS), len(PARTS)), np.int64)
    for pair in pairs:
        total += confusion(pair.labels, say(parser, pair, mirror))
    return Scores(total)
