"""Parts of one's own, and the face alone: from painted photos to a network with its card, on faces made here."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import ROOT, draw_face

from faceparse_core.classes import Classes, classes_beside, write_beside
from faceparse_core.errors import FaceParseError, ModelError
from faceparse_core.parts import FACE, OWN, PARTS, own_parts

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

STICKER = 20  # its class; in label maps it has the id OWN
SIZE = 128  #: px of a made face


def made_face(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(rgb uint8, label map) of a face of ellipses in colours of its own, SIZE x SIZE."""
    rng = np.random.default_rng(seed)
    labels = draw_face((SIZE, SIZE))
    palette = np.array([part.color for part in PARTS], np.float32) * np.float32(0.8) + rng.normal(0, 8, (20, 3))
    rgb = np.clip(palette[labels] + rng.normal(0, 5, (SIZE, SIZE, 3)), 0, 255).astype(np.uint8)
    return rgb, labels


def with_sticker(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same with a green disc on the face: rgb, what it covers (bool), the labels beneath."""
    rgb, labels = made_face(seed)
    rng = np.random.default_rng((1, seed))
    mask = np.zeros(labels.shape, np.uint8)
    center = rng.uniform(0.33, 0.62, 2) * SIZE
    cv2.circle(mask, np.rint(center).astype(int).tolist(), int(rng.integers(9, 15)), 255, -1)
    rgb[mask > 0] = np.clip(rng.normal((40, 190, 70), 10), 0, 255).astype(np.uint8)
    return rgb, mask > 0, labels


def write_rgb(path: Path, rgb: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), rgb[..., ::-1])


def painted(folder: Path, seeds: range, absent: int = 0) -> Path:
    """Photos with masks as Krita and GIMP export them, by turns; of the last `absent` the mask is empty."""
    for number, seed in enumerate(seeds):
        rgb, mask, _ = with_sticker(seed)
        if number >= len(seeds) - absent:
            rgb, mask = made_face(seed)[0], np.zeros_like(mask)
        write_rgb(folder / f"photo {seed}.bmp.jpg" if number == 0 else folder / f"photo {seed}.jpg", rgb)
        stem = f"photo {seed}.bmp" if number == 0 else f"photo {seed}"
        if number % 2:
            layer = np.zeros((*mask.shape, 4), np.uint8)
            layer[mask] = (30, 0, 250, 255)
            cv2.imwrite(str(folder / f"{stem}.png"), layer)
        else:
            cv2.imwrite(str(folder / f"{stem}_mask.png"), np.uint8(255) * mask)
    return folder


def settings(**changes):
    from faceparse_core.training.settings import TrainSettings

    values = {
        "width": 0.25, "steps": 160, "batch": 8, "rendered_of_16": 0, "warmup": 10, "rate": 4e-3, "ema": 0.9,
        "sizes": ((0.0, 96),), "later": 0.0, "save_every": 1000,
    }  # fmt: skip
    return TrainSettings(**{**values, **changes})


@pytest.fixture(scope="module")
def known(tmp_path_factory) -> Path:
    """A network that knows made faces, exported."""
    from faceparse_core.training.export import export_parser, load_checkpoint
    from faceparse_core.training.layouts import find_sets
    from faceparse_core.training.parser import train_parser
    from faceparse_core.training.stream import make_mixture

    folder = tmp_path_factory.mktemp("known")
    for seed in range(12):
        rgb, labels = made_face(seed)
        write_rgb(folder / "pairs" / f"{seed}.jpg", rgb)
        cv2.imwrite(str(folder / "pairs" / f"{seed}_labels.png"), labels)
    checkpoint = train_parser(make_mixture(find_sets(folder / "pairs")), folder / "run", settings())
    export_parser(load_checkpoint(checkpoint), folder / "known.onnx", 128, 1.8)
    return folder / "known.onnx"


@pytest.fixture(scope="module")
def taught(known, tmp_path_factory) -> Path:
    """The same network after it was shown stickers, exported with what stands beside it."""
    return teach(known, tmp_path_factory.mktemp("taught"))


def teach(known: Path, folder: Path, **changes) -> Path:
    from faceparse_core.training.checkpoint import read_checkpoint
    from faceparse_core.training.export import export_parser, load_checkpoint
    from faceparse_core.training.own import named_folder, own_sets, read_own, with_added
    from faceparse_core.training.parser import train_parser
    from faceparse_core.training.stream import make_mixture
    from faceparse_core.training.teacher import load_teacher

    painted(folder / "photos", range(100, 116), absent=3)
    (folder / "photos" / "part.json").write_text('{"label": "Star", "above": "nose", "color": [40, 190, 70]}')
    teacher = load_teacher(known)
    named = named_folder(f"sticker={folder / 'photos'}")
    classes = with_added(teacher.classes, [named])
    own = read_own(named, classes, teacher)
    assert len(own.pairs) == 16
    assert not own.broken
    mixture = make_mixture(own_sets([own], classes), classes)
    plan = settings(**{"steps": 160, "rate": 8e-4, "auxiliary": 0.0, "keep": 20.0, **changes})
    checkpoint = train_parser(mixture, folder / "run", plan, weights=known)
    export_parser(load_checkpoint(checkpoint), folder / "mine.onnx", 128, 1.8)
    write_beside(read_checkpoint(checkpoint).classes, folder / "mine.onnx")
    return folder / "mine.onnx"


def said_by(path: Path, rgb: np.ndarray) -> np.ndarray:
    """The map of classes of a whole made face, read as large as faces were shown in training."""
    from faceparse_core.training.teacher import Teacher, load_teacher

    teacher = load_teacher(path)
    return Teacher(replace(teacher.parser, size=96), teacher.classes).probabilities(rgb, SIZE).argmax(0)


@pytest.mark.parametrize("on_head", [True, False])
def test_heads_are_measured_as_the_product_measures_them(on_head):
    """Headphones stand out to both sides and above: they are of the face only where they are said to lie on it."""
    from faceparse_core.parse import measure_head
    from faceparse_core.parser import ModelInfo, Parser
    from faceparse_core.training.own import confirmed_heads
    from faceparse_core.training.teacher import Teacher

    classes = Classes((*Classes().meanings, (OWN,)), own_parts({"headphones": {"on_head": on_head}}))
    labels = np.pad(draw_face((64, 64)), 96)
    face = labels.copy()
    labels[80:190, [*range(80, 110), *range(146, 176)]] = OWN
    rgb = np.zeros((*labels.shape, 3), np.uint8)
    rgb[..., 0] = labels  # what the network goes by

    def run(rgb):
        seen = np.rint(rgb[:, 0]).astype(int)
        return np.stack([np.where(seen == part, 9, 0) for (part, *_) in classes.meanings], 1).astype(np.float32)

    head = confirmed_heads(rgb, Teacher(Parser(ModelInfo("made", "0" * 64), 256, 1.8, run), classes))[0]
    expected = measure_head(labels if on_head else face, table=classes.table)
    assert head.size == pytest.approx(expected.size, rel=0.05)
    assert np.hypot(head.x - expected.x, head.y - expected.y) < 3


def test_a_sticker_is_learnt_and_nothing_forgotten(known, taught):
    """On faces that were never shown: the sticker is found, where none is, none is, and all else is as before."""
    hit = either = false = 0
    kept, before = [], []
    for seed in range(200, 212):
        rgb, mask, labels = with_sticker(seed)
        said = said_by(taught, rgb)
        hit += ((said == STICKER) & mask).sum()
        either += ((said == STICKER) | mask).sum()
        plain, _ = made_face(seed + 50)
        false += (said_by(taught, plain) == STICKER).sum()
        kept.append((said == labels)[~mask].mean())
        before.append((said_by(known, rgb) == labels)[~mask].mean())
    assert hit / either > 0.6
    assert false < 0.02 * either
    assert np.mean(kept) > np.mean(before) - 0.02


def test_the_file_beside_it_says_what_the_classes_are(taught, tmp_path):
    card = json.loads((taught.parent / "mine.parts.json").read_text("utf-8"))
    assert card["classes"] == [*(part.name for part in PARTS), "sticker"]
    assert card["own"] == {"sticker": {"label": "Star", "on_head": True, "above": "nose", "color": [40, 190, 70]}}
    from faceparse_core.training.labels import network_classes

    assert network_classes(taught).table.own[0].label == "Star"
    (tmp_path / "x.parts.json").write_text("{")
    with pytest.raises(ModelError, match="JSON"):
        network_classes(tmp_path / "x.onnx")
    (tmp_path / "x.parts.json").write_text('["background", "head", "hair"]')
    with pytest.raises(ModelError, match="another network"):
        network_classes(tmp_path / "x.onnx")


def test_the_product_reads_what_was_taught(taught):
    """The drawing commands' own reader: the part's name and colour, and its id in label maps where it lies."""
    from faceparse_core.clean import upsample_labels
    from faceparse_core.parse import score_box
    from faceparse_core.parser import load_parser

    parser = load_parser(str(taught))
    (star,) = parser.table.own
    assert (star.name, star.label, star.color) == ("sticker", "Star", (40, 190, 70))
    rgb, mask, _ = with_sticker(205)
    box = (0, 0, SIZE, SIZE)
    labels = upsample_labels(score_box(rgb, box, replace(parser, size=96), False), box, (SIZE, SIZE))
    assert (labels[mask] == star.id).mean() > 0.5


def test_a_new_class_starts_unlikely_and_disturbs_nothing(known):
    import torch

    from faceparse_core.bisenet import EMBEDDED, BiSeNet
    from faceparse_core.training.export import take_up
    from faceparse_core.training.stepper import normalise

    rgb = normalise(
        torch.stack([torch.from_numpy(made_face(k)[0][:96, :96].copy()).permute(2, 0, 1) for k in range(4)]).float()
    )
    networks = []
    more = Classes((*Classes().meanings, (OWN,), (OWN + 1,)), own_parts({"sticker": {}, "scar": {}}))
    for classes in (Classes(), more):
        network = BiSeNet(len(classes.names), 0.25, True, EMBEDDED)
        take_up(network, known, rgb, classes)
        networks.append(network.eval())
    with torch.no_grad():
        before, after = (network(rgb) for network in networks)
    assert (after[:, :20] - before).abs().max() < 1e-4
    share = after.softmax(1)[:, 20:].mean()
    assert 1e-5 < share < 0.05


def test_what_was_not_painted_may_be_anything_but_the_part(known, tmp_path):
    """Augmentation sees the teacher's labels; the loss hears only what was painted and what was not."""
    from faceparse_core.training.labels import OTHER, UNKNOWN, make_legend
    from faceparse_core.training.own import named_folder, own_sets, read_own, with_added
    from faceparse_core.training.teacher import load_teacher

    painted(tmp_path, range(100, 104), absent=1)
    teacher = load_teacher(known)
    named = named_folder(f"sticker={tmp_path}")
    classes = with_added(teacher.classes, [named])
    own = read_own(named, classes, teacher)
    assert len(own.pairs) == 4
    assert [bool((pair.labels == OWN).any()) for pair in own.pairs] == [True, True, True, False]
    assert own.over & set(FACE)
    for pair in own.pairs:
        assert {0, 1, 17} <= set(np.unique(pair.labels))
    legend = make_legend(classes, [one.meanings for one in own_sets([own], classes)])
    (rest,) = set(legend.grids[0][:20].tolist())
    assert set(np.flatnonzero(legend.allowed[rest])) == set(range(20))
    assert legend.grids[0][OWN] == STICKER
    measured = read_own(named, classes, teacher, teach=False)
    assert set(np.unique(measured.pairs[0].labels)) <= {OWN, OTHER, UNKNOWN}


def test_others_photos_may_show_it_where_it_was_seen(known, tmp_path):
    from faceparse_core.training.labels import CELEBAMASK, EXACT, also

    people = also(CELEBAMASK, {OWN: frozenset({1, 10})})
    assert people[1] == {1, 19, OWN}
    assert people[10] == {10, OWN}
    assert people[17] == {17}
    assert also(EXACT, {OWN: frozenset({1})})[1] == {1, OWN}
    assert also(EXACT, {}) == {}


def test_an_own_part_joins_other_pairs(known, tmp_path):
    """With --data beside it half of a batch is the user's own; what an earlier run taught is known and kept."""
    from faceparse_core.training.layouts import find_sets
    from faceparse_core.training.own import named_folder, own_sets, read_own, unnoticed, with_added
    from faceparse_core.training.stream import batches, make_mixture
    from faceparse_core.training.teacher import load_teacher

    rgb, labels = made_face(1)
    write_rgb(tmp_path / "pairs" / "1.jpg", rgb)
    cv2.imwrite(str(tmp_path / "pairs" / "1_labels.png"), labels)
    painted(tmp_path / "photos", range(100, 103))
    teacher = load_teacher(known)
    named = named_folder(f"sticker={tmp_path / 'photos'}")
    classes = with_added(teacher.classes, [named])
    folders = [read_own(named, classes, teacher)]
    mixture = make_mixture(
        [*unnoticed(find_sets(tmp_path / "pairs"), folders, classes), *own_sets(folders, classes)], classes
    )
    _, grid = next(batches(mixture, settings(), 0))
    assert mixture.people is not None
    assert mixture.own is not None
    assert (grid[:4] == STICKER).any()
    assert not (grid[4:] == STICKER).any()
    allowed = mixture.legend.allowed[mixture.legend.grids[0][1]]
    assert set(np.flatnonzero(allowed)) == {1, STICKER}


def test_the_face_alone(known, tmp_path):
    """One part against all else, with things before it, from the weights of a network that knows all parts."""
    from faceparse_core.training.augment import AugmentSettings
    from faceparse_core.training.checkpoint import read_checkpoint
    from faceparse_core.training.export import export_parser, load_checkpoint
    from faceparse_core.training.labels import FACE_ALONE
    from faceparse_core.training.layouts import find_sets
    from faceparse_core.training.parser import train_parser
    from faceparse_core.training.stream import make_mixture

    for seed in range(8):
        rgb, labels = made_face(seed)
        write_rgb(tmp_path / "pairs" / f"{seed}.jpg", rgb)
        cv2.imwrite(str(tmp_path / "pairs" / f"{seed}_labels.png"), labels)
    mixture = make_mixture(find_sets(tmp_path / "pairs"), FACE_ALONE, augment=AugmentSettings(occluded=0.6))
    checkpoint = train_parser(mixture, tmp_path / "run", settings(steps=60, rate=2e-3), weights=known)
    path = tmp_path / "face.onnx"
    export_parser(load_checkpoint(checkpoint), path, 128, 1.8)
    write_beside(read_checkpoint(checkpoint).classes, path)
    assert json.loads((tmp_path / "face.parts.json").read_text())["classes"] == ["background", "head"]
    assert classes_beside(path) == FACE_ALONE
    scores = []
    for seed in range(200, 206):
        rgb, labels = made_face(seed)
        said, truth = said_by(path, rgb) == 1, np.isin(labels, [*FACE, 19])
        scores.append((said & truth).sum() / (said | truth).sum())
    assert np.mean(scores) > 0.85


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("another size", r"mask has 64 x 128 px, the photo 128 x 128"),
        ("many colours", r"many colours"),
        ("all painted", r"nearly all"),
        ("no picture", r"cannot be read"),
        ("no mask", r"has no mask beside it"),
        ("no photo", r"has no photo beside it"),
        ("no face", r"no face"),
        ("nearly black", r"nearly black; paint with a bright colour"),
        ("a mask as JPEG", r"broken_mask\.jpg: the mask is no PNG"),
        ("a photo of a phone", r"broken\.heic: not read here; export the photo as JPEG"),
        ("another name", r"broken-mask\.png has no mask.*if this is the mask, call it as its photo"),
    ],
)
def test_a_broken_photo_is_told_by_name_or_left_out(known, tmp_path, capsys, fault, says):
    from faceparse_core.training.data import PairError
    from faceparse_core.training.own import named_folder, own_sets, read_own, with_added
    from faceparse_core.training.stream import make_mixture
    from faceparse_core.training.teacher import load_teacher

    painted(tmp_path, range(100, 102))
    rgb, mask, _ = with_sticker(7)
    write_rgb(tmp_path / "broken.jpg", np.full_like(rgb, 90) if fault == "no face" else rgb)
    target = tmp_path / "broken_mask.png"
    layer = np.uint8(255) * mask
    noise = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)
    pictures = {"another size": layer[:, :64], "many colours": noise, "all painted": np.full_like(layer, 255)}
    cv2.imwrite(str(target), pictures.get(fault, layer))
    if fault == "no picture":
        target.write_bytes(b"none")
    if fault == "no mask":
        target.unlink()
    if fault == "no photo":
        (tmp_path / "broken.jpg").unlink()
    if fault == "nearly black":
        cv2.imwrite(str(target), np.uint8(1) * mask)
    if fault == "a mask as JPEG":
        target.unlink()
        cv2.imwrite(str(tmp_path / "broken_mask.jpg"), layer)
        write_rgb(tmp_path / "broken.jpg", rgb)
    if fault == "a photo of a phone":
        (tmp_path / "broken.jpg").rename(tmp_path / "broken.heic")
        target.rename(tmp_path / "broken.png")
    if fault == "another name":
        (tmp_path / "broken.jpg").unlink()
        target.rename(tmp_path / "broken-mask.png")
    teacher = load_teacher(known)
    named = named_folder(f"sticker={tmp_path}")
    classes = with_added(teacher.classes, [named])
    sets = own_sets([read_own(named, classes, teacher)], classes)
    with pytest.raises(PairError, match=says) as error:
        make_mixture(sets, classes)
    assert "broken" in str(error.value)
    assert "\n" not in str(error.value)
    mixture = make_mixture(sets, classes, skip_broken=True)
    assert len(mixture.own) == 2
    lost = len(sets[0].broken)
    assert f"{lost} broken pair{'s' * (lost > 1)} left out" in capsys.readouterr().err


