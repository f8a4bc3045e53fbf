"""Training on pairs made here: it learns, resumes, and exports what it learnt."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from training_data import tiny, write_data

from faceparse_core.errors import FaceParseError
from faceparse_core.parser import load_parser
from faceparse_core.parts import PARTS

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    from faceparse_core.training.parser import train_parser

    out = tmp_path_factory.mktemp("run")
    train_parser(folder, out, tiny())
    return out


def test_training_learns(run, folder):
    import torch

    from faceparse_core.training.export import load_checkpoint
    from faceparse_core.training.losses import label_table, parsing_loss
    from faceparse_core.training.stepper import normalise
    from faceparse_core.training.stream import as_mixture, batches

    rgb, labels = next(batches(folder, tiny(seed=9), 0))
    table = label_table(as_mixture(folder).legend)
    trained = load_checkpoint(run / "parser.pt")
    torch.manual_seed(0)
    fresh = type(trained)(len(PARTS), 0.125, detail=True).eval()
    with torch.inference_mode():
        losses = [parsing_loss(n(normalise(rgb.float())), labels, table).item() for n in (trained, fresh)]
    assert losses[0] < 0.9 * losses[1]


def test_resuming_goes_on_where_it_stopped(run, folder, capsys):
    from faceparse_core.training.parser import train_parser

    train_parser(folder, run, tiny(steps=70), resume=True)
    progress = capsys.readouterr().err
    assert "step 70/70" in progress
    assert "pictures/s" in progress
    assert "step 25/" not in progress


def test_samples_depend_on_the_seed_alone(folder):
    from faceparse_core.training.stream import batches

    first, again, other = (next(batches(folder, tiny(seed=seed), 0)) for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert (first[0] != other[0]).any()


def test_a_stream_can_be_entered_anywhere(folder):
    from faceparse_core.training.stream import batches

    stream = batches(folder, tiny(), 0)
    next(stream)
    assert (next(stream)[0] == next(batches(folder, tiny(), 1))[0]).all()


def test_mirrored_labels_swap_sides():
    from faceparse_core.training.augment import SIDES

    assert [int(SIDES[part]) for part in (2, 3, 4, 5, 7, 8, 1, 255)] == [3, 2, 5, 4, 8, 7, 1, 255]


def test_crop_and_labels_lie_on_each_other(folder):
    """Where the label grid says hair, the crop shows hair's colour: geometry of picture and labels is one."""
    from faceparse_core.training import augment as module
    from faceparse_core.training.layouts import whole_tar

    pairs = whole_tar(folder / "celebamask" / "train-0.tar")
    rng = np.random.default_rng(3)
    settings = module.AugmentSettings(size=128)
    for _ in range(8):
        crop, grid = module._place(pairs[0].rgb, pairs[0].labels, 0.8, pairs, rng, settings)
        at_centres = cv2.resize(crop, grid.shape[::-1], interpolation=cv2.INTER_AREA).astype(float)
        hair = (grid == 17).astype(np.uint8)
        inner = cv2.erode(hair, np.ones((3, 3)), borderType=cv2.BORDER_CONSTANT, borderValue=(0,)) > 0
        assert np.abs(at_centres[inner] - np.median(at_centres[inner], axis=0)).max() < 25


def test_torch_and_onnx_runtime_agree_on_the_embedded_weights():
    import torch

    from faceparse_core.models import folder as models
    from faceparse_core.training.export import restore_parser

    rgb = np.random.default_rng(0).uniform(0, 255, (1, 3, 192, 192)).astype(np.float32)
    with torch.inference_mode():
        ours = restore_parser(models / "parser.onnx").eval()(torch.from_numpy(rgb)).numpy()[0]
    theirs = load_parser().run(rgb)[0]
    assert np.abs(ours - theirs).max() < 1e-3 * np.abs(theirs).max()
    assert (ours.argmax(0) == theirs.argmax(0)).mean() > 0.999


