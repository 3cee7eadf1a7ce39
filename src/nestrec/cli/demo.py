"""`nestrec demo`: generate synthetic data, train, evaluate every width, and write a report page."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nestrec.cli.console import results, say, show, unread_output_dropped, warn
from nestrec.cli.exit_codes import INTERRUPTED
from nestrec.cli.output_paths import check_model_path
from nestrec.cli.own_outputs import OwnOutputs
from nestrec.cli.shared_options import Overwrite
from nestrec.data.read_report import format_count
from nestrec.report.quality import WidthQuality, kept, narrowest_that_keeps, qualities, quality_table
from nestrec.report.table import TextTable

if TYPE_CHECKING:
    from nestrec.data.interactions import Interactions
    from nestrec.data.synthetic import GeneratedData
    from nestrec.embeddings import NestedEmbeddings
    from nestrec.report.page import Page

_MODEL, _MANIFEST = "model", "manifest.json"
_FILES = ("train.csv", "test.csv", "quality.json", "quality.html", "quality.svg")
_LABELS = ("recall@20", "ndcg@20")
_HELD_OUT = 0.2
_WORTH_KEEPING = 0.9  # of the full width's quality, in the headline

EXAMPLES = """\b
Examples:
  nestrec demo
  nestrec demo --out demo --seed 7
