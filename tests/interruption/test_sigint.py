"""Ctrl-C takes effect within two seconds on any data, measured from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.interruption.cases import CASES

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 2.0


def cpu_seconds(pid: int) -> float:
    """Return what a running process has used of the processors, in all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processor time is read from /proc")
@pytest.mark.parametrize("name", CASES)
def test_ctrl_c_is_heard(name: str, tmp_path: Path) -> None:
    """A row of a million items, 512 queries against a whole catalogue, or all of a data set was one compiled call.

    Where other work holds the processors, what counts is how much of them was used after the signal.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT / folder) for folder in (".", "src", "benchmarks")]),
    }
    command = [sys.executable, "-m", "tests.interruption.cases", name]
    with (tmp_path / "errors").open("w+") as errors:
        work = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
        with work:
            assert work.stdout is not None
            assert work.stdout.readline() == "begun\n", (tmp_path / "errors").read_text()
            time.sleep(1.5)
            assert work.poll() is None, "the work was over before it was interrupted: make it longer"
            asked, used = time.perf_counter(), cpu_seconds(work.pid)
            work.send_signal(signal.SIGINT)
            _, status, usage = os.wait4(work.pid, 0)
            took, after = time.perf_counter() - asked, usage.ru_utime + usage.ru_stime - used
            work.returncode = os.waitstatus_to_exitcode(status)
    assert min(took, after) < SECONDS, f"{took:.2f} s, of which the processors worked {after:.2f} s"
    assert "KeyboardInterrupt" in (tmp_path / "errors").read_text() or work.returncode == 0
