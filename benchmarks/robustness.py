"""How the whole way from photo to label map holds up: heads tilted, far, off centre, dark, grey, covered.

    FACEPARSE_DATA=FOLDER python benchmarks/robustness.py [--model FILE.onnx] [--every N] [--only NAME ...]

Every pair of celebamask/val.tar is changed and goes through `parse_photo` as a user's photo does: the head is found,
cropped, parsed, its map cleaned. Printed is the mean F1 over the 18 parts of CelebAMask-HQ, pixels pooled, beard
counted as skin, and how far it lies from the unchanged pairs', of which what the change pushes out of the picture does
not count either. A photo in which no face is found counts as all background. What lies outside of the data set's frame
has no labels and does not count. Where a change pushes nearly all of a part out of the pictures, the difference over
the other parts alone follows: the F1 of a few pixels weighs as much as the hair's and says little. Then the unchanged
pairs in three groups of equal number by the mean lightness of their skin, part by part, and how far such a mean goes by
the chance of which pictures are in the group.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from faceparse_core.colors import srgb_to_oklab
from faceparse_core.errors import FaceParseError, NoFaceError
from faceparse_core.parse import parse_photo
from faceparse_core.parser import Parser, load_parser
from faceparse_core.parts import BEARD, HEAD, PARTS
from faceparse_core.photo import Photo
from faceparse_core.training.data import Pair, data_folder
from faceparse_core.training.evaluate import SCORED, Scores, confusion
from faceparse_core.training.labels import UNKNOWN
from faceparse_core.training.layouts import celebamask_val
from faceparse_core.training.occluders import occlude

Changed = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]
#: Of a pair and its number: the picture, its labels, the pair's own labels without what is no longer in the picture.
Change = Callable[[Pair, int], Changed]
SLIVER = 0.1  # of a part's pixels in the unchanged pairs: where less is left in the picture, it is a sliver
ENOUGH = 8  # pictures in each group: a part that fewer show says little of a group


def moved(angle: float = 0.0, scale: float = 1.0, right: float = 0.0, down: float = 0.0) -> Change:
    """Turned by degrees, scaled, shifted by shares of the frame; beyond it the photo goes on mirrored and blurred."""

    def change(pair: Pair, _: int) -> Changed:
        height, width = pair.labels.shape
        back = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        matrix = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), angle, scale)
        matrix[:, 2] += right * width, down * height
        source = cv2.GaussianBlur(pair.rgb, (0, 0), 0.4 / scale) if scale < 1 else pair.rgb
        inside = cv2.warpAffine(np.full_like(pair.labels, 255), matrix, (width, height))[..., None] / 255
        rgb = cv2.warpAffine(source, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        beyond = cv2.GaussianBlur(rgb, (0, 0), width / 40)
        labels = cv2.warpAffine(pair.labels, matrix, (width, height), flags=cv2.INTER_NEAREST, borderValue=(UNKNOWN,))
        there = cv2.warpAffine(np.ones_like(pair.labels), matrix, (width, height), flags=back)
        left = np.where(there > 0, pair.labels, UNKNOWN).astype(np.uint8)
        return np.rint(inside * rgb + (1 - inside) * beyond).astype(np.uint8), labels.astype(np.uint8), left

    return change


def dark(pair: Pair, _: int) -> Changed:
    """A quarter of the light, and the sensor's noise."""
    rng = np.random.default_rng(len(pair.name))
    light = (pair.rgb / 255.0) ** 2.2 * 0.25
    coded = 255 * light ** (1 / 2.2) + rng.normal(0, 4, pair.rgb.shape)
    return np.clip(np.rint(coded), 0, 255).astype(np.uint8), pair.labels, pair.labels


def toned(tone: tuple[float, float, float]) -> Change:
    def change(pair: Pair, _: int) -> Changed:
        grey = pair.rgb @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
        return np.clip(np.rint(grey[..., None] * np.array(tone)), 0, 255).astype(np.uint8), pair.labels, pair.labels

    return change


def covered(pairs: list[Pair]) -> Change:
    """One to three things before every face, drawn as for training, from other numbers."""

    def change(pair: Pair, index: int) -> Changed:
        rng = np.random.default_rng((977, index))
        return *occlude(pair.rgb, pair.labels, [pairs[(index + 1) % len(pairs)].rgb], rng), pair.labels

    return change


