# SPDX-License-Identifier: GPL-3.0-or-later
"""A drawing -> a collection of curve objects, and an edited file into it.

One collection a file, with one collection a face in it where there are several; one 2D curve object a layer (more only
where shapes of other colours lie on each other within a layer: see `sheets`), each a step above the one below.

An update merges three ways, with what the file said before as common ancestor (`portraits.Imported`): where the file
says something new, the file wins; where it says the same as before, what was done in Blender stays. But a material
that was changed or replaced in Blender stays in any case, and a layer that is no plain curve any more keeps its shape:
both are said.
"""

from __future__ import annotations

import json
import math
import os
import re
from array import array
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from urllib.parse import unquote

import bpy
from mathutils import Matrix

from . import grease_pencil, materials, portraits
from .drawing import Color, Drawing, Layer
from .exif import orientation
from .portraits import (
    FACE,
    ID,
    LABEL,
    MADE_FOR,
    METADATA,
    MISSING,
    ORDER,
    ORIGIN,
    PART,
    PHOTO,
    SETTINGS,
    SIZE,
    SOURCE,
    TITLE,
    UNIT,
    Imported,
    Key,
    is_visible,
    layers_of,
)
from .sheets import ALIGNED, FREE, VECTOR, Frame, Sheet, Spline, sheets_of, splines_of, steps

METRES_A_PIXEL = 0.0254 / 96  # 96 to the inch, as the SVG's own width in millimetres says
_GROUP = 10_000  # points of layers whose splines are made at a time: some milliseconds
_FLAT = 1e-3  # an outline's tube is pressed flat, or it would stick out between the layers above


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
    painted: list[str] = field(default_factory=list)  #: of another colour in the file, but of a material changed here
    reshaped: list[str] = field(default_factory=list)  #: of another shape in the file, but no plain curve any more here


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
        collection[ORIGIN] = width / 2, height / 2
        true_unit = METRES_A_PIXEL / scene.unit_settings.scale_length
        collection[UNIT] = true_unit if settings.true_size else settings.height / height
        collection[SOURCE], collection[SETTINGS] = source, json.dumps(asdict(settings))
        _keep_facts(collection, drawing)
        portraits.set_step(collection, settings.step)
        site = _Site.of(collection)
        if settings.as_grease_pencil and grease_pencil.AVAILABLE:
            yield from grease_pencil.build(collection, drawing, site.frame, settings)
        else:
            faces = sorted({layer.face for layer in drawing.layers} - {0})
            homes = {face: _home(collection, face, drawing) for face in faces} if len(faces) > 1 else {}
            keys: list[Key] = []
            for layer, sheets in _with_splines(drawing.layers, site.frame):
                home = homes.get(layer.face, collection)
                for sheet, z, splines in sheets:
                    _add(home, layer, drawing.name(layer), sheet, z, site, splines)
                    keys.append((layer.id, sheet.kind, sheet.tier))
                yield layer.label
            portraits.set_known(collection, keys)
        if settings.exact_colors:
            materials.show_exact(scene)
        if settings.photo_behind:
            _put_photo(collection, photo or linked_photo(drawing.photo, source), site)
        _select(context, collection)
    except BaseException:  # also GeneratorExit: the caller does not want the rest
        discard(collection)
        raise
    return collection


def _keep_facts(collection: bpy.types.Collection, drawing: Drawing) -> None:
    """What the file says of itself, for the way back."""
    collection[SIZE], collection[TITLE], collection[PHOTO] = drawing.size, drawing.title, drawing.photo or ""
    collection[METADATA] = json.dumps(dict(drawing.metadata))


def discard(collection: bpy.types.Collection) -> None:
    """Remove a portrait that was just made, with all that nothing else uses."""
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

    portrait: bpy.types.Collection
    source: str  #: its SVG's path
    frame: Frame
    settings: CurveSettings
    made: list[bpy.types.Material] = field(default_factory=list)  #: materials, by this import or update
    loose: dict[Color, bpy.types.Material] = field(default_factory=dict)  #: of shapes that stand in no layer

    @staticmethod
    def of(collection: bpy.types.Collection) -> _Site:
        settings = portraits.from_json(CurveSettings, collection.get(SETTINGS, "")) or CurveSettings()
        settings = replace(settings, step=collection.faceparse_step)
        return _Site(collection, portraits.source_of(collection), portraits.frame_of(collection), settings)


