"""A file server on this machine for tests of downloads, with the ways in which real ones fail."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """What is served, how it fails, and what was asked for."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)  # path from the root -> contents
    knows_ranges: bool = True
    cut_after: list[int] = field(default_factory=list)  # bytes of the body after which each next request is cut off
    content_range: str | None = None  # what to claim instead of the truth
    status: int | None = None  # what to answer to everything
    tells_length: bool = True
    requests: list[tuple[str, str | None]] = field(default_factory=list)  # path, Range header


class _QuietServer(ThreadingHTTPServer):
    """Says nothing when a client goes away."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore it: the tests look at the client's side."""


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[FileServer]:
    """Serve files on 127.0.0.1 for the length of the block."""
    state = FileServer(files=files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.requests.append((self.path, asked))
            _answer(self, state, asked)

        def log_message(self, *args: object) -> None:
            """Keep the tests' output clean."""

    with _QuietServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


def _answer(handler: BaseHTTPRequestHandler, state: FileServer, asked: str | None) -> None:
    contents = state.files.get(handler.path)
    if state.status is not None or contents is None:
        handler.send_error(state.status or 404)
        return
    found = re.fullmatch(r"bytes=(\d+)-", asked or "")
    start = int(found[1]) if found and state.knows_ranges else 0
    if start >= len(contents) > 0:
        handler.send_response(416)
        handler.send_header("Content-Range", f"bytes */{len(contents)}")
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    body = contents[start:]
    handler.send_response(206 if found and state.knows_ranges else 200)
    if found and state.knows_ranges:
        true_range = f"bytes {start}-{len(contents) - 1}/{len(contents)}"
        handler.send_header("Content-Range", state.content_range or true_range)
    if state.tells_length:
        handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: state.cut_after.pop(0)] if state.cut_after else body)
