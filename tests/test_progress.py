"""Bars: on terminals, in notebooks, nowhere else."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from rich.progress import TextColumn

from nestrec import RandomSplit, SyntheticData, Trainer, compare, evaluate, plan, tune
from nestrec.notebook_bar import NotebookBar
from nestrec.progress import counting_bar, is_notebook, make_bar

DATA = SyntheticData(n_users=60, n_items=50, interactions_per_user=9).generate(seed=1).interactions


class Handle:
    """A display of a notebook that keeps what it showed."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def update(self, html: Any) -> None:
        self.shown.append(html.data)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Handle:
    """Pretend that this process is the kernel of a notebook."""
    display, handle = pytest.importorskip("IPython.display"), Handle()
    shell = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: shell)

    def show(html: Any, *, display_id: bool) -> Handle:
        handle.shown.append(html.data)
        return handle

    monkeypatch.setattr(display, "display", show)
    return handle


def test_outside_a_notebook_and_a_terminal_there_is_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    assert not is_notebook()
    with counting_bar("users") as advance:
        advance(3, 10)
    assert capsys.readouterr() == ("", "")


def test_ipython_on_a_terminal_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = type("TerminalInteractiveShell", (), {})()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert not is_notebook()


def test_a_bar_of_a_console_that_is_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    with make_bar(TextColumn("{task.description}"), console=Console(file=file, force_terminal=True)) as bar:
        bar.add_task("ranking", total=3)
    assert "ranking" in file.getvalue()


def test_a_notebook_shows_a_bar_in_place(notebook: Handle) -> None:
    bar = make_bar(TextColumn("{task.description}"))
    assert isinstance(bar, NotebookBar)
    with bar:
        task = bar.add_task("a < b", total=4, text="epoch 1/4")
        bar.update(task, completed=1)
        bar.advance(task, 3)
    assert notebook.shown[0] == ""
    assert 'value="4' in notebook.shown[-1]
    assert "a &lt; b  100%  epoch 1/4" in notebook.shown[-1]


def test_training_and_evaluation_show_progress_in_a_notebook(
    notebook: Handle, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Trainer(widths=(2, 4), epochs=2).fit(DATA, progress=True)
    assert "Training on all interactions" in notebook.shown[-1]
    held_out = SyntheticData(n_users=60, n_items=50, interactions_per_user=9).generate(seed=2).interactions
    with pytest.warns():
        evaluate(model, held_out, progress=True)
    assert "users  100%" in notebook.shown[-1]
    assert capsys.readouterr() == ("", "")


def test_planning_shows_progress_and_calls_back(notebook: Handle) -> None:
    calls: list[int] = []
    model = Trainer(widths=(2, 4), epochs=1).fit(DATA, validation=None)
    plan(model, recall=0.9, k=5, n_users=10, threads=1, progress=True, callback=lambda _, done, __: calls.append(done))
    assert "coarse indexes  100%" in notebook.shown[-1]
    assert calls == sorted(calls)
    assert len(calls) > 2


def test_comparisons_and_tuning_show_progress_in_a_notebook(notebook: Handle) -> None:
    train, test = RandomSplit(0.2).split(DATA)
    compare(train, test, models=["popularity"], widths=[2], seeds=[0], trials=0, threads=1, progress=True)
    assert "100%" in notebook.shown[-1]
    tune(DATA, "ease", widths=[2], trials=1, threads=1, progress=True)
    assert "tuning ease" in notebook.shown[-1]
