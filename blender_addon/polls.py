# SPDX-License-Identifier: GPL-3.0-or-later
"""When a button can be pressed: for operators' `poll`. Where it cannot, its tooltip says why."""

import bpy
from bpy.types import Operator

from . import portraits


def object_mode(cls: type[Operator], context: bpy.types.Context) -> bool:
    """Outside of Object Mode a new object is no undo step of its own."""
    if context.mode != "OBJECT":
        cls.poll_message_set("Go to Object Mode first")
        return False
    return True


def portrait(cls: type[Operator], context: bpy.types.Context) -> bool:
    """Whether one is meant."""
    if portraits.portrait_of(context) is None:
        cls.poll_message_set("Select a layer of a portrait, or make its collection the active one")
        return False
    return True


def editable(cls: type[Operator], context: bpy.types.Context) -> bool:
    """Whether one is meant whose layers can be changed now."""
    if not (object_mode(cls, context) and portrait(cls, context)):
        return False
    collection = portraits.portrait_of(context)
    if not portraits.has_layers(collection):
        cls.poll_message_set("This portrait has no curves, it is Grease Pencil or was emptied: import its SVG again")
        return False
    if not portraits.is_editable(collection):
        cls.poll_message_set("This portrait is linked from another file: change it there")
        return False
    return True


def over_3d_view(context: bpy.types.Context) -> bool:
    """Where a file may be dropped, and where there is a view to turn."""
    return context.space_data is not None and context.space_data.type == "VIEW_3D"
