"""`nestrec demo`: from synthetic interactions to a model and a page on quality against width.

Examples:
  nestrec demo
  nestrec demo --out demo --seed 7

"""

from __future__ import annotations

import csv
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nestrec.cli.console import results, say, show, unread_output_dropped, warn
from nestrec.cli.exit_codes import INTERRUPTED
from nestrec.cli.output_paths import check_model_path, format_json
from nestrec.cli.own_outputs import OwnOutputs
from nestrec.cli.shared_options import Overwrite, option, output
from nestrec.data.read_report import format_count
from nestrec.report.quality import WidthQuality, compute_share, find_narrowest, quality_table, read_qualities
from nestrec.report.table import TextTable

if TYPE_CHECKING:
    from nestrec.data.interactions import Interactions
    from nestrec.data.synthetic import GeneratedData
    from nestrec.embeddings import NestedEmbeddings
    from nestrec.report.page import Page

_MODEL, _MANIFEST = "model", "manifest.json"
_TRAIN, _TEST, _FIGURES, _PAGE, _PICTURE = "train.csv", "test.csv", "quality.json", "quality.html", "quality.svg"
_LABELS = ("recall@20", "ndcg@20")
_HELD_OUT = 0.2
_WORTH_KEEPING = 0.9  # of the full width's quality, in the headline
_N_USERS, _SUBTOPICS_PER_TOPIC, _INTERACTIONS_PER_USER = 4000, 16, 15.0
"""64 subtopics in all, as many as the widest default width has dimensions, so that every width has structure to learn:
with the 32 of `SyntheticData()` dimensions beyond 32 only fit noise, and width 64 ranks slightly worse than 32."""


def demo(
    out: Annotated[Path, output("FOLDER", "Output folder.")] = Path("nestrec-demo"),
    seed: Annotated[int, option("N", "Random seed of the data, the split and the training.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Train, evaluate and report on synthetic data."""
    outputs = OwnOutputs(out, overwrite=overwrite)
    outputs.check((_TRAIN, _TEST, _FIGURES, _PAGE, _PICTURE, f"{_MODEL}/{_MANIFEST}"))
    check_model_path(out / _MODEL, overwrite=True)
    from nestrec import __version__
    from nestrec.data.splitting import RandomSplit
    from nestrec.data.synthetic import SyntheticData
    from nestrec.evaluation import evaluate

    data = SyntheticData(
        n_users=_N_USERS, n_subtopics_per_topic=_SUBTOPICS_PER_TOPIC, interactions_per_user=_INTERACTIONS_PER_USER
    ).generate(seed)
    train, test = RandomSplit(_HELD_OUT, seed).split(data.interactions)
    for name, interactions in ((_TRAIN, train), (_TEST, test)):
        with outputs.writing(name) as partial:
            _write_rows(partial, interactions)
    say(_describe(data))
    model = _train(train, seed)
    with outputs.writing_folder(_MODEL, _MANIFEST):
        model.save(out / _MODEL, overwrite=True)
    figures = evaluate(model, test, cutoffs=(10, 20, 50)).as_dict()
    outputs.write_text(_FIGURES, format_json(figures))
    notes = (_describe(data), _HOW.format(share=f"{_HELD_OUT:.0%}"), f"Seed {seed}; nestrec {__version__}.")
    _present(out, _build_page(out, model, read_qualities(figures), data, notes), outputs)


def _train(interactions: Interactions, seed: int) -> NestedEmbeddings:
    from nestrec.cli.progress import training_progress
    from nestrec.training.options import Run
    from nestrec.training.trainer import Trainer

    trainer = Trainer()
    try:
        with training_progress(trainer.metric) as progress:
            return trainer.fit(interactions, run=Run(seed=seed, callbacks=progress))
    except KeyboardInterrupt:
        warn("Interrupted; no model was saved. Run the demo again.")
        raise typer.Exit(INTERRUPTED) from None


def _build_page(
    folder: Path, model: NestedEmbeddings, rows: tuple[WidthQuality, ...], data: GeneratedData, notes: tuple[str, ...]
) -> Page:
    from nestrec.report.page import Page
    from nestrec.report.topic_purity import hierarchy_table

    table = quality_table(rows, _LABELS)
    table = TextTable(table.headers, table.rows, "Quality on held-out interactions (± half of the 95% interval)")
    commands = _next_steps(folder, str(model.users.ids[0]), str(model.items.ids[0]))
    tables = (table, hierarchy_table(model, data))
    return Page("Quality against width", headline(rows), rows, _LABELS, tables, commands, notes)


def _present(folder: Path, page: Page, outputs: OwnOutputs) -> None:
    """Write page and picture, print the tables and suggest commands."""
    from nestrec.report.chart import write_picture
    from nestrec.report.page import quality_charts

    outputs.write_text(_PAGE, page.html())
    with outputs.writing(_PICTURE) as partial:
        write_picture(partial, quality_charts(page.rows, page.labels))
    with unread_output_dropped():
        for table in page.tables:
            show(table)
        results().print(page.headline, soft_wrap=True)
    say(f"Wrote {', '.join(str(folder / name) for name in (_MODEL, _PAGE, _PICTURE, _FIGURES))}.")
    say("Next:")
    for command in page.commands:
        say(f"  {command}")


_HOW = (
    "MRL4Rec with matrix factorization and default options. {share} of the interactions are held out and take part in "
    "no choice; every item that a user has not seen in training is ranked. Bands and ± are 95% bootstrap intervals "
    "over users."
)


def headline(rows: tuple[WidthQuality, ...]) -> str:
    """Return the main result in one sentence."""
    label, full = _LABELS[-1], rows[-1]
    narrow = find_narrowest(rows, _WORTH_KEEPING, label)
    if narrow is full:
        return f"No narrower width keeps {_WORTH_KEEPING:.0%} of the full width's {label}."
    share, memory = compute_share(narrow, full, label), narrow.width / full.width
    return (
        f"The first {narrow.width} of {full.width} dimensions keep {share:.0%} of the full width's {label} "
        f"in {memory:.0%} of the memory: {narrow.memory} instead of {full.memory} per million items."
    )


def _next_steps(folder: Path, user: str, item: str) -> tuple[str, ...]:
    model, test, train, narrow = (shlex.quote(str(folder / name)) for name in (_MODEL, _TEST, _TRAIN, "narrow"))
    return (
        f"nestrec recommend {model} --user {shlex.quote(user)} -k 5 --width 8",
        f"nestrec similar {model} --item {shlex.quote(item)} --width 32",
        f"nestrec evaluate {model} {test} --cutoffs 5,10",
        f"nestrec train {train} --out {narrow} --widths 2,4,8",
        f"nestrec info {model}",
    )


def _describe(data: GeneratedData) -> str:
    interactions = data.interactions
    users, items = format_count(interactions.n_users, "user"), format_count(interactions.n_items, "item")
    n_topics = int(data.item_topic.max()) + 1
    n_subtopics = (int(data.item_subtopic.max()) + 1) // n_topics
    topics, subtopics = format_count(n_topics, "topic"), format_count(n_subtopics, "subtopic")
    pairs = format_count(interactions.n_interactions, "interaction")
    return f"Synthetic data: {users}, {items} in {topics} of {subtopics}, {pairs}."


def _write_rows(path: Path, interactions: Interactions) -> None:
    import numpy as np

    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("user_id", "item_id"))
        users = interactions.users.ids.repeat(np.diff(interactions.indptr)).tolist()
        writer.writerows(zip(users, interactions.items.ids[interactions.indices].tolist(), strict=True))
