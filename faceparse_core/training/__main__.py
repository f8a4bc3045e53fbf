"""`python -m faceparse_core.training train|evaluate|export parser|heads`: networks of one's own, and ours again."""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from faceparse_core.errors import FaceParseError, Interrupted, printable, quoted
from faceparse_core.models import folder as MODELS
from faceparse_core.parts import BEARD

if TYPE_CHECKING:
    from faceparse_core.classes import Classes
    from faceparse_core.parser import Parser
    from faceparse_core.training.data import Pair
    from faceparse_core.training.settings import Started
    from faceparse_core.training.stream import Mixture

#: The parser's crop: side of the square that it reads in px, and in face heights. Why: models/parser.md.
SIZE, FRAME = 448, 1.8
MOST_LOGITS = 100.0  #: that are added to a part's score: more than any two scores differ by
MIX = 0.7  #: of what training further has changed stays as much, where a mixture is asked for


def build_arguments() -> argparse.ArgumentParser:
    from faceparse_core.training.settings import FURTHER, OWN, TrainSettings

    top = argparse.ArgumentParser(
        prog="python -m faceparse_core.training",
        description="Train the networks that find heads and tell the parts of a face, measure them, and write them as "
        ".onnx. docs/training.md tells how, docs/own-part.md how to add a part of your own from twenty photos.",
    )
    verbs = top.add_subparsers(dest="verb", required=True)
    for verb, purpose in (
        ("train", "learn from labelled pairs: from nothing, further (--from), or a part of your own (--add)"),
        ("evaluate", "print scores on pairs that are held out"),
        ("export", "write what a run has learnt as .onnx"),
    ):
        command = verbs.add_parser(verb, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
        command.add_argument(
            "network", choices=("parser", "heads"),
            help="parser: tells the parts of a face. heads: finds the heads in a photo",
        )  # fmt: skip
        if verb != "export":
            command.add_argument(
                "--data", action="append", metavar="PATH",
                help="pairs to learn from or to measure on, a folder or a tar in a layout that docs/training.md lists; "
                "may be given several times (default: $FACEPARSE_DATA, but with --add none)",
            )  # fmt: skip
        if verb != "evaluate":
            command.add_argument("--run", type=Path, default=Path("runs"), help="folder of checkpoints (default: runs)")
        if verb == "train":
            steps = f"{TrainSettings.steps}; with --from {FURTHER.steps}, with --add {OWN.steps}"
            command.add_argument(
                "--steps", type=whole_number(1), metavar="N", help=f"how long to train, in steps (parser: {steps})"
            )
            command.add_argument("--seed", type=whole_number(0), metavar="N", help="of everything random")
            command.add_argument(
                "--resume", action="store_true",
                help="go on from the checkpoint in --run, parser: with all that the run was started with",
            )  # fmt: skip
            command.add_argument("--again", action="store_true", help="start anew and overwrite the run in --run")
        if verb == "evaluate":
            command.add_argument("--photos", type=Path, metavar="DIR", help="heads: photos with one head each")
        if verb == "export":
            command.add_argument(
                "-o", "--output", type=Path, metavar="ONNX", help="default: the network in the package"
            )
        only = command.add_argument_group("for the parser")
        only.add_argument(
            "--add", action="append", default=[], metavar="NAME=FOLDER",
            help="a part of your own, photos and painted masks; see docs/own-part.md",
        )  # fmt: skip
        if verb != "export":
            only.add_argument("--skip-broken", action="store_true", help="leave broken pairs out, and say which")
        if verb == "train":
            only.add_argument(
                "--from", dest="weights", type=Path, metavar="ONNX",
                help="start from the weights of an exported network (default: from nothing, with --add from the "
                "network in the package)",
            )  # fmt: skip
            only.add_argument("--parts", choices=("face",), help="the face alone, against all else")
            only.add_argument(
                "--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: a GPU, if any"
            )
            only.add_argument(
                "--batch", type=whole_number(2), metavar="N",
                help=f"pictures in memory at once ({TrainSettings.batch}; with --add {OWN.batch})",
            )  # fmt: skip
            only.add_argument("--accumulate", type=whole_number(1), metavar="N", help="so many batches make a step (1)")
            only.add_argument(
                "--rate", type=between(0, 1), metavar="R",
                help="learning rate on the plateau "
                f"({TrainSettings.rate}; with --from {FURTHER.rate}, with --add {OWN.rate})",
            )  # fmt: skip
            only.add_argument(
                "--validate", type=whole_number(1), nargs="?", const=50, default=0, metavar="N",
                help="score N of the pairs held out at the end of each epoch (50)",
            )  # fmt: skip
            only.add_argument("--keep-best", action="store_true", help="keep the checkpoint that scored best too")
            only.add_argument("--tensorboard", action="store_true", help="event files in --run, for TensorBoard")
            only.add_argument(
                "--beards", action="store_true", help="tell beards from skin on people's pairs by the network of --from"
            )
            only.add_argument("--occluders", type=Path, metavar="DIR", help="cut-outs to lie in front of faces")
        if verb == "evaluate":
            only.add_argument(
                "--model", default="embedded", metavar="ONNX", help="what to measure (default: the one in the package)"
            )
            only.add_argument(
                "--size", type=whole_number(64, of=32), metavar="PX", help="side of the square that it reads, in px"
            )
            only.add_argument("--mirror", action="store_true", help="mean with the mirrored picture")
            only.add_argument("--report", type=Path, metavar="MD", help="write a page with pictures too")
        if verb == "export":
            only.add_argument("--mix", type=Path, metavar="ONNX", help="what its training went on from ...")
            only.add_argument(
                "--share", type=between(0, 1), metavar="S", help=f"... and how much of the change stays ({MIX})"
            )
            only.add_argument(
                "--bias", type=named_logits, action="append", default=[], metavar="PART=LOGITS",
                help="add to a part's score everywhere: beard=0.5 finds more of it, beard=-0.5 less",
            )  # fmt: skip
            only.add_argument("--best", action="store_true", help="the checkpoint that --keep-best kept")
            only.add_argument(
                "--weights", dest="stored", choices=("half", "int8", "full"), default="half",
                help="how they are stored (half)",
            )  # fmt: skip
    return top


def whole_number(least: int, most: int = 2**63 - 1, of: int = 1) -> Callable[[str], int]:
    """A type of argparse's: `least` to `most`, a multiple of `of`."""

    def number(word: str) -> int:
        if int(word) < least:
            raise argparse.ArgumentTypeError(f"{word} is not {least} or more")
        if int(word) > most or int(word) % of:
            raise argparse.ArgumentTypeError(f"{word} is {'too large' if int(word) > most else f'no multiple of {of}'}")
        return int(word)

    number.__name__ = "whole number"  # argparse calls it so where int() fails
    return number


def between(least: float, most: float) -> Callable[[str], float]:
    """A type of argparse's: more than `least`, and `most` at most."""

    def number(word: str) -> float:
        if not least < float(word) <= most:  # neither is a NaN
            raise argparse.ArgumentTypeError(f"{word} is not above {least:g} and {most:g} at most")
        return float(word)

    number.__name__ = "number"
    return number


def named_logits(word: str) -> tuple[str, float]:
    """A type of argparse's: a part and what is to be added to its score."""
    name, _, number = word.partition("=")
    try:
        logits = float(number)
    except ValueError:
        logits = math.nan
    if not name or not abs(logits) <= MOST_LOGITS:  # nor is it a NaN
        raise argparse.ArgumentTypeError(f"{quoted(word)} is not PART=LOGITS, as in beard=0.5")
    return name, logits


#: What the network that finds heads knows nothing of, and what it alone knows.
_FOR_PARSER = (
    "add", "skip_broken", "weights", "parts", "device", "batch", "accumulate", "rate", "validate", "keep_best",
    "tensorboard", "beards", "occluders", "model", "size", "mirror", "report", "mix", "share", "bias", "best", "stored",
)  # fmt: skip
_FOR_HEADS = ("photos",)


def _wrong_usage(a: argparse.Namespace, plain: argparse.Namespace) -> str:
    """What is wrong with options that do not go together; plain: the same command without any."""
    theirs, other = (_FOR_PARSER, "parser") if a.network == "heads" else (_FOR_HEADS, "heads")
    given = [key for key, value in vars(a).items() if key in theirs and value != getattr(plain, key)]
    if given:
        names = {"weights": "from", "stored": "weights"}
        option = names.get(given[0], given[0]).replace("_", "-")
        return f"--{option} is for the network {other}"
    if a.network == "heads" and a.verb != "export" and len(a.data or []) > 1:
        return "--data is given once to the network heads: a folder of our tars"
    if a.verb == "export" and a.share is not None and not a.mix:
        return "--share says how much --mix leaves of what training changed; name what it went on from with --mix"
    return ""


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0 done, 1 failed with one line on stderr, 2 wrong usage, 130 interrupted."""
    top = build_arguments()
    arguments = top.parse_args(argv)
    if wrong := _wrong_usage(arguments, top.parse_args([arguments.verb, arguments.network])):
        top.error(wrong)
    try:
        {"train": _train, "evaluate": _evaluate, "export": _export}[arguments.verb](arguments)
    except Interrupted as stopped:
        print(f"faceparse_core.training: {stopped}", file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        print("faceparse_core.training: interrupted; what was written last is whole", file=sys.stderr)
        return 130
    except FaceParseError as error:
        print(f"faceparse_core.training: {error}", file=sys.stderr)
        return 1
    return 0


def _train(a: argparse.Namespace) -> None:
    from faceparse_core.training.checkpoint import check_start, read_checkpoint
    from faceparse_core.training.settings import FURTHER, OWN, RunOptions, TrainSettings

    changes = {key: getattr(a, key) for key in ("steps", "seed") if getattr(a, key) is not None}
    if a.network == "parser":
        from faceparse_core.training.parser import LAST, check_means, train_parser
        from faceparse_core.training.watch import read_held_out

        check_start(a.run / LAST, a.resume, a.again)  # before the data are read
        before = read_checkpoint(a.run / LAST) if a.resume else None
        if before:
            _take_up(a, before.started)
        if a.keep_best and not a.validate:
            raise FaceParseError("--keep-best keeps what --validate scored best; add --validate")
        weights = a.weights or (MODELS / "parser.onnx" if a.add else None)
        options = RunOptions(a.again, a.device, a.keep_best, a.tensorboard, started=_started(a))
        check_means(weights, a.occluders, options)
        new = OWN if a.add else FURTHER if weights else TrainSettings()
        settings = before.settings if before else new
        changes |= {key: getattr(a, key) for key in ("batch", "accumulate", "rate") if getattr(a, key) is not None}
        held_out = read_held_out(_paths(a), a.validate, a.skip_broken) if a.validate else ()
        settings = dataclasses.replace(settings, **changes)
        mixture = _mixture(a, weights)
        train_parser(mixture, a.run, settings, a.resume, weights, a.occluders, options, held_out)
    else:
        from faceparse_core.training.data import data_folder
        from faceparse_core.training.finder import CHECKPOINT, train_finder

        check_start(a.run / CHECKPOINT, a.resume, a.again)
        train_finder(data_folder(a.data[0] if a.data else None), a.run, resume=a.resume, **changes)


def _started(a: argparse.Namespace) -> Started:
    """What `--resume` is to find in the checkpoint."""
    from faceparse_core.training.settings import Started

    data = tuple(os.path.abspath(path) for path in _paths(a))
    added = tuple(f"{name}={os.path.abspath(folder)}" for name, _, folder in (word.partition("=") for word in a.add))
    weights, occluders = (os.path.abspath(path) if path else None for path in (a.weights, a.occluders))
    watched = (a.validate, a.keep_best, a.tensorboard)
    return Started(data, added, a.parts, weights, a.beards, occluders, a.skip_broken, *watched)


def _take_up(a: argparse.Namespace, before: Started) -> None:
    """Fill in what the run was started with where nothing else is said. Raises FaceParseError where a path is gone."""
    for key, value in dataclasses.asdict(before).items():
        if not value or getattr(a, key):
            continue
        option = f"--{'from' if key == 'weights' else key}"
        paths = {"data": value, "add": [word.partition("=")[2] for word in before.add]}
        for path in paths.get(key, [value] if key in ("weights", "occluders") else []):
            if not Path(path).exists():
                raise FaceParseError(
                    f"the run was started with {option} {printable(path)}, where nothing lies any more; "
                    f"say with {option} where it is now"
                )
        setattr(a, key, Path(value) if key in ("weights", "occluders") else value)


def _paths(a: argparse.Namespace) -> list[Path]:
    """What --data names, else the variable; a user's own part needs neither."""
    from faceparse_core.training.data import data_folder

    return [Path(path) for path in a.data or []] or ([] if a.add else [data_folder()])


def _mixture(a: argparse.Namespace, weights: Path | None) -> Mixture:
    from faceparse_core.classes import Classes
    from faceparse_core.training.augment import AugmentSettings
    from faceparse_core.training.labels import FACE_ALONE
    from faceparse_core.training.layouts import find_sets
    from faceparse_core.training.stream import make_mixture

    if a.parts and a.add:
        raise FaceParseError("--parts and --add exclude each other: a network of one part learns no others")
    if a.parts and a.beards:
        raise FaceParseError("--parts and --beards exclude each other: a beard is face, and so is skin")
    sets = [one for path in _paths(a) for one in find_sets(path)]
    if sets:
        print(f"pairs to read: {sum(len(one.names) for one in sets)}", file=sys.stderr)
    if a.parts:  # whatever lies before a face is the harder half of telling it from all else
        return make_mixture(sets, FACE_ALONE, a.skip_broken, augment=AugmentSettings(occluded=0.6))
    if a.beards:
        from faceparse_core.training.beards import tell_beards
        from faceparse_core.training.teacher import load_teacher

        knows = load_teacher(weights) if weights else None
        if knows is None or "beard" not in knows.classes.names:
            raise FaceParseError("--beards asks a network that knows the beard; name it with --from")
        sets = tell_beards(sets, knows, a.run)
    if not a.add:
        return make_mixture(sets, Classes(), a.skip_broken)
    from faceparse_core.training.own import named_folder, own_sets, read_own, unnoticed, with_added
    from faceparse_core.training.teacher import load_teacher

    assert weights is not None
    teacher = load_teacher(weights)
    added = [named_folder(word) for word in a.add]
    classes = with_added(teacher.classes, added)
    folders = []
    for named in added:
        print(f"looking for faces in {printable(os.fspath(named.folder))}", file=sys.stderr)
        folders.append(one := read_own(named, classes, teacher))
        painted = sum((pair.labels == classes.table.by_name[one.part].id).any() for pair in one.pairs)
        print(f"{one.part}: {len(one.pairs)} faces, painted on {painted}", file=sys.stderr)
    sets = [*unnoticed(sets, folders, classes), *own_sets(folders, classes)]
    return make_mixture(sets, classes, a.skip_broken)


def _evaluate(a: argparse.Namespace) -> None:
    if a.network == "heads":
        from faceparse_core.training.data import data_folder
        from faceparse_core.training.finder import evaluate_finder

        print(evaluate_finder(data_folder(a.data[0] if a.data else None), photos=a.photos))
        return
    from faceparse_core.training.data import Pairs
    from faceparse_core.training.evaluate import evaluate
    from faceparse_core.training.layouts import rendered_held_out
    from faceparse_core.training.report import write_report

    parser, classes, pairs = _to_measure(a)
    sets = [one for path in _paths(a) for one in rendered_held_out(path)] if "beard" in classes.names else []
    rendered = Pairs(sets, a.skip_broken) if sets else ()
    beard = None
    if a.report:
        scores, beard = write_report(parser, pairs, a.mirror, a.report, classes=classes, bearded=rendered)
    else:
        scores = evaluate(parser, pairs, a.mirror, classes)
        if rendered:
            beard = evaluate(parser, rendered, a.mirror, classes)
    print(f"{parser.info.name} {parser.info.sha256[:12]}, whole frames read at {parser.size} px")
    print(scores.table())
    if beard:
        print(f"beard, on {len(rendered)} rendered pairs held out: IoU {beard.iou(BEARD):.4f}")


def _to_measure(a: argparse.Namespace) -> tuple[Parser, Classes, Sequence[Pair]]:
    """The parser, what it tells apart, and the pairs to measure it on."""
    from faceparse_core.classes import Classes, classes_beside
    from faceparse_core.parser import load_parser
    from faceparse_core.training.data import Pairs
    from faceparse_core.training.layouts import find_sets
    from faceparse_core.training.own import named_folder, own_sets, read_own
    from faceparse_core.training.teacher import Teacher, load_teacher

    sets = [one for path in _paths(a) for one in find_sets(path, "test")]
    ours = a.add or (Path(a.model).suffix.lower() == ".onnx" and classes_beside(a.model))
    teacher = load_teacher(a.model) if ours else Teacher(load_parser(a.model), Classes())
    parser, classes = dataclasses.replace(teacher.parser, size=a.size or teacher.parser.size), teacher.classes
    added = [named_folder(word) for word in a.add]
    for one in added:
        if one.part not in classes.names:
            raise FaceParseError(
                f"{parser.info.name} has no part {one.part}; name the network that learnt it with --model"
            )
    folders = [read_own(one, classes, teacher, teach=False) for one in added]
    return parser, classes, Pairs([*sets, *own_sets(folders, classes, teach=False)], a.skip_broken)


def _export(a: argparse.Namespace) -> None:
    from faceparse_core.cache import whole_file
    from faceparse_core.classes import Classes, write_beside
    from faceparse_core.training.saving import written

    output = a.output or MODELS / f"{a.network}.onnx"
    if a.network == "heads":
        from faceparse_core.training.finder import CHECKPOINT, export_finder

        with written(output), whole_file(output) as path:
            export_finder(a.run / CHECKPOINT, path)
        return
    from faceparse_core.training.checkpoint import read_checkpoint
    from faceparse_core.training.export import add_bias, export_parser, load_checkpoint, mix
    from faceparse_core.training.own import named_folder, with_added
    from faceparse_core.training.parser import BEST, LAST

    checkpoint = a.run / (BEST if a.best else LAST)
    trained = read_checkpoint(checkpoint)
    classes = trained.classes
    added = [named_folder(word) for word in a.add]
    for one in added:
        if one.part not in classes.names:
            raise FaceParseError(f"{checkpoint} has no part {one.part}; train it with --add first")
    classes = with_added(classes, added) if added else classes  # as their folders describe them now
    for name, _ in a.bias:
        if name not in classes.names:
            raise FaceParseError(f"{checkpoint} has no part {printable(name)}; --bias knows {', '.join(classes.names)}")
    bias = {classes.names.index(name): logits for name, logits in a.bias}
    if len(bias) < len(a.bias):
        raise FaceParseError("--bias names a part twice; say once how much is added to its score")
    if (classes != Classes() or trained.started.add) and a.output is None:
        raise FaceParseError("this network has other parts than the embedded one; name its file, as in: -o mine.onnx")
    with written(output):
        with whole_file(output) as path:
            export_parser(load_checkpoint(checkpoint), path, SIZE, FRAME, "full" if a.mix else a.stored)
            if a.mix:
                mix(path, a.mix, MIX if a.share is None else a.share, a.stored)
            if bias:
                add_bias(path, bias)
        write_beside(classes, output)


if __name__ == "__main__":
    sys.exit(main())
