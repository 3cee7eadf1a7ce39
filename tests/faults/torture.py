"""`make torture`: all faults, all flips, fuzzing and bombs; prints one table and every violation."""

from __future__ import annotations

import argparse
import queue
import sys
import threading
from collections.abc import Callable

from tests.faults.enumeration import GROUPS, enumerate_faults
from tests.faults.injector import missing
from tests.faults.laboratory import Laboratory
from tests.faults.scenarios import SCENARIOS
from tests.faults.tally import Tally, table

Check = Callable[[Laboratory], Tally]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if why := missing():
        print(why)
        return 1
    checks: list[Check] = [
        lambda laboratory, scenario=scenario, group=group: enumerate_faults(
            laboratory, scenario, group, limit=options.limit, seed=options.seed
        )
        for scenario in SCENARIOS
        for group in GROUPS
        if options.only in f"{scenario.name}: {group}"
    ]
    tallies = _run(checks, options.jobs)
    print(table(tallies))
    for tally in tallies:
        for example in tally.examples:
            print(example)
    return int(any(tally.n_violations for tally in tallies))


def _run(checks: list[Check], jobs: int) -> list[Tally]:
    waiting: queue.SimpleQueue[tuple[int, Check]] = queue.SimpleQueue()
    for number, check in enumerate(checks):
        waiting.put((number, check))
    done: dict[int, Tally] = {}

    def work() -> None:
        with Laboratory() as laboratory:
            while True:
                try:
                    number, check = waiting.get_nowait()
                except queue.Empty:
                    return
                try:
                    done[number] = check(laboratory)
                except RuntimeError as error:
                    print(error, file=sys.stderr)
                    continue
                print(table([done[number]]).splitlines()[2], file=sys.stderr, flush=True)

    workers = [threading.Thread(target=work) for _ in range(jobs)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return [done[number] for number in sorted(done)]


if __name__ == "__main__":
    sys.exit(main())
