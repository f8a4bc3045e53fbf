# SPDX-License-Identifier: GPL-3.0-or-later
"""The options, each defined once: the preferences hold everybody's defaults, the operators have them for one run.

No `from __future__ import annotations` here: the annotations are the properties, and Blender reads them.
"""

import dataclasses
import os
from types import SimpleNamespace

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from . import grease_pencil
from .command import OWN, PARTS, CommandError, Request
from .settings import CurveSettings


class CommandOptions:
    """How the photo is turned into an SVG: the program's options."""

    parts: EnumProperty(
        name="Parts",
        description="Which parts of the portrait get a layer",
        items=(
            # numbered, for files keep the number: the others' are older than `face`
            ("face", "Face", "The head, and what lies on it", "NONE", 4),
            ("contour", "Contour", "Ears, head, hair, beard and hat", "NONE", 0),
            ("portrait", "Portrait", "Contour, eyes, brows, nose, mouth, glasses and earrings", "NONE", 1),
            ("all", "All", "Portrait, and neck, necklace, cloth, and hair that falls behind them", "NONE", 2),
            ("custom", "Custom", "Those chosen below", "NONE", 3),
        ),
        default="portrait",
    )
    custom_parts: EnumProperty(
        name="Custom parts",
        description="The parts that get a layer, where Parts is Custom. Left and right are the portrayed person's own",
        items=(
            *((part, label, f"A layer for: {label.lower()}") for part, label in reversed(PARTS)),
            (*OWN, "A layer for each part that the model knows and no other, as the file beside it names them"),
        ),
        options={"ENUM_FLAG"},
        default={"head", "hair"},
    )
    joins: EnumProperty(
        name="Joins",
        description="How layers meet",
        items=(
            ("underlap", "Underlap", "Lower layers reach a little beneath upper ones, so that no seam shows"),
            ("stacked", "Stacked", "Lower layers lie full beneath upper ones: move a layer, and there is skin below"),
            ("cutout", "Cutout", "Layers abut exactly"),
        ),
        default="underlap",
    )
    style: EnumProperty(
        name="Style",
        description="How the portrait is drawn",
        items=(
            ("flat", "Flat", "A shape of one colour for each part"),
            ("outline", "Outline", "Every border once as a line, and no shapes"),
            ("flat+outline", "Flat and outline", "Lines above the shapes"),
            ("cel", "Cel", "Light and shadow of the photo as a few shapes upon each part"),
            ("cel+outline", "Cel and outline", "Lines above light and shadow"),
        ),
        default="flat",
    )
    heads: EnumProperty(
        name="Heads",
        description="Which heads are drawn where the photo shows several; each becomes a collection of its own",
        items=(
            ("largest", "Largest", "The largest head alone"),
            ("all", "All", "Every head that is found"),
            ("number", "Number", "The largest ones, as many as said below"),
        ),
        default="largest",
    )
    head_count: IntProperty(
        name="Number of heads",
        description="How many heads are drawn at most, the largest first, where Heads is Number",
        default=2,
        min=1,
        soft_max=20,
    )
    background: BoolProperty(
        name="Background",
        description="A locked layer that fills the frame, in the colour of the photo's background",
        default=False,
    )
    keep_svg: BoolProperty(
        name="Keep the SVG",
        description="Keep the SVG beside the photo, to edit it and update from it; no file is ever overwritten",
        default=True,
    )
    model: StringProperty(
        name="Model",
        description="Another parser: a path to an .onnx file. Empty: the one that comes with faceparse-svg",
        subtype="FILE_PATH",
        default="",
    )


