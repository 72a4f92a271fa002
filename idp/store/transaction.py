"""One transaction and the repositories that share its link."""

from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar

from idp.store.accounts import Accounts
from idp.store.attempts import Counters
from idp.store.clients import StoredClients
from idp.store.customers import Customers
from idp.store.database import Lease, Writing
from idp.store.doors import Devices, Invitations
from idp.store.grants import ClientConsents, Denied, Grants
from idp.store.holdings import Holdings
from idp.store.keys import Keys
from idp.store.particulars import Particulars
from idp.store.proofs import Alarms, Issuances, OneTimeCodes, Passkeys, RecoveryCodes
from idp.store.records import Audit, Outbox, Policies
from idp.store.retention import Retention
from idp.store.seals import Seals
from idp.store.signals import Signals, Streams
from idp.store.statements import Link
from idp.store.turns import Turns
from idp.store.unused import Unused

R = TypeVar("R")


class _Part(Generic[R]):
    """A repository on the link of a transaction, made when it is first asked for and then an attribute like any other."""

    def __init__(self, make: Callable[[Link], R]) -> None:
        self._make = make

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, transaction: "Transaction", owner: type) -> R:
        made = transaction.__dict__[self._name] = self._make(transaction.link)
        return made


class Transaction:
    """What belongs together: the repositories that share one link."""

    # People's accounts and credentials.
    accounts = _Part(Accounts)
    # What they say of their people.
    particulars = _Part(Particulars)
    # Everything held about one of them.
    holdings = _Part(Holdings)
    # Accounts that nobody uses.
    unused = _Part(Unused)
    # Whose turn it is at a task of upkeep.
    turns = _Part(Turns)
    # Failed attempts.
    counters = _Part(Counters)
    # Known devices.
    devices = _Part(Devices)
    # One-time ways in.
    invitations = _Part(Invitations)
    # Codes that were sent and wait to be entered.
    one_time_codes = _Part(OneTimeCodes)
    # When what was sent to an account.
    issuances = _Part(Issuances)
    # Links by which an owner says that a change was not theirs.
    alarms = _Part(Alarms)
    # One-time codes for the day a second factor is lost.
    recovery_codes = _Part(RecoveryCodes)
    # WebAuthn credentials.
    passkeys = _Part(Passkeys)
    # Codes, refresh families, and what access tokens hang on.
    grants = _Part(Grants)
    # Access tokens revoked one by one.
    denied = _Part(Denied)
    # What clients were allowed.
    client_consents = _Part(ClientConsents)
    # Clients registered while the service runs.
    clients = _Part(StoredClients)
    # Who is told of what happens, and what waits to be told.
    streams = _Part(Streams)
    signals = _Part(Signals)
    # Signing keys.
    keys = _Part(Keys)
    # What happened.
    audit = _Part(Audit)
    # What proves that the audit is whole.
    seals = _Part(Seals)
    # What has been kept long enough.
    retention = _Part(Retention)
    # What must be sent.
    outbox = _Part(Outbox)
    # The operator's customer records.
    customers = _Part(Customers)
    # What was law.
    policies = _Part(Policies)

    def __init__(self, link: Link) -> None:
        self.link = link


class Work:
    """A block with a ``Transaction``: a write transaction, or reading in autocommit."""

    __slots__ = ("_around",)

    def __init__(self, around: Writing | Lease) -> None:
        self._around = around

    def __enter__(self) -> Transaction:
        return Transaction(self._around.__enter__())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._around.__exit__(kind, error, trace)
