"""Which page shows which step. A step without a page does not pass the type checker."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, assert_never
from urllib.parse import urlencode

from idp.flows.facts import Looked
from idp.model import Account, Client, Factor, Lost
from idp.policies import recovery
from idp.policies.lifecycle import missing_pieces, required_pieces
from idp.policies.policy import Policy
from idp.policies.steps import (
    AcceptTerms,
    AnswerPurposes,
    AnswerToRecover,
    AskPin,
    AskSecondFactor,
    AskUsernameAndPassword,
    ChooseCapacity,
    ChoosePassword,
    ChooseQuestion,
    ConfirmRegistration,
    CreatePin,
    Done,
    EnrolSecondFactor,
    EnterCode,
    ExtraProof,
    ExtraProofByCode,
    GiveConsent,
    KeepAccount,
    MailSent,
    Reactivate,
    ReactivateByCode,
    RecoveryStep,
    Refused,
    ReplacePassword,
    ReplacePin,
    ResetByCode,
)
from idp.post.addresses import masked
from idp.web.joining import joining_page

Page = tuple[str, dict[str, Any]]


def page_for(looked: Looked, policy: Policy, clients: Mapping[str, Client]) -> Page:  # noqa: C901, PLR0911, PLR0912 - a table
    """Template and context of a sign-in's present step."""
    step, done = looked.step, {"progress": _progress(looked, policy)}
    match step:
        case AskUsernameAndPassword(username, told):
            values = {"username": username or looked.sign_in.ask.login_hint[:128]}
            named = {"known": bool(username), "named_by": policy.sign_in.identify_by}
            return "sign_in.html", named | {"values": values, "told": told}
        case AskPin(length, told):
            return "pin.html", {"length": length, "told": told}
        case ChoosePassword(username, shortest, longest) | ReplacePassword(username, shortest, longest):
            rules = _password_rules(policy, shortest, longest)
            why = {"replacing": isinstance(step, ReplacePassword), "why": _why_replaced(looked)}
            return "choose_password.html", {"username": username, **why, **done, **rules}
        case CreatePin(length) | ReplacePin(length):
            return "create_pin.html", {"length": length, "replacing": isinstance(step, ReplacePin), **done}
        case ChooseQuestion(questions, shortest):
            return "choose_question.html", {"questions": questions, "min_length": shortest, **done}
        case ReactivateByCode(channel, length, sent) | ExtraProofByCode(channel, length, sent):
            to = _addressed(channel, looked.account, policy)
            return "code_on_request.html", {"kind": _kind(step), "length": length, "sent": sent, **to}
        case ConfirmRegistration() | KeepAccount() | AcceptTerms() | AnswerPurposes() | ChooseCapacity():
            return joining_page(step, looked, policy)
        case Reactivate(question) | ExtraProof(question):
            return "answer.html", {"kind": _kind(step), "question": question}
        case AnswerToRecover() | EnterCode() | ResetByCode() | MailSent():
            return recovery_page(step, policy)
        case AskSecondFactor(ways):
            return "second_factor.html", {"ways": ways}
        case EnrolSecondFactor(ways):
            return "enrol_second_factor.html", {"ways": ways}
        case GiveConsent(client_id, scope):
            client = clients.get(client_id)
            return "consent.html", {"client_name": client.name if client else client_id, "scope": scope}
        case Refused(why, until):
            return "refused.html", {"why": why.value, "until": until}
        case Done():
            return "error.html", {"status": 200, "name": "expired"}
        case _:
            assert_never(step)


def recovery_page(step: RecoveryStep, policy: Policy) -> Page:
    """Template and context of a step of recovery: made of the step and the policy alone, so that it tells nothing else."""
    code = _minutes(policy.recovery.code_lifetime)
    match step:
        case AnswerToRecover(lost, question):
            return "answer.html", {"kind": "recover", "lost": lost.value, "question": question}
        case EnterCode(lost, length, channel):
            return "enter_code.html", {"lost": lost.value, "length": length, "channel": channel, "minutes": code}
        case ResetByCode(length, channel, shortest, longest):
            return "reset_by_code.html", {
                "length": length,
                "channel": channel,
                "minutes": code,
                **_password_rules(policy, shortest, longest),
            }
        case MailSent(lost):
            return "mail_sent.html", {"lost": lost.value, "minutes": _minutes(policy.temporary_password.lifetime)}
        case _:
            assert_never(step)


def _kind(step: Reactivate | ReactivateByCode | ExtraProof | ExtraProofByCode) -> str:
    """What an answer or a code that is asked within a sign-in is for."""
    return "reactivate" if isinstance(step, Reactivate | ReactivateByCode) else "extra"


def _password_rules(policy: Policy, shortest: int, longest: int) -> dict[str, Any]:
    letters_and_digits = policy.password.require_letters_and_digits
    return {"min_length": shortest, "max_length": longest, "letters_and_digits": letters_and_digits}


def ways_back(looked: Looked, policy: Policy) -> dict[str, Any]:
    """Where a page leads besides forward: into a recovery, or out of the one under way."""
    recovering, transaction = looked.sign_in.recovering, looked.visit.transaction
    ways: dict[str, Any] = {
        "transaction": transaction,
        "pin_forgotten": recovery.may_recover_pin(looked.sign_in, looked.account, looked.step, policy),
    }
    if recovering is not None:
        ways["cancel"] = "pin" if recovering.lost is Lost.PIN else "sign_in"
    joined = urlencode({"sign_in": transaction})
    if recovering is not None and recovering.lost is not Lost.PIN:
        ways["again_href"] = f"/recover/{recovering.lost}?{joined}"
    if isinstance(looked.step, AskUsernameAndPassword) and (offered := recovery.offered(policy)):
        ways |= {"recovery_href": f"/recover?{joined}", "recoverable": tuple(lost.value for lost in offered)}
    if isinstance(looked.step, AskUsernameAndPassword) and policy.registration.open:
        ways["register_href"] = f"/register?{joined}"
        if policy.registration.confirm_by:
            ways["confirm_href"] = f"/register/confirm?{joined}"
    return ways


def name_of(looked: Looked) -> str:
    """The step's name, which its form carries: an answer to another step is not taken for this one's."""
    return type(looked.step).__name__


def _addressed(channel: str, account: Account | None, policy: Policy) -> dict[str, Any]:
    """Where a code goes, told so that its owner knows it and nobody learns it, and for how long it works."""
    to = "" if account is None else masked(account.mobile or "") if channel == "sms" else masked(account.email)
    return {"channel": channel, "to": to, "minutes": _minutes(policy.recovery.code_lifetime)}


def _why_replaced(looked: Looked) -> str:
    """Why a new password is chosen: signed in with a temporary one, recovered, or because its time has come."""
    if looked.sign_in.recovering is not None:
        return "recovered"
    shown = {proof.factor for proof in looked.sign_in.proofs}
    return "temporary" if Factor.TEMPORARY in shown and Factor.PASSWORD not in shown else "due"


def _minutes(span: timedelta) -> int:
    return int(span.total_seconds()) // 60


def _progress(looked: Looked, policy: Policy) -> tuple[int, int] | None:
    """Which of the enrolment's pieces this is; None where nothing is being enrolled."""
    if looked.account is None or looked.account.enrolled_at is not None:
        return None
    total = len(required_pieces(policy))
    return total - len(missing_pieces(looked.account, policy)) + 1, total
