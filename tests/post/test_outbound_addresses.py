"""Going out to a name that has several addresses: the first that answers, in the time of one."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from idp.post import Outbound, Unreachable


@pytest.fixture
def port() -> Iterator[int]:
    """A server that says yes once, at one of the machine's addresses."""
    with socket.create_server(("127.0.0.2", 0)) as listening:

        def serve() -> None:
            with listening.accept()[0] as caller:
                caller.recv(4096)
                caller.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


def named(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let a name have these addresses, as a resolver would say it."""
    real = socket.getaddrinfo
    several = [one for address in addresses for one in real(address, 0, type=socket.SOCK_STREAM)]

    def resolve(host: str, port: int, *how: Any, **more: Any) -> Any:
        return several if host == "several.example" else real(host, port, *how, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def test_the_first_address_that_answers(port: int, monkeypatch: pytest.MonkeyPatch):
    outbound = Outbound(("127.0.0.0/8",))
    named(monkeypatch, "127.0.0.3", "127.0.0.2")
    assert outbound.get(f"http://several.example:{port}/").body == b"yes"


def test_none_that_answers(monkeypatch: pytest.MonkeyPatch):
    named(monkeypatch, "127.0.0.3", "127.0.0.4")
    with pytest.raises(Unreachable, match="ConnectionRefusedError"):
        Outbound(("127.0.0.0/8",)).get("http://several.example:9/")


def test_all_of_them_must_be_allowed(monkeypatch: pytest.MonkeyPatch):
    named(monkeypatch, "127.0.0.2", "10.0.0.1")
    with pytest.raises(Unreachable, match="not a public one"):
        Outbound(("127.0.0.0/8",)).get("http://several.example:9/")
