"""`nestrec tune`: hyperparameter search on a validation split.

Examples:
  nestrec tune ratings.csv --trials 50 --out settings.toml
  nestrec train ratings.csv --out model --config settings.toml
  nestrec tune ratings.csv --model ials --widths 16,64

A random tenth of the interactions is held out: every trial trains on the rest and is evaluated there. The first trial
has the defaults.

"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from nestrec.atomic.output_file import atomic_file
from nestrec.cli.console import say, show
from nestrec.cli.lists import parse_integers
from nestrec.cli.output_paths import check_file_paths
from nestrec.cli.reading import SOURCES, Reading, Signals, read_with_progress, refuse_reading_twice
from nestrec.cli.shared_options import Overwrite, Threads, argument, option, output
from nestrec.errors import OptionError
from nestrec.training.registry import list_classes

if TYPE_CHECKING:
    from nestrec.comparison.tuning import Tuning

_TRAINED_BY_NESTREC = "nestrec"


def tune(
    files: Annotated[list[Path], argument("TRAIN", f"Interactions. {SOURCES}")],
    reading: Reading,
    signals: Signals,
    model: Annotated[str, option("NAME", "Model to tune.")] = _TRAINED_BY_NESTREC,
    widths: Annotated[str, option("LIST", "Embedding widths.")] = "4,8,16,32,64",
    trials: Annotated[int, option("N", "Number of trials; per width for models without nesting.")] = 30,
    seconds: Annotated[float | None, option("S", "Start no trial after so many seconds.", "no limit")] = None,
    metric: Annotated[str, option("NAME@K", "Metric to maximise, averaged over widths.")] = "ndcg@20",
    seed: Annotated[int, option("N", "Random seed of the search and of training.")] = 0,
    threads: Threads = None,
    out: Annotated[Path | None, output("C.toml", "Write the best options for `nestrec train --config`.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Search the hyperparameters of a model on a validation split."""
    refuse_reading_twice(*files)
    at_widths = parse_integers("--widths", widths)
    if out is not None:
        if model != _TRAINED_BY_NESTREC:
            raise OptionError(f"--out writes options for nestrec train, which does not train {model}; leave it out")
        check_file_paths(out, overwrite=overwrite)
    from nestrec.cli.progress import comparison_progress
    from nestrec.comparison import tune as search
    from nestrec.comparison.tuning import check_search
    from nestrec.evaluation.metric_registry import MetricAtCutoff
    from nestrec.report.tuning import tuning_tables

    check_search(model, trials, seconds)
    MetricAtCutoff.parse(metric)
    interactions = read_with_progress(files, signals.add_to(reading.options(threads=threads)))
    with comparison_progress() as progress:
        result = search(
            interactions,
            model,
            widths=at_widths,
            trials=trials,
            seconds=seconds,
            metric=metric,
            seed=seed,
            threads=threads,
            callbacks=progress,
        )
    for table in tuning_tables(result):
        show(table)
    if out is not None:
        _write(out, result, overwrite=overwrite)
        say(f"Wrote {out}. Next: nestrec train {shlex.join(map(str, files))} --out MODEL --config {out}")


def _write(path: Path, result: Tuning, *, overwrite: bool) -> None:
    """Write a file for `--config`, without the options whose default is data-dependent."""
    unit = result.units[0]
    values = {"widths": list(unit.widths), **unit.best.options}
    lines = [f"{_option_of(name)} = {_toml(value)}\n" for name, value in values.items() if value is not None]
    with atomic_file(path, overwrite=overwrite) as partial:
        partial.write_text("".join(lines), encoding="utf-8")


def _option_of(field: str) -> str:
    """Return the option of `nestrec train` that fills a field of Trainer or of a sampler."""
    fields = (
        own for cls in list_classes("sampler").values() for own in getattr(cls, "__dataclass_fields__", {}).values()
    )
    names = (own.metadata.get("option") for own in fields if own.name == field)
    return next(filter(None, names), field)


def _toml(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
