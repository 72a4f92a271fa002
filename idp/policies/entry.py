"""The heart: from the facts of a sign-in, the one step that comes next.

The rules stand in a list that is walked from the top on every request. A step is never stored and never leads to
another step; each rule either asks for something or has nothing to say.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from idp.model import Account, Ask, Counter, Credential, Factor, Lost, Proof, SignIn
from idp.policies import agreeing, capacities, lockout, proving, recovery, registration
from idp.policies.credentials import must_replace
from idp.policies.joining import Piece
from idp.policies.lifecycle import FACTOR_OF, Standing, leaves_at, required_pieces, standing
from idp.policies.policy import Policy, Proving
from idp.policies.steps import (
    AcceptTerms,
    AnswerPurposes,
    AskPin,
    AskSecondFactor,
    AskUsernameAndPassword,
    ChooseCapacity,
    ChoosePassword,
    ChooseQuestion,
    CreatePin,
    Done,
    EnrolSecondFactor,
    ExtraProof,
    ExtraProofByCode,
    GiveConsent,
    KeepAccount,
    Reactivate,
    ReactivateByCode,
    Refusal,
    Refused,
    ReplacePassword,
    ReplacePin,
    Step,
)


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the next step depends on. ``proofs`` are those that still count for this request."""

    sign_in: SignIn
    account: Account
    proofs: tuple[Proof, ...]
    counters: tuple[Counter, ...]
    policy: Policy
    now: datetime

    def proved(self, factor: Factor) -> bool:
        """Whether the factor was shown and still counts."""
        return any(proof.factor is factor for proof in self.proofs)

    def closed(self, factor: Factor) -> Refused | None:
        """The refusal to show where the factor's counter is locked or disabled."""
        for counter in self.counters:
            shut = lockout.state(counter, self.now) if counter.factor is factor else None
            if shut is not None:
                return Refused(Refusal.LOCKED if shut.until else Refusal.DISABLED, shut.until)
        return None


def next_step(
    sign_in: SignIn, account: Account | None, policy: Policy, now: datetime, counters: Iterable[Counter] = ()
) -> Step:
    """The step that comes next at ``now``. ``counters`` are those of the account for the device at hand.

    While a recovery is under way nothing else is asked, nor while a registration waits for its code; a forgotten PIN is
    recovered only behind a correct password.
    """
    if sign_in.registering is not None:
        return registration.next_step(sign_in.registering, policy)
    counters = tuple(counters)
    sign_in = _since_closed(sign_in, counters)
    recovering = sign_in.recovering
    if recovering is not None and recovering.lost is not Lost.PIN:
        return recovery.next_step(recovering, policy, account.username if account is not None else "")
    if account is None:
        return AskUsernameAndPassword(told=sign_in.told)
    proofs = proving.still_true(counting(sign_in.proofs, sign_in.ask), account)
    facts = Facts(sign_in, account, proofs, counters, policy, now)
    for rule in WALK:
        step = rule(facts)
        if step is not None:
            return step
    return Done(proofs)


def counting(proofs: Iterable[Proof], ask: Ask) -> tuple[Proof, ...]:
    """The proofs no older than the client accepts (``prompt=login``, ``max_age``)."""
    return tuple(proof for proof in proofs if ask.fresh_since is None or proof.at >= ask.fresh_since)


def _since_closed(sign_in: SignIn, counters: tuple[Counter, ...]) -> SignIn:
    """The sign-in without what was proved before the password was disabled: who was half-way in goes no further."""
    closed = [one.disabled_at for one in counters if one.factor is Factor.PASSWORD and one.disabled_at is not None]
    if not closed:
        return sign_in
    return replace(sign_in, proofs=tuple(proof for proof in sign_in.proofs if proof.at >= max(closed)))


def _identify(facts: Facts) -> Step | None:
    """A password, or an invitation while no password has been chosen: nothing about an account is told before.

    A passkey stands for the password where policy says so; a temporary password opens no more than the choice of a new one.
    """
    if facts.proved(Factor.PASSWORD) or facts.proved(Factor.TEMPORARY) or _by_passkey(facts):
        return None
    if facts.proved(Factor.INVITATION) and facts.account.credential(Factor.PASSWORD) is None:
        return None
    return AskUsernameAndPassword(facts.account.username if facts.sign_in.proofs else "")


