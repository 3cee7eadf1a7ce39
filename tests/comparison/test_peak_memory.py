"""Peak memory is what the work itself takes."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from nestrec.comparison.peak_memory import PeakMemory

MIB = 2**20

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems tell less")


def test_memory_that_was_taken_and_given_back_is_seen() -> None:
    memory = PeakMemory()
    held = np.ones(100 * MIB, dtype=np.uint8)
    del held
    assert 95 * MIB < memory.bytes() < 150 * MIB


def test_what_was_held_before_is_not_counted() -> None:
    former = np.ones(200 * MIB, dtype=np.uint8)
    memory = PeakMemory()
    assert memory.bytes() < 50 * MIB
    del former
