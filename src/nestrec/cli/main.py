"""The command `nestrec` and its exit codes: 0; 1 a failure, told in one sentence; 2 wrong usage; 130 interrupted.

SIGTERM ends it with 143, a lost terminal with 129, a reader of its output that goes away with 141.

Commands import what they need when they run: numpy, numba, duckdb and scipy cost more time than `--help` may take.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from nestrec.cli import compare, datasets, demo, doctor, evaluate, info, plan, recommend, similar, split, train, tune
from nestrec.cli.error_messages import format_error
from nestrec.cli.exit_codes import MISTAKE, OUTPUT_CLOSED, ended_by_signals, interruptible
from nestrec.cli.option_groups import expanded
from nestrec.cli.sentences import in_command_words
from nestrec.cli.streams import OutputClosedError, tolerant_streams
from nestrec.errors import NestrecError

app = typer.Typer(
    name="nestrec",
    rich_markup_mode=None,  # plain help: rich's takes longer to load than all the rest
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"nestrec {version('nestrec')}")
        raise typer.Exit


@app.callback()
def nestrec(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Recommender embeddings that nest: train once, serve any width."""


_COMMANDS: tuple[tuple[Callable[..., None], str], ...] = (
    (demo.demo, demo.EXAMPLES),
    (split.split, split.EXAMPLES),
    (train.train, train.EXAMPLES),
    (evaluate.evaluate, evaluate.EXAMPLES),
    (plan.plan, plan.EXAMPLES),
    (recommend.recommend, recommend.EXAMPLES),
    (similar.similar, similar.EXAMPLES),
    (tune.tune, tune.EXAMPLES),
    (compare.compare, compare.EXAMPLES),
    (info.info, info.EXAMPLES),
    (doctor.doctor, doctor.EXAMPLES),
)

for _command, _examples in _COMMANDS:
    app.command(_command.__name__, epilog=_examples)(interruptible(expanded(_command)))

_datasets = typer.Typer(rich_markup_mode=None, invoke_without_command=True, epilog=datasets.EXAMPLES)
_datasets.callback()(interruptible(datasets.datasets))
_datasets.command("download", epilog=datasets.EXAMPLES)(interruptible(datasets.download))
app.add_typer(_datasets, name="datasets")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; `argv` is without the program's name, None takes sys.argv.

    >>> main(["--version"])  # doctest: +ELLIPSIS
    nestrec ...
    0
    """
    with tolerant_streams(), ended_by_signals():
        return _run(argv)


def _run(argv: Sequence[str] | None) -> int:
    try:
        app(args=None if argv is None else list(argv), prog_name="nestrec")
        sys.stdout.flush()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except OutputClosedError:
        return OUTPUT_CLOSED
    except UnicodeEncodeError as error:
        told = (
            f"the output holds {error.object[error.start : error.end]!a}, which its encoding {error.encoding} lacks; "
            "set PYTHONIOENCODING=utf-8"
        )
        sys.stderr.write(f"nestrec: {told}\n")
        return MISTAKE
    except NestrecError as mistake:
        options = _options()
        message = format_error(mistake, options)
        sys.stderr.write(f"nestrec: {in_command_words(message, options)}\n")
        return MISTAKE
    return 0


def _options() -> dict[str, str]:
    """Return the options of all commands by the names of their parameters."""
    group: Any = typer.main.get_command(app)
    parameters = (parameter for command in group.commands.values() for parameter in command.params)
    return {p.name: p.opts[0] for p in parameters if p.param_type_name == "option"}
