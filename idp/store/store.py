"""The whole store behind one door: what is opened at the composition root and handed down."""

from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, bindparam, delete, text

from idp.model import Account, Session
from idp.store.accounts import Accounts
from idp.store.counts import Counts, SqlCounts
from idp.store.database import Database, DialectName, Lease, Turn, Writing
from idp.store.entered import entered
from idp.store.shortlived import Sessions, SignIns, Slips, Used
from idp.store.shortlived_sql import SqlSessions, SqlSignIns, SqlSlips, SqlUsed
from idp.store.statements import Statement
from idp.store.tables import denied, sessions, sign_ins, slips, used
from idp.store.transaction import Transaction, Work

if TYPE_CHECKING:
    from idp.store.shortlived_redis import RedisState

# The newest migration, named here so that asking costs no import of Alembic; a test holds the two together.
HEAD = "0008"

_PURGES = {
    table.name: Statement(delete(table).where(ends <= bindparam("now", type_=ends.type)))
    for table, ends in (
        (sign_ins, sign_ins.c.expires_at),
        (slips, slips.c.expires_at),
        (sessions, sessions.c.expires_at),
        (used, used.c.until),
        (denied, denied.c.until),
    )
}
_ALIVE = Statement(text("SELECT 1"))
# Not now(), which stands still within a transaction.
_CLOCK = Statement(text("SELECT clock_timestamp()"))
_VERSION = Statement(text("SELECT version_num FROM alembic_version"))


class Store:
    """A database and, where there is one, a Redis for the short-lived state."""

    sign_ins: SignIns
    sessions: Sessions
    slips: Slips
    used: Used

    def __init__(self, database: Database, redis_state: "RedisState | None" = None) -> None:
        self._database = database
        self._redis = redis_state
        self._counts: SqlCounts | None = None
        if redis_state is None:
            self.sign_ins, self.sessions = SqlSignIns(database), SqlSessions(database)
            self.slips, self.used = SqlSlips(database), SqlUsed(database)
            self._counts = SqlCounts(database)
        else:
            self.sign_ins, self.sessions = redis_state.sign_ins, redis_state.sessions
            self.slips, self.used = redis_state.slips, redis_state.used
        self._throttle: Counts = redis_state.throttle if redis_state is not None else SqlCounts(database)
        # Both for Flask-Limiter.
        self.throttle_options: dict[str, Any] = {"counts": self._throttle}

    @property
    def throttle_uri(self) -> str:
        """The scheme under which Flask-Limiter finds the storage."""
        import idp.store.throttle  # noqa: F401, PLC0415 - registers it; the library is loaded where something is throttled

        return "idp://"

    @property
    def engine(self) -> Engine:
        """The engine, for measurements and migrations; nobody else speaks SQL."""
        return self._database.engine

    @property
    def dialect(self) -> DialectName:
        """Which database it is."""
        return self._database.dialect

    def begin(self) -> AbstractContextManager[Transaction, None]:
        """A write transaction: commits when the block ends, rolls back on an exception."""
        return Work(Writing(self._database))

    def read(self) -> AbstractContextManager[Transaction, None]:
        """The same repositories for reading, each statement by itself."""
        return Work(Lease(self._database))

    def entered(self, session_id: str, now: datetime) -> tuple[Session, Account] | None:
        """A session, unless it is over, with its account: one statement, or one round trip to Redis and one statement."""
        if self._redis is None:
            with Lease(self._database) as link:
                return entered(link, session_id, now)
        session = self.sessions.get(session_id, now)
        if session is None:
            return None
        with Lease(self._database) as link:
            account = Accounts(link).by_id(session.account_id)
        return None if account is None else (session, account)

    def ping(self) -> None:
        """Ask the database for a sign of life; raises ``StoreDown``."""
        with Lease(self._database) as link:
            link.all(_ALIVE, {})

    def clock(self) -> datetime | None:
        """What the database's clock says; None where the database is a file of this machine. Raises ``StoreDown``."""
        if self.dialect == "sqlite":
            return None
        with Lease(self._database) as link:
            ((theirs,),) = link.all(_CLOCK, {})
        moment: datetime = theirs
        return moment.astimezone(UTC)

    def hit(self, key: str, window: timedelta, amount: int = 1) -> int:
        """Count one more in the window of ``key``, on the store's own clock, or as many as said; returns the count."""
        return self._throttle.add(key, window // timedelta(milliseconds=1), amount)

    def ping_redis(self) -> None:
        """Ask Redis for a sign of life, where there is one; raises ``StoreDown``."""
        if self._redis is not None:
            self._redis.ping()

    def purge(self, now: datetime) -> dict[str, int]:
        """Delete the short-lived rows whose time is over; returns how many of each kind."""
        gone: dict[str, int] = {}
        for name, statement in _PURGES.items():
            with Turn(self._database) as link:
                gone[name] = link.count(statement, {"now": now})
        if self._counts is not None:
            gone["throttles"] = self._counts.purge()
        return gone

    def upgrade(self) -> None:
        """Bring the schema to the newest version; two processes at once do it one after the other."""
        from idp.store.migrate import upgrade  # noqa: PLC0415 - Alembic is heavy, and not for start-up

        upgrade(self._database)

    def schema_is_current(self) -> bool:
        """Whether the schema is the one this code was written for."""
        self.ping()
        try:
            with Lease(self._database) as link:
                return [tuple(row) for row in link.all(_VERSION, {})] == [(HEAD,)]
        except self._database.unready:
            return False

    def close(self) -> None:
        """Let go of every connection."""
        self._database.close()
        if self._redis is not None:
            self._redis.close()


def open_store(database_url: str, redis_url: str | None = None, *, pool_size: int = 8) -> Store:
    """Open the store; nothing is connected before it is first used."""
    database = Database(database_url, pool_size)
    if not redis_url:
        return Store(database)
    from idp.store.shortlived_redis import RedisState  # noqa: PLC0415 - the client is loaded where there is a Redis

    return Store(database, RedisState(redis_url))
