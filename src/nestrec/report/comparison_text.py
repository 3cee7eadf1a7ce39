"""What a comparison found, in plain words: the conclusion, and how it was measured."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nestrec.data.read_report import format_count
from nestrec.report.durations import readable_seconds
from nestrec.report.verdict import ALPHA, Rival, Verdict, labels_of, rivals, standing

if TYPE_CHECKING:
    from nestrec.comparison.result import Comparison, DataSummary


def conclusion(found: Comparison) -> tuple[str, ...]:
    """Return the conclusion, one sentence or two an entry, the most important first."""
    label = labels_of(found)[0]
    told = (*_details(found, label), *_other_metrics(found), *_time(found), *_absent(found))
    return (headline(found, label), *told, _rule(found))


def headline(found: Comparison, label: str) -> str:
    """Return how the models compared stand to nestrec in one metric, in one sentence.

    It names who is better first: a comparison is read for what speaks against its author.
    """
    told = list(rivals(found, label))
    if not told:
        return f"Nothing can be said of {label}: there are no figures of {found.reference} and another model."
    n_better, n_worse, n_unclear = (_count(told, wanted) for wanted in (Verdict.BETTER, Verdict.WORSE, Verdict.UNCLEAR))  # fmt: skip # noqa: E501
    if n_worse == len(told):
        return f"In {label}, {found.reference} is better than {_others(told, every=True)}."
    counts = f"worse in {n_better}, better in {n_worse}, and not told apart in {n_unclear}"
    return f"In {label}, beside {_others(told, every=False)}, {found.reference} is {counts} of {len(told)} comparisons."


def _others(told: Sequence[Rival], *, every: bool) -> str:
    names, widths = {rival.name for rival in told}, {rival.width for rival in told}
    models = f"{'all ' if every else ''}{len(names)} other models" if len(names) > 1 else next(iter(names))
    several = f"{'every one of ' if every else ''}{len(widths)} widths"
    return f"{models} at {several if len(widths) > 1 else f'width {min(widths)}'}"


def _details(found: Comparison, label: str) -> Iterator[str]:
    told = list(rivals(found, label))
    n_widths = len({rival.width for rival in told})
    for wanted, opening in (
        (Verdict.BETTER, f"Better than {found.reference}"),
        (Verdict.UNCLEAR, f"Not told apart from {found.reference}"),
    ):
        listed = _listed([rival for rival in told if standing(rival.gap) is wanted], n_widths)
        if listed:
            yield f"{opening}: {listed}."


def _listed(told: Sequence[Rival], n_widths: int) -> str:
    """Name models with their widths: `ease at widths 4, 8; ials at width 64`."""
    by_name: dict[str, list[int]] = {}
    for rival in told:
        by_name.setdefault(rival.name, []).append(rival.width)
    return "; ".join(f"{name} at {_widths(widths, n_widths)}" for name, widths in by_name.items())


def _widths(widths: Sequence[int], n_widths: int) -> str:
    if len(widths) == n_widths > 1:
        return "every width"
    return f"{'width' if len(widths) == 1 else 'widths'} {', '.join(map(str, widths))}"


def _other_metrics(found: Comparison) -> Iterator[str]:
    for label in labels_of(found)[1:]:
        yield headline(found, label)


def _time(found: Comparison) -> Iterator[str]:
    """Yield training time beside that of the others."""
    timed = [(model.training_seconds, model.name) for model in found.models if math.isfinite(model.training_seconds)]
    own = next((seconds for seconds, name in timed if name == found.reference), None)
    others = [entry for entry in timed if entry[1] != found.reference]
    if own is None or not others:
        return
    (least, quickest), (most, slowest) = min(others), max(others)
    span = (
        f"the others' from {readable_seconds(least)} ({quickest}) to {readable_seconds(most)} ({slowest})"
        if len(others) > 1
        else f"that of {quickest} {readable_seconds(least)}"
    )
    yield f"Training at every width took {found.reference} {readable_seconds(own)}, {span}."


def _rule(found: Comparison) -> str:
    n_seeds = len(found.protocol.seeds)
    return (
        f"Figures are means over users and {n_seeds} {_plural('seed', n_seeds)}; better and worse: p below {ALPHA}, "
        "paired over users and corrected for the number of comparisons."
    )


def _absent(found: Comparison) -> Iterator[str]:
    for model in found.models:
        failed = [cell for cell in model.cells if cell.error is not None]
        if failed:
            widths = [cell.width for cell in failed if cell.width is not None]
            where = f" at {_widths(widths, len(found.protocol.widths))}" if widths else ""
            yield f"{model.name} failed{where}: {failed[0].error}"
    for reason in dict.fromkeys(found.skipped.values()):
        names = [name for name, told in found.skipped.items() if told == reason]
        yield f"Left out: {', '.join(names)}; {'it' if len(names) == 1 else 'each'} {reason}."


def measured(found: Comparison) -> tuple[str, ...]:
    """Return how the figures came about, in paragraphs."""
    return (_data(found), _tuning(found), _fits(found), _tests(found), _costs(found))


def _data(found: Comparison) -> str:
    data = found.data
    return (
        f"Data: {format_count(data.users, 'user')}, {format_count(data.items, 'item')}, "
        f"{format_count(data.train_interactions, 'interaction')} to train on "
        f"(fingerprint {data.train_fingerprint[:12]}), {data.test_interactions:,} held out (fingerprint "
        f"{data.test_fingerprint[:12]}) of {format_count(data.test_users, 'user')}, over whom all means are taken."
        f"{_unknown(data)}"
    )


def _unknown(data: DataSummary) -> str:
    """Return what of the test part training does not know; empty where that is nothing, or not told."""
    if data.known_test_users is None:
        return ""
    unknown = data.test_users - data.known_test_users
    told = []
    if unknown:
        told.append(f" {unknown:,} of these users have no training interactions and count as 0.")
    if data.cold_test_items:
        told.append(f" {data.cold_test_items:,} held-out items have no training interactions and count as misses.")
    if data.repeated_interactions:
        told.append(f" {data.repeated_interactions:,} held-out interactions were trained on and count as misses.")
    return "".join(told)


def _tuning(found: Comparison) -> str:
    protocol = found.protocol
    if protocol.trials == 0:
        return "Tuning: none; every model ran with its defaults."
    limit = "" if protocol.seconds is None else f", and no further fit after {protocol.seconds:g} seconds a width"
    own = "was tuned like the others" if protocol.tuned_reference else "was not tuned: it ran with its defaults"
    return (
        f"Tuning: {protocol.trials} {_plural('fit', protocol.trials)} a width for each model that has options, its "
        f"defaults among them{limit}, for the best {protocol.metric} on {protocol.validation_fraction:.0%} of the "
        f"training interactions, set aside at random. {found.reference} {own}. The held-out interactions took part "
        "in no choice."
    )


def _fits(found: Comparison) -> str:
    return (
        f"Fits: with the options chosen, each model was trained on all training interactions with "
        f"{_seeds(found.protocol.seeds)}, and judged on the held-out interactions once. Every item that a user has not "
        "met in training is ranked; nothing is sampled. A model without width is the same at every width."
    )


def _tests(found: Comparison) -> str:
    return (
        "Intervals: 95% bootstrap over users; a user's value is the mean over seeds. Differences are those of "
        f"{found.reference} less the other model, paired user by user; their p-values are two-sided bootstrap tests, "
        "corrected by Holm's procedure over all differences in one metric, which holds the chance of any false "
        f"difference in it to {ALPHA:.0%}. They speak of other users of this data set, not of other data sets."
    )


def _costs(found: Comparison) -> str:
    return (
        "Seconds and memory: of the fit alone, in a process of its own, without loading libraries, reading files or "
        f"tuning, {_threads(found.protocol.threads)}; means over seeds, and the most memory of any seed, beyond what "
        "the process held before it read the data. A model that is trained anew for each width has the sum of its fits."
    )


def _seeds(seeds: Sequence[int]) -> str:
    return f"{_plural('seed', len(seeds))} {', '.join(map(str, seeds))}"


def _threads(threads: int | None) -> str:
    return "on all processors" if threads is None else f"on {threads} {_plural('thread', threads)}"


def _plural(noun: str, n: int) -> str:
    return noun if n == 1 else f"{noun}s"


def _count(told: Sequence[Rival], wanted: Verdict) -> int:
    return sum(standing(rival.gap) is wanted for rival in told)
