# SPDX-License-Identifier: GPL-3.0-or-later
"""The program faceparse-svg: where it is, and one photo at a time turned by it in a process of its own. No bpy here.

The program tells what it does as JSON lines (`--json`); threads read them, so that nobody who asks ever waits.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from .files import one_line

PROGRAM = "faceparse-svg"
WINDOWS = os.name == "nt"

#: What the program reads.
PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")

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

#: What the program is about to do after it said this, and how much of its time has passed: measured on 4 megapixels.
STEPS = {
    "": ("Starting", 0.0),
    "start": ("Loading the networks", 0.07),
    "photo": ("Reading the photo", 0.4),
    "read": ("Reading the photo", 0.41),
    "parse": ("Finding the parts", 0.5),
    "trace": ("Tracing the borders", 0.87),
    "write": ("Writing the SVG", 0.93),
    "written": ("Written", 1.0),
}

_LINE_LIMIT = 1 << 20  # bytes; a "line" longer than this is none of ours
_KEEP_LINES = 20  # of what is no event: the last ones say what went wrong
_GRACE = 2.0  # s from asking the program to end until it is ended


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
    environ = os.environ if environ is None else environ
    setting = os.path.expanduser(setting.strip())
    if not setting:
        for path in _usual_places(environ):
            if _is_program(path):
                return Command(path)
        raise CommandError(
            f"The program {PROGRAM} was not found. Install it, or say in the add-on's preferences where it is"
        )
    if os.path.isdir(setting):
        for path in _in_environment(setting):
            if _is_program(path):
                return Command(path)
        raise CommandError(
            f"{one_line(setting)}: no {PROGRAM} in this folder. Choose the environment that it is installed in"
        )
    if not os.path.exists(setting):
        raise CommandError(f"{one_line(setting)}: no such file or folder. Correct it in the add-on's preferences")
    if re.match(r"python[\d.]*w?(\.exe)?$", os.path.basename(setting), re.IGNORECASE):
        for path in _in_environment(os.path.dirname(setting)):
            if _is_program(path):
                return Command(path)
        raise CommandError(f"{one_line(setting)}: this Python has no {PROGRAM}. Install it there, or choose another")
    if not _is_program(setting):
        raise CommandError(f"{one_line(setting)} is no program. Choose {PROGRAM}, or the folder of its environment")
    return Command(os.path.abspath(setting))


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


_FILE_NAME = f"{PROGRAM}.exe" if WINDOWS else PROGRAM


def _is_program(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def version(command: Command, timeout: float = 10.0) -> str:
    """The program's version, as `0.1.0`; it takes a moment. Raises CommandError."""
    try:
        done = subprocess.run(
            [command.path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            env=clean_environment(),
            creationflags=_NO_WINDOW,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"{one_line(command.path)} did not answer within {timeout:g} s") from error
    except OSError as error:
        raise CommandError(_could_not_start(command, error)) from error
    said = done.stdout.decode("utf-8", "replace")
    match = re.match(rf"{PROGRAM} (\S+)\s*$", said)
    if done.returncode == 0 and match:
        return match[1]
    lines = [line for line in (done.stderr.decode("utf-8", "replace") + said).splitlines() if line.strip()]
    what = f": {one_line(lines[-1])}" if lines else ""
    raise CommandError(f"{one_line(command.path)} does not answer as {PROGRAM} does{what}")


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


# Its run


@dataclass
class Job:
    """One photo's run of the program. Start it, ask `poll` now and then, `cancel` it or wait until it is not `running`.

    None of these waits for the program; it is reaped whatever happens. After the run either `error` says in one line
    what went wrong, or the SVG is written; `notes` are lines for people.
    """

    command: Command
    photo: str  #: an existing file
    svg: str  #: to be written; the program refuses to overwrite
    request: Request = field(default_factory=Request)

    running: bool = field(default=False, init=False)
    cancelled: bool = field(default=False, init=False)
    step: str = field(default="", init=False)  #: a key of STEPS
    written: bool = field(default=False, init=False)
    notes: list[str] = field(default_factory=list, init=False)
    error: str | None = field(default=None, init=False)

    def start(self) -> Job:
        """Raises CommandError where the program cannot be started."""
        # Absolute paths: none of them begins with a dash.
        words = [self.command.path, *self.request.arguments(), "--json"]
        words += ["-o", os.path.abspath(self.svg), os.path.abspath(self.photo)]
        try:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=clean_environment(),
                creationflags=_NO_WINDOW,
                start_new_session=not WINDOWS,  # a group of its own: what it starts itself ends with it
            )
        except (OSError, ValueError) as error:
            raise CommandError(_could_not_start(self.command, error)) from error
        # Bounded: a program that is not ours may say anything, and much of it.
        self._events: deque[dict[str, Any]] = deque(maxlen=1000)
        self._lines: dict[str, deque[str]] = {name: deque(maxlen=_KEEP_LINES) for name in ("stdout", "stderr")}
        self._threads = [
            threading.Thread(target=self._read, args=(name,), name=f"{PROGRAM} {name}", daemon=True)
            for name in ("stdout", "stderr")
        ]
        self._ended_at: float | None = None
        self.running = True
        for thread in self._threads:
            thread.start()
        return self

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def fraction(self) -> float:
        """How much of the work is done, 0 to 1."""
        return STEPS[self.step][1]

    @property
    def doing(self) -> str:
        """What it does at the moment, for people."""
        return STEPS[self.step][0]

    def poll(self) -> bool:
        """Take in what the program said since; whether it still runs. Never waits."""
        if not self.running:
            return False
        ended = self._process.poll() is not None
        if ended and self._ended_at is None:
            self._ended_at = time.monotonic()
        # What it said last may still be on its way, or be held back by a process that it left behind.
        silent = not any(thread.is_alive() for thread in self._threads)
        for _ in range(len(self._events)):
            self._take(self._events.popleft())
        if ended and (silent or time.monotonic() - (self._ended_at or 0.0) > 1.0):
            self.running = False
            self._judge(self._process.returncode)
        return self.running

    def cancel(self) -> None:
        """End the program: it is asked to, so that it can tidy up, and made to after a moment. Does not wait."""
        self.cancelled = True
        self.running = False
        if self._process.poll() is None:
            self._signal(force=False)
            threading.Thread(target=self._reap, args=(_GRACE,), name=f"{PROGRAM} end", daemon=True).start()

    def end(self, grace: float = 0.5) -> None:
        """`cancel`, and wait until it is gone: for the moment when Blender itself leaves. Takes `grace` at most."""
        self.cancelled = True
        self.running = False
        if self._process.poll() is None:
            self._signal(force=False)
            self._reap(grace)

    @property
    def alive(self) -> bool:
        """Whether the process is there still: it may take a moment to end after `cancel`."""
        return self._process.poll() is None

    def _reap(self, grace: float) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(grace)
            return
        self._signal(force=True)
        with contextlib.suppress(subprocess.TimeoutExpired):  # the system may hold it back: a drive that went away
            self._process.wait(60 if threading.current_thread() is not threading.main_thread() else grace)

    def _signal(self, *, force: bool) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it ended by itself just now
            if not WINDOWS:
                os.killpg(self._process.pid, signal.SIGKILL if force else signal.SIGTERM)
            else:
                self._process.kill()

    def _read(self, name: str) -> None:
        """One of the program's two streams, in a thread, to its end."""
        stream: IO[bytes] = getattr(self._process, name)
        with contextlib.suppress(OSError, ValueError), stream:
            while line := stream.readline(_LINE_LIMIT):
                text = line.decode("utf-8", "replace").strip()
                event = _event(text) if name == "stdout" else None
                if event is not None:
                    self._events.append(event)
                elif text:
                    self._lines[name].append(text[:1000])

    def _take(self, event: Mapping[str, Any]) -> None:
        kind = event["event"]
        step = event.get("step") if kind == "step" else kind
        # A string first: what stands in the JSON may be of any type.
        if isinstance(step, str) and step in STEPS and STEPS[step][1] > self.fraction:
            self.step = step
        if kind == "written":
            self.written = True
        elif kind == "note":
            self.notes.append(one_line(str(event.get("message", ""))))
        elif kind == "error" and self.error is None:
            self.error = one_line(str(event.get("message", ""))) or f"{PROGRAM} failed and did not say why"

    def _judge(self, status: int) -> None:
        """How it ended."""
        if self.error is not None or (status == 0 and self.written and os.path.isfile(self.svg)):
            return
        said = [*self._lines["stdout"], *self._lines["stderr"]]
        last = one_line(said[-1]).removeprefix(f"{PROGRAM}: ") if said else ""
        program = one_line(os.path.basename(self.command.path))
        if status == 0:
            self.error = f"{program} ended without an SVG; choose {PROGRAM} in the add-on's preferences"
        elif status < 0:
            self.error = f"{program} was ended from outside (signal {-status}); is there enough memory?"
        else:
            self.error = last or f"{program} failed (status {status}) and did not say why"


