"""People whom reminders do not reach: whose they are, what the mail server said of them, and what waits for them.

Upkeep asks for such a reminder anew each week, and for none of whoever gave no address; nothing ends meanwhile: somebody on
the staff has to find out where the person can be reached, or close the account.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from idp.flows import reminding
from idp.flows.world import World
from idp.model import Account, AccountState
from idp.policies.credentials import canonical_username
from idp.policies.inactivity import Notice, counts_from, course, watched_after
from idp.store.unused import BEGINNING, Undelivered

# A letter that waits longer than this is in trouble.
PATIENCE: Final = timedelta(days=1)
READ_AT_ONCE: Final = 500
BOUNCED: Final = "came back"
NOWHERE: Final = "no address on file"


class Unreached(NamedTuple):
    """A reminder that reached nobody, the mail server's last words, and since when its ending has waited, or from when on.

    Where there is no address it was never asked for, and ``words`` say so.
    """

    account: Account
    notice: Notice
    words: str
    ends_at: datetime


def unreached(world: World) -> Iterator[Unreached]:
    """Every reminder that was refused, or has been waiting for a day, and that an ending waits for; last those sent nowhere."""
    now = world.clock()
    for template in reminding.TEMPLATES.values():
        for dead in (True, False):
            for letter in _undelivered(world, template, dead=dead):
                found = _holding_back(world, letter, now, dead=dead)
                if found is not None:
                    yield found
    for account in _unaddressed(world, now):
        notice = _first_due(world, account, now)
        if notice is not None:
            yield Unreached(account, notice, NOWHERE, notice.due_at + notice.ahead)


def _unaddressed(world: World, now: datetime) -> Iterator[Account]:
    """Those who gave no address, and have been away for so long that they would be reminded."""
    quiet_for = watched_after(world.policy).get(AccountState.ACTIVE)
    since, after = BEGINNING, ""
    while quiet_for is not None:
        with world.store.read() as tx:
            page = tx.unused.watched(
                AccountState.ACTIVE, now - quiet_for, since=since, after=after, limit=READ_AT_ONCE, unaddressed=True
            )
        yield from (one.account for one in page)
        if len(page) < READ_AT_ONCE:
            return
        since, after = page[-1].since, page[-1].account.id


def _first_due(world: World, account: Account, now: datetime) -> Notice | None:
    """The first reminder that has fallen due, of an ending that waits for it."""
    ahead = course(account, world.policy)
    ended = {"suspension": ahead.suspends_at, "expiry": ahead.expires_at}
    return next((one for one in ahead.notices if one.due_at <= now and ended[one.ending] is None), None)


def _undelivered(world: World, template: str, *, dead: bool) -> Iterator[Undelivered]:
    page: list[Undelivered] = []
    while not page or len(page) == READ_AT_ONCE:
        since, after = (page[-1].at, page[-1].letter) if page else (BEGINNING, "")
        with world.store.read() as tx:
            page = tx.unused.undelivered(template, dead=dead, since=since, after=after, limit=READ_AT_ONCE)
        if not page:
            return
        yield from page


def bounced(world: World, username: str, actor: str) -> int | None:
    """Staff learnt that the reminders of a person came back: none counts; returns how many. None: there is no such account.

    They are asked for anew after a week, or at once where the address changes before. What has ended already stays so.
    """
    now = world.clock()
    with world.store.begin() as tx:
        named = tx.accounts.by_username(canonical_username(username))
        account = tx.accounts.locked(named.id) if named is not None else None
        if account is None:
            return None
        since = counts_from(account, world.policy.inactivity).at
        back = [one for one in account.quiet.reminders if one.accepted_at is not None and one.asked_at >= since]
        if back:
            others = (one for one in account.quiet.reminders if one not in back)
            void = (replace(one, asked_at=now, accepted_at=None) for one in back)
            tx.unused.set_quiet(account.id, replace(account.quiet, reminders=(*others, *void)))
            for one in back:
                tx.unused.came_back(one.letter, BOUNCED, now)
            letters = [one.letter for one in back]
            world.record(tx, now, "reminder.bounced", "done", account=account, actor=actor, letters=letters)
    return len(back)


def _holding_back(world: World, letter: Undelivered, now: datetime, *, dead: bool) -> Unreached | None:
    """The reminder that the letter is, unless it was asked for anew since, is of no account, or is but young."""
    account = letter.account
    if account.state is not AccountState.ACTIVE:
        return None
    ahead = course(account, world.policy)
    ended = {"suspension": ahead.suspends_at, "expiry": ahead.expires_at}
    for notice in ahead.notices:
        one = notice.reminder
        if one is None or one.letter != letter.letter or one.accepted_at is not None:
            continue
        if ended[notice.ending] is not None or not (dead or now - one.asked_at >= PATIENCE):
            return None
        return Unreached(account, notice, letter.words, notice.due_at + notice.ahead)
    return None
