# SPDX-License-Identifier: GPL-3.0-or-later
"""When a button can be pressed: for operators' `poll`. Where it cannot, its tooltip says why."""

import bpy
from bpy.types import Operator

from . import portraits


def allowed(cls: type[Operator], fine: bool, why_not: str) -> bool:
    """`fine`; where it is not, the tooltip says why."""
    if not fine:
        cls.poll_message_set(why_not)
    return fine


def object_mode(cls: type[Operator], context: bpy.types.Context) -> bool:
    """Outside of Object Mode a new object is no undo step of its own."""
    return allowed(cls, context.mode == "OBJECT", "Go to Object Mode first")


def portrait(cls: type[Operator], context: bpy.types.Context) -> bool:
    """Whether one is meant."""
    meant = portraits.portrait_of(context) is not None
    return allowed(cls, meant, "Select a layer of a portrait, or make its collection the active one")


def editable(cls: type[Operator], context: bpy.types.Context) -> bool:
    """Whether one is meant whose layers can be changed now."""
    if not (object_mode(cls, context) and portrait(cls, context)):
        return False
    collection = portraits.portrait_of(context)
    emptied = "This portrait has no curves, it is Grease Pencil or was emptied: import its SVG again"
    linked = "This portrait is linked from another file: change it there"
    return allowed(cls, portraits.has_layers(collection), emptied) and allowed(
        cls, portraits.is_editable(collection), linked
    )


def over_3d_view(context: bpy.types.Context) -> bool:
    """Where a file may be dropped, and where there is a view to turn."""
    return context.space_data is not None and context.space_data.type == "VIEW_3D"
