"""The head finder's network and how it is trained: a heat map of face centres, with sizes.

Faces as points after "Objects as Points" (Zhou et al. 2019, https://arxiv.org/abs/1904.07850): one map says where the
centres are, one how large the face is there, one where in its cell the centre lies. It learns from composites alone
(`composites.py`); real photos with their heads marked were not at hand.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from faceparse_core.errors import FaceParseError, printable
from faceparse_core.heads import Head, find_heads
from faceparse_core.photo import read_photo
from faceparse_core.training.backgrounds import SIZE
from faceparse_core.training.checkpoint import check_start, load, save
from faceparse_core.training.composites import Composite, Cutout, Spot, Studio, make_cutouts
from faceparse_core.training.layouts import whole_tar

CELL = 8  #: pixels of the input per cell of the maps
GRID = SIZE // CELL
CHECKPOINT = "heads.pt"  #: its name in a run's folder


# ----------------------------------------------------------------------------------------------------------- network


class Conv(nn.Sequential):
    """Convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class Norm(nn.Sequential):
    """Convolution and batch norm: the end of a branch that is added to another."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, 1, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
        )


class Residual(nn.Module):
    """Two convolutions beside a way past them. Same shape in and out.

    Plain ones while the maps are large: on CPUs the gradient of a depthwise convolution takes longer to compute.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(Conv(channels, channels), Norm(channels, channels, 3))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.body(x))


