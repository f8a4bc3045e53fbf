"""Heads are found where they are, as large as they are, once each; and nowhere else."""

from __future__ import annotations

import dataclasses
import math
import tarfile
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from faceparse_core import heads
from faceparse_core.errors import FaceParseError, ModelError
from faceparse_core.heads import Head, crop_box, find_heads, guess_heads
from faceparse_core.onnx_session import load_session
from faceparse_core.photo import read_photo
from faceparse_core.training.backgrounds import SIZE
from faceparse_core.training.composites import Composite, Spot, Studio, make_cutouts
from faceparse_core.training.data import Pair

EXAMPLES = Path(__file__).parent.parent / "examples"


class PretendFinder:
    """Answers with maps made for the test. `faces`: (row, column, heat, size, shift right, shift down)."""

    def __init__(self, *faces: tuple[int, int, float, float, float, float]) -> None:
        self.maps = [np.zeros((1, 1, 24, 24)), np.ones((1, 1, 24, 24)), np.zeros((1, 2, 24, 24))]
        for row, column, heat, size, right, down in faces:
            self.maps[0][0, 0, row, column] = heat
            self.maps[1][0, 0, row, column] = size
            self.maps[2][0, :, row, column] = right, down
        mirrored = [self.maps[0][..., ::-1], self.maps[1][..., ::-1], self.maps[2][..., ::-1] * [[[-1]], [[1]]]]
        self.maps = [np.concatenate(both).astype(np.float32) for both in zip(self.maps, mirrored, strict=True)]

    def run(self, names: list[str], feed: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        assert names == ["heat", "size", "shift"]
        assert feed["rgb"].shape == (2, 3, 192, 192)
        assert (feed["rgb"][0] == feed["rgb"][1, ..., ::-1]).all()
        assert feed["rgb"].dtype == np.float32
        self.seen = feed["rgb"][0].transpose(1, 2, 0)
        return self.maps


def pretend(monkeypatch: pytest.MonkeyPatch, *faces: tuple[int, int, float, float, float, float]) -> PretendFinder:
    finder = PretendFinder(*faces)
    monkeypatch.setattr(heads, "_session", lambda model, threads: finder)
    return finder


# ------------------------------------------------------------------------------------------------- maps to heads


@pytest.mark.parametrize(("height", "width"), [(192, 192), (960, 640), (400, 1600), (60, 96), (33, 500)])
def test_places_and_sizes_are_in_pixels_of_the_photo(monkeypatch: pytest.MonkeyPatch, height: int, width: int) -> None:
    scale = max(height, width) / 192
    x, y, size = width * 0.4, height * 0.6, 0.25 * max(height, width)
    column, row = ((x - width / 2) / scale + 96) / 8, ((y - height / 2) / scale + 96) / 8
    shift = column - int(column) - 0.5, row - int(row) - 0.5
    pretend(monkeypatch, (int(row), int(column), 0.9, 0.25, *shift))
    (head,) = find_heads(np.zeros((height, width, 3), np.uint8))
    assert math.isclose(head.size, size, rel_tol=1e-3)
    assert abs(head.x - x) < scale  # the photo lies on whole pixels of the square
    assert abs(head.y - y) < scale
    assert math.isclose(head.score, 0.9, rel_tol=1e-6)


def test_the_photo_lies_in_the_middle_of_grey(monkeypatch: pytest.MonkeyPatch) -> None:
    finder = pretend(monkeypatch)
    find_heads(np.full((100, 200, 3), 255, np.uint8))
    assert (finder.seen[:48] == 128).all()
    assert (finder.seen[48:144] == 255).all()
    assert (finder.seen[144:] == 128).all()


def test_a_small_head_must_be_seen_again(monkeypatch: pytest.MonkeyPatch) -> None:
    afar, near = PretendFinder((12, 12, 0.5, 0.1, 0, 0)), PretendFinder((12, 12, 0.9, 0.35, -0.5, 0))
    nothing = PretendFinder()
    for second in (near, nothing):
        looks = iter((afar, second))

        class Session:
            def run(self, *question: object, looks: object = looks) -> list[NDArray[np.float32]]:
                return next(looks).run(*question)  # type: ignore[call-overload, no-any-return]

        monkeypatch.setattr(heads, "_session", lambda model, threads: Session())
        found = find_heads(np.zeros((960, 960, 3), np.uint8))
        if second is nothing:
            assert found == ()
        else:  # 0.35 of a square of three times 96 pixels, its centre where the second look saw it
            (head,) = found
            assert math.isclose(head.size, 0.35 * 3 * 96, rel_tol=1e-3)
            assert abs(head.x - 500) < 1
            assert abs(head.y - 500 - 0.5 * 288 / 24) < 1
            assert math.isclose(head.score, 0.9, rel_tol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(240, 240), (300, 480), (480, 100)])
