"""Scores become labels at the photo's pixels; cleaning leaves one head and nothing that is not its."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceparse_core.clean import CleanSettings, clean_labels, upsample_labels
from faceparse_core.heads import Head

HEAD = Head(x=100, y=110, size=100, score=1.0)


def face(shape=(220, 200)) -> np.ndarray:
    """A plain label map: hair, head, two brows, two eyes, nose, lips, two ears, neck."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    labels = np.zeros(shape, np.uint8)

    def ellipse(part, x, y, across, down):
        labels[((columns - x) / across) ** 2 + ((rows - y) / down) ** 2 <= 1] = part

    labels[150:200, 80:120] = 14
    ellipse(17, 100, 95, 56, 48)
    labels[121:][labels[121:] == 17] = 0
    ellipse(8, 62, 110, 6, 14)
    ellipse(7, 138, 110, 6, 14)
    ellipse(1, 100, 110, 38, 50)
    ellipse(3, 85, 88, 9, 3)
    ellipse(2, 115, 88, 9, 3)
    ellipse(5, 85, 98, 7, 4)
    ellipse(4, 115, 98, 7, 4)
    ellipse(10, 100, 115, 7, 14)
    ellipse(12, 100, 136, 14, 4)
    ellipse(13, 100, 142, 12, 4)
    return labels


def bilinear(scores, box, shape):
    """The plain way: every class at every pixel."""
    x0, y0, x1, y1 = box
    rows, columns = scores.shape[1:]
    y = np.clip((np.arange(shape[0]) + 0.5 - y0) * rows / (y1 - y0) - 0.5, 0, rows - 1)
    x = np.clip((np.arange(shape[1]) + 0.5 - x0) * columns / (x1 - x0) - 0.5, 0, columns - 1)
    top, left = np.minimum(y.astype(int), rows - 2), np.minimum(x.astype(int), columns - 2)
    v, u = (y - top)[:, None], (x - left)[None]
    grid = [scores[:, top + a][:, :, left + b] for a in (0, 1) for b in (0, 1)]
    full = grid[0] * (1 - v) * (1 - u) + grid[1] * (1 - v) * u + grid[2] * v * (1 - u) + grid[3] * v * u
    labels = full.argmax(0)
    outside = np.ones(shape, bool)
    outside[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] = False
    labels[outside] = 0
    return labels


@given(
    seed=st.integers(0, 1000), x=st.integers(-40, 60), y=st.integers(-40, 60), side=st.integers(5, 160),
    height=st.integers(1, 120), width=st.integers(1, 120),
)  # fmt: skip
def test_upsampling_is_bilinear_before_the_argmax(seed, x, y, side, height, width):
    rng = np.random.default_rng(seed)
    coarse = rng.normal(size=(20, 4, 4)).astype(np.float32) * 4
    scores = np.repeat(np.repeat(coarse, 5, 1), 5, 2) + rng.normal(size=(20, 20, 20)).astype(np.float32) * 0.1
    box = (x, y, x + side, y + side)
    said = upsample_labels(scores, box, (height, width))
    assert said.shape == (height, width)
    assert said.dtype == np.uint8
    assert (said != bilinear(scores, box, (height, width))).sum() <= 2  # ties in float32


def test_borders_are_smooth_at_the_photos_size():
    scores = np.zeros((20, 8, 8), np.float32)
    scores[1] = np.add.outer(np.arange(8), np.arange(8)) - 6.3  # a straight slanting border
    labels = upsample_labels(scores, (0, 0, 800, 800), (800, 800))
    edge = labels[100:600].argmax(1)
    assert np.abs(np.diff(edge) + 1).max() <= 1  # one px a row, no staircase of 100 px cells


def test_a_clean_map_stays_as_it_is():
    labels = face()
    assert (clean_labels(labels, HEAD) == labels).all()


def test_the_input_is_not_changed():
    labels = face()
    labels[5:8, 5:8] = 17
    before = labels.copy()
    clean_labels(labels, HEAD)
    assert (labels == before).all()


def test_specks_and_holes_are_filled_from_around():
    labels = face()
    labels[52:55, 100:103] = 18  # a hat of 3 px in the hair
    labels[125:127, 110:112] = 0  # a hole in the cheek
    assert (clean_labels(labels, HEAD) == face()).all()


