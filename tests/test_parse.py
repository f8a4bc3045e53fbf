"""The way from photo to label map, on the examples and on pictures without a face."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceparse_core.errors import NoFaceError
from faceparse_core.heads import Head
from faceparse_core.parse import (
    Settings,
    measure_head,
    mirrored_classes,
    parse_photo,
    score_box,
    shows_face,
    shows_whole_face,
)
from faceparse_core.parser import load_parser
from faceparse_core.parts import PARTS, PRESETS
from faceparse_core.photo import Photo, read_photo

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(scope="module")
def parser():
    return load_parser()


@pytest.fixture(scope="module", params=["astronaut.jpg", "grace_hopper.jpg"])
def example(request):
    return read_photo(EXAMPLES / request.param)


def share(labels, part, box):
    x0, y0, x1, y1 = box
    return (labels[y0:y1, x0:x1] == part).mean()


def test_astronaut(parser):
    parsing = parse_photo(read_photo(EXAMPLES / "astronaut.jpg"), parser)
    labels = parsing.labels
    assert labels.shape == (512, 512)
    assert share(labels, 1, (192, 118, 204, 132)) > 0.9  # the cheek
    assert share(labels, 17, (195, 25, 235, 45)) > 0.9  # the hair above the forehead
    assert not np.isin(labels[330:, :], [1, 17]).any()  # no skin or hair on the orange suit
    assert 90 < parsing.head_size < 160
    red, green, blue = parsing.colors[1]
    assert red > green > blue > 90  # skin


def test_grace_hopper(parser):
    parsing = parse_photo(read_photo(EXAMPLES / "grace_hopper.jpg"), parser)
    found = {PARTS[part].name for part in np.unique(parsing.labels)}
    assert {"head", "hat", "glasses", "nose", "cloth", "lip-lower"} <= found


def test_a_small_head_is_parsed_as_well_as_a_large_one(parser):
    """The astronaut's head on a canvas twelve times as wide as the face."""
    photo = read_photo(EXAMPLES / "astronaut.jpg")
    alone = parse_photo(photo, parser)
    side = round(12 * alone.head_size)
    canvas = np.full((side, side, 3), (122, 132, 120), np.uint8)
    canvas[300:812, 500:1012] = photo.rgb
    small = parse_photo(Photo(canvas, "small"), parser).labels[300:812, 500:1012]
    for part in (1, 17):
        both = ((small == part) & (alone.labels == part)).sum()
        assert both / ((small == part) | (alone.labels == part)).sum() > 0.85


def test_the_mirrored_photo_gives_the_mirrored_map(parser, example):
    plain = parse_photo(example, parser)
    mirrored = parse_photo(Photo(np.ascontiguousarray(example.rgb[:, ::-1]), "mirrored"), parser)
    sides = np.array(mirrored_classes(len(PARTS)), np.uint8)
    assert (sides[mirrored.labels[:, ::-1]] == plain.labels).mean() > 0.94


def test_the_same_photo_gives_the_same_map(parser, example):
    first, second = (parse_photo(example, parser) for _ in range(2))
    assert (first.labels == second.labels).all()
    assert first.colors == second.colors


def test_a_large_photo_looks_like_a_small_one(parser, example):
    height, width = example.rgb.shape[:2]
    large = parse_photo(Photo(cv2.resize(example.rgb, (3 * width, 3 * height)), "large"), parser)
    small = cv2.resize(large.labels, (width, height), interpolation=cv2.INTER_NEAREST)
    assert (small == parse_photo(example, parser).labels).mean() > 0.95


@pytest.mark.parametrize("kind", ["flat", "noise", "stripes"])
def test_no_face_says_so(parser, kind):
    rgb = np.full((300, 400, 3), 128, np.uint8)
    if kind == "noise":
        rgb = np.random.default_rng(0).integers(0, 256, rgb.shape).astype(np.uint8)
    if kind == "stripes":
        rgb[:, ::7] = 250
    with pytest.raises(NoFaceError, match="no face found; try"):
        parse_photo(Photo(rgb, kind), parser)