def test_export_is_the_trained_network(run, tmp_path):
    import torch

    from faceparse_core.training.export import export_parser, load_checkpoint
    from faceparse_core.training.stepper import normalise

    rgb = np.random.default_rng(0).uniform(0, 255, (1, 3, 64, 64)).astype(np.float32)
    with torch.inference_mode():
        trained = load_checkpoint(run / "parser.pt")(normalise(torch.from_numpy(rgb))).numpy()[0]
    paths = [tmp_path / "a.onnx", tmp_path / "b.onnx"]
    for path in paths:
        export_parser(load_checkpoint(run / "parser.pt"), path, 64, 1.8)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    exported = load_parser(str(paths[0])).run(rgb)[0]
    assert np.abs(exported - trained).max() < 5e-3 * np.abs(trained).max()  # float16 weights


def test_training_goes_on_from_an_exported_network(run, folder, tmp_path):
    """Batch norms that the export folded away are there again, and the network computes the same."""
    import torch

    from faceparse_core.bisenet import EMBEDDED, BiSeNet
    from faceparse_core.training.export import export_parser, load_checkpoint, take_up
    from faceparse_core.training.parser import train_parser
    from faceparse_core.training.stepper import normalise
    from faceparse_core.training.stream import batches

    path = tmp_path / "first.onnx"
    export_parser(load_checkpoint(run / "parser.pt"), path, 64, 1.8)
    rgb = normalise(next(batches(folder, tiny(), 0))[0].float())
    network = BiSeNet(20, 0.125, True, EMBEDDED)
    take_up(network, path, rgb)
    with torch.no_grad():
        wanted = load_checkpoint(run / "parser.pt")(rgb)
        assert (network.eval()(rgb) - wanted).abs().max() < 0.02 * wanted.abs().max()  # weights of 16 bits
        assert (network.train()(rgb)[0].argmax(1) == wanted.argmax(1)).float().mean() > 0.99  # its own norms agree
    after = train_parser(folder, tmp_path / "further", tiny(steps=1, rate=1e-6, ema=0.0), weights=path)
    with torch.no_grad():
        assert (load_checkpoint(after)(rgb).argmax(1) == wanted.argmax(1)).float().mean() > 0.95


def test_weights_are_mixed_with_those_before(run, folder, tmp_path):
    """All of the change is the network itself, none of it the one before, half lies between; others are refused."""
    import shutil

    from faceparse_core.errors import ModelError
    from faceparse_core.models import folder as models
    from faceparse_core.training.export import export_parser, load_checkpoint, mix
    from faceparse_core.training.parser import train_parser

    first, then = tmp_path / "first.onnx", tmp_path / "then.onnx"
    export_parser(load_checkpoint(run / "parser.pt"), first, 64, 1.8)
    further = train_parser(folder, tmp_path / "further", tiny(steps=10, ema=0.0), weights=first)
    export_parser(load_checkpoint(further), then, 64, 1.8, "full")
    rgb = np.random.default_rng(0).uniform(0, 255, (1, 3, 64, 64)).astype(np.float32)
    before, after = (load_parser(str(path)).run(rgb) for path in (first, then))
    for share, wanted in ((1.0, after), (0.0, before), (0.5, None)):
        mixed = shutil.copy(then, tmp_path / f"{share}.onnx")
        mix(mixed, first, share)
        scores = load_parser(str(mixed)).run(rgb)
        if wanted is None:
            assert np.abs(scores - after).max() > 0.01 < np.abs(scores - before).max()
        else:
            assert np.abs(scores - wanted).max() < 1e-3 * np.abs(wanted).max()
    for other in ("heads.onnx", "parser.onnx"):
        with pytest.raises(ModelError, match="not what"):
            mix(tmp_path / "then.onnx", models / other, 0.5)


@pytest.mark.parametrize("fault", ["no .onnx", "another network", "another width"])
def test_weights_that_training_cannot_start_from(run, tmp_path, fault):
    import torch

    from faceparse_core.bisenet import EMBEDDED, BiSeNet
    from faceparse_core.errors import ModelError
    from faceparse_core.models import folder as models
    from faceparse_core.training.export import take_up

    path = tmp_path / "broken.onnx"
    path.write_bytes(b"none")
    if fault != "no .onnx":
        path = models / ("heads.onnx" if fault == "another network" else "parser.onnx")
    with pytest.raises(ModelError, match="not a"):
        take_up(BiSeNet(20, 0.125, True, EMBEDDED), path, torch.zeros(2, 3, 64, 64))