def _stacked(layer: Layer, order: float) -> list[tuple[Sheet, float]]:
    """A layer's sheets, each with its z in steps: from `order` on, all below the next layer's."""
    sheets = sheets_of(layer)
    return [(sheet, order + number / len(sheets)) for number, sheet in enumerate(sheets)]


def _with_splines(
    layers: Sequence[Layer], frame: Frame
) -> Iterator[tuple[Layer, list[tuple[Sheet, float, list[Spline]]]]]:
    """Each layer with its sheets, their z and what they show: of several layers at once, where they hold little."""
    group: list[tuple[Layer, list[tuple[Sheet, float]]]] = []
    size = 0
    for order, layer in enumerate(layers):
        group.append((layer, _stacked(layer, order)))
        size += sum(len(ring.points) for shape in layer.shapes for ring in shape.rings)
        if size >= _GROUP or order == len(layers) - 1:
            rings = [ring for _, sheets in group for sheet, _ in sheets for ring in sheet.rings(frame.unit)]
            splines = iter(splines_of(rings, frame))
            for one, sheets in group:
                yield one, [(sheet, z, list(islice(splines, sheet.count))) for sheet, z in sheets]
            group, size = [], 0


def _home(collection: bpy.types.Collection, face: int, drawing: Drawing) -> bpy.types.Collection:
    """The collection of one of several faces."""
    inner = portraits.homes(collection).get(face)
    if inner is None:
        inner = bpy.data.collections.new(drawing.face_label(face))
        inner[FACE], inner[LABEL] = face, drawing.face_label(face)
        collection.children.link(inner)
    return inner


def _name(name: str, sheet: Sheet) -> str:
    """What an object is called; `name` is the layer's."""
    if sheet.kind == "stroke":
        return f"{name} outline"
    return f"{name} {sheet.tier + 1}" if sheet.tier else name


def _key(target: bpy.types.Object) -> Key:
    said = Imported.of(target)
    return (target[ID], said.kind, said.tier) if said else (target[ID], "fill", 0)


def _add(
    home: bpy.types.Collection,
    layer: Layer,
    layer_name: str,
    sheet: Sheet,
    z: float,
    site: _Site,
    splines: Sequence[Spline],
) -> bpy.types.Object:
    name, settings = _name(layer_name, sheet), site.settings
    curve = bpy.data.curves.new(name, "CURVE")
    curve.dimensions = "2D"
    curve.fill_mode = "BOTH" if sheet.kind == "fill" else "NONE"
    if sheet.kind == "fill":
        curve.extrude, curve.bevel_depth = settings.extrude, settings.bevel
    for found in _materials(layer, sheet, site):
        curve.materials.append(found)
    made = bpy.data.objects.new(name, curve)
    home.objects.link(made)
    scale = (1, 1, _FLAT) if sheet.kind == "stroke" else (1, 1, 1)
    # matrix_world is of use before Blender's next update, too.
    made.matrix_world = Matrix.LocRotScale((0, 0, z * settings.step), None, scale)
    made[ID], made[PART], made[LABEL], made[ORDER] = layer.id, layer.part, layer.label, z
    made[SOURCE], made[MADE_FOR] = site.source, site.portrait
    if layer.within is not None:
        made[FACE] = layer.face
    if not layer.visible:
        _set_visible(made, False)
    if layer.locked:
        made.hide_select = True
    _draw(curve, sheet, splines, site.frame.unit)
    said_of(layer, sheet, made.name).write(made)
    return made


def said_of(layer: Layer, sheet: Sheet, name: str) -> Imported:
    """What the file says of the object called `name`."""
    shapes: list[list[object]] = [[shape.id, len(shape.rings)] for shape in sheet.shapes]
    colors = [materials.written(color) for color in sheet.colors]
    return Imported(
        sheet.kind, sheet.tier, name, layer.label, layer.visible, layer.locked, sheet.digest(), shapes, colors
    )


def _materials(layer: Layer, sheet: Sheet, site: _Site) -> list[bpy.types.Material]:
    """One a slot, the same for slots of one colour."""
    found: dict[Color, bpy.types.Material] = {}
    for color in sheet.colors:
        if color not in found:
            found[color] = _material(layer, sheet, color, len(found), site)
    return [found[color] for color in sheet.colors]


