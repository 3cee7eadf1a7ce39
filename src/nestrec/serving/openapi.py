"""The OpenAPI description of the server, made from the types of its messages and its limits."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import msgspec

from nestrec.serving.code_samples import list_samples
from nestrec.serving.limits import Limits
from nestrec.serving.messages import Problem
from nestrec.serving.routes import Endpoint

_REFERENCE = "#/components/schemas/{name}"
_COMMON = {
    "401": "The key is missing or unknown.",
    "404": "The model does not know an id, or no model has this name.",
    "422": "A value breaks a rule or a limit.",
    "429": "Too many requests at once; send it again after Retry-After seconds.",
    "503": "The deadline is over; send it again after Retry-After seconds.",
}
_OF_QUERIES = {"400": "The query string cannot be read.", "414": "The query string is too long."}
_OF_BODIES = {
    "400": "The body cannot be read.",
    "408": "The body arrived too slowly.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
}
_OF_ADMINISTRATION = {"403": "Administration is closed.", "409": "A model was not loaded again."}
_SIDES = {"type": "string", "enum": ["users", "items"]}


def describe_api(endpoints: list[Endpoint], limits: Limits) -> dict[str, Any]:
    """Return the description as plain values.

    >>> describe_api([], Limits())["info"]["title"]
    'nestrec'
    """
    types = [Problem, *(kind for one in endpoints for kind in (one.query, one.body, one.answer) if kind is not None)]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    components = {name: _apply_limits(name, schema, limits) for name, schema in components.items()}
    found = {id(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: dict[str, Any] = {}
    for one in endpoints:
        paths.setdefault(one.path, {})[one.method.lower()] = _describe(one, found, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "nestrec", "version": version("nestrec"), "description": "Recommendations at any width."},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _describe(one: Endpoint, schemas: dict[int, Any], components: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": one.summary,
        "operationId": f"{one.method.lower()}{one.path.replace('/', '_').replace('{', '').replace('}', '')}",
        "parameters": [*_path_parameters(one.path), *_query_parameters(one.query, components), *_tag(one)],
        "responses": _responses(one, schemas),
        "x-codeSamples": list_samples(one.method, one.path, one.body),
    }
    if one.path.startswith("/v1/"):
        operation["security"] = [{}, {"bearer": []}, {"header": []}]
    if one.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas[id(one.body)]}},
        }
    return operation


def _responses(one: Endpoint, schemas: dict[int, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": schemas[id(one.answer)]}}
    headers = {"X-Request-ID": {"description": "Id of the request.", "schema": {"type": "string"}}}
    responses: dict[str, Any] = {"200": {"description": "The answer.", "content": content, "headers": headers}}
    if one.tagged:
        responses["304"] = {"description": "The client has the answer."}
    if not one.path.startswith("/v1/"):
        statuses = {"503": _COMMON["503"]} if one.path == "/ready" else {}
    else:
        statuses = _COMMON | (_OF_QUERIES if one.body is None else _OF_BODIES)
    if one.path.startswith("/v1/admin/"):
        statuses = statuses | _OF_ADMINISTRATION
    problem = {"application/problem+json": {"schema": schemas[id(Problem)]}}
    responses |= {status: {"description": text, "content": problem} for status, text in sorted(statuses.items())}
    if "409" in responses:
        responses["409"]["content"] = content
    return responses


def _path_parameters(path: str) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": _SIDES if name == "side" else {"type": "string", "minLength": 1},
        }
        for name in names
    ]


def _query_parameters(kind: Any, components: dict[str, Any]) -> list[dict[str, Any]]:
    properties = components[kind.__name__].get("properties", {})
    return [{"name": name, "in": "query", "schema": schema} for name, schema in properties.items()]


def _tag(one: Endpoint) -> list[dict[str, Any]]:
    if not one.tagged:
        return []
    return [{"name": "If-None-Match", "in": "header", "schema": {"type": "string"}}]


def _apply_limits(name: str, schema: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """Return a schema with the largest values that the server accepts."""
    properties = dict(schema.get("properties", {}))
    largest: dict[str, dict[str, int]] = {"k": {"maximum": limits.k}, "where": {"maxLength": limits.where_length}}
    largest |= {listed: {"maxItems": limits.items} for listed in ("allow", "deny", "history")}
    largest["users"] = {"maxItems": limits.users}
    if name == "ScoreRequest":
        largest["items"] = {"maxItems": limits.users}
    if name.endswith(("Options", "Request")):
        properties |= {key: {**properties[key], **values} for key, values in largest.items() if key in properties}
    return {**schema, "properties": properties} if properties else schema