def test_mirroring_swaps_sides(parser, example):
    """With `mirror` the scores of a mirrored crop are the mirrored scores, exactly."""
    box = (0, 0, 400, 400)
    plain = score_box(example.rgb[:400, :400], box, parser, mirror=True)
    turned = score_box(np.ascontiguousarray(example.rgb[:400, :400][:, ::-1]), box, parser, mirror=True)
    assert np.allclose(turned[mirrored_classes(len(plain))][..., ::-1], plain, atol=1e-3)


@pytest.mark.parametrize(("factor", "shift"), [(1.0, 0.0), (0.6, 0.0), (1.6, 0.0), (1.0, 0.35)])
def test_a_finder_that_is_off_is_corrected(parser, example, monkeypatch, factor, shift):
    """Whatever the finder says of size and place, within reason, the label map comes out nearly the same."""
    right = parse_photo(example, parser)
    at = measure_head(right.labels)
    wrong = Head(at.x + shift * at.size, at.y, at.size * factor, 1.0)
    monkeypatch.setattr("faceparse_core.heads.find_heads", lambda *_: (wrong,))
    parsing = parse_photo(example, parser)
    assert parsing.head_size == pytest.approx(right.head_size, rel=0.1)
    on_head = np.isin(right.labels, list(PRESETS["portrait"]))  # how far down the clothes go depends on the crop
    assert (parsing.labels == right.labels)[on_head].mean() > 0.9


def test_a_guess_counts_where_the_parser_sees_a_whole_face(parser, example, monkeypatch):
    """If the finder is sure of nothing its guesses are looked into in order; one that shows all features counts."""
    right = parse_photo(example, parser)
    at = measure_head(right.labels)
    nowhere = Head(at.x, at.y + 2.5 * at.size, at.size, 0.3)
    monkeypatch.setattr("faceparse_core.heads.find_heads", lambda *_: ())
    monkeypatch.setattr("faceparse_core.heads.guess_heads", lambda *_: (nowhere, dataclasses.replace(at, score=0.2)))
    parsing = parse_photo(example, parser)
    assert parsing.heads == 1
    assert parsing.head_size == pytest.approx(right.head_size, rel=0.05)
    with pytest.raises(NoFaceError):
        parse_photo(example, parser, dataclasses.replace(Settings(), guesses=1))
    rgb = example.rgb.copy()
    x, y, size = round(at.x), round(at.y), round(at.size)
    rgb[y : y + size, x - size : x + size] = rgb[y, x]  # without a mouth
    with pytest.raises(NoFaceError):
        parse_photo(Photo(rgb, "half"), parser)


@pytest.mark.parametrize("number", ["055", "063"])
def test_profiles_and_faces_from_below_are_found(parser, data, number):
    """A face that looks up past the camera, and a profile: the finder has a guess of both."""
    parsing = parse_photo(read_photo(data / "photos" / f"{number}.jpg"), parser)
    assert 450 < parsing.head_size < 700
    assert np.isin((10, 12, 13), parsing.labels).all()


def test_a_head_is_measured_by_its_face():
    labels = np.zeros((100, 80), np.uint8)
    labels[10:90, 20:60] = 17
    labels[30:70, 30:50] = 1
    assert measure_head(labels) == Head(40.0, 50.0, 40.0, 1.0)


def test_a_tilt_is_measured_along_the_face():
    """Mouth to brows says by how much; the face's box tilts with it."""
    labels = np.zeros((300, 300), np.uint8)
    cv2.ellipse(labels, ((150, 150), (100, 140), 0), 1, -1)
    cv2.ellipse(labels, ((150, 115), (60, 10), 0), 2, -1)
    cv2.ellipse(labels, ((150, 190), (50, 14), 0), 12, -1)
    upright = measure_head(labels)
    assert upright.roll == 0
    for angle in (-60, -30, 30, 45):
        matrix = cv2.getRotationMatrix2D((149.5, 149.5), -angle, 1)
        head = measure_head(cv2.warpAffine(labels, matrix, (300, 300), flags=cv2.INTER_NEAREST))
        assert head.roll == pytest.approx(angle, abs=2)
        assert head.size == pytest.approx(upright.size, rel=0.05)
        assert (head.x, head.y) == pytest.approx((150, 150), abs=3)
    tilted = cv2.warpAffine(labels, cv2.getRotationMatrix2D((150, 150), 10, 1), (300, 300), flags=cv2.INTER_NEAREST)
    assert measure_head(tilted).roll == 0  # the network reads that as it is


