"""Processes that a test waits for. For the tests inside Blender too: the standard library alone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable


def wait_until(ready: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.005)


def gone(pid: int) -> bool:
    """Ended and reaped: a zombie is still there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False