def test_masks_as_programs_export_them(tmp_path):
    """Of each way the same is painted."""
    from PIL import Image

    from faceparse_core.training.own import read_mask

    mask = with_sticker(7)[1]
    layer = np.zeros((*mask.shape, 4), np.uint8)
    layer[mask] = (0, 0, 0, 255)  # black, on a transparent layer
    palette = Image.fromarray(mask.astype(np.uint8))
    palette.putpalette([0, 0, 0, 200, 30, 30])
    clear = Image.fromarray(mask.astype(np.uint8))
    clear.putpalette([255, 255, 255, 200, 30, 30])
    clear.info["transparency"] = 0
    ways = [
        Image.fromarray(layer), palette, clear, Image.fromarray(mask), Image.fromarray(np.uint8(255) * mask),
        Image.fromarray(np.uint16(65535) * mask),
    ]  # fmt: skip
    for number, picture in enumerate(ways):
        picture.save(tmp_path / f"{number}.png")
        assert (read_mask(tmp_path / f"{number}.png", mask.shape) == mask).all(), picture.mode


def test_what_else_lies_in_the_folder(known, tmp_path):
    """Photos beside what they were exported from, and a mask in capital letters."""
    from faceparse_core.training.own import named_folder, read_own, with_added
    from faceparse_core.training.teacher import load_teacher

    painted(tmp_path, range(101, 103))
    (tmp_path / "photo 102.png").rename(tmp_path / "photo 102.PNG")
    (tmp_path / "photo 102.heic").write_bytes(b"the original")
    (tmp_path / "photo 102.kra").write_bytes(b"layers")
    teacher, named = load_teacher(known), named_folder(f"sticker={tmp_path}")
    own = read_own(named, with_added(teacher.classes, [named]), teacher)
    assert len(own.pairs) == 2
    assert not own.broken


