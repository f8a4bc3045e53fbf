"""The recipe for a part of one's own, on a part whose truth is known: the beard, for a network that has none.

    FACEPARSE_DATA=... python benchmarks/own_beard.py FOLDER [--photos 20] [--steps N]

The embedded network loses its beard's class. Of the rendered pairs to train on, those with the largest beards become
photos with painted masks, and four without a beard empty ones; `train parser --add beard=FOLDER/train` teaches them.
Printed are the beard's IoU on the rendered pairs held out, and what the rest has lost. What is left of the beard in
the layers before the last is not undone, so a part that no layer has seen will take more photos.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
from onnx import numpy_helper

from faceparse_core.classes import OUR_CLASSES, Classes, write_beside
from faceparse_core.errors import FaceParseError
from faceparse_core.models import folder as MODELS
from faceparse_core.parts import BEARD
from faceparse_core.training.__main__ import main as command
from faceparse_core.training.data import data_folder, decode_labels
from faceparse_core.training.evaluate import evaluate
from faceparse_core.training.files import open_files
from faceparse_core.training.layouts import celebamask_val, find_sets, rendered_held_out
from faceparse_core.training.teacher import load_teacher

SIZE = 384  # px at which whole frames are read, as the model card's scores are
LEAST = 0.002  # share of a picture that a beard covers at least


def main() -> int:
    """Exit status 1 where training fails."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--photos", type=int, default=20, help="with a beard (default: 20)")
    arguments.add_argument("--steps", help="of training (default: that of --add)")
    arguments.add_argument("--resume", action="store_true", help="go on with training")
    a = arguments.parse_args()
    try:
        data = data_folder()
    except FaceParseError as error:
        raise SystemExit(str(error)) from error
    before, after, run = a.folder / "beardless.onnx", a.folder / "mine.onnx", str(a.folder / "run")
    without_beard(MODELS / "parser.onnx", before)
    print(
        f"{paint(data / 'facesynthetics' / 'train.tar', a.folder / 'train', a.photos)} photos with a beard, 4 without"
    )
    began = time.monotonic()
    more = [*(["--steps", a.steps] if a.steps else []), "--resume" if a.resume else "--again"]
    add = ["--add", f"beard={a.folder / 'train'}", "--skip-broken", "--from", str(before), "--run", run]
    if command(["train", "parser", *add, *more]) or command(["export", "parser", "--run", run, "-o", str(after)]):
        return 1
    print(f"{(time.monotonic() - began) / 60:.1f} minutes")
    held_out = [one.read(k) for one in rendered_held_out(data) for k in range(len(one.names))]
    people = celebamask_val(data)[::5]
    for name, path in (("before", before), ("after", after)):
        teacher = load_teacher(path)
        parser = replace(teacher.parser, size=SIZE)
        rest = evaluate(parser, people, False, teacher.classes)
        line = f"{name}: mean F1 of the others on {len(people)} of people's pairs {rest.mean_f1:.4f}"
        if BEARD in teacher.parts:
            beard = evaluate(parser, held_out, True, teacher.classes)
            line += f"; beard on {len(held_out)} rendered pairs held out: IoU {beard.iou(BEARD):.4f}"
        print(line)
    return 0


def without_beard(source: Path, target: Path) -> None:
    """The network in an .onnx without its last class, and the file beside it that says so."""
    model = onnx.load(source)
    for tensor in model.graph.initializer:
        if tensor.name.startswith("network.conv_out.conv_out."):
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor)[:BEARD], tensor.name))
    del model.graph.value_info[:]
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = BEARD
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(model.SerializeToString(deterministic=True))
    write_beside(Classes(OUR_CLASSES[BEARD]), target)


def paint(tar: Path, folder: Path, photos: int) -> int:
    """Photos and painted masks of the pairs to train on that show most beard, and of four without; returns how many."""
    folder.mkdir(parents=True, exist_ok=True)
    files = open_files(tar)
    shares = {}
    for name in find_sets(tar)[0].names:
        labels = decode_labels(files.read(str(Path(name).with_suffix(".png"))), name)
        shares[name] = float((labels == BEARD).mean())
        cv2.imwrite(str(folder / f"{Path(name).stem}.png"), np.uint8(255) * (labels == BEARD))
    order = sorted(shares, key=lambda name: (-shares[name], name))
    bearded = [name for name in order if shares[name] > LEAST][:photos]
    taken = {*bearded, *[name for name in order if shares[name] == 0][:4]}
    for name in shares:
        if name in taken:
            (folder / name).write_bytes(files.read(name))
        else:
            (folder / Path(name).with_suffix(".png")).unlink()
    return len(bearded)


if __name__ == "__main__":
    sys.exit(main())
