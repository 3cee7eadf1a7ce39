"""Positives weighted by how near they are to their user's top k, as in SL@K: ndcg@20 of validation parts, as Markdown.

    python experiments/quantile_weights.py ml100k/train.txt phone/train.txt [--seeds 0,1] [--temperatures 0.3,1,3]

A positive has the weight sigmoid((score - threshold) / temperature), over the mean, where the threshold is the score
that the user's top 20 begins with (quantile of 1,000 random items; Yang et al. 2025, "Breaking the Top-K Barrier").
Weights are computed anew every second epoch, from the fourth on, by the full width. `none` is the default loss.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from nestrec import Interactions, RandomSplit, Run, Trainer, read_interactions
from nestrec.arrays import Float32Array
from nestrec.evaluation import evaluate_arrays
from nestrec.training.cpu_engine import CpuEngine
from nestrec.training.signals import normalize_weights
from nestrec.training.validation_part import carve

K, N_SAMPLED = 20, 1000
WIDTHS = (4, 8, 16, 32, 64)


def weigh(engine: CpuEngine, train: Interactions, temperature: float, rng: np.random.Generator) -> Float32Array:
    """Return the weight of each interaction, with mean 1."""
    users, items = engine.user_embeddings, engine.item_embeddings
    sampled = items[rng.choice(len(items), min(N_SAMPLED, len(items)), replace=False)]
    place = len(sampled) - max(1, round(len(sampled) * K / len(items)))
    thresholds = np.concatenate(
        [np.partition(part @ sampled.T, place, axis=1)[:, place] for part in np.array_split(users, 64)]
    )
    of_user = np.repeat(np.arange(train.n_users), np.diff(train.indptr))
    scores = np.einsum("nd,nd->n", users[of_user], items[train.indices])
    found = normalize_weights((1 / (1 + np.exp(-(scores - thresholds[of_user]) / temperature))).astype(np.float32))
    assert found is not None
    return found


def value(part: tuple[Interactions, Interactions], temperature: float | None, seed: int) -> list[float]:
    """Train for all epochs; return ndcg@20 at each width."""
    train, held_out = part
    setup = Trainer().resolve(train)
    engine = setup.start_engine(Run(seed=seed, threads=1))
    assert isinstance(engine, CpuEngine)
    rng, schedule = np.random.default_rng(seed), setup.schedule
    for epoch in range(schedule.epochs):
        if temperature is not None and epoch >= 4 and epoch % 2 == 0:
            engine._weights = weigh(engine, train, temperature, rng)  # noqa: SLF001 - what no option does
        engine.train(epoch, 0, engine.n_positives, schedule.rate(epoch))
    found = evaluate_arrays(
        engine.user_embeddings, engine.item_embeddings, WIDTHS, train.indptr, train.indices, held_out.indptr,
        held_out.indices, metrics=("ndcg",), cutoffs=(20,), threads=1,
    )  # fmt: skip
    return [of["ndcg@20"] for of in found]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--temperatures", default="0.3,1,3")
    options = parser.parse_args()
    seeds = [int(seed) for seed in options.seeds.split(",")]
    print(f"| data | temperature | {' | '.join(map(str, WIDTHS))} | mean |\n|---|---|{'---|' * (len(WIDTHS) + 1)}")
    for file in options.files:
        interactions = read_interactions(file)
        for temperature in (None, *map(float, options.temperatures.split(","))):
            runs = []
            for seed in seeds:
                part = carve(RandomSplit(0.1, seed), interactions)
                runs.append(value((part.train, part.held_out), temperature, seed))
            means = np.mean(runs, axis=0)
            cells = " | ".join(f"{mean:.4f}" for mean in (*means, means.mean()))
            print(f"| {file.parent.name} | {'none' if temperature is None else temperature} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
