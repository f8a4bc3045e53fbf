"""The loop of training: what it does to weights, that it survives whatever stops it, what it tells of itself."""

from __future__ import annotations

import csv
import errno
import io
import os
import random
import signal
import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from training_data import tiny, write_data, write_tar

from faceparse_core.errors import FaceParseError, Interrupted, ModelError
from faceparse_core.models import folder as models
from faceparse_core.parser import load_parser
from faceparse_core.parts import BEARD, HAIR
from faceparse_core.training.data import DataSet, Pair

pytestmark = pytest.mark.torch

EMBEDDED_WEIGHTS = models / "parser.onnx"
#: Two replicas of the network, if there are cores; in every second step one picture more is rendered.
SHORT = {"steps": 12, "save_every": 4, "batch": 8, "rendered_of_16": 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"))


def options(**changes):
    from faceparse_core.training.settings import RunOptions

    return RunOptions(**{"log_every": 1, "device": "cpu", **changes})


def train(folder, out, *, resume=False, settings=None, **changes):
    from faceparse_core.training.parser import train_parser
    from faceparse_core.training.watch import read_held_out

    held_out = read_held_out([folder], changes.pop("validate", 0))
    return train_parser(
        folder, out, settings or tiny(**SHORT), resume=resume, options=options(**changes), held_out=held_out
    )


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    """One that nobody stopped."""
    out = tmp_path_factory.mktemp("run")
    train(folder, out, validate=2, keep_best=True)
    return out


def same_weights(one: Path, other: Path) -> bool:
    import torch

    first, second = (torch.load(path / "parser.pt", weights_only=True) for path in (one, other))
    return first["step"] == second["step"] and all(
        torch.equal(first[key][name], second[key][name]) for key in ("network", "average") for name in first[key]
    )


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def told(run: Path) -> list[tuple[str, str, str]]:
    """What a run's log says that is no matter of time."""
    return [(row["step"], row["loss"], row["rate"]) for row in rows(run / "log.csv")]


# one step -------------------------------------------------------------------------------------------------------------


def small_network():
    """A network with no batch norm, for these depend on the piece, and a loss that is a mean over the pictures."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3))
    return network, lambda network, batch: nn.functional.cross_entropy(network(batch[0]), batch[1])


def stepper(network, loss, precision=None, **changes):
    import torch

    from faceparse_core.training.stepper import Stepper

    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2, fused=True)
    return Stepper(network, optimizer, loss, tiny(**changes), torch.device("cpu"), precision)


@pytest.mark.parametrize(("batch", "accumulate"), [(4, 1), (4, 3), (2, 5), (1, 12), (5, 2)])
def test_accumulated_gradients_are_those_of_the_whole_batch(batch, accumulate):
    import torch

    network, loss = small_network()
    generator = torch.Generator().manual_seed(1)
    count = batch * accumulate + (batch == 5)  # one picture more: pieces of different sizes
    pictures = torch.randn(count, 3, 12, 12, generator=generator)
    labels = torch.randint(0, 4, (count, 8, 8), generator=generator)
    loss(network, (pictures, labels)).backward()
    wanted = [p.grad.clone() for p in network.parameters()]
    with stepper(network, loss, torch.float32, batch=batch, accumulate=accumulate) as machine:
        value = machine.gradients((pictures, labels))
    assert value == pytest.approx(loss(network, (pictures, labels)).item(), rel=1e-5)
    for got, want in zip(network.parameters(), wanted, strict=True):
        assert torch.allclose(got.grad, want, rtol=1e-4, atol=1e-6)


def test_accumulating_learns_from_the_same_pictures(folder):
    """With the parser's own loss, which sees pieces, and with batch norms that do not look at them."""
    from functools import partial

    import torch

    from faceparse_core.training.losses import label_table, parsing_loss
    from faceparse_core.training.run import Run, three_heads
    from faceparse_core.training.stream import as_mixture, batches

    mixture, gradients = as_mixture(folder), []
    criterion = partial(parsing_loss, table=label_table(mixture.legend))
    for batch, accumulate in ((16, 1), (4, 4)):
        s = tiny(batch=batch, accumulate=accumulate)
        run = Run(s, mixture.classes, three_heads(criterion, 0.3), torch.device("cpu"))
        for network in run.stepper.replicas:
            for module in network.modules():
                if isinstance(module, torch.nn.BatchNorm2d):
                    module.eval()
        with run.stepper:
            run.stepper.gradients(next(batches(mixture, s, 0)))
        gradients.append(torch.cat([p.grad.flatten() for p in run.network.parameters()]))
    assert torch.nn.functional.cosine_similarity(*gradients, dim=0) > 0.999


@pytest.mark.parametrize(("batch", "accumulate"), [(16, 1), (4, 4), (4, 1), (1, 1), (3, 2)])
def test_as_many_pictures_are_rendered_whatever_the_batch(batch, accumulate):
    from faceparse_core.training.settings import TrainSettings, rendered_pictures, step_pictures

    s = TrainSettings(batch=batch, accumulate=accumulate)
    steps = [rendered_pictures(step, s) for step in range(480)]
    assert max(steps) - min(steps) <= 1
    assert sum(steps) == pytest.approx(480 * step_pictures(s) * 3 / 16, abs=1)


def test_the_groups_that_pictures_are_drawn_from(folder):
    from faceparse_core.training.settings import TrainSettings
    from faceparse_core.training.stream import _group_of, as_mixture

    mixture, s = as_mixture(folder), TrainSettings(batch=8)
    steps = [[_group_of(slot, step, mixture, s) for slot in range(8)] for step in range(16)]
    assert {groups.count("rendered") for groups in steps} == {1, 2}
    assert sum(groups.count("rendered") for groups in steps) == 24
    assert sum(groups.count("people") for groups in steps) == 16 * 8 - 24


def test_a_checkpoint_that_tells_the_rendered_pictures_of_a_batch(folder, tmp_path):
    """As it was kept before: three of eight are six of sixteen."""
    from faceparse_core.training.checkpoint import load, read_checkpoint, save

    train(folder, tmp_path, settings=tiny(steps=1))
    path = tmp_path / "parser.pt"
    holds = load(path)
    holds["settings"] |= {"batch": 8, "rendered": 3}
    del holds["settings"]["rendered_of_16"]
    save(holds, path)
    assert read_checkpoint(path).settings.rendered_of_16 == 6


def test_float16_steps_are_left_out_while_they_overflow():
    """As on old GPUs, here on the CPU: the scale of the gradients falls until they fit, and only then weights move."""
    import torch

    network, loss = small_network()
    batch = torch.randn(4, 3, 12, 12), torch.zeros(4, 8, 8, dtype=torch.int64)
    before = [p.clone() for p in network.parameters()]
    with stepper(network, loss, torch.float16) as machine:
        assert machine.scaler.is_enabled()
        machine.scaler.load_state_dict({**machine.scaler.state_dict(), "scale": 2.0**40})
        machine.step(batch, 1e-2)
        assert all(torch.equal(p, old) for p, old in zip(network.parameters(), before, strict=True))
        assert machine.scaler.get_scale() == 2.0**39
        first = [machine.step(batch, 1e-2) for _ in range(60)]
    assert first[-1] < 0.5 * first[0]
    assert all(p.isfinite().all() for p in network.parameters())


def test_a_loss_that_is_no_number_moves_nothing():
    import torch

    network, loss = small_network()
    before = [p.clone() for p in network.parameters()]
    batch = torch.full((4, 3, 12, 12), torch.nan), torch.zeros(4, 8, 8, dtype=torch.int64)
    with stepper(network, loss) as machine, pytest.raises(FaceParseError, match=r"no number .* --resume and a lower"):
        machine.step(batch, 1e-2)
    assert all(torch.equal(p, old) for p, old in zip(network.parameters(), before, strict=True))


def test_a_gpu_that_is_not_there(folder, tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(FaceParseError, match="no CUDA device here; leave --device out"):
        train(folder, tmp_path, device="cuda")


def test_threads_are_as_they_were(run):
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with stepper(*small_network()):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


# stopped, killed, resumed ---------------------------------------------------------------------------------------------

CHILD = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = [{tests!r}, {root!r}]
from training_data import tiny
from faceparse_core.training import checkpoint
from faceparse_core.training.parser import train_parser
from faceparse_core.training.settings import RunOptions
resume, kill_at, where = sys.argv[3] == "resume", int(sys.argv[4]), sys.argv[5]
saves, real_fsync, real_replace = 0, os.fsync, os.replace

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def fsync(handle):
    real_fsync(handle)
    if saves == kill_at and where == "written":
        os.truncate(handle, 5000)
        die()

def replace(source, target):
    global saves
    if not str(target).endswith("parser.pt"):
        return real_replace(source, target)
    saves += 1
    if saves == kill_at and where == "before":
        die()
    real_replace(source, target)
    if saves == kill_at and where == "after":
        die()

os.fsync, os.replace = fsync, replace
settings = tiny(steps=12, batch=8, rendered_of_16=3, save_every=int(sys.argv[6]))
options = RunOptions(log_every=1, device="cpu", sheet=0)
train_parser(Path(sys.argv[1]), Path(sys.argv[2]), settings, resume, options=options)
"""


def child(folder, out, kill_at=0, where="never", every=4):
    """A run in a process of its own, which goes on where there is something to go on with."""
    begin = "resume" if (out / "parser.pt").exists() else "new"
    code = CHILD.format(tests=os.fspath(ROOT / "tests"), root=os.fspath(ROOT))
    arguments = [os.fspath(folder), os.fspath(out), begin, str(kill_at), where, str(every)]
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("where", ["written", "before", "after"])
def test_killed_in_the_middle_of_a_save(folder, run, tmp_path, where):
    """Half of the file written, all of it but not in its place, and just in its place: the third save of four."""
    out = tmp_path / "run"
    assert child(folder, out, kill_at=2 if where == "written" else 3, where=where).wait(120) == -signal.SIGKILL
    assert len(rows(out / "log.csv")) == 8
    train(folder, out, resume=True, validate=2)
    assert same_weights(out, run)
    assert told(out) == told(run)
    assert not list(out.glob("*.tmp"))


def test_killed_at_any_moment(folder, run, tmp_path):
    """kill -9 again and again, at random moments; in the end the weights and the log are as if nothing had been."""
    out, chance, kills = tmp_path / "run", random.Random(7), 0
    while True:
        process = child(folder, out, every=1)
        while process.poll() is None and not (out / "log.csv").exists():
            time.sleep(0.01)
        known = len((out / "log.csv").read_bytes()) if (out / "log.csv").exists() else 0
        while process.poll() is None and kills < 3 and len((out / "log.csv").read_bytes()) <= known:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.3))
        if kills < 3 and process.poll() is None:
            process.kill()
            kills += 1
        error = process.communicate(timeout=120)[1]
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, error
    assert kills >= 1
    assert same_weights(out, run)
    assert told(out) == told(run)
    assert [row["step"] for row in rows(out / "log.csv")] == [str(step) for step in range(1, 13)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_stop(folder, run, tmp_path, monkeypatch, number):
    """Ctrl-C ends after the step, saves and says how to go on; going on ends with the same weights and log."""
    from faceparse_core.training.run import Run

    learn = Run.learn

    def interrupted(self, batch):
        if self.step == 4:
            os.kill(os.getpid(), number)
        learn(self, batch)

    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        patch.setattr(Run, "learn", interrupted)
        with pytest.raises(Interrupted, match="stopped at step 5 of 12, which is saved; --resume goes on"):
            train(folder, tmp_path, validate=2)
    assert signal.getsignal(number) is before
    train(folder, tmp_path, resume=True, validate=2)
    assert same_weights(tmp_path, run)
    assert told(tmp_path) == told(run)


def test_a_full_disk_leaves_the_last_checkpoint(folder, tmp_path, monkeypatch):
    saves = 0

    def fsync(_):
        nonlocal saves
        saves += 1
        if saves > 3:  # the empty tables and the first checkpoint fit
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(FaceParseError, match=r"parser\.pt cannot be written, the disk is full; .* make room"):
            train(folder, tmp_path, sheet=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.csv", "parser.pt", "validation.csv"]
    train(folder, tmp_path, resume=True, settings=tiny(**{**SHORT, "steps": 4}), sheet=0)
    assert len(rows(tmp_path / "log.csv")) == 4


def test_a_disk_that_is_full_in_earnest(folder, run, tmp_path):
    """The system itself refuses to write: a limit on the size of files, in a process of its own."""
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from faceparse_core.training.__main__ import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    before = (run / "parser.pt").read_bytes()
    (tmp_path / "parser.pt").write_bytes(before)
    arguments = ["train", "parser", "--data", folder, "--run", tmp_path, "--resume", "--steps", "13", "--device", "cpu"]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(os.fspath, arguments)], capture_output=True, text=True, timeout=120, cwd=ROOT
    )
    assert done.returncode == 1
    assert "parser.pt cannot be written, File too large; what was there before is whole" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "parser.pt").read_bytes() == before
    assert not list(tmp_path.glob("*.tmp"))


def test_a_run_is_not_overwritten_unasked(folder, run):
    before = (run / "parser.pt").read_bytes()
    with pytest.raises(FaceParseError, match="is there already: --resume goes on with it, --again overwrites it"):
        train(folder, run)
    with pytest.raises(FaceParseError, match="choose one"):
        train(folder, run, resume=True, again=True)
    assert (run / "parser.pt").read_bytes() == before


def test_again_starts_anew_and_leaves_nothing_of_the_old(folder, run, tmp_path):
    import shutil

    out = shutil.copytree(run, tmp_path / "run")
    assert list((out / "sheets").iterdir())
    assert (out / "parser-best.pt").exists()
    train(folder, out, settings=tiny(steps=2, save_every=4, seed=3), again=True, sheet=0)
    assert [row["step"] for row in rows(out / "log.csv")] == ["1", "2"]
    assert rows(out / "validation.csv") == []
    assert not (out / "parser-best.pt").exists()
    assert not list((out / "sheets").iterdir())


def test_a_run_that_is_done_says_so(folder, run, capsys):
    before = (run / "parser.pt").read_bytes()
    train(folder, run, resume=True)
    assert "has its 12 steps already" in capsys.readouterr().err
    assert (run / "parser.pt").read_bytes() == before


def test_nothing_to_resume(folder, tmp_path):
    with pytest.raises(FaceParseError, match=r"nothing to resume: .* does not exist; start without --resume"):
        train(folder, tmp_path, resume=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"width": 0.25}, "width 0.125, not 0.25"), ({"batch": 4, "seed": 4}, "batch 8, not 4, seed 1, not 4")],
)
def test_a_checkpoint_of_other_settings(folder, run, change, said):
    with pytest.raises(FaceParseError, match=f"was trained with {said}; --resume goes on with the same, --again"):
        train(folder, run, resume=True, settings=tiny(**{**SHORT, "steps": 20, **change}))


@pytest.mark.parametrize("fault", ["cut off", "of the finder", "text", "other parts", "other shapes"])
def test_a_checkpoint_of_something_else(folder, run, tmp_path, fault):
    import torch

    path, holds = tmp_path / "parser.pt", torch.load(run / "parser.pt", weights_only=True)
    if fault == "cut off":
        path.write_bytes((run / "parser.pt").read_bytes()[:30000])
    elif fault == "text":
        path.write_text("none")
    elif fault == "of the finder":
        torch.save({"network": {}, "average": {}, "optimizer": {}, "step": 4, "seconds": 1.0, "plan": "{}"}, path)
    elif fault == "other parts":
        parts = {"classes": [*holds["parts"]["classes"], "sticker"], "own": {"sticker": {}}}
        torch.save({**holds, "parts": parts}, path)
    else:
        torch.save({**holds, "network": {"conv.weight": torch.zeros(3)}}, path)
    error = FaceParseError if fault == "other parts" else ModelError
    with pytest.raises(error, match=r"parser\.pt") as caught:
        train(folder, tmp_path, resume=True, settings=tiny(**{**SHORT, "steps": 20}))
    assert "\n" not in str(caught.value)
    if fault == "other parts":
        assert "other parts (sticker)" in str(caught.value)


def test_an_older_checkpoint_goes_on(folder, run, tmp_path):
    """Those that were written before a checkpoint told its parts, its loss, its time, or settings that came later."""
    import torch

    holds = torch.load(run / "parser.pt", weights_only=True)
    settings = {key: value for key, value in holds["settings"].items() if key != "accumulate"}
    old = {key: holds[key] for key in ("network", "average", "optimizer", "step")}
    torch.save({**old, "settings": settings}, tmp_path / "parser.pt")
    train(folder, tmp_path, resume=True, settings=tiny(**{**SHORT, "steps": 13}))
    assert [row["step"] for row in rows(tmp_path / "log.csv")] == ["13"]


def test_a_folder_that_cannot_be_written_to(folder, tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(FaceParseError, match=r"run/parser\.pt cannot be written"):
        train(folder, tmp_path / "run")


# what it tells --------------------------------------------------------------------------------------------------------


@given(st.integers(1, 400), st.integers(1, 300), st.integers(1, 40), st.integers(1, 4), st.integers(1, 50))
def test_epochs_end_in_order(steps, pairs, batch, accumulate, save_every):
    """At most once in `save_every` steps and at the end, when as many pictures were seen as there are pairs."""
    from faceparse_core.training.settings import epoch_ended

    s = tiny(steps=steps, batch=batch, accumulate=accumulate, save_every=save_every)
    ends = {done: epoch for done in range(1, steps + 1) if (epoch := epoch_ended(done, pairs, s))}
    assert max(ends) == steps
    assert sorted(ends.values()) == list(ends.values())
    for done, epoch in ends.items():
        seen = done * batch * accumulate
        assert seen >= epoch * pairs or (done == steps and seen > (epoch - 1) * pairs)
    # What a step of many epochs passes over comes late, by less than a step.
    gaps = np.diff([0, *ends][:-1])
    assert (gaps >= min(save_every, pairs / (batch * accumulate)) - 1).all()
    if steps * batch * accumulate > 2 * (pairs + save_every * batch * accumulate):
        assert len(ends) > 1


def test_the_log_and_the_scores(run, folder):
    import torch

    from faceparse_core.training.evaluate import evaluate
    from faceparse_core.training.export import load_checkpoint
    from faceparse_core.training.settings import rate_factor
    from faceparse_core.training.watch import as_parser, read_held_out

    s = tiny(**SHORT)
    log = rows(run / "log.csv")
    assert [int(row["step"]) for row in log] == list(range(1, 13))
    rates = [s.rate * rate_factor(step, s) for step in range(12)]
    assert [float(row["rate"]) for row in log] == pytest.approx(rates, rel=1e-4)
    assert all(float(row["pictures/s"]) > 0 for row in log)
    seconds = [float(row["seconds"]) for row in log]
    assert seconds == sorted(seconds)
    scores = rows(run / "validation.csv")
    assert [(row["step"], row["epoch"]) for row in scores] == [("5", "6"), ("9", "12"), ("12", "16")]
    assert all(0 <= float(row["mean F1"]) <= 1 for row in scores)
    network = load_checkpoint(run / "parser.pt")
    again = evaluate(as_parser(network, s.sizes[-1][1], torch.device("cpu")), read_held_out([folder], 2), mirror=False)
    assert float(scores[-1]["mean F1"]) == pytest.approx(again.mean_f1, abs=1e-4)
    assert float(scores[-1]["hair"]) == pytest.approx(again.f1(HAIR), abs=1e-4)
    assert scores[-1]["hat"] in ("nan", "0")  # there is none on the pairs held out: nan, unless one is said to be


def test_the_best_checkpoint_is_kept(run):
    import torch

    best = torch.load(run / "parser-best.pt", weights_only=True)
    scores = {int(row["step"]): float(row["mean F1"]) for row in rows(run / "validation.csv")}
    assert best["best"] == pytest.approx(max(scores.values()), abs=1e-5)
    assert scores[best["step"]] == max(scores.values())


def test_the_score_is_the_one_of_the_export(run, folder, tmp_path):
    """What is told while training is what the exported network scores, but for its rounded weights."""
    from dataclasses import replace

    from faceparse_core.training.evaluate import evaluate
    from faceparse_core.training.export import export_parser, load_checkpoint
    from faceparse_core.training.layouts import celebamask_val

    export_parser(load_checkpoint(run / "parser.pt"), tmp_path / "a.onnx", 64, 1.8, "full")
    parser = replace(load_parser(str(tmp_path / "a.onnx")), size=64)
    told = float(rows(run / "validation.csv")[-1]["mean F1"])
    assert evaluate(parser, celebamask_val(folder), mirror=False).mean_f1 == pytest.approx(told, abs=2e-3)


def test_sheets_show_photo_labels_and_what_is_said(run, folder):
    from faceparse_core.parts import PARTS
    from faceparse_core.training.layouts import celebamask_val

    assert sorted(path.name for path in (run / "sheets").iterdir()) == [
        "epoch-006.png",
        "epoch-012.png",
        "epoch-016.png",
    ]
    sheet = cv2.imread(str(run / "sheets" / "epoch-016.png"))[..., ::-1]
    assert sheet.shape == (256, 4 * 3 * 256, 3)  # two pairs, and room for two
    first = celebamask_val(folder)[0]
    photo = cv2.resize(first.rgb, (256, 256), interpolation=cv2.INTER_AREA)
    assert (sheet[:, :256] == photo).all()
    assert tuple(sheet[100, 384]) == PARTS[1].mark  # the labels call the middle of the face a head


def test_samples_are_training_pairs_where_none_are_held_out(folder, tmp_path):
    train(folder, tmp_path, settings=tiny(steps=1), sheet=3)
    sheet = cv2.imread(str(tmp_path / "sheets" / "epoch-001.png"))
    assert (sheet[:, 3 * 3 * 256 :] == 255).all()
    assert (sheet[:, : 3 * 3 * 256] != 255).any()
    assert rows(tmp_path / "validation.csv") == []


def test_a_table_goes_back_to_a_step(tmp_path):
    from faceparse_core.training.runlog import Table

    path = tmp_path / "log.csv"
    table = Table(path, ("step", "loss"), 0)
    for step in range(1, 6):
        table.add({"step": step, "loss": step / 3})
    path.write_bytes(path.read_bytes()[:-3])  # the last row cut off
    assert path.read_text() == "step,loss\n1,0.333333\n2,0.666667\n3,1\n4,1.33333\n5,1.666"
    table = Table(path, ("step", "loss"), 5)
    assert [row["step"] for row in table.rows] == [1, 2, 3, 4]
    table = Table(path, ("step", "loss"), 2)
    table.add({"step": 3, "loss": float("nan")})
    assert path.read_text() == "step,loss\n1,0.333333\n2,0.666667\n3,nan\n"
    with pytest.raises(FaceParseError, match=r"log\.csv: not the table of this run .* move it away"):
        Table(path, ("step", "score"), 2)
    assert Table(path, ("step", "score"), 0).rows == []


def test_tensorboard_has_each_step_once(folder, tmp_path, monkeypatch):
    """Also after a resume, and what was logged before it was asked for."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(folder, tmp_path, settings=tiny(steps=4), validate=2)
    for steps in (6, 8):
        train(folder, tmp_path, resume=True, settings=tiny(steps=steps), validate=2, tensorboard=True)
    events = EventAccumulator(os.fspath(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("training/loss")] == list(range(1, 9))
    losses = [float(row["loss"]) for row in rows(tmp_path / "log.csv")]
    assert [event.value for event in events.Scalars("training/loss")] == pytest.approx(losses, rel=1e-4)
    assert [event.step for event in events.Scalars("validation/hair")] == [4, 6, 8]
    when = [event.wall_time for event in events.Scalars("training/loss")]
    assert when == sorted(when)


@pytest.mark.parametrize("method", ["add_scalar", "flush", "close"])
def test_a_disk_that_fills_up_beneath_tensorboard(folder, tmp_path, monkeypatch, method):
    from torch.utils.tensorboard import SummaryWriter

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SummaryWriter, method, full)
    with pytest.raises(FaceParseError, match="tensorboard cannot be written, the disk is full"):
        train(folder, tmp_path, settings=tiny(steps=2), tensorboard=True)


def test_no_tensorboard(folder, tmp_path, monkeypatch):
    for name in ("tensorboard", "torch.utils.tensorboard"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(FaceParseError, match=r"needs the package tensorboard; .* run: pip install .\.\[train\]"):
        train(folder, tmp_path, tensorboard=True)
    assert not list(tmp_path.iterdir())


# export ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stored", "bytes_each", "off"), [("full", 4, 1e-5), ("half", 2, 2e-3), ("int8", 1, 0.1)])
def test_torch_and_onnx_runtime_agree_on_every_export(run, tmp_path, stored, bytes_each, off):
    import torch

    from faceparse_core.training.export import export_parser, load_checkpoint, restore_parser
    from faceparse_core.training.stepper import normalise

    paths = [tmp_path / "a.onnx", tmp_path / "b.onnx"]
    for path in paths:
        export_parser(load_checkpoint(run / "parser.pt"), path, 64, 1.8, stored)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    rgb = np.random.default_rng(0).uniform(0, 255, (2, 3, 64, 64)).astype(np.float32)
    scores = load_parser(str(paths[0])).run(rgb)
    network = load_checkpoint(run / "parser.pt")
    with torch.inference_mode():
        same = restore_parser(paths[0]).eval()(torch.from_numpy(rgb)).numpy()
        trained = network(normalise(torch.from_numpy(rgb))).numpy()
    assert np.abs(scores - same).max() < 1e-3 * np.abs(same).max()
    assert np.abs(scores - trained).max() < off * np.abs(trained).max()
    weights = sum(p.numel() for name, p in network.named_parameters() if not name.startswith("conv_out16"))
    assert paths[0].stat().st_size < 1.3 * bytes_each * weights + 60_000


def test_int8_is_the_nearest_in_each_channel(run, tmp_path):
    from faceparse_core.training.export import export_parser, exported_weights, load_checkpoint

    for stored in ("full", "int8"):
        export_parser(load_checkpoint(run / "parser.pt"), tmp_path / f"{stored}.onnx", 64, 1.8, stored)
    full, small = (exported_weights(tmp_path / f"{stored}.onnx") for stored in ("full", "int8"))
    assert full.keys() == small.keys()
    rounded = 0
    for name, weights in full.items():
        if weights.ndim > 1 and weights.numel() > 64:
            step = weights.abs().flatten(1).max(1).values / 127
            off = (small[name] - weights).abs().flatten(1).max(1).values
            assert (off <= step * 0.501).all(), name
            rounded += 1
    assert rounded > 20


def test_what_a_dead_channel_is_stored_as():
    """All of its weights are zero: so is what comes back."""
    from onnx import helper, numpy_helper

    from faceparse_core.training.export import restored, store

    weights = np.random.default_rng(0).normal(size=(4, 40, 1, 1)).astype(np.float32)
    weights[2] = 0
    graph = helper.make_graph([], "g", [], [], [numpy_helper.from_array(weights, "w")])
    store(graph, "int8")
    back = restored(graph)["w"]
    assert (back[2] == 0).all()
    assert np.abs(back - weights).max() < 0.02


# the command ----------------------------------------------------------------------------------------------------------


def command(*words):
    from faceparse_core.training.__main__ import main

    return main([os.fspath(word) for word in words])


def test_the_command_goes_on_with_the_runs_own_settings(folder, run, tmp_path, capsys):
    import shutil

    import torch

    out = shutil.copytree(run, tmp_path / "run")
    assert command("train", "parser", "--data", folder, "--run", out, "--device", "cpu") == 1
    assert "is there already" in capsys.readouterr().err
    assert command("train", "parser", "--data", folder, "--run", out, "--resume", "--batch", "12") == 1
    assert "was trained with batch 8, not 12" in capsys.readouterr().err
    words = ("train", "parser", "--data", folder, "--run", out, "--resume", "--steps", "14", "--device", "cpu")
    assert command(*words) == 0
    holds = torch.load(out / "parser.pt", weights_only=True)
    assert holds["step"] == 14
    assert holds["settings"]["width"] == 0.125


def started(out):
    from faceparse_core.training.checkpoint import read_checkpoint

    return read_checkpoint(out / "parser.pt").started


def test_resume_alone_goes_on_as_the_run_was_started(folder, tmp_path, monkeypatch, capsys):
    """From another folder, without the variable: the same data, from the same weights, validated as before."""
    monkeypatch.chdir(folder.parent)
    monkeypatch.delenv("FACEPARSE_DATA", raising=False)
    out, small = tmp_path / "run", ("--batch", "2", "--device", "cpu")
    weights = os.path.relpath(EMBEDDED_WEIGHTS, folder.parent)
    first = ("train", "parser", "--data", folder.name, "--from", weights, "--run", out, "--steps", "1", *small)
    assert command(*first, "--validate", "2", "--skip-broken") == 0
    monkeypatch.chdir(tmp_path)
    resumed = ("train", "parser", "--run", out, "--resume", "--device", "cpu")
    assert command(*resumed, "--steps", "2") == 0
    assert [row["step"] for row in rows(out / "validation.csv")] == ["1", "2"]
    told = started(out)
    assert told.data == (os.fspath(folder),)
    assert Path(told.weights) == EMBEDDED_WEIGHTS
    assert (told.validate, told.skip_broken, told.beards) == (2, True, False)
    assert "started" not in capsys.readouterr().err


@pytest.mark.parametrize("gone", ["data", "add"])
def test_a_path_that_is_gone_is_told_and_may_be_named_anew(folder, run, tmp_path, capsys, gone):
    import shutil

    from faceparse_core.training.checkpoint import read_checkpoint, write_checkpoint
    from faceparse_core.training.settings import Started

    out, before = tmp_path / "run", read_checkpoint(run / "parser.pt")
    lost = os.fspath(tmp_path / "lost")
    what = Started(data=(lost,)) if gone == "data" else Started(add=(f"sticker={lost}",))
    write_checkpoint(replace(before, started=what), out / "parser.pt")
    assert command("train", "parser", "--run", out, "--resume", "--steps", "13", "--device", "cpu") == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"--{gone} {lost}, where nothing lies any more" in error
    if gone == "data":
        shutil.copytree(folder, tmp_path / "found")
        words = ("--data", tmp_path / "found", "--steps", "13", "--device", "cpu")
        assert command("train", "parser", "--run", out, "--resume", *words) == 0
        assert started(out).data == (os.fspath(tmp_path / "found"),)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("train", "parser", "--batch", "1"), "1 is not 2 or more"),
        (("train", "parser", "--accumulate", "0"), "0 is not 1 or more"),
        (("train", "parser", "--device", "tpu"), "invalid choice"),
        (("train", "parser", "--validate", "0"), "0 is not 1 or more"),
        (("train", "parser", "--steps", "1.5"), "invalid whole number value: '1.5'"),
        (("train", "parser", "--seed=-1"), "-1 is not 0 or more"),
        (("train", "parser", "--seed", str(10**30)), "too large"),
        (("train", "parser", "--rate", "nan"), "nan is not above 0"),
        (("train", "parser", "--rate", "0"), "0 is not above 0"),
        (("evaluate", "parser", "--size", "100"), "100 is no multiple of 32"),
        (("evaluate", "parser", "--photos", "x"), "--photos is for the network heads"),
        (("train", "heads", "--from", "x"), "--from is for the network parser"),
        (("train", "heads", "--keep-best"), "--keep-best is for the network parser"),
        (("export", "heads", "--weights", "int8"), "--weights is for the network parser"),
        (("train", "heads", "--data", "a", "--data", "b"), "--data is given once"),
        (("export", "parser", "--share", "0.5"), "--mix"),
        (("export", "parser", "--bias", "beard"), "'beard' is not PART=LOGITS, as in beard=0.5"),
        (("export", "parser", "--bias", "beard=much"), "'beard=much' is not PART=LOGITS"),
        (("export", "parser", "--bias", "beard=inf"), "'beard=inf' is not PART=LOGITS"),
        (("export", "parser", "--bias", "=1"), "'=1' is not PART=LOGITS"),
        (("export", "parser", "--bias", "beard=1e300"), "'beard=1e300' is not PART=LOGITS"),
        (("export", "parser", "--bias", "a\nb"), "is not PART=LOGITS"),
        (("export", "heads", "--bias", "beard=1"), "--bias is for the network parser"),
    ],
)
def test_options_that_make_no_sense(words, says, capsys):
    with pytest.raises(SystemExit, match="2"):
        command(*words)
    assert says in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--from", "none.onnx"), "none.onnx: the model cannot be read (No such file or directory)"),
        (("--from", EMBEDDED_WEIGHTS.with_name("heads.onnx")), "heads.onnx: not a parser"),
        (("--occluders", "none"), "none: no such folder of cut-outs"),
        (("--keep-best",), "add --validate"),
        (("--parts", "face", "--beards"), "exclude each other"),
    ],
)
def test_what_is_missing_is_told_before_the_pairs_are_read(folder, tmp_path, monkeypatch, capsys, words, says):
    from faceparse_core.training import data

    monkeypatch.setattr(data.Pairs, "__init__", lambda *_: pytest.fail("read"))
    assert command("train", "parser", "--data", folder, "--run", tmp_path / "run", *words) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert says in error


