"""The fuzzers notice what they are for: a planted mistake shows in their counts."""

from __future__ import annotations

import pytest

from nestrec.data.readers import blocks, source_columns
from nestrec.data.rejections import RejectionLog
from tests.faults import bombs, fuzz_readers
from tests.faults.bomb_files import BOMBS


def test_a_row_that_is_in_no_count_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RejectionLog, "count", lambda *_: None)
    assert fuzz_readers.run(300, 1)["uncounted"] > 0
    assert "seed 1 number" in fuzz_readers.EXAMPLES[0]


def test_an_exception_of_another_library_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise IndexError("planted")

    monkeypatch.setattr(source_columns, "find_columns", fail)
    assert fuzz_readers.run(300, 1)["foreign"] > 0


def test_a_row_lost_between_blocks_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    advance = blocks.Blocks.advance

    def forget(self: blocks.Blocks, consumed: int, kept: bytes = b"") -> None:
        advance(self, consumed + (8 if consumed and self.end > consumed + 8 else 0), kept)

    monkeypatch.setattr(blocks.Blocks, "advance", forget)
    monkeypatch.setattr(fuzz_readers, "_BLOCKS", 1.0)
    assert fuzz_readers.run(300, 1)["uncounted"] > 0


def test_a_bomb_that_takes_memory_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bombs, "MOST", -1.0)
    found = bombs.check_bombs(1, BOMBS[:1])
    assert found.counts["unclean"] == 1
