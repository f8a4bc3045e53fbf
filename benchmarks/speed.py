#!/usr/bin/env python3
"""How fast and how large, side by side in one run.

    python benchmarks/speed.py [--rounds 5] [--photo a.jpg] [--skip-large]

cold      one photo of about 1 MP, the whole process: wall time and peak memory; beside it a process that only imports
          what the command stands on, `--help`, and, where torch is installed, today's way (a full-width BiSeNet in
          torch on the CPU, then cv2.findContours; random weights, which take the same time)
warm      the same photo in memory -> SVG text, less the networks' own time, beside VTracer on the same label map
large     a photo of 48 MP, the whole process
disk      what the default install takes: its distributions' files

Rounds of everything take turns, so that a busy machine is busy for all; medians are printed. Run it on a quiet one.
Needs the default install; vtracer and torch are used where they are there.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
sys.path.insert(0, str(EXAMPLES.parent))  # the checkout, where it is not installed

# Processes find modules byte-compiled, whatever the environment says: that is how pip leaves them.
INSTALLED = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
IMPORTS = "import numpy, cv2, shapely, onnxruntime, PIL.Image"
TODAY = """
import sys, cv2, numpy as np, torch
from PIL import Image
try:
    import torchvision
except Exception:
    pass
from faceparse_core.bisenet import BiSeNet
network = BiSeNet(classes=19).eval()
photo = Image.open(sys.argv[1]).convert("RGB").resize((512, 512))
rgb = (torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None].float() / 255 - 0.45) / 0.225
with torch.no_grad():
    scores = network(rgb)
labels = (scores[0] if isinstance(scores, (tuple, list)) else scores)[0].argmax(0).numpy().astype(np.uint8)
for part in np.unique(labels):
    cv2.findContours((labels == part).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
"""


def process(arguments: list[str]) -> tuple[float, float, float]:
    """(wall seconds, CPU seconds, peak MB) of one process. The peak is never below this script's own."""
    began = time.perf_counter()
    child = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=INSTALLED)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        assert child.stderr
        raise SystemExit(f"{' '.join(arguments)} failed: {child.stderr.read().decode()}")
    peak = usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    return wall, usage.ru_utime + usage.ru_stime, peak


def enlarged(photo: Path, megapixels: float, folder: Path) -> Path:
    """The photo scaled to so many pixels, as a JPEG."""
    pixels = cv2.imread(os.fspath(photo))
    scale = (megapixels * 1e6 / (pixels.shape[0] * pixels.shape[1])) ** 0.5
    target = folder / f"{photo.stem}-{megapixels:g}.jpg"
    cv2.imwrite(os.fspath(target), cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC))
    return target


def command(photo: Path, folder: Path) -> list[str]:
    return [sys.executable, "-m", "svg_export", os.fspath(photo), "-o", os.fspath(folder), "--force"]


def cold(photo: Path, folder: Path, rounds: int) -> None:
    ways = {
        "faceparse-svg, 1 MP": command(photo, folder),
        "importing alone": [sys.executable, "-c", IMPORTS],
        "--help": [sys.executable, "-m", "svg_export", "--help"],
    }
    if find_spec("torch"):
        ways["torch, today"] = [sys.executable, "-c", TODAY, os.fspath(photo)]
    for way in ways.values():  # byte-compiles, as pip does when it installs
        process(way)
    took = take_turns({name: lambda way=way: process(way) for name, way in ways.items()}, rounds)
    wall, cpu = {}, {}
    for name, runs in took.items():
        wall[name], cpu[name], peak = (statistics.median(values) for values in zip(*runs, strict=True))
        print(f"cold  {name:20} {wall[name]:6.3f} s wall  {cpu[name]:6.3f} s CPU  {peak:5.0f} MB")
    ours, base = "faceparse-svg, 1 MP", "importing alone"
    times = (
        f"{wall[ours] / wall[base]:.2f} times the imports' wall time (limit 4), {cpu[ours] / cpu[base]:.2f} their CPU"
    )
    print(f"      {times}; limits: --help 0.2 s, 350 MB")
    if find_spec("torch"):
        print(f"      1/{wall['torch, today'] / wall[ours]:.1f} of today's way (limit 1/5)")


