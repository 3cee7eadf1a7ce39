"""`evaluate`: a model and held-out interactions in, an `Evaluation` out. Every item the user has not met is ranked."""

from __future__ import annotations

from collections.abc import Iterable
from operator import index as as_integer
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nestrec.errors import OptionError
from nestrec.evaluation.beyond_accuracy import CatalogueFigures
from nestrec.evaluation.evaluation import Evaluation, WidthEvaluation
from nestrec.evaluation.full_ranking import Model, Progress, Ranked, Results, ranked_results
from nestrec.evaluation.held_out import matched
from nestrec.evaluation.item_similarities import ItemSimilarities
from nestrec.evaluation.metrics import labels
from nestrec.evaluation.significance import bootstrap_intervals
from nestrec.kernels.threads import checked_threads

if TYPE_CHECKING:
    from nestrec.data.interactions import Interactions
    from nestrec.embeddings import NestedEmbeddings

Intervals = npt.NDArray[np.float64]


def evaluate(
    model: NestedEmbeddings | ItemSimilarities,
    held_out: Interactions,
    cutoffs: Iterable[int] = (10, 20, 50),
    widths: Iterable[int] | None = None,
    threads: int | None = None,
    bootstrap_samples: int = 1000,
    seed: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """Rank all items each user has not met in training, at every width, and compare with what was held out.

    Args:
        model: what to evaluate; `model.seen` is what is not ranked. `ItemSimilarities` are evaluated under width 1.
        held_out: interactions with ids of their own. Users and items unknown to the model stay in the denominators,
            and so do interactions that stand in the training data too; `Evaluation.unmatched` counts them.
        cutoffs: lengths at which lists are judged.
        widths: trained widths to evaluate; None is all of them.
        threads: None uses all processors.
        bootstrap_samples: draws behind the 95% intervals; 0 leaves the intervals out.
        seed: of the bootstrap; the ranking involves no chance.
        progress: called with the users ranked so far and the users to rank.

    Raises:
        DataError: nothing is held out, or the model knows none of the users.
        OptionError: a cutoff, width, number of threads or of samples breaks its rule.

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
    cutoffs, chosen = checked_cutoffs(cutoffs), _checked_widths(model, widths)
    threads, samples = checked_threads(threads), _checked_samples(bootstrap_samples)
    held, rows, unmatched = matched(model, held_out)
    results = ranked_results(_ranked(model, chosen), held, cutoffs, threads, progress)
    return Evaluation(
        user_ids=held_out.users.ids[rows],
        n_items=model.n_items,
        cutoffs=cutoffs,
        widths=_width_figures(model, chosen, cutoffs, results, _intervals(results, samples, seed)),
        unmatched=unmatched,
        bootstrap_samples=samples,
        seed=seed,
    )


def _ranked(model: NestedEmbeddings | ItemSimilarities, widths: tuple[int, ...]) -> Ranked:
    if isinstance(model, ItemSimilarities):
        return model
    return Model(model.user_embeddings, model.item_embeddings, widths, model.seen.indptr, model.seen.indices)


def checked_cutoffs(cutoffs: Iterable[int]) -> tuple[int, ...]:
    """Return cutoffs ascending, each once; raise OptionError for anything but whole numbers from 1."""
    values = tuple(cutoffs)
    try:
        ascending = tuple(sorted({as_integer(k) for k in values}))
    except TypeError as error:
        raise OptionError(f"cutoffs must be whole numbers, as in 10,20,50; got {values!r}") from error
    if not ascending or ascending[0] < 1:
        raise OptionError(f"cutoffs must be 1 or more, as in 10,20,50; got {','.join(map(str, values)) or 'none'}")
    return ascending


def _checked_widths(model: NestedEmbeddings | ItemSimilarities, widths: Iterable[int] | None) -> tuple[int, ...]:
    chosen = tuple(model.widths if widths is None else sorted(set(widths)))
    if not chosen:
        raise OptionError("no width was given to evaluate; name at least one, or leave the option out for all")
    for width in chosen:
        model.widths.level_of(width)
    return chosen


def _checked_samples(samples: int) -> int:
    if samples < 0:
        raise OptionError(f"{samples} bootstrap samples cannot be drawn; give 0 for no intervals, or 1000 as usual")
    return samples


def _intervals(results: Results, samples: int, seed: int) -> Intervals | None:
    """Return (n_widths, n_labels, 2), all from the same draws of users; None for no samples."""
    if samples == 0:
        return None
    n_widths, _, n_labels = results.per_user.shape
    columns = [values[:, place] for values in results.per_user for place in range(n_labels)]
    return bootstrap_intervals(columns, samples, seed).T.reshape(n_widths, n_labels, 2)


def _width_figures(
    model: NestedEmbeddings | ItemSimilarities,
    widths: tuple[int, ...],
    cutoffs: tuple[int, ...],
    results: Results,
    intervals: Intervals | None,
) -> tuple[WidthEvaluation, ...]:
    names = labels(cutoffs)
    figures_of = CatalogueFigures.of(np.bincount(model.seen.indices, minlength=model.n_items), model.n_users)
    figures = []
    for level, width in enumerate(widths):
        values = results.per_user[level]
        bounds = [] if intervals is None else [(float(low), float(high)) for low, high in intervals[level]]
        means = values.mean(axis=0, dtype=np.float64).tolist()
        figures.append(
            WidthEvaluation(
                width=width,
                means=dict(zip(names, means, strict=True)),
                intervals=dict(zip(names, bounds, strict=False)),  # shorter, empty, where none was asked for
                beyond_accuracy={
                    f"{name}@{k}": value
                    for k, n_lists in zip(cutoffs, results.n_lists[level], strict=True)
                    for name, value in figures_of(n_lists).items()
                },
                per_user=values,
            )
        )
    return tuple(figures)
