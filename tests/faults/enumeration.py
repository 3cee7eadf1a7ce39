"""Every fault at every operation of a scenario, and what must hold after each.

After a kill: each target is whole, old or new; the same command (with --resume where it has that) goes on, without
anyone removing anything, to what an undisturbed run gives; nothing is left behind; the user's own files are as they
were; of the work that was on the disk before the kill, none is done again. After a failed operation: the same, and one
sentence with exit code 1; where the command says that all went well, the target is the new one.
"""

from __future__ import annotations

import errno
import random
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.faults.injector import TAKES_ROOM, Fault, Mode, Operation
from tests.faults.laboratory import Laboratory, Outcome, Reference, digests, fingerprints, names
from tests.faults.scenarios import Scenario
from tests.faults.tally import Tally

GROUPS = ("kill", "ENOSPC", "EIO", "EROFS", "short")


def faults(operations: Iterable[Operation], group: str) -> Iterator[Fault]:
    """Yield every fault of a group for the operations of an undisturbed run."""
    for operation in operations:
        at, kind = operation.number, operation.kind
        if at == 0:
            continue
        if group == "kill":
            yield Fault(Mode.KILL_BEFORE, at)
            yield Fault(Mode.KILL_AFTER, at)
            if kind == "write" and operation.size > 1:
                yield Fault(Mode.KILL_TORN, at)
        elif group == "ENOSPC" and kind in TAKES_ROOM | {"rename", "close"}:
            yield Fault(Mode.FAIL, at, errno.ENOSPC)
            yield Fault(Mode.FAIL_FROM, at, errno.ENOSPC)
            if kind in ("write", "fsync", "close"):
                yield Fault(Mode.FAIL, at, errno.EDQUOT)
        elif group == "EIO":
            yield Fault(Mode.FAIL, at, errno.EIO)
        elif group == "EROFS" and kind != "close":
            yield Fault(Mode.FAIL_FROM, at, errno.EROFS)
        elif group == "short" and kind == "write" and operation.size > 1:
            yield Fault(Mode.SHORT, at)


def enumerate_faults(
    laboratory: Laboratory, scenario: Scenario, group: str, *, limit: int | None = None, seed: int = 0
) -> Tally:
    """Inject every fault of the group, or `limit` of them drawn at random, and return what was found."""
    tally, began = Tally(f"{scenario.name}: {group}"), time.perf_counter()
    reference = laboratory.reference(scenario)
    chosen = list(faults(reference.outcome.operations, group))
    if limit is not None and limit < len(chosen):
        chosen = random.Random(f"{seed} {tally.check}").sample(chosen, limit)
    for fault in chosen:
        _Injection(laboratory, scenario, reference, tally, fault).run()
    tally.seconds = time.perf_counter() - began
    return tally


