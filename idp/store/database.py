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

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

from idp.store.errors import DOWN, StoreDown, reason
from idp.store.pool import Pool
from idp.store.statements import Link

DialectName = Literal["sqlite", "postgresql"]

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
    # What was deleted (a letter's secret, a hash) is overwritten in the file where that costs no further page.
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
_POSTGRESQL_ARGUMENTS = {
    "application_name": "idp",
    "connect_timeout": 3,
    # A server that has vanished without a word is noticed, too.
    "tcp_user_timeout": _STATEMENT_SECONDS * 1000,
    "keepalives_idle": 30,
}


class Database:
    """A database behind its pool. ``held`` is the calling thread's open write transaction, if it has one."""

    def __init__(self, url: str, pool_size: int) -> None:
        address = _address(url)
        self.dialect: DialectName = "sqlite" if address.get_backend_name() == "sqlite" else "postgresql"
        arguments: dict[str, Any] = {"check_same_thread": False, "timeout": _BUSY_SECONDS}
        if self.dialect == "postgresql":
            options = f"{_POSTGRESQL_OPTIONS} {address.query.get('options', '')}".strip()
            arguments = {"options": options, **_POSTGRESQL_ARGUMENTS}
            address = address.difference_update_query(["options"])
        self.engine = create_engine(
            address,
            connect_args=arguments,
            isolation_level="AUTOCOMMIT",
            # The pool is our own; the engine opens what it holds, and is for migrations and measurements.
            poolclass=NullPool,
        )
        if self.dialect == "sqlite":
            event.listen(self.engine, "connect", _prepare_sqlite)
        self._pool = Pool(self._open, self.engine.dialect, 2 * pool_size, _POOL_WAIT_SECONDS)
        self._turn = threading.Lock() if self.dialect == "sqlite" else None
        self._thread = threading.local()
        driver: Any = self.engine.dialect.loaded_dbapi
        # What a database that is absent, too slow, full or locked makes its driver raise, and what one without tables does.
        self.down: tuple[type[Exception], ...] = (*DOWN, driver.OperationalError, driver.InterfaceError)
        self.unready: tuple[type[Exception], ...] = (driver.ProgrammingError, StoreDown)

    @property
    def held(self) -> Link | None:
        """The link of the transaction that this thread is in."""
        return getattr(self._thread, "link", None)

    def hold(self, link: Link | None) -> None:
        """Remember, or forget, the transaction that this thread is in."""
        self._thread.link = link

    def take_turn(self) -> None:
        """Wait until no other thread of this process writes (SQLite has one writer at a time)."""
        if self._turn is not None and not self._turn.acquire(timeout=_BUSY_SECONDS):
            raise StoreDown("another writer of this process has held the database too long")

    def end_turn(self) -> None:
        """Let the next writer go."""
        if self._turn is not None:
            self._turn.release()

    def connect(self) -> Link:
        """A connection of the pool."""
        return self._pool.take()

    def _open(self) -> Any:
        """A new connection, as SQLAlchemy prepares it, and out of its hands."""
        try:
            opened = self.engine.raw_connection()
        except self.down as error:
            raise StoreDown(reason(error)) from error
        driver = opened.dbapi_connection
        opened.detach()
        return driver

    def begin(self) -> Link:
        """A connection in a write transaction; one found dead is replaced once, since nothing is lost yet."""
        for last_try in (False, True):
            link = self.connect()
            try:
                self._say(link, "BEGIN" if self.dialect == "postgresql" else "BEGIN IMMEDIATE")
            except StoreDown as error:
                lost = self.let_go(link, error)
                if last_try or not lost:
                    raise
            else:
                return link
        raise AssertionError

    def commit(self, link: Link) -> None:
        """End the transaction well."""
        self._say(link, "COMMIT")

    def roll_back(self, link: Link) -> None:
        """Undo whatever was not committed; a connection that can't is closed."""
        try:
            link.driver.rollback()
        except self.engine.dialect.loaded_dbapi.Error:
            link.driver.close()

    def let_go(self, link: Link, error: BaseException | None) -> bool:
        """Give the connection back; whether it was lost, and the others of the pool, opened as long ago, with it."""
        lost = error is not None and self.dialect == "postgresql" and bool(link.driver.closed)
        if lost:
            self._pool.empty()
        self._pool.give(link, sound=not lost)
        return lost

    def close(self) -> None:
        """Let go of every connection."""
        self._pool.close()
        self.engine.dispose()

    def _say(self, link: Link, words: str) -> None:
        """Begin or commit, speaking to libpq directly: psycopg's own way of asking costs more than the answer.

        After a failed statement PostgreSQL answers a COMMIT politely, by rolling back: hence the look at what it did.
        """
        try:
            if self.dialect == "sqlite":
                link.driver.execute(words)
                return
            done = link.driver.pgconn.exec_(words.encode())
        except self.down as error:
            raise StoreDown(reason(error)) from error
        if done.command_status != words.encode():
            said = done.error_message.decode(errors="replace").strip()
            raise StoreDown(said or "not committed: a statement of the transaction had failed")


class Lease:
    """For reading: the thread's open transaction, which sees its own writes, or a connection in autocommit."""

    __slots__ = ("_database", "_link")

    _link: Link | None

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> Link:
        held = self._database.held
        if held is not None:
            self._link = None
            return held
        self._link = self._database.connect()
        return self._link

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._link is not None:
            self._database.let_go(self._link, error)
        if isinstance(error, self._database.down):
            raise StoreDown(reason(error)) from error


class Turn:
    """The thread's open transaction, or a connection in autocommit for one writing statement.

    Joining is what keeps a thread from waiting for itself on SQLite, and saves a commit; the statement then stands or
    falls with the transaction.
    """

    __slots__ = ("_database", "_link")

    _link: Link | None

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> Link:
        held = self._database.held
        if held is not None:
            self._link = None
            return held
        self._database.take_turn()
        try:
            self._link = self._database.connect()
        except BaseException:
            self._database.end_turn()
            raise
        return self._link

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._link is not None:
            try:
                self._database.let_go(self._link, error)
            finally:
                self._database.end_turn()
        if isinstance(error, self._database.down):
            raise StoreDown(reason(error)) from error


class Writing:
    """A write transaction: commits at the end of the block, rolls back on an exception."""

    __slots__ = ("_database", "_link")

    _link: Link

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> Link:
        database = self._database
        if database.held is not None:
            raise RuntimeError("this thread is already in a write transaction: pass that one on")
        database.take_turn()
        try:
            self._link = database.begin()
        except BaseException:
            database.end_turn()
            raise
        database.hold(self._link)
        return self._link

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        database, link = self._database, self._link
        ended = error
        try:
            if error is None:
                database.commit(link)
        except StoreDown as refused:
            ended = refused
        finally:
            database.hold(None)
            if ended is not None:
                database.roll_back(link)
            database.let_go(link, ended)
            database.end_turn()
        if isinstance(ended, database.down):
            raise StoreDown(reason(ended)) from ended
        if ended is not error and ended is not None:
            raise ended


class _Joined:
    """A block inside the thread's transaction, which ends elsewhere."""

    __slots__ = ("_link",)

    def __init__(self, link: Link) -> None:
        self._link = link

    def __enter__(self) -> Link:
        return self._link

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
