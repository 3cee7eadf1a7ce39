"""A small model with a search config whose files are damaged, and the outcomes of damaged copies."""

from __future__ import annotations

import faulthandler
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import ModelFileError, NestrecError
from nestrec.retrieval.search_config import CoarseIndexOptions, SearchConfig
from nestrec.widths import Widths

SECONDS = 10  # after which a load or an answer counts as a hang


class Hang(BaseException):
    """Raised where a call takes too long; not an Exception, so that nothing catches it."""


def build_planned(n_users: int = 5, n_items: int = 70) -> NestedEmbeddings:
    """Return a model with text ids, a search config and a rotated coarse index with clusters and refinement codes."""
    rng = np.random.default_rng(0)
    users, items = Vocabulary.from_ids([f"u{n}" for n in range(n_users)]), Vocabulary.from_ids(list(range(n_items)))
    user_rows = rng.normal(size=(n_users, 4)).astype(np.float32)
    item_rows = rng.normal(size=(n_items, 4)).astype(np.float32)
    indptr = np.arange(n_users + 1, dtype=np.int64) * 2
    seen = Interactions(users, items, indptr, np.tile(np.array([0, 3], dtype=np.int32), n_users))
    training = {"options": {"seed": 1}, "epochs": 3, "history": [{"epoch": 1, "value": 0.25}]}
    model = NestedEmbeddings(user_rows, item_rows, Widths((2, 4)), users, items, seen, {"training": training})
    options = CoarseIndexOptions(2, rotate=True, n_clusters=2, refinement_width=4)
    return model.with_search_config(SearchConfig(4, options, shortlist=20, k=5), options.build(user_rows, item_rows, 4))


def describe_state(model: NestedEmbeddings) -> list[Any]:
    """Return all that a model serves, as values that can be compared bit for bit."""
    arrays: list[Any] = [model.user_embeddings, model.item_embeddings, model.seen.indptr, model.seen.indices]
    index = {} if model.coarse_index is None else model.coarse_index.arrays()
    bits: list[Any] = [(array.dtype.str, array.shape, array.tobytes()) for array in (*arrays, *index.values())]
    return [*bits, list(index), model.widths, model.users.ids.tolist(), model.items.ids.tolist(), dict(model.manifest)]


def ask(model: NestedEmbeddings) -> None:
    """Search in every way that reads the files' arrays."""
    users = model.users.ids[:3]
    model.recommend(users, k=5, threads=1)
    model.recommend(users, k=5, exact=True, threads=1)
    model.recommend(users[0], k=3, width=model.widths.values[0], threads=1)
    model.similar_items(model.items.ids[0], k=3, threads=1)


def attempt(path: Path, verify: bool | None, state: list[Any] | None) -> tuple[str, str]:
    """Load a model and return (outcome, example): refused, harmless, changed, foreign or hang.

    One that does not have this state is changed: it answers, but not as what was saved. Answers may be refused too.
    """
    try:
        with time_limit():
            model = NestedEmbeddings.load(path, verify=verify)
            if state is not None and describe_state(model) == state:
                return "harmless", ""
            return _asked(model), ""
    except ModelFileError:
        return "refused", ""
    except Hang:
        return "hang", "load"
    except Exception as error:
        return "foreign", f"{type(error).__name__}: {error}"


def _asked(model: NestedEmbeddings) -> str:
    try:
        with np.errstate(all="ignore"):  # contents that were not verified may hold any number
            ask(model)
    except NestrecError:
        return "changed"
    return "changed"


@contextmanager
def time_limit(seconds: float = SECONDS) -> Iterator[None]:
    """Raise Hang in Python code after so many seconds; end the process where compiled code does not come back."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    faulthandler.dump_traceback_later(6 * seconds, exit=True)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        faulthandler.cancel_dump_traceback_later()


@contextmanager
def saved_model() -> Iterator[Path]:
    """Save the model into memory where the system has a folder for that."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="nestrec-", dir=memory) as folder:
        build_planned().save(Path(folder) / "model")
        ask(NestedEmbeddings.load(Path(folder) / "model"))  # compiling takes its time
        yield Path(folder) / "model"
