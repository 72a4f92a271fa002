"""Relying parties that are told things over HTTP: each path is a receiver of its own."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from idp.flows.courier import Carried, Courier
from idp.model import Client
from idp.post import Outbound
from tests.oauth.provider import Provider

LOOPBACK = ("127.0.0.0/8",)


class Got(NamedTuple):
    """What a receiver was sent."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def token(self) -> str:
        """The token, however it came."""
        if self.headers["Content-Type"] == "application/x-www-form-urlencoded":
            ((name, (token,)),) = parse_qs(self.body.decode()).items()
            assert name == "logout_token"
            return token
        assert self.headers["Content-Type"] == "application/secevent+jwt"
        return self.body.decode()


class Receivers(ThreadingHTTPServer):
    """``answers`` says what a path answers, 200 for logout tokens and 202 for events otherwise; ``before`` is run before."""

    daemon_threads = True
    # Whoever comes meanwhile waits, and is not turned away.
    request_queue_size = 128
    answers: dict[str, tuple[int, bytes]]
    before: Callable[[Got], None]
    got: list[Got]

    @property
    def url(self) -> str:
        """Where they are."""
        return f"http://127.0.0.1:{self.server_port}"

    def at(self, path: str) -> list[Got]:
        """What one of them was sent."""
        return [one for one in self.got if one.path == path]


class _Desk(BaseHTTPRequestHandler):
    server: Receivers

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        got = Got(self.path, dict(self.headers), body)
        self.server.got.append(got)
        self.server.before(got)
        usual = 202 if self.headers["Content-Type"] == "application/secevent+jwt" else 200
        status, answer = self.server.answers.get(self.path, (usual, b""))
        # Whoever asked may be gone.
        with suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def receiving() -> Iterator[Receivers]:
    """Receivers on a port of their own."""
    with Receivers(("127.0.0.1", 0), _Desk) as server:
        server.answers, server.got, server.before = {}, [], lambda _: None
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True)
class Told:
    """A provider and the receivers it tells."""

    provider: Provider
    receivers: Receivers

    @classmethod
    def made(cls, provider: Provider, receivers: Receivers, *changed: Client) -> "Told":
        """The provider, which may go to the receivers, with some clients changed."""
        clients = {**provider.world.clients, **{client.id: client for client in changed}}
        provider.start(clients=clients, outbound=Outbound(LOOPBACK, 5.0))
        return cls(provider, receivers)

    def client(self, name: str, path: str, **changes: Any) -> None:
        """Let a client be told of logouts at a path."""
        known = self.provider.world.clients[name]
        changed = replace(known, backchannel_logout_uri=self.receivers.url + path, **changes)
        held = self.provider.door.held
        self.provider.start(clients={**self.provider.world.clients, name: changed})
        self.provider.door.held = held

    def deliver(self) -> list[Carried]:
        """Carry everything that is due."""
        courier = Courier(self.provider.world, self.provider.ring)
        try:
            return list(courier.empty())
        finally:
            assert courier.close() == []

    def read(self, got: Got, audience: str) -> dict[str, Any]:
        """What a token says, verified by another library."""
        return self.provider.read(got.token, audience)
