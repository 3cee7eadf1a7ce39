"""A model that is served: loaded, verified, prepared for every width, and warm."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.embeddings import NestedEmbeddings
from nestrec.reranking.diversify import Diversify
from nestrec.serving.messages import ModelDescription
from nestrec.serving.prepare import prepare_widths

_VERSION_DIGITS = 16
_WARM_USERS = 8
_K = 10
_CLEARLY = 0.9  # a narrower width is taken under load where it costs at most this share of the next wider one


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A model with its name and version, and what was measured when it was loaded."""

    name: str
    version: str
    model: NestedEmbeddings
    milliseconds: dict[int, float]  # of processor time of one request, by width: the quickest of several
    loaded_at: str

    @property
    def widest(self) -> int:
        """The embedding size."""
        return self.model.embedding_size

    @property
    def narrower(self) -> tuple[int, ...]:
        """Widths to answer at under load, widest first: each clearly quicker than the one before it."""
        found = [self.widest]
        for width in reversed(self.model.widths.values):
            if self.milliseconds[width] <= _CLEARLY * self.milliseconds[found[-1]]:
                found.append(width)
        return tuple(found)

    @property
    def has_titles(self) -> bool:
        """Whether the item table has a column of titles."""
        table = self.model.item_table
        return table is not None and table.title_column is not None

    @cached_property
    def _titles(self) -> npt.NDArray[Any]:
        table = self.model.item_table
        assert table is not None
        return table.titles_at(np.arange(self.model.n_items, dtype=np.int32))

    def titles_of(self, item_ids: npt.NDArray[Any]) -> list[str]:
        """Return the titles of items of the model, empty text where there is none."""
        titles: list[str] = self._titles[self.model.items.index_of(item_ids)].tolist()
        return titles

    def check_width(self, width: int) -> int:
        """Return a trained width; raise OptionError for another one."""
        return self.model.widths.values[self.model.widths.level_of(width)]

    def describe(self) -> ModelDescription:
        """Return what /v1/models says."""
        model, table = self.model, self.model.item_table
        return ModelDescription(
            name=self.name,
            version=self.version,
            loaded_at=self.loaded_at,
            widths=list(model.widths.values),
            n_users=model.n_users,
            n_items=model.n_items,
            columns={} if table is None else table.columns,
            has_titles=self.has_titles,
            milliseconds={str(width): round(value, 3) for width, value in self.milliseconds.items()},
        )


def open_served_model(name: str, path: Path) -> ServedModel:
    """Load a model, check all its contents, prepare every width and answer a few requests at each.

    Raises ModelFileError for a model that is not whole.
    """
    return serve_model(name, NestedEmbeddings.load(path, verify=True))


def serve_model(name: str, model: NestedEmbeddings) -> ServedModel:
    """Return a model in memory with every width prepared and measured."""
    prepared = prepare_widths(model)
    _compile(prepared)
    served = ServedModel(
        name, _version(model), prepared, _measure(prepared), datetime.now(UTC).isoformat(timespec="seconds")
    )
    if served.has_titles:
        served.titles_of(prepared.items.ids[:1])
    return served


def _version(model: NestedEmbeddings) -> str:
    """Return the first digits of the manifest's checksum, which covers those of all files."""
    digest = model.manifest.get("sha256")
    return str(digest)[:_VERSION_DIGITS] if digest else "unsaved"


def _measure(model: NestedEmbeddings) -> dict[int, float]:
    """Return the milliseconds of processor time of the quickest of a few requests at each width."""
    users = model.users.ids[:: max(1, model.n_users // _WARM_USERS)][:_WARM_USERS].tolist()
    k = min(_K, model.n_items)
    measured = {}
    for width in model.widths:
        model.recommend(users[0], k, width, threads=1)
        model.recommend(users, k, width, threads=1)
        times = []
        for user in users:
            start = time.thread_time()
            model.recommend(user, k, width, threads=1)
            times.append(time.thread_time() - start)
        measured[width] = 1_000 * min(times)
    return measured


def _compile(model: NestedEmbeddings) -> None:
    """Answer a request of each other kind, so that no client waits for a compiler."""
    user, items, k = model.users.ids[0], model.items.ids[:2].tolist(), min(_K, model.n_items)
    model.recommend(user, k, exact=True, allow=items, threads=1)
    model.recommend(user, k, rerank=Diversify(), deny=items[:1], threads=1)
    model.recommend_for([items], k, threads=1)
    model.similar_items(items[0], k, threads=1)
    model.explain(user, items[0])
