"""The one pool of connections, and how work begins and ends on it, in SQLite's words and in PostgreSQL's.

Connections are in autocommit: a lone statement is one round trip and its own transaction. Where several belong together,
``Writing`` says BEGIN and COMMIT itself: on SQLite ``BEGIN IMMEDIATE``, since a transaction that reads first and writes
later can be refused at once, whatever the busy timeout (SQLite, "Isolation"). Writers of one process wait for each other
on a lock of their own, in turn, where SQLite's busy handler would sleep and poll.
"""

import sqlite3
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import QueuePool

from idp.store.errors import DOWN, StoreDown, reason

Dialect = Literal["sqlite", "postgresql"]

_BUSY_SECONDS = 8
_STATEMENT_SECONDS = 10
_POOL_WAIT_SECONDS = 5

_PRAGMAS = (
    f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}",
    "PRAGMA journal_mode = WAL",
    # NORMAL loses no consistency, only, at a power cut, the last commits that no checkpoint had synced.
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -8000",
    "PRAGMA mmap_size = 67108864",
    # What was deleted (a letter's secret, a hash) is overwritten in the file.
    "PRAGMA secure_delete = FAST",
)

_POSTGRESQL_OPTIONS = " ".join(
    (
        "-c timezone=UTC",
        "-c default_transaction_isolation=read\\ committed",
        f"-c statement_timeout={_STATEMENT_SECONDS}s",
        f"-c lock_timeout={_BUSY_SECONDS}s",
        "-c idle_in_transaction_session_timeout=60s",
    )
)


class Database:
    """A database behind its pool. ``held`` is the calling thread's open write transaction, if it has one."""

    def __init__(self, url: str, pool_size: int) -> None:
        address = _address(url)
        self.dialect: Dialect = "sqlite" if address.get_backend_name() == "sqlite" else "postgresql"
        arguments: dict[str, Any] = {"check_same_thread": False, "timeout": _BUSY_SECONDS}
        if self.dialect == "postgresql":
            options = f"{_POSTGRESQL_OPTIONS} {address.query.get('options', '')}".strip()
            arguments = {"options": options, "connect_timeout": 3, "application_name": "idp"}
            address = address.difference_update_query(["options"])
        self.engine = create_engine(
            address,
            connect_args=arguments,
            isolation_level="AUTOCOMMIT",
            poolclass=QueuePool,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=_POOL_WAIT_SECONDS,
            pool_recycle=1800,
            # The connection used last has the warmest cache.
            pool_use_lifo=True,
        )
        if self.dialect == "sqlite":
            event.listen(self.engine, "connect", _prepare_sqlite)
        self._begin = "BEGIN IMMEDIATE" if self.dialect == "sqlite" else "BEGIN"
        self._turn = threading.Lock() if self.dialect == "sqlite" else None
        self._thread = threading.local()

    @property
    def held(self) -> Connection | None:
        """The connection of the transaction that this thread is in."""
        return getattr(self._thread, "connection", None)

    def hold(self, connection: Connection | None) -> None:
        """Remember, or forget, the transaction that this thread is in."""
        self._thread.connection = connection

    def take_turn(self) -> None:
        """Wait until no other thread of this process writes (SQLite has one writer at a time)."""
        if self._turn is not None and not self._turn.acquire(timeout=_BUSY_SECONDS):
            raise StoreDown("another writer of this process has held the database too long")

    def end_turn(self) -> None:
        """Let the next writer go."""
        if self._turn is not None:
            self._turn.release()

    def connect(self) -> Connection:
        """A connection of the pool."""
        try:
            return self.engine.connect()
        except DOWN as error:
            raise StoreDown(reason(error)) from error

    def begin(self) -> Connection:
        """A connection in a write transaction; a connection found dead is replaced once, for nothing is lost yet."""
        connection = self.connect()
        try:
            self._say(connection, self._begin)
        except StoreDown:
            connection.close()
            self.engine.dispose()
            if self.dialect == "sqlite":
                raise
            connection = self.connect()
            self._say(connection, self._begin)
        return connection

    def commit(self, connection: Connection) -> None:
        """End the transaction well."""
        self._say(connection, "COMMIT")

    def _say(self, connection: Connection, words: str) -> None:
        """Speak to the driver directly: SQLAlchemy's own execution would triple the price of a BEGIN."""
        driver: Any = connection.connection.dbapi_connection
        try:
            driver.execute(words)
        except self.engine.dialect.loaded_dbapi.OperationalError as error:
            connection.invalidate(error)
            raise StoreDown(reason(error)) from error


class Lease:
    """For reading: the thread's open transaction, which sees its own writes, or a connection in autocommit."""

    __slots__ = ("_connection", "_database")

    _connection: Connection | None

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> Connection:
        held = self._database.held
        if held is not None:
            self._connection = None
            return held
        self._connection = self._database.connect()
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._connection is not None:
            self._connection.close()
        if isinstance(error, DOWN):
            raise StoreDown(reason(error)) from error


class Turn:
    """The thread's open transaction, or a connection in autocommit for one writing statement.

    Joining is what keeps a thread from waiting for itself on SQLite, and saves a commit; the statement then stands or
    falls with the transaction.
    """

    __slots__ = ("_connection", "_database", "_joined")

    _connection: Connection

    def __init__(self, database: Database) -> None:
        self._database = database
        self._joined = False

    def __enter__(self) -> Connection:
        held = self._database.held
        if held is not None:
            self._joined = True
            return held
        self._database.take_turn()
        try:
            self._connection = self._database.connect()
        except BaseException:
            self._database.end_turn()
            raise
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if not self._joined:
            self._connection.close()
            self._database.end_turn()
        if isinstance(error, DOWN):
            raise StoreDown(reason(error)) from error


class Writing:
    """A write transaction: commits at the end of the block, rolls back on an exception."""

    __slots__ = ("_connection", "_database")

    _connection: Connection

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> Connection:
        database = self._database
        if database.held is not None:
            raise RuntimeError("this thread is already in a write transaction: pass that one on")
        database.take_turn()
        try:
            self._connection = database.begin()
        except BaseException:
            database.end_turn()
            raise
        database.hold(self._connection)
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        database = self._database
        try:
            if kind is None:
                database.commit(self._connection)
        finally:
            # Closing rolls back whatever was not committed.
            database.hold(None)
            self._connection.close()
            database.end_turn()
        if isinstance(error, DOWN):
            raise StoreDown(reason(error)) from error


class _Joined:
    """A block inside the thread's transaction, which ends elsewhere."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> Connection:
        return self._connection

    def __exit__(self, *_: object) -> None:
        return None


def joined(database: Database) -> Writing | _Joined:
    """Several statements as one: in the thread's open transaction, else in one of their own."""
    held = database.held
    return Writing(database) if held is None else _Joined(held)


def _address(url: str) -> URL:
    """The URL with its driver named; a SQLite database is a file, since each connection would have its own memory."""
    address = make_url(url.replace("postgres://", "postgresql://", 1) if url.startswith("postgres://") else url)
    backend = address.get_backend_name()
    if backend == "postgresql":
        return address.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise ValueError(f"{backend}: the database is sqlite:///FILE or postgresql://HOST/NAME")
    if address.database in {None, "", ":memory:"}:
        raise ValueError("sqlite: name a file, as in sqlite:////var/lib/idp/idp.sqlite3")
    Path(str(address.database)).parent.mkdir(parents=True, exist_ok=True)
    return address.set(drivername="sqlite+pysqlite")


def _prepare_sqlite(connection: sqlite3.Connection, record: object) -> None:
    del record
    for pragma in _PRAGMAS:
        connection.execute(pragma)
