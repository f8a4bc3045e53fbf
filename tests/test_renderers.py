"""Renderers that share no code agree on the picture, and with our preview; in none does the page shine through.

resvg (Rust), librsvg (cairo) and Chromium (Skia), the last with all pictures on one page, as it is slow to start.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceparse_core.parts import HAIR, PRESETS
from svg_export.export import Drawn, draw
from svg_export.layers import TraceSettings
from svg_export.looks import LookSettings
from svg_export.preview import paint, paint_labels
from svg_export.subpixel import Evidence

pytestmark = pytest.mark.renderers

SCALES = (1.0, 0.37, 3.0)
PAGE = "#ff00ff"
THROUGH = 5  # grey levels of the page in a black picture: rounding
MEAN, SHARE, STEP = 1.0, 0.015, 16  # grey levels on average; and this share of pixels may differ by more than STEP


def resvg(svg: bytes, page: str = "white") -> np.ndarray:
    import resvg_py

    # resvg takes mm at 96 px per inch too: the picture has the photo's size.
    return _rgb(bytes(resvg_py.svg_to_bytes(svg_string=svg.decode(), background=page, dpi=96)))


def librsvg(svg: bytes, page: str = "white") -> np.ndarray:
    program = shutil.which("rsvg-convert")
    assert program, "rsvg-convert is not installed"
    done = subprocess.run(
        [program, f"--background-color={page}"], input=svg, capture_output=True, timeout=60, check=True
    )
    return _rgb(done.stdout)


def chromium(svgs: list[bytes], folder: Path) -> list[np.ndarray]:
    """The pictures, side by side on one page in the page's colour."""
    program = shutil.which("chromium")
    assert program, "chromium is not installed"
    sizes = [_size(svg) for svg in svgs]
    left = np.cumsum([0, *(width for width, _ in sizes)]).tolist()
    style = 'style="position:absolute;top:0;left:{}px" '
    body = "".join(
        svg.decode().split("?>", 1)[1].replace("<svg ", "<svg " + style.format(x), 1)
        for svg, x in zip(svgs, left, strict=False)
    )
    page, picture = folder / "page.html", folder / "page.png"
    page.write_text(f'<!doctype html><meta charset="utf-8"><body style="margin:0;background:{PAGE}">{body}', "utf-8")
    window = f"--window-size={left[-1]},{max(height for _, height in sizes)}"
    options = ["--headless", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=1", window]
    options += [f"--user-data-dir={folder / 'profile'}", f"--screenshot={picture}"]
    if os.name == "posix" and os.geteuid() == 0:
        options.append("--no-sandbox")  # it refuses to run as root with one
    subprocess.run([program, *options, page.as_uri()], capture_output=True, timeout=120, check=True)
    whole = _rgb(picture.read_bytes())
    return [whole[:height, x : x + width] for (width, height), x in zip(sizes, left, strict=False)]


def _rgb(png: bytes) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def silhouette(svg: bytes, scale: float) -> bytes:
    """The drawing all in black, in px and so much larger."""
    width, height = (round(scale * int(side)) for side in re.search(rb'viewBox="0 0 (\d+) (\d+)"', svg).groups())  # type: ignore[union-attr]
    size = f'width="{width}" height="{height}" preserveAspectRatio="none"'.encode()
    root = re.search(rb"<svg [^>]*>", svg)[0]  # type: ignore[index]
    plain = re.sub(rb' (width|height)="[^"]*"', b"", root).replace(b"<svg ", b"<svg " + size + b" ", 1)
    return re.sub(rb"fill:#[0-9a-f]{6}", b"fill:#000000", svg.replace(root, plain))


def _size(svg: bytes) -> tuple[int, int]:
    """(width, height) of a silhouette, px."""
    return tuple(int(side) for side in re.search(rb'<svg width="(\d+)" height="(\d+)"', svg).groups())  # type: ignore[return-value, union-attr]


def leaks(picture: np.ndarray, labels: np.ndarray, scale: float) -> int:
    """How many pixels well inside of the drawing show something of the page."""
    reach = 2 * int(np.ceil(max(3, 1.5 / scale))) + 1
    inside = cv2.morphologyEx((labels > 0).astype(np.uint8), cv2.MORPH_ERODE, np.ones((reach, reach), np.uint8))
    height, width = picture.shape[:2]
    inside = cv2.resize(inside.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) > 0.999
    inside[[0, -1]] = inside[:, [0, -1]] = False  # where a border ends on the frame, its last pixel is a wedge
    return int((picture.max(axis=2)[inside] > THROUGH).sum())


def apart(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """(mean difference, share of pixels off by more than STEP)."""
    assert one.shape == other.shape
    difference = np.abs(one.astype(int) - other)
    return float(difference.mean()), float((difference.max(axis=2) > STEP).mean())


@pytest.fixture(params=["underlap", "stacked", "cutout"])
def drawn(request: pytest.FixtureRequest, face: np.ndarray) -> Drawn:
    return draw(face, {}, PRESETS["all"], TraceSettings(joins=request.param), title="A face")


def test_two_renderers_agree(drawn: Drawn, face: np.ndarray) -> None:
    one, other = resvg(drawn.svg), librsvg(drawn.svg)
    assert one.shape[:2] == face.shape
    mean, share = apart(one, other)
    assert mean <= MEAN
    assert share <= SHARE


def test_the_preview_shows_what_a_renderer_shows(drawn: Drawn, face: np.ndarray) -> None:
    size = (face.shape[0], face.shape[1])
    mean, share = apart(resvg(drawn.svg), paint(drawn.faces, size, size))
    assert mean <= MEAN
    assert share <= SHARE


@pytest.mark.parametrize("style", ["outline", "flat+outline", "cel", "cel+outline"])
def test_they_agree_on_lines_and_tones(style: str, face: np.ndarray) -> None:
    light = np.linspace(0.3, 1, face.shape[1])[None, :, None]
    rgb = (paint_labels(face) * light).astype(np.uint8)
    look = LookSettings(style=style)  # type: ignore[arg-type]
    drawn = draw(face, {}, PRESETS["all"], None, look, title="A face", evidence=Evidence(rgb))
    size = (face.shape[0], face.shape[1])
    one, ours = resvg(drawn.svg), paint(drawn.faces, size, size)
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


def islands() -> np.ndarray:
    """Twelve parts as patches of a map without background."""
    rng = np.random.default_rng(1)
    hills = [cv2.GaussianBlur(rng.normal(size=(240, 240)), (0, 0), 14) for _ in range(12)]
    return (1 + np.argmax(hills, axis=0)).astype(np.uint8)


def test_no_page_shines_through_in_any_of_three_renderers(face: np.ndarray, tmp_path: Path) -> None:
    light = np.linspace(0.3, 1, face.shape[1])[None, :, None]
    rgb = (paint_labels(face) * light).astype(np.uint8)
    cel = LookSettings(style="cel")
    drawn = {"cel": (draw(face, {}, PRESETS["all"], None, cel, title="t", evidence=Evidence(rgb)).svg, face)}
    for joins in ("underlap", "stacked"):  # of shapes that abut every renderer shows the seam
        for curves in ("bezier", "polygon"):
            trace = TraceSettings(joins=joins, curves=curves)  # type: ignore[arg-type]
            drawn[f"{joins} {curves}"] = draw(face, {}, PRESETS["all"], trace, title="t").svg, face
        trace = TraceSettings(joins=joins)  # type: ignore[arg-type]
        drawn[f"{joins} islands"] = (
            draw(islands(), {}, PRESETS["all"], trace, title="t", head_size=400.0).svg,
            islands(),
        )
    few = TraceSettings(max_nodes=60)
    drawn["few nodes"] = draw(face, {}, PRESETS["all"], few, title="t").svg, face
    cases = [
        (name, scale, silhouette(svg, scale), labels)
        for name, (svg, labels) in drawn.items()
        for scale in SCALES
        if scale >= 1 or "islands" not in name
    ]
    pages = chromium([svg for _, _, svg, _ in cases], tmp_path)
    for (name, scale, svg, labels), page in zip(cases, pages, strict=True):
        for renderer, picture in (("chromium", page), ("resvg", resvg(svg, PAGE)), ("librsvg", librsvg(svg, PAGE))):
            assert (picture.shape[1], picture.shape[0]) == _size(svg)
            assert (picture == 0).any(), (renderer, name)
            assert leaks(picture, labels, scale) == 0, (renderer, name, scale)


def test_a_seam_is_seen(face: np.ndarray, tmp_path: Path) -> None:
    svg = silhouette(draw(face, {}, PRESETS["all"], TraceSettings(joins="cutout"), title="t").svg, 1.0)
    for picture in (resvg(svg, PAGE), librsvg(svg, PAGE), *chromium([svg], tmp_path)):
        assert leaks(picture, face, 1.0) > 50
