"""Progress on stderr: bars on a terminal; a line per epoch of training there and elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol, Self

from nestrec.cli.console import messages
from nestrec.data.read_report import format_count
from nestrec.training.callbacks import Callback, EpochReport, PhaseStart

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, TaskID


class Advance(Protocol):
    """Moves a bar."""

    def __call__(self, done: int, total: int | None) -> None:
        """Show how much is done, and of how much if that is known."""


def reading_bar(path: Path) -> AbstractContextManager[Advance]:
    """Return a bar to show while a file is read; it disappears at the end."""
    from rich.progress import BarColumn, TextColumn

    return _bar(path.name, TextColumn("reading {task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f}%"))


def counting_bar(noun: str) -> AbstractContextManager[Advance]:
    """Return a bar of things done, such as users; it disappears at the end."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn

    return _bar(noun, TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())


def byte_bar(name: str) -> AbstractContextManager[Advance]:
    """Return a bar of bytes that come over the network; it disappears at the end."""
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn

    return _bar(name, TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())


@contextmanager
def _bar(description: str, *columns: ProgressColumn) -> Iterator[Advance]:
    """Show a bar until the block ends."""
    from rich.progress import TimeRemainingColumn

    with make_bar(*columns, TimeRemainingColumn()) as bar:
        task = bar.add_task(description, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def make_bar(*columns: Any) -> Progress:
    """Return a bar on stderr that shows on terminals only."""
    from rich.progress import Progress

    console = messages()
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


class ShownProgress:
    """A bar that is shown inside a `with` block, and messages above it."""

    def __init__(self, *columns: Any) -> None:
        self._bar = make_bar(*columns)

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the bar."""
        self._bar.stop()

    def on_message(self, message: str) -> None:
        """Print a message."""
        self._bar.console.print(message, markup=False, highlight=False, soft_wrap=True)


_PREPARING = "preparing"  # the first run on a machine compiles the kernels: some seconds
_PHASES = {
    "tuning": "Trying a regularization",
    "search": "Searching for the best epoch",
    "final": "Training on all interactions",
}


class TrainingProgress(ShownProgress, Callback):
    """Shows the phases of training and a line per epoch on stderr, and a bar on a terminal."""

    def __init__(self, metric: str) -> None:
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

        share = TextColumn("{task.percentage:3.0f}%  {task.fields[text]}")
        super().__init__(TextColumn("{task.description}"), BarColumn(bar_width=20), share, TimeRemainingColumn())
        self._metric = metric
        self._task: TaskID | None = None
        self._start = PhaseStart("search", 0, 0, 0)
        self._started_at = 0.0  # seconds, monotonic
        self._n_done = 0  # positives of this phase in this run

    def on_phase_start(self, start: PhaseStart) -> None:
        """Begin a bar."""
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._start, self._started_at, self._n_done = start, monotonic(), 0
        total = start.epochs * start.n_positives
        description, epochs = _PHASES[start.phase], format_count(start.epochs, "epoch")
        self._task = self._bar.add_task(description, total=total, completed=start.position, text=_PREPARING)
        self.on_message(f"{description}: at most {epochs} of {format_count(start.n_positives, 'interaction')}")

    def on_progress(self, n_positives: int) -> None:
        """Move the bar."""
        assert self._task is not None
        self._n_done += n_positives
        if self._bar.tasks[-1].fields["text"] == _PREPARING:
            self._bar.update(self._task, text="")
        self._bar.advance(self._task, n_positives)

    def on_epoch_end(self, report: EpochReport) -> None:
        """Print the epoch, its loss, its validation metric, the speed and the time; trial runs only move the bar."""
        assert self._task is not None
        parts = [f"epoch {report.epoch}/{self._start.epochs}", f"loss {report.loss:.4f}"]
        if report.value is not None:
            parts.append(f"{self._metric} {report.value:.4f}{' (best so far)' if report.best else ''}")
        parts.append(format_speed(report.positives_per_second))
        self._bar.update(self._task, text="  ".join(parts))
        if report.phase != "tuning":
            self.on_message("  ".join([*parts, self._format_time()]))

    def _format_time(self) -> str:
        """Return the time since the phase started, and the time to its last epoch at the same speed."""
        elapsed = monotonic() - self._started_at
        n_left = self._start.epochs * self._start.n_positives - self._start.position - self._n_done
        left = f", {_format_seconds(elapsed * max(0, n_left) / self._n_done)} left" if self._n_done else ""
        return f"{_format_seconds(elapsed)} elapsed{left}"


def _format_seconds(seconds: float) -> str:
    """Return a duration as people read it on a clock.

    >>> _format_seconds(75), _format_seconds(3675)
    ('1:15', '1:01:15')
    """
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def format_speed(positives_per_second: float) -> str:
    """Return a training speed.

    >>> format_speed(1_234_567), format_speed(81_234)
    ('1.2 M interactions/s', '81,234 interactions/s')
    """
    if positives_per_second >= 1e6:
        return f"{positives_per_second / 1e6:.1f} M interactions/s"
    return f"{positives_per_second:,.0f} interactions/s"
