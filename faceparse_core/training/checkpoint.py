"""The checkpoint of a run: all that a step needs of those before it, in one file that is the old one or the new one."""

from __future__ import annotations

import dataclasses
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from faceparse_core.classes import Classes, classes_of, described
from faceparse_core.errors import FaceParseError, ModelError, printable
from faceparse_core.training.labels import trainable
from faceparse_core.training.saving import save_bytes
from faceparse_core.training.settings import Started, TrainSettings

Weights = Mapping[str, Any]

#: What may differ where a run goes on: how long it lasts, how fast it learns, how often it is saved.
_MAY_CHANGE = frozenset({"steps", "rate", "save_every"})


@dataclass(frozen=True)
class Checkpoint:
    """A run after `step` steps."""

    settings: TrainSettings
    classes: Classes  #: what the network tells apart
    step: int
    network: Weights
    average: Weights  #: the running mean of the weights, which is what is exported
    optimizer: Mapping[str, Any]
    scaler: Mapping[str, Any]  #: of the gradients in float16; empty where there is none
    loss: float | None  #: its running mean, as it is shown
    seconds: float  #: that it took
    best: float  #: the best score so far on the pairs held out
    started: Started


def write_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Raises FaceParseError where it cannot be written; what was there is then as it was."""
    fields = {field.name: getattr(checkpoint, field.name) for field in dataclasses.fields(checkpoint)}
    fields["parts"] = described(fields.pop("classes"))
    fields |= {name: dataclasses.asdict(fields[name]) for name in ("settings", "started")}
    save(fields, path)


def read_checkpoint(path: Path) -> Checkpoint:
    """Raises ModelError where it is not one of a parser's training."""
    shown, holds = printable(os.fspath(path)), load(path)
    try:
        classes = trainable(classes_of(holds["parts"], shown), shown) if "parts" in holds else Classes()
        settings = dict(holds["settings"])
        if "rendered" in settings:  # as it was told before: of `batch` pictures
            settings["rendered_of_16"] = round(16 * settings.pop("rendered") / settings["batch"])
        return Checkpoint(
            TrainSettings(**settings), classes, holds["step"], holds["network"], holds["average"],
            holds["optimizer"], holds.get("scaler", {}), holds.get("loss"), holds.get("seconds", 0.0),
            holds.get("best", 0.0), Started(**holds.get("started", {})),
        )  # fmt: skip
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{shown}: not a checkpoint of a parser's training run ({error})") from error


def check_classes(checkpoint: Checkpoint, path: Path, classes: Classes) -> None:
    """Raise FaceParseError where a run of these classes cannot go on from a checkpoint."""
    was, now = checkpoint.classes.names, classes.names
    if was != now:
        other = ", ".join(sorted(set(was) ^ set(now))) or "in another order"
        raise FaceParseError(
            f"{printable(os.fspath(path))} was trained with other parts ({other}); "
            "resume with the --add and --parts that it was started with, or start anew with --again"
        )


def check_settings(checkpoint: Checkpoint, path: Path, s: TrainSettings) -> None:
    """Raise FaceParseError where a run of these settings cannot go on from a checkpoint."""
    shown = printable(os.fspath(path))
    was, now = dataclasses.asdict(checkpoint.settings), dataclasses.asdict(s)
    if odd := [key for key in now if now[key] != was[key] and key not in _MAY_CHANGE]:
        changes = ", ".join(f"{key} {was[key]}, not {now[key]}" for key in odd)
        raise FaceParseError(f"{shown} was trained with {changes}; --resume goes on with the same, --again starts anew")


def check_start(path: Path, resume: bool, again: bool) -> None:
    """Raise FaceParseError where a start would overwrite a run, or there is none to go on with."""
    shown = printable(os.fspath(path))
    if resume and again:
        raise FaceParseError("--resume goes on with a run and --again starts it anew: choose one")
    if resume and not path.is_file():
        raise FaceParseError(f"nothing to resume: {shown} does not exist; start without --resume")
    if path.exists() and not (resume or again):
        raise FaceParseError(f"{shown} is there already: --resume goes on with it, --again overwrites it")


def save(holds: Mapping[str, Any], path: Path) -> None:
    """`torch.save`, whole or not at all. Raises FaceParseError."""
    buffer = io.BytesIO()  # torch's own writer does not tell a full disk from other trouble
    torch.save(dict(holds), buffer)
    save_bytes(buffer.getbuffer(), path)


def load(path: Path) -> Any:
    """What `save` wrote, on the CPU. Raises ModelError where it cannot be read, or is no checkpoint at all."""
    shown = printable(os.fspath(path))
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ModelError(f"{shown}: there is no such checkpoint; name the folder of a run with --run") from error
    except OSError as error:
        raise ModelError(f"{shown}: cannot be read ({error.strerror})") from error
    except Exception as error:  # a pickle can fail in any way
        raise ModelError(f"{shown}: not a checkpoint of a training run, or one that was cut off") from error
