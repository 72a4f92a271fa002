"""RFC 7662, RFC 7009 and userinfo: what a token is worth, to whom, and how it ends."""

import base64
import hmac
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from joserfc.jwk import ECKey

from tests.oauth.clients import BILLING, SECRET, SERVICE
from tests.oauth.provider import Provider, basic


def confused(claims: dict[str, Any], secret: bytes, kid: str) -> str:
    """HS256 with a public key for its secret."""
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "at+jwt", "kid": kid}, claims)]
    message = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    return (message + b"." + base64.urlsafe_b64encode(hmac.digest(secret, message, "sha256")).rstrip(b"=")).decode()


def userinfo(provider: Provider, token: str) -> Any:
    return provider.http.get("/userinfo", headers={"Authorization": f"Bearer {token}"})


def test_a_resource_server_sees_the_tokens_meant_for_it(provider: Provider):
    token = provider.tokens()["access_token"]
    told = provider.active(token, "billing")
    claims = provider.read(token, BILLING)
    assert told["active"]
    assert told["token_type"] == "Bearer"
    assert {
        name: told[name] for name in ("sub", "aud", "client_id", "scope", "exp", "iat", "jti", "acr", "auth_time", "sid")
    } == {name: claims[name] for name in ("sub", "aud", "client_id", "scope", "exp", "iat", "jti", "acr", "auth_time", "sid")}
    assert provider.active(token, "service") == {"active": False}
    assert provider.active(token, "portal")["active"]
    assert provider.active(token, "other") == {"active": False}


def test_who_may_not_ask(provider: Provider):
    token = provider.tokens()["access_token"]
    assert provider.post("/introspect", None, token=token).status_code == 401
    assert provider.post("/introspect", None, token=token, client_id="app").status_code == 401
    assert provider.http.get("/introspect", headers=basic("billing", SECRET)).status_code == 405
    assert provider.post("/introspect", "billing").json["error"] == "invalid_request"


def test_refresh_tokens_of_ones_own(provider: Provider):
    body = provider.tokens()
    told = provider.active(body["refresh_token"], "portal")
    assert (told["active"], told["sub"]) == (True, "acc_maria")
    assert provider.active(body["refresh_token"], "billing") == {"active": False}
    assert provider.post("/introspect", "portal", token=body["refresh_token"], token_type_hint="access_token").json["active"]
    provider.refresh(body["refresh_token"])
    assert provider.active(body["refresh_token"], "portal") == {"active": False}


def test_a_token_ends_by_time_and_by_the_account(provider: Provider):
    body = provider.tokens()
    provider.clock.advance(minutes=5)
    assert provider.active(body["access_token"]) == {"active": False}
    assert userinfo(provider, body["access_token"]).status_code == 401
    machine = provider.token("billing", grant_type="client_credentials").json["access_token"]
    assert provider.active(machine, "service")["active"]


@pytest.mark.parametrize("token", ["x", "a.b", "a.b.c", "é", "." * 3, "x" * 60_000, "eyJ.eyJ.", "\ud7ff.\ue000"])
def test_nonsense_is_inactive(provider: Provider, token: str):
    assert provider.active(token) == {"active": False}
    assert provider.post("/revoke", token=token).status_code == 200


def test_forgeries(provider: Provider):
    """T-19, T-22, T-23, T-25: other types, other keys, none at all."""
    body = provider.tokens()
    real = body["access_token"]
    header, payload, signature = real.split(".")
    kid = jwt.get_unverified_header(real)["kid"]
    claims = jwt.decode(real, options={"verify_signature": False})
    public = next(key for key in provider.http.get("/jwks.json").json["keys"] if key["kid"] == kid)
    pem = ECKey.import_key(public).as_pem(private=False)
    own = ECKey.generate_key("P-256")
    forged = [
        body["id_token"],
        f"{header}.{payload}.",
        f"{header}.{payload}.{'A' * 86}",
        f"{header}.{payload}.{signature[:-1]}{'A' if signature[-1] != 'A' else 'B'}",
        real + "=",
        jwt.encode(claims, None, "none", {"typ": "at+jwt", "kid": kid}),
        *(confused(claims, secret, kid) for secret in (json.dumps(public).encode(), pem)),
        jwt.encode(claims, own.private_key, "ES256", {"typ": "at+jwt", "kid": kid}),
        jwt.encode(claims, own.private_key, "ES256", {"typ": "at+jwt", "jwk": own.as_dict(private=False)}),
        jwt.encode(
            claims, own.private_key, "ES256", {"typ": "at+jwt", "kid": "../../dev/null", "jku": "http://169.254.169.254/"}
        ),
    ]
    for token in forged:
        assert provider.active(token) == {"active": False}
        assert userinfo(provider, token).status_code == 401
    assert provider.active(real)["active"]


