"""`nestrec similar`: neighbours of items and of users."""

from __future__ import annotations

from pathlib import Path

import pytest

from nestrec.embeddings import NestedEmbeddings
from tests.cli.conftest import Run
from tests.cli.test_recommend import rows_of


@pytest.mark.parametrize("noun", ["item", "user"])
def test_it_gives_what_the_library_finds(run: Run, model: Path, noun: str) -> None:
    loaded = NestedEmbeddings.load(model)
    one, other = (loaded.items if noun == "item" else loaded.users).ids[:2].tolist()
    result = run("similar", model, f"--{noun}", one, f"--{noun}", other, "-k", "2", "--width", "4")
    rows = rows_of(result.out)
    find = loaded.similar_items if noun == "item" else loaded.similar_users
    assert rows[0] == [f"{noun}_id", f"similar_{noun}_id", "rank", "cosine"]
    assert [row[1] for row in rows[1:]] == find([one, other], 2, 4).ids.ravel().tolist()


def test_it_writes_a_file_too(run: Run, model: Path, tmp_path: Path) -> None:
    item = NestedEmbeddings.load(model).items.ids[0]
    assert run("similar", model, "--item", item, "-k", "2", "--out", tmp_path / "s.tsv").code == 0
    assert (tmp_path / "s.tsv").read_text().startswith("item_id\tsimilar_item_id\trank\tcosine\n")


@pytest.mark.parametrize("words", [[], ["--item", "a", "--user", "b"]])
def test_one_kind_must_be_named(run: Run, model: Path, words: list[str]) -> None:
    result = run("similar", model, *words)
    assert result.code == 2
    assert "either --item ID or --user ID" in result.err


def test_unknown_ids_are_an_error_or_skipped(run: Run, model: Path) -> None:
    assert run("similar", model, "--item", "jam").code == 1
    skipped = run("similar", model, "--item", "jam", "--skip-unknown")
    assert (skipped.code, skipped.err) == (0, "Skipped 1 item unknown to the model: 'jam'\n")


def test_an_output_denies_what_was_shown_before(run: Run, model: Path, tmp_path: Path) -> None:
    """Its column of queries was read as the items to deny, which are left out anyway."""
    one, other = NestedEmbeddings.load(model).items.ids[:2].tolist()
    words = ("similar", model, "--item", one, "--item", other, "-k")
    for name in ("shown.csv", "shown.tsv", "shown.jsonl", "shown.parquet"):
        assert run(*words, "2", "--out", tmp_path / name).code == 0
        result = run(*words, "2", "--deny", tmp_path / name)
        four = rows_of(run(*words, "4").out)
        assert [row[:2] for row in rows_of(result.out)] == [row[:2] for row in four[:1] + four[3:5] + four[7:9]]
    refused = run("recommend", model, "--user", "u001", "--deny", tmp_path / "shown.csv")
    assert (refused.code, refused.out) == (1, "")
    assert "two columns of items, item_id and similar_item_id" in refused.err
