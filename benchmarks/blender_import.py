#!/usr/bin/env python3
"""How fast the Blender add-on is, in a Python that has bpy (pip install bpy==5.0.1):

    python benchmarks/blender_import.py [--rounds 15] [--command faceparse-svg]

portrait  20 layers, 1,000 segments: reading the SVG, then building curves, materials and collection. Limit 50 ms
paths     300 paths of 80 points, ours beside Blender's own SVG importer, on the same file in the same run, taking
          turns, both without the evaluation of the scene that Blender has to do then. Limit: 10 times faster
lines     the same with 80 straight lines each, in absolute coordinates, every path on a layer of its own
heap      paths that lie across others, which filled 2D curves do not show right by themselves; the
          other importer leaves it so
steps     `Portrait from photo`, stepped as Blender's timer steps it: the longest step on the main thread, with a
          command that answers at once with an SVG of 20 layers and 1,000 segments, and, where --command names it,
          with the real one on examples/astronaut.jpg. Limit 100 ms

Every round starts in an empty file. Medians are printed, of the steps the maximum of all rounds.
"""

from __future__ import annotations

import argparse
import cmath
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SIZE = (1200, 1000)  # height, width of the drawings, px
LAYERS, SEGMENTS = 20, 1000
PATHS, POINTS = 300, 80
LIMIT_MS, LIMIT_TIMES, LIMIT_STEP_MS = 50, 10, 100

# What a command does that has the SVG already: the add-on's own share of the time is left.
AT_ONCE = """#!{python}
import json, os, shutil, sys
if "--version" in sys.argv:
    sys.exit(print("faceparse-svg 0.1.0"))
words = sys.argv[1:]
photo = next(word for word in words if word.endswith(".jpg"))
target = words[words.index("-o") + 1] if "-o" in words else os.path.splitext(photo)[0] + ".svg"
if os.path.isdir(target):
    target = os.path.join(target, os.path.splitext(os.path.basename(photo))[0] + ".svg")
def say(event, **fields):
    print(json.dumps({{"event": event, **fields}}), flush=True)
say("start", version="0.1.0", photos=1)
say("photo", photo=photo, index=1, of=1)
for step in ("read", "parse", "trace", "write"):
    say("step", photo=photo, step=step)
shutil.copy({svg!r}, target)
say("written", photo=photo, svg=target, labels=None, preview=None, size=[1200, 1000], heads=1, layers=[], seconds=0.1)
say("done", written=1, failed=0)
"""


def blob(center: complex, radius: float, segments: int, chance: random.Random) -> str:
    """A round closed shape of so many cubic segments, as the exporter writes a ring."""
    step = cmath.tau / segments
    radii = [radius * chance.uniform(0.85, 1.15) for _ in range(segments)]
    points = [center + r * cmath.exp(1j * step * index) for index, r in enumerate(radii)]
    tangents = [1j * (point - center) * step / 3 for point in points]
    words = []
    for index in range(segments):
        start, end = points[index], points[(index + 1) % segments]
        first, second = tangents[index], end - start - tangents[(index + 1) % segments]
        words.append(f"{_pair(first)} {_pair(second)} {_pair(end - start)}")
    return f"M{_pair(points[0])}c{' '.join(words)}z"


def _pair(value: complex) -> str:
    return f"{value.real:.2f} {value.imag:.2f}"


def drawing(layers: list[tuple[str, list[str]]]) -> str:
    """An SVG in the exporter's own form of (layer's id, path data) from bottom to top."""
    height, width = SIZE
    groups = []
    for number, (name, paths) in enumerate(layers):
        fill = f"#{(number * 0x3B1F57 + 0x4080C0) % 0x1000000:06x}"
        shapes = "".join(
            f'<path id="{name}-{index}" style="fill:{fill};fill-rule:evenodd" d="{data}"/>'
            for index, data in enumerate(paths, 1)
        )
        groups.append(f'<g id="{name}" inkscape:groupmode="layer" inkscape:label="{name.title()}">{shapes}</g>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape"'
        f' viewBox="0 0 {width} {height}" width="{width * 25.4 / 96:.2f}mm" height="{height * 25.4 / 96:.2f}mm">'
        f"<title>benchmark</title>{''.join(groups)}</svg>"
    )


def portrait(folder: Path) -> Path:
    """20 layers, 1,000 segments: each a shape with a hole, of 25 segments each."""
    chance, half = random.Random(1), SEGMENTS // LAYERS // 2
    layers = []
    for index in range(LAYERS):
        center = complex(chance.uniform(300, 700), chance.uniform(300, 900))
        layers.append((f"part{index}", [blob(center, 200, half, chance) + blob(center, 90, half, chance)]))
    path = folder / "portrait.svg"
    path.write_text(drawing(layers), "utf-8")
    return path


