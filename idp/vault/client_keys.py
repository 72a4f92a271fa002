"""The public keys of clients, to verify what they sign: those they registered, or those found where they said."""

import binascii
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from idp.policies.client_keys import MOST_KEYS, algorithms_of, refused_key
from idp.vault.jose import PublicKey, unb64, verified

ALGORITHMS: Final = ("ES256", "PS256", "RS256")
# For how many seconds fetched keys are good, and how soon a key that is not among them may have them fetched again.
LIFE: Final = 300.0
PAUSE: Final = 30.0
_LONGEST = 16_384
_WAIT: Final = 2.0

Signed = tuple[dict[str, Any], dict[str, Any]]


class NobodyAskedError(Exception):
    """Keys were not fetched, for a reason that lies with us."""


class Keys(Protocol):
    """What verifies a client's signatures."""

    def verify(self, token: str, algorithms: Sequence[str] = ALGORITHMS) -> Signed | None:
        """Header and claims of a JWT that one of the keys has signed, or None."""
        ...


@dataclass(frozen=True, slots=True)
class _Key:
    """One public key, and the algorithms that it may be used with."""

    kid: object
    algorithms: tuple[str, ...]
    public: PublicKey


@dataclass(frozen=True, slots=True)
class _Read:
    """A JWT taken apart; nothing in it is verified."""

    header: dict[str, Any]
    message: bytes
    payload: bytes
    signature: bytes


class ClientKeys:
    """A set of public keys (RFC 7517 5). Keys that cannot be used here are left aside."""

    def __init__(self, jwks: Mapping[str, Any]) -> None:
        listed = jwks.get("keys")
        made = [_made(key) for key in listed[:MOST_KEYS]] if isinstance(listed, list) else []
        self._keys = tuple(key for key in made if key is not None)

    @classmethod
    def nobody(cls) -> "ClientKeys":
        """Keys that have signed nothing: for clients that do not exist."""
        key = ECKey.generate_key("P-256", parameters={"kid": "none"}, private=True)
        return cls({"keys": [key.as_dict(private=False)]})

    def verify(self, token: str, algorithms: Sequence[str] = ALGORITHMS) -> Signed | None:
        """Header and claims of a JWT that one of the keys has signed by one of ``algorithms``, or None.

        A key or address that the token itself names is never looked at (RFC 8725 3.10).
        """
        read = _read(token)
        if read is None or read.header.get("alg") not in algorithms or "crit" in read.header:
            return None
        alg = read.header["alg"]
        if not any(verified(alg, key.public, read.message, read.signature) for key in self._fitting(read.header)):
            return None
        claims = _object(read.payload)
        return None if claims is None else (read.header, claims)

    def fits(self, token: str) -> bool:
        """Whether there is a key that ``token`` says it was signed by."""
        read = _read(token)
        return read is not None and bool(self._fitting(read.header))

    def _fitting(self, header: Mapping[str, Any]) -> list[_Key]:
        """The keys by that name, or all where the token names none; each for its own algorithms (RFC 8725 3.1)."""
        kid = header.get("kid")
        return [key for key in self._keys if header.get("alg") in key.algorithms and (kid is None or key.kid in (None, kid))]


class FetchedKeys:
    """The keys at a client's ``jwks_uri``, as they were at most ``LIFE`` ago.

    A key that is not known has them fetched again, but not within ``PAUSE`` of the last time, so that nobody can make this
    service knock at somebody's door as often as they like. What cannot be fetched verifies nothing. ``fetch`` answers None
    where nothing was learnt, and raises ``NobodyAskedError`` where it did not go; ``clock`` is in seconds.
    """

    def __init__(self, fetch: Callable[[], Mapping[str, Any] | None], clock: Callable[[], float]) -> None:
        self._fetch, self._clock = fetch, clock
        self._lock = threading.Lock()
        self._keys: ClientKeys | None = None
        self._keys_at = self._asked_at = float("-inf")

    def verify(self, token: str, algorithms: Sequence[str] = ALGORITHMS) -> Signed | None:
        """Header and claims of a JWT that one of the keys has signed by one of ``algorithms``, or None."""
        keys = self._good()
        if (keys is None or not keys.fits(token)) and _read(token) is not None:
            keys = self._again()
        return None if keys is None else keys.verify(token, algorithms)

    def _good(self) -> ClientKeys | None:
        return self._keys if 0 <= self._clock() - self._keys_at < LIFE else None

    def _again(self) -> ClientKeys | None:
        """One caller fetches; the others wait for it, but not for long."""
        if not self._lock.acquire(timeout=_WAIT):
            return self._good()
        try:
            moment = self._clock()
            if not 0 <= moment - self._asked_at < PAUSE:
                with suppress(NobodyAskedError):
                    found = self._fetch()
                    self._asked_at = moment
                    if found is not None:
                        self._keys, self._keys_at = ClientKeys(found), moment
            return self._good()
        finally:
            self._lock.release()


def _read(token: str) -> _Read | None:
    try:
        message, _, signature = token.encode("ascii").rpartition(b".")
        encoded, dot, payload = message.partition(b".")
        header = _object(unb64(encoded))
        if header is None or not dot or len(token) > _LONGEST:
            return None
        return _Read(header, message, unb64(payload), unb64(signature))
    except (ValueError, binascii.Error):
        return None


def _object(text: bytes) -> dict[str, Any] | None:
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def _made(jwk: Any) -> _Key | None:
    """The key of a JWK, or None where it is none that can be used."""
    algorithms = () if refused_key(jwk) is not None else algorithms_of(jwk)
    if not algorithms:
        return None
    try:
        public = (ECKey if jwk["kty"] == "EC" else RSAKey).import_key(jwk).public_key
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return _Key(jwk.get("kid"), algorithms, public)
