"""Results of an evaluation are shown short."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

import nestrec
from nestrec.evaluation import WidthEvaluation


def test_a_width_is_shown_by_its_means() -> None:
    means = {"recall@5": 0.25, "ndcg@5": 0.12346}
    figures = WidthEvaluation(
        width=4,
        means=means,
        intervals={},
        known_means=means,
        known_intervals={},
        beyond_accuracy={},
        per_user=np.zeros((3, 2), dtype=np.float32),
    )
    assert repr(figures) == "<WidthEvaluation: width 4, recall@5 0.2500, ndcg@5 0.1235>"


def test_a_table_has_a_row_per_width_and_metric() -> None:
    world = nestrec.SyntheticData(n_users=60, n_items=50, interactions_per_user=9).generate(seed=1).interactions
    train, test = nestrec.RandomSplit(0.3).split(world)
    rng = np.random.default_rng(0)
    built = nestrec.NestedEmbeddings.from_arrays(
        rng.normal(size=(train.n_users, 4)), rng.normal(size=(train.n_items, 4)), [2, 4]
    )
    model = nestrec.NestedEmbeddings(
        built.user_embeddings, built.item_embeddings, built.widths, train.users, train.items, train
    )
    found = nestrec.evaluate(model, test, cutoffs=[5], bootstrap_samples=20)
    frame = found.to_pandas()
    assert frame.columns.tolist() == [
        "width", "metric", "value", "low", "high", "known_value", "known_low", "known_high",
    ]  # fmt: skip
    by_width = frame.pivot_table(index="width", columns="metric", values="value")
    for width in (2, 4):
        figures = found.at(width)
        row = frame[(frame["width"] == width) & (frame["metric"] == "recall@5")].iloc[0]
        assert row["value"] == by_width.loc[width, "recall@5"] == figures.means["recall@5"]
        assert (row["low"], row["high"]) == figures.intervals["recall@5"]
        assert row["known_value"] == figures.known_means["recall@5"]
        assert by_width.loc[width, "coverage@5"] == figures.beyond_accuracy["coverage@5"]
    assert frame[frame["metric"] == "coverage@5"]["low"].isna().all()
    assert found.to_polars()["value"].null_count() == 0


def test_held_out_data_are_read_from_tables_of_any_library() -> None:
    """One answer from Interactions, pandas, polars, arrow, dictionaries, rows, and a file."""
    columns: dict[str, list[Any]] = {"user": ["ann", "bob", "bob"], "item": [1, 2, 3]}
    model = nestrec.NestedEmbeddings.from_arrays(
        [[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [2.0, 1.0], [0.0, 2.0]], [1, 2], users=["ann", "bob"], items=[1, 2, 3]
    )
    expected = nestrec.evaluate(model, nestrec.read_interactions(columns), cutoffs=[1, 2]).as_dict()
    rows = list(zip(columns["user"], columns["item"], strict=True))
    for source in (columns, rows, pd.DataFrame(columns), pl.DataFrame(columns), pa.table(columns)):
        assert nestrec.evaluate(model, source, cutoffs=[1, 2]).as_dict() == expected
