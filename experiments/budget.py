"""Processor seconds of a whole default run (search and refit) beside those of one training on all interactions.

    python experiments/budget.py FILE … [--threads 1]

Both run in one process, after the kernels are compiled. Outcomes are noted in docs/results/data/defaults-tables.md.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from nestrec import Interactions, Run, SyntheticData, Trainer, read_interactions


def processor_seconds(interactions: Interactions, run: Run, **options: Any) -> float:
    """Return the processor time of one call of `Trainer.fit` with default options."""
    start = time.process_time()
    Trainer().fit(interactions, run=run, **options)
    return time.process_time() - start


def main() -> None:
    """Print a line for each file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    run = Run(seed=0, threads=options.threads)
    Trainer(epochs=2).fit(SyntheticData(n_users=200, n_items=160).generate(seed=1).interactions, run=run)
    for path in options.files:
        interactions = read_interactions(path)
        whole = processor_seconds(interactions, run)
        once = processor_seconds(interactions, run, validation=None)
        print(f"{path.parent.name}/{path.name}: whole {whole:.1f} s, once {once:.1f} s, ratio {whole / once:.2f}")


if __name__ == "__main__":
    main()
