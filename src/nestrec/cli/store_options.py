"""Options of `nestrec export` for stores, and NAME=VALUE options of formats and stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import typer

from nestrec.cli.lists import parse_integers
from nestrec.cli.panels import STORES
from nestrec.cli.shared_options import option
from nestrec.errors import OptionError

if TYPE_CHECKING:
    from nestrec.stores import ExportRequest


@dataclass(frozen=True)
class StoreOptions:
    """What is written to a store, and how it is checked."""

    panel: ClassVar[str] = STORES

    widths: Annotated[
        str | None, option("LIST", "Widths to store, such as 16,64.", "those of the recommended operating point")
    ] = None
    quantize: Annotated[
        Literal["int8", "bf16"] | None,
        typer.Option(help="Quantize the vectors of a safetensors file, or of a store's first stage."),
    ] = None
    where: Annotated[
        str | None, option("TEXT", 'Only items that meet a condition on the item table, such as "year >= 1990".')
    ] = None
    changed_since: Annotated[
        Path | None,
        option("MODEL", "Folder of the model that the store holds: write what differs from it, without a comparison."),
    ] = None
    verify: Annotated[
        int | None, option("N", "Compare the store's lists for N sampled users with nestrec's; exit 1 if they differ.")
    ] = None
    min_recall: Annotated[
        float | None, option("R", "Recall that --verify requires of the two-stage search.", "0.95")
    ] = None

    def list_given(self) -> list[str]:
        """Return the options that were given."""
        return [f"--{name.replace('_', '-')}" for name, value in vars(self).items() if value is not None]

    def request(self, side: str, *, overwrite: bool) -> ExportRequest:
        """Return the request, without the earlier model; raise OptionError for options that do not fit each other."""
        from nestrec.stores import ExportRequest

        if self.min_recall is not None and self.verify is None:
            raise OptionError("--min-recall must go with --verify N")
        if self.min_recall is not None and not 0 <= self.min_recall <= 1:
            raise OptionError(f"--min-recall must be between 0 and 1, got {self.min_recall}")
        if self.verify is not None and (self.verify < 1 or side == "users"):
            raise OptionError(f"--verify must be 1 or more, of a store with items; got {self.verify}, --side {side}")
        sides: Any = ("items", "users") if side == "both" else (side,)
        widths = None if self.widths is None else parse_integers("--widths", self.widths)
        return ExportRequest(sides, widths, self.quantize, self.where, overwrite=overwrite)


def parse_target_options(texts: Sequence[str] | None) -> dict[str, str]:
    """Return the options of --option; raise OptionError for what is not NAME=VALUE.

    >>> parse_target_options(["ef-construct=200"])
    {'ef_construct': '200'}
    """
    parsed: dict[str, str] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        name = name.replace("-", "_")
        if not equals or not name or name in parsed:
            raise OptionError(f"--option must be NAME=VALUE, each name once; got {text!r}")
        parsed[name] = value
    return parsed
