"""Curves become drawings again, with what was done to them in Blender."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path

import bpy
import pytest
from drawings import BLUE, RED, bring, drawing, layer, object_of, shape, square
from mathutils import Euler, Matrix, Vector

from blender_addon import export, materials, portraits, svg_reader, svg_writer, update
from blender_addon.drawing import Affine, Drawing
from blender_addon.sheets import Frame


def all_points(what: Drawing) -> list[complex]:
    return [point for one in what.layers for each in one.shapes for ring in each.rings for point in ring.points]


# The round trip


def test_the_round_trip_closes(face_svg: Path, faces_svg: Path) -> None:
    for path in (face_svg, faces_svg):
        what = svg_reader.read_svg(path)
        again = export.read_portrait(bring(what, os.fspath(path)))
        assert again.notes == ()
        assert (again.title, again.size, dict(again.metadata)) == (what.title, what.size, dict(what.metadata))
        assert [(one.id, one.label, one.visible, one.locked) for one in again.layers] == [
            (one.id, one.label, one.visible, one.locked) for one in what.layers
        ]
        grid = 10.0 ** -svg_writer.decimals_for(what.size)
        for a, b in zip(all_points(svg_reader.parse_svg(svg_writer.write_svg(again))), all_points(what), strict=True):
            assert abs(a - b) < grid / 2
        written = svg_writer.write_svg(again)
        assert written == svg_writer.write_svg(export.read_portrait(bring(svg_reader.parse_svg(written))))


def test_the_round_trip_keeps_the_contract(face_svg: Path, faces_svg: Path) -> None:
    from svg_export import check

    for path in (face_svg, faces_svg):
        assert check.check_svg(path.read_bytes()) == []
        collection = bring(svg_reader.read_svg(path))
        assert check.check_svg(svg_writer.write_svg(export.read_portrait(collection))) == []


def test_frames_there_and_back() -> None:
    frame = Frame(1 / 480, 180 + 240j)
    for point in (0j, 3.25 + 7j, 1000 - 5j):
        assert frame.back(frame.there(point)) == pytest.approx(point)


# What was done in Blender


def test_what_was_edited_in_blender_is_what_is_written(face_svg: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    collection = bring(what)
    height, width = what.size
    hair, nose, head = (object_of(collection, name) for name in ("hair", "nose", "head"))
    hair.name = "Wig"
    hair.location.x += 0.25
    nose.location.z = 1.0
    nose.rotation_euler = Euler((0, 0, math.pi / 2))
    materials.paint(head.material_slots[0].material, BLUE)
    head.data.splines[0].bezier_points[0].co.x += 0.125
    made = bpy.data.curves.new("Star", "CURVE")
    made.dimensions = "2D"
    spline = made.splines.new("POLY")
    spline.points.add(2)
    spline.use_cyclic_u = True
    for point, (x, y) in zip(spline.points, [(0, 0), (0.5, 0), (0, 0.5)], strict=True):
        point.co = (x, y, 0, 1)
    star = bpy.data.objects.new("My Star.001", made)
    star.location.z = 2.0
    collection.objects.link(star)
    mesh = bpy.data.objects.new("Mesh", bpy.data.meshes.new("Mesh"))
    collection.objects.link(mesh)
    again = export.read_portrait(collection)
    assert any("Mesh" in note for note in again.notes)
    assert [one.id for one in again.layers][-2:] == ["nose", "my-star-001"]
    layers = {one.id: one for one in again.layers}
    old = {one.id: one for one in what.layers}
    assert layers["hair"].label == "Wig"
    for a, b in zip(layers["hair"].shapes[0].rings[0].points, old["hair"].shapes[0].rings[0].points, strict=True):
        assert a == pytest.approx(b + 0.25 * height, abs=1e-3)
    middle = complex(width, height) / 2
    for a, b in zip(layers["nose"].shapes[0].rings[0].points, old["nose"].shapes[0].rings[0].points, strict=True):
        assert a == pytest.approx(middle + (b - middle) * -1j, abs=1e-3), "anticlockwise, with y down"
    assert layers["head"].shapes[0].fill is not None
    assert layers["head"].shapes[0].fill.hex == BLUE.hex
    moved = layers["head"].shapes[0].rings[0].points[0] - old["head"].shapes[0].rings[0].points[0]
    assert moved == pytest.approx(0.125 * height, abs=1e-3)
    assert layers["my-star-001"].shapes[0].rings[0].area() == pytest.approx(-0.125 * height**2, rel=1e-5)
    assert svg_reader.parse_svg(svg_writer.write_svg(again)).layers


def test_a_copy_made_in_blender_is_a_layer_of_its_own(face_svg: Path) -> None:
    collection = bring(svg_reader.read_svg(face_svg))
    copy = object_of(collection, "hair").copy()
    copy.data = copy.data.copy()
    copy.location.z += 1.0
    collection.objects.link(copy)
    ids = [one.id for one in export.read_portrait(collection).layers]
    assert ids[-2:] == ["hair", "hair-2"]


def test_edited_splines_are_written_by_slot(face_svg: Path) -> None:
    collection = bring(svg_reader.read_svg(face_svg))
    hair = object_of(collection, "hair")
    count = len(hair.data.splines)
    more = hair.data.splines.new("BEZIER")
    more.bezier_points.add(1)
    more.use_cyclic_u = True
    (one,) = [each for each in export.read_portrait(collection).layers if each.id == "hair"]
    assert sum(len(each.rings) for each in one.shapes) == count + 1


def test_hidden_and_excluded_layers_are_exported_where_they_are(face_svg: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    collection = bring(what)
    stand = bpy.data.objects.new("Stand", None)
    bpy.context.scene.collection.objects.link(stand)
    for target in portraits.layers_of(collection):
        target.parent = stand
    object_of(collection, "nose").hide_viewport = True
    object_of(collection, "hair").hide_set(True)
    bpy.context.view_layer.update()
    stand.location = (1, 2, 3)
    object_of(collection, "head").location.x = 0.25
    bpy.context.view_layer.layer_collection.children[collection.name].exclude = True
    again = export.read_portrait(collection)
    assert [one.id for one in again.layers] == [one.id for one in what.layers]
    for one, other in zip(again.layers, what.layers, strict=True):
        shift = 0.25 * what.size[0] if one.id == "head" else 0
        pairs = zip(one.shapes[0].rings[0].points, other.shapes[0].rings[0].points, strict=True)
        assert all(abs(a - b - shift) < 0.01 for a, b in pairs), one.id


def test_closed_3d_curves_are_fills_and_materials_of_the_users_own_are_read() -> None:
    collection = bring(drawing(layer("a", shape("a", square(10, 10, 20)))))
    target = object_of(collection, "a")
    target.data.dimensions = "3D"
    mine = bpy.data.materials.new("Mine")
    if mine.node_tree is None:
        mine.use_nodes = True
    mine.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = materials.to_scene(BLUE)
    target.material_slots[0].material = mine
    (one,) = export.read_portrait(collection).layers[0].shapes
    assert one.stroke is None
    assert one.fill is not None
    assert one.fill.hex == BLUE.hex


# Where the portrait stands


def test_where_the_whole_portrait_stands_is_no_edit(face_svg: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    collection = bring(what)
    stand = bpy.data.objects.new("Stand", None)
    bpy.context.scene.collection.objects.link(stand)
    stand.matrix_world = Matrix.Translation(Vector((3, 4, 5))) @ Euler((math.pi / 2, 0, 0.3)).to_matrix().to_4x4()
    for target in portraits.layers_of(collection):
        target.parent = stand
    again = export.read_portrait(collection)
    assert [one.id for one in again.layers] == [one.id for one in what.layers]
    for a, b in zip(all_points(again), all_points(what), strict=True):
        assert a == pytest.approx(b, abs=0.01)


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 0.0123, 1.0, 500.0])
def test_where_a_portrait_stands_loses_no_pixel(scale: float) -> None:
    what = drawing(
        *(layer(name, shape(name, square(1000, 1000 + i, 8000))) for i, name in enumerate("abc")), size=(1e4, 1e4)
    )
    collection = bring(what)
    stand = bpy.data.objects.new("Stand", None)
    stand.rotation_euler, stand.scale, stand.location = (0.3, 0.4, 0.5), (scale,) * 3, (10 * scale, 0, 0)
    for target in portraits.layers_of(collection):
        target.parent = stand
    for a, b in zip(all_points(export.read_portrait(collection)), all_points(what), strict=True):
        assert abs(a - b) < 0.1


def test_a_small_portraits_edits_are_exported() -> None:
    what = drawing(*(layer(name, shape(name, square(1000, 1000, 8000))) for name in "abc"), size=(1e4, 1e4))
    collection = bring(what, height=0.001)
    object_of(collection, "b").location.x = 5e-6
    again = export.read_portrait(collection).layers[1]
    assert again.shapes[0].rings[0].points[0] == pytest.approx(1050 + 1000j, abs=0.5)


def test_a_portrait_turned_upright_without_its_lowest_layer() -> None:
    what = drawing(*(layer(name, shape(name, square(10, 10 * i, 20))) for i, name in enumerate("abcd")))
    collection = bring(what, step=0.1)
    bpy.data.objects.remove(object_of(collection, "a"))
    turn = Euler((math.pi / 2, 0, 0)).to_matrix().to_4x4()
    for target in portraits.layers_of(collection):
        target.matrix_world = turn @ target.matrix_world
    again = export.read_portrait(collection)
    assert [one.id for one in again.layers] == ["b", "c", "d"]
    expected = [one.shapes[0].rings[0].points[0] for one in what.layers[1:]]
    assert [one.shapes[0].rings[0].points[0] for one in again.layers] == pytest.approx(expected, abs=1e-3)
    collection.faceparse_step = 0.2
    assert [round(target.location.y, 5) for target in portraits.layers_of(collection)] == [-0.2, -0.4, -0.6]


@pytest.mark.parametrize("count", [1, 2])
def test_one_of_few_layers_moved_is_an_edit(count: int) -> None:
    what = drawing(*(layer(name, shape(name, square(10, 10, 20))) for name in "ab"[:count]))
    collection = bring(what)
    object_of(collection, "a").location.x = 0.1
    again = export.read_portrait(collection)
    assert [one.shapes[0].rings[0].points[0].real for one in again.layers] == pytest.approx([20, 10][:count])


# After an export the file says what is so here


def exported(collection: bpy.types.Collection) -> Drawing:
    """What the export button does, less the file."""
    written = svg_reader.parse_svg(svg_writer.write_svg(export.read_portrait(collection)))
    export.mark_exported(collection, written, "/nowhere/a.svg")
    return written


def layout(collection: bpy.types.Collection) -> dict[str, tuple[object, ...]]:
    bpy.context.view_layer.update()
    found = {}
    for target in portraits.layers_of(collection):
        knots = [tuple(knot.co) for spline in target.data.splines for knot in spline.bezier_points]
        found[target.name] = (tuple(map(tuple, target.matrix_world)), knots)
    return found


def test_an_update_from_what_was_exported_changes_nothing(face_svg: Path) -> None:
    collection = bring(svg_reader.read_svg(face_svg), os.fspath(face_svg))
    hair, nose, head = (object_of(collection, name) for name in ("hair", "nose", "head"))
    hair.location.x += 0.25
    hair.scale = (0.5, 0.7, 1)
    nose.rotation_euler.z = 0.4
    nose.location.z = 0.5
    nose.name = "Snout"
    head.data.splines[0].bezier_points[0].co.x += 0.1
    materials.paint(head.material_slots[0].material, BLUE)
    copy = hair.copy()
    copy.data = hair.data.copy()
    copy.location.z += 0.3
    collection.objects.link(copy)
    star = bpy.data.objects.new("Star", hair.data.copy())
    star.location.z = 2.0
    collection.objects.link(star)
    written = exported(collection)
    assert portraits.source_of(collection) == "/nowhere/a.svg"
    before = layout(collection)
    done = update.update_portrait(collection, written)
    assert done == update.Update()
    assert layout(collection) == before


def test_the_file_is_edited_after_an_export_and_lands_where_it_belongs(face_svg: Path) -> None:
    collection = bring(svg_reader.read_svg(face_svg))
    nose, head = object_of(collection, "nose"), object_of(collection, "head")
    nose.location.x, nose.scale.x, nose.rotation_euler.z = 0.2, -0.5, 0.3
    materials.paint(head.material_slots[0].material, RED)
    written = exported(collection)
    edited = []
    for one in written.layers:
        if one.id == "nose":
            moved = tuple(ring.mapped(Affine(t=30 + 20j)) for ring in one.shapes[0].rings)
            one = replace(one, shapes=(replace(one.shapes[0], rings=moved),))
        if one.id == "head":
            one = replace(one, shapes=(replace(one.shapes[0], fill=BLUE),))
        edited.append(one)
    done = update.update_portrait(collection, replace(written, layers=tuple(edited)))
    assert set(done.changed) == {"Nose", "Head"}
    again = {one.id: one for one in export.read_portrait(collection).layers}
    expected = {one.id: one for one in edited}
    for name in ("nose", "head"):
        pairs = zip(again[name].shapes[0].rings[0].points, expected[name].shapes[0].rings[0].points, strict=True)
        assert all(abs(a - b) < 0.02 for a, b in pairs)
    assert materials.color_of(head.material_slots[0].material).hex == BLUE.hex, "what was exported is no change here"
