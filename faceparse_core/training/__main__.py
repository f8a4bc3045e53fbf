"""`python -m faceparse_core.training train|evaluate|export parser|heads`: make the embedded networks again."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from faceparse_core.errors import FaceParseError, Interrupted, printable
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


def build_arguments() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m faceparse_core.training", description=__doc__)
    verbs = top.add_subparsers(dest="verb", required=True)
    for verb, purpose in (("train", "train from scratch"), ("evaluate", "print scores"), ("export", "write the .onnx")):
        command = verbs.add_parser(verb, help=purpose)
        command.add_argument("network", choices=("parser", "heads"))
        if verb != "export":
            command.add_argument(
                "--data", action="append", metavar="PATH",
                help="pairs to learn from or to measure on, a folder or a tar in a layout that docs/training.md lists; "
                "may be given several times (default: $FACEPARSE_DATA, but with --add none)",
            )  # fmt: skip
            command.add_argument(
                "--skip-broken", action="store_true", help="parser: leave broken pairs out, and say which"
            )
        if verb != "evaluate":
            command.add_argument("--run", type=Path, default=Path("runs"), help="folder of checkpoints (default: runs)")
        command.add_argument(
            "--add", action="append", default=[], metavar="NAME=FOLDER",
            help="parser: a part of your own, photos and painted masks; see docs/own-part.md",
        )  # fmt: skip
        if verb == "train":
            command.add_argument("--steps", type=at_least(1), help="optimisation steps")
            command.add_argument("--seed", type=int, help="of everything random")
            command.add_argument(
                "--resume", action="store_true",
                help="go on from the checkpoint in --run, parser: with all that the run was started with",
            )  # fmt: skip
            command.add_argument("--again", action="store_true", help="start anew and overwrite the run in --run")
            loop = command.add_argument_group("for the parser")
            loop.add_argument("--parts", choices=("face",), help="the face alone, against all else")
            loop.add_argument(
                "--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: a GPU, if any"
            )
            loop.add_argument("--batch", type=at_least(2), metavar="N", help="pictures in memory at once (default: 16)")
            loop.add_argument("--accumulate", type=at_least(1), metavar="N", help="so many batches make a step (1)")
            loop.add_argument("--rate", type=float, help="learning rate on the plateau")
            loop.add_argument(
                "--validate",
                type=at_least(1),
                nargs="?",
                const=50,
                default=0,
                metavar="N",
                help="score N of the pairs held out at the end of each epoch (50)",
            )
            loop.add_argument("--keep-best", action="store_true", help="keep the checkpoint that scored best too")
            loop.add_argument("--tensorboard", action="store_true", help="event files in --run, for TensorBoard")
            loop.add_argument("--from", dest="weights", type=Path, metavar="ONNX", help="start from its weights")
            loop.add_argument(
                "--beards", action="store_true", help="tell beards from skin on people's pairs by the network of --from"
            )
            loop.add_argument("--occluders", type=Path, metavar="DIR", help="cut-outs to lie in front of faces")
        if verb == "evaluate":
            command.add_argument("--model", default="embedded", help="an .onnx file (default: the embedded network)")
            command.add_argument("--size", type=int, help="parser: side of the square that it reads, in px")
            command.add_argument("--photos", type=Path, help="heads: a folder of photos with one head each")
            command.add_argument("--mirror", action="store_true", help="parser: mean with the mirrored picture")
            command.add_argument("--report", type=Path, metavar="MD", help="parser: write a page with pictures too")
        if verb == "export":
            command.add_argument("-o", "--output", type=Path, help="default: the embedded network")
            command.add_argument("--mix", type=Path, metavar="ONNX", help="parser: what its training went on from ...")
            command.add_argument("--share", type=float, default=0.7, help="... and how much of the change stays (0.7)")
            command.add_argument("--best", action="store_true", help="parser: the checkpoint that --keep-best kept")
            command.add_argument(
                "--weights", choices=("half", "int8", "full"), default="half", help="parser: how they are stored (half)"
            )
    return top


def at_least(least: int) -> Callable[[str], int]:
    """A type of argparse's: a whole number from `least` on."""

    def number(word: str) -> int:
        if int(word) < least:
            raise argparse.ArgumentTypeError(f"{word} is less than {least}")
        return int(word)

    return number


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0 done, 1 failed with one line on stderr, 2 wrong usage, 130 interrupted."""
    arguments = build_arguments().parse_args(argv)
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
        from faceparse_core.training.parser import LAST, train_parser
        from faceparse_core.training.watch import read_held_out

        check_start(a.run / LAST, a.resume, a.again)  # before the data are read
        before = read_checkpoint(a.run / LAST) if a.resume else None
        if before:
            _take_up(a, before.started)
        weights = a.weights or (MODELS / "parser.onnx" if a.add else None)
        new = OWN if a.add else FURTHER if weights else TrainSettings()
        settings = before.settings if before else new
        changes |= {key: getattr(a, key) for key in ("batch", "accumulate", "rate") if getattr(a, key) is not None}
        if a.batch:  # as large a share of them rendered
            changes["rendered"] = round(a.batch * settings.rendered / settings.batch)
        held_out = read_held_out(_paths(a), a.validate) if a.validate else ()
        settings = dataclasses.replace(settings, **changes)
        mixture = _mixture(a, weights)
        options = RunOptions(a.again, a.device, a.keep_best, a.tensorboard, started=_started(a))
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
    sets = [one for path in _paths(a) for one in find_sets(path)]
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
    folders = [read_own(named, classes, teacher) for named in added]
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
    if a.report:
        scores = write_report(parser, pairs, a.mirror, a.report, classes=classes)
    else:
        scores = evaluate(parser, pairs, a.mirror, classes)
    print(f"{parser.info.name} {parser.info.sha256[:12]}, whole frames read at {parser.size} px")
    print(scores.table())
    sets = [one for path in _paths(a) for one in rendered_held_out(path)]
    if sets and "beard" in classes.names:
        rendered = Pairs(sets, a.skip_broken)
        beard = evaluate(parser, rendered, a.mirror, classes)
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
    ours = a.add or (Path(a.model).suffix == ".onnx" and classes_beside(a.model))
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
    from faceparse_core.training.checkpoint import written

    output = a.output or MODELS / f"{a.network}.onnx"
    if a.network == "heads":
        from faceparse_core.training.finder import CHECKPOINT, export_finder

        with written(output), whole_file(output) as path:
            export_finder(a.run / CHECKPOINT, path)
        return
    from faceparse_core.training.checkpoint import read_checkpoint
    from faceparse_core.training.export import export_parser, load_checkpoint, mix
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
    if (classes != Classes() or trained.started.add) and a.output is None:
        raise FaceParseError("this network has other parts than the embedded one; name its file, as in: -o mine.onnx")
    with written(output):
        with whole_file(output) as path:
            export_parser(load_checkpoint(checkpoint), path, SIZE, FRAME, "full" if a.mix else a.weights)
            if a.mix:
                mix(path, a.mix, a.share, a.weights)
        write_beside(classes, output)


if __name__ == "__main__":
    sys.exit(main())
