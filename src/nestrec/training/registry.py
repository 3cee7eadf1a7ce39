"""The parts of a training method by name, the same in Python and on the command line.

A name costs nothing; its class is imported when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

from nestrec.arguments import suggest
from nestrec.errors import OptionError


class _Home(NamedTuple):
    """Where the class of a name is, and with what it is made."""

    file: str
    class_name: str
    values: tuple[tuple[str, Any], ...] = ()


_HOMES: dict[str, dict[str, _Home]] = {
    "backbone": {"mf": _Home("backbones", "MF"), "lightgcn": _Home("backbones", "LightGCN")},
    "loss": {
        "softmax": _Home("losses", "SampledSoftmax"),
        "bpr": _Home("losses", "BPR"),
        "bce": _Home("losses", "BinaryCrossEntropy"),
        "directau": _Home("losses", "DirectAU"),
    },
    "sampler": {
        "pool": _Home("samplers", "PoolSampler"),
        "uniform": _Home("samplers", "UniformSampler"),
        "dynamic": _Home("samplers", "DynamicSampler"),
        "adaptive": _Home("samplers", "AdaptiveSampler"),
        "curriculum": _Home("samplers", "CurriculumSampler"),
        "mixed": _Home("samplers", "MixedSampler"),
        "disentangled": _Home("samplers", "DisentangledSampler"),
    },
    "optimizer": {
        "adagrad": _Home("optimizers", "Adagrad"),
        "adam": _Home("optimizers", "Adam"),
        "sparse-adam": _Home("optimizers", "Adam", (("sparse", True),)),
    },
    "engine": {"torch": _Home("engines", "TorchEngine")},
}
_NEEDED = {  # what an object of each kind has
    "backbone": ("encoder", "moves_all", "regularization_scale"),
    "loss": ("takes", "rules", "coupling", "temperature"),
    "sampler": ("gives", "n_candidates"),
    "optimizer": ("learning_rate",),
    "engine": ("optimizer_for", "batch_size_for", "parts"),
}

BACKBONES, LOSSES, SAMPLERS, OPTIMIZERS = (tuple(_HOMES[kind]) for kind in ("backbone", "loss", "sampler", "optimizer"))
CPU_ENGINE = "cpu"
ENGINES = (CPU_ENGINE, *_HOMES["engine"])


def make(kind: str, name: str, **values: Any) -> Any:
    """Return the part of this kind (backbone, loss, sampler, optimizer, engine) and name, with values of its fields.

    Raises OptionError for a name that is not known.

    >>> make("sampler", "dynamic", n_candidates=16)
    DynamicSampler(n_candidates=16, shared=False, n_hardest=1)
    """
    homes = _HOMES[kind]
    known = name.strip().lower().replace("_", "-")
    if known not in homes:
        names = ", ".join(_names(kind))
        raise OptionError(f"{kind} must be one of {names}; got {name!r}{suggest(known, homes)}")
    home = homes[known]
    return getattr(import_module(f"nestrec.training.{home.file}"), home.class_name)(**dict(home.values), **values)


def resolve(kind: str, value: Any) -> Any:
    """Return the part that a name, a class or an object stands for; raise OptionError for what is none of this kind.

    >>> resolve("loss", "bpr") == resolve("loss", resolve("loss", "bpr"))
    True
    """
    if isinstance(value, str):
        return make(kind, value)
    if isinstance(value, type):
        value = _made(kind, value)
    if not all(hasattr(value, name) for name in _NEEDED[kind]):
        example = next(iter(_HOMES[kind].values())).class_name
        raise OptionError(
            f"{kind} must be one of {', '.join(_names(kind))}, or an object such as {example}(); got {value!r}"
        )
    return value


def _names(kind: str) -> tuple[str, ...]:
    """Return the names of a kind, that of the CPU engine included, which is no object."""
    return ENGINES if kind == "engine" else tuple(_HOMES[kind])


def _made(kind: str, given: type) -> Any:
    try:
        return given()
    except TypeError as error:
        raise OptionError(f"{kind} must be an object, got class {given.__name__}; make one of it") from error
