"""Other people's checkpoints -> networks that run: told by their weights' names and shapes. Needs the `torch` extra.

Known are BiSeNet in the layout of face-parsing.PyTorch, with ResNet-18 or ResNet-34, also as yakhyo/face-parsing names
its weights, and FCN-8s in the layout of face_segmentation_pytorch. Each computes what its authors' code computes:
BiSeNet takes RGB with ImageNet's mean and deviation and enlarges its scores bilinearly with aligned corners; FCN-8s
takes BGR, stretched to 0..255, less its mean, and answers for the face alone. (face_segmentation_pytorch computes that
stretch and throws it away: of a picture that does not span 0..255 its scores are a little others.)
"""

from __future__ import annotations

import os
import pickle
import pickletools
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceparse_core.bisenet import BiSeNet, blocks_of
from faceparse_core.cache import cannot_read
from faceparse_core.classes import ClassMap
from faceparse_core.errors import ModelError, printable
from faceparse_core.fcn8s import MEAN_BGR, FCN8s, face_scores, stretch
from faceparse_core.heads import CELEBA_SIDE
from faceparse_core.parser import MEAN, STD
from faceparse_core.parts import BACKGROUND, HEAD, PARTS

Weights = Mapping[str, Tensor]

_KNOWN = (
    "BiSeNet of face-parsing.PyTorch with ResNet-18 or ResNet-34, and FCN-8s of face_segmentation_pytorch, are known"
)
_WRAPPERS = ("module.", "model.", "net.", "network.", "_orig_mod.")  # what containers put before every name
#: yakhyo/face-parsing's names -> face-parsing.PyTorch's, in this order.
_YAKHYO = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"^fpn\.", "cp."),
        (r"^cp\.backbone\.", "cp.resnet."),
        (r"\.norm\.", ".bn."),
        (r"^(cp\.arm\d+)\.conv_block\.", r"\1.conv."),
        (r"^(cp\.arm\d+)\.attention\.0\.", r"\1.conv_atten."),
        (r"^(cp\.arm\d+)\.attention\.1\.", r"\1.bn_atten."),
        (r"^ffm\.conv_block\.", "ffm.convblk."),
        (r"^(conv_out\d*)\.conv\.", r"\1.conv_out."),
        (r"^(conv_out\d*)\.conv_block\.", r"\1.conv."),
    )
)
#: ImageNet's classifier, which a backbone may still carry; and how often a batch norm was trained.
_UNUSED = re.compile(r"^cp\.resnet\.fc\.|\.num_batches_tracked$")
_AUXILIARY = re.compile(r"^conv_out(16|32)\.")  # heads that only training needs

FCN8S_SIZE = 500  #: px, the square that FCN-8s was trained on
#: Side of the crop for FCN-8s in face heights: ours, for its authors give it portraits, hair and shoulders and all.
FCN8S_FRAME = 2.0
_FACE_OR_NOT: ClassMap = ((BACKGROUND,), (HEAD,))


@dataclass(frozen=True)
class Network:
    """What a checkpoint holds, in evaluation mode."""

    name: str  #: as in `--model`
    module: nn.Module = field(repr=False)  #: RGB 0..255, float32 (n, 3, h, w), to scores (n, classes, h, w)
    classes: int
    meanings: ClassMap | None  #: what they stand for; None: that is to be told by their number
    size: int  #: px, the square that it was trained on
    frame: float  #: side of that square in face heights


class PublishedBiSeNet(nn.Module):
    """The published network from pixels to scores at their size."""

    def __init__(self, network: BiSeNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, rgb: Tensor) -> Tensor:
        mean, std = (torch.tensor(values, device=rgb.device)[:, None, None] for values in (MEAN, STD))
        scores = self.network((rgb / 255 - mean) / std)
        return F.interpolate(scores, size=rgb.shape[2:], mode="bilinear", align_corners=True)


class PublishedFCN8s(nn.Module):
    """The same for FCN-8s; the scores are the background's and the face's."""

    def __init__(self, network: FCN8s) -> None:
        super().__init__()
        self.network = network

    def forward(self, rgb: Tensor) -> Tensor:
        mean = torch.tensor(MEAN_BGR, device=rgb.device)[:, None, None]
        return face_scores(self.network(stretch(rgb).flip(1) - mean))


def read_weights(path: Path) -> Weights:
    """The weights in a .pth, .pt or .caffemodel by the names of face-parsing.PyTorch or face_segmentation_pytorch.

    A .pth holds a state dict, as it is or inside other dicts. Raises ModelError where it holds code, or none.
    """
    if path.suffix.lower() == ".caffemodel":
        from faceparse_core.caffe import read_caffemodel

        return {name: torch.from_numpy(values) for name, values in read_caffemodel(path).items()}
    shown = printable(os.fspath(path))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is wrong with a file is said once, below
            holds: Any = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise cannot_read(path, error) from error
    except Exception as error:  # a pickle can fail in any way
        raise ModelError(f"{shown}: {_why_not(error, path)}") from error
    found = max(_tensor_dicts(holds), key=len, default=None)
    if not found:
        raise ModelError(f"{shown}: holds no state dict; save one with torch.save(model.state_dict(), ..)")
    return _named_as_published(found)


