"""Tables and tests of what `experiments/paper.py` ran, as Markdown.

    python experiments/paper_tables.py FOLDER [--samples 10000]

Figures are means over seeds; in brackets the highest less the lowest of them; ± is half of the 95% bootstrap interval
over users of the first seed. Differences are paired by user, averaged over the seeds that both variants have, with a
95% interval and a two-sided p-value of 10,000 bootstrap draws: they say what other users might have shown. Whether
other seeds would, the spread says.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.evaluation import bootstrap_intervals, paired_difference
from paper import BACKBONES, WIDTHS, Runs, variants

LABELS = ("recall@20", "ndcg@20")
# The published runs, chosen on the test part: recall@20 / ndcg@20 (logs of github.com/Riwei-HEU/AHNS; an independent
# vectorised program for the nested model).
ANCHORS = {
    ("phone", "ahns"): (0.1304, 0.0711),
    ("sport", "ahns"): (0.0846, 0.0460),
    ("phone", "nested, MNS"): (0.1276, 0.0689),
}
PAIRS = (
    ("nested, MNS", "nested, shared"),
    ("nested, MNS", "nested, shared, pooled"),
    ("nested, shared, pooled", "nested, shared"),
    ("nested, own, widest", "nested, shared"),
    ("nested, MNS", "nested, own, widest"),
    ("nested, LHANS", "nested, MNS"),
    ("nested, MNS", "dns"),
    ("nested, LHANS", "ahns"),
)

Finals = dict[tuple[str, str, str], list[dict[str, Any]]]  # (data, backbone, variant) -> a line a seed


def finals_of(runs: Runs) -> Finals:
    """Return the final runs by what was run."""
    found: Finals = defaultdict(list)
    for line in runs.lines():
        if line["kind"] == "final":
            found[line["data"], line["backbone"], line["variant"]].append(line)
    ordered = sorted(found, key=lambda of: (of[0], tuple(BACKBONES).index(of[1]), tuple(variants(0)).index(of[2])))
    return {of: sorted(found[of], key=lambda line: int(line["seed"])) for of in ordered}


def shown(value: float, sign: str = "") -> str:
    """Return four digits behind the point, and no zero before it."""
    return f"{value:{sign}.4f}".replace("0.", ".", 1)


def users_of(runs: Runs, lines: list[dict[str, Any]], width: int, label: str) -> dict[int, npt.NDArray[np.float32]]:
    """Return seed -> values of single users."""
    values = {}
    for line in lines:
        place = runs.users_file(line["data"], line["backbone"], line["variant"], line["seed"])
        if not place.exists():  # made elsewhere: its means are known, its users are not
            continue
        with np.load(place, allow_pickle=False) as arrays:
            if f"{width} {label}" in arrays:
                values[int(line["seed"])] = arrays[f"{width} {label}"]
    return values


def pair(recall: float, ndcg: float) -> str:
    """Return both."""
    return f"{shown(recall)} / {shown(ndcg)}"


def cell(runs: Runs, lines: list[dict[str, Any]], width: int, label: str) -> str:
    """Return the mean over seeds, their spread, and the interval over users."""
    values = [line["test"][str(width)][label] for line in lines if str(width) in line["test"]]
    if not values:
        return ""
    first = users_of(runs, lines[:1], width, label)
    spread = f" ({shown(max(values) - min(values))})" if len(values) > 1 else ""
    if not first:
        return f"{shown(np.mean(values))}{spread}"
    low, high = bootstrap_intervals(list(first.values()), samples=1000)
    return f"{shown(np.mean(values))}{spread} ±{shown(float(high[0] - low[0]) / 2)}"


def widths_table(runs: Runs, finals: Finals, data: str, backbone: str, label: str) -> None:
    """Print a line a variant, a column a width."""
    print(f"\n**{data}, {backbone}, {label}**\n\n| variant | epoch | seeds | " + " | ".join(map(str, WIDTHS)) + " |")
    print("|---" * (3 + len(WIDTHS)) + "|")
    for variant in variants(0):
        lines = finals.get((data, backbone, variant))
        if lines:
            cells = " | ".join(cell(runs, lines, width, label) for width in WIDTHS)
            print(f"| {variant} | {lines[0]['epoch']} | {len(lines)} | {cells} |")


def differences_table(runs: Runs, finals: Finals, data: str, backbone: str, samples: int) -> None:
    """Print paired differences at every width that both variants have."""
    print(f"\n**{data}, {backbone}, paired differences of recall@20**\n")
    print("| first less second | " + " | ".join(map(str, WIDTHS)) + " |\n" + "|---" * (1 + len(WIDTHS)) + "|")
    for first, second in PAIRS:
        one, other = finals.get((data, backbone, first)), finals.get((data, backbone, second))
        if one and other:
            cells = [difference(runs, one, other, width, samples) for width in WIDTHS]
            print(f"| {first} less {second} | " + " | ".join(cells) + " |")


def difference(runs: Runs, one: list[dict[str, Any]], other: list[dict[str, Any]], width: int, samples: int) -> str:
    """Return mean, interval and p-value of the difference, each user's values averaged over the common seeds."""
    of_one, of_other = (users_of(runs, lines, width, "recall@20") for lines in (one, other))
    seeds = sorted(of_one.keys() & of_other.keys())
    if not seeds:
        return ""
    means = [np.mean([values[seed] for seed in seeds], axis=0) for values in (of_one, of_other)]
    found = paired_difference(means[0], means[1], samples=samples)
    p = "p < .001" if found.p_value < 0.001 else f"p {shown(found.p_value)}"
    return f"{shown(found.mean, '+')} [{shown(found.low, '+')}, {shown(found.high, '+')}] {p}"


def calibration_table(finals: Finals) -> None:
    """Print the epoch that the test part itself would choose, beside validation's, and the published figures."""
    print("\n| data | backbone | variant | epoch by validation | by the test part | published | share |")
    print("|---" * 7 + "|")
    for (data, backbone, variant), lines in finals.items():
        watched = next((line["watched_on_test"] for line in lines if "watched_on_test" in line), None)
        if watched is None:
            continue
        best = max(watched, key=lambda look: look["metrics"]["64"]["recall@20"])
        at, chosen = best["metrics"]["64"], lines[0]["test"]["64"]
        published = ANCHORS.get((data, variant)) if backbone == "mf" else None
        told = "" if published is None else pair(published[0], published[1])
        share = (
            "" if published is None else f"{at['recall@20'] / published[0]:.3f} / {at['ndcg@20'] / published[1]:.3f}"
        )
        by_validation = f"{lines[0]['epoch']}: {pair(chosen['recall@20'], chosen['ndcg@20'])}"
        by_test = f"{best['epoch']}: {pair(at['recall@20'], at['ndcg@20'])}"
        print(f"| {data} | {backbone} | {variant} | {by_validation} | {by_test} | {told} | {share} |")


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--samples", type=int, default=10_000)
    options = parser.parse_args()
    runs = Runs(options.folder)
    finals = finals_of(runs)
    for data, backbone in dict.fromkeys((data, backbone) for data, backbone, _ in finals):
        for label in LABELS:
            widths_table(runs, finals, data, backbone, label)
        differences_table(runs, finals, data, backbone, options.samples)
    calibration_table(finals)


if __name__ == "__main__":
    main()
