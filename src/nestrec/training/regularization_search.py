"""Hill-climbing search for the regularization of each level on the validation split.

The default regularization of a level is multiplied by powers of STEP. A trial trains all levels at once and gives every
level a value: the validation metric at its own width. From these each level climbs by itself: it starts from 1, tries a
neighbour of its best step so far, and has finished when both neighbours of the best are worse. The result of a level is
the vertex of the parabola through these three, because neighbouring values differ by little more than noise, smoothed
over its neighbouring levels, because the optimum changes slowly with the width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

STEP = 1.4
MAX_STEPS = 3  # from the default: a multiple of 0.36 to 2.7
TRIAL_INTERACTIONS = 100_000  # of random users; a trial takes all epochs, since shorter ones prefer less regularization

LevelTrials = Mapping[int, float]  # steps from the default -> validation metric


class Trial(msgspec.Struct, frozen=True):
    """The steps of all levels in one run, and the validation metric at each level's width."""

    steps: tuple[int, ...]
    values: tuple[float, ...]


def next_steps(trials: Sequence[Trial], n_levels: int) -> tuple[int, ...] | None:
    """Return the steps of every level to try next, None when all have finished; one that has keeps its best.

    >>> first, second = Trial((0, 0), (0.20, 0.30)), Trial((-1, -1), (0.21, 0.29))
    >>> next_steps([], 2), next_steps([first], 2), next_steps([first, second], 2)
    ((0, 0), (-1, -1), (-2, 1))
    """
    by_level = _by_level(trials, n_levels)
    proposals = [_next_step(of_level) for of_level in by_level]
    if all(step is None for step in proposals):
        return None
    return tuple(_best(of_level) if step is None else step for step, of_level in zip(proposals, by_level, strict=True))


def multiples_of(steps: Sequence[float]) -> tuple[float, ...]:
    """Return the factors of the default regularization."""
    return tuple(float(STEP**step) for step in steps)


def best_multiples(trials: Sequence[Trial], n_levels: int) -> tuple[float, ...]:
    """Return each level's factor of the default regularization, 1 without trials.

    >>> best_multiples([Trial((0,), (0.2,)), Trial((-1,), (0.1,)), Trial((1,), (0.1,))], 1)
    (1.0,)
    """
    return multiples_of(_smooth([_vertex(of_level) for of_level in _by_level(trials, n_levels)]))


def _by_level(trials: Sequence[Trial], n_levels: int) -> list[dict[int, float]]:
    """Return the trials of each level; of a step that was tried again, the first value."""
    return [{trial.steps[level]: trial.values[level] for trial in reversed(trials)} for level in range(n_levels)]


def _next_step(trials: LevelTrials) -> int | None:
    if not trials:
        return 0
    best = _best(trials)
    for step in (best - 1, best + 1):
        if step not in trials and abs(step) <= MAX_STEPS:
            return step
    return None


def _vertex(trials: LevelTrials) -> float:
    """Return the vertex of the parabola through the best step and its neighbours, or the best step at an end."""
    if not trials:
        return 0.0
    best = _best(trials)
    if best - 1 not in trials or best + 1 not in trials:
        return best
    below, top, above = (trials[best + offset] for offset in (-1, 0, 1))
    curvature = below - 2 * top + above
    return best + (0.5 * (below - above) / curvature if curvature < 0 else 0.0)


def _smooth(steps: list[float]) -> list[float]:
    """Return the means of each level, counted twice, and its two neighbours; at an end, of the level and itself.

    >>> _smooth([0.0, 4.0, 0.0])
    [1.0, 2.0, 1.0]
    """
    padded = [steps[0], *steps, steps[-1]]
    return [(padded[level] + 2 * step + padded[level + 2]) / 4 for level, step in enumerate(steps)]


def _best(trials: LevelTrials) -> int:
    return max(trials, key=lambda step: (trials[step], -abs(step)))
