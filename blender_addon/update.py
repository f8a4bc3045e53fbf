# SPDX-License-Identifier: GPL-3.0-or-later
"""An edited file into the portrait that it once became.

An update merges three ways, with what the file said before as common ancestor (`portraits.Imported`): where the file
says something new, the file wins; where it says the same as before, what was done in Blender stays. But a material
that was changed or replaced in Blender stays in any case, and a layer that is no plain curve any more keeps its shape:
both are said.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import bpy
from mathutils import Matrix

from . import layer_objects, materials, portraits
from .drawing import Drawing, Layer
from .layer_objects import FLAT, Plan, Site, plans_of
from .portraits import FACE, LABEL, MISSING, ORDER, PART, SOURCE, Imported, Key, key_of, layers_of
from .sheets import splines_of


@dataclass
class Update:
    """What an update did, by the names of layers."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  #: no longer in the file, still here
    deleted: list[str] = field(default_factory=list)  #: in the file, but deleted here before: they stay away
    painted: list[str] = field(default_factory=list)  #: of another colour in the file, but of a material changed here
    reshaped: list[str] = field(default_factory=list)  #: of another shape in the file, but no plain curve any more here


def update_portrait(collection: bpy.types.Collection, drawing: Drawing) -> Update:
    """Bring what is new in the file; what was done in Blender stays. Layers are matched by id.

    Objects that the file no longer has are marked (MISSING) and stay until `remove_missing`. What was deleted in
    Blender stays away. New layers stand where the others stand, under the same parent.
    """
    done = Update()
    site = Site.of(collection)
    objects: dict[Key, bpy.types.Object] = {}
    for target in layers_of(collection):  # of copies made in Blender, which have the same id, the lowest is the layer
        if Imported.of(target) is not None:
            objects.setdefault(key_of(target), target)
    known = portraits.known_keys(collection)
    present = {layer_id for layer_id, _, _ in objects}
    _, neighbour = portraits.common_placement(objects.values(), site.frame.unit)
    given: set[Key] = set()
    for order, layer in enumerate(drawing.layers):
        changed = gone = False
        for plan in plans_of(layer, drawing, order):
            given.add(plan.key)
            target = objects.pop(plan.key, None)
            if target is not None:
                changed |= _merge(target, plan, site, drawing.layered, done)
            elif plan.key in known:
                gone = True
            else:
                _add_beside(neighbour, plan, drawing, site)
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
    _rename_faces(collection, drawing)
    portraits.keep_facts(collection, drawing)
    return done


def remove_missing(collection: bpy.types.Collection) -> int:
    """Remove the objects that the last update did not find in the file; how many. What comes back later is new."""
    gone = [target for target in layers_of(collection) if MISSING in target]
    portraits.set_known(collection, portraits.known_keys(collection) - set(map(key_of, gone)))
    portraits.remove(gone)
    return len(gone)


def _rename_faces(collection: bpy.types.Collection, drawing: Drawing) -> None:
    for face, home in portraits.homes(collection).items():
        before = home.get(LABEL, "")
        label = drawing.faces.get(face, before)
        if label != before:
            if portraits.same_name(home.name, before):
                home.name = label
            home[LABEL] = label


def _add_beside(neighbour: bpy.types.Object | None, plan: Plan, drawing: Drawing, site: Site) -> None:
    """A new object where another one stands, which stands where most do."""
    home, frame = _home_of(plan.layer, drawing, site.portrait), site.frame
    made = layer_objects.add(home, plan, site, splines_of(plan.sheet.rings(frame.unit), frame))
    if neighbour is None:
        return
    made.parent, made.parent_type = neighbour.parent, neighbour.parent_type
    made.parent_bone = neighbour.parent_bone
    made.matrix_parent_inverse = neighbour.matrix_parent_inverse
    place, turn, scale = neighbour.matrix_basis.decompose()
    depth = scale.z / FLAT if key_of(neighbour)[1] == "stroke" else scale.z
    if plan.sheet.kind == "stroke":
        depth = FLAT * math.sqrt(abs(scale.x * scale.y))
    made.matrix_basis = Matrix.LocRotScale(place, turn, (scale.x, scale.y, depth))
    portraits.lift(made, (plan.z - neighbour.get(ORDER, 0.0)) * site.settings.step)


