"""The settings of the paper's experiments (Lai et al. 2024, arXiv 2406.07432)."""

from __future__ import annotations

from typing import Any

from nestrec.training.engines import TorchEngine
from nestrec.training.losses import BPR, Negatives
from nestrec.training.optimizers import Adam
from nestrec.training.registry import resolve
from nestrec.training.samplers import DynamicSampler

_SETTINGS: dict[str, Any] = {
    "engine": TorchEngine(optimizer=Adam(), batch_size=2048),
    "epochs": 300,
    "learning_rate": 1e-3,
    "regularization": 1e-4,
    "regularize_whole": True,
    "rotate": False,
    "starting_scale": None,
    "metric": "recall@20",
    "evaluate_every": 5,
    "patience": 10,
}


def paper_settings(n_levels: int, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the options of `Trainer` by name, overridden by `changes`.

    BPR and its sampler are replaced together: with a loss or sampler over other negatives, the other one is chosen to
    fit.
    """
    for kind in ("loss", "sampler"):
        if changes.get(kind) is not None:
            changes = {**changes, kind: resolve(kind, changes[kind])}
    loss, sampler = changes.get("loss"), changes.get("sampler")
    pair: dict[str, Any] = {}
    if (loss is None or loss.takes is Negatives.ONE) and (sampler is None or sampler.gives is Negatives.ONE):
        pair = {"loss": BPR(), "sampler": DynamicSampler(n_candidates=16)}
    settings = {"level_weights": (1.0,) * n_levels, **pair, **_SETTINGS, **changes}
    return {"final_learning_rate": settings["learning_rate"], **settings}
