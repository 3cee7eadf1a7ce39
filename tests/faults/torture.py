"""`make torture`: every fault at every file operation, random kills, all flips, fuzzing and bombs, in one table.

    python -m tests.faults.torture                                # the whole
    python -m tests.faults.torture --parts faults --only train --limit 20
    python -m tests.faults.torture --parts fuzz --inputs 1000000 --seed 7 --record runs.jsonl
    python -m tests.faults.torture --show runs.jsonl              # the sums of all recorded runs

Fuzzing and random kills of another seed are others, so runs add up. Violations are listed under the table, with what it
takes to see them again. The exit code is 1 where there are any.
"""

from __future__ import annotations

import argparse
import queue
import re
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.faults.bombs import check_bombs
from tests.faults.durability import check_durability
from tests.faults.endurance import check_server
from tests.faults.enumeration import GROUPS, enumerate_faults
from tests.faults.fuzzing import available, check_flips, check_fuzzer, checked_environment
from tests.faults.injector import missing
from tests.faults.kills import check_random_kills
from tests.faults.laboratory import Laboratory
from tests.faults.scenarios import RANDOMLY_KILLED, SCENARIOS
from tests.faults.tally import Tally, append_record, read_records, summed, table

PARTS = ("faults", "kills", "flips", "fuzz", "bombs", "load")
_CHECKED = 0.01  # of the inputs are also given to kernels with bounds checked and buffers poisoned
_OWN_PROGRAM = 0.1  # of the random kills are of whole programs


@dataclass(frozen=True)
class Check:
    """One line of the table."""

    name: str
    part: str
    run: Callable[..., Tally]
    in_laboratory: bool = False


def main() -> int:
    """Run the checks that are asked for and print the table."""
    options = build_parser().parse_args()
    if options.show is not None:
        return _report(read_records(options.show))
    if why := missing():
        sys.stderr.write(f"without faults and kills: {why}\n")
    checks = [
        check
        for check in _checks(options)
        if check.part in options.parts.split(",") and re.search(options.only, check.name)
    ]
    tallies = _run([check for check in checks if not (missing() and check.in_laboratory)], options)
    return _report(tallies)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=",".join(PARTS), help=f"some of {','.join(PARTS)}")
    parser.add_argument("--only", default="", help="a regular expression of the checks' names")
    parser.add_argument("--limit", type=int, help="injections of each kind and damages; all by default")
    parser.add_argument("--kills", type=int, default=1000, help="kills at random moments")
    parser.add_argument("--inputs", type=int, default=1_000_000, help="inputs to fuzz with, over all fuzzers")
    parser.add_argument("--megabytes", type=int, default=1024, help="what a bomb unpacks to")
    parser.add_argument("--load-seconds", type=float, default=3600, help="how long a server is under load")
    parser.add_argument("--jobs", type=int, default=2, help="checks at a time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", type=Path, help="a file to add the results to")
    parser.add_argument("--show", type=Path, help="only sum up the results in a file")
    return parser


def _checks(options: argparse.Namespace) -> list[Check]:
    return [
        *_faults(options),
        *_kills(options),
        *_flips(options),
        *_fuzzers(options),
        *_bombs(options),
        *_load(options),
    ]


def _faults(options: argparse.Namespace) -> list[Check]:
    limit, seed = options.limit, options.seed
    every = [
        Check(
            f"{scenario.name}: {group}", "faults",
            partial(enumerate_faults, scenario=scenario, group=group, limit=limit, seed=seed), in_laboratory=True,
        )
        for scenario in SCENARIOS
        for group in GROUPS
    ]  # fmt: skip
    order = [
        Check(f"{scenario.name}: order", "faults", partial(check_durability, scenario=scenario), in_laboratory=True)
        for scenario in SCENARIOS
    ]
    return every + order


