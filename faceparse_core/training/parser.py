"""Train the parser: BiSeNet from scratch, on human-labelled pairs beside rendered ones for the beard.

The schedule is warm-up, plateau, decay (Hu et al., arXiv 2404.06395): a run can be resumed with more or fewer steps
and ends like a run that was started with them, as long as the decay had not begun. What is evaluated and exported is
the running mean of the weights.
"""

from __future__ import annotations

import copy
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from faceparse_core.bisenet import BiSeNet
from faceparse_core.cache import whole_file
from faceparse_core.errors import FaceParseError
from faceparse_core.parser import MEAN, STD
from faceparse_core.training.cards import card_of
from faceparse_core.training.losses import LabelTable, label_table, parsing_loss
from faceparse_core.training.occluders import read_cutouts
from faceparse_core.training.settings import TrainSettings, rate_factor
from faceparse_core.training.stream import Mixture, as_mixture, batches


def normalise(rgb: Tensor) -> Tensor:
    """RGB 0..255 (n, 3, h, w) to what the network was trained on."""
    mean, std = (torch.tensor(v, device=rgb.device).view(1, 3, 1, 1) * 255 for v in (MEAN, STD))
    return (rgb - mean) / std


def backward(network: nn.Module, rgb: Tensor, labels: Tensor, table: LabelTable, s: TrainSettings) -> float:
    """Gradients of the loss on these pictures into `network`; returns the loss."""
    network.zero_grad(set_to_none=True)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = network(normalise(rgb.float().contiguous(memory_format=torch.channels_last)))
    weights = (1.0, s.auxiliary, s.auxiliary)
    losses = [weight * parsing_loss(scores, labels, table) for weight, scores in zip(weights, outputs, strict=True)]
    loss = torch.stack(losses).sum()
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.item()


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, keep: float) -> None:
    """Move the running mean of the weights (and of the statistics) towards `network`."""
    for mean, value in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.dtype.is_floating_point:
            mean.lerp_(value, 1 - keep)
        else:
            mean.copy_(value)


def train_parser(
    data: Path | Mixture,
    out: Path,
    s: TrainSettings = TrainSettings(),  # noqa: B008 - frozen
    resume: bool = False,
    weights: Path | None = None,
    occluders: Path | None = None,
) -> Path:
    """Train and leave `out`/parser.pt, a checkpoint that `resume` goes on from; returns its path.

    data         a folder in a layout that is known, or what was made of several data sets
    weights      an exported .onnx to start from instead of from scratch
    occluders    a folder of pictures with transparency to lie in front of faces, beside those that are drawn

    Raises FaceParseError where there is no data, no such weights, no cut-outs.
    """
    cutouts = read_cutouts(occluders) if occluders else []
    torch.manual_seed(s.seed)
    mixture = as_mixture(data)
    network: Any = BiSeNet(len(mixture.classes.names), s.width, detail=True)
    path = out / "parser.pt"
    card = card_of(mixture.classes)
    state: dict[str, Any] = torch.load(path, weights_only=True) if resume else {"step": 0}
    if resume and state.get("parts", card)["classes"] != card["classes"]:
        raise FaceParseError(f"{path}: it has other parts; resume with the --add and --parts that it was started with")
    start = state["step"]
    table = label_table(mixture.legend)
    stream = batches(mixture, s, start, cutouts)
    if weights and not resume:
        from faceparse_core.training.export import take_up

        first = list(islice(stream, 4))
        stream = chain(first, stream)
        take_up(network, weights, normalise(torch.cat([rgb for rgb, _ in first]).float()), mixture.classes)
    network = network.to(memory_format=torch.channels_last)
    average = copy.deepcopy(network).eval()
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": s.weight_decay}, {"params": plain, "weight_decay": 0.0}],
        lr=s.rate,
        fused=True,
    )
    out.mkdir(parents=True, exist_ok=True)
    if resume:
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
    network.train()
    # One replica a core, each with its share of the batch and one thread: they meet once a step. Threads inside of
    # the operations would meet hundreds of times, and wait for each other wherever the machine does other work too.
    workers = min(os.cpu_count() or 1, s.batch)
    replicas = [network, *(copy.deepcopy(network) for _ in range(workers - 1))]
    pool = ThreadPoolExecutor(workers)
    torch.set_num_threads(1)
    began, losses = time.monotonic(), 0.0
    for step in range(start, s.steps):
        for group in optimizer.param_groups:
            group["lr"] = s.rate * rate_factor(step, s)
        rgb, labels = next(stream)
        shares = [pool.submit(backward, replica, rgb[k::workers], labels[k::workers], table, s)
                  for k, replica in enumerate(replicas)]  # fmt: skip
        loss = sum(share.result() for share in shares) / workers
        gradients = [[p.grad for p in replica.parameters() if p.grad is not None] for replica in replicas]
        for others in gradients[1:]:
            torch._foreach_add_(gradients[0], others)
        torch._foreach_div_(gradients[0], float(workers))
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        with torch.no_grad():
            for replica in replicas[1:]:
                torch._foreach_copy_(list(replica.parameters()), list(network.parameters()))
            if step % 4 == 0:  # the mean moves slowly: every fourth step is enough
                follow(average, network, min(s.ema**4, (step + 1) / (step + 10)))
        losses = loss if step == start else 0.98 * losses + 0.02 * loss
        done = step + 1
        if done % 25 == 0 or done == s.steps:
            speed = (done - start) / (time.monotonic() - began)
            left = (s.steps - done) / speed / 60
            line = f"step {done}/{s.steps}  loss {losses:.4f}  {speed * s.batch:.1f} pictures/s  {left:.0f} min left"
            print(
                f"\r{line}" if sys.stderr.isatty() else line, end="" if sys.stderr.isatty() else "\n", file=sys.stderr
            )
        if done % s.save_every == 0 or done == s.steps:
            state = {
                "network": network.state_dict(), "average": average.state_dict(),
                "optimizer": optimizer.state_dict(), "step": done, "settings": asdict(s), "parts": card,
            }  # fmt: skip
            with whole_file(path) as temporary:
                torch.save(state, temporary)
    return path
