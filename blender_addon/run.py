# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo on its way to a portrait, in small steps: the program runs, its SVG is read, the curves are built.

The operator calls `step` now and then; a test or a script calls it until it is `over`. Only building touches Blender's
data, and it does so in the caller's thread.
"""

from __future__ import annotations

import contextlib
import enum
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Generator

import bpy

from . import curves, svg_reader
from .command import Command, CommandError, Request
from .drawing import Drawing, SvgError
from .files import NOT_TEXT, can_write, free_path, is_text, one_line
from .job import Job
from .reports import bug
from .settings import CurveSettings

#: Seconds that one step may build, a layer more or less. A frame at 25 Hz: nobody notices.
BUDGET = 0.04


class Stage(enum.Enum):
    """Where a run is. The last three are the ways out."""

    DRAWING = "the program draws the photo"
    READING = "its SVG is read"
    BUILDING = "the curves are built"
    DONE = "the portrait is there"
    FAILED = "it did not work"
    CANCELLED = "somebody wanted it so"


_OUT = (Stage.DONE, Stage.FAILED, Stage.CANCELLED)


class PortraitRun:
    """Starts at once; raises CommandError where that does not work. `close` it whatever comes.

    photo       the file
    keep_svg    beside the photo, under a name that was free; otherwise, or where that folder cannot be written to, the
                SVG is gone after the run, and the portrait has no source
    temporary   the folder for what is gone after the run; the system's own where None
    """

    def __init__(
        self,
        command: Command,
        photo: str,
        request: Request,
        settings: CurveSettings,
        *,
        keep_svg: bool = True,
        temporary: str | None = None,
    ) -> None:
        self.photo, self.settings = os.path.abspath(photo), settings
        self.stage = Stage.DRAWING
        self.error = ""  #: one line, after FAILED
        self.notes: list[str] = []  #: lines for people
        self.collection: bpy.types.Collection | None = None  #: after DONE
        self.waits = False  #: for Object Mode
        self._built = 0
        self._building: Generator[str, None, bpy.types.Collection] | None = None
        self._temporary: str | None = None
        if not os.path.isfile(self.photo):
            raise CommandError(f"{self.name}: no such file. Choose a photo")
        if not is_text(self.photo):
            raise CommandError(f"{self.name}: {NOT_TEXT}")
        folder = os.path.dirname(self.photo)
        if keep_svg and not can_write(folder):
            self.notes.append(f"{one_line(folder)} cannot be written to, so the SVG is not kept; Export SVG writes one")
            keep_svg = False
        try:
            if not keep_svg:
                self._temporary = folder = tempfile.mkdtemp(prefix="faceparse-", dir=temporary)
            self.job = Job(command, self.photo, free_path(self.photo, folder), request).start()
        except OSError as error:
            raise CommandError(f"No temporary folder can be made: {error.strerror}. Is the disk full?") from error
        except CommandError:
            self._remove_temporary()
            raise

    @property
    def name(self) -> str:
        """The photo's name, for people."""
        return one_line(os.path.basename(self.photo))

    @property
    def layers(self) -> int:
        """How many the portrait has; once its SVG is read."""
        return len(self._drawing.layers)

    @property
    def over(self) -> bool:
        return self.stage in _OUT

    @property
    def fraction(self) -> float:
        """How much of the work is done, 0 to 1."""
        if self.stage == Stage.DRAWING:
            return 0.9 * self.job.fraction
        if self.stage == Stage.READING:
            return 0.9
        if self.stage == Stage.BUILDING:
            return 0.92 + 0.08 * self._built / (self.layers + 1)
        return 1.0

    @property
    def doing(self) -> str:
        """What happens at the moment, for people."""
        if self.waits:
            return "Waiting for Object Mode"
        if self.stage == Stage.DRAWING:
            return self.job.doing
        return "Reading the SVG" if self.stage == Stage.READING else "Building the curves"

    def step(self, context: bpy.types.Context, budget: float = BUDGET) -> Stage:
        """Go on for at most about `budget` seconds, without waiting for anybody; the stage it is in then."""
        try:
            if self.stage == Stage.DRAWING:
                self._draw()
            elif self.stage == Stage.READING:
                self._read(context)
            elif self.stage == Stage.BUILDING:
                self._build(budget)
        except Exception as error:  # the door of the run: nothing is left behind, and the user is told
            self._fail(error)
        if self.over:
            self.close()
        return self.stage

    def cancel(self) -> None:
        """End it, and take back what it made: layers, and the SVG beside the photo."""
        if self.over:
            return
        self.stage = Stage.CANCELLED
        self.close()
        if self.job.written:
            with contextlib.suppress(OSError):
                os.unlink(self.job.svg)

    def close(self, wait: float = 0.0) -> None:
        """Leave nothing behind, however far it came: process, temporary folder, half of a portrait.

        wait    seconds to give the process to end by itself; with 0 it is ended in the background.
        """
        if not self.over:
            self.stage = Stage.CANCELLED
        if self.stage != Stage.DONE:
            self._take_back()
        if wait:
            self.job.end(wait)
        elif self.job.running:
            self.job.cancel()
        self._remove_temporary()

    def _draw(self) -> None:
        if self.job.poll():
            return
        self.notes += self.job.notes
        if self.job.error is not None:
            raise CommandError(f"{self.name}: {self.job.error}")
        # Plain Python, no Blender: a thread may do it.
        self._reading = _Reading(self.job.svg)
        self._reading.start()
        self.stage = Stage.READING

    def _read(self, context: bpy.types.Context) -> None:
        if self._reading.is_alive():
            return
        # A file that changes in another mode than Object Mode cannot be undone as a whole.
        self.waits = context.mode != "OBJECT"
        if self.waits:
            return
        self._drawing = self._reading.drawing()
        self.notes += map(one_line, self._drawing.notes)
        source = "" if self._temporary else self.job.svg
        self._building = curves.build(context, self._drawing, self.settings, source, self.photo)
        self.stage = Stage.BUILDING

    def _build(self, budget: float) -> None:
        deadline = time.perf_counter() + budget
        while True:
            try:
                next(self._building)
            except StopIteration as end:
                self.collection, self.stage = end.value, Stage.DONE
                return
            self._built += 1
            if time.perf_counter() >= deadline:
                return

    def _fail(self, error: Exception) -> None:
        self.stage = Stage.FAILED
        if isinstance(error, (CommandError, SvgError)):
            self.error = one_line(str(error))
        else:
            self.error = bug(error)

    def _take_back(self) -> None:
        if self._building is not None:
            self._building.close()  # it takes its layers away
            self._building = None

    def _remove_temporary(self) -> None:
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary = None


class _Reading(threading.Thread):
    def __init__(self, path: str) -> None:
        super().__init__(name="read SVG", daemon=True)
        self._path = path
        self._result: Drawing | Exception

    def run(self) -> None:
        try:
            self._result = svg_reader.read_svg(self._path)
        except Exception as error:  # it is raised where it can be reported
            self._result = error

    def drawing(self) -> Drawing:
        """After the thread's end. Raises what the reader raised."""
        if isinstance(self._result, Exception):
            raise self._result
        return self._result
