"""OpenID Connect Front-Channel Logout 1.0: the page at the end tells every client that the browser went to, then goes on."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.oauth.provider import ISSUER, Provider

BYE = "https://portal.example/bye"
TOLD = {"portal": "https://portal.example/over", "other": "https://other.example/over?tenant=1"}


@pytest.fixture
def front(provider: Provider) -> Provider:
    clients = provider.world.clients
    provider.start(clients={**clients, **{n: replace(clients[n], frontchannel_logout_uri=uri) for n, uri in TOLD.items()}})
    return provider


def shown(response: Any) -> dict[str, Any]:
    assert response.status_code == 200, (response.status_code, response.headers)
    return dict(json.loads(response.text))


def test_clients_of_the_session_are_told_and_then_it_goes_on(front: Provider):
    hint = front.tokens()["id_token"]
    front.code(client_id="other")
    front.code(client_id="old")
    sid = front.door.sessions[-1].public_id
    wish = {"id_token_hint": hint, "post_logout_redirect_uri": BYE, "state": "a&b\n"}
    page = shown(front.http.get("/logout", query_string=wish))
    assert page["onward"] == f"{BYE}?state=a%26b%0A"
    assert page["client"] == "portal"
    frames = {urlsplit(frame).netloc: parse_qs(urlsplit(frame).query) for frame in page["frames"]}
    assert frames == {
        "portal.example": {"iss": [ISSUER], "sid": [sid]},
        "other.example": {"tenant": ["1"], "iss": [ISSUER], "sid": [sid]},
    }


def test_a_client_that_the_browser_did_not_go_to_hears_nothing(front: Provider):
    front.code()
    first = front.door.sessions[-1].public_id
    front.door.sign_in()
    front.code(client_id="other")
    page = shown(front.http.post("/logout/confirm", data={"csrf": "good"}))
    assert [urlsplit(frame).netloc for frame in page["frames"]] == ["other.example"]
    assert first not in page["frames"][0]
    assert page["onward"] is None


def test_one_that_stays_signed_in_offline_is_told_too(front: Provider):
    front.tokens(scope="openid offline_access")
    assert len(shown(front.http.post("/logout/confirm", data={"csrf": "good"}))["frames"]) == 1


def test_one_that_was_disabled_is_not(front: Provider):
    front.code()
    clients = front.world.clients
    held = front.door.held
    front.start(clients={**clients, "portal": replace(clients["portal"], disabled=True)})
    front.door.held = held
    assert "frames" not in shown(front.http.post("/logout/confirm", data={"csrf": "good"}))


def test_where_nobody_is_told_it_goes_on_at_once(provider: Provider):
    hint = provider.tokens()["id_token"]
    answer = provider.http.get("/logout", query_string={"id_token_hint": hint, "post_logout_redirect_uri": BYE})
    assert (answer.status_code, answer.headers["Location"]) == (303, BYE)


def test_by_names_of_their_own(front: Provider):
    """In a sector, a session has another name than elsewhere."""
    clients = front.world.clients
    front.start(clients={**clients, "other": replace(clients["other"], sector="other.example")})
    front.code()
    front.code(client_id="other")
    page = shown(front.http.post("/logout/confirm", data={"csrf": "good"}))
    sids = [parse_qs(urlsplit(frame).query)["sid"][0] for frame in page["frames"]]
    assert len(set(sids)) == 2
    assert front.door.sessions[-1].public_id in sids