def test_things_lie_in_front_of_faces():
    """What they cover is no part any more, labels change there alone, and the same numbers give the same things."""
    from conftest import draw_face

    from faceparse_core.parts import CLOTH, FACE
    from faceparse_core.training.occluders import occlude

    labels = draw_face((256, 256))
    rgb = np.full((256, 256, 3), (180, 140, 120), np.uint8)
    texture = np.random.default_rng(0).integers(0, 256, (300, 300, 3)).astype(np.uint8)
    covered = 0
    for seed in range(40):
        crop, grid = occlude(rgb, labels, [texture], np.random.default_rng(seed))
        again = occlude(rgb, labels, [texture], np.random.default_rng(seed))
        assert (crop == again[0]).all()
        assert (grid == again[1]).all()
        changed = grid != labels
        assert np.isin(grid[changed], [0, CLOTH, 255]).all()
        assert not (grid[labels == CLOTH] == 0).any()  # before clothes it may be a sleeve
        covered += int(changed[np.isin(labels, FACE)].any())
        assert (crop[changed] != rgb[changed]).any(1).mean() > 0.5
    assert covered >= 36
    blank = np.zeros_like(labels)
    assert (occlude(rgb, blank, [texture], np.random.default_rng(0))[1] == blank).all()


def test_users_cutouts_are_pasted(tmp_path):
    from conftest import draw_face

    from faceparse_core.training.occluders import occlude, read_cutouts

    picture = np.zeros((90, 60, 4), np.uint8)
    picture[10:80, 10:50] = (1, 2, 250, 255)  # blue, green, red
    cv2.imwrite(str(tmp_path / "cup.png"), picture)
    cutouts = read_cutouts(tmp_path)
    assert cutouts[0][40, 30].tolist() == [250, 2, 1, 255]
    rgb, labels = np.full((256, 256, 3), 90, np.uint8), draw_face((256, 256))
    texture = np.zeros((300, 300, 3), np.uint8)
    seen = 0
    for seed in range(30):
        crop, grid = occlude(rgb, labels, [texture], np.random.default_rng(seed), cutouts)
        pasted = (crop.astype(int) - (250, 2, 1) == 0).all(2)
        seen += bool(pasted.any())
        assert (grid[pasted] == 0).mean() > 0.9 if pasted.any() else True
    assert 5 < seen < 30


def test_a_report_shows_what_is_taken_for_what(folder, tmp_path):
    """Scores, confusions and sheets of a parser that calls all hair a hat."""
    from faceparse_core.parser import ModelInfo, Parser
    from faceparse_core.training.layouts import celebamask_val
    from faceparse_core.training.report import write_report

    pairs = celebamask_val(folder)
    truth = np.where(pairs[0].labels == 17, 18, pairs[0].labels)
    hot = (truth[::4, ::4] == np.arange(20)[:, None, None]).astype(np.float32)
    parser = Parser(ModelInfo("hatter", "0" * 64), 512, 1.8, lambda _: hot[None])
    scores, beards = write_report(parser, pairs, False, tmp_path / "report.md")
    assert beards is None
    text = (tmp_path / "report.md").read_text()
    assert scores.f1(17) == 0
    assert scores.f1(1) > 0.95
    assert "| hair | 0.0 | hat 9" in text
    assert "hatter" in text
    for sheet in ("report-worst.png", "report-best.png"):
        assert f"({sheet})" in text
        assert cv2.imread(str(tmp_path / sheet)).shape == (256, 4 * 3 * 256, 3)
    nothing = replace(pairs[1], name="nobody", labels=np.full_like(pairs[1].labels, 255))
    write_report(parser, [*pairs, nothing], False, tmp_path / "more.md")
    assert "- nobody: nothing there, nothing found" in (tmp_path / "more.md").read_text()
    write_report(parser, pairs, False, tmp_path / "new" / "report.md")  # into a folder that is made
    assert (tmp_path / "new" / "report.md").read_text() == text
    bearded = replace(
        pairs[0], labels=np.where(pairs[0].labels == 1, 19, pairs[0].labels).astype(np.uint8), meanings={}
    )
    _, beards = write_report(parser, pairs, False, tmp_path / "bearded.md", bearded=[bearded])
    assert beards is not None
    assert beards.iou(19) == 0
    text = (tmp_path / "bearded.md").read_text()
    assert "## Beards, on 1 pair\n\nIoU 0.0000, F1 0.0000" in text
    assert "| beard | 0.0 | head" in text
    assert cv2.imread(str(tmp_path / "bearded-beards.png")).shape == (256, 4 * 3 * 256, 3)
    for wrong in (tmp_path, tmp_path / "report.md" / "a.md"):
        with pytest.raises(FaceParseError, match=r"folder lies there|cannot be written"):
            write_report(parser, [], False, wrong)  # before anything is measured


