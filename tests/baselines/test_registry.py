"""Names, and what is said of a wrong one."""

from __future__ import annotations

import doctest
import subprocess
import sys
from importlib import import_module

import pytest

from nestrec.baselines import BASELINES, Choice, Range, baseline
from nestrec.baselines.ease import Ease
from nestrec.errors import OptionError


def test_a_name_gives_its_class_with_the_options() -> None:
    assert BASELINES["ease"] is Ease
    assert baseline("ease", regularization=7.0) == Ease(7.0)


def test_a_wrong_name_lists_the_right_ones() -> None:
    with pytest.raises(OptionError, match=r"a baseline must be one of popularity, itemknn-cosine.*; got 'als'"):
        baseline("als")
    assert "als" not in BASELINES
    assert len(BASELINES) == len(list(BASELINES)) == len(set(BASELINES))


def test_a_wrong_option_lists_the_right_ones() -> None:
    with pytest.raises(OptionError, match="must be one of regularization, alpha, iterations; got 'width'"):
        baseline("ials", width=4)
    with pytest.raises(OptionError, match="options of popularity do not exist; got 'width'"):
        baseline("popularity", width=4)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("itemknn-cosine", {"n_neighbours": 0}),
        ("itemknn-bm25", {"b": 1.5}),
        ("itemknn-bm25", {"k1": -1}),
        ("ease", {"regularization": 0}),
        ("ials", {"alpha": 0.5}),
        ("ials-rotated", {"regularization": -1}),
        ("ials", {"iterations": 2.5}),
        ("puresvd", {"user_power": 3}),
        ("implicit-bpr", {"learning_rate": float("nan")}),
        ("ultragcn", {"negative_weight": -1}),
        ("ultragcn", {"n_neighbours": 0}),
        ("mf-bsl", {"temperature": 0}),
        ("mf-bsl", {"temperature_ratio": -1}),
        ("mf-bsl", {"epochs": 0}),
        ("nestrec", {"n_candidates": 0}),
        ("nestrec-alone", {"learning_rate": -1}),
    ],
)
def test_a_value_out_of_range_is_refused_where_it_is_given(name: str, options: dict[str, float]) -> None:
    with pytest.raises(OptionError, match=r"give|must be"):
        baseline(name, **options)


def test_ranges_and_choices_that_hold_nothing_are_refused() -> None:
    with pytest.raises(OptionError, match="from 3 to 3"):
        Range(3, 3)
    with pytest.raises(OptionError, match="above 0"):
        Range(0, 1, log=True)
    with pytest.raises(OptionError, match="at least one value"):
        Choice(())


def test_the_examples_run() -> None:
    assert doctest.testmod(import_module("nestrec.baselines.baseline")).failed == 0


def test_names_load_nothing_heavy() -> None:
    code = (
        "import sys; from nestrec.baselines import BASELINES; list(BASELINES); "
        "print([m for m in ('numpy', 'scipy', 'numba', 'implicit', 'torch') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
