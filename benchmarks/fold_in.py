"""Fold-in against training: users hidden from a model are folded in from half of their items, and rank the other half.

    python benchmarks/fold_in.py DIRECTORY … [--seed 0] [--models FOLDER]

A directory holds `train.txt` (any format nestrec reads). A tenth of its users is hidden, drawn by the seed, and half of
the items of each, rounded up, is the history. Two models are trained with default options, but without rotation: one
without the hidden users, into which they are folded, and one with their histories. The table shows recall@20 and
ndcg@20 of the hidden half at every width as shares of those of the second model, with standard errors over users: by
fold-in, by fold-in where both models are rotated, by the mean of the history's item vectors, and by iALS of implicit
(`recalculate_user`, 64 factors), as a share of iALS trained with the histories. `--models` keeps the trained models,
and uses those it finds. Times are processor time of one thread after compiling.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nestrec import Interactions, NestedEmbeddings, Run, Trainer, Widths, evaluate, read_interactions
from nestrec.baselines.ials import Ials
from nestrec.data.cold_ids import drop_cold
from nestrec.data.splitting import select_interactions
from nestrec.svd_rotation import rotate_embeddings

K = 20
Values = list[tuple[np.ndarray, ...]]  # recall and ndcg of each user, by width


def hide(data: Interactions, seed: int) -> tuple[Interactions, Interactions, Interactions, Interactions]:
    """Return the interactions without hidden users, those with their histories, the histories and the other halves."""
    rng, degrees = np.random.default_rng(seed), np.diff(data.indptr)
    hidden = rng.choice(np.flatnonzero(degrees >= 2), data.n_users // 10, replace=False)
    is_hidden, kept = np.zeros(data.n_users, bool), np.zeros(data.n_interactions, bool)
    is_hidden[hidden] = True
    for user in np.flatnonzero(is_hidden):
        low, high = data.indptr[user], data.indptr[user + 1]
        kept[low + rng.choice(high - low, (high - low + 1) // 2, replace=False)] = True
    rows = np.repeat(is_hidden, degrees)
    parts = (~rows, ~rows | kept, rows & kept, rows & ~kept)
    base, full, history, held = (select_interactions(data, part) for part in parts)
    return base, full, drop_cold(history), held


def measure(model: NestedEmbeddings, held: Interactions) -> Values:
    """Return recall@20 and ndcg@20 of the users at each width, histories left out."""
    found = evaluate(model, held, K, metrics=["recall", "ndcg"], bootstrap_samples=0)
    return [tuple(level.of_users(name).astype(float) for name in ("recall@20", "ndcg@20")) for level in found.widths]


def fold_in_half(base: NestedEmbeddings, history: Interactions) -> NestedEmbeddings:
    """Return the model with the hidden users, by their items that it knows."""
    return base.with_users(history, unknown="skip", threads=1)


def rotate(model: NestedEmbeddings) -> NestedEmbeddings:
    """Return the model as if training had rotated it."""
    users, items = rotate_embeddings(model.user_embeddings, model.item_embeddings)
    manifest = {**model.manifest, "training": {**model.manifest["training"], "rotated": True}}
    return replace(model, user_embeddings=users, item_embeddings=items, manifest=manifest)


def average_items(folded: NestedEmbeddings, history: Interactions) -> NestedEmbeddings:
    """Return the model with the means of their item vectors as the vectors of hidden users."""
    users = np.array(folded.user_embeddings)
    for row in folded.users.index_of(history.users.ids):
        own = folded.seen.indices[folded.seen.indptr[row] : folded.seen.indptr[row + 1]]
        users[row] = folded.item_embeddings[own].mean(axis=0) if len(own) else 0
    return replace(folded, user_embeddings=users)


def load_or_fit(path: Path, fit: Callable[[], NestedEmbeddings]) -> NestedEmbeddings:
    """Return the model of a folder, fitted first where there is none."""
    if not path.exists():
        fit().save(path)
    return NestedEmbeddings.load(path)


def show(label: str, found: Values, reference: Values) -> None:
    """Print shares of the reference, recall and ndcg by width, and their standard errors over users."""
    pairs = [list(zip(*level, strict=True)) for level in zip(found, reference, strict=True)]
    shares = [[f"{a.mean() / b.mean():.3f}" for a, b in level] for level in pairs]
    errors = [
        [f"±{(a - a.mean() / b.mean() * b).std() / len(b) ** 0.5 / b.mean():.3f}" for a, b in level] for level in pairs
    ]
    for name, cells in ((label, shares), ("", errors)):
        print(f"  {name:34s}", "   ".join(" ".join(f"{cell:>6s}" for cell in level) for level in cells), flush=True)


def compare(folder: Path, seed: int, models: Path) -> None:
    """Print the table of a data set."""
    base_data, full_data, history, held = hide(read_interactions(folder / "train.txt"), seed)
    name = f"{folder.name}-{seed}"
    base = load_or_fit(models / f"{name}-base", lambda: Trainer(rotate=False).fit(base_data, run=Run(seed=0)))
    full = load_or_fit(models / f"{name}-full", lambda: Trainer(rotate=False).fit(full_data, run=Run(seed=0)))
    held = select_known(held, [base, full])
    base.fold_in(base.items.ids[:2])  # compiles
    started = time.process_time()
    base.fold_in(history, unknown="skip", threads=1)
    each = (time.process_time() - started) / history.n_users * 1e3
    folded, reference = fold_in_half(base, history), measure(full, held)
    absolute = "   ".join(" ".join(f"{values.mean():.4f}" for values in level) for level in reference)
    print(f"\n{folder.name}, seed {seed}: {held.n_users} users; recall@20 ndcg@20 at {full.widths}")
    print(f"  {'trained with the histories':34s} {absolute}")
    show("fold_in", measure(folded, held), reference)
    rotated_base, rotated_full = rotate(base), rotate(full)
    show(
        "fold_in, both models rotated", measure(fold_in_half(rotated_base, history), held), measure(rotated_full, held)
    )
    show("mean of item vectors", measure(average_items(folded, history), held), reference)
    compare_ials(base_data, full_data, history, held)
    print(f"  a batch of {history.n_users}: {each:.2f} ms a user; one user of 50 items: {time_one(base):.2f} ms")


def select_known(held: Interactions, models: Sequence[NestedEmbeddings]) -> Interactions:
    """Return the held-out interactions whose items all models know."""
    known = [model.items.index_of(held.items.ids, unknown="mark") >= 0 for model in models]
    return drop_cold(select_interactions(held, np.logical_and.reduce(known)[held.indices]))


def compare_ials(base_data: Interactions, full_data: Interactions, history: Interactions, held: Interactions) -> None:
    """Print what iALS reaches with implicit's recalculate_user, as a share of iALS trained with the histories."""
    from implicit.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix

    base, full = (Ials().fit(data, Widths([64]), Run(seed=0)) for data in (base_data, full_data))
    options = base.manifest["baseline"]["options"]
    library = AlternatingLeastSquares(64, regularization=options["regularization"], alpha=options["alpha"])
    library.item_factors = np.array(base.item_embeddings)
    folded = fold_in_half(base, history)
    rows = folded.users.index_of(history.users.ids)
    vectors, seen = np.array(folded.user_embeddings), csr_matrix(folded.seen.to_scipy()[rows])
    vectors[rows] = library.recalculate_user(np.arange(len(rows)), seen)
    held = select_known(held, [base, full])
    reference = measure(full, held)
    show("implicit recalculate_user, width 64", measure(replace(folded, user_embeddings=vectors), held), reference)
    show("fold_in of its iALS, width 64", measure(folded, held), reference)


def time_one(model: NestedEmbeddings) -> float:
    """Return the median milliseconds of folding in one user of 50 items."""
    rng, times = np.random.default_rng(0), []
    for _ in range(200):
        items = rng.choice(model.items.ids, 50, replace=False)
        started = time.process_time()
        model.fold_in(items, threads=1)
        times.append(time.process_time() - started)
    return float(np.median(times)) * 1e3


def main() -> None:
    """Run for each directory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIRECTORY")
    parser.add_argument("--seed", type=int, default=0, help="of the hidden users")
    parser.add_argument("--models", type=Path, help="folder that keeps the trained models")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        models = options.models or Path(temporary)
        for folder in options.folders:
            compare(folder, options.seed, models)


if __name__ == "__main__":
    main()
