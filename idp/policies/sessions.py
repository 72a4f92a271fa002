"""How long a browser stays signed in, and which sessions still count."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from idp.model import Account, AccountState, Client, Session
from idp.policies import policy

_LATEST = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Recalled:
    """What a sign-in page says of whoever signed in last at this device: each of the two may be ""."""

    given_name: str = ""
    username: str = ""


def recalls(rules: policy.Session) -> bool:
    """Whether a device is asked who signed in there last."""
    return rules.welcome_cookie or rules.remember_me != "off"


def recalled(account: Account, rules: policy.Session, *, ticked: bool) -> Recalled:
    """What is said before anything is proved: the given name to welcome by, the username where it was ticked.

    Of an account that staff have shut nothing is said: whoever holds the device now may be the reason.
    """
    if account.state is not AccountState.ACTIVE:
        return Recalled()
    welcomed, filled_in = rules.welcome_cookie, ticked and rules.remember_me != "off"
    return Recalled(account.given_name if welcomed else "", account.username if filled_in else "")


@dataclass(frozen=True, slots=True)
class Ending:
    """When a session ends if nothing is done, and from when its person is warned.

    ``absolute`` where being active does not move the end any more.
    """

    at: datetime
    warned_from: datetime
    absolute: bool


def expires_at(created_at: datetime, last_seen_at: datetime, rules: policy.Session) -> datetime:
    """The end of a session: idle or absolute, whichever comes first (ASVS 5.0 7.3)."""
    return min(last_seen_at + rules.idle, created_at + rules.absolute)


def counts(session: Session, account: Account, rules: policy.Session, now: datetime) -> bool:
    """Whether a session is still good: in time under today's policy, and begun after the account's last cut.

    A secret that is replaced cuts, unless policy lets the person choose and they chose to stay signed in elsewhere.
    """
    if now >= ending(session, rules).at:
        return False
    return account.sessions_valid_from is None or session.created_at >= account.sessions_valid_from


def ending(session: Session, rules: policy.Session) -> Ending:
    """The end of a session under today's policy, which may be stricter than the one it began under."""
    at = min(session.expires_at, expires_at(session.created_at, session.last_seen_at, rules))
    return Ending(at, at - rules.warn_before, absolute=session.created_at + rules.absolute <= at)


def ends_others(rules: policy.Change, *, wished: bool) -> bool:
    """Whether a change of a secret ends what is open elsewhere: always, or as the person wishes where policy lets them."""
    return wished or rules.end_others == "always"


def worth_touching(session: Session, rules: policy.Session, now: datetime) -> bool:
    """Whether activity moves the end enough to be written: a thirtieth of the idle time, at most a minute late."""
    return now - session.last_seen_at >= min(rules.idle / 30, _LATEST)


def rested(session: Session, idle: timedelta | None, now: datetime) -> bool:
    """Whether a session was unused for longer than a client accepts; ``idle`` is None where the client does not say."""
    return idle is not None and now - session.last_seen_at > idle


def fresh_since(client: Client, asked: timedelta | None, session: Session | None, now: datetime) -> datetime | None:
    """The moment before which proofs do not count for a client; None where any that the session has will do.

    ``asked`` is the request's own ``max_age``: the stricter of the two counts. Of a session that rested for too long
    nothing counts.
    """
    if session is not None and rested(session, client.session_idle, now):
        return now
    ages = [age for age in (asked, client.default_max_age) if age is not None]
    return now - min(ages) if ages else None
