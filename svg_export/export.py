"""A parsed photo -> its SVG: trace, stack, write, as one step, for the command and for programs."""

from __future__ import annotations

import base64
import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np
from numpy.typing import NDArray

from faceparse_core.errors import FaceParseError, PhotoError, SettingsError
from faceparse_core.parts import BACKGROUND, HAIR, HAIR_BACK, LAYER_ORDER, LAYERS, PAINT_ORDER, PARTS, Rgb
from svg_export import __version__
from svg_export.layers import Layer, LineWork, TraceSettings, trace_map
from svg_export.looks import INK, LookSettings
from svg_export.subpixel import Evidence
from svg_export.svg import decimals_for, write_svg

_EXIF_ORIENTATION = 274
_JPEG_QUALITY = 90


@dataclass(frozen=True)
class Drawn:
    """What was drawn: the file's bytes, and its layers from bottom to top."""

    svg: bytes
    layers: tuple[Layer, ...]
    palette: dict[str, Rgb] = field(default_factory=dict)  #: its colours by name, for `write_palette`

    outline: LineWork | None = None
    nodes: int = 0  #: of all layers together
    error: float | None = None  #: px, the farthest that a border lies from its curve; where tolerance or nodes are set
    crossings: int = 0  #: places where outlines cross and could not be helped

    @property
    def names(self) -> list[str]:
        names = [LAYERS[layer.part].name for layer in self.layers]
        return [*names, "outline"] if self.outline else names


def draw(
    labels: NDArray[np.uint8],
    colors: Mapping[int, Rgb],
    parts: frozenset[int],
    trace: TraceSettings | None = None,
    look: LookSettings | None = None,
    *,
    title: str,
    head_size: float | None = None,
    photo_href: str | None = None,
    background: bool = False,
    model: Mapping[str, str] | None = None,
    swatches: Mapping[str, Rgb] | None = None,
    evidence: Evidence | None = None,
) -> Drawn:
    """The SVG of a label map (H, W) of part ids, with the layers of `parts`.

    colors      the fill of each part; where it has none, the table's colour stands
    head_size   px, what the smoothing is relative to; estimated from the labels where it is None
    photo_href  see `link_photo` and `embed_photo`
    background  add a locked layer in the colour of what is behind the head
    swatches    colours by name, as `palette.read_palette` gives them; they win over `colors`
    evidence    the photo, on whose edges borders settle and whose light the style cel draws, and the parser's scores,
                which tell where borders lie between pixels
    model       what parsed the photo (name, sha256), for the file's metadata; None: drawn by hand

    Raises FaceParseError where none of `parts` is in the label map, SettingsError where cel has no photo.
    """
    trace, look = trace or TraceSettings(), look or LookSettings()
    swatches = swatches or {}
    hair, back = LAYERS[HAIR].name, LAYERS[HAIR_BACK].name  # one has the other's colours, but where it has its own
    of_hair = {name: color for name, color in swatches.items() if name.startswith(hair) and not name.startswith(back)}
    swatches = {back + name[len(hair) :]: color for name, color in of_hair.items()} | {**swatches}
    colors = {part.id: swatches.get(part.name, colors.get(part.id, part.color)) for part in PARTS}
    colors[HAIR_BACK] = swatches.get(LAYERS[HAIR_BACK].name, colors[HAIR])
    if look.lined:
        parts -= {HAIR_BACK}  # the line along which hair is parted is none to be drawn
    size = (labels.shape[0], labels.shape[1])
    # as fine as the file will be: what was checked is what is written
    trace = dataclasses.replace(trace, decimals=min(trace.decimals, decimals_for(size)))
    traced = trace_map(labels, colors, parts, trace, head_size, evidence)
    if not traced.layers:
        there = set(np.unique(labels).tolist())
        found = ", ".join(PARTS[part].name for part in PAINT_ORDER if part in there) or "nothing but background"
        raise FaceParseError(f"none of the parts asked for is in this picture; there is: {found}")
    layers = traced.layers if look.filled else ()
    if look.shaded:
        from svg_export.tones import add_tones

        if evidence is None or evidence.rgb is None:
            raise SettingsError("the style cel takes its light from the photo: give it as the evidence's rgb")
        layers = add_tones(layers, labels, evidence.rgb, parts, traced.head_size, swatches, look.tones, trace.curves)
    outline = None
    if look.lined:
        outline = LineWork(traced.lines, swatches.get("outline", INK), look.weight * traced.head_size)
    metadata = {
        "generator": "faceparse-svg",
        "version": __version__,
        "model": dict(model) if model else None,
        "size": {"height": size[0], "width": size[1]},
        "parts": [LAYERS[part].name for part in LAYER_ORDER if part in parts],
        "settings": dataclasses.asdict(trace) | look.used(),
    }
    svg = write_svg(
        layers,
        size,
        title=title,
        metadata=metadata,
        photo_href=photo_href,
        background=colors[BACKGROUND] if background else None,
        outline=outline,
    )
    palette = {LAYERS[layer.part].name: layer.fill for layer in layers}
    palette |= {f"{LAYERS[layer.part].name}-{tone.name}": tone.fill for layer in layers for tone in layer.tones}
    if background:
        palette[PARTS[BACKGROUND].name] = colors[BACKGROUND]
    if outline:
        palette["outline"] = outline.color
    asked = trace.max_nodes is not None or trace.tolerance_px is not None
    error = round(traced.error, 2) if asked else None
    return Drawn(svg, layers, palette, outline, traced.nodes, error, traced.crossings)


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
