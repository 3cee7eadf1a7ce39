"""Access to implicit (Frederickson, github.com/benfred/implicit; extra `baselines`), imported on first use."""

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
    """Yield `implicit.name` with BLAS limited to one thread, since each thread of implicit would start more.

    Raises MissingExtraError without implicit, TrainingError if its values overflow.
    """
    module = require(f"implicit.{name}", "baselines", "this baseline")
    base = require("implicit.recommender_base", "baselines", "this baseline")
    with blas_threads(1):
        try:
            yield module
        except base.ModelFitError as error:
            raise TrainingError(f"implicit failed ({error}); choose other options") from error


def user_items(interactions: Interactions) -> csr_matrix:
    """Return the interactions as ones, (n_users, n_items) float32, in the class that implicit expects."""
    from scipy.sparse import csr_matrix

    return csr_matrix(interactions.to_scipy())


def report_iterations(run: Run, interactions: Interactions, iterations: int) -> Callable[..., None]:
    """Notify the callbacks of the start; return the function that implicit calls after each iteration."""
    n = interactions.n_interactions
    run.callback_list.on_phase_start(PhaseStart("final", iterations, n, 0))

    def after_iteration(*_: object) -> None:
        run.callback_list.on_progress(n)

    return after_iteration
