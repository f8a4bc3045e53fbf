"""`faceparse-svg models`: which models there are, fetching them, and where they lie.

    faceparse-svg models [list [--json]]           name, size, licence and terms, place, downloaded or not
    faceparse-svg models get NAME [--from FILE]    into the cache: from the network, or a file that was got elsewhere
    faceparse-svg models remove NAME
    faceparse-svg models path [NAME]               where it lies; without a name, the cache folder
    faceparse-svg models convert FILE [-o FILE]    a .caffemodel of FCN-8s into NAME.pth, a .pth into NAME.onnx;
                                                   [--force] over a file that exists

Exit status: 0 done; 1 it could not be done, one line on stderr says why; 2 wrong usage. A photo or folder that is
itself called `models` is named as `./models`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from faceparse_core import zoo
from faceparse_core.cache import cache_folder, whole_file
from faceparse_core.errors import FaceParseError
from faceparse_core.models import folder as MODELS
from svg_export.files import OutputError, shown
from svg_export.report import PROGRAM, silence

COMMAND = "models"
_EMBEDDED_FILE = MODELS / "parser.onnx"


def build_parser(kind: type[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """kind: the class of parser, which says how wrong usage is told."""
    description = (__doc__ or "").split("\n\n")
    parser = kind(
        prog=f"{PROGRAM} {COMMAND}",
        description=description[0],
        epilog="\n\n".join(description[1:]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    names = ", ".join(zoo.KNOWN)
    # fmt: off
    listing = verbs.add_parser("list", help="the models that are known by name (where no verb is given)")
    listing.add_argument("--json", action="store_true", help="one JSON object a line, for programs")
    getting = verbs.add_parser("get", help="into the cache")
    getting.add_argument("name", metavar="NAME", help=names)
    getting.add_argument("--from", dest="source", type=Path, metavar="FILE", help="a file that was got elsewhere")
    removing = verbs.add_parser("remove", help="delete it, what was converted from it, what killed processes left")
    removing.add_argument("name", metavar="NAME", help=names)
    finding = verbs.add_parser("path", help="where it lies")
    finding.add_argument("name", metavar="NAME", nargs="?", help=f"{names}; the cache folder where none is given")
    converting = verbs.add_parser("convert", help="a .caffemodel of FCN-8s into a .pth, or a .pth into an .onnx")
    converting.add_argument("file", type=Path, metavar="FILE")
    converting.add_argument("-o", "--output", type=Path, metavar="FILE", help="where to (default: beside it)")
    converting.add_argument("--force", action="store_true", help="overwrite what exists already")
    # fmt: on
    return parser


def main(argv: Sequence[str], kind: type[argparse.ArgumentParser]) -> int:
    """`argv`: what stands behind `models`. Returns the exit status; wrong usage raises SystemExit, as in argparse."""
    arguments = build_parser(kind).parse_args(argv)
    verbs: dict[str, Callable[[argparse.Namespace], None]] = {
        "get": _get, "remove": _remove, "path": _path, "convert": _convert,
    }  # fmt: skip
    try:
        verbs.get(arguments.verb, _list)(arguments)
        print(end="", flush=True)
    except BrokenPipeError:  # whoever reads has seen enough
        silence(sys.stdout)
    except OSError as error:  # of stdout: what else can fail says so itself
        silence(sys.stdout)
        print(f"{PROGRAM}: what was to be said could not be written ({error.strerror})", file=sys.stderr)
        return 1
    except FaceParseError as error:
        print(f"{PROGRAM}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


@contextmanager
def download_bar(name: str) -> Iterator[Callable[[int, int | None], None]]:
    """What `load_parser` and `zoo.get` tell of a download, shown on stderr: a bar on a terminal, else one line."""
    bar: Any = None
    told = False

    def tell(done: int, total: int | None) -> None:
        nonlocal bar, told
        if not told:
            told = True
            if sys.stderr is not None and sys.stderr.isatty():
                from tqdm import tqdm

                bar = tqdm(desc=f"downloading {name}", unit="B", unit_scale=True, leave=False, dynamic_ncols=True)
            elif sys.stderr is not None:
                size = "" if total is None else f", {total / 1e6:.0f} MB"
                print(f"{PROGRAM}: note: downloading {name}{size}, this once", file=sys.stderr, flush=True)
        if bar is not None:
            bar.total = total
            bar.update(done - bar.n)

    try:
        yield tell
    finally:
        if bar is not None:
            bar.close()


def _list(arguments: argparse.Namespace) -> None:
    rows: list[dict[str, Any]] = [
        {
            "name": zoo.EMBEDDED,
            "megabytes": round(_EMBEDDED_FILE.stat().st_size / 1e6),
            "state": "in the package",
            "about": "20 parts: our own network, the default",
            "licence": zoo.EMBEDDED_LICENCE,
            "path": os.fspath(_EMBEDDED_FILE),
            "homepage": None,
        }
    ]
    for model in zoo.KNOWN.values():
        path = zoo.present(model)
        rows.append({
            "name": model.name,
            "megabytes": model.files[0].megabytes,
            "state": "downloaded" if path else "not downloaded",
            "about": model.about,
            "licence": model.licence,
            "path": os.fspath(path or zoo.place(model.files[0])),
            "homepage": model.homepage,
        })  # fmt: skip
    for row in rows:
        if getattr(arguments, "json", False):
            print(json.dumps(row))
            continue
        print(f"{row['name']:10} {row['megabytes']:4} MB  {row['state']}")
        print(f"{'':10} {row['about']}")
        print(f"{'':10} {row['licence']}")
        print(f"{'':10} {'' if row['state'] != 'not downloaded' else 'would lie in '}{shown(row['path'])}")
        if row["homepage"]:
            print(f"{'':10} from {row['homepage']}")


def _get(arguments: argparse.Namespace) -> None:
    if arguments.name == zoo.EMBEDDED and arguments.source is not None:
        raise FaceParseError("the embedded model is a part of the package; another file goes with --model FILE")
    if arguments.name == zoo.EMBEDDED:
        path = _EMBEDDED_FILE
    elif arguments.source is not None:
        path = zoo.install(arguments.name, arguments.source)
    else:
        with download_bar(arguments.name) as progress:
            path = zoo.get(arguments.name, progress)
    print(shown(path))


def _remove(arguments: argparse.Namespace) -> None:
    if arguments.name == zoo.EMBEDDED:
        raise FaceParseError("the embedded model is a part of the package and stays")
    gone = zoo.remove(arguments.name)
    for path in gone:
        print(f"deleted {shown(path)}")
    if not gone:
        print(f"nothing of {arguments.name} is in the cache")


def _path(arguments: argparse.Namespace) -> None:
    if arguments.name is None:
        print(shown(cache_folder()))
    elif arguments.name == zoo.EMBEDDED:
        print(shown(_EMBEDDED_FILE))
    else:
        path = zoo.present(zoo.known(arguments.name))
        if path is None:
            raise FaceParseError(f"{arguments.name} is not downloaded; run: {PROGRAM} models get {arguments.name}")
        print(shown(path))


def _convert(arguments: argparse.Namespace) -> None:
    source: Path = arguments.file
    kinds = {".caffemodel": ".pth", ".pth": ".onnx", ".pt": ".onnx"}
    kind = source.suffix.lower()
    if kind not in kinds:
        raise FaceParseError(f"{shown(source)}: what is converted is a .caffemodel, or a .pth")
    target: Path = arguments.output or source.with_suffix(kinds[kind])
    if target.suffix.lower() not in (kinds[kind], ".onnx"):
        ways = " or ".join(dict.fromkeys((kinds[kind], ".onnx")))
        raise FaceParseError(f"-o {shown(target)}: a {kind} is converted to a file that ends in {ways}")
    if os.path.lexists(target) and not arguments.force:
        raise OutputError(f"{shown(target)} exists already; --force overwrites it")
    if not zoo.can_convert():
        raise FaceParseError(f"to convert a model takes torch; {zoo.INSTALL_TORCH}")
    from faceparse_core.checkpoints import read_checkpoint, read_weights, write_checkpoint, write_converted

    weights = read_weights(source)
    network = read_checkpoint(shown(source), weights, "fcn8s" if kind == ".caffemodel" else None)
    try:
        with whole_file(target) as temporary:
            if target.suffix.lower() == ".onnx":
                write_converted(network, temporary)
            else:
                write_checkpoint(weights, temporary)
    except OSError as error:
        raise OutputError(f"{shown(target)} could not be written ({error.strerror or error})") from error
    print(f"wrote {shown(target)}")
