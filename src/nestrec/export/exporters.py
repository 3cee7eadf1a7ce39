"""Exporters: vectors and ids of a model in formats of other tools, by name.

An exporter is a frozen dataclass whose fields are its options. Packages add exporters through the entry-point group
`nestrec.exporters`: each entry point names such a class. `nestrec export MODEL --to NAME` takes them from here.
"""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from nestrec.arguments import suggest
from nestrec.arrays import Float32Array
from nestrec.data.ids import IdArray
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError
from nestrec.plugins import merge_plugins

Side = Literal["items", "users"]
_BUILT_IN = {
    "npz": ("nestrec.export.vector_files", "NpzExporter"),
    "parquet": ("nestrec.export.table_files", "ParquetExporter"),
    "feather": ("nestrec.export.table_files", "FeatherExporter"),
    "csv": ("nestrec.export.table_files", "CsvExporter"),
    "safetensors": ("nestrec.export.safetensors_file", "SafetensorsExporter"),
    "word2vec": ("nestrec.export.vector_files", "Word2VecExporter"),
    "elasticsearch": ("nestrec.stores.feeds.elasticsearch", "ElasticsearchExporter"),
    "opensearch": ("nestrec.stores.feeds.elasticsearch", "OpenSearchExporter"),
    "redis": ("nestrec.stores.feeds.redis", "RedisExporter"),
    "vespa": ("nestrec.stores.feeds.vespa", "VespaExporter"),
    "weaviate": ("nestrec.stores.feeds.weaviate", "WeaviateExporter"),
}


class Exporter(Protocol):
    """Writes vectors and ids in a format of other tools."""

    def export(self, model: NestedEmbeddings, path: Path, *, side: Side = "items", overwrite: bool = False) -> None:
        """Write the vectors of the model's widest width, in the order of its ids, atomically.

        Raises OptionError where the path exists and `overwrite` is False, or cannot be written, and for ids that the
        format cannot hold.
        """


def select_side(model: NestedEmbeddings, side: Side) -> tuple[IdArray, Float32Array]:
    """Return the ids and vectors of items or users; raise OptionError for any other side."""
    if side == "items":
        return model.items.ids, model.item_embeddings
    if side == "users":
        return model.users.ids, model.user_embeddings
    raise OptionError(f"side must be items or users, got {side!r}", option="side")


def list_exporters() -> dict[str, Any]:
    """Return the exporter classes by name, those of plug-ins included.

    >>> list(list_exporters())[:2]
    ['npz', 'parquet']
    """
    built_in = {name: getattr(import_module(module), kind) for name, (module, kind) in _BUILT_IN.items()}
    return merge_plugins("nestrec.exporters", built_in)


def make_exporter(name: str, **options: Any) -> Exporter:
    """Return the exporter of a name; values of options may be text, as on a command line.

    Raises OptionError for unknown names, options and values.

    >>> make_exporter("word2vec")
    Word2VecExporter()
    """
    exporters = list_exporters()
    if name not in exporters:
        raise OptionError(f"the format must be one of {', '.join(exporters)}; got {name!r}{suggest(name, exporters)}")
    names = [field.name for field in fields(exporters[name])]
    for option in options:
        if option not in names:
            known = f"must be one of {', '.join(names)}" if names else "are none"
            raise OptionError(f"options of {name} {known}; got {option!r}")
    try:
        exporter: Exporter = msgspec.convert(options, exporters[name], strict=False)
    except msgspec.ValidationError as error:
        raise OptionError(f"options of {name} must fit their types ({error})") from error
    return exporter