"""


@dataclass(frozen=True)
class Places:
    """The files of a demo."""

    folder: Path

    @property
    def model(self) -> Path:
        """Folder of the model."""
        return self.folder / "model"

    @property
    def train(self) -> Path:
        """Interactions trained on."""
        return self.folder / "train.csv"

    @property
    def test(self) -> Path:
        """Interactions held out."""
        return self.folder / "test.csv"

    @property
    def figures(self) -> Path:
        """All figures of the evaluation."""
        return self.folder / "quality.json"

    @property
    def page(self) -> Path:
        """The page."""
        return self.folder / "quality.html"

    @property
    def picture(self) -> Path:
        """The picture."""
        return self.folder / "quality.svg"


def demo(
    out: Annotated[Path, typer.Option(metavar="FOLDER", readable=False, help="Folder to write to.")] = Path(
        "nestrec-demo"
    ),
    seed: Annotated[int, typer.Option(metavar="N", help="Random seed of the data, the split and training.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Train, evaluate and report on synthetic data."""
    places = Places(out)
    outputs = OwnOutputs(out, overwrite=overwrite)
    outputs.check((*_FILES, f"{_MODEL}/{_MANIFEST}"))
    check_model_path(places.model, overwrite=True)
    from nestrec import __version__
    from nestrec.data.splitting import RandomSplit
    from nestrec.data.synthetic import SyntheticData

    data = SyntheticData().generate(seed)
    trained_on, held_out = RandomSplit(_HELD_OUT, seed).split(data.interactions)
    for place, rows in ((places.train, trained_on), (places.test, held_out)):
        with outputs.writing(place.name) as partial:
            _write_rows(partial, rows)
    say(_about(data))
    model = _train(trained_on, seed)
    with outputs.writing_folder(_MODEL, _MANIFEST):
        model.save(places.model, overwrite=True)
    qualities_by_width, figures = _evaluate(model, held_out)
    with outputs.writing(places.figures.name) as partial:
        partial.write_text(json.dumps(figures, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    notes = (_about(data), _HOW.format(share=f"{_HELD_OUT:.0%}"), f"Seed {seed}; nestrec {__version__}.")
    page = _page(places, model, qualities_by_width, _hierarchy(model, data), notes)
    _present(places, page, outputs)


def _train(interactions: Interactions, seed: int) -> NestedEmbeddings:
    from nestrec.cli.progress import TrainingProgress
    from nestrec.training.options import Run
    from nestrec.training.trainer import Trainer

    trainer = Trainer()
    try:
        with TrainingProgress(trainer.metric) as progress:
            return trainer.fit(interactions, run=Run(seed=seed, callbacks=progress))
    except KeyboardInterrupt:
        warn("Interrupted; the model was not saved. Run the demo again.")
        raise typer.Exit(INTERRUPTED) from None


def _evaluate(model: NestedEmbeddings, held_out: Interactions) -> tuple[tuple[WidthQuality, ...], dict[str, Any]]:
    from nestrec.evaluation import evaluate

    figures = evaluate(model, held_out, cutoffs=(10, 20, 50)).as_dict()
    return qualities(figures), figures


def _hierarchy(model: NestedEmbeddings, data: GeneratedData) -> TextTable:
    from nestrec.report.topic_purity import hierarchy_table

    return hierarchy_table(model, data)


def _page(
    places: Places,
    model: NestedEmbeddings,
    rows: tuple[WidthQuality, ...],
    hierarchy: TextTable,
    notes: tuple[str, ...],
) -> Page:
    from nestrec.report.page import Page

    table = quality_table(rows, _LABELS)
    table = TextTable(table.headers, table.rows, "On the held-out interactions (± half of the 95% interval)")
    commands = _next_steps(places, str(model.users.ids[0]), str(model.items.ids[0]))
    return Page("Quality against width", headline(rows), rows, _LABELS, (table, hierarchy), commands, notes)


def _present(places: Places, page: Page, outputs: OwnOutputs) -> None:
    """Write page and picture, print the tables, say what to try next."""
    from nestrec.report.chart import write_picture
    from nestrec.report.page import quality_charts

    with outputs.writing(places.page.name) as partial:
        partial.write_text(page.html(), encoding="utf-8")
    with outputs.writing(places.picture.name) as partial:
        write_picture(partial, quality_charts(page.rows, page.labels))
    with unread_output_dropped():
        for table in page.tables:
            show(table)
        results().print(page.headline, soft_wrap=True)
    written = (places.model, places.page, places.picture, places.figures)
    say(f"Wrote {', '.join(map(str, written))}.")
    say("Next:")
    for command in page.commands:
        say(f"  {command}")


_HOW = (
    "MRL4Rec with matrix factorisation and default options. {share} of the interactions are held out for testing; all "
    "items are ranked, except those a user interacted with in training. Bands and ± are 95% bootstrap intervals over "
    "users."
)


def headline(rows: tuple[WidthQuality, ...]) -> str:
    """Return the result in one sentence."""
    label, full = _LABELS[-1], rows[-1]
    narrow = narrowest_that_keeps(rows, _WORTH_KEEPING, label)
    if narrow is full:
        return f"No narrower width keeps {_WORTH_KEEPING:.0%} of the full width's {label}."
    share, memory = kept(narrow, full, label), narrow.width / full.width
    return (
        f"The first {narrow.width} of {full.width} dimensions keep {share:.0%} of the full width's {label} "
        f"in {memory:.0%} of the memory: {narrow.memory} instead of {full.memory} per million items."
    )


def _next_steps(places: Places, user: str, item: str) -> tuple[str, ...]:
    model, test, train = (shlex.quote(str(path)) for path in (places.model, places.test, places.train))
    narrow = shlex.quote(str(places.folder / "narrow"))
    return (
        f"nestrec recommend {model} --user {shlex.quote(user)} -k 5 --width 8",
        f"nestrec similar {model} --item {shlex.quote(item)} --width 32",
        f"nestrec evaluate {model} {test} --cutoffs 5,10",
        f"nestrec train {train} --out {narrow} --widths 2,4,8",
        f"nestrec info {model}",
    )


def _about(data: GeneratedData) -> str:
    interactions = data.interactions
    users, items = format_count(interactions.n_users, "user"), format_count(interactions.n_items, "item")
    topics = format_count(int(data.item_topic.max()) + 1, "topic")
    subtopics = format_count(_subtopics_per_topic(data), "subtopic")
    pairs = format_count(interactions.n_interactions, "interaction")
    return f"Synthetic data: {users}, {items} in {topics} of {subtopics}, {pairs}."


def _subtopics_per_topic(data: GeneratedData) -> int:
    return (int(data.item_subtopic.max()) + 1) // (int(data.item_topic.max()) + 1)


def _write_rows(path: Path, interactions: Interactions) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("user_id", "item_id"))
        writer.writerows(_pairs(interactions))


def _pairs(interactions: Interactions) -> Iterator[tuple[Any, Any]]:
    users, items = interactions.users.ids.tolist(), interactions.items.ids.tolist()
    for row, user in enumerate(users):
        for column in interactions.indices[interactions.indptr[row] : interactions.indptr[row + 1]].tolist():
            yield user, items[column]
