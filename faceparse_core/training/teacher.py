"""An exported network by its own classes: what training goes on from, what labels users' photos, what is measured."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceparse_core.classes import Classes
from faceparse_core.errors import ModelError, printable
from faceparse_core.models import folder as MODELS
from faceparse_core.parse import score_box
from faceparse_core.parser import EMBEDDED, ModelInfo, Parser
from faceparse_core.training.labels import network_classes


@dataclass(frozen=True)
class Teacher:
    """`parser.run` answers with scores by class."""

    parser: Parser
    classes: Classes

    @cached_property
    def parts(self) -> NDArray[np.uint8]:
        """The id of the part that each class goes by, uint8 (classes,)."""
        return np.array([parts[0] for parts in self.classes.meanings], np.uint8)

    def scores(self, rgb: NDArray[np.uint8], mirror: bool = True) -> NDArray[np.float32]:
        """Scores (classes, h, h) of a square picture, uint8 RGB (side, side, 3); `mirror`: the mean of both ways."""
        return score_box(rgb, (0, 0, rgb.shape[1], rgb.shape[1]), self.parser, mirror)

    def probabilities(self, rgb: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
        """Of each class, float32 (classes, side, side), for a square picture, uint8 RGB."""
        planes = [cv2.resize(plane, (side, side), interpolation=cv2.INTER_LINEAR) for plane in self.scores(rgb)]
        scores = np.stack(planes).astype(np.float32)
        scores -= scores.max(0)
        np.exp(scores, out=scores)
        scores /= scores.sum(0)
        return scores


def load_teacher(path: Path | str) -> Teacher:
    """The network in an .onnx that `export parser` wrote, with the card beside it; `embedded` is ours.

    Raises ModelError where it is none.
    """
    from faceparse_core.onnx_session import load_session

    source = MODELS / "parser.onnx" if str(path) == EMBEDDED else Path(path)
    shown = printable(os.fspath(source))
    session = load_session(source)
    meta = session.get_modelmeta().custom_metadata_map
    if not {"faceparse.size", "faceparse.frame"} <= meta.keys() or session.get_inputs()[0].name != "rgb":
        raise ModelError(f"{shown}: not a parser that `export parser` wrote")
    classes = network_classes(source)
    size = int(meta["faceparse.size"])

    def run(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(session.run(None, {"rgb": rgb})[0], np.float32)

    count = run(np.zeros((1, 3, 64, 64), np.float32)).shape[1]
    if count != len(classes.meanings):
        raise ModelError(
            f"{shown}: has {count} classes, and the file beside it names {len(classes.meanings)}; export it again"
        )
    name = EMBEDDED if str(path) == EMBEDDED else printable(source.name)
    info = ModelInfo(name, hashlib.sha256(source.read_bytes()).hexdigest())
    return Teacher(Parser(info, size, float(meta["faceparse.frame"]), run), classes)
