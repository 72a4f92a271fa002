"""OpenID Connect RP-Initiated Logout: at once where a hint proves whom it means, otherwise the person is asked."""

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.oauth.provider import MARIA, Provider

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


# K-14


def test_a_hint_may_be_long_expired(provider: Provider):
    body = provider.tokens()
    provider.clock.advance(minutes=29)
    wish = {"id_token_hint": body["id_token"], "post_logout_redirect_uri": BYE}
    assert provider.http.get("/logout", query_string=wish).headers["Location"] == BYE


def test_a_hint_in_a_name_of_its_client_s_own(provider: Provider):
    provider.door.sign_in()
    body = provider.redeem(provider.code(client_id="pairwise"), "pairwise").json
    assert provider.read(body["id_token"], "pairwise")["sub"] != MARIA.id
    wish = {"id_token_hint": body["id_token"], "client_id": "pairwise", "post_logout_redirect_uri": BYE}
    assert provider.http.get("/logout", query_string=wish).headers["Location"] == BYE
    assert provider.door.held is None


def unsigned(payload: str) -> str:
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    return f"{header}.{payload}."


Claims = dict[str, Any]
# What is no hint of this session, by what is made of one that is.
FORGED: dict[str, Callable[[Provider, str, Claims], str]] = {
    "unsigned": lambda _, hint, __: unsigned(hint.split(".")[1]),
    "respelt": lambda _, hint, __: hint.replace(".", "=.", 1),
    "another provider's": lambda p, _, claims: p.ring.sign("ES256", "JWT", claims | {"iss": "https://other.example"}),
    "another person's": lambda p, _, claims: p.ring.sign("ES256", "JWT", claims | {"sub": "acc_other"}),
    "another session's": lambda p, _, claims: p.ring.sign("ES256", "JWT", claims | {"sid": "sid99"}),
    "of no session": lambda p, _, claims: p.ring.sign("ES256", "JWT", claims | {"sid": None}),
    "a logout token": lambda p, _, claims: p.ring.sign("ES256", "logout+jwt", claims),
    "an access token": lambda p, _, __: str(p.tokens()["access_token"]),
    "rubbish": lambda _, __, ___: "é.é.é",
}


@pytest.mark.parametrize("how", FORGED)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_whatever_proves_nothing_is_asked_and_carries_nothing_on(provider: Provider, how: str, method: str):
    hint = provider.tokens()["id_token"]
    claims = {name: value for name, value in provider.read(hint, "portal").items() if name not in {"typ", "alg"}}
    wish = {"id_token_hint": FORGED[how](provider, hint, claims), "post_logout_redirect_uri": BYE, "state": "s"}
    sent = {"query_string": wish} if method == "GET" else {"data": wish}
    page = shown(provider.http.open("/logout", method=method, **sent))
    assert page == {"page": "sign_out", "fields": {}, "locale": None}
    assert provider.door.held is not None


@pytest.mark.parametrize("state", ["", "ä €", "a b+c", "%0d%0aX: y", "\r\nX: y", "x" * 4096])
def test_the_state_comes_back_as_it_was(provider: Provider, state: str):
    wish = {"id_token_hint": provider.tokens()["id_token"], "post_logout_redirect_uri": BYE, "state": state}
    address = provider.http.get("/logout", query_string=wish).headers["Location"]
    assert parse_qs(urlsplit(address).query).get("state", [""]) == [state]
    assert "\n" not in address


def test_nobody_is_signed_out_by_another_site_without_a_hint(provider: Provider):
    provider.door.sign_in()
    for method in ("GET", "POST"):
        data = {"data": {"logout_hint": "maria"}} if method == "POST" else {"query_string": {"logout_hint": "maria"}}
        assert shown(provider.http.open("/logout", method=method, **data))["page"] == "sign_out"
        assert provider.http.open("/logout/confirm", method=method, **data).status_code in {403, 405}
    assert provider.door.held is not None


def test_what_the_page_carried_is_judged_again(provider: Provider):
    provider.door.sign_in()
    wish = {"client_id": "portal", "post_logout_redirect_uri": "https://evil.example/", "state": "s", "csrf": "good"}
    page = shown(provider.http.post("/logout/confirm", data=wish))
    assert (page["page"], provider.door.held) == ("signed_out", None)


def test_a_client_that_is_disabled_leads_nowhere(provider: Provider):
    provider.door.sign_in()
    wish = {"client_id": "disabled", "post_logout_redirect_uri": BYE, "csrf": "good"}
    assert shown(provider.http.post("/logout/confirm", data=wish))["client"] is None
