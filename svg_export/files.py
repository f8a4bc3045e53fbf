"""Which photos the command was given, where each one's files go, and writing them whole or not at all."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from faceparse_core.cache import temporary_beside
from faceparse_core.errors import FaceParseError, printable

STDIN = "-"
PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"})
_READ = "JPEG, PNG, WebP, TIFF, BMP and GIF are read"
LABELS_SUFFIX = ".labels.png"
#: What can be written beside the SVG, and under which suffix. Of each part there can be a heatmap, `heatmap-hair`.
EXTRAS = {
    "labels": LABELS_SUFFIX,
    "preview": ".preview.png",
    "palette": ".gpl",
    "mask": ".mask.png",
    "heatmap": ".heatmap.png",
    "colorize": ".colorize.png",
    "colorize-over": ".colorize-over.png",
    "gallery": ".gallery.png",
}
HEATMAP_OF = "heatmap-"
_WRITTEN_HERE = re.compile(rf"({'|'.join(map(re.escape, EXTRAS.values()))}|\.{HEATMAP_OF}[a-z0-9-]+\.png)$")


class OutputError(FaceParseError):
    """A file cannot be written: it exists already, its folder is missing or read-only, the disk is full."""


@dataclass(frozen=True)
class Job:
    """One photo (or label map) and the files that are to come of it."""

    source: str  #: a path, or `-` for stdin
    svg: Path | None  #: None: to stdout, or nowhere
    extras: Mapping[str, Path] = field(default_factory=dict)  #: kind (of EXTRAS, or HEATMAP_OF a part) -> file
    to_stdout: bool = False

    @property
    def title(self) -> str:
        """The photo's name as people know it: without folder and suffix."""
        return "stdin" if self.source == STDIN else _stem(self.source)

    @property
    def outputs(self) -> tuple[Path, ...]:
        return (*([] if self.svg is None else [self.svg]), *self.extras.values())


def find_inputs(words: Iterable[str], *, labels: bool = False) -> tuple[list[str], list[str]]:
    """(sources, complaints) for the command's words: files, folders, patterns that no shell expanded, `-`.

    A folder gives its photos by suffix, not those of its subfolders, and not what this command wrote itself, which
    patterns leave out, too; with `labels` it gives its `*.labels.png`. A source named twice counts once. A complaint is
    one line about one word: a label map in a photo's place is one, for as a photo it would be a dark picture, and so is
    a drawing.
    """
    sources: dict[str, str] = {}
    complaints: list[str] = []
    for word in words:
        lack = ""
        if word == STDIN:
            found = [word]
        elif os.path.isdir(word):
            lack = f"no *{LABELS_SUFFIX} in this folder" if labels else f"no photos in this folder ({_READ})"
            try:
                found = _folder(word, labels)
            except OSError as error:
                found, lack = [], f"cannot be listed: {error.strerror}"
        elif not os.path.exists(word) and glob.has_magic(word):
            lack = "no file matches this pattern"
            paths = [path for path in sorted(glob.glob(word, recursive=True), key=_natural) if os.path.isfile(path)]
            found = [
                path for path in paths if not _is_drawing(path) and (labels or not _WRITTEN_HERE.search(path.lower()))
            ]
        elif not labels and word.lower().endswith(LABELS_SUFFIX):
            found, lack = [], "a label map, not a photo; --from-labels draws it"
        elif _is_drawing(word):
            made_of = "label map" if labels else "photo"
            found, lack = [], f"a drawing, not a {made_of}; name the one that it was made of"
        else:  # that it may not exist is found out when it is read: one photo's failure
            found, lack = [word] if word else [], "an empty name is no photo's; name a file or a folder"
        if not found:
            complaints.append(f"{shown(word) or repr(word)}: {lack}")
        for path in found:
            sources.setdefault(path if path == STDIN else os.path.realpath(path), path)
    return list(sources.values()), complaints


def plan(
    sources: Sequence[str],
    output: str | None,
    extras: Sequence[str] = (),
    svg: bool = True,
) -> tuple[list[Job], list[str]]:
    """(jobs, complaints): each source's files, beside it or where `output` says.

    extras  kinds of files besides the SVG
    svg     whether there is one

    `output` is a folder that exists, or, for one source, a path that ends in .svg, or `-` for stdout. Raises ValueError
    where it cannot be any of these. Of two sources that would write the same file (a.jpg and a.png) the second is left
    out with a complaint, and so is one that would write over another source, so that nothing is lost.
    """
    to_stdout = output == STDIN or (output is None and STDIN in sources)
    if to_stdout and (len(sources) > 1 or extras or not svg):
        raise ValueError("to stdout goes the SVG of one photo, and no further files; name a folder with -o")
    folder, file = _place(None if to_stdout else output, len(sources), svg)
    jobs: list[Job] = []
    complaints: list[str] = []
    taken = {_same(source): source for source in sources if source != STDIN}
    for source in sources:
        stem = "stdin" if source == STDIN else _stem(source)
        path = file or (folder or Path(source).parent) / f"{stem}.svg"
        base = path.with_suffix("")
        files = {kind: base.with_name(base.name + suffix_of(kind)) for kind in extras}
        job = Job(source, path if svg and not to_stdout else None, files, to_stdout)
        claimed = [*job.outputs, path]
        rivals = [(own, taken[_same(own)]) for own in claimed if taken.get(_same(own), source) != source]
        if rivals:
            own, rival = rivals[0]
            complaints.append(f"{shown(source)}: {shown(own)} is the file of {shown(rival)} already; use -o for one")
        else:
            taken |= {_same(own): source for own in claimed if _same(own) not in taken}
            jobs.append(job)
    return jobs, complaints


