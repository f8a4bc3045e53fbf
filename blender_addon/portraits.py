# SPDX-License-Identifier: GPL-3.0-or-later
"""Portraits in Blender's data: which collections they are, which objects are their layers, where they stand.

A portrait is a collection with the custom property SIZE; its layers are the objects with an ID in it, or in a face's
collection within it, or that were made for it and moved to a collection of the user's own.

What the file said when it was last read or written stands on every layer as IMPORTED, the common ancestor of an update.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import TypeVar

import bpy
from mathutils import Matrix, Vector

from .drawing import Affine, Drawing, face_and_part
from .sheets import Frame, Kind

# Custom properties. On layers:
ID, PART, LABEL, SOURCE = "faceparse_id", "faceparse_part", "faceparse_label", "faceparse_source"
IMPORTED = "faceparse_imported"  #: JSON, see `Imported`
ORDER = "faceparse_order"  #: times the step is its z
MADE_FOR = "faceparse_portrait"  #: the portrait's collection
MISSING = "faceparse_missing"  #: set where an update did not find the layer in the file
# On the collection, besides SOURCE:
FACE = "faceparse_face"  #: its number, on a face's own collection where there are several; there on every layer, too
SIZE = "faceparse_size"  #: (height, width) of the drawing, px
UNIT, ORIGIN = "faceparse_unit", "faceparse_origin"  #: Blender units a pixel; (x, y) px that lies at (0, 0)
SETTINGS = "faceparse_settings"  #: JSON, the CurveSettings it was built with
KNOWN = "faceparse_known"  #: JSON, keys of all objects that the file gave: what is gone was removed here
METADATA, PHOTO, TITLE = "faceparse_metadata", "faceparse_photo", "faceparse_title"
GREASE_PENCIL = "faceparse_grease_pencil"  #: on the object that shows a portrait as Grease Pencil
_APPLIED = "faceparse_step_applied"

_NUMBERED = re.compile(r"\.\d{3,}$")  # what Blender puts behind a name that is taken

T = TypeVar("T")
Key = tuple[str, str, int]  #: a layer's id, kind and tier: what is one object


@dataclass(frozen=True)
class Imported:
    """What the file said of an object when it was last read or written."""

    kind: Kind
    tier: int
    name: str  #: of the object, as given
    label: str
    visible: bool
    locked: bool
    digest: str
    shapes: list[list[object]]  #: [id, number of rings] of every path
    colors: list[str] = field(default_factory=list)  #: of every slot, `materials.written`
    baked: list[float] = field(default_factory=list)  #: the object's own transform that the file's curves include, px

    @staticmethod
    def of(target: bpy.types.Object) -> Imported | None:
        return from_json(Imported, target.get(IMPORTED, ""))

    def write(self, target: bpy.types.Object) -> None:
        target[IMPORTED] = json.dumps(self.__dict__)

    @property
    def transform(self) -> Affine:
        """`baked`, as a map from the object's own pixels to the file's."""
        if len(self.baked) != 6:
            return Affine()
        values = self.baked
        return Affine(complex(*values[:2]), complex(*values[2:4]), complex(*values[4:]))


def from_json(kind: type[T], text: str) -> T | None:
    """A dataclass that was kept as JSON, maybe by another version of the add-on; None where that cannot be."""
    known = {item.name for item in fields(kind)}
    try:
        return kind(**{name: value for name, value in json.loads(text).items() if name in known})
    except (ValueError, TypeError, AttributeError):
        return None


def parts_of(transform: Affine) -> list[float]:
    """`Imported.baked` of a map; empty for the identity."""
    if transform == Affine():
        return []
    return [part for value in transform for part in (complex(value).real, complex(value).imag)]


def same_name(one: str, other: str) -> bool:
    """Whether two names differ in nothing but the number that Blender adds."""
    return _NUMBERED.sub("", one) == _NUMBERED.sub("", other)


# Which


def in_scene(scene: bpy.types.Scene) -> list[bpy.types.Collection]:
    return [collection for collection in scene.collection.children_recursive if SIZE in collection]


def portrait_of(context: bpy.types.Context) -> bpy.types.Collection | None:
    """The portrait of the active object, else of the active collection, else the only one of the scene."""
    known = in_scene(context.scene)
    if not known:
        return None
    active = context.view_layer.objects.active
    if active is not None:
        made_for = active.get(MADE_FOR)
        for collection in known:
            if active in own_objects(collection):
                return collection
        if made_for in known:
            return made_for
    current = context.view_layer.active_layer_collection.collection
    for collection in known:
        if current == collection or (FACE in current and current in collection.children[:]):
            return collection
    return known[0] if len(known) == 1 else None


def own_objects(collection: bpy.types.Collection) -> list[bpy.types.Object]:
    """The objects in a portrait, less those of portraits within it."""
    found = list(collection.objects)
    for inner in collection.children:
        if SIZE not in inner:
            found += own_objects(inner)
    return found


def has_layers(collection: bpy.types.Collection) -> bool:
    return any(ID in target for target in own_objects(collection))


def layers_of(collection: bpy.types.Collection) -> list[bpy.types.Object]:
    """The objects that are layers of a portrait, bottom to top as the file has them."""
    own = [target for target in own_objects(collection) if ID in target]
    inside = set(own)
    homes = {target for known in bpy.data.collections if SIZE in known for target in own_objects(known)}
    own += [
        target
        for target in bpy.data.objects
        if target not in inside and target not in homes and ID in target and target.get(MADE_FOR) == collection
    ]
    return sorted(own, key=lambda target: target.get(ORDER, math.inf))


def missing(collection: bpy.types.Collection) -> list[str]:
    """Names of the objects that the last update did not find in the file."""
    return [target.name for target in own_objects(collection) if MISSING in target]


def face_of(target: bpy.types.Object) -> int:
    """The number of the head that a layer belongs to; 0 for none's."""
    return target[FACE] if FACE in target else face_and_part(target[ID])[0]


