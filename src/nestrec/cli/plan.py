"""`nestrec plan`: the cheapest way to answer a model's questions, measured on its users and kept with it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nestrec.cli.console import results, say, show
from nestrec.cli.output_paths import Overwrite, check_file_place, check_model_place, write_json
from nestrec.data.read_report import format_count
from nestrec.errors import OptionError

if TYPE_CHECKING:
    from nestrec.autotune.autotune import AutotuneResult
    from nestrec.retrieval.quantization import Storage
    from nestrec.retrieval.search_config import SearchConfig

EXAMPLES = """\b
Examples:
  nestrec plan model
  nestrec plan model --recall 1 -k 20
  nestrec plan model --measure-only --all --picture frontier.svg --json plans.json

A plan is a screen (some numbers of every item in few bytes) and the shortlists that pass it. It is measured against a
full scan on users of the model, on this machine, and kept with the model; `nestrec recommend` goes by it. Half of the
users choose the plan; the other half tell what it is worth.
"""


def plan(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a model.", show_default=False)],
    recall: Annotated[float, typer.Option(metavar="SHARE", help="Of the full width's best to find; 1: all.")] = 0.99,
    k: Annotated[int, typer.Option("-k", metavar="N", help="Items per user.")] = 100,
    width: Annotated[
        int | None, typer.Option(metavar="W", help="Width whose order counts.", show_default="the widest")
    ] = None,
    storages: Annotated[
        str, typer.Option(metavar="LIST", help="How numbers may be kept: int8, bf16, float32.")
    ] = "int8,bf16",
    sample: Annotated[int, typer.Option(metavar="N", help="Users to measure with, half of them to check.")] = 400,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the draw of users.")] = 0,
    threads: Annotated[
        int | None, typer.Option(metavar="N", help="Threads to work with.", show_default="one per processor")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Show all plans, not only those that none beats.")] = False,
    measure_only: Annotated[bool, typer.Option("--measure-only", help="Leave the model as it is.")] = False,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", readable=False, help="Draw recall against time.")
    ] = None,
    json_to: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", readable=False, help="Write all figures as JSON.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Find the cheapest way to recommend; keep it with the model."""
    kinds = _storages(storages)
    if picture is not None:
        _check_picture(picture)
    for place in (picture, json_to):
        if place is not None:
            check_file_place(place, overwrite=overwrite)
    if not measure_only:
        check_model_place(model, overwrite=True)
    from nestrec.autotune.autotune import plan as find_plan
    from nestrec.cli.progress import counting_bar
    from nestrec.embeddings import NestedEmbeddings

    loaded = NestedEmbeddings.load(model, search_config=False)
    with counting_bar("screens") as advance:
        planning = find_plan(
            loaded, recall, k, width=width, storages=kinds, n_users=sample, seed=seed, threads=threads,
            callback=lambda _, done, total: advance(done, total),
        )  # fmt: skip
    _tell(planning, every, len(loaded.items))
    if picture is not None:
        _draw(planning, picture, f"{model.resolve().name}: {format_count(len(loaded.items), 'item')}", overwrite)
    if json_to is not None:
        write_json(json_to, _document(planning), overwrite=overwrite)
    if not measure_only:
        planning.model.save(model, overwrite=True)
        say(f"Kept the plan with {model}; nestrec recommend goes by it.")


def _check_picture(place: Path) -> None:
    """Raise OptionError for a picture of another format than SVG."""
    if place.suffix.lower() != ".svg":
        raise OptionError(f"--picture must end in .svg, got {place}; for example {place.with_suffix('.svg')}")


def _tell(planning: AutotuneResult, every: bool, n_items: int) -> None:
    from nestrec.report.frontier import search_configs_table

    chosen = planning.best.name
    named = {plan.name for plan in (planning.trials if every else planning.frontier)} | {chosen}
    shown = [plan for plan in planning.trials if plan.name in named]
    if not every:
        shown.sort(key=lambda plan: plan.measurements.p50_ms if plan.measurements is not None else 0.0)
    what = "all plans" if every else "plans that none beats"
    show(
        search_configs_table(
            shown, planning.best, f"{format_count(n_items, 'item')}, the best {planning.best.k}: {what}"
        )
    )
    results().print(_held(planning.best))


def _held(chosen: SearchConfig) -> str:
    """Return what the chosen plan did for the users that it was not chosen with."""
    found = chosen.measurements
    if found is None:
        return f"Chosen: {chosen.name}"
    told = f"Chosen: {chosen.name}. Of other users: recall {found.recall:.4f}, p50 {found.p50_ms:.3g} ms"
    if not found.full_scan_users_per_second:
        return f"{told}, {found.users_per_second:,.0f} users/s at once"
    who = "the full scan, which answers many at once" if chosen.slower_in_batches else "the full scan"
    return f"{told}, {found.users_per_second:,.0f} users/s at once ({found.full_scan_users_per_second:,.0f} by {who})"


def _draw(planning: AutotuneResult, path: Path, title: str, overwrite: bool) -> None:
    from nestrec.report.chart import write_picture
    from nestrec.report.frontier import frontier_chart

    chart = frontier_chart(title, planning.trials, planning.best, planning.target_recall)
    write_picture(path, [chart], overwrite=overwrite)
    say(f"Wrote {path}.")


def _document(planning: AutotuneResult) -> dict[str, Any]:
    chosen = planning.best
    plans = [{**asdict(tried), "name": tried.name, "chosen": tried.name == chosen.name} for tried in planning.trials]
    held = None if chosen.measurements is None else asdict(chosen.measurements)
    return {
        "recall": planning.target_recall,
        "k": chosen.k,
        "width": chosen.width,
        "plans": plans,
        "of_other_users": held,
    }


def _storages(text: str) -> tuple[Storage, ...]:
    from nestrec.retrieval.quantization import Storage

    names = [name.strip() for name in text.split(",") if name.strip()]
    known = [storage.value for storage in Storage]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise OptionError(f"--storages {text!r} is not one of {', '.join(known)}, or some of them between commas")
    return tuple(Storage(name) for name in dict.fromkeys(names))
