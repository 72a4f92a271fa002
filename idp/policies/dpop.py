"""The law of proofs of possession (RFC 9449): what a proof must be and say to show that its sender holds a key."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

ALGORITHMS = ("ES256", "PS256", "RS256")
# How far a proof's clock may be off, either way.
WINDOW = timedelta(seconds=60)
# A nonce is told for one such period and taken for one more: good for five minutes at most, and for half of it at least.
NONCE_PERIOD = timedelta(seconds=150)
_LONGEST_JTI = 256
_PORTS = {"https": ":443", "http": ":80"}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_HALF_OF_P256 = 43
# In characters of base64url: moduli of 2048 to 4096 bits, and an exponent of 32 bits; longer ones would cost too much.
_MODULUS, _EXPONENT = (342, 683), (1, 6)


class Fault(Enum):
    """What is wrong with a proof; the words are for the developer of the client."""

    KIND = "The proof is not a DPoP proof signed with an algorithm that is accepted here."
    KEY = "The proof's key is not a public key of its algorithm."
    REQUEST = "The proof was made for another request."
    TIME = "The proof is too old, or from the future."
    ID = "The proof has no usable jti."
    TOKEN = "The proof was made for another access token."  # noqa: S105 - a sentence
    NONCE = "The proof must carry the nonce that is given here."


@dataclass(frozen=True, slots=True)
class Expected:
    """The request that a proof must have been made for.

    ``token_hash`` is that of the access token which comes along, None where there is none; ``nonces`` are those told lately.
    """

    method: str
    address: str
    nonces: Collection[str]
    algorithms: Collection[str] = ALGORITHMS
    nonce_needed: bool = False
    token_hash: str | None = None


def judge(header: Mapping[str, Any], claims: Mapping[str, Any], expected: Expected, now: datetime) -> Fault | None:
    """What is wrong with a proof (RFC 9449 4.3), but for its signature and whether it was seen before."""
    jti, nonce = claims.get("jti"), claims.get("nonce")
    checks = (
        (Fault.KIND, _kind(header, expected.algorithms)),
        (Fault.KEY, _public_key(header.get("jwk"), header.get("alg"))),
        (Fault.REQUEST, claims.get("htm") == expected.method and _same_address(claims.get("htu"), expected.address)),
        (Fault.ID, isinstance(jti, str) and 0 < len(jti) <= _LONGEST_JTI),
        (Fault.TOKEN, expected.token_hash is None or claims.get("ath") == expected.token_hash),
        (Fault.NONCE, nonce in expected.nonces or (nonce is None and not expected.nonce_needed)),
        (Fault.TIME, _lately(claims.get("iat"), now)),
    )
    return next((fault for fault, good in checks if not good), None)


def remembered_until(now: datetime) -> datetime:
    """Until when a proof that is good now must be known as used: as long as its clock lets it be good."""
    return now + 2 * WINDOW + timedelta(seconds=1)


def nonce_periods(now: datetime) -> tuple[str, str]:
    """The names of the periods whose nonces count: the present one, whose nonce is told, and the one before."""
    present = int(now.timestamp() // NONCE_PERIOD.total_seconds())
    return str(present), str(present - 1)


def _kind(header: Mapping[str, Any], algorithms: Collection[str]) -> bool:
    return header.get("typ") == "dpop+jwt" and header.get("alg") in algorithms and "crit" not in header


def _public_key(jwk: object, alg: object) -> bool:
    """Whether ``jwk`` has the shape of a public key of that algorithm, and nothing private."""
    if not isinstance(jwk, dict) or jwk.get("alg", alg) != alg or _PRIVATE & jwk.keys():
        return False
    if alg == "ES256":
        curve = jwk.get("kty") == "EC" and jwk.get("crv") == "P-256"
        return curve and all(_long(jwk.get(name), _HALF_OF_P256, _HALF_OF_P256) for name in ("x", "y"))
    return jwk.get("kty") == "RSA" and _long(jwk.get("n"), *_MODULUS) and _long(jwk.get("e"), *_EXPONENT)


def _long(value: object, least: int, most: int) -> bool:
    return isinstance(value, str) and least <= len(value) <= most


def _same_address(htu: object, address: str) -> bool:
    """Without query and fragment, and however scheme, host and a default port are spelt (RFC 9449 4.3)."""
    return htu == address or (isinstance(htu, str) and _plain(htu) == _plain(address))


def _plain(address: str) -> tuple[str, str, str] | None:
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    return scheme, parts.netloc.lower().removesuffix(_PORTS.get(scheme, "")), parts.path or "/"


def _lately(value: object, now: datetime) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return abs(now - datetime.fromtimestamp(value, UTC)) <= WINDOW
    except (ValueError, OverflowError, OSError):
        return False
