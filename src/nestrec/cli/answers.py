"""Rankings as a table of four columns, written in blocks so that a file may be larger than memory."""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from nestrec.cli.console import results, show
from nestrec.cli.destination import check_file_place, written_whole
from nestrec.errors import OptionError
from nestrec.report.table import TextTable

if TYPE_CHECKING:
    from nestrec.retrieval.ranking import Ranking

_SHOWN = 1000  # rows of a table on a terminal
_DATABASE_MEMORY = "256MB"


@dataclass(frozen=True)
class Answers:
    """Names of the columns, and rankings that fill them."""

    names: tuple[str, str, str, str]  # asked, answer, rank, score
    rankings: Iterable[Ranking]

    def rows(self) -> Iterator[tuple[Any, Any, int, str]]:
        """Yield the rows; a score is the shortest text that reads back as the same float32."""
        for ranking in self.rankings:
            asked, answers, ranks, scores = ranking.columns()
            yield from zip(asked.tolist(), answers.tolist(), ranks.tolist(), scores.astype(str).tolist(), strict=True)


def check_answers_place(path: Path | None) -> None:
    """Raise OptionError where answers could not be written to `path` later; None is stdout."""
    if path is None:
        return
    if path.suffix.lower() not in _WRITERS:
        raise OptionError(f"--out {path} names no format; end it with one of {', '.join(_WRITERS)}")
    check_file_place(path)


def write_answers(answers: Answers, path: Path | None) -> None:
    """Write to a file, as its name says, or to stdout: a table on a terminal, CSV elsewhere."""
    if path is not None:
        with written_whole(path) as partial:
            _WRITERS[path.suffix.lower()](answers, partial)
    elif results().is_terminal:
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


def _write_separated(answers: Answers, file: TextIO, delimiter: str) -> None:
    rows = answers.rows()
    first = list(islice(rows, 1))  # before the header: where this fails, nothing has been printed
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    writer.writerow(answers.names)
    writer.writerows(first)
    writer.writerows(rows)


def _write_csv(answers: Answers, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        _write_separated(answers, file, ",")


def _write_tsv(answers: Answers, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        _write_separated(answers, file, "\t")


def _write_json_lines(answers: Answers, path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for asked, answer, rank, score in answers.rows():
            record = dict(zip(answers.names, (asked, answer, rank, float(score)), strict=True))
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def _write_parquet(answers: Answers, path: Path) -> None:
    """Collect in a database on disk, since duckdb writes a Parquet file in one statement."""
    import duckdb

    try:
        with tempfile.TemporaryDirectory(prefix=".nestrec-", dir=path.parent) as folder:
            settings: dict[str, str | bool | int | float | list[str]] = {
                "memory_limit": _DATABASE_MEMORY,
                "threads": "1",
            }
            with duckdb.connect(str(Path(folder) / "answers.duckdb"), config=settings) as database:
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
