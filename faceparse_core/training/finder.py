"""The head finder's network and how it is trained: a heat map of face centres, with sizes.

Faces as points after "Objects as Points" (Zhou et al. 2019, https://arxiv.org/abs/1904.07850): one map says where the
centres are, one how large the face is there, one where in its cell the centre lies. It learns from composites alone
(`composites.py`); real photos with their heads marked were not at hand.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from faceparse_core.errors import FaceParseError
from faceparse_core.training.composites import SIZE, Composite, Cutout, Spot, Studio, make_cutouts
from faceparse_core.training.data import read_pairs

CELL = 8  #: pixels of the input per cell of the maps
GRID = SIZE // CELL


# ----------------------------------------------------------------------------------------------------------- network


class Conv(nn.Sequential):
    """Convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class Residual(nn.Module):
    """Widen, look around 5 x 5 in every channel, narrow, add (MobileNetV2's block). Same shape in and out."""

    def __init__(self, channels: int, widen: int) -> None:
        super().__init__()
        wide = channels * widen
        self.body = nn.Sequential(
            Conv(channels, wide, 1),
            Conv(wide, wide, 5, groups=wide),
            nn.Conv2d(wide, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)  # type: ignore[no-any-return]


class HeadFinder(nn.Module):
    """rgb float32 (n, 3, 256, 256), 0..255 -> (heat logits (n, 1, 32, 32), geometry (n, 3, 32, 32)).

    Geometry is log(face height / 256), then how far the centre lies right of and below its cell's centre, in cells.
    Down to 8 x 8 with the whole picture's mean added there, and up again to 32 x 32: a face that fills the frame and one
    of ten pixels are both seen in their surroundings.
    """

    def __init__(self) -> None:
        super().__init__()
        self.at4 = nn.Sequential(Conv(3, 16, 3, 2), Conv(16, 32, 3, 2), Residual(32, 2))
        self.at8 = nn.Sequential(Conv(32, 48, 3, 2), Residual(48, 3), Residual(48, 3))
        self.at16 = nn.Sequential(Conv(48, 80, 3, 2), Residual(80, 3), Residual(80, 3), Residual(80, 3))
        self.at32 = nn.Sequential(Conv(80, 112, 3, 2), Residual(112, 2), Residual(112, 2))
        self.whole = nn.Linear(112, 112)
        self.up16 = nn.ModuleList([nn.Conv2d(112, 64, 1), nn.Conv2d(80, 64, 1), Residual(64, 2)])
        self.up8 = nn.ModuleList([nn.Conv2d(64, 64, 1), nn.Conv2d(48, 64, 1), Residual(64, 2)])
        self.heat = nn.Sequential(Conv(64, 32, 3), nn.Conv2d(32, 1, 1))
        self.geometry = nn.Sequential(Conv(64, 32, 3), nn.Conv2d(32, 3, 1))
        nn.init.constant_(self.heat[1].bias, -4.0)  # type: ignore[arg-type]  # nearly every cell is empty
        nn.init.constant_(self.geometry[1].bias, 0.0)  # type: ignore[arg-type]

    def forward(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        at8 = self.at8(self.at4((rgb - 120.0) / 64.0))
        at16 = self.at16(at8)
        at32 = self.at32(at16)
        at32 = at32 + self.whole(at32.mean((2, 3)))[:, :, None, None]
        x = at32
        for (narrow, skip, mix), fine in ((self.up16, at16), (self.up8, at8)):
            x = mix(F.interpolate(narrow(x), scale_factor=2.0, mode="nearest") + skip(fine))
        return self.heat(x), self.geometry(x)


class Exported(nn.Module):
    """The network as shipped: `heat` 0..1 (n, 1, 32, 32), `size` face height / 256 (n, 1, 32, 32), `shift` (n, 2, 32, 32)."""

    def __init__(self, network: HeadFinder) -> None:
        super().__init__()
        self.network = network

    def forward(self, rgb: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        heat, geometry = self.network(rgb)
        return heat.sigmoid(), geometry[:, :1].exp(), geometry[:, 1:]


# ----------------------------------------------------------------------------------------------------- target and loss


def make_target(composite: Composite) -> NDArray[np.float32]:
    """What the maps should be: float32 (5, GRID, GRID): heat, its weight, log size, shift right, shift down.

    Heat is 1 in the cell of a face's centre and falls off as a bell around it; the weight is 0 around faces of which
    nobody can say whether they should be found.
    """
    target = np.zeros((5, GRID, GRID), np.float32)
    target[1] = 1
    row, column = np.mgrid[0:GRID, 0:GRID].astype(np.float32)
    for spot in composite.unsure:
        near = np.hypot(column + 0.5 - spot.x / CELL, row + 0.5 - spot.y / CELL) < max(1.0, spot.size / CELL * 0.5)
        target[1][near] = 0
    for spot in composite.faces:
        x, y, size = spot.x / CELL, spot.y / CELL, spot.size / CELL
        sigma = min(max(0.12 * size, 0.6), 2.2)
        bell = np.exp(-((column - int(x)) ** 2 + (row - int(y)) ** 2) / (2 * sigma**2))
        mine = bell > np.maximum(target[0], 0.05)
        target[1][bell > 0.3] = 1
        target[0] = np.maximum(target[0], bell)
        target[2][mine] = math.log(spot.size / SIZE)
        target[3][mine] = (x - column - 0.5)[mine]
        target[4][mine] = (y - row - 0.5)[mine]
    return target


def finder_loss(heat: Tensor, geometry: Tensor, target: Tensor) -> Tensor:
    """Focal loss on the heat, absolute error on size and shift around the centres. Scalar, per face."""
    wanted, weight = target[:, 0], target[:, 1]
    logit = heat[:, 0].float()
    p = logit.sigmoid()
    hit = F.logsigmoid(logit) * (1 - p) ** 2 * (wanted > 0.999)
    miss = F.logsigmoid(-logit) * p**2 * (1 - wanted) ** 4 * (wanted <= 0.999)
    faces = (wanted > 0.999).sum().clamp(min=1)
    near = torch.where(wanted > 0.3, wanted, torch.zeros_like(wanted))[:, None]
    # Far cells know little of the centre's place: shift counts in full only there where the bell is high.
    error = (geometry.float() - target[:, 2:]).abs() * near
    geometry_loss = (error[:, :1].sum() * 1.0 + error[:, 1:].sum() * 0.3) / near.sum().clamp(min=1)
    return -((hit + miss) * weight).sum() / faces + geometry_loss


# ---------------------------------------------------------------------------------------------------------- training


@dataclass(frozen=True)
class FinderPlan:
    """How the finder is trained. `minutes` ends it by the clock, `steps` by the count; the other may be None."""

    minutes: float | None = 20.0
    steps: int | None = None
    batch: int = 32  #: composites in a step; each comes with its mirror image
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    seed: int = 20
    workers: int = 2
    threads: int = 2


class _Composites(torch.utils.data.Dataset[tuple[Tensor, Tensor]]):
    """Composite number -> (rgb uint8 (3, SIZE, SIZE), target float32 (5, GRID, GRID))."""

    def __init__(self, studio: Studio, first: int, count: int) -> None:
        self.studio, self.first, self.count = studio, first, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        cv2.setNumThreads(0)
        composite = self.studio.composite(self.first + index)
        rgb = torch.from_numpy(np.ascontiguousarray(composite.rgb.transpose(2, 0, 1)))
        return rgb, torch.from_numpy(make_target(composite))


def with_mirrors(rgb: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """A batch and its mirror images: making a composite takes as long as learning from it."""
    mirrored = target.flip(3).clone()
    mirrored[:, 3] *= -1
    return torch.cat([rgb, rgb.flip(3)]), torch.cat([target, mirrored])


def _cutouts(tars: list[Path]) -> list[Cutout]:
    """Cutouts of the tars, one tar at a time: full pairs of all would take 6 GB."""
    if not tars:
        raise FaceParseError("no training data: the folder has no celebamask/train-*.tar")
    return [cutout for tar in tars for cutout in make_cutouts(read_pairs([tar]))]


def train_finder(data: Path, out: Path, plan: FinderPlan | None = None, resume: bool = False) -> Path:
    """Trains on the tars under `data`; writes `out`/finder.pt every few minutes and at the end, and returns its path.

    `resume` goes on from that file. Raises FaceParseError where the data or the checkpoint is missing.
    """
    plan = plan or FinderPlan()
    torch.set_num_threads(plan.threads)
    torch.manual_seed(plan.seed)
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / "finder.pt"
    network = HeadFinder().to(memory_format=torch.channels_last)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998), use_buffers=True
    )
    optimizer = torch.optim.AdamW(network.parameters(), plan.learning_rate, weight_decay=plan.weight_decay)
    step, spent = 0, 0.0
    if resume:
        if not checkpoint.is_file():
            raise FaceParseError(f"nothing to resume: {checkpoint} does not exist")
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        step, spent = state["step"], state["seconds"]

    cutouts = _cutouts(sorted((data / "celebamask").glob("train-*.tar")))
    print(f"finder: {len(cutouts)} heads, {sum(p.numel() for p in network.parameters())} weights", flush=True)
    studio = Studio(cutouts, plan.seed)
    began, said, saved = time.monotonic() - spent, 0.0, time.monotonic()
    losses: list[float] = []
    network.train()
    for rgb, target in _batches(studio, plan, step):
        seconds = time.monotonic() - began
        done = max(step / plan.steps if plan.steps else 0.0, seconds / 60 / plan.minutes if plan.minutes else 0.0)
        if done >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = plan.learning_rate * _schedule(step, done)
        rgb, target = with_mirrors(rgb, target)
        images = rgb.float().contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            heat, geometry = network(images)
        loss = finder_loss(heat, geometry, target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        average.update_parameters(network)
        step += 1
        losses.append(float(loss.detach()))
        if seconds - said > 10:
            said = seconds
            rate, left = step * plan.batch * 2 / max(seconds, 1e-6), seconds * (1 / max(done, 1e-6) - 1)
            mean = sum(losses[-100:]) / len(losses[-100:])
            print(f"step {step}  loss {mean:.4f}  {rate:.0f} pictures/s  {left / 60:.1f} min left", flush=True)
        if time.monotonic() - saved > 120:
            saved = time.monotonic()
            _save(checkpoint, network, average, optimizer, step, seconds, plan)
    _save(checkpoint, network, average, optimizer, step, time.monotonic() - began, plan)
    return checkpoint


def _schedule(step: int, done: float) -> float:
    """Warm up over 200 steps, then a cosine down to 1 % of the learning rate."""
    return min(1.0, (step + 1) / 200) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))


def _batches(studio: Studio, plan: FinderPlan, step: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches from number `step` on, without end, made by `plan.workers` processes."""
    endless = _Composites(studio, step * plan.batch, 2**31)
    order = torch.utils.data.BatchSampler(range(2**31), plan.batch, drop_last=True)  # type: ignore[arg-type]
    loader = torch.utils.data.DataLoader(endless, batch_sampler=order, num_workers=plan.workers)
    yield from loader


def _save(
    path: Path, network: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer, step: int, seconds: float,
    plan: FinderPlan,
) -> None:  # fmt: skip
    state = {"network": network.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict()}
    temporary = path.with_suffix(".part")
    torch.save({**state, "step": step, "seconds": seconds, "plan": json.dumps(asdict(plan))}, temporary)
    temporary.replace(path)


def load_finder(checkpoint: Path) -> HeadFinder:
    """The averaged network of a checkpoint, ready to run. Raises FaceParseError where it is not one of ours."""
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)["average"]
        network = HeadFinder()
        prefix = "module."
        network.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    except (OSError, KeyError, RuntimeError) as error:
        raise FaceParseError(f"{checkpoint}: not a checkpoint of the head finder ({error})") from error
    return network.eval()
