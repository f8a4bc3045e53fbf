"""Drawings become curves."""

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
from drawings import BLUE, RED, bring, drawing, layer, object_of, shape, square

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
from blender_addon.drawing import Color, Ring
from blender_addon.path_reader import parse_path
from blender_addon.pen import ellipse, rectangle
from blender_addon.settings import CurveSettings

#: Of hard label maps: {"svg": text, "areas": {layer: px}}, see ../blender_data.py
DEGENERATE = json.loads((Path(__file__).parent / "data" / "degenerate.json").read_text("utf-8"))


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


def test_a_layer_of_lines_that_is_called_outline_says_so_once() -> None:
    lines = shape("o", square(0, 0, 50), fill=None, stroke=RED, stroke_width=2.0)
    both = shape("b", square(0, 0, 50), stroke=RED, stroke_width=2.0)
    collection = bring(drawing(layer("outline", lines), layer("hair", both)))
    assert [each.name for each in portraits.layers_of(collection)] == ["Outline", "Hair", "Hair outline"]
    painted = replace(both, fill=BLUE)
    foreign = bring(drawing(layer("eye-outline", painted)), share_materials=True)
    fill, stroke = portraits.layers_of(foreign)
    assert stroke.name == "Eye-outline outline"
    assert fill.data.materials[0] != stroke.data.materials[0]


def test_outlines_lie_between_the_layers() -> None:
    """A round tube as thick as a stroke is wide would stick out of what lies above."""
    low = layer("low", shape("low", square(10, 10, 80), None, stroke=RED, stroke_width=20.0))
    target = object_of(bring(drawing(low)), "low")
    bpy.context.view_layer.update()
    assert target.dimensions.z < 0.001
    assert target.dimensions.x == pytest.approx(1.0, rel=0.05)


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


def test_true_size_in_the_scenes_units() -> None:
    bpy.context.scene.unit_settings.scale_length = 0.001
    target = object_of(bring(drawing(layer("a", shape("a", square(0, 0, 96)))), true_size=True), "a")
    bpy.context.view_layer.update()
    assert target.dimensions.x == pytest.approx(25.4)


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


def test_exact_colours_also_mean_no_exposure() -> None:
    scene = bpy.context.scene
    scene.view_settings.view_transform, scene.view_settings.exposure = "Standard", 1.0
    assert not materials.is_exact(scene)
    assert not materials.show_exact(scene), "an import leaves exposure alone"
    materials.undo_grading(scene)
    assert materials.show_exact(scene)
    assert scene.view_settings.exposure == 0.0


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


def test_links_to_photos(tmp_path: Path) -> None:
    source = os.fspath(tmp_path / "a.svg")
    assert photo_empty.linked_photo("my%20photo.jpg", source) == os.fspath(tmp_path / "my photo.jpg")
    assert photo_empty.linked_photo("data:image/png;base64,AAAA", source) is None
    assert photo_empty.linked_photo(None, source) is None
    assert photo_empty.linked_photo("a.jpg", "") is None


# Which portrait


def test_the_portrait_of_the_active_object(face_svg: Path, faces_svg: Path) -> None:
    assert portraits.portrait_of(bpy.context) is None
    one, two = bring(svg_reader.read_svg(face_svg)), bring(svg_reader.read_svg(faces_svg))
    assert portraits.in_scene(bpy.context.scene) == [one, two]
    bpy.context.view_layer.objects.active = portraits.layers_of(one)[0]
    assert portraits.portrait_of(bpy.context) == one
    bpy.context.view_layer.objects.active = portraits.layers_of(two)[0]
    assert portraits.portrait_of(bpy.context) == two, "also in a face's own collection"


def test_a_portrait_within_a_portrait(face_svg: Path) -> None:
    what = svg_reader.read_svg(face_svg)
    outer, inner = bring(what), bring(what)
    bpy.context.scene.collection.children.unlink(inner)
    outer.children.link(inner)
    bpy.context.view_layer.objects.active = portraits.layers_of(inner)[0]
    assert portraits.portrait_of(bpy.context) == inner
    assert len(portraits.layers_of(outer)) == len(what.layers)


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
