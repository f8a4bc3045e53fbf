"""Pairs of photo and label map: read one by one, checked, kept in memory as far as there is room.

What data sets look like on a disk stands in `layouts`, what their labels mean in `labels`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceparse_core.errors import FaceParseError, printable
from faceparse_core.parts import PARTS
from faceparse_core.training.labels import UNKNOWN, Meanings


class PairError(FaceParseError):
    """A pair that cannot be learnt from: its photo or its label map is missing, broken, or of another kind."""


@dataclass(frozen=True)
class Pair:
    """One photo, uint8 RGB (H, W, 3), and its label map, uint8 (H, W): the ids that its labels go by.

    wide        how many sides of CelebAMask-HQ's frame the pair's own frame has
    meanings    what its labels may stand for besides
    """

    name: str
    rgb: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    wide: float = 1.0
    meanings: Meanings = field(default_factory=dict)


@dataclass(frozen=True)
class DataSet:
    """Pairs of one kind, none of which has been read yet."""

    name: str  #: for messages
    names: tuple[str, ...]  #: of the pairs
    read: Callable[[int], Pair] = field(repr=False)  #: pair number k in a square frame. Raises PairError
    meanings: Meanings = field(default_factory=dict)
    rendered: bool = False  #: heads that nobody photographed
    own: bool = False  #: a user's own photos, with parts of their own
    broken: tuple[str, ...] = ()  #: what is wrong with pairs that are not in `names`, a line each


def data_folder(option: str | None = None) -> Path:
    """The folder of the data: the option, else FACEPARSE_DATA. Raises FaceParseError where neither names one."""
    chosen = option or os.environ.get("FACEPARSE_DATA")
    if not chosen:
        raise FaceParseError("no training data: name its folder with --data or in the variable FACEPARSE_DATA")
    folder = Path(chosen)
    if not folder.is_dir():
        raise FaceParseError(f"no training data: {printable(chosen)} is not a folder")
    return folder


class Pairs(Sequence[Pair]):
    """The pairs of `sets`, one after another.

    Every pair is read once at the start: so a broken one is told before hours are spent, and the rare parts are known.
    What was read is kept as long as all that is kept needs no more than `memory` bytes; the others are read again
    whenever they are drawn. What is drawn does not depend on it.

    sets           of where the pairs come from
    skip_broken    leave broken pairs out and say so, instead of raising PairError
    memory         bytes; None: half of the machine's

    Raises PairError for the first broken pair, FaceParseError where there is none at all.
    """

    def __init__(self, sets: Sequence[DataSet], skip_broken: bool = False, memory: int | None = None) -> None:
        room = half_of_memory() if memory is None else memory
        every = [(index, number) for index, one in enumerate(sets) for number in range(len(one.names))]
        self.sets = tuple(sets)
        self.broken = [line for one in sets for line in one.broken]  #: a line each
        if self.broken and not skip_broken:
            raise PairError(self.broken[0])
        self.kept = 0  #: bytes in memory
        self._places: list[tuple[int, int]] = []
        self._kept: dict[int, Pair] = {}
        counts = []
        for place, pair in zip(every, _ahead(every, self._try), strict=True):
            if isinstance(pair, PairError):
                if not skip_broken:
                    raise pair
                self.broken.append(str(pair))
                continue
            size = pair.rgb.nbytes + pair.labels.nbytes
            if self.kept + size <= room:
                self.kept += size
                self._kept[len(self._places)] = pair
            self._places.append(place)
            counts.append(np.bincount(pair.labels.ravel(), minlength=256))
        tell_broken(self.broken)
        if not self._places:
            raise FaceParseError("no training data: there is no pair of photo and label map")
        self.counts = np.stack(counts)  #: (pairs, 256): pixels of each label
        self.space = np.array([index for index, _ in self._places])  #: (pairs,): number of the pair's data set

    def _try(self, place: tuple[int, int]) -> Pair | PairError:
        try:
            return self._read(place)
        except PairError as error:
            return error

    def _read(self, place: tuple[int, int]) -> Pair:
        one = self.sets[place[0]]
        return replace(one.read(place[1]), meanings=one.meanings)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Pair:  # type: ignore[override]  # no slices
        kept = self._kept.get(int(index))
        if kept is not None:
            return kept
        return self._read(self._places[index])


def tell_broken(lines: Sequence[str]) -> None:
    """Say of what was left out how much there is, and what is wrong with the first ones."""
    if lines:
        reasons = [line.partition("; ")[0] for line in lines[:3]]
        more = "; .." if len(lines) > 3 else ""
        print(f"{len(lines)} broken pair{'s' * (len(lines) > 1)} left out: {'; '.join(reasons)}{more}", file=sys.stderr)


def _ahead(
    every: Sequence[tuple[int, int]], read: Callable[[tuple[int, int]], Pair | PairError]
) -> Iterator[Pair | PairError]:
    """`read` of each, in order, a few ahead of what is asked for: OpenCV decodes outside of Python's lock."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for first in range(0, len(every), 64):
            yield from pool.map(read, every[first : first + 64])


