"""One signal asks, two command; afterwards all is as before."""

from __future__ import annotations

import signal
import threading

import pytest

from nestrec.training.stop_request import StopRequest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_a_request(number: signal.Signals) -> None:
    with StopRequest() as stop:
        before = stop.made
        signal.raise_signal(number)
        assert (before, stop.made) == (False, True)


def test_the_second_signal_interrupts() -> None:
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert stop.made


def test_former_handlers_come_back() -> None:
    """After a request, without one, and after an error."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with StopRequest():
        assert signal.getsignal(signal.SIGINT) is not before[0]
    with StopRequest():
        signal.raise_signal(signal.SIGTERM)
    with pytest.raises(ZeroDivisionError), StopRequest():
        _ = 1 / 0
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_handler_set_outside_of_python_becomes_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python names such a handler None and cannot set it again; None would be an error."""
    given: list[tuple[int, object]] = []

    def set_handler(number: int, handler: object) -> None:
        given.append((number, handler))

    monkeypatch.setattr(signal, "signal", set_handler)
    with StopRequest():
        given.clear()
    assert given == [(number, signal.SIG_DFL) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """As nohup sets SIGHUP, and a shell SIGINT for jobs in the background."""
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopRequest() as stop:
            signal.raise_signal(signal.SIGHUP)
        assert not stop.made
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, former)


def test_outside_the_main_thread_nothing_is_set() -> None:
    """Python would refuse it."""
    made: list[bool] = []
    before = signal.getsignal(signal.SIGINT)

    def enter() -> None:
        with StopRequest() as stop:
            made.append(stop.made)
            made.append(signal.getsignal(signal.SIGINT) is before)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert made == [False, True]
