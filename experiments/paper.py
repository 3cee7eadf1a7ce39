"""Do level-specific triplets matter? The experiments of the paper (Lai et al. 2024, arXiv 2406.07432), with a control.

    python experiments/paper.py DIRECTORY … [--backbones mf,lightgcn] [--variants …] [--seeds 0,1,2] [--watch]
        [--device cpu] [--out FOLDER]

A directory holds `train.txt` and `test.txt`. Every run is one line of FOLDER/runs.jsonl, and what is there is not run
again, so the command can be stopped and given again. Given several times at once, each process takes the next run that
none has taken: they share the work. Values of single users, for paired tests, lie beside it.
`python experiments/paper_tables.py FOLDER` makes the tables.

For each data set, backbone and variant:

- `search`, one run, seed 0: trained on nine tenths of train.txt, the rest ranked every 5 epochs; the epoch with the
  best recall@20, averaged over the widths trained, is the epoch of all that follows.
- `final`, a run a seed: trained on all of train.txt up to that epoch, then ranked on the test part. With `--watch` seed
  0 is ranked on the test part every 5 epochs, and trained on, until that stops rising: the published protocol, which
  chooses the epoch on the test part. It is there for calibration against published figures alone; the figures of the
  run stay those of validation's epoch. A run that is there already is not watched afterwards.

All runs use `Trainer.paper`: what differs is the sampler, the widths and the backbone, and the device if one is named.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nestrec import (
    Interactions,
    NestedEmbeddings,
    RandomSplit,
    ReadOptions,
    Run,
    Trainer,
    Widths,
    evaluate,
    read_interactions,
)
from nestrec.data.splitting import Split
from nestrec.evaluation import Evaluation
from nestrec.training.backbones import MF, Backbone, LightGCN
from nestrec.training.engines import DEVICES, RunningEngine, TorchEngine
from nestrec.training.samplers import (
    AdaptiveSampler,
    ChoosingSampler,
    DisentangledSampler,
    DynamicSampler,
    MixedSampler,
    Sampler,
    UniformSampler,
)

if TYPE_CHECKING:
    from torch import nn

    from nestrec.training.autograd.pool import Chosen, Pool

WIDTHS = (4, 8, 16, 32, 64)
ALONE = (64,)
EVERY = 5  # epochs between two looks
PATIENCE = 6  # looks without a better value
SMALL = 4_000  # items; below, the paper draws 8 candidates, otherwise 16

BACKBONES: dict[str, Backbone] = {"mf": MF(), "lightgcn": LightGCN(n_layers=3)}


@dataclass(frozen=True)
class WidestSampler(ChoosingSampler):
    """A pool and a negative of its own for each level, the hardest by the full width: MNS but for who judges."""

    def choose(self, pool: Pool, module: nn.Module | None) -> Chosen:
        """Score all candidates by whole vectors."""
        users, _, items = (layers.mean(dim=0) for layers in pool.vectors())
        scores = (items[pool.items] @ users[:, None, :, None])[..., 0]  # (batch, n_levels, n_candidates)
        return pool.choose(scores.argmax(dim=-1))


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
        "nested, own, widest": Variant(WIDTHS, WidestSampler(m)),
        "nested, MNS": Variant(WIDTHS, DynamicSampler(m)),
        "nested, LHANS": Variant(WIDTHS, AdaptiveSampler(m)),
    }


@dataclass(frozen=True)
class Runs:
    """Lines of a file, appended whole, and arrays beside it."""

    folder: Path

    def find(self, **key: Any) -> dict[str, Any] | None:
        """Return the line with these values, if it is there."""
        return found_in(self.lines(), key)

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
        with self._file.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if file.seek(0, os.SEEK_END) > 0:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # what a kill cut off ends here
                    file.write(b"\n")
            file.write(json.dumps(line).encode() + b"\n")

    @contextmanager
    def claimed(self, key: dict[str, Any]) -> Iterator[bool]:
        """Hold a run against other processes; say whether it is held. A process that dies holds nothing."""
        place = self.folder / "claims" / " ".join(map(str, key.values()))
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                free = True
            except BlockingIOError:
                free = False
            yield free

    def users_file(self, data: str, backbone: str, variant: str, seed: int) -> Path:
        """Return where values of single users lie: recall@20 and ndcg@20 by width."""
        return self.folder / "users" / f"{data} {backbone} {variant} {seed}.npz"

    @property
    def _file(self) -> Path:
        return self.folder / "runs.jsonl"


def found_in(lines: Iterable[dict[str, Any]], key: dict[str, Any]) -> dict[str, Any] | None:
    """Return the first line with these values, if there is one."""
    return next((line for line in lines if all(line.get(name) == value for name, value in key.items())), None)


class Watched:
    """An engine that is trained epoch by epoch and looked at."""

    def __init__(self, trainer: Trainer, interactions: Interactions, seed: int) -> None:
        run = Run(seed=seed, threads=1)
        self.interactions, self.trainer, self.schedule = interactions, trainer, trainer.resolve(interactions).schedule
        self.engine: RunningEngine = trainer.resolve(interactions).start_engine(run)
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


def curve(watched: Watched, held_out: Interactions, least: int = 0) -> Iterator[tuple[dict[str, Any], Evaluation]]:
    """Train and yield a look every few epochs, until `least` epochs are done and looks rise no more.

    What rises is recall@20 averaged over the widths.
    """
    looks: list[dict[str, Any]] = []
    while watched.epoch < watched.schedule.epochs:
        watched.train_to(watched.epoch + EVERY)
        found = watched.ranked(held_out)
        by_width = figures(found)
        value = float(np.mean([values["recall@20"] for values in by_width.values()]))
        looks.append({"epoch": watched.epoch, "value": value, "metrics": by_width})
        yield looks[-1], found
        if watched.epoch >= least and watched.epoch - best_epoch(looks) >= EVERY * PATIENCE:
            break


def best_epoch(looks: list[dict[str, Any]]) -> int:
    """Return the epoch of the best look, the first of equals."""
    return int(max(looks, key=lambda look: look["value"])["epoch"])


@dataclass(frozen=True)
class Subject:
    """What the runs of a table's line are of: a data set, a backbone, a variant."""

    key: dict[str, str]
    trainer: Trainer
    train: Interactions
    test: Interactions

    def device(self) -> dict[str, str]:
        """Return what a line says of the device: nothing of a CPU."""
        assert isinstance(self.trainer.engine, TorchEngine)
        name = self.trainer.engine.check_device(deterministic=False)
        return {} if name == "cpu" else {"device": name}


