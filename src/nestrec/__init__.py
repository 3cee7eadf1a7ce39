"""nestrec: recommender embeddings that nest. Public names load on first use, so that importing it costs nothing."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nestrec.data.interactions import Interactions as Interactions
    from nestrec.data.vocabulary import Vocabulary as Vocabulary
    from nestrec.embeddings import NestedEmbeddings as NestedEmbeddings
    from nestrec.retrieval.ranking import Ranking as Ranking
    from nestrec.widths import Widths as Widths

_HOMES = {
    "Interactions": "nestrec.data.interactions",
    "NestedEmbeddings": "nestrec.embeddings",
    "Ranking": "nestrec.retrieval.ranking",
    "Vocabulary": "nestrec.data.vocabulary",
    "Widths": "nestrec.widths",
}

__all__ = ["Interactions", "NestedEmbeddings", "Ranking", "Vocabulary", "Widths"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("nestrec")
    if name not in _HOMES:
        raise AttributeError(f"module 'nestrec' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
