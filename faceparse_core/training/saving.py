"""The files of a run and of what is measured: each is written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from faceparse_core.errors import FaceParseError, printable


def save_bytes(content: bytes | memoryview, path: Path) -> None:
    """A file of a run, whole or not at all, in a folder that is made. Raises FaceParseError.

    The temporary file has one name: what a killed process left there the next one overwrites.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    with written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def written(path: Path) -> Iterator[None]:
    """Turns what the system says of a file of a run into one line that says what to do. Raises FaceParseError."""
    try:
        yield
    except OSError as error:
        shown = printable(os.fspath(path))
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        why = "the disk is full" if full else error.strerror or str(error)
        what = "make room" if full else "mend that"
        raise FaceParseError(
            f"{shown} cannot be written, {why}; what was there before is whole: {what} and run again (train: --resume)"
        ) from error
