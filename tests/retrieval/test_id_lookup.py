"""Ids are given as one or many, in any container."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from nestrec import Vocabulary
from nestrec.retrieval.id_lookup import look_up, look_up_filters
from nestrec.retrieval.request import validate_request


@pytest.mark.parametrize(
    "ids",
    [
        [20, 10],
        (20, 10),
        iter([20, 10]),
        dict.fromkeys([20, 10]).keys(),
        np.array([20, 10]),
        pd.Series(["20", "10"]),
        pl.Series([20, 10]),
        pa.array([20, 10]),
    ],
    ids=lambda ids: type(ids).__module__ + "." + type(ids).__name__,
)
def test_a_list_of_any_kind_is_many(ids: Any) -> None:
    found = look_up(Vocabulary.from_ids([10, 20]), ids, "item", "raise")
    assert found.rows.tolist() == [1, 0]
    assert not found.single


@pytest.mark.parametrize("one", [20, "20", np.int64(20), np.array(20)])
def test_an_id_by_itself_is_one(one: Any) -> None:
    found = look_up(Vocabulary.from_ids([10, 20]), one, "item", "raise")
    assert found.rows.tolist() == [1]
    assert found.single


def test_found_ids_have_the_type_of_the_vocabulary_and_skipped_ones_stay_as_asked() -> None:
    found = look_up(Vocabulary.from_ids([10, 20]), ["20", "x"], "item", "skip")
    assert found.ids.tolist() == [20]
    assert found.skipped.tolist() == ["x"]


def test_what_both_lists_leave_ascends_without_repeats_and_without_denied_items() -> None:
    def candidates(allow: list[int] | None, deny: list[int] | None) -> list[int] | None:
        filters = look_up_filters(Vocabulary.from_ids([10, 20, 30, 40]), allow, deny, "raise")
        request = validate_request([[1.0]], 1, None, filters.allow, filters.deny, n_items=4, width=1)
        return None if request.candidates is None else request.candidates.tolist()

    assert candidates([40, 30, 10, 30], [20, 10]) == [2, 3]
    assert candidates(None, [20, 10]) == [2, 3]
    assert candidates(None, None) is None


def test_unknown_ids_of_both_lists_are_joined() -> None:
    items = Vocabulary.from_ids([10, 20])
    assert look_up_filters(items, [10, 7], [8], "skip").skipped.tolist() == [7, 8]
    assert look_up_filters(items, None, None, "skip").skipped.tolist() == []
