"""Exit codes of errors, and their messages in the words of the command line: `min_rating` becomes `--min-rating`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from nestrec.cli.exit_codes import FAILURE, WRONG_USAGE
from nestrec.errors import NestrecError, OptionError, OutputError

_QUOTES = "'\""
_SPELLINGS = {  # where the command line says something else than --name, or --name VALUE
    'unknown="skip"': "--skip-unknown",
    "validation=None": "--no-validation",
    "keep_timestamps": "a split by time (--validation-split)",
    "quote=None": "--quote ''",
    "bootstrap_samples": "--bootstrap",
    "id_column": "--item-id-column",
    "sides=('items', 'users')": "--side both",
    "sides=('items',)": "--side items",
    "sides=('users',)": "--side users",
}


def get_exit_code(error: NestrecError) -> int:
    """Return 2 for options with wrong values or that contradict each other, 1 for data, models and files.

    >>> get_exit_code(OptionError("k must be 1 or more, got 0")), get_exit_code(OutputError("x.csv already exists"))
    (2, 1)
    """
    return WRONG_USAGE if isinstance(error, OptionError) and not isinstance(error, OutputError) else FAILURE


def format_error(error: NestrecError, options: Mapping[str, str]) -> str:
    """Return the message with the arguments that the error names written as options.

    `options` maps names of arguments to options; an argument that is no option keeps its name.

    >>> error = NestrecError("seed must be 0 or more, got -1; leave out resume=True", option="seed",
    ...                      mentions=["resume=True"])
    >>> format_error(error, {"seed": "--seed", "resume": "--resume"})
    '--seed must be 0 or more, got -1; leave out --resume'
    """
    message = str(error)
    for mention in ((error.option,) if error.option else ()) + error.mentions:
        message = _replace(message, mention, _spell(mention, options))
    return message


@contextmanager
def rename_options(**names: str) -> Iterator[None]:
    """Let errors name an argument of the library as the parameter of the command that its value came from.

    >>> try:
    ...     with rename_options(strength="diversity"):
    ...         raise OptionError("strength must be at most 1, got 7", option="strength")
    ... except OptionError as error:
    ...     print(error, error.option)
    diversity must be at most 1, got 7 diversity
    """
    try:
        yield
    except OptionError as error:
        name = names.get(error.option or "")
        if name is None:
            raise
        message = _replace(str(error), str(error.option), name)
        raise type(error)(message, option=name, mentions=error.mentions) from error


def _replace(message: str, mention: str, spelling: str) -> str:
    """Write a mention otherwise, except in quotes and longer words; a name that is also a word only where it is first.

    >>> _replace("seed must not be 'seed'", "seed", "--seed")
    "--seed must not be 'seed'"
    """
    is_word = mention.isalpha()
    return re.sub(rf"(?<![\w'\"/.-]){re.escape(mention)}(?![\w'\"])", lambda _: spelling, message, count=int(is_word))


def _spell(mention: str, options: Mapping[str, str]) -> str:
    name, _, value = mention.partition("=")
    if mention in _SPELLINGS:
        return _SPELLINGS[mention]
    if name not in options:
        return mention
    return options[name] if value in ("", "True") else f"{options[name]} {shlex.quote(value.strip(_QUOTES))}"
