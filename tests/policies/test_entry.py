from dataclasses import replace
from datetime import timedelta

import pytest

from idp.model import AccountState, Ask, Counter, Factor, Proof
from idp.policies.entry import next_step
from idp.policies.steps import (
    AskPin,
    AskUsernameAndPassword,
    ChoosePassword,
    ChooseQuestion,
    CreatePin,
    Done,
    ExtraProof,
    GiveConsent,
    Reactivate,
    Refusal,
    Refused,
    ReplacePassword,
    ReplacePin,
)
from tests.policies.values import ALL_THREE, DAY, MARIA, MINUTE, NOW, POLICY, account, credential, policy, sign_in

PASSWORD, PIN, ANSWER, INVITATION = Factor.PASSWORD, Factor.PIN, Factor.ANSWER, Factor.INVITATION
INVITED = account(state=AccountState.INVITED, credentials=(), enrolled_at=None, last_sign_in_at=None)
QUESTIONS = ChooseQuestion(POLICY.security_question.questions, 3)
CREATE = ChoosePassword("Maria.Rossi", 8, 128)


def having(*factors):
    return replace(INVITED, credentials=tuple(held for held in ALL_THREE if held.factor in factors))


# what was proved, whose account, what comes next
CASES = {
    "nobody yet": ((), None, AskUsernameAndPassword()),
    "an account but no proof": ((), MARIA, AskUsernameAndPassword()),
    "password": ((PASSWORD,), MARIA, AskPin(6)),
    "a PIN alone opens nothing": ((PIN,), MARIA, AskUsernameAndPassword("Maria.Rossi")),
    "an answer alone opens nothing": ((ANSWER,), MARIA, AskUsernameAndPassword("Maria.Rossi")),
    "invited, no proof": ((), INVITED, AskUsernameAndPassword()),
    "invited by link": ((INVITATION,), INVITED, CREATE),
    "half-way: password chosen, PIN missing": ((PASSWORD,), having(PASSWORD), CreatePin(6)),
    "half-way: the PIN that exists is asked before more is created": ((PASSWORD,), having(PASSWORD, PIN), AskPin(6)),
    "half-way: question missing": ((PASSWORD, PIN), having(PASSWORD, PIN), QUESTIONS),
    "an invitation opens nothing once a password exists": (
        (INVITATION,),
        having(PASSWORD),
        AskUsernameAndPassword("Maria.Rossi"),
    ),
    "blocked": ((PASSWORD,), account(state=AccountState.BLOCKED), Refused(Refusal.BLOCKED)),
    "blocked, told to nobody without the password": ((), account(state=AccountState.BLOCKED), AskUsernameAndPassword()),
    "closed": ((PASSWORD, PIN), account(state=AccountState.CLOSED), Refused(Refusal.CLOSED)),
    "expired": (
        (PASSWORD,),
        account(last_sign_in_at=NOW - 180 * DAY, created_at=NOW - 999 * DAY, enrolled_at=None),
        Refused(Refusal.EXPIRED),
    ),
    "password to replace": (
        (PASSWORD,),
        account(credentials=(credential(PASSWORD, must_change=True), *ALL_THREE[1:])),
        ReplacePassword("Maria.Rossi", 8, 128),
    ),
    "PIN to replace": (
        (PASSWORD, PIN),
        account(credentials=(ALL_THREE[0], credential(PIN, must_change=True), ALL_THREE[2])),
        ReplacePin(6),
    ),
    "everything": ((PASSWORD, PIN), MARIA, Done((Proof(PASSWORD, NOW), Proof(PIN, NOW)))),
}


@pytest.mark.parametrize("case", CASES)
def test_the_step_that_comes_next(case):
    factors, who, step = CASES[case]
    assert next_step(sign_in(*factors), who, POLICY, NOW) == step


ASLEEP = account(last_sign_in_at=NOW - 120 * DAY, created_at=NOW - 300 * DAY, enrolled_at=NOW - 299 * DAY)


def test_suspended_access_is_woken_by_the_answer_and_only_after_the_pin():
    assert next_step(sign_in(PASSWORD), ASLEEP, POLICY, NOW) == AskPin(6)
    assert next_step(sign_in(PASSWORD, PIN), ASLEEP, POLICY, NOW) == Reactivate("first_school")
    awake = replace(ASLEEP, reactivated_at=NOW)
    assert isinstance(next_step(sign_in(PASSWORD, PIN, ANSWER), awake, POLICY, NOW), Done)


def test_suspended_access_without_a_way_back_is_refused():
    rules = policy(inactivity={"reactivate_by": ("email_code",)})
    assert next_step(sign_in(PASSWORD, PIN), ASLEEP, rules, NOW) == Refused(Refusal.SUSPENDED)


