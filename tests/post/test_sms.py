import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from idp.model import Letter
from idp.post import Permanent, Rendered, SmsGateway, Temporary

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TEXT = Rendered("", "Your access: https://id.example/")


class Gateway(ThreadingHTTPServer):
    status = 202
    location = ""
    got: list[tuple[str, dict[str, str], dict[str, str]]]


class Handler(BaseHTTPRequestHandler):
    server: Gateway

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.got.append((self.path, dict(self.headers), body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway(("127.0.0.1", 0), Handler) as server:
        server.got = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def letter(to: str = "+447700900123") -> Letter:
    return Letter("abc", "sms", to, "invitation", "en", {}, NOW)


def sms(gateway: Gateway) -> SmsGateway:
    return SmsGateway(f"http://127.0.0.1:{gateway.server_port}/sms", "Norda", "secret", timeout=2)


def test_a_message_is_posted(gateway: Gateway) -> None:
    sms(gateway).deliver(letter(), TEXT, NOW)
    path, headers, body = gateway.got[0]
    assert (path, body) == ("/sms", {"to": "+447700900123", "text": TEXT.text, "from": "Norda"})
    assert headers["Authorization"] == "Bearer secret"
    assert headers["Idempotency-Key"] == "abc"


@pytest.mark.parametrize("status", [401, 403, 408, 429, 500, 503])
def test_what_may_pass_is_temporary(gateway: Gateway, status: int) -> None:
    gateway.status = status
    with pytest.raises(Temporary, match=str(status)):
        sms(gateway).deliver(letter(), TEXT, NOW)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_is_refused_is_permanent(gateway: Gateway, status: int) -> None:
    gateway.status = status
    with pytest.raises(Permanent, match=str(status)):
        sms(gateway).deliver(letter(), TEXT, NOW)


def test_a_redirect_is_not_followed(gateway: Gateway) -> None:
    gateway.status, gateway.location = 307, "/elsewhere"
    with pytest.raises(Temporary):
        sms(gateway).deliver(letter(), TEXT, NOW)
    assert len(gateway.got) == 1


def test_a_gateway_that_is_down() -> None:
    with pytest.raises(Temporary):
        SmsGateway("http://127.0.0.1:1/", timeout=1).deliver(letter(), TEXT, NOW)


@pytest.mark.parametrize("to", ["", "ada", "+44 7700", "+4477009001234567", "٠٧٧٠٠٩٠٠", "+44\r\n77009"])
def test_only_numbers(gateway: Gateway, to: str) -> None:
    with pytest.raises(Permanent):
        sms(gateway).deliver(letter(to), TEXT, NOW)
    assert gateway.got == []


def test_only_web_addresses() -> None:
    with pytest.raises(ValueError, match="http"):
        SmsGateway("file:///etc/passwd")
