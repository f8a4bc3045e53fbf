"""A parser: crop of a head in, class scores out. The embedded network, one known by name, or one from a file."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from faceparse_core import zoo
from faceparse_core.cache import whole_file
from faceparse_core.classes import BESIDE, OUR_CLASSES, Classes, classes_beside, known_parts, named_classes, to_parts
from faceparse_core.errors import BrokenModelError, ModelError, printable
from faceparse_core.heads import CELEBA_SIDE
from faceparse_core.models import folder as MODELS
from faceparse_core.parts import PARTS, STANDARD, PartTable

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from faceparse_core.checkpoints import Network
    from faceparse_core.download import Progress

#: Mean and standard deviation of ImageNet's RGB, as torchvision publishes them: what the published BiSeNet expects.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_MEAN, _STD = (np.array(values, np.float32) * 255 for values in (MEAN, STD))

EMBEDDED = zoo.EMBEDDED  #: the name of the network that travels inside the package
_BATCH = {"cpu": 2, "cuda": 16}  #: crops at once, by device
_SIZE = 512  #: px: the square that face-parsing.PyTorch reads, and an .onnx that takes any size is fed


@dataclass(frozen=True)
class ModelInfo:
    """Which weights spoke: written into every SVG, so that a picture can be made again."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Parser:
    """`run` takes float32 RGB 0..255 (n, 3, size, size), n crops; float32 scores by part (n, parts, h, w), h = w.

    Which part a plane of the scores is says `parts.BY_PLANE`.
    """

    info: ModelInfo
    size: int  #: px, side of the square that the network reads
    frame: float  #: side of the crop in face heights that the network reads best
    run: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    batch: int = 2  #: crops at once, where there are many: on the CPU more take memory and no less time
    parts: frozenset[int] = frozenset(range(1, len(PARTS)))  #: ids of the parts that it can find
    table: PartTable = STANDARD  #: with those that are its own


def load_parser(
    name_or_path: str = EMBEDDED,
    threads: int = 0,
    *,
    device: str = "cpu",
    classes: Classes | None = None,
    progress: Progress | None = None,
) -> Parser:
    """The embedded parser, one that is known by name (`zoo.KNOWN`), or one from a file: .onnx, .pth or .pt.

    A known model is downloaded on first use. A checkpoint needs the `torch` extra once: it is converted to .onnx and
    kept in the cache; see `checkpoints` for those that are understood. An .onnx that says nothing of itself is taken
    for a BiSeNet as the field exports it: RGB with ImageNet's mean and deviation, 512 px where it takes any size.

    threads   of ONNX Runtime, 0 = one per core
    device    cpu or cuda
    classes   what the network's classes stand for; None: what NAME.parts.json says that lies beside the file NAME.onnx,
              or else they are those of face-parsing.PyTorch
    progress  told of a download: bytes so far, bytes in all

    Raises ModelError when there is no such model, or it is not a face parser, or no such device.
    """
    if device not in _BATCH:
        raise ModelError(f"device is {' or '.join(_BATCH)}, not {printable(device)!r}")
    if name_or_path == EMBEDDED:
        data = (MODELS / "parser.onnx").read_bytes()
        return _from_onnx(ModelInfo(EMBEDDED, _sha256(data)), data, threads, device, classes)
    path, sha256 = Path(name_or_path), None
    if path.suffix:
        name = printable(path.name)
        classes = classes or classes_beside(path)
    else:
        name = name_or_path
        if device == "cuda" and name in zoo.KNOWN and zoo.can_convert() and zoo.present(zoo.KNOWN[name]) is None:
            _check_cuda()  # before a checkpoint is downloaded for it
        path = zoo.get(name, progress)
        sha256 = zoo.known_sha256(path)
    kind = path.suffix.lower()
    if kind == ".caffemodel":
        raise ModelError(f"{printable(os.fspath(path))}: convert it first, with: faceparse-svg models convert FILE")
    if kind not in zoo.CHECKPOINTS | {".onnx"}:
        raise ModelError(f"{printable(os.fspath(path))}: no model by its name; give an .onnx, .pth or .pt file")
    if kind in zoo.CHECKPOINTS:
        return _from_checkpoint(ModelInfo(name, sha256 or zoo.verified(path)), path, threads, device, classes)
    return _from_onnx(ModelInfo(name, zoo.verified(path)), path, threads, device, classes)


