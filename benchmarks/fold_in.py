"""Fold-in against training: users hidden from a model are folded in from half of their items, and rank the other half.

    python benchmarks/fold_in.py DIRECTORY … [--seed 0] [--models FOLDER]

A directory holds `train.txt` (any format nestrec reads). A tenth of its users is hidden, drawn by the seed, and half of
the items of each, rounded up, is the history. Two models are trained with default options: one without the hidden
users, into which they are folded, and one with their histories. The table shows recall@20 and ndcg@20 of the hidden
half at every width as shares of those of the second model: by fold-in, by the mean of the history's item vectors, and
by iALS of implicit (`recalculate_user`, 64 factors), as a share of iALS trained with the histories. `--models` keeps
the trained models, and uses those it finds. Times are processor time of one thread after compiling.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nestrec import Interactions, NestedEmbeddings, Run, Trainer, Widths, read_interactions
from nestrec.baselines.ials import Ials
from nestrec.data.splitting import select_interactions

K = 20
Truth = dict[Any, tuple[list[Any], set[Any]]]  # by user: items of the history, and of the hidden half


def hide(data: Interactions, seed: int) -> tuple[Interactions, Interactions, Truth]:
    """Return the interactions without the hidden users, those with their histories, and what to rank."""
    rng, degrees = np.random.default_rng(seed), np.diff(data.indptr)
    hidden = rng.choice(np.flatnonzero(degrees >= 2), data.n_users // 10, replace=False)
    is_hidden, kept, truth = np.zeros(data.n_users, bool), np.zeros(data.n_interactions, bool), {}
    is_hidden[hidden] = True
    for user in np.flatnonzero(is_hidden):
        low, high = data.indptr[user], data.indptr[user + 1]
        kept[low + rng.choice(high - low, (high - low + 1) // 2, replace=False)] = True
        ids, of_history = data.items.ids[data.indices[low:high]], kept[low:high]
        truth[data.users.ids[[user]].tolist()[0]] = (
            ids[of_history].tolist(),
            set(ids[~of_history].tolist()),
        )
    rows = np.repeat(is_hidden, degrees)
    return select_interactions(data, ~rows), select_interactions(data, ~rows | kept), truth


def restrict(truth: Truth, *models: NestedEmbeddings) -> Truth:
    """Return the users of whom items of both halves are known to all models, with these items."""
    known = set.intersection(*(set(model.items.ids.tolist()) for model in models))
    pairs = {user: ([i for i in own if i in known], held & known) for user, (own, held) in truth.items()}
    return {user: (own, held) for user, (own, held) in pairs.items() if own and held}


def measure(model: NestedEmbeddings, users: np.ndarray, truth: Truth, width: int) -> tuple[float, float]:
    """Return mean recall@20 and ndcg@20 of user vectors, in the order of the truth, histories left out."""
    recalls, gains, items = [], [], model.item_embeddings[:, :width]
    for vector, (own, held) in zip(users, truth.values(), strict=True):
        scores = items @ vector[:width]
        scores[model.items.index_of(own)] = -np.inf
        top = np.argpartition(-scores, K)[:K]
        best = model.items.ids_at(top[np.argsort(-scores[top])]).tolist()
        hits = np.array([item in held for item in best])
        recalls.append(hits.sum() / len(held))
        discounts = 1 / np.log2(np.arange(2, K + 2))
        gains.append((hits * discounts).sum() / discounts[: len(held)].sum())
    return float(np.mean(recalls)), float(np.mean(gains))


def load_or_fit(path: Path, fit: Callable[[], NestedEmbeddings]) -> NestedEmbeddings:
    """Return the model of a folder, fitted first where there is none."""
    if not path.exists():
        fit().save(path)
    return NestedEmbeddings.load(path)


def show(label: str, found: list[tuple[float, float]], reference: list[tuple[float, float]]) -> None:
    """Print shares of the reference, recall and ndcg by width."""
    shares = (f"{a / c:.3f} {b / d:.3f}" for (a, b), (c, d) in zip(found, reference, strict=True))
    print(f"  {label:34s}", "   ".join(shares), flush=True)


def compare(folder: Path, seed: int, models: Path) -> None:
    """Print the table of a data set."""
    base_data, full_data, truth = hide(read_interactions(folder / "train.txt"), seed)
    fit, name = Trainer().fit, f"{folder.name}-{seed}"
    base = load_or_fit(models / f"{name}-base", lambda: fit(base_data, run=Run(seed=0)))
    full = load_or_fit(models / f"{name}-full", lambda: fit(full_data, run=Run(seed=0)))
    truth = restrict(truth, base, full)
    histories = {user: own for user, (own, _) in truth.items()}
    trained = full.user_embeddings[full.users.index_of(list(truth))]
    base.fold_in(next(iter(histories.values())))  # compiles
    started = time.process_time()
    folded = base.fold_in(histories, threads=1)
    each = (time.process_time() - started) / len(histories)
    means = np.stack([base.item_embeddings[base.items.index_of(own)].mean(axis=0) for own in histories.values()])
    reference = [measure(full, trained, truth, width) for width in full.widths]
    absolute = "   ".join(f"{recall:.4f} {ndcg:.4f}" for recall, ndcg in reference)
    rotated = base.manifest["training"]["rotated"]
    print(f"\n{folder.name}, seed {seed}: {len(truth)} users, rotated: {rotated}; recall@20 ndcg@20 at {full.widths}")
    print(f"  {'trained with the histories':34s} {absolute}")
    show("fold_in", [measure(base, folded.rows, truth, width) for width in full.widths], reference)
    show("mean of item vectors", [measure(base, means, truth, width) for width in full.widths], reference)
    compare_ials(base_data, full_data, truth)
    print(f"  a batch of {len(histories)}: {each * 1e3:.2f} ms a user; one user of 50 items: {time_one(base):.2f} ms")


def compare_ials(base_data: Interactions, full_data: Interactions, truth: Truth) -> None:
    """Print what implicit's recalculate_user reaches, as a share of its own training."""
    from implicit.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix

    base, full = (Ials().fit(data, Widths([64]), Run(seed=0)) for data in (base_data, full_data))
    truth = restrict(truth, base, full)
    options = base.manifest["baseline"]["options"]
    library = AlternatingLeastSquares(64, regularization=options["regularization"], alpha=options["alpha"])
    library.item_factors = np.array(base.item_embeddings)
    columns = [base.items.index_of(own) for own, _ in truth.values()]
    indptr = np.cumsum([0, *map(len, columns)])
    values = np.full(indptr[-1], options["alpha"], dtype=np.float32)
    rows = csr_matrix((values, np.concatenate(columns), indptr), shape=(len(truth), base.n_items))
    folded = library.recalculate_user(np.arange(len(truth)), rows)
    trained = full.user_embeddings[full.users.index_of(list(truth))]
    reference = measure(full, trained, truth, 64)
    show("implicit recalculate_user, width 64", [measure(base, folded, truth, 64)], [reference])


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