def many_paths(folder: Path, radius: float) -> Path:
    """300 paths of 80 points on one layer, in rows 50 px apart."""
    chance = random.Random(2)
    centers = [complex(100 + 50 * (index % 15), 100 + 50 * (index // 15)) for index in range(PATHS)]
    path = folder / f"paths-{radius:g}.svg"
    path.write_text(drawing([("paths", [blob(center, radius, POINTS, chance) for center in centers])]), "utf-8")
    return path


def many_polygons(folder: Path) -> Path:
    """300 polygons of 80 points, each on a layer of its own, in rows 50 px apart."""
    chance = random.Random(3)
    layers = []
    for index in range(PATHS):
        center = complex(100 + 50 * (index % 15), 100 + 50 * (index // 15))
        radii = [20 * chance.uniform(0.85, 1.15) for _ in range(POINTS)]
        points = [center + r * cmath.exp(1j * cmath.tau * number / POINTS) for number, r in enumerate(radii)]
        layers.append((f"polygon{index}", ["M" + "L".join(map(_pair, points)) + "z"]))
    path = folder / "polygons.svg"
    path.write_text(drawing(layers), "utf-8")
    return path


def empty() -> None:
    import bpy

    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def timed(work: Callable[[], object]) -> float:
    """Milliseconds of it, in an empty file."""
    empty()
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def ours(path: Path) -> tuple[float, float]:
    """Milliseconds of reading and of building."""
    import bpy

    from blender_addon import curves, settings, svg_reader

    empty()
    began = time.perf_counter()
    read = svg_reader.read_svg(path)
    half = time.perf_counter()
    curves.import_drawing(bpy.context, read, settings.CurveSettings(), os.fspath(path))
    return (half - began) * 1000, (time.perf_counter() - half) * 1000


def blenders_own(path: Path) -> float:
    """By the function behind its operator: the operator evaluates the scene as well."""
    import bpy
    from io_curve_svg.import_svg import load_svg

    return timed(lambda: load_svg(bpy.context, os.fspath(path), False))


def table(what: str, **values: str) -> None:
    print(f"{what:9} " + "  ".join(f"{name} {value}" for name, value in values.items()), flush=True)


def measure_portrait(path: Path, rounds: int) -> None:
    ours(path)
    reading, building = (statistics.median(half) for half in zip(*(ours(path) for _ in range(rounds)), strict=True))
    both = f"{reading + building:.1f} ms (limit {LIMIT_MS})"
    table("portrait", read=f"{reading:.1f} ms", build=f"{building:.1f} ms", both=both)


def measure_paths(name: str, path: Path, rounds: int) -> None:
    import addon_utils

    assert addon_utils.enable("io_curve_svg", default_set=True), "this bpy has no SVG importer to compare with"
    ours(path), blenders_own(path)
    took = [(*ours(path), blenders_own(path)) for _ in range(rounds)]  # they take turns
    reading, building, its = (statistics.median(times) for times in zip(*took, strict=True))
    times = f"{its / (reading + building):.1f} times" + (f" (limit {LIMIT_TIMES})" if name != "heap" else "")
    table(name, read=f"{reading:.1f} ms", build=f"{building:.1f} ms", blender=f"{its:.1f} ms", faster=times)


def stepped(command: str, photo: Path) -> list[float]:
    """Milliseconds of each step of one portrait, its start among them."""
    import bpy

    from blender_addon.command import Command, Request
    from blender_addon.run import PortraitRun, Stage
    from blender_addon.settings import CurveSettings

    steps = []
    began = time.perf_counter()
    run = PortraitRun(Command(command), os.fspath(photo), Request(), CurveSettings(), keep_svg=False)
    while True:
        steps.append((time.perf_counter() - began) * 1000)
        if run.over:
            break
        time.sleep(0.02)
        began = time.perf_counter()
        run.step(bpy.context)
    assert run.stage == Stage.DONE, run.error
    return steps


def measure_steps(name: str, command: str, photo: Path, rounds: int) -> None:
    steps = []
    for _ in range(rounds):
        empty()
        steps += stepped(command, photo)
    longest = f"{max(steps):.1f} ms (limit {LIMIT_STEP_MS})"
    table("steps", command=name, steps=str(len(steps)), median=f"{statistics.median(steps):.2f} ms", longest=longest)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=15)
    arguments.add_argument("--command", default=shutil.which("faceparse-svg"), help="the real one, for the steps")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["BLENDER_USER_RESOURCES"] = name
        import bpy  # isort: skip  (it brings the other)
        import addon_utils

        assert addon_utils.enable("blender_addon", default_set=True), "the add-on cannot be enabled"
        print(f"Blender {bpy.app.version_string}, medians of {given.rounds} rounds")
        svg = portrait(folder)
        measure_portrait(svg, given.rounds)
        measure_paths("paths", many_paths(folder, 20), min(given.rounds, 7))
        measure_paths("lines", many_polygons(folder), min(given.rounds, 7))
        measure_paths("heap", many_paths(folder, 40), min(given.rounds, 3))
        photo = Path(shutil.copy(ROOT / "examples" / "astronaut.jpg", folder))
        at_once = folder / "faceparse-svg"
        at_once.write_text(AT_ONCE.format(python=sys.executable, svg=os.fspath(svg)), "utf-8")
        at_once.chmod(0o755)
        measure_steps("at once", os.fspath(at_once), photo, given.rounds)
        if given.command:
            measure_steps("real", given.command, photo, 3)


if __name__ == "__main__":
    main()
