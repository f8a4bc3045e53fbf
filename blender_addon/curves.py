# SPDX-License-Identifier: GPL-3.0-or-later
"""A drawing -> a collection of curve objects, an edited file into it, and the collection back into a drawing.

One collection a file, with one collection a face in it where there are several; one 2D curve object a layer (more only
where shapes of other colours lie on each other within a layer: see `sheets`), each a step above the one below.

What the file said when it was last read stands on every object as `faceparse_imported`, the common ancestor of an
update: where the file says something new, the file wins; where it says the same as before, what was done in Blender
stays.
"""

from __future__ import annotations

import json
import math
import os
import re
from array import array
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from urllib.parse import unquote

import bpy
from mathutils import Matrix

from . import grease_pencil, materials
from .drawing import Affine, Color, Drawing, Layer, Ring, Shape, unique
from .exif import orientation
from .path_data import polygon
from .sheets import ALIGNED, FREE, VECTOR, Frame, Kind, Sheet, ring_of, sheets_of, spline_of, steps

# Custom properties. On layers:
ID, PART, LABEL, SOURCE = "faceparse_id", "faceparse_part", "faceparse_label", "faceparse_source"
IMPORTED = "faceparse_imported"  #: JSON, what the file said: see `_Imported`
MISSING = "faceparse_missing"  #: set where an update did not find the layer in the file
# On the collection, besides SOURCE:
FACE = "faceparse_face"  #: on a face's own collection, where there are several
SIZE = "faceparse_size"  #: (height, width) of the drawing, px
UNIT, ORIGIN = "faceparse_unit", "faceparse_origin"  #: Blender units a pixel; (x, y) px that lies at (0, 0)
SETTINGS = "faceparse_settings"  #: JSON, the CurveSettings it was built with
KNOWN = "faceparse_known"  #: JSON, ids of all layers that were ever brought: what is gone was removed here
METADATA, PHOTO, TITLE = "faceparse_metadata", "faceparse_photo", "faceparse_title"
_APPLIED = "faceparse_step_applied"

TRUE_SIZE = 0.0254 / 96  # metres a pixel: 96 to the inch, as the SVG's own width in millimetres says
_GREY = Color(0.8, 0.8, 0.8)


@dataclass(frozen=True)
class CurveSettings:
    """How a drawing stands in Blender. Lengths in Blender units."""

    height: float = 1.0  #: of the whole drawing
    true_size: bool = False  #: 96 px to the inch instead of `height`
    step: float = 0.01  #: in z, from layer to layer
    share_materials: bool = False  #: one material a part for all portraits, instead of a portrait's own colours
    exact_colors: bool = True  #: set the scene's view transform to Standard: others bend every colour
    photo_behind: bool = False  #: the photo as an image empty beneath the lowest layer
    extrude: float = 0.0
    bevel: float = 0.0
    lit: bool = False  #: materials that light falls on, instead of flat ones
    as_grease_pencil: bool = False  #: one Grease Pencil object instead of curves (version 3: Blender 4.3 and later)


