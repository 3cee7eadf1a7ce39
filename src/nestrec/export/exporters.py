"""Exporters: vectors and ids of a model in formats of other tools, by name.

An exporter is a frozen dataclass whose fields are its options. Packages add exporters through the entry-point group
`nestrec.exporters`: each entry point names such a class. `nestrec export MODEL --to NAME` takes them from here.
"""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module
from typing import Any

import msgspec

from nestrec.arguments import suggest
from nestrec.errors import OptionError
from nestrec.export.exporter import Exporter
from nestrec.plugins import merge_plugins

_BUILT_IN = {
    "npz": ("nestrec.export.vector_files", "NpzExporter"),
    "parquet": ("nestrec.export.vector_files", "ParquetExporter"),
    "word2vec": ("nestrec.export.vector_files", "Word2VecExporter"),
    "faiss": ("nestrec.export.faiss_index", "FaissExporter"),
}


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

    >>> make_exporter("faiss", kind="hnsw")
    FaissExporter(kind='hnsw', shortlist=200)
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
