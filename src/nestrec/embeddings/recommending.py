"""Methods of a model that rank and score the users and items it was trained on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nestrec.arguments import check_keywords
from nestrec.arrays import Float32Array
from nestrec.embeddings.searching import ListOptions, SearchMethods
from nestrec.errors import OptionError
from nestrec.reranking.reranker import Reranker
from nestrec.retrieval.id_lookup import Ids, Unknown, look_up
from nestrec.retrieval.item_filters import Asked, ItemChoice
from nestrec.retrieval.item_lists import ItemLists
from nestrec.retrieval.ranking import Ranking
from nestrec.retrieval.search import Side, score_pairs, search_neighbours


class RecommendMethods(SearchMethods):
    """Recommend items to users, find similar ids, score pairs."""

    @check_keywords
    def recommend(  # noqa: PLR0913 - each is a choice of its own
        self,
        user_ids: Ids,
        k: int = 10,
        width: int | None = None,
        *,
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
        """Return the k items of highest score for each user, best first; equal scores by item index.

        A model with a search config (`nestrec.plan`) searches by it, which may miss a few of the best; batches of users
        by the full scan, where that was measured to be faster.

        Args:
            user_ids: one id (1-D result) or many (2-D result, one row a user).
            k: items per user, 1 or more. Users with fewer than k items left get fewer; see `Ranking`.
            width: a trained width to score with; None is the widest.
            exclude_seen: leave out the items of each user's training interactions.
            allow: allow-list of item ids; only these can be returned. A list of lists gives each user one of their
                own, as does a dictionary of lists by user id or `Interactions`: users without an entry get nothing.
            deny: deny-list of item ids, never returned, likewise.
            where: condition on the columns of the item table, such as "genres contains 'Comedy' and year >= 1990"; only
                items for which it holds can be returned (docs/how-to/titles-and-filters.md).
            rerank: chooses the k items among more candidates than k, such as `Diversify(0.3)`, `Calibrate(0.5)` or
                `Quota(2)` (docs/how-to/lists.md); scores are those of the chosen items, which need not descend.
            popularity_penalty: subtracted from each score, times the logarithm of 1 + the item's training interactions;
                the penalized scores are returned, found by a full scan.
            exact: search exactly, whatever the search config.
            unknown: "raise" UnknownIdError for an id the model does not know, or "skip" it and report it in the result.
            threads: None uses all processors.

        """
        queries = look_up(self.users, user_ids, "user", unknown)
        histories = ItemLists(self.seen.indptr, self.seen.indices)
        filters = self._filters(Asked(queries, "user", self.users), allow, deny, where, unknown)
        options = ListOptions(k, width, exclude_seen, rerank, popularity_penalty, exact, threads)
        return self._search(queries, self.user_embeddings, histories, filters, options)

    @check_keywords
    def similar_items(
        self,
        item_ids: Ids,
        k: int = 10,
        width: int | None = None,
        *,
        allow: ItemChoice | None = None,
        deny: ItemChoice | None = None,
        where: str | None = None,
        unknown: Unknown = "raise",
        threads: int | None = None,
    ) -> Ranking:
        """Return the k items of highest cosine similarity of prefixes to each item, itself left out.

        A vector of zeros has cosine 0 with every other. Arguments, result and errors as in `recommend`; lists by id
        are by the ids of the items asked for.
        """
        queries, side = look_up(self.items, item_ids, "item", unknown), Side(self.item_embeddings, self.items)
        filters = self._filters(Asked(queries, "item", self.items), allow, deny, where, unknown)
        ranking = search_neighbours(side, queries, k, self._width(width), filters=filters, threads=threads)
        return replace(ranking, item_table=self.item_table)

    @check_keywords
    def similar_users(
        self,
        user_ids: Ids,
        k: int = 10,
        width: int | None = None,
        *,
        unknown: Unknown = "raise",
        threads: int | None = None,
    ) -> Ranking:
        """Return the k users of highest cosine similarity of prefixes to each user, themselves left out.

        A vector of zeros has cosine 0 with every other. Arguments, result and errors as in `recommend`.
        """
        queries, side = look_up(self.users, user_ids, "user", unknown), Side(self.user_embeddings, self.users)
        return search_neighbours(side, queries, k, self._width(width), threads=threads)

    @check_keywords
    def score(self, user_ids: Ids, item_ids: Ids, width: int | None = None) -> Float32Array:
        """Return the score of each pair, float32: two lists of equal length, or one id with a list.

        Equal to the scores of `recommend` up to rounding. Raises UnknownIdError for an id the model does not know and
        OptionError for lists of different lengths.
        """
        users = look_up(self.users, user_ids, "user", "raise", offers_skip=False)
        items = look_up(self.items, item_ids, "item", "raise", offers_skip=False)
        if not (users.single or items.single or len(users.rows) == len(items.rows)):
            raise OptionError(
                f"user_ids and item_ids must have the same length, or one of them must be a single id; got "
                f"{len(users.rows)} and {len(items.rows)}"
            )
        user_rows, item_rows = np.broadcast_arrays(users.rows, items.rows)
        scores = score_pairs(self.user_embeddings, self.item_embeddings, user_rows, item_rows, self._width(width))
        return scores.reshape(()) if users.single and items.single else scores
