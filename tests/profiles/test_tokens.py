"""Tokens under every profile: for one backend each, with the level that was reached, and for nobody who may not have one."""

import json
from collections.abc import Callable
from datetime import timedelta

import jwt
import pytest

from idp.flows import assist
from idp.model import AccountState, Factor
from tests.harness import House
from tests.people import BILLING, SERVICE
from tests.profiles import laws
from tests.profiles.laws import where
from tests.profiles.members import Member, member
from tests.stories.test_t01 import claims_of, verified

WANTS_EXTRA = json.dumps({"id_token": {"acr": {"essential": True, "values": ["extra"]}}})


def test_each_backend_gets_a_token_of_its_own_and_the_refresh_token_rotates(portal: House) -> None:
    law, person = portal.world.policy, member(portal)
    issued = person.tokens(resource=BILLING)
    other = portal.refresh(issued["refresh_token"], resource=SERVICE).json()
    for token, audience, refused in (
        (issued["access_token"], BILLING, SERVICE),
        (other["access_token"], SERVICE, BILLING),
    ):
        told = verified(portal, token, audience)
        assert (told["sub"], told["acr"]) == (person.account.id, law.step_up.sign_in)
        assert told["exp"] - told["iat"] <= law.tokens.access_token.total_seconds()
        assert person.username not in str(told)
        assert person.account.email not in str(told)
        with pytest.raises(jwt.InvalidAudienceError):
            verified(portal, token, refused)
    assert portal.introspect(issued["access_token"], "billing")["active"]
    assert portal.introspect(issued["access_token"], "service") == {"active": False}
    assert other["refresh_token"] != issued["refresh_token"]
    portal.clock.move(seconds=law.tokens.reuse_grace.total_seconds() + 1)
    # Whoever comes with the one before is a thief or was robbed: everything of the family ends.
    assert portal.refresh(issued["refresh_token"]).status_code == 400
    assert portal.refresh(other["refresh_token"]).status_code == 400


@pytest.mark.parametrize("act", [assist.Act.BLOCK, assist.Act.CLOSE], ids=lambda act: act.name)
def test_whoever_staff_keeps_out_gets_no_token_by_any_path(portal: House, act: assist.Act) -> None:
    kept_out(portal, lambda person: assist.change_state(portal.world, person.username, act, "test"))


@where(lambda law: law.inactivity.suspend_after)
def test_whose_access_sleeps_gets_no_token_by_any_path(portal: House) -> None:
    after = portal.world.policy.inactivity.suspend_after or timedelta(0)
    kept_out(portal, lambda _: portal.leave(seconds=after.total_seconds()))


@where(lambda law: law.inactivity.expire_after)
def test_whose_access_has_expired_gets_no_token_by_any_path(portal: House) -> None:
    after = portal.world.policy.inactivity.expire_after or timedelta(0)
    kept_out(portal, lambda _: portal.leave(seconds=after.total_seconds()))


def kept_out(house: House, end: Callable[[Member], object]) -> None:
    """From the moment of ``end`` somebody with tokens, a session and a code on its way has nothing."""
    person = member(house)
    issued = person.tokens()
    waiting = person.authorize(scope="openid billing:read")
    with house.clock.stopped():
        end(person)
        assert person.redeem(waiting).status_code == 400
    assert house.refresh(issued["refresh_token"]).status_code == 400
    assert house.introspect(issued["access_token"]) == {"active": False}
    assert person.ask(prompt="none").answer["error"] == "login_required"
    assert not person.signed_in()
    visitor = person.elsewhere()
    wrong = visitor.try_password("wrong wrong wrong wrong 9")
    assert (wrong.status, wrong.heading) == (401, "Sign in")
    page = visitor.follow(visitor.post(visitor.ask(), {"username": visitor.username, "password": visitor.password}))
    assert page.left is None
    assert not visitor.signed_in()


def test_a_registration_that_waits_for_its_code_opens_nothing(portal: House) -> None:
    person = member(portal, state=AccountState.PENDING)
    page = person.walk(person.ask(scope="openid"))
    assert (page.status, page.step) == (401, "AskUsernameAndPassword")
    assert not person.signed_in()
    person.recover("password")
    assert portal.letters(person.account) == []


def test_who_never_finished_the_first_sign_in_gets_no_token(portal: House) -> None:
    person = member(portal, state=AccountState.INVITED, enrolled_at=None, secrets=())
    assert person.walk(person.ask(scope="openid")).status == 401
    assert person.ask(prompt="none").answer["error"] == "login_required"


@where(lambda law: not law.second_factor.required)
def test_extra_proof_is_asked_for_and_the_token_says_so(portal: House) -> None:
    law = portal.world.policy
    person = member(portal, with_answer="answer" in law.step_up.extra_by)
    person.sign_in()
    seen, page = person.steps_of(person.ask(scope="openid billing:read", resource=[BILLING], claims=WANTS_EXTRA))
    told = claims_of(person.redeem(page, resource=BILLING).json()["access_token"])
    first = "ExtraProof" if law.step_up.extra_by[0] == "answer" else "ExtraProofByCode"
    assert (set(seen), told["acr"]) == ({first}, "extra")
    portal.clock.move(seconds=law.step_up.fresh_for.total_seconds() + 1)
    again, _ = person.steps_of(person.ask(scope="openid", claims=WANTS_EXTRA))
    assert again[-1] == first, "it counts for as long as the policy says"


@where(lambda law: law.second_factor.required)
def test_who_signed_in_with_two_factors_is_asked_for_no_more(portal: House) -> None:
    person = member(portal)
    person.sign_in()
    page = person.ask(scope="openid billing:read", resource=[BILLING], claims=WANTS_EXTRA)
    assert claims_of(person.redeem(page, resource=BILLING).json()["access_token"])["acr"] == "mfa"


@where(lambda law: Factor.ANSWER not in laws.secrets(law) and not law.second_factor.required)
def test_whoever_cannot_prove_more_is_told_so_and_never_given_less(portal: House) -> None:
    person = member(portal, email_confirmed_at=None)
    person.sign_in()
    answer = person.ask(scope="openid", claims=WANTS_EXTRA).answer
    assert answer["error"] == "unmet_authentication_requirements"
    assert "code" not in answer
