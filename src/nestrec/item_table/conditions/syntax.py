"""Parse a condition into a tree of tests on columns.

    condition  = all { "or" all }
    all        = one { "and" one }
    one        = "not" one | "(" condition ")" | test
    test       = column [ comparison ]
    comparison = ( "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">=" ) value
               | [ "not" ] "in" "(" value { "," value } ")"
               | [ "not" ] "contains" value
               | [ "not" ] "starts" "with" value
               | [ "not" ] "between" value "and" value
               | "is" [ "not" ] "null"
    column     = word | "name in quotes" | `name in quotes`
    value      = 'text' | "text" | number | "true" | "false"

Keywords are written in any case. A column by itself is a test of a column of true and false.
"""

from __future__ import annotations

from dataclasses import dataclass

from nestrec.errors import OptionError
from nestrec.item_table.conditions.tokens import Token, point_at, split_tokens

DEEPEST = 100  # levels of parentheses and of "not"
_KEYWORDS = ("and", "or", "not", "in", "is", "null", "contains", "starts", "with", "between", "true", "false")
_COMPARISONS = ("=", "==", "!=", "<>", "<", "<=", ">", ">=")
_SAME = {"==": "=", "!=": "<>"}
_PARTS = "contains 'abc' or {column} starts with 'abc'"
_INSTEAD = {  # words of other languages, and how the test is written here
    **dict.fromkeys(("like", "ilike", "glob", "matches", "match", "regexp", "rlike", "similar"), _PARTS),
    **dict.fromkeys(("contain", "include", "includes", "has", "have"), "contains 'abc'"),
    **dict.fromkeys(("startswith", "starts_with", "begins", "start"), "starts with 'abc'"),
    **dict.fromkeys(("endswith", "ends_with", "ends"), "contains 'abc'"),
}


@dataclass(frozen=True)
class Value:
    """A literal."""

    content: str | int | float | bool
    token: Token


@dataclass(frozen=True)
class Test:
    """A test of one column; `operator` is a comparison, in, contains, starts with, between, null or true."""

    column: Token
    operator: str
    token: Token  # of the operator
    values: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Not:
    """The opposite of a condition."""

    inner: Condition


@dataclass(frozen=True)
class Joined:
    """Conditions of which all hold ("and") or any ("or")."""

    operator: str
    parts: tuple[Condition, ...]


Condition = Test | Not | Joined


def parse_condition(text: str) -> Condition:
    """Return the tree of a condition; raise OptionError, which points at the place, where it is not one.

    >>> tree = parse_condition("year >= 1990 and not genres contains 'Horror'")
    >>> tree.operator, len(tree.parts)
    ('and', 2)
    """
    if not isinstance(text, str):
        raise OptionError(f'where must be text, got {type(text).__name__}; such as "year >= 1990"', option="where")
    if not text.strip():
        raise OptionError('where must be a condition such as "year >= 1990", got nothing', option="where")
    parser = _Parser(text)
    tree = parser.parse_any(0)
    if parser.next.kind != "end":
        raise parser.fail("must have and or or between tests")
    return tree


