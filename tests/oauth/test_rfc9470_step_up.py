"""RFC 9470: what a backend wants of a sign-in is met by the missing proof alone, or refused; no refresh makes it younger."""

import json
from dataclasses import replace
from typing import Any

import pytest

from idp.model import Factor, Resource
from tests.oauth.clients import BILLING, SERVICE
from tests.oauth.provider import NOW, Provider, answer_of
from tests.oauth.requests import essential

WANTED: dict[str, Any] = {"acr_values": "extra", "max_age": "600"}


def answered(provider: Provider, transaction: str, *factors: Factor) -> dict[str, Any]:
    """Give proofs to a sign-in under way; the claims of the access token that comes of it."""
    provider.door.answer(transaction, *factors)
    body = provider.redeem(answer_of(provider.http.get(f"/authorize/{transaction}"))["code"]).json
    return {**provider.read(body["access_token"], BILLING), "refresh_token": body["refresh_token"]}


def test_only_the_missing_proof_is_asked_for(provider: Provider):
    provider.door.sign_in()
    provider.clock.advance(minutes=9)
    assert provider.authorize(**WANTED).headers["Location"] == "/sign-in/tx0"
    assert [proof.factor for proof in provider.door.sign_ins["tx0"].proofs] == [Factor.PASSWORD, Factor.PIN]
    claims = answered(provider, "tx0", Factor.ANSWER)
    # The password is as old as it was, which is young enough.
    assert (claims["acr"], claims["auth_time"]) == ("extra", int(NOW.timestamp()))
    # It satisfies: the same request is answered at once, without a word.
    assert "code" in answer_of(provider.authorize(prompt="none", **WANTED))


def test_proofs_that_are_too_old_are_given_again(provider: Provider):
    provider.door.sign_in()
    provider.clock.advance(minutes=11)
    assert provider.authorize(**WANTED).headers["Location"] == "/sign-in/tx0"
    assert provider.door.sign_ins["tx0"].proofs == ()
    claims = answered(provider, "tx0", Factor.PASSWORD, Factor.PIN, Factor.ANSWER)
    assert (claims["acr"], claims["auth_time"]) == ("extra", int(provider.clock().timestamp()))


def test_the_level_alone_leaves_older_proofs_as_they_are(provider: Provider):
    provider.door.sign_in()
    provider.clock.advance(minutes=25)
    provider.authorize(acr_values="extra")
    assert [proof.factor for proof in provider.door.sign_ins["tx0"].proofs] == [Factor.PASSWORD, Factor.PIN]


def test_no_refresh_makes_a_sign_in_younger_or_stronger(provider: Provider):
    provider.door.sign_in()
    provider.authorize(acr_values="extra")
    before = answered(provider, "tx0", Factor.ANSWER)
    provider.clock.advance(minutes=11)
    body = provider.refresh(before["refresh_token"], acr_values="extra", max_age="0").json
    after = provider.read(body["access_token"], BILLING)
    # The extra proof is worth ten minutes: what is left is what is left.
    assert (after["acr"], after["auth_time"]) == ("pwd+pin", before["auth_time"])
    told = provider.active(body["access_token"])
    assert (told["acr"], told["auth_time"], told["amr"]) == ("pwd+pin", before["auth_time"], ["pwd", "pin", "kba"])


@pytest.mark.parametrize("wanted", ["mfa", "mfa unknown", "urn:example:gold", "3"])
def test_what_cannot_be_met_is_refused_and_nothing_weaker_given(provider: Provider, wanted: str):
    provider.door.sign_in()
    for prompt in (None, "none"):
        refused = answer_of(provider.authorize(acr_values=wanted, prompt=prompt))
        assert refused["error"] == "unmet_authentication_requirements"
    # Nor after a whole sign-in.
    provider.door.held = None
    provider.authorize(acr_values=wanted)
    provider.door.answer("tx0", Factor.PASSWORD, Factor.PIN)
    assert answer_of(provider.http.get("/authorize/tx0"))["error"] == "unmet_authentication_requirements"


@pytest.mark.parametrize("wanted", ["extra mfa", "mfa extra", "extra unknown"])
def test_of_several_levels_the_least_will_do(provider: Provider, wanted: str):
    provider.door.sign_in()
    assert provider.authorize(acr_values=wanted).headers["Location"] == "/sign-in/tx0"
    assert answered(provider, "tx0", Factor.ANSWER)["acr"] == "extra"


@pytest.mark.parametrize("wanted", ["pwd", "pwd+pin", "pwd unknown"])
def test_less_than_the_backend_demands_of_everybody_is_raised_to_it(provider: Provider, wanted: str):
    provider.door.sign_in(Factor.PASSWORD)
    provider.clock.advance(seconds=1)
    assert provider.authorize(acr_values=wanted).headers["Location"] == "/sign-in/tx0"
    assert answered(provider, "tx0", Factor.PIN)["acr"] == "pwd+pin"


def test_which_proofs_make_a_level_is_policy(provider: Provider):
    law = provider.world.policy
    for ways, error in ((("email_code",), None), (("totp",), "unmet_authentication_requirements")):
        provider.start(policy=replace(law, step_up=replace(law.step_up, extra_by=ways)))
        provider.clock.advance(seconds=1)
        provider.door.sign_in(sid=ways[0])
        response = provider.authorize(acr_values="extra")
        if error is None:
            assert response.headers["Location"] == "/sign-in/tx0"
            assert answered(provider, "tx0", Factor.ANSWER, Factor.CODE)["acr"] == "extra"
        else:
            assert answer_of(response)["error"] == error


def test_a_backend_that_wants_a_level_of_everybody_says_so_once(provider: Provider):
    (billing,) = (one for one in provider.world.resources.values() if one.identifier == BILLING)
    strict: Resource = replace(billing, acr="extra")
    provider.start(resources={**provider.world.resources, BILLING: strict})
    provider.door.sign_in()
    assert provider.authorize().headers["Location"] == "/sign-in/tx0"
    # For another backend nothing more is asked.
    assert "code" in answer_of(provider.authorize(resource=SERVICE, scope="openid service:read"))


def test_a_wish_for_more_does_not_lift_what_a_backend_demands(provider: Provider):
    """Whoever edits the address into a wish that nobody can meet, and need not, gets no less than the backend wants."""
    strict: Resource = replace(provider.world.resources[BILLING], acr="extra")
    provider.start(resources={**provider.world.resources, BILLING: strict})
    provider.door.sign_in()
    wish = json.dumps({"id_token": {"acr": {"values": ["mfa"]}}})
    assert provider.authorize(claims=wish).headers["Location"] == "/sign-in/tx0"
    assert answered(provider, "tx0", Factor.ANSWER)["acr"] == "extra"


def test_insisting_by_the_claims_does_the_same(provider: Provider):
    provider.door.sign_in()
    wish = essential(acr={"values": ["extra"]})
    assert provider.authorize(claims=wish).headers["Location"] == "/sign-in/tx0"
    assert answered(provider, "tx0", Factor.ANSWER)["acr"] == "extra"
    refused = provider.authorize(claims=essential(acr={"values": ["mfa"]}))
    assert answer_of(refused)["error"] == "unmet_authentication_requirements"
    assert provider.clock() == NOW
