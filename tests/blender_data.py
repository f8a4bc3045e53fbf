"""The SVGs that the suite inside Blender reads, where our exporter is not at hand. Refresh them after its SVG changed:

python tests/blender_data.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from conftest import ROOT, draw_face

from faceparse_core.group import PER_FACE
from faceparse_core.parts import PRESETS
from svg_export.export import draw, draw_group, sitters_in

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


FILES = {"face.svg": face, "faces.svg": faces}


def main(folder: Path = DATA) -> None:
    folder.mkdir(exist_ok=True)
    for name, make in FILES.items():
        (folder / name).write_bytes(make())


if __name__ == "__main__":
    main()
