"""A short run of the text fuzzer; `tests/faults/fuzzing.py` runs millions."""

from __future__ import annotations

from tests.faults.fuzz_text import run


def test_mutated_text_is_read_or_refused_and_every_row_is_in_a_count() -> None:
    counts = run(3000, seed=1)
    assert sum(counts.values()) == 3000
    assert min(counts.values()) > 50
