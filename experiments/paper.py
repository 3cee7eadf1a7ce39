"""Do level-specific triplets matter? The experiments of the paper (Lai et al. 2024, arXiv 2406.07432), with a control.

    python experiments/paper.py DIRECTORY … [--backbones mf,lightgcn] [--variants …] [--seeds 0,1,2] [--out FOLDER]

A directory holds `train.txt` and `test.txt`. Every run is one line of FOLDER/runs.jsonl, and what is there is not run
again, so the command can be stopped and given again, or given twice at once for different directories. Values of single
users, for paired tests, lie beside it. `python experiments/paper_tables.py FOLDER` makes the tables.

For each data set, backbone and variant:

- `search`, one run, seed 0: trained on nine tenths of train.txt, the rest ranked every 5 epochs; the epoch with the
  best recall@20, averaged over the widths trained, is the epoch of all that follows.
- `final`, a run a seed: trained on all of train.txt up to that epoch, then ranked on the test part. With `--watch` seed
  0 is also ranked on the test part every 5 epochs, and trained on, until that stops rising: the published protocol,
  which chooses the epoch on the test part. It is there for calibration against published figures alone.

All runs use `Trainer.paper`: what differs is the sampler, the widths and the backbone.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nestrec import Interactions, NestedEmbeddings, RandomSplit, Run, Trainer, Widths, evaluate, read_interactions
from nestrec.data.splitting import Split
from nestrec.evaluation import Evaluation
from nestrec.training.backbones import MF, Backbone, LightGCN
from nestrec.training.engines import RunningEngine
from nestrec.training.samplers import (
    AdaptiveSampler,
    DisentangledSampler,
    DynamicSampler,
    MixedSampler,
    Sampler,
    UniformSampler,
)

WIDTHS = (4, 8, 16, 32, 64)
ALONE = (64,)
EVERY = 5  # epochs between two looks
PATIENCE = 6  # looks without a better value
SMALL = 4_000  # items; below, the paper draws 8 candidates, otherwise 16

BACKBONES: dict[str, Backbone] = {"mf": MF(), "lightgcn": LightGCN(n_layers=3)}


@dataclass(frozen=True)
class Variant:
    """A line of the tables."""

    widths: tuple[int, ...]
    sampler: Sampler


def variants(n_items: int) -> dict[str, Variant]:
    """Return the lines by name; M candidates as in the paper, AHNS 32 as in its authors' program."""
    m = 8 if n_items < SMALL else 16
    return {
        "rns": Variant(ALONE, UniformSampler()),
        "dns": Variant(ALONE, DynamicSampler(m)),
        "ahns": Variant(ALONE, AdaptiveSampler(32)),
        "dens": Variant(ALONE, DisentangledSampler(m)),
        "mixgcf": Variant(ALONE, MixedSampler(m)),
        "nested, shared": Variant(WIDTHS, DynamicSampler(m, shared=True)),
        "nested, shared, pooled": Variant(WIDTHS, DynamicSampler(m * len(WIDTHS), shared=True)),
        "nested, MNS": Variant(WIDTHS, DynamicSampler(m)),
        "nested, LHANS": Variant(WIDTHS, AdaptiveSampler(m)),
    }


@dataclass(frozen=True)
class Runs:
    """Lines of a file, appended whole, and arrays beside it."""

    folder: Path

    def find(self, **key: Any) -> dict[str, Any] | None:
        """Return the line with these values, if it is there."""
        found = (line for line in self.lines() if all(line.get(name) == value for name, value in key.items()))
        return next(found, None)

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield all lines; the rest of one that a kill cut off is passed over."""
        if self._file.exists():
            for text in self._file.read_text(encoding="utf-8").splitlines():
                try:
                    yield json.loads(text)
                except json.JSONDecodeError:
                    continue

    def add(self, line: dict[str, Any]) -> None:
        """Append a line; two processes may do so at once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(json.dumps(line) + "\n")

    def users_file(self, data: str, backbone: str, variant: str, seed: int) -> Path:
        """Return where values of single users lie: recall@20 and ndcg@20 by width."""
        return self.folder / "users" / f"{data} {backbone} {variant} {seed}.npz"

    @property
    def _file(self) -> Path:
        return self.folder / "runs.jsonl"


class Watched:
    """An engine that is trained epoch by epoch and looked at."""

    def __init__(self, trainer: Trainer, interactions: Interactions, seed: int) -> None:
        run = Run(seed=seed, threads=1)
        self.interactions, self.trainer, self.schedule = interactions, trainer, trainer.schedule(interactions)
        self.engine: RunningEngine = trainer.start(interactions, trainer.objective(interactions), run)
        self.epoch, self.seconds = 0, 0.0

    def train_to(self, epoch: int) -> None:
        """Train up to an epoch."""
        start = time.perf_counter()
        while self.epoch < epoch:
            loss, n = self.engine.train(self.epoch, 0, self.engine.n_positives, self.schedule.rate(self.epoch))
            if not np.isfinite(loss):
                raise ArithmeticError(f"the loss became {loss / max(1, n)} in epoch {self.epoch + 1}")
            self.epoch += 1
        self.seconds += time.perf_counter() - start

    def ranked(self, held_out: Interactions) -> Evaluation:
        """Rank held-out interactions as things stand."""
        widths = self.trainer.widths if isinstance(self.trainer.widths, Widths) else Widths(self.trainer.widths)
        users, items = self.engine.user_embeddings.copy(), self.engine.item_embeddings.copy()
        data = self.interactions
        model = NestedEmbeddings(users, items, widths, data.users, data.items, data)
        return evaluate(model, held_out, cutoffs=(20,), threads=1, bootstrap_samples=0)


