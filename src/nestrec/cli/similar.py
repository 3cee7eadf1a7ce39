"""`nestrec similar`: the nearest items of an item, or the nearest users of a user.

Examples:
  nestrec similar model --item 318
  nestrec similar model --item 318 --item 296 -k 5 --width 16
  nestrec similar model --user 42 --out neighbours.csv

Similarity is the cosine of the vectors, truncated to the width. Piped, the output is CSV.

"""

from __future__ import annotations

from typing import Annotated

from nestrec.cli.ranking_output import RankingTable, check_ranking_path, write_ranking
from nestrec.cli.shared_options import ModelFolder, Overwrite, RankingOut, SkipUnknown, option
from nestrec.cli.unknown_ids import Omissions
from nestrec.errors import OptionError


def similar(
    model: ModelFolder,
    item: Annotated[list[str] | None, option("ID", "Item id; repeatable.")] = None,
    user: Annotated[list[str] | None, option("ID", "User id; repeatable.")] = None,
    k: Annotated[int, option("N", "Neighbours per id.", name="-k")] = 10,
    width: Annotated[int | None, option("W", "Width to compare with.", "the widest")] = None,
    skip_unknown: SkipUnknown = False,
    out: RankingOut = None,
    overwrite: Overwrite = False,
) -> None:
    """Find the nearest items of an item, or the nearest users of a user."""
    if bool(item) == bool(user):
        raise OptionError("give either --item ID or --user ID")
    check_ranking_path(out, overwrite=overwrite)
    from nestrec.embeddings import NestedEmbeddings

    loaded = NestedEmbeddings.load(model)
    noun, ids, find = ("item", item, loaded.similar_items) if item else ("user", user, loaded.similar_users)
    ranking = find(ids or [], k, width, unknown="skip" if skip_unknown else "raise")
    vocabularies = (loaded.items if item else loaded.users,)
    omitted = Omissions()
    omitted.add(noun, ranking.skipped)
    names = (f"{noun}_id", f"similar_{noun}_id", "rank", "cosine")
    write_ranking(RankingTable(names, [ranking], vocabularies), out, omitted, overwrite=overwrite)
