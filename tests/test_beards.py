"""Beards told from skin on photos whose labels call them skin."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from faceparse_core.parts import BEARD, HEAD
from faceparse_core.training.beards import label_beards
from faceparse_core.training.data import Pair
from faceparse_core.training.labels import SKIN_OR_BEARD

pytestmark = pytest.mark.torch

SIDE = 256
GRID = np.mgrid[:SIDE, :SIDE]


def man(seed: int = 0) -> tuple[Pair, np.ndarray]:
    """A bearded face whose labels know no beard, and where its beard is."""
    rng = np.random.default_rng(seed)
    y, x = GRID
    face = ((x - 128) / 80) ** 2 + ((y - 120) / 110) ** 2 < 1
    mouth = ((x - 128) / 26) ** 2 + ((y - 170) / 8) ** 2 < 1
    beard = face & (y > 150) & ~mouth
    labels = np.where(face, HEAD, 0).astype(np.uint8)
    labels[mouth] = 12
    rgb = np.full((SIDE, SIDE, 3), (90, 120, 160), np.float32)
    rgb[face], rgb[mouth] = (220, 170, 140), (180, 80, 80)
    rgb[beard] = np.array([80, 55, 40]) + rng.normal(0, 18, (int(beard.sum()), 1))
    rgb += rng.normal(0, 3, rgb.shape)
    return Pair("man", np.clip(rgb, 0, 255).astype(np.uint8), labels), beard


def doubted(mask: np.ndarray, sure: np.ndarray) -> np.ndarray:
    """A network's word: sure of some of a beard, in doubt over the rest and a little beyond. (96, 96)."""
    said = cv2.GaussianBlur(0.3 * cv2.dilate(mask.astype(np.float32), np.ones((9, 9))), (0, 0), 3)
    said = np.maximum(said, 0.9 * sure.astype(np.float32))
    return cv2.resize(said.astype(np.float32), (96, 96), interpolation=cv2.INTER_AREA)


def test_a_beard_of_which_the_middle_is_sure_becomes_whole():
    pair, beard = man()
    told = label_beards(pair, doubted(beard, beard & (GRID[0] > 185)))
    found = told.labels == BEARD
    assert (found & beard).sum() > 0.8 * beard.sum()
    assert (found & ~beard).sum() < 0.05 * beard.sum()
    forehead = (pair.labels == HEAD) & (GRID[0] < 90)
    assert (told.labels[forehead] == HEAD).all()
    assert np.array_equal(told.labels[pair.labels != HEAD], pair.labels[pair.labels != HEAD])


def test_where_the_network_sees_none_skin_is_skin():
    pair, _ = man()
    told = label_beards(pair, np.zeros((96, 96), np.float32))
    assert np.array_equal(told.labels, pair.labels)


def test_a_hint_of_a_beard_stays_open():
    pair, beard = man()
    hint = beard & (GRID[0] > 205) & (GRID[0] < 212)
    told = label_beards(pair, doubted(hint, hint))
    assert BEARD not in told.labels
    assert (told.labels == SKIN_OR_BEARD).any()


def test_a_shadow_far_from_the_lips_stays_open():
    pair, _ = man()
    cheek = (pair.labels == HEAD) & (GRID[1] < 95) & (GRID[0] > 90) & (GRID[0] < 150)
    rgb = pair.rgb.copy()
    rgb[cheek] //= 3
    told = label_beards(replace(pair, rgb=rgb), doubted(cheek, cheek))
    assert BEARD not in told.labels
    assert (told.labels[cheek] == SKIN_OR_BEARD).mean() > 0.8


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_degenerate_answers(value):
    """Nothing but skin, no skin, one colour: a label map of known labels, and no error."""
    grey = np.full((64, 64, 3), 128, np.uint8)
    for labels in (np.full((64, 64), HEAD, np.uint8), np.zeros((64, 64), np.uint8)):
        told = label_beards(Pair("grey", grey, labels), np.full((5, 7), value, np.float32))
        assert set(np.unique(told.labels)) <= {0, HEAD, BEARD, SKIN_OR_BEARD}
        assert (told.labels[labels == 0] == 0).all()


def test_a_data_set_is_told_by_a_network_that_is_asked_once(tmp_path):
    from faceparse_core.classes import Classes
    from faceparse_core.parser import ModelInfo, Parser
    from faceparse_core.training.beards import tell_beards
    from faceparse_core.training.data import DataSet
    from faceparse_core.training.labels import CELEBAMASK, EXACT, make_legend
    from faceparse_core.training.teacher import Teacher

    pair, beard = man()
    asked = []

    def run(rgb):
        asked.append(len(rgb))
        word = cv2.resize(doubted(beard, beard & (GRID[0] > 185)), rgb.shape[:1:-1], interpolation=cv2.INTER_AREA)
        dark = np.float32(rgb.mean(1, keepdims=True) < 110)  # the same in the mirrored picture
        scores = np.full((len(rgb), 20, *rgb.shape[2:]), -20, np.float32)
        scores[:, HEAD], scores[:, BEARD] = 0, np.where(dark[:, 0] > 0, 2, np.log(word.clip(0.01, 0.3)))
        return scores[..., ::4, ::4]

    teacher = Teacher(Parser(ModelInfo("made", "0" * 64), 256, 1.8, run), Classes())
    people = DataSet("people", ("a", "b"), lambda _: pair, CELEBAMASK)
    others = DataSet("others", ("c",), lambda _: pair, EXACT, rendered=True)
    told, same = tell_beards([people, others], teacher, tmp_path / "run")
    assert same is others
    assert len(asked) == 4  # two photos and their mirror images
    found = told.read(1).labels == BEARD
    assert (found & beard).sum() > 0.8 * beard.sum()
    again, _ = tell_beards([people, others], teacher, tmp_path / "run")
    assert len(asked) == 4
    assert np.array_equal(again.read(1).labels, told.read(1).labels)
    legend = make_legend(Classes(), [told.meanings, EXACT])
    either = legend.grids[0, SKIN_OR_BEARD]
    assert np.flatnonzero(legend.allowed[either]).tolist() == [HEAD, BEARD]
    assert legend.grids[0, HEAD] == HEAD
    assert legend.grids[0, BEARD] == BEARD