# .onnx ----------------------------------------------------------------------------------------------------------------


def _from_onnx(info: ModelInfo, source: Path | bytes, threads: int, device: str, classes: Classes | None) -> Parser:
    from faceparse_core.onnx_session import load_session

    session = load_session(source, threads, device)
    if len(session.get_inputs()) != 1:
        raise ModelError(f"{info.name}: a face parser has one input, this network has {len(session.get_inputs())}")
    entry = session.get_inputs()[0]
    size, dtype = _reads(info.name, entry)
    at_once = entry.shape[0] if isinstance(entry.shape[0], int) else None  # many are exported for one crop at a time
    out, count = _answers(info.name, session)
    meta = session.get_modelmeta().custom_metadata_map
    ours = {"faceparse.size", "faceparse.frame"} <= meta.keys()
    if classes is None and "faceparse.classes" in meta:
        classes = named_classes(meta["faceparse.classes"].split(), info.name)

    def scores(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
        ready = (rgb if ours else _normalise(rgb)).astype(dtype, copy=False)
        try:
            answers = [session.run([out], {entry.name: crops})[0] for crops in pieces(_filled(ready, at_once), at_once)]
            answer = np.asarray(np.concatenate(answers)[: len(ready)], np.float32)
        except Exception as error:  # ONNX Runtime's own errors share no base but Exception
            if "bad_alloc" in str(error):
                raise MemoryError from error
            raise ModelError(f"{info.name}: not a face parser ({str(error).splitlines()[0]})") from error
        if answer.ndim != 4 or answer.shape[2] != answer.shape[3]:
            raise ModelError(
                f"{info.name}: not a face parser, its output has the shape {answer.shape}, not (n, classes, h, h)"
            )
        return _checked_scores(info.name, answer)

    if ours:
        size, count = int(meta["faceparse.size"]), int(meta.get("faceparse.count", count or 0))
    if not count:
        count = scores(np.zeros((at_once or 1, 3, size, size), np.float32)).shape[1]
    known = _checked_classes(info.name, classes, count)

    def run(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
        return to_parts(scores(rgb), known.meanings)

    frame = float(meta["faceparse.frame"]) if ours else CELEBA_SIDE
    batch = max(_BATCH[device], at_once or 0)
    return Parser(info, size, frame, run, batch, known_parts(known.meanings), known.table)


def _reads(name: str, entry: Any) -> tuple[int, Any]:
    """(size in px, numpy's type) of what a network reads. Raises ModelError where that are no square pictures."""
    types = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
    shape = [side if isinstance(side, int) else None for side in entry.shape]  # a name stands for any number
    good = len(shape) == 4 and shape[0] != 0 and shape[1] in (None, 3) and shape[2] == shape[3]
    if not good or entry.type not in types:
        kind = entry.type.removeprefix("tensor(").removesuffix(")")
        raise ModelError(f"{name}: not a face parser, it reads {kind} {entry.shape}, not float (1, 3, size, size)")
    return shape[2] or _SIZE, types[entry.type]


def _answers(name: str, session: InferenceSession) -> tuple[str, int | None]:
    """(output, classes where that is known) of a network: the first output that holds scores. Raises ModelError."""
    for output in session.get_outputs():
        if len(output.shape) == 4 and output.shape[1] != 1 and "float" in output.type:
            return output.name, output.shape[1] if isinstance(output.shape[1], int) else None
        break  # whatever else it answers: the scores come first
    shapes = ", ".join(f"{output.type} {output.shape}" for output in session.get_outputs())
    raise ModelError(f"{name}: not a face parser, its first output is no scores (1, classes, h, w): {shapes}")


# checkpoints ----------------------------------------------------------------------------------------------------------


def _from_checkpoint(info: ModelInfo, path: Path, threads: int, device: str, classes: Classes | None) -> Parser:
    if device == "cuda":
        return _in_torch(info, _network(path), device, classes)
    converted = zoo.conversion(info.sha256)
    if converted.is_file():
        with contextlib.suppress(BrokenModelError):  # made anew
            return _from_onnx(info, converted, threads, device, classes)
    network = _network(path)
    _checked_classes(info.name, classes or _meanings_of(network), network.classes)
    from faceparse_core.checkpoints import write_converted

    try:
        converted.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(converted) as temporary:
            write_converted(network, temporary)
    except (OSError, ImportError):  # no room for it, or no onnx: torch is slower, and says the same
        return _in_torch(info, network, device, classes)
    return _from_onnx(info, converted, threads, device, classes)


def _network(path: Path) -> Network:
    zoo.verified(path)
    try:
        from faceparse_core.checkpoints import read_checkpoint, read_weights
    except ImportError as error:
        raise ModelError(f"{printable(os.fspath(path))}: weights need torch; {zoo.INSTALL_TORCH}") from error
    return read_checkpoint(printable(os.fspath(path)), read_weights(path))


def _meanings_of(network: Network) -> Classes | None:
    """What a checkpoint's classes stand for where its kind says it."""
    return None if network.meanings is None else Classes(network.meanings)


def _check_cuda() -> None:
    """Raises ModelError where torch has no GPU to run on."""
    import torch

    if not torch.cuda.is_available():
        raise ModelError("torch finds no CUDA device here; leave --device out, or install torch's CUDA build")


def _in_torch(info: ModelInfo, network: Network, device: str, classes: Classes | None) -> Parser:
    import torch

    if device == "cuda":
        _check_cuda()
    known = _checked_classes(info.name, classes or _meanings_of(network), network.classes)
    module = network.module.to(device)

    def run(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            scores = module(torch.from_numpy(np.ascontiguousarray(rgb)).to(device)).cpu().numpy()
        return to_parts(_checked_scores(info.name, scores), known.meanings)

    return Parser(info, network.size, network.frame, run, _BATCH[device], known_parts(known.meanings), known.table)


# both -----------------------------------------------------------------------------------------------------------------


def _checked_scores(name: str, scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """The scores (n, classes, h, w), of which some are looked at. Raises ModelError where they are no numbers."""
    if not np.isfinite(scores[:, :, ::16, ::16]).all():
        raise ModelError(f"{name}: gives scores that are no numbers, its weights are damaged; fetch or export it again")
    return scores


def _normalise(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    out: NDArray[np.float32] = (rgb - _MEAN[:, None, None]) / _STD[:, None, None]
    return out


def _filled(crops: NDArray[Any], at_once: int | None) -> NDArray[Any]:
    """`crops` (n, ..), and black ones until they can be taken `at_once` at a time."""
    lacking = -len(crops) % at_once if at_once else 0
    return np.concatenate([crops, np.zeros((lacking, *crops.shape[1:]), crops.dtype)]) if lacking else crops


def pieces(crops: NDArray[Any], at_once: int | None) -> list[NDArray[Any]]:
    """`crops` (n, ..) in pieces of `at_once`, or whole."""
    step = at_once or max(1, len(crops))
    return [crops[first : first + step] for first in range(0, len(crops), step)]


def _checked_classes(name: str, classes: Classes | None, count: int) -> Classes:
    """What the `count` classes of a network stand for. Raises ModelError where nobody says so."""
    if classes is None and count not in OUR_CLASSES:
        raise ModelError(
            f"{name}: its {count} classes are not the 19 of face-parsing.PyTorch; name the part that each stands for, "
            f"or background, one a line, in a file for --classes, or in {Path(name).stem}{BESIDE} beside it"
        )
    if classes is None:
        return Classes(OUR_CLASSES[count])
    if len(classes.meanings) != count:
        raise ModelError(
            f"{name}: has {count} classes, and the class map names {len(classes.meanings)}; it must name each once"
        )
    return classes


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
