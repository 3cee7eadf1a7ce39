"""Progress of a comparison or a hyperparameter search: a bar on a terminal, and a line per finished model."""

from __future__ import annotations

from nestrec.cli.progress import ShownProgress
from nestrec.comparison.callbacks import ComparisonCallback


class ComparisonProgress(ShownProgress, ComparisonCallback):
    """Show the progress of a comparison on stderr."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

        counts = MofNCompleteColumn(), TextColumn("fits"), TimeElapsedColumn()
        super().__init__(TextColumn("{task.description}"), BarColumn(bar_width=20), *counts)
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
