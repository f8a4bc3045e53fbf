"""`python -m faceparse_core.training train|evaluate|export parser|heads`: make the embedded networks again."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

from faceparse_core.errors import FaceParseError, Interrupted
from faceparse_core.models import folder as MODELS

#: The parser's crop: side of the square that it reads in px, and in face heights. Why: models/parser.md.
SIZE, FRAME = 416, 1.8


def build_arguments() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m faceparse_core.training", description=__doc__)
    verbs = top.add_subparsers(dest="verb", required=True)
    for verb, purpose in (("train", "train from scratch"), ("evaluate", "print scores"), ("export", "write the .onnx")):
        command = verbs.add_parser(verb, help=purpose)
        command.add_argument("network", choices=("parser", "heads"))
        if verb != "export":
            command.add_argument("--data", metavar="FOLDER", help="folder of the tars (default: $FACEPARSE_DATA)")
        if verb != "evaluate":
            command.add_argument("--run", type=Path, default=Path("runs"), help="folder of checkpoints (default: runs)")
        if verb == "train":
            command.add_argument("--steps", type=at_least(1), help="optimisation steps")
            command.add_argument("--seed", type=int, help="of everything random")
            command.add_argument("--resume", action="store_true", help="go on from the checkpoint in --run")
            command.add_argument("--again", action="store_true", help="start anew and overwrite the run in --run")
            loop = command.add_argument_group("for the parser")
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
    from faceparse_core.training.data import data_folder
    from faceparse_core.training.settings import FURTHER, RunOptions, TrainSettings

    changes = {key: getattr(a, key) for key in ("steps", "seed") if getattr(a, key) is not None}
    data = data_folder(a.data)
    if a.network == "parser":
        from faceparse_core.training.parser import LAST, settings_of, train_parser
        from faceparse_core.training.watch import read_held_out

        changes |= {key: getattr(a, key) for key in ("batch", "accumulate", "rate") if getattr(a, key) is not None}
        if "batch" in changes:  # as many of them rendered as there are of the batch's own size
            changes["rendered"] = max(1, round(changes["batch"] * TrainSettings.rendered / TrainSettings.batch))
        settings = settings_of(a.run / LAST) if a.resume else FURTHER if a.weights else TrainSettings()
        options = RunOptions(a.again, a.device, a.keep_best, a.tensorboard)
        held_out = read_held_out(data, a.validate) if a.validate else ()
        settings = dataclasses.replace(settings, **changes)
        train_parser(data, a.run, settings, a.resume, a.weights, a.occluders, options, held_out)
    else:
        from faceparse_core.training.checkpoint import check_start
        from faceparse_core.training.finder import CHECKPOINT, train_finder

        check_start(a.run / CHECKPOINT, a.resume, a.again)
        train_finder(data, a.run, resume=a.resume, **changes)


def _evaluate(a: argparse.Namespace) -> None:
    from faceparse_core.training.data import celebamask_val, data_folder

    data = data_folder(a.data)
    if a.network == "parser":
        from faceparse_core.parser import load_parser
        from faceparse_core.training.evaluate import evaluate
        from faceparse_core.training.report import write_report

        parser = load_parser(a.model)
        parser = dataclasses.replace(parser, size=a.size or parser.size)
        pairs = celebamask_val(data)
        scores = write_report(parser, pairs, a.mirror, a.report) if a.report else evaluate(parser, pairs, a.mirror)
        print(f"{parser.info.name} {parser.info.sha256[:12]}, whole frames read at {parser.size} px")
        print(scores.table())
    else:
        from faceparse_core.training.finder import evaluate_finder

        print(evaluate_finder(data, photos=a.photos))


def _export(a: argparse.Namespace) -> None:
    from faceparse_core.cache import whole_file
    from faceparse_core.training.checkpoint import written

    output = a.output or MODELS / f"{a.network}.onnx"
    with written(output), whole_file(output) as path:
        if a.network == "parser":
            from faceparse_core.training.export import export_parser, load_checkpoint, mix
            from faceparse_core.training.parser import BEST, LAST

            network = load_checkpoint(a.run / (BEST if a.best else LAST))
            export_parser(network, path, SIZE, FRAME, "full" if a.mix else a.weights)
            if a.mix:
                mix(path, a.mix, a.share, a.weights)
        else:
            from faceparse_core.training.finder import CHECKPOINT, export_finder

            export_finder(a.run / CHECKPOINT, path)


if __name__ == "__main__":
    sys.exit(main())
