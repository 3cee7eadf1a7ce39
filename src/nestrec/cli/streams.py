"""Standard output and error whose reader may go away: messages are then dropped, answers end the command.

The command line replaces both while it runs. A write to a closed pipe fails; from then on the stream leads to the null
device, so that no later write fails, not even when Python exits.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

from nestrec.errors import NestrecError


class OutputClosedError(Exception):
    """Nobody reads standard output any more."""


class OutputFailedError(NestrecError):
    """Standard output cannot be written, as on a full disk."""


class _Stream:
    """A text stream; all but writing is that of the stream inside."""

    def __init__(self, inside: TextIO) -> None:
        self._inside = inside

    def write(self, text: str) -> int:
        """Write; what is lost counts as written."""
        try:
            self._inside.write(text)
        except (OSError, ValueError) as error:
            self._lost(error)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write all."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush."""
        try:
            self._inside.flush()
        except (OSError, ValueError) as error:
            self._lost(error)

    def _lost(self, error: OSError | ValueError) -> None:
        raise NotImplementedError

    def _drop(self) -> None:
        """Let the stream lead nowhere: what is still in its buffers fails no more."""
        with suppress(OSError, ValueError, AttributeError):
            null = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(null, self._inside.fileno())
            finally:
                os.close(null)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inside, name)


class _Messages(_Stream):
    def _lost(self, error: OSError | ValueError) -> None:
        if isinstance(error, UnicodeEncodeError):
            raise error
        self._drop()


class _Answers(_Stream):
    def _lost(self, error: OSError | ValueError) -> None:
        if not isinstance(error, OSError):
            raise error
        self._drop()
        if error.errno in (errno.EPIPE, errno.ECONNRESET):
            raise OutputClosedError from error
        raise OutputFailedError(
            f"standard output cannot be written ({error.strerror}); make room or name another place"
        ) from error


@contextmanager
def tolerant_streams() -> Iterator[None]:
    """Replace sys.stdout and sys.stderr while the command line runs."""
    _open_closed_descriptors()
    former = sys.stdout, sys.stderr
    sys.stdout = cast("TextIO", _Answers(sys.stdout or _unusable(1)))
    sys.stderr = cast("TextIO", _Messages(sys.stderr or _unusable(2)))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = former


def _unusable(descriptor: int) -> TextIO:
    """Return a stream on a descriptor that was closed when Python began."""
    return os.fdopen(descriptor, "w", encoding="utf-8", closefd=False)


def _open_closed_descriptors() -> None:
    """Take the numbers of standard streams that are closed, or the next file opened would get what is printed.

    They are opened for reading alone: a write fails as on a closed stream.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # the lowest free number
