"""An update beside a training on all interactions: quality at every width, processor time, vectors to write again.

    python benchmarks/update.py FILE [--test FILE] [--by time] [--seeds 0,1,2] [--steps 10] [--tolerances 0,0.1,0.3]
        [--fulls 3] [--users 100] [--epochs 6] [--update-epochs 2] [--update-rate 0.3]

Without --test, a random fifth of FILE is the test part. Of the rest, the last tenth (--by time) or a random tenth is
new. `nestrec.update` takes it into a model of the other nine tenths; the peer is `Trainer().fit` on both, with the
search for the best epoch and the training on all that it consists of. Both run with their defaults, in turns in one
process, and times are processor seconds: the machine may be shared. With --steps, the new tenth comes in so many
updates, one after the other. With --choose, a tenth of the training part takes the place of the test part. --fulls is
the number of full trainings, of other seeds, whose mean values the others are shares of: of small data, two differ by
several percent. --users takes a random sample of the users; --epochs are those of the trainings, --update-epochs and
--update-rate those of the updates.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nestrec import (
    Interactions,
    NestedEmbeddings,
    RandomSplit,
    ReadOptions,
    Run,
    TimeSplit,
    Trainer,
    Update,
    evaluate,
    read_interactions,
    update,
)
from nestrec.data.cold_ids import drop_cold
from nestrec.data.splitting import Split, select_interactions
from nestrec.training.callbacks import Callback, PhaseStart

Values = np.ndarray[tuple[int, int], np.dtype[np.float64]]  # labels x widths

LABELS = ("recall@20", "ndcg@20")
TEST_SEED, NEW_SEED = 100, 50


@dataclass
class FinalPhase(Callback):
    """Notes the processor time at which training on all interactions starts."""

    started: float = field(default=0.0)

    def on_phase_start(self, start: PhaseStart) -> None:
        """Note the time."""
        if start.phase == "final":
            self.started = time.process_time()


def read_parts(arguments: argparse.Namespace) -> tuple[Interactions, Interactions]:
    """Return the training and the test part."""
    options = ReadOptions(keep_timestamps=arguments.by == "time")
    interactions = sample_users(read_interactions(arguments.file, options=options), arguments.users)
    if arguments.test is None:
        interactions, test = RandomSplit(0.2, seed=TEST_SEED).split(interactions)
    else:
        test = read_interactions(arguments.test)
    return RandomSplit(0.1).split(interactions) if arguments.choose else (interactions, test)


def sample_users(interactions: Interactions, n: int | None) -> Interactions:
    """Return the interactions of some users."""
    if n is None:
        return interactions
    chosen = np.random.default_rng(0).permutation(interactions.n_users)[:n]
    owners = np.repeat(np.arange(interactions.n_users), np.diff(interactions.indptr))
    return drop_cold(select_interactions(interactions, np.isin(owners, chosen)))


def split_new(train: Interactions, by: str, seed: int, share: float = 0.1) -> tuple[Interactions, Interactions]:
    """Return the old and the new interactions."""
    split: Split = TimeSplit(share) if by == "time" else RandomSplit(share, seed=NEW_SEED + seed)
    return split.split(train)


def in_steps(new: Interactions, n: int) -> Iterator[Interactions]:
    """Yield the new interactions in equal parts, by time where it is known, otherwise in a random order."""
    keys = new.timestamps if new.timestamps is not None else np.random.default_rng(0).random(new.n_interactions)
    place = np.empty(new.n_interactions, dtype=np.int64)
    place[np.argsort(keys, kind="stable")] = np.arange(new.n_interactions)
    for step in range(n):
        yield select_interactions(new, place * n // new.n_interactions == step)


def quality(model: NestedEmbeddings, test: Interactions) -> Values:
    """Return (labels, widths)."""
    found = evaluate(model, test, cutoffs=20, metrics=("recall", "ndcg"), bootstrap_samples=0)
    return np.array([[width.means[label] for width in found.widths] for label in LABELS])


def print_row(name: str, values: Values, note: str = "") -> None:
    """Print the figures of both labels by width, as a row of Markdown."""
    print("|", name, "|", " | ".join(f"{value:.4f}" for row in values for value in row), "|", note, "|", flush=True)


def describe(updated: Update) -> str:
    """Return what must be written again, and how lists moved."""
    parts = [
        f"{side} {(of.n_to_write) / (of.n_to_write + of.n_unchanged):.3f}"
        for side, of in (("users", updated.changes.users), ("items", updated.changes.items))
    ]
    last = updated.drift.widths[-1]
    cosines = f"cosine {last.user_cosine:.3f} {last.item_cosine:.3f}, lists {last.top_10_overlap:.3f}"
    return f"to write: {', '.join(parts)}; {cosines}"


def measure(arguments: argparse.Namespace) -> None:
    """Print a table: values of the full training, then shares of them."""
    train, test = read_parts(arguments)
    print(f"{arguments.file}: {train}, test {test}")
    shares: dict[str, list[Values]] = {}
    for seed in map(int, arguments.seeds.split(",")):
        old, new = split_new(train, arguments.by, seed)
        run, trainer = Run(seed=seed), Trainer(epochs=arguments.epochs)
        given = {"epochs": arguments.update_epochs, "learning_rate": arguments.update_rate, "run": run}
        before = trainer.fit(old, run=run)
        watch, started = FinalPhase(), time.process_time()
        full = trainer.fit(train, run=Run(seed=seed, callbacks=watch))
        ended = time.process_time()
        updated = update(before, new, **given)
        seconds = time.process_time() - ended
        others = [quality(trainer.fit(train, run=Run(seed=seed + 1000 * n)), test) for n in range(1, arguments.fulls)]
        base = np.mean([quality(full, test), *others], axis=0)
        rotated = " ".join(str(model.manifest["training"]["rotated"]) for model in (before, full))
        print_row(f"full, seed {seed}", base, f"{ended - started:.1f} s, last phase {ended - watch.started:.1f} s")
        shares.setdefault("before", []).append(quality(before, test) / base)
        print_row("before", shares["before"][-1], f"rotated: {rotated}")
        note = f"{seconds / (ended - started):.3f} of full, {seconds / (ended - watch.started):.3f} of its last phase"
        shares.setdefault("update", []).append(quality(updated.model, test) / base)
        print_row("update", shares["update"][-1], f"{note}; {describe(updated)}")
        for tolerance in map(float, filter(None, arguments.tolerances.split(","))):
            kept = update(before, new, changed_tolerance=tolerance, **given)
            print_row(f"tolerance {tolerance:g}", quality(kept.model, test) / base, describe(kept))
        model = before
        for step in in_steps(new, arguments.steps) if arguments.steps else ():
            updated = update(model, step, **given)
            model = updated.model
        if arguments.steps:
            name = f"{arguments.steps} updates"
            shares.setdefault(name, []).append(quality(model, test) / base)
            print_row(name, shares[name][-1], f"last one: {describe(updated)}")
    for name, values in shares.items():
        spread = np.std([of_seed.mean() for of_seed in values], ddof=1) if len(values) > 1 else 0.0
        print_row(f"{name}, mean", np.mean(values, axis=0), f"{np.mean(values):.3f}, deviation of seeds {spread:.3f}")


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--by", choices=("random", "time"), default="random")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--tolerances", default="")
    parser.add_argument("--fulls", type=int, default=1)
    parser.add_argument("--users", type=int)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--update-epochs", type=int)
    parser.add_argument("--update-rate", type=float)
    parser.add_argument("--choose", action="store_true", help="measure on a validation part")
    measure(parser.parse_args())


if __name__ == "__main__":
    main()
