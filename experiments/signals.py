"""What weights and dislikes change: ndcg@20 on interactions held out of raw MovieLens files, as Markdown.

    python experiments/signals.py ml-100k/ml-100k.inter ml-latest-small/ratings.csv [--only ratings,dislikes,time,last]

FILES are raw ratings with times. For each seed, interactions are
held out, a model is trained on the rest for all its epochs without looking at what was held out, and ranks it.

- ratings: all rows are interactions, a random tenth is held out; weights by ratings. `liked` counts only held-out items
  rated 4 and more.
- dislikes: rows rated 4 and more are interactions, those below 3 dislikes; a random tenth of both is held out.
  `disliked` is recall@20 of the held-out dislikes, which should fall.
- time: the latest tenth is held out; weights by recency. last: the last interaction of every user is held out.

Held-out users and items without training interactions are left out. Values are means over the seeds and, in the first
column, over the widths 4, 8, 16, 32 and 64; `+-` is half the range over the seeds. The test parts of the shared data
sets take no part.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nestrec import Interactions, LeaveLastOut, RandomSplit, ReadOptions, Run, TimeSplit, Trainer, read_interactions
from nestrec.data.cold_ids import drop_cold, restrict_to
from nestrec.data.splitting import Split, select_interactions
from nestrec.evaluation import evaluate

LIKED, DISLIKED = 4.0, 3.0
HALF_LIVES = {"ml-100k": (7, 30, 90), "ml-latest-small": (90, 365, 1500)}  # days; the files span 7 months and 22 years


@dataclass(frozen=True)
class Case:
    """Training data, and what is to be ranked: column -> (held-out interactions, metric)."""

    train: Interactions
    held_out: dict[str, tuple[Interactions, str]]


def read(file: Path, **options: object) -> Interactions:
    """Read a file with its times."""
    given: dict[str, Any] = {"keep_timestamps": True, **options}
    return read_interactions(file, options=ReadOptions(**given))


def hold_out(interactions: Interactions, split: Split) -> tuple[Interactions, Interactions]:
    """Return the training part and what a model of it can rank."""
    train, held_out = split.split(interactions)
    train = drop_cold(train)
    return train, restrict_to(held_out, train.users, train.items)


def weighted_by(values: Interactions, power: str) -> Interactions:
    """Return the interactions with a function of their weights."""
    assert values.weights is not None
    functions = {"no weights": None, "rating": values.weights, "sqrt": np.sqrt(values.weights),
                 "log1p": np.log1p(values.weights), "rating^2": values.weights**2}  # fmt: skip
    return replace(values, weights=functions[power], check=False)


def of_ratings(file: Path, seed: int) -> Iterator[tuple[str, Case]]:
    """Yield the cases of weights by ratings."""
    train, held_out = hold_out(read(file, rating_weights=True), RandomSplit(0.1, seed))
    assert held_out.weights is not None
    liked = select_interactions(held_out, held_out.weights >= LIKED)
    for name in ("no weights", "sqrt", "rating", "rating^2"):
        yield name, Case(weighted_by(train, name), {"all": (held_out, "ndcg@20"), "liked": (liked, "ndcg@20")})


def of_dislikes(file: Path, seed: int) -> Iterator[tuple[str, Case]]:
    """Yield the cases of negative feedback."""
    whole = read(file, min_rating=LIKED, dislike_below=DISLIKED)
    assert whole.dislikes is not None
    kept, held_back = RandomSplit(0.1, seed).split(whole.dislikes)
    train, held_out = hold_out(replace(whole, dislikes=kept, check=False), RandomSplit(0.1, seed))
    disliked = restrict_to(held_back, train.users, train.items)
    columns = {"liked": (held_out, "ndcg@20"), "disliked": (disliked, "recall@20")}
    yield "no dislikes", Case(replace(train, dislikes=None, check=False), columns)
    yield "dislikes", Case(train, columns)


def of_times(file: Path, split: Split) -> Iterator[tuple[str, Case]]:
    """Yield the cases of recency."""
    for days in (None, *HALF_LIVES.get(file.parent.name, (30, 365))):
        train, held_out = hold_out(read(file, half_life=days), split)
        yield "no weights" if days is None else f"half-life {days} days", Case(train, {"all": (held_out, "ndcg@20")})


def cases(kind: str, file: Path, seed: int) -> Iterator[tuple[str, Case]]:
    """Yield name and data of every case of a kind."""
    if kind == "ratings":
        yield from of_ratings(file, seed)
    elif kind == "dislikes":
        yield from of_dislikes(file, seed)
    else:
        yield from of_times(file, TimeSplit(0.1) if kind == "time" else LeaveLastOut())


def values_of(case: Case, seed: int, threads: int) -> dict[str, float]:
    """Train, and return the values by column and width."""
    model = Trainer().fit(case.train, validation=None, run=Run(seed=seed, threads=threads))
    found = {}
    for column, (held_out, metric) in case.held_out.items():
        figures = evaluate(model, held_out, cutoffs=(20,), bootstrap_samples=0).widths
        by_width = {width.width: width.means[metric] for width in figures}
        found[f"{column} {metric}"] = float(np.mean(list(by_width.values())))
        found |= {f"{column}, {width}": by_width[width] for width in (4, 16, 64)}
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--only", default="ratings,dislikes,time,last")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    seeds = [int(seed) for seed in options.seeds.split(",")]
    for kind in options.only.split(","):
        for file in options.files:
            found: dict[str, list[dict[str, float]]] = {}
            for seed in seeds:
                for name, case in cases(kind, file, seed):
                    found.setdefault(name, []).append(values_of(case, seed, options.threads))
            columns = list(next(iter(found.values()))[0])
            print(f"\n{kind}, {file.parent.name}\n\n| | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
            for name, runs in found.items():
                cells = []
                for column in columns:
                    each = [run[column] for run in runs]
                    noise = f" +- {(max(each) - min(each)) / 2:.4f}" if "@" in column else ""
                    cells.append(f"{np.mean(each):.4f}{noise}")
                print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
