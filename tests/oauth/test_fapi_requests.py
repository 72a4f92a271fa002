"""FAPI 2.0 Security Profile 5.3.2.2, where people are sent: pushed requests alone, PKCE, short codes, and algorithms."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from joserfc.jwk import RSAKey
from werkzeug.test import TestResponse

from idp.vault import digest
from tests.oauth.clients import ASSERTING
from tests.oauth.proofs import App
from tests.oauth.provider import ISSUER, Provider, answer_of, page_of
from tests.oauth.requests import arrive, asserted, signed

RSA = RSAKey.generate_key(2048, parameters={"kid": "rsa-1"}, private=True)
HOUR = 3600


@pytest.fixture
def bank(provider: Provider) -> Provider:
    """A provider with a policy and a registration that would let more pass than the profile does."""
    keys = {"keys": [ASSERTING.as_dict(private=False), RSA.as_dict(private=False)]}
    client = replace(
        provider.world.clients["signer"],
        id="fapi",
        jwks=keys,
        fapi=True,
        dpop=True,
        require_par=True,
        require_pkce=False,
        request_uris=("https://signer.example/request.jwt",),
    )
    law = provider.world.policy
    law = replace(law, tokens=replace(law.tokens, code=timedelta(minutes=10)))
    provider.start(clients={**provider.world.clients, "fapi": client}, policy=law)
    provider.door.sign_in()
    return provider


def push(provider: Provider, number: str = "1", headers: dict[str, str] | None = None, **changes: Any) -> TestResponse:
    data = provider.parameters(client_id="fapi", **changes) | asserted(provider, "fapi", number)
    return provider.http.post("/par", data=data, headers=headers)


def test_a_request_that_was_pushed(bank: Provider):
    address = push(bank).json["request_uri"]
    answered = answer_of(arrive(bank, address, "fapi"))
    assert answered["iss"] == ISSUER
    with bank.store.read() as tx:
        found = tx.grants.find_code(digest(answered["code"]))
    assert found is not None
    assert found[0].expires_at - found[0].issued_at == timedelta(seconds=60)


def test_no_other_way_in(bank: Provider):
    for changes in ({}, {"request": signed(bank, "fapi")}, {"request_uri": "https://signer.example/request.jwt"}):
        assert answer_of(bank.authorize(client_id="fapi", **changes))["error"] == "invalid_request"
    assert page_of(bank.authorize(client_id="fapi", redirect_uri="https://evil.example/")) == "invalid_redirect_uri"


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"redirect_uri": None, "scope": "billing:read"},
        {"response_type": "code id_token"},
        {"request_uri": "https://signer.example/request.jwt"},
    ],
)
def test_what_may_not_be_pushed(bank: Provider, changes: dict[str, Any]):
    assert push(bank, **changes).status_code == 400


def test_the_key_that_is_proved_at_the_push_binds_the_code(bank: Provider):
    app = App(bank)
    first = push(bank, headers={"DPoP": app.proof(path="/par")})
    assert (first.status_code, first.json["error"]) == (400, "use_dpop_nonce")
    app.nonce = first.headers["DPoP-Nonce"]
    response = push(bank, "2", headers={"DPoP": app.proof(path="/par")})
    assert response.status_code == 201, response.text
    code = answer_of(arrive(bank, response.json["request_uri"], "fapi"))["code"]
    with bank.store.read() as tx:
        found = tx.grants.find_code(digest(code))
    assert found is not None
    assert found[1].jkt == app.prover.jkt
    other = push(bank, "3", headers={"DPoP": app.proof(path="/par")}, dpop_jkt="x" * 43)
    assert (other.status_code, other.json["error"]) == (400, "invalid_dpop_proof")
    same = push(bank, "4", headers={"DPoP": app.proof(path="/par")}, dpop_jkt=app.prover.jkt)
    assert same.status_code == 201
    elsewhere = push(bank, "5", headers={"DPoP": app.proof(path="/token")})
    assert (elsewhere.status_code, elsewhere.json["error"]) == (400, "invalid_dpop_proof")


@pytest.mark.parametrize(("alg", "good"), [("ES256", True), ("PS256", True), ("RS256", False)])
def test_objects_are_signed_with_strong_algorithms_alone(bank: Provider, alg: str, good: bool):
    key = ASSERTING if alg == "ES256" else RSA
    token = signed(bank, "fapi", key, {"alg": alg, "kid": key.kid})
    response = bank.http.post("/par", data={"request": token, **asserted(bank, "fapi")})
    assert (response.status_code == 201) is good
    assert good or response.json["error"] == "invalid_request_object"


def test_objects_say_when_they_begin(bank: Provider):
    now = int(bank.clock().timestamp())
    for number, (good, changes) in enumerate(
        (
            (False, {"nbf": None}),
            (False, {"nbf": now - HOUR - 61}),
            (False, {"nbf": now - 60, "exp": now + HOUR}),
            (True, {"nbf": now - 60, "exp": now + HOUR - 60}),
        )
    ):
        data = {"request": signed(bank, "fapi", **changes), **asserted(bank, "fapi", str(number))}
        assert (bank.http.post("/par", data=data).status_code == 201) is good, changes
