"""What the parser sees in training, step by step: pairs drawn, augmented, stacked."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceparse_core.classes import Classes
from faceparse_core.errors import FaceParseError
from faceparse_core.parts import BACKGROUND, BEARD
from faceparse_core.training.augment import AugmentSettings, augment
from faceparse_core.training.data import DataSet, Pair, Pairs, half_of_memory
from faceparse_core.training.labels import Legend, make_legend
from faceparse_core.training.layouts import find_sets
from faceparse_core.training.settings import TrainSettings, crop_size, rendered_pictures, whole_step

#: How many times more often a picture is drawn that shows one of these rare parts: glasses, earring, necklace, hat, a
#: beard told from skin. Later more than at first: a necklace shows in one picture of twenty, and is learnt last.
RARE_FIRST = {6: 1.5, 9: 1.5, 15: 3.0, 18: 2.5}
RARE_LATER = {6: 2.0, 9: 1.5, 15: 6.0, 18: 2.5, BEARD: 3.0}
OWN_SHARE = 0.5  #: of a batch, where there are other pairs, are a user's own
OWN_ODDS = 3.0  #: how many times more often a picture is drawn in which a user's own part is


@dataclass(frozen=True)
class Mixture:
    """All that training draws from."""

    legend: Legend  #: what the labels of the grids stand for
    people: Pairs | None  #: photos that people labelled
    rendered: Pairs | None
    own: Pairs | None  #: a user's own photos
    augment: AugmentSettings = field(default_factory=AugmentSettings)

    @property
    def classes(self) -> Classes:
        return self.legend.classes

    @property
    def pairs(self) -> tuple[Pairs, ...]:
        """Those that there are; the first lend their backgrounds."""
        return tuple(each for each in (self.people, self.rendered, self.own) if each is not None)


def make_mixture(
    sets: Sequence[DataSet],
    classes: Classes = Classes(),  # noqa: B008 - frozen
    skip_broken: bool = False,
    memory: int | None = None,
    augment: AugmentSettings = AugmentSettings(),  # noqa: B008 - frozen
) -> Mixture:
    """Reads and checks the pairs of `sets`; `skip_broken` and `memory` as of `Pairs`. Raises FaceParseError."""
    groups = (
        [one for one in sets if not one.rendered and not one.own],
        [one for one in sets if one.rendered],
        [one for one in sets if one.own],
    )
    order = [one for group in groups for one in group]
    if not order:
        raise FaceParseError("no training data: there is no pair of photo and label map")
    legend = make_legend(classes, [one.meanings for one in order])
    room = half_of_memory() if memory is None else memory
    read: list[Pairs | None] = []
    for group in groups:
        pairs = Pairs(group, skip_broken, room) if group else None
        room -= pairs.kept if pairs else 0
        read.append(pairs)
    people, rendered, own = read
    return Mixture(legend, people, rendered, own, augment)


def as_mixture(data: Path | Mixture) -> Mixture:
    """A mixture, or that of the data sets in a folder."""
    return data if isinstance(data, Mixture) else make_mixture(find_sets(data))


def batches(
    data: Path | Mixture, s: TrainSettings, start: int, cutouts: Sequence[NDArray[np.uint8]] = ()
) -> Generator[tuple[Tensor, Tensor]]:
    """Endless (rgb uint8 (n, 3, size, size), labels uint8 (n, size/4, size/4), numbered as in the mixture's legend).

    n is the number of a step's pictures. What it shows depends on the seed, the step, the pairs and the `cutouts`
    (RGBA) alone.
    """
    mixture, s = as_mixture(data), whole_step(s)
    groups = _groups(mixture)
    lenders = _lenders(mixture)

    def sample(step: int, slot: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        rng = np.random.default_rng((s.seed, step, slot))
        pairs, first_space, first, later = groups[_group_of(slot, step, mixture, s)]
        odds = first if step < s.later * s.steps else later
        settings = replace(mixture.augment, size=crop_size(step, s))
        index = int(rng.choice(len(pairs), p=odds))
        crop, grid = augment(pairs[index], lenders, rng, settings, cutouts)
        return crop, mixture.legend.grids[first_space + pairs.space[index]][grid]

    with ThreadPoolExecutor(2) as pool:
        ahead: list[list[Future[tuple[NDArray[np.uint8], NDArray[np.uint8]]]]] = []
        step = start
        while True:
            while len(ahead) < 3:
                ahead.append([pool.submit(sample, step, slot) for slot in range(s.batch)])
                step += 1
            crops, grids = zip(*(future.result() for future in ahead.pop(0)), strict=True)
            rgb = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)  # channels last in memory
            yield rgb, torch.from_numpy(np.stack(grids))


_Group = tuple[Pairs, int, NDArray[np.float64], NDArray[np.float64]]  # pairs, number of their first set, odds twice


def _groups(mixture: Mixture) -> dict[str, _Group]:
    found: dict[str, _Group] = {}
    space = 0
    by_name, painted = mixture.classes.table.by_name, mixture.own.sets if mixture.own else ()
    own = {by_name[one.name].id: OWN_ODDS for one in painted}
    for name, pairs, first, later in (
        ("people", mixture.people, RARE_FIRST, RARE_LATER),
        ("rendered", mixture.rendered, {BEARD: 4.0}, {BEARD: 4.0}),
        ("own", mixture.own, own, own),
    ):
        if pairs is not None:
            found[name] = (pairs, space, _odds(pairs, first), _odds(pairs, later))
            space += len(pairs.sets)
    return found


def _group_of(slot: int, step: int, mixture: Mixture, s: TrainSettings) -> str:
    """The group that one of a step's pictures is drawn from."""
    others = mixture.people is not None or mixture.rendered is not None
    own = 0 if mixture.own is None else max(1, round(OWN_SHARE * s.batch)) if others else s.batch
    rendered = 0 if mixture.rendered is None else min(rendered_pictures(step, s), s.batch - own)
    if mixture.people is None and mixture.rendered is not None:
        rendered = s.batch - own
    return "rendered" if slot < rendered else "own" if slot < rendered + own else "people"


def _lenders(mixture: Mixture) -> Sequence[Pair]:
    """The pairs whose backgrounds may stand behind others' heads: nobody's clothes must be called none."""
    for pairs in mixture.pairs:
        if all(one.meanings.get(BACKGROUND, frozenset({BACKGROUND})) == {BACKGROUND} for one in pairs.sets):
            return pairs
    return ()


def _odds(pairs: Pairs, rare: Mapping[int, float]) -> NDArray[np.float64]:
    weights = np.ones(len(pairs))
    for label, factor in rare.items():
        weights[(pairs.counts[:, label] > 60) & (weights < factor)] = factor
    return weights / weights.sum()
