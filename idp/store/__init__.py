"""The store owns every row and key: SQL tables and repositories, and the short-lived state on SQL or on Redis.

An account's change, its audit row and its letter are one transaction::

    with store.begin() as tx:
        tx.accounts.set_state(account.id, AccountState.BLOCKED, now)
        tx.audit.write(entry)
        tx.outbox.put(letter, sealed)

The short-lived state (``store.sign_ins``, ``store.sessions``, ``store.used``) is atomic operation by operation. Nothing
here reads a clock: ``now`` is an argument. Where the machine behind it can't answer, ``StoreDown`` is raised.
"""

from idp.store.errors import StoreDown, Taken
from idp.store.records import PolicyVersion
from idp.store.store import Store, open_store
from idp.store.transaction import Transaction

__all__ = ["PolicyVersion", "Store", "StoreDown", "Taken", "Transaction", "open_store"]
