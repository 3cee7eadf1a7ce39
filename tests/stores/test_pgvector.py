"""pgvector: tables, types, indexes, the functions of the schema, and what a database says no to."""

from __future__ import annotations

import datetime as dt
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError, OutputError, StoreError
from nestrec.stores import ExportRequest, export, open_store, pgvector_store, verify
from tests.stores.engines import change, model_of, with_seen, with_titles
from tests.stores.postgres import database_of, query

pytestmark = pytest.mark.usefixtures("postgres")
pytest.importorskip("psycopg")
BOTH = ExportRequest(sides=("items", "users"), widths=(2, 8))


@pytest.fixture
def address(tmp_path: Path, postgres: None) -> str:
    return database_of(tmp_path)


def vector_text(vector: Any) -> str:
    return str(vector.tolist())


def test_the_functions_find_what_search_finds(address: str) -> None:
    model = with_titles(model_of([*(f"i{n}" for n in range(50)), "öl", "a'b"]))
    with open_store(address, "pgvector") as store:
        export(model, store, BOTH)
        point = store.metadata.operating_points[-1]
        arguments: Any = {"widths": point.widths, "shortlist": point.shortlist}
        own = [model.items.ids_at(model.seen.indices[slice(*model.seen.indptr[row : row + 2])]) for row in range(5)]
        lists = [ids.tolist() for ids in own]
        expected = store.search(model.user_embeddings[:5], 10, **arguments, exclude=lists)
        everything = store.search(model.user_embeddings[:1], 10, **arguments)
    titles = {row[0]: row[1] for row in query(address, "SELECT id, title FROM nestrec.items")}
    for row in range(5):
        found = query(address, "SELECT id, title, score FROM nestrec.recommend(%s)", [model.users.ids[row]])
        assert [one[0] for one in found] == expected.ids[row].tolist()
        assert [one[1] for one in found] == [titles[one[0]] for one in found]
        np.testing.assert_allclose([one[2] for one in found], expected.scores[row], rtol=1e-6)
        vector = vector_text(model.user_embeddings[row])
        sql = "SELECT id FROM nestrec.search(%s, k => 3, excluded => %s::text[])"
        assert [one[0] for one in query(address, sql, [vector, lists[row]])] == expected.ids[row, :3].tolist()
    vector = vector_text(model.user_embeddings[0])
    assert [one[0] for one in query(address, "SELECT id FROM nestrec.search(%s)", [vector])] == everything.ids[
        0
    ].tolist()
    nothing_seen = query(address, "SELECT id FROM nestrec.search(%s, excluded => NULL)", [vector])
    assert [one[0] for one in nothing_seen] == everything.ids[0].tolist()
    assert query(address, "SELECT * FROM nestrec.recommend('nobody')") == []


def test_rows_added_to_seen_are_left_out_at_once(address: str) -> None:
    model = model_of(40)
    with open_store(address, "pgvector") as store:
        export(model, store, BOTH)
    first, second = (row[0] for row in query(address, "SELECT id FROM nestrec.recommend('u0', 2)"))
    query(address, "INSERT INTO nestrec.seen VALUES ('u0', %s)", [first])
    assert query(address, "SELECT id FROM nestrec.recommend('u0', 1)") == [(second,)]


def test_seen_items_follow_the_model(address: str) -> None:
    model = model_of(40)
    later = with_seen(model, np.random.default_rng(9))
    with open_store(address, "pgvector") as store:
        for one in (model, later):
            export(one, store, BOTH)
            stored = query(address, "SELECT user_id, item_id FROM nestrec.seen")
            users = np.repeat(one.users.ids, np.diff(one.seen.indptr)).tolist()
            assert sorted(stored) == sorted(zip(users, one.seen.indices.tolist(), strict=True))
        none = NestedEmbeddings.from_arrays(model.user_embeddings[:1], model.item_embeddings, [2, 4, 8], users=["u0"])
        export(none, store, BOTH)
    assert query(address, "SELECT * FROM nestrec.seen") == []
    assert query(address, "SELECT count(*) FROM nestrec.users") == [(1,)]


