"""The manifest of a model after an update."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from nestrec.data.interactions import Interactions
from nestrec.training.manifest_sections import describe_data
from nestrec.training.options import Run
from nestrec.training.setup import TrainingSetup
from nestrec.updating.changes import Changes, SideChanges
from nestrec.updating.drift import Drift
from nestrec.updating.merging import Merged

UPDATES = "updates"  # section of the manifest

_KEPT = ("reading",)  # of the section of data: how the data of the training were read


def describe_update(
    setup: TrainingSetup, run: Run, merged: Merged, changes: Changes, drift: Drift, tolerance: float, seconds: float
) -> dict[str, Any]:
    """Return the record of an update: sizes, options, changes and drift; it holds no ids."""
    schedule = setup.schedule
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "interactions": {
            "new": merged.n_new,
            "known": merged.n_known,
            "removed": merged.n_removed,
            "not_found": merged.n_not_found,
            "total": merged.interactions.n_interactions,
        },
        "users": _count_changes(changes.users),
        "items": _count_changes(changes.items),
        "epochs": schedule.stop_after,
        "learning_rate": schedule.learning_rate,
        "seed": run.seed,
        "deterministic": run.deterministic,
        "changed_tolerance": tolerance,
        "drift": [asdict(width) for width in drift.widths],
        "seconds": round(seconds, 3),
    }


def update_manifest(
    manifest: Mapping[str, Any], setup: TrainingSetup, seen: Interactions, record: dict[str, Any]
) -> dict[str, Any]:
    """Return the manifest with the record, the new data, and the regularization and candidates that they led to.

    Where interactions were removed, what quotes the data read before goes: examples of rejected rows, and notes.
    """
    training, objective = manifest["training"], setup.objective
    options = {
        **training["options"],
        "regularization": list(objective.regularization),
        "n_candidates": objective.n_candidates,
    }
    trained = {"interrupted": False, "trained_on": "all interactions"} if record["epochs"] else {}
    report = manifest["data"].get("report")
    if isinstance(report, Mapping) and record["interactions"]["removed"]:
        report = {**report, "examples": {}, "notes": [], "training_notes": []}
    sections = {name: value for name, value in manifest.items() if name != "folded_in"}  # they are trained now
    kept = {name: manifest["data"][name] for name in _KEPT if name in manifest["data"]}
    return {
        **sections,
        "data": {**describe_data(seen), **kept, **({"report": report} if report else {})},
        "training": {**training, "options": options, **trained},
        UPDATES: [*manifest.get(UPDATES, []), record],
    }


def _count_changes(changes: SideChanges) -> dict[str, int]:
    return {
        "changed": len(changes.changed),
        "added": len(changes.added),
        "removed": len(changes.removed),
        "unchanged": changes.n_unchanged,
    }
