"""Methods of a model for users and items it was not trained on, and explanations of scores."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any, Self

from nestrec.arguments import check_keywords
from nestrec.arrays import Float32Array
from nestrec.embeddings.searching import ListOptions, SearchMethods
from nestrec.errors import OptionError
from nestrec.fold_in.explanation import Explanation, explain_score
from nestrec.fold_in.fold_in import FoldIn
from nestrec.fold_in.folded import FoldedVectors
from nestrec.fold_in.histories import Histories, check_named, gather_dislikes, gather_histories, history_of
from nestrec.fold_in.insertion import count_folded, insert_ids, insert_items, insert_rows, insert_users
from nestrec.reranking.reranker import Reranker
from nestrec.retrieval.id_lookup import Unknown, look_up_one
from nestrec.retrieval.item_filters import Asked, ItemChoice
from nestrec.retrieval.item_lists import ItemLists
from nestrec.retrieval.ranking import Ranking


class FoldInMethods(SearchMethods):
    """Fold in new users and items, recommend to new users, explain scores."""

    @cached_property
    def _fold_in(self) -> FoldIn:
        return FoldIn(self.manifest, self.widths, self.user_embeddings, self.item_embeddings, self.seen)

    @check_keywords
    def fold_in(
        self, histories: Any, weights: Any = None, *, unknown: Unknown = "raise", threads: int | None = None
    ) -> FoldedVectors:
        """Return vectors of new users from the items of their histories, without training; the items are fixed.

        Each level's dimensions minimize the loss of that level, given the narrower ones: the first d dimensions are the
        fold-in at width d. Neither the order of a history nor the other histories change a vector.
        docs/explanation/fold-in.md states the objective.

        Args:
            histories: item ids of one user, a list of such lists, a mapping of users to them, or Interactions. An empty
                history gets the mean vector of the model's users.
            weights: importance of each item, in the shape of the histories, above 0; None: 1. Only ratios matter.
            unknown: "raise" UnknownIdError for an item the model does not know, or "skip" it and report it in the
                result; a history of unknown items alone is skipped, too.
            threads: None uses all processors.

        >>> from nestrec import SyntheticData, Trainer
        >>> interactions = SyntheticData(n_users=200, n_items=160).generate(seed=0).interactions
        >>> model = Trainer(widths=(4, 8), epochs=2).fit(interactions, validation=None)
        >>> model.fold_in({"ann": model.items.ids[:5], "bob": model.items.ids[7:9]})
        <FoldedVectors: 2, widths 4, 8>

        """
        found = gather_histories(histories, weights, self.items, "item", unknown)
        return self._describe(found, self._fold_in.fold_users(found, threads))

    @check_keywords
    def fold_in_items(
        self, histories: Any, weights: Any = None, *, unknown: Unknown = "raise", threads: int | None = None
    ) -> FoldedVectors:
        """Return vectors of new items from the ids of users who interacted with them; the users are fixed.

        Arguments, result and errors as in `fold_in`, with users in place of items.
        """
        found = gather_histories(histories, weights, self.users, "user", unknown)
        return self._describe(found, self._fold_in.fold_items(found, threads))

    def _describe(self, found: Histories, vectors: Float32Array) -> FoldedVectors:
        """Return the result of folding in: one vector for a single history, none where it is left out."""
        own = vectors[0] if found.single and len(found) else vectors
        return FoldedVectors(own, found.names, self.widths, found.skipped, found.skipped_names)

    @check_keywords
    def with_users(
        self, histories: Any, weights: Any = None, *, unknown: Unknown = "raise", threads: int | None = None
    ) -> Self:
        """Return a model that knows these users too: with their folded vectors, and their histories as seen items.

        Arguments and errors as in `fold_in`, but for histories, which must have names: a mapping or Interactions. The
        vectors of all others stay as they are; rows move, since ids are kept in order. Raises OptionError for a user
        whom the model knows.

        >>> from nestrec import SyntheticData, Trainer
        >>> interactions = SyntheticData(n_users=200, n_items=160).generate(seed=0).interactions
        >>> model = Trainer(widths=(4, 8), epochs=2).fit(interactions, validation=None)
        >>> model.with_users({"ann": model.items.ids[:5], "bob": model.items.ids[7:9]})
        <NestedEmbeddings: 202 users, 160 items, widths 4, 8>

        """
        found = gather_histories(histories, weights, self.items, "item", unknown)
        check_named(histories, "user")
        users, places = insert_ids(self.users, found.names, "user")
        vectors = insert_rows(self.user_embeddings, self._fold_in.fold_users(found, threads), places)
        seen = insert_users(self.seen, found, users, places)
        manifest = count_folded(self.manifest, "users", len(found))
        return replace(self, user_embeddings=vectors, users=users, seen=seen, manifest=manifest, check=False)

    @check_keywords
    def with_items(
        self, histories: Any, weights: Any = None, *, unknown: Unknown = "raise", threads: int | None = None
    ) -> Self:
        """Return a model that knows these items too, from the ids of users who interacted with them.

        As `with_users`, with items in place of users. A search config is removed, since its coarse index lacks
        the new items: plan again. Codes are built again. The item table has no values for the new items.
        """
        found = gather_histories(histories, weights, self.users, "user", unknown)
        check_named(histories, "item")
        items, places = insert_ids(self.items, found.names, "item")
        vectors = insert_rows(self.item_embeddings, self._fold_in.fold_items(found, threads), places)
        seen = insert_items(self.seen, found, items, places)
        table = None if self.item_table is None else self.item_table.reindex(items)
        kept = self.with_search_config(None, None)
        manifest = count_folded(kept.manifest, "items", len(found))
        known = replace(
            kept, item_embeddings=vectors, items=items, seen=seen, manifest=manifest, item_table=table, codes=None,
            check=False,
        )  # fmt: skip
        return known if self.codes is None else known.with_codes(threads=threads)

    @check_keywords
    def recommend_for(  # noqa: PLR0913 - the options of `recommend`, and weights
        self,
        histories: Any,
        k: int = 10,
        width: int | None = None,
        *,
        weights: Any = None,
        exclude_seen: bool = True,
        allow: ItemChoice | None = None,
        deny: ItemChoice | None = None,
        where: str | None = None,
        rerank: Reranker | None = None,
        popularity_penalty: float = 0.0,
        exact: bool = False,
        unknown: Unknown = "raise",
        threads: int | None = None,
    ) -> Ranking:
        """Return the k items of highest score for new users, from the items of their histories.

        `histories` and `weights` as in `fold_in`, the other arguments and the result as in `recommend`; `exclude_seen`
        leaves out the items of each history, and the dislikes of Interactions, which are not folded in. The result's
        queries are the names of the histories, its `skipped` those of histories of unknown ids alone, its
        `skipped_items` the unknown ids of histories and lists.
        """
        found = gather_histories(histories, weights, self.items, "item", unknown)
        vectors = self._fold_in.fold_users(found, threads)
        seen = ItemLists(found.indptr, found.indices).join(gather_dislikes(histories, found, self.items))
        asked = Asked(found.queries, "history", None)
        filters = self._filters(asked, allow, deny, where, unknown).with_skipped(found.skipped)
        options = ListOptions(k, width, exclude_seen, rerank, popularity_penalty, exact, threads)
        return self._search(found.queries, vectors, seen, filters, options)

    @check_keywords
    def explain(
        self, user_id: Any = None, item_id: Any = None, width: int | None = None, *, history: Any = None
    ) -> Explanation:
        """Split a score into contributions of the items of the user's history, which sum to it with the rest.

        What is explained is the folded vector of the history: the user's training interactions, or the item ids given
        as `history` in place of a user. Raises UnknownIdError for an id the model does not know.

        >>> from nestrec import SyntheticData, Trainer
        >>> interactions = SyntheticData(n_users=200, n_items=160).generate(seed=0).interactions
        >>> model = Trainer(widths=(4, 8), epochs=2).fit(interactions, validation=None)
        >>> found = model.explain(model.users.ids[0], model.items.ids[3])
        >>> bool(abs(found.contributions.sum() + found.rest - found.score) < 1e-9)
        True

        """
        if (user_id is None) == (history is None) or item_id is None:
            raise OptionError("explain takes an item_id, and either a user_id or a history; got another set of them")
        item = look_up_one(self.items, item_id, "item")
        vector = self.item_embeddings[item, : self._width(width)]
        if history is not None:
            found, trained = gather_histories(history, None, self.items, "item", "raise"), None
            if not found.single:
                raise OptionError("history must be one list of item ids, got several; explain one at a time")
        else:
            user = look_up_one(self.users, user_id, "user")
            found, trained = history_of(self.seen, user), self.user_embeddings[user, : len(vector)]
        return explain_score(self._fold_in, found, vector, self.items.ids, trained, None)
