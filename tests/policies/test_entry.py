from dataclasses import replace
from datetime import timedelta

import pytest

from idp.model import AccountState, Ask, Counter, Factor, Lost, Proof, Quiet, Recovering
from idp.policies.entry import next_step
from idp.policies.policy import RecoveryMethod
from idp.policies.steps import (
    AnswerToRecover,
    AskPin,
    AskSecondFactor,
    AskUsernameAndPassword,
    ChoosePassword,
    ChooseQuestion,
    CreatePin,
    Done,
    EnrolSecondFactor,
    ExtraProof,
    GiveConsent,
    KeepAccount,
    MailSent,
    Reactivate,
    ReactivateByCode,
    Refusal,
    Refused,
    ReplacePassword,
    ReplacePin,
)
from tests.policies.values import ALL_THREE, DAY, MARIA, MINUTE, NOW, POLICY, account, credential, policy, reminded, sign_in

PASSWORD, PIN, ANSWER, INVITATION = Factor.PASSWORD, Factor.PIN, Factor.ANSWER, Factor.INVITATION
INVITED = account(state=AccountState.INVITED, credentials=(), enrolled_at=None, last_sign_in_at=None)
QUESTIONS = ChooseQuestion(POLICY.security_question.questions, 3)
CREATE = ChoosePassword("Maria.Rossi", 8, 128)
LEAVING = account(state=AccountState.LEAVING, state_at=NOW - 10 * DAY)


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
    "cancelled, told to nobody without the password": ((), LEAVING, AskUsernameAndPassword()),
    "cancelled: the rest is proved first": ((PASSWORD,), LEAVING, AskPin(6)),
    "cancelled: to be kept?": ((PASSWORD, PIN), LEAVING, KeepAccount(NOW + 4 * DAY)),
    "cancelled: the date that was told": (
        (PASSWORD, PIN),
        replace(LEAVING, quiet=Quiet(goes_at=NOW + MINUTE)),
        KeepAccount(NOW + MINUTE),
    ),
    "cancelled: on the date it is over": ((PASSWORD, PIN), replace(LEAVING, quiet=Quiet(goes_at=NOW)), Refused(Refusal.CLOSED)),
    "cancelled long after the last sign-in: not asleep": (
        (PASSWORD, PIN),
        replace(LEAVING, last_sign_in_at=NOW - 150 * DAY, created_at=NOW - 300 * DAY),
        KeepAccount(NOW + 4 * DAY),
    ),
    "expired": (
        (PASSWORD,),
        reminded(account(last_sign_in_at=NOW - 180 * DAY, created_at=NOW - 999 * DAY, enrolled_at=None)),
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


ASLEEP = reminded(account(last_sign_in_at=NOW - 120 * DAY, created_at=NOW - 300 * DAY, enrolled_at=NOW - 299 * DAY))


def test_suspended_access_is_woken_by_the_answer_and_only_after_the_pin():
    assert next_step(sign_in(PASSWORD), ASLEEP, POLICY, NOW) == AskPin(6)
    assert next_step(sign_in(PASSWORD, PIN), ASLEEP, POLICY, NOW) == Reactivate("first_school")
    awake = replace(ASLEEP, reactivated_at=NOW)
    assert isinstance(next_step(sign_in(PASSWORD, PIN, ANSWER), awake, POLICY, NOW), Done)


BY_MAIL, BY_SMS = ReactivateByCode("email", 6, sent=False), ReactivateByCode("sms", 6, sent=False)


@pytest.mark.parametrize(
    ("by", "lacks", "wanted"),
    [
        (("answer", "email_code"), (), Reactivate("first_school")),
        (("answer", "email_code"), ("answer",), BY_MAIL),
        (("answer",), ("answer",), Refused(Refusal.SUSPENDED)),
        (("email_code", "answer"), (), BY_MAIL),
        (("sms_code", "email_code"), (), BY_SMS),
        (("sms_code", "email_code"), ("mobile",), BY_MAIL),
        (("sms_code",), ("mobile",), Refused(Refusal.SUSPENDED)),
        (("sms_code", "answer"), ("mobile",), Reactivate("first_school")),
        (("totp", "passkey"), (), Refused(Refusal.SUSPENDED)),
        (("totp", "passkey", "answer"), (), Reactivate("first_school")),
    ],
)
def test_suspended_access_is_woken_by_the_first_way_that_the_person_has(by, lacks, wanted):
    rules = policy(inactivity={"reactivate_by": by}, security_question={"enabled": False})
    held = tuple(one for one in ASLEEP.credentials if one.factor not in lacks)
    asleep = replace(ASLEEP, credentials=held, mobile=None if "mobile" in lacks else ASLEEP.mobile)
    assert next_step(sign_in(PASSWORD, PIN), asleep, rules, NOW) == wanted
    assert next_step(sign_in(PASSWORD), asleep, rules, NOW) == AskPin(6)
    assert next_step(sign_in(PIN, ANSWER, Factor.CODE), asleep, rules, NOW) == AskUsernameAndPassword("Maria.Rossi")


def test_a_code_that_was_sent_is_asked_for_and_wakes_only_by_being_kept():
    rules = policy(inactivity={"reactivate_by": ("email_code",)})
    asked = sign_in(PASSWORD, PIN, code_sent=True)
    assert next_step(asked, ASLEEP, rules, NOW) == ReactivateByCode("email", 6, sent=True)
    # The proof alone wakes nothing: the account itself must have been made active again.
    assert isinstance(next_step(sign_in(PASSWORD, PIN, Factor.CODE), ASLEEP, rules, NOW), ReactivateByCode)
    assert isinstance(next_step(asked, replace(ASLEEP, reactivated_at=NOW), rules, NOW), Done)


def test_a_locked_answer_is_not_gone_round_by_another_way():
    rules = policy(inactivity={"reactivate_by": ("answer", "email_code")})
    until = NOW + 5 * MINUTE
    locked = Counter("acc_maria", Factor.ANSWER, failures=5, window_from=NOW, locked_until=until)
    assert next_step(sign_in(PASSWORD, PIN), ASLEEP, rules, NOW, (locked,)) == Refused(Refusal.LOCKED, until)


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


# Temporary passwords

TEMPORARY, TOTP, PASSKEY, CODE = Factor.TEMPORARY, Factor.TOTP, Factor.PASSKEY, Factor.CODE
RECOVERY_CODE = Factor.RECOVERY_CODE
REPLACE = ReplacePassword("Maria.Rossi", 8, 128)
MAILED = account(credentials=(*ALL_THREE, credential(TEMPORARY, set_at=NOW - MINUTE, expires_at=NOW)))
TEMPORARIES = {
    # what was proved, whose account, what comes next
    "opens a new password": ((TEMPORARY,), MAILED, REPLACE),
    "and nothing else, whatever was proved beside it": ((TEMPORARY, PIN, ANSWER, TOTP, CODE), MAILED, REPLACE),
    "the PIN does not stand for the password": ((PIN, TEMPORARY), MAILED, REPLACE),
    "beside the password it is not needed": ((PASSWORD, TEMPORARY), MAILED, AskPin(6)),
    "once a password was chosen somewhere it is nothing": ((TEMPORARY,), MARIA, AskUsernameAndPassword("Maria.Rossi")),
    "blocked": ((TEMPORARY,), replace(MAILED, state=AccountState.BLOCKED), Refused(Refusal.BLOCKED)),
    "closed": ((TEMPORARY,), replace(MAILED, state=AccountState.CLOSED), Refused(Refusal.CLOSED)),
}


@pytest.mark.parametrize("case", TEMPORARIES)
def test_a_temporary_password_opens_nothing_but_the_choice_of_a_new_one(case):
    factors, who, step = TEMPORARIES[case]
    assert next_step(sign_in(*factors), who, POLICY, NOW) == step


def test_a_newer_temporary_password_ends_what_the_older_one_began():
    newer = account(credentials=(*ALL_THREE, credential(TEMPORARY, set_at=NOW + timedelta(microseconds=1))))
    assert next_step(sign_in(TEMPORARY), newer, POLICY, NOW) == AskUsernameAndPassword("Maria.Rossi")
    same = account(credentials=(*ALL_THREE, credential(TEMPORARY, set_at=NOW)))
    assert next_step(sign_in(TEMPORARY), same, POLICY, NOW) == REPLACE


def test_a_password_proved_longer_ago_than_the_client_accepts_does_not_lift_the_temporary_one():
    proofs = (Proof(PASSWORD, NOW - 10 * MINUTE), Proof(PIN, NOW), Proof(TEMPORARY, NOW))
    asked = replace(sign_in(ask=Ask(fresh_since=NOW - MINUTE)), proofs=proofs)
    assert next_step(asked, MAILED, POLICY, NOW) == REPLACE


@pytest.mark.parametrize("factor", [PASSWORD, PIN])
def test_a_proof_of_a_secret_replaced_since_proves_nothing(factor):
    held = tuple(credential(one.factor, set_at=NOW + MINUTE) if one.factor is factor else one for one in MARIA.credentials)
    step = next_step(sign_in(PASSWORD, PIN), account(credentials=held), POLICY, NOW)
    assert step == (AskUsernameAndPassword("Maria.Rossi") if factor is PASSWORD else AskPin(6))


# A recovery under way


def test_while_a_recovery_is_under_way_nothing_else_is_asked_and_nothing_is_done():
    for factors in ((), (PASSWORD, PIN), (PASSWORD, PIN, ANSWER, TOTP)):
        under_way = replace(sign_in(*factors), recovering=Recovering(Lost.PASSWORD, "acc_maria", ("answer",), "first_school"))
        for who in (MARIA, None, account(state=AccountState.BLOCKED)):
            assert next_step(under_way, who, POLICY, NOW) == AnswerToRecover(Lost.PASSWORD, "first_school")


def test_a_forgotten_pin_is_asked_about_only_behind_the_password():
    about = Recovering(Lost.PIN, "acc_maria", ("answer",), "first_school")
    assert next_step(replace(sign_in(PASSWORD), recovering=about), MARIA, POLICY, NOW) == AnswerToRecover(
        Lost.PIN, "first_school"
    )
    assert next_step(replace(sign_in(), recovering=about), MARIA, POLICY, NOW) == AskUsernameAndPassword()
    assert next_step(replace(sign_in(TEMPORARY), recovering=about), MAILED, POLICY, NOW) == REPLACE
    blocked = account(state=AccountState.BLOCKED)
    assert next_step(replace(sign_in(PASSWORD), recovering=about), blocked, POLICY, NOW) == Refused(Refusal.BLOCKED)
    another = replace(about, subject="acc_other")
    assert next_step(replace(sign_in(PASSWORD), recovering=another), MARIA, POLICY, NOW) == AskPin(6)
    no_pin = policy(pin={"enabled": False}, registration={"enrolment": ("password", "question")})
    assert isinstance(next_step(replace(sign_in(PASSWORD), recovering=about), MARIA, no_pin, NOW), Done)


def test_a_forgotten_pin_mailed_leads_back_to_the_pin():
    sent = Recovering(Lost.PIN, "acc_maria", (), None, sent=True)
    assert next_step(replace(sign_in(PASSWORD), recovering=sent), MARIA, POLICY, NOW) == MailSent(Lost.PIN)
    assert next_step(sign_in(PASSWORD, told="pin_sent"), MARIA, POLICY, NOW) == AskPin(6, "pin_sent")


def test_a_pin_chosen_by_recovery_needs_what_the_method_demands():
    law = policy(recovery={"pin": RecoveryMethod(identify_by=("username",), then="choose_new")})
    about = Recovering(Lost.PIN, "acc_maria", ("answer",), "first_school", (Proof(ANSWER, NOW), Proof(CODE, NOW)))
    assert next_step(replace(sign_in(PASSWORD), recovering=about), MARIA, law, NOW) == ReplacePin(6)
    assert next_step(replace(sign_in(PASSWORD, ANSWER, CODE), recovering=replace(about, proofs=())), MARIA, law, NOW) == (
        AnswerToRecover(Lost.PIN, "first_school")
    )


# The second factor

HOLDER = account(credentials=(*ALL_THREE, credential(TOTP)))
WITH_KEY = account(credentials=(*ALL_THREE, credential(PASSKEY)))
SECOND_FACTORS = {
    # what was proved, whose account, what comes next
    "who has an app is asked": ((PASSWORD, PIN), HOLDER, AskSecondFactor(("totp", "recovery_code"))),
    "who has a passkey is asked": ((PASSWORD, PIN), WITH_KEY, AskSecondFactor(("passkey", "recovery_code"))),
    "answer and code are no second factor": ((PASSWORD, PIN, ANSWER, CODE), HOLDER, AskSecondFactor(("totp", "recovery_code"))),
    "shown": ((PASSWORD, PIN, TOTP), HOLDER, Done),
    "by a recovery code": ((PASSWORD, PIN, RECOVERY_CODE), HOLDER, Done),
    "the app does not stand for the password": ((TOTP, PIN), HOLDER, AskUsernameAndPassword("Maria.Rossi")),
    "a passkey does not either": ((PASSKEY,), WITH_KEY, AskUsernameAndPassword("Maria.Rossi")),
    "nor a recovery code": ((RECOVERY_CODE, CODE), HOLDER, AskUsernameAndPassword("Maria.Rossi")),
    "the PIN comes first": ((PASSWORD, TOTP), HOLDER, AskPin(6)),
    "who has none is not asked": ((PASSWORD, PIN), MARIA, Done),
    "a temporary password passes none": (
        (TEMPORARY, TOTP),
        replace(MAILED, credentials=(*MAILED.credentials, credential(TOTP))),
        REPLACE,
    ),
}


@pytest.mark.parametrize("case", SECOND_FACTORS)
def test_the_second_factor_is_asked_of_who_has_one(case):
    factors, who, expected = SECOND_FACTORS[case]
    step = next_step(sign_in(*factors), who, POLICY, NOW)
    assert isinstance(step, Done) if expected is Done else step == expected


def test_the_second_factor_survives_a_new_password_and_a_new_pin():
    anew = tuple(credential(factor, set_at=NOW) for factor in (PASSWORD, PIN, ANSWER))
    who = account(credentials=(*anew, credential(TOTP)))
    assert next_step(sign_in(PASSWORD, PIN), who, POLICY, NOW) == AskSecondFactor(("totp", "recovery_code"))


def test_a_new_key_of_the_app_ends_the_proof_of_the_old_one():
    who = account(credentials=(*ALL_THREE, credential(TOTP, set_at=NOW + MINUTE)))
    assert next_step(sign_in(PASSWORD, PIN, TOTP), who, POLICY, NOW) == AskSecondFactor(("totp", "recovery_code"))


def test_a_second_factor_that_policy_demands_is_set_up_before_the_first_session():
    demanded = policy(second_factor={"required": True})
    assert next_step(sign_in(PASSWORD, PIN), MARIA, demanded, NOW) == EnrolSecondFactor(("totp", "passkey"))
    assert next_step(sign_in(PASSWORD), MARIA, demanded, NOW) == AskPin(6)
    only_app = policy(second_factor={"required": True, "passkey": "off"})
    assert next_step(sign_in(PASSWORD, PIN), MARIA, only_app, NOW) == EnrolSecondFactor(("totp",))
    assert next_step(sign_in(PASSWORD, PIN), HOLDER, demanded, NOW) == AskSecondFactor(("totp", "recovery_code"))


def test_a_locked_second_factor_is_told_after_password_and_pin_only():
    until = NOW + 10 * MINUTE
    locked = (Counter("acc_maria", TOTP, locked_until=until),)
    assert next_step(sign_in(PASSWORD, PIN), HOLDER, POLICY, NOW, locked) == Refused(Refusal.LOCKED, until)
    assert next_step(sign_in(PASSWORD), HOLDER, POLICY, NOW, locked) == AskPin(6)
    assert next_step(sign_in(), HOLDER, POLICY, NOW, locked) == AskUsernameAndPassword()


def test_a_passkey_is_the_whole_sign_in_only_where_policy_says_so():
    whole = policy(second_factor={"passkey": "sign_in"})
    assert isinstance(next_step(sign_in(PASSKEY), WITH_KEY, whole, NOW), Done)
    assert next_step(sign_in(PASSKEY), WITH_KEY, POLICY, NOW) == AskUsernameAndPassword("Maria.Rossi")
    blocked = replace(WITH_KEY, state=AccountState.BLOCKED)
    assert next_step(sign_in(PASSKEY), blocked, whole, NOW) == Refused(Refusal.BLOCKED)
    frozen = (Counter("acc_maria", PASSKEY, disabled_at=NOW),)
    assert next_step(sign_in(PASSKEY), WITH_KEY, whole, NOW, frozen) == AskUsernameAndPassword("Maria.Rossi")


@pytest.mark.parametrize(("proved_at", "counts"), [(-MINUTE, False), (timedelta(0), True), (MINUTE, True)])
def test_what_was_proved_before_the_password_was_disabled_proves_nothing(proved_at, counts):
    closed = (Counter("acc_maria", PASSWORD, disabled_at=NOW - 5 * MINUTE),)
    at = NOW - 5 * MINUTE + proved_at
    step = next_step(sign_in(PASSWORD, PIN, at=at), MARIA, POLICY, NOW, closed)
    assert isinstance(step, Done) is counts


def test_whether_to_keep_a_cancelled_account_is_asked_before_anything_that_is_agreed_to():
    rules = policy(consent={"terms": "accept", "terms_version": "2026-11", "purposes": {"news": "1"}})
    assert next_step(sign_in(PASSWORD, PIN), LEAVING, rules, NOW) == KeepAccount(NOW + 4 * DAY)
    kept = replace(LEAVING, state=AccountState.ACTIVE)
    assert not isinstance(next_step(sign_in(PASSWORD, PIN), kept, rules, NOW), KeepAccount)
