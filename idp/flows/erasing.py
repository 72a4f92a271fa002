"""Erasing an account: what was open ends, and everything held about the person goes; only the subject identifier stays.

Sign-ins under way hold nothing of the account but its identifier, and end by themselves within minutes. What a client hinted
at as a name goes with them.
"""

from datetime import datetime

from idp.flows.world import World
from idp.model import Account
from idp.store import Transaction


def erase(world: World, tx: Transaction, account: Account, *, now: datetime, actor: str = "policy", why: str) -> None:
    """End every grant of an account that the caller has locked, write down that it is gone, and delete the person's data.

    ``why`` is a word of the trade ("expired", "closed"), never anything personal: it stays in the audit. The username is
    free again; the subject identifier is refused for ever. Sessions are ended by the caller after the commit, by
    ``world.store.sessions.end_all(account.id)``: until then they open nothing, since there is no account behind them.
    """
    ended = tx.grants.revoke_account(account.id, now)
    world.record(
        tx, now, "account.purged", "done", account=account, actor=actor, why=why, state=account.state, grants=len(ended)
    )
    tx.unused.purge(account.id, now)
