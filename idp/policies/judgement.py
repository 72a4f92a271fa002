"""Whether a policy contradicts itself: rules that hold between fields, where floors and ceilings hold for each alone."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import date, timedelta

from idp.policies import judgement_of_joining as joining
from idp.policies.finding import RATE, Finding, key_list, quoted, written
from idp.policies.policy import Policy, Proving, RecoveryMethod

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_SHORTEST_CODE = 6
_SHORT_CODE_TRIES = 3
_PIECES = {"pin": ("pin.enabled", "PIN"), "question": ("security_question.enabled", "security question")}


def contradictions(policy: Policy) -> list[Finding]:
    """Every contradiction of ``policy`` with itself, in the order of its sections; none where it can be lived by."""
    judges = (_credentials, _lockout, _inactivity, _reactivation, _reminders, _session, _recovery, _answers, _codes, _enrolment)
    more = (joining.registration, joining.consent, _second_factor, _step_up, _rate_limits, _tokens)
    return [finding for judge in (*judges, *more) for finding in judge(policy)]


def texted(policy: Policy) -> tuple[str, ...]:
    """The keys that ask people for a code sent by text message: it takes a gateway, of which policy knows nothing."""
    recoveries = ("password", "username_and_password", "pin")
    asked = {f"recovery.{name}.prove_by": getattr(policy.recovery, name) for name in recoveries}
    keys = [key for key, method in asked.items() if method.enabled and "sms_code" in method.prove_by]
    if policy.inactivity.suspend_after is not None and "sms_code" in policy.inactivity.reactivate_by:
        keys.append("inactivity.reactivate_by")
    if set(policy.step_up.extra_by) == {"sms_code"}:
        keys.append("step_up.extra_by")
    return tuple(keys)


def _credentials(policy: Policy) -> Iterator[Finding]:
    password, question = policy.password, policy.security_question
    if password.min_length > password.max_length:
        what = f"{password.min_length} is more than the {password.max_length} of password.max_length"
        yield Finding("password.min_length", what, "Lower it, or raise password.max_length.", ("password.max_length",))
    if question.enabled and not question.questions:
        key = "security_question.questions"
        what, remedy = (
            "questions are enabled but none is offered",
            "List at least one, or set security_question.enabled to false.",
        )
        yield Finding(key, what, remedy, ("security_question.enabled",))
    yield from key_list("security_question.questions", question.questions)


def _lockout(policy: Policy) -> Iterator[Finding]:
    lockout = policy.lockout
    for name in ("threshold", "known_device_threshold"):
        value = getattr(lockout, name)
        if lockout.cumulative_cap < value:
            what = (
                f"{lockout.cumulative_cap} is less than the {value} of lockout.{name}: the factor is disabled before it locks"
            )
            yield Finding(
                "lockout.cumulative_cap", what, f"Raise it to {value} or more, or lower lockout.{name}.", (f"lockout.{name}",)
            )


def _inactivity(policy: Policy) -> Iterator[Finding]:
    rules = policy.inactivity
    if rules.suspend_after is not None and rules.expire_after is not None and rules.expire_after <= rules.suspend_after:
        what = (
            f"{written(rules.expire_after)} is not longer than the {written(rules.suspend_after)} of inactivity.suspend_after"
        )
        remedy = "Raise it, or lower inactivity.suspend_after."
        yield Finding("inactivity.expire_after", what, remedy, ("inactivity.suspend_after",))
    if rules.in_force_since and not _is_date(rules.in_force_since):
        yield Finding("inactivity.in_force_since", f'"{rules.in_force_since[:20]}" is not a date', "Write it as YYYY-MM-DD.")
    if not rules.activity:
        yield Finding("inactivity.activity", "nothing counts as activity", 'List at least "sign_in".')
    elif "sign_in" not in rules.activity:
        yield Finding("inactivity.activity", "signing in does not count as activity", 'Add "sign_in".')
    if rules.suspend_after is not None and not rules.reactivate_by:
        what = "nothing reactivates a suspended account"
        yield Finding(
            "inactivity.reactivate_by", what, 'List at least one proof, such as "email_code".', ("inactivity.suspend_after",)
        )


def _reactivation(policy: Policy) -> Iterator[Finding]:
    """Second factors that wake a suspended account, where nobody can have one."""
    rules, offered = policy.inactivity, {"totp": policy.second_factor.totp, "passkey": policy.second_factor.passkey != "off"}
    for way in rules.reactivate_by if rules.suspend_after is not None else ():
        if not offered.get(way, True):
            what = f'the proof "{way}" wakes a suspended account but second_factor.{way} is off'
            yield Finding("inactivity.reactivate_by", what, f"Remove it, or offer {way}.", (f"second_factor.{way}",))


def _reminders(policy: Policy) -> Iterator[Finding]:
    rules = policy.inactivity
    for name in ("suspend", "expire"):
        reminders: Sequence[timedelta] = getattr(rules, f"{name}_reminders")
        after: timedelta | None = getattr(rules, f"{name}_after")
        key, limit = f"inactivity.{name}_reminders", f"inactivity.{name}_after"
        if after is None:
            continue
        for reminder in reminders:
            if not timedelta(0) < reminder < after:
                what = f"a reminder {written(reminder)} ahead does not fall within the {written(after)} of {limit}"
                yield Finding(key, what, f"Keep each reminder longer than nothing and shorter than {written(after)}.", (limit,))
        if len(set(reminders)) < len(reminders):
            yield Finding(key, "a reminder is listed twice", "Keep one of the two.")
        if rules.require_reminders and not reminders:
            what = f"reminders are required before {limit} but none is listed"
            remedy = "List at least one, or set inactivity.require_reminders to false."
            yield Finding(key, what, remedy, ("inactivity.require_reminders", limit))


def _session(policy: Policy) -> Iterator[Finding]:
    session = policy.session
    if session.idle > session.absolute:
        what = f"{written(session.idle)} is longer than the {written(session.absolute)} of session.absolute"
        yield Finding("session.idle", what, "Lower it, or raise session.absolute.", ("session.absolute",))
    if session.warn_before >= session.idle:
        what = f"{written(session.warn_before)} is not shorter than the {written(session.idle)} of session.idle"
        yield Finding("session.warn_before", what, "Lower it, or raise session.idle.", ("session.idle",))
    if session.remember_me == "password_on_known_device":
        what = "a device in the place of a password is not offered: the rest of the sign-in would reach no level alone"
        yield Finding("session.remember_me", what, 'Write "username", which fills in the name only, or "off".')


def _recovery(policy: Policy) -> Iterator[Finding]:
    ends = {
        "username": {"mail_username"},
        "password": {"mail_temporary", "choose_new"},
        "username_and_password": {"mail_temporary"},
        "pin": {"mail_new", "choose_new"},
    }
    for name, allowed in ends.items():
        method: RecoveryMethod = getattr(policy.recovery, name)
        key = f"recovery.{name}"
        if not method.enabled:
            continue
        if not {"email", "username"} & set(method.identify_by):
            yield Finding(f"{key}.identify_by", "nothing identifies the person", 'List at least "email" or "username".')
        if method.then not in allowed:
            what = f'"{method.then}" does not recover a {name}'
            yield Finding(f"{key}.then", what, f"Write {' or '.join(quoted(end) for end in sorted(allowed))}.")
        if name == "username" and method.prove_by:
            what = "a reminder asks for no proof: it goes to the registered address, and says no more than the username"
            yield Finding(f"{key}.prove_by", what, "Write an empty list.")
        if "passkey" in method.prove_by:
            what = 'the proof "passkey" recovers nothing: who has one signs in with it'
            yield Finding(f"{key}.prove_by", what, 'Write another proof, such as "email_code".')
        if name != "username" and not method.prove_by and method.then == "choose_new":
            what = f"a new {name} could be chosen without any proof"
            yield Finding(f"{key}.prove_by", what, 'List at least one proof, such as "email_code".', (f"{key}.then",))


def _answers(policy: Policy) -> Iterator[Finding]:
    """Everything that asks for the answer to a question, where no question is ever chosen."""
    if policy.security_question.enabled:
        return
    asked: dict[str, tuple[Proving, ...]] = {"step_up.extra_by": policy.step_up.extra_by}
    if policy.inactivity.suspend_after is not None:
        asked["inactivity.reactivate_by"] = policy.inactivity.reactivate_by
    for name in ("password", "username_and_password", "pin"):
        method: RecoveryMethod = getattr(policy.recovery, name)
        if method.enabled and (name != "pin" or policy.pin.enabled):
            asked[f"recovery.{name}.prove_by"] = method.prove_by
    for key, proofs in asked.items():
        if "answer" in proofs:
            what = 'the proof "answer" is asked but security_question.enabled is false'
            yield Finding(
                key, what, 'Write another proof, such as "email_code", or enable the question.', ("security_question.enabled",)
            )


def _codes(policy: Policy) -> Iterator[Finding]:
    recovery = policy.recovery
    if recovery.code_length < _SHORTEST_CODE and recovery.code_tries > _SHORT_CODE_TRIES:
        what = f"{recovery.code_tries} tries at a code of {recovery.code_length} digits are too many"
        remedy = (
            f"Lower it to {_SHORT_CODE_TRIES}, or raise recovery.code_length to {_SHORTEST_CODE} (NIST SP 800-63B-4 3.1.3.2)."
        )
        yield Finding("recovery.code_tries", what, remedy, ("recovery.code_length",))


def _enrolment(policy: Policy) -> Iterator[Finding]:
    key, pieces = "registration.enrolment", policy.registration.enrolment
    if "password" not in pieces:
        yield Finding(key, 'the piece "password" is missing', 'Add "password": nobody could sign in without one.')
    if len(set(pieces)) < len(pieces):
        yield Finding(key, "a piece is listed twice", "Keep one of the two.")
    enabled = {"pin": policy.pin.enabled, "question": policy.security_question.enabled}
    for piece, on in enabled.items():
        switch, name = _PIECES[piece]
        # A question may also be chosen later, in My Profile; a PIN is asked at every sign-in.
        if on and piece == "pin" and piece not in pieces:
            remedy = f'Add "{piece}", or set {switch} to false.'
            yield Finding(key, f"the {name} is enabled but nobody is asked to choose one", remedy, (switch,))
        if not on and piece in pieces:
            yield Finding(
                key, f'the piece "{piece}" is listed but {switch} is false', f"Remove it, or set {switch} to true.", (switch,)
            )


def _second_factor(policy: Policy) -> Iterator[Finding]:
    rules = policy.second_factor
    if rules.required and not rules.totp and rules.passkey == "off":
        what = "a second factor is required but none is offered"
        remedy = 'Set second_factor.totp to true, or second_factor.passkey to "second".'
        yield Finding("second_factor.required", what, remedy, ("second_factor.totp", "second_factor.passkey"))


def _step_up(policy: Policy) -> Iterator[Finding]:
    level, pin = policy.step_up.sign_in, policy.pin.enabled
    key, also = "step_up.sign_in", ("pin.enabled",)
    if level == "pwd+pin" and not pin:
        what = '"pwd+pin" can\'t be reached: pin.enabled is false'
        yield Finding(key, what, 'Write "pwd", or enable the PIN.', also)
    if level == "pwd" and pin:
        what = '"pwd" is less than a sign-in with a PIN reaches'
        yield Finding(key, what, 'Write "pwd+pin", or set pin.enabled to false.', also)
    if level == "mfa" and not policy.second_factor.required:
        what = '"mfa" can\'t be reached by those without a second factor: second_factor.required is false'
        yield Finding(key, what, "Write a lower level, or require a second factor.", ("second_factor.required",))
    if level == "extra" and not policy.step_up.extra_by:
        yield Finding(key, '"extra" can\'t be reached: step_up.extra_by is empty', "List a proof there.", ("step_up.extra_by",))


def _rate_limits(policy: Policy) -> Iterator[Finding]:
    for field in fields(policy.rate_limits):
        text = getattr(policy.rate_limits, field.name)
        if not RATE.fullmatch(text):
            what = f"{quoted(text[:40])} is not a rate"
            yield Finding(
                f"rate_limits.{field.name}", what, 'Write a number and a unit: "20/minute" (second, minute, hour or day).'
            )


def _tokens(policy: Policy) -> Iterator[Finding]:
    tokens = policy.tokens
    pairs = (("access_token", "refresh_idle"), ("refresh_idle", "refresh_absolute"))
    for shorter, longer in pairs:
        inner, outer = getattr(tokens, shorter), getattr(tokens, longer)
        if inner > outer:
            what = f"{written(inner)} is longer than the {written(outer)} of tokens.{longer}"
            yield Finding(f"tokens.{shorter}", what, f"Lower it, or raise tokens.{longer}.", (f"tokens.{longer}",))


def _is_date(text: str) -> bool:
    try:
        return bool(_DATE.fullmatch(text)) and bool(date.fromisoformat(text))
    except ValueError:
        return False
