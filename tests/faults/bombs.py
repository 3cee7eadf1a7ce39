"""Read bombs in a process of their own and compare its peak memory with the limit that was set.

The peak is that of the whole process (VmHWM), less the peak of one that reads a small file of the same kind with the
same options: Python, libraries and compiled kernels are not buffers. `python -m tests.faults.bombs FILE OPTIONS` is the
process.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from tests.faults.bomb_files import BOMBS, Bomb
from tests.faults.tally import Tally

LIMIT_MB = 128
MOST = 1.2  # times the limit
_SECONDS = 300.0


class Reading(NamedTuple):
    """How a process that read a file ended."""

    ended: str  # read, refused, or what it should not end with
    peak_mb: float
    said: str
    seconds: float = 0.0


def check_bombs(megabytes: int = 2048, bombs: tuple[Bomb, ...] = BOMBS) -> Tally:
    """Read each bomb with a limit of LIMIT_MB. `megabytes` is what a bomb unpacks to."""
    tally, began, highest = Tally("bombs"), time.perf_counter(), 0.0
    with tempfile.TemporaryDirectory(prefix="bombs-") as folder:
        for bomb in bombs:
            path = Path(folder) / f"bomb{bomb.suffix}"
            bomb.make(path, 1)
            small = read(path, bomb.options)
            bomb.make(path, max(1, int(megabytes * bomb.share)))
            started = time.perf_counter()
            found = read(path, bomb.options)._replace(seconds=time.perf_counter() - started)
            path.unlink()
            taken = found.peak_mb - small.peak_mb
            highest = max(highest, taken)
            _judge(tally, bomb, found, taken)
    tally.seconds = time.perf_counter() - began
    tally.note = f"peak memory of the worst bomb: {highest:.0f} MB above a small file's, limit {LIMIT_MB} MB"
    return tally


def _judge(tally: Tally, bomb: Bomb, found: Reading, taken_mb: float) -> None:
    tally.add("injected")
    detail = f"{bomb.name}: {found.ended}, {taken_mb:.0f} MB, {found.seconds:.1f} s: {found.said[:200]}"
    tally.details.append(detail)
    if found.ended not in ("read", "refused") or (bomb.ends != "either" and found.ended != bomb.ends):
        tally.add("crashes", detail)
    elif taken_mb > MOST * LIMIT_MB:
        tally.add("unclean", f"over the limit of {LIMIT_MB} MB: {detail}")
    else:
        tally.add("as stated")


def read(path: Path, options: dict[str, Any]) -> Reading:
    """Read a file in a fresh process, and wait for its end."""
    command = [sys.executable, "-m", "tests.faults.bombs", str(path), json.dumps(options)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=Path(__file__).resolve().parents[2], timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        return Reading("hangs", 0.0, "")
    if done.returncode != 0:
        return Reading(f"exit code {done.returncode}", 0.0, (done.stderr.strip().splitlines() or [""])[-1])
    return Reading(*json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Read the file that is named and print how that ended; an exception that is not the library's ends with 1."""
    from nestrec.data.read_options import ReadOptions
    from nestrec.errors import NestrecError
    from tests.data.reports import read_with_report

    options = ReadOptions(memory_limit_mb=LIMIT_MB, threads=1, **json.loads(sys.argv[2]))
    try:
        _, report = read_with_report(sys.argv[1], options=options)
        ended, said = "read", f"{report.n_rows} rows, {report.n_kept} kept"
    except NestrecError as error:
        ended, said = "refused", str(error)[:1000]
    sys.stdout.write(json.dumps((ended, _peak_mb(), said)) + "\n")


def _peak_mb() -> float:
    """Return the highest resident size of this process; `ru_maxrss` has that of the process it was forked from too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index]


if __name__ == "__main__":
    main()