def homes(collection: bpy.types.Collection) -> dict[int, bpy.types.Collection]:
    """The collections of a portrait's faces, by their numbers; none where it has one face."""
    return {inner[FACE]: inner for inner in reversed(collection.children) if FACE in inner}


def face_home(collection: bpy.types.Collection, face: int, label: str) -> bpy.types.Collection:
    """The collection of one of several faces; a new one of this name where there is none."""
    inner = homes(collection).get(face)
    if inner is None:
        inner = bpy.data.collections.new(label)
        inner[FACE], inner[LABEL] = face, label
        collection.children.link(inner)
    return inner


def frame_of(collection: bpy.types.Collection) -> Frame:
    return Frame(collection[UNIT], complex(*collection[ORIGIN]))


def key_of(target: bpy.types.Object) -> Key:
    said = Imported.of(target)
    return (target[ID], said.kind, said.tier) if said else (target[ID], "fill", 0)


def known_keys(collection: bpy.types.Collection) -> set[Key]:
    try:
        return {(name, kind, tier) for name, kind, tier in json.loads(collection.get(KNOWN, "[]"))}
    except (ValueError, TypeError):
        return set()


def set_known(collection: bpy.types.Collection, keys: Iterable[Key]) -> None:
    collection[KNOWN] = json.dumps(sorted(keys))


def source_of(collection: bpy.types.Collection) -> str:
    """The SVG's path, "" where it has none."""
    return str(collection.get(SOURCE, ""))


def source_path(collection: bpy.types.Collection) -> str:
    """The portrait's SVG as an absolute path; empty where it has none."""
    source = source_of(collection)
    path = os.path.abspath(bpy.path.abspath(source)) if source else ""
    if path and bpy.data.filepath and not os.path.exists(path):
        beside = os.path.join(os.path.dirname(bpy.data.filepath), os.path.basename(path))
        if os.path.exists(beside):  # the project's folder was moved
            return beside
    return path


def set_source(collection: bpy.types.Collection, path: str) -> None:
    collection[SOURCE] = path
    for target in layers_of(collection):
        target[SOURCE] = path


def keep_facts(collection: bpy.types.Collection, drawing: Drawing) -> None:
    """What the file says of itself, for the way back."""
    collection[SIZE], collection[TITLE], collection[PHOTO] = drawing.size, drawing.title, drawing.photo or ""
    collection[METADATA] = json.dumps(dict(drawing.metadata))


def is_editable(collection: bpy.types.Collection) -> bool:
    """Whether it is this file's own: neither linked from another nor an override of such."""
    return collection.library is None and collection.override_library is None