class CurveOptions:
    """How an SVG becomes curves: the fields of `settings.CurveSettings`, by name."""

    height: FloatProperty(
        name="Height",
        description="The height of the picture",
        default=1.0,
        min=1e-4,
        soft_max=100.0,
        subtype="DISTANCE",
        unit="LENGTH",
    )
    true_size: BoolProperty(
        name="True size",
        description="As large as the SVG says, at 96 pixels an inch, instead of Height",
        default=False,
    )
    step: FloatProperty(
        name="Z step",
        description="The distance from one layer to the next above it",
        default=0.01,
        soft_min=0.0,
        soft_max=1.0,
        step=0.1,
        precision=4,
        subtype="DISTANCE",
        unit="LENGTH",
    )
    share_materials: BoolProperty(
        name="Share materials",
        description="One material for all hair, one for all skin: those that portraits with this option have already",
        default=False,
    )
    exact_colors: BoolProperty(
        name="Exact colours",
        description="Set the scene's view transform to Standard, so that colours look as they do in the SVG",
        default=True,
    )
    lit: BoolProperty(
        name="Lit",
        description="Materials that take light and shadow; otherwise the colours are flat, as in the SVG",
        default=False,
    )
    photo_behind: BoolProperty(
        name="Photo behind",
        description="The photo as an image empty behind the layers",
        default=False,
    )
    extrude: FloatProperty(
        name="Extrude",
        description="How far each layer is extruded, to both sides",
        default=0.0,
        min=0.0,
        soft_max=1.0,
        step=0.1,
        precision=4,
        subtype="DISTANCE",
        unit="LENGTH",
    )
    bevel: FloatProperty(
        name="Bevel",
        description="The bevel's depth of each layer; its outline grows by as much",
        default=0.0,
        min=0.0,
        soft_max=1.0,
        step=0.1,
        precision=4,
        subtype="DISTANCE",
        unit="LENGTH",
    )
    as_grease_pencil: BoolProperty(
        name="Grease Pencil",
        description="One Grease Pencil object with a layer for each part, instead of curves",
        default=False,
    )


def names(*groups: type) -> tuple[str, ...]:
    """The options that classes define."""
    return tuple(name for group in groups for name in group.__annotations__)


def defaults() -> SimpleNamespace:
    """Every option as it is where nobody chose."""
    return SimpleNamespace(
        **{
            name: definition.keywords["default"]
            for group in (CommandOptions, CurveOptions)
            for name, definition in group.__annotations__.items()
        }
    )


def take(target: bpy.types.Operator, source: object) -> None:
    """Give an operator the options of the preferences, but those that whoever called it has set."""
    for name in names(CommandOptions, CurveOptions):
        if hasattr(target, name) and not target.properties.is_property_set(name):
            setattr(target, name, getattr(source, name))


def curve_settings(owner: object) -> CurveSettings:
    return CurveSettings(**{field.name: getattr(owner, field.name) for field in dataclasses.fields(CurveSettings)})


def request(owner: object) -> Request:
    """What the program is asked. Raises CommandError where no part is chosen."""
    parts = owner.parts
    if parts == "custom":
        parts = ",".join(part for part, _ in (*PARTS, OWN) if part in owner.custom_parts)
        if not parts:
            raise CommandError("No part is chosen. Choose some under Custom parts, or another set")
    model = owner.model.strip()
    if model.startswith(("//", "~")) or os.sep in model:
        model = os.path.expanduser(bpy.path.abspath(model))
    return Request(
        parts=parts,
        joins=owner.joins,
        style=owner.style,
        background=owner.background,
        model=model,
        heads=str(owner.head_count) if owner.heads == "number" else owner.heads,
    )


def draw_command(layout: bpy.types.UILayout, owner: object, *, in_file_dialog: bool = False) -> None:
    column = layout.column()
    column.prop(owner, "parts")
    if owner.parts == "custom":
        column.column(align=True).prop(owner, "custom_parts")
    column.prop(owner, "heads")
    if owner.heads == "number":
        column.prop(owner, "head_count")
    column.prop(owner, "style")
    column.prop(owner, "joins")
    column.prop(owner, "background")
    column.prop(owner, "keep_svg")
    if not in_file_dialog:  # which cannot open another
        column.prop(owner, "model")


def draw_curves(layout: bpy.types.UILayout, owner: object) -> None:
    column = layout.column()
    column.prop(owner, "true_size")
    row = column.row()
    row.active = not owner.true_size
    row.prop(owner, "height")
    column.prop(owner, "step")
    column.separator()
    column.prop(owner, "exact_colors")
    column.prop(owner, "share_materials")
    column.prop(owner, "lit")
    column.prop(owner, "photo_behind")
    column.separator()
    rows = column.column()
    rows.active = not owner.as_grease_pencil
    rows.prop(owner, "extrude")
    rows.prop(owner, "bevel")
    if grease_pencil.AVAILABLE:
        column.prop(owner, "as_grease_pencil")
