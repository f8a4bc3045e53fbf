"""Photos come out upright, in sRGB, flattened, in 8 bits; every file that is none gets one clear line."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms

from faceparse_core.errors import LabelMapError, PhotoError
from faceparse_core.group import PER_FACE
from faceparse_core.photo import Photo, read_label_map, read_photo

RED, GREEN, BLUE, WHITE = (200, 30, 20), (20, 160, 40), (30, 40, 190), (250, 250, 250)


def four_corners(height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """Red top left, green top right, blue bottom left, white bottom right."""
    rgb = np.empty((height, width, 3), np.uint8)
    rgb[: height // 2, : width // 2], rgb[: height // 2, width // 2 :] = RED, GREEN
    rgb[height // 2 :, : width // 2], rgb[height // 2 :, width // 2 :] = BLUE, WHITE
    return rgb


def encode(picture: NDArray[np.uint8] | Image.Image, kind: str, **options: object) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def corners(rgb: NDArray[np.uint8]) -> list[tuple[int, ...]]:
    h, w = rgb.shape[:2]
    return [tuple(rgb[y, x].tolist()) for y in (h // 4, 3 * h // 4) for x in (w // 4, 3 * w // 4)]


def assert_close(rgb: NDArray[np.uint8], wanted: NDArray[np.uint8], within: int) -> None:
    assert rgb.dtype == np.uint8
    assert rgb.flags.c_contiguous
    assert rgb.shape == wanted.shape
    assert np.abs(rgb.astype(int) - wanted).max() <= within


# ------------------------------------------------------------------------------------------------- every sort of file


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF"])
def test_lossless_formats(kind: str) -> None:
    assert_close(read_photo(encode(four_corners(), kind)).rgb, four_corners(), 0)


@pytest.mark.parametrize(("kind", "options"), [("JPEG", {"quality": 98, "subsampling": 0}), ("WEBP", {"quality": 98})])
def test_lossy_formats(kind: str, options: dict[str, int]) -> None:
    for found, wanted in zip(corners(read_photo(encode(four_corners(), kind, **options)).rgb),
                             [RED, GREEN, BLUE, WHITE], strict=True):  # fmt: skip
        assert np.abs(np.subtract(found, wanted)).max() <= 8


def test_the_first_picture_of_several() -> None:
    for kind in ("MPO", "GIF", "TIFF"):
        other = Image.new("RGB", (64, 48), "black")
        file = encode(four_corners(), kind, save_all=True, append_images=[other])
        assert np.abs(read_photo(file).rgb.astype(int) - four_corners()).mean() < 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_turns_the_photo_upright(orientation: int, kind: str) -> None:
    upright = Image.fromarray(four_corners())
    undo = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
            5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_270}  # fmt: skip
    as_held = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    rgb = read_photo(encode(as_held, kind, exif=exif)).rgb
    assert rgb.shape == (48, 64, 3)
    for found, wanted in zip(corners(rgb), [RED, GREEN, BLUE, WHITE], strict=True):
        assert np.abs(np.subtract(found, wanted)).max() <= 12


def test_broken_exif_is_left_out_of_account() -> None:
    file = encode(four_corners(), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x7f broken")
    assert read_photo(file).rgb.shape == (48, 64, 3)


def test_grey_palette_and_one_bit() -> None:
    grey = np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1))
    assert_close(read_photo(encode(grey, "PNG")).rgb, np.repeat(grey[..., None], 3, 2), 0)
    palette = Image.fromarray(four_corners()).convert("P", palette=Image.Palette.ADAPTIVE)
    assert_close(read_photo(encode(palette, "PNG")).rgb, four_corners(), 1)
    one_bit = Image.fromarray((grey > 100).astype(np.uint8) * 255).convert("1")
    assert set(np.unique(read_photo(encode(one_bit, "PNG")).rgb)) == {0, 255}


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparency_lies_on_white(mode: str) -> None:
    image = Image.new("RGBA", (64, 48), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 32, 48))
    image.paste((0, 0, 0, 128), (32, 0, 64, 24))
    if mode == "PA":  # a palette with one clear colour
        image = image.convert("RGBA").quantize(4)
    elif mode == "LA":
        image = image.convert("LA")
    rgb = read_photo(encode(image, "PNG")).rgb
    assert corners(rgb)[0] == corners(rgb)[2] == (255, 255, 255)
    assert 124 <= corners(rgb)[1][0] <= 130
    assert corners(rgb)[3] == (0, 0, 0)


# ------------------------------------------------------------------------------------------------------------ 16 bits


def png16(values: NDArray[np.uint16]) -> bytes:
    """A 16-bit PNG of grey (H, W) or RGB (H, W, 3), which Pillow reads and cannot write."""
    kind = 0 if values.ndim == 2 else 2
    rows = b"".join(b"\x00" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, kind, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


def tiff16(values: NDArray[np.uint16]) -> bytes:
    """A 16-bit RGB TIFF, little-endian, in one strip."""
    h, w = values.shape[:2]
    data = values.astype("<u2").tobytes()
    tags = [(256, 4, 1, w), (257, 4, 1, h), (258, 3, 3, 8), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 14),
            (277, 3, 1, 3), (278, 4, 1, h), (279, 4, 1, len(data))]  # fmt: skip
    body = struct.pack("<HHH", 16, 16, 16) + data
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    return struct.pack("<2sHI", b"II", 42, 8 + len(body)) + body + directory


@pytest.mark.parametrize("write", [png16, tiff16])
def test_16_bit_rgb_is_scaled(write: object) -> None:
    values = four_corners().astype(np.uint16) * 257
    assert_close(read_photo(write(values)).rgb, four_corners(), 1)  # type: ignore[operator]


def test_16_bit_grey_is_scaled_not_clipped() -> None:
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (48, 1))
    wanted = np.repeat((ramp // 257).astype(np.uint8)[..., None], 3, 2)
    assert_close(read_photo(png16(ramp)).rgb, wanted, 1)
    assert_close(read_photo(encode(Image.fromarray(ramp), "TIFF")).rgb, wanted, 1)


def test_floats_are_refused() -> None:
    with pytest.raises(PhotoError, match=r"floating-point.*16 bits"):
        read_photo(encode(Image.fromarray(np.zeros((48, 64), np.float32)), "TIFF"))


# ----------------------------------------------------------------------------------------------------- colour profiles


def wide_gamut_profile() -> bytes:
    """sRGB's profile with red and green exchanged: nobody can mistake whether it was applied."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", profile[128:132])[0]
    for i in range(count):
        at = 132 + 12 * i
        swapped = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}.get(bytes(profile[at : at + 4]))
        if swapped:
            profile[at : at + 4] = swapped
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be")).replace(b"sRGB ", b"test ")


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_a_profile_is_converted_to_srgb(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    rgb = read_photo(encode(four_corners(), kind, icc_profile=wide_gamut_profile(), **options)).rgb
    assert_close(rgb, four_corners()[..., [1, 0, 2]], 3)


def test_srgb_and_broken_profiles_change_nothing() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, b"not a profile", srgb[:200]):
        assert_close(read_photo(encode(four_corners(), "PNG", icc_profile=profile)).rgb, four_corners(), 1)


