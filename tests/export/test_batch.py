"""All users' recommendations in one file: the same as asked together, complete or resumable, never of two requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from nestrec.data.interactions import Interactions
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError
from nestrec.export.batch import COLUMNS, BatchRequest, _users_per_part, parts_folder, recommend_all
from nestrec.export.parts import Parts
from tests.retrieval.worlds import falling_spectrum


@pytest.fixture(scope="module")
def model() -> NestedEmbeddings:
    vectors = falling_spectrum(103, 60, 8)
    names = [f"u{number:03d}" for number in range(103)]
    return NestedEmbeddings.from_arrays(vectors.queries, vectors.items, (2, 8), users=names)


class StopError(Exception):
    """What an interruption is here."""


def stop_after(n_users: int) -> Any:
    def progress(done: int, total: int) -> None:
        assert total == 103
        if done >= n_users:
            raise StopError

    return progress


def rows_of(path: Path) -> list[tuple[Any, ...]]:
    return duckdb.execute(f"SELECT {', '.join(COLUMNS)} FROM read_parquet('{path}')").fetchall()


def expected(model: NestedEmbeddings, k: int) -> list[tuple[Any, ...]]:
    columns = model.recommend(model.users.ids, k=k).columns()
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_parts_join_to_what_is_found_at_once_in_order(model: NestedEmbeddings, tmp_path: Path) -> None:
    path = tmp_path / "answers.parquet"
    done = recommend_all(model, path, BatchRequest(4), rows_per_part=40)
    assert rows_of(path) == expected(model, 4)
    assert (done.n_users, done.n_resumed, done.n_rows) == (103, 0, 412)
    assert done.users_per_second > 0
    assert done.search_seconds < done.seconds
    assert [entry.name for entry in tmp_path.iterdir()] == ["answers.parquet"]


def test_an_interrupted_run_continues_with_what_it_has(model: NestedEmbeddings, tmp_path: Path) -> None:
    path = tmp_path / "answers.parquet"
    with pytest.raises(StopError):
        recommend_all(model, path, BatchRequest(4), rows_per_part=40, progress=stop_after(50))
    assert not path.exists()
    parts = sorted(part.name for part in parts_folder(path).glob("*.parquet"))
    assert len(parts) == 5
    done = recommend_all(model, path, BatchRequest(4), rows_per_part=40, resume=True)
    assert done.n_resumed == 50
    assert rows_of(path) == expected(model, 4)
    assert not parts_folder(path).exists()


def test_without_resume_it_begins_anew(model: NestedEmbeddings, tmp_path: Path) -> None:
    path = tmp_path / "answers.parquet"
    with pytest.raises(StopError):
        recommend_all(model, path, BatchRequest(7), rows_per_part=70, progress=stop_after(50))
    done = recommend_all(model, path, BatchRequest(4), rows_per_part=40)
    assert done.n_resumed == 0
    assert rows_of(path) == expected(model, 4)


@pytest.mark.parametrize(
    "other",
    [BatchRequest(5), BatchRequest(4, width=2), BatchRequest(4, deny=[3]), BatchRequest(4, exclude_seen=False)],
)
def test_parts_of_another_request_are_not_resumed(model: NestedEmbeddings, tmp_path: Path, other: BatchRequest) -> None:
    path = tmp_path / "answers.parquet"
    with pytest.raises(StopError):
        recommend_all(model, path, BatchRequest(4), rows_per_part=40, progress=stop_after(50))
    with pytest.raises(OptionError, match="same request and model"):
        recommend_all(model, path, other, rows_per_part=40, resume=True)


def test_parts_of_another_model_are_not_gone_on_from(model: NestedEmbeddings, tmp_path: Path) -> None:
    path = tmp_path / "answers.parquet"
    with pytest.raises(StopError):
        recommend_all(model, path, BatchRequest(4), rows_per_part=40, progress=stop_after(50))
    other = NestedEmbeddings.from_arrays(
        -model.user_embeddings, model.item_embeddings, (2, 8), users=model.users.ids.tolist()
    )
    with pytest.raises(OptionError, match="same request and model"):
        recommend_all(other, path, BatchRequest(4), rows_per_part=40, resume=True)


def test_parts_of_another_width_of_a_saved_model_are_not_gone_on_from(model: NestedEmbeddings, tmp_path: Path) -> None:
    """The narrower model of a loaded one has its files and so passed for it."""
    path = tmp_path / "answers.parquet"
    model.save(tmp_path / "model")
    loaded = NestedEmbeddings.load(tmp_path / "model")
    with pytest.raises(StopError):
        recommend_all(loaded, path, BatchRequest(4), rows_per_part=40, progress=stop_after(50))
    with pytest.raises(OptionError, match="same request and model"):
        recommend_all(loaded.at(2), path, BatchRequest(4), rows_per_part=40, resume=True)


def test_a_request_that_cannot_be_read_is_not_resumed(model: NestedEmbeddings, tmp_path: Path) -> None:
    """One that was cut off while it was written raised a JSONDecodeError."""
    path = tmp_path / "answers.parquet"
    parts_folder(path).mkdir()
    (parts_folder(path) / "request.json").write_text('{"requ')
    with pytest.raises(OptionError, match="without resume"):
        recommend_all(model, path, BatchRequest(4), resume=True)
    recommend_all(model, path, BatchRequest(4))
    assert [entry.name for entry in tmp_path.iterdir()] == ["answers.parquet"]


def test_a_block_in_which_nobody_has_an_item_left_joins_the_others(model: NestedEmbeddings, tmp_path: Path) -> None:
    """Its column of text ids had no type, and at the end the parts could not be joined."""
    first = np.repeat([60, 0], [50, 53])  # how many items the users have seen: all or none
    everything = np.tile(np.arange(60, dtype=np.int32), 50)
    seen = Interactions(model.users, model.items, np.concatenate([[0], np.cumsum(first)]).astype(np.int64), everything)
    vectors = model.user_embeddings, model.item_embeddings
    own = NestedEmbeddings(*vectors, model.widths, model.users, model.items, seen)
    path = tmp_path / "answers.parquet"
    done = recommend_all(own, path, BatchRequest(4), rows_per_part=40)
    assert (done.n_rows, done.n_unanswered) == (53 * 4, 50)
    assert rows_of(path) == expected(own, 4)


@pytest.mark.parametrize("n_users", [1, 8, 9, 103, 1_000])
def test_parts_are_about_equal(n_users: int) -> None:
    """A last part of a few users would be answered by another plan than the rest."""
    size = _users_per_part(n_users, 10)
    n_parts = -(-n_users // size)
    assert n_parts == -(-n_users // 10)
    assert n_users - (n_parts - 1) * size > size - n_parts


def test_killed_after_the_file_got_its_name_a_resumed_run_only_tidies_up(
    model: NestedEmbeddings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "answers.parquet"

    def killed(*_: object) -> None:
        raise StopError

    with monkeypatch.context() as patch:
        patch.setattr(Parts, "_remove", lambda self: None if not path.exists() else killed())
        with pytest.raises(StopError):
            recommend_all(model, path, BatchRequest(4), rows_per_part=40)
    assert parts_folder(path).exists()
    done = recommend_all(model, path, BatchRequest(4), rows_per_part=40, resume=True)
    assert (done.n_resumed, done.n_rows) == (103, 412)
    assert [entry.name for entry in tmp_path.iterdir()] == ["answers.parquet"]
    assert rows_of(path) == expected(model, 4)


def test_two_runs_never_share_parts(model: NestedEmbeddings, tmp_path: Path) -> None:
    path = tmp_path / "answers.parquet"
    with Parts(path, {}, overwrite=False), pytest.raises(OptionError, match="another run is writing"):
        recommend_all(model, path, BatchRequest(4))
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_folder_is_left_alone(model: NestedEmbeddings, tmp_path: Path) -> None:
    path = tmp_path / "answers.parquet"
    parts_folder(path).mkdir()
    (parts_folder(path) / "mine.txt").write_text("mine")
    with pytest.raises(OptionError, match="nothing but parts"):
        recommend_all(model, path, BatchRequest(4))
    assert (parts_folder(path) / "mine.txt").exists()


def test_items_bound_what_is_written_and_users_without_any_are_counted(model: NestedEmbeddings, tmp_path: Path) -> None:
    path = tmp_path / "answers.parquet"
    done = recommend_all(model, path, BatchRequest(4, allow=[1, 2, 99], unknown="skip"), rows_per_part=100)
    assert {row[1] for row in rows_of(path)} == {1, 2}
    assert done.skipped_items.tolist() == [99]
    with pytest.raises(OptionError, match="already exists; replace it with overwrite=True"):
        recommend_all(model, path, BatchRequest(4, allow=[]), rows_per_part=100)
    done = recommend_all(model, path, BatchRequest(4, allow=[]), rows_per_part=100, overwrite=True)
    assert done.n_unanswered == 103
    assert [entry.name for entry in tmp_path.iterdir()] == ["answers.parquet"]
    assert rows_of(path) == []


def test_what_is_held_at_once_does_not_grow_with_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = falling_spectrum(900, 40, 4)
    model = NestedEmbeddings.from_arrays(vectors.queries, vectors.items, (4,))
    asked: list[int] = []
    real = NestedEmbeddings.recommend

    def listening(self: NestedEmbeddings, ids: Any, *arguments: Any, **options: Any) -> Any:
        asked.append(len(np.asarray(ids)))
        return real(self, ids, *arguments, **options)

    monkeypatch.setattr(NestedEmbeddings, "recommend", listening)
    recommend_all(model, tmp_path / "answers.parquet", BatchRequest(10), rows_per_part=1_000)
    assert asked == [100] * 9
