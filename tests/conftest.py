"""What the tests share: the example photos, a label map drawn by hand, and the data set where there is one."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import settings

from faceparse_core.parts import BY_NAME

# Machines are shared: how long an example takes says nothing of the code. The same examples every time.
settings.register_profile("faceparse", deadline=None, derandomize=True)
settings.load_profile("faceparse")

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(os.fspath(ROOT))  # the add-on is in no package: Blender has a zip of it

collect_ignore = ["blender"]  # a suite of its own, which runs inside Blender


@pytest.fixture(scope="session")
def astronaut() -> Path:
    return ROOT / "examples" / "astronaut.jpg"


@pytest.fixture
def photo(tmp_path: Path, astronaut: Path) -> Path:
    """A copy of it in a folder of its own."""
    target = tmp_path / "astronaut.jpg"
    target.write_bytes(astronaut.read_bytes())
    return target


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own: none writes into the user's."""
    folder = tmp_path / "cache of models"
    monkeypatch.setenv("FACEPARSE_CACHE", os.fspath(folder))
    return folder


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of training and test data, which is no part of the project."""
    folder = os.environ.get("FACEPARSE_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("FACEPARSE_DATA names no folder with the data set")
    return Path(folder)


def draw_face(size: tuple[int, int] = (480, 360)) -> np.ndarray:
    """A label map (height, width) with a face of ellipses: every part that a portrait has, but hat and beard."""
    height, width = size
    labels = np.zeros(size, np.uint8)

    def put(name: str, x: float, y: float, rx: float, ry: float) -> None:
        center = (round(x * width), round(y * height))
        cv2.ellipse(labels, center, (round(rx * width), round(ry * width)), 0, 0, 360, BY_NAME[name].id, -1)

    put("cloth", 0.5, 1.05, 0.48, 0.32)
    put("neck", 0.5, 0.8, 0.13, 0.2)
    put("hair", 0.5, 0.42, 0.36, 0.46)
    put("ear-right", 0.22, 0.5, 0.06, 0.1)
    put("ear-left", 0.78, 0.5, 0.06, 0.1)
    put("head", 0.5, 0.5, 0.27, 0.38)
    for side, x in (("right", 0.37), ("left", 0.63)):
        put(f"brow-{side}", x, 0.39, 0.08, 0.015)
        put(f"eye-{side}", x, 0.44, 0.06, 0.025)
    put("nose", 0.5, 0.55, 0.05, 0.09)
    put("lip-upper", 0.5, 0.66, 0.1, 0.03)
    put("lip-lower", 0.5, 0.69, 0.09, 0.03)
    put("mouth", 0.5, 0.675, 0.06, 0.012)
    return labels


@pytest.fixture(scope="session")
def face() -> np.ndarray:
    return draw_face()


@pytest.fixture
def face_png(tmp_path: Path, face: np.ndarray) -> Path:
    """The drawn face as a file that --from-labels takes."""
    path = tmp_path / "drawn.labels.png"
    cv2.imwrite(os.fspath(path), face)
    return path
