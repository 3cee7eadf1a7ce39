"""The process in which models are fitted: requests come as JSON lines on stdin, answers go as JSON lines to stdout.

A process of its own has a memory of its own, so what a fit takes can be told, and a fit that dies takes nothing along.
Before the first fit of a model it is fitted on a few generated interactions: libraries are then loaded and kernels
compiled, and neither counts as time or memory of the fit.
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
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from nestrec.artefact.tensors import Arrays, write_arrays
from nestrec.atomic.output_file import atomic_file
from nestrec.baselines import BASELINES, baseline
from nestrec.comparison.job import Job, Outcome, WidthFigures
from nestrec.comparison.peak_memory import PeakMemory
from nestrec.comparison.stored_interactions import stored_interactions
from nestrec.data.splitting import RandomSplit
from nestrec.data.synthetic import SyntheticData
from nestrec.errors import DataWarning, NestrecError
from nestrec.evaluation import Evaluation, evaluate
from nestrec.evaluation.metric_registry import select_metrics
from nestrec.training.options import Run
from nestrec.widths import Widths


def main() -> None:
    """Answer requests until there are no more."""
    answers = _answers()
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    warm: set[str] = set()
    for line in sys.stdin:
        request = json.loads(line)
        job = Job.from_dict(request["job"])
        if job.model not in warm:
            _warm_up(job)
            warm.add(job.model)
        answers.write(json.dumps(asdict(_outcome(job, request))) + "\n")
        answers.flush()


def _outcome(job: Job, request: dict[str, Any]) -> Outcome:
    began = time.perf_counter()
    try:
        return _fitted(job, request)
    except NestrecError as error:
        told = str(error)
    except MemoryError:
        told = "memory ran out; give it smaller data or a machine with more memory"
    except Exception as error:  # another library's mistake ends this fit, not the comparison
        traceback.print_exc()
        told = f"{type(error).__name__}: {error}"
    return Outcome.failed(told, time.perf_counter() - began)


def _fitted(job: Job, request: dict[str, Any]) -> Outcome:
    memory = PeakMemory()
    train = stored_interactions(Path(request["train"]))
    began = time.perf_counter()
    model = baseline(job.model, **job.options).fit(train, Widths(job.widths), _run(job))
    seconds, peak = time.perf_counter() - began, memory.bytes()
    held_out = stored_interactions(Path(request["held_out"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # told once, before the first fit
        names = [*(metric.name for metric in select_metrics(None)), *job.metrics]
        found = evaluate(model, held_out, job.cutoffs, metrics=names, threads=job.threads, bootstrap_samples=0)
    if request["per_user"] is not None:
        with atomic_file(request["per_user"], overwrite=True) as partial:
            write_arrays(partial, per_user(found, job.metrics))
    figures = tuple(WidthFigures(at.width, at.means, at.beyond_accuracy, at.known_means) for at in found.widths)
    return Outcome(seconds, peak, figures)


def per_user(found: Evaluation, metrics: Sequence[str]) -> Arrays:
    """Return `WIDTH LABEL` -> (n_users,) float32 for what is compared user by user, in the order of the test users."""
    labels = [f"{name}@{k}" for k in found.cutoffs for name in metrics]
    return {f"{at.width} {label}": np.ascontiguousarray(at.of_users(label)) for at in found.widths for label in labels}


def _run(job: Job) -> Run:
    return Run(seed=job.seed, threads=job.threads)


def _warm_up(job: Job) -> None:
    world = SyntheticData(n_users=60, n_items=40, interactions_per_user=5).generate(seed=0).interactions
    with suppress(Exception):  # too few data for some, and what is wrong shows in the fit itself
        train, held_out = RandomSplit(0.2).split(world)
        model = baseline(job.model, **_once(job.model)).fit(train, Widths(job.widths), _run(job))
        evaluate(model, held_out, (1,), threads=job.threads, bootstrap_samples=0)


def _once(name: str) -> dict[str, int]:
    """Return the options with which a model that passes over the data again and again does so once."""
    fields: dict[str, Any] = getattr(BASELINES[name], "__dataclass_fields__", {})
    return {field: 1 for field in ("epochs", "iterations") if field in fields}


def _answers() -> TextIO:
    """Return a stdout that only answers go to: what libraries print goes to stderr."""
    kept = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return kept


def _end_with(parent: int) -> None:
    """End when the process that asked is gone, rather than fit for nobody."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


if __name__ == "__main__":
    main()
