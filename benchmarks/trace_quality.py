#!/usr/bin/env python3
"""How well and how fast label maps become curves, ours beside potrace, VTracer and findContours, in one run.

    FACEPARSE_DATA=... python benchmarks/trace_quality.py [maps] [sweep] [shapes] [scale] [--every 5]

maps     means over every fifth label map of val.tar, all parts: the figures of `scoring.py` and seconds (median; warm;
         ours without and theirs with nothing but the tracing). Must reach: mIoU .975, BF .998, no leaks, at most 1
         pixel wrong, 240 segments, 0.06 s
sweep    error against segments: our tolerance swept, and the options of theirs that trade one for the other. Writes
         quality.svg beside this file
shapes   ellipses, superellipses and rounded stars, sampled to label maps: the Hausdorff distance between the true
         outline and what was drawn, px, and its nodes
scale    2048 x 2048 over 512 x 512, seconds. Limit: 6 times

Needs resvg_py, vtracer and the program potrace; maps, sweep and scale need the data set.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import astuple
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import tracers  # noqa: E402
from scoring import SVG, count_segments, score  # noqa: E402

from faceparse_core.errors import FaceParseError  # noqa: E402
from faceparse_core.parts import BY_NAME  # noqa: E402
from faceparse_core.training.data import data_folder  # noqa: E402
from faceparse_core.training.layouts import celebamask_val  # noqa: E402

Labels = NDArray[np.uint8]
Points = NDArray[np.float64]
Way = Callable[[Labels], bytes]

WAYS: dict[str, Way] = {
    "ours": tracers.ours,
    "potrace": tracers.potrace,
    "vtracer": tracers.vtracer,
    "contours": tracers.contours,
}
SWEEPS: dict[str, list[Way]] = {
    "ours": [partial(tracers.ours, tolerance_px=px) for px in (0.25, 0.4, 0.55, 0.75, 1.0, 1.5, 2.2, 4.0)],
    "potrace": [
        partial(tracers.potrace, opttolerance=o, alphamax=a)
        for o, a in ((0.05, 1), (0.2, 1), (0.4, 1.1), (0.8, 1.2), (1.5, 1.3), (3, 1.334), (8, 1.334))
    ],
    "vtracer": [
        partial(tracers.vtracer, length_threshold=length, corner_threshold=corner, splice_threshold=splice)
        for length, corner, splice in (
            (3.5, 60, 25), (3.5, 60, 45), (4, 90, 60), (6, 90, 90), (8, 120, 120), (10, 180, 180),
        )
    ],
}  # fmt: skip


def label_maps(every: int) -> list[Labels]:
    return [pair.labels for pair in celebamask_val(data_folder())[::every]]


def maps(every: int) -> None:
    took: dict[str, list[float]] = {name: [] for name in WAYS}
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in WAYS}
    labels_of = label_maps(every)
    for way in WAYS.values():
        way(labels_of[0])
    for labels in labels_of:
        for name, way in WAYS.items():  # they take turns
            began = time.perf_counter()
            svg = way(labels)
            took[name].append(time.perf_counter() - began)
            found[name].append(astuple(score(svg, labels)))
    theirs = statistics.median(took["vtracer"])
    print(
        f"maps    {len(labels_of)} label maps     mIoU      BF   leaks  wrong  segments   bytes  seconds  of VTracer's"
    )
    for name, rows in found.items():
        miou, bf, leaks, wrong, segments, size = np.mean(rows, axis=0)
        seconds = statistics.median(took[name])
        shown = f"{miou:9.4f} {bf:8.5f} {leaks:6.1f} {wrong:6.2f} {segments:9.1f} {size:7.0f}"
        print(f"        {name:15} {shown} {seconds:8.3f} {seconds / theirs:8.2f}", flush=True)


def sweep(every: int) -> None:
    labels_of = label_maps(every)
    curves: dict[str, list[tuple[float, float, float]]] = {}
    print("sweep   segments   1 - mIoU     1 - BF")
    for name, ways in SWEEPS.items():
        for way in ways:
            scores = [score(way(labels), labels) for labels in labels_of]
            miou, bf, segments = (
                float(np.mean([getattr(s, key) for s in scores])) for key in ("miou", "bf", "segments")
            )
            curves.setdefault(name, []).append((segments, 1 - miou, 1 - bf))
            print(f"        {segments:8.1f} {1 - miou:10.4f} {1 - bf:10.5f}  {name}", flush=True)
    (HERE / "quality.svg").write_text(plot(curves), "utf-8")


def plot(curves: dict[str, list[tuple[float, float, float]]]) -> str:
    """Two panels, error (logarithmic, %) over segments."""
    colors = {"ours": "#c02040", "potrace": "#2060a0", "vtracer": "#408040"}
    width, height, most = 360, 260, 600.0
    body = []
    for panel, (title, low, high) in enumerate(
        (("100 % - mIoU", 0.1, 20.0), ("100 % - boundary F at 1 px", 0.03, 20.0))
    ):
        left, top = 60 + panel * (width + 70), 40

        def x(value: float, left: float = left) -> float:
            return left + width * min(value, most) / most

        def y(value: float, top: float = top, low: float = low, high: float = high) -> float:
            return float(top + height * (1 - np.log(max(value, low) / low) / np.log(high / low)))

        body.append(f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="none" stroke="#888"/>')
        body.append(f'<text x="{left}" y="{top - 12}" font-weight="bold">{title}</text>')
        body.append(f'<text x="{left + width}" y="{top + height + 34}" text-anchor="end">segments</text>')
        for value in (0.03, 0.1, 0.3, 1, 3, 10):
            if low <= value <= high:
                at = y(value)
                body.append(f'<path d="M{left} {at:.1f}h{width}" stroke="#ddd"/>')
                body.append(f'<text x="{left - 6}" y="{at + 4:.1f}" text-anchor="end">{value:g} %</text>')
        below = f'y="{top + height + 16}" text-anchor="middle"'
        body += [f'<text x="{x(value):.1f}" {below}>{value}</text>' for value in range(0, int(most) + 1, 100)]
        for name, rows in curves.items():
            places = [(x(row[0]), y(100 * row[1 + panel])) for row in sorted(rows)]
            line = " ".join(f"{px:.1f},{py:.1f}" for px, py in places)
            body.append(f'<polyline points="{line}" fill="none" stroke="{colors[name]}" stroke-width="2"/>')
            body += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{colors[name]}"/>' for px, py in places]
    for index, (name, color) in enumerate(colors.items()):
        body.append(f'<text x="{250 + 60 * index}" y="28" fill="{color}">{name}</text>')
    inner = "\n".join(body)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 870 350" font-family="sans-serif" font-size="12">\n'
        f'<rect width="870" height="350" fill="#fff"/>\n{inner}\n</svg>\n'
    )


def true_shapes() -> list[tuple[str, Points]]:
    """Closed outlines (4000, 2) around (0, 0), px."""
    angle = np.linspace(0, 2 * np.pi, 4000, endpoint=False)
    cos, sin = np.cos(angle), np.sin(angle)
    found = []
    for a, b, turn in ((100, 70, 0.3), (60, 60, 0), (90, 25, 1.0), (30, 18, 0.5), (12, 8, 0.2)):
        found.append(("ellipse", _turned(np.stack([a * cos, b * sin], axis=1), turn)))
        power = np.stack([np.sign(cos) * np.abs(cos) ** 0.6, np.sign(sin) * np.abs(sin) ** 0.6], axis=1)
        found.append(("superellipse", _turned(power * (a, b), turn)))
    for radius, depth, tips in ((90, 0.25, 5), (60, 0.2, 6), (80, 0.12, 9), (30, 0.2, 5)):
        star = radius * (1 + depth * np.cos(tips * angle))
        found.append(("star", np.stack([star * cos, star * sin], axis=1)))
    return found


def _turned(points: Points, angle: float) -> Points:
    cos, sin = np.cos(angle), np.sin(angle)
    return points @ np.array([[cos, sin], [-sin, cos]])


def shapes() -> None:
    """Shapes stand in a picture of 256 x 256, drawn at eight times that and sampled at every eighth pixel's centre."""
    hair, size = BY_NAME["hair"].id, 256
    ways: dict[str, Way] = {**WAYS, "ours": partial(tracers.ours, head_size=260.0)}
    results: dict[str, dict[str, list[tuple[float, int]]]] = {}
    for kind, outline in true_shapes():
        for shift in (0.0, 0.37):
            true = outline + size / 2 + shift
            large = np.zeros((8 * size, 8 * size), np.uint8)
            cv2.fillPoly(large, [np.rint((8 * true - 0.5) * 64).astype(np.int32)], hair, shift=6)
            labels = np.ascontiguousarray(large[4::8, 4::8])
            for name, way in ways.items():
                svg = way(labels)
                group = next(group for group in ET.fromstring(svg) if group.get("id") == "hair")
                drawn, nodes = _outline(group)
                distance = shapely.LinearRing(true).hausdorff_distance(shapely.MultiLineString(drawn))
                results.setdefault(name, {}).setdefault(kind, []).append((distance, nodes))
    print("shapes  Hausdorff distance px / nodes")
    for name, kinds in results.items():
        row = (
            f"{kind} {np.mean([d for d, _ in rows]):.2f} / {np.mean([n for _, n in rows]):.1f}"
            for kind, rows in kinds.items()
        )
        print(f"        {name:9} " + "   ".join(row), flush=True)


