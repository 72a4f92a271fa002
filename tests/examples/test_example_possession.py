"""The resource servers' guard, against who has a token and not its key."""

import base64
import hashlib
import json
import secrets
import time
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey
from werkzeug.test import TestResponse

from examples import billing
from examples.app.native import App
from tests.examples.tiny_provider import BILLING, TinyProvider

KEY = ECKey.generate_key("P-256", private=True)
JWK = {name: value for name, value in KEY.as_dict(private=False).items() if name != "kid"}
URL = f"{BILLING}/bills/latest"
GOOD: dict[str, Any] = {"scope": "openid billing:read", "acr": "pwd+pin"}


@pytest.fixture
def client(provider: TinyProvider) -> FlaskClient:
    return billing.create_app(provider.issuer, BILLING).test_client()


@pytest.fixture
def token(provider: TinyProvider) -> str:
    return provider.token(BILLING, cnf={"jkt": KEY.thumbprint()}, **GOOD)


def proof(token: str, key: ECKey = KEY, header: dict[str, Any] | None = None, after: int = 0, **changes: Any) -> str:
    ath = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
    usual = {"htm": "GET", "htu": URL, "iat": int(time.time()) + after, "jti": secrets.token_urlsafe(), "ath": ath}
    said = {name: value for name, value in (usual | changes).items() if value is not None}
    return jwt.encode({"typ": "dpop+jwt", "alg": "ES256", "jwk": JWK} | (header or {}), said, key, algorithms=["ES256"])


def ask(client: FlaskClient, token: str, *proofs: str, scheme: str = "DPoP") -> TestResponse:
    return client.get("/bills/latest", headers=[("Authorization", f"{scheme} {token}"), *(("DPoP", one) for one in proofs)])


def test_who_holds_the_key_is_served_whatever_host_is_named(client: FlaskClient, token: str) -> None:
    assert ask(client, token, proof(token)).status_code == 200
    narrow = client.get("/orders", headers={"Authorization": f"DPoP {token}", "DPoP": proof(token)})
    assert narrow.headers["WWW-Authenticate"].startswith("DPoP error=")
    assert ask(client, token, proof(token, htu=f"{URL}?month=1#top"), scheme="dpop").status_code == 200
    headers = {"Authorization": f"DPoP {token}", "Host": "evil.example"}
    for htu, status in (("http://evil.example/bills/latest", 401), (URL, 200)):
        assert client.get("/bills/latest", headers=headers | {"DPoP": proof(token, htu=htu)}).status_code == status


def test_the_app_proves_its_key_to_a_backend(client: FlaskClient, provider: TinyProvider, tmp_path: Path) -> None:
    app = App(provider.issuer, "app", tmp_path / "tokens.json")
    key = ECKey.generate_key("P-256", private=True)
    app.kept.with_suffix(".key").write_text(json.dumps(key.as_dict(private=True)), "utf-8")
    token = provider.token(BILLING, cnf={"jkt": key.thumbprint()}, **GOOD)
    app.kept.write_text(json.dumps({"access_token": token, "expires_at": time.time() + 300}), "utf-8")
    headers = app.authorization("GET", f"{URL}?month=1")
    assert [client.get("/bills/latest", headers=headers).status_code for _ in range(2)] == [200, 401]
    assert client.get("/bills/latest", headers=app.authorization("GET", URL)).status_code == 200


def test_a_bound_token_is_no_bearer_s_and_another_needs_no_proof(
    client: FlaskClient, token: str, provider: TinyProvider
) -> None:
    plain = provider.token(BILLING, **GOOD)
    for answer in (
        ask(client, token, scheme="Bearer"),
        ask(client, token, proof(token), scheme="Bearer"),
        ask(client, plain, proof(plain)),
    ):
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert ask(client, plain, scheme="Bearer").status_code == 200


def test_a_proof_is_taken_once(client: FlaskClient, token: str) -> None:
    once = proof(token)
    assert [ask(client, token, once).status_code for _ in range(2)] == [200, 401]


OTHER = ECKey.generate_key("P-256", private=True)
HOSTILE: dict[str, dict[str, Any]] = {
    "another method": {"htm": "POST"},
    "another address": {"htu": f"{BILLING}/orders"},
    "another host": {"htu": "http://service.test/bills/latest"},
    "no token named": {"ath": None},
    "another token named": {"ath": "x" * 43},
    "too old": {"after": -70},
    "from the future": {"after": 70},
    "no moment": {"iat": None},
    "no id": {"jti": None},
    "an empty id": {"jti": ""},
    "an access token's type": {"header": {"typ": "at+jwt"}},
    "a private key": {"header": {"jwk": KEY.as_dict(private=True)}},
    "another's signature": {"key": OTHER},
    "another key": {"key": OTHER, "header": {"jwk": OTHER.as_dict(private=False)}},
    "no key": {"header": {"jwk": {}}},
    "a key of another kind": {"header": {"jwk": ECKey.generate_key("P-384").as_dict(private=False)}},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_proofs(client: FlaskClient, token: str, name: str) -> None:
    answer = ask(client, token, proof(token, **HOSTILE[name]))
    assert answer.status_code == 401
    assert 'DPoP error="invalid_dpop_proof"' in answer.headers["WWW-Authenticate"]
    assert 'algs="ES256"' in answer.headers["WWW-Authenticate"]


def test_no_proof_or_two(client: FlaskClient, token: str) -> None:
    for proofs in ((), ("",), ("junk",), (proof(token), proof(token))):
        assert ask(client, token, *proofs).status_code == 401
