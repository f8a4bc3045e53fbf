# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and files: where an SVG goes, writing it whole or not at all, and saying its name. No bpy here."""

from __future__ import annotations

import os
import stat
import tempfile


def free_path(photo: str, folder: str) -> str:
    """Where a photo's SVG goes in a folder: NAME.svg, or NAME-2.svg, NAME-3.svg .. where that is taken."""
    name = os.path.splitext(os.path.basename(photo))[0]
    path, number = os.path.join(folder, f"{name}.svg"), 1
    while os.path.lexists(path):
        number += 1
        path = os.path.join(folder, f"{name}-{number}.svg")
    return path


def can_write(folder: str) -> bool:
    """Whether a file can be made in a folder: tried, as permissions alone do not say (network drives, Windows)."""
    try:
        handle, path = tempfile.mkstemp(prefix=".faceparse-", suffix=".tmp", dir=folder)
    except OSError:
        return False
    os.close(handle)
    os.unlink(path)
    return True


def write_whole(path: str, data: bytes) -> None:
    """Write a file so that, whatever happens, it is the old one or the new one. Raises OSError."""
    target = os.path.realpath(path)  # a link stays a link
    handle, temporary = tempfile.mkstemp(prefix=".faceparse-", suffix=".tmp", dir=os.path.dirname(target))
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _mode(target))  # mkstemp's file is the owner's alone
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def one_line(text: str) -> str:
    """Text as a report of Blender can show it: on one line, whatever a file's name holds."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


#: What is said of a path of which that is not so, behind its name.
NOT_TEXT = "a name that is not UTF-8, which Blender cannot hold. Rename the file"


def is_text(path: str) -> bool:
    """Whether Blender's data can hold a path: on Linux a file's name may be any bytes, not UTF-8 alone."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _mode(path: str) -> int:
    """The permissions of the file that is there, else those of any new file."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        return 0o666 & ~umask
