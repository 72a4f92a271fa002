"""Forgotten things: who may recover, by which proof, and which step comes next. Asking never changes anything.

Whoever cannot recover (unknown, invited, blocked, closed, without the proof) is led along the same steps as a decoy.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never

from idp.model import Account, Factor, Lost, Recovering, SignIn
from idp.policies.lifecycle import Standing, leaves_at, required_pieces, standing
from idp.policies.policy import Policy, Proving, RecoveryMethod
from idp.policies.proving import FACTOR_OF, still_true
from idp.policies.steps import (
    AnswerToRecover,
    AskPin,
    EnterCode,
    MailSent,
    Refusal,
    Refused,
    ReplacePassword,
    ReplacePin,
    ResetByCode,
    Step,
)

_CHANNELS: dict[Proving, str] = {"email_code": "email", "sms_code": "sms", "totp": "totp"}
_TOTP_DIGITS = 6
_ADDRESS_MAX = 320


@dataclass(frozen=True, slots=True)
class Named:
    """What was typed to be found by; ``password`` only where a reminder is asked and it is remembered."""

    username: str = ""
    email: str = ""
    name: str = ""
    password: str = field(default="", repr=False)


def method(lost: Lost, policy: Policy) -> RecoveryMethod:
    """The section of the policy for what was lost."""
    match lost:
        case Lost.USERNAME:
            return policy.recovery.username
        case Lost.PASSWORD:
            return policy.recovery.password
        case Lost.USERNAME_AND_PASSWORD:
            return policy.recovery.username_and_password
        case Lost.PIN:
            return policy.recovery.pin
        case _:
            assert_never(lost)


def offered(policy: Policy) -> tuple[Lost, ...]:
    """What may be recovered from the sign-in page."""
    return tuple(lost for lost in Lost if lost is not Lost.PIN and method(lost, policy).enabled)


def may_recover(account: Account, policy: Policy, now: datetime) -> bool:
    """Whether anything may be sent to the account: it has come to life, and nobody has closed it.

    Who cancelled everything, and has forgotten the password since, must be able to take it back.
    """
    until = leaves_at(account, policy)
    if until is not None:
        return now < until
    return standing(account, policy, now) in (Standing.ACTIVE, Standing.SUSPENDED)


def may_recover_pin(sign_in: SignIn, account: Account | None, step: Step, policy: Policy) -> bool:
    """Whether a forgotten PIN may be recovered here: behind a correct password, where the PIN is all that is in the way."""
    rules = policy.recovery.pin
    if account is None or not rules.enabled or not (ways(account, rules) or not rules.prove_by):
        return False
    shown = {proof.factor for proof in still_true(sign_in.proofs, account)}
    closed = isinstance(step, Refused) and step.why in (Refusal.LOCKED, Refusal.DISABLED)
    return (isinstance(step, AskPin) or closed) and Factor.PASSWORD in shown and Factor.PIN not in shown


def matches(account: Account, rules: RecoveryMethod, named: Named, policy: Policy, now: datetime) -> bool:
    """Whether what was typed beside the name is what is on file, and the account may recover at all."""
    if not may_recover(account, policy, now) or (rules.prove_by and not ways(account, rules)):
        return False
    if "email" in rules.identify_by and not (account.email and same_address(named.email) == same_address(account.email)):
        return False
    words = _words(account.full_name)
    return "name" not in rules.identify_by or (bool(words) and _words(named.name) == words)


def same_address(email: str) -> str:
    """An address in the form in which two people would take it for the same; longer text is nobody's."""
    return unicodedata.normalize("NFKC", email.strip()).casefold() if len(email) <= _ADDRESS_MAX else ""


def _words(name: str) -> tuple[str, ...]:
    """A name as compared: without accents, capitals and marks, in any order ("Rossi, María" is "Maria Rossi")."""
    plain = unicodedata.normalize("NFKD", name[:_ADDRESS_MAX].casefold())
    letters = "".join(char if char.isalnum() else " " for char in plain if not unicodedata.combining(char))
    return tuple(sorted(letters.split()))


