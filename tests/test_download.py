"""Downloads: whole and checked, or not at all; against a server on localhost that misbehaves in every way."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Capture, one_line, run
from file_server import QUOTA, FileServer, serve

from faceparse_core import download, zoo
from faceparse_core.cache import cache_folder, sha256_of
from faceparse_core.download import DownloadError, fetch
from faceparse_core.errors import ModelError

CONTENT = bytes(range(256)) * 4000  # 1 MB
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MOST = 2_000_000


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serve(CONTENT) as running:
        yield running


@pytest.fixture
def other() -> Iterator[FileServer]:
    """A second source."""
    with serve(CONTENT) as running:
        yield running


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "WAIT", 0.001)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "file.pth"


def assert_whole(target: Path) -> None:
    assert sha256_of(target) == SHA256  # a million bytes in a message help nobody


def left(target: Path) -> list[str]:
    """What lies in the target's folder."""
    return sorted(path.name for path in target.parent.iterdir())


def test_a_file_arrives_whole(server: FileServer, target: Path) -> None:
    told: list[tuple[int, int | None]] = []
    fetch(target, [server.url], SHA256, MOST, lambda done, total: told.append((done, total)))
    assert_whole(target)
    assert left(target) == ["file.pth"]
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in told] == sorted(done for done, _ in told)


@pytest.mark.parametrize("length", [True, False])
def test_a_cut_connection_goes_on_where_it_stopped(server: FileServer, target: Path, length: bool) -> None:
    server.cut = [300_000, 200_000, 0, 100_000]
    server.length = length
    if not length:  # then a cut looks like the end: the checksum tells, and it begins anew from the next source
        with pytest.raises(DownloadError, match="wrong SHA-256"):
            fetch(target, [server.url], SHA256, MOST)
        assert left(target) == []
        return
    fetch(target, [server.url], SHA256, MOST)
    assert_whole(target)
    assert server.asked == [None, *(f"bytes={n}-" for n in (300_000, 500_000, 500_000, 600_000))]


def test_a_server_without_ranges_begins_anew(server: FileServer, target: Path) -> None:
    server.ranges, server.cut = False, [300_000]
    fetch(target, [server.url], SHA256, MOST)
    assert_whole(target)


def test_the_next_run_goes_on_and_so_does_the_next_source(server: FileServer, other: FileServer, target: Path) -> None:
    server.cut = [400_000] + [0] * 20
    with pytest.raises(DownloadError, match="cut"):
        fetch(target, [server.url], SHA256, MOST)
    assert left(target) == ["file.pth.part"]
    server.cut = [0] * 20
    fetch(target, [server.url, other.url], SHA256, MOST)
    assert other.asked == ["bytes=400000-"]
    assert_whole(target)


def test_what_was_whole_already_is_not_fetched_again(server: FileServer, target: Path) -> None:
    target.with_name("file.pth.part").write_bytes(CONTENT)
    fetch(target, [server.url], SHA256, MOST)
    assert server.asked == []
    assert left(target) == ["file.pth"]


def test_wrong_bytes_are_deleted_and_it_is_said(server: FileServer, other: FileServer, target: Path) -> None:
    server.content = CONTENT[:-1] + b"!"
    with pytest.raises(
        DownloadError, match=r"127\.0\.0\.1: another file than expected \(wrong SHA-256\); it was deleted"
    ):
        fetch(target, [server.url], SHA256, MOST)
    assert left(target) == []
    fetch(target, [server.url, other.url], SHA256, MOST)
    assert_whole(target)


@pytest.mark.parametrize("had", [b"other bytes" * 10, CONTENT + b"and more"], ids=["shorter", "longer"])
def test_a_part_of_something_else_is_no_harm(server: FileServer, other: FileServer, target: Path, had: bytes) -> None:
    target.with_name("file.pth.part").write_bytes(had)
    fetch(target, [server.url, other.url], SHA256, MOST)
    assert_whole(target)
    assert left(target) == ["file.pth"]


def test_a_server_that_asks_to_wait_a_little(server: FileServer, target: Path) -> None:
    server.refusals = [(429, {"Retry-After": "0"}), (503, {})]
    fetch(target, [server.url], SHA256, MOST)
    assert len(server.asked) == 3


def test_a_server_that_asks_to_wait_long_is_left(server: FileServer, other: FileServer, target: Path) -> None:
    server.refusals = [(429, {"Retry-After": "3600"})] * 9
    with pytest.raises(DownloadError, match=r"429 .*3600 s"):
        fetch(target, [server.url], SHA256, MOST)
    fetch(target, [server.url, other.url], SHA256, MOST)
    assert_whole(target)


def test_a_server_that_is_always_busy_is_left(server: FileServer, target: Path) -> None:
    server.refusals = [(429, {})] * 99
    with pytest.raises(DownloadError, match=f"429 .*{download.TRIES} times"):
        fetch(target, [server.url], SHA256, MOST)
    assert len(server.asked) == download.TRIES
    assert left(target) == []