@pytest.mark.parametrize("part", [7, 14, 16, 17])
def test_what_the_photo_cuts_off_may_be_small(part):
    """The rest of a part at the photo's edge stays; the same piece at the edge of a window, or within, is a speck."""
    labels = face()[:, :130]  # the photo ends in the cheek
    labels[100:104, 126:] = part
    assert (clean_labels(labels, HEAD) == labels).all()
    assert not (clean_labels(labels, HEAD, edges=(True, True, False, True))[100:104, 126:] == part).any()
    inside = np.pad(labels, ((0, 0), (0, 6)), constant_values=1)
    assert not (clean_labels(inside, HEAD)[100:104, 126:] == part).any()


def test_specks_at_the_photos_edge_go():
    labels = face()[:, :130]
    labels[100, 128:] = 16
    assert not (clean_labels(labels, HEAD) == 16).any()


def test_another_head_and_its_hair_go():
    labels = np.zeros((220, 420), np.uint8)
    labels[:, :200] = face()
    labels[:, 220:] = face()
    cleaned = clean_labels(labels, HEAD)
    assert (cleaned[:, :200] == face()).all()
    assert not cleaned[:, 200:].any()


@pytest.mark.parametrize("part", [17, 18, 1, 8, 9])
def test_what_belongs_on_a_head_is_not_left_on_the_chest(part):
    labels = face()
    labels[200:] = 16
    labels[205:218, 60:80] = part
    assert (clean_labels(labels, HEAD)[205:218, 60:80] == 16).all()


def test_a_hat_is_above_the_face():
    labels = face()
    labels[30:62, 50:150] = 18
    labels[150:170, 84:116][labels[150:170, 84:116] == 14] = 18  # a red scarf
    cleaned = clean_labels(labels, HEAD)
    assert (cleaned[32:60, 52:148] == 18).all()
    assert not (cleaned[150:] == 18).any()


def test_a_beard_is_near_the_mouth():
    """A goatee stays, and what hangs together with it; a shadow beneath the jaw is skin or neck."""
    labels = face()
    labels[145:158, 85:115][labels[145:158, 85:115] == 1] = 19
    labels[170:185, 80:120] = 19  # on the neck
    cleaned = clean_labels(labels, HEAD)
    assert (cleaned[:160] == labels[:160]).all()
    assert (cleaned[170:185, 88:112] == 14).all()
    labels[158:170, 80:120] = 19  # it grows down to there
    assert (clean_labels(labels, HEAD)[170:185, 80:120] == 19).all()


def test_a_shadow_above_the_lip_is_skin_and_no_thicker_lip():
    """What counts is all of the beard together: a moustache and a tuft on the chin are as small, each alone."""
    labels = face()
    above, chin = (slice(130, 136), slice(80, 120)), (slice(148, 156), slice(92, 108))
    lip = labels[above] != 1
    labels[above][~lip] = 19
    assert (100 * CleanSettings().tuft) ** 2 < (labels == 19).sum() < (100 * CleanSettings().faint) ** 2
    assert (clean_labels(labels, HEAD) == face()).all()
    labels[chin] = 19
    assert (clean_labels(labels, HEAD) == labels).all()


def test_a_patch_belongs_to_a_beard_and_alone_is_a_shadow():
    """A goatee below the lip, whose moustache came out in two patches."""
    labels = face()
    patches = [(slice(128, 136), slice(left, left + 11)) for left in (78, 111)]
    for patch in patches:
        labels[patch][labels[patch] == 1] = 19
        assert (100 * CleanSettings().patch) ** 2 < (labels[patch] == 19).sum() < (100 * CleanSettings().tuft) ** 2
    assert not (clean_labels(labels, HEAD) == 19).any()
    labels[145:162, 88:112] = 19
    assert (clean_labels(labels, HEAD) == labels).all()


def test_a_patch_beside_the_photos_edge_is_no_beard_for_what_is_cut_off_there():
    """A lip's shadow, and a few pixels of beard that the photo's edge leaves."""
    labels = face()[:157]
    labels[154:, 92:98] = 19
    edge = labels.copy()
    for left in (78, 111):
        patch = labels[128:136, left : left + 11]
        patch[patch == 1] = 19
    assert (clean_labels(labels, HEAD) == edge).all()


