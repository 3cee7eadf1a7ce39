"""`evaluate`: full-ranking evaluation of a model on held-out interactions at every width."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from nestrec.arguments import check_integer, check_integers, check_keywords
from nestrec.arrays import BoolArray, Float32Array
from nestrec.data.as_interactions import as_interactions
from nestrec.errors import DataWarning, OptionError
from nestrec.evaluation.beyond_accuracy import Catalogue, CatalogueLists
from nestrec.evaluation.evaluation import Evaluation, WidthEvaluation
from nestrec.evaluation.full_ranking import Lists, Progress, Results, rank_embeddings, rank_similarities, score_lists
from nestrec.evaluation.held_out import HeldOut, match_ids
from nestrec.evaluation.metric_registry import AccuracyMetric, Metric, format_labels, select_metrics
from nestrec.evaluation.popularity_bands import BandMeans, BandSums, measure_bands
from nestrec.evaluation.significance import bootstrap_intervals
from nestrec.item_similarities import ItemSimilarities
from nestrec.parallel.threads import resolve_threads
from nestrec.progress import counting_bar

if TYPE_CHECKING:
    from nestrec.data.interactions import Interactions
    from nestrec.embeddings import NestedEmbeddings

_SHORT_LIST = 1000  # cutoff allowed whatever the number of items

Means = dict[str, float]
Intervals = dict[str, tuple[float, float]]


@check_keywords
def evaluate(  # noqa: PLR0913 - options by keyword
    model: NestedEmbeddings | ItemSimilarities | str | PathLike[str],
    held_out: Interactions | object,
    cutoffs: Iterable[int] | int = (10, 20, 50),
    *,
    widths: Iterable[int] | int | None = None,
    metrics: Iterable[str] | str | None = None,
    threads: int | None = None,
    bootstrap_samples: int = 1000,
    seed: int = 0,
    by_popularity: bool = False,
    progress: Progress | bool | None = None,
) -> Evaluation:
    """Evaluate a model by full ranking: for each user rank all items not seen in training, at every width.

    Args:
        model: a model, or the path of a saved one. Items in `model.seen` are masked. `ItemSimilarities` are evaluated
            under width 1.
        held_out: interactions with ids of their own, or a path or table that `read_interactions` takes. Cold users,
            cold items and interactions that are in the training data too stay in the denominators;
            `Evaluation.unmatched` counts them. `WidthEvaluation.known_means` are means over the warm users only.
        cutoffs: list lengths k of the metrics.
        widths: trained widths to evaluate; None is all of them.
        metrics: names, such as "recall" or "coverage"; None is all that are shown by default
            (`nestrec.evaluation.metric_registry`).
        threads: None uses all processors.
        bootstrap_samples: resamples of users for the 95% intervals; 0 leaves the intervals out.
        seed: of the bootstrap; the ranking is deterministic.
        by_popularity: also evaluate each third of the items by popularity: head, middle and tail have a third of the
            training interactions each. All items are ranked; relevant are the held-out items of the third. Means are
            over the warm users who have some, in `WidthEvaluation.bands`.
        progress: True shows a progress bar, on a terminal or in a notebook; a function is called with the number of
            users ranked so far and in total.

    Raises:
        DataError: nothing is held out, all held-out users or all held-out items are cold, or all held-out interactions
            are training interactions.
        OptionError: an argument is invalid.

    Warns with DataWarning if a tenth or more of the held-out interactions are training interactions.

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
    cutoffs, selected = check_cutoffs(cutoffs, model.n_items), select_metrics(metrics)
    widths = _check_widths(model, widths)
    if check_integer("seed", seed, 0) < 0:
        raise OptionError(f"seed must be 0 or more, got {seed}", option="seed")
    threads, samples = resolve_threads(threads), check_samples(bootstrap_samples)
    held, rows, unmatched = match_ids(model.users, model.items, model.seen, held_out)
    if (warning := unmatched.warning(held_out.n_interactions)) is not None:
        warnings.warn(warning, DataWarning, stacklevel=2)
    accuracy = [metric for metric in selected if isinstance(metric, AccuracyMetric)]
    lists = _rank(model, widths, held, max(cutoffs), threads)
    band_sums = BandSums(len(widths), model.seen, held, accuracy, cutoffs) if by_popularity else None
    if band_sums is not None:
        lists = band_sums.watch(lists)
    with _report_progress(progress) as report:
        results = score_lists(lists, (len(widths), model.n_items), held, accuracy, cutoffs, report)
    bands: list[BandMeans] = [{} for _ in widths] if band_sums is None else band_sums.means()
    is_known = np.zeros(len(rows), dtype=np.bool_)
    is_known[held.known] = True
    return Evaluation(
        user_ids=held_out.users.ids[rows],
        is_known=is_known,
        n_interactions=held_out.n_interactions,
        n_items=model.n_items,
        cutoffs=cutoffs,
        widths=_summarize(model, widths, selected, cutoffs, results, is_known, samples, seed, bands),
        unmatched=unmatched,
        bootstrap_samples=samples,
        seed=seed,
        bands=measure_bands(model.seen, held) if by_popularity else (),
    )


