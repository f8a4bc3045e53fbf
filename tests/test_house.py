"""The house: imports run one way, nothing heavy is loaded too early, and what stands twice agrees."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import typing
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from conftest import ROOT

import svg_export
from svg_export import options

HEAVY = {"torch", "torchvision", "onnxruntime", "cv2", "numpy", "shapely", "PIL", "svgwrite", "tqdm"}

#: Which of our packages each may import. The Blender add-on lives in Blender's Python, alone.
MAY_IMPORT = {
    "faceparse_core": {"faceparse_core"},
    "svg_export": {"svg_export", "faceparse_core"},
    "blender_addon": {"blender_addon"},
}


def imports(source: str) -> Iterator[str]:
    """The top-level packages that a module's source imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_run_one_way(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    if not files:
        pytest.skip(f"there is no {package} in this tree")
    ours = set(MAY_IMPORT)
    for file in files:
        wrong = (set(imports(file.read_text("utf-8"))) & ours) - MAY_IMPORT[package]
        assert not wrong, f"{file.relative_to(ROOT)} imports {wrong}"


def test_the_import_reader_sees_what_it_should() -> None:
    assert set(imports("import a.b, c\ndef f():\n    from d.e import g\n    from . import h\n")) == {"a", "c", "d"}


def loaded_by(statement: str) -> set[str]:
    """The packages that a fresh Python has loaded after a statement."""
    code = f"{statement}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    assert not loaded_by("import faceparse_core, svg_export, svg_export.cli") & HEAVY
    assert not loaded_by("import svg_export.options as c\nc.build_parser().format_help()") & HEAVY
    assert "numpy" in loaded_by("import svg_export.svg"), "the test sees nothing at all"


def test_no_torch_on_the_way_from_photo_to_svg() -> None:
    assert not loaded_by("import svg_export.export, faceparse_core.parse") & {"torch", "torchvision"}


def test_versions_agree() -> None:
    try:
        installed = metadata.version("faceparse-svg")
    except metadata.PackageNotFoundError:
        pytest.skip("faceparse-svg is not installed; pip install -e . does")
    assert installed == svg_export.__version__
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    newest = re.search(r"^## (\S+)", changes, re.MULTILINE)
    assert newest
    assert newest[1] in (svg_export.__version__, "Unreleased")


def test_the_commands_choices_are_the_settings_own() -> None:
    from svg_export.layers import TraceSettings
    from svg_export.looks import LookSettings

    hints = typing.get_type_hints(TraceSettings)
    assert set(options.JOINS) == set(typing.get_args(hints["joins"]))
    assert set(options.CURVES) == set(typing.get_args(hints["curves"]))
    assert set(options.STYLES) == set(typing.get_args(typing.get_type_hints(LookSettings)["style"]))
    text = re.sub(r"\s+", " ", options.build_parser().format_help())
    assert f"({TraceSettings().joins}, the default)" in text
    assert f"({LookSettings().style}, the default)" in text
    assert f"(default: {LookSettings().weight})" in text


def test_the_readme_names_every_option() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    named = set(re.findall(r"--[a-z-]+", options.build_parser().format_help())) - {"--help", "--output", "--"}
    assert not {option for option in named if option not in readme}


def test_the_readme_holds_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "pip install . && faceparse-svg examples/astronaut.jpg\n" in readme
    assert "pip install nox && nox\n" in readme


def test_every_package_says_that_it_is_typed() -> None:
    for package in (svg_export,):
        assert (Path(package.__file__).parent / "py.typed").exists()