@pytest.mark.parametrize("code", [403, 404, 410])
def test_a_refusal_is_final(server: FileServer, target: Path, code: int) -> None:
    server.refusals = [(code, {})] * 9
    with pytest.raises(DownloadError, match=f"127.0.0.1: HTTP {code}"):
        fetch(target, [server.url], SHA256, MOST)
    assert len(server.asked) == 1


def test_a_web_page_is_no_model(server: FileServer, target: Path) -> None:
    server.page = QUOTA
    with pytest.raises(DownloadError, match="web page"):
        fetch(target, [server.url], SHA256, MOST)
    assert left(target) == []


def test_another_range_than_asked_for(server: FileServer, target: Path) -> None:
    target.with_name("file.pth.part").write_bytes(CONTENT[:1000])
    server.wrong_range = True
    with pytest.raises(DownloadError, match="another range"):
        fetch(target, [server.url], SHA256, MOST)


@pytest.mark.parametrize("length", [True, False])
def test_an_endless_answer_ends(server: FileServer, target: Path, length: bool) -> None:
    server.length = length
    with pytest.raises(DownloadError, match="too long"):
        fetch(target, [server.url], SHA256, most=500_000)


def test_no_network_at_all(target: Path) -> None:
    with serve(b"") as gone:
        url = gone.url
    with pytest.raises(DownloadError, match="no connection"):
        fetch(target, [url, "http://no-such-host.invalid/file"], SHA256, MOST)
    assert left(target) == []


# the disk -------------------------------------------------------------------------------------------------------------


