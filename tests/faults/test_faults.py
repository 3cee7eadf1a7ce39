"""A short version of `make torture`: a few of all faults, inputs and bombs (docs/reliability.md has the figures)."""

from __future__ import annotations

import pytest

from tests.faults import fuzz_readers
from tests.faults.bomb_files import BOMBS
from tests.faults.bombs import check_bombs
from tests.faults.durability import check_durability
from tests.faults.enumeration import enumerate_faults
from tests.faults.fuzzing import BAD
from tests.faults.kills import check_random_kills
from tests.faults.laboratory import Laboratory
from tests.faults.scenarios import RANDOMLY_KILLED, SCENARIOS, Scenario
from tests.faults.tally import Tally

_INJECTIONS = {"kill": 2, "ENOSPC": 1, "EIO": 1}  # of each scenario
_MORE = {"EROFS": 2, "short": 2}  # of one
_BOMBS = ("one long line of JSON", "many columns")


def _assert_nothing_wrong(tally: Tally) -> None:
    assert tally.n_violations == 0, "\n".join(tally.examples)
    assert tally.counts["injected"] > 0


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_fault_at_an_operation_loses_nothing(laboratory: Laboratory, scenario: Scenario) -> None:
    for group, limit in _INJECTIONS.items():
        _assert_nothing_wrong(enumerate_faults(laboratory, scenario, group, limit=limit))


def test_a_read_only_disk_and_short_writes_lose_nothing(laboratory: Laboratory) -> None:
    for group, limit in _MORE.items():
        _assert_nothing_wrong(enumerate_faults(laboratory, RANDOMLY_KILLED[0], group, limit=limit))


@pytest.mark.parametrize("scenario", RANDOMLY_KILLED[:2], ids=lambda scenario: scenario.name)
def test_contents_are_on_the_disk_before_names(laboratory: Laboratory, scenario: Scenario) -> None:
    _assert_nothing_wrong(check_durability(laboratory, scenario))


def test_kills_at_random_moments_lose_nothing(laboratory: Laboratory) -> None:
    _assert_nothing_wrong(check_random_kills(laboratory, RANDOMLY_KILLED[0], 6))


def test_mutated_inputs_are_read_or_refused() -> None:
    """All formats in one process; each format has a fuzzer of its own beside this file."""
    counts = fuzz_readers.run(1500, 0)
    assert not {end: counts[end] for end in BAD & set(counts) if counts[end]}, fuzz_readers.EXAMPLES[:5]


def test_bombs_stay_within_the_limit_of_memory() -> None:
    bombs = tuple(bomb for bomb in BOMBS if bomb.name in _BOMBS)
    _assert_nothing_wrong(check_bombs(256, bombs))
