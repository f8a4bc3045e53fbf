"""Train the parser: BiSeNet from scratch, on human-labelled pairs beside rendered ones for the beard.

The schedule is warm-up, plateau, decay (Hu et al., arXiv 2404.06395): a run can be resumed with more or fewer steps
and ends like a run that was started with them, as long as the decay had not begun. What is evaluated and exported is
the running mean of the weights.

What a step does depends on the settings, the data and the checkpoint before it alone. So a run that was killed and
resumed ends, on the CPU and with as many cores, with the same weights as one that was not, bit for bit.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from types import FrameType

import torch
from torch import Tensor

from faceparse_core.errors import Interrupted, printable
from faceparse_core.training.checkpoint import check_classes, check_settings, check_start, read_checkpoint
from faceparse_core.training.data import Pair
from faceparse_core.training.evaluate import evaluate
from faceparse_core.training.labels import network_classes
from faceparse_core.training.losses import label_table, make_memory, memory_loss, parsing_loss
from faceparse_core.training.occluders import read_cutouts
from faceparse_core.training.run import Run, three_heads
from faceparse_core.training.runlog import BOARD, EVENTS, MEAN, RunLog, tensorboard
from faceparse_core.training.saving import written
from faceparse_core.training.settings import RunOptions, TrainSettings, epoch_ended, rate_factor, step_pictures
from faceparse_core.training.stepper import find_device
from faceparse_core.training.stream import Mixture, as_mixture, batches
from faceparse_core.training.watch import as_parser, spread, write_sheet

LAST, BEST = "parser.pt", "parser-best.pt"  #: names of the checkpoints in a run's folder
SHEETS = "sheets"


def train_parser(
    data: Path | Mixture,
    out: Path,
    s: TrainSettings = TrainSettings(),  # noqa: B008 - frozen
    resume: bool = False,
    weights: Path | None = None,
    occluders: Path | None = None,
    options: RunOptions = RunOptions(),  # noqa: B008 - frozen
    held_out: Sequence[Pair] = (),
) -> Path:
    """Train and leave `out`/parser.pt, a checkpoint that `resume` goes on from; returns its path.

    data         a folder in a layout that is known, or what was made of several data sets
    weights      an exported .onnx to start from instead of from scratch
    occluders    a folder of pictures with transparency to lie in front of faces, beside those that are drawn
    held_out     pairs to score at the end of each epoch, none of which is trained on

    Beside it come log.csv, at the end of each epoch sheets/epoch-N.png, and what the options ask for. Raises
    FaceParseError where there is no data, no such weights, no cut-outs, where `out` holds a run already or another
    one than is to go on, where the disk is full; Interrupted after Ctrl-C or SIGTERM.
    """
    path = out / LAST
    check_start(path, resume, options.again)
    before = read_checkpoint(path) if resume else None
    if before:
        check_settings(before, path, s)
        if before.step >= s.steps:
            _say(f"{printable(os.fspath(path))} has its {before.step} steps already; more --steps go on")
            return path
    if options.tensorboard:
        tensorboard()  # that it is missing is said before hours of work
    device = find_device(options.device)
    cutouts = read_cutouts(occluders) if occluders else []
    mixture = as_mixture(data)
    classes, count = mixture.classes, sum(len(pairs) for pairs in mixture.pairs)
    if before:
        check_classes(before, path, classes)
    criterion = partial(parsing_loss, table=label_table(mixture.legend).to(device))
    run = Run(s, classes, three_heads(criterion, s.auxiliary, _keeping(mixture, s, weights, device)), device)
    if before:
        run.go_on(path, before)
    run.started = options.started or run.started
    if not before:
        if weights:
            with contextlib.closing(batches(mixture, s, 0, cutouts)) as stream:
                first = [rgb for rgb, *_ in islice(stream, 4)]  # of a short run they may be of several sizes
                run.begin_with(weights, torch.cat([rgb for rgb in first if rgb.shape == first[0].shape]))
        _clear(out)
        run.save(path)  # a folder that cannot be written to is found out before hours of work
    log = RunLog(out, classes.names[1:], run.step, run.seconds, options.tensorboard)
    samples = spread(held_out or mixture.pairs[-1], options.sheet)  # the last are a user's own, where there are any
    stream = batches(mixture, s, run.step, cutouts)
    with contextlib.closing(log), contextlib.closing(stream), run.stepper, told_to_stop() as stop:
        clock = Clock(run)
        while run.step < s.steps:
            run.learn(next(stream))
            done = run.step == s.steps
            if run.step % options.log_every == 0 or done:
                log.tell(clock.row())
            if epoch := epoch_ended(run.step, count, s):
                _look(run, epoch, held_out, samples, log, out, options.keep_best)
            if run.step % s.save_every == 0 or done or stop.is_set():
                clock.stop()
                run.save(path)
            if stop.is_set() and not done:
                raise Interrupted(f"stopped at step {run.step} of {s.steps}, which is saved; --resume goes on")
    return path


def check_means(weights: Path | None, occluders: Path | None, options: RunOptions) -> None:
    """Raise FaceParseError for what is missing beside the pairs, as `train_parser` would once it has read them all."""
    from faceparse_core.training.export import check_weights

    if options.tensorboard:
        tensorboard()
    find_device(options.device)
    if occluders:
        read_cutouts(occluders)
    if weights:
        check_weights(weights)


def _keeping(
    mixture: Mixture, s: TrainSettings, weights: Path | None, device: torch.device
) -> Callable[[Tensor, Tensor, Tensor], Tensor] | None:
    """What is added to the loss so that a network forgets nothing; None where it starts from nothing."""
    if not s.keep or weights is None:
        return None
    from faceparse_core.training.export import restore_parser

    painted = mixture.own.sets if mixture.own else ()
    before, names = restore_parser(weights), frozenset(one.name for one in painted)
    memory = make_memory(before, network_classes(weights), mixture.legend, names).to(device)
    return lambda scores, labels, rgb: s.keep * memory_loss(scores, labels, rgb, memory)


class Clock:
    """How long a run took and how fast it is; says so on stderr."""

    def __init__(self, run: Run) -> None:
        self.run, self.earlier, self.began = run, run.seconds, time.monotonic()
        self._last = run.step, self.began

    def stop(self) -> float:
        """Put the seconds so far into the run; returns the time."""
        now = time.monotonic()
        self.run.seconds = self.earlier + now - self.began
        return now

    def row(self) -> dict[str, float]:
        """What the log tells: `runlog.TRAINING`. The speed is that since the last row."""
        now, run, s = self.stop(), self.run, self.run.settings
        step, then = self._last
        speed = (run.step - step) * step_pictures(s) / max(now - then, 1e-9)
        self._last = run.step, now
        left = (s.steps - run.step) * step_pictures(s) / speed / 60
        loss = run.loss or 0.0
        _say(f"step {run.step}/{s.steps}  loss {loss:.4f}  {speed:.1f} pictures/s  {left:.0f} min left", over=True)
        rate = s.rate * rate_factor(run.step - 1, s)
        return {"step": run.step, "loss": loss, "rate": rate, "pictures/s": speed, "seconds": run.seconds}


@contextlib.contextmanager
def told_to_stop() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets, so that no step is left half done. A second one ends the program."""
    told = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield told  # signals come to the main thread alone
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def tell(number: int, _: FrameType | None) -> None:
        told.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, tell)
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _look(
    run: Run, epoch: int, held_out: Sequence[Pair], samples: Sequence[Pair], log: RunLog, out: Path, keep_best: bool
) -> None:
    """At the end of an epoch: a sheet of samples, and scores on the pairs held out."""
    parser = as_parser(run.average, run.settings.sizes[-1][1], run.stepper.device)
    if samples:
        write_sheet(parser, run.classes, samples, out / SHEETS / f"epoch-{epoch:03}.png")
    if held_out:
        scores = evaluate(parser, held_out, mirror=False, classes=run.classes)
        each = {name: scores.f1(part) for part, name in enumerate(run.classes.names) if part}
        log.score({"step": run.step, "epoch": epoch, MEAN: scores.mean_f1, **each})
        _say(f"epoch {epoch}  mean F1 {scores.mean_f1:.4f} on {len(held_out)} pairs held out")
        if scores.mean_f1 > run.best:
            run.best = scores.mean_f1
            if keep_best:
                run.save(out / BEST)


def _clear(out: Path) -> None:
    """Remove what another run left that this one would not write over."""
    if not out.is_dir():
        return
    with written(out):
        (out / BEST).unlink(missing_ok=True)
        for folder, pattern in ((out / SHEETS, "epoch-*.png"), (out / BOARD, EVENTS)):
            for old in folder.glob(pattern):
                old.unlink()


def _say(line: str, over: bool = False) -> None:
    """A line on stderr; in a terminal one that is `over` is written over by the next such."""
    terminal = sys.stderr.isatty()
    start, end = ("\r", "") if terminal and over else ("\n" if terminal else "", "\n")
    print(f"{start}{line}", end=end, file=sys.stderr, flush=True)
