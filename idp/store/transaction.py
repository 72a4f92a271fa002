"""One transaction and the repositories that share its link."""

from functools import cached_property
from types import TracebackType

from idp.store.accounts import Accounts
from idp.store.attempts import Counters
from idp.store.customers import Customers
from idp.store.database import Lease, Writing
from idp.store.doors import Devices, Invitations
from idp.store.grants import ClientConsents, Denied, Grants
from idp.store.keys import Keys
from idp.store.proofs import Alarms, Issuances, OneTimeCodes, Passkeys, RecoveryCodes
from idp.store.records import Audit, Outbox, Policies
from idp.store.retention import Retention
from idp.store.seals import Seals
from idp.store.statements import Link
from idp.store.turns import Turns
from idp.store.unused import Unused


class Transaction:
    """What belongs together: each repository is made when it is first asked for."""

    def __init__(self, link: Link) -> None:
        self.link = link

    @cached_property
    def accounts(self) -> Accounts:
        """People's accounts and credentials."""
        return Accounts(self.link)

    @cached_property
    def unused(self) -> Unused:
        """Accounts that nobody uses."""
        return Unused(self.link)

    @cached_property
    def turns(self) -> Turns:
        """Whose turn it is at a task of upkeep."""
        return Turns(self.link)

    @cached_property
    def counters(self) -> Counters:
        """Failed attempts."""
        return Counters(self.link)

    @cached_property
    def devices(self) -> Devices:
        """Known devices."""
        return Devices(self.link)

    @cached_property
    def invitations(self) -> Invitations:
        """One-time ways in."""
        return Invitations(self.link)

    @cached_property
    def one_time_codes(self) -> OneTimeCodes:
        """Codes that were sent and wait to be entered."""
        return OneTimeCodes(self.link)

    @cached_property
    def issuances(self) -> Issuances:
        """When what was sent to an account."""
        return Issuances(self.link)

    @cached_property
    def alarms(self) -> Alarms:
        """Links by which an owner says that a change was not theirs."""
        return Alarms(self.link)

    @cached_property
    def recovery_codes(self) -> RecoveryCodes:
        """One-time codes for the day a second factor is lost."""
        return RecoveryCodes(self.link)

    @cached_property
    def passkeys(self) -> Passkeys:
        """WebAuthn credentials."""
        return Passkeys(self.link)

    @cached_property
    def grants(self) -> Grants:
        """Codes, refresh families, and what access tokens hang on."""
        return Grants(self.link)

    @cached_property
    def denied(self) -> Denied:
        """Access tokens revoked one by one."""
        return Denied(self.link)

    @cached_property
    def client_consents(self) -> ClientConsents:
        """What clients were allowed."""
        return ClientConsents(self.link)

    @cached_property
    def keys(self) -> Keys:
        """Signing keys."""
        return Keys(self.link)

    @cached_property
    def audit(self) -> Audit:
        """What happened."""
        return Audit(self.link)

    @cached_property
    def seals(self) -> Seals:
        """What proves that the audit is whole."""
        return Seals(self.link)

    @cached_property
    def retention(self) -> Retention:
        """What has been kept long enough."""
        return Retention(self.link)

    @cached_property
    def outbox(self) -> Outbox:
        """What must be sent."""
        return Outbox(self.link)

    @cached_property
    def customers(self) -> Customers:
        """The operator's customer records."""
        return Customers(self.link)

    @cached_property
    def policies(self) -> Policies:
        """What was law."""
        return Policies(self.link)


class Work:
    """A block with a ``Transaction``: a write transaction, or reading in autocommit."""

    __slots__ = ("_around",)

    def __init__(self, around: Writing | Lease) -> None:
        self._around = around

    def __enter__(self) -> Transaction:
        return Transaction(self._around.__enter__())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._around.__exit__(kind, error, trace)
