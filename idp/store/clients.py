"""Clients that were registered while the service runs, by the operator or by themselves."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Column, String, Table, Text, bindparam, delete, func, insert, select, update

from idp.store.statements import Repository, Statement
from idp.store.tables import metadata
from idp.store.types import Instant

# ``document`` is what a registration says of its client, secrets as digests only; ``token`` the digest of the registration
# access token (RFC 7592 3), None where nobody but the operator may change it.
clients = Table(
    "clients",
    metadata,
    Column("id", String, primary_key=True),
    Column("document", Text, nullable=False),
    Column("token", String),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

_c = clients.c
_COLUMNS = (_c.id, _c.document, _c.token, _c.created_at, _c.updated_at)
_ALL = Statement(select(*_COLUMNS).order_by(_c.created_at, _c.id))
_GET = Statement(select(*_COLUMNS).where(_c.id == bindparam("one")))
_ADD = Statement(insert(clients))
_CHANGE = Statement(update(clients).where(_c.id == bindparam("one")))
_REMOVE = Statement(delete(clients).where(_c.id == bindparam("one")))
_MARK = Statement(select(func.count(), func.max(_c.updated_at)).select_from(clients))


class StoredClient(NamedTuple):
    """A registered client as it is stored."""

    id: str
    document: str
    token: str | None
    created_at: datetime
    updated_at: datetime


class StoredClients(Repository):
    """The registrations, few and read whole."""

    __slots__ = ()

    def all(self) -> list[StoredClient]:
        """Every registration, the oldest first."""
        return [StoredClient(*row) for row in self._link.all(_ALL, {})]

    def get(self, client_id: str) -> StoredClient | None:
        """One registration."""
        row = self._link.first(_GET, {"one": client_id})
        return None if row is None else StoredClient(*row)

    def add(self, client: StoredClient) -> None:
        """Add a registration; the database refuses an id that is taken."""
        self._link.run(_ADD, client._asdict())

    def change(self, client: StoredClient) -> bool:
        """Write what became of a registration; False where it is gone."""
        facts = {"document": client.document, "token": client.token, "updated_at": client.updated_at}
        return self._link.count(_CHANGE, {"one": client.id, **facts}) == 1

    def remove(self, client_id: str) -> bool:
        """Forget a registration."""
        return self._link.count(_REMOVE, {"one": client_id}) == 1

    def mark(self) -> tuple[object, ...]:
        """What changes whenever a registration does."""
        row = self._link.first(_MARK, {})
        return () if row is None else tuple(row)
