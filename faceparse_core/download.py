"""Brings a file from the network, whole or not at all.

What arrives is written to NAME.part, checked by its SHA-256, and only then moved to its name. A download that was cut
off goes on where it stopped, at once or in the next run, from whichever source: the bytes are the same. Files on Google
Drive are asked for through gdown, which knows Drive's pages; what it has of a file goes on from Drive alone. Everything
else is asked for through the standard library.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import http.client
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from faceparse_core.cache import cannot_write, sha256_of
from faceparse_core.errors import ModelError, printable

Progress = Callable[[int, int | None], None]  #: (bytes so far, bytes in all where they are known)

DRIVE = "drive.google.com"
TIMEOUT = 20.0  #: seconds without a byte
TRIES = 5  #: in a row without one more byte, before a source is given up
WAIT = 0.5  #: seconds before the second try; twice as long before each further one
LONGEST_WAIT = 10.0  #: seconds that a server may ask us to wait; one that asks for more is left for the next source
_BLOCK = 1 << 18
_LATER = (429, 500, 502, 503, 504)  # HTTP's codes for: not now


class DownloadError(ModelError):
    """No source gave the file."""


class _Refused(Exception):
    """This source does not give the file; the next one may."""


def fetch(target: Path, sources: Sequence[str], sha256: str, most: int, progress: Progress | None = None) -> None:
    """Write `target`, which does not exist yet, from the first of `sources` (URLs) that gives it.

    most      bytes; an answer that is longer is refused
    progress  called now and then

    Raises DownloadError where none gives it, ModelError where it cannot be written. What was received stays in
    NAME.part for the next time, unless it was wrong.
    """
    part = target.with_name(f"{target.name}.part")
    refusals = []
    for source in sources:
        try:
            if not _is_whole(part, sha256):
                way = _from_drive if urlsplit(source).hostname == DRIVE else _from_web
                way(source, part, most, progress or (lambda done, total: None))
                if not _is_whole(part, sha256):
                    part.unlink(missing_ok=True)
                    raise _Refused("another file than expected (wrong SHA-256); it was deleted")
            os.replace(part, target)
            with contextlib.suppress(OSError):
                for leftover in target.parent.glob(f"{glob.escape(_of_drive(part).name)}*"):
                    leftover.unlink()  # another source was quicker
        except _Refused as refusal:
            refusals.append(f"{urlsplit(source).hostname}: {' '.join(str(refusal).split())}")
        except OSError as error:
            raise cannot_write(part, error) from error
        else:
            return
    raise DownloadError("; ".join(refusals))


def _is_whole(part: Path, sha256: str) -> bool:
    return part.is_file() and sha256_of(part) == sha256


# Google Drive ---------------------------------------------------------------------------------------------------------


def _from_drive(url: str, part: Path, most: int, progress: Progress) -> None:
    """Write `part` through gdown, which keeps what it has received in a file of its own. Raises _Refused, OSError."""
    try:
        import gdown
    except ImportError:
        raise _Refused("gdown is not installed (the torch extra has it)") from None

    def watch(done: int, total: int | None) -> None:
        if done > most:
            raise _Refused("too long an answer")
        progress(done, total)

    whole = _of_drive(part)
    try:
        gdown.download(
            url=url, output=os.fspath(whole), quiet=True, resume=True, use_cookies=False, progress=watch,
            timeout=TIMEOUT, retries=TRIES - 1,
        )  # fmt: skip
    except _Refused:
        raise
    except Exception as error:  # gdown's, requests' and urllib3's errors share no base but Exception
        if isinstance(error, OSError) and error.errno is not None and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        words = printable(" ".join(str(error).split()))
        raise _Refused(f"gdown: {words.split('. ')[0][:200]} ({type(error).__name__})") from error
    os.replace(whole, part)


def _of_drive(part: Path) -> Path:
    """Where gdown writes; what it has of it in the meantime has a name that begins so."""
    return part.with_suffix(".drive")


# the web --------------------------------------------------------------------------------------------------------------


def _from_web(url: str, part: Path, most: int, progress: Progress) -> None:
    """Write `part`, or what is missing of it. Raises _Refused, OSError where it cannot be written."""
    tries, wait = 0, WAIT
    while True:
        had = part.stat().st_size if part.exists() else 0
        try:
            _receive(url, part, had, most, progress)
            return
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416 and had:  # there is no such range: what we have is not of this file
                part.unlink()
                reason, pause = "what was received before does not fit", 0.0
            elif error.code in _LATER:
                reason, pause = f"HTTP {error.code} {error.reason}", _asked_to_wait(error)
                if pause > LONGEST_WAIT:
                    raise _Refused(f"{reason}; it asks to wait {pause:.0f} s") from error
            else:
                raise _Refused(f"HTTP {error.code} {error.reason}") from error
        except urllib.error.URLError as error:
            if not isinstance(error.reason, (TimeoutError, ConnectionResetError, http.client.HTTPException)):
                raise _Refused(f"no connection ({error.reason})") from error
            reason, pause = "no connection", 0.0
        except _Cut as error:
            reason, pause = str(error), 0.0
        if part.exists() and part.stat().st_size > had:
            tries, wait = 0, WAIT
        tries += 1
        if tries >= TRIES:
            raise _Refused(f"{reason}; tried {tries} times")
        time.sleep(max(pause, wait))
        wait *= 2


class _Cut(Exception):
    """The connection ended early."""


def _receive(url: str, part: Path, had: int, most: int, progress: Progress) -> None:
    """One request, and what it answers, behind the `had` bytes that are there."""
    headers = {"User-Agent": "faceparse-svg", "Accept-Encoding": "identity"}
    if had:
        headers["Range"] = f"bytes={had}-"
    request = urllib.request.Request(url, headers=headers)
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)
    except (ConnectionError, http.client.HTTPException, TimeoutError) as error:  # not wrapped once it had answered
        raise _Cut(f"the connection was cut ({type(error).__name__})") from error
    with answer:
        if answer.headers.get_content_type() == "text/html":
            raise _Refused("it answers with a web page instead of the file (a quota, or a network that wants a login)")
        goes_on = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {had}-")
        if answer.status == 206 and not goes_on:
            raise _Refused("it answers with another range than was asked for")
        done = had if goes_on else 0  # a server without ranges sends the whole file again
        length = answer.headers.get("Content-Length")
        total = done + int(length) if length and length.isdecimal() else None
        if total is not None:
            if total > most:
                raise _Refused("another file than expected, too long")
            if shutil.disk_usage(part.parent).free < total - done:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with open(part, "ab" if goes_on else "wb") as file:
            while block := _read(answer):
                file.write(block)
                done += len(block)
                if done > most:
                    raise _Refused("another file than expected, too long")
                progress(done, total)
            file.flush()
            os.fsync(file.fileno())
    if total is not None and done < total:
        raise _Cut("the connection was cut")


def _read(answer: http.client.HTTPResponse) -> bytes:
    try:
        return answer.read(_BLOCK)
    except (http.client.HTTPException, OSError) as error:
        raise _Cut(f"the connection was cut ({type(error).__name__})") from error


def _asked_to_wait(error: urllib.error.HTTPError) -> float:
    """Seconds, by Retry-After; 0 where it names a date or nothing."""
    asked = error.headers.get("Retry-After", "")
    return float(asked) if asked.isdecimal() else 0.0
