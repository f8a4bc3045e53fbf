"""The checks. `nox` runs the quick ones; `nox -s all` adds the heavy ones, which fail where their tool is missing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox

QUICK = ("lint", "types", "tests")
BPY = {"4.2": "4.2.23", "4.5": "4.5.15", "5.0": "5.0.1"}  # Blender as a Python package, a gigabyte each
BLENDERS = (*(f"bpy-{short}" for short in BPY), "blender")
HEAVY = ("inkscape", "renderers", "pictures", "torch", "package", "addon", *BLENDERS, "window")

nox.needs_version = ">=2024.4"
nox.options.sessions = QUICK
nox.options.error_on_missing_interpreters = True

PYTHON_OF_BLENDER = "3.11"  # of those packages, and of Debian's Blender 3.4: compiled packages must be made for it
PYTEST = ("pytest>=8", "hypothesis>=6.100", "resvg_py>=0.1.5")
ENVIRONMENT_LIMIT_MB = 450  # what a default install may take on disk


@nox.session
def lint(session: nox.Session) -> None:
    """Style and plain mistakes."""
    session.install("ruff>=0.6")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict, on all that has types: not on what stands on bpy."""
    session.install(".", "mypy>=1.11")
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """What needs nothing but a default install."""
    session.install(".", *PYTEST)
    session.run("pytest", *session.posargs)


@nox.session
def inkscape(session: nox.Session) -> None:
    """Inkscape reads, exports and saves our files."""
    session.run("inkscape", "--version", external=True)
    session.install(".", *PYTEST)
    session.run("pytest", "-m", "inkscape", *session.posargs)


@nox.session
def renderers(session: nox.Session) -> None:
    """Renderers that share no code agree on the picture, and in none the page shines through."""
    session.run("rsvg-convert", "--version", external=True)
    session.run("chromium", "--version", external=True)
    session.install(".", *PYTEST)
    session.run("pytest", "-m", "renderers", *session.posargs)


@nox.session
def pictures(session: nox.Session) -> None:
    """Photos without a face, which data packages ship: no face is found."""
    session.install(".", *PYTEST)
    session.install("--no-deps", "scikit-image>=0.22", "scikit-learn>=1.4")
    session.run("pytest", "-m", "pictures", *session.posargs)


@nox.session
def torch(session: nox.Session) -> None:
    """Training, export, other people's checkpoints, downloads from Drive. Torch without torchvision."""
    session.install(".", *PYTEST, "torch==2.13.0", "onnx>=1.16", "gdown>=6.5", "protobuf>=4.25", "tensorboard>=2.16")
    session.run("pytest", "-m", "torch", *session.posargs)


@nox.session(venv_backend="virtualenv")  # has pip inside, whichever backend the others use
def package(session: nox.Session) -> None:
    """The wheel alone, in an environment of its own, run from an empty folder."""
    here = Path.cwd()
    empty = Path(session.create_tmp()).resolve()
    shutil.rmtree(empty)
    empty.mkdir()
    session.run("pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(empty), ".")
    (wheel,) = empty.glob("*.whl")
    session.install(str(wheel))
    wheel.unlink()
    shutil.copy(here / "examples" / "astronaut.jpg", empty / "a photo.jpg")
    session.chdir(empty)
    session.run("faceparse-svg", "--version")
    session.run("faceparse-svg", "a photo.jpg", "--preview")
    session.run(
        "python", "-c",
        "import pathlib, svg_export.check as c; bad = c.check_svg(pathlib.Path('a photo.svg').read_bytes());"
        "assert not bad, bad",
    )  # fmt: skip
    root = session.virtualenv.location
    files = (os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names)
    size = sum(os.lstat(file).st_size for file in files) >> 20
    session.log(f"a default environment takes {size} MB")
    if size > ENVIRONMENT_LIMIT_MB:
        session.error(f"that is more than {ENVIRONMENT_LIMIT_MB} MB")


@nox.session(venv_backend="virtualenv", python=PYTHON_OF_BLENDER)
def addon(session: nox.Session) -> None:
    """The add-on's two zips, in dist. Blender's own validator must accept the extension."""
    said = str(session.run("python", "tools/addon_zips.py", "dist", silent=True))
    session.log(said.strip())
    extension = said.splitlines()[0].removeprefix("wrote ")
    session.install("--no-deps", f"bpy=={BPY['5.0']}")
    try:
        (validator,) = Path(packages(session)).glob("bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py")
        session.run("python", os.fspath(validator), "validate", extension)
    finally:
        remove_bpy(session)


def with_bpy(session: nox.Session) -> None:
    """The add-on's suite against a bpy wheel; Inkscape edits what goes in."""
    session.run("inkscape", "--version", external=True)
    session.install(f"bpy=={BPY[session.name.removeprefix('bpy-')]}", ".", *PYTEST)
    try:
        session.run("pytest", *(session.posargs or ["tests/blender"]), env=blender_environment(session))
    finally:
        remove_bpy(session)


for short in BPY:
    nox.session(with_bpy, venv_backend="virtualenv", python=PYTHON_OF_BLENDER, name=f"bpy-{short}")


@nox.session(python=PYTHON_OF_BLENDER)
def blender(session: nox.Session) -> None:
    """The same suite inside the Blender that is installed."""
    session.run("blender", "--version", external=True)
    session.run("inkscape", "--version", external=True)
    session.install(".", *PYTEST)
    session.run(
        "blender", "-b", "--factory-startup", "--python-exit-code", "1",
        "--python", "tests/blender/run_in_blender.py", "--", *(session.posargs or ["tests/blender"]),
        env=blender_environment(session), external=True,
    )  # fmt: skip


@nox.session
def window(session: nox.Session) -> None:
    """Blender's real window: the tab and the button are clicked, and the portrait is seen on the screen."""
    for program in ("blender", "Xvfb", "openbox", "xdotool", "import"):
        if not shutil.which(program):
            session.error(f"{program} is not installed")
    session.install(".", *PYTEST)
    session.run("pytest", "-m", "window", *session.posargs, env=blender_environment(session))


def blender_environment(session: nox.Session) -> dict[str, str]:
    """An empty user's folder for Blender, and what the suite reads of the environment."""
    folder = Path(session.create_tmp()).resolve() / "blender"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return {
        "BLENDER_USER_RESOURCES": os.fspath(folder),
        "FACEPARSE_COMMAND": os.fspath(Path(session.bin) / "faceparse-svg"),
        "FACEPARSE_PACKAGES": packages(session),
    }


def packages(session: nox.Session) -> str:
    """Where the session's packages are installed."""
    said = session.run("python", "-c", "import sysconfig; print(sysconfig.get_path('platlib'))", silent=True)
    return str(said).strip()


def remove_bpy(session: nox.Session) -> None:
    """Not three gigabytes of it at once."""
    session.run("pip", "uninstall", "--quiet", "--yes", "bpy")


@nox.session(venv_backend="none")
def heavy(session: nox.Session) -> None:
    """What `all` adds to a bare `nox`."""
    for name in HEAVY:
        session.notify(name)


@nox.session(name="all", venv_backend="none")
def everything(session: nox.Session) -> None:
    """All of it, as CI does."""
    for name in (*QUICK, *HEAVY):
        session.notify(name)
