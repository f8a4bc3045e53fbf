"""Edited files go into the curves that stand in Blender."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import bpy
import pytest
from drawings import BLUE, RED, bring, drawing, layer, object_of, shape, square

from blender_addon import export, materials, portraits, svg_reader, svg_writer, update
from blender_addon.drawing import Affine, Color

# What it brings, what it keeps


def test_an_update_from_the_same_file_changes_nothing(face_svg: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    collection = bring(what, os.fspath(face_svg))
    target = object_of(collection, "hair")
    target.data.splines[0].bezier_points[0].co.x += 0.1
    done = update.update_portrait(collection, what)
    assert (done.added, done.changed, done.missing) == ([], [], [])
    first = what.layers[-1].shapes[0].rings[0].points[0]
    moved = target.data.splines[0].bezier_points[0].co.x
    assert moved != pytest.approx(float(first.real - what.size[1] / 2) / what.size[0], abs=1e-3), (
        "an edit in Blender stays"
    )


def test_an_update_brings_what_is_new_and_keeps_what_was_done_here(face_svg: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    collection = bring(what, os.fspath(face_svg))
    hair, nose, head = (object_of(collection, name) for name in ("hair", "nose", "head"))
    parent = bpy.data.objects.new("Parent", None)
    bpy.context.scene.collection.objects.link(parent)
    hair.parent = parent
    hair.modifiers.new("Solid", "SOLIDIFY")
    hair.location.x, hair.data.extrude = 2.0, 0.3
    mine = bpy.data.materials.new("Mine")
    nose.material_slots[0].material = mine
    nose.name = "My nose"
    layers = []
    for one in what.layers:
        if one.id == "hair":
            shifted = [ring.mapped(Affine(t=3 + 4j)) for each in one.shapes for ring in each.rings]
            one = replace(one, shapes=(replace(one.shapes[0], rings=tuple(shifted), fill=BLUE),), label="Wig")
        elif one.id == "nose":
            one = replace(one, shapes=(replace(one.shapes[0], fill=BLUE),), label="Snout")
        elif one.id == "head":
            one = replace(one, shapes=(replace(one.shapes[0], fill=BLUE),), locked=True, visible=False)
        elif one.id == "mouth":
            continue
        layers.append(one)
    layers.insert(1, layer("tattoo", shape("t", square(100, 100, 40), BLUE)))
    done = update.update_portrait(collection, replace(what, layers=tuple(layers)))
    assert done.added == ["Tattoo"]
    assert set(done.changed) == {"Wig", "Snout", "Head"}
    assert done.missing == ["Mouth"]
    assert hair.parent == parent
    assert [modifier.name for modifier in hair.modifiers] == ["Solid"]
    assert (hair.location.x, hair.data.extrude) == (2.0, pytest.approx(0.3))
    assert hair.name == "Wig"
    assert materials.color_of(hair.material_slots[0].material).hex == BLUE.hex
    start = layers[[one.id for one in layers].index("hair")].shapes[0].rings[0].points[0]
    assert hair.data.splines[0].bezier_points[0].co.y == pytest.approx(0.5 - start.imag / what.size[0], abs=1e-5)
    assert nose.material_slots[0].material == mine
    assert nose.name == "My nose"
    assert materials.color_of(head.material_slots[0].material).hex == BLUE.hex
    assert head.hide_select
    assert not head.visible_get()
    ids = [target["faceparse_id"] for target in portraits.layers_of(collection) if "faceparse_missing" not in target]
    assert ids == [one.id for one in layers]
    assert object_of(collection, "tattoo").location.z == pytest.approx(0.01)
    assert hair.location.z == pytest.approx(0.01 * (len(layers) - 1)), "one came below, one went"
    assert portraits.missing(collection) == ["Mouth"]
    assert update.remove_missing(collection) == 1
    assert "Mouth" not in bpy.data.objects


def test_new_layers_stand_where_the_others_stand(face_svg: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    collection = bring(what)
    stand = bpy.data.objects.new("Stand", None)
    stand.location, stand.rotation_euler = (5, 0, 0), (1, 0, 0)
    for target in portraits.layers_of(collection):
        target.parent = stand
        target.location.x += 3
    new = layer(
        "new", shape("new", square(10, 10, 20)), shape("line", square(5, 5, 9), None, stroke=RED, stroke_width=2.0)
    )
    done = update.update_portrait(collection, replace(what, layers=(*what.layers, new)))
    assert done.added == ["New"]
    for made in (bpy.data.objects["New"], bpy.data.objects["New outline"]):
        assert made.parent == stand
        assert made.location.x == pytest.approx(3)
    assert bpy.data.objects["New"].location.z == pytest.approx(0.01 * len(what.layers))
    again = export.read_portrait(collection)
    assert again.layers[-1].shapes[0].rings[0].points[0] == pytest.approx(10 + 10j, abs=0.01)


def test_a_plain_svg_forgets_no_locks_and_names(face_svg: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    what = replace(what, layers=(replace(what.layers[0], locked=True, label="Ohr"), *what.layers[1:]))
    collection = bring(what)
    plain = replace(
        what, layers=(replace(what.layers[0], locked=False, label="Ear left"), *what.layers[1:]), layered=False
    )
    update.update_portrait(collection, plain)
    target = portraits.layers_of(collection)[0]
    assert target.hide_select
    assert target.name == "Ohr"


def test_what_is_no_plain_curve_any_more_keeps_its_shape_and_says_so() -> None:
    what = drawing(layer("a", shape("a", square(0, 0, 20))), layer("b", shape("b", square(50, 0, 20))))
    collection = bring(what)
    keyed, meshed = portraits.layers_of(collection)
    keyed.shape_key_add(name="Basis")
    mesh = bpy.data.objects.new("B mesh", bpy.data.meshes.new("B"))
    for name in meshed.keys():
        mesh[name] = meshed[name]
    bpy.data.objects.remove(meshed)
    collection.objects.link(mesh)
    moved = [replace(one, shapes=(replace(one.shapes[0], rings=square(5, 5, 30)),)) for one in what.layers]
    done = update.update_portrait(collection, drawing(*moved))
    assert set(done.reshaped) == {"A", "B mesh"}
    again = update.update_portrait(collection, drawing(*moved))
    assert set(again.reshaped) == {"A", "B mesh"}, "nothing was forgotten"


def test_a_layer_in_a_collection_of_the_users_own_is_still_one(face_svg: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    collection = bring(what)
    mine = bpy.data.collections.new("Mine")
    bpy.context.scene.collection.children.link(mine)
    nose = object_of(collection, "nose")
    mine.objects.link(nose)
    collection.objects.unlink(nose)
    assert update.update_portrait(collection, what) == update.Update()
    assert [one.id for one in export.read_portrait(collection).layers] == [one.id for one in what.layers]


def test_a_file_written_by_another_version_is_no_reason_to_fail(face_svg: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    collection = bring(what)
    collection["faceparse_settings"] = json.dumps({"step": 0.5, "unheard_of": 1})
    object_of(collection, "hair")["faceparse_imported"] = "{}"
    done = update.update_portrait(collection, what)
    assert "Hair" in [*done.added, *done.deleted]


# Layers that are gone


def test_a_missing_layer_that_comes_back_is_the_old_one(face_svg: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    collection = bring(what)
    without = replace(what, layers=tuple(one for one in what.layers if one.id != "mouth"))
    target = object_of(collection, "mouth")
    update.update_portrait(collection, without)
    assert portraits.missing(collection) == [target.name]
    done = update.update_portrait(collection, what)
    assert (done.added, done.missing, portraits.missing(collection)) == ([], [], [])
    assert object_of(collection, "mouth") == target


def test_what_was_removed_as_missing_may_come_back(face_svg: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    collection = bring(what)
    update.update_portrait(collection, replace(what, layers=what.layers[1:]))
    assert update.remove_missing(collection) == 1
    assert update.update_portrait(collection, what).added == [what.layers[0].label]


def test_a_layer_deleted_in_blender_stays_away(face_svg: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    collection = bring(what)
    bpy.data.objects.remove(object_of(collection, "nose"))
    done = update.update_portrait(collection, what)
    assert done.deleted == ["Nose"]
    assert done.added == []
    assert all(target["faceparse_id"] != "nose" for target in portraits.layers_of(collection))


def test_a_part_of_a_layer_deleted_here_stays_away() -> None:
    what = drawing(layer("hair", shape("hair-1", square(0, 0, 60)), shape("shine", square(30, 30, 20), BLUE)))
    collection = bring(what)
    bpy.data.objects.remove(portraits.layers_of(collection)[1])
    done = update.update_portrait(collection, what)
    assert len(portraits.layers_of(collection)) == 1
    assert done.added == []


# Faces


def test_what_is_new_in_a_face_and_its_new_name_come_with_an_update(faces_svg: Path) -> None:
    collection = bring(svg_reader.read_svg(faces_svg))
    text = faces_svg.read_text()
    bow = (
        '<g id="layer9" inkscape:groupmode="layer" inkscape:label="Bow"><path id="bow" d="M1 1h9v9z" fill="#f00"/></g>'
    )
    opened = '<g id="face2" inkscape:groupmode="layer" inkscape:label="Face 2">'
    assert opened in text
    faces_svg.write_text(text.replace(opened, opened.replace("Face 2", "Anna") + bow))
    done = update.update_portrait(collection, svg_reader.read_svg(faces_svg))
    assert (done.added, done.changed, done.missing) == (["Bow"], [], [])
    anna = collection.children[1]
    assert anna.name == "Anna"
    assert object_of(collection, "layer9") in anna.objects[:]
    assert export.read_portrait(collection).faces == {1: "Face 1", 2: "Anna"}
    anna.name = "My aunt"
    written = svg_reader.parse_svg(svg_writer.write_svg(export.read_portrait(collection)))
    assert written.faces == {1: "Face 1", 2: "My aunt"}
    assert {one.id: one.face for one in written.layers}["layer9"] == 2


def test_a_second_face_joins_a_portrait_of_one(face_svg: Path, faces_svg: Path) -> None:
    """Drawn again with all heads: what was the only face keeps its place, objects and materials."""
    collection = bring(svg_reader.read_svg(face_svg))
    hair = object_of(collection, "hair")
    surface = hair.material_slots[0].material
    done = update.update_portrait(collection, svg_reader.read_svg(faces_svg))
    assert not done.missing
    assert object_of(collection, "hair") is hair
    assert hair.material_slots[0].material == surface
    assert hair in collection.objects[:]
    (second,) = collection.children
    assert second.name == "Face 2"
    assert {target["faceparse_id"].startswith("face2-") for target in second.objects} == {True}
    written = svg_writer.write_svg(export.read_portrait(collection))
    assert svg_reader.parse_svg(written).faces == {1: "Face 1", 2: "Face 2"}


def test_a_second_face_that_appears_gets_a_collection_and_no_empty_one_is_made(face_svg: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    collection = bring(what)
    new = layer("face2-hair", shape("x", square(10, 10, 20)))
    update.update_portrait(collection, replace(what, layers=(*what.layers, new)))
    assert [len(inner.objects) for inner in collection.children] == [1]


# Colours


def test_colours_stay_with_their_slots() -> None:
    green = Color(0, 1, 0)
    both = (shape("a", square(0, 0, 20)), shape("b", square(50, 0, 20), BLUE))
    collection = bring(drawing(layer("hair", *both)))
    target = object_of(collection, "hair")
    mine = bpy.data.materials.new("Mine")
    target.material_slots[0].material = mine
    more = (shape("c", square(0, 50, 20), green), *both)
    update.update_portrait(collection, drawing(layer("hair", *more)))
    found = [slot.material for slot in target.material_slots]
    assert [spline.material_index for spline in target.data.splines] == [0, 1, 2]
    assert found[1] == mine
    assert [materials.color_of(found[0]).hex, materials.color_of(found[2]).hex] == [green.hex, BLUE.hex]


def test_a_material_on_two_layers_is_not_painted_for_both() -> None:
    what = drawing(layer("nose", shape("n", square(0, 0, 20))), layer("hair", shape("h", square(50, 0, 20))))
    collection = bring(what)
    nose, hair = portraits.layers_of(collection)
    hair.material_slots[0].material = nose.material_slots[0].material
    changed = replace(what.layers[1], shapes=(shape("h", square(50, 0, 20), BLUE),))
    update.update_portrait(collection, drawing(what.layers[0], changed))
    fills = [materials.color_of(target.material_slots[0].material).hex for target in (nose, hair)]
    assert fills == [RED.hex, BLUE.hex]
