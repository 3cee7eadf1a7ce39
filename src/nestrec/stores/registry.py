"""Stores by name, those of plug-ins included.

Packages add stores through the entry-point group `nestrec.stores`: each entry point names a `Target`, a frozen
dataclass whose fields are its options.
"""

from __future__ import annotations

import json
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from nestrec.arguments import suggest
from nestrec.errors import OptionError
from nestrec.plugins import merge_plugins
from nestrec.stores.folder import METADATA, holds_model
from nestrec.stores.store import Store, Target

BUILT_IN = {
    "chdb": ("nestrec.stores.chdb_store", "ChDBTarget"),
    "duckdb": ("nestrec.stores.duckdb_store", "DuckDBTarget"),
    "faiss": ("nestrec.stores.faiss_store", "FaissTarget"),
    "lancedb": ("nestrec.stores.lancedb_store", "LanceDBTarget"),
    "milvus-lite": ("nestrec.stores.milvus_store", "MilvusLiteTarget"),
    "pgvector": ("nestrec.stores.pgvector_store", "PgvectorTarget"),
    "qdrant": ("nestrec.stores.qdrant_store", "QdrantTarget"),
    "qdrant-edge": ("nestrec.stores.qdrant_edge", "QdrantEdgeTarget"),
    "sqlite-vec": ("nestrec.stores.sqlite_vec_store", "SqliteVecTarget"),
}


def list_targets() -> dict[str, Any]:
    """Return the targets by name.

    >>> list(list_targets())[:2]
    ['chdb', 'duckdb']
    """
    built_in = {name: getattr(import_module(module), kind) for name, (module, kind) in BUILT_IN.items()}
    return merge_plugins("nestrec.stores", built_in)


def make_target(name: str, **options: Any) -> Target:
    """Return the target of a name; values of options may be text, as on a command line.

    Raises OptionError for unknown names, options and values.
    """
    targets = list_targets()
    if name not in targets:
        raise OptionError(
            f"store must be one of {', '.join(targets)}; got {name!r}{suggest(name, targets)}", option="store"
        )
    names = [field.name for field in fields(targets[name])]
    for option in options:
        if option not in names:
            known = f"must be one of {', '.join(names)}" if names else "are none"
            raise OptionError(f"options of {name} {known}; got {option!r}")
    try:
        target: Target = msgspec.convert(options, targets[name], strict=False)
    except msgspec.ValidationError as error:
        raise OptionError(f"options of {name} must fit their types ({error})") from error
    return target


def open_store(place: str | Path, store: str | None = None, **options: Any) -> Store:
    """Return the store at a place: a folder, which says what it is, or an address with the name of the store.

    >>> open_store("shop", "duckdb").name
    'duckdb'
    """
    return make_target(detect_store(place) if store is None else store, **options).open(str(place))


def detect_store(place: str | Path) -> str:
    """Return the name of the store in a folder; raise OptionError where the folder does not say it."""
    folder = Path(place)
    if holds_model(folder):
        raise OptionError(f"{place} is the folder of a model; give the folder that the model was exported to")
    if "://" not in str(place) and not folder.exists():
        raise OptionError(
            f"there is no store at {place}: the folder does not exist; export a model to it, or give store=NAME for "
            "the address of a server",
            mentions=("store=NAME",),
        )
    try:
        return str(json.loads((Path(place) / METADATA).read_text(encoding="utf-8"))["store"])
    except (OSError, ValueError, KeyError, TypeError):
        raise OptionError(
            f"store must be named for {place}, which is not a folder of nestrec export; one of "
            f"{', '.join(list_targets())}",
            option="store",
        ) from None
