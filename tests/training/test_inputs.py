"""Training takes anything that is read as interactions, for the data and for the validation part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from nestrec import NestedEmbeddings, RandomSplit, Run, SyntheticData, Trainer
from nestrec.data.interactions import Interactions

WORLD = SyntheticData(n_users=60, n_items=50, interactions_per_user=10).generate(seed=1).interactions
TRAIN, HELD_OUT = RandomSplit(0.2).split(WORLD)
KINDS = ("columns", "rows", "pandas", "polars", "arrow", "duckdb", "path", "text path")


def columns_of(data: Interactions) -> dict[str, list[Any]]:
    users = np.repeat(data.users.ids, np.diff(data.indptr))
    return {"user": users.tolist(), "item": data.items.ids[data.indices].tolist()}


def convert(data: Interactions, kind: str, folder: Path) -> Any:
    columns = columns_of(data)
    path = folder / "log.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    sources: dict[str, Any] = {
        "columns": columns,
        "rows": list(zip(columns["user"], columns["item"], strict=True)),
        "pandas": pd.DataFrame(columns),
        "polars": pl.DataFrame(columns),
        "arrow": pa.table(columns),
        "duckdb": duckdb.from_arrow(pa.table(columns)),
        "path": path,
        "text path": str(path),
    }
    return sources[kind]


def train(source: Any, validation: Any) -> NestedEmbeddings:
    run = Run(deterministic=True, threads=1)
    return Trainer(widths=(2, 4), epochs=2).fit(source, validation=validation, run=run)


@pytest.fixture(scope="module")
def expected() -> NestedEmbeddings:
    return train(TRAIN, HELD_OUT)


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_trains_and_validates_the_model_of_its_interactions(
    kind: str, expected: NestedEmbeddings, tmp_path: Path
) -> None:
    (tmp_path / "held").mkdir()
    model = train(convert(TRAIN, kind, tmp_path), convert(HELD_OUT, kind, tmp_path / "held"))
    np.testing.assert_array_equal(model.item_embeddings, expected.item_embeddings)
    found, wanted = (one.manifest["training"]["validation_metrics"] for one in (model, expected))
    assert found == wanted


def test_a_sparse_matrix_has_row_and_column_numbers_as_ids() -> None:
    model = train(TRAIN.to_scipy(), None)
    assert model.users.ids.dtype == np.int64
    assert model.seen.n_interactions == TRAIN.n_interactions
