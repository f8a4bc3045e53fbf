"""The folder of what was downloaded or converted, and writing files there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from faceparse_core.errors import ModelError, printable


def cache_folder() -> Path:
    """Where models lie: FACEPARSE_CACHE, or else the user's cache folder as the system has it."""
    chosen = os.environ.get("FACEPARSE_CACHE")
    if chosen:
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_cache_dir("faceparse-svg", appauthor=False))


@contextlib.contextmanager
def in_cache(path: Path) -> Iterator[None]:
    """One process at a time, in a folder that exists. Raises ModelError where it cannot be written to."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _only_one(cache_folder() / "lock"):
            yield
    except OSError as error:
        raise cannot_write(path, error) from error


def temporary_beside(target: Path) -> Path:
    """A path for a file that is to take the place of `target`: no other thread takes it, nor any process.

    It is short, as the target's name with something added could be longer than the file system allows.
    """
    return target.with_name(f".faceparse-{secrets.token_hex(8)}.tmp")


@contextlib.contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """A temporary path beside `target`, of this caller alone, that takes its place at the end, whole.

    Nothing stays where that fails.
    """
    temporary = temporary_beside(target)
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def abandoned(folder: Path) -> list[Path]:
    """The temporary files of `whole_file` in a folder that nobody has written to for an hour: a process was killed."""
    found = []
    for path in sorted(folder.glob(".faceparse-*.tmp")):
        with contextlib.suppress(FileNotFoundError):  # it was not abandoned after all
            if time.time() - path.stat().st_mtime > 3600:
                found.append(path)
    return found


def cannot_read(path: Path, error: OSError) -> ModelError:
    """What to say where a model's file cannot be read."""
    return ModelError(
        f"{printable(os.fspath(path))}: the model cannot be read ({error.strerror or error}); check the name"
    )


def cannot_write(path: Path, error: OSError) -> ModelError:
    """What to say where a file of the cache cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ModelError(f"{printable(os.fspath(path))} cannot be written, the disk is full; make room and run again")
    return ModelError(
        f"{printable(os.fspath(path.parent))} cannot be written to ({error.strerror or error}); "
        "FACEPARSE_CACHE names another folder"
    )


def sha256_of(path: Path) -> str:
    """Raises OSError."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    """Waits until no other process is in here. `lock`: a file that stays, empty; its folder must exist."""
    with open(lock, "ab") as file:
        with contextlib.suppress(OSError):  # a file system that knows no locks: the checksum still guards the file
            if os.name == "nt":
                import msvcrt

                while True:
                    file.seek(0)
                    with contextlib.suppress(OSError):  # it gives up after ten seconds
                        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined, unused-ignore]
                        break
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX)
        yield
