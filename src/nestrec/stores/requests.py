"""Validated queries of a store, and the ranking of what it found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nestrec.arguments import check_integer, check_integers
from nestrec.arrays import Float32Array
from nestrec.data.ids import TEXT, IdArray, as_text, canonicalize_ids, parse_whole_number
from nestrec.errors import OptionError
from nestrec.retrieval.ranking import Ranking
from nestrec.retrieval.request import check_k, validate_request
from nestrec.stores.metadata import StoreMetadata

DEFAULT_SHORTLIST = 200


class Stage(NamedTuple):
    """One stage of a search: the width it scores by, and how many items it keeps."""

    width: int
    limit: int


@dataclass(frozen=True, eq=False)
class Query:
    """One user's search."""

    vector: Float32Array  # (width of the last stage,)
    stages: tuple[Stage, ...]
    """The limit of the last stage is k."""
    excluded: list[Any]
    """Item ids, of the type that the store has."""
    exact: bool
    metadata: StoreMetadata
    """Of the store when the search began."""

    @property
    def k(self) -> int:
        """Number of items to return."""
        return self.stages[-1].limit

    def prefix(self, stage: Stage) -> list[float]:
        """Return the vector that a stage scores with."""
        values: list[float] = self.vector[: stage.width].tolist()
        return values


def make_stages(
    metadata: StoreMetadata, k: int, widths: Sequence[int] | None, shortlist: int | Sequence[int] | None
) -> tuple[Stage, ...]:
    """Return the stages of a search; a shortlist is never shorter than k."""
    k, points = check_k(k), metadata.operating_points
    if widths is None:
        widths = points[-1].widths if points else metadata.layout.widths[-1:]
    chosen = check_integers("widths", widths, "16, 64")
    stored = metadata.layout.widths
    if not chosen or list(chosen) != sorted(set(chosen)) or not set(chosen) <= set(stored):
        raise OptionError(
            f"widths must ascend and be among the stored ones, {', '.join(map(str, stored))}; got "
            f"{', '.join(map(str, chosen)) or 'none'}",
            option="widths",
        )
    limits = _shortlists(
        shortlist, len(chosen) - 1, next((p.shortlist for p in reversed(points) if p.widths == chosen), None)
    )
    return tuple(Stage(width, max(limit, k)) for width, limit in zip(chosen, (*limits, k), strict=True))


def make_queries(
    metadata: StoreMetadata,
    user_vectors: npt.ArrayLike,
    stages: tuple[Stage, ...],
    exclude: Sequence[Any] | None,
    *,
    exact: bool,
) -> list[Query]:
    """Return a query for each vector; raise OptionError or DataError for vectors and lists that do not fit."""
    size = stages[-1].width
    vectors = validate_request(user_vectors, stages[-1].limit, None, None, None, n_items=0, width=size).queries
    if exclude is not None and len(exclude) != len(vectors):
        raise OptionError(
            f"exclude must have a list of item ids for each of {len(vectors)} vectors, got {len(exclude)} lists",
            option="exclude",
        )
    id_type = metadata.layout.side("items").id_type
    lists = [[]] * len(vectors) if exclude is None else [_as_stored(ids, id_type) for ids in exclude]
    return [Query(vector, stages, ids, exact, metadata) for vector, ids in zip(vectors, lists, strict=True)]


def rank_answers(answers: Sequence[Any], k: int, id_type: str) -> Ranking:
    """Return answers of ids and scores as a ranking, best first and equal scores by id, padded to k."""
    ids: IdArray = np.full(
        (len(answers), k), "" if id_type == "VARCHAR" else -1, TEXT if id_type == "VARCHAR" else "i8"
    )
    scores = np.full((len(answers), k), -np.inf, dtype=np.float32)
    for row, (found, values) in enumerate(answers):
        best = sorted(zip(values, found, strict=True), key=lambda pair: (-pair[0], pair[1]))[:k]
        if best:
            ids[row, : len(best)] = [identity for _, identity in best]
            scores[row, : len(best)] = [score for score, _ in best]
    return Ranking(ids, scores, np.arange(len(answers)))


def _shortlists(shortlist: int | Sequence[int] | None, n: int, recommended: int | None) -> tuple[int, ...]:
    if shortlist is None:
        return (recommended or DEFAULT_SHORTLIST,) * n
    limits = (
        (check_integer("shortlist", shortlist, DEFAULT_SHORTLIST),) * n
        if isinstance(shortlist, (int, np.integer))
        else check_integers("shortlist", shortlist, "1000, 200")
    )
    if len(limits) != n or any(limit < 1 for limit in limits):
        raise OptionError(
            f"shortlist must be 1 or more, one number or {n} of them, one for each width but the last; got {shortlist}",
            option="shortlist",
        )
    return limits


def _as_stored(ids: Any, id_type: str) -> list[Any]:
    """Return ids in the type of the store; those that it cannot hold are left out."""
    found = canonicalize_ids(ids) if len(ids) else np.zeros(0, dtype=np.int64)
    if id_type == "VARCHAR":
        texts: list[Any] = as_text(found).tolist()
        return texts
    if found.dtype.kind == "T":
        numbers = [parse_whole_number(text) for text in found.tolist()]
        return [number for number in numbers if number is not None]
    plain: list[Any] = found.tolist()
    return plain