def changes(pairs: list[Pair]) -> dict[str, Change]:
    return {
        "unchanged": lambda pair, _: (pair.rgb, pair.labels, pair.labels),
        "tilted by 20": moved(angle=20),
        "tilted by 45": moved(angle=-45),
        "half as large": moved(scale=0.5),
        "a quarter as large": moved(scale=0.25),
        "shifted by a quarter": moved(right=0.25, down=0.15),
        "dark": dark,
        "grey": toned((1.0, 1.0, 1.0)),
        "sepia": toned((1.07, 0.89, 0.66)),
        "covered": covered(pairs),
    }


def parse(rgb: NDArray[np.uint8], parser: Parser) -> NDArray[np.uint8]:
    """The label map as people label: a beard is skin. All background where no face is found."""
    try:
        said = parse_photo(Photo(rgb, "pair"), parser).labels
    except NoFaceError:
        return np.zeros(rgb.shape[:2], np.uint8)
    return np.where(said == BEARD, np.uint8(HEAD), said)


def lightness(pair: Pair) -> float:
    return float(srgb_to_oklab(pair.rgb[pair.labels == HEAD])[:, 0].mean())


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--model", default="embedded")
    arguments.add_argument("--every", type=int, default=1, help="only every N-th pair")
    arguments.add_argument("--only", nargs="+", help="only these changes, beside the unchanged pairs")
    a = arguments.parse_args()
    pairs = celebamask_val(data_folder())[:: a.every]
    parser = load_parser(a.model)
    print(f"{parser.info.name} {parser.info.sha256[:12]}, {len(pairs)} pairs")
    plain = [parse(pair.rgb, parser) for pair in pairs]
    unchanged = [confusion(pair.labels, said) for pair, said in zip(pairs, plain, strict=True)]
    shown = np.sum(unchanged, axis=(0, 2))  # pixels of each part
    for name, change in changes(pairs).items():
        if a.only and name not in (*a.only, "unchanged"):
            continue
        here, before, lost = [], [], 0
        for index, pair in enumerate(pairs):
            rgb, labels, left = change(pair, index)
            said = plain[index] if name == "unchanged" else parse(rgb, parser)
            lost += not said.any()
            here.append(confusion(labels, said))
            before.append(confusion(left, plain[index]))
        now, then = (Scores(np.sum(each, axis=0)) for each in (here, before))
        difference = f"{now.mean_f1 - then.mean_f1:+.4f}{without_slivers(now, then, shown)}"
        print(f"{name:22} {now.mean_f1:.4f}, unchanged {then.mean_f1:.4f}: {difference}  not found: {lost}", flush=True)
    order = np.argsort([lightness(pair) for pair in pairs], kind="stable")
    members = [[unchanged[k] for k in group] for group in np.array_split(order, 3)]
    groups = [Scores(np.sum(group, axis=0)) for group in members]
    often = [part for part in SCORED if min(sum(each[part].any() for each in group) for group in members) >= ENOUGH]
    for name, group, scores in zip(("dark skin", "medium", "light skin"), members, groups, strict=True):
        mean = sum(scores.f1(part) for part in often) / max(1, len(often))
        print(f"{name:22} {scores.mean_f1:.4f}  over the {len(often)} parts that all groups show often: {mean:.4f} "
              f"+- {by_chance(group, often):.4f}")  # fmt: skip
    for part in often:
        print(f"    {PARTS[part].name:18}", *(f"{scores.f1(part):.4f}" for scores in groups))


def without_slivers(now: Scores, then: Scores, shown: NDArray[np.int64]) -> str:
    """The difference over the parts of which enough is left of the pixels `shown` (by part), and the other parts."""
    left = then.confusion.sum(axis=1) / np.maximum(1, shown)
    slivers = [part for part in SCORED if shown[part] and left[part] < SLIVER]
    if not slivers:
        return ""
    difference = np.nanmean([now.f1(part) - then.f1(part) for part in SCORED if part not in slivers])
    return f", without slivers {difference:+.4f} ({', '.join(f'{PARTS[p].name} {left[p]:.4f}' for p in slivers)})"


def by_chance(group: list[NDArray[np.int64]], parts: list[int], draws: int = 100) -> float:
    """The standard error of the mean F1 over `parts`, by drawing as many pictures anew from the group (bootstrap)."""
    rng, each = np.random.default_rng(0), np.array(group)
    drawn = (Scores(each[rng.integers(len(each), size=len(each))].sum(axis=0)) for _ in range(draws))
    return float(np.std([np.nanmean([scores.f1(part) for part in parts]) for scores in drawn]))


if __name__ == "__main__":
    try:
        main()
    except FaceParseError as error:  # no data set, no such network
        sys.exit(str(error))
