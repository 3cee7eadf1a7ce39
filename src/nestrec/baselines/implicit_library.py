"""The one door to implicit (Frederickson, github.com/benfred/implicit; extra `baselines`), which is imported late."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nestrec.baselines.blas import blas_threads
from nestrec.data.interactions import Interactions
from nestrec.errors import TrainingError
from nestrec.extras import require
from nestrec.training.callbacks import PhaseStart
from nestrec.training.options import Run

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@contextmanager
def implicit_module(name: str) -> Iterator[Any]:
    """Give `implicit.name` while BLAS runs on one thread, as implicit asks: each of its threads would start more.

    Raises MissingExtraError without implicit, TrainingError where its numbers leave the range of floats.
    """
    module = require(f"implicit.{name}", "baselines", "this baseline")
    base = require("implicit.recommender_base", "baselines", "this baseline")
    with blas_threads(1):
        try:
            yield module
        except base.ModelFitError as error:
            raise TrainingError(f"implicit gave up ({error}); choose other values of the options") from error


def user_items(interactions: Interactions) -> csr_matrix:
    """Return the ones, (n_users, n_items) float32, in the class that implicit takes."""
    from scipy.sparse import csr_matrix

    return csr_matrix(interactions.to_scipy())


def told(run: Run, interactions: Interactions, iterations: int) -> Callable[..., None]:
    """Notify the callbacks of the start; return the function that implicit calls after each iteration."""
    n = interactions.n_interactions
    run.callback_list.on_phase_start(PhaseStart("final", iterations, n, 0))

    def after_iteration(*_: object) -> None:
        run.callback_list.on_progress(n)

    return after_iteration
