"""The throttle's counts: hits in a window for each key, each counted by one atomic statement on the store's own clock."""

from typing import Protocol

from sqlalchemy import String, TextClause, bindparam, text

from idp.store.database import Database, Lease, Turn

_NOW_MS = {
    "sqlite": "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)",
    "postgresql": "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
}


def _each(sql: str) -> dict[str, TextClause]:
    return {dialect: text(sql.replace("NOW_MS", now)) for dialect, now in _NOW_MS.items()}


_ADD = _each(
    """
    INSERT INTO throttles (key, hits, expires_ms) VALUES (:key, :amount, NOW_MS + :window)
    ON CONFLICT (key) DO UPDATE SET
        hits = CASE WHEN throttles.expires_ms <= NOW_MS THEN excluded.hits ELSE throttles.hits + excluded.hits END,
        expires_ms = CASE WHEN throttles.expires_ms <= NOW_MS THEN excluded.expires_ms ELSE throttles.expires_ms END
    RETURNING hits
    """
)
_READ = _each(
    """
    SELECT coalesce(sum(hits), 0), coalesce(max(expires_ms), NOW_MS)
    FROM throttles WHERE key = :key AND expires_ms > NOW_MS
    """
)
_CLEAR = text("DELETE FROM throttles WHERE key = :key OR :key IS NULL").bindparams(bindparam("key", type_=String))
_PURGE = _each("DELETE FROM throttles WHERE expires_ms <= NOW_MS")


class Counts(Protocol):
    """Counters in windows, on a clock of their own."""

    def add(self, key: str, window_ms: int, amount: int) -> int:
        """Count ``amount`` in the key's window; returns the count."""

    def read(self, key: str) -> tuple[int, int]:
        """The count, and the millisecond since 1970 at which the window ends (now, where there is none)."""

    def clear(self, key: str | None = None) -> int | None:
        """Forget the key's count, or every count."""


class SqlCounts:
    """``Counts`` in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, key: str, window_ms: int, amount: int) -> int:
        """Count ``amount`` in the key's window; returns the count."""
        with Turn(self._database) as connection:
            values = {"key": key, "amount": amount, "window": window_ms}
            return int(connection.execute(_ADD[self._database.dialect], values).scalar_one())

    def read(self, key: str) -> tuple[int, int]:
        """The count, and the millisecond since 1970 at which the window ends (now, where there is none)."""
        with Lease(self._database) as connection:
            hits, ends_ms = connection.execute(_READ[self._database.dialect], {"key": key}).one()
        return int(hits), int(ends_ms)

    def clear(self, key: str | None = None) -> int | None:
        """Forget the key's count, or every count."""
        with Turn(self._database) as connection:
            return int(connection.execute(_CLEAR, {"key": key}).rowcount)

    def purge(self) -> int:
        """Forget the windows that are over; returns how many."""
        with Turn(self._database) as connection:
            return int(connection.execute(_PURGE[self._database.dialect]).rowcount)