@dataclass
class Update:
    """What an update did, by the names of layers."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  #: no longer in the file, still here
    deleted: list[str] = field(default_factory=list)  #: in the file, but deleted here before: they stay away


@dataclass(frozen=True)
class _Imported:
    """What the file said of an object when it was last read."""

    kind: Kind
    tier: int
    order: float  #: times the step is its z
    name: str  #: of the object, as given
    label: str
    visible: bool
    locked: bool
    digest: str
    shapes: list[tuple[str, int]]  #: id and number of rings of every path

    @staticmethod
    def of(target: bpy.types.Object) -> _Imported | None:
        try:
            return _Imported(**json.loads(target[IMPORTED]))
        except (KeyError, ValueError, TypeError):
            return None

    def write(self, target: bpy.types.Object) -> None:
        target[IMPORTED] = json.dumps(self.__dict__)


# A drawing -> objects


def import_drawing(
    context: bpy.types.Context, drawing: Drawing, settings: CurveSettings, source: str, photo: str | None = None
) -> bpy.types.Collection:
    """All of `build` at once."""
    building = build(context, drawing, settings, source, photo)
    while True:
        try:
            next(building)
        except StopIteration as done:
            collection: bpy.types.Collection = done.value
            return collection


def build(
    context: bpy.types.Context, drawing: Drawing, settings: CurveSettings, source: str, photo: str | None = None
) -> Generator[str, None, bpy.types.Collection]:
    """The drawing as a new collection of the scene, a layer a step: yields the layer's label, returns the collection.

    source  the SVG's path, for updates; "" where no file is kept
    photo   the photo's path, for `photo_behind`; None: the one that the drawing itself refers to
    A generator that is closed half way takes away what it has made.
    """
    scene = context.scene
    height, width = drawing.size
    collection = bpy.data.collections.new(drawing.title)
    try:
        scene.collection.children.link(collection)
        collection[SIZE], collection[ORIGIN] = (height, width), (width / 2, height / 2)
        collection[UNIT] = TRUE_SIZE if settings.true_size else settings.height / height
        collection[SOURCE], collection[TITLE], collection[PHOTO] = source, drawing.title, drawing.photo or ""
        collection[SETTINGS], collection[METADATA] = json.dumps(asdict(settings)), json.dumps(dict(drawing.metadata))
        collection[KNOWN] = json.dumps([layer.id for layer in drawing.layers])
        collection[_APPLIED] = settings.step
        collection.faceparse_step = settings.step
        site = _Site.of(collection)
        if settings.as_grease_pencil and grease_pencil_available():
            yield from grease_pencil.build(collection, drawing, site.frame, settings)
        else:
            several = len({layer.face for layer in drawing.layers}) > 1
            for order, layer in enumerate(drawing.layers):
                home = _home(collection, layer.face) if several else collection
                for sheet, z in _stacked(layer, order):
                    _add(home, layer, sheet, z, site)
                yield layer.label
        if settings.exact_colors:
            materials.show_exact(scene)
        if settings.photo_behind:
            _put_photo(collection, photo or linked_photo(drawing.photo, source), site)
        _select(context, collection)
    except BaseException:  # also GeneratorExit: the caller does not want the rest
        discard(collection)
        raise
    return collection


def discard(collection: bpy.types.Collection) -> None:
    """Remove a portrait, with all that nothing else uses."""
    targets = list(collection.all_objects)
    surfaces = {slot.material for target in targets for slot in target.material_slots if slot.material is not None}
    _remove(targets)
    bpy.data.batch_remove([*collection.children_recursive, collection])
    bpy.data.batch_remove([surface for surface in surfaces if surface.users == 0])


def _remove(targets: Iterable[bpy.types.Object]) -> None:
    """Objects, and the curves that only they used."""
    targets = list(targets)
    data = {target.data for target in targets if target.data is not None}
    bpy.data.batch_remove(targets)
    bpy.data.batch_remove([block for block in data if block.users == 0])


@dataclass(frozen=True)
class _Site:
    """What the objects of one portrait have in common."""

    frame: Frame
    settings: CurveSettings
    source: str
    made: list[bpy.types.Material] = field(default_factory=list)  #: materials, by this import or update
    loose: dict[Color, bpy.types.Material] = field(default_factory=dict)  #: of shapes that stand in no layer

    @staticmethod
    def of(collection: bpy.types.Collection) -> _Site:
        known = {item.name for item in fields(CurveSettings)}
        try:
            written = json.loads(collection.get(SETTINGS, "{}"))
            settings = CurveSettings(**{name: value for name, value in written.items() if name in known})
        except (ValueError, TypeError, AttributeError):
            settings = CurveSettings()
        settings = replace(settings, step=collection.faceparse_step)
        return _Site(frame_of(collection), settings, source_of(collection))


def _stacked(layer: Layer, order: float) -> list[tuple[Sheet, float]]:
    """A layer's sheets, each with its z in steps: from `order` on, all below the next layer's."""
    sheets = sheets_of(layer)
    return [(sheet, order + number / len(sheets)) for number, sheet in enumerate(sheets)]


def _home(collection: bpy.types.Collection, face: int) -> bpy.types.Collection:
    """The collection of one of several faces."""
    for inner in collection.children:
        if inner.get(FACE) == face:
            return inner
    inner = bpy.data.collections.new(f"{collection.name} face {face}")
    inner[FACE] = face
    collection.children.link(inner)
    return inner


def _add(home: bpy.types.Collection, layer: Layer, sheet: Sheet, z: float, site: _Site) -> bpy.types.Object:
    name = layer.label
    if sheet.kind == "stroke":
        name += " outline"
    elif sheet.tier:
        name += f" {sheet.tier + 1}"
    settings = site.settings
    curve = bpy.data.curves.new(name, "CURVE")
    curve.dimensions = "2D"
    curve.fill_mode = "BOTH" if sheet.kind == "fill" else "NONE"
    if sheet.kind == "fill":
        curve.extrude, curve.bevel_depth = settings.extrude, settings.bevel
    else:
        curve.bevel_depth = sheet.width / 2 * site.frame.unit
    for color in sheet.colors:
        curve.materials.append(_material(layer, sheet, color, site))
    _draw(curve, sheet, site)
    made = bpy.data.objects.new(name, curve)
    home.objects.link(made)
    made.matrix_world = Matrix.Translation((0, 0, z * settings.step))  # of use before Blender's next update, too
    made[ID], made[PART], made[LABEL], made[SOURCE] = layer.id, layer.part, layer.label, site.source
    if not layer.visible:
        _set_visible(made, False)
    made.hide_select = layer.locked
    _said(layer, sheet, z, made.name).write(made)
    return made


def _said(layer: Layer, sheet: Sheet, order: float, name: str) -> _Imported:
    shapes = [(shape.id, len(shape.rings)) for shape in sheet.shapes]
    return _Imported(
        sheet.kind, sheet.tier, order, name, layer.label, layer.visible, layer.locked, sheet.digest(), shapes
    )


def _material(layer: Layer, sheet: Sheet, color: Color, site: _Site) -> bpy.types.Material:
    """A part has its own; shapes that stand in no layer share one a colour."""
    if layer.loose and color in site.loose:
        return site.loose[color]
    part = layer.part if sheet.kind == "fill" else f"{layer.part} outline"
    settings = site.settings
    like = site.made[0] if site.made else None
    found = materials.material(part, layer.label, color, settings.share_materials, settings.lit, like)
    if found.users == 0:  # a new one, and not another portrait's
        site.made.append(found)
    if layer.loose:
        site.loose[color] = found
    return found


def _draw(curve: bpy.types.Curve, sheet: Sheet, site: _Site) -> None:
    """Replace a curve's splines by a sheet's rings; all else about the curve stays."""
    curve.splines.clear()
    filled, widest = sheet.kind == "fill", sheet.width
    rings = [(shape, slot, ring) for shape, slot in zip(sheet.shapes, sheet.slots, strict=True) for ring in shape.rings]
    drawn = [spline_of(ring, site.frame, closed=filled) for _, _, ring in rings]
    curve.resolution_u = resolution = steps(drawn, site.frame.unit)
    for (shape, slot, _), spline in zip(rings, drawn, strict=True):
        made = curve.splines.new("BEZIER")
        made.resolution_u, made.material_index, made.use_cyclic_u = resolution, slot, spline.cyclic
        points = made.bezier_points
        points.add(len(spline) - 1)
        _set_types(points, "handle_left_type", spline.left_types)
        _set_types(points, "handle_right_type", spline.right_types)
        points.foreach_set("co", spline.co)
        points.foreach_set("handle_left", spline.left)
        points.foreach_set("handle_right", spline.right)
        if not filled and shape.stroke_width != widest:
            points.foreach_set("radius", array("f", [shape.stroke_width / widest] * len(spline)))


def _set_types(points: bpy.types.SplineBezierPoints, name: str, types: Sequence[int]) -> None:
    if bpy.app.version >= (4, 2, 0):
        points.foreach_set(name, types)
        return
    names = {FREE: "FREE", VECTOR: "VECTOR", ALIGNED: "ALIGNED"}
    for point, kind in zip(points, types, strict=True):  # Blender 3.4 takes no enums in foreach_set, and says nothing
        setattr(point, name, names[kind])


def _set_visible(target: bpy.types.Object, visible: bool) -> None:
    """The eye in the outliner, and the camera: what an artist would press to hide a layer."""
    target.hide_render = not visible
    try:
        target.hide_set(not visible)
    except RuntimeError:  # in no view layer: the collection is excluded
        target.hide_viewport = not visible


def is_visible(target: bpy.types.Object) -> bool:
    try:
        hidden = target.hide_get()
    except RuntimeError:
        hidden = False
    return not (hidden or target.hide_viewport)


def _put_photo(collection: bpy.types.Collection, path: str | None, site: _Site) -> None:
    """The photo beneath all layers, as it lies in the drawing: turned as its camera says, which Blender does not."""
    if not path or not os.path.isfile(path):
        return
    image = bpy.data.images.load(path, check_existing=True)
    empty = bpy.data.objects.new("Photo", None)
    empty.empty_display_type = "IMAGE"
    empty.data = image
    height, width = collection[SIZE]
    empty.empty_display_size = max(height, width) * site.frame.unit
    empty.empty_image_offset = (-0.5, -0.5)
    turned, mirrored = orientation(path)
    empty.rotation_euler.z = math.radians(-turned)
    if mirrored:
        empty.scale.x = -1.0
    empty.location.z = -site.settings.step
    empty.hide_select = True
    empty.hide_render = True
    empty[PART] = "photo"
    collection.objects.link(empty)


def linked_photo(href: str | None, source: str) -> str | None:
    """The path that a drawing's photo layer links to, seen from its file; None for none, and for an embedded one."""
    if not href or not source or href.startswith("data:"):
        return None
    path = unquote(href.removeprefix("file://"))
    if re.match(r"/[A-Za-z]:", path):  # file:///C:/..
        path = path[1:]
    return os.path.normpath(os.path.join(os.path.dirname(bpy.path.abspath(source)), path))


