"""`nestrec export` to stores and `nestrec query`: what is written, found, verified and refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from nestrec.embeddings import NestedEmbeddings
from nestrec.stores import Answer
from nestrec.stores.duckdb_store import DuckDBStore
from tests.cli.conftest import Run


@pytest.fixture
def shop(run: Run, model: Path, tmp_path: Path) -> Path:
    """A store of Parquet files."""
    out = tmp_path / "shop"
    assert run("export", model, "--to", "duckdb", "--out", out, "--widths", "2,8").code == 0
    return out


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def recommended(model: Path, user: str, **options: Any) -> list[str]:
    found = NestedEmbeddings.load(model).recommend(user, **options)
    return [str(one) for one in found.ids.tolist()]


def test_a_store_is_written_queried_and_kept_up_to_date(run: Run, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "shop"
    words = ("--to", "duckdb", "--side", "both", "--widths", "2,8", "--out", out)
    first = run("export", model, *words)
    assert (first.code, first.out) == (0, "")
    assert "items: 80 new, 0 changed, 0 deleted, 0 unchanged" in first.err
    assert "users: 150 new" in first.err
    assert "widths 2, 8, shortlist" in first.err
    again = run("export", model, *words)
    assert again.code == 0
    assert "Nothing to write" in again.err
    loaded = NestedEmbeddings.load(model)
    ids = loaded.items.ids[3:]
    smaller = NestedEmbeddings.from_arrays(
        loaded.user_embeddings, loaded.item_embeddings[3:], [2, 4, 8], users=loaded.users.ids, items=ids
    )
    smaller.save(tmp_path / "smaller")
    since = run("export", tmp_path / "smaller", *words, "--changed-since", model)
    assert since.code == 0, since.err
    assert "3 deleted" in since.err
    refused = run("export", tmp_path / "smaller", *words[:-4], "--widths", "4,8", "--out", out)
    assert refused.code == 1
    assert "--overwrite" in refused.err
    wrong = run("export", model, *words, "--changed-since", model)
    assert wrong.code == 2
    assert "--changed-since must be the model" in wrong.err


def test_a_store_that_falls_short_exits_with_1_and_names_users(
    run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "shop"
    words = ("export", model, "--to", "duckdb", "--out", out, "--widths", "2,8", "--verify", "20")
    good = run(*words, "--min-recall", "1")
    assert good.code == 0, good.err
    assert "Verified 20 users" in good.err
    find = DuckDBStore.find
    with monkeypatch.context() as patched:
        patched.setattr(DuckDBStore, "find", lambda self, query: halve(find(self, query), query.exact))
        short = run(*words)
        assert short.code == 1
        assert "must be 0.95 or more, got 0.5000; lowest for 'u0" in short.err
        assert run(*words, "--min-recall", "0.5").code == 0
        patched.setattr(DuckDBStore, "find", lambda self, query: halve(find(self, query), False))
        different = run(*words, "--min-recall", "0")
    assert different.code == 1
    assert "those of 20 of 20 users differ: 'u0" in different.err


def halve(found: Answer, exact: bool) -> Answer:
    """Leave out the second half of a list unless the search was exact."""
    half = len(found.ids) // 2
    return found if exact else Answer(found.ids[:half], found.scores[:half])


def test_quantization_and_a_condition_reach_the_store(run: Run, model: Path, tmp_path: Path) -> None:
    titled = tmp_path / "titled"
    loaded = NestedEmbeddings.load(model)
    ids = loaded.items.ids.tolist()
    table = {"id": ids, "title": [f"T {one}" for one in ids], "year": [1980 + row for row in range(len(ids))]}
    loaded.with_item_table(table).save(titled)
    pytest.importorskip("qdrant_edge")
    out = tmp_path / "edge"
    words = ("--to", "qdrant-edge", "--out", out, "--where", "year < 2000", "--quantize", "int8")
    written = run("export", titled, *words, "--option", "ef=50", "--verify", "5")
    assert written.code == 0, written.err
    assert "items: 20 new" in written.err
    described = json.loads((out / "nestrec-store.json").read_text())
    assert (described["layout"]["quantize"], described["where"], described["n_items"]) == ("int8", "year < 2000", 20)


def test_a_query_is_what_the_store_finds(run: Run, model: Path, shop: Path) -> None:
    found = run("query", shop, "--model", model, "--user", "u001", "-k", "4")
    assert found.code == 0, found.err
    rows = rows_of(found.out)
    assert [row["item_id"] for row in rows] == recommended(model, "u001", k=4)
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4"]
    with_seen = run("query", shop, "--store", "duckdb", "--model", model, "--user", "u001", "-k", "4", "--include-seen")
    assert [row["item_id"] for row in rows_of(with_seen.out)] == recommended(model, "u001", k=4, exclude_seen=False)


def test_a_model_that_the_store_does_not_hold_is_refused(run: Run, model: Path, shop: Path, tmp_path: Path) -> None:
    loaded = NestedEmbeddings.load(model)

    def save(name: str, widths: list[int], flip: float = 1) -> Path:
        users, items = loaded.user_embeddings * flip, loaded.item_embeddings * flip
        other = NestedEmbeddings.from_arrays(users, items, widths, users=loaded.users.ids, items=loaded.items.ids)
        other.save(tmp_path / name)
        return tmp_path / name

    other = save("other", [2, 4, 8], flip=-1)
    words = ("--user", "u001")
    refused = run("query", shop, "--model", other, *words)
    assert (refused.code, refused.out) == (1, "")
    assert "holds other item vectors" in refused.err
    assert "export this one to the store first" in refused.err
    widths = run("query", shop, "--model", save("wide", [4, 8]), *words)
    assert (widths.code, "the store has widths 2, 8, the model 4, 8" in widths.err) == (1, True)
    assert run("export", other, "--to", "duckdb", "--out", shop).code == 0
    assert run("query", shop, "--model", other, *words).code == 0
    assert run("query", shop, "--model", model, *words).code == 1


def test_titles_and_items_left_out_may_differ(run: Run, model: Path, tmp_path: Path) -> None:
    loaded = NestedEmbeddings.load(model)
    ids, out = loaded.items.ids.tolist(), tmp_path / "shop"
    vectors = loaded.item_embeddings.copy()
    vectors[-1] *= 2
    for name, items in (("first", loaded.item_embeddings), ("second", vectors)):
        changed = NestedEmbeddings.from_arrays(
            loaded.user_embeddings, items, [2, 4, 8], users=loaded.users.ids, items=loaded.items.ids
        )
        changed.with_item_table({"id": ids, "year": list(range(len(ids)))}).save(tmp_path / name)
    words = ("--to", "duckdb", "--out", out, "--where", f"year < {len(ids) - 1}")
    assert run("export", tmp_path / "first", *words).code == 0
    titled = tmp_path / "titled"
    NestedEmbeddings.load(tmp_path / "first").with_item_table({"id": ids, "title": ids}).save(titled)
    assert run("query", out, "--model", titled, "--user", "u001", "--titles").code == 0
    assert run("query", out, "--model", tmp_path / "second", "--user", "u001").code == 1
    again = run("export", tmp_path / "second", *words)
    assert (again.code, "Nothing to write" in again.err) == (0, True)
    assert run("query", out, "--model", tmp_path / "second", "--user", "u001").code == 0


def test_another_side_is_named_as_it_was_given(run: Run, model: Path, tmp_path: Path) -> None:
    words = ("export", model, "--to", "duckdb", "--out", tmp_path / "shop", "--widths")
    assert run(*words, "2,8", "--side", "both").code == 0
    refused = run(*words, "4,8")
    assert refused.code == 1
    assert "widths 2, 8, not 4, 8; items and users, not items" in refused.err
    assert "give --side both as before" in refused.err
    assert "--side" not in run(*words, "4,8", "--side", "both").err


def test_widths_shortlist_and_exact_reach_the_store(run: Run, model: Path, tmp_path: Path) -> None:
    pytest.importorskip("qdrant_edge")
    out = tmp_path / "edge"
    assert run("export", model, "--to", "qdrant-edge", "--out", out, "--widths", "2,4,8").code == 0
    words = ("query", out, "--model", model, "--user", "u001", "-k", "3", "--option", "ef=100")
    narrow = run(*words, "--widths", "2", "--exact")
    assert [row["item_id"] for row in rows_of(narrow.out)] == recommended(model, "u001", k=3, width=2)
    short = rows_of(run(*words, "--widths", "2,8", "--shortlist", "3").out)
    assert {row["item_id"] for row in short} == set(recommended(model, "u001", k=3, width=2))
    staged = run(*words, "--widths", "2,4,8", "--shortlist", "80,80")
    assert [row["item_id"] for row in rows_of(staged.out)] == recommended(model, "u001", k=3)


def test_users_of_a_file_are_queried_and_unknown_ones_skipped(
    run: Run, model: Path, shop: Path, tmp_path: Path
) -> None:
    (tmp_path / "users.txt").write_text("u001\nnobody\nu002\n")
    words = ("query", shop, "--model", model, "--users", tmp_path / "users.txt", "--out", tmp_path / "top.csv")
    refused = run(*words)
    assert refused.code == 1
    assert "nobody" in refused.err
    done = run(*words, "--skip-unknown")
    assert done.code == 0, done.err
    assert "Skipped 1 user" in done.err
    rows = rows_of((tmp_path / "top.csv").read_text())
    assert [row["user_id"] for row in rows] == ["u001"] * 10 + ["u002"] * 10
    assert run(*words, "--skip-unknown").code == 1
    assert run(*words, "--skip-unknown", "--overwrite").code == 0


def test_titles_come_with_the_items(run: Run, model: Path, tmp_path: Path) -> None:
    loaded = NestedEmbeddings.load(model)
    ids = loaded.items.ids.tolist()
    loaded.with_item_table({"id": ids, "title": [f"T {one}" for one in ids]}).save(tmp_path / "titled")
    assert run("export", tmp_path / "titled", "--to", "duckdb", "--out", tmp_path / "s").code == 0
    found = run("query", tmp_path / "s", "--model", tmp_path / "titled", "--user", "u001", "--titles")
    assert all(row["title"] == f"T {row['item_id']}" for row in rows_of(found.out))


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("export", "{model}", "--to", "duckdb", "--width", "4"), 2, "--widths"),
        (("export", "{model}", "--to", "duckdb", "--widths", "3,8"), 2, "width 3 was not trained"),
        (("export", "{model}", "--to", "duckdb", "--min-recall", "0.9"), 2, "--verify"),
        (("export", "{model}", "--to", "duckdb", "--verify", "0"), 2, "--verify must be 1 or more"),
        (("export", "{model}", "--to", "duckdb", "--verify", "5", "--min-recall", "2"), 2, "between 0 and 1"),
        (("export", "{model}", "--to", "duckdb", "--quantize", "int8"), 2, "--quantize must be left out"),
        (("export", "{model}", "--to", "duckdb", "--where", "year > 1"), 2, "--where needs an item table"),
        (("export", "{model}", "--to", "duckdb", "--option", "x=1"), 2, "options of duckdb are none"),
        (("export", "{model}", "--to", "npz", "--verify", "5"), 2, "must go with a store"),
        (("export", "{model}", "--to", "npz", "--side", "both"), 2, "must go with a store"),
        (("export", "{model}", "--to", "duckdbb"), 2, "did you mean 'duckdb'?"),
    ],
)
def test_mistakes_are_one_sentence_and_write_nothing(
    run: Run, model: Path, tmp_path: Path, words: tuple[str, ...], code: int, sentence: str
) -> None:
    result = run(*(word.format(model=model) for word in words), "--out", tmp_path / "out")
    assert result.code == code
    assert sentence in result.err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_store_is_refused(run: Run, model: Path, tmp_path: Path) -> None:
    result = run("query", tmp_path, "--model", model, "--user", "u001")
    assert result.code == 2
    assert "--store must be named" in result.err
    absent = run("query", tmp_path / "nshop", "--model", model, "--user", "u001")
    assert (absent.code, "nshop: the folder does not exist" in absent.err) == (2, True)
    assert "--store NAME" in absent.err
    swapped = run("query", model, "--model", model, "--user", "u001")
    assert (swapped.code, "is the folder of a model" in swapped.err) == (2, True)
    named = run("query", model, "--store", "duckdb", "--model", model, "--user", "u001")
    assert (named.code, "is the folder of a model" in named.err) == (1, True)
    missing = run("query", tmp_path / "none", "--store", "duckdb", "--model", model, "--user", "u001")
    assert missing.code == 1
    assert "there is none" in missing.err


def test_a_missing_engine_is_named_with_its_extra(
    run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "qdrant_edge", None)
    result = run("export", model, "--to", "qdrant-edge", "--out", tmp_path / "out")
    assert result.code == 1
    assert 'pip install "nestrec[qdrant-edge]"' in result.err
    assert list(tmp_path.iterdir()) == []
