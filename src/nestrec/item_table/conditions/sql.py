"""Compile a condition to parameterized SQL for DuckDB.

Columns are looked up in the table and written as quoted identifiers, values are parameters, and all else comes from
the constants of this module: no text of a condition is part of the SQL. Comparisons with a missing value are neither
true nor false, as in SQL, so neither a test nor its opposite finds an item without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from nestrec.arguments import suggest
from nestrec.data.readers.duckdb_connection import quote_name
from nestrec.errors import OptionError
from nestrec.item_table.column_types import Family, classify_type, describe_type, get_element_type
from nestrec.item_table.conditions.syntax import Condition, Joined, Not, Test, Value, parse_condition
from nestrec.item_table.conditions.tokens import Token, point_at

_COMPARISONS = {"=": "=", "<>": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_CASTS: dict[Family, str] = {"date": "CAST(? AS DATE)", "time": "CAST(? AS TIMESTAMP)"}
_JOINS = {"and": " AND ", "or": " OR "}
_SHOWN = 12  # columns that an error names


class Query(NamedTuple):
    """A condition as SQL."""

    sql: str
    parameters: tuple[Any, ...]
    columns: tuple[str, ...]  # that it reads


def compile_condition(text: str, columns: Mapping[str, str]) -> Query:
    """Return the SQL of a condition over columns with these DuckDB types.

    Raises OptionError, which points at the place, for what is not a condition, for unknown columns, and for values of
    another type than their column.

    >>> compile_condition("year >= 1990", {"title": "VARCHAR", "year": "BIGINT"})
    Query(sql='"year" >= ?', parameters=(1990,), columns=('year',))
    """
    compiler = _Compiler(text, columns)
    sql = compiler.compile(parse_condition(text))
    return Query(sql, tuple(compiler.parameters), tuple(dict.fromkeys(compiler.used)))


class _Compiler:
    """Collects parameters in the order of their placeholders."""

    def __init__(self, text: str, columns: Mapping[str, str]) -> None:
        self._text, self._columns = text, columns
        self.parameters: list[Any] = []
        self.used: list[str] = []

    def compile(self, tree: Condition) -> str:
        if isinstance(tree, Not):
            return f"NOT ({self.compile(tree.inner)})"
        if isinstance(tree, Joined):
            return _join_balanced([f"({self.compile(part)})" for part in tree.parts], _JOINS[tree.operator])
        return self._compile_test(tree)

    def _compile_test(self, test: Test) -> str:
        name = self._find_column(test.column)
        self.used.append(name)
        kind, column = self._columns[name], quote_name(name)
        family = classify_type(kind)
        if test.operator == "null":
            return f"{column} IS NULL"
        if test.operator == "true":
            self._require(family == "boolean", test.column, f"must compare {name} with a value, such as {name} = …")
            return column
        if test.operator == "contains":
            return self._compile_contains(test, name, column, kind)
        if test.operator == "starts with":
            self._require(family == "text", test.token, f"must use starts with on text, got {_describe(name, kind)}")
            return f"starts_with(lower({column}), lower({self._add(test.values[0], name, kind)}))"
        self._require_comparable(test, name, kind, family)
        places = [self._add(value, name, kind) for value in test.values]
        if test.operator == "in":
            return f"{column} IN ({', '.join(places)})"
        if test.operator == "between":
            return f"{column} BETWEEN {places[0]} AND {places[1]}"
        return f"{column} {_COMPARISONS[test.operator]} {places[0]}"

    def _compile_contains(self, test: Test, name: str, column: str, kind: str) -> str:
        family, element = classify_type(kind), get_element_type(kind)
        if family == "text":
            return f"contains(lower({column}), lower({self._add(test.values[0], name, kind)}))"
        self._require(family == "list", test.token, f"must use contains on text or a list, got {_describe(name, kind)}")
        self._require_comparable(test, name, element, classify_type(element))
        place = self._add(test.values[0], name, element)
        if classify_type(element) == "text":
            return f"list_contains(list_transform({column}, lambda x: lower(x)), lower({place}))"
        return f"list_contains({column}, {place})"

    def _require_comparable(self, test: Test, name: str, kind: str, family: Family) -> None:
        used = self._text[test.token.start : test.token.end]
        self._require(family != "other", test.token, f"must test {name} by is null alone, got {used}")
        self._require(family != "list", test.token, f"must use contains on {name}, a {describe_type(kind)}; got {used}")
        ordered = test.operator in ("<", "<=", ">", ">=", "between")
        self._require(not (family == "boolean" and ordered), test.token, f"must compare {name} by = or !=, got {used}")

    def _add(self, value: Value, name: str, kind: str) -> str:
        """Keep a value as a parameter and return its placeholder; raise OptionError for one of another type."""
        family, content = classify_type(kind), value.content
        is_number = isinstance(content, (int, float)) and not isinstance(content, bool)
        fits = {"number": is_number, "boolean": isinstance(content, bool)}.get(family, isinstance(content, str))
        if not fits:
            raise self._explain_type(value, name, family)
        self.parameters.append(self._parse_time(value, name, family) if family in _CASTS else content)
        return _CASTS.get(family, "?")

    def _explain_type(self, value: Value, name: str, family: Family) -> OptionError:
        shown = self._text[value.token.start : value.token.end]
        rule = {
            "number": "a number, such as 1990, without quotes", "boolean": "true or false",
            "date": "a date in quotes, such as '1995-12-31'", "time": "a time in quotes, such as '1995-12-31 20:00'",
        }.get(family, "text in quotes, such as 'abc'")  # fmt: skip
        return self._fail(value.token, f"must compare {name} with {rule}; got {shown}")

    def _parse_time(self, value: Value, name: str, family: Family) -> str:
        """Return a date, or a time in UTC, as DuckDB reads it."""
        try:
            if family == "date":
                return date.fromisoformat(str(value.content)).isoformat()
            time = datetime.fromisoformat(str(value.content))
        except ValueError as error:
            raise self._explain_type(value, name, family) from error
        return (time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)).isoformat(" ")

    def _find_column(self, token: Token) -> str:
        """Return the column of this name: exactly, or in another case where only one has it so."""
        if token.text in self._columns:
            return token.text
        alike = [name for name in self._columns if name.lower() == token.text.lower()]
        if len(alike) == 1:
            return alike[0]
        names = [quote_name(name) if not name.isidentifier() else name for name in self._columns]
        listed = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
        near = suggest(token.text, names) or suggest(token.text.lower(), names)
        rule = f"must name columns of the item table, got {token.text!r}{near or ';'} columns: {listed}"
        raise self._fail(token, rule)

    def _require(self, holds: bool, token: Token, message: str) -> None:  # noqa: FBT001 - a condition, as of assert
        if not holds:
            raise self._fail(token, message)

    def _fail(self, token: Token, message: str) -> OptionError:
        return point_at(self._text, token.start, token.end, message)


def _describe(name: str, kind: str) -> str:
    return f"{name} of type {describe_type(kind)}"


def _join_balanced(parts: list[str], word: str) -> str:
    """Join in halves: DuckDB reads a long chain as deeply nested, and refuses 1,000 levels."""
    if len(parts) <= 2:
        return word.join(parts)
    half = len(parts) // 2
    return f"({_join_balanced(parts[:half], word)}){word}({_join_balanced(parts[half:], word)})"
