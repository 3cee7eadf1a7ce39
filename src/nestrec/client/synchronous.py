"""The client of a server for programs without asyncio."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

import nestrec.client.calls as calls
from nestrec.client.calls import Call, ListKeywords, ModelKeywords, RecommendKeywords
from nestrec.client.exchange import Retries, decode_answer, encode_call
from nestrec.errors import RequestError
from nestrec.extras import require
from nestrec.serving.messages import (
    Embedding,
    Id,
    ItemList,
    ItemLists,
    ModelDescriptions,
    Neighbours,
    Reloaded,
    Scores,
)

if TYPE_CHECKING:
    import httpx

Answer = TypeVar("Answer")


class Client:
    """A client of `nestrec serve`; threads may share it.

    Calls raise RequestError where the server refuses or cannot be reached. Those that fail for a moment (429, 502 to
    504, no connection) are sent again after a pause. Options that are left out have the server's defaults.

    >>> import nestrec.client
    >>> with nestrec.client.Client("http://127.0.0.1:8000", key="…") as client:  # doctest: +SKIP
    ...     found = client.recommend("u01", k=5, width=16)
    ...     [item.id for item in found.items]
    """

    def __init__(
        self,
        address: str = "http://127.0.0.1:8000",
        key: str | None = None,
        *,
        timeout: float = 5.0,
        retries: int = 2,
        http: httpx.Client | None = None,
    ) -> None:
        """Take the address of a server, and a key if it needs one.

        Args:
            address: scheme, host and port.
            key: sent as `Authorization: Bearer KEY`.
            timeout: seconds until an attempt is given up.
            retries: further attempts.
            http: a client of httpx, for proxies and certificates; it is not closed with this one.

        """
        self._library = require("httpx", "client", "the client")
        self._retries, self._owned = Retries(retries), http is None
        self._http = http or self._library.Client(timeout=timeout)
        self._address = address.rstrip("/")
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}

    def recommend(self, user: Id, **options: Unpack[RecommendKeywords]) -> ItemList:
        """Return items for a user of the model, best first.

        Options: `k`, `width`, `model`, `allow`, `deny`, `where`, `exact`, `exclude_seen`, `diversity`, `explain`,
        `titles`, `skip_unknown`, as in `NestedEmbeddings.recommend` and in the server's description.
        """
        call: Call[Any] = calls.recommend(user, options)
        return calls.first_list(self._send(call))

    def recommend_batch(self, users: Sequence[Id], **options: Unpack[RecommendKeywords]) -> ItemLists:
        """Return a list for each user, with the ids that were left out for `skip_unknown`; options as in recommend."""
        return self._send(calls.recommend_batch(users, options))

    def recommend_for(
        self, history: Sequence[Id], weights: Sequence[float] | None = None, **options: Unpack[RecommendKeywords]
    ) -> ItemLists:
        """Return one list for a new user by the items of a history; options as in recommend."""
        return self._send(calls.recommend_for(history, weights, options))

    def similar_items(self, item: Id, **options: Unpack[ListKeywords]) -> Neighbours:
        """Return the items most similar to an item; options: those of recommend for filters and titles."""
        return self._send(calls.similar_items(item, options))

    def score(self, users: Sequence[Id], items: Sequence[Id], **options: Unpack[ModelKeywords]) -> Scores:
        """Return the scores of pairs: two lists of equal length, or one of them with a single id."""
        return self._send(calls.score(users, items, options))

    def user_embedding(self, user: Id, **options: Unpack[ModelKeywords]) -> Embedding:
        """Return the vector of a user."""
        return self._send(calls.embedding("users", user, options))

    def item_embedding(self, item: Id, **options: Unpack[ModelKeywords]) -> Embedding:
        """Return the vector of an item."""
        return self._send(calls.embedding("items", item, options))

    def models(self) -> ModelDescriptions:
        """Return the models that are served."""
        return self._send(calls.models())

    def reload(self, model: str | None = None) -> Reloaded:
        """Load a model again, or all of them, with an admin key; never sent twice."""
        return self._send(calls.reload(model))

    def close(self) -> None:
        """Close the connections."""
        if self._owned:
            self._http.close()

    def _send(self, call: Call[Answer]) -> Answer:
        arguments = encode_call(call)
        arguments["url"] = self._address + arguments["url"]
        arguments["headers"] = {**self._headers, **arguments.get("headers", {})}
        attempt = 0
        while True:
            try:
                response = self._http.request(**arguments)
            except self._library.TransportError as error:
                pause = self._retries.pause(attempt, None, {}, may_repeat=call.may_repeat)
                if pause is None:
                    raise RequestError(f"the server at {self._address} cannot be reached ({error!r})") from error
            else:
                pause = self._retries.pause(attempt, response.status_code, response.headers, may_repeat=call.may_repeat)
                if pause is None:
                    request_id = response.headers.get("x-request-id")
                    return decode_answer(call, response.status_code, response.content, request_id)
            time.sleep(pause)
            attempt += 1

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()
