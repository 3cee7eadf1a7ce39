"""The command `nestrec` and its exit codes: 0; 1 a user's mistake, told in one sentence; 2 usage; 130 interrupted.

Commands import what they need when they run: numpy, numba, duckdb and scipy cost more time than `--help` may take.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from inspect import signature
from typing import Annotated

import typer

from nestrec.cli import compare, datasets, demo, doctor, evaluate, info, plan, recommend, similar, split, train, tune
from nestrec.cli.exit_codes import MISTAKE, interruptible
from nestrec.cli.option_groups import expanded
from nestrec.cli.sentences import in_command_words
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
    try:
        app(args=None if argv is None else list(argv), prog_name="nestrec")
        sys.stdout.flush()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except NestrecError as mistake:
        sys.stderr.write(f"nestrec: {in_command_words(str(mistake), _option_names())}\n")
        return MISTAKE
    except (OSError, UnicodeEncodeError) as error:
        return _output_failed(error)
    return 0


def _output_failed(error: OSError | UnicodeEncodeError) -> int:
    """Tell that a file or stdout cannot be used; what was for stdout is dropped, or Python would fail at its end."""
    if isinstance(error, UnicodeEncodeError):
        told = (
            f"the output holds {error.object[error.start : error.end]!a}, which its encoding {error.encoding} lacks; "
            "set PYTHONIOENCODING=utf-8"
        )
    else:
        told = f"{error.filename or 'the output'} cannot be used ({error.strerror}); make room or name another place"
    sys.stderr.write(f"nestrec: {told}\n")
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - open until Python ends
    return MISTAKE


def _option_names() -> set[str]:
    """Return the names of all parameters of all commands."""
    return {
        name
        for command in app.registered_commands
        if command.callback
        for name in signature(command.callback).parameters
    }
