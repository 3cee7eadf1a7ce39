"""A ranking's rows and columns leave out what only fills it up."""

from __future__ import annotations

import pytest

from nestrec import NestedEmbeddings


@pytest.fixture
def model() -> NestedEmbeddings:
    return NestedEmbeddings.from_arrays([[1.0], [-1.0]], [[1.0], [2.0]], [1], users=["ann", "bob"], items=[7, 8])


def test_rows_give_each_query_its_own(model: NestedEmbeddings) -> None:
    rows = [
        (query, ids.tolist(), scores.tolist()) for query, ids, scores in model.recommend(["bob", "ann"], k=5).rows()
    ]
    assert rows == [("bob", [7, 8], [-1.0, -2.0]), ("ann", [8, 7], [2.0, 1.0])]


def test_columns_are_one_table(model: NestedEmbeddings) -> None:
    columns = model.recommend(["bob", "ann"], k=3, allow=[8]).columns()
    assert [column.tolist() for column in columns] == [["bob", "ann"], [8, 8], [1, 1], [-2.0, 2.0]]


def test_a_single_query_has_rows_and_columns_too(model: NestedEmbeddings) -> None:
    ranking = model.recommend("ann", k=3)
    assert [(query, ids.tolist()) for query, ids, _ in ranking.rows()] == [("ann", [8, 7])]
    assert [column.tolist() for column in ranking.columns()] == [["ann", "ann"], [8, 7], [1, 2], [2.0, 1.0]]


def test_a_skipped_query_has_neither(model: NestedEmbeddings) -> None:
    ranking = model.recommend("eve", unknown="skip")
    assert list(ranking.rows()) == []
    assert [column.tolist() for column in ranking.columns()] == [[], [], [], []]
    many = model.recommend(["eve"], k=2, unknown="skip")
    assert many.ids.shape == (0, 2)
    assert list(many.rows()) == []


def test_queries_with_nothing_left_are_counted(model: NestedEmbeddings) -> None:
    assert model.recommend(["bob", "ann"], k=3, allow=[]).n_unanswered == 2
    assert model.recommend("ann", k=3, allow=[]).n_unanswered == 1
    assert model.recommend(["bob", "ann"], k=3).n_unanswered == 0
