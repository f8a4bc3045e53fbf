"""Blender's real window: the tab and the button are clicked with a mouse, and the portrait is seen on the screen.

Blender runs on a screen of its own (Xvfb), drawn by software, with `window_in_blender.py` inside, which prepares the
scene and tells what goes on. With FACEPARSE_PICTURES=docs the README's pictures are written there.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import addon_zips
import cv2
import numpy as np
import pytest
from conftest import ROOT
from processes import gone

pytestmark = pytest.mark.window

PICTURES = os.environ.get("FACEPARSE_PICTURES")  # a folder
SCREEN = (900, 1400)  # height, width, px
MARK = (255, 0, 255)  # of buttons, see window_in_blender.py
TAB_STRIP = 12  # px from the sidebar's right edge to the middle of its tabs
LONGEST_STEP = 0.1  # s, of the add-on's on the main thread
LONGEST_GAP = 2.0  # s; a shared machine that draws by software takes a part of it for one redraw of Blender's own

# A command that begins, and then takes its time. It says who it is, so that the test can see it go.
SLOW = """#!{python}
import json, os, sys, time
from pathlib import Path
if "--version" in sys.argv:
    sys.exit(print("faceparse-svg 0.1.0"))
Path({pid!r}).write_text(str(os.getpid()))
for event in ({{"event": "start", "version": "0.1.0", "photos": 1}}, {{"event": "step", "step": "parse"}}):
    print(json.dumps(event), flush=True)
time.sleep(600)
"""


@dataclass
class Window:
    """Blender's window on its screen. Coordinates of the mouse are px from the window's top left."""

    folder: Path
    display: str
    process: subprocess.Popen[bytes]
    id: str = ""
    orders: int = 0

    def state(self) -> dict[str, Any]:
        """What window_in_blender.py told last."""
        assert self.process.poll() is None, f"Blender is gone:\n{self.log()}"
        try:
            state = json.loads((self.folder / "state.json").read_text("utf-8"))
        except FileNotFoundError:
            return {"ticks": 0}
        assert "error" not in state, f"{state['error']}\n{self.log()}"
        return state

    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")[-4000:]

    def wait(self, what: str, ready: Callable[[dict[str, Any]], object], seconds: float = 60) -> dict[str, Any]:
        """The first state that is as asked for."""
        end = time.monotonic() + seconds
        while not ready(state := self.state()):
            assert time.monotonic() < end, f"{what}: not within {seconds} s\n{state}\n{self.log()}"
            time.sleep(0.05)
        return state

    def alive(self) -> dict[str, Any]:
        """A state from after this call: so Blender lives, and has drawn what there is."""
        ticks = self.state()["ticks"]
        return self.wait("a sign of life", lambda state: state["ticks"] > ticks + 20, 20)

    def order(self, name: str) -> None:
        """Have window_in_blender.py do something, and wait until it shows."""
        self.orders += 1
        with open(self.folder / "orders", "a", encoding="utf-8") as orders:
            orders.write(f"{name}\n")
        self.wait(name, lambda state: state.get("orders", 0) >= self.orders)
        self.alive()

    def tool(self, *words: object) -> str:
        done = subprocess.run([*map(str, words)], env=self.environment(), capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def environment(self) -> dict[str, str]:
        return os.environ | {"DISPLAY": self.display}

    def windows(self) -> list[str]:
        return self.tool("xdotool", "search", "--onlyvisible", "--class", "blender").split()

    def move(self, x: float, y: float) -> None:
        self.tool("xdotool", "mousemove", "--window", self.id, round(x), round(y))
        time.sleep(0.2)  # Blender looks what lies beneath the mouse before it takes a click

    def click(self, x: float, y: float) -> None:
        self.move(x, y)
        self.tool("xdotool", "click", 1)

    def press(self, key: str) -> None:
        self.tool("xdotool", "key", key)

    def picture(self, window: str | None = None) -> np.ndarray:
        """A screenshot of the window: uint8 (H, W, 3), RGB."""
        path = self.folder / "screen.png"
        self.tool("import", "-window", window or self.id, path)
        return cv2.cvtColor(cv2.imread(os.fspath(path)), cv2.COLOR_BGR2RGB)

    def below(self, region: list[int]) -> tuple[int, int, int, int]:
        """A region of Blender's (x, y from the bottom, width, height) as left, top, right, bottom."""
        x, y, width, height = region
        bottom = self.state()["window"][1] - y
        return x, bottom - height, x + width, bottom