def _select(context: bpy.types.Context, collection: bpy.types.Collection) -> None:
    """Select the new layers and nothing else; the topmost is the active one."""
    for target in context.view_layer.objects.selected:
        target.select_set(False)
    for target in layers_of(collection):
        if is_visible(target) and not target.hide_select:
            try:
                target.select_set(True)
            except RuntimeError:  # in no view layer: the collection is excluded
                continue
            context.view_layer.objects.active = target


# An edited file into them


def update_portrait(context: bpy.types.Context, collection: bpy.types.Collection, drawing: Drawing) -> Update:
    """Bring what is new in the file; what was done in Blender stays. Layers are matched by id.

    Objects that the file no longer has are marked (MISSING) and stay until `remove_missing`. Layers that were deleted
    in Blender stay away.
    """
    done = Update()
    site = _Site.of(collection)
    objects: dict[tuple[str, str, int], bpy.types.Object] = {}
    for target in layers_of(collection):
        before = _Imported.of(target)
        if before is not None:  # of copies the first made is the layer
            objects.setdefault((target[ID], before.kind, before.tier), target)
    known = set(json.loads(collection.get(KNOWN, "[]")))
    several = len({layer.face for layer in drawing.layers}) > 1
    present = {key[0] for key in objects}
    for order, layer in enumerate(drawing.layers):
        if layer.id in known and layer.id not in present:
            done.deleted.append(layer.label)
            continue
        home = _home(collection, layer.face) if several else collection
        changed = False
        for sheet, z in _stacked(layer, order):
            target = objects.pop((layer.id, sheet.kind, sheet.tier), None)
            if target is None:
                _add(home, layer, sheet, z, site)
                changed = True
            else:
                changed |= _merge(target, layer, sheet, z, site, drawing.layered)
        if layer.id not in present:
            done.added.append(layer.label)
        elif changed:
            done.changed.append(layer.label)
    for target in objects.values():
        target[MISSING] = True
        done.missing.append(target.name)
    collection[KNOWN] = json.dumps(sorted(known | {layer.id for layer in drawing.layers}))
    collection[SIZE] = drawing.size
    collection[TITLE], collection[METADATA] = drawing.title, json.dumps(dict(drawing.metadata))
    collection[PHOTO] = drawing.photo or ""
    return done


