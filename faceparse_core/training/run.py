"""A run of the parser's training in the making, from its first step to its last."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from faceparse_core.bisenet import EMBEDDED, BiSeNet
from faceparse_core.classes import Classes
from faceparse_core.errors import ModelError, printable
from faceparse_core.training.checkpoint import Checkpoint, write_checkpoint
from faceparse_core.training.settings import Started, TrainSettings, rate_factor
from faceparse_core.training.stepper import Loss, Stepper, normalise


class Run:
    """A run in the making: the network, the running mean of its weights, and what moves them."""

    def __init__(self, s: TrainSettings, classes: Classes, loss: Loss, device: torch.device) -> None:
        torch.manual_seed(s.seed)
        self.settings, self.classes = s, classes
        network: Any = BiSeNet(len(classes.meanings), s.width, True, EMBEDDED)
        self.network = network.to(device, memory_format=torch.channels_last)
        to_learn(self.network, s)
        self.average: Any = copy.deepcopy(self.network).eval()
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        plain = [p for p in self.network.parameters() if p.ndim <= 1]
        self.optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": s.weight_decay}, {"params": plain, "weight_decay": 0.0}],
            lr=s.rate,
            fused=True,
        )
        self.stepper = Stepper(self.network, self.optimizer, loss, s, device)
        self.step = 0
        self.loss: float | None = None  #: a running mean
        self.seconds = 0.0
        self.best = 0.0  #: mean F1 on the pairs held out
        self.started = Started()

    def begin_with(self, weights: Path, rgb: Tensor) -> None:
        """Start from an exported .onnx; rgb: pictures as training shows them. Raises ModelError."""
        from faceparse_core.training.export import take_up

        take_up(self.network, weights, normalise(rgb.to(self.stepper.device).float()), self.classes)
        to_learn(self.network, self.settings)
        self.average.load_state_dict(self.network.state_dict())
        self.stepper.begin()

    def learn(self, batch: Sequence[Tensor]) -> None:
        """One step."""
        s = self.settings
        loss = self.stepper.step(batch, s.rate * rate_factor(self.step, s))
        if self.step % 4 == 0:  # the mean moves slowly: every fourth step is enough
            follow(self.average, self.network, min(s.ema**4, (self.step + 1) / (self.step + 10)))
        self.loss = loss if self.loss is None else 0.98 * self.loss + 0.02 * loss
        self.step += 1

    def save(self, path: Path) -> None:
        """Raises FaceParseError where the file cannot be written."""
        checkpoint = Checkpoint(
            self.settings, self.classes, self.step, self.network.state_dict(), self.average.state_dict(),
            self.optimizer.state_dict(), self.stepper.scaler.state_dict(), self.loss, self.seconds, self.best,
            self.started,
        )  # fmt: skip
        write_checkpoint(checkpoint, path)

    def go_on(self, path: Path, checkpoint: Checkpoint) -> None:
        """Take up a checkpoint that was read from `path`. Raises FaceParseError where it is of another network."""
        try:
            self.network.load_state_dict(checkpoint.network)
            self.average.load_state_dict(checkpoint.average)
            self.optimizer.load_state_dict(dict(checkpoint.optimizer))
        except (RuntimeError, ValueError, KeyError) as error:
            why = str(error).splitlines()[0].rstrip(":")
            raise ModelError(f"{printable(os.fspath(path))}: the checkpoint of another network ({why})") from error
        if checkpoint.scaler:
            self.stepper.scaler.load_state_dict(dict(checkpoint.scaler))
        self.stepper.begin()
        self.step, self.loss = checkpoint.step, checkpoint.loss
        self.seconds, self.best, self.started = checkpoint.seconds, checkpoint.best, checkpoint.started


def to_learn(network: nn.Module, s: TrainSettings) -> None:
    """Training mode. The batch norms of a network that is to keep what it knows stand still: it is shown few photos."""
    network.train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and s.keep:
            module.eval()


def three_heads(
    criterion: Callable[..., Tensor], auxiliary: float, keep: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None
) -> Loss:
    """The loss of the network's three outputs on (rgb, labels, ..): `criterion` of scores, labels and the rest.

    auxiliary    weight of the second and of the third
    keep         a loss of the first one's scores, the labels and the pictures, which is added
    """

    def loss(network: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        rgb, *truth = batch
        outputs = network(normalise(rgb.float().contiguous(memory_format=torch.channels_last)))
        weights = (1.0, auxiliary, auxiliary)
        total = torch.stack([w * criterion(o, *truth) for w, o in zip(weights, outputs, strict=True) if w]).sum()
        return total if keep is None else total + keep(outputs[0], truth[0], rgb.float())

    return loss


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, keep: float) -> None:
    """Move the running mean of the weights (and of the statistics) towards `network`."""
    for mean, value in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.dtype.is_floating_point:
            mean.lerp_(value, 1 - keep)
        else:
            mean.copy_(value)
