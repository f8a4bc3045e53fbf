"""A photo is read once, here: upright, in sRGB, flattened, 8 bits a channel. So are label maps drawn by hand.

Pillow does the decoding and is imported when the first picture is read. What a file can be is limited on purpose to
the formats photos come in: Pillow's others would start Ghostscript, or show a drawing's thumbnail.
"""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from faceparse_core.errors import FaceParseError, LabelMapError, PhotoError, printable
from faceparse_core.group import PER_FACE, GroupMap, faces_of, narrowed, parts_of
from faceparse_core.parts import MOST_OWN, OWN, PARTS, STANDARD, PartTable

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = TypeVar("Pixels")
Source = str | os.PathLike[str] | bytes

#: Pillow's names; the commonest first: the last two make Pillow load all of its plugins.
PHOTO_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF")
#: JPEG is missing: it blurs ids into others.
LABEL_FORMATS = ("PNG", "BMP", "GIF", "TIFF")

LARGEST = 170_000_000  #: pixels. Pillow's own stop is at 178 million; a phone's largest photo has 200 million, rarely
SMALLEST_SIDE = 32  #: pixels: with fewer nobody recognises a face


@dataclass(frozen=True)
class Photo:
    """A photo as everybody sees it: `rgb` uint8 (H, W, 3), C-contiguous, sRGB; `name` for titles."""

    rgb: NDArray[np.uint8]
    name: str

    def __post_init__(self) -> None:
        """Raises PhotoError."""
        if self.rgb.dtype != np.uint8 or self.rgb.shape[2:] != (3,) or not self.rgb.size:
            raise PhotoError(f"a photo is uint8 (H, W, 3) in RGB, not {self.rgb.dtype} {self.rgb.shape}")


def read_photo(source: Source, name: str | None = None) -> Photo:
    """Reads a JPEG, PNG, WebP, TIFF, BMP or GIF file (its first picture), or the bytes of one.

    Turned upright by its EXIF orientation, converted to sRGB by its colour profile, transparency on white; grey,
    palette, CMYK and 16 bits a channel become 8-bit RGB. `name` is the file's stem unless given.
    Raises PhotoError, with what to do, where the file cannot be read or is no photo.
    """
    shown = printable(name or "the photo") if isinstance(source, bytes) else printable(os.fspath(source))
    image = _open(_read(source, shown, PhotoError), shown, PHOTO_FORMATS, PhotoError)
    if min(image.size) < SMALLEST_SIDE:
        raise PhotoError(
            f"{shown}: {image.width} x {image.height} pixels are too few to hold a face; take a larger picture"
        )
    rgb = _guarded(lambda: _pixels(_to_srgb(_flatten(_upright(image)), image.info.get("icc_profile"))), shown)
    stem = "photo" if isinstance(source, bytes) else Path(source).stem
    return Photo(rgb, printable(stem if name is None else name))


def read_label_map(source: Source, table: PartTable = STANDARD) -> GroupMap:
    """Reads a label map (H, W): a PNG (or TIFF, BMP, GIF) of one channel whose values are part ids.

    table  with the own parts of the model that made it, as `classes.read_classes` reads them

    A map of several heads holds more than ids, see `faceparse_core.group`; uint16 where 8 bits cannot hold it. The
    values of a palette picture are its indices, whatever their colours. Raises LabelMapError where the file is of
    another kind, or holds ids that no part has.
    """
    shown = "the label map" if isinstance(source, bytes) else printable(os.fspath(source))
    image = _open(_read(source, shown, LabelMapError), shown, LABEL_FORMATS, LabelMapError)
    if image.mode not in ("L", "P", "I;16"):
        raise LabelMapError(
            f"{shown}: this is a picture of mode {image.mode}; a label map has one channel of part ids, "
            "as --save-labels writes it"
        )
    kind = np.uint16 if image.mode == "I;16" else np.uint8
    labels = narrowed(cast("GroupMap", _guarded(lambda: np.array(image, dtype=kind), shown, LabelMapError)))
    counts = np.bincount(labels.ravel())
    values = np.flatnonzero(counts)
    codes = cast("GroupMap", values.astype(labels.dtype))
    faces, parts = faces_of(codes), parts_of(codes)
    # Faces are numbered without a gap, from the first; what is not of such a face is a mistake, or no label map.
    there = np.union1d(faces, [0, 1])
    numbered = there[there == np.arange(len(there))]
    strange = ~np.isin(faces, numbered) | ((parts == 0) & (values > 0))
    strange |= ~np.isin(parts, [part.id for part in table.parts])
    unknown = [f"{i} ({counts[i]} px)" for i in values[strange].tolist()]
    if not unknown:
        return labels
    listed = ", ".join(unknown[:5]) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
    if ((parts[strange] >= OWN) & (parts[strange] < OWN + MOST_OWN) & np.isin(faces[strange], numbered)).all():
        raise LabelMapError(
            f"{shown}: a model's own part has the id {listed}, and nothing here names it; give that model's "
            "NAME.parts.json with --classes"
        )
    raise LabelMapError(
        f"{shown}: no part has the id {listed}; parts are 0 to {len(PARTS) - 1}, "
        f"those of a second face {PER_FACE + 1} to {PER_FACE + len(PARTS) - 1}"
    )


# -------------------------------------------------------------------------------------------------------- opening