@pytest.mark.parametrize(
    ("word", "facts", "says"),
    [
        ("sticker", None, "NAME=FOLDER"),
        ("sticker=nowhere", None, "no folder"),
        ("Sticker={}", None, "no name for a part"),
        ("hair={}", None, "something else is"),
        ("face={}", None, "something else is"),
        ("sticker={}", "[", "JSON"),
        ("sticker={}", '{"colour": 1}', "no property"),
        ("sticker={}", '{"color": "red"}', "the color of sticker is not"),
        ("sticker={}", '{"above": "moon"}', "which is no part"),
        ("beard={}", '{"label": "Stubble"}', "remove the file"),
    ],
)
def test_parts_that_cannot_be_added(tmp_path, word, facts, says):
    from faceparse_core.training.own import named_folder

    if facts:
        (tmp_path / "part.json").write_text(facts)
    with pytest.raises(FaceParseError, match=says) as error:
        named_folder(word.format(tmp_path))
    assert "\n" not in str(error.value)


def test_folders_that_teach_nothing(known, tmp_path):
    from faceparse_core.training.own import named_folder, read_own, with_added
    from faceparse_core.training.teacher import load_teacher

    teacher = load_teacher(known)
    named = named_folder(f"sticker={tmp_path}")
    classes = with_added(teacher.classes, [named])
    with pytest.raises(FaceParseError, match="no photos there"):
        read_own(named, classes, teacher)
    painted(tmp_path, range(100, 101), absent=1)
    with pytest.raises(FaceParseError, match="anything painted"):
        read_own(named, classes, teacher)
    with pytest.raises(FaceParseError, match="twice"):
        with_added(teacher.classes, [named, named])


