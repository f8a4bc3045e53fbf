"""Masks, heatmaps and colours: what they hold, and that they agree with the label map and the scores."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from faceparse_core import FaceParseError, colorize, heatmap, mask, parse_photo, read_photo
from faceparse_core.colors import srgb_to_oklab
from faceparse_core.parse import Parsing
from faceparse_core.parser import ModelInfo
from faceparse_core.parts import BY_NAME, HEAD, PARTS, PRESETS, select_labels


@pytest.fixture(scope="module")
def photo(astronaut):
    return read_photo(astronaut)


@pytest.fixture(scope="module")
def parsed(photo) -> Parsing:
    return parse_photo(photo)


def probability(parsing: Parsing, ids: frozenset[int]) -> np.ndarray:
    """Straight from the definition, for the whole photo at once: bilinear scores at every pixel's centre, softmax."""
    height, width = parsing.labels.shape
    x0, y0, x1, y1 = parsing.box
    classes, h, w = parsing.scores.shape
    x, y = (np.arange(width) + 0.5 - x0) / (x1 - x0) * w - 0.5, (np.arange(height) + 0.5 - y0) / (y1 - y0) * h - 0.5
    inside = ((x >= -0.5) & (x < w - 0.5)) & ((y >= -0.5) & (y < h - 0.5))[:, None]
    x, y = np.clip(x, 0, w - 1), np.clip(y, 0, h - 1)
    left, top = np.minimum(x.astype(int), w - 2), np.minimum(y.astype(int), h - 2)
    fx, fy = x - left, (y - top)[:, None]
    total, ours = np.zeros((height, width)), np.zeros((height, width))
    peak = parsing.scores.max()
    for k in range(classes):
        rows = parsing.scores[k][top] * (1 - fy) + parsing.scores[k][top + 1] * fy
        values = np.exp((rows[:, left] * (1 - fx) + rows[:, left + 1] * fx).astype(np.float64) - peak)
        total += values
        ours += values if k in ids else 0
    return np.where(inside, ours / total, 0)


@pytest.mark.parametrize("parts", ["face", "hair", "eye-left,eye-right", "all"])
def test_a_heatmap_is_the_softmax_of_the_scores(parsed: Parsing, parts: str) -> None:
    found = heatmap(parsed, parts)
    assert found.dtype == np.uint8
    assert found.shape == parsed.labels.shape
    exact = probability(parsed, select_labels(parts)) * 255
    assert np.abs(found - exact).max() <= 0.502


def test_heatmaps_of_all_parts_and_the_background_sum_to_one(parsed: Parsing) -> None:
    x0, y0, x1, y1 = (max(0, edge) for edge in parsed.box)
    total = sum(heatmap(parsed, part.name).astype(int) for part in PARTS[1:])[y0:y1, x0:x1]
    assert np.abs(total - heatmap(parsed, "all").astype(int)[y0:y1, x0:x1]).max() <= 10  # roundings of 19 parts
    assert not heatmap(parsed, "all")[y1:].any(), "beyond what the parser saw"


@pytest.mark.parametrize("parts", ["face", "hair", "head", "portrait", "all"])
def test_a_mask_is_its_parts_of_the_label_map(parsed: Parsing, parts: str) -> None:
    found = mask(parsed, parts)
    assert found.dtype == np.uint8
    assert (found == np.where(np.isin(parsed.labels, list(select_labels(parts))), 255, 0)).all()


def test_the_face_is_the_head_and_what_lies_on_it() -> None:
    names = {part.name for part in PARTS if part.id in PRESETS["face"]}
    assert names == {
        "head", "brow-left", "brow-right", "eye-left", "eye-right", "glasses", "nose", "mouth", "lip-upper",
        "lip-lower", "beard",
    }  # fmt: skip


def test_masks_shrink_as_the_threshold_rises(parsed: Parsing) -> None:
    masks = [mask(parsed, threshold=t) > 0 for t in (0, 0.05, 0.2, 0.5, 0.8, 0.99, 1)]
    assert masks[0].all()
    sizes = [each.sum() for each in masks]
    assert sizes[1] > sizes[2] > sizes[3] > sizes[4] > sizes[5]
    assert all((low | ~high).all() for low, high in zip(masks, masks[1:], strict=False))


