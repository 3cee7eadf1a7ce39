"""Kills at uniformly random moments, over and over, until a command comes to its end.

`whole`: the command is a program of its own, from the start of Python on; otherwise it is a forked child of the warm
process, which makes thousands of kills cheap. A run is killed, the command is given again (with --resume) and killed
again, three times at most, then left to end. A loss is a model or a checkpoint that was there and is not any more, or a
result that an undisturbed run does not give.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.faults.injector import Fault, Mode
from tests.faults.laboratory import Laboratory, Outcome, Reference, digests, fingerprints, names
from tests.faults.scenarios import Command, Scenario
from tests.faults.states import ABSENT
from tests.faults.tally import Tally

_KILLS_EACH = 3


def check_random_kills(
    laboratory: Laboratory, scenario: Scenario, n_kills: int, *, seed: int = 0, whole: bool = False
) -> Tally:
    """Kill `n_kills` runs of a scenario's command at random moments."""
    tally = Tally(f"{scenario.name}: random kills{' of a program' if whole else ''}")
    began, chance = time.perf_counter(), random.Random(seed)
    reference = laboratory.reference(scenario)
    longest = _seconds(laboratory, scenario, reference, whole)
    while tally.counts["injected"] < n_kills:
        folder = laboratory.new_folder(reference.template)
        _Chain(laboratory, scenario, reference, tally, folder, whole).run(chance, longest)
        laboratory.drop(folder)
    tally.seconds = time.perf_counter() - began
    return tally


def _seconds(laboratory: Laboratory, scenario: Scenario, reference: Reference, whole: bool) -> float:
    """Return how long an undisturbed run takes."""
    folder = laboratory.new_folder(reference.template)
    started = time.perf_counter()
    _run(laboratory, scenario.argv, folder, whole, None)
    laboratory.drop(folder)
    return time.perf_counter() - started


class _Chain:
    """One folder: kills, and a last run that is left alone."""

    def __init__(
        self, laboratory: Laboratory, scenario: Scenario, reference: Reference, tally: Tally, folder: Path, whole: bool
    ) -> None:
        self._laboratory, self._scenario, self._reference = laboratory, scenario, reference
        self._tally, self._folder, self._whole = tally, folder, whole

    def run(self, chance: random.Random, longest: float) -> None:
        """Kill, look, kill, look, …, end, look."""
        argv, had = self._scenario.argv, False
        for _ in range(chance.randint(1, _KILLS_EACH)):
            outcome = _run(self._laboratory, argv, self._folder, self._whole, chance.uniform(0, longest))
            if outcome.code is not None and outcome.code >= 0:  # it was faster
                break
            self._tally.add("injected")
            had = self._look(outcome, had)
            argv = self._scenario.next
        self._end(_run(self._laboratory, argv, self._folder, self._whole, None))

    def _look(self, outcome: Outcome, had: bool) -> bool:
        """Count what is there; return whether there is a model or work to go on from."""
        found = fingerprints(self._scenario, self._folder)
        for name, state in found.items():
            if state == self._reference.new[name]:
                self._tally.add("new in place")
            elif state == self._reference.old[name]:
                self._tally.add("old kept")
            else:
                self._tally.add("losses", f"after a kill, {name} is {state[:150]}")
        kept = self._scenario.progress
        has = found == self._reference.new or any(path.name.endswith(kept) for path in self._folder.rglob("*") if kept)
        if had and not has and all(state == ABSENT for state in self._reference.old.values()):
            self._tally.add("losses", f"the work so far is gone: {outcome.output.strip()[-200:]}")
        return has

    def _end(self, outcome: Outcome) -> None:
        reference, was_done = self._reference, "already" in outcome.output
        found = fingerprints(self._scenario, self._folder)
        if outcome.code != 0 and not (outcome.code == 1 and was_done):
            self._tally.add("crashes", f"the last run ends with {outcome.code}: {outcome.output.strip()[-300:]}")
        elif found != reference.new:
            self._tally.add("losses", f"the last run gives {found}, {outcome.output.strip()[-200:]}")
        left = sorted(names(digests(self._folder)) - names(reference.after))
        if left:
            self._tally.add("unclean", f"the last run leaves {', '.join(left[:4])}")


def _run(laboratory: Laboratory, argv: Command, folder: Path, whole: bool, seconds: float | None) -> Outcome:
    if not whole:
        return laboratory.run(argv, folder, Fault(Mode.OFF), seconds=60.0 if seconds is None else seconds)
    output = folder.with_name(f"{folder.name}.out")
    with output.open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.eager", *argv],
            stdout=said, stderr=said, cwd=folder, start_new_session=True, env={**os.environ, **laboratory.search_path},
        )  # fmt: skip
        try:
            code: int | None = process.wait(60.0 if seconds is None else seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            code = None
    return Outcome(code, output.read_text(encoding="utf-8", errors="replace"), [], 0)
