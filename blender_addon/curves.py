# SPDX-License-Identifier: GPL-3.0-or-later
"""A drawing -> a collection of curve objects.

One collection a file, with one collection a face in it where there are several; one 2D curve object a layer (more only
where shapes of other colours lie on each other within a layer: see `sheets`), each a step above the one below.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from dataclasses import asdict
from itertools import islice

import bpy

from . import grease_pencil, layer_objects, materials, photo_empty, portraits
from .drawing import Drawing, Layer
from .layer_objects import Plan, Site, plans_of
from .portraits import ORIGIN, SETTINGS, SOURCE, UNIT, Key, is_visible, layers_of
from .settings import CurveSettings
from .sheets import Frame, Spline, splines_of

METRES_A_PIXEL = 0.0254 / 96  # 96 to the inch, as the SVG's own width in millimetres says
_GROUP = 10_000  # points of layers whose splines are made at a time: some milliseconds


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
        portraits.keep_facts(collection, drawing)
        portraits.set_step(collection, settings.step)
        site = Site.of(collection)
        if settings.as_grease_pencil and grease_pencil.AVAILABLE:
            yield from grease_pencil.build(collection, drawing, site.frame, settings)
        else:
            faces = sorted({layer.face for layer in drawing.layers} - {0})
            homes = {}
            if len(faces) > 1:
                homes = {face: portraits.face_home(collection, face, drawing.face_label(face)) for face in faces}
            keys: list[Key] = []
            for layer, planned in _with_splines(drawing, site.frame):
                for plan, splines in planned:
                    layer_objects.add(homes.get(layer.face, collection), plan, site, splines)
                    keys.append(plan.key)
                yield layer.label
            portraits.set_known(collection, keys)
        if settings.exact_colors:
            materials.show_exact(scene)
        if settings.photo_behind:
            photo_empty.put_behind(collection, photo or photo_empty.linked_photo(drawing.photo, source), settings.step)
        _select(context, collection)
    except BaseException:  # also GeneratorExit: the caller does not want the rest
        discard(collection)
        raise
    return collection


def discard(collection: bpy.types.Collection) -> None:
    """Remove a portrait that was just made, with all that nothing else uses."""
    targets = list(collection.all_objects)
    surfaces = {slot.material for target in targets for slot in target.material_slots if slot.material is not None}
    portraits.remove(targets)
    bpy.data.batch_remove([*collection.children_recursive, collection])
    bpy.data.batch_remove([surface for surface in surfaces if surface.users == 0])


def _with_splines(drawing: Drawing, frame: Frame) -> Iterator[tuple[Layer, list[tuple[Plan, list[Spline]]]]]:
    """Each layer with its objects and what they show: of several layers at once, where they hold little."""
    group: list[tuple[Layer, list[Plan]]] = []
    size = 0
    for order, layer in enumerate(drawing.layers):
        group.append((layer, plans_of(layer, drawing, order)))
        size += sum(len(ring.points) for shape in layer.shapes for ring in shape.rings)
        if size >= _GROUP or order == len(drawing.layers) - 1:
            rings = [ring for _, plans in group for plan in plans for ring in plan.sheet.rings(frame.unit)]
            splines = iter(splines_of(rings, frame))
            for one, plans in group:
                yield one, [(plan, list(islice(splines, plan.sheet.count))) for plan in plans]
            group, size = [], 0


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
