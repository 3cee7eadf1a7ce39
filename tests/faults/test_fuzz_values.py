"""A short run of the fuzzer of values; `make torture` runs more."""

from __future__ import annotations

from tests.faults.fuzz_values import run


def test_mutated_values_are_read_counted_or_refused() -> None:
    counts = run(2000, seed=0)
    assert counts["read"] + counts["refused"] == 2000
    assert counts["read"] > 500
    assert counts["left out"] > 100
    assert run(50, seed=1) == run(50, seed=1)
