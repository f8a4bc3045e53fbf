# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators say of a file, as Blender's reports: each is one line."""

import traceback
from collections.abc import Iterable

import bpy
from bpy.types import Operator

from . import materials, portraits
from .files import NOT_TEXT, is_text, one_line
from .options import CurveOptions


def warn(operator: Operator, name: str, notes: Iterable[str]) -> None:
    for note in notes:
        operator.report({"WARNING"}, f"{name}: {one_line(note)}")


def refused_name(operator: Operator, path: str) -> bool:
    """Whether Blender's data cannot hold this path; then it has been said."""
    if is_text(path):
        return False
    operator.report({"ERROR"}, f"{one_line(path)}: {NOT_TEXT}")
    return True


def bug(error: Exception) -> str:
    """What is said of an error that nobody expected; where it happened is printed."""
    traceback.print_exception(error)
    return f"{type(error).__name__}: {one_line(str(error))} (a bug; the system console shows where)"


def counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def lacking(chosen: CurveOptions, context: bpy.types.Context, collection: bpy.types.Collection) -> list[str]:
    """What was chosen and could not be done."""
    said = []
    if chosen.exact_colors and not materials.is_exact(context.scene):
        said.append("something in the scene's colour management grades the colours (Show exact colours takes it back)")
    if chosen.photo_behind and not any(target.get(portraits.PART) == "photo" for target in collection.objects):
        said.append("the SVG refers to no photo that is there, so none lies behind")
    return said
