"""A short run of the fuzzer of the server; `make torture` runs more."""

from __future__ import annotations

import pytest

from nestrec.serving import endpoints
from tests.faults import fuzz_server


def test_requests_by_the_description_are_answered_as_it_says() -> None:
    counts = fuzz_server.run(300, seed=0)
    assert counts["foreign"] == 0, fuzz_server.EXAMPLES
    assert counts["answered"] > 30
    assert counts["refused"] > 50


def test_a_failure_and_a_foreign_answer_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise IndexError("planted")

    monkeypatch.setattr(endpoints, "find_neighbours", fail)
    monkeypatch.setattr(endpoints, "score_pairs", lambda *_: {"scores": "planted"})
    monkeypatch.setattr(fuzz_server, "EXAMPLES", [])
    assert fuzz_server.run(300, seed=0)["foreign"] > 1
    assert any("status 500" in example for example in fuzz_server.EXAMPLES)
