"""Examples of calls for the OpenAPI description, generated from the table of routes: curl and JavaScript."""

from __future__ import annotations

from typing import Any

import msgspec

from nestrec.serving.messages import RecommendRequest, ReloadRequest, ScoreRequest

_ADDRESS = "http://127.0.0.1:8000"
_BODIES: dict[type, Any] = {
    RecommendRequest: {"users": [1, 2], "k": 5, "width": 16},
    ScoreRequest: {"users": [1], "items": [10, 20]},
    ReloadRequest: {},
}
_PLACES = {"user": "1", "item": "10", "side": "items", "id": "10", "name": "model"}
_QUERY = {"/v1/recommend/{user}": "?k=5&width=16", "/v1/similar/{item}": "?k=5"}


def list_samples(method: str, path: str, body: type | None) -> list[dict[str, str]]:
    """Return an example in each language, as `x-codeSamples` has them.

    >>> list_samples("GET", "/v1/models", None)[0]["source"]
    "curl 'http://127.0.0.1:8000/v1/models' -H 'Authorization: Bearer KEY'"
    """
    address = _ADDRESS + path.format(**_PLACES) + _QUERY.get(path, "")
    message = None if body is None else msgspec.json.encode(_BODIES[body]).decode()
    return [
        {"lang": "Shell", "label": "curl", "source": _format_curl(address, message)},
        {"lang": "JavaScript", "label": "JavaScript", "source": _format_javascript(method, address, message)},
    ]


def _format_curl(address: str, message: str | None) -> str:
    words = f"curl '{address}' -H 'Authorization: Bearer KEY'"
    return words if message is None else f"{words} \\\n  -H 'Content-Type: application/json' -d '{message}'"


def _format_javascript(method: str, address: str, message: str | None) -> str:
    headers = '{"Authorization": "Bearer KEY"}'
    options = f"headers: {headers}"
    if message is not None:
        headers = '{"Authorization": "Bearer KEY", "Content-Type": "application/json"}'
        options = f"\n  method: '{method}',\n  headers: {headers},\n  body: JSON.stringify({message}),\n"
    return (
        f"const reply = await fetch('{address}', {{{options}}});\n"
        "const answer = await reply.json();\n"
        "if (!reply.ok) throw new Error(answer.detail);\n"
        "console.log(answer);"
    )
