"""The key ring: the keys that sign tokens and verify our own, opened once and kept in memory.

All nodes share the stored keys. A ring looks at them again when it has not for a while, so that a rotation reaches every
node without a restart; an unknown key id brings the look forward, but never more often than ``pause``.
"""

import binascii
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc.jwk import ECKey, RSAKey

from idp.model import KeyUse, SigningKey
from idp.vault.jose import PrivateKey, PublicKey, b64, sign, unb64, verified
from idp.vault.vault import Vault

ALGORITHMS = ("ES256", "RS256")
RSA_BITS = 3072
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False)
_LONGEST = 16_384
# Tokens remembered as verified, a few megabytes at most.
_MOST_REMEMBERED = 4096


def make_key(alg: str, use: KeyUse, vault: Vault, now: datetime) -> SigningKey:
    """A new signing key, its private half sealed; the id is its thumbprint (RFC 7638)."""
    key = ECKey.generate_key("P-256") if alg == "ES256" else RSAKey.generate_key(RSA_BITS)
    kid = key.thumbprint()
    public = {**key.as_dict(private=False), "kid": kid, "alg": alg, "use": "sig"}
    sealed = vault.seal_json(key.as_dict(private=True))
    return SigningKey(kid, alg, use, public, sealed, now, now if use is KeyUse.CURRENT else None)


@dataclass(frozen=True, slots=True)
class _Held:
    """One key in memory: its public half for all, its private half only where it may sign."""

    kid: str
    alg: str
    public: PublicKey
    private: PrivateKey | None = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """The raw signature (RFC 7518 3.3 and 3.4)."""
        if self.private is None:
            raise LookupError(self.kid)
        return sign(self.alg, self.private, message)


@dataclass(frozen=True, slots=True)
class _Keys:
    """One look at the stored keys."""

    by_kid: Mapping[str, _Held]
    current: Mapping[str, _Held]
    jwks: bytes


