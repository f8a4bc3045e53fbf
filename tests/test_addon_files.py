"""The add-on's own file access: names that are free, files written whole, what is told on one line."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from blender_addon import files

posix = pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")


def test_a_name_that_is_free(tmp_path: Path) -> None:
    photo, folder = os.fspath(tmp_path / "me.at.sea.jpg"), os.fspath(tmp_path)
    assert files.free_path(photo, folder) == os.path.join(folder, "me.at.sea.svg")
    (tmp_path / "me.at.sea.svg").touch()
    (tmp_path / "me.at.sea-2.svg").symlink_to("nowhere")  # taken too
    assert files.free_path(photo, folder) == os.path.join(folder, "me.at.sea-3.svg")


def test_whether_a_folder_can_be_written_to(tmp_path: Path) -> None:
    assert files.can_write(os.fspath(tmp_path))
    assert not list(tmp_path.iterdir())
    assert not files.can_write(os.fspath(tmp_path / "missing"))
    assert not files.can_write("/proc" if os.path.isdir("/proc") else os.fspath(tmp_path / "missing"))


@posix
def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.svg"
    files.write_whole(os.fspath(path), b"one")
    other = tmp_path / "b.svg"
    other.touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(other.stat().st_mode), "not as any new file"
    path.chmod(0o640)
    link = tmp_path / "link.svg"
    link.symlink_to(path)
    files.write_whole(os.fspath(link), b"two")
    assert link.is_symlink()
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        files.write_whole(os.fspath(path), b"three")
    assert path.read_bytes() == b"two"
    assert {entry.name for entry in tmp_path.iterdir()} == {"a.svg", "b.svg", "link.svg"}


def test_what_is_told_stands_on_one_line() -> None:
    assert files.one_line("a\n\tb\u2028c\x1b[1m d\udcff") == "a b c [1m d"
    assert files.one_line("ünï 🙂") == "ünï 🙂"
