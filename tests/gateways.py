"""An operator's machines over HTTP: a gateway that takes messages and tells which numbers can be reached; customer records."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Gateway(ThreadingHTTPServer):
    """``unreachable`` are the numbers it denies; ``answer`` replaces what it says, ``status`` and ``slow`` how."""

    daemon_threads = False
    status = 200
    slow = 0.0
    answer: bytes | None = None
    unreachable: set[str]
    asked: list[tuple[str, dict[str, str], dict[str, Any]]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def say(self, body: dict[str, Any]) -> tuple[int, bytes]:
        """Status and body of an answer."""
        return self.status, self.answer or json.dumps({"reachable": body["to"] not in self.unreachable}).encode()

    @property
    def environ(self) -> dict[str, str]:
        """What the service is told of it."""
        return {"IDP_SMS_URL": f"{self.url}/sms", "IDP_SMS_REACH_URL": f"{self.url}/reach", "IDP_SMS_TOKEN": "gateway-token"}


class Registry(Gateway):
    """Keeps customer records, each found by its account number or customer code as they are compared."""

    records: list[dict[str, Any]]

    def say(self, body: dict[str, Any]) -> tuple[int, bytes]:
        """The record that has the reference, or 404."""
        if self.answer is not None or self.status != 200:
            return self.status, self.answer or b"{}"
        found = [one for one in self.records if all(one.get(name) == key for name, key in body.items())]
        return (200, json.dumps(found[0]).encode()) if found else (404, b'{"error": "nobody"}')

    @property
    def environ(self) -> dict[str, str]:
        """What the service is told of it."""
        return {"IDP_CUSTOMERS_URL": f"{self.url}/find", "IDP_CUSTOMERS_TOKEN": "records-token", "IDP_CUSTOMERS_TIMEOUT": "1s"}


class _Desk(BaseHTTPRequestHandler):
    server: Gateway

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, dict(self.headers), body))
        time.sleep(self.server.slow)
        status, said = self.server.say(body)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        if 300 <= status < 400:
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        # Who asked may have gone.
        with suppress(ConnectionError):
            self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def open_gateway() -> Iterator[Gateway]:
    """A gateway on a free port."""
    with Gateway(("127.0.0.1", 0), _Desk) as server:
        server.unreachable = set()
        with _running(server):
            yield server


@contextmanager
def open_registry(*records: dict[str, Any]) -> Iterator[Registry]:
    """Customer records on a free port."""
    with Registry(("127.0.0.1", 0), _Desk) as server:
        server.records = list(records)
        with _running(server):
            yield server


@contextmanager
def _running(server: Gateway) -> Iterator[None]:
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
