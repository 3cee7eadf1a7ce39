"""Rows a second and peak memory of reading interactions, from file to matrix, in a fresh process each.

    python benchmarks/read_speed.py --rows 10000000 [--folder DIR] [--formats csv,parquet] [--peer]

The files are generated (seeded: a hundred rows a user, items with a popularity skew, ratings, times) and removed again.
How to read the table: `rows/s` should not fall as rows grow; `peak MB` is the whole process, of which Python with its
libraries is some 200, each distinct interaction is 4 bytes, and buffers are bounded by `memory_limit_mb`. `--peer`
reads the same files the usual way (polars, ids ranked, a scipy matrix) and prints the ratio of the two speeds: above 1,
nestrec is the faster.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

SEED = 20240607


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure reading.")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, help="where the files are put (30 bytes a row as CSV)")
    parser.add_argument("--formats", default="csv,parquet")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer", action="store_true", help="read with polars and scipy too")
    options = parser.parse_args()
    print(f"{'file':<10} {'reader':<8} {'rows':>12} {'seconds':>8} {'rows/s':>12} {'peak MB':>8} {'pairs':>12}")
    with tempfile.TemporaryDirectory(prefix="nestrec-bench-", dir=options.folder) as folder:
        for kind in options.formats.split(","):
            path = Path(folder) / f"interactions.{kind}"
            generate(path, options.rows, kind, options.threads)
            ours = measure("nestrec", path, options.threads)
            if options.peer:
                peer = measure("polars", path, options.threads)
                print(f"{kind}: {peer / ours:.2f} times the speed of polars with scipy")
            path.unlink()


def generate(path: Path, rows: int, kind: str, threads: int) -> None:
    n_users, n_items = max(rows // 100, 10), max(rows // 500, 10)
    uniform = "(CAST(hash(range * 3 + {part}) AS DOUBLE) / 18446744073709551616.0)"
    query = f"""
        SELECT CAST(floor({n_users} * {uniform.format(part=SEED)}) AS BIGINT) * 7 + 1 AS user_id,
               CAST(floor({n_items} * pow({uniform.format(part=SEED + 1)}, 2)) AS BIGINT) * 3 + 1 AS item_id,
               CAST(hash(range * 3 + {SEED + 2}) % 9 + 2 AS INTEGER) / 2.0 AS rating,
               1500000000 + range AS timestamp
        FROM range({rows})
    """
    form = "FORMAT parquet" if kind == "parquet" else "FORMAT csv, HEADER"
    with duckdb.connect(config={"threads": str(threads)}) as connection:
        connection.execute(f"COPY ({query}) TO '{path}' ({form})")


def measure(reader: str, path: Path, threads: int) -> float:
    """Run this file again as a reader; print what it reports and return the seconds."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", reader, str(path), str(threads)],
        check=True,
        capture_output=True,
        text=True,
    )
    result = json.loads(done.stdout)
    rows, seconds = result["rows"], result["seconds"]
    print(
        f"{path.suffix[1:]:<10} {reader:<8} {rows:>12,} {seconds:>8.1f} {rows / seconds:>12,.0f} "
        f"{result['peak_mb']:>8,.0f} {result['pairs']:>12,}",
        flush=True,
    )
    return float(seconds)


def child(reader: str, path: str, threads: str) -> None:
    """Read once, after a tiny file of the same kind has compiled and loaded everything."""
    read = read_with_nestrec if reader == "nestrec" else read_with_polars
    with tempfile.TemporaryDirectory() as folder:
        tiny = Path(folder) / Path(path).name
        generate(tiny, 1_000, tiny.suffix[1:], 1)
        read(tiny, int(threads))
    start = time.perf_counter()
    rows, pairs = read(Path(path), int(threads))
    seconds = time.perf_counter() - start
    print(json.dumps({"rows": rows, "pairs": pairs, "seconds": seconds, "peak_mb": peak_megabytes()}))


def read_with_nestrec(path: Path, threads: int) -> tuple[int, int]:
    from nestrec.data.reading import ReadOptions, read_interactions

    interactions = read_interactions(path, options=ReadOptions(threads=threads))
    n_rows = 0 if interactions.report is None else interactions.report.n_rows
    return n_rows, interactions.n_interactions


def read_with_polars(path: Path, threads: int) -> tuple[int, int]:
    import os

    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import numpy as np
    import polars as pl
    from scipy.sparse import coo_array

    read = pl.read_parquet if path.suffix == ".parquet" else pl.read_csv
    frame = read(path, columns=["user_id", "item_id", "rating"])
    users = frame["user_id"].rank("dense").to_numpy() - 1
    items = frame["item_id"].rank("dense").to_numpy() - 1
    matrix = coo_array((np.ones(len(users), dtype=np.float32), (users, items))).tocsr()
    return len(frame), int(matrix.nnz)


def peak_megabytes() -> float:
    """Return the most memory this process has held (Linux; elsewhere what `resource` says)."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    else:
        main()
