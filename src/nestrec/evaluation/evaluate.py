"""`evaluate`: a model and held-out interactions in, an `Evaluation` out. Every item the user has not met is ranked."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from nestrec.arguments import check_keywords, whole_number, whole_numbers
from nestrec.arrays import BoolArray, Float32Array
from nestrec.data.as_interactions import as_interactions
from nestrec.errors import DataWarning, OptionError
from nestrec.evaluation.beyond_accuracy import CatalogueFigures
from nestrec.evaluation.evaluation import Evaluation, WidthEvaluation
from nestrec.evaluation.full_ranking import Model, Progress, Ranked, Results, ranked_results
from nestrec.evaluation.held_out import match
from nestrec.evaluation.metrics import labels
from nestrec.evaluation.significance import bootstrap_intervals
from nestrec.item_similarities import ItemSimilarities
from nestrec.parallel.threads import checked_threads

if TYPE_CHECKING:
    from nestrec.data.interactions import Interactions
    from nestrec.embeddings import NestedEmbeddings

_SHORT_LIST = 1000  # a list may be as long in any catalogue

Means = dict[str, float]
Intervals = dict[str, tuple[float, float]]


@check_keywords
def evaluate(
    model: NestedEmbeddings | ItemSimilarities | str | PathLike[str],
    held_out: Interactions | object,
    cutoffs: Iterable[int] | int = (10, 20, 50),
    widths: Iterable[int] | int | None = None,
    threads: int | None = None,
    bootstrap_samples: int = 1000,
    seed: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """Rank all items each user has not met in training, at every width, and compare with what was held out.

    Args:
        model: what to evaluate, or the path of a saved model; `model.seen` is what is not ranked. `ItemSimilarities`
            are evaluated under width 1.
        held_out: interactions with ids of their own, or a path or table that `read_interactions` takes. Users and
            items unknown to the model stay in the denominators, and so do interactions that stand in the training data
            too; `Evaluation.unmatched` counts them. Beside the means over all users stand those over the users that
            the model knows (`WidthEvaluation.known_means`).
        cutoffs: lengths at which lists are judged.
        widths: trained widths to evaluate; None is all of them.
        threads: None uses all processors.
        bootstrap_samples: draws behind the 95% intervals; 0 leaves the intervals out.
        seed: of the bootstrap; the ranking involves no chance.
        progress: called with the users ranked so far and the users to rank.

    Raises:
        DataError: nothing is held out, the model knows none of the users or none of the items, or all held-out
            interactions are training interactions.
        OptionError: a cutoff, width, number of threads or of samples breaks its rule.

    Warns with DataWarning where a tenth or more of the held-out interactions are training interactions.

    >>> import nestrec
    >>> import numpy as np
    >>> from nestrec.data.interactions import Interactions
    >>> from nestrec.data.vocabulary import Vocabulary
    >>> model = nestrec.NestedEmbeddings.from_arrays([[1.0, 0.0]], [[3.0, 0.0], [2.0, 0.0]], [1, 2], users=["ann"])
    >>> row, column = np.array([0, 1], dtype=np.int64), np.array([0], dtype=np.int32)
    >>> held_out = Interactions(Vocabulary.from_ids(["ann"]), Vocabulary.from_ids([1]), row, column)
    >>> evaluate(model, held_out, cutoffs=[1, 2]).at(2).means["recall@2"]
    1.0

    """
    model = _as_model(model)
    held_out = as_interactions(held_out)
    cutoffs, chosen = checked_cutoffs(cutoffs, model.n_items), _checked_widths(model, widths)
    if whole_number("seed", seed, 0) < 0:
        raise OptionError(f"seed must be 0 or more, got {seed}")
    threads, samples = checked_threads(threads), _checked_samples(bootstrap_samples)
    held, rows, unmatched = match(model, held_out)
    if (warning := unmatched.warning(held_out.n_interactions)) is not None:
        warnings.warn(warning, DataWarning, stacklevel=2)
    results = ranked_results(_ranked(model, chosen), held, cutoffs, threads, progress)
    is_known = np.zeros(len(rows), dtype=np.bool_)
    is_known[held.known] = True
    return Evaluation(
        user_ids=held_out.users.ids[rows],
        is_known=is_known,
        n_interactions=held_out.n_interactions,
        n_items=model.n_items,
        cutoffs=cutoffs,
        widths=_width_figures(model, chosen, cutoffs, results, is_known, samples, seed),
        unmatched=unmatched,
        bootstrap_samples=samples,
        seed=seed,
    )


def _ranked(model: NestedEmbeddings | ItemSimilarities, widths: tuple[int, ...]) -> Ranked:
    if isinstance(model, ItemSimilarities):
        return model
    model.seen.check_indices()  # those of a large file were not read when the model was loaded
    return Model(model.user_embeddings, model.item_embeddings, widths, model.seen.indptr, model.seen.indices)


def checked_cutoffs(cutoffs: Iterable[int] | int, n_items: int | None = None) -> tuple[int, ...]:
    """Return cutoffs ascending, each once, of one or several; raise OptionError for anything but whole numbers from 1.

    `n_items`: the catalogue that lists are made of. Beyond a thousand, no cutoff may be larger.
    """
    values = whole_numbers("cutoffs", cutoffs, "10, 20, 50")
    ascending = tuple(sorted(set(values)))
    if not ascending or ascending[0] < 1:
        raise OptionError(f"cutoffs must be 1 or more, as in 10,20,50; got {','.join(map(str, values)) or 'none'}")
    if n_items is not None and ascending[-1] > max(n_items, _SHORT_LIST):
        raise OptionError(f"cutoffs must be at most {n_items}, the number of items; got {ascending[-1]}")
    return ascending


def _checked_widths(model: NestedEmbeddings | ItemSimilarities, widths: Iterable[int] | int | None) -> tuple[int, ...]:
    chosen = tuple(model.widths if widths is None else sorted(set(whole_numbers("widths", widths, "8, 16"))))
    if not chosen:
        raise OptionError("no width was given to evaluate; name at least one, or leave the option out for all")
    for width in chosen:
        model.widths.level_of(width)
    return chosen


def _as_model(model: Any) -> NestedEmbeddings | ItemSimilarities:
    """Return the model, loaded where it is a path; raise OptionError for what is none."""
    from nestrec.embeddings import NestedEmbeddings

    if isinstance(model, (str, PathLike)):
        return NestedEmbeddings.load(model)
    if isinstance(model, (NestedEmbeddings, ItemSimilarities)):
        return model
    found = f"class {model.__name__}" if isinstance(model, type) else type(model).__name__
    trained = "; train it first: model = trainer.fit(interactions)" if hasattr(model, "fit") else ""
    raise OptionError(f"model must be NestedEmbeddings or the path of a saved model, got {found}{trained}")


def _checked_samples(samples: int) -> int:
    if whole_number("bootstrap_samples", samples, 1000) < 0:
        raise OptionError(f"{samples} bootstrap samples cannot be drawn; give 0 for no intervals, or 1000 as usual")
    return samples


def _width_figures(
    model: NestedEmbeddings | ItemSimilarities,
    widths: tuple[int, ...],
    cutoffs: tuple[int, ...],
    results: Results,
    is_known: BoolArray,
    samples: int,
    seed: int,
) -> tuple[WidthEvaluation, ...]:
    names = labels(cutoffs)
    means, intervals = _averages(results.per_user, names, samples, seed)
    known_means, known_intervals = means, intervals
    if not is_known.all():
        known_means, known_intervals = _averages(results.per_user[:, is_known], names, samples, seed)
    figures_of = CatalogueFigures.of(np.bincount(model.seen.indices, minlength=model.n_items), model.n_users)
    return tuple(
        WidthEvaluation(
            width=width,
            means=means[level],
            intervals=intervals[level],
            known_means=known_means[level],
            known_intervals=known_intervals[level],
            beyond_accuracy={
                f"{name}@{k}": value
                for k, n_lists in zip(cutoffs, results.n_lists[level], strict=True)
                for name, value in figures_of(n_lists).items()
            },
            per_user=results.per_user[level],
        )
        for level, width in enumerate(widths)
    )


def _averages(
    per_user: Float32Array,  # (n_widths, n_users, n_labels)
    names: tuple[str, ...],
    samples: int,
    seed: int,
) -> tuple[list[Means], list[Intervals]]:
    """Return for each width the means over the users and their intervals; no intervals for no samples."""
    means = [dict(zip(names, values.mean(axis=0, dtype=np.float64).tolist(), strict=True)) for values in per_user]
    if samples == 0:
        return means, [{} for _ in means]
    columns = [values[:, place] for values in per_user for place in range(len(names))]  # all from the same draws
    bounds = bootstrap_intervals(columns, samples, seed).T.reshape(len(means), len(names), 2)
    return means, [
        {name: (float(low), float(high)) for name, (low, high) in zip(names, of_width, strict=True)}
        for of_width in bounds
    ]