@pytest.mark.parametrize("fault", ["empty", "no transparency", "broken"])
def test_cutouts_that_are_none(tmp_path, fault):
    from faceparse_core.training.occluders import read_cutouts

    if fault == "no transparency":
        cv2.imwrite(str(tmp_path / "a.png"), np.zeros((9, 9, 3), np.uint8))
    if fault == "broken":
        (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(FaceParseError, match="transparency"):
        read_cutouts(tmp_path)


def test_the_full_width_is_the_published_network():
    """The names and shapes of 79999_iter.pth, which has 13.3 million weights."""
    from faceparse_core.bisenet import BiSeNet

    network = BiSeNet(classes=19)
    state = network.state_dict()
    assert state["cp.resnet.layer4.1.conv2.weight"].shape == (512, 512, 3, 3)
    assert state["cp.arm32.bn_atten.running_mean"].shape == (128,)
    assert state["ffm.convblk.conv.weight"].shape == (256, 256, 1, 1)
    assert state["conv_out.conv_out.weight"].shape == (19, 256, 1, 1)
    assert state["conv_out16.conv.conv.weight"].shape == (64, 128, 3, 3)
    assert abs(sum(p.numel() for p in network.parameters()) / 13.3e6 - 1) < 0.01


def test_f1_and_iou_by_hand():
    from faceparse_core.training.evaluate import Scores

    confusion = np.zeros((20, 20), np.int64)
    confusion[4, 4], confusion[4, 5], confusion[5, 5], confusion[1, 4] = 6, 2, 4, 2
    scores = Scores(confusion)
    assert scores.f1(4) == pytest.approx(12 / (8 + 8))
    assert scores.iou(4) == pytest.approx(6 / 10)
    assert scores.merged().f1(5) == pytest.approx(24 / (12 + 14))


@pytest.mark.parametrize("fault", ["nothing", "not a tar"])
def test_missing_data_is_one_clear_error(tmp_path, fault):
    from faceparse_core.training.layouts import celebamask_val

    if fault == "not a tar":
        (tmp_path / "celebamask").mkdir()
        (tmp_path / "celebamask" / "val.tar").write_bytes(b"x" * 2000)
    with pytest.raises(FaceParseError, match="neither a folder nor a readable tar"):
        celebamask_val(tmp_path)


def test_command_without_data(monkeypatch, capsys):
    from faceparse_core.training.__main__ import main

    monkeypatch.delenv("FACEPARSE_DATA", raising=False)
    assert main(["evaluate", "parser"]) == 1
    assert "--data or in the variable FACEPARSE_DATA" in capsys.readouterr().err


def test_scores_that_the_model_card_names(data):
    """The embedded parser on the whole validation set: at least what was promised."""
    from faceparse_core.parse import Settings
    from faceparse_core.training.evaluate import evaluate
    from faceparse_core.training.layouts import celebamask_val

    scores = evaluate(load_parser(), celebamask_val(data), mirror=Settings().mirror)
    assert scores.mean_f1 >= 0.845
    assert min(scores.f1(7), scores.f1(8)) >= 0.85
