"""What the command says, and where: lines for people, JSON lines for programs, a bar on a terminal.

Paths that were written go to stdout, notes and failures to stderr, each on one line. With `--json` every step is one
JSON object on a line of stdout, in this order (failures go to stderr too):

    {"event": "start", "version": "0.1.0", "photos": 2}
    {"event": "photo", "photo": "a.jpg", "index": 1, "of": 2}
    {"event": "step", "photo": "a.jpg", "step": "read"}           then "parse", "trace", "write", as each begins
    {"event": "note", "photo": "a.jpg", "message": ".."}          "photo" is null where it is said of all
    {"event": "written", "photo": "a.jpg", "svg": "a.svg", "labels": null, "preview": null, "palette": null,
     "mask": "a.mask.png", "heatmap": null, "colorize": null, "colorize-over": null, "gallery": null,
     "size": [640, 480], "heads": 1, "faces": 1, "layers": ["head", "hair"], "nodes": 96, "error": null,
     "seconds": 0.31}
                                                                  "heads": seen in the photo, "faces": drawn, "layers":
                                                                  their ids, bottom to top, "face2-hair"; "error": px,
                                                                  where --tolerance or --max-nodes is; "svg": null on
                                                                  stdout and with --no-svg, "nodes" where nothing is
                                                                  drawn; "heatmap-hair" with --heatmap-parts
    {"event": "error", "photo": "b.jpg", "message": ".."}         instead of "written"; "photo" is null for a word
                                                                  of the command that names no photo
    {"event": "done", "written": 1, "failed": 1}                  or {"event": "interrupted", ..} and nothing after it

Of words that make no sense there is no "start": what is wrong goes to stderr, as one "error" where it is a part, a
palette or a class map.

Photos of a folder are read and parsed a few at a time, and told one after the other; the first waits for all.
A reader that goes away (`| head`) is no failure of a photo: the command works on in silence.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, TextIO

from svg_export.files import STDIN, shown

PROGRAM = "faceparse-svg"


class Report:
    """Counts what was written and what failed, and tells it."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.written = self.failed = 0
        self._json = as_json
        self._bar: Any = None
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")  # a name the terminal cannot show is no reason to fail

    def start(self, version: str, photos: int) -> None:
        self._event("start", version=version, photos=photos)
        self._photos = photos
        if photos > 1 and not self._json and sys.stderr is not None and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=photos, unit="photo", leave=False, dynamic_ncols=True)

    def photo(self, source: str, index: int) -> None:
        self._event("photo", photo=source, index=index, of=self._photos)
        if self._bar is not None:
            self._bar.set_description(os.path.basename(source_name(source)))

    def step(self, source: str, step: str) -> None:
        self._event("step", photo=source, step=step)

    def note(self, source: str | None, message: str) -> None:
        """What is to be said of one photo, or (None) of all."""
        self._event("note", photo=source, message=message)
        self._line(f"{PROGRAM if source is None else source_name(source)}: note: {message}", sys.stderr)

    def wrote(self, source: str, svg: Path | None, extra: dict[str, Path | None], **facts: Any) -> None:
        self.written += 1
        self._event("written", photo=source, svg=_text(svg), **{k: _text(v) for k, v in extra.items()}, **facts)
        if not self._json:
            reached = (
                f" ({facts['nodes']} nodes, within {facts['error']:g} px)" if facts.get("error") is not None else ""
            )
            for path in (svg, *extra.values()):
                if path is not None:
                    self._line(f"wrote {shown(path)}{reached if path is svg else ''}", sys.stdout)
        self._advance()

    def fail(self, source: str | None, message: str) -> None:
        """One photo failed (source), or one word of the command (None; the message names it)."""
        self.failed += 1
        message = " ".join(message.split())
        self._event("error", photo=source, message=message)
        self._line(f"{PROGRAM}: {f'{source_name(source)}: ' if source is not None else ''}{message}", sys.stderr)
        if source is not None:
            self._advance()

    def interrupted(self, *, silently: bool = False) -> None:
        """silently: for programs alone."""
        self._close()
        self._event("interrupted", written=self.written, failed=self.failed)
        if not silently:
            self._line(f"{PROGRAM}: interrupted; {self.written} written before", sys.stderr)

    def done(self) -> None:
        self._close()
        self._event("done", written=self.written, failed=self.failed)

    def _event(self, event: str, **fields: Any) -> None:
        if self._json:
            self._line(json.dumps({"event": event, **fields}), sys.stdout)

    def _line(self, text: str, stream: TextIO | None) -> None:
        if stream is None:  # started without this stream
            return
        if self._bar is not None:
            self._bar.clear()
        try:
            print(text, file=stream, flush=True)
        except OSError:  # nobody reads any longer: let the rest go nowhere, also what Python flushes at the end
            silence(stream)
        if self._bar is not None:
            self._bar.refresh()

    def _advance(self) -> None:
        if self._bar is not None:
            self._bar.update()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def silence(stream: TextIO) -> None:
    """Send what is still written to a broken stream to nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def source_name(source: str) -> str:
    """A photo as messages call it."""
    return "stdin" if source == STDIN else shown(source)


def _text(path: Path | None) -> str | None:
    return None if path is None else os.fspath(path)
