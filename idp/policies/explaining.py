"""Why one account stands as it does at one moment: which rules apply, how far each counter and clock is, what comes next.

Nothing is decided here. Each moment comes from the function that the rule itself asks, so that no explanation can differ
from what happens at the door.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from typing import Any, Literal, NamedTuple

from idp.model import Account, AccountState, Counter, Credential, DeviceClass, Ending, Factor, Invitation
from idp.policies import credentials, lockout
from idp.policies.inactivity import (
    ASK_AGAIN,
    Course,
    Due,
    Notice,
    Since,
    course,
    gone_at,
    next_due,
    took_effect,
)
from idp.policies.joining import Piece
from idp.policies.lifecycle import Standing, missing_pieces, standing
from idp.policies.policy import Policy

_IN_ORDER = list(Factor)
# What is typed and therefore counted, also before the first failure.
_COUNTED = (Factor.PASSWORD, Factor.PIN, Factor.ANSWER, Factor.TOTP)
_LIFETIMES = {Factor.TEMPORARY: "temporary_password.lifetime", Factor.PIN: "pin.mailed_lifetime"}
_KEYS: dict[Standing, tuple[str, ...]] = {
    Standing.ACTIVE: ("inactivity.suspend_after", "inactivity.expire_after"),
    Standing.SUSPENDED: ("inactivity.suspend_after", "inactivity.reactivate_by", "inactivity.expire_after"),
    Standing.EXPIRED: ("inactivity.expire_after", "inactivity.purge_after"),
    Standing.INVITED: ("registration.invitation_lifetime", "registration.enrolment", "registration.purge_unconfirmed_after"),
    Standing.PENDING: ("registration.confirm_by", "registration.code_lifetime", "registration.purge_unconfirmed_after"),
    Standing.BLOCKED: (),
    Standing.LEAVING: ("leaving.grace",),
    Standing.CLOSED: ("retention.closed_accounts",),
}


class Event(StrEnum):
    """What happens by itself at a moment that can be told beforehand."""

    SUSPEND_REMINDER = "suspend_reminder"
    SUSPENDS = "suspends"
    EXPIRE_REMINDER = "expire_reminder"
    EXPIRES = "expires"
    PURGED = "purged"
    INVITATION_ENDS = "invitation_ends"
    PASSWORD_AGES = "password_ages"  # noqa: S105 - the name of an event
    CREDENTIAL_ENDS = "credential_ends"
    WINDOW_ENDS = "window_ends"
    LOCK_ENDS = "lock_ends"


_GOES = {
    AccountState.INVITED: "registration.purge_unconfirmed_after",
    AccountState.PENDING: "registration.purge_unconfirmed_after",
    AccountState.LEAVING: "leaving.grace",
    AccountState.CLOSED: "retention.closed_accounts",
}
_REMINDS = {
    Ending.SUSPENSION: (Event.SUSPEND_REMINDER, "inactivity.suspend_reminders"),
    Ending.EXPIRY: (Event.EXPIRE_REMINDER, "inactivity.expire_reminders"),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """A key of the policy and the value in force."""

    key: str
    value: Any


@dataclass(frozen=True, slots=True)
class Why:
    """The standing, since when, by which rules. ``at`` is None where nothing tells; ``since`` is where inactivity counts from.

    ``frozen_at``: the owner said that a change was not theirs, and a reset is what opens the account again.
    """

    standing: Standing
    at: datetime | None
    since: Since
    missing: tuple[Piece, ...]
    frozen_at: datetime | None
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class FactorState:
    """One secret that the account holds; ``over`` tells that it works no more, by its time or because it was used."""

    factor: Factor
    set_at: datetime
    must_change: bool
    ages_at: datetime | None
    expires_at: datetime | None
    over: Literal["used", "expired"] | None
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class CounterState:
    """One counter. ``failures`` and ``window_ends_at`` are those of the window that is open, if one is.

    ``device`` is "" for all devices that are not known. ``disabled_by`` tells a reached cap from an owner who said so.
    """

    factor: Factor
    device: str
    device_class: DeviceClass
    failures: int
    threshold: int
    window_ends_at: datetime | None
    locked_until: datetime | None
    consecutive: int
    cap: int
    disabled_at: datetime | None
    disabled_by: Literal["cap", "owner"] | None
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class EndingState:
    """One ending: the moment it comes, or None while it waits for reminders, and the moment before which it can't come.

    ``missing`` reminders are not accepted yet, and the ending waits for them. ``took_effect_at`` is when the rule took effect,
    where it counts from then and not from the last use.
    """

    ending: Ending
    at: datetime | None
    not_before: datetime | None
    missing: int
    took_effect_at: datetime | None
    rule: Rule


@dataclass(frozen=True, slots=True)
class ReminderState:
    """One reminder. ``refused``: the words with which its letter was refused; it is asked for anew at ``asked_again_at``."""

    ending: Ending
    ahead: timedelta
    due_at: datetime
    asked_at: datetime | None
    accepted_at: datetime | None
    asked_again_at: datetime | None
    refused: str | None


class Next(NamedTuple):
    """What upkeep does about the account first, and when: at once, or at a moment to come."""

    at: datetime
    due: Due


@dataclass(frozen=True, slots=True)
class Coming:
    """What happens by itself at ``at`` unless something else happens before, and the rule that says so."""

    at: datetime
    event: Event
    rule: Rule
    factor: Factor | None = None
    device: str | None = None
    ahead: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """One account at one moment. ``coming`` is in the order of time."""

    at: datetime
    why: Why
    ends: Course | None
    endings: tuple[EndingState, ...]
    reminders: tuple[ReminderState, ...]
    upkeep: Next | None
    factors: tuple[FactorState, ...]
    counters: tuple[CounterState, ...]
    coming: tuple[Coming, ...]


def explain(
    account: Account,
    counters: Iterable[Counter],
    policy: Policy,
    now: datetime,
    *,
    invitation: Invitation | None = None,
    refusals: Mapping[str, str] | None = None,
) -> Explanation:
    """The account at ``now`` as its facts are known; ``refusals`` are the words with which letters, by their id, were refused.

    ``ends`` is None for an account that was not left to the clock: invited, blocked or closed. What comes next supposes that
    each reminder still missing is accepted as soon as it can be.
    """
    all_counters = _with_unused(account, counters)
    found = standing(account, policy, now)
    active = account.state is AccountState.ACTIVE
    ends = course(account, policy) if active else None
    earliest = course(account, policy, accepted_at=now)
    held = sorted(account.credentials, key=lambda credential: _IN_ORDER.index(credential.factor))
    events = [
        *(_of_inactivity(earliest, policy) if active else ()),
        *(_of_invitation(invitation, policy) if found is Standing.INVITED and invitation is not None else ()),
        *(_of_state(account, policy) if not active else ()),
        *(event for credential in held for event in _of_credential(credential, policy)),
        *(event for counter in all_counters for event in _of_counter(counter, policy, now)),
    ]
    return Explanation(
        now,
        _why(account, all_counters, policy, found),
        ends,
        tuple(_endings(account, ends, earliest, policy)) if ends is not None else (),
        tuple(_reminder(notice, refusals or {}) for notice in ends.notices) if ends is not None else (),
        _next(account, policy, now),
        tuple(_factor(credential, policy, now) for credential in held),
        tuple(_counter(counter, policy, now) for counter in all_counters),
        tuple(sorted((event for event in events if event.at > now), key=attrgetter("at"))),
    )


def rule(policy: Policy, key: str) -> Rule:
    """The rule under a key of the policy, such as "inactivity.suspend_after"."""
    return Rule(key, attrgetter(key)(policy))


def _rules(policy: Policy, *keys: str) -> tuple[Rule, ...]:
    return tuple(rule(policy, key) for key in keys)


def _why(account: Account, counters: Iterable[Counter], policy: Policy, found: Standing) -> Why:
    ends = course(account, policy)
    moments = {
        Standing.ACTIVE: ends.since.at,
        Standing.SUSPENDED: ends.suspends_at,
        Standing.EXPIRED: ends.expires_at,
        Standing.INVITED: account.created_at,
        Standing.PENDING: account.created_at,
        Standing.BLOCKED: account.state_at,
        Standing.LEAVING: account.state_at,
        Standing.CLOSED: account.state_at,
    }
    keys = _KEYS[found]
    if account.state is AccountState.ACTIVE and ends.since.what == "in_force":
        keys += ("inactivity.in_force_since",)
    missing = missing_pieces(account, policy)
    return Why(found, moments[found], ends.since, missing, _frozen_at(counters, policy), _rules(policy, *keys))


def _endings(account: Account, ends: Course, earliest: Course, policy: Policy) -> Iterator[EndingState]:
    for ending, at, not_before, key in (
        (Ending.SUSPENSION, ends.suspends_at, earliest.suspends_at, "inactivity.suspend_after"),
        (Ending.EXPIRY, ends.expires_at, earliest.expires_at, "inactivity.expire_after"),
    ):
        law = rule(policy, key)
        if law.value is None:
            continue
        # What came needs no reminder any more; expiry waits for those of suspension too.
        needed = [one for one in earliest.notices if at is None and one.ending in {ending, Ending.SUSPENSION}]
        missing = sum(one.reminder is None or one.reminder.accepted_at is None for one in needed)
        yield EndingState(ending, at, not_before, missing, took_effect(account, policy, ending), law)


def _reminder(notice: Notice, refusals: Mapping[str, str]) -> ReminderState:
    asked = notice.reminder
    if asked is None:
        return ReminderState(notice.ending, notice.ahead, notice.due_at, None, None, None, None)
    again = asked.asked_at + ASK_AGAIN if asked.accepted_at is None else None
    refused = refusals.get(asked.letter) if asked.accepted_at is None else None
    return ReminderState(notice.ending, notice.ahead, notice.due_at, asked.asked_at, asked.accepted_at, again, refused)


def _next(account: Account, policy: Policy, now: datetime) -> Next | None:
    found = next_due(account, policy, now)
    return Next(*found) if found is not None else None


def _frozen_at(counters: Iterable[Counter], policy: Policy) -> datetime | None:
    """When the owner had the access closed: the password is disabled, and not by its own failures alone."""
    closed = {counter.factor: counter for counter in counters if not counter.device and counter.disabled_at is not None}
    password = closed.get(Factor.PASSWORD)
    if password is None or (_disabled_by(password, policy) == "cap" and Factor.PASSKEY not in closed):
        return None
    return password.disabled_at


def _with_unused(account: Account, counters: Iterable[Counter]) -> list[Counter]:
    """The counters as stored, and one at nothing for each secret at which nobody has failed yet."""
    stored = list(counters)
    counted = {counter.factor for counter in stored if not counter.device}
    unused = [
        Counter(account.id, factor) for factor in _COUNTED if factor not in counted and account.credential(factor) is not None
    ]
    return sorted([*stored, *unused], key=lambda counter: (_IN_ORDER.index(counter.factor), counter.device))


def _factor(held: Credential, policy: Policy, now: datetime) -> FactorState:
    ages = credentials.ages_at(held, policy)
    keys = ["password.max_age"] if ages is not None else []
    if held.expires_at is not None and held.factor in _LIFETIMES:
        keys.append(_LIFETIMES[held.factor])
    over: Literal["used", "expired"] | None = None
    if held.expires_at is not None and held.expires_at <= now:
        over = "used" if _used(held) else "expired"
    expires = None if _used(held) else held.expires_at
    must = credentials.must_replace(held, policy, now)
    return FactorState(held.factor, held.set_at, must, ages, expires, over, _rules(policy, *keys))


def _used(held: Credential) -> bool:
    """Whether a secret that works once was used: its end was put before its beginning."""
    return held.expires_at is not None and held.expires_at < held.set_at


def _counter(counter: Counter, policy: Policy, now: datetime) -> CounterState:
    shut = lockout.state(counter, now)
    over = lockout.window_over(counter, policy.lockout, now)
    known = bool(counter.device)
    return CounterState(
        counter.factor,
        counter.device,
        DeviceClass.KNOWN if known else DeviceClass.UNKNOWN,
        0 if over else counter.failures,
        lockout.threshold(counter, policy.lockout),
        None if over or shut is not None else lockout.window_ends(counter, policy.lockout),
        shut.until if shut is not None else None,
        counter.consecutive,
        policy.lockout.cumulative_cap,
        counter.disabled_at,
        _disabled_by(counter, policy),
        _rules(policy, _threshold_key(counter), "lockout.window", "lockout.duration", "lockout.cumulative_cap"),
    )


def _threshold_key(counter: Counter) -> str:
    return "lockout.known_device_threshold" if counter.device else "lockout.threshold"


def _disabled_by(counter: Counter, policy: Policy) -> Literal["cap", "owner"] | None:
    if counter.disabled_at is None:
        return None
    return "cap" if counter.consecutive >= policy.lockout.cumulative_cap else "owner"


def _of_inactivity(ahead: Course, policy: Policy) -> Iterator[Coming]:
    for notice in ahead.notices:
        event, key = _REMINDS[notice.ending]
        yield Coming(notice.due_at, event, rule(policy, key), ahead=notice.ahead)
    if ahead.suspends_at is not None:
        yield Coming(ahead.suspends_at, Event.SUSPENDS, rule(policy, "inactivity.suspend_after"))
    if ahead.expires_at is not None:
        yield Coming(ahead.expires_at, Event.EXPIRES, rule(policy, "inactivity.expire_after"))
    if ahead.purges_at is not None:
        yield Coming(ahead.purges_at, Event.PURGED, rule(policy, "inactivity.purge_after"))


def _of_invitation(invitation: Invitation, policy: Policy) -> Iterator[Coming]:
    if invitation.used_at is None:
        yield Coming(invitation.expires_at, Event.INVITATION_ENDS, rule(policy, "registration.invitation_lifetime"))


def _of_state(account: Account, policy: Policy) -> Iterator[Coming]:
    goes_at = gone_at(account, policy)
    if goes_at is not None:
        yield Coming(goes_at, Event.PURGED, rule(policy, _GOES[account.state]))


def _of_credential(held: Credential, policy: Policy) -> Iterator[Coming]:
    ages = credentials.ages_at(held, policy)
    if ages is not None:
        yield Coming(ages, Event.PASSWORD_AGES, rule(policy, "password.max_age"), held.factor)
    if held.expires_at is not None and held.factor in _LIFETIMES:
        yield Coming(held.expires_at, Event.CREDENTIAL_ENDS, rule(policy, _LIFETIMES[held.factor]), held.factor)


def _of_counter(counter: Counter, policy: Policy, now: datetime) -> Iterator[Coming]:
    """The end of a lock or of the window; a disabled factor waits for a reset, not for a date."""
    shut = lockout.state(counter, now)
    if shut is not None:
        if shut.until is not None:
            duration = rule(policy, "lockout.duration")
            yield Coming(shut.until, Event.LOCK_ENDS, duration, counter.factor, counter.device)
        return
    ends = lockout.window_ends(counter, policy.lockout)
    if ends is not None and not lockout.window_over(counter, policy.lockout, now):
        yield Coming(ends, Event.WINDOW_ENDS, rule(policy, "lockout.window"), counter.factor, counter.device)
