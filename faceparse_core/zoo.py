"""The models that are known by name: what they are, whose, where they come from, and where they lie.

Everything that was downloaded or converted lies in one cache folder, `cache_folder()`, and can be deleted at any time:

    models/79999_iter.pth        as published, its SHA-256 checked when it came
    onnx/<SHA-256>.onnx          the checkpoint with that SHA-256, converted
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from faceparse_core.cache import abandoned, cache_folder, cannot_read, in_cache, sha256_of, whole_file
from faceparse_core.errors import ModelError, printable

if TYPE_CHECKING:
    from faceparse_core.download import Progress

EMBEDDED = "embedded"  #: the name of the network that travels inside the package
CHECKPOINTS = frozenset({".pth", ".pt"})
_MODELS, _CONVERTED = "models", "onnx"  # folders of the cache
#: What to do where torch is needed and missing.
INSTALL_TORCH = "where this program was installed from run: pip install '.[torch]'"


@dataclass(frozen=True)
class ModelFile:
    """A file that holds a model."""

    name: str
    megabytes: int
    sha256: str | None  #: None: not known, so that it is not downloaded
    sources: tuple[str, ...] = ()  #: URLs, the first one that gives it is taken


@dataclass(frozen=True)
class KnownModel:
    """One row of the table."""

    name: str  #: the word in `--model`
    about: str
    licence: str
    files: tuple[ModelFile, ...]  #: any of them is enough; those behind the first need no torch
    homepage: str
    by_hand: str  #: what to get there, and to give to `models get --from`
    archive: str = ""  #: what that is packed in there


_CLIBDEV = "https://github.com/clibdev/face-parsing.PyTorch/releases/latest/download"

KNOWN: dict[str, KnownModel] = {
    model.name: model
    for model in (
        KnownModel(
            "bisenet",
            "19 parts: BiSeNet with ResNet-18, 79999_iter.pth of face-parsing.PyTorch",
            "code MIT; trained on CelebAMask-HQ, whose terms allow non-commercial research and education only",
            (
                ModelFile(
                    "79999_iter.pth",
                    53,
                    "468e13ca13a9b43cc0881a9f99083a430e9c0a38abd935431d1c28ee94b26567",
                    (
                        "https://drive.google.com/uc?id=154JgKpzCPW82qINcVieuPH3fZ2e0P812",
                        f"{_CLIBDEV}/face-parsing-bisenet.pth",
                    ),
                ),
                ModelFile(
                    "face-parsing-bisenet.onnx",
                    53,
                    "37cc52ffdf0ccb45a555a4a1a52d59266959da5cee981c244177d9768447ff37",
                    (f"{_CLIBDEV}/face-parsing-bisenet.onnx",),
                ),
            ),
            "https://github.com/zllrunning/face-parsing.PyTorch",
            "79999_iter.pth",
        ),
        KnownModel(
            "fcn8s",
            "the face alone, as one part: FCN-8s of Nirkin et al. 2018, face_seg_fcn8s",
            "its authors name no licence: ask them before any use beyond research",
            (ModelFile("face_seg_fcn8s.pth", 538, None),),
            "https://github.com/YuvalNirkin/face_segmentation/releases",
            "face_seg_fcn8s.caffemodel",
            "face_seg_fcn8s.zip",
        ),
    )
}
EMBEDDED_LICENCE = "trained on CelebAMask-HQ and FaceSynthetics: non-commercial research and education only"


def known(name: str) -> KnownModel:
    """Raises ModelError."""
    if name not in KNOWN:
        names = ", ".join([EMBEDDED, *KNOWN])
        raise ModelError(f"no model is called {printable(name)!r}; known are {names}; or name an .onnx or .pth file")
    return KNOWN[name]


def place(file: ModelFile) -> Path:
    """Where a file lies, or would."""
    return cache_folder() / _MODELS / file.name


def conversion(sha256: str) -> Path:
    """Where the .onnx lies, or would, that the checkpoint with this SHA-256 was converted to."""
    return cache_folder() / _CONVERTED / f"{sha256}.onnx"


def can_convert() -> bool:
    """Whether the torch extra is installed."""
    return find_spec("torch") is not None and find_spec("onnx") is not None


def present(model: KnownModel) -> Path | None:
    """The model's file, where it lies in the cache and can be used with what is installed."""
    for file in model.files:
        path = place(file)
        if path.is_file() and (
            path.suffix not in CHECKPOINTS or can_convert() or conversion(file.sha256 or sha256_of(path)).is_file()
        ):
            return path
    return None