def _event(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and "event" in event else None


# Other programs


def editor_command(setting: str, svg: str, platform: str = sys.platform) -> list[str] | None:
    """The words that open a file in the program `setting` names; None: os.startfile does (Windows, no setting).

    Without a setting it is Inkscape where that is found, else whatever the system opens an SVG with.
    """
    setting = os.path.expanduser(setting.strip())
    if platform == "darwin" and setting.rstrip("/").endswith(".app"):
        return ["open", "-a", setting, svg]
    if setting:
        return [setting, svg]
    inkscape = shutil.which("inkscape")
    for place in (
        "/Applications/Inkscape.app/Contents/MacOS/inkscape" if platform == "darwin" else "",
        os.path.join(os.environ.get("PROGRAMFILES", "C:\\"), "Inkscape", "bin", "inkscape.exe") if WINDOWS else "",
    ):
        if not inkscape and place and _is_program(place):
            inkscape = place
    if inkscape:
        return [inkscape, svg]
    if platform == "win32":
        return None
    return ["open" if platform == "darwin" else "xdg-open", svg]


def open_in_editor(setting: str, svg: str) -> str:
    """Open a file in the editor, which then lives on its own; returns the editor's name. Raises CommandError."""
    words = editor_command(setting, os.path.abspath(svg))
    if words is None:
        os.startfile(svg)  # type: ignore[attr-defined]
        return "its program"
    detached: dict[str, Any] = {"start_new_session": True}
    if WINDOWS:
        detached = {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined]
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=clean_environment(),
            **detached,
        )
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise CommandError(
            f"{one_line(words[0])} could not be started: {why}. Choose an editor in the add-on's preferences"
        ) from error
    threading.Thread(target=process.wait, name="editor", daemon=True).start()  # no zombie is left when it ends
    return os.path.basename(words[0])


# Helpers

_NO_WINDOW: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)

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
    """The environment for a Python that is not Blender's; what it prints comes at once, in UTF-8."""
    kept = {name: value for name, value in os.environ.items() if name.upper() not in _OF_OUR_PYTHON}
    kept["FACEPARSE_OFFLINE"] = "1"  # nothing is downloaded from inside Blender: a person does that in a terminal
    return kept | {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8:backslashreplace"}


def _could_not_start(command: Command, error: Exception) -> str:
    why = getattr(error, "strerror", None) or error
    return f"{one_line(command.path)} could not be started: {one_line(str(why))}. Choose another in the preferences"
