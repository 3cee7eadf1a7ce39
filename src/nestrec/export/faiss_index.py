"""A FAISS index of a model, as a retriever: FAISS proposes candidates, which are reranked by the model's vectors.

FAISS filters items for all queries, but not for a single one: for a query that excludes items, so many more candidates
are searched for, and its excluded ones are dropped. Scores are those of a full scan, bit for bit. Where FAISS proposes
fewer candidates than must be returned, all items are scored.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from os import PathLike
from os.path import realpath
from pathlib import Path
from typing import Any

import numpy as np

from nestrec.arrays import Int64Array
from nestrec.atomic.folder import FILE_SUFFIX, FolderLayout, get_stored_name, write_folder
from nestrec.data.vocabulary import Vocabulary
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import ModelFileError, OptionError, OutputError
from nestrec.export.faiss_kinds import KINDS, FaissKind, faiss_library
from nestrec.kernels.search.rerank import rerank, write_ranking
from nestrec.kernels.search.selection import encode_keys
from nestrec.retrieval.full_scan import scan_all
from nestrec.retrieval.item_lists import ItemLists
from nestrec.retrieval.ranking import Ranking, Work
from nestrec.retrieval.request import Request, empty_keys, rank_keys
from nestrec.retrieval.retriever import Retriever

_FORMAT = "nestrec-faiss"
_DESCRIPTION, _INDEX, _IDS = "index.json", "index.faiss", "items.json"
_LAYOUT = FolderLayout(_DESCRIPTION, (_INDEX, _IDS))
_ATTEMPTS = 20  # an index that is replaced while it is read is read again


@dataclass(frozen=True, eq=False)
class FaissIndex(Retriever):
    """Finds the best items among the candidates of a FAISS index of a prefix.

    >>> import nestrec
    >>> from nestrec.export.faiss_index import FaissIndex
    >>> from nestrec.export.faiss_kinds import Flat
    >>> model = nestrec.NestedEmbeddings.from_arrays([[1.0, 0.0]], [[2.0, 1.0], [3.0, 1.0]], widths=[1, 2])
    >>> index = FaissIndex.build(model, Flat(), width=1, shortlist=2)
    >>> index.search(model.user_embeddings, k=1).ids.tolist()
    [[1]]
    """

    kind: FaissKind
    width: int  # of the index
    shortlist: int  # candidates; k, if that is more
    index: Any
    items: Vocabulary  # ids of the rows

    @classmethod
    def build(
        cls, model: NestedEmbeddings, kind: FaissKind, *, width: int | None = None, shortlist: int = 200
    ) -> FaissIndex:
        """Build an index of a trained width; None is the widest.

        Raises MissingExtraError without faiss, OptionError for a width that was not trained or an empty shortlist.
        """
        if shortlist < 1:
            raise OptionError(f"shortlist must be 1 or more, got {shortlist}")
        prefixes = np.ascontiguousarray(model.at(width or model.embedding_size).item_embeddings)
        return cls(model.item_embeddings, kind, prefixes.shape[1], shortlist, kind.build(prefixes), model.items)

    @property
    def nbytes(self) -> int:
        """Bytes of the index."""
        return len(faiss_library().serialize_index(self.index))

    @property
    def full_width(self) -> int:
        """Width of the returned scores."""
        return int(self.vectors.shape[1])

    def answer(self, request: Request, threads: int) -> Ranking:
        """See `Retriever`."""
        shown = min(request.k, self.n_items)
        best = empty_keys(len(request), shown)
        if not len(request):
            return rank_keys(best, request.k, Work(0, 0, 0))
        keys, counts = _to_keys(self._propose(request, shown, threads))
        reranked = rerank(keys, counts, request.queries, self.vectors, 0, self.full_width, shown)
        write_ranking(keys, counts, best)
        ranking = rank_keys(best, request.k, Work(len(request) * self.n_items, 0, reranked))
        short = np.flatnonzero(counts < np.minimum(shown, _count_allowed(request, self.n_items)))
        if len(short):
            rest = scan_all(request.select(short), self.vectors, self.full_width, threads)
            ranking.ids[short], ranking.scores[short] = rest
        return ranking

    def _propose(self, request: Request, shown: int, threads: int) -> Int64Array:
        """Return candidates that may be returned, (n_queries, n), -1 where there are fewer."""
        faiss = faiss_library()
        n = min(self.n_items, max(self.shortlist, shown) + int(np.diff(request.excluded.indptr).max(initial=0)))
        allowed = None if request.allowed is None else np.packbits(request.allowed, bitorder="little")
        selector = None if allowed is None else faiss.IDSelectorBitmap(allowed)
        queries = np.ascontiguousarray(request.queries[:, : self.width])
        before = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(threads)
        try:
            _, items = self.index.search(queries, n, params=self.kind.search_parameters(n, selector))
        finally:
            faiss.omp_set_num_threads(before)
        return _drop_excluded(np.asarray(items, dtype=np.int64), request.excluded, self.n_items)

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the index and the ids of its rows to a folder atomically; other files in it stay.

        `index.faiss` is for FAISS, `items.json` a list of ids in the order of the rows.

        Raises OutputError where the path holds an index and `overwrite` is False, ModelFileError where it holds
        something else or cannot be written.
        """
        described = {
            "format": _FORMAT, "kind": self.kind.name, "options": asdict(self.kind), "width": self.width,  # type: ignore[call-overload]
            "shortlist": self.shortlist, "n_items": self.n_items,
        }  # fmt: skip

        def describe(suffix: str) -> bytes:
            return (json.dumps({**described, **({FILE_SUFFIX: suffix} if suffix else {})}, indent=2) + "\n").encode()

        try:
            write_folder(
                Path(realpath(path)),
                _LAYOUT,
                self._write_parts,
                lambda _: describe,
                lambda: _check_place(Path(path), overwrite=overwrite),
            )
        except (OSError, RuntimeError) as error:
            raise ModelFileError(f"the index cannot be written to {path} ({error}); name another path") from error

    def _write_parts(self, folder: Path) -> None:
        faiss_library().write_index(self.index, str(folder / _INDEX))
        ids = json.dumps(self.items.ids.tolist(), ensure_ascii=False)
        (folder / _IDS).write_text(ids, encoding="utf-8")

    @classmethod
    def load(cls, path: str | PathLike[str], model: NestedEmbeddings) -> FaissIndex:
        """Open an index that was saved for this model; raise ModelFileError if it is none, or of another model."""
        folder = Path(path)
        try:
            described, index = _read_one_save(folder)
            kind = KINDS[described["kind"]](**described["options"])
            width, shortlist = int(described["width"]), int(described["shortlist"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise ModelFileError(f"{folder} holds no complete index ({error}); build it again") from error
        if index.ntotal != model.n_items or index.d != width:
            raise ModelFileError(
                f"the index at {folder} has {index.ntotal} items of width {index.d}, the model {model.n_items} of "
                f"width {width}; build it again"
            )
        return cls(model.item_embeddings, kind, width, shortlist, index, model.items)


def _read_one_save(folder: Path) -> tuple[dict[str, Any], Any]:
    """Return the description and the index of the same save, also while another save replaces it."""
    for _ in range(_ATTEMPTS):
        text = (folder / _DESCRIPTION).read_text(encoding="utf-8")
        described = json.loads(text)
        path = folder / get_stored_name(_INDEX, described.get(FILE_SUFFIX, ""))
        try:
            index = faiss_library().read_index(str(path))
        except RuntimeError:
            if (folder / _DESCRIPTION).read_text(encoding="utf-8") == text:
                raise
            continue
        if (folder / _DESCRIPTION).read_text(encoding="utf-8") == text:
            return described, index
    raise ValueError("it is being replaced repeatedly")


def _check_place(path: Path, *, overwrite: bool) -> None:
    """Raise where an index must not be written."""
    if (path / _DESCRIPTION).is_file():
        if not overwrite:
            raise OutputError(
                f"{path} already holds an index; name another path, or replace it with overwrite=True",
                mentions=("overwrite=True",),
            )
    elif path.exists() and not (path.is_dir() and all(_LAYOUT.is_left_over(entry.name) for entry in path.iterdir())):
        raise ModelFileError(f"{path} exists and is not an index, so it is not replaced; name another path")


def _drop_excluded(items: Int64Array, excluded: ItemLists, n_items: int) -> Int64Array:
    """Replace each query's excluded items by -1."""
    excluded_pairs = excluded.rows * n_items + excluded.indices
    pairs = np.arange(len(items))[:, np.newaxis] * n_items + items
    return np.where((items >= 0) & ~np.isin(pairs, excluded_pairs), items, -1)


def _to_keys(items: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Return keys without scores, (n_queries, n), -1 at the end, and the number of the others."""
    front = np.take_along_axis(items, np.argsort(items < 0, axis=1, kind="stable"), axis=1)
    return encode_keys(np.zeros(front.shape, dtype=np.float32), front), (items >= 0).sum(axis=1)


def _count_allowed(request: Request, n_items: int) -> Int64Array:
    """Return how many items may be returned to each query."""
    allowed = np.ones(n_items, dtype=np.bool_) if request.allowed is None else request.allowed
    pairs = np.unique(request.excluded.rows * n_items + request.excluded.indices)
    excluded = np.bincount(pairs // n_items, weights=allowed[pairs % n_items], minlength=len(request))
    return int(allowed.sum()) - excluded.astype(np.int64)
