"""OpenID Connect RP-Initiated Logout: at once where a hint proves whom it means, otherwise the person is asked."""

import json
from typing import Any

import pytest

from tests.oauth.provider import Provider

BYE = "https://portal.example/bye"


def shown(response: Any) -> dict[str, Any]:
    assert response.status_code == 200, (response.status_code, response.headers)
    return dict(json.loads(response.text))


def test_a_hint_of_this_session_ends_it_and_its_grants(provider: Provider):
    body = provider.tokens()
    offline = provider.tokens(scope="openid offline_access")
    wish = {"id_token_hint": body["id_token"], "post_logout_redirect_uri": BYE, "state": "a\r\n&b", "client_id": "portal"}
    provider.clock.advance(minutes=15)
    response = provider.http.get("/logout", query_string=wish)
    assert (response.status_code, response.headers["Location"]) == (303, f"{BYE}?state=a%0D%0A%26b")
    assert "Clear-Site-Data" in response.headers
    assert provider.door.held is None
    assert provider.refresh(body["refresh_token"]).json["error"] == "invalid_grant"
    assert provider.refresh(offline["refresh_token"]).status_code == 200
    assert ("session.ended", "done") in provider.audit()


def test_without_state_none_comes_back(provider: Provider):
    body = provider.tokens()
    wish = {"id_token_hint": body["id_token"], "post_logout_redirect_uri": BYE}
    assert provider.http.get("/logout", query_string=wish).headers["Location"] == BYE


@pytest.mark.parametrize(
    "changes",
    [
        {"post_logout_redirect_uri": "https://evil.example/"},
        {"post_logout_redirect_uri": BYE + "?foo=bar"},
        {"client_id": "other"},
        {"id_token_hint": "x"},
        {"id_token_hint": None},
    ],
)
def test_what_proves_nothing_is_asked(provider: Provider, changes: dict[str, str]):
    wish = {"id_token_hint": provider.tokens()["id_token"], "post_logout_redirect_uri": BYE} | changes
    response = provider.http.get("/logout", query_string={name: value for name, value in wish.items() if value is not None})
    assert shown(response)["page"] == "sign_out"
    assert provider.door.held is not None


def test_a_hint_of_another_session_is_asked(provider: Provider):
    body = provider.tokens()
    provider.door.sign_in()
    page = shown(
        provider.http.get("/logout", query_string={"id_token_hint": body["id_token"], "post_logout_redirect_uri": BYE})
    )
    assert page == {"page": "sign_out", "fields": {}, "locale": None}


def test_asked_and_confirmed(provider: Provider):
    body = provider.tokens()
    wish = {"client_id": "portal", "post_logout_redirect_uri": BYE, "state": "s", "ui_locales": "it"}
    page = shown(provider.http.get("/logout", query_string=wish))
    assert page == {"page": "sign_out", "fields": wish, "locale": "it"}
    assert provider.http.post("/logout/confirm", data=wish).status_code == 403
    assert provider.door.held is not None
    response = provider.http.post("/logout/confirm", data=wish | {"csrf": "good"})
    assert response.headers["Location"] == f"{BYE}?state=s"
    assert provider.refresh(body["refresh_token"]).json["error"] == "invalid_grant"


def test_nothing_asked_for(provider: Provider):
    assert shown(provider.http.get("/logout"))["page"] == "signed_out"
    provider.door.sign_in()
    assert shown(provider.http.get("/logout"))["page"] == "sign_out"
    assert shown(provider.http.post("/logout/confirm", data={"csrf": "good"}))["page"] == "signed_out"


def test_signed_out_already(provider: Provider):
    body = provider.tokens()
    provider.door.held = None
    wish = {"id_token_hint": body["id_token"], "post_logout_redirect_uri": BYE}
    assert provider.http.get("/logout", query_string=wish).headers["Location"] == BYE
    unproved = {"client_id": "portal", "post_logout_redirect_uri": BYE}
    assert shown(provider.http.get("/logout", query_string=unproved))["page"] == "signed_out"


def test_another_sites_post_comes_again_with_cookies(provider: Provider):
    response = provider.http.post("/logout", data={"client_id": "portal"})
    assert (response.status_code, response.headers["Location"]) == (303, "/logout?client_id=portal")


def test_doubled_parameters(provider: Provider):
    assert provider.http.get("/logout?state=a&state=a").status_code == 400
    assert provider.http.get("/logout", query_string={"state": "x" * 5000}).status_code == 400
    assert provider.http.post("/logout", json={}).status_code == 415