def test_a_threshold_is_that_of_the_heatmap(parsed: Parsing) -> None:
    exact = probability(parsed, PRESETS["face"])
    found = mask(parsed, threshold=0.3) > 0
    assert (exact[found] > 0.3 - 1e-4).all()
    left_out = (exact > 0.3 + 1e-4) & ~found
    near = cv2.dilate(found.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert not (left_out & near).any(), "only pieces apart from the face are left out"
    half = mask(parsed, threshold=0.5) > 0
    plain = mask(parsed) > 0
    assert (half & plain).sum() / (half | plain).sum() > 0.98


def two_heads() -> Parsing:
    """A crop in which two faces stand, of which cleaning kept the left one."""
    face = np.full((20, 20), -4, np.float32)
    face[5:15, 2:8] = face[5:15, 12:18] = 4
    scores = np.stack([-face, face])
    labels = np.zeros((40, 40), np.uint8)
    labels[10:30, 4:16] = HEAD
    return Parsing(labels, {}, 20.0, 2, ModelInfo("t", ""), scores, (0, 0, 40, 40))


def test_another_head_is_in_the_heatmap_and_not_in_the_mask() -> None:
    parsing = two_heads()
    assert heatmap(parsing)[20, 30] > 250
    found = mask(parsing, threshold=0.4)
    assert found[20, 10] == 255
    assert not found[:, 20:].any()


def test_nothing_is_left_where_a_part_is_not(parsed: Parsing) -> None:
    assert not mask(parsed, "hat").any()
    assert not mask(parsed, "hat", 0.01).any()


def test_scores_that_differ_by_a_shift_a_cell_give_the_same(parsed: Parsing) -> None:
    """Sums of logits or log probabilities: only differences between classes count."""
    noise = np.random.default_rng(0).normal(0, 3, parsed.scores.shape[1:]).astype(np.float32)
    shifted = dataclasses.replace(parsed, scores=parsed.scores + noise)
    assert np.abs(heatmap(shifted).astype(int) - heatmap(parsed)).max() <= 1


def test_a_class_that_cannot_be_does_no_harm() -> None:
    parsing = two_heads()
    never = np.full((1, *parsing.scores.shape[1:]), -np.inf, np.float32)
    more = dataclasses.replace(parsing, scores=np.concatenate([parsing.scores, never]))
    assert (heatmap(more) == heatmap(parsing)).all()


@pytest.mark.parametrize("threshold", [-0.1, 1.01, float("nan")])
def test_a_threshold_is_a_probability(parsed: Parsing, threshold: float) -> None:
    with pytest.raises(FaceParseError, match="0 to 1"):
        mask(parsed, threshold=threshold)


def test_colours_alone_and_over_the_photo(parsed: Parsing, photo) -> None:
    alone = colorize(parsed.labels)
    assert alone.shape == (*parsed.labels.shape, 3)
    assert (alone[parsed.labels == 0] == 255).all()
    for part in np.unique(parsed.labels).tolist():
        assert (alone[parsed.labels == part] == PARTS[part].mark).all()
    few = colorize(parsed.labels, "hair", colors={"hair": (1, 2, 3), "nose": (9, 9, 9)})
    hair = parsed.labels == BY_NAME["hair"].id
    assert (few[hair] == (1, 2, 3)).all()
    assert (few[~hair] == 255).all()
    over = colorize(parsed.labels, "hair", photo.rgb)
    assert (over[~hair] == photo.rgb[~hair]).all()
    expected = (photo.rgb[hair].astype(float) + BY_NAME["hair"].mark) / 2
    assert np.abs(over[hair] - expected).max() <= 0.5
    with pytest.raises(FaceParseError, match="shape"):
        colorize(parsed.labels, "hair", photo.rgb[1:])


def test_no_two_parts_look_alike() -> None:
    lab = srgb_to_oklab(np.array([part.mark for part in PARTS], np.uint8))
    apart = np.linalg.norm(lab[:, None] - lab, axis=2) + np.eye(len(PARTS))
    assert apart.min() > 0.08
