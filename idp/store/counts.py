"""The throttle's counts: hits in a window for each key, each counted by one atomic statement on the store's own clock."""

from typing import Protocol

from sqlalchemy import bindparam, delete, text

from idp.store.database import Database, Lease, Turn
from idp.store.statements import Statement
from idp.store.tables import throttles

_NOW_MS = {
    "sqlite": "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)",
    "postgresql": "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
}


def _on_its_clock(sql: str) -> Statement:
    return Statement(by_dialect=lambda dialect: text(sql.replace("NOW_MS", _NOW_MS[dialect])))


_ADD = _on_its_clock(
    """
    INSERT INTO throttles (key, hits, expires_ms) VALUES (:key, :amount, NOW_MS + :window)
    ON CONFLICT (key) DO UPDATE SET
        hits = CASE WHEN throttles.expires_ms <= NOW_MS THEN excluded.hits ELSE throttles.hits + excluded.hits END,
        expires_ms = CASE WHEN throttles.expires_ms <= NOW_MS THEN excluded.expires_ms ELSE throttles.expires_ms END
    RETURNING hits
    """
)
_READ = _on_its_clock(
    """
    SELECT coalesce(sum(hits), 0), coalesce(max(expires_ms), NOW_MS)
    FROM throttles WHERE key = :key AND expires_ms > NOW_MS
    """
)
_CLEAR = Statement(delete(throttles).where(throttles.c.key == bindparam("key")))
_CLEAR_ALL = Statement(delete(throttles))
_PURGE = _on_its_clock("DELETE FROM throttles WHERE expires_ms <= NOW_MS")


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
        with Turn(self._database) as link:
            values = {"key": key, "amount": amount, "window": window_ms}
            return int(link.all(_ADD, values)[0][0])

    def read(self, key: str) -> tuple[int, int]:
        """The count, and the millisecond since 1970 at which the window ends (now, where there is none)."""
        with Lease(self._database) as link:
            ((hits, ends_ms),) = link.all(_READ, {"key": key})
        return int(hits), int(ends_ms)

    def clear(self, key: str | None = None) -> int | None:
        """Forget the key's count, or every count."""
        with Turn(self._database) as link:
            return link.count(_CLEAR_ALL, {}) if key is None else link.count(_CLEAR, {"key": key})

    def purge(self) -> int:
        """Forget the windows that are over; returns how many."""
        with Turn(self._database) as link:
            return link.count(_PURGE, {})
