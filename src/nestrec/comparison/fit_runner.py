"""`FitRunner`: fits and evaluates jobs in worker processes, with the parts of the data in files and a log of outcomes.

Tuning uses only the training interactions. They are split once: a random 10% is the validation part of every model, as
far as its users and items are in the other 90%. The test part is written to a file that workers can read only when the
first model is evaluated on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from nestrec.atomic.workspace import temporary_folder
from nestrec.comparison.job import Job, Outcome, Task
from nestrec.comparison.run_log import RunLog
from nestrec.comparison.stored_interactions import write_interactions
from nestrec.comparison.worker import Worker
from nestrec.data.interactions import Interactions
from nestrec.data.splitting import RandomSplit
from nestrec.training.validation_part import carve

VALIDATION = RandomSplit(0.1)


class FitRunner:
    """Runs each job once; use it in a `with` block."""

    def __init__(self, train: Interactions, test: Interactions | None, log: RunLog) -> None:
        self._train, self._test, self._log = train, test, log
        self._resources = ExitStack()
        self._folder = self._resources.enter_context(temporary_folder())
        self._worker: Worker | None = None

    def run(self, job: Job) -> Outcome:
        """Return the outcome of a job, from the log if it was run before."""
        return self.run_together([job])[0]

    def run_together(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Return the outcomes of a job and of others derived from its model, from the log if all were run before."""
        found = [outcome for job in jobs if (outcome := self._log.outcome(job)) is not None]
        if len(found) == len(jobs):
            return found
        outcomes = self._evaluate_on_test(jobs) if jobs[0].part == "test" else self._validate(jobs)
        for job, outcome in zip(jobs, outcomes, strict=True):
            self._log.add(job, outcome)
        return outcomes

    def _validate(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Fit in a worker that is kept for the next trial."""
        train, held_out = self._write_part("search"), self._write_part("validation")
        if self._worker is None or not self._worker.is_alive:
            self.stop_worker()
            self._worker = Worker(jobs[0].threads)
        return self._worker.fit([Task(job) for job in jobs], train, held_out)

    def _evaluate_on_test(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Fit in a new worker, so that its peak memory is that of this fit."""
        self.stop_worker()
        train, held_out = self._write_part("train"), self._write_part("test")
        with Worker(jobs[0].threads) as worker:
            return worker.fit([Task(job, str(self._log.per_user_path(job))) for job in jobs], train, held_out)

    def _write_part(self, name: str) -> Path:
        path = self._folder / name
        if not path.exists():
            write_interactions(path, self._select_part(name))
        return path

    def _select_part(self, name: str) -> Interactions:
        if name == "test":
            assert self._test is not None
            return self._test
        if name == "train":
            return self._train
        search, validation, _ = carve(VALIDATION, self._train)
        return search if name == "search" else validation

    def stop_worker(self) -> None:
        """Stop the worker that is kept; the next fit starts a new one."""
        if self._worker is not None:
            self._worker.__exit__(None, None, None)
            self._worker = None

    def __enter__(self) -> FitRunner:
        """Return the runner."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop the worker and remove the files."""
        self.stop_worker()
        self._resources.close()
