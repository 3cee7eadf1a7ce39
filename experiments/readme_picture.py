"""The picture of the README: recall@20 against width and memory, one nestrec model beside the alternatives.

    python experiments/readme_picture.py docs/results/data/accuracy.csv docs/pictures

Reads the figures of `nestrec compare` that docs/results/accuracy.md shows, and writes quality-light.svg and
quality-dark.svg.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt

METRIC = "recall@20"
PANELS = {"Amazon Cell Phones": "5.6 interactions per user", "MovieLens 100K": "85 interactions per user"}
Points = dict[int, float]

SERIES = {  # model -> name, colour in the light and in the dark, line, mark, width of the line
    "nestrec": ("nestrec: one model, every width", ("#0969da", "#58a6ff"), "-", "o", 2.4),
    "ials": ("iALS: a model for each width", ("#bc4c00", "#f0883e"), "--", "s", 1.5),
    "ials-rotated": ("iALS: one model, truncated by SVD", ("#8250df", "#bc8cff"), ":", "^", 1.8),
    "ease": ("EASE: full item-item matrix", ("#57606a", "#9198a1"), "-.", "", 1.3),
}
INKS = {"light": ("#1f2328", "#59636e", "#d1d9e0"), "dark": ("#f0f6fc", "#9198a1", "#3d444d")}  # text, labels, grid


def read(path: Path) -> dict[tuple[str, str], Points]:
    """Return the means by data set and model, by width."""
    found: dict[tuple[str, str], Points] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["metric"] == METRIC:
                found.setdefault((row["data"], row["model"]), {})[int(row["width"])] = float(row["mean"])
    return found


def megabytes(width: int) -> str:
    """Return the memory of the float32 vectors of a million items."""
    return f"{4 * width} MB"


def draw(axes: Any, name: str, found: dict[tuple[str, str], Points], scheme: str) -> None:
    """Draw one data set."""
    ink, soft, rule = INKS[scheme]
    for model, (label, colours, style, mark, thickness) in reversed(SERIES.items()):
        points = found[name, model]
        axes.plot(
            list(points), list(points.values()), color=colours[scheme == "dark"], linestyle=style, marker=mark,
            markersize=6, linewidth=thickness, label=label,
        )  # fmt: skip
    widths = list(found[name, "nestrec"])
    axes.set_xscale("log", base=2)
    axes.set_xticks(widths, [f"{width}\n{megabytes(width)}" for width in widths])
    axes.set_title(f"{name}\n{PANELS[name]}", color=ink, fontsize=12, loc="left")
    axes.set_xlabel("width, and memory per million items", color=soft, fontsize=11.5)
    axes.margins(x=0.07)
    axes.tick_params(colors=soft, length=0, labelsize=11)
    axes.grid(axis="y", color=rule, linewidth=0.8)
    axes.spines[:].set_visible(False)


def picture(found: dict[tuple[str, str], Points], scheme: str) -> Any:
    """Return the figure."""
    figure, panels = plt.subplots(1, len(PANELS), figsize=(8, 4.6), layout="constrained")
    for axes, name in zip(panels, PANELS, strict=True):
        draw(axes, name, found, scheme)
    panels[0].set_ylabel(METRIC, color=INKS[scheme][1], fontsize=11.5)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles[::-1],
        labels[::-1],
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=11,
        labelcolor=INKS[scheme][0],
    )
    return figure


def main() -> None:
    """Write both pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    mpl.rcParams["svg.hashsalt"] = "nestrec"  # the same bytes for the same figures
    found = read(options.figures)
    for scheme in INKS:
        path = options.folder / f"quality-{scheme}.svg"
        picture(found, scheme).savefig(path, transparent=True, metadata={"Date": None})


if __name__ == "__main__":
    main()
