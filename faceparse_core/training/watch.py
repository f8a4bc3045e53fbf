"""How a network does while it is trained: its scores on pairs held out, and a sheet of samples to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from faceparse_core.classes import Classes
from faceparse_core.errors import FaceParseError
from faceparse_core.heads import CELEBA_SIDE
from faceparse_core.parser import ModelInfo, Parser
from faceparse_core.training.data import Pair, PairError, tell_broken
from faceparse_core.training.evaluate import say, truth
from faceparse_core.training.layouts import find_sets
from faceparse_core.training.report import draw_sheet
from faceparse_core.training.saving import save_bytes
from faceparse_core.training.stepper import normalise

T = TypeVar("T")


def spread(items: Sequence[T], count: int) -> list[T]:
    """`count` of the items, or all where there are fewer: the same ones every time, from the first to the last."""
    count = min(count, len(items))
    return [items[k * len(items) // count] for k in range(count)]


def read_held_out(data: Sequence[Path], count: int, skip_broken: bool = False) -> list[Pair]:
    """At most `count` of the pairs that the data sets in these folders hold out, in their order.

    Broken ones are left out and told, or else raise PairError; FaceParseError is raised where there is none. What is
    broken in a folder as a whole is told with the pairs that are learnt.
    """
    sets, broken = [], []
    for path in data:
        to_learn = find_sets(path)
        learnt = {(one.name, name) for one in to_learn for name in one.names}
        told = {line for one in to_learn for line in one.broken}
        held_out = [one for one in find_sets(path, "test") if learnt.isdisjoint((one.name, name) for name in one.names)]
        broken += [line for one in held_out for line in one.broken if line not in told]
        sets += held_out
    if broken and not skip_broken:
        raise PairError(broken[0])
    if not any(one.names for one in sets):
        raise FaceParseError("--validate needs pairs that are held out; name a data set that has some with --data")
    places = spread([(one, number) for one in sets for number in range(len(one.names))], count)
    pairs = []
    for held, number in places:
        try:
            pairs.append(replace(held.read(number), meanings=held.meanings))
        except PairError as error:
            if not skip_broken:
                raise
            broken.append(str(error))
    tell_broken(broken)
    if places and not pairs:
        raise FaceParseError("--validate needs pairs that are held out; all of those are broken")
    return pairs


def as_parser(network: nn.Module, size: int, device: torch.device) -> Parser:
    """A network of normalised pictures as the parser that the export would be. size: px, the square that it reads."""

    def run(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            scores: NDArray[np.float32] = network(normalise(torch.from_numpy(rgb).to(device))).cpu().numpy()
        return scores

    return Parser(ModelInfo("in training", ""), size, CELEBA_SIDE, run)


def write_sheet(parser: Parser, classes: Classes, pairs: Sequence[Pair], path: Path) -> None:
    """Photo, labels and what the parser says of each pair, as a PNG. Raises FaceParseError."""
    rows = [(pair.rgb, truth(pair, classes), say(parser, pair, False, classes)) for pair in pairs]
    save_bytes(cv2.imencode(".png", draw_sheet(rows, classes)[..., ::-1])[1].tobytes(), path)
