"""Accuracy with default options on the test part of data sets: every width of one nest, mean of several seeds.

    python benchmarks/accuracy.py DIRECTORY … [--seeds 0,1,2] [--widths 4,8,16,32,64] [--alone]

A directory holds `train.txt` and `test.txt` (any format nestrec reads, told from the contents). Validation is carved
from train.txt, the model refit on all of it; the test part chooses nothing. `--alone` also trains at each single width,
and prints the nest as a share of that: below 1, nesting costs something at that width.

Read it so: `±` is half of the 95% bootstrap interval over users of the first seed, which says how much the choice of
users matters; `seeds` is the spread (highest less lowest) between seeds, which says how much chance in training does.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nestrec import RandomSplit, Run, Trainer, evaluate, read_interactions
from nestrec.evaluation import WidthEvaluation
from nestrec.training.trainer import DEFAULT_WIDTHS

LABELS = ("recall@20", "ndcg@20")


@dataclass(frozen=True)
class Outcome:
    """One training run: its figures by width, and what it took."""

    figures: dict[int, WidthEvaluation]
    epochs: int
    seconds: float


def run(folder: Path, widths: tuple[int, ...], seed: int) -> Outcome:
    """Train with defaults and evaluate on the test part."""
    train = read_interactions(folder / "train.txt")
    test = read_interactions(folder / "test.txt")
    started = time.perf_counter()
    model = Trainer(widths=widths).fit(train, validation=RandomSplit(0.1, seed), run=Run(seed=seed))
    seconds = time.perf_counter() - started
    found = evaluate(model, test, cutoffs=(20,), bootstrap_samples=1000 if seed == 0 else 0)
    return Outcome({of.width: of for of in found.widths}, model.manifest["training"]["epochs"], seconds)


def show(folder: Path, outcomes: list[Outcome]) -> dict[str, dict[int, float]]:
    """Print the means over seeds, a line a metric; return them."""
    epochs = ", ".join(str(outcome.epochs) for outcome in outcomes)
    seconds = float(np.median([outcome.seconds for outcome in outcomes]))
    print(f"\n{folder.name}: {len(outcomes)} seeds, epochs {epochs}, {seconds:.0f} s a run (median)")
    means: dict[str, dict[int, float]] = {label: {} for label in LABELS}
    for label in LABELS:
        cells = []
        for width, first in outcomes[0].figures.items():
            values = [outcome.figures[width].means[label] for outcome in outcomes]
            means[label][width] = float(np.mean(values))
            low, high = first.intervals.get(label, (np.nan, np.nan))
            cells.append(f"{width}: {np.mean(values):.4f} ±{(high - low) / 2:.4f} seeds {np.ptp(values):.4f}")
        print(f"  {label:10s}", "  ".join(cells), flush=True)
    return means


def compare_with_alone(folder: Path, nest: dict[str, dict[int, float]], seeds: list[int]) -> None:
    """Train at each width alone and print the nest's share of that."""
    for width in nest[LABELS[0]]:
        outcomes = [run(folder, (width,), seed).figures[width] for seed in seeds]
        for label in LABELS:
            alone = float(np.mean([outcome.means[label] for outcome in outcomes]))
            share = nest[label][width] / alone
            print(f"  width {width} alone: {label} {alone:.4f}, nest / alone {share:.3f}", flush=True)


def main() -> None:
    """Run for each directory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIRECTORY")
    parser.add_argument("--seeds", default="0,1,2", help="seeds, separated by commas")
    parser.add_argument("--widths", default=",".join(map(str, DEFAULT_WIDTHS)), help="widths, separated by commas")
    parser.add_argument("--alone", action="store_true", help="train at each single width too")
    options = parser.parse_args()
    seeds = [int(seed) for seed in options.seeds.split(",")]
    widths = tuple(int(width) for width in options.widths.split(","))
    for folder in options.folders:
        means = show(folder, [run(folder, widths, seed) for seed in seeds])
        if options.alone:
            compare_with_alone(folder, means, seeds)


if __name__ == "__main__":
    main()
