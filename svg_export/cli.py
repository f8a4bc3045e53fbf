"""The command `faceparse-svg`: photos in, layered SVGs out.

Exit status: 0 all written; 1 some photo failed (the others are written, each failure is one line on stderr); 2 wrong
usage, nothing was done; 130 interrupted, what was done stays. `svg_export.report` says what is printed, and what
`--json` tells a program.

What is heavy (numpy and all that stands on it) is imported when the first photo is at hand: `--help` answers at once.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from faceparse_core.errors import FaceParseError, ModelError, printable
from faceparse_core.parts import PRESETS, Rgb, select_parts
from svg_export import __version__
from svg_export.files import STDIN, Job, check_outputs, find_inputs, plan, shown, write_files
from svg_export.report import PROGRAM, Report, silence

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from faceparse_core.parser import Parser
    from svg_export.export import Drawn

#: How neighbours meet. The default is TraceSettings' own.
JOINS = ("underlap", "stacked", "cutout")
#: What borders are made of.
CURVES = ("bezier", "polygon")

#: What is drawn. The default is LookSettings' own.
STYLES = ("flat", "outline", "flat+outline", "cel", "cel+outline")
PHOTO_COLORS = "photo"  #: the word for no palette

_EPILOG = """\
A photo whose name begins with a dash goes behind --, or as ./-name.jpg.
Parts: a preset (contour: ears, head, hair, beard, hat; portrait: contour, what lies on the head, earrings;
all: neck, necklace and cloth too, and of a photo hair-back, what of the hair falls behind them) or names with
commas between, as in --parts head,hair,eye-left,eye-right.
"""


class _ArgumentParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """argparse's, on one line; its usage text in front would bury what is wrong."""
        if message.startswith("unrecognized arguments"):
            message += " (a photo whose name begins with a dash goes behind --)"
        self.exit(2, f"{PROGRAM}: {' '.join(message.split())}; --help explains\n")


def _length(word: str) -> float:
    value = float(word)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{word} is no length")
    return value


def _count(word: str) -> int:
    value = int(word)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{word} is less than 1")
    return value


