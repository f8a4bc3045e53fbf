"""The round trip with real Inkscape: write, import, edit there, update; and out of Blender back into Inkscape."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import bpy
import pytest

from blender_addon import curves, export, materials, portraits, svg_reader, svg_writer, update
from blender_addon.settings import CurveSettings

#: A new layer of its own, as a group that Inkscape is told to treat as one.
NEW_LAYER = (
    "select-by-id:nose-1;duplicate;object-set-attribute:id,patch;object-set-property:fill,#00ff00;selection-group;"
    "object-set-attribute:id,mask;object-set-attribute:inkscape:groupmode,layer;"
    "object-set-attribute:inkscape:label,My mask"
)


def inkscape(svg: Path, actions: str, *options: str) -> Path:
    """Run actions on a file and save it in place; options as `--export-plain-svg`."""
    program = shutil.which("inkscape")
    assert program, "inkscape is not installed"  # not skipped: the suite is there for it
    environment = os.environ | {
        "INKSCAPE_PROFILE_DIR": os.fspath(svg.parent / "profile"),
        "HOME": os.fspath(svg.parent),
    }
    for name in ("PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH"):
        environment.pop(name, None)
    saved = svg.with_name("saved.svg")
    done = subprocess.run(
        [program, f"--actions={actions}", "--export-type=svg", *options, f"--export-filename={saved}", os.fspath(svg)],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return saved.replace(svg)


def by_id(collection: bpy.types.Collection) -> dict[str, bpy.types.Object]:
    """The lowest object of every layer."""
    return {target["faceparse_id"]: target for target in reversed(portraits.layers_of(collection))}


@pytest.mark.parametrize("options", [(), ("--export-plain-svg",)], ids=["inkscape", "plain"])
def test_edited_in_inkscape_then_updated_here(face_svg: Path, options: tuple[str, ...]) -> None:
    what = svg_reader.read_svg(face_svg)
    collection = curves.import_drawing(bpy.context, what, CurveSettings(), os.fspath(face_svg))
    before = by_id(collection)
    mine = bpy.data.materials.new("Mine")
    before["head"].material_slots[0].material = mine
    before["hair"].modifiers.new("Wave", "WAVE")
    before["nose"].location.x = 0.5
    knots = {name: [tuple(knot.co) for knot in target.data.splines[0].bezier_points] for name, target in before.items()}
    inkscape(
        face_svg,
        "select-by-id:hair-1;object-set-property:fill,#ff0000;transform-translate:10,20;select-clear;"
        "select-by-id:head-1;object-set-property:fill,#0000ff;select-clear;"
        "select-by-id:ear-left-1;path-simplify;select-clear;"
        "select-by-id:brow-left;object-set-attribute:inkscape:label,Mono brow;select-clear;"
        "select-by-id:mouth;delete-selection;select-clear;"
        f"{NEW_LAYER}",
        *options,
    )
    edited = svg_reader.read_svg(face_svg)
    assert edited.layered == (not options)
    done = update.update_portrait(collection, edited)
    after = by_id(collection)
    assert done.missing == ["Mouth"]
    # The new layer stands within the nose's: in a plain SVG that is a group like any other, and so the nose's own.
    assert done.added == ([] if options else ["My mask"])
    assert ("Nose" in done.changed) == bool(options)
    assert "Hair" in done.changed
    assert "Ear left" in done.changed
    assert "Lip upper" not in done.changed
    assert after["hair"] == before["hair"]
    assert [modifier.name for modifier in after["hair"].modifiers] == ["Wave"]
    assert materials.color_of(after["hair"].material_slots[0].material).hex == "#ff0000"
    assert after["head"].material_slots[0].material == mine
    assert after["nose"].location.x == 0.5
    height = what.size[0]
    for was, knot in zip(knots["hair"], after["hair"].data.splines[0].bezier_points, strict=True):
        assert (knot.co.x - was[0], was[1] - knot.co.y) == pytest.approx((10 / height, 20 / height), abs=1e-5)
    assert len(after["ear-left"].data.splines[0].bezier_points) != len(knots["ear-left"])
    assert after["brow-left"].name == ("Brow left" if options else "Mono brow"), "a plain SVG has no labels"
    patch = bpy.data.objects["Nose 2" if options else "My mask"]
    assert materials.color_of(patch.material_slots[0].material).hex == "#00ff00"
    ids = [target["faceparse_id"] for target in portraits.layers_of(collection) if "faceparse_missing" not in target]
    assert list(dict.fromkeys(ids)) == [layer.id for layer in edited.layers], "the order in z is the file's"
    heights = [after[name].location.z for name in dict.fromkeys(ids)]
    assert heights == sorted(heights)


@pytest.mark.parametrize("options", [(), ("--export-plain-svg",)], ids=["inkscape", "plain"])
def test_saved_again_without_an_edit_is_no_change(faces_svg: Path, options: tuple[str, ...]) -> None:
    collection = curves.import_drawing(bpy.context, svg_reader.read_svg(faces_svg), CurveSettings(), "")
    inkscape(faces_svg, "select-clear", *options)
    done = update.update_portrait(collection, svg_reader.read_svg(faces_svg))
    assert (done.added, done.changed, done.missing, done.deleted) == ([], [], [], [])


def test_a_path_moved_to_another_layer(face_svg: Path) -> None:
    """What dragging in Inkscape's Objects panel does: the path's element stands in another layer's group."""
    text = face_svg.read_text("utf-8")
    what = svg_reader.parse_svg(text.encode())
    start = text.rindex("<path", 0, text.index('id="nose-1"'))
    end = text.index("/>", start) + 2
    path = text[start:end]
    moved = text[:start] + text[end:]
    head = moved.index('id="head"')
    close = moved.index("</g>", head)
    face_svg.write_text(moved[:close] + path + moved[close:], "utf-8")
    inkscape(face_svg, "select-clear")
    collection = curves.import_drawing(bpy.context, what, CurveSettings(), "")
    done = update.update_portrait(collection, svg_reader.read_svg(face_svg))
    assert done.missing == ["Nose"]
    heads = [target for target in portraits.layers_of(collection) if target["faceparse_id"] == "head"]
    assert len(heads) == 2, "a nose of another colour lies on the head: a second object, a little higher"
    assert heads[0].location.z < heads[1].location.z < by_id(collection)["lip-lower"].location.z


def test_what_blender_writes_inkscape_reads(face_svg: Path, tmp_path: Path) -> None:
    collection = curves.import_drawing(bpy.context, svg_reader.read_svg(face_svg), CurveSettings(), "")
    by_id(collection)["hair"].hide_set(True)
    written = tmp_path / "written.svg"
    written.write_bytes(svg_writer.write_svg(export.read_portrait(collection)))
    before = svg_reader.read_svg(written)
    after = svg_reader.read_svg(inkscape(written, "select-clear"))
    assert [(one.id, one.label, one.visible) for one in after.layers] == [
        (one.id, one.label, one.id != "hair") for one in before.layers
    ]
    assert after.size == before.size
