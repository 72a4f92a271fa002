"""What an account says of its person beside the ways in: details, tools, capacities, and what was agreed to."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Boolean, Column, ForeignKey, Index, String, Table, bindparam, delete, insert, select, text

from idp.model import Account, Agreed, Agreement, Capacity
from idp.store.accounts import setting
from idp.store.codec import agreed_document, capacities_document, encode
from idp.store.statements import Repository, Statement, conflicting
from idp.store.tables import accounts, metadata
from idp.store.types import Instant, Sequence

# Every answer that was ever given to a text; it goes with the account.
agreements = Table(
    "agreements",
    metadata,
    Column("id", Sequence, primary_key=True),
    Column("account_id", String, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("version", String, nullable=False),
    Column("given", Boolean, nullable=False),
    Column("locale", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("at", Instant, nullable=False),
)

# Which accounts act for a customer of the operator: by keyed digests of the customers' references.
customer_references = Table(
    "customer_references",
    metadata,
    Column("reference", String, primary_key=True),
    Column("account_id", String, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Index(None, "account_id"),
)

_g, _r = agreements.c, customer_references.c
_SET_DETAILS = setting(given_name="given", family_name="family", locale="spoken", zone="place")
_SET_ENTITLEMENTS = setting(entitlements="to")
_SET_CAPACITIES = setting(capacities="to")
_SET_AGREED = setting(agreed="to")
_CONFIRM = setting(email_confirmed_at="now")
_RECORD = Statement(insert(agreements).inline())
_LEDGER = Statement(
    select(_g.account_id, _g.name, _g.version, _g.given, _g.locale, _g.digest, _g.at)
    .where(_g.account_id == bindparam("account"))
    .order_by(_g.id)
)
_BELONG = conflicting(lambda into: into(customer_references).on_conflict_do_nothing())
_ACTING = Statement(
    select(_r.account_id)
    .select_from(customer_references.join(accounts, accounts.c.id == _r.account_id))
    .where(_r.reference == bindparam("key"))
    .order_by(_r.account_id)
)
# Accounts of one customer that come at once see each other: SQLite lets one write at a time anyhow.
_ALONE = Statement(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"))
_PART = Statement(delete(customer_references).where(_r.account_id == bindparam("account"), _r.reference == bindparam("key")))


class Particulars(Repository):
    """What an account says of its person."""

    __slots__ = ()

    def set_details(self, account: Account) -> None:
        """Write the names, the language and the time zone as ``account`` has them."""
        values = {"given": account.given_name, "family": account.family_name, "spoken": account.locale, "place": account.zone}
        self._link.run(_SET_DETAILS, {"account": account.id, **values})

    def set_entitlements(self, account_id: str, entitlements: Iterable[str]) -> None:
        """Write which tools the person may use."""
        self._link.run(_SET_ENTITLEMENTS, {"account": account_id, "to": encode(sorted(entitlements))})

    def set_capacities(self, account_id: str, capacities: Iterable[Capacity]) -> None:
        """Write in which capacities the person may act."""
        self._link.run(_SET_CAPACITIES, {"account": account_id, "to": capacities_document(capacities)})

    def confirm_email(self, account_id: str, now: datetime) -> None:
        """Something that was sent to the address came back."""
        self._link.run(_CONFIRM, {"account": account_id, "now": now})

    def agree(self, account: Account, agreement: Agreement) -> tuple[Agreed, ...]:
        """Add an answer to the ledger; returns what ``account``, locked by the caller, has answered last to each text."""
        row = {name: getattr(agreement, name) for name in ("account_id", "version", "given", "locale", "digest", "at")}
        self._link.run(_RECORD, {**row, "name": agreement.to})
        others = tuple(one for one in account.agreed if one.to != agreement.to)
        agreed = (*others, Agreed(agreement.to, agreement.version, agreement.given))
        self._link.run(_SET_AGREED, {"account": account.id, "to": agreed_document(agreed)})
        return agreed

    def ledger(self, account_id: str) -> list[Agreement]:
        """Every answer that the person ever gave, the oldest first."""
        return [Agreement(*row) for row in self._link.all(_LEDGER, {"account": account_id})]

    def act_for(self, account_id: str, reference: str) -> None:
        """The account acts for the customer whose reference has this keyed digest."""
        self._link.run(_BELONG, {"account_id": account_id, "reference": reference})

    def cease(self, account_id: str, reference: str) -> None:
        """The account acts for that customer no more."""
        self._link.run(_PART, {"account": account_id, "key": reference})

    def alone_for(self, reference: str) -> None:
        """Wait for whoever else decides about that customer, and let others wait until the transaction ends."""
        if self._link.dialect == "postgresql":
            self._link.all(_ALONE, {"key": reference})

    def acting_for(self, reference: str) -> tuple[str, ...]:
        """The ids of the accounts that act for a customer."""
        return tuple(row[0] for row in self._link.all(_ACTING, {"key": reference}))