class _Injection:
    """One fault in one run of a scenario."""

    def __init__(
        self, laboratory: Laboratory, scenario: Scenario, reference: Reference, tally: Tally, fault: Fault
    ) -> None:
        self._laboratory, self._scenario, self._reference = laboratory, scenario, reference
        self._tally, self._fault = tally, fault
        self._folder, self._first = laboratory.inject(scenario, fault)

    def run(self) -> None:
        """Check what the fault left, run the next command and check again."""
        first = self._first
        self._tally.add("injected")
        self._check_end(first)
        found = self._check_targets(first)
        self._check_files(first, found)
        self._go_on(first, found)
        self._laboratory.drop(self._folder)

    def _wrong(self, column: str, what: str, outcome: Outcome) -> None:
        hit = next((entry for entry in outcome.operations if entry.fate not in ("", "outside")), None)
        place = (
            ""
            if hit is None
            else f" ({hit.kind} {self._short(hit.path)}{' -> ' + self._short(hit.other) if hit.other else ''})"
        )
        said = outcome.output.strip().splitlines()[-1:] or ["(said nothing)"]
        self._tally.add(column, f"{self._fault}{place}: {what} | exit code {outcome.code}: {said[0][:200]}")

    def _short(self, path: str) -> str:
        return path.replace(str(self._folder.parent), "")

    def _check_end(self, outcome: Outcome) -> None:
        """A kill ends with SIGKILL; anything else with 0, or with 1 and one sentence."""
        killed = self._fault.mode in (Mode.KILL_BEFORE, Mode.KILL_AFTER, Mode.KILL_TORN)
        if outcome.code is None:
            self._wrong("crashes", "it hangs", outcome)
        elif killed:
            if outcome.code != -9:
                self._wrong("crashes", "the kill did not end it", outcome)
        elif outcome.code not in (0, 1):
            self._wrong("crashes", "wrong exit code", outcome)
        elif "Traceback" in outcome.output or "Exception ignored" in outcome.output:
            self._wrong("crashes", "traceback", outcome)
        elif outcome.code == 1 and sum(line.startswith("nestrec: ") for line in outcome.output.splitlines()) != 1:
            self._wrong("crashes", "no sentence", outcome)
        elif outcome.code == 1 and self._fault.mode is Mode.SHORT:
            self._wrong("crashes", "a short write is no error", outcome)

    def _check_targets(self, outcome: Outcome) -> dict[str, str]:
        found = fingerprints(self._scenario, self._folder)
        old, new = self._reference.old, self._reference.new
        for name, state in found.items():
            if state == new[name]:
                self._tally.add("new in place")
            elif state == old[name]:
                self._tally.add("old kept")
                if outcome.code == 0:
                    self._wrong("silent", f"{name} is the old one", outcome)
            else:
                self._wrong("losses", f"{name} is neither old nor new: {state[:150]}", outcome)
        return found

    def _check_files(self, outcome: Outcome, found: dict[str, str]) -> None:
        """The user's files are untouched; after an error, nothing half-made is left; nothing is written elsewhere."""
        reference = self._reference
        here = digests(self._folder)
        for path, digest in reference.before.items():
            is_own = path.endswith(".safetensors")  # of a model, which is checked as a target
            if reference.after.get(path) == digest and here.get(path) != digest and not is_own:
                self._wrong("unclean", f"{path} was not to be touched", outcome)
        for operation in outcome.operations:
            if operation.fate == "outside" and not _is_harmless(operation, self._folder):
                self._wrong("unclean", f"{operation.kind} of {operation.path} is outside the folder", outcome)
        could_tidy = (
            outcome.code in (0, 1)
            and self._fault.mode in (Mode.FAIL, Mode.FAIL_FROM)
            and "EROFS" not in str(self._fault)
        )
        tidied = not any(entry.fate == "failed" and entry.kind in ("unlink", "rmdir") for entry in outcome.operations)
        if could_tidy and tidied:
            known = names([*reference.before, *reference.after])
            left = [path for path in names(here) if path not in known and not self._is_progress(path)]
            if left:
                self._wrong("unclean", f"left after an error: {', '.join(left[:3])}", outcome)

    def _is_progress(self, path: str) -> bool:
        ending = self._scenario.progress
        return bool(ending) and any(part.endswith(ending) for part in Path(path).parts)

    def _go_on(self, first: Outcome, found: dict[str, str]) -> None:
        scenario, reference = self._scenario, self._reference
        again = self._laboratory.run(scenario.next, self._folder, conditions=scenario.conditions)
        told = f"after {self._fault}, the next run"
        was_done = found == reference.new
        if again.code == 1 and was_done and "Traceback" not in again.output:  # there is nothing left to do
            again = self._laboratory.run((*scenario.next, "--overwrite"), self._folder, conditions=scenario.conditions)
        if again.code != 0:
            self._wrong("unclean", f"{told} fails ({again.code}): {again.output.strip()[-300:]}", first)
        after = fingerprints(scenario, self._folder)
        for name, state in after.items():
            if state != reference.new[name]:
                self._wrong("losses", f"{told} gives {name}: {state[:100]}", first)
        here, expected = names(digests(self._folder)), names(reference.after)
        left = sorted(here - expected)
        if left:
            self._wrong("unclean", f"{told} leaves {', '.join(left[:4])}", first)
        gone = sorted(expected - here)
        if gone:
            self._wrong("unclean", f"{told} lacks {', '.join(gone[:4])}", first)
        self._check_progress(first, again, was_done)

    def _check_progress(self, first: Outcome, again: Outcome, was_done: bool) -> None:
        """What was kept before the fault is not done again: the two runs together keep as much as one undisturbed."""
        if not self._scenario.commit or was_done or self._fault.mode is Mode.SHORT:
            return
        whole = self._commits(self._reference.outcome)
        one, two = self._commits(first), self._commits(again)
        if one > 0 and one + two > whole + 1:
            self._wrong("losses", f"{one} of {whole} steps were kept and {two} were done by the next run", first)

    def _commits(self, outcome: Outcome) -> int:
        """Return how many steps of the work were kept on the disk."""
        pattern = re.compile(self._scenario.commit)
        renames = [entry for entry in outcome.operations if entry.kind == "rename" and pattern.search(entry.other)]
        flushes = [entry for entry in outcome.operations if entry.kind == "fsync" and pattern.search(entry.path)]
        return sum(entry.fate in ("", "killed after") for entry in renames or flushes)


def _is_harmless(operation: Operation, folder: Path) -> bool:
    """Tell the captured output, devices and Python's and numba's caches from files of the user."""
    path = operation.path
    is_device = path.startswith(("/dev/", "/proc/")) and not path.startswith("/dev/shm/")
    return is_device or path == f"{folder}.out" or "__pycache__" in path or path.endswith((".nbi", ".nbc"))
