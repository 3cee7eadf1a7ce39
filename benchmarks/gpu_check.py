"""Training on a CUDA device: agreement with plain torch, positives/s by loss and way, a data set end to end, kernels.

    python benchmarks/gpu_check.py [--train FILE] [--test FILE] [--seconds 230] [--rounds 3]

Parts run in order until `--seconds` are over; one that fails prints its traceback, and the next runs. `plain` is plain
torch on the device, `fused` its Triton kernels, `graph` the same replayed as CUDA graphs, which is what training does.
Sizes are those of Amazon Phone and Gowalla, generated; batches are the default, a 64th of the interactions. How to read
it: positives/s are medians over epochs (of plain torch, over parts of one); `ratio` is to plain in the same run.
`--train` is trained with default options on the device, twice, and by the CPU engine of the same machine; kernels for
CPUs and GPUs are compiled before by fits of small data, whose time is printed. The test part chooses
nothing. Tests that use a CUDA device:

    pytest -q tests/training/autograd/test_cuda.py tests/training/autograd/test_fused.py \
        tests/training/autograd/test_fused_softmax.py tests/training/autograd/test_fused_compiles.py \
        tests/training/autograd/test_device_steps.py
"""

# ruff: noqa: SLF001 - parts of the engine are measured apart

from __future__ import annotations

import argparse
import platform
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from nestrec import (
    BPR,
    Adagrad,
    DynamicSampler,
    Interactions,
    RandomSplit,
    Run,
    SyntheticData,
    TorchEngine,
    Trainer,
    evaluate,
    read_interactions,
)
from nestrec.training.autograd import autograd_engine, device_steps, fused
from nestrec.training.callbacks import Callback, EpochReport, PhaseStart
from nestrec.training.engines import RunningEngine
from scaling_data import generate_interactions

SIZES: dict[str, tuple[int, int, int]] = {
    "phone": (27_879, 10_429, 155_163),
    "gowalla": (29_858, 40_981, 810_128),
}  # users, items, interactions
METHODS: dict[str, dict[str, Any]] = {"softmax": {}, "pairs": {"loss": BPR(), "sampler": DynamicSampler(16)}}
WAYS = ("plain", "fused", "graph")
RATE = 0.02
VARIANTS = [  # precision of products, candidates at once, warps, dimensions of a tile
    ("tf32x3", 32, 8, 32), ("tf32x3", 32, 8, 64), ("tf32x3", 32, 4, 32), ("tf32x3", 64, 8, 32), ("tf32x3", 64, 8, 64),
    ("ieee", 32, 8, 64), ("tf32", 32, 8, 32),
]  # fmt: skip


@contextmanager
def training_by(way: str) -> Iterator[None]:
    """Let engines that are started in the block train plainly, by fused kernels, or by these in CUDA graphs."""
    is_fused, repeats = way != "plain", way == "graph"
    serves, can_repeat = fused.serves, device_steps.can_repeat
    with (
        patch.object(fused, "serves", lambda device: is_fused and serves(device)),
        patch.object(autograd_engine, "can_repeat", lambda *of: repeats and can_repeat(*of)),
    ):
        yield


def start(interactions: Interactions, way: str, device: str, **options: Any) -> RunningEngine:
    """Return an engine at its starting values."""
    with training_by(way):
        trainer = Trainer(engine=TorchEngine(device, Adagrad()), **options)
        return trainer.resolve(interactions).start_engine(Run())


def seconds_of(engine: RunningEngine, epoch: int, n: int) -> float:
    """Train the first n positives of an epoch as a phase does, slice by slice; return the time."""
    begun = time.perf_counter()
    for first in range(0, n, engine.slice_size):
        engine.train(epoch, first, min(n, first + engine.slice_size), RATE)
    return time.perf_counter() - begun