def _kills(options: argparse.Namespace) -> list[Check]:
    each = max(1, int(options.kills * (1 - _OWN_PROGRAM)) // len(RANDOMLY_KILLED))
    own = max(1, int(options.kills * _OWN_PROGRAM))
    kills = partial(check_random_kills, seed=options.seed)
    forked = [
        Check(
            f"{scenario.name}: random kills",
            "kills",
            partial(kills, scenario=scenario, n_kills=each),
            in_laboratory=True,
        )
        for scenario in RANDOMLY_KILLED
    ]
    whole = partial(kills, scenario=RANDOMLY_KILLED[0], n_kills=own, whole=True)
    return [*forked, Check(f"{RANDOMLY_KILLED[0].name}: random kills of a program", "kills", whole, in_laboratory=True)]


def _flips(options: argparse.Namespace) -> list[Check]:
    return [Check("flips and truncations", "flips", partial(check_flips, options.limit))]


def _fuzzers(options: argparse.Namespace) -> list[Check]:
    """Return checks of some ten thousand inputs each: they are recorded one by one, and a run can be ended between."""
    names = available()
    shares = {name: share / sum(_SHARES[name] for name in names) for name, share in _SHARES.items() if name in names}
    parts: list[tuple[str, int, dict[str, str] | None]] = [
        *((name, int(options.inputs * share), None) for name, share in shares.items()),
        ("fuzz_readers", int(options.inputs * _CHECKED), checked_environment()),
    ]
    found = []
    for name, n, environment in parts:
        at_once = _AT_ONCE if _SHARES[name] > _SLOW else _AT_ONCE_SLOW
        for part, first in enumerate(range(0, n, at_once)):
            size, seed = min(at_once, n - first), options.seed * 10_000 + part
            run = partial(check_fuzzer, name, size, seed=seed, environment=environment)
            found.append((first / n, Check(name, "fuzz", run)))
    return [check for _, check in sorted(found, key=lambda pair: pair[0])]  # some of each, whenever it is ended


_AT_ONCE = 40_000
_AT_ONCE_SLOW = 2_000
_SLOW = 0.1  # share of those that open databases and models, or send requests
# Of the inputs, by how fast each fuzzer is: a database is opened, and a model loaded, in milliseconds.
_SHARES = {
    "fuzz_readers": 0.4, "fuzz_text": 0.28, "fuzz_values": 0.21, "fuzz_sources": 0.004, "fuzz_models": 0.006,
    "fuzz_server": 0.1,
}  # fmt: skip


def _bombs(options: argparse.Namespace) -> list[Check]:
    return [Check("bombs", "bombs", partial(check_bombs, options.megabytes))]


def _load(options: argparse.Namespace) -> list[Check]:
    return [Check("server under load", "load", partial(check_server, options.load_seconds))]


def _report(tallies: list[Tally]) -> int:
    tallies = summed(tallies)
    sys.stdout.write(table(tallies) + "\n")
    for tally in tallies:
        ended = {name[6:]: count for name, count in tally.counts.items() if name.startswith("ended ") and count}
        ends = ", ".join(f"{count:,} {end}" for end, count in ended.items())
        sys.stdout.writelines(f"{tally.check}: {line}\n" for line in (ends, tally.note, *tally.details) if line)
    for tally in tallies:
        sys.stdout.writelines(f"{example}\n" for example in tally.examples)
    return int(any(tally.n_violations for tally in tallies))


def _run(checks: list[Check], options: argparse.Namespace) -> list[Tally]:
    waiting: queue.SimpleQueue[tuple[int, Check]] = queue.SimpleQueue()
    for entry in enumerate(checks):
        waiting.put(entry)
    done: dict[int, Tally] = {}
    workers = [threading.Thread(target=_work, args=(waiting, done, options.record)) for _ in range(options.jobs)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return [done[number] for number in sorted(done)]


def _work(waiting: queue.SimpleQueue[tuple[int, Check]], done: dict[int, Tally], record: Path | None) -> None:
    laboratory: Laboratory | None = None
    while not waiting.empty():
        try:
            number, check = waiting.get_nowait()
        except queue.Empty:
            break
        if check.in_laboratory and laboratory is None:
            laboratory = Laboratory()
        try:
            done[number] = check.run(laboratory) if check.in_laboratory else check.run()
        except Exception as error:  # a check that cannot run is a failure, and the others go on
            done[number] = Tally(check.name)
            done[number].add("crashes", f"the check cannot run: {error}")
        if record is not None:
            append_record(record, done[number])
        sys.stderr.write(table([done[number]]).splitlines()[2] + "\n")
    if laboratory is not None:
        laboratory.close()


if __name__ == "__main__":
    sys.exit(main())
