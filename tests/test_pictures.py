"""What the command writes besides the SVG: masks, heatmaps, colours, contact sheets."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from command import Capture, leftovers, one_line, process, run
from PIL import Image

from faceparse_core.parts import BY_NAME, PARTS, PRESETS

ALL = ("--mask", "--heatmap", "--colorize", "--colorize-over", "--gallery", "--save-labels")
KINDS = ("mask", "heatmap", "colorize", "colorize-over", "gallery", "labels")


def picture(path: Path) -> np.ndarray:
    """A PNG as it is: grey (H, W), or RGB."""
    pixels = cv2.imread(os.fspath(path), cv2.IMREAD_UNCHANGED)
    assert pixels is not None, path
    return pixels if pixels.ndim == 2 else pixels[..., ::-1]


def test_every_picture_comes_beside_the_svg_and_agrees_with_the_label_map(photo: Path, capsys: Capture) -> None:
    assert run(photo, *ALL) == 0
    wrote = [Path(line.removeprefix("wrote ")).name for line in capsys.readouterr().out.splitlines()]
    assert wrote[0] == "astronaut.svg"
    assert sorted(wrote[1:]) == sorted(f"astronaut.{kind}.png" for kind in KINDS)
    found = {kind: picture(photo.with_name(f"astronaut.{kind}.png")) for kind in KINDS}
    labels = found["labels"]
    assert labels.shape == (512, 512)
    assert (found["mask"] == np.where(np.isin(labels, list(PRESETS["face"])), 255, 0)).all()
    assert found["heatmap"].shape == labels.shape
    assert found["heatmap"].dtype == np.uint8
    assert found["heatmap"][found["mask"] > 0].mean() > 240
    assert found["heatmap"][found["mask"] == 0].mean() < 10
    assert (found["colorize"] == np.array([part.mark for part in PARTS], np.uint8)[labels]).all()
    over, original = found["colorize-over"], picture(photo)
    assert (over[labels == 0] == np.array(Image.open(photo))[labels == 0]).all()
    assert (over != original)[labels > 0].mean() > 0.5
    height, width = found["gallery"].shape[:2]
    assert height == 512
    assert width > 3 * 512
    assert leftovers(photo.parent) == []


def test_the_same_photo_gives_the_same_pictures(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    assert run(photo, *ALL, "--no-svg") == 0
    assert run(photo, *ALL, "--no-svg", "-o", tmp_path / "again") == 0
    for kind in KINDS:
        name = f"astronaut.{kind}.png"
        assert (tmp_path / "again" / name).read_bytes() == photo.with_name(name).read_bytes()


def test_without_an_svg_nothing_is_drawn(photo: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn(*_: object, **__: object) -> None:
        raise AssertionError("drawn all the same")

    monkeypatch.setattr("svg_export.export.draw", drawn)
    assert run(photo, "--no-svg", "--mask", "--json") == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (written,) = (event for event in events if event["event"] == "written")
    assert written["svg"] is None
    assert written["mask"] == os.fspath(photo.with_name("astronaut.mask.png"))
    assert written["heatmap"] is None
    assert not photo.with_suffix(".svg").exists()


def test_a_preview_can_come_without_its_svg(photo: Path) -> None:
    assert run(photo, "--no-svg", "--preview", "--save-palette") == 0
    assert picture(photo.with_name("astronaut.preview.png")).shape == (512, 1024, 3)
    assert photo.with_name("astronaut.gpl").exists()
    assert not photo.with_suffix(".svg").exists()


def test_parts_choose_what_is_shown(photo: Path) -> None:
    assert run(photo, "--no-svg", "--parts", "hair,nose", "--heatmap-parts", *ALL) == 0
    labels = picture(photo.with_name("astronaut.labels.png"))
    ours = np.isin(labels, [BY_NAME["hair"].id, BY_NAME["nose"].id])
    assert ((picture(photo.with_name("astronaut.mask.png")) > 0) == ours).all()
    assert (picture(photo.with_name("astronaut.colorize.png"))[~ours] == 255).all()
    names = sorted(path.name for path in photo.parent.glob("*.heatmap-*.png"))
    assert names == ["astronaut.heatmap-hair.png", "astronaut.heatmap-nose.png"]
    hair, nose = (picture(photo.with_name(name)).astype(int) for name in names)
    both = picture(photo.with_name("astronaut.heatmap.png")).astype(int)
    assert np.abs(hair + nose - both).max() <= 2


def test_each_face_has_the_colours_of_its_swatches(tmp_path: Path, astronaut: Path) -> None:
    one = picture(astronaut)
    two = tmp_path / "two.png"
    assert cv2.imwrite(str(two), np.hstack([one, np.fliplr(one)])[..., ::-1])
    (tmp_path / "p.json").write_text('{"hair": "#010203", "face2-hair": "#fafbfc"}')
    words = ("--colorize", "--colorize-over", "--gallery", "--save-labels")
    assert run(two, "--no-svg", "--heads", "all", *words, "--palette", tmp_path / "p.json") == 0
    labels, colours = picture(tmp_path / "two.labels.png"), picture(tmp_path / "two.colorize.png")
    hair = BY_NAME["hair"].id
    assert (colours[labels == hair] == (1, 2, 3)).all()
    assert (colours[labels == hair + 20] == (250, 251, 252)).all()
    over = picture(tmp_path / "two.colorize-over.png")
    assert over[labels == hair + 20].mean() > over[labels == hair].mean() + 80
    gallery = picture(tmp_path / "two.gallery.png")
    assert (gallery == (250, 251, 252)).all(axis=2).any()
    assert (gallery == (1, 2, 3)).all(axis=2).any()


def test_the_preview_shows_the_background(photo: Path) -> None:
    assert run(photo, "--background", "--preview") == 0
    fill = re.search(r'id="background-1" style="fill:#([0-9a-f]{6})', photo.with_suffix(".svg").read_text("utf-8"))
    fill = fill or re.search(r'fill:#([0-9a-f]{6})[^>]*id="background-1"', photo.with_suffix(".svg").read_text("utf-8"))
    assert fill
    seen = picture(photo.with_name("astronaut.preview.png"))[-5, -5]
    assert seen.tolist() == [int(fill[1][k : k + 2], 16) for k in (0, 2, 4)]


def test_a_palette_colours_the_parts(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('{"hair": "#010203"}')
    assert run(photo, "--no-svg", "--colorize", "--save-labels", "--palette", tmp_path / "p.json") == 0
    hair = picture(photo.with_name("astronaut.labels.png")) == BY_NAME["hair"].id
    assert (picture(photo.with_name("astronaut.colorize.png"))[hair] == (1, 2, 3)).all()


def test_a_lower_threshold_takes_in_more(photo: Path) -> None:
    sizes = []
    for threshold in ("0.02", "0.5", "0.98"):
        assert run(photo, "--no-svg", "--mask", "--mask-threshold", threshold, "--force") == 0
        mask = picture(photo.with_name("astronaut.mask.png"))
        assert set(np.unique(mask).tolist()) == {0, 255}
        sizes.append((mask > 0).sum())
    assert sizes[0] > 1.05 * sizes[1]
    assert sizes[1] > 1.05 * sizes[2]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_lie_as_the_photo_is_seen(tmp_path: Path, astronaut: Path, orientation: int) -> None:
    """A photo stored on its side, or mirrored, with the note how to turn it (EXIF)."""
    ways = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_90",
            7: "TRANSVERSE", 8: "ROTATE_270"}  # fmt: skip
    upright = Image.open(astronaut).crop((0, 0, 420, 512))
    exif = Image.Exif()
    exif[274] = orientation
    stored = upright.transpose(getattr(Image.Transpose, ways[orientation])) if orientation > 1 else upright
    upright.save(tmp_path / "upright.png")
    stored.save(tmp_path / "stored.png", exif=exif)
    assert run(tmp_path / "upright.png", tmp_path / "stored.png", "--no-svg", *ALL) == 0
    for kind in KINDS:
        one, other = (tmp_path / f"{name}.{kind}.png" for name in ("upright", "stored"))
        assert one.read_bytes() == other.read_bytes(), kind
    assert picture(tmp_path / "stored.mask.png").shape == (512, 420)


def test_a_head_that_the_photo_cuts(tmp_path: Path, astronaut: Path) -> None:
    """Half of the face lies beyond the left edge, and the chin beyond the lower one."""
    Image.open(astronaut).crop((215, 20, 512, 170)).resize((891, 450)).save(tmp_path / "cut.png")
    assert run(tmp_path / "cut.png", *ALL) == 0
    mask, labels = picture(tmp_path / "cut.mask.png"), picture(tmp_path / "cut.labels.png")
    assert mask.shape == labels.shape == (450, 891)
    assert mask[200:300, 0].all(), "the face reaches the edge"
    assert not mask[:, 300:].any()
    assert picture(tmp_path / "cut.heatmap.png")[200:300, 0].min() > 128


def test_label_maps_give_masks_and_colours(face_png: Path, face: np.ndarray) -> None:
    assert run(face_png, "--from-labels", "--no-svg", "--mask", "--colorize", "--parts", "hair") == 0
    hair = face == BY_NAME["hair"].id
    assert ((picture(face_png.with_name("drawn.mask.png")) > 0) == hair).all()
    colours = picture(face_png.with_name("drawn.colorize.png"))
    assert (colours[hair] == BY_NAME["hair"].mark).all()
    assert (colours[~hair] == 255).all()


def test_a_folder_in_batches_gives_what_each_photo_gives_alone(
    tmp_path: Path, astronaut: Path, capsys: Capture
) -> None:
    folder, alone = tmp_path / "in", tmp_path / "alone"
    folder.mkdir()
    alone.mkdir()
    original = Image.open(astronaut)
    for k in range(5):
        original.crop((10 * k, 0, 440 + 10 * k, 512)).save(folder / f"p{k}.png")
    (folder / "p2 broken.png").write_bytes(b"no picture")
    (folder / "p3.mask.png").write_bytes(b"an evening's edits")
    assert run(folder, "--mask", "--heatmap", "--json") == 1
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = [(Path(event["photo"]).name, event.get("step", event["event"])) for event in events if event.get("photo")]
    told = [each for each in told if each[1] != "note"]
    whole = ["photo", "read", "parse", "trace", "write", "written"]
    expected = [(name, step) for name in ("p0.png", "p1.png") for step in whole]
    expected += [("p2 broken.png", step) for step in ("photo", "read", "error")]
    expected += [("p2.png", step) for step in whole]
    expected += [("p3.png", step) for step in ("photo", "read", "error")]
    expected += [("p4.png", step) for step in whole]
    assert sorted(told, key=lambda each: each[0]) == sorted(expected, key=lambda each: each[0])
    assert (folder / "p3.mask.png").read_bytes() == b"an evening's edits"
    assert not (folder / "p3.svg").exists()
    for k in (0, 1, 2, 4):
        assert run(folder / f"p{k}.png", "--mask", "--heatmap", "-o", alone) == 0
        together, single = (picture(place / f"p{k}.heatmap.png").astype(int) for place in (folder, alone))
        assert np.abs(together - single).max() <= 1
        for name in (f"p{k}.mask.png", f"p{k}.svg"):
            assert (folder / name).stat().st_size == pytest.approx((alone / name).stat().st_size, rel=0.02)


def test_a_folder_leaves_out_the_pictures_that_were_written(photo: Path, capsys: Capture) -> None:
    assert run(photo.parent, *ALL, "--heatmap-parts", "--parts", "eye-left,hair") == 0
    capsys.readouterr()
    assert run(photo.parent, *ALL, "--heatmap-parts", "--parts", "eye-left,hair", "--force") == 0
    assert "astronaut.mask.mask" not in capsys.readouterr().out
    assert len(list(photo.parent.iterdir())) == 2 + len(KINDS) + 2


@pytest.mark.parametrize("kind", KINDS)
def test_no_picture_is_overwritten_without_force(photo: Path, kind: str, capsys: Capture) -> None:
    precious = photo.with_name(f"astronaut.{kind}.png")
    precious.write_bytes(b"an evening's edits")
    before = set(photo.parent.iterdir())
    assert run(photo, *ALL, "--no-svg") == 1
    assert "--force" in one_line(capsys)
    assert precious.read_bytes() == b"an evening's edits"
    assert set(photo.parent.iterdir()) == before


@pytest.mark.parametrize(
    "words",
    [
        "a.jpg --mask --mask-threshold 1.5",
        "a.jpg --mask --mask-threshold=-0.1",
        "a.jpg --mask --mask-threshold nan",
        "a.jpg --mask --mask-threshold half",
        "a.jpg --mask-threshold 0.5",
        "a.jpg --no-svg",
        "a.jpg --no-svg --mask -o one.svg",
        "a.jpg --no-svg --mask -o -",
        "a.jpg --mask --parts hair-back",
        "a.jpg --heatmap --parts moustache",
        "a.jpg --mask -o -",
        "- --mask",
        "- --no-svg --mask",
        "a.png --from-labels --heatmap",
        "a.png --from-labels --heatmap-parts",
        "a.png --from-labels --mask --mask-threshold 0.5",
        "a.png --from-labels --mask --mask-threshold 0",
        "a.png --from-labels --colorize-over",
        "a.png --from-labels --gallery",
    ],
)
def test_wrong_usage(words: str, capsys: Capture) -> None:
    assert run(*words.split()) == 2
    assert one_line(capsys).startswith("faceparse-svg: ")


def test_stdin_into_a_folder(tmp_path: Path, astronaut: Path) -> None:
    done = process("-", "--no-svg", "--mask", "-o", tmp_path, input=astronaut.read_bytes())
    assert done.returncode == 0
    assert picture(tmp_path / "stdin.mask.png").shape == (512, 512)
    assert [path.name for path in tmp_path.iterdir()] == ["stdin.mask.png"]
