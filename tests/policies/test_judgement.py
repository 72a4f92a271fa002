"""Contradictions of a policy with itself, one row each: what is changed, and which key is named with which remedy."""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from idp.policies.judgement import contradictions
from idp.policies.policy import Policy, Recovery, RecoveryMethod

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def policy(**sections: dict[str, Any]) -> Policy:
    base = Policy()
    return replace(base, **{name: replace(getattr(base, name), **changes) for name, changes in sections.items()})


def opened(**changes):
    return {"registration": {"open": True, "fields": ("username",), "confirm_by": ()} | changes}


NO_QUESTION: dict[str, dict[str, Any]] = {
    "security_question": {"enabled": False},
    "registration": {"enrolment": ("password", "pin")},
    "inactivity": {"reactivate_by": ("email_code",)},
    "step_up": {"extra_by": ("email_code",)},
    "recovery": {
        "password": RecoveryMethod(prove_by=("email_code",)),
        "pin": RecoveryMethod(identify_by=("username",), prove_by=("email_code",), then="mail_new"),
    },
}
NO_PIN: dict[str, dict[str, Any]] = {
    "pin": {"enabled": False},
    "registration": {"enrolment": ("password", "question")},
    "step_up": {"sign_in": "pwd"},
}

ROWS: list[tuple[dict[str, dict[str, Any]], str, str, str]] = [
    ({"password": {"min_length": 65, "max_length": 64}}, "password.min_length", "65 is more than the 64", "max_length"),
    ({"security_question": {"questions": ()}}, "security_question.questions", "none is offered", "List at least one"),
    ({"security_question": {"questions": ("pet", "pet")}}, "security_question.questions", "listed twice", "Keep one"),
    (
        {"security_question": {"questions": ("Your pet?",)}},
        "security_question.questions",
        '"Your pet?" is not a key',
        "lower-case",
    ),
    ({"lockout": {"threshold": 60}}, "lockout.cumulative_cap", "50 is less than the 60 of lockout.threshold", "Raise it to 60"),
    ({"lockout": {"known_device_threshold": 51}}, "lockout.cumulative_cap", "known_device_threshold", "Raise it to 51"),
    ({"inactivity": {"expire_after": 120 * DAY}}, "inactivity.expire_after", "120d is not longer than the 120d", "Raise it"),
    ({"inactivity": {"in_force_since": "2026-02-30"}}, "inactivity.in_force_since", "not a date", "YYYY-MM-DD"),
    ({"inactivity": {"in_force_since": "20260201"}}, "inactivity.in_force_since", "not a date", "YYYY-MM-DD"),
    ({"session": {"remember_me": "password_on_known_device"}}, "session.remember_me", "is not offered", 'Write "username"'),
    ({"inactivity": {"activity": ()}}, "inactivity.activity", "nothing counts", "sign_in"),
    ({"inactivity": {"activity": ("refresh",)}}, "inactivity.activity", "signing in does not count", "sign_in"),
    ({"inactivity": {"reactivate_by": ()}}, "inactivity.reactivate_by", "nothing reactivates", "email_code"),
    (
        {"inactivity": {"reactivate_by": ("answer", "totp")}, "second_factor": {"totp": False}},
        "inactivity.reactivate_by",
        "second_factor.totp is off",
        "Remove it",
    ),
    (
        {"inactivity": {"reactivate_by": ("passkey",)}, "second_factor": {"passkey": "off"}},
        "inactivity.reactivate_by",
        "second_factor.passkey is off",
        "offer passkey",
    ),
    ({"inactivity": {"suspend_reminders": (120 * DAY,)}}, "inactivity.suspend_reminders", "120d ahead", "shorter than 120d"),
    ({"inactivity": {"suspend_reminders": (0 * DAY,)}}, "inactivity.suspend_reminders", "0s ahead", "longer than nothing"),
    ({"inactivity": {"expire_reminders": (181 * DAY,)}}, "inactivity.expire_reminders", "181d ahead", "shorter than 180d"),
    ({"inactivity": {"expire_reminders": (3 * DAY, 3 * DAY)}}, "inactivity.expire_reminders", "listed twice", "Keep one"),
    ({"inactivity": {"suspend_reminders": ()}}, "inactivity.suspend_reminders", "none is listed", "require_reminders"),
    ({"session": {"idle": 13 * HOUR}}, "session.idle", "13h is longer than the 12h", "raise session.absolute"),
    ({"session": {"warn_before": 30 * MINUTE}}, "session.warn_before", "30m is not shorter than the 30m", "raise session.idle"),
    (
        {"recovery": {"password": RecoveryMethod(identify_by=())}},
        "recovery.password.identify_by",
        "nothing identifies",
        "email",
    ),
    (
        {"recovery": {"password": RecoveryMethod(identify_by=("name",))}},
        "recovery.password.identify_by",
        "nothing identifies",
        "email",
    ),
    (
        {"recovery": {"username": RecoveryMethod(prove_by=("answer",), then="mail_username")}},
        "recovery.username.prove_by",
        "asks for no proof",
        "empty list",
    ),
    (
        {"recovery": {"password": RecoveryMethod(then="mail_username")}},
        "recovery.password.then",
        "does not recover a password",
        '"choose_new" or "mail_temporary"',
    ),
    (
        {"recovery": {"password": RecoveryMethod(prove_by=(), then="choose_new")}},
        "recovery.password.prove_by",
        "without any proof",
        "email_code",
    ),
    ({"recovery": {"code_length": 4, "code_tries": 4}}, "recovery.code_tries", "4 tries at a code of 4", "Lower it to 3"),
    ({"registration": {"enrolment": ("pin", "question")}}, "registration.enrolment", '"password" is missing', "Add"),
    ({"registration": {"enrolment": ("password", "question")}}, "registration.enrolment", "the PIN is enabled", 'Add "pin"'),
    (NO_PIN | {"registration": {}}, "registration.enrolment", '"pin" is listed but pin.enabled is false', "Remove it"),
    (NO_QUESTION | {"registration": {}}, "registration.enrolment", '"question" is listed', "Remove it"),
    (NO_QUESTION | {"inactivity": {}}, "inactivity.reactivate_by", '"answer" is asked', "email_code"),
    (NO_QUESTION | {"step_up": {}}, "step_up.extra_by", '"answer" is asked', "email_code"),
    (NO_PIN | {"step_up": {}}, "step_up.sign_in", "can't be reached: pin.enabled is false", 'Write "pwd"'),
    ({"step_up": {"sign_in": "pwd"}}, "step_up.sign_in", "less than a sign-in with a PIN", 'Write "pwd+pin"'),
    ({"step_up": {"sign_in": "extra", "extra_by": ()}}, "step_up.sign_in", "extra_by is empty", "List a proof"),
    (
        {"registration": {"match_customer": ("family_name",)}},
        "registration.match_customer",
        "nobody can register",
        "registration.open",
    ),
    ({"registration": {"fields": ("email",)}}, "registration.fields", "nobody can register", "registration.open"),
    ({"registration": {"optional": ("email",)}}, "registration.optional", "nobody can register", "registration.open"),
    ({"registration": {"guesses": "often"}}, "registration.guesses", "not a rate", "5/hour"),
    ({"registration": {"open": True, "confirm_by": ()}}, "registration.fields", "nothing names", "username"),
    (
        opened(fields=("username", "email"), optional=("username", "email")),
        "registration.fields",
        "nothing names",
        "not as optional",
    ),
    (opened(fields=("email",)), "sign_in.identify_by", "nobody can sign in with", 'Add "email"'),
    (opened() | {"sign_in": {"identify_by": ("email",)}}, "sign_in.identify_by", "usernames", 'Add "username"'),
    (opened(optional=("number",)), "registration.optional", '"number" is named here', "registration.fields"),
    (
        opened(fields=("username", "account_number"), match_customer=("account_number", "family_name")),
        "registration.match_customer",
        '"family_name" is named here',
        "registration.fields",
    ),
    (
        opened(fields=("username", "account_number", "family_name")),
        "registration.match_customer",
        '"account_number" is asked and not held',
        'Add "account_number"',
    ),
    (
        opened(fields=("username", "account_number"), match_customer=("account_number",)),
        "registration.match_customer",
        "knows or guesses the number alone",
        "family_name",
    ),
    (
        opened(fields=("username", "family_name"), match_customer=("family_name",)),
        "registration.match_customer",
        "whose record",
        "customer_code",
    ),
    (
        opened(
            fields=("username", "email", "account_number", "family_name"),
            match_customer=("account_number", "family_name", "email"),
        ),
        "registration.match_customer",
        "records say nothing",
        "Remove it",
    ),
    (
        opened(fields=("username", "email"), confirm_by=("email", "sms")),
        "registration.confirm_by",
        "a code goes by sms",
        'Add "number"',
    ),
    (
        opened(fields=("username", "number"), confirm_by=("sms",)),
        "registration.confirm_by",
        "could not be sent a code",
        'Add "email"',
    ),
    (
        opened(fields=("username", "email"), optional=("email",), confirm_by=("email",)),
        "registration.confirm_by",
        "could not be sent a code",
        "ask for no code",
    ),
    (
        opened(code_lifetime=3 * DAY, invitation_lifetime=2 * DAY, purge_unconfirmed_after=2 * DAY),
        "registration.purge_unconfirmed_after",
        "purged before",
        "code_lifetime",
    ),
    (
        {"registration": {"purge_unconfirmed_after": 3 * DAY - timedelta(seconds=1)}},
        "registration.purge_unconfirmed_after",
        "purged before its link ends, after 3d",
        "invitation_lifetime",
    ),
    ({"consent": {"terms": "accept"}}, "consent.terms_version", "have no version", "Name the version"),
    ({"consent": {"purposes": {"News!": "1"}}}, "consent.purposes", "not a key", "lower-case"),
    ({"consent": {"purposes": {"news": " "}}}, "consent.purposes.news", "has no version", "Name the version"),
    ({"consent": {"purposes": {"terms": "1"}}}, "consent.purposes", "asked yes or no", "another name"),
    ({"rate_limits": {"sign_in": "60 per minute"}}, "rate_limits.sign_in", "is not a rate", "20/minute"),
    ({"rate_limits": {"recovery": "0/minute"}}, "rate_limits.recovery", "is not a rate", "20/minute"),
    ({"rate_limits": {"authorize": "٣/minute"}}, "rate_limits.authorize", "is not a rate", "20/minute"),
    ({"rate_limits": {"authorize": "1/minute\n"}}, "rate_limits.authorize", '"1/minute?" is not a rate', "20/minute"),
    ({"tokens": {"access_token": HOUR, "refresh_idle": 30 * MINUTE}}, "tokens.access_token", "1h is longer", "refresh_idle"),
    ({"tokens": {"refresh_idle": 31 * DAY}}, "tokens.refresh_idle", "31d is longer than the 30d", "refresh_absolute"),
]


