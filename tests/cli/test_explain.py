"""`nestrec explain`: the contributions that the library finds."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from nestrec.embeddings import NestedEmbeddings
from tests.cli.conftest import Run


def test_it_prints_the_contributions_and_the_sum(run: Run, model: Path) -> None:
    loaded = NestedEmbeddings.load(model)
    item = loaded.items.ids[5]
    found = loaded.explain("u001", item, 4)
    result = run("explain", model, "--user", "u001", "--item", item, "--width", "4", "-k", "2")
    assert result.code == 0
    header, *rows = csv.reader(io.StringIO(result.out))
    assert header == ["item_id", "contribution"]
    assert rows == [[name, f"{value:.6g}"] for name, value in list(found)[:2]]
    assert f"score {found.score:.6g} = " in result.err
    assert f"of {len(found.items) - 2} other items" in result.err


def test_on_a_terminal_it_is_a_table(run: Run, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    result = run("explain", model, "--user", "u001", "--item", NestedEmbeddings.load(model).items.ids[0])
    assert "─" in result.out


def test_mistakes_are_reported(run: Run, model: Path) -> None:
    item = NestedEmbeddings.load(model).items.ids[0]
    for words in (
        ("--user", "u001"),
        ("--user", "nobody", "--item", item),
        ("--user", "u001", "--item", item, "--width", "3"),
        ("--user", "u001", "--item", item, "-k", "0"),
    ):
        result = run("explain", model, *words)
        assert result.code == (1 if "nobody" in words else 2)
        assert (result.out, result.err != "") == ("", True)


def test_an_unknown_id_is_not_to_be_skipped(run: Run, model: Path) -> None:
    """The error proposed --skip-unknown, which explain lacks."""
    result = run("explain", model, "--user", "nobody", "--item", NestedEmbeddings.load(model).items.ids[0])
    assert "user id 'nobody' is unknown to the model" in result.err
    assert "skip" not in result.err
    assert result.err.endswith("correct the id\n")
