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
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from faceparse_core.bisenet import BiSeNet
from faceparse_core.cache import whole_file
from faceparse_core.parser import MEAN, STD
from faceparse_core.parts import BEARD, FACE, HEAD, PARTS
from faceparse_core.training.augment import AugmentSettings, augment
from faceparse_core.training.data import UNKNOWN, Pair, celebamask_train, facesynthetics_train
from faceparse_core.training.occluders import read_cutouts

#: How many times more often a picture is drawn that shows one of these rare parts: glasses, earring, necklace, hat.
#: Later more than at first: a necklace shows in one picture of twenty, and is learnt last.
RARE_FIRST = {6: 1.5, 9: 1.5, 15: 3.0, 18: 2.5}
RARE_LATER = {6: 2.0, 9: 1.5, 15: 6.0, 18: 2.5}


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


def rate_factor(step: int, s: TrainSettings) -> float:
    """Share of the full learning rate at `step`."""
    start = s.steps * (1 - s.decay)
    fall = (step - start) / max(1.0, s.steps - start)
    return min(1.0, (step + 1) / s.warmup, 1 - fall if fall > 0 else 1.0)


def crop_size(step: int, s: TrainSettings) -> int:
    """Side of the training crop at `step`: small crops teach the shapes at half the price, large ones the edges."""
    return next(size for share, size in reversed(s.sizes) if step >= share * s.steps)


def normalise(rgb: Tensor) -> Tensor:
    """RGB 0..255 (n, 3, h, w) to what the network was trained on."""
    mean, std = (torch.tensor(v, device=rgb.device).view(1, 3, 1, 1) * 255 for v in (MEAN, STD))
    return (rgb - mean) / std


def parsing_loss(scores: Tensor, labels: Tensor, rendered: Tensor) -> Tensor:
    """Cross entropy of the harder pixels plus Dice over the parts, on the labels' grid.

    scores (n, classes, h, w); labels (n, h, w), UNKNOWN left out; rendered (n,) bool. Human labels call a beard skin:
    there the probabilities of skin and beard are taken together.
    """
    scores = scores.float()
    stride = labels.shape[1] // scores.shape[2]  # the auxiliary heads are coarser: every second or fourth label
    labels = labels[:, stride // 2 :: stride, stride // 2 :: stride]
    probability = scores.softmax(1)
    human = (~rendered).view(-1, 1, 1).to(probability.dtype)
    beard = probability[:, BEARD] * human
    merged = probability.clone()
    merged[:, HEAD] = probability[:, HEAD] + beard
    merged[:, BEARD] = probability[:, BEARD] - beard
    known = labels != UNKNOWN
    target = torch.where(known, labels, torch.zeros_like(labels)).long()
    hit = merged.gather(1, target[:, None])[:, 0]
    entropy = -(hit.clamp_min(1e-6).log() * known).flatten()
    hardest = entropy.topk(entropy.numel() // 4).values.mean()
    weight = known[:, None].to(merged.dtype)
    truth = F.one_hot(target, scores.shape[1]).permute(0, 3, 1, 2) * weight
    overlap = (merged * truth).sum((0, 2, 3))
    total = ((merged + truth) * weight).sum((0, 2, 3))
    present = truth.sum((0, 2, 3)) > 0
    dice = 1 - (2 * overlap + 1) / (total + 1)
    return hardest + 0.5 * dice[present].mean()


def backward(network: nn.Module, rgb: Tensor, labels: Tensor, rendered: Tensor, s: TrainSettings) -> float:
    """Gradients of the loss on these pictures into `network`; returns the loss."""
    network.zero_grad(set_to_none=True)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = network(normalise(rgb.float().contiguous(memory_format=torch.channels_last)))
    weights = (1.0, s.auxiliary, s.auxiliary)
    losses = [weight * parsing_loss(scores, labels, rendered) for weight, scores in zip(weights, outputs, strict=True)]
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


def batches(
    data: Path, s: TrainSettings, start: int, cutouts: Sequence[NDArray[np.uint8]] = ()
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Endless (rgb uint8 (n, 3, size, size), labels (n, size/4, size/4), rendered (n,)).

    What a step shows depends on the seed, the step and the `cutouts` (RGBA) alone.
    """
    human, rendered = celebamask_train(data), [to_celeba_frame(pair) for pair in facesynthetics_train(data)]
    first, later, rendered_odds = _odds(human, RARE_FIRST), _odds(human, RARE_LATER), _odds(rendered, {BEARD: 4.0})

    def sample(step: int, slot: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        rng = np.random.default_rng((s.seed, step, slot))
        human_odds = first if step < s.later * s.steps else later
        pairs, odds = (rendered, rendered_odds) if slot < s.rendered else (human, human_odds)
        settings = AugmentSettings(size=crop_size(step, s))
        return augment(pairs[rng.choice(len(pairs), p=odds)], human, rng, settings, cutouts)

    with ThreadPoolExecutor(2) as pool:
        ahead: list[list[Future[tuple[NDArray[np.uint8], NDArray[np.uint8]]]]] = []
        step = start
        while True:
            while len(ahead) < 3:
                ahead.append([pool.submit(sample, step, slot) for slot in range(s.batch)])
                step += 1
            crops, grids = zip(*(future.result() for future in ahead.pop(0)), strict=True)
            rgb = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)  # channels last in memory
            yield rgb, torch.from_numpy(np.stack(grids)), torch.arange(s.batch) < s.rendered


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


def train_parser(
    data: Path,
    out: Path,
    s: TrainSettings = TrainSettings(),
    resume: bool = False,
    weights: Path | None = None,
    occluders: Path | None = None,
) -> Path:
    """Train and leave `out`/parser.pt, a checkpoint that `resume` goes on from; returns its path.

    weights      an exported .onnx to start from instead of from scratch
    occluders    a folder of pictures with transparency to lie in front of faces, beside those that are drawn

    Raises FaceParseError where there is no data, no such weights, no cut-outs.
    """
    cutouts = read_cutouts(occluders) if occluders else []
    torch.manual_seed(s.seed)
    network: Any = BiSeNet(len(PARTS), s.width, detail=True)
    path = out / "parser.pt"
    state: dict[str, Any] = torch.load(path, weights_only=True) if resume else {"step": 0}
    start = state["step"]
    stream = batches(data, s, start, cutouts)
    if weights and not resume:
        from faceparse_core.training.export import take_up

        first = list(islice(stream, 4))
        stream = chain(first, stream)
        take_up(network, weights, normalise(torch.cat([rgb for rgb, _, _ in first]).float()))
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
        rgb, labels, rendered = next(stream)
        shares = [pool.submit(backward, replica, rgb[k::workers], labels[k::workers], rendered[k::workers], s)
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
                "optimizer": optimizer.state_dict(), "step": done, "settings": asdict(s),
            }  # fmt: skip
            with whole_file(path) as temporary:
                torch.save(state, temporary)
    return path
