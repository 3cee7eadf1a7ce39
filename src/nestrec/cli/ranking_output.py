"""Rankings as a table of four columns, and titles, written in blocks so that a file can be larger than memory.

The column of titles is the last one: the others have the same places with and without it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from nestrec.atomic.output_file import atomic_file, check_output_file, is_stream
from nestrec.cli.console import cut_text, results, say, show
from nestrec.errors import OptionError, OutputError
from nestrec.report.table import BETWEEN, TextTable

if TYPE_CHECKING:
    import numpy.typing as npt

    from nestrec.cli.unknown_ids import Omissions
    from nestrec.data.vocabulary import Vocabulary
    from nestrec.embeddings import NestedEmbeddings
    from nestrec.retrieval.ranking import Ranking

STDOUT = Path("-")
TITLE = "title"  # name of the column of titles
_NARROWEST = 12  # characters of a title on a terminal
_SHOWN = 1000  # rows of a table on a terminal
_DATABASE_MEMORY = "256MB"
# What readers of delimited text strip, take for a missing value, or for a comment.
_ALTERED = re.compile(
    r"\A(?:\s|[#%]|\Z)|\s\Z|\A(?:n/?a|<na>|#n/?a|-?nan|null|none|nil|\\n|-?inf(?:inity)?|true|false)\Z", re.IGNORECASE
)


@dataclass(frozen=True)
class RankingTable:
    """Rankings with names for their columns."""

    names: tuple[str, str, str, str]  # query, result, rank, score
    rankings: Iterable[Ranking]
    vocabularies: tuple[Vocabulary, ...] = ()  # of the ids that results may hold
    with_titles: bool = False
    caption: str | None = None  # above a table on a terminal

    @property
    def headers(self) -> tuple[str, ...]:
        """Names of all columns."""
        return (*self.names, TITLE) if self.with_titles else self.names

    def columns(self, ranking: Ranking) -> list[npt.NDArray[Any]]:
        """Return the columns of some of the rows; a title is empty where there is none."""
        titles = ranking.answer_titles() if self.with_titles else None
        return [*ranking.columns(), *([] if titles is None else [titles])]

    def rows(self) -> Iterator[tuple[Any, Any, int, str, str]]:
        """Yield the rows, without titles an empty one; a score is the shortest text that reads back as that float32."""
        for ranking in self.rankings:
            queries, results, ranks, scores, *titles = self.columns(ranking)
            texts: Iterable[str] = titles[0].tolist() if titles else repeat("", len(ranks))
            values = queries.tolist(), results.tolist(), ranks.tolist(), scores.astype(str).tolist()
            yield from zip(*values, texts, strict=True)


def choose_titles(asked: bool | None, model: NestedEmbeddings, path: Path | None) -> bool:  # noqa: FBT001 - an option
    """Return whether to show titles: as asked, or, by default, on a terminal where the model has them.

    Raises OptionError where they are asked for and the model has none.
    """
    table = model.item_table
    if asked is None:
        return path is None and results().is_terminal and table is not None and table.title_column is not None
    if asked and table is None:
        raise OptionError("--titles needs an item table, and the model has none; attach one with nestrec items")
    if asked and table is not None:
        table.require_titles()
    return asked


def check_ranking_path(path: Path | None, *, overwrite: bool) -> None:
    """Raise OptionError if a ranking could not be written to `path` later; None is stdout."""
    if path is None or path == STDOUT:
        return
    if path.suffix.lower() not in _WRITERS and not is_stream(path):
        raise OptionError(f"--out must end with one of {', '.join(_WRITERS)}, got {path}")
    check_output_file(path, overwrite=overwrite)


def write_ranking(table: RankingTable, path: Path | None, omitted: Omissions, *, overwrite: bool = False) -> None:
    """Write to a file, in the format of its name, or to stdout: a table on a terminal, CSV elsewhere and for `-`.

    What was omitted, and the name of the file, are printed on stderr afterwards.

    A device or pipe whose name has none of the suffixes gets CSV.
    """
    if path is not None and path != STDOUT:
        with atomic_file(path, overwrite=overwrite) as partial:
            _WRITERS.get(path.suffix.lower(), _write_csv)(table, partial)
    elif path is None and results().is_terminal:
        _show(table)
    else:
        _write_separated(table, sys.stdout, ",")
        sys.stdout.flush()
    omitted.report()
    if path not in (None, STDOUT):
        say(f"Wrote {path}.")


def _show(table: RankingTable) -> None:
    rows, n = table.rows(), len(table.headers)
    shown = [
        (str(query), str(result), str(rank), score, title)[:n]
        for query, result, rank, score, title in islice(rows, _SHOWN)
    ]
    fitting = tuple(fit_titles(table.headers, shown)) if table.with_titles else tuple(shown)
    show(TextTable(table.headers, fitting, table.caption, n_left=2, last_left=table.with_titles))
    if next(rows, None) is not None:
        results().print(f"… the first {_SHOWN:,} rows; write all of them with --out FILE.csv")


def fit_titles(headers: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Yield rows whose last column, of titles, is cut to what a terminal has space for beside the others."""
    columns = list(zip(headers, *rows, strict=True))[:-1]
    others = sum(BETWEEN + max(map(len, column)) for column in columns)
    space = max(_NARROWEST, results().width - others - BETWEEN - 1)
    return ((*row[:-1], cut_text(row[-1], space)) for row in rows)


