"""`nestrec recommend`: the best items of one user, of some, of all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nestrec.cli.console import say
from nestrec.cli.id_files import ids_in, in_blocks
from nestrec.cli.output_paths import Overwrite
from nestrec.cli.ranking_output import STDOUT, Answers, check_answers_place, write_answers
from nestrec.cli.reading import refuse_reading_twice
from nestrec.cli.unknown_ids import Skipped
from nestrec.data.read_report import format_count
from nestrec.errors import OptionError

if TYPE_CHECKING:
    from nestrec.data.vocabulary import Vocabulary
    from nestrec.embeddings import NestedEmbeddings
    from nestrec.retrieval.ranking import Ranking

NAMES = ("user_id", "item_id", "rank", "score")
_ANSWERS_AT_ONCE = 1_000_000  # rows of the result held at a time

EXAMPLES = """\b
Examples:
  nestrec recommend model --user 42
  nestrec recommend model --user 42 --user 7 -k 5 --width 8
  nestrec recommend model --users users.txt --skip-unknown --out answers.parquet
  nestrec recommend model --user 42 --exact
  nestrec recommend model --all-users -k 20 --deny sold_out.txt --out answers.csv
  nestrec recommend model --all-users --out answers.parquet --resume

The columns are user_id, item_id, rank, score. Piped, the output is CSV.
"""


def recommend(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a model.", show_default=False)],
    user: Annotated[list[str] | None, typer.Option(metavar="ID", help="A user; may be given again.")] = None,
    users: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A file of users: one a line, a column, or - for standard input."),
    ] = None,
    all_users: Annotated[bool, typer.Option("--all-users", help="Every user of the model.")] = False,
    k: Annotated[int, typer.Option("-k", metavar="N", help="Items per user.")] = 10,
    width: Annotated[
        int | None, typer.Option(metavar="W", help="Width to score with.", show_default="the widest")
    ] = None,
    exclude_seen: Annotated[
        bool,
        typer.Option("--exclude-seen/--include-seen", help="Leave out the items of each user's training interactions."),
    ] = True,
    allow: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Allow-list: a file of the item ids that can be returned.")
    ] = None,
    deny: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Deny-list: a file of item ids that are never returned.")
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Search exactly, whatever the model's search config.")] = False,
    skip_unknown: Annotated[
        bool, typer.Option("--skip-unknown", help="Leave out ids that the model does not know, and count them.")
    ] = False,
    threads: Annotated[
        int | None, typer.Option(metavar="N", help="Threads to work with.", show_default="one per processor")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            readable=False,
            help="Write .csv, .tsv, .jsonl or .parquet; -: CSV on stdout.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the .parquet file of all users that was interrupted.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Recommend items to users."""
    _check_one_of(user, users, all_users)
    refuse_reading_twice(users, allow, deny)
    in_parts = all_users and out is not None and out.suffix.lower() == ".parquet"
    check_answers_place(out, overwrite=overwrite or (in_parts and resume))  # what is whole already is found out later
    if resume and not in_parts:
        raise OptionError("--resume goes on with a file of all users; give --all-users and --out FILE.parquet")
    from nestrec.embeddings import NestedEmbeddings

    loaded = NestedEmbeddings.load(model)
    options = {
        "k": k,
        "width": width,
        "exclude_seen": exclude_seen,
        "allow": None if allow is None else list(ids_in(allow, loaded.items, "item")),
        "deny": None if deny is None else list(ids_in(deny, loaded.items, "item")),
        "exact": exact,
        "unknown": "skip" if skip_unknown else "raise",
        "threads": threads,
    }
    if in_parts and out is not None:
        _tell_plan(loaded, options, loaded.n_users)
        _write_in_parts(loaded, out, options, resume, overwrite)
        return
    skipped = Skipped()
    size = max(1, min(65_536, _ANSWERS_AT_ONCE // max(1, k)))
    blocks = _blocks(user, users, loaded.users, size)
    unanswered = _Unanswered()
    answers = Answers(NAMES, _rankings(loaded, blocks, options, skipped, unanswered), (loaded.users, loaded.items))
    write_answers(answers, out, overwrite=overwrite)
    skipped.tell()
    unanswered.tell()
    if out not in (None, STDOUT):
        say(f"Wrote {out}.")


def _tell_plan(model: NestedEmbeddings, options: dict[str, Any], n_users: int) -> bool:
    """Say on stderr where answers to so many users at once may miss some of the best; return whether they may."""
    from nestrec.retrieval.funnel import Funnel

    asked = {name: options[name] for name in ("width", "k", "exact")}
    plan, retriever = model.search_config, model.retriever(**asked, n_queries=n_users)
    if plan is None or plan.measurements is None or not isinstance(retriever, Funnel):
        return False
    found = f"{plan.measurements.recall:.4f} of the best {plan.k}"
    say(f"By the model's search config ({plan.name}), which found {found} when measured; --exact searches exactly")
    return True


def _write_in_parts(model: NestedEmbeddings, out: Path, options: dict[str, Any], resume: bool, overwrite: bool) -> None:
    """Write the answers of all users part by part, and tell the rates."""
    from nestrec.cli.progress import counting_bar
    from nestrec.export.batch import Question, parts_folder, recommend_all

    asked = {name: value for name, value in options.items() if name not in ("unknown", "threads")}
    question = Question(**asked, unknown_items=options["unknown"])
    if resume and not parts_folder(out).exists():
        say(f"There is no {parts_folder(out)} to go on from; all users are answered")
    try:
        with counting_bar("users") as advance:
            done = recommend_all(
                model, out, question, resume=resume, overwrite=overwrite, threads=options["threads"], progress=advance
            )
    except KeyboardInterrupt:
        say(f"The answers so far are in {parts_folder(out)}; the same command with --resume goes on from them.")
        raise
    skipped, unanswered = Skipped(), _Unanswered(done.n_unanswered)
    skipped.once("item", done.skipped_items)
    skipped.tell()
    unanswered.tell()
    kept = f", {done.n_kept:,} of them by an earlier run" if done.n_kept else ""
    rate = f"{done.users_per_second:,.0f} users/s, {done.finding_seconds:.1f} of {done.seconds:.1f} s to find items"
    say(f"Wrote {out}: {format_count(done.n_users, 'user')}{kept}, {format_count(done.n_rows, 'row')}; {rate}.")


class _Unanswered:
    """Counts users with nothing left to recommend, who have no row in the answers."""

    def __init__(self, count: int = 0) -> None:
        self._count = count

    def add(self, ranking: Ranking) -> None:
        self._count += ranking.n_unanswered

    def tell(self) -> None:
        """Say on stderr how many there are."""
        if self._count:
            plural = "s" if self._count > 1 else ""
            say(f"No item is left to recommend to {self._count:,} user{plural}; --include-seen allows those they met")


def _rankings(
    model: NestedEmbeddings,
    blocks: Iterable[Sequence[Any]],
    options: dict[str, Any],
    skipped: Skipped,
    unanswered: _Unanswered,
) -> Iterator[Ranking]:
    told = False
    for block in blocks:
        told = told or _tell_plan(model, options, len(block))
        ranking = model.recommend(block, **options)
        skipped.add("user", ranking.skipped)
        skipped.once("item", ranking.skipped_items)
        unanswered.add(ranking)
        yield ranking


def _blocks(user: list[str] | None, users: Path | None, known: Vocabulary, size: int) -> Iterable[Any]:
    if user:
        return in_blocks(user, size)
    if users is not None:
        return in_blocks(ids_in(users, known, "user"), size)
    return (known.ids[start : start + size] for start in range(0, len(known), size))


def _check_one_of(user: list[str] | None, users: Path | None, all_users: bool) -> None:
    given = [name for name, value in (("--user", user), ("--users", users), ("--all-users", all_users)) if value]
    if len(given) != 1:
        told = "none is given" if not given else f"{' and '.join(given)} are given"
        raise OptionError(f"users are named by one of --user ID, --users FILE, --all-users; {told}")
