"""Installs a zip of the add-on, imports an SVG with it, removes it; prints one JSON line about that.

    blender -b --factory-startup --python install_and_use.py -- ZIP extension|legacy SVG
    python install_and_use.py -- ZIP extension|legacy SVG        where Python has bpy

One process for all of it: reading saved preferences crashes bpy 4.2. No import of the project: only the zip counts.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import bpy

package, how, svg = sys.argv[sys.argv.index("--") + 1 :]
bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
before = set(dir(bpy.ops.faceparse))


def profile() -> set[str]:
    """The files in the user's folder, without bytecode, which is Python's own."""
    files = (path for path in Path(os.environ["BLENDER_USER_RESOURCES"]).rglob("*") if path.is_file())
    return {os.fspath(path) for path in files if path.suffix != ".pyc"}


if how == "extension":
    module = "bl_ext.user_default.faceparse_svg"
    assert bpy.ops.extensions.package_install_files(filepath=package, repo="user_default", enable_on_install=True) == {
        "FINISHED"
    }
else:
    module = "faceparse_svg"
    assert bpy.ops.preferences.addon_install(filepath=package) == {"FINISHED"}
    assert bpy.ops.preferences.addon_enable(module=module) == {"FINISHED"}

assert module in bpy.context.preferences.addons
assert bpy.context.preferences.addons[module].preferences is not None, "its preferences have another name"
assert "blender_addon" not in sys.modules
installed = profile()
assert bpy.ops.faceparse.import_svg(filepath=svg) == {"FINISHED"}
objects = [item for item in bpy.data.objects if item.type == "CURVE"]
written = sorted(profile() - installed)

assert bpy.ops.preferences.addon_disable(module=module) == {"FINISHED"}
print()
print(
    json.dumps(
        {
            "blender": bpy.app.version_string,
            "module": module,
            "file": sys.modules[module].__file__,
            "parts": sorted(str(item.get("faceparse_part", "")) for item in objects),
            "written": written,
            "left": sorted(set(dir(bpy.ops.faceparse)) - before),
        }
    )
)
