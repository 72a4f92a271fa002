"""How a request's body comes in: whole, bounded, and within a time, so that slow senders hold no thread for long.

The server runs the application as soon as the headers are there and reading the body blocks the thread. So each reading is
noted, and one that takes too long is ended by closing its connection: the read then returns short.
"""

import contextlib
import itertools
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_TICK: Final = 0.25
# Linux, struct tcp_info: tcpi_last_data_sent, in milliseconds, is the tenth 32-bit field after eight bytes.
_LAST_DATA_SENT: Final = 8 + 9 * 4


class Intake:
    """Reads bodies of at most ``max_body`` bytes.

    A body may take ``patience`` seconds to arrive, or ``crowded_patience`` while more than half of ``room`` bodies are on
    their way at once; a body beyond ``room`` is refused unread.
    """

    def __init__(
        self,
        max_body: int,
        *,
        room: int = 64,
        patience: float = 10.0,
        crowded_patience: float = 1.0,
        evict: "Callable[[Mapping[str, float]], int] | None" = None,
    ) -> None:
        self._max_body = max_body
        self._room = room
        self._patience, self._crowded_patience = patience, crowded_patience
        self._evict = evict
        self._reading: dict[int, tuple[str, float]] = {}
        self._numbers = itertools.count()
        self._watch: threading.Thread | None = None
        self._lock = threading.Lock()

    def receive(self, environ: "WSGIEnvironment") -> HTTPStatus | None:
        """Put the whole body in the place of the stream, or say with which status the request is refused."""
        length = environ.get("CONTENT_LENGTH")
        if not length and "HTTP_TRANSFER_ENCODING" not in environ:
            return None
        expected = int(length) if length and length.isdecimal() else None
        if expected is not None and expected > self._max_body:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        if len(self._reading) >= self._room:
            return HTTPStatus.SERVICE_UNAVAILABLE
        body = self._read(environ, self._max_body + 1 if expected is None else expected)
        if len(body) > self._max_body:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        if expected is not None and len(body) != expected:
            return HTTPStatus.BAD_REQUEST
        environ["wsgi.input"] = BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        return None

    def _read(self, environ: "WSGIEnvironment", size: int) -> bytes:
        if self._watch is None:
            self._begin_watch()
        original = environ.get("werkzeug.proxy_fix.orig") or environ
        number = next(self._numbers)
        self._reading[number] = (str(original.get("REMOTE_ADDR", "")), time.monotonic())
        try:
            return bytes(environ["wsgi.input"].read(size))
        finally:
            del self._reading[number]

    def _begin_watch(self) -> None:
        """Begin to watch at the first body: a thread begun earlier would not survive the server's fork."""
        with self._lock:
            if self._watch is None and self._evict is not None:
                self._watch = threading.Thread(target=self._look_for_slow, name="intake", daemon=True)
                self._watch.start()

    def _look_for_slow(self) -> None:
        while True:
            time.sleep(_TICK)
            slow = self.slow(time.monotonic()) if self._reading else {}
            if slow and self._evict is not None:
                self._evict(slow)

    def slow(self, now: float) -> dict[str, float]:
        """Peers whose bodies take too long, each with the age in seconds of its youngest such reading."""
        # A copy in one step: other threads come and go meanwhile.
        reading = list(self._reading.values())
        patience = self._crowded_patience if len(reading) > self._room // 2 else self._patience
        late: dict[str, float] = {}
        for peer, began in reading:
            age = now - began
            if age >= patience:
                late[peer] = min(age, late.get(peer, age))
        return late


def close_idle(peers: Mapping[str, float]) -> int:
    """Close this process's connections from ``peers`` that were sent nothing for the seconds given; returns how many.

    Those whose body is stuck are among them, since a request without its body was not answered yet. The others are idle
    between two requests, which may be closed at any time (RFC 9112 9.5).
    """
    if not hasattr(socket, "TCP_INFO"):
        return 0
    closed = 0
    for entry in Path("/proc/self/fd").iterdir():
        # A descriptor may be closed by the server at any step: what was closed needs no closing.
        with contextlib.suppress(OSError):
            if entry.readlink().name.startswith("socket:"):
                closed += _close_if_idle(os.dup(int(entry.name)), peers)
    return closed


def _close_if_idle(descriptor: int, peers: Mapping[str, float]) -> bool:
    """Shut the connection down through a duplicate of its descriptor, which cannot come to mean another one meanwhile."""
    with socket.socket(fileno=descriptor) as held:
        if held.family not in {socket.AF_INET, socket.AF_INET6}:
            return False
        limit = peers.get(str(held.getpeername()[0]).removeprefix("::ffff:"))
        if limit is None:
            return False
        (silent,) = struct.unpack_from("=I", held.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), _LAST_DATA_SENT)
        if silent / 1000 < limit:
            return False
        held.shutdown(socket.SHUT_RDWR)
        return True
