"""Recovery as law: who is found, what must be proved, which step comes next."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.model import AccountState, Factor, Lost, Proof, Recovering
from idp.policies import recovery
from idp.policies.policy import Recovery, RecoveryMethod
from idp.policies.recovery import Named
from idp.policies.steps import (
    AnswerToRecover,
    AskPin,
    Done,
    EnterCode,
    MailSent,
    Refusal,
    Refused,
    ReplacePassword,
    ReplacePin,
    ResetByCode,
)
from tests.policies.values import ALL_THREE, DAY, MARIA, MINUTE, NOW, POLICY, account, credential, policy, reminded, sign_in

ANSWER, CODE, TOTP = Factor.ANSWER, Factor.CODE, Factor.TOTP
WITHOUT_ANSWER = account(credentials=ALL_THREE[:2])
WITH_APP = account(credentials=(*ALL_THREE, credential(TOTP)))


def by(*proofs, then="mail_temporary", identify=("username", "email")):
    return RecoveryMethod(identify_by=identify, prove_by=proofs, then=then)


def law(lost, rules, **recovery_fields):
    return replace(POLICY, recovery=replace(Recovery(), **{lost.value: rules}, **recovery_fields))


def recovering(lost=Lost.PASSWORD, *proved, ways=("answer",), question="first_school", **changes):
    proofs = tuple(Proof(factor, NOW) for factor in proved)
    return replace(Recovering(lost, "acc_maria", ways, question, proofs), **changes)


# Which section of the policy speaks


def test_each_thing_lost_has_its_own_section():
    sections = {lost: recovery.method(lost, POLICY) for lost in Lost}
    assert sections == {
        Lost.USERNAME: POLICY.recovery.username,
        Lost.PASSWORD: POLICY.recovery.password,
        Lost.USERNAME_AND_PASSWORD: POLICY.recovery.username_and_password,
        Lost.PIN: POLICY.recovery.pin,
    }


def test_the_sign_in_page_offers_what_is_enabled_and_never_the_pin():
    assert recovery.offered(POLICY) == (Lost.USERNAME, Lost.PASSWORD)
    every = {name: RecoveryMethod(enabled=True) for name in ("username", "password", "username_and_password", "pin")}
    none = {name: RecoveryMethod(enabled=False) for name in every}
    assert recovery.offered(policy(recovery=every)) == (Lost.USERNAME, Lost.PASSWORD, Lost.USERNAME_AND_PASSWORD)
    assert recovery.offered(policy(recovery=none)) == ()


# Who may recover

STANDINGS = {
    "active": (MARIA, True),
    "suspended": (reminded(account(last_sign_in_at=NOW - 120 * DAY, created_at=NOW - 400 * DAY, enrolled_at=None)), True),
    "expired": (reminded(account(last_sign_in_at=NOW - 180 * DAY, created_at=NOW - 400 * DAY, enrolled_at=None)), False),
    "invited": (account(state=AccountState.INVITED), False),
    "blocked": (account(state=AccountState.BLOCKED), False),
    "closed": (account(state=AccountState.CLOSED), False),
    "pending": (account(state=AccountState.PENDING), False),
    "leaving": (account(state=AccountState.LEAVING, state_at=NOW - 13 * DAY), True),
    "leaving, to be gone": (account(state=AccountState.LEAVING, state_at=NOW - 14 * DAY), False),
}


@pytest.mark.parametrize("case", STANDINGS)
def test_only_access_that_lives_may_be_recovered(case):
    who, may = STANDINGS[case]
    named = Named("maria.rossi", "maria@example.com", "Maria Rossi")
    assert recovery.may_recover(who, POLICY, NOW) is may
    assert recovery.matches(who, by("answer"), named, POLICY, NOW) is may
    assert recovery.matches(who, by(identify=("name", "email")), named, POLICY, NOW) is may


def test_who_has_none_of_the_proofs_does_not_match():
    named = Named("maria.rossi", "maria@example.com")
    assert not recovery.matches(WITHOUT_ANSWER, by("answer"), named, POLICY, NOW)
    assert recovery.matches(WITHOUT_ANSWER, by("answer", "email_code"), named, POLICY, NOW)
    assert recovery.matches(WITHOUT_ANSWER, by(), named, POLICY, NOW)
    assert not recovery.matches(replace(MARIA, mobile=None), by("sms_code"), named, POLICY, NOW)
    assert not recovery.matches(MARIA, by("totp"), named, POLICY, NOW)
    assert not recovery.matches(WITH_APP, by("passkey"), named, POLICY, NOW)


# typed address, is it maria@example.com
ADDRESSES = {
    "as on file": ("maria@example.com", True),
    "in capitals": ("MARIA@EXAMPLE.COM", True),
    "with space around": ("  maria@example.com\t", True),
    "full width": ("ｍａｒｉａ＠ｅｘａｍｐｌｅ．ｃｏｍ", True),
    "a Cyrillic a": ("m\u0430ria@example.com", False),
    "a dotless i": ("mar\u0131a@example.com", False),
    "a tag": ("maria+x@example.com", False),
    "two addresses": ("maria@example.com,eve@example.com", False),
    "two on two lines": ("maria@example.com\nBcc: eve@example.com", False),
    "a line break behind": ("maria@example.com\r\n", True),
    "a space within": ("maria @example.com", False),
    "a name before": ("Maria <maria@example.com>", False),
    "a NUL behind": ("maria@example.com\0", False),
    "a zero width space": ("maria@example.com\u200b", False),
    "another": ("eve@example.com", False),
    "none": ("", False),
    "blanks": ("   ", False),
    "a hundred thousand": ("maria@example.com" + " " * 100_000, False),
}


@pytest.mark.parametrize("case", ADDRESSES)
def test_an_address_is_the_one_on_file_or_it_is_not(case):
    typed, same = ADDRESSES[case]
    assert recovery.matches(MARIA, by("answer"), Named("x", typed), POLICY, NOW) is same


def test_two_addresses_too_long_to_be_compared_are_not_the_same():
    longest = "x" * 320
    assert recovery.same_address(longest) == longest
    assert recovery.same_address(longest + "x") == ""
    assert not recovery.matches(MARIA, by("answer"), Named("x", "y" * 321), POLICY, NOW)


# typed name, is it that of María Rossi-D'Àngelo
NAMES = {
    "as on file": ("María Rossi-D'Àngelo", True),
    "without accents": ("Maria Rossi-D'Angelo", True),
    "in another order": ("Rossi-D'Angelo, Maria", True),
    "in capitals": ("MARIA ROSSI D'ANGELO", True),
    "decomposed": ("Mari\u0301a Rossi-D'A\u0300ngelo", True),
    "a curly apostrophe": ("Maria Rossi D\u2019Angelo", True),
    "full width": ("Ｍａｒｉａ Rossi-D'Angelo", True),
    "more space": ("  Maria \t Rossi  -  D'Angelo ", True),
    "given name only": ("Maria", False),
    "a word twice": ("Maria Maria Rossi D'Angelo", False),
    "a word more": ("Maria Rossi D'Angelo Bianchi", False),
    "words run together": ("MariaRossiDAngelo", False),
    "a Cyrillic a": ("M\u0430ria Rossi D'Angelo", False),
    "a dotless i": ("Mar\u0131a Rossi D'Angelo", False),
    "none": ("", False),
    "marks only": ("-- ' --", False),
    "a wildcard": ("%", False),
    "hidden behind a long text": ("x " * 400 + "Maria Rossi D'Angelo", False),
}


@pytest.mark.parametrize("case", NAMES)
def test_a_name_is_compared_as_people_compare_names(case):
    typed, same = NAMES[case]
    who = account(given_name="María", family_name="Rossi-D'Àngelo")
    named = Named(email="maria@example.com", name=typed)
    assert recovery.matches(who, by(identify=("name", "email")), named, POLICY, NOW) is same


@pytest.mark.parametrize(
    ("given_name", "typed"), [("Weiß", "WEISS"), ("Ærø", "Ærø"), ("李", "李"), ("Zoë", "Zoe"), ("Łukasz", "łukasz")]
)
def test_names_of_other_alphabets_match_themselves(given_name, typed):
    who = account(given_name=given_name, family_name="")
    assert recovery.matches(who, by(identify=("name",)), Named(name=typed), POLICY, NOW)
    assert not recovery.matches(who, by(identify=("name",)), Named(name="Maria"), POLICY, NOW)


def test_only_what_policy_asks_is_compared():
    wrong = Named("x", "eve@example.com", "Eve")
    assert recovery.matches(MARIA, by(identify=("username",)), wrong, POLICY, NOW)
    assert not recovery.matches(MARIA, by(identify=("username", "email")), wrong, POLICY, NOW)
    assert not recovery.matches(MARIA, by(identify=("username", "name")), wrong, POLICY, NOW)


def test_a_name_without_a_letter_is_nobodys():
    nameless = account(given_name="", family_name="-")
    for typed in ("", "-", "' -"):
        assert not recovery.matches(nameless, by(identify=("name",)), Named(name=typed), POLICY, NOW)


@given(st.text(max_size=400), st.text(max_size=400))
def test_only_its_own_address_and_name_match_whatever_is_typed(email, name):
    rules = by(identify=("email", "name"))
    assert not recovery.matches(MARIA, rules, Named("x", email, name), POLICY, NOW)
    other = account(email=f"q{email}"[:320].strip(), given_name=f"q{name}"[:320], family_name="")
    assert recovery.matches(other, rules, Named("x", other.email, other.given_name), POLICY, NOW)


# The proofs

WAYS = {
    "everything": (
        WITH_APP,
        ("answer", "email_code", "sms_code", "totp", "passkey"),
        ("answer", "email_code", "sms_code", "totp"),
    ),
    "in policy's order": (WITH_APP, ("totp", "email_code", "answer"), ("totp", "email_code", "answer")),
    "no answer": (WITHOUT_ANSWER, ("answer", "email_code"), ("email_code",)),
    "no number": (replace(MARIA, mobile=None), ("sms_code", "answer"), ("answer",)),
    "nothing that fits": (replace(WITHOUT_ANSWER, mobile=None), ("answer", "sms_code", "totp", "passkey"), ()),
    "nothing asked": (MARIA, (), ()),
}


@pytest.mark.parametrize("case", WAYS)
def test_the_ways_are_what_policy_accepts_and_the_person_has(case):
    who, proofs, ways = WAYS[case]
    assert recovery.ways(who, by(*proofs)) == ways


def test_a_decoy_has_what_everyone_has():
    everyone = by("answer", "email_code")
    no_question = policy(security_question={"enabled": False})
    for chance in range(64):
        assert recovery.decoy_ways(everyone, POLICY, chance) == ("answer", "email_code")
        assert "answer" not in recovery.decoy_ways(by("answer", "email_code"), no_question, 0)
        some = recovery.decoy_ways(by("sms_code", "totp", "answer"), POLICY, chance)
        assert some[-1] == "answer"
        assert ("sms_code" in some, "totp" in some) == (bool(chance & 1), bool(chance & 2))


def test_a_decoy_is_always_asked_the_same_question_and_decoys_together_all_of_them():
    questions = POLICY.security_question.questions
    shown = [recovery.decoy_question(POLICY, chance) for chance in range(len(questions))]
    assert tuple(shown) == questions
    assert recovery.decoy_question(POLICY, 7) == recovery.decoy_question(POLICY, 7)
    assert recovery.decoy_question(policy(security_question={"questions": ()}), 3) is None


NEEDED = {
    # prove_by, then, ways the person has, answer_needs_mailbox, needed
    "the answer alone brings a letter": (("answer",), "mail_temporary", ("answer",), True, ("answer",)),
    "an answer that lets choose needs the mailbox": (("answer",), "choose_new", ("answer",), True, ("answer", "email_code")),
    "unless policy says otherwise": (("answer",), "choose_new", ("answer",), False, ("answer",)),
    "a code that lets choose": (("email_code",), "choose_new", ("email_code",), True, ("email_code",)),
    "the first that the person has": (("answer", "email_code"), "choose_new", ("email_code",), True, ("email_code",)),
    "the first of several": (("totp", "answer"), "mail_temporary", ("totp", "answer"), True, ("totp",)),
    "the app needs no mailbox": (("totp", "answer"), "choose_new", ("totp", "answer"), True, ("totp",)),
    "policy's order, not the order kept": (
        ("email_code", "answer"),
        "mail_temporary",
        ("answer", "email_code"),
        True,
        ("email_code",),
    ),
    "nothing asked": ((), "mail_temporary", (), True, ()),
    "ways that policy accepts no more": (("totp",), "choose_new", ("answer",), True, ("email_code",)),
    "no ways at all": (("answer",), "mail_temporary", (), True, ("email_code",)),
}


@pytest.mark.parametrize("case", NEEDED)
def test_the_proofs_demanded(case):
    proofs, then, ways, mailbox, needed = NEEDED[case]
    rules = policy(recovery={"answer_needs_mailbox": mailbox})
    assert recovery.needed(recovering(ways=ways), by(*proofs, then=then), rules) == needed


@given(
    st.lists(st.sampled_from(["answer", "email_code", "sms_code", "totp"]), min_size=1, unique=True),
    st.sets(st.sampled_from(["answer", "email_code", "sms_code", "totp"])),
    st.sampled_from(["mail_temporary", "mail_new", "choose_new"]),
    st.booleans(),
)
def test_whoever_must_prove_something_is_always_asked_for_something(proofs, held, then, mailbox):
    rules = by(*proofs, then=then)
    needed = recovery.needed(recovering(ways=tuple(held)), rules, policy(recovery={"answer_needs_mailbox": mailbox}))
    assert needed
    if then == "choose_new" and mailbox:
        assert needed != ("answer",)


# The steps

CHOOSE = ReplacePassword("Maria.Rossi", 8, 128)
STEPS = {
    # lost, the method, what was proved, step
    "username": (Lost.USERNAME, by(then="mail_username"), (), MailSent(Lost.USERNAME)),
    "password, answer": (Lost.PASSWORD, by("answer"), (), AnswerToRecover(Lost.PASSWORD, "first_school")),
    "password, answered": (Lost.PASSWORD, by("answer"), (ANSWER,), MailSent(Lost.PASSWORD)),
    "password, nothing asked": (Lost.PASSWORD, by(), (), MailSent(Lost.PASSWORD)),
    "password, a code that brings a letter": (Lost.PASSWORD, by("email_code"), (), EnterCode(Lost.PASSWORD, 6, "email")),
    "password, a text message": (Lost.PASSWORD, by("sms_code"), (), EnterCode(Lost.PASSWORD, 6, "sms")),
    "password, the app": (Lost.PASSWORD, by("totp"), (), EnterCode(Lost.PASSWORD, 6, "totp")),
    "password, the app, choose": (Lost.PASSWORD, by("totp", then="choose_new"), (), EnterCode(Lost.PASSWORD, 6, "totp")),
    "password, the app shown, choose": (Lost.PASSWORD, by("totp", then="choose_new"), (TOTP,), CHOOSE),
    "password, a code, choose": (Lost.PASSWORD, by("email_code", then="choose_new"), (), ResetByCode(6, "email", 8, 128)),
    "password, a message, choose": (Lost.PASSWORD, by("sms_code", then="choose_new"), (), ResetByCode(6, "sms", 8, 128)),
    "password, coded, choose": (Lost.PASSWORD, by("email_code", then="choose_new"), (CODE,), CHOOSE),
    "password, answer first, then the mailbox": (
        Lost.PASSWORD,
        by("answer", then="choose_new"),
        (ANSWER,),
        ResetByCode(6, "email", 8, 128),
    ),
    "password, the mailbox does not stand for the answer": (
        Lost.PASSWORD,
        by("answer", then="choose_new"),
        (CODE,),
        AnswerToRecover(Lost.PASSWORD, "first_school"),
    ),
    "password, both": (Lost.PASSWORD, by("answer", then="choose_new"), (ANSWER, CODE), CHOOSE),
    "password, proofs of another kind": (
        Lost.PASSWORD,
        by("email_code", then="choose_new"),
        (ANSWER, TOTP, Factor.PASSWORD, Factor.PIN),
        ResetByCode(6, "email", 8, 128),
    ),
    "both": (Lost.USERNAME_AND_PASSWORD, by("answer"), (), AnswerToRecover(Lost.USERNAME_AND_PASSWORD, "first_school")),
    "both, answered": (Lost.USERNAME_AND_PASSWORD, by("answer"), (ANSWER,), MailSent(Lost.USERNAME_AND_PASSWORD)),
    "both, a code": (Lost.USERNAME_AND_PASSWORD, by("email_code"), (), EnterCode(Lost.USERNAME_AND_PASSWORD, 6, "email")),
    "pin, answer": (Lost.PIN, by("answer", then="mail_new"), (), AnswerToRecover(Lost.PIN, "first_school")),
    "pin, answered": (Lost.PIN, by("answer", then="mail_new"), (ANSWER,), MailSent(Lost.PIN)),
    "pin, a code": (Lost.PIN, by("email_code", then="mail_new"), (), EnterCode(Lost.PIN, 6, "email")),
    "pin, a code, choose": (Lost.PIN, by("email_code", then="choose_new"), (), EnterCode(Lost.PIN, 6, "email")),
    "pin, coded, choose": (Lost.PIN, by("email_code", then="choose_new"), (CODE,), ReplacePin(6)),
    "pin, answer, choose": (Lost.PIN, by("answer", then="choose_new"), (ANSWER,), EnterCode(Lost.PIN, 6, "email")),
}


@pytest.mark.parametrize("case", STEPS)
def test_the_step_that_comes_next(case):
    lost, rules, proved, step = STEPS[case]
    under_way = recovering(lost, *proved, ways=rules.prove_by)
    assert recovery.next_step(under_way, law(lost, rules), "Maria.Rossi") == step
    done = not isinstance(step, AnswerToRecover | EnterCode | ResetByCode)
    assert recovery.proved(under_way, law(lost, rules)) is done


@pytest.mark.parametrize("case", STEPS)
def test_once_the_letter_is_on_its_way_nothing_more_is_asked(case):
    lost, rules, proved, _ = STEPS[case]
    under_way = recovering(lost, *proved, ways=rules.prove_by, sent=True)
    assert recovery.next_step(under_way, law(lost, rules), "Maria.Rossi") == MailSent(lost)


def test_the_forms_follow_the_lengths_of_the_policy():
    rules = law(Lost.PASSWORD, by("email_code", then="choose_new"), code_length=4)
    rules = replace(rules, password=replace(rules.password, min_length=12, max_length=64))
    assert recovery.next_step(recovering(ways=("email_code",)), rules) == ResetByCode(4, "email", 12, 64)
    assert recovery.next_step(recovering(Lost.PASSWORD, CODE, ways=("email_code",)), rules, "m") == ReplacePassword("m", 12, 64)


def test_a_decoy_without_a_question_is_asked_an_empty_one_and_not_another_step():
    assert recovery.next_step(recovering(question=None), POLICY) == AnswerToRecover(Lost.PASSWORD, "")


@given(
    st.sampled_from([Lost.PASSWORD, Lost.USERNAME_AND_PASSWORD, Lost.PIN]),
    st.lists(st.sampled_from(["answer", "email_code", "sms_code", "totp"]), min_size=1, unique=True),
    st.sampled_from(["mail_temporary", "mail_new", "choose_new"]),
    st.sets(st.sampled_from(list(Factor))),
    st.booleans(),
)
def test_nothing_is_chosen_or_sent_before_the_proofs_demanded(lost, proofs, then, shown, mailbox):
    rules = by(*proofs, then=then)
    under_way = recovering(lost, *shown, ways=tuple(proofs))
    portal = law(lost, rules, answer_needs_mailbox=mailbox)
    step = recovery.next_step(under_way, portal, "Maria.Rossi")
    first = {"answer": {ANSWER}, "email_code": {CODE}, "sms_code": {CODE}, "totp": {TOTP}}[proofs[0]]
    if proofs[0] == "answer" and then == "choose_new" and mailbox:
        first = {ANSWER, CODE}
    assert isinstance(step, MailSent | ReplacePassword | ReplacePin) is (first <= shown)
    if isinstance(step, ReplacePassword | ReplacePin):
        assert then == "choose_new"


# What ends them


def test_proofs_of_before_a_cut_are_gone():
    under_way = replace(recovering(), proofs=(Proof(ANSWER, NOW - MINUTE), Proof(CODE, NOW)))
    assert recovery.still_proved(under_way, MARIA) == under_way
    assert recovery.still_proved(under_way, account(sessions_valid_from=NOW - 2 * MINUTE)) == under_way
    assert recovery.still_proved(under_way, account(sessions_valid_from=NOW)).proofs == (Proof(CODE, NOW),)
    assert recovery.still_proved(under_way, account(sessions_valid_from=NOW + timedelta(microseconds=1))).proofs == ()
    assert recovery.still_proved(under_way, account(id="acc_other", sessions_valid_from=NOW + DAY)) == under_way


LIMITS = {
    "none yet": ([], True),
    "one less than the most": ([1, 2], True),
    "as many as may": ([1, 2, 3], False),
    "the first is an hour old": ([60, 2, 3], True),
    "almost an hour": ([59.9999, 2, 3], False),
    "long ago": ([61, 62, 63, 64], True),
    "from the future": ([-5, -6, -7], False),
}


@pytest.mark.parametrize("case", LIMITS)
def test_so_many_letters_an_hour(case):
    minutes, may = LIMITS[case]
    issued = [NOW - timedelta(minutes=ago) for ago in minutes]
    assert recovery.may_issue(issued, 3, timedelta(hours=1), NOW) is may


# A forgotten PIN

BEHIND = {
    # factors proved, step, may it be recovered
    "at the PIN page": ((Factor.PASSWORD,), AskPin(6), True),
    "locked at the PIN page": ((Factor.PASSWORD,), Refused(Refusal.LOCKED, NOW), True),
    "disabled at the PIN page": ((Factor.PASSWORD,), Refused(Refusal.DISABLED), True),
    "blocked": ((Factor.PASSWORD,), Refused(Refusal.BLOCKED), False),
    "expired": ((Factor.PASSWORD,), Refused(Refusal.EXPIRED), False),
    "another person": ((Factor.PASSWORD,), Refused(Refusal.OTHER_PERSON), False),
    "no password": ((), AskPin(6), False),
    "a temporary password": ((Factor.TEMPORARY,), AskPin(6), False),
    "the answer": ((ANSWER,), AskPin(6), False),
    "elsewhere": ((Factor.PASSWORD,), Done(()), False),
    "the PIN known": ((Factor.PASSWORD, Factor.PIN), Refused(Refusal.LOCKED, NOW), False),
}


@pytest.mark.parametrize("case", BEHIND)
def test_a_pin_is_recovered_only_behind_the_password(case):
    factors, step, may = BEHIND[case]
    assert recovery.may_recover_pin(sign_in(*factors), MARIA, step, POLICY) is may


def test_a_pin_is_not_recovered_where_policy_closes_it_or_the_person_has_no_proof():
    behind = sign_in(Factor.PASSWORD)
    closed = law(Lost.PIN, RecoveryMethod(enabled=False))
    assert not recovery.may_recover_pin(behind, MARIA, AskPin(6), closed)
    assert not recovery.may_recover_pin(behind, None, AskPin(6), POLICY)
    assert not recovery.may_recover_pin(behind, WITHOUT_ANSWER, AskPin(6), POLICY)
    assert recovery.may_recover_pin(behind, WITHOUT_ANSWER, AskPin(6), law(Lost.PIN, by(then="mail_new")))
    old = sign_in(Factor.PASSWORD, at=NOW - 11 * DAY)
    assert not recovery.may_recover_pin(old, MARIA, AskPin(6), POLICY)


def test_what_was_typed_as_a_password_is_never_shown():
    assert "geheim" not in repr(Named("maria", password="geheim"))