def _material(layer: Layer, sheet: Sheet, color: Color, number: int, site: _Site) -> bpy.types.Material:
    """A part has its own, one for each of its colours; shapes that stand in no layer share one a colour."""
    if layer.loose and color in site.loose:
        return site.loose[color]
    part = layer.part if sheet.kind == "fill" else f"{layer.part} outline"
    part = f"{part} {number + 1}" if number else part
    settings = site.settings
    like = site.made[0] if site.made else None
    found = materials.material(part, layer.label, color, settings.share_materials, settings.lit, like)
    if found.users == 0:  # a new one, and not another portrait's
        site.made.append(found)
    if layer.loose:
        site.loose[color] = found
    return found


def _draw(
    curve: bpy.types.Curve, sheet: Sheet, splines: Sequence[Spline], unit: float, stroke_scale: float = 1.0
) -> None:
    """Replace a curve's splines by a sheet's; all else about the curve stays. `unit`: Blender units of a pixel."""
    filled, widest = sheet.kind == "fill", sheet.width
    curve.splines.clear()
    curve.resolution_u = resolution = steps(splines, unit)
    if not filled:
        curve.bevel_depth = widest / 2 * unit * stroke_scale
    of = [(shape, slot) for shape, slot in zip(sheet.shapes, sheet.slots, strict=True) for _ in shape.rings]
    for (shape, slot), spline in zip(of, splines, strict=True):
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
    """Select what is new and nothing else; the topmost layer is the active object."""
    for target in context.view_layer.objects.selected:
        target.select_set(False)
    topmost = None
    for target in layers_of(collection) or collection.objects:
        if is_visible(target) and not target.hide_select:
            try:
                target.select_set(True)
            except RuntimeError:  # in no view layer: the collection is excluded
                continue
            topmost = target
    if topmost is not None:
        context.view_layer.objects.active = topmost


# An edited file into them


def update_portrait(collection: bpy.types.Collection, drawing: Drawing) -> Update:
    """Bring what is new in the file; what was done in Blender stays. Layers are matched by id.

    Objects that the file no longer has are marked (MISSING) and stay until `remove_missing`. What was deleted in
    Blender stays away. New layers stand where the others stand, under the same parent.
    """
    done = Update()
    site = _Site.of(collection)
    objects: dict[Key, bpy.types.Object] = {}
    for target in layers_of(collection):  # of copies made in Blender, which have the same id, the lowest is the layer
        if Imported.of(target) is not None:
            objects.setdefault(_key(target), target)
    known = portraits.known_keys(collection)
    present = {key[0] for key in objects}
    _, neighbour = portraits.common_placement(objects.values(), site.frame.unit)
    given: set[Key] = set()
    for order, layer in enumerate(drawing.layers):
        changed = gone = False
        for sheet, z in _stacked(layer, order):
            key = (layer.id, sheet.kind, sheet.tier)
            given.add(key)
            target = objects.pop(key, None)
            if target is not None:
                changed |= _merge(target, layer, drawing.name(layer), sheet, z, site, drawing.layered, done)
            elif key in known:
                gone = True
            else:
                _add_beside(neighbour, layer, drawing, sheet, z, site)
                changed = True
        if layer.id in present:
            if changed:
                done.changed.append(layer.label)
        elif gone:
            done.deleted.append(layer.label)
        else:
            done.added.append(layer.label)
    for target in objects.values():
        target[MISSING] = True
        done.missing.append(target.name)
    portraits.set_known(collection, known | given)
    for face, inner in portraits.homes(collection).items():
        if drawing.faces.get(face, inner.get(LABEL)) != inner.get(LABEL):
            if portraits.same_name(inner.name, inner.get(LABEL, "")):
                inner.name = drawing.faces[face]
            inner[LABEL] = drawing.faces[face]
    _keep_facts(collection, drawing)
    return done


def remove_missing(collection: bpy.types.Collection) -> int:
    """Remove the objects that the last update did not find in the file; how many. What comes back later is new."""
    gone = [target for target in layers_of(collection) if MISSING in target]
    portraits.set_known(collection, portraits.known_keys(collection) - set(map(_key, gone)))
    _remove(gone)
    return len(gone)


