"""RFC 9701: what introspection tells, signed for whoever asked; and RFC 7662 as before for everybody else."""

from typing import Any

import jwt
import pytest
from werkzeug.test import TestResponse

from tests.oauth.clients import SECRET
from tests.oauth.provider import ISSUER, Provider, basic

KIND = "application/token-introspection+jwt"


def ask(provider: Provider, token: str | None, client: str = "billing", accept: str = KIND) -> TestResponse:
    headers = {**basic(client, SECRET), "Accept": accept}
    return provider.http.post("/introspect", data={"token": token} if token else {}, headers=headers)


def signed(provider: Provider, response: TestResponse, audience: str = "billing") -> dict[str, Any]:
    assert (response.status_code, response.headers["Content-Type"]) == (200, KIND)
    assert response.headers["Cache-Control"] == "no-store"
    claims = provider.read(response.text, audience)
    assert (claims.pop("typ"), claims.pop("alg")) == ("token-introspection+jwt", "ES256")
    return claims


def test_the_same_as_in_json_signed_for_who_asks(provider: Provider):
    token = provider.tokens()["access_token"]
    claims = signed(provider, ask(provider, token))
    now = int(provider.clock().timestamp())
    assert claims == {"iss": ISSUER, "aud": "billing", "iat": now, "token_introspection": provider.active(token)}
    assert claims["token_introspection"]["active"] is True


def test_of_a_token_that_is_not_active_no_more_is_told(provider: Provider):
    token = provider.tokens()["access_token"]
    for one, client in (("x", "billing"), (token, "service")):
        told = signed(provider, ask(provider, one, client), client)
        assert told["token_introspection"] == {"active": False}


@pytest.mark.parametrize("accept", ["application/json", "*/*", "", f"{KIND};q=0", f"{KIND};q=x", f"{KIND};q=0.5, */*", "a/jwt"])
def test_json_for_everybody_else(provider: Provider, accept: str):
    response = ask(provider, provider.tokens()["access_token"], accept=accept)
    assert response.headers["Content-Type"] == "application/json"
    assert response.json["active"] is True


def test_among_others_that_are_accepted(provider: Provider):
    assert signed(provider, ask(provider, "x", accept=f"application/json;q=0.5, {KIND.upper()};q=0.9"))


def test_errors_stay_json(provider: Provider):
    assert ask(provider, None).json["error"] == "invalid_request"
    refused = provider.http.post("/introspect", data={"token": "x"}, headers={**basic("billing", "wrong"), "Accept": KIND})
    assert (refused.status_code, refused.json["error"]) == (401, "invalid_client")


def test_it_is_taken_for_no_other_token(provider: Provider):
    """RFC 9701 8.1: neither for an access token nor for an ID token, here or at a backend."""
    token = ask(provider, provider.tokens()["access_token"]).text
    assert provider.active(token) == {"active": False}
    assert provider.http.get("/userinfo", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    assert provider.ring.verify(token, "JWT") is None
    assert not {"sub", "exp", "client_id"} & jwt.decode(token, options={"verify_signature": False}).keys()


def test_the_metadata_say_so(provider: Provider):
    told = provider.http.get("/.well-known/openid-configuration").json
    assert told["introspection_signing_alg_values_supported"] == ["ES256"]
