"""One user at every width: by codes, by a full scan and, at the full width, by a planned search config.

See `retrieval_speed.py --codes`. Milliseconds are those of the processor in one thread, medians over users who ask in
turns, so that other work on the machine counts little; batches are of all users at once. The answers of codes and full
scan are compared to the bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec import NestedEmbeddings, plan
from nestrec.retrieval.quantization import Storage

_ROUNDS_OF_SCAN = 10  # the full scan answers every tenth user
_PLANNED_UP_TO = 100_000  # items: minutes, for more half an hour
_PLANNED_FOR = 100  # items per user
_BATCHES = 3


def compare_codes(items: npt.NDArray[np.float32], users: npt.NDArray[np.float32]) -> None:
    """Print build time, bytes, and the latency of one user at every width."""
    size = items.shape[1]
    model = NestedEmbeddings.from_arrays(users, items, [width for width in (4, 8, 16, 32, 64, 128) if width <= size])
    coded = build(model)
    planned = model
    if len(items) <= _PLANNED_UP_TO:
        planned = plan(model, k=_PLANNED_FOR, storages=(Storage.INT8,), n_users=60, threads=1).model
        print(f"  planned at {size}: {planned.search_config.name if planned.search_config else None}", flush=True)
    for k in (10, 100):
        for width in model.widths:
            others = {"planned": planned} if width == size and planned is not model else {}
            show(k, width, {"codes": coded, "full scan": model, **others})


def build(model: NestedEmbeddings) -> NestedEmbeddings:
    """Print the seconds of building codes by one thread and by two."""
    for threads in (1, 2):
        wall, processor = time.perf_counter(), time.process_time()
        coded = model.with_codes(threads=threads)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        assert coded.codes is not None
        per_item = coded.codes.nbytes / model.n_items
        print(
            f"  build by {threads} threads: {processor:.2f} s of the processor, {wall:.2f} s in all; "
            f"{coded.codes.nbytes / 1e6:.1f} MB, {per_item:.1f} bytes an item",
            flush=True,
        )
    return coded


def show(k: int, width: int, models: dict[str, NestedEmbeddings]) -> None:
    """Print the milliseconds of one user, and the users of a batch that a second of the processor answers."""
    everyone = models["codes"].users.ids
    for model in models.values():
        model.recommend(everyone, k, width, threads=1)
    single: dict[str, list[float]] = {name: [] for name in models}
    for turn, user in enumerate(everyone):
        for name, model in models.items():
            if name != "full scan" or turn % _ROUNDS_OF_SCAN == 0:
                single[name].append(seconds(partial(model.recommend, user, k, width, threads=1)))
    batch = {
        name: min(seconds(partial(model.recommend, everyone, k, width, threads=1)) for _ in range(_BATCHES))
        for name, model in models.items()
    }
    found, expected = (models[name].recommend(everyone, k, width) for name in ("codes", "full scan"))
    same = np.array_equal(found.ids, expected.ids) and np.array_equal(found.scores, expected.scores)
    taken = ", ".join(f"{name} {1e3 * median(own):.3f} ms" for name, own in single.items())
    rates = ", ".join(f"{name} {len(everyone) / own:,.0f}/s" for name, own in batch.items())
    print(f"  top {k:3} at {width:3}: one user {taken}; batch {rates}; same answers: {same}", flush=True)


def seconds(work: Callable[[], Any]) -> float:
    """Return the seconds that this thread's work takes of the processor."""
    started = time.thread_time()
    work()
    return time.thread_time() - started