def test_a_disk_that_is_too_small_is_said_before(
    server: FileServer, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(target.parent)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(ModelError, match="the disk is full"):
        fetch(target, [server.url], SHA256, MOST)
    assert not target.exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a disk that is always full")
def test_a_disk_that_fills_up(server: FileServer, other: FileServer, target: Path) -> None:
    target.with_name("file.pth.part").symlink_to("/dev/full")
    with pytest.raises(ModelError, match="the disk is full; make room and run again"):
        fetch(target, [server.url, other.url], SHA256, MOST)
    assert other.asked == []  # another source would not help
    assert not target.exists()


def test_it_goes_on_once_there_is_room(server: FileServer, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(done: int, total: int | None) -> None:
        if done > 500_000:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ModelError, match="the disk is full"):
        fetch(target, [server.url], SHA256, MOST, full)
    part = target.with_name("file.pth.part").stat().st_size
    assert part > 500_000
    fetch(target, [server.url], SHA256, MOST)
    assert server.asked == [None, f"bytes={part}-"]
    assert_whole(target)


# by name --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def known(server: FileServer, other: FileServer, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`bisenet` from the two servers; returns where it will lie."""
    monkeypatch.delenv("FACEPARSE_OFFLINE", raising=False)
    file = zoo.ModelFile("weights.onnx", 1, SHA256, (server.url, other.url))
    model = dataclasses.replace(zoo.KNOWN["bisenet"], files=(file,))
    monkeypatch.setitem(zoo.KNOWN, "bisenet", model)
    return cache / "models" / "weights.onnx"


def test_get_path_and_remove(known: Path, server: FileServer, capsys: Capture) -> None:
    assert run("models", "path", "bisenet") == 1
    assert "models get bisenet" in one_line(capsys)
    assert run("models", "get", "bisenet") == 0
    said = capsys.readouterr()
    assert said.out == f"{known}\n"
    assert said.err == "faceparse-svg: note: downloading bisenet, 1 MB, this once\n"
    assert run("models", "get", "bisenet") == 0
    assert len(server.asked) == 1
    assert capsys.readouterr().err == ""
    assert run("models", "path", "bisenet") == 0
    assert capsys.readouterr().out == f"{known}\n"
    assert run("models", "remove", "bisenet") == 0
    assert capsys.readouterr().out == f"deleted {known}\n"
    assert run("models", "remove", "bisenet") == 0
    assert capsys.readouterr().out == "nothing of bisenet is in the cache\n"
    assert not known.exists()
    assert run("models", "remove", "bisenet") == 0


def test_what_a_killed_process_left_is_removed(known: Path, cache: Path, capsys: Capture) -> None:
    old, new = cache / "onnx" / ".faceparse-1.tmp", cache / "models" / ".faceparse-2.tmp"
    for path in (old, new):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    assert run("models", "remove", "bisenet") == 0
    assert capsys.readouterr().out == f"deleted {old}\n"
    assert new.exists(), "another process may be at it"


def test_the_embedded_model_is_not_exchanged(tmp_path: Path, capsys: Capture) -> None:
    assert run("models", "get", "embedded", "--from", tmp_path / "other.onnx") == 1
    assert "--model FILE" in one_line(capsys)


def test_the_list_says_all_that_one_wants_to_know(known: Path, capsys: Capture) -> None:
    assert run("models") == 0
    said = capsys.readouterr().out
    assert run("models", "list") == 0
    assert capsys.readouterr().out == said
    for word in (
        "embedded",
        "in the package",
        "bisenet",
        "53 MB",
        "not downloaded",
        "non-commercial",
        str(known),
        "fcn8s",
    ):
        assert word in said.replace("   1 MB", "  53 MB"), word
    zoo.get("bisenet")
    assert run("models", "list", "--json") == 0
    rows = {row["name"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert list(rows) == ["embedded", "bisenet", "fcn8s"]
    assert rows["bisenet"]["state"] == "downloaded"
    assert rows["bisenet"]["path"] == str(known)
    assert all(row["licence"] for row in rows.values())


@pytest.mark.parametrize(
    "words", [("get",), ("get", "resnet"), ("remove", "embedded"), ("convert", "a.jpg"), ("bogus",)]
)
def test_wrong_words_are_one_line(known: Path, words: tuple[str, ...], capsys: Capture) -> None:
    assert run("models", *words) in (1, 2)
    one_line(capsys)


def test_on_a_terminal_there_is_a_bar(known: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert run("models", "get", "bisenet") == 0
    said = capsys.readouterr().err
    assert "\rdownloading bisenet" in said
    assert "note:" not in said


def test_the_cache_is_where_the_system_has_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import platformdirs

    monkeypatch.delenv("FACEPARSE_CACHE", raising=False)
    assert cache_folder() == platformdirs.user_cache_path("faceparse-svg", appauthor=False)
    monkeypatch.setenv("FACEPARSE_CACHE", os.fspath(tmp_path))
    assert cache_folder() == tmp_path


def test_without_a_network_one_line_says_what_to_do(
    known: Path, server: FileServer, other: FileServer, photo: Path, capsys: Capture
) -> None:
    server.refusals = other.refusals = [(404, {})] * 9
    assert run("--model", "bisenet", photo) == 2
    said = one_line(capsys)
    assert "bisenet could not be downloaded" in said
    assert "models get bisenet --from 79999_iter.pth" in said
    assert not photo.with_suffix(".svg").exists()


def test_offline_nothing_is_asked(known: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEPARSE_OFFLINE", "1")
    with pytest.raises(ModelError, match="run in a terminal: faceparse-svg models get bisenet"):
        zoo.get("bisenet")
    assert server.asked == []


def test_a_file_got_elsewhere_is_checked(known: Path, server: FileServer, tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "downloaded.bin"
    file.write_bytes(CONTENT[:-1])
    assert run("models", "get", "bisenet", "--from", file) == 1
    assert "downloaded.bin is not weights.onnx" in one_line(capsys)
    assert not known.exists()
    file.write_bytes(CONTENT)
    assert run("models", "get", "bisenet", "--from", file) == 0
    assert_whole(known)
    assert server.asked == []
    assert run("models", "get", "bisenet", "--from", tmp_path / "none") == 1


def test_a_file_that_was_damaged_later_is_deleted(known: Path, server: FileServer) -> None:
    zoo.get("bisenet")
    known.write_bytes(b"damaged")
    with pytest.raises(ModelError, match=r"weights\.onnx: damaged in the cache .* deleted"):
        zoo.verified(known)
    assert_whole(zoo.get("bisenet"))


def test_two_at_once_fetch_it_once(known: Path, server: FileServer) -> None:
    threads = [threading.Thread(target=zoo.get, args=("bisenet",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_whole(known)
    assert len(server.asked) == 1
    assert left(known) == ["weights.onnx"]


def test_a_cache_that_cannot_be_written_to(known: Path, cache: Path, capsys: Capture) -> None:
    cache.write_text("a file where the folder should be")
    assert run("models", "get", "bisenet") == 1
    assert "FACEPARSE_CACHE" in one_line(capsys)


def test_without_torch_an_onnx_of_it_is_fetched(
    known: Path, server: FileServer, other: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = (
        zoo.ModelFile("weights.pth", 1, SHA256, (server.url,)),
        zoo.ModelFile("weights.onnx", 1, SHA256, (other.url,)),
    )
    monkeypatch.setitem(zoo.KNOWN, "bisenet", dataclasses.replace(zoo.KNOWN["bisenet"], files=files))
    monkeypatch.setattr(zoo, "can_convert", lambda: False)
    assert zoo.get("bisenet") == known
    assert server.asked == []
    monkeypatch.setattr(zoo, "can_convert", lambda: True)
    assert zoo.get("bisenet") == known  # what is there is good enough


def test_without_torch_a_checkpoint_is_not_taken_for_nothing(
    known: Path, server: FileServer, other: FileServer, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """It would lie in the cache, be of no use, and be asked for again."""
    files = (
        zoo.ModelFile("weights.pth", 1, SHA256, (server.url,)),
        zoo.ModelFile("weights.onnx", 1, "0", (other.url,)),
    )
    monkeypatch.setitem(zoo.KNOWN, "bisenet", dataclasses.replace(zoo.KNOWN["bisenet"], files=files))
    monkeypatch.setattr(zoo, "can_convert", lambda: False)
    own = known.parent.parent / "mine.pth"
    own.parent.mkdir(parents=True)
    own.write_bytes(CONTENT)
    assert run("models", "get", "bisenet", "--from", own) == 1
    line = one_line(capsys)
    assert "pip install '.[torch]'" in line
    assert f"get weights.onnx from {other.url}" in line
    assert not (known.parent / "weights.pth").exists()
    other.refusals = [(404, {})]
    with pytest.raises(ModelError, match=rf"get it by hand from {other.url} and run: .* --from weights\.onnx"):
        zoo.get("bisenet")


def test_an_archive_is_to_be_unpacked(tmp_path: Path, capsys: Capture) -> None:
    assert run("models", "get", "fcn8s", "--from", tmp_path / "face_seg_fcn8s.ZIP") == 1
    assert "unpack it first, and name the face_seg_fcn8s.caffemodel in it" in one_line(capsys)


def test_without_torch_fcn8s_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(zoo, "can_convert", lambda: False)
    (tmp_path / "a.caffemodel").write_bytes(b"")
    for words in (("get", "fcn8s"), ("get", "fcn8s", "--from", tmp_path / "a.caffemodel")):
        assert run("models", *words) == 1
        line = one_line(capsys)
        assert "pip install '.[torch]'" in line
        assert words[-1] != "fcn8s" or "faceparse-svg models get fcn8s --from" in line
    assert run("models", "convert", tmp_path / "a.caffemodel") == 1
    assert "pip install '.[torch]'" in one_line(capsys)


# Google Drive ---------------------------------------------------------------------------------------------------------

DRIVE = "https://drive.google.com/uc?id=154JgKpzCPW82qINcVieuPH3fZ2e0P812"


@pytest.fixture
def drive(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> FileServer:
    """Whatever gdown asks of Google goes to the server instead."""
    import requests

    real = requests.Session.request

    def rerouted(session: requests.Session, method: str, url: str, **options: object) -> requests.Response:
        assert url.startswith("https://drive.google.com/")
        return real(session, method, server.url, **options)

    monkeypatch.setattr(requests.Session, "request", rerouted)
    return server


@pytest.mark.torch
def test_drive_gives_the_file(drive: FileServer, target: Path) -> None:
    told: list[int] = []
    drive.cut = [600_000]
    fetch(target, [DRIVE], SHA256, MOST, lambda done, total: told.append(done))
    assert_whole(target)
    assert told[-1] == len(CONTENT)
    assert left(target) == ["file.pth"]
    assert drive.asked == [None, "bytes=524288-"]  # gdown keeps whole blocks of half a megabyte


@pytest.mark.torch
def test_drives_quota_page_leads_to_the_second_source(drive: FileServer, other: FileServer, target: Path) -> None:
    drive.page = QUOTA
    with pytest.raises(
        DownloadError, match=r"drive\.google\.com: .*Too many users have viewed or downloaded this file"
    ):
        fetch(target, [DRIVE], SHA256, MOST)
    fetch(target, [DRIVE, other.url], SHA256, MOST)
    assert_whole(target)


def test_what_drive_had_sent_goes_when_another_source_was_quicker(other: FileServer, target: Path) -> None:
    target.with_name("file.pth.drive0a1b2c.part").write_bytes(CONTENT[:100])  # as gdown names it
    fetch(target, [other.url], SHA256, MOST)
    assert_whole(target)
    assert left(target) == ["file.pth"]


@pytest.mark.torch
def test_wrong_bytes_and_refusals_of_drive(drive: FileServer, target: Path) -> None:
    drive.refusals = [(429, {"Content-Type": "text/html"})] * 9
    with pytest.raises(DownloadError, match=r"drive\.google\.com: gdown: .*public link"):
        fetch(target, [DRIVE], SHA256, MOST)
    drive.refusals = []
    drive.content = b"no model"
    with pytest.raises(DownloadError, match="wrong SHA-256"):
        fetch(target, [DRIVE], SHA256, MOST)
    assert left(target) == []
    drive.content = CONTENT * 3
    with pytest.raises(DownloadError, match="too long"):
        fetch(target, [DRIVE], SHA256, MOST)


def test_without_gdown_drive_is_passed_over(other: FileServer, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gdown", None)
    fetch(target, [DRIVE, other.url], SHA256, MOST)
    assert_whole(target)
