"""What a run tells of itself: tables beside its checkpoint, and the same for TensorBoard."""

from __future__ import annotations

import csv
import importlib
import io
import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from faceparse_core.errors import FaceParseError, printable
from faceparse_core.training.saving import save_bytes, written

TRAINING = ("step", "loss", "rate", "pictures/s", "seconds")
MEAN = "mean F1"
BOARD, EVENTS = "tensorboard", "events.out.tfevents.*"  #: the folder of its event files in a run's, and their names

Row = Mapping[str, float]


class Table:
    """A CSV that grows by a row at a time, each written at once, ordered by its first column, the step."""

    def __init__(self, path: Path, columns: Sequence[str], after: int) -> None:
        """Goes on with the file at `path` as it was after the step `after`; 0 begins it anew.

        Rows of later steps, which will be told again, are dropped, and so is a last one that was cut off. Raises
        FaceParseError where the file has other columns.
        """
        self.path, self.columns = path, tuple(columns)
        self.rows: list[dict[str, float]] = []
        if after and path.is_file():
            self.rows = [row for row in self._read() if row[self.columns[0]] <= after]
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(self.columns)
        lines.writerows([self._line(row) for row in self.rows])
        save_bytes(text.getvalue().encode(), path)

    def add(self, row: Row) -> None:
        """Raises FaceParseError where it cannot be written."""
        self.rows.append(dict(row))
        with written(self.path), open(self.path, "a", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(self._line(row))

    def _line(self, row: Row) -> list[str]:
        return [f"{row[column]:.6g}" if row[column] % 1 else f"{row[column]:.0f}" for column in self.columns]

    def _read(self) -> list[dict[str, float]]:
        try:
            with open(self.path, encoding="utf-8", newline="") as file:
                header, *lines = file.read().splitlines(keepends=True) or [""]
            if tuple(next(csv.reader([header]), ())) != self.columns:
                raise ValueError("its columns are others")
            whole = [line for line in lines if line.endswith("\n")]
            return [dict(zip(self.columns, map(float, values), strict=True)) for values in csv.reader(whole)]
        except (OSError, ValueError) as error:
            shown = printable(os.fspath(self.path))
            raise FaceParseError(f"{shown}: not the table of this run ({error}); move it away") from error


class RunLog:
    """log.csv and validation.csv in a run's folder; with `board`, event files for TensorBoard too."""

    def __init__(self, folder: Path, parts: Sequence[str], after: int, seconds: float, board: bool) -> None:
        """Goes on after the step `after`, to which the run took `seconds`.

        The event files are written anew from the tables, so that they hold each step once, and all of them.
        """
        self.training = Table(folder / "log.csv", TRAINING, after)
        self.validation = Table(folder / "validation.csv", ("step", "epoch", MEAN, *parts), after)
        self._folder = folder
        self._board: Any = None
        if board:
            with written(folder / BOARD):
                for old in (folder / BOARD).glob(EVENTS):
                    old.unlink()
                self._board = tensorboard().SummaryWriter(os.fspath(folder / BOARD))
            began = time.time() - seconds
            at = 0.0
            for row in self.training.rows:
                at = row["seconds"]
                self._show("training", row, began + at)
            for row in self.validation.rows:
                self._show("validation", row, began + at)

    def tell(self, row: Row) -> None:
        """A row of `TRAINING`."""
        self.training.add(row)
        self._show("training", row)

    def score(self, row: Row) -> None:
        """A row of validation: step, epoch, mean F1 and that of each part."""
        self.validation.add(row)
        self._show("validation", row)

    def close(self) -> None:
        if self._board:
            with written(self._folder / BOARD):
                self._board.close()

    def _show(self, group: str, row: Row, when: float | None = None) -> None:
        if not self._board:
            return
        with written(self._folder / BOARD):
            for name, value in row.items():
                if name not in ("step", "epoch", "seconds") and not math.isnan(value):
                    self._board.add_scalar(f"{group}/{name}", value, int(row["step"]), walltime=when)
            self._board.flush()


def tensorboard() -> ModuleType:
    """The module that writes event files. Raises FaceParseError where its package is missing."""
    try:
        return importlib.import_module("torch.utils.tensorboard")
    except ImportError as error:
        raise FaceParseError(
            "--tensorboard needs the package tensorboard; "
            "where this program was installed from run: pip install '.[train]'"
        ) from error
