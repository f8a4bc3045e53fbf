"""What the tests inside Blender share. They run against the bpy wheels and in Blender's own Python (see the noxfile).

`pytest tests/blender` in an environment with bpy, or `run_in_blender.py` in Blender. Nothing of ../conftest.py is used.
The environment may name, in FACEPARSE_COMMAND, the real command; without it the tests that need it skip.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DATA = HERE / "data"

if "BLENDER_USER_RESOURCES" not in os.environ:  # before bpy is there: it must not see who works here, nor be seen
    folder = tempfile.mkdtemp(prefix="faceparse-blender-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["BLENDER_USER_RESOURCES"] = folder

import bpy  # noqa: E402

if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # the add-on under the name of its folder
sys.path.append(str(HERE.parent))  # `processes`

# Machines are shared: how long an example takes says nothing of the code. The same examples every time.
settings.register_profile("faceparse", deadline=None, derandomize=True)
settings.load_profile("faceparse")

if TYPE_CHECKING:
    from commands import Fake

ADDON = "blender_addon"


def pytest_report_header() -> str:
    return f"Blender {bpy.app.version_string}, the command: {os.environ.get('FACEPARSE_COMMAND', 'none')}"


@pytest.fixture(scope="session", autouse=True)
def addon() -> Iterator[str]:
    """The add-on, registered for the whole run as a user's click does it; its module's name."""
    import addon_utils

    def fail(error: Exception) -> None:
        raise error

    assert addon_utils.enable(ADDON, default_set=True, handle_error=fail)
    yield ADDON
    addon_utils.disable(ADDON, default_set=True, handle_error=fail)


@pytest.fixture(autouse=True)
def fresh(addon: str) -> None:
    """A new, empty file before each test; the add-on and its preferences stay."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert not bpy.data.objects
    assert addon in bpy.context.preferences.addons


@pytest.fixture
def face_svg(tmp_path: Path) -> Path:
    """One drawn face (480 x 360), the preset portrait, as our own exporter wrote it; a copy that may be changed."""
    return Path(shutil.copy(DATA / "face.svg", tmp_path))


@pytest.fixture
def faces_svg(tmp_path: Path) -> Path:
    """Two faces beside each other, every part, and a locked background; a copy that may be changed."""
    return Path(shutil.copy(DATA / "faces.svg", tmp_path))


@pytest.fixture
def own_svg(tmp_path: Path) -> Path:
    """A face with two parts that the add-on's table does not know, a sticker and headphones; a copy."""
    return Path(shutil.copy(DATA / "own.svg", tmp_path))


@pytest.fixture(scope="session")
def command() -> str:
    """The path of the real faceparse-svg."""
    path = os.environ.get("FACEPARSE_COMMAND")
    if not path:
        pytest.skip("FACEPARSE_COMMAND names no command")
    assert os.access(path, os.X_OK), f"FACEPARSE_COMMAND: {path} is no program"
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo of one person, in a folder of its own with a space in its name."""
    folder = tmp_path / "my photos"
    folder.mkdir()
    return Path(shutil.copy(ROOT / "examples" / "astronaut.jpg", folder))


# The add-on's modules are imported in the fixtures: held by this file, Blender 4.2 would crash over them when it ends.


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    """Writes a command whose body is given, in Python, and has the preferences name it."""
    from commands import PRELUDE, stored

    from blender_addon.command import Command

    def write(body: str = "write()") -> Command:
        path = tmp_path / "bin" / "faceparse-svg"
        path.parent.mkdir(exist_ok=True)
        path.write_text(PRELUDE + textwrap.dedent(body), "utf-8")
        path.chmod(0o755)
        stored().command = os.fspath(path)
        return Command(os.fspath(path))

    return write


@pytest.fixture
def real() -> str:
    """The path of the real command, which must be there."""
    from commands import stored

    path = os.environ.get("FACEPARSE_COMMAND") or shutil.which("faceparse-svg")
    assert path, "FACEPARSE_COMMAND names no command, and there is none on PATH"
    stored().command = path
    return path


@pytest.fixture(autouse=True)
def chosen_by_nobody() -> None:
    """The preferences as they are at first."""
    from commands import stored

    from blender_addon import options

    for name in ("command", "editor", *options.names(options.CommandOptions, options.CurveOptions)):
        stored().property_unset(name)


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """A folder for what is gone after a run."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder
