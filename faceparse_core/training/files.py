"""A folder or a tar as files by name: what data sets are read from."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from faceparse_core.errors import FaceParseError, printable
from faceparse_core.training.data import PairError


@dataclass(frozen=True)
class Files:
    """The files of a folder or a tar: names as paths within it, sorted, and how to read one."""

    shown: str  #: the folder or tar, in messages
    path: Path
    names: tuple[str, ...]
    read: Callable[[str], bytes]


def open_files(path: Path) -> Files:
    """Raises FaceParseError where there is no such folder, or no readable tar."""
    shown = printable(os.fspath(path))
    if path.is_dir():
        names = sorted(
            (Path(folder) / file).relative_to(path).as_posix()
            for folder, _, files in os.walk(path, followlinks=True)
            for file in files
            if not file.startswith(".")
        )
        return Files(shown, path, tuple(names), lambda name: _from_folder(path, name))
    try:
        with tarfile.open(path, "r:") as archive:
            places = {m.name.removeprefix("./"): (m.offset_data, m.size) for m in archive if m.isfile()}
    except (OSError, tarfile.TarError) as error:
        reason = error.strerror if isinstance(error, OSError) else "a compressed one has to be unpacked"
        raise FaceParseError(f"{shown}: neither a folder nor a readable tar of pairs ({reason})") from error
    return Files(shown, path, tuple(sorted(places)), lambda name: _from_tar(path, places[name]))


def _from_folder(path: Path, name: str) -> bytes:
    try:
        return (path / name).read_bytes()
    except OSError as error:
        raise PairError(f"{printable(name)}: cannot be read ({error.strerror})") from error


def _from_tar(path: Path, place: tuple[int, int]) -> bytes:
    try:
        with open(path, "rb") as file:
            file.seek(place[0])
            return file.read(place[1])
    except OSError as error:
        raise PairError(f"{printable(os.fspath(path))}: cannot be read ({error.strerror})") from error
