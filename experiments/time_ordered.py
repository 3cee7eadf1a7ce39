"""Models on data divided by time: figures over all test users and over those that training knows, as Markdown.

    python experiments/time_ordered.py DATA... --work FOLDER

DATA are files of interactions with times. Each is divided by `nestrec split --by time` and `--by leave-last-out`,
without a validation part. nestrec runs with its defaults. EASE and iALS take the best of a small grid on a random tenth
of the training part (ndcg@20, as far as users and items stand in the other nine tenths), iALS at each width by itself,
and are fitted again on the whole training part. The test part chooses nothing.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from nestrec import Interactions, RandomSplit, Run, Trainer, Widths, read_interactions
from nestrec.baselines import baseline
from nestrec.cli.main import main as nestrec
from nestrec.evaluation import Evaluation, bootstrap_intervals, evaluate
from nestrec.training.validation_part import carve

WIDTHS = (8, 16, 32, 64)
SEEDS = (0, 1, 2)
LABELS = ("recall@20", "ndcg@20")
EASE_GRID = [{"regularization": value} for value in (30.0, 100.0, 300.0, 1000.0)]
IALS_GRID = [{"regularization": r, "alpha": a} for r, a in product((10.0, 30.0, 100.0), (3.0, 10.0))]


def split_by_mask(file: Path, by: str, folder: Path) -> tuple[Interactions, Interactions]:
    """Run `nestrec split` and read the parts."""
    out = folder / f"{file.stem}-{by}"
    code = nestrec(["split", str(file), "--by", by, "--validation-fraction", "0", "--out", str(out), "--overwrite"])
    if code != 0:
        raise SystemExit(code)
    train, test = (read_interactions(out / f"{name}{file.suffix}") for name in ("train", "test"))
    return train, test


def judged(model: Any, test: Interactions) -> Evaluation:
    """Evaluate at 20, without intervals."""
    return evaluate(model, test, cutoffs=(20,), bootstrap_samples=0)


def tuned(name: str, grid: list[dict[str, float]], train: Interactions, width: int) -> dict[str, float]:
    """Return the options that rank the validation part best."""
    part = carve(RandomSplit(0.1), train)

    def value(options: dict[str, float]) -> float:
        model = baseline(name, **options).fit(part.train, Widths([width]), Run())
        return judged(model, part.held_out).widths[0].means["ndcg@20"]

    return max(grid, key=value)


def models(train: Interactions, test: Interactions) -> Iterator[tuple[str, dict[int | None, list[Evaluation]]]]:
    """Yield each model's evaluations by width, one a seed."""
    fits = [judged(Trainer().fit(train, run=Run(seed=seed)), test) for seed in SEEDS]
    yield "nestrec", dict.fromkeys(WIDTHS, fits)
    by_width: dict[int | None, list[Evaluation]] = {}
    for width in WIDTHS:
        options = tuned("ials", IALS_GRID, train, width)
        ials = baseline("ials", **options)
        by_width[width] = [judged(ials.fit(train, Widths([width]), Run(seed=seed)), test) for seed in SEEDS]
    yield "iALS", by_width
    ease = baseline("ease", **tuned("ease", EASE_GRID, train, 1))
    yield "EASE", {None: [judged(ease.fit(train, Widths([1]), Run()), test)]}
    yield "popularity", {None: [judged(baseline("popularity").fit(train, Widths([1]), Run()), test)]}


def cell(found: list[Evaluation], width: int | None, label: str, *, known: bool) -> str:
    """Return the mean over users of the mean over seeds, and half of its 95% bootstrap interval over users."""
    at = [one.at(1 if width is None else width) for one in found]
    values: Any = np.mean([figures.of_users(label) for figures in at], axis=0, dtype=np.float64)
    values = values[found[0].is_known] if known else values
    low, high = bootstrap_intervals([values])[:, 0]
    return f"{values.mean():.4f} ±{(high - low) / 2:.4f}".replace("0.", ".")


def report(file: Path, by: str, folder: Path) -> None:
    """Print one table."""
    train, test = split_by_mask(file, by, folder)
    began, first = time.perf_counter(), True
    for name, by_width in models(train, test):
        for width, found in by_width.items():
            if first:
                counts = f"{found[0].n_known_users} known of {found[0].n_users} test users"
                print(f"\n{file.stem}, {by}: {train.n_interactions:,} / {test.n_interactions:,}; {counts}; "
                      f"{found[0].unmatched}\n")  # fmt: skip
                print(
                    "| model | width | recall@20, known users | ndcg@20, known users | recall@20, all | ndcg@20, all |"
                )
                print("|---|---|---|---|---|---|")
                first = False
            cells = [cell(found, width, label, known=known) for known in (True, False) for label in LABELS]
            print(f"| {name} | {width or '–'} | {' | '.join(cells)} |", flush=True)
    print(f"\n{time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    given = parser.parse_args()
    for split_by in ("time", "leave-last-out"):
        for path in given.data:
            report(path, split_by, given.work)
