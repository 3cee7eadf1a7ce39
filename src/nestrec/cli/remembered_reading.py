"""How the training data of a model were read: kept in its manifest, and used again for further files.

What the rows mean is kept, by name and value: columns, filters, weights and dislikes. How a file is laid out (format,
delimiter, encoding, header) is not, and neither are paths.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import msgspec

from nestrec.cli.console import say
from nestrec.cli.file_heads import Head, read_head
from nestrec.cli.reading import Reading, Signals
from nestrec.errors import DataError

if TYPE_CHECKING:
    from nestrec.embeddings import NestedEmbeddings

Group = TypeVar("Group", Reading, Signals)

SECTION = "reading"  # of the manifest's section of data

_SIDES = ("user_column", "item_column")
_IDS = (*_SIDES, "sequence", "sequence_separator", "na_values")
_RATINGS = ("rating_column", "min_rating", "repeats")
_KEPT = (*_IDS, *_RATINGS, "timestamp_column", "time_format")
_ALTERNATIVES = {"weight_column": "rating_weights", "rating_weights": "weight_column"}


class _Stored(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The section: options that were given, as the command line has them."""

    user_column: str | None = None
    item_column: str | None = None
    rating_column: str | None = None
    timestamp_column: str | None = None
    na_values: str | None = None
    sequence: bool = False
    sequence_separator: str = " "
    min_rating: float | None = None
    repeats: str | None = None
    time_format: str | None = None
    weight_column: str | None = None
    rating_weights: bool = False
    weight_transform: str | None = None
    half_life: float | None = None
    dislike_below: float | None = None


def keep_reading(model: NestedEmbeddings, reading: Reading, signals: Signals) -> NestedEmbeddings:
    """Return the model with the options that its data were read with; those that have their defaults are left out."""
    given = _find_given(reading, _KEPT) | _find_given(signals)
    data = {**model.manifest["data"], **({SECTION: given} if given else {})}
    return replace(model, manifest={**model.manifest, "data": data}, check=False)


@dataclass(frozen=True)
class RememberedReading:
    """The options that the training data of a model were read with, by name."""

    values: Mapping[str, Any]

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Self:
        """Return those in a manifest; none where the section is missing or something else."""
        data = manifest.get("data")
        try:
            stored = msgspec.convert(data.get(SECTION, {}) if isinstance(data, Mapping) else {}, _Stored)
        except msgspec.ValidationError:
            return cls({})
        return cls(msgspec.to_builtins(stored))

    @property
    def words(self) -> str:
        """The options as they are written on the command line."""
        return " ".join(_format_option(name, value) for name, value in self.values.items())

    def complete(self, path: Path, reading: Reading, signals: Signals) -> tuple[Reading, Signals]:
        """Return reading options, those that were not given as of the training data; print what is taken from there."""
        given = _find_given(reading) | _find_given(signals)
        taken = self._choose(_look_at(path), given, tuple(self.values))
        _announce(path, taken, ", and --not-as-trained leaves these out")
        return _replace(reading, taken), _replace(signals, taken)

    def complete_ids(self, path: Path, reading: Reading) -> Reading:
        """Return reading options of a file whose users and items alone count."""
        taken = self._choose(_look_at(path), _find_given(reading), _IDS)
        _announce(path, taken, ", and --not-as-trained leaves these out")
        return _replace(reading, taken)

    def complete_history(self, path: Path, reading: Reading) -> Reading:
        """Return reading options of a history: a minimum rating counts where the file has ratings."""
        head, given = _look_at(path), _find_given(reading)
        has_ratings = self.values.get("rating_column") in head.names or head.has_names("rating")
        taken = self._choose(head, given, (*_IDS, *_RATINGS) if has_ratings else _IDS)
        if "min_rating" not in taken and "min_rating" not in given:
            taken.pop("repeats", None)
        _announce(path, taken)
        if "min_rating" in self.values and not has_ratings and "min_rating" not in given:
            lack = "has no ratings" if head.names else "may have no ratings"  # of standard input nothing is known
            option = _format_option("min_rating", self.values["min_rating"])
            say(f"{path} {lack}, so {option} is left out" + ("" if head.names else "; give it if there are"))
        return _replace(reading, taken)

    def _choose(self, head: Head, given: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
        """Return the options of these names that were not given and fit the file."""
        taken = {name: value for name, value in self.values.items() if name in names and name not in given}
        for name, alternative in _ALTERNATIVES.items():
            if alternative in given:
                taken.pop(name, None)
        if not all(_fits(taken[name], head) for name in _SIDES if name in taken):
            taken = {name: value for name, value in taken.items() if name not in _SIDES}
        return taken


def _find_given(group: Reading | Signals, names: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the options that differ from their defaults."""
    return {
        field.name: getattr(group, field.name)
        for field in fields(group)
        if (names is None or field.name in names) and getattr(group, field.name) != field.default
    }


def _look_at(path: Path) -> Head:
    """Return the names of a file's columns; none where they cannot be known before it is read."""
    if path.is_dir():
        return Head()
    try:
        head = read_head(path)
    except DataError:  # reading tells it in full
        return Head()
    return Head() if head.names and head.names[0].lstrip().startswith(("#", "%")) else head


def _fits(column: str, head: Head) -> bool:
    """Tell whether a file may have a column: of this name, or, where its names are unusual, at this position."""
    from nestrec.data.readers.columns import normalize_name

    if not head.names:
        return True
    if column.isdecimal():
        return not head.has_names("user", "item")
    return normalize_name(column) in map(normalize_name, head.names)


def _replace(group: Group, taken: Mapping[str, Any]) -> Group:
    names = {field.name for field in fields(group)}
    return replace(group, **{name: value for name, value in taken.items() if name in names})


def _announce(path: Path, taken: Mapping[str, Any], remedy: str = "") -> None:
    if taken:
        words = " ".join(_format_option(name, value) for name, value in taken.items())
        say(f"{path} is read as the training data were: {words}; options given here take precedence{remedy}")


def _format_option(name: str, value: Any) -> str:
    """Return an option as it is written on the command line.

    >>> _format_option("min_rating", 4.0), _format_option("rating_weights", True), _format_option("user_column", "a b")
    ('--min-rating 4', '--rating-weights', "--user-column 'a b'")
    """
    option = f"--{name.replace('_', '-')}"
    if value is True:
        return option
    return f"{option} {f'{value:g}' if isinstance(value, float) else shlex.quote(value)}"
