"""Recommendations for every user as one Parquet file, in bounded memory, going on where an interrupted run stopped.

Users are answered in blocks; each block becomes a part in a folder beside the file, written whole or not at all. At the
end the parts are joined in order and removed. A run that is resumed keeps the parts of the same question to the same
model and refuses those of another.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError
from nestrec.retrieval.request import checked_k

if TYPE_CHECKING:
    from nestrec.retrieval.ranking import Ranking

COLUMNS = ("user_id", "item_id", "rank", "score")
_ROWS_PER_PART = 1_000_000  # of the table; bounds what is held at once
_DATABASE_MEMORY = "256MB"
_QUESTION = "question.json"

Heard = Callable[[int, int], None]


@dataclass(frozen=True)
class Question:
    """What every user is recommended."""

    k: int
    width: int | None = None
    exclude_seen: bool = True
    only: Sequence[Any] | None = None  # item ids
    without: Sequence[Any] | None = None  # item ids
    exact: bool = False
    unknown_items: str = "raise"  # or "skip"


@dataclass(frozen=True)
class Written:
    """What a run did."""

    n_users: int  # all users of the model
    n_kept: int  # of them, found in the parts of an earlier run
    n_rows: int
    n_unanswered: int  # users of this run with nothing left to recommend
    skipped_items: npt.NDArray[Any]  # ids among those allowed and denied that the model does not know
    seconds: float
    finding_seconds: float  # of them, spent on finding items

    @property
    def users_per_second(self) -> float:
        """Users of this run by its seconds, writing included."""
        return (self.n_users - self.n_kept) / self.seconds if self.seconds else 0.0


def recommend_all(
    model: NestedEmbeddings,
    path: Path,
    question: Question,
    *,
    resume: bool = False,
    threads: int | None = None,
    rows_per_part: int = _ROWS_PER_PART,
    heard: Heard | None = None,
) -> Written:
    """Write the best items of every user to a Parquet file of the columns user_id, item_id, rank, score.

    `heard` is told how many users are done and how many there are. Parts of an earlier run are kept where `resume` is
    True and thrown away otherwise. Raises OptionError where they belong to another question or model, or where the file
    cannot be written.
    """
    parts = _Parts(path, _identity(model, question, rows_per_part))
    parts.begin(resume)
    started, found = time.perf_counter(), 0.0
    size = _users_per_part(model.n_users, max(1, rows_per_part // checked_k(question.k)))
    n_kept = n_unanswered = 0
    skipped: npt.NDArray[Any] = np.zeros(0, dtype=np.int64)
    for number, first in enumerate(range(0, model.n_users, size)):
        ids = model.users.ids[first : first + size]
        if parts.has(number):
            n_kept += len(ids)
        else:
            asked = time.perf_counter()
            ranking = _ask(model, ids, question, threads)
            found += time.perf_counter() - asked
            n_unanswered, skipped = n_unanswered + ranking.n_unanswered, ranking.skipped_items
            parts.write(number, ranking)
        if heard is not None:
            heard(min(first + size, model.n_users), model.n_users)
    n_rows = parts.join()
    return Written(model.n_users, n_kept, n_rows, n_unanswered, skipped, time.perf_counter() - started, found)


def _users_per_part(n_users: int, most: int) -> int:
    """Return the size of parts that are about equal: few users at the end might be answered another way than many."""
    return -(-n_users // -(-n_users // most))


def parts_folder(path: Path) -> Path:
    """Return where the parts of a file lie until it is whole."""
    return path.with_name(f"{path.name}.parts")


def _ask(model: NestedEmbeddings, ids: npt.NDArray[Any], question: Question, threads: int | None) -> Ranking:
    return model.recommend(
        ids,
        question.k,
        question.width,
        exclude_seen=question.exclude_seen,
        only=question.only,
        without=question.without,
        exact=question.exact,
        unknown="skip" if question.unknown_items == "skip" else "raise",
        threads=threads,
    )


def _identity(model: NestedEmbeddings, question: Question, rows_per_part: int) -> dict[str, Any]:
    """Return what must be the same for parts to fit each other, as plain values."""
    asked = asdict(question)
    for name in ("only", "without"):
        ids = asked[name]
        asked[name] = None if ids is None else hashlib.sha256(repr(list(ids)).encode()).hexdigest()
    plan = None if model.plan is None else model.plan.as_manifest()
    answering = {"model": _fingerprint(model), "widths": list(model.widths), "plan": plan}
    identity = {"question": asked, **answering, "rows_per_part": rows_per_part}
    plain: dict[str, Any] = json.loads(json.dumps(identity))
    return plain


def _fingerprint(model: NestedEmbeddings) -> str:
    """Return the SHA-256 of the vectors and of what was seen: from the manifest where they were loaded."""
    files = model.manifest.get("files")
    if isinstance(files, dict):
        return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    digest = hashlib.sha256()
    for array in (model.user_embeddings, model.item_embeddings, model.seen.indptr, model.seen.indices):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


class _Parts:
    """The folder of parts and the file they become."""

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        self._path, self._identity, self._folder = path, identity, parts_folder(path)

    def begin(self, resume: bool) -> None:
        described = self._folder / _QUESTION
        if self._folder.exists() and not described.is_file():
            raise OptionError(f"{self._folder} holds something else than parts; move it or name another file")
        if self._folder.exists() and resume:
            if _read(described) != self._identity:
                raise OptionError(
                    f"{self._folder} holds answers to another question or of another model; ask the same, or leave "
                    "resume out to begin anew"
                )
            return
        shutil.rmtree(self._folder, ignore_errors=True)
        partial = self._folder.with_name(f".{self._folder.name}.partial")  # there with its question, or not at all
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir(parents=True)
            (partial / _QUESTION).write_text(json.dumps(self._identity), encoding="utf-8")
            partial.rename(self._folder)
        except OSError as error:
            raise OptionError(f"{self._folder} cannot be made ({error.strerror}); name another place") from error

    def has(self, number: int) -> bool:
        return self._part(number).is_file()

    def write(self, number: int, ranking: Ranking) -> None:
        """Write a part, whole or not at all."""
        values: tuple[npt.NDArray[Any], ...] = ranking.columns()  # of several types, which a checker joins as it likes
        columns = dict(zip(COLUMNS, values, strict=True))
        self._written(self._part(number), lambda database: database.from_query(block_of(database, columns)))

    def join(self) -> int:
        """Write the file from all parts in their order, remove them, and return how many rows it has."""
        files = [str(part) for part in sorted(self._folder.glob("part-*.parquet"))]
        n_rows = self._written(self._path, lambda database: database.read_parquet(files))
        shutil.rmtree(self._folder, ignore_errors=True)
        return n_rows

    def _part(self, number: int) -> Path:
        return self._folder / f"part-{number:08d}.parquet"

    def _written(self, path: Path, query: Callable[[Any], Any]) -> int:
        import duckdb

        partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.partial")
        settings: dict[str, str | bool | int | float | list[str]] = {"memory_limit": _DATABASE_MEMORY, "threads": "1"}
        try:
            with duckdb.connect(config=settings) as database:
                database.execute("SET enable_progress_bar = false")  # standard output is for answers
                table = query(database)
                n_rows = int(table.count("*").fetchall()[0][0])
                table.write_parquet(str(partial))
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
            partial.replace(path)
        except (duckdb.Error, OSError) as error:
            raise OptionError(f"{path} cannot be written ({error}); name another place") from error
        finally:
            partial.unlink(missing_ok=True)
        return n_rows


def _read(question: Path) -> Any:
    """Return the question that parts answer; None where it cannot be read."""
    try:
        return json.loads(question.read_text(encoding="utf-8"))
    except ValueError:
        return None


def block_of(database: Any, columns: dict[str, npt.NDArray[Any]]) -> str:
    """Register columns with duckdb and return the query that reads them.

    Text goes as Python strings, since duckdb knows nothing of numpy's StringDType, and is named as text: a block in
    which nobody has an item left would have no type otherwise.
    """
    is_text = {name: column.dtype.kind == "T" for name, column in columns.items()}
    plain = {name: column.astype(object) if is_text[name] else column for name, column in columns.items()}
    database.register("block", plain)
    return f"SELECT {', '.join(f'{name}::VARCHAR AS {name}' if is_text[name] else name for name in columns)} FROM block"