def build_parser() -> argparse.ArgumentParser:
    parser = _ArgumentParser(
        prog=PROGRAM,
        description="Turn portrait photos into layered SVGs: ears, head, hair and the features of the face, "
        "each on a layer of its own. Works offline.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="a file, a folder, a pattern, or - for stdin")
    # fmt: off
    output = parser.add_argument_group("what is written")
    output.add_argument(
        "-o", "--output", metavar="FILE|DIR",
        help="where to (default: NAME.svg beside the photo; the SVG of stdin goes to stdout, as with -o -)",
    )
    output.add_argument("--force", action="store_true", help="overwrite files that exist already")
    output.add_argument("--save-labels", action="store_true", help="write NAME.labels.png too, the map of part ids")
    output.add_argument(
        "--preview", action="store_true", help="write NAME.preview.png too, photo and result side by side",
    )
    output.add_argument(
        "--save-palette", action="store_true", help="write NAME.gpl too, the colours by part, for --palette",
    )
    drawing = parser.add_argument_group("how it is drawn")
    drawing.add_argument(
        "--parts", default="portrait", metavar="PARTS", help=f"{', '.join(PRESETS)}, or a list (default: %(default)s)",
    )
    drawing.add_argument(
        "--joins", choices=JOINS, help="lower layers reach a little beneath upper ones (underlap, the default), lie "
        "full beneath them (stacked), or exactly abut (cutout)",
    )
    drawing.add_argument(
        "--curves", choices=CURVES, default="bezier", help="smooth curves, or straight lines alone "
        "(default: %(default)s)",
    )
    drawing.add_argument(
        "--tolerance", type=_length, metavar="PX", help="how far curves may stray from the smoothed borders, in px "
        "of the photo; thin parts less (default: 1/500 of the face's height)",
    )
    drawing.add_argument(
        "--max-nodes", type=_count, metavar="N", help="nodes of the whole drawing at most: the tolerance is raised "
        "until they suffice, and the error told",
    )
    drawing.add_argument(
        "--style", choices=STYLES, help="filled shapes (flat, the default), lines (outline), both, "
        "or shapes with the light and the shadow of the photo upon them (cel)",
    )
    drawing.add_argument(
        "--weight", type=_weight, metavar="SHARE",
        help="thickness of the lines as a share of the head's height (default: 0.01)",
    )
    drawing.add_argument(
        "--palette", default=PHOTO_COLORS, metavar="photo|FILE",
        help="the photo's own colours, or a .gpl or .json of swatches named by part (default: %(default)s)",
    )
    drawing.add_argument(
        "--photo-layer", choices=("none", "link", "embed"), default="none",
        help="the photo as a locked layer at the bottom (default: %(default)s)",
    )
    drawing.add_argument(
        "--background", action="store_true", help="a locked layer that fills the frame, in the photo's colour",
    )
    parsing = parser.add_argument_group("how it is parsed")
    parsing.add_argument(
        "--model", metavar="NAME|PATH", help="the parser: a name, or a path to .onnx (default: the embedded one)",
    )
    parsing.add_argument(
        "--from-labels", action="store_true", help="the inputs are label maps (as --save-labels writes them)",
    )
    # fmt: on
    parser.add_argument("--json", action="store_true", help="one JSON object a line for every step, for programs")
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    return parser


def _weight(text: str) -> float:
    """A line's thickness in head heights. Raises ArgumentTypeError."""
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not 0.0001 <= weight <= 0.2:
        raise argparse.ArgumentTypeError(f"{printable(text)!r} is no share of the head's height from 0.0001 to 0.2")
    return weight


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status. Wrong usage, --help and --version raise SystemExit, as in argparse."""
    if argv is None and threading.current_thread() is threading.main_thread():
        # A program that stops us with terminate() gets the same tidying up as Ctrl-C.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    parser = build_parser()
    arguments = parser.parse_args(argv)
    try:
        parts = select_parts(arguments.parts, derived=not arguments.from_labels)
        jobs, complaints = _plan(arguments)
        swatches = _swatches(arguments, jobs)
    except (FaceParseError, ValueError) as error:
        parser.error(str(error))
    quiet = any(job.svg is None for job in jobs)
    if quiet and arguments.json:
        parser.error("--json and the SVG both want stdout; name a file or folder with -o")
    report = Report(as_json=arguments.json, quiet=quiet)
    try:
        report.start(__version__, len(jobs))
        for complaint in complaints:
            report.fail(None, complaint)
        if jobs:
            _run(jobs, parts, swatches, arguments, report)
    except ModelError as error:  # before the first photo: the same for all of them
        report.fail(None, str(error))
        return 2
    except KeyboardInterrupt:
        report.interrupted()
        return 128 + signal.SIGINT
    report.done()
    return 1 if report.failed else 0


def _plan(arguments: argparse.Namespace) -> tuple[list[Job], list[str]]:
    """(jobs, complaints). Raises ValueError where options do not go together."""
    if arguments.weight is not None and "outline" not in (arguments.style or ""):
        raise ValueError("--weight is that of lines; it goes with --style outline, flat+outline or cel+outline")
    if arguments.from_labels:
        for option in ("model", "save_labels"):
            if getattr(arguments, option):
                raise ValueError(f"--{option.replace('_', '-')} does not go with --from-labels: no photo is parsed")
        if "cel" in (arguments.style or ""):
            raise ValueError(f"--style {arguments.style} does not go with --from-labels: its light is a photo's")
        if arguments.photo_layer != "none":
            raise ValueError("--photo-layer does not go with --from-labels: there is no photo")
        if STDIN in arguments.photos:
            raise ValueError("--from-labels reads files, not stdin")
    if arguments.tolerance == 0 and arguments.curves != "polygon":
        raise ValueError("--tolerance 0 follows the pixels' own border: it goes with --curves polygon")
    if arguments.photo_layer == "link" and STDIN in arguments.photos:
        raise ValueError("--photo-layer link needs a file to link to; use embed for stdin")
    sources, unknown = find_inputs(arguments.photos, labels=arguments.from_labels)
    jobs, doubled = plan(
        sources,
        arguments.output,
        save_labels=arguments.save_labels,
        preview=arguments.preview,
        save_palette=arguments.save_palette,
    )
    return jobs, unknown + doubled


def _swatches(arguments: argparse.Namespace, jobs: Sequence[Job]) -> dict[str, Rgb]:
    """The palette asked for. Raises PaletteError, and ValueError where it would be overwritten."""
    if arguments.palette == PHOTO_COLORS:
        return {}
    itself = os.path.realpath(arguments.palette)
    if any(job.palette and os.path.realpath(job.palette) == itself for job in jobs):
        raise ValueError(f"--save-palette would write over {shown(arguments.palette)} itself; rename that first")
    from svg_export.palette import read_palette

    return read_palette(Path(arguments.palette))


def _run(
    jobs: Sequence[Job],
    parts: frozenset[int],
    swatches: Mapping[str, Rgb],
    arguments: argparse.Namespace,
    report: Report,
) -> None:
    """Draw every job; a failure is reported and the next photo follows. Raises ModelError before the first."""
    # What draws is imported while the network loads and looks: that leaves Python's lock free most of the time.
    threading.Thread(target=importlib.import_module, args=("svg_export.export",), daemon=True).start()
    parser: Parser | None = None
    if not arguments.from_labels:
        from faceparse_core.parser import load_parser

        parser = load_parser(arguments.model) if arguments.model else load_parser()
    for index, job in enumerate(jobs, 1):
        report.photo(job.source, index)
        try:
            _draw_one(job, parser, parts, swatches, arguments, report)
        except Exception as error:  # the door of the program: whatever went wrong is this photo's failure, in one line
            if os.environ.get("FACEPARSE_TRACEBACK"):
                raise
            report.fail(job.source, _explain(error, job.source))


def _draw_one(
    job: Job,
    parser: Parser | None,
    parts: frozenset[int],
    swatches: Mapping[str, Rgb],
    arguments: argparse.Namespace,
    report: Report,
) -> None:
    """One photo (or, without a parser, one label map) from reading to writing. Raises what went wrong."""
    began = time.perf_counter()
    check_outputs(job, arguments.force)
    report.step(job.source, "read")
    options: dict[str, Any] = {"title": job.title, "background": arguments.background, "swatches": swatches}
    facts: dict[str, Any] = {"heads": None}
    rgb: NDArray[np.uint8] | None = None
    if parser is None:
        from faceparse_core.photo import read_label_map

        labels, colors = read_label_map(job.source), {}
    else:
        from faceparse_core.parse import parse_photo
        from faceparse_core.photo import read_photo
        from svg_export.subpixel import Evidence

        photo = read_photo(sys.stdin.buffer.read(), "stdin") if job.source == STDIN else read_photo(job.source)
        rgb = photo.rgb
        if arguments.photo_layer == "link":
            from svg_export.export import link_photo

            options["photo_href"] = link_photo(job.source, job.svg)
        elif arguments.photo_layer == "embed":
            from svg_export.export import embed_photo

            options["photo_href"] = embed_photo(rgb)
        report.step(job.source, "parse")
        parsing = parse_photo(photo, parser)
        labels, colors, facts["heads"] = parsing.labels, parsing.colors, parsing.heads
        options["head_size"] = parsing.head_size
        options["evidence"] = Evidence(rgb, parsing.scores, parsing.box)
        options["model"] = {"name": parsing.model.name, "sha256": parsing.model.sha256}
        if parsing.heads > 1:
            report.note(job.source, f"{parsing.heads} heads found; the largest one is drawn")
    report.step(job.source, "trace")
    from svg_export.export import draw
    from svg_export.layers import TraceSettings
    from svg_export.looks import LookSettings

    trace = TraceSettings(tolerance_px=arguments.tolerance, max_nodes=arguments.max_nodes, curves=arguments.curves)
    if arguments.joins:
        trace = dataclasses.replace(trace, joins=arguments.joins)
    given = {"style": arguments.style, "weight": arguments.weight}
    look = LookSettings(**{name: value for name, value in given.items() if value is not None})
    drawn = draw(labels, colors, parts, trace, look, **options)
    if arguments.max_nodes is not None and drawn.nodes > arguments.max_nodes:
        report.note(job.source, f"{drawn.nodes} nodes are the fewest that this picture can be drawn with")
    if drawn.crossings:
        report.note(job.source, f"outlines cross and could not be kept apart, places: {drawn.crossings}")
    report.step(job.source, "write")
    _write(job, drawn, labels, rgb, arguments.force)
    report.wrote(
        job.source,
        job.svg,
        {"labels": job.labels, "preview": job.preview, "palette": job.palette},
        size=list(labels.shape),
        layers=drawn.names,
        nodes=drawn.nodes,
        error=drawn.error,
        seconds=round(time.perf_counter() - began, 3),
        **facts,
    )


def _write(job: Job, drawn: Drawn, labels: NDArray[np.uint8], rgb: NDArray[np.uint8] | None, force: bool) -> None:
    if job.svg is None:
        try:
            sys.stdout.buffer.write(drawn.svg)
            sys.stdout.buffer.flush()
        except OSError:
            silence(sys.stdout)
            raise
        return
    contents: dict[Path, bytes] = {job.svg: drawn.svg}
    if job.labels is not None:
        from svg_export.preview import png

        contents[job.labels] = png(labels)
    if job.preview is not None:
        from svg_export.preview import paint_labels, preview_png

        contents[job.preview] = preview_png(paint_labels(labels) if rgb is None else rgb, drawn.layers, drawn.outline)
    if job.palette is not None:
        from svg_export.palette import write_palette

        contents[job.palette] = write_palette(drawn.palette, job.title)
    write_files(contents, force)


def _explain(error: Exception, source: str) -> str:
    """One line about what went wrong with a photo, for people; the line begins with the photo's name already."""
    if isinstance(error, FaceParseError):
        return str(error).removeprefix(f"{printable(source)}: ")
    if isinstance(error, MemoryError):
        return "not enough memory for a picture of this size"
    if isinstance(error, OSError) and error.strerror:
        other = error.filename not in (None, source)
        return f"{shown(error.filename)}: {error.strerror}" if other else error.strerror
    return f"{type(error).__name__}: {error} (a bug in {PROGRAM}; FACEPARSE_TRACEBACK=1 shows where)"