def test_guesses_lie_where_they_are_seen_in_the_photo_turned(
    monkeypatch: pytest.MonkeyPatch, height: int, width: int
) -> None:
    """The finder sees a faint face at one place of every view; small and fainter ones are no guesses."""
    pretend(monkeypatch, (13, 11, 0.25, 0.5, 0.2, -0.3), (4, 11, 0.3, 0.2, 0, 0), (20, 12, 0.15, 0.5, 0, 0))
    photo = np.zeros((height, width, 3), np.uint8)
    guesses = guess_heads(photo)
    assert [head.roll for head in guesses] == [0, 0, 0, 0, 90, 180, -90]
    assert guesses[1:4] == tuple(dataclasses.replace(head, roll=0.0) for head in guesses[4:])
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    for turns, head in enumerate(guesses[:4]):
        view = np.rot90(across, turns), np.rot90(down, turns)
        h, w = view[0].shape
        x, y = ((place - 96) * max(h, w) / 192 for place in (11.7 * 8, 13.2 * 8))
        here = (slice(round(h / 2 + y), round(h / 2 + y) + 1), slice(round(w / 2 + x), round(w / 2 + x) + 1))
        assert (head.x, head.y) == pytest.approx((float(view[0][here][0, 0]), float(view[1][here][0, 0])), abs=2)
        assert head.size == pytest.approx(max(h, w) / 2)


def test_the_largest_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, (4, 4, 0.9, 0.1, 0, 0), (12, 12, 0.6, 0.3, 0, 0), (20, 20, 0.8, 0.2, 0, 0))
    found = find_heads(np.zeros((192, 192, 3), np.uint8))
    assert [round(head.size) for head in found] == [58, 38, 19]


def test_a_head_found_twice_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, (10, 10, 0.9, 0.4, 0, 0), (12, 12, 0.8, 0.4, 0, 0), (10, 22, 0.7, 0.3, 0, 0))
    found = find_heads(np.zeros((192, 192, 3), np.uint8))
    assert [round(head.score, 3) for head in found] == [0.9, 0.7]


def test_a_cool_map_holds_no_head(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, (10, 10, 0.2, 0.4, 0, 0))
    assert find_heads(np.zeros((192, 192, 3), np.uint8)) == ()


