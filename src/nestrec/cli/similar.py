"""`nestrec similar`: the nearest items of an item, or the nearest users of a user."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nestrec.cli.console import say
from nestrec.cli.output_paths import Overwrite
from nestrec.cli.ranking_output import STDOUT, Answers, check_answers_place, write_answers
from nestrec.cli.unknown_ids import Skipped
from nestrec.errors import OptionError

EXAMPLES = """\b
Examples:
  nestrec similar model --item 318
  nestrec similar model --item 318 --item 296 -k 5 --width 16
  nestrec similar model --user 42 --out neighbours.csv

Nearness is the cosine of the vectors' first numbers, as many as the width says. Piped, the output is CSV.
"""


def similar(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a model.", show_default=False)],
    item: Annotated[list[str] | None, typer.Option(metavar="ID", help="An item; may be given again.")] = None,
    user: Annotated[list[str] | None, typer.Option(metavar="ID", help="A user; may be given again.")] = None,
    k: Annotated[int, typer.Option("-k", metavar="N", help="Neighbours of each.")] = 10,
    width: Annotated[
        int | None, typer.Option(metavar="W", help="Width to compare with.", show_default="the widest")
    ] = None,
    skip_unknown: Annotated[
        bool, typer.Option("--skip-unknown", help="Leave out ids that the model does not know, and count them.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            readable=False,
            help="Write .csv, .tsv, .jsonl or .parquet; -: CSV on stdout.",
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Find the items most like an item, or likewise users."""
    if bool(item) == bool(user):
        raise OptionError("what to compare is named by --item ID or by --user ID, one of the two")
    check_answers_place(out, overwrite=overwrite)
    from nestrec.embeddings import NestedEmbeddings

    loaded = NestedEmbeddings.load(model)
    noun, asked, find = ("item", item, loaded.similar_items) if item else ("user", user, loaded.similar_users)
    ranking = find(asked or [], k, width, unknown="skip" if skip_unknown else "raise")
    vocabularies = (loaded.items if item else loaded.users,)
    skipped = Skipped()
    skipped.add(noun, ranking.skipped)
    names = (f"{noun}_id", f"similar_{noun}_id", "rank", "cosine")
    write_answers(Answers(names, [ranking], vocabularies), out, overwrite=overwrite)
    skipped.tell()
    if out not in (None, STDOUT):
        say(f"Wrote {out}.")
