"""Rows a second and memory of exports to stores, in a fresh process each: a first export, then one of a changed model.

    python benchmarks/export_speed.py --items 1000000 [--stores duckdb,faiss,qdrant-edge] [--no-graph]

The model has random vectors of 64 dimensions and a title for each item, and is memory-mapped. How to read the table:
`first s` is a first export, from an empty folder to a store that can be searched. Of it, `index s` goes to the engine's
index or to joining files at the end; `rows/s` is of the rest; `cpu s` are the processor's seconds of all of it.
`again s` finds that nothing changed, `1% s` writes the items whose vectors changed. `peak MB` is the most anonymous
memory of the process beyond what it had before the first export, engine included: files that are mapped count as the
system's cache. `--no-graph` leaves out the HNSW graph of Qdrant Edge.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nestrec import NestedEmbeddings
from nestrec.stores import ExportReport, ExportRequest, Store, export, open_store

STORES = ("duckdb", "faiss", "qdrant-edge")
WIDTHS = (16, 64)
CHANGED = 100  # one item in so many


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--stores", default=",".join(STORES), help="names, comma-separated")
    parser.add_argument("--no-graph", action="store_true", help="Qdrant Edge without an HNSW graph")
    parser.add_argument("--first-only", action="store_true", help="leave out the two exports that follow")
    parser.add_argument("--worker", nargs=2, metavar=("STORE", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        name, folder = arguments.worker
        measure(name, Path(folder), has_graph=not arguments.no_graph, first_only=arguments.first_only)
        return
    with tempfile.TemporaryDirectory() as folder:
        make_models(Path(folder), arguments.items)
        names = f"{'first s':>8} {'index s':>8} {'rows/s':>9} {'cpu s':>7} {'again s':>8} {'1% s':>7} {'peak MB':>8}"
        print(f"{'store':<12} {'items':>10} {names}")
        for store in arguments.stores.split(","):
            command = [sys.executable, __file__, "--worker", store, folder]
            command += ["--no-graph"] if arguments.no_graph else []
            command += ["--first-only"] if arguments.first_only else []
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            rate = arguments.items / (found["first"] - found["index"])
            print(
                f"{store:<12} {arguments.items:>10,} {found['first']:>8.1f} {found['index']:>8.1f} {rate:>9,.0f} "
                f"{found['cpu']:>7.1f} {found['again']:>8.1f} {found['changed']:>7.1f} {found['peak_mb']:>8,.0f}",
                flush=True,
            )


def make_models(folder: Path, n_items: int) -> None:
    """Save a model, and one of which one item in a hundred changed."""
    rng = np.random.default_rng(0)
    scale = 1 / np.sqrt(1 + np.arange(64) / 4)
    vectors = (rng.standard_normal((n_items, 64), dtype=np.float32) * scale).astype(np.float32)
    users = (rng.standard_normal((1_000, 64), dtype=np.float32) * scale).astype(np.float32)
    titles = {"id": np.arange(n_items), "title": [f"Item {row}" for row in range(n_items)]}
    model = NestedEmbeddings.from_arrays(users, vectors, WIDTHS).with_item_table(titles)
    model.save(folder / "before")
    vectors[::CHANGED] *= 1.5
    changed = NestedEmbeddings.from_arrays(users, vectors, WIDTHS).with_item_table(titles)
    changed.save(folder / "after")


def measure(name: str, folder: Path, *, has_graph: bool, first_only: bool) -> None:
    """Export to one store and print the times and the peak as JSON."""
    options = {} if has_graph or name != "qdrant-edge" else {"indexing_threshold": 1_000_000_000}
    before, after = NestedEmbeddings.load(folder / "before"), NestedEmbeddings.load(folder / "after")
    request = ExportRequest(widths=WIDTHS)
    with open_store(folder / name, name, **options) as store, PeakMemory() as memory:
        started = time.process_time()
        index = time_index(store)
        first, _ = timed(lambda: export(before, store, request))
        cpu, seconds = time.process_time() - started, sum(index)
        again = changed = float("nan")
        if not first_only:
            again, report = timed(lambda: export(before, store, request))
            assert not report.changed
            changed, report = timed(lambda: export(after, store, request))
            assert report.sides[0].n_changed == -(-before.n_items // CHANGED)
    figures = {"first": first, "index": seconds, "cpu": cpu, "again": again, "changed": changed}
    print(json.dumps({**figures, "peak_mb": memory.peak_mb}))


def timed(work: Callable[[], ExportReport]) -> tuple[float, ExportReport]:
    """Return the seconds of an export, and its report."""
    started = time.perf_counter()
    report = work()
    return time.perf_counter() - started, report


def time_index(store: Store) -> list[float]:
    """Let a store note the seconds of each call of `build_index` in a list."""
    seconds: list[float] = []
    build = store.build_index

    def build_and_time() -> None:
        started = time.perf_counter()
        build()
        seconds.append(time.perf_counter() - started)

    vars(store)["build_index"] = build_and_time
    return seconds


class PeakMemory:
    """Looks at the anonymous memory of this process until the block ends."""

    def __enter__(self) -> PeakMemory:
        self._start, self.peak_mb, self._ended = read_anonymous_mb(), 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            self.peak_mb = max(self.peak_mb, read_anonymous_mb() - self._start)


def read_anonymous_mb() -> float:
    """Return the resident anonymous memory of this process."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) / 1024


if __name__ == "__main__":
    main()