def _person(facts: Facts) -> Step | None:
    wanted = facts.sign_in.ask.subject
    return Refused(Refusal.OTHER_PERSON) if wanted is not None and wanted != facts.account.id else None


_SHUT = {
    Standing.PENDING: Refusal.PENDING,
    Standing.BLOCKED: Refusal.BLOCKED,
    Standing.EXPIRED: Refusal.EXPIRED,
    Standing.CLOSED: Refusal.CLOSED,
}


def _standing(facts: Facts) -> Step | None:
    shut = _SHUT.get(standing(facts.account, facts.policy, facts.now))
    return Refused(shut) if shut is not None else None


def _replace_password(facts: Facts) -> Step | None:
    temporary = not (facts.proved(Factor.PASSWORD) or _by_passkey(facts)) and facts.proved(Factor.TEMPORARY)
    if temporary or must_replace(facts.account.credential(Factor.PASSWORD), facts.policy, facts.now):
        return ReplacePassword(facts.account.username, *_password_length(facts.policy))
    return None


def _recover_pin(facts: Facts) -> Step | None:
    recovering = facts.sign_in.recovering
    if recovering is None or recovering.subject != facts.account.id or not facts.policy.pin.enabled:
        return None
    return recovery.next_step(recovering, facts.policy)


def _pieces(facts: Facts) -> Step | None:
    """Piece by piece in policy's order: what is missing is created, what exists is proved."""
    for piece in required_pieces(facts.policy):
        held = facts.account.credential(FACTOR_OF[piece])
        step = _create(piece, facts) if held is None else _prove(held, facts)
        if step is not None:
            return step
    return None


def _create(piece: Piece, facts: Facts) -> Step:
    if piece == "password":
        return ChoosePassword(facts.account.username, *_password_length(facts.policy))
    if piece == "pin":
        return CreatePin(facts.policy.pin.length)
    questions = facts.policy.security_question
    return ChooseQuestion(questions.questions, questions.min_answer_length)


def _prove(held: Credential, facts: Facts) -> Step | None:
    if held.factor is Factor.PIN and not facts.proved(Factor.PIN) and not _by_passkey(facts):
        return facts.closed(Factor.PIN) or AskPin(facts.policy.pin.length, facts.sign_in.told)
    return None


def _replace_pin(facts: Facts) -> Step | None:
    pin = facts.account.credential(Factor.PIN)
    if facts.policy.pin.enabled and must_replace(pin, facts.policy, facts.now):
        return ReplacePin(facts.policy.pin.length)
    return None


def _second_factor(facts: Facts) -> Step | None:
    """Who has a factor stronger than the PIN is asked for it; who must have one and has none sets it up."""
    if any(facts.proved(factor) for factor in proving.STRONG):
        return None
    held = proving.second_factors(facts.account)
    if held:
        return facts.closed(Factor.TOTP) or AskSecondFactor((*held, "recovery_code"))
    offered = proving.offered_second_factors(facts.policy)
    return EnrolSecondFactor(offered) if facts.policy.second_factor.required and offered else None


def _reactivate(facts: Facts) -> Step | None:
    if standing(facts.account, facts.policy, facts.now) is not Standing.SUSPENDED or _woken(facts):
        return None
    for way in facts.policy.inactivity.reactivate_by:
        step = _waking(way, facts)
        if step is not None:
            return step
    return Refused(Refusal.SUSPENDED)


def _waking(way: Proving, facts: Facts) -> Step | None:
    """The step that asks for one of the proofs; None where the person does not have it.

    Of a second factor there is nothing to ask any more: whoever has one was asked for it before.
    """
    account, length, sent = facts.account, facts.policy.recovery.code_length, facts.sign_in.code_sent
    match way:
        case "answer":
            question = _question(facts)
            return (facts.closed(Factor.ANSWER) or Reactivate(question)) if question is not None else None
        case "email_code":
            return ReactivateByCode("email", length, sent) if account.email else None
        case "sms_code":
            return ReactivateByCode("sms", length, sent) if account.mobile else None
        case "totp" | "passkey":
            return None
        case _:
            assert_never(way)


