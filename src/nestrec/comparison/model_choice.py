"""Selection of the models of a comparison: by name, or all that are installed; nestrec, the reference, is first."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from nestrec.arguments import suggest
from nestrec.baselines.registry import BASELINES
from nestrec.errors import MissingExtraError, OptionError
from nestrec.extras import describe_missing

REFERENCE = "nestrec"

_MODULES = {"baselines": "implicit", "torch": "torch"}  # extra -> what it installs


def missing_extra(name: str) -> str | None:
    """Return how to install a missing dependency of a model; None if it is installed."""
    extra = BASELINES[name].extra
    if extra is None or find_spec(_MODULES[extra]) is not None:
        return None
    return describe_missing(_MODULES[extra], extra)


def select_models(names: Sequence[str] | None) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the models to compare, the reference first, and the skipped ones with the reason.

    None selects all that are installed. Raises OptionError for an unknown or repeated name, MissingExtraError for a
    named model that is not installed.
    """
    if names is None:
        absent = {name: reason for name in BASELINES if (reason := missing_extra(name)) is not None}
        return _reference_first([name for name in BASELINES if name not in absent]), absent
    for name in names:
        check_model(name, option="models")
    if len(set(names)) < len(names):
        raise OptionError(f"models must not repeat a name, got {','.join(names)}; name each once", option="models")
    return _reference_first(names), {}


def check_model(name: str, option: str = "model") -> None:
    """Raise OptionError for an unknown model, MissingExtraError for one that is not installed."""
    if name not in BASELINES:
        rule = f"{option} must be {'one of' if option == 'model' else 'among'} {', '.join(BASELINES)}"
        raise OptionError(f"{rule}; got {name!r}{suggest(str(name), BASELINES)}", option=option)
    reason = missing_extra(name)
    if reason is not None:
        raise MissingExtraError(f"{name} {reason}")


def _reference_first(names: Sequence[str]) -> tuple[str, ...]:
    return (REFERENCE, *(name for name in names if name != REFERENCE))
