"""Rankings as a table of four columns, written in blocks so that a file can be larger than memory."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from nestrec.atomic.output_file import atomic_file, check_output_file, is_stream
from nestrec.cli.console import results, say, show
from nestrec.errors import OptionError, OutputError
from nestrec.report.table import TextTable

if TYPE_CHECKING:
    from nestrec.cli.unknown_ids import Omissions
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
class RankingTable:
    """Rankings with names for their columns."""

    names: tuple[str, str, str, str]  # query, result, rank, score
    rankings: Iterable[Ranking]
    vocabularies: tuple[Vocabulary, ...] = ()  # of the ids that results may hold

    def rows(self) -> Iterator[tuple[Any, Any, int, str]]:
        """Yield the rows; a score is the shortest text that reads back as the same float32."""
        for ranking in self.rankings:
            queries, results, ranks, scores = ranking.columns()
            yield from zip(queries.tolist(), results.tolist(), ranks.tolist(), scores.astype(str).tolist(), strict=True)


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
    rows = table.rows()
    shown = tuple((str(query), str(result), str(rank), score) for query, result, rank, score in islice(rows, _SHOWN))
    show(TextTable(table.names, shown, n_left=2))
    if next(rows, None) is not None:
        results().print(f"… the first {_SHOWN:,} rows; write all of them with --out FILE.csv")


def _write_separated(
    table: RankingTable, file: TextIO, delimiter: str, *, quoting: bool = True, quoted_header: bool = False
) -> None:
    """Write rows so that reading gives the same ids; `quoting` False writes ids as they are."""
    rows = table.rows()
    first = list(islice(rows, 1))  # before the header: where this fails, nothing has been printed
    show_id = _Quoted(delimiter).__getitem__ if quoting else str
    names = [f'"{name}"' for name in table.names] if quoted_header else table.names
    file.write(delimiter.join(names) + "\n")
    file.writelines(
        f"{show_id(query)}{delimiter}{show_id(result)}{delimiter}{rank}{delimiter}{score}\n"
        for query, result, rank, score in chain(first, rows)
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


def _write_csv(table: RankingTable, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        _write_separated(table, file, ",")


def _write_tsv(table: RankingTable, path: Path) -> None:
    """Write tab-separated text, with quotes only where an id needs them; a header in quotes tells the reader."""
    must_quote = any(_needs_quotes(vocabulary) for vocabulary in table.vocabularies)
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
        for query, result, rank, score in table.rows():
            record = dict(zip(table.names, (query, result, rank, float(score)), strict=True))
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
        query = register_columns(database, dict(zip(table.names, ranking.columns(), strict=True)))
        database.execute(f"{'INSERT INTO answers' if made else 'CREATE TABLE answers AS'} {query}")
        database.unregister("block")
        made = True


_WRITERS: dict[str, Callable[[RankingTable, Path], None]] = {
    ".csv": _write_csv,
    ".tsv": _write_tsv,
    ".jsonl": _write_json_lines,
    ".parquet": _write_parquet,
}
