"""Commands that write, each with what was there before, what it makes, and the command that goes on after a kill."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.faults.injector import Conditions
from tests.faults.states import State, document, every_byte, loads, model, page, parses, plan_kept, table

Command = tuple[str, ...]

_OPTIONS = ("--widths", "2,4", "--epochs", "2", "--threads", "1", "--deterministic")
_TRAIN = ("train", "data.csv", "--out", "model", *_OPTIONS)
_DATA = ("call", "data", "data.csv")
_NOTES = ("call", "text", "notes.txt", "mine\n")
_STATE = r"checkpoint/state\.json$"
_OTHER_DATA = ("call", "data", "data.csv", "1")
_README = ("call", "text", "model/README.md", "mine\n")  # such as a hub keeps beside a model
_OLD_MODEL = (_OTHER_DATA, (*_TRAIN, "--overwrite"), _DATA, _README)
_MODEL = (_DATA, _TRAIN)
_FIGURES = ("--json", "figures.json", "--per-user", "users.parquet")
_COPIED = (*_OLD_MODEL, ("call", "save", "model", "copy"), (*_TRAIN, "--overwrite"), _NOTES)  # an old one in `copy`


@dataclass(frozen=True)
class Scenario:
    """One command under test."""

    name: str
    setup: tuple[Command, ...]  # run once, in an empty folder, undisturbed
    argv: Command  # the command that is disturbed
    targets: dict[str, State]  # path -> how to tell old from new; anything else there is a loss
    again: Command = ()  # what goes on; () is the same command
    conditions: Conditions = field(default_factory=Conditions)
    progress: str = ""  # end of the name of what keeps the work so far, as in `.checkpoint`
    commit: str = ""  # pattern of the path whose renaming into place, or flushing, keeps a step of the work

    @property
    def next(self) -> Command:
        """The command that follows a disturbed one."""
        return self.again or self.argv


def _scenarios() -> tuple[Scenario, ...]:
    mount = Conditions(mount="volume/model")
    on_mount = ("train", "data.csv", "--out", "volume/model", *_OPTIONS)
    evaluate = ("evaluate", "model", "test.csv", "--bootstrap", "0", "--threads", "1")
    tested = (*_MODEL, ("call", "data", "test.csv", "1"))
    compare = ("compare", "data.csv", "test.csv", "--models", "popularity", "--widths", "2,4", "--seeds", "0",
               "--trials", "1", "--threads", "1", "--out", "study", "--overwrite")  # fmt: skip
    everyone = ("recommend", "model", "--all-users", "-k", "3", "--threads", "1", "--out")
    return (
        Scenario("save a model", (*_MODEL, _NOTES), ("call", "save", "model", "copy"), {"copy": model},
                 ("call", "save", "model", "copy", "yes")),
        Scenario("save over a model", _COPIED,
                 ("call", "save", "model", "copy", "yes"), {"copy": model}),
        Scenario("save over a model, names not exchangeable",
                 _COPIED, ("call", "save", "model", "copy", "yes"), {"copy": model},
                 conditions=Conditions(no_exchange=True)),
        Scenario("fit with a checkpoint", (_DATA, _NOTES), ("call", "fit", "data.csv", "state.checkpoint", "model"),
                 {"model": model}, progress=".checkpoint", commit=_STATE),
        Scenario("train", (_DATA, _NOTES), _TRAIN, {"model": model}, (*_TRAIN, "--resume"),
                 progress=".checkpoint", commit=_STATE),
        Scenario("train --overwrite", (*_OLD_MODEL, _NOTES), (*_TRAIN, "--overwrite"), {"model": model},
                 (*_TRAIN, "--resume", "--overwrite"), progress=".checkpoint", commit=_STATE),
        Scenario("train on a mount point", (_DATA, ("call", "folder", "volume/model"), _NOTES), on_mount,
                 {"volume/model": model}, (*on_mount, "--resume"), mount, progress=".checkpoint", commit=_STATE),
        Scenario("train --overwrite on a mount point",
                 (_OTHER_DATA, ("call", "folder", "volume"), (*on_mount, "--overwrite"), _DATA, _NOTES),
                 (*on_mount, "--overwrite"), {"volume/model": model}, (*on_mount, "--resume", "--overwrite"), mount,
                 progress=".checkpoint", commit=_STATE),
        Scenario("plan", (*_MODEL, _NOTES),
                 ("plan", "model", "--sample", "20", "-k", "3", "--threads", "1", "--storages", "int8",
                  "--json", "plans.json", "--picture", "plans.svg", "--overwrite"),
                 {"model": plan_kept, "plans.json": parses, "plans.svg": page}),
        Scenario("recommend to CSV", (*_MODEL, _NOTES), (*everyone, "answers.csv"), {"answers.csv": every_byte},
                 (*everyone, "answers.csv", "--overwrite")),
        Scenario("recommend over a CSV", (*_MODEL, _NOTES, (*everyone, "answers.csv", "--include-seen")),
                 (*everyone, "answers.csv", "--overwrite"), {"answers.csv": every_byte}),
        Scenario("recommend to Parquet, in parts",
                 (*_MODEL, _NOTES, (*everyone, "answers.parquet", "--include-seen")),
                 (*everyone, "answers.parquet", "--overwrite"), {"answers.parquet": table},
                 (*everyone, "answers.parquet", "--overwrite", "--resume"),
                 progress=".parts", commit=r"\.parts/part-\d+\.parquet$"),
        Scenario("recommend some to Parquet", (*_MODEL, _NOTES, ("call", "text", "users.txt", "u1\nu2\n")),
                 ("recommend", "model", "--users", "users.txt", "-k", "3", "--skip-unknown", "--threads", "1",
                  "--out", "some.parquet", "--overwrite"), {"some.parquet": table}),
        Scenario("evaluate --json --per-user",
                 (*tested, _NOTES, (*evaluate, "--cutoffs", "5", *_FIGURES)),
                 (*evaluate, *_FIGURES, "--overwrite"),
                 {"figures.json": document, "users.parquet": table}),
        Scenario("compare", (_DATA, ("call", "data", "test.csv", "1"), _NOTES), compare,
                 {"study/comparison.json": document, "study/comparison.html": page},
                 progress="runs.jsonl", commit="/runs.jsonl$"),
        Scenario("split", (_DATA, _NOTES), ("split", "data.csv", "--by", "random", "--out", "parts", "--overwrite"),
                 {"parts/train.csv": every_byte, "parts/validation.csv": every_byte, "parts/test.csv": every_byte}),
        Scenario("demo", (_NOTES,), ("demo", "--out", "show", "--overwrite"),
                 {"show/model": loads, "show/train.csv": every_byte, "show/quality.json": document,
                  "show/quality.html": page, "show/quality.svg": page}),
        Scenario("tune", (_DATA, _NOTES),
                 ("tune", "data.csv", "--model", "nestrec", "--widths", "2,4", "--trials", "1", "--threads", "1",
                  "--out", "best.toml", "--overwrite"), {"best.toml": every_byte}),
    )  # fmt: skip


SCENARIOS = _scenarios()
_NAMED = {scenario.name: scenario for scenario in SCENARIOS}
RANDOMLY_KILLED = tuple(
    _NAMED[name]
    for name in ("train", "train --overwrite", "train --overwrite on a mount point", "recommend to Parquet, in parts")
)
