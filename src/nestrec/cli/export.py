"""`nestrec export`: vectors and ids of a model in formats of other tools.

Examples:
  nestrec export model --to npz --out items.npz
  nestrec export model --to parquet --side users --width 16 --out u.parquet
  nestrec export model --to faiss --option kind=hnsw --out model.faiss

Scores are inner products of raw vectors: do not normalize them.

"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from nestrec.cli.console import say
from nestrec.cli.shared_options import ModelFolder, Overwrite, option, output
from nestrec.data.read_report import format_count
from nestrec.errors import OptionError


def export(
    model: ModelFolder,
    to: Annotated[  # a test holds the names to the registry
        str, option("FORMAT", "Format to write: npz, parquet, word2vec, faiss{nestrec.exporters}.", show_default=False)
    ],
    out: Annotated[Path, output("PATH", "File or folder to write.", show_default=False)],
    width: Annotated[int | None, option("W", "Width to truncate the vectors to.", "the widest")] = None,
    side: Annotated[Literal["items", "users"], typer.Option(help="Vectors to write.")] = "items",
    option: Annotated[list[str] | None, option("NAME=VALUE", "Option of the format; repeatable.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write vectors and ids for other tools."""
    from nestrec.embeddings import NestedEmbeddings
    from nestrec.export.exporters import make_exporter

    if str(out) == "-":
        raise OptionError("--out must be a file or folder, such as items.npz, got -; formats are not written to stdout")
    exporter = make_exporter(to, **_parse(option or []))
    loaded = NestedEmbeddings.load(model, search_config=False)
    truncated = loaded if width is None else loaded.at(width)
    exporter.export(truncated, out, side=side, overwrite=overwrite)
    n = truncated.n_items if side == "items" else truncated.n_users
    say(f"Wrote {out}: {format_count(n, side.removesuffix('s'))}, width {truncated.embedding_size}.")


def _parse(options: list[str]) -> dict[str, str]:
    parsed: dict[str, str] = {}
    for text in options:
        name, equals, value = text.partition("=")
        if not equals or not name or name in parsed:
            raise OptionError(f"--option must be NAME=VALUE, each name once; got {text!r}")
        parsed[name.replace("-", "_")] = value
    return parsed
