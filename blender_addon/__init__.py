# SPDX-License-Identifier: GPL-3.0-or-later
"""FaceParse SVG: a portrait photo, or a layered SVG, becomes curves on layers.

    photo -> job.py (the program faceparse-svg) -> SVG -> svg_reader.py -> Drawing -> curves.py -> Blender's data
                                                   SVG <- svg_writer.py <- Drawing <- export.py <-

Files without bpy, each of which says so at its top, can be used without Blender: bpy is imported when the add-on is
registered, not when it is imported.
"""

import sys

bl_info = {
    "name": "FaceParse SVG",
    "author": "The faceparse-svg authors",
    "version": (0, 1, 0),
    "blender": (3, 4, 0),
    "location": "3D View > Sidebar > FaceParse, File > Import and Export",
    "description": "Portrait photos and layered SVGs become curves on layers",
    "category": "Import-Export",
}

if "__time__" in globals():
    # Blender left this mark when it loaded the add-on, so this is another version, installed over it: Blender runs
    # this file again, but not the modules beside it. Forget them.
    for _name in [name for name in sys.modules if name.startswith(f"{__name__}.")]:
        del sys.modules[_name]
        globals().pop(_name.rpartition(".")[2], None)


def _modules() -> list:
    """Those that register something, in this order."""
    from . import panel, photo_operators, portraits, preferences, svg_operators, view_operators

    return [portraits, preferences, photo_operators, svg_operators, view_operators, panel]


def register() -> None:
    done = []
    try:
        for module in _modules():
            module.register()
            done.append(module)
    except BaseException:  # half an add-on cannot be unregistered by the user
        for module in reversed(done):
            module.unregister()
        raise


def unregister() -> None:
    for module in reversed(_modules()):
        module.unregister()
