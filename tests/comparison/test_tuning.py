"""Tuning a single model: one search where a fit serves all widths, one for each width otherwise."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from nestrec import tune
from nestrec.comparison.callbacks import ComparisonCallbackList
from nestrec.comparison.hyperparameter_search import Budget
from nestrec.comparison.tuning import Tuner, Tuning
from nestrec.data.synthetic import SyntheticData
from nestrec.errors import OptionError

DATA = SyntheticData(n_users=120, n_items=80, interactions_per_user=12).generate(seed=0).interactions


@pytest.fixture(scope="module")
def ials() -> Tuning:
    return tune(DATA, "ials", widths=[2, 4], trials=3, threads=1)


def test_a_model_of_a_fit_a_width_is_tuned_at_each(ials: Tuning) -> None:
    assert [unit.widths for unit in ials.units] == [(2,), (4,)]
    assert [len(unit.search.trials) for unit in ials.units] == [3, 3]
    assert ials.at(4).best.value >= ials.at(4).defaults.value
    with pytest.raises(OptionError, match="width 8 was not tuned; choose one of 2, 4"):
        ials.at(8)


def test_it_is_json(ials: Tuning) -> None:
    document = json.loads(json.dumps(ials.as_dict(), allow_nan=False))
    assert (document["model"], document["kind"], document["metric"]) == ("ials", "single", "ndcg@20")
    assert [len(unit["trials"]) for unit in document["units"]] == [3, 3]


def test_a_table_has_a_row_per_trial(ials: Tuning) -> None:
    frame = ials.to_polars()
    assert frame["widths"].to_list() == ["2"] * 3 + ["4"] * 3
    assert frame["trial"].to_list() == [1, 2, 3] * 2
    assert frame.filter("best")["value"].to_list() == [unit.best.value for unit in ials.units]
    for name in ials.units[0].best.options:
        found = frame.filter("best")[f"option_{name}"].to_list()
        assert found == [unit.best.options[name] for unit in ials.units]
    assert repr(ials).startswith("<Tuning of ials: ndcg@20 ")


def test_interactions_are_read_from_a_table() -> None:
    users = np.repeat(DATA.users.ids, np.diff(DATA.indptr))
    table = pl.DataFrame({"user": users, "item": DATA.items.ids[DATA.indices]})
    by_table, by_interactions = (tune(data, "ease", widths=[2], trials=1, threads=1) for data in (table, DATA))
    assert by_table.at(2).best.value == by_interactions.at(2).best.value


def test_the_same_seed_finds_the_same(ials: Tuning) -> None:
    again = tune(DATA, "ials", widths=[2, 4], trials=3, threads=1)
    assert [unit.best.options for unit in again.units] == [unit.best.options for unit in ials.units]


def test_nestrec_is_tuned_at_all_widths_together() -> None:
    found = tune(DATA, widths=[2, 4], trials=2, threads=1, metric="recall@10")
    assert [unit.widths for unit in found.units] == [(2, 4)]
    assert found.metric == "recall@10"


def test_a_budget_is_the_same_for_every_kind() -> None:
    tuner = Tuner((2, 4, 8), "ndcg@20", 0, 1, ComparisonCallbackList(()))
    assert tuner.budget("ials", 10, 60.0) == Budget(10, 60.0)
    assert len(tuner.units("ials")) == 3
    for name in ("nestrec", "ease"):
        assert tuner.budget(name, 10, 60.0) == Budget(30, 180.0)
        assert tuner.units(name) == [(2, 4, 8)]
    assert tuner.budget("ease", 10, None).seconds is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"model": "popularity"}, "popularity has no options to tune"),
        ({"model": "magic"}, "model must be one of .*; got 'magic'"),
        ({"trials": 0}, "trials must be between 1 and"),
        ({"seconds": -1.0}, "seconds must be above 0, got -1.0"),
        ({"metric": "ndcg"}, "metric must be one of .*; got 'ndcg'"),
    ],
)
def test_invalid_arguments_are_reported_in_one_sentence(words: dict[str, object], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        tune(DATA, **{"model": "ease", **words})  # type: ignore[arg-type]
