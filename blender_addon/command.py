# SPDX-License-Identifier: GPL-3.0-or-later
"""The program faceparse-svg: where it is, what it knows, what it is asked. No bpy here; its run is job.py's."""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .child import NO_WINDOW, WINDOWS, clean_environment, is_program, not_started
from .files import one_line

PROGRAM = "faceparse-svg"
_FILE_NAME = f"{PROGRAM}.exe" if WINDOWS else PROGRAM
_PYTHON = re.compile(r"python[\d.]*w?(\.exe)?$", re.IGNORECASE)

#: What the program reads.
PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif")

#: (id, label) of the layers it can draw, bottom to top.
PARTS = (
    ("hair-back", "Hair back"),
    ("cloth", "Cloth"),
    ("neck", "Neck"),
    ("necklace", "Necklace"),
    ("ear-left", "Ear left"),
    ("ear-right", "Ear right"),
    ("earring", "Earring"),
    ("head", "Head"),
    ("beard", "Beard"),
    ("nose", "Nose"),
    ("mouth", "Mouth"),
    ("lip-lower", "Lip lower"),
    ("lip-upper", "Lip upper"),
    ("eye-left", "Eye left"),
    ("eye-right", "Eye right"),
    ("brow-left", "Brow left"),
    ("brow-right", "Brow right"),
    ("glasses", "Glasses"),
    ("hair", "Hair"),
    ("hat", "Hat"),
)

#: The word for the parts that a model has of its own, and knows by name.
OWN = ("own", "Own parts of the model")


class CommandError(Exception):
    """The program is missing or failed. The text is one line for people: what is wrong, and what to do next."""


# Where it is


@dataclass(frozen=True)
class Command:
    """The program, found."""

    path: str


def find_command(setting: str = "", environ: Mapping[str, str] | None = None) -> Command:
    """The program that `setting` names: itself, an environment's folder (or its Python), or, empty, wherever it is.

    Raises CommandError.
    """
    setting = os.path.expanduser(setting.strip())
    name = one_line(setting)
    if not setting:
        places = _usual_places(os.environ if environ is None else environ)
        missing = f"The program {PROGRAM} was not found. Install it, or say in the add-on's preferences where it is"
    elif os.path.isdir(setting):
        places = _in_environment(setting)
        missing = f"{name}: no {PROGRAM} in this folder. Choose the environment that it is installed in"
    elif not os.path.exists(setting):
        raise CommandError(f"{name}: no such file or folder. Correct it in the add-on's preferences")
    elif _PYTHON.match(os.path.basename(setting)):
        places = _in_environment(os.path.dirname(setting))
        missing = f"{name}: this Python has no {PROGRAM}. Install it there, or choose another"
    else:
        places = iter([os.path.abspath(setting)])
        missing = f"{name} is no program. Choose {PROGRAM}, or the folder of its environment"
    found = next(filter(is_program, places), None)
    if found is None:
        raise CommandError(missing)
    return Command(found)


def _usual_places(environ: Mapping[str, str]) -> Iterator[str]:
    """PATH first. A program that was started from a desktop often has a shorter one than a terminal."""
    found = shutil.which(PROGRAM, path=environ.get("PATH", ""))
    if found:
        yield os.path.abspath(found)
    home = os.path.expanduser("~")
    if WINDOWS:
        roots = [os.path.join(home, ".local", "bin")]
        for variable, *below in (("APPDATA", "Python"), ("LOCALAPPDATA", "Programs", "Python")):
            if environ.get(variable):
                roots += sorted(glob.glob(os.path.join(environ[variable], *below, "Python*", "Scripts")), reverse=True)
    else:
        roots = [os.path.join(home, ".local", "bin"), "/opt/homebrew/bin", "/usr/local/bin"]
        roots += sorted(glob.glob(os.path.join(home, "Library", "Python", "3.*", "bin")), reverse=True)
    for root in roots:
        yield os.path.join(root, _FILE_NAME)


def _in_environment(folder: str) -> Iterator[str]:
    for below in ("Scripts", "bin", ""):
        yield os.path.abspath(os.path.join(folder, below, _FILE_NAME))


def version(command: Command, timeout: float = 10.0) -> str:
    """The program's version, as `0.1.0`; it takes a moment. Raises CommandError."""
    try:
        done = subprocess.run(
            [command.path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            env=environment(),
            creationflags=NO_WINDOW,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"{one_line(command.path)} did not answer within {timeout:g} s") from error
    except OSError as error:
        raise could_not_start(command, error) from error
    said = done.stdout.decode("utf-8", "replace")
    match = re.match(rf"{PROGRAM} (\S+)\s*$", said)
    if done.returncode == 0 and match:
        return match[1]
    lines = [line for line in (done.stderr.decode("utf-8", "replace") + said).splitlines() if line.strip()]
    what = f": {one_line(lines[-1])}" if lines else ""
    raise CommandError(f"{one_line(command.path)} does not answer as {PROGRAM} does{what}")


def environment() -> dict[str, str]:
    """What it is started with: what it prints comes at once, in UTF-8, and it downloads nothing.

    From inside Blender nothing is downloaded: a person does that in a terminal.
    """
    ours = {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8:backslashreplace"}
    return clean_environment() | ours | {"FACEPARSE_OFFLINE": "1"}


def could_not_start(command: Command, error: Exception) -> CommandError:
    return CommandError(f"{not_started(command.path, error)}. Choose another in the preferences")


# What it is asked


@dataclass(frozen=True)
class Request:
    """What shall be drawn; the program's own defaults where nothing is said."""

    parts: str = "portrait"  #: a preset, or ids with commas between
    joins: str = "underlap"  #: underlap, stacked, cutout
    style: str = "flat"  #: flat, outline, flat+outline, cel, cel+outline
    background: bool = False
    model: str = ""  #: a path, or a name that the program knows
    heads: str = "largest"  #: largest, all, or how many of the largest

    def arguments(self) -> list[str]:
        # One word each: a model that begins with a dash is still the option's value.
        words = [f"--parts={self.parts}", f"--joins={self.joins}", f"--style={self.style}"]
        if self.background:
            words.append("--background")
        if self.heads != "largest":
            words.append(f"--heads={self.heads}")
        if self.model:
            words.append(f"--model={self.model}")
        return words
