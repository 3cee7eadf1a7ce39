"""The Parquet file of metrics per user."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest

from nestrec.data.ids import TEXT
from nestrec.errors import OptionError
from nestrec.evaluation.per_user import Table, write_per_user

LABELS = ("recall@10", "ndcg@10")
TABLES: dict[int, Table] = {
    4: (LABELS, np.array([[0.5, 0.25], [1.0, 0.0]], dtype=np.float32)),
    8: (LABELS, np.array([[0.25, 0.125], [0.5, 0.0]], dtype=np.float32)),
}


def test_a_row_for_each_width_and_user_with_ids_as_given(tmp_path: Path) -> None:
    path = tmp_path / "it's users.parquet"
    write_per_user(path, np.array([7, 2**60 + 1]), TABLES)
    relation = duckdb.from_parquet(str(path))
    assert relation.columns == ["user_id", "width", "recall@10", "ndcg@10"]
    assert relation.fetchall() == [
        (7, 4, 0.5, 0.25),
        (2**60 + 1, 4, 1.0, 0.0),
        (7, 8, 0.25, 0.125),
        (2**60 + 1, 8, 0.5, 0.0),
    ]
    assert list(tmp_path.iterdir()) == [path]


def test_text_ids_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "users.parquet"
    write_per_user(path, np.array(["007", "zoë"], dtype=TEXT), TABLES)
    assert [row[0] for row in duckdb.from_parquet(str(path)).fetchall()] == ["007", "zoë", "007", "zoë"]


def test_an_older_file_is_replaced_only_with_overwrite(tmp_path: Path) -> None:
    path = tmp_path / "users.parquet"
    path.write_text("old")
    with pytest.raises(OptionError, match="already exists"):
        write_per_user(path, np.array([1, 2]), TABLES)
    assert path.read_text() == "old"
    write_per_user(path, np.array([1, 2]), TABLES, overwrite=True)
    assert len(duckdb.from_parquet(str(path)).fetchall()) == 4


def test_a_path_that_cannot_be_written_is_reported_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match=r"users\.parquet cannot be written \(.*\); name another place"):
        write_per_user(tmp_path / "file" / "users.parquet", np.array([1, 2]), TABLES)
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OptionError, match="is a folder"):
        write_per_user(folder, np.array([1, 2]), TABLES, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
