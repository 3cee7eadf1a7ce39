"""`nestrec export`: vectors and ids of a model in files of other tools, or in a vector store that is kept up to date.

Examples:
  nestrec export model --to npz --out items.npz
  nestrec export model --to parquet --side users --width 16 --out u.parquet
  nestrec export model --to duckdb --side both --out shop
  nestrec export model --to qdrant --out http://localhost:6333 --verify 100
  nestrec export new --to qdrant-edge --out shop --changed-since model
  nestrec export model --to qdrant-edge --out fine --option ef=800

Scores are inner products of raw vectors: do not normalize them. A store gets prefixes for a search in two stages, with
the titles and columns of the item table. Repeated, the command writes only what changed, deletes what is gone, and
continues an export that was interrupted.

"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nestrec.cli.console import say
from nestrec.cli.shared_options import ModelFolder, Overwrite, option
from nestrec.cli.store_options import StoreOptions, parse_target_options
from nestrec.data.read_report import format_count
from nestrec.errors import OptionError

if TYPE_CHECKING:
    from nestrec.embeddings import NestedEmbeddings


_ENDINGS = {  # of files, and the format that each is of
    ".npz": "npz", ".parquet": "parquet", ".feather": "feather", ".arrow": "feather", ".csv": "csv", ".tsv": "csv",
    ".safetensors": "safetensors", ".vec": "word2vec",
}  # fmt: skip
_OF_FILES = ("--quantize", "--where")  # options of stores that files have too


def export(
    model: ModelFolder,
    stores: StoreOptions,
    to: Annotated[  # a test holds the names to the registries
        str,
        option(
            "NAME",
            "Format to write: npz, parquet, feather, csv, safetensors, word2vec, elasticsearch, opensearch, "
            "redis, vespa, weaviate{nestrec.exporters}. "
            "Or store: chdb, duckdb, faiss, lancedb, milvus-lite, pgvector, qdrant, qdrant-edge, "
            "sqlite-vec{nestrec.stores}.",
            show_default=False,
        ),
    ],
    out: Annotated[str, option("PATH|URL", "File or folder to write, or address of a store.", show_default=False)],
    width: Annotated[int | None, option("W", "Width to truncate the vectors of a file to.", "the widest")] = None,
    side: Annotated[Literal["items", "users", "both"], typer.Option(help="Vectors to write.")] = "items",
    option: Annotated[list[str] | None, option("NAME=VALUE", "Option of the format or store; repeatable.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write vectors and ids to files of other tools or to vector stores."""
    from nestrec.embeddings import NestedEmbeddings
    from nestrec.export.exporters import list_exporters, make_exporter
    from nestrec.export.item_columns import keep_items

    if out == "-":
        raise OptionError("--out must be a file or folder, such as items.npz, got -; formats are not written to stdout")
    options = parse_target_options(option)
    if to in _list_stores():
        from nestrec.cli.store_export import write_store

        if width is not None:
            raise OptionError(f"--width is of files; for {to} give --widths, such as --widths 16,64")
        write_store(model, to, out, stores.request(side, overwrite=overwrite), stores, options)
        return
    exporters = list_exporters()
    _check_format(to, side, stores, list(exporters))
    if stores.quantize is not None:
        options["quantize"] = stores.quantize
    exporter = make_exporter(to, **options)
    _check_ending(to, out)
    loaded = NestedEmbeddings.load(model, search_config=False)
    if stores.where is not None and side == "items":
        loaded = keep_items(loaded, stores.where)
    _write_file(loaded if width is None else loaded.at(width), exporter, Path(out), side, overwrite=overwrite)


def _write_file(model: NestedEmbeddings, exporter: Any, out: Path, side: Any, *, overwrite: bool) -> None:
    exporter.export(model, out, side=side, overwrite=overwrite)
    n = model.n_items if side == "items" else model.n_users
    say(f"Wrote {out}: {format_count(n, side.removesuffix('s'))}, width {model.embedding_size}.")


def _check_ending(to: str, out: str) -> None:
    """Raise OptionError for a name that ends as files of another format do."""
    other = _ENDINGS.get(Path(out).suffix.lower(), to)
    own = [ending for ending, name in _ENDINGS.items() if name == to]
    if other != to and own:
        raise OptionError(
            f"--out must end with {' or '.join(own)} for --to {to}, got {out}; for that give --to {other}"
        )


def _list_stores() -> dict[str, Any]:
    from nestrec.stores.registry import list_targets

    return list_targets()


def _check_format(to: str, side: str, stores: StoreOptions, formats: list[str]) -> None:
    """Raise OptionError for a name that is neither a format nor a store, and for options that formats do not have."""
    from nestrec.arguments import suggest

    names = [*formats, *_list_stores()]
    if to not in names:
        raise OptionError(f"--to must be one of {', '.join(names)}; got {to!r}{suggest(to, names)}")
    given = [name for name in stores.list_given() if name not in _OF_FILES]
    given += ["--side both"] if side == "both" else []
    if given:
        raise OptionError(f"{', '.join(given)} must go with a store, {', '.join(_list_stores())}; got --to {to}")