@given(
    st.lists(
        st.tuples(st.integers(0, 23), st.integers(0, 23), st.floats(0, 1), st.floats(0.01, 1.5),
                  st.floats(-2, 2), st.floats(-2, 2)), max_size=12)
)  # fmt: skip
def test_no_two_heads_stand_in_one_place(faces: list[tuple[int, int, float, float, float, float]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        pretend(patch, *faces)
        found = find_heads(np.zeros((300, 200, 3), np.uint8))
    assert list(found) == sorted(found, key=lambda head: -head.size)
    for i, a in enumerate(found):
        for b in found[i + 1 :]:
            assert math.hypot(a.x - b.x, a.y - b.y) >= 0.5 * max(a.size, b.size) - 1e-6


def test_the_default_crop_is_framed_as_celebamask_hq() -> None:
    crop = crop_box(Head(500, 400, 200, 1.0))
    assert math.isclose(200 / crop.side, 0.746, abs_tol=0.002)
    assert math.isclose((500 - crop.left) / crop.side, 0.5)
    assert math.isclose((400 - crop.top) / crop.side, 0.555, abs_tol=0.002)
    wide = crop_box(Head(500, 400, 200, 1.0), 2.0)
    assert wide.side == 400
    assert wide.top + wide.side / 2 == crop.top + crop.side / 2


# --------------------------------------------------------------------------------------------- the embedded network


def test_the_network_is_small() -> None:
    assert len(resources.files("faceparse_core.models").joinpath("heads.onnx").read_bytes()) <= 1024**2


#: Where the face is in each example, by eye: centre and height as fractions of width, height, height.
BY_EYE = {"astronaut.jpg": (0.43, 0.21, 0.25), "grace_hopper.jpg": (0.52, 0.38, 0.36)}


@pytest.mark.parametrize("name", BY_EYE)
def test_the_face_of_each_example_is_found(name: str) -> None:
    rgb = read_photo(EXAMPLES / name).rgb
    height, width = rgb.shape[:2]
    x, y, size = BY_EYE[name]
    (head,) = find_heads(rgb)
    assert abs(head.x / width - x) < 0.06
    assert abs(head.y / height - y) < 0.06
    assert abs(head.size / height / size - 1) < 0.25
    (mirrored,) = find_heads(np.ascontiguousarray(rgb[:, ::-1]))
    assert abs(width - mirrored.x - head.x) < 0.06 * width
    assert find_heads(rgb) == (head,)


def test_a_small_head_and_two_heads() -> None:
    face = read_photo(EXAMPLES / "astronaut.jpg").rgb[:220, 110:330]
    rgb = np.full((900, 1200, 3), (90, 110, 130), np.uint8)
    rgb[300:520, 200:420] = face
    assert len(find_heads(rgb)) == 1
    rgb[300:520, 800:1020] = face
    left, right = sorted(find_heads(rgb), key=lambda head: head.x)
    assert abs(right.x - left.x - 600) < 25
    assert abs(right.size / left.size - 1) < 0.15


@pytest.mark.parametrize("kind", ["black", "skin", "noise", "ramp", "checks", "stripes"])
def test_nothing_is_found_where_nobody_is(kind: str) -> None:
    y, x = np.mgrid[0:300, 0:400]
    grey = {
        "black": np.zeros((300, 400)),
        "skin": np.full((300, 400), 180),
        "noise": np.random.default_rng(0).uniform(0, 255, (300, 400)),
        "ramp": x * 0.6,
        "checks": ((x // 40 + y // 40) % 2) * 255,
        "stripes": ((x + y) // 25 % 2) * 200,
    }[kind]
    rgb = np.repeat(grey[..., None], 3, 2).astype(np.uint8)
    if kind == "skin":
        rgb[:] = (224, 172, 138)
    assert find_heads(rgb) == ()


def test_a_model_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model file"):
        load_session(tmp_path / "nothing.onnx")
    (tmp_path / "text.onnx").write_text("not a network")
    with pytest.raises(ModelError, match="not a network"):
        load_session(tmp_path / "text.onnx")
    with pytest.raises(ModelError, match="the model: not a network"):
        load_session(b"nor this")


def test_sixty_portraits(data: Path) -> None:
    photos = sorted((data / "photos").glob("*.jpg"))
    found = {photo.name: len(find_heads(read_photo(photo).rgb)) for photo in photos}
    assert len(found) == 60
    assert sum(count == 0 for count in found.values()) <= 2  # a pure profile, a face seen from below
    assert sum(count == 1 for count in found.values()) >= 57


# ---------------------------------------------------------------------------------------------------- how it is made


def people(face: NDArray[np.uint8], count: int) -> list[Pair]:
    """Pairs that need no data: a drawn label map, painted in other colours each time."""
    colors = [np.random.default_rng(i).integers(0, 255, (20, 3), np.uint8) for i in range(count)]
    return [Pair(f"{i:05}", colors[i][face], face) for i in range(count)]


def write_tar(path: Path, pairs: list[Pair]) -> None:
    with tarfile.open(path, "w") as tar:
        for pair in pairs:
            for suffix, picture in ((".webp", pair.rgb[..., ::-1]), (".png", pair.labels)):
                file = path.with_name(pair.name + suffix)
                cv2.imwrite(str(file), picture)
                tar.add(file, file.name)


def test_composites_are_the_same_every_time_and_know_their_faces(face: NDArray[np.uint8]) -> None:
    cutouts = make_cutouts(people(face, 6))
    first, second = Studio(cutouts, seed=3, textures=4), Studio(cutouts, seed=3, textures=4)
    seen = 0
    for number in (*range(40), 7):
        a, b = first.composite(number), second.composite(number)
        assert (a.rgb == b.rgb).all()
        assert a.faces == b.faces
        assert a.rgb.shape == (SIZE, SIZE, 3)
        for spot in a.faces:
            assert 0 <= spot.x < SIZE
            assert 0 <= spot.y < SIZE
            assert spot.size < 1.6 * SIZE
        seen += len(a.faces)
    assert 20 < seen < 120
    assert not np.array_equal(first.composite(1).rgb, Studio(cutouts, seed=4, textures=4).composite(1).rgb)


@pytest.mark.torch
def test_the_target_marks_the_cell_of_the_centre() -> None:
    import torch

    from faceparse_core.training.finder import make_target, with_mirrors

    picture = np.zeros((192, 192, 3), np.uint8)
    target = make_target(Composite(picture, (Spot(41.0, 82.0, 48.0),), (Spot(150.0, 150.0, 30.0),)))
    assert target[0].max() == target[0, 10, 5] == 1
    assert math.isclose(math.exp(target[2, 10, 5]), 48 / 192, rel_tol=1e-5)
    assert np.allclose(target[3:, 10, 5], (41 / 8 - 5.5, 82 / 8 - 10.5))
    assert target[1, 10, 5] == 1
    assert target[1, 18, 18] == 0
    _, both = with_mirrors(torch.zeros(1, 3, 192, 192), torch.from_numpy(target)[None])
    mirrored = make_target(Composite(picture, (Spot(192 - 41.0, 82.0, 48.0),), (Spot(42.0, 150.0, 30.0),)))
    assert np.allclose(both[1].numpy(), mirrored, atol=1e-5)


@pytest.mark.torch
def test_training_resumes_and_exports_what_it_learnt(
    tmp_path: Path, face: NDArray[np.uint8], capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    from faceparse_core.training.finder import Exported, export_finder, load_finder, train_finder

    (tmp_path / "celebamask").mkdir()
    write_tar(tmp_path / "celebamask" / "train-0.tar", people(face, 6))
    train_finder(tmp_path, tmp_path / "run", steps=2)
    checkpoint = train_finder(tmp_path, tmp_path / "run", steps=3, resume=True)
    assert torch.load(checkpoint, weights_only=True)["step"] == 3
    written = checkpoint.read_bytes()
    for steps in (None, 3, 1):
        capsys.readouterr()
        assert train_finder(tmp_path, tmp_path / "run", steps=steps, resume=True) == checkpoint
        assert "has its 3 steps already" in capsys.readouterr().out
    with pytest.raises(FaceParseError, match="begun with the seed 20"):
        train_finder(tmp_path, tmp_path / "run", steps=4, seed=1, resume=True)
    assert checkpoint.read_bytes() == written
    export_finder(checkpoint, tmp_path / "heads.onnx")
    assert (tmp_path / "heads.onnx").stat().st_size <= 1024**2
    rgb = torch.rand(2, 3, 192, 192) * 255
    with torch.inference_mode():
        wanted = Exported(load_finder(checkpoint))(rgb)
    found = load_session(tmp_path / "heads.onnx").run(["heat", "size", "shift"], {"rgb": rgb.numpy()})
    for a, b in zip(wanted, found, strict=True):
        assert np.allclose(a.numpy(), b, atol=5e-3)  # weights are stored in 16 bits