def remove_missing(collection: bpy.types.Collection) -> int:
    """Remove the objects that the last update did not find in the file; how many."""
    gone = [target for target in layers_of(collection) if target.get(MISSING)]
    _remove(gone)
    return len(gone)


def missing(collection: bpy.types.Collection) -> list[str]:
    """Names of the objects that the last update did not find in the file."""
    return [target.name for target in layers_of(collection) if target.get(MISSING)]


def _merge(target: bpy.types.Object, layer: Layer, sheet: Sheet, z: float, site: _Site, layered: bool) -> bool:
    """What the file says anew goes into the object; whether there was anything but its place in the order."""
    before = _Imported.of(target)
    assert before is not None
    now = _said(layer, sheet, z, before.name)
    if not layered:  # a plain SVG knows no locks and no labels
        now = replace(now, locked=before.locked, label=before.label)
    if MISSING in target:
        del target[MISSING]
    changed = False
    if now.digest != before.digest and isinstance(target.data, bpy.types.Curve):
        _draw(target.data, sheet, site)
        if sheet.kind == "stroke":
            target.data.bevel_depth = sheet.width / 2 * site.frame.unit
        changed = True
    changed |= _recolor(target, layer, sheet, site)
    if now.label != before.label:
        if target.name == before.name:
            target.name = now.label
            now = replace(now, name=target.name)
        target[LABEL] = now.label
        changed = True
    if now.visible != before.visible:
        _set_visible(target, now.visible)
        changed = True
    if now.locked != before.locked:
        target.hide_select = now.locked
        changed = True
    target.location.z += (now.order - before.order) * site.settings.step
    target[PART], target[SOURCE] = layer.part, site.source
    now.write(target)
    return changed


