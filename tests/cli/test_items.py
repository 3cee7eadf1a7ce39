"""`nestrec items`, and what other commands do with an item table: titles, conditions, lists of single users."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.cells import cell_len

from nestrec.cli.console import cut_text
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import DataWarning
from nestrec.item_table.item_table import ItemTable
from tests.cli.conftest import SMALL, Run
from tests.cli.test_recommend import rows_of

TITLES = ("Plain", 'With, comma and "quotes"', "Überlänge ∞ 寿司", "None", "", "-1", "# a\ttab", " blank ")


def title_of(place: int) -> str:
    return TITLES[place] if place < len(TITLES) else f"Item {place} ({1980 + place % 40})"


@pytest.fixture(scope="module")
def table(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Titles, prices and genres of the model's items, and of one that it does not know."""
    items = NestedEmbeddings.load(model).items.ids.tolist()
    path = tmp_path_factory.mktemp("items") / "items.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(("item_id", "title", "price", "genres"))
        for place, item in enumerate([*items, "unknown"]):
            writer.writerow((item, title_of(place), place, "a|b" if place % 2 else "a|c"))
    return path


@pytest.fixture(scope="module")
def described(model: Path, table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model with an item table."""
    out = tmp_path_factory.mktemp("described") / "model"
    NestedEmbeddings.load(model).with_item_table(table).save(out)
    return out


def table_of(model: Path) -> ItemTable:
    found = NestedEmbeddings.load(model).item_table
    assert found is not None
    return found


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let standard output be a terminal of 80 columns."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")


def test_it_attaches_replaces_and_removes_a_table(run: Run, model: Path, table: Path, tmp_path: Path) -> None:
    NestedEmbeddings.load(model).save(tmp_path / "m")
    result = run("items", tmp_path / "m", table)
    assert (result.code, result.out) == (0, "")
    n = table_of(tmp_path / "m").description.n_described
    assert f"{n + 1} rows, {n} of {n} items of the model described; columns: ids item_id, titles title" in result.err
    assert "1 row of ids that the model does not know" in result.err
    pl.DataFrame({"item_id": ["i"], "name": ["a"]}).write_parquet(tmp_path / "other.parquet")
    assert run("items", tmp_path / "m", tmp_path / "other.parquet").code == 1
    assert table_of(tmp_path / "m").title_column == "title"  # nothing was changed
    first = NestedEmbeddings.load(model).items.ids[0]
    pl.DataFrame({"item_id": [first], "name": ["a"]}).write_parquet(tmp_path / "other.parquet")
    assert run("items", tmp_path / "m", tmp_path / "other.parquet").code == 0
    assert table_of(tmp_path / "m").title_column == "name"
    assert run("items", tmp_path / "m", "--remove").code == 0
    assert NestedEmbeddings.load(tmp_path / "m").item_table is None


@pytest.mark.parametrize("words", [[], ["--remove", "x.csv"]])
def test_a_file_or_remove_must_be_given(run: Run, model: Path, words: list[str]) -> None:
    result = run("items", model, *words)
    assert result.code == 2
    assert "either FILE, an item table, or --remove" in result.err


def test_columns_and_the_layout_of_text_are_taken(run: Run, model: Path, tmp_path: Path) -> None:
    NestedEmbeddings.load(model).save(tmp_path / "m")
    first = NestedEmbeddings.load(model).items.ids[0]
    (tmp_path / "a.dat").write_bytes(f"x::{first}::Amélie::a+b\ny::none::b::c\n".encode("latin-1"))
    words = ("--delimiter", "::", "--encoding", "latin-1", "--no-header", "--item-id-column", 2, "--title-column", 3)
    assert run("items", tmp_path / "m", tmp_path / "a.dat", *words, "--list-separator", "+").code == 0
    found = table_of(tmp_path / "m")
    assert found.titles([first]).tolist() == ["Amélie"]
    assert list(found.columns.values())[3] == "VARCHAR[]"


def test_mistakes_name_the_options(run: Run, model: Path, table: Path) -> None:
    result = run("items", model, table, "--item-id-column", "itemid")
    assert result.code == 1
    assert "--item-id-column must be a column of" in result.err
    assert "did you mean 'item_id'?" in result.err
    assert "--title-column must be a column of" in run("items", model, table, "--title-column", "9").err


def test_train_attaches_an_item_table(run: Run, interactions: Path, table: Path, tmp_path: Path) -> None:
    words = ("train", interactions, "--out", tmp_path / "m", *SMALL, "--items", table)
    result = run(*words, "--item-id-column", "item_id", "--title-column", "genres")
    assert result.code == 0, result.err
    assert "items of the model described; columns: ids item_id, titles genres" in result.err
    found = table_of(tmp_path / "m")
    assert (found.description.id_column, found.title_column) == ("item_id", "genres")
    assert found.items == NestedEmbeddings.load(tmp_path / "m").items
    again = run(*words, "--overwrite", "--item-id-column", "price")
    assert (again.code, "name another --item-id-column" in again.err) == (1, True)
    alone = run("train", interactions, "--out", tmp_path / "n", "--title-column", "title")
    assert (alone.code, "--title-column needs --items FILE" in alone.err) == (2, True)


@pytest.mark.parametrize("command", ["recommend", "similar"])
@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_titles_are_the_last_column_where_they_are_asked_for(
    run: Run, described: Path, tmp_path: Path, command: str, suffix: str
) -> None:
    loaded = NestedEmbeddings.load(described)
    words = (
        ("--user", loaded.users.ids[0], "--include-seen")
        if command == "recommend"
        else ("--item", loaded.items.ids[20])
    )
    plain, titled = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    assert run(command, described, *words, "-k", 60, "--out", plain).code == 0
    assert run(command, described, *words, "-k", 60, "--out", titled, "--titles").code == 0
    first, second = read(plain), read(titled)
    assert second.columns == [*first.columns, "title"]
    assert second.drop("title").equals(first)
    expected = [title_of(place) or None for place in loaded.items.index_of(second[:, 1].to_list()).tolist()]
    assert second["title"].to_list() == expected
    assert {None, "None", "-1", "# a\ttab", " blank "} <= set(expected)


def read(path: Path) -> pl.DataFrame:
    if path.suffix == ".parquet":
        return pl.read_parquet(path)
    if path.suffix == ".jsonl":
        return pl.DataFrame([json.loads(line) for line in path.read_text().splitlines()])
    rows = list(csv.reader(io.StringIO(path.read_text()), delimiter="," if path.suffix == ".csv" else "\t"))
    return pl.DataFrame([[value or None for value in row] for row in rows[1:]], schema=rows[0], orient="row")


def test_all_users_in_parquet_have_titles_and_a_condition_too(run: Run, described: Path, tmp_path: Path) -> None:
    words = ("recommend", described, "--all-users", "-k", 3, "--out", tmp_path / "a.parquet", "--where", "price > 30")
    assert run(*words, "--titles").code == 0
    found = pl.read_parquet(tmp_path / "a.parquet")
    assert found.columns == ["user_id", "item_id", "rank", "score", "title"]
    places = NestedEmbeddings.load(described).items.index_of(found["item_id"].to_list())
    assert places.min() > 30
    assert found["title"].to_list() == [title_of(place) for place in places.tolist()]
    assert run(*words, "--overwrite").code == 0
    assert pl.read_parquet(tmp_path / "a.parquet").columns == ["user_id", "item_id", "rank", "score"]


def test_a_condition_bounds_the_items(run: Run, described: Path) -> None:
    loaded = NestedEmbeddings.load(described)
    where = "genres contains 'B' and price >= 40"
    result = run("recommend", described, "--user", loaded.users.ids[0], "-k", 5, "--where", where)
    assert [row[1] for row in rows_of(result.out)[1:]] == loaded.recommend(
        loaded.users.ids[0], 5, where=where
    ).ids.tolist()
    assert f"{len(table_of(described).select(where))} of {loaded.n_items} items meet --where" in result.err


def test_a_condition_that_nothing_meets_is_said(run: Run, described: Path) -> None:
    user = NestedEmbeddings.load(described).users.ids[0]
    result = run("recommend", described, "--user", user, "--where", "price > 1000")
    assert (result.code, result.out) == (0, "user_id,item_id,rank,score\n")
    assert "No item of the model meets --where price > 1000" in result.err
    assert result.err.endswith("No item is left to recommend to 1 user; there are more without --where\n")


@pytest.mark.parametrize("command", ["recommend", "similar"])
def test_a_wrong_condition_is_marked(run: Run, described: Path, command: str) -> None:
    word = "--user" if command == "recommend" else "--item"
    ids = NestedEmbeddings.load(described)
    result = run(
        command, described, word, (ids.users if command == "recommend" else ids.items).ids[0], "--where", "prise > 3"
    )
    assert (result.code, result.out) == (2, "")
    assert "--where must name columns of the item table, got 'prise'; did you mean 'price'?" in result.err
    assert result.err.endswith("    prise > 3\n    ^^^^^\n")


def test_a_model_without_item_table_says_how_to_attach_one(run: Run, model: Path) -> None:
    user = NestedEmbeddings.load(model).users.ids[0]
    for words in (["--where", "a = 1"], ["--titles"]):
        result = run("recommend", model, "--user", user, *words)
        assert result.code == 2
        assert f"{words[0]} needs an item table" in result.err
        assert "nestrec items" in result.err


@pytest.mark.usefixtures("terminal")
def test_on_a_terminal_titles_are_shown_and_fit(run: Run, described: Path) -> None:
    loaded = NestedEmbeddings.load(described)
    words = ("recommend", described, "--user", loaded.users.ids[0], "-k", 60, "--include-seen")
    shown = re.sub(r"\x1b\[[0-9;]*m", "", run(*words).out)
    assert "title" in shown
    assert "With, comma" in shown
    assert max(map(cell_len, shown.splitlines())) <= 80
    assert "title" not in run(*words, "--no-titles").out
    similar = run("similar", described, "--item", loaded.items.ids[20], "-k", 2).out
    assert similar.lstrip().startswith(f"{loaded.items.ids[20]}: Item 20")


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("寿司寿司", 5, "寿司…"),
        ("a\x1b[31mb\n\u202ec", 20, "a [31mb  c"),
        ("", 4, ""),
    ],
)
def test_text_is_cut_by_the_cells_of_a_terminal(text: str, width: int, shown: str) -> None:
    assert cut_text(text, width) == shown


def test_neighbours_are_bounded_by_a_condition_and_by_lists(run: Run, described: Path, tmp_path: Path) -> None:
    loaded = NestedEmbeddings.load(described)
    ids = loaded.items.ids.tolist()
    (tmp_path / "allow.txt").write_text("\n".join(ids[10:40]))
    (tmp_path / "deny.txt").write_text("\n".join(ids[20:30]))
    words = ("--where", "price < 35", "--allow", tmp_path / "allow.txt", "--deny", tmp_path / "deny.txt")
    result = run("similar", described, "--item", ids[0], "-k", 50, *words)
    assert {row[1] for row in rows_of(result.out)[1:]} == {*ids[10:20], *ids[30:35]}
    of_users = run("similar", described, "--user", loaded.users.ids[0], *words)
    assert of_users.code == 2
    assert "--where, --allow, --deny must be given with --item" in of_users.err
    (tmp_path / "pairs.csv").write_text(f"user_id,item_id\na,{ids[3]}\n")
    assert (
        "pairs of users and items" in run("similar", described, "--item", ids[0], "--deny", tmp_path / "pairs.csv").err
    )


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("batch", [False, True])
def test_pairs_give_each_user_a_list(run: Run, model: Path, tmp_path: Path, suffix: str, batch: bool) -> None:
    """What was shown before is left out the next time, and can be ranked again."""
    loaded, shown, again = NestedEmbeddings.load(model), tmp_path / f"shown.{suffix}", tmp_path / "b.parquet"
    assert run("recommend", model, "--all-users", "-k", 3, "--out", shown).code == 0
    users: list[Any] = loaded.users.ids.tolist()
    asked = ["--all-users"] if batch else [word for user in users[:4] for word in ("--user", user)]
    result = run("recommend", model, *asked, "-k", 3, "--deny", shown, "--out", again)
    assert result.code == 0, result.err
    assert f"a list of items for each of {len(users)} users" in result.err
    best = loaded.recommend(users, 6)
    expected = {user: ids.tolist()[3:] for user, ids, _ in best.rows()}
    found = pl.read_parquet(again).group_by("user_id", maintain_order=True).agg("item_id")
    assert dict(found.iter_rows()) == {user: expected[user] for user in (users if batch else users[:4])}
    result = run("recommend", model, *asked, "-k", 9, "--allow", shown, "--out", again, "--overwrite")
    found = pl.read_parquet(again).group_by("user_id", maintain_order=True).agg("item_id")
    firsts = {user: ids.tolist()[:3] for user, ids, _ in best.rows()}
    assert dict(found.iter_rows()) == {user: firsts[user] for user in (users if batch else users[:4])}


def test_users_without_pairs_get_nothing_of_an_allow_list(run: Run, model: Path, tmp_path: Path) -> None:
    loaded = NestedEmbeddings.load(model)
    one, other = loaded.users.ids[:2].tolist()
    (tmp_path / "a.csv").write_text(f"user_id,item_id\n{one},{loaded.items.ids[0]}\n")
    result = run("recommend", model, "--user", one, "--user", other, "--include-seen", "--allow", tmp_path / "a.csv")
    assert [row[0] for row in rows_of(result.out)[1:]] == [one]
    assert "No item is left to recommend to 1 user" in result.err


def test_explanations_have_titles(run: Run, described: Path) -> None:
    loaded = NestedEmbeddings.load(described)
    words = ("explain", described, "--user", loaded.users.ids[0], "--item", loaded.items.ids[0], "-k", 4)
    header, *rows = rows_of(run(*words, "--titles").out)
    assert header == ["item_id", "contribution", "title"]
    places = loaded.items.index_of([row[0] for row in rows]).tolist()
    assert [row[2] for row in rows] == [title_of(place) for place in places]
    assert [row[:2] for row in rows] == rows_of(run(*words).out)[1:]


def test_info_shows_the_columns(run: Run, described: Path) -> None:
    result = run("info", described)
    n = NestedEmbeddings.load(described).n_items
    assert f"{n} of {n} items have a row; ids item_id, titles title" in result.out
    words = [line.split() for line in result.out.splitlines()]
    assert ["genres", "list", "of", "text", str(n)] in words
    assert ["title", "text", str(n - 1)] in words
    assert json.loads(run("info", described, "--json").out)["item_table"]["n_described"] == n


def test_groups_name_a_column_of_the_table(run: Run, described: Path) -> None:
    refused = run("recommend", described, "--user", "u001", "--most-per-group", "1", "--groups", "genre")
    assert (refused.code, refused.out) == (2, "")
    assert "--groups must be one of " in refused.err
    assert "got 'genre'; did you mean 'genres'?" in refused.err


def test_a_file_of_interactions_is_no_item_table(run: Run, model: Path, interactions: Path, tmp_path: Path) -> None:
    NestedEmbeddings.load(model).save(tmp_path / "m")
    result = run("items", tmp_path / "m", interactions)
    assert result.code == 0
    assert "Warning: ratings.csv does not look like an item table, which has one row for each item" in result.err
    with pytest.warns(DataWarning, match="repeat an item"):
        NestedEmbeddings.load(model).with_item_table(interactions)


def test_a_file_of_interactions_does_not_replace_an_item_table(
    run: Run, described: Path, interactions: Path, tmp_path: Path
) -> None:
    """A good table was lost with only a warning."""
    NestedEmbeddings.load(described).save(tmp_path / "m")
    contents = {path: path.read_bytes() for path in (tmp_path / "m").iterdir()}
    result = run("items", tmp_path / "m", interactions)
    assert (result.code, "does not look like an item table" in result.err) == (1, True)
    assert "--remove" in result.err
    assert {path: path.read_bytes() for path in (tmp_path / "m").iterdir()} == contents
    assert run("items", tmp_path / "m", "--remove").code == 0
    assert run("items", tmp_path / "m", interactions).code == 0


def test_a_table_without_titles_names_the_option(run: Run, model: Path, tmp_path: Path) -> None:
    NestedEmbeddings.load(model).save(tmp_path / "m")
    (tmp_path / "t.csv").write_text(f"item_id,colour\n{NestedEmbeddings.load(model).items.ids[0]},red\n")
    assert "titles none (name them with --title-column)" in run("items", tmp_path / "m", tmp_path / "t.csv").err


def test_times_that_a_half_life_needs_name_both_options(run: Run, interactions: Path, tmp_path: Path) -> None:
    words = ("--half-life", 30, "--timestamp-column", "", "--out", tmp_path / "m")
    assert "--timestamp-column must name times for --half-life" in run("train", interactions, *words).err
