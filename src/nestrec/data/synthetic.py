"""Synthetic interactions with a planted hierarchy, so that what each width can represent is known.

Items belong to subtopics, and subtopics to topics. A user prefers one topic (coarse taste) and a few of its subtopics
(fine taste). Four topics of eight subtopics each match the usual widths: the degree-normalised matrix has 4 large
singular values for topics (popularity included), 28 smaller ones for subtopics, and noise below (a two-level stochastic
block model with degree skew). So 4 dimensions separate the topics, and 32 separate all subtopics.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.dtypes import StringDType

from nestrec.arguments import require
from nestrec.arrays import Float32Array, Int32Array, Int64Array
from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.field_docs import show_field_docs

Texts = npt.NDArray[Any]  # StringDType

_PAIRS_AT_ONCE = 4_000_000  # bounds the block of users x items that is drawn from


@dataclass(frozen=True)
class GeneratedData:
    """Interactions and the ground truth, in the order of the vocabularies."""

    interactions: Interactions
    item_topic: Int32Array  # (n_items,) from 0
    item_subtopic: Int32Array  # (n_items,) from 0, counted through all topics
    user_topic: Int32Array  # (n_users,)
    user_subtopics: Int32Array  # (n_users, n_favourites) ascending, counted like item_subtopic


@show_field_docs
@dataclass(frozen=True)
class SyntheticData:
    """Parameters of synthetic interactions. The same values and seed give the same data on any machine.

    >>> data = SyntheticData(n_users=100, n_items=320).generate(seed=1)
    >>> data.interactions.items.ids[:2].tolist(), data.interactions.users.ids[0]
    (['topic1/sub1/item01', 'topic1/sub1/item02'], 'u001')
    """

    n_users: int = 2000
    """Users; each has at least one interaction."""
    n_items: int = 1200
    """Items, spread evenly over the subtopics; items without interactions are dropped."""
    n_topics: int = 4
    """Topics; a user has one of them."""
    n_subtopics_per_topic: int = 8
    """Subtopics of each topic."""
    n_favourites: int = 2
    """Favourite subtopics of a user, all in the user's topic."""
    interactions_per_user: float = 30.0
    """Mean number of interactions of a user; the numbers are skewed (log-normal)."""
    noise: float = 0.1
    """Share of interactions with items drawn from all items, independent of the user's taste."""
    fine_share: float = 0.7
    """Share of the other interactions that go to the favourite subtopics rather than anywhere in the topic."""
    popularity_skew: float = 0.7
    """Exponent of Zipf's law within a subtopic; 0 makes all items equally popular."""

    def __post_init__(self) -> None:
        """Check every value once; raise OptionError with the rule."""
        for name in ("n_users", "n_topics", "n_subtopics_per_topic", "n_favourites"):
            require(getattr(self, name) >= 1, name, "be at least 1", getattr(self, name))
        most = self.n_subtopics_per_topic
        require(
            self.n_favourites <= most, "n_favourites", f"be at most {most}, the subtopics of a topic", self.n_favourites
        )
        enough = self.n_items >= self.n_subtopics
        require(enough, "n_items", f"be at least {self.n_subtopics}, one for each subtopic", self.n_items)
        rule, mean = f"be from 1 to {self.n_items / 4:g}, a quarter of the items", self.interactions_per_user
        require(1 <= mean <= self.n_items / 4, "interactions_per_user", rule, mean)
        for name, largest in (("noise", 1), ("fine_share", 1), ("popularity_skew", 3)):
            require(0 <= getattr(self, name) <= largest, name, f"be from 0 to {largest}", getattr(self, name))

    @property
    def n_subtopics(self) -> int:
        """Subtopics of all topics."""
        return self.n_topics * self.n_subtopics_per_topic

    def generate(self, seed: int = 0) -> GeneratedData:
        """Draw the interactions; raise OptionError for a negative seed."""
        require(seed >= 0, "seed", "be at least 0", seed)
        rng = np.random.default_rng(seed)
        item_subtopic = (np.arange(self.n_items) * self.n_subtopics // self.n_items).astype(np.int32)
        user_topic = rng.integers(0, self.n_topics, self.n_users, dtype=np.int32)
        user_subtopics = self._draw_favourites(user_topic, rng)
        indptr, indices = self._draw_interactions(item_subtopic, user_topic, user_subtopics, rng)
        has_users = np.bincount(indices, minlength=self.n_items) > 0
        interactions = Interactions(
            Vocabulary(_number_names("u", self.n_users)),
            Vocabulary(self._build_item_ids(item_subtopic)[has_users]),
            indptr,
            (np.cumsum(has_users) - 1).astype(np.int32)[indices],
        )
        kept = item_subtopic[has_users]
        return GeneratedData(
            interactions, kept // np.int32(self.n_subtopics_per_topic), kept, user_topic, user_subtopics
        )

    def _draw_favourites(self, user_topic: Int32Array, rng: np.random.Generator) -> Int32Array:
        order = rng.random((self.n_users, self.n_subtopics_per_topic)).argsort(axis=1)
        chosen = np.sort(order[:, : self.n_favourites], axis=1)
        return (user_topic[:, None] * self.n_subtopics_per_topic + chosen).astype(np.int32)

    def _draw_interactions(
        self,
        item_subtopic: Int32Array,
        user_topic: Int32Array,
        user_subtopics: Int32Array,
        rng: np.random.Generator,
    ) -> tuple[Int64Array, Int32Array]:
        """Draw each user's items without replacement: the first arrivals of a race whose rates are the tastes."""
        sizes = self._draw_sizes(rng)
        popularity = self._draw_popularity(item_subtopic, rng)
        n_at_once = max(1, _PAIRS_AT_ONCE // self.n_items)
        rows: list[Int64Array] = []
        for start in range(0, self.n_users, n_at_once):
            block = slice(start, start + n_at_once)
            rates = self._compute_tastes(user_topic[block], user_subtopics[block])[:, item_subtopic] * popularity
            rows += _draw_first_arrivals(rates, sizes[block], rng)
        indptr = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum([len(row) for row in rows], dtype=np.int64)])
        return indptr, np.concatenate(rows).astype(np.int32)

    def _draw_sizes(self, rng: np.random.Generator) -> Int64Array:
        spread = 0.5
        mean = np.log(self.interactions_per_user) - spread**2 / 2
        return np.clip(rng.lognormal(mean, spread, self.n_users).round(), 1, self.n_items // 2).astype(np.int64)

    def _draw_popularity(self, item_subtopic: Int32Array, rng: np.random.Generator) -> Float32Array:
        """Return each item's share of its subtopic, (n_items,): Zipf's law over its items in random order."""
        starts = np.searchsorted(item_subtopic, np.arange(self.n_subtopics + 1))
        shares = np.empty(self.n_items)
        for start, end in pairwise(starts.tolist()):
            weights = 1.0 / (1.0 + rng.permutation(end - start)) ** self.popularity_skew
            shares[start:end] = weights / weights.sum()
        return shares.astype(np.float32)

    def _compute_tastes(self, user_topic: Int32Array, user_subtopics: Int32Array) -> Float32Array:
        """Return the share of each user's interactions that goes to each subtopic, (n_users, n_subtopics)."""
        tastes = np.full((len(user_topic), self.n_subtopics), self.noise / self.n_subtopics, dtype=np.float32)
        coarse, fine = (1 - self.noise) * (1 - self.fine_share), (1 - self.noise) * self.fine_share
        own_topic = np.arange(self.n_subtopics) // self.n_subtopics_per_topic == user_topic[:, None]
        tastes += own_topic * np.float32(coarse / self.n_subtopics_per_topic)
        rows = np.arange(len(user_topic))[:, None]
        tastes[rows, user_subtopics] += np.float32(fine / self.n_favourites)
        return tastes

    def _build_item_ids(self, item_subtopic: Int32Array) -> Texts:
        within = item_subtopic % self.n_subtopics_per_topic
        topics = _number_names("topic", self.n_topics)[item_subtopic // self.n_subtopics_per_topic]
        subtopics = _number_names("/sub", self.n_subtopics_per_topic)[within]
        places = np.arange(self.n_items) - np.searchsorted(item_subtopic, item_subtopic)
        ids: Texts = topics + subtopics + _number_names("/item", int(places.max()) + 1)[places]
        return ids


def _draw_first_arrivals(
    rates: Float32Array,  # (n_users, n_items)
    sizes: Int64Array,  # (n_users,)
    rng: np.random.Generator,
) -> list[Int64Array]:
    """Return each user's first `size` items of a race, ascending; items of rate zero never arrive."""
    with np.errstate(divide="ignore"):
        arrivals = rng.standard_exponential(rates.shape, dtype=np.float32) / rates
    longest = int(sizes.max())
    first = np.argpartition(arrivals, longest - 1, axis=1)[:, :longest]
    times = np.take_along_axis(arrivals, first, axis=1)
    order = np.argsort(times, axis=1)
    first, arrived = np.take_along_axis(first, order, axis=1), np.isfinite(times).sum(axis=1)
    return [np.sort(row[:size]) for row, size in zip(first, np.minimum(sizes, arrived), strict=True)]


def _number_names(prefix: str, n: int) -> Texts:
    """Return prefix1 to prefixn with as many zeros as keep them in order."""
    digits = len(str(n))
    return np.array([f"{prefix}{number:0{digits}}" for number in range(1, n + 1)], dtype=StringDType())