def _recolor(target: bpy.types.Object, layer: Layer, sheet: Sheet, site: _Site) -> bool:
    """Bring the file's colours into those materials that are still ours and as they came."""
    curve = target.data
    changed = False
    for slot, color in enumerate(sheet.colors):
        if slot >= len(curve.materials):
            curve.materials.append(_material(layer, sheet, color, site))
            changed = True
        elif materials.is_untouched(target.material_slots[slot].material):
            found = target.material_slots[slot].material
            if found[materials.FILL] != materials.written(color):
                if layer.loose:  # others may share it
                    target.material_slots[slot].material = _material(layer, sheet, color, site)
                else:
                    materials.paint(found, color)
                changed = True
    return changed


# Objects -> a drawing


def read_portrait(context: bpy.types.Context, collection: bpy.types.Collection) -> Drawing:
    """The portrait as it was edited in Blender: names, order in z, curves with their objects' transforms, colours.

    A transform that most layers share is where the portrait stands and no edit. Modifiers are not applied; what is no
    curve is left out, with a note.
    """
    context.view_layer.update()
    frame = frame_of(collection)
    notes: list[str] = []
    step = collection.faceparse_step
    placed = [(target, *_placement(target, step)) for target in collection.all_objects if target.type != "EMPTY"]
    stands = _most_common([still for target, _, still in placed if ID in target]) or Matrix()
    away = stands.inverted_safe()
    found: list[tuple[float, bpy.types.Object, Affine]] = []
    for target, world, _ in placed:
        if not isinstance(target.data, bpy.types.Curve) or target.type != "CURVE":
            notes.append(f"{target.name}: left out, only curves become layers")
            continue
        local = away @ world
        found.append((local.translation.z, target, _in_pixels(local, frame)))
    found.sort(key=lambda entry: entry[0])
    layers: list[Layer] = []
    taken: set[tuple[str, str, int]] = set()
    for _, target, transform in found:
        before = _Imported.of(target)
        name = target.get(ID) or _slug(target.name)
        key = (name, before.kind, before.tier) if before else (name, "fill", 0)
        if key in taken:  # a copy made in Blender is a layer of its own
            name = unique(name, [layer.id for layer in layers])
            key = (name, *key[1:])
        taken.add(key)
        shapes = _shapes(target, before, name, transform, frame, notes)
        if not shapes:
            continue
        if layers and layers[-1].id == name:
            layers[-1] = replace(layers[-1], shapes=_joined(layers[-1].shapes, shapes))
            continue
        name = unique(name, [layer.id for layer in layers])
        label = target.name if before is None or target.name != before.name else before.label
        layers.append(Layer(name, label, tuple(shapes), is_visible(target), target.hide_select))
    return Drawing(
        title=collection.get(TITLE) or collection.name,
        size=tuple(collection[SIZE]),
        layers=tuple(_renumbered(layer) for layer in layers),
        photo=collection.get(PHOTO) or None,
        metadata=json.loads(collection.get(METADATA) or "{}"),
        notes=tuple(notes),
    )


