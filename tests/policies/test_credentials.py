import pytest

from idp.model import Factor
from idp.policies import credentials
from idp.policies.credentials import answer_faults, canonical_username, password_faults, pin_faults, username_faults
from tests.policies.values import DAY, MARIA, NOW, POLICY, credential, policy

SAME = [
    "maria.rossi",
    "MARIA.ROSSI",
    "  Maria.Rossi ",
    "\u00a0maria.rossi\u3000",
    "ma\u200bria.rossi",
    "\uff4daria\uff0erossi",
    "maria.rossi\u2060",
]
OTHERS = [
    "maria.rossi.",
    "maria rossi",
    "mar\u0131a.rossi",
    "mar\u0130a.rossi",
    "maria+tag.rossi",
    "maria%2Erossi",
    "m\u00e4ria.rossi",
    "",
]


@pytest.mark.parametrize("typed", SAME)
def test_forms_of_one_username(typed):
    assert canonical_username(typed) == "maria.rossi"


@pytest.mark.parametrize("typed", OTHERS)
def test_what_is_another_username(typed):
    assert canonical_username(typed) != "maria.rossi"


def test_composed_and_decomposed_are_one():
    assert canonical_username("Ren\u00e9") == canonical_username("Rene\u0301") == "ren\u00e9"


def test_a_huge_name_matches_nobody():
    assert canonical_username("a" * 10_000) == ""


@pytest.mark.parametrize(
    ("chosen", "fine"),
    [
        ("bob", True),
        ("Zoë.Müller", True),
        ("ab", False),
        ("a b c", False),
        ("x" * 65, False),
        ("a\r\nb", False),
        ("<b>x", False),
        ("\u200b\u200b\u200b", False),
    ],
)
def test_usernames(chosen, fine):
    assert (username_faults(chosen) == ()) is fine


@pytest.mark.parametrize(
    ("password", "facts", "faults"),
    [
        ("correct horse battery", {}, ()),
        ("short", {}, ("too_short",)),
        ("x" * 129, {}, ("too_long",)),
        ("maria.rossi-2026", {}, ("personal",)),
        ("MyNameIsROSSI", {}, ("personal",)),
        ("iloveyou99", {"breached": True}, ("breached",)),
        ("used before this", {"reused": True}, ("reused",)),
        ("ａｂｃｄｅｆｇｈ", {}, ()),
    ],
)
def test_passwords(password, facts, faults):
    known = {"breached": False, "reused": False} | facts
    assert password_faults(password, MARIA, POLICY.password, **known) == faults


def test_composition_is_asked_only_where_policy_says():
    rules = policy(password={"require_letters_and_digits": True}).password
    assert password_faults("only letters here", MARIA, rules, breached=False, reused=False) == ("letters_and_digits",)
    assert password_faults("letters and 1 digit", MARIA, rules, breached=False, reused=False) == ()


WEAK = ["000000", "123456", "654321", "112233", "121212", "123123", "890123", "210987", "135791", "280571", "123321"]


@pytest.mark.parametrize("pin", WEAK)
def test_weak_pins(pin):
    assert pin_faults(pin, MARIA, POLICY.pin, reused=False) == ("weak_pin",)


@pytest.mark.parametrize("pin", ["190476", "001947", "937260"])
def test_fine_pins(pin):
    assert pin_faults(pin, MARIA, POLICY.pin, reused=False) == ()


@pytest.mark.parametrize(
    "pin", ["١٢٣٤٥٦", "１２３４５６", " 190476", "0190476", "19047", "1e5", "-19047", "19047.", "", "190476\n"]
)
def test_what_is_no_pin(pin):
    assert pin_faults(pin, MARIA, POLICY.pin, reused=False) == ("pin_form",)


@pytest.mark.parametrize(
    ("answer", "question", "faults"),
    [
        ("Scuola Manzoni", "first_school", ()),
        ("ab", "first_school", ("answer_short",)),
        ("   a   ", "first_school", ("answer_short",)),
        ("aaaa", "first_school", ("answer_weak",)),
        ("MARIA  rossi", "first_school", ("answer_weak",)),
        ("123", "first_school", ("answer_weak",)),
        ("Scuola Manzoni", "mothers_maiden_name", ("question_unknown",)),
        ("x" * 300, "first_school", ("answer_long",)),
    ],
)
def test_answers(answer, question, faults):
    assert answer_faults(answer, question, MARIA, POLICY.security_question) == faults


def test_answers_are_compared_forgivingly():
    assert credentials.prepare(Factor.ANSWER, "  Scuola   MANZONI ") == credentials.prepare(Factor.ANSWER, "scuola manzoni")


def test_age_demands_a_new_password_only_where_policy_says():
    old = credential(Factor.PASSWORD, set_at=NOW - 91 * DAY)
    assert not credentials.must_replace(old, POLICY, NOW)
    assert credentials.must_replace(old, policy(password={"max_age": 91 * DAY}), NOW)
