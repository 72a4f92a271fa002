"""The throttle's counters in SQL: a fixed window a key, counted by one atomic statement on the database's own clock."""

from typing import Any

from limits.storage import Storage
from sqlalchemy import BigInteger, TextClause, text

from idp.store.database import Database, Lease, Turn
from idp.store.errors import StoreDown

_NOW_MS = {
    "sqlite": "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)",
    "postgresql": "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
}


def _each(sql: str) -> dict[str, TextClause]:
    return {dialect: text(sql.replace("NOW_MS", now)).columns(expires_ms=BigInteger) for dialect, now in _NOW_MS.items()}


_INCREMENT = _each(
    """
    INSERT INTO throttles (key, hits, expires_ms) VALUES (:key, :amount, NOW_MS + :window)
    ON CONFLICT (key) DO UPDATE SET
        hits = CASE WHEN throttles.expires_ms <= NOW_MS THEN excluded.hits ELSE throttles.hits + excluded.hits END,
        expires_ms = CASE WHEN throttles.expires_ms <= NOW_MS THEN excluded.expires_ms ELSE throttles.expires_ms END
    RETURNING hits
    """
)
_GET = _each("SELECT hits FROM throttles WHERE key = :key AND expires_ms > NOW_MS")
_EXPIRY = _each("SELECT expires_ms, NOW_MS FROM throttles WHERE key = :key AND expires_ms > NOW_MS")
_CLOCK = _each("SELECT NOW_MS")
_CLEAR = text("DELETE FROM throttles WHERE key = :key")
_RESET = text("DELETE FROM throttles")
_PURGE = _each("DELETE FROM throttles WHERE expires_ms <= NOW_MS")


class SqlThrottle(Storage):
    """A storage of the ``limits`` library, for the fixed window. Registered under its scheme by this import."""

    STORAGE_SCHEME = ["idpsql"]  # noqa: RUF012 - the library's own declaration

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, **options: Any) -> None:
        super().__init__(uri, wrap_exceptions)
        self._database: Database = options["database"]

    @property
    def base_exceptions(self) -> type[Exception]:
        """What this storage raises when it cannot answer."""
        return StoreDown

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count ``amount`` in the key's window of ``expiry`` seconds; returns the count."""
        values = {"key": key, "amount": amount, "window": int(expiry * 1000)}
        with Turn(self._database) as connection:
            return int(connection.execute(_INCREMENT[self._database.dialect], values).scalar_one())

    def get(self, key: str) -> int:
        """The count in the key's window."""
        with Lease(self._database) as connection:
            return int(connection.execute(_GET[self._database.dialect], {"key": key}).scalar() or 0)

    def get_expiry(self, key: str) -> float:
        """When the key's window ends, in seconds since 1970; now, where there is none."""
        with Lease(self._database) as connection:
            ends = connection.execute(_EXPIRY[self._database.dialect], {"key": key}).scalar()
            if ends is None:
                ends = connection.execute(_CLOCK[self._database.dialect]).scalar_one()
        return int(ends) / 1000

    def check(self) -> bool:
        """Whether the database answers."""
        try:
            self.get("")
        except StoreDown:
            return False
        return True

    def reset(self) -> int | None:
        """Forget every count."""
        with Turn(self._database) as connection:
            return int(connection.execute(_RESET).rowcount)

    def clear(self, key: str) -> None:
        """Forget the key's count."""
        with Turn(self._database) as connection:
            connection.execute(_CLEAR, {"key": key})

    def purge(self) -> int:
        """Forget the windows that are over; returns how many."""
        with Turn(self._database) as connection:
            return int(connection.execute(_PURGE[self._database.dialect]).rowcount)
