"""A parsed photo -> its SVG: trace, stack, write, as one step, for the command and for programs."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

import cv2
import numpy as np
from numpy.typing import NDArray

from faceparse_core.errors import FaceParseError, PhotoError, SettingsError
from faceparse_core.group import GroupMap, count_faces, labels_of, parts_of
from faceparse_core.parse import GroupParsing
from faceparse_core.parts import BACKGROUND, HAIR, HAIR_BACK, LAYERS, PARTS, STANDARD, PartTable, Rgb, select_parts
from svg_export import __version__
from svg_export.files import check_output, write_files
from svg_export.layers import Traced, TraceSettings, trace_map
from svg_export.looks import INK, LookSettings
from svg_export.neighbours import reach_beneath, uncovered
from svg_export.palette import face_and_name
from svg_export.shapes import Face, Layer, LineWork
from svg_export.subpixel import Evidence
from svg_export.svg import decimals_for, prefix_of, svg_bytes

if TYPE_CHECKING:
    from faceparse_core.parse import Parsing
    from faceparse_core.parser import ModelInfo
    from faceparse_core.photo import Photo

_EXIF_ORIENTATION = 274
_JPEG_QUALITY = 90
_LINKED = ("JPEG", "MPO", "PNG", "GIF", "BMP")  # of what Inkscape and browsers show, as Pillow calls it


@dataclass(frozen=True)
class Drawn:
    """What was drawn: the file's bytes, and its layers from bottom to top."""

    svg: bytes
    faces: tuple[Face, ...]  #: the first, which lies on top, and of several heads the others
    palette: dict[str, Rgb] = field(default_factory=dict)  #: its colours by name, for `write_palette`
    nodes: int = 0  #: of all that is drawn
    error: float | None = None  #: px, the farthest that a border lies from its curve; where tolerance or nodes are set
    crossings: int = 0  #: places where outlines cross and could not be helped
    table: PartTable = STANDARD  #: the parts that the layers are of

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Those of the first face."""
        return self.faces[0].layers

    @property
    def names(self) -> list[str]:
        """The ids of all layers that hold shapes, bottom to top."""
        return [
            prefix_of(number) + name
            for number, face in reversed([*enumerate(self.faces, 1)])
            for name in _names(face, self.table)
        ]


def _names(face: Face, table: PartTable) -> list[str]:
    names = [table.layers[layer.part].name for layer in face.layers]
    return [*names, "outline"] if face.outline else names


@dataclass(frozen=True)
class Sitter:
    """What is known of one head besides its label map; of one in a map that was drawn by hand nothing."""

    colors: Mapping[int, Rgb] = field(default_factory=dict)
    head_size: float | None = None
    evidence: Evidence | None = None


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
    model: ModelInfo | None = None,
    swatches: Mapping[str, Rgb] | None = None,
    evidence: Evidence | None = None,
    table: PartTable = STANDARD,
) -> Drawn:
    """The SVG of a label map (H, W) of part ids, with the layers of `parts`.

    colors      the fill of each part; where it has none, the table's colour stands
    head_size   px, what the smoothing is relative to; estimated from the labels where it is None
    photo_href  see `link_photo` and `embed_photo`
    background  add a locked layer in the colour of what is behind the head
    swatches    colours by name, as `palette.read_palette` gives them; they win over `colors`
    evidence    the photo, on whose edges borders settle and whose light the style cel draws, and the parser's scores,
                which tell where borders lie between pixels
    model       what parsed the photo, for the file's metadata; None: drawn by hand
    table       with the parts that this model has of its own

    Raises FaceParseError where none of `parts` is in the label map, SettingsError where cel has no photo.
    """
    sitter = Sitter(colors, head_size, evidence)
    return draw_group(
        labels,
        (sitter,),
        parts,
        trace,
        look,
        title=title,
        photo_href=photo_href,
        background=background,
        model=model,
        swatches=swatches,
        table=table,
    )


def draw_group(
    labels: GroupMap,
    sitters: Sequence[Sitter],
    parts: frozenset[int],
    trace: TraceSettings | None = None,
    look: LookSettings | None = None,
    *,
    title: str,
    photo_href: str | None = None,
    background: bool = False,
    model: ModelInfo | None = None,
    swatches: Mapping[str, Rgb] | None = None,
    table: PartTable = STANDARD,
) -> Drawn:
    """The SVG of a map (H, W) of several heads (see `faceparse_core.group`), a group of layers for each.

    sitters   face 1, face 2, ..; of one alone the file is that of `draw`
    swatches  `face2-hair` wins over `hair` for the hair of face 2
    All else as for `draw`. Raises FaceParseError.
    """
    trace, look = trace or TraceSettings(), look or LookSettings()
    swatches = swatches or {}
    if look.lined:
        if parts == {HAIR_BACK}:
            raise SettingsError("drawings with lines have one layer of hair: ask for hair")
        parts -= {HAIR_BACK}  # the line along which hair is parted is none to be drawn
    size = (labels.shape[0], labels.shape[1])
    # as fine as the file will be: what was checked is what is written
    trace = replace(trace, decimals=min(trace.decimals, decimals_for(size)))
    several = len(sitters) > 1
    labels_alone = cast("NDArray[np.uint8]", labels)  # of one head an ordinary map; what is none, `trace_map` refuses
    own_swatches = [swatches_of(swatches, number) for number in range(1, len(sitters) + 1)]
    colors_of = [_colors(sitter.colors, own, table) for sitter, own in zip(sitters, own_swatches, strict=True)]

    def traced_with(number: int, settings: TraceSettings) -> Traced:
        sitter = sitters[number - 1]
        mine = reach_beneath(labels, number, parts, settings, sitter.head_size, table) if several else labels_alone
        return trace_map(mine, colors_of[number - 1], parts, settings, sitter.head_size, sitter.evidence, table)

    def seen(drawings: Sequence[Traced]) -> tuple[Face, ...]:
        """What of the curves is drawn."""
        faces: list[Face] = []
        for number, traced in enumerate(drawings, 1):
            own = own_swatches[number - 1]
            layers = traced.layers if look.filled else ()
            if look.shaded and layers:
                from svg_export.tones import add_tones

                evidence = sitters[number - 1].evidence
                if evidence is None or evidence.rgb is None:
                    raise SettingsError("the style cel takes its light from the photo: give it as the evidence's rgb")
                mine = labels_of(labels, number) if several else labels_alone
                how = look.tones, trace.curves, table
                layers = add_tones(layers, mine, evidence.rgb, parts, traced.head_size, own, *how)
            outline = None
            if look.lined and traced.layers:
                lines = traced.lines
                if several and not look.filled:
                    lines = uncovered(lines, labels, number, parts, table)
                outline = LineWork(lines, own.get("outline", INK), look.weight * traced.head_size)
            faces.append(Face(layers, outline))
        return tuple(faces)

    drawings = _within(trace, traced_with, len(sitters))
    if not any(traced.layers for traced in drawings):
        there = set(np.unique(parts_of(labels) if several else labels).tolist())
        names = [table.layers[part].name for part in table.paint_order if part in there]
        found = ", ".join(names) or "nothing but background"
        raise FaceParseError(f"none of the parts asked for is in this picture; there is: {found}")
    faces = seen(drawings)
    if trace.max_nodes is not None:  # of which tones and lines want their share
        most, shapes = trace.max_nodes, sum(traced.nodes for traced in drawings)
        while (over := sum(face.nodes for face in faces) - most) > 0 and shapes > 1:
            fewer = _within(replace(trace, max_nodes=max(1, shapes - over)), traced_with, len(sitters))
            left = sum(traced.nodes for traced in fewer)
            if left >= shapes:
                break
            drawings, faces, shapes = fewer, seen(fewer), left
    metadata = {
        "generator": "faceparse-svg",
        "version": __version__,
        "model": asdict(model) if model else None,
        "size": {"height": size[0], "width": size[1]},
        **({"faces": len(sitters)} if several else {}),
        "parts": [table.layers[part].name for part in table.layer_order if part in parts],
        **({"own": table.described()} if table.own else {}),
        "settings": asdict(trace) | look.used(),
    }
    svg = svg_bytes(
        faces,
        size,
        title=title,
        metadata=metadata,
        photo_href=photo_href,
        background=colors_of[0][BACKGROUND] if background else None,
        table=table,
    )
    palette: dict[str, Rgb] = {}
    for number, face in enumerate(faces, 1):
        palette |= {prefix_of(number) + name: color for name, color in _palette(face, table).items()}
    if background:
        palette[PARTS[BACKGROUND].name] = colors_of[0][BACKGROUND]
    asked = trace.max_nodes is not None or trace.tolerance_px is not None
    error = round(max(traced.error for traced in drawings), 2) if asked else None
    nodes = sum(face.nodes for face in faces)
    crossings = sum(traced.crossings for traced in drawings)
    return Drawn(svg, faces, palette, nodes, error, crossings, table)


def sitters_of(photo: Photo, parsing: Parsing | GroupParsing) -> tuple[Sitter, ...]:
    """One for each face that was parsed: its colours, its size, and what its borders are drawn by."""
    faces = parsing.faces if isinstance(parsing, GroupParsing) else (parsing,)
    return tuple(Sitter(face.colors, face.head_size, Evidence(photo.rgb, face.scores, face.box)) for face in faces)


def sitters_in(labels: GroupMap) -> tuple[Sitter, ...]:
    """One for each face that a map numbers of which nothing else is known."""
    return (Sitter(),) * count_faces(labels)


def swatches_of(swatches: Mapping[str, Rgb], number: int) -> dict[str, Rgb]:
    """The swatches of one face, by the names of its parts: its own ones win over those of all."""
    by_face: dict[int, dict[str, Rgb]] = {0: {}, number: {}}
    for name, color in swatches.items():
        face, part = face_and_name(name)
        by_face.setdefault(face, {})[part] = color
    common, own = by_face[0], by_face[number]
    hair, back = LAYERS[HAIR].name, LAYERS[HAIR_BACK].name  # one has the other's colours, but where it has its own
    for given in (common, own):
        of_hair = {k: color for k, color in given.items() if k.startswith(hair) and not k.startswith(back)}
        for name, color in of_hair.items():
            given.setdefault(back + name[len(hair) :], color)
    return common | own


def _colors(colors: Mapping[int, Rgb], swatches: Mapping[str, Rgb], table: PartTable) -> dict[int, Rgb]:
    """The fill of every layer."""
    fills = {part.id: swatches.get(part.name, colors.get(part.id, part.color)) for part in table.parts}
    fills[HAIR_BACK] = swatches.get(LAYERS[HAIR_BACK].name, fills[HAIR])
    return fills


def _palette(face: Face, table: PartTable) -> dict[str, Rgb]:
    name_of = {layer.part: table.layers[layer.part].name for layer in face.layers}
    palette = {name_of[layer.part]: layer.fill for layer in face.layers}
    palette |= {f"{name_of[layer.part]}-{tone.name}": tone.fill for layer in face.layers for tone in layer.tones}
    return palette | ({"outline": face.outline.color} if face.outline else {})


def _within(trace: TraceSettings, traced: Callable[[int, TraceSettings], Traced], count: int) -> list[Traced]:
    """All faces traced, within the budget of nodes of the whole drawing where there is one.

    Each gets its share by the nodes that it would have without a budget, so that the tolerance is raised alike in all;
    what one cannot do with its share the others do with less.
    """
    if count == 1 or trace.max_nodes is None:
        return [traced(number, trace) for number in range(1, count + 1)]
    drawn = [traced(number, replace(trace, max_nodes=None)) for number in range(1, count + 1)]
    open_ = set(range(count))
    while sum(each.nodes for each in drawn) > trace.max_nodes and open_:
        left = trace.max_nodes - sum(each.nodes for k, each in enumerate(drawn) if k not in open_)
        asked = sum(drawn[k].nodes for k in open_)
        stuck = set()
        for k in sorted(open_):
            share = max(1, left * drawn[k].nodes // max(asked, 1))
            drawn[k] = traced(k + 1, replace(trace, max_nodes=share))
            if drawn[k].nodes > share:
                stuck.add(k)
        if not stuck:
            break
        open_ -= stuck
    return drawn


def write_svg(
    path: str | os.PathLike[str],
    photo: Photo,
    parsing: Parsing | GroupParsing,
    parts: str | Iterable[str] = "portrait",
    trace: TraceSettings | None = None,
    look: LookSettings | None = None,
    *,
    force: bool = False,
) -> Drawn:
    """Draw a parsed photo and write it to `path`: the file that the command writes, byte for byte.

    photo    what `parsing` was made of: borders settle on its edges, and its name becomes the title
    parts    a preset, or names of layers
    force    overwrite what is there

    Returns what was drawn. Raises FaceParseError where none of `parts` is in the photo or one is unknown, OutputError
    where `path` exists already or cannot be written; then what was there is as it was.
    """
    target = Path(path)
    check_output(target, force)
    drawn = draw_group(
        parsing.labels,
        sitters_of(photo, parsing),
        select_parts(parts, table=parsing.table),
        trace,
        look,
        title=photo.name,
        model=parsing.model,
        table=parsing.table,
    )
    write_files({target: drawn.svg}, force)
    return drawn


def link_photo(source: str, svg: Path | None) -> str:
    """The URL of the photo as seen from the SVG's folder (from the current one where the SVG goes to stdout).

    Raises PhotoError for a photo that is stored on its side, for what a link shows is not turned upright everywhere,
    and for formats that Inkscape or browsers do not show.
    """
    from PIL import Image

    with Image.open(source) as image:
        if image.format not in _LINKED:
            raise PhotoError(f"is a {image.format}, which not every program shows; use --photo-layer embed")
        if image.getexif().get(_EXIF_ORIENTATION, 1) != 1:
            raise PhotoError("is stored on its side (EXIF), a link would show it so; use --photo-layer embed")
    folder = os.path.realpath(svg.parent if svg else os.curdir)
    try:
        return quote(os.fsencode(Path(os.path.relpath(os.path.realpath(source), folder)).as_posix()))
    except ValueError:  # another drive
        return Path(source).resolve().as_uri()


def embed_photo(rgb: NDArray[np.uint8]) -> str:
    """The photo (H, W, 3) itself as a data URL, a JPEG."""
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    written, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not written:
        raise PhotoError("is too large to be embedded as a JPEG; use --photo-layer link")
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()
