"""Helpers to run the command in tests: in this process or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest
from conftest import draw_face

from svg_export import cli

Capture = pytest.CaptureFixture[str]

COMMAND = (sys.executable, "-m", "svg_export")


def run(*arguments: str | os.PathLike[str]) -> int:
    """The command in this process; wrong usage raises SystemExit as in argparse."""
    try:
        return cli.main([os.fspath(argument) for argument in arguments])
    except SystemExit as leave:
        return int(leave.code or 0)


def process(*arguments: str | os.PathLike[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*COMMAND, *map(os.fspath, arguments)], capture_output=True, timeout=120, **options)


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.endswith(".tmp")]


def without_notes(error: str) -> str:
    """A photo may show several heads; that is said, and is no failure."""
    return "".join(line for line in error.splitlines(keepends=True) if ": note: " not in line)


def one_line(capsys: Capture) -> str:
    """What stood on stderr beside notes, which must be one line and no traceback."""
    error = without_notes(capsys.readouterr().err)
    assert error.count("\n") == 1, error
    assert "Traceback" not in error
    assert "a bug in" not in error
    return error


def maps(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(os.fspath(folder / name), draw_face((120, 100)))
