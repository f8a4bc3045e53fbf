"""What the tests of training share: pairs made here, in the tars of our layout, and settings for seconds."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from conftest import draw_face

from faceparse_core.parts import PARTS


def pair(seed: int) -> tuple[bytes, bytes]:
    """(webp, png) of a face of ellipses, 512 x 512."""
    rng = np.random.default_rng(seed)
    labels = draw_face((512, 512))
    palette = np.array([part.color for part in PARTS], np.float32) + rng.normal(0, 12, (20, 3))
    rgb = np.clip(palette[labels] + rng.normal(0, 6, (512, 512, 3)), 0, 255).astype(np.uint8)
    return cv2.imencode(".webp", rgb[..., ::-1])[1].tobytes(), cv2.imencode(".png", labels)[1].tobytes()


def write_tar(path: Path, seeds: Iterable[int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for seed in seeds:
            for suffix, content in zip((".webp", ".png"), pair(seed), strict=True):
                member = tarfile.TarInfo(f"{seed:05}{suffix}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


def write_data(folder: Path) -> Path:
    """Four pairs to train on, two held out, two rendered."""
    write_tar(folder / "celebamask" / "train-0.tar", range(4))
    write_tar(folder / "celebamask" / "val.tar", range(4, 6))
    write_tar(folder / "facesynthetics" / "train.tar", range(6, 8))
    return folder


def tiny(**changes: Any) -> Any:
    from faceparse_core.training.settings import TrainSettings

    values = {
        "width": 0.125, "steps": 60, "batch": 4, "rendered_of_16": 4, "warmup": 5, "rate": 5e-3, "ema": 0.8,
        "sizes": ((0.0, 64),), "save_every": 10,
    }  # fmt: skip
    return TrainSettings(**{**values, **changes})
