"""Two renderers that share no code, resvg (Rust) and librsvg (cairo), agree on the picture, and with our preview."""

from __future__ import annotations

import shutil
import subprocess

import cv2
import numpy as np
import pytest

from faceparse_core.parts import HAIR, PRESETS
from svg_export.export import Drawn, draw
from svg_export.looks import LookSettings
from svg_export.preview import paint, paint_labels

pytestmark = pytest.mark.renderers

MEAN, SHARE, STEP = 1.0, 0.015, 16  # grey levels on average; and this share of pixels may differ by more than STEP


def resvg(svg: bytes) -> np.ndarray:
    import resvg_py

    # resvg takes mm at 96 px per inch too: the picture has the photo's size.
    return _rgb(bytes(resvg_py.svg_to_bytes(svg_string=svg.decode(), background="white", dpi=96)))


def librsvg(svg: bytes) -> np.ndarray:
    program = shutil.which("rsvg-convert")
    assert program, "rsvg-convert is not installed"
    done = subprocess.run([program, "--background-color=white"], input=svg, capture_output=True, timeout=60, check=True)
    return _rgb(done.stdout)


def _rgb(png: bytes) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def apart(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """(mean difference, share of pixels off by more than STEP)."""
    assert one.shape == other.shape
    difference = np.abs(one.astype(int) - other)
    return float(difference.mean()), float((difference.max(axis=2) > STEP).mean())


@pytest.fixture(params=["underlap", "stacked", "cutout"])
def drawn(request: pytest.FixtureRequest, face: np.ndarray) -> Drawn:
    from svg_export.layers import TraceSettings

    return draw(face, {}, PRESETS["all"], TraceSettings(joins=request.param), title="A face")


def test_two_renderers_agree(drawn: Drawn, face: np.ndarray) -> None:
    one, other = resvg(drawn.svg), librsvg(drawn.svg)
    assert one.shape[:2] == face.shape
    mean, share = apart(one, other)
    assert mean <= MEAN
    assert share <= SHARE


def test_the_preview_shows_what_a_renderer_shows(drawn: Drawn, face: np.ndarray) -> None:
    size = (face.shape[0], face.shape[1])
    mean, share = apart(resvg(drawn.svg), paint(drawn.layers, size, size))
    assert mean <= MEAN
    assert share <= SHARE


@pytest.mark.parametrize("style", ["outline", "flat+outline", "cel", "cel+outline"])
def test_they_agree_on_lines_and_tones(style: str, face: np.ndarray) -> None:
    light = np.linspace(0.3, 1, face.shape[1])[None, :, None]
    rgb = (paint_labels(face) * light).astype(np.uint8)
    look = LookSettings(style=style)  # type: ignore[arg-type]
    drawn = draw(face, {}, PRESETS["all"], None, look, title="A face", rgb=rgb)
    size = (face.shape[0], face.shape[1])
    one, ours = resvg(drawn.svg), paint(drawn.layers, size, size, outline=drawn.outline)
    for other, edges in (
        (librsvg(drawn.svg), 1),
        (ours, 2),
    ):  # a line is nothing but edges, and the preview's are coarse
        mean, share = apart(one, other)
        assert mean <= MEAN
        assert share <= edges * SHARE


def test_the_comparison_can_fail(face: np.ndarray) -> None:
    whole = draw(face, {}, PRESETS["all"], title="A face").svg
    part = draw(face, {}, PRESETS["all"] - {HAIR}, title="A face").svg
    moved = whole.replace(b'viewBox="0 0 ', b'viewBox="3 0 ')
    for other in (part, moved):
        mean, share = apart(resvg(whole), librsvg(other))
        assert mean > MEAN or share > SHARE
