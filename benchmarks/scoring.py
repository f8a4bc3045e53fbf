"""What a layered SVG shows, against the label map that it was traced from.

    miou      mean IoU over the parts, of what is seen (layers bottom to top, hard edges)
    bf        boundary F-score at 1 px, mean over the same parts
    leaks     pixels deep inside the portrait through which the page shows when edges are smoothed: hairline seams
    wrong     pixels farther than 2.5 px from every border that show another part
    segments  lines and curves of all paths
    bytes     of the file

Parts of fewer than 30 pixels that are not seen either do not count. A part without a layer is what lies beneath it:
head, or the page. The picture is drawn by resvg, which is no part of the project.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass

import cv2
import numpy as np
import resvg_py
from numpy.typing import NDArray

from faceparse_core.parts import BACKGROUND, BY_NAME, HAIR, HAIR_BACK, HEAD, PARTS

SVG, INKSCAPE = "{http://www.w3.org/2000/svg}", "{http://www.inkscape.org/namespaces/inkscape}"
_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
_ARITY = {"l": 2, "h": 1, "v": 1, "c": 6, "s": 4, "q": 4, "t": 2, "a": 7}  # numbers of a segment

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Score:
    miou: float
    bf: float
    leaks: int
    wrong: int
    segments: int
    bytes: int


#: Layer -> the part of a label map that it shows.
_PART = {name: HAIR if part.id == HAIR_BACK else part.id for name, part in BY_NAME.items()}


def score(svg: bytes, labels: NDArray[np.uint8]) -> Score:
    """The figures of a file whose layers bear the parts' names; `labels` (H, W) fill its viewBox."""
    layers, names = _layers(svg)
    shown = {_PART[name] for name in names} | {BACKGROUND}
    wanted = np.where(np.isin(labels, sorted(shown)), labels, BACKGROUND)
    if HEAD in shown:
        wanted[np.isin(labels, [part.id for part in PARTS if part.on_head and part.id not in shown])] = HEAD
    found = _seen(layers, names, labels.shape)
    overlap, boundary = [], []
    for part in sorted(shown - {BACKGROUND}):
        ours, theirs = found == part, wanted == part
        if theirs.sum() >= 30 or ours.any():
            overlap.append((ours & theirs).sum() / max(1, (ours | theirs).sum()))
            boundary.append(_boundary_f(ours, theirs))
    visible = [group for group in layers if group.get("id") != PARTS[BACKGROUND].name]
    return Score(
        float(np.mean(overlap)),
        float(np.mean(boundary)),
        int((_cover(visible, labels.shape) < 250)[_deep_inside(wanted > 0)].sum()),
        int(((found != wanted) & _far_from_borders(wanted)).sum()),
        sum(count_segments(path.get("d", "")) for group in visible for path in group.iter(f"{SVG}path")),
        len(svg),
    )


def seen(svg: bytes, size: tuple[int, ...], finer: int = 1) -> NDArray[np.uint8]:
    """The part seen at each point of a picture of `size` (height, width), `finer` times as many each way."""
    return _seen(*_layers(svg), size, finer)


def count_segments(data: str) -> int:
    """Lines and curves in path data; closing a path is a line."""
    count = 0
    for command, numbers in re.findall(r"([MmZzLlHhVvCcSsQqTtAa])([^MmZzLlHhVvCcSsQqTtAa]*)", data):
        values = len(re.findall(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", numbers))
        kind = command.lower()
        count += 1 if kind == "z" else values // 2 - 1 if kind == "m" else values // _ARITY[kind]
    return count


def _layers(svg: bytes) -> tuple[list[ET.Element], list[str]]:
    layers = [group for group in ET.fromstring(svg) if group.get("id") in BY_NAME]
    return layers, list(dict.fromkeys(group.get("id", "") for group in layers))


def _seen(layers: list[ET.Element], names: list[str], size: tuple[int, ...], finer: int = 1) -> NDArray[np.uint8]:
    """The part seen at each pixel (H, W)."""
    colors = {name: f"#{number:02x}0000" for number, name in enumerate(names, 1)}
    picture = _drawn([(group, colors[group.get("id", "")]) for group in layers], size, crisp=True, finer=finer)
    part = np.array([BACKGROUND, *(_PART[name] for name in names)], np.uint8)
    return part[np.where(picture[..., 3] > 127, picture[..., 2], 0)]


def _cover(layers: list[ET.Element], size: tuple[int, ...]) -> NDArray[np.uint8]:
    """How much the layers cover each pixel, 0 to 255 (H, W)."""
    return _drawn([(group, "#000000") for group in layers], size, crisp=False)[..., 3]


def _drawn(
    layers: list[tuple[ET.Element, str]], size: tuple[int, ...], crisp: bool, finer: int = 1
) -> NDArray[np.uint8]:
    """Layers in one colour each, BGRA (H, W, 4), `finer` times."""
    height, width = size
    edges = ' shape-rendering="crispEdges"' if crisp else ""
    body = []
    for group, color in layers:
        for outer in group.iter():  # a group within may carry a transform
            for path in outer.findall(f"{SVG}path"):
                move = path.get("transform") or (outer.get("transform") if outer is not group else "") or ""
                rule = "evenodd" if "evenodd" in (path.get("style") or "") else "nonzero"
                data = path.get("d", "")
                body.append(f'<path transform="{move}" fill="{color}" fill-rule="{rule}" d="{data}"/>')
    frame = f'width="{finer * width}" height="{finer * height}" viewBox="0 0 {width} {height}"{edges}'
    text = f'<svg xmlns="http://www.w3.org/2000/svg" {frame}>{"".join(body)}</svg>'
    png = np.frombuffer(bytes(resvg_py.svg_to_bytes(svg_string=text)), np.uint8)
    picture: NDArray[np.uint8] = cv2.imdecode(png, cv2.IMREAD_UNCHANGED)
    return picture


def _boundary_f(one: Bools, two: Bools, tolerance: float = 1.0) -> float:
    """The harmonic mean of how much of each mask's rim lies within `tolerance` px of the other's."""
    first, second = one & ~_eroded(one, 1, beyond=1), two & ~_eroded(two, 1, beyond=1)
    if not first.any() or not second.any():
        return float(first.any() == second.any())
    near_first, near_second = _distance(first) <= tolerance, _distance(second) <= tolerance
    precision, recall = float(near_second[first].mean()), float(near_first[second].mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _deep_inside(mask: Bools) -> Bools:
    """What is 2 px inside of the mask, and 3 px inside of its outermost outlines."""
    page = np.pad((~mask).astype(np.uint8), 1, constant_values=1)
    cv2.floodFill(page, None, (0, 0), 2, flags=4)
    filled = page[1:-1, 1:-1] != 2
    return _eroded(filled, 3) & mask & _eroded(mask, 2)


def _far_from_borders(labels: NDArray[np.uint8]) -> Bools:
    edges = np.zeros(labels.shape, np.bool_)
    edges[1:] |= labels[1:] != labels[:-1]
    edges[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    return _distance(edges) > 2.5


def _eroded(mask: Bools, times: int, beyond: int = 0) -> Bools:
    """The mask less its rim; `beyond` says whether what lies outside of the picture belongs to it."""
    padded = np.pad(mask.astype(np.uint8), times, constant_values=beyond)
    return cv2.erode(padded, _CROSS, iterations=times, borderValue=beyond)[times:-times, times:-times] > 0


def _distance(mask: Bools) -> NDArray[np.float32]:
    """px from each pixel to the nearest of the mask."""
    if not mask.any():
        return np.full(mask.shape, np.inf, np.float32)
    distance: NDArray[np.float32] = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return distance
