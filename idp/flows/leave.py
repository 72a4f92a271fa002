"""Cancelling: a person gives one service back, or everything, and may take the latter back until their data goes.

The present password is proved again for it. From the moment on at which everything is cancelled nothing gives the account a
token; a whole sign-in leads to one question, whether to keep it (``KeepAccount``). When the data goes was told, and stays so.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from idp.flows import erasing, keeping, waking
from idp.flows.facts import Looked, see
from idp.flows.keeping import By
from idp.flows.resident import Resident, proved, unchanged
from idp.flows.world import World
from idp.model import Account, AccountState, Factor, Quiet
from idp.policies import entry
from idp.policies.steps import KeepAccount
from idp.store import Transaction


class NotDone(Enum):
    """Why nothing was cancelled. WRONG_SECRET is also said where no more tries are taken."""

    WRONG_SECRET = auto()
    SIGNED_OUT = auto()


@dataclass(frozen=True, slots=True)
class Given:
    """The service is given back; the rest of the access stays as it is."""

    service: str


@dataclass(frozen=True, slots=True)
class Left:
    """Everything is cancelled; ``goes_at`` is when the data goes, None where it is gone."""

    goes_at: datetime | None


def cancel_service(world: World, who: Resident, current: str, service: str) -> Given | NotDone:
    """Give one service back: the entitlement goes, and with it what any token, also one of before, is worth there.

    Whoever is signed in stays so, here and elsewhere.
    """
    if not proved(world, who, Factor.PASSWORD, current):
        return NotDone.WRONG_SECRET
    with world.store.begin() as tx:
        account = unchanged(world, tx, who, Factor.PASSWORD)
        if account is None:
            return NotDone.SIGNED_OUT
        if service in account.entitlements:
            left = account.entitlements - {service}
            tx.particulars.set_entitlements(account.id, left)
            world.record(tx, who.now, "service.cancelled", "done", account=account, source=who.source, service=service)
            link = f"{world.issuer}/profile"
            context = {"name": account.called, "service": service, "at": who.now.isoformat(), "link": link}
            world.send(tx, who.now, "service_cancelled", account, context)
    return Given(service)


def cancel_all(world: World, who: Resident, current: str) -> Left | NotDone:
    """Cancel everything: sessions and grants end at once, and the data goes when policy's grace is over; without one, now."""
    if not proved(world, who, Factor.PASSWORD, current):
        return NotDone.WRONG_SECRET
    goes_at = who.now + world.policy.leaving.grace
    with world.store.begin() as tx:
        account = unchanged(world, tx, who, Factor.PASSWORD)
        if account is None:
            return NotDone.SIGNED_OUT
        if goes_at > who.now:
            _leave(world, tx, who, account, goes_at)
        else:
            erasing.erase(world, tx, account, now=who.now, actor="person", why="cancelled")
    world.store.sessions.end_all(account.id)
    return Left(goes_at if goes_at > who.now else None)


def keep(world: World, looked: Looked) -> Looked:
    """Take everything back, behind every proof of a sign-in: the account is as it was before, and the sign-in goes on."""
    if not isinstance(looked.step, KeepAccount):
        return looked
    with world.store.begin() as tx:
        account = tx.accounts.locked(looked.aim.subject)
        if account is not None and _asked(world, looked, account):
            waking.take_back(world, tx, account, now=looked.now, by=By(looked.visit.source, looked.aim.device))
    return see(world, looked.visit, looked.sign_in, looked.now)


def _leave(world: World, tx: Transaction, who: Resident, account: Account, goes_at: datetime) -> None:
    tx.accounts.set_state(account.id, AccountState.LEAVING, who.now)
    tx.unused.set_quiet(account.id, Quiet(goes_at=goes_at))
    world.record(tx, who.now, "account.cancelled", "done", account=account, source=who.source, goes_at=goes_at.isoformat())
    keeping.cut(world, tx, account, now=who.now, by=who.by())
    context = {
        "name": account.called,
        "username": account.username,
        "at": who.now.isoformat(),
        "goes": goes_at.isoformat(),
        "link": f"{world.issuer}/sign-in",
    }
    world.tell(tx, who.now, "cancelled", account, context)


def _asked(world: World, looked: Looked, account: Account) -> bool:
    """Whether the question is still the one to be answered, of the account as it is now that nobody else changes it."""
    step = entry.next_step(looked.sign_in, account, world.policy, looked.now, looked.aim.counters)
    return isinstance(step, KeepAccount)
