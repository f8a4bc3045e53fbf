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
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from faceparse_core.errors import FaceParseError, ModelError, printable
from faceparse_core.parts import HAIR, HAIR_BACK, PRESETS, STANDARD, PartTable, Rgb, select_labels, select_parts
from svg_export import __version__
from svg_export.files import EXTRAS, HEATMAP_OF, STDIN, Job, check_outputs, find_inputs, plan, shown, write_files
from svg_export.report import PROGRAM, Report, silence

if TYPE_CHECKING:
    from faceparse_core.classes import Classes
    from faceparse_core.group import GroupMap
    from faceparse_core.parse import GroupParsing
    from faceparse_core.parser import Parser
    from faceparse_core.photo import Photo
    from svg_export.export import Drawn

#: How neighbours meet. The default is TraceSettings' own.
JOINS = ("underlap", "stacked", "cutout")
#: What borders are made of.
CURVES = ("bezier", "polygon")

#: Where a model runs, as `load_parser` takes it.
DEVICES = ("cpu", "cuda")

#: What is drawn. The default is LookSettings' own.
STYLES = ("flat", "outline", "flat+outline", "cel", "cel+outline")
#: Which heads of a photo are drawn, where no number says it.
HEADS = ("largest", "all")
PHOTO_COLORS = "photo"  #: the word for no palette
DRAWN, MASKED = "portrait", "face"  #: the parts where none are named: of drawings, and of masks and heatmaps

#: Photos are read and parsed together, as many as the network takes at once, until they hold this many pixels.
TOGETHER_PIXELS = 12_000_000

