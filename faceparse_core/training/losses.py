"""What the parser's training makes small."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceparse_core.classes import Classes
from faceparse_core.training.labels import UNKNOWN, Legend, growth


@dataclass(frozen=True)
class LabelTable:
    """A legend as tensors, for the labels that occur: `rows` in all, the last of them UNKNOWN."""

    row: Tensor  #: int64 (256,): label -> row
    allowed: Tensor  #: float32 (rows, classes): 1 where a label may stand for a class
    goes_by: Tensor  #: float32 (classes, rows): 1 for the class that a label goes by
    hits: (
        Tensor  #: float32 (classes, rows, classes): where a class's probability is right for what the label goes by ...
    )
    false: Tensor  #: ... and where it is wrong, in the words of the label's data set

    def to(self, device: torch.device | str) -> LabelTable:
        """The same on another device."""
        return LabelTable(*(x.to(device) for x in (self.row, self.allowed, self.goes_by, self.hits, self.false)))


def label_table(legend: Legend) -> LabelTable:
    """The tensors of a legend, on the CPU."""
    labels = [k for k in range(256) if legend.allowed[k].any() and k != UNKNOWN] + [UNKNOWN]
    row = torch.full((256,), len(labels) - 1, dtype=torch.int64)
    row[labels] = torch.arange(len(labels))
    allowed = torch.from_numpy(legend.allowed[labels]).float()
    spoken = torch.from_numpy(legend.spoken[labels]).float()  # rows, classes, classes
    by = torch.from_numpy(legend.goes_by[labels])
    goes_by = (by == torch.arange(allowed.shape[1])[:, None]).float()
    hits = goes_by[:, :, None] * allowed
    false = spoken.permute(1, 0, 2) * (1 - allowed)
    return LabelTable(row, allowed, goes_by, hits, false)


def parsing_loss(scores: Tensor, labels: Tensor, table: LabelTable) -> Tensor:
    """Cross entropy of the harder pixels plus Dice over the classes, on the labels' grid.

    scores    (n, classes, h, w)
    labels    uint8 (n, H, W), numbered as in a `Legend`; H and W are h and w, or multiples of them
    table     that legend

    The probabilities of all that a label may stand for are taken together: the entropy is that of their sum. For Dice
    labels of several data sets that go by one class count together, but each is measured in its own data set's words:
    where people call a beard skin, a beard's probability is skin's, right or wrong.
    """
    scores = scores.float()
    stride = labels.shape[1] // scores.shape[2]  # the auxiliary heads are coarser: every second or fourth label
    rows = table.row[labels[:, stride // 2 :: stride, stride // 2 :: stride].long()]
    probability = scores.softmax(1)
    known = (rows != len(table.allowed) - 1).flatten()
    flat = probability.permute(0, 2, 3, 1).flatten(0, 2)  # pixels, classes
    hit = (flat * table.allowed[rows.flatten()]).sum(1)
    entropy = -(hit.clamp_min(1e-6).log() * known)
    hardest = entropy.topk(entropy.numel() // 4).values.mean()
    said = F.one_hot(rows.flatten(), len(table.allowed)).to(flat.dtype)  # pixels, rows
    confusion = said.T @ flat  # how much of each class's probability lies on each label
    overlap = torch.einsum("arc,rc->a", table.hits, confusion)
    wrong = torch.einsum("arc,rc->a", table.false, confusion)
    size = table.goes_by @ said.sum(0)
    dice = 1 - (2 * overlap + 1) / (overlap + wrong + size + 1)
    present = size > 0
    return hardest + 0.5 * (dice * present).sum() / present.sum().clamp_min(1)


@dataclass(frozen=True)
class Memory:
    """What a network said before it was taught more."""

    network: nn.Module  #: RGB 0..255 (n, 3, h, w) to scores (n, known, h/4, w/4); it does not learn
    known: Tensor  #: int64 (known,): for each of its classes the class that it is now
    taught: Tensor  #: bool (256,): labels that go by a class that it is taught now

    def to(self, device: torch.device | str) -> Memory:
        """The same on another device."""
        return Memory(self.network.to(device), self.known.to(device), self.taught.to(device))


def make_memory(network: nn.Module, before: Classes, legend: Legend, again: frozenset[str]) -> Memory:
    """The memory of `network`, which tells the classes `before` apart, while it learns those of `legend`.

    again    names of the classes that it knows and is taught further: what it says of them is not kept
    """
    classes = legend.classes
    rows = growth(before, classes)
    new = [k for k, name in enumerate(classes.names) if not rows[k].any() or name in again]
    known = torch.from_numpy(rows.argmax(0))
    taught = torch.from_numpy(legend.goes_by[:, None] == new).any(1)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    return Memory(network.eval(), known, taught)


def memory_loss(scores: Tensor, labels: Tensor, rgb: Tensor, memory: Memory) -> Tensor:
    """How far a network has come from what it said before: the Kullback-Leibler divergence in nats, per pixel.

    scores    (n, classes, h, w) for rgb (n, 3, 4 h, 4 w), 0..255
    labels    uint8 (n, h, w): where they name what is new, nothing is kept

    Only what it says of the classes that it knew is compared, as if there were no others (Li and Hoiem, "Learning
    without forgetting", arXiv 1606.09282): how likely a new one is beside them is for the labels to say.
    """
    with torch.no_grad():
        before = memory.network(rgb).float().log_softmax(1)
    now = scores.float()[:, memory.known].log_softmax(1)
    apart = (before.exp() * (before - now)).sum(1)
    kept = ~memory.taught[labels.long()]
    return (apart * kept).sum() / kept.sum().clamp_min(1)
