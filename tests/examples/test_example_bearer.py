"""The resource servers' guard, against tokens nobody should accept."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from joserfc import jws
from joserfc.jwk import ECKey
from werkzeug.test import TestResponse

from examples import billing, service
from examples.bearer import Bearer, Keys, Refusal
from tests.examples.tiny_provider import BILLING, SERVICE, TinyProvider

GOOD: dict[str, Any] = {"scope": "openid billing:read", "acr": "pwd+pin"}


@pytest.fixture
def client(provider: TinyProvider) -> FlaskClient:
    return billing.create_app(provider.issuer, BILLING).test_client()


def ask(client: FlaskClient, token: str, path: str = "/bills/latest") -> TestResponse:
    return client.get(path, headers={"Authorization": f"Bearer {token}"})


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forged(header: Any, claims: Any, signature: bytes) -> str:
    return ".".join((b64(json.dumps(header).encode()), b64(json.dumps(claims).encode()), b64(signature)))


def claims_of(token: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return body


def test_a_good_token_is_served(client: FlaskClient, provider: TinyProvider) -> None:
    answer = ask(client, provider.token(BILLING, **GOOD))
    assert answer.status_code == 200
    assert answer.json
    assert answer.json["total"] == sum(line["amount"] for line in answer.json["lines"])
    assert ask(client, provider.token([BILLING], **GOOD)).status_code == 200


def test_the_bill_is_that_of_the_account_which_the_token_names(client: FlaskClient, provider: TinyProvider) -> None:
    one, other = ({**GOOD, "account_number": number, "capacity": "consumer"} for number in ("IT47110815AX", "IT47110815BX"))
    bills = [ask(client, provider.token(BILLING, **claims)).json for claims in (one, other, one, GOOD)]
    assert bills[0] == bills[2] != bills[1]
    assert bills[3] not in bills[:3]
    # The same whoever acts for it, and a number is not shown where it need not be.
    assert ask(client, provider.token(BILLING, **{**one, "sub": "somebody else"})).json == bills[0]
    assert "IT47110815AX" not in str(bills)


def test_a_token_for_one_backend_is_refused_by_the_other(client: FlaskClient, provider: TinyProvider) -> None:
    scope = "billing:read service:read"
    other = service.create_app(provider.issuer, SERVICE).test_client()
    assert ask(client, provider.token(SERVICE, scope=scope)).status_code == 401
    assert ask(other, provider.token(BILLING, scope=scope), "/faults/open").status_code == 401
    assert ask(other, provider.token(SERVICE, scope=scope), "/faults/open").status_code == 200


NOW = int(time.time())
HOSTILE: dict[str, Callable[[TinyProvider], str]] = {
    "aud array": lambda p: p.token([BILLING, "https://evil.example"], **GOOD),
    "aud array twice": lambda p: p.token([BILLING, BILLING], **GOOD),
    "aud missing": lambda p: p.token(None, **GOOD),
    "aud other": lambda p: p.token(SERVICE, **GOOD),
    "aud with slash": lambda p: p.token(BILLING + "/", **GOOD),
    "aud object": lambda p: p.token({BILLING: BILLING}, **GOOD),
    "iss other": lambda p: p.token(BILLING, iss="https://evil.example", **GOOD),
    "iss with slash": lambda p: p.token(BILLING, iss=p.issuer + "/", **GOOD),
    "iss missing": lambda p: p.token(BILLING, iss=None, **GOOD),
    "expired": lambda p: p.token(BILLING, exp=NOW - 61, **GOOD),
    "exp missing": lambda p: p.token(BILLING, exp=None, **GOOD),
    "exp text": lambda p: p.token(BILLING, exp="9999999999", **GOOD),
    "exp infinite": lambda p: p.token(BILLING, exp=float("inf"), **GOOD),
    "exp not a number": lambda p: p.token(BILLING, exp=float("nan"), **GOOD),
    "issued in the future": lambda p: p.token(BILLING, iat=int(time.time()) + 600, exp=int(time.time()) + 900, **GOOD),
    "sub missing": lambda p: p.token(BILLING, sub=None, **GOOD),
    "jti missing": lambda p: p.token(BILLING, jti=None, **GOOD),
    "typ JWT": lambda p: p.token(BILLING, {"typ": "JWT"}, **GOOD),
    "typ logout": lambda p: p.token(BILLING, {"typ": "logout+jwt"}, **GOOD),
    "kid unknown": lambda p: p.token(BILLING, {"kid": "../../dev/null"}, **GOOD),
    "kid SQL": lambda p: p.token(BILLING, {"kid": "first' or '1'='1"}, **GOOD),
    "foreign key, our kid": lambda p: p.token(BILLING, key=ECKey.generate_key("P-256", {"kid": "first"}), **GOOD),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_tokens(client: FlaskClient, provider: TinyProvider, name: str) -> None:
    answer = ask(client, HOSTILE[name](provider))
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_none_in_any_spelling(client: FlaskClient, provider: TinyProvider) -> None:
    claims = claims_of(provider.token(BILLING, **GOOD))
    for alg in ("none", "None", "NONE", "", None, ["ES256"], 7):
        token = forged({"alg": alg, "typ": "at+jwt", "kid": "first"}, claims, b"")
        assert ask(client, token).status_code == 401


def test_hs256_with_the_public_key(client: FlaskClient, provider: TinyProvider) -> None:
    claims = claims_of(provider.token(BILLING, **GOOD))
    public = provider.key.as_dict(private=False)
    for secret in (provider.key.as_pem(private=False), json.dumps(public).encode()):
        unsigned = forged({"alg": "HS256", "typ": "at+jwt", "kid": "first"}, claims, b"").rstrip(".")
        signature = hmac.new(secret, unsigned.encode(), hashlib.sha256).digest()
        assert ask(client, f"{unsigned}.{b64(signature)}").status_code == 401


@pytest.mark.parametrize("signature", [bytes(64), b"\x00" * 31 + b"\x01" + bytes(32), b"\xff" * 64, b"", bytes(63), bytes(96)])
def test_psychic_and_malformed_signatures(client: FlaskClient, provider: TinyProvider, signature: bytes) -> None:
    claims = claims_of(provider.token(BILLING, **GOOD))
    assert ask(client, forged({"alg": "ES256", "typ": "at+jwt", "kid": "first"}, claims, signature)).status_code == 401


def test_r_and_s_swapped(client: FlaskClient, provider: TinyProvider) -> None:
    head, body, signature = provider.token(BILLING, **GOOD).split(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    assert ask(client, f"{head}.{body}.{b64(raw[32:] + raw[:32])}").status_code == 401


def test_keys_named_by_the_token_are_never_fetched_or_used(client: FlaskClient, provider: TinyProvider) -> None:
    evil = TinyProvider()
    evil.issuer = provider.issuer
    jwk = {name: value for name, value in evil.key.as_dict(private=False).items() if name in ("kty", "crv", "x", "y")}
    assert ask(client, provider.token(BILLING, **GOOD)).status_code == 200
    before = provider.fetches
    registry = jws.JWSRegistry(strict_check_header=False)
    for header in ({"jwk": jwk}, {"jku": f"{provider.issuer}/jwks"}, {"x5u": f"{provider.issuer}/jwks"}, {"x5c": ["MA=="]}):
        marks = {"alg": "ES256", "typ": "at+jwt", "kid": "first", **header}
        payload = json.dumps(claims_of(provider.token(BILLING, **GOOD)))
        token = jws.serialize_compact(marks, payload, evil.key, ["ES256"], registry)
        assert ask(client, token).status_code == 401
    assert provider.fetches == before


def test_a_key_of_another_curve(client: FlaskClient, provider: TinyProvider) -> None:
    wide = ECKey.generate_key("P-384", {"use": "sig", "kid": "wide"})
    provider.keys = [provider.key, wide]
    header = {"alg": "ES384", "typ": "at+jwt", "kid": "wide"}
    token = jws.serialize_compact(header, json.dumps(claims_of(provider.token(BILLING, **GOOD))), wide, ["ES384"])
    assert ask(client, token).status_code == 401
    body = token.split(".")
    relabelled = f"{b64(json.dumps({**header, 'alg': 'ES256'}).encode())}.{body[1]}.{body[2]}"
    assert ask(client, relabelled).status_code == 401


@pytest.mark.parametrize(
    "junk", ["", ".", "..", "...", "a.b.c", "e30.e30.e30", "ÿ.ÿ.ÿ", "[]" * 9, "W10.W10.", "Imug.e30.", "x" * 200_000]
)
def test_junk(client: FlaskClient, provider: TinyProvider, junk: str) -> None:
    assert ask(client, junk).status_code == 401
    assert provider.fetches == 0


def test_no_token_gets_a_bare_challenge_and_a_query_token_is_none(client: FlaskClient, provider: TinyProvider) -> None:
    for answer in (
        client.get("/bills/latest"),
        client.get("/bills/latest", headers={"Authorization": "Basic eDp5"}),
        client.get("/bills/latest", query_string={"access_token": provider.token(BILLING, **GOOD)}),
    ):
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer, DPoP algs="ES256"')


def test_scope_and_strength(client: FlaskClient, provider: TinyProvider) -> None:
    narrow = ask(client, provider.token(BILLING, scope="billing:readonly openid"))
    assert narrow.status_code == 403
    assert 'error="insufficient_scope"' in narrow.headers["WWW-Authenticate"]
    assert 'scope="billing:read"' in narrow.headers["WWW-Authenticate"]
    for acr, status in ((None, 401), ("pwd", 401), ("pwd+pin", 401), ("bogus", 401), ("extra", 200), ("mfa", 200)):
        token = provider.token(BILLING, scope="billing:read", acr=acr, auth_time=int(time.time()))
        answer = ask(client, token, "/bills/itemised")
        assert answer.status_code == status
        if status == 401:
            challenge = answer.headers["WWW-Authenticate"]
            assert 'error="insufficient_user_authentication"' in challenge
            assert 'acr_values="extra"' in challenge


def test_how_long_ago_somebody_signed_in(client: FlaskClient, provider: TinyProvider) -> None:
    now = int(time.time())
    token: dict[str, Any] = {"scope": "billing:read billing:write", "acr": "extra"}
    for auth_time, status in ((now, 201), (now - 630, 201), (now - 690, 401), (None, 401), ("now", 401), (True, 401)):
        sent = {"Authorization": f"Bearer {provider.token(BILLING, **token, auth_time=auth_time)}"}
        answer = client.post("/orders", json={"item": "roaming"}, headers=sent)
        assert answer.status_code == status, auth_time
        if status == 401:
            told = answer.headers["WWW-Authenticate"]
            assert 'error="insufficient_user_authentication"' in told
            assert 'acr_values="extra"' in told
            assert 'max_age="600"' in told
    weak = {"Authorization": f"Bearer {provider.token(BILLING, **{**token, 'acr': 'pwd+pin'}, auth_time=now)}"}
    assert client.post("/orders", json={"item": "roaming"}, headers=weak).status_code == 401
    read = {"Authorization": f"Bearer {provider.token(BILLING, **{**token, 'scope': 'billing:read'}, auth_time=now)}"}
    assert client.post("/orders", json={"item": "roaming"}, headers=read).status_code == 403
    assert client.get("/orders", headers=read).get_json()["placed"] == ["roaming"]


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b'{"item": []}', b'{"item": "yacht"}', b"null"])
def test_orders_that_are_none(client: FlaskClient, provider: TinyProvider, body: bytes) -> None:
    token = provider.token(BILLING, scope="billing:write", acr="extra", auth_time=int(time.time()))
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    assert client.post("/orders", data=body, headers=headers).status_code == 400


def test_a_rotated_key_is_found_and_unknown_ones_cost_few_fetches(provider: TinyProvider) -> None:
    guard = Bearer(provider.issuer, BILLING, Keys(provider.issuer, pause=0.2))
    guard.claims(provider.token(BILLING, **GOOD))
    provider.key = ECKey.generate_key("P-256", {"use": "sig", "kid": "second"})
    provider.keys.append(provider.key)
    for _ in range(20):
        with pytest.raises(Refusal):
            guard.claims(provider.token(BILLING, **GOOD))
    assert provider.fetches == 1
    time.sleep(0.25)
    assert guard.claims(provider.token(BILLING, **GOOD))["sub"] == "u1"
    assert provider.fetches == 2


def test_without_an_issuer_nobody_gets_in_and_the_fault_is_ours() -> None:
    elsewhere = TinyProvider()
    elsewhere.issuer = "http://localhost:9"
    client = billing.create_app(elsewhere.issuer, BILLING).test_client()
    answer = ask(client, elsewhere.token(BILLING, **GOOD))
    assert answer.status_code == 503
    assert client.get("/healthz").json == {"status": "ok"}


def test_metadata_of_another_issuer_is_not_believed(provider: TinyProvider) -> None:
    address, provider.issuer = provider.issuer, "https://someone.else"
    with pytest.raises(Refusal) as refusal:
        Bearer(address, BILLING).claims(provider.token(BILLING, iss=address, **GOOD))
    assert refusal.value.status == 503
