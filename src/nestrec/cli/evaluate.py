"""`nestrec evaluate`: how well a model ranks held-out interactions, at every width.

Examples:
  nestrec evaluate model test.csv
  nestrec evaluate model test.csv --cutoffs 5,10 --widths 8,64 --bootstrap 0
  nestrec evaluate model test.csv --metrics recall,ndcg --cutoffs 20 > m.csv
  nestrec evaluate model test.csv --json - | jq '.widths[]'
  nestrec evaluate model test.csv --per-user users.parquet
  nestrec evaluate model test.csv --by-popularity --metrics recall,ndcg

All items are ranked, except those the user interacted with in training. Users and items without training interactions
(cold) count as misses; a second table leaves cold users out. Piped, the output is CSV: a row per width, means over all
users; --json has intervals too.

"""

from __future__ import annotations

import csv
import json
import math
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nestrec.cli.console import results, say, show, warn
from nestrec.cli.lists import parse_integers
from nestrec.cli.output_paths import check_file_paths, write_json
from nestrec.cli.reading import SOURCES, Reading, read_with_progress, refuse_reading_twice
from nestrec.cli.shared_options import JsonPath, ModelFolder, Overwrite, Threads, argument, flag, option, output
from nestrec.errors import DataWarning, OptionError

if TYPE_CHECKING:
    from nestrec.evaluation.evaluation import Evaluation, WidthEvaluation

_METRICS = (  # a test holds them to the registry
    "recall, ndcg, precision, hit_rate, mrr, map, coverage, gini, popularity_rank, novelty{nestrec.metrics}"
)


def evaluate(
    model: ModelFolder,
    files: Annotated[list[Path], argument("FILE", f"Held-out interactions. {SOURCES}")],
    reading: Reading,
    metrics: Annotated[str | None, option("LIST", f"Metrics, comma-separated: {_METRICS}.", "all")] = None,
    cutoffs: Annotated[str, option("LIST", "Cutoffs k of the metrics.")] = "10,20,50",
    widths: Annotated[str | None, option("LIST", "Widths to evaluate.", "all that were trained")] = None,
    json_to: JsonPath = None,
    per_user: Annotated[Path | None, output("FILE.parquet", "Write the metrics of every user as Parquet.")] = None,
    bootstrap: Annotated[
        int, option("N", "Bootstrap samples for the 95% intervals over users; 0: no intervals.")
    ] = 1000,
    by_popularity: Annotated[
        bool, flag("--by-popularity", "Also evaluate popular, middling and rare items apart, a third of the data each.")
    ] = False,
    threads: Threads = None,
    overwrite: Overwrite = False,
) -> None:
    """Evaluate a model on held-out interactions, at every width."""
    at_widths = None if widths is None else parse_integers("--widths", widths)
    at_cutoffs = parse_integers("--cutoffs", cutoffs)
    check_file_paths(json_to, overwrite=overwrite)
    if per_user is not None and per_user.suffix.lower() != ".parquet":
        raise OptionError(f"--per-user {per_user} is written as Parquet; end its name with .parquet")
    check_file_paths(per_user, overwrite=overwrite)
    refuse_reading_twice(*files)
    from nestrec.cli.progress import counting_bar
    from nestrec.embeddings import NestedEmbeddings
    from nestrec.evaluation import evaluate as rank
    from nestrec.evaluation.evaluate import check_cutoffs, check_samples
    from nestrec.evaluation.metric_registry import select_metrics

    names = None if metrics is None else [name.strip() for name in metrics.split(",")]
    select_metrics(names)
    check_cutoffs(at_cutoffs)
    check_samples(bootstrap)
    loaded = NestedEmbeddings.load(model)
    held_out = read_with_progress(files, reading.options(threads=threads), for_training=False)
    with counting_bar("users ranked") as advance, warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # printed beside the tables
        found = rank(
            loaded,
            held_out,
            cutoffs=at_cutoffs,
            widths=at_widths,
            metrics=names,
            threads=threads,
            bootstrap_samples=bootstrap,
            by_popularity=by_popularity,
            progress=advance,
        )
    if per_user is not None:
        found.save_per_user(per_user, overwrite=overwrite)
        say(f"Wrote {per_user}.")
    _present(found, json_to, overwrite=overwrite)


def _present(found: Evaluation, json_to: str | None, *, overwrite: bool) -> None:
    if json_to == "-":
        typer.echo(json.dumps(found.as_dict(), indent=2, allow_nan=False))
        if (warning := found.warning()) is not None:
            warn(f"Warning: {warning}.")
        return
    from nestrec.report.evaluation import describe_unmatched, evaluation_tables

    if results().is_terminal:
        for table in evaluation_tables(found):
            show(table)
    else:
        _print_csv(found)
    for line in describe_unmatched(found):
        say(line)
    if json_to is not None:
        write_json(json_to, found.as_dict(), overwrite=overwrite)
        say(f"Wrote {json_to}.")


def _print_csv(found: Evaluation) -> None:
    """Print a row per width, a column per metric and cutoff; an undefined value is empty."""
    rows = [figures.means | figures.beyond_accuracy | _label_bands(figures) for figures in found.widths]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["width", *rows[0]])
    for figures, row in zip(found.widths, rows, strict=True):
        writer.writerow([figures.width, *("" if math.isnan(value) else value for value in row.values())])


def _label_bands(figures: WidthEvaluation) -> dict[str, float]:
    """Return the metrics of popularity bands by labels such as `recall@20 tail`."""
    return {f"{label} {band}": mean for band, means in figures.bands.items() for label, mean in means.items()}