def print_machine(device: str) -> None:
    print(f"python {platform.python_version()}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    if device == "cuda":
        print(f"{torch.cuda.get_device_name()}, kernels: {fused.missing() or 'available'}")


def compare(interactions: Interactions, device: str) -> None:
    """Print how far the vectors are from plain torch's after an epoch, beside how far training has moved them."""
    for method, options in METHODS.items():
        found: dict[str, Any] = {}
        for way in WAYS:
            engine = start(interactions, way, device, **options)
            first = engine.item_embeddings.copy()
            loss = engine.train(0, 0, engine.n_positives, RATE)[0] / engine.n_positives
            found[way] = loss, engine.item_embeddings.copy()
        moved = np.abs(found["plain"][1] - first)
        for way in WAYS[1:]:
            apart = np.abs(found[way][1] - found["plain"][1])
            print(f"{method} {way}: loss {found[way][0]:.6f}, plain {found['plain'][0]:.6f}; vectors apart mean "
                  f"{apart.mean():.2e} most {apart.max():.2e}, moved mean {moved.mean():.2e}", flush=True)  # fmt: skip


def measure(interactions: Interactions, size: str, device: str, rounds: int) -> None:
    """Print a line for each loss and way."""
    for method, options in METHODS.items():
        plain = 0.0
        for way in WAYS:
            engine = start(interactions, way, device, **options)
            config = engine.config  # type: ignore[attr-defined]
            n = engine.n_positives
            n = min(n, 12 * config.batch_size) if way == "plain" else n
            warm = seconds_of(engine, 0, n)
            rate = n / median(seconds_of(engine, epoch, n) for epoch in range(1, 1 + rounds))
            plain = plain or rate
            steps = engine._device_steps  # type: ignore[attr-defined]
            state = "direct" if steps is None else steps.full_batch.state
            print(f"{size:8} {method:8} {way:6} {state} batch {config.batch_size:6} candidates "
                  f"{engine.objective.n_candidates:4} {rate:14,.0f} positives/s {config.batch_size / rate * 1e3:8.3f} "
                  f"ms/step, ratio {rate / plain:6.2f}, first epoch {warm:.2f} s", flush=True)  # fmt: skip


class Log(Callback):
    """Prints phases and validations with the time since the start, and sums the time of the epochs."""

    def __init__(self) -> None:
        self.begun, self.n_positives = time.perf_counter(), 0
        self.training: dict[str, float] = defaultdict(float)
        self.epochs: dict[str, int] = defaultdict(int)

    def on_phase_start(self, start: PhaseStart) -> None:
        """Print the phase."""
        self.n_positives = start.n_positives
        print(f"  {time.perf_counter() - self.begun:7.1f} s {start.phase}: {start.epochs} epochs", flush=True)

    def on_epoch_end(self, report: EpochReport) -> None:
        """Sum the time of the steps, and print what validation found."""
        self.training[report.phase] += self.n_positives / report.positives_per_second
        self.epochs[report.phase] += 1
        if report.value is not None:
            print(f"  {time.perf_counter() - self.begun:7.1f} s {report.phase} epoch {report.epoch}: validation "
                  f"{report.value:.4f}", flush=True)  # fmt: skip


def train_whole(train: Interactions, test: Interactions | None, engine: TorchEngine | None, **options: Any) -> None:
    """Print seconds, validation and test metrics of a run with default options."""
    log = Log()
    trainer = Trainer(engine=engine, **options)
    model = trainer.fit(train, validation=RandomSplit(0.1), run=Run(callbacks=log))
    seconds = time.perf_counter() - log.begun
    parts = ", ".join(f"{phase} {log.epochs[phase]} epochs {of:.1f} s" for phase, of in log.training.items())
    print(f"{options or 'defaults'}: {seconds:.1f} s in all; of these, steps: {parts}", flush=True)
    history = model.manifest["training"]["history"]
    best = max(history, key=lambda look: look["value"])
    print(f"  validation of the best epoch ({best['epoch']}): {best['metrics']}", flush=True)
    if test is None:
        return
    begun = time.perf_counter()
    for of in evaluate(model, test, cutoffs=(20,), bootstrap_samples=0).widths:
        print(f"  test, width {of.width:3}: recall@20 {of.means['recall@20']:.4f} ndcg@20 {of.means['ndcg@20']:.4f}")
    print(f"  evaluated in {time.perf_counter() - begun:.1f} s", flush=True)


def profile(interactions: Interactions, size: str, device: str) -> None:
    """Print the operations that take the device longest in 8 steps of the default loss, not captured."""
    engine = start(interactions, "fused", device)
    n = min(engine.n_positives, 8 * engine.config.batch_size)  # type: ignore[attr-defined]
    seconds_of(engine, 0, n)
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profiler:
        seconds_of(engine, 1, n)
    times: dict[str, list[float]] = defaultdict(list)
    for event in profiler.events():
        if str(event.device_type).endswith("CUDA"):
            times[event.name[:90]].append(event.device_time)
    print(f"{size}: device {sum(map(sum, times.values())) / 8:.0f} us/step in {sum(map(len, times.values())) / 8:.0f}")
    for name, of in sorted(times.items(), key=lambda item: -sum(item[1]))[:14]:
        print(f"  {sum(of) / 8:8.1f} us/step in {len(of) / 8:5.1f}  {name}", flush=True)


def sweep(interactions: Interactions, size: str, device: str, is_over: Callable[[], bool]) -> None:
    """Print the time of the softmax's kernels by precision and tile, and their distance from the exact products."""
    from nestrec.training.autograd.fused import pool_softmax

    engine: Any = start(interactions, "fused", device)
    rows = engine._order_of(0)[: engine.config.batch_size]
    engine._table.normal_(std=0.3)
    batch = engine._batches.batch(engine._positives.at(rows), engine._table[None], engine._moment(0, 0))
    nodes, exact = engine._rows(batch), None
    for precision, chunk, warps, tile in [("ieee", 32, 8, 32), *VARIANTS]:
        variant = f"{size:8} {precision:7} {chunk} candidates, {warps} warps, {tile} dimensions"
        if is_over():
            return
        with (
            patch.object(pool_softmax, "PRECISION", precision),
            patch.object(pool_softmax, "_CHUNK", chunk),
            patch.object(pool_softmax, "_WARPS", warps),
            patch.object(pool_softmax, "_TILE", tile),
        ):
            try:
                _, gradients = engine._fused_loss(engine._table, nodes, None)
                exact = gradients.clone() if exact is None else exact
                taken = milliseconds(lambda: engine._fused_loss(engine._table, nodes, None))
                apart = float((gradients - exact).abs().max() / exact.abs().max())
                print(f"{variant}: {taken:.3f} ms, apart {apart:.1e}")
            except Exception as error:  # the next variant may run
                print(f"{variant}: {error!r}"[:300])
            sys.stdout.flush()


def scale_counts(counts: tuple[int, int, int], scale: float) -> tuple[int, int, int]:
    """Return users, items and interactions of data of the same density for each user."""
    n_users, n_items, n_interactions = (max(100, int(of * scale)) for of in counts)
    return n_users, n_items, n_interactions


def milliseconds(of: Callable[[], object]) -> float:
    """Return the median time on the device."""
    times: list[float] = []
    for _ in range(10):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        begin.record()
        of()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, help="interactions to train on end to end")
    parser.add_argument("--test", type=Path, help="held-out interactions to evaluate on")
    parser.add_argument("--seconds", type=float, default=230, help="no part starts after this time")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of the generated data, to try the script")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    options = parser.parse_args()
    for path in (options.train, options.test):
        if path is not None and not path.exists():
            parser.error(f"{path} must be a file, got nothing there")
    begun, device = time.perf_counter(), options.device
    limit: float = options.seconds

    def is_over() -> bool:
        return time.perf_counter() - begun > limit

    def part(name: str, of: Callable[..., object], *arguments: Any, **keywords: Any) -> None:
        if is_over():
            print(f"\n== {name}: left out, the time is over", flush=True)
            return
        print(f"\n== {name}, after {time.perf_counter() - begun:.0f} s", flush=True)
        try:
            of(*arguments, **keywords)
        except Exception:  # the next part may run
            traceback.print_exc(file=sys.stdout)
        sys.stdout.flush()

    part("machine", print_machine, device)
    small = SyntheticData(n_users=2000, n_items=1500, interactions_per_user=30).generate(seed=1).interactions
    part("agreement", compare, small, device)
    data = {size: generate_interactions(*scale_counts(counts, options.scale)) for size, counts in SIZES.items()}
    for size, interactions in data.items():
        part(f"speed, {size}", measure, interactions, size, device, options.rounds)
    for size, interactions in data.items():
        part(f"profile, {size}", profile, interactions, size, device)
    if options.train is not None:
        train = read_interactions(options.train)
        test = None if options.test is None else read_interactions(options.test)
        engine = TorchEngine(device)
        part("small data, which compiles", train_whole, small, None, engine, epochs=4)
        part(f"{options.train}", train_whole, train, test, engine)
        part(f"{options.train}, again", train_whole, train, test, engine)
    for size, interactions in data.items():
        part(f"tiles, {size}", sweep, interactions, size, device, is_over)
    if options.train is not None:
        part("small data, CPU engine, which compiles", train_whole, small, None, None, epochs=2)
        part(f"{options.train}, CPU engine", train_whole, train, test, None)


if __name__ == "__main__":
    main()