@dataclass(frozen=True)
class Search:
    """The run whose validation chooses the epoch."""

    of: Subject

    @property
    def key(self) -> dict[str, Any]:
        """What its line is found by."""
        return {"kind": "search", **self.of.key}

    @property
    def needs(self) -> dict[str, Any] | None:
        """The line that must be there before: none."""
        return None

    def run(self, runs: Runs) -> None:
        """Run it and add its line."""
        split: Split = RandomSplit(0.1, seed=0)
        part, held_out = split.split(self.of.train)
        watched = Watched(self.of.trainer, part, 0)
        looks = [look for look, _ in curve(watched, held_out)]
        chosen = {"epoch": best_epoch(looks), "seconds": watched.seconds, **self.of.device()}
        runs.add({**self.key, **chosen, "curve": looks})


@dataclass(frozen=True)
class Final:
    """A seed's run up to the chosen epoch, ranked on the test part."""

    of: Subject
    seed: int
    watch: bool  # on, until the test part rises no more

    @property
    def key(self) -> dict[str, Any]:
        """What its line is found by."""
        return {"kind": "final", **self.of.key, "seed": self.seed}

    @property
    def needs(self) -> dict[str, Any]:
        """The line that must be there before: its search."""
        return Search(self.of).key

    def run(self, runs: Runs) -> None:
        """Run it, keep the values of users, add its line and print what it says of the widest."""
        chosen = runs.find(**self.needs)
        assert chosen is not None
        epoch = int(chosen["epoch"])
        watched = Watched(self.of.trainer, self.of.train, self.seed)
        looks: list[dict[str, Any]] = []
        if self.watch:
            for look, at in curve(watched, self.of.test, least=epoch):
                looks.append(look)
                if look["epoch"] == epoch:
                    found, seconds = at, watched.seconds
        else:
            watched.train_to(epoch)
            found, seconds = watched.ranked(self.of.test), watched.seconds
        line = {**self.key, "epoch": epoch, "test": figures(found), "seconds": seconds, **self.of.device()}
        line["positives_per_second"] = epoch * watched.engine.n_positives / seconds
        if self.watch:
            line["watched_on_test"] = looks
        self._keep_users(runs, found)
        runs.add(line)
        widest = line["test"]["64"]
        print(*self.of.key.values(), f"seed {self.seed}, epoch {epoch}:",
              f"{widest['recall@20']:.4f} / {widest['ndcg@20']:.4f},",
              f"{line['positives_per_second']:,.0f} positives/s", flush=True)  # fmt: skip

    def _keep_users(self, runs: Runs, found: Evaluation) -> None:
        place = runs.users_file(**self.of.key, seed=self.seed)
        place.parent.mkdir(parents=True, exist_ok=True)
        values: dict[str, Any] = {
            f"{of.width} {label}": of.of_users(label) for of in found.widths for label in ("recall@20", "ndcg@20")
        }
        np.savez_compressed(place, **values)


