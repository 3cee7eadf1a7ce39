"""Signals end a command with their exit code at any point."""

from __future__ import annotations

import signal
import time

import pytest

from tests.cli.conftest import Run


class SignalledWhenDeleted:
    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


def delete_and_go_on(*_: object, **__: object) -> None:
    SignalledWhenDeleted()
    time.sleep(30)


def delete_and_return(*_: object, **__: object) -> None:
    SignalledWhenDeleted()
    raise ValueError("went on before it was ended")


def fail_halfway(*_: object, **__: object) -> None:
    try:
        signal.raise_signal(signal.SIGTERM)
    finally:
        raise RuntimeError("no compiled object yet")


@pytest.mark.parametrize("interrupted", [delete_and_go_on, delete_and_return, fail_halfway])
def test_sigterm_ends_a_command_also_where_python_drops_exceptions(
    run: Run, monkeypatch: pytest.MonkeyPatch, interrupted: object
) -> None:
    monkeypatch.setattr("nestrec.embeddings.NestedEmbeddings.load", interrupted)
    before = signal.getsignal(signal.SIGALRM)
    started = time.monotonic()
    assert run("similar", "model", "--item", "a") == (143, "", "")
    assert time.monotonic() - started < 20
    assert signal.getsignal(signal.SIGALRM) is before