def test_columns_have_types_of_their_own(address: str) -> None:
    day, now = dt.date(2026, 1, 31), dt.datetime(2026, 1, 31, 12, 30)  # noqa: DTZ001 - a timestamp without a zone
    table = {
        "id": [0, 1],
        "title": ["Tea", None],
        "price": [Decimal("2.50"), None],
        "stock": [2**40, None],
        "ratio": [0.25, None],
        "sold": [True, None],
        "day": [day, None],
        "at": [now, None],
        "tags": [["a", "b,c"], []],
        "Mixed %s": ["x", "y"],
        "shape": [{"w": 1}, None],
    }
    model = model_of(2).with_item_table(table)
    with open_store(address, "pgvector") as store:
        export(model, store, BOTH)
        assert not export(model, store, BOTH).changed
    sql = (
        "SELECT column_name, udt_name FROM information_schema.columns "
        "WHERE table_schema = 'nestrec' AND table_name = 'items'"
    )
    kinds = {str(name): str(kind) for name, kind in query(address, sql)}
    assert {name: kinds[name] for name in ("id", "price", "stock", "ratio", "sold", "day", "at", "tags", "shape")} == {
        "id": "int8", "price": "numeric", "stock": "int8", "ratio": "float8", "sold": "bool", "day": "date",
        "at": "timestamp", "tags": "_text", "shape": "jsonb",
    }  # fmt: skip
    rows = query(
        address, 'SELECT title, price, stock, ratio, sold, day, at, tags, "Mixed %s" FROM nestrec.items ORDER BY id'
    )
    assert rows[0] == ("Tea", Decimal("2.50"), 2**40, 0.25, True, day, now, ["a", "b,c"], "x")
    assert rows[1][:7] == (None,) * 7


def test_a_changed_row_is_updated_in_place(address: str) -> None:
    """Tables of others may refer to items; a row that changes is not deleted on the way."""
    model = model_of(30)
    with open_store(address, "pgvector") as store:
        export(model, store, BOTH)
        query(address, "CREATE TABLE public.sales (item int8 REFERENCES nestrec.items)")
        query(address, "INSERT INTO public.sales VALUES (0)")
        export(change(model), store, BOTH)
        vector = query(address, "SELECT vector::text FROM nestrec.items WHERE id = 0")[0][0]
        np.testing.assert_allclose(np.fromstring(vector.strip("[]"), sep=","), model.item_embeddings[0] + 1, rtol=1e-6)
        with pytest.raises(StoreError, match="depend"):
            export(model, store, ExportRequest(widths=(4, 8), overwrite=True))
    assert query(address, "SELECT count(*) FROM nestrec.items") == [(31,)]


@pytest.mark.parametrize("index_type", ["vector", "halfvec"])
def test_an_index_is_searched_and_goes_on_past_excluded_items(address: str, index_type: str) -> None:
    model = with_seen(model_of(4000, n_users=30), np.random.default_rng(0), share=0.3)
    with open_store(address, "pgvector", index_type=index_type) as store:
        export(model, store, ExportRequest(sides=("items", "users"), widths=(4, 8)))
        report = verify(model, store, n_users=30)
        assert (report.different, report.n_stale) == ((), 0)
        assert report.recall > 0.95
        by_prefix = np.argsort(-(model.item_embeddings[:, :4] @ model.user_embeddings[0, :4]))
        best = model.items.ids_at(by_prefix[:1500].astype(np.int32)).tolist()
        found = store.search(model.user_embeddings[:1], 10, widths=(4, 8), shortlist=50, exclude=[best])
        assert int((found.scores > -np.inf).sum()) == 10
    before = count_index_scans(address, 0)
    assert len(query(address, "SELECT * FROM nestrec.recommend('u0', 10, 50)")) == 10
    assert count_index_scans(address, before) > before > 0


