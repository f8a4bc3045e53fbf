"""Trained weights -> the .onnx that travels in the package, and back.

The batch norms are folded into the convolutions, the auxiliary heads left out, the normalisation put in front. The
weights can be stored as float16 or as int8 with a scale for each output channel: half or a quarter of the bytes. They
become float32 when the file is loaded, once, and all is computed in float32 at its speed.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from faceparse_core.bisenet import EMBEDDED, BiSeNet, DetailOutput, blocks_of
from faceparse_core.cache import cannot_read
from faceparse_core.classes import Classes
from faceparse_core.errors import ModelError
from faceparse_core.training.checkpoint import read_checkpoint
from faceparse_core.training.labels import growth, network_classes
from faceparse_core.training.stepper import normalise

Stored = Literal["full", "half", "int8"]  #: how weights lie in a file: float32, float16, int8 by output channel

_LAST = ("conv_out.conv_out.weight", "conv_out.conv_out.bias")  # of the layer that has a row a class
#: How far the score of a class that a network does not know yet lies below what all others amount to: a probability of
#: about 1 in 150. Much less would take the entropy's slope away, which is cut off at 1 in a million.
UNLIKELY = 5.0
_PAIRS = (("conv", "bn"), ("conv1", "bn1"), ("conv2", "bn2"), ("conv_atten", "bn_atten"), ("0", "1"))


class ParserNetwork(nn.Module):
    """What is exported: RGB 0..255, float32 (n, 3, h, w), to class scores (n, classes, h/4, w/4)."""

    def __init__(self, network: BiSeNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, rgb: Tensor) -> Tensor:
        scores: Tensor = self.network(normalise(rgb))
        return scores


def load_checkpoint(path: Path) -> BiSeNet:
    """The running mean of the weights of a training run, in evaluation mode. Raises ModelError."""
    checkpoint = read_checkpoint(path)
    network = BiSeNet(len(checkpoint.classes.meanings), checkpoint.settings.width, True, EMBEDDED)
    try:
        network.load_state_dict(checkpoint.average)
    except RuntimeError as error:
        why = str(error).splitlines()[0]
        raise ModelError(f"{path}: not a checkpoint of a parser's training run ({why})") from error
    return network.eval()


def fold(network: nn.Module) -> nn.Module:
    """Fold every batch norm into the convolution before it, in place; returns `network`."""
    fused: Any = fuse_conv_bn_eval  # its annotations know no module by its name
    for _, module, conv, norm in list(_normed(network)):
        setattr(module, conv, fused(getattr(module, conv), getattr(module, norm)))
        setattr(module, norm, nn.Identity())
    return network


def _normed(network: nn.Module) -> Iterator[tuple[str, nn.Module, str, str]]:
    """Every convolution with a batch norm behind it: name of the module that holds both, it, their names in it."""
    for owner, module in network.named_modules():
        children = dict(module.named_children())
        for conv, norm in _PAIRS:
            if isinstance(children.get(norm), nn.BatchNorm2d):
                yield owner, module, conv, norm


def export_parser(network: BiSeNet, path: Path, size: int, frame: float, stored: Stored = "half") -> None:
    """Write `path`. `size`: px, the square that the parser shall read; `frame`: its side in face heights."""
    parser = ParserNetwork(network)
    fold(parser)
    del network.conv_out16, network.conv_out32
    write_onnx(parser, path, size, ["scores"], {"faceparse.size": str(size), "faceparse.frame": str(frame)}, stored)


def write_onnx(
    network: nn.Module,
    path: Path,
    size: int,
    outputs: list[str],
    metadata: Mapping[str, str],
    stored: Stored = "half",
) -> None:
    """Write a network that takes `rgb` (n, 3, h, w) as .onnx, its weights under their own names."""
    buffer: Any = io.BytesIO()  # taken by the exporter, not by its annotations
    axes = {name: {0: "n", 2: f"{name}_h", 3: f"{name}_w"} for name in ["rgb", *outputs]}
    with torch.inference_mode(), warnings.catch_warnings():
        # Deprecated, but the exporter that keeps the weights' names, by which `restore_parser` finds them.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(), (torch.zeros(1, 3, size, size),), buffer, input_names=["rgb"], output_names=outputs,
            dynamic_axes=axes, opset_version=17, dynamo=False, do_constant_folding=False,
        )  # fmt: skip
    model = onnx.load_from_string(buffer.getvalue())
    store(model.graph, stored)
    del model.metadata_props[:]
    for key, value in metadata.items():
        model.metadata_props.append(onnx.StringStringEntryProto(key=key, value=value))
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def store(graph: onnx.GraphProto, stored: Stored) -> None:
    """Store the weights of a graph, float32 as yet, in fewer bytes, and cast them back in front of all else.

    int8: w is about q * scale, q = round(w / scale), scale the largest |w| of an output channel / 127. A plain cast and
    a product, for those ONNX Runtime computes when it opens the file; a DequantizeLinear stays, and is computed anew
    each time, and the convolutions behind it are not laid out for the processor.
    """
    nodes: list[onnx.NodeProto] = []
    for tensor in list(graph.initializer):
        values, name = numpy_helper.to_array(tensor), tensor.name
        if stored == "full" or values.dtype != np.float32 or values.size <= 64:
            continue
        if stored == "int8" and values.ndim > 1:
            scale = np.abs(values).reshape(len(values), -1).max(1).reshape(-1, *[1] * (values.ndim - 1)) / 127
            scale = np.where(scale > 0, scale, 1).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(np.rint(values / scale).astype(np.int8), f"{name}.int8"))
            graph.initializer.append(numpy_helper.from_array(scale, f"{name}.scale"))
            nodes += [
                helper.make_node("Cast", [f"{name}.int8"], [f"{name}.cast"], name=f"{name}.cast", to=TensorProto.FLOAT),
                helper.make_node("Mul", [f"{name}.cast", f"{name}.scale"], [name], name=f"{name}.mul"),
            ]
        else:
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            nodes.append(helper.make_node("Cast", [f"{name}.half"], [name], name=f"{name}.cast", to=TensorProto.FLOAT))
    nodes += graph.node
    del graph.node[:]
    graph.node.extend(nodes)


def restored(graph: onnx.GraphProto) -> dict[str, NDArray[np.float32]]:
    """The weights that `store` put into a graph, float32, by their names."""
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    weights = {}
    for key, value in values.items():
        name, _, how = key.rpartition(".")
        if how == "int8":
            weights[name] = value.astype(np.float32) * values[f"{name}.scale"]
        elif how != "scale" or f"{name}.int8" not in values:
            weights[name if how == "half" else key] = value.astype(np.float32)
    return weights


def exported_weights(path: Path) -> dict[str, Tensor]:
    """The weights that stand in an .onnx of ours, float32, by their names. Raises ModelError."""
    try:
        graph = onnx.load(path).graph
    except OSError as error:
        raise cannot_read(path, error) from error
    except Exception as error:  # protobuf's own errors share no base but Exception
        raise ModelError(f"{path}: not a readable .onnx file ({str(error).splitlines()[0]})") from error
    return {name: torch.from_numpy(values) for name, values in restored(graph).items()}


def check_weights(path: Path) -> None:
    """Raise ModelError where an .onnx holds no parser that `take_up` could start from, whatever its width."""
    network_classes(path)
    if not exported_weights(path).keys() >= {f"network.{name}" for name in ("cp.resnet.conv1.weight", *_LAST)}:
        raise ModelError(f"{path}: not a parser that `export parser` wrote")


def take_up(network: BiSeNet, path: Path, rgb: Tensor, classes: Classes = Classes()) -> None:  # noqa: B008 - frozen
    """Put the weights of an exported .onnx into `network`, in place, so that training goes on where it had ended.

    network    whatever the file lacks (the auxiliary heads, newer layers) stays as it is initialised
    rgb        normalised pictures (n, 3, h, w) as training shows them: on them the batch norms, which the file has
               folded into the convolutions, are told apart again. The network computes what the file computes
    classes    what `network` tells apart; one that the file's network does not know is unlikely everywhere at first

    Raises ModelError where the file holds no network of this kind.
    """
    weights = {name.removeprefix("network."): value for name, value in exported_weights(path).items()}
    own, folded = network.state_dict(), {}
    rows = torch.from_numpy(growth(network_classes(path), classes))
    for name in _LAST:
        if name in weights and len(weights[name]) == rows.shape[1]:
            weights[name] = torch.tensordot(rows, weights[name], 1)
    taken = {name: value for name, value in weights.items() if name in own and own[name].shape == value.shape}
    if "cp.resnet.conv1.weight" not in taken or "conv_out.conv_out.weight" not in taken:
        raise ModelError(f"{path}: not a parser of this width that `export parser` wrote")
    network.load_state_dict(taken, strict=False)
    for owner, module, conv, norm in _normed(network):
        if (bias := weights.get(f"{owner}.{conv}.bias")) is not None:
            folded[getattr(module, norm)] = bias
    network.eval()
    with torch.no_grad():
        new = rows.sum(1) == 0
        for batch_norm, bias in folded.items():
            batch_norm.weight.fill_(1.0)
            batch_norm.bias.copy_(bias)
            batch_norm.running_mean.zero_()  # type: ignore[union-attr, operator]
            batch_norm.running_var.fill_(1.0 - batch_norm.eps)  # type: ignore[union-attr, operator]
        moments: dict[nn.Module, tuple[Tensor, Tensor]] = {}

        def watch(batch_norm: nn.Module, inputs: tuple[Tensor], _: Tensor) -> None:
            moments[batch_norm] = inputs[0].mean((0, 2, 3)), inputs[0].var((0, 2, 3), unbiased=False)

        hooks = [batch_norm.register_forward_hook(watch) for batch_norm in folded]
        scores = network(rgb)
        for hook in hooks:
            hook.remove()
        if new.any():
            assert isinstance(network.conv_out, DetailOutput)
            bias = network.conv_out.conv_out.bias
            assert bias is not None
            bias[new] = scores[:, ~new].logsumexp(1).mean() - UNLIKELY
        for batch_norm, (mean, variance) in moments.items():
            assert isinstance(batch_norm, nn.BatchNorm2d)
            batch_norm.weight.copy_((variance + batch_norm.eps).sqrt())
            batch_norm.bias.copy_(folded[batch_norm] + mean)
            batch_norm.running_mean.copy_(mean)  # type: ignore[union-attr, operator]
            batch_norm.running_var.copy_(variance)  # type: ignore[union-attr, operator]


def mix(path: Path, earlier: Path, share: float, stored: Stored = "half") -> None:
    """Move the weights in the .onnx `path` towards those of `earlier`, from which its training had gone on, in place.

    path     exported with its weights in full, so that they are rounded once, as they are to be `stored`
    share    of what training further has changed that stays, 0 to 1

    Between two networks of which one grew from the other every mean of their weights is as good a network, and some
    keep what both are good at (Wortsman et al., "Robust fine-tuning of zero-shot models", arXiv 2109.01903). Layers
    that `earlier` has not yet add less, as far as they add at all. Raises ModelError where the two do not fit.
    """
    before, model = exported_weights(earlier), onnx.load(path)
    names = {tensor.name for tensor in model.graph.initializer}
    if not before.keys() & names >= {"network.cp.resnet.conv1.weight", "network.conv_out.conv_out.weight"}:
        raise ModelError(f"{earlier}: not what {path} was trained further from")
    for tensor in model.graph.initializer:
        name, values = tensor.name, numpy_helper.to_array(tensor)
        added = name.startswith("network.conv_out.stem") or ".conv2." in name  # the last of a block is what it adds
        if name not in before and not added:
            continue
        old = before[name].numpy() if name in before else np.zeros(values.shape, np.float32)
        if old.shape != values.shape:
            raise ModelError(f"{earlier}: not what {path} was trained further from")
        tensor.CopyFrom(numpy_helper.from_array((share * values + (1 - share) * old).astype(values.dtype), name))
    store(model.graph, stored)
    path.write_bytes(model.SerializeToString(deterministic=True))


def add_bias(path: Path, bias: Mapping[int, float]) -> None:
    """Add to the scores of some classes everywhere (logits, by class), in the .onnx `path`, in place.

    So a class that training showed too seldom, or called doubtful too often, is found as often as it is there.
    """
    model = onnx.load(path)
    # `store` leaves so few numbers as they are, in float32 under their own name
    tensor = next(each for each in model.graph.initializer if each.name == f"network.{_LAST[1]}")
    values = numpy_helper.to_array(tensor).copy()
    for index, logits in bias.items():
        values[index] += logits
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    path.write_bytes(model.SerializeToString(deterministic=True))


def restore_parser(path: Path) -> nn.Module:
    """The exported network in torch, with the weights that stand in the .onnx: RGB 0..255 to scores."""
    weights = exported_weights(path)
    base = weights["network.cp.resnet.conv1.weight"].shape[0]
    blocks = blocks_of(name.removeprefix("network.") for name in weights)
    classes = len(weights["network.conv_out.conv_out.weight"])
    network = BiSeNet(classes, base / 64, True, blocks)
    parser = ParserNetwork(network)
    fold(parser.eval())
    del network.conv_out16, network.conv_out32
    parser.load_state_dict({key: weights[key] for key in parser.state_dict()})
    return parser
