"""Exit codes of the command; error_messages.py chooses the one of an error."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import FrameType
from typing import Any, NoReturn, ParamSpec

import typer

from nestrec.cli.console import warn
from nestrec.errors import NestrecError

FAILURE = 1
WRONG_USAGE = 2  # as of typer
INTERRUPTED = 128 + signal.SIGINT
OUTPUT_CLOSED = 141  # 128 + SIGPIPE, as of tools that the signal ends
_RAISE_AFTER = 0.01  # seconds

Words = ParamSpec("Words")


class FailedError(NestrecError):
    """An operation that the system refused."""


def interruptible(command: Callable[Words, None]) -> Callable[Words, None]:
    """Return the command with Ctrl-C as an exit code, and errors of the system as FailedError.

    It must be done here: click takes an EOFError for Ctrl-C and a broken pipe for the end of the output.
    """

    @wraps(command)
    def wrapper(*args: Words.args, **kwargs: Words.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt:
            warn("Interrupted.")
            raise typer.Exit(INTERRUPTED) from None
        except (OSError, MemoryError, RecursionError, EOFError) as error:
            raise FailedError(_describe(error)) from error

    return wrapper


def _describe(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "memory ran out; use less data, fewer widths or threads, or a machine with more memory"
    if isinstance(error, RecursionError):
        return "the input is nested too deeply to be read; give it flat rows"
    if not isinstance(error, OSError):
        return f"a file ended early ({error}); copy or make it again"
    reason = error.strerror or str(error) or type(error).__name__
    if "temporary directory" in reason:
        return f"there is no folder for temporary files ({reason}); set TMPDIR to one that can be written to"
    if error.filename is None:
        return f"the system refused to read or write a file ({reason})"
    return f"{error.filename} cannot be read or written ({reason})"


def exit_code_of(name: str | None) -> int:
    """Return the exit code of an interruption by the signal of that name: 128 and its number."""
    return INTERRUPTED if name is None else 128 + signal.Signals[name]


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the block through its clean-up, by SystemExit with the conventional exit code.

    An error that follows the signal, such as that of a compilation cut off halfway, ends the block alike.
    """
    received: list[int] = []

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        received.append(number)
        raise SystemExit(128 + number)

    former: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
        former = {
            number: signal.signal(number, end) for number in numbers if signal.getsignal(number) is signal.SIG_DFL
        }
    try:
        with _raised_again(received):
            yield
    except BaseException:
        if not received:
            raise
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    if received:
        raise SystemExit(128 + received[0])


@contextmanager
def _raised_again(received: list[int]) -> Iterator[None]:
    """Raise SystemExit again shortly after Python dropped it, as it does in `__del__` and in callbacks from C."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: object) -> None:
        if received:
            raise SystemExit(128 + received[0])

    def rearm(dropped: sys.UnraisableHookArgs) -> None:
        if received and issubclass(dropped.exc_type, SystemExit):
            signal.setitimer(signal.ITIMER_REAL, _RAISE_AFTER)
        else:
            former_hook(dropped)

    former_alarm, former_hook = signal.signal(signal.SIGALRM, end), sys.unraisablehook
    sys.unraisablehook = rearm
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = former_hook
        signal.signal(signal.SIGALRM, former_alarm)
