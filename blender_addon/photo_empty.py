# SPDX-License-Identifier: GPL-3.0-or-later
"""The photo behind a portrait, as an image empty."""

from __future__ import annotations

import math
import os
import re
from urllib.parse import unquote

import bpy

from . import portraits
from .exif import orientation
from .portraits import PART, SIZE


def put_behind(collection: bpy.types.Collection, path: str | None, step: float) -> None:
    """The photo a step beneath all layers, as it lies in the drawing; nothing where no such file is there.

    It is turned as its camera says, which Blender does not do.
    """
    if not path or not os.path.isfile(path):
        return
    image = bpy.data.images.load(path, check_existing=True)
    empty = bpy.data.objects.new("Photo", None)
    empty.empty_display_type = "IMAGE"
    empty.data = image
    height, width = collection[SIZE]
    empty.empty_display_size = max(height, width) * portraits.frame_of(collection).unit
    empty.empty_image_offset = (-0.5, -0.5)
    turned, mirrored = orientation(path)
    empty.rotation_euler.z = math.radians(-turned)
    if mirrored:
        empty.scale.x = -1.0
    empty.location.z = -step
    empty.hide_select = True
    empty.hide_render = True
    empty[PART] = "photo"
    collection.objects.link(empty)


def linked_photo(href: str | None, source: str) -> str | None:
    """The path that a drawing's photo layer links to, seen from its file; None for none, and for an embedded one."""
    if not href or not source or href.startswith("data:"):
        return None
    path = unquote(href.removeprefix("file://"))
    if re.match(r"/[A-Za-z]:", path):  # file:///C:/..
        path = path[1:]
    return os.path.normpath(os.path.join(os.path.dirname(bpy.path.abspath(source)), path))
