"""A server under a steady load for minutes or hours, reloading its model: no failed answer, no growing memory."""

from __future__ import annotations

import http.client
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np

from nestrec import NestedEmbeddings
from tests.faults.tally import Tally
from tests.serving.process import ServerProcess, running

_CLIENTS = 4
_PAUSE = 0.01  # seconds between two requests of a client
_GROWTH = 0.02  # of resident memory, from the first fifth of the time to its end
_WARM = 0.2
_RELOADS_LEAST, _RELOAD_SECONDS = 5, 60.0
_USERS = 500


def check_server(seconds: float) -> Tally:
    """Count answers; crashes are statuses other than 200, losses are memory that grew."""
    tally, began = Tally("server under load"), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        users, items = np.random.default_rng(0).standard_normal((2, _USERS, 64)).astype(np.float32)
        NestedEmbeddings.from_arrays(users, items, [8, 64]).save(path)
        with running(path) as server:
            _load(server, seconds, tally)
            if server.stop() != 0:
                tally.add("crashes", "the server did not end by SIGTERM with 0")
    tally.seconds = time.perf_counter() - began
    return tally


def _load(server: ServerProcess, seconds: float, tally: Tally) -> None:
    statuses: Counter[int] = Counter()
    end = time.monotonic() + seconds
    threads = [threading.Thread(target=_ask, args=(server.port, end, statuses)) for _ in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    pause = min(_RELOAD_SECONDS, seconds * _WARM / _RELOADS_LEAST)
    sizes: list[tuple[float, int]] = []
    while (left := end - time.monotonic()) > 0:
        server.process.send_signal(1)  # SIGHUP
        time.sleep(min(pause, left))
        sizes.append((seconds - (end - time.monotonic()), _read_resident(server.process.pid)))
    for thread in threads:
        thread.join()
    tally.add("injected", n=sum(statuses.values()))
    for status, count in statuses.items():
        if status != 200:
            tally.add("crashes", f"{count} answers with status {status}", n=count)
    first = max(size for moment, size in sizes if moment <= seconds * 2 * _WARM)
    last = max(size for moment, size in sizes if moment >= seconds * (1 - _WARM))
    tally.note = f"{len(sizes)} reloads, resident memory {first // 1024} MB, at the end {last // 1024} MB"
    if last > first * (1 + _GROWTH):
        tally.add("losses", tally.note)


def _ask(port: int, end: float, statuses: Counter[int]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    number = 0
    while time.monotonic() < end:
        number = (number + 1) % _USERS
        try:
            connection.request("GET", f"/v1/recommend/{number}?k=10")
            reply = connection.getresponse()
            reply.read()
            statuses[reply.status] += 1
        except (OSError, http.client.HTTPException):
            statuses[0] += 1
            connection.close()
        time.sleep(_PAUSE)
    connection.close()


def _read_resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
