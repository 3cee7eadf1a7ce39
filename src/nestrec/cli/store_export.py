"""Export to a store: write, print what was done, and verify."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nestrec.cli.console import say
from nestrec.cli.progress import counting_bar
from nestrec.cli.store_options import StoreOptions
from nestrec.data.read_report import format_count

if TYPE_CHECKING:
    from nestrec.embeddings import NestedEmbeddings
    from nestrec.stores import ExportReport, ExportRequest, Store

_MIN_RECALL = 0.95


def write_store(
    model: Path, to: str, out: str, request: ExportRequest, options: StoreOptions, target_options: dict[str, str]
) -> None:
    """Export a model to a store; raise StoreError where it is verified and falls short."""
    from nestrec.embeddings import NestedEmbeddings
    from nestrec.stores import export, open_store

    with open_store(out, to, **target_options) as store:
        loaded = NestedEmbeddings.load(model, search_config=False)
        if options.changed_since is not None:
            earlier = NestedEmbeddings.load(options.changed_since, search_config=False)
            request = replace(request, changed_since=earlier)
        try:
            with counting_bar("rows") as advance:
                report = export(loaded, store, request, progress=advance)
        except KeyboardInterrupt:
            say(f"The rows so far are in {out}; give the same command again to continue.")
            raise
        _announce(report)
        if options.verify is not None:
            _verify(loaded, store, options.verify, _MIN_RECALL if options.min_recall is None else options.min_recall)


def _announce(report: ExportReport) -> None:
    """Print what was written, and the operating points."""
    if not report.changed:
        say(f"Nothing to write: {report.place} has these rows already.")
    for side in report.sides if report.changed else ():
        counts = (
            f"{side.n_new:,} new, {side.n_changed:,} changed, {side.n_gone:,} deleted, {side.n_unchanged:,} unchanged"
        )
        say(f"Wrote {report.place}: {side.side}: {counts}.")
    say(f"Widths {', '.join(map(str, report.layout.widths))}.")
    for point in report.operating_points if report.layout.items is not None else ():
        if len(point.widths) == 1:
            say(f"Search with width {point.widths[0]}: the model has no narrower one that is stored.")
            continue
        short = "" if point.recall >= point.target else f", short of {point.target}"
        widths = ", ".join(map(str, point.widths))
        say(
            f"Recall {point.recall:.3f} of the best {point.k}{short}: widths {widths}, shortlist {point.shortlist} "
            f"(measured on {format_count(point.n_users, 'user')})."
        )


def _verify(model: NestedEmbeddings, store: Store, n_users: int, min_recall: float) -> None:
    from nestrec.stores import verify

    report = verify(model, store, n_users=n_users)
    report.check(min_recall)
    widths = ", ".join(map(str, report.widths))
    say(
        f"Verified {format_count(report.n_users, 'user')}: exact lists equal nestrec's; recall {report.recall:.4f} of "
        f"the two-stage search with widths {widths}, shortlist {report.shortlist}."
    )