def count_index_scans(address: str, more_than: int) -> int:
    """Return how often the index of the prefix was scanned, which the server counts after a moment."""
    for _ in range(50):
        sql = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname LIKE 'items%%vec%%_4'"
        count: int = query(address, sql)[0][0]
        if count > more_than:
            break
        time.sleep(0.1)
    return count


def test_another_type_of_index_replaces_the_first(address: str) -> None:
    model = model_of(40)
    for index_type, one in (("vector", model), ("halfvec", change(model))):
        with open_store(address, "pgvector", index_type=index_type) as store:
            export(one, store, BOTH)
            assert store.search(one.user_embeddings[:1], 3).ids.shape == (1, 3)
        found = query(address, "SELECT indexname FROM pg_indexes WHERE indexdef LIKE '%%hnsw%%'")
        assert found == [(f"items_{index_type}_2",)]
        assert len(query(address, "SELECT * FROM nestrec.recommend('u0', 5)")) == 5


def test_a_schema_of_somebody_else_is_refused(address: str) -> None:
    query(address, "CREATE TABLE public.mine (id int)")
    with (
        open_store(address, "pgvector", schema="public") as store,
        pytest.raises(OutputError, match="schema public"),
    ):
        export(model_of(5), store, ExportRequest(overwrite=True))
    assert query(address, "SELECT count(*) FROM public.mine") == [(0,)]


def test_two_schemas_are_two_stores(address: str) -> None:
    for schema, n_items in (("one", 5), ("Two", 7)):
        with open_store(address, "pgvector", schema=schema) as store:
            export(model_of(n_items), store, BOTH)
    assert query(address, 'SELECT (SELECT count(*) FROM one.items), (SELECT count(*) FROM "Two".items)') == [(5, 7)]
    assert len(query(address, """SELECT * FROM "Two".recommend('u0', 3)""")) == 3


def test_an_ordinary_role_is_enough_where_the_extension_is_there(address: str) -> None:
    query(address, "CREATE EXTENSION vector")
    query(address, "DROP ROLE IF EXISTS clerk")
    query(address, "CREATE ROLE clerk LOGIN")
    query(address, "CREATE SCHEMA shop AUTHORIZATION clerk")
    try:
        with open_store(f"{address}&user=clerk", "pgvector", schema="shop") as store:
            export(model_of(20), store, BOTH)
            assert not export(model_of(20), store, BOTH).changed
        assert len(query(f"{address}&user=clerk", "SELECT * FROM shop.recommend('u0', 3)")) == 3
    finally:
        query(address, "DROP SCHEMA shop CASCADE")
        query(address, "DROP ROLE clerk")


def test_one_export_at_a_time(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pgvector_store, "_LOCK_SECONDS", 1)
    model = model_of(10)
    with open_store(address, "pgvector") as one, open_store(address, "pgvector") as other:
        with one.locked(), pytest.raises(OutputError, match="another export"):
            export(model, other, BOTH)
        assert export(model, other, BOTH).changed


def test_mistakes_are_errors_that_hide_the_password(address: str) -> None:
    with pytest.raises(OptionError, match="postgresql://") as refused:
        open_store("a folder", "pgvector")
    assert refused.value.option is None
    with open_store("postgresql://ann:secret@127.0.0.1:9/shop", "pgvector") as store:
        assert store.place == "postgresql://ann:***@127.0.0.1:9/shop"
        with pytest.raises(StoreError, match="check address") as error:
            store.search([[0.0] * 8])
    assert "secret" not in f"{error.value} {store!r}"
    with open_store(address, "pgvector") as store:
        with pytest.raises(OptionError, match="halfvec"):
            export(model_of(5), store, ExportRequest(quantize="int8"))
        with pytest.raises(OptionError, match="63 bytes"):
            export(model_of(2).with_item_table({"id": [0, 1], "é" * 40: [1, 2]}), store, BOTH)
        with pytest.raises(StoreError, match="0x00"):
            export(model_of(2).with_item_table({"id": [0, 1], "title": ["a\0b", "c"]}), store, BOTH)
    with pytest.raises(OptionError, match="schema"):
        open_store(address, "pgvector", schema='x"; --')
