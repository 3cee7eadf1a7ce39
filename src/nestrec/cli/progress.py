"""Progress on stderr: bars on a terminal, which --quiet hides; a line per epoch of training there and elsewhere."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from nestrec.cli.console import messages

if TYPE_CHECKING:
    from nestrec.comparison.progress import ComparisonProgress
    from nestrec.progress import Advance
    from nestrec.training.progress import TrainingProgress


def reading_bar(path: Path) -> AbstractContextManager[Advance]:
    """Return a bar to show while a file is read; it disappears at the end."""
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

    from nestrec.progress import show_bar

    columns = TextColumn("reading {task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f}%")
    return show_bar(path.name, *columns, TimeRemainingColumn(), console=messages())


def counting_bar(noun: str) -> AbstractContextManager[Advance]:
    """Return a bar of things done, such as users; it disappears at the end."""
    from nestrec.progress import counting_bar as bar

    return bar(noun, messages())


def byte_bar(name: str) -> AbstractContextManager[Advance]:
    """Return a bar of bytes that come over the network; it disappears at the end."""
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from nestrec.progress import show_bar

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    return show_bar(name, *columns, TimeRemainingColumn(), console=messages())


def training_progress(metric: str) -> TrainingProgress:
    """Return the progress of training: a bar, and a line per epoch."""
    from nestrec.training.progress import TrainingProgress

    return TrainingProgress(metric, messages())


def comparison_progress() -> ComparisonProgress:
    """Return the progress of a comparison or a hyperparameter search: a bar, and a line per finished model."""
    from nestrec.comparison.progress import ComparisonProgress

    return ComparisonProgress(messages())
