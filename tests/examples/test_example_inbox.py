"""The demo's inbox, by a real SMTP conversation and real HTTP."""

import smtplib
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.message import EmailMessage

import httpx
import pytest
from werkzeug.serving import BaseWSGIServer

from examples import inbox
from idp.model import Letter
from idp.post import Rendered, SmsGateway


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def smtp_port() -> int:
    return free_port()


@pytest.fixture
def web(start: Callable[[BaseWSGIServer], str], smtp_port: int) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=start(inbox.server(0, smtp_port))) as client:
        yield client


def letter(html: bool = True) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Norda <id@norda.example>", "anna@example.net", "Benvenuta: è l'invito"
    mail.set_content("Open https://id.example/invite/abc?x=1&y=2. Until <Friday>.\n")
    if html:
        mail.add_alternative('<h1>Welcome</h1><a href="https://id.example/">Open</a><script>alert(1)</script>', subtype="html")
    return mail


def test_a_mail_arrives_and_is_shown(web: httpx.Client, smtp_port: int) -> None:
    with smtplib.SMTP("127.0.0.1", smtp_port) as smtp:
        smtp.send_message(letter())
        smtp.send_message(letter(html=False))
    last, first = web.get("/messages").json()
    assert (first["kind"], first["to"], first["subject"]) == ("mail", "anna@example.net", "Benvenuta: è l'invito")
    assert "https://id.example/invite/abc" in first["text"]
    assert "<h1>Welcome</h1>" in first["html"]
    assert last["html"] == ""
    listing = web.get("/").text
    assert "Look for new ones" in listing
    assert "Benvenuta: è l&#39;invito" in listing
    designed = web.get(f"/m/{first['id']}").text
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in designed
    assert "<script>" not in designed
    plain = web.get(f"/m/{last['id']}").text
    assert '<a href="https://id.example/invite/abc?x=1&amp;y=2" target="_blank" rel="noopener noreferrer">' in plain
    assert "&lt;Friday&gt;" in plain


def test_an_sms_is_accepted_and_listed_newest_first(web: httpx.Client, smtp_port: int) -> None:
    with smtplib.SMTP("127.0.0.1", smtp_port) as smtp:
        smtp.send_message(letter())
    answer = web.post("/sms", json={"to": "+44 7700 900123", "text": "Your code is 123456"})
    assert answer.status_code == 202
    newest = web.get("/messages").json()[0]
    assert (str(newest["id"]), newest["text"]) == (answer.json()["id"], "Your code is 123456")
    assert "Your code is 123456" in web.get(f"/m/{newest['id']}").text
    assert web.delete("/messages").status_code == 204
    assert web.get("/messages").json() == []


@pytest.mark.parametrize(
    "body", [{}, [], {"to": "+44"}, {"to": "x" * 10, "text": "a"}, {"to": "+447700900123", "text": ""}, {"to": 7, "text": "a"}]
)
def test_a_malformed_sms_is_refused(web: httpx.Client, body: object) -> None:
    assert web.post("/sms", json=body).status_code == 400


def test_some_numbers_cannot_be_reached(web: httpx.Client) -> None:
    assert web.post("/reach", json={"to": "+447700900123"}).json() == {"reachable": True}
    assert web.post("/reach", json={"to": "+44 7700 90 0000"}).json() == {"reachable": False}
    assert web.post("/reach", json={"to": "ada"}).status_code == 400
    assert web.post("/reach", json={}).status_code == 400
    assert "end in 0000" in web.get("/").text


def test_the_product_is_understood(web: httpx.Client) -> None:
    gateway = SmsGateway(f"{web.base_url}/sms", reach_url=f"{web.base_url}/reach")
    now = datetime(2026, 11, 22, tzinfo=UTC)
    gateway.deliver(Letter("a", "sms", "+447700900123", "recovery_code", "en", {}, now), Rendered("", "Norda: è 493027"), now)
    assert web.get("/messages").json()[0]["text"] == "Norda: è 493027"
    assert gateway.reach("+447700900123") is True
    assert gateway.reach("+447700900000") is False


def test_a_form_and_a_foreign_host_name_are_refused(web: httpx.Client) -> None:
    assert web.post("/sms", data={"to": "+447700900123", "text": "a"}).status_code == 415
    assert web.get("/messages", headers={"Host": "rebound.example"}).status_code == 400
    assert web.get("/m/77").status_code == 404
    assert web.get("/healthz").json() == {"status": "ok"}


def test_closing_frees_the_smtp_port(start: Callable[[BaseWSGIServer], str]) -> None:
    port = free_port()
    server = inbox.server(0, port)
    server.server_close()
    with pytest.raises(ConnectionRefusedError), smtplib.SMTP("127.0.0.1", port):
        pass
