"""The method of a model that trains it further."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from nestrec.embeddings.base import ModelParts

if TYPE_CHECKING:
    import nestrec


class UpdateMethods(ModelParts):
    """Take new interactions in, remove users, items and interactions."""

    def update(self, interactions: Any = None, **options: Any) -> nestrec.Update:
        """Train the model further and return the new model with what changed: `nestrec.update(model, …)`.

        Arguments and result are those of `nestrec.update`. Training is above models in the layers, so the function is
        looked up by its public name.
        """
        import nestrec

        return nestrec.update(cast("nestrec.NestedEmbeddings", self), interactions, **options)
