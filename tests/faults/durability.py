"""What a power cut needs: contents are on the disk before their name is, and names before the work so far is removed.

A killed process loses nothing that it has written, so kills do not show this; the order of the operations does. The
operation that puts a target in place is found by killing after earlier and earlier ones.
"""

from __future__ import annotations

import time
from pathlib import Path

from tests.faults.injector import Conditions, Fault, Mode, Operation
from tests.faults.laboratory import Laboratory, Reference, fingerprints
from tests.faults.scenarios import Scenario
from tests.faults.tally import Tally

_CHANGES = frozenset({"create", "write", "truncate", "copy", "allocate"})


def check_durability(laboratory: Laboratory, scenario: Scenario) -> Tally:
    """Check the order of a scenario's operations, and that it does without fsync of folders."""
    tally, began = Tally(f"{scenario.name}: order"), time.perf_counter()
    reference = laboratory.reference(scenario)
    for name in scenario.targets:
        _check_target(laboratory, scenario, reference, name, tally)
    _check_without_folder_sync(laboratory, scenario, reference, tally)
    tally.seconds = time.perf_counter() - began
    return tally


def _check_target(laboratory: Laboratory, scenario: Scenario, reference: Reference, name: str, tally: Tally) -> None:
    at = _commit(laboratory, scenario, reference, name, tally)
    folder, whole = laboratory.inject(scenario, Fault(Mode.COUNT, reference.outcome.operations[-1].number))
    operations = [entry for entry in whole.operations if entry.number]
    laboratory.drop(folder)
    target = str(folder / name)
    for path in sorted(_dirty(operations[:at])):
        stays = path[len(str(folder)) + 1 :] in reference.after  # locks and the like need no contents
        if stays and (path == target or path.startswith(f"{target}/")):
            tally.add(
                "losses",
                f"{name} is in place at {at} ({operations[at - 1].kind}) with {path[len(str(folder)) :]} not flushed",
            )
    parents = {
        str(Path(path).parent) for entry in operations[at - 1 : at] for path in (entry.path, entry.other) if path
    }
    flushed = next((entry.number for entry in operations[at:] if entry.kind == "fsync" and entry.path in parents), None)
    if flushed is None:
        tally.add("losses", f"the folder of {name} is not flushed after it is in place at {at}")
    removed = next((entry.number for entry in operations[at:] if _removes_progress(entry, scenario)), None)
    if removed is not None and (flushed is None or removed < flushed):
        tally.add("losses", f"the work so far is removed at {removed}, before {name} is on the disk at {flushed}")


def _commit(laboratory: Laboratory, scenario: Scenario, reference: Reference, name: str, tally: Tally) -> int:
    """Return the number of the operation after which the target is the new one."""
    low, high = 0, reference.outcome.operations[-1].number
    while high - low > 1:
        middle = (low + high) // 2
        folder, _ = laboratory.inject(scenario, Fault(Mode.KILL_AFTER, middle))
        if fingerprints(scenario, folder)[name] == reference.new[name]:
            high = middle
        else:
            low = middle
        laboratory.drop(folder)
        tally.add("injected")
    return high


def _dirty(operations: list[Operation]) -> set[str]:
    """Return the files that were changed and not flushed since, by the names they have at the end."""
    dirty: set[str] = set()
    for entry in operations:
        if entry.kind in _CHANGES:
            dirty.add(entry.path)
        elif entry.kind == "fsync":
            dirty.discard(entry.path)
        elif entry.kind in ("rename", "exchange", "link"):
            moved = {path for path in dirty if path == entry.path or path.startswith(f"{entry.path}/")}
            if entry.kind != "link":
                dirty -= moved
            dirty |= {entry.other + path[len(entry.path) :] for path in moved}
        elif entry.kind in ("unlink", "rmdir"):
            dirty = {path for path in dirty if path != entry.path and not path.startswith(f"{entry.path}/")}
    return dirty


def _removes_progress(entry: Operation, scenario: Scenario) -> bool:
    kept = scenario.progress
    return (
        bool(kept)
        and entry.kind in ("unlink", "rename")
        and any(part.endswith(kept) for part in Path(entry.path).parts)
    )


def _check_without_folder_sync(laboratory: Laboratory, scenario: Scenario, reference: Reference, tally: Tally) -> None:
    folder = laboratory.new_folder(reference.template)
    conditions = Conditions(scenario.conditions.no_exchange, no_folder_sync=True, mount=scenario.conditions.mount)
    outcome = laboratory.run(scenario.argv, folder, None, conditions)
    tally.add("injected")
    if outcome.code != 0 or fingerprints(scenario, folder) != reference.new:
        tally.add("crashes", f"without fsync of folders: {outcome.code}: {outcome.output.strip()[-200:]}")
    else:
        tally.add("new in place")
    laboratory.drop(folder)
