"""A FAISS index made from a model, as a retriever: faiss proposes items, the model's vectors decide their order.

faiss knows lists of items allowed to all, but no item excluded for one user alone: for each query as many more are
asked for as it excludes, and these are dropped. Scores are those of a full scan, bit for bit. Where faiss proposes
less than what must be returned, all items are scored.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from os import PathLike
from os.path import realpath
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array, Int64Array
from nestrec.atomic.folder import FILE_SUFFIX, FolderLayout, get_stored_name, write_folder
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import ModelFileError, OptionError
from nestrec.export.faiss_kinds import KINDS, FaissKind, faiss_library
from nestrec.kernels.search.rerank import extend, write_all
from nestrec.kernels.search.selection import keys_of
from nestrec.parallel.threads import resolve_threads
from nestrec.retrieval.full_scan import scan
from nestrec.retrieval.request import Request, Retrieved, Work, no_keys, request, retrieved
from nestrec.retrieval.top_k import Exclusions

_FORMAT = "nestrec-faiss"
_DESCRIPTION, _INDEX = "index.json", "index.faiss"
_LAYOUT = FolderLayout(_DESCRIPTION, (_INDEX,))
_ATTEMPTS = 20  # an index that is replaced while it is read is read again


@dataclass(frozen=True, eq=False)
class FaissIndex:
    """The best items among those that a faiss index of a prefix proposes.

    >>> import nestrec
    >>> from nestrec.export.faiss_index import FaissIndex
    >>> from nestrec.export.faiss_kinds import Flat
    >>> model = nestrec.NestedEmbeddings.from_arrays([[1.0, 0.0]], [[2.0, 1.0], [3.0, 1.0]], widths=[1, 2])
    >>> index = FaissIndex.of(model, Flat(), width=1, shortlist=2)
    >>> index.search(model.user_embeddings, k=1).items.tolist()
    [[1]]
    """

    vectors: Float32Array  # (n_items, full width)
    kind: FaissKind
    width: int  # of the index
    shortlist: int  # items proposed; as many as are asked for, if that is more
    index: Any

    @classmethod
    def of(
        cls, model: NestedEmbeddings, kind: FaissKind, *, width: int | None = None, shortlist: int = 200
    ) -> FaissIndex:
        """Build an index of a trained width; None is the widest.

        Raises MissingExtraError without faiss, OptionError for a width not trained or an empty shortlist.
        """
        if shortlist < 1:
            raise OptionError(f"shortlist={shortlist} proposes nothing; give 1 or more")
        prefixes = np.ascontiguousarray(model.at(width or model.embedding_size).item_embeddings)
        return cls(model.item_embeddings, kind, prefixes.shape[1], shortlist, kind.build(prefixes))

    @property
    def n_items(self) -> int:
        """How many items there are."""
        return len(self.vectors)

    @property
    def nbytes(self) -> int:
        """Bytes of the index."""
        return len(faiss_library().serialize_index(self.index))

    def search(
        self,
        queries: npt.ArrayLike,
        k: int,
        exclude: Exclusions | None = None,
        *,
        allow: npt.ArrayLike | None = None,
        deny: npt.ArrayLike | None = None,
        threads: int | None = None,
    ) -> Retrieved:
        """See `nestrec.retrieval.full_scan.Retriever`; items that faiss did not propose are missing."""
        full_width = self.vectors.shape[1]
        asked = request(queries, k, exclude, allow, deny, n_items=self.n_items, width=full_width)
        shown = min(asked.k, self.n_items)
        best = no_keys(len(asked), shown)
        if not len(asked):
            return retrieved(best, asked.k, Work(0, 0, 0))
        proposed = self._proposed(asked, shown, resolve_threads(threads))
        keys, counts = _gathered(proposed)
        rescored = extend(keys, counts, asked.queries, self.vectors, 0, full_width, shown)
        write_all(keys, counts, best)
        result = retrieved(best, asked.k, Work(len(asked) * self.n_items, 0, rescored))
        short = np.flatnonzero(counts < np.minimum(shown, _left(asked, self.n_items)))
        if len(short):
            rest = scan(asked.of(short), self.vectors, full_width, threads)
            result.items[short], result.scores[short] = rest.items, rest.scores
        return result

    def _proposed(self, asked: Request, shown: int, threads: int) -> Int64Array:
        """Return items that may be returned, (n_queries, n), -1 where there are fewer."""
        faiss = faiss_library()
        most = 0 if asked.excluded is None else int(np.diff(asked.excluded.indptr).max(initial=0))
        n = min(self.n_items, max(self.shortlist, shown) + most)
        allowed = None if asked.allowed is None else np.packbits(asked.allowed, bitorder="little")
        selector = None if allowed is None else faiss.IDSelectorBitmap(allowed)
        queries = np.ascontiguousarray(asked.queries[:, : self.width])
        before = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(threads)
        try:
            _, items = self.index.search(queries, n, params=self.kind.effort(n, selector))
        finally:
            faiss.omp_set_num_threads(before)
        return _without(np.asarray(items, dtype=np.int64), asked.excluded, self.n_items)

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the index to a folder beside the model, whole or not at all; other files in it stay.

        Raises OptionError where the path holds an index and `overwrite` is False, ModelFileError where it holds
        something else or cannot be written.
        """
        described = {
            "format": _FORMAT, "kind": self.kind.name, "options": asdict(self.kind), "width": self.width,  # type: ignore[call-overload]
            "shortlist": self.shortlist, "n_items": self.n_items,
        }  # fmt: skip

        def describe(_: Path, suffix: str) -> bytes:
            return (json.dumps({**described, **({FILE_SUFFIX: suffix} if suffix else {})}, indent=2) + "\n").encode()

        try:
            write_folder(
                Path(realpath(path)),
                _LAYOUT,
                lambda folder: faiss_library().write_index(self.index, str(folder / _INDEX)),
                describe,
                lambda: _check_place(Path(path), overwrite),
            )
        except (OSError, RuntimeError) as error:
            raise ModelFileError(f"the index cannot be written to {path} ({error}); name another path") from error

    @classmethod
    def load(cls, path: str | PathLike[str], model: NestedEmbeddings) -> FaissIndex:
        """Open an index that was saved for this model; raise ModelFileError for what is none, or another model's."""
        folder = Path(path)
        try:
            described, index = _read_one_save(folder)
            kind = KINDS[described["kind"]](**described["options"])
            width, shortlist = int(described["width"]), int(described["shortlist"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise ModelFileError(f"{folder} holds no whole index ({error}); build it again") from error
        if index.ntotal != model.n_items or index.d != width:
            raise ModelFileError(
                f"the index at {folder} has {index.ntotal} items of width {index.d}, the model {model.n_items} of "
                f"width {width}; build it again"
            )
        return cls(model.item_embeddings, kind, width, shortlist, index)


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
    raise ValueError("it is being replaced again and again")


def _check_place(path: Path, overwrite: bool) -> None:
    """Raise where an index must not be written."""
    if (path / _DESCRIPTION).is_file():
        if not overwrite:
            raise OptionError(f"{path} already holds an index; name another path, or replace it with overwrite=True")
    elif path.exists() and not (path.is_dir() and all(_LAYOUT.is_left_over(entry.name) for entry in path.iterdir())):
        raise ModelFileError(f"{path} exists and is no index, so it is not replaced; name another path")


def _without(items: Int64Array, excluded: Exclusions | None, n_items: int) -> Int64Array:
    """Strike out each query's excluded items."""
    if excluded is None:
        return items
    rows = np.repeat(np.arange(len(items)), np.diff(excluded.indptr))
    barred = rows * n_items + excluded.indices
    pairs = np.arange(len(items))[:, np.newaxis] * n_items + items
    return np.where((items >= 0) & ~np.isin(pairs, barred), items, -1)


def _gathered(items: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Return keys without scores, (n_queries, n), those there are first, and how many."""
    front = np.take_along_axis(items, np.argsort(items < 0, axis=1, kind="stable"), axis=1)
    return keys_of(np.zeros(front.shape, dtype=np.float32), front), (items >= 0).sum(axis=1)


def _left(asked: Request, n_items: int) -> Int64Array:
    """Return how many items may be returned to each query."""
    allowed = np.ones(n_items, dtype=np.bool_) if asked.allowed is None else asked.allowed
    left = np.full(len(asked), int(allowed.sum()), dtype=np.int64)
    if asked.excluded is not None:
        rows = np.repeat(np.arange(len(asked)), np.diff(asked.excluded.indptr))
        pairs = np.unique(rows * n_items + asked.excluded.indices)
        left -= np.bincount(pairs // n_items, weights=allowed[pairs % n_items], minlength=len(asked)).astype(np.int64)
    return left
