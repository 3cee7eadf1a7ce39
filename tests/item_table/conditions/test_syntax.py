"""Conditions are parsed by one small grammar; what is not one is refused at its place."""

from __future__ import annotations

from typing import Any

import pytest

from nestrec.errors import OptionError
from nestrec.item_table.conditions.sql import compile_condition

COLUMNS = {
    "title": "VARCHAR", "year": "BIGINT", "price": "DECIMAL(9,2)", "genres": "VARCHAR[]", "sizes": "INTEGER[]",
    "in stock": "BOOLEAN", "ok": "BOOLEAN", "released": "DATE", "seen": "TIMESTAMP", "raw": "BLOB", "and": "VARCHAR",
}  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "sql", "parameters"),
    [
        ("year >= 1990", '"year" >= ?', (1990,)),
        ("YEAR == -1.5e3", '"year" = ?', (-1500.0,)),
        ("year != .5", '"year" <> ?', (0.5,)),
        ("title = 'O''Brien'", '"title" = ?', ("O'Brien",)),
        ('title = "say ""x"""', '"title" = ?', ('say "x"',)),
        ('"in stock"', '"in stock"', ()),
        ("`and` = 'a'", '"and" = ?', ("a",)),
        ("ok = False", '"ok" = ?', (False,)),
        ("title IS NOT NULL", 'NOT ("title" IS NULL)', ()),
        ("year not in (1, 2)", 'NOT ("year" IN (?, ?))', (1, 2)),
        ("year between 1 and 2 and ok", '("year" BETWEEN ? AND ?) AND ("ok")', (1, 2)),
        ("ok or ok and not ok", '("ok") OR (("ok") AND (NOT ("ok")))', ()),
        ("(ok or ok) and ok", '(("ok") OR ("ok")) AND ("ok")', ()),
        ("title contains 'a'", 'contains(lower("title"), lower(?))', ("a",)),
        ("sizes contains 4", 'list_contains("sizes", ?)', (4,)),
        ("title starts with 'The'", 'starts_with(lower("title"), lower(?))', ("The",)),
        ("released < '1995-02-01'", '"released" < CAST(? AS DATE)', ("1995-02-01",)),
        ("seen < '1995-02-01 02:00+02:00'", '"seen" < CAST(? AS TIMESTAMP)', ("1995-02-01 00:00:00",)),
    ],
)
def test_a_condition_becomes_quoted_names_and_parameters(condition: str, sql: str, parameters: tuple[Any, ...]) -> None:
    found = compile_condition(condition, COLUMNS)
    assert (found.sql, found.parameters) == (sql, parameters)


def test_a_query_names_the_columns_that_it_reads_once_each() -> None:
    assert compile_condition("ok or year = 1 or ok", COLUMNS).columns == ("ok", "year")


@pytest.mark.parametrize(
    ("condition", "place", "said"),
    [
        ("genre contains 'x'", 1, "'genre'; did you mean 'genres'?"),
        ("year = 'a'", 8, "year with a number, such as 1990, without quotes; got 'a'"),
        ("ok and title = 1995", 16, "text in quotes, such as 'abc'; got 1995"),
        ("year contains 3", 6, "contains on text or a list, got year of type number"),
        ("genres = 'x'", 8, "contains on genres, a list of text; got ="),
        ("sizes contains 'x'", 16, "sizes with a number"),
        ("year starts with '1'", 6, "starts with on text, got year"),
        ("released > '1995'", 12, "'1995-12-31'; got '1995'"),
        ("released > 1995", 12, "a date in quotes"),
        ("ok < true", 4, "ok by = or !=, got <"),
        ("raw = 'x'", 5, "is null alone"),
        ("year", 1, "year with a value"),
        ("year 1990", 6, "comparison after a column, such as = or contains, got '1990'"),
        ("year =", 7, "a value here"),
        ("year = abc", 8, "put text in quotes, got 'abc'"),
        ("year in 3", 9, "values in parentheses after in"),
        ("year in (3", 11, "comma or )"),
        ("title not 'a'", 11, "in, contains, starts with or between after not"),
        ("in = 3", 1, "double quotes if it is a keyword, got 'in'"),
        ("1990 < year", 1, "begin each test with a column, such as year >= 1990"),
        ("'x' in genres", 1, "begin each test with a column"),
        ("title like 'a%'", 7, "written title contains 'abc' or title starts with 'abc', got 'like'"),
        ("genres includes 'x'", 8, "written genres contains 'abc', got 'includes'"),
        ("title startswith 'a'", 7, "written title starts with 'abc'"),
        ("lower(title) = 'x'", 6, "without functions"),
        ("year ≥ 1990", 6, "written with >=, got the character '≥'"),
        ("year => 1990", 7, "written with >="),
        ("ok & year = 3", 4, "join its tests by the words and, or"),
        ("year + 1 = 3", 6, "without arithmetic"),
        ("title ~ 'a'", 7, "contains or starts with"),
        ("year != null", 9, "is null or is not null"),
        ("year is 3", 9, "null after is; for other values write = or !="),
        ("ok ok", 4, "a comparison"),
        ("(ok", 1, "close each parenthesis"),
        ("ok)", 3, "got ')'"),
        ("title = 'a", 9, "close the quote '"),
        ("title = “a”", 9, "straight quotes"),
        ("ok; drop table x", 3, "the character ';'"),
        ("year = 1e999", 8, "64 bits"),
    ],
)
def test_a_mistake_is_marked_at_its_place(condition: str, place: int, said: str) -> None:
    with pytest.raises(OptionError) as raised:
        compile_condition(condition, COLUMNS)
    first, shown, mark = str(raised.value).split("\n")
    assert said in first
    assert first.endswith(f"(character {place})")
    assert shown.strip() == condition
    assert mark.index("^") == shown.index(condition) + place - 1
    assert raised.value.option == "where"


def test_a_long_condition_is_shown_around_the_place() -> None:
    condition = " or ".join(["ok"] * 100) + " or genre = 'a'"
    with pytest.raises(OptionError) as raised:
        compile_condition(condition, COLUMNS)
    _, shown, mark = str(raised.value).split("\n")
    assert len(shown) < 120
    assert shown[mark.index("^") :].startswith("genre")


@pytest.mark.parametrize("condition", ["", "  ", None, 3, ["ok"]])
def test_what_is_no_text_is_refused(condition: Any) -> None:
    with pytest.raises(OptionError, match="where must be"):
        compile_condition(condition, COLUMNS)


@pytest.mark.parametrize("condition", ["(" * 101 + "ok" + ")" * 101, "not " * 101 + "ok", "ok or " * 4000 + "ok"])
def test_what_is_too_long_or_too_deep_is_refused(condition: str) -> None:
    with pytest.raises(OptionError, match="at most"):
        compile_condition(condition, COLUMNS)
