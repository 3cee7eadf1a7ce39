"""Random conditions find what a plain evaluation finds; no text reaches a file or another table."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nestrec import NestedEmbeddings
from nestrec.errors import OptionError
from nestrec.item_table.item_table import ItemTable

WORDS = ("", "a", "A", "b|", "o'b", 'q"q', "%", "_", "ß", "É", "drop table items", "'; --")
texts = st.one_of(st.none(), st.sampled_from(WORDS[1:]))
numbers = st.one_of(st.none(), st.integers(-3, 3), st.sampled_from([0.5, -1.5]))
ROWS = [
    {"text": WORDS[1 + i % 11] if i % 5 else None, "number": [None, -1.5, 0.0, 2.0, 3.0][i % 5],
     "flag": [True, False, None][i % 3], "list": [None, [], ["a"], ["B", "'; --"], [None, "É"]][i % 5 - i % 2]}
    for i in range(60)
]  # fmt: skip


@pytest.fixture(scope="module")
def table() -> ItemTable:
    model = NestedEmbeddings.from_arrays([[1.0]], [[1.0]] * len(ROWS), [1])
    columns = {name: [row[name] for row in ROWS] for name in ROWS[0]}
    made = model.with_item_table({"id": list(range(len(ROWS))), **columns}, list_separator="").item_table
    assert made is not None
    return made


def quoted(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, (int, float)) else "'" + value.replace("'", "''") + "'"


Check = tuple[str, Any]  # a condition, and its value for a row: True, False or None

values = {"text": st.sampled_from(WORDS), "number": st.integers(-3, 3) | st.sampled_from([0.5, -1.5])}
OPERATORS: dict[str, Any] = {
    "=": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip


def known(column: str, holds: Any) -> Any:
    return lambda row: None if row[column] is None else holds(row[column])


@st.composite
def single_tests(draw: st.DrawFn) -> Check:
    column = draw(st.sampled_from(["text", "number"]))
    one, other = draw(values[column]), draw(values[column])

    def encoded(value: Any) -> Any:
        return value.encode() if isinstance(value, str) else value

    operator = draw(st.sampled_from(list(OPERATORS)))
    choices: list[Check] = [
        (f"{column} {operator} {quoted(one)}",
         known(column, lambda value: OPERATORS[operator](encoded(value), encoded(one)))),
        (f"{column} in ({quoted(one)}, {quoted(other)})", known(column, lambda value: value in (one, other))),
        (f"{column} between {quoted(one)} and {quoted(other)}",
         known(column, lambda value: encoded(one) <= encoded(value) <= encoded(other))),
        (f"{column} is null", lambda row: row[column] is None),
        ("flag", lambda row: row["flag"]),
    ]  # fmt: skip
    word = draw(st.sampled_from(WORDS))
    choices += [
        (f"text contains {quoted(word)}", known("text", lambda value: word.lower() in value.lower())),
        (f"text starts with {quoted(word)}", known("text", lambda value: value.lower().startswith(word.lower()))),
        (f"list contains {quoted(word)}",
         known("list", lambda value: word.lower() in [one.lower() for one in value if one is not None])),
    ]  # fmt: skip
    return draw(st.sampled_from(choices))


def opposite(test: Check) -> Check:
    return f"not ({test[0]})", lambda row: None if test[1](row) is None else not test[1](row)


def both(one: Check, other: Check) -> Check:
    def holds(row: Any) -> bool | None:
        found = {one[1](row), other[1](row)}
        return False if False in found else None if None in found else True

    return f"({one[0]}) and ({other[0]})", holds


def either(one: Check, other: Check) -> Check:
    text, holds = both(opposite(one), opposite(other))
    del text
    return f"({one[0]}) or ({other[0]})", lambda row: None if holds(row) is None else not holds(row)


conditions = st.recursive(
    single_tests(),
    lambda inner: st.one_of(inner.map(opposite), st.builds(both, inner, inner), st.builds(either, inner, inner)),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(conditions)
def test_a_condition_finds_what_a_plain_evaluation_finds(table: ItemTable, condition: Check) -> None:
    text, holds = condition
    assert table.select_rows(text).tolist() == [place for place, row in enumerate(ROWS) if holds(row) is True]


def test_a_thousand_alternatives_are_not_too_deep(table: ItemTable) -> None:
    assert len(table.select_rows(" or ".join(["number = 2"] * 1000))) == 12


FRAGMENTS = (
    "text", "number", "list", "'a'", "1", "and", "or", "not", "(", ")", "=", "in", "is null", "contains", ",", ";",
    "--", "/*", "*/", "union select", "drop table described", "read_csv('/etc/passwd')", "copy", "$$", "\\", "\0", "\n",
    '"', "`", "''", "pragma", "attach 'x'", "file_row_number", "described.text", "*", "select 1", "::int", "?", "$1",
)  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(max_size=40), st.lists(st.sampled_from(FRAGMENTS), max_size=8).map(" ".join)))
def test_any_text_is_a_condition_or_an_option_error(table: ItemTable, text: str) -> None:
    try:
        rows = table.select_rows(text)
    except OptionError:
        return
    assert set(rows.tolist()) <= set(range(len(ROWS)))


@pytest.mark.parametrize("word", [*WORDS[1:], "'); DROP TABLE described; --", "x' OR '1'='1", "\0", "?", "$1", "{0}"])
def test_text_in_quotes_is_compared_and_never_run(table: ItemTable, word: str) -> None:
    found = table.select_rows(f"text = {quoted(word)}").tolist()
    assert found == [place for place, row in enumerate(ROWS) if row["text"] == word]


def test_the_connection_of_conditions_reaches_no_file(table: ItemTable, tmp_path: Any) -> None:
    import duckdb

    table.select_rows("number = 1")
    (connection,) = [one for key, one in table._queries._copies.items() if key == ("number",)]
    (tmp_path / "a.csv").write_text("x\n1\n")
    for statement in (f"FROM read_csv('{tmp_path}/a.csv')", f"COPY described TO '{tmp_path}/b.csv'", "SET threads = 2"):
        with pytest.raises(duckdb.Error):
            connection.execute(statement)
    with pytest.raises(duckdb.Error):
        connection.execute("SET enable_external_access = true")
