"""Explanations: contributions and the rest sum to the score, and like items contribute."""

from __future__ import annotations

import numpy as np
import pytest

from nestrec import NestedEmbeddings
from nestrec.errors import OptionError, UnknownIdError
from tests.fold_in.test_fold_in import NAMES, interactions, models, rotated, softmax, some_items

__all__ = ["interactions", "models", "rotated", "softmax"]  # fixtures


@pytest.mark.parametrize("name", NAMES)
def test_contributions_and_rest_sum_to_the_score(models: dict[str, NestedEmbeddings], name: str) -> None:
    model = models[name]
    user, item = model.users.ids[4], model.items.ids[9]
    for width in model.widths:
        found = model.explain(user, item, width)
        assert found.score == pytest.approx(float(model.score(user, item, width)), rel=1e-5, abs=1e-6)
        assert found.contributions.sum() + found.rest == pytest.approx(found.score, abs=1e-9)
        assert (np.diff(found.contributions) <= 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_history_leaves_no_rest(models: dict[str, NestedEmbeddings], name: str) -> None:
    model = models[name]
    history = some_items(model, 3, 60, 7, 90)
    folded, item = model.fold_in(history).vectors, model.items.ids[30]
    found = model.explain(item_id=item, history=history)
    assert found.score == pytest.approx(float(folded @ model.item_embeddings[30]), rel=1e-4, abs=1e-6)
    assert abs(found.rest) < 0.01 * np.abs(found.contributions).sum()
    assert sorted(found.items.tolist()) == sorted(history)


def test_an_item_explains_itself_best(softmax: NestedEmbeddings) -> None:
    history = some_items(softmax, 3, 60, 7, 90, 120)
    first = [softmax.explain(item_id=item, history=history).items[0] for item in history]
    assert sum(one == item for one, item in zip(first, history, strict=True)) >= 4


def test_wrong_arguments_are_errors(softmax: NestedEmbeddings) -> None:
    user, item = softmax.users.ids[0], softmax.items.ids[0]
    for arguments in ({}, {"user_id": user}, {"item_id": item}, {"user_id": user, "item_id": item, "history": [item]}):
        with pytest.raises(OptionError):
            softmax.explain(**arguments)
    with pytest.raises(OptionError):
        softmax.explain([user], item)
    with pytest.raises(OptionError):
        softmax.explain(item_id=item, history=[[item], [item]])
    with pytest.raises(UnknownIdError):
        softmax.explain(user, "nobody-knows")


def test_explanations_and_folded_vectors_convert_to_tables(softmax: NestedEmbeddings) -> None:
    polars = pytest.importorskip("polars")
    history = some_items(softmax, 3, 60, 7)
    found = softmax.explain(item_id=softmax.items.ids[30], history=history)
    assert found.to_polars().rows() == list(found)
    assert "contribution" in found._repr_html_()
    folded = softmax.fold_in({"ann": history, "bob": history[:1]})
    table = folded.to_polars()
    assert table["id"].to_list() == ["ann", "bob"]
    assert table.schema["vector"] == polars.Array(polars.Float32, folded.vectors.shape[1])
    assert len(softmax.fold_in(history).to_polars()) == 1
