"""A model with codes answers as without, at every width and by every way of asking."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nestrec
from nestrec import NestedEmbeddings, SyntheticData, Trainer
from nestrec.errors import DataError, OptionError
from nestrec.retrieval import nested_codes
from nestrec.retrieval.exact import Exact
from nestrec.retrieval.full_scan import FullScan
from nestrec.retrieval.funnel import Funnel
from nestrec.retrieval.retriever import Retriever
from nestrec.retrieval.search_config import CoarseIndexOptions, SearchConfig

WIDTHS = (2, 4, 8)


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let codes serve small catalogues too."""
    monkeypatch.setattr(nested_codes, "_LEAST_ITEMS", 0)
    monkeypatch.setattr(nested_codes, "_LEAST_ITEMS_IN_BATCHES", 0)


@pytest.fixture(scope="module")
def model() -> NestedEmbeddings:
    interactions = SyntheticData(n_users=300, n_items=2_000).generate(seed=0).interactions
    return Trainer(widths=WIDTHS, epochs=2).fit(interactions, validation=None)


def by_codes(retriever: Retriever, model: NestedEmbeddings, width: int) -> bool:
    return isinstance(retriever, Exact) and model.codes is not None and retriever.index is model.codes.indexes[width]


def check(found: Any, expected: Any) -> None:
    assert found.ids.tolist() == expected.ids.tolist()
    assert found.scores.tolist() == expected.scores.tolist()


@pytest.mark.parametrize("width", WIDTHS)
def test_answers_are_those_without_codes(model: NestedEmbeddings, width: int) -> None:
    coded = model.with_codes()
    users, items = model.users.ids, model.items.ids.tolist()
    for asked in (users[3], users[:40]):
        assert by_codes(coded.retriever(width, n_queries=np.size(asked)), coded, width)
        for options in (
            {},
            {"exclude_seen": False},
            {"deny": items[::5]},
            {"allow": items[::3]},
            {"allow": items[:20]},
            {"k": 300},
        ):
            check(coded.recommend(asked, width=width, **options), model.recommend(asked, width=width, **options))
    check(coded.recommend_for(items[:4], width=width), model.recommend_for(items[:4], width=width))


def test_a_search_config_goes_first_where_it_applies(model: NestedEmbeddings) -> None:
    options = CoarseIndexOptions(4)
    index = options.build(model.user_embeddings, model.item_embeddings, 8)
    configured = model.with_search_config(SearchConfig(8, options, shortlist=50, k=10), index)
    coded = configured.with_codes()
    assert isinstance(coded.retriever(k=10), Funnel)
    assert by_codes(coded.retriever(k=11), coded, 8)
    assert by_codes(coded.retriever(k=10, exact=True), coded, 8)
    assert by_codes(coded.retriever(4, k=10), coded, 4)
    assert isinstance(configured.retriever(4, k=10), FullScan)


def test_a_small_catalogue_is_scanned_in_full(model: NestedEmbeddings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert isinstance(model.with_codes().retriever(4), FullScan)


def test_large_batches_need_a_larger_catalogue(model: NestedEmbeddings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nested_codes, "_LEAST_ITEMS_IN_BATCHES", 3_000)
    coded = model.with_codes()
    assert by_codes(coded.retriever(4, n_queries=8), coded, 4)
    assert isinstance(coded.retriever(4, n_queries=9), FullScan)


def test_a_narrower_model_keeps_its_codes_without_a_copy(model: NestedEmbeddings) -> None:
    coded = model.with_codes()
    narrow = coded.at(4)
    assert coded.codes is not None
    assert narrow.codes is not None
    assert narrow.codes.indexes == {2: coded.codes.indexes[2], 4: coded.codes.indexes[4]}
    check(narrow.recommend(model.users.ids[:3]), model.recommend(model.users.ids[:3], width=4))


def test_new_items_and_updates_build_the_codes_again(model: NestedEmbeddings) -> None:
    coded = model.with_codes()
    known = coded.with_items({99_999_999: model.users.ids[:5].tolist()})
    new = SyntheticData(n_users=20, n_items=2_000).generate(seed=1).interactions
    updated = nestrec.update(coded, new, epochs=1).model
    for after in (known, updated):
        assert after.codes is not None
        assert after.codes.n_items == after.n_items
        bare = NestedEmbeddings(
            after.user_embeddings, after.item_embeddings, after.widths, after.users, after.items, after.seen
        )
        check(after.recommend(after.users.ids[:20], width=4), bare.recommend(after.users.ids[:20], width=4))
    assert nestrec.update(model, new, epochs=1).model.codes is None


def test_codes_are_not_saved(model: NestedEmbeddings, tmp_path: Any) -> None:
    model.with_codes().save(tmp_path / "coded")
    model.save(tmp_path / "plain")
    assert NestedEmbeddings.load(tmp_path / "coded").codes is None
    assert {path.name for path in (tmp_path / "coded").iterdir()} == {
        path.name for path in (tmp_path / "plain").iterdir()
    }


def test_codes_of_another_model_are_refused(model: NestedEmbeddings) -> None:
    codes = model.at(4).with_codes().codes
    with pytest.raises(DataError, match=r"codes must be of the model's 1895 items.*widths 2, 4,.*with_codes"):
        NestedEmbeddings(
            model.user_embeddings,
            model.item_embeddings,
            model.widths,
            model.users,
            model.items,
            model.seen,
            codes=codes,
        )


def test_mistakes_in_arguments_are_named(model: NestedEmbeddings) -> None:
    with pytest.raises(OptionError, match="threads must be at least 1, got 0"):
        model.with_codes(threads=0)
    with pytest.raises(OptionError, match="thread"):
        model.with_codes(thread=2)  # type: ignore[call-arg]
