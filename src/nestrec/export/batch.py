"""Recommendations for all users as one Parquet file, in bounded memory and resumable.

Users are answered in blocks; each block becomes a part in a folder beside the file, written atomically. At the end the
parts are joined in order and removed. A resumed run keeps the parts of the same request to the same model and refuses
others.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.data.interactions import Interactions
from nestrec.embeddings import NestedEmbeddings
from nestrec.export.parts import Parts, parts_folder
from nestrec.reranking.reranker import Reranker
from nestrec.retrieval.id_lookup import Unknown
from nestrec.retrieval.request import check_k

__all__ = ["COLUMNS", "BatchReport", "BatchRequest", "parts_folder", "recommend_all"]

COLUMNS = ("user_id", "item_id", "rank", "score")
TITLE = "title"  # a fifth column
_ROWS_PER_PART = 1_000_000  # of the table; bounds what is held at once

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class BatchRequest:
    """Arguments of `recommend` for all users."""

    k: int
    width: int | None = None
    exclude_seen: bool = True
    allow: Sequence[Any] | Interactions | None = None  # item ids, or pairs of users and items
    deny: Sequence[Any] | Interactions | None = None
    where: str | None = None  # a condition on the item table
    rerank: Reranker | None = None
    popularity_penalty: float = 0.0
    exact: bool = False
    unknown: Unknown = "raise"  # or "skip", of the items in the lists
    titles: bool = False  # a column of titles, which the model must have

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `recommend`."""
        return {name: value for name, value in vars(self).items() if name != "titles"}


@dataclass(frozen=True)
class BatchReport:
    """Counts and times of a run."""

    n_users: int  # all users of the model
    n_resumed: int  # of them, from the parts of an earlier run
    n_rows: int
    n_unanswered: int  # users of this run with nothing left to recommend
    skipped_items: npt.NDArray[Any]  # ids in the allow- and deny-lists that the model does not know
    seconds: float
    search_seconds: float  # of them, spent on searching

    @property
    def users_per_second(self) -> float:
        """Users of this run per second, writing included."""
        return (self.n_users - self.n_resumed) / self.seconds if self.seconds else 0.0


def recommend_all(
    model: NestedEmbeddings,
    path: Path,
    request: BatchRequest,
    *,
    resume: bool = False,
    overwrite: bool = False,
    threads: int | None = None,
    rows_per_part: int = _ROWS_PER_PART,
    progress: Progress | None = None,
) -> BatchReport:
    """Write the best items of every user to a Parquet file of the columns user_id, item_id, rank, score, maybe title.

    `progress` is called with the number of users done and their total. Parts of an earlier run are kept where
    `resume` is True and deleted otherwise. Raises OptionError where they belong to another request or model, where
    another run is writing them, where the file exists and `overwrite` is False, or where it cannot be written.
    """
    with Parts(path, _identity(model, request, rows_per_part), overwrite=overwrite) as parts:
        whole = parts.begin(resume=resume)
        if whole is not None:
            return BatchReport(model.n_users, model.n_users, whole, 0, np.zeros(0, dtype=np.int64), 0.0, 0.0)
        return _recommend(model, parts, request, threads, rows_per_part, progress)


def _recommend(
    model: NestedEmbeddings,
    parts: Parts,
    request: BatchRequest,
    threads: int | None,
    rows_per_part: int,
    progress: Progress | None,
) -> BatchReport:
    started, searching = time.perf_counter(), 0.0
    size = _users_per_part(model.n_users, max(1, rows_per_part // check_k(request.k)))
    n_resumed = n_unanswered = 0
    skipped: npt.NDArray[Any] = np.zeros(0, dtype=np.int64)
    for number, first in enumerate(range(0, model.n_users, size)):
        ids = model.users.ids[first : first + size]
        if parts.has(number):
            n_resumed += len(ids)
        else:
            began = time.perf_counter()
            ranking = model.recommend(ids, **request.arguments(), threads=threads)
            searching += time.perf_counter() - began
            n_unanswered, skipped = n_unanswered + ranking.n_unanswered, ranking.skipped_items
            values: tuple[npt.NDArray[Any], ...] = ranking.columns()  # of several types, which a checker joins
            columns = dict(zip(COLUMNS, values, strict=True))
            titles = ranking.answer_titles() if request.titles else None
            parts.write(number, columns if titles is None else {**columns, TITLE: titles})
        if progress is not None:
            progress(min(first + size, model.n_users), model.n_users)
    n_rows = parts.join()
    return BatchReport(
        model.n_users, n_resumed, n_rows, n_unanswered, skipped, time.perf_counter() - started, searching
    )


def _users_per_part(n_users: int, most: int) -> int:
    """Return the size of about equal parts: a few users at the end might be searched in another way than a batch."""
    return -(-n_users // -(-n_users // most))


def _identity(model: NestedEmbeddings, request: BatchRequest, rows_per_part: int) -> dict[str, Any]:
    """Return what parts of one file have in common, as plain values."""
    values = dict(vars(request))
    for name in ("allow", "deny"):
        values[name] = _identify_choice(values[name])
    values["rerank"] = None if request.rerank is None else repr(request.rerank)
    config = None if model.search_config is None else model.search_config.as_manifest()
    if model.item_table is not None and (request.titles or request.where is not None):
        values["item_table"] = model.item_table.description.as_manifest()
    searched = {"model": _fingerprint(model), "widths": list(model.widths), "search_config": config}
    identity = {"request": values, **searched, "rows_per_part": rows_per_part}
    plain: dict[str, Any] = json.loads(json.dumps(identity))
    return plain


def _identify_choice(choice: Sequence[Any] | Interactions | None) -> str | None:
    if choice is None or isinstance(choice, Interactions):
        return None if choice is None else choice.fingerprint()
    return hashlib.sha256(repr(list(choice)).encode()).hexdigest()


def _fingerprint(model: NestedEmbeddings) -> str:
    """Return the SHA-256 of the vectors and seen items, from the manifest if the model was loaded."""
    files = model.manifest.get("files")
    if isinstance(files, dict):
        return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    digest = hashlib.sha256()
    for array in (model.user_embeddings, model.item_embeddings, model.seen.indptr, model.seen.indices):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