def test_a_grey_photo_with_a_profile_for_rgb_is_read() -> None:
    grey = np.full((48, 64), 77, np.uint8)
    rgb = read_photo(encode(grey, "PNG", icc_profile=wide_gamut_profile())).rgb
    assert_close(rgb, np.full((48, 64, 3), 77, np.uint8), 0)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_is_not_inverted(kind: str) -> None:
    """Pillow writes CMYK JPEGs inverted with Adobe's marker, as Photoshop does."""
    rgb = read_photo(encode(Image.fromarray(four_corners()).convert("CMYK"), kind)).rgb
    for found, wanted in zip(corners(rgb), [RED, GREEN, BLUE, WHITE], strict=True):
        assert np.abs(np.subtract(found, wanted)).max() <= 16


# ------------------------------------------------------------------------------------------------------------ refusals


def test_names_of_any_characters(tmp_path: Path) -> None:
    for name in ("-o.png", "a 'b' \"c\" & <d>.png", "\N{GRINNING FACE}.png", "two\nlines.png", "a.b.png", "plain"):
        path = tmp_path / name
        path.write_bytes(encode(four_corners(), "PNG"))
        photo = read_photo(path)
        assert photo.rgb.shape == (48, 64, 3)
        assert photo.name == Path(name).stem.replace("\n", "\N{REPLACEMENT CHARACTER}")
    assert read_photo(os.fspath(path), name="Eileen").name == "Eileen"
    assert read_photo(path.read_bytes()).name == "photo"


