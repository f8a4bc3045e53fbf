"""Scores of a parser on labelled pairs: F1 and IoU per part, pixels pooled over the set."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceparse_core.classes import Classes
from faceparse_core.clean import best_planes
from faceparse_core.parser import Parser
from faceparse_core.parts import BACKGROUND, BEARD, PAIRS, PARTS
from faceparse_core.training.data import Pair
from faceparse_core.training.labels import NAMELESS, OTHER, UNKNOWN, said_as
from faceparse_core.training.teacher import Teacher

SCORED = tuple(part.id for part in PARTS if part.id not in (0, BEARD))  #: the 18 parts of CelebAMask-HQ


@dataclass(frozen=True)
class Scores:
    """confusion[truth, said] in pixels, by class."""

    confusion: NDArray[np.int64]
    names: tuple[str, ...] = Classes().names  #: of the classes

    @property
    def scored(self) -> tuple[int, ...]:
        """The classes that the labels know, without the background: of CelebAMask-HQ's parts all or none."""
        there = np.flatnonzero(self.confusion.sum(1))
        people = frozenset(SCORED if len(self.names) > SCORED[-1] and np.isin(there, SCORED).any() else ())
        return tuple(k for k in range(1, len(self.names)) if k in people or k in there)

    def f1(self, part: int) -> float:
        """2 TP / (2 TP + FP + FN)."""
        hit, total = self._counts(part)
        return 2 * hit / total if total else float("nan")

    def iou(self, part: int) -> float:
        hit, total = self._counts(part)
        return hit / (total - hit) if total else float("nan")

    @property
    def mean_f1(self) -> float:
        values = np.array([self.f1(part) for part in self.scored])
        return float(values[~np.isnan(values)].mean()) if (~np.isnan(values)).any() else float("nan")

    def merged(self) -> Scores:
        """The same with the left of every pair counted as the right."""
        confusion = self.confusion.copy()
        for left, right in PAIRS:
            confusion[right] += confusion[left]
            confusion[:, right] += confusion[:, left]
            confusion[left] = confusion[:, left] = 0
        return Scores(confusion, self.names)

    def _counts(self, part: int) -> tuple[int, int]:
        return int(self.confusion[part, part]), int(self.confusion[part].sum() + self.confusion[:, part].sum())

    def table(self) -> str:
        shown = [k for k in self.scored if self._counts(k)[1]]
        rows = [f"{self.names[k]:12} {self.f1(k):.4f} {self.iou(k):.4f}" for k in shown]
        means = [f"mean F1 over the {len(shown)} parts {self.mean_f1:.4f}"] if len(shown) > 1 else []
        if len(shown) > 1 and len(self.names) > SCORED[-1]:
            means.append(f"mean F1 with sides merged    {self.merged().mean_f1:.4f}")
        return "\n".join([f"{'part':12} {'F1':6} {'IoU':6}", *rows, *means])


def say(
    parser: Parser,
    pair: Pair,
    mirror: bool,
    classes: Classes = Classes(),  # noqa: B008 - frozen
) -> NDArray[np.uint8]:
    """The map of classes of the pair's whole frame, uint8 (H, W), at its own size, in the words of its data set.

    So a beard is called skin where people had no other word for it.
    """
    height, width = pair.labels.shape
    said = best_planes(Teacher(parser, classes).scores(pair.rgb, mirror), (0, 0, width, height), (height, width))
    meanings = {
        classes.of_part[label]: frozenset(classes.of_part[part] for part in parts)
        for label, parts in sorted(pair.meanings.items(), reverse=True)
        if label not in NAMELESS
    }
    said = said_as(meanings, truth(pair, classes), said)
    if (other := pair.labels == OTHER).any():  # all that is known there: it is not what was painted
        said[other & np.isin(said, [classes.of_part[part] for part in pair.meanings[OTHER]])] = BACKGROUND
    return said


def truth(pair: Pair, classes: Classes = Classes()) -> NDArray[np.uint8]:  # noqa: B008 - frozen
    """The map of classes that the pair's labels make, uint8 (H, W). OTHER counts as background."""
    table = np.full(256, UNKNOWN, np.uint8)
    table[list(classes.of_part)] = list(classes.of_part.values())
    table[OTHER] = BACKGROUND
    return table[pair.labels]


def confusion(labels: NDArray[np.uint8], said: NDArray[np.uint8], count: int = len(PARTS)) -> NDArray[np.int64]:
    """[truth, said] in pixels, (count, count); what is UNKNOWN does not count."""
    known = labels != UNKNOWN
    index = labels[known].astype(np.int64) * count + said[known]
    return np.bincount(index, minlength=count**2).reshape(count, count)


def evaluate(
    parser: Parser,
    pairs: Iterable[Pair],
    mirror: bool,
    classes: Classes = Classes(),  # noqa: B008 - frozen
) -> Scores:
    """Parse the whole frame of every pair and count. `classes`: what `parser.run` tells apart."""
    count = len(classes.meanings)
    total = np.zeros((count, count), np.int64)
    for pair in pairs:
        total += confusion(truth(pair, classes), say(parser, pair, mirror, classes), count)
    return Scores(total, classes.names)
