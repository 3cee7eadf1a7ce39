"""A server under load: latency at constant rates, reloads meanwhile, memory, and overload with and without narrowing.

    python benchmarks/serve_load.py [--items 100000] [--rates 300,1000] [--seconds 15]
    python benchmarks/serve_load.py --reloads 20 --rates 300 --seconds 60
    python benchmarks/serve_load.py --overload --rates 500,1000,2000 --seconds 3 --quality .87,.95,.99,.99,1

Vectors are those of retrieval_speed.py: normal numbers that shrink with the dimension. Each request is one user's list
of 10, over HTTP on this machine; load_generator.py runs in a process of its own. The server has one process.

How to read it: percentiles are milliseconds from the moment that a request was due, on a machine with two cores, which
the generator shares. `cpu` is the server's processor time per answer in milliseconds, which other work on the machine
hardly changes. `grown` is the growth of the server's resident memory in the run, after a short one that fills caches.
`--overload` sends each rate to a server that narrows and to one that can only reject, in turns; `quality` is the mean
of what the answers are worth, 1 at the full width and 0 for a request that was rejected: the share of the full width's
best 10 in the list, or what `--quality` gives for its width. Shares per processor second hold on a busy machine, too.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from nestrec import NestedEmbeddings

WIDTHS = (4, 8, 16, 32, 64)
KEY = "a-key-of-this-benchmark"
_TICK = os.sysconf("SC_CLK_TCK")
_QUALITY = "of each width beside the full one, such as its share of recall; by default, of the lists themselves"
_SAMPLE = 300  # users whose lists are compared


def main() -> None:
    """Run what is asked for."""
    options = _parse()
    with tempfile.TemporaryDirectory() as folder:
        model = generate(options.items, options.users, seed=0)
        model.save(Path(folder) / "model")
        if options.overload:
            compare_overload(Path(folder), model, options)
        else:
            measure_rates(Path(folder), model, options)


def generate(n_items: int, n_users: int, seed: int) -> NestedEmbeddings:
    """Return a model of generated vectors."""
    generator = np.random.default_rng(seed)
    sizes = np.arange(1, WIDTHS[-1] + 1) ** -0.375
    users, items = (generator.normal(size=(n, WIDTHS[-1])) * sizes for n in (n_users, n_items))
    items *= generator.lognormal(0, 0.25, (n_items, 1))
    return NestedEmbeddings.from_arrays(users.astype(np.float32), items.astype(np.float32), WIDTHS)


def measure_rates(folder: Path, model: NestedEmbeddings, options: argparse.Namespace) -> None:
    """Print latencies at each rate, with reloads meanwhile if any are asked for."""
    with running(folder, "--watch", "0.5") as (pid, port):
        generate_load(port, min(options.rates), 3, options)
        for rate in options.rates:
            resident, used = read_resident(pid), read_cpu(pid)
            reloading = threading.Thread(target=reload_often, args=(folder, model, port, options))
            reloading.start()
            found = generate_load(port, rate, options.seconds, options)
            reloading.join()
            answered = max(1, found["statuses"].get("200", 0))
            found["cpu"] = round(1e3 * (read_cpu(pid) - used) / answered, 3)
            found["grown"] = f"{(read_resident(pid) - resident) / resident:.1%}"
            show(f"rate {rate:g}", found)


def reload_often(folder: Path, model: NestedEmbeddings, port: int, options: argparse.Namespace) -> None:
    """Replace the model as often as asked for, and wait for each to be served."""
    for number in range(options.reloads):
        manifest = {"number": number}
        NestedEmbeddings(
            model.user_embeddings, model.item_embeddings, model.widths, model.users, model.items, model.seen, manifest
        ).save(folder / "model", overwrite=True)
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/admin/reload",
            b"{}",
            {"Content-Type": "application/json", "X-API-Key": KEY},
        )
        with urllib.request.urlopen(request, timeout=60) as reply:
            json.load(reply)


def compare_overload(folder: Path, model: NestedEmbeddings, options: argparse.Namespace) -> None:
    """Print answers and quality at each rate, of a server that narrows and of one that only rejects, in turns."""
    quality = dict(zip(WIDTHS, options.quality, strict=True)) if options.quality else measure_quality(model)
    print("quality by width:", {width: round(value, 3) for width, value in quality.items()})
    with running(folder) as narrowing, running(folder, "--narrow-from", "1") as rejecting:
        servers = {"narrows": narrowing, "rejects": rejecting}
        for _, port in servers.values():
            generate_load(port, 200, 2, options)
        for rate in options.rates:
            rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in servers}
            for _ in range(options.rounds):
                for name, (pid, port) in servers.items():
                    used = read_cpu(pid)
                    found = generate_load(port, rate, options.seconds, options)
                    rounds[name].append({**found, "used": read_cpu(pid) - used})
            for name, parts in rounds.items():
                show(f"rate {rate:g} {name}", sum_up(parts, quality))


def sum_up(parts: list[dict[str, Any]], quality: dict[int, float]) -> dict[str, Any]:
    """Return the sums of several rounds."""
    widths: Counter[str] = sum((Counter(part["widths"]) for part in parts), Counter())
    statuses: Counter[str] = sum((Counter(part["statuses"]) for part in parts), Counter())
    sent, used = sum(part["sent"] for part in parts), sum(part["used"] for part in parts)
    gained = sum(quality[int(width)] * count for width, count in widths.items())
    return {
        "sent": sent, "statuses": dict(statuses), "widths": dict(widths), "p99s": [part["p99"] for part in parts],
        "answers per processor second": round(statuses["200"] / used, 1), "quality": round(gained / sent, 3),
        "quality per processor second": round(gained / used, 1),
    }  # fmt: skip


def measure_quality(model: NestedEmbeddings) -> dict[int, float]:
    """Return for each width the share of the full width's best 10 that its own best 10 have."""
    users = model.users.ids[:_SAMPLE]
    best = model.recommend(users, 10).ids
    return {
        width: float(np.mean([np.isin(*lists).mean() for lists in zip(best, _rank(model, users, width), strict=True)]))
        for width in WIDTHS
    }


