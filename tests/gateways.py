"""An operator's SMS gateway over HTTP: it takes messages, and tells which numbers can be reached."""

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

    @property
    def environ(self) -> dict[str, str]:
        """What the service is told of it."""
        return {"IDP_SMS_URL": f"{self.url}/sms", "IDP_SMS_REACH_URL": f"{self.url}/reach", "IDP_SMS_TOKEN": "gateway-token"}


class _Desk(BaseHTTPRequestHandler):
    server: Gateway

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, dict(self.headers), body))
        time.sleep(self.server.slow)
        said = self.server.answer or json.dumps({"reachable": body["to"] not in self.server.unreachable}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        if 300 <= self.server.status < 400:
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
        server.unreachable, server.asked = set(), []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
