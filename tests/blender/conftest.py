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
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

if "BLENDER_USER_RESOURCES" not in os.environ:  # before bpy is there: it must not see who works here, nor be seen
    folder = tempfile.mkdtemp(prefix="faceparse-blender-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["BLENDER_USER_RESOURCES"] = folder

import bpy  # noqa: E402

if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # the add-on under the name of its folder

from commands import ADDON, DATA, chosen_by_nobody, fake, real, temporary  # noqa: E402, F401 - fixtures for all

# Machines are shared: how long an example takes says nothing of the code. The same examples every time.
settings.register_profile("faceparse", deadline=None, derandomize=True)
settings.load_profile("faceparse")


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
