"""The options of `faceparse-svg`: what they are called, what they take, and which of them go together.

Nothing heavy is imported here: `--help` answers at once.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, get_args

from faceparse_core.errors import quoted
from faceparse_core.parts import PRESETS
from svg_export import __version__
from svg_export.files import STDIN
from svg_export.looks import WEIGHTS, Style
from svg_export.report import PROGRAM

#: How neighbours meet. The default is TraceSettings' own.
JOINS = ("underlap", "stacked", "cutout")
#: What borders are made of.
CURVES = ("bezier", "polygon")
#: What is drawn. The default is LookSettings' own.
STYLES: tuple[Style, ...] = get_args(Style)
#: Where a model runs, as `load_parser` takes it.
DEVICES = ("cpu", "cuda")
#: Which heads of a photo are drawn, where no number says it.
HEADS = ("largest", "all")
PHOTO_COLORS = "photo"  #: the word for no palette
DRAWN, MASKED = "portrait", "face"  #: the parts where none are named: of drawings, and of masks and heatmaps

#: What a label map does not go with, by the option's name, and why.
_NO_PHOTO = "no photo is read"
_NO_SCORES = "a label map has no scores"
_NOT_PARSED = "no photo is parsed"
_NOT_WITH_LABELS = {
    "heatmap": _NO_SCORES,
    "heatmap-parts": _NO_SCORES,
    "mask-threshold": _NO_SCORES,
    "colorize-over": _NO_PHOTO,
    "gallery": _NO_PHOTO,
    "photo-layer": _NO_PHOTO,
    "model": _NOT_PARSED,
    "device": _NOT_PARSED,
    "save-labels": _NOT_PARSED,
    "heads": "every head of the map is drawn",
}

_EPILOG = """\
A photo whose name begins with a dash goes behind --, or as ./-name.jpg.
Parts: a preset (contour: ears, head, hair, beard, hat; portrait: contour, what lies on the head, earrings;
all: neck, necklace and cloth too, and of a photo hair-back, what of the hair falls behind them) or names with
commas between, as in --parts head,hair,eye-left; ear, brow, eye, lip are both. face: head, and what lies on it.
own: what a model knows beside the 20, as NAME.parts.json beside it says; portrait and all have these parts, too,
and face those on the head.
faceparse-svg models lists other models, and fetches them; faceparse-svg models --help explains.
"""


class OneLineParser(argparse.ArgumentParser):
    """Tells wrong usage on one line."""

    def error(self, message: str) -> NoReturn:
        """Leaves with status 2, without argparse's usage text: it would bury what is wrong."""
        strange = message.startswith("unrecognized arguments") and " -" in message
        if strange or message.endswith("required: PHOTO"):
            message += " (a photo whose name begins with a dash goes behind --)"
        self.exit(2, f"{PROGRAM}: {' '.join(message.split())}; --help explains\n")


def _number(
    kind: type[int] | type[float], least: float, most: float, what: str, words: tuple[str, ...] = ()
) -> Callable[[str], str | float]:
    """A type for argparse: a number from `least` to `most`, which `what` describes, or one of `words`."""

    def read(word: str) -> str | float:
        if word in words:
            return word
        try:
            value = kind(word)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{quoted(word)} is no {what}")
        return value

    return read


_LARGEST = 1e9  # px, nodes, heads: more there cannot be
_LENGTH = _number(float, 0, _LARGEST, "length in px, 0 or more")
_PROBABILITY = _number(float, 0, 1, "probability from 0 to 1")
_COUNT = _number(int, 1, _LARGEST, "whole number from 1 on")
_WEIGHT = _number(float, *WEIGHTS, "share of the head's height from {} to {}".format(*WEIGHTS))
_HEADS = _number(int, 1, _LARGEST, "number of heads from 1 on, nor one of: " + ", ".join(HEADS), HEADS)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command's words. Wrong usage raises SystemExit with status 2, one line on stderr."""
    parser = OneLineParser(
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
        "--mask-threshold", type=_PROBABILITY, metavar="T",
        help="the mask is where they have the probability T or more, 0 to 1",
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
        "--tolerance", type=_LENGTH, metavar="PX", help="how far curves may stray from the smoothed borders, in px "
        "of the photo; thin parts less (default: 1/500 of the face's height)",
    )
    drawing.add_argument(
        "--max-nodes", type=_COUNT, metavar="N", help="nodes of the whole drawing at most: the tolerance is raised "
        "until they suffice, and the error told",
    )
    drawing.add_argument(
        "--style", choices=STYLES, help="filled shapes (flat, the default), lines (outline), both, "
        "or shapes with the light and the shadow of the photo upon them (cel)",
    )
    drawing.add_argument(
        "--weight", type=_WEIGHT, metavar="SHARE", help="thickness of the lines as a share of the head's height "
        "(default: 0.01)",
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
        "--heads", type=_HEADS, metavar="largest|all|N", help="of several heads the largest (the default), all, or the "
        "N largest, each a group of layers",
    )
    parsing.add_argument(
        "--from-labels", action="store_true", help="the inputs are label maps (as --save-labels writes them)",
    )
    # fmt: on
    parser.add_argument("--json", action="store_true", help="one JSON object a line for every step, for programs")
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    return parser


def check(arguments: argparse.Namespace, parser: argparse.ArgumentParser, own: bool) -> None:
    """Raise ValueError where options do not go together.

    own  whether --classes describes parts of a model's own: for those a label map needs it
    """
    stdin = STDIN in arguments.photos
    if arguments.weight is not None and "outline" not in (arguments.style or ""):
        raise ValueError("--weight is that of lines; it goes with --style outline, flat+outline or cel+outline")
    if arguments.no_svg and not arguments.output and stdin:
        raise ValueError("what becomes of stdin has no folder of its own; name one with -o")
    if arguments.mask_threshold is not None and not arguments.mask:
        raise ValueError("--mask-threshold is that of the mask; it goes with --mask")
    if arguments.tolerance == 0 and arguments.curves != "polygon":
        raise ValueError("--tolerance 0 follows the pixels' own border: it goes with --curves polygon")
    if arguments.tolerance == 0 and arguments.max_nodes is not None:
        raise ValueError("--max-nodes raises the tolerance: it does not go with --tolerance 0")
    if arguments.no_svg and (arguments.photo_layer != "none" or (arguments.background and not arguments.preview)):
        raise ValueError("--photo-layer and --background are layers of the SVG: they do not go with --no-svg")
    if arguments.photo_layer == "link" and stdin:
        raise ValueError("--photo-layer link needs a file to link to; use embed for stdin")
    if not arguments.from_labels:
        return
    refused = _NOT_WITH_LABELS | ({} if own else {"classes": _NOT_PARSED})
    for option, why in refused.items():
        name = option.replace("-", "_")
        if getattr(arguments, name) != parser.get_default(name):
            raise ValueError(f"--{option} does not go with --from-labels: {why}")
    if "cel" in (arguments.style or ""):
        raise ValueError(f"--style {arguments.style} does not go with --from-labels: its light is a photo's")
    if stdin:
        raise ValueError("--from-labels reads files, not stdin")
