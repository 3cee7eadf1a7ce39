"""Tokens of a condition, with their places for errors."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from nestrec.errors import OptionError

LONGEST = 20_000  # characters of a condition

Kind = Literal["word", "number", "text", "name", "operator", "end"]

# Text in single or double quotes, a name in double quotes or backticks; a quote inside is doubled.
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)
      | (?P<word>[^\W\d]\w*)
      | '(?P<text>(?:[^']|'')*)'
      | "(?P<quoted>(?:[^"]|"")*)"
      | `(?P<name>(?:[^`]|``)*)`
      | (?P<operator><=|>=|<>|!=|==|[=<>(),])
    )""",
    re.VERBOSE,
)
_OPEN_QUOTE = "'\"`"
_CURLY = "‘’“”«»„"
_REMEDIES = {  # for characters of other notations
    **{letter: f"must be written with {ascii_}" for letter, ascii_ in (("≥", ">="), ("≤", "<="), ("≠", "!="))},
    **dict.fromkeys(";&|", "must join its tests by the words and, or"),
    **dict.fromkeys("+-*/%^", "must compare columns with values, without arithmetic"),
    "~": "must use contains or starts with for a part of a text",
    "!": "must be written with != or with the word not",
}


class Token(NamedTuple):
    """A piece of a condition."""

    kind: Kind
    text: str  # without quotes
    start: int
    end: int  # one after the last character
    double_quoted: bool = False  # a name where a column is expected, text where a value is

    def is_word(self, *words: str) -> bool:
        """Tell whether this is one of some keywords, in any case."""
        return self.kind == "word" and self.text.lower() in words

    def is_operator(self, *operators: str) -> bool:
        """Tell whether this is one of some operators."""
        return self.kind == "operator" and self.text in operators


def split_tokens(condition: str) -> list[Token]:
    """Return the tokens of a condition and one for its end; raise OptionError for anything else."""
    if len(condition) > LONGEST:
        raise OptionError(
            f"where must have at most {LONGEST:,} characters, got {len(condition):,}; give ids by allow instead",
            option="where",
        )
    tokens, place, end = [], 0, len(condition.rstrip())
    while place < end:
        match = _TOKEN.match(condition, place)
        if match is None or match.lastgroup is None:
            raise _explain(condition, end - len(condition[place:end].lstrip()))
        kind = match.lastgroup
        start = match.end() - len(match[0].lstrip())
        tokens.append(_make_token(kind, match[kind], start, match.end()))
        place = match.end()
    return [*tokens, Token("end", "", end, end)]


def point_at(condition: str, start: int, end: int, message: str) -> OptionError:
    """Return an error of a condition with its place marked on a line of its own."""
    shown, offset = _cut(condition, start)
    mark = " " * (start - offset) + "^" * max(1, min(end, offset + len(shown)) - start)
    return OptionError(f"where {message} (character {start + 1})\n    {shown}\n    {mark}", option="where")


def _make_token(kind: str, text: str, start: int, end: int) -> Token:
    if kind == "text":
        return Token("text", text.replace("''", "'"), start, end)
    if kind == "quoted":
        return Token("name", text.replace('""', '"'), start, end, double_quoted=True)
    if kind == "name":
        return Token("name", text.replace("``", "`"), start, end)
    found: Kind = "number" if kind == "number" else "word" if kind == "word" else "operator"
    return Token(found, text, start, end)


def _explain(condition: str, place: int) -> OptionError:
    letter = condition[place]
    if letter in _OPEN_QUOTE:
        return point_at(condition, place, place + 1, f"must close the quote {letter}; a quote inside is doubled")
    if letter in _CURLY:
        return point_at(condition, place, place + 1, f"must have straight quotes, ' or \", got {letter}")
    remedy = _REMEDIES.get(letter, "must have text in quotes")
    return point_at(condition, place, place + 1, f"{remedy}, got the character {letter!r} outside quotes")


def _cut(condition: str, place: int) -> tuple[str, int]:
    """Return the part of a condition around a place, on one line, and where it begins."""
    offset = max(0, place - 60) if len(condition) > 100 else 0
    shown = condition[offset : offset + 100]
    return "".join(letter if letter.isprintable() else " " for letter in shown), offset
