#!/usr/bin/env python3
"""Packs the Blender add-on: python tools/addon_zips.py [FOLDER, dist where none is given]

    faceparse_svg-VERSION.zip            the extension, for Blender 4.2 and later: its manifest stands at the root
    faceparse_svg-VERSION-legacy.zip     for Blender before 4.2: a folder `faceparse_svg`, without the manifest, for
                                         which later Blenders would take it for an extension

The same sources make the same bytes. Python's standard library is enough.
"""

from __future__ import annotations

import re
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ADDON = ROOT / "blender_addon"
NAME = "faceparse_svg"
MANIFEST = "blender_manifest.toml"
EARLIEST = (1980, 1, 1, 0, 0, 0)  # no file's own date: a checkout makes new ones


def sources(addon: Path = ADDON) -> list[str]:
    """The files that travel, relative to the add-on's folder, sorted. Nothing hidden, no bytecode."""
    names = (path.relative_to(addon).as_posix() for path in addon.rglob("*") if path.is_file())
    left_out = re.compile(r"(^|/)(\.|__pycache__/)|\.pyc$|~$")
    return sorted(name for name in names if not left_out.search(name))


def version(addon: Path = ADDON) -> str:
    """As the manifest says."""
    found = re.search(r'^version = "([^"]+)"$', (addon / MANIFEST).read_text("utf-8"), re.MULTILINE)
    if not found:
        raise SystemExit(f"{addon / MANIFEST} has no line: version = ..")
    return found[1]


def pack(target: Path, files: dict[str, Path]) -> Path:
    """A zip of the files, by the names they get in it."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, path in sorted(files.items()):
            entry = zipfile.ZipInfo(name, EARLIEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system, entry.external_attr = 3, 0o100644 << 16  # a plain file on Unix, wherever it is packed
            archive.writestr(entry, path.read_bytes())
    return target


def build(folder: Path, addon: Path = ADDON) -> tuple[Path, Path]:
    """Write both into the folder: (the extension, the legacy add-on)."""
    folder.mkdir(parents=True, exist_ok=True)
    stem, names = f"{NAME}-{version(addon)}", sources(addon)
    extension = pack(folder / f"{stem}.zip", {name: addon / name for name in names})
    legacy = {f"{NAME}/{name}": addon / name for name in names if name != MANIFEST}
    return extension, pack(folder / f"{stem}-legacy.zip", legacy)


if __name__ == "__main__":
    for written in build(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist"):
        print(f"wrote {written}")
