"""`Laboratory`: where models are fitted and judged: the parts of the data in files, the log, the processes.

Tuning sees the training interactions alone, divided once: a tenth, drawn at random, is the validation part of every
model, as far as its users and items stand in the other nine tenths. The test part is written where a process can read
it only when the first model is judged on it.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from nestrec.atomic.workspace import temporary_folder
from nestrec.comparison.job import Job, Outcome
from nestrec.comparison.run_log import RunLog
from nestrec.comparison.stored_interactions import write_interactions
from nestrec.comparison.worker import Worker
from nestrec.data.interactions import Interactions
from nestrec.data.splitting import RandomSplit
from nestrec.training.validation_part import carve

VALIDATION = RandomSplit(0.1)


class Laboratory:
    """Fits jobs, once each; use it in a `with` block."""

    def __init__(self, train: Interactions, test: Interactions | None, log: RunLog) -> None:
        self._train, self._test, self._log = train, test, log
        self._open = ExitStack()
        self._folder = self._open.enter_context(temporary_folder())
        self._worker: Worker | None = None

    def outcome(self, job: Job) -> Outcome:
        """Return what the job gives: from the log where it was done before, otherwise by doing it."""
        found = self._log.outcome(job)
        if found is None:
            found = self._judged_on_test(job) if job.part == "test" else self._validated(job)
            self._log.add(job, found)
        return found

    def _validated(self, job: Job) -> Outcome:
        """Fit in a process that is kept for the next trial."""
        train, held_out = self._part("search"), self._part("validation")
        if self._worker is None or not self._worker.is_alive:
            self.rest()
            self._worker = Worker(job.threads)
        return self._worker.outcome(job, train, held_out)

    def _judged_on_test(self, job: Job) -> Outcome:
        """Fit in a fresh process, whose memory is this fit's."""
        self.rest()
        train, held_out = self._part("train"), self._part("test")
        with Worker(job.threads) as worker:
            return worker.outcome(job, train, held_out, self._log.per_user_path(job))

    def _part(self, name: str) -> Path:
        place = self._folder / name
        if not place.exists():
            write_interactions(place, self._interactions(name))
        return place

    def _interactions(self, name: str) -> Interactions:
        if name == "test":
            assert self._test is not None
            return self._test
        if name == "train":
            return self._train
        search, validation, _ = carve(VALIDATION, self._train)
        return search if name == "search" else validation

    def rest(self) -> None:
        """End the process that is kept, so that the next fit begins in a new one."""
        if self._worker is not None:
            self._worker.__exit__(None, None, None)
            self._worker = None

    def __enter__(self) -> Laboratory:
        """Return the laboratory."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the processes and remove the files."""
        self.rest()
        self._open.close()
