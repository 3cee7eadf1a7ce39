"""Progress of a comparison or a hyperparameter search: a bar, and a line per finished model where it prints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nestrec.comparison.callbacks import ComparisonCallback
from nestrec.progress import ShownProgress

if TYPE_CHECKING:
    from rich.console import Console


class ComparisonProgress(ShownProgress, ComparisonCallback):
    """Show the progress of a comparison in a bar; with a console, print messages too."""

    def __init__(self, console: Console | None = None) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

        counts = MofNCompleteColumn(), TextColumn("fits"), TimeElapsedColumn()
        super().__init__(TextColumn("{task.description}"), BarColumn(bar_width=20), *counts, console=console)
        self._task = self._bar.add_task("preparing", total=None)

    def on_start(self, n_fits: int) -> None:
        """Set the bar's end."""
        self._bar.update(self._task, total=n_fits)

    def on_step(self, description: str) -> None:
        """Show what is being done."""
        self._bar.update(self._task, description=description)

    def on_progress(self, n_fits: int) -> None:
        """Move the bar."""
        self._bar.update(self._task, advance=n_fits)


@contextmanager
def show_comparison(*, show: bool) -> Iterator[tuple[ComparisonCallback, ...]]:
    """Show progress until the block ends; yield the callbacks that do so, none if not to be shown."""
    if not show:
        yield ()
        return
    with ComparisonProgress() as progress:
        yield (progress,)
