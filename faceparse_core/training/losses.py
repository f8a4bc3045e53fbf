"""What the parser's training makes small."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from faceparse_core.parts import BEARD, HEAD
from faceparse_core.training.data import UNKNOWN


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
