"""Keys that strangers show with what they signed: read without trust, verified, and named by their thumbprint."""

import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from idp.vault.jose import PublicKey, b64, unb64, verified

_LONGEST = 8192
_CURVE = ec.SECP256R1()
# The members that make a key, in the order of the thumbprint (RFC 7638 3.2).
_MEMBERS: Mapping[str, tuple[str, ...]] = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}


@dataclass(frozen=True, slots=True)
class Shown:
    """A JWT whose own header names the key that is said to have signed it: nothing of it is trusted yet."""

    header: dict[str, Any]
    claims: dict[str, Any]
    message: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    def key(self) -> str | None:
        """The thumbprint of the key that did sign it; None where that is not the one it names, or it names none."""
        try:
            jwk, alg = self.header["jwk"], self.header["alg"]
            thumbprint, public = _opened(jwk["kty"], tuple(jwk[name] for name in _MEMBERS[jwk["kty"]]))
            good = verified(alg, public, self.message, self.signature)
        except (ValueError, KeyError, TypeError, binascii.Error):
            return None
        return thumbprint if good else None


def shown(text: str) -> Shown | None:
    """A JWT taken apart, or None for what is none."""
    try:
        message, _, signature = text.encode("ascii").rpartition(b".")
        encoded, _, payload = message.partition(b".")
        if len(text) > _LONGEST:
            return None
        header, claims, raw = json.loads(unb64(encoded)), json.loads(unb64(payload)), unb64(signature)
    except (ValueError, RecursionError, binascii.Error):
        return None
    return Shown(header, claims, message, raw) if isinstance(header, dict) and isinstance(claims, dict) else None


def token_hash(token: str) -> str:
    """The hash by which a proof names the access token it goes with (RFC 9449 4.2)."""
    return b64(sha256(token.encode("utf-8", "surrogatepass")).digest()).decode()


@lru_cache(maxsize=1024)
def _opened(kty: str, members: tuple[str, ...]) -> tuple[str, PublicKey]:
    """Thumbprint and key; raises ValueError for a point off the curve. An app shows the same key again and again."""
    named = dict(zip(_MEMBERS[kty], members, strict=True))
    canonical = json.dumps(named, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
    thumbprint = b64(sha256(canonical).digest()).decode()
    if kty == "EC":
        x, y = (int.from_bytes(unb64(named[name].encode("ascii"))) for name in ("x", "y"))
        return thumbprint, ec.EllipticCurvePublicNumbers(x, y, _CURVE).public_key()
    e, n = (unb64(named[name].encode("ascii")) for name in ("e", "n"))
    if not n[0] or not e[0]:
        raise ValueError("a number that begins with nothing would give one key many names")
    return thumbprint, rsa.RSAPublicNumbers(int.from_bytes(e), int.from_bytes(n)).public_key()
