"""Requests to a server at a constant rate, from a process of its own: `python benchmarks/load_generator.py --help`.

Arrivals are Poisson's and do not wait for answers (an open loop): the latency of a request counts from the moment it
was due, so that a server that stalls is charged for all that came meanwhile. Connections are kept and reused. Prints
JSON: percentiles in milliseconds, and counts of statuses and widths.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter

_WAIT = 15.0  # seconds for the last answers


class Load:
    """A running load."""

    def __init__(self, port: int, paths: list[bytes]) -> None:
        self._port, self._paths = port, paths
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.latencies: list[float] = []  # of answers with status 200, seconds
        self.statuses: Counter[str] = Counter()
        self.widths: Counter[str] = Counter()

    async def run(self, rate: float, seconds: float, seed: int) -> int:
        """Send requests for so long; return how many."""
        arrivals = random.Random(seed)
        due = time.perf_counter()
        end, tasks = due + seconds, []
        while due < end:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.append(asyncio.create_task(self._ask(arrivals.choice(self._paths), due)))
            due += arrivals.expovariate(rate)
        await asyncio.wait(tasks, timeout=_WAIT)
        return len(tasks)

    async def _ask(self, path: bytes, due: float) -> None:
        try:
            connection = self._idle.pop() if self._idle else await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = connection
            writer.write(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            await reader.readexactly(int(headers["content-length"]))
        except (OSError, asyncio.IncompleteReadError) as error:
            self.statuses[type(error).__name__] += 1
            return
        status = head.split(" ", 2)[1]
        self.statuses[status] += 1
        if status == "200":
            self.latencies.append(time.perf_counter() - due)
            self.widths[headers.get("x-width", "")] += 1
        self._idle.append(connection)

    def summarize(self, sent: int, seconds: float) -> dict[str, object]:
        """Return what happened."""
        ordered = sorted(self.latencies) or [float("nan")]
        percentiles = {
            f"p{share}": round(1e3 * ordered[min(len(ordered) - 1, int(share / 100 * len(ordered)))], 2)
            for share in (50, 90, 99, 99.9)
        }
        return {
            "sent": sent, "answered_per_second": round(self.statuses["200"] / seconds, 1), **percentiles,
            "max": round(1e3 * ordered[-1], 2), "statuses": dict(self.statuses), "widths": dict(self.widths),
        }  # fmt: skip


async def _main(options: argparse.Namespace) -> None:
    paths = [options.path.format(user=user).encode() for user in range(options.users)]
    load = Load(options.port, paths)
    sent = await load.run(options.rate, options.seconds, options.seed)
    sys.stdout.write(json.dumps(load.summarize(sent, options.seconds)) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=float, default=300.0, help="requests per second")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--users", type=int, default=20_000, help="ids from 0 on")
    parser.add_argument("--path", default="/v1/recommend/{user}?k=10")
    parser.add_argument("--seed", type=int, default=0)
    asyncio.run(_main(parser.parse_args()))
