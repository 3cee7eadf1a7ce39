"""The library's sentences in the words of the command line: `min_rating` becomes `--min-rating`."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PHRASES = {
    'pass unknown="skip"': "give --skip-unknown",
    "replace it with overwrite=True": "replace it with --overwrite",
    "give the delimiter": "give --delimiter",
    "name the format": "name it with --format",
    "keep_timestamps True": "a split by time (--validation-split)",
    "quote=None": "--quote ''",
    "sequence=True": "--sequence",
    "format='adjacency'": "--format adjacency",
    "format='csv' delimiter=' '": "--format csv --delimiter ' '",
    "give the encoding": "give with --encoding the encoding",
    "give its encoding": "give its encoding with --encoding",
    "give format='parquet'": "give --format parquet",
    "an empty rating_column": "--rating-column ''",
    "compare defaults with trials=0": "compare defaults with --trials 0",
    "leave out resume": "leave out --resume",
    "leave engine out": "leave --engine out",
    "name another place for the checkpoint": "name another path with --out",
    "give a file of held-out interactions, or train without validation": "give --validation FILE, or --no-validation",
}


def in_command_words(sentence: str, options: Iterable[str]) -> str:
    """Return the sentence with argument names written as options; `options` are names such as min_rating.

    What stands in quotes or is part of a path or a longer word is left alone.

    >>> in_command_words("name it with user_column, as in user_column=1", ["user_column"])
    'name it with --user-column, as in --user-column 1'
    """
    for phrase, words in _PHRASES.items():
        sentence = sentence.replace(phrase, words)
    for name in sorted((name for name in options if "_" in name), key=len, reverse=True):
        option = "--" + name.replace("_", "-")
        sentence = re.sub(rf"(?<![\w'\"/.-]){name}=(?=\S)", f"{option} ", sentence)
        sentence = re.sub(rf"(?<![\w'\"/.-]){name}(?![\w'\"/-]|\.\w)", option, sentence)
    return sentence
