"""The Blender add-on as a package, read without Blender: what stands twice agrees, and what may not be there is not."""

from __future__ import annotations

import ast
import re
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import addon_zips
import blender_data
import pytest
from conftest import ROOT
from test_house import imports

import svg_export

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it

ADDON = ROOT / "blender_addon"
SOURCES = sorted(ADDON.rglob("*.py"))
LICENCE = "GPL-3.0-or-later"
NETWORK = {"asyncio", "ftplib", "http", "requests", "smtplib", "socket", "socketserver", "ssl", "urllib", "xmlrpc"}
BLENDERS = {"addon_utils", "bl_operators", "bl_ui", "bpy", "bpy_extras", "mathutils"}  # Blender's own
LONGEST = 64  # what Blender's extensions platform takes of a tagline or a reason


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return tomllib.loads((ADDON / "blender_manifest.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def bl_info() -> dict[str, Any]:
    """Read as Blender reads it: without running the module, so it must be a literal."""
    for node in ast.parse((ADDON / "__init__.py").read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "bl_info":
            return ast.literal_eval(node.value)
    raise AssertionError("there is no bl_info")


def test_both_state_the_same(manifest: dict[str, Any], bl_info: dict[str, Any]) -> None:
    assert manifest["version"] == ".".join(map(str, bl_info["version"])) == svg_export.__version__
    assert manifest["name"] == bl_info["name"]
    assert manifest["license"] == [f"SPDX:{LICENCE}"]
    assert bl_info["blender"] == (3, 4, 0)
    assert manifest["blender_version_min"] == "4.2.0", "no earlier Blender has extensions"
    assert manifest["id"] == addon_zips.NAME
    assert manifest["type"] == "add-on"
    assert "blender_version_max" not in manifest


def test_the_licence_stands_in_every_file_and_beside_them() -> None:
    for file in SOURCES:
        first = file.read_text("utf-8").splitlines()[0]
        assert first == f"# SPDX-License-Identifier: {LICENCE}", f"{file.name} begins with {first!r}"
    text = (ADDON / "LICENSE").read_text("utf-8")
    assert "GNU GENERAL PUBLIC LICENSE" in text
    assert "Version 3, 29 June 2007" in text


def test_the_manifest_keeps_to_blenders_rules(manifest: dict[str, Any]) -> None:
    sentences = {"tagline": manifest["tagline"], **manifest.get("permissions", {})}
    for name, text in sentences.items():
        assert len(text) <= LONGEST, name
        assert text[-1].isalnum() or text[-1] in ")]", f"{name} ends in {text[-1]!r}"
    assert set(manifest.get("permissions", {})) <= {"files", "clipboard"}, "no network"
    assert re.fullmatch(r"\d+\.\d+\.\d+", manifest["version"])


def test_it_needs_python_and_blender_alone() -> None:
    assert SOURCES
    for file in SOURCES:
        text = file.read_text("utf-8")
        ast.parse(text, feature_version=(3, 10))  # Blender 3.4's
        taken = set(imports(text))
        assert not taken & NETWORK - {"urllib"}, f"{file.name} reaches for the network"
        assert set(modules(text, "urllib")) <= {"urllib.parse"}, f"{file.name} reaches for the network"
        allowed = BLENDERS | sys.stdlib_module_names | ({"numpy"} if file.name == "arrays.py" else set())
        assert taken <= allowed, f"{file.name} imports {taken - allowed}"
        assert addon_zips.ADDON.name not in taken, f"{file.name} imports by the folder's name; it has others too"


def modules(source: str, package: str) -> Iterator[str]:
    """What of a package a module's source imports, in full."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == package)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            if node.module == package:
                yield from (f"{package}.{alias.name}" for alias in node.names)
            elif node.module.startswith(f"{package}."):
                yield node.module


@pytest.mark.parametrize("name", ["svg_reader", "svg_writer", "job", "editor"])
def test_what_needs_no_blender_loads_without(name: str) -> None:
    """Also what it imports of its own; the package's __init__ may not be run for it."""
    seen, todo = set(), [name]
    while todo:
        tree = ast.parse((ADDON / f"{todo.pop()}.py").read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                found = [node.module] if node.module else [alias.name for alias in node.names]
                todo += [module for module in found if module not in seen]
                seen |= set(found)
            elif isinstance(node, ast.Import):
                assert not {alias.name.split(".")[0] for alias in node.names} & BLENDERS
            elif isinstance(node, ast.ImportFrom) and node.module:
                assert node.module.split(".")[0] not in BLENDERS


def test_the_zips_hold_the_sources_and_nothing_else(tmp_path: Path) -> None:
    extension, legacy = addon_zips.build(tmp_path)
    assert extension.name == f"faceparse_svg-{svg_export.__version__}.zip"
    assert legacy.name == f"faceparse_svg-{svg_export.__version__}-legacy.zip"
    with zipfile.ZipFile(extension) as archive:
        names = archive.namelist()
        for name in names:
            assert archive.read(name) == (ADDON / name).read_bytes()
    assert names == sorted(names)
    assert {"__init__.py", "blender_manifest.toml", "LICENSE"} <= set(names)
    assert {f"{file.relative_to(ADDON).as_posix()}" for file in SOURCES} <= set(names)
    assert not [name for name in names if "__pycache__" in name or name.startswith(".")]
    with zipfile.ZipFile(legacy) as archive:
        assert archive.namelist() == [f"faceparse_svg/{name}" for name in names if name != "blender_manifest.toml"]


def test_the_zips_are_the_same_bytes_every_time(tmp_path: Path) -> None:
    once = addon_zips.build(tmp_path / "once")
    copy = tmp_path / "copy"
    shutil.copytree(ADDON, copy, copy_function=shutil.copyfile)  # with dates and rights of its own
    (copy / "__pycache__").mkdir(exist_ok=True)
    (copy / "__pycache__" / "panel.cpython-311.pyc").write_bytes(b"x")
    (copy / ".DS_Store").write_bytes(b"x")
    again = addon_zips.build(tmp_path / "again", copy)
    assert [path.read_bytes() for path in once] == [path.read_bytes() for path in again]


@pytest.mark.parametrize("name", blender_data.FILES)
def test_the_suite_in_blender_reads_what_the_exporter_writes(name: str) -> None:
    """The same words, and numbers as near as another processor may bring them."""
    number = re.compile(r"-?\d*\.?\d+")
    kept, made = ((blender_data.DATA / name).read_text("utf-8"), blender_data.FILES[name]().decode())
    refresh = "the SVG has changed: python tests/blender_data.py"
    assert number.sub("#", kept) == number.sub("#", made), refresh
    near = pytest.approx([float(word) for word in number.findall(made)], abs=0.05)
    assert [float(word) for word in number.findall(kept)] == near, refresh
