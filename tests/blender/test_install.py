"""The zips that a user installs: each in an empty profile of a Blender of its own, installed, enabled and used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import bpy
import pytest
from conftest import DATA, HERE, ROOT

EXTENSIONS = bpy.app.version >= (4, 2, 0)


@pytest.fixture(scope="module")
def zips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The extension and the legacy add-on, as `nox -s addon` builds them."""
    folder = tmp_path_factory.mktemp("zips")
    tool = ROOT / "tools" / "addon_zips.py"
    done = subprocess.run([python(), os.fspath(tool), os.fspath(folder)], capture_output=True, text=True, check=True)
    return [Path(line.removeprefix("wrote ")) for line in done.stdout.splitlines()]


def python() -> str:
    return sys.executable if not bpy.app.binary_path else os.environ.get("FACEPARSE_PYTHON", "python3")


def install_and_use(package: Path, how: str, profile: Path) -> dict[str, object]:
    """What tests/blender/install_and_use.py says of itself."""
    script = [os.fspath(HERE / "install_and_use.py"), "--", os.fspath(package), how, os.fspath(DATA / "face.svg")]
    if bpy.app.binary_path:
        program = [bpy.app.binary_path, "-b", "--factory-startup", "--python-exit-code", "1", "--python"]
    else:
        program = [sys.executable]
    profile.mkdir()
    environment = os.environ | {"BLENDER_USER_RESOURCES": os.fspath(profile), "FACEPARSE_COMMAND": ""}
    done = subprocess.run([*program, *script], capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("{"))
    return json.loads(line)


def check(said: dict[str, object], module: str) -> None:
    assert said["module"] == module
    assert "hair" in said["parts"]
    assert not said["written"], "it wrote into the user's folder"
    assert not said["left"], "it left operators behind"


@pytest.mark.skipif(not EXTENSIONS, reason="this Blender has no extensions yet")
def test_the_extension_is_installed_and_works(zips: list[Path], tmp_path: Path) -> None:
    check(install_and_use(zips[0], "extension", tmp_path / "profile"), "bl_ext.user_default.faceparse_svg")


def test_the_legacy_add_on_is_installed_and_works(zips: list[Path], tmp_path: Path) -> None:
    check(install_and_use(zips[1], "legacy", tmp_path / "profile"), "faceparse_svg")