@pytest.mark.parametrize(
    "order", [("pin", "password", "question"), ("question", "pin", "password"), ("password", "question", "pin")]
)
def test_pieces_come_in_the_order_that_policy_lists(order):
    rules = policy(registration={"enrolment": order})
    made = {"password": PASSWORD, "pin": PIN, "question": ANSWER}
    who, seen, proofs = INVITED, [], (INVITATION,)
    for _ in order:
        step = next_step(sign_in(*proofs), who, rules, NOW)
        piece = {ChoosePassword: "password", CreatePin: "pin", ChooseQuestion: "question"}[type(step)]
        seen.append(piece)
        who = replace(who, credentials=(*who.credentials, credential(made[piece])))
        proofs = (*proofs, made[piece])
    assert tuple(seen) == order
    assert isinstance(next_step(sign_in(*proofs), who, rules, NOW), Done)


def test_without_pin_and_question_a_password_is_enough():
    rules = policy(pin={"enabled": False}, security_question={"enabled": False})
    assert isinstance(next_step(sign_in(PASSWORD), having(PASSWORD), rules, NOW), Done)


@pytest.mark.parametrize(("age", "counts"), [(timedelta(minutes=5), True), (timedelta(minutes=5, seconds=1), False)])
def test_proofs_older_than_the_client_accepts_do_not_count(age, counts):
    ask = Ask(fresh_since=NOW - timedelta(minutes=5))
    step = next_step(sign_in(PASSWORD, PIN, at=NOW - age, ask=ask), MARIA, POLICY, NOW)
    assert isinstance(step, Done) is counts
    if not counts:
        assert step == AskUsernameAndPassword("Maria.Rossi")


def test_another_person_than_the_client_asked_for_is_refused():
    assert next_step(sign_in(PASSWORD, PIN, ask=Ask(subject="acc_other")), MARIA, POLICY, NOW) == Refused(Refusal.OTHER_PERSON)


LEVELS = {
    # acr wanted, essential, proofs, step
    "reached": (("pwd+pin",), True, (PASSWORD, PIN), Done),
    "unknown and voluntary is passed over": (("urn:gold",), False, (PASSWORD, PIN), Done),
    "unknown and essential is refused": (("urn:gold",), True, (PASSWORD, PIN), Refused),
    "extra asks for the answer": (("extra",), True, (PASSWORD, PIN), ExtraProof),
    "extra, answered": (("extra",), True, (PASSWORD, PIN, ANSWER), Done),
    "the least acceptable level is enough": (("mfa", "pwd"), True, (PASSWORD, PIN), Done),
    "mfa out of reach, voluntary": (("mfa",), False, (PASSWORD, PIN), Done),
    "mfa out of reach, essential": (("mfa",), True, (PASSWORD, PIN), Refused),
}


@pytest.mark.parametrize("case", LEVELS)
def test_the_level_a_client_needs(case):
    acr, essential, factors, step = LEVELS[case]
    ask = Ask(acr=acr, acr_essential=essential)
    assert type(next_step(sign_in(*factors, ask=ask), MARIA, POLICY, NOW)) is step


def test_an_extra_proof_does_not_last():
    proofs = (Proof(PASSWORD, NOW - 60 * MINUTE), Proof(PIN, NOW - 60 * MINUTE), Proof(ANSWER, NOW - 11 * MINUTE))
    ask = Ask(acr=("extra",), acr_essential=True)
    assert next_step(replace(sign_in(ask=ask), proofs=proofs), MARIA, POLICY, NOW) == ExtraProof("first_school")


def test_consent_is_asked_once():
    ask = Ask(client_id="other", scope=("openid",), consent_given=False)
    done = sign_in(PASSWORD, PIN, ask=ask)
    assert next_step(done, MARIA, POLICY, NOW) == GiveConsent("other", ("openid",))
    assert isinstance(next_step(replace(done, consented=True), MARIA, POLICY, NOW), Done)


def test_a_locked_pin_is_told_after_the_password_only():
    until = NOW + 10 * MINUTE
    locked = (Counter("acc_maria", PIN, locked_until=until),)
    assert next_step(sign_in(PASSWORD), MARIA, POLICY, NOW, locked) == Refused(Refusal.LOCKED, until)
    assert next_step(sign_in(), MARIA, POLICY, NOW, locked) == AskUsernameAndPassword()
    assert next_step(sign_in(PASSWORD), MARIA, POLICY, until, locked) == AskPin(6)
    disabled = (Counter("acc_maria", PIN, disabled_at=NOW),)
    assert next_step(sign_in(PASSWORD), MARIA, POLICY, NOW, disabled) == Refused(Refusal.DISABLED)