def _outline(group: ET.Element) -> tuple[list[Points], int]:
    """All rings that a layer draws as polylines, and its segments."""
    rings: list[Points] = []
    count = 0
    for outer in group.iter():
        for path in outer.findall(f"{SVG}path"):
            move = path.get("transform") or (outer.get("transform") if outer is not group else "") or ""
            found = flattened(path.get("d", ""))
            for kind, text in reversed(re.findall(r"(translate|scale)\(([^)]*)\)", move)):
                values = np.array([float(word) for word in re.split(r"[ ,]+", text.strip())])
                found = [ring + values if kind == "translate" else ring * values for ring in found]
            rings += found
            count += count_segments(path.get("d", ""))
    return rings, count


def flattened(data: str, steps: int = 24) -> list[Points]:
    """The rings of path data of M, L, H, V, C and Z, absolute or relative, with `steps` points a curve."""
    here = start = 0j
    rings: list[list[complex]] = []
    t = np.arange(1, steps + 1) / steps
    for command, text in re.findall(r"([MmLlHhVvCcZz])([^MmLlHhVvCcZz]*)", data):
        values = [float(word) for word in re.findall(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", text)]
        kind, relative = command.lower(), command.islower()
        if kind in "hv":
            places = [complex(v, 0) if kind == "h" else complex(0, v) for v in values]
            if not relative:
                places = [p + (1j * here.imag if kind == "h" else here.real) for p in places]
        else:
            places = [complex(a, b) for a, b in zip(values[::2], values[1::2], strict=True)]
        if kind == "z":
            places, relative = [start], False
        size = 3 if kind == "c" else 1
        for at in range(0, len(places), size):
            ends = [p + here if relative else p for p in places[at : at + size]]
            if kind == "c":
                a, b, c = ends
                rings[-1] += list((1 - t) ** 3 * here + 3 * (1 - t) ** 2 * t * a + 3 * (1 - t) * t * t * b + t**3 * c)
            elif kind == "m" and at == 0:
                start = ends[0]
                rings.append([start])
            else:
                rings[-1].append(ends[0])
            here = ends[-1]
    return [np.array([(p.real, p.imag) for p in ring]) for ring in rings]


def scale(every: int) -> None:
    """The same maps at four times the size, their borders smooth there."""
    times: dict[int, list[float]] = {512: [], 2048: []}
    for labels in label_maps(every)[:8]:
        best, large = np.zeros((2048, 2048), np.float32), np.zeros((2048, 2048), np.uint8)
        for part in np.unique(labels).tolist():
            soft = cv2.GaussianBlur((labels == part).astype(np.float32), (0, 0), 1.0)
            here = cv2.resize(soft, (2048, 2048), interpolation=cv2.INTER_CUBIC)
            large[here > best] = part
            best = np.maximum(best, here)
        for picture in (labels, large):
            taken = []
            for _ in range(3):
                began = time.perf_counter()
                tracers.ours(picture)
                taken.append(time.perf_counter() - began)
            times[len(picture)].append(min(taken))
    small, large_time = statistics.median(times[512]), statistics.median(times[2048])
    print(f"scale   512 {small:.3f} s, 2048 {large_time:.3f} s: {large_time / small:.1f} times (limit 6)")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("what", nargs="*", default=[], metavar="maps|sweep|shapes|scale", help="default: all")
    arguments.add_argument("--every", type=int, default=5, help="of the label maps (default: every fifth)")
    given = arguments.parse_args()
    steps = {
        "maps": partial(maps, given.every),
        "sweep": partial(sweep, given.every),
        "shapes": shapes,
        "scale": partial(scale, given.every),
    }
    if not set(given.what) <= set(steps):
        arguments.error(f"choose from {', '.join(steps)}")
    try:
        for name in given.what or steps:
            steps[name]()
    except FaceParseError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
