"""Rankings as a table of four columns, written in blocks so that a file may be larger than memory."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from nestrec.atomic.output_file import atomic_file, is_stream
from nestrec.cli.console import results, show
from nestrec.cli.output_paths import check_file_place
from nestrec.errors import OptionError
from nestrec.report.table import TextTable

if TYPE_CHECKING:
    from nestrec.data.vocabulary import Vocabulary
    from nestrec.retrieval.ranking import Ranking

STDOUT = Path("-")
_SHOWN = 1000  # rows of a table on a terminal
_DATABASE_MEMORY = "256MB"
# What readers of delimited text strip, take for a missing value, or for a comment.
_ALTERED = re.compile(
    r"\A(?:\s|[#%]|\Z)|\s\Z|\A(?:n/?a|<na>|#n/?a|-?nan|null|none|nil|\\n|-?inf(?:inity)?|true|false)\Z", re.IGNORECASE
)


@dataclass(frozen=True)
class Answers:
    """Names of the columns, and rankings that fill them."""

    names: tuple[str, str, str, str]  # asked, answer, rank, score
    rankings: Iterable[Ranking]
    vocabularies: tuple[Vocabulary, ...] = ()  # of the ids that the answers may hold

    def rows(self) -> Iterator[tuple[Any, Any, int, str]]:
        """Yield the rows; a score is the shortest text that reads back as the same float32."""
        for ranking in self.rankings:
            asked, answers, ranks, scores = ranking.columns()
            yield from zip(asked.tolist(), answers.tolist(), ranks.tolist(), scores.astype(str).tolist(), strict=True)


def check_answers_place(path: Path | None, *, overwrite: bool) -> None:
    """Raise OptionError where answers could not be written to `path` later; None is stdout."""
    if path is None or path == STDOUT:
        return
    if path.suffix.lower() not in _WRITERS and not is_stream(path):
        raise OptionError(f"--out {path} names no format; end it with one of {', '.join(_WRITERS)}")
    check_file_place(path, overwrite=overwrite)


def write_answers(answers: Answers, path: Path | None, *, overwrite: bool = False) -> None:
    """Write to a file, in the format of its name, or to stdout: a table on a terminal, CSV elsewhere and for `-`.

    A device or pipe whose name has none of the suffixes gets CSV.
    """
    if path is not None and path != STDOUT:
        with atomic_file(path, overwrite=overwrite) as partial:
            _WRITERS.get(path.suffix.lower(), _write_csv)(answers, partial)
    elif path is None and results().is_terminal:
        _show(answers)
    else:
        _write_separated(answers, sys.stdout, ",")
        sys.stdout.flush()


def _show(answers: Answers) -> None:
    rows = answers.rows()
    shown = tuple((str(asked), str(answer), str(rank), score) for asked, answer, rank, score in islice(rows, _SHOWN))
    show(TextTable(answers.names, shown, n_left=2))
    if next(rows, None) is not None:
        results().print(f"… the first {_SHOWN:,} rows; write all of them with --out FILE.csv")


def _write_separated(
    answers: Answers, file: TextIO, delimiter: str, *, quoting: bool = True, quoted_header: bool = False
) -> None:
    """Write rows so that reading gives the same ids; `quoting` False writes ids as they are."""
    rows = answers.rows()
    first = list(islice(rows, 1))  # before the header: where this fails, nothing has been printed
    show_id = _Quoted(delimiter).__getitem__ if quoting else str
    names = [f'"{name}"' for name in answers.names] if quoted_header else answers.names
    file.write(delimiter.join(names) + "\n")
    file.writelines(
        f"{show_id(asked)}{delimiter}{show_id(answer)}{delimiter}{rank}{delimiter}{score}\n"
        for asked, answer, rank, score in chain(first, rows)
    )


class _Quoted(dict[Any, str]):
    """Ids as a file of delimited text holds them: in quotes where a reader would take them for something else."""

    def __init__(self, delimiter: str) -> None:
        self._altered = re.compile(rf'{_ALTERED.pattern}|["{delimiter}\r\n]', re.IGNORECASE)

    def __missing__(self, key: Any) -> str:
        """Return and keep the text of an id."""
        text = str(key)
        if isinstance(key, str) and self._altered.search(text):
            text = '"' + text.replace('"', '""') + '"'
        self[key] = text
        return text


def _write_csv(answers: Answers, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        _write_separated(answers, file, ",")


def _write_tsv(answers: Answers, path: Path) -> None:
    """Write tab-separated text, with quotes only where an id needs them; a header in quotes tells the reader."""
    must_quote = any(_needs_quotes(vocabulary) for vocabulary in answers.vocabularies)
    with path.open("w", encoding="utf-8", newline="") as file:
        _write_separated(answers, file, "\t", quoting=must_quote, quoted_header=must_quote)


def _needs_quotes(vocabulary: Vocabulary) -> bool:
    if vocabulary.ids.dtype.kind != "T":
        return False
    altered = re.compile(rf"{_ALTERED.pattern}|[\t\r\n]", re.IGNORECASE)
    size = 65_536
    parts = (vocabulary.ids[start : start + size].tolist() for start in range(0, len(vocabulary), size))
    return any(altered.search(text) for part in parts for text in part)


def _write_json_lines(answers: Answers, path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for asked, answer, rank, score in answers.rows():
            record = dict(zip(answers.names, (asked, answer, rank, float(score)), strict=True))
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def _write_parquet(answers: Answers, path: Path) -> None:
    """Collect in a database on disk, since duckdb writes a Parquet file in one statement."""
    import duckdb

    try:
        # In the folder of the file that is being written, which goes with all that is in it.
        settings: dict[str, str | bool | int | float | list[str]] = {"memory_limit": _DATABASE_MEMORY, "threads": "1"}
        with duckdb.connect(str(path.with_name("answers.duckdb")), config=settings) as database:
            database.execute("SET enable_progress_bar = false")  # standard output is for answers
            _fill(database, answers)
            database.table("answers").write_parquet(str(path))
    except duckdb.Error as error:
        raise OptionError(f"{path} cannot be written ({error}); name another place") from error


def _fill(database: Any, answers: Answers) -> None:
    from nestrec.export.batch import block_of

    made = False
    for ranking in answers.rankings:
        query = block_of(database, dict(zip(answers.names, ranking.columns(), strict=True)))
        database.execute(f"{'INSERT INTO answers' if made else 'CREATE TABLE answers AS'} {query}")
        database.unregister("block")
        made = True


_WRITERS: dict[str, Callable[[Answers, Path], None]] = {
    ".csv": _write_csv,
    ".tsv": _write_tsv,
    ".jsonl": _write_json_lines,
    ".parquet": _write_parquet,
}
