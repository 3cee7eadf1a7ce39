"""Requests by the server's own OpenAPI description, right and wrong ones: answered as the description says, or refused.

`run(n, seed)` sends about n requests to an application in this process. "foreign" counts statuses of 5xx but 503,
statuses, types and bodies that the description does not have.
"""

from __future__ import annotations

import random
import warnings
from collections import Counter
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi import checks

from nestrec import Run, SyntheticData, Trainer
from nestrec.serving.api_keys import ApiKeys
from nestrec.serving.app import Server, ServerOptions
from nestrec.serving.gate import Keys
from nestrec.serving.limits import Limits
from nestrec.serving.model_set import ModelSet
from nestrec.serving.served_model import serve_model
from nestrec.serving.splitting import Split

EXAMPLES: list[str] = []

_CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
_SHOWN = 20
_MOST = 0.85
_ADMIN = "a-key-of-the-admin-1"


def run(n: int, seed: int) -> dict[str, int]:
    """Return how many requests were answered, refused, and answered otherwise than described."""
    counts: Counter[str] = Counter({"answered": 0, "refused": 0, "foreign": 0})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = build_server()
        known = _list_known(server)
        schema: Any = schemathesis.openapi.from_asgi("/openapi.json", server)
        operations = [found.ok() for found in schema.get_all_operations()]
        for operation in operations:
            _send(operation, max(1, n // len(operations)), seed, known, counts)
    return counts


def build_server() -> Server:
    """Return a server of two small models, one of them with an item table, and a split between them."""
    interactions = SyntheticData(n_users=40, n_items=60, interactions_per_user=8).generate(seed=0).interactions
    models = [
        Trainer(widths=(4, 8), epochs=1).fit(interactions, run=Run(seed=seed), validation=None) for seed in (0, 1)
    ]
    ids = models[0].items.ids.tolist()
    table = {"id": ids, "title": [f"<b>{id_}" for id_ in ids], "price": range(len(ids))}
    served = [serve_model("shop", models[0].with_item_table(table)), serve_model("plain", models[1])]
    split = Split({"shop": 0.5, "plain": 0.3, "shop+plain": 0.2})
    options = ServerOptions(Limits(deadline=60.0), keys=Keys(None, ApiKeys({"ops": _ADMIN})))
    return Server(ModelSet.of(served, split), options)


def _list_known(server: Server) -> dict[str, list[Any]]:
    """Return values of parameters that a description cannot have: ids, widths and names that are there."""
    model = server.models.find(None).model
    users, items = (vocabulary.ids[:9].tolist() for vocabulary in (model.users, model.items))
    return {
        "user": users, "users": users, "item": items, "items": items, "id": [*users, *items], "allow": items,
        "deny": items, "history": items, "model": ["plain"], "name": ["plain", "shop"], "width": [4, 8],
        "k": [1, 10, 60], "where": ["price < 20"],
    }  # fmt: skip


def _send(operation: Any, n: int, number: int, known: dict[str, list[Any]], counts: Counter[str]) -> None:
    generator = random.Random(number)
    modes = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]
    for mode in modes:

        @seed(number)
        @settings(
            max_examples=max(1, n // len(modes)),
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def send(case: Case[Any]) -> None:
            _make_known(case, known, generator)
            _judge(case, counts)

        try:
            send()
        except Exception as error:  # such as a part of which no wrong value can be made
            if "Unsatisfiable" not in type(error).__name__ and "Skip" not in type(error).__name__:
                raise


def _make_known(case: Case[Any], known: dict[str, list[Any]], generator: random.Random) -> None:
    """Replace most ids, widths and names by some that are there, and leave options out that exclude each other."""
    places: list[Any] = [case.path_parameters, case.query, case.body]
    for place in places:
        if not isinstance(place, dict):
            continue
        for name in list(place):
            if generator.random() > _MOST:
                continue
            if name in known:
                found = generator.choice(known[name])
                place[name] = [found] * min(5, len(place[name])) if isinstance(place[name], list) else found
            if name in ("dimensions", "weights") or (name == "history" and "users" in place):
                del place[name]


def _judge(case: Case[Any], counts: Counter[str]) -> None:
    response = case.call(headers={"X-API-Key": _ADMIN})
    if response.status_code >= 500 and response.status_code != 503:
        _note(case, f"status {response.status_code}", counts)
        return
    try:
        case.validate_response(response, checks=_CHECKS)
    except (FailureGroup, Failure) as error:
        _note(case, str(error)[:300], counts)
        return
    counts["answered" if response.status_code < 400 else "refused"] += 1


def _note(case: Case[Any], what: str, counts: Counter[str]) -> None:
    counts["foreign"] += 1
    if len(EXAMPLES) < _SHOWN:
        EXAMPLES.append(f"{case.as_curl_command()}: {what}")
