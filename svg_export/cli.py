"""The command `faceparse-svg`: photos in, layered SVGs out.

Exit status: 0 all written; 1 some photo failed (the others are written, each failure is one line on stderr); 2 wrong
usage, or a model that cannot be had: nothing was done; 130 interrupted (143 by SIGTERM), what was done stays.
`svg_export.report` says what is printed, and what `--json` tells a program; `svg_export.options` has the options.

What is heavy (numpy and all that stands on it) is imported when the first photo is at hand: `--help` answers at once.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from faceparse_core.errors import FaceParseError, ModelError, PhotoError
from faceparse_core.parts import HAIR, HAIR_BACK, STANDARD, PartTable, Rgb, select_labels, select_parts
from svg_export import __version__
from svg_export.files import (
    EXTRAS,
    HEATMAP_OF,
    STDIN,
    Job,
    OutputError,
    check_outputs,
    find_inputs,
    plan,
    shown,
    write_files,
)
from svg_export.options import DRAWN, MASKED, PHOTO_COLORS, OneLineParser, build_parser, check
from svg_export.report import PROGRAM, Report, silence, source_name

if TYPE_CHECKING:
    from faceparse_core.classes import Classes
    from faceparse_core.group import GroupMap
    from faceparse_core.parse import GroupParsing
    from faceparse_core.parser import Parser
    from faceparse_core.photo import Photo
    from svg_export.export import Drawn

#: Photos are read and parsed together, as many as the network takes at once, until they hold this many pixels.
TOGETHER_PIXELS = 12_000_000


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status. Wrong usage, --help and --version raise SystemExit, as in argparse."""
    if argv is None and threading.current_thread() is threading.main_thread():
        # A program that stops us with terminate() gets the same tidying up as Ctrl-C.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell's background jobs ignore it
            signal.signal(signal.SIGINT, _interrupt)
    words = sys.argv[1:] if argv is None else list(argv)
    if words[:1] == ["models"]:
        from svg_export import models_cli

        try:
            return models_cli.main(words[1:], OneLineParser)
        except KeyboardInterrupt:
            print(f"{PROGRAM}: interrupted", file=sys.stderr)
            return 128 + signal.SIGINT
    parser = build_parser()
    arguments = parser.parse_args(words)
    report = Report(as_json=arguments.json)
    try:
        return _photos(arguments, parser, report)
    except KeyboardInterrupt:
        report.interrupted()
        return 128 + signal.SIGINT
    except SystemExit as stop:
        if stop.code == _TERMINATED:
            report.interrupted(silently=True)
        raise
    except Exception:
        if not _interrupted.is_set():
            raise
        report.interrupted()
        return 128 + signal.SIGINT


_TERMINATED = 128 + signal.SIGTERM
#: Modules written in C that are being imported make another error of a KeyboardInterrupt: this says that it was one.
_interrupted = threading.Event()


def _interrupt(*_: object) -> None:
    _interrupted.set()
    raise KeyboardInterrupt


@dataclasses.dataclass(frozen=True)
class _Order:
    """What is asked for of every photo."""

    arguments: argparse.Namespace
    parts: frozenset[int]  #: that are drawn
    swatches: Mapping[str, Rgb]
    classes: Classes | None  #: of the model, where a file says what they stand for

    @property
    def table(self) -> PartTable:
        return self.classes.table if self.classes else STANDARD


def _photos(arguments: argparse.Namespace, parser: argparse.ArgumentParser, report: Report) -> int:
    """The command but for its words. Returns the exit status; wrong usage raises SystemExit."""
    try:
        classes = _classes(arguments)
        table = classes.table if classes else STANDARD
        drawn = DRAWN if arguments.parts is None else arguments.parts
        parts = select_parts(drawn, derived=not arguments.from_labels, table=table)
        check(arguments, parser, own=bool(table.own))
        extras = _extras(arguments, table)
        if arguments.no_svg and not extras:
            raise ValueError("--no-svg writes nothing at all without --mask, --heatmap or another picture")
        sources, unknown = find_inputs(arguments.photos, labels=arguments.from_labels)
        jobs, doubled = plan(sources, arguments.output, extras, svg=not arguments.no_svg)
        if arguments.json and any(job.to_stdout for job in jobs):
            raise ValueError("--json and the SVG both want stdout; name a file or folder with -o")
        order = _Order(arguments, parts, _swatches(arguments, jobs, table), classes)
    except FaceParseError as error:  # a part, a palette, a class map: the message says all that --help would
        report.fail(None, str(error))
        return 2
    except ValueError as error:
        parser.error(str(error))
    report.start(__version__, len(jobs))
    for complaint in (*unknown, *doubled):
        report.fail(None, complaint)
    try:
        if jobs:
            _run(jobs, order, report)
    except ModelError as error:  # before the first photo: the same for all of them
        report.fail(None, str(error))
        report.done()
        return 2
    report.done()
    return 1 if report.failed else 0