def test_the_command_writes_the_network_and_its_card(taught, tmp_path, monkeypatch):
    from faceparse_core.training.__main__ import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "part.json").write_text('{"label": "Another"}')
    run = ["export", "parser", "--run", str(taught.parent / "run"), "--add", f"sticker={tmp_path}", "-o", "mine.onnx"]
    assert main(run) == 0
    assert (tmp_path / "mine.onnx").stat().st_size > 100_000
    assert json.loads((tmp_path / "mine.parts.json").read_text())["own"]["sticker"]["label"] == "Another"


def test_resume_alone_knows_the_folders_it_was_taught_from(known, tmp_path, monkeypatch):
    """A run that was started with --add goes on with it, from wherever it is asked to."""
    from faceparse_core.training.__main__ import main
    from faceparse_core.training.checkpoint import read_checkpoint

    painted(tmp_path / "photos", range(100, 104), absent=1)
    monkeypatch.chdir(tmp_path)
    run = ["train", "parser", "--run", str(tmp_path / "run"), "--device", "cpu"]
    width = pytest.MonkeyPatch()
    width.setattr("faceparse_core.training.settings.OWN", settings(steps=2, auxiliary=0.0, keep=20.0))
    with width.context():
        assert main([*run, "--add", "sticker=photos", "--from", str(known)]) == 0
    width.undo()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main([*run, "--resume", "--steps", "3"]) == 0
    checkpoint = read_checkpoint(tmp_path / "run" / "parser.pt")
    assert checkpoint.step == 3
    assert checkpoint.classes.names[-1] == "sticker"
    assert checkpoint.started.add == (f"sticker={tmp_path / 'photos'}",)
    (tmp_path / "photos").rename(tmp_path / "moved")
    assert main([*run, "--resume", "--steps", "4"]) == 1
    assert main([*run, "--resume", "--steps", "4", "--add", f"sticker={tmp_path / 'moved'}"]) == 0


