"""`make torture`: every fault at every file operation; prints one table and every violation.

    python -m tests.faults.torture --only train --limit 20 --seed 1

`--limit` draws so many injections of each kind instead of all; runs of other seeds draw others.
"""

from __future__ import annotations

import argparse
import queue
import sys
import threading
from collections.abc import Callable
from functools import partial

from tests.faults.durability import check_durability
from tests.faults.enumeration import GROUPS, enumerate_faults
from tests.faults.injector import missing
from tests.faults.laboratory import Laboratory
from tests.faults.scenarios import SCENARIOS
from tests.faults.tally import Tally, table

Check = Callable[[Laboratory], Tally]


def main() -> int:
    """Run the checks that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a part of the checks' names")
    parser.add_argument("--limit", type=int, help="injections of each kind; all by default")
    parser.add_argument("--jobs", type=int, default=2, help="checks at a time")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if why := missing():
        sys.stderr.write(f"{why}\n")
        return 1
    checks = {
        f"{scenario.name}: {group}": _enumeration(scenario.name, group, options.limit, options.seed)
        for scenario in SCENARIOS
        for group in (*GROUPS, "order")
    }
    tallies = _run([check for name, check in checks.items() if options.only in name], options.jobs)
    sys.stdout.write(table(tallies) + "\n")
    for tally in tallies:
        sys.stdout.writelines(f"{example}\n" for example in tally.examples)
    return int(any(tally.n_violations for tally in tallies))


def _enumeration(name: str, group: str, limit: int | None, seed: int) -> Check:
    scenario = next(scenario for scenario in SCENARIOS if scenario.name == name)
    if group == "order":
        return partial(check_durability, scenario=scenario)
    return partial(enumerate_faults, scenario=scenario, group=group, limit=limit, seed=seed)


def _run(checks: list[Check], jobs: int) -> list[Tally]:
    waiting: queue.SimpleQueue[tuple[int, Check]] = queue.SimpleQueue()
    for entry in enumerate(checks):
        waiting.put(entry)
    done: dict[int, Tally] = {}
    workers = [threading.Thread(target=_work, args=(waiting, done)) for _ in range(min(jobs, len(checks)))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return [done[number] for number in sorted(done)]


def _work(waiting: queue.SimpleQueue[tuple[int, Check]], done: dict[int, Tally]) -> None:
    with Laboratory() as laboratory:
        while not waiting.empty():
            try:
                number, check = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                done[number] = check(laboratory)
            except RuntimeError as error:
                sys.stderr.write(f"{error}\n")
                continue
            sys.stderr.write(table([done[number]]).splitlines()[2] + "\n")


if __name__ == "__main__":
    sys.exit(main())