def read_checkpoint(shown: str, weights: Weights, wanted: str | None = None) -> Network:
    """The network that has these weights.

    shown   the file's name in messages
    wanted  the network that it must be: `bisenet` or `fcn8s`

    Raises ModelError where it is none of the known ones: the message says what is missing.
    """
    # Whichever network's names it has more of is the one that was meant.
    ways: dict[str, Callable[[Weights], BiSeNet | FCN8s]] = {"bisenet": _bisenet, "fcn8s": _fcn8s}
    share = {name: _share(weights, way(weights)) for name, way in ways.items()}
    name = wanted or max(share, key=lambda name: share[name])
    network = ways[name](weights)
    expected = {key: value.shape for key, value in network.state_dict().items() if not _UNUSED.search(key)}
    own = {key: value for key, value in weights.items() if not _UNUSED.search(key)}
    if not any(_AUXILIARY.match(key) for key in own):
        expected = {key: shape for key, shape in expected.items() if not _AUXILIARY.match(key)}
    if lacking := expected.keys() - own.keys():
        raise ModelError(f"{shown}: no {name}, {len(lacking)} of its weights are missing ({_some(lacking)}); {_KNOWN}")
    if strange := own.keys() - expected.keys():
        raise ModelError(f"{shown}: no {name}, it has {len(strange)} weights too many ({_some(strange)}); {_KNOWN}")
    odd = sorted(key for key, shape in expected.items() if own[key].shape != shape)
    if odd:
        sizes = f"{tuple(own[odd[0]].shape)}, not {tuple(expected[odd[0]])}"
        raise ModelError(f"{shown}: no {name}, weights are of another size ({odd[0]} is {sizes}); {_KNOWN}")
    network.load_state_dict({key: own[key].float() for key in expected}, strict=False, assign=True)
    if isinstance(network, BiSeNet):
        del network.conv_out16, network.conv_out32
        classes = own["conv_out.conv_out.weight"].shape[0]
        return Network(name, PublishedBiSeNet(network).eval(), classes, None, 512, CELEBA_SIDE)
    return Network(name, PublishedFCN8s(network).eval(), 2, _FACE_OR_NOT, FCN8S_SIZE, FCN8S_FRAME)


def write_checkpoint(weights: Weights, path: Path) -> None:
    """Raises OSError where it cannot be written."""
    with open(path, "wb") as file:
        try:
            torch.save(dict(weights), file)
        except RuntimeError as error:  # torch's writer has no other; why the file took no more stands behind it
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise OSError(None, str(error).splitlines()[0]) from error


def write_converted(network: Network, path: Path) -> None:
    """The network as .onnx, float32, with what `load_parser` wants to know of it. Raises OSError."""
    from faceparse_core.training.export import write_onnx

    facts = {
        "faceparse.size": str(network.size),
        "faceparse.frame": str(network.frame),
        "faceparse.count": str(network.classes),
    }
    if network.meanings:
        facts["faceparse.classes"] = " ".join(PARTS[part].name for (part,) in network.meanings)
    write_onnx(network.module, path, network.size, ["scores"], facts, "full")


def _why_not(error: Exception, path: Path) -> str:
    """Why a file was not loaded. `weights_only` refuses whatever is not weights, and says so in many ways."""
    named = re.search(r"GLOBAL (\S+)", str(error))
    if isinstance(error, pickle.UnpicklingError) and (named or _builds_objects(path)):
        code = f"code ({printable(named[1])})" if named else "code"
        return (
            f"holds {code}, not weights alone, and is not loaded, for code can do anything; "
            "save the weights with torch.save(model.state_dict(), ..)"
        )
    if "TorchScript" in str(error):
        return "is a TorchScript archive; save its weights with torch.save(model.state_dict(), ..)"
    return "no checkpoint of torch, or one that was cut off; fetch it again"


def _builds_objects(path: Path) -> bool:
    """Whether a file is a pickle that makes more than numbers, words, lists and dicts. It is read, not run."""
    try:
        with open(path, "rb") as file:
            return any(code.name in ("GLOBAL", "STACK_GLOBAL", "INST") for code, _, _ in pickletools.genops(file))
    except Exception:  # no pickle: what it stumbles over may be anything
        return False


def _tensor_dicts(value: Any, depth: int = 3) -> Iterable[dict[str, Tensor]]:
    """The dicts of tensors in a dict, itself among them."""
    if not isinstance(value, Mapping) or not depth:
        return
    tensors = {key: entry for key, entry in value.items() if isinstance(key, str) and isinstance(entry, Tensor)}
    if tensors:
        yield tensors
    for entry in value.values():
        yield from _tensor_dicts(entry, depth - 1)


def _named_as_published(weights: Mapping[str, Tensor]) -> Weights:
    named = dict(weights)
    while prefix := next((p for p in _WRAPPERS if all(key.startswith(p) for key in named)), ""):
        named = {key.removeprefix(prefix): value for key, value in named.items()}
    if any(key.startswith("fpn.") for key in named):
        for pattern, name in _YAKHYO:
            named = {pattern.sub(name, key): value for key, value in named.items()}
    return named


def _bisenet(weights: Weights) -> BiSeNet:
    """BiSeNet of the width, depth and classes that the weights have, without values."""
    base, classes = _rows(weights, "cp.resnet.conv1.weight", 64), _rows(weights, "conv_out.conv_out.weight", 19)
    with torch.device("meta"):
        return BiSeNet(classes, base / 64, blocks=blocks_of(weights))


def _fcn8s(weights: Weights) -> FCN8s:
    rows = (("score_fr.weight", 21), ("conv1_1.weight", 64), ("fc6.weight", 4096))
    with torch.device("meta"):
        return FCN8s(*(_rows(weights, key, published) for key, published in rows))


def _rows(weights: Weights, key: str, published: int) -> int:
    return max(1, weights[key].shape[0]) if key in weights and weights[key].ndim else published


def _share(weights: Weights, network: nn.Module) -> float:
    """How much of the network's names the weights have, 0 to 1."""
    names = network.state_dict().keys()
    return len(names & weights.keys()) / len(names)


def _some(keys: Iterable[str]) -> str:
    first = sorted(keys)
    return printable(", ".join(first[:5])) + (", .." if len(first) > 5 else "")