@pytest.mark.parametrize("angle", [-45, 45])
def test_a_tilted_head_is_parsed_as_well(parser, example, angle):
    height, width = example.rgb.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), angle, 0.7)
    rgb = cv2.warpAffine(example.rgb, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    wanted = cv2.warpAffine(parse_photo(example, parser).labels, matrix, (width, height), flags=cv2.INTER_NEAREST)
    parsing = parse_photo(Photo(rgb, "tilted"), parser)
    assert measure_head(parsing.labels).roll == pytest.approx(-angle, abs=15)
    on_head = np.isin(wanted, list(PRESETS["portrait"]))
    assert (parsing.labels == wanted)[on_head].mean() > 0.9


@pytest.mark.parametrize("roll", [0.0, 30.0, -90.0])
@pytest.mark.parametrize("place", [(-50, -50), (250, 40), (-900, 10), (10, 900), (5000, 5000)])
def test_a_crop_may_lie_anywhere(parser, roll, place):
    """Beyond the photo its edge goes on; scores have the same shape wherever the box lies."""
    rgb = np.random.default_rng(1).integers(0, 256, (120, 300, 3)).astype(np.uint8)
    small = dataclasses.replace(parser, size=64)
    scores = score_box(rgb, (place[0], place[1], place[0] + 200, place[1] + 200), small, False, roll)
    assert scores.shape == (20, 16, 16)


def test_a_crop_turned_by_a_quarter_is_the_turned_crop(parser):
    rgb = np.random.default_rng(1).integers(0, 256, (128, 128, 3)).astype(np.uint8)
    seen = []
    spy = dataclasses.replace(
        parser, size=128, run=lambda batch: seen.append(batch) or np.zeros((20, 32, 32), np.float32)
    )
    score_box(rgb, (0, 0, 128, 128), spy, False, 90.0)
    assert np.abs(seen[0][0].transpose(1, 2, 0) - np.rot90(rgb)).max() <= 1


def test_the_settings_count(parser, example):
    plain, mirrored = (parse_photo(example, parser, dataclasses.replace(Settings(), mirror=flag)) for flag in (0, 1))
    assert (plain.labels != mirrored.labels).any()


def test_shows_face_wants_skin_and_features():
    labels = np.zeros((10, 10), np.uint8)
    assert not shows_face(labels)
    labels[2:8, 2:8] = 1
    assert not shows_face(labels)
    labels[3, 3], labels[5, 5] = 4, 10
    assert shows_face(labels)


def test_a_whole_face_has_all_features_the_nose_between_them():
    labels = np.zeros((20, 20), np.uint8)
    labels[2:18, 2:18] = 1
    labels[5, 6:8], labels[5, 12:14], labels[7, 6:8], labels[7, 12:14], labels[14, 8:12] = 3, 2, 5, 4, 12
    assert not shows_whole_face(labels)  # no nose
    labels[9:12, 9:11] = 10
    assert shows_whole_face(labels)
    assert not shows_whole_face(labels, frozenset({1, 2, 3, 10}))  # of such a parser nobody knows
    for wrong in ((slice(9, 12), slice(14, 16)), (slice(2, 5), slice(9, 11)), (slice(15, 18), slice(9, 11))):
        moved = np.where(labels == 10, np.uint8(1), labels)
        moved[wrong] = 10
        assert shows_face(moved)
        assert not shows_whole_face(moved)
    for _ in range(3):  # whichever way it lies
        labels = np.ascontiguousarray(np.rot90(labels))
        assert shows_whole_face(labels)


def test_specks_of_features_on_much_skin_are_no_face():
    labels = np.ones((60, 60), np.uint8)
    labels[20:24, 20:24], labels[30:34, 30:36] = 4, 12
    assert not shows_face(labels)  # 40 of 3600
    labels[30:50, 26:36] = 10
    assert shows_face(labels)  # 216, and an eye
    labels[20:24, 20:24] = 1
    labels[52:55, 26:36] = 13
    assert not shows_face(labels)  # more, but nothing above the nose
    labels[40:50, 20:40] = 13
    assert shows_face(labels)
