"""Other people's checkpoints: the same scores as an independent reference, and what is none of them."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from faceparse_core.cache import sha256_of
from faceparse_core.classes import Classes
from faceparse_core.errors import ModelError
from faceparse_core.parser import load_parser
from faceparse_core.zoo import conversion

pytestmark = pytest.mark.torch

THIN = 8  # an eighth of the channels: every name, a sixty-fourth of the work


@pytest.fixture(scope="module")
def rgb() -> np.ndarray:
    """Noise at several scales: (1, 3, 512, 512), 0..255."""
    random = np.random.default_rng(0)
    out = sum(np.kron(random.uniform(0, 1, (3, 512 // k, 512 // k)), np.ones((1, k, k))) for k in (1, 4, 16, 64))
    return (out * 255 / out.max())[None].astype(np.float32)


def saved(path: Path, holds: object, **options: object) -> Path:
    import torch

    torch.save(holds, path, **options)
    return path


def thin_bisenet(**options: object) -> dict:
    from published_networks import bisenet_shapes, random_weights

    return random_weights(bisenet_shapes(thin=THIN, **options))


def expected(weights: dict, rgb: np.ndarray) -> np.ndarray:
    import torch
    from published_networks import bisenet

    with torch.inference_mode():
        return bisenet(weights, torch.from_numpy(rgb)).numpy()


@pytest.mark.parametrize("blocks", [(2, 2, 2, 2), (3, 4, 6, 3)], ids=["resnet18", "resnet34"])
def test_the_published_bisenet_in_its_true_layout(tmp_path, rgb, blocks):
    """First converted, then from the cache, then in torch: all as the reference says."""
    from published_networks import bisenet_shapes, random_weights

    weights = random_weights(bisenet_shapes(blocks))
    if blocks == (2, 2, 2, 2):  # as the published file was saved, years ago
        assert len(weights) == 191
        path = saved(tmp_path / "79999_iter.pth", OrderedDict(weights), _use_new_zipfile_serialization=False)
        assert 53e6 < path.stat().st_size < 54e6
    else:
        path = saved(tmp_path / "resnet34.pt", weights)
    reference = expected(weights, rgb)
    assert 0.5 < reference.std() < 20  # as large as scores are: the tolerance means something
    first = load_parser(os.fspath(path))
    assert first.size == 512
    assert first.info.sha256 == sha256_of(path)
    assert conversion(first.info.sha256).is_file()
    again = load_parser(os.fspath(path))
    assert np.abs(first.run(rgb) - reference).max() < 1e-4
    assert (again.run(rgb) == first.run(rgb)).all()


def test_in_torch_the_scores_are_the_same(tmp_path, rgb, monkeypatch):
    """Where the cache cannot be written to, and as --device cuda runs it."""
    weights = thin_bisenet()
    path = saved(tmp_path / "a.pth", weights)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("faceparse_core.checkpoints.write_converted", full)
    parser = load_parser(os.fspath(path))
    assert not conversion(parser.info.sha256).exists()
    assert np.abs(parser.run(rgb) - expected(weights, rgb)).max() < 1e-4


def test_any_container_of_the_weights(tmp_path, rgb):
    from published_networks import yakhyo_names

    weights = thin_bisenet()
    reference = expected(weights, rgb)
    behind = {f"module.{key}": value for key, value in weights.items()}
    no_heads = {key: value for key, value in weights.items() if not key.startswith(("conv_out16", "conv_out32"))}
    no_counts = {key: value for key, value in weights.items() if not key.endswith("num_batches_tracked")}
    ways = {
        "module": behind,
        "wrapped": {"epoch": 3, "state_dict": weights, "optimizer": {"state": {}, "lr": 0.1}},
        "both": {"model": {"net": behind}},
        "yakhyo": yakhyo_names(weights),
        "no auxiliary heads": no_heads,
        "no counts": no_counts,
        "half": {key: value.half() if value.is_floating_point() else value for key, value in weights.items()},
    }
    for name, holds in ways.items():
        path = saved(tmp_path / f"{name}.pth", holds)
        off = np.abs(load_parser(os.fspath(path)).run(rgb) - reference).max()
        assert off < (0.2 if name == "half" else 1e-4), name


def test_a_broken_conversion_is_made_again(tmp_path, rgb):
    path = saved(tmp_path / "a.pth", thin_bisenet())
    first = load_parser(os.fspath(path))
    converted = conversion(first.info.sha256)
    converted.write_bytes(converted.read_bytes()[:1000])
    assert (load_parser(os.fspath(path)).run(rgb) == first.run(rgb)).all()
    assert [file.name for file in converted.parent.iterdir()] == [converted.name]


def test_other_classes_want_a_class_map(tmp_path, rgb):
    path = saved(tmp_path / "eleven.pth", thin_bisenet(classes=11))
    with pytest.raises(ModelError, match=r"11 classes .* --classes"):
        load_parser(os.fspath(path))
    parser = load_parser(os.fspath(path), classes=Classes(((0,), (1,), (17,)) + ((0,),) * 8))
    assert parser.parts == {1, 17}
    assert parser.run(rgb).shape == (1, 18, 512, 512)


def test_cuda_is_asked_for_in_vain(tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    path = saved(tmp_path / "a.pth", thin_bisenet())
    with pytest.raises(ModelError, match="no CUDA device"):
        load_parser(os.fspath(path), device="cuda")
    with pytest.raises(ModelError, match="no CUDA device"):
        load_parser(device="cuda")
    with pytest.raises(ModelError, match="no CUDA device"):
        load_parser("bisenet", device="cuda")  # not after a download
    with pytest.raises(ModelError, match="cpu or cuda, not 'tpu'"):
        load_parser(device="tpu")


# FCN-8s ---------------------------------------------------------------------------------------------------------------


def face_probability(weights: dict, rgb: np.ndarray) -> np.ndarray:
    import torch
    from published_networks import fcn8s

    with torch.inference_mode():
        return fcn8s(weights, torch.from_numpy(rgb)).numpy()


def softmax(scores: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(scores[0] - scores[1]))


def test_fcn8s_in_its_true_layout(rgb):
    import torch
    from published_networks import fcn8s_shapes, random_weights

    from faceparse_core.checkpoints import read_checkpoint

    weights = random_weights(fcn8s_shapes())
    assert sum(value.numel() for value in weights.values()) == 134_490_527  # 538 MB
    picture = rgb[:, :, :500, :500]
    network = read_checkpoint("random", weights)
    assert network.name == "fcn8s"
    with torch.inference_mode():
        scores = network.module(torch.from_numpy(picture))[0].numpy()
    probability = face_probability(weights, picture[0])
    assert probability.std() > 0.05
    assert np.abs(softmax(scores) - probability).max() < 1e-4


@pytest.mark.parametrize("size", [500, 493])
def test_fcn8s_answers_for_the_face_alone(tmp_path, rgb, size):
    from published_networks import fcn8s_shapes, random_weights

    weights = random_weights(fcn8s_shapes(thin=THIN))
    parser = load_parser(os.fspath(saved(tmp_path / "face.pth", weights)))
    assert parser.size == 500
    assert parser.parts == {1}
    picture = rgb[:, :, :size, :size]
    (scores,) = parser.run(picture)
    assert scores.shape == (2, size, size)
    assert np.abs(softmax(scores) - face_probability(weights, picture[0])).max() < 1e-4


def test_an_even_picture_is_no_division_by_zero():
    import torch

    from faceparse_core.fcn8s import stretch

    assert (stretch(torch.full((2, 3, 4, 4), 77.0)) == 0).all()
    ramp = torch.linspace(50, 60, 48).reshape(1, 3, 4, 4)
    assert stretch(ramp).min() == 0
    assert stretch(ramp).max() == pytest.approx(255)


# what is none of them -------------------------------------------------------------------------------------------------


class Harmful:
    def __reduce__(self) -> tuple:
        return os.mkdir, ("harm-was-done",)


def as_bytes(holds: object, **options: object) -> bytes:
    import torch

    stream = io.BytesIO()
    torch.save(holds, stream, **options)
    return stream.getvalue()


@pytest.mark.parametrize("way", ["zip", "legacy", "bare", "bare old"])
def test_code_in_a_checkpoint_is_never_run(tmp_path, monkeypatch, way):
    monkeypatch.chdir(tmp_path)
    holds = {"state_dict": {}, "args": Harmful()}
    content = {
        "zip": lambda: as_bytes(holds),
        "legacy": lambda: as_bytes(holds, _use_new_zipfile_serialization=False),
        "bare": lambda: pickle.dumps(holds),
        "bare old": lambda: pickle.dumps(holds, protocol=0),
    }[way]()
    Path("bad.pth").write_bytes(content)
    with pytest.raises(ModelError, match=r"bad\.pth: holds .*not loaded") as caught:
        load_parser("bad.pth")
    assert "\n" not in str(caught.value)
    assert not Path("harm-was-done").exists()


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_a_checkpoint_that_was_cut_off(tmp_path, legacy, share):
    whole = as_bytes(thin_bisenet(), _use_new_zipfile_serialization=not legacy)
    path = tmp_path / "cut.pth"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ModelError, match=r"cut\.pth: .*cut off"):
        load_parser(os.fspath(path))


def test_another_network_says_what_is_missing(tmp_path):
    import torch

    def refused(holds: object) -> str:
        with pytest.raises(ModelError) as caught:
            load_parser(os.fspath(saved(tmp_path / "other.pth", holds)))
        said = str(caught.value)
        assert "\n" not in said
        return said

    weights = thin_bisenet()
    del weights["ffm.conv1.weight"], weights["cp.resnet.layer4.1.bn2.bias"]
    said = refused(weights)
    assert "2 of its weights are missing (cp.resnet.layer4.1.bn2.bias, ffm.conv1.weight)" in said
    assert "BiSeNet of face-parsing.PyTorch" in said
    assert "FCN-8s" in said
    assert "are missing (" in refused(torch.nn.Sequential(torch.nn.Linear(2, 2)).state_dict())
    assert "1 weights too many (conv_out.stem.weight)" in refused(
        thin_bisenet() | {"conv_out.stem.weight": torch.zeros(1)}
    )
    assert "another size (ffm.conv2.weight is (1,)" in refused(thin_bisenet() | {"ffm.conv2.weight": torch.zeros(1)})
    assert "holds no state dict" in refused({"epoch": 3})
    assert "holds no state dict" in refused([torch.zeros(3)])
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), tmp_path / "script.pt")
    with pytest.raises(ModelError, match="TorchScript"):
        load_parser(os.fspath(tmp_path / "script.pt"))


# Caffe ----------------------------------------------------------------------------------------------------------------


def caffemodel(weights: dict, old: bool = False) -> bytes:
    """A network of Caffe's with these weights, and with layers that have none; `old` as Caffe wrote until 2014."""
    from faceparse_core.caffe import caffe_message

    net = caffe_message("NetParameter")
    net.name = "face_seg_fcn8s"
    layers = net.layers if old else net.layer
    layers.add(name="data")
    by_layer: dict = {}
    for key, value in weights.items():
        name, kind = key.rsplit(".", 1)
        by_layer.setdefault(name, {})[kind] = value
    for name, kinds in by_layer.items():
        layer = layers.add(name=name)
        layers.add(name=f"relu_{name}")
        for kind in ("weight", "bias"):
            if kind not in kinds:
                continue
            value = kinds[kind].numpy()
            blob = layer.blobs.add()
            blob.data.extend(value.ravel().tolist())
            if old:
                blob.num, blob.channels, blob.height, blob.width = (1,) * (4 - value.ndim) + value.shape
            else:
                blob.shape.dim.extend(value.shape)
    return net.SerializeToString()