def _report_progress(progress: Progress | bool | None) -> AbstractContextManager[Progress | None]:  # noqa: FBT001
    if progress is True:
        return counting_bar("users")
    return nullcontext(progress or None)


def _rank(
    model: NestedEmbeddings | ItemSimilarities, widths: tuple[int, ...], held: HeldOut, k: int, threads: int
) -> Lists:
    if isinstance(model, ItemSimilarities):
        return rank_similarities(model, held, k, threads)
    model.seen.check_indices()  # those of a large file were not read when the model was loaded
    seen = model.seen
    return rank_embeddings(
        model.user_embeddings, model.item_embeddings, widths, seen.indptr, seen.indices, held, k, threads
    )


def check_cutoffs(cutoffs: Iterable[int] | int, n_items: int | None = None) -> tuple[int, ...]:
    """Return one or several cutoffs in ascending order without repeats; raise OptionError for invalid ones.

    With `n_items`, cutoffs beyond a thousand may not exceed it.
    """
    values = check_integers("cutoffs", cutoffs, "10, 20, 50")
    ascending = tuple(sorted(set(values)))
    if not ascending or ascending[0] < 1:
        raise OptionError(
            f"cutoffs must be 1 or more, as in 10,20,50; got {','.join(map(str, values)) or 'none'}", option="cutoffs"
        )
    if n_items is not None and ascending[-1] > max(n_items, _SHORT_LIST):
        raise OptionError(
            f"cutoffs must be at most {n_items}, the number of items; got {ascending[-1]}", option="cutoffs"
        )
    return ascending


def _check_widths(model: NestedEmbeddings | ItemSimilarities, widths: Iterable[int] | int | None) -> tuple[int, ...]:
    chosen = tuple(model.widths if widths is None else sorted(set(check_integers("widths", widths, "8, 16"))))
    if not chosen:
        raise OptionError(
            "widths must name at least one width, got none; leave the option out for all widths", option="widths"
        )
    for width in chosen:
        model.widths.level_of(width)
    return chosen


def _as_model(model: Any) -> NestedEmbeddings | ItemSimilarities:
    """Return the model, loaded if given as a path; raise OptionError for other types."""
    from nestrec.embeddings import NestedEmbeddings

    if isinstance(model, (str, PathLike)):
        return NestedEmbeddings.load(model)
    if isinstance(model, (NestedEmbeddings, ItemSimilarities)):
        return model
    found = f"class {model.__name__}" if isinstance(model, type) else type(model).__name__
    trained = "; train it first: model = trainer.fit(interactions)" if hasattr(model, "fit") else ""
    raise OptionError(f"model must be NestedEmbeddings or the path of a saved model, got {found}{trained}")


def check_samples(samples: int) -> int:
    """Return the number of bootstrap samples; raise OptionError for a negative one."""
    if check_integer("bootstrap_samples", samples, 1000) < 0:
        raise OptionError(
            f"bootstrap_samples must be 0 (no intervals) or more, got {samples}; 1000 is usual",
            option="bootstrap_samples",
        )
    return samples


def _summarize(
    model: NestedEmbeddings | ItemSimilarities,
    widths: tuple[int, ...],
    metrics: tuple[Metric, ...],
    cutoffs: tuple[int, ...],
    results: Results,
    is_known: BoolArray,
    samples: int,
    seed: int,
    bands: list[BandMeans],
) -> tuple[WidthEvaluation, ...]:
    accuracy = [metric for metric in metrics if isinstance(metric, AccuracyMetric)]
    of_lists = [metric for metric in metrics if not isinstance(metric, AccuracyMetric)]
    names = format_labels(accuracy, cutoffs)
    overall = warm = _average(results.per_user, names, samples, seed)
    if not is_known.all():
        warm = _average(results.per_user[:, is_known], names, samples, seed)
    catalogue = Catalogue(np.bincount(model.seen.indices, minlength=model.n_items), model.n_users)
    return tuple(
        WidthEvaluation(
            width,
            *overall[level],
            *warm[level],
            beyond_accuracy={
                f"{metric.name}@{k}": metric.function(CatalogueLists(n_lists, catalogue))
                for k, n_lists in zip(cutoffs, results.n_lists[level], strict=True)
                for metric in of_lists
            },
            per_user=results.per_user[level],
            bands=bands[level],
        )
        for level, width in enumerate(widths)
    )


def _average(
    per_user: Float32Array,  # (n_widths, n_users, n_labels)
    names: tuple[str, ...],
    samples: int,
    seed: int,
) -> list[tuple[Means, Intervals]]:
    """Return the means over users and their intervals, for each width; no intervals if `samples` is 0."""
    means = [dict(zip(names, values.mean(axis=0, dtype=np.float64).tolist(), strict=True)) for values in per_user]
    if samples == 0 or not names:
        return [(of_width, {}) for of_width in means]
    columns = [values[:, column] for values in per_user for column in range(len(names))]  # the same resamples for all
    bounds = bootstrap_intervals(columns, samples, seed).T.reshape(len(means), len(names), 2)
    return [
        (of_width, {name: (low, high) for name, (low, high) in zip(names, pairs, strict=True)})
        for of_width, pairs in zip(means, bounds.tolist(), strict=True)
    ]
