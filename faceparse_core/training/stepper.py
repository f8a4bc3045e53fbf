"""One step of training: the gradients of its pictures, on all cores of the CPU or on a GPU, and the weights moved."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn

from faceparse_core.errors import FaceParseError
from faceparse_core.parser import MEAN, STD
from faceparse_core.training.settings import TrainSettings

#: Loss of a network on some pictures: a scalar that gradients can be taken of.
Loss = Callable[[nn.Module, Sequence[Tensor]], Tensor]

_LEAST = 4  #: pictures in a piece: of fewer a batch norm learns little, and of one that was pooled nothing


def normalise(rgb: Tensor) -> Tensor:
    """RGB 0..255 (n, 3, h, w) to what the network was trained on."""
    mean, std = (torch.tensor(v, device=rgb.device).view(1, 3, 1, 1) * 255 for v in (MEAN, STD))
    return (rgb - mean) / std


def find_device(name: str) -> torch.device:
    """`name`: auto, cpu or cuda. Raises FaceParseError where there is no such device."""
    found = torch.cuda.is_available()
    if name == "cuda" and not found:
        raise FaceParseError("torch finds no CUDA device here; leave --device out, or install torch's CUDA build")
    return torch.device("cuda" if found and name != "cpu" else "cpu")


def half_precision(device: torch.device) -> torch.dtype:
    """What the device multiplies fast: bfloat16, which needs no care, or float16 on GPUs before Ampere (2020)."""
    old = device.type == "cuda" and torch.cuda.get_device_capability(device)[0] < 8
    return torch.float16 if old else torch.bfloat16


class Stepper:
    """Moves the weights of `network`, a step at a time.

    A step's pictures are cut into pieces, so many as fit: on the CPU one replica of the network a core, each with one
    thread, takes a piece at a time, and they meet once a step. Threads inside of the operations would meet hundreds of
    times, and wait for each other wherever the machine does other work too. Batch norm sees one piece at a time, and so
    do losses that are no mean over pixels; but for these, pieces are as good as the whole. The running statistics of
    the batch norms are those of the first replica's pieces.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        loss: Loss,
        s: TrainSettings,
        device: torch.device,
        precision: torch.dtype | None = None,
    ) -> None:
        self.optimizer, self.loss, self.device = optimizer, loss, device
        self.precision = precision or half_precision(device)
        workers = max(1, min(os.cpu_count() or 1, s.batch // _LEAST)) if device.type == "cpu" else 1
        self.replicas = [network, *(copy.deepcopy(network) for _ in range(workers - 1))]
        self.pieces = workers * s.accumulate
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision is torch.float16)
        self._pool = ThreadPoolExecutor(workers)
        self._threads = torch.get_num_threads()

    def __enter__(self) -> Stepper:
        if self.device.type == "cpu":
            torch.set_num_threads(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        torch.set_num_threads(self._threads)

    def step(self, batch: Sequence[Tensor], rate: float) -> float:
        """Learn from `batch`, tensors with the pictures along the first axis, at a learning rate; returns the loss.

        Raises FaceParseError where the gradients are no numbers any more; the weights are then as they were.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss = self.gradients(batch)
        self.scaler.unscale_(self.optimizer)
        network = self.replicas[0]
        norm = nn.utils.clip_grad_norm_(network.parameters(), 5.0).item()
        # A scale of float16's gradients that overflows is tried smaller at the next step, until it cannot help.
        if not math.isfinite(norm) and (not self.scaler.is_enabled() or self.scaler.get_scale() < 1):
            raise FaceParseError(
                "the loss is no number any more; the last checkpoint is sound: go on with --resume and a lower --rate"
            )
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.spread()
        return loss

    @torch.no_grad()
    def spread(self) -> None:
        """The network's weights into its replicas."""
        for replica in self.replicas[1:]:
            torch._foreach_copy_(list(replica.parameters()), list(self.replicas[0].parameters()))

    @torch.no_grad()
    def begin(self) -> None:
        """All of the network into its replicas: what batch norms that stand still go by, too."""
        for replica in self.replicas[1:]:
            replica.load_state_dict(self.replicas[0].state_dict())

    def gradients(self, batch: Sequence[Tensor]) -> float:
        """The gradient of the mean loss over the pieces of `batch`, times the scaler's scale, into the network."""
        shares = [self._pool.submit(self._gradients, k, batch) for k in range(len(self.replicas))]
        loss = sum(share.result() for share in shares)
        own, *others = [[p.grad for p in replica.parameters() if p.grad is not None] for replica in self.replicas]
        for gradients in others:
            torch._foreach_add_(own, gradients)
        return loss

    def _gradients(self, worker: int, batch: Sequence[Tensor]) -> float:
        """Those of one replica's pieces, each weighed by the pictures in it; returns its share of the loss."""
        network, total = self.replicas[worker], 0.0
        network.zero_grad(set_to_none=True)
        for piece in range(worker, self.pieces, len(self.replicas)):
            pictures = [tensor[piece :: self.pieces].to(self.device) for tensor in batch]
            try:
                with torch.autocast(self.device.type, self.precision, enabled=self.precision is not torch.float32):
                    loss = self.loss(network, pictures) * (len(pictures[0]) / len(batch[0]))
                self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            except torch.cuda.OutOfMemoryError as error:
                raise FaceParseError(
                    f"{len(pictures[0])} pictures at once do not fit the GPU's memory; half the --batch and twice the "
                    "--accumulate learn from as many in a step"
                ) from error
            total += loss.item()
        return total
