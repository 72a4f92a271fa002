"""A client's web server on this machine, where a document lies to be fetched."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Stand(ThreadingHTTPServer):
    """Gives ``body`` to whoever asks, or fails in one of the ways servers do: "large", "redirect", "missing", "silent"."""

    body = b""
    fault = ""
    asked: list[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Keeper(BaseHTTPRequestHandler):
    server: Stand

    def do_GET(self) -> None:
        stand = self.server
        stand.asked.append(self.path)
        body = stand.body + b" " * 10_000_000 if stand.fault == "large" else stand.body
        if stand.fault == "silent":
            time.sleep(0.5)
        self.send_response({"redirect": 302, "missing": 404}.get(stand.fault, 200))
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        # Who asked may have gone.
        with suppress(ConnectionError):
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def standing() -> Iterator[Stand]:
    """A stand on a free port."""
    with Stand(("127.0.0.1", 0), _Keeper) as stand:
        stand.asked = []
        thread = threading.Thread(target=stand.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield stand
        finally:
            stand.shutdown()
            thread.join()
