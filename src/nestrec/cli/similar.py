"""`nestrec similar`: the nearest items of an item, or the nearest users of a user.

Examples:
  nestrec similar model --item 318
  nestrec similar model --item 318 --item 296 -k 5 --width 16
  nestrec similar model --item 318 --where "year >= 2000" --deny sold_out.txt
  nestrec similar model --user 42 --out neighbours.csv

Similarity is the cosine of the vectors, truncated to the width. Piped, the output is CSV. --where, --allow, --deny and
--titles are for items. A file with the columns item_id and similar_item_id as --allow or --deny, such as an earlier
output, gives each item a list: --deny leaves out what was shown before.

"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from nestrec.cli.console import cut_text, say
from nestrec.cli.item_choices import ItemChoices, announce_matches
from nestrec.cli.ranking_output import RankingTable, check_ranking_path, choose_titles, write_ranking
from nestrec.cli.reading import refuse_reading_twice
from nestrec.cli.shared_options import ModelFolder, Overwrite, RankingOut, SkipUnknown, Titles, Where, option
from nestrec.cli.unknown_ids import Omissions
from nestrec.data.read_report import format_count
from nestrec.errors import OptionError

if TYPE_CHECKING:
    from nestrec.embeddings import NestedEmbeddings
    from nestrec.retrieval.ranking import Ranking

_MOST_NAMED = 5  # items whose titles are printed above the table
_LONGEST_NAME = 70


def similar(
    model: ModelFolder,
    item: Annotated[list[str] | None, option("ID", "Item id; repeatable.")] = None,
    user: Annotated[list[str] | None, option("ID", "User id; repeatable.")] = None,
    k: Annotated[int, option("N", "Neighbours per id.", name="-k")] = 10,
    width: Annotated[int | None, option("W", "Width to compare with.", "the widest")] = None,
    where: Where = None,
    allow: Annotated[
        Path | None, option("FILE", "Allow-list: a file of the only items to return, or of pairs, as an output.")
    ] = None,
    deny: Annotated[
        Path | None, option("FILE", "Deny-list: a file of items not to return, or of pairs, as an output.")
    ] = None,
    titles: Titles = None,
    skip_unknown: SkipUnknown = False,
    out: RankingOut = None,
    overwrite: Overwrite = False,
) -> None:
    """Find the nearest items of an item, or the nearest users of a user."""
    if bool(item) == bool(user):
        raise OptionError("give either --item ID or --user ID")
    _check_filters({"--where": where, "--allow": allow, "--deny": deny, "--titles": titles}, of_items=bool(item))
    refuse_reading_twice(allow, deny)
    check_ranking_path(out, overwrite=overwrite)
    from nestrec.embeddings import NestedEmbeddings

    loaded, omitted = NestedEmbeddings.load(model), Omissions()
    announce_matches(loaded, where)
    unknown: Any = "skip" if skip_unknown else "raise"
    if item:
        choices = ItemChoices(loaded.items, loaded.items, "item", skip_unknown=skip_unknown)
        lists: dict[str, Any] = {"allow": choices.read(allow), "deny": choices.read(deny, may_be_empty=True)}
        ranking = loaded.similar_items(item, k, width, where=where, unknown=unknown, **lists)
        with_titles, noun = choose_titles(titles, loaded, out), "item"
    else:
        ranking = loaded.similar_users(user or [], k, width, unknown=unknown)
        with_titles, noun = False, "user"
    omitted.add(noun, ranking.skipped)
    omitted.add("item", ranking.skipped_items)
    names = (f"{noun}_id", f"similar_{noun}_id", "rank", "cosine")
    vocabularies = (loaded.items if item else loaded.users,)
    caption = _name_queries(loaded, ranking) if with_titles else None
    table = RankingTable(names, [ranking], vocabularies, with_titles, caption)
    write_ranking(table, out, omitted, overwrite=overwrite)
    if ranking.n_unanswered:
        say(f"No {noun} is left to return for {format_count(ranking.n_unanswered, noun)}")


def _name_queries(model: NestedEmbeddings, ranking: Ranking) -> str | None:
    """Return a line with the title of each item asked for, of a few."""
    if model.item_table is None or len(ranking.queries) > _MOST_NAMED:
        return None
    titles = model.item_table.titles(ranking.queries).tolist()
    pairs = zip(ranking.queries.tolist(), titles, strict=True)
    return "\n".join(f"{id_}: {cut_text(title, _LONGEST_NAME)}" for id_, title in pairs if title) or None


def _check_filters(given: dict[str, object], *, of_items: bool) -> None:
    """Raise OptionError for filters of items where neighbours of users are asked for."""
    names = [name for name, value in given.items() if value is not None]
    if names and not of_items:
        raise OptionError(f"{', '.join(names)} must be given with --item, since users have no item table; got --user")
