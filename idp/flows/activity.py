"""Uses of an account beside signing in: written down where policy counts them as activity, and at most once an hour."""

from datetime import datetime
from typing import Final

from idp.flows.world import World
from idp.model import Account
from idp.policies.inactivity import worth_noting
from idp.store import Transaction
from idp.store.unused import Use

_COUNTED: Final = {Use.REFRESH: "refresh", Use.STEP_UP: "step_up"}


def note(world: World, tx: Transaction, account: Account, use: Use, now: datetime) -> None:
    """The account was used so; where policy does not count it, this costs nothing."""
    if _COUNTED[use] in world.policy.inactivity.activity:
        last = account.last_refresh_at if use is Use.REFRESH else account.last_step_up_at
        if worth_noting(last, now):
            tx.unused.used(account.id, use, now)