def _placement(target: bpy.types.Object, step: float) -> tuple[Matrix, Matrix]:
    """(its matrix in the world, the same without its step in z)."""
    before = _Imported.of(target)
    world, basis = target.matrix_world.copy(), target.matrix_basis.copy()
    if before is None or abs(basis.determinant()) < 1e-12:
        return world, world
    return world, world @ basis.inverted() @ Matrix.Translation((0, 0, -before.order * step)) @ basis


def _most_common(matrices: Iterable[Matrix]) -> Matrix | None:
    counted = Counter(tuple(tuple(round(value, 5) for value in row) for row in matrix) for matrix in matrices)
    return Matrix(counted.most_common(1)[0][0]) if counted else None


def _in_pixels(local: Matrix, frame: Frame) -> Affine:
    """The map of photo pixels that a matrix makes, seen from above."""
    if max(abs(local[i][j] - (i == j)) for i in (0, 1) for j in (0, 1, 3)) < 1e-5:
        return Affine()
    flat = Affine.matrix(local[0][0], local[1][0], local[0][1], local[1][1], local[0][3], local[1][3])
    flip = Affine(0, frame.unit, -(frame.origin * frame.unit).conjugate())  # `Frame.there`
    back = Affine(0, 1 / frame.unit, frame.origin)
    return back @ flat @ flip


def _shapes(
    target: bpy.types.Object, before: _Imported | None, name: str, transform: Affine, frame: Frame, notes: list[str]
) -> list[Shape]:
    """The paths of one object: those that it was imported with, if it still has as many splines; else one a slot."""
    curve = target.data
    rings: list[tuple[int, Ring, float]] = []
    for spline in curve.splines:
        ring = _ring(spline, frame)
        if ring is None:
            notes.append(f"{target.name}: a {spline.type} spline left out, convert it to Bezier")
        else:
            rings.append((spline.material_index, ring.mapped(transform), _radius(spline)))
    counts = before.shapes if before else []
    if sum(count for _, count in counts) != len(rings) or len(rings) != len(curve.splines):
        slots = sorted({slot for slot, _, _ in rings})
        rings.sort(key=lambda entry: entry[0])
        counts = [(f"{name}-{slot}", sum(entry[0] == slot for entry in rings)) for slot in slots]
    shapes: list[Shape] = []
    filled = curve.dimensions == "2D" and curve.fill_mode != "NONE"
    grown = math.sqrt(abs(transform.determinant))
    for shape_id, count in counts:
        mine, rings = rings[:count], rings[count:]
        slot, _, radius = mine[0]
        slots = target.material_slots
        surface = slots[min(slot, len(slots) - 1)].material if len(slots) else None
        color = materials.color_of(surface) if surface else _GREY
        outline = tuple(ring for _, ring, _ in mine)
        if filled:
            shapes.append(Shape(shape_id, outline, color))
        else:
            width = 2 * curve.bevel_depth * radius / frame.unit * grown or 1.0
            shapes.append(Shape(shape_id, outline, None, color, width))
    return shapes


def _joined(lower: Iterable[Shape], upper: Iterable[Shape]) -> tuple[Shape, ...]:
    """Shapes of two objects of a layer; a path that was both filled and stroked is one again, if both still agree."""
    joined = list(lower)
    for shape in upper:
        for i, other in enumerate(joined):
            if shape.stroke and not other.stroke and (shape.id, shape.rings) == (other.id, other.rings):
                joined[i] = replace(other, stroke=shape.stroke, stroke_width=shape.stroke_width)
                break
        else:
            joined.append(shape)
    return tuple(joined)


