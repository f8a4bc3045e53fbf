"""The table of parts is consistent, and selections say what they mean."""

import pytest

from faceparse_core.errors import FaceParseError
from faceparse_core.parts import (
    BY_NAME,
    HAIR_BACK,
    LAYER_ORDER,
    LAYERS,
    PAINT_ORDER,
    PAIRS,
    PARTS,
    PRESETS,
    select_parts,
)


def test_ids_are_places_in_the_table():
    assert [part.id for part in PARTS] == list(range(20))
    assert list(LAYERS) == list(range(21))
    assert [BY_NAME[part.name] for part in LAYERS.values()] == list(LAYERS.values())


def test_every_part_but_the_background_is_painted_once():
    assert sorted(PAINT_ORDER) == list(range(1, 20))
    assert (HAIR_BACK, *PAINT_ORDER) == LAYER_ORDER  # beneath all, and in no label map


def test_what_lies_on_the_head_is_painted_above_it():
    head = PAINT_ORDER.index(1)
    assert all(PAINT_ORDER.index(part.id) > head for part in PARTS if part.on_head)


def test_pairs_are_left_then_right():
    for left, right in PAIRS:
        assert (PARTS[left].side, PARTS[right].side) == ("left", "right")
        assert PARTS[left].name.replace("left", "right") == PARTS[right].name


def test_presets_grow():
    assert PRESETS["contour"] < PRESETS["portrait"] < PRESETS["all"]
    assert PRESETS["all"] - PRESETS["portrait"] == {14, 15, 16, HAIR_BACK}


def test_presets_and_parts_mix():
    assert select_parts("contour, neck") == PRESETS["contour"] | {14}
    assert select_parts(["hair"]) == {17}
    assert select_parts("eye,lip,ear-left") == {4, 5, 12, 13, 7}
    assert select_parts("brow,ear") == {2, 3, 7, 8}


@pytest.mark.parametrize("names", ["", "hair,", "Hair", "background", "nose,moustache"])
def test_unknown_part_is_named(names):
    with pytest.raises(FaceParseError, match="unknown part"):
        select_parts(names)


def test_no_part_at_all_is_told():
    with pytest.raises(FaceParseError, match="no part is named"):
        select_parts([])
