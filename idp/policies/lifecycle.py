"""Where an account stands at a moment. Suspension and expiry are derived from the last sign-in, never stored by a timer."""

from datetime import datetime
from enum import StrEnum

from idp.model import Account, AccountState, Factor
from idp.policies.inactivity import counts_from, course, gone_at
from idp.policies.joining import Piece
from idp.policies.policy import Inactivity, Policy


class Standing(StrEnum):
    """What an account may do: only ACTIVE ever gets a session or a token."""

    ACTIVE = "active"
    PENDING = "pending"
    INVITED = "invited"
    BLOCKED = "blocked"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    LEAVING = "leaving"
    CLOSED = "closed"


_DECIDED = {
    AccountState.PENDING: Standing.PENDING,
    AccountState.INVITED: Standing.INVITED,
    AccountState.BLOCKED: Standing.BLOCKED,
    AccountState.LEAVING: Standing.LEAVING,
    AccountState.CLOSED: Standing.CLOSED,
}


def standing(account: Account, policy: Policy, now: datetime) -> Standing:
    """The account's standing at ``now``: what was decided about it first, then what its inactivity has come to."""
    decided = _DECIDED.get(account.state)
    if decided is not None:
        return decided
    if not _may_have_ended(account, policy.inactivity, now):
        return Standing.ACTIVE
    ahead = course(account, policy)
    if ahead.expires_at is not None and now >= ahead.expires_at:
        return Standing.EXPIRED
    if ahead.suspends_at is not None and now >= ahead.suspends_at:
        return Standing.SUSPENDED
    return Standing.ACTIVE


def leaves_at(account: Account, policy: Policy) -> datetime | None:
    """Until when a person who cancelled everything can take it back; None where they have not."""
    return gone_at(account, policy) if account.state is AccountState.LEAVING else None


def _may_have_ended(account: Account, rules: Inactivity, now: datetime) -> bool:
    """Whether the shortest span is over: asked at every request, and no for nearly everybody."""
    spans = [span for span in (rules.suspend_after, rules.expire_after) if span is not None]
    return bool(spans) and now >= counts_from(account, rules).at + min(spans)


def missing_pieces(account: Account, policy: Policy) -> tuple[Piece, ...]:
    """What the account still lacks of the first sign-in, in the order policy lists."""
    return tuple(piece for piece in required_pieces(policy) if account.credential(FACTOR_OF[piece]) is None)


def required_pieces(policy: Policy) -> tuple[Piece, ...]:
    """The pieces of the first sign-in that policy has switched on, in its order."""
    on = {"password": True, "pin": policy.pin.enabled, "question": policy.security_question.enabled}
    return tuple(piece for piece in policy.registration.enrolment if on[piece])


FACTOR_OF: dict[Piece, Factor] = {"password": Factor.PASSWORD, "pin": Factor.PIN, "question": Factor.ANSWER}
