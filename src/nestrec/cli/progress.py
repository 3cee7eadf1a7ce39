"""Progress on stderr: a bar on a terminal; elsewhere a line per ranking of the validation part, and no bar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nestrec.cli.console import messages
from nestrec.data.read_report import counted

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, TaskID

    from nestrec.training.callbacks import EpochReport, PhaseStart


class Advance(Protocol):
    """Told how far something is, and how far it has to go if that is known."""

    def __call__(self, done: int, total: int | None) -> None:
        """Take both."""


@contextmanager
def reading_bar(path: Path) -> Iterator[Advance]:
    """Show a bar while a file is read; it disappears at the end."""
    from rich.progress import BarColumn, TextColumn

    columns = TextColumn("reading {task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f}%")
    with _bar(path.name, *columns) as advance:
        yield advance


@contextmanager
def counting_bar(noun: str) -> Iterator[Advance]:
    """Show a bar of things done, such as users; it disappears at the end."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn

    with _bar(noun, TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()) as advance:
        yield advance


@contextmanager
def byte_bar(name: str) -> Iterator[Advance]:
    """Show a bar of bytes that come over the network; it disappears at the end."""
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with _bar(name, *columns) as advance:
        yield advance


@contextmanager
def _bar(description: str, *columns: ProgressColumn) -> Iterator[Advance]:
    """Show a bar on a terminal; elsewhere nothing, not even the line end that rich would leave."""
    from rich.progress import Progress, TimeRemainingColumn

    console = messages()
    if not console.is_terminal:
        yield lambda done, total: None
        return
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task(description, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


_PREPARING = "preparing"  # the first run on a machine compiles the kernels: some seconds
_PHASES = {
    "tuning": "trying a regularization",
    "search": "searching for the best epoch",
    "final": "training on all interactions",
}


class TrainingProgress:
    """A `nestrec.training.callbacks.Callback` that shows progress; `watched`: whether validation is ranked."""

    def __init__(self, metric: str) -> None:
        self._metric = metric
        self._console = messages()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> TrainingProgress:
        """Begin to show."""
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns: tuple[Any, ...] = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.percentage:3.0f}%  {task.fields[told]}"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=self._console, transient=True)
        if self._console.is_terminal:  # elsewhere rich would leave a line end
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        assert self._bar is not None
        if self._console.is_terminal:
            self._bar.stop()

    def on_phase_start(self, start: PhaseStart) -> None:
        """Begin a bar."""
        assert self._bar is not None
        if self._task is not None:
            self._bar.remove_task(self._task)
        total = start.epochs * start.n_positives
        description, epochs = _PHASES[start.phase], counted(start.epochs, "epoch")
        self._task = self._bar.add_task(description, total=total, completed=start.position, told=_PREPARING)
        self._line(f"{description}: at most {epochs} of {counted(start.n_positives, 'interaction')}")

    def on_progress(self, n_positives: int) -> None:
        """Move the bar."""
        assert self._bar is not None
        assert self._task is not None
        if self._bar.tasks[-1].fields["told"] == _PREPARING:
            self._bar.update(self._task, told="")
        self._bar.advance(self._task, n_positives)

    def on_epoch_end(self, report: EpochReport) -> None:
        """Show loss and speed in the bar, and a line where validation was ranked."""
        assert self._bar is not None
        assert self._task is not None
        told = f"epoch {report.epoch}, loss {report.loss:.4f}, {speed(report.positives_per_second)}"
        self._bar.update(self._task, told=told)
        if report.metrics is not None and report.value is not None:
            by_width = "  ".join(f"{width}: {labels[self._metric]:.4f}" for width, labels in report.metrics.items())
            best = " (best so far)" if report.best else ""
            self._line(f"{told}; {self._metric} by width  {by_width}  mean {report.value:.4f}{best}")

    def on_message(self, message: str) -> None:
        """Show a message."""
        self._line(message)

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def speed(positives_per_second: float) -> str:
    """Return a speed for people.

    >>> speed(1_234_567), speed(81_234)
    ('1.2 M interactions/s', '81,234 interactions/s')
    """
    if positives_per_second >= 1e6:
        return f"{positives_per_second / 1e6:.1f} M interactions/s"
    return f"{positives_per_second:,.0f} interactions/s"
