"""From the vectors after training to the updated model: alignment, unchanged vectors, search config, manifest."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from nestrec.embeddings import NestedEmbeddings
from nestrec.training.options import Run
from nestrec.training.setup import TrainingSetup
from nestrec.updating.alignment import align, fit_alignment
from nestrec.updating.changes import Changes, describe_side, keep_unmoved
from nestrec.updating.drift import measure_drift
from nestrec.updating.merging import Merged
from nestrec.updating.records import describe_update, update_manifest
from nestrec.updating.result import Update
from nestrec.updating.search_index import rebuild_index
from nestrec.updating.warm_start import KnownRows, Vectors


@dataclass(frozen=True)
class Builder:
    """Makes the updated model of a model and its merged interactions."""

    model: NestedEmbeddings
    merged: Merged
    tolerance: float
    run: Run
    started: float  # time.perf_counter

    def build(self, setup: TrainingSetup, vectors: Vectors, validated: dict[str, Any] | None) -> Update:
        """Return the update; `validated` describes the epoch that validation chose."""
        seen = self.merged.interactions
        known = KnownRows.match(self.model, seen)
        (users, items), changes = self._align(vectors, known, is_trained=setup.schedule.stop_after > 0)
        bare = replace(
            self.model.with_search_config(None, None),
            user_embeddings=users,
            item_embeddings=items,
            users=seen.users,
            items=seen.items,
            seen=seen,
            item_table=None if self.model.item_table is None else self.model.item_table.reindex(seen.items),
            codes=None,
        )
        drift = measure_drift(self.model, bare, known, self.tolerance, self.run.threads)
        updated, message = rebuild_index(bare, self.model)
        if message is not None:
            self.run.callback_list.on_message(message)
        if self.model.codes is not None:
            updated = updated.with_codes(threads=self.run.threads)
        seconds = time.perf_counter() - self.started
        record = describe_update(setup, self.run, self.merged, changes, drift, self.tolerance, seconds)
        if validated is not None:
            record["validation"] = validated
        manifest = update_manifest(updated.manifest, setup, seen, record)
        return Update(replace(updated, manifest=manifest, check=False), changes, drift, record)

    def _align(self, vectors: Vectors, known: KnownRows, *, is_trained: bool) -> tuple[Vectors, Changes]:
        """Return the vectors near those before, and what changed."""
        model, (users, items) = self.model, vectors
        old_users, old_items = model.user_embeddings[known.model_users], model.item_embeddings[known.model_items]
        if is_trained:
            matrices = fit_alignment((users[known.users], items[known.items]), (old_users, old_items), model.widths)
            users, items = align(users, matrices), align(items, matrices)
        moved_users = keep_unmoved(users, known.users, old_users, self.tolerance)
        moved_items = keep_unmoved(items, known.items, old_items, self.tolerance)
        after = self.merged.interactions
        return (users, items), Changes(
            users=describe_side(model.users, after.users, known.users, moved_users),
            items=describe_side(model.items, after.items, known.items, moved_items),
        )
