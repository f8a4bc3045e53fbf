# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that an SVG is opened in: which one, and its start. No bpy here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from typing import Any

from .child import WINDOWS, clean_environment, is_program, not_started


class EditorError(Exception):
    """No editor can be started. The text is one line for people: what is wrong, and what to do next."""


def open_in_editor(setting: str, svg: str) -> str:
    """Open a file in the editor, which then lives on its own; returns the editor's name. Raises EditorError."""
    svg = os.path.abspath(svg)  # begins with no dash
    words = editor_command(setting, svg)
    try:
        if words is None:
            os.startfile(svg)  # type: ignore[attr-defined]
            return "its program"
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=clean_environment(),
            **_detached(),
        )
    except (OSError, ValueError) as error:
        what = not_started(words[0] if words else svg, error)
        raise EditorError(f"{what}. Choose an editor in the add-on's preferences") from error
    threading.Thread(target=process.wait, name="editor", daemon=True).start()  # no zombie is left when it ends
    return os.path.basename(words[-2].rstrip("/"))  # also behind `open -a`


def editor_command(setting: str, svg: str, platform: str = sys.platform) -> list[str] | None:
    """The words that open a file in the program `setting` names; None: os.startfile does (Windows, no setting).

    Without a setting it is Inkscape where that is found, else whatever the system opens an SVG with.
    """
    setting = os.path.expanduser(setting.strip())
    if platform == "darwin" and setting.rstrip("/").endswith(".app"):
        return ["open", "-a", setting, svg]
    editor = setting or _inkscape(platform)
    if editor:
        return [editor, svg]
    if platform == "win32":
        return None
    return ["open" if platform == "darwin" else "xdg-open", svg]


def _inkscape(platform: str) -> str | None:
    """Its path: on PATH, or where its installer puts it."""
    found = shutil.which("inkscape")
    if found:
        return found
    if platform == "darwin":
        usual = "/Applications/Inkscape.app/Contents/MacOS/inkscape"
    elif platform == "win32":
        usual = os.path.join(os.environ.get("PROGRAMFILES", "C:\\"), "Inkscape", "bin", "inkscape.exe")
    else:
        return None
    return usual if is_program(usual) else None


def _detached() -> dict[str, Any]:
    """For Popen: Blender's end is not the editor's."""
    if WINDOWS:
        return {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined]
    return {"start_new_session": True}
