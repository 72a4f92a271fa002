"""Signing keys at rest: public halves as they are, private ones sealed by the caller."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Column, LargeBinary, String, Table, bindparam, delete, insert, select, text, update

from idp.model import KeyUse, SigningKey
from idp.store.statements import Repository, Statement
from idp.store.tables import metadata
from idp.store.types import Document, Instant

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", String, primary_key=True),
    Column("alg", String, nullable=False),
    Column("use", String, nullable=False),
    Column("public", Document, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("current_from", Instant),
    Column("drop_after", Instant),
)

_k = signing_keys.c
_COLUMNS = (_k.kid, _k.alg, _k.use, _k.public, _k.sealed, _k.created_at, _k.current_from, _k.drop_after)

_ALL = Statement(select(*_COLUMNS).order_by(_k.created_at, _k.kid))
_ADD = Statement(insert(signing_keys))
_UPDATE = Statement(update(signing_keys).where(_k.kid == bindparam("one")))
_REMOVE = Statement(delete(signing_keys).where(_k.kid == bindparam("one")))
# Any number that no one else locks; released with the transaction.
_LOCK = Statement(text("SELECT pg_advisory_xact_lock(7430120517)"))


class Keys(Repository):
    """The set of signing keys, small and read whole."""

    __slots__ = ()

    def all(self) -> list[SigningKey]:
        """Every key, the oldest first."""
        return [
            SigningKey(kid, alg, KeyUse(use), public, bytes(sealed), *moments)
            for kid, alg, use, public, sealed, *moments in self._link.all(_ALL, {})
        ]

    def add(self, key: SigningKey) -> None:
        """Add a key."""
        self._link.run(_ADD, {"kid": key.kid, **_facts(key)})

    def update(self, key: SigningKey) -> None:
        """Write what became of a key."""
        self._link.run(_UPDATE, {"one": key.kid, **_facts(key)})

    def remove(self, kid: str) -> None:
        """Forget a key."""
        self._link.run(_REMOVE, {"one": kid})

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the set, until the transaction ends, against every other process that would change it.

        On SQLite a write transaction holds the whole database already.
        """
        if self._link.dialect == "postgresql":
            self._link.run(_LOCK, {})
        yield


def _facts(key: SigningKey) -> dict[str, Any]:
    return {
        "alg": key.alg,
        "use": key.use.value,
        "public": dict(key.public),
        "sealed": key.sealed,
        "created_at": key.created_at,
        "current_from": key.current_from,
        "drop_after": key.drop_after,
    }
