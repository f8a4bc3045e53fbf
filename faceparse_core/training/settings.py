"""The settings of a run of the parser's training, and what they say of each step."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class TrainSettings:
    width: float = 0.5
    steps: int = 12800
    batch: int = 16  # pictures that are in memory at once
    rendered_of_16: int = 3  # of sixteen pictures so many are rendered, however many a step has
    accumulate: int = 1  # so many times `batch` pictures make one step
    rate: float = 1.2e-3  # AdamW's learning rate on the plateau
    weight_decay: float = 0.03
    warmup: int = 300  # steps
    decay: float = 0.4  # share of the steps over which the rate falls to zero
    ema: float = 0.998  # per step, of the running mean of the weights
    auxiliary: float = 0.3  # weight of each auxiliary head's loss
    keep: float = 0.0  # weight of `memory_loss`; where there is any, the batch norms stand still as well
    sizes: tuple[tuple[float, int], ...] = ((0.0, 192), (0.6, 256), (0.92, 320))  # from which share on: crop's side, px
    later: float = 0.55  # share of the steps from which on RARE_LATER counts
    seed: int = 1
    save_every: int = 250  # steps


@dataclass(frozen=True)
class Started:
    """What the command that began a run was told, for --resume to take up. Paths are absolute."""

    data: tuple[str, ...] = ()
    add: tuple[str, ...] = ()  # NAME=FOLDER
    parts: str | None = None
    weights: str | None = None  # of --from
    beards: bool = False
    occluders: str | None = None
    skip_broken: bool = False
    validate: int = 0
    keep_best: bool = False
    tensorboard: bool = False


@dataclass(frozen=True)
class RunOptions:
    """How a run is begun, computed and watched. Nothing of this changes what a step learns."""

    again: bool = False  # start anew where a run lies already
    device: str = "auto"  # auto: a GPU where torch finds one; cpu, cuda
    keep_best: bool = False  # keep the checkpoint that scored best too
    tensorboard: bool = False
    sheet: int = 8  # pairs on the sheet of samples, at the end of each epoch; 0: no sheet
    log_every: int = 25  # steps
    started: Started | None = None  # kept in the checkpoint; None: as it stands there


#: To go on from the exported weights: the shapes are learnt, what is left is edges and what is rare.
FURTHER = TrainSettings(
    steps=4400,
    rendered_of_16=2,
    rate=8e-4,
    warmup=150,
    decay=0.6,
    ema=0.999,
    sizes=((0.0, 320), (0.5, 384), (0.88, 448)),
    later=0.0,
    seed=11,
)

#: To add parts of one's own to the exported weights, from a few dozen photos: what the network knows must stay.
OWN = TrainSettings(
    steps=400, batch=8, rendered_of_16=6, rate=4e-4, warmup=40, decay=0.6, ema=0.99, auxiliary=0.0, keep=10.0,
    sizes=((0.0, 256),), later=0.0, seed=7,
)  # fmt: skip


def step_pictures(s: TrainSettings) -> int:
    """How many pictures a step learns from."""
    return s.batch * s.accumulate


def whole_step(s: TrainSettings) -> TrainSettings:
    """The settings of steps of the same size that have all of their pictures in memory at once."""
    return replace(s, batch=s.batch * s.accumulate, accumulate=1)


def rendered_pictures(step: int, s: TrainSettings) -> int:
    """How many of a step's pictures are rendered: their share comes out right, of small steps over many of them."""
    each = s.rendered_of_16 * step_pictures(s)
    return (step + 1) * each // 16 - step * each // 16


def epoch_ended(done: int, pairs: int, s: TrainSettings) -> int:
    """Number of the epoch at whose end a run stands after `done` steps and tells how it does; 0: it does not.

    An epoch is as many pictures as there are pairs. Of few pairs many epochs pass between two checkpoints; a run tells
    of itself no more often than it saves itself, and at its end.
    """
    pictures = step_pictures(s)
    every = max(1, math.ceil(s.save_every * pictures / pairs))  # epochs
    now, before = (steps * pictures // pairs for steps in (done, done - 1))
    if now // every > before // every:
        return now // every * every
    return math.ceil(done * pictures / pairs) if done == s.steps else 0


def rate_factor(step: int, s: TrainSettings) -> float:
    """Share of the full learning rate at `step`."""
    start = s.steps * (1 - s.decay)
    fall = (step - start) / max(1.0, s.steps - start)
    return min(1.0, (step + 1) / s.warmup, 1 - fall if fall > 0 else 1.0)


def crop_size(step: int, s: TrainSettings) -> int:
    """Side of the training crop at `step`: small crops teach the shapes at half the price, large ones the edges."""
    return next(size for share, size in reversed(s.sizes) if step >= share * s.steps)
