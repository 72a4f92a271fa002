"""Going out to an address that somebody else chose: only where it may, to the machine that was judged, and no further."""

import http.client
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import SplitResult, urlsplit

MOST_BYTES: Final = 65_536
_PIECE: Final = 8192
# Whoever asks us to fetch something holds a thread meanwhile: of servers that hang, only so many do, and of one no more than
# leaves room for others.
_AT_ONCE: Final = 4
_AT_ONE: Final = 2
# Addresses that stand for IPv4 ones behind a translator: what they lead to is not seen from here.
_TRANSLATED: Final = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))


class Unreachable(Exception):  # noqa: N818 - what is the matter
    """Nothing was learnt: the address is not allowed, or nobody answered as they should."""


class Crowded(Unreachable):
    """Nobody was asked: so many others wait for an answer already."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered: the status and the whole body."""

    status: int
    body: bytes = field(repr=False)
    kind: str = ""


class Outbound:
    """Asks and tells servers at addresses that clients gave.

    The name is resolved once, every address it has must be public or in ``networks``, and the connection goes to the address
    that was judged: a name cannot lead elsewhere a moment later. Plain http is for ``networks`` alone. No redirect is
    followed, no proxy asked, no cookie kept; the whole takes no longer than ``timeout`` seconds once the name is resolved.
    """

    def __init__(self, networks: Iterable[str] = (), timeout: float = 5.0) -> None:
        self._networks: tuple[IPv4Network | IPv6Network, ...] = tuple(ip_network(one) for one in networks)
        self._timeout = timeout
        self._seated: Counter[str] = Counter()
        self._door = threading.Lock()
        self._trust: ssl.SSLContext | None = None

    def get(self, url: str, accept: str = "application/json", most: int = MOST_BYTES) -> Answer:
        """What lies at ``url``: a 200 of at most ``most`` bytes; raises ``Unreachable`` for anything else."""
        with self._seat(url):
            answer = self._ask("GET", url, None, {"Accept": accept}, most)
        if answer.status != http.HTTPStatus.OK:
            raise Unreachable(f"the answer was {answer.status}")
        return answer

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """What a server answers to ``body``, whatever it is; raises ``Unreachable`` where it answers nothing."""
        return self._ask("POST", url, body, headers, MOST_BYTES)

    def refusal(self, url: str) -> str | None:
        """Why ``url`` may not be gone to, as far as its letters say; its name is resolved when it is used."""
        try:
            self._place(urlsplit(url))
        except (Unreachable, ValueError) as error:
            return str(error)
        return None

    @contextmanager
    def _seat(self, url: str) -> Iterator[None]:
        """One of the few places from which a server is waited for."""
        where = url.partition("://")[2].partition("/")[0]
        with self._door:
            if self._seated.total() >= _AT_ONCE or self._seated[where] >= _AT_ONE:
                raise Crowded("others wait for an answer already")
            self._seated[where] += 1
        try:
            yield
        finally:
            with self._door:
                self._seated[where] -= 1
                self._seated += Counter()

    def _ask(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], most: int) -> Answer:
        try:
            parts = urlsplit(url)
            host, port = self._place(parts)
            addresses = self._resolved(host, port, plain=parts.scheme == "http")
        except ValueError as error:
            raise Unreachable("the address can't be parsed") from error
        trust = None if parts.scheme == "http" else self._trusted()
        connection = _Judged(host, port, addresses, self._timeout, trust)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            with _deadline(connection, self._timeout):
                connection.request(method, path, body, {"User-Agent": "idp", "Connection": "close", **headers})
                answer = connection.getresponse()
                told = Answer(answer.status, _read(answer, most), answer.headers.get_content_type())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unreachable(f"no answer: {type(error).__name__}") from error
        finally:
            connection.close()
        # The library takes headers that were cut for an answer without a body.
        if connection.over.is_set():
            raise Unreachable("no answer in time")
        return told

    def _place(self, parts: SplitResult) -> tuple[str, int]:
        """Host and port of an address that may be gone to, as far as its letters say."""
        if parts.scheme not in {"https", "http"} or not parts.hostname or "@" in parts.netloc or parts.fragment:
            raise Unreachable("the address is not one of a web server")
        if parts.scheme == "http" and not self._networks:
            raise Unreachable("plain http can be read and changed on its way")
        try:
            literal = ip_address(parts.hostname)
        except ValueError:
            literal = None
        if literal is not None and not self._allowed(literal, plain=parts.scheme == "http"):
            raise Unreachable("the address is not a public one")
        return parts.hostname, parts.port or (80 if parts.scheme == "http" else 443)

    def _resolved(self, host: str, port: int, *, plain: bool) -> list[str]:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise Unreachable("the name is not known") from error
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        if not addresses or not all(self._allowed(ip_address(one), plain=plain) for one in addresses):
            raise Unreachable("the name leads to an address that is not a public one")
        return addresses

    def _allowed(self, address: IPv4Address | IPv6Address, *, plain: bool) -> bool:
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            return self._allowed(address.ipv4_mapped, plain=plain)
        if any(address in network for network in self._networks):
            return True
        if isinstance(address, IPv6Address) and (
            address.sixtofour or address.teredo or any(address in network for network in _TRANSLATED)
        ):
            return False
        # Reserved are also the old ways of writing an IPv4 address as one of IPv6, which count as global.
        return not plain and address.is_global and not (address.is_multicast or address.is_reserved)

    def _trusted(self) -> ssl.SSLContext:
        """The system's authorities, read when they are first needed."""
        if self._trust is None:
            self._trust = ssl.create_default_context()
        return self._trust


class _Judged(http.client.HTTPConnection):
    """A connection to an address that was judged, the first that answers, in the name of the host that was asked for."""

    def __init__(self, host: str, port: int, addresses: list[str], timeout: float, trust: ssl.SSLContext | None) -> None:
        super().__init__(host, port, timeout=timeout)
        self._addresses, self._patience, self._trust = addresses, timeout, trust
        # The library lets go of its own while the answer is still read.
        self.held: socket.socket | None = None
        self.over = threading.Event()
        self.default_port = 80 if trust is None else 443

    def connect(self) -> None:
        """Connect, and make sure of who answers."""
        self.held = self.sock = self._reached()
        if self._trust is not None:
            # The handshake comes afterwards, when there is something to be cut off.
            sealed = self._trust.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.held = self.sock = sealed
            sealed.do_handshake()
        if self.over.is_set():
            raise TimeoutError

    def _reached(self) -> socket.socket:
        """All of them have the time of one."""
        until, failed = time.monotonic() + self._patience, OSError("no address")
        for address in self._addresses:
            left = until - time.monotonic()
            if left <= 0:
                break
            try:
                return socket.create_connection((address, self.port), left)
            except OSError as error:
                failed = error
        raise failed


@contextmanager
def _deadline(connection: _Judged, seconds: float) -> Iterator[None]:
    """A socket's timeout begins anew with each byte; this one does not."""

    def cut() -> None:
        connection.over.set()
        if connection.held is not None:
            with suppress(OSError):
                connection.held.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _read(answer: http.client.HTTPResponse, most: int) -> bytes:
    body = b""
    while piece := answer.read1(_PIECE):
        body += piece
        if len(body) > most:
            raise Unreachable("the answer is too long")
    if answer.length:
        raise Unreachable("the answer ended too early")
    return body
