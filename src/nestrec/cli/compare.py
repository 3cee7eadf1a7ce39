"""`nestrec compare`: nestrec and other models at every width, with one tuning budget and several seeds.

Examples:
  nestrec compare train.csv test.csv
  nestrec compare train.csv test.csv --models ease,ials --out study
  nestrec compare train.csv test.csv --seeds 0 --trials 0 --json -

Every model is tuned on a validation tenth of TRAIN with the same number of trials; TEST is used for the final
evaluation alone. nestrec itself runs with its defaults. Interrupted, the same command continues from the fits in OUT.

"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nestrec.cli.console import say, show, warn
from nestrec.cli.exit_codes import INTERRUPTED
from nestrec.cli.lists import parse_integers
from nestrec.cli.output_paths import check_file_paths, format_json, write_json
from nestrec.cli.own_outputs import OwnOutputs
from nestrec.cli.panels import OPTIONS, TUNING
from nestrec.cli.reading import SOURCES, Reading, Signals, read_with_progress, refuse_reading_twice
from nestrec.cli.shared_options import JsonPath, Overwrite, Threads, argument, flag, option, output

if TYPE_CHECKING:
    from nestrec.comparison.result import Comparison
    from nestrec.data.interactions import Interactions

_FIGURES, _PAGE = "comparison.json", "comparison.html"
_SLOW = {
    "lightgcn": "passes over the whole graph for every batch",
    "ultragcn": "trains under autograd for up to 300 epochs per fit",
    "mf-bsl": "trains under autograd for up to 300 epochs per fit",
}


PANELS = {OPTIONS: ("models", "widths", "cutoffs", "seeds"), TUNING: ("trials", "seconds", "metric", "tune_nestrec")}


def compare(
    train: Annotated[Path, argument("TRAIN", f"Interactions to train on. {SOURCES}")],
    test: Annotated[Path, argument("TEST", "Held-out interactions to evaluate on.")],
    reading: Reading,
    signals: Signals,
    models: Annotated[str | None, option("LIST", "Models to compare nestrec with.", "all that are installed")] = None,
    widths: Annotated[str, option("LIST", "Widths to compare at.")] = "4,8,16,32,64",
    cutoffs: Annotated[str, option("LIST", "Cutoffs k of the metrics.")] = "20",
    seeds: Annotated[str, option("LIST", "Random seeds; one fit per seed.")] = "0,1,2",
    trials: Annotated[int, option("N", "Trials per model and width, the defaults first; 0: no tuning.")] = 10,
    seconds: Annotated[float | None, option("S", "Tuning time limit per model and width.", "no limit")] = None,
    metric: Annotated[str, option("NAME@K", "Metric that tuning maximises, averaged over widths.")] = "ndcg@20",
    tune_nestrec: Annotated[bool, flag("--tune-nestrec", "Tune nestrec like the others.")] = False,
    out: Annotated[Path, output("FOLDER", "Folder for finished fits, results and the report page.")] = Path(
        "nestrec-comparison"
    ),
    json_to: JsonPath = None,
    threads: Threads = None,
    overwrite: Overwrite = False,
) -> None:
    """Compare nestrec with other models at every width, with equal tuning."""
    outputs = OwnOutputs(out, overwrite=overwrite)
    outputs.check((_FIGURES, _PAGE))
    check_file_paths(json_to, overwrite=overwrite)
    refuse_reading_twice(train, test)
    names = None if models is None else tuple(name.strip() for name in models.split(","))
    at_widths, at_cutoffs, with_seeds = (
        parse_integers(option, text)
        for option, text in (("--widths", widths), ("--cutoffs", cutoffs), ("--seeds", seeds))
    )
    from nestrec.cli.progress import comparison_progress
    from nestrec.comparison import compare as run
    from nestrec.comparison import select_models
    from nestrec.evaluation.metric_registry import MetricAtCutoff

    MetricAtCutoff.parse(metric)
    taking_part, absent = select_models(names)
    _announce(taking_part, absent)
    options = signals.add_to(reading.options(threads=threads))
    trained_on = read_with_progress(train, options)
    _announce_signals(taking_part, trained_on)
    held_out = read_with_progress(test, options.without_signals(), trained_on, for_training=False)
    try:
        with comparison_progress() as progress:
            found = run(
                trained_on,
                held_out,
                models=names,
                widths=at_widths,
                cutoffs=at_cutoffs,
                seeds=with_seeds,
                trials=trials,
                seconds=seconds,
                metric=metric,
                tune_nestrec=tune_nestrec,
                threads=threads,
                out=out,
                callbacks=progress,
            )
    except KeyboardInterrupt:
        warn(f"Interrupted. The fits done so far are in {out}; to continue, give the same command again.")
        raise typer.Exit(INTERRUPTED) from None
    _present(found, out, outputs, json_to, overwrite=overwrite)


def _announce(taking_part: tuple[str, ...], absent: dict[str, str]) -> None:
    for name, reason in absent.items():
        say(f"Left out: {name} {reason}.")
    for name, why in _SLOW.items():
        if name in taking_part:
            others = ",".join(other for other in taking_part if other not in _SLOW)
            say(f"{name} is slow: it {why}. To leave it out: --models {others}")


def _announce_signals(taking_part: tuple[str, ...], interactions: Interactions) -> None:
    """Say which models do not use the weights and dislikes of the interactions."""
    from nestrec.baselines.registry import USING_DISLIKES, USING_WEIGHTS

    for what, signal, using in (
        ("Weights", interactions.weights, USING_WEIGHTS),
        ("Dislikes", interactions.dislikes, USING_DISLIKES),
    ):
        without = [name for name in taking_part if name not in using]
        if signal is not None and without:
            say(f"{what} are not used by {', '.join(without)}.")


def _present(found: Comparison, out: Path, outputs: OwnOutputs, json_to: str | None, *, overwrite: bool) -> None:
    from nestrec.report.comparison_page import comparison_page
    from nestrec.report.comparison_tables import comparison_tables
    from nestrec.report.comparison_text import conclusion
    from nestrec.report.comparison_view import ComparisonView

    view = ComparisonView(found)

    outputs.write_text(_FIGURES, format_json(found.as_dict()))
    outputs.write_text(_PAGE, comparison_page(view))
    if json_to == "-":
        typer.echo(json.dumps(found.as_dict(), indent=2, allow_nan=False))
    else:
        for table in comparison_tables(view):
            show(table)
        for sentence in conclusion(view):
            typer.echo(sentence)
        if json_to is not None:
            write_json(json_to, found.as_dict(), overwrite=overwrite)
    say(f"Results: {out / _FIGURES}; report page: {out / _PAGE}.")
