"""Which public keys a client may register: those that its signatures can be verified with, never a private one."""

import base64
from collections.abc import Mapping
from typing import Any, Final

from idp.policies.addresses import Refusal

MOST_KEYS: Final = 20
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_NEEDED = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_RSA_BITS = 2048
_LEAST_EXPONENT = 3
_EXPORT = "Export the client's public key as a JWK."
# By kind of key, the algorithms it can be used with; none of FAPI 2.0 5.4 is RS256.
_ALGORITHMS: Mapping[str, tuple[str, ...]] = {"EC": ("ES256",), "RSA": ("PS256", "RS256"), "OKP": ()}
FAPI_ALGORITHMS: Final = ("ES256", "PS256")


def refused_keys(jwks: object, *, fapi: bool = False) -> Refusal | None:
    """Judge a key set (RFC 7517 5): public keys alone, and one at least that a signature can be verified with."""
    keys = jwks.get("keys") if isinstance(jwks, Mapping) else None
    if not isinstance(keys, list) or not keys:
        return "the key set holds no keys", "Write it as { keys = [ … ] } (RFC 7517 5)."
    if len(keys) > MOST_KEYS:
        return f"the key set holds more than {MOST_KEYS} keys", "Keep those that sign."
    for number, key in enumerate(keys, start=1):
        refusal = refused_key(key)
        if refusal is not None:
            return f"key {number}: {refusal[0]}", refusal[1]
    if not any(algorithms_of(key, fapi=fapi) for key in keys):
        what = "none of the keys can be used with ES256 or PS256" if fapi else "none of the keys can be used here"
        return what, "Add an EC key on P-256, or an RSA key of 2048 bits or more."
    return None


def algorithms_of(key: Mapping[str, Any], *, fapi: bool = False) -> tuple[str, ...]:
    """The algorithms that a key verifies with: its own where it says one, else those of its kind."""
    kind, own = key.get("kty"), key.get("alg")
    if not isinstance(kind, str) or key.get("use", "sig") != "sig" or (kind == "EC" and key.get("crv") != "P-256"):
        return ()
    return tuple(name for name in _ALGORITHMS.get(kind, ()) if own in (None, name) and (not fapi or name in FAPI_ALGORITHMS))


def refused_key(key: Any) -> Refusal | None:
    """Judge one key (RFC 7517 4): public, for signatures, and no weaker than FAPI 2.0 5.4.1 has them."""
    if not isinstance(key, dict) or not isinstance(key.get("kty"), str) or key["kty"] not in _NEEDED:
        return "it is not a public RSA, EC or OKP key", _EXPORT
    if any(name in key for name in _PRIVATE):
        return "it is a private key", "Keep it with the client, replace it, and write only its public part here."
    if not all(isinstance(key.get(name), str) and key[name] for name in _NEEDED[key["kty"]]):
        return f"it lacks {' or '.join(_NEEDED[key['kty']])}", _EXPORT
    if key.get("use", "sig") != "sig":
        return "it is not for signatures", 'Use a key whose use is "sig".'
    return _refused_numbers(key["n"], key["e"]) if key["kty"] == "RSA" else None


def _refused_numbers(modulus: str, exponent: str) -> Refusal | None:
    """Judge an RSA key by its numbers: zeros before them make none of them larger."""
    try:
        n, e = _number(modulus), _number(exponent)
    except ValueError:
        return "it lacks n or e", _EXPORT
    if n.bit_length() < _RSA_BITS:
        return f"its modulus is shorter than {_RSA_BITS} bits", "Use a larger key, or an EC key on P-256."
    if e < _LEAST_EXPONENT or e % 2 == 0:
        return "its exponent lets anybody sign", "Use 65537."
    return None


def _number(text: str) -> int:
    """The number that base64url spells (RFC 7518 2)."""
    return int.from_bytes(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True), "big")