_EPILOG = """\
A photo whose name begins with a dash goes behind --, or as ./-name.jpg.
Parts: a preset (contour: ears, head, hair, beard, hat; portrait: contour, what lies on the head, earrings;
all: neck, necklace and cloth too, and of a photo hair-back, what of the hair falls behind them) or names with
commas between, as in --parts head,hair,eye-left,eye-right. face: head, and what lies on it. own: what a model knows
beside the 20, as NAME.parts.json beside it says; portrait and all have these parts, too, and face those on the head.
faceparse-svg models lists other models, and fetches them; faceparse-svg models --help explains.
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


def _share(word: str) -> float:
    value = float(word)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{printable(word)!r} does not lie from 0 to 1")
    return value


def _count(word: str) -> int:
    value = int(word)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{word} is less than 1")
    return value


def _heads(word: str) -> str | int:
    """`largest`, `all`, or how many. Raises ArgumentTypeError."""
    if word in HEADS:
        return word
    try:
        number = int(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{printable(word)!r} is neither {' nor '.join(HEADS)} nor a number") from None
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} heads are less than 1")
    return number


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
    output.add_argument("--no-svg", action="store_true", help="write no SVG, only the pictures asked for")
    pictures = parser.add_argument_group("pictures of the parts, too, as large as the photo")
    pictures.add_argument(
        "--mask", action="store_true", help="NAME.mask.png: the parts chosen, or else the face, white on black",
    )
    pictures.add_argument(
        "--mask-threshold", type=_share, metavar="T", help="the mask is where they have the probability T or more, "
        "0 to 1",
    )
    pictures.add_argument(
        "--heatmap", action="store_true", help="NAME.heatmap.png: their probability, black 0, white 1",
    )
    pictures.add_argument(
        "--heatmap-parts", action="store_true", help="NAME.heatmap-PART.png: the probability of each part chosen",
    )
    pictures.add_argument(
        "--colorize", action="store_true", help="NAME.colorize.png: each part its colour, all else white",
    )
    pictures.add_argument(
        "--colorize-over", action="store_true", help="NAME.colorize-over.png: the colours over the photo",
    )
    pictures.add_argument(
        "--gallery", action="store_true", help="NAME.gallery.png: photo, parts and outlines, one small sheet",
    )
    drawing = parser.add_argument_group("how it is drawn")
    drawing.add_argument(
        "--parts", metavar="PARTS", help=f"{', '.join(PRESETS)}, or a list (default: {DRAWN}; of masks "
        f"and heatmaps: {MASKED}, of colours: all)",
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
        "--model", metavar="NAME|PATH", help="the parser: a name (see: faceparse-svg models), or a path to an .onnx "
        "or .pth (default: the embedded one)",
    )
    parsing.add_argument(
        "--classes", metavar="FILE", type=Path, help="what the classes of that model stand for, one part a line, "
        "or its NAME.parts.json (found beside it unasked), which label maps with its own parts need, too",
    )
    parsing.add_argument(
        "--device", choices=DEVICES, default="cpu", help="where that model runs (default: %(default)s)",
    )
    parsing.add_argument(
        "--heads", type=_heads, metavar="largest|all|N", help="of several heads the largest (the default), all, or the "
        "N largest, each a group of layers",
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
    words = sys.argv[1:] if argv is None else list(argv)
    if words[:1] == ["models"]:
        from svg_export import models_cli

        try:
            return models_cli.main(words[1:], _ArgumentParser)
        except KeyboardInterrupt:
            return 128 + signal.SIGINT
    parser = build_parser()
    arguments = parser.parse_args(words)
    try:
        classes = _classes(arguments)
        table = classes.table if classes else STANDARD
        drawn = DRAWN if arguments.parts is None else arguments.parts
        parts = select_parts(drawn, derived=not arguments.from_labels, table=table)
        jobs, complaints = _plan(arguments, table)
        swatches = _swatches(arguments, jobs, table)
    except ModelError as error:
        Report(as_json=arguments.json).fail(None, str(error))
        return 2
    except (FaceParseError, ValueError) as error:
        parser.error(str(error))
    quiet = any(job.to_stdout for job in jobs)
    if quiet and arguments.json:
        parser.error("--json and the SVG both want stdout; name a file or folder with -o")
    report = Report(as_json=arguments.json, quiet=quiet)
    try:
        report.start(__version__, len(jobs))
        for complaint in complaints:
            report.fail(None, complaint)
        if jobs:
            _run(jobs, parts, swatches, arguments, classes, report)
    except ModelError as error:  # before the first photo: the same for all of them
        report.fail(None, str(error))
        return 2
    except KeyboardInterrupt:
        report.interrupted()
        return 128 + signal.SIGINT
    report.done()
    return 1 if report.failed else 0


def _classes(arguments: argparse.Namespace) -> Classes | None:
    """What the classes of the model stand for where a file says so. Raises ModelError."""
    if arguments.classes is None and (arguments.from_labels or not os.path.splitext(arguments.model or "")[1]):
        return None
    from faceparse_core.classes import classes_beside, read_classes

    return classes_beside(arguments.model) if arguments.classes is None else read_classes(arguments.classes)


def _plan(arguments: argparse.Namespace, table: PartTable) -> tuple[list[Job], list[str]]:
    """(jobs, complaints). Raises ValueError where options do not go together."""
    if arguments.weight is not None and "outline" not in (arguments.style or ""):
        raise ValueError("--weight is that of lines; it goes with --style outline, flat+outline or cel+outline")
    extras = _extras(arguments, table)
    if arguments.no_svg and not extras:
        raise ValueError("--no-svg writes nothing at all without --mask, --heatmap or another picture")
    if arguments.no_svg and not arguments.output and STDIN in arguments.photos:
        raise ValueError("what becomes of stdin has no folder of its own; name one with -o")
    if arguments.mask_threshold is not None and not arguments.mask:
        raise ValueError("--mask-threshold is that of the mask; it goes with --mask")
    if arguments.from_labels:
        of_photos = ("heatmap", "heatmap_parts", "mask_threshold", "colorize_over", "gallery")
        for option in of_photos:
            given = getattr(arguments, option)
            if given is not None and given is not False:  # a threshold of 0 is one
                said = "no photo is read" if option in ("colorize_over", "gallery") else "a label map has no scores"
                raise ValueError(f"--{option.replace('_', '-')} does not go with --from-labels: {said}")
        for option in ("model", "classes", "save_labels"):
            if getattr(arguments, option) and not (option == "classes" and table.own):
                raise ValueError(f"--{option.replace('_', '-')} does not go with --from-labels: no photo is parsed")
        if arguments.heads is not None:
            raise ValueError("--heads does not go with --from-labels: every head of the map is drawn")
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
    jobs, doubled = plan(sources, arguments.output, extras, svg=not arguments.no_svg)
    return jobs, unknown + doubled


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


def _run(
    jobs: Sequence[Job],
    parts: frozenset[int],
    swatches: Mapping[str, Rgb],
    arguments: argparse.Namespace,
    classes: Classes | None,
    report: Report,
) -> None:
    """Draw every job; a failure is reported and the next photo follows. Raises ModelError before the first."""
    # What draws is imported while the network loads and looks: that leaves Python's lock free most of the time.
    threading.Thread(target=importlib.import_module, args=("svg_export.export",), daemon=True).start()
    parser: Parser | None = None
    if not arguments.from_labels:
        parser = _load_parser(arguments, classes)
        if note := _unknown_to(parser, arguments.parts or ""):
            report.note(None, note)
    table = classes.table if classes else STANDARD
    for job, taken in _taken(jobs, parser, arguments, table, report):
        try:
            if isinstance(taken, Exception):
                raise taken
            _draw_one(job, taken, parts, swatches, arguments, table, report)
        except Exception as error:  # the door of the program: whatever went wrong is this photo's failure, in one line
            if os.environ.get("FACEPARSE_TRACEBACK"):
                raise
            report.fail(job.source, _explain(error, job.source))
        del taken  # before the next ones are read: it holds a photo


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
    jobs: Sequence[Job], parser: Parser | None, arguments: argparse.Namespace, table: PartTable, report: Report
) -> Iterator[tuple[Job, _Taken | Exception]]:
    """Each job with what was read and parsed, or the error. Some photos ahead are parsed with it, in batches."""
    ahead: deque[_Taken | Exception] = deque()
    for index, job in enumerate(jobs):
        report.photo(job.source, index + 1)
        report.step(job.source, "read")
        first = not ahead
        if first:
            ahead = _read_some(jobs[index : index + (parser.batch if parser else 1)], arguments, table)
        if parser and isinstance(ahead[0], _Taken):
            report.step(job.source, "parse")
        if parser and first:
            ahead = _parsed(ahead, parser, _most(arguments.heads))
        yield job, ahead.popleft()


def _read_some(jobs: Sequence[Job], arguments: argparse.Namespace, table: PartTable) -> deque[_Taken | Exception]:
    """The sources of the first jobs, as many as memory is given to. An error is kept until the job's turn."""
    found: deque[_Taken | Exception] = deque()
    pixels = 0
    for job in jobs:
        try:
            found.append(taken := _read(job, arguments, table))
            pixels += taken.photo.rgb[..., 0].size if taken.photo else 0
        except Exception as error:
            found.append(error)
        if pixels >= TOGETHER_PIXELS:
            break
    return found


