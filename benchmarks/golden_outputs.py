"""Outputs that a refactoring must not change: record them before it, compare after it.

    python benchmarks/golden_outputs.py record FILE DIRECTORY …
    python benchmarks/golden_outputs.py compare FILE DIRECTORY …

A directory holds `train.txt` and `test.txt` (any format nestrec reads). Recorded are, as hashes or figures: the
interactions read and the counts of their report, a split and a k-core, the vectors of deterministic training with every
loss, sampler and backbone, the metrics at every width, and recommendations by full scan and by search configs. Vectors
are the same bits on the same kind of processor only, so record and compare on one machine.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec import Interactions, NestedEmbeddings, RandomSplit, Run, Trainer, evaluate, k_core, read_interactions
from nestrec.retrieval.funnel import Stage
from nestrec.retrieval.quantization import Storage
from nestrec.retrieval.search_config import CoarseIndexOptions, SearchConfig

Golden = Iterator[tuple[str, Any]]

METHODS: dict[str, dict[str, Any]] = {
    "default": {},
    "bpr": {"loss": "bpr", "epochs": 4},
    "bpr uniform": {"loss": "bpr", "sampler": "uniform", "epochs": 4},
    **{
        f"torch {sampler}": {"loss": "bpr", "sampler": sampler, "engine": "torch", "epochs": 2}
        for sampler in ("dynamic", "adaptive", "curriculum", "mixed", "disentangled")
    },
    **{f"torch {loss}": {"loss": loss, "engine": "torch", "epochs": 2} for loss in ("softmax", "bce", "directau")},
    "lightgcn": {"backbone": "lightgcn", "epochs": 2},
}
CONFIGS: tuple[tuple[CoarseIndexOptions, int, tuple[Stage, ...]], ...] = (
    (CoarseIndexOptions(16), 0, ()),
    (CoarseIndexOptions(16, Storage.BF16, rotate=True), 0, ()),
    (CoarseIndexOptions(32, Storage.FLOAT32, n_clusters=8), 0, ()),
    (CoarseIndexOptions(16, rotate=True, n_clusters=16, refinement_width=32), 0, ()),
    (CoarseIndexOptions(8), 200, (Stage(32, 100),)),
    (CoarseIndexOptions(16, n_clusters=16), 150, (Stage(32, 60),)),
)


def main() -> int:
    """Record or compare; the exit code is 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("record", "compare"))
    parser.add_argument("file", type=Path)
    parser.add_argument("directories", nargs="+", type=Path)
    options = parser.parse_args()
    found = {}
    for directory in options.directories:
        for name, value in outputs(directory):
            found[f"{directory.name}: {name}"] = value
            print(f"{directory.name}: {name}", flush=True)
    if options.action == "record":
        options.file.write_text(json.dumps(found, indent=1))
        return 0
    known = json.loads(options.file.read_text())
    differing = [name for name in {**known, **found} if known.get(name) != json.loads(json.dumps(found.get(name)))]
    print(f"{len(found)} outputs, {len(differing)} differ", *differing, sep="\n")
    return int(bool(differing))


def outputs(directory: Path) -> Golden:
    """Yield the name and the value of each output of one data set."""
    train, test = (read_interactions(directory / name) for name in ("train.txt", "test.txt"))
    for part, interactions in (("train", train), ("test", test)):
        report = interactions.report
        assert report is not None
        yield f"read {part}", [hash_interactions(interactions), report.n_rows, report.n_kept, report.rejected]
    yield "split", [hash_interactions(part) for part in RandomSplit(0.2, seed=3).split(train)]
    yield "core", hash_interactions(k_core(train, 10, 3))
    for name, method in METHODS.items():
        model = Trainer(**method).fit(train, run=Run(seed=1, deterministic=True))
        yield f"train {name}", hash_arrays(model.user_embeddings, model.item_embeddings)
        if name == "default":
            yield from uses(model, test)


def uses(model: NestedEmbeddings, test: Interactions) -> Golden:
    """Yield metrics and recommendations of a model."""
    for of_width in evaluate(model, test).widths:
        yield f"evaluate {of_width.width}", dict(of_width.means)
        found = model.recommend(model.users.ids[:500], k=20, width=of_width.width)
        yield f"recommend {of_width.width}", hash_arrays(np.asarray(found.ids).astype("U"), found.scores)
    for options, shortlist, stages in CONFIGS:
        config = SearchConfig(model.embedding_size, options, shortlist, stages, k=20)
        index = options.build(model.user_embeddings, model.item_embeddings, model.embedding_size)
        found = model.with_search_config(config, index).recommend(model.users.ids[:200], k=20)
        yield f"recommend {config.name}", hash_arrays(np.asarray(found.ids).astype("U"), found.scores)


def hash_interactions(interactions: Interactions) -> str:
    """Return a hash of ids and matrix."""
    ids = (np.asarray(vocabulary.ids).astype("U") for vocabulary in (interactions.users, interactions.items))
    return hash_arrays(*ids, interactions.indptr, interactions.indices)


def hash_arrays(*arrays: npt.NDArray[Any]) -> str:
    """Return a hash of types, shapes and bits."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
