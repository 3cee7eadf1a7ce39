"""Peak memory of a piece of work."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from nestrec.comparison.peak_memory import PeakMemory

MIB = 2**20

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems tell less")


def test_memory_that_was_allocated_and_freed_counts() -> None:
    memory = PeakMemory()
    held = np.ones(100 * MIB, dtype=np.uint8)
    del held
    assert 95 * MIB < memory.bytes() < 150 * MIB


def test_memory_allocated_before_does_not_count() -> None:
    former = np.ones(200 * MIB, dtype=np.uint8)
    memory = PeakMemory()
    assert memory.bytes() < 50 * MIB
    del former
