"""Registering, as values: what must be given, what matches, by which channel the code goes, and what may be a name."""

from dataclasses import replace
from typing import Any

import pytest

from idp.model import Customer, Factor, Registering, Role
from idp.policies import entry, naming, recovery, registration
from idp.policies.joining import Registration
from idp.policies.policy import RecoveryMethod
from idp.policies.recovery import Named
from idp.policies.registration import Claimed
from idp.policies.steps import ConfirmRegistration, ReactivateByCode, Refusal, Refused
from tests.policies.values import DAY, MINUTE, NOW, POLICY, account, policy, sign_in

NUMBER = "+442079460018"
RECORD = Customer("0012345678", "C77", "dangelo", frozenset({NUMBER, "+447700900123"}), "Maria", "D'Angelo")
RIGHT = Claimed("0012-345 678", "c 77", "MARÍA", "d’angelo", NUMBER)
EVERY = ("account_number", "customer_code", "given_name", "family_name", "number")


def rules(**fields: Any) -> Registration:
    return replace(Registration(open=True), **fields)


def test_all_that_policy_names_must_match():
    named = rules(match_customer=EVERY)
    assert registration.matches(RECORD, RIGHT, named)
    wrong = {
        "account_number": "12345678",
        "customer_code": "C78",
        "given_name": "Marta",
        "family_name": "Angelo",
        "number": "+442079460019",
    }
    for field, value in wrong.items():
        assert not registration.matches(RECORD, replace(RIGHT, **{field: value}), named), field
        assert not registration.matches(RECORD, replace(RIGHT, **{field: ""}), named), field
        others = tuple(name for name in EVERY if name != field)
        assert registration.matches(RECORD, replace(RIGHT, **{field: value}), rules(match_customer=others)), field


def test_nobody_matches_nothing():
    assert not registration.matches(None, RIGHT, rules(match_customer=()))
    nameless = Customer("1", "", "")
    assert not registration.matches(nameless, Claimed("1", number=""), rules(match_customer=("account_number", "number")))


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ({}, ("email", "given_name")),
        ({"email": "a@b.c", "given_name": " \t"}, ("given_name",)),
        ({"email": "a@b.c", "given_name": "A"}, ()),
        # Whoever gives a reference gives also what it is matched by.
        ({"email": "a@b.c", "given_name": "A", "account_number": "1"}, ("family_name",)),
        ({"email": "a@b.c", "given_name": "A", "account_number": " "}, ()),
        ({"email": "a@b.c", "given_name": "A", "family_name": "B", "account_number": "1"}, ()),
    ],
)
def test_what_is_missing(typed: dict[str, str], wanted: tuple[str, ...]):
    asked = rules(
        fields=("email", "given_name", "family_name", "account_number"),
        optional=("family_name", "account_number"),
        match_customer=("account_number", "family_name"),
    )
    assert registration.missing(typed, asked) == wanted


def test_the_records_are_asked_by_the_first_reference_that_was_given():
    assert registration.reference(RIGHT) == ("account_number", "0012345678")
    assert registration.reference(replace(RIGHT, account_number="")) == ("customer_code", "C77")
    assert registration.reference(Claimed(email="a@b.c")) is None
    assert registration.reference(Claimed(account_number="<1>")) == ("account_number", "")


def test_the_code_goes_by_the_first_channel_that_the_person_has():
    both, sms = rules(confirm_by=("sms", "email")), frozenset({"mail", "sms"})
    mobile = Claimed(mobile="+447700900123", email="a@b.c")
    assert registration.channel(mobile, both, sms) == "sms"
    assert registration.channel(mobile, both, frozenset({"mail"})) == "email"
    assert registration.channel(Claimed(number=NUMBER, email="a@b.c"), both, sms) == "email"
    assert registration.channel(Claimed(email=""), both, sms) is None
    assert registration.channel(mobile, rules(confirm_by=()), sms) is None


def test_the_username_is_the_one_chosen_or_the_address():
    assert registration.username(Claimed(username="anna", email="a@b.c")) == "anna"
    assert registration.username(Claimed(email="a@b.c")) == "a@b.c"


def test_a_customer_with_an_organisation_acts_as_a_business():
    assert registration.role(RECORD) is Role.CONSUMER
    assert registration.role(replace(RECORD, organisation="Norda")) is Role.BUSINESS


def test_the_page_offers_a_new_code_as_often_as_a_day_allows():
    most = POLICY.recovery.codes_per_day
    shown = [registration.next_step(Registering("acc", "email", "a@b.c", sent), POLICY) for sent in range(1, most + 2)]
    assert [step.again for step in shown] == [True] * (most - 1) + [False] * 2
    assert shown[0] == ConfirmRegistration("email", "a@b.c", POLICY.registration.code_length, again=True)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Anna\t Maria ", "Anna Maria"),
        ("Jose\u0301", "José"),
        ("a\r\nBcc: x", "a Bcc: x"),
        ("Nguyễn Văn Ðạt", "Nguyễn Văn Ðạt"),
        ("می\u200cنا", "می\u200cنا"),
        ("\U0001f600", "\U0001f600"),
        ("<b>&amp;", "<b>&amp;"),
    ],
)
def test_a_name_is_kept_as_people_write_it(typed: str, kept: str):
    assert naming.settled(typed) == kept
    assert naming.may_be(kept)


@pytest.mark.parametrize("typed", ["x" * 101, "a\0b", "\u202eanna", "a\u2066b", "\u200b", "\ud800", "a\x1b[31m"])
def test_what_cannot_be_seen_is_no_name(typed: str):
    assert not naming.may_be(naming.settled(typed))


def test_whoever_gave_no_address_is_found_by_none_and_sent_nothing_to_one():
    nobody_s = account(email="")
    rules, long = RecoveryMethod(identify_by=("username", "email"), prove_by=("answer",)), f"{'x' * 400}@example.com"
    for typed in ("", " ", long):
        assert not recovery.matches(nobody_s, rules, Named("maria", typed), POLICY, NOW)
    assert recovery.ways(nobody_s, replace(rules, prove_by=("email_code",))) == ()
    asleep = policy(inactivity={"suspend_after": DAY, "reactivate_by": ("email_code",), "require_reminders": False})
    proved = sign_in(Factor.PASSWORD, Factor.PIN)
    assert entry.next_step(proved, nobody_s, asleep, NOW + 9 * MINUTE) == Refused(Refusal.SUSPENDED)
    assert isinstance(entry.next_step(proved, account(), asleep, NOW + 9 * MINUTE), ReactivateByCode)
