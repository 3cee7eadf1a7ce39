"""`nestrec plan`: find the fastest search config that reaches a target recall, and store it with the model.

Examples:
  nestrec plan model
  nestrec plan model --recall 1 -k 20
  nestrec plan model --measure-only --all --picture plans.svg --json p.json

A search config is a coarse index (a few dimensions of every item, quantized) and the sizes of the shortlists that are
reranked. Candidates are measured against exact search with users of the model, on this machine: half of the users
choose the config, the other half measure it. It is stored with the model, and `nestrec recommend` uses it.

Configs that reach the recall with a median latency up to 1.25 times the lowest, or up to 0.1 ms above it, count as
equally fast. Of these an exact one is chosen, then the one with the fewest parts, then the smallest.

"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from nestrec.cli.console import results, say, show
from nestrec.cli.output_paths import check_file_paths, check_model_path, write_json
from nestrec.cli.panels import OPTIONS
from nestrec.cli.shared_options import ModelFolder, Overwrite, Threads, flag, option, output
from nestrec.data.read_report import format_count
from nestrec.errors import OptionError

if TYPE_CHECKING:
    from nestrec.autotune.autotune import AutotuneResult
    from nestrec.retrieval.quantization import Storage
    from nestrec.retrieval.search_config import SearchConfig


PANELS = {OPTIONS: ("recall", "k", "width", "storages", "every", "measure_only")}


def plan(
    model: ModelFolder,
    recall: Annotated[float, option("SHARE", "Target recall against exact search; 1: exact.")] = 0.99,
    k: Annotated[int, option("N", "Items per user.", name="-k")] = 100,
    width: Annotated[int | None, option("W", "Width to search at.", "the widest")] = None,
    storages: Annotated[str, option("LIST", "Storage formats to try: int8, bf16, float32.")] = "int8,bf16",
    sample: Annotated[int, option("N", "Number of users to measure with.")] = 400,
    seed: Annotated[int, option("N", "Random seed of the sample of users.")] = 0,
    threads: Threads = None,
    every: Annotated[bool, flag("--all", "Show all search configs, not only Pareto-optimal ones.")] = False,
    measure_only: Annotated[bool, flag("--measure-only", "Do not store the search config.")] = False,
    picture: Annotated[Path | None, output("FILE.svg", "Draw recall against latency.")] = None,
    json_to: Annotated[Path | None, output("FILE", "Write all measurements as JSON.", name="--json")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Find the fastest search config for a target recall, and store it with the model."""
    kinds = _storages(storages)
    if picture is not None and picture.suffix.lower() != ".svg":
        raise OptionError(f"--picture must end in .svg, got {picture}; for example {picture.with_suffix('.svg')}")
    check_file_paths(picture, json_to, overwrite=overwrite)
    if not measure_only:
        check_model_path(model, overwrite=True)
    from nestrec.autotune.autotune import plan as find_plan
    from nestrec.cli.progress import counting_bar
    from nestrec.embeddings import NestedEmbeddings

    loaded = NestedEmbeddings.load(model, search_config=False)
    with counting_bar("coarse indexes") as advance:
        result = find_plan(
            loaded, recall, k, width=width, storages=kinds, n_users=sample, seed=seed, threads=threads,
            callback=lambda _, done, total: advance(done, total),
        )  # fmt: skip
    _show(result, every=every, n_items=len(loaded.items))
    if picture is not None:
        title = f"{model.resolve().name}: {format_count(len(loaded.items), 'item')}"
        _draw(result, picture, title, overwrite=overwrite)
    if json_to is not None:
        write_json(json_to, _document(result), overwrite=overwrite)
    if not measure_only:
        result.model.save(model, overwrite=True)
        say(f"Stored the search config with {model}; nestrec recommend uses it.")


def _show(result: AutotuneResult, *, every: bool, n_items: int) -> None:
    from nestrec.report.frontier import search_configs_table

    chosen = result.best.name
    named = {plan.name for plan in (result.trials if every else result.frontier)} | {chosen}
    shown = [plan for plan in result.trials if plan.name in named]
    if not every:
        shown.sort(key=lambda plan: plan.measurements.p50_ms if plan.measurements is not None else 0.0)
    which = "all search configs" if every else "Pareto-optimal search configs"
    title = f"{format_count(n_items, 'item')}, top {result.best.k}: {which}"
    show(search_configs_table(shown, result.best, title))
    results().print(_describe(result.best))


def _describe(chosen: SearchConfig) -> str:
    """Return what the chosen search config reached for the users it was not chosen with."""
    found = chosen.measurements
    if found is None:
        return f"Chosen: {chosen.name}"
    text = f"Chosen: {chosen.name}. For the other users: recall {found.recall:.4f}, p50 {found.p50_ms:.3g} ms"
    if not found.full_scan_users_per_second:
        return f"{text}, {found.users_per_second:,.0f} users/s in batches"
    who = "full scan, which is used for batches" if chosen.slower_in_batches else "full scan"
    scan = f"{found.full_scan_users_per_second:,.0f} with {who}"
    return f"{text}, {found.users_per_second:,.0f} users/s in batches ({scan})"


def _draw(result: AutotuneResult, path: Path, title: str, *, overwrite: bool) -> None:
    from nestrec.report.chart import write_picture
    from nestrec.report.frontier import frontier_chart

    chart = frontier_chart(title, result.trials, result.best, result.target_recall)
    write_picture(path, [chart], overwrite=overwrite)
    say(f"Wrote {path}.")


def _document(result: AutotuneResult) -> dict[str, Any]:
    chosen = result.best
    plans = [{**asdict(tried), "name": tried.name, "chosen": tried.name == chosen.name} for tried in result.trials]
    held = None if chosen.measurements is None else asdict(chosen.measurements)
    request = {"recall": result.target_recall, "k": chosen.k, "width": chosen.width}
    return {**request, "plans": plans, "of_other_users": held}


def _storages(text: str) -> tuple[Storage, ...]:
    from nestrec.retrieval.quantization import Storage

    names = [name.strip() for name in text.split(",") if name.strip()]
    known = [storage.value for storage in Storage]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise OptionError(f"--storages must be some of {', '.join(known)}, comma-separated; got {text!r}")
    return tuple(Storage(name) for name in dict.fromkeys(names))