def _classes(arguments: argparse.Namespace) -> Classes | None:
    """What the classes of the model stand for where a file says so. Raises ModelError."""
    if arguments.classes is None and (arguments.from_labels or not os.path.splitext(arguments.model or "")[1]):
        return None
    from faceparse_core.classes import classes_beside, read_classes

    return classes_beside(arguments.model) if arguments.classes is None else read_classes(arguments.classes)


def _extras(arguments: argparse.Namespace, table: PartTable) -> list[str]:
    """The kinds of files asked for beside the SVG. Raises FaceParseError where none can be made of these parts."""
    options = {"labels": "save_labels", "palette": "save_palette"}
    kinds = [kind for kind in EXTRAS if getattr(arguments, options.get(kind, kind.replace("-", "_")))]
    pictures = {"mask", "heatmap", "colorize", "colorize-over", "gallery"}
    if arguments.heatmap_parts or pictures & {*kinds}:
        chosen = select_labels(MASKED if arguments.parts is None else arguments.parts, table)
        if arguments.heatmap_parts:
            kinds += [HEATMAP_OF + table.layers[part].name for part in sorted(chosen)]
    return kinds


def _swatches(arguments: argparse.Namespace, jobs: Sequence[Job], table: PartTable) -> dict[str, Rgb]:
    """The palette asked for. Raises PaletteError, and ValueError where it would be overwritten."""
    if arguments.palette == PHOTO_COLORS:
        return {}
    itself = os.path.realpath(arguments.palette)
    saved = [job.extras["palette"] for job in jobs if "palette" in job.extras]
    if any(os.path.realpath(path) == itself for path in saved):
        raise ValueError(f"--save-palette would write over {shown(arguments.palette)} itself; rename that first")
    from svg_export.palette import read_palette

    return read_palette(Path(arguments.palette), table)


# from jobs to files ---------------------------------------------------------------------------------------------------


def _run(jobs: Sequence[Job], order: _Order, report: Report) -> None:
    """Draw every job; a failure is reported and the next photo follows. Raises ModelError before the first."""
    # What draws is imported while the network loads and looks: that leaves Python's lock free most of the time.
    threading.Thread(target=_import_early, args=("svg_export.export",)).start()
    parser: Parser | None = None
    if not order.arguments.from_labels:
        parser = _load_parser(order)
        if note := _unknown_to(parser, order.arguments.parts or ""):
            report.note(None, note)
    for job, taken in _taken(jobs, parser, order, report):
        try:
            if isinstance(taken, Exception):
                raise taken
            _draw_one(job, taken, order, report)
        except Exception as error:  # the door of the program: whatever went wrong is this photo's failure, in one line
            if os.environ.get("FACEPARSE_TRACEBACK") or _interrupted.is_set():
                raise
            report.fail(job.source, _explain(error, job.source))
        del taken  # before the next ones are read: it holds a photo


def _import_early(module: str) -> None:
    with contextlib.suppress(Exception):  # who needs it meets the same error, and tells it
        importlib.import_module(module)


def _load_parser(order: _Order) -> Parser:
    """The parser asked for, downloaded where it has to be. Raises ModelError."""
    from faceparse_core.parser import EMBEDDED, load_parser
    from svg_export.models_cli import download_bar

    model = EMBEDDED if order.arguments.model is None else order.arguments.model
    with download_bar(model) as progress:
        return load_parser(model, device=order.arguments.device, classes=order.classes, progress=progress)


