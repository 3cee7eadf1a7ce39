"""`nestrec recommend`: the top items of one user, of several, of all, or of new ones.

Examples:
  nestrec recommend model --user 42
  nestrec recommend model --user 42 --user 7 -k 5 --width 8
  nestrec recommend model --users users.txt --skip-unknown --out top.parquet
  nestrec recommend model --user 42 --exact
  nestrec recommend model --user 42 --where "genres contains 'Comedy'"
  nestrec recommend model --all-users -k 20 --deny sold_out.txt --out top.csv
  nestrec recommend model --all-users --out top.parquet --resume
  nestrec recommend model --history new_users.csv --skip-unknown
  nestrec recommend model --user 42 --diversity 0.3
  nestrec recommend model --user 42 --most-per-group 2 --groups genres

--history reads interactions of users, whom the model need not know, and folds their items into vectors; no training.
Columns and the minimum rating are those of the training data, where the file has them. A file with one column is the
history of one user.
The columns are user_id, item_id, rank, score; title with --titles. Piped, the output is CSV. A file of users and items
as --allow or --deny, such as an earlier output, gives each user a list: --deny leaves out what was shown before. An
empty --deny denies nothing.

"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from nestrec.cli.console import say
from nestrec.cli.histories import HistoryReading, split_histories
from nestrec.cli.id_files import read_ids, split_blocks
from nestrec.cli.item_choices import ItemChoices, announce_matches
from nestrec.cli.panels import ITEMS, USERS
from nestrec.cli.ranking_output import RankingTable, check_ranking_path, choose_titles, write_ranking
from nestrec.cli.reading import SOURCES, refuse_reading_twice
from nestrec.cli.reranking import Reranking
from nestrec.cli.shared_options import (
    ModelFolder,
    Overwrite,
    RankingOut,
    SkipUnknown,
    Threads,
    Titles,
    Where,
    flag,
    option,
)
from nestrec.cli.unknown_ids import HISTORY, Omissions, suggest_more
from nestrec.data.read_report import format_count
from nestrec.errors import OptionError

if TYPE_CHECKING:
    from nestrec.data.interactions import Interactions
    from nestrec.data.vocabulary import Vocabulary
    from nestrec.embeddings import NestedEmbeddings
    from nestrec.retrieval.ranking import Ranking

NAMES = ("user_id", "item_id", "rank", "score")
_ROWS_IN_MEMORY = 1_000_000


PANELS = {
    USERS: ("user", "users", "all_users", "history", "skip_unknown"),
    ITEMS: ("k", "width", "exclude_seen", "where", "allow", "deny", "exact", "titles"),
}


def recommend(
    model: ModelFolder,
    reranking: Reranking,
    user: Annotated[list[str] | None, option("ID", "User id; repeatable.")] = None,
    users: Annotated[Path | None, option("FILE", "File of user ids: one per line, or a column; - for stdin.")] = None,
    all_users: Annotated[bool, flag("--all-users", "All users of the model.")] = False,
    history: Annotated[
        Path | None, option("FILE", f"New users by their interactions: they are folded in. {SOURCES}")
    ] = None,
    history_reading: HistoryReading = HistoryReading(),  # noqa: B008 - a frozen value
    k: Annotated[int, option("N", "Items per user.", name="-k")] = 10,
    width: Annotated[int | None, option("W", "Width to score with.", "the widest")] = None,
    exclude_seen: Annotated[
        bool, flag("--exclude-seen/--include-seen", "Exclude items of the user's training interactions or history.")
    ] = True,
    where: Where = None,
    allow: Annotated[
        Path | None, option("FILE", "Allow-list: a file of the only items to return, or of users and items.")
    ] = None,
    deny: Annotated[
        Path | None, option("FILE", "Deny-list: a file of items not to return, or of users and items.")
    ] = None,
    exact: Annotated[bool, flag("--exact", "Search exactly, without the model's search config.")] = False,
    titles: Titles = None,
    skip_unknown: SkipUnknown = False,
    threads: Threads = None,
    out: RankingOut = None,
    resume: Annotated[bool, flag("--resume", "Resume an interrupted --all-users --out FILE.parquet.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Recommend the top items for users."""
    _check_one_of(user, users, history, all_users=all_users)
    refuse_reading_twice(users, history, allow, deny)
    in_parts = all_users and out is not None and out.suffix.lower() == ".parquet"
    check_ranking_path(out, overwrite=overwrite or (in_parts and resume))  # a finished file is refused later
    if resume and not in_parts:
        raise OptionError("--resume needs --all-users and --out FILE.parquet")
    history_reading.check(history)
    rerank = reranking.reranker()
    from nestrec.embeddings import NestedEmbeddings

    loaded = NestedEmbeddings.load(model)
    reranking.check(loaded)
    with_titles = choose_titles(titles, loaded, out)
    any_matches = announce_matches(loaded, where)
    new = None if history is None else history_reading.read(history, loaded, threads)
    queries, lack = (loaded.users, "unknown to the model") if new is None else (_names_of(new), "not in --history")
    choices = ItemChoices(loaded.items, queries, lack=lack, skip_unknown=skip_unknown)
    options = {
        "k": k,
        "width": width,
        "exclude_seen": exclude_seen,
        "allow": choices.read(allow),
        "deny": choices.read(deny, may_be_empty=True),
        "where": where,
        "rerank": rerank,
        "popularity_penalty": reranking.popularity_penalty,
        "exact": exact,
        "unknown": "skip" if skip_unknown else "raise",
        "threads": threads,
    }
    filters = {"--where": where, "--allow": allow, "--deny": deny}
    omitted = Omissions(suggest_more(filters, exclude_seen=exclude_seen and any_matches))
    if in_parts and out is not None:
        _announce_search_config(loaded, options, loaded.n_users)
        options["titles"] = with_titles
        _write_in_parts(loaded, out, options, omitted, resume=resume, overwrite=overwrite)
    else:
        size = max(1, min(65_536, _ROWS_IN_MEMORY // max(1, k)))
        blocks = _blocks(user, users, loaded.users, size) if new is None else _split(new, size)
        find: Callable[..., Ranking] = loaded.recommend if new is None else loaded.recommend_for
        rankings = _rankings(loaded, find, blocks, options, omitted)
        table = RankingTable(NAMES, rankings, (queries, loaded.items), with_titles)
        write_ranking(table, out, omitted, overwrite=overwrite)
    if (line := reranking.describe_short(omitted.n_items, omitted.n_lists, k)) is not None:
        say(line)


def _split(new: Interactions | list[str], size: int) -> Iterable[Any]:
    return [new] if isinstance(new, list) else split_histories(new, size)


def _names_of(new: Interactions | list[str]) -> Vocabulary:
    """Return the ids of the users of histories."""
    from nestrec.data.vocabulary import Vocabulary

    return Vocabulary.from_ids([0]) if isinstance(new, list) else new.users


def _announce_search_config(model: NestedEmbeddings, options: dict[str, Any], n_users: int) -> bool:
    """Say on stderr that results for so many users may be approximate; return whether they may."""
    from nestrec.retrieval.funnel import Funnel

    if options["popularity_penalty"]:  # by a full scan
        return False
    given = {name: options[name] for name in ("width", "k", "exact")}
    if options["rerank"] is not None:
        given["k"] = min(model.n_items, options["k"] * options["rerank"].candidates)
    plan, retriever = model.search_config, model.retriever(**given, n_queries=n_users)
    if plan is None or plan.measurements is None or not isinstance(retriever, Funnel):
        return False
    recall = f"recall {plan.measurements.recall:.4f} at {plan.k}"
    say(f"Using the search config of the model, {plan.name}, measured at {recall}; --exact searches exactly")
    return True


def _write_in_parts(
    model: NestedEmbeddings, out: Path, options: dict[str, Any], omitted: Omissions, *, resume: bool, overwrite: bool
) -> None:
    """Write the recommendations of all users part by part, and print the speed."""
    from nestrec.cli.progress import counting_bar
    from nestrec.export.batch import BatchRequest, parts_folder, recommend_all

    request = BatchRequest(**{name: value for name, value in options.items() if name != "threads"})
    if resume and not parts_folder(out).exists():
        say(f"There is no {parts_folder(out)} to resume from; starting with the first user")
    try:
        with counting_bar("users") as advance:
            done = recommend_all(
                model, out, request, resume=resume, overwrite=overwrite, threads=options["threads"], progress=advance
            )
    except KeyboardInterrupt:
        say(f"The results so far are in {parts_folder(out)}; to continue, give the same command with --resume.")
        raise
    omitted.n_unanswered, omitted.n_lists = done.n_unanswered, done.n_users - done.n_unanswered
    omitted.n_items = done.n_rows
    omitted.add("item", done.skipped_items)
    omitted.report()
    kept = f", {done.n_resumed:,} of them by an earlier run" if done.n_resumed else ""
    rate = f"{done.users_per_second:,.0f} users/s, {done.search_seconds:.1f} of {done.seconds:.1f} s to find items"
    say(f"Wrote {out}: {format_count(done.n_users, 'user')}{kept}, {format_count(done.n_rows, 'row')}; {rate}.")


def _rankings(
    model: NestedEmbeddings,
    find: Callable[..., Ranking],
    blocks: Iterable[Any],
    options: dict[str, Any],
    omitted: Omissions,
) -> Iterator[Ranking]:
    announced, is_new = False, find == model.recommend_for
    for block in blocks:
        announced = announced or _announce_search_config(model, options, _count_queries(block, is_new=is_new))
        ranking = find(block, **options)
        omitted.add(HISTORY if is_new else "user", ranking.skipped)
        (omitted.add if is_new else omitted.add_once)("item", ranking.skipped_items)
        omitted.count_answers(ranking)
        yield ranking


def _count_queries(block: Any, *, is_new: bool) -> int:
    if is_new:
        return 1 if isinstance(block, list) else int(block.n_users)
    return len(block)


def _blocks(user: list[str] | None, users: Path | None, known: Vocabulary, size: int) -> Iterable[Any]:
    if user:
        return split_blocks(user, size)
    if users is not None:
        return split_blocks(read_ids(users, known, "user"), size)
    return (known.ids[start : start + size] for start in range(0, len(known), size))


def _check_one_of(user: list[str] | None, users: Path | None, history: Path | None, *, all_users: bool) -> None:
    values = {"--user": user, "--users": users, "--all-users": all_users, "--history": history}
    given = [name for name, value in values.items() if value]
    if len(given) != 1:
        found = " and ".join(given) or "none"
        raise OptionError(f"give one of --user ID, --users FILE, --all-users and --history FILE; got {found}")
