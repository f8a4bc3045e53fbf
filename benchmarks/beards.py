"""Who has a beard, by the parser: a line a photo, and a contact sheet to judge it by.

    python benchmarks/beards.py FOLDER [--model FILE.onnx] [--sheet SHEET.png]

Printed is the area of the beard of each photo's largest head, in squared face heights. On the sheet each face stands
beside itself with the beard in red and the mouth in pink, the photo's name in its corner.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceparse_core import FaceParseError, load_parser, parse_photo, read_photo
from faceparse_core.parts import BEARD, FACE, MOUTH

SIDE, ACROSS = 200, 5  # px of a picture, faces in a row
RED, PINK = (255, 40, 0), (255, 0, 255)


def main() -> int:
    """Exit status 1 where there is no photo."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("folder", type=Path)
    command.add_argument("--model", default="embedded")
    command.add_argument("--sheet", type=Path)
    a = command.parse_args()
    parser = load_parser(a.model)
    tiles = []
    for path in sorted(p for p in a.folder.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp")):
        photo = read_photo(path)
        try:
            labels = parse_photo(photo, parser).labels
        except FaceParseError:
            print(f"{path.stem}  no face found")
            continue
        rows, columns = np.nonzero(np.isin(labels, (*FACE, BEARD)))
        height = float(np.ptp(rows) + 1)
        print(f"{path.stem}  {(labels == BEARD).sum() / height**2:.3f}")
        tiles.append(
            _tile(photo.rgb, labels, (rows.min() + rows.max()) / 2, np.ptp(columns) / 2 + columns.min(), height)
        )
        cv2.putText(tiles[-1], path.stem, (2, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 0), 1)
    if not tiles:
        print(f"{a.folder}: no photo with a face", file=sys.stderr)
        return 1
    if a.sheet:
        tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % ACROSS)
        lines = [np.hstack(tiles[first : first + ACROSS]) for first in range(0, len(tiles), ACROSS)]
        cv2.imwrite(str(a.sheet), np.vstack(lines)[..., ::-1])
    return 0


def _tile(rgb: NDArray[np.uint8], labels: NDArray[np.uint8], y: float, x: float, height: float) -> NDArray[np.uint8]:
    reach = 0.75 * height
    window = slice(max(0, round(y - reach)), round(y + reach)), slice(max(0, round(x - reach)), round(x + reach))
    face = cv2.resize(rgb[window], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    names = cv2.resize(labels[window], (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    shown = face.astype(np.float32)
    shown[names == BEARD] = 0.4 * shown[names == BEARD] + 0.6 * np.array(RED)
    mouth = np.isin(names, MOUTH)
    shown[mouth] = 0.6 * shown[mouth] + 0.4 * np.array(PINK)
    return np.hstack([face, shown.astype(np.uint8)]).astype(np.uint8)


if __name__ == "__main__":
    sys.exit(main())
