"""The settings of a run of the parser's training, and what they say of each step."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainSettings:
    width: float = 0.5
    steps: int = 12800
    batch: int = 16  # of which ...
    rendered: int = 3  # ... this many are rendered
    rate: float = 1.2e-3  # AdamW's learning rate on the plateau
    weight_decay: float = 0.03
    warmup: int = 300  # steps
    decay: float = 0.4  # share of the steps over which the rate falls to zero
    ema: float = 0.998  # per step, of the running mean of the weights
    auxiliary: float = 0.3  # weight of each auxiliary head's loss
    sizes: tuple[tuple[float, int], ...] = ((0.0, 192), (0.6, 256), (0.92, 320))  # from which share on: crop's side, px
    later: float = 0.55  # share of the steps from which on RARE_LATER counts
    seed: int = 1
    save_every: int = 250  # steps


#: To go on from the exported weights: the shapes are learnt, what is left is edges and what is rare.
FURTHER = TrainSettings(steps=5600, rate=8e-4, warmup=200, decay=0.6, sizes=((0.0, 320),), later=0.0, seed=5)

#: To add parts of one's own to the exported weights, from a few dozen photos: what the network knows must stay.
OWN = TrainSettings(
    steps=500, batch=8, rate=4e-4, warmup=40, decay=0.6, ema=0.99, sizes=((0.0, 256),), later=0.0, seed=7
)


def rate_factor(step: int, s: TrainSettings) -> float:
    """Share of the full learning rate at `step`."""
    start = s.steps * (1 - s.decay)
    fall = (step - start) / max(1.0, s.steps - start)
    return min(1.0, (step + 1) / s.warmup, 1 - fall if fall > 0 else 1.0)


def crop_size(step: int, s: TrainSettings) -> int:
    """Side of the training crop at `step`: small crops teach the shapes at half the price, large ones the edges."""
    return next(size for share, size in reversed(s.sizes) if step >= share * s.steps)