def test_nothing_is_held_out_to_validate_on(tmp_path, capsys):
    """Pairs that are trained on would be scored, and be called held out."""
    cv2.imwrite(str(tmp_path / "a.jpg"), np.zeros((8, 8, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8), np.uint8))
    assert command("train", "parser", "--data", tmp_path, "--run", tmp_path / "run", "--validate") == 1
    assert "--validate needs pairs that are held out" in capsys.readouterr().err


def test_broken_pairs_that_are_held_out(tmp_path, capsys):
    from faceparse_core.training.watch import read_held_out

    data = write_data(tmp_path / "data")
    tar = data / "celebamask" / "val.tar"
    write_tar(tar, range(4, 8))
    with tarfile.open(tar) as archive:
        members = {name: archive.extractfile(name).read() for name in archive.getnames()}
    photos = sorted(name for name in members if name.endswith(".webp"))
    members[photos[0]] = b"none"
    del members[photos[1].replace(".webp", ".png")]
    with tarfile.open(tar, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    with pytest.raises(FaceParseError, match=f"{photos[1]} has no label map"):
        read_held_out([data], 99)
    assert len(read_held_out([data], 99, skip_broken=True)) == len(photos) - 2
    told = capsys.readouterr().err
    assert told.startswith("2 broken pairs left out: ")
    assert f"{photos[0]}: the photo cannot be read\n" in told


def test_what_is_broken_in_a_folder_is_told_with_the_pairs_that_are_learnt(monkeypatch, capsys):
    from faceparse_core.training import watch

    def pair(number: int) -> Pair:
        return Pair(str(number), np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8))

    sets = {word: [DataSet("a", (word,), pair, broken=("3.jpg has no masks",))] for word in ("train", "test")}
    monkeypatch.setattr(watch, "find_sets", lambda _, split="train": sets[split])
    assert len(watch.read_held_out([Path("a")], 9)) == 1
    assert not capsys.readouterr().err


