"""What becomes of access that nobody uses: which reminders go out when, and the moments of suspension, expiry and purge.

An ending comes at its span after the last use, but never before each of its reminders was accepted by the mail server and
the time it told of has passed since: a reminder that could not be delivered moves the ending, it is not skipped.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple

from idp.model import Account, AccountState, Ending, Period, Reminder
from idp.policies.policy import Inactivity, Policy

# A reminder that was not accepted is asked for anew after this time, for which its letter is tried.
ASK_AGAIN = timedelta(days=7)
# How much earlier than due a reminder may have gone out: past that, policy gave so much more time that it told of another day.
STILL_GOOD = timedelta(days=30)
# How often a use beside signing in is written down: inactivity is a matter of days.
NOTED_EVERY = timedelta(hours=1)
_EVER = datetime.min.replace(tzinfo=UTC)


class Since(NamedTuple):
    """The moment from which inactivity counts, and what happened then."""

    at: datetime
    what: str


class Notice(NamedTuple):
    """A reminder that goes out ``ahead`` of an ending: when it falls due, and the letter that was asked for, if one was."""

    ending: Ending
    ahead: timedelta
    due_at: datetime
    reminder: Reminder | None


class Course(NamedTuple):
    """What becomes of an active account that nobody uses. A moment that is None never comes, or waits for a reminder."""

    since: Since
    notices: tuple[Notice, ...]
    suspends_at: datetime | None
    expires_at: datetime | None
    purges_at: datetime | None


class Counted(NamedTuple):
    """A span, and the moment from which it counts: later than the last use where the span took effect later."""

    at: datetime
    span: timedelta


class Act(StrEnum):
    """What upkeep does about an account."""

    REMIND = "remind"
    SUSPEND = "suspend"
    EXPIRE = "expire"
    PURGE = "purge"


class Due(NamedTuple):
    """The one thing to be done about an account now, and since when it has been due; ``notice`` is what to remind of."""

    act: Act
    at: datetime
    notice: Notice | None = None


def counts_from(account: Account, rules: Inactivity) -> Since:
    """From when inactivity counts: the last activity, or when the rules took effect if that is later."""
    moments = [
        (account.created_at, "created"),
        (account.enrolled_at, "enrolled"),
        (account.last_sign_in_at, "signed_in"),
        (account.last_refresh_at if "refresh" in rules.activity else None, "refreshed"),
        (account.last_step_up_at if "step_up" in rules.activity else None, "stepped_up"),
        (account.reactivated_at, "reactivated"),
    ]
    if rules.in_force_since:
        moments.append((datetime.combine(date.fromisoformat(rules.in_force_since), time(), UTC), "in_force"))
    at, what = account.created_at, "created"
    for moment, name in moments:
        if moment is not None and moment >= at:
            at, what = moment, name
    return Since(at, what)


def course(account: Account, policy: Policy, *, accepted_at: datetime | None = None) -> Course:
    """The account's course if it stays unused.

    To foresee it, reminders that were not accepted yet are taken as accepted at ``accepted_at``, or when they fall due; of
    whoever gave no address none ever is.
    """
    rules, spans = policy.inactivity, policy.periods or (period(policy, _EVER),)
    since = counts_from(account, rules)
    suspends = falls(since.at, [(one.began_at, one.suspend_after) for one in spans])
    notices, suspends_at = _Approach(account, since.at, rules, accepted_at).to(Ending.SUSPENSION, suspends)
    expires = falls(since.at, [(one.began_at, one.expire_after) for one in spans])
    if expires is not None and suspends is not None:
        # Between the two lies as much time as policy says, however late the first came.
        apart = (rules.expire_after or timedelta(0)) - (rules.suspend_after or timedelta(0))
        expires = max(expires, suspends_at + apart) if suspends_at is not None else None
    more, expires_at = _Approach(account, since.at, rules, accepted_at).to(Ending.EXPIRY, expires)
    purges_at = falls(expires_at, [(one.began_at, one.purge_after) for one in spans]) if expires_at is not None else None
    return Course(since, (*notices, *more), suspends_at, expires_at, purges_at)


def falls(since: datetime, spans: Sequence[tuple[datetime, timedelta | None]]) -> datetime | None:
    """When a span that counts from ``since`` is over, where it was changed: ``spans`` as they took effect, the present last.

    A stricter span counts from the moment it took effect at the earliest, and the one before it goes on counting beside it:
    whichever is over first. None: never.
    """
    counted = counted_from(since, spans)
    return counted.at + counted.span if counted is not None else None


def counted_from(since: datetime, spans: Sequence[tuple[datetime, timedelta | None]]) -> Counted | None:
    """From when the span counts that is over first, of those that ``falls`` weighs."""
    first: Counted | None = None
    loosest = timedelta(0)
    for place in range(len(spans) - 1, -1, -1):
        began, span = spans[place]
        if span is None:
            break
        loosest = max(loosest, span)
        # Ever since then the rule was at least as strict as this.
        counted = Counted(since if place == 0 else max(since, began), loosest)
        if first is None or counted.at + counted.span <= first.at + first.span:
            first = counted
    return first


def due(account: Account, policy: Policy, now: datetime) -> Due | None:
    """What is to be done about the account at ``now``; None: nothing. Asked again after it was done, it names the next."""
    if account.state is not AccountState.ACTIVE:
        goes_at = gone_at(account, policy)
        return Due(Act.PURGE, goes_at) if goes_at is not None and now >= goes_at else None
    ahead = course(account, policy)
    if ahead.purges_at is not None and now >= ahead.purges_at:
        return Due(Act.PURGE, ahead.purges_at)
    if ahead.expires_at is not None and now >= ahead.expires_at:
        return None if _noted(account.quiet.expired_at, ahead.expires_at) else Due(Act.EXPIRE, ahead.expires_at)
    suspended = ahead.suspends_at is not None and now >= ahead.suspends_at
    if suspended and ahead.suspends_at is not None and not _noted(account.quiet.suspended_at, ahead.suspends_at):
        return Due(Act.SUSPEND, ahead.suspends_at)
    if not account.email:
        # There is nowhere to remind anybody: staff have them on a list (`idp accounts unreached`).
        return None
    first = None if suspended else _wanted(ahead.notices, Ending.SUSPENSION, policy.inactivity, now)
    notice = first or _wanted(ahead.notices, Ending.EXPIRY, policy.inactivity, now)
    return Due(Act.REMIND, notice.due_at, notice) if notice is not None else None


def next_due(account: Account, policy: Policy, now: datetime) -> tuple[datetime, Due] | None:
    """What is to be done about the account first, and when: at ``now`` where it is due, else at the first moment it will be."""
    ahead, goes_at = course(account, policy), gone_at(account, policy)
    asked = [one.reminder.asked_at for one in ahead.notices if one.reminder is not None]
    moments = [goes_at, *ahead[2:], *(one.due_at for one in ahead.notices), *(one + ASK_AGAIN for one in asked)]
    for moment in (now, *sorted(one for one in moments if one is not None and one > now)):
        found = due(account, policy, moment)
        if found is not None:
            return moment, found
    return None


def foreseen(account: Account, policy: Policy, now: datetime, until: datetime) -> Account:
    """The account as upkeep will have left it, if nobody uses it and each reminder is accepted as soon as it can be."""
    account = _accepted(account, now)
    while (found := next_due(account, policy, now)) is not None and found[0] <= until and found[1].act is not Act.PURGE:
        now = found[0]
        account = _accepted(after(account, found[1], policy, now), now)
    return account


def _accepted(account: Account, now: datetime) -> Account:
    reminders = (one if one.accepted_at is not None else replace(one, accepted_at=now) for one in account.quiet.reminders)
    return replace(account, quiet=replace(account.quiet, reminders=tuple(reminders)))


def took_effect(account: Account, policy: Policy, ending: Ending) -> datetime | None:
    """When the rule of an ending took effect, where it counts from then and not from the last use."""
    since = counts_from(account, policy.inactivity).at
    suspension = ending is Ending.SUSPENSION
    spans = [(one.began_at, one.suspend_after if suspension else one.expire_after) for one in policy.periods]
    counted = counted_from(since, spans)
    return counted.at if counted is not None and counted.at > since else None


def period(policy: Policy, began_at: datetime) -> Period:
    """The spans of a policy that took effect at a moment."""
    rules = policy.inactivity
    return Period(began_at, rules.suspend_after, rules.expire_after, rules.purge_after)


def after(account: Account, done: Due, policy: Policy, now: datetime, letter: str = "") -> Account:
    """The account's facts once the thing due is done, a purge aside; ``letter`` is the id of the reminder's letter.

    Reminders of an earlier quiet period, and the one that this replaces, are of no further use.
    """
    quiet = account.quiet
    if done.act is Act.SUSPEND:
        return replace(account, quiet=replace(quiet, suspended_at=now))
    if done.act is Act.EXPIRE:
        return replace(account, quiet=replace(quiet, expired_at=now))
    if done.notice is None:
        return account
    asked = Reminder(done.notice.ending, done.notice.ahead, letter, now)
    since = counts_from(account, policy.inactivity).at
    others = (
        one for one in quiet.reminders if one.asked_at >= since and (one.ending, one.ahead) != (asked.ending, asked.ahead)
    )
    return replace(account, quiet=replace(quiet, reminders=(*others, asked)))


def watched_after(policy: Policy) -> dict[AccountState, timedelta]:
    """How long an account of each state must have been quiet before anything can be due about it; others need no watch."""
    rules = policy.inactivity
    spans = [
        after - max(reminders, default=timedelta(0))
        for after, reminders in (
            (rules.suspend_after, rules.suspend_reminders),
            (rules.expire_after, rules.expire_reminders),
        )
        if after is not None
    ]
    watched = {
        AccountState.PENDING: policy.registration.purge_unconfirmed_after,
        AccountState.INVITED: policy.registration.purge_unconfirmed_after,
        # When each of them goes was told when they left, whatever policy has become since.
        AccountState.LEAVING: timedelta(0),
        AccountState.CLOSED: policy.retention.closed_accounts,
    }
    return watched | ({AccountState.ACTIVE: min(spans)} if spans else {})


def worth_noting(last: datetime | None, now: datetime) -> bool:
    """Whether a use beside signing in is late enough after the last one noted to be noted again."""
    return last is None or now - last >= NOTED_EVERY


def gone_at(account: Account, policy: Policy) -> datetime | None:
    """When an account goes that the clock of inactivity does not run for: closed, cancelled, or never come to.

    Who cancelled was told a date, and it stays that one, also where policy's grace is another by then.
    """
    if account.state is AccountState.LEAVING:
        return account.quiet.goes_at or (account.state_at or account.created_at) + policy.leaving.grace
    after = None if account.state is AccountState.ACTIVE else watched_after(policy).get(account.state)
    return (account.state_at or account.created_at) + after if after is not None else None


class _Approach(NamedTuple):
    """The way of one account to its endings, reminder by reminder."""

    account: Account
    since: datetime
    rules: Inactivity
    accepted_at: datetime | None

    def to(self, ending: Ending, at: datetime | None) -> tuple[tuple[Notice, ...], datetime | None]:
        """The reminders of an ending due at ``at``, and when it comes: None while one that it needs is not accepted."""
        if at is None:
            return (), None
        suspension, quiet, rules = ending is Ending.SUSPENSION, self.account.quiet, self.rules
        written = quiet.suspended_at if suspension else quiet.expired_at
        # What came once does not go back because policy lists another reminder since, only because it gives more time.
        came = written is not None and written >= max(self.since, at)
        whole, notices = True, []
        for ahead in sorted(rules.suspend_reminders if suspension else rules.expire_reminders, reverse=True):
            due_at = at - ahead
            asked = _of(quiet.reminders, ending, ahead, max(self.since, due_at - STILL_GOOD))
            notices.append(Notice(ending, ahead, due_at, asked))
            taken = asked.accepted_at if asked is not None else None
            if taken is None and self.accepted_at is not None and not came and self.account.email:
                taken = max(self.accepted_at, due_at)
            if rules.require_reminders and taken is not None:
                at = max(at, taken + ahead)
            elif rules.require_reminders and not came:
                whole = False
        return tuple(notices), at if whole else None


def _of(reminders: Iterable[Reminder], ending: Ending, ahead: timedelta, since: datetime) -> Reminder | None:
    """The reminder of an ending, unless it was asked for before ``since`` and is of no use any more."""
    return next(
        (one for one in reminders if one.ending is ending and one.ahead == ahead and one.asked_at >= since),
        None,
    )


def _wanted(notices: Iterable[Notice], ending: Ending, rules: Inactivity, now: datetime) -> Notice | None:
    """The reminder to be asked for now. One that must be accepted holds back those after it; others are skipped when late."""
    fallen = [one for one in notices if one.ending is ending and one.due_at <= now]
    if not rules.require_reminders:
        return fallen[-1] if fallen and fallen[-1].reminder is None else None
    for notice in fallen:
        asked = notice.reminder
        if asked is None or (asked.accepted_at is None and now >= asked.asked_at + ASK_AGAIN):
            return notice
        if asked.accepted_at is None:
            return None
    return None


def _noted(written: datetime | None, came_at: datetime) -> bool:
    return written is not None and written >= came_at