def half_of_memory() -> int:
    """Bytes; 4 GB where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, ValueError, OSError):
        return 4_000_000_000


# ------------------------------------------------------------------------------------------------ decoding, and checks


def decode_photo(data: bytes, shown: str) -> NDArray[np.uint8]:
    """uint8 RGB (H, W, 3) of a JPEG, PNG or WebP. Raises PairError."""
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if bgr is None:
        raise PairError(f"{shown}: the photo cannot be read; replace it, or leave broken pairs out with --skip-broken")
    return np.ascontiguousarray(bgr[..., ::-1]).astype(np.uint8)


def decode_labels(data: bytes, shown: str, ids: NDArray[np.int64] | None = None) -> NDArray[np.uint8]:
    """uint8 (H, W), a PNG of one channel; of a palette picture the indices count. Raises PairError.

    ids    (256,): what each id of the file goes by, -1 for ids that the file cannot have; None: the parts' own
    """
    from io import BytesIO

    from PIL import Image

    try:
        with Image.open(BytesIO(data)) as image:
            image.load()
            mode, values = image.mode, np.asarray(image)
    except Exception as error:  # Pillow's decoders raise whatever they stumble over
        raise PairError(
            f"{shown}: the label map cannot be read; replace it, or leave it out with --skip-broken"
        ) from error
    if mode not in ("L", "P", "1") and values.ndim == 3 and (values[..., :1] == values[..., :3]).all():
        values, mode = values[..., 0], "L"  # grey, written with three channels
    if mode not in ("L", "P", "1"):
        what = "has colours" if values.ndim == 3 else "is no picture of 8 bits"
        raise PairError(f"{shown}: the label map {what} (mode {mode}); save it as ids in one channel of 8 bits")
    table = PART_IDS if ids is None else ids
    named = table[values.astype(np.uint8)]
    if (named < 0).any():
        strange = ", ".join(map(str, np.unique(values[named < 0]).tolist()[:5]))
        raise PairError(
            f"{shown}: the label map has unknown ids ({strange}); if the pairs are your own, a classes.json can name "
            "them, else leave this one out with --skip-broken"
        )
    return named.astype(np.uint8)


def same_size(rgb: NDArray[np.uint8], labels: NDArray[np.uint8], shown: str) -> None:
    """Raises PairError where photo and label map differ in size."""
    if rgb.shape[:2] != labels.shape:
        sizes = " and ".join(f"{shape[1]} x {shape[0]}" for shape in (rgb.shape, labels.shape))
        raise PairError(f"{shown}: photo and label map differ in size ({sizes} px); export the map at the photo's size")


#: Ids of label maps that we write: those of the table of parts, and UNKNOWN.
PART_IDS = np.full(256, -1, np.int64)
PART_IDS[: len(PARTS)] = np.arange(len(PARTS))
PART_IDS[UNKNOWN] = UNKNOWN
