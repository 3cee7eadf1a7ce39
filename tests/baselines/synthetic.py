"""Synthetic interactions and helpers shared by the tests of baselines."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.baselines.baseline import Model
from nestrec.data.interactions import Interactions
from nestrec.data.splitting import RandomSplit
from nestrec.data.synthetic import SyntheticData
from nestrec.embeddings import NestedEmbeddings


@cache
def small_data() -> tuple[Interactions, Interactions]:
    """Return training and held-out interactions of 300 users and 160 items, with tastes, unlike popularity."""
    return RandomSplit(0.2).split(SyntheticData(n_users=300, n_items=160).generate(seed=1).interactions)


def all_scores(model: Model) -> npt.NDArray[np.float32]:
    """Return the scores of all users and items, (n_users, n_items)."""
    if isinstance(model, NestedEmbeddings):
        return model.user_embeddings @ model.item_embeddings.T
    return model.scores(np.arange(model.n_users))


def arrays_of(model: Model) -> list[npt.NDArray[Any]]:
    """Return the fitted parameters."""
    if isinstance(model, NestedEmbeddings):
        return [model.user_embeddings, model.item_embeddings]
    weights: Any = model.weights
    return [weights if isinstance(weights, np.ndarray) else weights.toarray()]
