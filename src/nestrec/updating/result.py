"""The result of an update."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nestrec.embeddings import NestedEmbeddings
from nestrec.field_docs import show_field_docs
from nestrec.updating.changes import Changes
from nestrec.updating.drift import Drift


@show_field_docs
@dataclass(frozen=True, eq=False)
class Update:
    """A model after an update, and what the update changed.

    >>> from nestrec import RandomSplit, SyntheticData, Trainer
    >>> old, new = RandomSplit(0.1).split(SyntheticData(n_users=200, n_items=160).generate(seed=1).interactions)
    >>> updated = Trainer(widths=(4, 8), epochs=3).fit(old, validation=None).update(new, remove_users=["u007"])
    >>> updated.changes.users.n_to_write, updated.changes.users.removed.tolist()
    (199, ['u007'])
    >>> [drift.width for drift in updated.drift.widths], updated.record["interactions"]["new"] == new.n_interactions
    ([4, 8], True)
    """

    model: NestedEmbeddings
    """The new model; the given one is as it was."""
    changes: Changes
    """Ids whose vectors changed, came or went."""
    drift: Drift
    """How far vectors and lists moved, by width."""
    record: dict[str, Any]
    """The entry of the update in `model.manifest["updates"]`: sizes, options, changes and drift, without ids."""

    def __repr__(self) -> str:
        """Show the sizes."""
        users, items = self.changes.users, self.changes.items
        return (
            f"<Update: {users.n_to_write} of {self.model.n_users} users and {items.n_to_write} of "
            f"{self.model.n_items} items to write again>"
        )
