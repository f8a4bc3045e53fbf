"""The SVGs that the suite inside Blender reads, where our exporter is not at hand. Refresh them after its SVG changed:

python tests/blender_data.py
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import shapely
from any_maps import KINDS, noise, polygon
from conftest import ROOT, draw_face

from faceparse_core.parts import LAYERS, PRESETS
from svg_export.export import draw
from svg_export.layers import TraceSettings

DATA = ROOT / "tests" / "blender" / "data"
SIZE = (480, 360)  # height, width of a face, px


def face() -> bytes:
    """One drawn face, the default layers."""
    return draw(draw_face(SIZE), {}, PRESETS["portrait"], title="A drawn face").svg


def faces() -> bytes:
    """Two of them side by side, every layer, a locked background: as the contract says of several heads."""
    one = draw(draw_face(SIZE), {}, PRESETS["all"], title="Two drawn faces", background=True).svg.decode()
    height, width = SIZE
    head, background, *layers, tail = re.split(r"(?=<g )|(?=</svg>)", one)
    wider = {
        f'"0 0 {width} {height}"': f'"0 0 {2 * width} {height}"',
        'width="95.25mm"': 'width="190.5mm"',
        f'"width": {width}': f'"width": {2 * width}',
    }
    for old, new in wider.items():
        assert old in head
        head = head.replace(old, new)
    background = re.sub(r'(?<= )d="[^"]*"', f'd="M0 0h{2 * width}v{height}h-{2 * width}z"', background)
    return "".join([head, background, *layers, *(moved(layer, width) for layer in layers), tail]).encode()


def moved(layer: str, right: float) -> str:
    """The layer as that of a second face, so many px further right. Only each ring's M is absolute."""
    layer = re.sub(r'(?<=\bid=")', "face2-", layer)
    layer = re.sub(r'(?<=:label=")', "Face 2: ", layer)
    return re.sub(r"(?<=M)-?[\d.]+", lambda x: f"{float(x[0]) + right:.10g}", layer)


def degenerate() -> bytes:
    """Drawings of small, hard label maps (checkerboards, rings in rings, single pixels, parts that touch in corners or
    all in one point, up to the frame), as JSON: of each its SVG, and the area of each layer, px, as shapely has it."""
    found = {}
    for kind in KINDS:
        if kind is noise:  # has holes that meet in one point, of which Blender fills more or less than it should
            continue
        labels = kind(np.random.default_rng(5), 13, 15, 5)
        for joins in ("underlap", "stacked", "cutout"):
            trace = TraceSettings(joins=joins, speck=0.0, sliver=0.0)  # type: ignore[arg-type]
            drawn = draw(labels, {}, PRESETS["all"], trace, title=joins, head_size=260.0)
            areas = {}
            for layer in drawn.layers:
                shapes = [polygon(shape) for shape in layer.shapes]
                assert shapely.is_valid(shapes).all()
                areas[LAYERS[layer.part].name] = round(float(shapely.area(shapes).sum()), 3)
            found[f"{kind.__name__} {joins}"] = {"svg": drawn.svg.decode(), "areas": areas}
    return (json.dumps(found, indent=0) + "\n").encode()


FILES = {"face.svg": face, "faces.svg": faces, "degenerate.json": degenerate}


def main(folder: Path = DATA) -> None:
    folder.mkdir(exist_ok=True)
    for name, make in FILES.items():
        (folder / name).write_bytes(make())


if __name__ == "__main__":
    main()