def ways(account: Account, rules: RecoveryMethod) -> tuple[Proving, ...]:
    """The proofs that the method accepts and the person has, in policy's order."""
    return tuple(way for way in rules.prove_by if _has(account, way))


def decoy_ways(rules: RecoveryMethod, policy: Policy, chance: int) -> tuple[Proving, ...]:
    """The proofs that somebody might have: what everyone has, and of the rest what ``chance`` (any number) says."""
    everyone: set[Proving] = {"email_code"}
    if "question" in required_pieces(policy):
        everyone.add("answer")
    return tuple(way for place, way in enumerate(rules.prove_by) if way in everyone or chance >> place & 1)


def decoy_question(policy: Policy, chance: int) -> str | None:
    """A question that somebody might have chosen."""
    questions = policy.security_question.questions
    return questions[chance % len(questions)] if questions else None


def next_step(recovering: Recovering, policy: Policy, username: str = "") -> Step:
    """The step that comes next; ``username`` is shown beside a new password."""
    rules = method(recovering.lost, policy)
    if recovering.sent:
        return MailSent(recovering.lost)
    for way in missing(recovering, rules, policy):
        return _ask(way, recovering, rules, policy)
    if rules.then != "choose_new":
        return MailSent(recovering.lost)
    if recovering.lost is Lost.PIN:
        return ReplacePin(policy.pin.length)
    return ReplacePassword(username, policy.password.min_length, policy.password.max_length)


def needed(recovering: Recovering, rules: RecoveryMethod, policy: Policy) -> tuple[Proving, ...]:
    """The proofs demanded: the first that the person has, and the mailbox beside an answer that lets them choose anew."""
    if not rules.prove_by:
        return ()
    first: tuple[Proving, ...] = tuple(way for way in rules.prove_by if way in recovering.ways)[:1]
    if first == ("answer",) and rules.then == "choose_new" and policy.recovery.answer_needs_mailbox:
        return ("answer", "email_code")
    return first or ("email_code",)


def missing(recovering: Recovering, rules: RecoveryMethod, policy: Policy) -> tuple[Proving, ...]:
    """The proofs demanded that were not given yet, in the order in which they are asked."""
    shown = {proof.factor for proof in recovering.proofs}
    return tuple(way for way in needed(recovering, rules, policy) if FACTOR_OF[way] not in shown)


def proved(recovering: Recovering, policy: Policy) -> bool:
    """Whether everything that the method demands was proved."""
    return not missing(recovering, method(recovering.lost, policy), policy)


def still_proved(recovering: Recovering, account: Account) -> Recovering:
    """The recovery without the proofs given before everything of the account was ended: they began something that is dead."""
    cut = account.sessions_valid_from
    if cut is None or recovering.subject != account.id:
        return recovering
    return replace(recovering, proofs=tuple(proof for proof in recovering.proofs if proof.at >= cut))


def may_issue(issued: Iterable[datetime], most: int, within: timedelta, now: datetime) -> bool:
    """Whether one more letter may go out: fewer than ``most`` went within the time before."""
    return sum(now - moment < within for moment in issued) < most


def _ask(way: Proving, recovering: Recovering, rules: RecoveryMethod, policy: Policy) -> Step:
    if way == "answer":
        return AnswerToRecover(recovering.lost, recovering.question or "")
    if way == "totp":
        return EnterCode(recovering.lost, _TOTP_DIGITS, "totp")
    length, channel = policy.recovery.code_length, _CHANNELS[way]
    if rules.then == "choose_new" and recovering.lost is not Lost.PIN:
        return ResetByCode(length, channel, policy.password.min_length, policy.password.max_length)
    return EnterCode(recovering.lost, length, channel)


def _has(account: Account, way: Proving) -> bool:
    match way:
        case "answer":
            return account.credential(Factor.ANSWER) is not None
        case "email_code":
            return bool(account.email)
        case "sms_code":
            return bool(account.mobile)
        case "totp":
            return account.credential(Factor.TOTP) is not None
        case "passkey":
            return False
        case _:
            assert_never(way)
