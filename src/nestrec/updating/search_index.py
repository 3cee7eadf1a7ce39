"""The search config of a model after its vectors changed."""

from __future__ import annotations

from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import NestrecError


def rebuild_index(model: NestedEmbeddings, before: NestedEmbeddings) -> tuple[NestedEmbeddings, str | None]:
    """Return the model with a new coarse index for the search config that it had, and a message on it, if it had one.

    A config that does not fit the new items is dropped.
    """
    config = before.search_config
    if config is None:
        return model, None
    bare = model.with_search_config(None, None)
    try:
        index = None
        if config.index is not None:
            index = config.index.build(model.user_embeddings, model.item_embeddings, config.width)
        config.retriever(model.item_embeddings, index)
    except NestrecError as error:
        return bare, f"the search config is dropped, since it does not fit the new items ({error}); run nestrec plan"
    return bare.with_search_config(config, index), (
        "the coarse index of the search config is built again; its recall and speed were measured before the update, "
        "nestrec plan measures them again"
    )