def figures(found: Evaluation) -> dict[str, dict[str, float]]:
    """Return width -> label -> mean."""
    return {str(of.width): {label: of.means[label] for label in ("recall@20", "ndcg@20")} for of in found.widths}


def curve(watched: Watched, held_out: Interactions, most: int) -> list[dict[str, Any]]:
    """Train and look every few epochs, until recall@20 averaged over the widths has not risen for some looks."""
    looks: list[dict[str, Any]] = []
    while watched.epoch < most:
        watched.train_to(watched.epoch + EVERY)
        by_width = figures(watched.ranked(held_out))
        value = float(np.mean([values["recall@20"] for values in by_width.values()]))
        looks.append({"epoch": watched.epoch, "value": value, "metrics": by_width})
        if watched.epoch - best_epoch(looks) >= EVERY * PATIENCE:
            break
    return looks


def best_epoch(looks: list[dict[str, Any]]) -> int:
    """Return the epoch of the best look, the first of equals."""
    return int(max(looks, key=lambda look: look["value"])["epoch"])


def search(runs: Runs, key: dict[str, Any], trainer: Trainer, train: Interactions) -> int:
    """Return the epoch that validation chooses; run it where no line says so yet."""
    done = runs.find(kind="search", **key)
    if done is None:
        split: Split = RandomSplit(0.1, seed=0)
        part, held_out = split.split(train)
        watched = Watched(trainer, part, 0)
        looks = curve(watched, held_out, watched.schedule.epochs)
        done = {"kind": "search", **key, "epoch": best_epoch(looks), "seconds": watched.seconds, "curve": looks}
        runs.add(done)
    return int(done["epoch"])


def final(
    runs: Runs,
    key: dict[str, Any],
    trainer: Trainer,
    parts: tuple[Interactions, Interactions],
    seed: int,
    *,
    watch: bool,
) -> dict[str, Any] | None:
    """Train up to the chosen epoch and rank the test part; return the line, None where it is there already."""
    if runs.find(kind="final", seed=seed, **key) is not None:
        return None
    train, test = parts
    epoch = search(runs, key, trainer, train)
    watched = Watched(trainer, train, seed)
    watched.train_to(epoch)
    found = watched.ranked(test)
    line = {"kind": "final", **key, "seed": seed, "epoch": epoch, "test": figures(found), "seconds": watched.seconds}
    line["positives_per_second"] = epoch * watched.engine.n_positives / watched.seconds
    place = runs.users_file(key["data"], key["backbone"], key["variant"], seed)
    place.parent.mkdir(parents=True, exist_ok=True)
    values: dict[str, Any] = {
        f"{of.width} {label}": of.of_users(label) for of in found.widths for label in ("recall@20", "ndcg@20")
    }
    np.savez_compressed(place, **values)
    if watch and seed == 0:
        again = Watched(trainer, train, seed)
        line["watched_on_test"] = curve(again, test, again.schedule.epochs)
    runs.add(line)
    return line


def main() -> None:
    """Run what is missing, a line a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directories", nargs="+", type=Path)
    parser.add_argument("--backbones", default="mf,lightgcn")
    parser.add_argument("--variants", default=",".join(name.replace(", ", "-") for name in variants(0)))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--watch", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("paper"))
    arguments = parser.parse_args()
    runs = Runs(arguments.out)
    wanted = arguments.variants.split(",")
    data = {folder.name: tuple(read_interactions(folder / f"{part}.txt")[0] for part in ("train", "test"))
            for folder in arguments.directories}  # fmt: skip
    for seed in map(int, arguments.seeds.split(",")):
        for backbone in arguments.backbones.split(","):
            for name, parts in data.items():
                for variant, of in variants(parts[0].n_items).items():
                    if variant.replace(", ", "-") not in wanted:
                        continue
                    trainer = Trainer.paper(widths=of.widths, backbone=BACKBONES[backbone], sampler=of.sampler)
                    key = {"data": name, "backbone": backbone, "variant": variant}
                    line = final(runs, key, trainer, (parts[0], parts[1]), seed, watch=arguments.watch)
                    if line is not None:
                        widest = line["test"]["64"]
                        print(name, backbone, variant, f"seed {seed}, epoch {line['epoch']}:",
                              f"{widest['recall@20']:.4f} / {widest['ndcg@20']:.4f},",
                              f"{line['positives_per_second']:,.0f} positives/s", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
