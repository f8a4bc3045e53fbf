"""The SVGs that the suite inside Blender reads, where our exporter is not at hand. Refresh them after its SVG changed:

python tests/blender_data.py
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import shapely
from any_maps import KINDS, polygon
from conftest import ROOT, draw_face

from faceparse_core.group import PER_FACE
from faceparse_core.parts import LAYERS, OWN, PRESETS, own_parts, select_parts
from svg_export.export import draw, draw_group, sitters_in
from svg_export.layers import TraceSettings

DATA = ROOT / "tests" / "blender" / "data"
SIZE = (480, 360)  # height, width of a face, px


def face() -> bytes:
    """One drawn face, the default layers."""
    return draw(draw_face(SIZE), {}, PRESETS["portrait"], title="A drawn face").svg


def faces() -> bytes:
    """Two of them side by side, every layer, a locked background."""
    one = draw_face(SIZE)
    both = np.hstack([one, np.where(one > 0, one + PER_FACE, 0).astype(np.uint8)])
    return draw_group(both, sitters_in(both), PRESETS["all"], title="Two drawn faces", background=True).svg


def own() -> bytes:
    """One drawn face with two parts that the table does not know: a sticker on the cheek, headphones over all."""
    table = own_parts({
        "sticker": {"label": "Sticker", "above": "nose", "color": [230, 40, 60]},
        "headphones": {"on_head": False, "color": [20, 20, 30]},
    })  # fmt: skip
    labels = draw_face(SIZE)
    cv2.circle(labels, (120, 290), 14, OWN, -1)
    cv2.ellipse(labels, (180, 200), (128, 170), 0, 180, 360, OWN + 1, 18)
    parts = select_parts("all", table=table)
    return draw(labels, {}, parts, title="Parts of one's own", table=table).svg


def degenerate() -> bytes:
    """Drawings of small, hard label maps (checkerboards, rings in rings, single pixels, parts that touch in corners or
    all in one point, up to the frame), as JSON: of each its SVG, and the area of each layer, px, as shapely has it."""
    found = {}
    for kind in KINDS:
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


FILES = {"face.svg": face, "faces.svg": faces, "own.svg": own, "degenerate.json": degenerate}


def main(folder: Path = DATA) -> None:
    folder.mkdir(exist_ok=True)
    for name, make in FILES.items():
        (folder / name).write_bytes(make())


if __name__ == "__main__":
    main()
