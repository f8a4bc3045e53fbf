"""`python -m faceparse_core.training train|evaluate|export parser|heads`: make the embedded networks again."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from faceparse_core.errors import FaceParseError
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
            command.add_argument("--steps", type=int, help="optimisation steps")
            command.add_argument("--seed", type=int, help="of everything random")
            command.add_argument("--resume", action="store_true", help="go on from the checkpoint in --run")
            command.add_argument(
                "--from", dest="weights", type=Path, metavar="ONNX", help="parser: start from its weights"
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
    from faceparse_core.training.data import data_folder

    changes = {key: getattr(a, key) for key in ("steps", "seed") if getattr(a, key) is not None}
    data = data_folder(a.data)
    if a.network == "parser":
        from faceparse_core.training.parser import train_parser
        from faceparse_core.training.settings import FURTHER, TrainSettings

        settings = dataclasses.replace(FURTHER if a.weights else TrainSettings(), **changes)
        train_parser(data, a.run, settings, a.resume, a.weights, a.occluders)
    else:
        from faceparse_core.training.finder import train_finder

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
    if a.network == "parser":
        from faceparse_core.training.export import export_parser, load_checkpoint, mix

        path = a.output or MODELS / "parser.onnx"
        export_parser(load_checkpoint(a.run / "parser.pt"), path, SIZE, FRAME)
        if a.mix:
            mix(path, a.mix, a.share)
    else:
        from faceparse_core.training.finder import export_finder

        export_finder(a.run / "heads.pt", a.output or MODELS / "heads.onnx")


if __name__ == "__main__":
    sys.exit(main())
