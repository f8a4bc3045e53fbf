# SPDX-License-Identifier: GPL-3.0-or-later
"""One photo turned by the program, in a process of its own. No bpy here.

The program tells what it does as JSON lines (`--json`); threads read them, so that nobody who asks ever waits.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from .child import NO_WINDOW, WINDOWS
from .command import PROGRAM, Command, Request, could_not_start, environment
from .files import one_line

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
_HELD_BACK = 60.0  # s that the system may hold an ended program back: a drive that went away


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
                env=environment(),
                creationflags=NO_WINDOW,
                start_new_session=not WINDOWS,  # a group of its own: what it starts itself ends with it
            )
        except (OSError, ValueError) as error:
            raise could_not_start(self.command, error) from error
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
        self._listen()
        if ended and (silent or time.monotonic() - (self._ended_at or 0.0) > 1.0):
            self.running = False
            self._judge(self._process.returncode)
        return self.running

    def cancel(self) -> None:
        """End the program: it is asked to, so that it can tidy up, and made to after a moment. Does not wait."""
        if self._ask_to_end():
            reap = threading.Thread(target=self._reap, args=(_GRACE, _HELD_BACK), name=f"{PROGRAM} end", daemon=True)
            reap.start()

    def end(self, grace: float = 0.5) -> None:
        """`cancel`, and wait until it is gone, twice `grace` at most: for the moment when Blender itself leaves."""
        if self._ask_to_end():
            self._reap(grace, grace)

    @property
    def alive(self) -> bool:
        """Whether the process is there still: it may take a moment to end after `cancel`."""
        return self._process.poll() is None

    def _ask_to_end(self) -> bool:
        """Whether there is something to reap."""
        self._listen()  # an SVG may be there since the last poll
        self.cancelled = True
        self.running = False
        if not self.alive:
            return False
        self._signal(force=False)
        return True

    def _reap(self, grace: float, held_back: float) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(grace)
            return
        self._signal(force=True)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(held_back)

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

    def _listen(self) -> None:
        for _ in range(len(self._events)):
            self._take(self._events.popleft())

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