@contextlib.contextmanager
def running(words: list[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(words, start_new_session=True, **options)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """A screen of our own, with a window manager; its DISPLAY."""
    for program in ("blender", "Xvfb", "openbox", "xdotool", "import"):
        assert shutil.which(program), f"{program} is not installed"  # not skipped: this session is there for it
    read, write = os.pipe()
    screen = f"{SCREEN[1]}x{SCREEN[0]}x24"
    words = ["Xvfb", "-displayfd", str(write), "-screen", "0", screen, "-nolisten", "tcp"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with running(words, pass_fds=(write,), **quiet):
        os.close(write)
        with os.fdopen(read) as said:
            name = f":{said.readline().strip()}"
        assert name != ":", "Xvfb found no free display"
        with running(["openbox"], env=os.environ | {"DISPLAY": name}, **quiet):
            yield name


@pytest.fixture(scope="module")
def command() -> str:
    path = os.environ.get("FACEPARSE_COMMAND") or shutil.which("faceparse-svg")
    assert path, "faceparse-svg is not installed"
    return path


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copy(ROOT / "examples" / "astronaut.jpg", tmp_path_factory.mktemp("photo")))


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory, display: str, command: str, photo: Path) -> Iterator[Window]:
    """Blender, started and prepared: the sidebar open, the photo chosen."""
    folder = tmp_path_factory.mktemp("window")
    slow = folder / "faceparse-svg"
    slow.write_text(SLOW.format(python=sys.executable, pid=os.fspath(folder / "pid")), "utf-8")
    slow.chmod(0o755)
    _, legacy = addon_zips.build(folder)
    with zipfile.ZipFile(legacy) as archive:  # as Blender installs it
        archive.extractall(folder / "profile" / "scripts" / "addons")
    setup = {"command": command, "slow_command": slow, "photo": photo}
    (folder / "setup.json").write_text(json.dumps(setup, default=os.fspath), "utf-8")
    environment = os.environ | {
        "DISPLAY": display,
        "BLENDER_USER_RESOURCES": os.fspath(folder / "profile"),
        "LIBGL_ALWAYS_SOFTWARE": "1",
    }
    if PICTURES:  # a short name for the environment
        (folder / "home").mkdir()
        (folder / "home" / "faceparse").symlink_to(Path(command).resolve().parent.parent)
        environment["HOME"] = os.fspath(folder / "home")
    height, width = SCREEN
    words = ["blender", "--factory-startup", "--python-exit-code", "1"]
    words += ["--window-geometry", "0", "0", str(width), str(height)]
    words += ["--python", os.fspath(ROOT / "tests" / "window_in_blender.py"), "--", os.fspath(folder)]
    with (
        open(folder / "log", "wb") as log,
        running(words, env=environment, stdout=log, stderr=subprocess.STDOUT) as process,
    ):
        window = Window(folder, display, process)
        window.wait("Blender's start", lambda state: state["ticks"], 120)
        (window.id,) = window.windows()
        window.alive()
        yield window


@pytest.fixture(scope="module")
def button(window: Window) -> tuple[float, float]:
    """The tab FaceParse in front, clicked; where the middle of the button `Portrait from photo` is."""
    left, top, right, bottom = window.below(window.state()["sidebar"])
    for y in range(top + 20, bottom, 25):
        before = window.state()["drawn"]
        window.click(right - TAB_STRIP, y)
        if window.alive()["drawn"] > before:
            break
    else:
        raise AssertionError("no click on the sidebar's tabs brought the panel")
    window.order("mark_buttons")
    found = marked(window.picture()[top:bottom, left : right - 2 * TAB_STRIP])
    window.order("unmark_buttons")
    assert found, "the panel has no button that can be pressed"
    x, y, width, height = max(found, key=lambda box: (box[3], box[2], -box[1]))  # the large one
    return left + x + width / 2, top + y + height / 2


def marked(picture: np.ndarray) -> list[tuple[int, int, int, int]]:
    """x, y, width, height of the buttons in a picture (H, W, 3) taken while they are marked."""
    mask = (np.abs(picture.astype(int) - MARK) < 8).all(axis=2).astype(np.uint8)
    _, _, boxes, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    return [tuple(box[:4].tolist()) for box in boxes[1:] if box[2] > 40 and box[3] > 10]


def fills(command: str, photo: Path, folder: Path) -> dict[str, tuple[int, int, int]]:
    """The colour of every layer, from the command itself."""
    svg = folder / "seen.svg"
    subprocess.run([command, os.fspath(photo), "-o", os.fspath(svg)], check=True, capture_output=True, timeout=120)
    found = re.findall(r'<g id="([\w-]+)".*?fill:#(\w{6})', svg.read_text("utf-8"), re.DOTALL)
    return {name: tuple(bytes.fromhex(code)) for name, code in found}


def test_the_button_makes_the_portrait(
    window: Window, button: tuple[float, float], command: str, photo: Path, tmp_path: Path
) -> None:
    expected = fills(command, photo, tmp_path)
    assert {"head", "hair"} <= set(expected)
    window.order("forget_gaps")
    assert not window.state()["layers"]
    window.click(*button)
    state = window.wait("the portrait", lambda state: len(state["layers"]) >= len(expected), 120)
    state = window.alive()
    assert sorted(state["layers"]) == sorted(expected)
    waiting, building, step = (state[name] for name in ("longest_without_layers", "longest", "longest_step"))
    print(f"without a sign of life: {waiting:.3f} s, with Blender's first drawing of the layers {building:.3f} s")
    print(f"the add-on's longest step: {step:.3f} s")
    assert 0 < step < LONGEST_STEP
    assert waiting < LONGEST_GAP / 2
    assert building < LONGEST_GAP

    window.order("look")
    left, top, right, bottom = window.below(window.state()["view"])
    window.move((left + right) / 2, bottom - 5)
    window.alive()
    picture = window.picture()
    seen = picture[top:bottom, left:right].astype(int)
    for name, color in expected.items():
        pixels = (np.abs(seen - color) <= 4).all(axis=2).sum()
        assert pixels > (2000 if name in ("head", "hair") else 8), f"{name} is not on the screen in its colour"
    if PICTURES:
        window.order("show_short_name")
        keep(window.picture(), "blender.png")


def test_escape_ends_the_command(window: Window, button: tuple[float, float]) -> None:
    before = window.state()["layers"]
    window.order("choose_photo")
    window.order("use_slow_command")
    window.click(*button)
    pid_file = window.folder / "pid"
    window.wait("the command's start", lambda _: pid_file.exists() and pid_file.read_text(), 20)
    pid = int(pid_file.read_text())
    window.alive()
    os.kill(pid, 0)  # it runs, and Blender lives
    left, top, right, bottom = window.below(window.state()["view"])
    window.move((left + right) / 2, (top + bottom) / 2)
    window.press("Escape")
    window.wait("the command's end", lambda _: gone(pid), 10)
    assert window.alive()["layers"] == before


@pytest.mark.skipif(not PICTURES, reason="only for the README")
def test_picture_of_the_preferences(window: Window) -> None:
    window.order("show_preferences")
    (other,) = set(window.windows()) - {window.id}
    window.tool("xdotool", "windowsize", other, 900, 560)
    window.alive()
    keep(window.picture(other), "blender-preferences.png")


def keep(picture: np.ndarray, name: str) -> None:
    """Write a picture for the README."""
    assert PICTURES
    path = Path(PICTURES) / name
    cv2.imwrite(os.fspath(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    subprocess.run(["convert", path, "-strip", "+dither", "-colors", "255", f"PNG8:{path}"], check=True)