class KeyRing:
    """Signs with the current key of an algorithm, verifies with any that is published.

    ``load`` reads the stored keys, None where they cannot be read: then those in memory stay good. ``monotonic`` is a
    clock in seconds that never goes back.
    """

    def __init__(
        self,
        load: Callable[[], Iterable[SigningKey] | None],
        vault: Vault,
        monotonic: Callable[[], float],
        *,
        every: float = 30.0,
        pause: float = 2.0,
    ) -> None:
        self._load, self._vault, self._monotonic = load, vault, monotonic
        self._every, self._pause = every, pause
        self._lock = threading.Lock()
        self._headers: dict[tuple[str, str], bytes] = {}
        # By digest, so that the memory holds no token.
        self._verified: dict[tuple[bytes, str], dict[str, Any]] = {}
        self._looked_at = monotonic()
        self._keys = self._look(_Keys({}, {}, b'{"keys": []}'))

    def refresh(self) -> None:
        """Look at the stored keys now."""
        with self._lock:
            self._looked_at = self._monotonic()
            self._keys = self._look(self._keys)

    def sign(self, alg: str, typ: str, claims: Mapping[str, Any]) -> str:
        """A compact JWT (RFC 7515 7.1) signed by the current key of ``alg``."""
        held = self._fresh(self._every).current[alg]
        header = self._headers.get((held.kid, typ)) or self._header(held, typ)
        message = header + b"." + b64(_ENCODER.encode(claims).encode())
        return (message + b"." + b64(held.sign(message))).decode()

    def verify(self, token: str, typ: str) -> dict[str, Any] | None:
        """The claims of a JWT this ring's keys have signed as ``typ``; None for anything else, of whatever kind.

        The key is found by ``kid`` among our own and fixes the algorithm; a key or address a token names is never
        looked at (RFC 8725 3.1 and 3.10). Expiry is the caller's to judge, and the claims are the caller's only to read:
        a signature that was good once stays good while its key is published, and is not computed again.
        """
        keys, known = self._fresh(self._every), (sha256(token.encode("utf-8", "surrogatepass")).digest(), typ)
        claims = self._verified.get(known)
        if claims is None:
            claims = self._signature_verified(token, typ)
            if claims is not None and keys is self._keys:
                if len(self._verified) >= _MOST_REMEMBERED:
                    self._verified = {}
                self._verified[known] = claims
        return claims

    def _signature_verified(self, token: str, typ: str) -> dict[str, Any] | None:
        try:
            message, _, signature = token.encode("ascii").rpartition(b".")
            encoded, _, payload = message.partition(b".")
            header = json.loads(unb64(encoded))
            if len(token) > _LONGEST or header["typ"] != typ or "crit" in header:
                return None
            held = self._find(header["kid"])
            if held is None or header["alg"] != held.alg or not verified(held.alg, held.public, message, unb64(signature)):
                return None
            claims = json.loads(unb64(payload))
        except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
            return None
        return claims if isinstance(claims, dict) else None

    def jwks(self) -> bytes:
        """The published key set (RFC 7517 5), made once a look."""
        return self._fresh(self._every).jwks

    def ready(self) -> bool:
        """Whether there is a key to sign with for every algorithm."""
        return all(alg in self._fresh(self._every).current for alg in ALGORITHMS)

    def _find(self, kid: object) -> _Held | None:
        if not isinstance(kid, str):
            return None
        held = self._fresh(self._every).by_kid.get(kid)
        return held if held is not None else self._looked_for().by_kid.get(kid)

    def _looked_for(self) -> _Keys:
        """The keys after a look, unless the last is hardly over; one that is under way is waited for: its key may be there."""
        with self._lock:
            if self._monotonic() - self._looked_at >= self._pause:
                self._looked_at = self._monotonic()
                self._keys = self._look(self._keys)
            return self._keys

    def _fresh(self, age: float) -> _Keys:
        if self._monotonic() - self._looked_at >= age and self._lock.acquire(blocking=False):
            try:
                self._looked_at = self._monotonic()
                self._keys = self._look(self._keys)
            finally:
                self._lock.release()
        return self._keys

    def _look(self, before: _Keys) -> _Keys:
        loaded = self._load()
        if loaded is None:
            return before
        stored = sorted(loaded, key=lambda key: (key.alg, key.created_at, key.kid))
        by_kid = {key.kid: self._held(key, before.by_kid.get(key.kid)) for key in stored}
        current = {key.alg: by_kid[key.kid] for key in stored if key.use is KeyUse.CURRENT}
        if by_kid.keys() != before.by_kid.keys():
            self._verified = {}
        return _Keys(by_kid, current, json.dumps({"keys": [dict(key.public) for key in stored]}).encode())

    def _held(self, key: SigningKey, before: _Held | None) -> _Held:
        """The key in memory; a private half is opened only once, and only where it may sign."""
        signs = key.use is KeyUse.CURRENT
        if before is not None and (before.private is not None) == signs:
            return before
        public = (ECKey if key.alg == "ES256" else RSAKey).import_key(dict(key.public)).public_key
        return _Held(key.kid, key.alg, public, _opened(self._vault.open_json(key.sealed)) if signs else None)

    def _header(self, held: _Held, typ: str) -> bytes:
        header = b64(_ENCODER.encode({"alg": held.alg, "typ": typ, "kid": held.kid}).encode())
        self._headers[held.kid, typ] = header
        return header


def _opened(jwk: Mapping[str, str]) -> PrivateKey:
    """A private key that the seal vouches for: to prove an RSA key's primes again would take longer than the whole start."""
    if jwk["kty"] == "EC":
        return cast("ec.EllipticCurvePrivateKey", ECKey.import_key(dict(jwk)).private_key)
    n, e, d, p, q, dp, dq, qi = (
        int.from_bytes(unb64(jwk[name].encode())) for name in ("n", "e", "d", "p", "q", "dp", "dq", "qi")
    )
    numbers = rsa.RSAPrivateNumbers(p, q, d, dp, dq, qi, rsa.RSAPublicNumbers(e, n))
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def at_hash(access_token: str) -> str:
    """The left half of the token's SHA-256 (OpenID Connect Core 3.1.3.6)."""
    return b64(sha256(access_token.encode()).digest()[:16]).decode()


def peek(token: str) -> dict[str, Any]:
    """The claims of a JWT unverified, to find out who says it is theirs; {} where it is none."""
    try:
        claims = json.loads(unb64(token.split(".")[1].encode("ascii")))
    except (ValueError, IndexError, RecursionError, binascii.Error):
        return {}
    return claims if isinstance(claims, dict) else {}