def test_the_schema_is_caffes(tmp_path):
    """Bytes as Caffe's own proto writes them: layer 100 with name 1, blobs 7; packed data 5; shape 7 with dims 1."""
    from faceparse_core.caffe import read_caffemodel

    blob = b"\x2a\x08" + np.array([1.5, -2], "<f4").tobytes() + b"\x3a\x04\x0a\x02\x02\x01"
    layer = b"\x0a\x01a" + b"\x12\x04Conv" + b"\x3a" + bytes([len(blob)]) + blob
    data = b"\x0a\x03net" + b"\xa2\x06" + bytes([len(layer)]) + layer
    unpacked = b"\x08\x01\x10\x01\x18\x01\x20\x02" + b"\x2d" + data_of(3.0) + b"\x2d" + data_of(4.0)
    old = b"\x22\x01b" + b"\x32" + bytes([len(unpacked)]) + unpacked
    data += b"\x12" + bytes([len(old)]) + old
    path = tmp_path / "one.caffemodel"
    path.write_bytes(data)
    found = read_caffemodel(path)
    assert found["a.weight"].tolist() == [[1.5], [-2.0]]
    assert found["b.weight"].tolist() == [3.0, 4.0]


def data_of(value: float) -> bytes:
    return np.array([value], "<f4").tobytes()


