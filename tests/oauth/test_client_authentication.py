"""RFC 6749 2.3 and RFC 7523: exactly the registered method, one at a time."""

import base64
from datetime import timedelta
from typing import Any

import jwt
import pytest
from joserfc.jwk import ECKey

from tests.oauth.provider import ASSERTING, BILLING, CLIENTS, ISSUER, NOW, SECRET, SERVICE, Provider, basic

GRANT = {"grant_type": "client_credentials"}
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def refused(response: Any) -> bool:
    return (response.status_code, response.json["error"]) == (401, "invalid_client") and "Basic" in response.headers[
        "WWW-Authenticate"
    ]


def test_a_client_for_itself(provider: Provider):
    body = provider.token("billing", **GRANT).json
    claims = provider.read(body["access_token"], SERVICE)
    assert (claims["sub"], claims["client_id"], claims["scope"]) == ("billing", "billing", "service:read")
    assert not {"acr", "auth_time", "sid"} & claims.keys()
    assert body["expires_in"] == 600
    assert not {"refresh_token", "id_token"} & body.keys()


def test_which_audience(provider: Provider):
    assert provider.token("service", **GRANT).json["error"] == "invalid_target"
    assert provider.token("service", resource=BILLING, **GRANT).json["scope"] == "billing:read"
    assert provider.token("billing", resource=BILLING, **GRANT).json["error"] == "invalid_target"
    assert provider.token("billing", scope="billing:read", **GRANT).json["error"] == "invalid_scope"
    assert provider.token("billing", scope="openid", **GRANT).json["error"] == "invalid_scope"


def test_both_of_two_secrets_are_good(provider: Provider):
    for secret in (SECRET, "an older secret"):
        response = provider.http.post("/token", data={"grant_type": "refresh_token"}, headers=basic("portal", secret))
        assert response.json["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("headers", "form"),
    [
        ({}, {}),
        ({}, {"client_id": "billing"}),
        ({}, {"client_id": "unknown"}),
        ({}, {"client_id": "billing", "client_secret": SECRET}),
        (basic("billing", "wrong"), {}),
        (basic("unknown", SECRET), {}),
        (basic("", SECRET), {}),
        (basic("disabled", SECRET), {}),
        (basic("poster", SECRET), {}),
        (basic("app", ""), {}),
        (basic("billing", SECRET), {"client_secret": SECRET}),
        (basic("billing", SECRET), {"client_id": "other"}),
        (basic("billing", SECRET), {"client_assertion_type": TYPE}),
        ({"Authorization": "Basic " + base64.b64encode(f"billing:{SECRET}".encode()).decode()}, {}),
        ({"Authorization": "Basic !!!"}, {}),
        ({"Authorization": "Basic " + base64.b64encode(b"\xff:\xff").decode()}, {}),
        ({"Authorization": "Basic " + base64.b64encode(b"billing").decode()}, {}),
        ({"Authorization": "Bearer x"}, {}),
        ({"Authorization": "Basic"}, {}),
    ],
)
def test_refused(provider: Provider, headers: dict[str, str], form: dict[str, str]):
    assert refused(provider.http.post("/token", data=GRANT | form, headers=headers))
    assert provider.failures
    assert ("client.authentication", "refused") in provider.audit()


def test_a_secret_in_the_address_is_not_read(provider: Provider):
    query = {"client_id": "poster", "client_secret": SECRET}
    assert refused(provider.http.post("/token", data={"grant_type": "refresh_token"}, query_string=query))


def test_too_many_failures(provider: Provider):
    provider.throttled = True
    response = provider.token("unknown", **GRANT)
    assert (response.status_code, response.headers["Retry-After"]) == (429, "60")
    assert provider.token("billing", **GRANT).status_code == 200


def test_unknown_and_known_clients_get_the_same_words(provider: Provider):
    answers = [provider.http.post("/token", data=GRANT, headers=basic(name, "wrong")) for name in ("billing", "unknown", "app")]
    assert len({(answer.status_code, answer.text, str(answer.headers)) for answer in answers}) == 1


def claims(**changes: Any) -> dict[str, Any]:
    usual = {"iss": "robot", "sub": "robot", "aud": ISSUER, "exp": NOW + timedelta(minutes=4), "jti": "one"}
    return {name: value for name, value in (usual | changes).items() if value is not None}


def asserted(provider: Provider, said: dict[str, Any], *, key: Any = None, alg: str = "ES256", **form: str) -> Any:
    signer = key or ASSERTING.private_key
    assertion = jwt.encode(said, signer, algorithm=alg, headers={"kid": "robot-1", "typ": form.pop("typ", "JWT")})
    return provider.http.post("/token", data=GRANT | {"client_assertion_type": TYPE, "client_assertion": assertion} | form)


def test_an_assertion_is_good_once(provider: Provider):
    assert asserted(provider, claims()).status_code == 200
    assert refused(asserted(provider, claims()))
    assert asserted(provider, claims(jti="two", aud=f"{ISSUER}/token"), client_id="robot").status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://evil.example"},
        {"aud": [ISSUER, "https://evil.example"]},
        {"aud": None},
        {"exp": NOW - timedelta(seconds=61)},
        {"exp": None},
        {"exp": NOW + timedelta(days=365)},
        {"exp": 10**40},
        {"nbf": NOW + timedelta(seconds=70)},
        {"jti": None},
        {"jti": "\ud800"},
        {"jti": ""},
        {"jti": "x" * 300},
        {"iss": "portal"},
        {"sub": "portal"},
        {"iss": "portal", "sub": "portal"},
        {"iss": "unknown", "sub": "unknown"},
    ],
)
def test_assertions_that_are_not(provider: Provider, changes: dict[str, Any]):
    assert refused(asserted(provider, claims(**changes)))


def test_signed_by_someone_else(provider: Provider):
    assert refused(asserted(provider, claims(), key="x" * 40, alg="HS256"))
    assert refused(asserted(provider, claims(), key=jwt.PyJWK.from_dict(_other_key()).key))
    assert refused(asserted(provider, claims(), client_id="portal"))
    assert refused(asserted(provider, claims(), typ="at+jwt"))
    for assertion in ("x", "a.b.c", "", "." * 20_000):
        form = GRANT | {"client_assertion_type": TYPE, "client_assertion": assertion}
        assert refused(provider.http.post("/token", data=form))


def test_our_own_access_token_is_no_assertion(provider: Provider):
    token = provider.token("billing", **GRANT).json["access_token"]
    form = GRANT | {"client_assertion_type": TYPE, "client_assertion": token, "client_id": "robot"}
    assert refused(provider.http.post("/token", data=form))


def test_an_app_needs_no_secret(provider: Provider):
    code = provider.code(client_id="app", redirect_uri="https://spa.example/cb")
    form = {"client_id": "app", "redirect_uri": "https://spa.example/cb"}
    assert provider.redeem(code, None, **form).status_code == 200
    assert {client.id for client in CLIENTS if client.public} == {"app"}


def _other_key() -> dict[str, Any]:
    return dict(ECKey.generate_key("P-256").as_dict(private=True))