def _write_separated(
    table: RankingTable, file: TextIO, delimiter: str, *, quoting: bool = True, quoted_header: bool = False
) -> None:
    """Write rows so that reading gives the same ids; `quoting` False writes ids as they are."""
    rows = table.rows()
    first = list(islice(rows, 1))  # before the header: where this fails, nothing has been printed
    show_id = _Quoted(delimiter).__getitem__ if quoting else str
    names = [f'"{name}"' for name in table.headers] if quoted_header else table.headers
    file.write(delimiter.join(names) + "\n")
    for query, result, rank, score, title in chain(first, rows):
        shown = f"{delimiter}{show_id(title) if title else ''}" if table.with_titles else ""
        file.write(f"{show_id(query)}{delimiter}{show_id(result)}{delimiter}{rank}{delimiter}{score}{shown}\n")


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


def _write_csv(table: RankingTable, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        _write_separated(table, file, ",")


def _write_tsv(table: RankingTable, path: Path) -> None:
    """Write tab-separated text, with quotes only where an id needs them; a header in quotes tells the reader."""
    must_quote = table.with_titles or any(_needs_quotes(vocabulary) for vocabulary in table.vocabularies)
    with path.open("w", encoding="utf-8", newline="") as file:
        _write_separated(table, file, "\t", quoting=must_quote, quoted_header=must_quote)


def _needs_quotes(vocabulary: Vocabulary) -> bool:
    if vocabulary.ids.dtype.kind != "T":
        return False
    altered = re.compile(rf"{_ALTERED.pattern}|[\t\r\n]", re.IGNORECASE)
    size = 65_536
    parts = (vocabulary.ids[start : start + size].tolist() for start in range(0, len(vocabulary), size))
    return any(altered.search(text) for part in parts for text in part)


def _write_json_lines(table: RankingTable, path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for query, result, rank, score, title in table.rows():
            record = dict(zip(table.headers, (query, result, rank, float(score), title or None), strict=False))
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def _write_parquet(table: RankingTable, path: Path) -> None:
    """Collect in a database on disk, since duckdb writes a Parquet file in one statement."""
    import duckdb

    try:
        # In the folder of the file that is being written, which goes with all that is in it.
        settings: dict[str, str | bool | int | float | list[str]] = {"memory_limit": _DATABASE_MEMORY, "threads": "1"}
        with duckdb.connect(str(path.with_name("answers.duckdb")), config=settings) as database:
            database.execute("SET enable_progress_bar = false")  # standard output is for answers
            _fill(database, table)
            database.table("answers").write_parquet(str(path))
    except duckdb.Error as error:
        raise OutputError(f"{path} cannot be written ({error}); name another place") from error


def _fill(database: Any, table: RankingTable) -> None:
    from nestrec.export.parquet import register_columns

    made = False
    for ranking in table.rankings:
        query = register_columns(database, dict(zip(table.headers, table.columns(ranking), strict=True)))
        if table.with_titles:
            query = f"SELECT * REPLACE (nullif({TITLE}, '') AS {TITLE}) FROM ({query})"
        database.execute(f"{'INSERT INTO answers' if made else 'CREATE TABLE answers AS'} {query}")
        database.unregister("block")
        made = True


_WRITERS: dict[str, Callable[[RankingTable, Path], None]] = {
    ".csv": _write_csv,
    ".tsv": _write_tsv,
    ".jsonl": _write_json_lines,
    ".parquet": _write_parquet,
}
