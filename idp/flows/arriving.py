"""How access begins: the account may come in, and is active once nothing of the first sign-in is missing."""

from dataclasses import replace
from datetime import datetime

from idp.flows.world import World
from idp.model import Account, AccountState, Source
from idp.policies.lifecycle import missing_pieces
from idp.store import Transaction


def let_in(world: World, tx: Transaction, account: Account, *, now: datetime, source: Source) -> Account:
    """Whoever registered may come in from now on, and goes on with what is missing of the first sign-in, if anything is."""
    if not missing_pieces(account, world.policy):
        return enrolled(world, tx, account, now=now, source=source)
    tx.accounts.set_state(account.id, AccountState.INVITED, now)
    return replace(account, state=AccountState.INVITED, state_at=now)


def enrolled(world: World, tx: Transaction, account: Account, *, now: datetime, source: Source) -> Account:
    """The last piece was given: access begins, and a letter says so."""
    tx.accounts.enrolled(account.id, now)
    world.record(tx, now, "account.enrolled", "done", account=account, source=source)
    world.send(tx, now, "enrolled", account, {"name": account.called, "username": account.username})
    return replace(account, state=AccountState.ACTIVE, state_at=now, enrolled_at=now)
