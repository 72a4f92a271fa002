"""How long each kind of data is kept: by which rule, and what of it may go at a moment."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum, auto
from operator import attrgetter
from typing import Final, NamedTuple

from idp.model import Kept
from idp.policies.policy import Policy

_NONE: Final = timedelta(0)


class Takes(Enum):
    """Who takes it away: retention when a period is over, retention at the data's own end, or upkeep of accounts."""

    PERIOD = auto()
    END = auto()
    UPKEEP = auto()


class Rule(NamedTuple):
    """Who takes a kind of data away, and the keys of the policy that say when: of several periods the longest counts."""

    takes: Takes
    keys: tuple[str, ...]


class Term(NamedTuple):
    """Data of a kind from before a moment has been kept long enough."""

    kind: Kept
    before: datetime


# A counter stays while anything in it still counts, also where its period is the shorter.
RULES: Final[Mapping[Kept, Rule]] = {
    Kept.AUDIT: Rule(Takes.PERIOD, ("retention.audit",)),
    Kept.LETTERS: Rule(Takes.PERIOD, ("retention.letters",)),
    # Nobody comes for them any more: those that were given up, and those that a receiver never fetched.
    Kept.SIGNALS: Rule(Takes.PERIOD, ("retention.letters",)),
    Kept.COUNTERS: Rule(Takes.PERIOD, ("retention.attempts", "lockout.window", "lockout.duration")),
    Kept.ISSUANCES: Rule(Takes.PERIOD, ("retention.attempts",)),
    Kept.FORMER_CREDENTIALS: Rule(Takes.PERIOD, ("retention.former_credentials",)),
    Kept.CLOSED_ACCOUNTS: Rule(Takes.UPKEEP, ("retention.closed_accounts",)),
    Kept.CANCELLED_ACCOUNTS: Rule(Takes.UPKEEP, ("leaving.grace",)),
    Kept.EXPIRED_ACCOUNTS: Rule(Takes.UPKEEP, ("inactivity.purge_after",)),
    Kept.UNCONFIRMED_ACCOUNTS: Rule(Takes.UPKEEP, ("registration.purge_unconfirmed_after",)),
    Kept.GRANTS: Rule(Takes.PERIOD, ("retention.grants",)),
    Kept.INVITATIONS: Rule(Takes.PERIOD, ("retention.ended",)),
    Kept.ONE_TIME_CODES: Rule(Takes.PERIOD, ("retention.ended",)),
    Kept.ALARMS: Rule(Takes.PERIOD, ("retention.ended",)),
    Kept.TEMPORARY_PASSWORDS: Rule(Takes.PERIOD, ("retention.ended",)),
    Kept.DEVICES: Rule(Takes.PERIOD, ("lockout.known_device_lifetime",)),
    Kept.CLIENT_CONSENTS: Rule(Takes.PERIOD, ("consent.client_consent_lifetime",)),
    Kept.SIGN_INS: Rule(Takes.END, ("session.sign_in_lifetime",)),
    Kept.SESSIONS: Rule(Takes.END, ("session.idle", "session.absolute")),
    Kept.USED: Rule(Takes.END, ()),
    Kept.DENIED: Rule(Takes.END, ("tokens.access_token",)),
    Kept.THROTTLES: Rule(Takes.END, ()),
}


def terms(policy: Policy, now: datetime) -> tuple[Term, ...]:
    """What retention may take now, kind by kind. What goes with its account is upkeep's, and not among them."""
    return tuple(
        Term(kind, now - (_longest(policy, rule.keys) if rule.takes is Takes.PERIOD else _NONE))
        for kind, rule in RULES.items()
        if rule.takes is not Takes.UPKEEP
    )


def _longest(policy: Policy, keys: tuple[str, ...]) -> timedelta:
    periods: list[timedelta] = [attrgetter(key)(policy) for key in keys]
    return max(periods)
