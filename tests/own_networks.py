"""Made-up networks with a part of their own: a sticker, which is whatever is green.

`tests/data/sticker.onnx` was written by `python tests/own_networks.py`; onnx has to be there for that.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from conftest import ROOT

from faceparse_core.parts import PARTS

DATA = ROOT / "tests" / "data"
GREEN = (20, 220, 40)  # RGB
STICKERS = ((205, 140, 11), (245, 85, 8), (226, 166, 9))  # on the astronaut's face: x, y, radius, px


def stickered(astronaut: Path, folder: Path, heads: int = 1) -> Path:
    """The example photo, twice as large, with three green stickers on the face; or two of them side by side."""
    picture = cv2.resize(cv2.imread(os.fspath(astronaut)), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    for x, y, radius in STICKERS:
        cv2.circle(picture, (2 * x, 2 * y), 2 * radius, GREEN[::-1], -1, cv2.LINE_AA)
    if heads == 2:
        picture = np.hstack([picture[:, :800], picture[:, :199:-1]])
    path = folder / "stickered.png"
    cv2.imwrite(os.fspath(path), picture)
    return path


def is_green(picture: Path) -> np.ndarray:
    """bool (H, W)."""
    rgb = cv2.imread(os.fspath(picture)).astype(int)
    return np.abs(rgb - GREEN[::-1]).max(axis=2) < 40


def describe(model: Path, classes: Sequence[str], own: Mapping[str, object]) -> Path:
    """Write the file that lies beside a model."""
    path = model.with_suffix(".parts.json")
    path.write_text(json.dumps({"classes": classes, "own": own}), "utf-8")
    return path


def twenty_one(path: Path, **own: object) -> Path:
    """The embedded network with one class more, the last; and its NAME.parts.json."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(os.fspath(ROOT / "faceparse_core" / "models" / "parser.onnx"))
    graph, node = model.graph, helper.make_node
    for each in graph.node:
        each.input[:] = ["twenty" if name == "scores" else name for name in each.input]
        each.output[:] = ["twenty" if name == "scores" else name for name in each.output]
    values = {
        "green over": np.array([[-1, 1, 0], [0, 1, -1]], np.float32)[:, :, None, None],
        "gain": np.float32(0.4), "shift": np.float32(-24),
        "0": np.array([0], np.int64), "2": np.array([2], np.int64), "4": np.array([4], np.int64),
    }  # fmt: skip
    graph.initializer.extend([numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()])
    graph.node.extend(
        [
            node("Conv", ["rgb", "green over"], ["both"]),
            node("ReduceMin", ["both"], ["least"], axes=[1], keepdims=1),
            node("Mul", ["least", "gain"], ["louder"]),
            node("Add", ["louder", "shift"], ["fine"]),
            node("Shape", ["twenty"], ["shape"]),
            node("Slice", ["shape", "2", "4"], ["cells"]),
            node("Shape", ["fine"], ["fine shape"]),
            node("Slice", ["fine shape", "0", "2"], ["first"]),
            node("Concat", ["first", "cells"], ["size"], axis=0),
            node("Resize", ["fine", "", "", "size"], ["sticker"], mode="linear"),
            node("Concat", ["twenty", "sticker"], ["scores"], axis=1),
        ]
    )
    graph.output[0].type.tensor_type.shape.dim[1].dim_value = 21
    path.write_bytes(model.SerializeToString())
    describe(path, [part.name for part in PARTS] + ["sticker"], {"sticker": own})
    return path


def by_colour() -> bytes:
    """background, head (more red than blue) and sticker (green), by one convolution."""
    from onnx import TensorProto, helper, numpy_helper

    weight = 0.05 * np.array([[0, 0, 0], [1, 0, -1], [-1, 2, -1]], np.float32)[:, :, None, None]
    bias = 0.05 * np.array([0, -25, -120], np.float32)
    read, said = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, 96, 96]) for name in ("rgb", "scores")
    )
    given = [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(bias, "bias")]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["rgb", "weight", "bias"], ["scores"])], "sticker", [read], [said], given
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"faceparse.size": "96", "faceparse.frame": "1.34"})
    return bytes(model.SerializeToString())


if __name__ == "__main__":
    (DATA / "sticker.onnx").write_bytes(by_colour())
    sys.stdout.write(f"wrote {DATA / 'sticker.onnx'}\n")
