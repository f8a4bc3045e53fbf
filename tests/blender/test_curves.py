"""Drawings become curves, edited files go into them, and curves become drawings again."""

from __future__ import annotations

import json
import math
import os
from array import array
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import bpy
import pytest
from mathutils import Euler, Matrix, Vector

from blender_addon import (
    curves,
    export,
    grease_pencil,
    materials,
    outlines,
    photo_empty,
    portraits,
    svg_reader,
    svg_writer,
    update,
)
from blender_addon.drawing import Affine, Color, Drawing, Layer, Ring, Shape
from blender_addon.path_reader import parse_path
from blender_addon.pen import ellipse, rectangle
from blender_addon.settings import CurveSettings
from blender_addon.sheets import Frame

RED, BLUE = Color(204 / 255, 51 / 255, 26 / 255), Color(26 / 255, 77 / 255, 230 / 255)

#: Of hard label maps: {"svg": text, "areas": {layer: px}}, see ../blender_data.py
DEGENERATE = json.loads((Path(__file__).parent / "data" / "degenerate.json").read_text("utf-8"))


def square(x: float, y: float, side: float) -> tuple[Ring, ...]:
    return rectangle(complex(x, y), side, side, 0, 0)


def drawing(*layers: Layer, size: tuple[float, float] = (100.0, 100.0)) -> Drawing:
    return Drawing("Test", size, layers)


def layer(name: str, *shapes: Shape, **facts: object) -> Layer:
    return Layer(name, facts.pop("label", name.capitalize()), shapes, **facts)  # type: ignore[arg-type]


def shape(name: str, rings: Sequence[Ring], fill: Color | None = RED, **facts: object) -> Shape:
    return Shape(name, tuple(rings), fill, **facts)  # type: ignore[arg-type]


def bring(what: Drawing, source: str = "", **settings: object) -> bpy.types.Collection:
    return curves.import_drawing(bpy.context, what, CurveSettings(**settings), source)  # type: ignore[arg-type]


def object_of(collection: bpy.types.Collection, name: str) -> bpy.types.Object:
    (found,) = [target for target in portraits.layers_of(collection) if target["faceparse_id"] == name]
    return found


def mesh_areas(target: bpy.types.Object) -> dict[int, float]:
    """What Blender fills, in square units, by material slot."""
    evaluated = target.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    areas: dict[int, float] = {}
    for polygon in mesh.polygons:
        areas[polygon.material_index] = areas.get(polygon.material_index, 0.0) + polygon.area
    evaluated.to_mesh_clear()
    return areas


def painted(rings: Sequence[Ring]) -> float:
    """What even-odd paints of rings that do not cross, exactly: each ring counts as the inverse of those around it."""
    total = 0.0
    for ring in rings:
        around = sum(_holds(other, ring.points[0]) for other in rings if other is not ring)
        total += abs(ring.area()) * (-1) ** around
    return total


def _holds(ring: Ring, point: complex) -> bool:
    """By the angle that the ring turns around the point, in small chords."""
    turned = 0.0
    for p, q, r, s in ring.segments():
        before = p
        for k in range(1, 21):
            t = k / 20
            u = 1 - t
            after = u**3 * p + 3 * u * u * t * q + 3 * u * t * t * r + t**3 * s
            cross = (before - point).real * (after - point).imag - (before - point).imag * (after - point).real
            dot = (before - point).real * (after - point).real + (before - point).imag * (after - point).imag
            turned += math.atan2(cross, dot)
            before = after
    return abs(turned) > math.pi


def all_points(what: Drawing) -> list[complex]:
    return [point for one in what.layers for each in one.shapes for ring in each.rings for point in ring.points]


# What an import makes


