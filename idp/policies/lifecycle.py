"""Where an account stands at a moment. Suspension and expiry are derived from the last sign-in, never stored by a timer."""

from datetime import UTC, date, datetime, time
from enum import StrEnum

from idp.model import Account, AccountState, Factor
from idp.policies.policy import Inactivity, Piece, Policy


class Standing(StrEnum):
    """What an account may do: only ACTIVE ever gets a session or a token."""

    ACTIVE = "active"
    INVITED = "invited"
    BLOCKED = "blocked"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    CLOSED = "closed"


_DECIDED = {
    AccountState.INVITED: Standing.INVITED,
    AccountState.BLOCKED: Standing.BLOCKED,
    AccountState.CLOSED: Standing.CLOSED,
}


def standing(account: Account, policy: Policy, now: datetime) -> Standing:
    """The account's standing at ``now``: what was decided about it first, then what its inactivity has come to."""
    decided = _DECIDED.get(account.state)
    if decided is not None:
        return decided
    rules = policy.inactivity
    quiet = now - active_since(account, rules)
    if rules.expire_after is not None and quiet >= rules.expire_after:
        return Standing.EXPIRED
    if rules.suspend_after is not None and quiet >= rules.suspend_after:
        return Standing.SUSPENDED
    return Standing.ACTIVE


def active_since(account: Account, rules: Inactivity) -> datetime:
    """The moment from which inactivity counts: the last activity, or when the rules took effect if that is later."""
    moments = [account.created_at, account.enrolled_at, account.last_sign_in_at, account.reactivated_at]
    if rules.in_force_since:
        moments.append(datetime.combine(date.fromisoformat(rules.in_force_since), time(), UTC))
    return max(moment for moment in moments if moment is not None)


def missing_pieces(account: Account, policy: Policy) -> tuple[Piece, ...]:
    """What the account still lacks of the first sign-in, in the order policy lists."""
    return tuple(piece for piece in required_pieces(policy) if account.credential(FACTOR_OF[piece]) is None)


def required_pieces(policy: Policy) -> tuple[Piece, ...]:
    """The pieces of the first sign-in that policy has switched on, in its order."""
    on = {"password": True, "pin": policy.pin.enabled, "question": policy.security_question.enabled}
    return tuple(piece for piece in policy.registration.enrolment if on[piece])


FACTOR_OF: dict[Piece, Factor] = {"password": Factor.PASSWORD, "pin": Factor.PIN, "question": Factor.ANSWER}
