"""The operator's customer records: brought in whole beside those in use, which they replace at one stroke.

Each import is a generation of its own. Registration looks at the one that is in use; a file that was not read to its end,
or was refused, never is.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    Index,
    Integer,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from idp.model import Customer
from idp.store.codec import decode, encode
from idp.store.statements import Repository, Statement, conflicting
from idp.store.tables import metadata
from idp.store.types import Instant, Sequence

imports = Table(
    "customer_imports",
    metadata,
    Column("generation", Sequence, primary_key=True),
    Column("began_at", Instant, nullable=False),
    Column("live_at", Instant),
    Column("replaced_at", Instant),
    Column("records", Integer, nullable=False),
    sqlite_autoincrement=True,
)

customers = Table(
    "customers",
    metadata,
    Column("generation", Sequence, primary_key=True, autoincrement=False),
    Column("line", Integer, primary_key=True, autoincrement=False),
    # Null where a record has none, so that only those that have one must differ.
    Column("account_number", String),
    Column("customer_code", String),
    Column("surname", String, nullable=False),
    Column("numbers", Text, nullable=False),
    Column("given_name", String, nullable=False),
    Column("family_name", String, nullable=False),
    Column("organisation", String, nullable=False),
    Index(None, "generation", "account_number", unique=True),
    Index(None, "generation", "customer_code", unique=True),
)

_i, _c = imports.c, customers.c
_this: BindParameter[int] = bindparam("which")
_BEGIN = Statement(insert(imports).returning(_i.generation))
_LOAD = conflicting(lambda into: into(customers).on_conflict_do_nothing())
_LINES = Statement(select(_c.line).where(_c.generation == _this, _c.line >= bindparam("first"), _c.line <= bindparam("last")))
_moment = bindparam("now", type_=_i.live_at.type)
_REPLACE = Statement(update(imports).where(_i.live_at.is_not(None), _i.replaced_at.is_(None)).values(replaced_at=_moment))
_GO_LIVE = Statement(update(imports).where(_i.generation == _this).values(live_at=_moment, records=bindparam("count")))
_in_use = select(_i.generation).where(_i.live_at.is_not(None), _i.replaced_at.is_(None)).scalar_subquery()
_LIVE = Statement(select(_i.generation, _i.live_at, _i.records).where(_i.live_at.is_not(None), _i.replaced_at.is_(None)))
_STALE = Statement(select(_i.generation).where((_i.replaced_at <= _moment) | (_i.live_at.is_(None) & (_i.began_at <= _moment))))
_COUNT = Statement(select(func.count()).select_from(customers).where(_c.generation == _this))
_some = select(_c.line).where(_c.generation == _this).order_by(_c.line).limit(bindparam("limit")).scalar_subquery()
_FORGET = Statement(delete(customers).where(_c.generation == _this, _c.line.in_(_some)))
_FORGET_IMPORT = Statement(delete(imports).where(_i.generation == _this))


def _finding(column: ColumnElement[Any]) -> Statement:
    columns = (_c.account_number, _c.customer_code, _c.surname, _c.numbers, _c.given_name, _c.family_name, _c.organisation)
    return Statement(select(*columns).where(_c.generation == _in_use, column == bindparam("key")))


_BY_ACCOUNT_NUMBER = _finding(_c.account_number)
_BY_CUSTOMER_CODE = _finding(_c.customer_code)


class Live(NamedTuple):
    """The import in use."""

    generation: int
    since: datetime
    records: int


class Customers(Repository):
    """Customer records: looked up one at a time, replaced all at once."""

    __slots__ = ()

    def by_account_number(self, key: str) -> Customer | None:
        """The record of an account number, as it is compared."""
        return _customer(self._link.first(_BY_ACCOUNT_NUMBER, {"key": key})) if key else None

    def by_customer_code(self, key: str) -> Customer | None:
        """The record of a customer code, as it is compared."""
        return _customer(self._link.first(_BY_CUSTOMER_CODE, {"key": key})) if key else None

    def live(self) -> Live | None:
        """The import in use, if there is one."""
        row = self._link.first(_LIVE, {})
        return None if row is None else Live(*row)

    def begin(self, now: datetime) -> int:
        """Begin an import; nothing of it is in use yet. Returns its generation."""
        row = self._link.first(_BEGIN, {"began_at": now, "live_at": None, "replaced_at": None, "records": 0})
        if row is None:
            raise LookupError("an import without a number")
        return int(row[0])

    def load(self, generation: int, lines: Iterable[tuple[int, Customer]]) -> int:
        """Add records by the lines of their file; returns how many, which is fewer where one has another's reference."""
        return self._link.many(_LOAD, [_row(generation, line, customer) for line, customer in lines])

    def lines(self, generation: int, first: int, last: int) -> frozenset[int]:
        """Which lines of a stretch of the file are there."""
        values = {"which": generation, "first": first, "last": last}
        return frozenset(row[0] for row in self._link.all(_LINES, values))

    def put_in_use(self, generation: int, now: datetime) -> int:
        """From now on these are the customer records; returns how many they are."""
        ((count,),) = self._link.all(_COUNT, {"which": generation})
        self._link.run(_REPLACE, {"now": now})
        self._link.run(_GO_LIVE, {"which": generation, "now": now, "count": count})
        return int(count)

    def stale(self, before: datetime) -> tuple[int, ...]:
        """The imports that were replaced, or left unfinished, before a moment."""
        return tuple(row[0] for row in self._link.all(_STALE, {"now": before}))

    def forget(self, generation: int, limit: int) -> int:
        """Delete some records of an import that is not in use, and the import itself with the last of them."""
        gone = self._link.count(_FORGET, {"which": generation, "limit": limit})
        if gone < limit:
            self._link.run(_FORGET_IMPORT, {"which": generation})
        return gone


def _row(generation: int, line: int, customer: Customer) -> dict[str, Any]:
    return {
        "generation": generation,
        "line": line,
        "account_number": customer.account_number or None,
        "customer_code": customer.customer_code or None,
        "surname": customer.surname,
        "numbers": encode(sorted(customer.numbers)),
        "given_name": customer.given_name,
        "family_name": customer.family_name,
        "organisation": customer.organisation,
    }


def _customer(row: Any) -> Customer | None:
    if row is None:
        return None
    account_number, customer_code, surname, numbers, *rest = row
    return Customer(account_number or "", customer_code or "", surname, frozenset(decode(numbers)), *rest)
