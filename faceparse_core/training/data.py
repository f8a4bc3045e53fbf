"""Pairs of photo and label map, read from tar files into memory.

A tar holds NAME.webp (photo) beside NAME.png (label map: uint8, ids as in `faceparse_core.parts`, 255 = unknown).
The folder that holds the tars is an option of every training command, or the variable FACEPARSE_DATA:

    celebamask/train-*.tar    what to train on
    celebamask/val.tar        what to measure on, never trained on
    facesynthetics/train.tar  rendered heads: the only ones whose beards are labelled
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceparse_core.errors import FaceParseError
from faceparse_core.parts import PARTS

UNKNOWN = 255  #: label of pixels that nobody labelled; every loss and score leaves them out


@dataclass(frozen=True)
class Pair:
    """One photo, uint8 RGB (H, W, 3), and its label map, uint8 (H, W)."""

    name: str
    rgb: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def data_folder(option: str | None = None) -> Path:
    """The folder of the tars: the option, else FACEPARSE_DATA. Raises FaceParseError where neither names one."""
    chosen = option or os.environ.get("FACEPARSE_DATA")
    if not chosen:
        raise FaceParseError("no training data: name its folder with --data or in the variable FACEPARSE_DATA")
    folder = Path(chosen)
    if not folder.is_dir():
        raise FaceParseError(f"no training data: {folder} is not a folder")
    return folder


def read_pairs(tars: Sequence[Path]) -> list[Pair]:
    """All pairs of `tars`, in the order of their names. Raises FaceParseError on a missing or broken tar."""
    raw: dict[str, dict[str, bytes]] = {}
    for tar in tars:
        try:
            with tarfile.open(tar) as archive:
                for member in archive:
                    file = archive.extractfile(member)
                    if file is not None:
                        path = Path(member.name)
                        raw.setdefault(f"{tar.stem}/{path.stem}", {})[path.suffix] = file.read()
        except (OSError, tarfile.TarError) as error:
            raise FaceParseError(f"{tar}: not a readable tar of pairs ({error})") from error
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # OpenCV decodes outside of Python's lock
        return list(pool.map(_decode, sorted(raw), [raw[name] for name in sorted(raw)]))


def _decode(name: str, files: dict[str, bytes]) -> Pair:
    if not {".webp", ".png"} <= files.keys():
        raise FaceParseError(f"{name}: expected {name}.webp and {name}.png, found {sorted(files)}")
    bgr = cv2.imdecode(np.frombuffer(files[".webp"], np.uint8), cv2.IMREAD_COLOR)
    labels = cv2.imdecode(np.frombuffer(files[".png"], np.uint8), cv2.IMREAD_UNCHANGED)
    if bgr is None or labels is None or labels.ndim != 2 or bgr.shape[:2] != labels.shape:
        raise FaceParseError(f"{name}: photo and label map cannot be read or differ in size")
    if labels.dtype != np.uint8 or ((labels >= len(PARTS)) & (labels != UNKNOWN)).any():
        raise FaceParseError(f"{name}: the label map has ids that no part has")
    return Pair(name, np.ascontiguousarray(bgr[..., ::-1]), labels.astype(np.uint8))


def celebamask_train(folder: Path) -> list[Pair]:
    """The human-labelled pairs to train on."""
    return read_pairs(sorted((folder / "celebamask").glob("train-*.tar")))


def celebamask_val(folder: Path) -> list[Pair]:
    """The human-labelled pairs to measure on."""
    return read_pairs([folder / "celebamask" / "val.tar"])


def facesynthetics_train(folder: Path) -> list[Pair]:
    """The rendered pairs, with beards."""
    return read_pairs([folder / "facesynthetics" / "train.tar"])
