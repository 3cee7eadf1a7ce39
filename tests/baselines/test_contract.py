"""What every baseline that has a name keeps to."""

from __future__ import annotations

import doctest
import importlib
import re
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from nestrec.baselines import BASELINES, Choice, Kind, Model, Range, baseline
from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import DataError, MissingExtraError, OptionError
from nestrec.evaluation import ItemSimilarities, evaluate
from nestrec.training.callbacks import Callback, PhaseStart
from nestrec.training.options import Run
from nestrec.widths import Widths
from tests.baselines.synthetic import all_scores, arrays_of, small_data

LADDER = Widths([2, 8])
FEW_STEPS: dict[str, dict[str, Any]] = {
    "nestrec": {"epochs": 12},
    "nestrec-alone": {"epochs": 12},
    "nestrec-alone-cut": {"epochs": 12},
    "nestrec-alone-rotated": {"epochs": 12},
    "lightgcn": {"epochs": 20, "batch_size": 1024},
    "ultragcn": {"epochs": 12, "batch_size": 256, "learning_rate": 0.03, "n_negatives": 64},
    "mf-bsl": {"epochs": 8, "batch_size": 256, "learning_rate": 0.03, "n_negatives": 64},
    "implicit-bpr": {"iterations": 60, "learning_rate": 0.05},
}
NEEDS = {"baselines": "implicit", "torch": "torch", None: None}
WITHOUT_VECTORS = {"ease", "itemknn-cosine", "itemknn-tfidf", "itemknn-bm25"}


@pytest.fixture(params=list(BASELINES))
def name(request: pytest.FixtureRequest) -> str:
    """Every baseline; one whose extra is not installed is skipped."""
    chosen: str = request.param
    library = NEEDS[BASELINES[chosen].extra]
    if library is not None:
        pytest.importorskip(library)
    return chosen


def fitted(name: str, run: Run = Run(seed=3), **options: Any) -> Model:  # noqa: B008 - a frozen value
    """Fit with the widths its kind is called with."""
    widths = Widths([8]) if BASELINES[name].kind is Kind.SINGLE else LADDER
    options = {**FEW_STEPS.get(name, {}), **options}
    return baseline(name, **options).fit(small_data()[0], widths, run)


def test_the_class_says_what_it_is(name: str) -> None:
    made: Any = BASELINES[name]
    assert made() == baseline(name)  # every field has a default
    assert made.name == name
    assert isinstance(made.kind, Kind)
    assert made.extra in NEEDS


def test_the_space_is_of_fields_and_holds_values_that_are_allowed(name: str) -> None:
    made: Any = BASELINES[name]
    assert set(made.space) <= {field.name for field in fields(made)}
    for field, where in made.space.items():
        values = where.values if isinstance(where, Choice) else (where.low, where.high)
        for value in values:
            whole = isinstance(where, Range) and where.integer
            baseline(name, **{field: int(value) if whole else value})
        if isinstance(where, Range) and (default := getattr(made(), field)) is not None:
            assert where.low <= default <= where.high


def test_shapes_and_kind(name: str) -> None:
    model = fitted(name)
    train, _ = small_data()
    assert model.seen is train
    if name in WITHOUT_VECTORS:
        assert isinstance(model, ItemSimilarities)
        assert BASELINES[name].kind is Kind.WHOLE
        return
    assert isinstance(model, NestedEmbeddings)
    assert list(model.widths) == {Kind.NESTED: [2, 8], Kind.SINGLE: [8], Kind.WHOLE: [1]}[BASELINES[name].kind]
    assert model.user_embeddings.dtype == model.item_embeddings.dtype == np.float32
    assert np.isfinite(all_scores(model)).all()


def test_better_than_popularity_where_tastes_differ(name: str) -> None:
    train, test = small_data()
    model = fitted(name)
    label, widest = "ndcg@20", model.widths.embedding_size
    floor = evaluate(fitted("popularity"), test, bootstrap_samples=0).at(1).means[label]
    found = evaluate(model, test, bootstrap_samples=0).at(widest).means[label]
    assert found == floor if name == "popularity" else found > 1.5 * floor
    with pytest.raises(DataError, match="held out"):
        evaluate(model, train, bootstrap_samples=0)


