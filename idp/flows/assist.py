"""What staff may do for a person: block, unblock, unlock, close. They start things and never learn a secret."""

from enum import Enum, auto

from idp.flows.world import World
from idp.model import Account, AccountState
from idp.policies import lockout
from idp.policies.credentials import canonical_username


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
    (Act.CLOSE, AccountState.INVITED): AccountState.CLOSED,
    (Act.CLOSE, AccountState.ACTIVE): AccountState.CLOSED,
    (Act.CLOSE, AccountState.BLOCKED): AccountState.CLOSED,
}


def change_state(world: World, username: str, act: Act, actor: str) -> Account | None:
    """Block, unblock or close an account; its sessions and grants die with access. None where there is nothing to do."""
    now = world.clock()
    with world.store.begin() as tx:
        account = tx.accounts.by_username(canonical_username(username))
        after = _LEADS.get((act, account.state)) if account is not None else None
        if account is None or after is None:
            return None
        if act is Act.UNBLOCK and account.enrolled_at is None:
            after = AccountState.INVITED
        tx.accounts.set_state(account.id, after, now)
        world.record(tx, now, f"account.{act.name.lower()}", "done", account=account, actor=actor, before=account.state)
        if act is not Act.UNBLOCK:
            tx.accounts.sessions_valid_from(account.id, now)
            tx.grants.revoke_account(account.id, now)
    if act is not Act.UNBLOCK:
        world.store.sessions.end_all(account.id)
    return account


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