def test_the_wrong_checkpoint_to_export(tmp_path, capsys):
    (tmp_path / "parser.pt").write_text("hello")
    (tmp_path / "heads.pt").write_text("hello")
    for network in ("parser", "heads"):
        for run, says in ((tmp_path, "not a checkpoint"), (tmp_path / "none", "there is no such checkpoint")):
            assert command("export", network, "--run", run, "-o", tmp_path / "a.onnx") == 1
            error = capsys.readouterr().err
            assert error.count("\n") == 1
            assert says in error
    assert not (tmp_path / "a.onnx").exists()


def test_the_command_exports_best_and_small(run, tmp_path):
    for words in (("--weights", "int8"), ("--best",), ()):
        path = tmp_path / f"{len(words)}.onnx"
        assert command("export", "parser", "--run", run, "-o", path, *words) == 0
        assert load_parser(str(path)).size == load_parser().size
    assert (tmp_path / "2.onnx").stat().st_size < 0.7 * (tmp_path / "0.onnx").stat().st_size


@pytest.mark.parametrize("stored", ["full", "half", "int8"])
def test_what_is_added_to_a_parts_score_is_added_everywhere(run, tmp_path, stored):
    plain, raised = tmp_path / "plain.onnx", tmp_path / "raised.onnx"
    words = ("export", "parser", "--run", run, "--weights", stored, "-o")
    assert command(*words, plain) == command(*words, raised, "--bias", "beard=0.5", "--bias", "hair=-1.25") == 0
    rgb = np.random.default_rng(0).uniform(0, 255, (1, 3, 64, 64)).astype(np.float32)
    more = load_parser(str(raised)).run(rgb) - load_parser(str(plain)).run(rgb)
    expected = np.zeros(more.shape[1])
    expected[BEARD], expected[HAIR] = 0.5, -1.25
    assert more == pytest.approx(np.broadcast_to(expected[:, None, None], more[0].shape)[None], abs=1e-4)


def test_a_part_that_the_network_has_not_is_not_favoured(run, tmp_path, capsys):
    path = tmp_path / "a.onnx"
    assert command("export", "parser", "--run", run, "-o", path, "--bias", "tail=1") == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "has no part tail; --bias knows background, head, " in error
    assert command("export", "parser", "--run", run, "-o", path, "--bias", "hair=1", "--bias", "hair=2") == 1
    assert "--bias names a part twice" in capsys.readouterr().err
    assert not path.exists()


def test_export_into_a_folder_that_is_not_there(run, tmp_path, capsys):
    assert command("export", "parser", "--run", run, "-o", tmp_path / "none" / "a.onnx") == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "cannot be written" in error


def test_the_finders_run_is_not_overwritten_either(folder, tmp_path, capsys):
    (tmp_path / "heads.pt").write_bytes(b"hours")
    assert command("train", "heads", "--data", folder, "--run", tmp_path) == 1
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "heads.pt").read_bytes() == b"hours"