def _unknown_to(parser: Parser, names: str) -> str:
    """What is to be said where parts are asked for by name that this model does not know; else nothing."""
    named = [parser.table.by_name[word.strip()] for word in names.split(",") if word.strip() in parser.table.by_name]
    unknown = [part.name for part in named if {HAIR_BACK: HAIR}.get(part.id, part.id) not in parser.parts]
    known = ", ".join(parser.table.layers[part].name for part in parser.table.paint_order if part in parser.parts)
    return f"{parser.info.name} knows no {', no '.join(unknown)}; it knows: {known}" if unknown else ""


@dataclasses.dataclass(frozen=True)
class _Taken:
    """What a job's source holds."""

    seconds: float  #: that reading took, and its share of parsing
    photo: Photo | None = None  #: None: a label map
    photo_href: str | None = None
    labels: GroupMap | None = None
    parsing: GroupParsing | None = None


def _taken(
    jobs: Sequence[Job], parser: Parser | None, order: _Order, report: Report
) -> Iterator[tuple[Job, _Taken | Exception]]:
    """Each job with what was read and parsed, or the error. Some photos ahead are parsed with it, in batches."""
    ahead: deque[_Taken | Exception] = deque()
    for index, job in enumerate(jobs):
        report.photo(job.source, index + 1)
        report.step(job.source, "read")
        first = not ahead
        if first:
            ahead = _read_some(jobs[index : index + (parser.batch if parser else 1)], order)
        if parser and isinstance(ahead[0], _Taken):
            report.step(job.source, "parse")
        if parser and first:
            ahead = _parsed(ahead, parser, _most(order.arguments.heads))
        yield job, ahead.popleft()


def _read_some(jobs: Sequence[Job], order: _Order) -> deque[_Taken | Exception]:
    """The sources of the first jobs, as many as memory is given to. An error is kept until the job's turn."""
    found: deque[_Taken | Exception] = deque()
    pixels = 0
    for job in jobs:
        try:
            found.append(taken := _read(job, order))
            pixels += taken.photo.rgb[..., 0].size if taken.photo else 0
        except Exception as error:
            found.append(error)
        if pixels >= TOGETHER_PIXELS:
            break
    return found


def _read(job: Job, order: _Order) -> _Taken:
    began = time.perf_counter()
    check_outputs(job, order.arguments.force)
    from faceparse_core.photo import read_label_map, read_photo

    if order.arguments.from_labels:
        labels = read_label_map(job.source, order.table)
        return _Taken(time.perf_counter() - began, labels=labels)
    if job.source != STDIN:
        photo = read_photo(job.source)
    elif sys.stdin is None:  # started without it
        raise PhotoError("stdin is closed; pipe a photo into it, or name a file")
    else:
        photo = read_photo(sys.stdin.buffer.read(), "stdin")
    href = None
    if order.arguments.photo_layer == "link":
        from svg_export.export import link_photo

        href = link_photo(job.source, job.svg)
    elif order.arguments.photo_layer == "embed":
        from svg_export.export import embed_photo

        href = embed_photo(photo.rgb)
    return _Taken(time.perf_counter() - began, photo, href)


def _most(heads: str | int | None) -> int | None:
    """How many heads of a photo are drawn at most; None: all."""
    return heads if isinstance(heads, int) else None if heads == "all" else 1


def _parsed(group: Sequence[_Taken | Exception], parser: Parser, most: int | None) -> deque[_Taken | Exception]:
    """The same, with what of their photos could be parsed, or the error. most: heads of a photo; None: all."""
    from faceparse_core.batches import together
    from faceparse_core.parse import parse_heads

    began = time.perf_counter()
    photos = [taken.photo for taken in group if isinstance(taken, _Taken) and taken.photo]
    answers = iter(together(photos, parser, lambda photo, shared: parse_heads(photo, shared, most=most)))
    share = (time.perf_counter() - began) / max(1, len(photos))
    found: deque[_Taken | Exception] = deque()
    for taken in group:
        if isinstance(taken, Exception):
            found.append(taken)
        elif isinstance(answer := next(answers), Exception):
            found.append(answer)
        else:
            found.append(dataclasses.replace(taken, seconds=taken.seconds + share, parsing=answer))
    return found