class Wide(nn.Module):
    """Widen, look around 5 x 5 in every channel on its own, narrow, add (MobileNetV2's block): few weights see far."""

    def __init__(self, channels: int, wide: int) -> None:
        super().__init__()
        self.body = nn.Sequential(Conv(channels, wide, 1), Conv(wide, wide, 5, groups=wide), Norm(wide, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)  # type: ignore[no-any-return]


class HeadFinder(nn.Module):
    """rgb float32 (n, 3, 192, 192), 0..255 -> (heat logits (n, 1, 24, 24), geometry (n, 3, 24, 24)).

    Geometry is log(face height / 192), then how far the centre lies right of and below its cell's centre, in cells.
    Down to 6 x 6 with the whole picture's mean added there, and up again to 24 x 24: a face that fills the frame and
    one of ten pixels are both seen in their surroundings.
    """

    def __init__(self) -> None:
        super().__init__()
        self.at4 = nn.Sequential(Conv(3, 12, 3, 2), Conv(12, 32, 3, 2))
        self.at8 = nn.Sequential(Conv(32, 48, 3, 2), Residual(48), Residual(48))
        self.at16 = nn.Sequential(Conv(48, 72, 3, 2), Residual(72), Wide(72, 216))
        self.at32 = nn.Sequential(Conv(72, 96, 3, 2), Wide(96, 216), Wide(96, 216))
        self.whole = nn.Linear(96, 96)
        self.narrow32, self.skip16, self.mix16 = nn.Conv2d(96, 48, 1), nn.Conv2d(72, 48, 1), Wide(48, 144)
        self.narrow16, self.skip8, self.mix8 = nn.Conv2d(48, 48, 1), nn.Conv2d(48, 48, 1), Residual(48)
        self.last = nn.Conv2d(48, 4, 1)
        with torch.no_grad():
            self.last.bias[0] = -4.0  # type: ignore[index]  # nearly every cell is empty

    def forward(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        at8 = self.at8(self.at4(rgb * (1 / 64) - 1.875))
        at16 = self.at16(at8)
        at32 = self.at32(at16)
        at32 = at32 + self.whole(at32.mean((2, 3)))[:, :, None, None]
        at16 = self.mix16(_twice(self.narrow32(at32)) + self.skip16(at16))
        maps = self.last(self.mix8(_twice(self.narrow16(at16)) + self.skip8(at8)))
        return maps[:, :1], maps[:, 1:]


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


class Exported(nn.Module):
    """The network as shipped: `heat` 0..1, `size` face height / 192, both (n, 1, 24, 24); `shift` (n, 2, 24, 24)."""

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
    """How the finder is trained."""

    steps: int = 3900
    batch: int = 16  #: composites in a step; each comes with its mirror image
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    seed: int = 20
    workers: int = 1
    threads: int = 1


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
    return [cutout for tar in tars for cutout in make_cutouts(whole_tar(tar))]


def train_finder(
    data: Path, out: Path, *, steps: int | None = None, seed: int | None = None, resume: bool = False
) -> Path:
    """Trains on the tars under `data`; writes `out`/heads.pt every few minutes and at the end, and returns its path.

    steps, seed   None: the plan's, or of what is resumed its own
    resume        goes on from that file

    Raises FaceParseError where the data or the checkpoint is missing, or that was begun with another seed.
    """
    checkpoint = out / CHECKPOINT
    shown = printable(os.fspath(checkpoint))
    state = _to_resume(checkpoint) if resume else None
    plan = FinderPlan(**json.loads(state["plan"])) if state else FinderPlan()
    if state and seed not in (None, plan.seed):
        raise FaceParseError(f"{shown} was begun with the seed {plan.seed}; leave --seed out, or begin anew")
    plan = replace(plan, steps=plan.steps if steps is None else steps, seed=plan.seed if seed is None else seed)
    if state and state["step"] >= plan.steps:
        print(f"{shown} has its {state['step']} steps already; more --steps go on")
        return checkpoint
    torch.set_num_threads(plan.threads)
    torch.manual_seed(plan.seed)
    out.mkdir(parents=True, exist_ok=True)
    network = HeadFinder().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = torch.optim.swa_utils.AveragedModel(network, avg_fn=_average, use_buffers=True)
    optimizer = torch.optim.AdamW(network.parameters(), plan.learning_rate, weight_decay=plan.weight_decay)
    step, spent = 0, 0.0
    if state:
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
        for group in optimizer.param_groups:
            group["lr"] = plan.learning_rate * _schedule(step, plan.steps)
        rgb, target = with_mirrors(rgb, target)
        images = rgb.to(torch.bfloat16, memory_format=torch.channels_last)  # 0..255 are exact in it
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
        seconds = time.monotonic() - began
        if seconds - said > 10 or step == plan.steps:
            said, rate = seconds, step / seconds
            mean, left = sum(losses[-100:]) / len(losses[-100:]), (plan.steps - step) / rate / 60
            pictures = rate * plan.batch * 2
            print(f"step {step}  loss {mean:.4f}  {pictures:.0f} pictures/s  {left:.1f} min left", flush=True)
        if time.monotonic() - saved > 120 or step == plan.steps:
            saved = time.monotonic()
            _save(checkpoint, network, average, optimizer, step, seconds, plan)
    return checkpoint


def _to_resume(checkpoint: Path) -> dict[str, Any]:
    """Raises FaceParseError where there is none, or another network's."""
    check_start(checkpoint, resume=True, again=False)
    state = load(checkpoint)
    wanted = {"network", "average", "optimizer", "step", "seconds", "plan"}
    if not isinstance(state, dict) or not wanted <= state.keys():
        raise FaceParseError(f"{printable(os.fspath(checkpoint))}: not a checkpoint of the network heads")
    return state


def _average(mean: Tensor, new: Tensor, count: Tensor | int) -> Tensor:
    """A running mean over the last 200 steps, over fewer while there are fewer."""
    return mean + (new - mean) * max(1 / 200, 1 / (float(count) * 0.5 + 1))


def _schedule(step: int, steps: int) -> float:
    """Warm up over 100 steps, then a cosine down to 1 % of the learning rate."""
    return min(1.0, (step + 1) / 100) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def _batches(studio: Studio, plan: FinderPlan, step: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches from number `step` to the last, made by `plan.workers` processes."""
    composites = _Composites(studio, step * plan.batch, (plan.steps - step) * plan.batch)
    yield from torch.utils.data.DataLoader(composites, plan.batch, num_workers=plan.workers)


def _save(
    path: Path, network: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer, step: int, seconds: float,
    plan: FinderPlan,
) -> None:  # fmt: skip
    state = {"network": network.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict()}
    save({**state, "step": step, "seconds": seconds, "plan": json.dumps(asdict(plan))}, path)


def load_finder(checkpoint: Path) -> HeadFinder:
    """The averaged network of a checkpoint, ready to run. Raises FaceParseError where it is not one of ours."""
    holds = load(checkpoint)
    try:
        state = holds["average"]
        network = HeadFinder()
        prefix = "module."
        network.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    except Exception as error:  # whatever another kind of checkpoint holds
        raise FaceParseError(f"{checkpoint}: not a checkpoint of the head finder") from error
    return network.eval()


# ------------------------------------------------------------------------------------------------- export and measure


def export_finder(checkpoint: Path, onnx_path: Path) -> None:
    """Writes the averaged network of `checkpoint` as .onnx."""
    from faceparse_core.training.export import fold, write_onnx

    network = Exported(load_finder(checkpoint))
    fold(network)
    write_onnx(network, onnx_path, SIZE, ["heat", "size", "shift"], {"faceparse.size": str(SIZE)})


@dataclass
class _Tally:
    """Faces wanted, found, and found where none is; how far off those found are, in face heights."""

    wanted: int = 0
    found: int = 0
    false: int = 0
    size_errors: list[float] = field(default_factory=list)
    center_errors: list[float] = field(default_factory=list)

    def add(self, faces: Sequence[Spot], either: Sequence[Spot], heads: Sequence[Head]) -> None:
        """Counts what was found in one picture with `faces`; a head at one of `either` counts as nothing."""
        left = list(heads)
        self.wanted += len(faces)
        for spot in faces:
            near = [h for h in left if math.hypot(h.x - spot.x, h.y - spot.y) < 0.5 * spot.size]
            if near:
                best = min(near, key=lambda h: abs(math.log(h.size / spot.size)))
                left.remove(best)
                self.found += 1
                self.size_errors.append(abs(best.size / spot.size - 1))
                self.center_errors.append(math.hypot(best.x - spot.x, best.y - spot.y) / spot.size)
        self.false += sum(all(math.hypot(h.x - s.x, h.y - s.y) > s.size for s in either) for h in left)

    def __str__(self) -> str:
        recall, precision = self.found / max(self.wanted, 1), self.found / max(self.found + self.false, 1)
        size, center = self.size_errors or [0.0], self.center_errors or [0.0]
        return (
            f"{self.wanted} faces, recall {recall:.3f}, precision {precision:.3f}; size off by {np.median(size):.3f} "
            f"(median), {np.quantile(size, 0.9):.3f} (9 in 10); centre by {np.median(center):.3f} face heights"
        )


def evaluate_finder(data: Path, model: str | None = None, photos: Path | None = None) -> str:
    """How well the finder (the embedded one, or the .onnx `model`) does, as text.

    On 1000 composites of the pairs held out, on those pairs upright and whole, and, where `photos` names a folder of
    JPEGs with one head each, on those. The composites are as small as the network's input: no second look helps there.
    """
    pictures = sorted(photos.glob("*.jpg")) if photos else []
    if photos and not pictures:
        raise FaceParseError(f"{photos}: no .jpg there; --photos names a folder of photos with one head each")
    studio = Studio(_cutouts([data / "celebamask" / "val.tar"]), seed=1)
    collages = [studio.composite(i) for i in range(1000)]
    heads = [find_heads(collage.rgb, model) for collage in collages]
    lines = []
    for name, low, high in (
        ("all", 0.0, 9.0),
        ("under 10 %", 0.0, 0.1),
        ("10 to 25 %", 0.1, 0.25),
        ("above", 0.25, 9.0),
    ):
        tally = _Tally()
        for collage, found in zip(collages, heads, strict=True):
            inside = [s for s in collage.faces if low <= s.size / SIZE < high]
            others = [s for s in collage.faces if s not in inside]
            tally.add(inside, (*collage.unsure, *others), [h for h in found if low <= h.size / SIZE < high])
        lines.append(f"composites, face {name}: {tally}")
    empty = [bool(found) for c, found in zip(collages, heads, strict=True) if not c.faces and not c.unsure]
    lines.append(f"composites without a face: {sum(empty)} of {len(empty)} with a false one")
    tally = _Tally()
    for portrait in map(studio.portrait, range(len(studio.cutouts))):
        tally.add(portrait.faces, portrait.unsure, find_heads(portrait.rgb, model))
    lines.append(f"pairs held out, upright: {tally}")
    if pictures:
        counts = {path.name: len(find_heads(read_photo(path).rgb, model)) for path in pictures}
        lines.append(f"photos: {sum(n == 1 for n in counts.values())} of {len(counts)} with one head")
        lines += [f"  {name}: {count} heads" for name, count in counts.items() if count != 1]
    return "\n".join(lines)