def test_an_access_token_is_revoked_by_its_client_alone(provider: Provider):
    body = provider.tokens()
    assert provider.post("/revoke", "other", token=body["access_token"]).status_code == 200
    assert provider.active(body["access_token"])["active"]
    assert provider.post("/revoke", token=body["access_token"]).status_code == 200
    assert provider.active(body["access_token"]) == {"active": False}
    assert provider.refresh(body["refresh_token"]).status_code == 200


def test_a_refresh_token_takes_its_family_along(provider: Provider):
    body = provider.tokens()
    assert provider.post("/revoke", "other", token=body["refresh_token"]).status_code == 200
    assert provider.active(body["access_token"])["active"]
    assert provider.post("/revoke", token=body["refresh_token"], token_type_hint="nonsense").status_code == 200
    assert provider.active(body["access_token"]) == {"active": False}
    assert provider.refresh(body["refresh_token"]).json["error"] == "invalid_grant"


def test_a_machine_token_is_revoked(provider: Provider):
    token = provider.token("billing", grant_type="client_credentials").json["access_token"]
    assert provider.active(token, "service")["active"]
    provider.post("/revoke", "billing", token=token)
    assert provider.active(token, "service") == {"active": False}


def test_userinfo_by_scope(provider: Provider):
    token = provider.tokens(scope="openid profile email", resource=None)["access_token"]
    told = userinfo(provider, token)
    assert told.json == {
        "sub": "acc_maria",
        "name": "Maria Rossi",
        "given_name": "Maria",
        "family_name": "Rossi",
        "preferred_username": "Maria.Rossi",
        "locale": "en",
        "zoneinfo": "UTC",
        "email": "maria@example.com",
        "email_verified": True,
    }
    assert told.headers["Cache-Control"] == "no-store"
    assert provider.http.post("/userinfo", data={"access_token": token}).json == told.json


def test_userinfo_refuses(provider: Provider):
    machine = provider.token("billing", grant_type="client_credentials").json["access_token"]
    plain = provider.tokens(scope="billing:read")["access_token"]
    for token in (machine, plain):
        response = userinfo(provider, token)
        assert (response.status_code, response.json["error"]) == (403, "insufficient_scope")
        assert 'error="insufficient_scope"' in response.headers["WWW-Authenticate"]
    bare = provider.http.get("/userinfo")
    assert (bare.status_code, bare.headers["WWW-Authenticate"]) == (401, 'Bearer, DPoP algs="ES256 PS256 RS256"')
    assert provider.http.get("/userinfo", query_string={"access_token": plain}).status_code == 401
    twice = provider.http.post("/userinfo", data={"access_token": plain}, headers={"Authorization": f"Bearer {plain}"})
    assert twice.status_code == 400


def test_browser_apps_of_registered_origins(provider: Provider):
    for origin, allowed in (("https://spa.example", True), ("https://evil.example", False)):
        for path in ("/token", "/userinfo"):
            response = provider.http.options(path, headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
            assert response.status_code == 204
            assert (response.headers.get("Access-Control-Allow-Origin") == origin) is allowed
    assert (
        "Access-Control-Allow-Origin"
        not in provider.http.options("/introspect", headers={"Origin": "https://spa.example"}).headers
    )


def test_the_service_is_named_by_the_audience(provider: Provider):
    token = provider.tokens(scope="openid service:read", resource=SERVICE)["access_token"]
    assert provider.active(token, "service")["aud"] == SERVICE
    assert provider.active(token, "billing") == {"active": False}
    assert timedelta(minutes=10).total_seconds() == provider.read(token, SERVICE)["exp"] - provider.read(token, SERVICE)["iat"]


def test_a_token_for_a_backend_tells_nothing_of_the_person(provider: Provider):
    token = provider.tokens(scope="openid profile email billing:read", resource=BILLING)["access_token"]
    refused = userinfo(provider, token)
    assert refused.status_code == 403
    assert "insufficient_scope" in refused.headers["WWW-Authenticate"]


def test_who_may_use_nothing_of_a_backend_is_signed_in_all_the_same(provider: Provider):
    body = provider.tokens(scope="openid billing:itemised", resource=BILLING)
    assert (body["scope"], "id_token" in body) == ("", True)
