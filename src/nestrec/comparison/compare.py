"""`compare`: nestrec and other models at every width, tuned on the same budget, with paired significance tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

import numpy as np

from nestrec.arguments import check_integer, check_range
from nestrec.arrays import BoolArray
from nestrec.atomic.workspace import temporary_folder
from nestrec.comparison.callbacks import ComparisonCallback, ComparisonCallbackList
from nestrec.comparison.comparison_run import ComparisonRun
from nestrec.comparison.fit_runner import VALIDATION, FitRunner
from nestrec.comparison.hyperparameter_search import check_optuna
from nestrec.comparison.model_choice import REFERENCE, select_models
from nestrec.comparison.progress import show_comparison
from nestrec.comparison.result import Comparison, DataSummary, Protocol
from nestrec.comparison.run_log import RunLog
from nestrec.comparison.tuning import check_seconds
from nestrec.data.as_interactions import as_interactions
from nestrec.data.cold_ids import drop_cold
from nestrec.data.interactions import Interactions
from nestrec.errors import MissingExtraError, OptionError
from nestrec.evaluation.evaluate import check_cutoffs
from nestrec.evaluation.held_out import match_ids
from nestrec.evaluation.metric_registry import MetricAtCutoff
from nestrec.evaluation.popularity_bands import describe_bands
from nestrec.parallel.threads import resolve_threads
from nestrec.training.check_interactions import check_learnable
from nestrec.training.options import Run
from nestrec.training.trainer import DEFAULT_WIDTHS
from nestrec.training.validation_part import carve
from nestrec.widths import Widths


def compare(  # noqa: PLR0913 - options by keyword
    train: Interactions | object,
    test: Interactions | object,
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
    callbacks: ComparisonCallback | Sequence[ComparisonCallback] = (),
    progress: bool = False,
) -> Comparison:
    """Compare nestrec with other models at every width, each tuned on the same budget.

    Tuning uses only the training interactions; a random 10% of them is the validation part of every model. Then each
    model is fitted on all training interactions with the selected options, once per seed in a process of its own, and
    evaluated on the test interactions. Differences to nestrec are paired over users; see
    `nestrec.comparison.paired_differences` for the tests.

    Args:
        train: interactions for training and tuning, or a path or table that `read_interactions` takes. Users and items
            without any are dropped.
        test: held-out interactions likewise, with the same ids; not used in tuning. Cold users and items count as
            misses of every model; metrics over warm users are reported too.
        models: names in `nestrec.baselines.BASELINES`; None is all that are installed. nestrec is always included.
        widths: widths to compare at.
        cutoffs: list lengths k of the metrics.
        seeds: one fit per seed; the search uses the first one.
        trials: tuning fits per width and model, that of the defaults included; 0 compares defaults. A model with one
            fit for all widths is given trials * len(widths).
        seconds: tuning starts no further fit after this many seconds of fitting per width; None is no limit.
        metric: metric that tuning maximizes, averaged over widths.
        tune_nestrec: tune nestrec too; otherwise it runs with its defaults.
        threads: None uses all processors.
        out: folder for the log of fits, `runs.jsonl`, from which the same call resumes. None keeps nothing.
        callbacks: notified of progress.
        progress: show a progress bar, on a terminal or in a notebook.

    Ctrl-C raises KeyboardInterrupt; finished fits are in the log. A model that fails, or whose process dies, is marked
    by `Cell.error`, and the comparison continues.

    Raises:
        OptionError: an argument is invalid, or the folder cannot be used.
        DataError: there are no interactions to train or evaluate on, or the log in the folder is of other data.
        MissingExtraError: a model that was named, or Optuna, is not installed.

    >>> from nestrec import RandomSplit, SyntheticData, compare
    >>> train, test = RandomSplit(0.2).split(SyntheticData(n_users=100, n_items=120).generate(seed=0).interactions)
    >>> found = compare(train, test, models=["popularity"], widths=[2, 4], seeds=[0], trials=0, threads=1)
    >>> [(result.name, len(result.cells)) for result in found.models]
    [('nestrec', 2), ('popularity', 1)]
    >>> [difference.label for difference in found.model("popularity").at(4).differences if difference.width == 4]
    ['recall@20', 'ndcg@20']

    """
    names, skipped = select_models(models)
    callback, bar = ComparisonCallbackList.of(callbacks), show_comparison(show=progress)
    check_range("trials", check_integer("trials", trials, 10), 0, 100_000, 10)
    check_seconds(seconds)
    MetricAtCutoff.parse(metric)
    train, test = as_interactions(train), as_interactions(test)
    protocol = Protocol(
        widths=(widths if isinstance(widths, Widths) else Widths(widths)).values,
        cutoffs=check_cutoffs(cutoffs, train.n_items),
        seeds=_check_seeds(seeds),
        trials=trials,
        seconds=seconds,
        metric=metric,
        validation_fraction=VALIDATION.fraction,
        tuned_reference=tune_nestrec,
        threads=resolve_threads(threads),
    )
    _check_tuning(trials)
    train = drop_cold(train)
    data, known = _describe_data(train, test, callback)
    parts = {"training": data.train_fingerprint, "test": data.test_fingerprint}
    with bar as bars, _open_folder(out) as folder, RunLog(folder, parts) as log, FitRunner(train, test, log) as runner:
        results = ComparisonRun(protocol, names, runner, log, callback.plus(bars), known).execute()
    return Comparison(data, protocol, results, REFERENCE, skipped)


def _check_tuning(trials: int) -> None:
    try:
        if trials > 0:
            check_optuna()
    except MissingExtraError as error:
        raise MissingExtraError(f"{error}, or compare defaults with trials=0") from error


@contextmanager
def _open_folder(out: str | PathLike[str] | None) -> Iterator[Path]:
    """Yield the folder, or a temporary one."""
    if out is not None:
        yield Path(out)
        return
    with temporary_folder() as folder:
        yield folder


def _check_seeds(seeds: Iterable[int]) -> tuple[int, ...]:
    given = tuple(seeds)
    if not given or len(set(given)) < len(given):
        found = ",".join(map(str, given)) or "none"
        raise OptionError(f"seeds must be one or more different numbers, such as 0,1,2; got {found}", option="seeds")
    return tuple(Run(seed=seed).seed for seed in given)


def _describe_data(
    train: Interactions, test: Interactions, callback: ComparisonCallback
) -> tuple[DataSummary, BoolArray]:
    """Check the data before the fits; return a summary and which test users are warm, (n_test_users,)."""
    check_learnable(train)
    carve(VALIDATION, train)
    held, rows, unmatched = match_ids(train.users, train.items, train, test)
    if (warning := unmatched.warning(test.n_interactions)) is not None:
        callback.on_message(f"warning: {warning}")
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
        bands=describe_bands(train, test),
    )
    return summary, known
