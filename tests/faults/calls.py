"""What a forked child can be asked for beside commands, and what the fork server does before it takes requests."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from nestrec.errors import NestrecError

_CALLS: dict[str, Callable[..., None]] = {}


def call(name: str, arguments: list[str]) -> int:
    """Run a function as the command line runs a command: 0, or 1 and one line for an error of the library's."""
    try:
        _CALLS[name](*arguments)
    except NestrecError as error:
        sys.stderr.write(f"nestrec: {error}\n")
        return 1
    return 0


def _callable(function: Callable[..., None]) -> Callable[..., None]:
    _CALLS[function.__name__] = function
    return function


def warm_up() -> None:
    """Load and compile what commands need, in this process, so that children have it; write checkpoints often."""
    from nestrec.comparison import worker
    from nestrec.data import synthetic
    from nestrec.data.synthetic import SyntheticData
    from nestrec.training.checkpoint import Checkpoint
    from tests.faults.scenarios import SCENARIOS

    cast("Any", Checkpoint).is_due = lambda _: True
    cast("Any", synthetic).SyntheticData = lambda **_: SyntheticData(n_users=60, n_items=40, interactions_per_user=6)
    cast("Any", worker).subprocess = SimpleNamespace(Popen=_ForkedChild, PIPE=None)
    before, said = Path.cwd(), io.StringIO()
    done: set[tuple[str, ...]] = set()
    for scenario in SCENARIOS:
        with (
            tempfile.TemporaryDirectory() as folder,
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
        ):
            os.chdir(folder)
            commands = (*scenario.setup, scenario.argv)
            if commands[-1] not in done:
                for argv in commands:
                    run(argv)
                done.update(commands)
            os.chdir(before)


def run(argv: tuple[str, ...]) -> int:
    """Run a command or a call in this process."""
    from nestrec.cli.main import main

    return call(argv[1], list(argv[2:])) if argv[0] == "call" else main(argv)


@_callable
def data(path: str, seed: str = "0") -> None:
    """Write a small file of interactions."""
    from nestrec.data.synthetic import SyntheticData

    interactions = SyntheticData(n_users=40, n_items=40, interactions_per_user=6).generate(int(seed)).interactions
    users, items = interactions.users.ids.tolist(), interactions.items.ids.tolist()
    rows = [
        f"u{users[row]},i{items[column]}\n"
        for row in range(len(users))
        for column in interactions.indices[interactions.indptr[row] : interactions.indptr[row + 1]].tolist()
    ]
    Path(path).write_text("user_id,item_id\n" + "".join(rows), encoding="utf-8")


@_callable
def text(path: str, content: str) -> None:
    """Write a file of the user's own."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(content, encoding="utf-8")


@_callable
def folder(path: str) -> None:
    """Make an empty folder."""
    Path(path).mkdir(parents=True)


@_callable
def save(source: str, target: str, overwrite: str = "") -> None:
    """Save a loaded model elsewhere."""
    from nestrec.embeddings import NestedEmbeddings

    NestedEmbeddings.load(source).save(target, overwrite=bool(overwrite))


@_callable
def fit(path: str, checkpoint: str, model: str) -> None:
    """Train by the library with a checkpoint, resuming where there is one, and save the model."""
    from nestrec import read_interactions
    from nestrec.training.options import Run
    from nestrec.training.trainer import Trainer

    interactions = read_interactions(path)
    how = Run(deterministic=True, threads=1, checkpoint=Path(checkpoint), checkpoint_seconds=0, resume=True)
    Trainer(widths=(2, 4), epochs=2).fit(interactions, run=how).save(model, overwrite=True)


@_callable
def careless(target: str) -> None:
    """Write as nothing here should: in place, without a temporary file. The harness must notice."""
    try:
        with Path(target).open("w", encoding="utf-8") as file:
            file.write("new " * 20_000)
    except OSError as error:
        raise NestrecError(f"{target} cannot be written ({error.strerror})") from error


class _ForkedChild:
    """Stands for `subprocess.Popen` of `nestrec.comparison.worker_main`."""

    def __init__(self, *_: Any, stderr: Any, **__: Any) -> None:
        ask, answer = os.pipe(), os.pipe()
        self._code: int | None = None
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if self._pid == 0:
            os.setsid()
            os.dup2(ask[0], 0)
            os.dup2(answer[1], 1)
            os.dup2(stderr.fileno(), 2)
            os.closerange(3, 64)
            self._work()
        os.close(ask[0])
        os.close(answer[1])
        self.stdin = os.fdopen(ask[1], "w", encoding="utf-8")
        self.stdout = os.fdopen(answer[0], encoding="utf-8")

    def _work(self) -> None:
        from nestrec.comparison import worker_main as child

        code = 0
        try:
            sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
            sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
            sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
            child.main()
        except BaseException:
            code = 1
        os._exit(code)

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        if self._code is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code

    def wait(self) -> int:
        """Return the exit code once it has ended."""
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return self._code

    def kill(self) -> None:
        """End it."""
        if self._code is None:
            os.kill(self._pid, signal.SIGKILL)