def _read(source: Source, shown: str, error: type[FaceParseError]) -> bytes:
    """The bytes of the file, or a clear refusal."""
    if isinstance(source, bytes):
        data = source
    else:
        try:
            data = Path(source).read_bytes()
        except FileNotFoundError:
            raise error(f"{shown}: no such file; check the name") from None
        except IsADirectoryError:
            raise error(f"{shown}: this is a folder; name a picture in it") from None
        except PermissionError:
            if Path(source).is_dir():  # what Windows says of a folder
                raise error(f"{shown}: this is a folder; name a picture in it") from None
            raise error(f"{shown}: not allowed to read it; change its permissions") from None
        except (OSError, ValueError) as problem:  # ValueError: a NUL in the name
            reason = (problem.strerror if isinstance(problem, OSError) else None) or str(problem)
            raise error(f"{shown}: cannot be read: {reason}") from problem
    if not data:
        raise error(f"{shown}: the file is empty; copy it again from where it came")
    return data


def _open(data: bytes, shown: str, formats: tuple[str, ...], error: type[FaceParseError]) -> Image:
    """The picture with its header read and no pixel decoded yet."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns from 89 million pixels on; we have a limit of our own
            image = Image.open(io.BytesIO(data), formats=formats)
    except UnidentifiedImageError:
        raise error(f"{shown}: {_what_else(data, formats)}") from None
    except Image.DecompressionBombError:
        raise error(f"{shown}: too large, more than {LARGEST // 10**6} million pixels; scale it down first") from None
    except Exception as problem:
        raise error(f"{shown}: a broken picture file ({printable(str(problem))}); save it again") from problem
    if image.width * image.height > LARGEST:
        raise error(
            f"{shown}: {image.width} x {image.height} is too large, more than {LARGEST // 10**6} million pixels; "
            "scale it down first"
        )
    return image


def _what_else(data: bytes, formats: tuple[str, ...]) -> str:
    """What to say of a file that is none of `formats`."""
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"hevc", b"avif"):
        return "HEIC and AVIF cannot be read; export it as JPEG or PNG"
    if data[:3] == b"\xff\xd8\xff" and "JPEG" not in formats:
        return "a JPEG is no label map, it blurs the ids; save it as PNG"
    if data[:5] == b"%PDF-" or b"<svg" in data[:1024]:
        return "a drawing, not a photo; export it as PNG first"
    return f"not a picture that can be read; {', '.join(formats)} can"


def _guarded(decode: Callable[[], Pixels], shown: str, error: type[FaceParseError] = PhotoError) -> Pixels:
    """Runs `decode`. Whatever a broken file makes Pillow raise becomes one clear line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on odd EXIF, odd palettes: what matters raises
            return decode()
    except FaceParseError as problem:
        raise error(f"{shown}: {problem}") from None
    except MemoryError:
        raise error(f"{shown}: not enough memory for a picture of this size; scale it down first") from None
    # Pillow's decoders raise nearly anything on broken files: OSError, SyntaxError, ValueError, struct.error, ...
    except Exception as problem:
        reason = printable(str(problem)) or type(problem).__name__
        if "truncated" in reason.lower() or isinstance(problem, EOFError):
            raise error(f"{shown}: the file is cut off, its end is missing; copy it again") from problem
        raise error(f"{shown}: a broken picture file ({reason}); save it again") from problem


# -------------------------------------------------------------------------------------------------- decoding in steps


def _upright(image: Image) -> Image:
    """Decoded, and turned as the camera was held."""
    from PIL import ImageOps

    image.load()
    with contextlib.suppress(Exception):  # EXIF is a note on the side: where it is broken, the picture stays as it is
        ImageOps.exif_transpose(image, in_place=True)  # in place: of a large photo there is no second copy
    return image


def _flatten(image: Image) -> Image:
    """One of L, RGB, CMYK: 8 bits, no palette, nothing transparent."""
    from PIL import Image as Pillow

    if image.mode.startswith("I"):  # 16-bit grey; `convert` would clip it to white
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise PhotoError("more than 16 bits a channel cannot be read; save it with 8 or 16")
        # in 32 bits there may be 8: a photo of 16 that is so dark shows nothing either way
        return Pillow.fromarray((values >> (8 if values.max() > 255 else 0)).astype(np.uint8))
    if image.mode == "F":
        raise PhotoError("floating-point pictures cannot be read, where white lies is not said; save it with 16 bits")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Pillow.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return white
    if image.mode in ("L", "RGB", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _to_srgb(image: Image, profile: bytes | None) -> Image:
    """RGB in sRGB. A profile that is broken, or made for other channels than the picture's, is left out of account."""
    if profile and not _is_srgb(profile):
        from PIL import ImageCms

        with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError, TypeError):
            source, target = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
            if image.mode == "RGB":  # in place: of a large photo there is no second copy
                ImageCms.profileToProfile(image, source, target, inPlace=True)
                return image
            converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
            if converted is not None:
                return converted
    return image if image.mode == "RGB" else image.convert("RGB")


def _is_srgb(profile: bytes) -> bool:
    """Whether a profile's description says sRGB, as most photos' does: then a second of arithmetic is saved."""
    head = profile[:4096]
    return head[16:20] == b"RGB " and (b"sRGB IEC61966" in head or "sRGB IEC61966".encode("utf-16-be") in head)


def _pixels(image: Image) -> NDArray[np.uint8]:
    """uint8 (H, W, 3). In strips: in one piece Pillow holds the picture twice beside the array."""
    rgb = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, 256):
        bottom = min(top + 256, image.height)
        rgb[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
    return rgb
