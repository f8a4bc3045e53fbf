"""Reads the weights out of a .caffemodel, without Caffe: with the protobuf package alone.

The few messages and fields that hold weights, by their numbers in Caffe's own `caffe.proto`
(https://github.com/BVLC/caffe/blob/master/src/caffe/proto/caffe.proto); protobuf skips all others. Networks of both
generations are read: `layer` since 2014, `layers` before.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceparse_core.cache import cannot_read
from faceparse_core.errors import ModelError, printable

#: Message -> field -> (number, type or message, repeated). Packed lists of numbers are read in either form.
_SCHEMA: dict[str, dict[str, tuple[int, str, bool]]] = {
    "BlobShape": {"dim": (1, "int64", True)},
    "BlobProto": {
        "num": (1, "int32", False), "channels": (2, "int32", False),
        "height": (3, "int32", False), "width": (4, "int32", False),
        "data": (5, "float", True), "shape": (7, "BlobShape", False), "double_data": (8, "double", True),
    },
    "LayerParameter": {"name": (1, "string", False), "blobs": (7, "BlobProto", True)},
    "V1LayerParameter": {"name": (4, "string", False), "blobs": (6, "BlobProto", True)},
    "NetParameter": {
        "name": (1, "string", False), "layers": (2, "V1LayerParameter", True), "layer": (100, "LayerParameter", True),
    },
}  # fmt: skip


def read_caffemodel(path: Path) -> dict[str, NDArray[np.float32]]:
    """The weights by the names that torch gives them: `conv1_1.weight`, `conv1_1.bias`. A layer's first blob is its
    weight, its second its bias.

    Raises ModelError where the file cannot be read or holds no network of Caffe.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise cannot_read(path, error) from error
    from google.protobuf.message import DecodeError

    net = caffe_message("NetParameter")
    try:
        net.ParseFromString(data)
        return {
            f"{layer.name}.{kind}": _array(blob)
            for layer in (*net.layers, *net.layer)
            for kind, blob in zip(("weight", "bias"), layer.blobs, strict=False)
        }
    except (DecodeError, ValueError) as error:  # ValueError: a blob has not as many numbers as its shape says
        raise ModelError(
            f"{printable(str(path))}: no .caffemodel, or one that was cut off ({error}); fetch it again"
        ) from error


def caffe_message(name: str) -> Any:
    """An empty message of Caffe's by its name; see `_SCHEMA`."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="faceparse_caffe.proto", package="faceparse.caffe", syntax="proto2")
    for message, fields in _SCHEMA.items():
        described = file.message_type.add(name=message)
        for field, (number, kind, repeated) in fields.items():
            entry = described.field.add(name=field, number=number)
            entry.label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
            if kind in _SCHEMA:
                entry.type, entry.type_name = kinds.TYPE_MESSAGE, f".faceparse.caffe.{kind}"
            else:
                entry.type = kinds.Type.Value(f"TYPE_{kind.upper()}")
                entry.options.packed = repeated
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"faceparse.caffe.{name}"))()


def _array(blob: Any) -> NDArray[np.float32]:
    values = np.array(blob.data if len(blob.data) else blob.double_data, np.float32)
    if blob.HasField("shape"):
        return values.reshape(tuple(blob.shape.dim))
    old = (blob.num, blob.channels, blob.height, blob.width)  # once every blob had four axes, a list of biases, too
    return values.reshape(old if old[:3] != (1, 1, 1) else old[3:])