def _ring(spline: bpy.types.Spline, frame: Frame) -> Ring | None:
    cyclic = spline.use_cyclic_u
    if spline.type == "BEZIER":
        points = spline.bezier_points
        arrays = []
        for name in ("co", "handle_left", "handle_right"):
            values = array("f", bytes(12 * len(points)))
            points.foreach_get(name, values)
            arrays.append(values)
        if len(points) < 2:
            return None
        return ring_of(*arrays, cyclic, frame)
    if spline.type == "POLY" and len(spline.points) > 1:
        corners = [frame.back(complex(point.co.x, point.co.y)) for point in spline.points]
        return next(iter(polygon(corners, cyclic)), None)
    return None


def _radius(spline: bpy.types.Spline) -> float:
    points = spline.bezier_points if spline.type == "BEZIER" else spline.points
    return points[0].radius if len(points) else 1.0


def _renumbered(layer: Layer) -> Layer:
    """Path ids as the file's contract wants them, `hair-1` ..., unless the file had others of its own."""
    ours = re.compile(re.escape(layer.id) + r"-\d+")
    if not all(ours.fullmatch(shape.id) for shape in layer.shapes):
        return layer
    return replace(layer, shapes=tuple(replace(shape, id=f"{layer.id}-{n}") for n, shape in enumerate(layer.shapes, 1)))


def _slug(name: str) -> str:
    """An id for a layer that was made in Blender: `My Hat.001` -> `my-hat-001`."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "layer"


# Which portrait


def portraits(scene: bpy.types.Scene) -> list[bpy.types.Collection]:
    return [collection for collection in scene.collection.children_recursive if SIZE in collection]


def portrait_of(context: bpy.types.Context) -> bpy.types.Collection | None:
    """The portrait of the active object, else of the active collection, else the only one of the scene."""
    known = portraits(context.scene)
    active = context.view_layer.objects.active
    for collection in known:
        if active is not None and active.name in collection.all_objects:
            return collection
    current = context.view_layer.active_layer_collection.collection
    for collection in known:
        if current == collection or current in collection.children_recursive[:]:
            return collection
    return known[0] if len(known) == 1 else None


def layers_of(collection: bpy.types.Collection) -> list[bpy.types.Object]:
    """The objects that are layers of a portrait, bottom to top as imported."""
    found = [(target, _Imported.of(target)) for target in collection.all_objects if ID in target]
    return [target for target, _ in sorted(found, key=lambda pair: pair[1].order if pair[1] else math.inf)]


def frame_of(collection: bpy.types.Collection) -> Frame:
    return Frame(collection[UNIT], complex(*collection[ORIGIN]))


def source_of(collection: bpy.types.Collection) -> str:
    """The SVG's path, "" where it has none."""
    return str(collection.get(SOURCE, ""))


def set_source(collection: bpy.types.Collection, path: str) -> None:
    collection[SOURCE] = path
    for target in layers_of(collection):
        target[SOURCE] = path


def is_grease_pencil(collection: bpy.types.Collection) -> bool:
    """Whether the portrait stands there as Grease Pencil: it can be neither updated nor written back as an SVG."""
    return any(grease_pencil.OBJECT in target for target in collection.all_objects)


def grease_pencil_available() -> bool:
    """Version 3 of it: Blender 4.3 and later."""
    return bpy.app.version >= (4, 3, 0)


# The step in z, live


def _step_changed(collection: bpy.types.Collection, _context: bpy.types.Context) -> None:
    before = collection.get(_APPLIED, collection.faceparse_step)
    for target in layers_of(collection):
        said = _Imported.of(target)
        if said is not None:
            target.location.z += said.order * (collection.faceparse_step - before)
    for target in collection.all_objects:
        if grease_pencil.OBJECT in target:
            grease_pencil.lift(target, collection.faceparse_step - before)
    collection[_APPLIED] = collection.faceparse_step


def register() -> None:
    bpy.types.Collection.faceparse_step = bpy.props.FloatProperty(
        name="Step",
        description="How far each layer of the portrait stands above the one below",
        default=0.01,
        soft_min=0.0,
        soft_max=0.2,
        precision=4,
        step=0.1,
        unit="LENGTH",
        update=_step_changed,
    )


def unregister() -> None:
    del bpy.types.Collection.faceparse_step
