"""Recommendations for every user as one Parquet file, in bounded memory, going on where an interrupted run stopped.

Users are answered in blocks; each block becomes a part in a folder beside the file, written whole or not at all. At the
end the parts are joined in order and removed. A run that is resumed keeps the parts of the same question to the same
model and refuses those of another.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nestrec.embeddings import NestedEmbeddings
from nestrec.export.parts import Parts, block_of, parts_folder
from nestrec.retrieval.request import checked_k

if TYPE_CHECKING:
    from nestrec.retrieval.ranking import Ranking

__all__ = ["COLUMNS", "Question", "Written", "block_of", "parts_folder", "recommend_all"]

COLUMNS = ("user_id", "item_id", "rank", "score")
_ROWS_PER_PART = 1_000_000  # of the table; bounds what is held at once

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Question:
    """What every user is recommended."""

    k: int
    width: int | None = None
    exclude_seen: bool = True
    allow: Sequence[Any] | None = None  # item ids
    deny: Sequence[Any] | None = None  # item ids
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
    overwrite: bool = False,
    threads: int | None = None,
    rows_per_part: int = _ROWS_PER_PART,
    progress: Progress | None = None,
) -> Written:
    """Write the best items of every user to a Parquet file of the columns user_id, item_id, rank, score.

    `progress` is called with the number of users done and their total. Parts of an earlier run are kept where
    `resume` is True and deleted otherwise. Raises OptionError where they belong to another question or model, where
    another run is writing them, where the file exists and `overwrite` is False, or where it cannot be written.
    """
    with Parts(path, _identity(model, question, rows_per_part), overwrite=overwrite) as parts:
        whole = parts.begin(resume)
        if whole is not None:
            return Written(model.n_users, model.n_users, whole, 0, np.zeros(0, dtype=np.int64), 0.0, 0.0)
        return _answered(model, parts, question, threads, rows_per_part, progress)


def _answered(
    model: NestedEmbeddings,
    parts: Parts,
    question: Question,
    threads: int | None,
    rows_per_part: int,
    progress: Progress | None,
) -> Written:
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
            values: tuple[npt.NDArray[Any], ...] = ranking.columns()  # of several types, which a checker joins
            parts.write(number, dict(zip(COLUMNS, values, strict=True)))
        if progress is not None:
            progress(min(first + size, model.n_users), model.n_users)
    n_rows = parts.join()
    return Written(model.n_users, n_kept, n_rows, n_unanswered, skipped, time.perf_counter() - started, found)


def _users_per_part(n_users: int, most: int) -> int:
    """Return the size of parts that are about equal: few users at the end might be answered another way than many."""
    return -(-n_users // -(-n_users // most))


def _ask(model: NestedEmbeddings, ids: npt.NDArray[Any], question: Question, threads: int | None) -> Ranking:
    return model.recommend(
        ids,
        question.k,
        question.width,
        exclude_seen=question.exclude_seen,
        allow=question.allow,
        deny=question.deny,
        exact=question.exact,
        unknown="skip" if question.unknown_items == "skip" else "raise",
        threads=threads,
    )


def _identity(model: NestedEmbeddings, question: Question, rows_per_part: int) -> dict[str, Any]:
    """Return what must be the same for parts to fit each other, as plain values."""
    asked = asdict(question)
    for name in ("allow", "deny"):
        ids = asked[name]
        asked[name] = None if ids is None else hashlib.sha256(repr(list(ids)).encode()).hexdigest()
    plan = None if model.search_config is None else model.search_config.as_manifest()
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