def _read(job: Job, arguments: argparse.Namespace, table: PartTable) -> _Taken:
    began = time.perf_counter()
    check_outputs(job, arguments.force)
    from faceparse_core.photo import read_label_map, read_photo

    if arguments.from_labels:
        labels = read_label_map(job.source, table)
        return _Taken(time.perf_counter() - began, labels=labels)
    photo = read_photo(sys.stdin.buffer.read(), "stdin") if job.source == STDIN else read_photo(job.source)
    href = None
    if arguments.photo_layer == "link":
        from svg_export.export import link_photo

        href = link_photo(job.source, job.svg)
    elif arguments.photo_layer == "embed":
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
    parsings = iter(together(photos, parser, partial(parse_heads, most=most)) if photos else ())
    share = (time.perf_counter() - began) / max(1, len(photos))
    found: deque[_Taken | Exception] = deque()
    for taken in group:
        if isinstance(taken, _Taken):
            parsing = next(parsings)
            if isinstance(parsing, Exception):
                found.append(parsing)
            else:
                found.append(dataclasses.replace(taken, seconds=taken.seconds + share, parsing=parsing))
        else:
            found.append(taken)
    return found


def _load_parser(arguments: argparse.Namespace, classes: Classes | None) -> Parser:
    """The parser asked for, downloaded where it has to be. Raises ModelError."""
    from faceparse_core.parser import EMBEDDED, load_parser
    from svg_export.models_cli import download_bar

    model = arguments.model or EMBEDDED
    with download_bar(model) as progress:
        return load_parser(model, device=arguments.device, classes=classes, progress=progress)