@pytest.mark.parametrize("old", [False, True])
def test_a_caffemodel_becomes_a_checkpoint(tmp_path, rgb, old, capsys):
    from command import run
    from published_networks import fcn8s_shapes, random_weights

    weights = random_weights(fcn8s_shapes(thin=THIN))
    source = tmp_path / "face_seg_fcn8s.caffemodel"
    source.write_bytes(caffemodel(weights, old))
    assert run("models", "convert", source) == 0
    assert capsys.readouterr().out == f"wrote {tmp_path / 'face_seg_fcn8s.pth'}\n"
    picture = rgb[:, :, :500, :500]
    reference = face_probability(weights, picture[0])
    parser = load_parser(os.fspath(tmp_path / "face_seg_fcn8s.pth"))
    assert np.abs(softmax(parser.run(picture)[0]) - reference).max() < 1e-4
    assert run("models", "convert", source) == 1
    assert "exists already" in capsys.readouterr().err
    assert run("models", "convert", source, "-o", tmp_path / "face.onnx") == 0
    assert (load_parser(os.fspath(tmp_path / "face.onnx")).run(picture) == parser.run(picture)).all()


def test_fcn8s_by_name_from_a_file_that_the_user_has(tmp_path, rgb, capsys):
    from command import run
    from published_networks import fcn8s_shapes, random_weights

    source = tmp_path / "face_seg_fcn8s.caffemodel"
    source.write_bytes(caffemodel(random_weights(fcn8s_shapes(thin=THIN))))
    with pytest.raises(ModelError, match=r"models get fcn8s --from face_seg_fcn8s\.caffemodel"):
        load_parser("fcn8s")
    assert run("models", "get", "fcn8s", "--from", source) == 0
    parser = load_parser("fcn8s")
    assert parser.info.name == "fcn8s"
    assert load_parser("fcn8s").run(rgb[:, :, :500, :500]).shape == (1, 2, 500, 500)
    assert run("models", "remove", "fcn8s") == 0
    out = capsys.readouterr().out
    assert out.count("deleted") == 2  # the checkpoint and its conversion
    saved(tmp_path / "bisenet.pth", thin_bisenet())
    assert run("models", "get", "fcn8s", "--from", tmp_path / "bisenet.pth") == 1
    assert "no fcn8s" in capsys.readouterr().err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no disk that is always full here")
