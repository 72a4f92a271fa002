"""What staff may do for a person: block, unblock, unlock, reactivate, keep, entitle, reset, close. They learn no secret."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any

from idp.flows import confirming, erasing, keeping, strong, temporary, waking
from idp.flows.keeping import By
from idp.flows.world import World
from idp.model import Account, AccountState, Changed, Factor, Source
from idp.policies import lockout, proving, recovery
from idp.policies.credentials import canonical_username
from idp.policies.lifecycle import Standing, leaves_at, standing
from idp.store import Transaction


class Act(Enum):
    """An act of staff on an account."""

    BLOCK = auto()
    UNBLOCK = auto()
    CLOSE = auto()


# From which state an act leads where; what is not in the table is refused. Closing is for ever.
_LEADS = {
    (Act.BLOCK, AccountState.ACTIVE): AccountState.BLOCKED,
    (Act.BLOCK, AccountState.INVITED): AccountState.BLOCKED,
    (Act.UNBLOCK, AccountState.BLOCKED): AccountState.ACTIVE,
    (Act.BLOCK, AccountState.PENDING): AccountState.BLOCKED,
    (Act.CLOSE, AccountState.PENDING): AccountState.CLOSED,
    (Act.CLOSE, AccountState.INVITED): AccountState.CLOSED,
    (Act.CLOSE, AccountState.ACTIVE): AccountState.CLOSED,
    (Act.CLOSE, AccountState.BLOCKED): AccountState.CLOSED,
    (Act.CLOSE, AccountState.LEAVING): AccountState.CLOSED,
}


def change_state(world: World, username: str, act: Act, actor: str) -> Account | None:
    """Block, unblock or close an account; its sessions and grants die with access. None where there is nothing to do."""
    now = world.clock()
    with world.store.begin() as tx:
        known = tx.accounts.by_username(canonical_username(username))
        account = tx.accounts.locked(known.id) if known is not None else None
        after = _LEADS.get((act, account.state)) if account is not None else None
        if account is None or after is None:
            return None
        world.record(tx, now, f"account.{act.name.lower()}", "done", account=account, actor=actor, before=account.state)
        if account.state is AccountState.LEAVING:
            # Its person has asked for that already: the data goes now, and not later than they were told.
            erasing.erase(world, tx, account, now=now, actor=actor, why="cancelled")
        else:
            _turn(tx, account, act, after, now)
    if act is not Act.UNBLOCK:
        world.store.sessions.end_all(account.id)
    return account


def _turn(tx: Transaction, account: Account, act: Act, after: AccountState, now: datetime) -> None:
    """Put the account into its new state, and end what the state does not allow."""
    if act is Act.UNBLOCK:
        tx.accounts.set_state(account.id, after if account.enrolled_at is not None else _before_enrolment(account), now)
        # Nobody could sign in meanwhile: the clock of inactivity begins anew.
        tx.accounts.reactivated(account.id, now)
        return
    tx.accounts.set_state(account.id, after, now)
    tx.accounts.sessions_valid_from(account.id, now)
    tx.grants.revoke_account(account.id, now)


def _before_enrolment(account: Account) -> AccountState:
    """Where an account that never finished the first sign-in goes back to.

    Who has chosen a password and confirmed nothing by it registered, and waits for the code again.
    """
    registered = account.credential(Factor.PASSWORD) is not None and account.email_confirmed_at is None
    return AccountState.PENDING if registered else AccountState.INVITED


def unlock(world: World, username: str, actor: str) -> int | None:
    """Lift the timed locks of an account, and tell how many; the count of consecutive failures stays. None: unknown."""
    now = world.clock()
    with world.store.begin() as tx:
        account = tx.accounts.by_username(canonical_username(username))
        if account is None:
            return None
        locked = [counter for counter in tx.counters.of(account.id) if lockout.state(counter, now) is not None]
        lifted = sum(
            tx.counters.swap(counter, lockout.unlock(counter)) for counter in locked if counter.locked_until is not None
        )
        world.record(tx, now, "account.unlock", "done", account=account, actor=actor, lifted=lifted)
    return lifted


def keep(world: World, username: str, actor: str) -> Account | None:
    """Take back for a person that they cancelled everything, while their data is there. It is told. None: nothing to do."""
    now = world.clock()
    with world.store.begin() as tx:
        known = tx.accounts.by_username(canonical_username(username))
        account = tx.accounts.locked(known.id) if known is not None else None
        until = leaves_at(account, world.policy) if account is not None else None
        if account is None or until is None or now >= until:
            return None
        waking.take_back(world, tx, account, now=now, by=By(Source(), actor=actor))
    return account


def entitle(world: World, username: str, services: Collection[str], actor: str, *, remove: bool = False) -> Account | None:
    """Let a person use services, or no more: the account as it is then. None: unknown.

    What is taken away is worth nothing at once, in a token of before neither; what is given comes with the next token.
    """
    now = world.clock()
    with world.store.begin() as tx:
        known = tx.accounts.by_username(canonical_username(username))
        account = tx.accounts.locked(known.id) if known is not None else None
        if account is None:
            return None
        before = account.entitlements
        after = before.difference(services) if remove else before.union(services)
        if after != before:
            tx.particulars.set_entitlements(account.id, after)
            facts: dict[str, Any] = {"before": sorted(before), "after": sorted(after)}
            world.record(tx, now, "account.entitled", "done", account=account, actor=actor, **facts)
    return replace(account, entitlements=after)


# How long an address must have stood before staff may have a temporary password sent to it (ASVS 6.4.6).
_SETTLED = timedelta(hours=72)


class NotStarted(Enum):
    """Why staff could not start a reset."""

    UNKNOWN = auto()
    CLOSED = auto()
    ADDRESS_IS_NEW = auto()
    TOO_MANY = auto()


def start_reset(world: World, username: str, actor: str) -> Account | NotStarted:
    """Have a temporary password sent to the person's own address; staff neither choose nor see it.

    Refused while the address is new, so that whoever talks staff into changing it cannot have the password sent there too.
    """
    now = world.clock()
    with world.store.begin() as tx:
        account = tx.accounts.by_username(canonical_username(username))
        if account is None:
            return NotStarted.UNKNOWN
        if not recovery.may_recover(account, world.policy, now):
            return NotStarted.CLOSED
        moved = tx.alarms.since(account.id, now - _SETTLED)
        if any(alarm.changed is Changed.EMAIL for alarm in moved):
            return NotStarted.ADDRESS_IS_NEW
        sent = temporary.mail(world, tx, account.id, now=now)
        world.record(tx, now, "account.reset", "started" if sent else "too_many", account=account, actor=actor)
    return account if sent else NotStarted.TOO_MANY


class NotReactivated(Enum):
    """Why staff could not reactivate an account. One whose data is gone is unknown."""

    UNKNOWN = auto()
    ACTIVE = auto()
    PENDING = auto()
    INVITED = auto()
    BLOCKED = auto()
    LEAVING = auto()
    CLOSED = auto()


_AWAKE = {
    Standing.ACTIVE: NotReactivated.ACTIVE,
    Standing.PENDING: NotReactivated.PENDING,
    Standing.INVITED: NotReactivated.INVITED,
    Standing.BLOCKED: NotReactivated.BLOCKED,
    Standing.LEAVING: NotReactivated.LEAVING,
    Standing.CLOSED: NotReactivated.CLOSED,
}


def reactivate(world: World, username: str, actor: str) -> Account | NotReactivated:
    """Make a suspended or expired account reachable again; nothing of it changes but that time counts anew. It is told."""
    now = world.clock()
    with world.store.begin() as tx:
        known = tx.accounts.by_username(canonical_username(username))
        account = tx.accounts.locked(known.id) if known is not None else None
        if account is None:
            return NotReactivated.UNKNOWN
        refused = _AWAKE.get(standing(account, world.policy, now))
        if refused is not None:
            world.record(tx, now, "account.reactivated", "refused", account=account, actor=actor, why=refused.name.lower())
            return refused
        return waking.wake(world, tx, account, now=now, by=By(Source(), actor=actor))


def remove_second_factor(world: World, username: str, actor: str) -> tuple[str, ...] | None:
    """Take a lost second factor away, whole: app, passkeys and recovery codes. The names of what was there; None: unknown.

    Every address is told, what was open ends, and where policy demands a factor the next sign-in sets up a new one. Who
    asks for it must have been recognised by other means: that is staff's to see to.
    """
    now = world.clock()
    with world.store.begin() as tx:
        known = tx.accounts.by_username(canonical_username(username))
        account = tx.accounts.locked(known.id) if known is not None else None
        if account is None:
            return None
        held = proving.second_factors(account)
        if not held:
            return ()
        strong.drop(world, tx, account, (Factor(one) for one in held), now=now, by=By(Source(), actor=actor))
        keeping.reopen(world, tx, account, Factor.TOTP)
        keeping.reopen(world, tx, account, Factor.PASSKEY)
    world.store.sessions.end_all(account.id)
    return held


class NotResent(Enum):
    """Why no new code went out."""

    UNKNOWN = auto()
    NOT_WAITING = auto()
    TOO_MANY = auto()


def resend_code(world: World, username: str, actor: str) -> Account | NotResent:
    """Have the code of a registration sent again, to where it went before; the old one dies, and staff see neither."""
    now = world.clock()
    with world.store.begin() as tx:
        account = tx.accounts.by_username(canonical_username(username))
        if account is None:
            return NotResent.UNKNOWN
        if not confirming.waiting(account):
            return NotResent.NOT_WAITING
        sent = confirming.send_code(world, tx, account.id, now)
        world.record(tx, now, "registration.asked", "sent" if sent else "refused", account=account, actor=actor)
    return account if sent else NotResent.TOO_MANY
