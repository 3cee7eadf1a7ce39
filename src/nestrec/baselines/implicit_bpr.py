"""Matrix factorization by Bayesian personalized ranking (Rendle et al. 2009), by implicit, with uniform negatives.

One dimension is the item's bias (1 for users), so that width d has d dimensions in all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nestrec.arguments import check_count, check_range
from nestrec.baselines.baseline import Choice, Kind, Range
from nestrec.baselines.fitting import build_model, only_width, prepare_interactions
from nestrec.baselines.implicit_library import implicit_module, report_iterations, user_items
from nestrec.data.interactions import Interactions
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError
from nestrec.parallel.threads import resolve_threads
from nestrec.training.options import Run
from nestrec.widths import Widths


@dataclass(frozen=True)
class ImplicitBpr:
    """implicit's BPR at one width of 2 or more.

    Threads race; `Run(deterministic=True)` trains on one thread and is bit-for-bit reproducible.

    >>> from nestrec import Run, Widths, SyntheticData
    >>> interactions = SyntheticData(n_users=200, n_items=160).generate(seed=1).interactions
    >>> ImplicitBpr(iterations=2).fit(interactions, Widths([8]), Run())
    <NestedEmbeddings: 200 users, 160 items, widths 8>
    """

    learning_rate: float = 0.02
    """Learning rate of SGD."""
    regularization: float = 0.03
    """L2 regularization of the embeddings in a step."""
    iterations: int = 150
    """Epochs: passes of as many steps as there are interactions."""

    name: ClassVar[str] = "implicit-bpr"
    kind: ClassVar[Kind] = Kind.SINGLE
    space: ClassVar[dict[str, Range | Choice]] = {
        "learning_rate": Range(0.003, 0.3, log=True),
        "regularization": Range(0.0003, 0.3, log=True),
        "iterations": Range(20, 300, log=True, integer=True),
    }
    extra: ClassVar[str | None] = "baselines"

    def __post_init__(self) -> None:
        """Check the options."""
        check_range("learning_rate", self.learning_rate, 1e-6, 10, 0.02)
        check_range("regularization", self.regularization, 0, 100, 0.03)
        check_count("iterations", self.iterations, 100_000, 150)

    def fit(self, interactions: Interactions, widths: Widths, run: Run) -> NestedEmbeddings:
        """Train at the one width; raise OptionError for several, and for width 1, which is only the bias."""
        interactions = prepare_interactions(self, interactions, run)
        width = only_width(self, widths)
        if width < 2:
            raise OptionError(
                f"width must be 2 or more for {self.name}, which needs one dimension for the item bias; got {width}",
                option="widths",
            )
        with implicit_module("bpr") as library:
            model = library.BayesianPersonalizedRanking(
                width - 1,
                learning_rate=self.learning_rate,
                regularization=self.regularization,
                iterations=self.iterations,
                use_gpu=False,
                num_threads=1 if run.deterministic else resolve_threads(run.threads),
                random_state=run.seed,
            )
            model.fit(
                user_items(interactions),
                show_progress=False,
                callback=report_iterations(run, interactions, self.iterations),
            )
        return build_model(self, interactions, widths, model.user_factors, model.item_factors, run)
