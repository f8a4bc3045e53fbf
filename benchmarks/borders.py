#!/usr/bin/env python3
"""How far drawn borders lie from the true ones: with the label map alone, with scores, with scores and photo.

    FACEPARSE_DATA=... python benchmarks/borders.py [parsed] [coarse] [warped] [--pairs facesynthetics|celebamask]

parsed   the embedded parser reads the photo, and what it says is drawn
coarse   the true label map, shrunk to a quarter and enlarged again, is drawn without and with the photo
warped   the true label map, its borders pushed to and fro by a pixel or two, is drawn without and with the photo

Means over the pairs, for each part: px between the drawn and the true border (both ways; what is further than 6 px
counts as 6), and the IoU. FaceSynthetics' labels are exact to the pixel, but for clothes, whose labels reach a pixel
too far; CelebAMask-HQ's were drawn by hand. Of the rendered pairs the parser was trained on some, so look at the
differences between the ways, not at the figures. The constants of svg_export/subpixel.py were tuned on every fourth
rendered pair from the first on; measure with --first 1.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from scoring import seen  # noqa: E402

from faceparse_core.errors import FaceParseError  # noqa: E402
from faceparse_core.parse import measure_head, parse_photo  # noqa: E402
from faceparse_core.parser import load_parser  # noqa: E402
from faceparse_core.parts import BEARD, FACE, HAIR, MOUTH, NOSE  # noqa: E402
from faceparse_core.photo import Photo  # noqa: E402
from faceparse_core.training.data import Pair, data_folder  # noqa: E402
from faceparse_core.training.layouts import whole_tar  # noqa: E402
from svg_export.export import draw  # noqa: E402
from svg_export.layers import EVERY_PART  # noqa: E402
from svg_export.subpixel import Evidence  # noqa: E402

GROUPS = {
    "head": (*FACE, BEARD),
    "hair": (HAIR,),
    "brows": (2, 3),
    "eyes": (4, 5),
    "lips": MOUTH,
    "nose": (NOSE,),
}
FINER = 4  # times finer than the label map is measured
CAP = 6.0  # px
Labels = NDArray[np.uint8]


def parsed(pairs: list[Pair]) -> None:
    parser = load_parser()
    rows: dict[str, list[NDArray[np.float64]]] = {}
    for pair in pairs:
        try:
            parsing = parse_photo(Photo(pair.rgb, pair.name), parser)
        except FaceParseError:
            continue
        both = Evidence(pair.rgb, parsing.scores, parsing.box)
        ways = {"labels": None, "+ scores": replace(both, rgb=None), "+ photo": both}
        compare(ways, parsing.labels, parsing.head_size, pair.labels, rows)
    show("parsed", rows)


def coarse(pairs: list[Pair]) -> None:
    degraded("coarse", pairs, [roughened(pair.labels) for pair in pairs])


def warped(pairs: list[Pair]) -> None:
    degraded("warped", pairs, [pushed(pair.labels, seed) for seed, pair in enumerate(pairs)])


def degraded(title: str, pairs: list[Pair], maps: list[Labels]) -> None:
    rows: dict[str, list[NDArray[np.float64]]] = {}
    for pair, labels in zip(pairs, maps, strict=True):
        compare({"labels": None, "+ photo": Evidence(pair.rgb)}, labels, measure_head(labels).size, pair.labels, rows)
    show(title, rows)


def pushed(labels: Labels, seed: int, far: float = 1.6, smooth: float = 10.0) -> Labels:
    """A label map (H, W) displaced by smooth noise of a standard deviation of `far` px each way."""
    rng = np.random.default_rng(seed)
    noise = [cv2.GaussianBlur(rng.normal(size=labels.shape), (0, 0), smooth) for _ in range(2)]
    y, x = np.mgrid[: labels.shape[0], : labels.shape[1]]
    across, down = (
        (axis + far * each / each.std()).astype(np.float32) for axis, each in zip((x, y), noise, strict=True)
    )
    known = np.where(labels == 255, 0, labels).astype(np.uint8)
    return np.asarray(cv2.remap(known, across, down, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def roughened(labels: Labels, times: int = 4) -> Labels:
    """A label map (H, W) as a network of a quarter of its size would see it."""
    height, width = labels.shape
    best, out = np.zeros(labels.shape, np.float32), np.zeros(labels.shape, np.uint8)
    for part in np.unique(labels[labels < 255]).tolist():
        small = cv2.resize(
            (labels == part).astype(np.float32), (width // times, height // times), interpolation=cv2.INTER_AREA
        )
        share = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
        out[share > best] = part
        best = np.maximum(best, share)
    return out


def compare(
    ways: dict[str, Evidence | None],
    labels: Labels,
    head_size: float,
    true: Labels,
    rows: dict[str, list[NDArray[np.float64]]],
) -> None:
    for name, evidence in ways.items():
        svg = draw(labels, {}, EVERY_PART, title=name, head_size=head_size, evidence=evidence).svg
        rows.setdefault(name, []).append(measured(seen(svg, true.shape, FINER), true))


def measured(drawn: Labels, true: Labels) -> NDArray[np.float64]:
    """px between the borders, and IoU, of each group (groups, 2); NaN where it is not in both."""
    found = np.full((len(GROUPS), 2), np.nan)
    size = drawn.shape[::-1]
    known = cv2.resize((true < 255).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    for at, group in enumerate(GROUPS.values()):
        one = np.isin(drawn, group) & known
        two = cv2.resize(np.isin(true, group).astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5
        if two.sum() < 40 * FINER**2 or not one.any():
            continue
        apart = []
        rims = [
            mask & (cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1) == 0)
            for mask in (one, two)
        ]
        for rim, other in (rims, rims[::-1]):
            apart.append(np.minimum(cv2.distanceTransform((~other).astype(np.uint8), cv2.DIST_L2, 5)[rim], FINER * CAP))
        found[at] = (apart[0].mean() + apart[1].mean()) / 2 / FINER, (one & two).sum() / (one | two).sum()
    return found


def show(title: str, rows: dict[str, list[NDArray[np.float64]]]) -> None:
    print(f"{title:9}{len(next(iter(rows.values())))} pairs: px apart / IoU")
    print(f"{'':12}" + "".join(f"{name:>14}" for name in GROUPS))
    for name, found in rows.items():
        mean = np.nanmean(found, axis=0)
        print(f"   {name:9}" + "".join(f"  {apart:5.3f}/{iou:6.4f}" for apart, iou in mean), flush=True)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("what", nargs="*", default=[], metavar="parsed|coarse|warped", help="default: all")
    arguments.add_argument("--pairs", choices=["facesynthetics", "celebamask"], default="facesynthetics")
    arguments.add_argument("--every", type=int, default=4, help="of the pairs (default: every fourth)")
    arguments.add_argument("--first", type=int, default=0, help="the first pair (default: 0)")
    given = arguments.parse_args()
    steps = {"parsed": parsed, "coarse": coarse, "warped": warped}
    if not set(given.what) <= set(steps):
        arguments.error(f"choose from {', '.join(steps)}")
    try:
        tars = {"facesynthetics": "facesynthetics/train.tar", "celebamask": "celebamask/val.tar"}
        pairs = whole_tar(data_folder() / tars[given.pairs])[given.first :: given.every]
        for name in given.what or steps:
            steps[name](pairs)
    except FaceParseError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