def _rank(model: NestedEmbeddings, users: Any, width: int) -> Any:
    return model.recommend(users, 10, width).ids


def generate_load(port: int, rate: float, seconds: float, options: argparse.Namespace) -> dict[str, Any]:
    """Return what the generator measured."""
    words = ("--port", port, "--rate", rate, "--seconds", seconds, "--users", options.users)
    command = [sys.executable, str(Path(__file__).with_name("load_generator.py")), *map(str, words)]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    return found


@contextmanager
def running(folder: Path, *words: str) -> Iterator[tuple[int, int]]:
    """Run a server of the model and yield its process id and port."""
    (folder / "keys").write_text(KEY + "\n")
    command = [sys.executable, "-m", "nestrec", "serve", f"model={folder / 'model'}", "--port", "0", *words]
    command += ["--admin-keys", str(folder / "keys")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            line = next(line for line in process.stderr if line.startswith("Listening"))
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield process.pid, int(line.rpartition(":")[2])
        finally:
            process.terminate()
            process.wait(60)


def read_resident(pid: int) -> int:
    """Return the resident memory of a process, without files that are mapped, in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def read_cpu(pid: int) -> float:
    """Return the processor seconds of a process."""
    values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(values[11]) + int(values[12])) / _TICK


def show(name: str, found: dict[str, Any]) -> None:
    """Print a line."""
    print(f"{name:>18}:", ", ".join(f"{key} {value}" for key, value in found.items()), flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--rates", type=lambda text: [float(part) for part in text.split(",")], default=[300.0, 1000.0])
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--reloads", type=int, default=0, help="replacements of the model during each rate")
    parser.add_argument("--rounds", type=int, default=3, help="of --overload, in turns")
    parser.add_argument("--quality", type=lambda text: [float(part) for part in text.split(",")], help=_QUALITY)
    parser.add_argument("--overload", action="store_true", help="compare narrowing with rejecting")
    return parser.parse_args()


if __name__ == "__main__":
    began = time.perf_counter()
    main()
    print(f"{time.perf_counter() - began:.0f} s in all")
