# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting other programs from within Blender: what they are given, and what is said where that fails. No bpy here."""

from __future__ import annotations

import os
import subprocess

from .files import one_line

WINDOWS = os.name == "nt"

#: For `creationflags`: no console flashes up on Windows.
NO_WINDOW: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)

#: What Blender, or whoever started it, may have set for its own Python, and would lead another one astray.
_OF_OUR_PYTHON = (
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONEXECUTABLE",
    "PYTHONPLATLIBDIR",
    "PYTHONUSERBASE",
    "PYTHONNOUSERSITE",
    "PYTHONSAFEPATH",
    "PYTHONINSPECT",
    "PYTHONOPTIMIZE",
    "PYTHONWARNINGS",
    "__PYVENV_LAUNCHER__",
)


def clean_environment() -> dict[str, str]:
    """The environment for a program with a Python of its own, as faceparse-svg and Inkscape are."""
    return {name: value for name, value in os.environ.items() if name.upper() not in _OF_OUR_PYTHON}


def is_program(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def not_started(path: str, error: Exception) -> str:
    """The beginning of a message: which program, and why it did not start."""
    why = getattr(error, "strerror", None) or error
    return f"{one_line(path)} could not be started: {one_line(str(why))}"
