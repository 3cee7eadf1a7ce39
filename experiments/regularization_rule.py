"""How good the rule of the regularization is in other data: validation figures at multiples of it.

    python experiments/regularization_rule.py SHARED_DATA [--sets phone,phone-thin] [--multiples 0.76,0.87,1,1.15,1.32]

Data are those in the folder and parts of them of other density and size: `thin` keeps a share of the interactions,
`users` a share of the users, `top` the most frequent items, `cap` at most so many interactions of a user. Each is
trained for all epochs on nine tenths; printed is ndcg@20 on the rest by width, averaged, and the best multiple. No
test part is read.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nestrec import Interactions, RandomSplit, ReadOptions, Run, Trainer, read_interactions
from nestrec.data.filters import k_core, select_users_and_items
from nestrec.data.splitting import select_interactions

FILES = {
    "ml100k": "ml100k/train.txt",
    "latest": "raw/ml-latest-small/ratings.csv",
    "phone": "phone/train.txt",
    "sport": "sport/train.txt",
    "gowalla": "gowalla/train.txt",
}
Part = Callable[[Interactions], Interactions]


def thin(share: float) -> Part:
    """Keep a share of the interactions, and of these users and items with three."""

    def part(data: Interactions) -> Interactions:
        return k_core(select_interactions(data, np.random.default_rng(3).random(data.n_interactions) < share), 3, 3)

    return part


def users(share: float) -> Part:
    """Keep a share of the users, and of their interactions users and items with three."""

    def part(data: Interactions) -> Interactions:
        kept = np.random.default_rng(3).random(data.n_users) < share
        return k_core(select_users_and_items(data, kept, np.ones(data.n_items, dtype=np.bool_)), 3, 3)

    return part


def top(n_items: int, per_user: int = 3) -> Part:
    """Keep the most frequent items, and users with so many interactions with these."""

    def part(data: Interactions) -> Interactions:
        frequent = np.zeros(data.n_items, dtype=np.bool_)
        frequent[np.argsort(-np.bincount(data.indices), kind="stable")[:n_items]] = True
        return k_core(select_users_and_items(data, np.ones(data.n_users, dtype=np.bool_), frequent), per_user, 1)

    return part


def cap(per_user: int) -> Part:
    """Keep at most so many random interactions of a user."""

    def part(data: Interactions) -> Interactions:
        order = np.random.default_rng(5).random(data.n_interactions)
        rank = np.concatenate([
            np.argsort(np.argsort(order[start:stop]))
            for start, stop in zip(data.indptr[:-1], data.indptr[1:], strict=True)
        ])  # fmt: skip
        return k_core(select_interactions(data, rank < per_user), 3, 1)

    return part


def whole(data: Interactions) -> Interactions:
    """Return all of it."""
    return data


SETS: dict[str, tuple[str, Part]] = {name: (name, whole) for name in FILES} | {
    "ml100k-thin": ("ml100k", thin(0.3)),
    "ml100k-users": ("ml100k", users(0.5)),
    "ml100k-cap": ("ml100k", cap(20)),
    "latest-top": ("latest", top(1000)),
    "latest-top3": ("latest", top(3000)),
    "latest-cap": ("latest", cap(40)),
    "phone-thin": ("phone", thin(0.7)),
    "phone-top": ("phone", top(2000)),
    "sport-users": ("sport", users(0.33)),
    "sport-top": ("sport", top(2000)),
    "gowalla-thin": ("gowalla", thin(0.3)),
    "gowalla-users": ("gowalla", users(0.25)),
    "gowalla-top": ("gowalla", top(2000, 25)),
    "gowalla-dense": ("gowalla", top(6000, 50)),
}


def figures(data: Interactions, multiple: float, seed: int) -> list[float]:
    """Return ndcg@20 by width of a training with that multiple of the default regularization."""
    split = RandomSplit(0.1, seed=seed)
    default = Trainer().resolve(split.split(data)[0]).objective.regularization
    trainer = Trainer(regularization=tuple(multiple * weight for weight in default), rotate=False)
    model = trainer.fit(data, validation=split, refit=False, run=Run(seed=seed))
    return [of["ndcg@20"] for of in model.manifest["training"]["validation_metrics"]["metrics"].values()]


def study(folder: Path, name: str, multiples: list[float], seed: int) -> None:
    """Print a line for each multiple."""
    source, part = SETS[name]
    data = part(read_interactions(folder / FILES[source], options=ReadOptions()))
    print(f"{name}: {data.n_users} users, {data.n_items} items, {data.n_interactions} interactions", flush=True)
    means = {}
    for multiple in multiples:
        by_width = figures(data, multiple, seed)
        means[multiple] = float(np.mean(by_width))
        print(f"  {multiple:4.2f}  {'  '.join(f'{value:.4f}' for value in by_width)}  mean {means[multiple]:.4f}")
    best = max(means, key=means.__getitem__)
    print(f"  best {best:.2f}; the rule has {means.get(1.0, np.nan) / means[best]:.3f} of it", flush=True)


def main() -> None:
    """Parse arguments and run the studies."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--multiples", default="0.76,0.87,1,1.15,1.32")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for name in given.sets.split(","):
        study(given.folder, name, [float(value) for value in given.multiples.split(",")], given.seed)


if __name__ == "__main__":
    main()
