"""Several photos through the network together: the same as one by one, in batches, and each failure alone."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from conftest import ROOT

from faceparse_core import ModelError, NoFaceError, Photo, load_parser, parse_photo, parse_photos, read_photo
from faceparse_core.batches import together
from faceparse_core.parser import ModelInfo, Parser


@pytest.fixture(scope="module")
def photos() -> list[Photo]:
    """Two people, a landscape without any, the first again but further right, and the other one mirrored."""
    one, two = (read_photo(ROOT / "examples" / name) for name in ("astronaut.jpg", "grace_hopper.jpg"))
    sky = Photo(np.full((300, 400, 3), (140, 190, 235), np.uint8), "sky")
    moved = Photo(np.ascontiguousarray(np.roll(one.rgb, 40, axis=1)), "moved")
    turned = Photo(np.ascontiguousarray(two.rgb[:, ::-1]), "turned")
    return [one, two, sky, moved, turned]


def test_photos_together_are_parsed_as_one_by_one(photos: list[Photo]) -> None:
    parser = load_parser()
    sizes: list[int] = []

    def counted(crops: np.ndarray) -> np.ndarray:
        sizes.append(len(crops))
        return parser.run(crops)

    found = parse_photos(photos, replace(parser, run=counted))
    assert isinstance(found[2], NoFaceError)
    assert max(sizes) == parser.batch > 1
    assert sizes.count(parser.batch) > len(sizes) / 3
    for photo, parsing in zip(photos, found, strict=True):
        if photo.name == "sky":
            continue
        alone = parse_photo(photo, parser)
        assert np.abs(alone.scores - parsing.scores).max() < 1e-3
        assert (alone.labels != parsing.labels).mean() < 1e-4
        assert alone.head_size == pytest.approx(parsing.head_size, abs=1)


def test_the_same_photos_make_the_same_batches(photos: list[Photo]) -> None:
    parser = load_parser()
    first, second = (parse_photos(photos[:2], parser) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert (one.scores == other.scores).all()
        assert (one.labels == other.labels).all()


def test_what_is_no_photos_fault_is_raised(photos: list[Photo], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faceparse_core.parse.parse_photo", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        parse_photos(photos[:2], load_parser())


def echo(batch: int) -> tuple[Parser, list[list[float]]]:
    """A parser whose scores are the crops, and the batches that it was given."""
    seen: list[list[float]] = []

    def run(crops: np.ndarray) -> np.ndarray:
        seen.append(crops[:, 0, 0, 0].tolist())
        return crops + 0.5

    return Parser(ModelInfo("echo", ""), 1, 1.0, run, batch), seen


def crops_of(*values: float) -> np.ndarray:
    return np.array(values, np.float32).reshape(-1, 1, 1, 1)


def test_crops_are_gathered_in_the_photos_order_and_given_back() -> None:
    parser, seen = echo(batch=3)
    photos = [Photo(np.zeros((1, 1, 3), np.uint8), str(k)) for k in range(4)]

    def recipe(photo: Photo, parser: Parser) -> list[float]:
        k = int(photo.name)  # asks k times, for two crops each
        return [float(value) for n in range(k) for value in parser.run(crops_of(10 * k + n, 90 + k)).ravel()]

    assert together(photos, parser, recipe) == [
        [value for n in range(k) for value in (10 * k + n + 0.5, 90.5 + k)] for k in range(4)
    ]
    assert seen == [[10, 91, 20], [92, 30, 93], [21, 92, 31], [93], [32, 93]]


def test_a_recipe_that_fails_holds_up_no_other() -> None:
    parser, _ = echo(batch=2)
    photos = [Photo(np.zeros((1, 1, 3), np.uint8), name) for name in ("good", "bad", "late")]

    def recipe(photo: Photo, parser: Parser) -> str:
        if photo.name == "bad":
            raise ValueError("mine alone")
        parser.run(crops_of(1))
        if photo.name == "late":
            raise KeyError("afterwards")
        return photo.name

    good, bad, late = together(photos, parser, recipe)
    assert good == "good"
    assert (type(bad), type(late)) == (ValueError, KeyError)
    assert together(photos[1:2], parser, recipe)[0].args == ("mine alone",)
    assert together([], parser, recipe) == []


def test_a_network_that_fails_fails_for_all_of_its_batch() -> None:
    def broken(crops: np.ndarray) -> np.ndarray:
        raise ModelError("no")

    photos = [Photo(np.zeros((1, 1, 3), np.uint8), str(k)) for k in range(3)]
    parser = Parser(ModelInfo("broken", ""), 1, 1.0, broken)
    found = together(photos, parser, lambda _, parser: parser.run(crops_of(1)))
    assert all(isinstance(each, ModelError) for each in found)


def test_an_interrupt_leaves_nobody_waiting() -> None:
    def interrupted(crops: np.ndarray) -> np.ndarray:
        raise KeyboardInterrupt

    before = threading.active_count()
    photos = [Photo(np.zeros((1, 1, 3), np.uint8), str(k)) for k in range(3)]
    parser = Parser(ModelInfo("interrupted", ""), 1, 1.0, interrupted)
    with pytest.raises(KeyboardInterrupt):
        together(photos, parser, lambda _, parser: parser.run(crops_of(1)))
    assert threading.active_count() <= before
