"""Main program of workers: fits models on requests, JSON lines on stdin, and answers with JSON lines on stdout.

In a process of its own, the peak memory of a fit can be measured, and a crash ends one fit only. Before its first fit
a model is warmed up on a few synthetic interactions, so that loading libraries and compiling kernels count neither as
time nor as memory.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from nestrec.artefact.tensors import Arrays, write_arrays
from nestrec.atomic.output_file import atomic_file
from nestrec.baselines import BASELINES, Model, baseline
from nestrec.comparison.job import Job, Outcome, Request, Task, WidthMetrics
from nestrec.comparison.peak_memory import PeakMemory
from nestrec.comparison.records import from_plain, to_plain
from nestrec.comparison.stored_interactions import read_stored_interactions
from nestrec.data.interactions import Interactions
from nestrec.data.splitting import RandomSplit
from nestrec.data.synthetic import SyntheticData
from nestrec.errors import DataWarning, NestrecError
from nestrec.evaluation import Evaluation, evaluate
from nestrec.evaluation.metric_registry import select_metrics
from nestrec.training.options import Run
from nestrec.widths import Widths


def main() -> None:
    """Answer requests until stdin ends."""
    answers = _redirect_stdout()
    threading.Thread(target=_exit_with, args=(os.getppid(),), daemon=True).start()
    warm: set[str] = set()
    for line in sys.stdin:
        request = from_plain(json.loads(line), Request)
        job = request.tasks[0].job
        if job.model not in warm:
            _warm_up(job)
            warm.add(job.model)
        answers.write(json.dumps(to_plain(_run(request))) + "\n")
        answers.flush()


def _run(request: Request) -> list[Outcome]:
    start = time.perf_counter()
    try:
        return _fit(request)
    except NestrecError as error:
        reason = str(error)
    except MemoryError:
        reason = "memory ran out; use smaller data or a machine with more memory"
    except Exception as error:  # an error in another library ends this fit, not the comparison
        traceback.print_exc()
        reason = f"{type(error).__name__}: {error}"
    return [Outcome.failure(reason, time.perf_counter() - start)] * len(request.tasks)


def _fit(request: Request) -> list[Outcome]:
    memory, train = PeakMemory(), read_stored_interactions(Path(request.train))
    start = time.perf_counter()
    fitted: list[tuple[Task, Model, float, int]] = []  # with the seconds and the peak memory
    for task in request.tasks:
        method: Any = baseline(task.job.model, **task.job.options)
        widths = Widths(task.job.widths)
        if fitted:
            source, source_seconds = fitted[0][1:3]
            start = time.perf_counter() - source_seconds  # a derived model costs its source's fit too
            model = method.derive(source, widths)
        else:
            model = method.fit(train, widths, _run_options(task.job))
        fitted.append((task, model, time.perf_counter() - start, memory.bytes()))
    held_out = read_stored_interactions(Path(request.held_out))
    return [_evaluate(task, model, held_out, seconds, peak) for task, model, seconds, peak in fitted]


def _evaluate(task: Task, model: Model, held_out: Interactions, seconds: float, peak_memory_bytes: int) -> Outcome:
    job = task.job
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # reported once, before the first fit
        names = [*(metric.name for metric in select_metrics(None)), *job.metrics]
        found = evaluate(
            model, held_out, job.cutoffs, metrics=names, threads=job.threads, bootstrap_samples=0,
            by_popularity=job.part == "test",
        )  # fmt: skip
    if task.per_user is not None:
        with atomic_file(task.per_user, overwrite=True) as partial:
            write_arrays(partial, per_user(found, job.metrics))
    labels = _compared_labels(found, job.metrics)
    figures = tuple(
        WidthMetrics(
            at.width, at.means, at.beyond_accuracy, at.known_means,
            {band: {label: means[label] for label in labels} for band, means in at.bands.items()},
        )
        for at in found.widths
    )  # fmt: skip
    return Outcome(seconds, peak_memory_bytes, figures)


def per_user(found: Evaluation, metrics: Sequence[str]) -> Arrays:
    """Return `WIDTH LABEL` -> (n_users,) float32 values of the compared metrics, in the order of the test users."""
    labels = _compared_labels(found, metrics)
    return {f"{at.width} {label}": np.ascontiguousarray(at.of_users(label)) for at in found.widths for label in labels}


def _compared_labels(found: Evaluation, metrics: Sequence[str]) -> list[str]:
    return [f"{name}@{k}" for k in found.cutoffs for name in metrics]


def _run_options(job: Job) -> Run:
    return Run(seed=job.seed, threads=job.threads)


def _warm_up(job: Job) -> None:
    data = SyntheticData(n_users=60, n_items=40, interactions_per_user=5).generate(seed=0).interactions
    with suppress(Exception):  # some models need more data; real errors show in the fit itself
        train, held_out = RandomSplit(0.2).split(data)
        model = baseline(job.model, **_single_pass(job.model)).fit(train, Widths(job.widths), _run_options(job))
        evaluate(model, held_out, (1,), threads=job.threads, bootstrap_samples=0)


def _single_pass(name: str) -> dict[str, int]:
    """Return the options with which an iterative model makes one pass over the data."""
    fields: dict[str, Any] = getattr(BASELINES[name], "__dataclass_fields__", {})
    return {field: 1 for field in ("epochs", "iterations") if field in fields}


def _redirect_stdout() -> TextIO:
    """Return stdout for answers, and send everything that libraries print to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _exit_with(parent: int) -> None:
    """Exit when the parent process is gone."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


if __name__ == "__main__":
    main()
