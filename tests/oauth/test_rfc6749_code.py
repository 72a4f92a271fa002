"""RFC 6749 4.1 with RFC 7636 and RFC 9207: a code, and its tokens, once."""

import json
from datetime import timedelta
from typing import Any

import pytest

from idp.model import AccountState
from tests.oauth.clients import BILLING, SECRET, SERVICE
from tests.oauth.provider import CHALLENGE, ISSUER, NOW, Provider, answer_of, page_of


def test_a_code_gives_tokens_that_another_library_verifies(provider: Provider):
    answered = answer_of(provider.authorize()) if provider.door.sign_in() else {}
    assert answered["state"] == "st"
    assert answered["iss"] == ISSUER
    assert answered["keep"] == "1"
    response = provider.redeem(answered["code"])
    assert response.headers["Cache-Control"] == "no-store"
    body = response.json
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 300
    assert body["scope"] == "billing:read"
    access = provider.read(body["access_token"], BILLING)
    assert access["typ"] == "at+jwt"
    assert access["alg"] == "ES256"
    assert access["aud"] == BILLING
    assert access["sub"] == "acc_maria"
    assert access["client_id"] == "portal"
    assert access["acr"] == "pwd+pin"
    assert access["amr"] == ["pwd", "pin"]
    assert access["auth_time"] == int(NOW.timestamp())
    assert access["sid"] == "sid0"
    assert access["exp"] - access["iat"] == 300
    identity = provider.read(body["id_token"], "portal")
    assert identity["nonce"] == "n-1"
    assert identity["aud"] == identity["azp"] == "portal"
    assert identity["typ"] == "JWT"
    assert "at_hash" in identity


def test_rs256_for_those_who_registered_it(provider: Provider):
    provider.door.sign_in()
    code = provider.code(client_id="poster")
    body = provider.redeem(code, None, client_id="poster", client_secret=SECRET).json
    assert provider.read(body["id_token"], "poster")["alg"] == "RS256"


def test_a_second_right_use_ends_what_the_first_gave(provider: Provider):
    code = provider.code()
    first = provider.redeem(code).json
    assert provider.active(first["access_token"])["active"]
    second = provider.redeem(code)
    assert (second.status_code, second.json["error"]) == (400, "invalid_grant")
    assert provider.active(first["access_token"]) == {"active": False}
    assert provider.refresh(first["refresh_token"]).json["error"] == "invalid_grant"
    assert ("token.code", "refused") in provider.audit()


@pytest.mark.parametrize(
    ("client", "changes"),
    [
        ("portal", {"code_verifier": "x" * 43}),
        ("portal", {"code_verifier": None}),
        ("portal", {"code_verifier": ""}),
        ("portal", {"redirect_uri": "https://portal.example/cb"}),
        ("portal", {"redirect_uri": None}),
        ("other", {}),
    ],
)
def test_a_wrong_use_changes_nothing(provider: Provider, client: str, changes: dict[str, Any]):
    code = provider.code()
    assert provider.redeem(code, client, **changes).json["error"] == "invalid_grant"
    first = provider.redeem(code).json
    assert provider.redeem(code, client, **changes).json["error"] == "invalid_grant"
    assert provider.active(first["access_token"])["active"]


def test_the_challenge_itself_is_no_verifier(provider: Provider):
    assert provider.redeem(provider.code(), code_verifier=CHALLENGE).json["error"] == "invalid_grant"


def test_a_verifier_without_a_challenge_is_a_downgrade(provider: Provider):
    provider.door.sign_in()
    stripped = {"client_id": "old", "code_challenge": None, "code_challenge_method": None}
    assert provider.redeem(provider.code(**stripped), "old").json["error"] == "invalid_grant"
    assert provider.redeem(provider.code(**stripped), "old", code_verifier=None).status_code == 200


def test_a_code_lives_a_minute(provider: Provider):
    code = provider.code()
    provider.clock.advance(seconds=61)
    assert provider.redeem(code).json["error"] == "invalid_grant"


def test_an_account_blocked_meanwhile_gets_nothing(provider: Provider):
    code = provider.code()
    with provider.store.begin() as tx:
        tx.accounts.set_state("acc_maria", AccountState.BLOCKED, NOW)
    assert provider.redeem(code).json["error"] == "invalid_grant"


def test_without_resource_the_token_is_for_userinfo(provider: Provider):
    body = provider.tokens(resource=[BILLING, SERVICE], scope="openid billing:read service:read")
    assert provider.read(body["access_token"], ISSUER)["scope"] == "openid"


@pytest.mark.parametrize("name", ["code", "grant_type"])
def test_what_is_missing_is_named(provider: Provider, name: str):
    form = {"grant_type": "authorization_code", "code": "x"}
    response = provider.token(**(form | {name: None}))
    assert (response.status_code, response.json["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("kind", ["password", "implicit", "AUTHORIZATION_CODE", "urn:x", "authorization_code "])
def test_other_grants_do_not_exist(provider: Provider, kind: str):
    assert provider.token(grant_type=kind).json["error"] == "unsupported_grant_type"


def test_a_grant_not_registered(provider: Provider):
    assert provider.token("portal", grant_type="client_credentials").json["error"] == "unauthorized_client"


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (json.dumps({"grant_type": "x"}), "application/json", 415),
        (b"--x--", "multipart/form-data; boundary=x", 415),
        ("grant_type=x", "application/x-www-form-urlencoded; charset=utf-16", 415),
        ("grant_type=x&grant_type=x", "application/x-www-form-urlencoded", 400),
        ("grant_type=%ff", "application/x-www-form-urlencoded", 400),
        ("grant_type=%00", "application/x-www-form-urlencoded", 400),
        (b"grant_type=\xff", "application/x-www-form-urlencoded", 400),
        ("&".join(f"a{n}=1" for n in range(300)), "application/x-www-form-urlencoded", 400),
        ("grant_type=" + "x" * 70_000, "application/x-www-form-urlencoded", 413),
        ("", "application/x-www-form-urlencoded", 400),
    ],
)
def test_bodies_that_are_no_form(provider: Provider, data: Any, kind: str, status: int):
    response = provider.http.post("/token", data=data, content_type=kind)
    assert (response.status_code, response.json["error"]) == (status, "invalid_request")


@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_other_methods(provider: Provider, path: str, method: str):
    response = provider.http.open(path, method=method)
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST, OPTIONS"


def test_a_lost_sign_in(provider: Provider):
    assert page_of(provider.http.get("/authorize/none")) == "invalid_request"


def test_a_grant_of_the_session_ends_with_the_longest_session(provider: Provider):
    body = provider.tokens()
    for _ in range(13):
        provider.clock.advance(hours=1)
        response = provider.refresh(body["refresh_token"])
        body = response.json if response.status_code == 200 else body
    assert response.json["error"] == "invalid_grant"
    assert provider.world.policy.session.absolute == timedelta(hours=12)