def warm(photo: Path, rounds: int) -> None:
    import onnxruntime

    from faceparse_core.parse import parse_photo
    from faceparse_core.parser import load_parser
    from faceparse_core.parts import PARTS, select_parts
    from faceparse_core.photo import read_photo
    from svg_export.export import draw
    from svg_export.subpixel import Evidence

    network = 0.0
    run = onnxruntime.InferenceSession.run

    def timed(*arguments: object, **options: object) -> object:
        nonlocal network
        began = time.perf_counter()
        try:
            return run(*arguments, **options)
        finally:
            network += time.perf_counter() - began

    onnxruntime.InferenceSession.run = timed
    parser, parts = load_parser(), select_parts("portrait")
    picture = read_photo(os.fspath(photo))

    def ours() -> tuple[float, float, float]:
        nonlocal network
        network, began = 0.0, time.perf_counter()
        parsing = parse_photo(picture, parser)
        parsed = time.perf_counter()
        evidence = Evidence(picture.rgb, parsing.scores, parsing.box)
        draw(parsing.labels, parsing.colors, parts, title="warm", head_size=parsing.head_size, evidence=evidence)
        return network, parsed - began - network, time.perf_counter() - parsed

    labels = parse_photo(picture, parser).labels
    ways: dict[str, Callable[[], tuple[float, ...]]] = {"ours": ours}
    if find_spec("vtracer"):
        import vtracer

        colors = np.array([(40 + 11 * p.id, 97 * p.id % 256, (53 * p.id + 31) % 256) for p in PARTS], np.uint8)
        png = cv2.imencode(".png", colors[labels])[1].tobytes()

        def peer() -> tuple[float]:
            began = time.perf_counter()
            vtracer.convert_raw_image_to_svg(
                png, img_format="png", mode="spline", color_precision=8, layer_difference=0
            )
            return (time.perf_counter() - began,)

        ways["vtracer"] = peer
    for way in ways.values():
        way()
    took = take_turns(ways, rounds)
    nets, parse, trace = (statistics.median(values) for values in zip(*took["ours"], strict=True))
    size = f"{labels.shape[1]} x {labels.shape[0]}"
    print(f"warm  {size}: networks {nets:.3f} s, rest of parsing {parse:.3f} s, drawing {trace:.3f} s")
    if "vtracer" in took:
        theirs = statistics.median(values[0] for values in took["vtracer"])
        print(f"      vtracer on the same label map {theirs:.3f} s: drawing takes {trace / theirs:.2f} times that,")
        print(f"      all but the networks {(parse + trace) / theirs:.2f} times (limit 3)")


def large(folder: Path) -> None:
    wall, cpu, peak = process(command(enlarged(EXAMPLES / "grace_hopper.jpg", 48, folder), folder))
    print(f"large {'48 MP':20} {wall:6.3f} s wall  {cpu:6.3f} s CPU  {peak:5.0f} MB (limits 6 s, 1500 MB)")


def disk(name: str = "faceparse-svg") -> None:
    """Sum the files of a distribution and of all that it requires without extras."""
    sizes: dict[str, int] = {}
    todo = [name]
    while todo:
        word = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if word in sizes:
            continue
        try:
            found = metadata.distribution(word)
        except metadata.PackageNotFoundError:
            sizes[word] = 0
            continue
        paths = (Path(str(file.locate())) for file in found.files or ())
        sizes[word] = sum(path.lstat().st_size for path in paths if path.exists())
        wanted = (line for line in found.requires or () if "extra ==" not in line)
        todo += [match[0] for line in wanted if (match := re.match(r"[\w.-]+", line))]
    largest = ", ".join(f"{key} {size >> 20}" for key, size in sorted(sizes.items(), key=lambda item: -item[1])[:5])
    print(f"disk  {sum(sizes.values()) >> 20} MB (limit 450): {largest}")


def take_turns(ways: dict[str, Callable[[], tuple[float, ...]]], rounds: int) -> dict[str, list[tuple[float, ...]]]:
    took: dict[str, list[tuple[float, ...]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            took[name].append(way())
    return took


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--photo", type=Path, default=EXAMPLES / "astronaut.jpg", help="scaled to 1 MP")
    arguments.add_argument("--skip-large", action="store_true")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        INSTALLED["PYTHONPYCACHEPREFIX"] = os.fspath(folder / "compiled")
        photo = enlarged(given.photo, 1, folder)
        cold(photo, folder, given.rounds)
        warm(photo, given.rounds)
        if not given.skip_large:
            large(folder)
    disk()


if __name__ == "__main__":
    main()
