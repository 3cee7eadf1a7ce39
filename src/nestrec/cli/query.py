"""`nestrec query`: the top items of users, searched in a vector store that `nestrec export` has written.

Examples:
  nestrec query shop --model model --user 42
  nestrec query shop --model model --user 42 --widths 16,64 --shortlist 500
  nestrec query shop --model model --users users.txt --out top.csv
  nestrec query http://localhost:6333 --store qdrant --model model --user 42

User vectors, seen items and titles come from the model, items and scores from the store, which must hold the item
vectors of that model. The columns are user_id, item_id, rank, score; title with --titles. Piped, the output is CSV.

"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from nestrec.cli.id_files import read_ids, split_blocks
from nestrec.cli.lists import parse_integers
from nestrec.cli.ranking_output import RankingTable, check_ranking_path, choose_titles, write_ranking
from nestrec.cli.shared_options import Overwrite, RankingOut, SkipUnknown, Titles, argument, flag, option
from nestrec.cli.store_options import parse_target_options
from nestrec.cli.unknown_ids import Omissions
from nestrec.errors import OptionError

if TYPE_CHECKING:
    from nestrec.embeddings import NestedEmbeddings
    from nestrec.retrieval.ranking import Ranking
    from nestrec.stores import Store

_NAMES = ("user_id", "item_id", "rank", "score")
_AT_ONCE = 1_000  # users


def query(
    place: Annotated[str, argument("STORE", "Folder or address of a store.")],
    model: Annotated[Path, option("MODEL", "Folder of the model, for the users' vectors.", show_default=False)],
    store: Annotated[
        str | None,
        option(
            "NAME",
            "Store: chdb, duckdb, faiss, lancedb, milvus-lite, pgvector, qdrant, qdrant-edge, "
            "sqlite-vec{nestrec.stores}.",
            "as the folder says",
        ),
    ] = None,
    user: Annotated[list[str] | None, option("ID", "User id; repeatable.")] = None,
    users: Annotated[Path | None, option("FILE", "File of user ids: one per line, or a column; - for stdin.")] = None,
    k: Annotated[int, option("N", "Items per user.", name="-k")] = 10,
    widths: Annotated[
        str | None, option("LIST", "Widths of the stages, such as 16,64.", "the recommended operating point")
    ] = None,
    shortlist: Annotated[
        str | None, option("LIST", "Candidates of each stage but the last.", "the recommended operating point")
    ] = None,
    exact: Annotated[bool, flag("--exact", "Score all items in the first stage, without an index.")] = False,
    exclude_seen: Annotated[
        bool, flag("--exclude-seen/--include-seen", "Exclude items of the user's training interactions.")
    ] = True,
    option: Annotated[list[str] | None, option("NAME=VALUE", "Option of the store; repeatable.")] = None,
    titles: Titles = None,
    skip_unknown: SkipUnknown = False,
    out: RankingOut = None,
    overwrite: Overwrite = False,
) -> None:
    """Find the top items of users in a vector store."""
    if bool(user) == (users is not None):
        raise OptionError("give either --user ID or --users FILE")
    check_ranking_path(out, overwrite=overwrite)
    from nestrec.embeddings import NestedEmbeddings
    from nestrec.stores import open_store
    from nestrec.stores.held_model import check_model

    arguments: dict[str, Any] = {
        "k": k,
        "widths": None if widths is None else parse_integers("--widths", widths),
        "shortlist": None if shortlist is None else _parse_shortlist(shortlist),
        "exact": exact,
    }
    with open_store(place, store, **parse_target_options(option)) as opened:
        loaded, omitted = NestedEmbeddings.load(model, search_config=False), Omissions()
        check_model(loaded, opened)
        ids: Iterable[str] = user or read_ids(users or Path("-"), loaded.users, "user")
        with_titles = choose_titles(titles, loaded, out)
        rankings = _search(loaded, opened, ids, arguments, omitted, exclude=exclude_seen, skip=skip_unknown)
        table = RankingTable(_NAMES, rankings, (loaded.users, loaded.items), with_titles)
        write_ranking(table, out, omitted, overwrite=overwrite)


def _search(
    model: NestedEmbeddings,
    store: Store,
    ids: Iterable[str],
    arguments: dict[str, Any],
    omitted: Omissions,
    *,
    exclude: bool,
    skip: bool,
) -> Iterator[Ranking]:
    """Yield the rankings of users, block by block."""
    from nestrec.retrieval.id_lookup import look_up
    from nestrec.retrieval.item_lists import ItemLists

    for block in split_blocks(ids, _AT_ONCE):
        users = look_up(model.users, block, "user", "skip" if skip else "raise")
        seen = ItemLists(model.seen.indptr, model.seen.indices).select(users.rows)
        lists = [model.items.ids_at(seen.indices[a:b]).tolist() for a, b in pairwise(seen.indptr.tolist())]
        found = store.search(model.user_embeddings[users.rows], exclude=lists if exclude else None, **arguments)
        omitted.add("user", users.skipped)
        omitted.n_unanswered += found.n_unanswered
        yield replace(found, queries=users.ids, item_table=model.item_table)


def _parse_shortlist(text: str) -> int | tuple[int, ...]:
    limits = parse_integers("--shortlist", text)
    return limits[0] if len(limits) == 1 else limits
