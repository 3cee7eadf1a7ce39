"""The OpenAPI description has every route with its parameters, limits and statuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from nestrec.serving.app import Server, ServerOptions
from nestrec.serving.limits import Limits
from nestrec.serving.model_set import ModelSet
from nestrec.serving.served_model import ServedModel
from tests.serving.asgi import client_of


@pytest.fixture(scope="module")
def description(served: ServedModel) -> Any:
    with client_of(Server(ModelSet.of([served]), ServerOptions(Limits(k=77, users=5, items=9)))) as client:
        return client.get("/openapi.json").json


def test_every_route_of_the_api_is_described(description: Any) -> None:
    assert set(description["paths"]) == {
        "/v1/recommend/{user}", "/v1/recommend", "/v1/similar/{item}", "/v1/score", "/v1/embeddings/{side}/{id}",
        "/v1/models", "/v1/models/{name}", "/v1/admin/reload", "/live", "/ready",
    }  # fmt: skip
    names = [one["operationId"] for path in description["paths"].values() for one in path.values()]
    assert len(set(names)) == len(names)


def test_parameters_have_the_limits_of_the_server(description: Any) -> None:
    operation = description["paths"]["/v1/recommend/{user}"]["get"]
    parameters = {one["name"]: one for one in operation["parameters"]}
    assert parameters["user"]["in"] == "path"
    assert parameters["k"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 77, "default": 10} | {
        "description": parameters["k"]["schema"]["description"]
    }
    assert {"width", "dimensions", "where", "allow", "deny", "exact", "diversity", "explain"} <= set(parameters)
    assert "exact" not in {one["name"] for one in description["paths"]["/v1/similar/{item}"]["get"]["parameters"]}
    schemas = description["components"]["schemas"]
    assert schemas["RecommendRequest"]["properties"]["users"]["maxItems"] == 5
    assert schemas["RecommendRequest"]["properties"]["history"]["maxItems"] == 9


def test_statuses_are_those_of_the_kind_of_route(description: Any) -> None:
    paths = description["paths"]
    assert {"200", "304", "401", "404", "414", "422", "429", "503"} <= set(
        paths["/v1/recommend/{user}"]["get"]["responses"]
    )
    assert {"400", "408", "413", "415"} <= set(paths["/v1/recommend"]["post"]["responses"])
    assert {"403", "409"} <= set(paths["/v1/admin/reload"]["post"]["responses"])
    assert set(paths["/live"]["get"]["responses"]) == {"200"}


def test_the_reference_page_names_every_route_metric_status_and_limit(description: Any, served: ServedModel) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "server.md").read_text(encoding="utf-8")
    statuses = {
        status for path in description["paths"].values() for one in path.values() for status in one["responses"]
    }
    with client_of(Server(ModelSet.of([served]))) as client:
        client.get("/v1/models")
        metrics = set(re.findall(r"^# TYPE (nestrec_\w+)", client.get("/metrics").body.decode(), re.MULTILINE))
    names = {name for name in metrics if not name.endswith("_created")}
    fields = {"trace_id", "client", "model", "version", "arm", "width", "k", "n_users", "rejected", "narrowed", "ms"}
    values = {f"{value:,}" for value in vars(Limits()).values() if isinstance(value, int)}
    expected = {*description["paths"], *statuses, *names, *fields, *values}
    assert [word for word in sorted(expected) if word not in page] == []
