"""Leads that were followed and left: each prints what it would give on a validation part, beside what there is.

    python experiments/leads.py FILE … [--only enrich]

A tenth of FILE is held out at random (seed 0), the rest trained on; nothing else is opened. Prints ndcg@20 by width and
its mean. Outcomes are noted in docs/results/defaults.md.

teacher   EASE's scores of users for items, cut by their singular vectors: the best that a student of so many numbers
          could take over from it (Steck 2019; distillation: Hinton et al. 2015).
wide      a nest to 512 dimensions, without rotation.
enrich    a trained model whose users (or items) are moved towards the degree-normalised mean of their items (users),
          one step of LightGCN's propagation (He et al. 2020) without training.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import sparse

from nestrec import Interactions, RandomSplit, Run, Trainer, Widths, read_interactions
from nestrec.baselines import baseline
from nestrec.evaluation import ItemSimilarities, evaluate_arrays
from nestrec.training.validation_part import carve

WIDTHS = (4, 8, 16, 32, 64, 128, 256, 512)
DEFAULT = WIDTHS[:5]
Matrix = npt.NDArray[np.float32]
Vectors = tuple[str, Matrix, Matrix]  # what they are, users, items
Parts = tuple[Interactions, Interactions]  # train, held out


def matrix_of(interactions: Interactions) -> sparse.csr_array:
    """Return 1 for every interaction, (n_users, n_items)."""
    ones = np.ones(interactions.n_interactions, dtype=np.float32)
    shape = interactions.n_users, interactions.n_items
    return sparse.csr_array((ones, interactions.indices, interactions.indptr), shape=shape)


def teacher(parts: Parts, path: Path) -> Iterator[Vectors]:
    """EASE's scores, cut to the widest width."""
    del path
    for strength in (100.0, 300.0, 1000.0):
        model = baseline("ease", regularization=strength).fit(parts[0], Widths(WIDTHS), Run())
        assert isinstance(model, ItemSimilarities)
        yield f"EASE {strength:g}, cut", *cut(np.asarray(matrix_of(parts[0]) @ model.weights), WIDTHS[-1])


def cut(scores: Matrix, size: int) -> tuple[Matrix, Matrix]:
    """Return the vectors of both sides in the strongest singular directions of scores (n_users, n_items)."""
    if scores.shape[0] > scores.shape[1]:
        return cut(scores.T, size)[::-1]
    size = min(size, scores.shape[0])
    _, directions = np.linalg.eigh(scores @ scores.T)  # ascending
    users = np.ascontiguousarray(directions[:, : -size - 1 : -1])
    return users, scores.T @ users


def wide(parts: Parts, path: Path) -> Iterator[Vectors]:
    """Train a nest to the widest width."""
    del parts
    model = Trainer(WIDTHS, rotate=False).fit(read_interactions(path), validation=RandomSplit(0.1), refit=False)
    yield "nest", model.user_embeddings, model.item_embeddings


def enrich(parts: Parts, path: Path) -> Iterator[Vectors]:
    """Users or items moved by a share of their own length towards their neighbours."""
    model = Trainer(DEFAULT).fit(read_interactions(path), validation=RandomSplit(0.1), refit=False)
    users, items = model.user_embeddings, model.item_embeddings
    yield "as trained", users, items
    seen = matrix_of(parts[0])
    by_user, by_item = (1 / np.sqrt(np.maximum(1, seen.sum(axis=axis))) for axis in (1, 0))
    normal = sparse.diags_array(by_user) @ seen @ sparse.diags_array(by_item)
    for share in (0.1, 0.3):
        yield f"users + {share}", moved(users, normal @ items, share), items
        yield f"items + {share}", users, moved(items, normal.T @ users, share)


def moved(vectors: Matrix, towards: Matrix, share: float) -> Matrix:
    """Add the other matrix, scaled to a share of the first one's length."""
    scale = share * np.linalg.norm(vectors) / np.linalg.norm(towards)
    return (vectors + scale * towards).astype(np.float32)


LEADS: dict[str, Callable[[Parts, Path], Iterator[Vectors]]] = {"teacher": teacher, "wide": wide, "enrich": enrich}


def main() -> None:
    """Print a line a variant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--only", choices=LEADS, action="append", help="these leads; all by default")
    options = parser.parse_args()
    for path in options.files:
        train, held_out, _ = carve(RandomSplit(0.1), read_interactions(path))
        print(f"\n{path.parent.name}/{path.name}: {train!r}")
        for name in options.only or LEADS:
            for label, users, items in LEADS[name]((train, held_out), path):
                widths = tuple(width for width in WIDTHS if width <= users.shape[1])
                values = evaluate_arrays(
                    np.ascontiguousarray(users, dtype=np.float32),
                    np.ascontiguousarray(items, dtype=np.float32),
                    widths, train.indptr, train.indices, held_out.indptr, held_out.indices,
                    metrics=("ndcg",), cutoffs=(20,),
                )  # fmt: skip
                found = [of["ndcg@20"] for of in values]
                print(f"  {label:20s}", *(f"{value:.4f}" for value in found), f"mean {np.mean(found):.4f}", flush=True)


if __name__ == "__main__":
    main()
