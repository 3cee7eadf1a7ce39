"""Progress of a comparison or a hyperparameter search: a bar on a terminal, and a line per finished model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nestrec.cli.console import messages
from nestrec.comparison.callbacks import ComparisonCallback

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class ComparisonProgress(ComparisonCallback):
    """Show the progress of a comparison on stderr."""

    def __init__(self) -> None:
        self._console = messages()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> ComparisonProgress:
        """Begin to show."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns: tuple[Any, ...] = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("fits"),
            TimeElapsedColumn(),
        )
        self._bar = Progress(*columns, console=self._console, transient=True)
        self._task = self._bar.add_task("preparing", total=None)
        if self._console.is_terminal:  # elsewhere rich would leave a line end
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        assert self._bar is not None
        if self._console.is_terminal:
            self._bar.stop()

    def on_start(self, n_fits: int) -> None:
        """Set the bar's end."""
        self._update(total=n_fits)

    def on_step(self, description: str) -> None:
        """Show what is being done."""
        self._update(description=description)

    def on_progress(self, n_fits: int) -> None:
        """Move the bar."""
        self._update(advance=n_fits)

    def on_message(self, message: str) -> None:
        """Show a sentence."""
        self._console.print(message, markup=False, highlight=False, soft_wrap=True)

    def _update(self, **what: Any) -> None:
        assert self._bar is not None
        assert self._task is not None
        self._bar.update(self._task, **what)
