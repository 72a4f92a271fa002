"""What opens all that is held about a person, and that the walk always finds something to ask of whoever has not shown it."""

from dataclasses import replace
from datetime import timedelta
from itertools import chain, combinations, product

import pytest

from idp.model import Account, AccountState, Ask, Credential, Factor, Proof, SignIn
from idp.policies import proving
from idp.policies.entry import next_step
from idp.policies.policy import Policy, StepUp
from idp.policies.steps import Done
from tests.policies.test_entry import NOW

DAY = timedelta(days=1)
FRESH, STALE = NOW - timedelta(minutes=1), NOW - timedelta(minutes=11)
HELD = (Factor.ANSWER, Factor.TOTP, Factor.PASSKEY)
SHOWN = (Factor.PASSWORD, Factor.ANSWER, Factor.CODE, Factor.TOTP, Factor.PASSKEY)
LAWS = (
    # ways, whether there is a PIN, whether the address is confirmed
    (("answer",), True, False),
    (("email_code", "sms_code"), True, True),
    (("email_code", "sms_code"), False, True),
    (("answer", "totp"), False, False),
    (("totp", "passkey"), True, False),
    ((), True, True),
)


def subsets(of):
    return chain.from_iterable(combinations(of, number) for number in range(len(of) + 1))


def account(held, *, confirmed):
    set_at = NOW - DAY
    secrets = (Factor.PASSWORD, Factor.PIN, *held)
    credentials = tuple(Credential(one, "x", set_at, question="q" if one is Factor.ANSWER else None) for one in secrets)
    return Account(
        "a", "maria", "m@example.com" if confirmed else "", "", "", AccountState.ACTIVE, set_at,
        credentials=credentials, enrolled_at=set_at, email_confirmed_at=set_at if confirmed else None,
    )  # fmt: skip


def policy(ways, *, pin):
    base = Policy()
    return replace(
        base,
        pin=replace(base.pin, enabled=pin),
        second_factor=replace(base.second_factor, totp=True, passkey="sign_in"),
        step_up=StepUp(extra_by=ways, sign_in="pwd+pin" if pin else "pwd"),
        registration=replace(base.registration, enrolment=("password", "pin") if pin else ("password",)),
    )


@pytest.mark.parametrize(("ways", "pin", "confirmed"), LAWS)
def test_who_has_not_shown_enough_is_always_asked_for_something(ways, pin, confirmed):
    """Else the browser would go round between the page and a sign-in that is done."""
    law, asked, open_ = policy(ways, pin=pin), 0, 0
    for held, shown in product(subsets(HELD), subsets(SHOWN)):
        person = account(held, confirmed=confirmed)
        for moments in product((FRESH, STALE), repeat=len(shown)):
            proofs = (Proof(Factor.PIN, STALE), *(Proof(factor, at) for factor, at in zip(shown, moments, strict=True)))
            if proving.shown_lately(proofs, person, law, NOW):
                open_ += 1
                continue
            ask = Ask(acr=("extra",), fresh_since=proving.fresh_since(proofs, person, law, NOW))
            sign_in = SignIn("t", "b", NOW, NOW + DAY, ask, person.id, proofs)
            assert not isinstance(next_step(sign_in, person, law, NOW), Done), (held, proofs)
            asked += 1
    assert asked
    assert open_


CASES = {
    # held, confirmed, proofs, opens
    "an answer just given": ((Factor.ANSWER,), (Factor.PASSWORD, Factor.PIN, Factor.ANSWER), FRESH, True),
    "an answer of before": ((Factor.ANSWER,), (Factor.PASSWORD, Factor.PIN, Factor.ANSWER), STALE, False),
    "the sign-in alone": ((Factor.ANSWER,), (Factor.PASSWORD, Factor.PIN), FRESH, False),
    "nothing more to be shown": ((), (Factor.PASSWORD, Factor.PIN), FRESH, True),
    "nothing more, long ago": ((), (Factor.PASSWORD, Factor.PIN), STALE, False),
    "an app": ((Factor.TOTP,), (Factor.PASSWORD, Factor.PIN, Factor.TOTP), FRESH, True),
    "an app long ago": ((Factor.TOTP,), (Factor.PASSWORD, Factor.PIN, Factor.TOTP), STALE, False),
    "an app not shown": ((Factor.TOTP,), (Factor.PASSWORD, Factor.PIN), FRESH, False),
    "an answer without the PIN": ((Factor.ANSWER,), (Factor.PASSWORD, Factor.ANSWER), FRESH, False),
    "nothing": ((), (), FRESH, False),
}


@pytest.mark.parametrize("case", CASES)
def test_what_opens_it(case):
    held, shown, at, opens = CASES[case]
    proofs = tuple(Proof(factor, at) for factor in shown)
    law = policy(("answer",), pin=True)
    assert proving.shown_lately(proofs, account(held, confirmed=False), law, NOW) is opens


def test_a_proof_of_a_secret_replaced_since_opens_nothing():
    person = account((Factor.ANSWER,), confirmed=False)
    newer = tuple(replace(one, set_at=NOW) if one.factor is Factor.ANSWER else one for one in person.credentials)
    proofs = tuple(Proof(factor, FRESH) for factor in (Factor.PASSWORD, Factor.PIN, Factor.ANSWER))
    law = policy(("answer",), pin=True)
    assert proving.shown_lately(proofs, person, law, NOW)
    assert not proving.shown_lately(proofs, replace(person, credentials=newer), law, NOW)


def test_only_the_missing_proof_is_asked_where_one_is_missing():
    law = policy(("answer",), pin=True)
    person = account((Factor.ANSWER,), confirmed=False)
    proofs = (Proof(Factor.PASSWORD, STALE), Proof(Factor.PIN, STALE))
    assert proving.fresh_since(proofs, person, law, NOW) is None
    assert proving.fresh_since(proofs, account((), confirmed=False), law, NOW) == NOW
    whole = (*proofs, Proof(Factor.TOTP, STALE))
    assert proving.fresh_since(whole, account((Factor.TOTP,), confirmed=False), law, NOW) == NOW
