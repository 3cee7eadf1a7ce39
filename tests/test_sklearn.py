"""`NestedRecommender` keeps the conventions of scikit-learn: checks, clones, grids, folds of interactions."""

from __future__ import annotations

import pickle
import sys
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from nestrec import BPR, SyntheticData, Trainer, evaluate
from nestrec.errors import DataError, MissingExtraError, OptionError, UnknownOptionError
from nestrec.extras import require

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold, RandomizedSearchCV, cross_val_score
from sklearn.utils.estimator_checks import estimator_checks_generator

from nestrec.sklearn import NestedRecommender, make_width_scorer, read_rows

DATA = SyntheticData(n_users=80, n_items=60, interactions_per_user=12).generate(seed=1).interactions
PAIRS = np.column_stack([np.repeat(DATA.users.ids, np.diff(DATA.indptr)), DATA.items.ids[DATA.indices]])
QUICK: dict[str, Any] = {"widths": (2, 4), "epochs": 2, "validation": None, "threads": 1}
DO_NOT_APPLY = {  # check -> why
    "check_fit_score_takes_y": "its rows are numbers of a matrix, of which every user has all items",
    "check_positive_only_tag_during_fit": "likewise",
    "check_estimators_dtypes": "it gives five columns",
    "check_fit2d_1sample": "it gives ten columns",
    "check_fit2d_1feature": "it wants another wording",
}


@pytest.mark.parametrize(
    ("estimator", "check"),
    [
        (estimator, check)
        for estimator, check in estimator_checks_generator(NestedRecommender(**{**QUICK, "epochs": 1}))
        if check.func.__name__ not in DO_NOT_APPLY
    ],
    ids=lambda value: value.func.__name__ if hasattr(value, "func") else "",
)
@pytest.mark.filterwarnings("ignore")  # of the checks themselves
def test_the_checks_of_scikit_learn_pass_where_they_apply(estimator: Any, check: Any) -> None:
    check(estimator)


def test_every_field_of_the_trainer_is_a_parameter_with_its_default() -> None:
    parameters = NestedRecommender().get_params()
    assert set(parameters) == {field.name for field in fields(Trainer)} | {
        "validation", "refit", "random_state", "threads",
    }  # fmt: skip
    assert Trainer(**{field.name: parameters[field.name] for field in fields(Trainer)}) == Trainer()


def test_a_clone_has_the_same_parameters_and_nothing_learned() -> None:
    first = NestedRecommender(**QUICK, loss=BPR()).fit(PAIRS)
    copy = clone(first).set_params(learning_rate=0.1)
    assert copy.get_params() == {**first.get_params(), "learning_rate": 0.1}
    assert not hasattr(copy, "embeddings_")
    assert first.learning_rate is None


def test_parameters_are_validated_in_fit_and_unknown_ones_at_once() -> None:
    with pytest.raises(OptionError, match="patience must be"):
        NestedRecommender(**QUICK, patience=0).fit(PAIRS)
    with pytest.raises(UnknownOptionError, match="epoch'"):
        NestedRecommender(epoch=3)
    with pytest.raises(ValueError, match="Invalid parameter 'epoch'"):
        NestedRecommender().set_params(epoch=3)


def test_the_same_rows_in_any_form_train_the_same_model() -> None:
    frame = pd.DataFrame(PAIRS, columns=["user", "item"])
    first = NestedRecommender(**QUICK).fit(PAIRS).embeddings_
    for rows in (frame, pl.DataFrame(frame), [tuple(row) for row in PAIRS.tolist()], DATA):
        np.testing.assert_array_equal(NestedRecommender(**QUICK).fit(rows).embeddings_.item_embeddings, first.item_embeddings)  # fmt: skip # noqa: E501


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 5)])
def test_an_array_must_have_columns_of_users_and_items(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="2 to 4 columns"):
        read_rows(np.zeros(shape, dtype=np.int64))


def test_a_fitted_one_is_pickled() -> None:
    fitted = NestedRecommender(**QUICK).fit(PAIRS)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.embeddings_.item_embeddings, fitted.embeddings_.item_embeddings)


def test_the_score_is_the_metric_averaged_over_the_widths() -> None:
    train, test = next(KFold(4, shuffle=True, random_state=0).split(PAIRS))
    fitted = NestedRecommender(**QUICK, metric="recall@10").fit(PAIRS[train])
    found = evaluate(fitted.embeddings_, read_rows(PAIRS[test]), cutoffs=10)
    by_width = [figures.means["recall@10"] for figures in found.widths]
    assert fitted.score(PAIRS[test]) == pytest.approx(np.mean(by_width))
    for width, value in zip((2, 4), by_width, strict=True):
        assert make_width_scorer("recall@10", width)(fitted, PAIRS[test]) == pytest.approx(value)


def test_an_unfitted_one_has_no_score() -> None:
    with pytest.raises(NotFittedError):
        NestedRecommender().score(PAIRS)


def test_a_grid_is_searched_by_folds_of_interactions_and_scored_at_one_width() -> None:
    frame = pd.DataFrame(PAIRS, columns=["user", "item"])
    scoring = {"narrow": make_width_scorer("recall@10", width=2), "all": make_width_scorer("recall@10")}
    folds = KFold(3, shuffle=True, random_state=0)
    grid = {"epochs": [1, 4], "loss": [None, BPR()]}
    search = GridSearchCV(NestedRecommender(**QUICK), grid, scoring=scoring, refit="narrow", cv=folds)
    search.fit(frame)
    assert len(search.cv_results_["mean_test_narrow"]) == 4
    assert np.isfinite(search.cv_results_["mean_test_all"]).all()
    assert search.best_estimator_.embeddings_.n_users == DATA.n_users
    assert search.best_score_ == search.cv_results_["mean_test_narrow"].max()


def test_a_random_search_and_cross_validation_run() -> None:
    folds = KFold(2, shuffle=True, random_state=0)
    space = {"learning_rate": [0.1, 0.3, 0.5]}
    search = RandomizedSearchCV(NestedRecommender(**QUICK), space, n_iter=2, cv=folds, random_state=0).fit(PAIRS)
    assert search.best_params_["learning_rate"] in space["learning_rate"]
    assert len(cross_val_score(NestedRecommender(**QUICK), PAIRS, cv=folds)) == 2


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    with pytest.raises(MissingExtraError, match=r"NestedRecommender needs sklearn.*nestrec\[sklearn\]"):
        require("sklearn.base", "sklearn", "NestedRecommender")
