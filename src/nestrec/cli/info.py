"""`nestrec info`: what a model is, how it was trained, on what, and how large it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nestrec.cli.console import results, show
from nestrec.report.sizes import bytes_per_million_items, readable_bytes
from nestrec.report.table import TextTable
from nestrec.report.training import validation_table

if TYPE_CHECKING:
    from nestrec.embeddings import NestedEmbeddings
    from nestrec.retrieval.plan import Plan

EXAMPLES = """\b
Examples:
  nestrec info model
  nestrec info model --json
"""


def info(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a model.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print all that is known as JSON.")] = False,
) -> None:
    """Show what a model is: sizes, widths, options, data, validation."""
    from nestrec.embeddings import NestedEmbeddings

    loaded = NestedEmbeddings.load(model)
    if as_json:
        typer.echo(json.dumps(described(loaded), indent=2, ensure_ascii=False))
        return
    manifest = loaded.manifest
    results().print(f"{model}: a model of nestrec {manifest.get('nestrec_version')}, {_size(manifest)} on disk")
    show(_sizes(loaded))
    show(_widths(loaded))
    if loaded.plan is not None:
        results().print(f"Plan: {loaded.plan.name} ({_measured(loaded.plan)})")
    training = manifest.get("training")
    if training is not None:
        _show_training(training)
    for line in _data_lines(manifest.get("data", {}).get("report")):
        results().print(line)


def described(model: NestedEmbeddings) -> dict[str, Any]:
    """Return the manifest with the memory of each width."""
    memory = [{"width": width, "bytes_per_million_items": bytes_per_million_items(width)} for width in model.widths]
    return {**model.manifest, "memory": memory}


def _measured(plan: Plan) -> str:
    found = plan.measured
    if found is None:
        return "not measured"
    cost = f"{found.p50_ms:.3g} ms, {found.bytes_per_item:.1f} bytes per item"
    return f"recall {found.recall:.4f} of the best {plan.k}, {cost}"


def _sizes(model: NestedEmbeddings) -> TextTable:
    seen = model.seen.n_interactions
    rows = (("users", f"{model.n_users:,}"), ("items", f"{model.n_items:,}"), ("interactions seen", f"{seen:,}"))
    return TextTable(("size", "count"), rows, n_left=1)


def _widths(model: NestedEmbeddings) -> TextTable:
    sizes = [(width, bytes_per_million_items(width), 4 * width * model.n_items) for width in model.widths]
    rows = tuple((str(width), readable_bytes(million), readable_bytes(own)) for width, million, own in sizes)
    return TextTable(("width", "per million items", "this model's items"), rows)


def _show_training(training: dict[str, Any]) -> None:
    rows = tuple((name, _plain(value)) for name, value in training["options"].items())
    show(TextTable(("option", "value"), rows, n_left=2))
    table = validation_table(training)
    if table is not None:
        show(table)
    stopped = ", then interrupted" if training["interrupted"] else ""
    told = f"Trained {training['epochs']} epochs on {training['trained_on']} in {training['seconds']:.1f} s{stopped}"
    results().print(f"{told}; validation: {training['validation']['kind']}")


def _data_lines(report: dict[str, Any] | None) -> list[str]:
    """Return the account of the file that was read."""
    if report is None:
        return []
    head = f"Data: {report['source']}, {report['n_rows']:,} rows as {report['format']}, {report['n_kept']:,} kept"
    return [head, *(f"left out {count:,}: {reason}" for reason, count in report["rejected"].items()), *report["notes"]]


def _size(manifest: Any) -> str:
    return readable_bytes(sum(entry["bytes"] for entry in manifest["files"].values()))


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
