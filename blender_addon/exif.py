# SPDX-License-Identifier: GPL-3.0-or-later
"""How a photo is to be turned: the orientation in its EXIF data. Blender shows pictures as stored. No bpy here."""

from __future__ import annotations

import struct

_ORIENTATION = 0x0112
#: EXIF 2.32, table 6: value -> (degrees clockwise, mirrored left to right before that).
_TURNS = {
    1: (0, False), 2: (0, True), 3: (180, False), 4: (180, True),
    5: (270, True), 6: (90, False), 7: (90, True), 8: (270, False),
}  # fmt: skip


def orientation(path: str) -> tuple[int, bool]:
    """(degrees clockwise, mirrored first) that bring a JPEG upright; (0, False) where nothing is said."""
    try:
        with open(path, "rb") as file:
            return _TURNS.get(_read(file.read(1 << 18)), (0, False))  # EXIF stands in the first 64 kB
    except (OSError, struct.error):
        return 0, False


def _read(data: bytes) -> int:
    if data[:2] != b"\xff\xd8":
        return 1
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == 0xE1 and data[position + 4 : position + 10] == b"Exif\0\0":
            return _orientation(data[position + 10 : position + 2 + length])
        if marker == 0xDA:  # the picture itself begins
            break
        position += 2 + length
    return 1


def _orientation(tiff: bytes) -> int:
    order = "<" if tiff[:2] == b"II" else ">"
    (first,) = struct.unpack_from(order + "I", tiff, 4)
    (count,) = struct.unpack_from(order + "H", tiff, first)
    for entry in range(first + 2, first + 2 + 12 * count, 12):
        tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, entry)
        if tag == _ORIENTATION:
            return int(value)
    return 1
