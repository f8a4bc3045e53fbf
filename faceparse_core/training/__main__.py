"""`python -m faceparse_core.training train|evaluate|export parser|heads`: make the embedded networks again."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from faceparse_core.errors import FaceParseError
from faceparse_core.models import folder as MODELS

if TYPE_CHECKING:
    from faceparse_core.parser import Parser
    from faceparse_core.training.data import Pair
    from faceparse_core.training.labels import Classes
    from faceparse_core.training.stream import Mixture

#: The parser's crop: side of the square that it reads in px, and in face heights. Why: models/parser.md.
SIZE, FRAME = 416, 1.8


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
            command.add_argument("--parts", choices=("face",), help="parser: the face alone, against all else")
            command.add_argument("--steps", type=int, help="optimisation steps")
            command.add_argument("--seed", type=int, help="of everything random")
            command.add_argument("--resume", action="store_true", help="go on from the checkpoint in --run")
            command.add_argument(
                "--from",
                dest="weights",
                type=Path,
                metavar="ONNX",
                help="parser: start from its weights (with --add: the embedded)",
            )
            command.add_argument(
                "--occluders", type=Path, metavar="DIR", help="parser: cut-outs to lie in front of faces"
            )
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
    return top


def main(argv: list[str] | None = None) -> int:
    arguments = build_arguments().parse_args(argv)
    try:
        {"train": _train, "evaluate": _evaluate, "export": _export}[arguments.verb](arguments)
    except FaceParseError as error:
        print(f"faceparse_core.training: {error}", file=sys.stderr)
        return 1
    return 0


def _train(a: argparse.Namespace) -> None:
    changes = {key: getattr(a, key) for key in ("steps", "seed") if getattr(a, key) is not None}
    if a.network == "parser":
        from faceparse_core.training.parser import train_parser
        from faceparse_core.training.settings import FURTHER, OWN, TrainSettings

        weights = a.weights or (MODELS / "parser.onnx" if a.add else None)
        settings = dataclasses.replace(OWN if a.add else FURTHER if weights else TrainSettings(), **changes)
        train_parser(_mixture(a, weights), a.run, settings, a.resume, weights, a.occluders)
    else:
        from faceparse_core.training.data import data_folder
        from faceparse_core.training.finder import train_finder

        train_finder(data_folder(a.data[0] if a.data else None), a.run, resume=a.resume, **changes)


def _paths(a: argparse.Namespace) -> list[Path]:
    """What --data names, else the variable; a user's own part needs neither."""
    from faceparse_core.training.data import data_folder

    return [Path(path) for path in a.data or []] or ([] if a.add else [data_folder()])


def _mixture(a: argparse.Namespace, weights: Path | None) -> Mixture:
    from faceparse_core.training.augment import AugmentSettings
    from faceparse_core.training.labels import Classes, one_part
    from faceparse_core.training.layouts import find_sets
    from faceparse_core.training.stream import make_mixture

    if a.parts and a.add:
        raise FaceParseError("--parts and --add exclude each other: a network of one part learns no others")
    sets = [one for path in _paths(a) for one in find_sets(path)]
    if a.parts:  # whatever lies before a face is the harder half of telling it from all else
        return make_mixture(sets, one_part(a.parts), a.skip_broken, augment=AugmentSettings(occluded=0.6))
    if not a.add:
        return make_mixture(sets, Classes(), a.skip_broken)
    from faceparse_core.training.own import named_folder, own_sets, read_own, unnoticed, with_added
    from faceparse_core.training.teacher import load_teacher

    assert weights is not None
    teacher = load_teacher(weights)
    added = [named_folder(word) for word in a.add]
    classes = with_added(teacher.classes, [part for part, _ in added])
    folders = [read_own(part, folder, classes, teacher) for part, folder in added]
    sets = [*unnoticed(sets, folders, classes), *own_sets(folders, classes)]
    return make_mixture(sets, classes, a.skip_broken)


def _evaluate(a: argparse.Namespace) -> None:
    if a.network == "heads":
        from faceparse_core.training.data import data_folder
        from faceparse_core.training.finder import evaluate_finder

        print(evaluate_finder(data_folder(a.data[0] if a.data else None), photos=a.photos))
        return
    from faceparse_core.training.evaluate import evaluate
    from faceparse_core.training.report import write_report

    parser, classes, pairs = _to_measure(a)
    if a.report:
        scores = write_report(parser, pairs, a.mirror, a.report, classes=classes)
    else:
        scores = evaluate(parser, pairs, a.mirror, classes)
    print(f"{parser.info.name} {parser.info.sha256[:12]}, whole frames read at {parser.size} px")
    print(scores.table())


def _to_measure(a: argparse.Namespace) -> tuple[Parser, Classes, Sequence[Pair]]:
    """The parser, what it tells apart, and the pairs to measure it on."""
    from faceparse_core.parser import load_parser
    from faceparse_core.training.cards import card_path
    from faceparse_core.training.data import Pairs
    from faceparse_core.training.labels import Classes
    from faceparse_core.training.layouts import find_sets
    from faceparse_core.training.own import named_folder, own_sets, read_own
    from faceparse_core.training.teacher import Teacher, load_teacher

    sets = [one for path in _paths(a) for one in find_sets(path, "test")]
    ours = a.add or (Path(a.model).suffix == ".onnx" and card_path(Path(a.model)).exists())
    teacher = load_teacher(a.model) if ours else Teacher(load_parser(a.model), Classes())
    parser, classes = dataclasses.replace(teacher.parser, size=a.size or teacher.parser.size), teacher.classes
    added = [named_folder(word) for word in a.add]
    for part, _ in added:
        if part.name not in classes.names:
            raise FaceParseError(
                f"{parser.info.name} has no part {part.name}; name the network that learnt it with --model"
            )
    folders = [read_own(part, folder, classes, teacher, teach=False) for part, folder in added]
    return parser, classes, Pairs([*sets, *own_sets(folders, classes, teach=False)], a.skip_broken)


def _export(a: argparse.Namespace) -> None:
    if a.network == "parser":
        from faceparse_core.training.cards import write_card
        from faceparse_core.training.export import checkpoint_classes, export_parser, load_checkpoint, mix
        from faceparse_core.training.labels import Classes
        from faceparse_core.training.own import named_folder

        classes = checkpoint_classes(a.run / "parser.pt")
        for part, _ in map(named_folder, a.add):
            if part.name not in classes.names:
                raise FaceParseError(f"{a.run / 'parser.pt'} has no part {part.name}; train it with --add first")
            own = tuple(part if one.name == part.name else one for one in classes.own)
            classes = dataclasses.replace(classes, own=own)
        if classes != Classes() and a.output is None:
            raise FaceParseError(
                "this network has other parts than the embedded one; name its file, as in: -o mine.onnx"
            )
        path = a.output or MODELS / "parser.onnx"
        export_parser(load_checkpoint(a.run / "parser.pt"), path, SIZE, FRAME)
        if a.mix:
            mix(path, a.mix, a.share)
        write_card(classes, path)
    else:
        from faceparse_core.training.finder import export_finder

        export_finder(a.run / "heads.pt", a.output or MODELS / "heads.onnx")


if __name__ == "__main__":
    sys.exit(main())
