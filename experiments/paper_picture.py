"""A picture of what `experiments/paper.py` ran: recall@20 against width, a panel a data set and backbone.

    python experiments/paper_picture.py FOLDER PICTURE

PICTURE ends in .png, .svg or .pdf. Lines are means over the seeds, bars reach from the lowest seed to the highest.
Marks at the right are models trained at 64 alone. The shared, pooled variant is far below the others and sets the
lowest value of the axis.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from paper import BACKBONES, WIDTHS, Runs
from paper_tables import finals_of

LABEL = "recall@20"
NAMES = {"mf": "matrix factorization", "lightgcn": "LightGCN"}
NESTS = {  # variant -> colour, line, mark
    "nested, MNS": ("#0072b2", "-", "o"),
    "nested, LHANS": ("#d55e00", "-", "s"),
    "nested, own, widest": ("#009e73", "--", "D"),
    "nested, shared": ("#555555", "--", "^"),
    "nested, shared, pooled": ("#aaaaaa", ":", "v"),
}
ALONE = {
    "dns": ("#555555", "x"),
    "ahns": ("#d55e00", "+"),
    "rns": ("#aaaaaa", "1"),
    "dens": ("#e69f00", "2"),
    "mixgcf": ("#cc79a7", "*"),
}
_RIGHT = 64 * 1.12  # where marks of models of one width stand


def values(lines: list[dict[str, Any]], width: int) -> list[float]:
    """Return the metric by seed."""
    return [line["test"][str(width)][LABEL] for line in lines]


def panel(axes: Any, found: dict[str, list[dict[str, Any]]]) -> None:
    """Draw the variants of one data set and backbone."""
    for variant, (colour, style, mark) in NESTS.items():
        if variant in found:
            by_width = [values(found[variant], width) for width in WIDTHS]
            means = np.array([np.mean(of) for of in by_width])
            ends = np.array([[min(of), max(of)] for of in by_width]).T
            axes.errorbar(
                WIDTHS, means, yerr=np.abs(ends - means), color=colour, linestyle=style, marker=mark,
                markersize=4, linewidth=1.4, capsize=2, label=variant,
            )  # fmt: skip
    for variant, (colour, mark) in ALONE.items():
        if variant in found:
            mean = float(np.mean(values(found[variant], WIDTHS[-1])))
            axes.plot(
                [_RIGHT], [mean], color=colour, marker=mark, markersize=7, linestyle="", label=f"{variant}, 64 alone"
            )
    axes.set_xscale("log", base=2)
    axes.set_xticks(WIDTHS, [str(width) for width in WIDTHS])
    axes.tick_params(labelsize=11)
    axes.grid(visible=True, alpha=0.25)


def main() -> None:
    """Draw all panels."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("picture", type=Path)
    options = parser.parse_args()
    finals = finals_of(Runs(options.folder))
    data = list(dict.fromkeys(name for name, _, _ in finals))
    backbones = [name for name in BACKBONES if any(backbone == name for _, backbone, _ in finals)]
    figure, grid = plt.subplots(
        len(data), len(backbones), figsize=(4.2 * len(backbones), 3.2 * len(data)), squeeze=False, layout="constrained"
    )
    for row, name in zip(grid, data, strict=True):
        for axes, backbone in zip(row, backbones, strict=True):
            panel(axes, {variant: lines for (of, by, variant), lines in finals.items() if (of, by) == (name, backbone)})
            axes.set_title(f"{name}, {NAMES[backbone]}", fontsize=12)
        row[0].set_ylabel(LABEL, fontsize=12)
    for axes in grid[-1]:
        axes.set_xlabel("width", fontsize=12)
    named: dict[str, Any] = {}
    for axes in grid.flat:
        handles, labels = axes.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    names = [name for name in (*NESTS, *(f"{variant}, 64 alone" for variant in ALONE)) if name in named]
    figure.legend(
        [named[name] for name in names], names, loc="outside lower center", ncols=3, fontsize=11, frameon=False
    )
    figure.savefig(options.picture, dpi=130)


if __name__ == "__main__":
    main()
