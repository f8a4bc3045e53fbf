#!/usr/bin/env python3
"""What each model takes for a photo, cold and warm, on one and two threads.

    python benchmarks/models.py [--rounds 5] [--models embedded,bisenet,resnet34,fcn8s] [--photo a.jpg]

convert   once in its life: the checkpoint read, checked, converted to .onnx and written to the cache
cold      a process of its own: imports, the model opened, the head found, its crop parsed
pass      the network alone, once, warm
photo     finding the head and parsing its crop, warm: the crop, its mirror image, and a wider one

Wall and CPU seconds, medians; peak memory of the process. The published weights are not needed: random ones in their
true layout, which tests/published_networks.py makes, take the same time. Drawing is left out, for they see no face.
Needs the torch extra but for `embedded`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [os.fspath(ROOT), os.fspath(ROOT / "tests")]

MODELS = ("embedded", "bisenet", "resnet34", "fcn8s")
CHILD = """
import json, resource, statistics, sys, time
from faceparse_core.heads import find_heads
from faceparse_core.parse import score_head
from faceparse_core.parser import load_parser
from faceparse_core.photo import read_photo
import numpy as np

def timed(call):
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu

model, photo, threads, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
rgb = read_photo(photo).rgb
parser = load_parser(model, threads)
def parse():
    score_head(rgb, find_heads(rgb, threads=threads)[0], parser)
parse()
ready = time.time()
batch = np.full((1, 3, parser.size, parser.size), 128, np.float32)
steps = {"pass": lambda: parser.run(batch), "photo": parse}
runs = {name: [timed(step) for _ in range(rounds)] for name, step in steps.items()}
took = {name: [statistics.median(values) for values in zip(*times)] for name, times in runs.items()}
try:  # of this program alone; what getrusage says is at least what the process had that started it
    peak = int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1024
except OSError:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
print(json.dumps({"ready": ready, "peak": peak, **took}))
"""


def checkpoint(model: str, folder: Path) -> Path:
    """Random weights in the layout of a published checkpoint."""
    import torch
    from published_networks import bisenet_shapes, fcn8s_shapes, random_weights

    shapes = {
        "bisenet": lambda: bisenet_shapes((2, 2, 2, 2)),
        "resnet34": lambda: bisenet_shapes((3, 4, 6, 3)),
        "fcn8s": fcn8s_shapes,
    }[model]()
    path = folder / f"{model}.pth"
    torch.save(random_weights(shapes), path)
    return path


def child(model: str, photo: Path, threads: int, rounds: int) -> tuple[float, float, dict]:
    """(wall s until the first photo was parsed, peak MB, what the process says)."""
    began = time.time()
    arguments = [sys.executable, "-c", CHILD, model, os.fspath(photo), str(threads), str(rounds)]
    environment = {**os.environ, "PYTHONPATH": os.fspath(ROOT)}
    done = subprocess.run(arguments, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    said = json.loads(done.stdout)
    return said["ready"] - began, said["peak"], said


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--models", default=",".join(MODELS))
    arguments.add_argument("--photo", type=Path, default=ROOT / "examples" / "grace_hopper.jpg")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        os.environ["FACEPARSE_CACHE"] = name
        os.environ["PYTHONPYCACHEPREFIX"] = os.fspath(Path(name) / "compiled")
        for model in given.models.split(","):
            word = model
            if model != "embedded":
                word = os.fspath(checkpoint(model, Path(name)))
                began = time.perf_counter()
                from faceparse_core.parser import load_parser

                load_parser(word)
                print(f"{model:9} convert {time.perf_counter() - began:6.2f} s")
            child(word, given.photo, 2, 1)  # byte-compiles
            for threads in (1, 2):
                runs = [child(word, given.photo, threads, given.rounds) for _ in range(max(1, given.rounds // 2))]
                cold, peak = (statistics.median(run[at] for run in runs) for at in (0, 1))
                line = f"{model:9} {threads} thread{'s' if threads > 1 else ' '} cold {cold:6.2f} s"
                for step in ("pass", "photo"):
                    wall, cpu = (statistics.median(run[2][step][at] for run in runs) for at in (0, 1))
                    line += f"  {step} {wall:6.3f} s ({cpu:6.3f} s CPU)"
                print(f"{line}  {peak:5.0f} MB", flush=True)


if __name__ == "__main__":
    main()
