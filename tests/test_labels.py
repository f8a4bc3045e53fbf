"""Labels that are coarser than the network's parts: what they may stand for, and what the loss makes of it."""

import numpy as np
import pytest

from faceparse_core.errors import FaceParseError

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from faceparse_core.classes import Classes  # noqa: E402
from faceparse_core.parts import BEARD, HEAD, OWN, PARTS, own_parts  # noqa: E402
from faceparse_core.training.labels import (  # noqa: E402
    CELEBAMASK,
    EXACT,
    FACE_ALONE,
    OTHER,
    SETS,
    UNKNOWN,
    coarse,
    make_legend,
    said_as,
)
from faceparse_core.training.losses import label_table, make_memory, memory_loss, parsing_loss  # noqa: E402

#: The table's classes, and a part of one's own as the last.
STICKERS = Classes((*Classes().meanings, (OWN,)), own_parts({"sticker": {}}))


def loss_of(scores, labels, meanings, classes=Classes()):  # noqa: B008
    """The loss where picture k of `labels` (n, h, w) comes from a data set with meanings[k]."""
    legend = make_legend(classes, meanings)
    grids = np.stack([legend.grids[k][grid] for k, grid in enumerate(labels.numpy())])
    return parsing_loss(scores, torch.from_numpy(grids), label_table(legend))


