"""Small programs to copy from: a relying party, two resource servers, and the demo's inbox.

Each package has `create_app(...)` for any WSGI server, `server(port, ...)` for a thread of a larger process, and runs
by itself as `python -m examples.<name>`. What they share is here: settings from the environment, and a plain HTTP server.
"""

import os
import signal
import threading
from types import FrameType
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

DEMO = {
    "IDP_ISSUER": "http://localhost:8080",
    "PORTAL_URL": "http://localhost:8081",
    "PORTAL_CLIENT_ID": "portal",
    "PORTAL_CLIENT_SECRET": "demo-portal-secret-not-for-production",
    "BILLING_URL": "http://localhost:8082",
    "BILLING_CLIENT_ID": "billing",
    "BILLING_CLIENT_SECRET": "demo-billing-secret-not-for-production",
    "SERVICE_URL": "http://localhost:8083",
    "INBOX_URL": "http://localhost:8084",
    "INBOX_SMTP_PORT": "8085",
}


def setting(name: str) -> str:
    """The environment's value of one of the settings above, or the demo's."""
    return os.environ.get(name) or DEMO[name]


def port_of(url: str) -> int:
    """The port a program must listen on to be reached at `url`."""
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


class QuietHandler(WSGIRequestHandler):
    """Logs no request line: the callback's carries an authorization code (RFC 9700, section 4.2)."""

    server_version = "example"
    sys_version = ""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


def listen(app: Flask, port: int) -> BaseWSGIServer:
    """A threaded server bound to the loopback address: `.serve_forever()` in a thread, `.shutdown()` from another."""
    return make_server("127.0.0.1", port, app, threaded=True, request_handler=QuietHandler)


def run(server: BaseWSGIServer) -> None:
    """Serve until SIGTERM or SIGINT, then finish cleanly. Only for a process's main thread."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        # shutdown() waits for serve_forever(), which this handler has interrupted: so another thread must call it.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    server.serve_forever()
