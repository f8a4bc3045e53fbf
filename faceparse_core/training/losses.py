"""What the parser's training makes small."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from faceparse_core.training.labels import UNKNOWN, Legend


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