def _home_of(layer: Layer, drawing: Drawing, portrait: bpy.types.Collection) -> bpy.types.Collection:
    """The collection that a new layer belongs in: that of its face's others, or a new one for a face that is new."""
    layers, homes = layers_of(portrait), list(portraits.homes(portrait).values())
    same_face = [target for target in layers if portraits.face_of(target) == layer.face]
    if same_face:
        return next((home for home in homes if same_face[0].name in home.objects), portrait)
    if layer.face and (homes or layers):
        return portraits.face_home(portrait, layer.face, drawing.face_label(layer.face))
    return portrait


def _merge(target: bpy.types.Object, plan: Plan, site: Site, layered: bool, done: Update) -> bool:
    """What the file says anew goes into the object; whether there was anything but its place in the order.

    layered     whether the file says labels and locks: a plain SVG does not
    """
    before = Imported.of(target)
    assert before is not None
    now = replace(plan.imported(before.name), baked=before.baked)
    if not layered:
        now = replace(now, locked=before.locked, label=before.label)
    if MISSING in target:
        del target[MISSING]
    changed = False
    if _is_plain(target):
        changed |= _recolor(target, plan, site, before, done)
        if now.digest != before.digest:
            _redraw(target, plan, site, now)
            changed = True
    elif (now.digest, now.colors) != (before.digest, before.colors):
        now = replace(now, digest=before.digest, shapes=before.shapes, colors=before.colors)
        done.reshaped.append(target.name)
    if now.label != before.label:
        if portraits.same_name(target.name, before.name):
            target.name = plan.name
            now = replace(now, name=target.name)
        target[LABEL] = now.label
        changed = True
    if now.visible != before.visible:
        portraits.set_visible(target, now.visible)
        changed = True
    if now.locked != before.locked:
        target.hide_select = now.locked
        changed = True
    portraits.lift(target, (plan.z - target.get(ORDER, plan.z)) * site.settings.step)
    target[PART], target[ORDER], target[SOURCE] = plan.layer.part, plan.z, site.source
    if plan.layer.within is not None:
        target[FACE] = plan.layer.face
    now.write(target)
    return changed


def _redraw(target: bpy.types.Object, plan: Plan, site: Site, now: Imported) -> None:
    """New curves, in the object's own pixels: without the transform that the file's curves include."""
    back = now.transform.inverse()
    splines = splines_of([ring.mapped(back) for ring in plan.sheet.rings(site.frame.unit)], site.frame)
    layer_objects.draw(target.data, plan.sheet, splines, site.frame.unit, math.sqrt(abs(back.determinant)))


def _is_plain(target: bpy.types.Object) -> bool:
    """Whether it is a curve whose points are what is seen: no mesh made of it, no shape keys on it."""
    return target.type == "CURVE" and target.data.shape_keys is None


def _recolor(target: bpy.types.Object, plan: Plan, site: Site, before: Imported, done: Update) -> bool:
    """Bring the file's colours into those materials that are still ours and as they came; whether there were any."""
    colors = [materials.written(color) for color in plan.sheet.colors]
    if colors == before.colors:
        return False
    found = [slot.material for slot in target.material_slots]
    chosen: list[bpy.types.Material | None] = []
    for i, slot in enumerate(_matched(before.colors[: len(found)], colors)):
        surface = None if slot is None else found[slot]
        if slot is None or before.colors[slot] != colors[i]:
            if surface is not None and not materials.is_untouched(surface):
                if target.name not in done.painted:
                    done.painted.append(target.name)
            elif surface is not None and surface.users == 1:
                materials.paint(surface, plan.sheet.colors[i])
            else:  # another layer may use it
                surface = layer_objects.material(plan.layer, plan.sheet, plan.sheet.colors[i], i, site)
        chosen.append(surface)
    held = target.data.materials
    for i, surface in enumerate(chosen):
        if i == len(held):
            held.append(surface)
        elif held[i] != surface:
            held[i] = surface
    return True


def _matched(before: Sequence[str], now: Sequence[str]) -> list[int | None]:
    """For each colour the slot that it takes: the one that had it before, else the first whose colour is gone."""
    free = list(range(len(before)))
    slots: list[int | None] = []
    for color in now:
        slot = next((slot for slot in free if before[slot] == color), None)
        if slot is not None:
            free.remove(slot)
        slots.append(slot)
    return [free.pop(0) if slot is None and free else slot for slot in slots]