def run_missing(runs: Runs, tasks: list[Search | Final]) -> None:
    """Run what has no line yet, first things first, sharing with processes that do the same; return when all is there.

    What another process has taken is left to it, and waited for: it may be stopped, or be what a final run needs.
    """
    while True:
        lines = list(runs.lines())
        left = [task for task in tasks if found_in(lines, task.key) is None]
        if not left:
            return
        for task in left:
            if task.needs is not None and found_in(lines, task.needs) is None:
                continue
            with runs.claimed(task.key) as mine:
                if mine and runs.find(**task.key) is None:  # nobody ended it since the lines were read
                    task.run(runs)
                    break
        else:
            time.sleep(1)


def read_part(path: Path) -> Interactions:
    """Return the interactions of adjacency text."""
    return read_interactions(path, options=ReadOptions(format="adjacency"))


def subjects(data: list[Path], backbones: list[str], wanted: list[str], device: str) -> Iterator[Subject]:
    """Yield what is asked for: backbone by backbone, data set by data set, variants in the order they are named."""
    parts = {folder.name: [read_part(folder / f"{part}.txt") for part in ("train", "test")] for folder in data}
    engine = Trainer.paper().engine
    assert isinstance(engine, TorchEngine)
    for backbone in backbones:
        for name, (train, test) in parts.items():
            found = {named(variant): (variant, of) for variant, of in variants(train.n_items).items()}
            for variant, of in (found[word] for word in wanted):
                trainer = Trainer.paper(
                    widths=of.widths,
                    backbone=BACKBONES[backbone],
                    sampler=of.sampler,
                    engine=replace(engine, device=device),
                )
                yield Subject({"data": name, "backbone": backbone, "variant": variant}, trainer, train, test)


def named(variant: str) -> str:
    """Return a variant's name as the command line has it."""
    return variant.replace(", ", "-")


def main() -> None:
    """Run what is missing, a line a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directories", nargs="+", type=Path)
    parser.add_argument("--backbones", default="mf,lightgcn")
    parser.add_argument("--variants", default=",".join(map(named, variants(0))), help="those named first run first")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--watch", action="store_true")
    parser.add_argument("--device", choices=DEVICES, default="cpu")
    parser.add_argument("--out", type=Path, default=Path("paper"))
    arguments = parser.parse_args()
    wanted = arguments.variants.split(",")
    unknown = set(wanted) - set(map(named, variants(0)))
    if unknown:
        parser.error(
            f"no variant is named {', '.join(sorted(unknown))}; choose of {', '.join(map(named, variants(0)))}"
        )
    of = list(subjects(arguments.directories, arguments.backbones.split(","), wanted, arguments.device))
    tasks: list[Search | Final] = []
    for seed in map(int, arguments.seeds.split(",")):
        for subject in of:
            tasks += [Search(subject), Final(subject, seed, arguments.watch and seed == 0)]
    run_missing(Runs(arguments.out), tasks)


if __name__ == "__main__":
    main()
