"""`NestedRecommender`: a `Trainer` by the conventions of scikit-learn, to clone, tune and cross-validate.

A `Trainer` is a frozen value whose `fit` returns a model; an estimator is changed by `set_params` and keeps what it
learned. So this is an adapter: its parameters are the fields of `Trainer`, validated in `fit`. Needs the extra
`sklearn`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from inspect import Parameter, Signature
from math import fsum
from typing import Any, Self

import numpy as np

from nestrec.data.as_interactions import as_interactions
from nestrec.data.interactions import Interactions
from nestrec.errors import DataError, UnknownOptionError
from nestrec.evaluation.evaluate import evaluate
from nestrec.evaluation.metric_registry import MetricAtCutoff
from nestrec.extras import require
from nestrec.training.options import Run
from nestrec.training.trainer import Trainer

_BaseEstimator: Any = require("sklearn.base", "sklearn", "NestedRecommender").BaseEstimator
_COLUMNS = ("user", "item", "rating", "timestamp")
_NAMES = {"backbone": "mf"}  # defaults that scikit-learn would not take for plain values
_FIELDS = {field.name: _NAMES.get(field.name, field.default) for field in fields(Trainer) if field.init}
_OWN = {"validation": 0.1, "refit": True, "random_state": 0, "threads": None}

Scorer = Callable[..., float]


class NestedRecommender(_BaseEstimator):  # type: ignore[misc]
    """Nested embeddings as an estimator of scikit-learn.

    Parameters are the fields of `Trainer` (`help(nestrec.Trainer)`), and `validation`, `refit`, `random_state` (an
    integer) and `threads` with the meaning they have in `Trainer.fit` and `Run`. `fit` sets `embeddings_`, the model.

    X has a row per interaction, so that folds are folds of interactions: a table with columns of users and items, a
    list of pairs, or an array of two to four columns (user, item, rating, timestamp).

    >>> from sklearn.base import clone
    >>> from nestrec.sklearn import NestedRecommender
    >>> recommender = clone(NestedRecommender(widths=(2, 4), epochs=2).set_params(learning_rate=0.1))
    >>> recommender.fit([("ann", "jam"), ("ann", "tea"), ("bob", "tea"), ("bob", "rye")] * 2).embeddings_
    <NestedEmbeddings: 2 users, 3 items, widths 2, 4>
    """

    def __init__(self, **parameters: Any) -> None:
        """Keep the parameters as they are; `fit` validates them."""
        for name in parameters:
            if name not in _FIELDS and name not in _OWN:
                raise UnknownOptionError(
                    f"NestedRecommender has no argument {name!r}; choose from {', '.join([*_FIELDS, *_OWN])}"
                )
        for name, default in _defaults():
            setattr(self, name, parameters.get(name, default))

    def fit(self, X: Any, y: object = None) -> Self:  # noqa: N803 - the name of scikit-learn
        """Train on interactions; y is ignored. Raises as `Trainer` and its `fit` do."""
        trainer = Trainer(**{name: getattr(self, name) for name in _FIELDS})
        run = Run(seed=self.random_state, threads=self.threads)
        interactions = read_rows(X)
        self.embeddings_ = trainer.fit(interactions, validation=self.validation, refit=self.refit, run=run)
        return self

    def score(self, X: Any, y: object = None) -> float:  # noqa: N803
        """Return `metric` on held-out interactions, averaged over the widths; y is ignored."""
        return make_width_scorer(self.metric)(self, X, y)

    def __sklearn_tags__(self) -> Any:
        """Say what the inputs are: pairs of ids, numbers or text, without a target."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.categorical = tags.input_tags.sparse = True
        tags.target_tags.required = False
        tags.non_deterministic = True  # threads update shared vectors
        tags.no_validation = True  # of features
        return tags


def make_width_scorer(metric: str = "ndcg@20", width: int | None = None) -> Scorer:
    """Return a scorer of a metric at one width, None for the mean over the widths, as `scoring=` takes it.

    Users and items that a fold's training part lacks count as misses.

    >>> from sklearn.model_selection import GridSearchCV
    >>> scoring = {"narrow": make_width_scorer("recall@10", width=4), "all": make_width_scorer("recall@10")}
    >>> search = GridSearchCV(NestedRecommender(widths=(4, 8)), {"epochs": [5, 10]}, scoring=scoring, refit="all")
    """
    wanted = MetricAtCutoff.parse(metric)

    def score(estimator: NestedRecommender, X: Any, _y: object = None) -> float:  # noqa: N803
        require("sklearn.utils.validation", "sklearn", "scoring").check_is_fitted(estimator)
        found = evaluate(
            estimator.embeddings_,
            read_rows(X),
            cutoffs=wanted.k,
            widths=width,
            metrics=wanted.name,
            bootstrap_samples=0,
            threads=estimator.threads,
        )
        return fsum(figures.means[str(wanted)] for figures in found.widths) / len(found.widths)

    return score


def read_rows(rows: Any) -> Interactions:
    """Return interactions of a table with a row per interaction; an array's columns are known by their places."""
    if isinstance(rows, np.ndarray) and rows.dtype.names is None:
        if rows.ndim != 2 or not 2 <= rows.shape[1] <= len(_COLUMNS):
            raise DataError(
                f"an array of interactions must have 2 to 4 columns ({', '.join(_COLUMNS)}), got shape {rows.shape}; "
                "give one row per interaction"
            )
        rows = {name: rows[:, place] for place, name in zip(range(rows.shape[1]), _COLUMNS, strict=False)}
    return as_interactions(rows)


def _defaults() -> Iterator[tuple[str, Any]]:
    yield from _FIELDS.items()
    yield from _OWN.items()


def _describe_parameters() -> Signature:
    """Return the signature by which scikit-learn finds the parameters."""
    this = Parameter("self", Parameter.POSITIONAL_OR_KEYWORD)
    own = (Parameter(name, Parameter.KEYWORD_ONLY, default=default) for name, default in _defaults())
    return Signature([this, *own])


NestedRecommender.__init__.__signature__ = _describe_parameters()  # type: ignore[attr-defined]
