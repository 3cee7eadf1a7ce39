"""Exporters of every format, those of plug-ins included, write vectors with their ids whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError
from nestrec.export.exporters import list_exporters, make_exporter
from tests.plugin_packages import installed_package

TEXT_IDS = ["jam", "tea", "rye", "öl", "b c"]
Read = Callable[[Path], tuple[list[Any], np.ndarray[Any, Any]]]


def model_of(items: list[Any]) -> NestedEmbeddings:
    rng = np.random.default_rng(0)
    return NestedEmbeddings.from_arrays(
        rng.normal(size=(3, 4)), rng.normal(size=(len(items), 4)), [2, 4], users=[5, -7, 11], items=items
    )


def read_npz(path: Path) -> tuple[list[Any], np.ndarray[Any, Any]]:
    with np.load(path) as arrays:
        return arrays["ids"].tolist(), arrays["vectors"]


def read_parquet(path: Path) -> tuple[list[Any], np.ndarray[Any, Any]]:
    with duckdb.connect() as database:
        rows = database.execute(f"SELECT id, vector FROM read_parquet('{path}')").fetchall()
    return [row[0] for row in rows], np.array([row[1] for row in rows], dtype=np.float32)


def read_word2vec(path: Path) -> tuple[list[Any], np.ndarray[Any, Any]]:
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    rows = [line.split(" ") for line in lines]
    vectors = np.array([row[1:] for row in rows], dtype=np.float32)
    assert header == f"{len(rows)} {vectors.shape[1]}"
    return [row[0] for row in rows], vectors


READERS: dict[str, Read] = {
    "npz": read_npz,
    "parquet": read_parquet,
    "word2vec": read_word2vec,
}


@pytest.fixture(params=READERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_exporter_is_tested() -> None:
    assert set(READERS) == set(list_exporters())


@pytest.mark.parametrize("items", [[30, -2, 7], TEXT_IDS[:4]], ids=["numbers", "text"])
def test_ids_and_the_bits_of_vectors_come_back(name: str, items: list[Any], tmp_path: Path) -> None:
    model = model_of(items)
    make_exporter(name).export(model, tmp_path / "out")
    ids, vectors = READERS[name](tmp_path / "out")
    assert ids == [str(one) if name == "word2vec" else one for one in model.items.ids.tolist()]
    np.testing.assert_array_equal(vectors, model.item_embeddings)


def test_a_narrower_model_is_written_at_its_width(name: str, tmp_path: Path) -> None:
    model = model_of([1, 2, 3])
    make_exporter(name).export(model.at(2), tmp_path / "out")
    np.testing.assert_array_equal(READERS[name](tmp_path / "out")[1], model.item_embeddings[:, :2])


def test_users_are_written_where_the_format_has_them(name: str, tmp_path: Path) -> None:
    model = model_of([1, 2, 3])
    make_exporter(name).export(model, tmp_path / "out", side="users")
    ids, vectors = READERS[name](tmp_path / "out")
    assert [int(one) for one in ids] == [-7, 5, 11]
    np.testing.assert_array_equal(vectors, model.user_embeddings)


def test_a_target_that_exists_is_replaced_only_with_overwrite(name: str, tmp_path: Path) -> None:
    first, second = model_of([1, 2, 3]), model_of([1, 2, 3, 4])
    make_exporter(name).export(first, tmp_path / "out")
    with pytest.raises(OptionError, match="overwrite"):
        make_exporter(name).export(second, tmp_path / "out")
    assert len(READERS[name](tmp_path / "out")[0]) == 3
    make_exporter(name).export(second, tmp_path / "out", overwrite=True)
    assert len(READERS[name](tmp_path / "out")[0]) == 4


def test_a_foreign_target_of_another_kind_is_refused(name: str, tmp_path: Path) -> None:
    """A folder in place of a file."""
    target = tmp_path / "out"
    target.mkdir()
    (target / "mine.txt").write_text("mine")
    with pytest.raises(OptionError):
        make_exporter(name).export(model_of([1, 2]), target, overwrite=True)
    assert (target / "mine.txt").read_text() == "mine"


def test_ids_that_a_format_cannot_hold_leave_no_file(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"white space.*'b c'"):
        make_exporter("word2vec").export(model_of(TEXT_IDS), tmp_path / "out")
    with pytest.raises(OptionError, match="NUL"):
        make_exporter("npz").export(model_of(["a\0", "b"]), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_numpy_reads_the_archive_without_pickle(tmp_path: Path) -> None:
    make_exporter("npz").export(model_of(TEXT_IDS), tmp_path / "out")
    assert np.load(tmp_path / "out", allow_pickle=False)["ids"].dtype.kind == "U"


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("nps", {}, "must be one of npz, parquet, word2vec; got 'nps'"),
        ("npz", {"kind": "flat"}, "options of npz are none; got 'kind'"),
    ],
)
def test_unknown_names_and_options_are_refused(name: str, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        make_exporter(name, **options)


PLUGIN = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Counting:
    greeting: str = "hello"

    def export(self, model, path, *, side="items", overwrite=False):
        path.write_text(f"{self.greeting} {model.n_items}")
"""


def test_a_plugin_is_an_exporter_like_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {"nestrec.exporters:counting": "Counting"}
    with installed_package(tmp_path, monkeypatch, "counting_exporter", PLUGIN, entries):
        assert list(list_exporters())[-1] == "counting"
        make_exporter("counting", greeting="hi").export(model_of([1, 2, 3]), tmp_path / "out")
    assert (tmp_path / "out").read_text() == "hi 3"
