"""Exporters of every format, those of plug-ins included, write vectors with their ids whole or not at all."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.parquet as parquet
import pytest
from pyarrow import feather
from safetensors import safe_open
from safetensors.numpy import load_file

from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError
from nestrec.export.exporters import list_exporters, make_exporter
from nestrec.export.item_columns import keep_items
from tests.plugin_packages import installed_package
from tests.stores.feeds.readers import READERS as FEED_READERS

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


def read_feather(path: Path) -> tuple[list[Any], np.ndarray[Any, Any]]:
    table = feather.read_table(path)
    return table["id"].to_pylist(), np.array(table["vector"].to_pylist(), dtype=np.float32)


def read_csv(path: Path) -> tuple[list[Any], np.ndarray[Any, Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    assert lines[0][:2] == ["id", "d1"]
    ids = [line[0] for line in lines[1:]]
    is_text = path.read_text(encoding="utf-8").splitlines()[1].startswith('"')
    return ids if is_text else list(map(int, ids)), np.array([line[1:] for line in lines[1:]], dtype=np.float32)


def read_safetensors(path: Path) -> tuple[list[Any], np.ndarray[Any, Any]]:
    arrays = load_file(path)
    return arrays["ids"].tolist() if "ids" in arrays else texts_of("ids", arrays), arrays["vectors"]


def texts_of(name: str, arrays: dict[str, Any]) -> list[str]:
    text, offsets = arrays[f"{name}.bytes"].tobytes(), arrays[f"{name}.offsets"].tolist()
    return [text[start:end].decode() for start, end in pairwise(offsets)]


READERS: dict[str, Read] = {
    "npz": read_npz,
    "parquet": read_parquet,
    "feather": read_feather,
    "csv": read_csv,
    "safetensors": read_safetensors,
    "word2vec": read_word2vec,
    **FEED_READERS,
}
TEXT_IDS_ALONE = ("word2vec", "redis", "weaviate")


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
    assert ids == [str(one) if name in TEXT_IDS_ALONE else one for one in model.items.ids.tolist()]
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
        ("nps", {}, "must be one of npz, parquet, feather, csv, safetensors, word2vec, .*; got 'nps'"),
        ("npz", {"kind": "flat"}, "options of npz are none; got 'kind'"),
    ],
)
def test_unknown_names_and_options_are_refused(name: str, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        make_exporter(name, **options)


def titled(items: list[Any]) -> NestedEmbeddings:
    """The last item has no row in the item table."""
    model = model_of(items)
    ids = model.items.ids.tolist()[:-1]
    table = {"key": ids, "title": [f"Tïtle {one}" for one in ids], "genres": ["a|b"] * len(ids), "ID": list(ids)}
    return model.with_item_table(table, id_column="key", title_column="title")


def test_tables_have_titles_and_columns(tmp_path: Path) -> None:
    model = titled([30, -2, 7])
    for name in ("parquet", "feather", "csv"):
        make_exporter(name).export(model, tmp_path / name)
    expected = {"id": [-2, 7, 30], "title": ["Tïtle -2", "Tïtle 7", None], "item_ID": [-2, 7, None]}
    expected |= {"genres": [["a", "b"], ["a", "b"], None]}
    for table in (parquet.read_table(tmp_path / "parquet"), feather.read_table(tmp_path / "feather")):
        assert {name: table[name].to_pylist() for name in expected} == expected
        assert table["vector"].type.list_size == 4
    lines = list(csv.DictReader((tmp_path / "csv").read_text(encoding="utf-8").splitlines()))
    assert [line["title"] for line in lines] == ["Tïtle -2", "Tïtle 7", ""]
    assert lines[0]["genres"] == "[a, b]"
    assert list(lines[0])[:5] == ["id", "title", "genres", "item_ID", "d1"]


def test_arrays_have_titles(tmp_path: Path) -> None:
    model = titled(TEXT_IDS)
    titles = [f"Tïtle {one}" for one in model.items.ids.tolist()[:-1]] + [""]
    make_exporter("npz").export(model, tmp_path / "npz")
    with np.load(tmp_path / "npz") as arrays:
        assert arrays["titles"].tolist() == titles
    make_exporter("safetensors").export(model, tmp_path / "safetensors")
    assert texts_of("titles", load_file(tmp_path / "safetensors")) == titles


def test_safetensors_may_be_quantized(tmp_path: Path) -> None:
    model = model_of(TEXT_IDS)
    make_exporter("safetensors", quantize="int8").export(model, tmp_path / "int8")
    arrays = load_file(tmp_path / "int8")
    assert arrays["vectors"].dtype == np.int8
    decoded = arrays["vectors"] * arrays["scales"][:, np.newaxis]
    assert np.abs(decoded - model.item_embeddings).max() <= arrays["scales"].max() / 2 * 1.001
    make_exporter("safetensors", quantize="bf16").export(model, tmp_path / "bf16")
    with safe_open(tmp_path / "bf16", framework="np") as file:
        assert file.get_slice("vectors").get_dtype() == "BF16"
        assert file.metadata() == {"widths": "2,4", "side": "items"}
        assert file.get_tensor("ids.offsets").tolist()[0] == 0
    size = int.from_bytes((tmp_path / "bf16").read_bytes()[:8], "little")
    header = json.loads((tmp_path / "bf16").read_bytes()[8 : 8 + size])
    start, end = header["vectors"]["data_offsets"]
    bits = np.frombuffer((tmp_path / "bf16").read_bytes()[8 + size + start : 8 + size + end], dtype=np.uint16)
    values = (bits.astype(np.uint32) << 16).view(np.float32).reshape(model.item_embeddings.shape)
    np.testing.assert_allclose(values, model.item_embeddings, rtol=2**-8)


def test_csv_takes_a_delimiter(tmp_path: Path) -> None:
    make_exporter("csv", delimiter=";").export(model_of([1, 2]), tmp_path / "out")
    assert (tmp_path / "out").read_text().splitlines()[0] == "id;d1;d2;d3;d4"


def test_items_that_meet_a_condition_are_kept() -> None:
    model = titled([1, 2, 3, 4])
    kept = keep_items(model, "title != 'Tïtle 2'")
    assert kept.items.ids.tolist() == [1, 3]
    np.testing.assert_array_equal(kept.item_embeddings, model.item_embeddings[[0, 2]])
    assert kept.item_table is not None
    assert kept.item_table.titles([1, 3]).tolist() == ["Tïtle 1", "Tïtle 3"]
    with pytest.raises(OptionError, match="item table"):
        keep_items(model_of([1]), "title != ''")


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
