"""Ctrl-C is heard within two seconds, whatever the data: how long it takes is measured from outside."""

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


@pytest.mark.parametrize("name", CASES)
def test_ctrl_c_is_heard(name: str) -> None:
    """A row of a million items, 512 queries against a whole catalogue, or all of a data set was one compiled call."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}
    command = [sys.executable, "-m", "tests.interruption.cases", name]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as work:
        assert work.stdout is not None
        assert work.stdout.readline() == "begun\n", work.communicate()[1]
        time.sleep(2.0)
        assert work.poll() is None, "the work was over before it was interrupted: make it longer"
        asked = time.perf_counter()
        work.send_signal(signal.SIGINT)
        try:
            _, errors = work.communicate(timeout=60)
        finally:
            work.kill()
        took = time.perf_counter() - asked
    assert took < SECONDS, f"{took:.2f} s"
    assert "KeyboardInterrupt" in errors or work.returncode == 0
