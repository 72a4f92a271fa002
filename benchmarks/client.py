"""A small HTTP client that costs little beside the server: one connection, kept alive, cookies by hand."""

import base64
import hashlib
import json
import re
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

_HIDDEN = re.compile(rb'<input type="hidden" name="([^"]*)" value="([^"]*)"')
REDIRECT = "http://localhost:8081/callback"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers of interest and body."""

    status: int
    location: str
    body: bytes
    nonce: str = ""

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(slots=True)
class Client:
    """One connection."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    _socket: socket.socket | None = None

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """GET."""
        return self.send(self.request("GET", path, headers or {}, b""))

    def post(self, path: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        """POST a form."""
        return self.send(self.request("POST", path, headers or {}, urlencode(form).encode()))

    def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
        """The bytes of a request, to be sent as often as wanted."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: localhost:{self.port}"]
        if body:
            lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
        if self.cookies:
            lines.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def send(self, request: bytes) -> Answer:
        """Send and read one answer."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self.port))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._received()
        head = data[:end].decode("latin-1").split("\r\n")
        length, location, nonce = 0, "", ""
        for line in head[1:]:
            name, _, value = line.partition(": ")
            match name.lower():
                case "content-length":
                    length = int(value)
                case "location":
                    location = value
                case "dpop-nonce":
                    nonce = value
                case "set-cookie":
                    key, _, rest = value.partition("=")
                    self.cookies[key] = rest.partition(";")[0]
        while len(data) < end + 4 + length:
            data += self._received()
        return Answer(int(head[0].split(" ")[1]), location, data[end + 4 :], nonce)

    def _received(self) -> bytes:
        assert self._socket is not None
        chunk = self._socket.recv(65536)
        if not chunk:
            raise ConnectionError("the server closed the connection")
        return chunk


def basic(client_id: str, secret: str) -> dict[str, str]:
    """The header of client_secret_basic."""
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


def sign_in(client: Client, who: tuple[str, str, str], portal: Mapping[str, str], resource: str | None) -> dict[str, Any]:
    """A whole sign-in as a browser and its portal do it: password, PIN, code, tokens. Seven requests."""
    username, password, pin = who
    client.cookies.clear()
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    wanted = {"resource": resource} if resource else {}
    scope = "openid profile email" + (" billing:read" if resource else "")
    asked = {
        "response_type": "code",
        "client_id": "portal",
        "redirect_uri": REDIRECT,
        "state": "s",
        "nonce": "n",
        "scope": scope,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        **wanted,
    }
    page = client.get("/authorize?" + urlencode(asked)).location
    page = _answer(client, page, username=username, password=password)
    after = _answer(client, page, pin=pin)
    back = client.get(after).location
    code = parse_qs(urlsplit(back).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "code_verifier": verifier, **wanted}
    answer = client.post("/token", form, portal)
    assert answer.status == 200, answer
    tokens: dict[str, Any] = answer.json()
    return tokens


def _answer(client: Client, page: str, **fields: str) -> str:
    shown = client.get(page)
    hidden = {unescape(name.decode()): unescape(value.decode()) for name, value in _HIDDEN.findall(shown.body)}
    answered = client.post(page, {**hidden, **fields})
    assert answered.status == 303, answered
    return answered.location
