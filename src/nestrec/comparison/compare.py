"""`compare`: every model at every width, tuned on one budget, fitted with several seeds, judged once on the test."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nestrec.arguments import check_range, whole_number
from nestrec.arrays import BoolArray
from nestrec.atomic.workspace import temporary_folder
from nestrec.comparison.callbacks import ComparisonCallback, NullComparisonCallback
from nestrec.comparison.fit_runner import VALIDATION, Laboratory
from nestrec.comparison.hyperparameter_search import check_optuna
from nestrec.comparison.procedure import Procedure
from nestrec.comparison.result import Comparison, DataSummary, Protocol
from nestrec.comparison.run_log import RunLog
from nestrec.comparison.select_models import REFERENCE, chosen
from nestrec.comparison.tuning import check_seconds
from nestrec.data.cold_ids import drop_cold
from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import MissingExtraError, OptionError
from nestrec.evaluation.evaluate import check_cutoffs
from nestrec.evaluation.held_out import match
from nestrec.evaluation.metric_registry import MetricAtCutoff
from nestrec.parallel.threads import checked_threads
from nestrec.training.options import Run
from nestrec.training.trainer import DEFAULT_WIDTHS, check_learnable
from nestrec.training.validation_part import carve
from nestrec.widths import Widths


def compare(
    train: Interactions,
    test: Interactions,
    *,
    models: Sequence[str] | None = None,
    widths: Widths | Iterable[int] = DEFAULT_WIDTHS,
    cutoffs: Iterable[int] = (20,),
    seeds: Iterable[int] = (0, 1, 2),
    trials: int = 10,
    seconds: float | None = None,
    metric: str = "ndcg@20",
    tune_nestrec: bool = False,
    threads: int | None = None,
    out: str | PathLike[str] | None = None,
    watcher: ComparisonCallback = NullComparisonCallback(),  # noqa: B008 - it has no state
) -> Comparison:
    """Compare nestrec with other models at every width, each tuned on the same budget.

    Tuning sees the training interactions alone: a random tenth of them is the validation part of every model. Then the
    options chosen are fitted on all of them, once for each seed in a process of its own, and judged once on the test
    part. Differences to nestrec are paired over users; `nestrec.comparison.paired_differences` says what is tested.

    Args:
        train: what to train and tune on. Users and items without interactions are unknown to every model.
        test: held-out interactions under the same ids; takes part in no choice. Unknown users and items count as
            misses of every model; figures over the known users stand beside those over all.
        models: names in `nestrec.baselines.BASELINES`; None is all that are installed. nestrec always takes part.
        widths: where models are compared.
        cutoffs: lengths at which lists are judged.
        seeds: of the fits, one each; the search uses the first one.
        trials: fits for each width that tuning may spend on a model, its defaults among them; 0 compares defaults. A
            model whose one fit serves all widths has trials * len(widths) of them, and so has one without width.
        seconds: a search begins no further fit after as many seconds of fitting for each width; None is no limit.
        metric: what tuning maximises, averaged over widths.
        tune_nestrec: tune nestrec too; otherwise it runs with its defaults.
        threads: None uses all processors.
        out: folder for the log of fits, `runs.jsonl`: the same call with the same folder goes on from there. None
            keeps nothing.
        watcher: told how it goes.

    Interrupted by Ctrl-C it raises KeyboardInterrupt, with every finished fit in the log. A model that fails, or whose
    process dies, is marked (`Cell.error`) and the others go on.

    Raises:
        OptionError: a value breaks its rule, or the folder cannot be used.
        DataError: the interactions hold nothing to learn from or to judge on, or the folder's log is of other data.
        MissingExtraError: a model that was named, or Optuna, is not installed.

    >>> from nestrec import RandomSplit, SyntheticData, compare
    >>> train, test = RandomSplit(0.2).split(SyntheticData(n_users=100, n_items=120).generate(seed=0).interactions)
    >>> found = compare(train, test, models=["popularity"], widths=[2, 4], seeds=[0], trials=0, threads=1)
    >>> [(result.name, len(result.cells)) for result in found.models]
    [('nestrec', 2), ('popularity', 1)]
    >>> [gap.label for gap in found.model("popularity").at(4).gaps if gap.width == 4]
    ['recall@20', 'ndcg@20']

    """
    names, skipped = chosen(models)
    check_range("trials", whole_number("trials", trials, 10), 0, 100_000, 10)
    check_seconds(seconds)
    MetricAtCutoff.parse(metric)
    protocol = Protocol(
        widths=(widths if isinstance(widths, Widths) else Widths(widths)).values,
        cutoffs=check_cutoffs(cutoffs, train.n_items),
        seeds=_checked_seeds(seeds),
        trials=trials,
        seconds=seconds,
        metric=metric,
        validation_fraction=VALIDATION.fraction,
        tuned_reference=tune_nestrec,
        threads=checked_threads(threads),
    )
    _check_tuning(trials)
    train = drop_cold(train)
    data, known = _summary(train, test, watcher)
    parts = {"training": data.train_fingerprint, "test": data.test_fingerprint}
    with _folder(out) as folder, RunLog(folder, parts) as log, Laboratory(train, test, log) as laboratory:
        results = Procedure(protocol, names, laboratory, log, watcher, known).results()
    return Comparison(data, protocol, results, REFERENCE, skipped)


def _check_tuning(trials: int) -> None:
    try:
        if trials > 0:
            check_optuna()
    except MissingExtraError as error:
        raise MissingExtraError(f"{error}, or compare defaults with trials=0") from error


@contextmanager
def _folder(out: str | PathLike[str] | None) -> Iterator[Path]:
    """Give the folder named, or one that is gone afterwards."""
    if out is not None:
        yield Path(out)
        return
    with temporary_folder() as folder:
        yield folder


def _checked_seeds(seeds: Iterable[int]) -> tuple[int, ...]:
    given = tuple(seeds)
    if not given or len(set(given)) < len(given):
        told = ",".join(map(str, given)) or "none"
        raise OptionError(f"seeds {told} must be at least one and none twice; give some, as in 0,1,2")
    return tuple(Run(seed=seed).seed for seed in given)


class _Trained(NamedTuple):
    """What every model knows, whatever it is."""

    users: Vocabulary
    items: Vocabulary
    seen: Interactions


def _summary(train: Interactions, test: Interactions, watcher: ComparisonCallback) -> tuple[DataSummary, BoolArray]:
    """Check the data before hours are spent on them, describe them, and tell which test users are known."""
    check_learnable(train)
    carve(VALIDATION, train)
    held, rows, unmatched = match(_Trained(train.users, train.items, train), test)
    if (warning := unmatched.warning(test.n_interactions)) is not None:
        watcher.note(f"warning: {warning}")
    known = np.zeros(len(rows), dtype=np.bool_)
    known[held.known] = True
    summary = DataSummary(
        train_fingerprint=train.fingerprint(),
        test_fingerprint=test.fingerprint(),
        users=train.n_users,
        items=train.n_items,
        train_interactions=train.n_interactions,
        test_interactions=test.n_interactions,
        test_users=len(rows),
        known_test_users=len(held.known),
        cold_test_items=unmatched.items,
        repeated_interactions=unmatched.seen_interactions,
    )
    return summary, known
