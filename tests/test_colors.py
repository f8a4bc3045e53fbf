"""Colours are robust means in a perceptual space."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from faceparse_core.colors import oklab_to_srgb, part_colors, robust_mean, srgb_to_oklab


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=50))
def test_oklab_there_and_back(colors):
    rgb = np.array(colors, np.uint8)
    assert (oklab_to_srgb(srgb_to_oklab(rgb)) == rgb).all()


def test_oklab_of_known_colours():
    # White and red as Ottosson's page gives them, to its three digits.
    assert np.allclose(srgb_to_oklab(np.array([[255, 255, 255]], np.uint8)), [[1, 0, 0]], atol=2e-3)
    assert np.allclose(srgb_to_oklab(np.array([[255, 0, 0]], np.uint8)), [[0.628, 0.225, 0.126]], atol=2e-3)


def test_one_colour_is_its_own_mean():
    assert robust_mean(np.full((7, 3), (12, 200, 99), np.uint8)) == (12, 200, 99)


def test_highlights_hardly_count():
    pixels = np.full((100, 3), (90, 60, 40), np.uint8)
    pixels[:20] = 255
    assert np.abs(np.subtract(robust_mean(pixels), (90, 60, 40))).max() <= 6
    assert np.subtract(pixels.mean(0), (90, 60, 40)).max() > 30  # what a plain mean would say


def test_mixed_pixels_at_the_border_are_left_out():
    labels = np.zeros((40, 40), np.uint8)
    labels[:, 20:] = 17
    rgb = np.full((40, 40, 3), 200, np.uint8)
    rgb[:, 20:] = 40
    rgb[:, 18:22] = (255, 0, 0)
    assert part_colors(rgb, labels) == {0: (200, 200, 200), 17: (40, 40, 40)}


def test_both_eyes_and_both_brows_have_the_darker_colour():
    """One eye gleams, one brow lies half on the skin."""
    labels, rgb = np.ones((60, 60), np.uint8), np.full((60, 60, 3), (214, 167, 146), np.uint8)
    brows, eyes = {2: (60, 40, 30), 3: (150, 110, 90)}, {4: (190, 190, 200), 5: (40, 50, 60)}
    shown = {**brows, **eyes}
    for row, (part, color) in enumerate(shown.items()):
        labels[10 * row : 10 * row + 8, 20:40] = part
        rgb[10 * row : 10 * row + 8, 20:40] = color
    colors = part_colors(rgb, labels)
    assert colors[2] == colors[3] == shown[2]
    assert colors[4] == colors[5] == shown[5]


def test_a_sliver_of_an_eye_does_not_lead():
    """In half profile of the far eye there is little but lashes."""
    labels, rgb = np.ones((60, 60), np.uint8), np.full((60, 60, 3), (214, 167, 146), np.uint8)
    labels[10:30, 5:45], rgb[10:30, 5:45] = 4, (90, 120, 160)
    labels[10:14, 55:56], rgb[10:14, 55:56] = 5, (30, 20, 20)
    colors = part_colors(rgb, labels)
    assert colors[4] == colors[5] == (90, 120, 160)


@given(st.sampled_from([7, 8, 10]), st.tuples(*[st.integers(0, 255)] * 3), st.tuples(*[st.integers(40, 255)] * 3))
def test_ears_and_noses_are_skin(part, color, skin):
    labels, rgb = np.ones((40, 40), np.uint8), np.full((40, 40, 3), skin, np.uint8)
    labels[10:30, 15:25], rgb[10:30, 15:25] = part, color
    drawn = part_colors(rgb, labels)[part]
    was, now, of_skin = srgb_to_oklab(np.array([color, drawn, skin], np.uint8))
    far = np.hypot.reduce((was - of_skin) * (1, 2, 2))
    assert np.hypot.reduce((now - of_skin) * (1, 2, 2)) < 0.11  # 0.1, but for what bytes cannot show
    if part != 10 and far < 0.1:  # a shade stays; a nose must be told from the skin besides
        assert drawn == color
    elif far > 0.15:  # of hair over an ear something is left, in its own direction
        assert (now - of_skin) @ (was - of_skin) > 0


def nose_and_skin(nose, skin):
    labels, rgb = np.ones((40, 40), np.uint8), np.full((40, 40, 3), skin, np.uint8)
    labels[10:30, 15:25], rgb[10:30, 15:25] = 10, nose
    colors = part_colors(rgb, labels)
    assert colors[1] == skin
    return colors[10]


@given(st.integers(70, 230), st.integers(8, 50), st.integers(0, 40), st.tuples(*[st.integers(-9, 9)] * 3))
def test_a_nose_is_told_from_the_skin(red, less, still_less, off):
    """By its lightness alone: its tint stays, and a darker one stays darker."""
    skin = (red, red - less, max(red - less - still_less, 10))
    nose = tuple(np.clip(np.add(skin, off), 0, 255).tolist())
    was, seen, of_skin = srgb_to_oklab(np.array([nose, nose_and_skin(nose, skin), skin], np.uint8))
    assert np.hypot.reduce(seen - of_skin) > 0.027  # 0.03, but for what bytes cannot show
    assert np.abs(seen[1:] - was[1:]).max() < 0.004
    if abs(was[0] - of_skin[0]) > 0.006:
        assert np.sign(seen[0] - of_skin[0]) == np.sign(was[0] - of_skin[0])


def test_a_nose_that_is_seen_keeps_its_colour_and_a_grey_one_stays_grey():
    assert nose_and_skin((200, 140, 120), (214, 167, 146)) == (200, 140, 120)
    red, green, blue = nose_and_skin((120, 120, 120), (120, 120, 120))
    assert red == green == blue > 120
    assert max(nose_and_skin((250, 250, 250), (250, 250, 250))) < 250


def test_a_part_of_one_pixel_has_a_colour():
    labels = np.zeros((9, 9), np.uint8)
    labels[4, 4] = 9
    rgb = np.zeros((9, 9, 3), np.uint8)
    rgb[4, 4] = (250, 240, 10)
    assert part_colors(rgb, labels)[9] == (250, 240, 10)


def spectacles(lens, frame=(30, 26, 24)):
    """Labels and photo: skin, and glasses before it, lenses in a frame."""
    labels = np.ones((60, 100), np.uint8)
    rgb = np.full((60, 100, 3), (214, 167, 146), np.uint8)
    for left in (15, 55):
        labels[20:40, left : left + 30] = 6
        rgb[20:40, left : left + 30] = frame
        rgb[22:38, left + 2 : left + 28] = lens
    return rgb, labels


def test_glasses_that_skin_is_seen_through_stand_out():
    clear = (212, 169, 150)
    colors = part_colors(*spectacles(clear))
    skin, lens, drawn = srgb_to_oklab(np.array([colors[1], clear, colors[6]], np.uint8))
    assert np.linalg.norm(lens - skin) < 0.02
    assert 0.115 < np.linalg.norm(drawn - skin) < 0.15
    assert drawn[0] < lens[0]  # towards the frame
    white = part_colors(*spectacles(clear, (250, 250, 250)))[6]
    assert min(np.subtract(white, clear)) > 10


def test_dark_glasses_have_the_colour_of_their_lenses():
    assert part_colors(*spectacles((40, 44, 52), (120, 20, 20)))[6] == (40, 44, 52)


def test_glasses_without_a_head_or_a_frame_keep_their_colour():
    rgb, labels = spectacles((212, 169, 150))
    assert part_colors(rgb, np.where(labels == 6, labels, 0).astype(np.uint8))[6] == (212, 169, 150)
    rgb, labels = spectacles((214, 167, 146), (214, 167, 146))
    assert part_colors(rgb, labels)[6] == (214, 167, 146)


def test_only_parts_that_are_there():
    assert part_colors(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8)).keys() == {0}
