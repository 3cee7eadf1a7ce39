"""A short run of the check of a server under load; `make torture` runs an hour."""

from __future__ import annotations

import pytest

from tests.faults import endurance


def test_a_server_answers_through_reloads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endurance, "_GROWTH", 0.5)  # memory settles only after minutes
    tally = endurance.check_server(6.0)
    assert tally.n_violations == 0, tally.examples
    assert tally.counts["injected"] > 100


def test_memory_that_grows_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = iter(range(1_000, 1_000_000, 100))
    monkeypatch.setattr(endurance, "_read_resident", lambda _: next(sizes))
    assert endurance.check_server(3.0).n_violations == 1
