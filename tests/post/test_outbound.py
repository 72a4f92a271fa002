"""Going out to addresses that somebody else chose: nowhere but to public machines, no longer and for no more than is said."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from idp.post import Outbound, Unreachable

HERE = ("127.0.0.0/8", "::1/128")


@dataclass
class Raw:
    """A server that says exactly what it is told to, piece by piece, and notes what it was asked."""

    port: int
    pieces: list[bytes] = field(default_factory=list)
    pause: float = 0.0
    heard: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/place?x=1"

    def says(self, body: bytes, head: str = "200 OK", more: str = "") -> None:
        self.pieces = [f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body]


@contextmanager
def _serving() -> Iterator[Raw]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        raw, over = Raw(listener.getsockname()[1]), threading.Event()

        def serve() -> None:
            while not over.is_set():
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    raw.heard.append(connection.recv(65_536))
                    for piece in raw.pieces:
                        connection.sendall(piece)
                        over.wait(raw.pause)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield raw
        finally:
            over.set()
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", raw.port)).close()
            thread.join()


@pytest.fixture
def raw() -> Iterator[Raw]:
    with _serving() as server:
        yield server


def names(monkeypatch: pytest.MonkeyPatch, *answers: tuple[str, ...]) -> list[str]:
    """Let each look-up of a name give the next of the answers; what was looked up."""
    asked: list[str] = []
    real, given = socket.getaddrinfo, iter(answers)

    def resolve(host: Any, port: Any, *rest: Any, **named: Any) -> Any:
        if str(host).replace(".", "").replace(":", "").isalnum() and not str(host).endswith(".example"):
            return real(host, port, *rest, **named)
        asked.append(str(host))
        return [entry for address in next(given) for entry in real(address, port, type=socket.SOCK_STREAM)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


# Each names this machine or a network behind it, in one of the ways there are to write it.
INSIDE = [
    "127.0.0.1",
    "127.1",
    "0.0.0.0",  # noqa: S104 - an address to be refused
    "0",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "2852039166",
    "100.64.0.1",
    "198.18.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "224.0.0.1",
    "255.255.255.255",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:10.0.0.1]",
    "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[fe80::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::a00:1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[2001:db8::1]",
    "localhost",
    "LOCALHOST",
]


@pytest.mark.parametrize("host", INSIDE)
def test_k11_nothing_inside_is_gone_to(host: str) -> None:
    with pytest.raises(Unreachable):
        Outbound(timeout=0.5).get(f"https://{host}/x")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "https:///x",
        "https://user@example.com/",
        "https://example.com@127.0.0.1/",
        "https://example.com/#fragment",
        "//example.com/",
        "example.com",
        "",
        "https://[::1",
        "https://example.com:99999/",
        "https://10.0.0.1/",
        "https://[::ffff:10.0.0.1]/",
    ],
)
def test_what_the_letters_alone_refuse(url: str) -> None:
    outbound = Outbound()
    assert outbound.refusal(url) is not None
    with pytest.raises(Unreachable):
        outbound.get(url)
    with pytest.raises(Unreachable):
        outbound.post(url, b"", {})


def test_an_address_that_may_be_gone_to() -> None:
    assert Outbound().refusal("https://example.com:8443/jwks?x=1") is None
    assert Outbound(("10.0.0.0/8",)).refusal("http://10.1.2.3/") is None
    assert Outbound(("10.0.0.0/8",)).refusal("http://11.1.2.3/") is not None


def test_plain_http_is_for_networks_alone(monkeypatch: pytest.MonkeyPatch, raw: Raw) -> None:
    raw.says(b"{}")
    assert Outbound(HERE, 1.0).get(raw.url).body == b"{}"
    names(monkeypatch, ("93.184.216.34",))
    with pytest.raises(Unreachable, match="not a public one"):
        Outbound(HERE, 1.0).get("http://public.example/")


def test_what_is_asked_and_answered(raw: Raw) -> None:
    raw.says(b'{"keys": []}', more="Content-Type: application/jwk-set+json; charset=utf-8\r\nSet-Cookie: a=b\r\n")
    outbound = Outbound(HERE, 1.0)
    answer = outbound.get(raw.url, "application/jwk-set+json")
    assert (answer.status, answer.body, answer.kind) == (200, b'{"keys": []}', "application/jwk-set+json")
    head = raw.heard[0].decode()
    assert head.startswith("GET /place?x=1 HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{raw.port}\r\n" in head
    assert "Accept: application/jwk-set+json\r\n" in head
    outbound.get(raw.url)
    assert "cookie" not in raw.heard[1].decode().lower()


def test_a_post_tells_whatever_was_answered(raw: Raw) -> None:
    raw.says(b"no", "400 Bad Request")
    answer = Outbound(HERE, 1.0).post(raw.url, b"token", {"Content-Type": "application/secevent+jwt"})
    assert (answer.status, answer.body) == (400, b"no")
    assert raw.heard[0].startswith(b"POST /place?x=1 ")


@pytest.mark.parametrize(
    "head", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent", "204 Nothing", "500 No"]
)
def test_no_redirect_is_followed_and_only_200_is_an_answer(raw: Raw, head: str) -> None:
    raw.says(b"", head, f"Location: {raw.url}\r\n")
    with pytest.raises(Unreachable, match="the answer was"):
        Outbound(HERE, 1.0).get(raw.url)
    assert len(raw.heard) == 1


def test_an_answer_is_no_longer_than_is_wanted(raw: Raw) -> None:
    outbound = Outbound(HERE, 1.0)
    raw.says(b"x" * 1000)
    assert len(outbound.get(raw.url, most=1000).body) == 1000
    with pytest.raises(Unreachable, match="too long"):
        outbound.get(raw.url, most=999)
    # Without a length, and in pieces that say how long they are.
    raw.pieces = [b"HTTP/1.0 200 OK\r\n\r\n", b"x" * 1000]
    with pytest.raises(Unreachable, match="too long"):
        outbound.get(raw.url, most=999)
    raw.pieces = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"3e8\r\n" + b"x" * 1000 + b"\r\n0\r\n\r\n"]
    assert len(outbound.get(raw.url, most=1000).body) == 1000
    with pytest.raises(Unreachable, match="too long"):
        outbound.get(raw.url, most=999)


@pytest.mark.parametrize(
    "pieces",
    [
        [b""],
        [b"SSH-2.0-OpenSSH_9.6\r\n"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"],
        [b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"],
        [b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n"],
    ],
    ids=range(6),
)
def test_what_is_no_answer(raw: Raw, pieces: list[bytes]) -> None:
    raw.pieces = pieces
    with pytest.raises(Unreachable):
        Outbound(HERE, 1.0).get(raw.url)


@pytest.mark.parametrize(
    "pieces",
    [
        [b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n"] * 50],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", *[b"x"] * 100],
        [b"HTTP/1.1 100 Continue\r\n\r\n"] * 50,
    ],
    ids=["headers", "body", "continue"],
)
def test_k11_a_byte_now_and_then_holds_nobody_up(raw: Raw, pieces: list[bytes]) -> None:
    raw.pieces, raw.pause = pieces, 0.05
    began = time.monotonic()
    with pytest.raises(Unreachable):
        Outbound(HERE, 0.25).get(raw.url)
    assert time.monotonic() - began < 1.0


def test_k11_the_machine_that_was_judged_is_the_one_that_is_asked(monkeypatch: pytest.MonkeyPatch, raw: Raw) -> None:
    """A name that leads elsewhere a moment later leads nowhere: it is asked for once."""
    raw.says(b"{}")
    asked = names(monkeypatch, ("127.0.0.1",), ("10.0.0.1",))
    answer = Outbound(("127.0.0.0/8",), 1.0).get(f"http://rebinding.example:{raw.port}/")
    assert (answer.body, asked) == (b"{}", ["rebinding.example"])
    assert f"Host: rebinding.example:{raw.port}".encode() in raw.heard[0]


@pytest.mark.parametrize(
    "answer", [("93.184.216.34", "127.0.0.1"), ("127.0.0.1", "93.184.216.34"), ("::1",), ("::ffff:10.0.0.1",)]
)
def test_k11_a_name_of_several_machines_is_good_where_each_is(monkeypatch: pytest.MonkeyPatch, answer: tuple[str, ...]) -> None:
    names(monkeypatch, answer)
    with pytest.raises(Unreachable, match="not a public one"):
        Outbound(timeout=0.5).get("https://both.example/")


def test_a_name_that_nobody_has() -> None:
    with pytest.raises(Unreachable, match="not known"):
        Outbound(timeout=0.5).get("https://nobody.invalid/")
    with pytest.raises(Unreachable):
        Outbound(timeout=0.5).get(f"https://{'x' * 70}.example/")


def test_whoever_answers_shows_who_it_is(raw: Raw) -> None:
    raw.pieces = [b"\x15\x03\x01\x00\x02\x02\x28"]
    with pytest.raises(Unreachable, match="SSL"):
        Outbound(HERE, 1.0).get(f"https://127.0.0.1:{raw.port}/")


def test_servers_that_hang_hold_only_so_many(raw: Raw) -> None:
    raw.pieces, raw.pause = [b"HTTP/1.1 200 OK\r\n"], 0.3
    outbound, refused = Outbound(HERE, 0.4), []

    def ask() -> None:
        try:
            outbound.get(raw.url)
        except Unreachable as error:
            refused.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Half of the places are for other hosts, so that one that hangs stops nobody else.
    assert sum("others wait" in one for one in refused) == 5


def test_a_handshake_is_cut_at_the_deadline_too(raw: Raw) -> None:
    """A record of a handshake that never ends, byte by byte, each within the patience for one."""
    raw.pieces, raw.pause = [b"\x16\x03\x03\x40\x00", *[b"\x02"] * 20], 0.1
    began = time.monotonic()
    with pytest.raises(Unreachable):
        Outbound(HERE, 0.3).get(f"https://127.0.0.1:{raw.port}/")
    assert time.monotonic() - began < 1
