"""What the parser sees in training, step by step: pairs drawn, augmented, stacked."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceparse_core.parts import BEARD, FACE
from faceparse_core.training.augment import AugmentSettings, augment
from faceparse_core.training.data import UNKNOWN, Pair, celebamask_train, facesynthetics_train
from faceparse_core.training.settings import TrainSettings, crop_size

#: How many times more often a picture is drawn that shows one of these rare parts: glasses, earring, necklace, hat.
#: Later more than at first: a necklace shows in one picture of twenty, and is learnt last.
RARE_FIRST = {6: 1.5, 9: 1.5, 15: 3.0, 18: 2.5}
RARE_LATER = {6: 2.0, 9: 1.5, 15: 6.0, 18: 2.5}


@dataclass(frozen=True)
class TrainingPairs:
    """What there is to learn from."""

    human: list[Pair]
    rendered: list[Pair]

    def __len__(self) -> int:
        return len(self.human) + len(self.rendered)


def read_training_pairs(data: Path) -> TrainingPairs:
    """All of them, in memory. Raises FaceParseError where a tar is missing or broken."""
    return TrainingPairs(celebamask_train(data), [to_celeba_frame(pair) for pair in facesynthetics_train(data)])


def batches(
    pairs: TrainingPairs, s: TrainSettings, start: int, cutouts: Sequence[NDArray[np.uint8]] = ()
) -> Generator[tuple[Tensor, Tensor, Tensor]]:
    """Endless (rgb uint8 (n, 3, size, size), labels (n, size/4, size/4), rendered (n,)), n pictures a step.

    What a step shows depends on the seed, the step and the `cutouts` (RGBA) alone.
    """
    human, rendered = pairs.human, pairs.rendered
    count, of_which = s.batch * s.accumulate, s.rendered * s.accumulate
    first, later, rendered_odds = _odds(human, RARE_FIRST), _odds(human, RARE_LATER), _odds(rendered, {BEARD: 4.0})

    def sample(step: int, slot: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        rng = np.random.default_rng((s.seed, step, slot))
        human_odds = first if step < s.later * s.steps else later
        drawn, odds = (rendered, rendered_odds) if slot < of_which else (human, human_odds)
        settings = AugmentSettings(size=crop_size(step, s))
        return augment(drawn[rng.choice(len(drawn), p=odds)], human, rng, settings, cutouts)

    with ThreadPoolExecutor(2) as pool:
        ahead: list[list[Future[tuple[NDArray[np.uint8], NDArray[np.uint8]]]]] = []
        step = start
        while True:
            while len(ahead) < 3:
                ahead.append([pool.submit(sample, step, slot) for slot in range(count)])
                step += 1
            crops, grids = zip(*(future.result() for future in ahead.pop(0)), strict=True)
            rgb = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)  # channels last in memory
            yield rgb, torch.from_numpy(np.stack(grids)), torch.arange(count) < of_which


def to_celeba_frame(pair: Pair) -> Pair:
    """`pair` cropped so that the face has the size and place that CelebAMask-HQ gives it.

    There the box of skin and features is 0.744 of the frame high and its centre lies at 0.555 of the height.
    """
    rows, columns = np.nonzero(np.isin(pair.labels, [*FACE, BEARD]))
    height = float(rows.max() - rows.min() + 1)
    side = round(height / 0.744)
    x = round((columns.min() + columns.max() + 1) / 2 - side / 2)
    y = round((rows.min() + rows.max() + 1) / 2 - 0.555 * side)
    pad = side
    rgb = np.pad(pair.rgb, ((pad, pad), (pad, pad), (0, 0)), mode="edge")
    labels = np.pad(pair.labels, pad, constant_values=UNKNOWN)
    window = slice(y + pad, y + pad + side), slice(x + pad, x + pad + side)
    return Pair(pair.name, np.ascontiguousarray(rgb[window]), np.ascontiguousarray(labels[window]))


def _odds(pairs: list[Pair], rare: dict[int, float]) -> NDArray[np.float64]:
    weights = np.ones(len(pairs))
    for index, pair in enumerate(pairs):
        counts = np.bincount(pair.labels.ravel(), minlength=256)
        weights[index] = max([1.0, *(factor for part, factor in rare.items() if counts[part] > 60)])
    return weights / weights.sum()
