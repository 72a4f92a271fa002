"""Whether the service lives and whether it is ready, for the machines that ask every second."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog

from idp.model import KeyUse
from idp.store import Store

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# True: the part is up. An exception counts as down, and its kind is logged, never told.
Check = Callable[[], bool]

_HEADERS: Final = (("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"))
# Codes, locks and tokens are reckoned by the clock of the node that was asked: nodes further apart contradict each other.
CLOCK_TOLERANCE: Final = timedelta(seconds=60)
_ALIVE: Final = b'{"status": "alive"}'


class Health:
    """``/healthz`` and ``/readyz``. Each check has ``timeout`` seconds; an answer stands for ``keep`` seconds."""

    def __init__(self, checks: Mapping[str, Check], *, timeout: float = 2.0, keep: float = 1.0) -> None:
        self._checks = dict(checks)
        self._timeout, self._keep = timeout, keep
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._asked: dict[str, Future[bool]] = {}
        self._known: tuple[bool, bytes] = (False, b"")
        self._known_until = 0.0

    def alive(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """The process answers: no I/O, nothing that can wait."""
        del environ
        return _answer(start_response, "200 OK", _ALIVE)

    def ready(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """200 where every part is up, else 503; the body names each part."""
        del environ
        # Whoever comes while the parts are being asked waits for that answer instead of asking again.
        with self._lock:
            if time.monotonic() >= self._known_until:
                self._known = self._ask()
                self._known_until = time.monotonic() + self._keep
            up, body = self._known
        return _answer(start_response, "200 OK" if up else "503 Service Unavailable", body)

    def _ask(self) -> tuple[bool, bytes]:
        # Made here rather than at the start: threads do not survive the server's fork.
        self._pool = self._pool or ThreadPoolExecutor(max_workers=len(self._checks) or 1, thread_name_prefix="ready")
        for part, check in self._checks.items():
            # A part that has not answered the last question is not asked another.
            if part not in self._asked:
                self._asked[part] = self._pool.submit(check)
        wait(self._asked.values(), timeout=self._timeout)
        parts = {part: self._state(part) for part in self._checks}
        up = all(state == "up" for state in parts.values())
        return up, json.dumps({"status": "ready" if up else "not ready", "parts": parts}).encode()

    def _state(self, part: str) -> str:
        asked = self._asked[part]
        if not asked.done():
            return "no answer"
        del self._asked[part]
        error = asked.exception()
        if error is not None:
            structlog.get_logger().warning("part down", part=part, error=type(error).__name__)
            return "down"
        return "up" if asked.result() else "down"


def checks(store: Store, *, redis: bool, clock: Callable[[], datetime]) -> dict[str, Check]:
    """What must be up: the database at today's schema, a clock that agrees with its, a signing key, and Redis, if any."""
    made: dict[str, Check] = {
        "database": lambda: _said(store.ping),
        "schema": store.schema_is_current,
        "clock": lambda: _on_time(store, clock),
        "keys": lambda: _has_key(store),
    }
    return made | ({"redis": lambda: _said(store.ping_redis)} if redis else {})


def skew(store: Store, clock: Callable[[], datetime]) -> timedelta:
    """How far this node's clock and the database's are apart; nothing where the database is a file of this machine."""
    before = clock()
    theirs = store.clock()
    now = clock()
    return timedelta(0) if theirs is None else abs(theirs - (before + (now - before) / 2))


def _on_time(store: Store, clock: Callable[[], datetime]) -> bool:
    apart = skew(store, clock)
    if apart > CLOCK_TOLERANCE:
        structlog.get_logger().warning("clock off", seconds=round(apart.total_seconds(), 1))
        return False
    return True


def _said(ping: Callable[[], None]) -> bool:
    ping()
    return True


def _has_key(store: Store) -> bool:
    with store.read() as tx:
        return any(key.use is KeyUse.CURRENT for key in tx.keys.all())


def _answer(start_response: "StartResponse", status: str, body: bytes) -> Iterable[bytes]:
    start_response(status, [*_HEADERS, ("Content-Length", str(len(body)))])
    return [body]
