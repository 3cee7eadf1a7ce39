"""What the defaults were read off: validation figures for options around them. The test part is never opened.

    python experiments/defaults.py FILE … [--seeds 0,1] [--only candidates] [--users 0.25]

For each variant it trains the search phase (nine tenths of FILE, the rest held out) and prints ndcg@20 at the best
epoch, by width and averaged, and the processor seconds of a run. Outcomes are noted in docs/results/defaults.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from nestrec import (
    DynamicSampler,
    Interactions,
    LightGCN,
    PoolSampler,
    RandomSplit,
    Run,
    SampledSoftmax,
    Trainer,
    inverse_temperatures,
    read_interactions,
)
from nestrec.data.filters import k_core
from nestrec.training import data_defaults, rounds

Variant = dict[str, Any]

PAIRWISE: Variant = {"sampler": DynamicSampler(), "rotate": False}
SOFTMAX: Variant = {"sampler": PoolSampler(), "tune_seconds": 0, "rotate": False}
GRAPH: Variant = {"backbone": LightGCN(3), "tune_seconds": 0, "rotate": False}

VARIANTS: dict[str, list[Variant]] = {
    "loss": [PAIRWISE, SOFTMAX],
    "coupling": [SOFTMAX | {"loss": SampledSoftmax(coupling=c)} for c in (1.0, 0.7, 0.4, 0.3, 0.2, 0.0)],
    "softmax candidates": [SOFTMAX | {"sampler": PoolSampler(n)} for n in (64, 128, 256)],
    "regularization by level": [
        SOFTMAX | {"multiple": m, "width_power": p} for m in (0.8, 1.0) for p in (-0.1, 0, 0.1)
    ],
    "softmax steps": [
        SOFTMAX | {"learning_rate": rate, "inverse_temperature": (3, power), "loss": SampledSoftmax(coupling=c)}
        for rate, power, c in ((0.2, 0.6, 0.3), (0.3, 0.3, 0.2), (0.3, 0.2, 0.2), (0.3, 0.15, 0.2), (0.3, 0.0, 0.2))
    ],
    "softmax regularization": [SOFTMAX | {"multiple": m} for m in (0.6, 0.8, 0.9, 1.0, 1.1, 1.25)],
    "tuning": [SOFTMAX, SOFTMAX | {"tune_seconds": 600}],
    "rotate": [SOFTMAX, SOFTMAX | {"rotate": True}],
    "softmax temperature": [
        SOFTMAX | {"inverse_temperature": pair}
        for pair in ((1.5, 0.0), (1.5, 0.7), (1.5, 1.0), (3, 0.3), (3, 0.6), (6, 0.6))
    ],
    "softmax epochs": [SOFTMAX | {"epochs": n} for n in (10, 20, 40, 70)],
    "rounds": [SOFTMAX] + [SOFTMAX | {"round_blocks": n} for n in (4, 16, 32)],  # of deterministic training
    "level starts": [
        SOFTMAX | {"level_starts": starts}
        for starts in ((0,) * 5, None, (0, 0.025, 0.05, 0.075, 0.1), (0, 0.1, 0.2, 0.3, 0.4))
    ],
    "softmax level weights": [
        SOFTMAX | {"level_weights": weights} for weights in ((1, 1, 1, 1, 1), (5, 4, 3, 2, 1), None)
    ],
    "graph": [SOFTMAX, GRAPH],
    "graph before": [GRAPH | {"graph_scale": 1 / 16, "learning_rate": 0.005, "epochs": n} for n in (12, 20, 40)],
    "graph regularization": [GRAPH | {"gain": m} for m in (0.3, 0.6, 0.7, 1.0, 1.1, 1.3, 1.4)],
    "graph learning rate": [GRAPH | {"learning_rate": rate} for rate in (0.005, 0.01, 0.015, 0.02)],
    "graph temperature": [GRAPH | {"inverse_temperature": (inverse, 0.6)} for inverse in (2, 3, 4.5)],
    "graph layers": [GRAPH | {"backbone": LightGCN(n)} for n in (1, 2, 3)],
    "graph pairs": [
        GRAPH | {"sampler": DynamicSampler(), "epochs": 30} | before
        for before in ({}, {"graph_scale": 1 / 16, "learning_rate": 0.005})
    ],
    "wider": [SOFTMAX | {"widths": (4, 8, 16, 32, 64, 128, 256)}],
    "alone": [SOFTMAX | {"widths": (width,)} for width in (4, 8, 16, 32, 64)],
    "candidates": [{"sampler": DynamicSampler(n)} for n in (1, 8, 16, 24, 32)],
    "regularization": [PAIRWISE | {"regularization": w} for w in (0.02, 0.04, 0.06, 0.08, 0.1, 0.12)],
    "share power": [
        PAIRWISE | {"l2_power": 0.0, "regularization": 0.05},
        PAIRWISE | {"l2_power": 0.7, "regularization": 0.08},
        PAIRWISE | {"l2_power": 1.0, "regularization": 0.1},
    ],
    "learning rate": [PAIRWISE | {"learning_rate": rate} for rate in (0.05, 0.1, 0.2, 0.4)],
    "final learning rate": [PAIRWISE | {"final_learning_rate": rate} for rate in (0.2, 0.02, 0.002)],
    "epochs": [PAIRWISE | {"epochs": n} for n in (20, 60, 120, 160)],
    "level weights": [
        PAIRWISE | {"level_weights": weights}
        for weights in (
            (5, 4, 3, 2, 1),
            (1, 1, 1, 1, 1),
            (0.14, 0.18, 0.24, 0.22, 0.22),
            (0.1, 0.15, 0.25, 0.25, 0.25),
            (0.08, 0.12, 0.3, 0.25, 0.25),
            (1, 2, 3, 4, 5),
            None,
        )
    ],
}


def patches(options: Variant, interactions: Interactions) -> Iterator[Any]:
    """Yield what sets the constants among the options, which are taken out, for the time of a run."""
    if "multiple" in options:  # given as a value, it is that of the search's part too
        options.pop("tune_seconds")
        multiple, power = options.pop("multiple"), options.pop("width_power", 0.0)  # beside those of the rule
        resolved = Trainer().resolve(interactions).objective
        options["regularization"] = tuple(
            multiple * weight * (width / resolved.widths.embedding_size) ** power
            for width, weight in zip(resolved.widths, resolved.regularization, strict=True)
        )
    if "graph_scale" in options or "gain" in options:
        whole = options.pop("gain", 0) * LightGCN(3).regularization_scale(interactions)
        scale = options.pop("graph_scale", whole)
        yield patch.object(LightGCN, "regularization_scale", lambda *_: scale)
    if "l2_power" in options:
        yield patch.object(data_defaults, "PAIRWISE", replace(data_defaults.PAIRWISE, l2_power=options.pop("l2_power")))
    if "round_blocks" in options:
        yield patch.object(rounds, "_BLOCKS", options.pop("round_blocks"))
    if "inverse_temperature" in options:
        for name, value in zip(
            ("INVERSE_TEMPERATURE", "INVERSE_TEMPERATURE_POWER"), options.pop("inverse_temperature"), strict=True
        ):
            yield patch.object(inverse_temperatures, name, value)


def validated(interactions: Interactions, variant: Variant, seed: int) -> list[float]:
    """Return ndcg@20 by width at the best epoch on validation."""
    options, run = dict(variant), Run(seed=seed, threads=1, deterministic="round_blocks" in variant)
    with ExitStack() as patched:
        for each in patches(options, interactions):
            patched.enter_context(each)
        model = Trainer(**options).fit(interactions, validation=RandomSplit(0.1, seed), refit=False, run=run)
    metrics = model.manifest["training"]["validation_metrics"]["metrics"]
    return [of["ndcg@20"] for of in metrics.values()]


def thinned(interactions: Interactions, share: float) -> Interactions:
    """Return a share of the users, and of them and their items those that are left with two interactions and more."""
    kept = np.random.default_rng(7).permutation(interactions.n_users)[: int(share * interactions.n_users)]
    return k_core(read_interactions(interactions.to_scipy()[np.sort(kept)]), 2, 2)


def main() -> None:
    """Print a line a variant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--seeds", default="0,1", help="seeds, separated by commas")
    parser.add_argument("--only", choices=VARIANTS, action="append", help="these variants; all by default")
    parser.add_argument("--users", type=float, default=1.0, metavar="SHARE", help="of the users, for a quick look")
    options = parser.parse_args()
    for path in options.files:
        interactions = read_interactions(path)
        if options.users < 1:
            interactions = thinned(interactions, options.users)
        print(f"\n{path.parent.name}/{path.name}: {interactions!r}")
        for group in options.only or VARIANTS:
            for variant in VARIANTS[group]:
                started = time.process_time()
                values = [validated(interactions, variant, int(seed)) for seed in options.seeds.split(",")]
                seconds = (time.process_time() - started) / len(values)
                cells = " ".join(f"{value:.4f}" for value in np.mean(values, axis=0))
                print(f"  {variant!s:100s} {cells}  mean {np.mean(values):.4f}  {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
