"""The SVGs that the suite inside Blender reads, where our exporter is not at hand. Refresh them after its SVG changed:

python tests/blender_data.py
"""

from __future__ import annotations

import re
from pathlib import Path

from conftest import ROOT, draw_face

from faceparse_core.parts import PRESETS
from svg_export.export import draw

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


FILES = {"face.svg": face, "faces.svg": faces}


def main(folder: Path = DATA) -> None:
    folder.mkdir(exist_ok=True)
    for name, make in FILES.items():
        (folder / name).write_bytes(make())


if __name__ == "__main__":
    main()
