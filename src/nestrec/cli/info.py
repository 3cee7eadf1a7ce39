"""`nestrec info`: size, training options and data of a model, and its verification.

Examples:
  nestrec info model
  nestrec info model --json
  nestrec info model --verify

"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
import typer

from nestrec.cli.console import results, show
from nestrec.cli.remembered_reading import RememberedReading
from nestrec.cli.shared_options import ModelFolder, flag
from nestrec.data.read_report import format_count
from nestrec.report.sizes import bytes_per_million_items, format_bytes
from nestrec.report.table import TextTable
from nestrec.report.training import validation_table
from nestrec.report.update import history_table

if TYPE_CHECKING:
    from nestrec.embeddings import NestedEmbeddings
    from nestrec.item_table.item_table import ItemTable
    from nestrec.retrieval.search_config import SearchConfig

T = TypeVar("T")


def info(
    model: ModelFolder,
    as_json: Annotated[bool, flag("--json", "Print everything as JSON.")] = False,
    verify: Annotated[
        bool, flag("--verify", "Verify all bytes of all files; by default files over 256 MiB are sampled.")
    ] = False,
) -> None:
    """Show the sizes, options and data of a model, and verify it."""
    from nestrec.artefact.manifest import count_verified
    from nestrec.embeddings import NestedEmbeddings

    loaded = NestedEmbeddings.load(model, verify=True if verify else None)
    blocks = count_verified(loaded.manifest, verify=True if verify else None)
    if as_json:
        typer.echo(json.dumps({**described(loaded), "integrity": _integrity(blocks)}, indent=2, ensure_ascii=False))
        return
    manifest: Any = loaded.manifest
    size = format_bytes(sum(entry["bytes"] for entry in manifest["files"].values()))
    results().print(f"{model}: a model of nestrec {manifest.get('nestrec_version')}, {size} on disk")
    results().print(_integrity_line(blocks))
    show(_sizes(loaded))
    show(_widths(loaded))
    if loaded.item_table is not None:
        _show_item_table(loaded.item_table)
    if loaded.search_config is not None:
        results().print(f"Search config: {loaded.search_config.name} ({_measured(loaded.search_config)})")
    updates = manifest.get("updates")
    n_updates = len(updates) if isinstance(updates, list) else 0
    _show_training(manifest.get("training"), n_updates)
    if n_updates:
        _show_updates(updates)
    data = manifest.get("data")
    if words := RememberedReading.of(manifest).words:
        results().print(f"Read with {words}", soft_wrap=True)
    for line in _data_lines(data.get("report") if isinstance(data, dict) else None):
        results().print(line)


def _show_item_table(table: ItemTable) -> None:
    from nestrec.item_table.column_types import describe_type

    found = table.description
    share = f"{found.n_described:,} of {format_count(len(table), 'item')} have a row"
    results().print(
        f"Item table: {found.source}, {share}; ids {found.id_column}, titles {found.title_column or 'none'}"
    )
    filled = table.count_values()
    rows = tuple((name, describe_type(kind), f"{filled[name]:,}") for name, kind in table.columns.items())
    show(TextTable(("column", "type", "items with a value"), rows, n_left=2))


def described(model: NestedEmbeddings) -> dict[str, Any]:
    """Return the manifest with the memory of each width."""
    memory = [{"width": width, "bytes_per_million_items": bytes_per_million_items(width)} for width in model.widths]
    return {**model.manifest, "memory": memory}


def _measured(plan: SearchConfig) -> str:
    found = plan.measurements
    if found is None:
        return "not measured"
    cost = f"{found.p50_ms:.3g} ms, {found.bytes_per_item:.1f} bytes per item"
    return f"recall {found.recall:.4f} at {plan.k}, {cost}"


def _sizes(model: NestedEmbeddings) -> TextTable:
    seen = model.seen.n_interactions
    rows = (("users", f"{model.n_users:,}"), ("items", f"{model.n_items:,}"), ("interactions seen", f"{seen:,}"))
    return TextTable(("size", "count"), rows, n_left=1)


def _widths(model: NestedEmbeddings) -> TextTable:
    sizes = [(width, bytes_per_million_items(width), 4 * width * model.n_items) for width in model.widths]
    rows = tuple((str(width), format_bytes(million), format_bytes(own)) for width, million, own in sizes)
    return TextTable(("width", "per million items", "this model's items"), rows)


class _Kind(msgspec.Struct):
    """What chose the epoch."""

    kind: str


class _Training(msgspec.Struct):
    """The section of a model that `Trainer.fit` made; one of the same name may hold anything."""

    options: dict[str, Any]
    epochs: int
    trained_on: str
    seconds: float
    interrupted: bool
    validation: _Kind


class _Report(msgspec.Struct):
    """The section of a model that `nestrec train` made."""

    source: str
    format: str
    n_rows: int
    n_kept: int
    rejected: dict[str, int] = {}
    notes: list[str] = []
    training_notes: list[str] = []


def _read_section(section: Any, kind: type[T]) -> T | None:
    """Return a section of the manifest as what it should be; None where it is something else, as a user's own."""
    try:
        return msgspec.convert(section, kind)
    except msgspec.ValidationError:
        return None


