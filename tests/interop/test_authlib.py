"""Authlib's own client with the provider: the same library on both sides must still agree with itself over the wire."""

import time
from typing import Any

import httpx
import pytest
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.harness import House
from tests.interop.conftest import ROBOT_KEY
from tests.people import PORTAL_CALLBACK, SERVICE

pytestmark = [pytest.mark.xdist_group("interop")]


@pytest.fixture(scope="module")
def metadata(provider: House) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{provider.url}/.well-known/openid-configuration").json()
    return found


def test_authlib_signs_in_reads_refreshes_and_revokes(provider: House, metadata: dict[str, Any]) -> None:
    secret, person, verifier = provider.secret("portal"), provider.customer(), "v" * 43
    scope = "openid profile email offline_access"
    with OAuth2Session(
        "portal",
        secret,
        scope=scope,
        redirect_uri=PORTAL_CALLBACK,
        code_challenge_method="S256",
        token_endpoint=metadata["token_endpoint"],
    ) as client:
        where, state = client.create_authorization_url(
            metadata["authorization_endpoint"], code_verifier=verifier, nonce="n-authlib"
        )
        back = person.walk(person.open(where)).left
        token = client.fetch_token(authorization_response=back, state=state, code_verifier=verifier)
        keys = KeySet.import_key_set(httpx.get(metadata["jwks_uri"]).json())
        claims = jwt.decode(token["id_token"], keys, algorithms=metadata["id_token_signing_alg_values_supported"]).claims
        assert (claims["iss"], claims["aud"], claims["nonce"]) == (provider.url, "portal", "n-authlib")
        known = client.get(metadata["userinfo_endpoint"]).json()
        assert known["sub"] == claims["sub"]
        assert known["email"] == person.account.email
        renewed = client.refresh_token(metadata["token_endpoint"])
        assert renewed["refresh_token"] != token["refresh_token"]
        told = client.introspect_token(metadata["introspection_endpoint"], token=renewed["refresh_token"]).json()
        assert told["active"] is True
        assert client.revoke_token(metadata["revocation_endpoint"], token=renewed["refresh_token"]).status_code == 200
        assert client.get(metadata["userinfo_endpoint"]).status_code == 401


def test_authlib_proves_a_client_by_its_key(metadata: dict[str, Any]) -> None:
    where = metadata["token_endpoint"]
    # Authlib's own would live an hour: longer than is accepted here.
    soon = {"exp": int(time.time()) + 120}
    proof = PrivateKeyJWT(where, soon, {"kid": "robot-1"}, alg="ES256")
    with OAuth2Session("robot", ROBOT_KEY, scope="service:read", token_endpoint_auth_method=proof) as client:
        token = client.fetch_token(where, grant_type="client_credentials", resource=SERVICE)
    assert token["scope"] == "service:read"
    assert token["token_type"] == "Bearer"