def test_a_full_disk_is_told_as_such():
    import errno

    from faceparse_core.checkpoints import write_checkpoint

    with pytest.raises(OSError, match="No space left") as caught:
        write_checkpoint(thin_bisenet(), Path("/dev/full"))
    assert caught.value.errno == errno.ENOSPC


def test_a_checkpoint_in_capitals(tmp_path, rgb):
    path, weights = tmp_path / "R18.PTH", thin_bisenet()
    saved(path, weights)
    assert np.abs(load_parser(os.fspath(path)).run(rgb) - expected(weights, rgb)).max() < 1e-4


@pytest.mark.parametrize("content", [b"", b"<html>quota</html>", bytes(range(256)) * 9])
def test_what_is_no_caffemodel(tmp_path, capsys, content):
    from command import one_line, run

    source = tmp_path / "bad.caffemodel"
    source.write_bytes(content)
    assert run("models", "convert", source) == 1
    assert "bad.caffemodel" in one_line(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.caffemodel"]


def test_a_caffemodel_that_was_cut_off(tmp_path, capsys):
    from command import one_line, run
    from published_networks import fcn8s_shapes, random_weights

    whole = caffemodel(random_weights(fcn8s_shapes(thin=32)))
    source = tmp_path / "cut.caffemodel"
    for share in (0.3, 0.999):
        source.write_bytes(whole[: int(share * len(whole))])
        assert run("models", "convert", source) == 1
        assert "cut.caffemodel" in one_line(capsys)


def test_without_torch_a_checkpoint_says_what_to_install(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.pth", thin_bisenet())
    real = __import__

    def none(name: str, *arguments: object, **options: object) -> object:
        if name == "torch" or name.startswith("faceparse_core.checkpoints"):
            raise ImportError("No module named 'torch'")
        return real(name, *arguments, **options)

    monkeypatch.setattr("builtins.__import__", none)
    with pytest.raises(ModelError, match=r"pip install '\.\[torch\]'"):
        load_parser(os.fspath(path))


def test_by_name_from_download_to_scores(tmp_path, rgb, monkeypatch):
    """Fetched, checked, converted; afterwards neither a network nor the checkpoint is asked for."""
    import dataclasses

    from file_server import serve

    from faceparse_core import zoo

    weights = thin_bisenet()
    content = as_bytes(OrderedDict(weights), _use_new_zipfile_serialization=False)
    sha256 = hashlib.sha256(content).hexdigest()
    with serve(content) as server:
        file = zoo.ModelFile("79999_iter.pth", 1, sha256, (server.url,))
        monkeypatch.setitem(zoo.KNOWN, "bisenet", dataclasses.replace(zoo.KNOWN["bisenet"], files=(file,)))
        parser = load_parser("bisenet")
    assert (parser.info.name, parser.info.sha256) == ("bisenet", sha256)
    scores = parser.run(rgb)
    assert np.abs(scores - expected(weights, rgb)).max() < 1e-4
    assert (load_parser("bisenet").run(rgb) == scores).all()
    zoo.place(file).write_bytes(content[:-1])
    assert (load_parser("bisenet").run(rgb) == scores).all()
    conversion(sha256).unlink()
    with pytest.raises(ModelError, match=r"79999_iter\.pth: damaged in the cache .*deleted"):
        load_parser("bisenet")
    with pytest.raises(ModelError, match=r"could not be downloaded .*models get bisenet --from"):
        load_parser("bisenet")