def beardless(known: Path, folder: Path) -> Path:
    """A network that knows made faces but no beard, by the script that measures the recipe."""
    spec = importlib.util.spec_from_file_location("own_beard", ROOT / "benchmarks" / "own_beard.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.without_beard(known, folder / "beardless.onnx")
    return folder / "beardless.onnx"


def bearded(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A made face with a green beard on its lower half: rgb, what it covers (bool), the labels beneath."""
    rgb, labels = made_face(seed)
    rows, _ = np.nonzero(labels == 1)
    mask = (labels == 1) & (np.arange(SIZE)[:, None] > rows.min() + 0.7 * np.ptp(rows))
    rgb[mask] = np.clip(np.random.default_rng((2, seed)).normal((40, 190, 70), 10), 0, 255).astype(np.uint8)
    return rgb, mask, labels


def test_a_network_without_a_beard_is_taught_the_beard(known, tmp_path):
    """The one part of the table that not every network knows: taught, the network is one of all the table's parts."""
    from faceparse_core.training.checkpoint import read_checkpoint
    from faceparse_core.training.export import export_parser, load_checkpoint
    from faceparse_core.training.labels import make_legend
    from faceparse_core.training.own import named_folder, own_sets, read_own, with_added
    from faceparse_core.training.parser import train_parser
    from faceparse_core.training.stream import make_mixture
    from faceparse_core.training.teacher import load_teacher

    teacher = load_teacher(beardless(known, tmp_path))
    assert len(teacher.classes.names) == 19
    for seed in range(100, 112):
        rgb, mask, _ = bearded(seed) if seed < 109 else (made_face(seed)[0], np.zeros((SIZE, SIZE), bool), None)
        write_rgb(tmp_path / "photos" / f"{seed}.jpg", rgb)
        cv2.imwrite(str(tmp_path / "photos" / f"{seed}.png"), np.uint8(255) * mask)
    named = named_folder(f"beard={tmp_path / 'photos'}")
    classes = with_added(teacher.classes, [named])
    assert classes == Classes()
    own = read_own(named, classes, teacher)
    assert own.over
    sets = own_sets([own], classes)
    legend = make_legend(classes, [one.meanings for one in sets])
    assert legend.grids[0][19] == 19
    assert set(np.flatnonzero(legend.allowed[legend.grids[0][1]])) == set(range(19))
    assert legend.goes_by[legend.grids[0][1]] == -1
    plan = settings(rate=8e-4, auxiliary=0.0, keep=20.0)
    checkpoint = train_parser(make_mixture(sets, classes), tmp_path / "run", plan, weights=tmp_path / "beardless.onnx")
    export_parser(load_checkpoint(checkpoint), tmp_path / "mine.onnx", 128, 1.8)
    write_beside(read_checkpoint(checkpoint).classes, tmp_path / "mine.onnx")
    assert not (tmp_path / "mine.parts.json").exists()  # nothing to tell that is not in the table
    hit = either = false = 0
    for seed in range(200, 208):
        rgb, mask, _ = bearded(seed)
        said = said_by(tmp_path / "mine.onnx", rgb) == 19
        hit, either = hit + (said & mask).sum(), either + (said | mask).sum()
        false += (said_by(tmp_path / "mine.onnx", made_face(seed)[0]) == 19).sum()
    assert hit / either > 0.6
    assert false < 0.02 * either


def test_the_embedded_network_is_not_overwritten_by_mistake(taught, capsys):
    from faceparse_core.models import folder as models
    from faceparse_core.training.__main__ import main

    before = (models / "parser.onnx").read_bytes()
    run = ["export", "parser", "--run", str(taught.parent / "run")]
    assert main(run) == 1
    assert "-o mine.onnx" in capsys.readouterr().err
    assert (models / "parser.onnx").read_bytes() == before
    assert not (models / "parser.parts.json").exists()


def test_it_is_measured_on_photos_that_were_held_out(taught, tmp_path, capsys):
    """The command that one looks with: scores of the own part alone, and a page with pictures."""
    from faceparse_core.training.__main__ import main

    painted(tmp_path / "held out", range(300, 306), absent=1)
    report = tmp_path / "look.md"
    add = ["--add", f"sticker={tmp_path / 'held out'}"]
    assert main(["evaluate", "parser", "--model", str(taught), *add, "--report", str(report)]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("sticker"))
    assert float(row.split()[2]) > 0.5
    assert "| sticker |" in report.read_text()
    assert (tmp_path / "look-worst.png").exists()
    assert main(["evaluate", "parser", "--model", "embedded", *add]) == 1
    assert "no part sticker" in capsys.readouterr().err
