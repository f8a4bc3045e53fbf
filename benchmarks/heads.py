#!/usr/bin/env python3
"""Several people in one photo: how many heads are drawn, and does everybody have what is theirs?

    FACEPARSE_DATA=... python benchmarks/heads.py [--photos 20] [--first 60] [--pictures FOLDER]

Two to four people of CelebAMask-HQ's validation pairs are cut out by their label maps and pasted beside each other, the
larger ones in front, so that hair and shoulders overlap. Of each person: the IoU of what is drawn for them with what
shows of them; of all pixels that are drawn and are somebody's: the share that is drawn for the right person. The
constants of faceparse_core/group.py were tuned on pairs from the first 60, so that the default begins behind those.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from faceparse_core.errors import FaceParseError, NoFaceError
from faceparse_core.group import count_faces, labels_of
from faceparse_core.parse import parse_heads
from faceparse_core.parser import load_parser
from faceparse_core.photo import Photo
from faceparse_core.training.data import Pair, data_folder
from faceparse_core.training.layouts import celebamask_val
from svg_export.preview import png

HEIGHT = 700  # px


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=20)
    parser.add_argument("--first", type=int, default=60, help="of the pairs: the first that is taken")
    parser.add_argument("--pictures", type=Path, help="a folder for the photos with their people tinted")
    arguments = parser.parse_args()
    pairs = list(celebamask_val(data_folder()))[arguments.first :]
    model = load_parser()
    ious: list[float] = []
    right: list[float] = []
    drawn = people = 0
    began = time.perf_counter()
    for number in range(arguments.photos):
        rgb, owner = composite(number, pairs)
        people += int(owner.max())
        try:
            group = parse_heads(Photo(rgb, f"{number}"), model).labels
        except NoFaceError:
            group = np.zeros(owner.shape, np.uint8)
        masks = [labels_of(group, face) > 0 for face in range(1, count_faces(group) + 1)]
        drawn += sum(bool(mask.any()) for mask in masks)
        for person in np.unique(owner[owner > 0]):
            theirs = owner == person
            ious.append(max(float((mask & theirs).sum() / (mask | theirs).sum()) for mask in masks))
        said = np.zeros_like(owner)
        for mask in masks:
            said[mask] = np.bincount(owner[mask & (owner > 0)], minlength=2).argmax()
        both = (said > 0) & (owner > 0)
        right.append(float((said == owner)[both].mean()) if both.any() else 0.0)
        if arguments.pictures:
            tint = np.random.default_rng(0).integers(60, 255, (256, 3))[said] * (said > 0)[..., None]
            (arguments.pictures / f"{number}.png").write_bytes(png((0.5 * rgb + 0.5 * tint).astype(np.uint8)))
    spent = (time.perf_counter() - began) / arguments.photos
    print(f"{drawn} heads drawn of {people}; IoU of a person {np.mean(ious):.3f}, of every tenth at most ", end="")
    print(f"{np.quantile(ious, 0.1):.3f}; drawn for the right one {np.mean(right):.4f}; {spent:.2f} s a photo")


def composite(seed: int, pairs: list[Pair]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A photo of people (H, W, 3), and which of them shows at each pixel (H, W), 0 for none."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 5))
    width = 400 + 300 * count
    chosen = rng.choice(len(pairs), count, replace=False)
    middle = np.linspace(250, width - 250, count) + rng.normal(0, 25, count)
    scale = rng.uniform(0.7, 1.2, count)
    above, below = rng.integers(60, 230, (2, 3))
    ramp = np.linspace(0, 1, HEIGHT)[:, None, None]
    rgb = np.broadcast_to(above * (1 - ramp) + below * ramp, (HEIGHT, width, 3)).astype(np.float32)
    owner = np.zeros((HEIGHT, width), np.uint8)
    for person, k in enumerate(np.argsort(scale), 1):
        pair = pairs[chosen[k]]
        side = round(len(pair.labels) * scale[k])
        picture = cv2.resize(pair.rgb, (side, side), interpolation=cv2.INTER_AREA)
        mask = cv2.resize((pair.labels > 0).astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST)
        left, top = round(middle[k] - side / 2), HEIGHT - side
        columns = slice(max(0, left), min(width, left + side))
        cut = np.s_[:, columns.start - left : columns.stop - left]
        share = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.0)[cut][..., None]
        room = np.s_[top:, columns]
        rgb[room] = rgb[room] * (1 - share) + picture[cut] * share
        owner[room][mask[cut] > 0] = person
    return rgb.astype(np.uint8), owner


if __name__ == "__main__":
    try:
        main()
    except FaceParseError as error:  # no data set, no such network
        sys.exit(str(error))
