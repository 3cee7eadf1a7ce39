"""Under load, requests that name no width are answered at narrower ones, and say so, before any is rejected."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nestrec.serving.app import Server, ServerOptions
from nestrec.serving.limits import Limits
from nestrec.serving.model_set import ModelSet
from nestrec.serving.narrowing import Narrowing
from nestrec.serving.served_model import ServedModel
from tests.serving.asgi import client_of


@pytest.fixture
def quicker(served: ServedModel) -> ServedModel:
    """Return a model that was measured to be quicker at narrower widths."""
    return replace(served, milliseconds={4: 0.2, 8: 0.5, 16: 1.0})


def test_only_widths_that_are_clearly_quicker_are_taken(served: ServedModel, quicker: ServedModel) -> None:
    assert quicker.narrower == (16, 8, 4)
    assert replace(served, milliseconds={4: 9.0, 8: 0.95, 16: 1.0}).narrower == (16,)
    assert replace(served, milliseconds={4: 0.5, 8: 0.55, 16: 1.0}).narrower == (16, 8)


def test_the_fuller_the_narrower(quicker: ServedModel) -> None:
    narrowing = Narrowing(0.2)
    chosen = [narrowing.choose(quicker, share) for share in (0.0, 0.19, 0.2, 0.5, 0.6, 0.7, 1.0)]
    assert chosen == [16, 16, 8, 8, 8, 4, 4]
    assert Narrowing(1).choose(quicker, 1.0) == 16
    assert narrowing.choose(replace(quicker, milliseconds={4: 1.0, 8: 1.0, 16: 1.0}), 1.0) == 16


def test_requests_without_a_width_are_narrowed_and_then_rejected(quicker: ServedModel) -> None:
    user = quicker.model.users.ids.tolist()[0]
    options = ServerOptions(Limits(in_flight=8), Narrowing(0.25))
    with client_of(Server(ModelSet.of([quicker]), options)) as client:
        alone = client.get(f"/v1/recommend/{user}")
        assert (alone.json["width"], alone.json["narrowed"], "x-narrowed" in alone.headers) == (16, False, False)
        path = f"/v1/recommend/{user}"
        replies = client.ask_at_once(*[("GET", path, "")] * 7, ("GET", path, "width=16"), *[("GET", path, "")] * 2)
        text = client.get("/metrics").body
    answered = [reply for reply in replies if reply.status == 200]
    assert [reply.status for reply in replies[8:]] == [429, 429]
    assert all("x-narrowed" not in reply.headers for reply in replies[8:])
    assert [reply.json["width"] for reply in answered] == [16, 16, 8, 8, 8, 4, 4, 16]
    for reply in answered:
        assert reply.json["narrowed"] == (reply.json["width"] < 16)
        assert reply.headers.get("x-narrowed") == ("load" if reply.json["narrowed"] else None)
        assert reply.headers["x-width"] == str(reply.json["width"])
    assert b"nestrec_narrowed_total 5.0" in text


def test_a_narrowed_list_is_that_of_its_width(quicker: ServedModel) -> None:
    user = quicker.model.users.ids.tolist()[0]
    with client_of(Server(ModelSet.of([quicker]), ServerOptions(Limits(in_flight=2), Narrowing(0)))) as client:
        narrowed, tag = (
            client.get(f"/v1/recommend/{user}", k=5),
            client.get(f"/v1/recommend/{user}", k=5, width=8).headers["etag"],
        )
    assert narrowed.json["width"] == 8
    assert narrowed.headers["etag"] == tag
    assert [item["id"] for item in narrowed.json["items"]] == quicker.model.recommend(user, 5, 8).ids.tolist()
