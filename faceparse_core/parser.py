"""A parser: crop of a head in, class scores out. The embedded network, any .onnx of that kind, or an original .pth."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceparse_core.errors import ModelError
from faceparse_core.heads import CELEBA_SIDE
from faceparse_core.models import folder as MODELS
from faceparse_core.parts import PARTS

EMBEDDED = "embedded"  #: the name of the network that travels inside the package

#: Mean and standard deviation of ImageNet's RGB, as torchvision publishes them: what the published BiSeNet expects.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_MEAN, _STD = (np.array(values, np.float32) * 255 for values in (MEAN, STD))


@dataclass(frozen=True)
class ModelInfo:
    """Which weights spoke: written into every SVG, so that a picture can be made again."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Parser:
    """`run` takes float32 RGB 0..255 (n, 3, size, size), n crops; float32 scores (n, classes, h, w), h = w <= size."""

    info: ModelInfo
    size: int  #: px, side of the square that the network reads
    frame: float  #: side of the crop in face heights that the network reads best
    run: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    batch: int = 2  #: crops at once, where there are many: on the CPU more take memory and no less time


def load_parser(name_or_path: str = EMBEDDED, threads: int = 0) -> Parser:
    """The embedded parser, or one from a file: .onnx, or .pth of face-parsing.PyTorch (needs the `torch` extra).

    threads    of ONNX Runtime, 0 = one per core

    Raises ModelError when there is no such model, or it is not a face parser.
    """
    if name_or_path == EMBEDDED:
        data = (MODELS / "parser.onnx").read_bytes()
        return _from_onnx(EMBEDDED, data, data, threads)
    path = Path(name_or_path)
    if not path.suffix:
        raise ModelError(f"no model is called {name_or_path!r}; use {EMBEDDED!r} or the path of an .onnx file")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: the model cannot be read ({error.strerror})") from error
    return (
        _from_checkpoint(path, data) if path.suffix in {".pth", ".pt"} else _from_onnx(path.name, path, data, threads)
    )


def _from_onnx(name: str, source: Path | bytes, data: bytes, threads: int) -> Parser:
    from faceparse_core.onnx_session import load_session

    session = load_session(source, threads)
    info = ModelInfo(name, hashlib.sha256(data).hexdigest())
    if len(session.get_inputs()) != 1:
        raise ModelError(f"{name}: a face parser has one input, this network has {len(session.get_inputs())}")
    entry, out = session.get_inputs()[0], session.get_outputs()[0].name
    meta = session.get_modelmeta().custom_metadata_map
    ours = {"faceparse.size", "faceparse.frame"} <= meta.keys()
    # A network that says nothing of itself is taken for a BiSeNet as the field exports it.
    height = entry.shape[2] if len(entry.shape) == 4 and isinstance(entry.shape[2], int) else 512
    size = int(meta["faceparse.size"]) if ours else height
    # Many are exported for one crop at a time.
    at_once = entry.shape[0] if entry.shape and isinstance(entry.shape[0], int) and entry.shape[0] > 0 else None

    def run(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
        ready = rgb if ours else _normalise(rgb)
        try:
            scores = [session.run([out], {entry.name: part})[0] for part in _pieces(ready, at_once)]
        except Exception as error:  # ONNX Runtime's own errors share no base but Exception
            raise ModelError(f"{name}: not a face parser ({str(error).splitlines()[0]})") from error
        return _checked(name, np.asarray(np.concatenate(scores), np.float32))

    return Parser(info, size, float(meta["faceparse.frame"]) if ours else CELEBA_SIDE, run)


def _from_checkpoint(path: Path, data: bytes) -> Parser:
    try:
        import torch

        from faceparse_core.bisenet import BiSeNet
    except ImportError as error:
        raise ModelError(
            f"{path}: .pth weights need torch; install it with: pip install 'faceparse-svg[torch]'"
        ) from error
    import io

    try:
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        network = BiSeNet(classes=19)
        network.load_state_dict(state)
    except Exception as error:  # a pickle can fail in any way
        raise ModelError(f"{path}: not a checkpoint of face-parsing.PyTorch ({str(error).splitlines()[0]})") from error
    network.eval()

    def run(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            scores = network(torch.from_numpy(_normalise(rgb)))
        return _checked(path.name, scores.numpy())

    return Parser(ModelInfo(path.name, hashlib.sha256(data).hexdigest()), 512, CELEBA_SIDE, run)


def _normalise(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    out: NDArray[np.float32] = (rgb - _MEAN[:, None, None]) / _STD[:, None, None]
    return out


def _pieces(crops: NDArray[np.float32], at_once: int | None) -> list[NDArray[np.float32]]:
    """`crops` (n, ..) in pieces of `at_once`, or whole."""
    step = at_once or max(1, len(crops))
    return [crops[first : first + step] for first in range(0, len(crops), step)]


def _checked(name: str, scores: NDArray[np.float32]) -> NDArray[np.float32]:
    if scores.ndim != 4 or not 19 <= scores.shape[1] <= len(PARTS) or scores.shape[2] != scores.shape[3]:
        raise ModelError(f"{name}: not a face parser, its output has the shape {scores.shape}, not (n, 19 or 20, h, h)")
    return scores
