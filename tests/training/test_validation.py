"""Epochs are compared on a sample of a large validation part; the chosen one is evaluated on all of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nestrec.data.splitting import RandomSplit
from nestrec.evaluation import evaluate_arrays
from nestrec.training import fit as fit_module
from nestrec.training.options import Run
from nestrec.training.trainer import Trainer
from nestrec.training.validation import Validation, prepare_validation
from tests.training.worlds import Interfering, is_same, quick, tiny


def validation() -> Validation:
    return prepare_validation(RandomSplit(0.1), tiny(), Trainer(widths=(3, 8)).resolve, Run())


def test_a_sample_has_all_held_out_items_of_its_users() -> None:
    whole = validation().held_out
    sample = validation().sample_held_out(30).held_out
    rows = [held_out.to_scipy().tolil().rows for held_out in (sample, whole)]
    kept = [row for row, items in enumerate(rows[0]) if items]
    assert len(kept) == 30
    assert [rows[0][row] for row in kept] == [rows[1][row] for row in kept]
    assert sample.users is whole.users


def test_a_sample_as_large_as_the_part_is_the_part() -> None:
    part = validation()
    assert part.sample_held_out(int(np.count_nonzero(np.diff(part.held_out.indptr)))) is part


@pytest.mark.parametrize("rotate", [False, True])
def test_metrics_of_the_model_are_of_all_users(monkeypatch: pytest.MonkeyPatch, rotate: bool) -> None:
    """Rotated or not, after epochs and rotation were compared on a sample."""
    monkeypatch.setattr(fit_module, "COMPARED_USERS", 30)
    model = replace(quick(), rotate=rotate).fit(tiny(), refit=False, run=Run(deterministic=True))
    training, (train, held_out) = model.manifest["training"], RandomSplit(0.1).split(tiny())
    values = evaluate_arrays(
        model.user_embeddings, model.item_embeddings, (3, 8), train.indptr, train.indices, held_out.indptr,
        held_out.indices, metrics=("ndcg",), cutoffs=(20,),
    )  # fmt: skip
    chosen = training["validation_metrics"]
    assert [of["ndcg@20"] for of in chosen["metrics"].values()] == pytest.approx([of["ndcg@20"] for of in values])
    assert chosen["value"] == pytest.approx(np.mean([of["ndcg@20"] for of in values]))
    assert training["rotated"] or chosen in training["history"]


def test_a_search_on_a_sample_resumes_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_module, "COMPARED_USERS", 30)
    whole = quick().fit(tiny(), run=Run(deterministic=True))
    run: dict[str, Any] = {"deterministic": True, "checkpoint": tmp_path / "state", "return_on_interrupt": True}
    quick().fit(tiny(), run=Run(**run, callbacks=Interfering(after_epoch=("search", 6))))
    resumed = quick().fit(tiny(), run=Run(**run, resume=True))
    assert is_same(resumed, whole)
    assert resumed.manifest["training"]["validation_metrics"] == whole.manifest["training"]["validation_metrics"]