def _show_training(section: Any, n_updates: int) -> None:
    training = _read_section(section, _Training)
    if training is None:
        return
    rows = tuple((name, _plain(value)) for name, value in training.options.items())
    show(TextTable(("option", "value"), rows, n_left=2))
    table = _validation_table(section)
    if table is not None:
        show(table)
        if n_updates:
            before = format_count(n_updates, "update")
            results().print(f"These are metrics of the model before {before}; nestrec evaluate measures it as it is")
    stopped = ", then interrupted" if training.interrupted else ""
    epochs = format_count(training.epochs, "epoch")
    text = f"Trained {epochs} on {training.trained_on} in {training.seconds:.1f} s{stopped}"
    results().print(f"{text}; validation: {training.validation.kind}")


def _show_updates(section: list[Any]) -> None:
    """Show the update history, and the validation of the last update; a section of the same name may hold anything."""
    with suppress(LookupError, TypeError, ValueError):
        show(history_table(section))
    with suppress(LookupError, TypeError, ValueError, AttributeError, StopIteration):
        found = section[-1]["validation"]
        table = validation_table({"validation_metrics": found, "options": {"metric": found["metric"]}})
        if table is not None:
            show(replace(table, title=f"Of the last update: {str(table.title).lower()}"))


def _validation_table(section: dict[str, Any]) -> TextTable | None:
    try:
        return validation_table(section)
    except (LookupError, TypeError, ValueError, AttributeError, StopIteration):
        return None  # not the metrics that `Trainer.fit` keeps


def _data_lines(section: Any) -> list[str]:
    """Return the account of the file that was read."""
    report = _read_section(section, _Report)
    if report is None:
        return []
    head = f"Data: {report.source}, {format_count(report.n_rows, 'row')} as {report.format}, {report.n_kept:,} kept"
    rejected = (f"left out {count:,}: {reason}" for reason, count in report.rejected.items())
    return [head, *rejected, *report.notes, *report.training_notes]


def _integrity(blocks: dict[str, tuple[int, int]]) -> dict[str, Any]:
    """Return how far contents were compared with their checksums, by file; a load that finds damage fails."""
    files = {name: {"blocks": n, "verified": verified} for name, (verified, n) in blocks.items()}
    return {"complete": all(verified == n for verified, n in blocks.values()), "files": files}


def _integrity_line(blocks: dict[str, tuple[int, int]]) -> str:
    parts = [f"{name} {verified:,} of {n:,} MiB" for name, (verified, n) in blocks.items() if verified < n]
    if not parts:
        return f"Integrity: the manifest and all bytes of {format_count(len(blocks), 'file')} match their checksums"
    return f"Integrity: what was checked matches its checksums; sampled: {', '.join(parts)}; --verify checks all"


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
