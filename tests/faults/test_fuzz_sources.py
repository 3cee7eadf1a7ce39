"""A short run of the fuzzer of packed and binary files."""

from __future__ import annotations

from tests.faults.fuzz_sources import run


def test_mutated_files_are_read_with_every_row_counted_or_refused() -> None:
    counts = run(80, seed=1)
    assert sum(counts.values()) == 80
    assert min(counts["read"], counts["refused"]) > 0
