"""Palettes: what is read, what is refused and how, and that what is written is read back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import Capture, leftovers, maps, one_line, run
from hypothesis import given
from hypothesis import strategies as st

from faceparse_core.parts import PARTS
from svg_export.check import check_svg
from svg_export.palette import NAMES, PaletteError, read_palette, write_palette

GPL = """\
GIMP Palette
Name: Warm
Columns: 3
# by hand

 72  50  38\tHair
255 0 0 Ear LEFT
  1   2   3\tear
  9   9   9\tLip_upper
"""

colors = st.tuples(*[st.integers(0, 255)] * 3)


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_gimp_palette(tmp_path: Path, ending: str, mark: bytes) -> None:
    found = read_palette(written(tmp_path, "warm.GPL", mark + GPL.replace("\n", ending).encode()))
    assert found == {"hair": (72, 50, 38), "ear-left": (255, 0, 0), "ear-right": (1, 2, 3), "lip-upper": (9, 9, 9)}


def test_json(tmp_path: Path) -> None:
    text = '{"HAIR": "#4a3226", "lip": [186, 92, 88], "Lip lower": "abc", "background": "#FFFFFF"}'
    assert read_palette(written(tmp_path, "warm.json", text)) == {
        "background": (255, 255, 255), "lip-lower": (170, 187, 204), "lip-upper": (186, 92, 88), "hair": (74, 50, 38),
    }  # fmt: skip


@given(st.dictionaries(st.sampled_from(NAMES), colors, min_size=1), st.text())
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, palette: dict, title: str) -> None:
    path = tmp_path_factory.getbasetemp() / "again.gpl"
    path.write_bytes(write_palette(palette, title))
    assert read_palette(path) == palette
    assert write_palette(dict(reversed(palette.items())), title) == path.read_bytes()


def test_labels_are_names_too(tmp_path: Path) -> None:
    text = json.dumps({part.label: list(part.color) for part in PARTS})
    assert read_palette(written(tmp_path, "labels.json", text)) == {part.name: part.color for part in PARTS}


def test_a_word_for_several_parts_gives_way_to_one_for_fewer(tmp_path: Path) -> None:
    colors = {"skin": "#111", "ear-left": "#333", "ear": "#222", "face2-skin": "#444", "skin-light": "#555"}
    palette = read_palette(written(tmp_path, "skin.json", json.dumps(colors)))
    assert {name: palette[name][0] for name in ("head", "nose", "neck", "ear-right", "ear-left")} == {
        "head": 0x11, "nose": 0x11, "neck": 0x11, "ear-right": 0x22, "ear-left": 0x33,
    }  # fmt: skip
    assert palette["face2-ear-left"] == palette["face2-head"] == (0x44, 0x44, 0x44)
    assert palette["nose-light"] == (0x55, 0x55, 0x55)
    assert "skin" not in palette
    assert "lip-upper" not in palette


@pytest.mark.parametrize(("name", "text", "complaint"), [
    ("a.gpl", "", "first line"),
    ("a.gpl", "GIMP Palette\nName: x\n", "no swatch"),
    ("a.gpl", "GIMP Palette\n1 2 hair\n", "line 2"),
    ("a.gpl", "GIMP Palette\n1 2 256 hair\n", "line 2"),
    ("a.gpl", "GIMP Palette\n1 2 3\n", "no name"),
    ("a.gpl", "GIMP Palette\n1 2 3 Untitled\n", "'Untitled' is no part"),
    ("a.gpl", "GIMP Palette\n1 2 3 hair\n1 2 4 Hair\n", "two colours"),
    ("a.gpl", b"\x89PNG\r\n\x1a\n\xff\xfe", "UTF-8"),
    ("a.gpl", "GIMP Palette\n1 2 3 " + "x" * 5000, "no part"),
    ("a.gpl", "GIMP Palette\n" + "# \n" * 400_000, "too large"),
    ("a.json", "", "JSON"),
    ("a.json", "{}", "no swatch"),
    ("a.json", "[" * 100_000, "JSON"),
    ("a.json", "[1, 2, 3]", "object"),
    ("a.json", '{"hair": "brown"}', "'hair'"),
    ("a.json", '{"hair": [1, 2, true]}', "'hair'"),
    ("a.json", '{"hair": [1, 2, -1]}', "'hair'"),
    ("a.json", '{"hair": {"r": 1}}', "'hair'"),
    ("a.json", '{"moustache\\n": "#000000"}', "no part"),
    ("a.json", '{"hair": "#000000", "hair": "#000001"}', "two colours"),
    ("a.ase", "", ".gpl or a .json"),
])  # fmt: skip
def test_a_bad_palette_is_one_line(
    tmp_path: Path, name: str, text: str | bytes, complaint: str, capsys: Capture
) -> None:
    path = written(tmp_path, name, text)
    with pytest.raises(PaletteError, match=complaint.replace(".", r"\.")):
        read_palette(path)
    assert run("never-read.jpg", "--palette", path) == 2
    said = one_line(capsys)
    assert str(path) in said
    assert len(said) < 800


@pytest.mark.parametrize("name", ["missing.gpl", "folder.gpl"])
def test_a_palette_that_cannot_be_opened(tmp_path: Path, name: str, capsys: Capture) -> None:
    (tmp_path / "folder.gpl").mkdir()
    assert run("never-read.jpg", "--palette", tmp_path / name) == 2
    assert name in one_line(capsys)


def test_swatches_fill_and_the_rest_keeps_its_colour(face_png: Path, tmp_path: Path) -> None:
    palette = written(tmp_path, "p.json", '{"hair": "#123456", "eye": "#abcdef", "background": "#010203"}')
    assert run(face_png, "--from-labels", "--palette", palette, "--background", "--save-palette") == 0
    svg = face_png.with_name("drawn.svg").read_bytes()
    assert check_svg(svg) == []
    assert svg.count(b"fill:#123456") == 1
    assert svg.count(b"fill:#abcdef") == 2
    assert svg.count(b"fill:#010203") == 1
    assert b"fill:#e0ac8a" in svg
    used = read_palette(face_png.with_name("drawn.gpl"))
    assert used["hair"] == (0x12, 0x34, 0x56)
    assert used["head"] == PARTS[1].color
    assert used["background"] == (1, 2, 3)
    assert "hat" not in used


def test_the_palette_of_a_photo_draws_it_again(photo: Path, capsys: Capture) -> None:
    assert run(photo, "--save-palette", "--json") == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    palette, svg = photo.with_suffix(".gpl"), photo.with_suffix(".svg")
    assert next(event for event in events if event["event"] == "written")["palette"] == str(palette)
    first = svg.read_bytes(), palette.read_bytes()
    assert run(photo, "--save-palette") == 1
    assert "--force" in one_line(capsys)
    other = palette.rename(palette.with_name("other.gpl"))
    assert run(photo, "--palette", other, "--save-palette", "--force") == 0
    assert (svg.read_bytes(), palette.read_bytes()) == first
    assert leftovers(photo.parent) == []


def test_the_palette_that_is_read_is_not_written_over(tmp_path: Path, capsys: Capture) -> None:
    maps(tmp_path, "a.png")
    palette = written(tmp_path, "a.gpl", GPL)
    assert run(tmp_path / "a.png", "--from-labels", "--palette", palette, "--save-palette", "--force") == 2
    assert "itself" in one_line(capsys)
    assert palette.read_text() == GPL


def test_no_palette_to_stdout(capsys: Capture) -> None:
    assert run("-", "--save-palette") == 2
    one_line(capsys)