def _draw_one(job: Job, taken: _Taken, order: _Order, report: Report) -> None:
    """One photo (or label map) from tracing to writing. Raises what went wrong."""
    began = time.perf_counter()
    arguments, parsing = order.arguments, taken.parsing
    labels = parsing.labels if parsing else taken.labels
    assert labels is not None
    from faceparse_core.group import count_faces

    if parsing and (note := _lacking_heads(arguments.heads or "largest", parsing.heads, len(parsing.faces))):
        report.note(job.source, note)
    drawn: Drawn | None = None
    if not arguments.no_svg or {"preview", "palette"} & {*job.extras}:
        report.step(job.source, "trace")
        drawn = _drawn(job, taken, labels, order)
        if arguments.max_nodes is not None and drawn.nodes > arguments.max_nodes:
            report.note(job.source, f"{drawn.nodes} nodes, more than asked for: corners and ends stay")
        if drawn.crossings:
            report.note(job.source, f"outlines cross and could not be kept apart, places: {drawn.crossings}")
    report.step(job.source, "write")
    if job.to_stdout and drawn:
        _write_to_stdout(drawn.svg)
    else:
        from svg_export.pictures import Picture

        rgb = taken.photo.rgb if taken.photo else None
        how = order.swatches, arguments.parts, arguments.mask_threshold, order.table
        picture = Picture(labels, rgb, parsing.each() if parsing else (), drawn, job.title, *how)
        contents = {job.svg: drawn.svg} if job.svg and drawn else {}
        write_files(contents | {path: picture.file(kind) for kind, path in job.extras.items()}, arguments.force)
    report.wrote(
        job.source,
        job.svg,
        {**dict.fromkeys(EXTRAS), **job.extras},
        size=list(labels.shape),
        seconds=round(taken.seconds + time.perf_counter() - began, 3),
        heads=parsing.heads if parsing else None,
        faces=count_faces(labels),
        layers=drawn.names if drawn else [],
        nodes=drawn.nodes if drawn else None,
        error=drawn.error if drawn else None,
    )


def _drawn(job: Job, taken: _Taken, labels: GroupMap, order: _Order) -> Drawn:
    from svg_export.export import draw_group, sitters_in, sitters_of
    from svg_export.layers import TraceSettings
    from svg_export.looks import LookSettings

    given, parsing = order.arguments, taken.parsing
    trace = TraceSettings(tolerance_px=given.tolerance, max_nodes=given.max_nodes, curves=given.curves)
    if given.joins:
        trace = dataclasses.replace(trace, joins=given.joins)
    look = {name: value for name in ("style", "weight") if (value := getattr(given, name)) is not None}
    return draw_group(
        labels,
        sitters_of(taken.photo, parsing) if taken.photo and parsing else sitters_in(labels),
        order.parts,
        trace,
        LookSettings(**look),
        title=job.title,
        photo_href=taken.photo_href,
        background=given.background,
        model=parsing.model if parsing else None,
        swatches=order.swatches,
        table=order.table,
    )


def _lacking_heads(asked: str | int, found: int, drawn: int) -> str:
    """What is to be said where not every head is drawn that the photo shows, or that was asked for; else nothing."""
    if asked == "largest":
        return f"{found} heads found; the largest one is drawn (--heads all draws all)" if found > 1 else ""
    if asked == "all":
        return f"{found} heads found; {drawn} drawn, the others show no face when seen closely" if drawn < found else ""
    if drawn < int(asked):
        return f"{asked} heads asked for; there {'is' if drawn == 1 else 'are'} {drawn}"
    return f"{found} heads found; the {drawn} largest are drawn" if found > drawn else ""


def _write_to_stdout(svg: bytes) -> None:
    if sys.stdout is None:  # started without it
        raise OutputError("stdout is closed; name a file with -o")
    try:
        sys.stdout.buffer.write(svg)
        sys.stdout.buffer.flush()
    except OSError:
        silence(sys.stdout)
        raise


def _explain(error: Exception, source: str) -> str:
    """One line about what went wrong with a photo, for people; the line begins with the photo's name already."""
    if isinstance(error, FaceParseError):
        return str(error).removeprefix(f"{source_name(source)}: ")
    if isinstance(error, MemoryError):
        return "not enough memory for a picture of this size; scale it down first"
    if isinstance(error, OSError) and error.strerror:
        other = error.filename not in (None, source)
        return f"{shown(error.filename)}: {error.strerror}" if other else error.strerror
    return f"{type(error).__name__}: {error} (a bug in {PROGRAM}; FACEPARSE_TRACEBACK=1 shows where)"
