"""A parsed photo -> its SVG: trace, stack, write, as one step, for the command and for programs."""

from __future__ import annotations

import base64
import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np
from numpy.typing import NDArray

from faceparse_core.errors import FaceParseError, PhotoError
from faceparse_core.parts import BACKGROUND, PAINT_ORDER, PARTS, Rgb
from svg_export import __version__
from svg_export.layers import Layer, TraceSettings
from svg_export.layers import trace as trace_layers
from svg_export.svg import write_svg

_EXIF_ORIENTATION = 274
_JPEG_QUALITY = 90


@dataclass(frozen=True)
class Drawn:
    """What was drawn: the file's bytes, and its layers from bottom to top."""

    svg: bytes
    layers: tuple[Layer, ...]
    nodes: int = 0  #: of all layers together
    error: float | None = None  #: px, the farthest that a border lies from its curve; where tolerance or nodes are set

    @property
    def names(self) -> list[str]:
        return [PARTS[layer.part].name for layer in self.layers]


def draw(
    labels: NDArray[np.uint8],
    colors: Mapping[int, Rgb],
    parts: frozenset[int],
    trace: TraceSettings | None = None,
    *,
    title: str,
    head_size: float | None = None,
    photo_href: str | None = None,
    background: bool = False,
    model: Mapping[str, str] | None = None,
) -> Drawn:
    """The SVG of a label map (H, W) of part ids, with the layers of `parts`.

    colors      the fill of each part; where it has none, the table's colour stands
    head_size   px, what the smoothing is relative to; estimated from the labels where it is None
    photo_href  see `link_photo` and `embed_photo`
    background  add a locked layer in the colour of what is behind the head
    model       what parsed the photo (name, sha256), for the file's metadata; None: drawn by hand

    Raises FaceParseError where none of `parts` is in the label map.
    """
    trace = trace or TraceSettings()
    colors = {part.id: colors.get(part.id, part.color) for part in PARTS}
    traced = trace_layers(labels, colors, parts, trace, head_size)
    layers = traced.layers
    if not layers:
        there = set(np.unique(labels).tolist())
        found = ", ".join(PARTS[part].name for part in PAINT_ORDER if part in there) or "nothing but background"
        raise FaceParseError(f"none of the parts asked for is in this picture; there is: {found}")
    size = (labels.shape[0], labels.shape[1])
    metadata = {
        "generator": "faceparse-svg",
        "version": __version__,
        "model": dict(model) if model else None,
        "size": {"height": size[0], "width": size[1]},
        "parts": [PARTS[part].name for part in PAINT_ORDER if part in parts],
        "settings": dataclasses.asdict(trace),
    }
    svg = write_svg(
        layers,
        size,
        title=title,
        metadata=metadata,
        photo_href=photo_href,
        background=colors[BACKGROUND] if background else None,
    )
    asked = trace.max_nodes is not None or trace.tolerance_px is not None
    return Drawn(svg, layers, traced.nodes, round(traced.error, 2) if asked else None)


def link_photo(source: str, svg: Path | None) -> str:
    """The URL of the photo as seen from the SVG's folder (from the current one where the SVG goes to stdout).

    Raises PhotoError for a photo that is stored on its side: what a link shows is not turned upright everywhere.
    """
    from PIL import Image

    with Image.open(source) as image:
        if image.getexif().get(_EXIF_ORIENTATION, 1) != 1:
            raise PhotoError("is stored on its side (EXIF), a link would show it so; use --photo-layer embed")
    folder = svg.parent if svg else Path()
    try:
        return quote(os.fsencode(Path(os.path.relpath(source, folder)).as_posix()))
    except ValueError:  # another drive
        return Path(source).resolve().as_uri()


def embed_photo(rgb: NDArray[np.uint8]) -> str:
    """The photo (H, W, 3) itself as a data URL, a JPEG."""
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    written, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not written:
        raise PhotoError("is too large to be embedded as a JPEG; use --photo-layer link")
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()
