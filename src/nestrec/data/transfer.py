"""Download a file over HTTP into a `.part` file, resuming where an earlier attempt stopped (RFC 9110, ranges).

The caller must check the content against a checksum, also because a server may change the file between two attempts.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Protocol
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from nestrec.errors import DownloadError

TIMEOUT = 30.0  # seconds without a byte
_BLOCK = 1 << 18
_LONGEST_TEXT = 4096


class Progress(Protocol):
    """Callback that receives the progress of a transfer."""

    def __call__(self, done: int, total: int | None) -> None:
        """Take the bytes there are, and how many there will be where the server says so."""
        ...


class _InterruptedError(Exception):
    """The connection ended before the file did."""


def fetch(url: str, part: Path, progress: Progress | None = None) -> None:
    """Append to `part` until it holds all of `url`; retry for as long as each attempt brings more.

    Raises DownloadError; `part` then keeps what has come, for the next attempt.
    """
    while True:
        before = get_size(part)
        try:
            return _receive(url, part, progress)
        except _InterruptedError as interruption:
            if (size := get_size(part)) <= before:
                raise DownloadError(
                    f"{url}: the transfer ended early ({interruption}); run it again to resume at byte {size}"
                ) from interruption


def fetch_text(url: str) -> str:
    """Return a short text, such as a checksum; raise DownloadError."""
    with _open(url, 0) as response:
        try:
            return response.read(_LONGEST_TEXT).decode("ascii", "replace")
        except (OSError, HTTPException) as error:
            raise DownloadError(f"{url}: the transfer ended early ({error}); try again") from error


def get_size(path: Path) -> int:
    """Return the bytes of a file, 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


@contextmanager
def explain_writing(path: Path) -> Iterator[None]:
    """Raise DownloadError where a file or folder cannot be written."""
    try:
        yield
    except OSError as error:
        raise DownloadError(
            f"{path} cannot be written ({error.strerror}); make room or choose another folder, then run it again"
        ) from error


def _receive(url: str, part: Path, progress: Progress | None) -> None:
    """Make one request for the rest and append what comes; raise _InterruptedError where it does not come whole."""
    wanted = get_size(part)
    with _open(url, wanted) as response:
        sent = response.headers.get("Content-Range", "")
        if response.status == 416:
            if sent != f"bytes */{wanted}":  # the part is longer than the file is now: of another version
                part.unlink()
                _receive(url, part, progress)
            return
        if response.status == 206 and not sent.startswith(f"bytes {wanted}-"):
            raise DownloadError(
                f"{url}: requested bytes from {wanted} on, the server sent {sent!r}; remove the .part file and try "
                "again, or use another mirror"
            )
        done = wanted if response.status == 206 else 0  # a server may ignore ranges
        length = response.headers["Content-Length"]
        total = done + int(length) if length and length.isdecimal() else None
        with explain_writing(part):
            out = part.open("ab" if done else "wb")
        with out:
            while block := _read(response):
                with explain_writing(part):
                    out.write(block)
                    out.flush()
                done += len(block)
                if progress is not None:
                    progress(done, total)
    if total is not None and done < total:
        raise _InterruptedError(f"{done} of {total} bytes came")


def _open(url: str, start: int) -> HTTPResponse | HTTPError:
    """Ask for the bytes from `start` on; map every way in which this fails to a sentence, but 416 for such a range."""
    headers = {"User-Agent": "nestrec", "Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        response: HTTPResponse = urlopen(Request(url, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        if error.code == 416 and start:
            return error
        with error:
            raise DownloadError(_explain_status(url, error.code, error.reason)) from error
    except (OSError, HTTPException) as error:
        raise DownloadError(_explain_unreachable(url, error)) from error
    return response


def _explain_status(url: str, code: int, reason: str) -> str:
    if code in (404, 410):
        return f"{url}: the server has no such file ({code} {reason}); check the address or use another mirror"
    return f"{url}: the server answered {code} {reason}; try again later or use another mirror"


def _explain_unreachable(url: str, error: Exception) -> str:
    host, reason = urlsplit(url).netloc, getattr(error, "reason", error)
    other_way = "fetch the file by other means and put it into the folder of data sets"
    if isinstance(reason, ssl.SSLCertVerificationError):
        return (
            f"{url}: the certificate of {host} is not valid ({reason.verify_message}); try again later, or {other_way}"
        )
    return f"{url}: {host} cannot be reached ({reason}); check the network, or {other_way}"


def _read(response: HTTPResponse | HTTPError) -> bytes:
    try:
        return response.read(_BLOCK)
    except (OSError, HTTPException) as error:
        raise _InterruptedError(str(error) or type(error).__name__) from error
