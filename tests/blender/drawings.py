"""Drawings made by hand, and the portraits that they become."""

from __future__ import annotations

from collections.abc import Sequence

import bpy

from blender_addon import curves, portraits
from blender_addon.drawing import Color, Drawing, Layer, Ring, Shape
from blender_addon.pen import rectangle
from blender_addon.settings import CurveSettings

RED, BLUE = Color(204 / 255, 51 / 255, 26 / 255), Color(26 / 255, 77 / 255, 230 / 255)


def square(x: float, y: float, side: float) -> tuple[Ring, ...]:
    return rectangle(complex(x, y), side, side, 0, 0)


def drawing(*layers: Layer, size: tuple[float, float] = (100.0, 100.0)) -> Drawing:
    return Drawing("Test", size, layers)


def layer(name: str, *shapes: Shape, **facts: object) -> Layer:
    return Layer(name, facts.pop("label", name.capitalize()), shapes, **facts)  # type: ignore[arg-type]


def shape(name: str, rings: Sequence[Ring], fill: Color | None = RED, **facts: object) -> Shape:
    return Shape(name, tuple(rings), fill, **facts)  # type: ignore[arg-type]


def bring(what: Drawing, source: str = "", **settings: object) -> bpy.types.Collection:
    return curves.import_drawing(bpy.context, what, CurveSettings(**settings), source)  # type: ignore[arg-type]


def object_of(collection: bpy.types.Collection, name: str) -> bpy.types.Object:
    (found,) = [target for target in portraits.layers_of(collection) if target["faceparse_id"] == name]
    return found
