"""The search: defaults first, never worse than them, the same proposals for the same values."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import pytest

from nestrec.baselines.baseline import Baseline, Choice, Range
from nestrec.comparison.hyperparameter_search import Budget, SearchResult, get_defaults, search
from nestrec.comparison.job import Outcome, WidthMetrics
from nestrec.comparison.result import Options
from nestrec.errors import MissingExtraError


@dataclass(frozen=True)
class Hill:
    """Highest, 1.0, where x is 0.3, n is 20 and kind is b."""

    x: float = 0.9
    n: int = 5
    kind: str = "a"
    fixed: int = 7

    space: ClassVar[dict[str, Range | Choice]] = {
        "x": Range(0, 1),
        "n": Range(1, 100, log=True, integer=True),
        "kind": Choice(("a", "b", None)),
    }


HILL = cast("type[Baseline]", Hill)


def height(options: Options) -> float:
    away: float = abs(options["x"] - 0.3) + abs(math.log10(options["n"] / 20))
    return 1.0 - away - (0.0 if options["kind"] == "b" else 0.2)


def outcome(value: float, seconds: float = 1.0) -> Outcome:
    return Outcome(seconds, 0, (WidthMetrics(4, {"ndcg@20": value}, {}),))


def climbed(trials: int, seconds: float | None = None, **words: Any) -> SearchResult:
    return search(HILL, Budget(trials, seconds), "ndcg@20", lambda options: outcome(height(options)), **words)


def test_the_first_trial_is_the_defaults() -> None:
    assert climbed(5).trials[0].options == get_defaults(HILL) == {"x": 0.9, "n": 5, "kind": "a"}


def test_it_finds_the_hill_within_its_ranges() -> None:
    found = climbed(60)
    assert len(found.trials) == 60
    assert found.best is not None
    assert found.best.value > 0.75 > found.trials[0].value
    for trial in found.trials:
        assert 0 <= trial.options["x"] <= 1
        assert isinstance(trial.options["n"], int)
        assert 1 <= trial.options["n"] <= 100
        assert trial.options["kind"] in ("a", "b", None)


def test_it_ends_with_the_defaults_where_nothing_is_better() -> None:
    first = iter([1.0])
    found = search(HILL, Budget(8, None), "ndcg@20", lambda _: outcome(next(first, 0.0)))
    assert found.best == found.trials[0]


def test_a_seed_repeats_its_proposals_and_another_does_not() -> None:
    assert climbed(12, seed=3) == climbed(12, seed=3)
    assert climbed(12, seed=3) != climbed(12, seed=4)
    assert len(climbed(2, seed=2**63 - 1).trials) == 2


def test_no_trial_begins_after_the_seconds_are_spent() -> None:
    assert len(climbed(50, seconds=3.5).trials) == 4


def test_a_failed_trial_is_passed_over() -> None:
    def fit(options: Options) -> Outcome:
        return Outcome.failure("too small") if options["x"] > 0.5 else outcome(height(options))

    found = search(HILL, Budget(20, None), "ndcg@20", fit)
    assert found.trials[0].error == "too small"
    assert found.best is not None
    assert found.error is None


def test_a_search_in_which_all_fails_is_given_up_after_five() -> None:
    found = search(HILL, Budget(20, None), "ndcg@20", lambda _: Outcome.failure("no memory"))
    assert (len(found.trials), found.best, found.error) == (5, None, "no memory")


def test_a_default_outside_its_range_is_tried_all_the_same() -> None:
    """None, for a data-dependent default, is outside the search space."""

    @dataclass(frozen=True)
    class ByTheData(Hill):
        x: float | None = None  # type: ignore[assignment]

    found = search(
        cast("type[Baseline]", ByTheData),
        Budget(6, None),
        "ndcg@20",
        lambda options: outcome(0.1 if options["x"] is None else height(options)),
    )
    assert found.trials[0].options["x"] is None
    assert len(found.trials) == 6


def test_without_optuna_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r'optuna, which is not installed; get it with pip install "nestrec'):
        climbed(3)
