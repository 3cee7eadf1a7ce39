"""Hill-climbing search for the regularization strength on the validation split.

The default regularization is multiplied by powers of STEP. Starting from 1, each trial trains TRIAL_EPOCHS with a
neighbour of the best multiple so far; the search ends when both neighbours of the best are worse. The result is the
vertex of the parabola through these three, because neighbouring values differ by little more than noise. In all data
that were examined, the best multiple of such short runs is that of longer ones.
"""

from __future__ import annotations

from collections.abc import Mapping

STEP = 1.3
MAX_STEPS = 4  # from the default: a multiple of 0.35 to 2.9
TRIAL_EPOCHS = 16

Trials = Mapping[int, float]  # steps from the default -> value on the validation split


def next_step(trials: Trials) -> int | None:
    """Return how many steps from the default to try next, None when the search has ended.

    >>> next_step({}), next_step({0: 0.20}), next_step({0: 0.20, -1: 0.21}), next_step({0: 0.20, -1: 0.21, -2: 0.19})
    (0, -1, -2, None)
    """
    if not trials:
        return 0
    best = _best(trials)
    for step in (best - 1, best + 1):
        if step not in trials and abs(step) <= MAX_STEPS:
            return step
    return None


def multiple_of(step: float) -> float:
    """Return the factor of the default regularization."""
    return float(STEP**step)


def best_multiple(trials: Trials) -> float:
    """Return the factor at the vertex of the parabola through the best step and its neighbours, 1 without trials.

    >>> round(best_multiple({0: 0.2, -1: 0.1, 1: 0.1}), 3), round(best_multiple({0: 0.2, -1: 0.1, 1: 0.2}), 3)
    (1.0, 1.14)
    """
    if not trials:
        return 1.0
    best = _best(trials)
    if best - 1 not in trials or best + 1 not in trials:
        return multiple_of(best)
    below, top, above = (trials[best + offset] for offset in (-1, 0, 1))
    bend = below - 2 * top + above
    return multiple_of(best + (0.5 * (below - above) / bend if bend < 0 else 0.0))


def _best(trials: Trials) -> int:
    return max(trials, key=lambda step: (trials[step], -abs(step)))
