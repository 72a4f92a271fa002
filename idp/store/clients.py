"""Clients that were registered while the service runs, by the operator or by themselves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, String, Table, Text, bindparam, delete, func, select, update

from idp.model import Client
from idp.store.codec import decode, encode, instant, micros
from idp.store.statements import Repository, Statement, conflicting
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
_ADD = conflicting(lambda into: into(clients).on_conflict_do_nothing(index_elements=[_c.id]))
_CHANGE = Statement(update(clients).where(_c.id == bindparam("one"), _c.updated_at == bindparam("seen")))
_REMOVE = Statement(delete(clients).where(_c.id == bindparam("one")))
_MARK = Statement(select(func.count(), func.max(_c.updated_at)).select_from(clients))


class StoredClient(NamedTuple):
    """A registered client as it is stored."""

    client: Client
    token: str | None
    created_at: datetime
    updated_at: datetime


class StoredClients(Repository):
    """The registrations, few and read whole."""

    __slots__ = ()

    def all(self) -> list[StoredClient]:
        """Every registration, the oldest first."""
        return [_stored(row) for row in self._link.all(_ALL, {})]

    def get(self, client_id: str) -> StoredClient | None:
        """One registration."""
        row = self._link.first(_GET, {"one": client_id})
        return None if row is None else _stored(row)

    def add(self, stored: StoredClient) -> bool:
        """Add a registration; False where its id is taken."""
        facts = {"id": stored.client.id, "created_at": stored.created_at, **_facts(stored)}
        return self._link.count(_ADD, facts) == 1

    def change(self, stored: StoredClient, seen: datetime) -> bool:
        """Write what became of a registration last written at ``seen``; False where it was changed since, or is gone."""
        return self._link.count(_CHANGE, {"one": stored.client.id, "seen": seen, **_facts(stored)}) == 1

    def remove(self, client_id: str) -> bool:
        """Forget a registration."""
        return self._link.count(_REMOVE, {"one": client_id}) == 1

    def mark(self) -> tuple[object, ...]:
        """What changes whenever a registration does, as long as each is written later than the last."""
        row = self._link.first(_MARK, {})
        return () if row is None else tuple(row)


def _facts(stored: StoredClient) -> dict[str, Any]:
    return {"document": document_of(stored.client), "token": stored.token, "updated_at": stored.updated_at}


def _stored(row: Sequence[Any]) -> StoredClient:
    id_, document, token, created_at, updated_at = row
    return StoredClient(client_from(id_, document), token, created_at, updated_at)


def document_of(client: Client) -> str:
    """What a registration says of its client, without its id; members that have their default are left out."""
    members = {}
    for one in fields(client):
        value = getattr(client, one.name)
        default = one.default if one.default_factory is MISSING else one.default_factory()
        if one.name != "id" and value != default:
            members[one.name] = _OUT.get(one.name, _as_it_is)(value)
    return encode(members)


def client_from(id_: str, document: str) -> Client:
    """The client written by ``document_of``; what a newer process wrote of it and this one does not know is left aside."""
    members = decode(document)
    known = {one.name for one in fields(Client)}
    return Client(
        id=id_,
        **{name: _IN.get(name, _tupled)(value) for name, value in members.items() if name in known},
    )


def _as_it_is(value: Any) -> Any:
    return value


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _seconds_in(value: float | None) -> timedelta | None:
    return None if value is None else timedelta(seconds=value)


_OUT: Final[Mapping[str, Callable[[Any], Any]]] = {
    "default_max_age": timedelta.total_seconds,
    "session_idle": timedelta.total_seconds,
    "exchanges": dict,
    "secret_ends": lambda ends: {digest: micros(end) for digest, end in ends.items()},
}
_IN: Final[Mapping[str, Callable[[Any], Any]]] = {
    "default_max_age": _seconds_in,
    "session_idle": _seconds_in,
    "jwks": _as_it_is,
    "exchanges": lambda exchanges: {name: tuple(scopes) for name, scopes in exchanges.items()},
    "secret_ends": lambda ends: {digest: instant(end) for digest, end in ends.items()},
}