def _draw_one(
    job: Job,
    taken: _Taken,
    parts: frozenset[int],
    swatches: Mapping[str, Rgb],
    arguments: argparse.Namespace,
    table: PartTable,
    report: Report,
) -> None:
    """One photo (or label map) from tracing to writing. Raises what went wrong."""
    began = time.perf_counter()
    options: dict[str, Any] = {
        "title": job.title,
        "background": arguments.background,
        "swatches": swatches,
        "table": table,
    }
    facts: dict[str, Any] = {"heads": None, "layers": [], "nodes": None, "error": None}
    rgb = taken.photo.rgb if taken.photo else None
    parsing = taken.parsing
    labels = parsing.labels if parsing else taken.labels
    assert labels is not None
    from faceparse_core.group import count_faces

    facts["faces"] = count_faces(labels)
    if parsing:
        facts["heads"] = parsing.heads
        options["photo_href"] = taken.photo_href
        options["model"] = {"name": parsing.model.name, "sha256": parsing.model.sha256}
        if note := _lacking_heads(arguments.heads or "largest", parsing.heads, len(parsing.faces)):
            report.note(job.source, note)
    drawn: Drawn | None = None
    if not arguments.no_svg or {"preview", "palette"} & {*job.extras}:
        report.step(job.source, "trace")
        from svg_export.export import draw_group, sitters_in, sitters_of
        from svg_export.layers import TraceSettings
        from svg_export.looks import LookSettings

        sitters = sitters_of(taken.photo, parsing) if taken.photo and parsing else sitters_in(labels)
        trace = TraceSettings(tolerance_px=arguments.tolerance, max_nodes=arguments.max_nodes, curves=arguments.curves)
        if arguments.joins:
            trace = dataclasses.replace(trace, joins=arguments.joins)
        given = {"style": arguments.style, "weight": arguments.weight}
        look = LookSettings(**{name: value for name, value in given.items() if value is not None})
        drawn = draw_group(labels, sitters, parts, trace, look, **options)
        facts |= {"layers": drawn.names, "nodes": drawn.nodes, "error": drawn.error}
        if arguments.max_nodes is not None and drawn.nodes > arguments.max_nodes:
            report.note(job.source, f"{drawn.nodes} nodes are the fewest that this picture can be drawn with")
        if drawn.crossings:
            report.note(job.source, f"outlines cross and could not be kept apart, places: {drawn.crossings}")
    report.step(job.source, "write")
    if job.to_stdout and drawn:
        _write_to_stdout(drawn.svg)
    else:
        from svg_export.pictures import Picture

        parsings = parsing.each() if parsing else ()
        how = swatches, arguments.parts, arguments.mask_threshold, table
        picture = Picture(labels, rgb, parsings, drawn, job.title, *how)
        contents = {job.svg: drawn.svg} if job.svg and drawn else {}
        write_files(contents | {path: picture.file(kind) for kind, path in job.extras.items()}, arguments.force)
    report.wrote(
        job.source,
        job.svg,
        {**dict.fromkeys(EXTRAS), **job.extras},
        size=list(labels.shape),
        seconds=round(taken.seconds + time.perf_counter() - began, 3),
        **facts,
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
    try:
        sys.stdout.buffer.write(svg)
        sys.stdout.buffer.flush()
    except OSError:
        silence(sys.stdout)
        raise


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
