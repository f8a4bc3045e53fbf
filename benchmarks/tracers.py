"""Ways from a label map to a layered SVG: ours, and those that a user would take instead.

potrace      the program, one mask a part (`-a` alphamax, `-O` opttolerance, `-t` turdsize)
vtracer      the package, on the map in colours, stacked, splines
contours     cv2.findContours a part, every pixel kept

Each takes labels (H, W) and returns the file's bytes.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceparse_core.parts import PAINT_ORDER, PARTS, select_parts
from svg_export.export import draw
from svg_export.layers import TraceSettings

Labels = NDArray[np.uint8]
COLORS = np.array([(40 + 11 * part.id, 97 * part.id % 256, (53 * part.id + 31) % 256) for part in PARTS], np.uint8)


def ours(labels: Labels, **settings: Any) -> bytes:
    head_size = settings.pop("head_size", None)
    return draw(labels, {}, select_parts("all"), TraceSettings(**settings), title="map", head_size=head_size).svg


def potrace(labels: Labels, alphamax: float = 1.0, opttolerance: float = 0.2, turdsize: int = 2) -> bytes:
    height, width = labels.shape
    options = ["-a", str(alphamax), "-O", str(opttolerance), "-t", str(turdsize)]
    body = []
    for part in PAINT_ORDER:
        mask = labels == part
        if not mask.any():
            continue
        bitmap = b"P4\n%d %d\n" % (width, height) + np.packbits(mask, axis=1).tobytes()
        done = subprocess.run(["potrace", "-s", "--flat", *options], input=bitmap, capture_output=True, check=True)
        text = done.stdout.decode()
        move, data = re.search(r'<g transform="([^"]+)"', text), re.search(r'<path d="([^"]+)"', text)
        if move and data:
            body.append((part, f'<g transform="{move[1]}"><path style="fill:#888" d="{data[1]}"/></g>'))
    return _document(labels, body)


def vtracer(labels: Labels, **options: Any) -> bytes:
    import vtracer as package

    png = cv2.imencode(".png", COLORS[labels][..., ::-1])[1].tobytes()
    settings = {"mode": "spline", "hierarchical": "stacked", "filter_speckle": 4, "color_precision": 8} | options
    text = package.convert_raw_image_to_svg(png, img_format="png", colormode="color", layer_difference=0, **settings)
    body = []
    for data, fill, move in re.findall(r'<path d="([^"]+)" fill="([^"]+)" transform="([^"]+)"', text):
        color = np.array([int(fill[at : at + 2], 16) for at in (1, 3, 5)])
        part = int(np.abs(COLORS - color).sum(axis=1).argmin())
        body.append((part, f'<path transform="{move}" style="fill:#888" d="{data}"/>'))
    return _document(labels, body)


def contours(labels: Labels) -> bytes:
    body = []
    for part in PAINT_ORDER:
        found, _ = cv2.findContours((labels == part).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        rings = ["L".join(f"{x + 0.5} {y + 0.5}" for x, y in ring[:, 0].tolist()) for ring in found if len(ring) > 3]
        if rings:
            data = "".join(f"M{ring}Z" for ring in rings)
            body.append((part, f'<path style="fill:#888;fill-rule:evenodd" d="{data}"/>'))
    return _document(labels, body)


def _document(labels: Labels, body: Iterable[tuple[int, str]]) -> bytes:
    height, width = labels.shape
    layers = "".join(f'<g id="{PARTS[part].name}" inkscape:groupmode="layer">{paths}</g>\n' for part, paths in body)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}">\n{layers}</svg>\n'
    ).encode()
