"""Validation: evaluate embeddings on the held-out part and reduce the metric to one number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nestrec.arrays import Float32Array
from nestrec.data.cold_ids import drop_cold, restrict_to
from nestrec.data.filters import select_users_and_items
from nestrec.data.interactions import Interactions
from nestrec.data.splitting import Split
from nestrec.evaluation import evaluate_arrays
from nestrec.retrieval.width_scan import StopCheck
from nestrec.training.options import Run
from nestrec.training.setup import TrainingSetup
from nestrec.training.validation_part import FEWEST_USERS, Coverage, carve, describe_validation, report_coverage

COMPARED_USERS = 4000  # random ones on whom epochs are compared; the chosen epoch is evaluated on all
_REPORTED = ("recall", "ndcg")  # at the same cutoff, beside the metric that chooses


@dataclass(frozen=True, eq=False)
class Validation:
    """The part that the search trains on and the held-out part, with the same user and item indices."""

    split: Split | Interactions  # how the held-out part was chosen, or that part as it was given
    setup: TrainingSetup  # of the part that is trained on
    held_out: Interactions
    coverage: Coverage
    threads: int | None
    resolve: Callable[[Interactions], TrainingSetup]  # `Trainer.resolve`

    @property
    def was_given(self) -> bool:
        """Whether the held-out part was given beside the training interactions, not split off them."""
        return isinstance(self.split, Interactions)

    def describe(self) -> dict[str, Any]:
        """Return the manifest's description: how the part was chosen, and how much of it is evaluated."""
        return {**describe_validation(self.split), **self.coverage.as_dict()}

    def sample_users(self, n_interactions: int) -> Validation:
        """Return the validation of random users with at most so many training interactions.

        Data-dependent defaults are those of the sample, but for the number of candidates. Returns itself if there are
        no more interactions, or if the sample has too few users.
        """
        train = self.setup.interactions
        if train.n_interactions <= n_interactions:
            return self
        order = np.random.default_rng(0).permutation(train.n_users)
        is_kept = np.zeros(train.n_users, dtype=np.bool_)
        is_kept[order[np.cumsum(np.diff(train.indptr)[order]) <= n_interactions]] = True
        part = drop_cold(select_users_and_items(train, is_kept, np.ones(train.n_items, dtype=np.bool_)))
        setup = self.resolve(part)
        objective = replace(setup.objective, n_candidates=self.setup.objective.n_candidates)
        held_out = restrict_to(self.held_out, part.users, part.items)
        if np.count_nonzero(np.diff(held_out.indptr)) < FEWEST_USERS:
            return self
        return replace(self, setup=replace(setup, objective=objective), held_out=held_out)

    def sample_held_out(self, n_users: int) -> Validation:
        """Return the validation on so many random users with held-out interactions; itself if there are no more."""
        held_out = self.held_out
        per_user = np.diff(held_out.indptr)
        evaluated = np.flatnonzero(per_user)
        if len(evaluated) <= n_users:
            return self
        is_kept = np.zeros(held_out.n_users, dtype=np.bool_)
        is_kept[np.random.default_rng(0).choice(evaluated, n_users, replace=False)] = True
        indptr = np.concatenate([[0], np.cumsum(np.where(is_kept, per_user, 0))])
        indices = held_out.indices[np.repeat(is_kept, per_user)]
        return replace(self, held_out=Interactions(held_out.users, held_out.items, indptr, indices))

    def __call__(
        self, users: Float32Array, items: Float32Array, check_stop: StopCheck | None = None
    ) -> tuple[dict[int, dict[str, float]], float]:
        """Return (width -> label -> value, the metric's mean over the widths); `check_stop` ends it by raising."""
        widths, metric, train = self.setup.objective.widths, self.setup.metric, self.setup.interactions
        values = evaluate_arrays(
            users,
            items,
            widths.values,
            train.indptr,
            train.indices,
            self.held_out.indptr,
            self.held_out.indices,
            metrics=tuple(dict.fromkeys((metric.name, *_REPORTED))),
            cutoffs=(metric.k,),
            threads=self.threads,
            check_stop=check_stop,
        )
        return dict(zip(widths, values, strict=True)), float(np.mean([of[str(metric)] for of in values]))


def name_widths(metrics: dict[int, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Return metrics by width, with the widths as text, as in JSON."""
    return {str(width): values for width, values in metrics.items()}


def prepare_validation(
    split: Split | Interactions,
    interactions: Interactions,
    resolve: Callable[[Interactions], TrainingSetup],
    run: Run,
) -> Validation:
    """Split the interactions, or set the given ones beside them, and report which cannot be used.

    Raises DataError if no held-out interaction can be ranked.
    """
    train, held_out, coverage = carve(split, interactions)
    report_coverage(split, coverage, run.callback_list)
    return Validation(split, resolve(train), held_out, coverage, run.threads, resolve)
