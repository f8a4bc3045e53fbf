# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be chosen about the curves; `options` shows it. No bpy here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CurveSettings:
    """How a drawing stands in Blender. Lengths in Blender units."""

    height: float = 1.0  #: of the whole drawing
    true_size: bool = False  #: 96 px to the inch instead of `height`
    step: float = 0.01  #: in z, from layer to layer
    share_materials: bool = False  #: one material a part for all portraits, instead of a portrait's own colours
    exact_colors: bool = True  #: set the scene's view transform to Standard: others bend every colour
    photo_behind: bool = False  #: the photo as an image empty beneath the lowest layer
    extrude: float = 0.0
    bevel: float = 0.0
    lit: bool = False  #: materials that light falls on, instead of flat ones
    as_grease_pencil: bool = False  #: one Grease Pencil object instead of curves (version 3: Blender 4.3 and later)