@pytest.mark.skipif(sys.platform != "linux", reason="only there a name can be any bytes")
def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    path = os.path.join(os.fsencode(tmp_path), b"\xff.png")
    Path(os.fsdecode(path)).write_bytes(encode(four_corners(), "PNG"))
    read_photo(os.fsdecode(path)).name.encode("utf-8")
    with pytest.raises(PhotoError) as caught:
        read_photo(os.fsdecode(path + b"x"))
    str(caught.value).encode("utf-8")


def test_refusals_say_what_is_wrong_and_what_to_do(tmp_path: Path) -> None:
    jpeg = encode(np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8), "JPEG")
    files = {
        "empty.jpg": (b"", "is empty.*copy"),
        "text.jpg": (b"Dear reader, this is no picture.", "not a picture.*JPEG"),
        "cut.jpg": (jpeg[: len(jpeg) // 2], "cut off.*copy"),
        "cut.png": (encode(four_corners(), "PNG")[:80], "cut off|broken"),
        "dot.png": (encode(np.zeros((1, 1, 3), np.uint8), "PNG"), "1 x 1 pixels.*larger"),
        "phone.heic": (b"\x00\x00\x00\x18ftypheic" + bytes(16), "HEIC.*JPEG"),
        "drawing.svg": (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "drawing.*PNG"),
    }
    for name, (data, message) in files.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(PhotoError, match=message) as caught:
            read_photo(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(PhotoError, match="no such file"):
        read_photo(tmp_path / "nobody.jpg")
    with pytest.raises(PhotoError, match="a folder"):
        read_photo(tmp_path)
    with pytest.raises(PhotoError, match="cannot be read"):
        read_photo("a\0b.jpg")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(encode(four_corners(), "PNG"))
    path.chmod(0)
    with pytest.raises(PhotoError, match="permissions"):
        read_photo(path)


@pytest.mark.parametrize("side", [13500, 60000])
def test_a_decompression_bomb_is_not_opened(side: int) -> None:
    """13500 pixels a side are beyond our limit and within Pillow's; 60000 beyond both."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = png16(np.zeros((1, 1), np.uint16))
    start = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    with pytest.raises(PhotoError, match=r"too large.*scale it down"):
        read_photo(body[:8] + start + body[33:])


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"]), st.data())
def test_broken_files_raise_nothing_else(kind: str, data: st.DataObject) -> None:
    file = bytearray(encode(four_corners(), kind))
    for _ in range(data.draw(st.integers(1, 12))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(PhotoError):
        assert read_photo(bytes(file[: data.draw(st.integers(1, len(file)))])).rgb.ndim == 3


# ---------------------------------------------------------------------------------------------------------- label maps


def test_label_maps_grey_or_palette(tmp_path: Path) -> None:
    labels = np.tile(np.arange(20, dtype=np.uint8), (8, 2))
    path = tmp_path / "a.labels.png"
    path.write_bytes(encode(labels, "PNG"))
    assert_close(read_label_map(path), labels, 0)
    coloured = Image.fromarray(labels)
    coloured.putpalette(np.random.default_rng(0).integers(0, 255, 768, np.uint8).tolist())
    assert coloured.mode == "P"
    assert_close(read_label_map(encode(coloured, "PNG")), labels, 0)


def test_label_maps_that_are_none() -> None:
    labels = np.zeros((8, 10), np.uint8)
    labels[0, :3], labels[1, 1] = 77, 255
    with pytest.raises(LabelMapError, match=r"77 \(3 px\), 255 \(1 px\).*0 to 19"):
        read_label_map(encode(labels, "PNG"))
    with pytest.raises(LabelMapError, match=r"mode RGB.*one channel"):
        read_label_map(encode(four_corners(), "PNG"))
    with pytest.raises(LabelMapError, match=r"JPEG.*PNG"):
        read_label_map(encode(labels, "JPEG"))
    with pytest.raises(LabelMapError, match="no such file"):
        read_label_map("nowhere.png")
    with pytest.raises(LabelMapError, match=r"cut off|broken"):
        read_label_map(encode(np.random.default_rng(0).integers(0, 19, (90, 90), np.uint8), "PNG")[:-2000])


def test_nothing_heavy_is_imported_before_a_photo_is_read() -> None:
    code = (
        "import sys, faceparse_core.photo, faceparse_core.heads\n"
        "heavy = {'cv2', 'onnxruntime', 'torch', 'PIL'} & sys.modules.keys()\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_label_maps_of_several_heads() -> None:
    twelve = np.tile(np.arange(PER_FACE * 12, dtype=np.uint8), (4, 1))
    twelve[twelve % PER_FACE == 0] = 0
    read = read_label_map(encode(twelve, "PNG"))
    assert read.dtype == np.uint8
    assert (read == twelve).all()
    many = np.arange(PER_FACE * 30, dtype=np.uint16)[None].repeat(3, 0)
    many[many % PER_FACE == 0] = 0
    read = read_label_map(png16(many))
    assert read.dtype == np.uint16
    assert (read == many).all()
    few = read_label_map(png16(twelve.astype(np.uint16)))  # as some programs save whatever they are given
    assert few.dtype == np.uint8
    assert (few == twelve).all()


@pytest.mark.parametrize("value", [PER_FACE, 2 * PER_FACE, 2 * PER_FACE + 1, 255])
def test_a_face_needs_the_one_before_it(value: int) -> None:
    """A mask of 0 and 255, or a grey picture, is no label map of thirteen heads."""
    labels = np.ones((8, 10), np.uint8)
    labels[0, :3] = value
    with pytest.raises(LabelMapError, match=rf"no part has the id {value} \(3 px\).*second face 21 to 39"):
        read_label_map(encode(labels, "PNG"))
    with pytest.raises(LabelMapError, match="no part has the id"):
        read_label_map(encode(np.arange(256, dtype=np.uint8)[None].repeat(9, 0), "PNG"))


@pytest.mark.parametrize("pixels", [
    np.zeros((40, 40), np.uint8),
    np.zeros((40, 40, 4), np.uint8),
    np.zeros((40, 0, 3), np.uint8),
    np.zeros((40, 40, 3), np.float32),
])  # fmt: skip
def test_what_is_no_photo_is_told_before_it_is_parsed(pixels):
    with pytest.raises(PhotoError, match=r"uint8 \(H, W, 3\)"):
        Photo(pixels, "none")


@pytest.mark.parametrize("bits", [8, 16])
def test_grey_in_32_bits_holds_8_or_16(bits, tmp_path):
    grey = np.linspace(0, 255, 64 * 64).astype(np.int32).reshape(64, 64)
    Image.fromarray(grey << (bits - 8)).save(tmp_path / "grey.tif")
    assert (read_photo(tmp_path / "grey.tif").rgb == grey[..., None]).all()
