"""Does a file keep what `svg_export.svg` promises? `check_svg` lists every rule that it breaks.

For tests, and for whoever writes such a file with another program. It reads the bytes with the standard library alone,
not with the writer's code, so that it can disagree with the writer.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

from faceparse_core.errors import FaceParseError
from faceparse_core.parts import STANDARD, PartTable, own_parts

SVG = "{http://www.w3.org/2000/svg}"
INKSCAPE = "{http://www.inkscape.org/namespaces/inkscape}"
SODIPODI = "{http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd}"
XLINK = "{http://www.w3.org/1999/xlink}"

_STYLE = re.compile(r"fill:#[0-9a-f]{6};fill-rule:evenodd")
_STROKE = re.compile(
    r"fill:none;stroke:#[0-9a-f]{6};stroke-width:(?=.*[1-9])\d+(?:\.\d+)?;stroke-linejoin:round;stroke-linecap:round"
)
_LINE = re.compile(r"M[^Mz]*z?")
_RING = re.compile(r"M[^Mz]*z")
_NUMBER = re.compile(r"-?(?:\d+(?:\.\d+)?|\.\d+)")
_COMMAND = re.compile(r"([Mchvlz])([^a-zA-Z]*)")
_ARITY = {"M": 2, "c": 6, "l": 2, "h": 1, "v": 1, "z": 0}
_LAYER = re.compile(r"(?:face([2-9]|[1-9]\d+)-)?([a-z][a-z0-9-]*)")
_FACE = re.compile(r"face[1-9]\d*")

Point = tuple[float, float]


def check_svg(data: bytes) -> list[str]:
    """Every promise that the file breaks, as one sentence each; empty for a sound file."""
    try:
        root = ET.fromstring(data)
    except ET.ParseError as error:
        return [f"not XML: {error}"]
    try:
        table = own_parts(note.get("own", {})) if isinstance(note := _note(root), dict) else STANDARD
    except FaceParseError as error:
        return [f"<metadata> describes own parts wrongly: {error}"]
    return [*_check_root(root), *_check_ids(root), *_check_layers(root, table)]


def _note(root: ET.Element) -> object:
    """What <metadata> holds; None where that is no JSON."""
    try:
        note: object = json.loads(root.findtext(f"{SVG}metadata") or "")
    except (ValueError, RecursionError):
        return None
    return note


def _size(root: ET.Element) -> tuple[int, ...]:
    """Width and height in photo pixels; none where viewBox does not say so."""
    box = re.fullmatch(r"0 0 ([1-9][0-9]*) ([1-9][0-9]*)", root.get("viewBox", ""))
    return tuple(int(number) for number in box.groups()) if box else ()


def _check_root(root: ET.Element) -> Iterator[str]:
    if root.tag != f"{SVG}svg":
        yield f"the root is {root.tag}, not an SVG's"
        return
    size = _size(root)
    if not size:
        yield f"viewBox is {root.get('viewBox')!r}, not '0 0 W H' in photo pixels"
    for name, pixels in zip(("width", "height"), size, strict=False):
        length = re.fullmatch(r"(\d+(?:\.\d+)?)mm", root.get(name, ""))
        if not length or abs(float(length[1]) - pixels * 25.4 / 96) > 1e-3:
            yield f"{name} is {root.get(name)!r}, not {pixels} px in mm at 96 px per inch"
    if root.get("role") != "img":
        yield "role is not img"
    for name in ("title", "desc"):
        if not (root.findtext(f"{SVG}{name}") or "").strip():
            yield f"<{name}> is missing or empty"
    note = _note(root)
    if not isinstance(note, dict) or "generator" not in note:
        yield "<metadata> holds no JSON object that names its generator"
    view = root.find(f"{SODIPODI}namedview")
    if view is None or view.get(f"{INKSCAPE}document-units") != "px":
        yield "document units are not px"


def _check_ids(root: ET.Element) -> Iterator[str]:
    seen: set[str] = set()
    for element in root.iter():
        name = element.get("id")
        if name in seen:
            yield f"id {name!r} stands twice"
        if name is not None:
            seen.add(name)


def _check_layers(root: ET.Element, table: PartTable) -> Iterator[str]:
    size = _size(root)
    allowed = {f"{SVG}{tag}" for tag in ("title", "desc", "metadata", "g")} | {f"{SODIPODI}namedview"}
    yield from (f"<{child.tag}> has no place in the file" for child in root if child.tag not in allowed)
    groups = root.findall(f"{SVG}g")
    faces = [group for group in groups if _FACE.fullmatch(group.get("id", ""))]
    numbers = [int(group.get("id", "")[4:]) for group in faces]
    if numbers != sorted(set(numbers), reverse=True):
        yield f"faces {numbers} are not in order, the first on top"
    for face, number in zip(faces, numbers, strict=True):
        yield from _check_group(face)
        yield from _check_parts([child for child in face if child.tag == f"{SVG}g"], size, number, table)
        yield from (f"<{child.tag}> has no place in a face" for child in face if child.tag != f"{SVG}g")
        if not len(face):
            yield f"layer 'face{number}' is empty"
    locked = [group for group in groups if group.get("id") in ("photo", "background")]
    rest = [group for group in groups if group not in faces and group not in locked]
    if [*locked, *faces, *rest] != groups or (faces and rest):
        yield "layers are not in order: photo, background, then the parts, or the faces"
    yield from _check_parts([*locked, *rest], size, 1, table)


def _check_parts(groups: list[ET.Element], size: tuple[int, ...], face: int, table: PartTable) -> Iterator[str]:
    """The layers of one face, from bottom to top; the photo and the background may lie beneath them."""
    below = (0, 0)
    for group in groups:
        name, rank = group.get("id", ""), _rank(group.get("id", ""), table)
        if rank is None:
            yield f"layer {name!r} is not in the table of parts, nor described as the model's own"
            continue
        if rank <= below:
            yield f"layer {name!r} is not in paint order"
        below = rank
        if rank[0] not in (0, face):
            yield f"layer {name!r} lies in face {face}"
        yield from _check_layer(group, size, locked=rank[0] == 0, lined=rank[1] == len(table.layer_order))
        if rank[0] == 0 or rank[1] == len(table.layer_order):
            continue
        tones = [tone.get("id") for tone in group.findall(f"{SVG}g")]
        if tones != [tone for tone in (f"{name}-shadow", f"{name}-light") if tone in tones]:
            yield f"layer {name!r} holds {tones}: of a shadow and a light upon it at most one each, in this order"
        for tone in group.findall(f"{SVG}g"):
            yield from _check_layer(tone, size, locked=False, lined=False)


def _check_group(group: ET.Element, *, locked: bool = False) -> Iterator[str]:
    name = group.get("id", "")
    if group.get(f"{INKSCAPE}groupmode") != "layer" or not group.get(f"{INKSCAPE}label"):
        yield f"layer {name!r} is no Inkscape layer with a label"
    if (group.get(f"{SODIPODI}insensitive") == "true") != locked:
        yield f"layer {name!r} is {'not locked' if locked else 'locked'}"
    plain = {"id", f"{INKSCAPE}groupmode", f"{INKSCAPE}label", f"{SODIPODI}insensitive"}
    yield from (f"layer {name!r} carries {key}" for key in group.attrib if key not in plain)


def _check_layer(group: ET.Element, size: tuple[int, ...], *, locked: bool, lined: bool) -> Iterator[str]:
    """One layer but for its place; what lies in it are paths (or, of the photo, an image), then layers."""
    name = group.get("id", "")
    yield from _check_group(group, locked=locked)
    shapes = list(group)
    while shapes and shapes[-1].tag == f"{SVG}g":
        shapes.pop()
    if not shapes:
        yield f"layer {name!r} is empty"
    for number, shape in enumerate(shapes, 1):
        if shape.get("id") != f"{name}-{number}":
            yield f"id {shape.get('id')!r} should be '{name}-{number}'"
        yield from _check_image(shape, name) if name == "photo" else _check_path(shape, size, lined)


def _rank(layer: str, table: PartTable) -> tuple[int, int] | None:
    """The layer's place from bottom to top: the face's number (0: behind all), and the place in it.

    None for a name that is not in the table.
    """
    if layer in ("photo", "background"):
        return 0, 1 + ("photo", "background").index(layer)
    found = _LAYER.fullmatch(layer)
    if found and found[2] == "outline":
        return int(found[1] or 1), len(table.layer_order)
    if not found or found[2] not in table.by_name or table.by_name[found[2]].id not in table.layer_order:
        return None
    return int(found[1] or 1), table.layer_order.index(table.by_name[found[2]].id)


def _check_image(shape: ET.Element, layer: str) -> Iterator[str]:
    if shape.tag != f"{SVG}image" or not shape.get(f"{XLINK}href"):
        yield f"layer {layer!r} holds something else than an image"


def _check_path(shape: ET.Element, size: tuple[int, ...], lined: bool) -> Iterator[str]:
    name = shape.get("id")
    if shape.tag != f"{SVG}path" or set(shape.attrib) != {"id", "style", "d"}:
        yield f"{name}: not a path with an id, a style, a d and nothing else"
        return
    if not (_STROKE if lined else _STYLE).fullmatch(shape.get("style", "")):
        promise = "a hex stroke with round joins and ends" if lined else "a hex fill and evenodd"
        yield f"{name}: style is {shape.get('style')!r}, not {promise}"
    data = shape.get("d", "")
    if lined and not _LINE.fullmatch(data):
        yield f"{name}: is not one line"
        return
    if not lined and (_RING.sub("", data) or not data):
        yield f"{name}: rings are not all M..z"
        return
    try:
        points = list(on_points(data))
    except ValueError as error:
        yield f"{name}: {error}"
        return
    slack = 1e-6
    if size and not all(-slack <= x <= size[0] + slack and -slack <= y <= size[1] + slack for x, y in points):
        yield f"{name}: leaves the frame"


def on_points(data: str) -> Iterator[Point]:
    """Where the segments of a path's data begin and end. Raises ValueError on what the file may not hold."""
    x = y = 0.0
    if "".join(found[0] for found in _COMMAND.finditer(data)) != data:
        raise ValueError("a command other than M c h v l z")
    for command, text in _COMMAND.findall(data):
        numbers = [float(number) for number in _NUMBER.findall(text)]
        arity = _ARITY.get(command, 0)
        if _NUMBER.sub("", text).strip() or (len(numbers) % arity if arity else numbers) or (arity and not numbers):
            raise ValueError(f"{command} with the numbers {text!r}")
        if command == "M" and len(numbers) > 2:
            raise ValueError("M with a hidden line behind it")
        for start in range(0, len(numbers), arity or 1):
            values = numbers[start : start + arity]
            if command == "M":
                x, y = values
            else:
                x += 0 if command == "v" else values[-1 if command == "h" else -2]
                y += 0 if command == "h" else values[-1]
            yield x, y
