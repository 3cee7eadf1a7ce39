"""Download a file over HTTP into a `.part` file, resuming where an earlier attempt stopped (RFC 9110, ranges).

The caller must check the content against a checksum, also because a server may change the file between two attempts.
"""

from __future__ import annotations

import re
import ssl
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO, Protocol
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
    before = get_size(part)
    while True:
        try:
            _receive(url, part, progress)
        except _InterruptedError as interruption:
            if get_size(part) <= before:
                raise DownloadError(
                    f"{url}: the transfer ended early ({interruption}); run it again to resume at byte {get_size(part)}"
                ) from interruption
            before = get_size(part)
        else:
            return


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


def _receive(url: str, part: Path, progress: Progress | None) -> None:
    """Make one request for the rest and append what comes; raise _InterruptedError where it does not come whole."""
    try:
        response = _open(url, get_size(part))
    except _RangeRefusedError as refusal:
        if refusal.whole_size == get_size(part):
            return
        part.unlink()  # longer than the file is now: of another version
        response = _open(url, 0)
    with response, _open_part(part, start := _parse_start(response, get_size(part), url)) as out:
        length = response.headers["Content-Length"]
        total = start + int(length) if length and length.isdecimal() else None
        done = start
        while block := _read(response):
            _write(out, block, part)
            done += len(block)
            if progress is not None:
                progress(done, total)
    if total is not None and done < total:
        raise _InterruptedError(f"{done} of {total} bytes came")


class _RangeRefusedError(Exception):
    """The server has nothing from that byte on."""

    def __init__(self, whole_size: int | None) -> None:
        super().__init__(whole_size)
        self.whole_size = whole_size


def _open(url: str, start: int) -> HTTPResponse:
    """Ask for the bytes from `start` on; map every way in which this fails to a sentence."""
    headers = {"User-Agent": "nestrec", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        response: HTTPResponse = urlopen(Request(url, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        with error:
            if error.code == 416 and start:
                size = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", ""))
                raise _RangeRefusedError(int(size[1]) if size else None) from error
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


def _parse_start(response: HTTPResponse, wanted: int, url: str) -> int:
    """Return the byte at which the response begins: 0 where the server ignores ranges."""
    if response.status != 206:
        return 0
    given = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if given is None or int(given[1]) != wanted:
        raise DownloadError(
            f"{url}: requested bytes from {wanted} on, the server sent {response.headers.get('Content-Range')!r}; "
            "remove the .part file and try again, or use another mirror"
        )
    return wanted


def _open_part(part: Path, start: int) -> BinaryIO:
    try:
        return part.open("ab" if start else "wb", buffering=0)
    except OSError as error:
        raise DownloadError(f"{part} cannot be written ({error.strerror}); choose another folder") from error


def _read(response: HTTPResponse) -> bytes:
    try:
        return response.read(_BLOCK)
    except (OSError, HTTPException) as error:
        raise _InterruptedError(str(error) or type(error).__name__) from error


def _write(out: BinaryIO, block: bytes, part: Path) -> None:
    view = memoryview(block)
    try:
        while view:
            view = view[out.write(view) :]
    except OSError as error:
        raise DownloadError(
            f"{part} cannot be written ({error.strerror}); make room or choose another folder, then run it again"
        ) from error