def _add_beside(
    neighbour: bpy.types.Object | None, layer: Layer, drawing: Drawing, sheet: Sheet, z: float, site: _Site
) -> bpy.types.Object:
    """A new layer where another one stands, which stands where most do."""
    portrait = site.portrait
    layers = layers_of(portrait)
    same_face = [target for target in layers if portraits.face_of(target) == layer.face]
    others = list(portraits.homes(portrait).values())
    if same_face:
        home = next((inner for inner in others if same_face[0].name in inner.objects), portrait)
    else:
        home = _home(portrait, layer.face, drawing) if layer.face and (others or layers) else portrait
    made = _add(home, layer, drawing.name(layer), sheet, z, site, splines_of(sheet.rings(site.frame.unit), site.frame))
    if neighbour is not None:
        made.parent, made.parent_type = neighbour.parent, neighbour.parent_type
        made.parent_bone = neighbour.parent_bone
        made.matrix_parent_inverse = neighbour.matrix_parent_inverse
        place, turn, scale = neighbour.matrix_basis.decompose()
        depth = scale.z / _FLAT if _key(neighbour)[1] == "stroke" else scale.z
        if sheet.kind == "stroke":
            depth = _FLAT * math.sqrt(abs(scale.x * scale.y))
        made.matrix_basis = Matrix.LocRotScale(place, turn, (scale.x, scale.y, depth))
        portraits.lift(made, (z - neighbour.get(ORDER, 0.0)) * site.settings.step)
    return made


def _merge(
    target: bpy.types.Object,
    layer: Layer,
    layer_name: str,
    sheet: Sheet,
    z: float,
    site: _Site,
    layered: bool,
    done: Update,
) -> bool:
    """What the file says anew goes into the object; whether there was anything but its place in the order."""
    before = Imported.of(target)
    assert before is not None
    now = replace(said_of(layer, sheet, before.name), baked=before.baked)
    if not layered:  # a plain SVG knows no locks and no labels
        now = replace(now, locked=before.locked, label=before.label)
    if MISSING in target:
        del target[MISSING]
    changed = False
    if _is_plain(target):
        changed |= _recolor(target, layer, sheet, site, before, done)
        if now.digest != before.digest:
            back = now.transform.inverse()
            splines = splines_of([ring.mapped(back) for ring in sheet.rings(site.frame.unit)], site.frame)
            _draw(target.data, sheet, splines, site.frame.unit, math.sqrt(abs(back.determinant)))
            changed = True
    elif (now.digest, now.colors) != (before.digest, before.colors):
        now = replace(now, digest=before.digest, shapes=before.shapes, colors=before.colors)
        done.reshaped.append(target.name)
    if now.label != before.label:
        if portraits.same_name(target.name, before.name):
            target.name = _name(layer_name, sheet)
            now = replace(now, name=target.name)
        target[LABEL] = now.label
        changed = True
    if now.visible != before.visible:
        _set_visible(target, now.visible)
        changed = True
    if now.locked != before.locked:
        target.hide_select = now.locked
        changed = True
    portraits.lift(target, (z - target.get(ORDER, z)) * site.settings.step)
    target[PART], target[ORDER] = layer.part, z
    if layer.within is not None:
        target[FACE] = layer.face
    target[SOURCE] = portraits.source_of(site.portrait)
    now.write(target)
    return changed


def _is_plain(target: bpy.types.Object) -> bool:
    """Whether it is a curve whose points are what is seen: no mesh made of it, no shape keys on it."""
    return target.type == "CURVE" and target.data.shape_keys is None


def _recolor(target: bpy.types.Object, layer: Layer, sheet: Sheet, site: _Site, before: Imported, done: Update) -> bool:
    """Bring the file's colours into those materials that are still ours and as they came; whether there were any.

    Slots follow their colours: a slot whose colour is gone takes the first new one.
    """
    colors = [materials.written(color) for color in sheet.colors]
    if colors == before.colors:
        return False
    slots = [slot.material for slot in target.material_slots]
    free = list(range(min(len(before.colors), len(slots))))
    chosen: list[bpy.types.Material | None] = [None] * len(colors)
    open_: list[int] = []
    for i, color in enumerate(colors):
        found = next((slot for slot in free if before.colors[slot] == color), None)
        if found is None:
            open_.append(i)
        else:
            free.remove(found)
            chosen[i] = slots[found]
    for i in open_:
        old = slots[free.pop(0)] if free else None
        if old is not None and not materials.is_untouched(old):
            chosen[i] = old
            if target.name not in done.painted:
                done.painted.append(target.name)
        elif old is not None and old.users == 1:
            materials.paint(old, sheet.colors[i])
            chosen[i] = old
        else:  # another layer may use it
            chosen[i] = _material(layer, sheet, sheet.colors[i], i, site)
    if chosen != slots[: len(chosen)]:
        held = target.data.materials
        for i, found in enumerate(chosen):
            if i < len(held):
                held[i] = found
            else:
                held.append(found)
    return True
