"""Class maps, and parsers that know other classes than ours: one part alone, several for one, both sides as one."""

from __future__ import annotations

import dataclasses
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from command import Capture, one_line, run

from faceparse_core import contours, heatmap, mask
from faceparse_core.classes import (
    BESIDE,
    OUR_CLASSES,
    Classes,
    classes_beside,
    classes_of,
    described,
    known_parts,
    read_classes,
    to_parts,
    write_beside,
)
from faceparse_core.errors import FaceParseError, ModelError
from faceparse_core.parse import parse_photo, shows_face
from faceparse_core.parser import ModelInfo, Parser, load_parser
from faceparse_core.parts import BEARD, BY_NAME, HAIR, HEAD, PAIRS, PARTS, PRESETS, own_parts, select_parts
from faceparse_core.photo import read_photo


def written(folder: Path, text: str) -> Path:
    path = folder / "classes.txt"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "background\nhead\n\nbrow # both of them\nhair\n",
        "\ufeffbackground\r\nhead\r\nbrow\r\nhair",
        '["background", "head", "brow", "hair"]',
        '{"0": "background", "1": "head", "3": "hair", "2": "brow"}',
    ],
    ids=["lines", "windows", "list", "object"],
)
def test_a_class_map_in_every_form(tmp_path: Path, text: str) -> None:
    assert read_classes(written(tmp_path, text)) == Classes(((0,), (1,), (2, 3), (17,)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "at least background and head"),
        ("background\nhair\n", "at least background and head"),
        ("head\nhair\n", "at least background and head"),
        ("background\nface\n", "no part is called 'face'; choose from: background, head"),
        ("[", "no JSON"),
        ('{"0": "background", "2": "head"}', "class 1 has no name"),
        ('["background", 1]', "each by one word"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_what_is_no_class_map(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        read_classes(written(tmp_path, text))
    assert "classes.txt" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "classes",
    [
        Classes(),
        Classes(OUR_CLASSES[19]),
        Classes(((0,), (1,))),
        Classes(((0,), (2, 3), (1,), (240,)), own_parts({"sticker": {"above": "nose", "color": [1, 2, 3]}})),
    ],
    ids=["ours", "without a beard", "the face alone", "own"],
)
def test_what_is_written_beside_a_model_is_read_there(tmp_path: Path, classes: Classes) -> None:
    model = tmp_path / "mine.onnx"
    model.with_suffix(BESIDE).write_text('["background", "head", "hat"]')  # another network's, that lay here before
    write_beside(classes, model)
    assert (classes_beside(model) or Classes()) == classes
    assert classes_of(described(classes), "here") == classes
    assert [path.name for path in tmp_path.iterdir()] == ([] if classes == Classes() else ["mine.parts.json"])


def test_a_part_that_a_network_does_not_know_is_head_or_background() -> None:
    assert Classes().of_part == {part.id: part.id for part in PARTS}
    assert Classes(OUR_CLASSES[19]).of_part[BEARD] == HEAD
    alone = Classes(((0,), (1,))).of_part
    assert {part for part, seen in alone.items() if seen == 1} == PRESETS["face"]
    brows = Classes(((0,), (2, 3), (1,), (240,)), own_parts({"sticker": {}}))
    assert [brows.of_part[part] for part in (0, 1, 2, 3, 10, HAIR, 240)] == [0, 2, 1, 1, 2, 0, 3]
    assert brows.names == ("background", "brow", "head", "sticker")


def test_a_class_map_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        read_classes(tmp_path / "none.txt")
    (tmp_path / "photo.txt").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(ModelError, match="it is no text"):
        read_classes(tmp_path / "photo.txt")


def test_scores_go_to_the_parts_that_their_classes_stand_for() -> None:
    scores = np.random.default_rng(0).normal(0, 3, (3, 5, 8, 8)).astype(np.float32)
    classes = ((0,), (HAIR,), (1,), (HAIR,), (2, 3))
    out = to_parts(scores, classes)
    assert out.shape == (3, 18, 8, 8)
    assert (to_parts(scores[1:2], classes) == out[1:2]).all()  # whichever others go with it
    assert np.isfinite(out).all()
    named = np.array([0, HAIR, 1, HAIR, 2])[scores.argmax(1)]
    assert (out.argmax(1) == named).all()
    assert (out[:, 2] == out[:, 3]).all()  # both sides: which is which, the place tells
    assert (out[:, HAIR] == np.maximum(scores[:, 1], scores[:, 3])).all()
    assert known_parts(classes) == {1, 2, 3, HAIR}
    assert to_parts(scores[:, :2], ((0,), (1,))).shape == (3, 2, 8, 8)
    same = np.zeros((1, 19, 2, 2), np.float32)
    assert to_parts(same, OUR_CLASSES[19]) is same


def test_a_face_is_what_its_parser_can_know_of_one() -> None:
    labels = np.zeros((20, 20), np.uint8)
    labels[5:15, 5:15] = HEAD
    assert not shows_face(labels)
    assert shows_face(labels, frozenset({HEAD}))
    assert not shows_face(labels, frozenset({HEAD, 10}))
    labels[10, 10] = 10
    assert shows_face(labels, frozenset({HEAD, 10, HAIR}))
    assert not shows_face(np.zeros((20, 20), np.uint8), frozenset({HEAD}))


# from photo to drawing ------------------------------------------------------------------------------------------------


def face_alone() -> Parser:
    """What FCN-8s would say of a well framed head: an ellipse of a face height in the middle of 500 x 500."""

    def ellipse(rgb: np.ndarray) -> np.ndarray:
        assert rgb.shape == (1, 3, 500, 500)
        rows, columns = np.mgrid[:500, :500]
        inside = 1 - np.hypot((columns - 250) / 100, (rows - 250) / 125)
        return np.stack([np.zeros((500, 500)), 8 * inside]).astype(np.float32)[None]

    return Parser(ModelInfo("fcn8s", "0" * 64), 500, 2.0, ellipse, parts=frozenset({HEAD}))


def test_one_part_from_photo_to_svg(astronaut: Path) -> None:
    from svg_export.check import check_svg
    from svg_export.export import draw
    from svg_export.subpixel import Evidence

    photo = read_photo(astronaut)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parsing = parse_photo(photo, face_alone())
        assert set(np.unique(parsing.labels)) == {0, HEAD}
        drawn = draw(
            parsing.labels, parsing.colors, select_parts("all"), title="one", head_size=parsing.head_size,
            evidence=Evidence(photo.rgb, parsing.scores, parsing.box),
        )  # fmt: skip
    assert drawn.names == ["head"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(contours(parsing)) == ["head"]
        face, sure = mask(parsing), heatmap(parsing)
    assert ((face == 255) == (parsing.labels == HEAD)).mean() > 0.999
    assert sure[parsing.labels == HEAD].min() > 100  # of 255: the softmax of background and face
    assert sure[0, 0] < 10
    assert not check_svg(drawn.svg)
    with pytest.raises(FaceParseError, match="there is: head"):
        draw(parsing.labels, parsing.colors, select_parts("hair,hat"), title="none")


def test_no_face_is_no_face_for_one_part_either(astronaut: Path) -> None:
    with pytest.raises(FaceParseError, match="no face found"):
        parse_photo(
            read_photo(astronaut), dataclasses.replace(face_alone(), run=lambda rgb: np.eye(2, 1)[None, ..., None])
        )


def test_sides_that_the_network_does_not_tell_are_told_by_their_place(astronaut: Path) -> None:
    """The embedded network's classes with left and right made one: brows, eyes and ears are named as before."""
    photo, own = read_photo(astronaut), load_parser()
    merged = [[i] for i in range(20)]
    for left in (2, 4, 7):
        merged[left].append(left + 1)
    kept = [ids for i, ids in enumerate(merged) if i not in (3, 5, 8)]
    classes = tuple(tuple(ids) for ids in kept)

    def run(rgb: np.ndarray) -> np.ndarray:
        scores = own.run(rgb)
        return to_parts(np.stack([scores[:, ids].max(1) for ids in kept], 1), classes)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        told = parse_photo(photo, Parser(own.info, own.size, own.frame, run, parts=known_parts(classes))).labels
    before = parse_photo(photo, own).labels
    for left, right in PAIRS:
        for name, other in ((left, right), (right, left)):
            assert not ((told == name) & (before == other)).any()
    for name in ("brow-left", "brow-right"):  # an eye in so small a face may be a speck to one of the two
        one, two = (labels == BY_NAME[name].id for labels in (told, before))
        assert (one & two).sum() > 0.9 * (one | two).sum(), name


def test_the_command_refuses_what_does_not_fit(tmp_path: Path, photo: Path, capsys: Capture) -> None:
    classes = written(tmp_path, "background\nhead\n")
    assert run("--classes", classes, photo) == 2
    assert "has 20 classes, and the class map names 2" in one_line(capsys)
    assert run("--classes", tmp_path / "none.txt", photo) == 2
    assert "none.txt" in one_line(capsys)
    assert run("--classes", classes, "--from-labels", photo) == 2
    assert "--classes does not go with --from-labels" in one_line(capsys)
    assert not photo.with_suffix(".svg").exists()


# .onnx files ----------------------------------------------------------------------------------------------------------


def by_colour(path: Path, classes: int = 2, size: int | str = 64, **options: object) -> Path:
    """An .onnx whose class 1 is what is more red than blue, and whose other classes never win."""
    from onnx import TensorProto, helper, numpy_helper

    half = options.get("half", False)
    kind, dtype = (TensorProto.FLOAT16, np.float16) if half else (TensorProto.FLOAT, np.float32)
    weight = np.zeros((classes, 3, 1, 1), dtype)
    weight[1:2, :, 0, 0] = (4, 0, -4)
    bias = np.full(classes, -1000, dtype)
    bias[:1], bias[1:2] = 0, -1
    nodes = [helper.make_node("Conv", ["input", "weight", "bias"], ["scores"])]
    if options.get("labels"):
        nodes[0].output[0] = "raw"
        nodes.append(helper.make_node("ArgMax", ["raw"], ["scores"], axis=1, keepdims=0))
    if options.get("hidden"):  # the shape of what comes out is not told
        nodes[0].output[0] = "raw"
        nodes.append(helper.make_node("Identity", ["raw"], ["scores"]))
    shape = None if options.get("hidden") else ["n", classes, size, size]
    out = helper.make_tensor_value_info("scores", kind, shape or ["a", "b", "c", "d"])
    if options.get("labels"):
        out = helper.make_tensor_value_info("scores", TensorProto.INT64, ["n", size, size])
    read = options.get("reads", ["n", 3, size, size])
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("input", kind, read)], [out],
        [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(bias, "bias")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.torch
@pytest.mark.parametrize("hidden", [False, True])
def test_an_onnx_with_other_classes_asks_for_a_class_map(
    tmp_path: Path, photo: Path, capsys: Capture, hidden: bool
) -> None:
    model = by_colour(tmp_path / "two.onnx", hidden=hidden)
    assert run("--model", model, photo) == 2
    assert "two.onnx: its 2 classes are not the 19 of face-parsing.PyTorch" in (said := one_line(capsys))
    assert "--classes" in said
    classes = written(tmp_path, "background\nhead\n")
    assert run("--model", model, "--classes", classes, "--save-labels", photo) == 0
    import cv2

    labels = cv2.imread(os.fspath(photo.with_name("astronaut.labels.png")), cv2.IMREAD_UNCHANGED)
    assert set(np.unique(labels)) == {0, HEAD}
    assert (labels[118:132, 192:204] == HEAD).mean() > 0.9  # the cheek


@pytest.mark.torch
@pytest.mark.parametrize(("size", "expected"), [(64, 64), ("h", 512)])
def test_an_onnx_is_understood_by_its_shapes(tmp_path: Path, size: int | str, expected: int) -> None:
    parser = load_parser(os.fspath(by_colour(tmp_path / "a.onnx", 19, size)))
    assert parser.size == expected
    assert parser.parts == set(range(1, 19))
    rgb = np.zeros((1, 3, expected, expected), np.float32)
    rgb[:, 0] = 255
    scores = parser.run(rgb)
    assert scores.shape == (1, 19, expected, expected)
    mean, std = 0.485, 0.229  # of ImageNet's red
    red = (1 - mean) / std
    blue = (0 - 0.406) / 0.225
    assert scores[0, 1, 0, 0] == pytest.approx(4 * red - 4 * blue - 1, rel=1e-5)
    half = load_parser(os.fspath(by_colour(tmp_path / "half.onnx", 19, size, half=True)))
    assert half.run(rgb).dtype == np.float32


@pytest.mark.torch
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"reads": ["n", 3, 64, 96]}, "reads float .*, not float"),
        ({"reads": ["n", 64, 64, 3]}, "reads float"),
        ({"labels": True}, "first output is no scores"),
        ({"classes": 1}, "first output is no scores"),
    ],
)
def test_an_onnx_that_is_no_face_parser(tmp_path: Path, options: dict, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        load_parser(os.fspath(by_colour(tmp_path / "a.onnx", **options)))
    assert "\n" not in str(caught.value)
