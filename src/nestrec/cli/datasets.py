"""`nestrec datasets`: public data sets, listed and downloaded.

Examples:
  nestrec datasets
  nestrec datasets download ml-100k
  nestrec datasets download ml-32m --folder data

An interrupted download resumes where it stopped. NESTREC_DATASETS_URL names a mirror.

"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nestrec.cli.console import results, say, show
from nestrec.cli.shared_options import argument, option
from nestrec.report.sizes import format_bytes
from nestrec.report.table import TextTable

if TYPE_CHECKING:
    from nestrec.data.read_options import ReadOptions

Folder = Annotated[
    Path | None,
    option("FOLDER", "Folder of data sets; by default nestrec/datasets in the user cache.", show_default=False),
]


def datasets(context: typer.Context, folder: Folder = None) -> None:
    """List public data sets, or download one."""
    if context.invoked_subcommand is None:
        _list(folder)


def download(
    context: typer.Context,
    name: Annotated[str, argument("NAME", "Name of a data set.")],
    folder: Folder = None,
) -> None:
    """Download and verify a data set, and print how to train on it."""
    from nestrec.cli.progress import byte_bar
    from nestrec.data.datasets import download as fetch
    from nestrec.data.datasets import get_dataset

    data = get_dataset(name)
    say(f"{data.title}\n{data.licence}\nFull terms: {data.licence_url}\nCite: {data.citation}")
    place = folder if folder is not None else context.parent.params["folder"] if context.parent else None
    with byte_bar(data.archive) as advance:
        path = fetch(name, place, progress=advance)
    results().print(str(path), soft_wrap=True)
    say(f"Next:\n  nestrec train {shlex.quote(str(path))} --out {name}-model{_reading_options(data.options)}")


def _list(folder: Path | None) -> None:
    from nestrec.data.datasets import PUBLIC_DATASETS, find_downloaded, get_default_folder

    rows = tuple(
        (data.name, format_bytes(data.n_bytes), data.title, "yes" if find_downloaded(data.name, folder) else "no")
        for data in PUBLIC_DATASETS.values()
    )
    show(TextTable(("name", "download", "title", "downloaded"), rows, n_left=4))
    for licence in dict.fromkeys(data.licence for data in PUBLIC_DATASETS.values()):
        results().print(licence, soft_wrap=True)
    say(f"Folder: {folder or get_default_folder()}. Download one with: nestrec datasets download NAME")


def _reading_options(options: ReadOptions) -> str:
    """Return the reading options that `nestrec train` needs for the file, with a blank before them."""
    words = (
        []
        if options.delimiter is None
        else [f"--delimiter {shlex.quote(options.delimiter.replace(chr(9), chr(92) + 't'))}"]
    )
    words += ["--no-header"] if options.header is False else []
    columns = {role: getattr(options, f"{role}_column") for role in ("user", "item", "rating", "timestamp")}
    words += [f"--{role}-column {column}" for role, column in columns.items() if column is not None]
    return "".join(f" {word}" for word in words)