def test_vectors_recommend_and_are_saved(name: str, tmp_path: Path) -> None:
    model = fitted(name)
    if not isinstance(model, NestedEmbeddings):
        return
    model.save(tmp_path / "model")
    user = model.users.ids[:1].tolist()[0]
    ids, _ = model.recommend(user, k=3)
    loaded_ids, _ = NestedEmbeddings.load(tmp_path / "model").recommend(user, k=3)
    assert loaded_ids.tolist() == ids.tolist()


def test_the_same_seed_gives_the_same_model(name: str) -> None:
    run = Run(seed=5, deterministic=True)
    for first, second in zip(arrays_of(fitted(name, run)), arrays_of(fitted(name, run)), strict=True):
        np.testing.assert_array_equal(first, second)


def test_threads_are_given_back_as_they_were(name: str) -> None:
    before = threadpool_info()
    fitted(name, Run(threads=1))
    now = {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}
    assert all(now[pool["filepath"]] == pool["num_threads"] for pool in before)


def test_the_listener_hears_each_step_or_nothing(name: str) -> None:
    class Count(Callback):
        expected = heard = 0

        def on_phase_start(self, start: PhaseStart) -> None:
            self.expected += start.epochs * start.n_positives

        def on_progress(self, n_positives: int) -> None:
            self.heard += n_positives

    callback = Count()
    fitted(name, Run(callbacks=callback))
    assert callback.heard == callback.expected if "nestrec" not in name else callback.heard > 0


def test_one_width_at_a_time(name: str) -> None:
    if BASELINES[name].kind is Kind.SINGLE:
        with pytest.raises(OptionError, match=rf"{name} is fitted at one width at a time, got 2, 8"):
            baseline(name).fit(small_data()[0], LADDER, Run())


def test_nothing_to_learn_is_refused(name: str) -> None:
    users, items = Vocabulary(np.arange(2)), Vocabulary(np.arange(3))
    empty = Interactions(users, items, np.zeros(3, dtype=np.int64), np.zeros(0, dtype=np.int32))
    with pytest.raises(DataError, match="at least 1 interaction, got none"):
        baseline(name).fit(empty, Widths([2]), Run())


def test_a_checkpoint_that_would_not_be_kept_is_refused(name: str, tmp_path: Path) -> None:
    if "nestrec" in name:
        return
    with pytest.raises(OptionError, match=f"checkpoint must be left out for {name}"):
        fitted(name, Run(checkpoint=tmp_path / "state"))
    assert not (tmp_path / "state").exists()


def test_without_its_library_it_says_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = BASELINES[name].extra
    if extra is None:
        return
    blocked = {"baselines": ("implicit", "threadpoolctl"), "torch": ("torch",)}[extra]
    for library in blocked:
        for loaded in [key for key in sys.modules if key == library or key.startswith(library + ".")]:
            monkeypatch.setitem(sys.modules, loaded, None)
        monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=re.escape(f'pip install "nestrec[{extra}]"')):
        fitted(name)


def test_users_and_items_without_interactions_are_unknown(name: str) -> None:
    """A user of nothing, items of nobody, and fewer users and items than numbers in a vector."""
    rows = [[0, 1], [1, 2, 3], [], [0, 3], [2, 3]]
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    indices = np.array([item for row in rows for item in row], dtype=np.int32)
    tiny = Interactions(Vocabulary(np.arange(5)), Vocabulary(np.arange(6)), indptr, indices)
    model = baseline(name).fit(tiny, Widths([16]), Run(threads=1))
    assert np.isfinite(all_scores(model)).all()
    assert model.users.ids.tolist() == [0, 1, 3, 4]
    assert model.items.ids.tolist() == [0, 1, 2, 3]
    assert (model.seen.n_users, model.seen.n_items) == (4, 4)


def test_the_examples_run(name: str) -> None:
    module = importlib.import_module(BASELINES[name].__module__)
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
