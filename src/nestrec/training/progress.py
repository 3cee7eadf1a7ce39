"""Progress of training: a bar, and a line per epoch where there is a console to print to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from nestrec.data.read_report import format_count
from nestrec.progress import ShownProgress
from nestrec.training.callbacks import Callback, EpochReport, PhaseStart

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

_PREPARING = "preparing"  # the first run on a machine compiles the kernels: some seconds
_PHASES = {
    "tuning": "Trying a regularization",
    "search": "Searching for the best epoch",
    "final": "Training on all interactions",
}


class TrainingProgress(ShownProgress, Callback):
    """Shows the phases of training in a bar; with a console, prints them and a line per epoch too."""

    def __init__(self, metric: str, console: Console | None = None) -> None:
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

        share = TextColumn("{task.percentage:3.0f}%  {task.fields[text]}")
        columns = TextColumn("{task.description}"), BarColumn(bar_width=20), share, TimeRemainingColumn()
        super().__init__(*columns, console=console)
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


@contextmanager
def show_training(metric: str, *, show: bool) -> Iterator[tuple[Callback, ...]]:
    """Show the progress of training until the block ends; yield the callbacks that do so, none if not to be shown."""
    if not show:
        yield ()
        return
    with TrainingProgress(metric) as progress:
        yield (progress,)


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