def test_many_patches_make_no_beard():
    """Together they are larger than the faintest beard, yet none of them is a tuft."""
    labels = face()
    for row, column in ((128, 76), (128, 115), (142, 76), (142, 115), (152, 92)):
        patch = labels[row : row + 10, column : column + 10]
        patch[patch == 1] = 19
    assert (labels == 19).sum() > (100 * CleanSettings().faint) ** 2
    assert not (clean_labels(labels, HEAD) == 19).any()


def test_a_shadow_that_reaches_the_neck_is_skin_and_neck():
    labels = face()
    shadow = (slice(155, 166), slice(92, 108))
    labels[shadow] = 19
    cleaned = clean_labels(labels, HEAD)
    assert (cleaned == 19).sum() == 0
    assert (cleaned[shadow] != face()[shadow]).mean() < 0.1
    assert {1, 14} == set(np.unique(cleaned[shadow]))


def test_a_beard_that_the_photos_edge_cuts_off_stays():
    labels = face()[:147]
    labels[143:, 80:120][labels[143:, 80:120] == 1] = 19
    assert 0 < (labels == 19).sum() < (100 * CleanSettings().faint) ** 2
    assert (clean_labels(labels, HEAD) == labels).all()
    assert not (clean_labels(labels, HEAD, edges=(True, True, True, False)) == 19).any()


def test_holes_in_clothes_are_mended_and_other_gaps_stay():
    labels = face((300, 200))
    labels[190:290, 10:190][labels[190:290, 10:190] == 0] = 16
    torn = labels.copy()
    torn[220:240, 130:160] = 0  # in the clothes
    torn[270:290, 40:60] = 0  # at their lower edge
    clean = clean_labels(torn, HEAD)
    assert (clean[220:240, 130:160] == 16).all()
    assert (clean[275:290, 45:55] == 0).all()
    assert (clean_labels(torn, HEAD, CleanSettings(torn=0.1))[222:238, 132:158] == 0).all()
    between = labels.copy()
    between[165:215, 120:150] = 17  # hair that falls on the shoulder ..
    between[185:212, 125:145] = 0  # .. with a gap that hair and clothes surround
    assert (clean_labels(between, HEAD)[190:208, 128:142] == 0).all()


def test_pieces_that_hang_nowhere_go():
    labels = face()
    labels[205:218, 5:60] = 16
    assert not clean_labels(labels, HEAD)[205:218, 5:60].any()


@pytest.mark.parametrize("names", [(4, 5), (2, 3), (7, 8)])
def test_sides_follow_the_nose(names):
    left, right = names
    labels = face()
    swapped = labels.copy()
    swapped[labels == left], swapped[labels == right] = right, left
    assert (clean_labels(swapped, HEAD) == labels).all()


def test_features_off_the_head_go():
    labels = face()
    labels[170:180, 90:110] = 12  # lips on the neck
    cleaned = clean_labels(labels, HEAD)
    assert (cleaned[170:180, 90:110] == 14).all()


@pytest.mark.parametrize("labels", [
    np.zeros((1, 1), np.uint8), np.zeros((50, 50), np.uint8), np.full((220, 200), 17, np.uint8),
    np.full((220, 200), 10, np.uint8), np.eye(220, 200, dtype=np.uint8),
])  # fmt: skip
def test_degenerate_maps(labels):
    cleaned = clean_labels(labels, HEAD)
    assert cleaned.shape == labels.shape
    assert set(np.unique(cleaned)) <= set(np.unique(labels)) | {0}


def test_a_filled_frame_stays_filled():
    assert (clean_labels(np.full((220, 200), 1, np.uint8), HEAD, CleanSettings()) == 1).all()


@given(st.integers(0, 10_000))
def test_noise_never_invents_a_part(seed):
    labels = np.random.default_rng(seed).integers(0, 20, (40, 40)).astype(np.uint8).repeat(4, 0).repeat(4, 1)
    cleaned = clean_labels(labels, Head(80, 80, 80, 1.0))
    assert cleaned.max() < 20
    assert (clean_labels(labels, Head(80, 80, 80, 1.0)) == cleaned).all()
