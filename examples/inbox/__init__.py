"""The demo's inbox: an SMTP server and an HTTP SMS gateway that deliver to one web page. Never for production.

Everything is kept in memory, the newest 500 messages. It binds the loopback address and answers to no foreign host
name, since what it shows (links, codes) opens accounts.
"""

import re
import threading
from collections import deque
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from flask import Flask, Response, abort, jsonify, render_template, request
from markupsafe import Markup, escape
from werkzeug.serving import ThreadedWSGIServer

from examples import QuietHandler, setting

LARGEST = 1_000_000
TELEPHONE = re.compile(r"\+?[0-9 ]{3,20}")
# What the gateway says no to when it is asked whether a number can be reached, so that this can be seen as well.
UNREACHABLE = "0000"
SMS_TEXT = re.compile(r".{1,1600}", re.DOTALL)
LINK = re.compile(r"https?://[^\s<>\"]*[^\s<>\".,;:!?)\]]")


@dataclass(frozen=True)
class Message:
    """One mail or SMS as received."""

    id: int
    kind: str
    to: str
    subject: str
    text: str
    html: str = ""
    sender: str = ""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


class Mailbox:
    """Every message received; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages: deque[Message] = deque(maxlen=500)
        self._last = 0

    def add(self, **content: str) -> Message:
        """Keep one more message, under the next id."""
        with self._lock:
            self._last += 1
            message = Message(id=self._last, **content)  # type: ignore[arg-type]
            self._messages.appendleft(message)
        return message

    def all(self) -> list[Message]:
        """All messages, newest first."""
        with self._lock:
            return list(self._messages)

    def clear(self) -> None:
        """Forget all messages."""
        with self._lock:
            self._messages.clear()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take one mail from aiosmtpd, which calls this by its name."""
        mail = message_from_bytes(envelope.content or b"", EmailMessage, policy=policy.default)  # type: ignore[arg-type]
        self.add(
            kind="mail",
            to=", ".join(envelope.rcpt_tos),
            sender=str(mail["from"] or envelope.mail_from or ""),
            subject=str(mail["subject"] or ""),
            text=_part(mail, "plain"),
            html=_part(mail, "html"),
        )
        return "250 OK"


def _part(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body(preferencelist=(kind,))
    return str(part.get_content()) if part else ""


def linked(text: str) -> Markup:
    """The text, escaped, with its web addresses as links that open in a new tab."""
    out, end = Markup(), 0
    for link in LINK.finditer(text):
        out += escape(text[end : link.start()])
        out += Markup('<a href="{0}" target="_blank" rel="noopener noreferrer">{0}</a>').format(link.group())
        end = link.end()
    return out + escape(text[end:])


def create_app(mailbox: Mailbox | None = None) -> Flask:
    """The pages and the SMS gateway over a mailbox."""
    app = Flask(__name__)
    app.config.update(MAX_CONTENT_LENGTH=LARGEST, TRUSTED_HOSTS=["localhost", "127.0.0.1"])
    app.jinja_env.filters["linked"] = linked
    app.extensions["mailbox"] = box = mailbox or Mailbox()
    app.after_request(_headers)

    @app.get("/")
    def listing() -> str:
        return render_template("inbox.html", messages=box.all(), open=None)

    @app.get("/m/<int:number>")
    def reading(number: int) -> str:
        messages = box.all()
        chosen = next((message for message in messages if message.id == number), None) or abort(404)
        return render_template("inbox.html", messages=messages, open=chosen, as_text=request.args.get("view") == "text")

    @app.get("/messages")
    def messages() -> Response:
        return jsonify([asdict(message) | {"at": message.at.isoformat()} for message in box.all()])

    @app.delete("/messages")
    def clear() -> tuple[str, int]:
        box.clear()
        return "", 204

    _gateway(app, box)

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return app


def _gateway(app: Flask, box: Mailbox) -> None:
    """What the product's SMS adapter talks to: one address takes messages, one says whether a number can be reached."""

    @app.post("/sms")
    def sms() -> tuple[dict[str, Any], int]:
        match request.get_json():
            case {"to": str(to), "text": str(text)} if TELEPHONE.fullmatch(to) and SMS_TEXT.fullmatch(text):
                return {"id": str(box.add(kind="sms", to=to, subject="", text=text).id)}, 202
        return {"error": 'send {"to": a telephone number, "text": 1 to 1600 characters}'}, 400

    @app.post("/reach")
    def reach() -> tuple[dict[str, Any], int]:
        match request.get_json():
            case {"to": str(to)} if TELEPHONE.fullmatch(to):
                return {"reachable": not to.replace(" ", "").endswith(UNREACHABLE)}, 200
        return {"error": 'send {"to": a telephone number}'}, 400


def _headers(response: Response) -> Response:
    # A mail's frame inherits this policy: it may style itself and show embedded images, and run or fetch nothing.
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-src 'self'; "
        "base-uri 'self' about:; form-action 'none'; frame-ancestors 'none'"
    )
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response


class InboxServer(ThreadedWSGIServer):
    """The web server together with its SMTP server: both listen from construction until the web server closes."""

    def __init__(self, port: int, smtp_port: int, mailbox: Mailbox) -> None:
        super().__init__("127.0.0.1", port, create_app(mailbox), handler=QuietHandler)
        self.smtp: Controller | None = Controller(mailbox, hostname="127.0.0.1", port=smtp_port, data_size_limit=LARGEST)
        self.smtp.start()

    def server_close(self) -> None:
        """Stop both; werkzeug closes once more when it has served."""
        smtp, self.smtp = self.smtp, None
        if smtp is not None:
            smtp.stop()
        super().server_close()


def server(port: int, smtp_port: int | None = None, mailbox: Mailbox | None = None) -> InboxServer:
    """The inbox on two loopback ports."""
    return InboxServer(port, smtp_port or int(setting("INBOX_SMTP_PORT")), mailbox or Mailbox())
