# SPDX-License-Identifier: GPL-3.0-or-later
"""Flat colours as materials: right in Solid (viewport colour), in Material Preview and in renders (emission).

Blender's colours are linear, a file's are sRGB. An emission of strength 1 comes out as the file's colour exactly under
the view transform `Standard`; Filmic and AgX, Blender's defaults, bend every colour and cannot be undone for all.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any

import bpy
import mathutils

from .drawing import Color
from .portraits import PART

FILL = "faceparse_fill"  #: custom property: the colour as imported, `#rrggbb` and, where not opaque, two digits more
SHARED = "faceparse_shared"  #: "flat" or "lit"
_NODE, _MIX = "Flat color", "Opacity"


def material(
    part: str, label: str, color: Color, shared: bool, lit: bool, like: bpy.types.Material | None = None
) -> bpy.types.Material:
    """A new material; or, where `shared`, the one that portraits share for this part, whatever its colour is.

    like    one that was made with the same choices: a copy takes a quarter of the time
    """
    kind = "lit" if lit else "flat"
    if shared:
        for known in bpy.data.materials:
            if known.get(SHARED) == kind and known.get(PART) == part and known.library is None:
                return known
    if like is not None:
        made = like.copy()
        made.name = label
    else:
        made = bpy.data.materials.new(label)
        _make_nodes(made, lit)
    made[PART] = part
    if shared:
        made[SHARED] = kind
    _paint_new(made, color)
    return made


def paint(target: bpy.types.Material, color: Color) -> None:
    """Give a material of ours this colour, in every place where Blender keeps one."""
    node = _color_node(target)
    if node is not None:
        node.inputs[0].default_value = to_scene(color)
    _keep_color(target, node, color)


def color_of(target: bpy.types.Material) -> Color:
    """The colour that a material shows, as a file writes it: that of what its surface is made of.

    The viewport's where that was changed in Blender and the surface's was not, and where a surface has no plain colour.
    """
    viewport = _from_scene(target.diffuse_color)
    surface = _surface_color(target)
    if surface is None:
        return viewport
    shown = _from_scene((*surface, target.diffuse_color[3]))
    return viewport if written(shown)[:7] == str(target.get(FILL))[:7] else shown


def is_untouched(target: bpy.types.Material | None) -> bool:
    """Whether it is of ours, this portrait's alone, and still in the colour that it was given."""
    return (
        target is not None
        and target.get(FILL) is not None
        and not target.get(SHARED)
        and written(color_of(target)) == target[FILL]
    )


@lru_cache(1024)
def written(color: Color) -> str:
    """`#rrggbb`, or `#rrggbbaa` where it is not opaque."""
    alpha = round(color.alpha * 255)
    return color.hex + (f"{alpha:02x}" if alpha < 255 else "")


def show_exact(scene: bpy.types.Scene) -> bool:
    """Set the scene's view transform to Standard; whether colours are exact then.

    False where the colour configuration (OCIO) has no view of that name, and where something else grades colours.
    """
    view = scene.view_settings
    if not is_exact(scene):
        try:
            view.view_transform = "Standard"
            view.look = "None"
        except TypeError:  # another studio's configuration
            return False
    return is_exact(scene)


def undo_grading(scene: bpy.types.Scene) -> None:
    """Take back what grades colours besides the view transform: exposure, gamma and curves."""
    view = scene.view_settings
    view.exposure, view.gamma, view.use_curve_mapping = 0.0, 1.0, False


def is_exact(scene: bpy.types.Scene) -> bool:
    view = scene.view_settings
    return (
        view.view_transform in ("Standard", "Raw")
        and view.look in ("None", "")
        and (view.exposure, view.gamma, view.use_curve_mapping) == (0.0, 1.0, False)
    )


def to_scene(color: Color) -> tuple[float, float, float, float]:
    """A file's colour as Blender's nodes take it, in the working space of the .blend file; opaque."""
    red, green, blue = mathutils.Color(color[:3]).from_srgb_to_scene_linear()
    return red, green, blue, 1.0


def _from_scene(color: Any) -> Color:
    shown = mathutils.Color(color[:3]).from_scene_linear_to_srgb()
    red, green, blue = (min(max(value, 0.0), 1.0) for value in shown)
    return Color(red, green, blue, min(max(color[3], 0.0), 1.0))


def _paint_new(made: bpy.types.Material, color: Color) -> None:
    """`paint` what was made just now and nothing has seen.

    Who might show it need not be looked for, which takes Blender longer than all else about a material, and the longer
    the more materials there are.
    """
    node = _color_node(made)
    if node is not None:
        node.inputs[0].default_value.foreach_set(to_scene(color))
    _keep_color(made, node, color)


def _keep_color(target: bpy.types.Material, node: bpy.types.Node | None, color: Color) -> None:
    """All that `paint` does but for the shader's colour itself."""
    target[FILL] = written(color)
    target.diffuse_color = (*to_scene(color)[:3], color.alpha)
    if node is not None:
        _set_opacity(target, node, color.alpha)


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


def _set_opacity(target: bpy.types.Material, shader: bpy.types.Node, alpha: float) -> None:
    """Mix with a transparent shader, once it is needed."""
    tree = target.node_tree
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
    """The shader that this module made."""
    return target.node_tree.nodes.get(_NODE) if target.node_tree else None


def _surface_color(target: bpy.types.Material) -> Any:
    """The plain colour of the shader that the material's output shows; None where there is none."""
    node = _color_node(target)
    if node is None and target.node_tree is not None:
        output = target.node_tree.get_output_node("ALL")
        links = output.inputs["Surface"].links if output is not None else ()
        node = links[0].from_node if links else None
    if node is None or node.bl_idname not in ("ShaderNodeEmission", "ShaderNodeBsdfPrincipled"):
        return None
    return None if node.inputs[0].is_linked else node.inputs[0].default_value[:3]