def _woken(facts: Facts) -> bool:
    """Whether a second factor just shown is one of those that wake the account; a recovery code stands in for any of them."""
    waking = {proving.FACTOR_OF[way] for way in facts.policy.inactivity.reactivate_by} & proving.STRONG
    return bool(waking) and any(facts.proved(factor) for factor in (*waking, Factor.RECOVERY_CODE))


def _keep(facts: Facts) -> Step | None:
    """Who cancelled everything is asked whether to take it back, behind every proof of a sign-in."""
    until = leaves_at(facts.account, facts.policy)
    if until is None:
        return None
    return KeepAccount(until) if facts.now < until else Refused(Refusal.CLOSED)


def _terms(facts: Facts) -> Step | None:
    version = agreeing.unseen_terms(facts.account, facts.policy)
    return AcceptTerms(version, facts.policy.consent.terms == "accept") if version is not None else None


def _purposes(facts: Facts) -> Step | None:
    unanswered = agreeing.unanswered(facts.account, facts.policy)
    return AnswerPurposes(unanswered) if unanswered else None


def _capacity(facts: Facts) -> Step | None:
    """Who may act in several capacities says in which; who has one acts in that."""
    if capacities.settled(facts.account, facts.sign_in.capacity):
        return None
    return ChooseCapacity(tuple(one.id for one in facts.account.capacities))


def _level(facts: Facts) -> Step | None:
    """The level the client needs (RFC 9470): ask for the missing proof, refuse what cannot be met, never give less."""
    ask = facts.sign_in.ask
    wanted = proving.wanted_level(ask.acr)
    if wanted is None:
        return Refused(Refusal.UNMET) if ask.acr_essential and ask.acr else None
    if proving.reaches(proving.acr(facts.proofs, facts.policy, facts.now), wanted):
        return None
    if wanted == "extra":
        for way in facts.policy.step_up.extra_by:
            step = _extra(way, facts)
            if step is not None:
                return step
    return Refused(Refusal.UNMET) if ask.acr_essential else None


def _extra(way: Proving, facts: Facts) -> Step | None:
    """The step that asks for one of the proofs beyond the sign-in; None where the person does not have it."""
    account, length, sent = facts.account, facts.policy.recovery.code_length, facts.sign_in.code_sent
    if way not in proving.extra_ways(account, facts.policy):
        return None
    match way:
        case "answer":
            return facts.closed(Factor.ANSWER) or ExtraProof(_question(facts) or "")
        case "email_code":
            return ExtraProofByCode("email", length, sent)
        case "sms_code":
            return ExtraProofByCode("sms", length, sent)
        case "totp" | "passkey":
            return None
        case _:
            assert_never(way)


def _consent(facts: Facts) -> Step | None:
    ask = facts.sign_in.ask
    if ask.consent_given or facts.sign_in.consented or ask.client_id is None:
        return None
    return GiveConsent(ask.client_id, ask.scope)


WALK: tuple[Callable[[Facts], Step | None], ...] = (
    _identify,
    _person,
    _standing,
    _replace_password,
    _recover_pin,
    _pieces,
    _replace_pin,
    _second_factor,
    _reactivate,
    _keep,
    _terms,
    _purposes,
    _capacity,
    _level,
    _consent,
)


def _by_passkey(facts: Facts) -> bool:
    """Whether a passkey stands for the password; while access is frozen none does."""
    allowed = facts.policy.second_factor.passkey == "sign_in" and facts.closed(Factor.PASSKEY) is None
    return allowed and facts.proved(Factor.PASSKEY)


def _question(facts: Facts) -> str | None:
    answer = facts.account.credential(Factor.ANSWER)
    return answer.question if answer is not None else None


def _password_length(policy: Policy) -> tuple[int, int]:
    return policy.password.min_length, policy.password.max_length
