"""Accuracy against diversity of reranked lists, and against popularity: tables and a picture.

    python experiments/diversity.py DIRECTORY --picture docs/pictures/diversity.svg

A directory holds `train.txt`; a tenth of its interactions is the validation part, which everything is measured on.
Lists have 20 items, scored at the widest width. Their diversity is the mean over pairs of 1 - cosine of the items'
training interactions, which no vector enters.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from nestrec import NestedEmbeddings, RandomSplit, Run, Trainer, read_interactions
from nestrec.data.cold_ids import drop_cold
from nestrec.data.interactions import Interactions
from nestrec.report.chart import Chart, Labels, Marker, Point, Series, write_picture
from nestrec.reranking import Diversify

K = 20
STRENGTHS = (0.1, 0.2, 0.3, 0.5, 0.7)
PENALTIES = (0.0, 0.02, 0.05, 0.1, 0.2)


class Judge:
    """Measures the lists of the validation part's users."""

    def __init__(self, train: Interactions, held: Interactions, model: NestedEmbeddings) -> None:
        """Compute the cosines of items by their users."""
        self.model = model
        self.counts = np.bincount(model.seen.indices, minlength=model.n_items)
        matrix = model.seen.to_scipy().toarray()
        norms = np.maximum(np.linalg.norm(matrix, axis=0), 1e-9)
        self.cosines = (matrix.T @ matrix) / norms / norms[:, None]
        rows = np.flatnonzero(np.diff(held.indptr))
        known = [row for row in rows if train.indptr[row + 1] > train.indptr[row]]
        self.users = held.users.ids[known]
        self.relevant = [set(held.items.ids[held.indices[slice(*held.indptr[r : r + 2])]].tolist()) for r in known]

    def measure(self, width: int | None = None, **options: Any) -> tuple[float, float, float, float]:
        """Return ndcg@20, diversity, the share of items on any list, and their mean training interactions."""
        ids = self.model.recommend(self.users, k=K, width=width, **options).ids
        discounts = 1 / np.log2(np.arange(2, K + 2))
        hits = np.array([[i in own for i in row] for row, own in zip(ids.tolist(), self.relevant, strict=True)])
        best = np.array([discounts[: len(own)].sum() for own in self.relevant])
        rows = self.model.items.index_of(ids)
        pairs = self.cosines[rows[:, :, None], rows[:, None, :]]
        alike = (pairs.sum(axis=(1, 2)) - np.trace(pairs, axis1=1, axis2=2)) / (K * (K - 1))
        shares = len(np.unique(rows)) / self.model.n_items
        return (
            float(((hits @ discounts) / best).mean()),
            float(1 - alike.mean()),
            shares,
            float(self.counts[rows].mean()),
        )


def print_row(label: str, at: tuple[float, ...], found: list[str]) -> None:
    """Print a row of measurements."""
    print(f"  {label}", "   ".join(f"{value:g}: {text}" for value, text in zip(at, found, strict=True)), flush=True)


def draw(title: str, series: list[Series]) -> Chart:
    """Return the chart of accuracy by diversity."""
    xs = [point.x for one in series for point in one.points]
    ends = np.floor(min(xs) * 50) / 50, np.ceil(max(xs) * 50) / 50
    ticks = tuple(np.round(np.linspace(*ends, 5), 3).tolist())
    x_label = "diversity: mean of 1 - cosine by users, over pairs"
    return Chart(title, x_label, "ndcg@20", tuple(series), ticks, Labels.POINTS)


def main() -> None:
    """Train, print the tables, write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIRECTORY")
    parser.add_argument("--picture", type=Path, help="SVG file to write")
    options = parser.parse_args()
    train, held = RandomSplit(0.1, 0).split(read_interactions(options.folder / "train.txt"))
    model = Trainer(rotate=False).fit(drop_cold(train), validation=None, run=Run(seed=0, threads=1))
    judge, series = Judge(train, held, model), []
    plain = judge.measure()
    print(f"{options.folder.name}: {len(judge.users)} users; plain: {plain[0]:.4f} {plain[1]:.4f} ndcg@20, diversity")
    widths = (model.widths.values[0], model.widths.values[1], model.embedding_size)
    for tone, (width, marker) in enumerate(zip(widths, (Marker.CIRCLE, Marker.SQUARE, Marker.TRIANGLE), strict=True)):
        found = [judge.measure(rerank=Diversify(strength, width)) for strength in STRENGTHS]
        print_row(f"similarity at width {width:2d}", STRENGTHS, [f"{f[0]:.4f} {f[1]:.4f}" for f in found])
        points = tuple(Point(diversity, ndcg) for ndcg, diversity, *_ in (*reversed(found), plain))
        name = f"similarity at width {width}"
        series.append(Series(name, points, tone, marker))
    print("penalties on popularity: ndcg@20, coverage, mean interactions of the items")
    for width in model.widths:
        found = [judge.measure(width, popularity_penalty=penalty) for penalty in PENALTIES]
        print_row(f"width {width:2d}", PENALTIES, [f"{f[0]:.4f} {f[2]:.3f} {f[3]:.0f}" for f in found])
    if options.picture:
        chart = draw(f"Accuracy and diversity of lists, {options.folder.name}", series)
        write_picture(options.picture, [chart], overwrite=True)


if __name__ == "__main__":
    main()