@pytest.mark.parametrize(("changes", "key", "what", "remedy"), ROWS, ids=[f"{row[1]}-{n}" for n, row in enumerate(ROWS)])
def test_a_contradiction_is_named_alone_with_its_remedy(
    changes: dict[str, dict[str, Any]], key: str, what: str, remedy: str
) -> None:
    (finding,) = contradictions(policy(**changes))
    assert finding.key == key
    assert what in finding.what
    assert remedy in finding.remedy
    assert not finding.what.endswith(".")
    assert finding.remedy.endswith(".")


@pytest.mark.parametrize("name", ["password", "pin"])
def test_recovery_by_an_answer_needs_a_question(name: str) -> None:
    ends: dict[str, Any] = {"password": "mail_temporary", "pin": "mail_new"}
    changes = NO_QUESTION["recovery"] | {name: RecoveryMethod(prove_by=("answer",), then=ends[name])}
    (finding,) = contradictions(policy(**(NO_QUESTION | {"recovery": changes})))
    assert finding.key == f"recovery.{name}.prove_by"
    assert "security_question.enabled" in finding.keys


SOUND: list[dict[str, dict[str, Any]]] = [
    {},
    NO_PIN,
    NO_QUESTION,
    {"recovery": {"code_length": 4, "code_tries": 3}},
    {"recovery": {"pin": RecoveryMethod(enabled=False, identify_by=(), then="mail_username")}},
    {"inactivity": {"suspend_after": None, "reactivate_by": ()}},
    {"inactivity": {"expire_after": None, "expire_reminders": ()}},
    {"inactivity": {"suspend_reminders": (), "expire_reminders": (), "require_reminders": False}},
    {"inactivity": {"in_force_since": "2028-02-29"}},
    # Longer ahead than the time between the two: it goes out late, and expiry waits for it.
    {"inactivity": {"expire_reminders": (90 * DAY,)}},
    {"registration": {"invitation_lifetime": 3 * DAY, "purge_unconfirmed_after": 3 * DAY}},
    {"inactivity": {"reactivate_by": ("sms_code", "email_code")}},
    {"consent": {"terms": "notice", "terms_version": "3"}},
    {"consent": {"purposes": {"news": "2026-05"}}},
    {"registration": {"enrolment": ("password", "pin")}},
    opened(),
    opened(fields=("email",), confirm_by=("email",)) | {"sign_in": {"identify_by": ("email",)}},
    opened(
        fields=("account_number", "family_name", "number", "email", "username"),
        optional=("account_number",),
        match_customer=("account_number", "family_name", "number"),
        confirm_by=("sms", "email"),
    ),
]


@pytest.mark.parametrize("changes", SOUND, ids=range(len(SOUND)))
def test_a_policy_that_can_be_lived_by_is_sound(changes: dict[str, dict[str, Any]]) -> None:
    assert contradictions(policy(**changes)) == []


def test_every_key_named_is_a_key_of_the_policy() -> None:
    for changes, *_ in ROWS:
        for finding in contradictions(policy(**changes)):
            for key in finding.keys:
                held: Any = Policy()
                for part in key.split("."):
                    if isinstance(held, Mapping):
                        break
                    assert part in {field.name for field in fields(held)}, key
                    held = getattr(held, part)


def test_all_contradictions_are_found_at_once() -> None:
    both = policy(session={"idle": 13 * HOUR}, rate_limits={"sign_in": "x"}, consent={"terms": "accept"})
    assert [finding.key for finding in contradictions(both)] == ["session.idle", "consent.terms_version", "rate_limits.sign_in"]


def test_recovery_defaults_are_sound_where_there_is_no_pin() -> None:
    assert contradictions(replace(policy(**NO_PIN), recovery=Recovery())) == []
