"""A progress bar in a notebook, as HTML that is replaced in place; rich's own would need ipywidgets."""

from __future__ import annotations

from html import escape
from time import monotonic
from typing import Any

from rich.progress import Progress, ProgressColumn

_BETWEEN = 0.1  # seconds between two updates


class NotebookBar(Progress):
    """A bar in the output of a notebook's cell; the last one stays."""

    def __init__(self, *columns: ProgressColumn) -> None:
        super().__init__(*columns, disable=True)  # rich keeps the counts and shows nothing
        self._handle: Any = None
        self._shown_at = -_BETWEEN

    def start(self) -> None:
        """Show the bar."""
        from IPython.display import HTML, display

        self._handle = display(HTML(self.html()), display_id=True)  # type: ignore[no-untyped-call]

    def stop(self) -> None:
        """Show the last state."""
        self._show(at_once=True)

    def update(self, *args: Any, **values: Any) -> None:
        """Change the bar, as rich does."""
        super().update(*args, **values)
        self._show()

    def advance(self, *args: Any, **values: Any) -> None:
        """Move the bar, as rich does."""
        super().advance(*args, **values)
        self._show()

    def html(self) -> str:
        """Return the bar as HTML."""
        if not self.tasks:
            return ""
        task = self.tasks[-1]
        size = "" if task.total is None else f' value="{min(task.completed, task.total)}" max="{task.total}"'
        parts = [task.description, "" if task.total is None else f"{task.percentage:.0f}%", task.fields.get("text", "")]
        text = escape("  ".join(part for part in parts if part))
        return f'<progress{size} style="vertical-align: middle"></progress> <span>{text}</span>'

    def _show(self, *, at_once: bool = False) -> None:
        if self._handle is None or not (at_once or monotonic() - self._shown_at >= _BETWEEN):
            return
        from IPython.display import HTML

        self._shown_at = monotonic()
        self._handle.update(HTML(self.html()))  # type: ignore[no-untyped-call]
