"""How strongly to hold vectors back where a rule is not sure enough: a short climb on the validation part.

The rule's regularization is multiplied by powers of STEP. From 1 on, the neighbours of the best multiple so far are
tried, each by a run of TRIAL_EPOCHS with falling steps; the climb ends where both neighbours of the best are worse. The
multiple is the top of the parabola through these three, since values beside each other differ by little more than
chance. What such runs like best is what longer ones like best, in all data that were looked at.
"""

from __future__ import annotations

from collections.abc import Mapping

STEP = 1.3
FARTHEST = 4  # steps from the rule: a multiple of 0.35 to 2.9
TRIAL_EPOCHS = 16

Tried = Mapping[int, float]  # steps from the rule -> value on the validation part


def next_step(tried: Tried) -> int | None:
    """Return how many steps from the rule to try next; None where the climb has ended.

    >>> next_step({}), next_step({0: 0.20}), next_step({0: 0.20, -1: 0.21}), next_step({0: 0.20, -1: 0.21, -2: 0.19})
    (0, -1, -2, None)
    """
    if not tried:
        return 0
    best = _best(tried)
    for step in (best - 1, best + 1):
        if step not in tried and abs(step) <= FARTHEST:
            return step
    return None


def multiple_of(step: float) -> float:
    """Return what the rule's regularization is multiplied by."""
    return float(STEP**step)


def best_multiple(tried: Tried) -> float:
    """Return the multiple at the top of the parabola through the best step and its neighbours; 1 where none was tried.

    >>> round(best_multiple({0: 0.2, -1: 0.1, 1: 0.1}), 3), round(best_multiple({0: 0.2, -1: 0.1, 1: 0.2}), 3)
    (1.0, 1.14)
    """
    if not tried:
        return 1.0
    best = _best(tried)
    if best - 1 not in tried or best + 1 not in tried:
        return multiple_of(best)
    below, top, above = (tried[best + offset] for offset in (-1, 0, 1))
    bend = below - 2 * top + above
    return multiple_of(best + (0.5 * (below - above) / bend if bend < 0 else 0.0))


def _best(tried: Tried) -> int:
    return max(tried, key=lambda step: (tried[step], -abs(step)))
