"""`nestrec explain`: which items of a user's history a score comes from.

Examples:
  nestrec explain model --user 42 --item 318
  nestrec explain model --user 42 --item 318 --width 16 -k 5 --titles

The columns are item_id and contribution, greatest first; title with --titles. The score is their sum and a rest, both
printed on stderr: the rest is what the trained vector of the user differs by from one folded in from the history.
Piped, the output is CSV.

"""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING, Annotated

from nestrec.cli.console import results, say, show
from nestrec.cli.ranking_output import TITLE, choose_titles, fit_titles
from nestrec.cli.shared_options import ModelFolder, Titles, option
from nestrec.report.table import TextTable

if TYPE_CHECKING:
    from nestrec.fold_in.explanation import Explanation

NAMES = ("item_id", "contribution")


def explain(
    model: ModelFolder,
    user: Annotated[str, option("ID", "User id.")],
    item: Annotated[str, option("ID", "Item id.")],
    k: Annotated[int | None, option("N", "Items to show.", "all", name="-k")] = None,
    width: Annotated[int | None, option("W", "Width to score with.", "the widest")] = None,
    titles: Titles = None,
) -> None:
    """Explain a user's score of an item by the items of the user's history."""
    from nestrec.arguments import check_count
    from nestrec.embeddings import NestedEmbeddings

    if k is not None:
        check_count("k", k, 2**31 - 1, 10)
    loaded = NestedEmbeddings.load(model)
    found, with_titles = loaded.explain(user, item, width), choose_titles(titles, loaded, None)
    names: tuple[str, ...] = NAMES
    rows: list[tuple[str, ...]] = [(str(id_), f"{value:.6g}") for id_, value in list(found)[:k]]
    if with_titles and loaded.item_table is not None:
        texts = loaded.item_table.titles(found.items[:k]).tolist()
        names, rows = (*NAMES, TITLE), [(*row, text) for row, text in zip(rows, texts, strict=True)]
    if results().is_terminal:
        fitting = tuple(fit_titles(names, rows)) if with_titles else tuple(rows)
        show(TextTable(names, fitting, n_left=1, last_left=with_titles))
    else:
        csv.writer(sys.stdout, lineterminator="\n").writerows([names, *rows])
        sys.stdout.flush()
    say(_describe_sum(found, len(rows)))


def _describe_sum(found: Explanation, n_shown: int) -> str:
    others = float(found.contributions[n_shown:].sum())
    more = f" + {others:.6g} of {len(found.items) - n_shown} other items" if n_shown < len(found.items) else ""
    shown = float(found.contributions[:n_shown].sum())
    return f"score {found.score:.6g} = {shown:.6g} of these items{more} + rest {found.rest:.6g}"
