"""Access made active again that slept, or was cancelled, by whoever may: the account is held meanwhile, and its owner told."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from idp.flows.keeping import By
from idp.flows.world import World
from idp.model import Account, AccountState
from idp.policies.lifecycle import Standing, standing
from idp.store import Transaction


def wake(world: World, tx: Transaction, account: Account, *, now: datetime, by: By) -> Account:
    """Make an account that sleeps active again: the clock of inactivity restarts. It is returned as it is then.

    By the person only while it is suspended, by staff also once it has expired; in any other state nothing is done.
    """
    held = tx.accounts.locked(account.id)
    if held is None:
        return account
    wakes = (Standing.SUSPENDED,) if by.actor == "person" else (Standing.SUSPENDED, Standing.EXPIRED)
    before, last = standing(held, world.policy, now), held.last_sign_in_at
    if before not in wakes:
        return held
    tx.accounts.reactivated(held.id, now)
    facts: dict[str, Any] = {"before": before, "last_sign_in": last.isoformat() if last else None}
    world.record(tx, now, "account.reactivated", "done", account=held, actor=by.actor, source=by.source, **facts)
    context = {
        "name": held.called,
        "by": "person" if by.actor == "person" else "staff",
        "at": now.isoformat(),
        "link": f"{world.issuer}/profile",
    }
    world.tell(tx, now, "reactivated", held, context)
    return replace(held, reactivated_at=now)


def take_back(world: World, tx: Transaction, account: Account, *, now: datetime, by: By) -> None:
    """Make an account active again that its person had cancelled, and that the caller has locked; its clock restarts."""
    tx.accounts.set_state(account.id, AccountState.ACTIVE, now)
    tx.accounts.reactivated(account.id, now)
    cancelled = account.state_at.isoformat() if account.state_at else None
    world.record(tx, now, "account.kept", "done", account=account, actor=by.actor, source=by.source, cancelled=cancelled)
    context = {
        "name": account.called,
        "by": "person" if by.actor == "person" else "staff",
        "at": now.isoformat(),
        "link": f"{world.issuer}/profile",
    }
    world.send(tx, now, "kept", account, context)