def is_visible(target: bpy.types.Object) -> bool:
    try:
        hidden = target.hide_get()
    except RuntimeError:  # in no view layer: its collection is excluded
        hidden = False
    return not (hidden or target.hide_viewport)


def set_visible(target: bpy.types.Object, visible: bool) -> None:
    """The eye in the outliner, and the camera: what an artist would press to hide a layer."""
    target.hide_render = not visible
    try:
        target.hide_set(not visible)
    except RuntimeError:  # in no view layer: the collection is excluded
        target.hide_viewport = not visible


def remove(targets: Iterable[bpy.types.Object]) -> None:
    """Objects, and the curves that only they used."""
    targets = list(targets)
    data = {target.data for target in targets if target.data is not None}
    bpy.data.batch_remove(targets)
    bpy.data.batch_remove([block for block in data if block.users == 0])


# Where


def world_matrix(target: bpy.types.Object) -> Matrix:
    """Its place in the world, also where it is hidden or excluded, which Blender's own matrix_world does not follow."""
    if any(not constraint.mute for constraint in target.constraints):
        return target.matrix_world.copy()
    if target.parent is None:
        return target.matrix_basis.copy()
    if target.parent_type != "OBJECT":
        return target.matrix_world.copy()
    return world_matrix(target.parent) @ target.matrix_parent_inverse @ target.matrix_basis


def common_placement(targets: Iterable[bpy.types.Object], unit: float) -> tuple[Matrix, bpy.types.Object | None]:
    """Where most layers stand, less their height above each other, and one of those.

    Where no two agree it is where their parent stands: whatever a layer does beyond that is its own.
    unit    Blender units a pixel: two places nearer than a hundredth of that are the same
    """
    groups: dict[tuple[int, ...], list[tuple[Matrix, bpy.types.Object]]] = {}
    for target in targets:
        placement = _in_plane(world_matrix(target))
        if placement is not None:
            groups.setdefault(_rounded(placement, unit), []).append((placement, target))
    if not groups:
        return Matrix(), None
    most = max(map(len, groups.values()))
    placement, target = next(group for group in groups.values() if len(group) == most)[0]
    if most == 1 and target.parent_type == "OBJECT":
        parent = world_matrix(target.parent) @ target.matrix_parent_inverse if target.parent else Matrix()
        return _in_plane(parent) or Matrix(), target
    return placement, target


def lift(target: bpy.types.Object, height: float) -> None:
    """Move it along its own z axis, whatever its scale."""
    target.location += target.matrix_basis.to_quaternion() @ Vector((0, 0, height))


def _in_plane(world: Matrix) -> Matrix | None:
    """A placement without what happens along its own z axis; None for one that flattens its plane."""
    across, up, along = (world.col[i].to_3d() for i in (0, 1, 3))
    normal = across.cross(up)
    if normal.length <= 1e-9 * across.length * up.length or not normal.length:
        return None
    normal.normalize()
    along = along - normal * normal.dot(along)
    depth = normal * math.sqrt(across.length * up.length)
    placement = Matrix.Identity(4)
    for i, column in enumerate((across, up, depth, along)):
        placement.col[i] = (*column, 1.0 if i == 3 else 0.0)
    return placement


def _rounded(placement: Matrix, unit: float) -> tuple[int, ...]:
    scale = max(placement.col[0].length, placement.col[1].length)
    turns = [round(placement[i][j] / scale * 1e5) for i in range(3) for j in range(2)]
    return (*turns, round(math.log(scale) * 1e5), *(round(placement[i][3] / (scale * unit) * 100) for i in range(3)))


# The step in z, live


def _step_changed(collection: bpy.types.Collection, _context: bpy.types.Context) -> None:
    step = collection.faceparse_step
    change = step - collection.get(_APPLIED, step)
    for target in layers_of(collection):
        lift(target, target.get(ORDER, 0.0) * change)
    for target in own_objects(collection):
        if GREASE_PENCIL in target:
            for order, layer in enumerate(target.data.layers):
                layer.translation.z += order * change
    collection[_APPLIED] = step


def set_step(collection: bpy.types.Collection, step: float) -> None:
    """Of a new portrait, whose layers will be made with it."""
    collection[_APPLIED] = step
    collection.faceparse_step = step


def register() -> None:
    bpy.types.Collection.faceparse_step = bpy.props.FloatProperty(
        name="Z step",
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
