"""Run a server on a socket until a signal ends it: uvicorn with uvloop and httptools, in one process.

SIGTERM and SIGINT stop it gracefully: no new connections, requests in flight are answered. SIGHUP loads the models
again and opens the access log again.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from nestrec.errors import OptionError
from nestrec.serving.app import Server
from nestrec.serving.connections import LimitedProtocol

_SWITCH_SECONDS = 0.001  # how long a thread keeps the interpreter while the loop waits for it
_BACKLOG = 2_048
_STOPPING_SECONDS = 30
_IDLE_SECONDS = 75  # of a connection between two requests


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one. Raises OptionError for an address that cannot be taken."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        bound = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        raise OptionError(_explain_failure(host, port, error)) from error
    bound.set_inheritable(False)
    return bound


def _explain_failure(host: str, port: int, error: OSError | OverflowError) -> str:
    number = error.errno if isinstance(error, OSError) and not isinstance(error, socket.gaierror) else None
    if number == errno.EADDRINUSE:
        return f"port {port} of {host} is in use by another program; give another port"
    reason = os.strerror(number) if number else getattr(error, "strerror", None) or error
    return f"the server cannot listen at {host} port {port} ({reason}); give another port"


def run(server: Server, listening: socket.socket, started: Callable[[], None]) -> None:
    """Answer requests until SIGTERM or SIGINT; `started` is called when the first can be answered."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    config = uvicorn.Config(
        server,
        http=LimitedProtocol,
        loop="uvloop",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_STOPPING_SECONDS,
        backlog=_BACKLOG,
    )
    _Process(config, server, started).run(sockets=[listening])


class _Process(uvicorn.Server):
    """Uvicorn's server with the signals of this one."""

    def __init__(self, config: uvicorn.Config, server: Server, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._application, self._started = server, started
        self._reloads: set[asyncio.Task[None]] = set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals while the server runs."""
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        former = {number: signal.getsignal(number) for number in numbers}
        loop.add_signal_handler(signal.SIGTERM, self._stop)
        loop.add_signal_handler(signal.SIGINT, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        try:
            yield
        finally:
            for number, handler in former.items():
                loop.remove_signal_handler(number)
                signal.signal(number, handler)

    async def startup(self, sockets: Any = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        self._started()

    def _stop(self) -> None:
        self._application.begin_stop()
        self.should_exit = True

    def _reload(self) -> None:
        self._application.reopen_log()
        task = asyncio.get_running_loop().create_task(self._application.reload_all())
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)
