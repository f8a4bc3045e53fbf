# SPDX-License-Identifier: GPL-3.0-or-later
"""Flat colours as materials: right in Solid (viewport colour), in Material Preview and in renders (emission).

Blender's colours are linear, a file's are sRGB. An emission of strength 1 comes out as the file's colour exactly under
the view transform `Standard`; Filmic and AgX, Blender's defaults, bend every colour and cannot be undone for all.
"""

from __future__ import annotations

import warnings
from typing import Any

import bpy

from .drawing import Color

FILL = "faceparse_fill"  #: custom property: the colour as imported, `#rrggbb` and, where not opaque, two digits more
PART = "faceparse_part"
SHARED = "faceparse_shared"
_NODE, _MIX = "Flat color", "Opacity"


def material(
    part: str, label: str, color: Color, shared: bool, lit: bool, like: bpy.types.Material | None = None
) -> bpy.types.Material:
    """A new material; or, where `shared`, the one that other portraits use for this part, whatever its colour is.

    like    one that was made with the same choices: a copy takes a quarter of the time
    """
    if shared:
        for known in bpy.data.materials:
            if known.get(SHARED) and known.get(PART) == part and known.library is None:
                return known
    if like is not None:
        made = like.copy()
        made.name = label
    else:
        made = bpy.data.materials.new(label)
        _make_nodes(made, lit)
    made[PART] = part
    if shared:
        made[SHARED] = True
    paint(made, color)
    return made


def paint(target: bpy.types.Material, color: Color) -> None:
    """Give a material of ours this colour, in every place where Blender keeps one."""
    target[FILL] = written(color)
    linear = (*(to_linear(value) for value in color[:3]), 1.0)
    target.diffuse_color = (*linear[:3], color.alpha)
    node = _color_node(target)
    if node is not None:
        node.inputs[0].default_value = linear
    _set_opacity(target, color.alpha)


def color_of(target: bpy.types.Material) -> Color:
    """The colour that a material shows, as a file writes it.

    The viewport's where it was changed in Blender and the node's was not; else the node's, where there is one.
    """
    viewport = _from_linear(target.diffuse_color)
    node = _color_node(target)
    if node is None:
        return viewport
    shown = _from_linear((*node.inputs[0].default_value[:3], target.diffuse_color[3]))
    imported = target.get(FILL)
    return viewport if written(shown)[:7] == (imported or "")[:7] else shown


def is_untouched(target: bpy.types.Material | None) -> bool:
    """Whether it is of ours, this portrait's alone, and still in the colour that it was given."""
    return (
        target is not None
        and target.get(FILL) is not None
        and not target.get(SHARED)
        and written(color_of(target)) == target[FILL]
    )


def written(color: Color) -> str:
    """`#rrggbb`, or `#rrggbbaa` where it is not opaque."""
    alpha = round(color.alpha * 255)
    return color.hex + (f"{alpha:02x}" if alpha < 255 else "")


def show_exact(scene: bpy.types.Scene) -> bool:
    """Set the scene's view transform to Standard; whether that was a change."""
    view = scene.view_settings
    if is_exact(scene):
        return False
    view.view_transform = "Standard"
    view.look = "None"
    return True


def is_exact(scene: bpy.types.Scene) -> bool:
    return scene.view_settings.view_transform in ("Standard", "Raw") and scene.view_settings.look == "None"


def to_linear(value: float) -> float:
    """IEC 61966-2-1, sRGB's transfer function undone."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def from_linear(value: float) -> float:
    return value * 12.92 if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055


def _from_linear(color: Any) -> Color:
    red, green, blue = (min(max(from_linear(value), 0.0), 1.0) for value in color[:3])
    return Color(red, green, blue, min(max(color[3], 0.0), 1.0))


def _make_nodes(made: bpy.types.Material, lit: bool) -> None:
    with warnings.catch_warnings():  # from 5.0 on every material has nodes, and asking for them is deprecated
        warnings.simplefilter("ignore", DeprecationWarning)
        if made.node_tree is None:
            made.use_nodes = True
    tree = made.node_tree
    tree.nodes.clear()
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    output.location = (400, 0)
    shader = tree.nodes.new("ShaderNodeBsdfPrincipled" if lit else "ShaderNodeEmission")
    shader.name = shader.label = _NODE
    if lit:
        shader.inputs["Roughness"].default_value = 1.0
        for name in ("Specular", "Specular IOR Level"):  # 3.x, 4.x
            if name in shader.inputs:
                shader.inputs[name].default_value = 0.0
    tree.links.new(shader.outputs[0], output.inputs["Surface"])


def _set_opacity(target: bpy.types.Material, alpha: float) -> None:
    """Mix with a transparent shader, once it is needed."""
    tree, shader = target.node_tree, _color_node(target)
    if tree is None or shader is None:
        return
    mix = tree.nodes.get(_MIX)
    if mix is None:
        if alpha >= 1 or not shader.outputs[0].links:
            return
        mix = tree.nodes.new("ShaderNodeMixShader")
        mix.name, mix.location = _MIX, (200, 0)
        clear = tree.nodes.new("ShaderNodeBsdfTransparent")
        clear.location = (0, 120)
        surface = shader.outputs[0].links[0].to_socket
        tree.links.new(clear.outputs[0], mix.inputs[1])
        tree.links.new(shader.outputs[0], mix.inputs[2])
        tree.links.new(mix.outputs[0], surface)
    mix.inputs[0].default_value = alpha
    if hasattr(target, "surface_render_method"):  # 4.2 and later
        target.surface_render_method = "BLENDED" if alpha < 1 else "DITHERED"
    else:
        target.blend_method = "BLEND" if alpha < 1 else "OPAQUE"


def _color_node(target: bpy.types.Material) -> bpy.types.Node | None:
    return target.node_tree.nodes.get(_NODE) if target.node_tree else None