def loss_of_two_data_sets(scores, labels, rendered):
    """The same for people's labels of CelebAMask-HQ and rendered ones alone, written down directly.

    Where people labelled, skin's and beard's probabilities are taken together as skin's.
    """
    p = scores.softmax(1).clone()
    for k in range(len(p)):
        if not rendered[k]:
            both = p[k, HEAD] + p[k, BEARD]
            p[k, HEAD], p[k, BEARD] = both, 0
    known = labels != UNKNOWN
    p = p.permute(0, 2, 3, 1)[known]
    truth = torch.nn.functional.one_hot(labels[known].long(), p.shape[1]).float()
    entropy = torch.zeros(labels.numel())
    entropy[known.flatten()] = -(p * truth).sum(1).clamp_min(1e-6).log()
    dice = [
        1 - (2 * (p * truth)[:, c].sum() + 1) / (p[:, c].sum() + truth[:, c].sum() + 1)
        for c in range(p.shape[1]) if truth[:, c].any()
    ]  # fmt: skip
    return entropy.topk(labels.numel() // 4).values.mean() + 0.5 * torch.stack(dice).mean()


@pytest.mark.parametrize("rendered", [(False, False, True), (False, False, False), (True, True, True)])
def test_people_and_renderer_in_one_batch(rendered):
    generator = torch.Generator().manual_seed(3)
    scores = 3 * torch.randn(3, 20, 16, 16, generator=generator)
    labels = torch.randint(0, 20, (3, 16, 16), generator=generator, dtype=torch.uint8)
    for k in range(3):
        if not rendered[k]:
            labels[k][labels[k] == BEARD] = HEAD
    labels[:, :2] = UNKNOWN
    ours = loss_of(scores, labels, [EXACT if flag else CELEBAMASK for flag in rendered])
    assert abs(ours - loss_of_two_data_sets(scores, labels, rendered)) < 1e-4


def test_a_beard_may_be_called_skin_by_people_but_not_by_the_renderer():
    scores = torch.zeros(1, 20, 4, 4)
    scores[:, BEARD] = 12.0
    skin = torch.full((1, 4, 4), HEAD, dtype=torch.uint8)
    assert loss_of(scores, skin, [CELEBAMASK]) < 0.01
    assert loss_of(scores, skin, [EXACT]) > 5


def test_unknown_pixels_do_not_count():
    scores = torch.randn(1, 20, 4, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    labels = torch.full((1, 4, 4), UNKNOWN, dtype=torch.uint8)
    labels[0, 0, 0] = 3
    loss_of(scores, labels, [CELEBAMASK]).backward()
    assert scores.grad[0, :, 0, 0].abs().sum() > 0
    assert scores.grad[0, :, 1:, 1:].abs().sum() == 0


def test_whatever_a_label_may_stand_for_is_right():
    """A background that may be a neck: neither is punished, a nose is."""
    meanings = coarse({0: [14, 16]}, [0, 1, 10])
    labels = torch.zeros(1, 4, 4, dtype=torch.uint8)
    losses = []
    for part in (0, 14, 16, 10):
        scores = torch.zeros(1, 20, 4, 4)
        scores[:, part] = 12.0
        losses.append(loss_of(scores, labels, [meanings]).item())
    assert max(losses[:3]) < 0.01
    assert losses[3] > 5


def test_an_own_part_that_may_lie_on_skin_in_others_photos():
    people = {**CELEBAMASK, HEAD: CELEBAMASK[HEAD] | {OWN}}
    skin, hair = (torch.full((1, 4, 4), part, dtype=torch.uint8) for part in (HEAD, 17))
    scores = torch.zeros(1, 21, 4, 4)
    scores[:, 20] = 12.0
    assert loss_of(scores, skin, [people], STICKERS) < 0.01
    assert loss_of(scores, hair, [people], STICKERS) > 5
    # What nobody could tell apart in a user's own photo is at least not what they painted.
    other = torch.full((1, 4, 4), OTHER, dtype=torch.uint8)
    own = {OTHER: frozenset(range(20))}
    assert loss_of(scores, other, [own], STICKERS) > 3
    assert loss_of(-scores, other, [own], STICKERS) < 0.01


def test_one_part_is_all_of_a_preset():
    assert FACE_ALONE.names == ("background", "head")
    legend = make_legend(FACE_ALONE, [CELEBAMASK, EXACT])
    for grid in legend.grids:
        assert {PARTS[k].name for k in range(20) if grid[k] == 1} == {
            "head", "brow-left", "brow-right", "eye-left", "eye-right", "glasses", "nose", "mouth", "lip-upper",
            "lip-lower", "beard",
        }  # fmt: skip
        assert grid[UNKNOWN] == UNKNOWN


def test_labels_are_numbered_by_class_or_by_data_set():
    legend = make_legend(Classes(), [CELEBAMASK, EXACT, CELEBAMASK])
    assert (legend.grids[1][:20] == np.arange(20)).all()
    assert (legend.grids[0] == legend.grids[2]).all()
    assert (legend.grids[0][:19] >= SETS).all()
    assert set(np.flatnonzero(legend.allowed[legend.grids[0][HEAD]])) == {HEAD, BEARD}
    assert set(np.flatnonzero(legend.allowed[legend.grids[0][17]])) == {17}


def test_sets_change_sides_in_a_mirror():
    """A label for both eyes, that goes by the left one, is the same set when the picture is mirrored."""
    legend = make_legend(Classes(), [coarse({4: [5], 7: [17]}, [0, 1, 4, 7])])
    grid = legend.grids[0]
    assert set(np.flatnonzero(legend.allowed[grid[5]])) == {4, 5}
    assert set(np.flatnonzero(legend.allowed[grid[8]])) == {8, 17}
    with pytest.raises(FaceParseError, match="brow"):
        make_legend(Classes(), [coarse({2: [6], 3: [17]}, [0, 1, 2, 3])])


def test_what_is_said_in_a_data_sets_words():
    labels = np.array([[1, 17, 1, 0]], np.uint8)
    said = np.array([[19, 19, 17, 19]], np.uint8)
    assert said_as(CELEBAMASK, labels, said).tolist() == [[1, 1, 17, 1]]
    assert said_as(EXACT, labels, said).tolist() == [[19, 19, 17, 19]]
    wide = coarse({0: [14, 16], 1: [14]}, [0, 1, 17])
    assert said_as(wide, np.array([[1, 0, 17]], np.uint8), np.array([[14, 14, 14]], np.uint8)).tolist() == [[1, 0, 0]]


def test_what_was_known_is_kept_but_where_the_new_is_painted():
    """Nothing is lost where a network says what it said; a new class beside the old ones costs nothing."""
    legend = make_legend(STICKERS, [{OTHER: frozenset(range(20))}])
    generator = torch.Generator().manual_seed(0)
    old = torch.randn(1, 20, 4, 4, generator=generator)

    class Known(torch.nn.Module):
        def forward(self, rgb):
            return old

    memory = make_memory(Known(), Classes(), legend, frozenset())
    labels = torch.full((1, 4, 4), HEAD, dtype=torch.uint8)
    labels[0, 0] = 20
    rgb = torch.zeros(1, 3, 16, 16)
    same = torch.cat([old + 5, torch.randn(1, 1, 4, 4, generator=generator)], 1)
    assert abs(memory_loss(same, labels, rgb, memory)) < 1e-5
    changed = same.clone()
    changed[:, :20, 0] = 0
    assert abs(memory_loss(changed, labels, rgb, memory)) < 1e-5  # there the sticker was painted
    changed[:, :20, 1] = 0
    assert memory_loss(changed, labels, rgb, memory) > 0.01
