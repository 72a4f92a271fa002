"""Who a client is, and how it proves it: exactly by the method it registered, with equal work where there is no client."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus, urlsplit

from idp.flows import grant
from idp.flows.world import World
from idp.model import Client
from idp.oauth import assertion
from idp.oauth.door import Throttle
from idp.oauth.errors import ClientRefusedError, TooManyFailuresError
from idp.oauth.wire import TokenRequest
from idp.vault.signing import ClientKeys, peek

_LOOPBACK = re.compile(r"http://(?:127\.0\.0\.1|\[::1\])(?P<port>:\d{1,5})?(?=[/?]|$)", re.ASCII)
_DECOY = b"\0" * 32


@dataclass(frozen=True, slots=True)
class Claimed:
    """Who a request says it is from, and what it offers as proof."""

    method: str
    client_id: str
    proof: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Registered:
    """A client with what is worked out once: its secrets' digests, its keys, its loopback addresses."""

    client: Client
    secrets: tuple[bytes, ...] = field(repr=False)
    keys: ClientKeys
    loopback: frozenset[str]

    def redirects_to(self, address: str) -> bool:
        """Whether an answer may go there: letter by letter (RFC 9700 2.1), the port of a native app's loopback aside.

        The system gives such an app its port when it starts (RFC 8252 7.3).
        """
        if address in self.client.redirect_uris:
            return True
        return bool(self.loopback) and _LOOPBACK.match(address) is not None and _portless(address) in self.loopback


class Clients:
    """The registered clients, and the judge of their authentication."""

    def __init__(self, world: World, audiences: frozenset[str], throttle: Throttle) -> None:
        self._world, self._audiences, self._throttle = world, audiences, throttle
        most = max((len(client.secret_digests) for client in world.clients.values()), default=1)
        nobody_keys = ClientKeys.nobody()
        self._nobody = Registered(Client("", "", auth_method=""), (_DECOY,) * most, nobody_keys, frozenset())
        self._known = {name: _registered(client, most, nobody_keys) for name, client in world.clients.items()}
        self._proofs: Mapping[str, Callable[[Registered, Claimed], bool]] = {
            "none": lambda _client, _claimed: True,
            "client_secret_basic": _secret_fits,
            "client_secret_post": _secret_fits,
            "private_key_jwt": self._assertion_fits,
        }

    def find(self, client_id: str | None) -> Registered | None:
        """The client, if it exists and is not disabled."""
        found = self._known.get(client_id or "")
        return None if found is None or found.client.disabled else found

    def origins(self) -> frozenset[str]:
        """The origins of browser apps: those of public clients' web addresses."""
        public = (client for client in self._world.clients.values() if client.public and not client.disabled)
        parts = (urlsplit(address) for client in public for address in client.redirect_uris)
        return frozenset(f"{part.scheme}://{part.netloc}" for part in parts if part.scheme in {"https", "http"})

    def authenticate(self, request: TokenRequest) -> Client:
        """The client a request is from; raises ``ClientRefusedError``, or ``TooManyFailuresError`` after too many of those."""
        claimed = _claimed(request)
        if claimed is None:
            raise self._refused("", "no method, or more than one")
        record = self._known.get(claimed.client_id, self._nobody)
        client = record.client
        proved = self._proofs[claimed.method](record, claimed)
        if not proved or client.auth_method != claimed.method or client.disabled:
            raise self._refused(claimed.client_id, claimed.method)
        return client

    def _assertion_fits(self, record: Registered, claimed: Claimed) -> bool:
        """RFC 7523 3: signed by a registered key, for us, soon over, and never seen before."""
        verified = record.keys.verify(claimed.proof)
        now = self._world.clock()
        if verified is None:
            return False
        once = assertion.judge(*verified, client_id=claimed.client_id, audiences=self._audiences, now=now)
        return once is not None and self._world.store.used.first_time(once.key, once.until, now)

    def _refused(self, client_id: str, why: str) -> ClientRefusedError | TooManyFailuresError:
        if self._throttle(client_id):
            return TooManyFailuresError()
        grant.turned_away(self._world, client_id, why)
        return ClientRefusedError()


def _registered(client: Client, most: int, nobody: ClientKeys) -> Registered:
    secrets = [bytes.fromhex(digest) for digest in client.secret_digests]
    padded = tuple(secrets + [_DECOY] * (most - len(secrets)))
    keys = ClientKeys(client.jwks) if client.jwks is not None else nobody
    addresses = client.redirect_uris if client.public else ()
    loopback = frozenset(_portless(address) for address in addresses if _LOOPBACK.match(address))
    return Registered(client, padded, keys, loopback)


def _portless(address: str) -> str:
    found = _LOOPBACK.match(address)
    return address if found is None or found["port"] is None else address[: found.start("port")] + address[found.end("port") :]


def _secret_fits(record: Registered, claimed: Claimed) -> bool:
    """Compare digests in constant time, all of them: which one fits, or whether there are any, is not told by time."""
    digest = hashlib.sha256(claimed.proof.encode()).digest()
    fits = [hmac.compare_digest(digest, known) for known in record.secrets]
    return any(fits)


def _claimed(request: TokenRequest) -> Claimed | None:
    """The one method a request uses (RFC 6749 2.3); None for no method, or more than one."""
    values, header = request.values, request.authorization
    ways = [
        name
        for name, used in (
            ("client_secret_basic", header is not None),
            ("client_secret_post", "client_secret" in values),
            ("private_key_jwt", "client_assertion" in values or "client_assertion_type" in values),
        )
        if used
    ]
    if len(ways) > 1:
        return None
    found = _READERS[ways[0] if ways else "none"](values, header or "")
    named = values.get("client_id")
    return None if found is None or not found.client_id or (named or found.client_id) != found.client_id else found


def _basic(_values: Mapping[str, str], header: str) -> Claimed | None:
    """Name and secret are form-encoded before they are joined and encoded again (RFC 6749 2.3.1)."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        if "%" in name or "%" in secret or "+" in name or "+" in secret:
            name, secret = (unquote_plus(part, errors="strict") for part in (name, secret))
    except (ValueError, binascii.Error):
        return None
    return Claimed("client_secret_basic", name, secret) if colon else None


def _post(values: Mapping[str, str], _header: str) -> Claimed | None:
    return Claimed("client_secret_post", values.get("client_id", ""), values["client_secret"])


def _asserted(values: Mapping[str, str], _header: str) -> Claimed | None:
    proof = values.get("client_assertion", "")
    if values.get("client_assertion_type") != assertion.TYPE or not proof:
        return None
    subject = values.get("client_id") or peek(proof).get("sub")
    return Claimed("private_key_jwt", subject, proof) if isinstance(subject, str) else None


def _none(values: Mapping[str, str], _header: str) -> Claimed | None:
    return Claimed("none", values.get("client_id", ""))


_READERS: Mapping[str, Callable[[Mapping[str, str], str], Claimed | None]] = {
    "none": _none,
    "client_secret_basic": _basic,
    "client_secret_post": _post,
    "private_key_jwt": _asserted,
}
