"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ModelFolder = Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a model.", show_default=False)]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")]
SkipUnknown = Annotated[
    bool, typer.Option("--skip-unknown", help="Skip ids that the model does not know, and count them.")
]
Threads = Annotated[int | None, typer.Option(metavar="N", help="Number of threads.", show_default="one per processor")]
JsonPath = Annotated[
    str | None, typer.Option("--json", metavar="PATH|-", help="Write all results as JSON; - is stdout.")
]
RankingOut = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        readable=False,
        help="Write .csv, .tsv, .jsonl or .parquet; -: CSV on stdout.",
    ),
]
