"""Ids are given as one or many, in any container."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from nestrec import Vocabulary
from nestrec.retrieval.id_lookup import look_up


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
