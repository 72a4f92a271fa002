"""Upkeep: what time has brought about accounts is done, a few at a time, each judged again under lock just before.

Nothing waits for it: an account's standing is derived whenever it is asked for. Upkeep asks for reminders, writes down
what has become true, and deletes what may go. It may be killed anywhere and run twice: what was done is not due any more,
and a round that was left goes on where it was.
"""

from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from idp.flows import erasing, reminding
from idp.flows.world import World
from idp.model import Account, AccountState
from idp.policies import inactivity
from idp.policies.inactivity import Act, Due
from idp.store import Transaction
from idp.store.turns import Place
from idp.store.unused import Watched

TASK: Final = "accounts"
# How long the turn at a round is held without a sign of life.
TURN: Final = timedelta(minutes=5)
READ_AT_ONCE: Final = 500
# One transaction for several accounts: long enough to be worth its commit, short enough for a sign-in to wait out.
DONE_AT_ONCE: Final = 10
# Why the data of an account goes, by its state at the time.
_GONE_FOR: Final = {
    AccountState.ACTIVE: "expired",
    AccountState.CLOSED: "closed",
    AccountState.LEAVING: "cancelled",
    AccountState.INVITED: "never_came",
    AccountState.PENDING: "never_confirmed",
}


class Done(NamedTuple):
    """What was done about an account, or would be. ``of``: which ending was reminded of, or why the data goes."""

    account_id: str
    username: str
    due: Due
    of: str = ""


