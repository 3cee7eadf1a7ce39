"""Which models are compared: those named, or all that are installed; nestrec, the reference, always and first."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from nestrec.baselines.registry import BASELINES
from nestrec.errors import MissingExtraError, OptionError
from nestrec.extras import describe_missing

REFERENCE = "nestrec"

_MODULES = {"baselines": "implicit", "torch": "torch"}  # extra -> what it installs


def missing_extra(name: str) -> str | None:
    """Return what has to be installed for a model, as a sentence; None where all is there."""
    extra = BASELINES[name].extra
    if extra is None or find_spec(_MODULES[extra]) is not None:
        return None
    return describe_missing(_MODULES[extra], extra)


def chosen(names: Sequence[str] | None) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the models to compare, the reference first, and those left out with the reason.

    None takes all that are installed. Raises OptionError for a name that is no model or comes twice, MissingExtraError
    for one that is named and not installed.
    """
    if names is None:
        absent = {name: told for name in BASELINES if (told := missing_extra(name)) is not None}
        return _reference_first([name for name in BASELINES if name not in absent]), absent
    for name in names:
        check_model(name)
    if len(set(names)) < len(names):
        raise OptionError(f"models {','.join(names)} name one twice; name each once")
    return _reference_first(names), {}


def check_model(name: str) -> None:
    """Raise OptionError for a name that is no model, MissingExtraError for a model that is not installed."""
    if name not in BASELINES:
        raise OptionError(f"{name!r} is no model to compare; choose from {', '.join(BASELINES)}")
    told = missing_extra(name)
    if told is not None:
        raise MissingExtraError(f"{name} {told}")


def _reference_first(names: Sequence[str]) -> tuple[str, ...]:
    return (REFERENCE, *(name for name in names if name != REFERENCE))
