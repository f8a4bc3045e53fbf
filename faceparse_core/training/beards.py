"""Beards on photos whose labels call them skin: self-training (Lee, "Pseudo-Label", ICML 2013 workshop).

People labelled CelebAMask-HQ's beards as skin. A network that has learnt the beard on rendered heads points at the real
ones, but doubts: it is sure in the middle of a beard and unsure towards its edges. What it is sure of tells what this
man's beard and this man's skin look like; every other pixel of his skin is then asked which of both it looks like. What
stays open is labelled SKIN_OR_BEARD, and the loss takes both for right.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceparse_core.cache import whole_file
from faceparse_core.parts import BEARD, HAIR, HEAD, MOUTH, NECK
from faceparse_core.training.data import DataSet, Pair
from faceparse_core.training.labels import SKIN_OR_BEARD, UNKNOWN
from faceparse_core.training.saving import written
from faceparse_core.training.teacher import Teacher

SIZE = 384  #: px, the square that photos are read at
GRID = 96  #: cells across, of what is kept of a photo's answer


@dataclass(frozen=True)
class BeardSettings:
    sure: float = 0.6  # probability from which on a pixel tells what a beard looks like ...
    bare: float = 0.03  # ... and up to which it tells what skin looks like
    bearded: float = 0.010  # a photo shows a beard if this share of it is more probably beard than not ...
    beardless: float = 0.002  # ... and none up to this share
    hint: float = 0.1  # probability up to which it has hardly a doubt of skin
    enough: int = 200  # pixels of beard, and of skin, that tell what both look like
    weight: float = 1.0  # of the look beside the network's word
    keep: float = 0.8  # probability, after both, from which on a pixel is labelled beard ...
    drop: float = 0.2  # ... and up to which skin
    least: float = 0.002  # share of the photo: smaller pieces of beard stay open
    around: float = 0.25  # share of the skin around the lips that a beard covers; what covers less may be a shadow


def tell_beards(sets: Sequence[DataSet], teacher: Teacher, answers: Path) -> list[DataSet]:
    """`sets` with the skin of people's labels told apart by a network that knows the beard; all others as they are.

    answers    a folder to keep in what the network said of the photos: that takes a while, and a resumed run asks again

    Raises PairError on a broken pair, FaceParseError where a file cannot be written.
    """
    out = []
    for one in sets:
        if one.rendered or one.own or BEARD not in one.meanings.get(HEAD, ()):
            out.append(one)
            continue
        said = _asked(one, teacher, answers / f"beards-{len(out)}.npz")
        meanings = {**one.meanings, HEAD: frozenset({HEAD}), BEARD: frozenset({BEARD})}
        meanings[SKIN_OR_BEARD] = frozenset({HEAD, BEARD})
        out.append(replace(one, read=_Told(one, said), meanings=meanings))
    return out


@dataclass(frozen=True)
class _Told:
    one: DataSet
    said: NDArray[np.uint8]

    def __call__(self, index: int) -> Pair:
        return label_beards(self.one.read(index), self.said[index] / np.float32(255))


def _asked(one: DataSet, teacher: Teacher, path: Path) -> NDArray[np.uint8]:
    """The probability of a beard in each photo of a data set, in 255ths, uint8 (pairs, GRID, GRID)."""
    key = hashlib.sha256("\n".join((teacher.parser.info.sha256, one.name, *one.names)).encode()).hexdigest()
    if path.exists():
        with np.load(path) as kept:
            if str(kept["key"]) == key:
                return np.asarray(kept["said"], np.uint8)
    asked = replace(teacher, parser=replace(teacher.parser, size=SIZE))
    column = teacher.classes.of_part[BEARD]
    said = np.zeros((len(one.names), GRID, GRID), np.uint8)
    for index in range(len(said)):
        said[index] = np.rint(255 * asked.probabilities(one.read(index).rgb, GRID)[column])
        if (index + 1) % 500 == 0:
            print(f"looked for beards in {index + 1} of {len(said)} photos", file=sys.stderr)
    with written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, key=np.array(key), said=said)
    return said


def label_beards(pair: Pair, beard: NDArray[np.float32], s: BeardSettings = BeardSettings()) -> Pair:
    """`pair` with its skin told apart into skin, BEARD and SKIN_OR_BEARD.

    beard    the network's probability of a beard, float32 (h, w) of any size, over the whole frame
    """
    height, width = pair.labels.shape
    said = cv2.resize(beard, (width, height), interpolation=cv2.INTER_LINEAR)
    skin = pair.labels == HEAD
    labels = pair.labels.copy()
    share = float((said[skin] > 0.5).sum()) / labels.size
    again = _asked_again(pair.rgb, skin, said, s) if share >= s.bearded else None
    if again is None:
        labels[skin & (said > (s.hint if share <= s.beardless else s.bare))] = SKIN_OR_BEARD
        return replace(pair, labels=labels)
    labels[skin & (again > s.drop)] = SKIN_OR_BEARD
    lips = np.isin(pair.labels, MOUTH).astype(np.uint8)
    ring = skin & (cv2.dilate(lips, np.ones((3, 3), np.uint8), iterations=max(1, height // 26)) > 0)
    if not ring.any() or (again[ring] > s.keep).mean() < s.around:
        return replace(pair, labels=labels)
    _, pieces, stats, _ = cv2.connectedComponentsWithStats((skin & (again > s.keep)).astype(np.uint8))
    large = stats[:, cv2.CC_STAT_AREA] >= s.least * labels.size
    large[0] = False
    labels[large[pieces]] = BEARD
    elsewhere = ((labels == HAIR) | (labels == NECK)) & (said > 0.5)  # the end of a long beard, called hair or neck
    labels[elsewhere] = UNKNOWN
    return replace(pair, labels=labels)


def _asked_again(
    rgb: NDArray[np.uint8], skin: NDArray[np.bool_], said: NDArray[np.float32], s: BeardSettings
) -> NDArray[np.float32] | None:
    """The probability of a beard by the network's word and by the look, (H, W); None where too little is sure."""
    sure, bare = skin & (said > s.sure), skin & (said < s.bare)
    reach = max(1, len(skin) // 12)
    near = cv2.dilate((said > s.hint).astype(np.uint8), np.ones((3, 3), np.uint8), iterations=reach) > 0
    bare &= near  # the skin beside the beard, not the forehead in another light
    if min(sure.sum(), bare.sum()) < s.enough:
        return None
    prior = np.log(np.clip(said, 0.02, 0.98) / (1 - np.clip(said, 0.02, 0.98)))
    odds = prior + s.weight * np.clip(_likelier(_look(rgb), sure, bare), -3, 3)
    odds = cv2.bilateralFilter(np.clip(odds, -6, 6).astype(np.float32), 0, 2.0, 3.0)
    again = 1 / (1 + np.exp(-odds))
    again[said < s.bare] = 0
    return np.asarray(again, np.float32)


def _look(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a pixel's surroundings look like, float32 (h, w, 4): colour, and how rough it is."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    smooth = cv2.GaussianBlur(lab, (0, 0), 2.0)
    rough = cv2.GaussianBlur((lab[..., 0] - smooth[..., 0]) ** 2, (0, 0), 3.0)
    return np.dstack([smooth, 10 * np.log1p(rough)]).astype(np.float32)


def _likelier(look: NDArray[np.float32], one: NDArray[np.bool_], other: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Log of how much likelier each look is under the normal distribution of `one` than under `other`'s."""
    out = np.zeros(look.shape[:2], np.float32)
    for mask, sign in ((one, 1.0), (other, -1.0)):
        values = look[mask].astype(np.float64)
        spread = np.cov(values.T) + 4.0 * np.eye(values.shape[1])
        off = look - values.mean(0)
        distance = np.einsum("...i,ij,...j->...", off, np.linalg.inv(spread), off, optimize=True)
        out -= (sign * 0.5 * (distance + np.linalg.slogdet(spread)[1])).astype(np.float32)
    return out