def test_one_collection_one_curve_a_layer_in_order(face_svg: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    collection = bring(what, os.fspath(face_svg))
    assert collection.name == what.title
    assert collection.name in bpy.context.scene.collection.children
    targets = portraits.layers_of(collection)
    assert len(collection.all_objects) == len(targets) == len(what.layers) > 10
    assert [target.name for target in targets] == [one.label for one in what.layers]
    heights = [target.matrix_world.translation.z for target in targets]
    assert heights == pytest.approx([0.01 * order for order in range(len(targets))])
    for target, one in zip(targets, what.layers, strict=True):
        assert target.type == "CURVE"
        assert target.data.dimensions == "2D"
        assert all(spline.type == "BEZIER" and spline.use_cyclic_u for spline in target.data.splines)
        assert len(target.data.splines) == sum(len(each.rings) for each in one.shapes)
        assert len(target.material_slots) == 1, "one material a part"
        assert (target["faceparse_id"], target["faceparse_part"]) == (one.id, one.part)
        assert target["faceparse_source"] == os.fspath(face_svg)
    assert bpy.context.view_layer.objects.active == targets[-1]
    assert all(target.select_get() for target in targets)


def test_layers_of_a_models_own_parts_come_along(own_svg: Path) -> None:
    collection = bring(svg_reader.read_svg(own_svg))
    targets = portraits.layers_of(collection)
    ids = [target["faceparse_id"] for target in targets]
    at = ids.index("nose")
    assert ids[at : at + 3] == ["nose", "sticker", "mouth"]
    assert ids[-1] == "headphones"
    assert [object_of(collection, name).name for name in ("sticker", "headphones")] == ["Sticker", "Headphones"]
    heights = [target.matrix_world.translation.z for target in targets]
    assert heights == sorted(heights)
    assert len(set(heights)) == len(heights)
    sticker, nose = object_of(collection, "sticker"), object_of(collection, "nose")
    assert sticker.material_slots[0].material != nose.material_slots[0].material
    red = Color(230 / 255, 40 / 255, 60 / 255)
    (shown,) = [one for one in svg_reader.read_svg(own_svg).layers if one.id == "sticker"]
    assert shown.shapes[0].fill == red
    # changed in the file, and gone from it
    text = own_svg.read_text("utf-8")
    own_svg.write_text(text.replace("fill:#e6283c", "fill:#00ff00").replace('label="Headphones"', 'label="Phones"'))
    done = update.update_portrait(collection, svg_reader.read_svg(own_svg))
    assert (done.added, done.missing) == ([], [])
    assert object_of(collection, "headphones").name == "Phones"
    # and back as a file
    written = svg_reader.parse_svg(svg_writer.write_svg(export.read_portrait(collection)))
    assert [one.id for one in written.layers] == ids


def test_true_handles_where_the_file_has_them(face_svg: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    collection = bring(what)
    height, width = what.size
    for target, one in zip(portraits.layers_of(collection), what.layers, strict=True):
        rings = [ring for each in one.shapes for ring in each.rings]
        for spline, ring in zip(target.data.splines, rings, strict=True):
            expected = [((z.real - width / 2) / height, (height / 2 - z.imag) / height) for z in ring.points]
            knots = spline.bezier_points
            assert len(knots) * 3 == len(expected)
            for i, knot in enumerate(knots):
                assert tuple(knot.co.xy) == pytest.approx(expected[3 * i], abs=1e-6)
                assert tuple(knot.handle_right.xy) == pytest.approx(expected[3 * i + 1], abs=1e-6)
                assert tuple(knot.handle_left.xy) == pytest.approx(expected[3 * i - 1], abs=1e-6)


def test_handle_types_do_not_bend_the_curve_when_it_is_edited(face_svg: Path) -> None:
    """Aligned and vector handles are recomputed when a knot is touched: they must be where that puts them."""
    what = svg_reader.read_svg(face_svg)
    collection = bring(what)
    kinds = set()
    for target in portraits.layers_of(collection):
        for spline in target.data.splines:
            knots = spline.bezier_points
            before = [tuple(knot.handle_left) + tuple(knot.handle_right) for knot in knots]
            for knot in knots:
                kinds.add(knot.handle_left_type)
                knot.co = knot.co.copy()  # a setter that makes Blender compute the handles anew
            for old, knot in zip(before, knots, strict=True):
                new = tuple(knot.handle_left) + tuple(knot.handle_right)
                assert new == pytest.approx(old, abs=0.05 / what.size[0]), "more than 1/20 px"
    assert "ALIGNED" in kinds


def test_filled_areas_are_the_files(face_svg: Path, faces_svg: Path) -> None:
    for path in (face_svg, faces_svg):
        what = svg_reader.read_svg(path)
        collection = bring(what)
        unit = 1 / what.size[0]
        for target, one in zip(portraits.layers_of(collection), what.layers, strict=True):
            expected = sum(painted(each.rings) for each in one.shapes)
            assert sum(mesh_areas(target).values()) / unit**2 == pytest.approx(expected, rel=0.01), one.id


@pytest.mark.parametrize("name", DEGENERATE)
def test_filled_areas_of_degenerate_maps_are_shapelys(name: str, tmp_path: Path) -> None:
    """No path crosses itself, or what Blender fills would be something else."""
    path = tmp_path / "map.svg"
    path.write_text(DEGENERATE[name]["svg"], "utf-8")
    what = svg_reader.read_svg(path)
    collection = bring(what)
    filled = {
        target["faceparse_id"]: sum(mesh_areas(target).values()) * what.size[0] ** 2
        for target in portraits.layers_of(collection)
    }
    assert filled == pytest.approx(DEGENERATE[name]["areas"], rel=0.01, abs=0.02)


@pytest.mark.parametrize("turned", [False, True])
def test_holes_and_islands_in_either_direction(turned: bool) -> None:
    rings = [*square(10, 10, 80), *square(20, 20, 60), *ellipse(50 + 50j, 20, 20)]
    if turned:
        rings[1] = Ring((rings[1].points[0], *reversed(rings[1].points[1:])), True)
    collection = bring(drawing(layer("hair", shape("hair-1", rings))), height=100.0)
    (area,) = mesh_areas(object_of(collection, "hair")).values()
    assert area == pytest.approx(6400 - 3600 + math.pi * 400, rel=2e-3)


def test_shapes_of_one_colour_that_overlap_are_both_filled() -> None:
    what = drawing(layer("hair", shape("hair-1", square(0, 0, 60)), shape("hair-2", square(30, 30, 60))))
    collection = bring(what, height=100.0)
    target = object_of(collection, "hair")
    assert sum(mesh_areas(target).values()) == pytest.approx(7200)
    first, second = (slot.material for slot in target.material_slots)
    assert first["faceparse_fill"] == second["faceparse_fill"]


def test_shapes_apart_share_a_slot() -> None:
    what = drawing(layer("hair", shape("hair-1", square(0, 0, 30)), shape("hair-2", square(50, 50, 30))))
    assert len(object_of(bring(what), "hair").material_slots) == 1


def test_a_colour_on_another_in_one_layer_lies_higher_and_below_the_next_layer() -> None:
    what = drawing(
        layer("hair", shape("hair-1", square(0, 0, 60)), shape("shine", square(30, 30, 20), BLUE)),
        layer("hat", shape("hat-1", square(0, 0, 60), BLUE)),
    )
    collection = bring(what)
    low, high, hat = portraits.layers_of(collection)
    assert low["faceparse_id"] == high["faceparse_id"] == "hair"
    assert low.location.z < high.location.z < hat.location.z
    assert [layer.id for layer in export.read_portrait(collection).layers] == ["hair", "hat"]


def test_strokes_become_bevelled_curves_of_their_width() -> None:
    line = parse_path("M10 10 C40 10 60 40 90 90")
    ring = square(20, 20, 50)
    what = drawing(layer("line", shape("a", line, None, stroke=BLUE, stroke_width=4.0)),
                   layer("both", shape("b", ring, RED, stroke=BLUE, stroke_width=2.0)))  # fmt: skip
    collection = bring(what, height=100.0)
    first, fill, outline = portraits.layers_of(collection)
    assert first.data.bevel_depth == pytest.approx(2.0)
    assert not first.data.splines[0].use_cyclic_u
    assert fill.data.fill_mode == "BOTH"
    assert outline.data.bevel_depth == pytest.approx(1.0)
    assert export.read_portrait(collection).layers[1].shapes[0].stroke_width == pytest.approx(2.0)
    again = export.read_portrait(collection)
    assert [(each.id, each.fill is None) for one in again.layers for each in one.shapes] == [("a", True), ("b", False)]


def test_hidden_and_locked_stay_so() -> None:
    what = drawing(
        layer("hair", shape("hair-1", square(0, 0, 50)), visible=False),
        layer("hat", shape("hat-1", square(0, 0, 5)), locked=True),
    )
    collection = bring(what)
    hair, hat = portraits.layers_of(collection)
    assert not hair.visible_get()
    assert hair.hide_render
    assert hat.visible_get()
    assert hat.hide_select
    assert [(one.visible, one.locked) for one in export.read_portrait(collection).layers] == [
        (False, False),
        (True, True),
    ]


def test_faces_have_collections_of_their_own(faces_svg: Path) -> None:
    what = svg_reader.read_svg(faces_svg)
    collection = bring(what)
    assert [inner.name for inner in collection.children] == ["Face 1", "Face 2"]
    for number, inner in enumerate(collection.children, 1):
        ids = {target["faceparse_id"] for target in inner.objects}
        assert ids == {one.id for one in what.layers if one.face == number}
    assert [target["faceparse_id"] for target in collection.objects] == ["background"]
    assert object_of(collection, "hair").name == "Hair"
    assert object_of(collection, "face2-hair").name == "Face 2 Hair"
    heights = {name: object_of(collection, name).location.z for name in ("background", "face2-hair", "cloth", "hair")}
    assert list(heights) == sorted(heights, key=lambda name: heights[name])  # face 1 on top


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


@pytest.mark.parametrize(
    ("settings", "height"), [({}, 1.0), ({"height": 3.0}, 3.0), ({"true_size": True}, 480 * 0.0254 / 96)]
)
def test_size(face_svg: Path, settings: dict[str, object], height: float) -> None:
    what = svg_reader.read_svg(face_svg)
    frame = drawing(layer("frame", shape("f", rectangle(0j, what.size[1], what.size[0], 0, 0))), size=what.size)
    target = object_of(bring(frame, **settings), "frame")
    bpy.context.view_layer.update()
    assert target.dimensions.y == pytest.approx(height, rel=1e-5)
    assert target.dimensions.x == pytest.approx(height * what.size[1] / what.size[0], rel=1e-5)


def test_the_step_is_live_and_keeps_what_was_moved(face_svg: Path) -> None:
    collection = bring(svg_reader.read_svg(face_svg))
    targets = portraits.layers_of(collection)
    targets[3].location.z += 5.0
    collection.faceparse_step = 0.1
    assert targets[2].location.z == pytest.approx(0.2)
    assert targets[3].location.z == pytest.approx(5.3)
    collection.faceparse_step = 0.0
    assert targets[2].location.z == pytest.approx(0.0, abs=1e-6)


def test_extrude_and_bevel() -> None:
    target = object_of(bring(drawing(layer("hair", shape("h", square(0, 0, 50)))), extrude=0.2, bevel=0.05), "hair")
    bpy.context.view_layer.update()
    assert target.dimensions.z == pytest.approx(0.5, rel=1e-3)


def test_the_outline_is_smooth_and_light(face_svg: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    collection = bring(what)
    for target in portraits.layers_of(collection):
        assert 3 <= target.data.resolution_u <= 16
        assert all(spline.resolution_u == target.data.resolution_u for spline in target.data.splines)
    straight = object_of(bring(drawing(layer("a", shape("a", square(0, 0, 50))))), "a")
    evaluated = straight.evaluated_get(bpy.context.evaluated_depsgraph_get())
    assert len(evaluated.to_mesh().vertices) == 4, "straight segments need no points between"


def test_names_too_long_for_blender_and_names_in_use(face_svg: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    long = replace(what.layers[0], label="Haar " * 40)
    one, two = (bring(replace(what, layers=(long, *what.layers[1:]))) for _ in range(2))
    assert portraits.layers_of(two)[0]["faceparse_label"] == long.label
    assert one.name != two.name
    labels = [each.label for each in export.read_portrait(two).layers]
    assert labels == [long.label, *(each.label for each in what.layers[1:])], "a suffix of Blender's is no new name"


def test_a_drawing_without_layers() -> None:
    collection = bring(drawing())
    assert not collection.all_objects
    assert export.read_portrait(collection).layers == ()


def test_what_is_given_up_half_way_is_gone(face_svg: Path) -> None:
    counts = len(bpy.data.objects), len(bpy.data.curves), len(bpy.data.materials), len(bpy.data.collections)
    building = curves.build(bpy.context, svg_reader.read_svg(face_svg), CurveSettings(), "")
    next(building)
    next(building)
    assert len(bpy.data.objects) > counts[0]
    building.close()
    assert (len(bpy.data.objects), len(bpy.data.curves), len(bpy.data.materials), len(bpy.data.collections)) == counts


# Colours


def test_colours_are_the_files_in_every_place(face_svg: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    collection = bring(what)
    for target, one in zip(portraits.layers_of(collection), what.layers, strict=True):
        found = target.material_slots[0].material
        assert one.shapes[0].fill is not None
        assert materials.color_of(found).hex == one.shapes[0].fill.hex
        expected = [linear(value) for value in one.shapes[0].fill[:3]]
        assert found.diffuse_color[:3] == pytest.approx(expected, abs=1e-5)
        (node,) = [node for node in found.node_tree.nodes if node.bl_idname == "ShaderNodeEmission"]
        assert node.inputs[0].default_value[:3] == pytest.approx(expected, abs=1e-5)
    assert bpy.context.scene.view_settings.view_transform == "Standard"


def test_the_scene_keeps_its_view_where_exact_colours_are_not_asked_for(face_svg: Path) -> None:
    before = bpy.context.scene.view_settings.view_transform
    assert before != "Standard"
    bring(svg_reader.read_svg(face_svg), exact_colors=False)
    assert bpy.context.scene.view_settings.view_transform == before


def test_a_new_material_shows_its_colour_when_the_scene_is_evaluated() -> None:
    """Also the second one, a copy, after the first has been seen."""
    colors = [Color(1.0, 0.4, 0.0), Color(0.0, 0.2, 1.0, 0.6), Color(0.8, 0.8, 0.8)]
    layers = [layer(f"part{i}", shape(f"s{i}", square(0, 0, 9), color)) for i, color in enumerate(colors)]
    for _ in range(2):
        collection = bring(drawing(*layers))
        seen = bpy.context.evaluated_depsgraph_get()
        for i, color in enumerate(colors):
            found = object_of(collection, f"part{i}").material_slots[0].material.evaluated_get(seen)
            assert materials.color_of(found).hex == color.hex
            node = found.node_tree.nodes["Flat color"]
            assert node.inputs[0].default_value[:] == pytest.approx(materials.to_scene(color), abs=1e-6)


def test_a_large_drawing_is_built_the_same_with_numpy_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("numpy", reason="this Blender has no numpy")
    data = "".join(f"M{x} 9" + "c1.25 2 3 4 5.5 1" * 40 + "l3-9-8 5z" for x in range(9))
    paths = "".join(f'<path id="p{i}" fill-rule="evenodd" d="{data}"/>' for i in range(20))
    svg = tmp_path / "large.svg"
    svg.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 300 90"><g id="a">{paths}</g></svg>')

    def built() -> list[tuple[object, ...]]:
        (target,) = portraits.layers_of(bring(svg_reader.read_svg(svg)))
        found: list[tuple[object, ...]] = [(target.data.resolution_u, portraits.Imported.of(target).digest)]
        for spline in target.data.splines:
            values = array("f", bytes(12 * len(spline.bezier_points)))
            for name in ("co", "handle_left", "handle_right"):
                spline.bezier_points.foreach_get(name, values)
                found.append((name, values.tobytes()))
            types = [(point.handle_left_type, point.handle_right_type) for point in spline.bezier_points]
            found.append((spline.use_cyclic_u, spline.material_index, spline.resolution_u, types))
        return found

    assert svg.stat().st_size > outlines.MANY
    assert not isinstance(svg_reader.read_svg(svg).layers[0].shapes[0].rings[0].points, tuple)
    quick = built()
    monkeypatch.setattr(outlines, "MANY", math.inf)
    assert isinstance(svg_reader.read_svg(svg).layers[0].shapes[0].rings[0].points, tuple)
    assert built() == quick


def test_materials_are_shared_on_choice(face_svg: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    first, second = (bring(what, share_materials=True) for _ in range(2))
    own = bring(what)
    for one, two, three in zip(*map(portraits.layers_of, (first, second, own)), strict=True):
        assert one.material_slots[0].material == two.material_slots[0].material
        assert one.material_slots[0].material != three.material_slots[0].material


def test_shapes_in_no_layer_share_a_material_a_colour_until_one_is_recoloured() -> None:
    loose = [layer(f"path{i}", shape(f"path{i}", square(10 * i, 0, 5)), loose=True) for i in range(3)]
    collection = bring(drawing(*loose))
    one, two, three = portraits.layers_of(collection)
    assert one.material_slots[0].material == two.material_slots[0].material == three.material_slots[0].material
    loose[1] = replace(loose[1], shapes=(replace(loose[1].shapes[0], fill=BLUE),))
    done = update.update_portrait(collection, drawing(*loose))
    assert done.changed == ["Path1"]
    fills = [materials.color_of(target.material_slots[0].material).hex for target in (one, two, three)]
    assert fills == [RED.hex, BLUE.hex, RED.hex]


@pytest.mark.parametrize("lit", [False, True])
def test_opacity(lit: bool) -> None:
    collection = bring(drawing(layer("veil", shape("v", square(0, 0, 50), RED._replace(alpha=0.5)))), lit=lit)
    found = object_of(collection, "veil").material_slots[0].material
    assert found.diffuse_color[3] == pytest.approx(0.5)
    again = export.read_portrait(collection).layers[0].shapes[0].fill
    assert again is not None
    assert again.alpha == pytest.approx(0.5)


def linear(value: float) -> float:
    """IEC 61966-2-1: sRGB's transfer function undone."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def test_every_grey_comes_back_from_a_material() -> None:
    made = materials.material("hair", "Hair", RED, shared=False, lit=False)
    for value in range(256):
        materials.paint(made, Color(value / 255, value / 255, value / 255))
        assert materials.color_of(made).hex == f"#{value:02x}{value:02x}{value:02x}"


# Renders


def camera_from_above() -> None:
    scene = bpy.context.scene
    camera = bpy.data.cameras.new("Camera")
    camera.type, camera.ortho_scale = "ORTHO", 1.0
    target = bpy.data.objects.new("Camera", camera)
    target.location.z = 5
    scene.collection.objects.link(target)
    scene.camera = target


def rendered(folder: Path, engine: str, height: int, width: int) -> array[float]:
    """The picture as Blender shows it, RGBA 0 to 1, bottom row first, white where nothing is."""
    scene = bpy.context.scene
    scene.render.engine = engine
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = width, height, 100
    scene.render.film_transparent = False
    world = bpy.data.worlds.new("White")
    world.color = (1, 1, 1)
    if world.node_tree is None:
        world.use_nodes = True
    world.node_tree.nodes["Background"].inputs[0].default_value = (1, 1, 1, 1)
    scene.world = world
    if engine == "CYCLES":
        scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.device = 16, False, "CPU"
    else:
        scene.display.shading.light, scene.display.shading.color_type = "FLAT", "MATERIAL"
        scene.display.shading.background_type, scene.display.shading.background_color = "VIEWPORT", (1, 1, 1)
        scene.display.shading.show_object_outline = False
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = os.fspath(folder / "render.png")
    bpy.ops.render.render(write_still=True)
    return pixels_of(folder / "render.png")


def pixels_of(path: Path) -> array[float]:
    image = bpy.data.images.load(os.fspath(path))
    values = array("f", bytes(4 * image.size[0] * image.size[1] * image.channels))
    image.pixels.foreach_get(values)
    return values


@pytest.mark.parametrize("engine", ["CYCLES", "BLENDER_WORKBENCH"])
def test_the_render_is_the_svgs(face_svg: Path, tmp_path: Path, engine: str) -> None:
    """Flat colours through the scene's colour management, outlines and order in z, against an SVG renderer.

    Tolerance: 1.5 grey levels in the mean, and 1.5 % of pixels off by more than 16: edges are filtered differently.
    """
    import resvg_py

    what = svg_reader.read_svg(face_svg)
    height, width = map(round, what.size)
    bring(what)
    camera_from_above()
    data = resvg_py.svg_to_bytes(svg_string=face_svg.read_text("utf-8"), background="white", dpi=96)
    (tmp_path / "svg.png").write_bytes(bytes(data))
    ours, theirs = rendered(tmp_path, engine, height, width), pixels_of(tmp_path / "svg.png")
    assert len(ours) == len(theirs) == height * width * 4
    off = [abs(a - b) * 255 for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if i % 4 != 3]
    assert sum(off) / len(off) < 1.5
    assert sum(value > 16 for value in off) / len(off) < 0.015


# Grease Pencil


def test_grease_pencil_where_there_is_version_3(face_svg: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    collection = bring(what, as_grease_pencil=True)
    if not grease_pencil.AVAILABLE:
        assert all(target.type == "CURVE" for target in collection.all_objects), "older Blenders get curves"
        return
    (target,) = collection.all_objects
    assert [one.name for one in target.data.layers] == [one.label for one in what.layers]
    assert not portraits.has_layers(collection)
    assert portraits.portrait_of(bpy.context) == collection
    assert bpy.context.view_layer.objects.active == target
    for one, made in zip(what.layers, target.data.layers, strict=True):
        drawn = made.frames[0].drawing
        corners = [[complex(*point.position[:2]) for point in stroke.points] for stroke in drawn.strokes]
        area = sum(abs(polygon_area(points)) for points in corners) * what.size[0] ** 2
        assert area == pytest.approx(sum(painted(each.rings) for each in one.shapes), rel=0.01), one.id
    collection.faceparse_step = 0.5
    assert target.data.layers[2].translation.z == pytest.approx(1.0)


def test_grease_pencil_runs_around_holes() -> None:
    if not grease_pencil.AVAILABLE:
        pytest.skip("this Blender has no Grease Pencil 3")
    rings = [*square(10, 10, 80), *square(20, 20, 10), *ellipse(60 + 60j, 20, 20), *ellipse(60 + 60j, 10, 10)]
    (target,) = bring(drawing(layer("a", shape("a", rings))), as_grease_pencil=True, height=100.0).all_objects
    strokes = target.data.layers[0].frames[0].drawing.strokes
    areas = sorted(abs(polygon_area([complex(*point.position[:2]) for point in stroke.points])) for stroke in strokes)
    assert areas == pytest.approx([math.pi * 100, 6400 - 100 - math.pi * 400], rel=0.01)


def polygon_area(points: Sequence[complex]) -> float:
    return sum((p.conjugate() * q).imag for p, q in zip(points, [*points[1:], points[0]], strict=True)) / 2


# The photo behind


def test_the_photo_lies_behind(face_svg: Path, photo: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    collection = curves.import_drawing(bpy.context, what, CurveSettings(photo_behind=True), "", os.fspath(photo))
    (empty,) = [target for target in collection.all_objects if target.type == "EMPTY"]
    assert empty.data.filepath == os.fspath(photo)
    assert empty.location.z < 0
    assert empty.empty_display_size == pytest.approx(1.0), "the longer side"
    assert len(portraits.layers_of(collection)) == len(what.layers)
    assert len(export.read_portrait(collection).layers) == len(what.layers)


@pytest.mark.parametrize(
    ("value", "turned"), [(1, (0, False)), (3, (180, False)), (6, (90, False)), (7, (90, True)), (9, (0, False))]
)
def test_the_photo_is_turned_as_its_camera_says(
    tmp_path: Path, photo: Path, value: int, turned: tuple[int, bool]
) -> None:
    from blender_addon.exif import orientation

    tiff = (
        b"MM\0*\0\0\0\x08" + b"\0\x01" + b"\x01\x12\0\x03\0\0\0\x01" + value.to_bytes(2, "big") + b"\0\0" + b"\0\0\0\0"
    )
    block = b"Exif\0\0" + tiff
    jpeg = photo.read_bytes()
    turned_photo = tmp_path / "turned.jpg"
    turned_photo.write_bytes(jpeg[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + jpeg[2:])
    assert orientation(os.fspath(turned_photo)) == turned
    assert orientation(os.fspath(tmp_path / "none.jpg")) == (0, False)


# Updates


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


def test_a_layer_deleted_in_blender_stays_away(face_svg: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    collection = bring(what)
    bpy.data.objects.remove(object_of(collection, "nose"))
    done = update.update_portrait(collection, what)
    assert done.deleted == ["Nose"]
    assert done.added == []
    assert all(target["faceparse_id"] != "nose" for target in portraits.layers_of(collection))


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


# And back


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


# Which portrait


def test_the_portrait_of_the_active_object(face_svg: Path, faces_svg: Path) -> None:
    assert portraits.portrait_of(bpy.context) is None
    one, two = bring(svg_reader.read_svg(face_svg)), bring(svg_reader.read_svg(faces_svg))
    assert portraits.in_scene(bpy.context.scene) == [one, two]
    bpy.context.view_layer.objects.active = portraits.layers_of(one)[0]
    assert portraits.portrait_of(bpy.context) == one
    bpy.context.view_layer.objects.active = portraits.layers_of(two)[0]
    assert portraits.portrait_of(bpy.context) == two, "also in a face's own collection"


def test_everything_survives_saving_and_loading(face_svg: Path, tmp_path: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    collection = bring(what, os.fspath(face_svg))
    before = svg_writer.write_svg(export.read_portrait(collection))
    blend = os.fspath(tmp_path / "portrait.blend")
    bpy.ops.wm.save_as_mainfile(filepath=blend)
    bpy.ops.wm.open_mainfile(filepath=blend)
    (collection,) = portraits.in_scene(bpy.context.scene)
    assert svg_writer.write_svg(export.read_portrait(collection)) == before
    assert portraits.source_of(collection) == os.fspath(face_svg)
    assert collection.faceparse_step == pytest.approx(0.01)
    done = update.update_portrait(collection, what)
    assert (done.added, done.changed, done.missing) == ([], [], [])


def test_a_file_written_by_another_version_is_no_reason_to_fail(face_svg: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    collection = bring(what)
    collection["faceparse_settings"] = json.dumps({"step": 0.5, "unheard_of": 1})
    object_of(collection, "hair")["faceparse_imported"] = "{}"
    done = update.update_portrait(collection, what)
    assert "Hair" in [*done.added, *done.deleted]


def test_links_to_photos(tmp_path: Path) -> None:
    source = os.fspath(tmp_path / "a.svg")
    assert photo_empty.linked_photo("my%20photo.jpg", source) == os.fspath(tmp_path / "my photo.jpg")
    assert photo_empty.linked_photo("data:image/png;base64,AAAA", source) is None
    assert photo_empty.linked_photo(None, source) is None
    assert photo_empty.linked_photo("a.jpg", "") is None


def test_frames_there_and_back() -> None:
    frame = Frame(1 / 480, 180 + 240j)
    for point in (0j, 3.25 + 7j, 1000 - 5j):
        assert frame.back(frame.there(point)) == pytest.approx(point)


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


# Updates, further


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


def test_shared_materials_keep_a_layers_colours_apart() -> None:
    both = (shape("a", square(0, 0, 20)), shape("b", square(50, 0, 20), BLUE))
    one, two = (bring(drawing(layer("hair", *both)), share_materials=True) for _ in range(2))
    fills = [
        [materials.color_of(slot.material).hex for slot in object_of(portrait, "hair").material_slots]
        for portrait in (one, two)
    ]
    assert fills == [[RED.hex, BLUE.hex]] * 2
    lit = bring(drawing(layer("hair", *both)), share_materials=True, lit=True)
    assert object_of(lit, "hair").material_slots[0].material != object_of(one, "hair").material_slots[0].material
    changed = drawing(layer("hair", replace(both[0], fill=Color(0, 1, 0)), both[1]))
    assert update.update_portrait(one, changed).painted == ["Hair"], "the shared colour stays, and that is said"


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


def test_a_part_of_a_layer_deleted_here_stays_away() -> None:
    what = drawing(layer("hair", shape("hair-1", square(0, 0, 60)), shape("shine", square(30, 30, 20), BLUE)))
    collection = bring(what)
    bpy.data.objects.remove(portraits.layers_of(collection)[1])
    done = update.update_portrait(collection, what)
    assert len(portraits.layers_of(collection)) == 1
    assert done.added == []


def test_what_was_removed_as_missing_may_come_back(face_svg: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    collection = bring(what)
    update.update_portrait(collection, replace(what, layers=what.layers[1:]))
    assert update.remove_missing(collection) == 1
    assert update.update_portrait(collection, what).added == [what.layers[0].label]


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


def test_a_portrait_within_a_portrait(face_svg: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    outer, inner = bring(what), bring(what)
    bpy.context.scene.collection.children.unlink(inner)
    outer.children.link(inner)
    bpy.context.view_layer.objects.active = portraits.layers_of(inner)[0]
    assert portraits.portrait_of(bpy.context) == inner
    assert len(portraits.layers_of(outer)) == len(what.layers)


def test_a_second_face_that_appears_gets_a_collection_and_no_empty_one_is_made(face_svg: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    collection = bring(what)
    new = layer("face2-hair", shape("x", square(10, 10, 20)))
    update.update_portrait(collection, replace(what, layers=(*what.layers, new)))
    assert [len(inner.objects) for inner in collection.children] == [1]


def test_outlines_lie_between_the_layers() -> None:
    """A round tube as thick as a stroke is wide would stick out of what lies above."""
    low = layer("low", shape("low", square(10, 10, 80), None, stroke=RED, stroke_width=20.0))
    target = object_of(bring(drawing(low)), "low")
    bpy.context.view_layer.update()
    assert target.dimensions.z < 0.001
    assert target.dimensions.x == pytest.approx(1.0, rel=0.05)


def test_true_size_in_the_scenes_units() -> None:
    bpy.context.scene.unit_settings.scale_length = 0.001
    target = object_of(bring(drawing(layer("a", shape("a", square(0, 0, 96)))), true_size=True), "a")
    bpy.context.view_layer.update()
    assert target.dimensions.x == pytest.approx(25.4)


def test_exact_colours_also_mean_no_exposure() -> None:
    scene = bpy.context.scene
    scene.view_settings.view_transform, scene.view_settings.exposure = "Standard", 1.0
    assert not materials.is_exact(scene)
    assert not materials.show_exact(scene), "an import leaves exposure alone"
    materials.undo_grading(scene)
    assert materials.show_exact(scene)
    assert scene.view_settings.exposure == 0.0
