import contextlib
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from limits.storage import storage_from_string
from psycopg.errors import UndefinedColumn
from redis import Redis
from sqlalchemy import text

from idp.store import Store, StoreDown, open_store
from tests.servers import Kind, fresh_store, fresh_urls
from tests.store.facts import DAY, NOW, account, session, sign_in


def operations(store: Store) -> list[Callable[[], object]]:
    def write() -> None:
        with store.begin() as tx:
            tx.accounts.list()

    def read() -> None:
        with store.read() as tx:
            tx.accounts.list()

    return [write, read, store.ping, store.upgrade, store.schema_is_current]


def short_lived(store: Store) -> list[Callable[[], object]]:
    return [
        lambda: store.sign_ins.put(sign_in()),
        lambda: store.sign_ins.get("s1", NOW),
        lambda: store.sign_ins.take("s1", NOW),
        lambda: store.sessions.put(session(), 1),
        lambda: store.sessions.get("x1", NOW),
        lambda: store.sessions.touch("x1", NOW, NOW + DAY),
        lambda: store.sessions.end_all("a1"),
        lambda: store.used.first_time("jti", NOW + DAY, NOW),
    ]


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:1/none", "postgresql:///none?host=/nonexistent"])
def test_no_postgresql(url: str):
    store = open_store(url)
    for operation in [*operations(store), *short_lived(store)]:
        with pytest.raises(StoreDown):
            operation()
    assert not storage_from_string(store.throttle_uri, **store.throttle_options).check()
    store.close()


def test_no_redis(tmp_path: Path):
    url, _ = fresh_urls("sqlite", tmp_path)
    store = open_store(url, "redis://127.0.0.1:1/0")
    for operation in [*short_lived(store), store.ping_redis]:
        with pytest.raises(StoreDown):
            operation()
    store.ping()
    store.close()


def test_a_sqlite_file_that_is_gone(tmp_path: Path):
    folder = tmp_path / "data"
    store = open_store(f"sqlite:///{folder}/idp.sqlite3")
    shutil.rmtree(folder)
    with pytest.raises(StoreDown):
        store.ping()
    store.close()


def test_another_process_that_writes_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("idp.store.database._PRAGMAS", ("PRAGMA busy_timeout = 50",))
    one, other = fresh_store("sqlite", tmp_path), None
    other = open_store(str(one.engine.url))
    with one.begin() as tx:
        tx.accounts.add(account(), "ada")
        with pytest.raises(StoreDown, match="locked"), other.begin():
            pass
        with pytest.raises(StoreDown, match="locked"):
            other.sign_ins.put(sign_in())
        with other.read() as seen:
            assert len(seen.accounts.list()) == 0
    with other.begin() as tx:
        assert len(tx.accounts.list()) == 1
    one.close()
    other.close()


def test_a_thread_that_writes_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("idp.store.database._BUSY_SECONDS", 0.05)
    store = fresh_store("sqlite", tmp_path)
    refused: list[BaseException] = []

    def write() -> None:
        try:
            store.sign_ins.put(sign_in())
        except StoreDown as error:
            refused.append(error)

    with store.begin():
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert len(refused) == 1
    write()
    assert store.sign_ins.get("s1", NOW) is not None
    store.close()


def test_after_a_restart_of_postgresql_nobody_notices_twice(tmp_path: Path):
    store = fresh_store("postgresql", tmp_path)
    killer = open_store(str(store.engine.url.render_as_string(hide_password=False)))
    with store.begin() as first, store.engine.connect() as second:
        first.accounts.list()
        second.exec_driver_sql("SELECT 1")

    def kill() -> None:
        with killer.engine.connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        time.sleep(0.05)

    kill()
    with store.begin() as tx:
        tx.accounts.add(account(), "ada")
    kill()
    with pytest.raises(StoreDown), store.read() as tx:
        tx.accounts.list()
    with store.read() as tx:
        assert len(tx.accounts.list()) == 1
    with pytest.raises(StoreDown), store.begin() as tx:  # noqa: PT012
        tx.accounts.signed_in("a1", NOW)
        kill()
    with store.begin() as tx:
        assert len(tx.accounts.list()) == 1
    store.close()
    killer.close()


def test_redis_forgets_its_scripts_and_its_callers(tmp_path: Path):
    url, redis_url = fresh_urls("sqlite+redis", tmp_path)
    assert redis_url is not None
    store = open_store(url, redis_url)
    store.sign_ins.put(sign_in())
    with Redis.from_url(redis_url) as other:
        other.script_flush()
        other.client_kill_filter(_type="normal", skipme=True)
    assert store.sign_ins.take("s1", NOW) == sign_in()
    store.close()


def test_redis_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("idp.store.redis_link._TIMEOUT_SECONDS", 0.1)
    url, redis_url = fresh_urls("sqlite+redis", tmp_path)
    assert redis_url is not None
    store = open_store(url, redis_url)
    store.sign_ins.put(sign_in())
    with Redis.from_url(redis_url) as other:
        other.execute_command("CLIENT PAUSE", 400)
        with pytest.raises(StoreDown):
            store.sign_ins.get("s1", NOW)
        time.sleep(0.5)
        # The answer that came too late is nobody's.
        assert store.sessions.get("x1", NOW) is None
        assert store.sign_ins.get("s1", NOW) == sign_in()
    store.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_every_connection_in_use(kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("idp.store.database._POOL_WAIT_SECONDS", 0.05)
    url, _ = fresh_urls(kind, tmp_path)
    store = open_store(url, pool_size=1)
    with store.read(), store.read():
        with pytest.raises(StoreDown, match="in use"):
            store.ping()
        with pytest.raises(StoreDown, match="in use"):
            store.sign_ins.put(sign_in())
    store.ping()
    store.sign_ins.put(sign_in())
    store.close()


def test_a_failure_passed_over_is_not_committed(tmp_path: Path):
    """PostgreSQL answers such a COMMIT without an error, by rolling back."""
    store = fresh_store("postgresql", tmp_path)
    with pytest.raises(StoreDown, match="not committed"), store.begin() as tx:  # noqa: PT012
        tx.accounts.add(account(), "ada")
        with contextlib.suppress(UndefinedColumn):
            tx.link.driver.execute("SELECT nonsense")
    with store.begin() as tx:
        assert len(tx.accounts.list()) == 0
    store.close()


def test_a_broken_statement_is_no_excuse(tmp_path: Path):
    store = fresh_store("postgresql", tmp_path)
    with pytest.raises(UndefinedColumn), store.begin() as tx:
        tx.link.driver.execute("SELECT nonsense")
    store.close()


def test_a_transaction_inside_a_transaction_is_refused(store: Store):
    with store.begin(), pytest.raises(RuntimeError, match="already"), store.begin():
        pass
    with store.begin() as tx:
        assert len(tx.accounts.list()) == 0


def test_importing_the_room_loads_neither_alembic_nor_redis():
    program = (
        "import sys, idp.store; print([name for name in ('alembic', 'redis', 'limits', 'psycopg') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
