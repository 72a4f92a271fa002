"""Where an account stands at a moment. Suspension and expiry are derived from the last sign-in, never stored by a timer."""

from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import NamedTuple

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
    ends = quiet_ends(account, policy.inactivity)
    if ends.expires_at is not None and now >= ends.expires_at:
        return Standing.EXPIRED
    if ends.suspends_at is not None and now >= ends.suspends_at:
        return Standing.SUSPENDED
    return Standing.ACTIVE


class Since(NamedTuple):
    """The moment from which inactivity counts, and what happened then."""

    at: datetime
    what: str


class QuietEnds(NamedTuple):
    """What becomes of an active account that nobody uses, and at which moment exactly; None: never."""

    since: Since
    suspends_at: datetime | None
    expires_at: datetime | None
    purges_at: datetime | None


def quiet_ends(account: Account, rules: Inactivity) -> QuietEnds:
    """The moments at which inactivity suspends and expires the account, if it stays unused, and at which its data may go."""
    since = counts_from(account, rules)
    suspends = since.at + rules.suspend_after if rules.suspend_after is not None else None
    expires = since.at + rules.expire_after if rules.expire_after is not None else None
    purges = expires + rules.purge_after if expires is not None and rules.purge_after is not None else None
    return QuietEnds(since, suspends, expires, purges)


def counts_from(account: Account, rules: Inactivity) -> Since:
    """From when inactivity counts: the last activity, or when the rules took effect if that is later."""
    moments = [
        (account.created_at, "created"),
        (account.enrolled_at, "enrolled"),
        (account.last_sign_in_at, "signed_in"),
        (account.reactivated_at, "reactivated"),
    ]
    if rules.in_force_since:
        moments.append((datetime.combine(date.fromisoformat(rules.in_force_since), time(), UTC), "in_force"))
    at, what = account.created_at, "created"
    for moment, name in moments:
        if moment is not None and moment >= at:
            at, what = moment, name
    return Since(at, what)


def active_since(account: Account, rules: Inactivity) -> datetime:
    """The moment from which inactivity counts."""
    return counts_from(account, rules).at


def missing_pieces(account: Account, policy: Policy) -> tuple[Piece, ...]:
    """What the account still lacks of the first sign-in, in the order policy lists."""
    return tuple(piece for piece in required_pieces(policy) if account.credential(FACTOR_OF[piece]) is None)


def required_pieces(policy: Policy) -> tuple[Piece, ...]:
    """The pieces of the first sign-in that policy has switched on, in its order."""
    on = {"password": True, "pin": policy.pin.enabled, "question": policy.security_question.enabled}
    return tuple(piece for piece in policy.registration.enrolment if on[piece])


FACTOR_OF: dict[Piece, Factor] = {"password": Factor.PASSWORD, "pin": Factor.PIN, "question": Factor.ANSWER}
