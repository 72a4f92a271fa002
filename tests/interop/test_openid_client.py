"""Other people's software with the provider: openid-client drives it, PyJWT verifies what it signs, the backends obey."""

import base64
import hashlib
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest

from examples import billing, service
from tests.harness import House
from tests.people import APP_CALLBACK, BILLING, PORTAL_CALLBACK, SERVICE

pytestmark = [pytest.mark.xdist_group("interop")]
SCOPE = "openid profile email offline_access billing:read service:read"


@pytest.fixture(scope="module", params=["portal", "app"])
def client(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def told(run: Callable[..., dict[str, Any]], provider: House, client: str) -> dict[str, Any]:
    """What openid-client saw in a client's whole life."""
    return run(
        "relying_party.js",
        client,
        redirectUri={"portal": PORTAL_CALLBACK, "app": APP_CALLBACK}[client],
        postLogoutRedirectUri={"portal": "http://localhost:8081/signed-out", "app": "com.norda.app:/signed-out"}[client],
        scope=SCOPE,
        resources=[BILLING, SERVICE],
        backend={"id": "billing", "secret": provider.secret("billing"), "scope": "service:read"},
    )


def verified(provider: House, token: str, audience: str, algorithm: str, kind: str) -> dict[str, Any]:
    """A token's claims, verified by PyJWT against the published keys and the exact audience."""
    metadata = httpx.get(f"{provider.url}/.well-known/openid-configuration").json()
    keys = jwt.PyJWKSet.from_dict(httpx.get(metadata["jwks_uri"]).json())
    header = jwt.get_unverified_header(token)
    assert header["alg"] == algorithm
    assert header["typ"] == kind
    needed = ["iss", "sub", "aud", "exp", "iat"]
    claims: dict[str, Any] = jwt.decode(
        token, keys[header["kid"]], [algorithm], {"require": needed, "strict_aud": True}, audience=audience, issuer=provider.url
    )
    assert 0 < claims["exp"] - claims["iat"] <= 600
    assert abs(time.time() - claims["iat"]) < 60
    return claims


def test_openid_client_signs_in_with_code_pkce_state_nonce_and_iss(provider: House, told: dict[str, Any]) -> None:
    assert told["metadata"]["issuer"] == provider.url
    assert told["supportsPKCE"] is True
    assert told["parameters"] == ["code", "iss", "state"]
    assert told["first"]["token_type"].lower() == "bearer"
    assert told["first"]["expires_in"] == 600


def test_openid_client_refreshes_for_another_backend_and_each_token_rotates(told: dict[str, Any]) -> None:
    refresh_tokens = [told[name]["refresh_token"] for name in ("first", "second", "people")]
    assert len(set(refresh_tokens)) == 3


def test_openid_client_reads_userinfo(told: dict[str, Any]) -> None:
    assert told["userinfo"]["sub"] == told["claims"]["sub"]
    assert told["userinfo"]["email"].endswith("@example.com")
    assert told["userinfo"]["name"]


def test_openid_client_introspects_as_a_backend_its_own_tokens_only(told: dict[str, Any]) -> None:
    assert told["introspected"]["active"] is True
    assert told["introspected"]["aud"] == BILLING
    assert told["introspected"]["sub"] == told["claims"]["sub"]
    assert told["foreign"] == {"active": False}


def test_openid_client_renews_silently_while_the_session_lasts(told: dict[str, Any]) -> None:
    assert told["silent"]["sub"] == told["claims"]["sub"]
    assert told["silent"]["auth_time"] == told["claims"]["auth_time"]


def test_openid_client_revokes_and_the_whole_grant_is_dead(told: dict[str, Any], client: str) -> None:
    if client == "portal":
        assert told["introspectedRefresh"]["active"] is True
    assert told["afterRevocation"] == {"active": False}
    assert told["refreshAfterRevocation"] == "invalid_grant"


def test_openid_client_signs_out_and_silent_renewal_ends(told: dict[str, Any]) -> None:
    assert told["signedOut"]["stateKept"] is True
    assert told["signedOut"]["address"].endswith("/signed-out")
    assert told["afterSignOut"] == "login_required"


def test_pyjwt_verifies_the_id_token(provider: House, told: dict[str, Any], client: str) -> None:
    claims = verified(provider, told["first"]["id_token"], client, provider.settings.clients[client].id_token_alg, "JWT")
    assert claims["aud"] == client
    assert claims["nonce"] == told["nonce"]
    assert claims["acr"] == "pwd+pin"
    assert claims["amr"] == ["pwd", "pin"]
    assert claims["auth_time"] <= claims["iat"]
    half = hashlib.sha256(told["first"]["access_token"].encode()).digest()[:16]
    assert claims["at_hash"] == base64.urlsafe_b64encode(half).rstrip(b"=").decode()


@pytest.mark.parametrize(("name", "resource"), [("first", "billing"), ("second", "service")])
def test_pyjwt_verifies_access_tokens(provider: House, told: dict[str, Any], client: str, name: str, resource: str) -> None:
    audience = {"billing": BILLING, "service": SERVICE}[resource]
    claims = verified(provider, told[name]["access_token"], audience, "ES256", "at+jwt")
    assert claims["aud"] == audience
    assert claims["client_id"] == client
    assert claims["sub"] == told["claims"]["sub"]
    assert claims["acr"] == "pwd+pin"
    assert claims["amr"] == ["pwd", "pin"]
    assert claims["jti"]
    told_of = {scope.split(":")[0] for scope in claims["scope"].split() if ":" in scope}
    assert told_of == {resource}


def test_openid_client_exchanges_as_a_backend_a_person_s_token(provider: House, told: dict[str, Any]) -> None:
    claims = verified(provider, told["exchanged"]["access_token"], SERVICE, "ES256", "at+jwt")
    assert claims["sub"] == told["claims"]["sub"]
    assert claims["act"] == {"sub": "billing"}
    assert "refresh_token" not in told["exchanged"]


def test_pyjwt_verifies_a_client_s_own_token(provider: House, told: dict[str, Any]) -> None:
    claims = verified(provider, told["itself"]["access_token"], SERVICE, "ES256", "at+jwt")
    assert claims["client_id"] == claims["sub"] == "billing"
    assert "auth_time" not in claims
    assert "refresh_token" not in told["itself"]


def test_t1_billing_accepts_its_own_tokens_and_no_others(provider: House, told: dict[str, Any]) -> None:
    backend = billing.create_app(provider.url, BILLING).test_client()
    assert answered(backend, "/bills/latest", told["first"]["access_token"]) == 200
    for other in ("second", "people", "itself"):
        assert answered(backend, "/bills/latest", told[other]["access_token"]) == 401
    assert answered(backend, "/bills/latest", told["first"]["id_token"]) == 401
    assert answered(backend, "/bills/latest", told["first"]["refresh_token"]) == 401


def test_t1_service_accepts_its_own_tokens_and_no_others(provider: House, told: dict[str, Any]) -> None:
    backend = service.create_app(provider.url, SERVICE).test_client()
    assert answered(backend, "/faults/open", told["second"]["access_token"]) == 200
    assert answered(backend, "/faults/open", told["itself"]["access_token"]) == 200
    for other in ("first", "people"):
        assert answered(backend, "/faults/open", told[other]["access_token"]) == 401


def answered(backend: Any, path: str, token: str) -> int:
    answer = backend.get(path, headers={"Authorization": f"Bearer {token}"})
    if answer.status_code == 401:
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    return int(answer.status_code)
