"""Parsers: the embedded one, files, and what is no parser."""

from types import SimpleNamespace

import numpy as np
import pytest

from faceparse_core.errors import ModelError
from faceparse_core.parser import EMBEDDED, load_parser


def test_the_embedded_parser_speaks():
    parser = load_parser()
    scores = parser.run(np.zeros((1, 3, parser.size, parser.size), np.float32))[0]
    assert scores.shape[0] == 20
    assert scores.shape[1] == scores.shape[2] == parser.size // 4
    assert scores.dtype == np.float32
    assert parser.info.name == EMBEDDED
    assert len(parser.info.sha256) == 64


def test_the_same_input_gives_the_same_scores():
    rgb = np.random.default_rng(1).uniform(0, 255, (1, 3, 128, 128)).astype(np.float32)
    assert (load_parser().run(rgb) == load_parser().run(rgb)).all()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("nothing.onnx", None, "cannot be read"),
        ("empty.onnx", b"", "ONNX"),
        ("noise.onnx", bytes(range(256)) * 40, "ONNX"),
        ("weights.safetensors", b"", "give an .onnx, .pth or .pt file"),
    ],
)
def test_what_is_no_model_says_so(tmp_path, name, content, words):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=words) as caught:
        load_parser(str(path))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_name():
    with pytest.raises(ModelError, match="no model is called 'resnet'"):
        load_parser("resnet")


def test_a_network_that_is_no_parser_is_refused():
    from faceparse_core.models import folder as models

    with pytest.raises(ModelError, match="not a face parser"):
        load_parser(str(models / "heads.onnx")).run(np.zeros((1, 3, 256, 256), np.float32))


class Session:
    """A network of 19 classes, each of which answers with a corner of the picture."""

    def __init__(self, dimension):
        self.dimension = dimension
        self.seen = []

    def get_inputs(self):
        return [SimpleNamespace(name="x", shape=[self.dimension, 3, 8, 8], type="tensor(float)")]

    def get_outputs(self):
        return [SimpleNamespace(name="y", shape=["n", 19, 2, 2], type="tensor(float)")]

    def get_modelmeta(self):
        return SimpleNamespace(custom_metadata_map={"faceparse.size": "8", "faceparse.frame": "1.5"})

    def run(self, _, feed):
        self.seen.append(len(feed["x"]))
        return [np.repeat(feed["x"][:, :1, :2, :2], 19, axis=1)]


@pytest.mark.parametrize(("dimension", "expected"), [(1, [1, 1, 1]), ("n", [3]), (2, [2, 2]), (4, [4])])
def test_a_network_takes_as_many_crops_at_once_as_it_was_exported_for(tmp_path, monkeypatch, dimension, expected):
    session = Session(dimension)
    monkeypatch.setattr("faceparse_core.onnx_session.load_session", lambda *_: session)
    (tmp_path / "fixed.onnx").write_bytes(b"whatever")
    crops = np.arange(3, dtype=np.float32)[:, None, None, None] * np.ones((3, 3, 8, 8), np.float32)
    scores = load_parser(str(tmp_path / "fixed.onnx")).run(crops)
    assert scores.shape == (3, 19, 2, 2)
    assert scores[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert session.seen == expected


def test_scores_that_are_no_numbers_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr("faceparse_core.onnx_session.load_session", lambda *_: Session("n"))
    (tmp_path / "damaged.onnx").write_bytes(b"whatever")
    with pytest.raises(ModelError, match=r"damaged\.onnx: gives scores that are no numbers"):
        load_parser(str(tmp_path / "damaged.onnx")).run(np.full((1, 3, 8, 8), np.nan, np.float32))