def _same(path: str | os.PathLike[str]) -> str:
    """Equal for paths of one file."""
    return os.path.normcase(os.path.realpath(path))


def _place(output: str | None, photos: int, svg: bool) -> tuple[Path | None, Path | None]:
    """The folder, or the one file, that -o names; neither where there is no -o. Raises ValueError."""
    if output is None:
        return None, None
    if os.path.isdir(output):
        return Path(output), None
    option = f"-o {shown(output) or repr(output)}"
    if not svg:
        raise ValueError(f"{option}: without an SVG it is a folder that exists")
    if not _is_drawing(output):
        raise ValueError(f"{option}: there is no such folder, make it first; or name a file that ends in .svg")
    if photos > 1:
        raise ValueError(f"{option} is one file, and there are {photos} photos; name a folder")
    file = Path(output)
    if not file.parent.is_dir():
        raise ValueError(f"{option}: the folder {shown(file.parent)} does not exist; make it first")
    return None, file


def suffix_of(kind: str) -> str:
    """What a file of this kind ends in."""
    return EXTRAS.get(kind, f".{kind}.png")


def check_outputs(job: Job, force: bool) -> None:
    """Raise OutputError where one of the job's files cannot be written: asked before the photo is parsed."""
    for path in job.outputs:
        if _same(path) == _same(job.source):
            raise OutputError(f"{shown(path)} is the photo itself; name another place with -o")
        check_output(path, force)


def check_output(path: Path, force: bool) -> None:
    """Raise OutputError where a file cannot be written, or is there already and not to be overwritten."""
    if path.is_dir():
        raise OutputError(f"{shown(path)} is a folder")
    if not force and os.path.lexists(path):
        raise OutputError(f"{shown(path)} exists already and may hold your edits; --force overwrites it")
    if not path.parent.is_dir():
        raise OutputError(f"the folder {shown(path.parent)} does not exist; make it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise OutputError(f"the folder {shown(path.parent)} cannot be written to; name another one with -o")


def write_files(contents: Mapping[Path, bytes], force: bool) -> None:
    """Write files so that each is the old one or the new one, whole, whatever happens in between.

    All are written to temporary files in the same folder first and moved into place at the end: a disk that fills up
    leaves every old file as it was. Raises OutputError; the temporary files are gone either way.
    """
    staged: dict[Path, Path] = {}
    moved: list[Path] = []
    try:
        for path, data in contents.items():
            target = Path(os.path.realpath(path))  # a link stays a link
            temporary = temporary_beside(target)
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
            staged[target] = temporary
            _stage(handle, temporary, target, data)
        for target, temporary in staged.items():
            if not force and os.path.lexists(target):
                raise OutputError(f"{shown(target)} appeared meanwhile; --force overwrites it")
            os.replace(temporary, target)
            moved.append(target)
    except OSError as error:
        names = ", ".join(shown(path) for path in contents)
        left = f"{', '.join(shown(path) for path in moved)} is written" if moved else "what was there is as it was"
        raise OutputError(f"could not write {names}: {error.strerror}; {left}; name another place with -o") from error
    finally:
        for temporary in staged.values():
            temporary.unlink(missing_ok=True)


def shown(path: str | os.PathLike[str] | None) -> str:
    """A path as a message prints it: on one line, whatever the name holds."""
    return printable(os.fspath(path or ""))


def _stage(handle: int, temporary: Path, target: Path, data: bytes) -> None:
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileNotFoundError):
        os.chmod(temporary, stat.S_IMODE(target.stat().st_mode))  # a file written anew keeps its permissions


def _is_drawing(name: str) -> bool:
    return name.lower().endswith(".svg")


def _folder(folder: str, labels: bool) -> list[str]:
    def wanted(entry: os.DirEntry[str]) -> bool:
        name = entry.name.lower()
        if name.startswith(".") or not entry.is_file():
            return False
        if labels:
            return name.endswith(LABELS_SUFFIX)
        return os.path.splitext(name)[1] in PHOTO_SUFFIXES and not _WRITTEN_HERE.search(name)

    with os.scandir(folder) as entries:
        return sorted((entry.path for entry in entries if wanted(entry)), key=_natural)


def _natural(path: str) -> list[tuple[int, str]]:
    """photo2 before photo10."""
    return [(int(word), "") if word.isdecimal() else (-1, word) for word in re.split(r"(\d+)", path.lower())]


def _stem(source: str) -> str:
    name = os.path.basename(source)
    if name.lower().endswith(LABELS_SUFFIX):
        return name[: -len(LABELS_SUFFIX)]
    return os.path.splitext(name)[0]
