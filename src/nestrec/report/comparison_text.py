"""Comparison results in sentences: the conclusion, and the method."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from nestrec.baselines.registry import BASELINES, source_of
from nestrec.data.read_report import format_count
from nestrec.report.comparison_view import SIGNIFICANCE_LEVEL, ComparisonView, Rival, Verdict, format_p_value
from nestrec.report.durations import format_seconds


def conclusion(view: ComparisonView) -> tuple[str, ...]:
    """Return the conclusion as sentences, the most important first."""
    if not view.labels:
        return (_describe_missing(view, view.comparison.protocol.metric), *_describe_absent(view))
    first, *others = view.labels
    details = _list_exceptions(view.rivals[first], view.reference)
    headlines = (headline(view, label) for label in others)
    return (headline(view, first), *details, *headlines, *_compare_times(view), *_describe_absent(view), _explain(view))


def headline(view: ComparisonView, label: str) -> str:
    """Return the number of significant differences to the other models in a metric, in one sentence."""
    rivals, reference = view.rivals[label], view.reference
    if not rivals:
        return _describe_missing(view, label)
    verdicts = [rival.verdict for rival in rivals]
    if len(rivals) == 1:
        return f"{label}: {reference} is {_describe_single(rivals[0])}."
    if all(verdict is Verdict.WORSE for verdict in verdicts):
        largest = max(rival.difference.corrected_p_value for rival in rivals)
        p_value = format_p_value(largest)
        p_value = f"p {p_value}" if p_value.startswith("<") else f"p ≤ {p_value}"
        return f"{label}: {reference} is significantly better than {_describe_rivals(rivals, 'all ')} ({p_value})."
    n_worse, n_better, n_not = (
        verdicts.count(verdict) for verdict in (Verdict.BETTER, Verdict.WORSE, Verdict.NOT_SIGNIFICANT)
    )
    return (
        f"{label}: compared with {_describe_rivals(rivals)}, {reference} is significantly better in {n_better} of "
        f"{len(rivals)} comparisons and significantly worse in {n_worse}; {n_not} {'is' if n_not == 1 else 'are'} "
        "not significant."
    )


def _describe_missing(view: ComparisonView, label: str) -> str:
    return f"{label}: no comparison, because {view.reference} or all other models have no results."


def _describe_single(rival: Rival) -> str:
    significance = {
        Verdict.WORSE: "significantly better than",
        Verdict.BETTER: "significantly worse than",
        Verdict.NOT_SIGNIFICANT: "not significantly different from",
    }[rival.verdict]
    p_value = format_p_value(rival.difference.corrected_p_value)
    shown = f"p {p_value}" if p_value.startswith("<") else f"p = {p_value}"
    return f"{significance} {rival.name} at width {rival.width} ({shown})"


def _describe_rivals(rivals: Sequence[Rival], every: str = "") -> str:
    names, widths = {rival.name for rival in rivals}, {rival.width for rival in rivals}
    models = f"{every}{len(names)} other models" if len(names) > 1 else rivals[0].name
    return f"{models} at {f'{every}{len(widths)} widths' if len(widths) > 1 else f'width {min(widths)}'}"


def _list_exceptions(rivals: Sequence[Rival], reference: str) -> Iterator[str]:
    """Yield the models that are better or not significantly different, with their widths."""
    n_widths = len({rival.width for rival in rivals})
    for verdict, opening in (
        (Verdict.BETTER, f"Significantly better than {reference}"),
        (Verdict.NOT_SIGNIFICANT, f"Not significantly different from {reference}"),
    ):
        by_name: dict[str, list[int]] = {}
        for rival in rivals:
            if rival.verdict is verdict and len(rivals) > 1:
                by_name.setdefault(rival.name, []).append(rival.width)
        if by_name:
            models = (f"{name} at {_format_widths(widths, n_widths)}" for name, widths in by_name.items())
            yield f"{opening}: {'; '.join(models)}."


def _format_widths(widths: Sequence[int], n_widths: int) -> str:
    if len(widths) == n_widths > 1:
        return "every width"
    return f"{_plural('width', len(widths))} {', '.join(map(str, widths))}"


def _compare_times(view: ComparisonView) -> Iterator[str]:
    """Yield the training time beside the range of the other models."""
    models = view.comparison.models
    times = {model.name: model.training_seconds for model in models if math.isfinite(model.training_seconds)}
    own = times.pop(view.reference, None)
    if own is None or not times:
        return
    quickest, slowest = min(times, key=lambda name: times[name]), max(times, key=lambda name: times[name])
    others = f"{quickest} {format_seconds(times[quickest])}"
    if len(times) > 1:
        low, high = format_seconds(times[quickest]), format_seconds(times[slowest])
        others = f"the other models between {low} ({quickest}) and {high} ({slowest})"
    yield f"Training time for all widths: {view.reference} {format_seconds(own)}, {others}."


def _explain(view: ComparisonView) -> str:
    seeds = format_count(len(view.comparison.protocol.seeds), "seed")
    return (
        f"Values are means over users and {seeds}. Significance: paired over users, "
        f"Holm-corrected p below {SIGNIFICANCE_LEVEL}."
    )


def _describe_absent(view: ComparisonView) -> Iterator[str]:
    for model in view.comparison.models:
        failed = [cell for cell in model.cells if cell.error is not None]
        if failed:
            widths = [cell.width for cell in failed if cell.width is not None]
            where = f" at {_format_widths(widths, len(view.widths))}" if widths else ""
            yield f"{model.name} failed{where}: {failed[0].error}"
    skipped = view.comparison.skipped
    for reason in dict.fromkeys(skipped.values()):
        names = [name for name, why in skipped.items() if why == reason]
        yield f"Skipped: {', '.join(names)}; {'it' if len(names) == 1 else 'each'} {reason}."


def describe_method(view: ComparisonView) -> tuple[str, ...]:
    """Return how the results were obtained, in paragraphs."""
    return (
        _describe_data(view),
        _describe_tuning(view),
        _describe_fits(view),
        *_describe_bands(view),
        _describe_tests(),
        _describe_costs(view),
    )


def _describe_data(view: ComparisonView) -> str:
    data = view.comparison.data
    sizes = (
        f"Data: {format_count(data.users, 'user')}, {format_count(data.items, 'item')}, "
        f"{format_count(data.train_interactions, 'training interaction')} (fingerprint {data.train_fingerprint[:12]}), "
        f"{format_count(data.test_interactions, 'test interaction')} (fingerprint {data.test_fingerprint[:12]}) of "
        f"{format_count(data.test_users, 'user')}, over whom means are taken."
    )
    parts = [sizes]
    cold = 0 if data.known_test_users is None else data.test_users - data.known_test_users
    if cold:
        parts.append(f"{cold:,} of these users have no training interactions and count as 0.")
    if data.cold_test_items:
        parts.append(f"{data.cold_test_items:,} test items have no training interactions and count as misses.")
    if data.repeated_interactions:
        parts.append(f"{data.repeated_interactions:,} test interactions are in the training data and count as misses.")
    return " ".join(parts)


def _describe_tuning(view: ComparisonView) -> str:
    protocol = view.comparison.protocol
    if protocol.trials == 0:
        return "Tuning: none; every model has its default options."
    limit = "" if protocol.seconds is None else f", with no further fit after {protocol.seconds:g} seconds per width"
    own = "was tuned like the others" if protocol.tuned_reference else "was not tuned and has its default options"
    return (
        f"Tuning: {format_count(protocol.trials, 'fit')} per width for each model that has options, that of its "
        f"defaults included{limit}, maximizing {protocol.metric} on a random "
        f"{protocol.validation_fraction:.0%} of the training interactions. {view.reference} {own}. "
        "The test interactions were not used in tuning."
    )


def _describe_fits(view: ComparisonView) -> str:
    seeds = view.comparison.protocol.seeds
    return (
        f"Fits: with the selected options, each model was fitted on all training interactions with "
        f"{_plural('seed', len(seeds))} {', '.join(map(str, seeds))} and evaluated on the test interactions "
        "by full ranking of all items that a user has not seen in training. A model without widths has the same values "
        "at every width."
    ) + "".join(
        f" {model.name} is computed from the fit of {source} at width {view.widths[-1]}, with its options."
        for model in view.comparison.models
        if model.name in BASELINES and (source := source_of(model.name)) is not None
    )


def _describe_bands(view: ComparisonView) -> Iterator[str]:
    """Yield how test items are divided by popularity."""
    bands = view.comparison.data.bands
    if bands:
        sizes = "; ".join(
            f"{band.name} {format_count(band.items, 'item')} with "
            f"{format_count(band.test_interactions, 'test interaction')} of {format_count(band.test_users, 'user')}"
            for band in bands
        )
        yield (
            "Popularity: items are divided by their training interactions into three bands with a third of these "
            f"each: {sizes}. Within a band only its items count as relevant, while all items are ranked; means are "
            "over users with training interactions and a test item in the band."
        )


def _describe_tests() -> str:
    return (
        "Significance: intervals are 95% bootstrap intervals over users; a user's value is the mean over seeds. "
        "Differences are paired over users; p-values are two-sided bootstrap tests with Holm's correction over all "
        f"differences in one metric, for a family-wise error rate of {SIGNIFICANCE_LEVEL:.0%} per metric. They "
        "generalize over users of this data set, not over data sets."
    )


def _describe_costs(view: ComparisonView) -> str:
    threads = view.comparison.protocol.threads
    where = "on all processors" if threads is None else f"on {format_count(threads, 'thread')}"
    return (
        "Time and memory: of the fit alone, in a process of its own, without loading libraries, reading files or "
        f"tuning, {where}. Seconds are means over seeds, and the sum over fits for models with one fit per width; "
        "memory is the maximum over seeds, above that of the process before it read the data."
    )


def _plural(noun: str, n: int) -> str:
    return noun if n == 1 else f"{noun}s"
