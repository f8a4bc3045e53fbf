"""Commands made for a test that stand in for ours, runs of them to their end, and Blender's context as they see it."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import bpy
from conftest import ADDON, DATA
from processes import wait_until

from blender_addon import portraits
from blender_addon.command import Command
from blender_addon.run import PortraitRun

PRELUDE = f"""#!{sys.executable}
import json, os, shutil, sys, time

def say(event, **fields):
    print(json.dumps({{"event": event, **fields}}), flush=True)

def write(source={os.fspath(DATA / "face.svg")!r}):
    shutil.copyfile(source, svg)
    say("written", svg=svg)

photo = sys.argv[-1]
svg = sys.argv[sys.argv.index("-o") + 1] if "-o" in sys.argv else None
"""

Fake = Callable[..., Command]


def stored() -> Any:
    return bpy.context.preferences.addons[ADDON].preferences


def finish(run: PortraitRun, context: Any = None, budget: float = math.inf) -> PortraitRun:
    wait_until(lambda: run.step(context or bpy.context, budget) and run.over, 60)
    return run


def everything() -> set[tuple[str, str]]:
    """What there is in the file: kind and name."""
    kinds = ("collections", "objects", "curves", "materials", "images", "grease_pencils", "node_groups", "meshes")
    return {(kind, item.name) for kind in kinds for item in getattr(bpy.data, kind, ())}


def layer_ids() -> list[str]:
    return [layer["faceparse_id"] for layer in portraits.layers_of(portraits.portrait_of(bpy.context))]


class Window:
    """Blender's context, with a window manager that notes what it is asked."""

    def __init__(self, **other: Any) -> None:
        manager = bpy.context.window_manager
        self.dialogs: list[object] = []
        self.handlers: list[object] = []
        self.window_manager = SimpleNamespace(
            event_timer_add=manager.event_timer_add,
            fileselect_add=self.dialogs.append,
            modal_handler_add=self.handlers.append,
        )
        self.__dict__.update(other)

    def __getattr__(self, name: str) -> Any:
        return getattr(bpy.context, name)
