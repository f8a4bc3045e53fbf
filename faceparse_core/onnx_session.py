"""Opens a network in ONNX Runtime: with little memory, with clear errors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from faceparse_core.errors import BrokenModelError, ModelError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


_PROVIDERS = {"cpu": ["CPUExecutionProvider"], "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"]}
#: Bytes of a file from which on its weights are not laid out anew for the processor. That takes copies of them all:
#: FCN-8s (538 MB) then takes 1.0 GB instead of 2.2, is opened in half the time, and runs a quarter slower.
_LARGE = 256_000_000


def load_session(source: str | os.PathLike[str] | bytes, threads: int = 0, device: str = "cpu") -> InferenceSession:
    """A session for the .onnx file `source`, or its bytes; `threads` 0 takes all cores; `device` is cpu or cuda.

    Raises ModelError where the file is missing, BrokenModelError where it is no network that ONNX Runtime can run.
    """
    import onnxruntime

    providers = _PROVIDERS[device]  # of what the first cannot run, the next runs a part
    lacking = ModelError(
        "ONNX Runtime finds no CUDA device here; leave --device out, or put onnxruntime-gpu in place of onnxruntime"
    )
    if providers[0] not in onnxruntime.get_available_providers():
        raise lacking

    shown = "the model" if isinstance(source, bytes) else os.fspath(source)
    if not isinstance(source, bytes) and not Path(source).is_file():
        raise ModelError(f"{shown}: no such model file; check the name")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only: its warnings are about the machine, not about our photo
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # who waits leaves the core to others
    options.enable_cpu_mem_arena = False  # the arena keeps what the largest layer needed for the session's whole life
    if not isinstance(source, bytes) and Path(source).stat().st_size > _LARGE:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    try:
        session = onnxruntime.InferenceSession(
            source if isinstance(source, bytes) else os.fspath(source), options, providers=providers
        )
    except Exception as problem:  # ONNX Runtime's errors have no common base but Exception
        reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise BrokenModelError(
            f"{shown}: not a network that ONNX Runtime can run ({reason}); fetch or export it again"
        ) from problem
    if providers[0] not in session.get_providers():  # the package has it, the machine has not
        raise lacking
    return session
