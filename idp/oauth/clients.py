"""Who a client is, and how it proves it: exactly by the method it registered, with equal work where there is no client."""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus, urlsplit

from idp.flows import grant
from idp.flows.known_clients import all_of
from idp.flows.world import World
from idp.model import Client
from idp.oauth import assertion
from idp.oauth.door import Crowd, Throttle
from idp.oauth.errors import ClientRefusedError, TooManyFailuresError
from idp.oauth.wire import TokenRequest
from idp.policies.client_keys import FAPI_ALGORITHMS
from idp.policies.client_rules import MOST_SECRETS
from idp.post import Crowded, Unreachable
from idp.vault.client_keys import ALGORITHMS, ClientKeys, FetchedKeys, Keys, NobodyAskedError
from idp.vault.signing import peek

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
    """A client with what is worked out once: its secrets' digests with the end of each, its keys, its loopback addresses."""

    client: Client
    secrets: tuple[tuple[bytes, datetime | None], ...] = field(repr=False)
    keys: Keys
    loopback: frozenset[str]

    def redirects_to(self, address: str) -> bool:
        """Whether an answer may go there: letter by letter (RFC 9700 2.1), the port of a native app's loopback aside.

        The system gives such an app its port when it starts (RFC 8252 7.3).
        """
        if address in self.client.redirect_uris:
            return True
        return bool(self.loopback) and _LOOPBACK.match(address) is not None and _portless(address) in self.loopback


class Clients:
    """The registered clients as they are at each moment, and the judge of their authentication."""

    def __init__(self, world: World, audiences: frozenset[str], throttle: Throttle, crowd: Crowd) -> None:
        self._world, self._audiences, self._throttle, self._crowd = world, audiences, throttle, crowd
        nobody = Client("", "", auth_method="")
        self._no_keys = ClientKeys.nobody()
        self._nobody = Registered(nobody, _padded(nobody), self._no_keys, frozenset())
        self._known: dict[str, Registered] = {}
        self._shared: tuple[Mapping[str, Client], frozenset[str]] = ({}, frozenset())
        self._proofs: Mapping[str, Callable[[Registered, Claimed], bool]] = {
            "none": lambda _client, _claimed: True,
            "client_secret_basic": self._secret_fits,
            "client_secret_post": self._secret_fits,
            "private_key_jwt": self._assertion_fits,
        }

    def find(self, client_id: str | None) -> Registered | None:
        """The client, if it exists and is not disabled."""
        found = self._registered(client_id or "")
        return None if found is None or found.client.disabled else found

    def origins(self) -> frozenset[str]:
        """The origins of browser apps: those of public clients' web addresses."""
        present = all_of(self._world.clients)
        if self._shared[0] is not present:
            public = (client for client in present.values() if client.public and not client.disabled)
            parts = (urlsplit(address) for client in public for address in client.redirect_uris)
            web = frozenset(f"{part.scheme}://{part.netloc}" for part in parts if part.scheme in {"https", "http"})
            self._shared = (present, web)
        return self._shared[1]

    def authenticate(self, request: TokenRequest) -> Client:
        """The client a request is from; raises ``ClientRefusedError``, or ``TooManyFailuresError`` after too many of those."""
        claimed = _claimed(request)
        if claimed is None:
            raise self._refused("", "no method, or more than one")
        record = self._registered(claimed.client_id) or self._nobody
        # The same work where a client proves itself by another method; none of its keys is fetched for that.
        fits = self._proofs[claimed.method](record if record.client.auth_method == claimed.method else self._nobody, claimed)
        if not fits or record.client.auth_method != claimed.method or record.client.disabled:
            raise self._refused(claimed.client_id, claimed.method)
        return record.client

    def make_room(self, client: Client) -> None:
        """Let a client leave something here; of those that prove nothing only so many, or ``TooManyFailuresError``."""
        if client.public and self._crowd():
            raise TooManyFailuresError("Too many requests. Try again later.")

    def _registered(self, client_id: str) -> Registered | None:
        """The client as it is now; what was worked out from it is kept until it changes."""
        client, known = self._world.clients.get(client_id), self._known.get(client_id)
        if client is None:
            self._known.pop(client_id, None)
            return None
        if known is None or known.client is not client:
            addresses = client.redirect_uris if client.public else ()
            loopback = frozenset(_portless(address) for address in addresses if _LOOPBACK.match(address))
            known = self._known[client_id] = Registered(client, _padded(client), self._keys(client), loopback)
        return known

    def _keys(self, client: Client) -> Keys:
        if client.jwks_uri is not None:
            address = client.jwks_uri
            return FetchedKeys(lambda: self._fetched(address), lambda: self._world.clock().timestamp())
        return self._no_keys if client.jwks is None else ClientKeys(client.jwks)

    def _fetched(self, address: str) -> Mapping[str, Any] | None:
        """The key set at an address (RFC 7517 5); None where nothing was learnt."""
        try:
            found = json.loads(self._world.outbound.get(address, "application/jwk-set+json, application/json").body)
        except Crowded as error:
            raise NobodyAskedError from error
        except (Unreachable, ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def _secret_fits(self, record: Registered, claimed: Claimed) -> bool:
        """Compare digests in constant time, all of them: which one fits, or whether there are any, is not told by time."""
        digest, now = hashlib.sha256(claimed.proof.encode()).digest(), self._world.clock()
        fits = [hmac.compare_digest(digest, known) and (until is None or now < until) for known, until in record.secrets]
        return any(fits)

    def _assertion_fits(self, record: Registered, claimed: Claimed) -> bool:
        """RFC 7523 3: signed by a registered key, for us, soon over, and never seen before."""
        fapi = record.client.fapi
        verified = record.keys.verify(claimed.proof, FAPI_ALGORITHMS if fapi else ALGORITHMS)
        now = self._world.clock()
        if verified is None:
            return False
        audiences = frozenset({self._world.issuer}) if fapi else self._audiences
        once = assertion.judge(*verified, client_id=claimed.client_id, audiences=audiences, now=now, exact=fapi)
        return once is not None and self._world.store.used.first_time(once.key, once.until, now)

    def _refused(self, client_id: str, why: str) -> ClientRefusedError | TooManyFailuresError:
        if self._throttle(client_id):
            return TooManyFailuresError()
        grant.turned_away(self._world, client_id, why)
        return ClientRefusedError()


class Origins(Container[str]):
    """The origins of browser apps as they are at each moment."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def __contains__(self, origin: object) -> bool:
        return origin in self._clients.origins()


def _padded(client: Client) -> tuple[tuple[bytes, datetime | None], ...]:
    """As many digests for every client."""
    secrets = [(bytes.fromhex(digest), client.secret_ends.get(digest)) for digest in client.secret_digests]
    return tuple(secrets + [(_DECOY, None)] * (MOST_SECRETS - len(secrets)))


def _portless(address: str) -> str:
    found = _LOOPBACK.match(address)
    return address if found is None or found["port"] is None else address[: found.start("port")] + address[found.end("port") :]


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
