"""Run a fuzzer in processes of their own, so that a crash or a hang ends a part of the run and is counted.

A fuzzer is a module of this folder with `run(n, seed) -> dict[str, int]`, which counts how inputs ended, and perhaps
`EXAMPLES`, a list of what went wrong. `python -m tests.faults.fuzzing NAME N SEED` runs one and prints its counts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from tests.faults.tally import Tally
from tests.poison import VARIABLE, poison

FUZZERS = ("fuzz_readers", "fuzz_text", "fuzz_values", "fuzz_sources", "fuzz_models", "fuzz_server")
_SECONDS_PER_INPUT, _LEAST_SECONDS = 0.25, 1200.0  # on a busy machine, 2,000 databases have taken over 240 s
_ALL_DAMAGES = 4 * 3600.0  # seconds
_COLUMN = {  # what fuzzers call it -> the column of the table
    "foreign": "crashes", "crash": "crashes", "crashes": "crashes", "hang": "crashes", "hangs": "crashes",
    "unverified_foreign": "crashes", "unverified_hang": "crashes", "silent": "silent", "uncounted": "losses",
    "lost": "losses", "wrong": "losses", "mismatch": "losses",
}  # fmt: skip


BAD = frozenset(_COLUMN)


def available() -> list[str]:
    """Return the fuzzers that are there."""
    return [name for name in FUZZERS if find_spec(f"tests.faults.{name}") is not None]


def check_fuzzer(name: str, n: int, *, seed: int = 0, environment: dict[str, str] | None = None) -> Tally:
    """Run a fuzzer on n inputs in one process."""
    tally, began, ends = Tally(f"{name}{' checked' if environment else ''}"), time.perf_counter(), Counter[str]()
    _add_part(tally, ends, name, n, seed, environment or {})
    for end, count in ends.items():
        tally.counts[f"ended {end}"] += count
    tally.seconds = time.perf_counter() - began
    return tally


def check_flips(limit: int | None = None) -> Tally:
    """Flip every bit of a small model and cut it at every length, and load it; `limit`: only so many."""
    tally, began = Tally("flips and truncations"), time.perf_counter()
    ends = Counter[str]()
    _add_part(tally, ends, "flips", 0 if limit is None else limit, 0, {})
    by_default = {end: count for end, count in ends.items() if not end.startswith("unverified_")}
    tally.counts["injected"] = sum(by_default.values())
    tally.seconds = time.perf_counter() - began
    tally.note = ", ".join(f"{count:,} {end}" for end, count in ends.items() if count)
    return tally


def checked_environment() -> dict[str, str]:
    """Return what makes kernels check their indices and buffers be poisoned; such kernels are kept apart."""
    kept = Path(tempfile.gettempdir()) / f"nestrec-checked-kernels-{os.getuid()}"
    return {"NUMBA_BOUNDSCHECK": "1", VARIABLE: "1", "NUMBA_CACHE_DIR": str(kept)}


def _add_part(tally: Tally, ends: Counter[str], name: str, n: int, seed: int, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "tests.faults.fuzzing", name, str(n), str(seed)]
    root = Path(__file__).resolve().parents[2]
    limit = max(_LEAST_SECONDS, n * _SECONDS_PER_INPUT) if n else _ALL_DAMAGES
    tally.add("injected", n=n)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=root, timeout=limit, env={**os.environ, **environment}
        )
    except subprocess.TimeoutExpired:
        tally.add("crashes", f"seed {seed}: hangs; it was given {limit:.0f} s for {n} inputs")
        return
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["(said nothing)"])[-1]
        tally.add("crashes", f"seed {seed}: the process ended with {done.returncode}: {said[:300]}")
        return
    answer = json.loads(done.stdout.splitlines()[-1])
    ends.update(answer["counts"])
    for end, count in answer["counts"].items():
        if end in _COLUMN and count:
            tally.add(_COLUMN[end], n=count)
    tally.examples += [f"{tally.check}: {example}" for example in answer["examples"]]


def main() -> None:
    """Run one fuzzer in this process."""
    name, n, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if os.environ.get(VARIABLE):  # before any module of the package is imported
        poison()
    module = import_module(f"tests.faults.{name}")
    counts = module.run(n or None) if name == "flips" else module.run(n, seed)
    examples = [str(example)[:1200] for example in getattr(module, "EXAMPLES", [])[:20]]
    sys.stdout.write(json.dumps({"counts": counts, "examples": examples}) + "\n")


if __name__ == "__main__":
    main()