def get(name: str, progress: Progress | None = None) -> Path:
    """The file of a known model, downloaded where it is not in the cache yet.

    With the torch extra that is the checkpoint, as its authors published it; without, an .onnx of it. Raises
    ModelError where it cannot be had; the message says how else to get it.
    """
    model = known(name)
    path = present(model)
    if path is not None:
        return path
    file = next((file for file in model.files if Path(file.name).suffix not in CHECKPOINTS or can_convert()), None)
    if all(entry.sha256 is None for entry in model.files):
        first = "" if can_convert() else f"it needs torch ({INSTALL_TORCH}); then "
        raise ModelError(
            f"{name} is not downloaded by itself, for its checksum is not known; "
            f"{first}get {model.by_hand} (in {model.archive}) from {model.homepage} and run: "
            f"faceparse-svg models get {name} --from {model.by_hand}"
        )
    if file is None:
        raise _needs_torch(name)
    assert file.sha256  # of a model's files all have one, or none
    if os.environ.get("FACEPARSE_OFFLINE"):
        raise ModelError(f"{name} is not downloaded yet; run in a terminal: faceparse-svg models get {name}")
    from faceparse_core.download import DownloadError, fetch

    path = place(file)
    with in_cache(path):
        if not path.is_file():  # another process may have been quicker
            try:
                fetch(path, file.sources, file.sha256, 2_000_000 * file.megabytes, progress)
            except DownloadError as error:
                published = file is model.files[0]
                place_of = model.homepage if published else file.sources[0]
                raise ModelError(
                    f"{name} could not be downloaded ({error}); get it by hand from {place_of} and run: "
                    f"faceparse-svg models get {name} --from {model.by_hand if published else file.name}"
                ) from error
    return path


def _needs_torch(name: str) -> ModelError:
    return ModelError(f"{name} needs torch; {INSTALL_TORCH}")


def verified(file: Path) -> str:
    """The SHA-256 of a file, which is right where it is a known one's: a wrong one is deleted, and ModelError raised.

    Also raises ModelError where it cannot be read.
    """
    try:
        found = sha256_of(file)
    except OSError as error:
        raise cannot_read(file, error) from error
    for model in KNOWN.values():
        for entry in model.files:
            if place(entry) == file and entry.sha256 not in (None, found):
                file.unlink(missing_ok=True)
                raise ModelError(
                    f"{file.name}: damaged in the cache (wrong SHA-256) and deleted; run again to fetch it"
                )
    return found


def known_sha256(file: Path) -> str | None:
    """What the table says of a file that lies in the cache; it was checked when it came."""
    entries = (entry for model in KNOWN.values() for entry in model.files)
    return next((entry.sha256 for entry in entries if place(entry) == file), None)


def install(name: str, source: Path) -> Path:
    """Put a file that the user has into the cache as a known model: the published one, or for fcn8s its .caffemodel.

    Raises ModelError where it is another file.
    """
    model = known(name)
    shown = printable(os.fspath(source))
    if model.archive and source.suffix.lower() == ".zip":
        raise ModelError(f"{shown}: unpack it first, and name the {model.by_hand} in it")
    found = verified(source)
    for file in model.files:
        if file.sha256 is None:
            if not can_convert():
                raise _needs_torch(name)
            from faceparse_core.checkpoints import read_checkpoint, read_weights, write_checkpoint

            weights = read_weights(source)
            read_checkpoint(shown, weights, wanted=name)
            with in_cache(place(file)), whole_file(place(file)) as temporary:
                write_checkpoint(weights, temporary)
            return place(file)
        if file.sha256 == found:
            if Path(file.name).suffix in CHECKPOINTS and not can_convert() and not conversion(found).is_file():
                said = f"{name} in {file.name} needs torch; {INSTALL_TORCH}"
                for other in model.files:
                    if other is not file:
                        way = f"faceparse-svg models get {name} --from {other.name}"
                        said += f"; or get {other.name} from {other.sources[0]} and run: {way}"
                raise ModelError(said)
            with in_cache(place(file)), whole_file(place(file)) as temporary:
                shutil.copyfile(source, temporary)
            return place(file)
    names = " or ".join(file.name for file in model.files)
    raise ModelError(f"{shown} is not {names} (its SHA-256 is {found}); get {model.by_hand} from {model.homepage}")


def remove(name: str) -> list[Path]:
    """Delete a known model, what was converted from it, and what processes that were killed left of any model.

    Returns what was deleted. Raises ModelError.
    """
    doomed: list[Path] = []
    for file in known(name).files:
        path = place(file)
        sha256 = file.sha256 or (sha256_of(path) if path.is_file() else None)
        doomed += path.parent.glob(f"{file.name}*")  # the parts of cut off downloads, too
        doomed += [conversion(sha256)] if sha256 else []
    for folder in (_MODELS, _CONVERTED):
        doomed += abandoned(cache_folder() / folder)
    gone = []
    for path in doomed:
        try:
            path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ModelError(f"{printable(os.fspath(path))} cannot be deleted ({error.strerror})") from error
        gone.append(path)
    return gone