class Ahead(NamedTuple):
    """What lies before a round: how many accounts, whether one was left on the way, and until when it is another's turn."""

    accounts: int
    left: bool
    held_until: datetime | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a round: how many accounts were looked at, and what was done. Between two of them nothing is held.

    ``whole``: with this one the round has ended.
    """

    looked: int
    done: tuple[Done, ...] = ()
    whole: bool = False


def sweep(world: World) -> Generator[Stretch]:
    """Go through the accounts that nobody has used for long, and do what is due about each; begun rounds are ended first.

    Yields after each transaction, the one that takes the turn too. Yields nothing where another worker has it, and ends
    before the round is whole where it lost its own.
    """
    whose, now = world.vault.token(16), world.clock()
    with world.store.begin() as tx:
        held = tx.turns.take(TASK, whose, now, now + TURN)
    if held is None:
        return
    told: Counter[Act] = Counter()
    try:
        yield Stretch(0)
        for place, found in _walk(world, held.place):
            due = _due(world, found)
            for begin in range(0, len(due), DONE_AT_ONCE):
                done = _act(world, due[begin : begin + DONE_AT_ONCE])
                told.update(one.due.act for one in done)
                yield Stretch(0, done)
            now = world.clock()
            with world.store.begin() as tx:
                if not tx.turns.go_on(TASK, whose, place, now + TURN):
                    return
            yield Stretch(len(found))
        if _end(world, whose, told):
            yield Stretch(0, whole=True)
    finally:
        # Of no effect on a round that has ended, or that is another's by now.
        with world.store.begin() as tx:
            tx.turns.let_go(TASK, whose)


def foresee(world: World) -> Iterator[Stretch]:
    """What a round would do now, account by account; nothing is written."""
    for _, found in _walk(world, None):
        now = world.clock()
        done = [_done(one.account, due) for one in found for due in _in_turn(world, one.account, now)]
        yield Stretch(len(found), tuple(done))


def is_time(world: World, pause: timedelta) -> bool:
    """Whether it is time for a round: one was left unfinished, or the last ended as long ago as ``pause``.

    One that ended in the future was dated by a clock that has been set back since, and is nothing to go by.
    """
    with world.store.read() as tx:
        last = tx.turns.of(TASK)
    return last.place is not None or last.ended_at is None or not timedelta(0) <= world.clock() - last.ended_at < pause


def ahead(world: World, *, anew: bool = False) -> Ahead:
    """How much a round taken up now, or begun ``anew``, has before it: a count by index, nothing is judged."""
    now, watched = world.clock(), inactivity.watched_after(world.policy)
    with world.store.read() as tx:
        present = tx.turns.of(TASK)
        counted = (
            tx.unused.count(place.state, now - watched[place.state], since=place.since, after=place.after)
            for place in _places(watched, None if anew else present.place)
        )
        accounts = sum(counted)
    held = present.held_until if present.held_until is not None and present.held_until > now else None
    return Ahead(accounts, present.place is not None, held)


def _walk(world: World, place: Place | None) -> Iterator[tuple[Place, list[Watched]]]:
    """The accounts to be looked at, a batch at a time from a place on, and the place behind each batch."""
    watched = inactivity.watched_after(world.policy)
    for begun in _places(watched, place):
        seen = begun
        while found := _batch(world, seen, watched[seen.state]):
            seen = Place(seen.state, found[-1].since, found[-1].account.id)
            yield seen, found


def _places(watched: Iterable[AccountState], place: Place | None) -> list[Place]:
    """Where the accounts of each state that are still before a round begin; from the start where its place is unknown."""
    states = list(watched)
    begun = states.index(place.state) if place is not None and place.state in states else 0
    return [place if place is not None and place.state is state else Place(state) for state in states[begun:]]


def _batch(world: World, place: Place, quiet_for: timedelta) -> list[Watched]:
    with world.store.read() as tx:
        until = world.clock() - quiet_for
        return tx.unused.watched(place.state, until, since=place.since, after=place.after, limit=READ_AT_ONCE)


def _due(world: World, found: list[Watched]) -> list[Account]:
    """Those about whom there is something to do; whoever locks several accounts locks them in the order of their ids."""
    now = world.clock()
    wanted = [one.account for one in found if inactivity.due(one.account, world.policy, now) is not None]
    return sorted(wanted, key=lambda account: account.id)


def _act(world: World, accounts: list[Account]) -> tuple[Done, ...]:
    """Do what is due about a few accounts, in one transaction, each as it is now and nobody else changing it."""
    done: list[Done] = []
    ended: list[str] = []
    with world.store.begin() as tx:
        now = world.clock()
        for known in accounts:
            account = tx.accounts.locked(known.id)
            while account is not None and (due := inactivity.due(account, world.policy, now)) is not None:
                done.append(_done(account, due))
                if due.act is not Act.REMIND:
                    ended.append(account.id)
                account = _do(world, tx, account, due, now)
    for account_id in dict.fromkeys(ended):
        world.store.sessions.end_all(account_id)
    return tuple(done)


def _do(world: World, tx: Transaction, account: Account, due: Due, now: datetime) -> Account | None:
    """One act, whole: what changes, the audit, and the letter. The account as it is then; None where it is gone."""
    if due.act is Act.REMIND:
        return reminding.ask(world, tx, account, due, now)
    if due.act is Act.PURGE:
        erasing.erase(world, tx, account, now=now, why=_GONE_FOR[account.state])
        return None
    account = inactivity.after(account, due, world.policy, now)
    tx.unused.set_quiet(account.id, account.quiet)
    facts: dict[str, Any] = {
        "due": due.at.isoformat(),
        "since": inactivity.counts_from(account, world.policy.inactivity).at.isoformat(),
        "grants": len(tx.grants.revoke_account(account.id, now)),
    }
    event = "account.suspended" if due.act is Act.SUSPEND else "account.expired"
    world.record(tx, now, event, "done", account=account, actor="policy", **facts)
    return account


def _done(account: Account, due: Due) -> Done:
    reminded = due.notice.ending if due.notice is not None else ""
    return Done(account.id, account.username, due, _GONE_FOR[account.state] if due.act is Act.PURGE else reminded)


def _in_turn(world: World, account: Account, now: datetime) -> Iterator[Due]:
    """The things that would be done about an account at once, one after the other."""
    while (due := inactivity.due(account, world.policy, now)) is not None:
        yield due
        if due.act is Act.PURGE:
            return
        account = inactivity.after(account, due, world.policy, now)


def _end(world: World, whose: str, told: Counter[Act]) -> bool:
    """The round is whole, unless it is another's by now."""
    now, facts = world.clock(), {act.value: count for act, count in told.items()}
    with world.store.begin() as tx:
        if not tx.turns.end(TASK, whose, now):
            return False
        world.record(tx, now, "upkeep", "done", actor="policy", done=facts)
    return True
