"""What fold-in minimizes for a model: read from its manifest, which says how it was trained."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nestrec.arrays import Float32Array, Float64Array
from nestrec.inverse_temperatures import compute_inverse_temperatures
from nestrec.widths import Widths

_PRIOR_INTERACTIONS = 2.5  # of models trained otherwise: how many interactions the L2 penalty is worth
_MULTIPLE = 1.4  # of the regularization of training, which does not quite converge
_ROTATED_SHARE = 1 / 16  # of the first level's squares
_ROTATED_INVERSE_TEMPERATURE = 2.0  # at most
_SAMPLE = 65_536  # users whose squares are summed
_LEAST_SQUARE = 1e-12  # of the largest: dimensions below it hold nothing
_SOFTMAX = re.compile(r"SampledSoftmax\(temperature=(None|[0-9.e+-]+), coupling=[0-9.e+-]+\)")
_OBSERVED_WEIGHT = 10.0


@dataclass(frozen=True, eq=False)
class SoftmaxObjective:
    """The nested softmax, as the model was trained by."""

    inverse_temperatures: Float64Array  # (n_levels,)
    l2_weights: Float64Array  # (embedding_size,) of each squared dimension, for each interaction


@dataclass(frozen=True)
class QuadraticObjective:
    """Weighted least squares over all items (iALS): `observed_weight` for those of the history, 1 for all others."""

    observed_weight: float
    l2: float | None  # weight of the squared norm; None: a share of the first level's squares


def read_objective(
    manifest: Mapping[str, Any], widths: Widths, user_embeddings: Float32Array, mean_history: float
) -> SoftmaxObjective | QuadraticObjective:
    """Return the objective of a model whose users have so many interactions on average.

    That is the softmax where `Trainer` made the model, otherwise least squares. A manifest that lacks something or
    holds it in another shape gives that of a model of unknown training.
    """
    training, baseline = manifest.get("training"), manifest.get("baseline")
    options = training.get("options") if isinstance(training, Mapping) else None
    if isinstance(training, Mapping) and isinstance(options, Mapping) and isinstance(options.get("loss"), str):
        softmax = _read_softmax(options, widths)
        if softmax is None:
            return _scale_by_users(_unknown_softmax(widths, mean_history), widths, user_embeddings)
        return _scale_by_users(softmax, widths, user_embeddings) if training.get("rotated") is True else softmax
    if isinstance(baseline, Mapping) and baseline.get("name") in ("ials", "ials-rotated"):
        return _read_ials(baseline.get("options"))
    return QuadraticObjective(_OBSERVED_WEIGHT, None)


def _read_softmax(options: Mapping[str, Any], widths: Widths) -> SoftmaxObjective | None:
    """Return the objective of a model trained by sampled softmax on vectors of its own, None for other options."""
    loss, levels = _SOFTMAX.fullmatch(options["loss"]), np.array(widths.values)
    trained, weights = options.get("widths"), options.get("regularization")
    if loss is None or options.get("backbone") != "MF()" or not isinstance(trained, list):
        return None
    if trained[: len(levels)] != levels.tolist() or not isinstance(weights, list):
        return None
    temperature = None if loss[1] == "None" else _parse_temperature(loss[1])
    if not _are_weights(weights, len(trained)) or (loss[1] != "None" and temperature is None):
        return None
    l2_weights = np.repeat(np.array(weights[: len(levels)], dtype=np.float64), np.diff(levels, prepend=0))
    return SoftmaxObjective(compute_inverse_temperatures(widths, temperature), _MULTIPLE * np.maximum(l2_weights, 1e-6))


def _unknown_softmax(widths: Widths, mean_history: float) -> SoftmaxObjective:
    """Return the objective for other losses and backbones, whose regularization says little about final vectors."""
    weight = _PRIOR_INTERACTIONS / max(mean_history, 1.0)
    return SoftmaxObjective(np.ones(len(widths)), np.full(widths.embedding_size, weight))


def _parse_temperature(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 1e-6 <= value <= 1e6 else None


def _are_weights(values: list[Any], n: int) -> bool:
    return len(values) == n and all(isinstance(value, (int, float)) and 0 <= value <= 100 for value in values)


def _scale_by_users(objective: SoftmaxObjective, widths: Widths, user_embeddings: Float32Array) -> SoftmaxObjective:
    """Return the objective for dimensions that were trained in another form, by a rotation or a backbone.

    Blocks are then not those that the levels trained: all dimensions come from the softmax of the widest level, so its
    inverse temperature serves every level; a smaller one fits better, since a block is not alone in explaining a user.
    The L2 penalty of a dimension is divided by the mean square that the model's
    users have there, as if it were the variance of a normal prior.
    """
    sample = user_embeddings[:: max(1, len(user_embeddings) // _SAMPLE)].astype(np.float64)
    squares = (sample**2).mean(axis=0)
    total = squares[: widths.values[0]].sum()
    if not total > 0:
        return objective
    factors = _ROTATED_SHARE * total / np.maximum(squares, _LEAST_SQUARE * total)
    narrowest = min(_ROTATED_INVERSE_TEMPERATURE, float(objective.inverse_temperatures.min()))
    return SoftmaxObjective(np.full(len(widths), narrowest), objective.l2_weights * factors)


def _read_ials(options: Any) -> QuadraticObjective:
    """Return the objective of the baseline `ials`, with its own options."""
    given = options if isinstance(options, Mapping) else {}
    alpha, l2 = given.get("alpha"), given.get("regularization")
    if isinstance(alpha, (int, float)) and isinstance(l2, (int, float)) and 1 <= alpha < 1e9 and 0 < l2 < 1e9:
        return QuadraticObjective(float(alpha), float(l2))
    return QuadraticObjective(_OBSERVED_WEIGHT, None)