class _Parser:
    """Reads tokens from left to right."""

    def __init__(self, text: str) -> None:
        self._text, self._tokens, self._place = text, split_tokens(text), 0

    @property
    def next(self) -> Token:
        return self._tokens[self._place]

    def fail(self, message: str, token: Token | None = None) -> OptionError:
        at = token or self.next
        got = "" if at.kind == "end" else f", got {self._text[at.start : at.end]!r}"
        return point_at(self._text, at.start, at.end, message + got)

    def parse_any(self, depth: int) -> Condition:
        return self._parse_joined("or", depth)

    def _parse_joined(self, word: str, depth: int) -> Condition:
        def parse_part() -> Condition:
            return self._parse_joined("and", depth) if word == "or" else self._parse_one(depth)

        parts = [parse_part()]
        while self._take_word(word):
            parts.append(parse_part())
        return parts[0] if len(parts) == 1 else Joined(word, tuple(parts))

    def _parse_one(self, depth: int) -> Condition:
        if depth > DEEPEST:
            raise self.fail(f"must be nested at most {DEEPEST} levels deep")
        if self._take_word("not"):
            return Not(self._parse_one(depth + 1))
        if not self.next.is_operator("("):
            return self._parse_test()
        opening = self._take()
        inner = self.parse_any(depth + 1)
        if not self.next.is_operator(")"):
            raise self.fail("must close each parenthesis", opening if self.next.kind == "end" else None)
        self._take()
        return inner

    def _parse_test(self) -> Condition:
        column = self._take_column()
        token = self.next
        if token.is_operator(*_COMPARISONS):
            self._take()
            return Test(column, _SAME.get(token.text, token.text), token, (self._take_value(),))
        if self._take_word("is"):
            opposite = self._take_word("not")
            if not self._take_word("null"):
                raise self.fail("must have null after is; for other values write = or !=")
            return Not(Test(column, "null", token)) if opposite else Test(column, "null", token)
        opposite = self._take_word("not")
        test = self._parse_word_test(column)
        if test is None:
            if opposite:
                raise self.fail("must have in, contains, starts with or between after not")
            if not self._ends_test():
                raise self.fail(self._explain_comparison(column))
            return Test(column, "true", column)
        return Not(test) if opposite else test

    def _parse_word_test(self, column: Token) -> Test | None:
        token = self.next
        if self._take_word("in"):
            return Test(column, "in", token, self._take_values())
        if self._take_word("contains"):
            return Test(column, "contains", token, (self._take_value(),))
        if self._take_word("starts"):
            self._expect_word("with")
            return Test(column, "starts with", token, (self._take_value(),))
        if self._take_word("between"):
            low = self._take_value()
            self._expect_word("and")
            return Test(column, "between", token, (low, self._take_value()))
        return None

    def _explain_comparison(self, column: Token) -> str:
        """Return the rule for what follows a column and is not a comparison."""
        instead = _INSTEAD.get(self.next.text.lower()) if self.next.kind == "word" else None
        if instead is not None:
            return f"must be written {column.text} {instead}".replace("{column}", column.text)
        if self.next.is_operator("("):
            return "must have columns alone, without functions such as lower(…): contains and starts with ignore case"
        return "must have a comparison after a column, such as = or contains"

    def _ends_test(self) -> bool:
        return self.next.kind == "end" or self.next.is_word("and", "or") or self.next.is_operator(")")

    def _take(self) -> Token:
        token = self.next
        self._place += 1
        return token

    def _take_word(self, word: str) -> bool:
        found = self.next.is_word(word)
        self._place += int(found)
        return found

    def _expect_word(self, word: str) -> None:
        if not self._take_word(word):
            raise self.fail(f"must have the word {word} here")

    def _take_column(self) -> Token:
        if self.next.kind == "name" or (self.next.kind == "word" and self.next.text.lower() not in _KEYWORDS):
            return self._take()
        if self.next.kind == "word":
            raise self.fail("must have a column here; put the name of a column in double quotes if it is a keyword")
        if self.next.kind in ("number", "text"):
            raise self.fail("must begin each test with a column, such as year >= 1990 or genres contains 'Comedy'")
        raise self.fail("must have a column here")

    def _take_values(self) -> tuple[Value, ...]:
        if not self.next.is_operator("("):
            raise self.fail("must have values in parentheses after in, such as in ('a', 'b')")
        self._take()
        values = [self._take_value()]
        while self.next.is_operator(","):
            self._take()
            values.append(self._take_value())
        if not self.next.is_operator(")"):
            raise self.fail("must have a comma or ) after a value")
        self._take()
        return tuple(values)

    def _take_value(self) -> Value:
        token = self.next
        if token.kind == "text" or (token.kind == "name" and token.double_quoted):
            return Value(token.text, self._take())
        if token.kind == "number":
            return Value(self._parse_number(token), self._take())
        if token.is_word("true", "false"):
            return Value(token.text.lower() == "true", self._take())
        if token.is_word("null"):
            raise self.fail("must test for missing values by is null or is not null")
        if token.kind == "word":
            raise self.fail("must have a value here; put text in quotes")
        if token.is_operator("<", ">") and self._tokens[self._place - 1].is_operator("="):
            raise self.fail(f"must be written with {token.text}=")
        raise self.fail("must have a value here: a number, true, false, or text in quotes")

    def _parse_number(self, token: Token) -> int | float:
        is_whole = token.text.lstrip("+-").isdecimal() and len(token.text) < 19
        number = int(token.text) if is_whole else float(token.text)
        if number in (float("inf"), float("-inf")):
            raise self.fail("must have numbers that fit 64 bits")
        return number
